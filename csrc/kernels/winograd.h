/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd.h -- the transforms of Winograd's algorithm: y = A' [(G g) * (B' d)], along one axis or along both. Included
 * once per floating element type. Lanes are channels of a tile, filters for the weights.
 *
 * A form is a polynomial product by its values at some points, in pairs, so that even and odd powers are added up once
 * for both. The points are such that the error is small; plain numbers (±1, ±2) double it.
 *
 * Six frequencies, for windows of 3 (four outputs) and 5 (two outputs): 0, ±a, ±b and infinity, a = sqrt(1/2),
 * b = sqrt(2), whose product is 1:
 *
 * B'  1   0 -5/2   0   1   0     G  1       A'  1   1   1     1     1   0
 *     0  -b   -2   a   1   0        -2/3·a^k    0   a  -a     b    -b   0 (of two outputs: 1)
 *     0   b   -2  -a   1   0        ...         0 1/2 1/2     2     2   0
 *     0  -a -1/2   b   1   0         1/6·b^k    0 a/2 -a/2   2b   -2b   1
 *     0   a -1/2  -b   1   0        ...
 *     0   1    0 -5/2  0   1         1 (last)
 *
 * Nine frequencies, for windows of 7 (three outputs): ±p for four points p, and infinity. With P = product of (x² - q²)
 * over the other points q, those of ±p are (p ± x) P, and infinity is the product over all four; G's are p^k over the
 * distances of p from all other points. */
#define ROOT_HALF 0.70710678118654752440
#define ROOT_TWO 1.41421356237309504880

/* In memory, where a vector of one is a single load. */
static const struct {
    T a, b, minus_a, minus_b, half, minus_half, two, minus_two, minus_outer, half_a, two_b;
    T g_a[5], g_b[5]; /* of a^k and b^k */
} W(six) = {
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
    .g_a = {(T)(-2.0 / 3), (T)(-2.0 / 3 * ROOT_HALF), (T)(-1.0 / 3), (T)(-1.0 / 3 * ROOT_HALF), (T)(-1.0 / 6)},
    .g_b = {(T)(1.0 / 6), (T)(1.0 / 6 * ROOT_TWO), (T)(1.0 / 3), (T)(1.0 / 3 * ROOT_TWO), (T)(2.0 / 3)},
};
#define FACTOR(name) W(splat)(&W(six).name)

#define POINT_0 0.287
#define POINT_1 0.67
#define POINT_2 1.125
#define POINT_3 2.117
#define SQUARE(p) ((p) * (p))
/* The coefficients of (x² - q²)(x² - r²)(x² - s²), lowest first, but for the last, which is 1. */
#define THREE_0(q, r, s) (-SQUARE(q) * SQUARE(r) * SQUARE(s))
#define THREE_1(q, r, s) (SQUARE(q) * SQUARE(r) + SQUARE(q) * SQUARE(s) + SQUARE(r) * SQUARE(s))
#define THREE_2(q, r, s) (-SQUARE(q) - SQUARE(r) - SQUARE(s))
/* One over the product of the distances from p to all other points. */
#define SHARE(p, q, r, s) (1 / (2 * (p) * (SQUARE(p) - SQUARE(q)) * (SQUARE(p) - SQUARE(r)) * (SQUARE(p) - SQUARE(s))))
#define NINE_POINT(p, q, r, s)                                                                                   \
    {                                                                                                            \
        .even = {(T)((p) * THREE_0(q, r, s)), (T)((p) * THREE_1(q, r, s)), (T)((p) * THREE_2(q, r, s)), (T)(p)}, \
        .odd = {(T)THREE_0(q, r, s), (T)THREE_1(q, r, s), (T)THREE_2(q, r, s)}, .power = {(T)(p), (T)SQUARE(p)}, \
        .g = {                                                                                                   \
            (T)SHARE(p, q, r, s),                                                                                \
            (T)(SHARE(p, q, r, s) * (p)),                                                                        \
            (T)(SHARE(p, q, r, s) * SQUARE(p)),                                                                  \
            (T)(SHARE(p, q, r, s) * SQUARE(p) * (p)),                                                            \
            (T)(SHARE(p, q, r, s) * SQUARE(SQUARE(p))),                                                          \
            (T)(SHARE(p, q, r, s) * SQUARE(SQUARE(p)) * (p)),                                                    \
            (T)(SHARE(p, q, r, s) * SQUARE(SQUARE(p)) * SQUARE(p))                                               \
        }                                                                                                        \
    }
static const struct {
    struct {
        T even[4], odd[3]; /* coefficients of p P and P, the last of which is 1 */
        T power[2], g[7];
    } at[4];
    T all[4]; /* of infinity */
} W(nine) = {
    .at = {NINE_POINT(POINT_0, POINT_1, POINT_2, POINT_3), NINE_POINT(POINT_1, POINT_0, POINT_2, POINT_3),
           NINE_POINT(POINT_2, POINT_0, POINT_1, POINT_3), NINE_POINT(POINT_3, POINT_0, POINT_1, POINT_2)},
    .all = {(T)(-SQUARE(POINT_3) * THREE_0(POINT_0, POINT_1, POINT_2)),
            (T)(THREE_0(POINT_0, POINT_1, POINT_2) - SQUARE(POINT_3) * THREE_1(POINT_0, POINT_1, POINT_2)),
            (T)(THREE_1(POINT_0, POINT_1, POINT_2) - SQUARE(POINT_3) * THREE_2(POINT_0, POINT_1, POINT_2)),
            (T)(THREE_2(POINT_0, POINT_1, POINT_2) - SQUARE(POINT_3))},
};

static inline W(vec) W(times)(const T *factor, W(vec) v) { return W(fma)(W(splat)(factor), v, W(zero)()); }

/* ---- one dimension of B' d --------------------------------------------------------------------------------------- */

static inline void W(spread6)(const W(vec) d[6], W(vec) v[6])
{
    const W(vec) even_a = W(fma)(FACTOR(minus_two), d[2], d[4]), even_b = W(fma)(FACTOR(minus_half), d[2], d[4]);
    const W(vec) odd_a = W(fma)(FACTOR(a), d[3], W(times)(&W(six).minus_b, d[1]));
    const W(vec) odd_b = W(fma)(FACTOR(b), d[3], W(times)(&W(six).minus_a, d[1]));
    v[0] = W(fma)(FACTOR(minus_outer), d[2], W(add)(d[0], d[4]));
    v[1] = W(add)(even_a, odd_a);
    v[2] = W(sub)(even_a, odd_a);
    v[3] = W(add)(even_b, odd_b);
    v[4] = W(sub)(even_b, odd_b);
    v[5] = W(fma)(FACTOR(minus_outer), d[3], W(add)(d[1], d[5]));
}

static inline void W(spread9)(const W(vec) d[9], W(vec) v[9])
{
    for (int p = 0; p < 4; p++) {
        const T *e = W(nine).at[p].even, *o = W(nine).at[p].odd;
        W(vec) even = W(times)(e, d[0]), odd = W(fma)(W(splat)(o), d[1], d[7]);
        for (int k = 1; k < 4; k++) even = W(fma)(W(splat)(e + k), d[2 * k], even);
        for (int k = 1; k < 3; k++) odd = W(fma)(W(splat)(o + k), d[2 * k + 1], odd);
        v[2 * p] = W(add)(even, odd);
        v[2 * p + 1] = W(sub)(even, odd);
    }
    v[8] = d[8];
    for (int k = 0; k < 4; k++) v[8] = W(fma)(W(splat)(&W(nine).all[k]), d[2 * k], v[8]);
}

/* ---- one dimension of A' m --------------------------------------------------------------------------------------- */

static inline void W(gather3)(const W(vec) m[6], W(vec) y[4])
{
    const W(vec) even_a = W(add)(m[1], m[2]), odd_a = W(sub)(m[1], m[2]);
    const W(vec) even_b = W(add)(m[3], m[4]), odd_b = W(sub)(m[3], m[4]);
    y[0] = W(add)(W(add)(m[0], even_a), even_b);
    y[1] = W(fma)(FACTOR(a), odd_a, W(times)(&W(six).b, odd_b));
    y[2] = W(fma)(FACTOR(half), even_a, W(times)(&W(six).two, even_b));
    y[3] = W(fma)(FACTOR(half_a), odd_a, W(fma)(FACTOR(two_b), odd_b, m[5]));
}

static inline void W(gather5)(const W(vec) m[6], W(vec) y[2])
{
    const W(vec) even = W(add)(W(add)(m[1], m[2]), W(add)(m[3], m[4]));
    y[0] = W(add)(m[0], even);
    y[1] = W(fma)(FACTOR(a), W(sub)(m[1], m[2]), W(fma)(FACTOR(b), W(sub)(m[3], m[4]), m[5]));
}

static inline void W(gather7)(const W(vec) m[9], W(vec) y[3])
{
    y[0] = W(zero)();
    y[1] = W(zero)();
    y[2] = m[8];
    for (int p = 0; p < 4; p++) {
        const W(vec) even = W(add)(m[2 * p], m[2 * p + 1]), odd = W(sub)(m[2 * p], m[2 * p + 1]);
        y[0] = W(add)(y[0], even);
        y[1] = W(fma)(W(splat)(&W(nine).at[p].power[0]), odd, y[1]);
        y[2] = W(fma)(W(splat)(&W(nine).at[p].power[1]), even, y[2]);
    }
}

/* ---- one dimension of G g ---------------------------------------------------------------------------------------- */

/* The values at a point and its opposite of the polynomial whose coefficients are g. */
static inline void W(values_at)(const T *powers, int taps, const W(vec) * g, W(vec) u[2])
{
    W(vec) even = W(times)(powers, g[0]), odd = W(times)(powers + 1, g[1]);
    for (int k = 2; k < taps; k += 2) even = W(fma)(W(splat)(powers + k), g[k], even);
    for (int k = 3; k < taps; k += 2) odd = W(fma)(W(splat)(powers + k), g[k], odd);
    u[0] = W(add)(even, odd);
    u[1] = W(sub)(even, odd);
}

static inline void W(raise6)(int taps, const W(vec) * g, W(vec) u[6])
{
    u[0] = g[0];
    W(values_at)(W(six).g_a, taps, g, u + 1);
    W(values_at)(W(six).g_b, taps, g, u + 3);
    u[5] = g[taps - 1];
}

static inline void W(raise3)(const W(vec) g[3], W(vec) u[6]) { W(raise6)(3, g, u); }
static inline void W(raise5)(const W(vec) g[5], W(vec) u[6]) { W(raise6)(5, g, u); }

static inline void W(raise7)(const W(vec) g[7], W(vec) u[9])
{
    for (int p = 0; p < 4; p++) W(values_at)(W(nine).at[p].g, 7, g, u + 2 * p);
    u[8] = g[6];
}

/* ---- two outputs of three taps ------------------------------------------------------------------------------------ */

/* By the points 0, 1, -1 and infinity. */
static inline void W(spread4)(const W(vec) d[4], W(vec) v[4])
{
    v[0] = W(sub)(d[0], d[2]);
    v[1] = W(add)(d[1], d[2]);
    v[2] = W(sub)(d[2], d[1]);
    v[3] = W(sub)(d[3], d[1]);
}

static inline void W(gather3_small)(const W(vec) m[4], W(vec) y[2])
{
    y[0] = W(add)(m[0], W(add)(m[1], m[2]));
    y[1] = W(add)(W(sub)(m[1], m[2]), m[3]);
}

static inline void W(raise3_small)(const W(vec) g[3], W(vec) u[4])
{
    const W(vec) even = W(times)(&W(six).half, W(add)(g[0], g[2])), odd = W(times)(&W(six).half, g[1]);
    u[0] = g[0];
    u[1] = W(add)(even, odd);
    u[2] = W(sub)(even, odd);
    u[3] = g[2];
}

/* ---- 3x3 of every second pixel ------------------------------------------------------------------------------------ */

/* Two outputs y = (w0 d0 + w1 d1 + w2 d2, w0 d2 + w1 d3 + w2 d4): of the even inputs two taps by the points 0, 1 and
 * infinity, of the odd ones a tap each. */
static inline void W(spread5)(const W(vec) d[5], W(vec) v[5])
{
    v[0] = W(sub)(d[0], d[2]);
    v[1] = d[2];
    v[2] = W(sub)(d[4], d[2]);
    v[3] = d[1];
    v[4] = d[3];
}

static inline void W(gather3_apart)(const W(vec) m[5], W(vec) y[2])
{
    y[0] = W(add)(W(add)(m[0], m[1]), m[3]);
    y[1] = W(add)(W(add)(m[1], m[2]), m[4]);
}

static inline void W(raise3_apart)(const W(vec) g[3], W(vec) u[5])
{
    u[0] = g[0];
    u[1] = W(add)(g[0], g[2]);
    u[2] = g[2];
    u[3] = g[1];
    u[4] = g[1];
}

/* ---- one dimension of A y and of G' u, the transposes of gather and raise -------------------------------------------- */

static inline void W(raise_outputs3)(const W(vec) y[4], W(vec) u[6])
{
    const W(vec) even_a = W(fma)(FACTOR(half), y[2], y[0]), even_b = W(fma)(FACTOR(two), y[2], y[0]);
    const W(vec) odd_a = W(fma)(FACTOR(half_a), y[3], W(times)(&W(six).a, y[1]));
    const W(vec) odd_b = W(fma)(FACTOR(two_b), y[3], W(times)(&W(six).b, y[1]));
    u[0] = y[0];
    u[1] = W(add)(even_a, odd_a);
    u[2] = W(sub)(even_a, odd_a);
    u[3] = W(add)(even_b, odd_b);
    u[4] = W(sub)(even_b, odd_b);
    u[5] = y[3];
}

static inline void W(raise_outputs5)(const W(vec) y[2], W(vec) u[6])
{
    const W(vec) odd_a = W(times)(&W(six).a, y[1]), odd_b = W(times)(&W(six).b, y[1]);
    u[0] = y[0];
    u[1] = W(add)(y[0], odd_a);
    u[2] = W(sub)(y[0], odd_a);
    u[3] = W(add)(y[0], odd_b);
    u[4] = W(sub)(y[0], odd_b);
    u[5] = y[1];
}

static inline void W(raise_outputs7)(const W(vec) y[3], W(vec) u[9])
{
    for (int p = 0; p < 4; p++) {
        const W(vec) even = W(fma)(W(splat)(&W(nine).at[p].power[1]), y[2], y[0]);
        const W(vec) odd = W(times)(&W(nine).at[p].power[0], y[1]);
        u[2 * p] = W(add)(even, odd);
        u[2 * p + 1] = W(sub)(even, odd);
    }
    u[8] = y[2];
}

static inline void W(raise_outputs3_apart)(const W(vec) y[2], W(vec) u[5])
{
    u[0] = y[0];
    u[1] = W(add)(y[0], y[1]);
    u[2] = y[1];
    u[3] = y[0];
    u[4] = y[1];
}

static inline void W(gather_taps3_apart)(const W(vec) u[5], W(vec) g[3])
{
    g[0] = W(add)(u[0], u[1]);
    g[1] = W(add)(u[3], u[4]);
    g[2] = W(add)(u[1], u[2]);
}

static inline void W(gather_taps6)(int taps, const W(vec) u[6], W(vec) * g)
{
    const W(vec) a[2] = {W(add)(u[1], u[2]), W(sub)(u[1], u[2])}, b[2] = {W(add)(u[3], u[4]), W(sub)(u[3], u[4])};
    for (int k = 0; k < taps; k++) g[k] = W(fma)(FACTOR(g_a[k]), a[k % 2], W(times)(&W(six).g_b[k], b[k % 2]));
    g[0] = W(add)(g[0], u[0]);
    g[taps - 1] = W(add)(g[taps - 1], u[5]);
}

static inline void W(gather_taps3)(const W(vec) u[6], W(vec) g[3]) { W(gather_taps6)(3, u, g); }
static inline void W(gather_taps5)(const W(vec) u[6], W(vec) g[5]) { W(gather_taps6)(5, u, g); }

static inline void W(gather_taps7)(const W(vec) u[9], W(vec) g[7])
{
    for (int k = 0; k < 7; k++) g[k] = k == 6 ? u[8] : W(zero)();
    for (int p = 0; p < 4; p++) {
        const W(vec) part[2] = {W(add)(u[2 * p], u[2 * p + 1]), W(sub)(u[2 * p], u[2 * p + 1])};
        for (int k = 0; k < 7; k++) g[k] = W(fma)(W(splat)(&W(nine).at[p].g[k]), part[k % 2], g[k]);
    }
}

/* ---- the forms --------------------------------------------------------------------------------------------------- */

/* Names of a form's kernels: FORM(input) of SHAPE square and TAPS 3 is square3_input_f32. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define FORM(word) W(FC_PASTE(JOIN(SHAPE, TAPS), word))

#define INPUTS 6
#define SPREAD spread6
#define TAPS 3
#define OUTPUTS 4
#define GATHER gather3
#define RAISE raise3
#define SHAPE square
#define WINDOW 6
#include "kernels/winograd_square.h"

#define INPUTS 4
#define SPREAD spread4
#define TAPS 3
#define OUTPUTS 2
#define GATHER gather3_small
#define RAISE raise3_small
#define SHAPE small
#define WINDOW 4
#include "kernels/winograd_square.h"

#define INPUTS 6
#define SPREAD spread6
#define TAPS 5
#define OUTPUTS 2
#define GATHER gather5
#define RAISE raise5
#define SHAPE square
#define WINDOW 6
#include "kernels/winograd_square.h"

#define INPUTS 5
#define SPREAD spread5
#define TAPS 3
#define OUTPUTS 2
#define GATHER gather3_apart
#define RAISE raise3_apart
#define SHAPE apart
#define WINDOW 5
#include "kernels/winograd_square.h"

#define INPUTS 6
#define SPREAD spread6
#define TAPS 3
#define OUTPUTS 4
#define GATHER gather3
#define RAISE raise3
#define SHAPE line
#define WINDOW 6
#include "kernels/winograd_line.h"

#define INPUTS 9
#define SPREAD spread9
#define TAPS 7
#define OUTPUTS 3
#define GATHER gather7
#define RAISE raise7
#define SHAPE line
#define WINDOW 9
#include "kernels/winograd_line.h"

#define INPUTS 4
#define SPREAD raise_outputs3
#define TAPS 3
#define OUTPUTS 3
#define GATHER gather_taps3
#define SHAPE square_grad
#define WINDOW 6
#include "kernels/winograd_square.h"

#define INPUTS 2
#define SPREAD raise_outputs5
#define TAPS 5
#define OUTPUTS 5
#define GATHER gather_taps5
#define SHAPE square_grad
#define WINDOW 6
#include "kernels/winograd_square.h"

#define INPUTS 2
#define SPREAD raise_outputs3_apart
#define TAPS 3
#define OUTPUTS 3
#define GATHER gather_taps3_apart
#define SHAPE apart_grad
#define WINDOW 5
#include "kernels/winograd_square.h"

#define INPUTS 4
#define SPREAD raise_outputs3
#define TAPS 3
#define OUTPUTS 3
#define GATHER gather_taps3
#define SHAPE line_grad
#define WINDOW 6
#include "kernels/winograd_line.h"

#define INPUTS 3
#define SPREAD raise_outputs7
#define TAPS 7
#define OUTPUTS 7
#define GATHER gather_taps7
#define SHAPE line_grad
#define WINDOW 9
#include "kernels/winograd_line.h"

#undef JOIN_
#undef JOIN
#undef FORM
#undef ROOT_HALF
#undef ROOT_TWO
#undef FACTOR
#undef POINT_0
#undef POINT_1
#undef POINT_2
#undef POINT_3
#undef SQUARE
#undef THREE_0
#undef THREE_1
#undef THREE_2
#undef SHARE
#undef NINE_POINT
