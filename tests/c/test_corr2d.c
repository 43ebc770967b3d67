/* SPDX-License-Identifier: BSD-3-Clause */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "groups.h"

static void set_all(buffer *b, const double *values)
{
    for (size_t i = 0; i < b->count; i++) set_value(b, i, values ? values[i] : (double)i);
    buffer_keep(b);
}

static void run_and_compare(const call *c, const char *algorithm, void *context)
{
    const double *values = context;
    call_must_run(c, algorithm);
    buffer_check(&c->out[0], "the output");
    for (size_t i = 0; i < c->out[0].count; i++) {
        const number wanted = {.f = values[i], .i = (uint64_t)(int64_t)values[i], .size = 100};
        CHECK(is_number(&c->out[0], i, &wanted, false), "element %zu is %.9g or %lld, should be %g", i,
              value_at(&c->out[0], i).f, (long long)value_at(&c->out[0], i).i, values[i]);
    }
}

/* ---- numbers by hand -------------------------------------------------------------------------------------- */

static void check_numbers_by_hand(fc_dtype dtype)
{
    static double y[] = {19, 25, 37, 43}, y_bias[] = {29, 35, 47, 53};
    static double y_padded[] = {0, 3, 8, 4, 9, 19, 25, 10, 21, 37, 43, 16, 6, 7, 8, 0};
    /* every one of the four outputs adds 0 1 / 2 3 where it was read; the weights see sums of four inputs */
    static double grad_x[] = {0, 1, 1, 2, 6, 4, 2, 5, 3}, grad_w[] = {8, 12, 20, 24};
    fc_corr2d_params p = plain_corr2d(dtype, 3, 2);
    call c = call_of_corr2d(FC_CORR2D, &p, true, false);
    set_all(&c.in[0], NULL);
    set_all(&c.in[1], NULL);
    set_all(&c.in[2], (const double[]){10});
    each_variant(&c, run_and_compare, y_bias);
    set_all(&c.in[2], (const double[]){0});
    each_variant(&c, run_and_compare, y);
    call_free(&c);

    p.pad_before[0] = p.pad_before[1] = p.pad_after[0] = p.pad_after[1] = 1;
    c = call_of_corr2d(FC_CORR2D, &p, false, false);
    set_all(&c.in[0], NULL);
    set_all(&c.in[1], NULL);
    each_variant(&c, run_and_compare, y_padded);
    call_free(&c);

    p = plain_corr2d(dtype, 3, 2);
    c = call_of_corr2d(FC_CORR2D_INPUT_GRAD, &p, false, false);
    set_all(&c.in[0], (const double[]){1, 1, 1, 1});
    set_all(&c.in[1], NULL);
    each_variant(&c, run_and_compare, grad_x);
    call_free(&c);

    c = call_of_corr2d(FC_CORR2D_WEIGHT_GRAD, &p, false, false);
    set_all(&c.in[0], (const double[]){1, 1, 1, 1});
    set_all(&c.in[1], NULL);
    each_variant(&c, run_and_compare, grad_w);
    call_free(&c);
}

/* Sums of integers are modulo 2^32 and 2^64. */
static void check_wrapping(fc_dtype dtype)
{
    fc_corr2d_params p = plain_corr2d(dtype, 1, 1);
    call c;
    static double zero[] = {0};
    p.channels = p.weight_channels = 4;
    c = call_of_corr2d(FC_CORR2D, &p, false, false);
    for (size_t i = 0; i < 4; i++) {
        set_value(&c.in[0], i, dtype == FC_I32 ? -0x1p31 : -0x1p63);
        set_value(&c.in[1], i, dtype == FC_I32 ? 0x1p30 : 0x1p62);
    }
    buffer_keep(&c.in[0]);
    buffer_keep(&c.in[1]);
    each_variant(&c, run_and_compare, zero);
    call_free(&c);
}

/* ---- layouts ---------------------------------------------------------------------------------------------- */

static size_t place(const int64_t shape[4], const int order[4], const int64_t index[4])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) at = at * (size_t)shape[order[i]] + (size_t)index[order[i]];
    return at;
}

static const int image_orders[2][4] = {{0, 1, 2, 3}, {0, 2, 3, 1}};
static const int weight_orders[3][4] = {{0, 1, 2, 3}, {0, 2, 3, 1}, {2, 3, 1, 0}};

