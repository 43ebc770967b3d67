/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_implicit_gemm.c -- for every tap a matrix product: rows are channels of x, columns are channels of
 * grad_y, the depth is the pixels of all images.
 *
 * x is read where it lies, in both layouts: shift, stride and dilation are only where a row begins and how far its
 * steps are. Lanes are output channels: in NHWC grad_y has them side by side already, in NCHW a strip of pixels is
 * transposed at a time. Images and strips are dealt out to at most 16 partial sums, as many as the problem says, which
 * are added in their order at the end: the bits do not depend on the threads. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MAX_PARTIALS 16
#define WANTED_TASKS 32
#define SMALL_SUMS (1024 * 1024) /* bytes of padded sums that are always acceptable */

/* How the work and the sums are cut. Sums: [partials][groups][panels][taps][padded channels][lanes of the panel]. */
typedef struct sum_plan {
    fc_panels panels;
    ptrdiff_t ic, oc, taps, padded_channels;
    ptrdiff_t row_strips, column_strips, units; /* a unit is one strip of one image */
    ptrdiff_t partials;
    size_t group_sums, sums; /* elements of one group, of one partial */
} sum_plan;

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    sum_plan plan;
    fc_strides x, y;
    ptrdiff_t element;
} call;

typedef struct slot {
    const void *a[FC_DEPTH * FC_MAX_TILE_ROWS], *b[FC_DEPTH];
    _Alignas(64) char panel[FC_DEPTH * FC_MAX_PANEL_LANES * 4]; /* half as many lanes where an element has 8 bytes */
} slot;

static sum_plan plan_of(const fc_problem *p)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    sum_plan plan = {.ic = p->channels / p->groups, .oc = p->out_channels / p->groups};
    size_t weights;
    ptrdiff_t rows;
    plan.panels = fc_panels_of(plan.oc, k->lanes, FC_MAX_TILE_VECTORS);
    plan.taps = p->window[0] * p->window[1];
    plan.padded_channels = fc_ceil_div(plan.ic, k->rows) * k->rows;
    plan.column_strips = fc_ceil_div(p->out[1], FC_DEPTH);
    rows = fc_max(1, FC_DEPTH / fc_ceil_div(p->out[1], plan.column_strips));
    plan.row_strips = fc_ceil_div(p->out[0], rows);
    plan.units = p->batch * plan.row_strips * plan.column_strips;
    plan.group_sums = fc_size_mul(fc_size_mul((size_t)plan.taps, (size_t)plan.padded_channels),
                                  (size_t)(plan.panels.vectors * k->lanes));
    plan.sums = fc_size_mul(plan.group_sums, (size_t)p->groups);
    weights = (size_t)(p->out_channels * plan.ic * plan.taps);
    plan.partials = fc_ceil_div(WANTED_TASKS, fc_max(1, p->groups * plan.panels.count));
    if (plan.sums > 0 && plan.sums < PTRDIFF_MAX)
        plan.partials = fc_min(plan.partials, (ptrdiff_t)(MAX_PARTIALS * weights / plan.sums));
    plan.partials = fc_max(1, fc_min(plan.partials, fc_min(plan.units, MAX_PARTIALS)));
    return plan;
}

static const char *decline(const fc_problem *p)
{
    const sum_plan plan = plan_of(p);
    const size_t bytes = fc_size_mul(plan.sums, fc_dtype_size(p->dtype));
    if (bytes > SMALL_SUMS && plan.sums / MAX_PARTIALS > (size_t)(p->out_channels * plan.ic * plan.taps))
        return "groups have so few channels that padded sums would take more than 16 times the weights";
    return NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    const sum_plan plan = plan_of(p);
    return fc_size_mul(fc_size_mul(plan.sums, (size_t)plan.partials), fc_dtype_size(p->dtype));
}

static size_t slot_bytes(const fc_problem *p)
{
    (void)p;
    return sizeof(slot);
}

/* A strip of one image: rows and columns of grad_y. */
typedef struct image_strip {
    ptrdiff_t image;
    fc_range rows, columns;
} image_strip;

static image_strip strip_at(const call *c, ptrdiff_t unit)
{
    const sum_plan *plan = &c->plan;
    const ptrdiff_t column = unit % plan->column_strips, row = unit / plan->column_strips % plan->row_strips;
    return (image_strip){
        .image = unit / plan->column_strips / plan->row_strips,
        .rows = {fc_cut(c->p->out[0], plan->row_strips, row), fc_cut(c->p->out[0], plan->row_strips, row + 1)},
        .columns = {fc_cut(c->p->out[1], plan->column_strips, column),
                    fc_cut(c->p->out[1], plan->column_strips, column + 1)},
    };
}

