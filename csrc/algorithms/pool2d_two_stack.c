/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_two_stack.c -- pooling and the gradient of average pooling in a time that does not depend on the window.
 *
 * Windows slide (slide.h) down a tile, with the columns it reads as lanes, and then along the rows that come out of
 * that. For the second step a batch of rows is transposed when pixels have few lanes.
 *
 *   max       result = output, items = inputs
 *   average   the same, and the finished sum is divided by what its window counts
 *   gradient  result = input, items = the outputs that read it, each divided by what its window counts
 *
 * A sum is made of two chains along each axis: kh + kw roundings at most, and one of the division. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define ROW_LANES 1024
#define DEEPEST 64
#define SHALLOW 16 /* pixels with fewer lanes are transposed, in batches of rows: */
#define BATCH_ROWS 128
#define BATCH_BYTES 131072
#define SUFFIX_BYTES 262144 /* when suffixes take more they are kept in blocks */

typedef struct stacks {
    ptrdiff_t longest, block;
    fc_lane_row suffixes, checkpoints, running;
} stacks;

/* Rows of a batch lie row_step or result_step lanes apart; transposed ones are [pixel][lane][row of the batch]. */
typedef struct two_stack_slot {
    stacks down, across;
    ptrdiff_t row_step, result_step;
    fc_lane_row item; /* an item that does not lie in memory as it is needed */
    fc_lane_row rows, turned_rows, turned_results, results;
    fc_place *columns;
    char *counts;
    fc_range *intervals;    /* of the result columns */
    ptrdiff_t *row_numbers; /* image * rows of an image + row */
    size_t bytes;
} two_stack_slot;

typedef struct two_stack_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    fc_pool_tiles tiles;
} two_stack_call;

/* A tile at work. */
typedef struct two_stack_tile {
    const two_stack_call *call;
    two_stack_slot slot;
    fc_pool_tile at;
    fc_range items[2]; /* rows and columns that the results touch */
    ptrdiff_t lanes;   /* of a pixel */
    ptrdiff_t image;
    ptrdiff_t batch, batched; /* rows that the batch takes, and those in it */
    fc_slide_class class;     /* at work in the present step */
} two_stack_tile;

static bool gradient(const fc_problem *p) { return p->operation == FC_AVG_POOL2D_GRAD; }

static bool sums(const fc_problem *p) { return p->operation != FC_MAX_POOL2D; }

static const fc_pool_kernels *kernels(const fc_problem *p) { return &p->kernels->pool[p->dtype]; }

static fc_pool_tiles split(const fc_problem *p) { return fc_pool_split(p, gradient(p), ROW_LANES, DEEPEST); }

static ptrdiff_t batch_rows(const fc_problem *p, const fc_pool_tiles *t)
{
    const ptrdiff_t row_bytes = t->item_columns * t->lanes * (ptrdiff_t)fc_dtype_size(p->dtype);
    if (t->lanes >= SHALLOW || !row_bytes) return 1;
    return fc_min(fc_max(BATCH_BYTES / row_bytes, SHALLOW), fc_min(BATCH_ROWS, t->rows * t->group));
}

static fc_lane_row take_rows(const fc_problem *p, char *slot, size_t *bytes, ptrdiff_t rows, ptrdiff_t lanes)
{
    const size_t count = fc_size_mul((size_t)rows, (size_t)lanes);
    fc_lane_row row = {fc_pool_take(slot, bytes, count, fc_dtype_size(p->dtype)), NULL};
    if (p->with_indices) row.place = (fc_place *)fc_pool_take(slot, bytes, count, sizeof(fc_place));
    return row;
}

/* The least b that is not below n / b: about the root of n. `explain` asks it for images of any size. */
static ptrdiff_t root(ptrdiff_t n)
{
    ptrdiff_t low = 1, high = fc_max(n, 1);
    while (low < high) {
        const ptrdiff_t b = low + (high - low) / 2;
        if (b < n / b)
            low = b + 1;
        else
            high = b;
    }
    return low;
}

