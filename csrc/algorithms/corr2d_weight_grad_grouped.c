/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_grouped.c -- the gradient of the weights of many groups of a few channels, of either layout, by blocks:
 * lanes are groups, and every member of a group is a plane of its own. For each tap, four outputs by four members are summed
 * in registers over the rectangles of outputs that reach it: nothing outside of the image is multiplied. Strips of images are
 * dealt out to partial sums as corr2d_weight_grad_depthwise.c does. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/grouped_block.h"
#include "algorithms/partial_sums.h"
#include "algorithms/tap_runs.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define FEW_OUTPUTS 144 /* of all images */
#define SOME_OUTPUTS 196

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_strides x, y;
    ptrdiff_t element, lanes, blocks, strips, partials;
    ptrdiff_t sum_bytes;        /* of a block's taps */
    ptrdiff_t x_plane, y_plane; /* bytes */
    fc_strides weight;          /* of a block's sums */
} call;

/* Planes begin on different sets of the first-level cache. */
static ptrdiff_t x_plane(const fc_problem *p, ptrdiff_t rows)
{
    return (ptrdiff_t)fc_size_lines((size_t)(fc_rows_read(p, rows) * p->in[1] * fc_vector_bytes(p)));
}

static ptrdiff_t y_plane(const fc_problem *p, ptrdiff_t rows)
{
    return (ptrdiff_t)fc_size_lines((size_t)(rows * p->out[1] * fc_vector_bytes(p)));
}

static size_t block_bytes(const fc_problem *p, ptrdiff_t rows)
{
    return fc_size_add(fc_size_mul((size_t)(p->channels / p->groups), (size_t)x_plane(p, rows)),
                       fc_size_mul((size_t)(p->out_channels / p->groups), (size_t)y_plane(p, rows)));
}

static ptrdiff_t strips_of(const fc_problem *p)
{
    ptrdiff_t strips = 1;
    for (; strips < p->out[0]; strips++) {
        const ptrdiff_t most = fc_ceil_div(p->out[0], strips);
        if (block_bytes(p, most) <= FC_GROUPED_BYTES) break;
    }
    return strips;
}

static ptrdiff_t partials_of(const fc_problem *p)
{
    return fc_partial_sums(fc_grouped_blocks(p), p->batch * strips_of(p));
}

static const char *decline(const fc_problem *p)
{
    const char *reason = fc_grouped_decline(p);
    if (reason) return reason;
    return block_bytes(p, 1) > FC_MOST_GROUPED_BYTES ? "a row of an image is too long" : NULL;
}

/* Measured as corr2d_grouped_block.c was. Winograd's transforms win on maps that are large enough for them. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t members = fc_max(p->channels, p->out_channels) / p->groups;
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const ptrdiff_t outputs = p->batch * p->out[0] * p->out[1];
    const bool deep = p->layout == FC_NHWC;
    const bool turned =
        deep && members > lanes / 2 && members % 8 &&
        p->channels / p->groups * (p->out_channels / p->groups) > 128; /* on the way in and out, a vector at a time */
    ptrdiff_t most = fc_max(12, lanes + lanes / 4);
    if (!fc_grouped_fill(p)) return "groups do not fill their vectors";
    if (fc_takes(&fc_corr2d_weight_grad_winograd, p)) return "Winograd's transforms save more";
    if (outputs < FEW_OUTPUTS)
        most = fc_max(12, 2 * lanes);
    else if (outputs > SOME_OUTPUTS && turned)
        most = lanes / 2;
    return members > most ? "groups have enough channels to fill vectors" : NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    return (size_t)(partials_of(p) * fc_grouped_blocks(p)) * fc_grouped_weight_bytes(p);
}

static size_t slot_bytes(const fc_problem *p) { return block_bytes(p, fc_ceil_div(p->out[0], strips_of(p))); }

/* A strip of one image in blocks: rows of grad_y from `rows` on, and of x from `top` on. */
typedef struct strip {
    fc_range rows;
    ptrdiff_t top;
    const char *x, *grad;
} strip;

/* One tap of one rectangle of outputs that reach it, for all pairs of outputs and members. */
static void add_tap(const call *c, const strip *s, fc_range rows, fc_range columns, ptrdiff_t u, ptrdiff_t v,
                    char *sums)
{
    const fc_problem *p = c->p;
    const ptrdiff_t lanes = c->lanes, element = c->element, width = columns.end - columns.first;
    const ptrdiff_t column = fc_window_start(p, 1, columns.first) + v * p->dilation[1];
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    fc_group_taps d = {
        .columns = width,
        .grad_row = p->out[1] * lanes,
        .grad_member = c->y_plane / element,
        .x_row = p->out[0] > 1 ? p->stride[0] * p->in[1] * lanes : 0,
        .x_pixel = width > 1 ? p->stride[1] * lanes : 0,
        .x_member = c->x_plane / element,
        .sum_output = c->weight.n,
        .sum_member = c->weight.c,
    };
    for (ptrdiff_t i = rows.first; i < rows.end; i += d.rows) {
        const ptrdiff_t row = fc_window_start(p, 0, i) + u * p->dilation[0] - s->top;
        const ptrdiff_t from = (row * p->in[1] + column) * lanes * element;
        const ptrdiff_t grad = ((i - s->rows.first) * p->out[1] + columns.first) * lanes * element;
        d.rows = fc_min(fc_max(1, FC_DEPTH / width), rows.end - i);
        for (ptrdiff_t o = 0; o < filters; o += 4)
            for (ptrdiff_t m = 0; m < channels; m += 4) {
                d.outputs = fc_min(4, filters - o);
                d.members = fc_min(4, channels - m);
                d.grad = s->grad + grad + o * c->y_plane;
                d.x = s->x + from + m * c->x_plane;
                d.sums = sums + (o * c->weight.n + m * c->weight.c + u * c->weight.h + v * c->weight.w) * element;
                c->kernels->group_taps(&d);
            }
    }
}

