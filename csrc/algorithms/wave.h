/* SPDX-License-Identifier: BSD-3-Clause */
/* wave.h -- images that are copied before they are multiplied: so many at a time that the copies stay in a cache. */
#ifndef FC_ALGORITHMS_WAVE_H
#define FC_ALGORITHMS_WAVE_H

#include "algorithms/problem.h"

#define FC_WAVE_BYTES ((size_t)8 << 20)            /* of the copies of a wave, aimed at */
#define FC_LARGEST_COPIED_BYTES ((size_t)64 << 20) /* of those of one image, to prefer copying */

/* Images of a wave, of so many bytes each, which are not 0. */
static inline ptrdiff_t fc_images_of_wave(const fc_problem *p, size_t image_bytes)
{
    return image_bytes >= FC_WAVE_BYTES ? 1 : fc_max(1, fc_min(p->batch, (ptrdiff_t)(FC_WAVE_BYTES / image_bytes)));
}

#endif
