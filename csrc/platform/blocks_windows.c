/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/blocks.h"

#include <malloc.h>
#include <windows.h>

/* Large blocks are pages of their own, which a process gives back. Huge pages are a privilege, which hardly any has. */
static int has_own_pages(size_t bytes) { return FC_KEEPS_BLOCKS && bytes >= FC_HUGE_PAGE; }

void *fc_block_take(size_t bytes)
{
    if (has_own_pages(bytes)) return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    return _aligned_malloc(bytes, FC_CACHE_LINE);
}

void fc_block_give(void *block, size_t bytes)
{
    if (has_own_pages(bytes))
        VirtualFree(block, 0, MEM_RELEASE);
    else
        _aligned_free(block);
}
