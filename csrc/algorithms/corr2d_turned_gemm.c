/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_turned_gemm.c -- correlation and its input gradient on NCHW images by the matrix product for NHWC: some images
 * are turned into pixels, and the results back into planes.
 *
 * Two turns cost a few instructions an element. What they save: the panels of gemm_nchw.c take apart the rows of small and
 * of strided maps, and leave lanes empty where a map ends. */
#include "algorithms/algorithm.h"
#include "algorithms/block_axis.h"
#include "algorithms/planes_cost.h"
#include "algorithms/strided_copy.h"
#include "algorithms/turn.h"
#include "algorithms/wave.h"
#include "platform/memory.h"

#define FEW_FILTERS 32         /* of one tap, which rows of pixels do with few instructions */
#define SMALL_MAP 200          /* pixels, whose rows do not fill vectors */
#define LARGE_MAP 2500         /* whose rows fill several */
#define MOST_OUTPUTS 450       /* of a map, beyond which planes are read as fast */
#define MOST_PIXELS 250        /* of gradients of 1x1 kernels, */
#define FEW_PIXELS 90          /* and of those whose sums are not long, */
#define LONG_SUMS 256          /* in steps */
#define MANY_OUTPUTS 150       /* of all images, that pay for packing any weights in every call */
#define FEW_OUTPUTS 40         /* of all images, that do not pay for two turns */
#define RAW_BYTES (384 * 1024) /* of weights that outputs in between pay for */

static fc_problem turned(const fc_problem *p)
{
    fc_problem t = *p;
    t.layout = FC_NHWC;
    return t;
}

/* Of few channels whole rows of windows are taken, as corr2d_padded_pixels.c does where it is preferred. Nothing here depends
 * on the images, for which weights are prepared whatever their size. */
bool fc_turned_gemm_takes_rows(const fc_problem *p)
{
    const ptrdiff_t taps = p->window[0] * p->window[1];
    return fc_block_forward(p) && p->groups == 1 && (p->window[1] == 1 || p->dilation[1] == 1) && taps > 1 &&
           p->channels >= 1 && p->channels <= (fc_strided(p) && taps > 9 ? 32 : 8);
}

static const fc_algorithm *product(const fc_problem *p)
{
    if (!fc_block_forward(p)) return &fc_corr2d_input_grad_implicit_gemm_nhwc;
    return fc_turned_gemm_takes_rows(p) ? &fc_corr2d_padded_pixels : &fc_corr2d_implicit_gemm_nhwc;
}

static const char *decline(const fc_problem *p)
{
    const fc_problem t = turned(p);
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    return product(p)->decline(&t);
}

static size_t bytes_of(const fc_problem *p, ptrdiff_t channels, const ptrdiff_t size[2])
{
    const size_t pixels = fc_size_mul((size_t)size[0], (size_t)size[1]);
    return fc_size_lines(fc_size_mul(fc_size_mul((size_t)channels, pixels), fc_dtype_size(p->dtype)));
}

static size_t source_bytes(const fc_problem *p)
{
    return bytes_of(p, fc_block_source_channels(p), fc_block_source_size(p));
}

static size_t image_bytes(const fc_problem *p)
{
    return fc_size_add(source_bytes(p), bytes_of(p, fc_block_destination_channels(p), fc_block_destination_size(p)));
}

bool fc_turned_gemm_fits(const fc_problem *p) { return image_bytes(p) <= FC_LARGEST_COPIED_BYTES; }

static bool has_few_channels(const fc_problem *p)
{
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t pairs = channels * filters, fewer = fc_min(channels, filters);
    if (p->groups > 1) return fewer < 8;
    if (!fc_block_forward(p) && fc_strided(p)) {
        const ptrdiff_t pixels = p->in[0] * p->in[1];
        if (pixels > LARGE_MAP) return channels < 12;
        if (pixels < SMALL_MAP && fc_vectors_are_wide(p)) return pairs < 16;
    }
    if (fc_strided(p)) return fewer < 3 || pairs < 128;
    return fewer < 8 || pairs < 144;
}

/* Rows of windows of few channels are one sum for a whole row of outputs: where that is narrow, planes leave more lanes
 * empty than few filters do. Measured over maps of 4 to 28 pixels, 1 to 8 channels of 6 to 64 filters. */
static const char *pass_few_channels(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    if (!fc_turned_gemm_fits(p)) return "an image is too large to copy";
    if (p->out[1] > lanes) return "rows of so large a map fill vectors";
    const ptrdiff_t few = fc_strided(p) ? 8 : 2 * p->out[1] > lanes ? lanes : 0;
    return p->out_channels < few ? "there are few filters" : NULL;
}