static stacks take_stacks(const fc_problem *p, fc_slide_axis along, char *slot, size_t *bytes, ptrdiff_t lanes)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype) + (p->with_indices ? (ptrdiff_t)sizeof(fc_place) : 0);
    stacks s = {.longest = fc_slide_longest(along)};
    s.block = fc_min(s.longest, fc_max(root(s.longest), SUFFIX_BYTES / fc_max(lanes * element, 1)));
    s.suffixes = take_rows(p, slot, bytes, s.block, lanes);
    s.checkpoints = take_rows(p, slot, bytes, (s.longest - 1) / s.block, lanes);
    s.running = take_rows(p, slot, bytes, 1, lanes);
    return s;
}

/* An odd number of cache lines: the same column of all rows does not fall on a few cache sets. */
static ptrdiff_t apart(const fc_problem *p, ptrdiff_t lanes)
{
    const ptrdiff_t line = FC_CACHE_LINE / (ptrdiff_t)fc_dtype_size(p->dtype);
    return ((lanes / line + 1) | 1) * line;
}

static two_stack_slot lay_out(const fc_problem *p, const fc_pool_tiles *t, char *slot)
{
    const ptrdiff_t row = t->item_columns * t->lanes, results = t->columns * t->lanes, batch = batch_rows(p, t);
    two_stack_slot s = {.row_step = apart(p, row), .result_step = apart(p, results)};
    size_t *bytes = &s.bytes;
    s.down = take_stacks(p, t->axes[0], slot, bytes, row);
    s.across = take_stacks(p, t->axes[1], slot, bytes, batch * t->lanes);
    s.item = take_rows(p, slot, bytes, 1, row);
    s.rows = take_rows(p, slot, bytes, batch, s.row_step);
    s.results = take_rows(p, slot, bytes, batch, s.result_step);
    if (batch > 1) {
        s.turned_rows = take_rows(p, slot, bytes, batch, row);
        s.turned_results = take_rows(p, slot, bytes, batch, results);
    }
    s.intervals = (fc_range *)fc_pool_take(slot, bytes, (size_t)t->columns, sizeof(fc_range));
    s.row_numbers = (ptrdiff_t *)fc_pool_take(slot, bytes, (size_t)batch, sizeof(ptrdiff_t));
    if (sums(p))
        s.counts = fc_pool_take(slot, bytes, (size_t)fc_max(t->item_columns, t->columns), fc_dtype_size(p->dtype));
    if (p->with_indices) s.columns = (fc_place *)fc_pool_take(slot, bytes, (size_t)row, sizeof(fc_place));
    return s;
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_pool_tiles tiles = split(p);
    return tiles.tasks ? lay_out(p, &tiles, NULL).bytes : 0;
}

static fc_lane_row row_at(const fc_problem *p, fc_lane_row rows, ptrdiff_t offset)
{
    rows.value += (size_t)offset * fc_dtype_size(p->dtype);
    if (rows.place) rows.place += offset;
    return rows;
}

static void turn(const fc_problem *p, ptrdiff_t rows, ptrdiff_t columns, fc_lane_row dst, ptrdiff_t dst_step,
                 fc_lane_row src, ptrdiff_t src_step)
{
    kernels(p)->transpose(rows, columns, dst.value, dst_step, src.value, src_step);
    if (dst.place) p->kernels->pool[FC_U32].transpose(rows, columns, dst.place, dst_step, src.place, src_step);
}

/* ---- down ---------------------------------------------------------------------------------------------------- */

