/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_nchw.h -- the transforms of winograd.h on planes: lanes are the tiles of one tile row. Neighbouring tiles
 * share columns, so a row of inputs is transformed downwards first, as it lies, and taken apart into tiles behind that. */

static inline void W(store_first)(T *to, W(vec) v, ptrdiff_t count)
{
    T lane[W(LANES)];
    W(store)(lane, v);
    for (ptrdiff_t l = 0; l < count; l++) to[l] = lane[l];
}

static void W(winograd_input_nchw)(const fc_winograd_plane_input *t)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t h_row = t->h_row, used = t->left + t->columns, step = t->frequency_step, room = t->room;
    const uintptr_t next_plane = (uintptr_t)t->next_plane * sizeof(T);
    T *h = t->h, *zeros = h + 6 * h_row;
    const T *rows[6];
    W(vec) d[6], v[6];
    I tail[lanes];
    for (int l = 0; l < lanes; l++) tail[l] = l < t->columns % lanes ? -1 : 0;
    for (ptrdiff_t x = 0; x < h_row; x++) zeros[x] = 0;
    for (int i = 0; i < 6; i++) {
        rows[i] = t->row[i] ? t->row[i] : zeros;
        for (ptrdiff_t x = 0; x < t->left; x++) h[i * h_row + x] = 0;
        for (ptrdiff_t x = used; x < h_row; x++) h[i * h_row + x] = 0;
    }
    for (ptrdiff_t x = 0; x < t->columns; x += lanes) {
        for (int i = 0; i < 6; i++) __builtin_prefetch((const void *)((uintptr_t)(rows[i] + x) + next_plane));
        if (x + lanes <= t->columns)
            for (int i = 0; i < 6; i++) d[i] = W(load)(rows[i] + x);
        else
            for (int i = 0; i < 6; i++) d[i] = W(load_masked)(rows[i] + x, W(mask_load)(tail));
        W(spread6)(d, v);
        for (int i = 0; i < 6; i++) W(store)(h + i * h_row + t->left + x, v[i]);
    }
    for (int i = 0; i < 6; i++, h += h_row) {
        W(vec) here[4], next[4];
        T *to = (T *)t->v + i * 6 * step;
        W(load_apart4)(h, next);
        for (ptrdiff_t x = 0; x < t->tiles; x += lanes, to += lanes) {
            for (int j = 0; j < 4; j++) here[j] = next[j];
            W(load_apart4)(h + 4 * (x + lanes), next);
            for (int j = 0; j < 4; j++) d[j] = here[j];
            d[4] = W(next_lane)(here[0], next[0]);
            d[5] = W(next_lane)(here[1], next[1]);
            W(spread6)(d, v);
            if (x + lanes <= room)
                for (int j = 0; j < 6; j++) W(store)(to + j * step, v[j]);
            else
                for (int j = 0; j < 6; j++) W(store_first)(to + j * step, v[j], room - x);
        }
    }
}

static void W(winograd_output_nchw)(const fc_winograd_plane_output *t)
{
    enum { lanes = W(LANES) };
    const W(vec) bias = W(splat)(t->bias), zero = W(zero)();
    W(vec) check = zero;
    const T *m = t->m;
    const ptrdiff_t step = t->frequency_step, y_row = t->y_row;
    T *to = t->y;
    for (ptrdiff_t x = 0; x < t->vectors; x++, m += lanes, to += 4 * lanes) {
        W(vec) half[4][6], column[6], y[4];
        for (int j = 0; j < 6; j++) {
            for (int i = 0; i < 6; i++) column[i] = W(load)(m + (i * 6 + j) * step);
            W(gather4)(column, y);
            for (int i = 0; i < 4; i++) half[i][j] = y[i];
        }
        for (int i = 0; i < 4; i++) {
            W(gather4)(half[i], y);
            for (int j = 0; j < 4; j++) {
                y[j] = W(add)(bias, y[j]);
                check = W(fma)(zero, y[j], check);
            }
            W(store_together4)(to + i * y_row, y);
        }
    }
    *t->finite = W(all_zero)(check); /* 0 · NaN and 0 · infinity are NaN */
}
