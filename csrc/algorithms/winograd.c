/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/winograd.h"

#include <math.h>

#include "algorithms/blocking.h"
#include "algorithms/by_definition.h"
#include "algorithms/grid.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MOST_CHANNELS ((ptrdiff_t)1 << 24) /* sizes of transforms stay far from overflow */
#define MOST_TILES_APART 48                /* of a block that is a task */
#define FEWEST_TILES_APART 16
#define APART_BYTES (320 * 1024)       /* of its V, aimed at */
#define BLOCKS_APART 16                /* so many blocks keep every thread busy */
#define SHARED_BYTES (8 * 1024 * 1024) /* of V, aimed at where the threads share it */
#define LATE_BYTES (4 * 1024 * 1024)   /* of U, from which on it is not made for all filters at once */
#define CHANNELS_A_TASK 4
#define TILES_A_TASK 8

const char *fc_winograd_decline(const fc_problem *p)
{
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (p->window[0] != 3 || p->window[1] != 3) return "kernel is not 3x3";
    if (p->stride[0] != 1 || p->stride[1] != 1) return "stride is not 1";
    if (p->dilation[0] != 1 || p->dilation[1] != 1) return "dilation is not 1";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (p->channels > MOST_CHANNELS || p->out_channels > MOST_CHANNELS) return "there are more than 2^24 channels";
    if (p->batch > INT32_MAX) return "there are more than 2^31 images";
    return NULL;
}

/* Measured: transforms of few channels cost more than they save, and those of raw weights are paid in every call. */
const char *fc_winograd_pass(const fc_problem *p)
{
    const ptrdiff_t channels = p->channels / p->groups, filters = p->out_channels / p->groups;
    const ptrdiff_t fewest = p->layout == FC_NCHW ? 16 : 8;
    const double tiles =
        (double)p->batch * (double)p->out[0] * (double)p->out[1] / (FC_WINOGRAD_TILE * FC_WINOGRAD_TILE);
    if (channels < fewest || filters < fewest) return "there are too few channels on one side";
    if (tiles < (p->weights_stay ? 3 : 12)) return "there are too few outputs to transform the weights for";
    if (tiles < 32 && channels < 24) return "there are too few outputs for so few channels";
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
    fc_winograd_plan s = {.channels = p->channels / p->groups,
                          .filters = p->out_channels / p->groups,
                          .tile_rows = fc_ceil_div(p->out[0], FC_WINOGRAD_TILE),
                          .tiles = fc_ceil_div(p->out[1], FC_WINOGRAD_TILE),
                          .m_row = FC_WINOGRAD_PIECE};
    s.total = p->batch * s.tile_rows * s.tiles;
    const ptrdiff_t tile_bytes = FC_FREQUENCIES * s.channels * element;
    s.block = tiles_apart(tile_bytes);
    s.apart = s.total >= BLOCKS_APART * s.block;
    if (!s.apart) s.block = round_up(fc_max(1, fc_min(s.total, FC_WINOGRAD_PIECE)), lanes);
    s.blocks = fc_ceil_div(s.total, s.block);
    s.depth = round_up(fc_ceil_div(s.channels, fc_ceil_div(s.channels, FC_DEPTH)), FC_MAX_LANES);
    s.chunks = fc_ceil_div(s.channels, s.depth);
    s.piece = round_up(fc_min(s.filters, FC_WINOGRAD_PIECE), lanes);
    s.pieces = fc_ceil_div(s.filters, s.piece);
    if (p->layout == FC_NCHW) {
        s.v_row = s.block;
        s.v_frequency = odd_lines(s.channels * s.v_row, element);
        s.u_frequency = odd_lines(s.piece * round_up(s.channels, FC_MAX_LANES), element);
        s.h_row = FC_WINOGRAD_TILE * (fc_min(s.block, s.tiles) + 3 * lanes);
    } else {
        s.v_row = round_up(s.channels, lanes);
        s.v_frequency = odd_lines((s.block + slack) * s.v_row, element);
        s.u_frequency = odd_lines(s.channels * s.piece, element);
        s.h_row = s.v_row;
    }
    s.u_piece = FC_FREQUENCIES * s.u_frequency;
    s.u_group = s.pieces * s.u_piece + slack * s.depth;
    s.v_block = odd_lines(FC_FREQUENCIES * s.v_frequency, element);
    s.wave = s.apart ? 1 : fc_min(s.blocks, fc_max(1, SHARED_BYTES / (s.v_block * element)));
    s.late = !p->weights_stay && !s.apart && s.wave == s.blocks && s.u_group * element >= LATE_BYTES;
    s.m_frequency = odd_lines((FC_WINOGRAD_PIECE + slack) * s.m_row, element);
    return s;
}

