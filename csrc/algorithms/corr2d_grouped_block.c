/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_grouped_block.c -- correlation in many groups of a few channels and its input gradient, of either layout, by
 * blocks. Lanes are groups: each member of a group is a plane of its own, so that the sums of four outputs of six pixels are
 * whole vectors, whatever the stride and the width of the map. A task takes one vector of groups of some rows of an image.
 * Tiles are pixels whose windows reach the same taps, wherever they lie; taps outside of the image are left out. The input
 * gradient is one grid of points for each phase of the stride, with inputs and outputs exchanged. An output is one chain of
 * at most FC_DEPTH multiplications and additions. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/block_axis.h"
#include "algorithms/blocking.h"
#include "algorithms/grouped_block.h"
#include "algorithms/winograd.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define FEWEST_ROWS 4 /* of a task, where there are as many */
#define SMALL_MAP 64  /* outputs */
#define LARGER_MAP 200

typedef struct call {
    const fc_problem *p;
    const fc_gemm_kernels *kernels;
    const fc_workspace *workspace;
    const char *source, *w, *bias;
    char *destination;
    const fc_block_grid *grid;
    fc_strides from, to; /* of source and destination */
    fc_strides weight;   /* of a block's weights: n of those that are written, c of those that are read */
    ptrdiff_t element, lanes, blocks, strips, members, outputs;
    size_t x_bytes, y_bytes, w_bytes; /* of a slot's blocks */
} call;

typedef struct part {
    fc_range rows, source_rows;
    char *x, *y, *w, *bias;
    ptrdiff_t x_plane, y_plane;
} part;

static ptrdiff_t members_of(const fc_problem *p)
{
    return (fc_block_forward(p) ? p->channels : p->out_channels) / p->groups;
}

static ptrdiff_t outputs_of(const fc_problem *p)
{
    return (fc_block_forward(p) ? p->out_channels : p->channels) / p->groups;
}

/* Planes begin on different sets of the first-level cache. */
static size_t source_plane(const fc_problem *p, ptrdiff_t rows)
{
    return fc_size_lines((size_t)(fc_block_rows_read(p, rows) * fc_block_source_size(p)[1]) *
                         (size_t)fc_vector_bytes(p));
}

static size_t destination_plane(const fc_problem *p, ptrdiff_t rows)
{
    return fc_size_lines((size_t)(rows * fc_block_destination_size(p)[1]) * (size_t)fc_vector_bytes(p));
}

static size_t block_bytes(const fc_problem *p, ptrdiff_t rows)
{
    return fc_size_add(fc_size_mul((size_t)members_of(p), source_plane(p, rows)),
                       fc_size_mul((size_t)outputs_of(p), destination_plane(p, rows)));
}

static ptrdiff_t strips_of(const fc_problem *p)
{
    const ptrdiff_t rows = fc_block_destination_size(p)[0], images = p->batch * fc_grouped_blocks(p);
    ptrdiff_t strips = fc_min(fc_ceil_div(fc_enough_tasks(p), fc_max(1, images)), fc_ceil_div(rows, FEWEST_ROWS));
    while (strips < rows && block_bytes(p, fc_ceil_div(rows, fc_max(1, strips))) > FC_GROUPED_BYTES) strips++;
    return fc_max(1, strips);
}

static const char *decline(const fc_problem *p)
{
    const char *reason = fc_grouped_decline(p);
    if (reason) return reason;
    if (!fc_block_forward(p) && (fc_phases(p, 0) > FC_MAX_PHASES || fc_phases(p, 1) > FC_MAX_PHASES))
        return "stride is larger than 256";
    return block_bytes(p, 1) > FC_MOST_GROUPED_BYTES ? "a row of an image is too long" : NULL;
}

/* Measured on AVX-512 and AVX2, over 4 to 32 groups of 8 to 64 channels and maps of 7 to 56 pixels, one image and eight.
 * Copying to blocks costs most from NHWC, and small maps leave the other methods little to share out. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t inputs = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t outputs = p->out[0] * p->out[1], made = fc_block_forward(p) ? filters : inputs;
    const bool apart = fc_strided(p), wide = fc_vectors_are_wide(p);
    ptrdiff_t pairs = 12 * 12;
    if (!fc_grouped_fill(p)) return "groups do not fill their vectors";
    if (fc_winograd_takes_groups(p)) return "Winograd's transforms save more";
    if (p->layout == FC_NHWC)
        pairs = apart && !wide ? 12 * 12 : 8 * 16;
    else if ((apart ? outputs : p->batch * outputs) <= SMALL_MAP)
        pairs = wide ? 24 * 24 : 20 * 20;
    else if (outputs <= SMALL_MAP || (made % 16 && (apart || (wide && outputs <= LARGER_MAP))))
        pairs = 20 * 20;
    return inputs * filters > pairs ? "groups have enough channels to fill vectors" : NULL;
}

static size_t slot_bytes(const fc_problem *p)
{
    const ptrdiff_t most = fc_ceil_div(fc_block_destination_size(p)[0], strips_of(p));
    const size_t bias = (size_t)outputs_of(p) * (size_t)fc_vector_bytes(p);
    return block_bytes(p, most) + fc_size_lines(fc_grouped_weight_bytes(p)) + fc_size_lines(bias);
}

/* The next pixels to compute. */
typedef struct tile {
    fc_group_tile d;
    ptrdiff_t used, outputs;
} tile;

