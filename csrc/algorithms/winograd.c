/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/winograd.h"

#include <math.h>

#include "algorithms/blocking.h"
#include "algorithms/by_definition.h"
#include "algorithms/grid.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MOST_CHANNELS ((ptrdiff_t)1 << 24) /* sizes of transforms stay far from overflow */
#define MOST_DEPTH 128 /* channels of one chain of sums: U of a piece of them fits a second-level cache */
#define FEW_OUTPUTS 100
#define MANY_WEIGHTS 1.6e6  /* whose transforms, of 3x3 four times as many, leave the caches */
#define ROW_UNIT 8          /* whole tiles of products */
#define MOST_TILES_APART 48 /* of a block that is a task */
#define FEWEST_TILES_APART 16
#define APART_BYTES (320 * 1024)             /* of its V, aimed at */
#define BLOCKS_APART 16                      /* so many blocks keep every thread busy */
#define SHARED_BYTES (8 * 1024 * 1024)       /* of V, aimed at where the threads share it */
#define LATE_SHARED_BYTES (32 * 1024 * 1024) /* of V, at most where it waits for pieces of U */
#define LATE_BYTES (4 * 1024 * 1024)         /* of U, from which on it is not made for all filters at once */

/* Tried in this order. */
static const struct {
    fc_winograd_form form;
    ptrdiff_t stride, taps[2], tile[2];
} forms[] = {{FC_WINOGRAD_3X3, 1, {3, 3}, {4, 4}}, {FC_WINOGRAD_3X3_APART, 2, {3, 3}, {2, 2}},
             {FC_WINOGRAD_5X5, 1, {5, 5}, {2, 2}}, {FC_WINOGRAD_3, 1, {1, 3}, {1, 4}},
             {FC_WINOGRAD_3, 1, {3, 1}, {4, 1}},   {FC_WINOGRAD_7, 1, {1, 7}, {1, 3}},
             {FC_WINOGRAD_7, 1, {7, 1}, {3, 1}}};
enum { FORMS = sizeof forms / sizeof forms[0] };

static int form_of(const fc_problem *p)
{
    for (int i = 0; i < FORMS; i++)
        if (p->window[0] == forms[i].taps[0] && p->window[1] == forms[i].taps[1] && p->stride[0] == forms[i].stride &&
            p->stride[1] == forms[i].stride)
            return i;
    return FORMS;
}

const char *fc_winograd_decline(const fc_problem *p)
{
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (form_of(p) == FORMS) return "kernel is not 3x3, 5x5, 1x3, 3x1, 1x7 or 7x1 with stride 1, or 3x3 with stride 2";
    if ((p->dilation[0] != 1 && p->window[0] > 1) || (p->dilation[1] != 1 && p->window[1] > 1))
        return "dilation is not 1";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (p->channels > MOST_CHANNELS || p->out_channels > MOST_CHANNELS) return "there are more than 2^24 channels";
    if (p->batch > INT32_MAX) return "there are more than 2^31 images";
    return NULL;
}

/* Of every second pixel there is less to save, and nothing where tiles reach far beyond the map. */
static const char *pass_apart(const fc_problem *p)
{
    const double outputs = (double)p->out[0] * (double)p->out[1];
    const double computed = 4.0 * (double)fc_ceil_div(p->out[0], 2) * (double)fc_ceil_div(p->out[1], 2);
    if (computed > 1.15 * outputs) return "much of its tiles would lie outside of the map";
    if ((double)p->batch * outputs < (p->weights_stay ? 48 : FEW_OUTPUTS))
        return "there are too few outputs to transform the weights for";
    return NULL;
}

/* Measured over maps of 4 to 224 pixels and 8 to 512 channels: transforms of few channels cost more than they save, those
 * of raw weights are paid in every call, and lines save less. */
