/* SPDX-License-Identifier: BSD-3-Clause */
/* strassen.h -- the additions around Strassen's seven products; see fc_strassen_join. Included once per floating element type. */

/* S1 to S4 of two pixels, `step` elements apart. */
static void W(strassen_split)(ptrdiff_t half, const void *even, const void *odd, void *sums, ptrdiff_t step)
{
    enum { lanes = W(LANES) };
    const T *a = even, *b = odd;
    T *s = sums;
    for (ptrdiff_t k = 0; k < half; k += lanes) {
        const ptrdiff_t n = half - k < lanes ? half - k : lanes;
        const W(mask) some = W(first_lanes)(n);
        const W(vec) a1 = W(load_first)(a + k, n, some), a2 = W(load_first)(a + half + k, n, some);
        const W(vec) b1 = W(load_first)(b + k, n, some), b2 = W(load_first)(b + half + k, n, some);
        const W(vec) s1 = W(add)(b1, b2), s2 = W(sub)(s1, a1);
        W(store_first)(s + k, s1, n, some);
        W(store_first)(s + step + k, s2, n, some);
        W(store_first)(s + 2 * step + k, W(sub)(a1, b1), n, some);
        W(store_first)(s + 3 * step + k, W(sub)(a2, s2), n, some);
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

static bool W(strassen_join)(const fc_strassen_join *j)
{
    enum { lanes = W(LANES) };
    W(vec) check = W(zero)();
    T any[W(LANES)];
    bool finite = true;
    for (ptrdiff_t r = 0; r < j->rows; r++) {
        T *even = (T *)j->even[r] + j->at, *odd = j->odd[r] ? (T *)j->odd[r] + j->at : NULL;
        for (ptrdiff_t l = 0; l < j->columns; l += lanes) {
            const ptrdiff_t at = r * j->width + l, n = j->columns - l < lanes ? j->columns - l : lanes;
            const W(mask) some = W(first_lanes)(n);
            const W(vec) left = j->bias[0] ? W(load_first)((const T *)j->bias[0] + l, n, some) : W(zero)();
            const W(vec) right = j->bias[1] ? W(load_first)((const T *)j->bias[1] + l, n, some) : W(zero)();
            const W(vec) z = W(load)((const T *)j->sums[1] + at);
            const W(vec) even_left = W(add)(W(load)((const T *)j->sums[2] + at), left);
            const W(vec) even_right = W(add)(W(add)(W(load)((const T *)j->sums[3] + at), z), right);
            const W(vec) odd_left = W(add)(W(load)((const T *)j->sums[4] + at), left);
            const W(vec) odd_right = W(add)(W(add)(W(load)((const T *)j->sums[0] + at), z), right);
            check = W(fma)(even_left, W(zero)(), check);
            check = W(fma)(even_right, W(zero)(), check);
            check = W(fma)(odd_left, W(zero)(), check);
            check = W(fma)(odd_right, W(zero)(), check);
            W(store_first)(even + l, even_left, n, some);
            W(store_first)(even + j->half + l, even_right, n, some);
            if (!odd) continue;
            W(store_first)(odd + l, odd_left, n, some);
            W(store_first)(odd + j->half + l, odd_right, n, some);
        }
    }
    W(store)(any, check);
    for (int l = 0; l < lanes; l++) finite &= any[l] == 0;
    return finite;
}
