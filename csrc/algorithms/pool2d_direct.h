/* SPDX-License-Identifier: BSD-3-Clause */
/* pool2d_direct.h -- the loops of the definition for element type T; included once per type. FLOATING: T has NaNs
 * and averages; U is T, or for integers the unsigned type of its width, whose sums wrap. */

/* One row of outputs: task = (n * oc + o) * oh + i. */
static void NAME(max_row)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t i = task % p->out[0], c = task / p->out[0] % p->channels, n = task / p->out[0] / p->channels;
    const ptrdiff_t home = n * call->out.n + c * call->out.c + i * call->out.h;
    const T *x = (const T *)call->operands->x + n * call->in.n + c * call->in.c;
    T *y = (T *)call->operands->y + home;
    int64_t *argmax = call->operands->argmax ? call->operands->argmax + home : NULL;
    const fc_range rows = fc_taps_inside(p, 0, i);
    (void)slot;
    for (ptrdiff_t j = 0; j < p->out[1]; j++) {
        const fc_range columns = fc_taps_inside(p, 1, j);
        T best = LOWEST;
        int64_t place = -1;
        for (ptrdiff_t u = rows.first; u < rows.end; u++)
            for (ptrdiff_t v = columns.first; v < columns.end; v++) {
                const ptrdiff_t h = fc_window_start(p, 0, i) + u * p->dilation[0];
                const ptrdiff_t w = fc_window_start(p, 1, j) + v * p->dilation[1];
                const T value = x[h * call->in.h + w * call->in.w];
                if (place >= 0 && (value <= best || IS_NAN(best))) continue;
                best = value;
                place = h * p->in[1] + w;
            }
        y[j * call->out.w] = best;
        if (argmax) argmax[j * call->out.w] = place;
    }
}

/* Clears some channels of pixels `cleared` … `index` at least, a page or so in all, and says up to where: a pixel is
 * cleared shortly before something is added to it, while a cache holds it. */
static ptrdiff_t NAME(clear_pixels)(U *grad_x, ptrdiff_t depth, ptrdiff_t channels, ptrdiff_t pixels, ptrdiff_t cleared,
                                    ptrdiff_t index)
{
    const ptrdiff_t page = CLEARED_AT_ONCE / channels / (ptrdiff_t)sizeof(U);
    const ptrdiff_t end = fc_min(pixels, fc_max(index, cleared + page) + 1);
    if (channels == depth)
        memset(grad_x + cleared * depth, 0, (size_t)((end - cleared) * depth) * sizeof(U));
    else
        for (ptrdiff_t i = cleared; i < end; i++) memset(grad_x + i * depth, 0, (size_t)channels * sizeof(U));
    return end;
}

/* Planes next to each other, in turns: neighbouring windows often have one maximum, whose sum waits for itself. */
static inline __attribute__((always_inline)) void NAME(max_grad_some)(ptrdiff_t inputs, ptrdiff_t outputs, U *grad_x,
                                                                      const U *grad_y, const int64_t *indices,
                                                                      const int planes)
{
    memset(grad_x, 0, (size_t)(inputs * planes) * sizeof(U));
    for (ptrdiff_t o = 0; o < outputs; o++)
        for (int k = 0; k < planes; k++) {
            const int64_t index = indices[k * outputs + o];
            U *here = grad_x + k * inputs + index;
            if (index >= 0) *here = (U)(*here + grad_y[k * outputs + o]);
        }
}

/* NCHW: some planes, one behind the other. */
static void NAME(max_grad_planes)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t outputs = p->out[0] * p->out[1], inputs = p->in[0] * p->in[1];
    const ptrdiff_t first = task * call->part, planes = fc_min(call->part, p->batch * p->channels - first);
    const U *grad_y = (const U *)call->operands->grad_y + first * outputs;
    const int64_t *indices = call->operands->indices + first * outputs;
    U *grad_x = (U *)call->operands->y + first * inputs;
    ptrdiff_t n = 0;
    (void)slot;
    while (n < planes) {
        U *to = grad_x + n * inputs;
        const U *from = grad_y + n * outputs;
        if (call->together && planes - n >= TOGETHER) {
            NAME(max_grad_some)(inputs, outputs, to, from, indices + n * outputs, TOGETHER);
            n += TOGETHER;
        } else {
            NAME(max_grad_some)(inputs, outputs, to, from, indices + n * outputs, 1);
            n++;
        }
    }
}

