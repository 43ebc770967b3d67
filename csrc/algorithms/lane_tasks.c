/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/lane_tasks.h"

#include <string.h>

#include "algorithms/blocking.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define FEWEST_ROWS 4                      /* of a task, where there are as many */
#define FEWEST_VECTORS 4                   /* of a task, which copies what all of them read */
#define BLOCK_BYTES (128 * 1024)           /* of a task, aimed at: a part of the second-level cache */
#define MOST_BLOCK_BYTES (8 * 1024 * 1024) /* of a single row */
#define MOST_POINTS 98                     /* of images that a task takes together */
#define OWN_WEIGHT_BYTES (256 * 1024)      /* that a thread keeps */
#define WEIGHTS_WORTH_A_THREAD 16384

/* The vectors of a piece, all of them whole but for the last one of the group, which overlaps the one before it in its piece. */
static fc_range vectors_of(const fc_lane_plan *s, ptrdiff_t piece)
{
    const ptrdiff_t whole = s->share.outputs / s->share.lanes;
    return (fc_range){fc_cut(whole, s->pieces, piece),
                      piece + 1 < s->pieces ? fc_cut(whole, s->pieces, piece + 1) : s->share.vectors};
}

static fc_range outputs_of(const fc_lane_plan *s, ptrdiff_t piece)
{
    const fc_range vectors = vectors_of(s, piece);
    return (fc_range){vectors.first * s->share.lanes, fc_min(s->share.outputs, vectors.end * s->share.lanes)};
}

static ptrdiff_t most_outputs(const fc_lane_plan *s)
{
    const fc_range first = outputs_of(s, 0), last = outputs_of(s, s->pieces - 1);
    return fc_max(first.end - first.first, last.end - last.first);
}

static size_t x_bytes(const fc_lane_plan *s, ptrdiff_t rows)
{
    const size_t pixel = fc_size_mul((size_t)(s->members * s->element), (size_t)s->share.groups);
    const size_t row = fc_size_mul((size_t)s->width, pixel);
    return fc_size_lines(fc_size_mul((size_t)fc_group_read(&s->grid, 0, rows), row));
}

/* In NHWC outputs are written where they belong. */
static size_t y_bytes(const fc_problem *p, const fc_lane_plan *s, ptrdiff_t rows)
{
    if (p->layout == FC_NHWC) return 0;
    const size_t pixels = fc_size_mul((size_t)(s->grid.phases[0] * rows), (size_t)p->in[1]);
    return fc_size_lines(fc_size_mul(pixels, (size_t)(most_outputs(s) * s->element)));
}

static size_t block_bytes(const fc_problem *p, const fc_lane_plan *s, ptrdiff_t rows)
{
    return fc_size_add(x_bytes(s, rows), y_bytes(p, s, rows));
}

static ptrdiff_t strips_that_fit(const fc_problem *p, const fc_lane_plan *s)
{
    ptrdiff_t strips = 1;
    while (strips < s->rows && block_bytes(p, s, fc_ceil_div(s->rows, strips)) > BLOCK_BYTES) strips++;
    return strips;
}

/* Small images share tiles and weights, where the outputs are tasks enough. */
static ptrdiff_t images_together(const fc_problem *p, const fc_lane_plan *s)
{
    const ptrdiff_t points = s->rows * s->grid.axis[1][0].points, most = fc_max(1, MOST_POINTS / points);
    const ptrdiff_t fit = fc_max(1, BLOCK_BYTES / fc_max(1, (ptrdiff_t)block_bytes(p, s, s->rows)));
    const ptrdiff_t outputs = s->share.count * fc_max(1, s->share.outputs / s->share.lanes / FEWEST_VECTORS);
    const ptrdiff_t spare = outputs * p->batch / (FC_TASKS_A_THREAD * p->threads);
    return fc_max(1, fc_min(fc_min(p->batch, most), fc_min(fit, spare)));
}

static ptrdiff_t missing(const fc_problem *p, const fc_lane_plan *s, ptrdiff_t tasks)
{
    return fc_ceil_div(fc_enough_tasks(p), fc_max(1, s->batches * s->share.count * tasks));
}

void fc_begin_lane_plan(const fc_problem *p, bool by_chunks, fc_lane_plan *s)
{
    fc_group_grid_of(p, &s->grid);
    s->share = fc_lane_share_of(p);
    s->by_chunks = by_chunks;
    s->rows = s->grid.axis[0][0].points;
    s->width = fc_group_read(&s->grid, 1, s->grid.axis[1][0].points);
    s->members = fc_group_members(p);
    s->element = (ptrdiff_t)fc_dtype_size(p->dtype);
    s->pieces = 1;
    s->x_pixel = by_chunks ? s->share.lanes : s->members * s->share.groups;
    s->x_chunk = by_chunks ? s->width * s->share.lanes : s->share.lanes;
}

