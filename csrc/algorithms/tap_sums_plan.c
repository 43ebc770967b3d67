/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/tap_sums.h"
#include "algorithms/weight_home.h"
#include "platform/memory.h"

#define WANTED_TASKS 32
#define BLOCK_SUMS (256 * 1024)  /* bytes of the sums of a task, at most, where a tile's are not more */
#define FEWEST_BLOCK_ROWS 128    /* rows and taps of a task, so that its panel is used often enough */
#define MOST_AREA (8 * FC_DEPTH) /* pixels of x that are copied for a unit */
#define MOST_STRIPE (256 * 1024) /* bytes of x with its zeros that rows of taps read for a unit */

ptrdiff_t fc_tap_sum_span(const fc_problem *p, int axis, ptrdiff_t outputs)
{
    const size_t span =
        fc_size_add(fc_size_mul((size_t)(outputs - 1), (size_t)p->stride[axis]),
                    fc_size_add(fc_size_mul((size_t)(p->window[axis] - 1), (size_t)p->dilation[axis]), 1));
    return (ptrdiff_t)(span < (size_t)PTRDIFF_MAX ? span : (size_t)PTRDIFF_MAX);
}

static ptrdiff_t least(size_t a, size_t b) { return (ptrdiff_t)(a < b ? a : b); }

/* Into blocks of as many tiles as keep their sums in a second-level cache, or fewer, where that makes more tasks. */
static void cut_rows(fc_tap_sum_plan *s, const fc_gemm_kernels *k, ptrdiff_t panels, ptrdiff_t element)
{
    const size_t tile = fc_size_mul((size_t)s->taps, (size_t)(s->tile_rows * FC_MAX_TILE_VECTORS * k->lanes * element));
    const ptrdiff_t most = fc_max(1, least(BLOCK_SUMS / tile, PTRDIFF_MAX));
    const ptrdiff_t fewest = fc_max(1, FEWEST_BLOCK_ROWS / s->tile_rows / fc_min(s->taps, FEWEST_BLOCK_ROWS));
    const ptrdiff_t wanted = fc_ceil_div(s->tiles * panels, WANTED_TASKS);
    s->row_blocks = s->tap_rows ? 1 : fc_ceil_div(s->tiles, fc_max(1, fc_min(most, fc_max(fewest, wanted))));
}

/* Columns are what the weights have side by side, unless so few that too many lanes would be empty. */
static bool swaps(const fc_problem *p, ptrdiff_t ic, ptrdiff_t oc)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const double swapped = (double)fc_round_up(ic, k->lanes) * (double)fc_round_up(oc, k->rows);
    const double straight = (double)fc_round_up(oc, k->lanes) * (double)fc_round_up(ic, k->rows);
    const bool strided = fc_strided(p);
    if (p->layout == FC_NCHW && strided) return false; /* pixels of x that no window reads would be transposed */
    return fc_channels_are_neighbours(p) && swapped <= 1.1 * straight;
}

fc_tap_sum_plan fc_tap_sum_plan_of(const fc_problem *p, bool may_pad)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    fc_tap_sum_plan s = {.taps = p->window[0] * p->window[1], .images = 1};
    ptrdiff_t unit_rows, pixels;
    s.column_strips = fc_ceil_div(p->out[1], FC_DEPTH);
    unit_rows = fc_max(1, FC_DEPTH / fc_ceil_div(p->out[1], s.column_strips));
    s.row_strips = fc_ceil_div(p->out[0], unit_rows);
    unit_rows = fc_ceil_div(p->out[0], s.row_strips);
    pixels = unit_rows * fc_ceil_div(p->out[1], s.column_strips);
    if (s.row_strips * s.column_strips == 1) s.images = fc_max(1, fc_min(p->batch, FC_DEPTH / pixels));
    s.units = fc_ceil_div(p->batch, s.images) * s.row_strips * s.column_strips;
    s.span[0] = fc_tap_sum_span(p, 0, unit_rows);
    s.span[1] = fc_tap_sum_span(p, 1, fc_ceil_div(p->out[1], s.column_strips));
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
    s.tile_rows = s.tap_rows && fc_rows_computed(s.rows, k->lower_rows) < fc_rows_computed(s.rows, k->rows)
                      ? k->lower_rows
                      : k->rows;
    s.tiles = fc_ceil_div(s.rows, s.tile_rows);
    cut_rows(&s, k, fc_max(1, p->groups * s.panels.count), element);
    s.tasks = p->groups * s.panels.count * s.row_blocks;
    s.block_sums =
        fc_size_mul(fc_size_mul((size_t)(fc_ceil_div(s.tiles, fc_max(1, s.row_blocks)) * s.tile_rows), (size_t)s.taps),
                    (size_t)(fc_min(s.panels.vectors, FC_MAX_TILE_VECTORS) * k->lanes));
    s.partials = fc_ceil_div(WANTED_TASKS, fc_max(1, s.tasks));
    const size_t weights = (size_t)(p->out_channels * ic * p->window[0] * p->window[1]);
    const size_t sums = fc_size_mul(s.block_sums, (size_t)s.tasks);
    if (sums > 0 && sums < PTRDIFF_MAX)
        s.partials = fc_min(s.partials, (ptrdiff_t)(FC_MAX_TAP_PARTIALS * weights / sums));
    s.partials = fc_max(1, fc_min(s.partials, fc_min(s.units, FC_MAX_TAP_PARTIALS)));
    return s;
}

size_t fc_tap_sum_bytes(const fc_problem *p, const fc_tap_sum_plan *s)
{
    return fc_size_lines(fc_size_mul(s->block_sums, fc_dtype_size(p->dtype)));
}

size_t fc_tap_sum_panel_bytes(const fc_problem *p, const fc_tap_sum_plan *s)
{
    const ptrdiff_t pixels = s->swapped ? s->area : FC_DEPTH;
    const ptrdiff_t width = fc_min(s->panels.vectors, FC_MAX_TILE_VECTORS) * p->kernels->gemm[p->dtype].lanes;
    return fc_size_lines(fc_size_mul((size_t)(pixels * width), fc_dtype_size(p->dtype)));
}

size_t fc_tap_sum_stripe_bytes(const fc_problem *p, const fc_tap_sum_plan *s)
{
    const ptrdiff_t elements = s->tap_rows ? s->images * s->span[0] * s->span[1] * (p->channels / p->groups) : 0;
    return fc_size_lines((size_t)elements * fc_dtype_size(p->dtype));
}
