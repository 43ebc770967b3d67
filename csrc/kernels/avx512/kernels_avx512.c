/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernels/avx512/vec_avx512.h"
#include "platform/cpu.h"

#define FC_ISA avx512
#define FC_ISA_NAME "avx512"
#define FC_ISA_USABLE fc_cpu_has_avx512
#include "kernels/table.h"
