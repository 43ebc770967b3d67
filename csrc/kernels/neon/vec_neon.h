/* SPDX-License-Identifier: BSD-3-Clause */
/* vec_neon.h -- the vocabulary of the tile templates in AArch64 NEON: 4 floats or 2 doubles a vector.
 * NEON has neither masked loads nor gathers: they go lane by lane. */
#ifndef FC_KERNELS_VEC_NEON_H
#define FC_KERNELS_VEC_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR_BYTES 16

/* 32 registers: 8 x 3 sums, 3 of a panel, 1 to 5 broadcasts. */
#define TILE_ROWS 8
#define VECTOR_REGISTER "w" /* in the operands of assembly */

typedef float32x4_t vec_f32;
typedef int32x4_t mask_f32;
#define LANES_f32 4
static inline vec_f32 zero_f32(void) { return vdupq_n_f32(0); }
static inline vec_f32 splat_f32(const float *p) { return vld1q_dup_f32(p); }
static inline vec_f32 load_f32(const float *p) { return vld1q_f32(p); }
static inline void store_f32(float *p, vec_f32 v) { vst1q_f32(p, v); }
static inline vec_f32 add_f32(vec_f32 a, vec_f32 b) { return vaddq_f32(a, b); }
static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b) { return vsubq_f32(a, b); }
static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c) { return vfmaq_f32(c, a, b); }
static inline float fma_one_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
/* The greater; of equals a, of NaNs b. */
static inline vec_f32 larger_f32(vec_f32 a, vec_f32 b)
{
    return vbslq_f32(vceqq_f32(b, b), vbslq_f32(vcgtq_f32(b, a), b, a), b);
}
static inline bool any_nan_f32(vec_f32 v) { return vminvq_u32(vceqq_f32(v, v)) == 0; }
static inline vec_f32 or_f32(vec_f32 a, vec_f32 b)
{
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}
static inline mask_f32 mask_load_f32(const int32_t *p) { return vld1q_s32(p); }
static inline vec_f32 load_masked_f32(const float *p, mask_f32 m)
{
    float lanes[4] = {0};
    for (int l = 0; l < 4; l++)
        if (m[l]) lanes[l] = p[l];
    return vld1q_f32(lanes);
}
static inline vec_f32 gather_masked_f32(const float *p, const int32_t *index, mask_f32 m)
{
    float lanes[4] = {0};
    for (int l = 0; l < 4; l++)
        if (m[l]) lanes[l] = p[index[l]];
    return vld1q_f32(lanes);
}
/* Elements 0, 2, 4, 6; nothing behind element 6 is read. */
static inline vec_f32 load_even_f32(const float *p)
{
    const float32x4_t low = vld1q_f32(p), high = vld1q_f32(p + 3);
    return vcombine_f32(vget_low_f32(vuzp1q_f32(low, low)), vget_low_f32(vuzp2q_f32(high, high)));
}
/* Elements 0, 2, 4, 6 in an order of its own, which unmix puts right. With masks: of elements 0 … 3 and 3 … 6. */
static inline vec_f32 load_mixed_f32(const float *p) { return load_even_f32(p); }
static inline vec_f32 load_mixed_masked_f32(const float *p, mask_f32 low, mask_f32 high)
{
    const float lanes[4] = {low[0] ? p[0] : 0, low[2] ? p[2] : 0, high[1] ? p[4] : 0, high[3] ? p[6] : 0};
    return vld1q_f32(lanes);
}
static inline vec_f32 unmix_f32(vec_f32 v) { return v; }
static inline void store_masked_f32(float *p, mask_f32 m, vec_f32 v)
{
    for (int l = 0; l < 4; l++)
        if (m[l]) p[l] = v[l];
}
/* Lane l of vector i becomes lane i of vector l. */
static inline void transpose_lanes_f32(vec_f32 v[4])
{
    const float32x4x2_t low = vzipq_f32(v[0], v[2]), high = vzipq_f32(v[1], v[3]);
    const float32x4x2_t first = vzipq_f32(low.val[0], high.val[0]), last = vzipq_f32(low.val[1], high.val[1]);
    v[0] = first.val[0];
    v[1] = first.val[1];
    v[2] = last.val[0];
    v[3] = last.val[1];
}
/* Lane i of the result is the sum of vector i's lanes, neighbours added first. */
static inline vec_f32 sum_lanes_f32(const vec_f32 v[4])
{
    return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}
