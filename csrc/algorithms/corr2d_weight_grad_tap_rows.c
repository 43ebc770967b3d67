/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_weight_grad_tap_rows.c -- the gradient of the weights of few filters with several taps along a row. Lanes are channels
 * of x, rows of a product are the taps of one row of a filter, and its steps are the pixels of a row of x: a row of grad_y with
 * zeros around it is every tap's, each one step further. So few filters use their taps where other algorithms leave the rows
 * of tiles empty.
 *
 * A task has three vectors of channels and some rows of x. Products of some rows are added up first, and then to the task's
 * sums, so that no chain is long; the sums of tasks are added in their order. Zeros that meet an infinity come back as NaN: the
 * implicit product computes all of it again then. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/bias_grad.h"
#include "algorithms/blocking.h"
#include "algorithms/partial_sums.h"
#include "algorithms/pool2d_tiles.h"
#include "algorithms/weight_home.h"
#include "algorithms/winograd.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define VECTORS 3 /* of channels */
#define ROWS_A_SUM 16
#define MOST_SUMS 4096 /* taps of all filters */
#define MOST_REACH 1024
#define MOST_CHANNELS ((ptrdiff_t)1 << 24) /* sizes stay far from overflow */
#define MOST_ROW_BYTES (512 * 1024)
#define FEWEST_TAPS 3 /* of a row */
#define FEWEST_CHANNELS 16
#define NARROW 12 /* columns */
#define WIDE 24

typedef struct plan {
    ptrdiff_t width, panels;  /* channels of a task, and how many tasks side by side */
    ptrdiff_t rows, units;    /* rows of x of all images, and units of them that are dealt out */
    ptrdiff_t partials;       /* sums */
    ptrdiff_t tap_rows, taps; /* of a filter, and taps of a row with those that products compute behind them */
    ptrdiff_t elements;       /* of a task's sums */
    ptrdiff_t left, pitch;    /* zeros in front of a row of grad_y, and elements from filter to filter */
} plan;

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    size_t element;
    plan plan;
} call;

static plan plan_of(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes, before = p->pad_before[1];
    const ptrdiff_t behind = (FC_MAX_TILE_ROWS - 1) * p->dilation[1]; /* of the taps that are computed in vain */
    const ptrdiff_t reach = fc_window_span(p, 1) + behind;
    plan s = {.width = VECTORS * lanes,
              .rows = p->batch * p->in[0],
              .tap_rows = p->out_channels * p->window[0],
              .taps = fc_round_up(p->window[1], FC_MAX_TILE_ROWS)};
    s.panels = fc_ceil_div(p->channels, s.width);
    s.units = fc_ceil_div(s.rows, ROWS_A_SUM);
    s.partials = fc_partial_sums(s.panels, s.units);
    s.elements = s.tap_rows * s.taps * s.width;
    /* The first column of x reads reach - before in front of a row, and the last one behind it. */
    s.left = fc_max(0, reach - before);
    s.pitch = s.left + fc_max(p->out[1], p->in[1] + before) + lanes;
    return s;
}

/* ---- memory: sums of all tasks; a thread has rows of grad_y, a row of x, and the sums of some rows ----------------- */

typedef struct slot {
    char *grad_y, *x, *sums;
    size_t bytes;
} slot;

static slot lay_out(const fc_problem *p, const plan *s, char *memory)
{
    const size_t element = fc_dtype_size(p->dtype);
    slot t = {0};
    t.grad_y = fc_pool_take(memory, &t.bytes, (size_t)(p->out_channels * s->pitch), element);
    t.x = fc_pool_take(memory, &t.bytes, (size_t)(p->in[1] * s->width), element);
    t.sums = fc_pool_take(memory, &t.bytes, (size_t)s->elements, element);
    return t;
}

static size_t shared_bytes(const fc_problem *p)
{
    const plan s = plan_of(p);
    const size_t sums = (size_t)(s.partials * s.panels * s.elements) * fc_dtype_size(p->dtype);
    return fc_size_max(sums, fc_corr2d_weight_grad_implicit_gemm.shared_bytes(p));
}

static size_t slot_bytes(const fc_problem *p)
{
    const plan s = plan_of(p);
    return fc_size_max(lay_out(p, &s, NULL).bytes, fc_corr2d_weight_grad_implicit_gemm.slot_bytes(p));
}

/* ---- sums ---------------------------------------------------------------------------------------------------------- */