/* Row q of the class, as it lies in memory unless it must be gathered, divided or given places. */
static fc_lane_row item_down(void *context, ptrdiff_t q)
{
    const two_stack_tile *t = context;
    const two_stack_call *call = t->call;
    const fc_problem *p = call->p;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t row = t->class.item + q * t->class.item_step, pixels = fc_length(t->items[1]);
    const char *source = gradient(p) ? call->operands->grad_y : call->operands->x;
    source += (size_t)fc_pool_offset(&call->tiles, gradient(p) ? p->out : p->in, t->image, row, t->items[1].first,
                                     t->at.lanes.first) *
              element;
    if (t->lanes != call->tiles.depth) {
        char *dst = t->slot.item.value;
        for (ptrdiff_t i = 0; i < pixels; i++, dst += (size_t)t->lanes * element)
            memcpy(dst, source + (size_t)(i * call->tiles.depth) * element, (size_t)t->lanes * element);
        source = t->slot.item.value;
    }
    if (gradient(p))
        kernels(p)->divide(pixels, t->lanes, t->slot.item.value, source, fc_pool_row_count(p, row), t->slot.counts);
    else if (p->with_indices)
        kernels(p)->argmax_rows(pixels * t->lanes, t->slot.item.value, t->slot.item.place, source, t->slot.columns, 1,
                                0, (fc_place)((row - t->items[0].first) * p->in[1]), 0);
    else
        return (fc_lane_row){(char *)source, NULL}; /* only read */
    return t->slot.item;
}

static fc_slide slide(const two_stack_tile *t, const stacks *s, ptrdiff_t lanes, fc_slide_item item)
{
    const fc_problem *p = t->call->p;
    return (fc_slide){
        .kernels = kernels(p),
        .sum = sums(p),
        .lanes = lanes,
        .element = fc_dtype_size(p->dtype),
        .item = item,
        .context = (void *)t,
        .block = s->block,
        .suffixes = s->suffixes,
        .checkpoints = s->checkpoints,
        .running = s->running,
    };
}

/* ---- across -------------------------------------------------------------------------------------------------- */

static fc_lane_row item_across(void *context, ptrdiff_t q)
{
    const two_stack_tile *t = context;
    const ptrdiff_t column = t->class.item + q * t->class.item_step - t->items[1].first;
    return row_at(t->call->p, t->slot.turned_rows, column * t->lanes * t->batched);
}

static void store_row(const two_stack_tile *t, ptrdiff_t index)
{
    const two_stack_call *call = t->call;
    const fc_problem *p = call->p;
    const ptrdiff_t *size = gradient(p) ? p->in : p->out;
    const ptrdiff_t pixels = fc_length(t->at.columns), row = t->slot.row_numbers[index];
    const fc_lane_row result = row_at(p, t->slot.results, index * t->slot.result_step);
    const ptrdiff_t home = fc_pool_offset(&call->tiles, size, 0, row, t->at.columns.first, t->at.lanes.first);
    const size_t element = fc_dtype_size(p->dtype);
    if (p->operation == FC_AVG_POOL2D)
        kernels(p)->divide(pixels, t->lanes, result.value, result.value, fc_pool_row_count(p, row % size[0]),
                           t->slot.counts);
    fc_pool_store(&call->tiles, pixels, t->lanes, (char *)call->operands->y + (size_t)home * element, result.value,
                  element);
    if (p->with_indices)
        fc_pool_store_places(&call->tiles, pixels, t->lanes, call->operands->argmax + home, result.place,
                             (int64_t)t->items[0].first * p->in[1]);
}

/* Finishes the rows of the batch. */
static void go_across(two_stack_tile *t)
{
    const fc_problem *p = t->call->p;
    const fc_slide_axis along = t->call->tiles.axes[1];
    const fc_slide_class down = t->class;
    const ptrdiff_t lanes = t->batched * t->lanes, classes = fc_slide_classes(along, t->at.columns);
    fc_slide stack = slide(t, &t->slot.across, lanes, item_across);
    if (t->batch > 1)
        turn(p, t->batched, fc_length(t->items[1]) * t->lanes, t->slot.turned_rows, t->batched, t->slot.rows,
             t->slot.row_step);
    for (ptrdiff_t c = 0; c < classes; c++) {
        t->class = fc_slide_class_of(along, t->at.columns, c);
        fc_slide_restart(&stack);
        for (ptrdiff_t j = t->class.first;; j += t->class.step) {
            const ptrdiff_t result = j - t->at.columns.first;
            fc_slide_window(&stack, t->slot.intervals[result], row_at(p, t->slot.turned_results, result * lanes));
            if (t->class.end - j <= t->class.step) break;
        }
    }
    if (t->batch > 1)
        turn(p, fc_length(t->at.columns) * t->lanes, t->batched, t->slot.results, t->slot.result_step,
             t->slot.turned_results, t->batched);
    for (ptrdiff_t i = 0; i < t->batched; i++) store_row(t, i);
    t->batched = 0;
    t->class = down;
}

