/* SPDX-License-Identifier: BSD-3-Clause */
/* shared_lanes.h -- vectors that several groups share: lane m * GROUPS + g is number m of group g. In an image the numbers of a
 * group are neighbours, and groups lie apart. Included once per element type and GROUPS. */
#define EACH (W(LANES) / GROUPS)

static inline W(mask) FC_PASTE(W(lanes_of_group), GROUPS)(int g)
{
    I in[W(LANES)];
    for (int i = 0; i < W(LANES); i++) in[i] = i / EACH == g ? -1 : 0;
    return W(mask_load)(in);
}

/* Of an image whose groups are so far apart: whether the lanes of one follow those of the other. */
static inline bool FC_PASTE(W(lanes_follow), GROUPS)(ptrdiff_t group) { return GROUPS == 1 || group == EACH; }

/* Group by group, as they lie in an image; and number by number. */
static inline W(vec) FC_PASTE(W(apart), GROUPS)(W(vec) v)
{
#if GROUPS > 1
    return W(deal)(v, GROUPS);
#else
    return v;
#endif
}

static inline W(vec) FC_PASTE(W(together), GROUPS)(W(vec) v)
{
#if GROUPS > 1
    return W(deal)(v, EACH);
#else
    return v;
#endif
}

static inline W(vec) FC_PASTE(W(load_groups), GROUPS)(const T *from, ptrdiff_t group)
{
    W(vec) v = W(zero)();
    UNROLL
    for (int g = 0; g < GROUPS; g++)
        v = W(or)(v, W(load_masked)(from + g * (group - EACH), FC_PASTE(W(lanes_of_group), GROUPS)(g)));
    return v;
}

static inline void FC_PASTE(W(store_groups), GROUPS)(T *to, ptrdiff_t group, W(vec) v)
{
    UNROLL
    for (int g = 0; g < GROUPS; g++)
        W(store_masked)(to + g * (group - EACH), FC_PASTE(W(lanes_of_group), GROUPS)(g), v);
}

static inline void FC_PASTE(W(put_lanes), GROUPS)(T *y, W(vec) v, ptrdiff_t group, bool add)
{
    v = FC_PASTE(W(apart), GROUPS)(v);
    if (FC_PASTE(W(lanes_follow), GROUPS)(group))
        W(store)(y, add ? W(add)(W(load)(y), v) : v);
    else
        FC_PASTE(W(store_groups), GROUPS)(y, group, add ? W(add)(FC_PASTE(W(load_groups), GROUPS)(y, group), v) : v);
}

static void FC_PASTE(W(share_lanes), GROUPS)(const fc_share_lanes *d)
{
    const T *from = d->from;
    T *to = d->to;
    for (ptrdiff_t c = 0; c < d->chunks; c++, from += EACH, to += d->to_chunk) {
        const ptrdiff_t from_pixel = d->from_pixel, to_pixel = d->to_pixel, group = d->from_group, pixels = d->pixels;
        if (FC_PASTE(W(lanes_follow), GROUPS)(group)) {
            for (ptrdiff_t p = 0; p < pixels; p++) {
                const W(vec) v = W(load)(from + p * from_pixel);
                W(store)(to + p * to_pixel, FC_PASTE(W(together), GROUPS)(v));
            }
        } else {
            for (ptrdiff_t p = 0; p < pixels; p++) {
                const W(vec) v = FC_PASTE(W(load_groups), GROUPS)(from + p * from_pixel, group);
                W(store)(to + p * to_pixel, FC_PASTE(W(together), GROUPS)(v));
            }
        }
    }
}

#undef EACH
