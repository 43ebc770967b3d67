/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_strassen.c -- correlation of NHWC images by one step of Strassen's algorithm, in Winograd's variant: seven
 * products of halves instead of eight.
 *
 * The matrix of what outputs read is cut by even and odd outputs of each image and by halves of the channels, weights by
 * halves of channels and of filters. Outputs that follow each other are alike, mostly, so that what they share of each
 * other's rounding is no more than in a tile of Winograd's. Sums of weights are prepared. A task is some pairs of outputs
 * and some panels of filters; of a part of the depth it makes the sums of pixels, then goes through the seven products of
 * every panel: their results stay in a cache, most go on from each other, and come to the outputs once a part.
 *
 * A NaN or an infinity, or a sum that overflows on the way, spreads over a pair: outputs that come back so are computed by the
 * definition. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/by_definition.h"
#include "algorithms/strassen.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MOST_OUTERS (2 * FC_DEPTH / FC_STRASSEN_CHANNELS) /* taps of a chunk */
#define MOST_TAPS (FC_STRASSEN_CHUNKS * MOST_OUTERS)      /* of a part, each time that it has one */
#define BLOCK_TILES 8                                     /* of one task */
#define MOST_PAIRS (BLOCK_TILES * FC_TALLEST_TILE_ROWS)
#define PIXEL_BYTES (768 * 1024) /* of the sums of pixels of a block */
#define FEWEST_TERMS 384         /* of a sum */
#define FEWEST_FILTERS 128
#define FEWEST_PAIRS 18
#define MANY_PAIRS 48
#define PAIRS_TO_PACK 250
#define LARGE_WEIGHTS (16 << 20) /* that caches do not hold, in bytes */
#define MOST_ROWS 0.91           /* share of the products that is left */
#define SPLIT_COST 0.1           /* of the sums of pixels, in panels */
#define READ_COST 0.2            /* of a panel of weights, in tiles */

enum { FROM_EVEN, FROM_ODD, FROM_SUMS };
enum { SUM_T, SUM_Z, SUM_EVEN_LEFT, SUM_EVEN_RIGHT, SUM_ODD_LEFT, SUMS, NOTHING };

/* The products in the order they are made: of which half of a pixel, or of which of its sums; what they go on from, and what
 * they are then. */
typedef struct step {
    int from, part, init, to;
} step;
static const step steps[FC_STRASSEN_PRODUCTS] = {
    {FROM_EVEN, 0, NOTHING, SUM_T},        /* P1 */
    {FROM_EVEN, 1, SUM_T, SUM_EVEN_LEFT},  /* P1 + P2 */
    {FROM_SUMS, 1, SUM_T, SUM_T},          /* U2 = P1 + P6 */
    {FROM_SUMS, 0, NOTHING, SUM_Z},        /* P5 */
    {FROM_SUMS, 3, SUM_T, SUM_EVEN_RIGHT}, /* U2 + P3 */
    {FROM_SUMS, 2, SUM_T, SUM_T},          /* U3 = U2 + P7 */
    {FROM_ODD, 1, SUM_T, SUM_ODD_LEFT},    /* U3 - P4 */
};

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    fc_strassen_tiles tiles;
    ptrdiff_t element, half, columns; /* channels and filters of a half */
    ptrdiff_t image_pairs, pairs, pair_step;
    fc_chunks chunks; /* outer: taps, inner: channels of a half */
    fc_panels panels;
    ptrdiff_t pair_blocks, panel_blocks;
} call;

/* One thread's memory: where each pair of a block is read, by all taps of a part, and written (`odd` NULL: an image has an odd
 * output less). */
typedef struct slot {
    const void *a[3][MOST_TAPS * MOST_PAIRS]; /* [tile][tap of the part][row] */
    const void *b[MOST_OUTERS];
    void *even[MOST_PAIRS], *odd[MOST_PAIRS];
    _Alignas(64) char products[SUMS][MOST_PAIRS * FC_MAX_PANEL_LANES * 8];
    /* A pixel outside of the image, then the sums of pixels, [pair][tap of the part][4][channel]. */
    _Alignas(64) char zeros[];
} slot;

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NHWC) return "layout is not NHWC";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (p->groups != 1) return "there are groups";
    if (p->channels % 2 || p->out_channels % 2) return "channels or filters are not even";
    if (p->channels < FC_STRASSEN_CHANNELS || !p->out_channels)
        return "sums run over fewer than 32 channels, or there are none to make";
    return NULL;
}

static size_t zero_bytes(const fc_problem *p)
{
    return fc_size_lines(fc_size_mul((size_t)p->channels, fc_dtype_size(p->dtype)));
}

