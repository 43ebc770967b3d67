/* SPDX-License-Identifier: BSD-3-Clause */
#include "system.h"

#include <process.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#include "check.h"

int process_number(void) { return _getpid(); }

void set_variable(const char *name, const char *value) { _putenv_s(name, value ? value : ""); }

typedef struct start {
    void *(*body)(void *);
    void *context;
} start;

static unsigned __stdcall run_thread(void *argument)
{
    start given = *(start *)argument;
    free(argument);
    given.body(given.context);
    return 0;
}

bool start_thread(thread *started, void *(*body)(void *), void *context)
{
    start *given = malloc(sizeof *given);
    if (!given) return false;
    *given = (start){body, context};
    *started = _beginthreadex(NULL, 0, run_thread, given, 0, NULL);
    return *started != 0;
}

bool join_thread(thread started)
{
    const bool ended = WaitForSingleObject((HANDLE)started, INFINITE) == WAIT_OBJECT_0;
    return CloseHandle((HANDLE)started) && ended;
}

static _Atomic ULONGLONG deadline; /* milliseconds; 0: none */

static DWORD WINAPI watch(void *unused)
{
    (void)unused;
    for (;;) {
        const ULONGLONG end = atomic_load(&deadline);
        if (end && GetTickCount64() >= end) {
            fprintf(stderr, "\nout of time; the situation: %s\n", situation);
            ExitProcess(1);
        }
        Sleep(200);
    }
}

void limit_seconds(unsigned seconds)
{
    static bool watched;
    atomic_store(&deadline, seconds ? GetTickCount64() + 1000ULL * seconds : 0);
    if (!watched) watched = CreateThread(NULL, 0, watch, NULL, 0, NULL) != NULL;
    CHECK(watched, "nobody watches the time");
}

void in_forked_child(void (*body)(const void *), const void *context) { (void)body, (void)context; }

void in_new_process(void (*body)(int), const char *option, int which)
{
    char *program, text[12];
    (void)body;
    fflush(stdout);
    snprintf(text, sizeof text, "%d", which);
    CHECK(_get_pgmptr(&program) == 0, "this program has no name");
    CHECK(_spawnl(_P_WAIT, program, "test_api", option, text, NULL) == 0, "the child failed");
}
