/* SPDX-License-Identifier: BSD-3-Clause */
/* grouped_block.h -- correlation in groups of a few channels, of blocks: lanes are groups, and every member of a group is a
 * plane of its own, [member][pixel][lanes]. So each product is one of whole vectors, whatever the stride. */

/* Channels-last image to planes and back, a square of lanes at a time: of a vector of groups, or of as many pixels as their
 * members fill. */
static inline void W(copy_members)(T *to, const T *from, ptrdiff_t members, W(mask) mask)
{
    if (members == 8)
        memcpy(to, from, 8 * sizeof(T));
    else if (members == 4)
        memcpy(to, from, 4 * sizeof(T));
    else
        W(store_first)(to, W(load_first)(from, members, mask), members, mask);
}

/* All groups of a vector, of two or three members: which compilers make shuffles of. */
static inline void W(members_in)(const fc_group_move *d, ptrdiff_t members)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t plane = d->plane;
    for (ptrdiff_t p = 0; p < d->pixels; p++) {
        const T *from = (const T *)d->image + p * d->pixel_step;
        T *to = (T *)d->block + p * lanes;
        for (ptrdiff_t m = 0; m < members; m++) {
            FC_INDEPENDENT
            for (ptrdiff_t g = 0; g < lanes; g++) to[m * plane + g] = from[g * members + m];
        }
    }
}

static inline void W(members_out)(const fc_group_move *d, ptrdiff_t members)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t plane = d->plane;
    for (ptrdiff_t p = 0; p < d->pixels; p++) {
        const T *from = (const T *)d->block + p * lanes;
        T *to = (T *)d->image + p * d->pixel_step;
        FC_INDEPENDENT
        for (ptrdiff_t g = 0; g < lanes; g++)
            for (ptrdiff_t m = 0; m < members; m++) to[g * members + m] = from[m * plane + g];
    }
}

static void W(groups_in)(const fc_group_move *d)
{
    enum { lanes = W(LANES) };
    if (d->groups == lanes && d->members == 2) {
        W(members_in)(d, 2);
        return;
    }
    if (d->groups == lanes && d->members == 3) {
        W(members_in)(d, 3);
        return;
    }
    const ptrdiff_t members = d->members, together = members < lanes ? lanes / members : 1;
    T part[lanes * lanes], turned[lanes * lanes];
    for (ptrdiff_t i = 0; i < lanes * lanes; i++) part[i] = 0;
    for (ptrdiff_t p = 0; p < d->pixels; p += together) {
        const ptrdiff_t pixels = d->pixels - p < together ? d->pixels - p : together;
        const T *from = (const T *)d->image + p * d->pixel_step;
        T *to = (T *)d->block + p * lanes;
        if (members == 4 && d->groups == lanes) {
            for (ptrdiff_t q = 0; q < pixels; q++) {
                W(vec) v[4];
                W(load_apart4)(from + q * d->pixel_step, v);
                for (int m = 0; m < 4; m++) W(store)(to + m * d->plane + q * lanes, v[m]);
            }
            continue;
        }
        for (ptrdiff_t m = 0; m < members; m += lanes) {
            const ptrdiff_t count = members - m < lanes ? members - m : lanes;
            const W(mask) mask = W(first_lanes)(count);
            if (count == lanes && d->groups == lanes) {
                W(transpose_tile)(to + m * d->plane, d->plane, from + m, members);
                continue;
            }
            for (ptrdiff_t q = 0; q < pixels; q++)
                for (ptrdiff_t g = 0; g < d->groups; g++) W(copy_members)
            (part + g * lanes + q * count, from + q * d->pixel_step + g * members + m, count, mask);
            W(transpose_tile)(turned, lanes, part, lanes);
            for (ptrdiff_t q = 0; q < pixels; q++)
                for (ptrdiff_t i = 0; i < count; i++)
                    W(store)(to + (m + i) * d->plane + q * lanes, W(load)(turned + (q * count + i) * lanes));
        }
    }
}

