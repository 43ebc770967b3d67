/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_block.h -- what the depthwise algorithms that work on blocks share: pixels of one vector of channels each,
 * [row][column][lanes], copied from an image of either layout. */
#ifndef FC_ALGORITHMS_DEPTHWISE_BLOCK_H
#define FC_ALGORITHMS_DEPTHWISE_BLOCK_H

#include "algorithms/problem.h"

#define FC_BLOCK_BYTES (128 * 1024)           /* of a task's blocks, aimed at: a part of the second-level cache */
#define FC_MOST_BLOCK_BYTES (4 * 1024 * 1024) /* of those of a single row */

/* NULL, or why the problem is none for blocks. */
const char *fc_depthwise_block_decline(const fc_problem *problem);

/* The factors of some channels, [kh][kw][lanes]: zeros behind the last channel. */
void fc_depthwise_block_weights(const fc_problem *problem, const void *w, ptrdiff_t first, ptrdiff_t channels,
                                void *to);

/* And back, of a gradient. */
void fc_depthwise_block_put_weights(const fc_problem *problem, const void *from, ptrdiff_t first, ptrdiff_t channels,
                                    void *w);

#endif
