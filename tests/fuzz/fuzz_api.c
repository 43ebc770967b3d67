/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_api.c -- one call of the C API made from any bytes: the params, the arrays, the settings, the algorithm.
 *
 * Whatever the bytes say, a call answers a status; one that fails has written nothing, and one that succeeds agrees with
 * the definition (the algorithm "direct" of the scalar kernels). Every array is a block of exactly its size, so that a
 * sanitizer sees an access beside it. libFuzzer or driver.c brings the bytes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastconv.h"
#include "fuzz.h"

/* Arrays and sums that are small enough for a thousand executions a second. */
#define MOST_ELEMENTS 6000
#define MOST_PRODUCTS 200000
#define MOST_PREPARED_BYTES ((size_t)1 << 20)
#define UNTOUCHED 0xa5

#define MUST(condition, ...)                                                \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fprintf(stderr, "\n");                                          \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* ---- bytes to numbers --------------------------------------------------------------------------------------- */

typedef struct reader {
    const uint8_t *data;
    size_t left;
} reader;

/* Zero past the end. */
static unsigned byte_of(reader *r)
{
    if (!r->left) return 0;
    r->left--;
    return *r->data++;
}

static int64_t raw(reader *r)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | byte_of(r);
    return (int64_t)value;
}

/* Mostly such as are valid; now and then any at all, and the neighbours of the powers of two. */
static int64_t size_of(reader *r)
{
    static const int64_t odd[] = {0, -1, 9, 12, 15, 16, 17, 31, 32, 33, 64, 100, -2, INT64_MIN, INT64_MAX};
    const unsigned kind = byte_of(r);
    if (kind < 192) return kind % 8 + (kind % 24 != 7);
    if (kind < 232) return odd[kind % 15];
    if (kind < 248) return (int64_t)(((uint64_t)1 << byte_of(r) % 64) + (uint64_t)(kind % 3) - 1);
    return raw(r);
}

/* Strides and dilations: one as often as not. */
static int64_t step_of(reader *r) { return byte_of(r) % 2 ? size_of(r) : 1; }

/* Images that fill some vectors, now and then. */
static int64_t larger(int64_t size, bool much) { return much && size > 0 && size < 100 ? size + 12 : size; }

/* Enums: an unknown value now and then. */
static int choice_of(reader *r, unsigned count)
{
    const unsigned kind = byte_of(r);
    if (kind < 250) return (int)(kind % count);
    return kind == 250 ? -1 : kind == 251 ? INT32_MAX : (int)count;
}

/* ---- one call ------------------------------------------------------------------------------------------------ */

typedef struct array {
    fc_dtype dtype;
    int64_t count;
    void *data;
} array;

typedef struct call {
    fc_operation operation;
    fc_corr2d_params corr2d;
    fc_pool2d_params pool2d;
    int64_t out[2];
    bool second; /* a bias or its gradient, or indices */
    bool exact;  /* the numbers are small integers: results can be compared */
    double term; /* what the largest sum of magnitudes may be */
    array in[3], to[2];
} call;

static bool is_correlation(const call *c) { return c->operation <= FC_CORR2D_WEIGHT_GRAD; }

static bool is_average(const call *c) { return c->operation == FC_AVG_POOL2D || c->operation == FC_AVG_POOL2D_GRAD; }

static size_t item_size(fc_dtype dtype)
{
    static const unsigned char sizes[] = {4, 8, 4, 8, 1, 1, 2, 2, 4, 8};
    return sizes[dtype];
}

static fc_corr2d_params corr2d_of(reader *r)
{
    fc_corr2d_params p = {.dtype = (fc_dtype)choice_of(r, 4),
                          .layout = (fc_layout)choice_of(r, 2),
                          .weight_layout = (fc_weight_layout)choice_of(r, 3),
                          .padding = (fc_padding)choice_of(r, 4)};
    const unsigned form = byte_of(r);
    p.batch = size_of(r);
    p.groups = form % 2 ? 1 : size_of(r);
    p.weight_channels = size_of(r);
    p.out_channels = size_of(r);
    p.channels = p.weight_channels;
    if (form % 16 < 12) { /* such as belong together */
        p.channels = (int64_t)((uint64_t)p.weight_channels * (uint64_t)p.groups);
        p.out_channels = (int64_t)((uint64_t)p.out_channels * (uint64_t)p.groups);
    } else {
        p.channels = size_of(r);
    }
    for (int i = 0; i < 2; i++) {
        p.size[i] = larger(size_of(r), form & 32);
        p.kernel[i] = form & 64 ? 3 : size_of(r);
        p.stride[i] = step_of(r);
        p.dilation[i] = step_of(r);
        p.pad_before[i] = byte_of(r) % 2 ? size_of(r) : 0;
        p.pad_after[i] = byte_of(r) % 2 ? size_of(r) : p.pad_before[i];
    }
    return p;
}

