/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_depthwise.c -- the gradient of depthwise weights, of either layout, by blocks.
 *
 * A block is one vector of filters, and of the channels that they read. Of planes each is a task, copied a strip of rows at
 * a time into [row][column][lanes]. Of pixels some are a task, one after the other in a strip while it is in a near cache,
 * and most are read where they lie. All taps of a block are added up there. Outputs are cut into rectangles whose windows
 * reach the same taps: nothing outside of the image is multiplied. A chain of multiplications and additions has at most
 * FC_DEPTH steps. Strips of images are dealt out to at most 16 partial sums, as many as the problem says, which are added in
 * their order at the end: the bits do not depend on the threads. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/depthwise_block.h"
#include "algorithms/partial_sums.h"
#include "algorithms/tap_runs.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MOST_BLOCKS 16     /* of a task */
#define MEETING_BYTES 2048 /* from pixel to pixel */
#define STRIP_BLOCKS 4     /* times FC_BLOCK_BYTES: a strip of pixels, aimed at */

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_strides x, y;
    ptrdiff_t element, lanes, blocks, pieces, strips, partials;
    ptrdiff_t sum_bytes; /* of a block's taps */
    size_t x_bytes;
    ptrdiff_t column_runs;
    fc_tap_run columns[FC_MOST_TAP_RUNS];
} call;

static ptrdiff_t x_bytes(const fc_problem *p, ptrdiff_t rows)
{
    return fc_rows_read(p, rows) * p->in[1] * fc_vector_bytes(p);
}

static ptrdiff_t y_bytes(const fc_problem *p, ptrdiff_t rows) { return rows * p->out[1] * fc_vector_bytes(p); }

static ptrdiff_t blocks_of(const fc_problem *p)
{
    return fc_ceil_div(p->out_channels, p->kernels->gemm[p->dtype].lanes);
}

/* Blocks of pixels one after the other bring whole pixels to the caches. More rows of taps read a block more often, for
 * which it is better small. */
static bool takes_pixels(const fc_problem *p)
{
    return p->layout == FC_NHWC && fc_multiplier(p) == 1 && p->window[0] <= 3 && p->window[1] <= 3;
}

/* Whether blocks of pixels are read without a copy: their lines must not meet in few sets of the first-level cache. */
static bool lies_ready(const fc_problem *p)
{
    return takes_pixels(p) && p->channels * (ptrdiff_t)fc_dtype_size(p->dtype) % MEETING_BYTES != 0;
}

/* Blocks that are a task together. */
static ptrdiff_t pieces_of(const fc_problem *p)
{
    return takes_pixels(p) ? fc_ceil_div(blocks_of(p), MOST_BLOCKS) : blocks_of(p);
}

static ptrdiff_t strips_of(const fc_problem *p)
{
    const ptrdiff_t blocks = fc_ceil_div(blocks_of(p), pieces_of(p));
    const ptrdiff_t aim = takes_pixels(p) ? FC_BLOCK_BYTES * STRIP_BLOCKS / blocks : FC_BLOCK_BYTES;
    ptrdiff_t strips = 1;
    for (; strips < p->out[0]; strips++) {
        const ptrdiff_t most = fc_ceil_div(p->out[0], strips);
        if (x_bytes(p, most) + y_bytes(p, most) <= aim) break;
    }
    return strips;
}

static ptrdiff_t partials_of(const fc_problem *p) { return fc_partial_sums(pieces_of(p), p->batch * strips_of(p)); }

static ptrdiff_t sum_bytes(const fc_problem *p) { return p->window[0] * p->window[1] * fc_vector_bytes(p); }

static const char *decline(const fc_problem *p)
{
    const char *reason = fc_depthwise_block_decline(p);
    if (reason) return reason;
    return x_bytes(p, 1) + y_bytes(p, 1) > FC_MOST_BLOCK_BYTES ? "a row of an image is too long" : NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    return (size_t)(partials_of(p) * blocks_of(p)) * (size_t)sum_bytes(p);
}

