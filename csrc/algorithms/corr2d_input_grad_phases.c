/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_input_grad_phases.c -- the input gradient with two phases along each axis, of either layout, in groups or without: for
 * a stride of two, the four inputs of a point together. The sums of a vector of outputs for some points and their four phases
 * stay in registers, see phase_tile.h; lane_tasks.h has the rest. */
#include "algorithms/algorithm.h"
#include "algorithms/lane_tasks.h"
#include "algorithms/phase_segments.h"
#include "algorithms/strided_copy.h"

#define FEW_FILTERS 64
#define THIN 7       /* filters: elsewhere vectors of channels are set up for few products */
#define LARGE_MAP 28 /* columns */
#define FEW_POINTS 25
#define MANY_POINTS 256
#define LONG_SUMS 256 /* filters */
#define MANY_FILTERS 128
#define MANY_WEIGHT_BYTES (16 * 1024 * 1024)

typedef struct plan {
    fc_lane_plan lanes;
    fc_phase_segments segments;
} plan;

static bool plan_of(const fc_problem *p, plan *s)
{
    fc_begin_lane_plan(p, false, &s->lanes);
    if (!s->lanes.share.groups || !fc_phase_segments_of(p, &s->lanes.grid, &s->lanes.share, &s->segments)) return false;
    fc_end_lane_plan(p, s->segments.most_taps, &s->lanes);
    return true;
}

static const char *decline(const fc_problem *p)
{
    plan s;
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!p->kernels->gemm[p->dtype].phase_points) return "the instruction set has too few registers";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (fc_phases(p, 0) != 2 || fc_phases(p, 1) != 2) return "there are no two phases along each axis";
    if (p->window[0] * p->window[1] > FC_MOST_GROUP_TAPS) return "the kernel has more than 128 taps";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    fc_begin_lane_plan(p, false, &s.lanes);
    if (!s.lanes.share.groups) return "channels of a group do not fill a vector";
    if (!fc_lane_rows_fit(p, &s.lanes)) return "a row of an image is too long";
    return fc_phase_segments_of(p, &s.lanes.grid, &s.lanes.share, &s.segments)
               ? NULL
               : "each phase of an axis has a tap that the other has not";
}

static size_t slot_bytes(const fc_problem *p)
{
    plan s;
    return plan_of(p, &s) ? fc_lane_slot_bytes(p, &s.lanes) : 0;
}

static size_t prepared_bytes(const fc_problem *p)
{
    plan s;
    return plan_of(p, &s) ? fc_lane_prepared_bytes(p, &s.lanes) : 0;
}

/* The phase of the grid that is number q of the kernel. */
static const fc_grid_axis *axis_of(const plan *s, int axis, int q)
{
    const ptrdiff_t odd = s->segments.odd_phase[axis];
    return &s->lanes.grid.axis[axis][(axis ? q % 2 : q / 2) ? odd : !odd];
}

/* Of fewer points than it has. */
static void fill_tile(const fc_lane_part *t, fc_phase_tile *d, ptrdiff_t used, ptrdiff_t points)
{
    for (ptrdiff_t r = used; r < points; r++) { /* the last one again */
        d->x[r] = d->x[used - 1];
        for (int q = 0; q < FC_PHASES; q++) d->y[q][r] = t->nowhere;
    }
}

/* Those of a row of points; rows of taps outside of the image are left out. */
static void take_segments(fc_phase_tile *d, const plan *s, ptrdiff_t row)
{
    const fc_range taps = fc_block_taps_within(axis_of(s, 0, FC_PHASES - 1), row);
    d->segments = fc_max(0, taps.end - taps.first) * s->segments.of_row;
    d->segment = s->segments.segments + (d->segments ? taps.first * s->segments.of_row : 0);
}

