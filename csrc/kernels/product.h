/* SPDX-License-Identifier: BSD-3-Clause */
/* product.h -- C (+)= A · B, or A' · B where it is TURNED, V vectors wide, in tiles of HEIGHT rows, and of four or two where
 * fewer are left; see fc_panel_product. Included once per element type, V and TURNED. Tiles of 16 rows are followed by one of
 * eight. */
#if TURNED
#define NAME product_turned
#define A_ROWS(p, rows) (rows)
#else
#define NAME product
#define A_ROWS(p, rows) ((rows) * (p)->a_row)
#endif
#define TILE(rows) FC_PASTE(FC_PASTE(FC_PASTE(W(NAME), tile), V), rows)
#define ROWS 2
#include "kernels/product_tile.h"
#define ROWS 4
#include "kernels/product_tile.h"
#if HEIGHT == 16
#define ROWS 8
#include "kernels/product_tile.h"
#endif
#if HEIGHT > 4
#define ROWS HEIGHT
#include "kernels/product_tile.h"
#endif

static inline void FC_PASTE(FC_PASTE(W(NAME), once), V)(const fc_panel_product *p, const T *a, const T *b, T *c,
                                                        uintptr_t ahead[2])
{
    ptrdiff_t left = p->rows;
    for (; left > (HEIGHT == 16 ? 8 : 4); left -= HEIGHT, a += A_ROWS(p, HEIGHT), c += HEIGHT * p->c_row)
        TILE(HEIGHT)(p, a, b, c, ahead);
#if HEIGHT == 16
    for (; left > 4; left -= 8, a += A_ROWS(p, 8), c += 8 * p->c_row) TILE(8)(p, a, b, c, ahead);
#endif
    if (left > 2)
        TILE(4)(p, a, b, c, ahead);
    else if (left > 0)
        TILE(2)(p, a, b, c, ahead);
}

static void FC_PASTE(W(NAME), V)(const fc_panel_product *p)
{
    const T *a = p->a, *b = p->b;
    T *c = p->c;
    for (ptrdiff_t left = p->times; left > 0; left--) {
        const bool last = left == 1;
        uintptr_t ahead[2] = {(uintptr_t)(last ? p->ahead[0] : b + p->b_next),
                              (uintptr_t)(last ? p->ahead[1] : a + p->a_next)};
        FC_PASTE(FC_PASTE(W(NAME), once), V)(p, a, b, c, ahead);
        if (last) return;
        a += p->a_next;
        b += p->b_next;
        c += p->c_next;
    }
}

#undef NAME
#undef A_ROWS
#undef TILE
#undef HEIGHT
#undef TURNED
#undef V