bool fc_lane_rows_fit(const fc_problem *p, const fc_lane_plan *s) { return block_bytes(p, s, 1) <= MOST_BLOCK_BYTES; }

/* A chunk of the sums has whole chunks of the block. */
static ptrdiff_t members_at_once(const fc_lane_plan *s) { return s->by_chunks ? s->share.each : 1; }

static ptrdiff_t chunks_of(const fc_lane_plan *s, ptrdiff_t most_taps)
{
    const ptrdiff_t most = FC_DEPTH / fc_max(1, most_taps), each = members_at_once(s);
    return fc_ceil_div(s->members / each, fc_max(1, most / each));
}

/* The members of a chunk of the sums. */
static fc_range chunk_of(const fc_lane_plan *s, ptrdiff_t chunk)
{
    const ptrdiff_t each = members_at_once(s), all = s->members / each;
    return (fc_range){fc_cut(all, s->chunks, chunk) * each, fc_cut(all, s->chunks, chunk + 1) * each};
}

void fc_end_lane_plan(const fc_problem *p, ptrdiff_t most_taps, fc_lane_plan *s)
{
    s->x_row = s->width * s->members * s->share.groups;
    s->chunks = chunks_of(s, most_taps);
    s->images = images_together(p, s);
    s->batches = fc_ceil_div(p->batch, s->images);
    const ptrdiff_t fit = strips_that_fit(p, s);
    if (s->share.groups == 1)
        s->pieces = fc_max(1, fc_min(missing(p, s, fit), s->share.outputs / s->share.lanes / FEWEST_VECTORS));
    s->strips = fit;
    if (s->images == 1) s->strips = fc_max(fit, fc_min(missing(p, s, s->pieces), fc_ceil_div(s->rows, FEWEST_ROWS)));
    const ptrdiff_t most = fc_ceil_div(s->rows, s->strips), all = fc_lane_weight_bytes(p);
    const ptrdiff_t vectors = fc_ceil_div(most_outputs(s), s->share.lanes);
    const bool few = s->batches == 1 && s->share.count * s->pieces >= p->threads && vectors * all <= OWN_WEIGHT_BYTES;
    s->kept = s->batches * s->strips == 1 ? FC_CHUNK_WEIGHTS : few ? FC_TASK_WEIGHTS : FC_ALL_WEIGHTS;
    const fc_range first = chunk_of(s, 0);
    s->w_bytes = fc_size_lines((size_t)(s->kept == FC_CHUNK_WEIGHTS  ? (first.end - first.first) * (all / s->members)
                                        : s->kept == FC_TASK_WEIGHTS ? vectors * all
                                                                     : 0));
    s->x_bytes = x_bytes(s, most);
    s->y_bytes = y_bytes(p, s, most);
}

typedef struct call {
    const fc_problem *p;
    const fc_lane_plan *s;
    const fc_gemm_kernels *kernels;
    const fc_workspace *workspace;
    const char *grad_y, *w; /* w: as it lies, or all of it packed */
    char *destination;
    fc_strides from, to; /* of grad_y and the destination */
    fc_lane_walk *walk;
    const void *context;
} call;

/* What a thread keeps from task to task. */
typedef struct own {
    ptrdiff_t index, piece; /* of the groups whose weights it has; -1: of none */
} own;

size_t fc_lane_prepared_bytes(const fc_problem *p, const fc_lane_plan *s)
{
    if (s->kept != FC_ALL_WEIGHTS) return 0;
    const size_t vectors = fc_size_mul((size_t)s->share.count, (size_t)s->share.vectors);
    return fc_size_mul(vectors, (size_t)fc_lane_weight_bytes(p));
}

typedef struct packing {
    const fc_problem *p;
    fc_lane_share share;
    const void *w;
    char *to;
} packing;

static void pack_vector(void *context, ptrdiff_t index, int slot)
{
    const packing *c = context;
    const ptrdiff_t vectors = c->share.vectors;
    (void)slot;
    fc_lane_weights(c->p, &c->share, c->w, index / vectors, index % vectors, (fc_range){0, fc_group_members(c->p)},
                    c->to + index * fc_lane_weight_bytes(c->p));
}

