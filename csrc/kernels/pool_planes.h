/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_planes.h -- whole planes folded into one value each: OP on vectors, ONE on elements, START changes nothing.
 * Four chains of vectors; after STEPS steps they are folded into four more, so that a sum of n elements is made of some
 * STEPS + n / (4 * STEPS * lanes) roundings in a row and not of n. */
#define STEPS 64

/* The last `left` elements, fewer than a vector of them. They come by a masked load: elements stored one by one could
 * not be loaded as a vector soon after. `tail` is two vectors of masks and two of what is outside. */
static inline __attribute__((always_inline)) FC_PASTE(vec, S) F(rest)(const T *s, ptrdiff_t left, const T *tail)
{
    enum { lanes = FC_PASTE(LANES, S) };
    const I *inside = (const I *)tail + lanes - left;
    const FC_PASTE(vec, S) v = W(load_masked)(s, W(mask_load)(inside));
    return FILLED ? W(or)(v, W(load)(tail + 3 * lanes - left)) : v;
}

/* Lane by lane. */
static inline __attribute__((always_inline)) FC_PASTE(vec, S) F(plane)(ptrdiff_t n, const T *s, const T *tail)
{
    enum { lanes = FC_PASTE(LANES, S) };
    const T start = START;
    const FC_PASTE(vec, S) none = W(splat)(&start);
    FC_PASTE(vec, S) total[4] = {none, none, none, none};
    ptrdiff_t left = n;
    if (n < 4 * lanes) { /* a vector a chain at most: the same, without what changes nothing */
        for (int c = 0; c < 3 && left >= lanes; c++, s += lanes, left -= lanes) total[c] = W(load)(s);
        if (left) total[3] = F(rest)(s, left, tail);
        return OP(OP(total[0], total[1]), OP(total[2], total[3]));
    }
    while (left > 0) {
        FC_PASTE(vec, S) part[4] = {none, none, none, none};
        const ptrdiff_t steps = left / (4 * lanes) < STEPS ? left / (4 * lanes) : STEPS;
        for (ptrdiff_t i = 0; i < steps; i++, s += 4 * lanes)
            for (int c = 0; c < 4; c++) part[c] = OP(part[c], W(load)(s + c * lanes));
        left -= steps * 4 * lanes;
        if (steps < STEPS) {
            for (int c = 0; c < 3 && left >= lanes; c++, s += lanes, left -= lanes) part[c] = OP(part[c], W(load)(s));
            if (left) part[3] = OP(part[3], F(rest)(s, left, tail));
            left = 0;
        }
        for (int c = 0; c < 4; c++) total[c] = OP(total[c], part[c]);
    }
    return OP(OP(total[0], total[1]), OP(total[2], total[3]));
}

/* As many planes as a vector has lanes are folded lane by lane and then turned, so that halves meet halves for all of them at
 * once; the last ones meet one by one, in the same order. */
static void F(planes)(ptrdiff_t planes, ptrdiff_t n, void *dst, const void *src)
{
    enum { lanes = FC_PASTE(LANES, S) };
    T tail[4 * lanes], *d = dst;
    const T *s = src;
    for (int l = 0; l < 2 * lanes; l++) {
        const I mask = l < lanes ? -1 : 0;
        memcpy(tail + l, &mask, sizeof mask);
        tail[2 * lanes + l] = l < lanes ? 0 : START;
    }
    for (; planes >= lanes; planes -= lanes, d += lanes) {
        FC_PASTE(vec, S) v[lanes];
        for (int i = 0; i < lanes; i++, s += n) v[i] = F(plane)(n, s, tail);
        W(transpose_lanes)(v);
        for (int half = lanes / 2; half; half /= 2)
            for (int l = 0; l < half; l++) v[l] = OP(v[l], v[l + half]);
        W(store)(d, v[0]);
    }
    for (; planes; planes--, s += n) {
        T lane[lanes];
        W(store)(lane, F(plane)(n, s, tail));
        for (int half = lanes / 2; half; half /= 2)
            for (int l = 0; l < half; l++) lane[l] = ONE(lane[l], lane[l + half]);
        *d++ = lane[0];
    }
}
#undef STEPS
