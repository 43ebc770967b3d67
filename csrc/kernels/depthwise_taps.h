/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_taps.h -- the gradient of U x V neighbouring taps over a rectangle of outputs; see fc_depthwise_taps. Of few
 * taps two chains each are under way, of even and odd columns, added at the end. Included once per element type, U and V.
 */
#if V == 1
#define EACH_COLUMN(DO, u) DO(u, 0)
#elif V == 2
#define EACH_COLUMN(DO, u) DO(u, 0) DO(u, 1)
#elif V == 3
#define EACH_COLUMN(DO, u) DO(u, 0) DO(u, 1) DO(u, 2)
#elif V == 4
#define EACH_COLUMN(DO, u) DO(u, 0) DO(u, 1) DO(u, 2) DO(u, 3)
#elif V == 5
#define EACH_COLUMN(DO, u) DO(u, 0) DO(u, 1) DO(u, 2) DO(u, 3) DO(u, 4)
#elif V == 6
#define EACH_COLUMN(DO, u) DO(u, 0) DO(u, 1) DO(u, 2) DO(u, 3) DO(u, 4) DO(u, 5)
#else
#define EACH_COLUMN(DO, u) DO(u, 0) DO(u, 1) DO(u, 2) DO(u, 3) DO(u, 4) DO(u, 5) DO(u, 6)
#endif
#if U == 1
#define EACH_TAP(DO) EACH_COLUMN(DO, 0)
#else
#define EACH_TAP(DO) EACH_COLUMN(DO, 0) EACH_COLUMN(DO, 1) EACH_COLUMN(DO, 2)
#endif
#define TWICE (U * V < 6)
#define START(u, v) W(vec) even##u##v = W(zero)();
#define START_ODD(u, v) W(vec) odd##u##v = W(zero)();
#define ADD(u, v) even##u##v = W(fma)(g0, W(load)(x + u * row_step + v * step), even##u##v);
#define ADD_ODD(u, v) odd##u##v = W(fma)(g1, W(load)(x + x_pixel + u * row_step + v * step), odd##u##v);
#define JOIN(u, v) even##u##v = W(add)(even##u##v, odd##u##v);
#define KEEP(u, v)                                          \
    {                                                       \
        T *sum = (T *)d->sums + u * d->sum_row + v * lanes; \
        W(store)(sum, W(add)(W(load)(sum), even##u##v));    \
    }

static void FC_PASTE(FC_PASTE(W(depthwise_taps), U), V)(const fc_depthwise_taps *d)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t x_pixel = d->x_pixel, g_pixel = d->grad_pixel, step = d->tap_step[1], row_step = d->tap_step[0],
                    columns = d->columns;
    (void)row_step;
    EACH_TAP(START)
#if TWICE
    EACH_TAP(START_ODD)
#endif
    for (ptrdiff_t i = 0; i < d->rows; i++) {
        const T *g = (const T *)d->grad + i * d->grad_row, *x = (const T *)d->x + i * d->x_row;
        ptrdiff_t j = 0;
#if TWICE
        for (; columns - j >= 2; j += 2, g += 2 * g_pixel, x += 2 * x_pixel) {
            const W(vec) g0 = W(load)(g), g1 = W(load)(g + g_pixel);
            EACH_TAP(ADD)
            EACH_TAP(ADD_ODD)
        }
#endif
        for (; j < columns; j++, g += g_pixel, x += x_pixel) {
            const W(vec) g0 = W(load)(g);
            EACH_TAP(ADD)
        }
    }
#if TWICE
    EACH_TAP(JOIN)
#endif
    EACH_TAP(KEEP)
}

#undef EACH_COLUMN
#undef EACH_TAP
#undef TWICE
#undef START
#undef START_ODD
#undef ADD
#undef ADD_ODD
#undef JOIN
#undef KEEP
#undef V