static size_t slot_bytes(const fc_problem *p)
{
    const ptrdiff_t most = fc_ceil_div(p->out[0], strips_of(p));
    return fc_size_lines((size_t)x_bytes(p, most)) + fc_size_lines((size_t)y_bytes(p, most));
}

/* A strip of one image, of one block: rows of grad_y from `rows` on, and of x from `top` on; elements from pixel to pixel. */
typedef struct strip {
    fc_range rows;
    ptrdiff_t top, x_pixel, grad_pixel;
    const char *x, *grad;
} strip;

/* One rectangle of outputs with the same taps. */
static void add_rectangle(const call *c, const strip *s, const fc_tap_run *rows, const fc_tap_run *columns, char *sums)
{
    const fc_problem *p = c->p;
    const ptrdiff_t lanes = c->lanes, element = c->element, width = columns->outputs.end - columns->outputs.first;
    const ptrdiff_t taps = columns->taps.end - columns->taps.first, most = fc_max(1, FC_DEPTH / width);
    const bool together = taps == 3 && rows->taps.end - rows->taps.first == 3;
    const ptrdiff_t column = fc_window_start(p, 1, columns->outputs.first) + columns->taps.first * p->dilation[1];
    fc_depthwise_taps d = {
        .columns = width,
        .grad_row = p->out[1] * s->grad_pixel,
        .grad_pixel = s->grad_pixel,
        .x_row = p->out[0] > 1 ? p->stride[0] * p->in[1] * s->x_pixel : 0,
        .x_pixel = width > 1 ? p->stride[1] * s->x_pixel : 0,
        .tap_step = {together ? p->dilation[0] * p->in[1] * s->x_pixel : 0, taps > 1 ? p->dilation[1] * s->x_pixel : 0},
        .sum_row = p->window[1] * lanes,
    };
    for (ptrdiff_t u = rows->taps.first; u < rows->taps.end; u += together ? 3 : 1)
        for (ptrdiff_t i = rows->outputs.first; i < rows->outputs.end; i += d.rows) {
            const ptrdiff_t row = fc_window_start(p, 0, i) + u * p->dilation[0] - s->top;
            d.rows = fc_min(most, rows->outputs.end - i);
            d.grad = s->grad + ((i - s->rows.first) * p->out[1] + columns->outputs.first) * s->grad_pixel * element;
            d.x = s->x + (row * p->in[1] + column) * s->x_pixel * element;
            d.sums = sums + (u * p->window[1] + columns->taps.first) * lanes * element;
            if (together)
                c->kernels->depthwise_taps_3x3(&d);
            else
                c->kernels->depthwise_taps[taps - 1](&d);
        }
}

static void add_strip(const call *c, const strip *s, char *sums)
{
    const fc_range all = {0, c->p->window[0]};
    for (ptrdiff_t i = s->rows.first; i < s->rows.end;) {
        const fc_tap_run rows = fc_tap_run_at(c->p, 0, i, s->rows.end, all);
        for (ptrdiff_t j = 0; j < c->column_runs && rows.taps.end > rows.taps.first; j++)
            add_rectangle(c, s, &rows, &c->columns[j], sums);
        i = rows.outputs.end;
    }
}

/* A strip of one block, from the images whose first rows are at `x` and `grad_y`. */
static void add_block(const call *c, ptrdiff_t block, fc_range rows, const char *x, const char *grad_y, char *memory,
                      char *sums)
{
    const fc_problem *p = c->p;
    const fc_range x_rows = fc_rows_of_x(p, rows);
    const ptrdiff_t first = block * c->lanes, count = fc_min(c->lanes, p->out_channels - first);
    strip s = {rows, x_rows.first, p->channels, p->channels, x + first * c->element, grad_y + first * c->element};
    if (!lies_ready(p) || count < c->lanes) {
        const fc_block_channels read = {first, count, 1, fc_multiplier(p), 0}, filters = {first, count, 1, 1, 0};
        char *grad = memory + c->x_bytes;
        fc_depthwise_block_in(p, &read, (x_rows.end - x_rows.first) * p->in[1], x, c->x.w, c->x.c, memory);
        fc_depthwise_block_in(p, &filters, (rows.end - rows.first) * p->out[1], grad_y, c->y.w, c->y.c, grad);
        s = (strip){rows, x_rows.first, c->lanes, c->lanes, memory, grad};
    }
    add_strip(c, &s, sums);
}

