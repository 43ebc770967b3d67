/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "algorithms/stripe.h"
#include "algorithms/tap_sums.h"

static void find_areas(fc_tap_sum_work *w, ptrdiff_t unit)
{
    const fc_problem *p = w->c->p;
    const fc_tap_sum_plan *s = &w->c->plan;
    const ptrdiff_t column = unit % s->column_strips, row = unit / s->column_strips % s->row_strips;
    const ptrdiff_t image = unit / s->column_strips / s->row_strips * s->images;
    w->outputs = (fc_pixel_area){
        .image = image,
        .images = fc_min(s->images, p->batch - image),
        .rows = {fc_cut(p->out[0], s->row_strips, row), fc_cut(p->out[0], s->row_strips, row + 1)},
        .columns = {fc_cut(p->out[1], s->column_strips, column), fc_cut(p->out[1], s->column_strips, column + 1)}};
    w->inputs = w->outputs;
    for (int i = 0; i < 2; i++) {
        const fc_range out = i ? w->outputs.columns : w->outputs.rows;
        const ptrdiff_t start = fc_window_start(p, i, out.first), span = fc_tap_sum_span(p, i, out.end - out.first);
        fc_range *in = i ? &w->inputs.columns : &w->inputs.rows;
        in->first = fc_max(0, fc_min(p->in[i], start));
        in->end = span >= p->in[i] - start ? p->in[i] : fc_max(in->first, start + span);
    }
}

/* Where the stripe of a unit has a pixel of a channel. Planes stay planes, and pixels pixels. */
static fc_strides stripe_steps(const fc_tap_sum_work *w)
{
    const fc_problem *p = w->c->p;
    const ptrdiff_t *span = w->c->plan.span, channels = p->channels / p->groups, plane = span[0] * span[1];
    if (w->c->x.planes) return (fc_strides){.n = plane, .c = plane * w->outputs.images, .h = span[1], .w = 1};
    return (fc_strides){.n = plane * channels, .c = 1, .h = span[1] * channels, .w = channels};
}

/* x of the unit with the zeros around it; `from` is its first image. */
static void fill_stripe(const fc_tap_sum_work *w, const char *from)
{
    const fc_tap_sum_call *c = w->c;
    const fc_problem *p = c->p;
    const ptrdiff_t *span = c->plan.span, element = c->element, channels = p->channels / p->groups;
    const ptrdiff_t planes = c->x.planes ? channels : 1;
    const fc_strides in = c->x.steps, out = stripe_steps(w);
    const ptrdiff_t top = fc_window_start(p, 0, w->outputs.rows.first);
    const ptrdiff_t left = fc_window_start(p, 1, w->outputs.columns.first);
    for (ptrdiff_t plane = 0; plane < planes; plane++)
        for (ptrdiff_t n = 0; n < w->outputs.images; n++)
            for (ptrdiff_t i = 0; i < span[0]; i++) {
                const ptrdiff_t y = top + i;
                const bool inside = y >= w->inputs.rows.first && y < w->inputs.rows.end;
                fc_deal_row((size_t)element, out.w, in.w,
                            inside ? from + (plane * in.c + n * in.n + y * in.h) * element : NULL, p->in[1], left, 1,
                            span[1], w->stripe + (plane * out.c + n * out.n + i * out.h) * element);
            }
}

void fc_tap_sum_place_unit(fc_tap_sum_work *w, ptrdiff_t unit)
{
    const fc_tap_sum_call *c = w->c;
    const fc_problem *p = c->p;
    const ptrdiff_t width = w->cut.vectors * c->kernels->lanes;
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    const bool swapped = c->plan.swapped;
    const fc_pixel_source *columns = swapped ? &c->x : &c->y;
    const fc_pixel_area *area = swapped ? &w->inputs : &w->outputs;
    const ptrdiff_t first = w->group * (swapped ? ic : oc) + w->cut.first;
    fc_pixel_place *panel = swapped ? &w->x : &w->y;
    find_areas(w, unit);
    /* A panel of pixels may lie there. */
    if (p->layout == FC_NHWC && w->cut.columns == width)
        *panel = fc_place_where_they_lie(columns, area, first);
    else
        *panel = fc_copy_pixels(columns, area, first, w->cut.columns, width, w->panel_copy);
    if (swapped) {
        w->y = fc_place_where_they_lie(&c->y, &w->outputs, w->group * oc + w->first_row);
    } else if (!c->plan.tap_rows) {
        w->x = fc_place_where_they_lie(&c->x, &w->inputs, w->group * ic + w->first_row);
    } else {
        const char *x = c->x.pixels + (w->inputs.image * c->x.steps.n + w->group * ic * c->x.steps.c) * c->element;
        fill_stripe(w, x);
        w->x = (fc_pixel_place){w->stripe, stripe_steps(w)};
    }
}

/* One tap's pixels: where the first ones are, and how it goes on from there. */
typedef struct pixel_run {
    const char *x, *y;
    ptrdiff_t images, rows, columns;
    fc_strides x_step, y_step; /* from one output's to the next one's */
} pixel_run;

