/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_tap_planes.c -- few channels of many: a plane of products for every tap and channel of the result, over the pixels of
 * the source as they lie, by one product of matrices; then planes are added up, each shifted by its tap. Lanes are pixels, so
 * that few channels waste none of them, and nothing is multiplied twice.
 *
 * A task has some rows of results of a group of an image, kept apart by their phases (block_axis.h) while rows of the source go
 * by: some of them are turned into columns of a panel, with zeros between rows that are as wide as taps reach beyond them,
 * and multiplied. A result is the sum of rows of taps in the order of the source's rows, whatever the task begins with. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/block_axis.h"
#include "algorithms/blocking.h"
#include "algorithms/pool2d_tiles.h"
#include "algorithms/strided_copy.h"
#include "algorithms/tap_planes.h"
#include "platform/fetch.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define TILE_ROWS 8                 /* of products, about: those of the next tile are fetched ahead */
#define FAR_BYTES ((size_t)2 << 20) /* of a source that leaves the caches */
#define PLANES_AHEAD 2              /* panels */
#define SPARE_ROWS 16               /* that a product may write behind its planes */

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    const fc_fold_kernels *add;
    const char *weights;
    size_t element;
    bool far; /* the source leaves the caches */
    fc_tap_planes plan;
    fc_block_grid grid;
} call;

/* ---- the weights: [group][tap][result][channel] ------------------------------------------------------------------- */

static size_t prepared_bytes(const fc_problem *p)
{
    const size_t spare = SPARE_ROWS * (size_t)(fc_block_source_channels(p) / p->groups) * fc_dtype_size(p->dtype);
    return fc_size_add(fc_weight_bytes(p), spare);
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const bool forward = fc_block_forward(p);
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t channels = fc_block_source_channels(p) / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t results = fc_block_destination_channels(p) / p->groups;
    const ptrdiff_t group = p->window[0] * p->window[1] * results * channels;
    const fc_strides s = fc_weight_strides(p);
    const ptrdiff_t sizes[4] = {p->window[0], p->window[1], results, channels};
    const ptrdiff_t steps[4] = {s.h, s.w, forward ? s.n : s.c, forward ? s.c : s.n};
    for (ptrdiff_t g = 0; g < p->groups; g++)
        fc_strided_copy((size_t)element, sizes, steps, (const char *)w + fc_filter_at(p, &s, g * filters) * element,
                        (char *)prepared + g * group * element);
    memset((char *)prepared + p->groups * group * element, 0, (size_t)(SPARE_ROWS * channels * element));
}

/* ---- a task's memory ---------------------------------------------------------------------------------------------- */

typedef struct slot {
    char *planes, *panel, *row, *sums;
    size_t bytes;
} slot;