/* to (in order `to_order`) = from (in order `from_order`), both arrays of that shape. */
static void reorder(const buffer *from, const int from_order[4], const buffer *to, const int to_order[4],
                    const int64_t shape[4])
{
    int64_t i[4];
    for (i[0] = 0; i[0] < shape[0]; i[0]++)
        for (i[1] = 0; i[1] < shape[1]; i[1]++)
            for (i[2] = 0; i[2] < shape[2]; i[2]++)
                for (i[3] = 0; i[3] < shape[3]; i[3]++)
                    memcpy(to->data + place(shape, to_order, i) * bytes_of(to->dtype),
                           from->data + place(shape, from_order, i) * bytes_of(to->dtype), bytes_of(to->dtype));
}

static void check_layouts(fc_dtype dtype)
{
    fc_corr2d_params p = plain_corr2d(dtype, 7, 3);
    const int64_t x_shape[4] = {2, 6, 7, 7}, w_shape[4] = {4, 3, 3, 3}, y_shape[4] = {2, 4, 3, 4};
    call first;
    p.batch = 2;
    p.channels = 6;
    p.groups = 2;
    p.weight_channels = 3;
    p.out_channels = 4;
    p.stride[0] = 2;
    p.stride[1] = 2;
    p.pad_before[1] = 2;
    first = call_of_corr2d(FC_CORR2D, &p, true, false);
    call_must_run(&first, NULL);
    for (int layout = 0; layout < 2; layout++)
        for (int weights = 0; weights < 3; weights++) {
            call c;
            p.layout = (fc_layout)layout;
            p.weight_layout = (fc_weight_layout)weights;
            c = call_of_corr2d(FC_CORR2D, &p, true, false);
            reorder(&first.in[0], image_orders[0], &c.in[0], image_orders[layout], x_shape);
            reorder(&first.in[1], weight_orders[0], &c.in[1], weight_orders[weights], w_shape);
            memcpy(c.in[2].data, first.in[2].data, 4 * bytes_of(dtype));
            buffer_keep(&c.in[0]);
            buffer_keep(&c.in[1]);
            buffer_keep(&c.in[2]);
            for (int i = 0; fc_algorithm_name(FC_CORR2D, i); i++) {
                buffer y;
                fc_error error;
                if (call_run(&c, fc_algorithm_name(FC_CORR2D, i), &error)) continue;
                y = buffer_of(dtype, (int64_t)c.out[0].count);
                reorder(&c.out[0], image_orders[layout], &y, image_orders[0], y_shape);
                for (size_t k = 0; k < y.count; k++) {
                    number wanted = value_at(&first.out[0], k);
                    wanted.size = 300;
                    CHECK(is_number(&y, k, &wanted, false), "layouts %d %d, %s: element %zu differs", layout, weights,
                          fc_algorithm_name(FC_CORR2D, i), k);
                }
                buffer_free(&y, "the reordered output");
            }
            call_free(&c);
        }
    call_free(&first);
}

/* ---- gradients -------------------------------------------------------------------------------------------- */

static double dot(const buffer *a, const buffer *b)
{
    double sum = 0;
    for (size_t i = 0; i < a->count; i++) sum += value_at(a, i).f * value_at(b, i).f;
    return sum;
}

static void fill_fractions(buffer *b)
{
    for (size_t i = 0; i < b->count; i++) set_value(b, i, (double)(int64_t)random_bits() * 0x1p-63);
    if (b->block) buffer_keep(b);
}

static void copy_input(buffer *to, const buffer *from)
{
    memcpy(to->data, from->data, from->count * bytes_of(from->dtype));
    buffer_keep(to);
}

/* <corr(x, w) + bias, g> = <x, input_grad(g, w)> + <bias, grad_bias> = <w, weight_grad(g, x)> + <bias, grad_bias>,
 * for every algorithm of the three. */
