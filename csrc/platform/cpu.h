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

/* Answers the floating-point mode and flags of the calling thread, to be given back to fc_float_mode_restore; with
 * `flush_subnormals`, subnormals count as zero until then. */
typedef unsigned long long fc_float_mode;
fc_float_mode fc_float_mode_enter(bool flush_subnormals);
void fc_float_mode_restore(fc_float_mode mode);

#endif
