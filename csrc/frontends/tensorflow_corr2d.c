/* SPDX-License-Identifier: BSD-3-Clause */
/* Correlation and its two gradients as TensorFlow kernels: tensors to params, params to the core. */
#include <stdlib.h>

#include "frontends/tensorflow_frozen.h"

/* What the attributes say; sizes are filled in for each call. */
typedef struct kernel {
    fc_corr2d_params params; /* groups 0: as many as the channels of x and of w say */
    int type;
    char algorithm[64]; /* empty: choose */
    int64_t word;       /* of weights that stay; 0: none */
} kernel;

static void *make(TF_OpKernelConstruction *construction, bool frozen)
{
    tf_attributes from = {construction, tf.TF_NewStatus()};
    kernel *made = calloc(1, sizeof *made);
    if (made) {
        fc_corr2d_params *p = &made->params;
        p->dtype = tf_get_dtype(&from, &made->type);
        tf_get_layouts(&from, &p->layout, &p->weight_layout);
        p->padding = tf_get_padding(&from);
        p->groups = tf_get_int64(&from, "groups");
        tf_get_windows(&from, p->stride, p->dilation, p->pad_before, p->pad_after);
        tf_get_algorithm(&from, made->algorithm, sizeof made->algorithm);
        if (frozen) made->word = tf_get_int64(&from, "word");
    } else {
        tf.TF_SetStatus(from.status, TF_RESOURCE_EXHAUSTED, "not enough memory");
    }
    if (tf.TF_GetCode(from.status) != TF_OK) {
        tf.TF_OpKernelConstruction_Failure(construction, from.status);
        free(made);
        made = NULL;
    }
    tf.TF_DeleteStatus(from.status);
    return made;
}

static void *create(TF_OpKernelConstruction *construction) { return make(construction, false); }

static void *create_frozen(TF_OpKernelConstruction *construction) { return make(construction, true); }

static const char *algorithm_of(const kernel *k) { return k->algorithm[0] ? k->algorithm : NULL; }

/* The problem that the shapes of x and w make, judged; y becomes the output's shape. */
static fc_corr2d_params problem(tf_call *call, const kernel *k, const tf_shape *x, const tf_shape *w, tf_shape *y)
{
    /* The axes of (O, I, kh) in each order of the weights; kw follows kh. */
    static const int axes[3][3] = {[FC_OIHW] = {0, 1, 2}, [FC_OHWI] = {0, 3, 1}, [FC_HWIO] = {3, 2, 0}};
    const int *at = axes[k->params.weight_layout], h = tf_height_axis(k->params.layout);
    fc_corr2d_params p = k->params;
    int64_t out[2] = {0, 0};
    fc_error error;
    p.isa = fc_get_isa();
    p.batch = x->dims[0];
    p.channels = x->dims[tf_channel_axis(p.layout)];
    p.out_channels = w->dims[at[0]];
    p.weight_channels = w->dims[at[1]];
    for (int i = 0; i < 2; i++) {
        p.size[i] = x->dims[h + i];
        p.kernel[i] = w->dims[at[2] + i];
    }
    if (p.groups == 0)
        p.groups = p.weight_channels > 0 && p.channels > 0 && p.channels % p.weight_channels == 0
                       ? p.channels / p.weight_channels
                       : 1;
    if (tf_call_ok(call)) tf_call_check(call, fc_corr2d_shape(&p, out, &error), &error);
    *y = tf_images_shape(p.layout, p.batch, p.out_channels, out);
    return p;
}

/* By the weights that are kept for this problem, where they stay and some are. */
static fc_status correlate(const kernel *k, tf_call *call, const fc_corr2d_params *p, const void *x, const void *w,
                           const void *bias, void *y, fc_error *error)
{
    tf_frozen *frozen = k->word ? tf_frozen_hold(k->word) : NULL;
    const tf_prepared *kept = frozen ? tf_frozen_weights(frozen, call, 1, w, p) : NULL;
    fc_status status = kept ? fc_corr2d_prepared(p, x, kept->data, kept->bytes, bias, y, kept->algorithm, error)
                            : fc_corr2d(p, x, w, bias, y, algorithm_of(k), error);
    if (frozen) tf_frozen_release(frozen);
    return status;
}

