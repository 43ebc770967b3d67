/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_rows.h -- the row kernels of pooling for element type T, see fc_pool_kernels: plain loops that the compiler
 * turns into vectors. FLOATING says whether T has NaNs. Two or three rows and a result: far below 16 registers. */

#if FLOATING
/* The first of equals; the last NaN. Maximum and repair, one comparison each. */
static inline T W(max_of)(T a, T b)
{
    const T larger = b > a ? b : a;
    return b != b ? b : larger;
}
/* b, which lies behind a, takes the place of a. */
static inline int W(beats)(T a, T b) { return !(b <= a) & (a == a); }
static inline int W(ties)(T a, T b) { return (a == b) | ((a != a) & (b != b)); }
#define LOWEST ((T) - INFINITY)
#else
static inline T W(max_of)(T a, T b) { return b > a ? b : a; }
static inline int W(beats)(T a, T b) { return b > a; }
static inline int W(ties)(T a, T b) { return a == b; }
#define LOWEST ((T) - 1 > 0 ? (T)0 : (T)((uint64_t)1 << (8 * sizeof(T) - 1)))
#endif

#define OP W(max_of)
#define F(word) W(FC_PASTE(max, word))
#include "kernels/pool_fold.h"

static void W(lowest)(ptrdiff_t n, void *dst, fc_place *dst_at)
{
    T *d = dst;
    for (ptrdiff_t i = 0; i < n; i++) d[i] = LOWEST;
    if (!dst_at) return;
    for (ptrdiff_t i = 0; i < n; i++) dst_at[i] = FC_NO_PLACE;
}

/* b lies behind a, or ORDERED is false and the places tell. */
static inline __attribute__((always_inline)) void W(argmax_of)(T *a, fc_place *a_at, T b, fc_place b_at,
                                                               const int ordered)
{
    const int taken = ordered ? W(beats)(*a, b) : W(beats)(*a, b) | (W(ties)(*a, b) & (b_at < *a_at));
    *a = taken ? b : *a;
    *a_at = taken ? b_at : *a_at;
}

/* One row, behind what is in d already with MORE, or two: of longer chains GCC 12 makes branches instead of vectors.
 * `place` is that of the first row's column 0. */
static inline __attribute__((always_inline)) void
W(argmax_rows_pass)(ptrdiff_t n, T *restrict d, fc_place *restrict at, const T *s, const fc_place *restrict column,
                    ptrdiff_t step, fc_place place, fc_place place_step, const int rows, const int more)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const fc_place here = place + column[i];
        T best = more ? d[i] : s[i];
        fc_place best_at = more ? at[i] : here;
        if (more) W(argmax_of)(&best, &best_at, s[i], here, 1);
        if (rows == 2) W(argmax_of)(&best, &best_at, s[i + step], here + place_step, 1);
        d[i] = best;
        at[i] = best_at;
    }
}

static void W(argmax_rows)(ptrdiff_t n, void *dst, fc_place *dst_at, const void *src, const fc_place *column,
                           ptrdiff_t rows, ptrdiff_t step, fc_place place, fc_place place_step)
{
    const T *s = src;
    if (rows == 1)
        W(argmax_rows_pass)(n, dst, dst_at, s, column, 0, place, 0, 1, 0);
    else
        W(argmax_rows_pass)(n, dst, dst_at, s, column, step, place, place_step, 2, 0);
    for (ptrdiff_t t = 2; t < rows; t++)
        W(argmax_rows_pass)(n, dst, dst_at, s + t * step, column, 0, place + (fc_place)t * place_step, 0, 1, 1);
}

/* The same for elements `stride` apart that bring their places. */
static inline __attribute__((always_inline)) void W(argmax_taps_pass)(ptrdiff_t n, T *restrict d, fc_place *restrict at,
                                                                      const T *restrict s,
                                                                      const fc_place *restrict s_at, ptrdiff_t step,
                                                                      ptrdiff_t stride, const int taps, const int more)
{
    const T *second = s + step;
    const fc_place *second_at = s_at + step;
    for (ptrdiff_t i = 0; i < n; i++) {
        T best = more ? d[i] : s[i * stride];
        fc_place best_at = more ? at[i] : s_at[i * stride];
        if (more) W(argmax_of)(&best, &best_at, s[i * stride], s_at[i * stride], 0);
        if (taps == 2) W(argmax_of)(&best, &best_at, second[i * stride], second_at[i * stride], 0);
        d[i] = best;
        at[i] = best_at;
    }
}

static inline __attribute__((always_inline)) void W(argmax_taps)(ptrdiff_t n, T *d, fc_place *at, const T *s,
                                                                 const fc_place *s_at, ptrdiff_t taps, ptrdiff_t step,
                                                                 ptrdiff_t stride)
{
    if (taps == 1)
        W(argmax_taps_pass)(n, d, at, s, s_at, 0, stride, 1, 0);
    else
        W(argmax_taps_pass)(n, d, at, s, s_at, step, stride, 2, 0);
    for (ptrdiff_t t = 2; t < taps; t++) W(argmax_taps_pass)(n, d, at, s + t * step, s_at + t * step, 0, stride, 1, 1);
}

