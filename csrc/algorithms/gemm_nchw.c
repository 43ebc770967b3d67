/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw.c -- an implicit matrix product on planes.
 *
 * The grid points of one image are flattened and cut into panels of up to FC_MAX_TILE_VECTORS vectors, the panels into
 * blocks that one task owns. For each chunk of the depth a task packs its panels (the only copy of the input that is
 * ever made, a few hundred KiB) and runs the tiles of its rows over them; weights are read as they lie, one
 * contiguous row an output channel. Sums go to memory once a chunk.
 *
 * A lane's sum depends on the depth and its cuts alone: not on where panels, blocks or rows are cut. */
#include "algorithms/gemm_nchw_call.h"
#include "algorithms/row_bias.h"
#include "algorithms/window.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define PANEL_BYTES (192 * 1024) /* packed panels of one task: a part of the second-level cache */

/* Where few blocks of panels make few tasks, an image is packed by all threads first, if it is so small, and output
 * channels are shared out then. */
#define TOGETHER_BYTES ((ptrdiff_t)4 << 20)
#define TASKS_TO_SHARE 20
#define ROWS_TOGETHER 48  /* of one task */
#define ENOUGH_ROWS 32    /* of a task that packs its panels, */
#define FEWEST_ROWS 16    /* and where a thread would be without one */
#define ROW_UNIT 24       /* whole tiles of every width */
#define PANELS_WORTH_IT 3 /* with more it costs less to pack twice than to share */
#define PANELS_TOGETHER 4 /* packed by one task */

static ptrdiff_t panels_in_block(const fc_gemm_kernels *k, size_t element)
{
    return fc_min(FC_MAX_PANELS, fc_max(1, PANEL_BYTES / (ptrdiff_t)fc_gemm_nchw_panel_bytes(k, element)));
}

static ptrdiff_t whole_panel_lanes(const fc_gemm_kernels *k) { return (ptrdiff_t)k->lanes * FC_MAX_TILE_VECTORS; }

/* Bytes of all packed panels of one image and group, at most TOGETHER_BYTES; 0 when they are more. */
static size_t together_bytes(const fc_gemm_kernels *k, size_t element, ptrdiff_t depth, ptrdiff_t points)
{
    const ptrdiff_t width = whole_panel_lanes(k), columns = (points / k->lanes + 2) * k->lanes + width;
    if (depth > TOGETHER_BYTES || columns > TOGETHER_BYTES) return 0;
    const ptrdiff_t bytes = depth * columns * (ptrdiff_t)element;
    return bytes > TOGETHER_BYTES ? 0 : (size_t)bytes;
}

static size_t bias_bytes_of(const fc_problem *p)
{
    const size_t rows = (size_t)fc_max(p->out_channels, p->channels) + 1;
    return fc_size_lines(
        fc_size_mul(fc_size_mul(rows, (size_t)p->kernels->gemm[p->dtype].lanes), fc_dtype_size(p->dtype)));
}

/* The bias, one vector a row, and panels that were packed together: of the whole problem, which has the points and the
 * depth of each of its phases at least. A phase may be packed together where the whole would be too large for it. */
size_t fc_gemm_nchw_shared_bytes(const fc_problem *p)
{
    const bool forward = p->operation == FC_CORR2D;
    const ptrdiff_t *points = forward ? p->out : p->in, limit = (ptrdiff_t)1 << 31;
    const ptrdiff_t depth = (forward ? p->channels : p->out_channels) / p->groups;
    const ptrdiff_t taps = fc_min(p->window[0], limit) * fc_min(p->window[1], limit);
    size_t together = 0;
    if (depth < limit && taps < limit && points[0] < limit && points[1] < limit)
        together = together_bytes(&p->kernels->gemm[p->dtype], fc_dtype_size(p->dtype), fc_min(depth * taps, limit),
                                  fc_min(points[0] * points[1], limit));
    if (!forward && !together) together = TOGETHER_BYTES;
    return fc_size_add(bias_bytes_of(p), together);
}

