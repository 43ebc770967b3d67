/* SPDX-License-Identifier: BSD-3-Clause */
#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif
#include "platform/cpu.h"

#include <stdio.h>
#include <unistd.h>

#if defined(__linux__)

/* Reads up to two numbers, such as "150000 100000"; answers how many there were ("max 100000": none). */
static int read_numbers(const char *path, long long *first, long long *second)
{
    FILE *file = fopen(path, "r");
    int found;
    if (!file) return 0;
    found = fscanf(file, "%lld %lld", first, second);
    fclose(file);
    return found;
}

/* CPUs' worth of time that the control group allows (version 2, else 1), rounded up; 0 when there is no limit. */
static int control_group_limit(void)
{
    long long quota = 0, period = 0, none;
    if (read_numbers("/sys/fs/cgroup/cpu.max", &quota, &period) != 2 &&
        (read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &none) != 1 ||
         read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &none) != 1))
        return 0;
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int allowed_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

#else

static int control_group_limit(void) { return 0; }

static int allowed_cpus(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }

#endif

int fc_cpu_count(void)
{
    int cpus = allowed_cpus(), limit = control_group_limit();
    if (limit > 0 && limit < cpus) cpus = limit;
    return cpus > 0 ? cpus : 1;
}
