/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_input_grad_phases.c -- the input gradient with two phases along each axis, of either layout, in groups or without: for
 * a stride of two, the four inputs of a point together. Lanes are outputs of a group, and the sums of a vector of them for some
 * points and their four phases stay in registers, see phase_tile.h. A task takes some rows of points of an image, or some
 * small images, and some vectors of a group. What it reads of grad_y is copied into a block, [row][column][member], with the
 * zeros around it. NCHW images are turned on the way in and on the way out. Sums are made in chunks of FC_DEPTH steps at most. */
#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/phase_segments.h"
#include "algorithms/strided_copy.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define FEWEST_ROWS 4                      /* of a task, where there are as many */
#define FEWEST_VECTORS 4                   /* of a task, which copies what all of them read */
#define BLOCK_BYTES (128 * 1024)           /* of a task, aimed at: a part of the second-level cache */
#define MOST_BLOCK_BYTES (8 * 1024 * 1024) /* of a single row */
#define MOST_POINTS 98                     /* of images that a task takes together */
#define OWN_WEIGHT_BYTES (256 * 1024)      /* that a thread keeps */
#define WEIGHTS_WORTH_A_THREAD 16384
#define FEW_POINTS 25
#define MANY_POINTS 256
#define MANY_FILTERS 128
#define MANY_WEIGHT_BYTES (16 * 1024 * 1024)

typedef enum weights_kept {
    ALL_WEIGHTS,   /* are packed before, for all tasks */
    TASK_WEIGHTS,  /* by each thread, for its task and the strips that follow */
    CHUNK_WEIGHTS, /* by each thread, for one chunk of one vector, where nothing else uses them */
} weights_kept;

typedef struct plan {
    fc_group_grid grid;
    fc_phase_segments segments;
    ptrdiff_t rows; /* of points */
    ptrdiff_t members, outputs, lanes, element;
    ptrdiff_t images, batches; /* of a task, and how many tasks take all of them */
    ptrdiff_t strips, pieces, chunks;
    weights_kept kept;
    size_t x_bytes, y_bytes, w_bytes; /* of a slot; x and y: of an image */
} plan;

/* The vectors of a piece, all of them whole but for the last one of the group, which overlaps the one before it in its piece. */
static fc_range vectors_of(const plan *s, ptrdiff_t piece)
{
    const ptrdiff_t whole = s->outputs / s->lanes;
    return (fc_range){fc_cut(whole, s->pieces, piece),
                      piece + 1 < s->pieces ? fc_cut(whole, s->pieces, piece + 1) : fc_ceil_div(s->outputs, s->lanes)};
}

static fc_range outputs_of(const plan *s, ptrdiff_t piece)
{
    const fc_range vectors = vectors_of(s, piece);
    return (fc_range){vectors.first * s->lanes, fc_min(s->outputs, vectors.end * s->lanes)};
}

static ptrdiff_t most_outputs(const plan *s)
{
    const fc_range first = outputs_of(s, 0), last = outputs_of(s, s->pieces - 1);
    return fc_max(first.end - first.first, last.end - last.first);
}

/* In NHWC outputs are written where they belong. */
static size_t y_bytes(const fc_problem *p, const plan *s, ptrdiff_t rows)
{
    if (p->layout == FC_NHWC) return 0;
    const size_t pixels = fc_size_mul((size_t)(2 * rows), (size_t)p->in[1]);
    return fc_size_lines(fc_size_mul(pixels, (size_t)(most_outputs(s) * s->element)));
}

static size_t block_bytes(const fc_problem *p, const plan *s, ptrdiff_t rows)
{
    return fc_size_add(fc_group_rows_bytes(p, &s->grid, rows), y_bytes(p, s, rows));
}

static ptrdiff_t strips_that_fit(const fc_problem *p, const plan *s)
{
    ptrdiff_t strips = 1;
    while (strips < s->rows && block_bytes(p, s, fc_ceil_div(s->rows, strips)) > BLOCK_BYTES) strips++;
    return strips;
}

