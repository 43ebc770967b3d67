/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_depthwise_block.c -- depthwise correlation and its input gradient, of either layout, by blocks. Channels may
 * have several filters each: lanes are filters, or, of the gradient, channels, whose filters' gradients are added up in
 * their order.
 *
 * A task takes one vector of lanes of some rows of an image: what they read is copied into a block, [row][column]
 * [lanes], where every load is a whole cache line and nothing depends on the layout or on how narrow a map is. The input
 * gradient is the same, one grid of points for each phase of the stride (grid.h); with stride 1 its kernel is read
 * backwards. Kernels of 3x3, 5x5 and 7x7 without stride or dilation sweep over the columns; others go row by row, and
 * taps outside of the image are left out. An output is one chain of multiplications and additions over its taps, of each
 * filter. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/block_axis.h"
#include "algorithms/blocking.h"
#include "algorithms/depthwise_block.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define FEWEST_ROWS 4 /* of a task, where there are as many */

typedef struct call {
    const fc_problem *p;
    const fc_gemm_kernels *kernels;
    const fc_workspace *workspace;
    const char *source, *w, *bias;
    char *destination;
    fc_strides from, to; /* of source and destination */
    ptrdiff_t element, lanes, blocks, strips;
    const fc_block_grid *grid;
    size_t x_bytes, y_bytes; /* of a slot's blocks */
} call;

/* One task: rows of the destination, and what it reads. */
typedef struct part {
    fc_range rows, source_rows;
    char *x, *y, *w; /* blocks; y may be the image itself */
    const char *bias;
    ptrdiff_t y_row, y_pixel;
} part;

static size_t source_bytes(const fc_problem *p, ptrdiff_t rows)
{
    return (size_t)(fc_block_rows_read(p, rows) * fc_block_source_size(p)[1]) * (size_t)fc_vector_bytes(p);
}

static size_t destination_bytes(const fc_problem *p, ptrdiff_t rows)
{
    return (size_t)(rows * fc_block_destination_size(p)[1]) * (size_t)fc_vector_bytes(p);
}

static ptrdiff_t blocks_of(const fc_problem *p)
{
    return fc_ceil_div(fc_block_destination_channels(p), p->kernels->gemm[p->dtype].lanes);
}

static ptrdiff_t strips_of(const fc_problem *p)
{
    const ptrdiff_t rows = fc_block_destination_size(p)[0], images = p->batch * blocks_of(p);
    ptrdiff_t strips = fc_min(fc_ceil_div(fc_enough_tasks(p), fc_max(1, images)), fc_ceil_div(rows, FEWEST_ROWS));
    for (; strips < rows; strips++) {
        const ptrdiff_t most = fc_ceil_div(rows, strips);
        if (source_bytes(p, most) + destination_bytes(p, most) <= FC_BLOCK_BYTES) break;
    }
    return fc_max(1, strips);
}

static const char *decline(const fc_problem *p)
{
    const char *reason = fc_depthwise_block_decline(p);
    if (reason) return reason;
    if (!fc_block_forward(p) && (fc_phases(p, 0) > FC_MAX_PHASES || fc_phases(p, 1) > FC_MAX_PHASES))
        return "stride is larger than 256";
    if (source_bytes(p, 1) + destination_bytes(p, 1) > FC_MOST_BLOCK_BYTES) return "a row of an image is too long";
    return NULL;
}

/* Whether several filters read what is the gradient of a single channel. */
static bool adds_up(const fc_problem *p) { return !fc_block_forward(p) && p->out_channels > p->channels; }

static size_t slot_bytes(const fc_problem *p)
{
    const ptrdiff_t most = fc_ceil_div(fc_block_destination_size(p)[0], strips_of(p));
    const size_t weights = (size_t)(p->window[0] * p->window[1] + 1) * (size_t)fc_vector_bytes(p);
    const size_t y = fc_size_lines(destination_bytes(p, most));
    return fc_size_lines(source_bytes(p, most)) + (adds_up(p) ? 2 : 1) * y + weights;
}

