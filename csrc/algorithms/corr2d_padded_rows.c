/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_padded_rows.c -- correlation of NCHW images where packing would cost as much as the sums: few weights, or
 * few output channels.
 *
 * A task copies the rows that some output rows read into a stripe, once, with the zeros around them and with the columns
 * of a stride s sorted into s phases. There the taps of neighbouring outputs are neighbours, and tiles read them where
 * they lie: C[oc][x] += w[oc][tap] * stripe[x + shift[tap]]. Lanes are the outputs of one row. Weights are read as they
 * lie in OIHW; those of other orders, and turned ones, are copied to it first. What is left of the output channels after
 * whole tiles is computed by one more, or a row at a time. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/grid.h"
#include "algorithms/planes_cost.h"
#include "algorithms/row_bias.h"
#include "algorithms/strided_copy.h"
#include "algorithms/stripe.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define STRIPE_BYTES (128 * 1024)       /* aimed at: a part of the second-level cache */
#define MOST_STRIPE_BYTES (1024 * 1024) /* of a single output row */
#define FEWEST_ROWS 4 /* of a task, where there are enough: neighbours copy the rows between them twice */
#define MOST_LANES (FC_MAX_ROW_VECTORS * FC_MAX_LANES)

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    const void *weights;
    size_t element;
    ptrdiff_t channels, rows; /* read and written, of one group */
    ptrdiff_t depth, chunks;  /* steps of a sum, and how many pieces they are cut into */
    fc_stripe stripe;
    ptrdiff_t blocks; /* of output rows, a task each */
    char *bias;       /* fc_spread_row_bias */
    int32_t *shifts;  /* [depth] */
} call;

/* One thread's memory: scratch for what does not fill its vectors, then the stripe. */
typedef struct slot {
    _Alignas(64) char scratch[FC_MAX_TILE_ROWS * FC_MAX_PANEL_LANES * 8];
} slot;

_Static_assert((FC_MAX_TILE_ROWS)*FC_MAX_PANEL_LANES >= MOST_LANES, "scratch holds a long row too");

static ptrdiff_t depth_of(const fc_problem *p) { return p->channels / p->groups * p->window[0] * p->window[1]; }

/* Tiles at the end of the last row read past it. */
static size_t stripe_bytes(const fc_problem *p, const fc_stripe *s)
{
    const size_t elements =
        fc_size_mul(fc_size_mul((size_t)(p->channels / p->groups), (size_t)s->rows), (size_t)s->row);
    return fc_size_mul(fc_size_add(elements, MOST_LANES), fc_dtype_size(p->dtype));
}

/* Of so many tasks at least, if the image has the rows. */
static ptrdiff_t rows_of_tasks(const fc_problem *p, ptrdiff_t tasks)
{
    const ptrdiff_t images = fc_min(p->batch, tasks) * fc_min(p->groups, tasks);
    const ptrdiff_t wanted = fc_ceil_div(p->out[0], fc_max(1, tasks / fc_max(1, images)));
    ptrdiff_t rows = fc_max(1, fc_min(p->out[0], fc_max(wanted, FEWEST_ROWS)));
    for (; rows > 1; rows = fc_ceil_div(rows, 2)) {
        const fc_stripe s = fc_stripe_of(p, rows);
        if (stripe_bytes(p, &s) <= STRIPE_BYTES) break;
    }
    return rows;
}

static ptrdiff_t rows_of_a_task(const fc_problem *p) { return rows_of_tasks(p, fc_enough_tasks(p)); }

static bool weights_lie_ready(const fc_problem *p) { return p->weight_layout == FC_OIHW && !p->turned; }

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->turned && p->groups > 1) return "the weights of several groups are not turned";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (p->stride[1] > 16 || p->stride[0] > 16) return "stride is larger than 16";
    if (fc_window_span(p, 0) > 256 || fc_window_span(p, 1) > 4096) return "the dilated kernel is too large";
    const fc_stripe one_row = fc_stripe_of(p, 1);
    if (stripe_bytes(p, &one_row) > MOST_STRIPE_BYTES) return "the input rows of one output row exceed 1 MiB";
    return NULL;
}

/* Why a gradient had better not be made of rows, or NULL: most of what lies around a grad_y that is small beside the kernel is
 * zeros, and more filters of many channels fill the tiles of a matrix product. */
static const char *pass_turned(const fc_problem *p)
{
    const double read = (double)p->in[0] * (double)p->in[1], written = (double)p->out[0] * (double)p->out[1];
    if (read < 0.45 * written) return "the output is small beside the kernel";
    return fc_min(p->channels, p->out_channels) > 8 ? "there are enough channels to pack panels for" : NULL;
}

