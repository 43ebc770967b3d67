/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw_tiles.c -- the tiles of packed panels: straight to the destination, or through scratch. */
#include <string.h>

#include "algorithms/gemm_nchw_call.h"

#define ROW_BYTES (24 * 1024) /* packed panels that share their rows of tiles: most of the first-level cache */

/* The first tile of a panel, from the planes; it leaves the panel packed. */
static void run_packing_tile(const fc_gemm_nchw_call *c, const fc_grid_panel *panel, const fc_row_span *block,
                             fc_tile tile)
{
    const ptrdiff_t offset =
        panel->lanes[0].base[0] + c->job->axis[0].tap_first * c->job->axis[1].source + c->job->axis[1].tap_first;
    const void *const b[1] = {block->source + offset * (ptrdiff_t)c->element};
    tile.b = b;
    tile.b_step = c->job->axis[0].source * c->job->axis[1].source;
    c->kernels->pack_tile[panel->vectors - 1](&tile, panel->packed);
}

/* Narrow panels take higher tiles. */
static void (*tile_of(const fc_gemm_nchw_call *c, const fc_grid_panel *panel))(const fc_tile *)
{
    return panel->vectors <= 2 ? c->kernels->narrow_tile[panel->vectors - 1] : c->kernels->tile[panel->vectors - 1];
}

/* Tiles that cover their panel go straight to the destination. Of a row of tiles those of some panels follow each other:
 * what they write lies side by side. */
static void run_whole_tiles(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, const fc_grid_panel *panel,
                            ptrdiff_t panels, const fc_row_span *block)
{
    const bool packing = fc_packs_on_the_way(c, panel); /* its first tile is as high as the others */
    const ptrdiff_t lanes = c->kernels->lanes, element = (ptrdiff_t)c->element;
    const ptrdiff_t tile_rows = packing ? c->kernels->rows : fc_product_rows(c->kernels, panel->vectors);
    const void *a[FC_MAX_TILE_ROWS], *init[FC_MAX_TILE_ROWS], *b[1];
    void *out[FC_MAX_TILE_ROWS];
    const bool from_bias = block->first_chunk;
    const char *weights = block->weights, *bias = block->bias;
    char *destination = block->destination + panel->where[0] * element;
    fc_tile tile = {.segments = 1,
                    .depth = block->depth,
                    .a = a,
                    .b = b,
                    .a_step = 1,
                    .b_step = panel->vectors * lanes,
                    .init = init,
                    .init_step = from_bias ? 0 : lanes,
                    .c = out,
                    .a_ahead = tile_rows * block->row_bytes};
    void (*const run)(const fc_tile *) = packing ? c->kernels->tile[panel->vectors - 1] : tile_of(c, panel);
    for (ptrdiff_t row = 0; row < block->rows; row += tile_rows) {
        const ptrdiff_t used = fc_min(tile_rows, block->rows - row);
        for (ptrdiff_t r = 0; r < used; r++) {
            a[r] = weights;
            out[r] = destination;
            init[r] = from_bias ? bias : destination;
            weights += block->row_bytes;
            bias += block->bias_bytes;
            destination += block->plane_bytes;
        }
        for (ptrdiff_t r = used; r < tile_rows; r++) {
            a[r] = a[0];
            out[r] = s->nowhere;
            init[r] = from_bias ? s->zeros : s->nowhere;
        }
        for (ptrdiff_t i = 0; i < panels; i++) {
            tile.c_offset = panel[i].where[0] - panel->where[0];
            tile.init_offset = from_bias ? 0 : tile.c_offset;
            b[0] = panel[i].packed;
            if (row == 0 && packing)
                run_packing_tile(c, &panel[i], block, tile);
            else
                run(&tile);
        }
    }
}

/* How many panels from this one on share their rows of tiles: alike, and in the first-level cache together. */
static ptrdiff_t panels_alike(const fc_gemm_nchw_call *c, const fc_grid_panel *panel, ptrdiff_t most, ptrdiff_t depth)
{
    const ptrdiff_t bytes = depth * panel->vectors * c->kernels->lanes * (ptrdiff_t)c->element;
    ptrdiff_t count = 1;
    most = fc_min(most, ROW_BYTES / fc_max(1, bytes));
    while (count < most && panel[count].whole && panel[count].vectors == panel->vectors &&
           fc_packs_on_the_way(c, &panel[count]) == fc_packs_on_the_way(c, panel) &&
           panel[count].where[0] - panel->where[0] == count * panel->vectors * c->kernels->lanes)
        count++;
    return count;
}

/* Partial panels, and grids whose points are apart in the destination, go through scratch. */
static void run_scattered_tiles(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, const fc_grid_panel *panel,
                                const fc_row_span *block)
{
    const ptrdiff_t lanes = c->kernels->lanes, width = panel->vectors * lanes;
    const ptrdiff_t tile_rows = fc_product_rows(c->kernels, panel->vectors);
    const void *a[FC_MAX_TILE_ROWS], *zeros[FC_MAX_TILE_ROWS], *bias[FC_MAX_TILE_ROWS], *const b[1] = {panel->packed};
    void *out[FC_MAX_TILE_ROWS], *home[FC_MAX_TILE_ROWS];
    const bool side_by_side = panel->where[panel->points - 1] - panel->where[0] == panel->points - 1;
    const ptrdiff_t first = side_by_side ? panel->where[0] * (ptrdiff_t)c->element : 0;
    const fc_tile tile = {.segments = 1,
                          .depth = block->depth,
                          .a = a,
                          .b = b,
                          .a_step = 1,
                          .b_step = width,
                          .init = zeros,
                          .init_step = 0,
                          .c = out,
                          .a_ahead = tile_rows * block->row_bytes};
    for (ptrdiff_t row = 0; row < block->rows; row += tile_rows) {
        const ptrdiff_t used = fc_min(tile_rows, block->rows - row);
        for (ptrdiff_t r = 0; r < tile_rows; r++) {
            const ptrdiff_t from = row + (r < used ? r : 0);
            a[r] = block->weights + from * block->row_bytes;
            bias[r] = block->bias + from * block->bias_bytes;
            home[r] = block->destination + from * block->plane_bytes + first;
            out[r] = s->scratch + r * width * (ptrdiff_t)c->element;
            zeros[r] = s->zeros;
        }
        tile_of(c, panel)(&tile);
        c->kernels->scatter(&(fc_scatter){.rows = used,
                                          .lanes = panel->points,
                                          .tile = s->scratch,
                                          .tile_step = width,
                                          .init = block->first_chunk ? bias : NULL,
                                          .init_step = 0,
                                          .c = home,
                                          .where = side_by_side ? NULL : panel->where});
    }
}

void fc_gemm_nchw_tiles(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, const fc_row_span *span)
{
    memset(s->zeros, 0, sizeof s->zeros);
    memset(s->nowhere, 0, sizeof s->nowhere);
    for (ptrdiff_t i = 0, count = 1; i < panels; i += count) {
        const fc_grid_panel *panel = &s->panels[i];
        count = panel->whole ? panels_alike(c, panel, panels - i, span->depth) : 1;
        if (panel->whole)
            run_whole_tiles(s, c, panel, count, span);
        else
            run_scattered_tiles(s, c, panel, span);
    }
}
