/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nhwc_pack.c -- panels of weights for gemm_nhwc.c, from any order. */
#include <string.h>

#include "algorithms/gemm_nhwc.h"
#include "algorithms/turned_taps.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define ELEMENTS_WORTH_A_THREAD 65536

size_t fc_gemm_nhwc_group(const fc_pixel_correlation *job, const fc_gemm_kernels *kernels)
{
    const fc_panels panels = fc_gemm_nhwc_panels(job, kernels);
    return fc_size_mul(fc_size_mul((size_t)panels.vectors, (size_t)kernels->lanes),
                       fc_size_mul((size_t)fc_taps_of(job), (size_t)job->channels));
}

size_t fc_gemm_nhwc_packed(const fc_pixel_correlation *job, const fc_gemm_kernels *kernels)
{
    return fc_size_mul(fc_gemm_nhwc_group(job, kernels), (size_t)job->groups);
}

#define STRIDED_ROWS(NAME, T)                                                                           \
    static void NAME(ptrdiff_t rows, ptrdiff_t columns, const T *from, ptrdiff_t row, ptrdiff_t column, \
                     ptrdiff_t width, T *to)                                                            \
    {                                                                                                   \
        for (ptrdiff_t r = 0; r < rows; r++, to += width)                                               \
            for (ptrdiff_t l = 0; l < columns; l++) to[l] = from[r * row + l * column];                 \
    }

STRIDED_ROWS(strided_rows32, uint32_t)
STRIDED_ROWS(strided_rows64, uint64_t)

/* Some channels of one tap of a panel: rows of `width` elements, zeros behind the last column. */
static void pack_rows(const fc_problem *p, ptrdiff_t channels, ptrdiff_t columns, const char *from,
                      const fc_weight_steps *steps, ptrdiff_t width, char *to)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    if (columns < width) memset(to, 0, (size_t)(channels * width * element));
    if (steps->column == 1) /* integers are moved as the floats of their size */
        p->kernels->gemm[element == 4 ? FC_F32 : FC_F64].copy_pixels(channels, columns, to, width, from,
                                                                     steps->channel);
    else if (steps->channel == 1)
        p->kernels->pool[p->dtype].transpose(columns, channels, to, width, from, steps->column);
    else if (element == 4)
        strided_rows32(channels, columns, (const uint32_t *)(const void *)from, steps->channel, steps->column, width,
                       (uint32_t *)(void *)to);
    else
        strided_rows64(channels, columns, (const uint64_t *)(const void *)from, steps->channel, steps->column, width,
                       (uint64_t *)(void *)to);
}

void fc_gemm_nhwc_pack_chunk(const fc_problem *p, const fc_pixel_correlation *job, const void *weights,
                             const fc_weight_steps *steps, ptrdiff_t group, const fc_panel_cut *panel,
                             const fc_chunk *chunk, ptrdiff_t width, char *to)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    for (ptrdiff_t t = chunk->outer; t < chunk->outer + chunk->outers; t++) {
        const ptrdiff_t from = fc_weight_at(job, steps, group, t, chunk->inner, panel->first);
        pack_rows(p, chunk->inners, panel->columns, (const char *)weights + from * element, steps, width, to);
        to += chunk->inners * width * element;
    }
}

typedef struct packing {
    const fc_problem *p;
    const fc_pixel_correlation *job;
    const void *weights;
    const fc_weight_steps *steps;
    char *packed;
    fc_panels panels;
    ptrdiff_t group_elements;
    const fc_tap_home *homes;
} packing;

static packing packing_of(const fc_problem *p, const fc_pixel_correlation *job, const void *weights,
                          const fc_weight_steps *steps, void *packed)
{
    return (packing){.p = p,
                     .job = job,
                     .weights = weights,
                     .steps = steps,
                     .packed = packed,
                     .panels = fc_gemm_nhwc_panels(job, &p->kernels->gemm[job->dtype])};
}

/* Taps of a row that lie side by side: those of one channel at a time. */
static void pack_tap_rows(const packing *c, ptrdiff_t group, const fc_panel_cut *panel, char *to)
{
    const fc_pixel_correlation *job = c->job;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(c->p->dtype), width = panel->vectors * c->panels.lanes;
    const ptrdiff_t row = job->axis[1].taps, taps = fc_taps_of(job);
    if (panel->columns < width) memset(to, 0, (size_t)(taps * job->channels * width * element));
    for (ptrdiff_t tap = 0; tap < taps; tap += row)
        for (ptrdiff_t channel = 0; channel < job->channels; channel++) {
            const ptrdiff_t from = fc_weight_at(job, c->steps, group, tap, channel, panel->first);
            c->p->kernels->pool[c->p->dtype].transpose(
                panel->columns, row, to + (tap * job->channels + channel) * width * element, job->channels * width,
                (const char *)c->weights + from * element, c->steps->column);
        }
}

