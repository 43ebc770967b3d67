/* SPDX-License-Identifier: BSD-3-Clause */
/* weight_home.h -- finished gradients of some weights of one group, brought from the order in which tiles sum them,
 * [row][tap][column], into the weights' own. */
#ifndef FC_ALGORITHMS_WEIGHT_HOME_H
#define FC_ALGORITHMS_WEIGHT_HOME_H

#include "algorithms/problem.h"

/* Rows are input channels and columns are filters, or `swapped`, where neighbouring channels are neighbours in memory
 * and columns are these. */
typedef struct fc_weight_sums {
    bool swapped;
    ptrdiff_t row, rows, column, columns; /* in the group */
    ptrdiff_t width;                      /* from one row and tap to the next */
    const void *sums;
} fc_weight_sums;

/* Whether columns may be input channels: where they are what lies side by side. */
bool fc_channels_are_neighbours(const fc_problem *problem);

void fc_bring_weights_home(const fc_problem *problem, const fc_weight_sums *sums, ptrdiff_t group, void *grad_w);

/* Where x was copied with zeros around it, these may have met an infinity or a NaN of grad_y, and not only taps that
 * reach it are NaN: sums that are not finite are computed again without the zeros. Integers are finite. */
bool fc_are_finite(fc_dtype dtype, ptrdiff_t count, const void *values);

#endif
