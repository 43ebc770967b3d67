/* SPDX-License-Identifier: BSD-3-Clause */
/* slide.h -- windows over rows of lanes, combined in a time that does not depend on their length.
 *
 * Along one axis every result combines an interval of items. In pooling results are outputs and items are inputs; in
 * its gradient results are inputs and items the outputs that read them. Either way the results fall into classes
 * within which the items form an arithmetic progression and both ends of the intervals never go back.
 *
 * Two stacks serve such a class: items in front of a middle are kept combined as suffixes (from each item up to the
 * middle), items behind it in one running row; a result is one suffix combined with the running row. When the front
 * is used up, the middle moves to the end of the window. Nothing is ever subtracted, so a NaN, an infinity or a huge
 * value reaches only the results whose interval holds it, and a result is made in about three combinations. */
#ifndef FC_ALGORITHMS_SLIDE_H
#define FC_ALGORITHMS_SLIDE_H

#include "algorithms/problem.h"
#include "algorithms/window.h"

/* ---- which items make up a result ------------------------------------------------------------------------- */

typedef struct fc_slide_axis {
    const fc_problem *p;
    int axis;
    bool gradient; /* results are inputs, items are outputs */
} fc_slide_axis;

typedef struct fc_slide_class {
    fc_slide_axis along;
    ptrdiff_t first, step, end;         /* the results: first, first + step ... below end */
    ptrdiff_t item, item_step;          /* item q of the class is at item + q * item_step */
    ptrdiff_t items, period, tap_reach; /* gradient: outputs of the class, inputs between two of them, last tap */
} fc_slide_class;

ptrdiff_t fc_slide_results(fc_slide_axis along);
ptrdiff_t fc_slide_items(fc_slide_axis along);

/* The classes among the results first … end - 1, and class c of them. */
ptrdiff_t fc_slide_classes(fc_slide_axis along, fc_range results);
fc_slide_class fc_slide_class_of(fc_slide_axis along, fc_range results, ptrdiff_t c);

/* The items of one result of the class, as q. */
fc_range fc_slide_interval(const fc_slide_class *class, ptrdiff_t result);

/* The most items that a result can have. */
ptrdiff_t fc_slide_longest(fc_slide_axis along);

/* All items that the results first … end - 1 can touch. */
fc_range fc_slide_reach(fc_slide_axis along, fc_range results);

/* ---- combining them ---------------------------------------------------------------------------------------- */

/* Lanes, and for a maximum with indices their places. */
typedef struct fc_lane_row {
    char *value;
    fc_place *place;
} fc_lane_row;

/* The row of item q, readable until the next one is asked for. */
typedef fc_lane_row (*fc_slide_item)(void *context, ptrdiff_t q);

typedef struct fc_slide {
    const fc_pool_kernels *kernels;
    bool sum;
    ptrdiff_t lanes;
    size_t element;
    fc_slide_item item;
    void *context;
    /* Suffixes of a whole window may take much memory: only `block` of them are kept, and from each multiple of
     * block items in front of the middle the suffix (a checkpoint) that the next block is rebuilt from. */
    ptrdiff_t block;
    fc_lane_row suffixes, checkpoints, running;
    ptrdiff_t middle, behind; /* the running row combines items middle … behind - 1 */
    ptrdiff_t kept, kept_end; /* suffixes of these items are in memory */
} fc_slide;

/* Forgets all items: the start of a class. */
void fc_slide_restart(fc_slide *slide);

/* dst = the items of the interval, which lies nowhere in front of the interval before. */
void fc_slide_window(fc_slide *slide, fc_range items, fc_lane_row dst);

#endif
