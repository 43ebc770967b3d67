/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_input_grad_turned.c -- with stride 1 the input gradient is a correlation of grad_y, padded by what is left of
 * the window, with the weights turned by half and their channels exchanged: that of corr2d_winograd_*.c,
 * corr2d_strassen.c, corr2d_depthwise_nchw.c and corr2d_padded_*.c, which read them so through their strides. */
#include "algorithms/algorithm.h"
#include "algorithms/depthwise_block.h"
#include "algorithms/grid.h"

static fc_problem correlation_of(const fc_problem *p)
{
    fc_problem t = *p;
    t.operation = FC_CORR2D;
    t.channels = p->out_channels;
    t.out_channels = p->channels;
    t.turned = true;
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t span = fc_window_span(p, i);
        t.in[i] = p->out[i];
        t.out[i] = p->in[i];
        t.pad_before[i] = span - p->pad_before[i];
        t.pad_after[i] = fc_max(0, span - p->pad_after[i]);
    }
    return t;
}

static const char *decline(const fc_problem *p, const fc_algorithm *forward)
{
    if (p->stride[0] != 1 || p->stride[1] != 1) return "stride is not 1";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    const fc_problem t = correlation_of(p);
    if (t.pad_before[0] < 0 || t.pad_before[1] < 0) return "the padding holds whole windows";
    return forward->decline(&t);
}

/* The last tap, from which the turned weights go backwards. */
static const void *turned_weights(const fc_problem *t, const void *w)
{
    const fc_strides s = fc_weight_strides(t);
    const ptrdiff_t last = -((t->window[0] - 1) * s.h + (t->window[1] - 1) * s.w);
    return (const char *)w + last * (ptrdiff_t)fc_dtype_size(t->dtype);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace,
                const fc_algorithm *forward)
{
    const fc_problem t = correlation_of(p);
    const fc_operands turned = {
        .x = operands->grad_y, .w = turned_weights(&t, operands->w), .prepared = operands->prepared, .y = operands->y};
    forward->run(&t, &turned, workspace);
}

static size_t bytes(const fc_problem *p, size_t (*of)(const fc_problem *))
{
    const fc_problem t = correlation_of(p);
    return of ? of(&t) : 0;
}

static const char *pass(const fc_problem *p, const fc_algorithm *forward)
{
    const fc_problem t = correlation_of(p);
    const char *reason = forward->pass(&t);
    if (reason || forward != &fc_corr2d_depthwise_nchw) return reason;
    return fc_depthwise_block_pass(&t) ? NULL : "blocks of channels are faster";
}

static void prepare(const fc_problem *p, const void *w, void *prepared, const fc_algorithm *forward)
{
    const fc_problem t = correlation_of(p);
    forward->prepare(&t, turned_weights(&t, w), prepared);
}

#define INPUT_GRAD_BY(forward)                                                                                     \
    static const char *decline_##forward(const fc_problem *p) { return decline(p, &fc_corr2d_##forward); }         \
    static const char *pass_##forward(const fc_problem *p) { return pass(p, &fc_corr2d_##forward); }               \
    static size_t shared_##forward(const fc_problem *p) { return bytes(p, fc_corr2d_##forward.shared_bytes); }     \
    static size_t slot_##forward(const fc_problem *p) { return bytes(p, fc_corr2d_##forward.slot_bytes); }         \
    static size_t prepared_##forward(const fc_problem *p) { return bytes(p, fc_corr2d_##forward.prepared_bytes); } \
    static void prepare_##forward(const fc_problem *p, const void *w, void *prepared)                              \
    {                                                                                                              \
        prepare(p, w, prepared, &fc_corr2d_##forward);                                                             \
    }                                                                                                              \
    static void run_##forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)     \
    {                                                                                                              \
        run(p, operands, workspace, &fc_corr2d_##forward);                                                         \
    }                                                                                                              \
    const fc_algorithm fc_corr2d_input_grad_##forward = {.name = #forward,                                         \
                                                         .decline = decline_##forward,                             \
                                                         .pass = pass_##forward,                                   \
                                                         .shared_bytes = shared_##forward,                         \
                                                         .slot_bytes = slot_##forward,                             \
                                                         .prepared_bytes = prepared_##forward,                     \
                                                         .prepare = prepare_##forward,                             \
                                                         .run = run_##forward}

INPUT_GRAD_BY(depthwise_nchw);
INPUT_GRAD_BY(padded_rows);
INPUT_GRAD_BY(padded_pixels);
INPUT_GRAD_BY(strassen);
INPUT_GRAD_BY(winograd_small);
INPUT_GRAD_BY(winograd_nchw);
INPUT_GRAD_BY(winograd_nhwc);