static fc_pool2d_params pool2d_of(reader *r, bool average)
{
    fc_pool2d_params p = {.dtype = (fc_dtype)choice_of(r, average ? 2 : FC_DTYPES),
                          .layout = (fc_layout)choice_of(r, 2),
                          .padding = (fc_padding)choice_of(r, 4)};
    const unsigned form = byte_of(r);
    p.batch = size_of(r);
    p.channels = size_of(r);
    for (int i = 0; i < 2; i++) {
        p.size[i] = larger(size_of(r), form & 32);
        p.window[i] = size_of(r);
        p.stride[i] = step_of(r);
        p.dilation[i] = step_of(r);
        p.pad_before[i] = byte_of(r) % 2 ? size_of(r) : 0;
        p.pad_after[i] = byte_of(r) % 2 ? size_of(r) : p.pad_before[i];
    }
    p.ceil_mode = form & 1;
    p.count_include_pad = form & 2;
    p.has_divisor = form & 4;
    p.divisor = form & 4 ? size_of(r) : 0;
    return p;
}

/* False when it is larger than is tried here. */
static bool multiply(int64_t *product, int64_t by, int64_t most)
{
    return !__builtin_mul_overflow(*product, by, product) && *product <= most;
}

static bool count_of(int64_t *count, int64_t a, int64_t b, const int64_t size[2])
{
    *count = a;
    return multiply(count, b, MOST_ELEMENTS) && multiply(count, size[0], MOST_ELEMENTS) &&
           multiply(count, size[1], MOST_ELEMENTS);
}

static array array_of(fc_dtype dtype, int64_t count)
{
    return (array){dtype, count, malloc((size_t)count * item_size(dtype) + !count)};
}

/* Small integers, or the bytes as they come: NaNs, infinities, subnormals, indices from nowhere. */
static void fill(const array *a, reader *r, bool exact)
{
    static const int8_t small[] = {0, 1, -1, 2, -2, 3, -3, 1};
    uint32_t state = byte_of(r) * 2654435761u + 12345u;
    if (!exact) {
        uint8_t *bytes = a->data;
        for (size_t i = 0; i < (size_t)a->count * item_size(a->dtype); i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)(r->left ? byte_of(r) : state >> 24);
        }
        return;
    }
    for (int64_t i = 0; i < a->count; i++) {
        int value;
        state = state * 1664525u + 1013904223u;
        value = small[state >> 29];
        switch (a->dtype) {
        case FC_F32: ((float *)a->data)[i] = (float)value; break;
        case FC_F64: ((double *)a->data)[i] = value; break;
        case FC_I32: ((int32_t *)a->data)[i] = value; break;
        case FC_I64: ((int64_t *)a->data)[i] = value; break;
        case FC_U32: ((uint32_t *)a->data)[i] = (uint32_t)value; break;
        case FC_U64: ((uint64_t *)a->data)[i] = (uint64_t)value; break;
        case FC_I16: ((int16_t *)a->data)[i] = (int16_t)value; break;
        case FC_U16: ((uint16_t *)a->data)[i] = (uint16_t)value; break;
        default: ((uint8_t *)a->data)[i] = (uint8_t)value;
        }
    }
}

static fc_max_pool2d_grad_params max_grad_of(const call *c)
{
    const fc_pool2d_params *q = &c->pool2d;
    return (fc_max_pool2d_grad_params){.dtype = q->dtype,
                                       .layout = q->layout,
                                       .batch = q->batch,
                                       .channels = q->channels,
                                       .size = {q->size[0], q->size[1]},
                                       .out = {c->out[0], c->out[1]}};
}

