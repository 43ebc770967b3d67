/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_winograd.c -- weight gradients by the transposes of Winograd's forms: every tile of
 * outputs adds G' [(A grad_y A') * (B' x B)] G, for 3x3 with 36 multiplications instead of 144.
 *
 * The tiles of all images are one list, cut into units. Those of a unit are transformed, the frequencies apart; then each
 * frequency is a matrix product whose depth is the tiles of the unit: rows are input channels, lanes are filters. Some
 * channels by some filters at a time go back to taps while they are in a near cache, and are added to the gradient there,
 * unit by unit. A thread keeps the transformed inputs of a unit for its next filters.
 *
 * Units are dealt out to partial sums, as many as the problem says, which are added in their order at the end: the bits do
 * not depend on the threads. See winograd.h for what is shared with the forward algorithm.
 *
 * A NaN or an infinity, or a sum that overflows on the way, reaches weights that it should not: gradients that are not
 * finite are computed again by the implicit GEMM. */
#include <math.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/grouped_block.h"
#include "algorithms/partial_sums.h"
#include "algorithms/weight_home.h"
#include "algorithms/window.h"
#include "algorithms/winograd.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MOST_TILES 160 /* of a unit: steps of a chain of sums */
#define FEWEST_TILES 16
#define UNIT_BYTES (8 * 1024 * 1024) /* of its transformed inputs, aimed at */
#define CHANNELS_AT_ONCE 64          /* and half as many where less is done with their products */
#define FILTERS_AT_ONCE 96
#define FEW_TILES 40 /* that still pay for the way back to taps */
#define FEWEST_TASKS 4
#define TRANSFORM 20     /* products of a tile, a channel and a filter: as long does it take to transform one of them */
#define MANY_OUTPUTS 350 /* that make up for transforms of few channels */
#define FEW_OUTPUTS 60

/* How the work is cut: sums by the problem alone, channels and filters by the threads as well. Steps count elements. */
typedef struct plan {
    fc_winograd_plan x, y; /* what the transforms of either side go by */
    fc_panels channels, filters;
    ptrdiff_t parts; /* of the blocks of channels: each is a task */
    ptrdiff_t taps, units, partials;
    ptrdiff_t x_block; /* from one block of channels to the next */
    ptrdiff_t m_frequency;
} plan;

static ptrdiff_t widest(const fc_panels *all) { return fc_ceil_div(all->vectors, all->count) * all->lanes; }

/* Smaller blocks where threads would be without work, each of which transforms its channels and its filters for itself. */
static void cut_finer(const fc_problem *p, plan *s)
{
    const ptrdiff_t sums = p->groups * s->partials, most = fc_ceil_div(FC_TASKS_A_THREAD * p->threads, sums);
    fc_panels filters = s->filters, channels = s->channels;
    ptrdiff_t chosen = filters.count;
    double best = INFINITY;
    for (; filters.count <= filters.vectors && filters.count <= fc_max(s->filters.count, most); filters.count++)
        for (channels.count = 1; channels.count <= fc_min(channels.vectors, fc_max(1, most / filters.count));
             channels.count++) {
            const ptrdiff_t rounds = fc_ceil_div(sums * filters.count * channels.count, p->threads);
            const double rows = (double)widest(&channels), columns = (double)widest(&filters);
            const double time = (double)rounds * (rows * columns + TRANSFORM * (rows + columns));
            if (time >= best) continue;
            best = time;
            chosen = filters.count;
            s->parts = channels.count;
        }
    s->filters.count = chosen;
    s->channels.count = fc_max(s->channels.count, s->parts);
}

static plan plan_of(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), lanes = p->kernels->gemm[p->dtype].lanes;
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    plan s = {.x = fc_winograd_plan_of(p),
              .taps = p->window[0] * p->window[1],
              .parts = 1,
              .filters = fc_panels_of(filters, lanes, fc_max(1, FILTERS_AT_ONCE / lanes))};
    const ptrdiff_t frequencies = s.x.frequencies;
    s.y = s.x;
    s.y.form = fc_winograd_shape_of(p)->grad;
    s.y.stride = 1;
    s.y.channels = filters;
    for (int i = 0; i < 2; i++) s.y.window[i] = s.y.tile[i];
    const ptrdiff_t fit = UNIT_BYTES / (frequencies * channels * element);
    const ptrdiff_t neighbours = s.x.dilation[1]; /* tiles that are not cut apart; see fc_winograd_origin */
    s.units = fc_ceil_div(s.x.total, fc_min(MOST_TILES, fc_max(FEWEST_TILES, fit)) / neighbours * neighbours);
    /* Fewer filters and tiles at a time, if that keeps more threads busy. */
    const ptrdiff_t pairs = fc_ceil_div(s.filters.vectors, 2);
    s.filters.count = fc_max(s.filters.count, fc_min(pairs, fc_ceil_div(FEWEST_TASKS, p->groups * s.units)));
    s.units = fc_max(s.units, fc_min(s.x.total / FEW_TILES, fc_ceil_div(FEWEST_TASKS, p->groups * s.filters.count)));
    s.partials = fc_partial_sums(p->groups * s.filters.count, s.units);
    const ptrdiff_t tiles = fc_ceil_div(s.x.total / neighbours, s.units) * neighbours;
    s.channels = fc_panels_of(channels, lanes, fc_max(1, CHANNELS_AT_ONCE / (tiles < FEW_TILES ? 2 : 1) / lanes));
    if (p->threads > FC_FEW_THREADS) cut_finer(p, &s);
    s.x.v_row = widest(&s.channels);
    s.y.v_row = widest(&s.filters);
    s.x.v_frequency = fc_odd_lines(tiles * s.x.v_row + FC_MAX_TILE_ROWS, element);
    s.y.v_frequency = fc_odd_lines(tiles * s.y.v_row, element);
    s.x_block = frequencies * s.x.v_frequency;
    s.m_frequency = fc_odd_lines((s.x.v_row + FC_MAX_TILE_ROWS) * s.y.v_row, element);
    return s;
}

