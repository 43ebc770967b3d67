/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_turned.c -- small planes (NCHW), some at a time: turned, they are one image of deep pixels, which an algorithm for
 * NHWC pools with whole vectors, where the rows of a plane would fill a part of one; and back.
 *
 * What the planes are pooled by depends on their geometry alone, and gives a plane the same bits whatever lies beside it:
 * the last block, of the planes that are left over, is narrower where the algorithm combines lane by lane. */
#include "algorithms/algorithm.h"
#include "algorithms/pool2d_tiles.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define VECTORS_AT_ONCE 4         /* of planes */
#define BYTES_AT_ONCE (96 * 1024) /* of a block with its results, unless one vector's are more */
#define BYTES_A_TASK (64 * 1024)
#define MOST_PIXELS 16384
#define MANY_TAPS 13 /* more than `taps` takes */

typedef struct turned_call {
    const fc_problem *p;
    const fc_operands *operands;
    const fc_workspace *workspace;
    const fc_algorithm *by;
    ptrdiff_t planes, at_once, planes_a_task;
} turned_call;

static bool gradient(const fc_problem *p) { return p->operation == FC_AVG_POOL2D_GRAD; }

static ptrdiff_t lanes(const fc_problem *p)
{
    return p->kernels->gemm[fc_dtype_size(p->dtype) == 4 ? FC_F32 : FC_F64].lanes;
}

/* Of a plane that is read, and of one that is written. */
static ptrdiff_t pixels_read(const fc_problem *p)
{
    const ptrdiff_t *size = gradient(p) ? p->out : p->in;
    return size[0] * size[1];
}

static ptrdiff_t pixels_written(const fc_problem *p)
{
    const ptrdiff_t *size = gradient(p) ? p->in : p->out;
    return size[0] * size[1];
}

/* Bytes of a plane, turned, with its results. */
static ptrdiff_t plane_bytes(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    return pixels_read(p) * element +
           pixels_written(p) * (element + (p->with_indices ? (ptrdiff_t)sizeof(int64_t) : 0));
}

static ptrdiff_t planes_at_once(const fc_problem *p)
{
    const ptrdiff_t vectors = BYTES_AT_ONCE / (plane_bytes(p) * lanes(p));
    return fc_max(1, fc_min(vectors, VECTORS_AT_ONCE)) * lanes(p);
}

static fc_problem turned(const fc_problem *p, ptrdiff_t depth)
{
    fc_problem one = *p;
    one.layout = FC_NHWC;
    one.batch = 1;
    one.channels = one.out_channels = depth;
    one.threads = 1;
    return one;
}

static const fc_algorithm *algorithm_of(const fc_problem *p)
{
    const fc_problem block = turned(p, planes_at_once(p));
    return fc_algorithm_for(&block);
}

/* Whether the bits of a lane are the same in pixels of any depth; others cut images into tiles by it. */
static bool combines_lane_by_lane(const fc_algorithm *a)
{
    return a == &fc_max_pool2d_whole || a == &fc_max_pool2d_taps || a == &fc_max_pool2d_rows ||
           a == &fc_avg_pool2d_whole || a == &fc_avg_pool2d_taps || a == &fc_avg_pool2d_rows ||
           a == &fc_avg_pool2d_grad_spread || a == &fc_avg_pool2d_grad_taps;
}

/* A block of so many planes. */
static fc_problem block_of(const fc_problem *p, const fc_algorithm *by, ptrdiff_t planes)
{
    return turned(p, combines_lane_by_lane(by) ? fc_round_up(planes, lanes(p)) : planes_at_once(p));
}

typedef struct turned_slot {
    char *x, *y;
    int64_t *indices;
    fc_workspace inner;
    size_t bytes;
} turned_slot;

static turned_slot lay_out(const fc_problem *p, const fc_algorithm *by, ptrdiff_t planes, char *slot)
{
    const fc_problem block = block_of(p, by, planes);
    const size_t element = fc_dtype_size(p->dtype), depth = (size_t)block.channels;
    turned_slot s = {0};
    s.x = fc_pool_take(slot, &s.bytes, (size_t)pixels_read(p) * depth, element);
    s.y = fc_pool_take(slot, &s.bytes, (size_t)pixels_written(p) * depth, element);
    if (p->with_indices)
        s.indices = (int64_t *)fc_pool_take(slot, &s.bytes, (size_t)pixels_written(p) * depth, sizeof(int64_t));
    s.inner = (fc_workspace){.threads = 1, .slot_bytes = fc_bytes_of(by->slot_bytes, &block)};
    s.inner.shared = fc_pool_take(slot, &s.bytes, fc_bytes_of(by->shared_bytes, &block), 1);
    s.inner.slots = fc_pool_take(slot, &s.bytes, s.inner.slot_bytes, 1);
    return s;
}

/* The last block may be narrower. */
static size_t slot_bytes(const fc_problem *p)
{
    const ptrdiff_t planes = p->batch * p->channels, at_once = planes_at_once(p), rest = planes % at_once;
    const fc_algorithm *by = algorithm_of(p);
    size_t bytes = 0;
    if (planes >= at_once) bytes = lay_out(p, by, at_once, NULL).bytes;
    if (rest) {
        const size_t last = lay_out(p, by, rest, NULL).bytes;
        if (last > bytes) bytes = last;
    }
    return bytes;
}