static size_t v_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines(fc_size_mul((size_t)(s->wave * s->v_block), fc_dtype_size(p->dtype)));
}

static size_t m_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines((size_t)(FC_FREQUENCIES * s->m_frequency) * fc_dtype_size(p->dtype));
}

static size_t scratch_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    const ptrdiff_t window = (FC_WINOGRAD_WINDOW + 1) * s->h_row;
    const ptrdiff_t outputs = FC_WINOGRAD_TILE * FC_WINOGRAD_TILE * s->m_row;
    return fc_size_lines(fc_size_mul((size_t)fc_max(window, outputs), fc_dtype_size(p->dtype)));
}

/* V, where threads share it. */
size_t fc_winograd_shared_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    return s.apart ? 0 : v_bytes(p, &s);
}

/* One piece of U, and what a product reads too much. */
static size_t u_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines((size_t)(s->u_piece + FC_MAX_TILE_ROWS * s->depth) * fc_dtype_size(p->dtype));
}

/* M, the scratch of a transform, then V where each thread has its own, or a piece of U where it is made late. */
size_t fc_winograd_slot_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    return fc_size_add(fc_size_add(m_bytes(p, &s), scratch_bytes(p, &s)), s.apart  ? v_bytes(p, &s)
                                                                          : s.late ? u_bytes(p, &s)
                                                                                   : 0);
}

/* ---- the call ----------------------------------------------------------------------------------------------------- */

typedef struct work {
    fc_winograd_call call;
    const fc_winograd_methods *methods;
    const fc_workspace *workspace;
    ptrdiff_t group, first_block, blocks; /* of a wave */
} work;

static ptrdiff_t inputs_of(const fc_winograd_call *c, ptrdiff_t tiles)
{
    return c->p->layout == FC_NCHW ? c->plan.channels : tiles;
}

static ptrdiff_t inputs_a_task(const fc_problem *p) { return p->layout == FC_NCHW ? CHANNELS_A_TASK : TILES_A_TASK; }

/* Where piece `piece` of the tiles begins when these are cut between panels, or between vectors where a block does not
 * hold whole panels: a piece is no larger than a block. */
static ptrdiff_t cut_tiles(const fc_winograd_call *c, ptrdiff_t tiles, ptrdiff_t pieces, ptrdiff_t piece)
{
    const ptrdiff_t lanes = c->kernels->lanes, panel = lanes * c->kernels->product_vectors;
    const ptrdiff_t width = c->p->layout == FC_NCHW && c->plan.block % panel == 0 ? panel : lanes;
    return fc_min(tiles, fc_cut(fc_ceil_div(tiles, width), pieces, piece) * width);
}

static fc_winograd_block block_at(const fc_winograd_call *c, ptrdiff_t group, ptrdiff_t index, char *v)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t first = cut_tiles(c, s->total, s->blocks, index);
    return (fc_winograd_block){group, first, cut_tiles(c, s->total, s->blocks, index + 1) - first, v};
}

static const char *prepared_piece(const work *w, ptrdiff_t group, ptrdiff_t index)
{
    const fc_winograd_plan *s = &w->call.plan;
    return (const char *)w->call.operands->prepared + (group * s->u_group + index * s->u_piece) * w->call.element;
}

static void run_piece(const work *w, const fc_winograd_block *block, ptrdiff_t index, const char *u, char *slot)
{
    const fc_winograd_plan *s = &w->call.plan;
    const ptrdiff_t filter = index * s->piece;
    const fc_winograd_piece piece = {.filter = filter,
                                     .filters = fc_min(s->piece, s->filters - filter),
                                     .u = u,
                                     .m = slot,
                                     .scratch = slot + m_bytes(w->call.p, s)};
    w->methods->multiply(&w->call, block, &piece);
    w->methods->output(&w->call, block, &piece);
}

