/* SPDX-License-Identifier: BSD-3-Clause */
/* product_tile.h -- a tile of product.h, ROWS rows high. Included once per element type, V, TURNED and ROWS. The sums are named
 * variables, as in gemm_tile.h. */
#define EACH_VECTOR FC_PASTE(EACH_VECTOR, V)
#define DECLARE_SUM(r, v) W(vec) sum##r##v = W(zero)();
#define LOAD_B(r, v) const W(vec) b##v = W(load)(b + v * lanes);
#define MULTIPLY_ADD(r, v) sum##r##v = W(fma)(factor, b##v, sum##r##v);
#define STORE_SUM(r, v) W(store)(c + r * c_row + v * lanes, sum##r##v);
#define ADD_SUM(r, v) W(store)(c + r * c_row + v * lanes, W(add)(W(load)(c + r * c_row + v * lanes), sum##r##v));

#define DECLARE_ROW(r) EACH_VECTOR(DECLARE_SUM, r)
#if TURNED
#define AT(r) a[r]
#define POINT_ROWS
#define NEXT_STEP a += a_row;
#elif ROWS == 16 /* more pointers than there are registers */
#define AT(r) (r < 4 ? a : r < 8 ? a4 : r < 12 ? a8 : a12)[r % 4 == 3 ? a_row3 : r % 4 * a_row]
#define POINT_ROWS                                                           \
    const T *a4 = a + 4 * a_row, *a8 = a + 8 * a_row, *a12 = a + 12 * a_row; \
    ptrdiff_t a_row3 = 3 * a_row;                                            \
    __asm__("" : "+r"(a4), "+r"(a8), "+r"(a12), "+r"(a_row3));
#define NEXT_STEP a++, a4++, a8++, a12++;
#else
#define AT(r) a##r[k]
#define POINT_ROW(r) const T *a##r = a + r * a_row;
#define POINT_ROWS EACH_ROW(POINT_ROW)
#define NEXT_STEP
#endif
#define MULTIPLY_ROW(r)                         \
    {                                           \
        const W(vec) factor = W(splat)(&AT(r)); \
        EACH_VECTOR(MULTIPLY_ADD, r)            \
    }
#define STORE_ROW(r) EACH_VECTOR(STORE_SUM, r)
#define ADD_ROW(r) EACH_VECTOR(ADD_SUM, r)

static inline void TILE(ROWS)(const fc_panel_product *p, const T *a, const T *b, T *c, uintptr_t ahead[2])
{
    enum { lanes = W(LANES) };
    const ptrdiff_t depth = p->depth, a_row = p->a_row, b_row = p->b_row, c_row = p->c_row;
    const uintptr_t ahead_step0 = (uintptr_t)p->ahead_step[0], ahead_step1 = (uintptr_t)p->ahead_step[1];
    uintptr_t ahead0 = ahead[0], ahead1 = ahead[1]; /* may lie outside */
    EACH_ROW(DECLARE_ROW)
    POINT_ROWS
    for (ptrdiff_t k = 0; k < depth; k++) {
        __builtin_prefetch((const void *)ahead0);
        __builtin_prefetch((const void *)ahead1);
        ahead0 += ahead_step0;
        ahead1 += ahead_step1;
        EACH_VECTOR(LOAD_B, 0)
        EACH_ROW(MULTIPLY_ROW)
        NEXT_STEP
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
#undef POINT_ROWS
#undef NEXT_STEP
#undef MULTIPLY_ROW
#undef STORE_ROW
#undef ADD_ROW
#undef ROWS
