/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_fold.h -- rows and windows combined by one associative operation: OP(a, b) with a in front of b, functions
 * named F(word). Included once per operation and element type; see fc_fold_kernels. */

/* TAPS elements `step` apart, in one pass; MORE: behind what is in d already. Both are constants where this is
 * inlined. d may be s itself when nothing but the same place is read. */
static inline __attribute__((always_inline)) void F(pass)(ptrdiff_t n, T *d, const T *s, ptrdiff_t step,
                                                          ptrdiff_t stride, const int taps, const bool more)
{
    FC_INDEPENDENT
    for (ptrdiff_t i = 0; i < n; i++) {
        T value = more ? OP(d[i], s[i * stride]) : s[i * stride];
        for (int t = 1; t < taps; t++) value = OP(value, s[i * stride + t * step]);
        d[i] = value;
    }
}

static inline __attribute__((always_inline)) void F(passes)(ptrdiff_t n, T *d, const T *s, ptrdiff_t taps,
                                                            ptrdiff_t step, ptrdiff_t stride)
{
    ptrdiff_t t = 3;
    if (taps == 1) F(pass)(n, d, s, step, stride, 1, false);
    if (taps == 2) F(pass)(n, d, s, step, stride, 2, false);
    if (taps < 3) return;
    F(pass)(n, d, s, step, stride, 3, false);
    for (; t + 3 <= taps; t += 3) F(pass)(n, d, s + t * step, step, stride, 3, true);
    if (taps - t == 1) F(pass)(n, d, s + t * step, step, stride, 1, true);
    if (taps - t == 2) F(pass)(n, d, s + t * step, step, stride, 2, true);
}

static void F(pair)(ptrdiff_t n, void *dst, const void *a, const void *b)
{
    T *d = dst;
    const T *p = a, *q = b;
    FC_INDEPENDENT
    for (ptrdiff_t i = 0; i < n; i++) d[i] = OP(p[i], q[i]);
}

static void F(rows)(ptrdiff_t n, void *dst, const void *src, ptrdiff_t rows, ptrdiff_t step)
{
    F(passes)(n, dst, src, rows, step, 1);
}

static void F(window)(ptrdiff_t n, ptrdiff_t depth, void *dst, const void *src, ptrdiff_t taps, ptrdiff_t stride,
                      ptrdiff_t dilation)
{
    T *d = dst;
    const T *s = src;
    if (stride == 1) {
        F(passes)(n * depth, d, s, taps, dilation * depth, 1);
    } else if (depth > 1) {
        for (ptrdiff_t i = 0; i < n; i++)
            F(passes)(depth, d + i * depth, s + i * stride * depth, taps, dilation * depth, 1);
    } else if (stride == 2 && taps <= 4) {
        F(passes)(n, d, s, taps, dilation, 2);
    } else {
        for (ptrdiff_t i = 0; i < n; i++) {
            T value = s[i * stride];
            for (ptrdiff_t t = 1; t < taps; t++) value = OP(value, s[i * stride + t * dilation]);
            d[i] = value;
        }
    }
}
#undef OP
#undef F
