/* SPDX-License-Identifier: BSD-3-Clause */
#include "operators/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/cpu.h"
#include "platform/parallel.h"
#include "platform/status.h"
#include "platform/threads.h"

static struct {
    _Atomic(const fc_kernels *) kernels;
    atomic_int threads;
    atomic_bool batch_invariant;
    fc_error environment; /* written once, before anything reads it */
} settings;

static fc_once read_once = FC_ONCE;

static _Thread_local int caller_limit; /* 0 or less: none */

static const fc_kernels *usable_kernels(int index)
{
    for (const fc_kernels *const *k = fc_kernels_built(); *k; k++)
        if ((*k)->usable() && index-- == 0) return *k;
    return NULL;
}

static fc_status find_kernels(const char *name, const char *source, const fc_kernels **found, fc_error *error)
{
    char known[128] = "";
    const fc_kernels *kernels;
    for (int i = 0; (kernels = usable_kernels(i)) != NULL; i++) {
        if (strcmp(name, kernels->name) == 0) {
            *found = kernels;
            return fc_succeed(error);
        }
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", kernels->name);
    }
    return fc_fail(error, FC_BAD_VALUE, "%s: '%s' is not an instruction set usable here, which are: %s", source, name,
                   known);
}

static fc_status choose_isa(const char *name, const char *source, fc_error *error)
{
    const fc_kernels *kernels;
    const fc_status status = find_kernels(name, source, &kernels, error);
    if (!status) atomic_store(&settings.kernels, kernels);
    return status;
}

static fc_status choose_threads(int64_t threads, const char *source, fc_error *error)
{
    if (threads < 1 || threads > FC_MAX_THREADS)
        return fc_fail(error, FC_BAD_VALUE, "%s must be from 1 to %d, got %" PRId64, source, FC_MAX_THREADS, threads);
    atomic_store(&settings.threads, (int)threads);
    return fc_succeed(error);
}

/* OMP_NUM_THREADS may be a list, one number a nesting level: the first counts. */
static fc_status threads_from(const char *variable, const char *value, fc_error *error)
{
    char *end;
    long long threads;
    errno = 0;
    threads = strtoll(value, &end, 10);
    if (end == value || errno || (*end && *end != ','))
        return fc_fail(error, FC_BAD_VALUE, "%s must be a number from 1 to %d, got '%s'", variable, FC_MAX_THREADS,
                       value);
    return choose_threads(threads, variable, error);
}

static const char *set_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void read_environment(void)
{
    fc_error *error = &settings.environment;
    const char *isa = set_variable("FASTCONV_ISA"), *threads = set_variable("FASTCONV_NUM_THREADS");
    const char *omp_threads = set_variable("OMP_NUM_THREADS"), *invariant = set_variable("FASTCONV_BATCH_INVARIANT");
    int cpus = fc_cpu_count();
    atomic_store(&settings.kernels, usable_kernels(0));
    atomic_store(&settings.threads, cpus < FC_MAX_THREADS ? cpus : FC_MAX_THREADS);
    if (isa && choose_isa(isa, "FASTCONV_ISA", error)) return;
    if (threads && threads_from("FASTCONV_NUM_THREADS", threads, error)) return;
    if (!threads && omp_threads && threads_from("OMP_NUM_THREADS", omp_threads, error)) return;
    if (invariant && strcmp(invariant, "0") && strcmp(invariant, "1")) {
        fc_fail(error, FC_BAD_VALUE, "FASTCONV_BATCH_INVARIANT must be 0 or 1, got '%s'", invariant);
        return;
    }
    atomic_store(&settings.batch_invariant, invariant && *invariant == '1');
}

fc_status fc_configure(fc_error *error)
{
    fc_call_once(&read_once, read_environment);
    if (settings.environment.status == FC_OK) return fc_succeed(error);
    return fc_fail(error, settings.environment.status, "%s", settings.environment.message);
}

fc_status fc_settings_read(fc_problem *problem, fc_error *error)
{
    fc_status status = fc_configure(error);
    problem->kernels = atomic_load(&settings.kernels);
    problem->threads = atomic_load(&settings.threads);
    if (caller_limit > 0 && caller_limit < problem->threads) problem->threads = caller_limit;
    return status;
}

fc_status fc_settings_isa(const char *name, fc_problem *problem, fc_error *error)
{
    if (name == problem->kernels->name || !strcmp(name, problem->kernels->name)) return FC_OK;
    return find_kernels(name, "isa", &problem->kernels, error);
}

const char *fc_isa_name(int index)
{
    const fc_kernels *kernels = index < 0 ? NULL : usable_kernels(index);
    return kernels ? kernels->name : NULL;
}

const char *fc_built_isa_name(int index)
{
    const fc_kernels *const *kernels = fc_kernels_built();
    for (int i = 0; kernels[i]; i++)
        if (i == index) return kernels[i]->name;
    return NULL;
}

const char *fc_get_isa(void)
{
    fc_configure(NULL);
    return atomic_load(&settings.kernels)->name;
}

fc_status fc_set_isa(const char *name, fc_error *error)
{
    fc_configure(NULL);
    return choose_isa(name, "isa", error);
}

int fc_get_num_threads(void)
{
    fc_configure(NULL);
    return atomic_load(&settings.threads);
}

fc_status fc_set_num_threads(int64_t threads, fc_error *error)
{
    fc_configure(NULL);
    return choose_threads(threads, "the number of threads", error);
}

int fc_limit_threads(int threads)
{
    const int before = caller_limit;
    caller_limit = threads;
    return before;
}

fc_team fc_lend_team(fc_team team) { return fc_parallel_lend(team); }

bool fc_get_batch_invariant(void)
{
    fc_configure(NULL);
    return atomic_load(&settings.batch_invariant);
}

void fc_set_batch_invariant(bool on)
{
    fc_configure(NULL);
    atomic_store(&settings.batch_invariant, on);
}

const char *fc_compiler(void)
{
#if defined(__clang__)
    return "Clang " __clang_version__;
#elif defined(__GNUC__)
    return "GCC " __VERSION__;
#else
    return "unknown compiler";
#endif
}
