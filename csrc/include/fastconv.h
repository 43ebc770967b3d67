/* SPDX-License-Identifier: BSD-3-Clause */
/* fastconv.h -- 2-D cross-correlation and pooling on the CPU: the C API.
 *
 * Every operator takes a params struct that describes the problem, plain contiguous buffers, the name of an
 * algorithm (NULL: choose) and an error struct that belongs to the caller. It answers FC_OK, or another status
 * with a sentence in error->message that names the argument. Nothing is written before the params were judged.
 * All functions may be called from any thread and after fork().
 *
 * Arrays of two are (height, width). Sizes, strides and paddings count elements. */
#ifndef FASTCONV_H
#define FASTCONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All that the shared library shows. */
#if defined(_WIN32) && defined(FC_BUILDS_LIBRARY)
#pragma clang attribute push(__attribute__((dllexport)), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define FC_VERSION "0.1.0"

/* The statuses and their texts: the one list. */
#define FC_STATUS_LIST(X)                              \
    X(FC_OK, "success")                                \
    X(FC_BAD_VALUE, "a value or a shape is wrong")     \
    X(FC_BAD_TYPE, "an element type is not supported") \
    X(FC_NO_MEMORY, "not enough memory")

typedef enum fc_status {
#define FC_STATUS_ENTRY(name, text) name,
    FC_STATUS_LIST(FC_STATUS_ENTRY)
#undef FC_STATUS_ENTRY
} fc_status;

const char *fc_status_text(fc_status status);

typedef struct fc_error {
    fc_status status;
    char message[500];
} fc_error;

/* Correlation takes the first four, with sums modulo 2^32 and 2^64 for the integers. Max pooling takes all;
 * average pooling the two floats. */
typedef enum fc_dtype {
    FC_F32,
    FC_F64,
    FC_I32,
    FC_I64,
    FC_I8,
    FC_U8,
    FC_I16,
    FC_U16,
    FC_U32,
    FC_U64,
    FC_DTYPES
} fc_dtype;

typedef enum fc_layout { FC_NCHW, FC_NHWC } fc_layout;

/* The order of the weights is independent of the order of the images. */
typedef enum fc_weight_layout { FC_OIHW, FC_OHWI, FC_HWIO } fc_weight_layout;

/* FC_PAD_SAME: output = ceil(input / stride), an odd zero goes to the bottom and right; FC_PAD_SAME_LOWER: to the
 * top and left. Both and FC_PAD_VALID ignore pad_before and pad_after. */
typedef enum fc_padding { FC_PAD_EXPLICIT, FC_PAD_VALID, FC_PAD_SAME, FC_PAD_SAME_LOWER } fc_padding;

typedef struct fc_corr2d_params {
    fc_dtype dtype;
    fc_layout layout;
    fc_weight_layout weight_layout;
    fc_padding padding;
    int64_t batch;
    int64_t channels;
    int64_t size[2];
    int64_t out_channels;
    int64_t weight_channels; /* of one filter: channels / groups */
    int64_t kernel[2];
    int64_t groups;
    int64_t stride[2];
    int64_t dilation[2];
    int64_t pad_before[2];
    int64_t pad_after[2];
    const char *isa; /* NULL: the one in use; calls that belong together name it, or it may be changed between them */
} fc_corr2d_params;

typedef struct fc_pool2d_params {
    fc_dtype dtype;
    fc_layout layout;
    fc_padding padding;
    int64_t batch;
    int64_t channels;
    int64_t size[2];
    int64_t window[2];
    int64_t stride[2];
    int64_t dilation[2];
    int64_t pad_before[2];
    int64_t pad_after[2];
    bool ceil_mode;         /* PyTorch's rule: a window that would start in the padding after the image is dropped */
    bool count_include_pad; /* average pooling only */
    bool has_divisor;       /* average pooling only: divide by `divisor` whatever the window holds */
    int64_t divisor;
} fc_pool2d_params;

/* Max pooling's gradient needs no window: the indices say where each maximum came from. */
typedef struct fc_max_pool2d_grad_params {
    fc_dtype dtype;
    fc_layout layout;
    int64_t batch;
    int64_t channels;
    int64_t size[2];
    int64_t out[2];
} fc_max_pool2d_grad_params;

typedef enum fc_operation {
    FC_CORR2D,
    FC_CORR2D_INPUT_GRAD,
    FC_CORR2D_WEIGHT_GRAD,
    FC_MAX_POOL2D,
    FC_AVG_POOL2D,
    FC_MAX_POOL2D_GRAD,
    FC_AVG_POOL2D_GRAD,
    FC_OPERATIONS
} fc_operation;

/* ---- correlation ------------------------------------------------------------------------------------------ */

/* Judges the params; answers the height and width of the output. */
fc_status fc_corr2d_shape(const fc_corr2d_params *params, int64_t out[2], fc_error *error);

/* y[n,o,i,j] = bias[o] + sum over c,u,v of x[n, c, i*s - p + u*d, j*s - p + v*d] * w[o,c,u,v]; bias may be NULL. */
fc_status fc_corr2d(const fc_corr2d_params *params, const void *x, const void *w, const void *bias, void *y,
                    const char *algorithm, fc_error *error);

