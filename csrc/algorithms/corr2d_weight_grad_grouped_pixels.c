/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_grouped_pixels.c -- the gradient of the weights of groups of some 16 to 64 channels, of either layout. Lanes
 * are outputs of a group; one or two vectors of them beside up to fourteen weights are summed in registers over the pixels of
 * a chunk. x is copied into a block with the zeros around it, as corr2d_grouped_pixels.c does, so that every weight meets
 * every pixel. Strips of images are dealt out to partial sums as corr2d_weight_grad_depthwise.c does. */
#include <stdatomic.h>
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/grouped_panels.h"
#include "algorithms/partial_sums.h"
#include "algorithms/weight_home.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BLOCK_BYTES (128 * 1024)           /* of a strip, aimed at: a part of the second-level cache */
#define MOST_BLOCK_BYTES (8 * 1024 * 1024) /* of a single row, and of the sums of a group */
#define FEW_OUTPUTS 144                    /* of all images */

typedef struct call {
    const fc_problem *p;
    const fc_problem *forward; /* whose grid this is */
    const fc_group_grid *grid;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_strides x, y;
    ptrdiff_t element, lanes, members, outputs, vectors, strips, partials;
    ptrdiff_t width;     /* of the block */
    ptrdiff_t sum_bytes; /* of a group */
    size_t x_bytes;
    atomic_bool infinite; /* some sums are */
} call;

/* Some rows of outputs of one image. */
typedef struct strip {
    fc_range rows;
    const char *x, *grad; /* the block; grad_y, from those rows on */
    ptrdiff_t grad_row, grad_pixel;
    char *nowhere;
} strip;

static fc_problem forward_of(const fc_problem *p)
{
    fc_problem forward = *p;
    forward.operation = FC_CORR2D;
    return forward;
}

static ptrdiff_t vectors_of(const fc_problem *p)
{
    return fc_ceil_div(p->out_channels / p->groups, p->kernels->gemm[p->dtype].lanes);
}

/* Of a group: [panel][tap][member][vectors][lanes], and behind each panel what the last tile computes too much. */
static ptrdiff_t panel_rows(const fc_problem *p)
{
    return p->window[0] * p->window[1] * (p->channels / p->groups) + FC_MAX_GROUP_ROWS;
}

static size_t sum_bytes(const fc_problem *p)
{
    return fc_size_mul(fc_size_mul((size_t)panel_rows(p), (size_t)vectors_of(p)), (size_t)fc_vector_bytes(p));
}

/* In NHWC grad_y is read where it lies. */
static size_t grad_bytes(const fc_problem *p, ptrdiff_t rows)
{
    if (p->layout == FC_NHWC) return 0;
    const size_t pixel = (size_t)(p->out_channels / p->groups) * fc_dtype_size(p->dtype);
    return fc_size_lines(fc_size_mul((size_t)(rows * p->out[1]), pixel));
}

static size_t block_bytes(const fc_problem *p, const fc_group_grid *g, ptrdiff_t rows)
{
    const fc_problem forward = forward_of(p);
    return fc_size_add(fc_group_rows_bytes(&forward, g, rows), grad_bytes(p, rows));
}

static ptrdiff_t strips_of(const fc_problem *p, const fc_group_grid *g)
{
    ptrdiff_t strips = 1;
    while (strips < p->out[0] && block_bytes(p, g, fc_ceil_div(p->out[0], strips)) > BLOCK_BYTES) strips++;
    return strips;
}

static ptrdiff_t partials_of(const fc_problem *p, ptrdiff_t strips)
{
    return fc_partial_sums(p->groups, p->batch * strips);
}

static const char *decline(const fc_problem *p)
{
    const fc_problem forward = forward_of(p);
    fc_group_grid grid;
    if (p->groups < 2) return "there are no groups";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (!fc_group_fills_vectors(&forward)) return "a group does not fill a vector";
    if (p->window[0] * p->window[1] > FC_MOST_GROUP_TAPS) return "the kernel has more than 128 taps";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    fc_group_grid_of(&forward, &grid);
    if (block_bytes(p, &grid, 1) > MOST_BLOCK_BYTES) return "a row of an image is too long";
    return sum_bytes(p) > MOST_BLOCK_BYTES ? "the weights of a group exceed 8 MiB" : NULL;
}

/* Who computes what is not finite: around the images there are zeros here, which an infinity makes NaN. */
static const fc_algorithm *without_zeros(const fc_problem *p)
{
    return fc_corr2d_weight_grad_implicit_gemm.decline(p) ? &fc_corr2d_weight_grad_direct
                                                          : &fc_corr2d_weight_grad_implicit_gemm;
}

static size_t shared_bytes(const fc_problem *p)
{
    const fc_problem forward = forward_of(p);
    fc_group_grid grid;
    fc_group_grid_of(&forward, &grid);
    return fc_size_max(fc_size_mul((size_t)(partials_of(p, strips_of(p, &grid)) * p->groups), sum_bytes(p)),
                       fc_bytes_of(without_zeros(p)->shared_bytes, p));
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem forward = forward_of(p);
    fc_group_grid grid;
    fc_group_grid_of(&forward, &grid);
    return fc_size_max(block_bytes(p, &grid, fc_ceil_div(p->out[0], strips_of(p, &grid))),
                       fc_bytes_of(without_zeros(p)->slot_bytes, p));
}