static const char *decline(const fc_problem *p)
{
    const char *reason = fc_winograd_decline(p);
    if (reason) return reason;
    if (!p->batch || !p->out[0] || !p->out[1]) return "there are no outputs";
    return fc_corr2d_weight_grad_implicit_gemm.decline(p);
}

/* Of a group, beside the other algorithms for groups. */
static bool group_has_few_channels(const fc_problem *p, ptrdiff_t fewer, ptrdiff_t outputs)
{
    const ptrdiff_t lanes = fc_max(8, p->kernels->gemm[p->dtype].lanes);
    const bool fill = fc_grouped_serves(p), deep = p->layout == FC_NHWC;
    if (p->stride[0] > 1) return fewer < (deep ? 3 * lanes / 4 : 4 * lanes);
    if (2 * fewer < lanes) return true;
    if (4 * fewer < 3 * lanes) return fill || outputs < (deep ? 120 : MANY_OUTPUTS);
    if (fewer < lanes) return outputs < (fill && !deep ? MANY_OUTPUTS : FEW_OUTPUTS);
    return fewer < 2 * lanes && fill && outputs < 120;
}

/* Measured over maps of 4 to 570 pixels, 3 to 1024 channels and filters, and up to 32 groups. */
static bool has_few_channels(const fc_problem *p, ptrdiff_t outputs)
{
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t fewer = fc_min(channels, filters);
    const bool deep = p->layout == FC_NHWC;
    if (p->window[0] != p->window[1] && deep) return fewer < 32 && (channels < 64 || filters < 8);
    if (p->window[0] != p->window[1]) return fewer < (p->window[0] * p->window[1] == 7 && channels >= 96 ? 24 : 32);
    if (p->groups > 1) return group_has_few_channels(p, fewer, outputs);
    if (p->stride[0] > 1 && deep) return channels < 32 ? fewer < 12 : filters < 3;
    if (p->stride[0] > 1) return fewer < 24;
    return channels < 4 || filters < 3;
}

static const char *pass(const fc_problem *p)
{
    const ptrdiff_t outputs = p->batch * p->out[0] * p->out[1];
    const ptrdiff_t taps = p->window[0] * p->window[1];
    if (has_few_channels(p, outputs)) return "there are too few channels on one side";
    if (fc_winograd_dilation_wastes(p)) return "much of its tiles would lie outside of the map";
    return outputs < (taps == 9 && p->groups == 1 ? FEW_OUTPUTS
                      : taps == 25                ? 30
                                                  : 48)
               ? "there are too few outputs to go back to taps for"
               : NULL;
}

/* ---- memory: what a thread keeps, the scratch of a transform, x and grad_y transformed, their products, taps of a unit, sums */

typedef struct kept {
    ptrdiff_t group, unit, part; /* whose transformed inputs are here; -1: nobody's */
    bool finite;
} kept;

enum { KEPT, SCRATCH, INPUTS, OUTPUTS, PRODUCTS, FRESH, SUMS, PARTS };

