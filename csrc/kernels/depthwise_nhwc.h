/* SPDX-License-Identifier: BSD-3-Clause */
/* depthwise_nhwc.h -- all channels of some pixels whose channels are neighbours. The last vector overlaps the one
 * before it where the channels do not fill it: a channel computed twice is the same bits. Fewer channels than a vector
 * has lanes go one by one. */
#define P FC_DEPTHWISE_PIXELS
#define V 1
#include "kernels/depthwise_tile.h"
#define V 2
#include "kernels/depthwise_tile.h"
#undef P
#define P 1
#define V 1
#include "kernels/depthwise_tile.h"
#define V 2
#include "kernels/depthwise_tile.h"
#define V 6
#include "kernels/depthwise_tile.h"
#undef P

static void W(depthwise_channels)(const fc_depthwise_pixels *d, ptrdiff_t pixels)
{
    const T *bias = d->bias;
    for (ptrdiff_t r = 0; r < pixels; r++)
        for (ptrdiff_t c = 0; c < d->channels; c++) {
            T sum = 0;
            for (ptrdiff_t u = 0; u < d->taps[0]; u++) {
                const T *x = (const T *)d->x[r] + u * d->x_step[0] + c, *w = (const T *)d->w + u * d->w_step[0] + c;
                for (ptrdiff_t v = 0; v < d->taps[1]; v++)
                    sum = W(fma_one)(w[v * d->w_step[1]], x[v * d->x_step[1]], sum);
            }
            ((T *)d->y[r])[c] = (bias ? bias[c] : 0) + sum;
        }
}

static void W(depthwise_pixels)(const fc_depthwise_pixels *d)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t channels = d->channels;
    ptrdiff_t c = 0;
    if (channels < lanes) {
        W(depthwise_channels)(d, FC_DEPTHWISE_PIXELS);
        return;
    }
    for (; channels - c >= 2 * lanes; c += 2 * lanes) FC_PASTE(W(depthwise_tile), 6_2)(d, c);
    for (; channels - c >= lanes; c += lanes) FC_PASTE(W(depthwise_tile), 6_1)(d, c);
    if (c < channels) FC_PASTE(W(depthwise_tile), 6_1)(d, channels - lanes);
}

static void W(depthwise_pixel)(const fc_depthwise_pixels *d)
{
    enum { lanes = W(LANES) };
    const ptrdiff_t channels = d->channels;
    ptrdiff_t c = 0;
    if (channels < lanes) {
        W(depthwise_channels)(d, 1);
        return;
    }
    for (; channels - c >= 6 * lanes; c += 6 * lanes) FC_PASTE(W(depthwise_tile), 1_6)(d, c);
    for (; channels - c >= 2 * lanes; c += 2 * lanes) FC_PASTE(W(depthwise_tile), 1_2)(d, c);
    for (; channels - c >= lanes; c += lanes) FC_PASTE(W(depthwise_tile), 1_1)(d, c);
    if (c < channels) FC_PASTE(W(depthwise_tile), 1_1)(d, channels - lanes);
}

#include "kernels/depthwise_line.h"
