/* SPDX-License-Identifier: BSD-3-Clause */
#include "operators/judge.h"

#include <inttypes.h>

#include "operators/geometry.h"
#include "operators/settings.h"
#include "platform/status.h"

#define PAIR "(%" PRId64 ", %" PRId64 ")"

static fc_status at_least(const char *name, const int64_t value[2], int64_t least, fc_error *error)
{
    if (value[0] >= least && value[1] >= least) return FC_OK;
    return fc_fail(error, FC_BAD_VALUE, "%s must be at least %" PRId64 ", got " PAIR, name, least, value[0], value[1]);
}

static fc_status count_at_least(const char *name, int64_t value, int64_t least, fc_error *error)
{
    if (value >= least) return FC_OK;
    return fc_fail(error, FC_BAD_VALUE, "%s must be at least %" PRId64 ", got %" PRId64, name, least, value);
}

/* The bytes of an array (8 an element at most) must fit ptrdiff_t. */
static fc_status must_fit(const char *name, int64_t a, int64_t b, int64_t c, int64_t d, fc_error *error)
{
    const int64_t sizes[5] = {a, b, c, d, sizeof(int64_t)};
    int64_t product;
    if (fc_product(sizes, 5, &product)) return FC_OK;
    return fc_fail(error, FC_BAD_VALUE,
                   "%s of %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64 " elements is too large for this machine",
                   name, a, b, c, d);
}

/* The common part of all windows: fills in everything that has two entries. */
static fc_status judge_windows(fc_problem *p, const char *window_name, fc_axis axes[2], fc_error *error)
{
    const int64_t in[2] = {axes[0].in, axes[1].in}, window[2] = {axes[0].window, axes[1].window};
    const int64_t stride[2] = {axes[0].stride, axes[1].stride};
    const int64_t dilation[2] = {axes[0].dilation, axes[1].dilation};
    const int64_t before[2] = {axes[0].before, axes[1].before}, after[2] = {axes[0].after, axes[1].after};
    fc_status status;
    if ((status = at_least("the height and width of x", in, 1, error))) return status;
    if ((status = at_least(window_name, window, 1, error))) return status;
    if ((status = at_least("stride", stride, 1, error))) return status;
    if ((status = at_least("dilation", dilation, 1, error))) return status;
    if ((unsigned)axes[0].padding > FC_PAD_SAME_LOWER)
        return fc_fail(error, FC_BAD_VALUE, "padding has an unknown kind, %d", (int)axes[0].padding);
    if (axes[0].padding == FC_PAD_EXPLICIT) {
        if ((status = at_least("padding", before, 0, error))) return status;
        if ((status = at_least("padding", after, 0, error))) return status;
    }
    for (int i = 0; i < 2; i++) {
        int64_t out = 0;
        switch (fc_axis_resolve(&axes[i], &out)) {
        case FC_AXIS_OK: break;
        case FC_AXIS_TOO_LARGE:
            return fc_fail(
                error, FC_BAD_VALUE,
                "padding, dilation and %s make sizes beyond 64 bits: padding " PAIR ", dilation " PAIR ", %s " PAIR,
                window_name, before[i], after[i], dilation[0], dilation[1], window_name, window[0], window[1]);
        case FC_AXIS_WINDOW_TOO_LARGE:
            return fc_fail(error, FC_BAD_VALUE,
                           "%s " PAIR " with dilation " PAIR " is larger than the padded input: "
                           "the %s of x is %" PRId64 ", padding adds " PAIR,
                           window_name, window[0], window[1], dilation[0], dilation[1], i ? "width" : "height", in[i],
                           axes[i].before, axes[i].after);
        }
        p->in[i] = axes[i].in;
        p->out[i] = out;
        p->window[i] = axes[i].window;
        p->stride[i] = axes[i].stride;
        p->dilation[i] = axes[i].dilation;
        p->pad_before[i] = axes[i].before;
        p->pad_after[i] = axes[i].after;
    }
    return FC_OK;
}

static fc_status start(fc_problem *p, fc_operation operation, fc_dtype dtype, fc_layout layout, int64_t batch,
                       int64_t channels, fc_error *error)
{
    fc_status status;
    *p = (fc_problem){.operation = operation, .dtype = dtype, .layout = layout, .groups = 1};
    if ((status = fc_settings_read(p, error))) return status;
    if (layout != FC_NCHW && layout != FC_NHWC)
        return fc_fail(error, FC_BAD_VALUE, "layout has an unknown value, %d", (int)layout);
    if ((status = count_at_least("the batch size of x", batch, 0, error))) return status;
    if ((status = count_at_least("the number of channels of x", channels, 0, error))) return status;
    p->batch = batch;
    p->channels = channels;
    return FC_OK;
}

