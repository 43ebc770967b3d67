/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw.c -- an implicit matrix product on planes.
 *
 * The grid points of one image are flattened and cut into panels of up to FC_MAX_TILE_VECTORS vectors, the panels into
 * blocks that one task owns. For each chunk of the depth a task packs its panels (the only copy of the input that is
 * ever made, a few hundred KiB) and runs the tiles of its rows over them; weights are read as they lie, one
 * contiguous row an output channel. Sums go to memory once a chunk.
 *
 * A lane's sum depends on the depth and its cuts alone: not on where panels, blocks or rows are cut. */
#include "algorithms/gemm_nchw.h"

#include <assert.h>
#include <string.h>

#include "algorithms/blocking.h"
#include "algorithms/grid_panel.h"
#include "algorithms/row_bias.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define PANEL_BYTES (192 * 1024) /* packed panels of one task: a part of the second-level cache */
#define MAX_PANELS 16
#define ROW_BYTES (24 * 1024) /* packed panels that share their rows of tiles: most of the first-level cache */
#define MAX_MOVES 48          /* of one pass over the planes; they stay in the first-level cache */

/* Where few blocks of panels make few tasks, an image is packed by all threads first, if it is so small, and output
 * channels are shared out then. */
#define TOGETHER_BYTES ((ptrdiff_t)4 << 20)
#define ENOUGH_TASKS 8
#define ROWS_TOGETHER 48  /* of one task */
#define ROW_UNIT 24       /* whole tiles of every width */
#define PANELS_TOGETHER 4 /* packed by one task */

typedef struct call {
    const fc_problem *p;
    const fc_plane_correlation *job;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_chunks chunks;
    size_t element;
    ptrdiff_t blocks, row_blocks, taps;
    fc_panels panels;
    char *packed;    /* all panels, where an image is packed together */
    ptrdiff_t image; /* the one at hand, and its group */
} call;

/* One thread's memory. */
typedef struct slot {
    fc_grid_panel panels[MAX_PANELS];
    ptrdiff_t tap_y[FC_DEPTH], tap_x[FC_DEPTH], tap_offset[FC_DEPTH];
    _Alignas(
        64) char scratch[FC_MAX_TILE_ROWS * FC_MAX_PANEL_LANES * 8]; /* a tile that does not go home in one piece */
    _Alignas(64) char nowhere[MAX_PANELS * FC_MAX_PANEL_LANES * 8];  /* missing rows are written here */
    _Alignas(64) char zeros[FC_MAX_LANES * 8];
    _Alignas(64) char masks[FC_DEPTH * FC_MAX_PANEL_LANES * 4]; /* half as many lanes where an element has 8 bytes */
    unsigned char whole[FC_DEPTH * FC_MAX_TILE_VECTORS];
    fc_move moves[MAX_MOVES];
} slot;

static size_t packed_bytes(const fc_gemm_kernels *k, size_t element)
{
    return fc_size_lines((size_t)FC_DEPTH * (size_t)k->lanes * FC_MAX_TILE_VECTORS * element);
}

static ptrdiff_t panels_in_block(const fc_gemm_kernels *k, size_t element)
{
    return fc_min(MAX_PANELS, fc_max(1, PANEL_BYTES / (ptrdiff_t)packed_bytes(k, element)));
}

static ptrdiff_t whole_panel_lanes(const fc_gemm_kernels *k) { return (ptrdiff_t)k->lanes * FC_MAX_TILE_VECTORS; }

/* Bytes of all packed panels of one image and group, at most TOGETHER_BYTES; 0 when they are more. */
static size_t together_bytes(const fc_gemm_kernels *k, size_t element, ptrdiff_t depth, ptrdiff_t points)
{
    const ptrdiff_t width = whole_panel_lanes(k), columns = (points / k->lanes + 2) * k->lanes + width;
    if (depth > TOGETHER_BYTES || columns > TOGETHER_BYTES) return 0;
    const ptrdiff_t bytes = depth * columns * (ptrdiff_t)element;
    return bytes > TOGETHER_BYTES ? 0 : (size_t)bytes;
}

