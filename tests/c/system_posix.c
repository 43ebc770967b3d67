/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "system.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int process_number(void) { return (int)getpid(); }

void set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

bool start_thread(thread *started, void *(*body)(void *), void *context)
{
    pthread_t own;
    if (pthread_create(&own, NULL, body, context)) return false;
    *started = (thread)own;
    return true;
}

bool join_thread(thread started) { return pthread_join((pthread_t)started, NULL) == 0; }

static void out_of_time(int signal_number)
{
    static const char text[] = "\nout of time; the situation: ";
    (void)signal_number;
    if (write(2, text, sizeof text - 1) >= 0 && write(2, situation, strlen(situation)) >= 0) (void)!write(2, "\n", 1);
    _exit(1);
}

void limit_seconds(unsigned seconds)
{
    signal(SIGALRM, out_of_time);
    alarm(seconds);
}

static void must_end_well(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child, "lost the child");
    CHECK(WIFEXITED(status), "the child was ended by signal %d", WTERMSIG(status));
    CHECK(WEXITSTATUS(status) == 0, "the child failed");
}

static pid_t forked(void)
{
    pid_t child;
    fflush(stdout);
    child = fork();
    CHECK(child >= 0, "cannot fork");
    if (child == 0) limit_seconds(120); /* a child that hangs ends itself */
    return child;
}

void in_forked_child(void (*body)(const void *), const void *context)
{
    const pid_t child = forked();
    if (child == 0) {
        body(context);
        _exit(0);
    }
    must_end_well(child);
}

void in_new_process(void (*body)(int), const char *option, int which)
{
    const pid_t child = forked();
    (void)option;
    if (child == 0) {
        body(which);
        _exit(0);
    }
    must_end_well(child);
}
