/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernels/scalar/vec_scalar.h"
#include "platform/cpu.h"

#define FC_ISA scalar
#define FC_ISA_NAME "scalar"
#define FC_ISA_USABLE fc_cpu_any
#include "kernels/table.h"
