/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_interleaved.c -- depthwise correlation, and its input gradient without stride, of NHWC images whose channels do
 * not fill a vector: filters of colour images.
 *
 * A row of pixels is taken for one long line of elements: the lane of an output is any channel of any column, a tap one
 * column on lies as many elements further as there are channels, and the factors of a tap repeat with the channels.
 * Rows are copied into zeros, which are multiplied, so that no window is cut off by the border; where windows step by s,
 * pixels are sorted by their phase as in stripe.h. An output is one chain of multiplications and additions over its
 * taps, in the order kh, kw. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/block_axis.h"
#include "algorithms/blocking.h"
#include "algorithms/stripe.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define STRIP_BYTES (24 * 1024)               /* of a copy, aimed at: a part of the first-level cache */
#define MOST_STRIP_BYTES (1024 * 1024)        /* of the smallest copy */
#define MOST_SHARED_BYTES ((size_t)256 << 20) /* of factors */
#define FEW_COLUMNS 64                        /* of a strip, where there are as many */
#define MANY_TAPS 64

typedef struct call {
    const fc_problem *p;
    const fc_workspace *workspace;
    const char *source, *factors, *bias;
    char *destination;
    const ptrdiff_t *shift;
    fc_grid_axis axis[2];
    ptrdiff_t element, columns, phases, phase; /* of a strip: outputs of a row; pixels of a copied row, by phase */
    ptrdiff_t row;                             /* elements of a copied row */
    ptrdiff_t blocks;                          /* of rows of outputs */
} call;

static ptrdiff_t step_of(const fc_problem *p, int axis)
{
    return fc_block_forward(p) && p->out[axis] > 1 ? p->stride[axis] : 1;
}

/* Rows of the source that a strip reads. */
static ptrdiff_t rows_of(const fc_problem *p)
{
    return (FC_INTERLEAVED_ROWS - 1) * step_of(p, 0) + fc_window_span(p, 0) + 1;
}

/* Elements of a copied row for so many outputs; the vectors at its end read on. */
static ptrdiff_t row_of(const fc_problem *p, ptrdiff_t columns)
{
    const ptrdiff_t phases = step_of(p, 1), phase = columns + fc_window_span(p, 1) / phases + 1;
    return phases * phase * p->channels + FC_MAX_LANES;
}

static ptrdiff_t strip_bytes(const fc_problem *p, ptrdiff_t columns)
{
    return rows_of(p) * row_of(p, columns) * (ptrdiff_t)fc_dtype_size(p->dtype);
}

static ptrdiff_t columns_of(const fc_problem *p)
{
    const ptrdiff_t width = fc_block_destination_size(p)[1], phases = step_of(p, 1);
    const ptrdiff_t row = STRIP_BYTES / (rows_of(p) * (ptrdiff_t)fc_dtype_size(p->dtype)) - FC_MAX_LANES;
    const ptrdiff_t most = fc_max(FEW_COLUMNS, row / (phases * p->channels) - fc_window_span(p, 1) / phases - 1);
    return fc_ceil_div(width, fc_max(1, fc_ceil_div(width, most)));
}

/* Elements of the factors of one tap, repeated for a vector that starts with any channel. */
static ptrdiff_t factor_step(const fc_problem *p) { return p->channels + FC_MAX_LANES; }

static size_t factor_bytes(const fc_problem *p)
{
    const size_t taps = (size_t)(p->window[0] * p->window[1]);
    return fc_size_lines(fc_size_mul((taps + 1) * (size_t)factor_step(p), fc_dtype_size(p->dtype))); /* and the bias */
}

static size_t shared_bytes(const fc_problem *p)
{
    return fc_size_add(factor_bytes(p), (size_t)(p->window[0] * p->window[1]) * sizeof(ptrdiff_t));
}

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NHWC) return "layout is not NHWC";
    if (p->groups != p->channels || p->groups == 0) return "groups are not single channels";
    if (p->out_channels != p->channels) return "a channel has more than one filter";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (p->channels > FC_MAX_LANES) return "channels fill vectors";
    if (!fc_block_forward(p) && fc_strided(p)) return "its gradient is that of a stride";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    for (int i = 0; i < 2; i++)
        if (fc_window_span(p, i) > MOST_STRIP_BYTES || step_of(p, i) > MOST_STRIP_BYTES)
            return "a window is too large to copy";
    if (strip_bytes(p, fc_min(FEW_COLUMNS, fc_block_destination_size(p)[1])) > MOST_STRIP_BYTES)
        return "a window is too large to copy";
    if (shared_bytes(p) > MOST_SHARED_BYTES) return "there are too many taps";
    return NULL;
}

static size_t slot_bytes(const fc_problem *p) { return (size_t)strip_bytes(p, columns_of(p)); }

#define REPEAT(NAME, T)                                                                         \
    static void NAME(ptrdiff_t channels, ptrdiff_t count, const T *from, ptrdiff_t step, T *to) \
    {                                                                                           \
        for (ptrdiff_t i = 0; i < count; i++) to[i] = from[i % channels * step];                \
    }

REPEAT(repeat32, uint32_t)
REPEAT(repeat64, uint64_t)

static void repeat(const call *c, const void *from, ptrdiff_t step, void *to)
{
    const ptrdiff_t channels = c->p->channels, count = factor_step(c->p);
    if (c->element == 4)
        repeat32(channels, count, from, step, to);
    else
        repeat64(channels, count, from, step, to);
}

