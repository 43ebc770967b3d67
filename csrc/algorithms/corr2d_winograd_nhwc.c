/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_winograd_nhwc.c -- winograd.h on pixels: M[f] = V[f] · U[f], rows are tiles and lanes are output channels. */
#include <string.h>

#include "algorithms/blocking.h"
#include "algorithms/winograd.h"

static const char *decline(const fc_problem *p)
{
    return p->layout == FC_NHWC ? fc_winograd_decline(p) : "layout is not NHWC";
}

static void input(const fc_winograd_call *c, const fc_winograd_block *block, ptrdiff_t from, ptrdiff_t to,
                  char *scratch)
{
    const fc_problem *p = c->p;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t pixel = p->channels * c->element;
    fc_winograd_pixel_input tile = {.channels = s->channels, .frequency_step = s->v_frequency};
    memset(scratch, 0, (size_t)(s->channels * c->element)); /* a pixel outside of the image */
    for (ptrdiff_t t = from; t < to; t++) {
        const fc_winograd_run run = fc_winograd_run_at(s, block->first + t, 1);
        const char *image = (const char *)c->operands->x + run.image * p->in[0] * p->in[1] * pixel +
                            block->group * s->channels * c->element;
        const ptrdiff_t top = run.y - p->pad_before[0], left = run.x - p->pad_before[1];
        for (ptrdiff_t i = 0; i < FC_WINOGRAD_WINDOW; i++)
            for (ptrdiff_t j = 0; j < FC_WINOGRAD_WINDOW; j++) {
                const ptrdiff_t y = top + i, x = left + j;
                const bool inside = y >= 0 && y < p->in[0] && x >= 0 && x < p->in[1];
                tile.pixel[i][j] = inside ? image + (y * p->in[1] + x) * pixel : scratch;
            }
        tile.v = block->v + t * s->v_row * c->element;
        c->kernels->winograd_input_nhwc(&tile);
    }
}

static void multiply(const fc_winograd_call *c, const fc_winograd_block *block, const fc_winograd_piece *piece)
{
    const fc_winograd_plan *s = &c->plan;
    const fc_panels panels = fc_panels_of(piece->filters, c->kernels->lanes, c->kernels->product_vectors);
    for (ptrdiff_t f = 0; f < FC_FREQUENCIES; f++)
        for (ptrdiff_t i = 0; i < panels.count; i++) {
            const fc_panel_cut cut = fc_panel_at(&panels, i);
            const ptrdiff_t width = cut.vectors * c->kernels->lanes;
            const ptrdiff_t rows = fc_product_rows(c->kernels, cut.vectors), tiles = fc_ceil_div(block->tiles, rows);
            const char *b = piece->u + (f * s->u_frequency + cut.first * s->channels) * c->element;
            for (ptrdiff_t q = 0; q < s->chunks; q++) {
                const fc_winograd_chunk chunk = fc_winograd_chunk_at(s, q);
                const char *a = block->v + (f * s->v_frequency + chunk.first) * c->element;
                c->kernels->product[cut.vectors - 1](&(fc_panel_product){
                    .rows = block->tiles,
                    .depth = chunk.depth,
                    .a = a,
                    .a_row = s->v_row,
                    .b = b + chunk.first * width * c->element,
                    .b_row = width,
                    .c = piece->m + (f * s->m_frequency + cut.first) * c->element,
                    .c_row = s->m_row,
                    .add = q > 0,
                    /* the next panel of U, and the rows of the next frequency of V */
                    .ahead = {b + (chunk.first + chunk.depth) * width * c->element, a + s->v_frequency * c->element},
                    .ahead_step = {fc_ceil_div(width * c->element, tiles), rows * c->element}});
            }
        }
}

static void output(const fc_winograd_call *c, const fc_winograd_block *block, const fc_winograd_piece *piece)
{
    const fc_problem *p = c->p;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t pixel = p->out_channels * c->element, filter = block->group * s->filters + piece->filter;
    const char *bias = c->operands->bias;
    for (ptrdiff_t t = 0; t < block->tiles; t++) {
        const fc_winograd_run run = fc_winograd_run_at(s, block->first + t, 1);
        char *y = (char *)c->operands->y + ((run.image * p->out[0] + run.y) * p->out[1] + run.x) * pixel +
                  filter * c->element;
        bool finite;
        fc_winograd_pixel_output tile = {.channels = piece->filters,
                                         .m = piece->m + t * s->m_row * c->element,
                                         .frequency_step = s->m_frequency,
                                         .bias = bias ? bias + filter * c->element : NULL,
                                         .finite = &finite};
        for (ptrdiff_t i = 0; i < fc_min(FC_WINOGRAD_TILE, p->out[0] - run.y); i++)
            for (ptrdiff_t j = 0; j < fc_min(FC_WINOGRAD_TILE, p->out[1] - run.x); j++)
                tile.pixel[i][j] = y + (i * p->out[1] + j) * pixel;
        c->kernels->winograd_output_nhwc(&tile);
        for (ptrdiff_t r = 0; !finite && r < piece->filters; r++)
            fc_winograd_mend(c, &run, filter + r, y + r * c->element,
                             (ptrdiff_t[2]){p->out[1] * p->out_channels, p->out_channels});
    }
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    static const fc_winograd_methods methods = {input, multiply, output};
    fc_winograd_forward(p, operands, workspace, &methods);
}

const fc_algorithm fc_corr2d_winograd_nhwc = {
    .name = "winograd_nhwc",
    .decline = decline,
    .pass = fc_winograd_pass,
    .shared_bytes = fc_winograd_shared_bytes,
    .slot_bytes = fc_winograd_slot_bytes,
    .prepared_bytes = fc_winograd_prepared_bytes,
    .reads_weights = true,
    .prepare = fc_winograd_prepare,
    .run = forward,
};
