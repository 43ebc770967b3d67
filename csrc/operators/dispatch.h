/* SPDX-License-Identifier: BSD-3-Clause */
/* dispatch.h -- choose an algorithm for a judged problem, give it memory and threads, run it, or explain it. */
#ifndef FC_OPERATORS_DISPATCH_H
#define FC_OPERATORS_DISPATCH_H

#include "algorithms/algorithm.h"
#include "fastconv.h"

/* `name` NULL: the first of the list that does not decline, judged as for one image in batch-invariant mode. */
fc_status fc_choose(const fc_problem *problem, const char *name, const fc_algorithm **chosen, fc_error *error);

/* Runs it. The weights are prepared on the way when operands->prepared is NULL and the algorithm wants that. */
fc_status fc_dispatch(const fc_problem *problem, const fc_operands *operands, const char *name, fc_error *error);

fc_status fc_explain(const fc_problem *problem, fc_explanation *explanation, fc_error *error);

#endif