/* Small images share tiles and weights, where the outputs are tasks enough. */
static ptrdiff_t images_together(const fc_problem *p, const plan *s)
{
    const ptrdiff_t points = s->rows * s->grid.axis[1][0].points, most = fc_max(1, MOST_POINTS / points);
    const ptrdiff_t fit = fc_max(1, BLOCK_BYTES / fc_max(1, (ptrdiff_t)block_bytes(p, s, s->rows)));
    const ptrdiff_t outputs = p->groups * fc_max(1, s->outputs / s->lanes / FEWEST_VECTORS);
    const ptrdiff_t spare = outputs * p->batch / (FC_TASKS_A_THREAD * p->threads);
    return fc_max(1, fc_min(fc_min(p->batch, most), fc_min(fit, spare)));
}

static ptrdiff_t missing(const fc_problem *p, const plan *s, ptrdiff_t tasks)
{
    return fc_ceil_div(fc_enough_tasks(p), fc_max(1, s->batches * p->groups * tasks));
}

/* What does not depend on the number of threads: one task for all outputs of some rows. */
static bool begin_plan(const fc_problem *p, plan *s)
{
    fc_group_grid_of(p, &s->grid);
    s->rows = s->grid.axis[0][0].points;
    s->members = fc_group_members(p);
    s->outputs = fc_group_outputs(p);
    s->lanes = p->kernels->gemm[p->dtype].lanes;
    s->element = (ptrdiff_t)fc_dtype_size(p->dtype);
    s->pieces = 1;
    return fc_phase_segments_of(p, &s->grid, &s->segments);
}

static bool plan_of(const fc_problem *p, plan *s)
{
    if (!begin_plan(p, s)) return false;
    s->chunks = fc_ceil_div(s->members, FC_DEPTH / fc_max(1, s->segments.most_taps));
    s->images = images_together(p, s);
    s->batches = fc_ceil_div(p->batch, s->images);
    const ptrdiff_t fit = strips_that_fit(p, s);
    s->pieces = fc_max(1, fc_min(missing(p, s, fit), s->outputs / s->lanes / FEWEST_VECTORS));
    s->strips = fit;
    if (s->images == 1) s->strips = fc_max(fit, fc_min(missing(p, s, s->pieces), fc_ceil_div(s->rows, FEWEST_ROWS)));
    const ptrdiff_t most = fc_ceil_div(s->rows, s->strips), all = fc_phase_weight_bytes(p);
    const ptrdiff_t vectors = fc_ceil_div(most_outputs(s), s->lanes);
    const bool few = s->batches == 1 && p->groups * s->pieces >= p->threads && vectors * all <= OWN_WEIGHT_BYTES;
    s->kept = s->batches * s->strips == 1 ? CHUNK_WEIGHTS : few ? TASK_WEIGHTS : ALL_WEIGHTS;
    s->w_bytes =
        fc_size_lines((size_t)(s->kept == CHUNK_WEIGHTS  ? fc_ceil_div(s->members, s->chunks) * (all / s->members)
                               : s->kept == TASK_WEIGHTS ? vectors * all
                                                         : 0));
    s->x_bytes = fc_group_rows_bytes(p, &s->grid, most);
    s->y_bytes = y_bytes(p, s, most);
    return true;
}

static const char *decline(const fc_problem *p)
{
    plan s;
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (!p->kernels->gemm[p->dtype].phase_points) return "the instruction set has too few registers";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (fc_phases(p, 0) != 2 || fc_phases(p, 1) != 2) return "there are no two phases along each axis";
    if (fc_group_outputs(p) < p->kernels->gemm[p->dtype].lanes) return "channels of a group do not fill a vector";
    if (p->window[0] * p->window[1] > FC_MOST_GROUP_TAPS) return "the kernel has more than 128 taps";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (!begin_plan(p, &s)) return "each phase of an axis has a tap that the other has not";
    return block_bytes(p, &s, 1) > MOST_BLOCK_BYTES ? "a row of an image is too long" : NULL;
}

