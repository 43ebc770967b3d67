/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_nhwc.h -- the transforms of winograd.h on pixels: lanes are the channels of one tile. */

static void W(winograd_input_nhwc)(const fc_winograd_pixel_input *t)
{
    enum { lanes = W(LANES) };
    T *v = t->v;
    const ptrdiff_t step = t->frequency_step;
    I tail[lanes];
    for (int l = 0; l < lanes; l++) tail[l] = l < t->channels % lanes ? -1 : 0;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, v += lanes) {
        W(vec) half[6][6], d[6], row[6];
        for (int j = 0; j < 6; j++) {
            if (c + lanes <= t->channels)
                for (int i = 0; i < 6; i++) d[i] = W(load)((const T *)t->pixel[i][j] + c);
            else
                for (int i = 0; i < 6; i++) d[i] = W(load_masked)((const T *)t->pixel[i][j] + c, W(mask_load)(tail));
            W(spread6)(d, row);
            for (int i = 0; i < 6; i++) half[i][j] = row[i];
        }
        for (int i = 0; i < 6; i++) {
            W(spread6)(half[i], row);
            for (int j = 0; j < 6; j++) W(store)(v + (i * 6 + j) * step, row[j]);
        }
    }
}

static void W(winograd_output_nhwc)(const fc_winograd_pixel_output *t)
{
    enum { lanes = W(LANES) };
    const W(vec) zero = W(zero)();
    W(vec) check = zero;
    const T *m = t->m;
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, m += lanes) {
        const ptrdiff_t used = t->channels - c;
        const W(vec) bias = t->bias ? W(load_filters)((const T *)t->bias + c, 1, used) : zero;
        W(vec) half[4][6], column[6], y[4];
        for (int j = 0; j < 6; j++) {
            for (int i = 0; i < 6; i++) column[i] = W(load)(m + (i * 6 + j) * step);
            W(gather4)(column, y);
            for (int i = 0; i < 4; i++) half[i][j] = y[i];
        }
        for (int i = 0; i < 4; i++) {
            W(gather4)(half[i], y);
            for (int j = 0; j < 4; j++) {
                T *to = t->pixel[i][j], lane[lanes];
                y[j] = W(add)(bias, y[j]);
                check = W(fma)(zero, y[j], check);
                if (!to) continue;
                if (used >= lanes) {
                    W(store)(to + c, y[j]);
                } else {
                    W(store)(lane, y[j]);
                    for (ptrdiff_t l = 0; l < used; l++) to[c + l] = lane[l];
                }
            }
        }
    }
    *t->finite = W(all_zero)(check);
}
