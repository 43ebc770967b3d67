/* SPDX-License-Identifier: BSD-3-Clause */
/* row_bias.h -- the bias as tiles read it: one vector a row of the product, every lane that row's number. */
#ifndef FC_ALGORITHMS_ROW_BIAS_H
#define FC_ALGORITHMS_ROW_BIAS_H

#include <string.h>

#include "algorithms/problem.h"

/* Bytes from one row's vector to the next: 0 without a bias, when a single vector of zeros serves all rows. */
static inline ptrdiff_t fc_row_bias_step(const void *bias, ptrdiff_t lanes, size_t element)
{
    return bias ? lanes * (ptrdiff_t)element : 0;
}

/* Writes max(rows, 1) vectors at most. */
static inline void fc_spread_row_bias(const void *bias, ptrdiff_t rows, ptrdiff_t lanes, size_t element, char *vectors)
{
    if (!bias) {
        memset(vectors, 0, (size_t)lanes * element);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t l = 0; l < lanes; l++, vectors += element)
            memcpy(vectors, (const char *)bias + (size_t)r * element, element);
}

#endif
