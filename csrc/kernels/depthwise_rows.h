/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_rows.h -- V vectors of FC_DEPTHWISE_ROWS rows of one plane, from output column j on; see fc_depthwise_rows.
 * Included once per element type, STEP between columns and V. With seven rows and two vectors fourteen sums, a factor
 * and the image straight from memory fit sixteen registers, and maps of 7, 14, 28 … rows leave none over. */
#if V == 1
#define EACH_VECTOR(DO, r) DO(r, 0)
#else
#define EACH_VECTOR(DO, r) DO(r, 0) DO(r, 1)
#endif
#define DECLARE_SUM(r, v) W(vec) sum##r##v = W(zero)();
#define MULTIPLY_ADD(r, v) sum##r##v = W(fma)(factor, LOAD_ROW(x##r + at + v * STEP * lanes), sum##r##v);
#define STORE_SUM(r, v) W(store)((T *)d->y[r] + j + v * lanes, W(add)(bias, ORDERED(sum##r##v)));

#define DECLARE_ROW(r) EACH_VECTOR(DECLARE_SUM, r)
#define POINT_ROW(r) const T *x##r = rows[r];
#define MULTIPLY_ROW(r) EACH_VECTOR(MULTIPLY_ADD, r)
#define MULTIPLY_PART(r) sum##r##0 = W(fma)(factor, LOAD_PART(x##r + at, 0), sum##r##0);
#define STORE_ROW(r) EACH_VECTOR(STORE_SUM, r)

static void FC_PASTE(FC_PASTE(W(depthwise_inner), STEP), V)(const fc_depthwise_rows *d, ptrdiff_t j)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t columns = d->taps[1], step = d->column_step;
    const void *const *rows = d->x;
    const T *w = d->w;
    EACH_ROW_7(DECLARE_ROW)
    for (ptrdiff_t u = 0; u < d->taps[0]; u++, rows += FC_DEPTHWISE_ROWS) {
        ptrdiff_t at = j * STEP - d->left;
        EACH_ROW_7(POINT_ROW)
        for (ptrdiff_t v = 0; v < columns; v++, at += step) {
            const W(vec) factor = W(splat)(w++);
            EACH_ROW_7(MULTIPLY_ROW)
        }
    }
    const W(vec) bias = d->bias ? W(splat)(d->bias) : W(zero)();
    EACH_ROW_7(STORE_ROW)
}

#if V == 1
/* One vector whose taps lie outside the image for some lanes. */
static void FC_PASTE(W(depthwise_edge), STEP)(const fc_depthwise_rows *d, const fc_depthwise_edge *edge)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t columns = d->taps[1], step = d->column_step, j = edge->column;
    const void *const *rows = d->x;
    const T *w = d->w;
    EACH_ROW_7(DECLARE_ROW)
    for (ptrdiff_t u = 0; u < d->taps[0]; u++, rows += FC_DEPTHWISE_ROWS) {
        ptrdiff_t at = j * STEP - d->left;
        EACH_ROW_7(POINT_ROW)
        for (ptrdiff_t v = 0; v < columns; v++, at += step) {
            const W(vec) factor = W(splat)(w++);
            if (edge->whole[v]) {
                EACH_ROW_7(MULTIPLY_ROW)
            } else {
                LOAD_MASKS((const I *)edge->masks + v * STEP * lanes, 0)
                EACH_ROW_7(MULTIPLY_PART)
            }
        }
    }
    const W(vec) bias = d->bias ? W(splat)(d->bias) : W(zero)();
    EACH_ROW_7(STORE_ROW)
}
#endif

#undef EACH_VECTOR
#undef DECLARE_SUM
#undef MULTIPLY_ADD
#undef STORE_SUM
#undef DECLARE_ROW
#undef POINT_ROW
#undef MULTIPLY_ROW
#undef MULTIPLY_PART
#undef STORE_ROW
#undef V
