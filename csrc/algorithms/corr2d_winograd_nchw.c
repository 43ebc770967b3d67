/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_winograd_nchw.c -- 3x3 correlation of NCHW images with stride 1 by Winograd's F(4x4, 3x3): a quarter of the
 * multiplications. See kernels/winograd.h for the transforms.
 *
 * The tiles of 4x4 outputs are columns of 36 matrix products M[f] = U[f] · V[f], one a frequency: rows are output
 * channels, the depth is the input channels. A block of tiles at a time: all threads transform its input, channels
 * apart, into V; then they share out pieces of (output channels, panel of tiles), each through all frequencies and
 * back to outputs. The tile rows of all images are one list, so that small images fill vectors together.
 *
 * A NaN or an infinity, or a sum that overflows on the way, spreads over its tile: tiles that come back with one are
 * computed by the definition. */
#include <math.h>
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/by_definition.h"
#include "algorithms/grid.h"
#include "algorithms/stripe.h"
#include "algorithms/winograd_plan.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define CHANNELS_A_TASK 4
#define MOST_CHANNELS ((ptrdiff_t)1 << 24) /* sizes of transforms stay far from overflow */

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    size_t element;
    fc_winograd_plan plan;
    fc_problem plain; /* the same with OIHW weights, for fc_corr2d_by_definition */
    fc_operands plain_operands;
    char *v;
    const char *u;
    /* the block at hand */
    ptrdiff_t group, first_row, rows, first_tile, tiles;
    fc_panels panels;
} call;

/* Where the outputs of one tile go. */
typedef struct home {
    ptrdiff_t image, y, x;   /* of its first output */
    ptrdiff_t rows, columns; /* inside the image */
} home;

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (p->window[0] != 3 || p->window[1] != 3) return "kernel is not 3x3";
    if (p->stride[0] != 1 || p->stride[1] != 1) return "stride is not 1";
    if (p->dilation[0] != 1 || p->dilation[1] != 1) return "dilation is not 1";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (p->channels > MOST_CHANNELS || p->out_channels > MOST_CHANNELS) return "there are more than 2^24 channels";
    if (p->batch > INT32_MAX) return "there are more than 2^31 images";
    return NULL;
}

/* Transforming the weights is paid once a call, the gain is an output's; transformed weights of many channels leave the
 * caches, and cost more. */
static const char *pass(const fc_problem *p)
{
    const ptrdiff_t channels = p->channels / p->groups, rows = p->out_channels / p->groups;
    const double tiles =
        (double)p->batch * (double)p->out[0] * (double)p->out[1] / (FC_WINOGRAD_TILE * FC_WINOGRAD_TILE);
    if (channels < 32 || rows < 32) return "there are fewer than 32 channels on one side";
    if (tiles < ((double)channels * (double)rows > 128 * 128 ? 96 : 32))
        return "there are too few outputs to transform the weights for";
    return NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    return fc_size_mul(fc_size_mul(FC_FREQUENCIES, (size_t)s.v_frequency), fc_dtype_size(p->dtype));
}

/* A thread's memory serves one phase, then the other: dealt rows, or M and outputs. */
static size_t slot_bytes(const fc_problem *p)
{
    const fc_winograd_plan s = fc_winograd_plan_of(p);
    const size_t dealt = (size_t)(FC_WINOGRAD_WINDOW * s.row);
    const size_t products = (size_t)(FC_FREQUENCIES * s.m_frequency + FC_WINOGRAD_TILE * FC_WINOGRAD_TILE * s.m_row);
    return fc_size_mul(dealt > products ? dealt : products, fc_dtype_size(p->dtype));
}

/* ---- input --------------------------------------------------------------------------------------------------- */

