/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_depthwise_nhwc.c -- depthwise correlation of NHWC images. Lanes are channels; a tile is a few pixels whose
 * windows reach the same taps, wherever they lie: neighbours in a row, or a column at the border. Pixels are read where
 * they lie, and zeros outside the image are left out. A 3x3 kernel without stride goes along rows of outputs instead, and
 * loads every pixel once for all outputs of a row. Weights are read as they lie in HWIO, else transposed to it. An output
 * is one chain of multiplications and additions over its taps, in the order kh, kw; along rows kw, kh. */
#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/strided_copy.h"
#include "algorithms/window.h"
#include "platform/parallel.h"

#define TASK_BYTES (64 * 1024) /* of outputs, aimed at */
#define FEWEST_ROWS 4          /* of a task, where there are as many */
#define MOST_COLUMNS 48        /* read by a segment of a row: three rows of them fit a part of the first cache's sets */
#define MEETING_BYTES 1024     /* of pixels whose lines meet in a quarter of a page or less */
#define CHANNEL_BYTES 768      /* of a task's pixel, at most: so small maps are more than one task */

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_gemm_kernels *kernels;
    const char *weights; /* [kh][kw][channel] */
    ptrdiff_t element;
    fc_range inside;  /* columns whose windows reach no border */
    fc_panels pieces; /* of the channels */
    ptrdiff_t blocks; /* of output rows; a task is a block of one piece */
} call;

/* The next pixels to compute. */
typedef struct tile {
    fc_depthwise_pixels d;
    ptrdiff_t used;
    const char *weights; /* of the task's first channel */
} tile;

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NHWC) return "layout is not NHWC";
    if (p->groups != p->channels || p->groups == 0) return "groups are not single channels";
    if (p->out_channels != p->channels) return "a channel has more than one filter";
    return NULL;
}

static size_t prepared_bytes(const fc_problem *p) { return p->weight_layout == FC_HWIO ? 0 : fc_weight_bytes(p); }

/* Both other orders are [channel][kh][kw]. */
static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const ptrdiff_t taps = p->window[0] * p->window[1];
    p->kernels->pool[p->dtype].transpose(p->channels, taps, prepared, p->channels, w, taps);
}

static void run_tile(const call *c, tile *t)
{
    if (t->used > 2) {
        for (ptrdiff_t r = t->used; r < FC_DEPTHWISE_PIXELS; r++) {
            t->d.x[r] = t->d.x[t->used - 1];
            t->d.y[r] = t->d.y[t->used - 1];
        }
        c->kernels->depthwise_pixels(&t->d);
    } else {
        for (ptrdiff_t r = 0; r < t->used; r++) {
            t->d.x[0] = t->d.x[r];
            t->d.y[0] = t->d.y[r];
            c->kernels->depthwise_pixel(&t->d);
        }
    }
    t->used = 0;
}

/* The outputs of these rows and columns, whose windows all reach the same taps. Where they reach none, nothing of the
 * image is a coordinate, and steps that are not taken may not fit. */
static void run_pixels(const call *c, tile *t, const char *image, char *y, fc_range rows, fc_range columns,
                       fc_range tap_rows, fc_range tap_columns)
{
    const fc_problem *p = c->p;
    const ptrdiff_t pixel = p->channels * c->element, count = columns.end - columns.first;
    const bool any = tap_rows.end > tap_rows.first && tap_columns.end > tap_columns.first;
    ptrdiff_t left = 0, step = 0;
    t->d.w = t->weights;
    t->d.taps[0] = t->d.taps[1] = 0;
    if (any) {
        t->d.w = t->weights + (tap_rows.first * p->window[1] + tap_columns.first) * pixel;
        t->d.taps[0] = tap_rows.end - tap_rows.first;
        t->d.taps[1] = tap_columns.end - tap_columns.first;
        left = (fc_window_start(p, 1, columns.first) + tap_columns.first * p->dilation[1]) * pixel;
        step = count > 1 ? p->stride[1] * pixel : 0;
    }
    for (ptrdiff_t i = rows.first; i < rows.end; i++) {
        const ptrdiff_t top = any ? fc_window_start(p, 0, i) + tap_rows.first * p->dilation[0] : 0;
        const char *from = image + top * p->in[1] * pixel + left;
        char *to = y + (i * p->out[1] + columns.first) * pixel;
        for (ptrdiff_t j = 0; j < count; j++) {
            t->d.x[t->used] = from + j * step;
            t->d.y[t->used] = to + j * pixel;
            if (++t->used == FC_DEPTHWISE_PIXELS) run_tile(c, t);
        }
    }
    run_tile(c, t);
}

/* Where outputs from `from` on stop to reach the same taps. */
static ptrdiff_t end_of_run(const fc_problem *p, int axis, ptrdiff_t from, ptrdiff_t end, fc_range taps)
{
    const fc_range inside = {fc_outputs_inside(p, axis, 0).first, fc_outputs_inside(p, axis, p->window[axis] - 1).end};
    if (from >= inside.first && from < inside.end) return fc_min(end, inside.end);
    for (ptrdiff_t out = from + 1; out < end; out++) {
        const fc_range next = fc_taps_inside(p, axis, out);
        if (next.first != taps.first || next.end != taps.end) return out;
    }
    return end;
}

/* Whether the kernel of 3x3 windows takes it: along a row of pixels that meet in a few sets of the cache it would lose
 * what it keeps, and windows with strides share too little. */