static void run_tile(const call *c, tile *t)
{
    if (t->used > 1) {
        for (ptrdiff_t r = t->used; r < FC_GROUP_PIXELS; r++) {
            t->d.x[r] = t->d.x[t->used - 1];
            t->d.y[r] = t->d.y[t->used - 1];
        }
        c->kernels->group_tile[t->outputs - 1](&t->d);
    } else if (t->used) {
        c->kernels->group_pixel[t->outputs - 1](&t->d);
    }
    t->used = 0;
}

/* Points of some rows and columns whose windows reach the same taps. */
static void run_rectangle(const call *c, const part *t, tile *next, const fc_grid_axis axis[2], fc_range rows,
                          fc_range columns, ptrdiff_t output)
{
    const ptrdiff_t lanes = c->lanes, element = c->element, width = fc_block_source_size(c->p)[1];
    const ptrdiff_t to_width = fc_block_destination_size(c->p)[1];
    const fc_range u = fc_block_taps_within(&axis[0], rows.first), v = fc_block_taps_within(&axis[1], columns.first);
    const bool any = u.end > u.first && v.end > v.first;
    fc_group_tile *d = &next->d;
    const char *w = t->w + output * c->weight.n * element, *x = t->x;
    d->taps[0] = any ? u.end - u.first : 0;
    d->taps[1] = any ? v.end - v.first : 0;
    if (any) {
        const ptrdiff_t row = axis[0].tap_first + u.first * axis[0].tap_step - t->source_rows.first;
        const ptrdiff_t column = axis[1].tap_first + v.first * axis[1].tap_step;
        x += (row * width + column) * lanes * element;
        w += ((axis[0].window_first + u.first * axis[0].window_step) * c->weight.h +
              (axis[1].window_first + v.first * axis[1].window_step) * c->weight.w) *
             element;
    }
    d->w = w;
    d->bias = t->bias ? t->bias + output * lanes * element : NULL;
    for (ptrdiff_t i = rows.first; i < rows.end; i++)
        for (ptrdiff_t j = columns.first; j < columns.end; j++) {
            const ptrdiff_t from = any ? i * axis[0].source_step * width + j * axis[1].source_step : 0;
            const ptrdiff_t row = axis[0].destination_first + i * axis[0].destination_step - t->rows.first;
            const ptrdiff_t column = axis[1].destination_first + j * axis[1].destination_step;
            d->x[next->used] = x + from * lanes * element;
            d->y[next->used] = t->y + (output * t->y_plane + (row * to_width + column) * lanes) * element;
            if (++next->used == FC_GROUP_PIXELS) run_tile(c, next);
        }
    run_tile(c, next);
}

/* Where points from `from` on stop to reach the same taps. */
static ptrdiff_t end_of_run(const fc_grid_axis *a, ptrdiff_t from, ptrdiff_t end)
{
    const fc_range inside = fc_block_points_inside(a), taps = fc_block_taps_within(a, from);
    if (from >= inside.first && from < inside.end) return fc_min(end, inside.end);
    for (ptrdiff_t point = from + 1; point < end; point++) {
        const fc_range next = fc_block_taps_within(a, point);
        if (next.first != taps.first || next.end != taps.end) return point;
    }
    return end;
}

