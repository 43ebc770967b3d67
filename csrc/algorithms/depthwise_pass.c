/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_pass.c -- where depthwise blocks are faster than rows of planes and than pixels where they lie. */
#include "algorithms/algorithm.h"
#include "algorithms/depthwise_block.h"

#define MANY_TAPS 16
#define TAPS_OF_PIXELS 64
#define LONG_ROW 96
#define SHORT_ROW 28

bool fc_depthwise_sweeps(const fc_problem *p)
{
    const ptrdiff_t k = p->window[0];
    if (p->window[1] != k || (k != 3 && k != 5 && k != 7)) return false;
    for (int i = 0; i < 2; i++)
        if (p->dilation[i] != 1 || p->stride[i] != 1) return false;
    return true;
}

/* Whether vectors of columns are fuller than vectors of channels, or their rows so long that they need no copy. Measured
 * over maps of 7 to 224 columns, 1 to 64 channels, kernels of 3 to 17, strides and dilations of 1 and 2. */
static bool rows_are_faster(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    if (fc_corr2d_depthwise_nchw.decline(p)) return false;
    if (3 * p->channels <= lanes) return true;
    if (2 * p->out_channels <= lanes) return p->out[1] >= LONG_ROW;
    if (fc_depthwise_sweeps(p) || fc_strided(p)) return false;
    if (p->window[1] == 1) return p->out[1] >= LONG_ROW;
    return p->out[1] >= (fc_vectors_are_wide(p) ? 2 * LONG_ROW : SHORT_ROW);
}

/* Whether a copy of rows of pixels is paid back. Measured over maps of 7 to 112 columns, 16 to 192 channels. */
static bool pixels_pay(const fc_problem *p)
{
    if (fc_depthwise_sweeps(p)) return p->window[0] > 3;
    return !fc_strided(p) && p->window[0] * p->window[1] >= TAPS_OF_PIXELS && p->out[1] >= SHORT_ROW &&
           p->channels % p->kernels->gemm[p->dtype].lanes == 0;
}

/* 3x3 kernels whose factors stay in registers. */
static bool rolls_down(const fc_problem *p)
{
    return p->window[0] == 3 && p->window[1] == 3 && p->dilation[0] == 1 && p->dilation[1] == 1 &&
           p->stride[0] == p->stride[1] && p->stride[0] <= 2;
}

/* Of these, rows of outputs that fill vectors of columns so badly that a copy is paid back. Measured over rows of 3 to 40. */
static bool rows_are_narrow(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes, width = p->out[1];
    if (fc_strided(p)) return 8 * width < 5 * lanes;
    return fc_vectors_are_wide(p) ? 4 * width < 5 * lanes && width != lanes : width < 2 * lanes - 1;
}

/* Whether a copy of planes is: by many taps, and by full vectors where a row of outputs is narrower than one. */
static bool planes_pay(const fc_problem *p)
{
    if (rolls_down(p)) return rows_are_narrow(p);
    if (p->out[1] < p->kernels->gemm[p->dtype].lanes) return true;
    return fc_depthwise_sweeps(p) || p->window[0] * p->window[1] >= MANY_TAPS;
}

const char *fc_depthwise_block_pass(const fc_problem *p)
{
    const char *reason = fc_multiplier_pass(p, p->layout == FC_NCHW ? 2 * FC_MANY_FILTERS : PTRDIFF_MAX);
    const bool alone = p->layout == FC_NHWC && p->out_channels > p->channels; /* nothing else is made for it */
    if (reason || alone) return reason;
    if (!(p->layout == FC_NHWC ? pixels_pay(p) : planes_pay(p)))
        return "a copy of the image would cost more than it saves";
    return rows_are_faster(p) ? "vectors of columns are fuller" : NULL;
}
