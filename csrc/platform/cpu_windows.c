/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/cpu.h"

#include <windows.h>

/* Of one processor group, which is where a thread starts: Windows has 64 CPUs at most in a group. */
int fc_cpu_count(void)
{
    DWORD_PTR own, system;
    int cpus = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &system)) return 1;
    for (; own; own &= own - 1) cpus++;
    return cpus > 0 ? cpus
                    : (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS); /* no mask: threads in several groups */
}
