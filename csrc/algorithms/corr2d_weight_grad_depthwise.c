/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_depthwise.c -- the gradient of depthwise weights, of either layout, by blocks.
 *
 * A task takes one vector of filters, and of the channels that they read, copied a strip of rows at a time into blocks [row][column]
 * [lanes], and adds up all taps there. Outputs are cut into rectangles whose windows reach the same taps: nothing outside of
 * the image is multiplied. A chain of multiplications and additions has at most FC_DEPTH steps. Strips of images are dealt out
 * to at most 16 partial sums, as many as the problem says, which are added in their order at the end: the bits do not depend
 * on the threads. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/depthwise_block.h"
#include "algorithms/partial_sums.h"
#include "algorithms/tap_runs.h"
#include "platform/memory.h"
#include "platform/parallel.h"

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_strides x, y;
    ptrdiff_t element, lanes, blocks, strips, partials;
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

static ptrdiff_t strips_of(const fc_problem *p)
{
    ptrdiff_t strips = 1;
    for (; strips < p->out[0]; strips++) {
        const ptrdiff_t most = fc_ceil_div(p->out[0], strips);
        if (x_bytes(p, most) + y_bytes(p, most) <= FC_BLOCK_BYTES) break;
    }
    return strips;
}

static ptrdiff_t partials_of(const fc_problem *p) { return fc_partial_sums(blocks_of(p), p->batch * strips_of(p)); }

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

/* A strip of one image in blocks: rows of grad_y from `rows` on, and of x from `top` on. */
typedef struct strip {
    fc_range rows;
    ptrdiff_t top;
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
        .grad_row = p->out[1] * lanes,
        .x_row = p->out[0] > 1 ? p->stride[0] * p->in[1] * lanes : 0,
        .x_pixel = width > 1 ? p->stride[1] * lanes : 0,
        .tap_step = {together ? p->dilation[0] * p->in[1] * lanes : 0, taps > 1 ? p->dilation[1] * lanes : 0},
        .sum_row = p->window[1] * lanes,
    };
    for (ptrdiff_t u = rows->taps.first; u < rows->taps.end; u += together ? 3 : 1)
        for (ptrdiff_t i = rows->outputs.first; i < rows->outputs.end; i += d.rows) {
            const ptrdiff_t row = fc_window_start(p, 0, i) + u * p->dilation[0] - s->top;
            d.rows = fc_min(most, rows->outputs.end - i);
            d.grad = s->grad + ((i - s->rows.first) * p->out[1] + columns->outputs.first) * lanes * element;
            d.x = s->x + (row * p->in[1] + column) * lanes * element;
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

static void sum_block(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t block = task % c->blocks, partial = task / c->blocks, units = p->batch * c->strips;
    const ptrdiff_t first = block * c->lanes, count = fc_min(c->lanes, p->out_channels - first);
    const fc_block_channels read = {first, count, 1, fc_multiplier(p), 0}, filters = {first, count, 1, 1, 0};
    char *x = fc_slot_of(c->workspace, slot), *grad = x + c->x_bytes;
    char *sums = c->workspace->shared + (partial * c->blocks + block) * c->sum_bytes;
    fc_end_part(x, (size_t)c->x_bytes);
    memset(sums, 0, (size_t)c->sum_bytes);
    for (ptrdiff_t unit = fc_cut(units, c->partials, partial); unit < fc_cut(units, c->partials, partial + 1); unit++) {
        const ptrdiff_t n = unit / c->strips, at = unit % c->strips;
        const fc_range rows = {fc_cut(p->out[0], c->strips, at), fc_cut(p->out[0], c->strips, at + 1)};
        const fc_range x_rows = fc_rows_of_x(p, rows);
        const char *image = c->operands->x, *grad_y = c->operands->grad_y;
        image += (n * c->x.n + x_rows.first * c->x.h) * c->element;
        grad_y += (n * c->y.n + rows.first * c->y.h) * c->element;
        fc_depthwise_block_in(p, &read, (x_rows.end - x_rows.first) * p->in[1], image, c->x.w, c->x.c, x);
        fc_depthwise_block_in(p, &filters, (rows.end - rows.first) * p->out[1], grad_y, c->y.w, c->y.c, grad);
        add_strip(c, &(strip){.rows = rows, .top = x_rows.first, .x = x, .grad = grad}, sums);
    }
    if (c->partials == 1) fc_depthwise_block_put_weights(p, sums, first, count, c->operands->y);
}

static void finish_block(void *context, ptrdiff_t block, int slot)
{
    const call *c = context;
    const ptrdiff_t first = block * c->lanes, count = c->sum_bytes / c->element;
    char *sums = c->workspace->shared + block * c->sum_bytes;
    (void)slot;
    fc_add_partial_sums(c->p->dtype, c->partials, count, c->blocks * count, sums);
    fc_depthwise_block_put_weights(c->p, sums, first, fc_min(c->lanes, c->p->out_channels - first), c->operands->y);
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
        .strips = strips_of(p),
        .partials = partials_of(p),
        .sum_bytes = sum_bytes(p),
        .x_bytes = fc_size_lines((size_t)x_bytes(p, fc_ceil_div(p->out[0], strips_of(p)))),
    };
    c.column_runs = fc_find_column_runs(p, FC_DEPTHWISE_TAPS, c.columns);
    fc_parallel_for(c.blocks * c.partials, workspace->threads, true, sum_block, &c);
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
