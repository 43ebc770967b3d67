/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_spread.c -- the gradient of average pooling whose windows do not overlap: every input belongs to one window at
 * most, and gets its output's share. A task is some neighbouring rows of inputs, of any images. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/parallel.h"

#define BYTES_A_TASK 65536

typedef struct spread_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    ptrdiff_t depth, rows, rows_a_task;
    bool solid; /* one window holds all columns: its rows are one run of pixels */
} spread_call;

/* Rows of outputs that one call spreads, when windows cover the image without a gap. */
#define ROWS_AT_ONCE 16

typedef struct spread_slot {
    char *shares, *counts;
    char *wide; /* tiles: rows of shares, each as often as its window has columns */
    size_t bytes;
} spread_slot;

/* The windows are tiles: NCHW is then one long image of rows of outputs. */
static bool tiles(const fc_problem *p) { return p->layout == FC_NCHW && fc_pool_windows_tile(p); }

static const fc_pool_kernels *kernels(const fc_problem *p) { return &p->kernels->pool[p->dtype]; }

static spread_slot lay_out(const fc_problem *p, char *slot)
{
    spread_slot s = {0};
    const size_t element = fc_dtype_size(p->dtype), rows = tiles(p) ? ROWS_AT_ONCE : 1;
    s.shares = fc_pool_take(slot, &s.bytes, rows * (size_t)(p->out[1] * fc_pool_depth(p)), element);
    if (rows > 1) s.wide = fc_pool_take(slot, &s.bytes, rows * (size_t)p->in[1], element);
    s.counts = fc_pool_take(slot, &s.bytes, (size_t)p->out[1], fc_dtype_size(p->dtype));
    return s;
}

static size_t slot_bytes(const fc_problem *p) { return p->batch && p->channels ? lay_out(p, NULL).bytes : 0; }

/* The inputs of an output's window, as coordinates. */
static fc_range window(const fc_problem *p, int axis, ptrdiff_t out)
{
    const fc_range taps = fc_taps_inside(p, axis, out);
    const ptrdiff_t start = fc_window_start(p, axis, out);
    if (taps.end <= taps.first) return (fc_range){0, 0};
    return (fc_range){start + taps.first, start + taps.end};
}

/* The last output whose window begins at this input or before it, or -1. */
static ptrdiff_t owner(const fc_problem *p, int axis, ptrdiff_t in)
{
    return fc_min(fc_floor_div(in + p->pad_before[axis], p->stride[axis]), p->out[axis] - 1);
}

/* One row of pixels: the shares of the outputs, each over its window's columns. */
static void spread_row(const spread_call *call, char *row, const char *shares)
{
    const fc_problem *p = call->p;
    const size_t pixel = (size_t)call->depth * fc_dtype_size(p->dtype);
    /* Windows inside the image, but for the first and the last, which the border may cut. */
    const ptrdiff_t first = owner(p, 1, 0), last = owner(p, 1, p->in[1] - 1);
    ptrdiff_t done = 0;
    for (ptrdiff_t j = fc_max(first, 0); j <= last;) {
        const bool cut = j == first || j == last;
        const ptrdiff_t outputs = cut ? 1 : last - j;
        const fc_range begin = window(p, 1, j), end = window(p, 1, j + outputs - 1);
        if (fc_length(begin) > 0) {
            memset(row + (size_t)done * pixel, 0, (size_t)(begin.first - done) * pixel);
            kernels(p)->spread(outputs, call->depth, row + (size_t)begin.first * pixel, shares + (size_t)j * pixel,
                               fc_length(begin), outputs > 1 ? p->stride[1] : fc_length(begin));
            done = end.end;
        }
        j += outputs;
    }
    memset(row + (size_t)done * pixel, 0, (size_t)(p->in[1] - done) * pixel);
}

