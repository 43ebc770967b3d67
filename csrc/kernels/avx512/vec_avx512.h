/* SPDX-License-Identifier: BSD-3-Clause */
/* vec_avx512.h -- the vocabulary of the tile templates in AVX-512 (F, BW, DQ, VL): 16 floats or 8 doubles a vector. */
#ifndef FC_KERNELS_VEC_AVX512_H
#define FC_KERNELS_VEC_AVX512_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR_BYTES 64

/* 32 registers: 8 x 3 sums, 3 of a panel, the broadcasts fold into the multiplications. */
#define TILE_ROWS 8
#define VECTOR_REGISTER "v" /* in the operands of assembly */
#define SHIFTS 1            /* lanes_from: one instruction, which costs less than a load across a cache line */
#define PERMUTES 1          /* permute, and take_lanes: any lanes in one instruction */
#define SHARED_LANES 1      /* deal, splat2 and splat4 */

typedef __m512 vec_f32;
typedef __mmask16 mask_f32;
#define LANES_f32 16
static inline vec_f32 zero_f32(void) { return _mm512_setzero_ps(); }
static inline vec_f32 splat_f32(const float *p) { return _mm512_set1_ps(*p); }
/* Two or four neighbours, again and again. */
typedef double pair_f32 __attribute__((may_alias, aligned(4)));
static inline vec_f32 splat2_f32(const float *p)
{
    return _mm512_castpd_ps(_mm512_set1_pd(*(const pair_f32 *)(const void *)p));
}
static inline vec_f32 splat4_f32(const float *p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
static inline vec_f32 load_f32(const float *p) { return _mm512_loadu_ps(p); }
static inline void store_f32(float *p, vec_f32 v) { _mm512_storeu_ps(p, v); }
static inline vec_f32 add_f32(vec_f32 a, vec_f32 b) { return _mm512_add_ps(a, b); }
static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b) { return _mm512_sub_ps(a, b); }
static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c) { return _mm512_fmadd_ps(a, b, c); }
static inline float fma_one_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
/* The greater; of equals a, of NaNs b. */
static inline vec_f32 larger_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_mask_mov_ps(_mm512_max_ps(b, a), _mm512_cmp_ps_mask(b, b, _CMP_UNORD_Q), b);
}
/* The same where there is no NaN. */
static inline vec_f32 max_f32(vec_f32 a, vec_f32 b) { return _mm512_max_ps(b, a); }
static inline bool any_nan_f32(vec_f32 v) { return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) != 0; }
/* Of the lanes of a and of b behind them, those from `lane` on. */
static inline vec_f32 lanes_from_f32(vec_f32 a, vec_f32 b, ptrdiff_t lane)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutex2var_ps(a, _mm512_add_epi32(lanes, _mm512_set1_epi32((int)lane)), b);
}
/* Lane i of the result is lane (times * i + first) % 16. */
static inline vec_f32 permute_f32(vec_f32 v, int times, int first)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(
        _mm512_add_epi32(_mm512_mullo_epi32(lanes, _mm512_set1_epi32(times)), _mm512_set1_epi32(first)), v);
}
/* Lane i of the result is lane (times * i) % 16 + times * i / 16: times vectors of 16 / times lanes, dealt one by one, put together. */
static inline vec_f32 deal_f32(vec_f32 v, int times)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i at = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(times));
    return _mm512_permutexvar_ps(_mm512_add_epi32(at, _mm512_srli_epi32(at, 4)), v);
}
/* a, with those lanes of b whose number has the bit. */
static inline vec_f32 take_lanes_f32(vec_f32 a, vec_f32 b, int bit)
{
    return _mm512_mask_mov_ps(a, bit == 1 ? 0xaaaa : bit == 2 ? 0xcccc : bit == 4 ? 0xf0f0 : 0xff00, b);
}
static inline vec_f32 or_f32(vec_f32 a, vec_f32 b) { return _mm512_or_ps(a, b); }
static inline mask_f32 mask_load_f32(const int32_t *p) { return _mm512_movepi32_mask(_mm512_loadu_si512(p)); }
static inline vec_f32 load_masked_f32(const float *p, mask_f32 m) { return _mm512_maskz_loadu_ps(m, p); }
static inline vec_f32 gather_masked_f32(const float *p, const int32_t *index, mask_f32 m)
{
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), m, _mm512_loadu_si512(index), p, 4);
}
/* Elements 0, 2 … 30; nothing behind element 30 is read. */
static inline vec_f32 load_even_f32(const float *p)
{
    const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(_mm512_loadu_ps(p), at, _mm512_loadu_ps(p + 15));
}
/* Elements 0, 2 … 30 in an order of its own, which unmix puts right; nothing behind element 30 is read. With masks: of
 * elements 0 … 15 and 15 … 30. */
