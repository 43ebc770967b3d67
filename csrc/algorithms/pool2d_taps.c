/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_taps.c -- pooling with few taps, read from the images as they lie and written once: nothing is copied.
 *
 * A task is some neighbouring rows of outputs, of any images. In NCHW lanes are columns, with masks where a vector
 * reaches over the border; in NHWC they are channels.
 *
 * The gradient of the average is a sum over windows of grad_y as well, each of its elements divided by what its window
 * counts, and as far from the next as the windows were, with zeros between: what a task reads is so laid out first, a
 * piece of an image at a time. */
#include <math.h>
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BYTES_A_TASK 65536
#define BYTES_A_GRADIENT_TASK 262144 /* what two tasks both divide stays a fraction */
#define MOST_TAPS 12                 /* beyond them two passes, down and across, are fewer operations */
#define LONG_ROW 256
#define FEW_CHANNELS 16
#define MOST_LAID_OUT (PTRDIFF_MAX / 64) /* elements of an image of a gradient, far from overflow */
#define LINES_A_CALL 32
#define PIXELS_A_CALL 64

typedef struct taps_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_problem *of;        /* the gradient's own problem, while p is that of its sums; else NULL */
    ptrdiff_t rows, rows_a_task; /* of outputs, in all and of a task */
} taps_call;

static bool average(const fc_problem *p) { return p->operation == FC_AVG_POOL2D; }

static bool gradient(const fc_problem *p) { return p->operation == FC_AVG_POOL2D_GRAD; }

static const fc_fold_kernels *fold(const fc_problem *p)
{
    const fc_pool_kernels *kernels = &p->kernels->pool[p->dtype];
    return p->operation == FC_MAX_POOL2D ? &kernels->max : &kernels->add;
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
    const ptrdiff_t last = fc_min(l, p->out[1] - chunk.y) - 1;
    chunk.x = fc_window_start(p, 1, chunk.y);
    chunk.end_only = chunk.x >= 0 && chunk.x + (p->window[1] - 1) * p->dilation[1] + last * stride < p->in[1];
    *outside = chunk.x < 0 || chunk.x + (p->window[1] - 1) * p->dilation[1] + (l - 1) * stride >= p->in[1];
    return chunk;
}

#define MOST_COUNTED ((ptrdiff_t)1 << 24) /* chunks; of more, which nobody has memory for, all count */

static ptrdiff_t edges(const fc_problem *p)
{
    ptrdiff_t count = 0;
    if (chunks(p) > MOST_COUNTED) return chunks(p);
    for (ptrdiff_t c = 0; c < chunks(p); c++) {
        bool outside;
        chunk_at(p, c, &outside);
        count += outside;
    }
    return count;
}

static ptrdiff_t rows_a_task(const fc_problem *p)
{
    const ptrdiff_t moved = (fc_min(p->stride[0], p->window[0]) * p->in[1] + p->out[1]) * fc_pool_depth(p);
    const ptrdiff_t bytes = gradient(p) ? BYTES_A_GRADIENT_TASK : BYTES_A_TASK;
    return fc_max(1, bytes / (ptrdiff_t)fc_dtype_size(p->dtype) / moved);
}

/* Rows of grad_y that a task reads of an image. */
static ptrdiff_t piece_rows(const fc_problem *p)
{
    return fc_min(p->in[0], fc_min(p->out[0], rows_a_task(p)) + (p->window[0] - 1) * p->dilation[0]);
}

/* What a row of outputs reads of an image: so many rows, the first at h. */
typedef struct taps_row {
    ptrdiff_t h, rows;
    double scale;
} taps_row;

static taps_row row_at(const fc_problem *p, ptrdiff_t i)
{
    const fc_range taps = fc_taps_inside(p, 0, i);
    taps_row row = {0, fc_max(fc_length(taps), 0), average(p) ? fc_pool_row_count(p, i) : 1};
    if (row.rows) row.h = fc_window_start(p, 0, i) + taps.first * p->dilation[0];
    return row;
}

/* Small images follow each other in a task: what their rows read is found once. */
static bool small(const fc_problem *p) { return p->out[0] <= rows_a_task(p); }

typedef struct taps_slot {
    taps_row *rows; /* of a small image */
    fc_pool_chunk *chunks;
    char *edges, *counts;
    char *shares; /* the gradient: a piece of grad_y, divided */
    size_t bytes;
} taps_slot;

