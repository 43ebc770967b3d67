/* SPDX-License-Identifier: BSD-3-Clause */
/* pack.h -- panels of shifted windows, and the masks that cut them off at the border; see fc_pack and
 * fc_window_masks. Bits are moved, not computed with, so integers of the same width share these. */

/* How one vector of one tap is fetched, the same for every plane: decided once a panel, in few enough pieces to stay in
 * the first-level cache. */
typedef struct W(move) {
    enum { W(MOVE_WHOLE), W(MOVE_EVEN), W(MOVE_ONE_RUN), W(MOVE_RUNS), W(MOVE_ANY) } kind;
    int runs;
    ptrdiff_t at[FC_MAX_RUNS]; /* from the plane's start */
    const I *index;
    I mask[FC_MAX_RUNS][W(LANES)];
} W(move);

static inline void W(find_move)(W(move) * move, const fc_lanes *lanes, ptrdiff_t offset, const I *mask, bool whole)
{
    const I(*run)[FC_MAX_LANES] = lanes->run_mask.S;
    move->at[0] = lanes->base[0] + offset;
    if (whole && (lanes->full || lanes->pattern == FC_LANES_EVEN)) {
        move->kind = lanes->full ? W(MOVE_WHOLE) : W(MOVE_EVEN);
        return;
    }
    move->runs = lanes->pattern == FC_LANES_RUNS ? lanes->runs : 1;
    move->index = lanes->index.S;
    move->kind = lanes->pattern != FC_LANES_RUNS ? W(MOVE_ANY) : lanes->runs == 1 ? W(MOVE_ONE_RUN) : W(MOVE_RUNS);
    for (int r = 0; r < move->runs; r++) {
        move->at[r] = lanes->base[r] + offset;
        for (int l = 0; l < W(LANES); l++) move->mask[r][l] = whole ? run[r][l] : run[r][l] & mask[l];
    }
}

static inline W(vec) W(fetch)(const T *plane, const W(move) * move)
{
    W(vec) v;
    switch (move->kind) {
    case W(MOVE_WHOLE): return W(load)(plane + move->at[0]);
    case W(MOVE_EVEN): return W(load_even)(plane + move->at[0]);
    case W(MOVE_ANY): return W(gather_masked)(plane + move->at[0], move->index, W(mask_load)(move->mask[0]));
    case W(MOVE_ONE_RUN): return W(load_masked)(plane + move->at[0], W(mask_load)(move->mask[0]));
    case W(MOVE_RUNS): break;
    }
    v = W(load_masked)(plane + move->at[0], W(mask_load)(move->mask[0]));
    for (int r = 1; r < move->runs; r++) v = W(or)(v, W(load_masked)(plane + move->at[r], W(mask_load)(move->mask[r])));
    return v;
}

static inline void W(look_ahead)(const fc_pack *p, const T *plane)
{
    const char *line = (const char *)(plane + p->ahead);
    for (ptrdiff_t byte = 0; byte < p->ahead_bytes; byte += 64) __builtin_prefetch(line + byte, 0, 2);
}

static void W(pack)(const fc_pack *p)
{
    enum { lanes = W(LANES), most = 81 };
    const ptrdiff_t vectors = p->vectors, count = p->taps * vectors;
    W(move) moves[most];
    for (ptrdiff_t first = 0; first < count; first += most) {
        const ptrdiff_t used = count - first < most ? count - first : most;
        const T *plane = p->source;
        T *panel = (T *)p->panel + first * lanes;
        ptrdiff_t tap = first / vectors, v = first % vectors;
        for (ptrdiff_t m = 0; m < used; m++) {
            W(find_move)
            (&moves[m], &p->lanes[v], p->tap_offset[tap], p->masks ? (const I *)p->masks + (first + m) * lanes : NULL,
             !p->masks || p->whole[first + m]);
            if (++v == vectors) {
                v = 0;
                tap++;
            }
        }
        for (ptrdiff_t c = 0; c < p->planes; c++, plane += p->plane_step, panel += count * lanes) {
            if (first == 0) W(look_ahead)(p, plane);
            for (ptrdiff_t m = 0; m < used; m++) W(store)(panel + m * lanes, W(fetch)(plane, &moves[m]));
        }
    }
}

static void W(window_masks)(const fc_window_masks *m)
{
    enum { lanes = W(LANES) };
    I *mask = m->masks;
    unsigned char *whole = m->whole;
    for (ptrdiff_t t = 0; t < m->taps; t++) {
        const I *y = m->y, *x = m->x;
        const I top = (I)-m->tap_y[t], left = (I)-m->tap_x[t];
        const I bottom = (I)(m->height - m->tap_y[t]), right = (I)(m->width - m->tap_x[t]);
        for (ptrdiff_t v = 0; v < m->vectors; v++, y += lanes, x += lanes, mask += lanes) {
            I all = -1;
            for (int l = 0; l < lanes; l++) {
                mask[l] = -(I)((y[l] >= top) & (y[l] < bottom) & (x[l] >= left) & (x[l] < right));
                all &= mask[l];
            }
            *whole++ = all != 0;
        }
    }
}
