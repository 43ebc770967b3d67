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
 * waits for the next call or result, and large blocks ask for huge pages. */
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

/* In front of every block. */
typedef struct header {
    _Alignas(FC_CACHE_LINE) size_t bytes; /* behind it */
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

/* The smallest block that is large enough, unless it is so large that another will want it. */
static header *take_kept(size_t bytes)
{
    int best = -1;
    if (bytes < FEWEST_KEPT_BYTES || !open_kept()) return NULL;
    for (int i = 0; i < kept.count; i++)
        if (kept.blocks[i]->bytes >= bytes && kept.blocks[i]->bytes / 4 <= bytes &&
            (best < 0 || kept.blocks[i]->bytes < kept.blocks[best]->bytes))
            best = i;
    header *block = best < 0 ? NULL : remove_kept(best);
    close_kept();
    return block;
}

/* False: it is not kept. */
static bool keep(header *block)
{
    if (block->bytes < FEWEST_KEPT_BYTES || block->bytes > MOST_KEPT_BYTES || !open_kept()) return false;
    while (kept.count == MOST_KEPT || kept.bytes + block->bytes > MOST_KEPT_BYTES) free(remove_kept(0));
    kept.bytes += block->bytes;
    kept.blocks[kept.count++] = block;
    close_kept();
    return true;
}

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

void *fc_take_memory(size_t bytes)
{
    const size_t lines = fc_size_lines(bytes);
    header *block = take_kept(lines);
    if (block) return block + 1;
    block = fresh(lines);
    if (!block) return NULL;
    block->bytes = lines;
    return block + 1;
}

void fc_give_memory(void *memory)
{
    header *block = memory ? (header *)memory - 1 : NULL;
    if (block && !keep(block)) free(block);
}
