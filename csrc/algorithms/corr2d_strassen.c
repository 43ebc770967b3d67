/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_strassen.c -- 1x1 kernels on NHWC images by one step of Strassen's algorithm, in Winograd's variant: seven products
 * of halves instead of eight.
 *
 * The matrix of pixels is cut by even and odd pixels of each image and by halves of the channels, weights by halves of
 * channels and of filters. Neighbouring pixels are alike, so that what they share of each other's rounding is no more than in a
 * tile of Winograd's. Sums of pixels are made first, sums of weights are prepared; then a task is some pairs of pixels
 * and some panels of filters, through all products: their results stay in a cache, and most go on from each other.
 *
 * A NaN or an infinity, or a sum that overflows on the way, spreads over a pair: then its outputs are computed by the
 * definition. */
#include <math.h>
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/by_definition.h"
#include "algorithms/gemm_nhwc.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define PRODUCTS 7
#define BLOCK_PAIRS 64 /* of one task */
#define BLOCK_TILES (BLOCK_PAIRS / FC_MAX_TILE_ROWS)
#define MOST_PAIRS (BLOCK_PAIRS + BLOCK_TILES) /* in taller tiles */
#define SUM_BYTES (768 * 1024)                 /* of the sums of a block */
#define MANY_VECTORS 8
#define FEWEST_CHANNELS 384
#define FEWEST_FILTERS 128
#define FEWEST_PAIRS 18
#define MANY_PAIRS 48
#define PAIRS_TO_PACK 250
#define LARGE_WEIGHTS (16 << 20) /* that caches do not hold, in bytes */
#define MOST_ROWS 0.91           /* share of the products that is left */
#define SPLIT_COST 0.1           /* of the sums of pixels, in panels */

enum { FROM_EVEN, FROM_ODD, FROM_SUMS };
enum { SUM_T, SUM_Z, SUM_EVEN_LEFT, SUM_EVEN_RIGHT, SUM_ODD_LEFT, SUMS, NOTHING };

/* The products in the order they are made: of which half of a pixel, or of which of its sums; what they go on from, and what
 * they are then. */
static const struct step {
    int from, part, init, to;
} steps[PRODUCTS] = {
    {FROM_EVEN, 0, NOTHING, SUM_T},        /* P1 */
    {FROM_EVEN, 1, SUM_T, SUM_EVEN_LEFT},  /* P1 + P2 */
    {FROM_SUMS, 1, SUM_T, SUM_T},          /* U2 = P1 + P6 */
    {FROM_SUMS, 0, NOTHING, SUM_Z},        /* P5 */
    {FROM_SUMS, 3, SUM_T, SUM_EVEN_RIGHT}, /* U2 + P3 */
    {FROM_SUMS, 2, SUM_T, SUM_T},          /* U3 = U2 + P7 */
    {FROM_ODD, 1, SUM_T, SUM_ODD_LEFT},    /* U3 - P4 */
};

/* How pairs are cut into tiles: the first `taller` have a row more. */
typedef struct tiling {
    void (*const *tile)(const fc_tile *tile);
    ptrdiff_t rows, count, taller;
} tiling;

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    tiling tiles;
    ptrdiff_t element, half, columns; /* channels and filters of a half */
    ptrdiff_t image_pairs, pairs, sum_step;
    fc_chunks chunks;
    fc_panels panels;
    ptrdiff_t pair_blocks, panel_blocks;
} call;

/* One thread's memory: where each pair of a block is read, and written (`odd` NULL: an image has an odd pixel less). */
typedef struct slot {
    const void *a[3][MOST_PAIRS];
    void *even[MOST_PAIRS], *odd[MOST_PAIRS];
    _Alignas(64) char sums[SUMS][MOST_PAIRS * FC_MAX_PANEL_LANES * 8];
    _Alignas(64) char zeros[]; /* the pixel that is not there, then the sums of pixels, [pair][4][sum_step] */
} slot;

static fc_pixel_correlation quarter(const fc_problem *p)
{
    return (fc_pixel_correlation){.dtype = p->dtype,
                                  .axis = {{.taps = 1}, {.taps = 1}},
                                  .groups = 1,
                                  .channels = p->channels / 2,
                                  .columns = p->out_channels / 2};
}

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NHWC) return "layout is not NHWC";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (p->window[0] != 1 || p->window[1] != 1 || p->groups != 1) return "kernel is not 1x1, or there are groups";
    for (int i = 0; i < 2; i++)
        if (p->pad_before[i] || p->pad_after[i]) return "there is padding";
    if (p->channels % 2 || p->out_channels % 2 || !p->channels || !p->out_channels)
        return "channels or filters are not even";
    return NULL;
}