/* Points of one row, in runs with the same taps. */
static void run_row(const call *c, const part *t, const fc_grid_axis axis[2], ptrdiff_t i)
{
    const ptrdiff_t width = fc_block_source_size(c->p)[1], lanes = c->lanes, element = c->element;
    const ptrdiff_t row = i * axis[0].source_step + axis[0].tap_first - t->source_rows.first;
    const fc_range u = fc_block_taps_within(&axis[0], i), inside = fc_block_points_inside(&axis[1]);
    char *y = t->y + (axis[0].destination_first + i * axis[0].destination_step - t->rows.first) * t->y_row * element;
    fc_depthwise_run run = {
        .x_step = axis[1].source_step * lanes,
        .y_step = axis[1].destination_step * t->y_pixel,
        .x_tap = {axis[0].tap_step * width * lanes, axis[1].tap_step * lanes},
        .w_tap = {axis[0].window_step * c->p->window[1] * lanes, axis[1].window_step * lanes},
        .bias = t->bias,
    };
    for (ptrdiff_t j = 0; j < axis[1].points; j += run.pixels) {
        const fc_range v = fc_block_taps_within(&axis[1], j);
        const bool any = u.end > u.first && v.end > v.first;
        run.pixels = j >= inside.first && j < inside.end ? inside.end - j : 1;
        run.taps[0] = any ? u.end - u.first : 0;
        run.taps[1] = any ? v.end - v.first : 0;
        run.x = t->x;
        run.w = t->w;
        if (any) {
            const ptrdiff_t column = j * axis[1].source_step + axis[1].tap_first + v.first * axis[1].tap_step;
            const ptrdiff_t at = (row + u.first * axis[0].tap_step) * width + column;
            const ptrdiff_t tap = (axis[0].window_first + u.first * axis[0].window_step) * c->p->window[1] +
                                  axis[1].window_first + v.first * axis[1].window_step;
            run.x = t->x + at * lanes * element;
            run.w = t->w + tap * lanes * element;
        }
        run.y = y + (axis[1].destination_first + j * axis[1].destination_step) * t->y_pixel * element;
        c->kernels->depthwise_run(&run);
    }
}

static void sweep(const call *c, const part *t)
{
    const fc_problem *p = c->p;
    const ptrdiff_t k = p->window[0];
    const fc_grid_axis *rows = &c->grid->axis[0][0], *columns = &c->grid->axis[1][0];
    c->kernels->depthwise_sweep[(k - 3) / 2](&(fc_depthwise_sweep){
        .rows = t->rows.end - t->rows.first,
        .columns = columns->points,
        .top = t->rows.first + fc_block_lowest_tap(rows) - t->source_rows.first,
        .left = fc_block_lowest_tap(columns),
        .height = t->source_rows.end - t->source_rows.first,
        .width = columns->source,
        .x_row = columns->source * c->lanes,
        .y_row = t->y_row,
        .y_pixel = t->y_pixel,
        .x = t->x,
        .w = t->w,
        .bias = t->bias,
        .y = t->y,
    });
}

/* The last tap first. */
static void turn(char *w, ptrdiff_t taps, size_t vector)
{
    char kept[FC_MAX_LANES * 8];
    for (ptrdiff_t t = 0; t < taps / 2; t++) {
        char *a = w + (size_t)t * vector, *b = w + (size_t)(taps - 1 - t) * vector;
        memcpy(kept, a, vector);
        memcpy(a, b, vector);
        memcpy(b, kept, vector);
    }
}

static void run_part(const call *c, const part *t)
{
    for (ptrdiff_t m = 0; m < c->grid->phases[0]; m++)
        for (ptrdiff_t n = 0; n < c->grid->phases[1]; n++) {
            const fc_grid_axis axis[2] = {c->grid->axis[0][m], c->grid->axis[1][n]};
            const fc_range rows = fc_block_points_within(&axis[0], t->rows);
            for (ptrdiff_t i = rows.first; i < rows.end; i++) run_row(c, t, axis, i);
        }
}

