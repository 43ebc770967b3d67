/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/weight_home.h"

#include <string.h>

bool fc_channels_are_neighbours(const fc_problem *p)
{
    return p->weight_layout == FC_OHWI || (p->weight_layout == FC_OIHW && p->window[0] * p->window[1] == 1);
}

void fc_bring_weights_home(const fc_problem *p, const fc_weight_sums *s, ptrdiff_t group, void *grad_w)
{
    const fc_strides ws = fc_weight_strides(p);
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), taps = p->window[0] * p->window[1];
    const ptrdiff_t row_step = s->swapped ? ws.n : ws.c, column_step = s->swapped ? ws.c : ws.n;
    char *to = (char *)grad_w +
               (group * (p->out_channels / p->groups) * ws.n + s->row * row_step + s->column * column_step) * element;
    const char *from = s->sums;
    /* Integers are moved as the floats of their size. */
    void (*transpose)(const fc_transpose *) = p->kernels->gemm[element == 4 ? FC_F32 : FC_F64].transpose;
    if (column_step == 1) {
        for (ptrdiff_t r = 0; r < s->rows; r++)
            for (ptrdiff_t t = 0; t < taps; t++, from += s->width * element)
                memcpy(to + (r * row_step + t / p->window[1] * ws.h + t % p->window[1] * ws.w) * element, from,
                       (size_t)(s->columns * element));
    } else if (row_step == taps) { /* OIHW: taps and channels of a filter are one row */
        transpose(&(fc_transpose){.rows = s->rows * taps,
                                  .columns = s->columns,
                                  .from = from,
                                  .from_step = s->width,
                                  .to = to,
                                  .to_step = column_step});
    } else {
        for (ptrdiff_t t = 0; t < taps; t++)
            transpose(&(fc_transpose){.rows = s->rows,
                                      .columns = s->columns,
                                      .from = from + t * s->width * element,
                                      .from_step = taps * s->width,
                                      .to = to + (t / p->window[1] * ws.h + t % p->window[1] * ws.w) * element,
                                      .to_step = column_step});
    }
}

/* By the bits: a loop that compilers turn into vectors. */
#define ALL_FINITE(NAME, T, EXPONENT)                                                                     \
    static bool NAME(ptrdiff_t count, const T *bits)                                                      \
    {                                                                                                     \
        T beyond = 0;                                                                                     \
        for (ptrdiff_t i = 0; i < count; i++) beyond |= (bits[i] & (EXPONENT)) == (EXPONENT) ? ~(T)0 : 0; \
        return !beyond;                                                                                   \
    }

ALL_FINITE(finite_f32, uint32_t, UINT32_C(0x7f800000))
ALL_FINITE(finite_f64, uint64_t, UINT64_C(0x7ff0000000000000))

bool fc_are_finite(fc_dtype dtype, ptrdiff_t count, const void *values)
{
    if (dtype == FC_F32) return finite_f32(count, values);
    return dtype != FC_F64 || finite_f64(count, values);
}
