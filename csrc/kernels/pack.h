/* SPDX-License-Identifier: BSD-3-Clause */
/* pack.h -- panels of shifted windows, and the masks that cut them off at the border; see fc_find_moves, fc_pack and
 * fc_window_masks. Bits are moved, not computed with, so integers of the same width share these. */

/* The masks of the elements that load_mixed reads for the lanes of a mask: from the first lane's on, and from the last of
 * those on. */
static inline void W(set_even_masks)(const I *lane, I *low, I *high)
{
    enum { lanes = W(LANES) };
    for (int e = 0; e < lanes; e++) {
        low[e] = e % 2 ? 0 : lane[e / 2];
        high[e] = (lanes - 1 + e) % 2 ? 0 : lane[(lanes - 1 + e) / 2];
    }
}

static void W(find_move)(fc_move *move, const fc_lanes *lanes, ptrdiff_t offset, const I *mask, bool whole)
{
    const I(*run)[FC_MAX_LANES] = lanes->run_mask.S;
    const bool even = lanes->pattern == FC_LANES_EVEN;
    move->at[0] = lanes->base[0] + offset;
    if (whole && lanes->full) {
        move->kind = even ? FC_MOVE_EVEN : FC_MOVE_WHOLE;
        return;
    }
    move->runs = lanes->runs;
    move->index = lanes->index.S;
    move->kind = lanes->pattern == FC_LANES_ANY ? FC_MOVE_ANY
                 : even                         ? FC_MOVE_EVEN_RUNS
                 : lanes->runs == 1             ? FC_MOVE_ONE_RUN
                                                : FC_MOVE_RUNS;
    for (int r = 0; r < move->runs; r++) {
        I used[W(LANES)];
        move->at[r] = lanes->base[r] + offset;
        for (int l = 0; l < W(LANES); l++) used[l] = whole ? run[r][l] : run[r][l] & mask[l];
        if (even)
            W(set_even_masks)(used, move->mask.S[2 * r], move->mask.S[2 * r + 1]);
        else
            for (int l = 0; l < W(LANES); l++) move->mask.S[r][l] = used[l];
    }
}

/* Taps from `tap` on that lie next to each other, up to as many as a vector has lanes. */
static ptrdiff_t W(neighbours)(const fc_find_moves *f, ptrdiff_t tap)
{
    ptrdiff_t count = 1;
    while (count < W(LANES) && tap + count < f->taps && f->tap_offset[tap + count] == f->tap_offset[tap] + count)
        count++;
    return count;
}

static bool W(are_whole)(const fc_find_moves *f, ptrdiff_t tap, ptrdiff_t taps, ptrdiff_t vector)
{
    for (ptrdiff_t t = tap; f->masks && t < tap + taps; t++)
        if (!f->whole[t * f->vectors + vector]) return false;
    return true;
}

/* The moves of one vector for taps that are neighbours: a single one, where lanes lie apart and a tap by itself would be
 * gathered. */
static ptrdiff_t W(find_moves_of_vector)(const fc_find_moves *f, ptrdiff_t tap, ptrdiff_t taps, ptrdiff_t v,
                                         fc_move *move)
{
    enum { fewest_turned = 3, lanes = W(LANES) };
    const fc_lanes *place = &f->lanes[v];
    if (place->pattern == FC_LANES_ANY && taps >= fewest_turned && W(are_whole)(f, tap, taps, v)) {
        move->kind = FC_MOVE_TURNED;
        move->runs = place->used;
        move->at[0] = place->base[0] + f->tap_offset[tap];
        move->index = place->index.S;
        move->to = (T *)f->panel + (tap * f->vectors + v) * lanes;
        move->to_step = f->panel_step;
        move->taps = taps;
        move->tap_step = f->vectors * lanes;
        return 1;
    }
    for (ptrdiff_t t = tap; t < tap + taps; t++, move++) {
        const ptrdiff_t at = t * f->vectors + v;
        const I *mask = f->masks ? (const I *)f->masks + at * lanes : NULL;
        W(find_move)(move, place, f->tap_offset[t], mask, !mask || f->whole[at]);
        move->to = (T *)f->panel + at * lanes;
        move->to_step = f->panel_step;
    }
    return taps;
}