size_t fc_gemm_nchw_slot_bytes(const fc_problem *p)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const size_t element = fc_dtype_size(p->dtype);
    return sizeof(fc_gemm_nchw_slot) + fc_gemm_nchw_panel_bytes(k, element) * (size_t)panels_in_block(k, element);
}

static void place_panels(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, fc_range panels, ptrdiff_t depth)
{
    for (ptrdiff_t i = 0; i < panels.end - panels.first; i++) {
        const ptrdiff_t lanes = c->kernels->lanes, before = fc_panel_at(&c->panels, panels.first + i).first;
        s->panels[i].packed = c->packed + (before * c->job->channels * c->taps + depth * s->panels[i].vectors * lanes) *
                                              (ptrdiff_t)c->element;
    }
}

/* The tiles of some output channels and packed panels, for one chunk. */
static void run_tiles(fc_gemm_nchw_slot *s, const fc_gemm_nchw_call *c, ptrdiff_t panels, fc_range rows, ptrdiff_t q,
                      ptrdiff_t image)
{
    const fc_plane_correlation *job = c->job;
    const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
    const ptrdiff_t element = (ptrdiff_t)c->element, group = image % job->groups;
    const ptrdiff_t source_plane = job->axis[0].source * job->axis[1].source * element;
    const ptrdiff_t destination_plane = job->axis[0].destination * job->axis[1].destination * element;
    const ptrdiff_t row_bytes = job->channels * c->taps * element;
    const ptrdiff_t bias_bytes = fc_row_bias_step(job->bias, c->kernels->lanes, c->element);
    const fc_row_span span = {.weights = (const char *)job->weights + (group * job->rows + rows.first) * row_bytes +
                                         (chunk.outer * c->taps + chunk.inner) * element,
                              .bias = c->workspace->shared + (group * job->rows + rows.first) * bias_bytes,
                              .destination =
                                  (char *)job->destination + (image * job->rows + rows.first) * destination_plane,
                              .source = fc_gemm_nchw_source(c, image) + chunk.outer * source_plane,
                              .row_bytes = row_bytes,
                              .bias_bytes = bias_bytes,
                              .plane_bytes = destination_plane,
                              .rows = rows.end - rows.first,
                              .depth = chunk.outers * chunk.inners,
                              .first_chunk = q == 0};
    fc_gemm_nchw_tiles(s, c, panels, &span);
}

static fc_range cut_rows(const fc_gemm_nchw_call *c, ptrdiff_t block)
{
    const ptrdiff_t unit = c->packed ? ROW_UNIT : c->kernels->rows, units = fc_ceil_div(c->job->rows, unit);
    return (fc_range){fc_cut(units, c->row_blocks, block) * unit,
                      fc_min(c->job->rows, fc_cut(units, c->row_blocks, block + 1) * unit)};
}

static fc_range cut_panels(const fc_gemm_nchw_call *c, ptrdiff_t blocks, ptrdiff_t block)
{
    return (fc_range){fc_cut(c->panels.count, blocks, block), fc_cut(c->panels.count, blocks, block + 1)};
}

static void run_task(void *context, ptrdiff_t task, int slot_number)
{
    const fc_gemm_nchw_call *c = context;
    fc_gemm_nchw_slot *s = fc_gemm_nchw_slot_at(c, slot_number);
    const fc_range panels = cut_panels(c, c->blocks, task / c->row_blocks % c->blocks);
    const ptrdiff_t image = task / c->row_blocks / c->blocks;
    fc_gemm_nchw_find_panels(s, c, panels);
    for (ptrdiff_t q = 0; q < c->chunks.count; q++) {
        const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
        fc_gemm_nchw_pack(s, c, panels.end - panels.first, &chunk, image);
        run_tiles(s, c, panels.end - panels.first, cut_rows(c, task % c->row_blocks), q, image);
    }
}