static char *slot_at(const work *w, int slot) { return w->workspace->slots + (size_t)slot * w->workspace->slot_bytes; }

static void run_block(void *context, ptrdiff_t task, int slot_number)
{
    const work *w = context;
    const fc_winograd_plan *s = &w->call.plan;
    char *slot = slot_at(w, slot_number), *v = slot + m_bytes(w->call.p, s) + scratch_bytes(w->call.p, s);
    const fc_winograd_block block = block_at(&w->call, task / s->blocks, task % s->blocks, v);
    w->methods->input(&w->call, &block, 0, inputs_of(&w->call, block.tiles), slot);
    for (ptrdiff_t i = 0; i < s->pieces; i++) run_piece(w, &block, i, prepared_piece(w, block.group, i), slot);
}

static fc_winograd_block block_of_wave(const work *w, ptrdiff_t index)
{
    return block_at(&w->call, w->group, w->first_block + index,
                    w->workspace->shared + index * w->call.plan.v_block * w->call.element);
}

static ptrdiff_t inputs_a_block(const work *w)
{
    return fc_ceil_div(inputs_of(&w->call, w->call.plan.block), inputs_a_task(w->call.p));
}

static void transform_inputs(void *context, ptrdiff_t task, int slot)
{
    const work *w = context;
    const fc_winograd_block block = block_of_wave(w, task / inputs_a_block(w));
    const ptrdiff_t step = inputs_a_task(w->call.p), from = task % inputs_a_block(w) * step;
    const ptrdiff_t to = fc_min(from + step, inputs_of(&w->call, block.tiles));
    if (from < to) w->methods->input(&w->call, &block, from, to, slot_at(w, slot));
}

/* A piece of the filters and a block of the wave. */
static void run_shared_piece(void *context, ptrdiff_t task, int slot)
{
    const work *w = context;
    const ptrdiff_t index = task / w->blocks;
    const fc_winograd_block block = block_of_wave(w, task % w->blocks);
    run_piece(w, &block, index, prepared_piece(w, w->group, index), slot_at(w, slot));
}

/* A piece of the filters, whose transformed weights no other thread sees, and all blocks. */
static void run_late_piece(void *context, ptrdiff_t task, int slot_number)
{
    const work *w = context;
    const fc_problem *p = w->call.p;
    char *slot = slot_at(w, slot_number), *u = slot + m_bytes(p, &w->call.plan) + scratch_bytes(p, &w->call.plan);
    fc_winograd_prepare_piece(p, &w->call.plan, w->call.operands->w, w->group, task, 0, 1, u);
    for (ptrdiff_t i = 0; i < w->blocks; i++) {
        const fc_winograd_block block = block_of_wave(w, i);
        run_piece(w, &block, task, u, slot);
    }
}

void fc_winograd_forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace,
                         const fc_winograd_methods *methods)
{
    work w = {.call = {.p = p,
                       .operands = operands,
                       .kernels = &p->kernels->gemm[p->dtype],
                       .element = (ptrdiff_t)fc_dtype_size(p->dtype),
                       .plan = fc_winograd_plan_of(p)},
              .methods = methods,
              .workspace = workspace};
    const fc_winograd_plan *s = &w.call.plan;
    if (s->apart) {
        fc_parallel_for(p->groups * s->blocks, workspace->threads, true, run_block, &w);
        return;
    }
    for (w.group = 0; w.group < p->groups; w.group++)
        for (w.first_block = 0; w.first_block < s->blocks; w.first_block += s->wave) {
            w.blocks = fc_min(s->wave, s->blocks - w.first_block);
            fc_parallel_for(w.blocks * inputs_a_block(&w), workspace->threads, true, transform_inputs, &w);
            if (s->late)
                fc_parallel_for(s->pieces, workspace->threads, true, run_late_piece, &w);
            else
                fc_parallel_for(w.blocks * s->pieces, workspace->threads, true, run_shared_piece, &w);
        }
}

void fc_winograd_mend(const fc_winograd_call *c, const fc_winograd_run *tile, ptrdiff_t filter, const void *outputs,
                      const ptrdiff_t steps[2])
{
    const ptrdiff_t rows = fc_min(FC_WINOGRAD_TILE, c->p->out[0] - tile->y);
    const ptrdiff_t columns = fc_min(FC_WINOGRAD_TILE, c->p->out[1] - tile->x);
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
