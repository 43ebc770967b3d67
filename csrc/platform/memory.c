/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/memory.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "platform/blocks.h"

/* Fresh memory costs a page fault every 4 KiB, which is more than many a layer takes to compute. So what was given back
 * waits for the next call or result, and large blocks ask for huge pages. Workspaces last as long as a call: one serves
 * all of them, the largest, as long as calls do not overlap. */
#define MOST_KEPT_BYTES ((size_t)128 << 20) /* in all */
#define MOST_KEPT 8
#define FEWEST_KEPT_BYTES ((size_t)64 << 10)

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

static bool open_kept(void)
{
    return FC_KEEPS_BLOCKS && !atomic_flag_test_and_set_explicit(&kept.busy, memory_order_acquire);
}

static void close_kept(void) { atomic_flag_clear_explicit(&kept.busy, memory_order_release); }

static header *remove_kept(int index)
{
    header *block = kept.blocks[index];
    kept.bytes -= block->bytes;
    kept.count--;
    for (int i = index; i < kept.count; i++) kept.blocks[i] = kept.blocks[i + 1];
    return block;
}

static void release(header *block) { fc_block_give(block, block->bytes + sizeof(header)); }

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

static header *fresh(size_t bytes)
{
    const size_t all = fc_size_add(bytes, sizeof(header));
    return all > PTRDIFF_MAX - 2 * FC_HUGE_PAGE ? NULL : fc_block_take(all);
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