static size_t bias_bytes_of(const fc_problem *p)
{
    const size_t rows = (size_t)fc_max(p->out_channels, p->channels) + 1;
    return fc_size_lines(
        fc_size_mul(fc_size_mul(rows, (size_t)p->kernels->gemm[p->dtype].lanes), fc_dtype_size(p->dtype)));
}

/* The bias, one vector a row, and panels that were packed together: of the whole problem, which has the points and the
 * depth of each of its phases at least. */
size_t fc_gemm_nchw_shared_bytes(const fc_problem *p)
{
    const bool forward = p->operation == FC_CORR2D;
    const ptrdiff_t *points = forward ? p->out : p->in, limit = (ptrdiff_t)1 << 31;
    const ptrdiff_t depth = (forward ? p->channels : p->out_channels) / p->groups;
    const ptrdiff_t taps = fc_min(p->window[0], limit) * fc_min(p->window[1], limit);
    size_t together = 0;
    if (depth < limit && taps < limit && points[0] < limit && points[1] < limit)
        together = together_bytes(&p->kernels->gemm[p->dtype], fc_dtype_size(p->dtype), fc_min(depth * taps, limit),
                                  fc_min(points[0] * points[1], limit));
    return fc_size_add(bias_bytes_of(p), together);
}

size_t fc_gemm_nchw_slot_bytes(const fc_problem *p)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const size_t element = fc_dtype_size(p->dtype);
    return sizeof(slot) + packed_bytes(k, element) * (size_t)panels_in_block(k, element);
}

static void find_taps(slot *s, const call *c, const fc_chunk *chunk)
{
    const fc_grid_axis *rows = &c->job->axis[0], *columns = &c->job->axis[1];
    for (ptrdiff_t t = 0; t < chunk->inners; t++) {
        const ptrdiff_t tap = chunk->inner + t;
        s->tap_y[t] = rows->tap_first + tap / columns->taps * rows->tap_step;
        s->tap_x[t] = columns->tap_first + tap % columns->taps * columns->tap_step;
        s->tap_offset[t] = s->tap_y[t] * columns->source + s->tap_x[t];
    }
}

/* A panel of one tap whose vectors follow each other in the planes: its first tile reads them there. */
static bool packs_on_the_way(const call *c, const fc_grid_panel *panel)
{
    return c->taps == 1 && panel->straight && !c->packed;
}

/* Packs all panels of a block for one chunk. Planes are the outer loop of the copying, panels the inner one: what is
 * read from a plane at once is long enough for the hardware to fetch ahead. */
static void pack_panels(slot *s, const call *c, ptrdiff_t panels, const fc_chunk *chunk, const char *source)
{
    const ptrdiff_t height = c->job->axis[0].source, width = c->job->axis[1].source, lanes = c->kernels->lanes;
    const bool narrow = c->element == 4;
    fc_pack pack = {.source = source, .planes = chunk->outers, .plane_step = height * width, .moves = s->moves};
    for (ptrdiff_t i = 0; i < panels; i++) {
        const fc_grid_panel *panel = &s->panels[i];
        const ptrdiff_t vectors = panel->vectors, step = chunk->inners * vectors * lanes;
        if (packs_on_the_way(c, panel)) continue;
        if (!panel->inner)
            c->kernels->window_masks(
                &(fc_window_masks){.taps = chunk->inners,
                                   .tap_y = s->tap_y,
                                   .tap_x = s->tap_x,
                                   .vectors = vectors,
                                   .y = narrow ? (const void *)panel->at.f32[0] : (const void *)panel->at.f64[0],
                                   .x = narrow ? (const void *)panel->at.f32[1] : (const void *)panel->at.f64[1],
                                   .height = height,
                                   .width = width,
                                   .masks = s->masks,
                                   .whole = s->whole});
        for (ptrdiff_t tap = 0; tap < chunk->inners;) {
            const ptrdiff_t taps = fc_min(chunk->inners - tap, (MAX_MOVES - pack.count) / vectors);
            const ptrdiff_t from = tap * vectors * lanes * (ptrdiff_t)c->element;
            if (taps == 0) {
                c->kernels->pack(&pack);
                pack.count = 0;
                continue;
            }
            c->kernels->find_moves(&(fc_find_moves){.taps = taps,
                                                    .tap_offset = s->tap_offset + tap,
                                                    .vectors = vectors,
                                                    .lanes = panel->lanes,
                                                    .masks = panel->inner ? NULL : s->masks + from,
                                                    .whole = s->whole + tap * vectors,
                                                    .panel = (char *)panel->packed + from,
                                                    .panel_step = step,
                                                    .moves = s->moves + pack.count});
            pack.count += taps * vectors;
            tap += taps;
        }
    }
    c->kernels->pack(&pack);
}

