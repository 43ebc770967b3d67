/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/partial_sums.h"

#define ADD_SUMS(NAME, T)                                         \
    static void NAME(ptrdiff_t count, T *sums, const T *more)     \
    {                                                             \
        for (ptrdiff_t i = 0; i < count; i++) sums[i] += more[i]; \
    }

ADD_SUMS(add_f32, float)
ADD_SUMS(add_f64, double)
ADD_SUMS(add_i32, uint32_t)
ADD_SUMS(add_i64, uint64_t)

void fc_add_sums(fc_dtype dtype, ptrdiff_t count, void *sums, const void *more)
{
    switch (dtype) {
    case FC_F32: add_f32(count, sums, more); break;
    case FC_F64: add_f64(count, sums, more); break;
    case FC_I32: add_i32(count, sums, more); break;
    default: add_i64(count, sums, more);
    }
}

void fc_add_partial_sums(fc_dtype dtype, ptrdiff_t partials, ptrdiff_t count, ptrdiff_t step, void *sums)
{
    for (ptrdiff_t q = 1; q < partials; q++)
        fc_add_sums(dtype, count, sums, (const char *)sums + q * step * (ptrdiff_t)fc_dtype_size(dtype));
}
