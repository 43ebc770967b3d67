/* SPDX-License-Identifier: BSD-3-Clause */
/* turned_taps.h -- weights in OIHW, whose taps lie together, turned such that lanes are what is written. */
#ifndef FC_ALGORITHMS_TURNED_TAPS_H
#define FC_ALGORITHMS_TURNED_TAPS_H

#include "kernels/kernels.h"

/* All taps of some channels, which lie channel_step elements apart, to [channel][tap][lanes]; rows, and where they lie, are left
 * to the caller. Channels that follow each other are one row of taps. */
static inline fc_transpose fc_turned_taps(ptrdiff_t taps, ptrdiff_t channels, ptrdiff_t channel_step, ptrdiff_t lanes)
{
    const bool together = channel_step == taps;
    return (fc_transpose){.columns = together ? channels * taps : taps,
                          .to_step = lanes,
                          .more = together ? 0 : channels - 1,
                          .from_next = channel_step,
                          .to_next = taps * lanes};
}

#endif