/* What the tiles of one row block have in common, for one chunk and panel. */
typedef struct row_span {
    const char *weights; /* of the first row, at the chunk's depth */
    const char *bias;    /* of the first row: one vector, bias_bytes from row to row */
    char *destination;   /* the first row's plane */
    const char *source;  /* the chunk's first plane */
    ptrdiff_t row_bytes, bias_bytes, plane_bytes, rows, depth;
    bool first_chunk;
} row_span;

/* The first tile of a panel, from the planes; it leaves the panel packed. */
static void run_packing_tile(const call *c, const fc_grid_panel *panel, const row_span *block, fc_tile tile)
{
    const ptrdiff_t offset =
        panel->lanes[0].base[0] + c->job->axis[0].tap_first * c->job->axis[1].source + c->job->axis[1].tap_first;
    const void *const b[1] = {block->source + offset * (ptrdiff_t)c->element};
    tile.b = b;
    tile.b_step = c->job->axis[0].source * c->job->axis[1].source;
    c->kernels->pack_tile[panel->vectors - 1](&tile, panel->packed);
}

/* Narrow panels take higher tiles. */
static void (*tile_of(const call *c, const fc_grid_panel *panel))(const fc_tile *)
{
    return panel->vectors <= 2 ? c->kernels->narrow_tile[panel->vectors - 1] : c->kernels->tile[panel->vectors - 1];
}

/* Tiles that cover their panel go straight to the destination. Of a row of tiles those of some panels follow each other:
 * what they write lies side by side. */
static void run_whole_tiles(slot *s, const call *c, const fc_grid_panel *panel, ptrdiff_t panels, const row_span *block)
{
    const bool packing = packs_on_the_way(c, panel); /* its first tile is as high as the others */
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
static ptrdiff_t panels_alike(const call *c, const fc_grid_panel *panel, ptrdiff_t most, ptrdiff_t depth)
{
    const ptrdiff_t bytes = depth * panel->vectors * c->kernels->lanes * (ptrdiff_t)c->element;
    ptrdiff_t count = 1;
    most = fc_min(most, ROW_BYTES / fc_max(1, bytes));
    while (count < most && panel[count].whole && panel[count].vectors == panel->vectors &&
           packs_on_the_way(c, &panel[count]) == packs_on_the_way(c, panel) &&
           panel[count].where[0] - panel->where[0] == count * panel->vectors * c->kernels->lanes)
        count++;
    return count;
}

/* Partial panels, and grids whose points are apart in the destination, go through scratch. */
static void run_scattered_tiles(slot *s, const call *c, const fc_grid_panel *panel, const row_span *block)
{
    const ptrdiff_t lanes = c->kernels->lanes, width = panel->vectors * lanes;
    const ptrdiff_t tile_rows = fc_product_rows(c->kernels, panel->vectors);
    const void *a[FC_MAX_TILE_ROWS], *zeros[FC_MAX_TILE_ROWS], *bias[FC_MAX_TILE_ROWS], *const b[1] = {panel->packed};
    void *out[FC_MAX_TILE_ROWS], *home[FC_MAX_TILE_ROWS];
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
            home[r] = block->destination + from * block->plane_bytes;
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
                                          .where = panel->where});
    }
}