const char *fc_winograd_pass(const fc_problem *p)
{
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t taps = p->window[0] * p->window[1];
    const bool line = p->window[0] == 1 || p->window[1] == 1, apart = p->stride[0] > 1;
    const ptrdiff_t fewest = line ? (p->weights_stay ? 32 : 64) : apart ? 32 : p->layout == FC_NCHW ? 12 : 8;
    const double outputs = (double)p->batch * (double)p->out[0] * (double)p->out[1];
    if (channels < fewest || filters < fewest) return "there are too few channels on one side";
    if (p->weights_stay && outputs < FEW_OUTPUTS && (double)channels * (double)filters * (double)taps > MANY_WEIGHTS)
        return "there are too few outputs for transformed weights that no cache holds";
    if (apart) return pass_apart(p);
    if (outputs < (p->weights_stay && taps > 9 ? 12 : 48))
        return "there are too few outputs to transform the weights for";
    return NULL;
}

static ptrdiff_t round_up(ptrdiff_t count, ptrdiff_t unit) { return fc_ceil_div(count, unit) * unit; }

/* Elements in an odd number of cache lines: what lies so far apart does not meet in one cache set. */
static ptrdiff_t odd_lines(ptrdiff_t elements, ptrdiff_t element)
{
    const ptrdiff_t line = FC_CACHE_LINE / element;
    return (fc_ceil_div(elements, line) | 1) * line;
}

/* Where V and M fit a second-level cache, or else so many that what is read from U is used often enough. */
static ptrdiff_t tiles_apart(ptrdiff_t tile_bytes)
{
    const ptrdiff_t tiles = APART_BYTES / tile_bytes / FEWEST_TILES_APART * FEWEST_TILES_APART;
    return tiles ? fc_min(tiles, MOST_TILES_APART) : MOST_TILES_APART;
}

fc_winograd_plan fc_winograd_plan_of(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), lanes = p->kernels->gemm[p->dtype].lanes;
    const ptrdiff_t slack = FC_MAX_TILE_ROWS; /* products compute whole tiles */
    const int form = form_of(p);
    fc_winograd_plan s = {.form = forms[form].form,
                          .stride = forms[form].stride,
                          .frequencies = 1,
                          .channels = p->channels / p->groups,
                          .filters = p->out_channels / p->groups,
                          .m_row = FC_WINOGRAD_PIECE};
    for (int i = 0; i < 2; i++) {
        s.tile[i] = forms[form].tile[i];
        s.window[i] = (s.tile[i] - 1) * s.stride + p->window[i];
        s.frequencies *= s.window[i];
    }
    s.tile_rows = fc_ceil_div(p->out[0], s.tile[0]);
    s.tiles = fc_ceil_div(p->out[1], s.tile[1]);
    s.total = p->batch * s.tile_rows * s.tiles;
    s.block = tiles_apart(s.frequencies * s.channels * element);
    s.apart = s.total >= BLOCKS_APART * s.block;
    if (!s.apart) s.block = round_up(fc_max(1, fc_min(s.total, FC_WINOGRAD_PIECE)), ROW_UNIT);
    s.blocks = fc_ceil_div(s.total, s.block);
    s.depth = round_up(fc_ceil_div(s.channels, fc_ceil_div(s.channels, MOST_DEPTH)), FC_MAX_LANES);
    s.chunks = fc_ceil_div(s.channels, s.depth);
    s.piece = round_up(fc_min(s.filters, FC_WINOGRAD_PIECE), lanes);
    s.pieces = fc_ceil_div(s.filters, s.piece);
    s.v_row = round_up(s.channels, lanes);
    s.v_frequency = odd_lines((s.block + slack) * s.v_row, element);
    s.v_block = odd_lines(s.frequencies * s.v_frequency, element);
    s.u_frequency = odd_lines(s.depth * s.piece, element);
    s.u_chunk = s.frequencies * s.u_frequency;
    s.u_piece = s.chunks * s.u_chunk;
    s.u_group = s.pieces * s.u_piece;
    s.late = !p->weights_stay && !s.apart && s.u_group * element >= LATE_BYTES &&
             s.blocks * s.v_block * element <= LATE_SHARED_BYTES;
    s.wave = s.apart ? 1 : s.late ? s.blocks : fc_min(s.blocks, fc_max(1, SHARED_BYTES / (s.v_block * element)));
    s.m_frequency = odd_lines((FC_WINOGRAD_PIECE + slack) * s.m_row, element);
    return s;
}