/* A few channels of V. A tile row is written in whole vectors, what is too much is overwritten by the next. */
static void transform_input(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t element = (ptrdiff_t)c->element, plane = p->in[0] * p->in[1] * element;
    const ptrdiff_t end = fc_min(s->channels, (task + 1) * CHANNELS_A_TASK), columns = c->rows * c->tiles;
    char *dealt = c->workspace->slots + (size_t)slot_number * c->workspace->slot_bytes;
    const ptrdiff_t left = c->first_tile * FC_WINOGRAD_TILE - p->pad_before[1];
    for (ptrdiff_t ch = task * CHANNELS_A_TASK; ch < end; ch++) {
        char *v = c->v + ch * s->v_channel * element;
        for (ptrdiff_t r = 0; r < c->rows; r++) {
            const ptrdiff_t image = (c->first_row + r) / s->tile_rows, row = (c->first_row + r) % s->tile_rows;
            const char *source =
                (const char *)c->operands->x + ((image * p->groups + c->group) * s->channels + ch) * plane;
            for (ptrdiff_t i = 0; i < FC_WINOGRAD_WINDOW; i++) {
                const ptrdiff_t y = row * FC_WINOGRAD_TILE - p->pad_before[0] + i;
                fc_deal_row(c->element, y < 0 || y >= p->in[0] ? NULL : source + y * p->in[1] * element, p->in[1], left,
                            FC_WINOGRAD_TILE, s->phase, dealt + i * s->row * element);
            }
            c->kernels->winograd_input(&(fc_winograd_input){.tiles = c->tiles,
                                                            .rows = dealt,
                                                            .row_step = s->row,
                                                            .phase_step = s->phase,
                                                            .v = v + r * c->tiles * element,
                                                            .frequency_step = s->v_frequency});
        }
        for (ptrdiff_t f = 0; f < FC_FREQUENCIES; f++) /* the last panel is read to its end */
            memset(v + (f * s->v_frequency + columns) * element, 0,
                   (size_t)((fc_ceil_div(columns, c->kernels->lanes) * c->kernels->lanes - columns) * element));
    }
}

/* ---- products and output --------------------------------------------------------------------------------------- */

/* All frequencies of some output channels and one panel of tiles. */
static void multiply(const call *c, ptrdiff_t first_row, ptrdiff_t rows, fc_panel_cut cut, char *m)
{
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t element = (ptrdiff_t)c->element, tile_rows = c->kernels->rows;
    const ptrdiff_t chunks = fc_max(1, fc_ceil_div(s->channels, FC_DEPTH));
    _Alignas(64) static const char zeros[FC_MAX_LANES * 8];
    for (ptrdiff_t f = 0; f < FC_FREQUENCIES; f++)
        for (ptrdiff_t q = 0; q < chunks; q++) {
            const ptrdiff_t from = fc_cut(s->channels, chunks, q);
            const void *a[FC_MAX_TILE_ROWS], *init[FC_MAX_TILE_ROWS];
            const void *const b[1] = {c->v + (f * s->v_frequency + from * s->v_channel + cut.first) * element};
            void *out[FC_MAX_TILE_ROWS];
            const fc_tile tile = {.segments = 1,
                                  .depth = fc_cut(s->channels, chunks, q + 1) - from,
                                  .a = a,
                                  .b = b,
                                  .a_step = 1,
                                  .b_step = s->v_channel,
                                  .init = init,
                                  .init_step = q ? c->kernels->lanes : 0,
                                  .c = out};
            for (ptrdiff_t row = 0; row < rows; row += tile_rows) {
                for (ptrdiff_t r = 0; r < tile_rows; r++) {
                    const ptrdiff_t used = first_row + fc_min(row + r, rows - 1); /* M has room for the rows too many */
                    a[r] = c->u + (f * s->u_frequency + used * s->u_row + from) * element;
                    out[r] = m + (f * s->m_frequency + (row + r) * s->m_row) * element;
                    init[r] = q ? out[r] : zeros;
                }
                c->kernels->tile[cut.vectors - 1](&tile);
            }
        }
}

static bool all_finite(const char *outputs, size_t element)
{
    for (int i = 0; i < FC_WINOGRAD_TILE * FC_WINOGRAD_TILE; i++, outputs += element)
        if (element == 4 ? !isfinite(*(const float *)(const void *)outputs)
                         : !isfinite(*(const double *)(const void *)outputs))
            return false;
    return true;
}

/* One output channel of a panel brought home. */
static void bring_home(const call *c, ptrdiff_t o, const home *homes, ptrdiff_t tiles, const char *outputs, bool finite)
{
    const fc_problem *p = c->p;
    const size_t element = c->element;
    const ptrdiff_t row = p->out[1] * (ptrdiff_t)element,
                    tile_bytes = FC_WINOGRAD_TILE * FC_WINOGRAD_TILE * (ptrdiff_t)element;
    for (ptrdiff_t t = 0; t < tiles; t++, outputs += tile_bytes) {
        const home *h = &homes[t];
        char *y = (char *)c->operands->y + ((h->image * p->out_channels + o) * p->out[0] + h->y) * row +
                  h->x * (ptrdiff_t)element;
        if (!finite && !all_finite(outputs, element)) {
            fc_corr2d_by_definition(&c->plain, &c->plain_operands, h->image, o, (fc_range){h->y, h->y + h->rows},
                                    (fc_range){h->x, h->x + h->columns});
        } else if (h->columns == FC_WINOGRAD_TILE && element == 4) {
            for (ptrdiff_t i = 0; i < h->rows; i++)
                memcpy(y + i * row, outputs + i * FC_WINOGRAD_TILE * 4, FC_WINOGRAD_TILE * 4);
        } else {
            for (ptrdiff_t i = 0; i < h->rows; i++)
                memcpy(y + i * row, outputs + (size_t)i * FC_WINOGRAD_TILE * element, (size_t)h->columns * element);
        }
    }
}

