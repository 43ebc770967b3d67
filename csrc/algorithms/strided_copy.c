/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/strided_copy.h"

#define STRIDED_COPY(NAME, T)                                                                    \
    static void NAME(const ptrdiff_t sizes[4], const ptrdiff_t steps[4], const T *from, T *to)   \
    {                                                                                            \
        for (ptrdiff_t i = 0; i < sizes[0]; i++)                                                 \
            for (ptrdiff_t j = 0; j < sizes[1]; j++)                                             \
                for (ptrdiff_t k = 0; k < sizes[2]; k++)                                         \
                    for (ptrdiff_t l = 0; l < sizes[3]; l++)                                     \
                        *to++ = from[i * steps[0] + j * steps[1] + k * steps[2] + l * steps[3]]; \
    }

STRIDED_COPY(copy32, uint32_t)
STRIDED_COPY(copy64, uint64_t)

void fc_strided_copy(size_t element, const ptrdiff_t sizes[4], const ptrdiff_t steps[4], const void *from, void *to)
{
    if (element == 4)
        copy32(sizes, steps, from, to);
    else
        copy64(sizes, steps, from, to);
}

size_t fc_weight_bytes(const fc_problem *p)
{
    const size_t filter = (size_t)(p->channels / p->groups) * (size_t)p->window[0] * (size_t)p->window[1];
    return (size_t)p->out_channels * filter * fc_dtype_size(p->dtype);
}

void fc_copy_to_oihw(const fc_problem *p, const void *w, void *to)
{
    const ptrdiff_t sizes[4] = {p->out_channels, p->channels / p->groups, p->window[0], p->window[1]};
    const fc_strides from = fc_weight_strides(p);
    fc_strided_copy(fc_dtype_size(p->dtype), sizes, (const ptrdiff_t[4]){from.n, from.c, from.h, from.w}, w, to);
}