static taps_slot lay_out(const fc_problem *p, char *slot)
{
    taps_slot s = {0};
    if (p->layout == FC_NCHW) {
        if (small(p)) s.rows = (taps_row *)fc_pool_take(slot, &s.bytes, (size_t)p->out[0], sizeof *s.rows);
        s.chunks = (fc_pool_chunk *)fc_pool_take(slot, &s.bytes, (size_t)chunks(p), sizeof *s.chunks);
        s.edges = fc_pool_take(slot, &s.bytes, (size_t)edges(p), edge_bytes(p));
    }
    if (gradient(p)) {
        const size_t row = (size_t)(p->in[1] * fc_pool_depth(p));
        s.shares =
            fc_pool_take(slot, &s.bytes, (size_t)piece_rows(p) * row + 2 * (size_t)lanes(p), fc_dtype_size(p->dtype));
        s.counts = fc_pool_take(slot, &s.bytes, (size_t)p->in[1], fc_dtype_size(p->dtype));
    }
    if (average(p)) s.counts = fc_pool_take(slot, &s.bytes, (size_t)(p->out[1] + lanes(p)), fc_dtype_size(p->dtype));
    return s;
}

/* The gradient's sums over grad_y, laid out. */
static fc_problem sums_of(const fc_problem *p)
{
    fc_problem sums = fc_pool_sums_of(p);
    for (int axis = 0; axis < 2; axis++)
        if (p->out[axis] > 1) sums.in[axis] = (p->out[axis] - 1) * p->stride[axis] + 1;
    return sums;
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem sums = gradient(p) ? sums_of(p) : *p;
    return p->batch && p->channels ? lay_out(&sums, NULL).bytes : 0;
}

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

static ptrdiff_t step(const fc_problem *p, int axis) { return p->out[axis] > 1 ? p->stride[axis] : 1; }

/* The pixels of a row, `apart` from each other; zeros lie between them. */
static void move_apart(char *row, ptrdiff_t pixels, size_t pixel, ptrdiff_t apart)
{
    for (ptrdiff_t j = pixels - 1; j > 0; j--) {
        char *to = row + (size_t)(j * apart) * pixel;
        memmove(to, row + (size_t)j * pixel, pixel);
        memset(to - (size_t)(apart - 1) * pixel, 0, (size_t)(apart - 1) * pixel);
    }
}

/* Row h of what the gradient `of` sums over. */
static void lay_out_row(const fc_problem *of, ptrdiff_t image, ptrdiff_t h, char *row, size_t bytes, const char *counts,
                        const void *grad_y)
{
    const ptrdiff_t down = step(of, 0), across = step(of, 1), depth = fc_pool_depth(of), i = h / down;
    const size_t pixel = (size_t)depth * fc_dtype_size(of->dtype);
    if (h % down) {
        memset(row, 0, bytes);
        return;
    }
    of->kernels->pool[of->dtype].divide(of->out[1], depth, row,
                                        (const char *)grad_y + (size_t)((image * of->out[0] + i) * of->out[1]) * pixel,
                                        fc_pool_row_count(of, i), counts);
    if (across > 1) move_apart(row, of->out[1], pixel, across);
}

/* Some rows of outputs of one image, and where it lies: `x` is its row `origin`. */
typedef struct taps_piece {
    ptrdiff_t image, first, end;
    const char *x;
    ptrdiff_t origin, elements; /* that may be read from x on */
} taps_piece;

/* The piece of an image that begins a task, or goes on with it at `row`. */
static taps_piece piece_at(const taps_call *call, const taps_slot *s, ptrdiff_t row, ptrdiff_t end)
{
    const fc_problem *p = call->p, *of = call->of;
    const ptrdiff_t image = row / p->out[0], first = row % p->out[0], elements = p->in[1] * fc_pool_depth(p);
    const size_t bytes = (size_t)elements * fc_dtype_size(p->dtype);
    taps_piece piece = {image, first, fc_min(p->out[0], first + end - row), call->operands->x, 0, 0};
    if (of) {
        const fc_range rows = fc_slide_reach((fc_slide_axis){p, 0, false}, (fc_range){first, piece.end});
        for (ptrdiff_t h = rows.first; h < rows.end; h++)
            lay_out_row(of, image, h, s->shares + (size_t)(h - rows.first) * bytes, bytes, s->counts,
                        call->operands->grad_y);
        piece.x = s->shares;
        piece.origin = rows.first;
        piece.elements = piece_rows(p) * elements + 2 * lanes(p);
    } else {
        piece.x += (size_t)(image * p->in[0]) * bytes;
        piece.elements = (call->rows / p->out[0] - image) * p->in[0] * elements;
    }
    return piece;
}

