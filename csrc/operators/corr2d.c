/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "algorithms/strided_copy.h"
#include "operators/dispatch.h"
#include "operators/judge.h"
#include "platform/memory.h"
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

fc_status fc_corr2d(const fc_corr2d_params *params, const void *x, const void *w, const void *bias, void *y,
                    const char *algorithm, fc_error *error)
{
    const fc_operands operands = {.x = x, .w = w, .bias = bias, .y = y};
    fc_problem problem;
    fc_status status = fc_judge_corr2d(FC_CORR2D, params, &problem, error);
    if (status) return status;
    problem.with_bias = bias != NULL;
    return fc_dispatch(&problem, &operands, algorithm, error);
}

/* What prepared weights begin with. The instruction set may be changed between the preparation and a call. */
typedef struct prepared_header {
    _Alignas(FC_CACHE_LINE) const fc_kernels *kernels;
} prepared_header;

static fc_status judge_and_choose(const fc_corr2d_params *params, const char *algorithm, fc_problem *problem,
                                  const fc_algorithm **chosen, fc_error *error)
{
    fc_status status = fc_judge_corr2d(FC_CORR2D, params, problem, error);
    problem->weights_stay = true;
    return status ? status : fc_choose(problem, algorithm, chosen, error);
}

/* Behind it lie what the algorithm made, and a copy of the weights where that reads them too. */
typedef struct prepared_parts {
    size_t made, plain, all; /* bytes; all 0: the weights as they lie */
} prepared_parts;

static prepared_parts parts_of(const fc_algorithm *algorithm, const fc_problem *problem)
{
    prepared_parts parts = {.made = fc_bytes_of(algorithm->prepared_bytes, problem)};
    if (!parts.made) return parts;
    parts.made = fc_size_lines(parts.made);
    parts.plain = algorithm->reads_weights ? fc_weight_bytes(problem) : 0;
    parts.all = fc_size_add(sizeof(prepared_header), fc_size_add(parts.made, parts.plain));
    return parts;
}

static fc_status must_have_bytes(size_t bytes, size_t wanted, fc_error *error)
{
    if (bytes == wanted) return FC_OK;
    return fc_fail(error, FC_BAD_VALUE, "prepared has %zu bytes but must have %zu", bytes, wanted);
}

fc_status fc_corr2d_choose(const fc_corr2d_params *params, const char *algorithm, const char **name,
                           size_t *prepared_bytes, fc_error *error)
{
    fc_problem problem;
    const fc_algorithm *chosen;
    fc_status status = judge_and_choose(params, algorithm, &problem, &chosen, error);
    if (status) return status;
    *name = chosen->name;
    *prepared_bytes = parts_of(chosen, &problem).all;
    return fc_succeed(error);
}

fc_status fc_corr2d_prepare(const fc_corr2d_params *params, const char *algorithm, const void *w, void *prepared,
                            size_t prepared_bytes, fc_error *error)
{
    fc_problem problem;
    const fc_algorithm *chosen;
    prepared_header header;
    fc_status status = judge_and_choose(params, algorithm, &problem, &chosen, error);
    if (status) return status;
    const prepared_parts parts = parts_of(chosen, &problem);
    if ((status = must_have_bytes(prepared_bytes, parts.all, error))) return status;
    if (!prepared_bytes) return fc_succeed(error);
    header.kernels = problem.kernels;
    memcpy(prepared, &header, sizeof header);
    chosen->prepare(&problem, w, (char *)prepared + sizeof header);
    memcpy((char *)prepared + sizeof header + parts.made, w, parts.plain);
    return fc_succeed(error);
}

fc_status fc_corr2d_prepared(const fc_corr2d_params *params, const void *x, const void *prepared, size_t prepared_bytes,
                             const void *bias, void *y, const char *algorithm, fc_error *error)
{
    fc_operands operands = {.x = x, .w = prepared, .bias = bias, .y = y};
    fc_problem problem;
    const fc_algorithm *chosen;
    prepared_header header;
    fc_status status = judge_and_choose(params, algorithm, &problem, &chosen, error);
    if (status) return status;
    problem.with_bias = bias != NULL;
    if (parts_of(chosen, &problem).all) {
        if (prepared_bytes < sizeof header) return must_have_bytes(prepared_bytes, sizeof header, error);
        memcpy(&header, prepared, sizeof header);
        problem.kernels = header.kernels;
        const prepared_parts parts = parts_of(chosen, &problem);
        if ((status = must_have_bytes(prepared_bytes, parts.all, error))) return status;
        operands.prepared = (const char *)prepared + sizeof header;
        operands.w = (const char *)prepared + sizeof header + parts.made;
    } else if ((status = must_have_bytes(prepared_bytes, fc_weight_bytes(&problem), error))) {
        return status;
    }
    return fc_dispatch(&problem, &operands, chosen->name, error);
}

fc_status fc_explain_corr2d(fc_operation operation, const fc_corr2d_params *params, fc_explanation *explanation,
                            fc_error *error)
{
    fc_problem problem;
    fc_status status;
    if ((unsigned)operation > FC_CORR2D_WEIGHT_GRAD)
        return fc_fail(error, FC_BAD_VALUE, "operation %d is not a correlation", (int)operation);
    status = fc_judge_corr2d(operation, params, &problem, error);
    return status ? status : fc_explain(&problem, explanation, error);
}