/* One tile of weights, from `first` on, over the pixels of a strip, a chunk at a time. */
static void add_tile(const call *c, const strip *s, ptrdiff_t first, ptrdiff_t vector, ptrdiff_t vectors, char *sums)
{
    const fc_problem *p = c->p;
    const ptrdiff_t weights = p->window[0] * p->window[1] * c->members, rows = c->kernels->group_rows[vectors - 1][0];
    const ptrdiff_t output = fc_group_vector(c->outputs, c->lanes, vector), height = s->rows.end - s->rows.first;
    const ptrdiff_t x_row = c->grid->axis[0][0].source_step * c->width * c->members;
    const ptrdiff_t x_pixel = c->grid->axis[1][0].source_step * c->members;
    const char *x[FC_MAX_GROUP_ROWS];
    fc_group_weights d = {.x_row = x_row, .x_pixel = x_pixel, .grad_row = s->grad_row, .grad_pixel = s->grad_pixel};
    if (vectors > 1) d.second = fc_group_vector(c->outputs, c->lanes, vector + 1) - output;
    d.sums = sums + first * vectors * c->lanes * c->element;
    ptrdiff_t m = first % c->members, v = first / c->members % p->window[1], u = first / c->members / p->window[1];
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t pixel = u * p->dilation[0] * c->width + v * p->dilation[1];
        x[r] = s->x + (pixel * c->members + m) * c->element;
        if (first + r + 1 >= weights) continue; /* the last one again */
        if (++m < c->members) continue;
        m = 0;
        if (++v < p->window[1]) continue;
        v = 0;
        u++;
    }
    for (ptrdiff_t j = 0; j < p->out[1]; j += d.columns) {
        d.columns = fc_min(p->out[1] - j, FC_DEPTH);
        for (ptrdiff_t i = 0; i < height; i += d.rows) {
            d.rows = fc_min(height - i, FC_DEPTH / d.columns);
            d.grad = s->grad + (i * s->grad_row + j * s->grad_pixel + output) * c->element;
            for (ptrdiff_t r = 0; r < rows; r++) d.x[r] = x[r] + (i * x_row + j * x_pixel) * c->element;
            c->kernels->group_weights[vectors - 1](&d);
        }
    }
}

static void add_strip(const call *c, const strip *s, char *sums)
{
    const ptrdiff_t weights = c->p->window[0] * c->p->window[1] * c->members;
    for (ptrdiff_t vector = 0; vector < c->vectors; vector += FC_GROUP_VECTORS) {
        const ptrdiff_t vectors = fc_min(FC_GROUP_VECTORS, c->vectors - vector);
        for (ptrdiff_t first = 0; first < weights; first += c->kernels->group_rows[vectors - 1][0])
            add_tile(c, s, first, vector, vectors, sums + vector * panel_rows(c->p) * c->lanes * c->element);
    }
}

/* All taps of some members of a vector, where taps are neighbours in the weights. */
static void put_taps(const call *c, ptrdiff_t step, const char *sums, fc_strides to, char *w)
{
    _Alignas(64) char turned[FC_MOST_GROUP_TAPS * FC_MAX_LANES * sizeof(double)];
    const ptrdiff_t taps = c->p->window[0] * c->p->window[1], few = FC_MOST_GROUP_TAPS / taps;
    for (ptrdiff_t m = 0; m < c->members; m += few) {
        const ptrdiff_t members = fc_min(few, c->members - m);
        for (ptrdiff_t t = 0; t < taps; t++)
            c->kernels->copy_pixels(members, c->lanes, turned + t * c->lanes * c->element, taps * c->lanes,
                                    sums + (t * c->members + m) * step * c->element, step);
        c->kernels->transpose(&(fc_transpose){.rows = members * taps,
                                              .columns = c->lanes,
                                              .from = turned,
                                              .from_step = c->lanes,
                                              .to = w + m * to.c * c->element,
                                              .to_step = to.n});
    }
}

/* The sums of a group, brought home. */
static void put_group(call *c, ptrdiff_t group, const char *sums)
{
    const fc_problem *p = c->p;
    const fc_strides to = fc_weight_strides(p);
    if (!fc_are_finite(p->dtype, c->sum_bytes / c->element, sums)) c->infinite = true;
    for (ptrdiff_t vector = 0; vector < c->vectors; vector++) {
        const ptrdiff_t first = vector / FC_GROUP_VECTORS * FC_GROUP_VECTORS;
        const ptrdiff_t step = fc_min(FC_GROUP_VECTORS, c->vectors - first) * c->lanes;
        const ptrdiff_t output = group * c->outputs + fc_group_vector(c->outputs, c->lanes, vector);
        const char *from = sums + (first * panel_rows(p) + vector - first) * c->lanes * c->element;
        char *w = (char *)c->operands->y + output * to.n * c->element;
        if (p->weight_layout == FC_OIHW) {
            put_taps(c, step, from, to, w);
            continue;
        }
        for (ptrdiff_t t = 0; t < p->window[0] * p->window[1]; t++, from += c->members * step * c->element) {
            char *tap = w + (t / p->window[1] * to.h + t % p->window[1] * to.w) * c->element;
            if (to.n == 1)
                c->kernels->copy_pixels(c->members, c->lanes, tap, to.c, from, step);
            else
                c->kernels->transpose(&(fc_transpose){.rows = c->members,
                                                      .columns = c->lanes,
                                                      .from = from,
                                                      .from_step = step,
                                                      .to = tap,
                                                      .to_step = to.n});
        }
    }
}

