/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_winograd_nchw.c -- winograd.h on planes: M[f] = U[f] · V[f], rows are output channels and lanes are tiles. */
#include <string.h>

#include "algorithms/blocking.h"
#include "algorithms/winograd.h"

static const char *decline(const fc_problem *p)
{
    return p->layout == FC_NCHW ? fc_winograd_decline(p) : "layout is not NCHW";
}

/* Whole vectors of each run of tiles are written; what is too much is overwritten by the next run, and the last one goes
 * on to the end of the last vector. Never past the end of a row of V: that is another thread's. */
static void transform_run(const fc_winograd_call *c, const fc_winograd_run *run, ptrdiff_t tiles, ptrdiff_t room,
                          const char *plane, char *scratch, char *v)
{
    const fc_problem *p = c->p;
    const ptrdiff_t first = run->x - p->pad_before[1];
    fc_winograd_plane_input input = {.tiles = tiles,
                                     .room = room,
                                     .left = fc_max(0, -first),
                                     .next_plane = p->in[0] * p->in[1],
                                     .h = scratch,
                                     .h_row = c->plan.h_row,
                                     .v = v,
                                     .frequency_step = c->plan.v_frequency};
    const ptrdiff_t span = FC_WINOGRAD_TILE * run->tiles + FC_WINOGRAD_WINDOW - FC_WINOGRAD_TILE;
    const ptrdiff_t from = fc_max(0, first), to = fc_min(first + span, p->in[1]);
    input.left = fc_min(input.left, span);
    input.columns = fc_max(0, to - from);
    for (ptrdiff_t i = 0; i < FC_WINOGRAD_WINDOW; i++) {
        const ptrdiff_t y = run->y - p->pad_before[0] + i;
        if (y >= 0 && y < p->in[0] && input.columns) input.row[i] = plane + (y * p->in[1] + from) * c->element;
    }
    c->kernels->winograd_input_nchw(&input);
}

static void input(const fc_winograd_call *c, const fc_winograd_block *block, ptrdiff_t from, ptrdiff_t to,
                  char *scratch)
{
    const fc_problem *p = c->p;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t lanes = c->kernels->lanes, plane = p->in[0] * p->in[1] * c->element;
    for (ptrdiff_t ch = from; ch < to; ch++)
        for (ptrdiff_t tile = 0; tile < block->tiles;) {
            const fc_winograd_run run = fc_winograd_run_at(s, block->first + tile, block->tiles - tile);
            const ptrdiff_t end = tile + run.tiles;
            const ptrdiff_t tiles = end == block->tiles ? fc_ceil_div(end, lanes) * lanes - tile : run.tiles;
            transform_run(c, &run, tiles, s->v_row - tile,
                          (const char *)c->operands->x +
                              ((run.image * p->groups + block->group) * s->channels + ch) * plane,
                          scratch, block->v + (ch * s->v_row + tile) * c->element);
            tile = end;
        }
}

static void multiply(const fc_winograd_call *c, const fc_winograd_block *block, const fc_winograd_piece *piece)
{
    const fc_winograd_plan *s = &c->plan;
    const fc_panels panels = fc_panels_of(block->tiles, c->kernels->lanes, c->kernels->product_vectors);
    for (ptrdiff_t f = 0; f < FC_FREQUENCIES; f++)
        for (ptrdiff_t q = 0; q < s->chunks; q++) {
            const fc_winograd_chunk chunk = fc_winograd_chunk_at(s, q);
            const char *a = piece->u + (f * s->u_frequency + chunk.first * s->piece) * c->element;
            const char *b = block->v + (f * s->v_frequency + chunk.first * s->v_row) * c->element;
            for (ptrdiff_t i = 0; i < panels.count; i++) {
                const fc_panel_cut cut = fc_panel_at(&panels, i);
                const ptrdiff_t rows = fc_product_rows(c->kernels, cut.vectors);
                const ptrdiff_t row_tiles = fc_ceil_div(piece->filters, rows);
                const char *panel = b + cut.first * c->element;
                /* The first panel brings the rows of U that the others find in a cache, and each the panel behind it:
                 * the first one of the next frequency behind the last. */
                const char *next = i + 1 < panels.count ? panel + cut.vectors * c->kernels->lanes * c->element
                                                        : b + s->v_frequency * c->element;
                c->kernels->product[cut.vectors - 1](&(fc_panel_product){
                    .rows = piece->filters,
                    .depth = chunk.depth,
                    .a = a,
                    .a_row = chunk.row,
                    .b = panel,
                    .b_row = s->v_row,
                    .c = piece->m + (f * s->m_frequency + cut.first) * c->element,
                    .c_row = s->m_row,
                    .add = q > 0,
                    .ahead = {a + rows * chunk.row * c->element, next},
                    .ahead_step = {i ? 0 : rows * c->element, fc_ceil_div(s->v_row * c->element, row_tiles)}});
            }
        }
}

