/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_segments.h -- an input gradient with two phases along each axis whose points are computed for all four of them at
 * a time, see fc_group_phases: a pixel of grad_y is read once. The odd phase of an axis is the one with more taps. Weights are
 * [group][vector of outputs][member][tap][lanes]. */
#ifndef FC_ALGORITHMS_GROUPED_SEGMENTS_H
#define FC_ALGORITHMS_GROUPED_SEGMENTS_H

#include "algorithms/grouped_panels.h"
#include "kernels/kernels.h"

typedef struct fc_group_segments {
    ptrdiff_t count;        /* 0 where phases are computed one by one */
    ptrdiff_t odd_phase[2]; /* the grid's */
    fc_group_segment segments[FC_MOST_GROUP_TAPS];
} fc_group_segments;

/* Of a block whose rows are as long as the grid's points read. */
void fc_group_segments_of(const fc_problem *problem, const fc_group_grid *grid, fc_group_segments *segments);
void fc_group_segments_prepare(const fc_problem *problem, const void *w, void *prepared);

#endif
