/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_pass.c -- where Winograd's algorithm is the faster one, as benchmarks/choice.py measures it. */
#include "algorithms/grouped_block.h"
#include "algorithms/winograd.h"

#define FEW_OUTPUTS 100        /* of all images, that do not pay for transforming weights */
#define MANY_OUTPUTS 350       /* that make up for transforms of few channels */
#define NARROW_MAP 8           /* columns */
#define LONG_ROW 48            /* of outputs */
#define MANY_RESULTS 1e6       /* elements that leave the caches */
#define MANY_WEIGHTS_APART 2e5 /* of one tap, whose transforms leave them as well */
#define MANY_WEIGHTS 1.6e6     /* whose transforms, of 3x3 four times as many, leave the caches */

/* How many times as many outputs as there are tiles of every second pixel may have: the less, the more it costs to transform
 * weights, or to read many that were. */
static double most_computed(const fc_problem *p, double outputs)
{
    const double pairs = (double)p->channels * (double)p->out_channels;
    if (p->weights_stay) return pairs > MANY_WEIGHTS_APART ? 1.3 : 1.35;
    return p->layout == FC_NHWC && outputs >= MANY_OUTPUTS ? 1.35 : 1.15;
}

/* Of every second pixel there is less to save, and nothing where tiles reach far beyond the map. */
static const char *pass_apart(const fc_problem *p)
{
    const double outputs = (double)p->out[0] * (double)p->out[1], all = (double)p->batch * outputs;
    const double computed = 4.0 * (double)fc_ceil_div(p->out[0], 2) * (double)fc_ceil_div(p->out[1], 2);
    const double fewest =
        p->weights_stay || p->layout == FC_NHWC ? 48 : 60; /* else others read the weights as they lie */
    if (computed > most_computed(p, all) * outputs) return "much of its tiles would lie outside of the map";
    return all < fewest ? "there are too few outputs to transform the weights for" : NULL;
}

static bool line_has_few_channels(const fc_problem *p, ptrdiff_t channels, ptrdiff_t filters)
{
    const ptrdiff_t fewer = fc_min(channels, filters), pairs = channels * filters;
    if (p->window[0] * p->window[1] == 3) return fewer < 16 || pairs < 1024;
    if (pairs < 512) return true;
    if (p->layout == FC_NCHW || p->turned) return fewer < 12;
    if (!fc_vectors_are_wide(p)) return channels < 12 || filters < 8;
    return filters < (channels < 24 ? 64 : 8) || channels < 16;
}

/* Few filters of long rows. */
static bool rows_are_faster(const fc_problem *p, ptrdiff_t channels, ptrdiff_t filters)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    if (p->layout != FC_NCHW || filters > 8 || channels > 64) return false;
    if (!fc_vectors_are_wide(p)) return filters <= 4 && p->out[1] >= 6 * lanes;
    if (p->window[0] == 3 || p->turned) return channels <= 32 && p->out[1] >= (channels <= 16 ? 3 : 6) * lanes;
    return 2 * p->out[1] >= (filters > 4 ? 3 : 6) * lanes;
}

/* Input gradients of few channels, or by few: rows of corr2d_padded_*.c cost no transforms, of which those of 5x5 kernels save
 * the least. */
static bool padded_is_faster(const fc_problem *p, ptrdiff_t channels, ptrdiff_t filters)
{
    const bool wide = fc_vectors_are_wide(p), large = p->window[0] * p->window[1] > 9;
    const bool few_both = channels <= 8 && filters <= (wide ? 8 : 4);
    if (p->layout == FC_NHWC) {
        const ptrdiff_t few = wide ? (large ? 6 : 4) : large ? (filters <= 16 ? 8 : 3) : few_both ? 8 : 0;
        return channels <= few && fc_takes(&fc_corr2d_padded_pixels, p);
    }
    const bool narrow = p->out[1] <= (large || wide ? NARROW_MAP : LONG_ROW);
    if (narrow || !fc_takes(&fc_corr2d_padded_rows, p)) return false;
    if (!wide) return large ? fc_min(channels, filters) <= 4 : channels <= 8 && filters <= 8;
    return few_both || (channels <= 4 && (large || p->out[1] >= LONG_ROW)) || rows_are_faster(p, channels, filters);
}

/* Forward, of wide vectors: with fewer filters transforms cost more than they save. */
static ptrdiff_t fewest_filters(const fc_problem *p, ptrdiff_t channels)
{
    const bool large = p->window[0] * p->window[1] > 9;
    if (p->layout == FC_NHWC) {
        if (channels < (large ? 6 : 4)) return PTRDIFF_MAX;
        return channels < (large ? 8 : 6) ? 24 : large && channels < 12 ? 6 : 3;
    }
    if (channels < (large ? 8 : 4)) return PTRDIFF_MAX;
    if (large) return channels < 12 ? 32 : channels < 16 && p->out[1] > 16 ? 6 : 3;
    return channels < 8 ? 24 : channels < 12 ? 16 : 3;
}

