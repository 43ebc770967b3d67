/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/winograd.h"

#include <string.h>

#include "algorithms/by_definition.h"
#include "platform/memory.h"
#include "platform/parallel.h"

static size_t v_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines(fc_size_mul((size_t)s->v_block, fc_dtype_size(p->dtype)));
}

static size_t m_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines((size_t)(s->frequencies * s->m_frequency) * fc_dtype_size(p->dtype));
}

static size_t scratch_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_winograd_methods_of(p)->scratch_bytes(p, s);
}

/* What a thread keeps from task to task; -1, where it has nothing yet. Behind it: which pieces of U of the group it has. */
typedef struct own {
    ptrdiff_t group, block;
    bool made[];
} own;

static size_t own_bytes(const fc_winograd_plan *s)
{
    return fc_size_lines(fc_size_add(sizeof(own), s->own_weights ? (size_t)s->pieces : 0));
}

static size_t u_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    const ptrdiff_t elements = s->by_piece ? s->u_chunk : s->own_weights ? s->u_group : 0;
    return fc_size_lines(fc_size_mul((size_t)elements, fc_dtype_size(p->dtype)));
}

/* M and V that a thread holds at a time, in blocks. */
static ptrdiff_t m_held(const fc_winograd_plan *s) { return s->by_piece ? s->blocks : 1; }

static ptrdiff_t v_held(const fc_winograd_plan *s) { return s->together ? 0 : m_held(s); }

static size_t shared_v_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return s->together ? fc_size_mul(v_bytes(p, s), (size_t)(p->groups * s->blocks)) : 0;
}

/* V and U, where they are made first. */
size_t fc_winograd_shared_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    return fc_size_add(shared_v_bytes(p, &s), s.shared_weights ? fc_winograd_weight_bytes(p, &s) : 0);
}

/* What the thread keeps, the scratch of a transform, M, V, U. */
size_t fc_winograd_slot_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    const size_t m = fc_size_mul(m_bytes(p, &s), (size_t)m_held(&s));
    const size_t v = fc_size_mul(v_bytes(p, &s), (size_t)v_held(&s));
    return fc_size_add(fc_size_add(own_bytes(&s), scratch_bytes(p, &s)),
                       fc_size_add(fc_size_add(m, v), u_bytes(p, &s)));
}

/* ---- the call ----------------------------------------------------------------------------------------------------- */

typedef struct work {
    fc_winograd_call call;
    const fc_winograd_methods *methods;
    const fc_workspace *workspace;
    size_t m_bytes, v_bytes; /* of a block */
    char *u;                 /* of all threads: prepared, or made first */
    ptrdiff_t u_parts;       /* still to make */
} work;

typedef struct slot {
    own *kept;
    char *scratch, *m, *v, *u;
} slot;

/* Where piece `piece` of the tiles begins when these are cut between the rows of products: a piece is no larger than a
 * block. */
static ptrdiff_t cut_tiles(ptrdiff_t tiles, ptrdiff_t pieces, ptrdiff_t piece)
{
    return fc_min(tiles, fc_cut_spread(fc_ceil_div(tiles, FC_WINOGRAD_ROWS), pieces, piece) * FC_WINOGRAD_ROWS);
}

static fc_winograd_block block_at(const fc_winograd_call *c, ptrdiff_t group, ptrdiff_t index, char *v)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t first = cut_tiles(s->total, s->blocks, index);
    return (fc_winograd_block){group, first, cut_tiles(s->total, s->blocks, index + 1) - first, v};
}

static slot slot_at(const work *w, int number)
{
    const fc_winograd_plan *s = &w->call.plan;
    char *at = w->workspace->slots + (size_t)number * w->workspace->slot_bytes;
    slot t = {.kept = (own *)at, .scratch = at + own_bytes(s)};
    t.m = t.scratch + scratch_bytes(w->call.p, s);
    t.v = t.m + (size_t)m_held(s) * w->m_bytes;
    t.u = t.v + (size_t)v_held(s) * w->v_bytes;
    return t;
}

/* A block with its V: of all threads, or one of those that this thread holds. */
static fc_winograd_block block_of(const work *w, ptrdiff_t group, ptrdiff_t index, ptrdiff_t held, const slot *t)
{
    const fc_winograd_plan *s = &w->call.plan;
    return block_at(&w->call, group, index,
                    s->together ? w->workspace->shared + (size_t)(group * s->blocks + index) * w->v_bytes
                                : t->v + (size_t)held * w->v_bytes);
}