/* From the sums of a pair to the next: these meet in no cache set. */
static ptrdiff_t pair_step(const fc_problem *p)
{
    const fc_chunks chunks = fc_strassen_chunks(p);
    const ptrdiff_t most = fc_min(chunks.count, FC_STRASSEN_CHUNKS) * FC_DEPTH;
    return fc_odd_lines(4 * fc_min(most, chunks.outer * chunks.inner), (ptrdiff_t)fc_dtype_size(p->dtype));
}

static ptrdiff_t block_tiles(const fc_problem *p)
{
    const ptrdiff_t tile = FC_MAX_TILE_ROWS * pair_step(p) * (ptrdiff_t)fc_dtype_size(p->dtype);
    return fc_max(2, fc_min(BLOCK_TILES, PIXEL_BYTES / tile));
}

static size_t slot_bytes(const fc_problem *p)
{
    const ptrdiff_t pairs = block_tiles(p) * FC_TALLEST_TILE_ROWS;
    return fc_size_add(fc_size_add(sizeof(slot), zero_bytes(p)),
                       (size_t)(pairs * pair_step(p)) * fc_dtype_size(p->dtype));
}

/* Measured over maps of 2 to 64 pixels, 64 to 3072 channels, 48 to 3072 filters, one image to eight, in float32 and float64. */
static const char *pass(const fc_problem *p)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t points = p->batch * p->out[0] * p->out[1], pairs = p->batch * fc_strassen_pairs(p);
    if (p->window[0] * p->window[1] * p->channels < FEWEST_TERMS ||
        p->out_channels < (fc_vectors_are_wide(p) ? FEWEST_FILTERS : FEWEST_FILTERS / 2))
        return "there are too few channels on one side";
    if (pairs < (fc_strassen_prepared_bytes(p) > LARGE_WEIGHTS ? MANY_PAIRS : FEWEST_PAIRS))
        return "there are too few outputs";
    if (!p->weights_stay && p->weight_layout == FC_OIHW && p->window[0] * p->window[1] > 1)
        return "others take the taps of a weight together";
    if (!p->weights_stay && pairs < PAIRS_TO_PACK) return "there are too few outputs to add up the weights for";
    const fc_strassen_tiles tiles = fc_strassen_tiles_of(p);
    const ptrdiff_t others =
        fc_min(fc_rows_computed(points, kernels->rows), fc_rows_computed(points, kernels->lower_rows));
    if ((double)(tiles.rows * tiles.count + tiles.taller) * 7 / 4 > MOST_ROWS * (double)others)
        return "much of its tiles would lie outside of the map";
    return NULL;
}

static ptrdiff_t first_pair(const call *c, ptrdiff_t tile)
{
    return tile * c->tiles.rows + fc_min(tile, c->tiles.taller);
}

/* An output of an image, by row and column. */
typedef struct output {
    ptrdiff_t image, at[2];
} output;

static output output_at(const fc_problem *p, ptrdiff_t image, ptrdiff_t index)
{
    return (output){image, {index / p->out[1], index % p->out[1]}};
}

static output next_output(const fc_problem *p, const output *o)
{
    if (o->at[1] + 1 < p->out[1]) return (output){o->image, {o->at[0], o->at[1] + 1}};
    return (output){o->image, {o->at[0] + 1, 0}};
}

/* What it reads by a tap, or zeros where that lies outside. */
static const char *source_of(const call *c, const slot *s, const output *o, ptrdiff_t tap)
{
    const fc_problem *p = c->p;
    const ptrdiff_t row = p->window[1] == 1 ? tap : tap / p->window[1], taps[2] = {row, tap - row * p->window[1]};
    ptrdiff_t from[2];
    for (int i = 0; i < 2; i++) {
        const fc_range inside = fc_taps_inside(p, i, o->at[i]);
        if (taps[i] < inside.first || taps[i] >= inside.end) return s->zeros;
        from[i] = fc_window_start(p, i, o->at[i]) + (taps[i] ? taps[i] * p->dilation[i] : 0);
    }
    return (const char *)c->operands->x +
           ((o->image * p->in[0] + from[0]) * p->in[1] + from[1]) * p->channels * c->element;
}

/* Where a pair is written. */
static void find_outputs(const call *c, slot *s, ptrdiff_t pair, ptrdiff_t at)
{
    const ptrdiff_t outputs = c->p->out[0] * c->p->out[1], pixel = c->p->out_channels * c->element;
    const ptrdiff_t image = pair / c->image_pairs, index = pair % c->image_pairs * 2;
    s->even[at] = (char *)c->operands->y + (image * outputs + index) * pixel;
    s->odd[at] = index + 1 < outputs ? (char *)s->even[at] + pixel : NULL;
}

