/* SPDX-License-Identifier: BSD-3-Clause */
/* vec_scalar.h -- the vocabulary of the tile templates in plain C: one element a vector. Every machine runs it. */
#ifndef FC_KERNELS_VEC_SCALAR_H
#define FC_KERNELS_VEC_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VECTOR_BYTES 0 /* integers are one element a vector too */
#define TILE_ROWS 4

#define FC_SCALAR_WORDS(S, T, I)                                                                                  \
    typedef T vec_##S;                                                                                            \
    typedef I mask_##S;                                                                                           \
    static inline vec_##S zero_##S(void) { return 0; }                                                            \
    static inline vec_##S splat_##S(const T *p) { return *p; }                                                    \
    static inline vec_##S load_##S(const T *p) { return *p; }                                                     \
    static inline void store_##S(T *p, vec_##S v) { *p = v; }                                                     \
    static inline vec_##S add_##S(vec_##S a, vec_##S b) { return a + b; }                                         \
    static inline vec_##S sub_##S(vec_##S a, vec_##S b) { return a - b; }                                         \
    static inline vec_##S fma_##S(vec_##S a, vec_##S b, vec_##S c) { return a * b + c; }                          \
    static inline T fma_one_##S(T a, T b, T c) { return a * b + c; }                                              \
    static inline vec_##S larger_##S(vec_##S a, vec_##S b) { return b > a || b != b ? b : a; }                    \
    static inline bool any_nan_##S(vec_##S v) { return v != v; }                                                  \
    static inline vec_##S or_##S(vec_##S a, vec_##S b) { return b != 0 ? b : a; }                                 \
    static inline mask_##S mask_load_##S(const I *p) { return *p; }                                               \
    static inline vec_##S load_masked_##S(const T *p, mask_##S m) { return m ? *p : 0; }                          \
    static inline vec_##S gather_masked_##S(const T *p, const I *index, mask_##S m) { return m ? p[*index] : 0; } \
    static inline vec_##S load_even_##S(const T *p) { return *p; }                                                \
    static inline vec_##S load_mixed_##S(const T *p) { return *p; }                                               \
    static inline vec_##S load_mixed_masked_##S(const T *p, mask_##S low, mask_##S high)                          \
    {                                                                                                             \
        return (void)high, low ? *p : 0;                                                                          \
    }                                                                                                             \
    static inline vec_##S unmix_##S(vec_##S v) { return v; }                                                      \
    static inline void store_masked_##S(T *p, mask_##S m, vec_##S v)                                              \
    {                                                                                                             \
        if (m) *p = v;                                                                                            \
    }                                                                                                             \
    static inline void transpose_lanes_##S(vec_##S v[1]) { (void)v; }                                             \
    static inline vec_##S sum_lanes_##S(const vec_##S v[1]) { return v[0]; }                                      \
    static inline void load_apart4_##S(const T *p, vec_##S v[4]) { memcpy(v, p, 4 * sizeof *p); }                 \
    static inline void store_together4_##S(T *p, const vec_##S v[4]) { memcpy(p, v, 4 * sizeof *p); }

#define LANES_f32 1
#define LANES_f64 1
FC_SCALAR_WORDS(f32, float, int32_t)
FC_SCALAR_WORDS(f64, double, int64_t)

#endif
