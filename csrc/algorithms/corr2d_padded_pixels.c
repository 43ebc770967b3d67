/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_padded_pixels.c -- correlation of NHWC images of few channels: first layers, and 1x1 kernels on large maps.
 *
 * The pixels of one row of a window lie next to each other, so that they are one long sum where the matrix product of
 * gemm_nhwc.h would see many short ones. For that no row may be cut off by the border: images that are padded are copied
 * into zeros. A kernel computes a whole row of outputs then, unless the row is shorter than a tile or the sums are long. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/gemm_nhwc.h"
#include "algorithms/strided_copy.h"
#include "algorithms/wave.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MANY_WEIGHT_BYTES 65536
#define FEW_OUTPUTS 32
#define LARGE_MAP 2500 /* outputs */
#define BYTES_WORTH_A_THREAD (64 * 1024)
#define ROWS_OF_A_TASK 8 /* at most */

/* What all windows read of an axis. */
static ptrdiff_t span_of(const fc_problem *p, int axis)
{
    return (p->out[axis] - 1) * p->stride[axis] + (p->window[axis] - 1) * p->dilation[axis] + 1;
}

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NHWC) return "layout is not NHWC";
    if (p->groups != 1) return "there are several groups";
    if (p->window[1] > 1 && p->dilation[1] != 1) return "the kernel is dilated along the width";
    if (!p->channels) return "there are no channels";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (p->out[0] && p->out[1] && span_of(p, 0) / 4 > p->in[0] + 16) return "the copy would be mostly padding";
    if (p->out[0] && p->out[1] && span_of(p, 1) / 4 > p->in[1] + 16) return "the copy would be mostly padding";
    return NULL;
}

static size_t image_bytes(const fc_problem *p)
{
    const size_t pixels = fc_size_mul((size_t)span_of(p, 0), (size_t)span_of(p, 1));
    return fc_size_lines(fc_size_mul(fc_size_mul(pixels, (size_t)p->channels), fc_dtype_size(p->dtype)));
}

/* Whether no window reaches beyond the image: it is read where it lies then. */
static bool lies_ready(const fc_problem *p)
{
    for (int i = 0; i < 2; i++)
        if (p->pad_before[i] || span_of(p, i) > p->in[i]) return false;
    return true;
}

/* Whether a row of outputs is computed at once: sums of a single chain, and a tile's outputs or more. */
static bool takes_rows(const fc_problem *p)
{
    return (p->dtype == FC_F32 || p->dtype == FC_F64) && p->out[1] >= FC_MAX_TILE_ROWS &&
           p->window[1] * p->channels <= FC_DEPTH / fc_min(p->window[0], FC_DEPTH);
}

/* More are long sums as they are. */
static ptrdiff_t most_channels(const fc_problem *p)
{
    if (fc_strided(p) && p->window[0] * p->window[1] > 9) return 32;
    return takes_rows(p) ? 16 : 8;
}

/* Measured over maps of 14 to 388 pixels, 1 to 256 channels and 2 to 768 outputs: rows of outputs save most where sums are
 * short, and where the matrix product prepares a tile for few products. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const double outputs = (double)p->out[0] * (double)p->out[1];
    const bool narrow = p->out_channels <= 2 * lanes;
    if (p->window[0] == 1 && p->window[1] == 1 && lies_ready(p)) {
        if (!takes_rows(p)) return "its sums are too long, or its rows too short";
        if (p->channels <= (narrow ? 96 : 32) || (outputs >= LARGE_MAP && p->channels <= (narrow ? 144 : 64)))
            return NULL;
        return "there are many channels";
    }
    if (p->channels > most_channels(p)) return "there are many channels";
    if (!p->weights_stay && p->weight_layout == FC_OHWI && fc_weight_bytes(p) > MANY_WEIGHT_BYTES &&
        (double)p->batch * outputs < FEW_OUTPUTS)
        return "so many weights are turned for few outputs";
    if (lies_ready(p)) return NULL;
    if (!takes_rows(p) && p->channels > 3 && p->window[0] * p->window[1] <= 9)
        return "a copy of the image would cost more than it saves";
    if (image_bytes(p) > FC_LARGEST_COPIED_BYTES) return "an image is too large to copy";
    return NULL;
}

static fc_pixel_correlation job_of(const fc_problem *p)
{
    fc_pixel_correlation job = {.dtype = p->dtype,
                                .axis = {fc_forward_axis(p, 0), fc_forward_axis(p, 1)},
                                .batch = p->batch,
                                .groups = 1,
                                .channels = p->window[1] * p->channels,
                                .columns = p->out_channels,
                                .pixel = p->channels};
    for (int i = 0; i < 2; i++) {
        job.axis[i].source = span_of(p, i);
        job.axis[i].tap_first = 0;
    }
    job.axis[1].taps = 1;
    return job;
}

/* Rows of windows are the channels of the product. */
static fc_problem problem_of_job(const fc_problem *p)
{
    fc_problem t = *p;
    t.channels = p->window[1] * p->channels;
    return t;
}

static size_t shared_bytes(const fc_problem *p)
{
    return lies_ready(p) ? 0 : fc_size_mul((size_t)fc_images_of_wave(p, image_bytes(p)), image_bytes(p));
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem t = problem_of_job(p);
    return fc_gemm_nhwc_slot_bytes(&t);
}

static size_t prepared_bytes(const fc_problem *p)
{
    const fc_pixel_correlation job = job_of(p);
    return fc_size_mul(fc_gemm_nhwc_packed(&job, &p->kernels->gemm[p->dtype]), fc_dtype_size(p->dtype));
}

