/* SPDX-License-Identifier: BSD-3-Clause */
/* tensorflow_call.h -- what the kernels share: attributes read once, tensors of one call, statuses. */
#ifndef FC_FRONTENDS_TENSORFLOW_CALL_H
#define FC_FRONTENDS_TENSORFLOW_CALL_H

#include <stdbool.h>

#include "fastconv.h"
#include "frontends/tensorflow_api.h"

/* ---- one call of a kernel: its tensors and the first thing that went wrong --------------------------------------- */

enum { TF_MOST_TENSORS = 8 };

typedef struct tf_call {
    TF_OpKernelContext *context;
    TF_Status *status;
    TF_Tensor *tensors[TF_MOST_TENSORS]; /* released at the end */
    int count;
} tf_call;

/* A shape; rank is -1 where it has more axes than any argument may have, and dims are those that fit. */
enum { TF_MOST_DIMS = 8 };
typedef struct tf_shape {
    int rank;
    int64_t dims[TF_MOST_DIMS];
} tf_shape;

tf_call tf_call_begin(TF_OpKernelContext *context);

/* Tells TensorFlow of a failure, releases the tensors. */
void tf_call_end(tf_call *call);

bool tf_call_ok(const tf_call *call);

/* All of the following do nothing after a failure, and answer NULL. */

void tf_call_fail(tf_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes over what an operator of the core answered. */
void tf_call_check(tf_call *call, fc_status status, const fc_error *error);

const void *tf_call_input(tf_call *call, int index, tf_shape *shape);

/* The same, of exactly that shape, or a failure that names it. */
const void *tf_call_input_of(tf_call *call, int index, const char *name, const tf_shape *wanted);

/* The same, of rank 4. */
const void *tf_call_images(tf_call *call, int index, const char *name, tf_shape *shape);

/* A shape of rank 4: that of the input, or the four int64 sizes that it holds. */
void tf_call_sizes(tf_call *call, int index, const char *name, tf_shape *shape);

void *tf_call_output(tf_call *call, int index, int type, const tf_shape *shape);

/* (8, 3, 5), as Python prints it. */
typedef struct tf_text {
    char text[200];
} tf_text;
tf_text tf_shape_text(const tf_shape *shape);

/* ---- attributes, read when a kernel is made ---------------------------------------------------------------------- */

typedef struct tf_attributes {
    TF_OpKernelConstruction *construction;
    TF_Status *status;
} tf_attributes;

void tf_get_int64s(tf_attributes *from, const char *name, int64_t *values, int count);
int64_t tf_get_int64(tf_attributes *from, const char *name);
bool tf_get_bool(tf_attributes *from, const char *name);
fc_layout tf_get_layout(tf_attributes *from);

/* The attribute `layouts`: of the images, and of the weights. In the order of the core's enums. */
#define TF_LAYOUTS "NCHW OIHW", "NCHW OHWI", "NCHW HWIO", "NHWC OIHW", "NHWC OHWI", "NHWC HWIO"
void tf_get_layouts(tf_attributes *from, fc_layout *layout, fc_weight_layout *weight_layout);

/* The attribute `windows`: the (height, width) of stride, dilation, padding before and padding after. One attribute and
 * not four, since each costs an eager call more than a microsecond. */
void tf_get_windows(tf_attributes *from, int64_t stride[2], int64_t dilation[2], int64_t before[2], int64_t after[2]);
fc_padding tf_get_padding(tf_attributes *from);
void tf_get_algorithm(tf_attributes *from, char *name, size_t size);

/* The type attribute T: TensorFlow's number and the core's. */
fc_dtype tf_get_dtype(tf_attributes *from, int *type);

/* Images of a layout: the places of their sizes. */
static inline int tf_channel_axis(fc_layout layout) { return layout == FC_NCHW ? 1 : 3; }
static inline int tf_height_axis(fc_layout layout) { return layout == FC_NCHW ? 2 : 1; }
tf_shape tf_images_shape(fc_layout layout, int64_t batch, int64_t channels, const int64_t size[2]);

/* ---- ops --------------------------------------------------------------------------------------------------------- */

/* An op and its CPU kernel. Lists end with NULL, `types` (the values of T) with 0. */
typedef struct tf_op {
    const char *name;
    const char *inputs[5];
    const char *outputs[3];
    const char *const *attributes;
    const int *types;
    tf_create_function create;
    tf_compute_function compute;
} tf_op;

extern const tf_op tf_corr2d_ops[];
extern const int tf_corr2d_op_count;
extern const tf_op tf_pool2d_ops[];
extern const int tf_pool2d_op_count;

#endif
