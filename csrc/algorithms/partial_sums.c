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
ADD_PARTIAL_SUMS(add_i32, uint32_t)
ADD_PARTIAL_SUMS(add_i64, uint64_t)

void fc_add_partial_sums(fc_dtype dtype, ptrdiff_t partials, ptrdiff_t count, ptrdiff_t step, void *sums)
{
    switch (dtype) {
    case FC_F32: add_f32(partials, count, step, sums); break;
    case FC_F64: add_f64(partials, count, step, sums); break;
    case FC_I32: add_i32(partials, count, step, sums); break;
    default: add_i64(partials, count, step, sums);
    }
}
