/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/slide.h"

#include <string.h>

/* ---- which items make up a result ------------------------------------------------------------------------- */

static ptrdiff_t modulo(ptrdiff_t a, ptrdiff_t m) { return a % m < 0 ? a % m + m : a % m; }

/* x with a * x = 1 mod m, for coprime a and m, by Euclid's algorithm: its coefficients never exceed m. */
static ptrdiff_t inverse_modulo(ptrdiff_t a, ptrdiff_t m)
{
    ptrdiff_t r = m, next_r = a % m, x = 0, next_x = 1;
    while (next_r) {
        const ptrdiff_t quotient = r / next_r, rest = r % next_r, following = x - quotient * next_x;
        x = next_x;
        next_x = following;
        r = next_r;
        next_r = rest;
    }
    return modulo(x, m);
}

ptrdiff_t fc_slide_results(fc_slide_axis along)
{
    return along.gradient ? along.p->in[along.axis] : along.p->out[along.axis];
}

ptrdiff_t fc_slide_items(fc_slide_axis along)
{
    return along.gradient ? along.p->out[along.axis] : along.p->in[along.axis];
}

/* Windows whose starts are a multiple of the dilation apart read the same progression: every so manieth. */
static ptrdiff_t outputs_apart(fc_slide_axis along)
{
    const ptrdiff_t d = along.p->dilation[along.axis];
    return d / fc_gcd(along.p->stride[along.axis], d);
}

ptrdiff_t fc_slide_classes(fc_slide_axis along, fc_range results)
{
    const ptrdiff_t step = along.gradient ? along.p->dilation[along.axis] : outputs_apart(along);
    return fc_min(step, results.end - results.first);
}

static fc_slide_class gradient_class(fc_slide_axis along, fc_range results, ptrdiff_t c)
{
    const fc_problem *p = along.p;
    const ptrdiff_t s = p->stride[along.axis], d = p->dilation[along.axis], out = p->out[along.axis];
    const ptrdiff_t g = fc_gcd(s, d), apart = d / g;
    const ptrdiff_t first = results.first + c, from_start = first + p->pad_before[along.axis];
    fc_slide_class class = {.along = along, .first = first, .step = d, .end = results.end, .item_step = apart};
    if (from_start % g) return class;
    /* Output o reads this input when o * s = from_start mod d. */
    class.item = fc_multiply_modulo(from_start / g % apart, inverse_modulo(s / g % apart, apart), apart);
    class.items = class.item < out ? (out - 1 - class.item) / apart + 1 : 0;
    class.period = class.items > 1 ? apart * s : PTRDIFF_MAX;
    class.tap_reach = (p->window[along.axis] - 1) * d;
    return class;
}

fc_slide_class fc_slide_class_of(fc_slide_axis along, fc_range results, ptrdiff_t c)
{
    const ptrdiff_t d = along.p->dilation[along.axis], first = results.first + c;
    if (along.gradient) return gradient_class(along, results, c);
    return (fc_slide_class){
        .along = along,
        .first = first,
        .step = outputs_apart(along),
        .end = results.end,
        .item = modulo(fc_window_start(along.p, along.axis, first), d),
        .item_step = d,
    };
}

fc_range fc_slide_interval(const fc_slide_class *class, ptrdiff_t result)
{
    const fc_problem *p = class->along.p;
    const int axis = class->along.axis;
    if (class->along.gradient) {
        const fc_range none = {0, 0};
        ptrdiff_t distance; /* from the start of the class's first window to this input */
        if (!class->items) return none;
        distance = result + p->pad_before[axis] - class->item * p->stride[axis];
        if (distance < 0) return none;
        return (fc_range){
            distance > class->tap_reach ? fc_ceil_div(distance - class->tap_reach, class->period) : 0,
            fc_min(class->items, distance / class->period + 1),
        };
    } else {
        const fc_range taps = fc_taps_inside(p, axis, result);
        const ptrdiff_t start = fc_window_start(p, axis, result), d = p->dilation[axis];
        if (taps.end <= taps.first) return taps;
        const ptrdiff_t q = (start + taps.first * d) / d;
        return (fc_range){q, q + taps.end - taps.first};
    }
}

ptrdiff_t fc_slide_longest(fc_slide_axis along)
{
    const fc_problem *p = along.p;
    const ptrdiff_t window = p->window[along.axis], s = p->stride[along.axis], d = p->dilation[along.axis];
    const ptrdiff_t out = p->out[along.axis], apart = outputs_apart(along);
    if (!along.gradient) return fc_min(window, (p->in[along.axis] - 1) / d + 1);
    if (out <= apart) return 1;
    return fc_min((window - 1) * d / (apart * s) + 1, (out - 1) / apart + 1);
}

