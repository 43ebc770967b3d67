/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_square.h -- the kernels of a form along both axes, from the transforms of winograd.h. Included once per SHAPE and
 * TAPS; INPUTS along an axis have WINDOW frequencies and give OUTPUTS. Without RAISE there are no weights. */

static void FORM(input)(const fc_winograd_input *t)
{
    enum { lanes = W(LANES), inputs = INPUTS };
    T *v = t->v;
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, v += lanes) {
        const W(mask) mask = W(first_lanes)(t->channels - c);
        W(vec) half[WINDOW][inputs], d[inputs], row[WINDOW];
        for (int j = 0; j < inputs; j++) {
            if (c + lanes <= t->channels)
                for (int i = 0; i < inputs; i++) d[i] = W(load)((const T *)t->pixel[i * inputs + j] + c);
            else
                for (int i = 0; i < inputs; i++) d[i] = W(load_masked)((const T *)t->pixel[i * inputs + j] + c, mask);
            W(SPREAD)(d, row);
            for (int i = 0; i < WINDOW; i++) half[i][j] = row[i];
        }
        for (int i = 0; i < WINDOW; i++) {
            W(SPREAD)(half[i], row);
            for (int j = 0; j < WINDOW; j++) W(store)(v + (i * WINDOW + j) * step, row[j]);
        }
    }
}

static void FORM(output)(const fc_winograd_output *t)
{
    enum { lanes = W(LANES), outputs = OUTPUTS };
    const W(vec) zero = W(zero)();
    W(vec) check = zero;
    const T *m = t->m;
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, m += lanes) {
        const W(mask) mask = W(first_lanes)(t->channels - c);
        const W(vec) bias = t->bias ? W(load_first)((const T *)t->bias + c, t->channels - c, mask) : zero;
        W(vec) half[outputs][WINDOW], column[WINDOW], y[outputs];
        for (int j = 0; j < WINDOW; j++) {
            for (int i = 0; i < WINDOW; i++) column[i] = W(load)(m + (i * WINDOW + j) * step);
            W(GATHER)(column, y);
            for (int i = 0; i < outputs; i++) half[i][j] = y[i];
        }
        for (int i = 0; i < outputs; i++) {
            W(GATHER)(half[i], y);
            for (int j = 0; j < outputs; j++) {
                const W(vec) value = W(add)(bias, y[j]);
                T *to = t->pixel[i * outputs + j];
                check = W(fma)(zero, value, check);
                if (to) W(store_first)(to + c, value, t->channels - c, mask);
            }
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
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->filters; c += lanes, w += lanes, u += lanes) {
        const W(mask) mask = W(first_lanes)(t->filters - c);
        W(vec) half[WINDOW][TAPS], g[TAPS], spread[WINDOW];
        for (int j = 0; j < TAPS; j++) {
            for (int i = 0; i < TAPS; i++)
                g[i] = W(load_first)(w + i * t->tap_step[0] + j * t->tap_step[1], t->filters - c, mask);
            W(RAISE)(g, spread);
            for (int i = 0; i < WINDOW; i++) half[i][j] = spread[i];
        }
        for (int i = 0; i < WINDOW; i++) {
            W(RAISE)(half[i], spread);
            for (int j = 0; j < WINDOW; j++) W(store)(u + (i * WINDOW + j) * step, spread[j]);
        }
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