static size_t elements_bytes(const fc_problem *p, ptrdiff_t elements, ptrdiff_t times)
{
    return fc_size_lines(fc_size_mul(fc_size_mul((size_t)elements, (size_t)times), fc_dtype_size(p->dtype)));
}

static void part_bytes(const fc_problem *p, const plan *s, size_t bytes[PARTS])
{
    const fc_winograd_methods *methods = fc_winograd_methods_of(p);
    const size_t x = methods->scratch_bytes(p, &s->x), y = methods->scratch_bytes(p, &s->y);
    bytes[KEPT] = fc_size_lines(sizeof(kept));
    bytes[SCRATCH] = x > y ? x : y;
    bytes[INPUTS] = elements_bytes(p, s->x_block, fc_ceil_div(s->channels.count, s->parts));
    bytes[OUTPUTS] = elements_bytes(p, s->y.frequencies, s->y.v_frequency);
    bytes[PRODUCTS] = elements_bytes(p, s->x.frequencies, s->m_frequency);
    bytes[FRESH] = elements_bytes(p, s->x.v_row * s->taps, s->y.v_row);
    bytes[SUMS] = s->partials > 1 ? 0 : elements_bytes(p, s->x.channels * s->taps, s->y.v_row);
}

/* Of one partial sum of a group. */
static size_t sum_bytes(const fc_problem *p, const plan *s)
{
    return elements_bytes(p, s->x.channels * s->taps, s->filters.vectors * s->filters.lanes);
}

static size_t shared_bytes(const fc_problem *p)
{
    const plan s = plan_of(p);
    const size_t sums = s.partials > 1 ? fc_size_mul(sum_bytes(p, &s), (size_t)(p->groups * s.partials)) : 0;
    return fc_size_max(sums, fc_corr2d_weight_grad_implicit_gemm.shared_bytes(p));
}

static size_t slot_bytes(const fc_problem *p)
{
    const plan s = plan_of(p);
    size_t bytes[PARTS], all = 0;
    part_bytes(p, &s, bytes);
    for (int i = 0; i < PARTS; i++) all = fc_size_add(all, bytes[i]);
    return fc_size_max(all, fc_corr2d_weight_grad_implicit_gemm.slot_bytes(p));
}

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    const fc_winograd_methods *methods;
    fc_problem grad_y; /* as an image of its own */
    plan plan;
    size_t bytes[PARTS];
    ptrdiff_t element;
} call;

typedef struct memory {
    kept *kept;
    char *part[PARTS];
} memory;

static memory memory_at(const call *c, int slot)
{
    char *at = fc_slot_of(c->workspace, slot);
    memory m = {.kept = (kept *)at};
    for (int i = 0; i < PARTS; at += c->bytes[i++]) {
        m.part[i] = at;
        fc_end_part(at, c->bytes[i]);
    }
    return m;
}

/* ---- the call ------------------------------------------------------------------------------------------------------ */

/* The tiles of a unit, of some channels from the first on. */
static void transform(const call *c, const fc_problem *image, const fc_winograd_plan *all, const void *pixels,
                      const fc_panel_cut *cut, ptrdiff_t group, const fc_range *tiles, char *scratch, char *v)
{
    const fc_strides steps = fc_image_strides(image->layout, image->channels, image->in);
    const fc_operands operands = {.x = (const char *)pixels +
                                       (group * all->channels + cut->first) * steps.c * c->element};
    fc_winograd_call side = {
        .p = image, .operands = &operands, .kernels = c->kernels, .element = c->element, .plan = *all};
    side.plan.channels = cut->columns;
    c->methods->input(&side, &(fc_winograd_block){0, tiles->first, tiles->end - tiles->first, v},
                      (fc_range){0, side.plan.channels}, scratch);
}

