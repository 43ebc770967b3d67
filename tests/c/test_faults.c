/* SPDX-License-Identifier: BSD-3-Clause */
/* What the system refuses: memory and threads. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "faults.h"
#include "groups.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

atomic_int memory_granted = -1, memory_refused, threads_granted = -1, threads_refused;

static bool refuse(atomic_int *granted, atomic_int *refused)
{
    if (atomic_load(granted) < 0) return false;
    if (atomic_load(granted) > 0) {
        atomic_fetch_sub(granted, 1);
        return false;
    }
    atomic_fetch_add(refused, 1);
    return true;
}

bool refuse_memory(void) { return refuse(&memory_granted, &memory_refused); }

bool refuse_thread(void) { return refuse(&threads_granted, &threads_refused); }

/* ---- memory ------------------------------------------------------------------------------------------------- */

/* What waits to be used again would be used now: the largest block that is kept drives out the others. Under
 * AddressSanitizer nothing waits. */
static void forget_kept(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    void *largest = fc_take_memory(((size_t)128 << 20) - 64);
    CHECK(largest, "no memory for the test itself");
    fc_give_memory(largest);
#endif
}

static void check_untouched(const call *c)
{
    for (int i = 0; i < 2; i++) {
        if (!c->out[i].block) continue;
        buffer poisoned = buffer_of(c->out[i].dtype, (int64_t)c->out[i].count);
        buffer_poison(&poisoned);
        check_same_bits(&poisoned, &c->out[i], "the output of a call without memory");
        buffer_free(&poisoned, "the poison");
    }
}

static int calls_refused;

/* Refuses the first request, then the second, until there are no more: each time nothing was written. */
static void refuse_each_request(const call *c, const char *algorithm, void *context)
{
    number *const *wanted = context;
    for (int granted = 0;; granted++) {
        fc_error error = {.status = FC_OK, .message = ""};
        fc_status status;
        forget_kept();
        atomic_store(&memory_refused, 0);
        atomic_store(&memory_granted, granted);
        status = call_run(c, algorithm, &error);
        atomic_store(&memory_granted, -1);
        if (!atomic_load(&memory_refused)) {
            CHECK(status == FC_OK, "%s", error.message);
            call_check(c, algorithm, wanted);
            return;
        }
        calls_refused++;
        CHECK(status == FC_NO_MEMORY && error.status == FC_NO_MEMORY, "status %d: %s", (int)status, error.message);
        CHECK(strstr(error.message, "no memory for a workspace of"), "%s", error.message);
        check_untouched(c);
        CHECK(call_run(c, algorithm, NULL) == FC_OK, "the call after");
        call_check(c, algorithm, wanted);
    }
}

static void refuse_memory_to_calls(void)
{
    const int threads = fc_get_num_threads();
    CHECK(fc_set_num_threads(4, NULL) == FC_OK, "4 threads");
    for (int operation = 0; operation < FC_OPERATIONS; operation++) {
        calls_refused = 0;
        for (long i = 0; i < 1 + problems / 20 || (!calls_refused && i < 100);
             i++) { /* an empty problem asks for none */
            against_definition(random_call((fc_operation)operation, false, false), refuse_each_request);
        }
        printf("   %-18s memory refused %d times\n", operation_names[operation], calls_refused);
        CHECK(calls_refused > 0, "%s asks for no memory", operation_names[operation]);
    }
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}

static void refuse_memory_for_results(void)
{
    snprintf(situation, sizeof situation, "memory for a result");
    for (size_t bytes = 1; bytes < (size_t)1 << 30; bytes *= 3) {
        void *memory;
        forget_kept();
        if (bytes > (size_t)30 << 20 && bytes < (size_t)128 << 20) continue; /* the kept block would do */
        atomic_store(&memory_granted, 0);
        memory = fc_take_memory(bytes);
        atomic_store(&memory_granted, -1);
        CHECK(!memory, "%zu bytes from nowhere", bytes);
        fc_give_memory(memory);
    }
    CHECK(!fc_take_memory(SIZE_MAX) && !fc_take_memory(PTRDIFF_MAX), "all there is");
}

/* Sanitizers have their own allocator, and look for leaks themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__) && \
    (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
static void leak_nothing(void)
{
    fc_corr2d_params p = plain_corr2d(FC_F32, 40, 3);
    fc_status status = FC_OK;
    size_t before = 0;
    p.channels = p.weight_channels = p.out_channels = 32;
    call c = call_of_corr2d(FC_CORR2D, &p, true, false);
    snprintf(situation, sizeof situation, "a thousand refusals");
    forget_kept();
    for (int i = 0; i < 1000; i++) {
        if (i == 10) before = mallinfo2().uordblks;
        atomic_store(&memory_granted, 0);
        status |= call_run(&c, "implicit_gemm_nchw", NULL) ^ FC_NO_MEMORY;
        atomic_store(&memory_granted, -1);
    }
    CHECK(status == FC_OK, "a call without memory succeeded");
    CHECK(mallinfo2().uordblks <= before, "%zu bytes became %zu", before, mallinfo2().uordblks);
    call_free(&c);
}
#else
static void leak_nothing(void) {}
#endif

/* ---- threads ------------------------------------------------------------------------------------------------ */

/* More threads than any other group asks for, so that some must be started here: none is granted, then some. */
static void refuse_threads_to(fc_operation operation)
{
    fc_corr2d_params p = plain_corr2d(FC_F32, 200, 3);
    fc_pool2d_params q = plain_pool2d(FC_F32, 256, 3);
    p.channels = p.weight_channels = p.out_channels = 24;
    q.channels = 40;
    call c = is_correlation(operation) ? call_of_corr2d(operation, &p, true, false)
                                       : call_of_pool2d(operation, &q, true, false);
    buffer alone;
    CHECK(fc_set_num_threads(1, NULL) == FC_OK, "1 thread");
    call_must_run(&c, NULL);
    alone = buffer_of(c.out[0].dtype, (int64_t)c.out[0].count);
    memcpy(alone.data, c.out[0].data, c.out[0].count * bytes_of(c.out[0].dtype));
    CHECK(fc_set_num_threads(40, NULL) == FC_OK, "40 threads");
    for (int granted = 0; granted < 2; granted++) {
        atomic_store(&threads_refused, 0);
        atomic_store(&threads_granted, granted);
        call_must_run(&c, NULL);
        atomic_store(&threads_granted, -1);
        CHECK(atomic_load(&threads_refused), "%s asked for no thread", operation_names[operation]);
        check_same_bits(&alone, &c.out[0], "the output without threads");
    }
    buffer_free(&alone, "the output of one thread");
    call_free(&c);
}

void test_faults(void)
{
    const int threads = fc_get_num_threads();
    if (!stand_between()) {
        printf("   on this system nothing is refused\n");
        return;
    }
    refuse_memory_to_calls();
    refuse_memory_for_results();
    leak_nothing();
    for (int operation = 0; operation < FC_OPERATIONS; operation++) refuse_threads_to((fc_operation)operation);
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}
