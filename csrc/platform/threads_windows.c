/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/threads.h"

#include <windows.h>

static SRWLOCK lock = SRWLOCK_INIT;
static CONDITION_VARIABLE wake = CONDITION_VARIABLE_INIT;

_Static_assert(sizeof(fc_once) == sizeof(INIT_ONCE), "threads.h knows what an INIT_ONCE is");

static BOOL CALLBACK call_body(INIT_ONCE *once, void *body, void **unused)
{
    (void)once, (void)unused;
    (*(void (**)(void))body)();
    return TRUE;
}

void fc_call_once(fc_once *once, void (*body)(void))
{
    InitOnceExecuteOnce((INIT_ONCE *)once, call_body, (void *)&body, NULL);
}

static DWORD WINAPI run_thread(void *body)
{
    ((fc_thread_body *)body)(NULL);
    return 0;
}

int fc_start_threads(int wanted, fc_thread_body *body)
{
    int started = 0;
    for (; started < wanted; started++) {
        const HANDLE thread = CreateThread(NULL, 0, run_thread, (void *)body, 0, NULL);
        if (!thread) break;
        CloseHandle(thread);
    }
    return started;
}

void fc_sleep_enter(void) { AcquireSRWLockExclusive(&lock); }

void fc_sleep_leave(void) { ReleaseSRWLockExclusive(&lock); }

void fc_sleep(void) { SleepConditionVariableSRW(&wake, &lock, INFINITE, 0); }

void fc_wake_all(void) { WakeAllConditionVariable(&wake); }

void fc_after_fork(void (*reset)(void)) { (void)reset; /* nothing forks */ }

int64_t fc_nanoseconds(void)
{
    LARGE_INTEGER now, second;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&second);
    return now.QuadPart / second.QuadPart * 1000000000 + now.QuadPart % second.QuadPart * 1000000000 / second.QuadPart;
}

void fc_yield(void) { SwitchToThread(); }
