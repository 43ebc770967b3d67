/* SPDX-License-Identifier: BSD-3-Clause */
/* pixels.h -- rows of outputs of channels-last images, of every width; see fc_pixel_row. Included once per floating element
 * type. */
#define ROWS NARROW_ROWS_1
#define V 1
#include "kernels/pixel_row.h"
#undef ROWS
#define ROWS NARROW_ROWS_2
#define V 2
#include "kernels/pixel_row.h"
#undef ROWS
#define ROWS TILE_ROWS
#define V 3
#include "kernels/pixel_row.h"
#undef ROWS
