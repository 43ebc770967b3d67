/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/bias_grad.h"

#include <string.h>

#include "platform/parallel.h"

#define MOST_CHANNELS 256 /* of a task */
#define PLANES_A_TASK 16  /* NCHW, where there is enough to share out */
#define MOST_PARTS 16     /* NHWC, of the pixels */
#define ELEMENTS_TO_SHARE 65536
/* Floats are added up so far before the sum goes on in double: by vectors, so that 16 to 64 are added in a row. */
#define PIECE 1024
#define ROWS_A_PIECE 24

typedef struct bias_call {
    const fc_problem *p;
    const fc_operands *operands;
    ptrdiff_t channels;            /* of a task */
    ptrdiff_t first, parts;        /* NHWC: the first channel, and how many tasks share the pixels */
    double (*sums)[MOST_CHANNELS]; /* of each part */
} bias_call;

#define ADD_FLOATS(T)                                                          \
    static void T##_add(ptrdiff_t count, double *sum, const void *part)        \
    {                                                                          \
        for (ptrdiff_t o = 0; o < count; o++) sum[o] += ((const T *)part)[o];  \
    }                                                                          \
                                                                               \
    static void T##_store(ptrdiff_t count, void *grad_bias, const double *sum) \
    {                                                                          \
        for (ptrdiff_t o = 0; o < count; o++) ((T *)grad_bias)[o] = (T)sum[o]; \
    }

ADD_FLOATS(float)
ADD_FLOATS(double)

static void add(const fc_problem *p, ptrdiff_t count, double *sum, const void *part)
{
    (p->dtype == FC_F32 ? float_add : double_add)(count, sum, part);
}

static void store(const bias_call *call, ptrdiff_t first, ptrdiff_t count, const double *sum)
{
    char *to = (char *)call->operands->grad_bias + (size_t)first * fc_dtype_size(call->p->dtype);
    (call->p->dtype == FC_F32 ? float_store : double_store)(count, to, sum);
}

/* NCHW: some channels, whose planes follow each other in every image. */
static void sum_planes(void *context, ptrdiff_t task, int slot)
{
    const bias_call *call = context;
    const fc_problem *p = call->p;
    const fc_fold_kernels *fold = &p->kernels->pool[p->dtype].add;
    const ptrdiff_t first = task * call->channels, planes = fc_min(call->channels, p->out_channels - first);
    const ptrdiff_t pixels = p->out[0] * p->out[1], length = fc_min(pixels, PIECE);
    const ptrdiff_t together = pixels <= PIECE ? planes : 1;
    double sum[MOST_CHANNELS] = {0}, part[MOST_CHANNELS]; /* room for either type */
    (void)slot;
    for (ptrdiff_t n = 0; n < p->batch; n++)
        for (ptrdiff_t o = 0; o < planes; o += together)
            for (ptrdiff_t i = 0; i < pixels; i += length) {
                const size_t at = (size_t)((n * p->out_channels + first + o) * pixels + i) * fc_dtype_size(p->dtype);
                fold->planes(together, fc_min(length, pixels - i), part, (const char *)call->operands->grad_y + at);
                add(p, together, sum + o, part);
            }
    store(call, first, planes, sum);
}

/* NHWC: a part of the pixels of all images, which follow each other. */
static void sum_pixels(void *context, ptrdiff_t task, int slot)
{
    const bias_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t pixels = p->batch * p->out[0] * p->out[1], end = fc_cut(pixels, call->parts, task + 1);
    double *sum = call->sums[task], part[MOST_CHANNELS]; /* room for either type */
    (void)slot;
    memset(sum, 0, sizeof *call->sums);
    for (ptrdiff_t i = fc_cut(pixels, call->parts, task); i < end; i += ROWS_A_PIECE) {
        const size_t at = (size_t)(i * p->out_channels + call->first) * fc_dtype_size(p->dtype);
        p->kernels->pool[p->dtype].add.rows(call->channels, part, (const char *)call->operands->grad_y + at,
                                            fc_min(ROWS_A_PIECE, end - i), p->out_channels);
        add(p, call->channels, sum, part);
    }
}

static void sum_rows(bias_call *call, int threads)
{
    const fc_problem *p = call->p;
    double sums[MOST_PARTS][MOST_CHANNELS];
    call->sums = sums;
    for (call->first = 0; call->first < p->out_channels; call->first += call->channels) {
        call->channels = fc_min(MOST_CHANNELS, p->out_channels - call->first);
        fc_parallel_for(call->parts, threads, true, sum_pixels, call);
        for (ptrdiff_t part = 1; part < call->parts; part++)
            for (ptrdiff_t o = 0; o < call->channels; o++) sums[0][o] += sums[part][o];
        store(call, call->first, call->channels, sums[0]);
    }
}

#define SUM_INTEGERS(T)                                                                                       \
    static void T##_sum(void *context, ptrdiff_t task, int slot)                                              \
    {                                                                                                         \
        const bias_call *call = context;                                                                      \
        const fc_problem *p = call->p;                                                                        \
        const fc_strides ys = fc_image_strides(p->layout, p->out_channels, p->out);                           \
        const ptrdiff_t first = task * call->channels, end = fc_min(first + call->channels, p->out_channels); \
        (void)slot;                                                                                           \
        for (ptrdiff_t o = first; o < end; o++) {                                                             \
            T sum = 0;                                                                                        \
            for (ptrdiff_t n = 0; n < p->batch; n++)                                                          \
                for (ptrdiff_t i = 0; i < p->out[0] * p->out[1]; i++)                                         \
                    sum += ((const T *)call->operands->grad_y)[n * ys.n + o * ys.c + i * ys.w];               \
            ((T *)call->operands->grad_bias)[o] = sum;                                                        \
        }                                                                                                     \
    }

SUM_INTEGERS(uint32_t)
SUM_INTEGERS(uint64_t)

void fc_bias_grad(const fc_problem *p, const fc_operands *operands, int threads)
{
    const ptrdiff_t pixels = p->batch * p->out[0] * p->out[1];
    const bool few = p->out_channels * pixels < ELEMENTS_TO_SHARE;
    bias_call call = {.p = p, .operands = operands, .channels = few ? MOST_CHANNELS : PLANES_A_TASK};
    const bool floats = p->dtype == FC_F32 || p->dtype == FC_F64;
    if (!operands->grad_bias) return;
    if (floats && p->layout == FC_NHWC) {
        call.parts = few ? 1 : fc_min(MOST_PARTS, pixels);
        sum_rows(&call, threads);
    } else {
        fc_parallel_for(fc_ceil_div(p->out_channels, call.channels), threads, true,
                        floats               ? sum_planes
                        : p->dtype == FC_I32 ? uint32_t_sum
                                             : uint64_t_sum,
                        &call);
    }
}
