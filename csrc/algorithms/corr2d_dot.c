/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_dot.c -- correlation of NCHW images with one window each: fully connected layers, the 1x1 kernels of
 * squeeze-and-excitation, the last reduction of LeNet.
 *
 * An output channel's weights lie one behind the other in OIHW, and so do the pixels of an image that is a single window:
 * lanes run along the sum. Where pixels lie otherwise they are copied so, with the zeros around them. */
#include <string.h>

#include "algorithms/algorithm.h"
#include "algorithms/blocking.h"
#include "algorithms/strided_copy.h"
#include "algorithms/stripe.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define MOST_WINDOW_BYTES ((size_t)1 << 20) /* that are copied */
#define ROWS_OF_A_TASK 32                   /* whose weights stay in the second-level cache for all its images */
#define IMAGES_OF_A_TASK 16

typedef struct call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_gemm_kernels *kernels;
    const char *weights;
    ptrdiff_t element, rows, depth; /* of one group */
    ptrdiff_t row_blocks, image_blocks;
    bool in_order;
} call;

static ptrdiff_t depth_of(const fc_problem *p) { return p->channels / p->groups * p->window[0] * p->window[1]; }

/* Whether the pixels of the window lie as its weights do. */
static bool lies_in_order(const fc_problem *p)
{
    for (int i = 0; i < 2; i++)
        if (p->window[i] != p->in[i] || p->pad_before[i] || (p->window[i] > 1 && p->dilation[i] > 1)) return false;
    return true;
}

static size_t window_bytes(const fc_problem *p)
{
    return lies_in_order(p) ? 0 : fc_size_mul((size_t)depth_of(p), fc_dtype_size(p->dtype));
}

static const char *decline(const fc_problem *p)
{
    if (p->layout != FC_NCHW) return "layout is not NCHW";
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "the element type is not floating";
    if (p->out[0] != 1 || p->out[1] != 1) return "there is more than one output a channel";
    if (p->window[1] > 1 && p->dilation[1] > 1) return "the kernel is dilated along the width";
    if (window_bytes(p) > MOST_WINDOW_BYTES) return "the window exceeds 1 MiB";
    return NULL;
}

static size_t prepared_bytes(const fc_problem *p) { return p->weight_layout == FC_OIHW ? 0 : fc_weight_bytes(p); }

static void copy_window(const call *c, const char *source, char *to)
{
    const fc_problem *p = c->p;
    const ptrdiff_t row = p->in[1] * c->element, channels = p->channels / p->groups;
    for (ptrdiff_t i = 0; i < channels; i++, source += p->in[0] * row)
        for (ptrdiff_t u = 0; u < p->window[0]; u++, to += p->window[1] * c->element) {
            const ptrdiff_t y = fc_window_start(p, 0, 0) + u * p->dilation[0];
            fc_deal_row((size_t)c->element, 1, 1, y < 0 || y >= p->in[0] ? NULL : source + y * row, p->in[1],
                        fc_window_start(p, 1, 0), 1, p->window[1], to);
        }
}

/* The sums of some output channels, on top of their bias, in chains of at most FC_DEPTH steps. */
static void run_rows(const call *c, const char *weights, ptrdiff_t rows, const char *x, const char *bias, char *y)
{
    const ptrdiff_t piece = 2 * c->kernels->lanes * FC_DEPTH;
    if (bias)
        memcpy(y, bias, (size_t)(rows * c->element));
    else
        memset(y, 0, (size_t)(rows * c->element));
    for (ptrdiff_t k = 0; k < c->depth; k += piece)
        c->kernels->dot(&(fc_dot){.rows = rows,
                                  .depth = fc_min(piece, c->depth - k),
                                  .w = weights + k * c->element,
                                  .x = x + k * c->element,
                                  .w_row = c->depth,
                                  .y = y});
}

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t block = task % c->row_blocks, group = task / c->row_blocks % p->groups;
    const ptrdiff_t images = task / c->row_blocks / p->groups;
    const ptrdiff_t first = fc_cut(c->rows, c->row_blocks, block), row = group * c->rows + first;
    const ptrdiff_t rows = fc_cut(c->rows, c->row_blocks, block + 1) - first;
    const ptrdiff_t image_bytes = p->channels * p->in[0] * p->in[1] * c->element;
    const char *bias = c->operands->bias;
    char *window = fc_slot_of(c->workspace, slot);
    for (ptrdiff_t n = fc_cut(p->batch, c->image_blocks, images); n < fc_cut(p->batch, c->image_blocks, images + 1);
         n++) {
        const char *source = (const char *)c->operands->x + n * image_bytes + group * (image_bytes / p->groups);
        if (!c->in_order) copy_window(c, source, window);
        run_rows(c, c->weights + row * c->depth * c->element, rows, c->in_order ? source : window,
                 bias ? bias + row * c->element : NULL,
                 (char *)c->operands->y + (n * p->out_channels + row) * c->element);
    }
}

static void forward(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    call c = {.p = p,
              .operands = operands,
              .workspace = workspace,
              .kernels = &p->kernels->gemm[p->dtype],
              .weights = p->weight_layout == FC_OIHW ? operands->w : operands->prepared,
              .element = (ptrdiff_t)fc_dtype_size(p->dtype),
              .rows = p->out_channels / p->groups,
              .depth = depth_of(p),
              .in_order = lies_in_order(p)};
    c.row_blocks = fc_ceil_div(c.rows, ROWS_OF_A_TASK);
    c.image_blocks = fc_ceil_div(p->batch, IMAGES_OF_A_TASK);
    fc_parallel_for(c.row_blocks * p->groups * c.image_blocks, workspace->threads, true, run_task, &c);
}

const fc_algorithm fc_corr2d_dot = {
    .name = "dot",
    .decline = decline,
    .slot_bytes = window_bytes,
    .prepared_bytes = prepared_bytes,
    .prepare = fc_copy_to_oihw,
    .run = forward,
};
