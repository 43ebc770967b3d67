/* SPDX-License-Identifier: BSD-3-Clause */
#include "operators/dispatch.h"
#include "operators/judge.h"

fc_status fc_corr2d_input_grad(const fc_corr2d_params *params, const void *grad_y, const void *w, void *grad_x,
                               const char *algorithm, fc_error *error)
{
    const fc_operands operands = {.grad_y = grad_y, .w = w, .y = grad_x};
    fc_problem problem;
    fc_status status = fc_judge_corr2d(FC_CORR2D_INPUT_GRAD, params, &problem, error);
    return status ? status : fc_dispatch(&problem, &operands, algorithm, error);
}

fc_status fc_corr2d_weight_grad(const fc_corr2d_params *params, const void *grad_y, const void *x, void *grad_w,
                                void *grad_bias, const char *algorithm, fc_error *error)
{
    const fc_operands operands = {.grad_y = grad_y, .x = x, .y = grad_w, .grad_bias = grad_bias};
    fc_problem problem;
    fc_status status = fc_judge_corr2d(FC_CORR2D_WEIGHT_GRAD, params, &problem, error);
    if (status) return status;
    problem.with_bias = grad_bias != NULL;
    return fc_dispatch(&problem, &operands, algorithm, error);
}
