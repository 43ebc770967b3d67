/* SPDX-License-Identifier: BSD-3-Clause */
/* strided_copy.h -- reordering weights: a strided array of four axes into a contiguous one. */
#ifndef FC_ALGORITHMS_STRIDED_COPY_H
#define FC_ALGORITHMS_STRIDED_COPY_H

#include "algorithms/problem.h"

/* Elements are 4 or 8 bytes wide; steps count elements. */
void fc_strided_copy(size_t element, const ptrdiff_t sizes[4], const ptrdiff_t steps[4], const void *from, void *to);

/* All weights of a correlation, from the problem's order to OIHW, and the bytes that they take. */
size_t fc_weight_bytes(const fc_problem *problem);
void fc_copy_to_oihw(const fc_problem *problem, const void *w, void *to);

#endif