static fc_status run(const call *c, const char *algorithm, fc_error *error)
{
    const void *a = c->in[0].data, *b = c->in[1].data;
    const fc_max_pool2d_grad_params max_grad = max_grad_of(c);
    void *y = c->to[0].data, *second = c->second ? c->to[1].data : NULL;
    switch (c->operation) {
    case FC_CORR2D: return fc_corr2d(&c->corr2d, a, b, c->second ? c->in[2].data : NULL, y, algorithm, error);
    case FC_CORR2D_INPUT_GRAD: return fc_corr2d_input_grad(&c->corr2d, a, b, y, algorithm, error);
    case FC_CORR2D_WEIGHT_GRAD: return fc_corr2d_weight_grad(&c->corr2d, a, b, y, second, algorithm, error);
    case FC_MAX_POOL2D: return fc_max_pool2d(&c->pool2d, a, y, second, algorithm, error);
    case FC_AVG_POOL2D: return fc_avg_pool2d(&c->pool2d, a, y, algorithm, error);
    case FC_MAX_POOL2D_GRAD: return fc_max_pool2d_grad(&max_grad, a, b, y, algorithm, error);
    default: return fc_avg_pool2d_grad(&c->pool2d, a, y, algorithm, error);
    }
}

static void must_be_sound(fc_status status, const fc_error *error)
{
    MUST((unsigned)status <= FC_NO_MEMORY, "status %d", (int)status);
    MUST(error->status == status, "answered %d, wrote %d", (int)status, (int)error->status);
    MUST((error->message[0] == '\0') == (status == FC_OK), "status %d says '%s'", (int)status, error->message);
}

/* Makes the arrays; false when the problem is refused, or larger than is tried here. */
static bool make_corr2d(call *c)
{
    const fc_corr2d_params *p = &c->corr2d;
    int64_t x, w, y, products;
    fc_error error;
    fc_status status = fc_corr2d_shape(p, c->out, &error);
    must_be_sound(status, &error);
    if (status) return false;
    if (!count_of(&x, p->batch, p->channels, p->size) || !count_of(&y, p->batch, p->out_channels, c->out) ||
        !count_of(&w, p->out_channels, p->weight_channels, p->kernel) || p->out_channels > MOST_ELEMENTS)
        return false;
    products = y;
    if (!multiply(&products, p->weight_channels, MOST_PRODUCTS) || !multiply(&products, p->kernel[0], MOST_PRODUCTS) ||
        !multiply(&products, p->kernel[1], MOST_PRODUCTS))
        return false;
    c->in[0] = array_of(p->dtype, c->operation == FC_CORR2D ? x : y);
    c->in[1] = array_of(p->dtype, c->operation == FC_CORR2D_WEIGHT_GRAD ? x : w);
    c->in[2] = array_of(p->dtype, p->out_channels);
    c->to[0] = array_of(p->dtype, c->operation == FC_CORR2D ? y : c->operation == FC_CORR2D_INPUT_GRAD ? x : w);
    c->to[1] = array_of(p->dtype, p->out_channels);
    if (c->operation == FC_CORR2D_INPUT_GRAD) c->second = false;
    c->term = 1e-4 * 9.0 * (double)(products + 9);
    return true;
}

static bool make_pool2d(call *c, reader *r)
{
    const fc_pool2d_params *q = &c->pool2d;
    const bool backward = c->operation >= FC_MAX_POOL2D_GRAD;
    int64_t x, y;
    fc_error error;
    fc_status status = fc_pool2d_shape(q, c->out, &error);
    must_be_sound(status, &error);
    if (c->operation == FC_MAX_POOL2D_GRAD && (status || byte_of(r) % 4 == 0)) { /* any shapes: it has no window */
        c->out[0] = size_of(r);
        c->out[1] = size_of(r);
    } else if (status) {
        return false;
    }
    if (c->operation == FC_MAX_POOL2D_GRAD && (q->batch < 0 || q->channels < 0 || c->out[0] < 0 || c->out[1] < 0 ||
                                               q->size[0] < 0 || q->size[1] < 0 || (unsigned)q->dtype >= FC_DTYPES)) {
        const fc_max_pool2d_grad_params wrong = max_grad_of(c);
        status = fc_max_pool2d_grad(&wrong, NULL, NULL, NULL, NULL, &error);
        must_be_sound(status, &error);
        MUST(status != FC_OK, "negative sizes or an unknown type were taken");
        return false;
    }
    if (!count_of(&x, q->batch, q->channels, q->size) || !count_of(&y, q->batch, q->channels, c->out)) return false;
    c->in[0] = array_of(q->dtype, backward ? y : x);
    c->in[1] = array_of(FC_I64, c->operation == FC_MAX_POOL2D_GRAD ? y : 0);
    c->in[2] = array_of(q->dtype, 0);
    c->to[0] = array_of(q->dtype, backward ? x : y);
    c->to[1] = array_of(FC_I64, y);
    if (c->operation != FC_MAX_POOL2D) c->second = false;
    c->term = is_average(c) ? 1e-5 * 3.0 * (double)(x + y + 1) : 1e-6;
    return true;
}

