/* SPDX-License-Identifier: BSD-3-Clause */
/* pack.h -- panels of shifted windows, and the masks that cut them off at the border; see fc_pack and
 * fc_window_masks. Bits are moved, not computed with, so integers of the same width share these. */

/* The lanes that are in use and that `mask` lets through. */
static inline W(vec) W(pack_masked)(const T *source, const fc_lanes *lanes, W(mask) mask)
{
    const I(*run)[FC_MAX_LANES] = lanes->run_mask.S;
    const W(mask) first = W(mask_and)(W(mask_load)(run[0]), mask);
    W(vec) v;
    if (lanes->pattern != FC_LANES_RUNS) return W(gather_masked)(source + lanes->base[0], lanes->index.S, first);
    v = W(load_masked)(source + lanes->base[0], first);
    for (int r = 1; r < lanes->runs; r++)
        v = W(or)(v, W(load_masked)(source + lanes->base[r], W(mask_and)(W(mask_load)(run[r]), mask)));
    return v;
}

/* All lanes in use, when no mask is needed. */
static inline W(vec) W(pack_unmasked)(const T *source, const fc_lanes *lanes, W(mask) all)
{
    if (lanes->full) return W(load)(source + lanes->base[0]);
    if (lanes->pattern == FC_LANES_EVEN) return W(load_even)(source + lanes->base[0]);
    return W(pack_masked)(source, lanes, all);
}

static inline void W(look_ahead)(const fc_pack *p, const T *plane)
{
    const char *line = (const char *)(plane + p->ahead);
    for (ptrdiff_t byte = 0; byte < p->ahead_bytes; byte += 64) __builtin_prefetch(line + byte, 0, 2);
}

static void W(pack)(const fc_pack *p)
{
    enum { lanes = W(LANES) };
    static const I ones[FC_MAX_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const W(mask) all = W(mask_load)(ones);
    const ptrdiff_t taps = p->taps, vectors = p->vectors;
    const T *plane = p->source;
    T *panel = p->panel;
    for (ptrdiff_t c = 0; c < p->planes; c++, plane += p->plane_step) {
        const I *mask = p->masks;
        const unsigned char *whole = p->whole;
        W(look_ahead)(p, plane);
        if (!mask) {
            for (ptrdiff_t t = 0; t < taps; t++)
                for (ptrdiff_t v = 0; v < vectors; v++, panel += lanes)
                    W(store)(panel, W(pack_unmasked)(plane + p->tap_offset[t], &p->lanes[v], all));
            continue;
        }
        for (ptrdiff_t t = 0; t < taps; t++)
            for (ptrdiff_t v = 0; v < vectors; v++, panel += lanes, mask += lanes) {
                const T *source = plane + p->tap_offset[t];
                if (*whole++)
                    W(store)(panel, W(pack_unmasked)(source, &p->lanes[v], all));
                else
                    W(store)(panel, W(pack_masked)(source, &p->lanes[v], W(mask_load)(mask)));
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
