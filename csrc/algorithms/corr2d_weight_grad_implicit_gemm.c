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
 * problem says, which are added in their order at the end: the bits do not depend on the threads. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/partial_sums.h"
#include "algorithms/weight_home.h"
#include "algorithms/weight_panels.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MAX_PARTIALS 16
#define WANTED_TASKS 32
#define SMALL_SUMS (1024 * 1024) /* bytes of padded sums that are always acceptable */
#define BLOCK_SUMS (256 * 1024)  /* bytes of the sums of a task, at most, where a tile's are not more */
#define FEWEST_BLOCK_ROWS 128    /* rows and taps of a task, so that its panel is used often enough */
#define MOST_AREA (8 * FC_DEPTH) /* pixels of x that are copied for a unit */
#define MOST_STRIPE (256 * 1024) /* bytes of x with its zeros that rows of taps read for a unit */

/* How the work and the sums are cut. Sums of a task: [row][tap][lanes of the panel]. */
typedef struct sum_plan {
    bool swapped, tap_rows;
    fc_panels panels;
    ptrdiff_t rows, taps;        /* of a group; taps of a row */
    ptrdiff_t tiles, row_blocks; /* tiles of rows, and their blocks */
    ptrdiff_t images;            /* of a unit */
    ptrdiff_t row_strips, column_strips, units;
    ptrdiff_t area;            /* pixels of x that a unit reads, at most */
    ptrdiff_t partials, tasks; /* tasks of one partial sum */
    ptrdiff_t span[2];         /* rows and columns of x that the windows of a unit span, at most */
    size_t block_sums;         /* elements */
} sum_plan;

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    sum_plan plan;
    fc_pixel_source x, y;
    ptrdiff_t element;
} call;

/* One thread's memory. Behind it: the stripe, the panel, and the sums of a task. */
typedef struct slot {
    const void *a[FC_DEPTH * FC_MAX_TILE_ROWS], *b[FC_DEPTH];
    _Alignas(64) char zeros[FC_MAX_LANES * 4];
} slot;

/* Rows and columns of x from the first to the last that the windows of some outputs span, whether they are there or not. */
static ptrdiff_t span_of(const fc_problem *p, int axis, ptrdiff_t outputs)
{
    const size_t span =
        fc_size_add(fc_size_mul((size_t)(outputs - 1), (size_t)p->stride[axis]),
                    fc_size_add(fc_size_mul((size_t)(p->window[axis] - 1), (size_t)p->dilation[axis]), 1));
    return (ptrdiff_t)(span < (size_t)PTRDIFF_MAX ? span : (size_t)PTRDIFF_MAX);
}

static ptrdiff_t least(size_t a, size_t b) { return (ptrdiff_t)(a < b ? a : b); }

/* Into blocks of as many tiles as keep their sums in a second-level cache, or fewer, where that makes more tasks. */
static void cut_rows(sum_plan *s, const fc_gemm_kernels *k, ptrdiff_t panels, ptrdiff_t element)
{
    const size_t tile = fc_size_mul((size_t)s->taps, (size_t)(k->rows * FC_MAX_TILE_VECTORS * k->lanes * element));
    const ptrdiff_t most = fc_max(1, least(BLOCK_SUMS / tile, PTRDIFF_MAX));
    const ptrdiff_t fewest = fc_max(1, FEWEST_BLOCK_ROWS / k->rows / fc_min(s->taps, FEWEST_BLOCK_ROWS));
    const ptrdiff_t wanted = fc_ceil_div(s->tiles * panels, WANTED_TASKS);
    s->row_blocks = s->tap_rows ? 1 : fc_ceil_div(s->tiles, fc_max(1, fc_min(most, fc_max(fewest, wanted))));
}