static void run_rows(void *context, ptrdiff_t task, int number)
{
    const spread_call *call = context;
    const fc_problem *p = call->p;
    const spread_slot s = lay_out(p, call->workspace->slots + (size_t)number * call->workspace->slot_bytes);
    const size_t element = fc_dtype_size(p->dtype), bytes = (size_t)(p->in[1] * call->depth) * element;
    const ptrdiff_t first = task * call->rows_a_task, end = fc_min(call->rows, first + call->rows_a_task);
    fc_pool_counts(p, (fc_range){0, p->out[1]}, 1, s.counts);
    for (ptrdiff_t row = first; row < end;) {
        const ptrdiff_t image = row / p->in[0], h = row % p->in[0], i = owner(p, 0, h);
        const fc_range rows = i < 0 ? (fc_range){0, 0} : window(p, 0, i);
        const bool held = h >= rows.first && h < rows.end;
        const ptrdiff_t next = i + 1 < p->out[0] ? fc_max(fc_window_start(p, 0, i + 1), h + 1) : p->in[0];
        const ptrdiff_t run = fc_min(fc_min(held ? rows.end : next, p->in[0]) - h, end - row);
        char *grad_x = (char *)call->operands->y + (size_t)row * bytes;
        if (held) {
            const ptrdiff_t outputs = p->out[1] * call->depth;
            const char *grad_y = call->operands->grad_y;
            grad_y += (size_t)((image * p->out[0] + i) * outputs) * element;
            kernels(p)->divide(p->out[1], call->depth, s.shares, grad_y, fc_pool_row_count(p, i), s.counts);
            if (call->solid) {
                kernels(p)->spread(1, call->depth, grad_x, s.shares, run * p->in[1], run * p->in[1]);
            } else {
                spread_row(call, grad_x, s.shares);
                for (ptrdiff_t r = 1; r < run; r++) memcpy(grad_x + (size_t)r * bytes, grad_x, bytes);
            }
        } else {
            memset(grad_x, 0, (size_t)run * bytes);
        }
        row += run;
    }
}

/* Rows of outputs, of any planes. */
static void run_tiles(void *context, ptrdiff_t task, int number)
{
    const spread_call *call = context;
    const fc_problem *p = call->p;
    const spread_slot s = lay_out(p, call->workspace->slots + (size_t)number * call->workspace->slot_bytes);
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t first = task * call->rows_a_task, end = fc_min(call->rows, first + call->rows_a_task);
    const double scale = fc_pool_row_count(p, 0);
    fc_pool_counts(p, (fc_range){0, 1}, 1, s.counts);
    for (ptrdiff_t row = first; row < end; row += ROWS_AT_ONCE) {
        const ptrdiff_t rows = fc_min(ROWS_AT_ONCE, end - row), outputs = rows * p->out[1];
        const char *grad_y = (const char *)call->operands->grad_y + (size_t)(row * p->out[1]) * element;
        char *grad_x = (char *)call->operands->y + (size_t)(row * p->window[0] * p->in[1]) * element;
        kernels(p)->divide(1, outputs, s.shares, grad_y, scale, s.counts); /* all windows count the same */
        if (p->out[1] == 1) {
            const ptrdiff_t pixels = p->window[0] * p->window[1];
            kernels(p)->spread(outputs, 1, grad_x, s.shares, pixels, pixels);
        } else {
            kernels(p)->spread(outputs, 1, s.wide, s.shares, p->window[1], p->window[1]);
            kernels(p)->repeat(rows, p->in[1], p->window[0], grad_x, s.wide);
        }
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const bool nchw = p->layout == FC_NCHW;
    const fc_range columns = window(p, 1, 0);
    ptrdiff_t row_bytes;
    spread_call call = {p,
                        operands,
                        workspace,
                        fc_pool_depth(p),
                        (nchw ? p->batch * p->channels : p->batch) * p->in[0],
                        1,
                        p->out[1] == 1 && fc_length(columns) == p->in[1]};
    if (!p->batch || !p->channels) return;
    row_bytes = p->in[1] * call.depth * (ptrdiff_t)fc_dtype_size(p->dtype);
    call.rows_a_task = fc_max(1, BYTES_A_TASK / row_bytes);
    if (tiles(p)) {
        call.rows = p->batch * p->channels * p->out[0];
        call.rows_a_task = fc_max(1, call.rows_a_task / p->window[0] / ROWS_AT_ONCE) * ROWS_AT_ONCE;
        fc_parallel_shares((call.rows - 1) / call.rows_a_task + 1, workspace->threads, true, run_tiles, &call);
        return;
    }
    if (nchw) call.rows_a_task = fc_max(call.rows_a_task / p->in[0], 1) * fc_min(call.rows_a_task, p->in[0]);
    fc_parallel_shares((call.rows - 1) / call.rows_a_task + 1, workspace->threads, true, run_rows, &call);
}

static const char *decline(const fc_problem *p)
{
    for (int axis = 0; axis < 2; axis++) {
        if (p->dilation[axis] > 1 && p->window[axis] > 1) return "the window is dilated";
        if (p->out[axis] > 1 && p->window[axis] > p->stride[axis]) return "the windows overlap";
    }
    return NULL;
}

const fc_algorithm fc_avg_pool2d_grad_spread = {
    .name = "spread", .decline = decline, .slot_bytes = slot_bytes, .run = run};
