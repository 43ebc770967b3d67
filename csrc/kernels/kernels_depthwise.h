/* SPDX-License-Identifier: BSD-3-Clause */
/* kernels_depthwise.h -- what the kernels of depthwise correlation are told; a part of kernels.h. */
#ifndef FC_KERNELS_KERNELS_DEPTHWISE_H
#define FC_KERNELS_KERNELS_DEPTHWISE_H

#include <stdbool.h>
#include <stddef.h>

/* Some pixels of a depthwise correlation whose channels are neighbours: y[r][c] = bias[c] + sum over taps (u, v) of
 * x[r][u * x_step[0] + v * x_step[1] + c] * w[u * w_step[0] + v * w_step[1] + c]. The sum is the chain of fc_tile, in the
 * order of u and v. */
#define FC_DEPTHWISE_PIXELS 6
typedef struct fc_depthwise_pixels {
    ptrdiff_t channels, taps[2], x_step[2], w_step[2];
    const void *x[FC_DEPTHWISE_PIXELS];
    const void *w, *bias; /* bias NULL: zeros */
    void *y[FC_DEPTHWISE_PIXELS];
} fc_depthwise_pixels;

/* Some neighbours in a row of outputs of a depthwise correlation with a 3x3 kernel without stride, whose channels are
 * neighbours too and at least a vector of them. Output j reads the columns left + j to left + j + 2, those that are there:
 * 0 to width - 1. The sum is the chain of fc_tile, in the order of v and u. */
typedef struct fc_depthwise_line {
    ptrdiff_t channels, outputs, left, width;
    ptrdiff_t pixel, w_step; /* from one pixel or tap to the next */
    ptrdiff_t ahead;         /* pixels from those that are read to those that are fetched; 0: none need be */
    const void *x[3];        /* column 0 of the rows, NULL where there is none */
    const void *w, *bias;    /* bias NULL: zeros */
    void *y;                 /* of the first output */
} fc_depthwise_line;

/* Some rows of a depthwise correlation of planes, float32 and float64 only; columns of x are one or two apart:
 * y[r][j] = bias + sum over taps (u, v) of x[u][r][j * stride - left + v * column_step] * w[u][v]. The sum is the chain of
 * fc_tile, in the order of u and v. Inside: the outputs `first` to `end` (at least a vector, or none), all of whose taps
 * lie in the rows. What is beside them is in the edges: whole vectors of outputs, whose taps are read where masks say
 * so, and are zeros elsewhere. masks[v] is the mask of as many elements from the first lane's tap on as a vector holds;
 * with two columns apart there is a second mask behind it, of those from that first mask's last element on. */
#define FC_DEPTHWISE_ROWS 7
#define FC_DEPTHWISE_EDGES 32 /* at most */
typedef struct fc_depthwise_edge {
    ptrdiff_t column;           /* of the first output */
    const void *masks;          /* [taps][columns apart][lanes], integers as wide as an element: all ones or zero */
    const unsigned char *whole; /* [taps]: whether all lanes are to be read */
} fc_depthwise_edge;

typedef struct fc_depthwise_rows {
    ptrdiff_t taps[2], column_step, left;
    const void *const *x;       /* [taps[0]][FC_DEPTHWISE_ROWS], column 0 */
    const void *w, *bias;       /* bias: one element, or NULL */
    void *y[FC_DEPTHWISE_ROWS]; /* column 0; written in this order */
    ptrdiff_t first, end, edges;
    const fc_depthwise_edge *edge;
} fc_depthwise_rows;

/* Rows of outputs of one plane with a 3x3 kernel: as fc_depthwise_rows, but the rows of x lie x_row apart, output row i
 * reads the rows top + i * stride to top + i * stride + 2, those that are there: 0 to height - 1. */
typedef struct fc_depthwise_plane {
    ptrdiff_t rows, top, height, column_step, left;
    const void *x; /* row 0, column 0 */
    const void *w, *bias;
    void *y;        /* the first output row, column 0 */
    ptrdiff_t room; /* elements of y that may be written */
    ptrdiff_t x_row, y_row;
    ptrdiff_t first, end, edges;
    const fc_depthwise_edge *edge;
} fc_depthwise_plane;

/* Some rows of a depthwise correlation whose channels do not fill a vector, float32 and float64 only: rows are lines of
 * elements, the channels of one pixel behind those of the other. y[r * y_row + e] = bias[e] + sum over taps t of
 * x[r * x_row + shift[t] + e] * w[t * w_step + e], where factors repeat: e stands for e modulo channels there, and so
 * many of them and a vector more can be read. Lines of x are read up to a whole vector. The sum is the chain of fc_tile. */
#define FC_INTERLEAVED_ROWS 8 /* at most */
typedef struct fc_interleaved {
    ptrdiff_t rows, elements, channels, taps;
    const ptrdiff_t *shift;
    const void *x;
    ptrdiff_t x_row;
    const void *w;
    ptrdiff_t w_step;
    const void *bias; /* NULL: zeros */
    void *y;
    ptrdiff_t y_row;
} fc_interleaved;

/* Depthwise correlation of blocks, float32 and float64 only: rows of pixels that hold one vector of channels each,
 * [row][column][lanes].
 *
 * All outputs of some rows of a kernel with as many rows as columns (3, 5 or 7), stride and dilation 1. Output (i, j)
 * reads rows from top + i and columns from left + j on, those that are there: 0 to height - 1 and to width - 1. w is
 * [K][K][lanes]. The sum is the chain of fc_tile, in the order of v and u. */
typedef struct fc_depthwise_sweep {
    ptrdiff_t rows, columns, top, left, height, width;
    ptrdiff_t x_row, y_row, y_pixel;
    const void *x, *w, *bias; /* bias: a vector, or NULL */
    void *y;
} fc_depthwise_sweep;

/* Some outputs: y[j * y_step] = bias + sum over taps (u, v) of x[j * x_step + u * x_tap[0] + v * x_tap[1]] *
 * w[u * w_tap[0] + v * w_tap[1]], vectors all of them. The sum is the chain of fc_tile, in the order of u and v. */
typedef struct fc_depthwise_run {
    ptrdiff_t pixels, taps[2], x_step, y_step, x_tap[2], w_tap[2];
    const void *x, *w, *bias;
    void *y;
} fc_depthwise_run;

/* The gradient of neighbouring taps (u, v): sums[u * sum_row + v * lanes] += sum over rows i and columns j of
 * grad[i * grad_row + j * grad_pixel] * x[i * x_row + j * x_pixel + u * tap_step[0] + v * tap_step[1]], vectors all of them. */
typedef struct fc_depthwise_taps {
    ptrdiff_t rows, columns, grad_row, grad_pixel, x_row, x_pixel, tap_step[2], sum_row;
    const void *grad, *x;
    void *sums;
} fc_depthwise_taps;
#define FC_DEPTHWISE_SWEEPS 3 /* kernels of 3, 5 and 7 rows */
#define FC_DEPTHWISE_TAPS 7   /* of one row, at most */

#endif