/* An even number of many, that two threads share out. */
static fc_panels panels_of(const fc_problem *p)
{
    fc_panels panels = fc_panels_of(p->out_channels / 2, p->kernels->gemm[p->dtype].lanes, FC_MAX_TILE_VECTORS);
    if (fc_vectors_are_wide(p) && panels.vectors >= MANY_VECTORS) panels.count = fc_round_up(panels.count, 2);
    return panels;
}

static ptrdiff_t sum_step(const fc_problem *p)
{
    return fc_odd_lines(p->channels / 2, (ptrdiff_t)fc_dtype_size(p->dtype));
}

static ptrdiff_t image_pairs(const fc_problem *p) { return fc_ceil_div(p->out[0] * p->out[1], 2); }

static ptrdiff_t block_tiles(const fc_problem *p)
{
    const size_t tile = fc_size_mul((size_t)(4 * FC_MAX_TILE_ROWS) * fc_dtype_size(p->dtype), (size_t)sum_step(p));
    return fc_max(2, fc_min(BLOCK_TILES, (ptrdiff_t)(SUM_BYTES / tile)));
}

static size_t zero_bytes(const fc_problem *p)
{
    return fc_size_lines(fc_size_mul((size_t)p->channels + FC_DEPTH, fc_dtype_size(p->dtype)));
}

static size_t slot_bytes(const fc_problem *p)
{
    const size_t sums = fc_size_mul((size_t)(4 * block_tiles(p) * (FC_MAX_TILE_ROWS + 1)), (size_t)sum_step(p));
    return fc_size_add(fc_size_add(sizeof(slot), zero_bytes(p)), fc_size_mul(sums, fc_dtype_size(p->dtype)));
}

static size_t prepared_bytes(const fc_problem *p)
{
    const fc_pixel_correlation job = quarter(p);
    return fc_size_mul(PRODUCTS * fc_gemm_nhwc_group(&job, &p->kernels->gemm[p->dtype]), fc_dtype_size(p->dtype));
}

static tiling tiles_of(const fc_problem *p)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t pairs = p->batch * image_pairs(p), vectors = panels_of(p).vectors;
    tiling t = {.tile = kernels->tile, .rows = kernels->rows};
    if (vectors < FC_MAX_TILE_VECTORS) {
        t.tile = kernels->narrow_tile;
        t.rows = kernels->narrow_rows[vectors - 1];
    } else if (kernels->taller_tile[0] && pairs % t.rows <= pairs / t.rows) {
        t.taller = pairs % t.rows;
    } else if (fc_rows_computed(pairs, kernels->lower_rows) < fc_rows_computed(pairs, t.rows)) {
        t.tile = kernels->lower_tile;
        t.rows = kernels->lower_rows;
    }
    t.count = t.taller ? pairs / t.rows : fc_ceil_div(pairs, t.rows);
    return t;
}

/* Measured over maps of 2 to 64 pixels, 64 to 3072 channels, 48 to 3072 filters, one image to eight, in float32 and float64. */
static const char *pass(const fc_problem *p)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t points = p->batch * p->out[0] * p->out[1], pairs = p->batch * image_pairs(p);
    const tiling tiles = tiles_of(p);
    const ptrdiff_t others =
        fc_min(fc_rows_computed(points, kernels->rows), fc_rows_computed(points, kernels->lower_rows));
    if (p->channels < FEWEST_CHANNELS ||
        p->out_channels < (fc_vectors_are_wide(p) ? FEWEST_FILTERS : FEWEST_FILTERS / 2))
        return "there are too few channels on one side";
    if (pairs < (prepared_bytes(p) > LARGE_WEIGHTS ? MANY_PAIRS : FEWEST_PAIRS)) return "there are too few outputs";
    if (!p->weights_stay && pairs < PAIRS_TO_PACK) return "there are too few outputs to add up the weights for";
    if ((double)(tiles.rows * tiles.count + tiles.taller) * 7 / 4 > MOST_ROWS * (double)others)
        return "much of its tiles would lie outside of the map";
    return NULL;
}

typedef struct packing {
    const fc_problem *p;
    const char *w;
    char *prepared;
    fc_pixel_correlation job;
    fc_panels panels;
} packing;

