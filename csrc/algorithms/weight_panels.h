/* SPDX-License-Identifier: BSD-3-Clause */
/* weight_panels.h -- what the products of a weight gradient read: pixels of some images in the order of their tiles, where
 * they lie or copied. Nothing outside of an image is copied. */
#ifndef FC_ALGORITHMS_WEIGHT_PANELS_H
#define FC_ALGORITHMS_WEIGHT_PANELS_H

#include "algorithms/problem.h"
#include "algorithms/window.h"

/* x or grad_y. */
typedef struct fc_pixel_source {
    const char *pixels;
    fc_strides steps;
    ptrdiff_t element;
    bool planes;                                 /* NCHW */
    void (*transpose)(const fc_transpose *rows); /* elements of this size */
} fc_pixel_source;

/* Some images, and their rows and columns. */
typedef struct fc_pixel_area {
    ptrdiff_t image, images;
    fc_range rows, columns;
} fc_pixel_area;

static inline ptrdiff_t fc_area_rows(const fc_pixel_area *area) { return fc_max(0, area->rows.end - area->rows.first); }

static inline ptrdiff_t fc_area_columns(const fc_pixel_area *area)
{
    return fc_max(0, area->columns.end - area->columns.first);
}

/* Where pixel (image, row, column) of an area lies: at start + image * steps.n + row * steps.h + column * steps.w, counted
 * from the area's own first ones. steps.c leads to the next of the channels that one tile reads. */
typedef struct fc_pixel_place {
    const char *start;
    fc_strides steps;
} fc_pixel_place;

fc_pixel_place fc_place_where_they_lie(const fc_pixel_source *source, const fc_pixel_area *area, ptrdiff_t channel);

/* Copies `channels` from `channel` on to [image][row][column][width], zeros behind the last one. In planes, the width is
 * less than a vector more than the channels. */
fc_pixel_place fc_copy_pixels(const fc_pixel_source *source, const fc_pixel_area *area, ptrdiff_t channel,
                              ptrdiff_t channels, ptrdiff_t width, char *to);

#endif
