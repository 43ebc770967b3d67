/* SPDX-License-Identifier: BSD-3-Clause */
/* What is wrong is refused with a message that names it; arrays are NULL here, so that nobody touches one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "groups.h"
#include "system.h"

#define HUGE_SIZE ((int64_t)1 << 62)

/* ---- one thing wrong -------------------------------------------------------------------------------------- */

static void must_refuse(fc_status status, const fc_error *error, fc_status wanted, const char *words)
{
    CHECK(status == wanted && error->status == wanted, "status %d (%s), should be %d", (int)status, error->message,
          (int)wanted);
    CHECK(strstr(error->message, words), "the message should hold '%s', is: %s", words, error->message);
}

static void refuse_corr2d(const fc_corr2d_params *p, const char *change, fc_status wanted, const char *words)
{
    int64_t out[2];
    fc_explanation explanation;
    const char *name;
    size_t bytes;
    fc_error e;
    snprintf(situation, sizeof situation, "corr2d with %s", change);
    must_refuse(fc_corr2d_shape(p, out, &e), &e, wanted, words);
    must_refuse(fc_corr2d(p, NULL, NULL, NULL, NULL, NULL, &e), &e, wanted, words);
    must_refuse(fc_corr2d_input_grad(p, NULL, NULL, NULL, NULL, &e), &e, wanted, words);
    must_refuse(fc_corr2d_weight_grad(p, NULL, NULL, NULL, NULL, "direct", &e), &e, wanted, words);
    must_refuse(fc_corr2d_choose(p, NULL, &name, &bytes, &e), &e, wanted, words);
    must_refuse(fc_corr2d_prepare(p, NULL, NULL, NULL, 0, &e), &e, wanted, words);
    must_refuse(fc_corr2d_prepared(p, NULL, NULL, 0, NULL, NULL, NULL, &e), &e, wanted, words);
    must_refuse(fc_explain_corr2d(FC_CORR2D_WEIGHT_GRAD, p, &explanation, &e), &e, wanted, words);
    CHECK(fc_corr2d(p, NULL, NULL, NULL, NULL, NULL, NULL) == wanted, "another status without an error struct");
}

static fc_corr2d_params good_corr2d(void)
{
    fc_corr2d_params p = plain_corr2d(FC_F32, 5, 3);
    p.channels = p.out_channels = 8;
    p.groups = 2;
    p.weight_channels = 4;
    return p;
}