static void check_adjoint(void)
{
    fc_corr2d_params p = random_corr2d(false);
    call forward, by_x, by_w;
    double unit;
    p.dtype = FC_F64;
    forward = call_of_corr2d(FC_CORR2D, &p, true, false);
    by_x = call_of_corr2d(FC_CORR2D_INPUT_GRAD, &p, false, false);
    by_w = call_of_corr2d(FC_CORR2D_WEIGHT_GRAD, &p, true, false);
    for (int i = 0; i < 3; i++) fill_fractions(&forward.in[i]);
    fill_fractions(&by_x.in[0]);
    copy_input(&by_x.in[1], &forward.in[1]);
    copy_input(&by_w.in[0], &by_x.in[0]);
    copy_input(&by_w.in[1], &forward.in[0]);
    unit = 1e-13 * (double)(1 + by_x.in[0].count * (size_t)(p.weight_channels * p.kernel[0] * p.kernel[1] + 1));
    for (int isa = 0; fc_isa_name(isa); isa++) {
        fc_set_isa(fc_isa_name(isa), NULL);
        for (int a = 0; fc_algorithm_name(FC_CORR2D, a); a++) {
            const char *name = fc_algorithm_name(FC_CORR2D, a);
            double y_g;
            if (call_run(&forward, name, NULL)) continue;
            y_g = dot(&forward.out[0], &by_x.in[0]);
            for (int b = 0; fc_algorithm_name(FC_CORR2D_INPUT_GRAD, b); b++)
                for (int d = 0; fc_algorithm_name(FC_CORR2D_WEIGHT_GRAD, d); d++) {
                    double bias_part, x_part, w_part;
                    if (call_run(&by_x, fc_algorithm_name(FC_CORR2D_INPUT_GRAD, b), NULL) ||
                        call_run(&by_w, fc_algorithm_name(FC_CORR2D_WEIGHT_GRAD, d), NULL))
                        continue;
                    bias_part = dot(&forward.in[2], &by_w.out[1]);
                    x_part = dot(&forward.in[0], &by_x.out[0]);
                    w_part = dot(&forward.in[1], &by_w.out[0]);
                    CHECK(fabs(y_g - x_part - bias_part) <= unit, "isa %s, %s and %s: %.17g and %.17g", fc_get_isa(),
                          name, fc_algorithm_name(FC_CORR2D_INPUT_GRAD, b), y_g, x_part + bias_part);
                    CHECK(fabs(y_g - w_part - bias_part) <= unit, "isa %s, %s and %s: %.17g and %.17g", fc_get_isa(),
                          name, fc_algorithm_name(FC_CORR2D_WEIGHT_GRAD, d), y_g, w_part + bias_part);
                }
        }
    }
    call_free(&forward);
    call_free(&by_x);
    call_free(&by_w);
}

/* ---- prepared weights ------------------------------------------------------------------------------------- */

/* Prepared for one size of image, they serve another; prepared for one instruction set, they are used with that one
 * whatever is set now. The bits are those that w gives. */
static void check_prepared(const call *c, const char *algorithm, void *context)
{
    fc_corr2d_params other = c->corr2d;
    buffer prepared, y = buffer_of(c->out[0].dtype, (int64_t)c->out[0].count);
    const void *bias = c->in[2].data, *x = c->in[0].data, *w = c->in[1].data;
    const char *name, *isa = fc_get_isa();
    size_t bytes, used;
    fc_error error;
    (void)context;
    call_must_run(c, algorithm);
    CHECK(fc_corr2d_choose(&c->corr2d, algorithm, &name, &bytes, &error) == FC_OK, "%s", error.message);
    CHECK(!strcmp(name, algorithm), "chose %s", name);
    CHECK(bytes % bytes_of(y.dtype) == 0, "%zu bytes of prepared weights", bytes);
    used = bytes ? bytes : c->in[1].count * bytes_of(y.dtype);
    prepared = buffer_of(y.dtype, (int64_t)(bytes / bytes_of(y.dtype)));
    other.batch = 1;
    if (other.padding == FC_PAD_EXPLICIT) {
        other.size[0] += 3;
        other.size[1] += 5;
    }
    CHECK(fc_corr2d_prepare(&other, algorithm, w, prepared.data, bytes + 1, &error) == FC_BAD_VALUE, "took more bytes");
    if (fc_corr2d_prepare(&other, algorithm, w, prepared.data, bytes, &error) != FC_OK) {
        CHECK(strstr(error.message, "declines"), "%s", error.message);
        CHECK(fc_corr2d_prepare(&c->corr2d, algorithm, w, prepared.data, bytes, &error) == FC_OK, "%s", error.message);
    }
    buffer_keep(&prepared);
    w = bytes ? prepared.data : w;
    for (int i = 0; fc_isa_name(i); i++) {
        if (!bytes && strcmp(fc_isa_name(i), isa)) continue; /* nothing was prepared */
        fc_set_isa(fc_isa_name(i), NULL);
        buffer_poison(&y);
        CHECK(fc_corr2d_prepared(&c->corr2d, x, w, used, bias, y.data, algorithm, &error) == FC_OK, "%s",
              error.message);
        check_same_bits(&c->out[0], &y, "the output from prepared weights");
        CHECK(fc_corr2d_prepared(&c->corr2d, x, w, used + 1, bias, y.data, algorithm, &error) == FC_BAD_VALUE,
              "took prepared weights of another size");
        CHECK(strstr(error.message, "prepared has") && strstr(error.message, "must have"), "%s", error.message);
    }
    fc_set_isa(isa, NULL);
    if (used)
        CHECK(fc_corr2d_prepared(&c->corr2d, x, NULL, 0, bias, y.data, algorithm, &error) == FC_BAD_VALUE, "took none");
    buffer_free(&prepared, "the prepared weights");
    buffer_free(&y, "the output from prepared weights");
}

