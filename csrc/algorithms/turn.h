/* SPDX-License-Identifier: BSD-3-Clause */
/* turn.h -- images of planes as images of pixels, and back: a matrix transposed in blocks, by all threads. */
#ifndef FC_ALGORITHMS_TURN_H
#define FC_ALGORITHMS_TURN_H

#include "algorithms/algorithm.h"

/* to[image][column][row] = from[image][row][column], of elements of 4 or 8 bytes. */
typedef struct fc_turn {
    ptrdiff_t images, rows, columns;
    const void *from;
    void *to;
} fc_turn;

void fc_turn_images(const fc_problem *problem, const fc_turn *turn, int threads);

#endif
