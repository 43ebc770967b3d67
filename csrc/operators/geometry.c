/* SPDX-License-Identifier: BSD-3-Clause */
/* out = floor((in + before + after - span) / stride) + 1, span = dilation * (window - 1) + 1. */
#include "operators/geometry.h"

#include <stddef.h>

bool fc_axis_span(const fc_axis *axis, int64_t *span)
{
    return !__builtin_mul_overflow(axis->dilation, axis->window - 1, span) && !__builtin_add_overflow(*span, 1, span);
}

/* The padding that makes ceil(in / stride) windows fit, split with the odd zero behind or before. */
static bool resolve_same(fc_axis *axis, int64_t span)
{
    int64_t out = axis->in / axis->stride + (axis->in % axis->stride != 0);
    int64_t total;
    /* (out - 1) * stride < in, so only adding the span can overflow. */
    if (__builtin_add_overflow((out - 1) * axis->stride - axis->in, span, &total)) return false;
    if (total < 0) total = 0;
    axis->before = axis->padding == FC_PAD_SAME ? total / 2 : total - total / 2;
    axis->after = total - axis->before;
    return true;
}

fc_axis_verdict fc_axis_resolve(fc_axis *axis, int64_t *out)
{
    int64_t span, padded, room;
    bool spans = fc_axis_span(axis, &span);
    if (axis->padding == FC_PAD_VALID) axis->before = axis->after = 0;
    if (axis->padding == FC_PAD_SAME || axis->padding == FC_PAD_SAME_LOWER) {
        if (!spans || !resolve_same(axis, span)) return FC_AXIS_TOO_LARGE;
    }
    if (__builtin_add_overflow(axis->in, axis->before, &padded) || __builtin_add_overflow(padded, axis->after, &padded))
        return FC_AXIS_TOO_LARGE;
    if (!spans) return FC_AXIS_WINDOW_TOO_LARGE;
    room = padded - span; /* both positive: no overflow */
    if (!axis->ceil_mode) {
        if (room < 0) return FC_AXIS_WINDOW_TOO_LARGE;
        *out = room / axis->stride + 1;
        return FC_AXIS_OK;
    }
    if (room <= -axis->stride) return FC_AXIS_WINDOW_TOO_LARGE;
    *out = room / axis->stride + (room > 0 && room % axis->stride != 0) + 1;
    if (*out - 1 >= (axis->in + axis->before) / axis->stride + ((axis->in + axis->before) % axis->stride != 0)) --*out;
    return *out < 1 ? FC_AXIS_WINDOW_TOO_LARGE : FC_AXIS_OK;
}

bool fc_product(const int64_t *sizes, int count, int64_t *product)
{
    *product = 1;
    for (int i = 0; i < count; i++) {
        int64_t size = sizes[i] ? sizes[i] : 1;
        if (__builtin_mul_overflow(*product, size, product) || *product > PTRDIFF_MAX) return false;
    }
    for (int i = 0; i < count; i++)
        if (sizes[i] == 0) *product = 0;
    return true;
}