static inline vec_f32 load_mixed_f32(const float *p) { return load_even_f32(p); }
static inline vec_f32 load_mixed_masked_f32(const float *p, mask_f32 low, mask_f32 high)
{
    const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(_mm512_maskz_loadu_ps(low, p), at, _mm512_maskz_loadu_ps(high, p + 15));
}
static inline vec_f32 unmix_f32(vec_f32 v) { return v; }
static inline void store_masked_f32(float *p, mask_f32 m, vec_f32 v) { _mm512_mask_storeu_ps(p, m, v); }
/* Lane l of vector i becomes lane i of vector l. */
static inline void transpose_lanes_f32(vec_f32 v[16])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) { /* quarter q of v[i + j]: columns 4 * q + j of rows i to i + 3 */
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int j = 0; j < 4; j++) {
        const __m512 even0 = _mm512_shuffle_f32x4(v[j], v[4 + j], 0x88);
        const __m512 odd0 = _mm512_shuffle_f32x4(v[j], v[4 + j], 0xdd);
        const __m512 even1 = _mm512_shuffle_f32x4(v[8 + j], v[12 + j], 0x88);
        const __m512 odd1 = _mm512_shuffle_f32x4(v[8 + j], v[12 + j], 0xdd);
        t[j] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        t[4 + j] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        t[8 + j] = _mm512_shuffle_f32x4(even0, even1, 0xdd);
        t[12 + j] = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);
    }
    for (int i = 0; i < 16; i++) v[i] = t[i];
}
/* Lane i of the result is the sum of vector i's lanes, halves added to halves. */
static inline vec_f32 sum_lanes_f32(const vec_f32 v[16])
{
    __m512 t[8];
    for (int i = 0; i < 8; i++) { /* halves of i and i + 4, or of i + 4 and i + 8 */
        const __m512 a = v[i < 4 ? i : i + 4], b = v[i < 4 ? i + 4 : i + 8];
        t[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    }
    for (int i = 0; i < 4; i++) /* quarters of i, i + 4, i + 8, i + 12 */
        t[i] = _mm512_add_ps(_mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd));
    for (int i = 0; i < 4; i += 2)
        t[i] = _mm512_add_ps(_mm512_unpacklo_ps(t[i], t[i + 1]), _mm512_unpackhi_ps(t[i], t[i + 1]));
    return _mm512_add_ps(_mm512_shuffle_ps(t[0], t[2], 0x44), _mm512_shuffle_ps(t[0], t[2], 0xee));
}
/* Four vectors of 64 neighbours: element 4 * l + j is lane l of v[j]. */
static inline void load_apart4_f32(const float *p, vec_f32 v[4])
{
    const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16);
    const __m512 c = _mm512_loadu_ps(p + 32), d = _mm512_loadu_ps(p + 48);
    for (int j = 0; j < 4; j++) {
        const __m512i at = _mm512_add_epi32(first, _mm512_set1_epi32(j));
        v[j] = _mm512_shuffle_f32x4(_mm512_permutex2var_ps(a, at, b), _mm512_permutex2var_ps(c, at, d), 0x44);
    }
}
/* And back. */
static inline void store_together4_f32(float *p, const vec_f32 v[4])
{
    const __m512 low0 = _mm512_unpacklo_ps(v[0], v[1]), high0 = _mm512_unpackhi_ps(v[0], v[1]);
    const __m512 low1 = _mm512_unpacklo_ps(v[2], v[3]), high1 = _mm512_unpackhi_ps(v[2], v[3]);
    /* Lanes i, 4 + i, 8 + i and 12 + i of all four, in the quarters of t[i]. */
    const __m512 t0 = _mm512_shuffle_ps(low0, low1, 0x44), t1 = _mm512_shuffle_ps(low0, low1, 0xee);
    const __m512 t2 = _mm512_shuffle_ps(high0, high1, 0x44), t3 = _mm512_shuffle_ps(high0, high1, 0xee);
    const __m512 x0 = _mm512_shuffle_f32x4(t0, t1, 0x44), x1 = _mm512_shuffle_f32x4(t2, t3, 0x44);
    const __m512 y0 = _mm512_shuffle_f32x4(t0, t1, 0xee), y1 = _mm512_shuffle_f32x4(t2, t3, 0xee);
    _mm512_storeu_ps(p, _mm512_shuffle_f32x4(x0, x1, 0x88));
    _mm512_storeu_ps(p + 16, _mm512_shuffle_f32x4(x0, x1, 0xdd));
    _mm512_storeu_ps(p + 32, _mm512_shuffle_f32x4(y0, y1, 0x88));
    _mm512_storeu_ps(p + 48, _mm512_shuffle_f32x4(y0, y1, 0xdd));
}