static char *sums_of(const call *c, ptrdiff_t partial, ptrdiff_t block)
{
    return c->workspace->shared + (partial * c->blocks + block) * c->sum_bytes;
}

static void put_weights(const call *c, ptrdiff_t block)
{
    const ptrdiff_t first = block * c->lanes;
    fc_depthwise_block_put_weights(c->p, sums_of(c, 0, block), first, fc_min(c->lanes, c->p->out_channels - first),
                                   c->operands->y);
}

/* A partial sum of a piece of the blocks. */
static void sum_blocks(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t piece = task % c->pieces, partial = task / c->pieces, units = p->batch * c->strips;
    const fc_range blocks = {fc_cut(c->blocks, c->pieces, piece), fc_cut(c->blocks, c->pieces, piece + 1)};
    char *memory = fc_slot_of(c->workspace, slot);
    fc_end_part(memory, (size_t)c->x_bytes);
    memset(sums_of(c, partial, blocks.first), 0, (size_t)((blocks.end - blocks.first) * c->sum_bytes));
    for (ptrdiff_t unit = fc_cut(units, c->partials, partial); unit < fc_cut(units, c->partials, partial + 1); unit++) {
        const ptrdiff_t n = unit / c->strips, at = unit % c->strips;
        const fc_range rows = {fc_cut(p->out[0], c->strips, at), fc_cut(p->out[0], c->strips, at + 1)};
        const char *x = c->operands->x, *grad_y = c->operands->grad_y;
        x += (n * c->x.n + fc_rows_of_x(p, rows).first * c->x.h) * c->element;
        grad_y += (n * c->y.n + rows.first * c->y.h) * c->element;
        for (ptrdiff_t block = blocks.first; block < blocks.end; block++)
            add_block(c, block, rows, x, grad_y, memory, sums_of(c, partial, block));
    }
    for (ptrdiff_t block = blocks.first; c->partials == 1 && block < blocks.end; block++) put_weights(c, block);
}

static void finish_block(void *context, ptrdiff_t block, int slot)
{
    const call *c = context;
    const ptrdiff_t count = c->sum_bytes / c->element;
    (void)slot;
    fc_add_partial_sums(c->p->dtype, c->partials, count, c->blocks * count, sums_of(c, 0, block));
    put_weights(c, block);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {
        .p = p,
        .operands = operands,
        .workspace = workspace,
        .kernels = &p->kernels->gemm[p->dtype],
        .x = fc_image_strides(p->layout, p->channels, p->in),
        .y = fc_image_strides(p->layout, p->out_channels, p->out),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
        .lanes = p->kernels->gemm[p->dtype].lanes,
        .blocks = blocks_of(p),
        .pieces = pieces_of(p),
        .strips = strips_of(p),
        .partials = partials_of(p),
        .sum_bytes = sum_bytes(p),
        .x_bytes = fc_size_lines((size_t)x_bytes(p, fc_ceil_div(p->out[0], strips_of(p)))),
    };
    c.column_runs = fc_find_column_runs(p, FC_DEPTHWISE_TAPS, c.columns);
    fc_parallel_for(c.pieces * c.partials, workspace->threads, true, sum_blocks, &c);
    if (c.partials > 1) fc_parallel_for(c.blocks, workspace->threads, true, finish_block, &c);
    fc_bias_grad(p, operands, workspace->threads);
}

static const char *pass(const fc_problem *p)
{
    return fc_multiplier_pass(p, p->layout == FC_NCHW ? FC_MANY_FILTERS : 2 * FC_MANY_FILTERS);
}

const fc_algorithm fc_corr2d_weight_grad_depthwise = {
    .name = "depthwise",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
