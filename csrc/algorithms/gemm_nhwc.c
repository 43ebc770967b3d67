/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nhwc.c -- an implicit matrix product on channels-last images: the mirror image of gemm_nchw.c.
 *
 * Lanes are output channels, from weights packed into panels; the rows of a tile are grid points, whose channels are
 * read where they lie through one pointer a tap (a row of zeros for padding). The image is never copied. Sums go to
 * memory once a chunk of the depth. Groups of few output channels share their pointers: a task goes through all or many
 * of them at each tile. The points of small maps follow each other through all images. A sum depends on the depth and
 * its cuts alone. */
#include "algorithms/gemm_nhwc.h"

#include <assert.h>
#include <string.h>

#include "algorithms/blocking.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BLOCK_POINTS 128 /* of one task, so that a chunk of weights is fetched once for them */
#define FEWEST_POINTS 48 /* of a task, where threads want for tasks */
/* Points of the largest map whose images share tiles: alone, it would leave rows of its last tile empty. */
#define TOGETHER_POINTS 128
#define MOST_PANELS 6                     /* of one task */
#define MOST_TILES (BLOCK_POINTS / 4 + 1) /* of a block at a time; most tiles have four rows or more */
/* To what the tiles at hand read in one chunk: with few channels it has many taps, and fewer tiles are at hand. */
#define MOST_POINTERS (2 * FC_DEPTH * FC_MAX_TILE_ROWS)

typedef struct call {
    const fc_problem *p;
    const fc_pixel_correlation *job;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    void (*const *tile)(const fc_tile *tile); /* by vectors less one */
    ptrdiff_t tile_rows;
    fc_chunks chunks; /* outer: taps, inner: channels */
    fc_panels panels;
    ptrdiff_t element, tiles, point_blocks, panel_blocks, group_blocks, group_elements;
    ptrdiff_t source_bytes, destination_bytes; /* of an image */
    ptrdiff_t images;                          /* that share tiles */
    bool together; /* whether a map is so small: what is outside of it must not depend on the batch then */
} call;

/* The grid points of one tile: where tap 0 without its offset reads, and where the sums go. */
typedef struct tile_points {
    ptrdiff_t used, y[FC_MAX_TILE_ROWS], x[FC_MAX_TILE_ROWS];
    const char *image[FC_MAX_TILE_ROWS];
    char *destination[FC_MAX_TILE_ROWS];
    bool outside; /* of the image: all that the chunk at hand reads for them */
} tile_points;

/* One thread's memory. */
typedef struct slot {
    const void *a[MOST_POINTERS], *b[FC_DEPTH]; /* a: [tile][tap][row] */
    tile_points points[MOST_TILES];
    _Alignas(64) char scratch[FC_MAX_TILE_ROWS * FC_MAX_PANEL_LANES * 8]; /* a tile with columns that do not exist */
    _Alignas(64) char nowhere[FC_MAX_PANEL_LANES * 8];                    /* rows that do not exist are written here */
    _Alignas(
        64) char panel[FC_DEPTH * FC_MAX_PANEL_LANES * 4]; /* a chunk of raw weights; wide elements: half the lanes */
    _Alignas(64) char zeros[];                             /* a pixel outside of the image, and a chunk behind it */
} slot;

bool fc_gemm_nhwc_reads_raw(const fc_pixel_correlation *job)
{
    return job->batch * job->axis[0].points * job->axis[1].points <= 2 * BLOCK_POINTS;
}

size_t fc_gemm_nhwc_slot_bytes(const fc_problem *p)
{
    const size_t pixel = (size_t)fc_max(p->channels, p->out_channels);
    return fc_size_add(sizeof(slot), fc_size_mul(fc_size_add(pixel, FC_DEPTH), fc_dtype_size(p->dtype)));
}

