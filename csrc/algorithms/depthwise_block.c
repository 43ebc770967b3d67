/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/depthwise_block.h"

#include "algorithms/grid.h"

#define MOST_TAPS 32 /* along an axis */

const char *fc_depthwise_block_decline(const fc_problem *p)
{
    if (p->groups != p->channels || p->groups == 0) return "groups are not single channels";
    if (p->out_channels != p->channels) return "a channel has more than one filter";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (p->window[0] > MOST_TAPS || p->window[1] > MOST_TAPS) return "the kernel is larger than 32";
    return NULL;
}

/* Elements from one tap and from one channel to the next: OIHW and OHWI are the same, [channel][kh][kw]. */
typedef struct steps {
    ptrdiff_t tap, channel;
} steps;

static steps steps_of(const fc_problem *p)
{
    if (p->weight_layout == FC_HWIO) return (steps){p->channels, 1};
    return (steps){1, p->window[0] * p->window[1]};
}

void fc_depthwise_block_weights(const fc_problem *p, const void *w, ptrdiff_t first, ptrdiff_t channels, void *to)
{
    const steps s = steps_of(p);
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    p->kernels->gemm[p->dtype].block_in(p->window[0] * p->window[1], channels, to,
                                        (const char *)w + first * s.channel * element, s.tap, s.channel);
}

void fc_depthwise_block_put_weights(const fc_problem *p, const void *from, ptrdiff_t first, ptrdiff_t channels, void *w)
{
    const steps s = steps_of(p);
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    p->kernels->gemm[p->dtype].block_out(p->window[0] * p->window[1], channels, (char *)w + first * s.channel * element,
                                         s.tap, s.channel, from);
}
