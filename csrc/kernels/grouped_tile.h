/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_tile.h -- OUTPUTS outputs of P pixels of an fc_group_tile, from pixel `first` on. Included once per element type,
 * OUTPUTS and P. */
#if P == 6
#define EACH_PIXEL(DO, o) DO(o, 0) DO(o, 1) DO(o, 2) DO(o, 3) DO(o, 4) DO(o, 5)
#elif P == 3
#define EACH_PIXEL(DO, o) DO(o, 0) DO(o, 1) DO(o, 2)
#else
#define EACH_PIXEL(DO, o) DO(o, 0)
#endif
#define EACH_OUTPUT FC_PASTE(GROUP_OUTPUTS, OUTPUTS)
#define POINT(o, p) const T *from##p = d->x[first + p];
#define START(o, p) W(vec) sum##o##p = W(zero)();
#define START_OUTPUT(o) EACH_PIXEL(START, o)
#define LOAD_X(o, p) const W(vec) x##p = W(load)(from##p + at);
#define ADD(o, p) sum##o##p = W(fma)(factor, x##p, sum##o##p);
#define ADD_OUTPUT(o)                                    \
    {                                                    \
        const W(vec) factor = W(load)(w + o * w_output); \
        EACH_PIXEL(ADD, o)                               \
    }
#define KEEP(o, p) W(store)((T *)d->y[first + p] + o * d->y_output, W(add)(bias, sum##o##p));
#define KEEP_OUTPUT(o)                                                                     \
    {                                                                                      \
        const W(vec) bias = d->bias ? W(load)((const T *)d->bias + o * lanes) : W(zero)(); \
        EACH_PIXEL(KEEP, o)                                                                \
    }

static void FC_PASTE(FC_PASTE(W(group_tile), OUTPUTS), P)(const fc_group_tile *d, ptrdiff_t first)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t members = d->members, x_member = d->x_member, w_member = d->w_member, w_output = d->w_output;
    EACH_PIXEL(POINT, 0)
    EACH_OUTPUT(START_OUTPUT)
    for (ptrdiff_t u = 0; u < d->taps[0]; u++)
        for (ptrdiff_t v = 0; v < d->taps[1]; v++) {
            const T *w = (const T *)d->w + u * d->w_tap[0] + v * d->w_tap[1];
            ptrdiff_t at = u * d->x_tap[0] + v * d->x_tap[1];
            for (ptrdiff_t m = 0; m < members; m++, at += x_member, w += w_member) {
                EACH_PIXEL(LOAD_X, 0)
                EACH_OUTPUT(ADD_OUTPUT)
            }
        }
    EACH_OUTPUT(KEEP_OUTPUT)
}

#undef EACH_PIXEL
#undef EACH_OUTPUT
#undef POINT
#undef START
#undef START_OUTPUT
#undef LOAD_X
#undef ADD
#undef ADD_OUTPUT
#undef KEEP
#undef KEEP_OUTPUT
#undef P
