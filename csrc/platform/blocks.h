/* SPDX-License-Identifier: BSD-3-Clause */
/* blocks.h -- memory from the operating system, for memory.c alone: blocks_posix.c, blocks_windows.c. */
#ifndef FC_PLATFORM_BLOCKS_H
#define FC_PLATFORM_BLOCKS_H

#include "platform/memory.h"

#define FC_HUGE_PAGE ((size_t)2 << 20)

/* A sanitizer sees what is read past a block or after its release only where each is an allocation of its own. */
#if defined(FC_WATCHED)
#define FC_KEEPS_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define FC_KEEPS_BLOCKS 0
#endif
#endif
#ifndef FC_KEEPS_BLOCKS
#define FC_KEEPS_BLOCKS 1
#endif

/* So many bytes, at most PTRDIFF_MAX - 2 * FC_HUGE_PAGE, from the beginning of a cache line on; NULL when there are not
 * enough. */
void *fc_block_take(size_t bytes);
void fc_block_give(void *block, size_t bytes);

#endif
