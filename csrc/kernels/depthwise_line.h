/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_line.h -- one vector of channels, from c on, of an fc_depthwise_line: nine factors stay in registers, and a
 * pixel that was loaded serves the three outputs of the row that it reaches. Outputs begin with every column, so that
 * chains enough overlap. Included once per element type. */
#define FACTOR(u, v) const W(vec) factor##u##v = W(load)(w + (3 * u + v) * d->w_step);
#define FACTORS(u) FACTOR(u, 0) FACTOR(u, 1) FACTOR(u, 2)
#define EACH_FACTOR FACTORS(0) FACTORS(1) FACTORS(2)
#define ADD_TAP(sum, u, v) sum = W(fma)(factor##u##v, x, sum);
#define EACH_TAP(DO, column)                    \
    if ((column) >= 0 && (column) < d->width) { \
        const ptrdiff_t at = (column) * pixel;  \
        if (x0) DO(0, x0)                       \
        if (x1) DO(1, x1)                       \
        if (x2) DO(2, x2)                       \
    }
#define POINT_ROW(u) const T *x##u = d->x[u] ? (const T *)d->x[u] + c : NULL;
#define EACH_INPUT_ROW POINT_ROW(0) POINT_ROW(1) POINT_ROW(2)

static void W(depthwise_line_part)(const fc_depthwise_line *d, ptrdiff_t c)
{
    const ptrdiff_t pixel = d->pixel, ahead = d->ahead * pixel * (ptrdiff_t)sizeof(T);
    const T *w = (const T *)d->w + c;
    T *y = (T *)d->y + c;
    const W(vec) bias = d->bias ? W(load)((const T *)d->bias + c) : W(zero)();
    W(vec) early = W(zero)(), late = W(zero)();
    EACH_FACTOR
    EACH_INPUT_ROW
    for (ptrdiff_t j = -2, column = d->left; j < d->outputs; j++, column++) {
        W(vec) last = W(zero)();
#define TAP(u, from)                                                 \
    {                                                                \
        const W(vec) x = W(load)(from + at);                         \
        if (u == 2) fc_fetch(from + at, ahead);                      \
        ADD_TAP(early, u, 2) ADD_TAP(late, u, 1) ADD_TAP(last, u, 0) \
    }
        EACH_TAP(TAP, column)
#undef TAP
        if (j >= 0) W(store)(y + j * pixel, W(add)(bias, early));
        early = late;
        late = last;
    }
}

static void W(depthwise_line)(const fc_depthwise_line *d)
{
    enum { lanes = W(LANES) };
    ptrdiff_t c = 0;
    for (; d->channels - c >= lanes; c += lanes) W(depthwise_line_part)(d, c);
    if (c < d->channels) W(depthwise_line_part)(d, d->channels - lanes);
}

#undef FACTOR
#undef FACTORS
#undef EACH_FACTOR
#undef ADD_TAP
#undef EACH_TAP
#undef POINT_ROW
#undef EACH_INPUT_ROW
