/* SPDX-License-Identifier: BSD-3-Clause */
/* tap_sums.h -- what the parts of corr2d_weight_grad_implicit_gemm.c share: how the sums over the pixels are cut, and the
 * sum of one tap. */
#ifndef FC_ALGORITHMS_TAP_SUMS_H
#define FC_ALGORITHMS_TAP_SUMS_H

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/weight_panels.h"

#define FC_MAX_TAP_PARTIALS 16

/* How the work and the sums are cut. Sums of a task: [row][tap][lanes of the panel]. */
typedef struct fc_tap_sum_plan {
    bool swapped, tap_rows;
    fc_panels panels;
    ptrdiff_t rows, taps;                   /* of a group; taps of a row */
    ptrdiff_t tile_rows, tiles, row_blocks; /* tiles of rows, and their blocks */
    ptrdiff_t images;                       /* of a unit */
    ptrdiff_t row_strips, column_strips, units;
    ptrdiff_t area;            /* pixels of x that a unit reads, at most */
    ptrdiff_t partials, tasks; /* tasks of one partial sum */
    ptrdiff_t span[2];         /* rows and columns of x that the windows of a unit span, at most */
    size_t block_sums;         /* elements */
} fc_tap_sum_plan;

/* `may_pad`: rows may be the taps of a copy with zeros around it. */
fc_tap_sum_plan fc_tap_sum_plan_of(const fc_problem *problem, bool may_pad);

/* Rows and columns of x from the first to the last that the windows of some outputs span, whether they are there or not. */
ptrdiff_t fc_tap_sum_span(const fc_problem *problem, int axis, ptrdiff_t outputs);

/* Of the sums of a task, a panel, and the stripe. */
size_t fc_tap_sum_bytes(const fc_problem *problem, const fc_tap_sum_plan *plan);
size_t fc_tap_sum_panel_bytes(const fc_problem *problem, const fc_tap_sum_plan *plan);
size_t fc_tap_sum_stripe_bytes(const fc_problem *problem, const fc_tap_sum_plan *plan);

typedef struct fc_tap_sum_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_tap_sum_plan plan;
    fc_pixel_source x, y;
    ptrdiff_t element;
} fc_tap_sum_call;

/* One thread's memory. Behind it: the stripe, the panel, and the sums of a task. */
typedef struct fc_tap_sum_slot {
    const void *a[FC_DEPTH * FC_MAX_TILE_ROWS], *b[FC_DEPTH];
    _Alignas(64) char zeros[FC_MAX_LANES * 4];
} fc_tap_sum_slot;

/* What a task has at hand. */
typedef struct fc_tap_sum_work {
    const fc_tap_sum_call *c;
    fc_tap_sum_slot *s;
    char *stripe, *panel_copy, *sums;
    ptrdiff_t group, first_row, tiles, rows; /* rows: those that exist, of so many tiles */
    fc_panel_cut cut;
    fc_pixel_area outputs, inputs; /* of the unit */
    fc_pixel_place x, y;           /* one is the panel, one what rows read */
    bool fresh;                    /* nothing was summed yet */
} fc_tap_sum_work;

/* Finds or copies what the products of a unit read. */
void fc_tap_sum_place_unit(fc_tap_sum_work *work, ptrdiff_t unit);

/* Adds the unit's products of one tap to the sums. */
void fc_tap_sum_add(fc_tap_sum_work *work, ptrdiff_t tap);

#endif
