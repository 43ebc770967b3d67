/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_inner_product.c -- correlation of NCHW images with a few windows each and long sums: the last stages of a
 * network, 7x7 maps and smaller.
 *
 * An output channel's weights lie one behind the other in OIHW. Windows are copied so too, and lanes run along the sum:
 * no vector is left half empty where a map ends, and no weight is ever moved, however many there are. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/gemm_nchw_call.h"
#include "algorithms/planes_cost.h"
#include "algorithms/strided_copy.h"
#include "algorithms/wave.h"
#include "algorithms/winograd.h"
#include "platform/parallel.h"

#define LARGEST_WINDOWS ((size_t)256 << 20) /* of one image, in bytes, copied */
#define ROWS_OF_A_TASK 32 /* output channels: with the windows their sums stay in the second-level cache */
#define COLUMNS_AT_ONCE 64
#define CHUNK_BYTES 3072 /* of a row: a tile's rows stay in the first-level cache */
#define ELEMENTS_WORTH_A_THREAD 16384

/* Sums over lanes are what it pays for: short chains, and maps that fill vectors otherwise, do not return it. */
#define MOST_OUTPUTS 100
#define FEW_OUTPUTS 9
#define FEWEST_ROWS 32           /* output channels that pay for copying windows */
#define FEWEST_ROWS_TAPS 96      /* of more than a tap each */
#define WINOGRAD_OUTPUTS 64      /* from which on fewer products pay for transforming 3x3 weights, */
#define WINOGRAD_WEIGHTS 1600000 /* or of any map where there are no more */

typedef struct call {
    fc_gemm_nchw_call panels; /* for windows that must be put together */
    fc_plane_correlation job;
    const fc_gemm_kernels *kernels;
    ptrdiff_t element, depth, columns;   /* of one group */
    ptrdiff_t row_step;                  /* elements of one window's copy */
    ptrdiff_t row_blocks, first, images; /* of the wave, and of all groups */
    char *windows;
} call;

static ptrdiff_t depth_of(const fc_problem *p) { return p->channels / p->groups * p->window[0] * p->window[1]; }

static ptrdiff_t columns_of(const fc_problem *p) { return p->out[0] * p->out[1]; }

/* An odd number of vectors: windows a power of two apart would meet in one set of the cache. */
static ptrdiff_t row_step_of(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    return (fc_ceil_div(depth_of(p), lanes) | 1) * lanes;
}

static size_t window_bytes(const fc_problem *p)
{
    const size_t row = fc_size_mul((size_t)row_step_of(p), fc_dtype_size(p->dtype));
    return fc_size_mul(fc_size_mul((size_t)columns_of(p), row), (size_t)p->groups);
}

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (window_bytes(p) > LARGEST_WINDOWS) return "the windows of an image exceed 256 MiB";
    return NULL;
}

/* Steps of a chain that are enough. */
static ptrdiff_t shortest_chain(const fc_problem *p)
{
    const ptrdiff_t outputs = columns_of(p), lanes = p->kernels->gemm[p->dtype].lanes;
    if (p->weights_stay) return 12;
    if (10 * fc_round_up(outputs, lanes) < 11 * outputs) return 32; /* the map fills vectors */
    return outputs <= FEW_OUTPUTS ? 4 : outputs <= 36 ? 12 : 24;
}

static bool winograd_is_faster(const fc_problem *p)
{
    if (fc_winograd_decline(p) || fc_winograd_pass(p)) return false;
    return p->window[0] != 3 || p->window[1] != 3 || p->batch * columns_of(p) >= WINOGRAD_OUTPUTS ||
           depth_of(p) * p->out_channels <= WINOGRAD_WEIGHTS;
}

/* Pixels of several images fill vectors together. */
static bool turning_is_faster(const fc_problem *p)
{
    if (p->window[0] == 1 && p->window[1] == 1 && p->batch == 1) return false;
    return !p->weights_stay && !fc_corr2d_turned_gemm.decline(p) && !fc_turned_gemm_rules(p);
}

