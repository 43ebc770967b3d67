/* SPDX-License-Identifier: BSD-3-Clause */
/* problem.h -- a judged problem: the one object that operators hand to algorithms.
 *
 * Everything in it was checked: sizes are at least 0 (heights, widths, windows, strides at least 1), every array's
 * size in bytes fits ptrdiff_t, paddings are resolved to numbers. Below the operators only asserts remain. */
#ifndef FC_ALGORITHMS_PROBLEM_H
#define FC_ALGORITHMS_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastconv.h"
#include "kernels/kernels.h"
#include "platform/memory.h"

/* Where element (n, c, h, w) lies: strides in elements. For weights: (o, c, kh, kw). */
typedef struct fc_strides {
    ptrdiff_t n, c, h, w;
} fc_strides;

typedef struct fc_problem {
    fc_operation operation;
    fc_dtype dtype;
    fc_layout layout;
    ptrdiff_t batch, channels;
    ptrdiff_t in[2];  /* height and width of x */
    ptrdiff_t out[2]; /* and of y */
    ptrdiff_t window[2], stride[2], dilation[2], pad_before[2], pad_after[2];
    /* correlation */
    ptrdiff_t out_channels, groups;
    fc_weight_layout weight_layout;
    bool with_bias;    /* there is a bias, or a gradient for it */
    bool weights_stay; /* they are prepared for many calls */
    bool turned;       /* they are read turned by half, with their channels exchanged: w is the last tap */
    bool small_tiles;  /* of Winograd's algorithm */
    /* pooling */
    bool count_include_pad, with_indices, has_divisor;
    int64_t divisor;
    /* the settings at the time of the call */
    const fc_kernels *kernels;
    int threads;
} fc_problem;

typedef struct fc_operands {
    const void *x, *w, *bias, *grad_y; /* read */
    const void *prepared;              /* the weights as the algorithm prepared them, or NULL */
    const int64_t *indices;
    void *y, *grad_bias; /* written; y is also the place of grad_x and grad_w */
    int64_t *argmax;
} fc_operands;

/* Memory for one call, and the number of threads that it was measured out for. */
typedef struct fc_workspace {
    int threads;
    char *shared;
    char *slots; /* slot s begins at slots + s * slot_bytes */
    size_t slot_bytes;
} fc_workspace;

/* The memory of a slot, to be cut into parts. */
static inline char *fc_slot_of(const fc_workspace *workspace, int slot)
{
    char *memory = workspace->slots + (size_t)slot * workspace->slot_bytes;
    fc_join_parts(memory, workspace->slot_bytes);
    return memory;
}

static inline size_t fc_dtype_size(fc_dtype dtype)
{
    static const unsigned char sizes[FC_DTYPES] = {
        [FC_F32] = 4, [FC_F64] = 8, [FC_I32] = 4, [FC_I64] = 8, [FC_I8] = 1,
        [FC_U8] = 1,  [FC_I16] = 2, [FC_U16] = 2, [FC_U32] = 4, [FC_U64] = 8,
    };
    return sizes[dtype];
}

static inline ptrdiff_t fc_vector_bytes(const fc_problem *p)
{
    return p->kernels->gemm[p->dtype].lanes * (ptrdiff_t)fc_dtype_size(p->dtype);
}

static inline bool fc_strided(const fc_problem *p) { return p->stride[0] > 1 || p->stride[1] > 1; }

/* Vectors of a cache line: whatever reads rows or blocks is twice as fast as with half of one, transforms are not. */
static inline bool fc_vectors_are_wide(const fc_problem *p) { return fc_vector_bytes(p) >= FC_CACHE_LINE; }

static inline fc_strides fc_image_strides(fc_layout layout, ptrdiff_t channels, const ptrdiff_t size[2])
{
    ptrdiff_t plane = size[0] * size[1];
    if (layout == FC_NCHW) return (fc_strides){channels * plane, plane, size[1], 1};
    return (fc_strides){channels * plane, 1, size[1] * channels, channels};
}

static inline fc_strides fc_weight_strides(const fc_problem *p)
{
    const ptrdiff_t o = p->turned ? p->channels : p->out_channels, kh = p->window[0], kw = p->window[1];
    const ptrdiff_t c = (p->turned ? p->out_channels : p->channels) / p->groups;
    fc_strides s = {1, o, kw * c * o, c * o}; /* HWIO */
    if (p->weight_layout == FC_OIHW) s = (fc_strides){c * kh * kw, kh * kw, kw, 1};
    if (p->weight_layout == FC_OHWI) s = (fc_strides){kh * kw * c, 1, kw * c, c};
    return p->turned ? (fc_strides){s.c, s.n, -s.h, -s.w} : s;
}

static inline ptrdiff_t fc_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

static inline ptrdiff_t fc_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* Where the weights of output channel o begin. Groups follow each other as filters do, and where the weights are turned,
 * these are channels. */
static inline ptrdiff_t fc_filter_at(const fc_problem *p, const fc_strides *w, ptrdiff_t o)
{
    const ptrdiff_t ic = p->channels / p->groups, oc = p->out_channels / p->groups;
    return o / oc * (p->turned ? ic * w->c : oc * w->n) + o % oc * w->n;
}

/* Division that rounds towards minus and plus infinity; b > 0. */
static inline ptrdiff_t fc_floor_div(ptrdiff_t a, ptrdiff_t b) { return a / b - (a % b < 0); }

static inline ptrdiff_t fc_ceil_div(ptrdiff_t a, ptrdiff_t b) { return a / b + (a % b > 0); }

static inline ptrdiff_t fc_round_up(ptrdiff_t count, ptrdiff_t unit) { return fc_ceil_div(count, unit) * unit; }

/* Elements in an odd number of cache lines: what lies so far apart does not meet in one cache set. */
static inline ptrdiff_t fc_odd_lines(ptrdiff_t elements, ptrdiff_t element)
{
    const ptrdiff_t line = FC_CACHE_LINE / element;
    return (fc_ceil_div(elements, line) | 1) * line;
}

/* The greatest common divisor. */
static inline ptrdiff_t fc_gcd(ptrdiff_t a, ptrdiff_t b)
{
    while (b) {
        const ptrdiff_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* a * b mod m by doubling, since the product may not fit; 0 <= a, b < m <= PTRDIFF_MAX. */
static inline ptrdiff_t fc_multiply_modulo(ptrdiff_t a, ptrdiff_t b, ptrdiff_t m)
{
    ptrdiff_t product = 0;
    for (; b; b >>= 1) {
        if (b & 1) product = product >= m - a ? product - (m - a) : product + a;
        a = a >= m - a ? a - (m - a) : a + a;
    }
    return product;
}

/* Rows or columns from the first to the last tap of a window. A dilation that is never taken may be any number. */
static inline ptrdiff_t fc_window_span(const fc_problem *p, int axis)
{
    return p->window[axis] > 1 ? (p->window[axis] - 1) * p->dilation[axis] : 0;
}

#endif
