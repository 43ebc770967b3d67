/* SPDX-License-Identifier: BSD-3-Clause */
/* kernels_grouped.h -- what the kernels of correlation in groups are told; a part of kernels.h. */
#ifndef FC_KERNELS_KERNELS_GROUPED_H
#define FC_KERNELS_KERNELS_GROUPED_H

#include <stdbool.h>
#include <stddef.h>

/* Correlation in groups of a few channels, of blocks, float32 and float64 only: lanes are groups, and every member of a
 * group is a plane of its own, [member][pixel][lanes]. This moves pixels between planes and a channels-last image, of at
 * most a vector of groups; on the way in other lanes become zeros. */
typedef struct fc_group_move {
    ptrdiff_t pixels, groups, members, plane, pixel_step;
    void *block;
    void *image; /* read only on the way in */
} fc_group_move;

/* One to four outputs o of some pixels p: y[p][o * y_output] = bias[o] + sum over taps (u, v) and members m of
 * x[p][u * x_tap[0] + v * x_tap[1] + m * x_member] * w[u * w_tap[0] + v * w_tap[1] + m * w_member + o * w_output], vectors
 * all of them. The sum is the chain of fc_tile, in the order of u, v and m. */
#define FC_GROUP_PIXELS 6
#define FC_GROUP_OUTPUTS 4
typedef struct fc_group_tile {
    ptrdiff_t taps[2], members, x_tap[2], x_member, w_tap[2], w_member, w_output, y_output;
    const void *x[FC_GROUP_PIXELS];
    const void *w, *bias; /* bias: vectors side by side, or NULL */
    void *y[FC_GROUP_PIXELS];
} fc_group_tile;

/* The gradient of one tap, for up to four outputs o and members m: sums[o * sum_output + m * sum_member] += sum over rows i
 * and columns j of grad[i * grad_row + j * lanes + o * grad_member] * x[i * x_row + j * x_pixel + m * x_member]. */
typedef struct fc_group_taps {
    ptrdiff_t outputs, members, rows, columns, grad_row, grad_member, x_row, x_pixel, x_member, sum_output, sum_member;
    const void *grad, *x;
    void *sums;
} fc_group_taps;

/* One or two vectors of a group's outputs, for one of the two numbers of pixels that the table gives: y[p][v * second + l] = start +
 * sum over segments s and steps k of x[p][at[s] + k] * w[((s * depth + k) * vectors + v) * lanes + l], where start is
 * bias[v * second + l], 0 without a bias, or with `add` what is in y. The sum is the chain of fc_tile. */
#define FC_MAX_GROUP_ROWS 14
typedef struct fc_group_pixels {
    ptrdiff_t segments, depth;
    const ptrdiff_t *at; /* [segments] */
    const void *w, *bias;
    bool add;
    ptrdiff_t second;
    const void *x[FC_MAX_GROUP_ROWS];
    void *y[FC_MAX_GROUP_ROWS];
} fc_group_pixels;

/* Pixels, of 1, 2 or 4 groups that share vectors: to[p * to_pixel + c * to_chunk + m * groups + g] =
 * from[p * from_pixel + g * from_group + c * each + m], for m below each = lanes / groups. */
#define FC_LANE_SHARES 3 /* 1, 2 or 4 groups */
typedef struct fc_share_lanes {
    ptrdiff_t pixels, chunks, from_pixel, from_group, to_pixel, to_chunk;
    const void *from;
    void *to;
} fc_share_lanes;

/* A vector of outputs for the points that the table gives, at all four phases of a grid with two along each axis, of 1, 2 or 4
 * groups g, each = lanes / groups outputs o of each: y[q][p][g * y_group + o] = start + sum over segments s that phase q has, and
 * members m, of x[p][s.at + m * groups + g] * w[s.tap[q] + m * w_step + o * groups + g], where start is 0, or with `add` what is in
 * y. Phase q is that of row q / 2 and column q % 2, and those of odd rows, or of odd columns, have all segments of the others. The
 * sum is the chain of fc_tile. Points that are neighbours are x_step apart, and y_step: only the first ones are given. */
#define FC_PHASES 4
#define FC_MAX_PHASE_POINTS 7
typedef enum fc_segment_phases { FC_EVERY_PHASE, FC_ODD_COLUMNS, FC_ODD_ROWS, FC_ODD_BOTH } fc_segment_phases;
typedef struct fc_phase_segment {
    fc_segment_phases phases;
    ptrdiff_t at, tap[FC_PHASES];
} fc_phase_segment;
typedef struct fc_phase_tile {
    ptrdiff_t segments, members, w_step, x_step, y_step, y_group;
    const fc_phase_segment *segment;
    const void *w;
    bool add;
    const void *x[FC_MAX_PHASE_POINTS];
    void *y[FC_PHASES][FC_MAX_PHASE_POINTS];
} fc_phase_tile;

/* A vector of outputs for one or two runs r of 7 or 8 neighbouring points p, of 1, 2 or 4 groups g, each = lanes / groups
 * outputs o of each: y[r][p * y_pixel + g * y_group + o] = start + sum over chunks c, rows i, members m below each and taps j of
 * x[r][c * x_chunk + i * x_row + (p + j) * lanes + m * groups + g] * w[r][c * w_chunk + i * w_row + j * w_column + m * w_member +
 * o * groups + g], where start is 0, or with `add` what is in y. Points before first[r] are not written. The sum is the chain of
 * fc_tile. */
#define FC_SHORT_RUN 7
#define FC_RUN_LENGTHS 2
#define FC_RUN_TAPS 3
typedef struct fc_run_tile {
    ptrdiff_t chunks, rows, x_chunk, x_row, w_chunk, w_row, w_column, w_member, y_pixel, y_group;
    bool add;
    int first[2];
    const void *x[2], *w[2];
    void *y[2];
} fc_run_tile;

/* The gradient of as many weights, for one or two vectors of outputs: sums[(r * vectors + v) * lanes + l] += sum over rows i
 * and columns j of x[r][i * x_row + j * x_pixel] * grad[i * grad_row + j * grad_pixel + v * second + l]. */
typedef struct fc_group_weights {
    ptrdiff_t rows, columns, x_row, x_pixel, grad_row, grad_pixel, second;
    const void *grad;
    const void *x[FC_MAX_GROUP_ROWS];
    void *sums;
} fc_group_weights;

#endif
