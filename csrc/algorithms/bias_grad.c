/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/bias_grad.h"

#include "platform/parallel.h"

/* Channels of one task: whole cache lines of a channels-last row. */
#define BLOCK 32
#define LANES 16 /* sums of one plane at a time */

typedef struct bias_call {
    const fc_problem *p;
    const fc_operands *operands;
} bias_call;

#define BIAS_GRAD(T, SUM)                                                                                   \
    static SUM T##_plane_sum(ptrdiff_t pixels, const T *plane)                                              \
    {                                                                                                       \
        SUM lane[LANES] = {0}, sum = 0;                                                                     \
        ptrdiff_t i = 0;                                                                                    \
        for (; i + LANES <= pixels; i += LANES)                                                             \
            for (int l = 0; l < LANES; l++) lane[l] += plane[i + l];                                        \
        for (; i < pixels; i++) lane[i % LANES] += plane[i];                                                \
        for (int l = 0; l < LANES; l++) sum += lane[l];                                                     \
        return sum;                                                                                         \
    }                                                                                                       \
                                                                                                            \
    static void T##_block(void *context, ptrdiff_t task, int slot)                                          \
    {                                                                                                       \
        const bias_call *call = context;                                                                    \
        const fc_problem *p = call->p;                                                                      \
        const fc_strides ys = fc_image_strides(p->layout, p->out_channels, p->out);                         \
        const ptrdiff_t first = task * BLOCK, count = fc_min(BLOCK, p->out_channels - first);               \
        const ptrdiff_t pixels = p->out[0] * p->out[1];                                                     \
        const T *grad_y = (const T *)call->operands->grad_y + first * ys.c;                                 \
        T *grad_bias = (T *)call->operands->grad_bias + first;                                              \
        SUM sum[BLOCK] = {0};                                                                               \
        (void)slot;                                                                                         \
        for (ptrdiff_t n = 0; n < p->batch; n++, grad_y += ys.n) {                                          \
            if (p->layout == FC_NCHW) {                                                                     \
                for (ptrdiff_t o = 0; o < count; o++) sum[o] += T##_plane_sum(pixels, grad_y + o * pixels); \
            } else {                                                                                        \
                for (ptrdiff_t i = 0; i < pixels; i++)                                                      \
                    for (ptrdiff_t o = 0; o < count; o++) sum[o] += grad_y[i * p->out_channels + o];        \
            }                                                                                               \
        }                                                                                                   \
        for (ptrdiff_t o = 0; o < count; o++) grad_bias[o] = (T)sum[o];                                     \
    }

BIAS_GRAD(float, double)
BIAS_GRAD(double, double)
BIAS_GRAD(uint32_t, uint32_t)
BIAS_GRAD(uint64_t, uint64_t)

void fc_bias_grad(const fc_problem *p, const fc_operands *operands, int threads)
{
    static const fc_task block[4] = {
        [FC_F32] = float_block, [FC_F64] = double_block, [FC_I32] = uint32_t_block, [FC_I64] = uint64_t_block};
    const bias_call call = {p, operands};
    if (!operands->grad_bias) return;
    fc_parallel_for(fc_ceil_div(p->out_channels, BLOCK), threads, true, block[p->dtype], (void *)&call);
}