static void pack_panel(void *context, ptrdiff_t task, int slot_number)
{
    const packing *c = context;
    const ptrdiff_t group = task / c->panels.count, depth = fc_taps_of(c->job) * c->job->channels;
    const fc_panel_cut panel = fc_panel_at(&c->panels, task % c->panels.count);
    const fc_chunk all = {0, fc_taps_of(c->job), 0, c->job->channels};
    const ptrdiff_t to = group * c->group_elements + depth * panel.first;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(c->p->dtype);
    (void)slot_number;
    if (c->job->axis[1].taps > 1 && c->steps->tap[1] == 1)
        pack_tap_rows(c, group, &panel, c->packed + to * element);
    else
        fc_gemm_nhwc_pack_chunk(c->p, c->job, c->weights, c->steps, group, &panel, &all,
                                panel.vectors * c->panels.lanes, c->packed + to * element);
}

/* A few channels of a vector of columns are turned at a time, with all their taps. */
static void pack_taps(void *context, ptrdiff_t task, int slot_number)
{
    const packing *c = context;
    const fc_gemm_kernels *kernels = &c->p->kernels->gemm[c->p->dtype];
    const ptrdiff_t taps = c->p->window[0] * c->p->window[1], few = FC_MOST_TURNED / taps;
    const ptrdiff_t group = task / c->panels.count, lanes = c->panels.lanes, all = c->job->channels;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(c->p->dtype);
    const fc_panel_cut panel = fc_panel_at(&c->panels, task % c->panels.count);
    const ptrdiff_t width = panel.vectors * lanes;
    _Alignas(64) char turned[FC_MOST_TURNED * FC_MAX_LANES * sizeof(double)];
    (void)slot_number;
    for (ptrdiff_t first = 0; first < panel.columns; first += lanes)
        for (ptrdiff_t channel = 0; channel < all; channel += few) {
            const ptrdiff_t channels = fc_min(few, all - channel);
            const ptrdiff_t from = fc_first_tap_at(c->steps, group, channel, panel.first + first);
            fc_transpose turn = fc_turned_taps(taps, channels, c->steps->channel, lanes);
            turn.rows = fc_min(lanes, panel.columns - first);
            turn.from = (const char *)c->weights + from * element;
            turn.from_step = c->steps->column;
            turn.to = turned;
            turn.fill = true;
            kernels->transpose(&turn);
            for (ptrdiff_t t = 0; t < taps; t++) {
                const fc_tap_home *home = &c->homes[t];
                if (!home->taps) continue;
                const ptrdiff_t to = home->grid + (group * c->panels.vectors * lanes + panel.first) * home->taps * all +
                                     (home->tap * all + channel) * width + first;
                kernels->copy_pixels(channels, lanes, c->packed + to * element, width, turned + t * lanes * element,
                                     taps * lanes);
            }
        }
}

bool fc_gemm_nhwc_turns_taps(const fc_problem *p)
{
    const ptrdiff_t taps = p->window[0] * p->window[1];
    return p->weight_layout == FC_OIHW && taps > 1 && taps <= FC_MOST_TURNED &&
           (p->dtype == FC_F32 || p->dtype == FC_F64);
}

void fc_gemm_nhwc_pack_taps(const fc_problem *p, const fc_pixel_correlation *job, const void *weights,
                            const fc_weight_steps *steps, const fc_tap_home *homes, void *packed)
{
    packing c = packing_of(p, job, weights, steps, packed);
    c.homes = homes;
    const size_t elements = fc_size_mul((size_t)(p->window[0] * p->window[1]), (size_t)(job->channels * job->columns));
    const int threads = fc_size_mul(elements, (size_t)job->groups) < ELEMENTS_WORTH_A_THREAD ? 1 : p->threads;
    fc_parallel_for(job->groups * c.panels.count, threads, true, pack_taps, &c);
}

void fc_gemm_nhwc_pack(const fc_problem *p, const fc_pixel_correlation *job, const void *weights,
                       const fc_weight_steps *steps, void *packed)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[job->dtype];
    packing c = packing_of(p, job, weights, steps, packed);
    c.group_elements = (ptrdiff_t)fc_gemm_nhwc_group(job, kernels);
    const int threads = fc_gemm_nhwc_packed(job, kernels) < ELEMENTS_WORTH_A_THREAD ? 1 : p->threads;
    fc_parallel_for(job->groups * c.panels.count, threads, true, pack_panel, &c);
}
