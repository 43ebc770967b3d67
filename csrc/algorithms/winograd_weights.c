/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_weights.c -- the transformed weights of winograd.h, in the order in which its products read them. */
#include "algorithms/turned_taps.h"
#include "algorithms/winograd.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define BYTES_WORTH_A_THREAD (256 * 1024)
#define MOST_TAPS 25
#define FEW_TAPS 9
#define TURNED 16 /* channels whose weights are turned at a time, at most */

size_t fc_winograd_weight_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    return fc_size_lines(fc_size_mul(fc_size_mul((size_t)s->u_group, (size_t)p->groups), fc_dtype_size(p->dtype)));
}

size_t fc_winograd_prepared_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    return s.own_weights || s.shared_weights ? 0 : fc_winograd_weight_bytes(p, &s);
}

typedef struct transform {
    const fc_problem *p;
    const fc_winograd_plan *plan;
    const fc_gemm_kernels *kernels;
    fc_strides w;
    ptrdiff_t element;
} transform;

/* Filters next to each other, of one channel. */
static void transform_filters(const transform *t, ptrdiff_t filters, const char *w, const ptrdiff_t tap_step[2],
                              char *u)
{
    const bool line[2] = {t->p->window[0] == 1, t->p->window[1] == 1};
    t->kernels->winograd[t->plan->form].weights(
        &(fc_winograd_weights){.filters = filters,
                               .w = w,
                               .tap_step = {line[0] ? 0 : tap_step[0], line[1] ? 0 : tap_step[1]},
                               .u = u,
                               .frequency_step = t->plan->u_frequency});
}

/* A vector of filters that lie apart, of some channels: turned first, so that they are next to each other. Taps of one
 * filter and channel follow each other, forwards or backwards, or channels of one filter and tap do. What comes next lies
 * `ahead` elements further. */
static void turn_and_transform(const transform *t, ptrdiff_t filters, ptrdiff_t channels, const char *w,
                               ptrdiff_t ahead, ptrdiff_t width, char *u)
{
    _Alignas(64) char turned[MOST_TAPS * TURNED * FC_CACHE_LINE]; /* a vector has no more bytes */
    const ptrdiff_t lanes = t->kernels->lanes, kh = t->p->window[0], kw = t->p->window[1], taps = kh * kw;
    const bool channels_follow = t->w.c == 1;
    const ptrdiff_t last = fc_min(0, (kh - 1) * t->w.h + (kw - 1) * t->w.w); /* where backward taps begin */
    const ptrdiff_t first = -last;
    ptrdiff_t steps[2] = {t->w.h * lanes, t->w.w * lanes}, channel_step = t->w.c * lanes;
    const bool fetch = t->w.c != taps || taps > FEW_TAPS; /* of 3x3 that lie together the hardware brings more */
    fc_transpose rows = {.rows = filters,
                         .from_step = t->w.n,
                         .to_step = lanes,
                         .fill = true,
                         .from_ahead = fetch ? ahead * t->element : 0};
    if (channels_follow) {
        rows.columns = channels;
        for (ptrdiff_t tap = 0; tap < taps; tap++) {
            rows.from = w + (tap / kw * t->w.h + tap % kw * t->w.w) * t->element;
            rows.to = turned + tap * channels * lanes * t->element;
            t->kernels->transpose(&rows);
        }
        channel_step = lanes;
        steps[0] = kw * channels * lanes;
        steps[1] = channels * lanes;
    } else {
        fc_transpose turn = fc_turned_taps(taps, channels, t->w.c, lanes);
        turn.rows = filters;
        turn.from = w + last * t->element;
        turn.from_step = t->w.n;
        turn.to = turned;
        turn.fill = true;
        turn.from_ahead = rows.from_ahead;
        t->kernels->transpose(&turn);
        channel_step = turn.to_next;
    }
    for (ptrdiff_t c = 0; c < channels; c++)
        transform_filters(t, lanes, turned + (c * channel_step + (channels_follow ? 0 : first * lanes)) * t->element,
                          steps, u + c * width * t->element);
}