/* Of max pooling's gradient: inside the plane as a rule. */
static void place_indices(const call *c, reader *r)
{
    int64_t *indices = c->in[1].data;
    if (c->operation != FC_MAX_POOL2D_GRAD || !c->in[1].count || byte_of(r) % 8 == 0) return;
    const int64_t plane = c->pool2d.size[0] * c->pool2d.size[1]; /* beside no images it may be of any size */
    for (int64_t i = 0; i < c->in[1].count; i++)
        indices[i] = (int64_t)((uint64_t)indices[i] % (uint64_t)(plane + 1)) - 1;
}

/* ---- what must come out --------------------------------------------------------------------------------------- */

static void poison(const call *c)
{
    for (int i = 0; i < 2; i++) memset(c->to[i].data, UNTOUCHED, (size_t)c->to[i].count * item_size(c->to[i].dtype));
}

static void must_be_untouched(const call *c)
{
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < (size_t)c->to[i].count * item_size(c->to[i].dtype); k++)
            MUST(((uint8_t *)c->to[i].data)[k] == UNTOUCHED, "a call that failed wrote to output %d", i);
}

static bool same(const array *a, const void *wanted, int64_t i, double tolerance)
{
    const size_t size = item_size(a->dtype);
    double got, want;
    if (a->dtype > FC_F64)
        return memcmp((char *)a->data + i * (int64_t)size, (const char *)wanted + i * (int64_t)size, size) == 0;
    got = a->dtype == FC_F32 ? (double)((float *)a->data)[i] : ((double *)a->data)[i];
    want = a->dtype == FC_F32 ? (double)((const float *)wanted)[i] : ((const double *)wanted)[i];
    return got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= tolerance;
}

static void must_agree(const call *c, void *const wanted[2], const char *algorithm)
{
    const bool compared = c->exact || c->operation == FC_MAX_POOL2D || (is_correlation(c) && c->corr2d.dtype > FC_F64);
    for (int k = 0; compared && k < (c->second ? 2 : 1); k++) {
        if (k && c->operation == FC_CORR2D) break;
        for (int64_t i = 0; i < c->to[k].count; i++)
            MUST(same(&c->to[k], wanted[k], i, c->operation == FC_MAX_POOL2D ? 0 : c->term),
                 "operation %d, algorithm %s, %s: output %d differs from the definition at %" PRId64, (int)c->operation,
                 algorithm ? algorithm : "auto", fc_get_isa(), k, i);
    }
}

static const char *algorithm_of(reader *r, fc_operation operation)
{
    const int index = (int)(byte_of(r) % 24);
    const char *name = fc_algorithm_name(operation, index);
    return name ? name : index == 23 ? "nothing" : NULL;
}

static void choose_isa(unsigned index)
{
    int count = 0;
    while (fc_isa_name(count)) count++;
    MUST(fc_set_isa(fc_isa_name((int)index % count), NULL) == FC_OK, "instruction set %u", index);
}

static void choose_scalar(void) { MUST(fc_set_isa("scalar", NULL) == FC_OK, "scalar"); }

static const char *definition(fc_operation operation)
{
    int last = 0;
    while (fc_algorithm_name(operation, last + 1)) last++;
    return fc_algorithm_name(operation, last);
}

