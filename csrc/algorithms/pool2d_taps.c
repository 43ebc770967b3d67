/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_taps.c -- pooling with few taps, read from the images as they lie and written once: nothing is copied.
 *
 * A task is some neighbouring rows of outputs, of any images. In NCHW lanes are columns, with masks where a vector
 * reaches over the border; in NHWC they are channels. */
#include <math.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BYTES_A_TASK 65536
#define MOST_TAPS 12 /* beyond them two passes, down and across, are fewer operations */
#define LINES_A_CALL 32
#define PIXELS_A_CALL 64

typedef struct taps_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    ptrdiff_t rows, rows_a_task; /* of outputs, in all and of a task */
} taps_call;

static bool average(const fc_problem *p) { return p->operation == FC_AVG_POOL2D; }

static const fc_fold_kernels *fold(const fc_problem *p)
{
    const fc_pool_kernels *kernels = &p->kernels->pool[p->dtype];
    return average(p) ? &kernels->add : &kernels->max;
}

static ptrdiff_t lanes(const fc_problem *p) { return p->kernels->pool[p->dtype].lanes; }

static ptrdiff_t chunks(const fc_problem *p) { return (p->out[1] - 1) / lanes(p) + 1; }

/* Bytes of what a chunk with a border needs. */
static size_t edge_bytes(const fc_problem *p)
{
    return (size_t)(4 * p->window[1] * lanes(p)) * fc_dtype_size(p->dtype);
}

/* The place of a vector of outputs, and whether a tap of a lane may lie outside. A line's last vector ends where it
 * does, so that some outputs are computed twice. */
static fc_pool_chunk chunk_at(const fc_problem *p, ptrdiff_t index, bool *outside)
{
    const ptrdiff_t l = lanes(p), stride = p->out[1] > 1 ? p->stride[1] : 1;
    fc_pool_chunk chunk = {.y = fc_max(fc_min(index * l, p->out[1] - l), 0)};
    chunk.x = fc_window_start(p, 1, chunk.y);
    *outside = chunk.x < 0 || chunk.x + (p->window[1] - 1) * p->dilation[1] + (l - 1) * stride >= p->in[1];
    return chunk;
}

static ptrdiff_t edges(const fc_problem *p)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t c = 0; c < chunks(p); c++) {
        bool outside;
        chunk_at(p, c, &outside);
        count += outside;
    }
    return count;
}

typedef struct taps_slot {
    fc_pool_chunk *chunks;
    char *edges, *counts;
    size_t bytes;
} taps_slot;

static taps_slot lay_out(const fc_problem *p, char *slot)
{
    taps_slot s = {0};
    if (p->layout == FC_NCHW) {
        s.chunks = (fc_pool_chunk *)fc_pool_take(slot, &s.bytes, (size_t)chunks(p), sizeof *s.chunks);
        s.edges = fc_pool_take(slot, &s.bytes, (size_t)edges(p), edge_bytes(p));
    }
    if (average(p)) s.counts = fc_pool_take(slot, &s.bytes, (size_t)(p->out[1] + lanes(p)), fc_dtype_size(p->dtype));
    return s;
}

static size_t slot_bytes(const fc_problem *p) { return p->batch && p->channels ? lay_out(p, NULL).bytes : 0; }

static void set(const fc_problem *p, char *numbers, ptrdiff_t index, bool inside, bool mask)
{
    if (p->dtype == FC_F32 && mask)
        ((int32_t *)numbers)[index] = inside ? -1 : 0;
    else if (p->dtype == FC_F32)
        ((float *)numbers)[index] = inside ? 0 : -INFINITY;
    else if (mask)
        ((int64_t *)numbers)[index] = inside ? -1 : 0;
    else
        ((double *)numbers)[index] = inside ? 0 : -INFINITY;
}

/* See fc_pool_chunk. */
static void find_edge(const fc_problem *p, ptrdiff_t x, char *edge)
{
    const ptrdiff_t l = lanes(p);
    for (ptrdiff_t v = 0; v < p->window[1]; v++) {
        for (ptrdiff_t e = 0; e < 2 * l; e++) {
            const ptrdiff_t column = x + v * p->dilation[1] + e, high = column - (e < l ? 0 : 1);
            set(p, edge, 4 * l * v + e, high >= 0 && high < p->in[1], true);
            set(p, edge, 4 * l * v + 2 * l + e, column >= 0 && column < p->in[1], false);
        }
    }
}

static void find_chunks(const fc_problem *p, const taps_slot *s)
{
    char *edge = s->edges;
    for (ptrdiff_t c = 0; c < chunks(p); c++) {
        bool outside;
        s->chunks[c] = chunk_at(p, c, &outside);
        if (!outside) continue;
        find_edge(p, s->chunks[c].x, edge);
        s->chunks[c].edge = edge;
        edge += edge_bytes(p);
    }
}

/* Elements from a tap to the next along an axis; there is none in the image when the step leads out of it, which may
 * be too long to be multiplied. */
static ptrdiff_t tap_step(const fc_problem *p, int axis, ptrdiff_t elements)
{
    return p->dilation[axis] < p->in[axis] ? p->dilation[axis] * elements : 0;
}

