/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "platform/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

static void (*reset_caller)(void);

int fc_start_threads(int wanted, fc_thread_body *body)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int started = 0;
    if (pthread_attr_init(&attributes)) return 0;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are for the program's own threads: workers inherit a mask that blocks them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; started < wanted; started++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, body, NULL)) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

void fc_sleep_enter(void) { pthread_mutex_lock(&mutex); }

void fc_sleep_leave(void) { pthread_mutex_unlock(&mutex); }

void fc_sleep(void) { pthread_cond_wait(&wake, &mutex); }

void fc_wake_all(void) { pthread_cond_broadcast(&wake); }

/* Only the forking thread lives on in the child, whatever the others held. */
static void reset_in_child(void)
{
    pthread_mutex_init(&mutex, NULL);
    pthread_cond_init(&wake, NULL);
    reset_caller();
}

void fc_after_fork(void (*reset)(void))
{
    reset_caller = reset;
    pthread_atfork(NULL, NULL, reset_in_child);
}

int64_t fc_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void fc_yield(void) { sched_yield(); }