/* Four vectors of 16 neighbours: element 4 * l + j is lane l of v[j]. */
static inline void load_apart4_f32(const float *p, vec_f32 v[4])
{
    const float32x4x4_t apart = vld4q_f32(p);
    for (int j = 0; j < 4; j++) v[j] = apart.val[j];
}
/* And back. */
static inline void store_together4_f32(float *p, const vec_f32 v[4])
{
    vst4q_f32(p, (float32x4x4_t){{v[0], v[1], v[2], v[3]}});
}

typedef float64x2_t vec_f64;
typedef int64x2_t mask_f64;
#define LANES_f64 2
static inline vec_f64 zero_f64(void) { return vdupq_n_f64(0); }
static inline vec_f64 splat_f64(const double *p) { return vld1q_dup_f64(p); }
static inline vec_f64 load_f64(const double *p) { return vld1q_f64(p); }
static inline void store_f64(double *p, vec_f64 v) { vst1q_f64(p, v); }
static inline vec_f64 add_f64(vec_f64 a, vec_f64 b) { return vaddq_f64(a, b); }
static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b) { return vsubq_f64(a, b); }
static inline vec_f64 fma_f64(vec_f64 a, vec_f64 b, vec_f64 c) { return vfmaq_f64(c, a, b); }
static inline double fma_one_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline vec_f64 larger_f64(vec_f64 a, vec_f64 b)
{
    return vbslq_f64(vceqq_f64(b, b), vbslq_f64(vcgtq_f64(b, a), b, a), b);
}
static inline bool any_nan_f64(vec_f64 v) { return vminvq_u32(vreinterpretq_u32_u64(vceqq_f64(v, v))) == 0; }
static inline vec_f64 or_f64(vec_f64 a, vec_f64 b)
{
    return vreinterpretq_f64_u64(vorrq_u64(vreinterpretq_u64_f64(a), vreinterpretq_u64_f64(b)));
}
static inline mask_f64 mask_load_f64(const int64_t *p) { return vld1q_s64(p); }
static inline vec_f64 load_masked_f64(const double *p, mask_f64 m)
{
    double lanes[2] = {0};
    for (int l = 0; l < 2; l++)
        if (m[l]) lanes[l] = p[l];
    return vld1q_f64(lanes);
}
static inline vec_f64 gather_masked_f64(const double *p, const int64_t *index, mask_f64 m)
{
    double lanes[2] = {0};
    for (int l = 0; l < 2; l++)
        if (m[l]) lanes[l] = p[index[l]];
    return vld1q_f64(lanes);
}
static inline vec_f64 load_even_f64(const double *p)
{
    const double lanes[2] = {p[0], p[2]};
    return vld1q_f64(lanes);
}
static inline vec_f64 load_mixed_f64(const double *p) { return load_even_f64(p); }
static inline vec_f64 load_mixed_masked_f64(const double *p, mask_f64 low, mask_f64 high)
{
    const double lanes[2] = {low[0] ? p[0] : 0, high[1] ? p[2] : 0};
    return vld1q_f64(lanes);
}
static inline vec_f64 unmix_f64(vec_f64 v) { return v; }
static inline void store_masked_f64(double *p, mask_f64 m, vec_f64 v)
{
    for (int l = 0; l < 2; l++)
        if (m[l]) p[l] = v[l];
}
static inline void transpose_lanes_f64(vec_f64 v[2])
{
    const float64x2_t low = vzip1q_f64(v[0], v[1]), high = vzip2q_f64(v[0], v[1]);
    v[0] = low;
    v[1] = high;
}
static inline vec_f64 sum_lanes_f64(const vec_f64 v[2]) { return vpaddq_f64(v[0], v[1]); }
static inline void load_apart4_f64(const double *p, vec_f64 v[4])
{
    const float64x2x4_t apart = vld4q_f64(p);
    for (int j = 0; j < 4; j++) v[j] = apart.val[j];
}
static inline void store_together4_f64(double *p, const vec_f64 v[4])
{
    vst4q_f64(p, (float64x2x4_t){{v[0], v[1], v[2], v[3]}});
}

#endif
