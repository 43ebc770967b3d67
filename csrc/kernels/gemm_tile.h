/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_tile.h -- C[ROWS x V vectors] = init + A · B; see fc_tile, pack_tile and fc_shift_tile. Included once per
 * element type, ROWS and V. The sums are named variables, not an array: compilers keep these in registers. */
#define EACH_VECTOR FC_PASTE(EACH_VECTOR, V)
#define DECLARE_SUM(r, v) W(vec) sum##r##v = W(zero)();
#define LOAD_PANEL(r, v) const W(vec) panel##v = W(load)(b + v * lanes);
#define STORE_PANEL(r, v) W(store)(p + v * lanes, panel##v);
#define MULTIPLY_ADD(r, v) sum##r##v = W(fma)(factor, panel##v, sum##r##v);
#define STORE_SUM(r, v) W(store)(c + v * lanes, W(add)(W(load)(init + v * tile->init_step), sum##r##v));

#define DECLARE_ROW(r) EACH_VECTOR(DECLARE_SUM, r)
#define FETCH_ROW(r) __builtin_prefetch((const void *)((uintptr_t)(a##r + at) + a_ahead)); /* may lie outside */
#define POINT_ROW(r) const T *a##r = (const T *)a[r] + a_offset;
#define MULTIPLY_ROW(r)                            \
    {                                              \
        const W(vec) factor = W(splat)(a##r + at); \
        EACH_VECTOR(MULTIPLY_ADD, r)               \
    }
#define STORE_ROW(r)                                                  \
    {                                                                 \
        const T *init = (const T *)tile->init[r] + INIT_OFFSET(tile); \
        T *c = (T *)tile->c[r] + C_OFFSET(tile);                      \
        EACH_VECTOR(STORE_SUM, r)                                     \
    }

#define INIT_OFFSET(t) (t)->init_offset
#define C_OFFSET(t) (t)->c_offset
static void FC_PASTE(W(TILE), V)(const fc_tile *tile)
{
    enum { lanes = W(LANES), line = 64 / sizeof(T) };
    const ptrdiff_t depth = tile->depth, a_step = tile->a_step, a_offset = tile->a_offset, b_step = tile->b_step;
    const uintptr_t a_ahead = (uintptr_t)tile->a_ahead, b_ahead_step = (uintptr_t)tile->b_ahead_step;
    uintptr_t b_ahead = (uintptr_t)tile->b_ahead;
    EACH_ROW(DECLARE_ROW)
    for (ptrdiff_t s = 0; s < tile->segments; s++) {
        const void *const *a = tile->a + s * ROWS;
        const T *b = tile->b[s];
        ptrdiff_t at = 0;
        EACH_ROW(POINT_ROW)
        for (ptrdiff_t from = 0; from < depth; from += line) {
            const ptrdiff_t to = from + line < depth ? from + line : depth;
            EACH_ROW(FETCH_ROW)
            for (ptrdiff_t k = from; k < to; k++) {
                __builtin_prefetch((const void *)b_ahead);
                b_ahead += b_ahead_step;
                EACH_VECTOR(LOAD_PANEL, 0)
                EACH_ROW(MULTIPLY_ROW)
                at += a_step;
                b += b_step;
            }
        }
    }
    EACH_ROW(STORE_ROW)
}

#if !defined(ONLY_TILES)
static void FC_PASTE(W(pack_tile), V)(const fc_tile *tile, void *packed)
{
    enum { lanes = W(LANES), ahead = 12 };
    const ptrdiff_t depth = tile->depth, a_offset = tile->a_offset, b_step = tile->b_step;
    const void *const *a = tile->a;
    const T *b = tile->b[0];
    T *p = packed;
    EACH_ROW(DECLARE_ROW)
    EACH_ROW(POINT_ROW)
    for (ptrdiff_t at = 0; at < depth; at++) {
        EACH_VECTOR(LOAD_PANEL, 0)
        const uintptr_t next = (uintptr_t)b + (uintptr_t)(ahead * b_step) * sizeof(T); /* may lie outside */
        __builtin_prefetch((const void *)next);
        __builtin_prefetch((const void *)(next + V * lanes * sizeof(T) - 1));
        EACH_VECTOR(STORE_PANEL, 0)
        EACH_ROW(MULTIPLY_ROW)
        b += b_step;
        p += V * lanes;
    }
    EACH_ROW(STORE_ROW)
}

#undef INIT_OFFSET
#undef C_OFFSET
#define INIT_OFFSET(t) 0
#define C_OFFSET(t) 0
static void FC_PASTE(W(shift_tile), V)(const fc_shift_tile *tile)
{
    enum { lanes = W(LANES), a_offset = 0 };
    const void *const *a = tile->a;
    EACH_ROW(DECLARE_ROW)
    EACH_ROW(POINT_ROW)
    for (ptrdiff_t at = 0; at < tile->depth; at++) {
        const T *b = (const T *)tile->b + tile->shift[at];
        EACH_VECTOR(LOAD_PANEL, 0)
        EACH_ROW(MULTIPLY_ROW)
    }
    EACH_ROW(STORE_ROW)
}

#endif

#undef EACH_VECTOR
#undef DECLARE_SUM
#undef LOAD_PANEL
#undef STORE_PANEL
#undef MULTIPLY_ADD
#undef STORE_SUM
#undef DECLARE_ROW
#undef FETCH_ROW
#undef POINT_ROW
#undef MULTIPLY_ROW
#undef STORE_ROW
#undef INIT_OFFSET
#undef C_OFFSET
#undef V
