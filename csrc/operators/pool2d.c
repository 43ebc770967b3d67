/* SPDX-License-Identifier: BSD-3-Clause */
#include "operators/dispatch.h"
#include "operators/judge.h"
#include "platform/status.h"

fc_status fc_pool2d_shape(const fc_pool2d_params *params, int64_t out[2], fc_error *error)
{
    fc_problem problem;
    fc_status status = fc_judge_pool2d(FC_MAX_POOL2D, params, &problem, error);
    if (status) return status;
    out[0] = problem.out[0];
    out[1] = problem.out[1];
    return fc_succeed(error);
}

fc_status fc_max_pool2d(const fc_pool2d_params *params, const void *x, void *y, int64_t *indices, const char *algorithm,
                        fc_error *error)
{
    const fc_operands operands = {.x = x, .y = y, .argmax = indices};
    fc_problem problem;
    fc_status status = fc_judge_pool2d(FC_MAX_POOL2D, params, &problem, error);
    if (status) return status;
    problem.with_indices = indices != NULL;
    return fc_dispatch(&problem, &operands, algorithm, error);
}

fc_status fc_avg_pool2d(const fc_pool2d_params *params, const void *x, void *y, const char *algorithm, fc_error *error)
{
    const fc_operands operands = {.x = x, .y = y};
    fc_problem problem;
    fc_status status = fc_judge_pool2d(FC_AVG_POOL2D, params, &problem, error);
    return status ? status : fc_dispatch(&problem, &operands, algorithm, error);
}

fc_status fc_explain_pool2d(fc_operation operation, const fc_pool2d_params *params, bool with_indices,
                            fc_explanation *explanation, fc_error *error)
{
    fc_problem problem;
    fc_status status;
    if (operation < FC_MAX_POOL2D || operation > FC_AVG_POOL2D_GRAD)
        return fc_fail(error, FC_BAD_VALUE, "operation %d is not a pooling", (int)operation);
    status = fc_judge_pool2d(operation, params, &problem, error);
    if (status) return status;
    problem.with_indices = with_indices && operation == FC_MAX_POOL2D;
    return fc_explain(&problem, explanation, error);
}
