/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nchw.h -- a grid of correlations on planes, as one matrix product: rows are output channels, columns are grid
 * points, the depth is (channel, tap). */
#ifndef FC_ALGORITHMS_GEMM_NCHW_H
#define FC_ALGORITHMS_GEMM_NCHW_H

#include "algorithms/grid.h"

typedef struct fc_plane_correlation {
    fc_dtype dtype;
    fc_grid_axis axis[2];
    ptrdiff_t batch, groups, channels, rows; /* channels read and rows written, of one group */
    const void *source;                      /* [batch][groups][channels][height][width] */
    const void *weights;                     /* [groups][rows][channels][taps] */
    const void *bias;                        /* [groups][rows], or NULL */
    void *destination;                       /* [batch][groups][rows][height][width] */
} fc_plane_correlation;

/* That of the forward pass, which reads OIHW weights as they lie and others prepared so. */
static inline fc_plane_correlation fc_forward_on_planes(const fc_problem *p, const fc_operands *operands)
{
    return (fc_plane_correlation){
        .dtype = p->dtype,
        .axis = {fc_forward_axis(p, 0), fc_forward_axis(p, 1)},
        .batch = p->batch,
        .groups = p->groups,
        .channels = p->channels / p->groups,
        .rows = p->out_channels / p->groups,
        .source = operands->x,
        .weights = p->weight_layout == FC_OIHW ? operands->w : operands->prepared,
        .bias = operands->bias,
        .destination = operands->y,
    };
}

size_t fc_gemm_nchw_shared_bytes(const fc_problem *problem);
size_t fc_gemm_nchw_slot_bytes(const fc_problem *problem);
void fc_gemm_nchw(const fc_problem *problem, const fc_plane_correlation *job, const fc_workspace *workspace);

#endif