static void pack_together(void *context, ptrdiff_t task, int slot_number)
{
    const fc_gemm_nchw_call *c = context;
    fc_gemm_nchw_slot *s = fc_gemm_nchw_slot_at(c, slot_number);
    const ptrdiff_t blocks = fc_ceil_div(c->panels.count, PANELS_TOGETHER), q = task / blocks;
    const fc_range panels = cut_panels(c, blocks, task % blocks);
    const fc_chunk chunk = fc_chunk_at(&c->chunks, q);
    fc_gemm_nchw_find_panels(s, c, panels);
    place_panels(s, c, panels, fc_gemm_nchw_depth_before(c, q));
    fc_gemm_nchw_pack(s, c, panels.end - panels.first, &chunk, c->image);
}

static void run_together(void *context, ptrdiff_t task, int slot_number)
{
    const fc_gemm_nchw_call *c = context;
    fc_gemm_nchw_slot *s = fc_gemm_nchw_slot_at(c, slot_number);
    const fc_range panels = cut_panels(c, c->blocks, task % c->blocks);
    fc_gemm_nchw_find_panels(s, c, panels);
    for (ptrdiff_t q = 0; q < c->chunks.count; q++) {
        place_panels(s, c, panels, fc_gemm_nchw_depth_before(c, q));
        run_tiles(s, c, panels.end - panels.first, cut_rows(c, task / c->blocks), q, c->image);
    }
}

/* Rows are split over tasks as well when the panels alone make few of them, but only so far: each split packs the
 * panels anew. */
static ptrdiff_t choose_row_blocks(const fc_problem *p, const fc_plane_correlation *job, ptrdiff_t tasks)
{
    ptrdiff_t blocks = 1;
    while (tasks * blocks < fc_enough_tasks(p) &&
           job->rows / (2 * blocks) >= (tasks * blocks < p->threads ? FEWEST_ROWS : ENOUGH_ROWS))
        blocks *= 2;
    return blocks;
}

/* One tap and step 1: nothing is packed but by tiles. */
static bool reads_straight(const fc_gemm_nchw_call *c) { return c->taps == 1 && c->job->axis[1].source_step == 1; }

void fc_gemm_nchw(const fc_problem *p, const fc_plane_correlation *job, const fc_workspace *workspace)
{
    fc_gemm_nchw_call c = fc_gemm_nchw_call_of(p, job, workspace);
    ptrdiff_t tasks;
    c.blocks = fc_ceil_div(c.panels.count, panels_in_block(c.kernels, c.element));
    if (c.panels.count > PANELS_WORTH_IT)
        c.blocks = fc_max(c.blocks,
                          fc_min(c.panels.count, fc_ceil_div(fc_enough_tasks(p), fc_max(1, job->batch * job->groups))));
    c.row_blocks = choose_row_blocks(p, job, job->batch * job->groups * c.blocks);
    fc_spread_row_bias(job->bias, job->groups * job->rows, c.kernels->lanes, c.element, workspace->shared);
    if (c.panels.count <= PANELS_WORTH_IT && c.row_blocks > 1 && !reads_straight(&c) &&
        together_bytes(c.kernels, c.element, job->channels * c.taps, job->axis[0].points * job->axis[1].points)) {
        c.packed = workspace->shared + bias_bytes_of(p);
        c.row_blocks = fc_ceil_div(job->rows, ROWS_TOGETHER);
        if (c.row_blocks * c.blocks < p->threads) c.row_blocks = fc_ceil_div(job->rows, ROW_UNIT);
        for (c.image = 0; c.image < job->batch * job->groups; c.image++) {
            fc_parallel_for(c.chunks.count * fc_ceil_div(c.panels.count, PANELS_TOGETHER), workspace->threads, true,
                            pack_together, &c);
            fc_parallel_for(c.row_blocks * c.blocks, workspace->threads, true, run_together, &c);
        }
        return;
    }
    tasks = job->batch * job->groups * c.blocks * c.row_blocks;
    /* Fewer differ too much in size to be dealt out beforehand. */
    if (tasks < TASKS_TO_SHARE)
        fc_parallel_for(tasks, workspace->threads, true, run_task, &c);
    else
        fc_parallel_shares(tasks, workspace->threads, true, run_task, &c);
}
