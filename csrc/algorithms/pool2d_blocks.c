/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_blocks.c -- large windows that slide by one, in a time that hardly depends on their size.
 *
 * Windows are cut at multiples of their length (fc_pool_blocks), in time that does not depend on it. Nothing is
 * subtracted, so that a NaN, an infinity or a large value reaches only the windows that hold it. What lies between the two
 * axes stays in a cache.
 *
 *   lines   pixels have fewer lanes than a vector (NCHW: one). Windows go down the image with whole rows as lanes. Along
 *           the rows that come out of that, which have a step of a pixel and not of a vector, they are made of spans whose
 *           length doubles or triples, as many as the logarithm of the window.
 *   pixels  lanes are channels, some of them a task. Windows go along the rows as they lie, and then down the rows that
 *           come out of that: of those a ring holds what two blocks need.
 *
 * A sum is made of two chains along an axis, or of a tree: kh + kw roundings at most, and one of the division. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

/* Of a tile's row; and of what comes out of the first step, when that goes down all columns. */
#define PIXELS_LANES 1024
#define LINES_LANES 4096
#define LINES_BYTES 196608
#define AT_ONCE 4  /* vectors of fc_pool_blocks */
#define SHORTEST 3 /* windows */
#define SHORT 5    /* maxima of so few are not doubled */
#define LONG_ROW 256
#define LONG_WINDOW 160
#define BATCH_BYTES 8192 /* of rows that are combined along in one pass */
#define MOST_LEVELS 40
#define MOST_PARTS (2 * MOST_LEVELS + 3)

typedef struct blocks_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    fc_pool_tiles tiles;
} blocks_call;

typedef struct blocks_slot {
    char *rows; /* combined along one axis */
    char *suffixes;
    fc_pool_vector *down, *along; /* the vectors of the steps */
    double *scales;               /* pixels, average: the rows' part of the divisors */
    char *levels;                 /* lines: of spans; so many elements each */
    ptrdiff_t level_elements;
    char *counts; /* lines, average: the columns' part of the divisors, of every element */
    size_t bytes;
} blocks_slot;

/* How windows along a row are made: of spans, whose levels lie in `row`; the first is the row as it is. */
typedef struct lines_plan {
    int levels, doubled;
    ptrdiff_t span[MOST_LEVELS + 1];
    char *row[MOST_LEVELS + 1];
    void *wanted[FC_MOST_DOUBLINGS]; /* of those that the kernel doubles, the last and what windows are made of */
    ptrdiff_t parts;                 /* of a window: */
    int level[MOST_PARTS];
    ptrdiff_t at[MOST_PARTS];
} lines_plan;

/* A tile at work. */
typedef struct blocks_tile {
    const blocks_call *call;
    blocks_slot slot;
    fc_pool_tile at;
    fc_range items[2];  /* rows and columns that the results touch */
    ptrdiff_t row_step; /* elements between the rows in `rows` */
    ptrdiff_t vectors;  /* pixels: of one of them */
    ptrdiff_t gap;      /* lines: elements that change nothing on either side of a row; neighbours share them */
} blocks_tile;

static bool average(const fc_problem *p) { return p->operation == FC_AVG_POOL2D; }

static const fc_pool_kernels *kernels(const fc_problem *p) { return &p->kernels->pool[p->dtype]; }

static const fc_fold_kernels *fold(const fc_problem *p) { return average(p) ? &kernels(p)->add : &kernels(p)->max; }

static ptrdiff_t lanes(const fc_problem *p) { return kernels(p)->lanes; }

static bool deep(const fc_problem *p) { return fc_pool_depth(p) >= lanes(p); }

static ptrdiff_t vectors_of(const fc_problem *p, ptrdiff_t elements) { return (elements - 1) / lanes(p) + 1; }

/* Vectors lie one behind the other in so many elements; the last ends where they do. */
static ptrdiff_t vector_at(const fc_problem *p, ptrdiff_t index, ptrdiff_t elements)
{
    return fc_min(index * lanes(p), elements - lanes(p));
}

