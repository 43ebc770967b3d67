/* SPDX-License-Identifier: BSD-3-Clause */
/* Pooling and its gradients as TensorFlow kernels. */
#include <stdlib.h>

#include "frontends/tensorflow_call.h"

/* What the attributes say; sizes are filled in for each call. */
typedef struct kernel {
    fc_pool2d_params params;
    int type;
    char algorithm[64]; /* empty: choose */
} kernel;

static kernel *new_kernel(tf_attributes *from)
{
    kernel *made = calloc(1, sizeof *made);
    if (!made) {
        tf.TF_SetStatus(from->status, TF_RESOURCE_EXHAUSTED, "not enough memory");
        return NULL;
    }
    made->params.dtype = tf_get_dtype(from, &made->type);
    made->params.layout = tf_get_layout(from);
    tf_get_algorithm(from, made->algorithm, sizeof made->algorithm);
    return made;
}

/* The kernel, unless an attribute was wrong. */
static void *finished(tf_attributes *from, kernel *made)
{
    if (tf.TF_GetCode(from->status) != TF_OK) {
        tf.TF_OpKernelConstruction_Failure(from->construction, from->status);
        free(made);
        made = NULL;
    }
    tf.TF_DeleteStatus(from->status);
    return made;
}

static void read_windows(tf_attributes *from, fc_pool2d_params *p)
{
    p->padding = tf_get_padding(from);
    p->ceil_mode = tf_get_bool(from, "ceil_mode");
    tf_get_int64s(from, "ksize", p->window, 2);
    tf_get_windows(from, p->stride, p->dilation, p->pad_before, p->pad_after);
}

static void *create_max(TF_OpKernelConstruction *construction)
{
    tf_attributes from = {construction, tf.TF_NewStatus()};
    kernel *made = new_kernel(&from);
    if (made) read_windows(&from, &made->params);
    return finished(&from, made);
}

static void *create_avg(TF_OpKernelConstruction *construction)
{
    tf_attributes from = {construction, tf.TF_NewStatus()};
    kernel *made = new_kernel(&from);
    if (made) {
        read_windows(&from, &made->params);
        made->params.count_include_pad = tf_get_bool(&from, "count_include_pad");
        made->params.divisor = tf_get_int64(&from, "divisor");
        made->params.has_divisor = made->params.divisor != 0; /* 0, which the core refuses, says that there is none */
    }
    return finished(&from, made);
}

static void *create_max_grad(TF_OpKernelConstruction *construction)
{
    tf_attributes from = {construction, tf.TF_NewStatus()};
    return finished(&from, new_kernel(&from));
}

static const char *algorithm_of(const kernel *k) { return k->algorithm[0] ? k->algorithm : NULL; }

/* The problem that the shape of x makes, judged; y becomes the output's shape. */
static fc_pool2d_params problem(tf_call *call, const kernel *k, const tf_shape *x, tf_shape *y)
{
    fc_pool2d_params p = k->params;
    int64_t out[2] = {0, 0};
    fc_error error;
    p.batch = x->dims[0];
    p.channels = x->dims[tf_channel_axis(p.layout)];
    for (int i = 0; i < 2; i++) p.size[i] = x->dims[tf_height_axis(p.layout) + i];
    if (tf_call_ok(call)) tf_call_check(call, fc_pool2d_shape(&p, out, &error), &error);
    *y = tf_images_shape(p.layout, p.batch, p.channels, out);
    return p;
}

/* With two outputs the second takes the indices. */
static void max_forward(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, y_shape;
    fc_error error;
    const void *x = tf_call_images(&call, 0, "x", &x_shape);
    fc_pool2d_params p = problem(&call, k, &x_shape, &y_shape);
    void *y = tf_call_output(&call, 0, k->type, &y_shape);
    int64_t *indices = tf.TF_NumOutputs(context) > 1 ? tf_call_output(&call, 1, TF_INT64, &y_shape) : NULL;
    if (tf_call_ok(&call)) tf_call_check(&call, fc_max_pool2d(&p, x, y, indices, algorithm_of(k), &error), &error);
    tf_call_end(&call);
}

