/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_tiles.h -- OUTPUTS outputs of all pixels of an fc_group_tile, and of the first one alone. Included once per element
 * type and OUTPUTS. */
#if TILE_ROWS == 4
#define P 3
#else
#define P 6
#endif
#include "kernels/grouped_tile.h"
#define P 1
#include "kernels/grouped_tile.h"

static void FC_PASTE(W(group_tile), OUTPUTS)(const fc_group_tile *d)
{
#if TILE_ROWS == 4
    FC_PASTE(FC_PASTE(W(group_tile), OUTPUTS), 3)(d, 0);
    FC_PASTE(FC_PASTE(W(group_tile), OUTPUTS), 3)(d, 3);
#else
    FC_PASTE(FC_PASTE(W(group_tile), OUTPUTS), 6)(d, 0);
#endif
}

static void FC_PASTE(W(group_pixel), OUTPUTS)(const fc_group_tile *d)
{
    FC_PASTE(FC_PASTE(W(group_tile), OUTPUTS), 1)(d, 0);
}

#undef OUTPUTS
