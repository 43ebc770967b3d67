/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_tiles.h -- the split of a pooling problem into tasks.
 *
 * Both layouts are images of pixels of `depth` neighbouring lanes: NCHW is batch * channels images of depth 1, NHWC
 * is batch images of depth `channels`. A task is a tile of results of one image, or a group of whole small images:
 * a band of rows, a block of columns, and if the pixels are deep a slice of their lanes. The split comes from the
 * geometry of one image alone, so that neither threads nor the batch change it. */
#ifndef FC_ALGORITHMS_POOL2D_TILES_H
#define FC_ALGORITHMS_POOL2D_TILES_H

#include "algorithms/slide.h"

typedef struct fc_pool_tiles {
    fc_slide_axis axes[2];
    ptrdiff_t images, depth;
    ptrdiff_t group, rows, columns, lanes;                   /* the most of a tile */
    ptrdiff_t groups, row_bands, column_blocks, lane_slices; /* how many */
    ptrdiff_t item_rows, item_columns;                       /* the most items that the results of a tile touch */
    ptrdiff_t tasks;
} fc_pool_tiles;

typedef struct fc_pool_tile {
    fc_range images, rows, columns, lanes;
} fc_pool_tile;

/* About `row_lanes` lanes of items in a row of a tile; pixels deeper than `deepest` are sliced. Windows that are
 * large against this make the tiles larger, so that what neighbours read twice stays a fraction. */
fc_pool_tiles fc_pool_split(const fc_problem *p, bool gradient, ptrdiff_t row_lanes, ptrdiff_t deepest);

fc_pool_tile fc_pool_tile_of(const fc_pool_tiles *tiles, ptrdiff_t task);

/* The divisor of an output is the product of these: what its window counts along the axes; or the divisor that was
 * given and 1. */
double fc_pool_row_count(const fc_problem *p, ptrdiff_t row);
double fc_pool_column_count(const fc_problem *p, ptrdiff_t column);

/* counts[i] = the latter for output columns first … end - 1, each `times` times, as floats or doubles. */
void fc_pool_counts(const fc_problem *p, fc_range columns, ptrdiff_t times, void *counts);

/* Whether the windows are the image's tiles: each element lies in one. */
bool fc_pool_windows_tile(const fc_problem *p);

/* At stride 1 the gradient of the average is a sum over windows of grad_y, divided: as a pooling of that. */
fc_problem fc_pool_sums_of(const fc_problem *gradient);

/* Of pool2d_blocks.c: NULL, or why sliding windows are better combined in another way, of those that serve any. */
const char *fc_pool_blocks_pass(const fc_problem *problem);

/* Lanes of a pixel: in NCHW the planes of an image follow each other as images do. */
static inline ptrdiff_t fc_pool_depth(const fc_problem *p) { return p->layout == FC_NCHW ? 1 : p->channels; }

/* Element (row, column, lane) of an image. */
static inline ptrdiff_t fc_pool_offset(const fc_pool_tiles *t, const ptrdiff_t size[2], ptrdiff_t image, ptrdiff_t row,
                                       ptrdiff_t column, ptrdiff_t lane)
{
    return ((image * size[0] + row) * size[1] + column) * t->depth + lane;
}

/* Brings a finished row of a tile home: `lanes` lanes of each pixel, next to each other in src. */
void fc_pool_store(const fc_pool_tiles *t, ptrdiff_t pixels, ptrdiff_t lanes, char *dst, const char *src,
                   size_t element);

/* The same for places: dst = base + place, or -1. */
void fc_pool_store_places(const fc_pool_tiles *t, ptrdiff_t pixels, ptrdiff_t lanes, int64_t *dst, const fc_place *src,
                          int64_t base);

/* columns[i * lanes + l] = first + i: places within a row. */
void fc_pool_columns(fc_range columns, ptrdiff_t lanes, fc_place *places);

/* Whether a place of a tile's items fits; the one of FC_NO_PLACE is taken. */
bool fc_pool_places_fit(const fc_pool_tiles *t);

/* The next array of a slot, and its bytes added to *bytes; NULL when slot is, which only measures. */
char *fc_pool_take(char *slot, size_t *bytes, size_t count, size_t element);

static inline ptrdiff_t fc_length(fc_range range) { return range.end - range.first; }

#endif
