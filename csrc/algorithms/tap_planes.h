/* SPDX-License-Identifier: BSD-3-Clause */
/* tap_planes.h -- the shape of a call of corr2d_tap_planes.c, and which problems are for it. */
#ifndef FC_ALGORITHMS_TAP_PLANES_H
#define FC_ALGORITHMS_TAP_PLANES_H

#include "algorithms/algorithm.h"

#define FC_TAP_PLANES_VECTORS 3 /* of a panel */

typedef struct fc_tap_planes {
    ptrdiff_t channels, results; /* of a group: read and written */
    ptrdiff_t planes;            /* of products */
    ptrdiff_t source[2], destination[2];
    ptrdiff_t left, pitch;         /* zeros in front of a row, and columns from a row to the next */
    ptrdiff_t rows_at_once, plane; /* of products; elements from a plane to the next */
    ptrdiff_t points, sum_row;     /* results of a row of one phase; elements of a row of sums */
    ptrdiff_t rows, strips;        /* of a task, and tasks of an image */
} fc_tap_planes;

fc_tap_planes fc_tap_planes_of(const fc_problem *problem);
const char *fc_tap_planes_decline(const fc_problem *problem);
const char *fc_tap_planes_pass(const fc_problem *problem);

#endif
