/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/cpu.h"

bool fc_cpu_any(void) { return true; }

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <stdatomic.h>
#include <xmmintrin.h>

/* XCR0 tells which registers the operating system saves: a CPU flag alone does not make an instruction usable. */
static unsigned long long saved_registers(void)
{
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((unsigned long long)high << 32) | low;
}

static bool feature_leaf(unsigned *ebx)
{
    unsigned a, c, d;
    return __get_cpuid_count(7, 0, &a, ebx, &c, &d) != 0;
}

static bool find_avx2_fma(void)
{
    const unsigned long long ymm_state = 0x6;
    unsigned a, b, c, d;
    if ((saved_registers() & ymm_state) != ymm_state) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_AVX) || !(c & bit_FMA)) return false;
    return feature_leaf(&b) && (b & bit_AVX2);
}

static bool find_avx512(void)
{
    const unsigned long long zmm_state = 0xe6;
    const unsigned needed = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    unsigned b;
    if ((saved_registers() & zmm_state) != zmm_state || !find_avx2_fma()) return false;
    return feature_leaf(&b) && (b & needed) == needed;
}

/* Asked once: a virtual machine takes 20 us and more for every cpuid. */
static bool ask_once(atomic_int *answer, bool (*find)(void))
{
    enum { UNKNOWN, NO, YES };
    int known = atomic_load_explicit(answer, memory_order_relaxed);
    if (known == UNKNOWN) {
        known = find() ? YES : NO;
        atomic_store_explicit(answer, known, memory_order_relaxed);
    }
    return known == YES;
}

bool fc_cpu_has_avx2_fma(void)
{
    static atomic_int answer;
    return ask_once(&answer, find_avx2_fma);
}

bool fc_cpu_has_avx512(void)
{
    static atomic_int answer;
    return ask_once(&answer, find_avx512);
}

bool fc_cpu_has_neon(void) { return false; }

fc_float_mode fc_float_mode_enter(bool flush_subnormals)
{
    const unsigned masked_to_nearest = 0x1f80, flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
    unsigned mode = _mm_getcsr();
    _mm_setcsr(masked_to_nearest | (flush_subnormals ? flush_to_zero | denormals_are_zero : 0));
    return mode;
}

void fc_float_mode_restore(fc_float_mode mode) { _mm_setcsr((unsigned)mode); }

#else

bool fc_cpu_has_avx2_fma(void) { return false; }

bool fc_cpu_has_avx512(void) { return false; }

#if defined(__aarch64__)

bool fc_cpu_has_neon(void) { return true; }

fc_float_mode fc_float_mode_enter(bool flush_subnormals)
{
    const unsigned long long flush_to_zero = 1ULL << 24;
    unsigned long long mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(flush_subnormals ? flush_to_zero : 0));
    return mode;
}

void fc_float_mode_restore(fc_float_mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }

#else

bool fc_cpu_has_neon(void) { return false; }

fc_float_mode fc_float_mode_enter(bool flush_subnormals)
{
    (void)flush_subnormals;
    return 0;
}

void fc_float_mode_restore(fc_float_mode mode) { (void)mode; }

#endif
#endif