/* Where the columns of a strip's panel lie: pixel (row, column) at start + row * row_step + column * column_step. */
typedef struct panel_place {
    const char *start;
    ptrdiff_t row_step, column_step; /* in elements */
} panel_place;

#define TRANSPOSE(NAME, T)                                                                                \
    static void NAME(const T *from, fc_strides step, fc_range rows, fc_range columns, ptrdiff_t channels, \
                     ptrdiff_t width, T *to)                                                              \
    {                                                                                                     \
        for (ptrdiff_t i = rows.first; i < rows.end; i++)                                                 \
            for (ptrdiff_t j = columns.first; j < columns.end; j++, to += width) {                        \
                ptrdiff_t l = 0;                                                                          \
                for (; l < channels; l++) to[l] = from[l * step.c + i * step.h + j * step.w];             \
                for (; l < width; l++) to[l] = 0;                                                         \
            }                                                                                             \
    }

TRANSPOSE(transpose32, uint32_t)
TRANSPOSE(transpose64, uint64_t)

static panel_place place_panel(slot *s, const call *c, const image_strip *strip, ptrdiff_t first_channel,
                               const fc_panel_cut *cut)
{
    const ptrdiff_t width = cut->vectors * c->kernels->lanes;
    const ptrdiff_t columns = strip->columns.end - strip->columns.first;
    const char *grad_y = (const char *)c->operands->grad_y +
                         (strip->image * c->y.n + (first_channel + cut->first) * c->y.c) * c->element;
    if (c->p->layout == FC_NHWC && cut->columns == width)
        return (panel_place){grad_y + (strip->rows.first * c->y.h + strip->columns.first * c->y.w) * c->element, c->y.h,
                             c->y.w};
    if (c->element == 4)
        transpose32((const uint32_t *)grad_y, c->y, strip->rows, strip->columns, cut->columns, width, (void *)s->panel);
    else
        transpose64((const uint64_t *)grad_y, c->y, strip->rows, strip->columns, cut->columns, width, (void *)s->panel);
    return (panel_place){s->panel, columns * width, width};
}

/* One strip and one tap: adds to the sums of all channels. */
static void add_tap(slot *s, const call *c, const image_strip *strip, const panel_place *panel, ptrdiff_t u,
                    ptrdiff_t v, const char *x, char *sums, ptrdiff_t vectors)
{
    const fc_problem *p = c->p;
    const fc_range tap_rows = fc_outputs_inside(p, 0, u), tap_columns = fc_outputs_inside(p, 1, v);
    const fc_range rows = {fc_max(tap_rows.first, strip->rows.first), fc_min(tap_rows.end, strip->rows.end)};
    const fc_range columns = {fc_max(tap_columns.first, strip->columns.first),
                              fc_min(tap_columns.end, strip->columns.end)};
    const ptrdiff_t lanes = c->kernels->lanes, tile_rows = c->kernels->rows, width = vectors * lanes;
    ptrdiff_t segments = rows.end - rows.first, depth = columns.end - columns.first;
    /* A stride that is never taken from one pixel to another may not fit. */
    const ptrdiff_t x_step = depth > 1 ? p->stride[1] * c->x.w : 0;
    const ptrdiff_t x_row = segments > 1 ? p->stride[0] * c->x.h : 0;
    if (segments <= 0 || depth <= 0) return;
    x += ((fc_window_start(p, 0, rows.first) + u * p->dilation[0]) * c->x.h +
          (fc_window_start(p, 1, columns.first) + v * p->dilation[1]) * c->x.w) *
         c->element;
    for (ptrdiff_t i = 0; i < segments; i++)
        s->b[i] = panel->start + ((rows.first + i - strip->rows.first) * panel->row_step +
                                  (columns.first - strip->columns.first) * panel->column_step) *
                                     c->element;
    /* Rows that follow each other without a gap on both sides are one long row. */
    if (x_row == depth * x_step && panel->row_step == depth * panel->column_step) {
        depth *= segments;
        segments = 1;
    }
    for (ptrdiff_t channel = 0; channel < c->plan.ic; channel += tile_rows) {
        void *out[FC_MAX_TILE_ROWS];
        for (ptrdiff_t r = 0; r < tile_rows; r++) {
            const char *from = x + fc_min(channel + r, c->plan.ic - 1) * c->x.c * c->element;
            for (ptrdiff_t i = 0; i < segments; i++) s->a[i * tile_rows + r] = from + i * x_row * c->element;
            out[r] = sums + (channel + r) * width * c->element;
        }
        c->kernels->tile[vectors - 1](&(fc_tile){.segments = segments,
                                                 .depth = depth,
                                                 .a = s->a,
                                                 .b = s->b,
                                                 .a_step = x_step,
                                                 .b_step = panel->column_step,
                                                 .init = (const void *const *)out,
                                                 .init_step = lanes,
                                                 .c = out});
    }
}

