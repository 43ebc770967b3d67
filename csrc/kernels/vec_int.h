/* SPDX-License-Identifier: BSD-3-Clause */
/* vec_int.h -- the few words that the tile needs for integers, in the compiler's own vectors as wide as the
 * instruction set's. Unsigned, so that sums and products wrap. */
#ifndef FC_KERNELS_VEC_INT_H
#define FC_KERNELS_VEC_INT_H

#include <stdint.h>

#if VECTOR_BYTES
#define FC_INT_VECTOR(T) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias))
#define LANES_i32 (VECTOR_BYTES / 4)
#define LANES_i64 (VECTOR_BYTES / 8)
#else
#define FC_INT_VECTOR(T)
#define LANES_i32 1
#define LANES_i64 1
#endif

#define FC_INT_WORDS(S, T)                                                               \
    typedef T vec_##S FC_INT_VECTOR(T);                                                  \
    static inline vec_##S zero_##S(void) { return (vec_##S){0}; }                        \
    static inline vec_##S splat_##S(const T *p) { return zero_##S() + *p; }              \
    static inline vec_##S load_##S(const T *p) { return *(const vec_##S *)p; }           \
    static inline void store_##S(T *p, vec_##S v) { *(vec_##S *)p = v; }                 \
    static inline vec_##S add_##S(vec_##S a, vec_##S b) { return a + b; }                \
    static inline vec_##S fma_##S(vec_##S a, vec_##S b, vec_##S c) { return a * b + c; } \
    static inline T fma_one_##S(T a, T b, T c) { return a * b + c; }

FC_INT_WORDS(i32, uint32_t)
FC_INT_WORDS(i64, uint64_t)

#endif
