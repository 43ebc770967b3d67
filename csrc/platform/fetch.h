/* SPDX-License-Identifier: BSD-3-Clause */
/* fetch.h -- what will be read or written soon. Kernels that read several rows at once get little from the processor's own prefetching,
 * which follows runs. */
#ifndef FC_PLATFORM_FETCH_H
#define FC_PLATFORM_FETCH_H

#include <stddef.h>
#include <stdint.h>

/* The cache line so many bytes behind `from`, which may be outside of everything. */
static inline void fc_fetch(const void *from, ptrdiff_t bytes)
{
    __builtin_prefetch((const void *)((uintptr_t)from + (uintptr_t)bytes));
}

/* The same, to be written. */
static inline void fc_fetch_to_write(const void *to, ptrdiff_t bytes)
{
    __builtin_prefetch((const void *)((uintptr_t)to + (uintptr_t)bytes), 1);
}

#endif