/* One partial sum of one panel of one group. */
static void sum_panel(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    const sum_plan *plan = &c->plan;
    slot *s = (slot *)(c->workspace->slots + (size_t)slot_number * c->workspace->slot_bytes);
    const ptrdiff_t panel = task % plan->panels.count, group = task / plan->panels.count % c->p->groups;
    const ptrdiff_t partial = task / plan->panels.count / c->p->groups;
    const fc_panel_cut cut = fc_panel_at(&plan->panels, panel);
    const ptrdiff_t depth_rows = plan->taps * plan->padded_channels, width = cut.vectors * c->kernels->lanes;
    char *sums = c->workspace->shared +
                 ((size_t)partial * plan->sums + (size_t)group * plan->group_sums + (size_t)(cut.first * depth_rows)) *
                     (size_t)c->element;
    memset(sums, 0, (size_t)(depth_rows * width * c->element));
    for (ptrdiff_t unit = fc_cut(plan->units, plan->partials, partial);
         unit < fc_cut(plan->units, plan->partials, partial + 1); unit++) {
        const image_strip strip = strip_at(c, unit);
        const panel_place place = place_panel(s, c, &strip, group * plan->oc, &cut);
        const char *x = (const char *)c->operands->x + (strip.image * c->x.n + group * plan->ic * c->x.c) * c->element;
        for (ptrdiff_t t = 0; t < plan->taps; t++)
            add_tap(s, c, &strip, &place, t / c->p->window[1], t % c->p->window[1], x,
                    sums + t * plan->padded_channels * width * c->element, cut.vectors);
    }
}

/* Adds the partial sums of one panel in their order, into the weights' own order. */
#define FINISH_PANEL(NAME, T)                                                                                    \
    static void NAME(void *context, ptrdiff_t task, int slot_number)                                             \
    {                                                                                                            \
        const call *c = context;                                                                                 \
        const sum_plan *plan = &c->plan;                                                                         \
        const fc_strides ws = fc_weight_strides(c->p);                                                           \
        const ptrdiff_t group = task / plan->panels.count;                                                       \
        const fc_panel_cut cut = fc_panel_at(&plan->panels, task % plan->panels.count);                          \
        const ptrdiff_t width = cut.vectors * c->kernels->lanes;                                                 \
        const T *sums = (const T *)c->workspace->shared + (size_t)group * plan->group_sums +                     \
                        (size_t)(cut.first * plan->taps * plan->padded_channels);                                \
        T *grad_w = (T *)c->operands->y + (group * plan->oc + cut.first) * ws.n;                                 \
        (void)slot_number;                                                                                       \
        for (ptrdiff_t t = 0; t < plan->taps; t++)                                                               \
            for (ptrdiff_t i = 0; i < plan->ic; i++)                                                             \
                for (ptrdiff_t l = 0; l < cut.columns; l++) {                                                    \
                    const T *place = sums + (t * plan->padded_channels + i) * width + l;                         \
                    T sum = place[0];                                                                            \
                    for (ptrdiff_t q = 1; q < plan->partials; q++) sum += place[(size_t)q * plan->sums];         \
                    grad_w[l * ws.n + i * ws.c + t / c->p->window[1] * ws.h + t % c->p->window[1] * ws.w] = sum; \
                }                                                                                                \
    }

FINISH_PANEL(finish_panel_f32, float)
FINISH_PANEL(finish_panel_f64, double)
FINISH_PANEL(finish_panel_i32, uint32_t)
FINISH_PANEL(finish_panel_i64, uint64_t)

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_task finish[4] = {[FC_F32] = finish_panel_f32,
                                      [FC_F64] = finish_panel_f64,
                                      [FC_I32] = finish_panel_i32,
                                      [FC_I64] = finish_panel_i64};
    call c = {
        .p = p,
        .operands = operands,
        .workspace = workspace,
        .kernels = &p->kernels->gemm[p->dtype],
        .plan = plan_of(p),
        .x = fc_image_strides(p->layout, p->channels, p->in),
        .y = fc_image_strides(p->layout, p->out_channels, p->out),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
    };
    const ptrdiff_t panels = c.plan.panels.count * p->groups;
    fc_parallel_for(panels * c.plan.partials, workspace->threads, true, sum_panel, &c);
    fc_parallel_for(panels, workspace->threads, true, finish[p->dtype], &c);
    fc_bias_grad(p, operands, workspace->threads);
}

const fc_algorithm fc_corr2d_weight_grad_implicit_gemm = {
    .name = "implicit_gemm",
    .decline = decline,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
