/* SPDX-License-Identifier: BSD-3-Clause */
/* inner_tile.h -- ROWS rows against V columns of an inner product, a vector of sums for each pair; see fc_inner. Included
 * once per element type and V. The sums are named variables, as in gemm_tile.h. */
#define EACH_VECTOR FC_PASTE(EACH_VECTOR, V)
#define DECLARE_SUM(r, v) W(vec) sum##r##v = p->go_on ? W(load)(sums + r * sum_row + v * lanes) : W(zero)();
#define LOAD_COLUMN(r, v) const W(vec) x##v = W(load)(x + v * x_row + k);
#define MULTIPLY_ADD(r, v) sum##r##v = W(fma)(factor, x##v, sum##r##v);
#define STORE_SUM(r, v) W(store)(sums + r * sum_row + v * lanes, sum##r##v);

/* Compilers would read a factor from memory for each of its products: more loads than there are units for. */
#ifdef VECTOR_REGISTER
#define KEEP_IN_REGISTER(v) __asm__("" : "+" VECTOR_REGISTER(v));
#else
#define KEEP_IN_REGISTER(v)
#endif

#define DECLARE_ROW(r) EACH_VECTOR(DECLARE_SUM, r)
#define POINT_ROW(r) const T *w##r = w[r];
#define MULTIPLY_ROW(r)                    \
    {                                      \
        W(vec) factor = W(load)(w##r + k); \
        KEEP_IN_REGISTER(factor)           \
        EACH_VECTOR(MULTIPLY_ADD, r)       \
    }
#define MULTIPLY_END(r)                                      \
    {                                                        \
        const W(vec) factor = W(load_masked)(w##r + k, end); \
        EACH_VECTOR(MULTIPLY_ADD, r)                         \
    }
#define STORE_ROW(r) EACH_VECTOR(STORE_SUM, r)

static inline void FC_PASTE(W(inner_tile), V)(const fc_inner *p, const T *const w[ROWS], const T *x, T *sums)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t depth = p->depth, x_row = p->x_row, sum_row = p->sum_row;
    ptrdiff_t k = 0;
    EACH_ROW(POINT_ROW)
    EACH_ROW(DECLARE_ROW)
    for (; k + lanes <= depth; k += lanes) {
        EACH_VECTOR(LOAD_COLUMN, 0)
        EACH_ROW(MULTIPLY_ROW)
    }
    if (k < depth) {
        const W(mask) end = W(first_lanes)(depth - k);
        EACH_VECTOR(LOAD_COLUMN, 0)
        EACH_ROW(MULTIPLY_END)
    }
    EACH_ROW(STORE_ROW)
}

#undef EACH_VECTOR
#undef DECLARE_SUM
#undef LOAD_COLUMN
#undef MULTIPLY_ADD
#undef STORE_SUM
#undef KEEP_IN_REGISTER
#undef DECLARE_ROW
#undef POINT_ROW
#undef MULTIPLY_ROW
#undef MULTIPLY_END
#undef STORE_ROW
#undef V
