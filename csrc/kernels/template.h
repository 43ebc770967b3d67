/* SPDX-License-Identifier: BSD-3-Clause */
/* template.h -- naming in the kernel templates. Before a template is included, T is the element type, I the integer
 * of its size, S their suffix; W(word) is then the vocabulary's word for that type. */
#ifndef FC_KERNELS_TEMPLATE_H
#define FC_KERNELS_TEMPLATE_H

#include "platform/fetch.h"

#define FC_PASTE_(a, b) a##_##b
#define FC_PASTE(a, b) FC_PASTE_(a, b)
#define W(word) FC_PASTE(word, S)

/* DO(0) … DO(ROWS - 1) for the rows of a tile. The vocabulary says how many its registers hold, three vectors wide;
 * narrow tiles take more where there are few, so that enough sums are under way. */
#define EACH_ROW_2(DO) DO(0) DO(1)
#define EACH_ROW_3(DO) EACH_ROW_2(DO) DO(2)
#define EACH_ROW_4(DO) EACH_ROW_3(DO) DO(3)
#define EACH_ROW_5(DO) EACH_ROW_4(DO) DO(4)
#define EACH_ROW_6(DO) EACH_ROW_5(DO) DO(5)
#define EACH_ROW_7(DO) EACH_ROW_6(DO) DO(6)
#define EACH_ROW_8(DO) EACH_ROW_7(DO) DO(7)
#define EACH_ROW_9(DO) EACH_ROW_8(DO) DO(8)
#define EACH_ROW_16(DO) EACH_ROW_9(DO) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define EACH_ROW FC_PASTE(EACH_ROW, ROWS)

/* DO(r, 0) … DO(r, V - 1) for the vectors of a tile's row. */
#define EACH_VECTOR_1(DO, r) DO(r, 0)
#define EACH_VECTOR_2(DO, r) EACH_VECTOR_1(DO, r) DO(r, 1)
#define EACH_VECTOR_3(DO, r) EACH_VECTOR_2(DO, r) DO(r, 2)
#define EACH_VECTOR_4(DO, r) EACH_VECTOR_3(DO, r) DO(r, 3)
#define EACH_VECTOR_5(DO, r) EACH_VECTOR_4(DO, r) DO(r, 4)

#if TILE_ROWS == 4
#define LOWER_ROWS 3
#define NARROW_ROWS_1 8
#define NARROW_ROWS_2 6
#define PRODUCT_ROWS_1 NARROW_ROWS_1
#define PRODUCT_VECTORS 2 /* 6 x 2 sums: one cache line a step of the panel */
#define INNER_ROWS 4
#define INNER_COLUMNS 3
#define GROUP_PIXELS_1 12
#define GROUP_FEWER_1 7
#define GROUP_STEPS_1 2
#define GROUP_PIXELS_2 6
#define GROUP_FEWER_2 5
#define GROUP_STEPS_2 1
#define PHASE_POINTS 0 /* three points at four phases would leave too few sums under way where few phases have a tap */
#else
#define LOWER_ROWS 7
#define NARROW_ROWS_1 TILE_ROWS
#define NARROW_ROWS_2 TILE_ROWS
#if TILE_ROWS == 8
#define PRODUCT_ROWS_1 16
#define TALLER_ROWS 9 /* 27 sums, three vectors of B and a factor */
#else
#define PRODUCT_ROWS_1 TILE_ROWS
#endif
#define PRODUCT_VECTORS 3
#define INNER_ROWS 5
#define INNER_COLUMNS 5
/* Of one vector of outputs: the maps of most networks are a power of two times 7 wide. */
#define GROUP_PIXELS_1 14
#define GROUP_FEWER_1 7
#define GROUP_STEPS_1 4
#define GROUP_PIXELS_2 12
#define GROUP_FEWER_2 10
#define GROUP_STEPS_2 2
#define PHASE_POINTS 7
#endif
#define GROUP_EACH_5(DO) DO(0) DO(1) DO(2) DO(3) DO(4)
#define GROUP_EACH_6(DO) GROUP_EACH_5(DO) DO(5)
#define GROUP_EACH_7(DO) GROUP_EACH_6(DO) DO(6)
#define GROUP_EACH_10(DO) GROUP_EACH_7(DO) DO(7) DO(8) DO(9)
#define GROUP_EACH_12(DO) GROUP_EACH_10(DO) DO(10) DO(11)
#define GROUP_EACH_14(DO) GROUP_EACH_12(DO) DO(12) DO(13)
#define GROUP_STEP_EACH_1(DO, p) DO(p, 0)
#define GROUP_STEP_EACH_2(DO, p) DO(p, 0) DO(p, 1)
#define GROUP_STEP_EACH_4(DO, p) DO(p, 0) DO(p, 1) DO(p, 2) DO(p, 3)

/* Before a loop over an array of vectors, which then stay in registers. */
#define UNROLL _Pragma("GCC unroll 16")

/* Before a loop whose destination may be one of its sources, element for element, but overlaps nothing otherwise. */
#if defined(__clang__)
#define FC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FC_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FC_INDEPENDENT
#endif

#endif