/* Outputs of some lanes, from the channels and with the filters that these stand for. */
static void compute(const call *c, const part *t, ptrdiff_t n, const fc_block_channels *read,
                    const fc_block_channels *filters)
{
    const fc_problem *p = c->p;
    const ptrdiff_t pixels = (t->source_rows.end - t->source_rows.first) * fc_block_source_size(p)[1];
    fc_depthwise_block_in(p, read, pixels, c->source + (n * c->from.n + t->source_rows.first * c->from.h) * c->element,
                          c->from.w, c->from.c, t->x);
    fc_depthwise_block_weights(p, filters, c->w, t->w);
    if (fc_depthwise_sweeps(p)) {
        if (!fc_block_forward(p)) turn(t->w, p->window[0] * p->window[1], (size_t)(c->lanes * c->element));
        sweep(c, t);
    } else {
        run_part(c, t);
    }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t strip = task % c->strips, block = task / c->strips % c->blocks, n = task / c->strips / c->blocks;
    const ptrdiff_t first = block * c->lanes, height = fc_block_destination_size(p)[0],
                    width = fc_block_destination_size(p)[1];
    const ptrdiff_t element = c->element, lanes = c->lanes, taps = p->window[0] * p->window[1];
    const ptrdiff_t count = fc_min(lanes, fc_block_destination_channels(p) - first), m = fc_multiplier(p);
    const fc_range rows = {fc_cut(height, c->strips, strip), fc_cut(height, c->strips, strip + 1)};
    char *x = fc_slot_of(c->workspace, slot), *y = x + c->x_bytes, *more = y + c->y_bytes;
    char *w = adds_up(p) ? more + c->y_bytes : more, *bias = w + taps * lanes * element;
    char *home = c->destination + (n * c->to.n + first * c->to.c + rows.first * c->to.h) * element;
    const bool in_place = p->layout == FC_NHWC && count == lanes && !adds_up(p);
    part t = {.rows = rows,
              .source_rows = fc_block_rows_of_source(c->grid, rows),
              .x = x,
              .y = in_place ? home : y,
              .w = w,
              .y_row = in_place ? c->to.h : width * lanes,
              .y_pixel = in_place ? c->to.w : lanes};
    fc_end_part(x, c->x_bytes);
    fc_end_part(y, c->y_bytes);
    if (c->bias) {
        memcpy(bias, c->bias + first * element, (size_t)(count * element));
        memset(bias + count * element, 0, (size_t)((lanes - count) * element));
        t.bias = bias;
    }
    if (fc_block_forward(p)) {
        compute(c, &t, n, &(fc_block_channels){first, count, 1, m, 0}, &(fc_block_channels){first, count, 1, 1, 0});
    } else {
        const fc_block_channels filters = {first, count, m, 1, 0};
        compute(c, &t, n, &filters, &filters);
    }
    if (adds_up(p)) fc_end_part(more, c->y_bytes);
    for (ptrdiff_t j = 1; j < m && adds_up(p); j++) {
        const fc_block_channels filters = {first, count, m, 1, j};
        t.y = more;
        compute(c, &t, n, &filters, &filters);
        p->kernels->pool[p->dtype].add.pair((rows.end - rows.first) * width * lanes, y, y, more);
    }
    if (!in_place) c->kernels->block_out((rows.end - rows.first) * width, count, home, c->to.w, c->to.c, y);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t most = fc_ceil_div(fc_block_destination_size(p)[0], strips_of(p));
    fc_block_grid grid;
    call c = {
        .p = p,
        .kernels = &p->kernels->gemm[p->dtype],
        .workspace = workspace,
        .source = fc_block_forward(p) ? operands->x : operands->grad_y,
        .w = operands->w,
        .bias = operands->bias,
        .destination = operands->y,
        .from = fc_image_strides(p->layout, fc_block_source_channels(p), fc_block_source_size(p)),
        .to = fc_image_strides(p->layout, fc_block_destination_channels(p), fc_block_destination_size(p)),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
        .lanes = p->kernels->gemm[p->dtype].lanes,
        .blocks = blocks_of(p),
        .strips = strips_of(p),
        .grid = &grid,
        .x_bytes = fc_size_lines(source_bytes(p, most)),
        .y_bytes = fc_size_lines(destination_bytes(p, most)),
    };
    fc_block_grid_of(p, &grid);
    fc_parallel_shares(p->batch * c.blocks * c.strips, workspace->threads, true, run_task, &c);
}

static const char *pass_input_grad(const fc_problem *p) { return fc_multiplier_pass(p, PTRDIFF_MAX); }

const fc_algorithm fc_corr2d_depthwise_block = {
    .name = "depthwise_block",
    .decline = decline,
    .pass = fc_depthwise_block_pass,
    .slot_bytes = slot_bytes,
    .run = run,
};

const fc_algorithm fc_corr2d_input_grad_depthwise_block = {
    .name = "depthwise_block",
    .decline = decline,
    .pass = pass_input_grad,
    .slot_bytes = slot_bytes,
    .run = run,
};
