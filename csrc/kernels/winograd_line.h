/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_line.h -- the kernels of a form along one axis, from the transforms of winograd.h. Included once per SHAPE and
 * TAPS; INPUTS have WINDOW frequencies and give OUTPUTS. Without RAISE there are no weights. */

/* Vectors of channels as in winograd_square.h. */
static inline void FORM(input_vector)(const fc_winograd_input *t, ptrdiff_t c, T *v, bool full)
{
    enum { inputs = INPUTS };
    const W(mask) mask = W(first_lanes)(t->channels - c);
    W(vec) d[inputs], row[WINDOW];
    UNROLL
    for (int j = 0; j < inputs; j++) {
        const T *pixel = (const T *)t->pixel[j] + c;
        d[j] = full ? W(load)(pixel) : W(load_masked)(pixel, mask);
    }
    W(SPREAD)(d, row);
    UNROLL
    for (int j = 0; j < WINDOW; j++) W(store)(v + j * t->frequency_step, row[j]);
}

static inline void FORM(output_vector)(const fc_winograd_output *t, ptrdiff_t c, bool full, W(vec) check[OUTPUTS])
{
    enum { outputs = OUTPUTS };
    const ptrdiff_t left = t->channels - c;
    const T *m = (const T *)t->m + c, *from = t->bias ? (const T *)t->bias + c : NULL;
    const W(mask) mask = W(first_lanes)(left);
    const W(vec) zero = W(zero)();
    const W(vec) bias = !from ? zero : full ? W(load)(from) : W(load_first)(from, left, mask);
    W(vec) column[WINDOW], y[outputs];
    UNROLL
    for (int j = 0; j < WINDOW; j++) column[j] = W(load)(m + j * t->frequency_step);
    W(GATHER)(column, y);
    UNROLL
    for (int j = 0; j < outputs; j++) {
        const W(vec) value = W(add)(bias, y[j]);
        T *to = t->pixel[j];
        check[j] = W(fma)(zero, value, check[j]);
        if (full)
            W(store)(to + c, value);
        else if (to)
            W(store_first)(to + c, value, left, mask);
    }
}

#ifdef RAISE
static void FORM(weights)(const fc_winograd_weights *t)
{
    enum { lanes = W(LANES) };
    const T *w = t->w;
    T *u = t->u;
    const ptrdiff_t step = t->tap_step[0] ? t->tap_step[0] : t->tap_step[1];
    for (ptrdiff_t c = 0; c < t->filters; c += lanes, w += lanes, u += lanes) {
        const W(mask) mask = W(first_lanes)(t->filters - c);
        W(vec) g[TAPS], spread[WINDOW];
        UNROLL
        for (int j = 0; j < TAPS; j++) g[j] = W(load_first)(w + j * step, t->filters - c, mask);
        W(RAISE)(g, spread);
        UNROLL
        for (int j = 0; j < WINDOW; j++) W(store)(u + j * t->frequency_step, spread[j]);
    }
}
#endif

#include "kernels/winograd_form.h"
