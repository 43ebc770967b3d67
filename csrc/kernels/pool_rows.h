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
#define LOWEST ((T)-INFINITY)
#else
static inline T W(max_of)(T a, T b) { return b > a ? b : a; }
static inline int W(beats)(T a, T b) { return b > a; }
static inline int W(ties)(T a, T b) { return a == b; }
#define LOWEST ((T)-1 > 0 ? (T)0 : (T)((uint64_t)1 << (8 * sizeof(T) - 1)))
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

/* As the passes of pool_fold.h; `place` is that of the first row's column 0. */
static inline __attribute__((always_inline)) void W(argmax_pass)(ptrdiff_t n, T *restrict d, fc_place *restrict at,
                                                                 const T *restrict s,
                                                                 const fc_place *restrict column, ptrdiff_t step,
                                                                 fc_place place, fc_place place_step, const int taps,
                                                                 const bool more)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        T best = more ? d[i] : s[i];
        fc_place best_at = more ? at[i] : place + column[i];
        for (int t = !more; t < taps; t++) {
            const T value = s[t * step + i];
            const fc_place value_at = place + (fc_place)t * place_step + column[i];
            const int taken = W(beats)(best, value);
            best = taken ? value : best;
            best_at = taken ? value_at : best_at;
        }
        d[i] = best;
        at[i] = best_at;
    }
}

static void W(argmax_rows)(ptrdiff_t n, void *dst, fc_place *dst_at, const void *src, const fc_place *column,
                           ptrdiff_t rows, ptrdiff_t step, fc_place place, fc_place place_step)
{
    const T *s = src;
    if (rows == 1) W(argmax_pass)(n, dst, dst_at, s, column, step, place, place_step, 1, false);
    if (rows == 2) W(argmax_pass)(n, dst, dst_at, s, column, step, place, place_step, 2, false);
    if (rows < 3) return;
    W(argmax_pass)(n, dst, dst_at, s, column, step, place, place_step, 3, false);
    for (ptrdiff_t t = 3; t < rows; t++)
        W(argmax_pass)(n, dst, dst_at, s + t * step, column, step, place + (fc_place)t * place_step, place_step, 1,
                       true);
}

static void W(argmax_pair)(ptrdiff_t n, void *dst, fc_place *dst_at, const void *a, const fc_place *a_at,
                           const void *b, const fc_place *b_at)
{
    T *d = dst;
    const T *p = a, *q = b;
    FC_INDEPENDENT
    for (ptrdiff_t i = 0; i < n; i++) {
        const T v = p[i], w = q[i];
        const fc_place v_at = a_at[i], w_at = b_at[i];
        const int taken = W(beats)(v, w) | (W(ties)(v, w) & (w_at < v_at));
        d[i] = taken ? w : v;
        dst_at[i] = taken ? w_at : v_at;
    }
}

static inline __attribute__((always_inline)) void W(argmax_strided)(ptrdiff_t n, T *restrict d, fc_place *restrict at,
                                                                    const T *restrict s,
                                                                    const fc_place *restrict s_at, ptrdiff_t taps,
                                                                    ptrdiff_t step, ptrdiff_t stride)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        T best = s[i * stride];
        fc_place best_at = s_at[i * stride];
        for (ptrdiff_t t = 1; t < taps; t++) {
            const T value = s[i * stride + t * step];
            const fc_place value_at = s_at[i * stride + t * step];
            const int taken = W(beats)(best, value) | (W(ties)(best, value) & (value_at < best_at));
            best = taken ? value : best;
            best_at = taken ? value_at : best_at;
        }
        d[i] = best;
        at[i] = best_at;
    }
}

static void W(argmax_window)(ptrdiff_t n, ptrdiff_t depth, void *dst, fc_place *dst_at, const void *src,
                             const fc_place *src_at, ptrdiff_t taps, ptrdiff_t stride, ptrdiff_t dilation)
{
    T *d = dst;
    const T *s = src;
    const ptrdiff_t step = dilation * depth;
    if (depth == 1 && stride == 2 && taps == 2) {
        W(argmax_strided)(n, d, dst_at, s, src_at, 2, step, 2);
    } else if (depth == 1 && stride == 2 && taps == 3) {
        W(argmax_strided)(n, d, dst_at, s, src_at, 3, step, 2);
    } else if (depth == 1 && stride > 1) {
        W(argmax_strided)(n, d, dst_at, s, src_at, taps, step, stride);
    } else {
        const ptrdiff_t runs = stride == 1 ? 1 : n, run = stride == 1 ? n * depth : depth;
        for (ptrdiff_t i = 0; i < runs; i++, d += run, dst_at += run) {
            const T *first = s + i * stride * depth;
            const fc_place *first_at = src_at + i * stride * depth;
            if (taps == 1) W(argmax_strided)(run, d, dst_at, first, first_at, 1, step, 1);
            if (taps >= 2) W(argmax_pair)(run, d, dst_at, first, first_at, first + step, first_at + step);
            for (ptrdiff_t t = 2; t < taps; t++)
                W(argmax_pair)(run, d, dst_at, d, dst_at, first + t * step, first_at + t * step);
        }
    }
}

/* In blocks that stay in registers and in whole cache lines of both sides. */
static void W(transpose)(ptrdiff_t rows, ptrdiff_t columns, void *dst, ptrdiff_t dst_step, const void *src,
                         ptrdiff_t src_step)
{
    T *d = dst;
    const T *s = src;
    ptrdiff_t r = 0;
    for (; r + 8 <= rows; r += 8)
        for (ptrdiff_t c = 0; c < columns; c++) {
            T *restrict to = d + c * dst_step + r;
            const T *from = s + r * src_step + c;
            for (int i = 0; i < 8; i++) to[i] = from[i * src_step];
        }
    for (; r < rows; r++)
        for (ptrdiff_t c = 0; c < columns; c++) d[c * dst_step + r] = s[r * src_step + c];
}

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
#endif
#undef LOWEST
