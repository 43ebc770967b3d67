/* SPDX-License-Identifier: BSD-3-Clause */
/* algorithm.h -- one const struct per method; list.c orders them, best first. */
#ifndef FC_ALGORITHMS_ALGORITHM_H
#define FC_ALGORITHMS_ALGORITHM_H

#include "algorithms/problem.h"

typedef struct fc_algorithm {
    const char *name;

    /* NULL when it takes the problem, else the reason. May look at the problem and the instruction set, never at
     * the number of threads. */
    const char *(*decline)(const fc_problem *problem);

    /* NULL when it is the one to take for the problem, else the reason why the choice goes on to the next: it could be
     * taken, but another is faster or more accurate. NULL for always. Under the same rule as decline. */
    const char *(*pass)(const fc_problem *problem);

    /* Bytes wanted in all and for each thread; SIZE_MAX for more than fits. NULL: none. */
    size_t (*shared_bytes)(const fc_problem *problem);
    size_t (*slot_bytes)(const fc_problem *problem);

    /* The weights in the order the method reads them; NULL, or 0 bytes: as they lie. Independent of the image size,
     * so that weights may be prepared once. */
    size_t (*prepared_bytes)(const fc_problem *problem);
    bool reads_weights; /* run reads the weights as they lie as well */
    void (*prepare)(const fc_problem *problem, const void *w, void *prepared);

    void (*run)(const fc_problem *problem, const fc_operands *operands, const fc_workspace *workspace);
} fc_algorithm;

/* What one of an algorithm's measures says. */
static inline size_t fc_bytes_of(size_t (*measure)(const fc_problem *), const fc_problem *problem)
{
    return measure ? measure(problem) : 0;
}

/* Whether the choice would end with it, if it came that far. */
static inline bool fc_takes(const fc_algorithm *algorithm, const fc_problem *problem)
{
    return !algorithm->decline(problem) && !algorithm->pass(problem);
}

/* The algorithms of an operation, best first, ended by NULL. The last one accepts every problem. */
const fc_algorithm *const *fc_algorithms(fc_operation operation);

/* The first that neither declines the problem nor is passed over. */
const fc_algorithm *fc_algorithm_for(const fc_problem *problem);

extern const fc_algorithm fc_corr2d_winograd_small;
extern const fc_algorithm fc_corr2d_winograd_nchw;
extern const fc_algorithm fc_corr2d_winograd_nhwc;
extern const fc_algorithm fc_corr2d_dot;
extern const fc_algorithm fc_corr2d_depthwise_block;
extern const fc_algorithm fc_corr2d_depthwise_nchw;
extern const fc_algorithm fc_corr2d_depthwise_nhwc;
extern const fc_algorithm fc_corr2d_grouped_block;
extern const fc_algorithm fc_corr2d_grouped_pixels;
extern const fc_algorithm fc_corr2d_padded_rows;
extern const fc_algorithm fc_corr2d_padded_pixels;
extern const fc_algorithm fc_corr2d_inner_product;
extern const fc_algorithm fc_corr2d_interleaved; /* and the input gradient */
extern const fc_algorithm fc_corr2d_strassen;
extern const fc_algorithm fc_corr2d_turned_gemm;
extern const fc_algorithm fc_corr2d_tap_planes; /* and the input gradient */
extern const fc_algorithm fc_corr2d_implicit_gemm_nchw;
extern const fc_algorithm fc_corr2d_implicit_gemm_nhwc;
extern const fc_algorithm fc_corr2d_direct;
extern const fc_algorithm fc_corr2d_input_grad_winograd_small;
extern const fc_algorithm fc_corr2d_input_grad_winograd_nchw;
extern const fc_algorithm fc_corr2d_input_grad_winograd_nhwc;
extern const fc_algorithm fc_corr2d_input_grad_depthwise_block;
extern const fc_algorithm fc_corr2d_input_grad_depthwise_nchw;
extern const fc_algorithm fc_corr2d_input_grad_grouped_block;
extern const fc_algorithm fc_corr2d_input_grad_phases;
extern const fc_algorithm fc_corr2d_input_grad_runs;
extern const fc_algorithm fc_corr2d_input_grad_padded_rows;
extern const fc_algorithm fc_corr2d_input_grad_padded_pixels;
extern const fc_algorithm fc_corr2d_input_grad_strassen;
extern const fc_algorithm fc_corr2d_input_grad_turned_gemm;
extern const fc_algorithm fc_corr2d_input_grad_implicit_gemm_nchw;
extern const fc_algorithm fc_corr2d_input_grad_implicit_gemm_nhwc;
extern const fc_algorithm fc_corr2d_input_grad_direct;
extern const fc_algorithm fc_corr2d_weight_grad_depthwise;
extern const fc_algorithm fc_corr2d_weight_grad_grouped;
extern const fc_algorithm fc_corr2d_weight_grad_grouped_pixels;
extern const fc_algorithm fc_corr2d_weight_grad_tap_rows;
extern const fc_algorithm fc_corr2d_weight_grad_winograd;
extern const fc_algorithm fc_corr2d_weight_grad_implicit_gemm;
extern const fc_algorithm fc_corr2d_weight_grad_direct;
extern const fc_algorithm fc_max_pool2d_whole;
extern const fc_algorithm fc_max_pool2d_turned;
extern const fc_algorithm fc_max_pool2d_taps;
extern const fc_algorithm fc_max_pool2d_blocks;
extern const fc_algorithm fc_max_pool2d_rows;
extern const fc_algorithm fc_max_pool2d_two_stack;
extern const fc_algorithm fc_max_pool2d_direct;
extern const fc_algorithm fc_avg_pool2d_whole;
extern const fc_algorithm fc_avg_pool2d_turned;
extern const fc_algorithm fc_avg_pool2d_taps;
extern const fc_algorithm fc_avg_pool2d_blocks;
extern const fc_algorithm fc_avg_pool2d_rows;
extern const fc_algorithm fc_avg_pool2d_two_stack;
extern const fc_algorithm fc_avg_pool2d_direct;
extern const fc_algorithm fc_max_pool2d_grad_direct;
extern const fc_algorithm fc_avg_pool2d_grad_turned;
extern const fc_algorithm fc_avg_pool2d_grad_spread;
extern const fc_algorithm fc_avg_pool2d_grad_taps;
extern const fc_algorithm fc_avg_pool2d_grad_blocks;
extern const fc_algorithm fc_avg_pool2d_grad_two_stack;
extern const fc_algorithm fc_avg_pool2d_grad_direct;

#endif
