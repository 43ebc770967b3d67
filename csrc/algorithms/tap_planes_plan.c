/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/tap_planes.h"

#include "algorithms/block_axis.h"
#include "algorithms/winograd.h"

#define MOST_PHASES 16
#define MOST_REACH 4096          /* of a window, and of paddings */
#define MOST_PLANES 4096         /* of products */
#define PLANE_BYTES (128 * 1024) /* of products at a time, aimed at */
#define MOST_PLANE_BYTES (8 * 1024 * 1024)
#define SUM_BYTES (64 * 1024) /* of the results of a task, aimed at */
#define TASKS 8
#define SPANS 3 /* rows of a task, in windows: what neighbours both multiply stays a fraction */
#define FEWEST_CHANNELS 3
#define FEW_CHANNELS 8
#define MANY_CHANNELS 24
#define FAR_SOURCE 8e6 /* bytes */
#define NARROW 8       /* columns */
#define WIDE 20

/* Zeros that taps of a row reach in front of it and behind it. */
static void find_reach(const fc_problem *p, ptrdiff_t reach[2])
{
    reach[0] = reach[1] = 0;
    for (ptrdiff_t i = 0; i < fc_block_phases(p, 1); i++) {
        const fc_grid_axis a = fc_block_axis_of(p, 1, i);
        if (!a.taps) continue;
        reach[0] = fc_max(reach[0], -fc_block_lowest_tap(&a));
        reach[1] = fc_max(reach[1], a.points - 1 + fc_block_highest_tap(&a) - (a.source - 1));
    }
}

fc_tap_planes fc_tap_planes_of(const fc_problem *p)
{
    const fc_gemm_kernels *k = &p->kernels->gemm[p->dtype];
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), phases = fc_block_phases(p, 1);
    ptrdiff_t reach[2];
    fc_tap_planes s = {.channels = fc_block_source_channels(p) / p->groups,
                       .results = fc_block_destination_channels(p) / p->groups};
    for (int i = 0; i < 2; i++) {
        s.source[i] = fc_block_source_size(p)[i];
        s.destination[i] = fc_block_destination_size(p)[i];
    }
    s.planes = p->window[0] * p->window[1] * s.results;
    find_reach(p, reach);
    s.left = reach[0];
    s.pitch = s.source[1] + fc_max(reach[0], reach[1]);
    s.points = fc_round_up(fc_ceil_div(s.destination[1], phases), k->lanes);
    s.sum_row = phases * s.results * s.points;
    s.rows_at_once = fc_max(1, fc_min(s.source[0], PLANE_BYTES / element / s.planes / s.pitch));
    /* Of a row of sums whole vectors are read. */
    s.plane = fc_odd_lines(fc_round_up(s.left + s.rows_at_once * s.pitch, k->lanes) + 2 * k->lanes, element);
    s.rows = fc_max(1, SUM_BYTES / element / s.sum_row);
    if (p->batch * p->groups < TASKS)
        s.rows = fc_min(s.rows, fc_ceil_div(s.destination[0] * p->batch * p->groups, TASKS));
    s.rows = fc_min(s.destination[0], fc_max(s.rows, SPANS * (fc_window_span(p, 0) + 1)));
    s.strips = fc_ceil_div(s.destination[0], s.rows);
    s.rows = fc_ceil_div(s.destination[0], s.strips);
    return s;
}

const char *fc_tap_planes_decline(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype);
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (fc_block_forward(p) && p->stride[1] > 1 && p->out[1] > 1) return "stride along the width is above 1";
    for (int i = 0; i < 2; i++) {
        if (fc_block_phases(p, i) > MOST_PHASES) return "the stride is above 16";
        if (fc_window_span(p, i) > MOST_REACH || p->pad_before[i] > MOST_REACH || p->pad_after[i] > MOST_REACH)
            return "windows reach far beyond the image";
    }
    if (p->window[0] > MOST_PLANES / p->window[1]) return "there are many taps";
    if (p->window[0] * p->window[1] > MOST_PLANES / (fc_block_destination_channels(p) / p->groups))
        return "there are many taps and channels";
    if (fc_block_source_size(p)[1] > INT32_MAX) return "rows are too long";
    const fc_tap_planes s = fc_tap_planes_of(p);
    if (s.planes * s.plane > MOST_PLANE_BYTES / element) return "products of a row fill no cache";
    return NULL;
}

