/* SPDX-License-Identifier: BSD-3-Clause */
/* groups.h -- the groups of checks, in the order they run in. */
#ifndef TESTS_GROUPS_H
#define TESTS_GROUPS_H

#include <stdbool.h>

#define GROUPS(X)                                                                                 \
    X(environment, "the variables that are read at first use") /* first: they are read once */    \
    X(facts, "names, settings, explain")                                                          \
    X(refusals, "every status, with a message that names the argument")                           \
    X(overflow, "sizes of any magnitude are refused or explained")                                \
    X(corr2d, "correlation: numbers by hand, layouts, gradients, prepared weights, empty arrays") \
    X(pool2d, "pooling: numbers by hand, NaNs, indices, windows of padding alone")                \
    X(faults, "memory and threads that the system refuses")                                       \
    X(threads, "the same bits on 1 to 8 threads, from two at once, and in a forked child")        \
    X(batches, "an image's result does not depend on its batch")                                  \
    X(large, "problems that small ones do not stand for, against the definition")                 \
    X(random, "random problems against the definition")                                           \
    X(extreme, "small arrays with strides, dilations, paddings and windows of any size")

#define GROUP_DECLARATION(name, text) void test_##name(void);
GROUPS(GROUP_DECLARATION)
#undef GROUP_DECLARATION

/* What the command line says: random problems of each operation; whether a forked child may call. */
extern long problems;
extern bool may_fork;

/* One environment of the group of that name; in a process of its own, since the library reads it once. */
void check_environment(int which);

#endif