/* Rows of a window are one where they follow each other in the weights as well, and else taps by themselves. */
static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    fc_pixel_correlation job = job_of(p);
    const fc_strides ws = fc_weight_strides(p);
    if (ws.w != p->channels * ws.c) {
        job.axis[1].taps = p->window[1];
        job.channels = p->channels;
    }
    fc_gemm_nhwc_pack(p, &job, w, &(fc_weight_steps){.channel = ws.c, .column = ws.n, .tap = {ws.h, ws.w}}, prepared);
}

typedef struct copying {
    const fc_problem *p;
    const char *x;
    char *to;
} copying;

/* One row of one image. */
static void copy_row(void *context, ptrdiff_t task, int slot)
{
    const copying *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t rows = span_of(p, 0), columns = span_of(p, 1);
    const ptrdiff_t pixel = p->channels * (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t image = task / rows, y = task % rows - p->pad_before[0];
    const ptrdiff_t left = fc_min(p->pad_before[1], columns), used = fc_max(0, fc_min(p->in[1], columns - left));
    char *to = c->to + task * columns * pixel;
    (void)slot;
    if (y < 0 || y >= p->in[0]) {
        memset(to, 0, (size_t)(columns * pixel));
        return;
    }
    memset(to, 0, (size_t)(left * pixel));
    memcpy(to + left * pixel, c->x + (image * p->in[0] + y) * p->in[1] * pixel, (size_t)(used * pixel));
    memset(to + (left + used) * pixel, 0, (size_t)((columns - left - used) * pixel));
}

typedef struct rows_call {
    const fc_problem *p;
    const fc_pixel_correlation *job;
    fc_panels panels;
    ptrdiff_t blocks; /* of rows, of one image */
} rows_call;

/* A row of outputs, panel by panel. */
static void run_row(const rows_call *c, ptrdiff_t image, ptrdiff_t y)
{
    const fc_problem *p = c->p;
    const fc_pixel_correlation *job = c->job;
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), row = job->axis[1].source * p->channels;
    const ptrdiff_t from = (image * job->axis[0].source + y * p->stride[0]) * row, o = p->out_channels;
    const ptrdiff_t to = (image * p->out[0] + y) * p->out[1] * o, depth = job->channels * job->axis[0].taps;
    for (ptrdiff_t i = 0; i < c->panels.count; i++) {
        const fc_panel_cut panel = fc_panel_at(&c->panels, i);
        k->pixel_row[panel.vectors - 1](
            &(fc_pixel_row){.outputs = p->out[1],
                            .segments = job->axis[0].taps,
                            .depth = job->channels,
                            .columns = panel.columns,
                            .a = (const char *)job->source + from * element,
                            .a_row = job->axis[0].tap_step * row,
                            .a_step = p->stride[1] * p->channels,
                            .b = (const char *)job->weights + depth * panel.first * element,
                            .init = job->bias ? (const char *)job->bias + panel.first * element : NULL,
                            .c = (char *)job->destination + (to + panel.first) * element,
                            .c_step = o});
    }
}

static void run_rows(void *context, ptrdiff_t task, int slot)
{
    const rows_call *c = context;
    const ptrdiff_t image = task / c->blocks, block = task % c->blocks, rows = c->p->out[0];
    (void)slot;
    for (ptrdiff_t y = fc_cut(rows, c->blocks, block); y < fc_cut(rows, c->blocks, block + 1); y++)
        run_row(c, image, y);
}

static void multiply(const fc_problem *p, const fc_pixel_correlation *job, const fc_workspace *workspace)
{
    if (!takes_rows(p)) {
        fc_gemm_nhwc(p, job, workspace);
        return;
    }
    const ptrdiff_t enough = fc_min(p->out[0], fc_ceil_div(fc_enough_tasks(p), fc_max(1, job->batch)));
    const rows_call c = {p, job, fc_gemm_nhwc_panels(job, &p->kernels->gemm[p->dtype]),
                         fc_max(enough, fc_ceil_div(p->out[0], ROWS_OF_A_TASK))};
    fc_parallel_shares(job->batch * c.blocks, workspace->threads, true, run_rows, (void *)&c);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t wave = fc_images_of_wave(p, image_bytes(p)), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    fc_pixel_correlation job = job_of(p);
    job.weights = operands->prepared;
    job.bias = operands->bias;
    if (lies_ready(p)) {
        job.axis[0].source = p->in[0];
        job.axis[1].source = p->in[1];
        job.source = operands->x;
        job.destination = operands->y;
        multiply(p, &job, workspace);
        return;
    }
    job.source = workspace->shared;
    for (ptrdiff_t first = 0; first < p->batch; first += wave) {
        const copying c = {p, (const char *)operands->x + first * p->in[0] * p->in[1] * p->channels * element,
                           workspace->shared};
        job.batch = fc_min(wave, p->batch - first);
        job.destination = (char *)operands->y + first * p->out[0] * p->out[1] * p->out_channels * element;
        fc_parallel_shares(job.batch * span_of(p, 0),
                           image_bytes(p) * (size_t)job.batch < BYTES_WORTH_A_THREAD ? 1 : workspace->threads, true,
                           copy_row, (void *)&c);
        multiply(p, &job, workspace);
    }
}

const fc_algorithm fc_corr2d_padded_pixels = {
    .name = "padded_pixels",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = run,
};
