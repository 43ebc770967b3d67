/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_input_grad_turned_gemm.c -- the input gradient on NCHW images by the matrix product for NHWC: some gradients are
 * turned into pixels, and the results back into planes, as corr2d_turned_gemm.c does. */
#include "algorithms/algorithm.h"
#include "algorithms/turn.h"
#include "algorithms/wave.h"
#include "platform/memory.h"

#define FEWEST_CHANNELS 16
#define MOST_PIXELS 450 /* of a map, beyond which planes without a stride are read as fast */

static fc_problem turned(const fc_problem *p)
{
    fc_problem t = *p;
    t.layout = FC_NHWC;
    return t;
}

static const char *decline(const fc_problem *p)
{
    const fc_problem t = turned(p);
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    return fc_corr2d_input_grad_implicit_gemm_nhwc.decline(&t);
}

static size_t plane_bytes(const fc_problem *p, ptrdiff_t channels, const ptrdiff_t size[2])
{
    const size_t pixels = fc_size_mul((size_t)size[0], (size_t)size[1]);
    return fc_size_lines(fc_size_mul(fc_size_mul((size_t)channels, pixels), fc_dtype_size(p->dtype)));
}

static size_t gradient_bytes(const fc_problem *p) { return plane_bytes(p, p->out_channels, p->out); }

static size_t image_bytes(const fc_problem *p)
{
    return fc_size_add(gradient_bytes(p), plane_bytes(p, p->channels, p->in));
}

/* Measured over the layers of ResNet-50, InceptionV3 and MobileNetV2, one image and eight. */
static const char *pass(const fc_problem *p)
{
    if (p->channels / p->groups < FEWEST_CHANNELS || p->out_channels / p->groups < FEWEST_CHANNELS)
        return "there are too few channels on one side";
    if (image_bytes(p) > FC_LARGEST_COPIED_BYTES) return "an image is too large to copy";
    if (p->in[0] * p->in[1] > MOST_PIXELS && p->stride[0] == 1 && p->stride[1] == 1)
        return "rows of so large a map fill vectors";
    return NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    return fc_size_mul((size_t)fc_images_of_wave(p, image_bytes(p)), image_bytes(p));
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem t = turned(p);
    return fc_corr2d_input_grad_implicit_gemm_nhwc.slot_bytes(&t);
}

static size_t prepared_bytes(const fc_problem *p)
{
    const fc_problem t = turned(p);
    return fc_corr2d_input_grad_implicit_gemm_nhwc.prepared_bytes(&t);
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const fc_problem t = turned(p);
    fc_corr2d_input_grad_implicit_gemm_nhwc.prepare(&t, w, prepared);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t wave = fc_images_of_wave(p, image_bytes(p)), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t inputs = p->in[0] * p->in[1], outputs = p->out[0] * p->out[1];
    char *gradients = workspace->shared, *results = gradients + (size_t)wave * gradient_bytes(p);
    fc_operands o = *operands;
    fc_problem t = turned(p);
    o.grad_y = gradients;
    o.y = results;
    for (ptrdiff_t first = 0; first < p->batch; first += wave) {
        const char *grad_y = (const char *)operands->grad_y + first * p->out_channels * outputs * element;
        char *grad_x = (char *)operands->y + first * p->channels * inputs * element;
        t.batch = fc_min(wave, p->batch - first);
        fc_turn_images(p, &(fc_turn){t.batch, p->out_channels, outputs, grad_y, gradients}, workspace->threads);
        fc_corr2d_input_grad_implicit_gemm_nhwc.run(&t, &o, workspace);
        fc_turn_images(p, &(fc_turn){t.batch, inputs, p->channels, results, grad_x}, workspace->threads);
    }
}

const fc_algorithm fc_corr2d_input_grad_turned_gemm = {
    .name = "turned_gemm",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = run,
};