/* Measured over maps of 2 to 14 pixels, 16 to 1536 channels, kernels of 1, 3 and 5, and strides 1 and 2. */
const char *fc_inner_product_rules(const fc_problem *p)
{
    const ptrdiff_t outputs = columns_of(p), rows = p->out_channels / p->groups;
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const bool taps = p->window[0] > 1 || p->window[1] > 1, few = outputs <= FEW_OUTPUTS;
    if (outputs > MOST_OUTPUTS) return "rows of so large a map fill vectors";
    if (p->weights_stay && (taps || !few)) return "prepared weights fill vectors";
    if (rows < (taps && !few ? FEWEST_ROWS_TAPS : FEWEST_ROWS))
        return "there are too few output channels to copy windows for";
    if (outputs > 16 && 10 * fc_round_up(outputs, lanes) < 11 * outputs) return "the map fills vectors";
    if (depth_of(p) < shortest_chain(p) * lanes) return "its sums are too short";
    if (winograd_is_faster(p)) return "Winograd's algorithm takes fewer products";
    if (turning_is_faster(p)) return "pixels of all images fill vectors";
    return NULL;
}

static const char *pass(const fc_problem *p) { return fc_planes_pass(p, FC_PLANES_INNER_PRODUCT); }

static size_t prepared_bytes(const fc_problem *p) { return p->weight_layout == FC_OIHW ? 0 : fc_weight_bytes(p); }

static size_t shared_bytes(const fc_problem *p)
{
    const size_t bytes = window_bytes(p);
    return bytes ? fc_size_mul((size_t)fc_images_of_wave(p, bytes), bytes) : 0;
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const size_t element = fc_dtype_size(p->dtype);
    const size_t sums = (ROWS_OF_A_TASK + FC_INNER_ROWS - 1) * COLUMNS_AT_ONCE * (size_t)k->lanes * element;
    const size_t panel = sizeof(fc_gemm_nchw_slot) + fc_gemm_nchw_panel_bytes(k, element);
    return sums > panel ? sums : panel;
}

static char *window_at(const call *c, ptrdiff_t image, ptrdiff_t column)
{
    return c->windows + (image * c->columns + column) * c->row_step * c->element;
}

/* Zeros behind some windows, up to a whole vector. */
static void end_windows(const call *c, ptrdiff_t image, fc_range columns)
{
    const ptrdiff_t end = fc_round_up(c->depth, c->kernels->lanes);
    for (ptrdiff_t i = columns.first; i < columns.end; i++)
        memset(window_at(c, image, i) + c->depth * c->element, 0, (size_t)((end - c->depth) * c->element));
}

/* Steps of some windows, from [step][column]. */
static void turn(const call *c, ptrdiff_t image, fc_range columns, fc_range steps, const void *from,
                 ptrdiff_t from_step)
{
    c->kernels->transpose(&(fc_transpose){.rows = steps.end - steps.first,
                                          .columns = columns.end - columns.first,
                                          .from = from,
                                          .from_step = from_step,
                                          .to = window_at(c, image, columns.first) + steps.first * c->element,
                                          .to_step = c->row_step});
    if (steps.end == c->depth) end_windows(c, image, columns);
}

static void turn_planes(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const ptrdiff_t chunks = fc_ceil_div(c->depth, FC_DEPTH), image = task / chunks;
    const fc_range steps = {fc_cut(c->depth, chunks, task % chunks), fc_cut(c->depth, chunks, task % chunks + 1)};
    (void)slot;
    turn(c, image, (fc_range){0, c->columns}, steps,
         fc_gemm_nchw_source(&c->panels, c->first + image) + steps.first * c->columns * c->element, c->columns);
}

/* One panel of one chunk, as the matrix product would read it. */
static void turn_panel(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_gemm_nchw_call *g = &c->panels;
    const ptrdiff_t panel = task % g->panels.count, q = task / g->panels.count % g->chunks.count;
    const ptrdiff_t image = task / g->panels.count / g->chunks.count, before = fc_gemm_nchw_depth_before(g, q);
    const fc_chunk chunk = fc_chunk_at(&g->chunks, q);
    const fc_panel_cut cut = fc_panel_at(&g->panels, panel);
    fc_gemm_nchw_slot *s = fc_gemm_nchw_slot_at(g, slot);
    fc_gemm_nchw_find_panels(s, g, (fc_range){panel, panel + 1});
    fc_gemm_nchw_pack(s, g, 1, &chunk, c->first + image);
    turn(c, image, (fc_range){cut.first, cut.first + cut.columns},
         (fc_range){before, before + chunk.outers * chunk.inners}, s->panels[0].packed,
         s->panels[0].vectors * c->kernels->lanes);
}