static void find_points(tile_points *points, const call *c, ptrdiff_t tile, const char *source, char *destination,
                        char *nowhere)
{
    const fc_grid_axis *rows = &c->job->axis[0], *columns = &c->job->axis[1];
    const ptrdiff_t map = rows->points * columns->points, first = tile * c->tile_rows;
    const ptrdiff_t pixel = c->job->groups * c->job->columns * c->element;
    ptrdiff_t image = first / map, row = first % map / columns->points, column = first % columns->points;
    points->used = fc_min(c->tile_rows, c->images * map - first);
    for (ptrdiff_t r = 0; r < points->used; r++) {
        points->y[r] = row * rows->source_step;
        points->x[r] = column * columns->source_step;
        points->image[r] = source + image * c->source_bytes;
        points->destination[r] = destination + image * c->destination_bytes +
                                 ((rows->destination_first + row * rows->destination_step) * columns->destination +
                                  columns->destination_first + column * columns->destination_step) *
                                     pixel;
        if (++column == columns->points) column = 0, row++;
        if (row == rows->points) row = 0, image++;
    }
    for (ptrdiff_t r = points->used; r < c->tile_rows; r++) { /* the last one again */
        points->y[r] = points->y[points->used - 1];
        points->x[r] = points->x[points->used - 1];
        points->image[r] = points->image[points->used - 1];
        points->destination[r] = nowhere;
    }
}

static bool is_inside(const fc_grid_axis *axis, ptrdiff_t at) { return at >= 0 && at < axis->source; }

static ptrdiff_t tap_offset(const fc_grid_axis *axis, ptrdiff_t tap) { return axis->tap_first + tap * axis->tap_step; }

static void find_sources(const slot *s, const call *c, const fc_chunk *chunk, tile_points *points, const void **a)
{
    const fc_grid_axis *rows = &c->job->axis[0], *columns = &c->job->axis[1];
    const ptrdiff_t pixel = c->job->pixel * c->element, tile_rows = c->tile_rows;
    points->outside = true;
    for (ptrdiff_t t = 0; t < chunk->outers; t++) {
        const ptrdiff_t dy = tap_offset(rows, (chunk->outer + t) / columns->taps);
        const ptrdiff_t dx = tap_offset(columns, (chunk->outer + t) % columns->taps);
        for (ptrdiff_t r = 0; r < tile_rows; r++) {
            const ptrdiff_t y = points->y[r] + dy, x = points->x[r] + dx;
            const bool inside = is_inside(rows, y) && is_inside(columns, x);
            points->outside &= !inside;
            a[t * tile_rows + r] =
                inside ? points->image[r] + (y * columns->source + x) * pixel + chunk->inner * c->element : s->zeros;
        }
    }
}

static bool tap_meets(const fc_grid_axis *axis, ptrdiff_t tap)
{
    for (ptrdiff_t i = 0; i < axis->points; i++)
        if (is_inside(axis, i * axis->source_step + tap_offset(axis, tap))) return true;
    return false;
}

/* Whether a chunk reads padding alone, for all points of a map. Tiles that hold several images must not be asked, or an
 * infinite weight, whose product with padding is not a number, would tell where an image lies in its batch. */
static bool chunk_is_outside(const call *c, const fc_chunk *chunk)
{
    const fc_grid_axis *rows = &c->job->axis[0], *columns = &c->job->axis[1];
    for (ptrdiff_t tap = chunk->outer; tap < chunk->outer + chunk->outers; tap++)
        if (tap_meets(rows, tap / columns->taps) && tap_meets(columns, tap % columns->taps)) return false;
    return true;
}

/* What the tiles of one group and panel have in common, for one chunk; offsets are from the task's first group. */
typedef struct panel_work {
    const fc_chunk *chunk;
    fc_panel_cut panel;
    const char *weights, *bias;
    ptrdiff_t channels, columns; /* before this group's, and this panel's */
    bool first_chunk;
    /* What to fetch: from where, how far to go at every step and from tile to tile, and how many tiles do. */
    const char *next;
    ptrdiff_t next_step, next_tile, next_tiles;
    const void *unpacked; /* raw weights that the first tile packs on its way, or NULL */
} panel_work;

