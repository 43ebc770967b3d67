/* SPDX-License-Identifier: BSD-3-Clause */
/* gemm_nhwc.h -- a grid of correlations on channels-last images, as one matrix product: rows are grid points, columns
 * are output channels, the depth is (tap, channel). */
#ifndef FC_ALGORITHMS_GEMM_NHWC_H
#define FC_ALGORITHMS_GEMM_NHWC_H

#include "algorithms/blocking.h"
#include "algorithms/grid.h"

/* Strides, in elements, of a weight by its group, channel read, column written, and tap along each axis. */
typedef struct fc_weight_steps {
    ptrdiff_t group, channel, column, tap[2];
} fc_weight_steps;

typedef struct fc_pixel_correlation {
    fc_dtype dtype;
    fc_grid_axis axis[2];
    ptrdiff_t batch, groups, channels, columns; /* channels read and columns written, of one group */
    ptrdiff_t pixel;                            /* elements from one pixel of the source to the next */
    const void *source;                         /* [batch][height][width][groups][channels] */
    const void *weights;                        /* as fc_gemm_nhwc_pack made them, or NULL: */
    const void *raw;                            /* as they lie; each task packs what it uses */
    fc_weight_steps raw_steps;
    const void *bias;  /* [groups][columns], or NULL */
    void *destination; /* [batch][height][width][groups][columns] */
} fc_pixel_correlation;

static inline ptrdiff_t fc_taps_of(const fc_pixel_correlation *job) { return job->axis[0].taps * job->axis[1].taps; }

/* Where a weight lies, in elements: at tap 0, and at any tap that the job has. */
static inline ptrdiff_t fc_first_tap_at(const fc_weight_steps *steps, ptrdiff_t group, ptrdiff_t channel,
                                        ptrdiff_t column)
{
    return group * steps->group + channel * steps->channel + column * steps->column;
}

static inline ptrdiff_t fc_weight_at(const fc_pixel_correlation *job, const fc_weight_steps *steps, ptrdiff_t group,
                                     ptrdiff_t tap, ptrdiff_t channel, ptrdiff_t column)
{
    const ptrdiff_t taps = job->axis[1].taps;
    return fc_first_tap_at(steps, group, channel, column) + tap / taps * steps->tap[0] + tap % taps * steps->tap[1];
}

/* Panels of the weights. Where there are some, an even number: two threads share them out evenly. */
#define FC_SOME_PANELS 5
#define FC_MANY_PANELS 16
static inline fc_panels fc_gemm_nhwc_panels(const fc_pixel_correlation *job, const fc_gemm_kernels *kernels)
{
    fc_panels panels = fc_panels_of(job->columns, kernels->lanes, FC_MAX_TILE_VECTORS);
    if (panels.count >= FC_SOME_PANELS && panels.count < FC_MANY_PANELS) panels.count = fc_round_up(panels.count, 2);
    return panels;
}

/* Elements of the packed weights: [groups][panels][taps][channels][lanes of the panel], zeros behind the last column.
 */
size_t fc_gemm_nhwc_group(const fc_pixel_correlation *job, const fc_gemm_kernels *kernels); /* of one group */
size_t fc_gemm_nhwc_packed(const fc_pixel_correlation *job, const fc_gemm_kernels *kernels);
void fc_gemm_nhwc_pack(const fc_problem *problem, const fc_pixel_correlation *job, const void *weights,
                       const fc_weight_steps *steps, void *packed);

/* Weights whose taps lie together, for the panels of one grid or of several that share out the taps: all of a weight's taps
 * are read at once. `homes`, of each tap of the window: the elements before its grid's panels, the taps of that grid, 0 where no
 * grid has it, and its number among them. `job` is any of the grids, steps are those of the window's tap 0. */
#define FC_MOST_TURNED 128
typedef struct fc_tap_home {
    ptrdiff_t grid, taps, tap;
} fc_tap_home;
bool fc_gemm_nhwc_turns_taps(const fc_problem *problem);
void fc_gemm_nhwc_pack_taps(const fc_problem *problem, const fc_pixel_correlation *job, const void *weights,
                            const fc_weight_steps *steps, const fc_tap_home *homes, void *packed);

/* A chunk of a panel: [tap][channel][lane]. */
void fc_gemm_nhwc_pack_chunk(const fc_problem *problem, const fc_pixel_correlation *job, const void *weights,
                             const fc_weight_steps *steps, ptrdiff_t group, const fc_panel_cut *panel,
                             const fc_chunk *chunk, ptrdiff_t width, char *to);

/* Whether so few points use the weights that packing them where they are used costs no more than for all at once. */
bool fc_gemm_nhwc_reads_raw(const fc_pixel_correlation *job);

size_t fc_gemm_nhwc_slot_bytes(const fc_problem *problem);
void fc_gemm_nhwc(const fc_problem *problem, const fc_pixel_correlation *job, const fc_workspace *workspace);

#endif
