/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_sweep_rows.h -- R rows of outputs of an fc_depthwise_sweep, from row i on. sum<r>_<v> is that of the output of
 * row r which the column at hand reaches with tap v. Rows and columns outside the image are left out. */
#if K == 3
#define EACH_TAP(DO, r, u) DO(r, u, 0) DO(r, u, 1) DO(r, u, 2)
#define MOVE_ON(r)           \
    sum##r##_2 = sum##r##_1; \
    sum##r##_1 = sum##r##_0; \
    sum##r##_0 = W(zero)();
#define LAST(r) sum##r##_2
#elif K == 5
#define EACH_TAP(DO, r, u) DO(r, u, 0) DO(r, u, 1) DO(r, u, 2) DO(r, u, 3) DO(r, u, 4)
#define MOVE_ON(r)           \
    sum##r##_4 = sum##r##_3; \
    sum##r##_3 = sum##r##_2; \
    sum##r##_2 = sum##r##_1; \
    sum##r##_1 = sum##r##_0; \
    sum##r##_0 = W(zero)();
#define LAST(r) sum##r##_4
#else
#define EACH_TAP(DO, r, u) DO(r, u, 0) DO(r, u, 1) DO(r, u, 2) DO(r, u, 3) DO(r, u, 4) DO(r, u, 5) DO(r, u, 6)
#define MOVE_ON(r)           \
    sum##r##_6 = sum##r##_5; \
    sum##r##_5 = sum##r##_4; \
    sum##r##_4 = sum##r##_3; \
    sum##r##_3 = sum##r##_2; \
    sum##r##_2 = sum##r##_1; \
    sum##r##_1 = sum##r##_0; \
    sum##r##_0 = W(zero)();
#define LAST(r) sum##r##_6
#endif
#define START(r, u, v) W(vec) sum##r##_##v = W(zero)();
#define ADD(r, u, v) sum##r##_##v = W(fma)(W(load)(w + (u * K + v) * lanes), x, sum##r##_##v);

/* Input row q of those that the rows of outputs reach. */
#if R == 1
#define ROW(q)                                        \
    if (first <= q && q < end) {                      \
        const W(vec) x = W(load)(column + q * x_row); \
        EACH_TAP(ADD, 0, q)                           \
    }
#define EACH_OUTPUT(DO) DO(0)
#define START_ALL EACH_TAP(START, 0, 0)
#else
#define ROW(q)                                        \
    if (first <= q && q < end) {                      \
        const W(vec) x = W(load)(column + q * x_row); \
        EACH_TAP(ADD, 0, q)                           \
        EACH_TAP(ADD, 1, (q - 1))                     \
    }
#define EACH_OUTPUT(DO) DO(0) DO(1)
#define START_ALL EACH_TAP(START, 0, 0) EACH_TAP(START, 1, 0)
#endif
#define FIRST_ROW                         \
    if (first <= 0 && 0 < end) {          \
        const W(vec) x = W(load)(column); \
        EACH_TAP(ADD, 0, 0)               \
    }
#define BOTTOM_ROW                                    \
    if (first <= K && K < end) {                      \
        const W(vec) x = W(load)(column + K * x_row); \
        EACH_TAP(ADD, 1, (K - 1))                     \
    }
/* Where both rows reach all of theirs, a factor is loaded once for both: with 32 registers. */
#define TOGETHER (R == 2 && TILE_ROWS == 8)
#define ADD_PAIR(r, u, v)                                       \
    {                                                           \
        const W(vec) factor = W(load)(w + (u * K + v) * lanes); \
        sum0_##v = W(fma)(factor, x, sum0_##v);                 \
        sum1_##v = W(fma)(factor, below, sum1_##v);             \
    }
#define PAIR(u)                                \
    below = W(load)(column + (u + 1) * x_row); \
    EACH_TAP(ADD_PAIR, 0, u)                   \
    x = below;
#define EMIT(r) W(store)(y + r * y_row + j * y_pixel, W(add)(bias, LAST(r)));

static void FC_PASTE(FC_PASTE(W(depthwise_sweep_rows), K), R)(const fc_depthwise_sweep *d, ptrdiff_t i)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t x_row = d->x_row, y_row = d->y_row, y_pixel = d->y_pixel;
    const ptrdiff_t top = d->top + i, rows = d->height - top, width = d->width;
    const ptrdiff_t first = top < 0 ? -top : 0, end = rows < K + R - 1 ? rows : K + R - 1;
#if TOGETHER
    const bool whole = first <= 0 && end > K;
#endif
    const T *w = d->w, *x_top = (const T *)d->x + top * x_row;
    T *y = (T *)d->y + i * y_row;
    const W(vec) bias = d->bias ? W(load)((const T *)d->bias) : W(zero)();
    /* Columns before the image reach outputs with nothing. */
    const ptrdiff_t skipped = d->left < 0 ? (-d->left < d->columns + K - 1 ? -d->left : d->columns + K - 1) : 0;
    START_ALL
    for (ptrdiff_t j = 1 - K; j < 1 - K + skipped; j++)
        if (j >= 0) {
            EACH_OUTPUT(EMIT)
        }
    for (ptrdiff_t j = 1 - K + skipped, c = d->left + skipped; j < d->columns; j++, c++) {
        if (c < width) {
            const T *column = x_top + c * lanes;
#if TOGETHER
            if (whole) {
                W(vec) x = W(load)(column), below = W(zero)();
                PAIR(0)
                PAIR(1)
                PAIR(2)
#if K > 3
                PAIR(3)
                PAIR(4)
#endif
#if K > 5
                PAIR(5)
                PAIR(6)
#endif
                if (j >= 0) {
                    EACH_OUTPUT(EMIT)
                }
                EACH_OUTPUT(MOVE_ON)
                continue;
            }
#endif
            FIRST_ROW
            ROW(1)
            ROW(2)
#if K > 3
            ROW(3)
            ROW(4)
#endif
#if K > 5
            ROW(5)
            ROW(6)
#endif
#if R == 2
            BOTTOM_ROW
#endif
        }
        if (j >= 0) {
            EACH_OUTPUT(EMIT)
        }
        EACH_OUTPUT(MOVE_ON)
    }
}

#undef EACH_TAP
#undef MOVE_ON
#undef LAST
#undef START
#undef ADD
#undef ROW
#undef EACH_OUTPUT
#undef START_ALL
#undef FIRST_ROW
#undef BOTTOM_ROW
#undef TOGETHER
#undef ADD_PAIR
#undef PAIR
#undef EMIT