/* One output channel of a piece brought home from rows of outputs. */
static void bring_home(const fc_winograd_call *c, const fc_winograd_block *block, ptrdiff_t filter, const char *rows,
                       ptrdiff_t row, bool finite)
{
    const fc_problem *p = c->p;
    for (ptrdiff_t tile = 0; tile < block->tiles;) {
        fc_winograd_run run = fc_winograd_run_at(&c->plan, block->first + tile, block->tiles - tile);
        const ptrdiff_t columns = fc_min(FC_WINOGRAD_TILE * run.tiles, p->out[1] - run.x);
        const char *from = rows + FC_WINOGRAD_TILE * tile * c->element;
        char *y = (char *)c->operands->y +
                  (((run.image * p->out_channels + filter) * p->out[0] + run.y) * p->out[1] + run.x) * c->element;
        for (ptrdiff_t i = 0; i < fc_min(FC_WINOGRAD_TILE, p->out[0] - run.y); i++)
            memcpy(y + i * p->out[1] * c->element, from + i * row * c->element, (size_t)(columns * c->element));
        tile += run.tiles;
        for (; !finite && run.tiles; run.tiles--, run.x += FC_WINOGRAD_TILE, from += FC_WINOGRAD_TILE * c->element)
            fc_winograd_mend(c, &run, filter, from, (ptrdiff_t[2]){row, 1});
    }
}

static void output(const fc_winograd_call *c, const fc_winograd_block *block, const fc_winograd_piece *piece)
{
    const fc_winograd_plan *s = &c->plan;
    const char *bias = c->operands->bias;
    const double no_bias = 0;
    for (ptrdiff_t r = 0; r < piece->filters; r++) {
        const ptrdiff_t filter = block->group * s->filters + piece->filter + r, row = FC_WINOGRAD_TILE * s->m_row;
        bool finite;
        c->kernels->winograd_output_nchw(
            &(fc_winograd_plane_output){.vectors = fc_ceil_div(block->tiles, c->kernels->lanes),
                                        .m = piece->m + r * s->m_row * c->element,
                                        .frequency_step = s->m_frequency,
                                        .bias = bias ? bias + filter * c->element : (const void *)&no_bias,
                                        .y = piece->scratch,
                                        .y_row = row,
                                        .finite = &finite});
        bring_home(c, block, filter, piece->scratch, row, finite);
    }
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_winograd_methods methods = {input, multiply, output};
    fc_winograd_forward(p, operands, workspace, &methods);
}

const fc_algorithm fc_corr2d_winograd_nchw = {
    .name = "winograd_nchw",
    .decline = decline,
    .pass = fc_winograd_pass,
    .shared_bytes = fc_winograd_shared_bytes,
    .slot_bytes = fc_winograd_slot_bytes,
    .prepared_bytes = fc_winograd_prepared_bytes,
    .reads_weights = true,
    .prepare = fc_winograd_prepare,
    .run = forward,
};
