/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd.h -- correlation with stride 1 by Winograd's minimal algorithms, with 2 to 4 times fewer multiplications: the
 * forms F(4x4, 3x3), F(2x2, 3x3), F(2x2, 5x5), and F(4, 3) and F(3, 7) along one axis. What both layouts share; see
 * kernels/winograd.h for the transforms.
 *
 * The tiles of outputs of all images are one list, so that small images fill blocks together. A block of them is
 * transformed into V, the frequencies apart; then each frequency is a matrix product with the transformed weights U, whose
 * result M goes back to outputs a piece at a time: a block by some output channels, so that M stays in a cache, and what
 * is read from U and V is used often enough. With many blocks each is one task, from input to output; with few, each
 * piece of a block is. One thread or two, or more where groups are tasks enough, keep V, and U of weights that were not prepared, for their next tasks: what both
 * need is made twice, but for V of several blocks. More threads make U together first, and V where blocks are shared.
 * Where there are many filters and few tiles, a task is a piece of the filters and all blocks, and makes its U.
 *
 * V, U and M are the same in both layouts: rows of V and M are tiles, lanes of U and M are output channels. Images of planes
 * are turned into pixels and back at both ends, a few channels at a time.
 *
 * A NaN or an infinity, or a sum that overflows on the way, spreads over its tile: outputs of a tile that come back with
 * one are computed by the definition. */
#ifndef FC_ALGORITHMS_WINOGRAD_H
#define FC_ALGORITHMS_WINOGRAD_H

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/window.h"

#define FC_WINOGRAD_PIECE 48 /* tiles and output channels of a piece, at most; a multiple of every number of lanes */
#define FC_WINOGRAD_TURNED 2 /* vectors of channels that planes are turned by */
#define FC_WINOGRAD_ROWS 8   /* tiles in whole tiles of products: blocks are cut between them */

/* A form and its transpose for the gradients of weights (FC_WINOGRAD_FORMS: none), the kernels it is for, the outputs of a tile,
 * and whether it is the one with small tiles. */
typedef struct fc_winograd_shape {
    fc_winograd_form form, grad;
    ptrdiff_t stride, taps[2], tile[2];
    bool small;
} fc_winograd_shape;

/* The shape of one call, and of its memory; steps count elements. */
typedef struct fc_winograd_plan {
    fc_winograd_form form;
    ptrdiff_t stride, dilation[2];
    ptrdiff_t window[2], tile[2], frequencies; /* inputs and outputs of a tile, along each axis */
    ptrdiff_t channels, filters;               /* of one group */
    ptrdiff_t tile_rows, tiles, total;         /* tile rows of an image, tiles of one row, tiles of all images */
    ptrdiff_t block, blocks;                   /* most tiles of a block, and how many blocks there are */
    bool together;                             /* V of all blocks is made first */
    ptrdiff_t v_parts, v_channels;             /* in so many parts of so many channels */
    bool apart;                                /* each block is a task */
    bool own_weights;                          /* each thread makes what it needs of U */
    bool shared_weights;                       /* all threads make U first */
    bool pieces_first;                         /* tasks that follow each other share their piece, not their block */
    bool by_piece;                             /* each piece of the filters is a task, with all blocks */
    ptrdiff_t vectors, lanes, pieces, piece;   /* of the filters, and the most filters of one */
    ptrdiff_t depth, chunks;                   /* of the sums: channels of each chunk but the last */
    ptrdiff_t v_row, v_frequency, v_block, u_frequency, u_chunk, u_piece, u_group, m_row, m_frequency;
} fc_winograd_plan;

typedef struct fc_winograd_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_gemm_kernels *kernels;
    ptrdiff_t element;
    fc_winograd_plan plan;
} fc_winograd_call;

typedef struct fc_winograd_block {
    ptrdiff_t group;
    ptrdiff_t first, tiles; /* in the list of all tiles */
    char *v;
} fc_winograd_block;

typedef struct fc_winograd_piece {
    ptrdiff_t filter, filters; /* in the group */
    char *m, *scratch;
} fc_winograd_piece;

/* Some channels, whose products are summed in one chain. */
typedef struct fc_winograd_chunk {
    ptrdiff_t first, depth;
} fc_winograd_chunk;

/* Some tiles next to each other. */
typedef struct fc_winograd_run {
    ptrdiff_t image, y, x; /* the first output */
    ptrdiff_t tiles;
} fc_winograd_run;

/* Rows and columns of an image that are at hand as pixels, row by row: of the rows every `row_step`-th. */
typedef struct fc_winograd_area {
    ptrdiff_t from[2], to[2], row_step;
    const char *pixels;
    ptrdiff_t pixel_bytes;
} fc_winograd_area;

/* What depends on the layout. */
typedef struct fc_winograd_methods {
    void (*input)(const fc_winograd_call *call, const fc_winograd_block *block, fc_range channels, char *scratch);
    void (*output)(const fc_winograd_call *call, const fc_winograd_block *block, const fc_winograd_piece *piece);
    size_t (*scratch_bytes)(const fc_problem *problem, const fc_winograd_plan *plan);
} fc_winograd_methods;

