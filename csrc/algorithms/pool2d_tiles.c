/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/pool2d_tiles.h"

#include <string.h>

#include "platform/memory.h"

/* A task moves about this much: enough to be worth claiming, little enough to share out an image. */
#define BYTES_A_TASK 262144
#define SMALL_IMAGES_A_TASK 65536

static ptrdiff_t parts(ptrdiff_t whole, ptrdiff_t part) { return part ? (whole - 1) / part + 1 : 0; }

/* The number of results that touch about `items` items, at least 1. */
static ptrdiff_t results_of(fc_slide_axis along, ptrdiff_t items)
{
    const fc_problem *p = along.p;
    const ptrdiff_t s = p->stride[along.axis], all = fc_slide_results(along);
    const ptrdiff_t last_tap = (p->window[along.axis] - 1) * p->dilation[along.axis];
    ptrdiff_t results;
    if (items >= fc_slide_items(along)) return all;
    if (along.gradient)
        results = items > PTRDIFF_MAX / s ? all : items * s;
    else
        results = items > last_tap ? (items - last_tap - 1) / s + 1 : 1;
    return fc_min(fc_max(results, 1), all);
}

/* The items that `results` neighbouring results touch at most. */
static ptrdiff_t most_items(fc_slide_axis along, ptrdiff_t results)
{
    const fc_problem *p = along.p;
    const ptrdiff_t s = p->stride[along.axis], all = fc_slide_items(along);
    const ptrdiff_t last_tap = (p->window[along.axis] - 1) * p->dilation[along.axis];
    if (along.gradient) {
        const ptrdiff_t beside = last_tap / s;
        return beside >= all ? all : fc_min(all, beside + (results - 1) / s + 2);
    }
    if (last_tap >= all || (results - 1) * s >= all - last_tap) return all;
    return (results - 1) * s + last_tap + 1;
}

/* Items of a window with the holes between its taps, as far as they lie in the array. */
static ptrdiff_t window_items(fc_slide_axis along) { return most_items(along, 1); }

fc_pool_tiles fc_pool_split(const fc_problem *p, bool gradient, ptrdiff_t row_lanes, ptrdiff_t deepest)
{
    const bool deep = p->layout == FC_NHWC;
    const ptrdiff_t depth = deep ? p->channels : 1, element = (ptrdiff_t)fc_dtype_size(p->dtype);
    fc_pool_tiles t = {.axes = {{p, 0, gradient}, {p, 1, gradient}},
                       .images = deep ? p->batch : p->batch * p->channels,
                       .depth = depth};
    ptrdiff_t row_bytes, items;
    if (!p->batch || !p->channels) return t;
    t.lanes = fc_min(depth, deepest);
    items = fc_max(fc_max(row_lanes / t.lanes, 1), fc_min(4 * window_items(t.axes[1]), fc_slide_items(t.axes[1])));
    t.columns = results_of(t.axes[1], items);
    t.item_columns = most_items(t.axes[1], t.columns);

    row_bytes = fc_max(t.item_columns, t.columns) * t.lanes * element;
    items = fc_max(fc_max(BYTES_A_TASK / row_bytes, 1), fc_min(4 * window_items(t.axes[0]), fc_slide_items(t.axes[0])));
    t.rows = results_of(t.axes[0], items);
    t.item_rows = most_items(t.axes[0], t.rows);

    t.row_bands = parts(fc_slide_results(t.axes[0]), t.rows);
    t.column_blocks = parts(fc_slide_results(t.axes[1]), t.columns);
    t.lane_slices = parts(depth, t.lanes);
    t.group = 1;
    if (t.row_bands == 1 && t.column_blocks == 1 && t.lane_slices == 1) {
        const ptrdiff_t rows = fc_max(fc_slide_items(t.axes[0]), fc_slide_results(t.axes[0]));
        t.group = fc_min(t.images, fc_max(SMALL_IMAGES_A_TASK / rows / row_bytes, 1));
    }
    t.groups = parts(t.images, t.group);
    t.tasks = t.groups * t.row_bands * t.column_blocks * t.lane_slices;
    return t;
}

static fc_range part_of(ptrdiff_t whole, ptrdiff_t part, ptrdiff_t index)
{
    return (fc_range){index * part, fc_min(whole, (index + 1) * part)};
}

