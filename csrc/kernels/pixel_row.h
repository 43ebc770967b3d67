/* SPDX-License-Identifier: BSD-3-Clause */
/* pixel_row.h -- a row of outputs, V vectors wide, in tiles of ROWS; see fc_pixel_row. Included once per element type and V.
 * The sums are named variables, as in gemm_tile.h. */
#define EACH_VECTOR FC_PASTE(EACH_VECTOR, V)
#define LOAD_START(r, v) const W(vec) start##v = init ? W(load_first)(init + v * lanes, FILLED(v)) : W(zero)();
#define DECLARE_SUM(r, v) W(vec) sum##r##v = W(zero)();
#define LOAD_B(r, v) const W(vec) b##v = W(load)(b + v * lanes);
#define MULTIPLY_ADD(r, v) sum##r##v = W(fma)(factor, b##v, sum##r##v);
#define STORE_SUM(r, v) W(store_first)(c + r * c_step + v * lanes, W(add)(start##v, sum##r##v), FILLED(v));
#define FILLED(v) (v < V - 1 ? lanes : p->columns - v * lanes), end

#define DECLARE_ROW(r) EACH_VECTOR(DECLARE_SUM, r)
#define MULTIPLY_ROW(r)                                 \
    {                                                   \
        const W(vec) factor = W(splat)(a + r * a_step); \
        EACH_VECTOR(MULTIPLY_ADD, r)                    \
    }
#define STORE_ROW(r) EACH_VECTOR(STORE_SUM, r)

static void FC_PASTE(W(pixel_row), V)(const fc_pixel_row *p)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t a_step = p->a_step, c_step = p->c_step, depth = p->depth;
    const T *init = p->init;
    const W(mask) end = W(first_lanes)(p->columns - (V - 1) * lanes);
    for (ptrdiff_t j = 0; j < p->outputs; j += ROWS) {
        const ptrdiff_t first = j + ROWS <= p->outputs ? j : p->outputs - ROWS;
        const T *b = p->b;
        T *c = (T *)p->c + first * c_step;
        EACH_ROW(DECLARE_ROW)
        for (ptrdiff_t u = 0; u < p->segments; u++) {
            const T *a = (const T *)p->a + u * p->a_row + first * a_step;
            for (ptrdiff_t k = 0; k < depth; k++, a++, b += V * lanes) {
                EACH_VECTOR(LOAD_B, 0)
                EACH_ROW(MULTIPLY_ROW)
            }
        }
        EACH_VECTOR(LOAD_START, 0)
        EACH_ROW(STORE_ROW)
    }
}

#undef EACH_VECTOR
#undef LOAD_START
#undef DECLARE_SUM
#undef LOAD_B
#undef MULTIPLY_ADD
#undef STORE_SUM
#undef FILLED
#undef DECLARE_ROW
#undef MULTIPLY_ROW
#undef STORE_ROW
#undef V