static void run_part(const call *c, const part *t)
{
    const fc_problem *p = c->p;
    const ptrdiff_t width = fc_block_source_size(p)[1], row_phases = c->grid->phases[0];
    for (ptrdiff_t phase = 0; phase < row_phases * c->grid->phases[1]; phase++) {
        const fc_grid_axis axis[2] = {c->grid->axis[0][phase % row_phases], c->grid->axis[1][phase / row_phases]};
        const fc_range all = fc_block_points_within(&axis[0], t->rows);
        tile next = {.d = {.members = c->members,
                           .x_tap = {axis[0].tap_step * width * c->lanes, axis[1].tap_step * c->lanes},
                           .x_member = t->x_plane,
                           .w_tap = {axis[0].window_step * c->weight.h, axis[1].window_step * c->weight.w},
                           .w_member = c->weight.c,
                           .w_output = c->weight.n,
                           .y_output = t->y_plane}};
        for (ptrdiff_t output = 0; output < c->outputs; output += FC_GROUP_OUTPUTS) {
            next.outputs = fc_min(FC_GROUP_OUTPUTS, c->outputs - output);
            for (fc_range rows = {all.first, 0}; rows.first < all.end; rows.first = rows.end) {
                rows.end = end_of_run(&axis[0], rows.first, all.end);
                for (fc_range columns = {0, 0}; columns.first < axis[1].points; columns.first = columns.end) {
                    columns.end = end_of_run(&axis[1], columns.first, axis[1].points);
                    run_rectangle(c, t, &next, axis, rows, columns, output);
                }
            }
        }
    }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t strip = task % c->strips, block = task / c->strips % c->blocks, n = task / c->strips / c->blocks;
    const ptrdiff_t first = block * c->lanes, groups = fc_min(c->lanes, p->groups - first);
    const ptrdiff_t height = fc_block_destination_size(p)[0], most = fc_ceil_div(height, c->strips);
    const ptrdiff_t width = fc_block_destination_size(p)[1], element = c->element;
    char *memory = fc_slot_of(c->workspace, slot);
    part t = {.rows = {fc_cut(height, c->strips, strip), fc_cut(height, c->strips, strip + 1)},
              .x = memory,
              .y = memory + c->x_bytes,
              .w = memory + c->x_bytes + c->y_bytes,
              .x_plane = (ptrdiff_t)source_plane(p, most) / element,
              .y_plane = (ptrdiff_t)destination_plane(p, most) / element};
    for (ptrdiff_t m = 0; m < c->members; m++)
        fc_end_part(t.x + m * t.x_plane * element, (size_t)(t.x_plane * element));
    for (ptrdiff_t o = 0; o < c->outputs; o++)
        fc_end_part(t.y + o * t.y_plane * element, (size_t)(t.y_plane * element));
    fc_end_part(t.w, c->w_bytes);
    t.source_rows = fc_block_rows_of_source(c->grid, t.rows);
    fc_grouped_in(
        p, (t.source_rows.end - t.source_rows.first) * fc_block_source_size(p)[1], groups, c->members, t.x, t.x_plane,
        c->source + (n * c->from.n + first * c->members * c->from.c + t.source_rows.first * c->from.h) * element,
        c->from);
    fc_grouped_weights(p, c->w, first, groups, t.w);
    if (c->bias) {
        const fc_strides side_by_side = {0, 1, 0, 0};
        t.bias = t.w + c->w_bytes;
        fc_grouped_in(p, 1, groups, c->outputs, t.bias, c->lanes, c->bias + first * c->outputs * element, side_by_side);
    }
    run_part(c, &t);
    fc_grouped_out(p, (t.rows.end - t.rows.first) * width, groups, c->outputs,
                   c->destination + (n * c->to.n + first * c->outputs * c->to.c + t.rows.first * c->to.h) * element,
                   c->to, t.y, t.y_plane);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const bool forward = fc_block_forward(p);
    fc_block_grid grid;
    const ptrdiff_t strips = strips_of(p), most = fc_ceil_div(fc_block_destination_size(p)[0], strips);
    call c = {
        .p = p,
        .kernels = &p->kernels->gemm[p->dtype],
        .workspace = workspace,
        .grid = &grid,
        .source = forward ? operands->x : operands->grad_y,
        .w = operands->w,
        .bias = operands->bias,
        .destination = operands->y,
        .from = fc_image_strides(p->layout, forward ? p->channels : p->out_channels, fc_block_source_size(p)),
        .to = fc_image_strides(p->layout, forward ? p->out_channels : p->channels, fc_block_destination_size(p)),
        .weight = fc_grouped_weight_steps(p),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
        .lanes = p->kernels->gemm[p->dtype].lanes,
        .blocks = fc_grouped_blocks(p),
        .strips = strips,
        .members = members_of(p),
        .outputs = outputs_of(p),
        .x_bytes = (size_t)members_of(p) * source_plane(p, most),
        .y_bytes = (size_t)outputs_of(p) * destination_plane(p, most),
        .w_bytes = fc_size_lines(fc_grouped_weight_bytes(p)),
    };
    if (!forward) c.weight = (fc_strides){c.weight.c, c.weight.n, c.weight.h, c.weight.w};
    fc_block_grid_of(p, &grid);
    fc_parallel_shares(p->batch * c.blocks * c.strips, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_grouped_block = {
    .name = "grouped_block",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .run = run,
};

const fc_algorithm fc_corr2d_input_grad_grouped_block = {
    .name = "grouped_block",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .run = run,
};