void fc_lane_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const packing c = {p, fc_lane_share_of(p), w, prepared};
    const ptrdiff_t vectors = c.share.count * c.share.vectors;
    const bool few = vectors * fc_lane_weight_bytes(p) < WEIGHTS_WORTH_A_THREAD * (ptrdiff_t)fc_dtype_size(p->dtype);
    fc_parallel_shares(vectors, few ? 1 : p->threads, true, pack_vector, (void *)&c);
}

/* Where outputs go that nobody wants: as far apart as those of groups that share a vector. */
static size_t nowhere_bytes(const fc_lane_plan *s) { return fc_size_lines((size_t)(s->share.outputs * s->element)); }

/* A row of pixels, before groups share vectors. */
static size_t line_bytes(const fc_problem *p, const fc_lane_plan *s)
{
    return p->layout == FC_NHWC ? 0 : fc_size_lines(fc_size_mul((size_t)s->x_row, (size_t)s->element));
}

size_t fc_lane_slot_bytes(const fc_problem *p, const fc_lane_plan *s)
{
    return fc_size_add(fc_size_lines(sizeof(own)) + s->w_bytes + nowhere_bytes(s) + line_bytes(p, s),
                       fc_size_mul((size_t)s->images, fc_size_add(s->x_bytes, s->y_bytes)));
}

/* Zeros beside a row, in each of its chunks. */
static void end_columns(const fc_lane_plan *s, char *row, ptrdiff_t column, ptrdiff_t count)
{
    const ptrdiff_t chunks = s->by_chunks ? s->members / s->share.each : 1;
    if (!count) return;
    for (ptrdiff_t c = 0; c < chunks; c++)
        memset(row + (c * s->x_chunk + column * s->x_pixel) * s->element, 0, (size_t)(count * s->x_pixel * s->element));
}

/* As fc_group_copy_rows, for groups that share vectors, or a block by chunks. `line` is room for a row. */
static void share_rows(const call *c, fc_range rows, const char *image, char *block, char *line)
{
    const fc_lane_plan *s = c->s;
    const fc_group_grid *g = &s->grid;
    const ptrdiff_t *size = fc_block_source_size(c->p), element = s->element, all = s->members * s->share.groups;
    const ptrdiff_t first = rows.first * g->axis[0][0].source_step + g->reach[0].first;
    const ptrdiff_t left = fc_min(s->width, fc_max(0, -g->reach[1].first)), column = fc_max(0, g->reach[1].first);
    const ptrdiff_t columns = fc_max(0, fc_min(size[1] - column, s->width - left));
    const bool turned = c->p->layout == FC_NCHW;
    char *to = block;
    for (ptrdiff_t i = 0; i < fc_group_read(g, 0, rows.end - rows.first); i++, to += s->x_row * element) {
        const ptrdiff_t row = first + i;
        const char *from = image + (row * c->from.h + column * c->from.w) * element;
        if (row < 0 || row >= size[0] || !columns) {
            memset(to, 0, (size_t)(s->x_row * element));
            continue;
        }
        if (turned)
            c->kernels->transpose(&(fc_transpose){
                .rows = all, .columns = columns, .from = from, .from_step = c->from.c, .to = line, .to_step = all});
        c->kernels->share_lanes[s->share.kernel](&(fc_share_lanes){.pixels = columns,
                                                                   .chunks = s->members / s->share.each,
                                                                   .from_pixel = turned ? all : c->from.w,
                                                                   .from_group = s->members,
                                                                   .to_pixel = s->x_pixel,
                                                                   .to_chunk = s->x_chunk,
                                                                   .from = turned ? line : from,
                                                                   .to = to + left * s->x_pixel * element});
        end_columns(s, to, 0, left);
        end_columns(s, to, left + columns, s->width - left - columns);
    }
}

