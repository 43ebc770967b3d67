/* SPDX-License-Identifier: BSD-3-Clause */
/* inner.h -- rows of weights against rows of pixels, both as they lie: lanes run along the sum. See fc_inner and
 * fc_inner_sums. Included once per element type. Tiles are almost square: most products for what is read. */
#define ROWS INNER_ROWS
#define V 1
#include "kernels/inner_tile.h"
#define V 2
#include "kernels/inner_tile.h"
#define V 3
#include "kernels/inner_tile.h"
#if INNER_COLUMNS > 3
#define V 4
#include "kernels/inner_tile.h"
#define V 5
#include "kernels/inner_tile.h"
#endif

static void W(inner_row)(const fc_inner *p, const T *const w[ROWS], T *sums)
{
    const T *x = p->x;
    ptrdiff_t left = p->columns;
    for (; left >= INNER_COLUMNS;
         left -= INNER_COLUMNS, x += INNER_COLUMNS * p->x_row, sums += INNER_COLUMNS * W(LANES))
        FC_PASTE(W(inner_tile), INNER_COLUMNS)(p, w, x, sums);
    switch (left) {
    case 1: FC_PASTE(W(inner_tile), 1)(p, w, x, sums); return;
    case 2: FC_PASTE(W(inner_tile), 2)(p, w, x, sums); return;
#if INNER_COLUMNS > 3
    case 3: FC_PASTE(W(inner_tile), 3)(p, w, x, sums); return;
    case 4: FC_PASTE(W(inner_tile), 4)(p, w, x, sums); return;
#endif
    default: return;
    }
}

static void W(inner)(const fc_inner *p)
{
    for (ptrdiff_t row = 0; row < p->rows; row += ROWS) {
        const T *w[ROWS];
        for (ptrdiff_t r = 0; r < ROWS; r++)
            w[r] = (const T *)p->w + (row + r < p->rows ? row + r : p->rows - 1) * p->w_row;
        W(inner_row)(p, w, (T *)p->sums + row * p->sum_row);
    }
}

static void W(inner_sums)(const fc_inner_sums *p)
{
    enum { lanes = W(LANES) };
    for (ptrdiff_t row = 0; row < p->rows; row++) {
        const T *sums = (const T *)p->sums + row * p->sum_row, *bias = p->bias;
        T *y = (T *)p->y + row * p->y_row;
        for (ptrdiff_t c = 0; c < p->columns; c += lanes, sums += lanes * lanes) {
            const ptrdiff_t columns = p->columns - c;
            const W(mask) mask = W(first_lanes)(columns);
            W(vec) v[lanes], start = W(zero)();
            for (int i = 0; i < lanes; i++) v[i] = i < columns ? W(load)(sums + i * lanes) : W(zero)();
            if (p->add)
                start = W(load_first)(y + c, columns, mask);
            else if (bias)
                start = W(splat)(bias + row);
            W(store_first)(y + c, W(add)(start, W(sum_lanes)(v)), columns, mask);
        }
    }
}

#undef ROWS
