/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_planes.h -- whole planes folded into one value each: OP on vectors, ONE on elements, START changes nothing.
 * Four chains of vectors; after STEPS steps they are folded into four more, so that a sum of n elements is made of some
 * STEPS + n / (4 * STEPS * lanes) roundings in a row and not of n. */
#define STEPS 64

static inline __attribute__((always_inline)) T F(plane)(ptrdiff_t n, const T *s)
{
    enum { lanes = FC_PASTE(LANES, S) };
    const T start = START;
    const FC_PASTE(vec, S) none = W(splat)(&start);
    FC_PASTE(vec, S) total[4] = {none, none, none, none};
    T lane[lanes];
    ptrdiff_t left = n;
    while (left >= lanes) {
        FC_PASTE(vec, S) part[4] = {none, none, none, none};
        const ptrdiff_t steps = left / (4 * lanes) < STEPS ? left / (4 * lanes) : STEPS;
        for (ptrdiff_t i = 0; i < steps; i++, s += 4 * lanes)
            for (int c = 0; c < 4; c++) part[c] = OP(part[c], W(load)(s + c * lanes));
        left -= steps * 4 * lanes;
        if (steps < STEPS)
            for (int c = 0; c < 3 && left >= lanes; c++, s += lanes, left -= lanes) part[c] = OP(part[c], W(load)(s));
        for (int c = 0; c < 4; c++) total[c] = OP(total[c], part[c]);
    }
    W(store)(lane, OP(OP(total[0], total[1]), OP(total[2], total[3])));
    for (ptrdiff_t l = 0; l < left; l++) lane[l] = ONE(lane[l], s[l]);
    for (int half = lanes / 2; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] = ONE(lane[l], lane[l + half]);
    return lane[0];
}

static void F(planes)(ptrdiff_t planes, ptrdiff_t n, void *dst, const void *src)
{
    T *d = dst;
    const T *s = src;
    for (ptrdiff_t i = 0; i < planes; i++) d[i] = F(plane)(n, s + i * n);
}
#undef STEPS