/* Every tap of the grid: its factors, and how far from its output it reads. */
static void find_taps(const call *c, const char *w, const char *bias, char *factors, ptrdiff_t *shift)
{
    const fc_strides ws = fc_weight_strides(c->p);
    const fc_grid_axis *rows = &c->axis[0], *columns = &c->axis[1];
    const ptrdiff_t bytes = factor_step(c->p) * c->element, channel = ws.n;
    for (ptrdiff_t u = 0; u < rows->taps; u++)
        for (ptrdiff_t v = 0; v < columns->taps; v++, factors += bytes) {
            const ptrdiff_t y = rows->tap_first + u * rows->tap_step - fc_block_lowest_tap(rows);
            const ptrdiff_t x = columns->tap_first + v * columns->tap_step - fc_block_lowest_tap(columns);
            const ptrdiff_t tap = (rows->window_first + u * rows->window_step) * ws.h +
                                  (columns->window_first + v * columns->window_step) * ws.w;
            repeat(c, w + tap * c->element, channel, factors);
            *shift++ = y * c->row + (x % c->phases * c->phase + x / c->phases) * c->p->channels;
        }
    if (bias) repeat(c, bias, 1, factors);
}

/* What the outputs of some rows, from row and column on, read: a row of the source, or zeros. */
static void fill_strip(const call *c, const char *image, ptrdiff_t rows, ptrdiff_t row, ptrdiff_t column, char *to)
{
    const fc_grid_axis *down = &c->axis[0], *across = &c->axis[1];
    const ptrdiff_t pixel = c->p->channels * c->element, first = row * down->source_step + fc_block_lowest_tap(down);
    const ptrdiff_t needed = (rows - 1) * down->source_step + fc_window_span(c->p, 0) + 1;
    for (ptrdiff_t y = first; y < first + needed; y++, to += c->row * c->element) {
        const char *source = y < 0 || y >= down->source ? NULL : image + y * across->source * pixel;
        fc_deal_row((size_t)c->element, c->p->channels, c->p->channels, source, across->source,
                    column * across->source_step + fc_block_lowest_tap(across), c->phases, c->phase, to);
        memset(to + c->phases * c->phase * pixel, 0, (size_t)(FC_MAX_LANES * c->element));
    }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t n = task / c->blocks, block = task % c->blocks, channels = p->channels;
    const ptrdiff_t height = c->axis[0].points, width = c->axis[1].points;
    const char *image = c->source + n * c->axis[0].source * c->axis[1].source * channels * c->element;
    char *y = c->destination + n * height * width * channels * c->element, *strip = fc_slot_of(c->workspace, slot);
    const ptrdiff_t end = fc_cut(height, c->blocks, block + 1);
    ptrdiff_t rows;
    for (ptrdiff_t i = fc_cut(height, c->blocks, block); i < end; i += rows) {
        rows = fc_min(FC_INTERLEAVED_ROWS, end - i);
        for (ptrdiff_t j = 0; j < width; j += c->columns) {
            fill_strip(c, image, rows, i, j, strip);
            p->kernels->gemm[p->dtype].interleaved(
                &(fc_interleaved){.rows = rows,
                                  .elements = fc_min(c->columns, width - j) * channels,
                                  .channels = channels,
                                  .taps = c->axis[0].taps * c->axis[1].taps,
                                  .shift = c->shift,
                                  .x = strip,
                                  .x_row = c->axis[0].source_step * c->row,
                                  .w = c->factors,
                                  .w_step = factor_step(p),
                                  .bias = c->bias,
                                  .y = y + (i * width + j) * channels * c->element,
                                  .y_row = width * channels});
        }
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    char *factors = workspace->shared;
    ptrdiff_t *shift = (ptrdiff_t *)(void *)(factors + factor_bytes(p));
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), columns = columns_of(p), phases = step_of(p, 1);
    call c = {
        .p = p,
        .workspace = workspace,
        .source = fc_block_forward(p) ? operands->x : operands->grad_y,
        .factors = factors,
        .destination = operands->y,
        .shift = shift,
        .axis = {fc_block_axis_of(p, 0, 0), fc_block_axis_of(p, 1, 0)},
        .element = element,
        .columns = columns,
        .phases = phases,
        .phase = columns + fc_window_span(p, 1) / phases + 1,
        .row = row_of(p, columns),
    };
    const ptrdiff_t units = fc_ceil_div(c.axis[0].points, FC_INTERLEAVED_ROWS);
    if (operands->bias) c.bias = factors + p->window[0] * p->window[1] * factor_step(p) * element;
    fc_end_part(factors, factor_bytes(p));
    find_taps(&c, operands->w, operands->bias, factors, shift);
    c.blocks = fc_min(units, fc_max(fc_ceil_div(fc_enough_tasks(p), fc_max(1, p->batch)), fc_ceil_div(units, 4)));
    fc_parallel_shares(p->batch * c.blocks, workspace->threads, true, run_task, &c);
}

/* Measured over maps of 7 to 224 columns, kernels of 2 to 21 rows and columns, strides and dilations of 1 and 2. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    if (p->channels >= lanes) return "channels fill vectors";
    return 4 * p->channels > 3 * lanes && p->window[0] * p->window[1] > MANY_TAPS ? "channels nearly fill vectors"
                                                                                  : NULL;
}

const fc_algorithm fc_corr2d_interleaved = {
    .name = "interleaved",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
