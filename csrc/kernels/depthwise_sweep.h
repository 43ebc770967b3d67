/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_sweep.h -- a K x K kernel with stride 1 over the rows of a block; see fc_depthwise_sweep. A pair of rows of
 * outputs is swept column by column: a pixel that was loaded serves all the outputs that it reaches, 2 * K * K of them,
 * whose factors are read from the first-level cache. 2 * K sums are under way. Included once per element type and K. */
#define R 1
#include "kernels/depthwise_sweep_rows.h"
#undef R
#define R 2
#include "kernels/depthwise_sweep_rows.h"
#undef R

static void FC_PASTE(W(depthwise_sweep), K)(const fc_depthwise_sweep *d)
{
    ptrdiff_t i = 0;
    for (; d->rows - i >= 2; i += 2) FC_PASTE(FC_PASTE(W(depthwise_sweep_rows), K), 2)(d, i);
    if (i < d->rows) FC_PASTE(FC_PASTE(W(depthwise_sweep_rows), K), 1)(d, i);
}
