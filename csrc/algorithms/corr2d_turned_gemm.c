/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_turned_gemm.c -- correlation on NCHW images by the matrix product for NHWC: some images are turned into pixels,
 * and the results back into planes.
 *
 * Two turns cost a few instructions an element. What they save: the panels of gemm_nchw.c take apart the rows of small and
 * of strided maps, and leave lanes empty where a map ends. */
#include "algorithms/algorithm.h"
#include "algorithms/strided_copy.h"
#include "algorithms/turn.h"
#include "algorithms/wave.h"
#include "platform/memory.h"

#define FEWEST_CHANNELS 16
#define MOST_OUTPUTS 450             /* of a map, beyond which planes are read as fast */
#define MOST_RAW_BYTES (1024 * 1024) /* of weights that are packed in every call */
#define FEWEST_RAW_OUTPUTS 150       /* that pay for packing weights in every call */

static fc_problem turned(const fc_problem *p)
{
    fc_problem t = *p;
    t.layout = FC_NHWC;
    return t;
}

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    return NULL;
}

static size_t input_bytes(const fc_problem *p)
{
    const size_t pixels = fc_size_mul((size_t)p->in[0], (size_t)p->in[1]);
    return fc_size_lines(fc_size_mul(fc_size_mul((size_t)p->channels, pixels), fc_dtype_size(p->dtype)));
}

static size_t output_bytes(const fc_problem *p)
{
    const size_t pixels = fc_size_mul((size_t)p->out[0], (size_t)p->out[1]);
    return fc_size_lines(fc_size_mul(fc_size_mul((size_t)p->out_channels, pixels), fc_dtype_size(p->dtype)));
}

static size_t image_bytes(const fc_problem *p) { return fc_size_add(input_bytes(p), output_bytes(p)); }

/* Measured over maps of 4 to 28 pixels, 32 to 1024 channels, and strides 1 and 2. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    if (p->channels / p->groups < FEWEST_CHANNELS || p->out_channels / p->groups < FEWEST_CHANNELS)
        return "there are too few channels on one side";
    if (image_bytes(p) > FC_LARGEST_COPIED_BYTES) return "an image is too large to copy";
    const ptrdiff_t outputs = p->out[0] * p->out[1], computed = fc_ceil_div(outputs, lanes) * lanes;
    if (outputs > MOST_OUTPUTS) return "rows of so large a map fill vectors";
    if (p->window[0] == 1 && p->window[1] == 1) return 5 * computed < 6 * outputs ? "the map fills vectors" : NULL;
    if (p->weights_stay) return NULL;
    if (outputs < FEWEST_RAW_OUTPUTS) return "there are too few outputs to pack the weights for";
    if (fc_weight_bytes(p) > MOST_RAW_BYTES) return "there are too many weights to pack in every call";
    return NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    return fc_size_mul((size_t)fc_images_of_wave(p, image_bytes(p)), image_bytes(p));
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem t = turned(p);
    return fc_corr2d_implicit_gemm_nhwc.slot_bytes(&t);
}

static size_t prepared_bytes(const fc_problem *p)
{
    const fc_problem t = turned(p);
    return fc_corr2d_implicit_gemm_nhwc.prepared_bytes(&t);
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const fc_problem t = turned(p);
    fc_corr2d_implicit_gemm_nhwc.prepare(&t, w, prepared);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t wave = fc_images_of_wave(p, image_bytes(p)), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t inputs = p->in[0] * p->in[1], outputs = p->out[0] * p->out[1];
    char *pixels = workspace->shared, *results = pixels + (size_t)wave * input_bytes(p);
    fc_operands o = *operands;
    fc_problem t = turned(p);
    o.x = pixels;
    o.y = results;
    for (ptrdiff_t first = 0; first < p->batch; first += wave) {
        const char *x = (const char *)operands->x + first * p->channels * inputs * element;
        char *y = (char *)operands->y + first * p->out_channels * outputs * element;
        t.batch = fc_min(wave, p->batch - first);
        fc_turn_images(p, &(fc_turn){t.batch, p->channels, inputs, x, pixels}, workspace->threads);
        fc_corr2d_implicit_gemm_nhwc.run(&t, &o, workspace);
        fc_turn_images(p, &(fc_turn){t.batch, outputs, p->out_channels, results, y}, workspace->threads);
    }
}

const fc_algorithm fc_corr2d_turned_gemm = {
    .name = "turned_gemm",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = run,
};
