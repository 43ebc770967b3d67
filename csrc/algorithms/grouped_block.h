/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_block.h -- what the algorithms of grouped correlation share that work on blocks: lanes are groups, and every
 * member of a group is a plane of its own, [member][row][column][lanes]. */
#ifndef FC_ALGORITHMS_GROUPED_BLOCK_H
#define FC_ALGORITHMS_GROUPED_BLOCK_H

#include "algorithms/problem.h"

#define FC_GROUPED_BYTES (256 * 1024)           /* of a task's blocks, aimed at: a part of the second-level cache */
#define FC_MOST_GROUPED_BYTES (8 * 1024 * 1024) /* of those of a single row, and of a block's weights */

/* NULL, or why the problem is none for such blocks; and whether groups fill enough of their vectors, and channels of their tiles. */
const char *fc_grouped_decline(const fc_problem *problem);
bool fc_grouped_fill(const fc_problem *problem);
bool fc_grouped_serves(const fc_problem *problem); /* both */

/* Vectors of groups. */
ptrdiff_t fc_grouped_blocks(const fc_problem *problem);

/* Pixels of one image, from `image` on, all members of up to a vector of groups; `plane` elements from one to the next. */
void fc_grouped_in(const fc_problem *problem, ptrdiff_t pixels, ptrdiff_t groups, ptrdiff_t members, void *block,
                   ptrdiff_t plane, const void *image, fc_strides steps);
void fc_grouped_out(const fc_problem *problem, ptrdiff_t pixels, ptrdiff_t groups, ptrdiff_t members, void *image,
                    fc_strides steps, const void *block, ptrdiff_t plane);

/* The weights of some groups, a vector a weight, in the order that is quickest to make; and back, of a gradient. */
fc_strides fc_grouped_weight_steps(const fc_problem *problem); /* elements */
size_t fc_grouped_weight_bytes(const fc_problem *problem);
void fc_grouped_weights(const fc_problem *problem, const void *w, ptrdiff_t first, ptrdiff_t groups, void *to);
void fc_grouped_put_weights(const fc_problem *problem, const void *from, ptrdiff_t first, ptrdiff_t groups, void *w);

#endif