#define REFUSE_CORR2D(change, status, words)       \
    do {                                           \
        fc_corr2d_params p = good_corr2d();        \
        change;                                    \
        refuse_corr2d(&p, #change, status, words); \
    } while (0)

static void refuse_correlations(void)
{
    REFUSE_CORR2D(p.batch = -1, FC_BAD_VALUE, "the batch size of x must be at least 0, got -1");
    REFUSE_CORR2D(p.channels = -2, FC_BAD_VALUE, "the number of channels of x must be at least 0, got -2");
    REFUSE_CORR2D(p.size[0] = 0, FC_BAD_VALUE, "the height and width of x must be at least 1, got (0, 5)");
    REFUSE_CORR2D(p.size[1] = -3, FC_BAD_VALUE, "the height and width of x must be at least 1, got (5, -3)");
    REFUSE_CORR2D(p.kernel[0] = 0, FC_BAD_VALUE, "the kernel size of w must be at least 1, got (0, 3)");
    REFUSE_CORR2D(p.kernel[1] = INT64_MIN, FC_BAD_VALUE, "the kernel size of w must be at least 1");
    REFUSE_CORR2D(p.stride[0] = 0, FC_BAD_VALUE, "stride must be at least 1, got (0, 1)");
    REFUSE_CORR2D(p.stride[1] = INT64_MIN, FC_BAD_VALUE, "stride must be at least 1");
    REFUSE_CORR2D(p.dilation[1] = 0, FC_BAD_VALUE, "dilation must be at least 1, got (1, 0)");
    REFUSE_CORR2D(p.pad_before[0] = -1, FC_BAD_VALUE, "padding must be at least 0, got (-1, 0)");
    REFUSE_CORR2D(p.pad_after[1] = -7, FC_BAD_VALUE, "padding must be at least 0, got (0, -7)");
    REFUSE_CORR2D(p.padding = (fc_padding)9, FC_BAD_VALUE, "padding has an unknown kind, 9");
    REFUSE_CORR2D(p.layout = (fc_layout)7, FC_BAD_VALUE, "layout has an unknown value, 7");
    REFUSE_CORR2D(p.weight_layout = (fc_weight_layout)5, FC_BAD_VALUE, "the layout of w has an unknown value, 5");
    REFUSE_CORR2D(p.dtype = FC_I8, FC_BAD_TYPE, "float32, float64, int32 or int64");
    REFUSE_CORR2D(p.dtype = (fc_dtype)99, FC_BAD_TYPE, "float32, float64, int32 or int64");
    REFUSE_CORR2D(p.groups = 0, FC_BAD_VALUE, "groups must be at least 1, got 0");
    REFUSE_CORR2D(p.groups = 3, FC_BAD_VALUE, "groups must divide the channels of x: 8 channels, 3 groups");
    REFUSE_CORR2D(p.out_channels = 9, FC_BAD_VALUE, "groups must divide the output channels of w: 9");
    REFUSE_CORR2D(p.out_channels = -2, FC_BAD_VALUE, "the number of output channels of w must be at least 0, got -2");
    REFUSE_CORR2D(p.weight_channels = 8, FC_BAD_VALUE, "w has 8 input channels but x has 8 channels in 2 group(s)");
    REFUSE_CORR2D(p.kernel[0] = 6, FC_BAD_VALUE, "the kernel size of w (6, 3) with dilation (1, 1) is larger than the");
    REFUSE_CORR2D(p.dilation[1] = 3, FC_BAD_VALUE, "is larger than the padded input: the width of x is 5");
    REFUSE_CORR2D(p.dilation[0] = HUGE_SIZE, FC_BAD_VALUE, "dilation (4611686018427387904, 1)");
    REFUSE_CORR2D((p.dilation[0] = HUGE_SIZE, p.padding = FC_PAD_SAME), FC_BAD_VALUE, "make sizes beyond 64 bits");
    REFUSE_CORR2D(p.kernel[0] = INT64_MAX, FC_BAD_VALUE, "the kernel size of w (9223372036854775807, 3)");
    REFUSE_CORR2D((p.pad_before[0] = HUGE_SIZE, p.pad_after[0] = HUGE_SIZE), FC_BAD_VALUE,
                  "make sizes beyond 64 bits: padding (4611686018427387904, 4611686018427387904)");
    REFUSE_CORR2D(p.pad_after[1] = INT64_MAX, FC_BAD_VALUE, "padding (0, 9223372036854775807)");
    REFUSE_CORR2D(p.pad_after[1] = HUGE_SIZE, FC_BAD_VALUE, "the output of 1 x 8 x 3 x 4611686018427387");
    REFUSE_CORR2D(p.size[0] = p.size[1] = (int64_t)1 << 31, FC_BAD_VALUE, "x of 1 x 8 x 2147483648 x 2147483648");
    REFUSE_CORR2D((p.batch = 0, p.size[0] = HUGE_SIZE), FC_BAD_VALUE, "x of 0 x 8 x 4611686018427387904 x 5");
    REFUSE_CORR2D(p.out_channels = HUGE_SIZE, FC_BAD_VALUE, "w of 4611686018427387904 x 4 x 3 x 3");
    REFUSE_CORR2D((p.pad_after[0] = p.pad_after[1] = (int64_t)1 << 31), FC_BAD_VALUE, "the output of 1 x 8 x 21474");
    REFUSE_CORR2D((p.batch = (int64_t)1 << 56, p.out_channels = 256), FC_BAD_VALUE, "is too large for this machine");
}

static void refuse_pool2d(const fc_pool2d_params *p, const char *change, fc_status wanted, const char *words)
{
    int64_t out[2];
    fc_explanation explanation;
    fc_error e;
    snprintf(situation, sizeof situation, "pool2d with %s", change);
    if (!strstr(change, "divisor")) {
        must_refuse(fc_pool2d_shape(p, out, &e), &e, wanted, words);
        must_refuse(fc_max_pool2d(p, NULL, NULL, NULL, NULL, &e), &e, wanted, words);
        must_refuse(fc_explain_pool2d(FC_MAX_POOL2D, p, true, &explanation, &e), &e, wanted, words);
    }
    must_refuse(fc_avg_pool2d(p, NULL, NULL, NULL, &e), &e, wanted, words);
    must_refuse(fc_avg_pool2d_grad(p, NULL, NULL, NULL, &e), &e, wanted, words);
    CHECK(fc_avg_pool2d(p, NULL, NULL, NULL, NULL) == wanted, "another status without an error struct");
}

#define REFUSE_POOL2D(change, status, words)             \
    do {                                                 \
        fc_pool2d_params p = plain_pool2d(FC_F32, 5, 3); \
        change;                                          \
        refuse_pool2d(&p, #change, status, words);       \
    } while (0)

static void refuse_poolings(void)
{
    REFUSE_POOL2D(p.batch = -1, FC_BAD_VALUE, "the batch size of x must be at least 0, got -1");
    REFUSE_POOL2D(p.channels = -1, FC_BAD_VALUE, "the number of channels of x must be at least 0, got -1");
    REFUSE_POOL2D(p.size[0] = 0, FC_BAD_VALUE, "the height and width of x must be at least 1, got (0, 5)");
    REFUSE_POOL2D(p.window[1] = 0, FC_BAD_VALUE, "pool_size must be at least 1, got (3, 0)");
    REFUSE_POOL2D(p.stride[1] = -1, FC_BAD_VALUE, "stride must be at least 1, got (1, -1)");
    REFUSE_POOL2D(p.dilation[0] = 0, FC_BAD_VALUE, "dilation must be at least 1, got (0, 1)");
    REFUSE_POOL2D(p.pad_before[0] = -1, FC_BAD_VALUE, "padding must be at least 0, got (-1, 0)");
    REFUSE_POOL2D(p.padding = (fc_padding)-1, FC_BAD_VALUE, "padding has an unknown kind");
    REFUSE_POOL2D(p.layout = (fc_layout)2, FC_BAD_VALUE, "layout has an unknown value, 2");
    REFUSE_POOL2D(p.window[0] = 6, FC_BAD_VALUE, "pool_size (6, 3) with dilation (1, 1) is larger than the padded");
    REFUSE_POOL2D(p.dilation[0] = HUGE_SIZE, FC_BAD_VALUE, "pool_size (3, 3) with dilation (4611686018427387904, 1)");
    REFUSE_POOL2D((p.pad_before[1] = p.pad_after[1] = HUGE_SIZE), FC_BAD_VALUE, "make sizes beyond 64 bits");
    REFUSE_POOL2D(p.channels = HUGE_SIZE, FC_BAD_VALUE, "x of 1 x 4611686018427387904 x 5 x 5");
    REFUSE_POOL2D(p.pad_after[0] = HUGE_SIZE, FC_BAD_VALUE, "the output of 1 x 1 x 46116860184273879");
    REFUSE_POOL2D((p.has_divisor = true, p.divisor = 0), FC_BAD_VALUE, "divisor_override must not be 0");
    fc_pool2d_params whole = plain_pool2d(FC_I32, 5, 3);
    fc_error e;
    snprintf(situation, sizeof situation, "an average of integers");
    must_refuse(fc_avg_pool2d(&whole, NULL, NULL, NULL, &e), &e, FC_BAD_TYPE, "float32 or float64");
    must_refuse(fc_avg_pool2d_grad(&whole, NULL, NULL, NULL, &e), &e, FC_BAD_TYPE, "float32 or float64");
    whole.dtype = FC_DTYPES;
    must_refuse(fc_max_pool2d(&whole, NULL, NULL, NULL, NULL, &e), &e, FC_BAD_TYPE, "");
}

#define REFUSE_MAX_GRAD(change, status, words)                                                            \
    do {                                                                                                  \
        fc_max_pool2d_grad_params p = {.batch = 1, .channels = 1, .size = {5, 5}, .out = {3, 3}};         \
        fc_error e;                                                                                       \
        change;                                                                                           \
        snprintf(situation, sizeof situation, "max_pool2d_grad with %s", #change);                        \
        must_refuse(fc_max_pool2d_grad(&p, NULL, NULL, NULL, NULL, &e), &e, status, words);               \
        CHECK(fc_max_pool2d_grad(&p, NULL, NULL, NULL, NULL, NULL) == status, "without an error struct"); \
    } while (0)

static void refuse_max_grads(void)
{
    REFUSE_MAX_GRAD(p.batch = -1, FC_BAD_VALUE, "the batch size of x must be at least 0, got -1");
    REFUSE_MAX_GRAD(p.size[0] = 0, FC_BAD_VALUE, "the height and width of x_shape must be at least 1, got (0, 5)");
    REFUSE_MAX_GRAD(p.out[1] = -1, FC_BAD_VALUE, "the height and width of grad_y must be at least 0, got (3, -1)");
    REFUSE_MAX_GRAD(p.out[0] = HUGE_SIZE, FC_BAD_VALUE, "grad_y of 1 x 1 x 4611686018427387904 x 3");
    REFUSE_MAX_GRAD(p.channels = HUGE_SIZE, FC_BAD_VALUE, "x of 1 x 4611686018427387904 x 5 x 5");
    REFUSE_MAX_GRAD(p.dtype = FC_DTYPES, FC_BAD_TYPE, "type");
    REFUSE_MAX_GRAD(p.layout = (fc_layout)3, FC_BAD_VALUE, "layout has an unknown value, 3");
}

/* An index outside the plane is found before anything is written. */
static void refuse_indices(void)
{
    static const int64_t wrong[] = {25, -2, INT64_MAX, INT64_MIN};
    const fc_max_pool2d_grad_params p = {.dtype = FC_F64, .batch = 1, .channels = 1, .size = {5, 5}, .out = {3, 3}};
    for (int i = 0; i < 4; i++) {
        buffer grad_y = buffer_of(FC_F64, 9), indices = buffer_of(FC_I64, 9), grad_x = buffer_of(FC_F64, 25);
        char number_text[40];
        fc_error e;
        snprintf(situation, sizeof situation, "max_pool2d_grad with the index %lld", (long long)wrong[i]);
        snprintf(number_text, sizeof number_text, "got %lld", (long long)wrong[i]);
        buffer_fill(&grad_y);
        for (size_t k = 0; k < 9; k++) set_value(&indices, k, (double)k);
        memcpy(indices.data + 8 * below(9), &wrong[i], 8);
        buffer_keep(&grad_x);
        must_refuse(fc_max_pool2d_grad(&p, grad_y.data, (const int64_t *)(void *)indices.data, grad_x.data, NULL, &e),
                    &e, FC_BAD_VALUE, "indices must be from -1 (none) to 24, the last place of a plane of 5 x 5");
        CHECK(strstr(e.message, number_text), "%s", e.message);
        buffer_free(&grad_y, "grad_y");
        buffer_free(&indices, "indices");
        buffer_free(&grad_x, "grad_x");
    }
}

static void refuse_operations(void)
{
    const fc_corr2d_params p = plain_corr2d(FC_F32, 5, 3);
    const fc_pool2d_params q = plain_pool2d(FC_F32, 5, 3);
    fc_explanation explanation;
    fc_error e;
    must_refuse(fc_explain_corr2d(FC_MAX_POOL2D, &p, &explanation, &e), &e, FC_BAD_VALUE, "not a correlation");
    must_refuse(fc_explain_corr2d((fc_operation)-1, &p, &explanation, &e), &e, FC_BAD_VALUE, "not a correlation");
    must_refuse(fc_explain_pool2d(FC_CORR2D, &q, true, &explanation, &e), &e, FC_BAD_VALUE, "not a pooling");
    must_refuse(fc_explain_pool2d(FC_OPERATIONS, &q, true, &explanation, &e), &e, FC_BAD_VALUE, "not a pooling");
}

/* Weights of 2^56 elements, which nobody has: an algorithm that copies them fails before it reads an array. */
static void refuse_memory(void)
{
    fc_corr2d_params p = plain_corr2d(FC_F32, 1, 1);
    const char *name;
    size_t bytes;
    fc_error e;
    int copying = 0;
    p.channels = p.weight_channels = p.out_channels = (int64_t)1 << 28;
    p.size[0] = p.size[1] = 64; /* for few pixels weights are packed where they are used */
    for (int layout = 0; layout < 2; layout++)
        for (int i = 0; fc_algorithm_name(FC_CORR2D, i); i++) {
            const char *algorithm = fc_algorithm_name(FC_CORR2D, i);
            p.layout = (fc_layout)layout;
            snprintf(situation, sizeof situation, "2^56 weights, layout %d, algorithm %s", layout, algorithm);
            if (fc_corr2d_choose(&p, algorithm, &name, &bytes, &e) || bytes < (size_t)1 << 48) continue;
            must_refuse(fc_corr2d(&p, NULL, NULL, NULL, NULL, algorithm, &e), &e, FC_NO_MEMORY, "no memory for a");
            CHECK(fc_corr2d(&p, NULL, NULL, NULL, NULL, algorithm, NULL) == FC_NO_MEMORY, "without an error struct");
            copying++;
        }
    if (!copying) printf("   no algorithm copies its weights: FC_NO_MEMORY was not tried\n");
}

void test_refusals(void)
{
    refuse_correlations();
    refuse_poolings();
    refuse_max_grads();
    refuse_indices();
    refuse_operations();
    refuse_memory();
}

/* ---- anything ---------------------------------------------------------------------------------------------- */

static int64_t anything(void)
{
    static const int64_t odd[] = {INT64_MIN, INT64_MAX, -1, 0, 1, 1, 1, 2, 3, 7};
    if (one_in(3)) return (int64_t)(random_bits() >> below(64)) * (one_in(8) ? -1 : 1);
    return one_in(3) ? ((int64_t)1 << below(63)) + from_to(-1, 1) : odd[below(10)];
}

static void judge(fc_status status, const fc_error *error)
{
    CHECK(status == FC_OK || status == FC_BAD_VALUE, "status %d: %s", (int)status, error->message);
    CHECK((error->message[0] == '\0') == (status == FC_OK), "status %d says '%s'", (int)status, error->message);
}

/* Sanitizers watch the arithmetic of explanations, which covers every algorithm's workspace. */
void test_overflow(void)
{
    for (long i = 0; i < 100 * problems; i++) {
        const int64_t groups = one_in(2) ? 1 : from_to(1, 4), channels = anything(), filters = anything();
        fc_corr2d_params p = {.dtype = (fc_dtype)below(4),
                              .layout = (fc_layout)below(2),
                              .batch = anything(),
                              .weight_layout = (fc_weight_layout)below(3),
                              .padding = (fc_padding)below(4),
                              .channels = one_in(9) ? channels : (int64_t)((uint64_t)channels % 1024) * groups,
                              .out_channels = one_in(9) ? filters : (int64_t)((uint64_t)filters % 1024) * groups,
                              .groups = groups};
        fc_pool2d_params q = {.dtype = (fc_dtype)below(2),
                              .layout = p.layout,
                              .padding = p.padding,
                              .batch = p.batch,
                              .channels = p.channels,
                              .ceil_mode = one_in(2),
                              .divisor = anything(),
                              .count_include_pad = one_in(2),
                              .has_divisor = one_in(2)};
        fc_explanation explanation;
        const char *name;
        size_t bytes;
        fc_error error;
        p.weight_channels = p.channels / groups;
        limit_seconds(30);
        for (int k = 0; k < 2; k++) {
            q.size[k] = p.size[k] = anything();
            q.window[k] = p.kernel[k] = anything();
            q.stride[k] = p.stride[k] = one_in(2) ? 1 : anything();
            q.dilation[k] = p.dilation[k] = one_in(2) ? 1 : anything();
            q.pad_before[k] = p.pad_before[k] = anything();
            q.pad_after[k] = p.pad_after[k] = anything();
            /* the phases of a strided gradient are found by looking at the taps, as many as there would be weights */
            if (p.stride[k] > 1 && p.kernel[k] > 4096) p.kernel[k] %= 4096;
        }
        snprintf(situation, sizeof situation, "explaining kernel %lld,%lld stride %lld,%lld dilation %lld,%lld",
                 (long long)p.kernel[0], (long long)p.kernel[1], (long long)p.stride[0], (long long)p.stride[1],
                 (long long)p.dilation[0], (long long)p.dilation[1]);
        for (int operation = FC_CORR2D; operation <= FC_CORR2D_WEIGHT_GRAD; operation++)
            judge(fc_explain_corr2d((fc_operation)operation, &p, &explanation, &error), &error);
        judge(fc_corr2d_choose(&p, NULL, &name, &bytes, &error), &error);
        for (int operation = FC_MAX_POOL2D; operation <= FC_AVG_POOL2D_GRAD; operation++)
            judge(fc_explain_pool2d((fc_operation)operation, &q, one_in(2), &explanation, &error), &error);
    }
    limit_seconds(0);
}
