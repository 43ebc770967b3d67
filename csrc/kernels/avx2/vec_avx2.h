/* SPDX-License-Identifier: BSD-3-Clause */
/* vec_avx2.h -- the vocabulary of the tile templates in AVX2 and FMA: 8 floats or 4 doubles a vector.
 * Masks are read from memory, one integer a lane; masked-out lanes are not touched. */
#ifndef FC_KERNELS_VEC_AVX2_H
#define FC_KERNELS_VEC_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR_BYTES 32

/* 16 registers: 4 x 3 sums, 3 of a panel, 1 broadcast. */
#define TILE_ROWS 4
#define VECTOR_REGISTER "x" /* in the operands of assembly */
#define PERMUTES 1          /* permute, and take_lanes: any lanes in one instruction */

typedef __m256 vec_f32;
typedef __m256i mask_f32;
#define LANES_f32 8
static inline vec_f32 zero_f32(void) { return _mm256_setzero_ps(); }
static inline vec_f32 splat_f32(const float *p) { return _mm256_broadcast_ss(p); }
static inline vec_f32 load_f32(const float *p) { return _mm256_loadu_ps(p); }
static inline void store_f32(float *p, vec_f32 v) { _mm256_storeu_ps(p, v); }
static inline vec_f32 add_f32(vec_f32 a, vec_f32 b) { return _mm256_add_ps(a, b); }
static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b) { return _mm256_sub_ps(a, b); }
static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c) { return _mm256_fmadd_ps(a, b, c); }
static inline float fma_one_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
/* The greater; of equals a, of NaNs b. */
static inline vec_f32 larger_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_blendv_ps(_mm256_max_ps(b, a), b, _mm256_cmp_ps(b, b, _CMP_UNORD_Q));
}
static inline bool any_nan_f32(vec_f32 v) { return _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) != 0; }
/* Lane i of the result is lane (times * i + first) % 8. */
static inline vec_f32 permute_f32(vec_f32 v, int times, int first)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_permutevar8x32_ps(
        v, _mm256_add_epi32(_mm256_mullo_epi32(lanes, _mm256_set1_epi32(times)), _mm256_set1_epi32(first)));
}
/* a, with those lanes of b whose number has the bit. */
static inline vec_f32 take_lanes_f32(vec_f32 a, vec_f32 b, int bit)
{
    if (bit == 1) return _mm256_blend_ps(a, b, 0xaa);
    return bit == 2 ? _mm256_blend_ps(a, b, 0xcc) : _mm256_blend_ps(a, b, 0xf0);
}
static inline vec_f32 or_f32(vec_f32 a, vec_f32 b) { return _mm256_or_ps(a, b); }
static inline mask_f32 mask_load_f32(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vec_f32 load_masked_f32(const float *p, mask_f32 m) { return _mm256_maskload_ps(p, m); }
static inline vec_f32 gather_masked_f32(const float *p, const int32_t *index, mask_f32 m)
{
    const __m256i at = _mm256_loadu_si256((const __m256i *)index);
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), p, at, _mm256_castsi256_ps(m), 4);
}
/* Elements 0, 2 … 14; nothing behind element 14 is read. */
static inline vec_f32 load_even_f32(const float *p)
{
    const __m256 mixed = _mm256_shuffle_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 7), _MM_SHUFFLE(3, 1, 2, 0));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), _MM_SHUFFLE(3, 1, 2, 0)));
}
/* Elements 0, 2 … 14 in an order of its own, which unmix puts right; nothing behind element 14 is read. With masks: of
 * elements 0 … 7 and 7 … 14. */
