/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/depthwise_block.h"

#include "algorithms/grid.h"

#define MOST_TAPS 32 /* along an axis */

const char *fc_depthwise_block_decline(const fc_problem *p)
{
    if (p->groups != p->channels || p->groups == 0) return "groups are not single channels";
    if (p->out_channels == 0) return "there are no filters";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (p->window[0] > MOST_TAPS || p->window[1] > MOST_TAPS) return "the kernel is larger than 32";
    return NULL;
}

/* Elements from one tap and from one filter to the next: OIHW and OHWI are the same, [filter][kh][kw]. */
typedef struct steps {
    ptrdiff_t tap, filter;
} steps;

static steps steps_of(const fc_problem *p)
{
    if (p->weight_layout == FC_HWIO) return (steps){p->out_channels, 1};
    return (steps){1, p->window[0] * p->window[1]};
}

#define GATHER(NAME, T)                                                                                      \
    static void NAME(ptrdiff_t pixels, ptrdiff_t lanes, ptrdiff_t count, const ptrdiff_t *at, const T *from, \
                     ptrdiff_t step, T *to)                                                                  \
    {                                                                                                        \
        for (ptrdiff_t i = 0; i < pixels; i++, from += step, to += lanes) {                                  \
            for (ptrdiff_t l = 0; l < count; l++) to[l] = from[at[l]];                                       \
            for (ptrdiff_t l = count; l < lanes; l++) to[l] = 0;                                             \
        }                                                                                                    \
    }

GATHER(gather32, uint32_t)
GATHER(gather64, uint64_t)

void fc_depthwise_block_in(const fc_problem *p, const fc_block_channels *c, ptrdiff_t pixels, const char *image,
                           ptrdiff_t pixel_step, ptrdiff_t channel_step, void *block)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    ptrdiff_t at[FC_MAX_LANES];
    if (c->times == 1 && c->of == 1 && c->offset == 0) {
        k->block_in(pixels, c->count, block, image + c->first * channel_step * element, pixel_step, channel_step);
        return;
    }
    for (ptrdiff_t l = 0; l < c->count; l++) at[l] = ((c->first + l) * c->times / c->of + c->offset) * channel_step;
    if (element == 4)
        gather32(pixels, k->lanes, c->count, at, (const void *)image, pixel_step, block);
    else
        gather64(pixels, k->lanes, c->count, at, (const void *)image, pixel_step, block);
}

void fc_depthwise_block_weights(const fc_problem *p, const fc_block_channels *filters, const void *w, void *to)
{
    const steps s = steps_of(p);
    fc_depthwise_block_in(p, filters, p->window[0] * p->window[1], w, s.tap, s.filter, to);
}

void fc_depthwise_block_put_weights(const fc_problem *p, const void *from, ptrdiff_t first, ptrdiff_t count, void *w)
{
    const steps s = steps_of(p);
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    p->kernels->gemm[p->dtype].block_out(p->window[0] * p->window[1], count, (char *)w + first * s.filter * element,
                                         s.tap, s.filter, from);
}