static void find_homes(const call *c, fc_panel_cut cut, home *homes)
{
    const fc_winograd_plan *s = &c->plan;
    for (ptrdiff_t t = 0; t < cut.columns; t++) {
        const ptrdiff_t row = c->first_row + (cut.first + t) / c->tiles;
        const ptrdiff_t column = c->first_tile + (cut.first + t) % c->tiles;
        homes[t] = (home){
            .image = row / s->tile_rows, .y = row % s->tile_rows * FC_WINOGRAD_TILE, .x = column * FC_WINOGRAD_TILE};
        homes[t].rows = fc_min(FC_WINOGRAD_TILE, c->p->out[0] - homes[t].y);
        homes[t].columns = fc_min(FC_WINOGRAD_TILE, c->p->out[1] - homes[t].x);
    }
}

static void compute_outputs(void *context, ptrdiff_t task, int slot_number)
{
    const call *c = context;
    const fc_winograd_plan *s = &c->plan;
    const ptrdiff_t element = (ptrdiff_t)c->element, pieces = fc_ceil_div(s->rows, FC_WINOGRAD_ROWS);
    const ptrdiff_t first = fc_cut(s->rows, pieces, task % pieces);
    const ptrdiff_t rows = fc_cut(s->rows, pieces, task % pieces + 1) - first;
    const fc_panel_cut cut = fc_panel_at(&c->panels, task / pieces);
    char *m = c->workspace->slots + (size_t)slot_number * c->workspace->slot_bytes;
    char *outputs = m + FC_FREQUENCIES * s->m_frequency * element;
    const double no_bias = 0;
    home homes[FC_MAX_PANEL_LANES];
    multiply(c, first, rows, cut, m);
    find_homes(c, cut, homes);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t o = c->group * s->rows + first + r;
        bool finite;
        c->kernels->winograd_output(&(fc_winograd_output){
            .vectors = cut.vectors,
            .m = m + r * s->m_row * element,
            .frequency_step = s->m_frequency,
            .bias = c->operands->bias ? (const char *)c->operands->bias + o * element : (const void *)&no_bias,
            .y = outputs,
            .finite = &finite});
        bring_home(c, o, homes, cut.columns, outputs, finite);
    }
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[p->dtype],
              .element = fc_dtype_size(p->dtype),
              .plan = fc_winograd_plan_of(p),
              .plain = *p,
              .plain_operands = *operands,
              .v = workspace->shared};
    const fc_winograd_plan *s = &c.plan;
    const ptrdiff_t all_rows = p->batch * s->tile_rows, row_blocks = fc_ceil_div(all_rows, s->block_rows);
    c.plain.weight_layout = FC_OIHW;
    c.plain_operands.w = (const char *)operands->prepared + fc_winograd_weight_bytes(p);
    for (c.group = 0; c.group < p->groups; c.group++) {
        c.u = (const char *)operands->prepared + (size_t)(c.group * FC_FREQUENCIES * s->u_frequency) * c.element;
        for (ptrdiff_t block = 0; block < row_blocks * s->row_pieces; block++) {
            const ptrdiff_t rows = block / s->row_pieces, piece = block % s->row_pieces;
            c.first_row = fc_cut(all_rows, row_blocks, rows);
            c.rows = fc_cut(all_rows, row_blocks, rows + 1) - c.first_row;
            c.first_tile = fc_cut(s->tiles, s->row_pieces, piece);
            c.tiles = fc_cut(s->tiles, s->row_pieces, piece + 1) - c.first_tile;
            c.panels = fc_panels_of(c.rows * c.tiles, c.kernels->lanes);
            fc_parallel_for(fc_ceil_div(s->channels, CHANNELS_A_TASK), workspace->threads, true, transform_input, &c);
            fc_parallel_for(c.panels.count * fc_ceil_div(s->rows, FC_WINOGRAD_ROWS), workspace->threads, true,
                            compute_outputs, &c);
        }
    }
}

const fc_algorithm fc_corr2d_winograd_nchw = {
    .name = "winograd_nchw",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = fc_winograd_prepared_bytes,
    .prepare = fc_winograd_prepare,
    .run = forward,
};
