/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/parallel.h"

#include <stdatomic.h>
#include <stdint.h>

#include "platform/cpu.h"
#include "platform/threads.h"

/* How long a worker looks for the next call before it sleeps. A wake-up costs 3 to 14 microseconds, and layers of
 * one network follow each other closer than this. */
#define SPIN_NANOSECONDS 60000

typedef struct job {
    fc_task run;
    void *context;
    ptrdiff_t tasks;
    int threads, shares;
    bool flush_subnormals;
} job;

/* `gate` holds the number of the call (high bits), whether it is open, how many workers joined it, and how many of
 * them have left. A worker joins by one compare-and-swap, so that none can enter a call that was closed. */
#define LEFT_ONE 1ULL
#define JOINED_ONE (1ULL << 16)
#define OPEN (1ULL << 32)
#define CALL_ONE (1ULL << 33)
#define LEFT(gate) ((int)((gate) & 0xffff))
#define JOINED(gate) ((int)(((gate) >> 16) & 0xffff))
#define CALL(gate) ((gate) & ~(CALL_ONE - 1))

/* The next task of a share. */
typedef struct counter {
    _Alignas(64) _Atomic ptrdiff_t next;
} counter;

static struct {
    _Alignas(64) _Atomic uint64_t gate;
    _Alignas(64) atomic_flag busy;
    counter shares[FC_MAX_THREADS];
    job job;
    atomic_int sleepers;
    int workers; /* written only by the owner of `busy` */
} pool = {.busy = ATOMIC_FLAG_INIT};

static _Thread_local fc_team lent;
static atomic_bool forked; /* this process is a child, whose parent's teams it does not have */

static fc_once fork_handler = FC_ONCE;

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void run_serially(const job *work, int slot)
{
    for (ptrdiff_t task = 0; task < work->tasks; task++) work->run(work->context, task, slot);
}

static void hand_out(const job *work)
{
    for (int i = 0; i < work->shares; i++)
        atomic_store_explicit(&pool.shares[i].next, fc_cut(work->tasks, work->shares, i), memory_order_relaxed);
}

static void claim_tasks(const job *work, int slot)
{
    for (int i = 0; i < work->shares; i++) {
        const int share = (slot + i) % work->shares;
        const ptrdiff_t end = fc_cut(work->tasks, work->shares, share + 1);
        for (;;) {
            ptrdiff_t task = atomic_fetch_add_explicit(&pool.shares[share].next, 1, memory_order_relaxed);
            if (task >= end) break;
            work->run(work->context, task, slot);
        }
    }
}

static void run_in_mode(const job *work, void (*body)(const job *, int), int slot)
{
    fc_float_mode mode = fc_float_mode_enter(work->flush_subnormals);
    body(work, slot);
    fc_float_mode_restore(mode);
}

/* Takes part in the call that `gate` shows; answers false when it was closed, full or replaced. */
static bool join(uint64_t gate)
{
    for (;;) {
        int slot = JOINED(gate) + 1;
        uint64_t seen = gate;
        if (!(gate & OPEN)) return false;
        if (!atomic_compare_exchange_strong(&pool.gate, &seen, gate + JOINED_ONE)) {
            if (CALL(seen) != CALL(gate)) return false;
            gate = seen;
            continue;
        }
        /* The call cannot be replaced while this worker is inside: its job may be read now. */
        if (slot < pool.job.threads) run_in_mode(&pool.job, claim_tasks, slot);
        atomic_fetch_add_explicit(&pool.gate, LEFT_ONE, memory_order_release);
        return true;
    }
}

static uint64_t wait_for_call_after(uint64_t last)
{
    int64_t deadline = fc_nanoseconds() + SPIN_NANOSECONDS;
    uint64_t gate;
    do {
        for (int i = 0; i < 64; i++) {
            gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
            if (CALL(gate) != last) return gate;
            pause_briefly();
        }
    } while (fc_nanoseconds() < deadline);

    fc_sleep_enter();
    atomic_fetch_add(&pool.sleepers, 1);
    while (CALL(gate = atomic_load(&pool.gate)) == last) fc_sleep();
    atomic_fetch_sub(&pool.sleepers, 1);
    fc_sleep_leave();
    return gate;
}

static void *worker(void *unused)
{
    uint64_t last = 0;
    (void)unused;
    for (;;) {
        uint64_t gate = wait_for_call_after(last);
        join(gate);
        last = CALL(gate);
    }
    return NULL;
}

/* Only the forking thread lives on in the child, whatever the others held. */
static void reset_in_child(void)
{
    atomic_store(&pool.gate, 0);
    atomic_store(&pool.sleepers, 0);
    atomic_store(&forked, true);
    pool.workers = 0;
    atomic_flag_clear(&pool.busy);
}

static void install_fork_handler(void) { fc_after_fork(reset_in_child); }

/* A worker that cannot be started is done without. */
static void start_workers(int wanted)
{
    if (pool.workers < wanted) pool.workers += fc_start_threads(wanted - pool.workers, worker);
}

static void open_call(const job *work)
{
    uint64_t gate = atomic_load_explicit(&pool.gate, memory_order_relaxed);
    pool.job = *work;
    hand_out(work);
    atomic_store(&pool.gate, CALL(gate) + CALL_ONE + OPEN);
    if (atomic_load(&pool.sleepers)) {
        fc_sleep_enter();
        fc_wake_all();
        fc_sleep_leave();
    }
}

static void close_call(void)
{
    uint64_t gate = atomic_fetch_and(&pool.gate, ~OPEN);
    for (int spins = 0; JOINED(gate) != LEFT(gate); spins++) {
        if (spins < 4096)
            pause_briefly();
        else
            fc_yield(); /* the last worker may be waiting for this very core */
        gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
    }
}

typedef struct team_call {
    const job *work;
    atomic_int joined;
} team_call;

static void take_part(void *context)
{
    team_call *call = context;
    int slot = atomic_fetch_add(&call->joined, 1);
    if (slot < call->work->threads) run_in_mode(call->work, claim_tasks, slot);
}

fc_team fc_parallel_lend(fc_team team)
{
    fc_team before = lent;
    fc_call_once(&fork_handler, install_fork_handler);
    lent = team;
    return before;
}

static void run_job(job work)
{
    if (work.threads <= 1 || atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
        run_in_mode(&work, run_serially, 0);
        return;
    }
    if (lent && !atomic_load_explicit(&forked, memory_order_relaxed)) {
        team_call call = {.work = &work};
        hand_out(&work);
        lent(take_part, &call);
    } else {
        fc_call_once(&fork_handler, install_fork_handler);
        start_workers(work.threads - 1);
        open_call(&work);
        run_in_mode(&work, claim_tasks, 0);
        close_call();
    }
    atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

static int useful_threads(ptrdiff_t tasks, int threads) { return tasks < threads ? (int)tasks : threads; }

void fc_parallel_for(ptrdiff_t tasks, int threads, bool flush_subnormals, fc_task run, void *context)
{
    run_job((job){run, context, tasks, useful_threads(tasks, threads), 1, flush_subnormals});
}

void fc_parallel_shares(ptrdiff_t tasks, int threads, bool flush_subnormals, fc_task run, void *context)
{
    const int useful = useful_threads(tasks, threads);
    run_job((job){run, context, tasks, useful, useful, flush_subnormals});
}
