/* SPDX-License-Identifier: BSD-3-Clause */
/* product_tile.h -- C (+)= A · B, V vectors wide and ROWS rows high: a tile of product.h. Included once per element type, V
 * and ROWS. The sums are named variables, as in gemm_tile.h. */
#define EACH_VECTOR FC_PASTE(EACH_VECTOR, V)
#define DECLARE_SUM(r, v) W(vec) sum##r##v = W(zero)();
#define LOAD_B(r, v) const W(vec) b##v = W(load)(b + v * lanes);
#define MULTIPLY_ADD(r, v) sum##r##v = W(fma)(factor, b##v, sum##r##v);
#define STORE_SUM(r, v) W(store)(c + r * c_row + v * lanes, sum##r##v);
#define ADD_SUM(r, v) W(store)(c + r * c_row + v * lanes, W(add)(W(load)(c + r * c_row + v * lanes), sum##r##v));

#define DECLARE_ROW(r) EACH_VECTOR(DECLARE_SUM, r)
#if ROWS == 16
#define AT(r) (r < 4 ? q0 : r < 8 ? q1 : r < 12 ? q2 : q3)[r % 4 == 3 ? a_row3 : r % 4 * a_row]
#define MULTIPLY_ROW(r)                         \
    {                                           \
        const W(vec) factor = W(splat)(&AT(r)); \
        EACH_VECTOR(MULTIPLY_ADD, r)            \
    }
#else
#define POINT_ROW(r) const T *a##r = a + r * a_row;
#define MULTIPLY_ROW(r)                           \
    {                                             \
        const W(vec) factor = W(splat)(a##r + k); \
        EACH_VECTOR(MULTIPLY_ADD, r)              \
    }
#endif
#define STORE_ROW(r) EACH_VECTOR(STORE_SUM, r)
#define ADD_ROW(r) EACH_VECTOR(ADD_SUM, r)

static inline void FC_PASTE(FC_PASTE(W(product_tile), V), ROWS)(const fc_panel_product *p, const T *a, const T *b, T *c,
                                                                uintptr_t ahead[2])
{
    enum { lanes = W(LANES) };
    const ptrdiff_t depth = p->depth, a_row = p->a_row, b_row = p->b_row, c_row = p->c_row;
    const uintptr_t ahead_step0 = (uintptr_t)p->ahead_step[0], ahead_step1 = (uintptr_t)p->ahead_step[1];
    uintptr_t ahead0 = ahead[0], ahead1 = ahead[1]; /* may lie outside */
    EACH_ROW(DECLARE_ROW)
#if ROWS == 16
    const T *q0 = a, *q1 = a + 4 * a_row, *q2 = a + 8 * a_row, *q3 = a + 12 * a_row;
    ptrdiff_t a_row3 = 3 * a_row;
    __asm__("" : "+r"(q1), "+r"(q2), "+r"(q3), "+r"(a_row3));
#else
    EACH_ROW(POINT_ROW)
#endif
    for (ptrdiff_t k = 0; k < depth; k++) {
        __builtin_prefetch((const void *)ahead0);
        __builtin_prefetch((const void *)ahead1);
        ahead0 += ahead_step0;
        ahead1 += ahead_step1;
        EACH_VECTOR(LOAD_B, 0)
        EACH_ROW(MULTIPLY_ROW)
#if ROWS == 16
        q0++, q1++, q2++, q3++;
#endif
        b += b_row;
    }
    ahead[0] = ahead0;
    ahead[1] = ahead1;
    if (p->add) {
        EACH_ROW(ADD_ROW)
    } else {
        EACH_ROW(STORE_ROW)
    }
}

#undef EACH_VECTOR
#undef DECLARE_SUM
#undef LOAD_B
#undef MULTIPLY_ADD
#undef STORE_SUM
#undef ADD_SUM
#undef DECLARE_ROW
#undef AT
#undef POINT_ROW
#undef MULTIPLY_ROW
#undef STORE_ROW
#undef ADD_ROW
#undef ROWS