typedef struct call {
    const fc_problem *p;
    const plan *s;
    const fc_gemm_kernels *kernels;
    const fc_workspace *workspace;
    const char *grad_y, *w; /* w: as it lies, or all of it packed */
    char *destination;
    fc_strides from, to; /* of grad_y and the destination */
    ptrdiff_t width;     /* of the block */
} call;

/* What a thread keeps from task to task. */
typedef struct own {
    ptrdiff_t group, piece; /* whose weights it has; -1: of none */
} own;

/* One task. y is the first output of the piece in the first row of points. */
typedef struct part {
    fc_range rows;
    ptrdiff_t group, images;
    char *x, *y, *nowhere;
    ptrdiff_t y_image, y_row, y_pixel;
} part;

static size_t prepared_bytes(const fc_problem *p)
{
    plan s;
    if (!plan_of(p, &s) || s.kept != ALL_WEIGHTS) return 0;
    const size_t vectors = fc_size_mul((size_t)p->groups, (size_t)fc_group_vectors(p));
    return fc_size_mul(vectors, (size_t)fc_phase_weight_bytes(p));
}

typedef struct packing {
    const fc_problem *p;
    const void *w;
    char *to;
} packing;

static void pack_vector(void *context, ptrdiff_t index, int slot)
{
    const packing *c = context;
    const ptrdiff_t vectors = fc_group_vectors(c->p);
    (void)slot;
    fc_phase_weights(c->p, c->w, index / vectors, index % vectors, (fc_range){0, fc_group_members(c->p)},
                     c->to + index * fc_phase_weight_bytes(c->p));
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const packing c = {p, w, prepared};
    const ptrdiff_t vectors = p->groups * fc_group_vectors(p);
    const bool few = vectors * fc_phase_weight_bytes(p) < WEIGHTS_WORTH_A_THREAD * (ptrdiff_t)fc_dtype_size(p->dtype);
    fc_parallel_shares(vectors, few ? 1 : p->threads, true, pack_vector, (void *)&c);
}

static size_t slot_bytes(const fc_problem *p)
{
    plan s;
    if (!plan_of(p, &s)) return 0;
    return fc_size_add(fc_size_lines(sizeof(own)) + s.w_bytes + (size_t)fc_vector_bytes(p),
                       fc_size_mul((size_t)s.images, fc_size_add(s.x_bytes, s.y_bytes)));
}

/* The phase of the grid that is number q of the kernel. */
static const fc_grid_axis *axis_of(const plan *s, int axis, int q)
{
    const ptrdiff_t odd = s->segments.odd_phase[axis];
    return &s->grid.axis[axis][(axis ? q % 2 : q / 2) ? odd : !odd];
}

/* Of fewer points than it has. */
static void run_last_tile(const call *c, const part *t, fc_phase_tile *d, ptrdiff_t used)
{
    const ptrdiff_t points = c->kernels->phase_points;
    for (ptrdiff_t r = used; r < points; r++) { /* the last one again */
        d->x[r] = d->x[used - 1];
        for (int q = 0; q < FC_PHASES; q++) d->y[q][r] = t->nowhere;
    }
    c->kernels->phase_tile(d);
}

/* All points of some members, whose first one is number `member`, and of the vector whose first output is number `output` of the
 * piece. */
