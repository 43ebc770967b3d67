/* SPDX-License-Identifier: BSD-3-Clause */
/* strided_copy.h -- reordering weights: a strided array of four axes into a contiguous one. */
#ifndef FC_ALGORITHMS_STRIDED_COPY_H
#define FC_ALGORITHMS_STRIDED_COPY_H

#include <stddef.h>

/* Elements are 4 or 8 bytes wide; steps count elements. */
void fc_strided_copy(size_t element, const ptrdiff_t sizes[4], const ptrdiff_t steps[4], const void *from, void *to);

#endif
