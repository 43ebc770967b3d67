/* SPDX-License-Identifier: BSD-3-Clause */
/* judge.h -- params in, a judged problem out, or the one sentence that says what is wrong. */
#ifndef FC_OPERATORS_JUDGE_H
#define FC_OPERATORS_JUDGE_H

#include "algorithms/problem.h"
#include "fastconv.h"

fc_status fc_judge_corr2d(fc_operation operation, const fc_corr2d_params *params, fc_problem *problem, fc_error *error);
fc_status fc_judge_pool2d(fc_operation operation, const fc_pool2d_params *params, fc_problem *problem, fc_error *error);
fc_status fc_judge_max_pool2d_grad(const fc_max_pool2d_grad_params *params, fc_problem *problem, fc_error *error);

#endif