/* As fc_tile does, of weights that lie in rows. */
static void multiply_and_pack(slot *s, const call *c, const fc_tile *tile, ptrdiff_t vectors)
{
    const void *a[FC_MAX_TILE_ROWS], *init[FC_MAX_TILE_ROWS];
    void *out[FC_MAX_TILE_ROWS];
    fc_tile whole = *tile;
    for (ptrdiff_t r = 0; r < c->kernels->rows; r++) { /* the last one again */
        const ptrdiff_t row = fc_min(r, c->tile_rows - 1);
        a[r] = tile->a[row];
        init[r] = tile->init[row];
        out[r] = r < c->tile_rows ? tile->c[r] : s->nowhere;
    }
    whole.a = a;
    whole.init = init;
    whole.c = out;
    c->kernels->pack_tile[vectors - 1](&whole, s->panel);
}

static void run_tile(slot *s, const call *c, ptrdiff_t index, const panel_work *work)
{
    const tile_points *points = &s->points[index];
    const fc_chunk *chunk = work->chunk;
    const ptrdiff_t lanes = c->kernels->lanes, width = work->panel.vectors * lanes;
    const bool whole = work->panel.columns == width;
    const char *start = work->bias ? work->bias : s->zeros;
    const void *init[FC_MAX_TILE_ROWS], *starts[FC_MAX_TILE_ROWS];
    void *out[FC_MAX_TILE_ROWS], *home[FC_MAX_TILE_ROWS];
    ptrdiff_t init_step = lanes;
    if (points->outside && !work->first_chunk) return; /* there is nothing to add */
    for (ptrdiff_t r = 0; r < c->tile_rows; r++) {
        home[r] = r < points->used ? points->destination[r] + work->columns * c->element : s->nowhere;
        out[r] = whole ? home[r] : s->scratch + r * width * c->element;
        starts[r] = start;
        init[r] = !whole ? s->zeros : work->first_chunk ? start : out[r];
    }
    if (!whole || (work->first_chunk && !work->bias)) init_step = 0;
    fc_tile tile = {.segments = points->outside ? 0 : chunk->outers,
                    .depth = chunk->inners,
                    .a = s->a + index * chunk->outers * c->tile_rows,
                    .a_offset = work->channels,
                    .b = s->b,
                    .a_step = 1,
                    .b_step = width,
                    .init = init,
                    .init_step = init_step,
                    .c = out,
                    .b_ahead = work->next + fc_min(index, work->next_tiles) * work->next_tile,
                    .b_ahead_step = index < work->next_tiles ? work->next_step : 0};
    if (work->unpacked && index == 0) {
        tile.b = &work->unpacked;
        tile.b_step = c->job->raw_steps.channel;
        multiply_and_pack(s, c, &tile, work->panel.vectors);
    } else {
        c->tile[work->panel.vectors - 1](&tile);
    }
    if (whole) return;
    c->kernels->scatter(&(fc_scatter){.rows = points->used,
                                      .lanes = work->panel.columns,
                                      .tile = s->scratch,
                                      .tile_step = width,
                                      .init = work->first_chunk ? starts : NULL,
                                      .init_step = work->bias ? 1 : 0,
                                      .c = home,
                                      .where = NULL});
}

static const char *raw_at(const call *c, ptrdiff_t group, const fc_panel_cut *panel, const fc_chunk *chunk)
{
    const fc_pixel_correlation *job = c->job;
    return (const char *)job->raw +
           fc_weight_at(job, &job->raw_steps, group, chunk->outer, chunk->inner, panel->first) * c->element;
}

/* Whether the first tile can pack a panel's chunk on its way: whole rows of raw weights, of one tap. */
static bool packs_on_the_way(const slot *s, const call *c, const fc_panel_cut *panel, const fc_chunk *chunk)
{
    return c->job->raw_steps.column == 1 && chunk->outers == 1 &&
           panel->columns == panel->vectors * c->kernels->lanes && c->tile_rows <= c->kernels->rows &&
           !s->points[0].outside;
}

/* The weights that are used behind a panel's: the next panel's, or the first one's of the next chunk. Raw ones lie in rows too
 * far apart for the processor to see where they lead: each tile but the one that packs brings a cache line of every row. */
