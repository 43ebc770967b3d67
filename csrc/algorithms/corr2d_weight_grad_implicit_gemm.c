/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_implicit_gemm.c -- for every tap a matrix product whose depth is the pixels of all images.
 *
 * Columns, the lanes of its tiles, are filters, and rows are input channels; or the other way round, where that is the
 * order of the weights in memory. What columns read is copied into a panel of pixels where it is none already
 * (transposed, in NCHW); rows read where they lie. Shift, stride and dilation are only where a row of pixels begins and how
 * far its steps are; nothing outside of the image is multiplied.
 *
 * With fewer input channels than a tile has rows, rows are their taps, of a copy with the zeros around it.
 *
 * Strips of images, or some small images, are a unit. Units are dealt out to at most 16 partial sums, as many as the
 * problem says, which are added in their order at the end: the bits do not depend on the threads.
 *
 * tap_sums_plan.c cuts the work, tap_sums.c adds the products of a unit. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/partial_sums.h"
#include "algorithms/tap_sums.h"
#include "algorithms/weight_home.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define SMALL_SUMS (1024 * 1024) /* bytes of padded sums that are always acceptable */

static const char *decline(const fc_problem *p)
{
    const fc_tap_sum_plan s = fc_tap_sum_plan_of(p, true);
    const size_t weights = (size_t)(p->out_channels * (p->channels / p->groups) * p->window[0] * p->window[1]);
    const size_t sums = fc_size_mul(s.block_sums, (size_t)s.tasks);
    if (fc_size_mul(sums, fc_dtype_size(p->dtype)) > SMALL_SUMS && sums / FC_MAX_TAP_PARTIALS > weights)
        return "groups have so few channels that padded sums would take more than 16 times the weights";
    return NULL;
}

/* The sums of all tasks, where they wait for others. */
static size_t plan_shared_bytes(const fc_problem *p, const fc_tap_sum_plan *s)
{
    return s->partials > 1 ? fc_size_mul(fc_tap_sum_bytes(p, s), (size_t)(s->tasks * s->partials)) : 0;
}

static size_t plan_slot_bytes(const fc_problem *p, const fc_tap_sum_plan *s)
{
    return fc_size_add(fc_size_add(fc_size_lines(sizeof(fc_tap_sum_slot)), fc_tap_sum_stripe_bytes(p, s)),
                       fc_size_add(fc_tap_sum_panel_bytes(p, s), s->partials > 1 ? 0 : fc_tap_sum_bytes(p, s)));
}

/* For either plan: rows of taps may have to be done again without the zeros. */
static size_t either(const fc_problem *p, size_t (*measure)(const fc_problem *p, const fc_tap_sum_plan *s))
{
    const fc_tap_sum_plan padded = fc_tap_sum_plan_of(p, true), exact = fc_tap_sum_plan_of(p, false);
    const size_t a = measure(p, &padded), b = measure(p, &exact);
    return a > b ? a : b;
}

static size_t shared_bytes(const fc_problem *p) { return either(p, plan_shared_bytes); }

static size_t slot_bytes(const fc_problem *p) { return either(p, plan_slot_bytes); }

static void bring_home(const fc_tap_sum_work *w)
{
    const fc_tap_sum_call *c = w->c;
    const bool taps_are_rows = c->plan.tap_rows;
    const fc_weight_sums sums = {.swapped = c->plan.swapped,
                                 .row = w->first_row,
                                 .rows = taps_are_rows ? c->p->channels / c->p->groups : w->rows,
                                 .column = w->cut.first,
                                 .columns = w->cut.columns,
                                 .width = w->cut.vectors * c->kernels->lanes,
                                 .sums = w->sums};
    fc_bring_weights_home(c->p, &sums, w->group, c->operands->y);
}

/* Task `task` of a partial sum: a block of rows and a panel of columns. */
static fc_tap_sum_work work_of(const fc_tap_sum_call *c, ptrdiff_t task)
{
    const fc_tap_sum_plan *s = &c->plan;
    const ptrdiff_t block = task % s->row_blocks, panel = task / s->row_blocks % s->panels.count;
    const ptrdiff_t first = fc_cut(s->tiles, s->row_blocks, block), end = fc_cut(s->tiles, s->row_blocks, block + 1);
    return (fc_tap_sum_work){.c = c,
                             .group = task / s->row_blocks / s->panels.count,
                             .first_row = first * s->tile_rows,
                             .tiles = end - first,
                             .rows = fc_min(end * s->tile_rows, s->rows) - first * s->tile_rows,
                             .cut = fc_panel_at(&s->panels, panel)};
}

