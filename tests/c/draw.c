/* SPDX-License-Identifier: BSD-3-Clause */
/* Random problems. A draw that is not valid, or too large to be looked at tap by tap, is drawn again. */
#include "call.h"

#define MOST_ELEMENTS 20000
#define MOST_PRODUCTS 150000
/* and of problems that are drawn for their size */
#define MOST_WEIGHTS_OF_LARGE 200000
#define MOST_PRODUCTS_OF_LARGE 1200000

fc_corr2d_params plain_corr2d(fc_dtype dtype, int64_t size, int64_t taps)
{
    return (fc_corr2d_params){
        .dtype = dtype,
        .batch = 1,
        .channels = 1,
        .size = {size, size},
        .out_channels = 1,
        .weight_channels = 1,
        .kernel = {taps, taps},
        .groups = 1,
        .stride = {1, 1},
        .dilation = {1, 1},
    };
}

fc_pool2d_params plain_pool2d(fc_dtype dtype, int64_t size, int64_t taps)
{
    return (fc_pool2d_params){
        .dtype = dtype,
        .batch = 1,
        .channels = 1,
        .size = {size, size},
        .window = {taps, taps},
        .stride = {1, 1},
        .dilation = {1, 1},
        .count_include_pad = true,
    };
}

/* Of any magnitude up to about 2^61, powers of two and their neighbours more often. */
static int64_t any_size(int64_t least)
{
    const int64_t power = (int64_t)1 << below(62), value = power + from_to(-1, 1);
    if (one_in(3)) return from_to(least, 4);
    return value < least ? least : value;
}

static void draw_axis(int64_t *size, int64_t *window, int64_t *stride, int64_t *dilation, int64_t *before,
                      int64_t *after, bool extreme)
{
    *size = one_in(6) ? from_to(15, 70) : from_to(1, 14);
    *window = one_in(4) ? 1 : from_to(1, 5);
    *stride = one_in(2) ? 1 : from_to(1, 4);
    *dilation = one_in(2) ? 1 : from_to(1, 3);
    *before = one_in(2) ? below(*window) : below(*window + 3);
    *after = one_in(2) ? *before : below(*window + 3);
    if (!extreme) return;
    *size = from_to(1, 6);
    if (one_in(2)) *stride = any_size(1);
    if (one_in(2)) *dilation = any_size(1);
    if (one_in(3)) *before = any_size(0);
    if (one_in(3)) *after = one_in(2) ? *before : any_size(0);
    /* a stride and a dilation that meet the padding: few windows, some of them on the image */
    if (one_in(2) && *before > 8) *stride = *before / from_to(1, 4) + from_to(-1, 1);
    if (one_in(2) && *before > 8) *dilation = *before / from_to(1, 4) + from_to(-1, 1);
}

static fc_padding draw_padding(void) { return one_in(3) ? (fc_padding)below(4) : FC_PAD_EXPLICIT; }

static bool within(int64_t most, int64_t batch, int64_t channels, const int64_t size[2])
{
    int64_t count = batch * channels;
    for (int i = 0; i < 2; i++)
        if (__builtin_mul_overflow(count, size[i], &count) || size[i] > most) return false;
    return count <= most;
}

static bool small(int64_t batch, int64_t channels, const int64_t size[2])
{
    return within(MOST_ELEMENTS, batch, channels, size);
}

/* What chance alone draws too seldom: problems that the paths of some algorithms are for. */
typedef enum kind {
    ANY_KIND,
    DEPTHWISE,
    FEW_A_GROUP,  /* channels: a multiple of 4, or any number */
    MANY_A_GROUP, /* 16 to 32, which fill one or two vectors */
    DEEP,         /* so many channels on both sides that sums are longer than one chain of 256 steps */
    SMALL_MAPS,   /* with so long sums that lanes run along them */
    APART,        /* 3x3 with stride 2, as large as Winograd's form for it wants */
    TALL,         /* kernels of more rows than a chain has steps */
    EVEN,         /* numbers of channels, 32 at least, whose halves are added up */
} kind;

static kind draw_kind(bool extreme)
{
    if (one_in(5)) return extreme ? (one_in(2) ? EVEN : MANY_A_GROUP) : (kind)from_to(MANY_A_GROUP, EVEN);
    if (one_in(5)) return DEPTHWISE;
    return one_in(5) ? FEW_A_GROUP : ANY_KIND;
}

