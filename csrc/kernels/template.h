/* SPDX-License-Identifier: BSD-3-Clause */
/* template.h -- naming in the kernel templates. Before a template is included, T is the element type, I the integer
 * of its size, S their suffix; W(word) is then the vocabulary's word for that type. */
#ifndef FC_KERNELS_TEMPLATE_H
#define FC_KERNELS_TEMPLATE_H

#define FC_PASTE_(a, b) a##_##b
#define FC_PASTE(a, b) FC_PASTE_(a, b)
#define W(word) FC_PASTE(word, S)

/* DO(0) … DO(TILE_ROWS - 1); the vocabulary says how many rows its registers hold. */
#if TILE_ROWS == 4
#define EACH_TILE_ROW(DO) DO(0) DO(1) DO(2) DO(3)
#elif TILE_ROWS == 8
#define EACH_TILE_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#endif

/* Before a loop whose destination may be one of its sources, element for element, but overlaps nothing otherwise. */
#if defined(__clang__)
#define FC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FC_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FC_INDEPENDENT
#endif

#endif