static void W(groups_out)(const fc_group_move *d)
{
    enum { lanes = W(LANES) };
    if (d->groups == lanes && d->members == 2) {
        W(members_out)(d, 2);
        return;
    }
    if (d->groups == lanes && d->members == 3) {
        W(members_out)(d, 3);
        return;
    }
    const ptrdiff_t members = d->members, together = members < lanes ? lanes / members : 1;
    T part[lanes * lanes], turned[lanes * lanes];
    for (ptrdiff_t i = 0; i < lanes * lanes; i++) part[i] = 0;
    for (ptrdiff_t p = 0; p < d->pixels; p += together) {
        const ptrdiff_t pixels = d->pixels - p < together ? d->pixels - p : together;
        T *to = (T *)d->image + p * d->pixel_step;
        const T *from = (const T *)d->block + p * lanes;
        if (members == 4 && d->groups == lanes) {
            for (ptrdiff_t q = 0; q < pixels; q++) {
                W(vec) v[4];
                for (int m = 0; m < 4; m++) v[m] = W(load)(from + m * d->plane + q * lanes);
                W(store_together4)(to + q * d->pixel_step, v);
            }
            continue;
        }
        for (ptrdiff_t m = 0; m < members; m += lanes) {
            const ptrdiff_t count = members - m < lanes ? members - m : lanes;
            const W(mask) mask = W(first_lanes)(count);
            if (count == lanes && d->groups == lanes) {
                W(transpose_tile)(to + m, members, from + m * d->plane, d->plane);
                continue;
            }
            for (ptrdiff_t q = 0; q < pixels; q++)
                for (ptrdiff_t i = 0; i < count; i++)
                    W(store)(part + (q * count + i) * lanes, W(load)(from + (m + i) * d->plane + q * lanes));
            W(transpose_tile)(turned, lanes, part, lanes);
            for (ptrdiff_t q = 0; q < pixels; q++)
                for (ptrdiff_t g = 0; g < d->groups; g++) W(copy_members)
            (to + q * d->pixel_step + g * members + m, turned + g * lanes + q * count, count, mask);
        }
    }
}
/* Up to four outputs of P pixels: 4 * P sums and P pixels in registers. */
#define GROUP_OUTPUTS_1(DO) DO(0)
#define GROUP_OUTPUTS_2(DO) DO(0) DO(1)
#define GROUP_OUTPUTS_3(DO) DO(0) DO(1) DO(2)
#define GROUP_OUTPUTS_4(DO) DO(0) DO(1) DO(2) DO(3)
#define OUTPUTS 1
#include "kernels/grouped_tiles.h"
#define OUTPUTS 2
#include "kernels/grouped_tiles.h"
#define OUTPUTS 3
#include "kernels/grouped_tiles.h"
#define OUTPUTS 4
#include "kernels/grouped_tiles.h"
#undef GROUP_OUTPUTS_1
#undef GROUP_OUTPUTS_2
#undef GROUP_OUTPUTS_3
#undef GROUP_OUTPUTS_4

/* The gradient of one tap for up to four outputs and some members: where there are fewer, the last of them again. */
#if TILE_ROWS == 4
#define EACH_MEMBER(DO, o) DO(o, 0) DO(o, 1)
#define EACH_X(DO) DO(0) DO(1)
#define MEMBERS 2
#else
#define EACH_MEMBER(DO, o) DO(o, 0) DO(o, 1) DO(o, 2) DO(o, 3)
#define EACH_X(DO) DO(0) DO(1) DO(2) DO(3)
#define MEMBERS 4
#endif
#define EACH_OUTPUT(DO) DO(0) DO(1) DO(2) DO(3)
#define START(o, m) W(vec) sum##o##m = W(zero)();
#define START_OUTPUT(o) EACH_MEMBER(START, o)
#define LOAD_X(m) const W(vec) x##m = W(load)(x + (whole ? m * x_member : x_at[m]));
#define ADD(o, m) sum##o##m = W(fma)(factor, x##m, sum##o##m);
#define ADD_OUTPUT(o)                                                                 \
    {                                                                                 \
        const W(vec) factor = W(load)(grad + (whole ? o * grad_member : grad_at[o])); \
        EACH_MEMBER(ADD, o)                                                           \
    }
