/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_square.h -- the kernels of a form along both axes, from the transforms of winograd.h. Included once per SHAPE and
 * TAPS; INPUTS along an axis have WINDOW frequencies and give OUTPUTS. Without RAISE there are no weights. */

/* A vector of channels; `full` where all of its lanes are channels. */
static inline void FORM(input_vector)(const fc_winograd_input *t, ptrdiff_t c, T *v, bool full)
{
    enum { inputs = INPUTS };
    const ptrdiff_t step = t->frequency_step;
    const W(mask) mask = W(first_lanes)(t->channels - c);
    W(vec) half[WINDOW][inputs], d[inputs], row[WINDOW];
    UNROLL
    for (int j = 0; j < inputs; j++) {
        UNROLL
        for (int i = 0; i < inputs; i++) {
            const T *pixel = (const T *)t->pixel[i * inputs + j] + c;
            d[i] = full ? W(load)(pixel) : W(load_masked)(pixel, mask);
            if (t->pixel_ahead) fc_fetch(pixel, t->pixel_ahead);
        }
        W(SPREAD)(d, row);
        UNROLL
        for (int i = 0; i < WINDOW; i++) half[i][j] = row[i];
    }
    UNROLL
    for (int i = 0; i < WINDOW; i++) {
        W(SPREAD)(half[i], row);
        UNROLL
        for (int j = 0; j < WINDOW; j++) W(store)(v + (i * WINDOW + j) * step, row[j]);
    }
}

/* A vector of channels; `full` where all of its lanes are channels, and all outputs have a pixel. The checks become NaN
 * where an output is not finite: 0 · NaN and 0 · infinity are NaN. */
static inline void FORM(output_vector)(const fc_winograd_output *t, ptrdiff_t c, bool full, W(vec) check[OUTPUTS])
{
    enum { outputs = OUTPUTS };
    const ptrdiff_t step = t->frequency_step, left = t->channels - c;
    const T *m = (const T *)t->m + c, *from = t->bias ? (const T *)t->bias + c : NULL;
    const W(mask) mask = W(first_lanes)(left);
    const W(vec) zero = W(zero)();
    const W(vec) bias = !from ? zero : full ? W(load)(from) : W(load_first)(from, left, mask);
    W(vec) half[outputs][WINDOW], column[WINDOW], y[outputs];
    UNROLL
    for (int j = 0; j < WINDOW; j++) {
        UNROLL
        for (int i = 0; i < WINDOW; i++) column[i] = W(load)(m + (i * WINDOW + j) * step);
        W(GATHER)(column, y);
        UNROLL
        for (int i = 0; i < outputs; i++) half[i][j] = y[i];
    }
    UNROLL
    for (int i = 0; i < outputs; i++) {
        W(GATHER)(half[i], y);
        UNROLL
        for (int j = 0; j < outputs; j++) {
            const W(vec) value = W(add)(bias, y[j]);
            T *to = t->pixel[i * outputs + j];
            check[j] = W(fma)(zero, value, check[j]);
            if (full)
                W(store)(to + c, value);
            else if (to)
                W(store_first)(to + c, value, left, mask);
        }
    }
}

#ifdef RAISE
static void FORM(weights)(const fc_winograd_weights *t)
{
    enum { lanes = W(LANES) };
    const T *w = t->w;
    T *u = t->u;
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->filters; c += lanes, w += lanes, u += lanes) {
        const W(mask) mask = W(first_lanes)(t->filters - c);
        W(vec) half[WINDOW][TAPS], g[TAPS], spread[WINDOW];
        UNROLL
        for (int j = 0; j < TAPS; j++) {
            UNROLL
            for (int i = 0; i < TAPS; i++)
                g[i] = W(load_first)(w + i * t->tap_step[0] + j * t->tap_step[1], t->filters - c, mask);
            W(RAISE)(g, spread);
            UNROLL
            for (int i = 0; i < WINDOW; i++) half[i][j] = spread[i];
        }
        UNROLL
        for (int i = 0; i < WINDOW; i++) {
            W(RAISE)(half[i], spread);
            UNROLL
            for (int j = 0; j < WINDOW; j++) W(store)(u + (i * WINDOW + j) * step, spread[j]);
        }
    }
}
#endif

#include "kernels/winograd_form.h"
