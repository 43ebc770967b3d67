/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_implicit_gemm_nhwc.c -- correlation and its input gradient on NHWC images, by the matrix product of
 * gemm_nhwc.h. Weights of any order are packed into panels, once a call or once for all. */
#include "algorithms/algorithm.h"
#include "algorithms/gemm_nhwc.h"
#include "platform/memory.h"

static const char *decline(const fc_problem *p) { return p->layout == FC_NHWC ? NULL : "layout is not NHWC"; }

static const char *decline_input_grad(const fc_problem *p)
{
    if (fc_phases(p, 0) > FC_MAX_PHASES || fc_phases(p, 1) > FC_MAX_PHASES) return "stride is larger than 256";
    return decline(p);
}

static fc_pixel_correlation forward_job(const fc_problem *p)
{
    return (fc_pixel_correlation){
        .dtype = p->dtype,
        .axis = {fc_forward_axis(p, 0), fc_forward_axis(p, 1)},
        .batch = p->batch,
        .groups = p->groups,
        .channels = p->channels / p->groups,
        .columns = p->out_channels / p->groups,
        .pixel = p->channels,
    };
}

/* Then packing one tap alone would read all lines for a part of them. */
static bool taps_lie_together(const fc_problem *p)
{
    return p->weight_layout == FC_OIHW && p->window[0] * p->window[1] > 1;
}

static size_t forward_prepared_bytes(const fc_problem *p)
{
    const fc_pixel_correlation job = forward_job(p);
    if (!p->weights_stay && fc_gemm_nhwc_reads_raw(&job) && !taps_lie_together(p)) return 0;
    return fc_size_mul(fc_gemm_nhwc_packed(&job, &p->kernels->gemm[p->dtype]), fc_dtype_size(p->dtype));
}

static fc_weight_steps forward_steps(const fc_problem *p)
{
    const fc_strides ws = fc_weight_strides(p);
    return (fc_weight_steps){
        .group = p->out_channels / p->groups * ws.n, .channel = ws.c, .column = ws.n, .tap = {ws.h, ws.w}};
}

static void forward_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const fc_pixel_correlation job = forward_job(p);
    const fc_weight_steps steps = forward_steps(p);
    fc_tap_home homes[FC_MOST_TURNED];
    if (!fc_gemm_nhwc_turns_taps(p)) {
        fc_gemm_nhwc_pack(p, &job, w, &steps, prepared);
        return;
    }
    for (ptrdiff_t t = 0; t < fc_taps_of(&job); t++) homes[t] = (fc_tap_home){0, fc_taps_of(&job), t};
    fc_gemm_nhwc_pack_taps(p, &job, w, &steps, homes, prepared);
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    fc_pixel_correlation job = forward_job(p);
    job.source = operands->x;
    job.weights = operands->prepared;
    job.raw = operands->prepared ? NULL : operands->w;
    job.raw_steps = forward_steps(p);
    job.bias = operands->bias;
    job.destination = operands->y;
    fc_gemm_nhwc(p, &job, workspace);
}

static fc_pixel_correlation phase_job(const fc_problem *p, ptrdiff_t row_phase, ptrdiff_t column_phase)
{
    return (fc_pixel_correlation){
        .dtype = p->dtype,
        .axis = {fc_phase_axis(p, 0, row_phase), fc_phase_axis(p, 1, column_phase)},
        .batch = p->batch,
        .groups = p->groups,
        .channels = p->out_channels / p->groups,
        .columns = p->channels / p->groups,
        .pixel = p->out_channels,
    };
}

/* Phase after phase. */
static size_t input_grad_prepared_bytes(const fc_problem *p)
{
    size_t elements = 0;
    for (ptrdiff_t i = 0; i < fc_phases(p, 0); i++)
        for (ptrdiff_t j = 0; j < fc_phases(p, 1); j++) {
            const fc_pixel_correlation job = phase_job(p, i, j);
            elements = fc_size_add(elements, fc_gemm_nhwc_packed(&job, &p->kernels->gemm[p->dtype]));
        }
    return fc_size_mul(elements, fc_dtype_size(p->dtype));
}

