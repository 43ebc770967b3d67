/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_direct.c -- the definition, for the correlation and its two gradients. Accepts everything, reads every layout
 * through strides, and adds in the order c, kh, kw (input gradient: oc, kh, kw; weight gradient: n, oh, ow). */
#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/by_definition.h"
#include "algorithms/window.h"
#include "platform/parallel.h"

typedef struct direct_call {
    const fc_problem *p;
    const fc_operands *operands;
    fc_strides x, w, y; /* of x or grad_x, of w or grad_w, of y or grad_y */
} direct_call;

#define T float
#define NAME(function) function##_f32
#include "algorithms/corr2d_direct.h"
#define T double
#define NAME(function) function##_f64
#include "algorithms/corr2d_direct.h"
#define T uint32_t
#define NAME(function) function##_i32
#include "algorithms/corr2d_direct.h"
#define T uint64_t
#define NAME(function) function##_i64
#include "algorithms/corr2d_direct.h"

static direct_call call_of(const fc_problem *p, const fc_operands *operands)
{
    return (direct_call){p, operands, fc_image_strides(p->layout, p->channels, p->in), fc_weight_strides(p),
                         fc_image_strides(p->layout, p->out_channels, p->out)};
}

void fc_corr2d_by_definition(const fc_problem *p, const fc_operands *operands, ptrdiff_t n, ptrdiff_t o, fc_range rows,
                             fc_range columns)
{
    const direct_call call = call_of(p, operands);
    for (ptrdiff_t i = rows.first; i < rows.end; i++) {
        if (p->dtype == FC_F32)
            forward_run_f32(&call, n, o, i, columns);
        else
            forward_run_f64(&call, n, o, i, columns);
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace, ptrdiff_t tasks,
                const fc_task by_dtype[4])
{
    const direct_call call = call_of(p, operands);
    fc_parallel_for(tasks, workspace->threads, true, by_dtype[p->dtype], (void *)&call);
}

static void run_forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task row[4] = {
        [FC_F32] = forward_row_f32, [FC_F64] = forward_row_f64, [FC_I32] = forward_row_i32, [FC_I64] = forward_row_i64};
    run(p, operands, workspace, p->batch * p->out_channels * p->out[0], row);
}

static void run_input_grad(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task row[4] = {[FC_F32] = input_grad_row_f32,
                                   [FC_F64] = input_grad_row_f64,
                                   [FC_I32] = input_grad_row_i32,
                                   [FC_I64] = input_grad_row_i64};
    run(p, operands, workspace, p->batch * p->channels * p->in[0], row);
}

static void run_weight_grad(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task plane[4] = {[FC_F32] = weight_grad_plane_f32,
                                     [FC_F64] = weight_grad_plane_f64,
                                     [FC_I32] = weight_grad_plane_i32,
                                     [FC_I64] = weight_grad_plane_i64};
    run(p, operands, workspace, p->out_channels * (p->channels / p->groups), plane);
    fc_bias_grad(p, operands, workspace->threads);
}

const fc_algorithm fc_corr2d_direct = {.name = "direct", .run = run_forward};
const fc_algorithm fc_corr2d_input_grad_direct = {.name = "direct", .run = run_input_grad};
const fc_algorithm fc_corr2d_weight_grad_direct = {.name = "direct", .run = run_weight_grad};
