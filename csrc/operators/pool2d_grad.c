/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdatomic.h>

#include "operators/dispatch.h"
#include "operators/judge.h"
#include "platform/parallel.h"
#include "platform/status.h"

#define INDICES_A_TASK 65536

typedef struct index_check {
    const int64_t *indices;
    ptrdiff_t count;
    int64_t plane;
    const fc_kernels *kernels;
    atomic_bool wrong;
} index_check;

static void check_task(void *context, ptrdiff_t task, int slot)
{
    index_check *check = context;
    const ptrdiff_t first = task * INDICES_A_TASK, rest = check->count - first;
    (void)slot;
    if (!check->kernels->places_inside(fc_min(rest, INDICES_A_TASK), check->indices + first, check->plane))
        atomic_store_explicit(&check->wrong, true, memory_order_relaxed);
}

/* The first wrong one is named, whatever the number of threads. */
static fc_status judge_indices(const fc_problem *p, const int64_t *indices, fc_error *error)
{
    index_check check = {indices, p->batch * p->channels * p->out[0] * p->out[1], p->in[0] * p->in[1], p->kernels,
                         false};
    ptrdiff_t tasks = check.count / INDICES_A_TASK + (check.count % INDICES_A_TASK != 0), i = 0;
    fc_parallel_for(tasks, tasks < 4 ? 1 : p->threads, false, check_task, &check);
    if (!atomic_load(&check.wrong)) return FC_OK;
    while (i < check.count - 1 && p->kernels->places_inside(1, indices + i, check.plane)) i++;
    return fc_fail(error, FC_BAD_VALUE,
                   "indices must be from -1 (none) to %" PRId64 ", the last place of a plane of "
                   "%" PRId64 " x %" PRId64 ", got %" PRId64,
                   check.plane - 1, (int64_t)p->in[0], (int64_t)p->in[1], indices[i]);
}

fc_status fc_max_pool2d_grad(const fc_max_pool2d_grad_params *params, const void *grad_y, const int64_t *indices,
                             void *grad_x, const char *algorithm, fc_error *error)
{
    const fc_operands operands = {.grad_y = grad_y, .indices = indices, .y = grad_x};
    fc_problem problem;
    fc_status status = fc_judge_max_pool2d_grad(params, &problem, error);
    if (status || (status = judge_indices(&problem, indices, error))) return status;
    return fc_dispatch(&problem, &operands, algorithm, error);
}

fc_status fc_avg_pool2d_grad(const fc_pool2d_params *params, const void *grad_y, void *grad_x, const char *algorithm,
                             fc_error *error)
{
    const fc_operands operands = {.grad_y = grad_y, .y = grad_x};
    fc_problem problem;
    fc_status status = fc_judge_pool2d(FC_AVG_POOL2D_GRAD, params, &problem, error);
    return status ? status : fc_dispatch(&problem, &operands, algorithm, error);
}