static void draw_channels(fc_corr2d_params *p, kind which)
{
    int64_t filters = one_in(20) ? 0 : from_to(1, one_in(4) ? 40 : 9);
    p->groups = one_in(2) ? 1 : from_to(1, 5);
    p->weight_channels = one_in(20) ? 0 : from_to(1, one_in(4) ? 40 : 9);
    switch (which) {
    case ANY_KIND: break;
    case DEPTHWISE:
        p->groups = from_to(1, one_in(4) ? 70 : 20);
        p->weight_channels = 1;
        filters = one_in(8) ? 2 : 1;
        break;
    case FEW_A_GROUP:
        p->groups = from_to(2, one_in(4) ? 40 : 9);
        p->weight_channels = one_in(3) ? from_to(2, 12) : 4 * from_to(1, 3);
        filters = one_in(2) ? p->weight_channels : one_in(3) ? from_to(1, 12) : 4 * from_to(1, 3);
        break;
    case MANY_A_GROUP:
        p->groups = from_to(2, 3);
        p->weight_channels = one_in(2) ? 16 : from_to(16, 32);
        filters = one_in(2) ? p->weight_channels : from_to(16, 32);
        break;
    case DEEP:
        p->groups = one_in(4) ? 2 : 1;
        p->weight_channels = from_to(1, 2) * from_to(130, 180);
        filters = p->weight_channels > 256 ? from_to(1, 40) : from_to(257, 300);
        break;
    case SMALL_MAPS:
        p->groups = one_in(4) ? 2 : 1;
        p->weight_channels = from_to(64, 150);
        filters = from_to(32, 70);
        break;
    case APART:
        p->groups = 1;
        p->weight_channels = from_to(32, 40);
        filters = from_to(32, 40);
        break;
    case TALL:
        p->groups = one_in(2) ? 1 : from_to(2, 4);
        p->weight_channels = from_to(1, 4);
        filters = from_to(1, 5);
        break;
    case EVEN:
        p->groups = 1;
        p->weight_channels = 2 * (one_in(2) ? from_to(16, 30) : from_to(130, 140));
        filters = 2 * (one_in(2) ? from_to(16, 30) : from_to(130, 140));
        break;
    }
    p->channels = p->groups * p->weight_channels;
    p->out_channels = p->groups * filters;
}

static void draw_even(fc_corr2d_params *p)
{
    const int64_t stride = one_in(4) ? from_to(2, 3) : 1;
    const bool pixels = one_in(2);
    p->padding = FC_PAD_EXPLICIT;
    for (int i = 0; i < 2; i++) {
        p->kernel[i] = pixels ? 1 : from_to(1, 3);
        p->size[i] = p->kernel[i] + below(4);
        p->stride[i] = stride;
        p->pad_before[i] = below(p->kernel[i]);
        p->pad_after[i] = below(p->kernel[i] + 1);
    }
}

/* Sizes, kernels and strides of those kinds that have their own. */
static void draw_sizes(fc_corr2d_params *p, kind which)
{
    const bool tall = which == TALL;
    const int64_t odd = one_in(3) ? 1 : 3, stride = which == APART || one_in(4) ? 2 : 1;
    for (int i = 0; i < 2; i++) {
        const int64_t small = odd + below(which == SMALL_MAPS ? 6 : 3);
        p->kernel[i] = which == APART ? 3 : tall ? (i ? from_to(1, 2) : from_to(257, 300)) : odd;
        p->size[i] = which == APART ? from_to(19, 24) : tall ? p->kernel[i] + below(i ? 20 : 6) : small;
        p->stride[i] = stride;
        p->dilation[i] = 1;
        p->pad_before[i] = one_in(2) ? 0 : from_to(0, 1);
        p->pad_after[i] = one_in(2) ? p->pad_before[i] : from_to(0, 1);
    }
}

/* Kernels that have algorithms of their own, and one window an image. */
static void draw_kernel(fc_corr2d_params *p)
{
    if (one_in(3)) {
        static const int kernels[][2] = {{3, 3}, {3, 3}, {5, 5}, {1, 3}, {3, 1}, {1, 7}, {7, 1}};
        const int *kernel = kernels[below(7)];
        for (int i = 0; i < 2; i++) {
            p->kernel[i] = kernel[i], p->stride[i] = 1;
            p->dilation[i] = one_in(2) ? 1 : from_to(1, 8);
        }
    }
    if (one_in(12))
        for (int i = 0; i < 2; i++) {
            p->kernel[i] = p->size[i] ? p->size[i] : 1, p->dilation[i] = 1;
            p->padding = FC_PAD_VALID;
        }
}

/* Kernels, or for the gradient of the weights maps, that make sums longer than a chain. */
static void draw_long_sums(fc_corr2d_params *p)
{
    const int64_t filters = p->out_channels / p->groups;
    const int64_t fewer = filters < p->weight_channels ? filters : p->weight_channels;
    const int64_t channels = fewer > 1 ? fewer : 1;
    const bool maps = one_in(2);
    p->kernel[0] = maps ? from_to(1, 3) : from_to(1, 20);
    p->kernel[1] = maps ? from_to(1, 3) : 256 / (channels * p->kernel[0]) + from_to(1, 2);
    for (int i = 0; i < 2; i++) {
        p->size[i] = p->kernel[i] + (maps ? from_to(15, 18) : below(6));
        p->pad_before[i] = p->pad_after[i] = p->kernel[i] > 1 ? below(3) : 0;
        p->stride[i] = !maps && one_in(3) ? 2 : 1;
        p->dilation[i] = 1;
    }
}

/* Rows of seven to nine neighbours of kernels three wide, the other axis as it was drawn. */
static void draw_rows(fc_corr2d_params *p)
{
    p->size[1] = from_to(7, 9);
    p->kernel[1] = 3;
    p->stride[1] = p->dilation[1] = 1;
    p->pad_before[1] = below(3);
    p->pad_after[1] = below(3);
    if (one_in(2)) p->stride[0] = 1;
}