static void W(argmax_pair)(ptrdiff_t n, void *dst, fc_place *dst_at, const void *a, const fc_place *a_at, const void *b,
                           const fc_place *b_at)
{
    T *d = dst;
    const T *p = a, *q = b;
    FC_INDEPENDENT
    for (ptrdiff_t i = 0; i < n; i++) {
        T best = p[i];
        fc_place best_at = a_at[i];
        W(argmax_of)(&best, &best_at, q[i], b_at[i], 0);
        d[i] = best;
        dst_at[i] = best_at;
    }
}

static void W(argmax_window)(ptrdiff_t n, ptrdiff_t depth, void *dst, fc_place *dst_at, const void *src,
                             const fc_place *src_at, ptrdiff_t taps, ptrdiff_t stride, ptrdiff_t dilation)
{
    T *d = dst;
    const T *s = src;
    const ptrdiff_t step = dilation * depth, next = stride * depth;
    if (stride == 1) {
        W(argmax_taps)(n * depth, d, dst_at, s, src_at, taps, step, 1);
    } else if (depth > 1) {
        for (ptrdiff_t i = 0; i < n; i++, d += depth, dst_at += depth)
            W(argmax_taps)(depth, d, dst_at, s + i * next, src_at + i * next, taps, step, 1);
    } else if (stride == 2) {
        W(argmax_taps)(n, d, dst_at, s, src_at, taps, step, 2);
    } else {
        W(argmax_taps)(n, d, dst_at, s, src_at, taps, step, stride);
    }
}

#if FLOATING
static void W(transpose)(ptrdiff_t rows, ptrdiff_t columns, void *dst, ptrdiff_t dst_step, const void *src,
                         ptrdiff_t src_step)
{
    W(transpose_vectors)
    (&(fc_transpose){
        .rows = rows, .columns = columns, .from = src, .from_step = src_step, .to = dst, .to_step = dst_step});
}
#else
/* In strips of 64 rows, whose present lines stay in the first level cache while the columns go by. */
static void W(transpose)(ptrdiff_t rows, ptrdiff_t columns, void *dst, ptrdiff_t dst_step, const void *src,
                         ptrdiff_t src_step)
{
    for (ptrdiff_t strip = 0; strip < rows; strip += 64) {
        const ptrdiff_t strip_rows = rows - strip < 64 ? rows - strip : 64;
        const ptrdiff_t even_rows = sizeof(T) == 4 ? strip_rows & ~(ptrdiff_t)3 : 0;
        const ptrdiff_t even_columns = columns & ~(ptrdiff_t)3;
        T *d = (T *)dst + strip;
        const T *s = (const T *)src + strip * src_step;
        for (ptrdiff_t c = 0; c < even_columns && even_rows; c += 4)
            for (ptrdiff_t r = 0; r < even_rows; r += 4)
                transpose_4x4(d + c * dst_step + r, dst_step, s + r * src_step + c, src_step);
        for (ptrdiff_t c = 0; c < columns; c++)
            for (ptrdiff_t r = c < even_columns ? even_rows : 0; r < strip_rows; r++)
                d[c * dst_step + r] = s[r * src_step + c];
    }
}
#endif

#if FLOATING
static inline T W(sum_of)(T a, T b) { return a + b; }
#define OP W(sum_of)
#define F(word) W(FC_PASTE(add, word))
#include "kernels/pool_fold.h"

static void W(divide)(ptrdiff_t n, ptrdiff_t depth, void *dst, const void *src, double scale, const void *counts)
{
    T *d = dst;
    const T *s = src, *restrict count = counts;
    if (depth == 1) {
        FC_INDEPENDENT
        for (ptrdiff_t i = 0; i < n; i++) d[i] = s[i] / ((T)scale * count[i]);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++, d += depth, s += depth) {
        const T divisor = (T)scale * count[i];
        FC_INDEPENDENT
        for (ptrdiff_t c = 0; c < depth; c++) d[c] = s[c] / divisor;
    }
}

static void W(spread)(ptrdiff_t n, ptrdiff_t depth, void *dst, const void *src, ptrdiff_t taps, ptrdiff_t stride)
{
    T *restrict d = dst;
    const T *restrict s = src;
    if (depth == 1 && taps == 2 && stride == 2) {
        for (ptrdiff_t i = 0; i < n; i++) {
            d[2 * i] = s[i];
            d[2 * i + 1] = s[i];
        }
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++, s += depth) {
        if (depth == 1)
            for (ptrdiff_t t = 0; t < taps; t++) d[t] = *s;
        else
            for (ptrdiff_t t = 0; t < taps; t++)
                for (ptrdiff_t c = 0; c < depth; c++) d[t * depth + c] = s[c];
        d += taps * depth;
        if (i == n - 1) break;
        for (ptrdiff_t t = 0; t < (stride - taps) * depth; t++) *d++ = 0;
    }
}
#endif
#undef LOWEST