static pixel_run run_of(const fc_tap_sum_work *w, ptrdiff_t u, ptrdiff_t v)
{
    const fc_problem *p = w->c->p;
    const bool padded = w->c->plan.tap_rows;
    const fc_pixel_area *o = &w->outputs;
    const fc_range all[2] = {o->rows, o->columns}, x_all[2] = {w->inputs.rows, w->inputs.columns};
    pixel_run run = {.x = w->x.start, .y = w->y.start, .images = o->images, .x_step = w->x.steps, .y_step = w->y.steps};
    const ptrdiff_t x_steps[2] = {w->x.steps.h, w->x.steps.w}, y_steps[2] = {w->y.steps.h, w->y.steps.w};
    ptrdiff_t count[2];
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t tap = i ? v : u;
        const fc_range there = padded ? all[i] : fc_outputs_inside(p, i, tap);
        const fc_range in = {fc_max(all[i].first, there.first), fc_min(all[i].end, there.end)};
        count[i] = fc_max(0, in.end - in.first);
        if (!count[i]) break;
        if (!padded)
            run.x +=
                (fc_window_start(p, i, in.first) + tap * p->dilation[i] - x_all[i].first) * x_steps[i] * w->c->element;
        run.y += (in.first - all[i].first) * y_steps[i] * w->c->element;
    }
    run.rows = count[0];
    run.columns = count[0] ? count[1] : 0;
    /* A stride that is never taken from one pixel to another may not fit. */
    run.x_step.h = run.rows > 1 ? p->stride[0] * w->x.steps.h : 0;
    run.x_step.w = run.columns > 1 ? p->stride[1] * w->x.steps.w : 0;
    /* Rows that follow each other without a gap on both sides are one long row, and so are images. */
    if (run.x_step.h == run.columns * run.x_step.w && run.y_step.h == run.columns * run.y_step.w) {
        run.columns *= run.rows;
        run.rows = 1;
        if (run.x_step.n == run.columns * run.x_step.w && run.y_step.n == run.columns * run.y_step.w) {
            run.columns *= run.images;
            run.images = 1;
        }
    }
    return run;
}

/* What row `row` of the block reads, for the first pixel of a run. */
static const char *row_at(const fc_tap_sum_work *w, const char *first, ptrdiff_t row)
{
    const fc_tap_sum_call *c = w->c;
    const ptrdiff_t r = fc_min(row, w->rows - 1);
    ptrdiff_t at;
    if (c->plan.tap_rows) {
        const ptrdiff_t kw = c->p->window[1], taps = c->p->window[0] * kw, tap = r % taps;
        at = r / taps * w->x.steps.c + tap / kw * c->p->dilation[0] * w->x.steps.h +
             tap % kw * c->p->dilation[1] * w->x.steps.w;
    } else {
        at = r * (c->plan.swapped ? w->y.steps.c : w->x.steps.c);
    }
    return first + at * c->element;
}

static void point_rows(const fc_tap_sum_work *w, const pixel_run *run, ptrdiff_t tile)
{
    const ptrdiff_t rows = w->c->plan.tile_rows, element = w->c->element;
    const fc_strides *step = w->c->plan.swapped ? &run->y_step : &run->x_step;
    const void **a = w->s->a;
    const char *first[FC_MAX_TILE_ROWS];
    for (ptrdiff_t r = 0; r < rows; r++) first[r] = row_at(w, w->c->plan.swapped ? run->y : run->x, tile * rows + r);
    for (ptrdiff_t n = 0; n < run->images; n++)
        for (ptrdiff_t i = 0; i < run->rows; i++)
            for (ptrdiff_t r = 0; r < rows; r++) *a++ = first[r] + (n * step->n + i * step->h) * element;
}

void fc_tap_sum_add(fc_tap_sum_work *w, ptrdiff_t tap)
{
    const fc_tap_sum_call *c = w->c;
    const fc_tap_sum_plan *s = &c->plan;
    const ptrdiff_t rows = s->tile_rows, lanes = c->kernels->lanes, width = w->cut.vectors * lanes;
    const ptrdiff_t next_tile = rows * (s->swapped ? w->y.steps.c : w->x.steps.c);
    const pixel_run run = run_of(w, tap / c->p->window[1], tap % c->p->window[1]);
    const fc_strides *b_step = s->swapped ? &run.x_step : &run.y_step;
    const bool whole = w->rows == w->tiles * rows;
    void (*const *tile)(const fc_tile *) = rows == c->kernels->rows ? c->kernels->tile : c->kernels->lower_tile;
    void *out[FC_MAX_TILE_ROWS];
    const void *zeros[FC_MAX_TILE_ROWS];
    if (run.columns == 0) {
        for (ptrdiff_t r = 0; w->fresh && r < w->tiles * rows; r++)
            memset(w->sums + (r * s->taps + tap) * width * c->element, 0, (size_t)(width * c->element));
        return;
    }
    for (ptrdiff_t n = 0, at = 0; n < run.images; n++)
        for (ptrdiff_t i = 0; i < run.rows; i++)
            w->s->b[at++] = (s->swapped ? run.x : run.y) + (n * b_step->n + i * b_step->h) * c->element;
    for (ptrdiff_t r = 0; r < rows; r++) {
        out[r] = w->sums + (r * s->taps + tap) * width * c->element;
        zeros[r] = w->s->zeros;
    }
    for (ptrdiff_t i = 0; i < w->tiles; i++) {
        const bool shared = i > 0 && !s->tap_rows && (whole || i < w->tiles - 1);
        const ptrdiff_t offset = i * rows * s->taps * width;
        if (!shared) point_rows(w, &run, i);
        tile[w->cut.vectors - 1](
            &(fc_tile){.segments = run.images * run.rows,
                       .depth = run.columns,
                       .a = w->s->a,
                       .a_offset = shared ? i * next_tile : 0,
                       .a_step = s->swapped ? run.y_step.w : run.x_step.w,
                       .b = w->s->b,
                       .b_step = b_step->w,
                       .init = w->fresh ? zeros : (const void *const *)out,
                       .init_step = w->fresh ? 0 : lanes,
                       .init_offset = w->fresh ? 0 : offset,
                       .c = out,
                       .c_offset = offset,
                       .a_ahead = s->tap_rows || c->p->layout == FC_NHWC ? 0 : next_tile * c->element});
    }
}