static size_t v_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines(fc_size_mul((size_t)(s->wave * s->v_block), fc_dtype_size(p->dtype)));
}

static size_t m_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines((size_t)(s->frequencies * s->m_frequency) * fc_dtype_size(p->dtype));
}

static const fc_winograd_methods *methods_of(const fc_problem *p)
{
    return p->layout == FC_NCHW ? &fc_winograd_on_planes : &fc_winograd_on_pixels;
}

static size_t scratch_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return methods_of(p)->scratch_bytes(p, s);
}

/* V, where threads share it. */
size_t fc_winograd_shared_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    return s.apart ? 0 : v_bytes(p, &s);
}

/* The scratch of a transform, then M, then V where each thread has its own. Where U is made late: M of all blocks, then a
 * chunk of U. */
size_t fc_winograd_slot_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    const size_t rest = s.apart  ? v_bytes(p, &s)
                        : s.late ? fc_size_lines((size_t)s.u_chunk * fc_dtype_size(p->dtype))
                                 : 0;
    return fc_size_add(fc_size_add(scratch_bytes(p, &s), fc_size_mul(m_bytes(p, &s), s.late ? (size_t)s.blocks : 1)),
                       rest);
}

/* ---- the call ----------------------------------------------------------------------------------------------------- */

typedef struct work {
    fc_winograd_call call;
    const fc_winograd_methods *methods;
    const fc_workspace *workspace;
    ptrdiff_t group, first_block, blocks; /* of a wave */
} work;

/* Where piece `piece` of the tiles begins when these are cut between the rows of products: a piece is no larger than a
 * block. */
static ptrdiff_t cut_tiles(ptrdiff_t tiles, ptrdiff_t pieces, ptrdiff_t piece)
{
    return fc_min(tiles, fc_cut(fc_ceil_div(tiles, ROW_UNIT), pieces, piece) * ROW_UNIT);
}

static fc_winograd_block block_at(const fc_winograd_call *c, ptrdiff_t group, ptrdiff_t index, char *v)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t first = cut_tiles(s->total, s->blocks, index);
    return (fc_winograd_block){group, first, cut_tiles(s->total, s->blocks, index + 1) - first, v};
}

/* The products of one frequency, panel of the filters and chunk of the channels. */
typedef struct product {
    ptrdiff_t frequency, panel, chunk;
} product;

static const char *panel_of(const fc_winograd_call *c, const fc_panels *panels, const product *at, const char *u)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t first = fc_panel_at(panels, at->panel).first, depth = fc_winograd_chunk_at(s, at->chunk).depth;
    return u + (at->frequency * s->u_frequency + first * depth) * c->element;
}

/* Brings `next`, the panel behind it, and the same rows of the next frequency of V. */
static void multiply_panel(const fc_winograd_call *c, const fc_winograd_block *block, const fc_panels *panels,
                           const product *at, const char *b, const char *next, char *m)
{
    const fc_winograd_plan *s = &c->plan;
    const fc_panel_cut cut = fc_panel_at(panels, at->panel);
    const fc_winograd_chunk chunk = fc_winograd_chunk_at(s, at->chunk);
    const ptrdiff_t width = cut.vectors * c->kernels->lanes, rows = fc_product_rows(c->kernels, cut.vectors);
    const char *a = block->v + (at->frequency * s->v_frequency + chunk.first) * c->element;
    c->kernels->product[cut.vectors - 1](&(fc_panel_product){
        .rows = block->tiles,
        .depth = chunk.depth,
        .a = a,
        .a_row = s->v_row,
        .b = b,
        .b_row = width,
        .c = m + (at->frequency * s->m_frequency + cut.first) * c->element,
        .c_row = s->m_row,
        .add = at->chunk > 0,
        .ahead = {next, a + s->v_frequency * c->element},
        .ahead_step = {fc_ceil_div(width * c->element, fc_ceil_div(block->tiles, rows)), rows * c->element}});
}