/* 1 along an axis of one tap, whatever the caller says. */
static inline ptrdiff_t fc_winograd_dilation(const fc_problem *p, int axis)
{
    return p->window[axis] > 1 ? p->dilation[axis] : 1;
}

/* NULL: there is none. */
const fc_winograd_shape *fc_winograd_shape_of(const fc_problem *problem);

/* Those of an algorithm; `decline` speaks of all but the layout. */
const char *fc_winograd_decline(const fc_problem *problem);
const char *fc_winograd_pass(const fc_problem *problem);
/* Whether "auto" prefers it for groups of 3x3 kernels without stride or dilation, forward or input gradient: the algorithms for
 * groups pass then. */
bool fc_winograd_takes_groups(const fc_problem *problem);
/* Whether so much of the tiles of a dilated kernel would lie outside of the map that they save too little. */
bool fc_winograd_dilation_wastes(const fc_problem *problem);
size_t fc_winograd_shared_bytes(const fc_problem *problem);
size_t fc_winograd_slot_bytes(const fc_problem *problem);
size_t fc_winograd_prepared_bytes(const fc_problem *problem);
void fc_winograd_prepare(const fc_problem *problem, const void *w, void *prepared);
void fc_winograd_forward(const fc_problem *problem, const fc_operands *operands, const fc_workspace *workspace);

extern const fc_winograd_methods fc_winograd_on_planes, fc_winograd_on_pixels;

static inline const fc_winograd_methods *fc_winograd_methods_of(const fc_problem *p)
{
    return p->layout == FC_NCHW ? &fc_winograd_on_planes : &fc_winograd_on_pixels;
}

fc_winograd_plan fc_winograd_plan_of(const fc_problem *problem);

/* All of U, in so many parts. */
size_t fc_winograd_weight_bytes(const fc_problem *problem, const fc_winograd_plan *plan);
ptrdiff_t fc_winograd_weight_parts(const fc_problem *problem, const fc_winograd_plan *plan);
void fc_winograd_prepare_part(const fc_problem *problem, const fc_winograd_plan *plan, const char *w, ptrdiff_t part,
                              char *u);

/* A chunk of a piece of U: [frequency][panel][channel][filter]. */
void fc_winograd_prepare_chunk(const fc_problem *problem, const fc_winograd_plan *plan, const char *w, ptrdiff_t group,
                               ptrdiff_t piece, ptrdiff_t chunk, char *u);

static inline fc_winograd_chunk fc_winograd_chunk_at(const fc_winograd_plan *s, ptrdiff_t index)
{
    const ptrdiff_t first = index * s->depth;
    return (fc_winograd_chunk){first, fc_min(s->depth, s->channels - first)};
}

static inline ptrdiff_t fc_winograd_first_filter(const fc_winograd_plan *s, ptrdiff_t piece)
{
    return fc_min(s->filters, fc_cut_spread(s->vectors, s->pieces, piece) * s->lanes);
}

/* The first output of a tile along an axis. A dilation is that many ordinary problems: tiles that follow each other are of
 * different ones, and so many of them cover neighbouring outputs. */
static inline ptrdiff_t fc_winograd_origin(const fc_winograd_plan *s, int axis, ptrdiff_t index)
{
    const ptrdiff_t d = s->dilation[axis];
    if (d == 1) return index * s->tile[axis]; /* a tile of few channels has no time to divide */
    return index / d * s->tile[axis] * d + index % d;
}

/* Outputs of a tile from `at` on along an axis of `size`: none, where it begins outside. */
static inline ptrdiff_t fc_winograd_outputs(const fc_winograd_plan *s, int axis, ptrdiff_t size, ptrdiff_t at)
{
    const ptrdiff_t d = s->dilation[axis];
    return at >= size ? 0 : fc_min(s->tile[axis], d == 1 ? size - at : fc_ceil_div(size - at, d));
}

/* The tiles from `tile` on of the list of all tiles that lie in one row, at most `most` of them. */
static inline fc_winograd_run fc_winograd_run_at(const fc_winograd_plan *s, ptrdiff_t tile, ptrdiff_t most)
{
    const ptrdiff_t row = tile / s->tiles, x = tile % s->tiles;
    return (fc_winograd_run){.image = row / s->tile_rows,
                             .y = fc_winograd_origin(s, 0, row % s->tile_rows),
                             .x = fc_winograd_origin(s, 1, x),
                             .tiles = fc_min(most, s->tiles - x)};
}

/* The inputs of the tile whose outputs begin at (y, x): pixels of the area, and `zeros` where it has none. */
void fc_winograd_find_pixels(const fc_winograd_call *call, const fc_winograd_area *area, ptrdiff_t y, ptrdiff_t x,
                             const char *zeros, const void **pixel);

/* Computes by the definition what is not finite among these outputs of a tile. */
void fc_winograd_mend(const fc_winograd_call *call, const fc_winograd_run *tile, ptrdiff_t filter, const void *outputs,
                      const ptrdiff_t steps[2]);

#endif