/* Two or four groups that fill a vector, of a stride of two or in rows. */
static void draw_shared(fc_corr2d_params *p)
{
    const bool long_sums = one_in(4);
    const int64_t channels = long_sums ? 24 : 4 * from_to(1, 2);
    p->groups = long_sums ? 2 : 4 * from_to(1, 3);
    p->weight_channels = channels;
    p->channels = p->out_channels = p->groups * channels;
    if (one_in(2)) {
        draw_rows(p);
        if (long_sums) p->kernel[0] = 5, p->size[0] = from_to(4, 7);
        return;
    }
    for (int i = 0; i < 2; i++) p->kernel[i] = 3, p->stride[i] = 2, p->dilation[i] = 1;
}

fc_corr2d_params random_corr2d(bool extreme)
{
    static const fc_dtype dtypes[] = {FC_F32, FC_F64, FC_F32, FC_F64, FC_I32, FC_I64};
    const kind which = draw_kind(extreme);
    const bool long_sums = !extreme && one_in(which == DEPTHWISE || which == FEW_A_GROUP ? 2 : 6),
               large = long_sums || which >= MANY_A_GROUP;
    const int64_t most = large ? MOST_PRODUCTS_OF_LARGE : MOST_PRODUCTS;
    const int64_t most_weights = large ? MOST_WEIGHTS_OF_LARGE : MOST_ELEMENTS;
    for (;;) {
        fc_corr2d_params p = {.dtype = dtypes[below(6)],
                              .layout = (fc_layout)below(2),
                              .weight_layout = (fc_weight_layout)below(3),
                              .padding = draw_padding()};
        int64_t out[2];
        p.batch = one_in(20) ? 0 : from_to(1, 3);
        draw_channels(&p, which);
        for (int i = 0; i < 2; i++)
            draw_axis(&p.size[i], &p.kernel[i], &p.stride[i], &p.dilation[i], &p.pad_before[i], &p.pad_after[i],
                      extreme);
        const bool rows = one_in(extreme ? 4 : 20), shared = !extreme && which == FEW_A_GROUP && one_in(2);
        if (rows) draw_rows(&p);
        if (shared)
            draw_shared(&p);
        else if (which == EVEN)
            draw_even(&p);
        else if (which >= DEEP)
            draw_sizes(&p, which);
        else if (long_sums)
            draw_long_sums(&p);
        else if (!rows)
            draw_kernel(&p);
        if (fc_corr2d_shape(&p, out, NULL) || !small(p.batch, p.out_channels, out)) continue;
        if (!small(p.batch, p.channels, p.size)) continue;
        if (!within(most_weights, p.out_channels, p.weight_channels, p.kernel)) continue;
        if (p.batch * p.out_channels * out[0] * out[1] * p.weight_channels * p.kernel[0] * p.kernel[1] < most) return p;
    }
}

fc_pool2d_params random_pool2d(fc_operation operation, bool extreme)
{
    const bool average = operation == FC_AVG_POOL2D || operation == FC_AVG_POOL2D_GRAD;
    for (;;) {
        fc_pool2d_params p = {.dtype = (fc_dtype)below(average ? FC_F64 + 1 : FC_DTYPES),
                              .layout = (fc_layout)below(2),
                              .padding = draw_padding(),
                              .batch = one_in(20) ? 0 : from_to(1, 3),
                              .channels = one_in(20) ? 0 : from_to(1, one_in(4) ? 40 : 9)};
        int64_t out[2];
        for (int i = 0; i < 2; i++) {
            draw_axis(&p.size[i], &p.window[i], &p.stride[i], &p.dilation[i], &p.pad_before[i], &p.pad_after[i],
                      extreme);
            if (extreme && one_in(3))
                p.window[i] = any_size(1);
            else if (one_in(4))
                p.window[i] = from_to(1, 20);
        }
        if (one_in(8)) { /* one window that holds the image */
            p.padding = FC_PAD_EXPLICIT;
            for (int i = 0; i < 2; i++) {
                p.window[i] = p.size[i];
                p.dilation[i] = 1;
                p.pad_before[i] = p.pad_after[i] = 0;
            }
        }
        p.ceil_mode = one_in(3);
        p.count_include_pad = one_in(2);
        p.has_divisor = one_in(4);
        p.divisor = one_in(4) ? -3 : from_to(1, 9);
        if (fc_pool2d_shape(&p, out, NULL) || !small(p.batch, p.channels, out)) continue;
        if (small(p.batch, p.channels, p.size) && p.batch * p.channels * out[0] * out[1] < MOST_PRODUCTS / 50) return p;
    }
}

call random_call(fc_operation operation, bool extreme, bool special)
{
    if (is_correlation(operation)) {
        const fc_corr2d_params p = random_corr2d(extreme);
        return call_of_corr2d(operation, &p, one_in(2), special);
    } else {
        const fc_pool2d_params q = random_pool2d(operation, extreme);
        return call_of_pool2d(operation, &q, one_in(2), special);
    }
}
