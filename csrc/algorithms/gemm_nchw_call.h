/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw_call.h -- one call of gemm_nchw.c: what its parts, packing and tiles, share. */
#ifndef FC_ALGORITHMS_GEMM_NCHW_CALL_H
#define FC_ALGORITHMS_GEMM_NCHW_CALL_H

#include "algorithms/blocking.h"
#include "algorithms/gemm_nchw.h"
#include "algorithms/grid_panel.h"
#include "algorithms/window.h"
#include "platform/memory.h"

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

static inline fc_gemm_nchw_call fc_gemm_nchw_call_of(const fc_problem *p, const fc_plane_correlation *job,
                                                     const fc_workspace *workspace)
{
    fc_gemm_nchw_call c = {.p = p,
                           .job = job,
                           .workspace = workspace,
                           .kernels = &p->kernels->gemm[job->dtype],
                           .element = fc_dtype_size(job->dtype)};
    c.taps = job->axis[0].taps * job->axis[1].taps;
    c.chunks = fc_chunks_of(job->channels, c.taps);
    c.panels = fc_panels_of(job->axis[0].points * job->axis[1].points, c.kernels->lanes, FC_MAX_TILE_VECTORS);
    return c;
}

static inline fc_gemm_nchw_slot *fc_gemm_nchw_slot_at(const fc_gemm_nchw_call *c, int number)
{
    return (fc_gemm_nchw_slot *)(c->workspace->slots + (size_t)number * c->workspace->slot_bytes);
}

/* Bytes of the memory behind a slot that one packed panel takes. */
static inline size_t fc_gemm_nchw_panel_bytes(const fc_gemm_kernels *k, size_t element)
{
    return fc_size_lines((size_t)FC_DEPTH * (size_t)k->lanes * FC_MAX_TILE_VECTORS * element);
}

/* The first plane of an image's group. */
static inline const char *fc_gemm_nchw_source(const fc_gemm_nchw_call *c, ptrdiff_t image)
{
    const fc_plane_correlation *job = c->job;
    return (const char *)job->source +
           image * job->channels * job->axis[0].source * job->axis[1].source * (ptrdiff_t)c->element;
}

/* Steps of the depth in the chunks before one. */
static inline ptrdiff_t fc_gemm_nchw_depth_before(const fc_gemm_nchw_call *c, ptrdiff_t q)
{
    const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
    return chunk.outer * c->taps + chunk.inner * chunk.outers;
}

/* Some panels, packed behind the slot chunk by chunk unless they are given another place. */
void fc_gemm_nchw_find_panels(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, fc_range panels);

/* Packs the slot's panels for one chunk. `image` counts the groups of the images before. */
void fc_gemm_nchw_pack(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, const fc_chunk *chunk,
                       ptrdiff_t image);

/* The tiles of some rows and the slot's panels. */
void fc_gemm_nchw_tiles(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, const fc_row_span *span);

#endif
