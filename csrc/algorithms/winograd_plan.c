/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/winograd_plan.h"

#include <string.h>

#include "algorithms/strided_copy.h"
#include "platform/memory.h"
#include "platform/parallel.h"

/* Of transformed input, aimed at: it is read again by every output channel. With very many channels one panel of tiles is
 * more, but less than the transformed weights of as many output channels as it has lanes. */
#define BLOCK_BYTES (2 * 1024 * 1024)
#define BYTES_WORTH_A_THREAD (256 * 1024)
#define MOST_ROW_TILES 512

/* Elements in an odd number of cache lines: what lies so far apart does not meet in one cache set. */
static ptrdiff_t odd_lines(ptrdiff_t elements, size_t element)
{
    const ptrdiff_t line = FC_CACHE_LINE / (ptrdiff_t)element;
    return (fc_ceil_div(elements, line) | 1) * line;
}

fc_winograd_plan fc_winograd_plan_of(const fc_problem *p)
{
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes, width = lanes * FC_MAX_TILE_VECTORS;
    fc_winograd_plan s = {.channels = p->channels / p->groups,
                          .rows = p->out_channels / p->groups,
                          .tile_rows = fc_ceil_div(p->out[0], FC_WINOGRAD_TILE),
                          .tiles = fc_ceil_div(p->out[1], FC_WINOGRAD_TILE)};
    const ptrdiff_t wanted = fc_max(width, BLOCK_BYTES / (FC_FREQUENCIES * fc_max(1, s.channels) * (ptrdiff_t)element));
    s.row_pieces = fc_ceil_div(s.tiles, fc_min(wanted, MOST_ROW_TILES));
    s.block_tiles = fc_ceil_div(s.tiles, s.row_pieces);
    s.block_rows = fc_max(1, fc_min(wanted / s.block_tiles, p->batch * s.tile_rows));
    s.v_channel = odd_lines(fc_ceil_div(s.block_rows * s.block_tiles, lanes) * lanes + lanes, element);
    s.v_frequency = odd_lines(s.channels * s.v_channel, element);
    s.u_row = fc_ceil_div(s.channels, lanes) * lanes;
    s.u_frequency = odd_lines(s.rows * s.u_row, element);
    s.m_row = width;
    s.m_frequency = odd_lines(FC_WINOGRAD_ROWS * width, element);
    s.phase = fc_ceil_div(s.block_tiles, lanes) * lanes + lanes;
    s.row = FC_WINOGRAD_TILE * s.phase;
    return s;
}

size_t fc_winograd_weight_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    const size_t frequencies = fc_size_mul(FC_FREQUENCIES * (size_t)s.u_frequency, (size_t)p->groups);
    return fc_size_mul(frequencies, fc_dtype_size(p->dtype));
}

size_t fc_winograd_prepared_bytes(const fc_problem *p)
{
    return fc_size_add(fc_winograd_weight_bytes(p), fc_weight_bytes(p));
}

typedef struct preparation {
    const fc_problem *p;
    fc_winograd_plan plan;
    const char *w;
    char *u;
} preparation;

static void prepare_row(void *context, ptrdiff_t row, int slot)
{
    const preparation *c = context;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(c->p->dtype), group = row / s->rows;
    const fc_strides ws = fc_weight_strides(c->p);
    (void)slot;
    c->p->kernels->gemm[c->p->dtype].winograd_weights(&(fc_winograd_weights){
        .channels = s->channels,
        .w = c->w + row * ws.n * element,
        .channel_step = ws.c,
        .tap_step = {ws.h, ws.w},
        .u = c->u + (group * FC_FREQUENCIES * s->u_frequency + row % s->rows * s->u_row) * element,
        .frequency_step = s->u_frequency});
}

void fc_winograd_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const preparation c = {p, fc_winograd_plan_of(p), w, prepared};
    char *plain = (char *)prepared + fc_winograd_weight_bytes(p);
    if (p->weight_layout == FC_OIHW)
        memcpy(plain, w, fc_weight_bytes(p));
    else
        fc_copy_to_oihw(p, w, plain);
    fc_parallel_for(p->out_channels, fc_winograd_weight_bytes(p) < BYTES_WORTH_A_THREAD ? 1 : p->threads, true,
                    prepare_row, (void *)&c);
}