static bool takes_lines(const fc_problem *p)
{
    if (p->channels * (ptrdiff_t)fc_dtype_size(p->dtype) % MEETING_BYTES == 0) return false;
    return p->window[0] == 3 && p->window[1] == 3 && p->dilation[1] == 1 && (p->stride[1] == 1 || p->out[1] == 1) &&
           p->channels >= p->kernels->gemm[p->dtype].lanes;
}

/* Measured: what fits the second-level caches need not be fetched, and of what fits none more is under way. */
static ptrdiff_t pixels_ahead(const fc_problem *p)
{
    const ptrdiff_t bytes = p->batch * p->in[0] * p->in[1] * p->channels * (ptrdiff_t)fc_dtype_size(p->dtype);
    if (bytes > 1 << 22) return 32;
    return bytes > 1 << 20 ? 8 : 0;
}

/* A row of outputs of a 3x3 kernel, in segments that keep their cache lines from one vector of channels to the next. */
static void run_line(const call *c, fc_depthwise_line *line, const char *image, char *y, ptrdiff_t i)
{
    const fc_problem *p = c->p;
    const ptrdiff_t pixel = p->channels * c->element, segments = fc_ceil_div(p->out[1], MOST_COLUMNS);
    const fc_range taps = fc_taps_inside(p, 0, i);
    for (ptrdiff_t u = 0; u < 3; u++) {
        const bool in = u >= taps.first && u < taps.end;
        line->x[u] = in ? image + (fc_window_start(p, 0, i) + u * p->dilation[0]) * p->in[1] * pixel : NULL;
    }
    for (ptrdiff_t s = 0; s < segments; s++) {
        const ptrdiff_t first = fc_cut(p->out[1], segments, s);
        line->outputs = fc_cut(p->out[1], segments, s + 1) - first;
        line->left = fc_window_start(p, 1, first);
        line->y = y + (i * p->out[1] + first) * pixel;
        c->kernels->depthwise_line(line);
    }
}

/* From one tap to the next that a window reaches. */
static ptrdiff_t step_of(const fc_problem *p, int axis)
{
    return p->dilation[axis] < p->in[axis] ? p->dilation[axis] : 0;
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t piece = task % c->pieces.count, block = task / c->pieces.count % c->blocks;
    const ptrdiff_t n = task / c->pieces.count / c->blocks, end = fc_cut(p->out[0], c->blocks, block + 1);
    const fc_panel_cut cut = fc_panel_at(&c->pieces, piece);
    const ptrdiff_t first = cut.first * c->element, pixel = p->channels * c->element;
    const char *image = (const char *)c->operands->x + n * p->in[0] * p->in[1] * pixel + first;
    char *y = (char *)c->operands->y + n * p->out[0] * p->out[1] * pixel + first;
    tile t = {.d = {.channels = cut.columns,
                    .x_step = {step_of(p, 0) * p->in[1] * p->channels, step_of(p, 1) * p->channels},
                    .w_step = {p->window[1] * p->channels, p->channels},
                    .bias = c->operands->bias ? (const char *)c->operands->bias + first : NULL},
              .weights = c->weights + first};
    (void)slot;
    if (takes_lines(p)) {
        fc_depthwise_line line = {.channels = cut.columns,
                                  .width = p->in[1],
                                  .pixel = p->channels,
                                  .w_step = p->channels,
                                  .ahead = pixels_ahead(p),
                                  .w = t.weights,
                                  .bias = t.d.bias};
        for (ptrdiff_t i = fc_cut(p->out[0], c->blocks, block); i < end; i++) run_line(c, &line, image, y, i);
        return;
    }
    for (fc_range rows = {fc_cut(p->out[0], c->blocks, block), 0}; rows.first < end; rows.first = rows.end) {
        const fc_range tap_rows = fc_taps_inside(p, 0, rows.first);
        rows.end = end_of_run(p, 0, rows.first, end, tap_rows);
        for (fc_range columns = {0, 0}; columns.first < p->out[1]; columns.first = columns.end) {
            const fc_range tap_columns = fc_taps_inside(p, 1, columns.first);
            columns.end = end_of_run(p, 1, columns.first, p->out[1], tap_columns);
            run_pixels(c, &t, image, y, rows, columns, tap_rows, tap_columns);
        }
    }
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), lanes = 2 * kernels->lanes;
    call c = {.p = p,
              .operands = operands,
              .kernels = kernels,
              .weights = p->weight_layout == FC_HWIO ? operands->w : operands->prepared,
              .element = element,
              .pieces = fc_panels_of(p->channels, lanes, fc_max(1, CHANNEL_BYTES / (lanes * element)))};
    const ptrdiff_t row_bytes = p->out[1] * fc_ceil_div(p->channels, c.pieces.count) * element;
    const ptrdiff_t blocks = fc_ceil_div(fc_enough_tasks(p), fc_max(1, p->batch * c.pieces.count));
    const ptrdiff_t rows = fc_min(fc_ceil_div(TASK_BYTES, fc_max(1, row_bytes)), fc_ceil_div(p->out[0], blocks));
    c.blocks = fc_ceil_div(p->out[0], fc_max(FEWEST_ROWS, rows));
    fc_parallel_shares(p->batch * c.blocks * c.pieces.count, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_depthwise_nhwc = {
    .name = "depthwise_nhwc",
    .decline = decline,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = forward,
};