typedef __m512d vec_f64;
typedef __mmask8 mask_f64;
#define LANES_f64 8
static inline vec_f64 zero_f64(void) { return _mm512_setzero_pd(); }
static inline vec_f64 splat_f64(const double *p) { return _mm512_set1_pd(*p); }
static inline vec_f64 splat2_f64(const double *p) { return _mm512_broadcast_f64x2(_mm_loadu_pd(p)); }
static inline vec_f64 splat4_f64(const double *p) { return _mm512_broadcast_f64x4(_mm256_loadu_pd(p)); }
static inline vec_f64 load_f64(const double *p) { return _mm512_loadu_pd(p); }
static inline void store_f64(double *p, vec_f64 v) { _mm512_storeu_pd(p, v); }
static inline vec_f64 add_f64(vec_f64 a, vec_f64 b) { return _mm512_add_pd(a, b); }
static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b) { return _mm512_sub_pd(a, b); }
static inline vec_f64 fma_f64(vec_f64 a, vec_f64 b, vec_f64 c) { return _mm512_fmadd_pd(a, b, c); }
static inline double fma_one_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline vec_f64 larger_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_mask_mov_pd(_mm512_max_pd(b, a), _mm512_cmp_pd_mask(b, b, _CMP_UNORD_Q), b);
}
static inline vec_f64 max_f64(vec_f64 a, vec_f64 b) { return _mm512_max_pd(b, a); }
static inline bool any_nan_f64(vec_f64 v) { return _mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q) != 0; }
static inline vec_f64 lanes_from_f64(vec_f64 a, vec_f64 b, ptrdiff_t lane)
{
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_permutex2var_pd(a, _mm512_add_epi64(lanes, _mm512_set1_epi64(lane)), b);
}
static inline vec_f64 permute_f64(vec_f64 v, int times, int first)
{
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_permutexvar_pd(
        _mm512_add_epi64(_mm512_mullo_epi64(lanes, _mm512_set1_epi64(times)), _mm512_set1_epi64(first)), v);
}
static inline vec_f64 deal_f64(vec_f64 v, int times)
{
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i at = _mm512_mullo_epi64(lanes, _mm512_set1_epi64(times));
    return _mm512_permutexvar_pd(_mm512_add_epi64(at, _mm512_srli_epi64(at, 3)), v);
}
static inline vec_f64 take_lanes_f64(vec_f64 a, vec_f64 b, int bit)
{
    return _mm512_mask_mov_pd(a, bit == 1 ? 0xaa : bit == 2 ? 0xcc : 0xf0, b);
}
static inline vec_f64 or_f64(vec_f64 a, vec_f64 b) { return _mm512_or_pd(a, b); }
static inline mask_f64 mask_load_f64(const int64_t *p) { return _mm512_movepi64_mask(_mm512_loadu_si512(p)); }
static inline vec_f64 load_masked_f64(const double *p, mask_f64 m) { return _mm512_maskz_loadu_pd(m, p); }
static inline vec_f64 gather_masked_f64(const double *p, const int64_t *index, mask_f64 m)
{
    return _mm512_mask_i64gather_pd(_mm512_setzero_pd(), m, _mm512_loadu_si512(index), p, 8);
}
static inline vec_f64 load_even_f64(const double *p)
{
    const __m512i at = _mm512_setr_epi64(0, 2, 4, 6, 9, 11, 13, 15);
    return _mm512_permutex2var_pd(_mm512_loadu_pd(p), at, _mm512_loadu_pd(p + 7));
}
static inline vec_f64 load_mixed_f64(const double *p) { return load_even_f64(p); }
static inline vec_f64 load_mixed_masked_f64(const double *p, mask_f64 low, mask_f64 high)
{
    const __m512i at = _mm512_setr_epi64(0, 2, 4, 6, 9, 11, 13, 15);
    return _mm512_permutex2var_pd(_mm512_maskz_loadu_pd(low, p), at, _mm512_maskz_loadu_pd(high, p + 7));
}
static inline vec_f64 unmix_f64(vec_f64 v) { return v; }
static inline void store_masked_f64(double *p, mask_f64 m, vec_f64 v) { _mm512_mask_storeu_pd(p, m, v); }
static inline void transpose_lanes_f64(vec_f64 v[8])
{
    __m512d t[8];
    for (int i = 0; i < 8; i += 2) { /* quarter q of t[i + j]: columns 2 * q + j of rows i and i + 1 */
        t[i] = _mm512_unpacklo_pd(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_pd(v[i], v[i + 1]);
    }
    for (int j = 0; j < 2; j++) {
        const __m512d even0 = _mm512_shuffle_f64x2(t[j], t[2 + j], 0x88);
        const __m512d odd0 = _mm512_shuffle_f64x2(t[j], t[2 + j], 0xdd);
        const __m512d even1 = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0x88);
        const __m512d odd1 = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0xdd);
        v[j] = _mm512_shuffle_f64x2(even0, even1, 0x88);
        v[2 + j] = _mm512_shuffle_f64x2(odd0, odd1, 0x88);
        v[4 + j] = _mm512_shuffle_f64x2(even0, even1, 0xdd);
        v[6 + j] = _mm512_shuffle_f64x2(odd0, odd1, 0xdd);
    }
}
static inline vec_f64 sum_lanes_f64(const vec_f64 v[8])
{
    __m512d t[4];
    for (int i = 0; i < 4; i++) {
        const __m512d a = v[i < 2 ? i : i + 2], b = v[i < 2 ? i + 2 : i + 4];
        t[i] = _mm512_add_pd(_mm512_shuffle_f64x2(a, b, 0x44), _mm512_shuffle_f64x2(a, b, 0xee));
    }
    for (int i = 0; i < 2; i++)
        t[i] = _mm512_add_pd(_mm512_shuffle_f64x2(t[i], t[i + 2], 0x88), _mm512_shuffle_f64x2(t[i], t[i + 2], 0xdd));
    return _mm512_add_pd(_mm512_unpacklo_pd(t[0], t[1]), _mm512_unpackhi_pd(t[0], t[1]));
}
static inline void load_apart4_f64(const double *p, vec_f64 v[4])
{
    const __m512i first = _mm512_setr_epi64(0, 4, 8, 12, 0, 0, 0, 0);
    const __m512d a = _mm512_loadu_pd(p), b = _mm512_loadu_pd(p + 8);
    const __m512d c = _mm512_loadu_pd(p + 16), d = _mm512_loadu_pd(p + 24);
    for (int j = 0; j < 4; j++) {
        const __m512i at = _mm512_add_epi64(first, _mm512_set1_epi64(j));
        v[j] = _mm512_shuffle_f64x2(_mm512_permutex2var_pd(a, at, b), _mm512_permutex2var_pd(c, at, d), 0x44);
    }
}
static inline void store_together4_f64(double *p, const vec_f64 v[4])
{
    const __m512d low0 = _mm512_unpacklo_pd(v[0], v[1]), high0 = _mm512_unpackhi_pd(v[0], v[1]);
    const __m512d low1 = _mm512_unpacklo_pd(v[2], v[3]), high1 = _mm512_unpackhi_pd(v[2], v[3]);
    const __m512i early = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11),
                  late = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    /* low holds lanes 0, 2, 4, 6 of a pair, high lanes 1, 3, 5, 7. */
    const __m512d even0 = _mm512_permutex2var_pd(low0, early, low1), even1 = _mm512_permutex2var_pd(low0, late, low1);
    const __m512d odd0 = _mm512_permutex2var_pd(high0, early, high1), odd1 = _mm512_permutex2var_pd(high0, late, high1);
    _mm512_storeu_pd(p, _mm512_shuffle_f64x2(even0, odd0, 0x44));
    _mm512_storeu_pd(p + 8, _mm512_shuffle_f64x2(even0, odd0, 0xee));
    _mm512_storeu_pd(p + 16, _mm512_shuffle_f64x2(even1, odd1, 0x44));
    _mm512_storeu_pd(p + 24, _mm512_shuffle_f64x2(even1, odd1, 0xee));
}

#endif