/* B11, B21, B12 and B22, each where it or what comes of it is read. */
static void pack_panel(void *context, ptrdiff_t task, int slot_number)
{
    static const int home[4] = {0, 1, 3, 4};
    const packing *c = context;
    const fc_strides ws = fc_weight_strides(c->p);
    const fc_weight_steps lie = {.channel = ws.c, .column = ws.n};
    const fc_panel_cut panel = fc_panel_at(&c->panels, task);
    const ptrdiff_t half = c->job.channels, width = panel.vectors * c->panels.lanes;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(c->p->dtype), product = half * width * element;
    const fc_chunk all = {0, 1, 0, half};
    char *to = c->prepared + panel.first * half * PRODUCTS * element;
    void *w[PRODUCTS];
    (void)slot_number;
    for (int i = 0; i < PRODUCTS; i++) w[i] = to + i * product;
    for (int i = 0; i < 4; i++)
        fc_gemm_nhwc_pack_chunk(c->p, &c->job, c->w + (i % 2 * half * ws.c + i / 2 * c->job.columns * ws.n) * element,
                                &lie, 0, &panel, &all, width, w[home[i]]);
    c->p->kernels->gemm[c->p->dtype].strassen_weights(half * width, w);
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    packing c = {p, w, prepared, quarter(p), panels_of(p)};
    fc_parallel_for(c.panels.count, p->threads, true, pack_panel, &c);
}

/* Where a pixel of an image lies in x, and in y. */
static ptrdiff_t source_of(const call *c, ptrdiff_t image, ptrdiff_t pixel)
{
    const fc_problem *p = c->p;
    const ptrdiff_t y = pixel / p->out[1] * p->stride[0], x = pixel % p->out[1] * p->stride[1];
    return ((image * p->in[0] + y) * p->in[1] + x) * p->channels * c->element;
}

static char *sums_of(const call *c, slot *s, ptrdiff_t at)
{
    return s->zeros + zero_bytes(c->p) + at * 4 * c->sum_step * c->element;
}

static void find_pair(const call *c, slot *s, ptrdiff_t pair, ptrdiff_t at)
{
    const fc_problem *p = c->p;
    const ptrdiff_t image = pair / c->image_pairs, pixel = pair % c->image_pairs * 2;
    const ptrdiff_t pixels = p->out[0] * p->out[1];
    const bool both = pixel + 1 < pixels;
    s->a[FROM_EVEN][at] = (const char *)c->operands->x + source_of(c, image, pixel);
    s->a[FROM_ODD][at] = both ? (const char *)c->operands->x + source_of(c, image, pixel + 1) : s->zeros;
    s->a[FROM_SUMS][at] = sums_of(c, s, at);
    s->even[at] = (char *)c->operands->y + (image * pixels + pixel) * p->out_channels * c->element;
    s->odd[at] = both ? (char *)s->even[at] + p->out_channels * c->element : NULL;
}

/* Outputs that are not finite. */
static void mend(const call *c, ptrdiff_t first, ptrdiff_t pairs, const fc_panel_cut *panel)
{
    const fc_problem *p = c->p;
    const ptrdiff_t pixels = p->out[0] * p->out[1];
    for (ptrdiff_t i = 2 * first; i < 2 * (first + pairs); i++) {
        const ptrdiff_t image = i / (2 * c->image_pairs), pixel = i % (2 * c->image_pairs);
        const ptrdiff_t y = pixel / p->out[1], x = pixel % p->out[1];
        for (ptrdiff_t o = 0; pixel < pixels && o < 2 * panel->columns; o++) {
            const ptrdiff_t filter = panel->first + o % panel->columns + o / panel->columns * c->columns;
            const char *at =
                (const char *)c->operands->y + ((image * pixels + pixel) * p->out_channels + filter) * c->element;
            if (c->element == 4 ? isfinite(*(const float *)(const void *)at)
                                : isfinite(*(const double *)(const void *)at))
                continue;
            fc_corr2d_by_definition(p, c->operands, image, filter, (fc_range){y, y + 1}, (fc_range){x, x + 1});
        }
    }
}

static ptrdiff_t first_pair(const call *c, ptrdiff_t tile)
{
    return tile * c->tiles.rows + fc_min(tile, c->tiles.taller);
}

