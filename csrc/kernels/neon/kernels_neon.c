/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernels/neon/vec_neon.h"
#include "platform/cpu.h"

#define FC_ISA neon
#define FC_ISA_NAME "neon"
#define FC_ISA_USABLE fc_cpu_has_neon
#include "kernels/table.h"