/* Packing pays when many output channels use what was packed; and its lanes go on over the ends of rows, which counts
 * where a row fills less than a vector, or where one tap makes all of the image one row. */
const char *fc_padded_rows_rules(const fc_problem *p)
{
    const ptrdiff_t channels = p->channels / p->groups, rows = p->out_channels / p->groups;
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const bool wide = fc_vectors_are_wide(p);
    /* A shifted read of a whole cache line is always two lines: with such vectors packed panels win. */
    const bool long_rows = p->out[1] >= 5 * lanes && p->stride[1] == 1 && !wide;
    const bool apart = fc_strided(p), large = p->window[0] * p->window[1] > 9;
    const char *reason = p->turned ? pass_turned(p) : NULL;
    if (reason) return reason;
    ptrdiff_t few = wide && rows < 48 ? 12 : 8;
    if (apart && wide && large) few = p->out[1] > lanes ? 24 : 8;
    if (apart && !wide && p->out[1] >= 5 * lanes) few = 12;
    if (rows >= 16 && channels >= few && !long_rows) return "there are enough channels to pack panels for";
    if (apart && channels >= (wide ? 48 : 32)) return "pixels apart of so many channels are better packed";
    if (rows >= (2 * p->out[1] < lanes ? 2 : 8) &&
        p->out[1] <= (wide && rows < 48 && channels < 12 ? 3 * lanes / 4 : lanes))
        return "a row of outputs does not fill a vector";
    if (fc_window_span(p, 0) >=
        4 * (rows_of_tasks(p, FC_FEWEST_TASKS) * fc_min(p->stride[0], p->window[0]) + p->window[0]))
        return "a dilated kernel reads few of the rows that it spans";
    if (p->window[0] * p->window[1] == 1 && (channels > 4 || p->out[1] < 64))
        return "a kernel of one tap packs long rows";
    return NULL;
}

static const char *pass(const fc_problem *p) { return fc_planes_pass(p, FC_PLANES_PADDED_ROWS); }

static size_t shared_bytes(const fc_problem *p)
{
    const size_t vectors = fc_size_mul((size_t)p->out_channels + 1, (size_t)p->kernels->gemm[p->dtype].lanes);
    const size_t bias = fc_size_lines(fc_size_mul(vectors, fc_dtype_size(p->dtype)));
    const size_t shifts = fc_size_lines(fc_size_mul((size_t)depth_of(p), sizeof(int32_t)));
    return fc_size_add(bias, shifts);
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_stripe s = fc_stripe_of(p, rows_of_a_task(p));
    return fc_size_add(sizeof(slot), stripe_bytes(p, &s));
}

static size_t prepared_bytes(const fc_problem *p) { return weights_lie_ready(p) ? 0 : fc_weight_bytes(p); }

/* Rows of the product at one output row, for one chunk of the depth. */
typedef struct row_span {
    const char *weights, *bias, *window; /* of the first output */
    char *destination;
    ptrdiff_t rows, row_bytes, bias_bytes, plane_bytes, lanes;
    ptrdiff_t first_step, steps;
    bool first_chunk;
} row_span;

/* One tile or long row: `rows` output channels from `row` on, `vectors` vectors from output `x` on. One that reaches past
 * the end of its outputs is computed in scratch, and so are rows past the last channel: that one again. */
static void run_tile(slot *s, const call *c, const row_span *at, void (*run)(const fc_shift_tile *), ptrdiff_t row,
                     ptrdiff_t rows, ptrdiff_t x, ptrdiff_t vectors)
{
    const ptrdiff_t lanes = c->kernels->lanes, element = (ptrdiff_t)c->element, width = vectors * lanes;
    const bool whole = x + width <= at->lanes;
    const size_t used = (size_t)(fc_min(width, at->lanes - x) * element);
    const ptrdiff_t used_rows = fc_min(rows, at->rows - row);
    const void *a[FC_MAX_TILE_ROWS], *init[FC_MAX_TILE_ROWS];
    void *home[FC_MAX_TILE_ROWS], *out[FC_MAX_TILE_ROWS];
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t channel = fc_min(row + r, at->rows - 1);
        const bool in_place = whole && r < used_rows;
        a[r] = at->weights + channel * at->row_bytes;
        home[r] = at->destination + channel * at->plane_bytes + x * element;
        out[r] = in_place ? home[r] : s->scratch + r * width * element;
        init[r] = at->first_chunk ? (const void *)(at->bias + channel * at->bias_bytes) : out[r];
        if (!in_place && !at->first_chunk) memcpy(out[r], home[r], used);
    }
    run(&(fc_shift_tile){.depth = at->steps,
                         .a = a,
                         .b = at->window + x * element,
                         .shift = c->shifts + at->first_step,
                         .init = init,
                         .init_step = at->first_chunk ? 0 : lanes,
                         .c = out});
    for (ptrdiff_t r = 0; r < used_rows && !whole; r++) memcpy(home[r], out[r], used);
}