static void max_grad(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, y_shape;
    fc_error error;
    const void *grad_y = tf_call_images(&call, 0, "grad_y", &y_shape);
    const int64_t *indices = tf_call_input_of(&call, 1, "indices", &y_shape);
    tf_call_sizes(&call, 2, "x_like", &x_shape);
    const int c = tf_channel_axis(k->params.layout), h = tf_height_axis(k->params.layout);
    if (y_shape.dims[0] != x_shape.dims[0] || y_shape.dims[c] != x_shape.dims[c])
        tf_call_fail(&call, "grad_y has shape %s, which differs from x_like %s in the batch or the channels",
                     tf_shape_text(&y_shape).text, tf_shape_text(&x_shape).text);
    for (int i = 0; i < 4; i++)
        if (x_shape.dims[i] < 0)
            tf_call_fail(&call, "x_like must not have negative sizes, got %s", tf_shape_text(&x_shape).text);
    const fc_max_pool2d_grad_params p = {
        .dtype = k->params.dtype,
        .layout = k->params.layout,
        .batch = x_shape.dims[0],
        .channels = x_shape.dims[c],
        .size = {x_shape.dims[h], x_shape.dims[h + 1]},
        .out = {y_shape.dims[h], y_shape.dims[h + 1]},
    };
    void *grad_x = tf_call_output(&call, 0, k->type, &x_shape);
    if (tf_call_ok(&call))
        tf_call_check(&call, fc_max_pool2d_grad(&p, grad_y, indices, grad_x, algorithm_of(k), &error), &error);
    tf_call_end(&call);
}

static void avg_forward(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, y_shape;
    fc_error error;
    const void *x = tf_call_images(&call, 0, "x", &x_shape);
    fc_pool2d_params p = problem(&call, k, &x_shape, &y_shape);
    void *y = tf_call_output(&call, 0, k->type, &y_shape);
    if (tf_call_ok(&call)) tf_call_check(&call, fc_avg_pool2d(&p, x, y, algorithm_of(k), &error), &error);
    tf_call_end(&call);
}

static void avg_grad(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, y_shape;
    fc_error error;
    tf_call_sizes(&call, 1, "x_like", &x_shape);
    fc_pool2d_params p = problem(&call, k, &x_shape, &y_shape);
    const void *grad_y = tf_call_input_of(&call, 0, "grad_y", &y_shape);
    void *grad_x = tf_call_output(&call, 0, k->type, &x_shape);
    if (tf_call_ok(&call))
        tf_call_check(&call, fc_avg_pool2d_grad(&p, grad_y, grad_x, algorithm_of(k), &error), &error);
    tf_call_end(&call);
}

#define FLOATS "T: {float, double}"
/* The type of what gives a shape: a tensor of that shape, or an int64 vector of its sizes. */
#define LIKE "L: {float, double, int64}"
#define ALL_TYPES "T: {float, double, int32, int64, int8, uint8, int16, uint16, uint32, uint64}"
#define FORMAT "data_format: {'NCHW', 'NHWC'}", "algorithm: string = 'auto'"
#define WINDOWS                                                                                       \
    "ksize: list(int)", "windows: list(int)", "padding: {'EXPLICIT', 'VALID', 'SAME', 'SAME_LOWER'}", \
        "ceil_mode: bool", FORMAT

static const int all_types[] = {TF_FLOAT, TF_DOUBLE, TF_INT32,  TF_INT64,  TF_INT8, TF_UINT8,
                                TF_INT16, TF_UINT16, TF_UINT32, TF_UINT64, 0};
static const int floats[] = {TF_FLOAT, TF_DOUBLE, 0};
static const char *const max_attributes[] = {ALL_TYPES, WINDOWS, NULL};
static const char *const max_grad_attributes[] = {FLOATS, LIKE, FORMAT, NULL};
static const char *const avg_attributes[] = {FLOATS, WINDOWS, "count_include_pad: bool", "divisor: int", NULL};
static const char *const avg_grad_attributes[] = {FLOATS,         LIKE, WINDOWS, "count_include_pad: bool",
                                                  "divisor: int", NULL};

const tf_op tf_pool2d_ops[] = {
    {"FastconvMaxPool2d", {"x: T"}, {"y: T"}, max_attributes, all_types, create_max, max_forward},
    {"FastconvMaxPool2dWithIndices",
     {"x: T"},
     {"y: T", "indices: int64"},
     max_attributes,
     all_types,
     create_max,
     max_forward},
    {"FastconvMaxPool2dGrad",
     {"grad_y: T", "indices: int64", "x_like: L"},
     {"grad_x: T"},
     max_grad_attributes,
     floats,
     create_max_grad,
     max_grad},
    {"FastconvAvgPool2d", {"x: T"}, {"y: T"}, avg_attributes, floats, create_avg, avg_forward},
    {"FastconvAvgPool2dGrad",
     {"grad_y: T", "x_like: L"},
     {"grad_x: T"},
     avg_grad_attributes,
     floats,
     create_avg,
     avg_grad},
};
const int tf_pool2d_op_count = sizeof tf_pool2d_ops / sizeof *tf_pool2d_ops;
