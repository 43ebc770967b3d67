/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_step.h -- the kernels of one STEP between columns. Of every second column sums are kept in the order of
 * load_mixed. */
#if STEP == 1
#define LOAD_ROW W(load)
#define LOAD_MASKS(masks, v) const W(mask) mask##v = W(mask_load)(masks);
#define LOAD_PART(p, v) W(load_masked)(p, mask##v)
#define ORDERED(sum) sum
#define MOST_VECTORS 2
#else
#define LOAD_ROW W(load_mixed)
#define LOAD_MASKS(masks, v) const W(mask) low##v = W(mask_load)(masks), high##v = W(mask_load)((masks) + lanes);
#define LOAD_PART(p, v) W(load_mixed_masked)(p, low##v, high##v)
#define ORDERED(sum) W(unmix)(sum)
#define MOST_VECTORS 1 /* what is loaded takes registers of its own */
#endif

#define V 1
#include "kernels/depthwise_rows.h"
#if MOST_VECTORS == 2
#define V 2
#include "kernels/depthwise_rows.h"
#endif
#define EDGE 0
#include "kernels/depthwise_3x3.h"
#undef EDGE
#define EDGE 1
#include "kernels/depthwise_3x3.h"
#undef EDGE

static void FC_PASTE(W(depthwise_rows), STEP)(const fc_depthwise_rows *d)
{
    enum { lanes = W(LANES) };
    ptrdiff_t j = d->first;
    for (ptrdiff_t e = 0; e < d->edges; e++) FC_PASTE(W(depthwise_edge), STEP)(d, d->edge + e);
#if MOST_VECTORS == 2
    for (; d->end - j >= 2 * lanes; j += 2 * lanes) FC_PASTE(FC_PASTE(W(depthwise_inner), STEP), 2)(d, j);
#endif
    for (; j < d->end; j += lanes)
        FC_PASTE(FC_PASTE(W(depthwise_inner), STEP), 1)(d, j < d->end - lanes ? j : d->end - lanes);
}

static void FC_PASTE(W(depthwise_3x3), STEP)(const fc_depthwise_plane *d)
{
    enum { lanes = W(LANES) };
    for (ptrdiff_t e = 0; e < d->edges; e++) FC_PASTE(W(depthwise_3x3_edge), STEP)(d, d->edge[e].column, d->edge + e);
    for (ptrdiff_t j = d->first; j < d->end; j += lanes)
        FC_PASTE(W(depthwise_3x3_inner), STEP)(d, j < d->end - lanes ? j : d->end - lanes, NULL);
}

#undef LOAD_ROW
#undef LOAD_MASKS
#undef LOAD_PART
#undef ORDERED
#undef MOST_VECTORS