/* Which of the long rows serves so many vectors best: one that is nearly filled. */
static int longest_row(ptrdiff_t vectors) { return vectors >= 10 ? 2 : vectors >= 3 ? 1 : 0; }

/* A tile of which more than half is used beats as many rows one by one, up to three times. */
static void run_row(slot *s, const call *c, const row_span *at)
{
    const ptrdiff_t tile_rows = c->kernels->rows, lanes = c->kernels->lanes;
    const fc_panels panels = fc_panels_of(at->lanes, lanes, FC_MAX_TILE_VECTORS);
    ptrdiff_t row = 0;
    for (; 2 * (at->rows - row) > tile_rows; row += tile_rows)
        for (ptrdiff_t i = 0; i < panels.count; i++) {
            const fc_panel_cut cut = fc_panel_at(&panels, i);
            run_tile(s, c, at, c->kernels->shift_tile[cut.vectors - 1], row, tile_rows, cut.first, cut.vectors);
        }
    for (; row < at->rows; row++)
        for (ptrdiff_t x = 0; x < at->lanes;) {
            const int kind = longest_row(fc_ceil_div(at->lanes - x, lanes));
            run_tile(s, c, at, c->kernels->shift_row[kind], row, 1, x, fc_row_vectors[kind]);
            x += fc_row_vectors[kind] * lanes;
        }
}

static void run_task(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    const fc_problem *p = c->p;
    slot *s = (slot *)(fc_slot_of(c->workspace, slot_number));
    char *window = (char *)(s + 1);
    const ptrdiff_t element = (ptrdiff_t)c->element, depth = c->depth, out_plane = p->out[0] * p->out[1] * element;
    const ptrdiff_t block = task % c->blocks, image = task / c->blocks, group = image % p->groups; /* image and group */
    const ptrdiff_t first = fc_cut(p->out[0], c->blocks, block), end = fc_cut(p->out[0], c->blocks, block + 1);
    row_span at = {.rows = c->rows,
                   .row_bytes = depth * element,
                   .bias_bytes = fc_row_bias_step(c->operands->bias, c->kernels->lanes, c->element),
                   .plane_bytes = out_plane,
                   .lanes = p->out[1]};
    memset(window + c->channels * c->stripe.plane * element, 0, MOST_LANES * c->element);
    fc_fill_stripe(p, &c->stripe, first, end - first, c->channels,
                   (const char *)c->operands->x + image * c->channels * p->in[0] * p->in[1] * element, window);
    at.bias = c->bias + group * c->rows * at.bias_bytes;
    for (ptrdiff_t i = first; i < end; i++) {
        at.window = window + (i - first) * p->stride[0] * c->stripe.row * element;
        at.destination = (char *)c->operands->y + image * c->rows * out_plane + i * p->out[1] * element;
        for (ptrdiff_t q = 0; q < c->chunks; q++) {
            at.first_step = fc_cut(depth, c->chunks, q);
            at.steps = fc_cut(depth, c->chunks, q + 1) - at.first_step;
            at.weights = (const char *)c->weights + (group * c->rows * depth + at.first_step) * element;
            at.first_chunk = q == 0;
            run_row(s, c, &at);
        }
    }
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t rows = rows_of_a_task(p);
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = kernels,
              .weights = weights_lie_ready(p) ? operands->w : operands->prepared,
              .element = fc_dtype_size(p->dtype),
              .channels = p->channels / p->groups,
              .rows = p->out_channels / p->groups,
              .depth = depth_of(p),
              .stripe = fc_stripe_of(p, rows),
              .blocks = fc_ceil_div(p->out[0], rows)};
    const size_t vectors = (size_t)(p->out_channels + 1) * (size_t)kernels->lanes;
    c.chunks = fc_max(1, fc_ceil_div(c.depth, FC_DEPTH));
    c.bias = workspace->shared;
    c.shifts = (int32_t *)(void *)(c.bias + fc_size_lines(vectors * c.element));
    fc_end_part(c.bias, fc_size_lines(vectors * c.element));
    fc_end_part(c.shifts, fc_size_lines((size_t)c.depth * sizeof(int32_t)));
    fc_spread_row_bias(operands->bias, p->out_channels, kernels->lanes, c.element, c.bias);
    fc_stripe_shifts(p, &c.stripe, c.channels, c.shifts);
    fc_parallel_shares(p->batch * p->groups * c.blocks, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_padded_rows = {
    .name = "padded_rows",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = fc_copy_to_oihw,
    .run = forward,
};
