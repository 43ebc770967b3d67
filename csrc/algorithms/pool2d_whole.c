/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_whole.c -- global pooling: one window that holds the whole image. In NCHW a task folds some planes, each one
 * run of memory; in NHWC a slice of the channels of an image: a row's pixels are folded one after the other as they
 * follow in memory, and then the rows, so that no chain of sums is longer than both sides of the image. */
#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BYTES_A_TASK 65536
#define LANES_A_SLICE 2048 /* two rows of them stay in the first level cache; less when there would be few tasks */
#define TASKS 8
#define FEW_CHANNELS 128

typedef struct whole_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    ptrdiff_t planes_a_task;         /* NCHW */
    ptrdiff_t slices, lanes_a_slice; /* NHWC, of an image */
} whole_call;

static bool average(const fc_problem *p) { return p->operation == FC_AVG_POOL2D; }

static const fc_pool_kernels *kernels(const fc_problem *p) { return &p->kernels->pool[p->dtype]; }

static const fc_fold_kernels *fold(const fc_problem *p) { return average(p) ? &kernels(p)->add : &kernels(p)->max; }

static void run_planes(void *context, ptrdiff_t task, int slot)
{
    const whole_call *call = context;
    const fc_problem *p = call->p;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t first = task * call->planes_a_task, plane = p->in[0] * p->in[1];
    const ptrdiff_t planes = fc_min(call->planes_a_task, p->batch * p->channels - first);
    char *y = (char *)call->operands->y + (size_t)first * element;
    double count = 0; /* room for either type */
    (void)slot;
    fold(p)->planes(planes, plane, y, (const char *)call->operands->x + (size_t)(first * plane) * element);
    if (!average(p)) return;
    fc_pool_counts(p, (fc_range){0, 1}, 1, &count);
    kernels(p)->divide(1, planes, y, y, fc_pool_row_count(p, 0), &count);
}

static void run_slice(void *context, ptrdiff_t task, int slot)
{
    const whole_call *call = context;
    const fc_problem *p = call->p;
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t image = task / call->slices, first = task % call->slices * call->lanes_a_slice;
    const ptrdiff_t number = task % call->slices;
    const ptrdiff_t lanes = number == call->slices - 1 ? p->channels - first : call->lanes_a_slice;
    const char *x = call->operands->x;
    char *y = (char *)call->operands->y + (size_t)(image * p->channels + first) * element;
    char *row = call->workspace->slots + (size_t)slot * call->workspace->slot_bytes;
    double count = 0; /* room for either type */
    x += (size_t)(image * p->in[0] * p->in[1] * p->channels + first) * element;
    fold(p)->rows(lanes, y, x, p->in[1], p->channels);
    for (ptrdiff_t h = 1; h < p->in[0]; h++) {
        x += (size_t)(p->in[1] * p->channels) * element;
        fold(p)->rows(lanes, row, x, p->in[1], p->channels);
        fold(p)->pair(lanes, y, y, row);
    }
    if (!average(p)) return;
    fc_pool_counts(p, (fc_range){0, 1}, 1, &count);
    kernels(p)->divide(1, lanes, y, y, fc_pool_row_count(p, 0), &count);
}

static ptrdiff_t lanes_a_slice(const fc_problem *p)
{
    const ptrdiff_t line = FC_CACHE_LINE / (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t slices = fc_max(TASKS / fc_max(p->batch, 1), 1);
    return fc_max(fc_min(p->channels / slices, LANES_A_SLICE) / line, 1) * line;
}

/* The last slice takes what is left over. */
static size_t slot_bytes(const fc_problem *p)
{
    return p->layout == FC_NHWC ? (size_t)(2 * lanes_a_slice(p)) * fc_dtype_size(p->dtype) : 0;
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    whole_call call = {.p = p, .operands = operands, .workspace = workspace};
    if (!p->batch || !p->channels) return;
    if (p->layout == FC_NCHW) {
        call.planes_a_task = fc_max(1, BYTES_A_TASK / (p->in[0] * p->in[1] * (ptrdiff_t)fc_dtype_size(p->dtype)));
        fc_parallel_shares((p->batch * p->channels - 1) / call.planes_a_task + 1, workspace->threads, average(p),
                           run_planes, &call);
    } else {
        call.lanes_a_slice = lanes_a_slice(p);
        call.slices = fc_max(p->channels / call.lanes_a_slice, 1);
        fc_parallel_shares(p->batch * call.slices, workspace->threads, average(p), run_slice, &call);
    }
}

static bool all(const fc_problem *p, int axis)
{
    return p->out[axis] == 1 && fc_window_start(p, axis, 0) <= 0 && p->dilation[axis] == 1 &&
           fc_length(fc_taps_inside(p, axis, 0)) == p->in[axis];
}

static const char *decline(const fc_problem *p)
{
    if (p->with_indices) return "places are asked for";
    if (p->layout == FC_NCHW && p->dtype != FC_F32 && p->dtype != FC_F64) return "not float32 or float64";
    if (!all(p, 0) || !all(p, 1)) return "not one window that holds the whole image";
    return NULL;
}

/* Slices of so few channels are short runs of memory: `rows` is faster. */
static const char *pass(const fc_problem *p)
{
    return p->layout == FC_NHWC && p->channels < FEW_CHANNELS ? "few channels" : NULL;
}

const fc_algorithm fc_max_pool2d_whole = {
    .name = "whole", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_whole = {
    .name = "whole", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