/* Prepared with one instruction set, used after another was chosen, with a wrong number of bytes now and then. */
static void try_prepared(const call *c, const char *algorithm, void *const wanted[2], reader *r)
{
    const unsigned isa = byte_of(r), wrong = byte_of(r);
    const void *weights = c->in[1].data;
    size_t bytes, given;
    const char *name;
    void *prepared = NULL;
    fc_error error;
    fc_status status = fc_corr2d_choose(&c->corr2d, algorithm, &name, &bytes, &error);
    must_be_sound(status, &error);
    if (status || bytes > MOST_PREPARED_BYTES) return;
    if (bytes) {
        prepared = aligned_alloc(64, (bytes + 63) / 64 * 64);
        status = fc_corr2d_prepare(&c->corr2d, name, weights, prepared, bytes, &error);
        must_be_sound(status, &error);
        MUST(status == FC_OK, "%s", error.message);
        weights = prepared;
    } else {
        bytes = (size_t)c->in[1].count * item_size(c->in[1].dtype);
    }
    choose_isa(isa);
    poison(c);
    given = wrong < 8 ? bytes - wrong : bytes; /* fewer than there are, or beyond zero */
    status = fc_corr2d_prepared(&c->corr2d, c->in[0].data, weights, given, c->second ? c->in[2].data : NULL,
                                c->to[0].data, name, &error);
    must_be_sound(status, &error);
    MUST(status == FC_OK || given != bytes || algorithm, "prepared weights were refused: %s", error.message);
    if (status)
        must_be_untouched(c);
    else
        must_agree(c, wanted, name);
    free(prepared);
}

static void try_call(const call *c, reader *r)
{
    const char *algorithm = algorithm_of(r, c->operation);
    const unsigned isa = byte_of(r), form = byte_of(r);
    void *wanted[2];
    fc_error error;
    fc_status status;
    poison(c);
    choose_scalar();
    status = run(c, definition(c->operation), &error);
    must_be_sound(status, &error);
    if (status) must_be_untouched(c);
    MUST(status == FC_OK || c->operation == FC_MAX_POOL2D_GRAD || is_average(c), "refused: %s", error.message);
    for (int i = 0; i < 2; i++) {
        const size_t size = (size_t)c->to[i].count * item_size(c->to[i].dtype);
        wanted[i] = malloc(size + !size);
        memcpy(wanted[i], c->to[i].data, size);
    }
    choose_isa(isa);
    MUST(fc_set_num_threads(1 + form % 4, NULL) == FC_OK, "threads");
    fc_set_batch_invariant(form & 4);
    fc_limit_threads(form & 8 ? 1 : 0);
    poison(c);
    const fc_status second = run(c, algorithm, form & 16 ? NULL : &error);
    if (!(form & 16)) must_be_sound(second, &error);
    MUST(!status || second, "a problem that the definition refuses was taken");
    if (second)
        must_be_untouched(c);
    else
        must_agree(c, wanted, algorithm);
    if (!status && c->operation == FC_CORR2D && form & 32) try_prepared(c, algorithm, wanted, r);
    free(wanted[0]);
    free(wanted[1]);
}

/* What would be done with arrays of any size: covers every algorithm's arithmetic of sizes. */
static void try_explain(const call *c)
{
    fc_explanation explanation;
    fc_error error;
    fc_status status = is_correlation(c) ? fc_explain_corr2d(c->operation, &c->corr2d, &explanation, &error)
                                         : fc_explain_pool2d(c->operation, &c->pool2d, c->second, &explanation, &error);
    must_be_sound(status, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reader r = {data, size};
    call c = {.operation = (fc_operation)(byte_of(&r) % FC_OPERATIONS)};
    const unsigned form = byte_of(&r);
    bool made;
    c.second = form & 1;
    c.exact = form & 6;
    if (is_correlation(&c))
        c.corr2d = corr2d_of(&r);
    else
        c.pool2d = pool2d_of(&r, is_average(&c));
    choose_isa(form >> 4);
    if (c.operation != FC_MAX_POOL2D_GRAD) try_explain(&c);
    made = is_correlation(&c) ? make_corr2d(&c) : make_pool2d(&c, &r);
    if (made) {
        fill(&c.in[0], &r, c.exact);
        fill(&c.in[1], &r, c.exact && c.operation != FC_MAX_POOL2D_GRAD);
        fill(&c.in[2], &r, c.exact);
        place_indices(&c, &r);
        try_call(&c, &r);
    }
    for (int i = 0; i < 3; i++) free(c.in[i].data);
    for (int i = 0; i < 2; i++) free(c.to[i].data);
    return 0;
}