/* Columns are what the weights have side by side, unless so few that too many lanes would be empty. */
static bool swaps(const fc_problem *p, ptrdiff_t ic, ptrdiff_t oc)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const double lanes = k->lanes, rows = k->rows;
    const double swapped = (double)fc_ceil_div(ic, k->lanes) * lanes * (double)fc_ceil_div(oc, k->rows) * rows;
    const double straight = (double)fc_ceil_div(oc, k->lanes) * lanes * (double)fc_ceil_div(ic, k->rows) * rows;
    const bool strided = p->stride[0] > 1 || p->stride[1] > 1;
    if (p->layout == FC_NCHW && strided) return false; /* pixels of x that no window reads would be transposed */
    return fc_channels_are_neighbours(p) && swapped <= 1.1 * straight;
}

static sum_plan plan_of(const fc_problem *p, bool may_pad)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    sum_plan s = {.taps = p->window[0] * p->window[1], .images = 1};
    ptrdiff_t unit_rows, pixels;
    s.column_strips = fc_ceil_div(p->out[1], FC_DEPTH);
    unit_rows = fc_max(1, FC_DEPTH / fc_ceil_div(p->out[1], s.column_strips));
    s.row_strips = fc_ceil_div(p->out[0], unit_rows);
    unit_rows = fc_ceil_div(p->out[0], s.row_strips);
    pixels = unit_rows * fc_ceil_div(p->out[1], s.column_strips);
    if (s.row_strips * s.column_strips == 1) s.images = fc_max(1, fc_min(p->batch, FC_DEPTH / pixels));
    s.units = fc_ceil_div(p->batch, s.images) * s.row_strips * s.column_strips;
    s.span[0] = span_of(p, 0, unit_rows);
    s.span[1] = span_of(p, 1, fc_ceil_div(p->out[1], s.column_strips));
    s.area = least(fc_size_mul((size_t)s.images,
                               fc_size_mul((size_t)fc_min(s.span[0], p->in[0]), (size_t)fc_min(s.span[1], p->in[1]))),
                   PTRDIFF_MAX);
    s.swapped = s.area <= MOST_AREA && swaps(p, ic, oc);
    s.tap_rows = may_pad && !s.swapped && s.taps > 1 && ic < k->rows && ic > 0 &&
                 fc_size_mul(fc_size_mul(fc_size_mul((size_t)s.span[0], (size_t)s.span[1]), (size_t)(ic * element)),
                             (size_t)s.images) <= MOST_STRIPE;
    s.panels = fc_panels_of(s.swapped ? ic : oc, k->lanes, FC_MAX_TILE_VECTORS);
    s.rows = s.swapped ? oc : ic;
    if (s.tap_rows) {
        s.rows = ic * s.taps;
        s.taps = 1;
    }
    s.tiles = fc_ceil_div(s.rows, k->rows);
    cut_rows(&s, k, fc_max(1, p->groups * s.panels.count), element);
    s.tasks = p->groups * s.panels.count * s.row_blocks;
    s.block_sums =
        fc_size_mul(fc_size_mul((size_t)(fc_ceil_div(s.tiles, fc_max(1, s.row_blocks)) * k->rows), (size_t)s.taps),
                    (size_t)(fc_min(s.panels.vectors, FC_MAX_TILE_VECTORS) * k->lanes));
    s.partials = fc_ceil_div(WANTED_TASKS, fc_max(1, s.tasks));
    const size_t weights = (size_t)(p->out_channels * ic * p->window[0] * p->window[1]);
    const size_t sums = fc_size_mul(s.block_sums, (size_t)s.tasks);
    if (sums > 0 && sums < PTRDIFF_MAX) s.partials = fc_min(s.partials, (ptrdiff_t)(MAX_PARTIALS * weights / sums));
    s.partials = fc_max(1, fc_min(s.partials, fc_min(s.units, MAX_PARTIALS)));
    return s;
}

static const char *decline(const fc_problem *p)
{
    const sum_plan s = plan_of(p, true);
    const size_t weights = (size_t)(p->out_channels * (p->channels / p->groups) * p->window[0] * p->window[1]);
    const size_t sums = fc_size_mul(s.block_sums, (size_t)s.tasks);
    if (fc_size_mul(sums, fc_dtype_size(p->dtype)) > SMALL_SUMS && sums / MAX_PARTIALS > weights)
        return "groups have so few channels that padded sums would take more than 16 times the weights";
    return NULL;
}

