/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_panels.h -- what the algorithms share whose lanes are outputs of a group: the padded rows of an image, and the
 * weights. These are, of each group, panels of one or two vectors of outputs,
 * [tap][member][vectors][lanes], for every phase of the grid. Where the outputs of a group are no multiple of a vector the last
 * vector overlaps the one before it: what is computed twice is the same bits. */
#ifndef FC_ALGORITHMS_GROUPED_PANELS_H
#define FC_ALGORITHMS_GROUPED_PANELS_H

#include "algorithms/block_axis.h"

#define FC_GROUP_VECTORS 2     /* of a panel */
#define FC_MOST_GROUP_TAPS 128 /* whose weights are turned together */

/* Channels of a group that are read, and that are written. */
static inline ptrdiff_t fc_group_members(const fc_problem *p)
{
    return (fc_block_forward(p) ? p->channels : p->out_channels) / p->groups;
}

static inline ptrdiff_t fc_group_outputs(const fc_problem *p)
{
    return (fc_block_forward(p) ? p->out_channels : p->channels) / p->groups;
}

static inline ptrdiff_t fc_group_vectors(const fc_problem *p)
{
    return fc_ceil_div(fc_group_outputs(p), p->kernels->gemm[p->dtype].lanes);
}

/* Whether outputs fill a vector of any instruction set: weights prepared with one may be used under another. */
static inline bool fc_group_fills_vectors(const fc_problem *p)
{
    return fc_group_outputs(p) * (ptrdiff_t)fc_dtype_size(p->dtype) >= FC_MAX_LANES * (ptrdiff_t)sizeof(float);
}

/* The grid of a correlation or of its input gradient: an axis a phase, whose taps are in rising order, and what all of them
 * reach, from a point on. */
typedef struct fc_group_grid {
    ptrdiff_t phases[2];
    fc_range reach[2];
    fc_grid_axis axis[2][FC_MAX_PHASES];
} fc_group_grid;

void fc_group_grid_of(const fc_problem *problem, fc_group_grid *grid);

/* Rows or columns of the source that so many points read; and the bytes of a group's members in such rows of a block. */
static inline ptrdiff_t fc_group_read(const fc_group_grid *g, int axis, ptrdiff_t points)
{
    return (points - 1) * g->axis[axis][0].source_step + g->reach[axis].end - g->reach[axis].first;
}
size_t fc_group_rows_bytes(const fc_problem *problem, const fc_group_grid *grid, ptrdiff_t rows);

/* What some rows of points read, from the first of a group's members on: [row][column][member], with zeros where the image
 * ends. */
void fc_group_copy_rows(const fc_problem *problem, const fc_group_grid *grid, fc_range rows, const fc_strides *steps,
                        const void *image, void *block);

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
