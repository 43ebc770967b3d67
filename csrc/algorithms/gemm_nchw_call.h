/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw_call.h -- one call of gemm_nchw.c: what its parts, packing and tiles, share. */
#ifndef FC_ALGORITHMS_GEMM_NCHW_CALL_H
#define FC_ALGORITHMS_GEMM_NCHW_CALL_H

#include "algorithms/blocking.h"
#include "algorithms/gemm_nchw.h"
#include "algorithms/grid_panel.h"

#define FC_MAX_PANELS 16
#define FC_MAX_MOVES 48 /* of one pass over the planes; they stay in the first-level cache */

typedef struct fc_gemm_nchw_call {
    const fc_problem *p;
    const fc_plane_correlation *job;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_chunks chunks;
    size_t element;
    ptrdiff_t blocks, row_blocks, taps;
    fc_panels panels;
    char *packed;    /* all panels, where an image is packed together */
    ptrdiff_t image; /* the one at hand, and its group */
} fc_gemm_nchw_call;

/* One thread's memory. */
typedef struct fc_gemm_nchw_slot {
    fc_grid_panel panels[FC_MAX_PANELS];
    ptrdiff_t tap_y[FC_DEPTH], tap_x[FC_DEPTH], tap_offset[FC_DEPTH];
    _Alignas(
        64) char scratch[FC_MAX_TILE_ROWS * FC_MAX_PANEL_LANES * 8];   /* a tile that does not go home in one piece */
    _Alignas(64) char nowhere[FC_MAX_PANELS * FC_MAX_PANEL_LANES * 8]; /* missing rows are written here */
    _Alignas(64) char zeros[FC_MAX_LANES * 8];
    _Alignas(64) char masks[FC_DEPTH * FC_MAX_PANEL_LANES * 4]; /* half as many lanes where an element has 8 bytes */
    unsigned char whole[FC_DEPTH * FC_MAX_TILE_VECTORS];
    fc_move moves[FC_MAX_MOVES];
} fc_gemm_nchw_slot;

/* What the tiles of one row block have in common, for one chunk and panel. */
typedef struct fc_row_span {
    const char *weights; /* of the first row, at the chunk's depth */
    const char *bias;    /* of the first row: one vector, bias_bytes from row to row */
    char *destination;   /* the first row's plane */
    const char *source;  /* the chunk's first plane */
    ptrdiff_t row_bytes, bias_bytes, plane_bytes, rows, depth;
    bool first_chunk;
} fc_row_span;

/* A panel of one tap whose vectors follow each other in the planes: its first tile reads them there, and packs it. */
static inline bool fc_packs_on_the_way(const fc_gemm_nchw_call *c, const fc_grid_panel *panel)
{
    return c->taps == 1 && panel->straight && !c->packed;
}

/* Packs the slot's panels for one chunk; `source` is its first plane. */
void fc_gemm_nchw_pack(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, const fc_chunk *chunk,
                       const char *source);

/* The tiles of some rows and the slot's panels. */
void fc_gemm_nchw_tiles(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, const fc_row_span *span);

#endif