static void run_lines(void *context, ptrdiff_t task, int number)
{
    const taps_call *call = context;
    const fc_problem *p = call->p;
    const size_t element = fc_dtype_size(p->dtype);
    const taps_slot s = lay_out(p, call->workspace->slots + (size_t)number * call->workspace->slot_bytes);
    const ptrdiff_t first = task * call->rows_a_task, end = fc_min(call->rows, first + call->rows_a_task);
    fc_pool_line line[LINES_A_CALL];
    fc_pool_lines lines = {.chunks = chunks(p),
                           .taps = p->window[1],
                           .dilation = p->dilation[1],
                           .x_row = tap_step(p, 0, p->in[1]),
                           .width = p->out[1],
                           .line = line,
                           .chunk = s.chunks,
                           .counts = s.counts};
    void (*const kernel)(const fc_pool_lines *) = fold(p)->lines[p->out[1] > 1 ? p->stride[1] - 1 : 0];
    find_chunks(p, &s);
    if (average(p)) fc_pool_counts(p, (fc_range){0, p->out[1]}, s.counts);
    for (ptrdiff_t l = 0; l < lanes(p) && average(p); l++) {
        if (p->dtype == FC_F32)
            ((float *)s.counts)[p->out[1] + l] = 1;
        else
            ((double *)s.counts)[p->out[1] + l] = 1;
    }
    ptrdiff_t plane = first / p->out[0], i = first % p->out[0];
    for (ptrdiff_t row = first; row < end; row++) {
        const fc_range taps = fc_taps_inside(p, 0, i);
        fc_pool_line *here = &line[lines.lines++];
        const char *x = call->operands->x;
        here->rows = fc_max(fc_length(taps), 0);
        x += (size_t)(plane * p->in[0] * p->in[1]) * element;
        if (here->rows) x += (size_t)((fc_window_start(p, 0, i) + taps.first * p->dilation[0]) * p->in[1]) * element;
        here->x = x;
        here->y = (char *)call->operands->y + (size_t)(row * p->out[1]) * element;
        here->room = (end - row) * p->out[1];
        here->scale = average(p) ? fc_pool_row_count(p, i) : 1;
        if (lines.lines == LINES_A_CALL || row == end - 1) {
            kernel(&lines);
            lines.lines = 0;
        }
        if (++i == p->out[0]) {
            i = 0;
            plane++;
        }
    }
}

static void run_pixels(void *context, ptrdiff_t task, int number)
{
    const taps_call *call = context;
    const fc_problem *p = call->p;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t first = task * call->rows_a_task, end = fc_min(call->rows, first + call->rows_a_task);
    fc_pool_pixel pixel[PIXELS_A_CALL];
    fc_pool_pixels pixels = {.lanes = p->channels,
                             .x_row = tap_step(p, 0, p->in[1] * p->channels),
                             .x_column = tap_step(p, 1, p->channels),
                             .pixel = pixel};
    (void)number;
    for (ptrdiff_t row = first; row < end; row++) {
        const ptrdiff_t image = row / p->out[0], i = row % p->out[0];
        const fc_range rows = fc_taps_inside(p, 0, i);
        const double scale = average(p) ? fc_pool_row_count(p, i) : 0;
        for (ptrdiff_t j = 0; j < p->out[1]; j++) {
            const fc_range columns = fc_taps_inside(p, 1, j);
            fc_pool_pixel *here = &pixel[pixels.pixels++];
            here->columns = fc_max(fc_length(columns), 0);
            here->rows = here->columns ? fc_max(fc_length(rows), 0) : 0;
            here->x = call->operands->x;
            if (here->rows) {
                const ptrdiff_t h = fc_window_start(p, 0, i) + rows.first * p->dilation[0];
                const ptrdiff_t w = fc_window_start(p, 1, j) + columns.first * p->dilation[1];
                here->x = (const char *)call->operands->x +
                          (size_t)(((image * p->in[0] + h) * p->in[1] + w) * p->channels) * element;
            }
            here->y = (char *)call->operands->y + (size_t)((row * p->out[1] + j) * p->channels) * element;
            here->divisor = average(p) ? scale * fc_pool_column_count(p, j) : 0;
            here->divide = average(p);
            if (pixels.pixels == PIXELS_A_CALL || (row == end - 1 && j == p->out[1] - 1)) {
                fold(p)->pixels(&pixels);
                pixels.pixels = 0;
            }
        }
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const bool nchw = p->layout == FC_NCHW;
    const ptrdiff_t depth = nchw ? 1 : p->channels;
    taps_call call = {p, operands, workspace, (nchw ? p->batch * p->channels : p->batch) * p->out[0], 1};
    ptrdiff_t moved;
    if (!p->batch || !p->channels) return;
    moved = (fc_min(p->stride[0], p->window[0]) * p->in[1] + p->out[1]) * depth;
    call.rows_a_task = fc_max(1, BYTES_A_TASK / (ptrdiff_t)fc_dtype_size(p->dtype) / moved);
    fc_parallel_for((call.rows - 1) / call.rows_a_task + 1, workspace->threads, average(p),
                    nchw ? run_lines : run_pixels, &call);
}

static const char *decline(const fc_problem *p)
{
    if (p->with_indices) return "places are asked for";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "not float32 or float64";
    if (p->window[0] > MOST_TAPS || p->window[1] > MOST_TAPS || p->window[0] * p->window[1] > MOST_TAPS)
        return "the window has many taps";
    if (p->layout == FC_NHWC && p->channels < lanes(p)) return "fewer channels than a vector has lanes";
    if (p->layout == FC_NHWC) return NULL;
    if (p->out[1] > 1 && p->stride[1] > 2) return "the stride along the width is above 2";
    if ((p->window[1] - 1) * p->dilation[1] > p->in[1] + p->window[1] || p->pad_before[1] > p->in[1] + p->window[1] ||
        p->out[1] > 2 * p->in[1] + MOST_TAPS)
        return "the windows reach far beyond the image";
    return NULL;
}

const fc_algorithm fc_max_pool2d_taps = {.name = "taps", .decline = decline, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_taps = {.name = "taps", .decline = decline, .slot_bytes = slot_bytes, .run = run};
