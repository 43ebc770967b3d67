/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_winograd_nchw.c -- winograd.h on planes: a run of tiles is turned into pixels of a few channels, [row][column]
 * [channel], before it is transformed, and its outputs back into rows of planes. */
#include <string.h>

#include "algorithms/winograd.h"
#include "platform/memory.h"

#define RUN_COLUMNS 96 /* outputs of a run along its row, about: of 32 to 192, the fastest */
#define LARGE_PLANE_BYTES (128 * 1024)

static const char *decline(const fc_problem *p)
{
    return p->layout == FC_NCHW ? fc_winograd_decline(p) : "layout is not NCHW";
}

static ptrdiff_t turned_channels(const fc_gemm_kernels *kernels) { return FC_WINOGRAD_TURNED * kernels->lanes; }

/* Elements of the pixels of a run: inputs, or outputs of one piece. */
static ptrdiff_t run_elements(const fc_winograd_plan *s, const fc_gemm_kernels *kernels)
{
    const ptrdiff_t columns = RUN_COLUMNS * s->stride + s->window[1] * s->dilation[1];
    const ptrdiff_t inputs = s->window[0] * columns * turned_channels(kernels);
    return fc_max(inputs, s->tile[0] * (RUN_COLUMNS + s->tile[1]) * FC_WINOGRAD_PIECE);
}

/* And a pixel of zeros behind them. */
static size_t scratch_bytes(const fc_problem *p, const fc_winograd_plan *s)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    return fc_size_lines((size_t)(run_elements(s, kernels) + turned_channels(kernels)) * fc_dtype_size(p->dtype));
}

static fc_winograd_run run_of(const fc_winograd_call *c, const fc_winograd_block *block, ptrdiff_t tile)
{
    const ptrdiff_t d = c->plan.dilation[1], most = fc_ceil_div(RUN_COLUMNS, c->plan.tile[1]) / d * d;
    return fc_winograd_run_at(&c->plan, block->first + tile, fc_min(most, block->tiles - tile));
}

/* The first output of tile n of a run, in the run: a run is as many tiles as there are problems, once or several times. */
static ptrdiff_t column_of(const fc_winograd_plan *s, ptrdiff_t n) { return fc_winograd_origin(s, 1, n); }

/* The inputs of a run that lie in the image, where they are turned to. */
static fc_winograd_area inside_of(const fc_winograd_call *c, const fc_winograd_run *run, const char *pixels)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t down = s->dilation[0];
    const ptrdiff_t top = run->y * s->stride - c->p->pad_before[0], left = run->x * s->stride - c->p->pad_before[1];
    const ptrdiff_t last = column_of(s, run->tiles - 1) * s->stride + (s->window[1] - 1) * s->dilation[1];
    fc_winograd_area part = {
        .row_step = down, .pixels = pixels, .pixel_bytes = turned_channels(c->kernels) * c->element};
    part.from[0] = top < 0 ? top + fc_ceil_div(-top, down) * down : top;
    part.to[0] = fc_max(part.from[0], fc_min(top + (s->window[0] - 1) * down + 1, c->p->in[0]));
    part.from[1] = fc_max(0, left);
    part.to[1] = fc_max(part.from[1], fc_min(left + last + 1, c->p->in[1]));
    return part;
}

/* Smaller planes are in a cache, or come there in the wake of their neighbours. */
static bool fetches_ahead(const ptrdiff_t size[2], ptrdiff_t element)
{
    return size[0] * size[1] * element >= LARGE_PLANE_BYTES;
}

/* Rows that are next to each other in the planes are turned as one. */
static void turn_rows(const fc_winograd_call *c, const fc_winograd_area *part, ptrdiff_t channels, const char *planes,
                      char *to)
{
    const fc_problem *p = c->p;
    const ptrdiff_t columns = part->to[1] - part->from[1], step = turned_channels(c->kernels);
    const bool together = columns == p->in[1] && part->row_step == 1;
    fc_transpose rows = {.rows = channels,
                         .columns = together ? columns * (part->to[0] - part->from[0]) : columns,
                         .from_step = p->in[0] * p->in[1],
                         .to_step = step,
                         .fill = true,
                         .from_ahead =
                             fetches_ahead(p->in, c->element) ? RUN_COLUMNS * c->plan.stride * c->element : 0};
    const ptrdiff_t end = together ? fc_min(part->from[0] + 1, part->to[0]) : part->to[0];
    for (ptrdiff_t y = part->from[0]; y < end; y += part->row_step, to += columns * step * c->element) {
        rows.from = planes + (y * p->in[1] + part->from[1]) * c->element;
        rows.to = to;
        c->kernels->transpose(&rows);
    }
}

