/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw_pack.c -- panels of shifted pixels: every kernel size, stride, dilation and padding becomes the same one. */
#include <assert.h>

#include "algorithms/gemm_nchw_call.h"

void fc_gemm_nchw_find_panels(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, fc_range panels)
{
    assert(panels.end - panels.first <= FC_MAX_PANELS);
    for (ptrdiff_t i = 0; i < panels.end - panels.first; i++) {
        s->panels[i].packed = (char *)(s + 1) + (size_t)i * fc_gemm_nchw_panel_bytes(c->kernels, c->element);
        fc_find_grid_panel(&s->panels[i], c->job->axis, c->kernels->lanes, c->element,
                           fc_panel_at(&c->panels, panels.first + i));
    }
}

static void find_taps(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, const fc_chunk *chunk)
{
    const fc_grid_axis *rows = &c->job->axis[0], *columns = &c->job->axis[1];
    for (ptrdiff_t t = 0; t < chunk->inners; t++) {
        const ptrdiff_t tap = chunk->inner + t;
        s->tap_y[t] = rows->tap_first + tap / columns->taps * rows->tap_step;
        s->tap_x[t] = columns->tap_first + tap % columns->taps * columns->tap_step;
        s->tap_offset[t] = s->tap_y[t] * columns->source + s->tap_x[t];
    }
}

/* So many taps from `tap` on, at most `most`: whole rows of the kernel, where these fit, which may be moved as one. */
static ptrdiff_t whole_rows(const fc_gemm_nchw_call *c, const fc_chunk *chunk, ptrdiff_t tap, ptrdiff_t most)
{
    const ptrdiff_t left = chunk->inners - tap, past_row = (chunk->inner + tap + most) % c->job->axis[1].taps;
    if (most >= left) return left;
    return past_row < most ? most - past_row : most;
}

/* Packs all panels of a block for one chunk. Planes are the outer loop of the copying, panels the inner one: what is
 * read from a plane at once is long enough for the hardware to fetch ahead. */
void fc_gemm_nchw_pack(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, const fc_chunk *chunk,
                       ptrdiff_t image)
{
    find_taps(s, c, chunk);
    const ptrdiff_t height = c->job->axis[0].source, width = c->job->axis[1].source, lanes = c->kernels->lanes;
    const char *source = fc_gemm_nchw_source(c, image) + chunk->outer * height * width * (ptrdiff_t)c->element;
    const bool narrow = c->element == 4;
    fc_pack pack = {.source = source, .planes = chunk->outers, .plane_step = height * width, .moves = s->moves};
    for (ptrdiff_t i = 0; i < panels; i++) {
        const fc_grid_panel *panel = &s->panels[i];
        const ptrdiff_t vectors = panel->vectors, step = chunk->inners * vectors * lanes;
        if (fc_packs_on_the_way(c, panel)) continue;
        if (!panel->inner)
            c->kernels->window_masks(
                &(fc_window_masks){.taps = chunk->inners,
                                   .tap_y = s->tap_y,
                                   .tap_x = s->tap_x,
                                   .vectors = vectors,
                                   .y = narrow ? (const void *)panel->at.f32[0] : (const void *)panel->at.f64[0],
                                   .x = narrow ? (const void *)panel->at.f32[1] : (const void *)panel->at.f64[1],
                                   .height = height,
                                   .width = width,
                                   .masks = s->masks,
                                   .whole = s->whole});
        for (ptrdiff_t tap = 0; tap < chunk->inners;) {
            const ptrdiff_t taps = whole_rows(c, chunk, tap, (FC_MAX_MOVES - pack.count) / vectors);
            const ptrdiff_t from = tap * vectors * lanes * (ptrdiff_t)c->element;
            if (taps == 0) {
                c->kernels->pack(&pack);
                pack.count = 0;
                continue;
            }
            pack.count += c->kernels->find_moves(&(fc_find_moves){.taps = taps,
                                                                  .tap_offset = s->tap_offset + tap,
                                                                  .vectors = vectors,
                                                                  .lanes = panel->lanes,
                                                                  .masks = panel->inner ? NULL : s->masks + from,
                                                                  .whole = s->whole + tap * vectors,
                                                                  .panel = (char *)panel->packed + from,
                                                                  .panel_step = step,
                                                                  .moves = s->moves + pack.count});
            tap += taps;
        }
    }
    c->kernels->pack(&pack);
}