/* Some channels of a chunk; the first one is the first of a turn. */
static void prepare_channels(const fc_problem *p, const fc_winograd_plan *s, const char *w, ptrdiff_t group,
                             ptrdiff_t piece, ptrdiff_t index, fc_range some, char *u)
{
    const transform t = {p, s, &p->kernels->gemm[p->dtype], fc_weight_strides(p), (ptrdiff_t)fc_dtype_size(p->dtype)};
    const ptrdiff_t filter = fc_winograd_first_filter(s, piece), lanes = s->lanes;
    const ptrdiff_t filters = fc_winograd_first_filter(s, piece + 1) - filter;
    const fc_panels panels = fc_panels_of(filters, lanes, t.kernels->product_vectors);
    const fc_winograd_chunk chunk = fc_winograd_chunk_at(s, index);
    w += (fc_filter_at(p, &t.w, group * s->filters + filter) + chunk.first * t.w.c) * t.element;
    for (ptrdiff_t channel = some.first; channel < some.end; channel += TURNED)
        for (ptrdiff_t i = 0; i < panels.count; i++) {
            const fc_panel_cut cut = fc_panel_at(&panels, i);
            const ptrdiff_t width = cut.vectors * lanes, channels = fc_min(TURNED, some.end - channel);
            const char *source = w + (cut.first * t.w.n + channel * t.w.c) * t.element;
            char *target = u + (cut.first * chunk.depth + channel * width) * t.element;
            if (t.w.n == 1)
                for (ptrdiff_t c = 0; c < channels; c++)
                    transform_filters(&t, cut.columns, source + c * t.w.c * t.element, (ptrdiff_t[2]){t.w.h, t.w.w},
                                      target + c * width * t.element);
            else
                for (ptrdiff_t f = 0; f < cut.columns; f += lanes) {
                    const ptrdiff_t at = cut.first + f;
                    const ptrdiff_t ahead = at + lanes < filters          ? lanes * t.w.n
                                            : channel + TURNED < some.end ? TURNED * t.w.c - at * t.w.n
                                                                          : 0;
                    turn_and_transform(&t, fc_min(lanes, cut.columns - f), channels, source + f * t.w.n * t.element,
                                       ahead, width, target + f * t.element);
                }
        }
}

void fc_winograd_prepare_chunk(const fc_problem *p, const fc_winograd_plan *s, const char *w, ptrdiff_t group,
                               ptrdiff_t piece, ptrdiff_t index, char *u)
{
    prepare_channels(p, s, w, group, piece, index, (fc_range){0, fc_winograd_chunk_at(s, index).depth}, u);
}

static ptrdiff_t turns_of(const fc_winograd_plan *s) { return fc_ceil_div(s->depth, TURNED); }

ptrdiff_t fc_winograd_weight_parts(const fc_problem *p, const fc_winograd_plan *s)
{
    return p->groups * s->pieces * s->chunks * turns_of(s);
}

void fc_winograd_prepare_part(const fc_problem *p, const fc_winograd_plan *s, const char *w, ptrdiff_t part, char *u)
{
    const ptrdiff_t turns = turns_of(s), first = part % turns * TURNED, chunk = part / turns % s->chunks;
    const ptrdiff_t piece = part / turns / s->chunks % s->pieces, group = part / turns / s->chunks / s->pieces;
    const ptrdiff_t depth = fc_winograd_chunk_at(s, chunk).depth;
    prepare_channels(p, s, w, group, piece, chunk, (fc_range){first, fc_min(depth, first + TURNED)},
                     u + (group * s->u_group + piece * s->u_piece + chunk * s->u_chunk) *
                             (ptrdiff_t)fc_dtype_size(p->dtype));
}

typedef struct preparation {
    const fc_problem *p;
    fc_winograd_plan plan;
    const char *w;
    char *u;
} preparation;

static void prepare_task(void *context, ptrdiff_t task, int slot)
{
    const preparation *c = context;
    (void)slot;
    fc_winograd_prepare_part(c->p, &c->plan, c->w, task, c->u);
}

void fc_winograd_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const preparation c = {p, fc_winograd_plan_of(p), w, prepared};
    const int threads = fc_winograd_prepared_bytes(p) < BYTES_WORTH_A_THREAD ? 1 : p->threads;
    fc_parallel_for(fc_winograd_weight_parts(p, &c.plan), threads, true, prepare_task, (void *)&c);
}
