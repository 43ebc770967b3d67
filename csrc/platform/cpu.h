/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu.h -- what the processor and the operating system offer. Compiled without instruction set flags. */
#ifndef FC_PLATFORM_CPU_H
#define FC_PLATFORM_CPU_H

#include <stdbool.h>

bool fc_cpu_any(void); /* true: for kernels that every machine runs */
bool fc_cpu_has_avx2_fma(void);
bool fc_cpu_has_avx512(void); /* F, BW, DQ and VL */
bool fc_cpu_has_neon(void);

/* CPUs that this process may use: affinity and control group limits; at least 1. */
int fc_cpu_count(void);

/* Puts the calling thread into the one mode that kernels run in, whatever the caller's or a pool thread's was: rounding
 * to nearest, no traps, and subnormals either exact or, with `flush_subnormals`, zero. Answers the mode and flags
 * before, for fc_float_mode_restore. */
typedef unsigned long long fc_float_mode;
fc_float_mode fc_float_mode_enter(bool flush_subnormals);
void fc_float_mode_restore(fc_float_mode mode);

#endif