/* NHWC: some channels of an image. */
static void NAME(max_grad_slice)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t depth = p->channels, n = task / call->slices, first = task % call->slices * call->part;
    const ptrdiff_t channels = fc_min(call->part, depth - first);
    const ptrdiff_t outputs = p->out[0] * p->out[1], inputs = p->in[0] * p->in[1];
    const U *grad_y = (const U *)call->operands->grad_y + n * outputs * depth + first;
    const int64_t *indices = call->operands->indices + n * outputs * depth + first;
    U *grad_x = (U *)call->operands->y + n * inputs * depth + first;
    ptrdiff_t cleared = 0;
    (void)slot;
    for (ptrdiff_t o = 0; o < outputs; o++, grad_y += depth, indices += depth) {
        for (ptrdiff_t c = 0; c < channels; c += FC_CACHE_LINE / (ptrdiff_t)sizeof(int64_t))
            fc_fetch(indices + c, PIXELS_AHEAD * depth * (ptrdiff_t)sizeof(int64_t));
        for (ptrdiff_t c = 0; c < channels; c += FC_CACHE_LINE / (ptrdiff_t)sizeof(U))
            fc_fetch(grad_y + c, PIXELS_AHEAD * depth * (ptrdiff_t)sizeof(U));
        for (ptrdiff_t c = 0; c < channels; c++) {
            const int64_t index = indices[c];
            U *here = grad_x + index * depth + c;
            if ((uint64_t)index >= (uint64_t)cleared) {
                if (index < 0) continue;
                cleared = NAME(clear_pixels)(grad_x, depth, channels, inputs, cleared, index);
            }
            *here = (U)(*here + grad_y[c]);
        }
    }
    NAME(clear_pixels)(grad_x, depth, channels, inputs, cleared, inputs - 1);
}

#if FLOATING
/* As max_row. Sums are made in double. */
static void NAME(average_row)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t i = task % p->out[0], c = task / p->out[0] % p->channels, n = task / p->out[0] / p->channels;
    const T *x = (const T *)call->operands->x + n * call->in.n + c * call->in.c;
    T *y = (T *)call->operands->y + n * call->out.n + c * call->out.c + i * call->out.h;
    const fc_range rows = fc_taps_inside(p, 0, i);
    (void)slot;
    for (ptrdiff_t j = 0; j < p->out[1]; j++) {
        const fc_range columns = fc_taps_inside(p, 1, j);
        double sum = 0;
        for (ptrdiff_t u = rows.first; u < rows.end; u++)
            for (ptrdiff_t v = columns.first; v < columns.end; v++)
                sum += x[(fc_window_start(p, 0, i) + u * p->dilation[0]) * call->in.h +
                         (fc_window_start(p, 1, j) + v * p->dilation[1]) * call->in.w];
        y[j * call->out.w] = (T)(sum / (fc_pool_row_count(p, i) * fc_pool_column_count(p, j)));
    }
}

/* One plane: task = n * c + channel. Each output's share is added to the inputs of its window. */
static void NAME(average_grad_plane)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t c = task % p->channels, n = task / p->channels;
    const T *grad_y = (const T *)call->operands->grad_y + n * call->out.n + c * call->out.c;
    T *grad_x = (T *)call->operands->y + n * call->in.n + c * call->in.c;
    (void)slot;
    for (ptrdiff_t h = 0; h < p->in[0]; h++)
        for (ptrdiff_t w = 0; w < p->in[1]; w++) grad_x[h * call->in.h + w * call->in.w] = 0;
    for (ptrdiff_t i = 0; i < p->out[0]; i++)
        for (ptrdiff_t j = 0; j < p->out[1]; j++) {
            const fc_range rows = fc_taps_inside(p, 0, i), columns = fc_taps_inside(p, 1, j);
            const double divisor = fc_pool_row_count(p, i) * fc_pool_column_count(p, j);
            const T share = (T)(grad_y[i * call->out.h + j * call->out.w] / divisor);
            for (ptrdiff_t u = rows.first; u < rows.end; u++)
                for (ptrdiff_t v = columns.first; v < columns.end; v++)
                    grad_x[(fc_window_start(p, 0, i) + u * p->dilation[0]) * call->in.h +
                           (fc_window_start(p, 1, j) + v * p->dilation[1]) * call->in.w] += share;
        }
}
#endif
#undef T
#undef U
#undef NAME
#undef LOWEST
