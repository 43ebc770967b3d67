/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_3x3.h -- one vector of columns of all rows of an fc_depthwise_plane, from output column j on: nine factors
 * stay in registers, and a row that was loaded serves all the outputs that it reaches, three with a step of one and two
 * with a step of two. Outputs begin with every row, so that chains enough overlap. Included once per element type, STEP
 * and EDGE: whether some taps of the columns are masked. */
#if EDGE
#define NAME depthwise_3x3_edge
#define LOAD_TAP(v) const W(vec) x = LOAD_PART(p + v * step, v);
#define EACH_MASK MASKS_OF(0) MASKS_OF(1) MASKS_OF(2)
#define MASKS_OF(v) LOAD_MASKS((const I *)edge->masks + v * STEP * lanes, v)
#else
#define NAME depthwise_3x3_inner
#define LOAD_TAP(v) const W(vec) x = LOAD_ROW(p + v * step);
#define EACH_MASK
#endif

#define FACTOR(u, v) const W(vec) factor##u##v = W(splat)((const T *)d->w + 3 * u + v);
#define FACTORS(u) FACTOR(u, 0) FACTOR(u, 1) FACTOR(u, 2)
#define EACH_FACTOR FACTORS(0) FACTORS(1) FACTORS(2)
#define ADD_TAP(sum, u, v) sum = W(fma)(factor##u##v, x, sum);
#define EACH_TAP(DO) DO(0) DO(1) DO(2)

/* A column of vectors meets a new cache line with every row. Of large maps it made 1.4 to 1.6 times as fast. */
#define ROWS_AHEAD 16

static void FC_PASTE(W(NAME), STEP)(const fc_depthwise_plane *d, ptrdiff_t j, const fc_depthwise_edge *edge)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t step = d->column_step, x_row = d->x_row, y_row = d->y_row, height = d->height, rows = d->rows;
    const ptrdiff_t room = d->room - lanes, ahead = ROWS_AHEAD * x_row * (ptrdiff_t)sizeof(T);
    const T *x_rows = (const T *)d->x + (j * STEP - d->left);
    T *y = d->y;
    (void)edge;
    EACH_MASK
    const W(vec) bias = d->bias ? W(splat)(d->bias) : W(zero)();
    W(vec) early = W(zero)(), late = W(zero)();
    EACH_FACTOR
#if STEP == 1
    for (ptrdiff_t i = -2, row = d->top; i < rows; i++, row++) {
        W(vec) last = W(zero)();
        if (row >= 0 && row < height) {
            const T *p = x_rows + row * x_row;
            fc_fetch(p + lanes, ahead);
#define TAP(v) {LOAD_TAP(v) ADD_TAP(early, 2, v) ADD_TAP(late, 1, v) ADD_TAP(last, 0, v)}
            EACH_TAP(TAP)
#undef TAP
        }
        if (i >= 0) W(store_within)(y, i * y_row + j, room, W(add)(bias, early));
        early = late;
        late = last;
    }
#else
    if (d->top >= 0 && d->top < height) {
        const T *p = x_rows + d->top * x_row;
#define TAP(v) {LOAD_TAP(v) ADD_TAP(early, 0, v)}
        EACH_TAP(TAP)
#undef TAP
    }
    for (ptrdiff_t i = 0, row = d->top + 1; i < rows; i++, row += 2) {
        if (row >= 0 && row < height) {
            const T *p = x_rows + row * x_row;
            fc_fetch(p + lanes, ahead);
#define TAP(v) {LOAD_TAP(v) ADD_TAP(early, 1, v)}
            EACH_TAP(TAP)
#undef TAP
        }
        late = W(zero)();
        if (row >= -1 && row + 1 < height) {
            const T *p = x_rows + (row + 1) * x_row;
            fc_fetch(p + lanes, ahead);
#define TAP(v) {LOAD_TAP(v) ADD_TAP(early, 2, v) ADD_TAP(late, 0, v)}
            EACH_TAP(TAP)
#undef TAP
        }
        W(store_within)(y, i * y_row + j, room, W(add)(bias, ORDERED(early)));
        early = late;
    }
#endif
}

#undef NAME
#undef ROWS_AHEAD
#undef LOAD_TAP
#undef EACH_MASK
#undef MASKS_OF
#undef FACTOR
#undef FACTORS
#undef EACH_FACTOR
#undef ADD_TAP
#undef EACH_TAP
