/* SPDX-License-Identifier: BSD-3-Clause */
#include "operators/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "platform/memory.h"
#include "platform/status.h"

/* Below about 25 microseconds of work a second thread costs more than it brings, and so does each further one. */
#define FLOPS_WORTH_A_THREAD 1.0e6
#define BYTES_WORTH_A_THREAD 2.5e5

static const char *decline(const fc_algorithm *algorithm, const fc_problem *problem)
{
    return algorithm->decline ? algorithm->decline(problem) : NULL;
}

/* Why "auto" goes on to the next though it could take this one, or NULL. */
static const char *pass_over(const fc_algorithm *algorithm, const fc_problem *problem)
{
    return algorithm->pass ? algorithm->pass(problem) : NULL;
}

static fc_status refuse_name(const fc_problem *problem, const char *name, fc_error *error)
{
    char known[360] = "auto";
    for (const fc_algorithm *const *list = fc_algorithms(problem->operation); *list; list++)
        snprintf(known + strlen(known), sizeof known - strlen(known), ", %s", (*list)->name);
    return fc_fail(error, FC_BAD_VALUE, "algorithm '%.60s' is unknown; there are: %s", name, known);
}

static fc_status choose_by_name(const fc_problem *problem, const char *name, const fc_algorithm **chosen,
                                fc_error *error)
{
    const fc_algorithm *const *list = fc_algorithms(problem->operation);
    while (*list && strcmp(name, (*list)->name) != 0) list++;
    if (!*list) return refuse_name(problem, name, error);
    const char *reason = decline(*list, problem);
    if (reason) return fc_fail(error, FC_BAD_VALUE, "algorithm '%s' declines this problem: %s", name, reason);
    *chosen = *list;
    return FC_OK;
}

/* The problem that "auto" looks at: in batch-invariant mode that of one image. */
static fc_problem problem_to_choose_for(const fc_problem *problem)
{
    fc_problem asked = *problem;
    if (fc_get_batch_invariant() && asked.batch > 1) asked.batch = 1;
    return asked;
}

fc_status fc_choose(const fc_problem *problem, const char *name, const fc_algorithm **chosen, fc_error *error)
{
    const fc_problem asked = problem_to_choose_for(problem);
    if (name) return choose_by_name(problem, name, chosen, error);
    *chosen = fc_algorithm_for(&asked);
    return FC_OK;
}

static bool is_correlation(const fc_problem *p) { return p->operation <= FC_CORR2D_WEIGHT_GRAD; }

/* Multiplications and additions of the definition; for pooling one operation a tap. */
static double flops(const fc_problem *p)
{
    double outputs = (double)p->batch * (double)p->out_channels * (double)p->out[0] * (double)p->out[1];
    double taps = (double)p->window[0] * (double)p->window[1];
    return is_correlation(p) ? 2 * outputs * taps * (double)(p->channels / p->groups) : outputs * taps;
}

/* The problem, with so many threads as are worth their start. */
static fc_problem with_useful_threads(const fc_problem *p)
{
    fc_problem asked = *p;
    double read = (double)p->channels * (double)p->in[0] * (double)p->in[1];
    double written = (double)p->out_channels * (double)p->out[0] * (double)p->out[1];
    double bytes = (double)p->batch * (read + written) * (double)fc_dtype_size(p->dtype);
    double by_bytes = bytes / BYTES_WORTH_A_THREAD, by_flops = is_correlation(p) ? flops(p) / FLOPS_WORTH_A_THREAD : 0;
    double worth = by_bytes > by_flops ? by_bytes : by_flops;
    if (worth < asked.threads) asked.threads = worth < 2 ? 1 : (int)worth;
    return asked;
}

/* Sizes beside an empty result may be anything: no loop must go over them. */
static bool writes_nothing(const fc_problem *p)
{
    switch (p->operation) {
    case FC_CORR2D:
    case FC_MAX_POOL2D:
    case FC_AVG_POOL2D: return !p->batch || !p->out_channels || !p->out[0] || !p->out[1];
    case FC_CORR2D_WEIGHT_GRAD: return !p->out_channels || (!p->with_bias && !p->channels);
    default: return !p->batch || !p->channels || !p->in[0] || !p->in[1];
    }
}

/* The layout of one block: what all threads share, the prepared weights, then one slot a thread. */
typedef struct block {
    size_t shared, prepared, slot, total;
} block;

static block measure(const fc_problem *problem, const fc_algorithm *algorithm, bool prepare)
{
    block b = {.shared = fc_size_lines(fc_bytes_of(algorithm->shared_bytes, problem))};
    b.prepared = prepare ? fc_size_lines(fc_bytes_of(algorithm->prepared_bytes, problem)) : 0;
    b.slot = fc_size_lines(fc_bytes_of(algorithm->slot_bytes, problem));
    b.total = fc_size_add(fc_size_add(b.shared, b.prepared), fc_size_mul(b.slot, (size_t)problem->threads));
    return b;
}

fc_status fc_dispatch(const fc_problem *asked, const fc_operands *operands, const char *name, fc_error *error)
{
    const fc_problem with_threads = with_useful_threads(asked), *problem = &with_threads;
    const fc_algorithm *algorithm;
    fc_operands used = *operands;
    fc_workspace workspace;
    block b;
    char *memory;
    fc_status status = fc_choose(problem, name, &algorithm, error);
    if (status) return status;
    if (writes_nothing(problem)) return fc_succeed(error);

    bool prepare = !used.prepared && fc_bytes_of(algorithm->prepared_bytes, problem) > 0;
    b = measure(problem, algorithm, prepare);
    memory = fc_take_workspace(b.total);
    if (!memory) return fc_fail(error, FC_NO_MEMORY, "no memory for a workspace of %zu bytes", b.total);
    workspace = (fc_workspace){problem->threads, memory, memory + b.shared + b.prepared, b.slot};
    fc_end_part(memory, b.shared);
    fc_end_part(memory + b.shared, b.prepared);
    for (int i = 0; i < problem->threads; i++) fc_end_part(workspace.slots + (size_t)i * b.slot, b.slot);
    if (prepare) {
        algorithm->prepare(problem, used.w, memory + b.shared);
        used.prepared = memory + b.shared;
    }
    algorithm->run(problem, &used, &workspace);
    fc_give_memory(memory);
    return fc_succeed(error);
}

fc_status fc_explain(const fc_problem *problem, fc_explanation *explanation, fc_error *error)
{
    const fc_algorithm *const *list = fc_algorithms(problem->operation);
    const fc_algorithm *chosen;
    fc_status status = fc_choose(problem, NULL, &chosen, error);
    const fc_problem asked = problem_to_choose_for(problem), with_threads = with_useful_threads(problem);
    size_t total;
    double work = flops(problem);
    if (status) return status;
    *explanation = (fc_explanation){.algorithm = chosen->name};
    for (int i = 0; list[i]; i++) {
        explanation->declined[i] = decline(list[i], problem);
        if (!explanation->declined[i]) explanation->passed_over[i] = pass_over(list[i], &asked);
    }
    total = measure(&with_threads, chosen, true).total;
    explanation->workspace_bytes = total > INT64_MAX ? INT64_MAX : (int64_t)total;
    explanation->flops = work < 9.2e18 ? (int64_t)work : INT64_MAX;
    return fc_succeed(error);
}

const char *fc_algorithm_name(fc_operation operation, int index)
{
    if ((unsigned)operation >= FC_OPERATIONS || index < 0) return NULL;
    const fc_algorithm *const *list = fc_algorithms(operation);
    for (int i = 0; list[i]; i++)
        if (i == index) return list[i]->name;
    return NULL;
}