static void sum_group(void *context, ptrdiff_t task, int slot)
{
    call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t group = task % p->groups, partial = task / p->groups, units = p->batch * c->strips;
    char *x = fc_slot_of(c->workspace, slot), *block = x + c->x_bytes;
    char *sums = c->workspace->shared + (partial * p->groups + group) * c->sum_bytes;
    fc_end_part(x, c->x_bytes);
    memset(sums, 0, (size_t)c->sum_bytes);
    for (ptrdiff_t unit = fc_cut(units, c->partials, partial); unit < fc_cut(units, c->partials, partial + 1); unit++) {
        const ptrdiff_t n = unit / c->strips, at = unit % c->strips;
        const char *image = c->operands->x, *grad_y = c->operands->grad_y;
        strip s = {.rows = {fc_cut(p->out[0], c->strips, at), fc_cut(p->out[0], c->strips, at + 1)}, .x = x};
        grad_y += (n * c->y.n + group * c->outputs * c->y.c + s.rows.first * c->y.h) * c->element;
        fc_group_copy_rows(c->forward, c->grid, s.rows, &c->x,
                           image + (n * c->x.n + group * c->members * c->x.c) * c->element, x);
        s.grad = grad_y;
        s.grad_row = c->y.h;
        s.grad_pixel = c->y.w;
        if (p->layout == FC_NCHW) {
            c->kernels->transpose(&(fc_transpose){.rows = c->outputs,
                                                  .columns = (s.rows.end - s.rows.first) * p->out[1],
                                                  .from = grad_y,
                                                  .from_step = c->y.c,
                                                  .to = block,
                                                  .to_step = c->outputs});
            s.grad = block;
            s.grad_row = p->out[1] * c->outputs;
            s.grad_pixel = c->outputs;
        }
        add_strip(c, &s, sums);
    }
    if (c->partials == 1) put_group(c, group, sums);
}

static void finish_group(void *context, ptrdiff_t group, int slot)
{
    call *c = context;
    const ptrdiff_t count = c->sum_bytes / c->element;
    char *sums = c->workspace->shared + group * c->sum_bytes;
    (void)slot;
    fc_add_partial_sums(c->p->dtype, c->partials, count, c->p->groups * count, sums);
    put_group(c, group, sums);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const fc_problem forward = forward_of(p);
    fc_group_grid grid;
    fc_group_grid_of(&forward, &grid);
    const ptrdiff_t strips = strips_of(p, &grid);
    call c = {
        .p = p,
        .forward = &forward,
        .grid = &grid,
        .operands = operands,
        .workspace = workspace,
        .kernels = &p->kernels->gemm[p->dtype],
        .x = fc_image_strides(p->layout, p->channels, p->in),
        .y = fc_image_strides(p->layout, p->out_channels, p->out),
        .element = (ptrdiff_t)fc_dtype_size(p->dtype),
        .lanes = p->kernels->gemm[p->dtype].lanes,
        .members = p->channels / p->groups,
        .outputs = p->out_channels / p->groups,
        .vectors = vectors_of(p),
        .strips = strips,
        .partials = partials_of(p, strips),
        .width = fc_group_read(&grid, 1, p->out[1]),
        .sum_bytes = (ptrdiff_t)sum_bytes(p),
        .x_bytes = fc_group_rows_bytes(&forward, &grid, fc_ceil_div(p->out[0], strips)),
    };
    fc_parallel_shares(p->groups * c.partials, workspace->threads, true, sum_group, &c);
    if (c.partials > 1) fc_parallel_shares(p->groups, workspace->threads, true, finish_group, &c);
    if (c.infinite)
        without_zeros(p)->run(p, operands, workspace);
    else
        fc_bias_grad(p, operands, workspace->threads);
}

/* Measured as corr2d_grouped_block.c was. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t outputs = p->out_channels / p->groups, lanes = p->kernels->gemm[p->dtype].lanes;
    ptrdiff_t most = fc_max(16, FC_GROUP_VECTORS * lanes);
    if (p->channels / p->groups < 16 && outputs % (3 * lanes)) /* too few for tiles of the implicit product */
        most = 32;
    else if (p->batch * p->out[0] * p->out[1] < FEW_OUTPUTS)
        most--;
    if (outputs > most) return "groups have enough channels to fill panels";
    return NULL;
}

const fc_algorithm fc_corr2d_weight_grad_grouped_pixels = {
    .name = "grouped_pixels",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
