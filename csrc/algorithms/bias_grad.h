/* SPDX-License-Identifier: BSD-3-Clause */
/* bias_grad.h -- grad_bias[o] = sum of grad_y over images and pixels. */
#ifndef FC_ALGORITHMS_BIAS_GRAD_H
#define FC_ALGORITHMS_BIAS_GRAD_H

#include "algorithms/problem.h"

/* Does nothing when operands->grad_bias is NULL. Floats are added in double, some of them
 * at a time in their own type, in an order that the problem fixes. */
void fc_bias_grad(const fc_problem *problem, const fc_operands *operands, int threads);

#endif
