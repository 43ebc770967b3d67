/* SPDX-License-Identifier: BSD-3-Clause */
/* call.h -- one call of any operator: its params, its arrays, and what should come out. */
#ifndef TESTS_CALL_H
#define TESTS_CALL_H

#include "check.h"

/* ---- calls ------------------------------------------------------------------------------------------------ */

/*                          in                          out
 * FC_CORR2D                x, w, bias if `second`      y
 * FC_CORR2D_INPUT_GRAD     grad_y, w                   grad_x
 * FC_CORR2D_WEIGHT_GRAD    grad_y, x                   grad_w, grad_bias if `second`
 * FC_MAX_POOL2D            x                           y, indices if `second`
 * FC_AVG_POOL2D            x                           y
 * FC_MAX_POOL2D_GRAD       grad_y, indices             grad_x
 * FC_AVG_POOL2D_GRAD       grad_y                      grad_x */
typedef struct call {
    fc_operation operation;
    fc_corr2d_params corr2d;
    fc_pool2d_params pool2d;
    int64_t out_size[2];
    bool second;
    buffer in[3], out[2];
} call;

extern const char *const operation_names[FC_OPERATIONS];

/* Valid params; random inputs. `special` puts an infinity or a NaN into the input that the promises speak of, or into the
 * first one some numbers that are a million times as large as the rest. */
call call_of_corr2d(fc_operation operation, const fc_corr2d_params *params, bool second, bool special);
call call_of_pool2d(fc_operation operation, const fc_pool2d_params *params, bool second, bool special);
void call_free(call *c);

/* Poisons the results first. */
fc_status call_run(const call *c, const char *algorithm, fc_error *error);

/* Runs it, which must succeed. */
void call_must_run(const call *c, const char *algorithm);

/* The outputs of `c`, which the algorithm made, must be these, up to rounding: each output's own, except of Winograd's
 * algorithms. NULL: any algorithm. */
void call_check(const call *c, const char *algorithm, number *const wanted[2]);
void call_explain(const call *c, fc_explanation *explanation);

/* Calls `what` with the instruction set and algorithm set up and named, for all those that take the problem; answers
 * how many there were. */
int each_variant(const call *c, void (*what)(const call *c, const char *algorithm, void *context), void *context);

/* The same, where the context is what the definition gives; frees the call. call_compare runs it and checks. */
void against_definition(call c, void (*what)(const call *c, const char *algorithm, void *wanted));
void call_compare(const call *c, const char *algorithm, void *wanted);

/* ---- params ----------------------------------------------------------------------------------------------- */

bool is_correlation(fc_operation operation);

/* An image of 1 x 1 x size x size with a kernel or window of `taps` squared: stride 1, no padding. */
fc_corr2d_params plain_corr2d(fc_dtype dtype, int64_t size, int64_t taps);
fc_pool2d_params plain_pool2d(fc_dtype dtype, int64_t size, int64_t taps);

/* Small random problems of all kinds; `extreme`: small arrays, but strides, dilations, paddings and windows of any
 * size. Always valid. */
fc_corr2d_params random_corr2d(bool extreme);
fc_pool2d_params random_pool2d(fc_operation operation, bool extreme);
call random_call(fc_operation operation, bool extreme, bool special);

/* ---- what should come out: the definitions, as loops -------------------------------------------------------- */

/* Fills wanted[0] and, if there is a second output, wanted[1] with malloc'ed arrays. */
void reference(const call *c, number *wanted[2]);

/* The output size by counting; the padding of FC_PAD_SAME and its like as numbers. */
void reference_shape(const fc_pool2d_params *params, int64_t before[2], int64_t after[2], int64_t out[2]);

#endif