static ptrdiff_t W(find_moves)(const fc_find_moves *f)
{
    ptrdiff_t found = 0, taps;
    for (ptrdiff_t t = 0; t < f->taps; t += taps) {
        taps = W(neighbours)(f, t);
        for (ptrdiff_t v = 0; v < f->vectors; v++) found += W(find_moves_of_vector)(f, t, taps, v, f->moves + found);
    }
    return found;
}

static inline W(vec) W(fetch_runs)(const T *plane, const fc_move *move)
{
    W(vec) v = W(load_masked)(plane + move->at[0], W(mask_load)(move->mask.S[0]));
    for (int r = 1; r < move->runs; r++)
        v = W(or)(v, W(load_masked)(plane + move->at[r], W(mask_load)(move->mask.S[r])));
    return v;
}

static inline W(vec) W(fetch_even_runs)(const T *plane, const fc_move *move)
{
    W(vec) v = W(zero)();
    for (int r = 0; r < move->runs; r++)
        v = W(or)(v, W(load_mixed_masked)(plane + move->at[r], W(mask_load)(move->mask.S[2 * r]),
                                          W(mask_load)(move->mask.S[2 * r + 1])));
    return W(unmix)(v);
}

/* A run of each lane: one lane of each tap after the other. */
static inline void W(turn_runs)(const T *plane, const fc_move *move, T *to)
{
    enum { lanes = W(LANES) };
    const I *index = move->index;
    const W(mask) mask = W(first_lanes)(move->taps);
    W(vec) v[lanes];
    UNROLL
    for (int l = 0; l < lanes; l++)
        v[l] = l < move->runs ? W(load_first)(plane + index[l], move->taps, mask) : W(zero)();
    W(transpose_lanes)(v);
    UNROLL
    for (int k = 0; k < lanes; k++, to += move->tap_step)
        if (k < move->taps) W(store)(to, v[k]);
}

/* One move for a few planes. */
static inline void W(make_move)(const fc_move *move, const T *plane, ptrdiff_t plane_step, ptrdiff_t planes, T *to)
{
    const ptrdiff_t at = move->at[0], to_step = move->to_step;
    switch (move->kind) {
    case FC_MOVE_WHOLE:
        for (plane += at; planes > 0; planes--, plane += plane_step, to += to_step) W(store)(to, W(load)(plane));
        return;
    case FC_MOVE_EVEN:
        for (plane += at; planes > 0; planes--, plane += plane_step, to += to_step) W(store)(to, W(load_even)(plane));
        return;
    case FC_MOVE_ONE_RUN: {
        const W(mask) mask = W(mask_load)(move->mask.S[0]);
        for (plane += at; planes > 0; planes--, plane += plane_step, to += to_step)
            W(store)(to, W(load_masked)(plane, mask));
        return;
    }
    case FC_MOVE_RUNS:
        for (; planes > 0; planes--, plane += plane_step, to += to_step) W(store)(to, W(fetch_runs)(plane, move));
        return;
    case FC_MOVE_EVEN_RUNS:
        for (; planes > 0; planes--, plane += plane_step, to += to_step) W(store)(to, W(fetch_even_runs)(plane, move));
        return;
    case FC_MOVE_ANY: {
        const W(mask) mask = W(mask_load)(move->mask.S[0]);
        for (plane += at; planes > 0; planes--, plane += plane_step, to += to_step)
            W(store)(to, W(gather_masked)(plane, move->index, mask));
        return;
    }
    case FC_MOVE_TURNED:
        for (plane += at; planes > 0; planes--, plane += plane_step, to += to_step) W(turn_runs)(plane, move, to);
        return;
    }
}

/* A few planes at a time: their lines stay in the first-level cache while all moves visit them, also where planes are a
 * power of two apart and meet in one of its sets. */
static void W(pack)(const fc_pack *p)
{
    enum { few = 8 };
    const T *plane = p->source;
    for (ptrdiff_t c = 0; c < p->planes; c += few, plane += few * p->plane_step) {
        const ptrdiff_t planes = p->planes - c < few ? p->planes - c : few;
        for (const fc_move *move = p->moves; move < p->moves + p->count; move++)
            W(make_move)(move, plane, p->plane_step, planes, (T *)move->to + c * move->to_step);
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
