/* SPDX-License-Identifier: BSD-3-Clause */
/* grid_panel.h -- where the points of one panel of a grid lie in the planes of source and destination. */
#ifndef FC_ALGORITHMS_GRID_PANEL_H
#define FC_ALGORITHMS_GRID_PANEL_H

#include "algorithms/blocking.h"
#include "algorithms/grid.h"

/* Where the points of one panel lie; the same for every chunk of the depth. */
typedef struct fc_grid_panel {
    fc_lanes lanes[FC_MAX_TILE_VECTORS];
    union {
        int32_t f32[2][FC_MAX_PANEL_LANES];
        int64_t f64[2][FC_MAX_PANEL_LANES];
    } at;                                /* source coordinates (y, x) of tap 0 without its offset */
    ptrdiff_t where[FC_MAX_PANEL_LANES]; /* place in the destination plane; of a whole panel the first alone */
    ptrdiff_t points, vectors;           /* in use */
    bool inner;                          /* every tap of every point lies inside */
    bool whole;                          /* every lane is in use, and they are neighbours in the destination */
    bool straight;                       /* whole and inner, and neighbours in the source as well */
    void *packed;
} fc_grid_panel;

/* The panel of the flattened grid that `cut` says, in vectors of `lanes` elements of `element` bytes. `packed` is left
 * alone. */
void fc_find_grid_panel(fc_grid_panel *panel, const fc_grid_axis axis[2], ptrdiff_t lanes, size_t element,
                        fc_panel_cut cut);

#endif
