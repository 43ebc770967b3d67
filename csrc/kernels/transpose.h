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
    if (rows >= lanes && columns >= lanes)
        for (int i = 0; i < lanes; i++) v[i] = W(load)(from + i * step);
    else
        for (int i = 0; i < lanes; i++) v[i] = i < rows ? W(load_first)(from + i * step, columns, mask) : W(zero)();
}

static inline void W(store_columns)(const W(vec) v[W(LANES)], T *to, ptrdiff_t step, ptrdiff_t rows, ptrdiff_t columns)
{
    enum { lanes = W(LANES) };
    const W(mask) mask = W(first_lanes)(rows);
    if (rows >= lanes && columns >= lanes)
        for (int i = 0; i < lanes; i++) W(store)(to + i * step, v[i]);
    else
        for (int i = 0; i < lanes; i++)
            if (i < columns) W(store_first)(to + i * step, v[i], rows, mask);
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

static inline void W(transpose_block)(const fc_transpose *t, ptrdiff_t r, ptrdiff_t c)
{
    enum { lanes = W(LANES) };
    const T *from = (const T *)t->from + r * t->from_step + c;
    T *to = (T *)t->to + c * t->to_step + r;
    W(vec) v[lanes];
    if (t->from_ahead) W(fetch_ahead)((uintptr_t)from + (uintptr_t)t->from_ahead, t->from_step, t->rows - r);
    if (t->to_ahead) W(fetch_ahead)((uintptr_t)to + (uintptr_t)t->to_ahead, t->to_step, t->columns - c);
    W(load_rows)(v, from, t->from_step, t->rows - r, t->columns - c);
    W(transpose_lanes)(v);
    W(store_columns)(v, to, t->to_step, t->fill ? lanes : t->rows - r, t->columns - c);
}

#ifdef PERMUTES
#define UNROLL _Pragma("GCC unroll 9")
#define RUN 3
#include "kernels/transpose_runs.h"
#define RUN 5
#include "kernels/transpose_runs.h"
#define RUN 7
#include "kernels/transpose_runs.h"
#define RUN 9
#include "kernels/transpose_runs.h"
#undef UNROLL

/* One vector of runs, from row or column `at` of the transpose on. */
#define WITH_RUNS(word, run, ...)              \
    do {                                       \
        if (run == 3)                          \
            FC_PASTE(W(word), 3)(__VA_ARGS__); \
        else if (run == 5)                     \
            FC_PASTE(W(word), 5)(__VA_ARGS__); \
        else if (run == 7)                     \
            FC_PASTE(W(word), 7)(__VA_ARGS__); \
        else                                   \
            FC_PASTE(W(word), 9)(__VA_ARGS__); \
    } while (0)

/* Where the rows are such runs, or the columns of the destination are: whole vectors of them, and how many they were. */
static ptrdiff_t W(transpose_runs)(const fc_transpose *t)
{
    enum { lanes = W(LANES) };
    const bool take = t->from_step == t->columns;
    const ptrdiff_t run = take ? t->columns : t->rows, runs = take ? t->rows : t->columns;
    ptrdiff_t i = 0;
    if ((!take && t->to_step != run) || run < 3 || run > 9 || run % 2 == 0) return 0;
    for (; i + lanes <= runs; i += lanes) {
        const T *from = (const T *)t->from + i * (take ? run : 1);
        T *to = (T *)t->to + i * (take ? 1 : run);
        if (t->from_ahead) W(fetch_ahead)((uintptr_t)from + (uintptr_t)t->from_ahead, take ? lanes : t->from_step, run);
        if (take)
            WITH_RUNS(take_runs, run, to, t->to_step, from);
        else
            WITH_RUNS(give_runs, run, to, from, t->from_step);
    }
    return i;
}
#undef WITH_RUNS
#endif

/* Along the rows of that side whose rows lie further apart, so that neighbours in a line follow each other. */
static void W(transpose_blocks)(const fc_transpose *t)
{
    enum { lanes = W(LANES) };
    if (t->from_step > t->to_step) {
        for (ptrdiff_t r = 0; r < t->rows; r += lanes)
            for (ptrdiff_t c = 0; c < t->columns; c += lanes) W(transpose_block)(t, r, c);
    } else {
        for (ptrdiff_t c = 0; c < t->columns; c += lanes)
            for (ptrdiff_t r = 0; r < t->rows; r += lanes) W(transpose_block)(t, r, c);
    }
}

static void W(transpose_once)(const fc_transpose *t)
{
#ifdef PERMUTES
    const ptrdiff_t moved = W(transpose_runs)(t);
    if (moved) {
        const bool rows = t->from_step == t->columns;
        fc_transpose rest = *t;
        *(rows ? &rest.rows : &rest.columns) -= moved;
        if (!rest.rows || !rest.columns) return;
        rest.from = (const T *)t->from + moved * (rows ? t->from_step : 1);
        rest.to = (T *)t->to + moved * (rows ? 1 : t->to_step);
        W(transpose_blocks)(&rest);
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
