/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/stripe.h"

#include <string.h>

#include "platform/memory.h"

/* Every step-th element; the common steps are constants, so that compilers use vectors. */
#define COPY_STRIDED(NAME, T)                                           \
    static void NAME(ptrdiff_t n, const T *from, ptrdiff_t step, T *to) \
    {                                                                   \
        if (step == 2)                                                  \
            for (ptrdiff_t i = 0; i < n; i++) to[i] = from[2 * i];      \
        else if (step == 4)                                             \
            for (ptrdiff_t i = 0; i < n; i++) to[i] = from[4 * i];      \
        else                                                            \
            for (ptrdiff_t i = 0; i < n; i++) to[i] = from[i * step];   \
    }

COPY_STRIDED(copy32, uint32_t)
COPY_STRIDED(copy64, uint64_t)

static void copy_strided(size_t element, ptrdiff_t n, const char *from, ptrdiff_t step, char *to)
{
    if (step == 1)
        memcpy(to, from, (size_t)n * element);
    else if (element == 4)
        copy32(n, (const uint32_t *)(const void *)from, step, (uint32_t *)(void *)to);
    else
        copy64(n, (const uint64_t *)(const void *)from, step, (uint64_t *)(void *)to);
}

/* The common numbers of channels are constants, so that compilers unroll their loops. */
#define GATHER_PIXELS(NAME, T)                                                                   \
    static void NAME(ptrdiff_t pixels, ptrdiff_t channels, const T *from, ptrdiff_t step, T *to) \
    {                                                                                            \
        for (ptrdiff_t i = 0; i < pixels; i++, from += step, to += channels) switch (channels) { \
            case 3: memcpy(to, from, 3 * sizeof(T)); break;                                      \
            case 4: memcpy(to, from, 4 * sizeof(T)); break;                                      \
            default:                                                                             \
                for (ptrdiff_t c = 0; c < channels; c++) to[c] = from[c];                        \
            }                                                                                    \
    }

GATHER_PIXELS(gather32, uint32_t)
GATHER_PIXELS(gather64, uint64_t)

/* Pixels of so many channels, `step` elements apart, one behind the other. */
static void gather_pixels(size_t element, ptrdiff_t pixels, ptrdiff_t channels, const char *from, ptrdiff_t step,
                          char *to)
{
    if (step == channels)
        memcpy(to, from, (size_t)(pixels * channels) * element);
    else if (element == 4)
        gather32(pixels, channels, (const uint32_t *)(const void *)from, step, (uint32_t *)(void *)to);
    else
        gather64(pixels, channels, (const uint64_t *)(const void *)from, step, (uint64_t *)(void *)to);
}

void fc_deal_row(size_t element, ptrdiff_t channels, ptrdiff_t step, const void *row, ptrdiff_t width, ptrdiff_t left,
                 ptrdiff_t phases, ptrdiff_t phase, void *to)
{
    const ptrdiff_t pixel = channels * (ptrdiff_t)element;
    char *run = to;
    if (!row) {
        memset(to, 0, (size_t)(phases * phase * pixel));
        return;
    }
    for (ptrdiff_t f = 0; f < phases; f++, left++, run += phase * pixel) {
        const ptrdiff_t first = fc_min(phase, left < 0 ? fc_ceil_div(-left, phases) : 0);
        const ptrdiff_t end = fc_max(first, fc_min(phase, fc_ceil_div(width - left, phases)));
        memset(run, 0, (size_t)(first * pixel));
        memset(run + end * pixel, 0, (size_t)((phase - end) * pixel));
        if (end == first) continue; /* the window may start far from the row, where no address is */
        const char *from = (const char *)row + (left + first * phases) * step * (ptrdiff_t)element;
        if (channels == 1)
            copy_strided(element, end - first, from, phases * step, run + first * pixel);
        else
            gather_pixels(element, end - first, channels, from, phases * step, run + first * pixel);
    }
}

fc_stripe fc_stripe_of(const fc_problem *p, ptrdiff_t output_rows)
{
    const ptrdiff_t line = FC_CACHE_LINE / (ptrdiff_t)fc_dtype_size(p->dtype);
    fc_stripe s = {.rows = (output_rows - 1) * p->stride[0] + fc_window_span(p, 0) + 1,
                   .phases = p->out[1] > 1 ? p->stride[1] : 1};
    s.phase = fc_ceil_div((p->out[1] - 1) * s.phases + fc_window_span(p, 1) + 1, s.phases);
    s.row = s.phases * s.phase;
    if (s.row % (16 * line) == 0) s.row += line; /* not all rows on the same cache sets */
    s.plane = s.rows * s.row;
    return s;
}

void fc_fill_stripe(const fc_problem *p, const fc_stripe *s, ptrdiff_t output_row, ptrdiff_t rows, ptrdiff_t channels,
                    const char *source, char *to)
{
    const size_t element = fc_dtype_size(p->dtype);
    const ptrdiff_t size = (ptrdiff_t)element, top = output_row * p->stride[0] - p->pad_before[0];
    const ptrdiff_t needed = (rows - 1) * p->stride[0] + fc_window_span(p, 0) + 1;
    for (ptrdiff_t c = 0; c < channels; c++, source += p->in[0] * p->in[1] * size)
        for (ptrdiff_t i = 0; i < needed; i++) {
            const ptrdiff_t y = top + i;
            fc_deal_row(element, 1, 1, y < 0 || y >= p->in[0] ? NULL : source + y * p->in[1] * size, p->in[1],
                        -p->pad_before[1], s->phases, s->phase, to + (c * s->plane + i * s->row) * size);
        }
}

void fc_stripe_shifts(const fc_problem *p, const fc_stripe *s, ptrdiff_t channels, int32_t *shifts)
{
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t u = 0; u < p->window[0]; u++)
            for (ptrdiff_t v = 0; v < p->window[1]; v++) {
                const ptrdiff_t x = v * p->dilation[1], y = u * p->dilation[0];
                *shifts++ = (int32_t)(c * s->plane + y * s->row + x % s->phases * s->phase + x / s->phases);
            }
}