/* A row of all filters of grad_y, behind their zeros: [filter][pixel]. */
static void fill_grad_y(const call *c, const slot *t, ptrdiff_t image, ptrdiff_t y)
{
    const fc_problem *p = c->p;
    const plan *s = &c->plan;
    const fc_strides from = fc_image_strides(p->layout, p->out_channels, p->out);
    const char *row = (const char *)c->operands->grad_y + (size_t)(image * from.n + y * from.h) * c->element;
    char *to = t->grad_y + (size_t)s->left * c->element;
    if (p->layout == FC_NCHW)
        c->kernels->copy_pixels(p->out_channels, p->out[1], to, s->pitch, row, from.c);
    else
        c->kernels->transpose(&(fc_transpose){.rows = p->out[1],
                                              .columns = p->out_channels,
                                              .from = row,
                                              .from_step = from.w,
                                              .to = to,
                                              .to_step = s->pitch});
}

/* A row of some channels of x: [pixel][channel]. Lanes behind the last channel keep their zeros. */
static void fill_x(const call *c, const slot *t, ptrdiff_t image, ptrdiff_t h, ptrdiff_t channel, ptrdiff_t channels)
{
    const fc_problem *p = c->p;
    const plan *s = &c->plan;
    const fc_strides from = fc_image_strides(p->layout, p->channels, p->in);
    const char *row =
        (const char *)c->operands->x + (size_t)(image * from.n + channel * from.c + h * from.h) * c->element;
    if (p->layout == FC_NCHW)
        c->kernels->transpose(&(fc_transpose){
            .rows = channels, .columns = p->in[1], .from = row, .from_step = from.c, .to = t->x, .to_step = s->width});
    else
        c->kernels->copy_pixels(p->in[1], channels, t->x, s->width, row, from.w);
}

/* What a row of x adds to the taps of row `u` of all filters. */
static void add_taps(const call *c, const slot *t, ptrdiff_t u)
{
    const fc_problem *p = c->p;
    const plan *s = &c->plan;
    for (ptrdiff_t o = 0; o < p->out_channels; o++) {
        const char *a = t->grad_y + (size_t)(o * s->pitch + s->left + p->pad_before[1]) * c->element;
        char *sums = t->sums + (size_t)((o * p->window[0] + u) * s->taps * s->width) * c->element;
        for (ptrdiff_t k = 0; k < p->in[1]; k += FC_DEPTH)
            c->kernels->product[VECTORS - 1](&(fc_panel_product){.times = 1,
                                                                 .rows = p->window[1],
                                                                 .depth = fc_min(FC_DEPTH, p->in[1] - k),
                                                                 .a = a + (size_t)k * c->element,
                                                                 .a_row = -p->dilation[1],
                                                                 .b = t->x + (size_t)(k * s->width) * c->element,
                                                                 .b_row = s->width,
                                                                 .c = sums,
                                                                 .c_row = s->width,
                                                                 .add = true,
                                                                 .ahead = {t->x, t->x}});
    }
}

static void add_row(const call *c, const slot *t, ptrdiff_t row, ptrdiff_t channel, ptrdiff_t channels)
{
    const fc_problem *p = c->p;
    const ptrdiff_t image = row / p->in[0], h = row % p->in[0], stride = p->out[0] > 1 ? p->stride[0] : 1;
    bool filled = false;
    for (ptrdiff_t u = 0; u < p->window[0]; u++) {
        const ptrdiff_t at = h + p->pad_before[0] - u * p->dilation[0], y = fc_floor_div(at, stride);
        if (y < 0 || y >= p->out[0] || y * stride != at) continue;
        if (!filled) fill_x(c, t, image, h, channel, channels);
        filled = true;
        fill_grad_y(c, t, image, y);
        add_taps(c, t, u);
    }
}

static void run_task(void *context, ptrdiff_t task, int number)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const plan *s = &c->plan;
    const slot t = lay_out(p, s, c->workspace->slots + (size_t)number * c->workspace->slot_bytes);
    const ptrdiff_t panel = task % s->panels, partial = task / s->panels, channel = panel * s->width;
    const ptrdiff_t channels = fc_min(s->width, p->channels - channel),
                    end = fc_cut(s->units, s->partials, partial + 1);
    const size_t bytes = (size_t)s->elements * c->element;
    char *sums = c->workspace->shared + (size_t)task * bytes;
    memset(sums, 0, bytes);
    memset(t.grad_y, 0, (size_t)(p->out_channels * s->pitch) * c->element);
    memset(t.x, 0, (size_t)(p->in[1] * s->width) * c->element);
    for (ptrdiff_t unit = fc_cut(s->units, s->partials, partial); unit < end; unit++) {
        memset(t.sums, 0, bytes);
        for (ptrdiff_t row = unit * ROWS_A_SUM; row < fc_min(s->rows, (unit + 1) * ROWS_A_SUM); row++)
            add_row(c, &t, row, channel, channels);
        fc_add_sums(p->dtype, s->elements, sums, t.sums);
    }
}

