/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/memory.h"

#include <stdlib.h>

void *fc_allocate(size_t bytes)
{
    size_t lines = fc_size_lines(bytes);
    return lines > PTRDIFF_MAX ? NULL : aligned_alloc(FC_CACHE_LINE, lines);
}

void fc_release(void *block) { free(block); }
