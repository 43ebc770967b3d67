/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_nchw.h -- some rows of outputs of one plane: the vectors at its edges, then those whose windows lie inside.
 * Where these do not fill the last vector it overlaps the one before: an output computed twice is the same bits. */

/* Stores a vector at `at`, or what of it lies before at + lanes = room + lanes: room is the last place for a whole one. */
static inline void W(store_within)(T *y, ptrdiff_t at, ptrdiff_t room, W(vec) v)
{
    enum { lanes = W(LANES) };
    if (__builtin_expect(at <= room, 1)) {
        W(store)(y + at, v);
    } else {
        T part[lanes];
        W(store)(part, v);
        for (ptrdiff_t l = 0; l < room + lanes - at; l++) y[at + l] = part[l];
    }
}

#define STEP 1
#include "kernels/depthwise_step.h"
#undef STEP
#define STEP 2
#include "kernels/depthwise_step.h"
#undef STEP