fc_status fc_corr2d_input_grad(const fc_corr2d_params *params, const void *grad_y, const void *w, void *grad_x,
                               const char *algorithm, fc_error *error);

/* grad_bias may be NULL. */
fc_status fc_corr2d_weight_grad(const fc_corr2d_params *params, const void *grad_y, const void *x, void *grad_w,
                                void *grad_bias, const char *algorithm, fc_error *error);

/* Weights that stay: the algorithm that fc_corr2d would take, the bytes of its prepared weights (0: it reads them as
 * they lie), the preparation, and the call that takes its result in the place of w. Prepared weights depend on the
 * weights, the layouts, the groups and the instruction set, not on the size of the images; they remember the
 * instruction set, and the call computes with that one. Where they have 0 bytes the call takes w itself, and its bytes.
 */
fc_status fc_corr2d_choose(const fc_corr2d_params *params, const char *algorithm, const char **name,
                           size_t *prepared_bytes, fc_error *error);
fc_status fc_corr2d_prepare(const fc_corr2d_params *params, const char *algorithm, const void *w, void *prepared,
                            size_t prepared_bytes, fc_error *error);
fc_status fc_corr2d_prepared(const fc_corr2d_params *params, const void *x, const void *prepared, size_t prepared_bytes,
                             const void *bias, void *y, const char *algorithm, fc_error *error);

/* ---- pooling ---------------------------------------------------------------------------------------------- */

fc_status fc_pool2d_shape(const fc_pool2d_params *params, int64_t out[2], fc_error *error);

/* indices, if not NULL, takes the flat place in the plane of each maximum, -1 for a window of padding alone. */
fc_status fc_max_pool2d(const fc_pool2d_params *params, const void *x, void *y, int64_t *indices, const char *algorithm,
                        fc_error *error);
fc_status fc_avg_pool2d(const fc_pool2d_params *params, const void *x, void *y, const char *algorithm, fc_error *error);
fc_status fc_max_pool2d_grad(const fc_max_pool2d_grad_params *params, const void *grad_y, const int64_t *indices,
                             void *grad_x, const char *algorithm, fc_error *error);
fc_status fc_avg_pool2d_grad(const fc_pool2d_params *params, const void *grad_y, void *grad_x, const char *algorithm,
                             fc_error *error);

/* ---- what would be done, and with what --------------------------------------------------------------------- */

/* The algorithms of an operation, best first; NULL past the last, which accepts every problem. */
const char *fc_algorithm_name(fc_operation operation, int index);

/* For each algorithm, by its index above, NULL or the reason why it declines the problem, and why another one is preferred
 * to it though it would take the problem. */
#define FC_MAX_ALGORITHMS 24
typedef struct fc_explanation {
    const char *algorithm; /* the one that is taken when none is named */
    const char *declined[FC_MAX_ALGORITHMS];
    const char *passed_over[FC_MAX_ALGORITHMS];
    int64_t flops;
    int64_t workspace_bytes; /* at the present number of threads, transformed weights included */
} fc_explanation;

fc_status fc_explain_corr2d(fc_operation operation, const fc_corr2d_params *params, fc_explanation *explanation,
                            fc_error *error);
fc_status fc_explain_pool2d(fc_operation operation, const fc_pool2d_params *params, bool with_indices,
                            fc_explanation *explanation, fc_error *error);

/* Reads FASTCONV_ISA, FASTCONV_NUM_THREADS, OMP_NUM_THREADS and FASTCONV_BATCH_INVARIANT. Every operator does so on
 * first use and then reports what is wrong with them; a front end calls it early to report at import. */
fc_status fc_configure(fc_error *error);

/* The instruction sets usable here, best first, NULL past the last; the ones that were built, likewise. */
const char *fc_isa_name(int index);
const char *fc_built_isa_name(int index);
const char *fc_get_isa(void);
fc_status fc_set_isa(const char *name, fc_error *error);

int fc_get_num_threads(void);
fc_status fc_set_num_threads(int64_t threads, fc_error *error);

/* The most threads for calls made by the calling thread, beside the process's setting; 0 or less: no limit. Answers the
 * limit before. A front end sets its framework's number around a call. */
int fc_limit_threads(int threads);

/* Threads of the calling thread's calls that are not the pool's: a front end lends its framework's around a call, since
 * two pools that wait for work on the same cores slow each other down. A team runs `body(context)` on its threads at
 * once, the calling one among them, and returns when all have; any number of them will do. NULL: the pool. Answers the
 * team before. In a forked child nothing is lent: a team's threads are not there. */
typedef void (*fc_team)(void (*body)(void *context), void *context);
fc_team fc_lend_team(fc_team team);

/* When set, the algorithm is chosen as if for a single image. */
bool fc_get_batch_invariant(void);
void fc_set_batch_invariant(bool on);

/* Memory for results, in whole cache lines; NULL when there is not enough, and always for SIZE_MAX. What is given back waits,
 * up to 128 MiB in all, for the next result or workspace: fresh memory costs a page fault every 4 KiB. */
void *fc_take_memory(size_t bytes);
void fc_give_memory(void *memory);

const char *fc_compiler(void);

#if defined(_WIN32) && defined(FC_BUILDS_LIBRARY)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