static void forward(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, w_shape, y_shape;
    fc_error error;
    const void *x = tf_call_images(&call, 0, "x", &x_shape), *w = tf_call_images(&call, 1, "w", &w_shape);
    const void *bias = NULL;
    fc_corr2d_params p = problem(&call, k, &x_shape, &w_shape, &y_shape);
    if (tf.TF_NumInputs(context) > 3) tf_call_fail(&call, "num_bias must be 0 or 1");
    if (tf_call_ok(&call) && tf.TF_NumInputs(context) > 2) {
        tf_shape bias_shape, wanted = {1, {p.out_channels}};
        bias = tf_call_input(&call, 2, &bias_shape);
        if (bias_shape.rank != 1 || bias_shape.dims[0] != p.out_channels)
            tf_call_fail(&call, "bias has shape %s but must have %s, one number an output channel",
                         tf_shape_text(&bias_shape).text, tf_shape_text(&wanted).text);
    }
    void *y = tf_call_output(&call, 0, k->type, &y_shape);
    if (tf_call_ok(&call)) tf_call_check(&call, correlate(k, &call, &p, x, w, bias, y, &error), &error);
    tf_call_end(&call);
}

static void input_grad(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, w_shape, y_shape;
    fc_error error;
    const void *w = tf_call_images(&call, 1, "w", &w_shape);
    tf_call_sizes(&call, 2, "x_like", &x_shape);
    fc_corr2d_params p = problem(&call, k, &x_shape, &w_shape, &y_shape);
    const void *grad_y = tf_call_input_of(&call, 0, "grad_y", &y_shape);
    void *grad_x = tf_call_output(&call, 0, k->type, &x_shape);
    if (tf_call_ok(&call))
        tf_call_check(&call, fc_corr2d_input_grad(&p, grad_y, w, grad_x, algorithm_of(k), &error), &error);
    tf_call_end(&call);
}

static void weight_grad(void *own, TF_OpKernelContext *context)
{
    const kernel *k = own;
    tf_call call = tf_call_begin(context);
    tf_shape x_shape, w_shape, y_shape;
    fc_error error;
    const void *x = tf_call_images(&call, 1, "x", &x_shape);
    tf_call_sizes(&call, 2, "w_like", &w_shape);
    fc_corr2d_params p = problem(&call, k, &x_shape, &w_shape, &y_shape);
    const tf_shape bias_shape = {1, {p.out_channels}};
    if (tf.TF_NumOutputs(context) > 2) tf_call_fail(&call, "num_bias must be 0 or 1");
    const void *grad_y = tf_call_input_of(&call, 0, "grad_y", &y_shape);
    void *grad_w = tf_call_output(&call, 0, k->type, &w_shape);
    void *grad_b = tf.TF_NumOutputs(context) > 1 ? tf_call_output(&call, 1, k->type, &bias_shape) : NULL;
    if (tf_call_ok(&call))
        tf_call_check(&call, fc_corr2d_weight_grad(&p, grad_y, x, grad_w, grad_b, algorithm_of(k), &error), &error);
    tf_call_end(&call);
}

#define TYPES "T: {float, double, int32, int64}"
/* The type of what gives a shape: a tensor of that shape, or an int64 vector of its sizes. */
#define LIKE "L: {float, double, int32, int64}"
#define WINDOWS                                                                                                     \
    "windows: list(int)", "padding: {'EXPLICIT', 'VALID', 'SAME', 'SAME_LOWER'}", "groups: int", "layouts: string", \
        "algorithm: string = 'auto'"

static const int types[] = {TF_FLOAT, TF_DOUBLE, TF_INT32, TF_INT64, 0};
static const char *const attributes[] = {TYPES, "num_bias: int >= 0", WINDOWS, NULL};
static const char *const frozen_attributes[] = {TYPES, "num_bias: int >= 0", WINDOWS, "word: int", NULL};
static const char *const input_grad_attributes[] = {TYPES, LIKE, WINDOWS, NULL};
static const char *const weight_grad_attributes[] = {TYPES, LIKE, "num_bias: int >= 0", WINDOWS, NULL};

const tf_op tf_corr2d_ops[] = {
    {"FastconvCorr2d", {"x: T", "w: T", "bias: num_bias * T"}, {"y: T"}, attributes, types, create, forward},
    {"FastconvCorr2dFrozen",
     {"x: T", "w: T", "bias: num_bias * T"},
     {"y: T"},
     frozen_attributes,
     types,
     create_frozen,
     forward},
    {"FastconvCorr2dInputGrad",
     {"grad_y: T", "w: T", "x_like: L"},
     {"grad_x: T"},
     input_grad_attributes,
     types,
     create,
     input_grad},
    {"FastconvCorr2dWeightGrad",
     {"grad_y: T", "x: T", "w_like: L"},
     {"grad_w: T", "grad_bias: num_bias * T"},
     weight_grad_attributes,
     types,
     create,
     weight_grad},
};
const int tf_corr2d_op_count = sizeof tf_corr2d_ops / sizeof *tf_corr2d_ops;