/* Bands of rows are whole blocks. Of deep pixels a task takes a cache line, and the last one what is left as well. */
static fc_pool_tiles split(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), line = FC_CACHE_LINE / element;
    fc_pool_tiles t = fc_pool_split(p, false, deep(p) ? PIXELS_LANES : LINES_LANES, deep(p) ? line : p->channels);
    ptrdiff_t rows = t.rows;
    if (!t.tasks) return t;
    if (!deep(p)) rows = LINES_BYTES / element / (t.item_columns * t.depth);
    if (rows < p->out[0]) {
        t.rows = fc_min(fc_max(rows / p->window[0], 1) * p->window[0], t.rows);
        t.row_bands = (p->out[0] - 1) / t.rows + 1;
    }
    if (deep(p)) t.lane_slices = fc_max(t.depth / line, 1);
    t.tasks = t.groups * t.row_bands * t.column_blocks * t.lane_slices;
    return t;
}

/* Every second slice of the lanes, and then the others: arrays that do not begin with a cache line have lines that two
 * neighbours share, which two threads would take from each other. */
static fc_pool_tile tile_of(const fc_pool_tiles *t, ptrdiff_t task)
{
    fc_pool_tile tile = fc_pool_tile_of(t, task);
    const ptrdiff_t index = tile.lanes.first / t->lanes, even = (t->lane_slices + 1) / 2;
    const ptrdiff_t slice = index < even ? 2 * index : 2 * (index - even) + 1;
    tile.lanes.first = slice * t->lanes;
    tile.lanes.end = slice == t->lane_slices - 1 ? t->depth : tile.lanes.first + t->lanes;
    return tile;
}

/* The most vectors of a pixel. */
static ptrdiff_t pixel_vectors(const fc_problem *p, const fc_pool_tiles *t)
{
    return vectors_of(p, t->depth - (t->lane_slices - 1) * t->lanes);
}

/* Rows of the ring: two blocks of them, or less when a tile reads less. */
static ptrdiff_t ring_rows(const fc_problem *p, const fc_pool_tiles *t)
{
    return fc_min(2 * p->window[0], p->window[0] + t->item_rows);
}

/* An odd number of cache lines: the same column of all rows does not fall on a few cache sets. */
static ptrdiff_t ring_step(const fc_problem *p, const fc_pool_tiles *t)
{
    const ptrdiff_t line = FC_CACHE_LINE / (ptrdiff_t)fc_dtype_size(p->dtype);
    return ((t->columns * pixel_vectors(p, t) * lanes(p) / line + 1) | 1) * line;
}

/* The lengths of spans, each level's made of two or three of the one before; of the first, which is there, 1. Where the
 * kernels double them they are 2, 4, 8 … as far as a step is less than a vector, or a few of them when pixels divide it;
 * then three times the last, and so on. Returns how many levels are to be made, `doubled` of them by the kernel. */
static int spans_of(const fc_problem *p, ptrdiff_t span[MOST_LEVELS + 1], int *doubled)
{
    const ptrdiff_t window = p->window[1];
    int level = 0;
    span[0] = 1;
    if (fold(p)->spans && (average(p) || window > SHORT))
        for (; level < FC_MOST_DOUBLINGS && span[level] <= window / 2 &&
               (span[level] * fc_pool_depth(p) < lanes(p) || lanes(p) % fc_pool_depth(p) == 0);
             level++)
            span[level + 1] = 2 * span[level];
    *doubled = level;
    for (; span[level] <= (window - 1) / 3; level++) span[level + 1] = 3 * span[level];
    return level;
}