/* Some tiles and channels of V. */
static void make_part_of_v(const work *w, ptrdiff_t task, int number)
{
    const fc_winograd_plan *s = &w->call.plan;
    const ptrdiff_t units = s->block / FC_WINOGRAD_ROWS, part = task % s->v_parts, unit = task / s->v_parts % units;
    const ptrdiff_t index = task / s->v_parts / units, first = unit * FC_WINOGRAD_ROWS;
    const slot t = slot_at(w, number);
    fc_winograd_block block = block_of(w, index / s->blocks, index % s->blocks, 0, &t);
    const fc_range channels = {fc_min(s->channels, part * s->v_channels),
                               fc_min(s->channels, (part + 1) * s->v_channels)};
    block.first += first;
    block.tiles = fc_min(FC_WINOGRAD_ROWS, block.tiles - first);
    block.v += first * s->v_row * w->call.element;
    if (block.tiles > 0 && channels.first < channels.end) w->methods->input(&w->call, &block, channels, t.scratch);
}

/* A part of what is made first. */
static void make_part(void *context, ptrdiff_t task, int number)
{
    const work *w = context;
    if (task < w->u_parts)
        fc_winograd_prepare_part(w->call.p, &w->call.plan, w->call.operands->w, task, w->u);
    else
        make_part_of_v(w, task - w->u_parts, number);
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

/* The products of so many frequencies in one call: of all of them, where each is a single one. */
static ptrdiff_t times_of(const fc_winograd_plan *s, const fc_panels *panels, ptrdiff_t chunks)
{
    return panels->count * chunks == 1 ? s->frequencies : 1;
}

/* So many frequencies from `at` on. Brings `next`, the panel behind them, and the same rows of the next frequency of V. */
static void multiply_panel(const fc_winograd_call *c, const fc_winograd_block *block, const fc_panels *panels,
                           const product *at, ptrdiff_t times, const char *b, const char *next, char *m)
{
    const fc_winograd_plan *s = &c->plan;
    const fc_panel_cut cut = fc_panel_at(panels, at->panel);
    const fc_winograd_chunk chunk = fc_winograd_chunk_at(s, at->chunk);
    const ptrdiff_t width = cut.vectors * c->kernels->lanes, rows = fc_product_rows(c->kernels, cut.vectors);
    const char *a = block->v + (at->frequency * s->v_frequency + chunk.first) * c->element;
    c->kernels->product[cut.vectors - 1](&(fc_panel_product){
        .times = times,
        .rows = block->tiles,
        .depth = chunk.depth,
        .a = a,
        .a_row = s->v_row,
        .b = b,
        .b_row = width,
        .c = m + (at->frequency * s->m_frequency + cut.first) * c->element,
        .c_row = s->m_row,
        .a_next = s->v_frequency,
        .b_next = s->u_frequency,
        .c_next = s->m_frequency,
        .add = at->chunk > 0,
        .ahead = {next, a + times * s->v_frequency * c->element},
        .ahead_step = {fc_ceil_div(width * c->element, fc_ceil_div(block->tiles, rows)), rows * c->element}});
}

/* M of a block and a piece whose U is at hand. */
static void multiply(const fc_winograd_call *c, const fc_winograd_block *block, ptrdiff_t filters, const char *u,
                     char *m)
{
    const fc_winograd_plan *s = &c->plan;
    const fc_panels panels = fc_panels_of(filters, c->kernels->lanes, c->kernels->product_vectors);
    const ptrdiff_t times = times_of(s, &panels, s->chunks);
    const char *next = u;
    product at;
    for (at.frequency = 0; at.frequency < s->frequencies; at.frequency += times)
        for (at.panel = 0; at.panel < panels.count; at.panel++)
            for (at.chunk = 0; at.chunk < s->chunks; at.chunk++) {
                const char *b = next;
                product behind = at;
                if (++behind.chunk == s->chunks) {
                    behind.chunk = 0;
                    if (++behind.panel == panels.count) behind.panel = 0, behind.frequency += times;
                }
                next = panel_of(c, &panels, &behind, u + behind.chunk * s->u_chunk * c->element);
                multiply_panel(c, block, &panels, &at, times, b, next, m);
            }
}

static fc_winograd_piece piece_at(const fc_winograd_plan *s, ptrdiff_t index, const slot *t)
{
    const ptrdiff_t filter = fc_winograd_first_filter(s, index);
    return (fc_winograd_piece){filter, fc_winograd_first_filter(s, index + 1) - filter, t->m, t->scratch};
}

static void enter_group(const fc_winograd_plan *s, own *kept, ptrdiff_t group)
{
    if (kept->group == group) return;
    kept->group = group;
    kept->block = -1;
    if (s->own_weights) memset(kept->made, 0, (size_t)s->pieces * sizeof *kept->made);
}

/* U of a piece: the caller's, or this thread's own. */
static const char *weights_of(const work *w, ptrdiff_t group, ptrdiff_t piece, const slot *t)
{
    const fc_winograd_call *c = &w->call;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t at = piece * s->u_piece * c->element;
    if (!s->own_weights) return w->u + group * s->u_group * c->element + at;
    if (!t->kept->made[piece])
        for (ptrdiff_t i = 0; i < s->chunks; i++)
            fc_winograd_prepare_chunk(c->p, s, c->operands->w, group, piece, i,
                                      t->u + at + i * s->u_chunk * c->element);
    t->kept->made[piece] = true;
    return t->u + at;
}

/* Some pieces of the filters and a block. */
static void run_block(const work *w, ptrdiff_t group, ptrdiff_t index, ptrdiff_t from, ptrdiff_t to, const slot *t)
{
    const fc_winograd_plan *s = &w->call.plan;
    const fc_winograd_block block = block_of(w, group, index, 0, t);
    enter_group(s, t->kept, group);
    if (!s->together && t->kept->block != index)
        w->methods->input(&w->call, &block, (fc_range){0, s->channels}, t->scratch);
    t->kept->block = index;
    for (ptrdiff_t i = from; i < to; i++) {
        const fc_winograd_piece piece = piece_at(s, i, t);
        multiply(&w->call, &block, piece.filters, weights_of(w, group, i, t), piece.m);
        w->methods->output(&w->call, &block, &piece);
    }
}

static void run_whole_block(void *context, ptrdiff_t task, int number)
{
    const work *w = context;
    const fc_winograd_plan *s = &w->call.plan;
    const slot t = slot_at(w, number);
    run_block(w, task / s->blocks, task % s->blocks, 0, s->pieces, &t);
}

static void run_piece_of_block(void *context, ptrdiff_t task, int number)
{
    const work *w = context;
    const fc_winograd_plan *s = &w->call.plan;
    const ptrdiff_t group = task / (s->pieces * s->blocks), at = task % (s->pieces * s->blocks);
    const ptrdiff_t piece = s->pieces_first ? at / s->blocks : at % s->pieces;
    const slot t = slot_at(w, number);
    run_block(w, group, s->pieces_first ? at % s->blocks : at / s->pieces, piece, piece + 1, &t);
}

/* A piece of the filters and all blocks: its transformed weights chunk by chunk, so that they are used while they are in a
 * near cache. */
static void run_piece(void *context, ptrdiff_t task, int number)
{
    const work *w = context;
    const fc_winograd_call *c = &w->call;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t group = task / s->pieces, index = task % s->pieces;
    const slot t = slot_at(w, number);
    fc_winograd_piece piece = piece_at(s, index, &t);
    const fc_panels panels = fc_panels_of(piece.filters, c->kernels->lanes, c->kernels->product_vectors);
    const ptrdiff_t times = times_of(s, &panels, 1);
    const bool entered = !s->together && t.kept->group != group;
    product at;
    enter_group(s, t.kept, group);
    for (ptrdiff_t i = 0; entered && i < s->blocks; i++) {
        const fc_winograd_block block = block_of(w, group, i, i, &t);
        w->methods->input(c, &block, (fc_range){0, s->channels}, t.scratch);
    }
    for (at.chunk = 0; at.chunk < s->chunks; at.chunk++) {
        fc_winograd_prepare_chunk(c->p, s, c->operands->w, group, index, at.chunk, t.u);
        for (ptrdiff_t i = 0; i < s->blocks; i++) {
            const fc_winograd_block block = block_of(w, group, i, i, &t);
            for (at.frequency = 0; at.frequency < s->frequencies; at.frequency += times)
                for (at.panel = 0; at.panel < panels.count; at.panel++) {
                    const char *b = panel_of(c, &panels, &at, t.u);
                    multiply_panel(c, &block, &panels, &at, times, b, b, t.m + (size_t)i * w->m_bytes);
                }
        }
    }
    for (ptrdiff_t i = 0; i < s->blocks; i++, piece.m += w->m_bytes) {
        const fc_winograd_block block = block_of(w, group, i, i, &t);
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
              .methods = fc_winograd_methods_of(p),
              .workspace = workspace};
    const fc_winograd_plan *s = &w.call.plan;
    w.m_bytes = m_bytes(p, s);
    w.v_bytes = v_bytes(p, s);
    w.u = s->shared_weights ? workspace->shared + shared_v_bytes(p, s) : (char *)operands->prepared;
    w.u_parts = s->shared_weights ? fc_winograd_weight_parts(p, s) : 0;
    for (int i = 0; i < workspace->threads; i++) slot_at(&w, i).kept->group = -1;
    for (ptrdiff_t i = 0; s->together && i < p->groups * s->blocks; i++)
        fc_end_part(workspace->shared + (size_t)i * w.v_bytes, w.v_bytes);
    if (s->shared_weights) fc_end_part(w.u, fc_winograd_weight_bytes(p, s));
    if (s->together || s->shared_weights) {
        const ptrdiff_t v_parts = s->together ? p->groups * s->blocks * (s->block / FC_WINOGRAD_ROWS) * s->v_parts : 0;
        fc_parallel_shares(w.u_parts + v_parts, workspace->threads, true, make_part, &w);
    }
    fc_parallel_shares(p->groups * (s->by_piece ? s->pieces
                                    : s->apart  ? s->blocks
                                                : s->blocks * s->pieces),
                       workspace->threads, true,
                       s->by_piece ? run_piece
                       : s->apart  ? run_whole_block
                                   : run_piece_of_block,
                       &w);
}

void fc_winograd_find_pixels(const fc_winograd_call *c, const fc_winograd_area *area, ptrdiff_t y, ptrdiff_t x,
                             const char *zeros, const void **pixel)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t step = area->pixel_bytes, row_bytes = (area->to[1] - area->from[1]) * step;
    const ptrdiff_t top = y * s->stride - c->p->pad_before[0], left = x * s->stride - c->p->pad_before[1];
    const ptrdiff_t down = s->dilation[0], across = s->dilation[1], next = across * step;
    const bool whole = left >= area->from[1] && left + (s->window[1] - 1) * across < area->to[1];
    for (ptrdiff_t i = top; i < top + s->window[0] * down; i += down, pixel += s->window[1]) {
        const ptrdiff_t below = i - area->from[0];
        if (below < 0 || i >= area->to[0]) {
            for (ptrdiff_t j = 0; j < s->window[1]; j++) pixel[j] = zeros;
            continue;
        }
        const char *row = area->pixels + (area->row_step == 1 ? below : below / area->row_step) * row_bytes;
        if (whole) {
            const char *at = row + (left - area->from[1]) * step;
            for (ptrdiff_t j = 0; j < s->window[1]; j++, at += next) pixel[j] = at;
        } else {
            for (ptrdiff_t j = 0; j < s->window[1]; j++) {
                const ptrdiff_t column = left + j * across;
                const bool inside = column >= area->from[1] && column < area->to[1];
                pixel[j] = inside ? row + (column - area->from[1]) * step : zeros;
            }
        }
    }
}

void fc_winograd_mend(const fc_winograd_call *c, const fc_winograd_run *tile, ptrdiff_t filter, const void *outputs,
                      const ptrdiff_t steps[2])
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t rows = fc_winograd_outputs(s, 0, c->p->out[0], tile->y);
    const ptrdiff_t columns = fc_winograd_outputs(s, 1, c->p->out[1], tile->x);
    bool finite = true;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++) {
            const ptrdiff_t at = i * s->dilation[0] * steps[0] + j * s->dilation[1] * steps[1];
            finite &= fc_is_finite(outputs, at, c->element);
        }
    /* Outputs next to each other in one call. */
    const ptrdiff_t down = s->dilation[0] == 1 ? rows : 1, across = s->dilation[1] == 1 ? columns : 1;
    for (ptrdiff_t i = 0; !finite && i < rows; i += down)
        for (ptrdiff_t j = 0; j < columns; j += across) {
            const ptrdiff_t y = tile->y + i * s->dilation[0], x = tile->x + j * s->dilation[1];
            fc_corr2d_by_definition(c->p, c->operands, tile->image, filter, (fc_range){y, y + down},
                                    (fc_range){x, x + across});
        }
}