/* A problem that names an instruction set is run with that one, whatever is set: it needs the bytes of weights, and gives
 * the bits, that it does where that one is set. */
static void check_named_isa(const call *c, const char *algorithm, void *context)
{
    const char *isa = fc_get_isa(), *name;
    fc_corr2d_params named = c->corr2d;
    buffer y = buffer_of(c->out[0].dtype, (int64_t)c->out[0].count);
    const void *bias = c->in[2].data, *x = c->in[0].data, *w = c->in[1].data;
    size_t bytes, other;
    fc_error error;
    (void)context;
    named.isa = isa;
    call_must_run(c, algorithm);
    CHECK(fc_corr2d_choose(&c->corr2d, algorithm, &name, &bytes, &error) == FC_OK, "%s", error.message);
    for (int i = 0; fc_isa_name(i); i++) {
        fc_set_isa(fc_isa_name(i), NULL);
        buffer_poison(&y);
        CHECK(fc_corr2d(&named, x, w, bias, y.data, algorithm, &error) == FC_OK, "%s", error.message);
        check_same_bits(&c->out[0], &y, "the output by an instruction set that is named");
        CHECK(fc_corr2d_choose(&named, algorithm, &name, &other, &error) == FC_OK, "%s", error.message);
        CHECK(other == bytes, "%zu bytes of prepared weights, and %zu where it is named", bytes, other);
    }
    fc_set_isa(isa, NULL);
    named.isa = "mmx";
    CHECK(fc_corr2d(&named, x, w, bias, y.data, algorithm, &error) == FC_BAD_VALUE, "took mmx");
    CHECK(strstr(error.message, "isa: 'mmx'") && strstr(error.message, "scalar"), "%s", error.message);
    buffer_free(&y, "the output by an instruction set that is named");
}

/* ---- many tiles ------------------------------------------------------------------------------------------- */

/* So many outputs of so many channels that Winograd's blocks are small and each is a task: how many tiles lie in one
 * depends on the lanes and on the element. */
static void check_small_blocks(fc_dtype dtype, fc_layout layout)
{
    fc_corr2d_params p = plain_corr2d(dtype, 66, 3);
    p.layout = layout;
    p.size[0] = 61;
    p.pad_before[0] = p.pad_after[0] = p.pad_before[1] = p.pad_after[1] = 1;
    p.channels = p.weight_channels = dtype == FC_F32 ? 90 : 45;
    p.out_channels = 2;
    against_definition(call_of_corr2d(FC_CORR2D, &p, true, false), call_compare);
}

/* ---- windows beyond the image ------------------------------------------------------------------------------- */

/* Windows in rows of the image, and so far from its columns that no address is there. */
static void check_far_windows(fc_dtype dtype, fc_layout layout, int64_t channels, int64_t filters, int64_t groups)
{
    for (int operation = FC_CORR2D; operation <= FC_CORR2D_WEIGHT_GRAD; operation++)
        for (int side = 0; side < 2; side++) {
            fc_corr2d_params p = plain_corr2d(dtype, 6, 1);
            p.layout = layout;
            p.size[0] = 4;
            p.kernel[1] = 4;
            p.channels = channels;
            p.groups = groups;
            p.weight_channels = channels / groups;
            p.out_channels = filters;
            p.pad_before[1] = ((int64_t)1 << 55) - (side ? 2 : 0);
            p.pad_after[1] = side ? 2 : 0;
            p.stride[1] = (int64_t)1 << (side ? 55 : 56);
            against_definition(call_of_corr2d((fc_operation)operation, &p, true, false), call_compare);
        }
}