static void turn(const fc_problem *p, size_t element, const fc_transpose *t)
{
    p->kernels->gemm[element == 4 ? FC_F32 : FC_F64].transpose(t); /* integers are moved as the floats of their size */
}

static void run_block(const turned_call *call, ptrdiff_t first, ptrdiff_t planes, char *slot)
{
    const fc_problem *p = call->p;
    const fc_problem block = block_of(p, call->by, planes);
    const turned_slot s = lay_out(p, call->by, planes, slot);
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t read = pixels_read(p), written = pixels_written(p);
    const char *x = gradient(p) ? call->operands->grad_y : call->operands->x;
    const fc_operands inner = {.x = s.x, .grad_y = s.x, .y = s.y, .argmax = s.indices};
    turn(p, element,
         &(fc_transpose){.rows = planes,
                         .columns = read,
                         .from = x + (size_t)(first * read) * element,
                         .from_step = read,
                         .to = s.x,
                         .to_step = block.channels,
                         .fill = true});
    call->by->run(&block, &inner, &s.inner);
    turn(p, element,
         &(fc_transpose){.rows = written,
                         .columns = planes,
                         .from = s.y,
                         .from_step = block.channels,
                         .to = (char *)call->operands->y + (size_t)(first * written) * element,
                         .to_step = written});
    if (!p->with_indices) return;
    turn(p, sizeof(int64_t),
         &(fc_transpose){.rows = written,
                         .columns = planes,
                         .from = s.indices,
                         .from_step = block.channels,
                         .to = call->operands->argmax + first * written,
                         .to_step = written});
}

static void run_task(void *context, ptrdiff_t task, int number)
{
    const turned_call *call = context;
    const ptrdiff_t end = fc_min(call->planes, (task + 1) * call->planes_a_task);
    char *slot = call->workspace->slots + (size_t)number * call->workspace->slot_bytes;
    for (ptrdiff_t first = task * call->planes_a_task; first < end; first += call->at_once)
        run_block(call, first, fc_min(call->at_once, end - first), slot);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    turned_call call = {p, operands, workspace, algorithm_of(p), p->batch * p->channels, planes_at_once(p), 0};
    call.planes_a_task = fc_max(1, BYTES_A_TASK / (call.at_once * plane_bytes(p))) * call.at_once;
    if (!call.planes) return;
    fc_parallel_shares((call.planes - 1) / call.planes_a_task + 1, workspace->threads, p->operation != FC_MAX_POOL2D,
                       run_task, &call);
}

static bool is_definition(const fc_algorithm *a)
{
    return a == &fc_max_pool2d_direct || a == &fc_avg_pool2d_direct || a == &fc_avg_pool2d_grad_direct;
}

static const char *decline(const fc_problem *p)
{
    const size_t element = fc_dtype_size(p->dtype);
    if (p->layout == FC_NHWC) return "pixels are deep as they lie";
    if (element != 4 && element != 8) return "elements of one or two bytes";
    if (p->in[0] > MOST_PIXELS / p->in[1] || p->out[0] > MOST_PIXELS / p->out[1]) return "planes are large";
    if (is_definition(algorithm_of(p))) return "no kernel pools its pixels";
    return NULL;
}

/* Bytes of planes up to which it is faster than what reads them as they lie; measured over planes of 2x2 to 224x224 and
 * windows of 2x2 to 7x7 at strides of 1 to 7. */
static ptrdiff_t gain_up_to(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const bool single = element == 4, wide = lanes(p) * element >= FC_CACHE_LINE;
    const bool overlap = p->stride[0] < p->window[0] || p->stride[1] < p->window[1];
    const ptrdiff_t taps = fc_min(p->window[0], MANY_TAPS) * fc_min(p->window[1], MANY_TAPS);
    const ptrdiff_t stride = fc_max(p->stride[0], p->stride[1]);
    if (p->with_indices && stride > 1) return wide ? 65536 : single ? 30000 : 20000;
    if (p->with_indices) return wide ? 26000 : 6400;
    if (gradient(p) && !overlap) return 26000;
    if (gradient(p) && taps < MANY_TAPS) return stride == 1 ? 1600 : wide && single ? 10000 : 3200;
    if (gradient(p)) return wide ? 10000 : 6400;
    if (stride == 2) return taps <= 4 ? 1700 : taps < MANY_TAPS ? 3000 : wide ? 26000 : 12800;
    if (stride == 1 && (p->window[0] == 1 || p->window[1] == 1)) return 1000;
    if (stride == 1) return wide && single ? 12800 : 4500;
    return overlap || (wide && single) ? 12800 : 3200;
}

static const char *pass(const fc_problem *p)
{
    const ptrdiff_t plane = p->in[0] * p->in[1] * (ptrdiff_t)fc_dtype_size(p->dtype);
    if (4 * p->batch * p->channels < 3 * lanes(p)) return "few planes for a vector";
    if (plane > gain_up_to(p)) return "planes are large enough for their rows";
    if (gradient(p) && fc_pool_windows_tile(p)) return "windows tile the image, which is spread as it lies";
    return NULL;
}

const fc_algorithm fc_max_pool2d_turned = {
    .name = "turned", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_turned = {
    .name = "turned", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
const fc_algorithm fc_avg_pool2d_grad_turned = {
    .name = "turned", .decline = decline, .pass = pass, .slot_bytes = slot_bytes, .run = run};