fc_range fc_slide_reach(fc_slide_axis along, fc_range results)
{
    const fc_problem *p = along.p;
    const ptrdiff_t s = p->stride[along.axis], before = p->pad_before[along.axis], in = p->in[along.axis];
    const ptrdiff_t last_tap = (p->window[along.axis] - 1) * p->dilation[along.axis];
    fc_range items;
    if (along.gradient) {
        const ptrdiff_t low = results.first + before, high = results.end - 1 + before;
        items.first = low > last_tap ? fc_ceil_div(low - last_tap, s) : 0;
        items.end = fc_min(p->out[along.axis], high / s + 1);
    } else {
        const ptrdiff_t low = results.first * s - before, high = (results.end - 1) * s - before;
        items.first = fc_max(low, 0);
        items.end = high >= in || in - 1 - high <= last_tap ? in : high + last_tap + 1;
    }
    if (items.end < items.first) items.end = items.first;
    return items;
}

/* ---- combining them ---------------------------------------------------------------------------------------- */

static fc_lane_row row_at(const fc_slide *s, fc_lane_row rows, ptrdiff_t index)
{
    rows.value += (size_t)(index * s->lanes) * s->element;
    if (rows.place) rows.place += index * s->lanes;
    return rows;
}

static void combine(const fc_slide *s, fc_lane_row dst, fc_lane_row a, fc_lane_row b)
{
    if (s->sum)
        s->kernels->add.pair(s->lanes, dst.value, a.value, b.value);
    else if (dst.place)
        s->kernels->argmax_pair(s->lanes, dst.value, dst.place, a.value, a.place, b.value, b.place);
    else
        s->kernels->max.pair(s->lanes, dst.value, a.value, b.value);
}

static void copy(const fc_slide *s, fc_lane_row dst, fc_lane_row src)
{
    memcpy(dst.value, src.value, (size_t)s->lanes * s->element);
    if (dst.place) memcpy(dst.place, src.place, (size_t)s->lanes * sizeof *dst.place);
}

static void clear(const fc_slide *s, fc_lane_row dst)
{
    if (s->sum)
        memset(dst.value, 0, (size_t)s->lanes * s->element);
    else
        s->kernels->lowest(s->lanes, dst.value, dst.place);
}

/* Keeps the suffixes of items first … up to the next checkpoint, or the middle. */
static void keep(fc_slide *s, ptrdiff_t first)
{
    const ptrdiff_t level = (s->middle - 1 - first) / s->block;
    ptrdiff_t q = s->middle - level * s->block;
    fc_lane_row behind = {NULL, NULL};
    if (level) behind = row_at(s, s->checkpoints, level - 1);
    s->kept = first;
    s->kept_end = q;
    while (q-- > first) {
        const fc_lane_row here = row_at(s, s->suffixes, q - first);
        if (behind.value)
            combine(s, here, s->item(s->context, q), behind);
        else
            copy(s, here, s->item(s->context, q));
        behind = here;
    }
}

/* The front is used up: the middle moves to the end of the window. */
static void turn(fc_slide *s, fc_range items)
{
    const ptrdiff_t levels = (items.end - items.first - 1) / s->block;
    s->middle = s->behind = items.end;
    for (ptrdiff_t level = 1; level <= levels; level++) {
        const fc_lane_row here = row_at(s, s->checkpoints, level - 1);
        ptrdiff_t q = s->middle - (level - 1) * s->block - 1;
        if (level == 1)
            copy(s, here, s->item(s->context, q));
        else
            combine(s, here, s->item(s->context, q), row_at(s, s->checkpoints, level - 2));
        while (--q >= s->middle - level * s->block) combine(s, here, s->item(s->context, q), here);
    }
    keep(s, items.first);
}

void fc_slide_restart(fc_slide *s) { s->middle = s->behind = s->kept = s->kept_end = 0; }

void fc_slide_window(fc_slide *s, fc_range items, fc_lane_row dst)
{
    if (items.end <= items.first) {
        clear(s, dst);
        return;
    }
    if (items.first >= s->middle) {
        if (items.end - items.first == 1) {
            copy(s, dst, s->item(s->context, items.first));
            return;
        }
        turn(s, items);
    }
    if (items.first >= s->kept_end) keep(s, items.first);
    for (; s->behind < items.end; s->behind++) {
        const fc_lane_row item = s->item(s->context, s->behind);
        if (s->behind == s->middle)
            copy(s, s->running, item);
        else
            combine(s, s->running, s->running, item);
    }
    if (s->behind > s->middle)
        combine(s, dst, row_at(s, s->suffixes, items.first - s->kept), s->running);
    else
        copy(s, dst, row_at(s, s->suffixes, items.first - s->kept));
}
