/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_plan.h -- how a 3x3 correlation is cut into Winograd's tiles, where its transforms lie, and its weights. */
#ifndef FC_ALGORITHMS_WINOGRAD_PLAN_H
#define FC_ALGORITHMS_WINOGRAD_PLAN_H

#include "algorithms/problem.h"

#define FC_WINOGRAD_TILE 4   /* outputs of a tile along an axis */
#define FC_WINOGRAD_WINDOW 6 /* and its inputs */
#define FC_WINOGRAD_ROWS 32  /* output channels of one task, at most */

/* The shape of one call, and of its memory; steps count elements. */
typedef struct fc_winograd_plan {
    ptrdiff_t channels, rows;          /* of one group */
    ptrdiff_t tile_rows, tiles;        /* tile rows of one image, tiles of one row */
    ptrdiff_t row_pieces;              /* a row is cut into so many, where it is very wide */
    ptrdiff_t block_rows, block_tiles; /* most tile rows and tiles a row of one block */
    ptrdiff_t v_channel, v_frequency, u_row, u_frequency, m_row, m_frequency;
    ptrdiff_t phase, row; /* of the dealt rows of one tile row */
} fc_winograd_plan;

fc_winograd_plan fc_winograd_plan_of(const fc_problem *problem);

/* Prepared weights are the transformed ones, U[group][frequency][row][channel], and a plain copy (OIHW) behind them, for
 * what is computed by the definition. */
size_t fc_winograd_weight_bytes(const fc_problem *problem); /* of U alone */
size_t fc_winograd_prepared_bytes(const fc_problem *problem);
void fc_winograd_prepare(const fc_problem *problem, const void *w, void *prepared);

#endif
