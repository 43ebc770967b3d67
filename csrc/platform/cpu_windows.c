/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/cpu.h"

#include <windows.h>

/* Of one processor group, 64 at most, which is where threads start: a machine of several gets the threads of one. */
int fc_cpu_count(void)
{
    DWORD_PTR own, system;
    int cpus = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &system)) return 1;
    for (; own; own &= own - 1) cpus++;
    if (cpus > 0) return cpus;
    return (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS); /* threads in several groups have no mask */
}