static blocks_slot lay_out(const fc_problem *p, const fc_pool_tiles *t, char *slot)
{
    const size_t element = fc_dtype_size(p->dtype), pixel = (size_t)t->depth, width = (size_t)lanes(p);
    const ptrdiff_t longest = fc_max(fc_min(p->window[0], p->in[0]), fc_min(p->window[1], p->in[1]));
    ptrdiff_t span[MOST_LEVELS + 1];
    int doubled;
    blocks_slot s = {0};
    s.suffixes = fc_pool_take(slot, &s.bytes, fc_size_mul((size_t)longest, AT_ONCE * width), element);
    if (deep(p)) {
        const size_t vectors = (size_t)pixel_vectors(p, t);
        s.rows = fc_pool_take(slot, &s.bytes, fc_size_mul((size_t)ring_rows(p, t), (size_t)ring_step(p, t)), element);
        s.along =
            (fc_pool_vector *)fc_pool_take(slot, &s.bytes, fc_size_mul((size_t)t->item_rows, vectors), sizeof *s.along);
        s.down = (fc_pool_vector *)fc_pool_take(slot, &s.bytes, (size_t)t->columns * vectors, sizeof *s.down);
        if (average(p)) s.scales = (double *)fc_pool_take(slot, &s.bytes, (size_t)t->rows, sizeof *s.scales);
    } else {
        const size_t items = (size_t)t->item_columns * pixel + width + pixel;
        const size_t gap = fc_size_mul((size_t)p->window[1], pixel), row = fc_size_add(items, gap);
        const size_t level = fc_size_add(fc_size_add(BATCH_BYTES / element, row), fc_size_add(gap, width));
        s.rows =
            fc_pool_take(slot, &s.bytes,
                         fc_size_add(fc_size_mul((size_t)(t->rows * t->group), row), fc_size_add(gap, width)), element);
        s.down = (fc_pool_vector *)fc_pool_take(slot, &s.bytes, items / width + 1, sizeof *s.down);
        s.level_elements = (ptrdiff_t)(fc_size_lines(fc_size_mul(level, element)) / element);
        s.levels = fc_pool_take(slot, &s.bytes,
                                fc_size_mul((size_t)spans_of(p, span, &doubled), (size_t)s.level_elements), element);
        if (average(p)) s.counts = fc_pool_take(slot, &s.bytes, (size_t)t->columns * pixel + width, element);
    }
    return s;
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_pool_tiles tiles = split(p);
    return tiles.tasks ? lay_out(p, &tiles, NULL).bytes : 0;
}

static const char *input(const blocks_tile *t, ptrdiff_t image, ptrdiff_t row)
{
    const fc_problem *p = t->call->p;
    return (const char *)t->call->operands->x +
           (size_t)fc_pool_offset(&t->call->tiles, p->in, image, row, t->items[1].first, t->at.lanes.first) *
               fc_dtype_size(p->dtype);
}

static char *output(const blocks_tile *t, ptrdiff_t image, ptrdiff_t row)
{
    const fc_problem *p = t->call->p;
    return (char *)t->call->operands->y +
           (size_t)fc_pool_offset(&t->call->tiles, p->out, image, row, t->at.columns.first, t->at.lanes.first) *
               fc_dtype_size(p->dtype);
}