static void look_ahead(const call *c, ptrdiff_t tiles, ptrdiff_t group, const fc_panel_cut *next, const fc_chunk *chunk,
                       panel_work *work)
{
    const fc_pixel_correlation *job = c->job;
    const ptrdiff_t width = work->panel.vectors * c->kernels->lanes;
    work->next = work->weights;
    if (!job->raw) {
        work->next += fc_taps_of(job) * job->channels * width * c->element;
        work->next_step = fc_ceil_div(width * c->element, tiles);
        work->next_tile = work->chunk->outers * work->chunk->inners * work->next_step;
        work->next_tiles = tiles;
    } else if (job->raw_steps.column == 1) {
        work->next = raw_at(c, group, next, chunk) - (work->unpacked ? FC_CACHE_LINE : 0);
        work->next_step = job->raw_steps.channel * c->element;
        work->next_tile = FC_CACHE_LINE;
        work->next_tiles = fc_ceil_div(width * c->element, FC_CACHE_LINE) + (work->unpacked ? 1 : 0);
    }
}

/* The groups and panels of a task, for one chunk and the tiles at hand: a panel stays in the first-level cache while all
 * tiles use it, and what comes next is fetched meanwhile. */
static void run_panels(slot *s, const call *c, ptrdiff_t tiles, const fc_chunk *chunk, const fc_chunk *next_chunk,
                       bool first_chunk, fc_range groups, fc_range panels)
{
    const fc_pixel_correlation *job = c->job;
    const ptrdiff_t depth = fc_taps_of(job) * job->channels, start = chunk->outer * job->channels + chunk->inner;
    for (ptrdiff_t g = groups.first; g < groups.end; g++)
        for (ptrdiff_t i = panels.first; i < panels.end; i++) {
            const bool last = i == panels.end - 1;
            const fc_panel_cut panel = fc_panel_at(&c->panels, i);
            const fc_panel_cut next = fc_panel_at(&c->panels, last ? panels.first : i + 1);
            const ptrdiff_t width = panel.vectors * c->kernels->lanes;
            const ptrdiff_t at = g * c->group_elements + depth * panel.first + start * width;
            const ptrdiff_t column = g * job->columns + panel.first;
            panel_work work = {.chunk = chunk,
                               .panel = panel,
                               .weights = job->raw ? s->panel : (const char *)job->weights + at * c->element,
                               .bias = job->bias ? (const char *)job->bias + column * c->element : NULL,
                               .channels = (g - groups.first) * job->channels,
                               .columns = column - groups.first * job->columns,
                               .first_chunk = first_chunk};
            if (job->raw && packs_on_the_way(s, c, &panel, chunk))
                work.unpacked = raw_at(c, g, &panel, chunk);
            else if (job->raw)
                fc_gemm_nhwc_pack_chunk(c->p, job, job->raw, &job->raw_steps, g, &panel, chunk, width, s->panel);
            look_ahead(c, tiles, g, &next, last ? next_chunk : chunk, &work);
            for (ptrdiff_t t = 0; t < chunk->outers; t++)
                s->b[t] = work.weights + t * chunk->inners * width * c->element;
            for (ptrdiff_t t = 0; t < tiles; t++) run_tile(s, c, t, &work);
        }
}

