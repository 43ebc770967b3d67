/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "platform/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Fresh memory costs a page fault every 4 KiB, which is more than many a layer takes to compute. So the block that was
 * released last waits for the next call, and large ones ask for huge pages. */
#define MOST_KEPT_BYTES ((size_t)64 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

/* A sanitizer sees what is read past a block or after its release only where each is an allocation of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

/* In front of every block. */
typedef struct header {
    _Alignas(FC_CACHE_LINE) size_t bytes; /* behind it */
} header;

static _Atomic(header *) kept;

static header *fresh(size_t bytes)
{
    const size_t all = fc_size_add(bytes, sizeof(header));
    if (all > PTRDIFF_MAX - HUGE_PAGE) return NULL;
    if (all < HUGE_PAGE) return aligned_alloc(FC_CACHE_LINE, all);
    const size_t pages = (all + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    header *block = aligned_alloc(HUGE_PAGE, pages);
#if defined(MADV_HUGEPAGE)
    if (block) madvise(block, pages, MADV_HUGEPAGE); /* a wish */
#endif
    return block;
}

void *fc_allocate(size_t bytes)
{
    const size_t lines = fc_size_lines(bytes);
    header *block = KEEPS ? atomic_exchange(&kept, NULL) : NULL;
    if (block && block->bytes < lines) {
        free(block);
        block = NULL;
    }
    if (!block) {
        block = fresh(lines);
        if (!block) return NULL;
        block->bytes = lines;
    }
    return block + 1;
}

void fc_release(void *memory)
{
    header *block = memory ? (header *)memory - 1 : NULL, *other;
    if (!block) return;
    if (!KEEPS || block->bytes > MOST_KEPT_BYTES) {
        free(block);
        return;
    }
    /* Of two, which concurrent calls leave, the larger one stays. */
    other = atomic_exchange(&kept, NULL);
    if (other && other->bytes > block->bytes) {
        free(block);
        block = other;
        other = NULL;
    }
    free(other);
    free(atomic_exchange(&kept, block));
}
