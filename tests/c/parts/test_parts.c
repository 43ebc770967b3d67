/* SPDX-License-Identifier: BSD-3-Clause */
/* test_parts -- under AddressSanitizer: whoever runs over the end of one part of a block into the next is stopped. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/memory.h"

#define FIRST 256 /* bytes; a whole number of lines, so that the forbidden one follows at once */

/* Whether a child that writes so many bytes to the first part ends well. */
static int survives(char *part, size_t bytes)
{
    const pid_t child = fork();
    int status = -1;
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        memset(part, 1, bytes);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int failed(const char *what)
{
    fprintf(stderr, "test_parts: %s\n", what);
    return 1;
}

int main(void)
{
    const size_t first = fc_size_lines(FIRST), all = first + fc_size_lines(FIRST);
    char *memory = fc_take_memory(all);
    if (!memory) return failed("there is no memory");
    if (survives(memory, all) != 1) return failed("a block without parts is not one");
    fc_end_part(memory, first);
    fc_end_part(memory + first, all - first);
    if (survives(memory, FIRST) != 1 || survives(memory + first, FIRST) != 1) return failed("a part is not whole");
    if (survives(memory, FIRST + 1) != 0) return failed("a byte behind the first part was written");
    if (survives(memory + first, FIRST + 1) != 0) return failed("a byte behind the last part was written");
    fc_join_parts(memory, all);
    if (survives(memory, first + FIRST) != 1) return failed("parts were not joined");
    if (survives(memory, all) != 0) return failed("the end of joined parts was written");
    fc_give_memory(memory);
    printf("ok parts\n");
    return 0;
}
