/* SPDX-License-Identifier: BSD-3-Clause */
/* lane_weights.h -- lanes that are outputs of a group, or of 2 or 4 groups that share their vectors because one alone leaves some
 * empty; and the weights of such vectors, [member][tap][lanes], where lane o * groups + g is output o of the vector in group g. */
#ifndef FC_ALGORITHMS_LANE_WEIGHTS_H
#define FC_ALGORITHMS_LANE_WEIGHTS_H

#include "algorithms/grouped_panels.h"
#include "kernels/kernels.h"

typedef struct fc_lane_share {
    ptrdiff_t groups;           /* that share vectors; 0: outputs fill none */
    int kernel;                 /* log2 of them */
    ptrdiff_t count;            /* of such groups together */
    ptrdiff_t outputs, vectors; /* of all that share */
    ptrdiff_t lanes, each;      /* of a vector, and of each group's */
} fc_lane_share;

/* The fewest groups whose members and outputs fill vectors; or a single one whose outputs fill one, which with a stride is left
 * alone: to write groups that lie apart costs more there than a vector that overlaps another. */
fc_lane_share fc_lane_share_of(const fc_problem *problem);

/* Whether lanes that are groups, see corr2d_grouped_block.c, are faster than vectors that groups share. */
bool fc_blocks_win(const fc_problem *problem, const fc_lane_share *share);

/* The first output of a vector, in each of its groups. */
static inline ptrdiff_t fc_lane_output(const fc_lane_share *share, ptrdiff_t vector)
{
    return fc_group_vector(share->outputs, share->lanes, vector) / share->groups;
}

/* Bytes of one vector, and some members of it; `index` counts groups that share. */
ptrdiff_t fc_lane_weight_bytes(const fc_problem *problem);
void fc_lane_weights(const fc_problem *problem, const fc_lane_share *share, const void *w, ptrdiff_t index,
                     ptrdiff_t vector, fc_range members, void *packed);

#endif
