/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_line.h -- the kernels of a form along one axis, from the transforms of winograd.h. Included once per SHAPE and
 * TAPS; INPUTS have WINDOW frequencies and give OUTPUTS. Without RAISE there are no weights. */

static void FORM(input)(const fc_winograd_input *t)
{
    enum { lanes = W(LANES), inputs = INPUTS };
    T *v = t->v;
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, v += lanes) {
        W(vec) d[inputs], row[WINDOW];
        if (c + lanes <= t->channels) {
            for (int j = 0; j < inputs; j++) d[j] = W(load)((const T *)t->pixel[j] + c);
        } else {
            const W(mask) mask = W(first_lanes)(t->channels - c);
            for (int j = 0; j < inputs; j++) d[j] = W(load_masked)((const T *)t->pixel[j] + c, mask);
        }
        W(SPREAD)(d, row);
        for (int j = 0; j < WINDOW; j++) W(store)(v + j * step, row[j]);
    }
}

static void FORM(output)(const fc_winograd_output *t)
{
    enum { lanes = W(LANES), outputs = OUTPUTS };
    const W(vec) zero = W(zero)();
    W(vec) check = zero;
    const T *m = t->m;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, m += lanes) {
        const W(mask) mask = W(first_lanes)(t->channels - c);
        const W(vec) bias = t->bias ? W(load_first)((const T *)t->bias + c, t->channels - c, mask) : zero;
        W(vec) column[WINDOW], y[outputs];
        for (int j = 0; j < WINDOW; j++) column[j] = W(load)(m + j * t->frequency_step);
        W(GATHER)(column, y);
        for (int j = 0; j < outputs; j++) {
            const W(vec) value = W(add)(bias, y[j]);
            check = W(fma)(zero, value, check);
            if (t->pixel[j]) W(store_first)((T *)t->pixel[j] + c, value, t->channels - c, mask);
        }
    }
    *t->finite = W(all_zero)(check); /* 0 · NaN and 0 · infinity are NaN */
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
        for (int j = 0; j < TAPS; j++) g[j] = W(load_first)(w + j * step, t->filters - c, mask);
        W(RAISE)(g, spread);
        for (int j = 0; j < WINDOW; j++) W(store)(u + j * t->frequency_step, spread[j]);
    }
}
#endif

#undef SHAPE
#undef TAPS
#undef INPUTS
#undef WINDOW
#undef OUTPUTS
#undef SPREAD
#undef GATHER
#undef RAISE