static void input(const fc_winograd_call *c, const fc_winograd_block *block, fc_range channels, char *scratch)
{
    const fc_problem *p = c->p;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t step = turned_channels(c->kernels), plane = p->in[0] * p->in[1] * c->element;
    char *zeros = scratch + run_elements(s, c->kernels) * c->element;
    memset(zeros, 0, (size_t)(step * c->element));
    for (ptrdiff_t first = channels.first; first < channels.end; first += step) {
        fc_winograd_input tile = {.channels = fc_min(step, channels.end - first), .frequency_step = s->v_frequency};
        for (ptrdiff_t t = 0; t < block->tiles;) {
            const fc_winograd_run run = run_of(c, block, t);
            const fc_winograd_area part = inside_of(c, &run, scratch);
            const char *planes =
                (const char *)c->operands->x + (run.image * p->channels + block->group * s->channels + first) * plane;
            turn_rows(c, &part, tile.channels, planes, scratch);
            for (ptrdiff_t i = 0; i < run.tiles; i++, t++) {
                fc_winograd_find_pixels(c, &part, run.y, run.x + column_of(s, i), zeros, tile.pixel);
                tile.v = block->v + (t * s->v_row + first) * c->element;
                c->kernels->winograd[s->form].input(&tile);
            }
        }
    }
}

/* The outputs of a run, in pixels of a piece's channels, brought home to rows of planes. */
static void bring_home(const fc_winograd_call *c, const fc_winograd_run *run, const ptrdiff_t size[2],
                       ptrdiff_t filters, const char *pixels, char *planes)
{
    const fc_problem *p = c->p;
    const ptrdiff_t down = c->plan.dilation[0];
    const bool together = size[1] == p->out[1] && down == 1;
    fc_transpose rows = {.rows = together ? size[0] * size[1] : size[1],
                         .columns = filters,
                         .from_step = FC_WINOGRAD_PIECE,
                         .to_step = p->out[0] * p->out[1],
                         .to_ahead = fetches_ahead(p->out, c->element) ? RUN_COLUMNS * c->element : 0};
    for (ptrdiff_t i = 0; i < (together ? 1 : size[0]); i++) {
        rows.from = pixels + i * size[1] * FC_WINOGRAD_PIECE * c->element;
        rows.to = planes + ((run->y + i * down) * p->out[1] + run->x) * c->element;
        c->kernels->transpose(&rows);
    }
}

static void output(const fc_winograd_call *c, const fc_winograd_block *block, const fc_winograd_piece *piece)
{
    const fc_problem *p = c->p;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t filter = block->group * s->filters + piece->filter, plane = p->out[0] * p->out[1] * c->element;
    const char *bias = c->operands->bias;
    for (ptrdiff_t first = 0, t = 0; t < block->tiles; first = t) {
        const fc_winograd_run run = run_of(c, block, t);
        const ptrdiff_t size[2] = {fc_winograd_outputs(s, 0, p->out[0], run.y),
                                   fc_min(run.tiles * s->tile[1], p->out[1] - run.x)};
        char *planes = (char *)c->operands->y + (run.image * p->out_channels + filter) * plane;
        bool finite[RUN_COLUMNS];
        t += run.tiles;
        if (!size[0]) continue;
        for (ptrdiff_t n = 0; n < run.tiles; n++) {
            const ptrdiff_t columns = fc_winograd_outputs(s, 1, size[1], column_of(s, n));
            finite[n] = true;
            if (!columns) continue;
            fc_winograd_output tile = {.channels = piece->filters,
                                       .m = piece->m + (first + n) * s->m_row * c->element,
                                       .frequency_step = s->m_frequency,
                                       .bias = bias ? bias + filter * c->element : NULL,
                                       .whole = size[0] == s->tile[0] && columns == s->tile[1],
                                       .finite = &finite[n]};
            for (ptrdiff_t i = 0; i < size[0]; i++)
                for (ptrdiff_t j = 0; j < columns; j++)
                    tile.pixel[i * s->tile[1] + j] =
                        piece->scratch +
                        (i * size[1] + column_of(s, n) + j * s->dilation[1]) * FC_WINOGRAD_PIECE * c->element;
            c->kernels->winograd[s->form].output(&tile);
        }
        bring_home(c, &run, size, piece->filters, piece->scratch, planes);
        for (ptrdiff_t n = 0; n < run.tiles; n++) {
            fc_winograd_run one = run;
            one.x += column_of(s, n);
            for (ptrdiff_t r = 0; !finite[n] && r < piece->filters; r++)
                fc_winograd_mend(c, &one, filter + r, planes + r * plane + (one.y * p->out[1] + one.x) * c->element,
                                 (ptrdiff_t[2]){p->out[1], 1});
        }
    }
}

const fc_winograd_methods fc_winograd_on_planes = {input, output, scratch_bytes};

const fc_algorithm fc_corr2d_winograd_nchw = {
    .name = "winograd_nchw",
    .decline = decline,
    .pass = fc_winograd_pass,
    .shared_bytes = fc_winograd_shared_bytes,
    .slot_bytes = fc_winograd_slot_bytes,
    .prepared_bytes = fc_winograd_prepared_bytes,
    .reads_weights = true,
    .prepare = fc_winograd_prepare,
    .run = fc_winograd_forward,
};
