/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.h -- size arithmetic that saturates instead of wrapping; fc_take_memory and fc_give_memory are in fastconv.h. */
#ifndef FC_PLATFORM_MEMORY_H
#define FC_PLATFORM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "fastconv.h"

#define FC_CACHE_LINE 64

/* SIZE_MAX stands for "more than fits", and stays SIZE_MAX. */
static inline size_t fc_size_add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static inline size_t fc_size_mul(size_t a, size_t b)
{
    size_t product;
    if ((a == SIZE_MAX && b) || (b == SIZE_MAX && a)) return SIZE_MAX;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/* Rounds up to whole cache lines, plus one line: blocks whose size is a power of two do not start on one cache set. */
static inline size_t fc_size_lines(size_t bytes)
{
    size_t padded = fc_size_add(bytes, 2 * FC_CACHE_LINE - 1);
    return padded == SIZE_MAX ? SIZE_MAX : padded & ~(size_t)(FC_CACHE_LINE - 1);
}

#endif
