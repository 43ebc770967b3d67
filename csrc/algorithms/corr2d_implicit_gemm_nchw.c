/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_implicit_gemm_nchw.c -- correlation and its input gradient on NCHW images, by the matrix product of
 * gemm_nchw.h. The forward pass reads OIHW weights as they lie; the input gradient transposes them once a call. */
#include "algorithms/algorithm.h"
#include "algorithms/gemm_nchw.h"
#include "algorithms/strided_copy.h"
#include "algorithms/turn.h"
#include "platform/parallel.h"

#define BYTES_WORTH_A_THREAD (128 * 1024)

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    return NULL;
}

/* A phase is a product of its own: with very many of them there is next to nothing in each. */
static const char *decline_input_grad(const fc_problem *p)
{
    if (fc_phases(p, 0) > FC_MAX_PHASES || fc_phases(p, 1) > FC_MAX_PHASES) return "stride is larger than 256";
    return decline(p);
}

static size_t forward_prepared_bytes(const fc_problem *p)
{
    return p->weight_layout == FC_OIHW ? 0 : fc_weight_bytes(p);
}

/* A 1x1 kernel that skips and pads nothing sees one long row, which fills vectors better. */
static void join_rows(fc_grid_axis axis[2])
{
    for (int i = 0; i < 2; i++)
        if (axis[i].taps > 1 || axis[i].source_step > 1 || axis[i].points != axis[i].source) return;
    axis[1].points = axis[1].source = axis[1].destination = axis[0].points * axis[1].points;
    axis[0].points = axis[0].source = axis[0].destination = 1;
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    fc_plane_correlation job = fc_forward_on_planes(p, operands);
    join_rows(job.axis);
    fc_gemm_nchw(p, &job, workspace);
}

typedef struct weights_by_phase {
    const fc_problem *p;
    const char *w;
    char *to;
} weights_by_phase;

/* Of one input channel. */
static void prepare_channel(void *context, ptrdiff_t channel, int slot)
{
    const weights_by_phase *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), group = channel / ic;
    const fc_strides ws = fc_weight_strides(p);
    const char *w = c->w + (group * oc * ws.n + channel % ic * ws.c) * element;
    char *to = c->to;
    (void)slot;
    for (ptrdiff_t i = 0; i < fc_phases(p, 0); i++)
        for (ptrdiff_t j = 0; j < fc_phases(p, 1); j++) {
            const fc_grid_axis rows = fc_phase_axis(p, 0, i), columns = fc_phase_axis(p, 1, j);
            const ptrdiff_t sizes[4] = {1, oc, rows.taps, columns.taps}, taps = rows.taps * columns.taps;
            const ptrdiff_t steps[4] = {0, ws.n, rows.window_step * ws.h, columns.window_step * ws.w};
            if (taps == 0) continue;
            fc_strided_copy((size_t)element, sizes, steps,
                            w + (rows.window_first * ws.h + columns.window_first * ws.w) * element,
                            to + channel * oc * taps * element);
            to += p->channels * oc * taps * element;
        }
}

/* Weights of one phase, [groups][channels][out channels][taps], phase after phase. */
static void input_grad_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const int threads = fc_weight_bytes(p) < BYTES_WORTH_A_THREAD ? 1 : p->threads;
    if (p->window[0] * p->window[1] == 1 && fc_weight_strides(p).c == 1)
        fc_turn_images(p,
                       &(fc_turn){.images = p->groups,
                                  .rows = p->out_channels / p->groups,
                                  .columns = p->channels / p->groups,
                                  .from = w,
                                  .to = prepared},
                       p->threads);
    else
        fc_parallel_for(p->channels, threads, true, prepare_channel, &(weights_by_phase){p, w, prepared});
}

static void input_grad(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const char *weights = operands->prepared;
    fc_plane_correlation job = {
        .dtype = p->dtype,
        .batch = p->batch,
        .groups = p->groups,
        .channels = p->out_channels / p->groups,
        .rows = p->channels / p->groups,
        .source = operands->grad_y,
        .destination = operands->y,
    };
    for (ptrdiff_t i = 0; i < fc_phases(p, 0); i++)
        for (ptrdiff_t j = 0; j < fc_phases(p, 1); j++) {
            job.axis[0] = fc_phase_axis(p, 0, i);
            job.axis[1] = fc_phase_axis(p, 1, j);
            job.weights = weights;
            weights += (size_t)(p->groups * job.channels * job.rows * job.axis[0].taps * job.axis[1].taps) *
                       fc_dtype_size(p->dtype);
            fc_gemm_nchw(p, &job, workspace);
        }
}

const fc_algorithm fc_corr2d_implicit_gemm_nchw = {
    .name = "implicit_gemm_nchw",
    .decline = decline,
    .shared_bytes = fc_gemm_nchw_shared_bytes,
    .slot_bytes = fc_gemm_nchw_slot_bytes,
    .prepared_bytes = forward_prepared_bytes,
    .prepare = fc_copy_to_oihw,
    .run = forward,
};

const fc_algorithm fc_corr2d_input_grad_implicit_gemm_nchw = {
    .name = "implicit_gemm_nchw",
    .decline = decline_input_grad,
    .shared_bytes = fc_gemm_nchw_shared_bytes,
    .slot_bytes = fc_gemm_nchw_slot_bytes,
    .prepared_bytes = fc_weight_bytes,
    .prepare = input_grad_prepare,
    .run = input_grad,
};
