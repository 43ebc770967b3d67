/* SPDX-License-Identifier: BSD-3-Clause */
/* threads.h -- what the pool and the settings ask of the operating system: threads_posix.c, threads_windows.c. */
#ifndef FC_PLATFORM_THREADS_H
#define FC_PLATFORM_THREADS_H

#include <stddef.h>
#include <stdint.h>

/* Whoever comes first calls `body`, the others wait for it. */
#if defined(_WIN32)
typedef void *fc_once; /* an INIT_ONCE; windows.h would bring too many names */
#define FC_ONCE NULL
void fc_call_once(fc_once *once, void (*body)(void));
#else
#include <pthread.h>
typedef pthread_once_t fc_once;
#define FC_ONCE PTHREAD_ONCE_INIT
static inline void fc_call_once(fc_once *once, void (*body)(void)) { pthread_once(once, body); }
#endif

/* Starts threads that nobody will wait for; answers how many there are. */
typedef void *fc_thread_body(void *unused);
int fc_start_threads(int wanted, fc_thread_body *body);

/* The one place to sleep. Whoever is in it alone, and finds nothing to do, sleeps without missing who wakes all: that is
 * done in it, too. Asleep a thread is not in it. */
void fc_sleep_enter(void);
void fc_sleep_leave(void);
void fc_sleep(void);
void fc_wake_all(void);

/* A forked child has an empty place to sleep, and calls `reset`. Once a process. */
void fc_after_fork(void (*reset)(void));

int64_t fc_nanoseconds(void); /* since some moment */
void fc_yield(void);          /* to whoever waits for this core */

#endif
