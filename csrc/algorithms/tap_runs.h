/* SPDX-License-Identifier: BSD-3-Clause */
/* tap_runs.h -- outputs cut into runs whose windows reach the same taps, for weight gradients: a rectangle of such outputs
 * is summed without looking at the border. */
#ifndef FC_ALGORITHMS_TAP_RUNS_H
#define FC_ALGORITHMS_TAP_RUNS_H

#include "algorithms/blocking.h"
#include "algorithms/window.h"

/* Every tap of a row is entered and left once; of at most 32, in pieces of at least seven. */
#define FC_MOST_TAP_RUNS (2 * 32 + (32 + FC_DEPTHWISE_TAPS - 1) / FC_DEPTHWISE_TAPS)

/* Outputs of an axis that reach the same taps. */
typedef struct fc_tap_run {
    fc_range outputs, taps;
} fc_tap_run;

static inline ptrdiff_t fc_rows_read(const fc_problem *p, ptrdiff_t rows)
{
    const ptrdiff_t span = fc_window_span(p, 0);
    return fc_min(p->in[0], rows > 1 ? (rows - 1) * p->stride[0] + span + 1 : span + 1);
}

static inline fc_range fc_common(fc_range a, fc_range b)
{
    return (fc_range){fc_max(a.first, b.first), fc_min(a.end, b.end)};
}

/* Where the outputs of an axis from `from` on stop to reach the same ones of `within`. */
static inline fc_tap_run fc_tap_run_at(const fc_problem *p, int axis, ptrdiff_t from, ptrdiff_t end, fc_range within)
{
    fc_tap_run run = {{from, end}, fc_common(fc_taps_inside(p, axis, from), within)};
    const fc_range inside = {fc_outputs_inside(p, axis, within.first).first,
                             fc_outputs_inside(p, axis, within.end - 1).end};
    if (from >= inside.first && from < inside.end) {
        run.outputs.end = fc_min(end, inside.end);
        return run;
    }
    for (ptrdiff_t out = from + 1; out < end; out++) {
        const fc_range next = fc_common(fc_taps_inside(p, axis, out), within);
        const bool both_empty = next.end <= next.first && run.taps.end <= run.taps.first;
        if (!both_empty && (next.first != run.taps.first || next.end != run.taps.end)) {
            run.outputs.end = out;
            break;
        }
    }
    return run;
}

/* Of all columns, with at most `most` taps; answers how many. */
static inline ptrdiff_t fc_find_column_runs(const fc_problem *p, ptrdiff_t most, fc_tap_run runs[FC_MOST_TAP_RUNS])
{
    ptrdiff_t count = 0;
    const ptrdiff_t pieces = fc_ceil_div(p->window[1], most);
    for (ptrdiff_t i = 0; i < pieces; i++) {
        const fc_range taps = {fc_cut(p->window[1], pieces, i), fc_cut(p->window[1], pieces, i + 1)};
        for (ptrdiff_t j = 0; j < p->out[1];) {
            const fc_tap_run run = fc_tap_run_at(p, 1, j, p->out[1], taps);
            if (run.taps.end > run.taps.first) runs[count++] = run;
            j = run.outputs.end;
        }
    }
    return count;
}

/* The rows of x that some rows of outputs read. */
static inline fc_range fc_rows_of_x(const fc_problem *p, fc_range rows)
{
    fc_range all = {PTRDIFF_MAX, 0};
    for (ptrdiff_t i = rows.first; i < rows.end; i++) {
        const fc_range taps = fc_taps_inside(p, 0, i);
        if (taps.end <= taps.first) continue;
        all.first = fc_min(all.first, fc_window_start(p, 0, i) + taps.first * p->dilation[0]);
        all.end = fc_max(all.end, fc_window_start(p, 0, i) + (taps.end - 1) * p->dilation[0] + 1);
    }
    return all.end > all.first ? all : (fc_range){0, 0};
}

#endif