/* Some panels, and where they are packed: in a thread's memory chunk by chunk, or all of them together. */
static void find_panels(slot *s, const call *c, fc_range panels)
{
    assert(panels.end - panels.first <= MAX_PANELS);
    for (ptrdiff_t i = 0; i < panels.end - panels.first; i++) {
        s->panels[i].packed = (char *)(s + 1) + (size_t)i * packed_bytes(c->kernels, c->element);
        fc_find_grid_panel(&s->panels[i], c->job->axis, c->kernels->lanes, c->element,
                           fc_panel_at(&c->panels, panels.first + i));
    }
}

static void place_panels(slot *s, const call *c, fc_range panels, ptrdiff_t depth)
{
    for (ptrdiff_t i = 0; i < panels.end - panels.first; i++) {
        const ptrdiff_t lanes = c->kernels->lanes, before = fc_panel_at(&c->panels, panels.first + i).first;
        s->panels[i].packed = c->packed + (before * c->job->channels * c->taps + depth * s->panels[i].vectors * lanes) *
                                              (ptrdiff_t)c->element;
    }
}

static const char *source_of(const call *c, ptrdiff_t image)
{
    const fc_plane_correlation *job = c->job;
    return (const char *)job->source +
           image * job->channels * job->axis[0].source * job->axis[1].source * (ptrdiff_t)c->element;
}

static void pack_chunk(slot *s, const call *c, ptrdiff_t panels, const fc_chunk *chunk, ptrdiff_t image)
{
    const ptrdiff_t plane = c->job->axis[0].source * c->job->axis[1].source * (ptrdiff_t)c->element;
    find_taps(s, c, chunk);
    pack_panels(s, c, panels, chunk, source_of(c, image) + chunk->outer * plane);
}

/* The tiles of some output channels and packed panels, for one chunk. */
static void run_tiles(slot *s, const call *c, ptrdiff_t panels, fc_range rows, ptrdiff_t q, ptrdiff_t image)
{
    const fc_plane_correlation *job = c->job;
    const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
    const ptrdiff_t element = (ptrdiff_t)c->element, group = image % job->groups;
    const ptrdiff_t source_plane = job->axis[0].source * job->axis[1].source * element;
    const ptrdiff_t destination_plane = job->axis[0].destination * job->axis[1].destination * element;
    const ptrdiff_t row_bytes = job->channels * c->taps * element;
    const ptrdiff_t bias_bytes = fc_row_bias_step(job->bias, c->kernels->lanes, c->element);
    const row_span span = {.weights = (const char *)job->weights + (group * job->rows + rows.first) * row_bytes +
                                      (chunk.outer * c->taps + chunk.inner) * element,
                           .bias = c->workspace->shared + (group * job->rows + rows.first) * bias_bytes,
                           .destination =
                               (char *)job->destination + (image * job->rows + rows.first) * destination_plane,
                           .source = source_of(c, image) + chunk.outer * source_plane,
                           .row_bytes = row_bytes,
                           .bias_bytes = bias_bytes,
                           .plane_bytes = destination_plane,
                           .rows = rows.end - rows.first,
                           .depth = chunk.outers * chunk.inners,
                           .first_chunk = q == 0};
    memset(s->zeros, 0, sizeof s->zeros);
    memset(s->nowhere, 0, sizeof s->nowhere);
    for (ptrdiff_t i = 0, count = 1; i < panels; i += count) {
        const fc_grid_panel *panel = &s->panels[i];
        count = panel->whole ? panels_alike(c, panel, panels - i, span.depth) : 1;
        if (panel->whole)
            run_whole_tiles(s, c, panel, count, &span);
        else
            run_scattered_tiles(s, c, panel, &span);
    }
}

static slot *slot_at(const call *c, int number)
{
    return (slot *)(c->workspace->slots + (size_t)number * c->workspace->slot_bytes);
}

static fc_range cut_rows(const call *c, ptrdiff_t block)
{
    const ptrdiff_t unit = c->packed ? ROW_UNIT : c->kernels->rows, units = fc_ceil_div(c->job->rows, unit);
    return (fc_range){fc_cut(units, c->row_blocks, block) * unit,
                      fc_min(c->job->rows, fc_cut(units, c->row_blocks, block + 1) * unit)};
}

