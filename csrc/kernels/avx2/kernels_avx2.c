/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernels/avx2/vec_avx2.h"
#include "platform/cpu.h"

#define FC_ISA avx2
#define FC_ISA_NAME "avx2"
#define FC_ISA_USABLE fc_cpu_has_avx2_fma
#include "kernels/table.h"
