/* SPDX-License-Identifier: BSD-3-Clause */
/* dot.h -- sums of products along rows of weights that lie one behind the other; see fc_dot. Four rows at once keep eight
 * sums under way; rows beyond the last are computed from that one again and dropped. Included once per element type. */
#define ROWS 4
#define DECLARE_ROW(r)                                                                                \
    const T *w##r = (const T *)dot->w + (row + r < dot->rows ? row + r : dot->rows - 1) * dot->w_row; \
    W(vec) even##r = W(zero)(), odd##r = W(zero)();
#define MULTIPLY_ROW(r)                               \
    even##r = W(fma)(W(load)(w##r + k), x0, even##r); \
    odd##r = W(fma)(W(load)(w##r + k + lanes), x1, odd##r);
#define MULTIPLY_EVEN(r) even##r = W(fma)(W(load)(w##r + k), x0, even##r);
#define STORE_ROW(r) W(store)(part[r], W(add)(even##r, odd##r));
#define TAIL_ROW(r) tail[r] = W(fma_one)(w##r[k], x[k], tail[r]);

static void W(dot)(const fc_dot *dot)
{
    enum { lanes = W(LANES) };
    const T *x = dot->x;
    T *y = dot->y;
    for (ptrdiff_t row = 0; row < dot->rows; row += ROWS) {
        T part[ROWS][lanes], tail[ROWS] = {0};
        ptrdiff_t k = 0;
        EACH_ROW(DECLARE_ROW)
        for (; k + 2 * lanes <= dot->depth; k += 2 * lanes) {
            const W(vec) x0 = W(load)(x + k), x1 = W(load)(x + k + lanes);
            EACH_ROW(MULTIPLY_ROW)
        }
        if (k + lanes <= dot->depth) {
            const W(vec) x0 = W(load)(x + k);
            EACH_ROW(MULTIPLY_EVEN)
            k += lanes;
        }
        EACH_ROW(STORE_ROW)
        for (; k < dot->depth; k++) {
            EACH_ROW(TAIL_ROW)
        }
        for (ptrdiff_t half = lanes / 2; half; half /= 2)
            for (int r = 0; r < ROWS; r++)
                for (ptrdiff_t l = 0; l < half; l++) part[r][l] += part[r][l + half];
        for (ptrdiff_t r = 0; r < ROWS && row + r < dot->rows; r++) y[row + r] += part[r][0] + tail[r];
    }
}

#undef ROWS
#undef DECLARE_ROW
#undef MULTIPLY_ROW
#undef MULTIPLY_EVEN
#undef STORE_ROW
#undef TAIL_ROW