static void add_strip(const call *c, const strip *s, char *sums)
{
    for (ptrdiff_t u = 0; u < c->p->window[0]; u++) {
        const fc_range rows = fc_common(fc_outputs_inside(c->p, 0, u), s->rows);
        for (ptrdiff_t v = 0; v < c->p->window[1] && rows.end > rows.first; v++) {
            const fc_range columns = fc_outputs_inside(c->p, 1, v);
            if (columns.end > columns.first) add_tap(c, s, rows, columns, u, v, sums);
        }
    }
}

static void sum_block(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t block = task % c->blocks, partial = task / c->blocks, units = p->batch * c->strips;
    const ptrdiff_t first = block * c->lanes, groups = fc_min(c->lanes, p->groups - first);
    char *x = fc_slot_of(c->workspace, slot), *grad = x + p->channels / p->groups * c->x_plane;
    char *sums = c->workspace->shared + (partial * c->blocks + block) * c->sum_bytes;
    for (ptrdiff_t m = 0; m < p->channels / p->groups; m++) fc_end_part(x + m * c->x_plane, (size_t)c->x_plane);
    for (ptrdiff_t o = 0; o < p->out_channels / p->groups; o++) fc_end_part(grad + o * c->y_plane, (size_t)c->y_plane);
    memset(sums, 0, (size_t)c->sum_bytes);
    for (ptrdiff_t unit = fc_cut(units, c->partials, partial); unit < fc_cut(units, c->partials, partial + 1); unit++) {
        const ptrdiff_t n = unit / c->strips, at = unit % c->strips;
        const fc_range rows = {fc_cut(p->out[0], c->strips, at), fc_cut(p->out[0], c->strips, at + 1)};
        const fc_range read = fc_rows_of_x(p, rows);
        const char *image = c->operands->x, *grad_y = c->operands->grad_y;
        image += (n * c->x.n + first * (p->channels / p->groups) * c->x.c + read.first * c->x.h) * c->element;
        grad_y += (n * c->y.n + first * (p->out_channels / p->groups) * c->y.c + rows.first * c->y.h) * c->element;
        fc_grouped_in(p, (read.end - read.first) * p->in[1], groups, p->channels / p->groups, x,
                      c->x_plane / c->element, image, c->x);
        fc_grouped_in(p, (rows.end - rows.first) * p->out[1], groups, p->out_channels / p->groups, grad,
                      c->y_plane / c->element, grad_y, c->y);
        add_strip(c, &(strip){.rows = rows, .top = read.first, .x = x, .grad = grad}, sums);
    }
    if (c->partials == 1) fc_grouped_put_weights(p, sums, first, groups, c->operands->y);
}

static void finish_block(void *context, ptrdiff_t block, int slot)
{
    const call *c = context;
    const ptrdiff_t first = block * c->lanes, count = c->sum_bytes / c->element;
    char *sums = c->workspace->shared + block * c->sum_bytes;
    (void)slot;
    fc_add_partial_sums(c->p->dtype, c->partials, count, c->blocks * count, sums);
    fc_grouped_put_weights(c->p, sums, first, fc_min(c->lanes, c->p->groups - first), c->operands->y);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t most = fc_ceil_div(p->out[0], strips_of(p));
    call c = {
        .p = p,
        .operands = operands,
        .workspace = workspace,
        .kernels = &p->kernels->gemm[p->dtype],
        .x = fc_image_strides(p->layout, p->channels, p->in),
        .y = fc_image_strides(p->layout, p->out_channels, p->out),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
        .lanes = p->kernels->gemm[p->dtype].lanes,
        .blocks = fc_grouped_blocks(p),
        .strips = strips_of(p),
        .partials = partials_of(p),
        .sum_bytes = (ptrdiff_t)fc_grouped_weight_bytes(p),
        .x_plane = x_plane(p, most),
        .y_plane = y_plane(p, most),
        .weight = fc_grouped_weight_steps(p),
    };
    fc_parallel_for(c.blocks * c.partials, workspace->threads, true, sum_block, &c);
    if (c.partials > 1) fc_parallel_for(c.blocks, workspace->threads, true, finish_block, &c);
    fc_bias_grad(p, operands, workspace->threads);
}

const fc_algorithm fc_corr2d_weight_grad_grouped = {
    .name = "grouped",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
