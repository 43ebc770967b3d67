/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_direct.h -- the loops of the definition for element type T; included once per type. */

/* Some outputs of row i. */
static void NAME(forward_run)(const direct_call *call, ptrdiff_t n, ptrdiff_t o, ptrdiff_t i, fc_range outputs)
{
    const fc_problem *p = call->p;
    const fc_strides xs = call->x, ws = call->w, ys = call->y;
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    const fc_range rows = fc_taps_inside(p, 0, i);
    const ptrdiff_t top = fc_window_start(p, 0, i);
    const T *x = (const T *)call->operands->x + n * xs.n + o / oc * ic * xs.c;
    const T *w = (const T *)call->operands->w + fc_filter_at(p, &ws, o);
    const T *bias = call->operands->bias;
    T *y = (T *)call->operands->y + n * ys.n + o * ys.c + i * ys.h;
    for (ptrdiff_t j = outputs.first; j < outputs.end; j++) {
        const fc_range columns = fc_taps_inside(p, 1, j);
        const ptrdiff_t left = fc_window_start(p, 1, j);
        T sum = 0;
        for (ptrdiff_t c = 0; c < ic; c++)
            for (ptrdiff_t u = rows.first; u < rows.end; u++)
                for (ptrdiff_t v = columns.first; v < columns.end; v++)
                    sum += x[c * xs.c + (top + u * p->dilation[0]) * xs.h + (left + v * p->dilation[1]) * xs.w] *
                           w[c * ws.c + u * ws.h + v * ws.w];
        y[j * ys.w] = bias ? sum + bias[o] : sum;
    }
}

/* One row of outputs: task = (n * oc + o) * oh + i. */
static void NAME(forward_row)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const ptrdiff_t i = task % p->out[0], o = task / p->out[0] % p->out_channels;
    (void)slot;
    NAME(forward_run)(call, task / p->out[0] / p->out_channels, o, i, (fc_range){0, p->out[1]});
}

/* One row of grad_x: task = (n * ic + c) * h + i. Output oh read input i with tap u where oh * s = i + before - u * d.
 */
static void NAME(input_grad_row)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const fc_strides xs = call->x, ws = call->w, ys = call->y;
    const ptrdiff_t i = task % p->in[0], c = task / p->in[0] % p->channels;
    const ptrdiff_t n = task / p->in[0] / p->channels;
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups, group = c / ic;
    const T *grad_y = (const T *)call->operands->grad_y + n * ys.n + group * oc * ys.c;
    const T *w = (const T *)call->operands->w + group * oc * ws.n + c % ic * ws.c;
    T *grad_x = (T *)call->operands->y + n * xs.n + c * xs.c + i * xs.h;
    (void)slot;
    for (ptrdiff_t j = 0; j < p->in[1]; j++) {
        T sum = 0;
        for (ptrdiff_t o = 0; o < oc; o++)
            for (ptrdiff_t u = 0; u < p->window[0]; u++) {
                const ptrdiff_t y = i + p->pad_before[0] - u * p->dilation[0];
                if (y < 0 || y % p->stride[0] || y / p->stride[0] >= p->out[0]) continue;
                for (ptrdiff_t v = 0; v < p->window[1]; v++) {
                    const ptrdiff_t x = j + p->pad_before[1] - v * p->dilation[1];
                    if (x < 0 || x % p->stride[1] || x / p->stride[1] >= p->out[1]) continue;
                    sum += grad_y[o * ys.c + y / p->stride[0] * ys.h + x / p->stride[1] * ys.w] *
                           w[o * ws.n + u * ws.h + v * ws.w];
                }
            }
        grad_x[j * xs.w] = sum;
    }
}

/* The taps of one filter and channel: task = o * ic + c. */
static void NAME(weight_grad_plane)(void *context, ptrdiff_t task, int slot)
{
    const direct_call *call = context;
    const fc_problem *p = call->p;
    const fc_strides xs = call->x, ws = call->w, ys = call->y;
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    const ptrdiff_t o = task / ic, c = task % ic;
    const T *grad_y = (const T *)call->operands->grad_y + o * ys.c;
    const T *x = (const T *)call->operands->x + (o / oc * ic + c) * xs.c;
    T *grad_w = (T *)call->operands->y + o * ws.n + c * ws.c;
    (void)slot;
    for (ptrdiff_t u = 0; u < p->window[0]; u++)
        for (ptrdiff_t v = 0; v < p->window[1]; v++) {
            const fc_range rows = fc_outputs_inside(p, 0, u), columns = fc_outputs_inside(p, 1, v);
            T sum = 0;
            for (ptrdiff_t n = 0; n < p->batch; n++)
                for (ptrdiff_t i = rows.first; i < rows.end; i++)
                    for (ptrdiff_t j = columns.first; j < columns.end; j++)
                        sum += grad_y[n * ys.n + i * ys.h + j * ys.w] *
                               x[n * xs.n + (fc_window_start(p, 0, i) + u * p->dilation[0]) * xs.h +
                                 (fc_window_start(p, 1, j) + v * p->dilation[1]) * xs.w];
            grad_w[u * ws.h + v * ws.w] = sum;
        }
}
#undef T
#undef NAME
