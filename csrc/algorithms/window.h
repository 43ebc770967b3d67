/* SPDX-License-Identifier: BSD-3-Clause */
/* window.h -- which taps of a window, and which windows, lie inside the image. Along one axis (0 height, 1 width)
 * output `out` reads input out * stride - before + tap * dilation. Everything is found by division: a tap far outside
 * is never turned into a coordinate, which might not fit. */
#ifndef FC_ALGORITHMS_WINDOW_H
#define FC_ALGORITHMS_WINDOW_H

#include "algorithms/problem.h"

typedef struct fc_range {
    ptrdiff_t first, end; /* empty when end <= first */
} fc_range;

/* The input coordinate of tap 0: from -before up to below in + stride. */
static inline ptrdiff_t fc_window_start(const fc_problem *p, int axis, ptrdiff_t out)
{
    return out * p->stride[axis] - p->pad_before[axis];
}

static inline fc_range fc_taps_inside(const fc_problem *p, int axis, ptrdiff_t out)
{
    const ptrdiff_t start = fc_window_start(p, axis, out), d = p->dilation[axis];
    fc_range taps = {0, 0};
    if (start >= p->in[axis]) return taps;
    if (d == 1) { /* no division: this is asked for every row */
        taps.first = fc_max(-start, 0);
        taps.end = fc_min(p->window[axis], p->in[axis] - start);
        return taps;
    }
    taps.first = start < 0 ? fc_ceil_div(-start, d) : 0;
    taps.end = fc_min(p->window[axis], (p->in[axis] - 1 - start) / d + 1);
    return taps;
}

/* The outputs whose tap `tap` lies inside. */
static inline fc_range fc_outputs_inside(const fc_problem *p, int axis, ptrdiff_t tap)
{
    const ptrdiff_t shift = p->pad_before[axis] - tap * p->dilation[axis], s = p->stride[axis];
    return (fc_range){fc_max(0, fc_ceil_div(shift, s)),
                      fc_min(p->out[axis], fc_floor_div(p->in[axis] - 1 + shift, s) + 1)};
}

#endif