/* Row `at` of a tile of so many, the `row`-th of the block: what it reads in a part, and the sums of that. */
static void find_inputs(const call *c, slot *s, const fc_strassen_part *depth, ptrdiff_t pair, ptrdiff_t row,
                        ptrdiff_t rows, ptrdiff_t at)
{
    const ptrdiff_t image = pair / c->image_pairs, index = pair % c->image_pairs * 2;
    const output first = output_at(c->p, image, index), second = next_output(c->p, &first);
    const char *even = NULL, *odd = s->zeros;
    char *sums = s->zeros + zero_bytes(c->p) + (row + at) * c->pair_step * c->element;
    ptrdiff_t place = row * depth->taps + at, known = -1; /* where even and odd are those of tap `known` */
    for (const fc_chunk *q = depth->chunk; q < depth->chunk + depth->chunks; q++)
        for (ptrdiff_t t = q->outer; t < q->outer + q->outers; t++) {
            const ptrdiff_t inner = q->inner * c->element;
            if (t != known) {
                even = source_of(c, s, &first, t);
                if (s->odd[row + at]) odd = source_of(c, s, &second, t);
                known = t;
            }
            s->a[FROM_EVEN][place] = even + inner;
            s->a[FROM_ODD][place] = odd + inner;
            s->a[FROM_SUMS][place] = sums;
            c->kernels->strassen_split(q->inners, c->half, even + inner, odd + inner, sums);
            place += rows;
            sums += 4 * q->inners * c->element;
        }
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
            const ptrdiff_t at = (image * pixels + pixel) * p->out_channels + filter;
            if (fc_is_finite(c->operands->y, at, c->element)) continue;
            fc_corr2d_by_definition(p, c->operands, image, filter, (fc_range){y, y + 1}, (fc_range){x, x + 1});
        }
    }
}

/* A product of one chunk, for all tiles: `taps` of the part, from `tap` on. */
static void run_chunk(const call *c, slot *s, const step *product, int init, const fc_chunk *chunk, ptrdiff_t taps,
                      ptrdiff_t tap, fc_range tiles, ptrdiff_t vectors, const char *b)
{
    const ptrdiff_t width = vectors * c->kernels->lanes, first = first_pair(c, tiles.first);
    const ptrdiff_t segment = chunk->inners * width * c->element, bytes = chunk->outers * segment;
    const ptrdiff_t ahead = bytes / (tiles.end - tiles.first); /* of a tile */
    for (ptrdiff_t u = 0; u < chunk->outers; u++) s->b[u] = b + u * segment;
    for (ptrdiff_t t = tiles.first; t < tiles.end; t++) {
        const void *starts[FC_TALLEST_TILE_ROWS];
        void *out[FC_TALLEST_TILE_ROWS];
        const bool tall = t < c->tiles.taller;
        const ptrdiff_t row = first_pair(c, t) - first, rows = c->tiles.rows + tall;
        for (ptrdiff_t r = 0; r < rows; r++) {
            const ptrdiff_t at = (row + r) * width * c->element;
            starts[r] = init == NOTHING ? (const void *)s->zeros : s->products[init] + at;
            out[r] = s->products[product->to] + at;
        }
        (tall ? c->kernels->taller_tile : c->tiles.tile)[vectors - 1](
            &(fc_tile){.segments = chunk->outers,
                       .depth = chunk->inners,
                       .a = s->a[product->from] + row * taps + tap * rows,
                       .a_offset = product->part * (product->from == FROM_SUMS ? chunk->inners : c->half),
                       .b = s->b,
                       .a_step = 1,
                       .b_step = width,
                       .init = starts,
                       .init_step = init == NOTHING ? 0 : c->kernels->lanes,
                       .c = out,
                       .b_ahead = b + bytes + (t - tiles.first) * ahead,
                       .b_ahead_step = ahead / (chunk->outers * chunk->inners)});
    }
}