static fc_range cut_panels(const call *c, ptrdiff_t blocks, ptrdiff_t block)
{
    return (fc_range){fc_cut(c->panels.count, blocks, block), fc_cut(c->panels.count, blocks, block + 1)};
}

static void run_task(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    slot *s = slot_at(c, slot_number);
    const fc_range panels = cut_panels(c, c->blocks, task / c->row_blocks % c->blocks);
    const ptrdiff_t image = task / c->row_blocks / c->blocks;
    find_panels(s, c, panels);
    for (ptrdiff_t q = 0; q < c->chunks.count; q++) {
        const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
        pack_chunk(s, c, panels.end - panels.first, &chunk, image);
        run_tiles(s, c, panels.end - panels.first, cut_rows(c, task % c->row_blocks), q, image);
    }
}

static ptrdiff_t depth_before(const call *c, ptrdiff_t q)
{
    const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
    return chunk.outer * c->taps + chunk.inner * chunk.outers;
}

static void pack_together(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    slot *s = slot_at(c, slot_number);
    const ptrdiff_t blocks = fc_ceil_div(c->panels.count, PANELS_TOGETHER), q = task / blocks;
    const fc_range panels = cut_panels(c, blocks, task % blocks);
    const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
    find_panels(s, c, panels);
    place_panels(s, c, panels, depth_before(c, q));
    pack_chunk(s, c, panels.end - panels.first, &chunk, c->image);
}

static void run_together(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    slot *s = slot_at(c, slot_number);
    const fc_range panels = cut_panels(c, c->blocks, task % c->blocks);
    find_panels(s, c, panels);
    for (ptrdiff_t q = 0; q < c->chunks.count; q++) {
        place_panels(s, c, panels, depth_before(c, q));
        run_tiles(s, c, panels.end - panels.first, cut_rows(c, task / c->blocks), q, c->image);
    }
}

/* Rows are split over tasks as well when the panels alone make few of them, but only so far: each split packs the
 * panels anew. */
static ptrdiff_t choose_row_blocks(const fc_plane_correlation *job, ptrdiff_t tasks)
{
    ptrdiff_t blocks = 1;
    while (tasks * blocks < ENOUGH_TASKS && job->rows / (2 * blocks) >= 32) blocks *= 2;
    return blocks;
}

/* One tap and step 1: nothing is packed but by tiles. */
static bool reads_straight(const call *c) { return c->taps == 1 && c->job->axis[1].source_step == 1; }

void fc_gemm_nchw(const fc_problem *p, const fc_plane_correlation *job, const fc_workspace *workspace)
{
    call c = {.p = p,
              .job = job,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[job->dtype],
              .element = fc_dtype_size(job->dtype)};
    c.taps = job->axis[0].taps * job->axis[1].taps;
    c.chunks = fc_chunks_of(job->channels, c.taps);
    c.panels = fc_panels_of(job->axis[0].points * job->axis[1].points, c.kernels->lanes, FC_MAX_TILE_VECTORS);
    c.blocks = fc_ceil_div(c.panels.count, panels_in_block(c.kernels, c.element));
    c.row_blocks = choose_row_blocks(job, job->batch * job->groups * c.blocks);
    fc_spread_row_bias(job->bias, job->groups * job->rows, c.kernels->lanes, c.element, workspace->shared);
    if (c.row_blocks > 1 && !reads_straight(&c) &&
        together_bytes(c.kernels, c.element, job->channels * c.taps, job->axis[0].points * job->axis[1].points)) {
        c.packed = workspace->shared + bias_bytes_of(p);
        c.row_blocks = fc_ceil_div(job->rows, ROWS_TOGETHER);
        for (c.image = 0; c.image < job->batch * job->groups; c.image++) {
            fc_parallel_for(c.chunks.count * fc_ceil_div(c.panels.count, PANELS_TOGETHER), workspace->threads, true,
                            pack_together, &c);
            fc_parallel_for(c.row_blocks * c.blocks, workspace->threads, true, run_together, &c);
        }
        return;
    }
    fc_parallel_for(job->batch * job->groups * c.blocks * c.row_blocks, workspace->threads, true, run_task, &c);
}
