/* SPDX-License-Identifier: BSD-3-Clause */
/* product.h -- C (+)= A · B, V vectors wide, in tiles of HEIGHT rows, and of four or two where fewer are left; see
 * fc_panel_product. Included once per element type and V. Tiles of 16 rows are followed by one of eight. */
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

static inline void FC_PASTE(W(product_once), V)(const fc_panel_product *p, const T *a, const T *b, T *c,
                                                uintptr_t ahead[2])
{
    ptrdiff_t left = p->rows;
#if HEIGHT == 16
    for (; left > 8; left -= HEIGHT, a += HEIGHT * p->a_row, c += HEIGHT * p->c_row)
        FC_PASTE(FC_PASTE(W(product_tile), V), HEIGHT)(p, a, b, c, ahead);
    for (; left > 4; left -= 8, a += 8 * p->a_row, c += 8 * p->c_row)
        FC_PASTE(FC_PASTE(W(product_tile), V), 8)(p, a, b, c, ahead);
#else
    for (; left > 4; left -= HEIGHT, a += HEIGHT * p->a_row, c += HEIGHT * p->c_row)
        FC_PASTE(FC_PASTE(W(product_tile), V), HEIGHT)(p, a, b, c, ahead);
#endif
    if (left > 2)
        FC_PASTE(FC_PASTE(W(product_tile), V), 4)(p, a, b, c, ahead);
    else if (left > 0)
        FC_PASTE(FC_PASTE(W(product_tile), V), 2)(p, a, b, c, ahead);
}

static void FC_PASTE(W(product), V)(const fc_panel_product *p)
{
    const T *a = p->a, *b = p->b;
    T *c = p->c;
    for (ptrdiff_t left = p->times; left > 0; left--) {
        const bool last = left == 1;
        uintptr_t ahead[2] = {(uintptr_t)(last ? p->ahead[0] : b + p->b_next),
                              (uintptr_t)(last ? p->ahead[1] : a + p->a_next)};
        FC_PASTE(W(product_once), V)(p, a, b, c, ahead);
        if (last) return;
        a += p->a_next;
        b += p->b_next;
        c += p->c_next;
    }
}

#undef HEIGHT
#undef V
