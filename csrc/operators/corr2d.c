/* SPDX-License-Identifier: BSD-3-Clause */
#include "operators/dispatch.h"
#include "operators/judge.h"
#include "platform/status.h"

fc_status fc_corr2d_shape(const fc_corr2d_params *params, int64_t out[2], fc_error *error)
{
    fc_problem problem;
    fc_status status = fc_judge_corr2d(FC_CORR2D, params, &problem, error);
    if (status) return status;
    out[0] = problem.out[0];
    out[1] = problem.out[1];
    return fc_succeed(error);
}

static fc_status correlate(const fc_corr2d_params *params, const fc_operands *operands, const char *algorithm,
                           fc_error *error)
{
    fc_problem problem;
    fc_status status = fc_judge_corr2d(FC_CORR2D, params, &problem, error);
    if (status) return status;
    problem.with_bias = operands->bias != NULL;
    return fc_dispatch(&problem, operands, algorithm, error);
}

fc_status fc_corr2d(const fc_corr2d_params *params, const void *x, const void *w, const void *bias, void *y,
                    const char *algorithm, fc_error *error)
{
    return correlate(params, &(fc_operands){.x = x, .w = w, .bias = bias, .y = y}, algorithm, error);
}

fc_status fc_corr2d_prepared(const fc_corr2d_params *params, const void *x, const void *prepared, const void *bias,
                             void *y, const char *algorithm, fc_error *error)
{
    return correlate(params, &(fc_operands){.x = x, .w = prepared, .prepared = prepared, .bias = bias, .y = y},
                     algorithm, error);
}

fc_status fc_corr2d_choose(const fc_corr2d_params *params, const char *algorithm, const char **name,
                           size_t *prepared_bytes, fc_error *error)
{
    fc_problem problem;
    const fc_algorithm *chosen;
    fc_status status = fc_judge_corr2d(FC_CORR2D, params, &problem, error);
    if (status || (status = fc_choose(&problem, algorithm, &chosen, error))) return status;
    *name = chosen->name;
    *prepared_bytes = chosen->prepared_bytes ? chosen->prepared_bytes(&problem) : 0;
    return fc_succeed(error);
}

fc_status fc_corr2d_prepare(const fc_corr2d_params *params, const char *algorithm, const void *w, void *prepared,
                            fc_error *error)
{
    fc_problem problem;
    const fc_algorithm *chosen;
    fc_status status = fc_judge_corr2d(FC_CORR2D, params, &problem, error);
    if (status || (status = fc_choose(&problem, algorithm, &chosen, error))) return status;
    if (chosen->prepared_bytes && chosen->prepared_bytes(&problem)) chosen->prepare(&problem, w, prepared);
    return fc_succeed(error);
}

fc_status fc_explain_corr2d(fc_operation operation, const fc_corr2d_params *params, fc_explanation *explanation,
                            fc_error *error)
{
    fc_problem problem;
    fc_status status;
    if (operation > FC_CORR2D_WEIGHT_GRAD)
        return fc_fail(error, FC_BAD_VALUE, "operation %d is not a correlation", (int)operation);
    status = fc_judge_corr2d(operation, params, &problem, error);
    return status ? status : fc_explain(&problem, explanation, error);
}