static void run_task(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    const fc_pixel_correlation *job = c->job;
    slot *s = (slot *)(c->workspace->slots + (size_t)slot_number * c->workspace->slot_bytes);
    const ptrdiff_t panel_block = task % c->panel_blocks, point_block = task / c->panel_blocks % c->point_blocks;
    const ptrdiff_t group_block = task / c->panel_blocks / c->point_blocks % c->group_blocks;
    const ptrdiff_t image = task / c->panel_blocks / c->point_blocks / c->group_blocks;
    const fc_range panels = {fc_cut(c->panels.count, c->panel_blocks, panel_block),
                             fc_cut(c->panels.count, c->panel_blocks, panel_block + 1)};
    const fc_range groups = {fc_cut(job->groups, c->group_blocks, group_block),
                             fc_cut(job->groups, c->group_blocks, group_block + 1)};
    const char *source =
        (const char *)job->source + image * c->source_bytes + groups.first * job->channels * c->element;
    char *destination =
        (char *)job->destination + image * c->destination_bytes + groups.first * job->columns * c->element;

    assert(c->tile_rows <= FC_MAX_TILE_ROWS);
    memset(s->zeros, 0, (size_t)(((groups.end - groups.first) * job->channels + FC_DEPTH) * c->element));
    for (ptrdiff_t q = 0; q < c->chunks.count; q++) {
        const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
        const fc_chunk next = fc_chunk_at(&c->chunks, fc_min(q + 1, c->chunks.count - 1));
        const bool outside = c->together && chunk_is_outside(c, &chunk);
        const ptrdiff_t pointers = chunk.outers * c->tile_rows,
                        end = fc_cut(c->tiles, c->point_blocks, point_block + 1);
        const ptrdiff_t at_hand = fc_max(1, fc_min(MOST_TILES, MOST_POINTERS / fc_max(1, pointers)));
        for (ptrdiff_t first = fc_cut(c->tiles, c->point_blocks, point_block); first < end; first += at_hand) {
            const ptrdiff_t tiles = fc_min(at_hand, end - first);
            for (ptrdiff_t t = 0; t < tiles; t++) {
                find_points(&s->points[t], c, first + t, source, destination, s->nowhere);
                find_sources(s, c, &chunk, &s->points[t], s->a + t * pointers);
                if (c->together) s->points[t].outside = outside;
            }
            run_panels(s, c, tiles, &chunk, &next, q == 0, groups, panels);
        }
    }
}

void fc_gemm_nhwc(const fc_problem *p, const fc_pixel_correlation *job, const fc_workspace *workspace)
{
    call c = {.p = p,
              .job = job,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[job->dtype],
              .element = (ptrdiff_t)fc_dtype_size(job->dtype)};
    const ptrdiff_t map = job->axis[0].points * job->axis[1].points;
    c.source_bytes = job->axis[0].source * job->axis[1].source * job->pixel * c.element;
    c.destination_bytes = job->axis[0].destination * job->axis[1].destination * job->groups * job->columns * c.element;
    c.together = map <= TOGETHER_POINTS;
    c.images = c.together ? job->batch : 1;
    const ptrdiff_t points = c.images * map, batches = c.together ? 1 : job->batch, enough = fc_enough_tasks(p);
    c.chunks = fc_chunks_of(fc_taps_of(job), job->channels);
    c.panels = fc_gemm_nhwc_panels(job, c.kernels);
    c.group_elements = (ptrdiff_t)fc_gemm_nhwc_group(job, c.kernels);
    c.tile_rows = c.kernels->rows;
    c.tile = c.kernels->tile;
    if (fc_rows_computed(points, c.kernels->lower_rows) + points / 32 < fc_rows_computed(points, c.tile_rows)) {
        c.tile_rows = c.kernels->lower_rows;
        c.tile = c.kernels->lower_tile;
    }
    if (c.panels.vectors < FC_MAX_TILE_VECTORS && c.panels.vectors > 0) {
        c.tile_rows = c.kernels->narrow_rows[c.panels.vectors - 1];
        c.tile = c.kernels->narrow_tile;
    }
    c.tiles = fc_ceil_div(points, c.tile_rows);
    c.point_blocks = fc_ceil_div(points, BLOCK_POINTS);
    if (p->threads > FC_FEW_THREADS) {
        const ptrdiff_t wanted = fc_ceil_div(enough, fc_max(1, batches * job->groups * c.panels.count));
        c.point_blocks = fc_max(c.point_blocks, fc_min(fc_ceil_div(points, FEWEST_POINTS), wanted));
    }
    c.panel_blocks =
        fc_max(fc_ceil_div(c.panels.count, MOST_PANELS),
               fc_min(c.panels.count, fc_ceil_div(enough, fc_max(1, batches * job->groups * c.point_blocks))));
    c.group_blocks = job->groups;
    if (c.panels.count == 1)
        c.group_blocks = fc_min(job->groups, fc_ceil_div(enough, fc_max(1, batches * c.point_blocks)));
    fc_parallel_for(batches * c.group_blocks * c.point_blocks * c.panel_blocks, workspace->threads, true, run_task, &c);
}
