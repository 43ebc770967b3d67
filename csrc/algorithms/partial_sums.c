/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/partial_sums.h"

#define ADD_PARTIAL_SUMS(NAME, T)                                                  \
    static void NAME(ptrdiff_t partials, ptrdiff_t count, ptrdiff_t step, T *sums) \
    {                                                                              \
        for (ptrdiff_t q = 1; q < partials; q++)                                   \
            for (ptrdiff_t i = 0; i < count; i++) sums[i] += sums[q * step + i];   \
    }

ADD_PARTIAL_SUMS(add_f32, float)
ADD_PARTIAL_SUMS(add_f64, double)

void fc_add_partial_sums(fc_dtype dtype, ptrdiff_t partials, ptrdiff_t count, ptrdiff_t step, void *sums)
{
    if (dtype == FC_F32)
        add_f32(partials, count, step, sums);
    else
        add_f64(partials, count, step, sums);
}