fc_status fc_judge_corr2d(fc_operation operation, const fc_corr2d_params *q, fc_problem *p, fc_error *error)
{
    fc_axis axes[2];
    fc_status status = start(p, operation, q->dtype, q->layout, q->batch, q->channels, error);
    if (status) return status;
    if (q->isa && (status = fc_settings_isa(q->isa, p, error))) return status;
    if (q->dtype != FC_F32 && q->dtype != FC_F64 && q->dtype != FC_I32 && q->dtype != FC_I64)
        return fc_fail(error, FC_BAD_TYPE, "correlation computes in float32, float64, int32 or int64 only");
    if ((unsigned)q->weight_layout > FC_HWIO)
        return fc_fail(error, FC_BAD_VALUE, "the layout of w has an unknown value, %d", (int)q->weight_layout);
    if ((status = count_at_least("groups", q->groups, 1, error))) return status;
    if ((status = count_at_least("the number of output channels of w", q->out_channels, 0, error))) return status;
    if (q->channels % q->groups)
        return fc_fail(error, FC_BAD_VALUE,
                       "groups must divide the channels of x: %" PRId64 " channels, %" PRId64 " groups", q->channels,
                       q->groups);
    if (q->out_channels % q->groups)
        return fc_fail(error, FC_BAD_VALUE,
                       "groups must divide the output channels of w: %" PRId64 " channels, %" PRId64 " groups",
                       q->out_channels, q->groups);
    if (q->weight_channels != q->channels / q->groups)
        return fc_fail(error, FC_BAD_VALUE,
                       "w has %" PRId64 " input channels but x has %" PRId64 " channels in %" PRId64
                       " group(s): w must have %" PRId64,
                       q->weight_channels, q->channels, q->groups, q->channels / q->groups);
    for (int i = 0; i < 2; i++)
        axes[i] = (fc_axis){.in = q->size[i],
                            .window = q->kernel[i],
                            .stride = q->stride[i],
                            .dilation = q->dilation[i],
                            .before = q->pad_before[i],
                            .after = q->pad_after[i],
                            .padding = q->padding};
    if ((status = judge_windows(p, "the kernel size of w", axes, error))) return status;
    p->out_channels = q->out_channels;
    p->groups = q->groups;
    p->weight_layout = q->weight_layout;
    if ((status = must_fit("x", p->batch, p->channels, p->in[0], p->in[1], error))) return status;
    if ((status = must_fit("w", p->out_channels, q->weight_channels, p->window[0], p->window[1], error))) return status;
    return must_fit("the output", p->batch, p->out_channels, p->out[0], p->out[1], error);
}

fc_status fc_judge_pool2d(fc_operation operation, const fc_pool2d_params *q, fc_problem *p, fc_error *error)
{
    const bool average = operation == FC_AVG_POOL2D || operation == FC_AVG_POOL2D_GRAD;
    fc_axis axes[2];
    fc_status status = start(p, operation, q->dtype, q->layout, q->batch, q->channels, error);
    if (status) return status;
    if ((unsigned)q->dtype >= FC_DTYPES) return fc_fail(error, FC_BAD_TYPE, "x has an unknown element type");
    if (average && q->dtype != FC_F32 && q->dtype != FC_F64)
        return fc_fail(error, FC_BAD_TYPE, "average pooling computes in float32 or float64 only");
    if (q->has_divisor && q->divisor == 0) return fc_fail(error, FC_BAD_VALUE, "divisor_override must not be 0");
    for (int i = 0; i < 2; i++)
        axes[i] = (fc_axis){.in = q->size[i],
                            .window = q->window[i],
                            .stride = q->stride[i],
                            .dilation = q->dilation[i],
                            .before = q->pad_before[i],
                            .after = q->pad_after[i],
                            .padding = q->padding,
                            .ceil_mode = q->ceil_mode};
    if ((status = judge_windows(p, "pool_size", axes, error))) return status;
    p->out_channels = p->channels;
    p->count_include_pad = q->count_include_pad;
    p->has_divisor = q->has_divisor;
    p->divisor = q->divisor;
    if ((status = must_fit("x", p->batch, p->channels, p->in[0], p->in[1], error))) return status;
    return must_fit("the output", p->batch, p->channels, p->out[0], p->out[1], error);
}

fc_status fc_judge_max_pool2d_grad(const fc_max_pool2d_grad_params *q, fc_problem *p, fc_error *error)
{
    fc_status status = start(p, FC_MAX_POOL2D_GRAD, q->dtype, q->layout, q->batch, q->channels, error);
    if (status) return status;
    if ((unsigned)q->dtype >= FC_DTYPES)
        return fc_fail(error, FC_BAD_TYPE, "the gradient of max pooling has an unknown element type");
    if ((status = at_least("the height and width of x_shape", q->size, 1, error))) return status;
    if ((status = at_least("the height and width of grad_y", q->out, 0, error))) return status;
    for (int i = 0; i < 2; i++) {
        p->in[i] = q->size[i];
        p->out[i] = q->out[i];
    }
    p->out_channels = p->channels;
    if ((status = must_fit("x", p->batch, p->channels, p->in[0], p->in[1], error))) return status;
    return must_fit("grad_y", p->batch, p->channels, p->out[0], p->out[1], error);
}
