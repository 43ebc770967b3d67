/* SPDX-License-Identifier: BSD-3-Clause */
/* planes_cost.h -- the general ways of a forward pass on planes (NCHW), and what each is estimated to cost. Rules say which one
 * is best where they were measured; beside those shapes an estimate keeps them from a bad one. */
#ifndef FC_ALGORITHMS_PLANES_COST_H
#define FC_ALGORITHMS_PLANES_COST_H

#include "algorithms/algorithm.h"

typedef enum fc_planes_way {
    FC_PLANES_INNER_PRODUCT,
    FC_PLANES_TURNED_GEMM,
    FC_PLANES_PADDED_ROWS,
    FC_PLANES_IMPLICIT_GEMM,
    FC_PLANES_WAYS
} fc_planes_way;

/* What the rules of a way say: NULL, or why it is passed over. */
const char *fc_inner_product_rules(const fc_problem *problem);
const char *fc_turned_gemm_rules(const fc_problem *problem);
const char *fc_padded_rows_rules(const fc_problem *problem);

/* The `pass` of a way: its rules, unless they are estimated to take a much slower one. */
const char *fc_planes_pass(const fc_problem *problem, fc_planes_way way);

/* Of turned_gemm: whether it takes rows of windows for its product, of few channels; and whether an image is small enough to be
 * turned. */
bool fc_turned_gemm_takes_rows(const fc_problem *problem);
bool fc_turned_gemm_fits(const fc_problem *problem);

#endif