/* What the kernel needs to know of an axis; `before` is negative when the items begin in front of the first window. */
static fc_pool_blocks blocks_along(const blocks_tile *t, int axis)
{
    const fc_problem *p = t->call->p;
    const fc_range results = axis ? t->at.columns : t->at.rows;
    return (fc_pool_blocks){.window = p->window[axis],
                            .before = t->items[axis].first - fc_window_start(p, axis, results.first),
                            .items = fc_length(t->items[axis]),
                            .results = fc_length(results),
                            .suffixes = t->slot.suffixes};
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

static void lines_down(const blocks_tile *t, ptrdiff_t image, char *rows)
{
    const fc_problem *p = t->call->p;
    fc_pool_blocks down = blocks_along(t, 0);
    down.x = input(t, image, t->items[0].first);
    down.x_step = p->in[1] * t->call->tiles.depth;
    down.y = rows;
    down.y_step = t->row_step;
    down.vectors = vectors_of(p, fc_length(t->items[1]) * t->call->tiles.depth);
    down.vector = t->slot.down;
    down.ahead = AT_ONCE * lanes(p);
    fold(p)->blocks(&down);
}

/* Of maxima the parts of a window are the longest spans, which reach each other; of sums the longest that fit one behind
 * the other. */
static void make_plan(const blocks_tile *t, lines_plan *plan)
{
    const fc_problem *p = t->call->p;
    const ptrdiff_t window = p->window[1], *span = plan->span;
    int top = plan->levels = spans_of(p, plan->span, &plan->doubled);
    for (int i = 0; i < top; i++)
        plan->row[i + 1] = t->slot.levels + (size_t)(i * t->slot.level_elements) * fc_dtype_size(p->dtype);
    for (int i = 0; i < plan->doubled; i++) plan->wanted[i] = i == plan->doubled - 1 ? plan->row[i + 1] : NULL;
    plan->parts = 0;
    for (ptrdiff_t next = 0; next < window; next += span[top]) {
        if (average(p))
            while (span[top] > window - next) top--;
        plan->level[plan->parts] = top;
        plan->at[plan->parts++] = fc_min(next, window - span[top]);
        if (top && top <= plan->doubled) plan->wanted[top - 1] = plan->row[top];
    }
}

/* Some of the tile's rows, which follow each other in the output. A level of spans is made of all rows in one pass, what
 * lies between them as well; windows are made of spans. */
static void lines_along(const blocks_tile *t, lines_plan *plan, char *begin, ptrdiff_t first, ptrdiff_t rows)
{
    const fc_problem *p = t->call->p;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t pixel = t->call->tiles.depth, window = p->window[1], n = fc_length(t->at.columns) * pixel;
    const ptrdiff_t all = (rows - 1) * t->row_step + n, *span = plan->span;
    char *y = output(t, t->at.images.first, t->at.rows.first + first);
    const void *part[MOST_PARTS];
    bool plain = false;
    plan->row[0] = begin;
    if (plan->doubled) plain = fold(p)->spans(all + (window - 1) * pixel, pixel, plan->doubled, plan->wanted, begin);
    for (int i = plain ? plan->doubled : 0; i < plan->levels; i++) {
        for (ptrdiff_t j = 0; j < 3; j++) part[j] = plan->row[i] + (size_t)(j * span[i] * pixel) * element;
        fold(p)->combine(all + (window - span[i + 1]) * pixel, plan->row[i + 1], span[i + 1] / span[i], part, plain, 1,
                         NULL);
    }
    for (ptrdiff_t j = 0; j < plan->parts; j++)
        part[j] = plan->row[plan->level[j]] + (size_t)(plan->at[j] * pixel) * element;
    for (ptrdiff_t r = 0; r < rows; r++, y += (size_t)(p->out[1] * pixel) * element) {
        const double scale =
            average(p) ? fc_pool_row_count(p, t->at.rows.first + (first + r) % fc_length(t->at.rows)) : 1;
        fold(p)->combine(n, y, plan->parts, part, plain, scale, t->slot.counts);
        for (ptrdiff_t i = 0; i < plan->parts; i++) part[i] = (const char *)part[i] + (size_t)t->row_step * element;
    }
}

/* A row of items is at least a vector wide. */
static void widen(const fc_problem *p, fc_range *columns)
{
    const ptrdiff_t least = (lanes(p) - 1) / fc_pool_depth(p) + 1;
    columns->first = fc_max(fc_min(columns->first, columns->end - least), 0);
    columns->end = fc_max(columns->end, columns->first + least);
}

static void clear(const fc_problem *p, ptrdiff_t n, char *dst)
{
    if (average(p))
        memset(dst, 0, (size_t)n * fc_dtype_size(p->dtype));
    else
        kernels(p)->lowest(n, dst, NULL);
}

static void run_lines(blocks_tile *t)
{
    const fc_problem *p = t->call->p;
    const ptrdiff_t pixel = t->call->tiles.depth, rows = fc_length(t->at.images) * fc_length(t->at.rows);
    const size_t element = fc_dtype_size(p->dtype);
    fc_pool_blocks along;
    lines_plan plan;
    ptrdiff_t elements, batch;
    char *items = t->slot.rows;
    widen(p, &t->items[1]);
    along = blocks_along(t, 1);
    elements = along.items * pixel;
    t->gap = fc_max(fc_max(along.before, along.results - 1 - along.before + along.window - along.items), 0) * pixel;
    t->row_step = elements + t->gap;
    for (ptrdiff_t v = 0; v < vectors_of(p, elements); v++) {
        const ptrdiff_t at = vector_at(p, v, elements);
        t->slot.down[v] = (fc_pool_vector){at, at, 0};
    }
    if (average(p)) fc_pool_counts(p, t->at.columns, pixel, t->slot.counts);
    for (ptrdiff_t r = 0; r <= rows; r++) clear(p, t->gap, items + (size_t)(r * t->row_step) * element);
    items += (size_t)t->gap * element;
    for (ptrdiff_t i = 0; i < fc_length(t->at.images); i++)
        lines_down(t, t->at.images.first + i, items + (size_t)(i * fc_length(t->at.rows) * t->row_step) * element);
    make_plan(t, &plan);
    batch = fc_max(BATCH_BYTES / (ptrdiff_t)element / t->row_step, 1);
    for (ptrdiff_t r = 0; r < rows; r += batch)
        lines_along(t, &plan, items + (size_t)(r * t->row_step - along.before * pixel) * element, r,
                    fc_min(batch, rows - r));
}

/* ---- pixels -------------------------------------------------------------------------------------------------- */

/* Rows come in blocks of the window's length. The first may begin in front of the image. */
static ptrdiff_t ring_place(const blocks_tile *t, ptrdiff_t row)
{
    return row % (2 * t->call->p->window[0]) * t->row_step;
}

/* Rows of items first … end - 1 into the ring, counted from the beginning of the first block. */
static void pixels_along(const blocks_tile *t, ptrdiff_t image, ptrdiff_t before, fc_range rows)
{
    const fc_problem *p = t->call->p;
    fc_pool_blocks along = blocks_along(t, 1);
    if (rows.end <= rows.first) return;
    along.x = input(t, image, t->items[0].first + rows.first - before);
    along.x_step = t->call->tiles.depth;
    along.y = t->slot.rows + (size_t)ring_place(t, rows.first) * fc_dtype_size(p->dtype);
    along.y_step = t->vectors * lanes(p);
    along.vectors = fc_length(rows) * t->vectors;
    along.vector = t->slot.along;
    fold(p)->blocks(&along);
}

/* A block of result rows. */
static void pixels_down(const blocks_tile *t, ptrdiff_t image, ptrdiff_t block)
{
    const fc_problem *p = t->call->p;
    const fc_pool_blocks all = blocks_along(t, 0);
    const ptrdiff_t first = block * all.window, before = fc_max(all.before - first, 0);
    fc_pool_blocks down = all;
    down.before = before;
    down.items = fc_min(2 * all.window, all.before + all.items - first) - before;
    down.results = fc_min(all.window, all.results - first);
    down.x = t->slot.rows + (size_t)ring_place(t, first + before) * fc_dtype_size(p->dtype);
    down.x_step = t->row_step;
    down.behind = block % 2 ? -2 * all.window * t->row_step : 0;
    down.y = output(t, image, t->at.rows.first + first);
    down.y_step = p->out[1] * t->call->tiles.depth;
    down.vectors = fc_length(t->at.columns) * t->vectors;
    down.vector = t->slot.down;
    down.scales = average(p) ? t->slot.scales + first : NULL;
    fold(p)->blocks(&down);
}

static void pixels_image(const blocks_tile *t, ptrdiff_t image)
{
    const fc_pool_blocks all = blocks_along(t, 0);
    const ptrdiff_t end = all.before + all.items;
    pixels_along(t, image, all.before, (fc_range){all.before, fc_min(all.window, end)});
    for (ptrdiff_t block = 0; block * all.window < all.results; block++) {
        const ptrdiff_t next = (block + 1) * all.window;
        pixels_along(t, image, all.before, (fc_range){next, fc_min(next + all.window, end)});
        pixels_down(t, image, block);
    }
}

static void run_pixels(blocks_tile *t)
{
    const fc_problem *p = t->call->p;
    const ptrdiff_t width = fc_length(t->at.lanes), pixels = fc_length(t->at.columns);
    const ptrdiff_t in_row = p->in[1] * t->call->tiles.depth;
    t->vectors = vectors_of(p, width);
    t->row_step = ring_step(p, &t->call->tiles);
    for (ptrdiff_t v = 0; v < t->vectors; v++) {
        const ptrdiff_t from = vector_at(p, v, width), at = v * lanes(p), pixel = t->vectors * lanes(p);
        for (ptrdiff_t r = 0; r < p->window[0] && r < fc_length(t->items[0]); r++)
            t->slot.along[r * t->vectors + v] = (fc_pool_vector){r * in_row + from, r * t->row_step + at, 0};
        for (ptrdiff_t c = 0; c < pixels; c++)
            t->slot.down[c * t->vectors + v] =
                (fc_pool_vector){c * pixel + at, c * t->call->tiles.depth + from,
                                 average(p) ? fc_pool_column_count(p, t->at.columns.first + c) : 0};
    }
    for (ptrdiff_t i = 0; average(p) && i < fc_length(t->at.rows); i++)
        t->slot.scales[i] = fc_pool_row_count(p, t->at.rows.first + i);
    for (ptrdiff_t image = t->at.images.first; image < t->at.images.end; image++) pixels_image(t, image);
}

/* -------------------------------------------------------------------------------------------------------------- */

static void run_tile(void *context, ptrdiff_t task, int slot)
{
    const blocks_call *call = context;
    const fc_problem *p = call->p;
    blocks_tile t = {.call = call, .at = tile_of(&call->tiles, task)};
    t.slot = lay_out(p, &call->tiles, call->workspace->slots + (size_t)slot * call->workspace->slot_bytes);
    t.items[0] = fc_slide_reach(call->tiles.axes[0], t.at.rows);
    t.items[1] = fc_slide_reach(call->tiles.axes[1], t.at.columns);
    if (deep(p))
        run_pixels(&t);
    else
        run_lines(&t);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    blocks_call call = {p, operands, workspace, split(p)};
    fc_parallel_shares(call.tiles.tasks, workspace->threads, average(p), run_tile, &call);
}

static const char *decline(const fc_problem *p)
{
    if (p->with_indices) return "places are asked for";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "not float32 or float64";
    if (!deep(p) && p->in[1] * fc_pool_depth(p) < lanes(p)) return "rows are narrower than a vector";
    for (int axis = 0; axis < 2; axis++) {
        if ((p->out[axis] > 1 && p->stride[axis] > 1) || (p->window[axis] > 1 && p->dilation[axis] > 1))
            return "the stride or the dilation is above 1";
        if (p->window[axis] > p->in[axis] && p->window[axis] - p->in[axis] > p->out[axis])
            return "the window reaches far beyond the image";
        if (p->pad_before[axis] >= p->window[axis] || p->out[axis] - 1 - p->pad_before[axis] >= p->in[axis])
            return "a window lies outside the image";
    }
    return NULL;
}

const char *fc_pool_blocks_pass(const fc_problem *p)
{
    if (p->window[0] < SHORTEST || p->window[1] < SHORTEST) return "the window is short";
    if (p->out[0] == 1 || p->out[1] == 1) return "no window slides along an axis";
    if (p->window[1] > LONG_WINDOW && p->window[1] > p->in[1] / 2) return "the window is half as long as the image";
    return NULL;
}

/* Measured over 3 to 512 channels and maps of 14x14 to 512x512: `rows` is faster with windows of 5x5 at most where lanes are
 * channels, and of 3x3 with rows of many lanes. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t sides = p->window[0] + p->window[1];
    const char *reason = fc_pool_blocks_pass(p);
    if (reason) return reason;
    if (deep(p)) return sides <= 11 ? "the window is small" : NULL;
    return sides <= 7 && (p->layout == FC_NHWC || p->in[1] >= LONG_ROW) ? "the window is small" : NULL;
}

const fc_algorithm fc_max_pool2d_blocks = {
    .name = "blocks", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_blocks = {
    .name = "blocks", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