static void walk(const fc_lane_part *t, const void *context, const void *w, fc_range members, ptrdiff_t output,
                 bool add)
{
    const fc_problem *p = t->p;
    const plan *s = context;
    const fc_lane_share *share = &s->lanes.share;
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    void (*const *run_tile)(const fc_phase_tile *tile) = kernels->phase_tile[share->kernel];
    const ptrdiff_t element = s->lanes.element;
    const int points = kernels->phase_points;
    const fc_grid_axis *all = s->lanes.grid.axis[1], *rows[FC_PHASES], *columns[FC_PHASES];
    const ptrdiff_t x_row = s->lanes.grid.axis[0][0].source_step * s->lanes.x_row * element;
    const ptrdiff_t height = t->rows.end - t->rows.first;
    const ptrdiff_t y_pixel = all->destination_step * t->y_pixel * element;
    const ptrdiff_t x_step = all->source_step * s->lanes.x_pixel * element;
    ptrdiff_t used = 0;
    const bool apart = all->points % points == 0; /* rows fill their tiles: no tile has points of two */
    fc_phase_tile d = {.segments = s->segments.count,
                       .members = members.end - members.first,
                       .w_step = p->window[0] * p->window[1] * share->lanes,
                       .x_step = x_step / element,
                       .y_step = y_pixel / element,
                       .y_group = t->y_group,
                       .segment = s->segments.segments,
                       .w = w,
                       .add = add};
    for (int q = 0; q < FC_PHASES; q++) {
        rows[q] = axis_of(s, 0, q);
        columns[q] = axis_of(s, 1, q);
    }
    for (ptrdiff_t row = 0; row < t->images * height; row++) {
        const ptrdiff_t image = row / height, down = row % height, i = t->rows.first + down;
        const char *x =
            t->x + image * (ptrdiff_t)s->lanes.x_bytes + down * x_row + members.first * share->groups * element;
        ptrdiff_t end[FC_PHASES], whole = all->points;
        if (apart) take_segments(&d, s, i);
        char *y[FC_PHASES];
        for (int q = 0; q < FC_PHASES; q++) {
            const ptrdiff_t to = rows[q]->destination_first + down * rows[q]->destination_step;
            end[q] = i < rows[q]->points ? columns[q]->points : 0;
            whole = fc_min(whole, end[q]);
            y[q] = t->y +
                   (image * t->y_image + to * t->y_row + columns[q]->destination_first * t->y_pixel + output) * element;
        }
        ptrdiff_t j = 0;
        for (; !used && j + points <= whole; j += points) {
            d.x[0] = x;
            x += points * x_step;
            for (int q = 0; q < FC_PHASES; q++) {
                d.y[q][0] = y[q];
                y[q] += points * y_pixel;
            }
            run_tile[1](&d);
        }
        for (; j < all->points; j++, x += x_step) {
            d.x[used] = x;
            for (int q = 0; q < FC_PHASES; q++) {
                d.y[q][used] = j < end[q] ? y[q] : t->nowhere;
                y[q] += y_pixel;
            }
            if (++used < points) continue;
            run_tile[0](&d);
            used = 0;
        }
    }
    if (!used) return;
    fill_tile(t, &d, used, points);
    run_tile[0](&d);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    plan s;
    if (plan_of(p, &s)) fc_lane_run(p, operands, workspace, &s.lanes, walk, &s);
}

static ptrdiff_t points(const fc_problem *p, int axis) { return fc_ceil_div(p->in[axis], p->stride[axis]); }

/* Whether both phases of an axis have taps of one place: where a kernel is dilated they have none. */
static bool shares_taps(const fc_problem *p, int axis) { return p->window[axis] == 1 || p->dilation[axis] == 1; }

/* One tap of every second pixel: others set up a product for it. Measured over 16 to 256 channels, 3 to 512 filters and maps of
 * 4 to 128 pixels. */
static bool spreads_few_filters(const fc_problem *p)
{
    if (p->groups > 1 || p->out_channels > FEW_FILTERS) return false;
    return p->layout == FC_NHWC || (p->in[1] >= LARGE_MAP && p->channels <= FEW_FILTERS);
}

/* Measured on AVX-512 with 16 to 512 channels in up to 25 groups and without, maps of 7 to 56 pixels, one image and eight. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t outputs = p->out[0] * p->out[1];
    if (p->window[0] == 1 && p->window[1] == 1)
        return spreads_few_filters(p) ? NULL : "a kernel of one tap has nothing to share";
    if (!shares_taps(p, 0) || !shares_taps(p, 1)) return "phases of a dilated kernel share no taps";
    const bool thin = p->groups == 1 && p->out_channels <= THIN;
    if (p->batch > 1 && outputs <= FEW_POINTS && !thin) return "images are small: few tiles are full";
    if (p->batch > 1 && fc_weight_bytes(p) > MANY_WEIGHT_BYTES) return "every image reads many weights";
    if (p->groups > 1) {
        const fc_lane_share share = fc_lane_share_of(p);
        return fc_blocks_win(p, &share) ? "blocks of groups are faster" : NULL;
    }
    if (p->batch > 1 && p->batch * outputs > MANY_POINTS && p->out_channels >= LONG_SUMS)
        return "with so many points fuller tiles count for more";
    if (fc_weight_bytes(p) > MANY_WEIGHT_BYTES / 2) return "so many weights are better packed before";
    if (p->weight_layout != FC_OIHW && p->out_channels >= MANY_FILTERS) return "such weights are read as they lie";
    if (10 * points(p, 0) * points(p, 1) > 11 * outputs) return "many points lie at the border";
    return NULL;
}

const fc_algorithm fc_corr2d_input_grad_phases = {
    .name = "phases",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = fc_lane_prepare,
    .run = run,
};