static char *shared_sums(const fc_tap_sum_call *c, ptrdiff_t task, ptrdiff_t partial)
{
    return c->workspace->shared + (size_t)(task * c->plan.partials + partial) * fc_tap_sum_bytes(c->p, &c->plan);
}

static void sum_block(void *context, ptrdiff_t index, int slot_number)
{
    const fc_tap_sum_call *c = context;
    const fc_tap_sum_plan *s = &c->plan;
    const ptrdiff_t task = index % s->tasks, partial = index / s->tasks;
    const ptrdiff_t end = fc_cut(s->units, s->partials, partial + 1);
    char *memory = fc_slot_of(c->workspace, slot_number);
    fc_tap_sum_work w = work_of(c, task);
    w.s = (fc_tap_sum_slot *)memory;
    w.stripe = memory + fc_size_lines(sizeof(fc_tap_sum_slot));
    w.panel_copy = w.stripe + fc_tap_sum_stripe_bytes(c->p, s);
    w.sums = s->partials > 1 ? shared_sums(c, task, partial) : w.panel_copy + fc_tap_sum_panel_bytes(c->p, s);
    fc_end_part(memory, fc_size_lines(sizeof(fc_tap_sum_slot)));
    fc_end_part(w.stripe, fc_tap_sum_stripe_bytes(c->p, s));
    fc_end_part(w.panel_copy, fc_tap_sum_panel_bytes(c->p, s));
    fc_end_part(w.sums, fc_tap_sum_bytes(c->p, s));
    w.fresh = true;
    memset(w.s->zeros, 0, sizeof w.s->zeros);
    for (ptrdiff_t unit = fc_cut(s->units, s->partials, partial); unit < end; unit++) {
        fc_tap_sum_place_unit(&w, unit);
        for (ptrdiff_t t = 0; t < s->taps; t++) fc_tap_sum_add(&w, t);
        w.fresh = false;
    }
    if (w.fresh) memset(w.sums, 0, s->block_sums * (size_t)c->element); /* there are no images */
    if (s->partials == 1) bring_home(&w);
}

/* Adds the partial sums of one task. */
static void finish_block(void *context, ptrdiff_t task, int slot_number)
{
    const fc_tap_sum_call *c = context;
    const ptrdiff_t element = c->element;
    fc_tap_sum_work w = work_of(c, task);
    (void)slot_number;
    w.sums = shared_sums(c, task, 0);
    fc_add_partial_sums(c->p->dtype, c->plan.partials,
                        w.tiles * c->plan.tile_rows * c->plan.taps * w.cut.vectors * c->kernels->lanes,
                        (ptrdiff_t)fc_tap_sum_bytes(c->p, &c->plan) / element, w.sums);
    bring_home(&w);
}

static fc_pixel_source source_of(const fc_problem *p, const void *pixels, ptrdiff_t channels, const ptrdiff_t size[2])
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    return (fc_pixel_source){.pixels = pixels,
                             .steps = fc_image_strides(p->layout, channels, size),
                             .element = element,
                             .planes = p->layout == FC_NCHW,
                             .transpose = p->kernels->gemm[element == 4 ? FC_F32 : FC_F64].transpose};
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    fc_tap_sum_call c = {
        .p = p,
        .operands = operands,
        .workspace = workspace,
        .kernels = &p->kernels->gemm[p->dtype],
        .x = source_of(p, operands->x, p->channels, p->in),
        .y = source_of(p, operands->grad_y, p->out_channels, p->out),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
    };
    const ptrdiff_t weights = p->out_channels * (p->channels / p->groups) * p->window[0] * p->window[1];
    bool may_pad = true;
    do {
        c.plan = fc_tap_sum_plan_of(p, may_pad);
        fc_parallel_for(c.plan.tasks * c.plan.partials, workspace->threads, true, sum_block, &c);
        if (c.plan.partials > 1) fc_parallel_for(c.plan.tasks, workspace->threads, true, finish_block, &c);
        fc_join_parts(workspace->shared, plan_shared_bytes(p, &c.plan) + FC_CACHE_LINE); /* another plan cuts it anew */
        may_pad = false;
    } while (c.plan.tap_rows && !fc_are_finite(p->dtype, weights, operands->y)); /* zeros may have met an infinity */
    fc_bias_grad(p, operands, workspace->threads);
}

const fc_algorithm fc_corr2d_weight_grad_implicit_gemm = {
    .name = "implicit_gemm",
    .decline = decline,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
