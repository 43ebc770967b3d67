/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_depthwise_nchw.c -- depthwise correlation of NCHW images. Lanes are columns; a tile is seven rows of outputs,
 * read where they lie: a row outside the image is a row of zeros, a vector that reaches over the border is masked, and
 * zeros are multiplied. An output is one chain of multiplications and additions over its taps.
 *
 * A channel may have several filters, whose outputs are planes of their own. A task takes some rows of some of these:
 * the pointers to what seven rows of outputs read are found once, then moved from plane to plane. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/depthwise_block.h"
#include "algorithms/grid.h"
#include "algorithms/strided_copy.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define TASK_BYTES (24 * 1024) /* of the input of small planes: a part of the first-level cache */
#define MOST_TAPS 32           /* along an axis */
#define FEWEST_ROWS 8          /* of a strip, which reads two more */
#define ROWS FC_DEPTHWISE_ROWS

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    void (*kernel)(const fc_depthwise_rows *);
    void (*kernel_3x3)(const fc_depthwise_plane *); /* or NULL */
    const char *weights;                            /* [filter][kh][kw] */
    ptrdiff_t element, lanes;
    ptrdiff_t planes;         /* of y, of a task */
    ptrdiff_t strips, blocks; /* of rows of outputs computed together; a block of strips is a task */
    const char *zeros;        /* a row */
    fc_range inside;
    ptrdiff_t edges;
    fc_depthwise_edge edge[FC_DEPTHWISE_EDGES];
    unsigned char whole[FC_DEPTHWISE_EDGES][MOST_TAPS];
} call;

/* The outputs of a row all of whose taps lie inside the image. */
static fc_range columns_inside(const fc_problem *p)
{
    return (fc_range){fc_outputs_inside(p, 1, 0).first, fc_outputs_inside(p, 1, p->window[1] - 1).end};
}

/* How a row of outputs is cut into vectors: edges from the left, outputs whose taps all lie inside, edges up to the
 * right; or edges alone. */
typedef struct row_cut {
    fc_range inside;
    ptrdiff_t left, right; /* edges */
} row_cut;

static row_cut cut_row(const fc_problem *p, ptrdiff_t lanes)
{
    const ptrdiff_t width = p->out[1];
    const fc_range inside = columns_inside(p);
    row_cut cut = {{0, 0}, fc_ceil_div(width, lanes), 0};
    if (inside.end - inside.first < lanes) return cut;
    const ptrdiff_t left = fc_ceil_div(inside.first, lanes), right = fc_ceil_div(width - inside.end, lanes);
    if (left + right >= cut.left) return cut;
    cut.left = left;
    cut.right = right;
    cut.inside = (fc_range){left * lanes, width - right * lanes};
    if (cut.inside.end - cut.inside.first < lanes) { /* a vector that overlaps its neighbours */
        cut.inside.first = fc_min(cut.inside.first, inside.end - lanes);
        cut.inside.end = cut.inside.first + lanes;
    }
    return cut;
}

static const char *decline(const fc_problem *p)
{
    const fc_range inside = columns_inside(p);
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->groups != p->channels || p->groups == 0) return "groups are not single channels";
    if (p->out_channels == 0) return "there are no filters";
    if (p->turned && p->out_channels != p->channels) return "a filter reads several channels";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "numbers are integers";
    if (p->stride[1] > 2 && p->out[1] > 1) return "stride along the width is larger than 2";
    if (!fc_fits_lanes(p)) return "an image is too wide, too far padded or too far dilated";
    if (p->window[0] > MOST_TAPS || p->window[1] > MOST_TAPS) return "the kernel is larger than 32";
    /* For any number of lanes, since weights prepared with one instruction set may be used under another. */
    if (p->out[1] - (inside.end > inside.first ? inside.end - inside.first : 0) > FC_DEPTHWISE_EDGES)
        return "too many columns of a row reach over the border";
    return NULL;
}

static size_t mask_bytes(const fc_problem *p)
{
    const row_cut cut = cut_row(p, p->kernels->gemm[p->dtype].lanes);
    const size_t vectors = (size_t)((cut.left + cut.right) * p->window[1] * 2);
    return fc_size_lines(vectors * (size_t)p->kernels->gemm[p->dtype].lanes * fc_dtype_size(p->dtype));
}

static size_t zero_bytes(const fc_problem *p) { return fc_size_lines((size_t)p->in[1] * fc_dtype_size(p->dtype)); }

static size_t shared_bytes(const fc_problem *p) { return fc_size_add(mask_bytes(p), zero_bytes(p)); }

/* The weights of a filter, one tap behind the other. Both other orders are [filter][kh][kw]. */
static bool weights_lie_ready(const fc_problem *p) { return p->weight_layout != FC_HWIO && !p->turned; }

static size_t prepared_bytes(const fc_problem *p) { return weights_lie_ready(p) ? 0 : fc_weight_bytes(p); }

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const fc_strides s = fc_weight_strides(p);
    fc_strided_copy(fc_dtype_size(p->dtype), (const ptrdiff_t[4]){p->out_channels, p->window[0], p->window[1], 1},
                    (const ptrdiff_t[4]){fc_filter_at(p, &s, 1), s.h, s.w, 0}, w, prepared);
}

