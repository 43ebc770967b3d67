/* SPDX-License-Identifier: BSD-3-Clause */
/* test_api -- checks the C API through fastconv.h alone.
 *
 *   test_api [--seed N] [--problems N] [--no-fork] [GROUP ...]
 *
 * Runs the groups named, or all; prints a line for each; exits with 1 at the first failure. --no-fork leaves out the
 * calls in a forked child: qemu-user 7.2 itself dies when such a child starts a thread. --environment N is for the
 * group of that name, where nothing forks. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "groups.h"
#include "system.h"

long problems = 400;
bool may_fork = true;

static const struct {
    const char *name, *text;
    void (*run)(void);
} groups[] = {
#define GROUP_ENTRY(name, text) {#name, text, test_##name},
    GROUPS(GROUP_ENTRY)
#undef GROUP_ENTRY
};

enum { GROUP_COUNT = sizeof groups / sizeof groups[0] };

#if defined(__SANITIZE_ADDRESS__)
/* malloc answers NULL for absurd sizes, as it does elsewhere. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }
#endif

static bool select_group(bool selected[GROUP_COUNT], const char *name)
{
    for (int i = 0; i < GROUP_COUNT; i++)
        if (strcmp(name, groups[i].name) == 0) return selected[i] = true;
    return false;
}

int main(int count, char **arguments)
{
    bool selected[GROUP_COUNT] = {false}, all = true;
    seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)process_number();
    for (int i = 1; i < count; i++) {
        if (i + 1 < count && strcmp(arguments[i], "--seed") == 0) {
            seed = strtoull(arguments[++i], NULL, 10);
        } else if (i + 1 < count && strcmp(arguments[i], "--problems") == 0) {
            problems = strtol(arguments[++i], NULL, 10);
        } else if (i + 1 < count && strcmp(arguments[i], "--environment") == 0) {
            check_environment(atoi(arguments[++i]));
            return 0;
        } else if (strcmp(arguments[i], "--no-fork") == 0) {
            may_fork = false;
        } else if (select_group(selected, arguments[i])) {
            all = false;
        } else {
            fprintf(stderr, "test_api: there is no group or option '%s'\n", arguments[i]);
            return 2;
        }
    }
    printf("seed %" PRIu64 "\n", seed);
    for (int i = 0; i < GROUP_COUNT; i++) {
        if (!all && !selected[i]) continue;
        random_start(seed);
        situation[0] = '\0';
        groups[i].run();
        printf("ok %-12s %s\n", groups[i].name, groups[i].text);
        fflush(stdout);
    }
    return 0;
}
