/* SPDX-License-Identifier: BSD-3-Clause */
/* parallel.h -- one pool of threads, one way to use it.
 *
 * The caller takes part and never waits for a worker that has not joined. Tasks are claimed one by one, so the split
 * of the work must come from the problem alone: which thread runs a task, and how many there are, changes nothing.
 * A call made while the pool is busy (from another thread, or from inside a task) runs all its tasks by itself.
 * A forked child starts with an empty pool.
 *
 * A team that is lent (fastconv.h) takes the workers' place in the calls of its thread, by the same rules. */
#ifndef FC_PLATFORM_PARALLEL_H
#define FC_PLATFORM_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>

#include "fastconv.h"

#define FC_MAX_THREADS 1024

/* Where piece `piece` of `pieces` begins when `total` is cut evenly; piece = pieces gives the end. */
static inline ptrdiff_t fc_cut(ptrdiff_t total, ptrdiff_t pieces, ptrdiff_t piece)
{
    const ptrdiff_t more = total % pieces;
    return total / pieces * piece + (piece < more ? piece : more);
}

/* `slot` is this thread's number in the call, below the call's `threads`. */
typedef void (*fc_task)(void *context, ptrdiff_t task, int slot);

/* Runs task 0 … tasks - 1 on at most `threads` threads. With `flush_subnormals` the tasks run in that mode, and each
 * thread's floating-point mode is restored behind them. */
void fc_parallel_for(ptrdiff_t tasks, int threads, bool flush_subnormals, fc_task run, void *context);

/* The same, for tasks that use what the ones before them left in their thread's slot, or whose outputs had better stay in
 * their core's cache: each thread has a share of neighbouring tasks, which it runs in their order before it helps
 * others with theirs. */
void fc_parallel_shares(ptrdiff_t tasks, int threads, bool flush_subnormals, fc_task run, void *context);

/* Of the calling thread; answers the one before. NULL: the pool. */
fc_team fc_parallel_lend(fc_team team);

#endif
