/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_grad_blocks.c -- the gradient of an average whose windows slide by one: grad_y, divided by what the windows count, is
 * written beside it, some images at a time, and pooled by pool2d_blocks.c as averages whose divisor is one. */
#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BYTES_AT_ONCE (4 * 1024 * 1024) /* of grad_y, if an image has no more */
#define BYTES_A_TASK 65536

static size_t image_bytes(const fc_problem *p)
{
    const size_t pixels = fc_size_mul((size_t)p->out[0], (size_t)p->out[1]);
    return fc_size_mul(fc_size_mul(pixels, (size_t)p->channels), fc_dtype_size(p->dtype));
}

static ptrdiff_t images_at_once(const fc_problem *p)
{
    const ptrdiff_t most = BYTES_AT_ONCE / fc_max(1, (ptrdiff_t)image_bytes(p));
    return fc_max(1, fc_min(p->batch, most));
}

/* The pooling of some images of what was divided. */
static fc_problem sums_of(const fc_problem *p, ptrdiff_t images)
{
    fc_problem sums = fc_pool_sums_of(p);
    sums.operation = FC_AVG_POOL2D;
    sums.batch = images;
    sums.has_divisor = true;
    sums.divisor = 1;
    return sums;
}

static size_t counts_bytes(const fc_problem *p) { return fc_size_lines((size_t)p->out[1] * fc_dtype_size(p->dtype)); }

static size_t shared_bytes(const fc_problem *p)
{
    return fc_size_add(counts_bytes(p), fc_size_lines(fc_size_mul((size_t)images_at_once(p), image_bytes(p))));
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem sums = sums_of(p, images_at_once(p));
    return fc_avg_pool2d_blocks.slot_bytes(&sums);
}

typedef struct division {
    const fc_problem *p;
    const char *from;
    char *to;
    const void *counts;
    ptrdiff_t rows, rows_a_task;
} division;

static void divide_rows(void *context, ptrdiff_t task, int slot)
{
    const division *d = context;
    const fc_problem *p = d->p;
    const size_t bytes = (size_t)(p->out[1] * fc_pool_depth(p)) * fc_dtype_size(p->dtype);
    const ptrdiff_t first = task * d->rows_a_task, end = fc_min(d->rows, first + d->rows_a_task);
    (void)slot;
    for (ptrdiff_t row = first; row < end; row++)
        p->kernels->pool[p->dtype].divide(p->out[1], fc_pool_depth(p), d->to + (size_t)row * bytes,
                                          d->from + (size_t)row * bytes, fc_pool_row_count(p, row % p->out[0]),
                                          d->counts);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t at_once = images_at_once(p);
    const ptrdiff_t row = p->out[1] * fc_pool_depth(p) * (ptrdiff_t)fc_dtype_size(p->dtype);
    const size_t x_image = (size_t)(p->in[0] * p->in[1] * p->channels) * fc_dtype_size(p->dtype);
    char *counts = workspace->shared, *shares = workspace->shared + counts_bytes(p);
    fc_end_part(counts, counts_bytes(p));
    fc_pool_counts(p, (fc_range){0, p->out[1]}, 1, counts);
    for (ptrdiff_t n = 0; n < p->batch; n += at_once) {
        const ptrdiff_t images = fc_min(at_once, p->batch - n);
        const fc_problem sums = sums_of(p, images);
        fc_operands of_sums = {.x = shares, .y = (char *)operands->y + (size_t)n * x_image};
        division d = {.p = p,
                      .from = (const char *)operands->grad_y + (size_t)n * image_bytes(p),
                      .to = shares,
                      .counts = counts,
                      .rows = images * (p->channels / fc_pool_depth(p)) * p->out[0],
                      .rows_a_task = fc_max(1, BYTES_A_TASK / row)};
        fc_parallel_shares((d.rows - 1) / d.rows_a_task + 1, workspace->threads, true, divide_rows, &d);
        fc_avg_pool2d_blocks.run(&sums, &of_sums, workspace);
    }
}

static const char *decline(const fc_problem *p)
{
    if (!p->batch || !p->channels) return "there are no channels";
    for (int axis = 0; axis < 2; axis++)
        if (p->out[axis] > 1 && p->stride[axis] > 1) return "the stride is above 1";
    const fc_problem sums = sums_of(p, 1);
    return fc_avg_pool2d_blocks.decline(&sums);
}

/* Measured against two stacks over 3 to 512 channels, maps of 14x14 to 512x512 and windows of 3x3 to 61x61: half the time. */
static const char *pass(const fc_problem *p)
{
    const fc_problem sums = sums_of(p, 1);
    return fc_pool_blocks_pass(&sums);
}

const fc_algorithm fc_avg_pool2d_grad_blocks = {
    .name = "blocks",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