static ptrdiff_t stride_of(const fc_problem *p) { return p->out[1] > 1 ? p->stride[1] : 1; }

/* The masks of one vector and tap. Element k of the second mask is the one stride - 1 masks of lanes - 1 behind. */
static char *put_masks(const call *c, ptrdiff_t column, fc_range outputs, char *mask)
{
    const ptrdiff_t stride = stride_of(c->p), element = c->element, lanes = c->lanes;
    memset(mask, 0, (size_t)(stride * lanes * element));
    for (ptrdiff_t l = 0; l < lanes; l++) {
        const ptrdiff_t at = l * stride, place = at < lanes ? at : at + 1; /* the element in the middle is in both */
        if (column + l >= outputs.first && column + l < outputs.end)
            memset(mask + place * element, 255, (size_t)element);
    }
    return mask + stride * lanes * element;
}

static void find_edges(call *c, char *mask)
{
    const fc_problem *p = c->p;
    const row_cut cut = cut_row(p, c->lanes);
    c->inside = cut.inside;
    c->edges = cut.left + cut.right;
    for (ptrdiff_t e = 0; e < c->edges; e++) {
        const ptrdiff_t from = e < cut.left ? e * c->lanes : p->out[1] - (c->edges - e) * c->lanes;
        const ptrdiff_t column = fc_max(0, fc_min(from, p->out[1] - c->lanes));
        c->edge[e] = (fc_depthwise_edge){.column = column, .masks = mask, .whole = c->whole[e]};
        for (ptrdiff_t v = 0; v < p->window[1]; v++) {
            const fc_range outputs = fc_outputs_inside(p, 1, v);
            c->whole[e][v] = outputs.first <= column && outputs.end >= column + c->lanes;
            mask = put_masks(c, column, outputs, mask);
        }
    }
}

/* What a tile reads and writes of the first filter's plane, and how far these move to the next one. */
typedef struct tile {
    fc_depthwise_rows d;
    const char *x[MOST_TAPS * ROWS];
    ptrdiff_t step[MOST_TAPS * ROWS];
    char *home[ROWS];
    bool scratched[ROWS];
    _Alignas(64) char scratch[ROWS][FC_MAX_LANES * 8];
} tile;

static void point_tile(const call *c, tile *t, const char *image, char *y, ptrdiff_t row, ptrdiff_t rows)
{
    const fc_problem *p = c->p;
    const ptrdiff_t row_bytes = p->in[1] * c->element, plane = p->in[0] * row_bytes;
    for (ptrdiff_t r = 0; r < ROWS; r++) {
        const ptrdiff_t i = row + fc_min(r, rows - 1), start = fc_window_start(p, 0, i);
        const fc_range taps = fc_taps_inside(p, 0, i);
        for (ptrdiff_t u = 0; u < p->window[0]; u++) {
            const bool in = u >= taps.first && u < taps.end;
            t->x[u * ROWS + r] = in ? image + (start + u * p->dilation[0]) * row_bytes : c->zeros;
            t->step[u * ROWS + r] = in ? plane : 0;
        }
        /* Lanes behind the end of a row are overwritten by the rows that follow, where there are enough. */
        t->home[r] = y + i * p->out[1] * c->element;
        t->scratched[r] = p->out[1] < c->lanes && (rows - r) * p->out[1] < c->lanes;
        t->d.y[r] = t->scratched[r] ? t->scratch[r] : t->home[r];
    }
}

static void run_plane(const call *c, tile *t, ptrdiff_t filter)
{
    const fc_problem *p = c->p;
    const ptrdiff_t in_reads = p->window[0] * ROWS, out_plane = p->out[0] * p->out[1] * c->element;
    t->d.w = c->weights + filter * p->window[0] * p->window[1] * c->element;
    t->d.bias = c->operands->bias ? (const char *)c->operands->bias + filter * c->element : NULL;
    c->kernel(&t->d);
    for (ptrdiff_t r = 0; r < ROWS; r++) {
        if (t->scratched[r])
            memcpy(t->home[r], t->scratch[r], (size_t)(p->out[1] * c->element));
        else
            t->d.y[r] = t->home[r] + out_plane;
        t->home[r] += out_plane;
    }
    if ((filter + 1) % fc_multiplier(p) == 0)
        for (ptrdiff_t k = 0; k < in_reads; k++) t->x[k] += t->step[k];
}

static void run_strip_3x3(const call *c, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t rows)
{
    const fc_problem *p = c->p;
    const ptrdiff_t filter = plane % p->out_channels, read = plane / fc_multiplier(p);
    const char *x = c->operands->x, *bias = c->operands->bias;
    char *y = c->operands->y;
    c->kernel_3x3(&(fc_depthwise_plane){.rows = rows,
                                        .top = fc_window_start(p, 0, row),
                                        .height = p->in[0],
                                        .column_step = p->dilation[1],
                                        .left = p->pad_before[1],
                                        .x = x + read * p->in[0] * p->in[1] * c->element,
                                        .w = c->weights + filter * 9 * c->element,
                                        .bias = bias ? bias + filter * c->element : NULL,
                                        .y = y + (plane * p->out[0] + row) * p->out[1] * c->element,
                                        .room = rows * p->out[1],
                                        .x_row = p->in[1],
                                        .y_row = p->out[1],
                                        .first = c->inside.first,
                                        .end = c->inside.end,
                                        .edges = c->edges,
                                        .edge = c->edge});
}

