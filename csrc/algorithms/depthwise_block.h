/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_block.h -- what the depthwise algorithms that work on blocks share: pixels of one vector of channels each,
 * [row][column][lanes], copied from an image of either layout. Lanes are filters; of the input gradient channels. */
#ifndef FC_ALGORITHMS_DEPTHWISE_BLOCK_H
#define FC_ALGORITHMS_DEPTHWISE_BLOCK_H

#include "algorithms/problem.h"

#define FC_BLOCK_BYTES (128 * 1024)           /* of a task's blocks, aimed at: a part of the second-level cache */
#define FC_MOST_BLOCK_BYTES (4 * 1024 * 1024) /* of those of a single row */

/* NULL, or why the problem is none for blocks. */
const char *fc_depthwise_block_decline(const fc_problem *problem);

/* Whether the points are swept: every pixel of the source is a neighbour's. */
bool fc_depthwise_sweeps(const fc_problem *problem);

/* NULL where blocks are what to take for the correlation, or the reason why not. */
const char *fc_depthwise_block_pass(const fc_problem *problem);

/* Filters of a channel. */
static inline ptrdiff_t fc_multiplier(const fc_problem *p) { return p->out_channels / p->channels; }

/* Why the choice goes on where channels have several filters, or NULL: a single channel is a first layer's, and many
 * filters make a matrix product. Measured with 1 to 64 channels of 2 to 16 filters, maps of 14 to 112 pixels. */
#define FC_MANY_FILTERS 8
static inline const char *fc_multiplier_pass(const fc_problem *p, ptrdiff_t many)
{
    if (p->out_channels == p->channels) return NULL;
    return p->channels == 1 || fc_multiplier(p) >= many ? "so many filters of a channel share what they read" : NULL;
}

/* The channels that the first lanes of a block stand for: lane l for (first + l) * times / of + offset. */
typedef struct fc_block_channels {
    ptrdiff_t first, count, times, of, offset;
} fc_block_channels;

/* Pixels of an image, whose channel 0 is at `image`, as a block; zeros behind the last channel. */
void fc_depthwise_block_in(const fc_problem *problem, const fc_block_channels *channels, ptrdiff_t pixels,
                           const char *image, ptrdiff_t pixel_step, ptrdiff_t channel_step, void *block);

/* The factors of some filters, [kh][kw][lanes]. */
void fc_depthwise_block_weights(const fc_problem *problem, const fc_block_channels *filters, const void *w, void *to);

/* And back, of a gradient. */
void fc_depthwise_block_put_weights(const fc_problem *problem, const void *from, ptrdiff_t first, ptrdiff_t count,
                                    void *w);

#endif
