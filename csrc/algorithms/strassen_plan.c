/* SPDX-License-Identifier: BSD-3-Clause */
/* strassen_plan.c -- how the work of corr2d_strassen.c is cut, and the weights it prepares. */
#include "algorithms/strassen.h"

#include "algorithms/gemm_nhwc.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MANY_VECTORS 8

ptrdiff_t fc_strassen_pairs(const fc_problem *p) { return fc_ceil_div(p->out[0] * p->out[1], 2); }

fc_chunks fc_strassen_chunks(const fc_problem *p) { return fc_chunks_of(p->window[0] * p->window[1], p->channels / 2); }

ptrdiff_t fc_strassen_parts(const fc_chunks *chunks) { return fc_ceil_div(chunks->count, FC_STRASSEN_CHUNKS); }

fc_strassen_part fc_strassen_part_at(const fc_chunks *all, ptrdiff_t index)
{
    const ptrdiff_t parts = fc_strassen_parts(all), first = fc_cut(all->count, parts, index);
    fc_strassen_part at = {.chunks = fc_cut(all->count, parts, index + 1) - first, .last = index == parts - 1};
    for (ptrdiff_t q = 0; q < at.chunks; q++) {
        at.chunk[q] = fc_chunk_at(all, first + q);
        at.depth += at.chunk[q].outers * at.chunk[q].inners;
        at.taps += at.chunk[q].outers;
    }
    at.before = at.chunk[0].outer * all->inner + at.chunk[0].inner;
    return at;
}

/* An even number of many, that two threads share out. */
fc_panels fc_strassen_panels(const fc_problem *p)
{
    fc_panels panels = fc_panels_of(p->out_channels / 2, p->kernels->gemm[p->dtype].lanes, FC_MAX_TILE_VECTORS);
    if (fc_vectors_are_wide(p) && panels.vectors >= MANY_VECTORS) panels.count = fc_round_up(panels.count, 2);
    return panels;
}

fc_strassen_tiles fc_strassen_tiles_of(const fc_problem *p)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t pairs = p->batch * fc_strassen_pairs(p), vectors = fc_strassen_panels(p).vectors;
    fc_strassen_tiles t = {.tile = kernels->tile, .rows = kernels->rows};
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

static fc_pixel_correlation quarter(const fc_problem *p)
{
    return (fc_pixel_correlation){.dtype = p->dtype,
                                  .axis = {{.taps = p->window[0]}, {.taps = p->window[1]}},
                                  .groups = 1,
                                  .channels = p->channels / 2,
                                  .columns = p->out_channels / 2};
}

size_t fc_strassen_prepared_bytes(const fc_problem *p)
{
    const fc_panels panels = fc_strassen_panels(p);
    const fc_chunks chunks = fc_strassen_chunks(p);
    const size_t rows = fc_size_mul(FC_STRASSEN_PRODUCTS, (size_t)(chunks.outer * chunks.inner));
    return fc_size_mul(fc_size_mul(rows, (size_t)(panels.vectors * panels.lanes)), fc_dtype_size(p->dtype));
}

ptrdiff_t fc_strassen_weights_at(const fc_panels *panels, const fc_strassen_part *at, const fc_panel_cut *panel)
{
    return FC_STRASSEN_PRODUCTS * (panels->lanes * panels->vectors * at->before + panel->first * at->depth);
}

typedef struct packing {
    const fc_problem *p;
    const char *w;
    char *prepared;
    fc_pixel_correlation job;
    fc_chunks chunks;
    fc_panels panels;
} packing;

/* B11, B21, B12 and B22, each where it or what comes of it is read. */
static void pack_panel(void *context, ptrdiff_t task, int slot_number)
{
    static const int home[4] = {0, 1, 3, 4};
    const packing *c = context;
    const fc_strides ws = fc_weight_strides(c->p);
    const fc_weight_steps lie = {.channel = ws.c, .column = ws.n, .tap = {ws.h, ws.w}};
    const fc_panel_cut panel = fc_spread_panel_at(&c->panels, task % c->panels.count);
    const fc_strassen_part at = fc_strassen_part_at(&c->chunks, task / c->panels.count);
    const ptrdiff_t width = panel.vectors * c->panels.lanes, element = (ptrdiff_t)fc_dtype_size(c->p->dtype);
    char *to = c->prepared + fc_strassen_weights_at(&c->panels, &at, &panel) * element;
    void *w[FC_STRASSEN_PRODUCTS];
    (void)slot_number;
    for (int i = 0; i < FC_STRASSEN_PRODUCTS; i++) w[i] = to + i * at.depth * width * element;
    for (int i = 0; i < 4; i++) {
        const ptrdiff_t from = i % 2 * c->job.channels * ws.c + i / 2 * c->job.columns * ws.n;
        char *packed = w[home[i]];
        for (const fc_chunk *q = at.chunk; q < at.chunk + at.chunks; q++) {
            fc_gemm_nhwc_pack_chunk(c->p, &c->job, c->w + from * element, &lie, 0, &panel, q, width, packed);
            packed += q->outers * q->inners * width * element;
        }
    }
    c->p->kernels->gemm[c->p->dtype].strassen_weights(at.depth * width, w);
}

void fc_strassen_prepare(const fc_problem *p, const void *w, void *prepared)
{
    packing c = {p, w, prepared, quarter(p), fc_strassen_chunks(p), fc_strassen_panels(p)};
    fc_parallel_for(fc_strassen_parts(&c.chunks) * c.panels.count, p->threads, true, pack_panel, &c);
}
