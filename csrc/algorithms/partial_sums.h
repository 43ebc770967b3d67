/* SPDX-License-Identifier: BSD-3-Clause */
/* partial_sums.h -- weight gradients of few weights: images are dealt out to partial sums, as many as the problem says, that
 * are added in their order at the end. So the bits do not depend on the threads. */
#ifndef FC_ALGORITHMS_PARTIAL_SUMS_H
#define FC_ALGORITHMS_PARTIAL_SUMS_H

#include "algorithms/problem.h"

/* Of each of `blocks` tasks, where `units` of work are dealt out. */
static inline ptrdiff_t fc_partial_sums(ptrdiff_t blocks, ptrdiff_t units)
{
    const ptrdiff_t tasks = 16; /* wanted, and the most partial sums */
    return fc_max(1, fc_min(fc_ceil_div(tasks, blocks), units));
}

/* sums[i] += more[i] for i < count. */
void fc_add_sums(fc_dtype dtype, ptrdiff_t count, void *sums, const void *more);

/* Adds the others to the first of some partial sums of `count` elements, `step` elements apart. */
void fc_add_partial_sums(fc_dtype dtype, ptrdiff_t partials, ptrdiff_t count, ptrdiff_t step, void *sums);

#endif
