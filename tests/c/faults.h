/* SPDX-License-Identifier: BSD-3-Clause */
/* faults.h -- between the core and the system that it asks for memory and threads: faults_posix.c, faults_windows.c. */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>

/* How many more requests are granted; negative: all. And how many were refused. */
extern atomic_int memory_granted, memory_refused, threads_granted, threads_refused;

/* Whether one request is to be refused now. */
bool refuse_memory(void);
bool refuse_thread(void);

/* From now on the core asks here; false: on this system it cannot be made to. */
bool stand_between(void);

#endif
