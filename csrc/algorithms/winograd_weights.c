/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_weights.c -- the transformed weights of winograd.h, in the order in which its products read them. */
#include "algorithms/blocking.h"
#include "algorithms/winograd.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BYTES_WORTH_A_THREAD (256 * 1024)
#define PREPARED_PARTS 4 /* of a piece of the weights, a task each */

size_t fc_winograd_prepared_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    if (s.late) return 0;
    return fc_size_mul(fc_size_mul((size_t)s.u_group, (size_t)p->groups), fc_dtype_size(p->dtype));
}

/* NCHW: U[frequency][chunk][filter][channel] of a piece, some of its filters. */
static void prepare_filters(const fc_problem *p, const fc_winograd_plan *s, const char *w, ptrdiff_t from, ptrdiff_t to,
                            char *u)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const fc_strides ws = fc_weight_strides(p);
    for (ptrdiff_t q = 0; q < s->chunks; q++) {
        const fc_winograd_chunk chunk = fc_winograd_chunk_at(s, q);
        for (ptrdiff_t filter = from; filter < to; filter++)
            p->kernels->gemm[p->dtype].winograd_weights(
                &(fc_winograd_weights){.filters = chunk.depth,
                                       .w = w + (filter * ws.n + chunk.first * ws.c) * element,
                                       .filter_step = ws.c,
                                       .tap_step = {ws.h, ws.w},
                                       .u = u + (chunk.first * s->piece + filter * chunk.row) * element,
                                       .frequency_step = s->u_frequency});
    }
}

/* NHWC: U[frequency][panel][channel][filter] of a piece, some of its channels. */
static void prepare_channels(const fc_problem *p, const fc_winograd_plan *s, const char *w, ptrdiff_t filters,
                             ptrdiff_t from, ptrdiff_t to, char *u)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const fc_strides ws = fc_weight_strides(p);
    const fc_panels panels = fc_panels_of(filters, kernels->lanes, kernels->product_vectors);
    for (ptrdiff_t channel = from; channel < to; channel++)
        for (ptrdiff_t i = 0; i < panels.count; i++) {
            const fc_panel_cut cut = fc_panel_at(&panels, i);
            const ptrdiff_t width = cut.vectors * kernels->lanes;
            kernels->winograd_weights(
                &(fc_winograd_weights){.filters = cut.columns,
                                       .w = w + (cut.first * ws.n + channel * ws.c) * element,
                                       .filter_step = ws.n,
                                       .tap_step = {ws.h, ws.w},
                                       .u = u + (cut.first * s->channels + channel * width) * element,
                                       .frequency_step = s->u_frequency});
        }
}

void fc_winograd_prepare_piece(const fc_problem *p, const fc_winograd_plan *s, const char *w, ptrdiff_t group,
                               ptrdiff_t piece, ptrdiff_t part, ptrdiff_t parts, char *u)
{
    const ptrdiff_t first = piece * s->piece, filters = fc_min(s->piece, s->filters - first);
    const ptrdiff_t units = p->layout == FC_NCHW ? filters : s->channels;
    const ptrdiff_t from = fc_cut(units, parts, part), to = fc_cut(units, parts, part + 1);
    w += (group * s->filters + first) * fc_weight_strides(p).n * (ptrdiff_t)fc_dtype_size(p->dtype);
    if (p->layout == FC_NCHW)
        prepare_filters(p, s, w, from, to, u);
    else
        prepare_channels(p, s, w, filters, from, to, u);
}

typedef struct preparation {
    const fc_problem *p;
    fc_winograd_plan plan;
    const char *w;
    char *u;
} preparation;

static void prepare_part(void *context, ptrdiff_t task, int slot)
{
    const preparation *c = context;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t piece = task / PREPARED_PARTS % s->pieces, group = task / PREPARED_PARTS / s->pieces;
    (void)slot;
    fc_winograd_prepare_piece(c->p, s, c->w, group, piece, task % PREPARED_PARTS, PREPARED_PARTS,
                              c->u + (group * s->u_group + piece * s->u_piece) * (ptrdiff_t)fc_dtype_size(c->p->dtype));
}

void fc_winograd_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const preparation c = {p, fc_winograd_plan_of(p), w, prepared};
    const int threads = fc_winograd_prepared_bytes(p) < BYTES_WORTH_A_THREAD ? 1 : p->threads;
    fc_parallel_for(p->groups * c.plan.pieces * PREPARED_PARTS, threads, true, prepare_part, (void *)&c);
}
