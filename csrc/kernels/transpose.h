/* SPDX-License-Identifier: BSD-3-Clause */
/* transpose.h -- see fc_transpose: blocks as large as a vector, in registers. */

/* The mask of the first lanes, of all when there are more; loads and stores of so many. */
static inline W(mask) W(first_lanes)(ptrdiff_t count)
{
    enum { lanes = W(LANES) };
    static const I ones[2 * FC_MAX_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return W(mask_load)(ones + FC_MAX_LANES - (count < lanes ? count : lanes));
}

static inline W(vec) W(load_first)(const T *from, ptrdiff_t count, W(mask) mask)
{
    return count >= W(LANES) ? W(load)(from) : W(load_masked)(from, mask);
}

static inline void W(store_first)(T *to, W(vec) v, ptrdiff_t count, W(mask) mask)
{
    if (count >= W(LANES))
        W(store)(to, v);
    else
        W(store_masked)(to, mask, v);
}

static inline void W(load_rows)(W(vec) v[W(LANES)], const T *from, ptrdiff_t step, ptrdiff_t rows, ptrdiff_t columns)
{
    enum { lanes = W(LANES) };
    const W(mask) mask = W(first_lanes)(columns);
    if (rows >= lanes && columns >= lanes) {
        UNROLL
        for (int i = 0; i < lanes; i++) v[i] = W(load)(from + i * step);
    } else {
        UNROLL
        for (int i = 0; i < lanes; i++) v[i] = i < rows ? W(load_first)(from + i * step, columns, mask) : W(zero)();
    }
}

static inline void W(store_columns)(const W(vec) v[W(LANES)], T *to, ptrdiff_t step, ptrdiff_t rows, ptrdiff_t columns)
{
    enum { lanes = W(LANES) };
    const W(mask) mask = W(first_lanes)(rows);
    if (rows >= lanes && columns >= lanes) {
        UNROLL
        for (int i = 0; i < lanes; i++) W(store)(to + i * step, v[i]);
    } else {
        UNROLL
        for (int i = 0; i < lanes; i++)
            if (i < columns) W(store_first)(to + i * step, v[i], rows, mask);
    }
}

/* A line of each of some vectors; they may lie outside. */
static inline void W(fetch_ahead)(uintptr_t at, ptrdiff_t step, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < (count < W(LANES) ? count : W(LANES)); i++, at += (uintptr_t)step * sizeof(T))
        __builtin_prefetch((const void *)at);
}

/* to[j * to_step + i] = from[i * from_step + j] of as many rows and columns as a vector has lanes. */
static inline void W(transpose_tile)(T *to, ptrdiff_t to_step, const T *from, ptrdiff_t from_step)
{
    W(vec) v[W(LANES)];
    for (int i = 0; i < W(LANES); i++) v[i] = W(load)(from + i * from_step);
    W(transpose_lanes)(v);
    for (int i = 0; i < W(LANES); i++) W(store)(to + i * to_step, v[i]);
}

/* A block at the end of the rows or columns. */
static void W(transpose_part)(const fc_transpose *t, const T *from, T *to, ptrdiff_t rows, ptrdiff_t columns)
{
    enum { lanes = W(LANES) };
    W(vec) v[lanes];
    W(load_rows)(v, from, t->from_step, rows, columns);
    W(transpose_lanes)(v);
    W(store_columns)(v, to, t->to_step, t->fill ? lanes : rows, columns);
}

static inline void W(transpose_block)(const fc_transpose *t, ptrdiff_t r, ptrdiff_t c)
{
    enum { lanes = W(LANES) };
    const T *from = (const T *)t->from + r * t->from_step + c;
    T *to = (T *)t->to + c * t->to_step + r;
    const ptrdiff_t rows = t->rows - r, columns = t->columns - c;
    if (t->from_ahead) W(fetch_ahead)((uintptr_t)from + (uintptr_t)t->from_ahead, t->from_step, rows);
    if (t->to_ahead) W(fetch_ahead)((uintptr_t)to + (uintptr_t)t->to_ahead, t->to_step, columns);
    if (rows >= lanes && columns >= lanes)
        W(transpose_tile)(to, t->to_step, from, t->from_step);
    else
        W(transpose_part)(t, from, to, rows, columns);
}