static inline vec_f32 load_mixed_f32(const float *p)
{
    return _mm256_shuffle_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 7), _MM_SHUFFLE(3, 1, 2, 0));
}
static inline vec_f32 load_mixed_masked_f32(const float *p, mask_f32 low, mask_f32 high)
{
    return _mm256_shuffle_ps(_mm256_maskload_ps(p, low), _mm256_maskload_ps(p + 7, high), _MM_SHUFFLE(3, 1, 2, 0));
}
static inline vec_f32 unmix_f32(vec_f32 v)
{
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), _MM_SHUFFLE(3, 1, 2, 0)));
}
static inline void store_masked_f32(float *p, mask_f32 m, vec_f32 v) { _mm256_maskstore_ps(p, m, v); }
/* Lane l of vector i becomes lane i of vector l. */
static inline void transpose_lanes_f32(vec_f32 v[8])
{
    __m256 t[8];
    for (int i = 0; i < 8; i += 4) { /* half h of t[i + j]: columns 4 * h + j of rows i to i + 3 */
        const __m256 low0 = _mm256_unpacklo_ps(v[i], v[i + 1]), high0 = _mm256_unpackhi_ps(v[i], v[i + 1]);
        const __m256 low1 = _mm256_unpacklo_ps(v[i + 2], v[i + 3]), high1 = _mm256_unpackhi_ps(v[i + 2], v[i + 3]);
        t[i] = _mm256_shuffle_ps(low0, low1, 0x44);
        t[i + 1] = _mm256_shuffle_ps(low0, low1, 0xee);
        t[i + 2] = _mm256_shuffle_ps(high0, high1, 0x44);
        t[i + 3] = _mm256_shuffle_ps(high0, high1, 0xee);
    }
    for (int j = 0; j < 4; j++) {
        v[j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x20);
        v[4 + j] = _mm256_permute2f128_ps(t[j], t[4 + j], 0x31);
    }
}
/* Lane i of the result is the sum of vector i's lanes, halves added to halves. */
static inline vec_f32 sum_lanes_f32(const vec_f32 v[8])
{
    __m256 t[4];
    for (int i = 0; i < 4; i++)
        t[i] =
            _mm256_add_ps(_mm256_permute2f128_ps(v[i], v[i + 4], 0x20), _mm256_permute2f128_ps(v[i], v[i + 4], 0x31));
    for (int i = 0; i < 4; i += 2)
        t[i] = _mm256_add_ps(_mm256_unpacklo_ps(t[i], t[i + 1]), _mm256_unpackhi_ps(t[i], t[i + 1]));
    return _mm256_add_ps(_mm256_shuffle_ps(t[0], t[2], 0x44), _mm256_shuffle_ps(t[0], t[2], 0xee));
}
/* Four vectors of 32 neighbours: element 4 * l + j is lane l of v[j]. */
static inline void load_apart4_f32(const float *p, vec_f32 v[4])
{
    const __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8);
    const __m256 c = _mm256_loadu_ps(p + 16), d = _mm256_loadu_ps(p + 24);
    const __m256 ac = _mm256_permute2f128_ps(a, c, 0x20), a_c = _mm256_permute2f128_ps(a, c, 0x31);
    const __m256 bd = _mm256_permute2f128_ps(b, d, 0x20), b_d = _mm256_permute2f128_ps(b, d, 0x31);
    const __m256 low0 = _mm256_unpacklo_ps(ac, a_c), high0 = _mm256_unpackhi_ps(ac, a_c);
    const __m256 low1 = _mm256_unpacklo_ps(bd, b_d), high1 = _mm256_unpackhi_ps(bd, b_d);
    v[0] = _mm256_shuffle_ps(low0, low1, _MM_SHUFFLE(1, 0, 1, 0));
    v[1] = _mm256_shuffle_ps(low0, low1, _MM_SHUFFLE(3, 2, 3, 2));
    v[2] = _mm256_shuffle_ps(high0, high1, _MM_SHUFFLE(1, 0, 1, 0));
    v[3] = _mm256_shuffle_ps(high0, high1, _MM_SHUFFLE(3, 2, 3, 2));
}
/* And back. */
static inline void store_together4_f32(float *p, const vec_f32 v[4])
{
    const __m256 low0 = _mm256_unpacklo_ps(v[0], v[1]), high0 = _mm256_unpackhi_ps(v[0], v[1]);
    const __m256 low1 = _mm256_unpacklo_ps(v[2], v[3]), high1 = _mm256_unpackhi_ps(v[2], v[3]);
    const __m256 t0 = _mm256_shuffle_ps(low0, low1, _MM_SHUFFLE(1, 0, 1, 0)); /* lanes 0 and 4 */
    const __m256 t1 = _mm256_shuffle_ps(low0, low1, _MM_SHUFFLE(3, 2, 3, 2));
    const __m256 t2 = _mm256_shuffle_ps(high0, high1, _MM_SHUFFLE(1, 0, 1, 0));
    const __m256 t3 = _mm256_shuffle_ps(high0, high1, _MM_SHUFFLE(3, 2, 3, 2));
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(t0, t1, 0x20));
    _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(t2, t3, 0x20));
    _mm256_storeu_ps(p + 16, _mm256_permute2f128_ps(t0, t1, 0x31));
    _mm256_storeu_ps(p + 24, _mm256_permute2f128_ps(t2, t3, 0x31));
}

