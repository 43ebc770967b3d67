/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_rows.c -- pooling whose windows are small against their stride: taps are combined one by one.
 *
 * The rows of a window are combined into one row, which lies between values that change nothing (-inf, 0), so that
 * along it every window is whole. Sums are made in the order of the rows, then of the columns: kh + kw roundings at
 * most, and one of the division. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/parallel.h"

#define ROW_LANES 4096
#define DEEPEST 1024
#define TAPS_ALWAYS 9 /* up to about here two_stack is no faster at stride 1 */

typedef struct rows_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    fc_pool_tiles tiles;
} rows_call;

typedef struct rows_slot {
    char *row, *stage, *counts;
    fc_place *row_at, *stage_at, *columns;
    size_t bytes;
} rows_slot;

/* One tile at work. */
typedef struct rows_tile {
    const rows_call *call;
    fc_pool_tile at;
    rows_slot slot;
    ptrdiff_t lanes;
    bool narrow;      /* pixels have fewer than a vector: every one has its count */
    fc_range windows; /* the output columns with a tap inside */
    fc_range items;   /* the input columns under them */
    ptrdiff_t left;   /* pixels of padding in front of them */
    ptrdiff_t top;    /* the first input row: places count from it */
} rows_tile;

static bool average(const fc_problem *p) { return p->operation == FC_AVG_POOL2D; }

static ptrdiff_t last_tap(const fc_problem *p, int axis) { return (p->window[axis] - 1) * p->dilation[axis]; }

static const fc_pool_kernels *kernels(const fc_problem *p) { return &p->kernels->pool[p->dtype]; }

static const fc_fold_kernels *fold(const fc_problem *p) { return average(p) ? &kernels(p)->add : &kernels(p)->max; }

static rows_slot lay_out(const fc_problem *p, const fc_pool_tiles *t, char *slot)
{
    const size_t element = fc_dtype_size(p->dtype);
    const size_t row = (size_t)((t->item_columns + 2 * last_tap(p, 1)) * t->lanes);
    const size_t results = (size_t)(t->columns * t->lanes);
    rows_slot s = {0};
    s.row = fc_pool_take(slot, &s.bytes, row, element);
    s.stage = fc_pool_take(slot, &s.bytes, results, element);
    if (average(p)) s.counts = fc_pool_take(slot, &s.bytes, results, element);
    if (p->with_indices) {
        s.row_at = (fc_place *)fc_pool_take(slot, &s.bytes, row, sizeof(fc_place));
        s.stage_at = (fc_place *)fc_pool_take(slot, &s.bytes, results, sizeof(fc_place));
        s.columns = (fc_place *)fc_pool_take(slot, &s.bytes, row, sizeof(fc_place));
    }
    return s;
}

static fc_pool_tiles split(const fc_problem *p) { return fc_pool_split(p, false, ROW_LANES, DEEPEST); }

static size_t slot_bytes(const fc_problem *p)
{
    const fc_pool_tiles tiles = split(p);
    return lay_out(p, &tiles, NULL).bytes;
}

static void clear(const fc_problem *p, ptrdiff_t n, char *dst, fc_place *dst_at)
{
    if (average(p))
        memset(dst, 0, (size_t)n * fc_dtype_size(p->dtype));
    else
        kernels(p)->lowest(n, dst, dst_at);
}

/* An output row of a tile: what all its images share. */
typedef struct rows_row {
    ptrdiff_t out_row, first, rows; /* the input rows: first, first + dilation ... */
    ptrdiff_t left, middle, right;  /* elements in front of the windows with taps inside, of them, and behind */
    double count;
} rows_row;

static rows_row row_of(const rows_tile *t, ptrdiff_t out_row)
{
    const fc_problem *p = t->call->p;
    const fc_range taps = fc_taps_inside(p, 0, out_row), columns = t->at.columns;
    rows_row r = {.out_row = out_row, .rows = fc_length(taps), .right = fc_length(columns) * t->lanes};
    if (r.rows > 0 && fc_length(t->windows)) {
        r.first = fc_window_start(p, 0, out_row) + taps.first * p->dilation[0];
        r.left = (t->windows.first - columns.first) * t->lanes;
        r.middle = fc_length(t->windows) * t->lanes;
        r.right -= r.left + r.middle;
    }
    if (average(p)) r.count = fc_pool_row_count(p, out_row);
    return r;
}

/* The rows of a window into the slot's row. A sliced pixel is one run of lanes, whole ones are a single run. */
static void combine_rows(const rows_tile *t, const rows_row *r, ptrdiff_t image)
{
    const fc_problem *p = t->call->p;
    const fc_pool_tiles *tiles = &t->call->tiles;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t row_places = r->rows > 1 ? p->dilation[0] * p->in[1] : 0, pixels = fc_length(t->items);
    const bool whole = t->lanes == tiles->depth;
    const ptrdiff_t runs = whole ? 1 : pixels, run = whole ? pixels * t->lanes : t->lanes;
    const char *x = t->call->operands->x;
    x += (size_t)fc_pool_offset(tiles, p->in, image, r->first, t->items.first, t->at.lanes.first) * element;
    for (ptrdiff_t i = 0; i < runs; i++, x += (size_t)tiles->depth * element) {
        const ptrdiff_t offset = t->left * t->lanes + i * run;
        char *row = t->slot.row + (size_t)offset * element;
        if (p->with_indices)
            kernels(p)->argmax_rows(run, row, t->slot.row_at + offset, x, t->slot.columns + i * run, r->rows,
                                    row_places * tiles->depth, (fc_place)((r->first - t->top) * p->in[1]),
                                    (fc_place)row_places);
        else
            fold(p)->rows(run, row, x, r->rows, row_places * tiles->depth);
    }
}

