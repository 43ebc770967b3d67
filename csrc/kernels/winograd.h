/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd.h -- the transforms of F(4x4, 3x3): y = A' [(G g G') * (B' d B)] A over tiles of 6x6 inputs and 4x4 outputs,
 * with the points 0, ±a, ±b and infinity, a = sqrt(1/2), b = sqrt(2): as many operations as ±1, ±2 and half the error.
 * Lanes are tiles (of the weights: channels). Included once per floating element type.
 *
 * B'  1   0 -5/2   0   1   0     G        1      0      0      A'  1   1   1     1     1   0
 *     0  -b   -2   a   1   0         -2/3·(1      a    1/2)        0   a  -a     b    -b   0
 *     0   b   -2  -a   1   0         -2/3·(1     -a    1/2)        0 1/2 1/2     2     2   0
 *     0  -a -1/2   b   1   0          1/6·(1      b      2)        0 a/2 -a/2   2b   -2b   1
 *     0   a -1/2  -b   1   0          1/6·(1     -b      2)
 *     0   1    0 -5/2  0   1                0      0      1  */
#define ROOT_HALF ((T)0.70710678118654752440)
#define ROOT_TWO ((T)1.41421356237309504880)

static inline W(vec) W(constant)(T value) { return W(splat)(&value); }

/* One dimension of B' d. */
static inline void W(spread6)(const W(vec) d[6], W(vec) v[6])
{
    const W(vec) a = W(constant)(ROOT_HALF), b = W(constant)(ROOT_TWO), minus_a = W(constant)(-ROOT_HALF);
    const W(vec) minus_b = W(constant)(-ROOT_TWO), minus_half = W(constant)((T)-0.5), minus_two = W(constant)(-2);
    const W(vec) outer = W(constant)((T)-2.5), zero = W(zero)();
    const W(vec) even_a = W(fma)(minus_two, d[2], d[4]), even_b = W(fma)(minus_half, d[2], d[4]);
    const W(vec) odd_a = W(fma)(a, d[3], W(fma)(minus_b, d[1], zero));
    const W(vec) odd_b = W(fma)(b, d[3], W(fma)(minus_a, d[1], zero));
    v[0] = W(fma)(outer, d[2], W(add)(d[0], d[4]));
    v[1] = W(add)(even_a, odd_a);
    v[2] = W(sub)(even_a, odd_a);
    v[3] = W(add)(even_b, odd_b);
    v[4] = W(sub)(even_b, odd_b);
    v[5] = W(fma)(outer, d[3], W(add)(d[1], d[5]));
}

/* One dimension of A' m. */
static inline void W(gather4)(const W(vec) m[6], W(vec) y[4])
{
    const W(vec) a = W(constant)(ROOT_HALF), b = W(constant)(ROOT_TWO), half = W(constant)((T)0.5);
    const W(vec) two = W(constant)(2), half_a = W(constant)(ROOT_HALF / 2), two_b = W(constant)(2 * ROOT_TWO);
    const W(vec) zero = W(zero)();
    const W(vec) even_a = W(add)(m[1], m[2]), odd_a = W(sub)(m[1], m[2]);
    const W(vec) even_b = W(add)(m[3], m[4]), odd_b = W(sub)(m[3], m[4]);
    y[0] = W(add)(W(add)(m[0], even_a), even_b);
    y[1] = W(fma)(a, odd_a, W(fma)(b, odd_b, zero));
    y[2] = W(fma)(half, even_a, W(fma)(two, even_b, zero));
    y[3] = W(fma)(half_a, odd_a, W(fma)(two_b, odd_b, m[5]));
}

static void W(winograd_input)(const fc_winograd_input *t)
{
    enum { lanes = W(LANES) };
    T *v = t->v;
    for (ptrdiff_t x = 0; x < t->tiles; x += lanes, v += lanes) {
        W(vec) half[6][6], d[6], row[6];
        for (int j = 0; j < 6; j++) {
            const T *column = (const T *)t->rows + (j & 3) * t->phase_step + (j >> 2) + x;
            for (int i = 0; i < 6; i++) d[i] = W(load)(column + i * t->row_step);
            W(spread6)(d, row);
            for (int i = 0; i < 6; i++) half[i][j] = row[i];
        }
        for (int i = 0; i < 6; i++) {
            W(spread6)(half[i], row);
            for (int j = 0; j < 6; j++) W(store)(v + (i * 6 + j) * t->frequency_step, row[j]);
        }
    }
}

static void W(winograd_output)(const fc_winograd_output *t)
{
    enum { lanes = W(LANES) };
    const W(vec) bias = W(splat)(t->bias), zero = W(zero)();
    W(vec) check = zero;
    for (ptrdiff_t x = 0; x < t->vectors; x++) {
        const T *m = (const T *)t->m + x * lanes;
        T(*tile)[4][4] = (T(*)[4][4])t->y + x * lanes, lane[4][lanes];
        W(vec) half[4][6], column[6], y[4];
        for (int j = 0; j < 6; j++) {
            for (int i = 0; i < 6; i++) column[i] = W(load)(m + (i * 6 + j) * t->frequency_step);
            W(gather4)(column, y);
            for (int i = 0; i < 4; i++) half[i][j] = y[i];
        }
        for (int i = 0; i < 4; i++) {
            W(gather4)(half[i], y);
            for (int j = 0; j < 4; j++) {
                y[j] = W(add)(bias, y[j]);
                check = W(fma)(zero, y[j], check);
                W(store)(lane[j], y[j]);
            }
            for (int l = 0; l < lanes; l++)
                for (int j = 0; j < 4; j++) tile[l][i][j] = lane[j][l];
        }
    }
    T lane[lanes];
    W(store)(lane, check);
    *t->finite = 1;
    for (int l = 0; l < lanes; l++)
        if (lane[l] != 0) *t->finite = 0; /* 0 · NaN and 0 · infinity are NaN */
}

static void W(winograd_weights)(const fc_winograd_weights *t)
{
    enum { lanes = W(LANES) };
    const T *w = t->w;
    T *u = t->u;
    for (ptrdiff_t c = 0; c < t->channels; c += lanes, w += lanes * t->channel_step, u += lanes) {
        const ptrdiff_t used = t->channels - c < lanes ? t->channels - c : lanes;
        T taps[3][3][lanes];
        W(vec) half[6][3];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                for (ptrdiff_t l = 0; l < lanes; l++)
                    taps[i][j][l] = l < used ? w[l * t->channel_step + i * t->tap_step[0] + j * t->tap_step[1]] : 0;
            }
        for (int pass = 0; pass < 2; pass++)
            for (int k = 0; k < (pass ? 6 : 3); k++) {
                const W(vec) g0 = pass ? half[k][0] : W(load)(taps[0][k]);
                const W(vec) g1 = pass ? half[k][1] : W(load)(taps[1][k]);
                const W(vec) g2 = pass ? half[k][2] : W(load)(taps[2][k]), zero = W(zero)();
                const W(vec) a = W(constant)((T)(-2.0 / 3)), b = W(constant)((T)(1.0 / 6));
                const W(vec) even_a = W(fma)(W(constant)((T)(-1.0 / 3)), g2, W(fma)(a, g0, zero));
                const W(vec) even_b = W(fma)(W(constant)((T)(1.0 / 3)), g2, W(fma)(b, g0, zero));
                const W(vec) odd_a = W(fma)(W(constant)((T)(-2.0 / 3) * ROOT_HALF), g1, zero);
                const W(vec) odd_b = W(fma)(W(constant)((T)(1.0 / 6) * ROOT_TWO), g1, zero);
                const W(vec) all[6] = {
                    g0, W(add)(even_a, odd_a), W(sub)(even_a, odd_a), W(add)(even_b, odd_b), W(sub)(even_b, odd_b), g2};
                for (int i = 0; i < 6; i++) {
                    if (pass)
                        W(store)(u + (k * 6 + i) * t->frequency_step, all[i]);
                    else
                        half[i][k] = all[i];
                }
            }
    }
}

#undef ROOT_HALF
#undef ROOT_TWO