static void pack_phases(const fc_problem *p, const void *w, void *prepared)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const fc_strides ws = fc_weight_strides(p);
    char *to = prepared;
    for (ptrdiff_t i = 0; i < fc_phases(p, 0); i++)
        for (ptrdiff_t j = 0; j < fc_phases(p, 1); j++) {
            const fc_pixel_correlation job = phase_job(p, i, j);
            const fc_weight_steps steps = {.group = job.channels * ws.n,
                                           .channel = ws.n,
                                           .column = ws.c,
                                           .tap = {job.axis[0].window_step * ws.h, job.axis[1].window_step * ws.w}};
            const ptrdiff_t tap = job.axis[0].window_first * ws.h + job.axis[1].window_first * ws.w;
            if (fc_gemm_nhwc_packed(&job, kernels) == 0) continue;
            fc_gemm_nhwc_pack(p, &job, (const char *)w + (size_t)tap * fc_dtype_size(p->dtype), &steps, to);
            to += fc_gemm_nhwc_packed(&job, kernels) * fc_dtype_size(p->dtype);
        }
}

/* Each tap of the window belongs to one phase, or to none where the image is smaller than the stride. */
static void pack_phases_together(const fc_problem *p, const void *w, void *prepared)
{
    const fc_strides ws = fc_weight_strides(p);
    const fc_pixel_correlation any = phase_job(p, 0, 0);
    const fc_weight_steps steps = {.group = any.channels * ws.n, .channel = ws.n, .column = ws.c};
    fc_tap_home homes[FC_MOST_TURNED] = {0};
    ptrdiff_t grid = 0;
    for (ptrdiff_t i = 0; i < fc_phases(p, 0); i++)
        for (ptrdiff_t j = 0; j < fc_phases(p, 1); j++) {
            const fc_pixel_correlation job = phase_job(p, i, j);
            const fc_grid_axis *rows = &job.axis[0], *columns = &job.axis[1];
            for (ptrdiff_t u = 0; u < rows->taps; u++)
                for (ptrdiff_t v = 0; v < columns->taps; v++) {
                    const ptrdiff_t row = rows->window_first + u * rows->window_step;
                    const ptrdiff_t column = columns->window_first + v * columns->window_step;
                    homes[row * p->window[1] + column] =
                        (fc_tap_home){grid, rows->taps * columns->taps, u * columns->taps + v};
                }
            grid += (ptrdiff_t)fc_gemm_nhwc_packed(&job, &p->kernels->gemm[p->dtype]);
        }
    fc_gemm_nhwc_pack_taps(p, &any, w, &steps, homes, prepared);
}

static void input_grad_prepare(const fc_problem *p, const void *w, void *prepared)
{
    (fc_gemm_nhwc_turns_taps(p) ? pack_phases_together : pack_phases)(p, w, prepared);
}

static void input_grad(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const char *weights = operands->prepared;
    for (ptrdiff_t i = 0; i < fc_phases(p, 0); i++)
        for (ptrdiff_t j = 0; j < fc_phases(p, 1); j++) {
            fc_pixel_correlation job = phase_job(p, i, j);
            job.source = operands->grad_y;
            job.weights = weights;
            job.destination = operands->y;
            fc_gemm_nhwc(p, &job, workspace);
            weights += fc_gemm_nhwc_packed(&job, &p->kernels->gemm[p->dtype]) * fc_dtype_size(p->dtype);
        }
}

const fc_algorithm fc_corr2d_implicit_gemm_nhwc = {
    .name = "implicit_gemm_nhwc",
    .decline = decline,
    .slot_bytes = fc_gemm_nhwc_slot_bytes,
    .prepared_bytes = forward_prepared_bytes,
    .prepare = forward_prepare,
    .run = forward,
};

const fc_algorithm fc_corr2d_input_grad_implicit_gemm_nhwc = {
    .name = "implicit_gemm_nhwc",
    .decline = decline_input_grad,
    .slot_bytes = fc_gemm_nhwc_slot_bytes,
    .prepared_bytes = input_grad_prepared_bytes,
    .prepare = input_grad_prepare,
    .run = input_grad,
};
