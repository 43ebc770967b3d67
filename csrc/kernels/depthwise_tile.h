/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_tile.h -- V vectors of channels, from c on, of P pixels; see fc_depthwise_pixels. Included once per element
 * type, P and V. With 6 pixels and two vectors twelve sums, two factors and the pixels straight from memory fill sixteen
 * registers; a single pixel takes more vectors, so that enough sums are under way. */
#if P == 1
#define EACH_PIXEL(DO) DO(0)
#else
#define EACH_PIXEL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#endif
#if V == 1
#define EACH_VECTOR(DO, p) DO(p, 0)
#elif V == 2
#define EACH_VECTOR(DO, p) DO(p, 0) DO(p, 1)
#else
#define EACH_VECTOR(DO, p) DO(p, 0) DO(p, 1) DO(p, 2) DO(p, 3) DO(p, 4) DO(p, 5)
#endif

#define DECLARE_SUM(p, v) W(vec) sum##p##v = W(zero)();
#define LOAD_FACTOR(p, v) const W(vec) factor##v = W(load)(w + v * lanes);
#define MULTIPLY_ADD(p, v) sum##p##v = W(fma)(factor##v, W(load)(x##p + at + v * lanes), sum##p##v);
#define LOAD_BIAS(p, v) const W(vec) bias##v = bias ? W(load)(bias + c + v * lanes) : W(zero)();
#define STORE_SUM(p, v) W(store)(y + v * lanes, W(add)(bias##v, sum##p##v));

#define DECLARE_PIXEL(p) EACH_VECTOR(DECLARE_SUM, p)
#define POINT_PIXEL(p) const T *x##p = (const T *)d->x[p] + c;
#define MULTIPLY_PIXEL(p) EACH_VECTOR(MULTIPLY_ADD, p)
#define STORE_PIXEL(p)            \
    {                             \
        T *y = (T *)d->y[p] + c;  \
        EACH_VECTOR(STORE_SUM, p) \
    }

static void FC_PASTE(FC_PASTE(W(depthwise_tile), P), V)(const fc_depthwise_pixels *d, ptrdiff_t c)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t columns = d->taps[1], x_step = d->x_step[1], w_step = d->w_step[1];
    const T *bias = d->bias;
    EACH_PIXEL(DECLARE_PIXEL)
    EACH_PIXEL(POINT_PIXEL)
    for (ptrdiff_t u = 0; u < d->taps[0]; u++) {
        const T *w = (const T *)d->w + u * d->w_step[0] + c;
        ptrdiff_t at = u * d->x_step[0];
        for (ptrdiff_t v = 0; v < columns; v++) {
            EACH_VECTOR(LOAD_FACTOR, 0)
            EACH_PIXEL(MULTIPLY_PIXEL)
            at += x_step;
            w += w_step;
        }
    }
    EACH_VECTOR(LOAD_BIAS, 0)
    EACH_PIXEL(STORE_PIXEL)
}

#undef EACH_PIXEL
#undef EACH_VECTOR
#undef DECLARE_SUM
#undef LOAD_FACTOR
#undef MULTIPLY_ADD
#undef LOAD_BIAS
#undef STORE_SUM
#undef DECLARE_PIXEL
#undef POINT_PIXEL
#undef MULTIPLY_PIXEL
#undef STORE_PIXEL
#undef V