static void run_panel(const call *c, slot *s, fc_range tiles, const fc_panel_cut *panel)
{
    const ptrdiff_t width = panel->vectors * c->kernels->lanes, count = tiles.end - tiles.first;
    const ptrdiff_t first = first_pair(c, tiles.first), pairs = fc_min(c->pairs, first_pair(c, tiles.end)) - first;
    const char *b = (const char *)c->operands->prepared + panel->first * c->half * PRODUCTS * c->element;
    const char *bias = c->operands->bias;
    for (int i = 0; i < PRODUCTS; i++)
        for (ptrdiff_t q = 0; q < c->chunks.count; q++) {
            const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
            const int init = q ? steps[i].to : steps[i].init;
            const ptrdiff_t part = steps[i].part * (steps[i].from == FROM_SUMS ? c->sum_step : c->half);
            const ptrdiff_t bytes = chunk.inners * width * c->element;
            for (ptrdiff_t t = tiles.first; t < tiles.end; t++) {
                const void *starts[FC_MAX_TILE_ROWS + 1], *panel_at = b;
                void *out[FC_MAX_TILE_ROWS + 1];
                const bool tall = t < c->tiles.taller;
                const ptrdiff_t row = first_pair(c, t) - first;
                for (ptrdiff_t r = 0; r < c->tiles.rows + tall; r++) {
                    const ptrdiff_t at = (row + r) * width * c->element;
                    starts[r] = init == NOTHING ? (const void *)s->zeros : s->sums[init] + at;
                    out[r] = s->sums[steps[i].to] + at;
                }
                (tall ? c->kernels->taller_tile : c->tiles.tile)[panel->vectors - 1](
                    &(fc_tile){.segments = 1,
                               .depth = chunk.inners,
                               .a = s->a[steps[i].from] + row,
                               .a_offset = part + chunk.inner,
                               .b = &panel_at,
                               .a_step = 1,
                               .b_step = width,
                               .init = starts,
                               .init_step = init == NOTHING ? 0 : c->kernels->lanes,
                               .c = out,
                               .b_ahead = b + bytes + (t - tiles.first) * (bytes / count),
                               .b_ahead_step = bytes / count / chunk.inners});
            }
            b += bytes;
        }
    fc_strassen_join join = {.rows = pairs,
                             .columns = panel->columns,
                             .width = width,
                             .half = c->columns,
                             .even = s->even,
                             .odd = s->odd,
                             .at = panel->first,
                             .bias = {bias ? bias + panel->first * c->element : NULL,
                                      bias ? bias + (c->columns + panel->first) * c->element : NULL}};
    for (int i = 0; i < SUMS; i++) join.sums[i] = s->sums[i];
    if (!c->kernels->strassen_join(&join)) mend(c, first, pairs, panel);
}

static void run_task(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    slot *s = (slot *)(c->workspace->slots + (size_t)slot_number * c->workspace->slot_bytes);
    const ptrdiff_t block = task / c->panel_blocks;
    const fc_range tiles = {fc_cut(c->tiles.count, c->pair_blocks, block),
                            fc_cut(c->tiles.count, c->pair_blocks, block + 1)};
    const ptrdiff_t first = first_pair(c, tiles.first), last = first_pair(c, tiles.end);
    memset(s->zeros, 0, (size_t)((c->p->channels + FC_DEPTH) * c->element));
    for (ptrdiff_t i = first; i < last; i++) {
        find_pair(c, s, fc_min(i, c->pairs - 1), i - first);
        c->kernels->strassen_split(c->half, s->a[FROM_EVEN][i - first], s->a[FROM_ODD][i - first],
                                   sums_of(c, s, i - first), c->sum_step);
    }
    for (ptrdiff_t i = fc_cut(c->panels.count, c->panel_blocks, task % c->panel_blocks);
         i < fc_cut(c->panels.count, c->panel_blocks, task % c->panel_blocks + 1); i++) {
        const fc_panel_cut panel = fc_panel_at(&c->panels, i);
        run_panel(c, s, tiles, &panel);
    }
}

/* Blocks of pairs and of panels, so that threads have even shares: those of panels each make sums of their own. */
static void cut(call *c)
{
    const ptrdiff_t threads = c->p->threads, fewest = fc_ceil_div(c->tiles.count, block_tiles(c->p));
    double least = 0;
    for (ptrdiff_t panels = 1; panels <= fc_min(threads, c->panels.count); panels++) {
        const ptrdiff_t blocks = fc_min(c->tiles.count, fc_round_up(fewest, threads / fc_gcd(threads, panels)));
        const double task =
            (double)fc_ceil_div(c->tiles.count, blocks) * ((double)fc_ceil_div(c->panels.count, panels) + SPLIT_COST);
        const double time = task * (double)fc_ceil_div(blocks * panels, threads);
        if (panels > 1 && time >= least) continue;
        least = time;
        c->pair_blocks = blocks;
        c->panel_blocks = panels;
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[p->dtype],
              .element = (ptrdiff_t)fc_dtype_size(p->dtype),
              .half = p->channels / 2,
              .columns = p->out_channels / 2,
              .image_pairs = image_pairs(p),
              .sum_step = sum_step(p)};
    c.pairs = p->batch * c.image_pairs;
    c.chunks = fc_chunks_of(1, c.half);
    c.panels = panels_of(p);
    c.tiles = tiles_of(p);
    cut(&c);
    fc_parallel_for(c.pair_blocks * c.panel_blocks, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_strassen = {
    .name = "strassen",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .reads_weights = true,
    .prepare = prepare,
    .run = run,
};