static void run_points(const call *c, const part *t, fc_phase_tile *d, ptrdiff_t member, ptrdiff_t output)
{
    const plan *s = c->s;
    const ptrdiff_t element = s->element, pixel = s->members * element, points = c->kernels->phase_points;
    const fc_grid_axis *all = s->grid.axis[1], *rows[FC_PHASES], *columns[FC_PHASES];
    const ptrdiff_t x_row = s->grid.axis[0][0].source_step * c->width * pixel, height = t->rows.end - t->rows.first;
    ptrdiff_t used = 0, y_pixel[FC_PHASES];
    for (int q = 0; q < FC_PHASES; q++) {
        rows[q] = axis_of(s, 0, q);
        columns[q] = axis_of(s, 1, q);
        y_pixel[q] = columns[q]->destination_step * t->y_pixel * element;
    }
    for (ptrdiff_t row = 0; row < t->images * height; row++) {
        const ptrdiff_t image = row / height, down = row % height, i = t->rows.first + down;
        const char *x = t->x + image * (ptrdiff_t)s->x_bytes + down * x_row + member * element;
        ptrdiff_t end[FC_PHASES];
        char *y[FC_PHASES];
        for (int q = 0; q < FC_PHASES; q++) {
            const ptrdiff_t to = rows[q]->destination_first + down * rows[q]->destination_step;
            end[q] = i < rows[q]->points ? columns[q]->points : 0;
            y[q] = t->y +
                   (image * t->y_image + to * t->y_row + columns[q]->destination_first * t->y_pixel + output) * element;
        }
        for (ptrdiff_t j = 0; j < all->points; j++, x += all->source_step * pixel) {
            d->x[used] = x;
            for (int q = 0; q < FC_PHASES; q++) {
                d->y[q][used] = j < end[q] ? y[q] : t->nowhere;
                y[q] += y_pixel[q];
            }
            if (++used < points) continue;
            c->kernels->phase_tile(d);
            used = 0;
        }
    }
    if (used) run_last_tile(c, t, d, used);
}