/* Some channels by some filters: the products of all frequencies, in one call where they are one panel. */
static void multiply(const call *c, const fc_panel_cut *channels, const fc_panel_cut *filters, ptrdiff_t tiles,
                     const char *x, const char *y, char *m)
{
    const plan *s = &c->plan;
    const fc_panels panels = fc_panels_of(filters->columns, c->kernels->lanes, FC_MAX_TILE_VECTORS);
    const ptrdiff_t times = panels.count == 1 ? s->x.frequencies : 1;
    for (ptrdiff_t f = 0; f < s->x.frequencies; f += times)
        for (ptrdiff_t i = 0; i < panels.count; i++) {
            const fc_panel_cut cut = fc_panel_at(&panels, i);
            const ptrdiff_t tiles_high = fc_ceil_div(channels->columns, fc_product_rows(c->kernels, cut.vectors));
            const char *a = x + f * s->x.v_frequency * c->element;
            const char *b = y + (f * s->y.v_frequency + cut.first) * c->element;
            c->kernels->product_turned[cut.vectors - 1](&(fc_panel_product){
                .times = times,
                .rows = channels->columns,
                .depth = tiles,
                .a = a,
                .a_row = s->x.v_row,
                .b = b,
                .b_row = s->y.v_row,
                .c = m + (f * s->m_frequency + cut.first) * c->element,
                .c_row = s->y.v_row,
                .a_next = s->x.v_frequency,
                .b_next = s->y.v_frequency,
                .c_next = s->m_frequency,
                .ahead = {b + times * s->y.v_frequency * c->element, a + times * s->x.v_frequency * c->element},
                .ahead_step = {fc_ceil_div(s->y.v_row * c->element, tiles_high),
                               fc_ceil_div(s->x.v_row * c->element, tiles_high)}});
        }
}

/* From frequencies to taps: [channel][tap][filter]. */
static bool go_back(const call *c, const fc_panel_cut *channels, const fc_panel_cut *filters, const char *m, char *taps)
{
    const plan *s = &c->plan;
    const ptrdiff_t width = filters->vectors * c->kernels->lanes;
    bool finite = true;
    for (ptrdiff_t r = 0; r < channels->columns; r++) {
        bool row_finite;
        fc_winograd_output tile = {.channels = width,
                                   .m = m + r * s->y.v_row * c->element,
                                   .frequency_step = s->m_frequency,
                                   .whole = true,
                                   .finite = &row_finite};
        for (ptrdiff_t t = 0; t < s->taps; t++) tile.pixel[t] = taps + (r * s->taps + t) * width * c->element;
        c->kernels->winograd[s->y.form].output(&tile);
        finite &= row_finite;
    }
    return finite;
}

/* Where the sums of some channels by some filters lie in a partial sum. */
static char *block_of(const call *c, char *sums, const fc_panel_cut *filters, const fc_panel_cut *channels)
{
    const ptrdiff_t width = filters->vectors * c->kernels->lanes;
    return sums + (filters->first * c->plan.x.channels + channels->first * width) * c->plan.taps * c->element;
}

static void bring_home(const call *c, ptrdiff_t group, const fc_panel_cut *filters, const fc_panel_cut *channels,
                       const char *sums)
{
    fc_bring_weights_home(c->p,
                          &(fc_weight_sums){.row = channels->first,
                                            .rows = channels->columns,
                                            .column = filters->first,
                                            .columns = filters->columns,
                                            .width = filters->vectors * c->kernels->lanes,
                                            .sums = sums},
                          group, c->operands->y);
}

static char *shared_sums(const call *c, ptrdiff_t group, ptrdiff_t partial)
{
    return c->workspace->shared + (size_t)(group * c->plan.partials + partial) * sum_bytes(c->p, &c->plan);
}

/* Blocks of the channels of a part. */
static fc_range blocks_of(const plan *s, ptrdiff_t part)
{
    return (fc_range){fc_cut(s->channels.count, s->parts, part), fc_cut(s->channels.count, s->parts, part + 1)};
}

static char *inputs_of(const call *c, const memory *at, const fc_range *blocks, ptrdiff_t block)
{
    return at->part[INPUTS] + (block - blocks->first) * c->plan.x_block * c->element;
}

static void enter_unit(const call *c, const memory *at, ptrdiff_t group, ptrdiff_t unit, ptrdiff_t part,
                       const fc_range *tiles)
{
    const plan *s = &c->plan;
    const fc_range blocks = blocks_of(s, part);
    if (at->kept->group == group && at->kept->unit == unit && at->kept->part == part) return;
    for (ptrdiff_t i = blocks.first; i < blocks.end; i++) {
        const fc_panel_cut cut = fc_panel_at(&s->channels, i);
        transform(c, c->p, &s->x, c->operands->x, &cut, group, tiles, at->part[SCRATCH], inputs_of(c, at, &blocks, i));
    }
    at->kept->group = group;
    at->kept->unit = unit;
    at->kept->part = part;
}