static slot lay_out(const fc_problem *p, const fc_tap_planes *s, char *memory)
{
    const size_t element = fc_dtype_size(p->dtype);
    slot t = {0};
    t.planes = fc_pool_take(memory, &t.bytes, (size_t)((s->planes + SPARE_ROWS) * s->plane), element);
    t.panel = fc_pool_take(memory, &t.bytes,
                           (size_t)(s->channels * FC_TAP_PLANES_VECTORS * p->kernels->gemm[p->dtype].lanes), element);
    t.row = fc_pool_take(memory, &t.bytes, (size_t)(s->results * s->points), element);
    t.sums = fc_pool_take(memory, &t.bytes, (size_t)(s->rows * s->sum_row), element);
    return t;
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_tap_planes s = fc_tap_planes_of(p);
    return lay_out(p, &s, NULL).bytes;
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

/* Some columns of a panel that is `width` wide. */
typedef struct columns {
    char *panel;
    ptrdiff_t width, count;
} columns;

static void clear_columns(const call *c, columns to)
{
    for (ptrdiff_t k = 0; k < c->plan.channels; k++, to.panel += (size_t)to.width * c->element)
        memset(to.panel, 0, (size_t)to.count * c->element);
}

/* Neighbouring pixels of a row of the source. Of a source that is in no cache, what comes behind them is fetched: the processor
 * does not follow as many planes, or pixels taken apart. */
static void copy_columns(const call *c, columns to, const char *source)
{
    const fc_problem *p = c->p;
    const fc_tap_planes *s = &c->plan;
    const ptrdiff_t plane = s->source[0] * s->source[1], pixel = fc_block_source_channels(p);
    const ptrdiff_t element = (ptrdiff_t)c->element;
    if (p->layout == FC_NHWC) {
        c->kernels->transpose(&(fc_transpose){.rows = to.count,
                                              .columns = s->channels,
                                              .from = source,
                                              .from_step = pixel,
                                              .to = to.panel,
                                              .to_step = to.width,
                                              .from_ahead = c->far ? to.count * pixel * element : 0});
        return;
    }
    c->kernels->copy_pixels(s->channels, to.count, to.panel, to.width, source, plane);
    for (ptrdiff_t k = 0; c->far && k < s->channels; k++)
        for (ptrdiff_t at = 0; at < to.count * element; at += FC_CACHE_LINE)
            fc_fetch(source + k * plane * element, PLANES_AHEAD * to.count * element + at);
}

/* A panel of columns `first` ... of some rows of the source, which begin at `source`. */
static void fill_panel(const call *c, columns panel, ptrdiff_t first, ptrdiff_t rows, const char *source)
{
    const fc_tap_planes *s = &c->plan;
    const ptrdiff_t pixel = c->p->layout == FC_NCHW ? 1 : fc_block_source_channels(c->p);
    ptrdiff_t row = first < s->left ? 0 : (first - s->left) / s->pitch, at = first - s->left - row * s->pitch;
    columns to = panel;
    for (ptrdiff_t left = panel.count; left; left -= to.count, at += to.count) {
        if (at == s->pitch) row++, at = 0;
        const bool inside = row < rows && at >= 0 && at < s->source[1];
        const ptrdiff_t end = row >= rows ? at + left : at < 0 ? 0 : inside ? s->source[1] : s->pitch;
        to.count = fc_min(left, end - at);
        to.panel = panel.panel + (size_t)(panel.count - left) * c->element;
        if (inside)
            copy_columns(c, to, source + (size_t)((row * s->source[1] + at) * pixel) * c->element);
        else
            clear_columns(c, to);
    }
}

/* The planes of some rows of the source. */
static void multiply(const call *c, const slot *t, ptrdiff_t group, ptrdiff_t rows, const char *source)
{
    const fc_tap_planes *s = &c->plan;
    const char *weights = c->weights + (size_t)(group * s->planes * s->channels) * c->element;
    const ptrdiff_t lanes = c->kernels->lanes, all = fc_ceil_div(s->left + rows * s->pitch, lanes);
    for (ptrdiff_t done = 0, vectors; done < all; done += vectors) {
        vectors = fc_min(FC_TAP_PLANES_VECTORS, all - done);
        const columns panel = {t->panel, vectors * lanes, vectors * lanes};
        fill_panel(c, panel, done * lanes, rows, source);
        for (ptrdiff_t k = 0; k < s->channels; k += FC_DEPTH)
            c->kernels->product[vectors - 1](
                &(fc_panel_product){.times = 1,
                                    .rows = s->planes,
                                    .depth = fc_min(FC_DEPTH, s->channels - k),
                                    .a = weights + (size_t)k * c->element,
                                    .a_row = s->channels,
                                    .b = t->panel + (size_t)(k * panel.width) * c->element,
                                    .b_row = panel.width,
                                    .c = t->planes + (size_t)(done * lanes) * c->element,
                                    .c_row = s->plane,
                                    .add = k > 0,
                                    .ahead = {t->panel, weights + (size_t)(TILE_ROWS * s->channels) * c->element},
                                    .ahead_step = {0, TILE_ROWS * (ptrdiff_t)c->element}});
    }
}

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

/* What taps of one row add to a row of sums: `products` is the row of the source in the planes of tap row `tap_row`. */
static void add_taps(const call *c, const slot *t, ptrdiff_t tap_row, const char *products, char *sums)
{
    const fc_tap_planes *s = &c->plan;
    fc_pool_pixel pixel[FC_MAX_LANES];
    for (ptrdiff_t phase = 0; phase < c->grid.phases[1]; phase++) {
        const fc_grid_axis *a = &c->grid.axis[1][phase];
        fc_pool_pixels rows = {
            .lanes = s->points, .x_column = a->window_step * s->results * s->plane + a->tap_step, .pixel = pixel};
        const char *x = products + (size_t)a->tap_first * c->element;
        x += (size_t)((tap_row * c->p->window[1] + a->window_first) * s->results * s->plane) * c->element;
        char *sum = sums + (size_t)(phase * s->results * s->points) * c->element;
        for (ptrdiff_t first = 0; a->taps && first < s->results; first += FC_MAX_LANES) {
            rows.pixels = fc_min(FC_MAX_LANES, s->results - first);
            for (ptrdiff_t i = 0; i < rows.pixels; i++)
                pixel[i] = (fc_pool_pixel){.x = x + (size_t)((first + i) * s->plane) * c->element,
                                           .y = t->row + (size_t)(i * s->points) * c->element,
                                           .rows = 1,
                                           .columns = a->taps};
            c->add->pixels(&rows);
            char *to = sum + (size_t)(first * s->points) * c->element;
            c->add->pair(rows.pixels * s->points, to, to, t->row);
        }
    }
}

/* What a row of the source adds to the results of a task. */
static void add_row(const call *c, const slot *t, fc_range strip, ptrdiff_t row, const char *products)
{
    const fc_tap_planes *s = &c->plan;
    for (ptrdiff_t phase = 0; phase < c->grid.phases[0]; phase++) {
        const fc_grid_axis *a = &c->grid.axis[0][phase];
        for (ptrdiff_t tap = 0; tap < a->taps; tap++) {
            const ptrdiff_t from = row - a->tap_first - tap * a->tap_step;
            const ptrdiff_t point = fc_steps_down(from, a->source_step);
            const ptrdiff_t y = a->destination_first + point * a->destination_step;
            if (point * a->source_step != from || point < 0 || point >= a->points || y < strip.first || y >= strip.end)
                continue;
            add_taps(c, t, a->window_first + tap * a->window_step, products,
                     t->sums + (size_t)((y - strip.first) * s->sum_row) * c->element);
        }
    }
}

#define BRING_HOME(NAME, T)                                                          \
    static void NAME##_start(ptrdiff_t count, T *sums, T value)                      \
    {                                                                                \
        for (ptrdiff_t i = 0; i < count; i++) sums[i] = value;                       \
    }                                                                                \
                                                                                     \
    static void NAME##_store(ptrdiff_t points, T *to, ptrdiff_t step, const T *sums) \
    {                                                                                \
        for (ptrdiff_t i = 0; i < points; i++) to[i * step] = sums[i];               \
    }

BRING_HOME(f32, float)
BRING_HOME(f64, double)

/* The sums of nothing yet: the bias of the forward pass. */
static void start(const call *c, const slot *t, ptrdiff_t group, ptrdiff_t rows)
{
    const fc_tap_planes *s = &c->plan;
    const char *bias = c->operands->bias;
    if (!bias) {
        memset(t->sums, 0, (size_t)(rows * s->sum_row) * c->element);
        return;
    }
    for (ptrdiff_t at = 0; at < rows * s->sum_row; at += s->points) {
        const ptrdiff_t channel = group * s->results + at / s->points % s->results;
        if (c->element == 4)
            f32_start(s->points, (float *)t->sums + at, ((const float *)bias)[channel]);
        else
            f64_start(s->points, (double *)t->sums + at, ((const double *)bias)[channel]);
    }
}

/* A row of results. */
static void bring_home(const call *c, ptrdiff_t image, ptrdiff_t group, ptrdiff_t y, const char *sums)
{
    const fc_problem *p = c->p;
    const fc_tap_planes *s = &c->plan;
    const fc_strides to = fc_image_strides(p->layout, fc_block_destination_channels(p), s->destination);
    for (ptrdiff_t phase = 0; phase < c->grid.phases[1]; phase++) {
        const fc_grid_axis *a = &c->grid.axis[1][phase];
        for (ptrdiff_t i = 0; i < s->results; i++, sums += (size_t)s->points * c->element) {
            const ptrdiff_t at =
                image * to.n + (group * s->results + i) * to.c + y * to.h + a->destination_first * to.w;
            const ptrdiff_t step = a->destination_step * to.w;
            char *home = (char *)c->operands->y + (size_t)at * c->element;
            if (step == 1)
                memcpy(home, sums, (size_t)a->points * c->element);
            else if (c->element == 4)
                f32_store(a->points, (float *)home, step, (const float *)sums);
            else
                f64_store(a->points, (double *)home, step, (const double *)sums);
        }
    }
}

static void run_task(void *context, ptrdiff_t task, int number)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const fc_tap_planes *s = &c->plan;
    const slot t = lay_out(p, s, c->workspace->slots + (size_t)number * c->workspace->slot_bytes);
    const ptrdiff_t group = task / s->strips % p->groups, image = task / s->strips / p->groups;
    const fc_range strip = {fc_cut(s->destination[0], s->strips, task % s->strips),
                            fc_cut(s->destination[0], s->strips, task % s->strips + 1)};
    const fc_range rows = fc_block_rows_of_source(&c->grid, strip);
    const fc_strides from = fc_image_strides(p->layout, fc_block_source_channels(p), s->source);
    const char *source = fc_block_forward(p) ? c->operands->x : c->operands->grad_y;
    source += (size_t)(image * from.n + group * s->channels * from.c) * c->element;
    start(c, &t, group, fc_length(strip));
    for (ptrdiff_t first = rows.first; first < rows.end; first += s->rows_at_once) {
        const ptrdiff_t count = fc_min(s->rows_at_once, rows.end - first);
        multiply(c, &t, group, count, source + (size_t)(first * from.h) * c->element);
        for (ptrdiff_t i = 0; i < count; i++)
            add_row(c, &t, strip, first + i, t.planes + (size_t)(s->left + i * s->pitch) * c->element);
    }
    for (ptrdiff_t y = strip.first; y < strip.end; y++)
        bring_home(c, image, group, y, t.sums + (size_t)((y - strip.first) * s->sum_row) * c->element);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[p->dtype],
              .add = &p->kernels->pool[p->dtype].add,
              .weights = operands->prepared,
              .element = fc_dtype_size(p->dtype),
              .plan = fc_tap_planes_of(p)};
    c.far = fc_size_mul((size_t)(c.plan.source[0] * c.plan.source[1] * p->batch), c.element) >
            FAR_BYTES / (size_t)fc_block_source_channels(p);
    fc_block_grid_of(p, &c.grid);
    fc_parallel_shares(p->batch * p->groups * c.plan.strips, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_tap_planes = {
    .name = "tap_planes",
    .decline = fc_tap_planes_decline,
    .pass = fc_tap_planes_pass,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = run,
};
