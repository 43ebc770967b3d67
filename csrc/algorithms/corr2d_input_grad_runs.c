/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_input_grad_runs.c -- the input gradient at a stride of one of kernels three wide, of either layout, by runs of neighbouring
 * points of a row, see run_tile.h: a value of grad_y that is read once serves all taps of a row. Groups of a few channels share
 * vectors, see lane_weights.h; lane_tasks.h has the rest. */
#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/lane_tasks.h"
#include "algorithms/winograd.h"

#define FEW_OUTPUTS 64
#define MANY_OUTPUTS 400
#define MOST_ROWS 8

/* False where groups do not fill vectors. */
static bool begin_plan(const fc_problem *p, fc_lane_plan *s)
{
    fc_begin_lane_plan(p, true, s);
    return s->share.groups && !(s->members % s->share.each);
}

static const char *decline(const fc_problem *p)
{
    fc_lane_plan s;
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!p->kernels->gemm[p->dtype].share_lanes[0]) return "the instruction set has too few registers";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (fc_phases(p, 0) != 1 || fc_phases(p, 1) != 1) return "the stride is not one";
    if (p->window[1] != FC_RUN_TAPS || p->dilation[1] != 1) return "the kernel is not three neighbours wide";
    if (p->window[0] * p->window[1] > FC_MOST_GROUP_TAPS) return "the kernel has more than 128 taps";
    if (p->in[1] < FC_SHORT_RUN) return "rows are shorter than seven pixels";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (!begin_plan(p, &s)) return "channels of a group do not fill vectors";
    return fc_lane_rows_fit(p, &s) ? NULL : "a row of an image is too long";
}

/* Seven or eight points: of which fewer are computed twice. */
static ptrdiff_t run_of(ptrdiff_t width)
{
    const ptrdiff_t longer = FC_SHORT_RUN + 1;
    const bool fewer = fc_rows_computed(width, longer) < fc_rows_computed(width, FC_SHORT_RUN);
    return width >= longer && fewer ? longer : FC_SHORT_RUN;
}

/* The runs of some rows: two of as many taps are a tile. */
static void run_rows(const fc_lane_part *t, fc_run_tile *d, const char *w, fc_range members, ptrdiff_t output)
{
    const fc_problem *p = t->p;
    const fc_lane_plan *s = t->s;
    const fc_grid_axis *rows = &s->grid.axis[0][0];
    const ptrdiff_t element = s->element, height = t->rows.end - t->rows.first, width = s->grid.axis[1][0].points,
                    run = run_of(width);
    void (*const *run_tile)(const fc_run_tile *tile) =
        p->kernels->gemm[p->dtype].run_tile[s->share.kernel][run - FC_SHORT_RUN];
    const ptrdiff_t x_pixel = s->x_pixel * element, y_pixel = t->y_pixel * element;
    int used = 0;
    for (ptrdiff_t row = 0; row < t->images * height; row++) {
        const ptrdiff_t image = row / height, down = row % height;
        const fc_range taps = fc_block_taps_within(rows, t->rows.first + down);
        if (fc_max(0, taps.end - taps.first) != d->rows) continue;
        const char *x =
            t->x + image * (ptrdiff_t)s->x_bytes +
            (down * s->x_row + members.first / s->share.each * s->x_chunk + taps.first * d->x_row) * element;
        char *y = t->y + (image * t->y_image + down * t->y_row + output) * element;
        for (ptrdiff_t j = 0; j < width; j += run) { /* the last run overlaps the one before */
            const ptrdiff_t at = fc_min(j, width - run);
            d->x[used] = x + at * x_pixel;
            d->w[used] = w + taps.first * d->w_row * element;
            d->y[used] = y + at * y_pixel;
            d->first[used] = (int)(j - at);
            if (++used < 2) continue;
            run_tile[1](d);
            used = 0;
        }
    }
    if (used) run_tile[0](d);
}

/* Rows of taps outside of the image are left out. */
static void walk(const fc_lane_part *t, const void *context, const void *w, fc_range members, ptrdiff_t output,
                 bool add)
{
    const fc_problem *p = t->p;
    const fc_lane_plan *s = t->s;
    const fc_grid_axis *rows = &s->grid.axis[0][0], *columns = &s->grid.axis[1][0];
    const ptrdiff_t lanes = s->share.lanes, w_member = p->window[0] * p->window[1] * lanes;
    const ptrdiff_t first_tap = rows->window_first * p->window[1] + columns->window_first;
    fc_run_tile d = {.chunks = (members.end - members.first) / s->share.each,
                     .x_chunk = s->x_chunk,
                     .x_row = rows->tap_step * s->x_row,
                     .w_chunk = s->share.each * w_member,
                     .w_row = rows->window_step * p->window[1] * lanes,
                     .w_column = columns->window_step * lanes,
                     .w_member = w_member,
                     .y_pixel = t->y_pixel,
                     .y_group = t->y_group,
                     .add = add};
    ptrdiff_t fewest = rows->taps;
    (void)context;
    for (ptrdiff_t i = t->rows.first; i < t->rows.end; i++) {
        const fc_range taps = fc_block_taps_within(rows, i);
        fewest = fc_min(fewest, fc_max(0, taps.end - taps.first));
    }
    for (d.rows = rows->taps; d.rows >= fewest; d.rows--)
        run_rows(t, &d, (const char *)w + first_tap * lanes * s->element, members, output);
}

static bool plan_of(const fc_problem *p, fc_lane_plan *s)
{
    if (!begin_plan(p, s)) return false;
    fc_end_lane_plan(p, p->window[0] * p->window[1], s);
    return true;
}

static size_t slot_bytes(const fc_problem *p)
{
    fc_lane_plan s;
    return plan_of(p, &s) ? fc_lane_slot_bytes(p, &s) : 0;
}

static size_t prepared_bytes(const fc_problem *p)
{
    fc_lane_plan s;
    return plan_of(p, &s) ? fc_lane_prepared_bytes(p, &s) : 0;
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    fc_lane_plan s;
    if (plan_of(p, &s)) fc_lane_run(p, operands, workspace, &s, walk, NULL);
}

/* Where Winograd's transforms save more. Measured on AVX-512 over 2 to 64 groups of 12 to 64 channels and maps of 7 to 56 pixels,
 * one image and eight. */
static bool winograd_wins(const fc_problem *p, const fc_lane_share *share)
{
    const ptrdiff_t outputs = p->in[0] * p->in[1], made = fc_group_outputs(p);
    if (!fc_winograd_takes_groups(p) || 4 * made < 3 * share->lanes) return false;
    if (made < share->lanes) return outputs >= MANY_OUTPUTS;
    return p->batch > 1 || outputs > FEW_OUTPUTS || 2 * made > 3 * share->lanes;
}

static const char *pass(const fc_problem *p)
{
    const fc_lane_share share = fc_lane_share_of(p);
    if (p->groups < 2) return "there are no groups";
    if (fc_group_outputs(p) > 2 * share.lanes) return "groups have enough channels to fill panels";
    if (fc_window_span(p, 0) > MOST_ROWS) return "every strip reads many more rows than it writes";
    if (winograd_wins(p, &share)) return "Winograd's transforms save more";
    return fc_blocks_win(p, &share) ? "blocks of groups are faster" : NULL;
}

const fc_algorithm fc_corr2d_input_grad_runs = {
    .name = "runs",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = fc_lane_prepare,
    .run = run,
};