static size_t sum_bytes(const fc_problem *p, const sum_plan *s)
{
    return fc_size_lines(fc_size_mul(s->block_sums, fc_dtype_size(p->dtype)));
}

/* The sums of all tasks, where they wait for others. */
static size_t plan_shared_bytes(const fc_problem *p, const sum_plan *s)
{
    return s->partials > 1 ? fc_size_mul(sum_bytes(p, s), (size_t)(s->tasks * s->partials)) : 0;
}

static size_t panel_bytes(const fc_problem *p, const sum_plan *s)
{
    const ptrdiff_t pixels = s->swapped ? s->area : FC_DEPTH;
    const ptrdiff_t width = fc_min(s->panels.vectors, FC_MAX_TILE_VECTORS) * p->kernels->gemm[p->dtype].lanes;
    return fc_size_lines(fc_size_mul((size_t)(pixels * width), fc_dtype_size(p->dtype)));
}

static size_t stripe_bytes(const fc_problem *p, const sum_plan *s)
{
    const ptrdiff_t elements = s->tap_rows ? s->images * s->span[0] * s->span[1] * (p->channels / p->groups) : 0;
    return fc_size_lines((size_t)elements * fc_dtype_size(p->dtype));
}

static size_t plan_slot_bytes(const fc_problem *p, const sum_plan *s)
{
    return fc_size_add(fc_size_add(fc_size_lines(sizeof(slot)), stripe_bytes(p, s)),
                       fc_size_add(panel_bytes(p, s), s->partials > 1 ? 0 : sum_bytes(p, s)));
}

/* For either plan: rows of taps may have to be done again without the zeros. */
static size_t either(const fc_problem *p, size_t (*measure)(const fc_problem *p, const sum_plan *s))
{
    const sum_plan padded = plan_of(p, true), exact = plan_of(p, false);
    const size_t a = measure(p, &padded), b = measure(p, &exact);
    return a > b ? a : b;
}

static size_t shared_bytes(const fc_problem *p) { return either(p, plan_shared_bytes); }

static size_t slot_bytes(const fc_problem *p) { return either(p, plan_slot_bytes); }

/* What a task has at hand. */
typedef struct work {
    const call *c;
    slot *s;
    char *stripe, *panel_copy, *sums;
    ptrdiff_t group, first_row, tiles, rows; /* rows: those that exist, of so many tiles */
    fc_panel_cut cut;
    fc_pixel_area outputs, inputs; /* of the unit */
    fc_pixel_place x, y;           /* one is the panel, one what rows read */
    bool fresh;                    /* nothing was summed yet */
} work;

static void find_areas(work *w, ptrdiff_t unit)
{
    const fc_problem *p = w->c->p;
    const sum_plan *s = &w->c->plan;
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
        const ptrdiff_t start = fc_window_start(p, i, out.first), span = span_of(p, i, out.end - out.first);
        fc_range *in = i ? &w->inputs.columns : &w->inputs.rows;
        in->first = fc_max(0, fc_min(p->in[i], start));
        in->end = span >= p->in[i] - start ? p->in[i] : fc_max(in->first, start + span);
    }
}

/* x of the unit with the zeros around it: [channel][image][row][column]. */
#define FILL_STRIPE(NAME, T)                                                                   \
    static void NAME(const work *w, const T *from, T *to)                                      \
    {                                                                                          \
        const fc_problem *p = w->c->p;                                                         \
        const ptrdiff_t *span = w->c->plan.span;                                               \
        const fc_strides step = w->c->x.steps;                                                 \
        const ptrdiff_t top = fc_window_start(p, 0, w->outputs.rows.first);                    \
        const ptrdiff_t left = fc_window_start(p, 1, w->outputs.columns.first);                \
        const ptrdiff_t first = fc_min(span[1], w->inputs.columns.first - left);               \
        const ptrdiff_t end = fc_max(first, fc_min(span[1], w->inputs.columns.end - left));    \
        for (ptrdiff_t c = 0; c < p->channels / p->groups; c++)                                \
            for (ptrdiff_t n = 0; n < w->outputs.images; n++)                                  \
                for (ptrdiff_t y = top; y < top + span[0]; y++, to += span[1]) {               \
                    const bool inside = y >= w->inputs.rows.first && y < w->inputs.rows.end;   \
                    const T *row = from + c * step.c + n * step.n + (inside ? y * step.h : 0); \
                    ptrdiff_t i = 0;                                                           \
                    for (; i < (inside ? first : span[1]); i++) to[i] = 0;                     \
                    for (; inside && i < end; i++) to[i] = row[(left + i) * step.w];           \
                    for (; i < span[1]; i++) to[i] = 0;                                        \
                }                                                                              \
    }

