/* SPDX-License-Identifier: BSD-3-Clause */
/* registry.c -- the instruction sets that CMake built (FC_BUILT_<ISA>), best first. */
#include "kernels/kernels.h"

extern const fc_kernels fc_kernels_avx512, fc_kernels_avx2, fc_kernels_neon, fc_kernels_scalar;

const fc_kernels *const *fc_kernels_built(void)
{
    static const fc_kernels *const built[] = {
#ifdef FC_BUILT_AVX512
        &fc_kernels_avx512,
#endif
#ifdef FC_BUILT_AVX2
        &fc_kernels_avx2,
#endif
#ifdef FC_BUILT_NEON
        &fc_kernels_neon,
#endif
        &fc_kernels_scalar, NULL,
    };
    return built;
}