static void run_task_3x3(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t block = task % c->blocks, first = task / c->blocks * c->planes;
    const ptrdiff_t end = fc_min(p->batch * p->out_channels, first + c->planes);
    (void)slot;
    for (ptrdiff_t plane = first; plane < end; plane++)
        for (ptrdiff_t i = fc_cut(c->strips, c->blocks, block); i < fc_cut(c->strips, c->blocks, block + 1); i++) {
            const ptrdiff_t row = fc_cut(p->out[0], c->strips, i);
            run_strip_3x3(c, plane, row, fc_cut(p->out[0], c->strips, i + 1) - row);
        }
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t block = task % c->blocks, planes = p->batch * p->out_channels, first = task / c->blocks * c->planes;
    const ptrdiff_t end = fc_min(planes, first + c->planes), in_plane = p->in[0] * p->in[1] * c->element;
    const char *image = (const char *)c->operands->x + first / fc_multiplier(p) * in_plane;
    char *y = (char *)c->operands->y + first * p->out[0] * p->out[1] * c->element;
    tile t;
    (void)slot;
    t.d = (fc_depthwise_rows){.taps = {p->window[0], p->window[1]},
                              .column_step = p->window[1] > 1 ? p->dilation[1] : 0,
                              .left = p->pad_before[1],
                              .x = (const void *const *)t.x,
                              .first = c->inside.first,
                              .end = c->inside.end,
                              .edges = c->edges,
                              .edge = c->edge};
    for (ptrdiff_t i = fc_cut(c->strips, c->blocks, block); i < fc_cut(c->strips, c->blocks, block + 1); i++) {
        const ptrdiff_t row = fc_max(0, fc_min(i * ROWS, p->out[0] - ROWS));
        point_tile(c, &t, image, y, row, fc_min(ROWS, p->out[0]));
        for (ptrdiff_t plane = first; plane < end; plane++) run_plane(c, &t, plane % p->out_channels);
    }
}

/* Whether the kernels of 3x3 windows take it. */
static bool rolls_down(const fc_problem *p)
{
    return p->window[0] == 3 && p->window[1] == 3 && p->dilation[0] == 1 &&
           (p->stride[0] == stride_of(p) || p->out[0] == 1);
}

/* So many rows that what they read and write stays in the first-level cache. */
static ptrdiff_t strip_rows(const fc_problem *p)
{
    const ptrdiff_t bytes = (p->in[1] * fc_min(p->stride[0], 2) + p->out[1]) * (ptrdiff_t)fc_dtype_size(p->dtype);
    return fc_max(FEWEST_ROWS, TASK_BYTES / bytes);
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), planes = p->batch * p->out_channels;
    const ptrdiff_t bytes = fc_max(1, p->in[0] * p->in[1] * element);
    char *zeros = workspace->shared + mask_bytes(p);
    call c = {.p = p,
              .operands = operands,
              .kernel = kernels->depthwise_rows[stride_of(p) - 1],
              .weights = weights_lie_ready(p) ? operands->w : operands->prepared,
              .element = element,
              .lanes = kernels->lanes,
              .zeros = zeros};
    const bool rolls = rolls_down(p);
    c.kernel_3x3 = rolls ? kernels->depthwise_3x3[stride_of(p) - 1] : NULL;
    c.strips = fc_ceil_div(p->out[0], rolls ? strip_rows(p) : ROWS);
    c.planes = fc_max(1, fc_min(TASK_BYTES / bytes, planes / (2 * fc_enough_tasks(p))));
    c.blocks = fc_min(c.strips, fc_ceil_div(2 * fc_enough_tasks(p), fc_max(1, fc_ceil_div(planes, c.planes))));
    fc_end_part(workspace->shared, mask_bytes(p));
    fc_end_part(zeros, zero_bytes(p));
    memset(zeros, 0, (size_t)(p->in[1] * element));
    find_edges(&c, workspace->shared);
    fc_parallel_shares(fc_ceil_div(planes, c.planes) * c.blocks, workspace->threads, true,
                       rolls ? run_task_3x3 : run_task, &c);
}

/* Filters of a single channel and few taps write more than they compute. Measured over maps of 4 to 28 pixels, 6 to 32
 * filters. */
static bool writes_rows(const fc_problem *p)
{
    return p->channels == 1 && !fc_strided(p) && p->window[0] * p->window[1] <= 9 &&
           2 * p->out[1] > p->kernels->gemm[p->dtype].lanes;
}

static const char *pass(const fc_problem *p) { return writes_rows(p) ? NULL : fc_multiplier_pass(p, FC_MANY_FILTERS); }

const fc_algorithm fc_corr2d_depthwise_nchw = {
    .name = "depthwise_nchw",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .run = forward,
};
