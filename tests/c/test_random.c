/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "groups.h"

typedef struct comparison {
    number *wanted[2];
    int *runs; /* of each algorithm */
} comparison;

static void compare(const call *c, const char *algorithm, void *context)
{
    const comparison *to = context;
    int index = 0;
    call_must_run(c, algorithm);
    call_check(c, to->wanted);
    while (strcmp(algorithm, fc_algorithm_name(c->operation, index))) index++;
    to->runs[index]++;
}

static int compare_random_call(fc_operation operation, bool extreme, int *runs)
{
    call c = random_call(operation, extreme, one_in(6));
    comparison to = {.runs = runs};
    int variants;
    fc_error error;
    reference(&c, to.wanted);
    CHECK(fc_set_num_threads(from_to(1, 4), &error) == FC_OK, "%s", error.message);
    limit_seconds(30); /* a parameter alone must not make a call long */
    variants = each_variant(&c, compare, &to);
    limit_seconds(0);
    free(to.wanted[0]);
    free(to.wanted[1]);
    call_free(&c);
    return variants;
}

static void compare_random_calls(bool extreme)
{
    const int threads = fc_get_num_threads();
    for (int operation = 0; operation < FC_OPERATIONS; operation++) {
        int runs[FC_MAX_ALGORITHMS] = {0};
        long variants = 0;
        for (long i = 0; i < problems; i++) variants += compare_random_call((fc_operation)operation, extreme, runs);
        printf("   %-18s %ld problems, %ld times an algorithm and an instruction set\n", operation_names[operation],
               problems, variants);
        for (int i = 0; problems >= 400 && fc_algorithm_name((fc_operation)operation, i); i++)
            CHECK(runs[i], "%s declined all problems", fc_algorithm_name((fc_operation)operation, i));
    }
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}

void test_random(void) { compare_random_calls(false); }

void test_extreme(void) { compare_random_calls(true); }
