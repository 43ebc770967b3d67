/* SPDX-License-Identifier: BSD-3-Clause */
/* lane_tasks.h -- the work of those input gradients whose lanes are outputs of a group, see lane_weights.h, cut into tasks: some
 * rows of points of an image, or some small images, and some vectors of a group. What a task reads of grad_y is copied into a
 * block with the zeros around it, [row][column][member][group], or by chunks of members that fill a vector,
 * [row][chunk][column][member][group]. NCHW images are turned on the way in and on the way out. Sums are made in chunks of
 * FC_DEPTH steps at most. */
#ifndef FC_ALGORITHMS_LANE_TASKS_H
#define FC_ALGORITHMS_LANE_TASKS_H

#include "algorithms/lane_weights.h"

typedef enum fc_weights_kept {
    FC_ALL_WEIGHTS,   /* are packed before, for all tasks */
    FC_TASK_WEIGHTS,  /* by each thread, for its task and the strips that follow */
    FC_CHUNK_WEIGHTS, /* by each thread, for one chunk of one vector, where nothing else uses them */
} fc_weights_kept;

typedef struct fc_lane_plan {
    fc_group_grid grid;
    fc_lane_share share;
    bool by_chunks;                    /* of members, the block */
    ptrdiff_t rows, width;             /* of points; columns of the block */
    ptrdiff_t members, element;        /* of one group */
    ptrdiff_t x_pixel, x_chunk, x_row; /* of the block, elements */
    ptrdiff_t images, batches;         /* of a task, and how many tasks take all of them */
    ptrdiff_t strips, pieces, chunks;  /* chunks of members, whose sums are made at once */
    fc_weights_kept kept;
    size_t x_bytes, y_bytes, w_bytes; /* of a slot; x and y: of an image */
} fc_lane_plan;

/* What does not depend on the number of threads. */
void fc_begin_lane_plan(const fc_problem *problem, bool by_chunks, fc_lane_plan *plan);
/* The rest; most_taps: of a phase. */
void fc_end_lane_plan(const fc_problem *problem, ptrdiff_t most_taps, fc_lane_plan *plan);
bool fc_lane_rows_fit(const fc_problem *problem, const fc_lane_plan *plan);

/* One task. y is the first output of the task in the first row of points. */
typedef struct fc_lane_part {
    const fc_problem *p;
    const fc_lane_plan *s;
    fc_range rows;
    ptrdiff_t images;
    char *x, *y, *nowhere;
    ptrdiff_t y_image, y_row, y_pixel, y_group;
} fc_lane_part;

/* All points of a part, for some members and one vector, whose packed weights begin with those of the first of them. `output` is the
 * first one of the vector, counted from the part's; with `add` something is there already. */
typedef void fc_lane_walk(const fc_lane_part *part, const void *context, const void *w, fc_range members,
                          ptrdiff_t output, bool add);

size_t fc_lane_slot_bytes(const fc_problem *problem, const fc_lane_plan *plan);
size_t fc_lane_prepared_bytes(const fc_problem *problem, const fc_lane_plan *plan);
void fc_lane_prepare(const fc_problem *problem, const void *w, void *prepared);
void fc_lane_run(const fc_problem *problem, const fc_operands *operands, const fc_workspace *workspace,
                 const fc_lane_plan *plan, fc_lane_walk *walk, const void *context);

#endif