fc_pool_tile fc_pool_tile_of(const fc_pool_tiles *t, ptrdiff_t task)
{
    fc_pool_tile tile;
    tile.columns = part_of(fc_slide_results(t->axes[1]), t->columns, task % t->column_blocks);
    task /= t->column_blocks;
    tile.rows = part_of(fc_slide_results(t->axes[0]), t->rows, task % t->row_bands);
    task /= t->row_bands;
    tile.lanes = part_of(t->depth, t->lanes, task % t->lane_slices);
    tile.images = part_of(t->images, t->group, task / t->lane_slices);
    return tile;
}

/* PyTorch's rule: padding counts as far as it was asked for, not where ceil_mode lets a window reach beyond it. */
static ptrdiff_t count(const fc_problem *p, int axis, ptrdiff_t out)
{
    if (p->count_include_pad) {
        const ptrdiff_t room = p->in[axis] + p->pad_after[axis] - 1 - fc_window_start(p, axis, out);
        return fc_min(p->window[axis], (p->dilation[axis] == 1 ? room : room / p->dilation[axis]) + 1);
    } else {
        const fc_range taps = fc_taps_inside(p, axis, out);
        return fc_max(taps.end - taps.first, 0);
    }
}

double fc_pool_row_count(const fc_problem *p, ptrdiff_t row)
{
    return p->has_divisor ? (double)p->divisor : (double)count(p, 0, row);
}

double fc_pool_column_count(const fc_problem *p, ptrdiff_t column)
{
    return p->has_divisor ? 1 : (double)count(p, 1, column);
}

void fc_pool_counts(const fc_problem *p, fc_range columns, ptrdiff_t times, void *counts)
{
    ptrdiff_t i = 0;
    for (ptrdiff_t j = columns.first; j < columns.end; j++) {
        const double value = fc_pool_column_count(p, j);
        for (ptrdiff_t end = i + times; i < end; i++) {
            if (p->dtype == FC_F32)
                ((float *)counts)[i] = (float)value;
            else
                ((double *)counts)[i] = value;
        }
    }
}

bool fc_pool_windows_tile(const fc_problem *p)
{
    for (int axis = 0; axis < 2; axis++) {
        if (p->window[axis] != p->stride[axis] || p->pad_before[axis] || p->in[axis] % p->stride[axis]) return false;
        if (p->in[axis] / p->stride[axis] != p->out[axis]) return false;
    }
    return true;
}

fc_problem fc_pool_sums_of(const fc_problem *p)
{
    fc_problem sums = *p;
    for (int axis = 0; axis < 2; axis++) {
        sums.in[axis] = p->out[axis];
        sums.out[axis] = p->in[axis];
        sums.stride[axis] = 1; /* of a single output it says nothing */
        sums.pad_before[axis] = (p->window[axis] - 1) * p->dilation[axis] - p->pad_before[axis];
    }
    return sums;
}

void fc_pool_store(const fc_pool_tiles *t, ptrdiff_t pixels, ptrdiff_t lanes, char *dst, const char *src,
                   size_t element)
{
    if (lanes == t->depth) {
        memcpy(dst, src, (size_t)(pixels * lanes) * element);
        return;
    }
    for (ptrdiff_t i = 0; i < pixels; i++) {
        memcpy(dst, src, (size_t)lanes * element);
        dst += (size_t)t->depth * element;
        src += (size_t)lanes * element;
    }
}

void fc_pool_store_places(const fc_pool_tiles *t, ptrdiff_t pixels, ptrdiff_t lanes, int64_t *dst, const fc_place *src,
                          int64_t base)
{
    const ptrdiff_t runs = lanes == t->depth ? 1 : pixels, run = lanes == t->depth ? pixels * lanes : lanes;
    for (ptrdiff_t i = 0; i < runs; i++)
        t->axes[0].p->kernels->widen_places(run, dst + i * t->depth, src + i * run, base);
}

void fc_pool_columns(fc_range columns, ptrdiff_t lanes, fc_place *places)
{
    for (ptrdiff_t c = columns.first; c < columns.end; c++)
        for (ptrdiff_t l = 0; l < lanes; l++) *places++ = (fc_place)c;
}

bool fc_pool_places_fit(const fc_pool_tiles *t)
{
    const fc_problem *p = t->axes[0].p;
    return t->item_rows <= (ptrdiff_t)((FC_NO_PLACE - 1) / (uint64_t)p->in[1]);
}

char *fc_pool_take(char *slot, size_t *bytes, size_t count, size_t element)
{
    char *here = slot ? slot + *bytes : NULL;
    *bytes = fc_size_add(*bytes, fc_size_lines(fc_size_mul(count, element)));
    return here;
}
