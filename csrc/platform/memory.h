/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.h -- size arithmetic that saturates instead of wrapping; fc_take_memory and fc_give_memory are in fastconv.h. */
#ifndef FC_PLATFORM_MEMORY_H
#define FC_PLATFORM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "fastconv.h"

#define FC_CACHE_LINE 64

/* Whether AddressSanitizer watches. */
#if defined(__SANITIZE_ADDRESS__)
#define FC_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FC_WATCHED 1
#endif
#endif
#ifdef FC_WATCHED
#include <sanitizer/asan_interface.h>
#endif

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

static inline size_t fc_size_max(size_t a, size_t b) { return a > b ? a : b; }

/* Rounds up to whole cache lines, plus one line: blocks whose size is a power of two do not start on one cache set. */
static inline size_t fc_size_lines(size_t bytes)
{
    size_t padded = fc_size_add(bytes, 2 * FC_CACHE_LINE - 1);
    return padded == SIZE_MAX ? SIZE_MAX : padded & ~(size_t)(FC_CACHE_LINE - 1);
}

/* As fc_take_memory, for as long as a call takes. */
void *fc_take_workspace(size_t bytes);

/* A call has one block of memory, cut into parts, of as many bytes as fc_size_lines said. The last line of a part is
 * nobody's: where AddressSanitizer watches it stops who runs over the end of a part into the next. */
static inline void fc_end_part(const void *part, size_t lines)
{
#ifdef FC_WATCHED
    if (lines >= FC_CACHE_LINE) ASAN_POISON_MEMORY_REGION((const char *)part + lines - FC_CACHE_LINE, FC_CACHE_LINE);
#else
    (void)part, (void)lines;
#endif
}

/* What is to be cut anew: it has no parts, and ends where it did. */
static inline void fc_join_parts(const void *memory, size_t lines)
{
#ifdef FC_WATCHED
    if (lines >= FC_CACHE_LINE) ASAN_UNPOISON_MEMORY_REGION(memory, lines - FC_CACHE_LINE);
#else
    (void)memory, (void)lines;
#endif
}

#endif
