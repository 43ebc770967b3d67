/* SPDX-License-Identifier: BSD-3-Clause */
/* blocking.h -- cutting work into even pieces. */
#ifndef FC_ALGORITHMS_BLOCKING_H
#define FC_ALGORITHMS_BLOCKING_H

#include "algorithms/problem.h"
#include "platform/parallel.h"

/* Steps of one chain of multiplications and additions before the sum goes to memory: a panel of this depth stays in
 * the first-level cache, and partial sums keep long sums accurate. */
#define FC_DEPTH 256

#define FC_FEWEST_TASKS 8 /* that large work is cut into */
#define FC_TASKS_A_THREAD 2
#define FC_FEW_THREADS 2 /* for which work is cut as for one */

/* So many tasks keep all threads busy. */
static inline ptrdiff_t fc_enough_tasks(const fc_problem *p)
{
    return fc_max(FC_FEWEST_TASKS, FC_TASKS_A_THREAD * (ptrdiff_t)p->threads);
}

/* As fc_cut, with the larger pieces spread among the others: neighbouring pieces together are even as well. */
static inline ptrdiff_t fc_cut_spread(ptrdiff_t total, ptrdiff_t pieces, ptrdiff_t piece)
{
    return total / pieces * piece + total % pieces * piece / pieces;
}

/* A reduction over two indices, the inner one the faster, cut into chunks of at most FC_DEPTH steps: some outer indices
 * with all their inner ones, or a part of the inner ones of a single outer. There is always a chunk, if an empty one,
 * so that every output is written. */
typedef struct fc_chunks {
    ptrdiff_t outer, inner, count;
    ptrdiff_t pieces; /* chunks of one outer index; 0 when chunks hold whole ones */
} fc_chunks;

typedef struct fc_chunk {
    ptrdiff_t outer, outers; /* the first, and how many */
    ptrdiff_t inner, inners;
} fc_chunk;

static inline fc_chunks fc_chunks_of(ptrdiff_t outer, ptrdiff_t inner)
{
    fc_chunks all = {outer, inner, 1, 0};
    if (outer == 0 || inner == 0) return (fc_chunks){0, 0, 1, 0};
    if (inner > FC_DEPTH) {
        all.pieces = fc_ceil_div(inner, FC_DEPTH);
        all.count = outer * all.pieces;
    } else {
        all.count = fc_ceil_div(outer, FC_DEPTH / inner);
    }
    return all;
}

static inline fc_chunk fc_chunk_at(const fc_chunks *all, ptrdiff_t index)
{
    fc_chunk chunk;
    if (all->pieces) {
        const ptrdiff_t piece = index % all->pieces;
        chunk.outer = index / all->pieces;
        chunk.outers = 1;
        chunk.inner = fc_cut(all->inner, all->pieces, piece);
        chunk.inners = fc_cut(all->inner, all->pieces, piece + 1) - chunk.inner;
    } else {
        chunk.outer = fc_cut(all->outer, all->count, index);
        chunk.outers = fc_cut(all->outer, all->count, index + 1) - chunk.outer;
        chunk.inner = 0;
        chunk.inners = all->inner;
    }
    return chunk;
}

/* Rows of a matrix product with those that the last tile has too many. */
static inline ptrdiff_t fc_rows_computed(ptrdiff_t rows, ptrdiff_t tile_rows) { return fc_round_up(rows, tile_rows); }

/* Columns of a matrix product, cut into panels of at most so many vectors, as even as can be. */
typedef struct fc_panels {
    ptrdiff_t columns, lanes, vectors, count;
} fc_panels;

typedef struct fc_panel_cut {
    ptrdiff_t first, columns; /* the first column, and how many are in use */
    ptrdiff_t vectors;
} fc_panel_cut;

static inline fc_panels fc_panels_of(ptrdiff_t columns, ptrdiff_t lanes, ptrdiff_t most)
{
    const ptrdiff_t vectors = fc_ceil_div(columns, lanes);
    return (fc_panels){columns, lanes, vectors, fc_ceil_div(vectors, most)};
}

static inline fc_panel_cut fc_panel_between(const fc_panels *all, ptrdiff_t from, ptrdiff_t to)
{
    return (fc_panel_cut){from * all->lanes, fc_min(to * all->lanes, all->columns) - from * all->lanes, to - from};
}

static inline fc_panel_cut fc_panel_at(const fc_panels *all, ptrdiff_t index)
{
    return fc_panel_between(all, fc_cut(all->vectors, all->count, index), fc_cut(all->vectors, all->count, index + 1));
}

/* The same, wide and narrow ones by turns: neighbours are even together. */
static inline fc_panel_cut fc_spread_panel_at(const fc_panels *all, ptrdiff_t index)
{
    return fc_panel_between(all, fc_cut_spread(all->vectors, all->count, index),
                            fc_cut_spread(all->vectors, all->count, index + 1));
}

#endif
