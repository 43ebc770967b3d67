/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm.h -- the tiles of one element type, and the scatter that brings partial ones home. */
#define ROWS TILE_ROWS
#define TILE gemm_tile
#define V 1
#include "kernels/gemm_tile.h"
#define V 2
#include "kernels/gemm_tile.h"
#define V 3
#include "kernels/gemm_tile.h"
#undef ROWS
#undef TILE

#define ONLY_TILES
#define TILE lower_tile
#define ROWS LOWER_ROWS
#define V 1
#include "kernels/gemm_tile.h"
#define V 2
#include "kernels/gemm_tile.h"
#define V 3
#include "kernels/gemm_tile.h"
#undef ROWS
#undef TILE

#ifdef TALLER_ROWS
#define TILE taller_tile
#define ROWS TALLER_ROWS
#define V 1
#include "kernels/gemm_tile.h"
#define V 2
#include "kernels/gemm_tile.h"
#define V 3
#include "kernels/gemm_tile.h"
#undef ROWS
#undef TILE
#endif

#define TILE narrow_tile
#define ROWS NARROW_ROWS_1
#define V 1
#include "kernels/gemm_tile.h"
#undef ROWS
#define ROWS NARROW_ROWS_2
#define V 2
#include "kernels/gemm_tile.h"
#undef ROWS
#undef TILE
#undef ONLY_TILES

#define TURNED 0
#define V 1
#define HEIGHT PRODUCT_ROWS_1
#include "kernels/product.h"
#define TURNED 0
#define V 2
#define HEIGHT NARROW_ROWS_2
#include "kernels/product.h"
#define TURNED 0
#define V 3
#define HEIGHT TILE_ROWS
#include "kernels/product.h"
#define TURNED 1
#define V 1
#define HEIGHT PRODUCT_ROWS_1
#include "kernels/product.h"
#define TURNED 1
#define V 2
#define HEIGHT NARROW_ROWS_2
#include "kernels/product.h"
#define TURNED 1
#define V 3
#define HEIGHT TILE_ROWS
#include "kernels/product.h"

#define V 1
#include "kernels/shift_row.h"
#define V 4
#include "kernels/shift_row.h"
#define V 12
#include "kernels/shift_row.h"

static void W(gemm_scatter)(const fc_scatter *s)
{
    for (ptrdiff_t r = 0; r < s->rows; r++) {
        const T *tile = (const T *)s->tile + r * s->tile_step;
        const T *init = s->init ? s->init[r] : NULL;
        T *c = s->c[r];
        if (s->where) {
            for (ptrdiff_t l = 0; l < s->lanes; l++) {
                const T start = init ? init[l * s->init_step] : c[s->where[l]];
                c[s->where[l]] = start + tile[l];
            }
        } else if (!init) {
            FC_INDEPENDENT
            for (ptrdiff_t l = 0; l < s->lanes; l++) c[l] += tile[l];
        } else {
            for (ptrdiff_t l = 0; l < s->lanes; l++) c[l] = init[l * s->init_step] + tile[l];
        }
    }
}
