/* SPDX-License-Identifier: BSD-3-Clause */
/* phase_segments.h -- the taps of an input gradient with two phases along each axis, such that a pixel of grad_y is read once
 * for all four of them, see fc_phase_tile. The odd phase of an axis is the one with more taps. */
#ifndef FC_ALGORITHMS_PHASE_SEGMENTS_H
#define FC_ALGORITHMS_PHASE_SEGMENTS_H

#include "algorithms/lane_weights.h"

typedef struct fc_phase_segments {
    ptrdiff_t count;
    ptrdiff_t odd_phase[2]; /* the grid's */
    ptrdiff_t most_taps;    /* of a phase */
    ptrdiff_t of_row;       /* of taps of the odd phase */
    fc_phase_segment segments[FC_MOST_GROUP_TAPS];
} fc_phase_segments;

/* False where a phase has a tap that the odd one lacks. The rows of a block are as long as the grid's points read. */
bool fc_phase_segments_of(const fc_problem *problem, const fc_group_grid *grid, const fc_lane_share *share,
                          fc_phase_segments *segments);

#endif