static void find_counts(const taps_call *call, const taps_slot *s)
{
    const fc_problem *p = call->p;
    if (call->of) fc_pool_counts(call->of, (fc_range){0, call->of->out[1]}, 1, s->counts);
    if (!average(p)) return;
    fc_pool_counts(p, (fc_range){0, p->out[1]}, 1, s->counts);
    for (ptrdiff_t l = p->out[1]; l < p->out[1] + lanes(p); l++) {
        if (p->dtype == FC_F32)
            ((float *)s->counts)[l] = 1;
        else
            ((double *)s->counts)[l] = 1;
    }
}

static void run_lines(void *context, ptrdiff_t task, int number)
{
    const taps_call *call = context;
    const fc_problem *p = call->p;
    const size_t row_bytes = (size_t)p->in[1] * fc_dtype_size(p->dtype);
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
                           .counts = average(p) ? s.counts : NULL};
    void (*const kernel)(const fc_pool_lines *) = fold(p)->lines[p->out[1] > 1 ? p->stride[1] - 1 : 0];
    char *y = (char *)call->operands->y + (size_t)(first * p->out[1]) * fc_dtype_size(p->dtype);
    find_chunks(p, &s);
    find_counts(call, &s);
    for (ptrdiff_t i = 0; i < p->out[0] && s.rows; i++) s.rows[i] = row_at(p, i);
    for (ptrdiff_t row = first; row < end;) {
        const taps_piece piece = piece_at(call, &s, row, end);
        for (ptrdiff_t i = piece.first; i < piece.end; i++, row++) {
            const taps_row reads = s.rows ? s.rows[i] : row_at(p, i);
            const ptrdiff_t last = reads.h - piece.origin + (reads.rows - 1) * p->dilation[0];
            fc_pool_line *here = &line[lines.lines++];
            here->rows = reads.rows;
            here->x = reads.rows ? piece.x + (size_t)(reads.h - piece.origin) * row_bytes : piece.x;
            here->reads_on = !reads.rows || piece.elements - (last + 1) * p->in[1] >= 2 * lanes(p);
            here->scale = reads.scale;
            here->y = y;
            here->room = (end - row) * p->out[1];
            y += (size_t)p->out[1] * fc_dtype_size(p->dtype);
            /* The next piece of a gradient is divided where this one lies. */
            if (lines.lines == LINES_A_CALL || row == end - 1 || (call->of && i == piece.end - 1)) {
                kernel(&lines);
                lines.lines = 0;
            }
        }
    }
}

