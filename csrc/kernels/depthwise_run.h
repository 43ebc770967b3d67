/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_run.h -- P outputs of an fc_depthwise_run, from output j on. Included once per element type and P. */
#if P == 8
#define EACH_PIXEL(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#elif P == 4
#define EACH_PIXEL(DO) DO(0) DO(1) DO(2) DO(3)
#elif P == 2
#define EACH_PIXEL(DO) DO(0) DO(1)
#else
#define EACH_PIXEL(DO) DO(0)
#endif
#define START(p) W(vec) sum##p = W(zero)();
#define ADD(p) sum##p = W(fma)(factor, W(load)(x + p * x_step), sum##p);
#define KEEP(p) W(store)(y + p * y_step, W(add)(bias, sum##p));

static void FC_PASTE(W(depthwise_run_part), P)(const fc_depthwise_run *d, ptrdiff_t j)
{
    const ptrdiff_t x_step = d->x_step, y_step = d->y_step, x_tap = d->x_tap[1], w_tap = d->w_tap[1];
    EACH_PIXEL(START)
    for (ptrdiff_t u = 0; u < d->taps[0]; u++) {
        const T *w = (const T *)d->w + u * d->w_tap[0], *x = (const T *)d->x + j * x_step + u * d->x_tap[0];
        for (ptrdiff_t v = 0; v < d->taps[1]; v++, w += w_tap, x += x_tap) {
            const W(vec) factor = W(load)(w);
            EACH_PIXEL(ADD)
        }
    }
    const W(vec) bias = d->bias ? W(load)((const T *)d->bias) : W(zero)();
    T *y = (T *)d->y + j * y_step;
    EACH_PIXEL(KEEP)
}

#undef EACH_PIXEL
#undef START
#undef ADD
#undef KEEP
#undef P
