/* SPDX-License-Identifier: BSD-3-Clause */
/* grid.h -- one shape of work for two operators. A grid of destination points, each of which reads a source at
 * point * source_step + tap_first + tap * tap_step for every tap, along both axes, and zeros outside of it.
 *
 * The forward pass is one grid: points are outputs. The input gradient with stride s is s * s of them, its phases:
 * the inputs i = phase + s * point are reached by the taps u with (i + before - u * d) divisible by s, from the output
 * (i + before - u * d) / s. No multiplication by an inserted zero is done, and every phase reads grad_y with step 1. */
#ifndef FC_ALGORITHMS_GRID_H
#define FC_ALGORITHMS_GRID_H

#include "algorithms/problem.h"

typedef struct fc_grid_axis {
    ptrdiff_t points;
    ptrdiff_t source, source_step;
    ptrdiff_t taps, tap_first, tap_step;
    ptrdiff_t window_first, window_step; /* tap t is the window's tap window_first + t * window_step */
    ptrdiff_t destination, destination_first, destination_step;
} fc_grid_axis;

static inline fc_grid_axis fc_forward_axis(const fc_problem *p, int axis)
{
    return (fc_grid_axis){
        .points = p->out[axis],
        .source = p->in[axis],
        .source_step = p->stride[axis],
        .taps = p->window[axis],
        .tap_first = -p->pad_before[axis],
        .tap_step = p->window[axis] > 1 ? p->dilation[axis] : 0, /* of one tap it may be any number */
        .window_first = 0,
        .window_step = 1,
        .destination = p->out[axis],
        .destination_first = 0,
        .destination_step = 1,
    };
}

/* Phases that hold an input, and how many of them along an axis an algorithm accepts. */
#define FC_MAX_PHASES 256
static inline ptrdiff_t fc_phases(const fc_problem *p, int axis) { return fc_min(p->stride[axis], p->in[axis]); }

/* The least u of all with from - u * d divisible by s, or -1. From Euclid's algorithm: a stride may be of any size. */
static inline ptrdiff_t fc_first_tap(ptrdiff_t from, ptrdiff_t d, ptrdiff_t s)
{
    const ptrdiff_t g = fc_gcd(s, d), period = s / g;
    ptrdiff_t rest = period, next = d / g % period, inverse = 0, next_inverse = 1;
    if (from % g) return -1;
    while (next) { /* inverse * (d / g) leaves rest, divided by period */
        const ptrdiff_t times = rest / next, r = rest - times * next, i = inverse - times * next_inverse;
        rest = next;
        next = r;
        inverse = next_inverse;
        next_inverse = i;
    }
    if (inverse < 0) inverse += period;
    return fc_multiply_modulo(from / g % period, inverse, period);
}

static inline fc_grid_axis fc_phase_axis(const fc_problem *p, int axis, ptrdiff_t phase)
{
    const ptrdiff_t s = p->stride[axis], d = p->dilation[axis], k = p->window[axis], period = s / fc_gcd(s, d);
    const ptrdiff_t from = phase + p->pad_before[axis];
    fc_grid_axis a = {
        .points = (p->in[axis] - 1 - phase) / s + 1,
        .source = p->out[axis],
        .source_step = 1,
        .destination = p->in[axis],
        .destination_first = phase,
        .destination_step = s,
    };
    const ptrdiff_t u = fc_first_tap(from, d, s);
    if (u < 0 || u >= k) return a;
    a.window_first = u;
    a.taps = (k - 1 - u) / period + 1;
    a.tap_first = (from - u * d) / s;
    a.tap_step = a.taps > 1 ? -(period * d / s) : 0;
    a.window_step = a.taps > 1 ? period : 0;
    return a;
}

/* Whether every coordinate that a kernel makes fits a 32-bit lane: taps, points, and the distance between the lanes of
 * one vector, which may lie in as many rows. A step that is never taken does not count. */
static inline bool fc_fits_lanes(const fc_problem *p)
{
    const ptrdiff_t limit = (ptrdiff_t)1 << 29, between_lanes = limit / FC_MAX_LANES;
    for (int i = 0; i < 2; i++) {
        if (p->in[i] >= limit || p->out[i] >= limit || p->pad_before[i] >= limit || p->pad_after[i] >= limit)
            return false;
        if (p->window[i] > 1 && p->dilation[i] >= limit) return false;
        if (p->out[i] > 1 && p->stride[i] >= between_lanes) return false;
    }
    if (p->in[1] >= between_lanes || p->out[1] >= between_lanes) return false;
    return p->out[0] == 1 || p->stride[0] * p->in[1] < between_lanes;
}

#endif