/* What the choice looks at. */
typedef struct traits {
    ptrdiff_t channels, width; /* of the source */
    bool large, deep, wide;    /* the window, pixels (NHWC), vectors */
} traits;

/* The most results for which it is the faster one beside Winograd's algorithm, beside products whose lanes are results, and for
 * gradients of strides. Measured on AVX-512 and AVX2 over 3 to 512 channels, 1 to 32 results, kernels of 1x1 to 11x11, strides
 * up to 4 and maps of 4 to 128 pixels. */
static ptrdiff_t most_beside_winograd(const traits *t)
{
    const bool many = t->channels >= MANY_CHANNELS;
    if (t->channels < FEW_CHANNELS) return t->deep && (t->large || t->width > WIDE) ? 1 : 0;
    if (t->large) return many || (t->wide && t->width > NARROW) ? 4 : 2;
    if (!many) return t->wide && t->width > WIDE ? 2 : 1;
    return t->wide && (t->width > WIDE || (!t->deep && t->width > NARROW)) ? 4 : 2;
}

static ptrdiff_t most_without_winograd(const traits *t)
{
    if (t->channels < FEW_CHANNELS) return !t->deep ? 0 : t->width > WIDE ? 4 : 2;
    if (t->channels < MANY_CHANNELS) return (t->deep ? 4 : 2) * (t->wide && (!t->deep || t->width > NARROW) ? 2 : 1);
    if (!t->wide) return t->deep && t->width > WIDE ? 8 : 4;
    return t->large && !t->deep && t->width > NARROW ? 4 : 8;
}

static ptrdiff_t most_of_strides(const traits *t)
{
    if (t->channels < FEW_CHANNELS) return t->deep && t->width > NARROW ? 8 : 4;
    return t->width > NARROW ? 12 : t->wide ? 8 : 4;
}

/* Of 1x1 kernels without stride, measured over maps of 14 to 388 pixels and 4 to 128 channels: planes are fetched ahead. */
static ptrdiff_t most_of_pixels(const fc_problem *p, const traits *t)
{
    const double pixels = (double)fc_block_source_size(p)[0] * (double)t->width;
    const bool far = pixels * (double)p->batch * (double)t->channels * (double)fc_dtype_size(p->dtype) > FAR_SOURCE;
    if (t->deep) {
        if (t->channels < MANY_CHANNELS || t->width <= NARROW) return 0;
        if (far && t->channels >= 64) return t->wide || t->channels >= 96 ? 8 : 4;
        return t->wide ? 4 : 2;
    }
    if (t->channels < FEW_CHANNELS || t->channels > 128 || pixels < 3e3) return 0;
    if (far) return t->channels <= 96 ? 8 : 4;
    if (pixels < 1e4) return t->channels <= 64 ? 2 : 0;
    return t->channels <= 32 ? 4 : 2;
}

/* Of the columns that are multiplied, or of what taps far apart read. */
static bool mostly_zeros(const fc_problem *p)
{
    for (int i = 0; i < 2; i++)
        if (fc_window_span(p, i) > 2 * fc_block_source_size(p)[i]) return true;
    const fc_tap_planes s = fc_tap_planes_of(p);
    const ptrdiff_t multiplied = fc_round_up(s.left + s.rows_at_once * s.pitch, p->kernels->gemm[p->dtype].lanes);
    return 5 * s.rows_at_once * s.source[1] < multiplied;
}

const char *fc_tap_planes_pass(const fc_problem *p)
{
    const bool strided = !fc_block_forward(p) && fc_strided(p);
    const ptrdiff_t taps = p->window[0] * p->window[1];
    traits t = {.channels = fc_block_source_channels(p),
                .width = fc_block_source_size(p)[1],
                .deep = p->layout == FC_NHWC,
                .wide = fc_vectors_are_wide(p)};
    ptrdiff_t most;
    if (p->groups > 1) return "groups have algorithms of their own";
    if (t.channels < FEWEST_CHANNELS) return "there are few channels to add up";
    if (strided) {
        most = most_of_strides(&t);
    } else if (taps == 1) {
        most = most_of_pixels(p, &t);
    } else if (fc_winograd_decline(p)) {
        t.large = taps > 25;
        most = most_without_winograd(&t);
    } else {
        t.large = taps > 9;
        most = most_beside_winograd(&t);
    }
    if (fc_block_destination_channels(p) > most) return "there are channels enough for lanes";
    return mostly_zeros(p) ? "of so small a map it would multiply zeros" : NULL;
}
