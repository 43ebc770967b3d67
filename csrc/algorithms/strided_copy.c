/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/strided_copy.h"

#include <stdint.h>

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