/* The unit's share of the gradients of some channels by some filters: into `sums`, or added to what is there. */
static void add_unit(const call *c, const memory *at, const fc_panel_cut *channels, const fc_panel_cut *filters,
                     const char *x, ptrdiff_t tiles, bool first, char *sums)
{
    char *taps = first ? sums : at->part[FRESH];
    multiply(c, channels, filters, tiles, x, at->part[OUTPUTS], at->part[PRODUCTS]);
    at->kept->finite &= go_back(c, channels, filters, at->part[PRODUCTS], taps);
    if (!first)
        fc_add_sums(c->p->dtype, channels->columns * c->plan.taps * filters->vectors * c->kernels->lanes, sums, taps);
}

static ptrdiff_t first_tile(const plan *s, ptrdiff_t unit)
{
    const ptrdiff_t neighbours = s->x.dilation[1];
    return fc_cut(s->x.total / neighbours, s->units, unit) * neighbours;
}

/* A partial sum of the gradients of a part of the channels by a block of filters. */
static void sum_block(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const plan *s = &c->plan;
    const fc_panel_cut filters = fc_panel_at(&s->filters, task % s->filters.count);
    const ptrdiff_t part = task / s->filters.count % s->parts, sum = task / s->filters.count / s->parts;
    const ptrdiff_t partial = sum % s->partials, group = sum / s->partials;
    const fc_range blocks = blocks_of(s, part);
    const ptrdiff_t first = fc_cut(s->units, s->partials, partial), end = fc_cut(s->units, s->partials, partial + 1);
    const memory at = memory_at(c, slot);
    for (ptrdiff_t unit = first; unit < end; unit++) {
        const fc_range tiles = {first_tile(s, unit), first_tile(s, unit + 1)};
        enter_unit(c, &at, group, unit, part, &tiles);
        transform(c, &c->grad_y, &s->y, c->operands->grad_y, &filters, group, &tiles, at.part[SCRATCH],
                  at.part[OUTPUTS]);
        for (ptrdiff_t i = blocks.first; i < blocks.end; i++) {
            const fc_panel_cut channels = fc_panel_at(&s->channels, i);
            char *sums = s->partials > 1 ? block_of(c, shared_sums(c, group, partial), &filters, &channels)
                                         : at.part[SUMS] + channels.first * s->taps * s->y.v_row * c->element;
            add_unit(c, &at, &channels, &filters, inputs_of(c, &at, &blocks, i), tiles.end - tiles.first, unit == first,
                     sums);
            if (s->partials == 1 && unit == end - 1) bring_home(c, group, &filters, &channels, sums);
        }
    }
}

/* Adds the partial sums of some channels by some filters. */
static void finish_block(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const plan *s = &c->plan;
    const fc_panel_cut channels = fc_panel_at(&s->channels, task % s->channels.count);
    const fc_panel_cut filters = fc_panel_at(&s->filters, task / s->channels.count % s->filters.count);
    const ptrdiff_t group = task / s->channels.count / s->filters.count;
    const ptrdiff_t taps = channels.columns * s->taps * filters.vectors * c->kernels->lanes;
    char *home = block_of(c, shared_sums(c, group, 0), &filters, &channels);
    (void)slot;
    fc_add_partial_sums(c->p->dtype, s->partials, taps, (ptrdiff_t)sum_bytes(c->p, s) / c->element, home);
    bring_home(c, group, &filters, &channels, home);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[p->dtype],
              .methods = fc_winograd_methods_of(p),
              .grad_y = *p,
              .plan = plan_of(p),
              .element = (ptrdiff_t)fc_dtype_size(p->dtype)};
    const plan *s = &c.plan;
    bool finite = true;
    c.grad_y.channels = p->out_channels;
    for (int i = 0; i < 2; i++) {
        c.grad_y.in[i] = p->out[i];
        c.grad_y.pad_before[i] = c.grad_y.pad_after[i] = 0;
    }
    part_bytes(p, s, c.bytes);
    for (int i = 0; i < workspace->threads; i++) *memory_at(&c, i).kept = (kept){-1, -1, -1, true};
    fc_parallel_shares(p->groups * s->partials * s->parts * s->filters.count, workspace->threads, true, sum_block, &c);
    if (s->partials > 1)
        fc_parallel_shares(p->groups * s->filters.count * s->channels.count, workspace->threads, true, finish_block,
                           &c);
    for (int i = 0; i < workspace->threads; i++) finite &= memory_at(&c, i).kept->finite;
    if (finite)
        fc_bias_grad(p, operands, workspace->threads);
    else
        fc_corr2d_weight_grad_implicit_gemm.run(p, operands, workspace);
}

const fc_algorithm fc_corr2d_weight_grad_winograd = {
    .name = "winograd",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
