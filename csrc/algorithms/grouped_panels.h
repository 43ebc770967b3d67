/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_panels.h -- the weights of corr2d_grouped_pixels.c: of each group, panels of one or two vectors of outputs,
 * [tap][member][vectors][lanes], for every phase of the grid. Where the outputs of a group are no multiple of a vector the last
 * vector overlaps the one before it: what is computed twice is the same bits. */
#ifndef FC_ALGORITHMS_GROUPED_PANELS_H
#define FC_ALGORITHMS_GROUPED_PANELS_H

#include "algorithms/block_axis.h"

#define FC_GROUP_VECTORS 2 /* of a panel */

/* Channels of a group that are read, and that are written. */
static inline ptrdiff_t fc_group_members(const fc_problem *p)
{
    return (fc_block_forward(p) ? p->channels : p->out_channels) / p->groups;
}

static inline ptrdiff_t fc_group_outputs(const fc_problem *p)
{
    return (fc_block_forward(p) ? p->out_channels : p->channels) / p->groups;
}

/* The grid of a correlation or of its input gradient: an axis a phase, whose taps are in rising order, and what all of them
 * reach, from a point on. */
typedef struct fc_group_grid {
    ptrdiff_t phases[2];
    fc_range reach[2];
    fc_grid_axis axis[2][FC_MAX_PHASES];
} fc_group_grid;

void fc_group_grid_of(const fc_problem *problem, fc_group_grid *grid);

/* Where a vector of outputs begins in its group. */
static inline ptrdiff_t fc_group_vector(ptrdiff_t outputs, ptrdiff_t lanes, ptrdiff_t vector)
{
    return fc_min(vector * lanes, outputs - lanes);
}

/* Elements of the panels of one phase of one group; phases follow each other, with all groups of each. */
ptrdiff_t fc_group_panel_elements(const fc_problem *problem, const fc_grid_axis *rows, const fc_grid_axis *columns);
size_t fc_group_panels_bytes(const fc_problem *problem);
void fc_group_panels_prepare(const fc_problem *problem, const void *w, void *prepared);

#endif
