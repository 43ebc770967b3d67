/* SPDX-License-Identifier: BSD-3-Clause */
/* The definitions, as loops over (image, channel, output, taps inside the image). Nothing is clever here, except that a
 * window's taps are found by looking at every input: windows may be larger than any array. */
#include <math.h>
#include <stdlib.h>

#include "call.h"

/* ---- geometry --------------------------------------------------------------------------------------------- */

void reference_shape(const fc_pool2d_params *p, int64_t before[2], int64_t after[2], int64_t out[2])
{
    for (int i = 0; i < 2; i++) {
        const int64_t span = (p->window[i] - 1) * p->dilation[i] + 1, s = p->stride[i], in = p->size[i];
        int64_t room;
        before[i] = p->padding == FC_PAD_EXPLICIT ? p->pad_before[i] : 0;
        after[i] = p->padding == FC_PAD_EXPLICIT ? p->pad_after[i] : 0;
        if (p->padding == FC_PAD_SAME || p->padding == FC_PAD_SAME_LOWER) {
            const int64_t windows = in / s + (in % s != 0), missing = (windows - 1) * s - in + span;
            const int64_t total = missing > 0 ? missing : 0;
            before[i] = (total + (p->padding == FC_PAD_SAME_LOWER)) / 2;
            after[i] = total - before[i];
        }
        room = in + before[i] + after[i] - span;
        out[i] = room < 0 ? 0 : room / s + 1;
        if (p->ceil_mode && (room < 0 || room % s)) ++out[i];
        if (p->ceil_mode && (out[i] - 1) * s >= in + before[i]) --out[i];
    }
}

/* A window that reads input `in` with its tap `tap`. */
typedef struct tap {
    int64_t in, tap;
} tap;

typedef struct axis {
    tap *taps;
    int64_t *first;  /* the taps of output i are first[i] … first[i + 1] - 1 */
    double *counted; /* the taps of output i that lie in the image or in the padding */
} axis;

typedef struct geometry {
    fc_layout layout;
    int64_t batch, in[2], out[2];
    axis axes[2];
} geometry;

static axis axis_of(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t dilation, int64_t before,
                    int64_t after)
{
    axis a = {malloc(sizeof(tap) * (size_t)(in * out + 1)), malloc(sizeof(int64_t) * (size_t)(out + 1)),
              malloc(sizeof(double) * (size_t)(out + 1))};
    int64_t count = 0;
    for (int64_t o = 0; o < out; o++) {
        const int64_t start = o * stride - before, end = in + after;
        a.first[o] = count;
        for (int64_t i = 0; i < in; i++)
            if (i >= start && (i - start) % dilation == 0 && (i - start) / dilation < window)
                a.taps[count++] = (tap){i, (i - start) / dilation};
        a.counted[o] = start >= end ? 0 : fmin((double)((end - 1 - start) / dilation + 1), (double)window);
    }
    a.first[out] = count;
    return a;
}

static geometry geometry_of(const call *c)
{
    const fc_corr2d_params *p = &c->corr2d;
    fc_pool2d_params q = c->pool2d;
    geometry g;
    int64_t before[2], after[2], out[2];
    if (is_correlation(c->operation)) {
        q = (fc_pool2d_params){.layout = p->layout, .padding = p->padding, .batch = p->batch};
        for (int i = 0; i < 2; i++) {
            q.size[i] = p->size[i];
            q.window[i] = p->kernel[i];
            q.stride[i] = p->stride[i];
            q.dilation[i] = p->dilation[i];
            q.pad_before[i] = p->pad_before[i];
            q.pad_after[i] = p->pad_after[i];
        }
    }
    g = (geometry){.layout = q.layout, .batch = q.batch};
    reference_shape(&q, before, after, out);
    for (int i = 0; i < 2; i++) {
        CHECK(out[i] == c->out_size[i], "the size of the output is %lld along axis %d, should be %lld",
              (long long)c->out_size[i], i, (long long)out[i]);
        g.in[i] = q.size[i];
        g.out[i] = out[i];
        g.axes[i] = axis_of(q.size[i], out[i], q.window[i], q.stride[i], q.dilation[i], before[i], after[i]);
    }
    return g;
}