/* Of a group, beside grouped_*.c: few channels save less than transforms cost, least of all where groups fill vectors. Measured
 * over 2 to 32 groups of 4 to 64 channels and maps of 4 to 56 pixels, one image and eight. */
static bool group_has_few_channels(const fc_problem *p, ptrdiff_t fewer, double outputs)
{
    const bool fill = fc_grouped_serves(p);
    const bool deep = p->layout == FC_NHWC, wide = fc_vectors_are_wide(p);
    const ptrdiff_t lanes = fc_max(8, p->kernels->gemm[p->dtype].lanes);
    if (2 * fewer < lanes) return fewer < 4 || fill || outputs < 120 || !deep;
    if (4 * fewer < 3 * lanes) return fill || outputs < 120 || !(deep || (wide && p->turned));
    if (fewer < lanes) return fill && !deep;
    if (2 * fewer < 3 * lanes) return (fill || wide) && outputs < 120;
    return fewer < 2 * lanes && fill && !wide && outputs < 120;
}

bool fc_winograd_takes_groups(const fc_problem *p)
{
    const bool forward = p->operation == FC_CORR2D, planes = p->layout == FC_NCHW;
    const fc_algorithm *on_planes = forward ? &fc_corr2d_winograd_nchw : &fc_corr2d_input_grad_winograd_nchw;
    const fc_algorithm *on_pixels = forward ? &fc_corr2d_winograd_nhwc : &fc_corr2d_input_grad_winograd_nhwc;
    for (int i = 0; i < 2; i++)
        if (p->window[i] != 3 || p->stride[i] != 1 || p->dilation[i] != 1) return false;
    return p->groups > 1 && fc_takes(planes ? on_planes : on_pixels, p);
}

/* Measured over maps of 4 to 224 pixels, 1 to 512 channels and filters, one image and eight: transforms of few channels cost
 * more than they save, and lines and every second pixel save less. */
static bool has_few_channels(const fc_problem *p, double outputs)
{
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t pairs = channels * filters, fewer = fc_min(channels, filters);
    const bool deep = p->layout == FC_NHWC, wide = fc_vectors_are_wide(p);
    if (p->window[0] == 1 || p->window[1] == 1) return line_has_few_channels(p, channels, filters);
    if (p->stride[0] > 1 && !deep) return channels < 12 || filters < 8 || pairs < 144;
    if (p->stride[0] > 1 && p->groups > 1) return fewer < 48;
    if (p->stride[0] > 1) return channels < (wide ? 24 : 16) || filters < 8 || pairs < 512;
    if (p->groups > 1 && p->window[0] == 3) return group_has_few_channels(p, fewer, outputs);
    if (p->turned) {
        const bool narrow = p->out[1] <= NARROW_MAP;
        const ptrdiff_t enough = narrow ? 16 : outputs < MANY_OUTPUTS ? 64 : deep ? 16 : 36;
        if (filters == 1 && (deep || narrow)) return channels < 16;
        return fewer < 3 || pairs < enough || padded_is_faster(p, channels, filters);
    }
    if (wide && deep && channels < 8 && outputs * (double)filters >= MANY_RESULTS)
        return true; /* rows are written in order */
    if (wide) return filters < fewest_filters(p, channels) || rows_are_faster(p, channels, filters);
    if (channels < 12) return channels < 6 || pairs < 64;
    return filters < (channels < 16 ? 6 : 3) || rows_are_faster(p, channels, filters);
}

bool fc_winograd_dilation_wastes(const fc_problem *p)
{
    const fc_winograd_shape *shape = fc_winograd_shape_of(p);
    const ptrdiff_t taps = p->window[0] * p->window[1];
    /* The more is saved, the more may be in vain. */
    const double most = p->operation == FC_CORR2D_WEIGHT_GRAD ? (taps == 9 ? 2 : 1.3)
                        : taps == 9                           ? 2.6
                        : taps == 25                          ? 2
                                                              : 1.6;
    double computed = 1, outputs = 1;
    bool dilated = false;
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t step = shape->tile[i] * fc_winograd_dilation(p, i);
        computed *= (double)fc_round_up(p->out[i], step);
        outputs *= (double)p->out[i];
        dilated |= step > shape->tile[i];
    }
    return dilated && computed > most * outputs;
}

const char *fc_winograd_pass(const fc_problem *p)
{
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t taps = p->window[0] * p->window[1];
    const double outputs = (double)p->batch * (double)p->out[0] * (double)p->out[1];
    if (has_few_channels(p, outputs)) return "there are too few channels on one side";
    if (p->stride[0] > 1) return pass_apart(p);
    if (p->weights_stay && outputs < FEW_OUTPUTS && (double)channels * (double)filters * (double)taps > MANY_WEIGHTS)
        return "there are too few outputs for transformed weights that no cache holds";
    if (fc_winograd_dilation_wastes(p)) return "much of its tiles would lie outside of the map";
    if (outputs < (p->weights_stay && taps > 9 ? 12 : taps == 25 ? 16 : taps == 9 && p->groups == 1 ? 36 : 48))
        return "there are too few outputs to transform the weights for";
    return NULL;
}
