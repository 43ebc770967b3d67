/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd.h -- the transforms of F(4x4, 3x3): y = A' [(G g G') * (B' d B)] A over tiles of 6x6 inputs and 4x4 outputs,
 * with the points 0, ±a, ±b and infinity, a = sqrt(1/2), b = sqrt(2): as many operations as ±1, ±2 and half the error.
 * Lanes are tiles in NCHW, channels in NHWC, filters for the weights. Included once per floating element type.
 *
 * B'  1   0 -5/2   0   1   0     G        1      0      0      A'  1   1   1     1     1   0
 *     0  -b   -2   a   1   0         -2/3·(1      a    1/2)        0   a  -a     b    -b   0
 *     0   b   -2  -a   1   0         -2/3·(1     -a    1/2)        0 1/2 1/2     2     2   0
 *     0  -a -1/2   b   1   0          1/6·(1      b      2)        0 a/2 -a/2   2b   -2b   1
 *     0   a -1/2  -b   1   0          1/6·(1     -b      2)
 *     0   1    0 -5/2  0   1                0      0      1  */
#define ROOT_HALF 0.70710678118654752440
#define ROOT_TWO 1.41421356237309504880

/* In memory, where a vector of one is a single load. */
static const struct {
    T a, b, minus_a, minus_b, half, minus_half, two, minus_two, minus_outer, half_a, two_b;
    T g_even_a, g_half_a, g_odd_a, g_even_b, g_half_b, g_odd_b;
} W(of) = {
    .a = (T)ROOT_HALF,
    .b = (T)ROOT_TWO,
    .minus_a = (T)-ROOT_HALF,
    .minus_b = (T)-ROOT_TWO,
    .half = (T)0.5,
    .minus_half = (T)-0.5,
    .two = 2,
    .minus_two = -2,
    .minus_outer = (T)-2.5,
    .half_a = (T)(ROOT_HALF / 2),
    .two_b = (T)(2 * ROOT_TWO),
    .g_even_a = (T)(-2.0 / 3),
    .g_half_a = (T)(-1.0 / 3),
    .g_odd_a = (T)(-2.0 / 3 * ROOT_HALF),
    .g_even_b = (T)(1.0 / 6),
    .g_half_b = (T)(1.0 / 3),
    .g_odd_b = (T)(1.0 / 6 * ROOT_TWO),
};
#define FACTOR(name) W(splat)(&W(of).name)

static inline bool W(all_zero)(W(vec) v)
{
    T lane[W(LANES)];
    bool zero = true;
    W(store)(lane, v);
    for (int l = 0; l < W(LANES); l++) zero &= lane[l] == 0;
    return zero;
}

/* One dimension of B' d. */
static inline void W(spread6)(const W(vec) d[6], W(vec) v[6])
{
    const W(vec) zero = W(zero)();
    const W(vec) even_a = W(fma)(FACTOR(minus_two), d[2], d[4]), even_b = W(fma)(FACTOR(minus_half), d[2], d[4]);
    const W(vec) odd_a = W(fma)(FACTOR(a), d[3], W(fma)(FACTOR(minus_b), d[1], zero));
    const W(vec) odd_b = W(fma)(FACTOR(b), d[3], W(fma)(FACTOR(minus_a), d[1], zero));
    v[0] = W(fma)(FACTOR(minus_outer), d[2], W(add)(d[0], d[4]));
    v[1] = W(add)(even_a, odd_a);
    v[2] = W(sub)(even_a, odd_a);
    v[3] = W(add)(even_b, odd_b);
    v[4] = W(sub)(even_b, odd_b);
    v[5] = W(fma)(FACTOR(minus_outer), d[3], W(add)(d[1], d[5]));
}

/* One dimension of A' m. */
static inline void W(gather4)(const W(vec) m[6], W(vec) y[4])
{
    const W(vec) zero = W(zero)();
    const W(vec) even_a = W(add)(m[1], m[2]), odd_a = W(sub)(m[1], m[2]);
    const W(vec) even_b = W(add)(m[3], m[4]), odd_b = W(sub)(m[3], m[4]);
    y[0] = W(add)(W(add)(m[0], even_a), even_b);
    y[1] = W(fma)(FACTOR(a), odd_a, W(fma)(FACTOR(b), odd_b, zero));
    y[2] = W(fma)(FACTOR(half), even_a, W(fma)(FACTOR(two), even_b, zero));
    y[3] = W(fma)(FACTOR(half_a), odd_a, W(fma)(FACTOR(two_b), odd_b, m[5]));
}

/* One dimension of G g. */
static inline void W(spread3)(const W(vec) g[3], W(vec) u[6])
{
    const W(vec) zero = W(zero)();
    const W(vec) even_a = W(fma)(FACTOR(g_half_a), g[2], W(fma)(FACTOR(g_even_a), g[0], zero));
    const W(vec) even_b = W(fma)(FACTOR(g_half_b), g[2], W(fma)(FACTOR(g_even_b), g[0], zero));
    const W(vec) odd_a = W(fma)(FACTOR(g_odd_a), g[1], zero), odd_b = W(fma)(FACTOR(g_odd_b), g[1], zero);
    u[0] = g[0];
    u[1] = W(add)(even_a, odd_a);
    u[2] = W(sub)(even_a, odd_a);
    u[3] = W(add)(even_b, odd_b);
    u[4] = W(sub)(even_b, odd_b);
    u[5] = g[2];
}

/* A vector of the weights of one tap; zeros behind the last filter. */
static inline W(vec) W(load_filters)(const T *w, ptrdiff_t step, ptrdiff_t filters)
{
    enum { lanes = W(LANES) };
    T lane[lanes];
    if (step == 1 && filters >= lanes) return W(load)(w);
    for (ptrdiff_t l = 0; l < lanes; l++) lane[l] = l < filters ? w[l * step] : 0;
    return W(load)(lane);
}

static void W(winograd_weights)(const fc_winograd_weights *t)
{
    enum { lanes = W(LANES) };
    const T *w = t->w;
    T *u = t->u;
    const ptrdiff_t step = t->frequency_step;
    for (ptrdiff_t c = 0; c < t->filters; c += lanes, w += lanes * t->filter_step, u += lanes) {
        W(vec) half[6][3], g[3], spread[6];
        for (int j = 0; j < 3; j++) {
            for (int i = 0; i < 3; i++)
                g[i] = W(load_filters)(w + i * t->tap_step[0] + j * t->tap_step[1], t->filter_step, t->filters - c);
            W(spread3)(g, spread);
            for (int i = 0; i < 6; i++) half[i][j] = spread[i];
        }
        for (int i = 0; i < 6; i++) {
            W(spread3)(half[i], spread);
            for (int j = 0; j < 6; j++) W(store)(u + (i * 6 + j) * step, spread[j]);
        }
    }
}

#include "kernels/winograd_nchw.h"
#include "kernels/winograd_nhwc.h"

#undef ROOT_HALF
#undef ROOT_TWO
#undef FACTOR
