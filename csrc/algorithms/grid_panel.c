/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/grid_panel.h"

#include <string.h>

typedef struct grid {
    const fc_grid_axis *rows, *columns;
    ptrdiff_t lanes;
    size_t element;
} grid;

/* A point of the grid, and how to walk over it row by row. */
typedef struct grid_point {
    ptrdiff_t row, column;
} grid_point;

static grid_point walk(grid_point from, const grid *g, ptrdiff_t points)
{
    const ptrdiff_t width = g->columns->points;
    from.column += points;
    if (from.column >= width) {
        from.row += from.column / width;
        from.column %= width;
    }
    return from;
}

static ptrdiff_t source_place(const grid *g, grid_point at)
{
    return at.row * g->rows->source_step * g->columns->source + at.column * g->columns->source_step;
}

static ptrdiff_t destination_place(const grid *g, grid_point at)
{
    return (g->rows->destination_first + at.row * g->rows->destination_step) * g->columns->destination +
           g->columns->destination_first + at.column * g->columns->destination_step;
}

/* All ones in the lanes from … to of a run's mask, zero in the others. */
static void set_mask(fc_lanes *lanes, const grid *g, int run, ptrdiff_t from, ptrdiff_t to)
{
    char *mask = (char *)&lanes->run_mask + (size_t)run * FC_MAX_LANES * g->element;
    memset(mask, 0, FC_MAX_LANES * g->element);
    memset(mask + (size_t)from * g->element, 0xff, (size_t)(to - from) * g->element);
}

/* One run a grid row; false when there are more than fit. */
static bool find_runs(fc_lanes *lanes, const grid *g, grid_point at, ptrdiff_t used)
{
    const ptrdiff_t step = g->columns->source_step;
    lanes->pattern = step == 1 ? FC_LANES_RUNS : FC_LANES_EVEN;
    lanes->runs = 0;
    for (ptrdiff_t l = 0; l < used;) {
        const ptrdiff_t length = fc_min(used - l, g->columns->points - at.column);
        if (lanes->runs == FC_MAX_RUNS) return false;
        lanes->base[lanes->runs] = source_place(g, at) - l * step;
        set_mask(lanes, g, lanes->runs++, l, l + length);
        at = walk(at, g, length);
        l += length;
    }
    return true;
}

/* The pattern of one vector whose first lane sits at `at`; `used` lanes count. */
static void find_pattern(fc_lanes *lanes, const grid *g, grid_point at, ptrdiff_t used)
{
    const ptrdiff_t step = g->columns->source_step, start = source_place(g, at);
    lanes->used = (int)used;
    lanes->full = step <= 2 && used == g->lanes && at.column + used <= g->columns->points;
    if (step <= 2 && find_runs(lanes, g, at, used)) return;
    lanes->pattern = FC_LANES_ANY;
    lanes->runs = 1;
    lanes->base[0] = start;
    set_mask(lanes, g, 0, 0, used);
    for (ptrdiff_t l = 0; l < used; l++, at = walk(at, g, 1)) {
        if (g->element == 4)
            lanes->index.f32[l] = (int32_t)(source_place(g, at) - start);
        else
            lanes->index.f64[l] = source_place(g, at) - start;
    }
}

/* Whether every tap of the points least … most of an axis lies inside the source. */
static bool axis_inside(const fc_grid_axis *axis, ptrdiff_t least, ptrdiff_t most)
{
    const ptrdiff_t first = axis->tap_first, last = axis->tap_first + (axis->taps - 1) * axis->tap_step;
    return least * axis->source_step + fc_min(first, last) >= 0 &&
           most * axis->source_step + fc_max(first, last) < axis->source;
}

/* Coordinates for the masks; a lane that is not in use is far above the source. */
static void find_coordinates(fc_grid_panel *panel, const grid *g, grid_point at)
{
    const ptrdiff_t nowhere = -((ptrdiff_t)1 << 30);
    for (ptrdiff_t l = 0; l < panel->vectors * g->lanes; l++, at = walk(at, g, 1)) {
        const ptrdiff_t y = l < panel->points ? at.row * g->rows->source_step : nowhere;
        const ptrdiff_t x = l < panel->points ? at.column * g->columns->source_step : 0;
        if (g->element == 4) {
            panel->at.f32[0][l] = (int32_t)y;
            panel->at.f32[1][l] = (int32_t)x;
        } else {
            panel->at.f64[0][l] = y;
            panel->at.f64[1][l] = x;
        }
    }
}

void fc_find_grid_panel(fc_grid_panel *panel, const fc_grid_axis axis[2], ptrdiff_t lanes, size_t element,
                        fc_panel_cut cut)
{
    const grid here = {&axis[0], &axis[1], lanes, element}, *const g = &here;
    const bool dense = axis[0].destination_step == 1 && axis[1].destination_step == 1;
    const grid_point first = walk((grid_point){0, 0}, g, cut.first), last = walk(first, g, cut.columns - 1);
    const bool one_row = first.row == last.row;
    grid_point at = first;
    panel->vectors = cut.vectors;
    panel->points = cut.columns;
    panel->inner = axis_inside(g->rows, first.row, last.row) &&
                   axis_inside(g->columns, one_row ? first.column : 0, one_row ? last.column : g->columns->points - 1);
    panel->whole = dense && cut.columns == cut.vectors * lanes;
    panel->where[0] = destination_place(g, first);
    if (!panel->inner) find_coordinates(panel, g, first);
    if (!panel->whole)
        for (ptrdiff_t l = 0; l < cut.columns; l++, at = walk(at, g, 1)) panel->where[l] = destination_place(g, at);
    at = first;
    for (ptrdiff_t v = 0; v < cut.vectors; v++, at = walk(at, g, lanes))
        find_pattern(&panel->lanes[v], g, at, fc_min(lanes, cut.columns - v * lanes));
    panel->straight = panel->whole && panel->inner;
    for (ptrdiff_t v = 0; v < cut.vectors; v++)
        if (g->columns->source_step != 1 || !panel->lanes[v].full ||
            panel->lanes[v].base[0] != panel->lanes[0].base[0] + v * lanes)
            panel->straight = false;
}