FILL_STRIPE(fill_stripe32, uint32_t)
FILL_STRIPE(fill_stripe64, uint64_t)

static void place_unit(work *w, ptrdiff_t unit)
{
    const call *c = w->c;
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
        const ptrdiff_t plane = c->plan.span[0] * c->plan.span[1];
        if (c->element == 4)
            fill_stripe32(w, (const uint32_t *)(const void *)x, (uint32_t *)(void *)w->stripe);
        else
            fill_stripe64(w, (const uint64_t *)(const void *)x, (uint64_t *)(void *)w->stripe);
        w->x = (fc_pixel_place){w->stripe, {.n = plane, .c = plane * w->outputs.images, .h = c->plan.span[1], .w = 1}};
    }
}

/* One tap's pixels: where the first ones are, and how it goes on from there. */
typedef struct pixel_run {
    const char *x, *y;
    ptrdiff_t images, rows, columns;
    fc_strides x_step, y_step; /* from one output's to the next one's */
} pixel_run;

static pixel_run run_of(const work *w, ptrdiff_t u, ptrdiff_t v)
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
static const char *row_at(const work *w, const char *first, ptrdiff_t row)
{
    const call *c = w->c;
    const ptrdiff_t r = fc_min(row, w->rows - 1);
    ptrdiff_t at;
    if (c->plan.tap_rows) {
        const ptrdiff_t kw = c->p->window[1], taps = c->p->window[0] * kw, tap = r % taps;
        at = r / taps * w->x.steps.c + tap / kw * c->p->dilation[0] * w->x.steps.h + tap % kw * c->p->dilation[1];
    } else {
        at = r * (c->plan.swapped ? w->y.steps.c : w->x.steps.c);
    }
    return first + at * c->element;
}

static void point_rows(const work *w, const pixel_run *run, ptrdiff_t tile)
{
    const ptrdiff_t rows = w->c->kernels->rows, element = w->c->element;
    const fc_strides *step = w->c->plan.swapped ? &run->y_step : &run->x_step;
    const void **a = w->s->a;
    for (ptrdiff_t n = 0; n < run->images; n++)
        for (ptrdiff_t i = 0; i < run->rows; i++)
            for (ptrdiff_t r = 0; r < rows; r++)
                *a++ = row_at(w, w->c->plan.swapped ? run->y : run->x, tile * rows + r) +
                       (n * step->n + i * step->h) * element;
}

