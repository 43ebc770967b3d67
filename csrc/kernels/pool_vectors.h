/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_vectors.h -- what needs the vocabulary's vectors: maxima with NaNs, and rows narrower than a vector. */

#define OP(a, b) W(larger)(a, b)
#define ONE(a, b) W(max_of)(a, b)
#define START ((T) - INFINITY)
#define FILLED 1
#define F(word) W(FC_PASTE(max, word))
#include "kernels/pool_planes.h"
#include "kernels/pool_taps.h"
#undef OP
#undef ONE
#undef START
#undef FILLED
#undef F

#define OP(a, b) W(add)(a, b)
#define ONE(a, b) W(sum_of)(a, b)
#define START ((T)0)
#define FILLED 0
#define F(word) W(FC_PASTE(add, word))
#include "kernels/pool_planes.h"
#include "kernels/pool_taps.h"
#undef OP
#undef ONE
#undef START
#undef FILLED
#undef F
