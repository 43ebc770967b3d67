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

static void W(pack_border)(const fc_pack *p)
{
    enum { lanes = W(LANES) };
    const T *plane = p->source;
    T *panel = p->panel;
    for (ptrdiff_t c = 0; c < p->planes; c++, plane += p->plane_step) {
        const I *mask = p->masks;
        for (ptrdiff_t t = 0; t < p->taps; t++)
            for (int v = 0; v < p->vectors; v++, mask += lanes, panel += lanes)
                W(store)(panel, W(pack_masked)(plane + p->tap_offset[t], &p->lanes[v], W(mask_load)(mask)));
    }
}

static void W(pack_inner)(const fc_pack *p)
{
    enum { lanes = W(LANES) };
    static const I ones[FC_MAX_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const W(mask) all = W(mask_load)(ones);
    const T *plane = p->source;
    T *panel = p->panel;
    for (ptrdiff_t c = 0; c < p->planes; c++, plane += p->plane_step)
        for (ptrdiff_t t = 0; t < p->taps; t++)
            for (int v = 0; v < p->vectors; v++, panel += lanes) {
                const fc_lanes *at = &p->lanes[v];
                const T *source = plane + p->tap_offset[t];
                if (at->full)
                    W(store)(panel, W(load)(source + at->base[0]));
                else if (at->pattern == FC_LANES_EVEN)
                    W(store)(panel, W(load_even)(source + at->base[0]));
                else
                    W(store)(panel, W(pack_masked)(source, at, all));
            }
}

static void W(pack)(const fc_pack *p)
{
    if (p->masks)
        W(pack_border)(p);
    else
        W(pack_inner)(p);
}

static void W(window_masks)(const fc_window_masks *m)
{
    const I *y = m->y, *x = m->x;
    I *mask = m->masks;
    for (ptrdiff_t t = 0; t < m->taps; t++, mask += m->lanes) {
        const I top = (I)-m->tap_y[t], left = (I)-m->tap_x[t];
        const I bottom = (I)(m->height - m->tap_y[t]), right = (I)(m->width - m->tap_x[t]);
        for (ptrdiff_t l = 0; l < m->lanes; l++)
            mask[l] = -(I)((y[l] >= top) & (y[l] < bottom) & (x[l] >= left) & (x[l] < right));
    }
}
