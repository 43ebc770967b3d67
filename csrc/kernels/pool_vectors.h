/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_vectors.h -- what needs the vocabulary's vectors: maxima with NaNs, and rows narrower than a vector. */

/* Of rows narrower than a vector whole vectors are stored, and what lies behind them is overwritten by the next. */
static void W(repeat)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t times, void *dst, const void *src)
{
    enum { lanes = FC_PASTE(LANES, S) };
    T *d = dst;
    const T *s = src, *end = s + rows * width;
    for (ptrdiff_t r = 0; r < rows; r++, s += width) {
        const bool vector = end - s >= lanes && (width >= lanes || (rows - 1 - r) * times * width >= lanes);
        if (!vector) {
            for (ptrdiff_t t = 0; t < times; t++, d += width) memcpy(d, s, (size_t)width * sizeof *d);
            continue;
        }
        for (ptrdiff_t i = 0; i < width; i += lanes) {
            const ptrdiff_t at = width >= lanes && i > width - lanes ? width - lanes : i;
            const FC_PASTE(vec, S) v = W(load)(s + at);
            for (ptrdiff_t t = 0; t < times; t++) W(store)(d + t * width + at, v);
        }
        d += times * width;
    }
}

#define OP(a, b) W(larger)(a, b)
#define ONE(a, b) W(max_of)(a, b)
#define START ((T) - INFINITY)
#define FILLED 1
#define F(word) W(FC_PASTE(max, word))
#include "kernels/pool_blocks.h"
#include "kernels/pool_planes.h"
#include "kernels/pool_taps.h"
#undef OP
#undef ONE
#undef START
#undef FILLED
#undef F

#define OP(a, b) W(add)(a, b)
#define ONE(a, b) W(sum_of)(a, b)
#define START ((T)0)
#define FILLED 0
#define F(word) W(FC_PASTE(add, word))
#include "kernels/pool_blocks.h"
#include "kernels/pool_planes.h"
#include "kernels/pool_taps.h"
#undef OP
#undef ONE
#undef START
#undef FILLED
#undef F
