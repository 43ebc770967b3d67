/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "platform/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Fresh memory costs a page fault every 4 KiB, which is more than many a layer takes to compute. So what was given back
 * waits for the next call or result, and large blocks ask for huge pages. Workspaces last as long as a call: one serves
 * all of them, the largest, as long as calls do not overlap. */
#define MOST_KEPT_BYTES ((size_t)128 << 20) /* in all */
#define MOST_KEPT 8
#define FEWEST_KEPT_BYTES ((size_t)64 << 10)
#define HUGE_PAGE ((size_t)2 << 20)

/* A sanitizer sees what is read past a block or after its release only where each is an allocation of its own. */
#if defined(FC_WATCHED)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

/* Large blocks are pages of their own on Linux, which a process gives back: among the blocks of malloc they leave gaps. */
#if defined(__linux__) && KEEPS
#define MAPS 1
#else
#define MAPS 0
#endif

/* In front of every block. */
typedef struct header {
    _Alignas(FC_CACHE_LINE) size_t bytes; /* behind it */
    bool workspace;
} header;

/* Oldest first. Whoever finds it busy does without: nobody waits, not even a child that was forked meanwhile. */
static struct {
    atomic_flag busy;
    int count;
    size_t bytes;
    header *blocks[MOST_KEPT];
} kept = {.busy = ATOMIC_FLAG_INIT};

static bool open_kept(void) { return KEEPS && !atomic_flag_test_and_set_explicit(&kept.busy, memory_order_acquire); }

static void close_kept(void) { atomic_flag_clear_explicit(&kept.busy, memory_order_release); }

static header *remove_kept(int index)
{
    header *block = kept.blocks[index];
    kept.bytes -= block->bytes;
    kept.count--;
    for (int i = index; i < kept.count; i++) kept.blocks[i] = kept.blocks[i + 1];
    return block;
}

/* A block ends in huge pages or, where it would use less than half of the last one, in small ones: the header in front
 * of a power of two must not double it. */
static size_t huge_bytes_of(size_t bytes) { return (bytes + sizeof(header) + HUGE_PAGE / 2) & ~(HUGE_PAGE - 1); }

static size_t pages_of(size_t bytes) { return (bytes + sizeof(header) + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1); }

static void release(header *block)
{
#if MAPS
    if (block->bytes + sizeof(header) >= HUGE_PAGE) {
        munmap(block, pages_of(block->bytes));
        return;
    }
#endif
    free(block);
}

/* A result lasts: it does not get a block so large that another will want it. */
static bool suits(const header *block, size_t bytes, bool workspace)
{
    return block->workspace == workspace && block->bytes >= bytes && (workspace || block->bytes / 4 <= bytes);
}

/* The smallest block that suits. Where no workspace is large enough, the largest makes room for the one that will be. */
static header *take_kept(size_t bytes, bool workspace)
{
    int best = -1, largest = -1;
    if (bytes < FEWEST_KEPT_BYTES || !open_kept()) return NULL;
    for (int i = 0; i < kept.count; i++) {
        const header *block = kept.blocks[i];
        if (suits(block, bytes, workspace) && (best < 0 || block->bytes < kept.blocks[best]->bytes)) best = i;
        if (block->workspace && (largest < 0 || block->bytes > kept.blocks[largest]->bytes)) largest = i;
    }
    header *block = best < 0 ? NULL : remove_kept(best);
    header *outgrown = workspace && best < 0 && largest >= 0 ? remove_kept(largest) : NULL;
    close_kept();
    if (outgrown) release(outgrown);
    return block;
}

/* False: it is not kept. */
static bool keep(header *block)
{
    if (block->bytes < FEWEST_KEPT_BYTES || block->bytes > MOST_KEPT_BYTES || !open_kept()) return false;
    while (kept.count == MOST_KEPT || kept.bytes + block->bytes > MOST_KEPT_BYTES) release(remove_kept(0));
    kept.bytes += block->bytes;
    kept.blocks[kept.count++] = block;
    close_kept();
    return true;
}

#if MAPS
static header *fresh_pages(size_t pages, size_t huge)
{
    /* Cut to where huge pages begin. */
    char *mapped = mmap(NULL, pages + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return NULL;
    const size_t before = -(uintptr_t)mapped & (HUGE_PAGE - 1);
    if (before) munmap(mapped, before);
    munmap(mapped + before + pages, HUGE_PAGE - before);
    madvise(mapped + before, huge, MADV_HUGEPAGE); /* a wish */
    if (huge < pages) madvise(mapped + before + huge, pages - huge, MADV_NOHUGEPAGE);
    return (header *)(mapped + before);
}
#else
static header *fresh_pages(size_t pages, size_t huge)
{
    (void)huge;
    return aligned_alloc(HUGE_PAGE, pages);
}
#endif

static header *fresh(size_t bytes)
{
    const size_t all = fc_size_add(bytes, sizeof(header));
    if (all > PTRDIFF_MAX - 2 * HUGE_PAGE) return NULL;
    return all < HUGE_PAGE ? aligned_alloc(FC_CACHE_LINE, all) : fresh_pages(pages_of(bytes), huge_bytes_of(bytes));
}

static void *take(size_t bytes, bool workspace)
{
    const size_t lines = fc_size_lines(bytes);
    header *block = take_kept(lines, workspace);
    if (block) return block + 1;
    block = fresh(lines);
    if (!block) return NULL;
    *block = (header){.bytes = lines, .workspace = workspace};
    return block + 1;
}

void *fc_take_memory(size_t bytes) { return take(bytes, false); }

void *fc_take_workspace(size_t bytes) { return take(bytes, true); }

void fc_give_memory(void *memory)
{
    header *block = memory ? (header *)memory - 1 : NULL;
    if (block && !keep(block)) release(block);
}
