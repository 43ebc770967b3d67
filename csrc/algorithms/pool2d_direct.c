/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_direct.c -- the definitions of pooling and its gradients. Accepts everything, reads both layouts through
 * strides; time grows with the window, as far as it lies inside the image. The gradient of the maximum, which has no
 * window, is added up in the order of the outputs. */
#include <math.h>
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/fetch.h"
#include "platform/memory.h"
#include "platform/parallel.h"

/* The gradient of the maximum. NCHW: a task takes planes of so many bytes. NHWC: it takes some channels of an image, at
 * least some cache lines, and all when there are so many images that each makes a task. */
#define BYTES_A_TASK 65536
#define CHANNELS_A_SLICE 32
#define TASKS 8
#define TOGETHER 4     /* planes */
#define FEWEST_TASKS 4 /* with several planes */
#define BYTES_TOGETHER (512 * 1024)
#define CLEARED_AT_ONCE 4096
#define PIXELS_AHEAD 8 /* of a slice of channels: of large maps it made 1.2 to 1.7 times as fast */

typedef struct direct_call {
    const fc_problem *p;
    const fc_operands *operands;
    fc_strides in, out;
    /* The gradient of the maximum: planes or channels of a task, and in NHWC tasks of an image. */
    ptrdiff_t part, slices;
    bool together; /* planes take turns */
} direct_call;

#define FLOATING 1
#define IS_NAN(value) ((value) != (value))
#define T float
#define U float
#define LOWEST (-INFINITY)
#define NAME(function) function##_f32
#include "algorithms/pool2d_direct.h"
#define T double
#define U double
#define LOWEST (-INFINITY)
#define NAME(function) function##_f64
#include "algorithms/pool2d_direct.h"
#undef FLOATING
#undef IS_NAN

#define FLOATING 0
#define IS_NAN(value) 0
#define T int32_t
#define U uint32_t
#define LOWEST INT32_MIN
#define NAME(function) function##_i32
#include "algorithms/pool2d_direct.h"
#define T int64_t
#define U uint64_t
#define LOWEST INT64_MIN
#define NAME(function) function##_i64
#include "algorithms/pool2d_direct.h"
#define T int8_t
#define U uint8_t
#define LOWEST INT8_MIN
#define NAME(function) function##_i8
#include "algorithms/pool2d_direct.h"
#define T uint8_t
#define U uint8_t
#define LOWEST 0
#define NAME(function) function##_u8
#include "algorithms/pool2d_direct.h"
#define T int16_t
#define U uint16_t
#define LOWEST INT16_MIN
#define NAME(function) function##_i16
#include "algorithms/pool2d_direct.h"
#define T uint16_t
#define U uint16_t
#define LOWEST 0
#define NAME(function) function##_u16
#include "algorithms/pool2d_direct.h"
#define T uint32_t
#define U uint32_t
#define LOWEST 0
#define NAME(function) function##_u32
#include "algorithms/pool2d_direct.h"
#define T uint64_t
#define U uint64_t
#define LOWEST 0
#define NAME(function) function##_u64
#include "algorithms/pool2d_direct.h"
#undef FLOATING
#undef IS_NAN

#define BY_DTYPE(function)                                                                                          \
    {                                                                                                               \
        [FC_F32] = function##_f32, [FC_F64] = function##_f64, [FC_I32] = function##_i32, [FC_I64] = function##_i64, \
        [FC_I8] = function##_i8,   [FC_U8] = function##_u8,   [FC_I16] = function##_i16, [FC_U16] = function##_u16, \
        [FC_U32] = function##_u32, [FC_U64] = function##_u64,                                                       \
    }

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace, ptrdiff_t tasks,
                bool flush_subnormals, fc_task task)
{
    const direct_call call = {p,
                              operands,
                              fc_image_strides(p->layout, p->channels, p->in),
                              fc_image_strides(p->layout, p->channels, p->out),
                              0,
                              0,
                              false};
    fc_parallel_shares(tasks, workspace->threads, flush_subnormals, task, (void *)&call);
}

static void run_max(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task row[FC_DTYPES] = BY_DTYPE(max_row);
    run(p, operands, workspace, p->batch * p->channels * p->out[0], false, row[p->dtype]);
}

/* Where windows overlap, by the numbers of inputs and outputs, as neighbours then have one maximum; while a cache holds the
 * planes. */
static bool takes_turns(const fc_problem *p)
{
    const ptrdiff_t outputs = p->out[0] * p->out[1], inputs = p->in[0] * p->in[1];
    return inputs < 2 * outputs && inputs <= BYTES_TOGETHER / TOGETHER / (ptrdiff_t)fc_dtype_size(p->dtype);
}

static void run_max_grad(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task planes[FC_DTYPES] = BY_DTYPE(max_grad_planes), slice[FC_DTYPES] = BY_DTYPE(max_grad_slice);
    direct_call call = {.p = p, .operands = operands, .slices = 1};
    if (!p->batch || !p->channels) return;
    if (p->layout == FC_NCHW) {
        call.part = fc_max(1, BYTES_A_TASK / (p->in[0] * p->in[1] * (ptrdiff_t)fc_dtype_size(p->dtype)));
        call.together = takes_turns(p);
        if (call.together) call.part = fc_max(call.part, fc_min(TOGETHER, p->batch * p->channels / FEWEST_TASKS));
        fc_parallel_shares((p->batch * p->channels - 1) / call.part + 1, workspace->threads, false, planes[p->dtype],
                           &call);
    } else {
        const ptrdiff_t slices = fc_max(1, TASKS / p->batch);
        call.part = fc_max(p->channels / slices / CHANNELS_A_SLICE, 1) * CHANNELS_A_SLICE;
        call.slices = (p->channels - 1) / call.part + 1;
        fc_parallel_shares(p->batch * call.slices, workspace->threads, false, slice[p->dtype], &call);
    }
}

static void run_average(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task row[FC_DTYPES] = {[FC_F32] = average_row_f32, [FC_F64] = average_row_f64};
    run(p, operands, workspace, p->batch * p->channels * p->out[0], true, row[p->dtype]);
}

static void run_average_grad(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task plane[FC_DTYPES] = {[FC_F32] = average_grad_plane_f32, [FC_F64] = average_grad_plane_f64};
    run(p, operands, workspace, p->batch * p->channels, true, plane[p->dtype]);
}

const fc_algorithm fc_max_pool2d_direct = {.name = "direct", .run = run_max};
const fc_algorithm fc_avg_pool2d_direct = {.name = "direct", .run = run_average};
const fc_algorithm fc_max_pool2d_grad_direct = {.name = "direct", .run = run_max_grad};
const fc_algorithm fc_avg_pool2d_grad_direct = {.name = "direct", .run = run_average_grad};
