/* SPDX-License-Identifier: BSD-3-Clause */
/* system.h -- what the tests ask of the operating system: system_posix.c, system_windows.c. */
#ifndef TESTS_SYSTEM_H
#define TESTS_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

int process_number(void);

/* `value` NULL: there is no such variable. */
void set_variable(const char *name, const char *value);

typedef uintptr_t thread;
bool start_thread(thread *started, void *(*body)(void *), void *context);
bool join_thread(thread started);

/* What comes next must end within that time, and says what it was when it does not; 0: no more. */
void limit_seconds(unsigned seconds);

/* body(context) in a forked child, which must end well. Where nothing forks it does nothing. */
void in_forked_child(void (*body)(const void *), const void *context);

/* body(which) in a process that has not called the library, and must end well: a forked child, or this program once more
 * with the option and the number. */
void in_new_process(void (*body)(int), const char *option, int which);

#endif