/* Some vectors, a chunk of members at a time. */
static void run_vectors(const call *c, const part *t, fc_range vectors, own *kept, char *packed)
{
    const fc_problem *p = c->p;
    const plan *s = c->s;
    const ptrdiff_t taps = p->window[0] * p->window[1], all = fc_phase_weight_bytes(p), member_bytes = all / s->members;
    fc_phase_tile d = {.segments = s->segments.count, .w_step = taps * s->lanes, .segment = s->segments.segments};
    for (ptrdiff_t vector = vectors.first; vector < vectors.end; vector++)
        for (ptrdiff_t chunk = 0; chunk < s->chunks; chunk++) {
            const fc_range some = {fc_cut(s->members, s->chunks, chunk), fc_cut(s->members, s->chunks, chunk + 1)};
            const ptrdiff_t at = some.first * member_bytes;
            if (s->kept == ALL_WEIGHTS) {
                d.w = c->w + (t->group * fc_group_vectors(p) + vector) * all + at;
            } else {
                char *w = packed + (s->kept == TASK_WEIGHTS ? (vector - vectors.first) * all + at : 0);
                if (s->kept == CHUNK_WEIGHTS || kept->group < 0) fc_phase_weights(p, c->w, t->group, vector, some, w);
                d.w = w;
            }
            d.members = some.end - some.first;
            d.add = chunk > 0;
            run_points(c, t, &d, some.first, fc_group_vector(s->outputs, s->lanes, vector) - vectors.first * s->lanes);
        }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const plan *s = c->s;
    const ptrdiff_t strip = task % s->strips, piece = task / s->strips % s->pieces;
    const ptrdiff_t group = task / s->strips / s->pieces % p->groups, batch = task / s->strips / s->pieces / p->groups;
    const ptrdiff_t element = s->element, first = fc_cut(p->batch, s->batches, batch);
    const fc_range outputs = outputs_of(s, piece);
    char *memory = fc_slot_of(c->workspace, slot), *packed = memory + fc_size_lines(sizeof(own));
    own *kept = (own *)(void *)memory;
    part t = {.rows = {fc_cut(s->rows, s->strips, strip), fc_cut(s->rows, s->strips, strip + 1)},
              .group = group,
              .images = fc_cut(p->batch, s->batches, batch + 1) - first,
              .x = packed + s->w_bytes,
              .y = packed + s->w_bytes + (size_t)s->images * s->x_bytes,
              .nowhere = packed + s->w_bytes + (size_t)s->images * (s->x_bytes + s->y_bytes),
              .y_image = (ptrdiff_t)s->y_bytes / element,
              .y_row = p->in[1] * (outputs.end - outputs.first),
              .y_pixel = outputs.end - outputs.first};
    const ptrdiff_t first_row = t.rows.first * p->stride[0];
    const ptrdiff_t rows = fc_min(t.rows.end * p->stride[0], p->in[0]) - first_row;
    const char *grad_y = c->grad_y + (first * c->from.n + group * s->members * c->from.c) * element;
    char *home = c->destination +
                 (first * c->to.n + (group * s->outputs + outputs.first) * c->to.c + first_row * c->to.h) * element;
    if (kept->group != group || kept->piece != piece) *kept = (own){-1, -1};
    fc_end_part(packed, s->w_bytes);
    for (ptrdiff_t image = 0; image < t.images; image++) {
        char *x = t.x + image * (ptrdiff_t)s->x_bytes;
        fc_end_part(x, s->x_bytes);
        fc_end_part(t.y + image * (ptrdiff_t)s->y_bytes, s->y_bytes);
        fc_group_copy_rows(p, &s->grid, t.rows, &c->from, grad_y + image * c->from.n * element, x);
    }
    if (p->layout == FC_NHWC) {
        t.y = home;
        t.y_image = c->to.n;
        t.y_row = c->to.h;
        t.y_pixel = c->to.w;
    }
    run_vectors(c, &t, vectors_of(s, piece), kept, packed);
    *kept = (own){group, piece};
    for (ptrdiff_t image = 0; image < t.images && p->layout == FC_NCHW; image++)
        c->kernels->transpose(&(fc_transpose){.rows = rows * p->in[1],
                                              .columns = t.y_pixel,
                                              .from = t.y + image * t.y_image * element,
                                              .from_step = t.y_pixel,
                                              .to = home + image * c->to.n * element,
                                              .to_step = c->to.c});
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    plan s;
    if (!plan_of(p, &s)) return; /* never: it would have been declined */
    const call c = {
        .p = p,
        .s = &s,
        .kernels = &p->kernels->gemm[p->dtype],
        .workspace = workspace,
        .grad_y = operands->grad_y,
        .w = s.kept == ALL_WEIGHTS ? operands->prepared : operands->w,
        .destination = operands->y,
        .from = fc_image_strides(p->layout, p->out_channels, p->out),
        .to = fc_image_strides(p->layout, p->channels, p->in),
        .width = fc_group_read(&s.grid, 1, s.grid.axis[1][0].points),
    };
    for (int i = 0; i < workspace->threads; i++) *(own *)(void *)fc_slot_of(workspace, i) = (own){-1, -1};
    fc_parallel_shares(s.batches * p->groups * s.pieces * s.strips, workspace->threads, true, run_task, (void *)&c);
}

static ptrdiff_t points(const fc_problem *p, int axis) { return fc_ceil_div(p->in[axis], p->stride[axis]); }

/* Whether both phases of an axis have taps of one place: where a kernel is dilated they have none. */
static bool shares_taps(const fc_problem *p, int axis) { return p->window[axis] == 1 || p->dilation[axis] == 1; }

/* Measured on AVX-512 with 16 to 512 channels in up to 25 groups and without, maps of 7 to 56 pixels, one image and eight. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t outputs = p->out[0] * p->out[1];
    if (p->window[0] * p->window[1] == 1) return "a kernel of one tap has nothing to share";
    if (!shares_taps(p, 0) || !shares_taps(p, 1)) return "phases of a dilated kernel share no taps";
    if (p->batch > 1 && outputs <= FEW_POINTS) return "images are small: few tiles are full";
    if (p->batch > 1 && fc_weight_bytes(p) > MANY_WEIGHT_BYTES) return "every image reads many weights";
    if (p->groups > 1) return NULL;
    if (p->batch > 1 && p->batch * outputs > MANY_POINTS) return "with so many points fuller tiles count for more";
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
    .prepare = prepare,
    .run = run,
};
