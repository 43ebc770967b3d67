/* SPDX-License-Identifier: BSD-3-Clause */
/* strassen.h -- the additions around Strassen's seven products; see fc_strassen_join. Included once per floating element type. */

/* S1 to S4 of some channels of two pixels, whose others lie half a pixel further: [4][channels]. */
static void W(strassen_split)(ptrdiff_t channels, ptrdiff_t half, const void *even, const void *odd, void *sums)
{
    enum { lanes = W(LANES) };
    const T *a = even, *b = odd;
    T *s = sums;
    for (ptrdiff_t k = 0; k < channels; k += lanes) {
        const ptrdiff_t n = channels - k < lanes ? channels - k : lanes;
        const W(mask) some = W(first_lanes)(n);
        const W(vec) a1 = W(load_first)(a + k, n, some), a2 = W(load_first)(a + half + k, n, some);
        const W(vec) b1 = W(load_first)(b + k, n, some), b2 = W(load_first)(b + half + k, n, some);
        const W(vec) s1 = W(add)(b1, b2), s2 = W(sub)(s1, a1);
        W(store_first)(s + k, s1, n, some);
        W(store_first)(s + channels + k, s2, n, some);
        W(store_first)(s + 2 * channels + k, W(sub)(a1, b1), n, some);
        W(store_first)(s + 3 * channels + k, W(sub)(a2, s2), n, some);
    }
}

/* T1, T2, T3 and minus T4 of as many weights. */
static void W(strassen_weights)(ptrdiff_t elements, void *const w[7])
{
    enum { lanes = W(LANES) };
    const T *b11 = w[0], *b21 = w[1], *b22 = w[4];
    T *t2 = w[2], *t1 = w[3], *t3 = w[5], *t4 = w[6];
    for (ptrdiff_t i = 0; i < elements; i += lanes) {
        const W(vec) b12 = W(load)(t1 + i), right = W(load)(b22 + i);
        const W(vec) first = W(sub)(b12, W(load)(b11 + i)), second = W(sub)(right, first);
        W(store)(t1 + i, first);
        W(store)(t2 + i, second);
        W(store)(t3 + i, W(sub)(right, b12));
        W(store)(t4 + i, W(sub)(W(load)(b21 + i), second));
    }
}

/* Adds to some lanes of an output, or begins it; answers the result. */
static inline W(vec) W(strassen_put)(T *to, const T *bias, bool add, W(vec) sum, ptrdiff_t count)
{
    const W(mask) some = W(first_lanes)(count);
    const T *from = add ? to : bias;
    const W(vec) y = W(add)(from ? W(load_first)(from, count, some) : W(zero)(), sum);
    W(store_first)(to, y, count, some);
    return y;
}

static bool W(strassen_join)(const fc_strassen_join *j)
{
    enum { lanes = W(LANES) };
    W(vec) check = W(zero)();
    T any[W(LANES)];
    bool finite = true;
    for (ptrdiff_t r = 0; r < j->rows; r++)
        for (ptrdiff_t l = 0; l < j->columns; l += lanes) {
            const ptrdiff_t at = r * j->width + l, count = j->columns - l < lanes ? j->columns - l : lanes;
            const T *left = j->bias[0] ? (const T *)j->bias[0] + l : NULL;
            const T *right = j->bias[1] ? (const T *)j->bias[1] + l : NULL;
            const W(vec) z = W(load)((const T *)j->sums[1] + at);
            const W(vec) sum[4] = {W(load)((const T *)j->sums[2] + at), W(add)(W(load)((const T *)j->sums[3] + at), z),
                                   W(load)((const T *)j->sums[4] + at), W(add)(W(load)((const T *)j->sums[0] + at), z)};
            for (int odd = 0; odd < (j->odd[r] ? 2 : 1); odd++) {
                T *to = (T *)(odd ? j->odd[r] : j->even[r]) + j->at + l;
                const W(vec) y = W(strassen_put)(to, left, j->add, sum[2 * odd], count);
                const W(vec) half = W(strassen_put)(to + j->half, right, j->add, sum[2 * odd + 1], count);
                check = W(fma)(y, W(zero)(), W(fma)(half, W(zero)(), check));
            }
        }
    W(store)(any, check);
    for (int l = 0; l < lanes; l++) finite &= any[l] == 0;
    return finite;
}
