/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_places.h -- what the row kernels of all element types share: transposed blocks and places brought home. */

/* A block of 32-bit elements, as bits: four loads, eight shuffles, four stores. Unaligned; steps count elements. */
static inline void transpose_4x4(void *dst, ptrdiff_t dst_step, const void *src, ptrdiff_t src_step)
{
    typedef uint32_t four __attribute__((vector_size(16)));
    typedef uint32_t unaligned __attribute__((vector_size(16), aligned(4), may_alias));
    uint32_t *d = dst;
    const uint32_t *s = src;
    const four a = *(const unaligned *)s, b = *(const unaligned *)(s + src_step);
    const four c = *(const unaligned *)(s + 2 * src_step), e = *(const unaligned *)(s + 3 * src_step);
    const four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const four ce_low = __builtin_shufflevector(c, e, 0, 4, 1, 5), ce_high = __builtin_shufflevector(c, e, 2, 6, 3, 7);
    *(unaligned *)d = __builtin_shufflevector(ab_low, ce_low, 0, 1, 4, 5);
    *(unaligned *)(d + dst_step) = __builtin_shufflevector(ab_low, ce_low, 2, 3, 6, 7);
    *(unaligned *)(d + 2 * dst_step) = __builtin_shufflevector(ab_high, ce_high, 0, 1, 4, 5);
    *(unaligned *)(d + 3 * dst_step) = __builtin_shufflevector(ab_high, ce_high, 2, 3, 6, 7);
}

/* Neither an index + 1 nor what it lacks of plane is negative. Signs are gathered, as every instruction set has that for
 * vectors. */
static bool places_inside(ptrdiff_t n, const int64_t *indices, int64_t plane)
{
    uint64_t signs = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t from_none = (uint64_t)indices[i] + 1;
        signs |= from_none | ((uint64_t)plane - from_none);
    }
    return !(signs >> 63);
}

static void widen_places(ptrdiff_t n, int64_t *restrict dst, const fc_place *restrict src, int64_t base)
{
    for (ptrdiff_t i = 0; i < n; i++) dst[i] = src[i] == FC_NO_PLACE ? -1 : base + src[i];
}
