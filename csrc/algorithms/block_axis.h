/* SPDX-License-Identifier: BSD-3-Clause */
/* block_axis.h -- the axes of a correlation or of its input gradient whose tasks copy some rows into a block: which rows of
 * the source some rows of the destination read, which taps of a point lie in the source. The source of the gradient is
 * grad_y. */
#ifndef FC_ALGORITHMS_BLOCK_AXIS_H
#define FC_ALGORITHMS_BLOCK_AXIS_H

#include "algorithms/grid.h"
#include "algorithms/window.h"

static inline bool fc_block_forward(const fc_problem *p) { return p->operation == FC_CORR2D; }

static inline const ptrdiff_t *fc_block_source_size(const fc_problem *p)
{
    return fc_block_forward(p) ? p->in : p->out;
}

static inline const ptrdiff_t *fc_block_destination_size(const fc_problem *p)
{
    return fc_block_forward(p) ? p->out : p->in;
}

static inline ptrdiff_t fc_block_source_channels(const fc_problem *p)
{
    return fc_block_forward(p) ? p->channels : p->out_channels;
}

static inline ptrdiff_t fc_block_destination_channels(const fc_problem *p)
{
    return fc_block_forward(p) ? p->out_channels : p->channels;
}

static inline ptrdiff_t fc_block_phases(const fc_problem *p, int axis)
{
    return fc_block_forward(p) ? 1 : fc_phases(p, axis);
}

/* Steps from point to point that are never taken, and might not fit, are made small ones. */
static inline fc_grid_axis fc_block_axis_of(const fc_problem *p, int axis, ptrdiff_t phase)
{
    fc_grid_axis a = fc_block_forward(p) ? fc_forward_axis(p, axis) : fc_phase_axis(p, axis, phase);
    if (a.points < 2) a.source_step = a.destination_step = 1;
    return a;
}

/* Rows of the source that so many rows of the destination read, at most. */
static inline ptrdiff_t fc_block_rows_read(const fc_problem *p, ptrdiff_t rows)
{
    const ptrdiff_t span = fc_window_span(p, 0);
    if (fc_block_forward(p)) return fc_min(p->in[0], rows > 1 ? (rows - 1) * p->stride[0] + span + 1 : span + 1);
    return fc_min(p->out[0], (rows - 1 + span) / p->stride[0] + 2);
}

/* Steps of one are most of them, and a small task has no time to divide. */
static inline ptrdiff_t fc_steps_up(ptrdiff_t a, ptrdiff_t step) { return step == 1 ? a : fc_ceil_div(a, step); }

static inline ptrdiff_t fc_steps_down(ptrdiff_t a, ptrdiff_t step) { return step == 1 ? a : fc_floor_div(a, step); }

/* The points of an axis whose destination lies in a range. */
static inline fc_range fc_block_points_within(const fc_grid_axis *a, fc_range destination)
{
    return (fc_range){
        fc_max(0, fc_steps_up(destination.first - a->destination_first, a->destination_step)),
        fc_min(a->points, fc_steps_up(destination.end - a->destination_first, a->destination_step)),
    };
}

/* The taps of a point that lie in the source. */
static inline fc_range fc_block_taps_within(const fc_grid_axis *a, ptrdiff_t point)
{
    const ptrdiff_t at = point * a->source_step + a->tap_first, last = a->source - 1;
    if (a->tap_step > 0)
        return (fc_range){fc_max(0, fc_steps_up(-at, a->tap_step)),
                          fc_min(a->taps, fc_steps_down(last - at, a->tap_step) + 1)};
    if (a->tap_step < 0)
        return (fc_range){fc_max(0, fc_steps_up(at - last, -a->tap_step)),
                          fc_min(a->taps, fc_steps_down(at, -a->tap_step) + 1)};
    return (fc_range){0, at >= 0 && at <= last ? a->taps : 0};
}

static inline ptrdiff_t fc_block_lowest_tap(const fc_grid_axis *a)
{
    return a->tap_first + fc_min(0, (a->taps - 1) * a->tap_step);
}

static inline ptrdiff_t fc_block_highest_tap(const fc_grid_axis *a)
{
    return a->tap_first + fc_max(0, (a->taps - 1) * a->tap_step);
}

/* The points all of whose taps lie in the source; empty where there are none. */
static inline fc_range fc_block_points_inside(const fc_grid_axis *a)
{
    const fc_range all = {
        fc_max(0, fc_steps_up(-fc_block_lowest_tap(a), a->source_step)),
        fc_min(a->points, fc_steps_down(a->source - 1 - fc_block_highest_tap(a), a->source_step) + 1),
    };
    return all.end > all.first && a->taps ? all : (fc_range){0, 0};
}

/* The axes of all phases, found once a call: that takes longer than a small task. */
typedef struct fc_block_grid {
    ptrdiff_t phases[2];
    fc_grid_axis axis[2][FC_MAX_PHASES];
} fc_block_grid;

static inline void fc_block_grid_of(const fc_problem *p, fc_block_grid *grid)
{
    for (int i = 0; i < 2; i++) {
        grid->phases[i] = fc_block_phases(p, i);
        for (ptrdiff_t phase = 0; phase < grid->phases[i]; phase++)
            grid->axis[i][phase] = fc_block_axis_of(p, i, phase);
    }
}

static inline fc_range fc_block_rows_of_source(const fc_block_grid *grid, fc_range destination)
{
    fc_range rows = {PTRDIFF_MAX, 0};
    for (ptrdiff_t i = 0; i < grid->phases[0]; i++) {
        const fc_grid_axis *a = &grid->axis[0][i];
        const fc_range points = fc_block_points_within(a, destination);
        if (points.end <= points.first || !a->taps) continue;
        rows.first = fc_min(rows.first, fc_max(0, points.first * a->source_step + fc_block_lowest_tap(a)));
        rows.end = fc_max(rows.end, fc_min(a->source, (points.end - 1) * a->source_step + fc_block_highest_tap(a) + 1));
    }
    return rows.end > rows.first ? rows : (fc_range){0, 0};
}

#endif