#ifdef PERMUTES
#define RUN 3
#include "kernels/transpose_runs.h"
#define RUN 5
#include "kernels/transpose_runs.h"
#define RUN 7
#include "kernels/transpose_runs.h"
#define RUN 9
#include "kernels/transpose_runs.h"

/* Runs of four have words of their own. */
static inline void W(take_fours)(const fc_transpose *t, T *to, const T *from, ptrdiff_t runs)
{
    W(vec) v[4];
    if (runs < W(LANES)) {
        W(transpose_part)(t, from, to, runs, 4);
        return;
    }
    W(load_apart4)(from, v);
    for (int k = 0; k < 4; k++) W(store)(to + k * t->to_step, v[k]);
}

static bool W(are_runs)(const fc_transpose *t)
{
    const ptrdiff_t run = t->columns;
    return t->from_step == run && run >= 3 && run <= 9 && (run % 2 || run == 4);
}

/* Apart, so that its registers do not cost the blocks theirs. */
__attribute__((noinline)) static void W(transpose_runs)(const fc_transpose *t)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t run = t->columns;
    for (ptrdiff_t r = 0; r < t->rows; r += lanes) {
        const T *from = (const T *)t->from + r * run;
        T *to = (T *)t->to + r;
        const ptrdiff_t runs = t->rows - r;
        if (t->from_ahead) W(fetch_ahead)((uintptr_t)from + (uintptr_t)t->from_ahead, lanes, run);
        if (run == 4)
            W(take_fours)(t, to, from, runs);
        else if (run == 9)
            FC_PASTE(W(take_runs), 9)(to, t->to_step, from, runs, t->fill);
        else if (run == 7)
            FC_PASTE(W(take_runs), 7)(to, t->to_step, from, runs, t->fill);
        else if (run == 5)
            FC_PASTE(W(take_runs), 5)(to, t->to_step, from, runs, t->fill);
        else
            FC_PASTE(W(take_runs), 3)(to, t->to_step, from, runs, t->fill);
    }
}
#endif

/* Along the rows of that side whose rows lie further apart, so that neighbours in a line follow each other. The last blocks
 * overlap those before them, where there are such and nothing but rows and columns is written. */
static void W(transpose_blocks)(const fc_transpose *t)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t last_row = t->fill || t->rows < lanes ? t->rows : t->rows - lanes;
    const ptrdiff_t last_column = t->columns < lanes ? t->columns : t->columns - lanes;
    if (t->from_step > t->to_step) {
        for (ptrdiff_t r = 0; r < t->rows; r += lanes)
            for (ptrdiff_t c = 0; c < t->columns; c += lanes)
                W(transpose_block)(t, r < last_row ? r : last_row, c < last_column ? c : last_column);
    } else {
        for (ptrdiff_t c = 0; c < t->columns; c += lanes)
            for (ptrdiff_t r = 0; r < t->rows; r += lanes)
                W(transpose_block)(t, r < last_row ? r : last_row, c < last_column ? c : last_column);
    }
}

static void W(transpose_once)(const fc_transpose *t)
{
#ifdef PERMUTES
    if (W(are_runs)(t)) {
        W(transpose_runs)(t);
        return;
    }
#endif
    W(transpose_blocks)(t);
}

static void W(transpose_vectors)(const fc_transpose *t)
{
    fc_transpose d = *t;
    W(transpose_once)(&d);
    for (; d.more; d.more--) {
        d.from = (const T *)d.from + d.from_next;
        d.to = (T *)d.to + d.to_next;
        W(transpose_once)(&d);
    }
}
