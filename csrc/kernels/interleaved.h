/* SPDX-License-Identifier: BSD-3-Clause */
/* interleaved.h -- see fc_interleaved. Included once per floating element type. The sums are named variables, as in
 * gemm_tile.h. */
_Static_assert(FC_INTERLEAVED_ROWS == 8, "EACH_LINE");
#define EACH_LINE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define START(r) W(vec) sum##r = W(zero)();
#define POINT(r) const T *x##r = (const T *)d->x + (r < d->rows ? r : d->rows - 1) * d->x_row + at;
#define ADD(r) sum##r = W(fma)(factor, W(load)(x##r + shift), sum##r);
#define KEEP(r) \
    if (r < d->rows) W(store_first)((T *)d->y + r * d->y_row + at, W(add)(bias, sum##r), count, end);

static void W(interleaved)(const fc_interleaved *d)
{
    enum { lanes = W(LANES) };
    ptrdiff_t channel = 0; /* of the first lane */
    for (ptrdiff_t at = 0; at < d->elements; at += lanes) {
        const T *w = (const T *)d->w + channel;
        const ptrdiff_t count = d->elements - at;
        EACH_LINE(START)
        EACH_LINE(POINT)
        for (ptrdiff_t t = 0; t < d->taps; t++, w += d->w_step) {
            const W(vec) factor = W(load)(w);
            const ptrdiff_t shift = d->shift[t];
            EACH_LINE(ADD)
        }
        const W(vec) bias = d->bias ? W(load)((const T *)d->bias + channel) : W(zero)();
        const W(mask) end = W(first_lanes)(count);
        EACH_LINE(KEEP)
        channel = (channel + lanes) % d->channels;
    }
}

#undef EACH_LINE
#undef START
#undef POINT
#undef ADD
#undef KEEP