/* M of a block and a piece whose U is at hand. */
static void multiply(const fc_winograd_call *c, const fc_winograd_block *block, ptrdiff_t filters, const char *u,
                     char *m)
{
    const fc_winograd_plan *s = &c->plan;
    const fc_panels panels = fc_panels_of(filters, c->kernels->lanes, c->kernels->product_vectors);
    const char *next = u;
    product at;
    for (at.frequency = 0; at.frequency < s->frequencies; at.frequency++)
        for (at.panel = 0; at.panel < panels.count; at.panel++)
            for (at.chunk = 0; at.chunk < s->chunks; at.chunk++) {
                const char *b = next;
                product behind = at;
                if (++behind.chunk == s->chunks) {
                    behind.chunk = 0;
                    if (++behind.panel == panels.count) behind.panel = 0, behind.frequency++;
                }
                next = panel_of(c, &panels, &behind, u + behind.chunk * s->u_chunk * c->element);
                multiply_panel(c, block, &panels, &at, b, next, m);
            }
}

static fc_winograd_piece piece_at(const work *w, ptrdiff_t index, char *m, char *scratch)
{
    const fc_winograd_plan *s = &w->call.plan;
    const ptrdiff_t filter = index * s->piece;
    return (fc_winograd_piece){filter, fc_min(s->piece, s->filters - filter), m, scratch};
}

static void run_piece(const work *w, const fc_winograd_block *block, ptrdiff_t index, char *slot)
{
    const fc_winograd_plan *s = &w->call.plan;
    const char *u =
        (const char *)w->call.operands->prepared + (block->group * s->u_group + index * s->u_piece) * w->call.element;
    const fc_winograd_piece piece = piece_at(w, index, slot + scratch_bytes(w->call.p, s), slot);
    multiply(&w->call, block, piece.filters, u, piece.m);
    w->methods->output(&w->call, block, &piece);
}

static char *slot_at(const work *w, int slot) { return w->workspace->slots + (size_t)slot * w->workspace->slot_bytes; }

static void run_block(void *context, ptrdiff_t task, int slot_number)
{
    const work *w = context;
    const fc_winograd_plan *s = &w->call.plan;
    char *slot = slot_at(w, slot_number), *v = slot + scratch_bytes(w->call.p, s) + m_bytes(w->call.p, s);
    const fc_winograd_block block = block_at(&w->call, task / s->blocks, task % s->blocks, v);
    w->methods->input(&w->call, &block, 0, w->methods->parts(&w->call, block.tiles), slot);
    for (ptrdiff_t i = 0; i < s->pieces; i++) run_piece(w, &block, i, slot);
}

static fc_winograd_block block_of_wave(const work *w, ptrdiff_t index)
{
    return block_at(&w->call, w->group, w->first_block + index,
                    w->workspace->shared + index * w->call.plan.v_block * w->call.element);
}

static void transform_inputs(void *context, ptrdiff_t task, int slot)
{
    const work *w = context;
    const ptrdiff_t parts = w->methods->parts(&w->call, w->call.plan.block), part = task % parts;
    const fc_winograd_block block = block_of_wave(w, task / parts);
    if (part < w->methods->parts(&w->call, block.tiles))
        w->methods->input(&w->call, &block, part, part + 1, slot_at(w, slot));
}

/* A piece of the filters and a block of the wave. */
static void run_shared_piece(void *context, ptrdiff_t task, int slot)
{
    const work *w = context;
    const fc_winograd_block block = block_of_wave(w, task % w->blocks);
    run_piece(w, &block, task / w->blocks, slot_at(w, slot));
}

/* A piece of the filters and all blocks: its transformed weights, which no other thread sees, chunk by chunk, so that
 * they are used while they are in a near cache. */
