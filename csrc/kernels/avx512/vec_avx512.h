/* SPDX-License-Identifier: BSD-3-Clause */
/* vec_avx512.h -- the vocabulary of the tile templates in AVX-512 (F, BW, DQ, VL): 16 floats or 8 doubles a vector. */
#ifndef FC_KERNELS_VEC_AVX512_H
#define FC_KERNELS_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define VECTOR_BYTES 64

/* 32 registers: 8 x 3 sums, 3 of a panel, the broadcasts fold into the multiplications. */
#define TILE_ROWS 8

typedef __m512 vec_f32;
typedef __mmask16 mask_f32;
#define LANES_f32 16
static inline vec_f32 zero_f32(void) { return _mm512_setzero_ps(); }
static inline vec_f32 splat_f32(const float *p) { return _mm512_set1_ps(*p); }
static inline vec_f32 load_f32(const float *p) { return _mm512_loadu_ps(p); }
static inline void store_f32(float *p, vec_f32 v) { _mm512_storeu_ps(p, v); }
static inline vec_f32 add_f32(vec_f32 a, vec_f32 b) { return _mm512_add_ps(a, b); }
static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b) { return _mm512_sub_ps(a, b); }
static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c) { return _mm512_fmadd_ps(a, b, c); }
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

typedef __m512d vec_f64;
typedef __mmask8 mask_f64;
#define LANES_f64 8
static inline vec_f64 zero_f64(void) { return _mm512_setzero_pd(); }
static inline vec_f64 splat_f64(const double *p) { return _mm512_set1_pd(*p); }
static inline vec_f64 load_f64(const double *p) { return _mm512_loadu_pd(p); }
static inline void store_f64(double *p, vec_f64 v) { _mm512_storeu_pd(p, v); }
static inline vec_f64 add_f64(vec_f64 a, vec_f64 b) { return _mm512_add_pd(a, b); }
static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b) { return _mm512_sub_pd(a, b); }
static inline vec_f64 fma_f64(vec_f64 a, vec_f64 b, vec_f64 c) { return _mm512_fmadd_pd(a, b, c); }
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

#endif