static void geometry_free(geometry *g)
{
    for (int i = 0; i < 2; i++) {
        free(g->axes[i].taps);
        free(g->axes[i].first);
        free(g->axes[i].counted);
    }
}

static size_t image_at(const geometry *g, const int64_t size[2], int64_t channels, int64_t n, int64_t c, int64_t h,
                       int64_t w)
{
    if (g->layout == FC_NCHW) return (size_t)(((n * channels + c) * size[0] + h) * size[1] + w);
    return (size_t)(((n * size[0] + h) * size[1] + w) * channels + c);
}

static size_t weight_at(const fc_corr2d_params *p, int64_t o, int64_t c, int64_t u, int64_t v)
{
    const int64_t channels = p->weight_channels, kh = p->kernel[0], kw = p->kernel[1];
    switch (p->weight_layout) {
    case FC_OIHW: return (size_t)(((o * channels + c) * kh + u) * kw + v);
    case FC_OHWI: return (size_t)(((o * kh + u) * kw + v) * channels + c);
    default: return (size_t)(((u * kw + v) * channels + c) * p->out_channels + o);
    }
}

/* For every output (n, c, i, j), and then for every tap of it inside the image, at (h, w): */
#define EACH_OUTPUT(g, channels)                     \
    for (int64_t n = 0; n < (g).batch; n++)          \
        for (int64_t c = 0; c < (channels); c++)     \
            for (int64_t i = 0; i < (g).out[0]; i++) \
                for (int64_t j = 0; j < (g).out[1]; j++)
#define EACH_TAP(g)                                                                                                   \
    for (const tap *row = (g).axes[0].taps + (g).axes[0].first[i]; row < (g).axes[0].taps + (g).axes[0].first[i + 1]; \
         row++)                                                                                                       \
        for (const tap *column = (g).axes[1].taps + (g).axes[1].first[j];                                             \
             column < (g).axes[1].taps + (g).axes[1].first[j + 1]; column++)

/* ---- arithmetic ------------------------------------------------------------------------------------------- */

static void add(number *sum, number a)
{
    sum->f += a.f;
    sum->i += a.i;
    sum->size += fabs(a.f);
}

static void add_product(number *sum, number a, number b) { add(sum, (number){.f = a.f * b.f, .i = a.i * b.i}); }

static double largest_of(const buffer *b)
{
    double largest = 0;
    for (size_t i = 0; i < b->count; i++)
        if (isfinite(value_at(b, i).f)) largest = fmax(largest, fabs(value_at(b, i).f));
    return largest;
}

/* Fast transforms are bounded by the largest sum, not by each one's own; and what is in no sum, as its place is in the
 * padding, is in their tiles. */
static void find_largest(const call *c, number *sums)
{
    double largest = largest_of(&c->in[0]) * largest_of(&c->in[1]);
    for (size_t i = 0; i < c->out[0].count; i++)
        if (isfinite(sums[i].size)) largest = fmax(largest, sums[i].size);
    for (size_t i = 0; i < c->out[0].count; i++) sums[i].largest = largest;
}

static bool beats(fc_dtype dtype, number a, number b)
{
    if (is_float(dtype)) return a.f > b.f || (isnan(a.f) && !isnan(b.f));
    return is_signed(dtype) ? (int64_t)a.i > (int64_t)b.i : a.i > b.i;
}

static number lowest(fc_dtype dtype)
{
    if (is_float(dtype)) return (number){.f = -INFINITY};
    return (number){.i = is_signed(dtype) ? ~(uint64_t)0 << (8 * bytes_of(dtype) - 1) : 0};
}

/* ---- the operators ---------------------------------------------------------------------------------------- */