/* Adds the unit's products of one tap to the sums. */
static void sum_tap(work *w, ptrdiff_t tap)
{
    const call *c = w->c;
    const sum_plan *s = &c->plan;
    const ptrdiff_t rows = c->kernels->rows, lanes = c->kernels->lanes, width = w->cut.vectors * lanes;
    const ptrdiff_t next_tile = rows * (s->swapped ? w->y.steps.c : w->x.steps.c);
    const pixel_run run = run_of(w, tap / c->p->window[1], tap % c->p->window[1]);
    const fc_strides *b_step = s->swapped ? &run.x_step : &run.y_step;
    const bool whole = w->rows == w->tiles * rows;
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
        c->kernels->tile[w->cut.vectors - 1](
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

static void bring_home(const work *w)
{
    const call *c = w->c;
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
static work work_of(const call *c, ptrdiff_t task)
{
    const sum_plan *s = &c->plan;
    const ptrdiff_t block = task % s->row_blocks, panel = task / s->row_blocks % s->panels.count;
    const ptrdiff_t first = fc_cut(s->tiles, s->row_blocks, block), end = fc_cut(s->tiles, s->row_blocks, block + 1);
    return (work){.c = c,
                  .group = task / s->row_blocks / s->panels.count,
                  .first_row = first * c->kernels->rows,
                  .tiles = end - first,
                  .rows = fc_min(end * c->kernels->rows, s->rows) - first * c->kernels->rows,
                  .cut = fc_panel_at(&s->panels, panel)};
}

static char *shared_sums(const call *c, ptrdiff_t task, ptrdiff_t partial)
{
    return c->workspace->shared + (size_t)(task * c->plan.partials + partial) * sum_bytes(c->p, &c->plan);
}

static void sum_block(void *context, ptrdiff_t index, int slot_number)
{
    const call *c = context;
    const sum_plan *s = &c->plan;
    const ptrdiff_t task = index % s->tasks, partial = index / s->tasks;
    const ptrdiff_t end = fc_cut(s->units, s->partials, partial + 1);
    char *memory = fc_slot_of(c->workspace, slot_number);
    work w = work_of(c, task);
    w.s = (slot *)memory;
    w.stripe = memory + fc_size_lines(sizeof(slot));
    w.panel_copy = w.stripe + stripe_bytes(c->p, s);
    w.sums = s->partials > 1 ? shared_sums(c, task, partial) : w.panel_copy + panel_bytes(c->p, s);
    fc_end_part(memory, fc_size_lines(sizeof(slot)));
    fc_end_part(w.stripe, stripe_bytes(c->p, s));
    fc_end_part(w.panel_copy, panel_bytes(c->p, s));
    fc_end_part(w.sums, sum_bytes(c->p, s));
    w.fresh = true;
    memset(w.s->zeros, 0, sizeof w.s->zeros);
    for (ptrdiff_t unit = fc_cut(s->units, s->partials, partial); unit < end; unit++) {
        place_unit(&w, unit);
        for (ptrdiff_t t = 0; t < s->taps; t++) sum_tap(&w, t);
        w.fresh = false;
    }
    if (w.fresh) memset(w.sums, 0, s->block_sums * (size_t)c->element); /* there are no images */
    if (s->partials == 1) bring_home(&w);
}

/* Adds the partial sums of one task. */
static void finish_block(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    const ptrdiff_t element = c->element;
    work w = work_of(c, task);
    (void)slot_number;
    w.sums = shared_sums(c, task, 0);
    fc_add_partial_sums(c->p->dtype, c->plan.partials,
                        w.tiles * c->kernels->rows * c->plan.taps * w.cut.vectors * c->kernels->lanes,
                        (ptrdiff_t)sum_bytes(c->p, &c->plan) / element, w.sums);
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
    call c = {
        .p = p,
        .operands = operands,
        .workspace = workspace,
        .kernels = &p->kernels->gemm[p->dtype],
        .x = source_of(p, operands->x, p->channels, p->in),
        .y = source_of(p, operands->grad_y, p->out_channels, p->out),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
    };
    bool may_pad = true;
    do {
        c.plan = plan_of(p, may_pad);
        fc_parallel_for(c.plan.tasks * c.plan.partials, workspace->threads, true, sum_block, &c);
        if (c.plan.partials > 1) fc_parallel_for(c.plan.tasks, workspace->threads, true, finish_block, &c);
        fc_join_parts(workspace->shared, plan_shared_bytes(p, &c.plan) + FC_CACHE_LINE); /* another plan cuts it anew */
        may_pad = false;
    } while (c.plan.tap_rows && !fc_weights_are_finite(p, operands->y)); /* zeros may have met an infinity */
    fc_bias_grad(p, operands, workspace->threads);
}

const fc_algorithm fc_corr2d_weight_grad_implicit_gemm = {
    .name = "implicit_gemm",
    .decline = decline,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
