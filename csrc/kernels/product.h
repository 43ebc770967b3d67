/* SPDX-License-Identifier: BSD-3-Clause */
/* product.h -- C (+)= A · B, V vectors wide, in tiles of HEIGHT rows, and of four or two where fewer are left; see
 * fc_panel_product. Included once per element type and V. */
#define ROWS 2
#include "kernels/product_tile.h"
#define ROWS 4
#include "kernels/product_tile.h"
#if HEIGHT > 4
#define ROWS HEIGHT
#include "kernels/product_tile.h"
#endif

static void FC_PASTE(W(product), V)(const fc_panel_product *p)
{
    const T *a = p->a;
    T *c = p->c;
    uintptr_t ahead[2] = {(uintptr_t)p->ahead[0], (uintptr_t)p->ahead[1]};
    ptrdiff_t left = p->rows;
    for (; left > 4; left -= HEIGHT, a += HEIGHT * p->a_row, c += HEIGHT * p->c_row)
        FC_PASTE(FC_PASTE(W(product_tile), V), HEIGHT)(p, a, c, ahead);
    if (left > 2)
        FC_PASTE(FC_PASTE(W(product_tile), V), 4)(p, a, c, ahead);
    else if (left > 0)
        FC_PASTE(FC_PASTE(W(product_tile), V), 2)(p, a, c, ahead);
}

#undef HEIGHT
#undef V
