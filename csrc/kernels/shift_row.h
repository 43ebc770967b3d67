/* SPDX-License-Identifier: BSD-3-Clause */
/* shift_row.h -- one row of V vectors of an fc_shift_tile: twelve sums keep two multiplying units busy, with one factor
 * and the window straight from memory they fill sixteen registers. Included once per element type and V. */
#if V == 1
#define EACH_VECTOR(DO) DO(0)
#elif V == 4
#define EACH_VECTOR(DO) DO(0) DO(1) DO(2) DO(3)
#else
#define EACH_VECTOR(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#endif

#define DECLARE_SUM(v) W(vec) sum##v = W(zero)();
#define MULTIPLY_ADD(v) sum##v = W(fma)(factor, W(load)(b + v * lanes), sum##v);
#define STORE_SUM(v) W(store)(c + v * lanes, W(add)(W(load)(init + v * tile->init_step), sum##v));

static void FC_PASTE(W(shift_row), V)(const fc_shift_tile *tile)
{
    enum { lanes = W(LANES) };
    const T *a = tile->a[0], *init = tile->init[0];
    T *c = tile->c[0];
    EACH_VECTOR(DECLARE_SUM)
    for (ptrdiff_t at = 0; at < tile->depth; at++) {
        const T *b = (const T *)tile->b + tile->shift[at];
        const W(vec) factor = W(splat)(a + at);
        EACH_VECTOR(MULTIPLY_ADD)
    }
    EACH_VECTOR(STORE_SUM)
}

#undef EACH_VECTOR
#undef DECLARE_SUM
#undef MULTIPLY_ADD
#undef STORE_SUM
#undef V
