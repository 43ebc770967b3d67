/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/grouped_block.h"

#include "algorithms/blocking.h"
#include "algorithms/grid.h"
#include "platform/memory.h"

#define MOST_TAPS 32 /* along an axis */
#define FEW_OUTPUTS 64
#define SOME_OUTPUTS 144
#define MANY_OUTPUTS 400

static ptrdiff_t lanes_of(const fc_problem *p) { return p->kernels->gemm[p->dtype].lanes; }

ptrdiff_t fc_grouped_blocks(const fc_problem *p) { return fc_ceil_div(p->groups, lanes_of(p)); }

size_t fc_grouped_weight_bytes(const fc_problem *p)
{
    const size_t pairs = fc_size_mul((size_t)(p->channels / p->groups), (size_t)(p->out_channels / p->groups));
    const size_t weights = fc_size_mul(pairs, (size_t)(p->window[0] * p->window[1]));
    return fc_size_mul(weights, (size_t)lanes_of(p) * fc_dtype_size(p->dtype));
}

const char *fc_grouped_decline(const fc_problem *p)
{
    if (p->groups < 2) return "there are no groups";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (p->channels == p->groups) return "a group has one channel";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (p->window[0] > MOST_TAPS || p->window[1] > MOST_TAPS) return "the kernel is larger than 32";
    if (fc_max(p->channels, p->out_channels) / p->groups * p->window[0] * p->window[1] > FC_DEPTH)
        return "sums have more than 256 steps";
    if (fc_grouped_weight_bytes(p) > FC_MOST_GROUPED_BYTES) return "the weights of a vector of groups exceed 8 MiB";
    return NULL;
}

/* Three quarters of the lanes, or at least the share of a vector that the members of one group would fill. */
static bool fill_lanes(const fc_problem *p)
{
    const ptrdiff_t lanes = lanes_of(p), room = fc_grouped_blocks(p) * lanes;
    return 4 * p->groups >= 3 * room || p->groups * lanes >= fc_max(p->channels, p->out_channels) / p->groups * room;
}

/* Tiles are four outputs. With a stride the others are slow enough for fewer, too. Measured on AVX-512 and AVX2 over 4 to 32
 * groups of 2 to 10 channels and maps of 7 to 56 pixels, one image and eight. */
static bool fill_tiles(const fc_problem *p)
{
    const ptrdiff_t inputs = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t most = fc_max(inputs, filters), outputs = p->out[0] * p->out[1];
    const ptrdiff_t room = fc_grouped_blocks(p) * lanes_of(p);
    const bool half = 2 * p->groups <= room;
    if ((inputs % 4 == 0 && filters % 4 == 0) || fc_strided(p)) return true;
    if (p->operation == FC_CORR2D_WEIGHT_GRAD) return most <= 8 || p->batch * outputs <= MANY_OUTPUTS;
    if (p->layout == FC_NHWC)
        return most <= 5 || ((most <= 8 || p->batch * outputs <= FEW_OUTPUTS) && (!half || outputs <= SOME_OUTPUTS));
    return p->operation != FC_CORR2D || outputs <= MANY_OUTPUTS || (4 * p->groups > room && (most <= 4 || !half));
}

bool fc_grouped_fill(const fc_problem *p) { return fill_lanes(p) && fill_tiles(p); }

bool fc_grouped_serves(const fc_problem *p) { return !fc_grouped_decline(p) && fc_grouped_fill(p); }

void fc_grouped_in(const fc_problem *p, ptrdiff_t pixels, ptrdiff_t groups, ptrdiff_t members, void *block,
                   ptrdiff_t plane, const void *image, fc_strides steps)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    if (steps.c == 1) {
        kernels->groups_in(&(fc_group_move){pixels, groups, members, plane, steps.w, block, (void *)image});
        return;
    }
    for (ptrdiff_t m = 0; m < members; m++)
        kernels->block_in(pixels, groups, (char *)block + m * plane * element,
                          (const char *)image + m * steps.c * element, steps.w, members * steps.c);
}

void fc_grouped_out(const fc_problem *p, ptrdiff_t pixels, ptrdiff_t groups, ptrdiff_t members, void *image,
                    fc_strides steps, const void *block, ptrdiff_t plane)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    if (steps.c == 1) {
        kernels->groups_out(&(fc_group_move){pixels, groups, members, plane, steps.w, (void *)block, image});
        return;
    }
    for (ptrdiff_t m = 0; m < members; m++)
        kernels->block_out(pixels, groups, (char *)image + m * steps.c * element, steps.w, members * steps.c,
                           (const char *)block + m * plane * element);
}

/* [output][member][kh][kw][lanes] where the weights are OIHW, else [output][kh][kw][member][lanes]. */
fc_strides fc_grouped_weight_steps(const fc_problem *p)
{
    const ptrdiff_t lanes = lanes_of(p), ic = p->channels / p->groups, kw = p->window[1], taps = p->window[0] * kw;
    if (p->weight_layout == FC_OIHW) return (fc_strides){ic * taps * lanes, taps * lanes, kw * lanes, lanes};
    return (fc_strides){ic * taps * lanes, lanes, kw * ic * lanes, ic * lanes};
}

/* In HWIO the outputs of a group are the members of a channels-last image, whose pixels are taps and inputs; in the other
 * orders a group is one plane of pixels. */
static ptrdiff_t rows_of(const fc_problem *p) { return p->channels / p->groups * p->window[0] * p->window[1]; }

void fc_grouped_weights(const fc_problem *p, const void *w, ptrdiff_t first, ptrdiff_t groups, void *to)
{
    const ptrdiff_t oc = p->out_channels / p->groups, rows = rows_of(p), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const fc_strides hwio = {0, 1, 0, p->out_channels};
    if (p->weight_layout == FC_HWIO)
        fc_grouped_in(p, rows, groups, oc, to, rows * lanes_of(p), (const char *)w + first * oc * element, hwio);
    else
        p->kernels->gemm[p->dtype].block_in(oc * rows, groups, to, (const char *)w + first * oc * rows * element, 1,
                                            oc * rows);
}

void fc_grouped_put_weights(const fc_problem *p, const void *from, ptrdiff_t first, ptrdiff_t groups, void *w)
{
    const ptrdiff_t oc = p->out_channels / p->groups, rows = rows_of(p), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const fc_strides hwio = {0, 1, 0, p->out_channels};
    if (p->weight_layout == FC_HWIO)
        fc_grouped_out(p, rows, groups, oc, (char *)w + first * oc * element, hwio, from, rows * lanes_of(p));
    else
        p->kernels->gemm[p->dtype].block_out(oc * rows, groups, (char *)w + first * oc * rows * element, 1, oc * rows,
                                             from);
}