typedef __m256d vec_f64;
typedef __m256i mask_f64;
#define LANES_f64 4
static inline vec_f64 zero_f64(void) { return _mm256_setzero_pd(); }
static inline vec_f64 splat_f64(const double *p) { return _mm256_broadcast_sd(p); }
static inline vec_f64 load_f64(const double *p) { return _mm256_loadu_pd(p); }
static inline void store_f64(double *p, vec_f64 v) { _mm256_storeu_pd(p, v); }
static inline vec_f64 add_f64(vec_f64 a, vec_f64 b) { return _mm256_add_pd(a, b); }
static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b) { return _mm256_sub_pd(a, b); }
static inline vec_f64 fma_f64(vec_f64 a, vec_f64 b, vec_f64 c) { return _mm256_fmadd_pd(a, b, c); }
static inline double fma_one_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline vec_f64 larger_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_blendv_pd(_mm256_max_pd(b, a), b, _mm256_cmp_pd(b, b, _CMP_UNORD_Q));
}
static inline bool any_nan_f64(vec_f64 v) { return _mm256_movemask_pd(_mm256_cmp_pd(v, v, _CMP_UNORD_Q)) != 0; }
static inline vec_f64 permute_f64(vec_f64 v, int times, int first)
{
    const __m256i lanes = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3), halves = _mm256_setr_epi32(0, 1, 0, 1, 0, 1, 0, 1);
    const __m256i from =
        _mm256_add_epi32(_mm256_mullo_epi32(lanes, _mm256_set1_epi32(times)), _mm256_set1_epi32(first));
    const __m256i at = _mm256_add_epi32(_mm256_add_epi32(from, from), halves);
    return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(v), at));
}
static inline vec_f64 take_lanes_f64(vec_f64 a, vec_f64 b, int bit)
{
    return bit == 1 ? _mm256_blend_pd(a, b, 0xa) : _mm256_blend_pd(a, b, 0xc);
}
static inline vec_f64 or_f64(vec_f64 a, vec_f64 b) { return _mm256_or_pd(a, b); }
static inline mask_f64 mask_load_f64(const int64_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vec_f64 load_masked_f64(const double *p, mask_f64 m) { return _mm256_maskload_pd(p, m); }
static inline vec_f64 gather_masked_f64(const double *p, const int64_t *index, mask_f64 m)
{
    const __m256i at = _mm256_loadu_si256((const __m256i *)index);
    return _mm256_mask_i64gather_pd(_mm256_setzero_pd(), p, at, _mm256_castsi256_pd(m), 8);
}
static inline vec_f64 load_even_f64(const double *p)
{
    const __m256d mixed = _mm256_shuffle_pd(_mm256_loadu_pd(p), _mm256_loadu_pd(p + 3), 0xa);
    return _mm256_permute4x64_pd(mixed, _MM_SHUFFLE(3, 1, 2, 0));
}
static inline vec_f64 load_mixed_f64(const double *p)
{
    return _mm256_shuffle_pd(_mm256_loadu_pd(p), _mm256_loadu_pd(p + 3), 0xa);
}
static inline vec_f64 load_mixed_masked_f64(const double *p, mask_f64 low, mask_f64 high)
{
    return _mm256_shuffle_pd(_mm256_maskload_pd(p, low), _mm256_maskload_pd(p + 3, high), 0xa);
}
static inline vec_f64 unmix_f64(vec_f64 v) { return _mm256_permute4x64_pd(v, _MM_SHUFFLE(3, 1, 2, 0)); }
static inline void store_masked_f64(double *p, mask_f64 m, vec_f64 v) { _mm256_maskstore_pd(p, m, v); }
static inline void transpose_lanes_f64(vec_f64 v[4])
{
    const __m256d low0 = _mm256_unpacklo_pd(v[0], v[1]), high0 = _mm256_unpackhi_pd(v[0], v[1]);
    const __m256d low1 = _mm256_unpacklo_pd(v[2], v[3]), high1 = _mm256_unpackhi_pd(v[2], v[3]);
    v[0] = _mm256_permute2f128_pd(low0, low1, 0x20);
    v[1] = _mm256_permute2f128_pd(high0, high1, 0x20);
    v[2] = _mm256_permute2f128_pd(low0, low1, 0x31);
    v[3] = _mm256_permute2f128_pd(high0, high1, 0x31);
}
static inline vec_f64 sum_lanes_f64(const vec_f64 v[4])
{
    __m256d t[2];
    for (int i = 0; i < 2; i++)
        t[i] =
            _mm256_add_pd(_mm256_permute2f128_pd(v[i], v[i + 2], 0x20), _mm256_permute2f128_pd(v[i], v[i + 2], 0x31));
    return _mm256_add_pd(_mm256_unpacklo_pd(t[0], t[1]), _mm256_unpackhi_pd(t[0], t[1]));
}
static inline void load_apart4_f64(const double *p, vec_f64 v[4])
{
    for (int i = 0; i < 4; i++) v[i] = _mm256_loadu_pd(p + 4 * i);
    transpose_lanes_f64(v);
}
static inline void store_together4_f64(double *p, const vec_f64 v[4])
{
    vec_f64 t[4] = {v[0], v[1], v[2], v[3]};
    transpose_lanes_f64(t);
    for (int i = 0; i < 4; i++) _mm256_storeu_pd(p + 4 * i, t[i]);
}

#endif