/* Measured over maps of 4 to 160 pixels, 3 to 1024 channels, strides 1 and 2, one image and eight. */
const char *fc_turned_gemm_rules(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const bool apart = fc_strided(p);
    if (fc_turned_gemm_takes_rows(p) && (!apart || p->out[1] <= lanes)) return pass_few_channels(p);
    if (!fc_corr2d_padded_rows.decline(p) && !fc_padded_rows_rules(p)) return "rows are read where they lie";
    if (has_few_channels(p)) return "there are too few channels on one side";
    if (!fc_turned_gemm_fits(p)) return "an image is too large to copy";
    const ptrdiff_t outputs = p->out[0] * p->out[1], computed = fc_round_up(outputs, lanes);
    if (p->window[0] == 1 && p->window[1] == 1) {
        if (outputs > MOST_OUTPUTS) return "rows of so large a map fill vectors";
        if (p->out_channels / p->groups <= FEW_FILTERS) return "there are few filters";
        return 5 * computed < 6 * outputs ? "the map fills vectors" : NULL;
    }
    if (outputs > MOST_OUTPUTS && !apart) return "rows of so large a map fill vectors";
    const ptrdiff_t all = p->batch * outputs;
    if (p->weights_stay || all >= MANY_OUTPUTS) return NULL;
    return all < FEW_OUTPUTS || fc_weight_bytes(p) > RAW_BYTES ? "there are too few outputs to pack the weights for"
                                                               : NULL;
}

static const char *pass_forward(const fc_problem *p) { return fc_planes_pass(p, FC_PLANES_TURNED_GEMM); }

/* Of a 1x1 kernel without stride, whose turned weights cost planes little: whether these are as fast, by one thread and by two,
 * that hand each other what they turn. */
static bool planes_fill_vectors(const fc_problem *p)
{
    const ptrdiff_t pixels = p->in[0] * p->in[1];
    if (pixels > MOST_PIXELS) return true;
    if (p->out_channels >= LONG_SUMS * p->groups) return false;
    return pixels > FEW_PIXELS || pixels % p->kernels->gemm[p->dtype].lanes == 0;
}

/* Measured over the same, and the layers of ResNet-50, InceptionV3 and MobileNetV2. */
static const char *pass_input_grad(const fc_problem *p)
{
    const bool one_tap = p->window[0] == 1 && p->window[1] == 1;
    if (has_few_channels(p) || (one_tap && fc_min(p->channels, p->out_channels) < 16 * p->groups))
        return "there are too few channels on one side";
    if (!fc_turned_gemm_fits(p)) return "an image is too large to copy";
    if (p->in[0] * p->in[1] > MOST_OUTPUTS && !fc_strided(p)) return "rows of so large a map fill vectors";
    if (one_tap && !fc_strided(p) && planes_fill_vectors(p)) return "the map fills vectors";
    return NULL;
}

/* The images and results of a wave, and what the product itself shares. */
static size_t shared_bytes(const fc_problem *p)
{
    fc_problem t = turned(p);
    t.batch = fc_images_of_wave(p, image_bytes(p));
    return fc_size_add(fc_size_mul((size_t)t.batch, image_bytes(p)), fc_bytes_of(product(p)->shared_bytes, &t));
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem t = turned(p);
    return product(p)->slot_bytes(&t);
}

static size_t prepared_bytes(const fc_problem *p)
{
    const fc_problem t = turned(p);
    return product(p)->prepared_bytes(&t);
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const fc_problem t = turned(p);
    product(p)->prepare(&t, w, prepared);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const bool forward = fc_block_forward(p);
    const ptrdiff_t wave = fc_images_of_wave(p, image_bytes(p)), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t read = fc_block_source_size(p)[0] * fc_block_source_size(p)[1], in = fc_block_source_channels(p);
    const ptrdiff_t written = fc_block_destination_size(p)[0] * fc_block_destination_size(p)[1];
    const ptrdiff_t out = fc_block_destination_channels(p);
    const char *source = forward ? operands->x : operands->grad_y;
    char *pixels = workspace->shared, *results = pixels + (size_t)wave * source_bytes(p);
    fc_workspace rest = *workspace;
    rest.shared = pixels + (size_t)wave * image_bytes(p);
    fc_end_part(pixels, (size_t)wave * source_bytes(p));
    fc_end_part(results, (size_t)wave * (image_bytes(p) - source_bytes(p)));
    fc_operands o = *operands;
    fc_problem t = turned(p);
    if (forward)
        o.x = pixels;
    else
        o.grad_y = pixels;
    o.y = results;
    for (ptrdiff_t first = 0; first < p->batch; first += wave) {
        t.batch = fc_min(wave, p->batch - first);
        fc_turn_images(p, &(fc_turn){t.batch, in, read, source + first * in * read * element, pixels},
                       workspace->threads);
        product(p)->run(&t, &o, &rest);
        fc_turn_images(
            p, &(fc_turn){t.batch, written, out, results, (char *)operands->y + first * out * written * element},
            workspace->threads);
    }
}

const fc_algorithm fc_corr2d_turned_gemm = {
    .name = "turned_gemm",
    .decline = decline,
    .pass = pass_forward,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = run,
};

const fc_algorithm fc_corr2d_input_grad_turned_gemm = {
    .name = "turned_gemm",
    .decline = decline,
    .pass = pass_input_grad,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = run,
};
