/* SPDX-License-Identifier: BSD-3-Clause */
/* stripe.h -- rows of planes, or of pixels, copied with the zeros around them, columns sorted by their phase: where windows step by s,
 * the columns f, f + s, f + 2s ... become neighbours, and so do the same tap's reads of neighbouring windows. */
#ifndef FC_ALGORITHMS_STRIPE_H
#define FC_ALGORITHMS_STRIPE_H

#include "algorithms/problem.h"

/* to[f * phase + i] = row[left + i * phases + f] for f < phases and i < phase, zero outside 0 ... width; row NULL: all
 * zeros. What is dealt are pixels of so many channels, one in a plane, `step` elements apart in the row and side by side
 * in `to`. Elements have 4 or 8 bytes. */
void fc_deal_row(size_t element, ptrdiff_t channels, ptrdiff_t step, const void *row, ptrdiff_t width, ptrdiff_t left,
                 ptrdiff_t phases, ptrdiff_t phase, void *to);

/* What the windows of some output rows read. A row is `phases` runs of `phase` elements each; steps count elements. */
typedef struct fc_stripe {
    ptrdiff_t rows; /* of the image */
    ptrdiff_t phases, phase, row, plane;
} fc_stripe;

fc_stripe fc_stripe_of(const fc_problem *problem, ptrdiff_t output_rows);

/* Fills it for `rows` outputs from `output_row` on: `source` is the first plane, `to` the stripe. */
void fc_fill_stripe(const fc_problem *problem, const fc_stripe *stripe, ptrdiff_t output_row, ptrdiff_t rows,
                    ptrdiff_t channels, const char *source, char *to);

/* From the first output of a row to what tap (channel, kh, kw) reads for it. */
void fc_stripe_shifts(const fc_problem *problem, const fc_stripe *stripe, ptrdiff_t channels, int32_t *shifts);

#endif
