/* SPDX-License-Identifier: BSD-3-Clause */
/* by_definition.h -- a few outputs of a correlation by its definition, where a fast method cannot give them. */
#ifndef FC_ALGORITHMS_BY_DEFINITION_H
#define FC_ALGORITHMS_BY_DEFINITION_H

#include <math.h>

#include "algorithms/problem.h"
#include "algorithms/window.h"

/* Of some floats or doubles, whether one is finite. */
static inline bool fc_is_finite(const void *some, ptrdiff_t at, ptrdiff_t element)
{
    return element == 4 ? isfinite(((const float *)some)[at]) : isfinite(((const double *)some)[at]);
}

/* Writes the outputs of these rows and columns of image n, channel o; reads x, w and bias. */
void fc_corr2d_by_definition(const fc_problem *problem, const fc_operands *operands, ptrdiff_t n, ptrdiff_t o,
                             fc_range rows, fc_range columns);

#endif
