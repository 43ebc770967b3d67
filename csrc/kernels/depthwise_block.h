/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_block.h -- depthwise correlation of a block: pixels that hold one vector of channels each, side by side. Images
 * of both layouts become blocks on the way in and planes on the way out by transposing squares of a vector's lanes. */

/* Image to block, one square at most. What is no channel of the image becomes zero. */
static void W(square_in)(ptrdiff_t pixels, ptrdiff_t channels, T *block, const T *image, ptrdiff_t channel_step)
{
    W(vec) v[W(LANES)];
    W(load_rows)(v, image, channel_step, channels, pixels);
    W(transpose_lanes)(v);
    W(store_columns)(v, block, W(LANES), W(LANES), pixels);
}

/* And back. */
static void W(square_out)(ptrdiff_t pixels, ptrdiff_t channels, T *image, ptrdiff_t channel_step, const T *block)
{
    W(vec) v[W(LANES)];
    W(load_rows)(v, block, W(LANES), pixels, W(LANES));
    W(transpose_lanes)(v);
    W(store_columns)(v, image, channel_step, pixels, channels);
}

static void W(block_in)(ptrdiff_t pixels, ptrdiff_t channels, void *block, const void *image, ptrdiff_t pixel_step,
                        ptrdiff_t channel_step)
{
    enum { lanes = W(LANES) };
    const T *from = image;
    T *to = block;
    if (pixel_step == 1 && lanes > 1) {
        ptrdiff_t i = 0;
        if (channels == lanes && pixels >= lanes) {
            /* The last square overlaps the one before. */
            for (; i < pixels; i += lanes) {
                const ptrdiff_t at = i < pixels - lanes ? i : pixels - lanes;
                W(transpose_tile)(to + at * lanes, lanes, from + at, channel_step);
            }
        } else {
            for (; i < pixels; i += lanes)
                W(square_in)(pixels - i < lanes ? pixels - i : lanes, channels, to + i * lanes, from + i, channel_step);
        }
        return;
    }
    if (channels == lanes) {
        for (ptrdiff_t i = 0; i < pixels; i++) W(store)(to + i * lanes, W(load)(from + i * pixel_step));
        return;
    }
    for (ptrdiff_t i = 0; i < pixels; i++) {
        for (ptrdiff_t c = 0; c < channels; c++) to[i * lanes + c] = from[i * pixel_step + c];
        for (ptrdiff_t c = channels; c < lanes; c++) to[i * lanes + c] = 0;
    }
}

static void W(block_out)(ptrdiff_t pixels, ptrdiff_t channels, void *image, ptrdiff_t pixel_step,
                         ptrdiff_t channel_step, const void *block)
{
    enum { lanes = W(LANES) };
    const T *from = block;
    T *to = image;
    if (pixel_step == 1 && lanes > 1) {
        ptrdiff_t i = 0;
        if (channels == lanes && pixels >= lanes) {
            for (; i < pixels; i += lanes) {
                const ptrdiff_t at = i < pixels - lanes ? i : pixels - lanes;
                W(transpose_tile)(to + at, channel_step, from + at * lanes, lanes);
            }
        } else {
            for (; i < pixels; i += lanes) W(square_out)
            (pixels - i < lanes ? pixels - i : lanes, channels, to + i, channel_step, from + i * lanes);
        }
        return;
    }
    if (channels == lanes) {
        for (ptrdiff_t i = 0; i < pixels; i++) W(store)(to + i * pixel_step, W(load)(from + i * lanes));
        return;
    }
    for (ptrdiff_t i = 0; i < pixels; i++)
        for (ptrdiff_t c = 0; c < channels; c++) to[i * pixel_step + c] = from[i * lanes + c];
}

#define K 3
#include "kernels/depthwise_sweep.h"
#undef K
#define K 5
#include "kernels/depthwise_sweep.h"
#undef K
#define K 7
#include "kernels/depthwise_sweep.h"
#undef K

#define P 8
#include "kernels/depthwise_run.h"
#define P 4
#include "kernels/depthwise_run.h"
#define P 2
#include "kernels/depthwise_run.h"
#define P 1
#include "kernels/depthwise_run.h"

static void W(depthwise_run)(const fc_depthwise_run *d)
{
    ptrdiff_t j = 0;
    for (; d->pixels - j >= 8; j += 8) FC_PASTE(W(depthwise_run_part), 8)(d, j);
    if (d->pixels - j >= 4) FC_PASTE(W(depthwise_run_part), 4)(d, j), j += 4;
    if (d->pixels - j >= 2) FC_PASTE(W(depthwise_run_part), 2)(d, j), j += 2;
    if (d->pixels - j >= 1) FC_PASTE(W(depthwise_run_part), 1)(d, j);
}

#define U 1
#define V 1
#include "kernels/depthwise_taps.h"
#define V 2
#include "kernels/depthwise_taps.h"
#define V 3
#include "kernels/depthwise_taps.h"
#define V 4
#include "kernels/depthwise_taps.h"
#define V 5
#include "kernels/depthwise_taps.h"
#define V 6
#include "kernels/depthwise_taps.h"
#define V 7
#include "kernels/depthwise_taps.h"
#undef U
#define U 3
#define V 3
#include "kernels/depthwise_taps.h"
#undef U
