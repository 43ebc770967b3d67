/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "platform/blocks.h"

#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Large blocks are pages of their own on Linux, which a process gives back: among the blocks of malloc they leave gaps. */
#if defined(__linux__) && FC_KEEPS_BLOCKS
#define MAPS 1
#else
#define MAPS 0
#endif

/* A block ends in huge pages or, where it would use less than half of the last one, in small ones: the header in front
 * of a power of two must not double it. */
static size_t huge_bytes_of(size_t bytes) { return (bytes + FC_HUGE_PAGE / 2) & ~(FC_HUGE_PAGE - 1); }

static size_t pages_of(size_t bytes) { return (bytes + FC_HUGE_PAGE - 1) & ~(FC_HUGE_PAGE - 1); }

#if MAPS
static void *fresh_pages(size_t pages, size_t huge)
{
    /* Cut to where huge pages begin. */
    char *mapped = mmap(NULL, pages + FC_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return NULL;
    const size_t before = -(uintptr_t)mapped & (FC_HUGE_PAGE - 1);
    if (before) munmap(mapped, before);
    munmap(mapped + before + pages, FC_HUGE_PAGE - before);
    madvise(mapped + before, huge, MADV_HUGEPAGE); /* a wish */
    if (huge < pages) madvise(mapped + before + huge, pages - huge, MADV_NOHUGEPAGE);
    return mapped + before;
}
#else
static void *fresh_pages(size_t pages, size_t huge)
{
    (void)huge;
    return aligned_alloc(FC_HUGE_PAGE, pages);
}
#endif

void *fc_block_take(size_t bytes)
{
    return bytes < FC_HUGE_PAGE ? aligned_alloc(FC_CACHE_LINE, bytes)
                                : fresh_pages(pages_of(bytes), huge_bytes_of(bytes));
}

void fc_block_give(void *block, size_t bytes)
{
#if MAPS
    if (bytes >= FC_HUGE_PAGE) {
        munmap(block, pages_of(bytes));
        return;
    }
#endif
    (void)bytes;
    free(block);
}