/* The results of some output channels and windows, in chains of at most FC_DEPTH steps a lane. */
static void run_block(const call *c, fc_range rows, fc_range columns, ptrdiff_t image, void *sums)
{
    const ptrdiff_t group = (c->first + image) % c->job.groups, lanes = c->kernels->lanes,
                    chunk = CHUNK_BYTES / c->element;
    const ptrdiff_t count = rows.end - rows.first, width = columns.end - columns.first, piece = lanes * FC_DEPTH;
    const ptrdiff_t channel = group * c->job.rows + rows.first;
    const char *weights = (const char *)c->job.weights + channel * c->depth * c->element, *bias = c->job.bias;
    char *y = (char *)c->job.destination +
              (((c->first + image) * c->job.rows + rows.first) * c->columns + columns.first) * c->element;
    ptrdiff_t from = 0, k = 0;
    do {
        const ptrdiff_t end = fc_min(c->depth, from + piece);
        do {
            c->kernels->inner(&(fc_inner){.rows = count,
                                          .columns = width,
                                          .depth = fc_min(chunk, end - k),
                                          .go_on = k > from,
                                          .w = weights + k * c->element,
                                          .w_row = c->depth,
                                          .x = window_at(c, image, columns.first) + k * c->element,
                                          .x_row = c->row_step,
                                          .sums = sums,
                                          .sum_row = width * lanes});
            k = fc_min(end, k + chunk);
        } while (k < end);
        c->kernels->inner_sums(&(fc_inner_sums){.rows = count,
                                                .columns = width,
                                                .sums = sums,
                                                .sum_row = width * lanes,
                                                .bias = bias ? bias + channel * c->element : NULL,
                                                .add = from > 0,
                                                .y = y,
                                                .y_row = c->columns});
        from = end;
    } while (from < c->depth);
}

/* Images follow each other within a task's channels: their weights stay in the cache. */
static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const ptrdiff_t image = task % c->images, block = task / c->images,
                    units = fc_ceil_div(c->job.rows, c->kernels->inner_rows);
    const fc_range rows = {fc_cut(units, c->row_blocks, block) * c->kernels->inner_rows,
                           fc_min(c->job.rows, fc_cut(units, c->row_blocks, block + 1) * c->kernels->inner_rows)};
    const ptrdiff_t blocks = fc_ceil_div(c->columns, COLUMNS_AT_ONCE);
    for (ptrdiff_t i = 0; i < blocks; i++)
        run_block(c, rows, (fc_range){fc_cut(c->columns, blocks, i), fc_cut(c->columns, blocks, i + 1)}, image,
                  fc_gemm_nchw_slot_at(&c->panels, slot));
}

/* Whether windows are pixels, which lie in their planes one behind the other. */
static bool reads_planes(const fc_problem *p)
{
    for (int i = 0; i < 2; i++)
        if (p->window[i] > 1 || p->stride[i] > 1 || p->pad_before[i] || p->out[i] != p->in[i]) return false;
    return true;
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const ptrdiff_t wave = fc_images_of_wave(p, window_bytes(p));
    call c = {.job = fc_forward_on_planes(p, operands),
              .kernels = &p->kernels->gemm[p->dtype],
              .element = (ptrdiff_t)fc_dtype_size(p->dtype),
              .depth = depth_of(p),
              .columns = columns_of(p),
              .row_step = row_step_of(p),
              .windows = workspace->shared};
    c.panels = fc_gemm_nchw_call_of(p, &c.job, workspace);
    c.panels.packed = c.windows; /* panels are not packed by tiles */
    c.row_blocks = fc_ceil_div(c.job.rows, ROWS_OF_A_TASK);
    for (ptrdiff_t n = 0; n < p->batch; n += wave) {
        c.first = n * p->groups;
        c.images = fc_min(wave, p->batch - n) * p->groups;
        const bool few = c.images * c.columns * c.depth < ELEMENTS_WORTH_A_THREAD;
        const int threads = few ? 1 : workspace->threads;
        if (reads_planes(p))
            fc_parallel_for(c.images * fc_ceil_div(c.depth, FC_DEPTH), threads, true, turn_planes, &c);
        else
            fc_parallel_for(c.images * c.panels.chunks.count * c.panels.panels.count, threads, true, turn_panel, &c);
        fc_parallel_for(c.images * c.row_blocks, workspace->threads, true, run_task, &c);
    }
}

const fc_algorithm fc_corr2d_inner_product = {
    .name = "inner_product",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = fc_copy_to_oihw,
    .run = run,
};
