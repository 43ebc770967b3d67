/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_nchw.h -- some rows of outputs of one plane: the vectors at its edges, then those whose windows lie inside.
 * Where these do not fill the last vector it overlaps the one before: an output computed twice is the same bits. */
#define STEP 1
#define V 1
#include "kernels/depthwise_rows.h"
#define V 2
#include "kernels/depthwise_rows.h"
#undef STEP
#define STEP 2 /* even columns take registers of their own: one vector */
#define V 1
#include "kernels/depthwise_rows.h"
#undef STEP

static void FC_PASTE(W(depthwise_rows), 1)(const fc_depthwise_rows *d)
{
    enum { lanes = W(LANES) };
    ptrdiff_t j = d->first;
    for (ptrdiff_t e = 0; e < d->edges; e++) FC_PASTE(W(depthwise_edge), 1)(d, d->edge + e);
    for (; d->end - j >= 2 * lanes; j += 2 * lanes) FC_PASTE(W(depthwise_inner), 1_2)(d, j);
    for (; j < d->end; j += lanes) FC_PASTE(W(depthwise_inner), 1_1)(d, j < d->end - lanes ? j : d->end - lanes);
}

static void FC_PASTE(W(depthwise_rows), 2)(const fc_depthwise_rows *d)
{
    enum { lanes = W(LANES) };
    for (ptrdiff_t e = 0; e < d->edges; e++) FC_PASTE(W(depthwise_edge), 2)(d, d->edge + e);
    for (ptrdiff_t j = d->first; j < d->end; j += lanes)
        FC_PASTE(W(depthwise_inner), 2_1)(d, j < d->end - lanes ? j : d->end - lanes);
}