#define KEEP(o, m)                                                               \
    if (whole || (o < d->outputs && first + m < d->members)) {                   \
        T *sum = (T *)d->sums + (first + m) * d->sum_member + o * d->sum_output; \
        W(store)(sum, W(add)(W(load)(sum), sum##o##m));                          \
    }
#define KEEP_OUTPUT(o) EACH_MEMBER(KEEP, o)
static inline void W(group_taps_part)(const fc_group_taps *d, ptrdiff_t first, bool whole)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t x_member = d->x_member, grad_member = d->grad_member, x_pixel = d->x_pixel;
    ptrdiff_t x_at[MEMBERS], grad_at[4];
    for (ptrdiff_t m = 0; m < MEMBERS; m++)
        x_at[m] = (first + m < d->members ? first + m : d->members - 1) * d->x_member;
    for (ptrdiff_t o = 0; o < 4; o++) grad_at[o] = (o < d->outputs ? o : d->outputs - 1) * d->grad_member;
    EACH_OUTPUT(START_OUTPUT)
    for (ptrdiff_t i = 0; i < d->rows; i++) {
        const T *grad = (const T *)d->grad + i * d->grad_row;
        const T *x = (const T *)d->x + i * d->x_row + (whole ? first * x_member : 0);
        for (ptrdiff_t j = 0; j < d->columns; j++, grad += lanes, x += x_pixel) {
            EACH_X(LOAD_X)
            EACH_OUTPUT(ADD_OUTPUT)
        }
    }
    EACH_OUTPUT(KEEP_OUTPUT)
}

static void W(group_taps)(const fc_group_taps *d)
{
    for (ptrdiff_t first = 0; first < d->members; first += MEMBERS)
        if (d->outputs == 4 && first + MEMBERS <= d->members)
            W(group_taps_part)(d, first, true);
        else
            W(group_taps_part)(d, first, false);
}
#undef EACH_MEMBER
#undef EACH_X
#undef MEMBERS
#undef EACH_OUTPUT
#undef START
#undef START_OUTPUT
#undef LOAD_X
#undef ADD
#undef ADD_OUTPUT
#undef KEEP
#undef KEEP_OUTPUT

/* Pixels from one place to another, `channels` of each. The last vector overlaps the one before it. */
static void W(copy_pixels)(ptrdiff_t pixels, ptrdiff_t channels, void *to, ptrdiff_t to_step, const void *from,
                           ptrdiff_t from_step)
{
    enum { lanes = W(LANES) };
    const T *x = from;
    T *y = to;
    for (ptrdiff_t i = 0; i < pixels; i++, x += from_step, y += to_step) {
        if (channels < lanes) {
            for (ptrdiff_t c = 0; c < channels; c++) y[c] = x[c];
            continue;
        }
        for (ptrdiff_t c = 0; c < channels - lanes; c += lanes) W(store)(y + c, W(load)(x + c));
        W(store)(y + channels - lanes, W(load)(x + channels - lanes));
    }
}

#define V 1
#define FEWER 0
#include "kernels/grouped_pixels.h"
#define V 1
#define FEWER 1
#include "kernels/grouped_pixels.h"
#define V 2
#define FEWER 0
#include "kernels/grouped_pixels.h"
#define V 2
#define FEWER 1
#include "kernels/grouped_pixels.h"

#if PHASE_POINTS
#define GROUPS 1
#include "kernels/shared_tiles.h"
#ifdef SHARED_LANES
#define GROUPS 2
#include "kernels/shared_tiles.h"
#define GROUPS 4
#include "kernels/shared_tiles.h"
#endif
#endif