/* -------------------------------------------------------------------------------------------------------------- */

static void run_image(two_stack_tile *t)
{
    const fc_slide_axis along = t->call->tiles.axes[0];
    const ptrdiff_t lanes = fc_length(t->items[1]) * t->lanes, classes = fc_slide_classes(along, t->at.rows);
    fc_slide stack = slide(t, &t->slot.down, lanes, item_down);
    for (ptrdiff_t c = 0; c < classes; c++) {
        t->class = fc_slide_class_of(along, t->at.rows, c);
        fc_slide_restart(&stack);
        for (ptrdiff_t i = t->class.first;; i += t->class.step) {
            fc_slide_window(&stack, fc_slide_interval(&t->class, i),
                            row_at(t->call->p, t->slot.rows, t->batched * t->slot.row_step));
            t->slot.row_numbers[t->batched++] = t->image * fc_slide_results(along) + i;
            if (t->batched == t->batch) go_across(t);
            if (t->class.end - i <= t->class.step) break;
        }
    }
}

static void find_intervals(two_stack_tile *t)
{
    const fc_slide_axis along = t->call->tiles.axes[1];
    const ptrdiff_t classes = fc_slide_classes(along, t->at.columns);
    for (ptrdiff_t c = 0; c < classes; c++) {
        const fc_slide_class class = fc_slide_class_of(along, t->at.columns, c);
        for (ptrdiff_t j = class.first;; j += class.step) {
            t->slot.intervals[j - t->at.columns.first] = fc_slide_interval(&class, j);
            if (class.end - j <= class.step) break;
        }
    }
}

static void run_tile(void *context, ptrdiff_t task, int slot)
{
    const two_stack_call *call = context;
    const fc_problem *p = call->p;
    two_stack_tile t = {.call = call, .at = fc_pool_tile_of(&call->tiles, task)};
    t.slot = lay_out(p, &call->tiles, call->workspace->slots + (size_t)slot * call->workspace->slot_bytes);
    t.batch = batch_rows(p, &call->tiles);
    if (t.batch == 1) {
        t.slot.turned_rows = t.slot.rows;
        t.slot.turned_results = t.slot.results;
    }
    t.lanes = fc_length(t.at.lanes);
    t.items[0] = fc_slide_reach(call->tiles.axes[0], t.at.rows);
    t.items[1] = fc_slide_reach(call->tiles.axes[1], t.at.columns);
    find_intervals(&t);
    if (sums(p)) fc_pool_counts(p, gradient(p) ? t.items[1] : t.at.columns, 1, t.slot.counts);
    if (p->with_indices) fc_pool_columns(t.items[1], t.lanes, t.slot.columns);
    for (t.image = t.at.images.first; t.image < t.at.images.end; t.image++) run_image(&t);
    if (t.batched) go_across(&t);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    two_stack_call call = {p, operands, workspace, split(p)};
    fc_parallel_shares(call.tiles.tasks, workspace->threads, sums(p), run_tile, &call);
}

static const char *decline(const fc_problem *p)
{
    const fc_pool_tiles tiles = split(p);
    return p->with_indices && !fc_pool_places_fit(&tiles) ? "indices within a band of rows do not fit 32 bits" : NULL;
}

const fc_algorithm fc_max_pool2d_two_stack = {
    .name = "two_stack", .decline = decline, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_two_stack = {.name = "two_stack", .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_grad_two_stack = {.name = "two_stack", .slot_bytes = slot_bytes, .run = run};