static void output_row(const rows_tile *t, const rows_row *r, ptrdiff_t image)
{
    const fc_problem *p = t->call->p;
    const fc_pool_tiles *tiles = &t->call->tiles;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t pixels = fc_length(t->at.columns), windows = fc_length(t->windows);
    /* A step that is never made may be too long to be multiplied. */
    const ptrdiff_t stride = windows > 1 ? p->stride[1] : 1, dilation = p->window[1] > 1 ? p->dilation[1] : 1;
    const ptrdiff_t home = fc_pool_offset(tiles, p->out, image, r->out_row, t->at.columns.first, t->at.lanes.first);
    char *y = (char *)t->call->operands->y + (size_t)home * element;
    char *dst = t->lanes == tiles->depth ? y : t->slot.stage;
    char *middle = dst + (size_t)r->left * element, *right = middle + (size_t)r->middle * element;
    fc_place *middle_at = NULL, *right_at = NULL;
    if (p->with_indices) {
        middle_at = t->slot.stage_at + r->left;
        right_at = middle_at + r->middle;
    }
    if (r->left) clear(p, r->left, dst, t->slot.stage_at);
    if (r->middle) combine_rows(t, r, image);
    if (r->middle && p->with_indices)
        kernels(p)->argmax_window(windows, t->lanes, middle, middle_at, t->slot.row, t->slot.row_at, p->window[1],
                                  stride, dilation);
    else if (r->middle)
        fold(p)->window(windows, t->lanes, middle, t->slot.row, p->window[1], stride, dilation);
    if (r->right) clear(p, r->right, right, right_at);
    if (average(p) && t->narrow)
        kernels(p)->divide(pixels * t->lanes, 1, dst, dst, r->count, t->slot.counts);
    else if (average(p))
        kernels(p)->divide(pixels, t->lanes, dst, dst, r->count, t->slot.counts);
    if (dst != y) fc_pool_store(tiles, pixels, t->lanes, y, dst, element);
    if (p->with_indices)
        fc_pool_store_places(tiles, pixels, t->lanes, t->call->operands->argmax + home, t->slot.stage_at,
                             (int64_t)t->top * p->in[1]);
}

static void run_tile(void *context, ptrdiff_t task, int slot)
{
    const rows_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t s = p->stride[1], before = p->pad_before[1];
    rows_tile t = {.call = call, .at = fc_pool_tile_of(&call->tiles, task)};
    t.slot = lay_out(p, &call->tiles, call->workspace->slots + (size_t)slot * call->workspace->slot_bytes);
    t.lanes = fc_length(t.at.lanes);
    t.top = fc_slide_reach(call->tiles.axes[0], t.at.rows).first;
    t.windows.first = fc_max(t.at.columns.first, fc_ceil_div(before - last_tap(p, 1), s));
    t.windows.end = fc_min(t.at.columns.end, fc_floor_div(p->in[1] - 1 + before, s) + 1);
    if (t.windows.end > t.windows.first) {
        const ptrdiff_t width = (fc_length(t.windows) - 1) * s + last_tap(p, 1) + 1;
        t.items = fc_slide_reach(call->tiles.axes[1], t.windows);
        t.left = t.items.first - fc_window_start(p, 1, t.windows.first);
        clear(p, width * t.lanes, t.slot.row, t.slot.row_at);
        if (p->with_indices) fc_pool_columns(t.items, t.lanes, t.slot.columns);
    } else {
        t.windows = (fc_range){t.at.columns.first, t.at.columns.first};
    }
    t.narrow = average(p) && t.lanes < kernels(p)->lanes;
    if (average(p)) fc_pool_counts(p, t.at.columns, t.narrow ? t.lanes : 1, t.slot.counts);
    for (ptrdiff_t row = t.at.rows.first; row < t.at.rows.end; row++) {
        const rows_row shared = row_of(&t, row);
        for (ptrdiff_t image = t.at.images.first; image < t.at.images.end; image++) output_row(&t, &shared, image);
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    rows_call call = {p, operands, workspace, split(p)};
    fc_parallel_shares(call.tiles.tasks, workspace->threads, average(p), run_tile, &call);
}

static const char *decline(const fc_problem *p)
{
    for (int axis = 0; axis < 2; axis++) {
        const ptrdiff_t taps = fc_min(p->window[axis], (p->in[axis] - 1) / p->dilation[axis] + 1);
        if (taps > TAPS_ALWAYS && taps / 3 > p->stride[axis]) return "the window is large against the stride";
    }
    if (last_tap(p, 1) > p->in[1] + TAPS_ALWAYS) return "the window reaches far beyond the image";
    if (p->with_indices && p->channels) {
        const fc_pool_tiles tiles = split(p);
        if (!fc_pool_places_fit(&tiles)) return "indices within a band of rows do not fit 32 bits";
    }
    return NULL;
}

const fc_algorithm fc_max_pool2d_rows = {.name = "rows", .decline = decline, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_rows = {.name = "rows", .decline = decline, .slot_bytes = slot_bytes, .run = run};
