/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_grouped_pixels.c -- correlation in groups of some 8 to 128 channels and its input gradient, of either layout. Lanes are
 * outputs of a group, one or two vectors of them beside up to fourteen pixels, whose sums stay in registers. A task takes some
 * rows of one group: what they read is copied into a block, [row][column][member], with the zeros around it, so that all the
 * taps of a row are one run of memory and no output is an exception. NCHW images are turned on the way in and on the way out.
 * The input gradient is one grid of points for each phase of the stride, all of which read the same block. Sums are made in
 * chunks of FC_DEPTH steps at most. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/grouped_panels.h"
#include "algorithms/winograd.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define FEWEST_ROWS 4                      /* of a task, where there are as many */
#define BLOCK_BYTES (128 * 1024)           /* of a task, aimed at: a part of the second-level cache */
#define MOST_BLOCK_BYTES (8 * 1024 * 1024) /* of a single row */
#define SMALL_MAP 64                       /* outputs */

typedef struct call {
    const fc_problem *p;
    const fc_gemm_kernels *kernels;
    const fc_workspace *workspace;
    const fc_group_grid *grid;
    const char *source, *bias, *weights;
    char *destination;
    fc_strides from, to; /* of source and destination */
    ptrdiff_t element, lanes, members, outputs, strips;
    ptrdiff_t points, step; /* rows of points of the largest phase, and rows of the source between them */
    ptrdiff_t width;        /* of the block */
    size_t x_bytes, y_bytes;
} call;

/* One task: rows of points, and where they are read and written. */
typedef struct part {
    fc_range rows;
    ptrdiff_t group;
    char *x, *y, *nowhere;
    ptrdiff_t y_row, y_pixel;
} part;

/* What the tiles of a panel have in common. */
typedef struct panel {
    const fc_grid_axis *axis;
    ptrdiff_t vectors, first_output;
    const int *rows; /* of its kernels' tiles */
    void (*const *kernels)(const fc_group_pixels *pixels);
    fc_group_pixels tile;
    ptrdiff_t used; /* the tile's pixels so far */
} panel;

/* In NHWC outputs are written where they belong. */
static size_t y_bytes(const fc_problem *p, const fc_group_grid *g, ptrdiff_t rows)
{
    if (p->layout == FC_NHWC) return 0;
    const size_t pixels = fc_size_mul((size_t)(rows * g->phases[0]), (size_t)fc_block_destination_size(p)[1]);
    return fc_size_lines(fc_size_mul(pixels, (size_t)fc_group_outputs(p) * fc_dtype_size(p->dtype)));
}

static size_t block_bytes(const fc_problem *p, const fc_group_grid *g, ptrdiff_t rows)
{
    return fc_size_add(fc_group_rows_bytes(p, g, rows), y_bytes(p, g, rows));
}

static ptrdiff_t strips_of(const fc_problem *p, const fc_group_grid *g)
{
    const ptrdiff_t rows = g->axis[0][0].points;
    ptrdiff_t strips = fc_max(
        1, fc_min(fc_ceil_div(fc_enough_tasks(p), fc_max(1, p->batch * p->groups)), fc_ceil_div(rows, FEWEST_ROWS)));
    while (strips < rows && block_bytes(p, g, fc_ceil_div(rows, strips)) > BLOCK_BYTES) strips++;
    return strips;
}

static const char *decline(const fc_problem *p)
{
    fc_group_grid grid;
    if (p->groups < 2) return "there are no groups";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (!fc_group_fills_vectors(p)) return "a group does not fill a vector";
    if (p->window[0] * p->window[1] > FC_MOST_GROUP_TAPS) return "the kernel has more than 128 taps";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (!fc_block_forward(p) && (fc_phases(p, 0) > FC_MAX_PHASES || fc_phases(p, 1) > FC_MAX_PHASES))
        return "stride is larger than 256";
    fc_group_grid_of(p, &grid);
    return block_bytes(p, &grid, 1) > MOST_BLOCK_BYTES ? "a row of an image is too long" : NULL;
}

static size_t slot_bytes(const fc_problem *p)
{
    fc_group_grid grid;
    fc_group_grid_of(p, &grid);
    return block_bytes(p, &grid, fc_ceil_div(grid.axis[0][0].points, strips_of(p, &grid))) +
           (size_t)(FC_GROUP_VECTORS * fc_vector_bytes(p));
}

/* Pixels that tiles of so many compute, for a number of them, where the last tile has either number. */
static ptrdiff_t computed(ptrdiff_t pixels, ptrdiff_t tile, ptrdiff_t fewer)
{
    const ptrdiff_t left = pixels % tile;
    return pixels - left + (left > fewer ? tile : left ? fewer : 0);
}