/* ---- empty arrays, subnormals ----------------------------------------------------------------------------- */

static void check_empty(fc_dtype dtype, fc_layout layout)
{
    fc_corr2d_params p = plain_corr2d(dtype, 3, 2);
    static double bias[] = {7, 7, 7, 7}, zeros[9];
    call c;
    p.layout = layout;
    p.channels = p.weight_channels = 0;
    c = call_of_corr2d(FC_CORR2D, &p, true, false);
    set_all(&c.in[2], bias);
    each_variant(&c, run_and_compare, bias);
    call_free(&c);
    c = call_of_corr2d(FC_CORR2D, &p, false, false);
    each_variant(&c, run_and_compare, zeros);
    call_free(&c);
    for (int operation = FC_CORR2D; operation <= FC_CORR2D_WEIGHT_GRAD; operation++) {
        p = plain_corr2d(dtype, 3, 2);
        p.layout = layout;
        p.batch = 0;
        c = call_of_corr2d((fc_operation)operation, &p, true, false);
        each_variant(&c, run_and_compare, zeros); /* a weight gradient of nothing is zero */
        call_free(&c);
        p.batch = 1;
        p.out_channels = 0;
        c = call_of_corr2d((fc_operation)operation, &p, true, false);
        each_variant(&c, run_and_compare, zeros); /* and so is an input gradient through no filter */
        call_free(&c);
    }
}

/* No image, for every algorithm of a 3x3 kernel and as many threads as cut work finely, also with prepared weights. */
static void check_empty_batch(fc_dtype dtype, fc_layout layout)
{
    const int threads = fc_get_num_threads();
    fc_corr2d_params p = plain_corr2d(dtype, 8, 3);
    call c;
    p.layout = layout;
    p.batch = 0;
    p.channels = p.weight_channels = p.out_channels = 16;
    CHECK(fc_set_num_threads(4, NULL) == FC_OK, "4 threads");
    c = call_of_corr2d(FC_CORR2D, &p, true, false);
    each_variant(&c, check_prepared, NULL);
    call_free(&c);
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}

/* The caller's floating-point mode is as it was. */
static void check_subnormals(const call *c, const char *algorithm, void *context)
{
    volatile double tiny = DBL_MIN, half = 0.5;
    (void)context;
    call_must_run(c, algorithm);
    CHECK(tiny * half > 0, "subnormals became zero in the caller");
}

void test_corr2d(void)
{
    static const fc_dtype dtypes[] = {FC_F32, FC_F64, FC_I32, FC_I64};
    call c;
    for (int i = 0; i < 4; i++) {
        check_numbers_by_hand(dtypes[i]);
        check_layouts(dtypes[i]);
        check_empty(dtypes[i], FC_NCHW);
        check_empty(dtypes[i], FC_NHWC);
        check_empty_batch(dtypes[i], FC_NCHW);
        check_empty_batch(dtypes[i], FC_NHWC);
    }
    for (int layout = 0; layout < 2; layout++) {
        check_small_blocks(FC_F32, (fc_layout)layout);
        check_small_blocks(FC_F64, (fc_layout)layout);
        for (int wide = 0; wide < 2; wide++) {
            check_far_windows(wide ? FC_F64 : FC_F32, (fc_layout)layout, 3, 16, 1);
            check_far_windows(wide ? FC_F64 : FC_F32, (fc_layout)layout, 4, 16, 2);
            check_far_windows(wide ? FC_F64 : FC_F32, (fc_layout)layout, 6, 6, 6);
            check_far_windows(wide ? FC_F64 : FC_F32, (fc_layout)layout, 40, 40, 1);
        }
    }
    check_wrapping(FC_I32);
    check_wrapping(FC_I64);
    for (int i = 0; i < 60; i++) check_adjoint();
    for (int i = 0; i < 60; i++) {
        c = random_call(FC_CORR2D, false, false);
        each_variant(&c, check_prepared, NULL);
        each_variant(&c, check_named_isa, NULL);
        if (i < 5) each_variant(&c, check_subnormals, NULL);
        call_free(&c);
    }
}