static void run_pixels(void *context, ptrdiff_t task, int number)
{
    const taps_call *call = context;
    const fc_problem *p = call->p;
    const size_t pixel_bytes = (size_t)p->channels * fc_dtype_size(p->dtype);
    const taps_slot s = lay_out(p, call->workspace->slots + (size_t)number * call->workspace->slot_bytes);
    const ptrdiff_t first = task * call->rows_a_task, end = fc_min(call->rows, first + call->rows_a_task);
    fc_pool_pixel pixel[PIXELS_A_CALL];
    fc_pool_pixels pixels = {.lanes = p->channels,
                             .x_row = tap_step(p, 0, p->in[1] * p->channels),
                             .x_column = tap_step(p, 1, p->channels),
                             .pixel = pixel};
    char *y = (char *)call->operands->y + (size_t)(first * p->out[1]) * pixel_bytes;
    find_counts(call, &s);
    for (ptrdiff_t row = first; row < end;) {
        const taps_piece piece = piece_at(call, &s, row, end);
        for (ptrdiff_t i = piece.first; i < piece.end; i++, row++) {
            const fc_range rows = fc_taps_inside(p, 0, i);
            const double scale = average(p) ? fc_pool_row_count(p, i) : 0;
            for (ptrdiff_t j = 0; j < p->out[1]; j++, y += pixel_bytes) {
                const fc_range columns = fc_taps_inside(p, 1, j);
                fc_pool_pixel *here = &pixel[pixels.pixels++];
                here->columns = fc_max(fc_length(columns), 0);
                here->rows = here->columns ? fc_max(fc_length(rows), 0) : 0;
                here->x = piece.x;
                if (here->rows) {
                    const ptrdiff_t h = fc_window_start(p, 0, i) + rows.first * p->dilation[0] - piece.origin;
                    const ptrdiff_t w = fc_window_start(p, 1, j) + columns.first * p->dilation[1];
                    here->x = piece.x + (size_t)(h * p->in[1] + w) * pixel_bytes;
                }
                here->y = y;
                here->divide = average(p);
                here->divisor = average(p) ? scale * fc_pool_column_count(p, j) : 0;
                if (pixels.pixels == PIXELS_A_CALL) {
                    fold(p)->pixels(&pixels);
                    pixels.pixels = 0;
                }
            }
        }
        fold(p)->pixels(&pixels);
        pixels.pixels = 0;
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const fc_problem sums = gradient(p) ? sums_of(p) : *p;
    const bool nchw = p->layout == FC_NCHW;
    taps_call call = {&sums, operands, workspace, gradient(p) ? p : NULL, 0, 1};
    if (!p->batch || !p->channels) return;
    call.rows = (nchw ? p->batch * p->channels : p->batch) * sums.out[0];
    call.rows_a_task = rows_a_task(&sums);
    fc_parallel_shares((call.rows - 1) / call.rows_a_task + 1, workspace->threads, p->operation != FC_MAX_POOL2D,
                       nchw ? run_lines : run_pixels, &call);
}

static const char *unfit(const fc_problem *p)
{
    if (p->with_indices) return "places are asked for";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "not float32 or float64";
    if (p->window[0] > MOST_TAPS || p->window[1] > MOST_TAPS || p->window[0] * p->window[1] > MOST_TAPS)
        return "the window has many taps";
    if (p->layout == FC_NHWC && p->channels < lanes(p)) return "fewer channels than a vector has lanes";
    return NULL;
}

/* Vectors of columns look at the border lane by lane. */
static const char *unfit_lines(const fc_problem *p)
{
    const ptrdiff_t beyond = p->in[1] + MOST_TAPS;
    if (p->layout == FC_NHWC) return NULL;
    if (p->out[1] > 1 && p->stride[1] > 2) return "the stride along the width is above 2";
    if ((p->window[1] - 1) * p->dilation[1] > beyond || p->pad_before[1] > beyond || p->pad_before[1] < -beyond ||
        p->out[1] > 2 * beyond)
        return "the windows reach far beyond the image";
    return NULL;
}

static const char *decline(const fc_problem *p)
{
    const char *reason = unfit(p);
    return reason ? reason : unfit_lines(p);
}

/* At stride 1 `rows` combines fewer of the taps, if its rows are not short runs of memory. */
static const char *pass(const fc_problem *p)
{
    for (int axis = 0; axis < 2; axis++)
        if (p->window[axis] < 2 || p->stride[axis] > 1 || p->dilation[axis] > 1) return NULL;
    if (p->layout == FC_NHWC || (p->window[0] >= 3 && p->window[1] >= 3 && p->in[1] >= LONG_ROW))
        return "every tap is read by many windows";
    return NULL;
}

static const char *decline_gradient(const fc_problem *p)
{
    const char *reason = unfit(p);
    if (reason) return reason;
    for (int axis = 0; axis < 2; axis++) {
        if (p->dilation[axis] >= p->in[axis]) return "taps lie further apart than the image is long";
        if (step(p, axis) > MOST_TAPS) return "the windows lie far from each other";
    }
    const fc_problem sums = sums_of(p);
    if (sums.in[1] > MOST_LAID_OUT / fc_pool_depth(p) || sums.in[0] > MOST_LAID_OUT / fc_pool_depth(p) / sums.in[1])
        return "the windows reach far beyond the image";
    return unfit_lines(&sums);
}

/* Two stacks move no elements apart, and run over pixels of few lanes as over rows. */
static const char *pass_gradient(const fc_problem *p)
{
    if (p->layout == FC_NCHW) return step(p, 1) > 1 ? "elements of rows would be moved apart" : NULL;
    return (step(p, 0) > 1 || step(p, 1) > 1) && p->channels < FEW_CHANNELS ? "few channels" : NULL;
}

const fc_algorithm fc_max_pool2d_taps = {
    .name = "taps", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_taps = {
    .name = "taps", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_grad_taps = {
    .name = "taps", .decline = decline_gradient, .pass = pass_gradient, .slot_bytes = slot_bytes, .run = run};