static void run_tile(const part *t, panel *work)
{
    const bool fewer = work->used <= work->rows[1];
    fc_group_pixels *d = &work->tile;
    for (ptrdiff_t r = work->used; r < work->rows[fewer]; r++) { /* the last one again */
        d->x[r] = d->x[work->used - 1];
        d->y[r] = t->nowhere;
    }
    work->kernels[fewer](d);
    work->used = 0;
}

/* The points of one phase, in tiles: of the fewer pixels, where those leave fewer of the last tile empty. */
static void run_tiles(const call *c, const part *t, panel *work)
{
    const fc_grid_axis *rows = &work->axis[0], *columns = &work->axis[1];
    const ptrdiff_t element = c->element, members = c->members, end = fc_min(t->rows.end, rows->points);
    const ptrdiff_t pixels = (end - t->rows.first) * columns->points;
    const bool fewer = computed(pixels, work->rows[1], work->rows[1]) < computed(pixels, work->rows[0], work->rows[1]);
    const ptrdiff_t most = work->rows[fewer];
    const ptrdiff_t x_pixel = columns->source_step * members * element;
    const ptrdiff_t y_pixel = columns->destination_step * t->y_pixel * element;
    fc_group_pixels *d = &work->tile;
    for (ptrdiff_t i = t->rows.first; i < end; i++) {
        const ptrdiff_t row = (i - t->rows.first) * c->step + rows->tap_first - c->grid->reach[0].first;
        const ptrdiff_t to =
            rows->destination_first + i * rows->destination_step - t->rows.first * rows->destination_step;
        const char *x = t->x + (row * c->width + columns->tap_first - c->grid->reach[1].first) * members * element;
        char *y = t->y + (to * t->y_row + columns->destination_first * t->y_pixel + work->first_output) * element;
        if (!rows->taps || !columns->taps) x = t->x;
        for (ptrdiff_t j = 0; j < columns->points; j++, x += x_pixel, y += y_pixel) {
            d->x[work->used] = x;
            d->y[work->used] = y;
            if (++work->used == most) run_tile(t, work);
        }
    }
    if (work->used) run_tile(t, work);
}