/* Some vectors, a chunk of members at a time. */
static void run_vectors(const call *c, const fc_lane_part *t, ptrdiff_t index, fc_range vectors, bool packed,
                        char *room)
{
    const fc_lane_plan *s = c->s;
    const ptrdiff_t all = fc_lane_weight_bytes(c->p), member_bytes = all / s->members;
    for (ptrdiff_t vector = vectors.first; vector < vectors.end; vector++)
        for (ptrdiff_t chunk = 0; chunk < s->chunks; chunk++) {
            const fc_range some = chunk_of(s, chunk);
            const ptrdiff_t at = some.first * member_bytes;
            const char *w;
            if (s->kept == FC_ALL_WEIGHTS) {
                w = c->w + (index * s->share.vectors + vector) * all + at;
            } else {
                char *to = room + (s->kept == FC_TASK_WEIGHTS ? (vector - vectors.first) * all + at : 0);
                if (s->kept == FC_CHUNK_WEIGHTS || !packed)
                    fc_lane_weights(c->p, &s->share, c->w, index, vector, some, to);
                w = to;
            }
            c->walk(t, c->context, w, some,
                    fc_lane_output(&s->share, vector) - vectors.first * s->share.lanes / s->share.groups, chunk > 0);
        }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const fc_lane_plan *s = c->s;
    const ptrdiff_t strip = task % s->strips, piece = task / s->strips % s->pieces;
    const ptrdiff_t index = task / s->strips / s->pieces % s->share.count;
    const ptrdiff_t batch = task / s->strips / s->pieces / s->share.count;
    const ptrdiff_t element = s->element, first = fc_cut(p->batch, s->batches, batch);
    const fc_range outputs = outputs_of(s, piece);
    char *memory = fc_slot_of(c->workspace, slot), *packed = memory + fc_size_lines(sizeof(own));
    own *kept = (own *)(void *)memory;
    fc_lane_part t = {.p = p,
                      .s = s,
                      .rows = {fc_cut(s->rows, s->strips, strip), fc_cut(s->rows, s->strips, strip + 1)},
                      .images = fc_cut(p->batch, s->batches, batch + 1) - first,
                      .x = packed + s->w_bytes,
                      .y = packed + s->w_bytes + (size_t)s->images * s->x_bytes,
                      .nowhere = packed + s->w_bytes + (size_t)s->images * (s->x_bytes + s->y_bytes),
                      .y_image = (ptrdiff_t)s->y_bytes / element,
                      .y_row = p->in[1] * (outputs.end - outputs.first),
                      .y_pixel = outputs.end - outputs.first,
                      .y_group = fc_group_outputs(p)};
    char *line = t.nowhere + nowhere_bytes(s);
    const ptrdiff_t times = s->grid.phases[0], first_row = t.rows.first * times;
    const ptrdiff_t rows = fc_min(t.rows.end * times, p->in[0]) - first_row;
    const char *grad_y = c->grad_y + (first * c->from.n + index * s->share.groups * s->members * c->from.c) * element;
    char *home =
        c->destination +
        (first * c->to.n + (index * s->share.outputs + outputs.first) * c->to.c + first_row * c->to.h) * element;
    if (kept->index != index || kept->piece != piece) *kept = (own){-1, -1};
    fc_end_part(packed, s->w_bytes);
    fc_end_part(t.nowhere, nowhere_bytes(s));
    fc_end_part(line, line_bytes(p, s));
    for (ptrdiff_t image = 0; image < t.images; image++) {
        char *x = t.x + image * (ptrdiff_t)s->x_bytes;
        const char *from = grad_y + image * c->from.n * element;
        fc_end_part(x, s->x_bytes);
        fc_end_part(t.y + image * (ptrdiff_t)s->y_bytes, s->y_bytes);
        if (s->by_chunks || s->share.groups > 1)
            share_rows(c, t.rows, from, x, line);
        else
            fc_group_copy_rows(p, &s->grid, t.rows, &c->from, from, x);
    }
    if (p->layout == FC_NHWC) {
        t.y = home;
        t.y_image = c->to.n;
        t.y_row = c->to.h;
        t.y_pixel = c->to.w;
    }
    run_vectors(c, &t, index, vectors_of(s, piece), kept->index >= 0, packed);
    *kept = (own){index, piece};
    for (ptrdiff_t image = 0; image < t.images && p->layout == FC_NCHW; image++)
        c->kernels->transpose(&(fc_transpose){.rows = rows * p->in[1],
                                              .columns = t.y_pixel,
                                              .from = t.y + image * t.y_image * element,
                                              .from_step = t.y_pixel,
                                              .to = home + image * c->to.n * element,
                                              .to_step = c->to.c});
}

void fc_lane_run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace,
                 const fc_lane_plan *plan, fc_lane_walk *walk, const void *context)
{
    const call c = {
        .p = p,
        .s = plan,
        .kernels = &p->kernels->gemm[p->dtype],
        .workspace = workspace,
        .grad_y = operands->grad_y,
        .w = plan->kept == FC_ALL_WEIGHTS ? operands->prepared : operands->w,
        .destination = operands->y,
        .from = fc_image_strides(p->layout, p->out_channels, p->out),
        .to = fc_image_strides(p->layout, p->channels, p->in),
        .walk = walk,
        .context = context,
    };
    for (int i = 0; i < workspace->threads; i++) *(own *)(void *)fc_slot_of(workspace, i) = (own){-1, -1};
    fc_parallel_shares(plan->batches * plan->share.count * plan->pieces * plan->strips, workspace->threads, true,
                       run_task, (void *)&c);
}