static void correlation(const call *c_, const geometry *g, number *wanted[2])
{
    const fc_corr2d_params *p = &c_->corr2d;
    const int64_t filters = p->groups ? p->out_channels / p->groups : 0, depth = p->weight_channels;
    EACH_OUTPUT(*g, p->out_channels)
    {
        const size_t y = image_at(g, g->out, p->out_channels, n, c, i, j);
        if (c_->operation == FC_CORR2D && c_->second) add(&wanted[0][y], value_at(&c_->in[2], (size_t)c));
        if (c_->operation == FC_CORR2D_WEIGHT_GRAD && c_->second) add(&wanted[1][c], value_at(&c_->in[0], y));
        for (int64_t k = 0; k < depth; k++) EACH_TAP(*g)
            {
                const size_t x = image_at(g, g->in, p->channels, n, c / filters * depth + k, row->in, column->in);
                const size_t w = weight_at(p, c, k, row->tap, column->tap);
                const size_t first = c_->operation == FC_CORR2D ? x : y;
                const size_t second = c_->operation == FC_CORR2D_WEIGHT_GRAD ? x : w;
                const size_t to = c_->operation == FC_CORR2D ? y : c_->operation == FC_CORR2D_INPUT_GRAD ? x : w;
                add_product(&wanted[0][to], value_at(&c_->in[0], first), value_at(&c_->in[1], second));
            }
    }
    find_largest(c_, wanted[0]);
}

static void max_pool2d(const call *c_, const geometry *g, number *wanted[2])
{
    const fc_pool2d_params *p = &c_->pool2d;
    EACH_OUTPUT(*g, p->channels)
    {
        const size_t y = image_at(g, g->out, p->channels, n, c, i, j);
        number best = lowest(p->dtype);
        int64_t place = -1;
        EACH_TAP(*g)
        {
            const number x = value_at(&c_->in[0], image_at(g, g->in, p->channels, n, c, row->in, column->in));
            if (place >= 0 && !beats(p->dtype, x, best)) continue;
            best = x;
            place = row->in * p->size[1] + column->in;
        }
        wanted[0][y] = best;
        if (wanted[1]) wanted[1][y].i = (uint64_t)place;
    }
}

static void avg_pool2d(const call *c_, const geometry *g, number *wanted)
{
    const fc_pool2d_params *p = &c_->pool2d;
    EACH_OUTPUT(*g, p->channels)
    {
        const size_t y = image_at(g, g->out, p->channels, n, c, i, j);
        const axis *rows = &g->axes[0], *columns = &g->axes[1];
        const double inside =
            (double)(rows->first[i + 1] - rows->first[i]) * (double)(columns->first[j + 1] - columns->first[j]);
        const double divisor = p->has_divisor         ? (double)p->divisor
                               : p->count_include_pad ? rows->counted[i] * columns->counted[j]
                                                      : inside;
        number sum = {0};
        EACH_TAP(*g)
        {
            const size_t x = image_at(g, g->in, p->channels, n, c, row->in, column->in);
            if (c_->operation == FC_AVG_POOL2D)
                add(&sum, value_at(&c_->in[0], x));
            else
                add(&wanted[x], (number){.f = value_at(&c_->in[0], y).f / divisor});
        }
        if (c_->operation == FC_AVG_POOL2D)
            wanted[y] = (number){.f = sum.f / divisor, .size = divisor == 0 ? 0 : sum.size / fabs(divisor)};
    }
}

static void max_pool2d_grad(const call *c_, const geometry *g, number *wanted)
{
    const int64_t channels = c_->pool2d.channels;
    EACH_OUTPUT(*g, channels)
    {
        const size_t y = image_at(g, g->out, channels, n, c, i, j);
        const int64_t place = (int64_t)value_at(&c_->in[1], y).i;
        if (place >= 0)
            add(&wanted[image_at(g, g->in, channels, n, c, place / g->in[1], place % g->in[1])],
                value_at(&c_->in[0], y));
    }
}

void reference(const call *c, number *wanted[2])
{
    geometry g = geometry_of(c);
    for (int i = 0; i < 2; i++) wanted[i] = c->out[i].block ? calloc(c->out[i].count + 1, sizeof(number)) : NULL;
    if (is_correlation(c->operation))
        correlation(c, &g, wanted);
    else if (c->operation == FC_MAX_POOL2D)
        max_pool2d(c, &g, wanted);
    else if (c->operation == FC_MAX_POOL2D_GRAD)
        max_pool2d_grad(c, &g, wanted[0]);
    else
        avg_pool2d(c, &g, wanted[0]);
    geometry_free(&g);
}