/* All outputs of one phase: the weights of a chunk of a panel stay in the first-level cache. */
static void run_phase(const call *c, const part *t, const fc_grid_axis axis[2], const char *weights)
{
    const ptrdiff_t element = c->element, lanes = c->lanes, vectors = fc_ceil_div(c->outputs, lanes);
    const ptrdiff_t taps = axis[0].taps * axis[1].taps;
    const bool runs = axis[1].taps < 2 || axis[1].tap_step == 1; /* the taps of a row are neighbours */
    const ptrdiff_t together = runs ? axis[1].taps : 1;
    const fc_chunks chunks = fc_chunks_of(together ? taps / together : 0, together * c->members);
    for (ptrdiff_t first = 0; first < vectors; first += FC_GROUP_VECTORS) {
        ptrdiff_t at[FC_DEPTH];
        panel work = {.axis = axis,
                      .vectors = fc_min(FC_GROUP_VECTORS, vectors - first),
                      .first_output = fc_group_vector(c->outputs, lanes, first)};
        const char *w = weights + first * taps * c->members * lanes * element;
        fc_group_pixels *d = &work.tile;
        work.rows = c->kernels->group_rows[work.vectors - 1];
        work.kernels = c->kernels->group_pixels[work.vectors - 1];
        d->at = at;
        if (work.vectors > 1) d->second = fc_group_vector(c->outputs, lanes, first + 1) - work.first_output;
        if (c->bias) d->bias = c->bias + (t->group * c->outputs + work.first_output) * element;
        for (ptrdiff_t q = 0; q < chunks.count; q++) {
            const fc_chunk chunk = fc_chunk_at(&chunks, q);
            for (ptrdiff_t s = 0; s < chunk.outers; s++) {
                const ptrdiff_t tap = (chunk.outer + s) * together;
                at[s] = (tap / axis[1].taps * axis[0].tap_step * c->width + tap % axis[1].taps * axis[1].tap_step) *
                            c->members +
                        chunk.inner;
            }
            d->segments = chunk.outers;
            d->depth = chunk.inners;
            d->w = w + (chunk.outer * together * c->members + chunk.inner) * work.vectors * lanes * element;
            d->add = q > 0;
            run_tiles(c, t, &work);
        }
    }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t strip = task % c->strips, group = task / c->strips % p->groups, n = task / c->strips / p->groups;
    const ptrdiff_t *size = fc_block_destination_size(p), element = c->element;
    const ptrdiff_t times = c->grid->phases[0]; /* rows of the destination to a row of points */
    char *memory = fc_slot_of(c->workspace, slot);
    const char *weights = c->weights;
    part t = {.rows = {fc_cut(c->points, c->strips, strip), fc_cut(c->points, c->strips, strip + 1)},
              .group = group,
              .x = memory,
              .y = memory + c->x_bytes,
              .nowhere = memory + c->x_bytes + c->y_bytes,
              .y_row = size[1] * c->outputs,
              .y_pixel = c->outputs};
    char *home =
        c->destination + (n * c->to.n + group * c->outputs * c->to.c + t.rows.first * times * c->to.h) * element;
    fc_end_part(t.x, c->x_bytes);
    fc_end_part(t.y, c->y_bytes);
    if (p->layout == FC_NHWC) {
        t.y = home;
        t.y_row = c->to.h;
        t.y_pixel = c->to.w;
    }
    fc_group_copy_rows(p, c->grid, t.rows, &c->from,
                       c->source + (n * c->from.n + group * c->members * c->from.c) * element, t.x);
    for (ptrdiff_t i = 0; i < c->grid->phases[0]; i++)
        for (ptrdiff_t j = 0; j < c->grid->phases[1]; j++) {
            const fc_grid_axis axis[2] = {c->grid->axis[0][i], c->grid->axis[1][j]};
            const ptrdiff_t elements = fc_group_panel_elements(p, &axis[0], &axis[1]);
            run_phase(c, &t, axis, weights + group * elements * element);
            weights += p->groups * elements * element;
        }
    if (p->layout == FC_NHWC) return;
    const ptrdiff_t rows = fc_min(t.rows.end * times, size[0]) - t.rows.first * times;
    c->kernels->transpose(&(fc_transpose){.rows = rows * size[1],
                                          .columns = c->outputs,
                                          .from = t.y,
                                          .from_step = c->outputs,
                                          .to = home,
                                          .to_step = c->to.c});
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const bool forward = fc_block_forward(p);
    fc_group_grid grid;
    fc_group_grid_of(p, &grid);
    const ptrdiff_t rows = grid.axis[0][0].points, strips = strips_of(p, &grid), most = fc_ceil_div(rows, strips);
    call c = {
        .p = p,
        .kernels = &p->kernels->gemm[p->dtype],
        .workspace = workspace,
        .grid = &grid,
        .source = forward ? operands->x : operands->grad_y,
        .bias = operands->bias,
        .weights = operands->prepared,
        .destination = operands->y,
        .from = fc_image_strides(p->layout, forward ? p->channels : p->out_channels, fc_block_source_size(p)),
        .to = fc_image_strides(p->layout, forward ? p->out_channels : p->channels, fc_block_destination_size(p)),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
        .lanes = p->kernels->gemm[p->dtype].lanes,
        .members = fc_group_members(p),
        .outputs = fc_group_outputs(p),
        .strips = strips,
        .points = rows,
        .step = grid.axis[0][0].source_step,
        .width = fc_group_read(&grid, 1, grid.axis[1][0].points),
        .x_bytes = fc_group_rows_bytes(p, &grid, most),
        .y_bytes = y_bytes(p, &grid, most),
    };
    fc_parallel_shares(p->batch * p->groups * strips, workspace->threads, true, run_task, &c);
}

/* The most outputs of a group for which this method is preferred: more fill panels of three vectors. With a stride the others
 * read and write pixels apart, or, where a map is small, have too few to fill panels with. Measured on AVX-512 and AVX2, with
 * one thread and two, raw weights and prepared ones: RegNet's and ResNeXt's groups, one image and eight; input gradients with a
 * stride with 16 to 256 channels in 2 to 25 groups, weights being what costs the others most. */
static ptrdiff_t most_outputs(const fc_problem *p)
{
    const ptrdiff_t outputs = p->out[0] * p->out[1];
    if (!fc_strided(p)) return 32;
    if (!fc_block_forward(p)) return 128;
    return p->layout == FC_NCHW && p->batch * outputs <= SMALL_MAP ? 64 : 32;
}

static const char *pass(const fc_problem *p)
{
    const ptrdiff_t outputs = fc_group_outputs(p);
    if (outputs > most_outputs(p)) return "groups have enough channels to fill panels";
    if (fc_winograd_takes_groups(p)) return "Winograd's transforms save more";
    if (fc_block_forward(p) && p->layout == FC_NHWC && outputs == most_outputs(p) && fc_strided(p))
        return "with a stride a copy of the image costs more than it saves";
    return NULL;
}

/* Forward and input gradient. */
const fc_algorithm fc_corr2d_grouped_pixels = {
    .name = "grouped_pixels",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .prepared_bytes = fc_group_panels_bytes,
    .prepare = fc_group_panels_prepare,
    .run = run,
};
