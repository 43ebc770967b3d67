/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_pixels.h -- V vectors of a group's outputs for P pixels, see fc_group_pixels, or for P weights, see
 * fc_group_weights. Some steps of the depth at a time, so that a pointer serves all of them. Included once per element type,
 * V, and whether P is the number of FEWER pixels. */
#if FEWER
#define P FC_PASTE(GROUP_FEWER, V)
#else
#define P FC_PASTE(GROUP_PIXELS, V)
#endif
#if V == 1
#define STEPS GROUP_STEPS_1
#define EACH_VECTOR(DO, a) DO(a, 0)
#else
#define STEPS GROUP_STEPS_2
#define EACH_VECTOR(DO, a) DO(a, 0) DO(a, 1)
#endif
#define EACH_PIXEL FC_PASTE(GROUP_EACH, P)
#define EACH_STEP FC_PASTE(GROUP_STEP_EACH, STEPS)

#define START(p, v) W(vec) sum##p##_##v = W(zero)();
#define START_PIXEL(p) EACH_VECTOR(START, p)
#define LOAD_W(k, v) const W(vec) w##k##_##v = W(load)(w + W_AT(k, v));
#define LOAD_STEP(p, k) EACH_VECTOR(LOAD_W, k)
#define ADD_STEP_1(p, k) sum##p##_0 = W(fma)(W(splat)(x + X_AT(k)), w##k##_0, sum##p##_0);
#define ADD_STEP_2(p, k)                                   \
    {                                                      \
        const W(vec) factor = W(splat)(x + X_AT(k));       \
        sum##p##_0 = W(fma)(factor, w##k##_0, sum##p##_0); \
        sum##p##_1 = W(fma)(factor, w##k##_1, sum##p##_1); \
    }
#define ADD_STEP FC_PASTE(ADD_STEP, V)
#define ADD_PIXEL(p)                          \
    {                                         \
        const T *x = (const T *)d->x[p] + at; \
        EACH_STEP(ADD_STEP, p)                \
    }
#define ADD_LAST(p)                           \
    {                                         \
        const T *x = (const T *)d->x[p] + at; \
        ADD_STEP(p, 0)                        \
    }
/* The second vector may overlap the first. */
#define FINISH(p, v) const W(vec) value##v = W(add)(d->add ? W(load)(y + v * second) : bias##v, sum##p##_##v);
#define KEEP(p, v) W(store)(y + v * second, value##v);
#define KEEP_PIXEL(p)          \
    {                          \
        T *y = d->y[p];        \
        EACH_VECTOR(FINISH, p) \
        EACH_VECTOR(KEEP, p)   \
    }
#define LOAD_BIAS(p, v) const W(vec) bias##v = d->bias ? W(load)((const T *)d->bias + v * second) : W(zero)();

#define X_AT(k) (k)
#define W_AT(k, v) ((k * V + v) * lanes)
static void FC_PASTE(FC_PASTE(W(group_pixels), V), FEWER)(const fc_group_pixels *d)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t depth = d->depth, second = d->second;
    const T *w = d->w;
    (void)second;
    EACH_PIXEL(START_PIXEL)
    for (ptrdiff_t s = 0; s < d->segments; s++) {
        ptrdiff_t at = d->at[s], k = 0;
        for (; depth - k >= STEPS; k += STEPS, at += STEPS, w += STEPS * V * lanes) {
            EACH_STEP(LOAD_STEP, 0)
            EACH_PIXEL(ADD_PIXEL)
        }
        for (; k < depth; k++, at++, w += V * lanes) {
            LOAD_STEP(0, 0)
            EACH_PIXEL(ADD_LAST)
        }
    }
    EACH_VECTOR(LOAD_BIAS, 0)
    EACH_PIXEL(KEEP_PIXEL)
}

#undef X_AT
#undef W_AT

#if !FEWER
#define X_AT(k) ((k) * x_pixel)
#define W_AT(k, v) ((k) * grad_pixel + (v) * second)
#define ADD_TO(p, v)                                         \
    {                                                        \
        T *sums = (T *)d->sums + (p * V + v) * lanes;        \
        W(store)(sums, W(add)(W(load)(sums), sum##p##_##v)); \
    }
#define ADD_ROW(p) EACH_VECTOR(ADD_TO, p)
static void FC_PASTE(W(group_weights), V)(const fc_group_weights *d)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t columns = d->columns, x_pixel = d->x_pixel, grad_pixel = d->grad_pixel, second = d->second;
    (void)second;
    EACH_PIXEL(START_PIXEL)
    for (ptrdiff_t i = 0; i < d->rows; i++) {
        const T *w = (const T *)d->grad + i * d->grad_row;
        ptrdiff_t at = i * d->x_row, j = 0;
        for (; columns - j >= STEPS; j += STEPS, at += STEPS * x_pixel, w += STEPS * grad_pixel) {
            EACH_STEP(LOAD_STEP, 0)
            EACH_PIXEL(ADD_PIXEL)
        }
        for (; j < columns; j++, at += x_pixel, w += grad_pixel) {
            LOAD_STEP(0, 0)
            EACH_PIXEL(ADD_LAST)
        }
    }
    EACH_PIXEL(ADD_ROW)
}

#undef X_AT
#undef W_AT
#undef ADD_TO
#undef ADD_ROW
#endif

#undef EACH_VECTOR
#undef EACH_PIXEL
#undef EACH_STEP
#undef START
#undef START_PIXEL
#undef LOAD_W
#undef LOAD_STEP
#undef ADD_STEP_1
#undef ADD_STEP_2
#undef ADD_STEP
#undef ADD_PIXEL
#undef ADD_LAST
#undef FINISH
#undef KEEP
#undef KEEP_PIXEL
#undef LOAD_BIAS
#undef P
#undef STEPS
#undef V
#undef FEWER
