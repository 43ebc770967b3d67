/* SPDX-License-Identifier: BSD-3-Clause */
/* list.c -- the choice as data: for each operation its algorithms, best first. */
#include "algorithms/algorithm.h"

static const fc_algorithm *const lists[FC_OPERATIONS][FC_MAX_ALGORITHMS + 1] = {
    [FC_CORR2D] = {&fc_corr2d_dot, &fc_corr2d_tap_planes, &fc_corr2d_grouped_block, &fc_corr2d_grouped_pixels,
                   &fc_corr2d_winograd_small, &fc_corr2d_inner_product, &fc_corr2d_winograd_nchw,
                   &fc_corr2d_winograd_nhwc, &fc_corr2d_interleaved, &fc_corr2d_depthwise_block,
                   &fc_corr2d_depthwise_nchw, &fc_corr2d_depthwise_nhwc, &fc_corr2d_turned_gemm, &fc_corr2d_padded_rows,
                   &fc_corr2d_strassen, &fc_corr2d_padded_pixels, &fc_corr2d_implicit_gemm_nchw,
                   &fc_corr2d_implicit_gemm_nhwc, &fc_corr2d_direct},
    [FC_CORR2D_INPUT_GRAD] = {&fc_corr2d_tap_planes, &fc_corr2d_input_grad_phases, &fc_corr2d_input_grad_runs,
                              &fc_corr2d_input_grad_grouped_block, &fc_corr2d_grouped_pixels,
                              &fc_corr2d_input_grad_winograd_small, &fc_corr2d_input_grad_winograd_nchw,
                              &fc_corr2d_input_grad_winograd_nhwc, &fc_corr2d_interleaved,
                              &fc_corr2d_input_grad_depthwise_nchw, &fc_corr2d_input_grad_depthwise_block,
                              &fc_corr2d_input_grad_padded_rows, &fc_corr2d_input_grad_padded_pixels,
                              &fc_corr2d_input_grad_strassen, &fc_corr2d_input_grad_turned_gemm,
                              &fc_corr2d_input_grad_implicit_gemm_nchw, &fc_corr2d_input_grad_implicit_gemm_nhwc,
                              &fc_corr2d_input_grad_direct},
    [FC_CORR2D_WEIGHT_GRAD] = {&fc_corr2d_weight_grad_depthwise, &fc_corr2d_weight_grad_grouped,
                               &fc_corr2d_weight_grad_tap_rows, &fc_corr2d_weight_grad_winograd,
                               &fc_corr2d_weight_grad_grouped_pixels, &fc_corr2d_weight_grad_implicit_gemm,
                               &fc_corr2d_weight_grad_direct},
    [FC_MAX_POOL2D] = {&fc_max_pool2d_whole, &fc_max_pool2d_turned, &fc_max_pool2d_blocks, &fc_max_pool2d_taps,
                       &fc_max_pool2d_rows, &fc_max_pool2d_two_stack, &fc_max_pool2d_direct},
    [FC_AVG_POOL2D] = {&fc_avg_pool2d_whole, &fc_avg_pool2d_turned, &fc_avg_pool2d_blocks, &fc_avg_pool2d_taps,
                       &fc_avg_pool2d_rows, &fc_avg_pool2d_two_stack, &fc_avg_pool2d_direct},
    [FC_MAX_POOL2D_GRAD] = {&fc_max_pool2d_grad_direct},
    [FC_AVG_POOL2D_GRAD] = {&fc_avg_pool2d_grad_turned, &fc_avg_pool2d_grad_spread, &fc_avg_pool2d_grad_taps,
                            &fc_avg_pool2d_grad_blocks, &fc_avg_pool2d_grad_two_stack, &fc_avg_pool2d_grad_direct},
};

const fc_algorithm *const *fc_algorithms(fc_operation operation) { return lists[operation]; }

const fc_algorithm *fc_algorithm_for(const fc_problem *problem)
{
    const fc_algorithm *const *list = lists[problem->operation];
    while (((*list)->decline && (*list)->decline(problem)) || ((*list)->pass && (*list)->pass(problem))) list++;
    return *list;
}