/* The seven products of one part and panel, put together. */
static void run_panel(const call *c, slot *s, const fc_strassen_part *depth, fc_range tiles, const fc_panel_cut *panel)
{
    const ptrdiff_t width = panel->vectors * c->kernels->lanes;
    const ptrdiff_t first = first_pair(c, tiles.first), pairs = fc_min(c->pairs, first_pair(c, tiles.end)) - first;
    const char *b = (const char *)c->operands->prepared + fc_strassen_weights_at(&c->panels, depth, panel) * c->element;
    const char *bias = c->operands->bias;
    for (int i = 0; i < FC_STRASSEN_PRODUCTS; i++) {
        ptrdiff_t tap = 0;
        for (const fc_chunk *q = depth->chunk; q < depth->chunk + depth->chunks; q++) {
            const int init = q == depth->chunk ? steps[i].init : steps[i].to;
            run_chunk(c, s, &steps[i], init, q, depth->taps, tap, tiles, panel->vectors, b);
            b += q->outers * q->inners * width * c->element;
            tap += q->outers;
        }
    }
    fc_strassen_join join = {.rows = pairs,
                             .columns = panel->columns,
                             .width = width,
                             .half = c->columns,
                             .at = panel->first,
                             .even = s->even,
                             .odd = s->odd,
                             .add = depth->before > 0,
                             .bias = {bias ? bias + panel->first * c->element : NULL,
                                      bias ? bias + (c->columns + panel->first) * c->element : NULL}};
    for (int i = 0; i < SUMS; i++) join.sums[i] = s->products[i];
    const bool finite = c->kernels->strassen_join(&join);
    if (depth->last && !finite) mend(c, first, pairs, panel);
}

static void run_task(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    slot *s = (slot *)(c->workspace->slots + (size_t)slot_number * c->workspace->slot_bytes);
    const ptrdiff_t block = task / c->panel_blocks, panel_block = task % c->panel_blocks;
    const fc_range panels = {fc_cut(c->panels.count, c->panel_blocks, panel_block),
                             fc_cut(c->panels.count, c->panel_blocks, panel_block + 1)};
    const fc_range tiles = {fc_cut(c->tiles.count, c->pair_blocks, block),
                            fc_cut(c->tiles.count, c->pair_blocks, block + 1)};
    const ptrdiff_t first = first_pair(c, tiles.first), end = first_pair(c, tiles.end);
    memset(s->zeros, 0, zero_bytes(c->p));
    for (ptrdiff_t i = first; i < end; i++) find_outputs(c, s, fc_min(i, c->pairs - 1), i - first);
    for (ptrdiff_t i = 0; i < fc_strassen_parts(&c->chunks); i++) {
        const fc_strassen_part depth = fc_strassen_part_at(&c->chunks, i);
        for (ptrdiff_t t = tiles.first; t < tiles.end; t++) {
            const ptrdiff_t pair = first_pair(c, t), rows = first_pair(c, t + 1) - pair;
            for (ptrdiff_t r = 0; r < rows; r++)
                find_inputs(c, s, &depth, fc_min(pair + r, c->pairs - 1), pair - first, rows, r);
        }
        for (ptrdiff_t k = panels.first; k < panels.end; k++) {
            const fc_panel_cut panel = fc_spread_panel_at(&c->panels, k);
            run_panel(c, s, &depth, tiles, &panel);
        }
    }
}

/* Blocks of pairs and of panels, so that threads have even shares: those of panels each make sums of their own, and those of
 * pairs each read the weights. */
static void cut(call *c)
{
    const ptrdiff_t threads = c->p->threads, fewest = fc_ceil_div(c->tiles.count, block_tiles(c->p));
    double least = 0;
    for (ptrdiff_t panels = 1; panels <= fc_min(threads, c->panels.count); panels++) {
        const ptrdiff_t unit = threads / fc_gcd(threads, panels);
        for (ptrdiff_t more = 0; more < 3; more++) {
            const ptrdiff_t blocks = fc_min(c->tiles.count, fc_round_up(fewest, unit) + more * unit);
            const double task = ((double)fc_ceil_div(c->tiles.count, blocks) + READ_COST) *
                                ((double)fc_ceil_div(c->panels.count, panels) + SPLIT_COST);
            const double time = task * (double)fc_ceil_div(blocks * panels, threads);
            if (c->pair_blocks && time >= least) continue;
            least = time;
            c->pair_blocks = blocks;
            c->panel_blocks = panels;
        }
    }
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[p->dtype],
              .tiles = fc_strassen_tiles_of(p),
              .element = (ptrdiff_t)fc_dtype_size(p->dtype),
              .half = p->channels / 2,
              .columns = p->out_channels / 2,
              .image_pairs = fc_strassen_pairs(p),
              .pairs = p->batch * fc_strassen_pairs(p),
              .pair_step = pair_step(p),
              .chunks = fc_strassen_chunks(p),
              .panels = fc_strassen_panels(p)};
    cut(&c);
    fc_parallel_for(c.pair_blocks * c.panel_blocks, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_strassen = {
    .name = "strassen",
    .decline = decline,
    .pass = pass,
    .slot_bytes = slot_bytes,
    .prepared_bytes = fc_strassen_prepared_bytes,
    .reads_weights = true,
    .prepare = fc_strassen_prepare,
    .run = run,
};