static void run_late_piece(void *context, ptrdiff_t task, int slot_number)
{
    const work *w = context;
    const fc_winograd_call *c = &w->call;
    const fc_winograd_plan *s = &c->plan;
    const size_t block_bytes = m_bytes(c->p, s);
    char *slot = slot_at(w, slot_number), *m = slot + scratch_bytes(c->p, s), *u = m + (size_t)s->blocks * block_bytes;
    fc_winograd_piece piece = piece_at(w, task, m, slot);
    const fc_panels panels = fc_panels_of(piece.filters, c->kernels->lanes, c->kernels->product_vectors);
    product at;
    for (at.chunk = 0; at.chunk < s->chunks; at.chunk++) {
        fc_winograd_prepare_chunk(c->p, s, c->operands->w, w->group, task, at.chunk, u);
        for (ptrdiff_t i = 0; i < w->blocks; i++) {
            const fc_winograd_block block = block_of_wave(w, i);
            for (at.frequency = 0; at.frequency < s->frequencies; at.frequency++)
                for (at.panel = 0; at.panel < panels.count; at.panel++) {
                    const char *b = panel_of(c, &panels, &at, u);
                    multiply_panel(c, &block, &panels, &at, b, b, m + (size_t)i * block_bytes);
                }
        }
    }
    for (ptrdiff_t i = 0; i < w->blocks; i++, piece.m += block_bytes) {
        const fc_winograd_block block = block_of_wave(w, i);
        w->methods->output(c, &block, &piece);
    }
}

void fc_winograd_forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    work w = {.call = {.p = p,
                       .operands = operands,
                       .kernels = &p->kernels->gemm[p->dtype],
                       .element = (ptrdiff_t)fc_dtype_size(p->dtype),
                       .plan = fc_winograd_plan_of(p)},
              .methods = methods_of(p),
              .workspace = workspace};
    const fc_winograd_plan *s = &w.call.plan;
    if (s->apart) {
        fc_parallel_for(p->groups * s->blocks, workspace->threads, true, run_block, &w);
        return;
    }
    for (w.group = 0; w.group < p->groups; w.group++)
        for (w.first_block = 0; w.first_block < s->blocks; w.first_block += s->wave) {
            w.blocks = fc_min(s->wave, s->blocks - w.first_block);
            fc_parallel_for(w.blocks * w.methods->parts(&w.call, s->block), workspace->threads, true, transform_inputs,
                            &w);
            if (s->late)
                fc_parallel_for(s->pieces, workspace->threads, true, run_late_piece, &w);
            else
                fc_parallel_for(w.blocks * s->pieces, workspace->threads, true, run_shared_piece, &w);
        }
}

void fc_winograd_find_pixels(const fc_winograd_call *c, const fc_winograd_area *area, ptrdiff_t y, ptrdiff_t x,
                             const char *zeros, const void **pixel)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t step = area->pixel_bytes, columns = area->to[1] - area->from[1];
    const ptrdiff_t top = y * s->stride - c->p->pad_before[0], left = x * s->stride - c->p->pad_before[1];
    const bool whole = left >= area->from[1] && left + s->window[1] <= area->to[1];
    for (ptrdiff_t i = top; i < top + s->window[0]; i++, pixel += s->window[1]) {
        const bool row_inside = i >= area->from[0] && i < area->to[0];
        const char *row = row_inside ? area->pixels + (i - area->from[0]) * columns * step : zeros;
        if (row_inside && whole) {
            const char *first = row + (left - area->from[1]) * step;
            for (ptrdiff_t j = 0; j < s->window[1]; j++) pixel[j] = first + j * step;
        } else {
            for (ptrdiff_t j = 0; j < s->window[1]; j++) {
                const ptrdiff_t column = left + j;
                const bool inside = row_inside && column >= area->from[1] && column < area->to[1];
                pixel[j] = inside ? row + (column - area->from[1]) * step : zeros;
            }
        }
    }
}

void fc_winograd_mend(const fc_winograd_call *c, const fc_winograd_run *tile, ptrdiff_t filter, const void *outputs,
                      const ptrdiff_t steps[2])
{
    const ptrdiff_t rows = fc_min(c->plan.tile[0], c->p->out[0] - tile->y);
    const ptrdiff_t columns = fc_min(c->plan.tile[1], c->p->out[1] - tile->x);
    bool finite = true;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++) {
            const ptrdiff_t at = i * steps[0] + j * steps[1];
            finite &=
                c->element == 4 ? isfinite(((const float *)outputs)[at]) : isfinite(((const double *)outputs)[at]);
        }
    if (!finite)
        fc_corr2d_by_definition(c->p, c->operands, tile->image, filter, (fc_range){tile->y, tile->y + rows},
                                (fc_range){tile->x, tile->x + columns});
}