#define BRING_HOME(NAME, T)                                                                               \
    static void NAME(const fc_problem *p, const plan *s, const T *sums, T *w)                             \
    {                                                                                                     \
        const fc_strides to = fc_weight_strides(p);                                                       \
        for (ptrdiff_t c = 0; c < p->channels; c++)                                                       \
            for (ptrdiff_t row = 0; row < s->tap_rows; row++)                                             \
                for (ptrdiff_t v = 0; v < p->window[1]; v++)                                              \
                    w[row / p->window[0] * to.n + c * to.c + row % p->window[0] * to.h + v * to.w] =      \
                        sums[c / s->width * s->elements + (row * s->taps + v) * s->width + c % s->width]; \
    }

BRING_HOME(bring_home_f32, float)
BRING_HOME(bring_home_f64, double)

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const call c = {.p = p,
                    .operands = operands,
                    .workspace = workspace,
                    .kernels = &p->kernels->gemm[p->dtype],
                    .element = fc_dtype_size(p->dtype),
                    .plan = plan_of(p)};
    const plan *s = &c.plan;
    const ptrdiff_t weights = p->out_channels * p->channels * p->window[0] * p->window[1];
    fc_parallel_shares(s->panels * s->partials, workspace->threads, true, run_task, (void *)&c);
    fc_add_partial_sums(p->dtype, s->partials, s->panels * s->elements, s->panels * s->elements, workspace->shared);
    if (p->dtype == FC_F32)
        bring_home_f32(p, s, (const float *)workspace->shared, operands->y);
    else
        bring_home_f64(p, s, (const double *)workspace->shared, operands->y);
    if (fc_are_finite(p->dtype, weights, operands->y))
        fc_bias_grad(p, operands, workspace->threads);
    else
        fc_corr2d_weight_grad_implicit_gemm.run(p, operands, workspace);
}

/* ---- the choice ---------------------------------------------------------------------------------------------------- */

static const char *decline(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (p->groups != 1) return "there are several groups";
    if (!p->batch || !p->channels || !p->out_channels || !p->out[0] || !p->out[1]) return "there is nothing to sum";
    if (p->stride[1] > 1 && p->out[1] > 1) return "stride along the width is above 1";
    for (int i = 0; i < 2; i++)
        if (fc_window_span(p, i) > MOST_REACH || p->dilation[i] > MOST_REACH || p->pad_before[i] > MOST_REACH ||
            p->pad_before[i] < 0)
            return "windows reach far beyond the image";
    if (p->channels > MOST_CHANNELS) return "there are more than 2^24 channels";
    if (p->window[0] > MOST_SUMS / p->window[1] || p->window[0] * p->window[1] > MOST_SUMS / p->out_channels)
        return "there are many taps and filters";
    if (fc_max(p->in[1], p->out[1]) > MOST_ROW_BYTES / element / (VECTORS * FC_MAX_LANES)) return "rows are long";
    return fc_corr2d_weight_grad_implicit_gemm.decline(p);
}

/* The most filters for which it is the faster one. Measured over 16 to 256 channels, 1 to 16 filters, kernels of 3x3 to 9x9 and
 * maps of 7 to 64 pixels. */
static ptrdiff_t most_filters(const fc_problem *p)
{
    const ptrdiff_t width = p->in[1];
    if (fc_winograd_decline(p)) return width >= WIDE ? 10 : width >= NARROW ? 6 : 3;
    if (p->window[0] * p->window[1] > 9) return width >= WIDE ? 4 : width >= NARROW ? 3 : 1;
    if (width >= 2 * WIDE && fc_vectors_are_wide(p)) return 4;
    return width >= WIDE && p->layout == FC_NCHW ? 3 : width >= NARROW ? 2 : 0;
}

static const char *pass(const fc_problem *p)
{
    if (p->window[1] < FEWEST_TAPS) return "rows of taps are short";
    if (p->channels < FEWEST_CHANNELS) return "there are too few channels for lanes";
    return p->out_channels > most_filters(p) ? "there are filters enough for tiles" : NULL;
}

const fc_algorithm fc_corr2d_weight_grad_tap_rows = {
    .name = "tap_rows",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .run = run,
};
