/* SPDX-License-Identifier: BSD-3-Clause */
/* geometry.h -- the arithmetic of sizes, along one axis and over whole arrays; every step checked for overflow. */
#ifndef FC_OPERATORS_GEOMETRY_H
#define FC_OPERATORS_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "fastconv.h"

/* A window of `window` taps, `dilation` apart, that slides by `stride` over `in` elements padded on both sides. */
typedef struct fc_axis {
    int64_t in, window, stride, dilation, before, after;
    fc_padding padding;
    bool ceil_mode;
} fc_axis;

typedef enum fc_axis_verdict { FC_AXIS_OK, FC_AXIS_TOO_LARGE, FC_AXIS_WINDOW_TOO_LARGE } fc_axis_verdict;

/* Elements from the first tap to the last; false when that overflows. */
bool fc_axis_span(const fc_axis *axis, int64_t *span);

/* Resolves the padding in place and answers the number of windows. The values must be in range: in, window, stride
 * and dilation at least 1, before and after at least 0. */
fc_axis_verdict fc_axis_resolve(fc_axis *axis, int64_t *out);

/* The product of `count` sizes, at least 0 each; false when it exceeds PTRDIFF_MAX. An empty array is still refused
 * when its other sizes overflow: strides are computed from them. */
bool fc_product(const int64_t *sizes, int count, int64_t *product);

#endif
