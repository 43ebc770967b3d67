/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "groups.h"

typedef struct expected {
    const double *values;
    const int64_t *indices; /* or NULL */
} expected;

static void run_and_compare(const call *c, const char *algorithm, void *context)
{
    const expected *e = context;
    call_must_run(c, algorithm);
    buffer_check(&c->out[0], "the output");
    for (size_t i = 0; i < c->out[0].count; i++) {
        const double value = e->values[i];
        const number wanted = {.f = value, .i = isfinite(value) ? (uint64_t)(int64_t)value : 0, .size = 0.01};
        CHECK(is_number(&c->out[0], i, &wanted, false), "element %zu is %.9g or %lld, should be %g", i,
              value_at(&c->out[0], i).f, (long long)value_at(&c->out[0], i).i, value);
        if (c->out[1].block)
            CHECK((int64_t)value_at(&c->out[1], i).i == e->indices[i], "index %zu is %lld, should be %lld", i,
                  (long long)value_at(&c->out[1], i).i, (long long)e->indices[i]);
    }
}

/* On the numbers 0, 1, 2 … or the ones given. */
static void try(fc_operation operation, const fc_pool2d_params *p, const double *x, const double *values,
                const int64_t *indices)
{
    call c = call_of_pool2d(operation, p, indices != NULL, false);
    for (size_t i = 0; i < c.in[0].count; i++) set_value(&c.in[0], i, x ? x[i] : (double)i);
    buffer_keep(&c.in[0]);
    each_variant(&c, run_and_compare, &(expected){values, indices});
    call_free(&c);
}

static void pad_all(fc_pool2d_params *p, int64_t amount)
{
    for (int i = 0; i < 2; i++) p->pad_before[i] = p->pad_after[i] = amount;
}

static void check_maxima_by_hand(fc_layout layout)
{
    static const double y[] = {4, 5, 7, 8}, y_padded[] = {0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 6, 7, 8, 8};
    static const int64_t at[] = {4, 5, 7, 8}, at_padded[] = {0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 6, 7, 8, 8};
    for (int dtype = 0; dtype < FC_DTYPES; dtype++) {
        fc_pool2d_params p = plain_pool2d((fc_dtype)dtype, 3, 2);
        p.layout = layout;
        try(FC_MAX_POOL2D, &p, NULL, y, at);
        try(FC_MAX_POOL2D, &p, NULL, y, NULL);
        pad_all(&p, 1);
        try(FC_MAX_POOL2D, &p, NULL, y_padded, at_padded);
    }
}

static void check_averages_by_hand(fc_dtype dtype)
{
    static const double y[] = {2, 3, 5, 6}, ceiled[] = {2, 3.5, 6.5, 8};
    static const double counted[] = {0, .25, .75, .5, .75, 2, 3, 1.75, 2.25, 5, 6, 3.25, 1.5, 3.25, 3.75, 2};
    static const double inside[] = {0, .5, 1.5, 2, 1.5, 2, 3, 3.5, 4.5, 5, 6, 6.5, 6, 6.5, 7.5, 8};
    static const double halves[] = {4, 6, 10, 12}, ones[] = {1, 1, 1, 1},
                        shares[] = {.25, .5, .25, .5, 1, .5, .25, .5, .25};
    fc_pool2d_params p = plain_pool2d(dtype, 3, 2);
    try(FC_AVG_POOL2D, &p, NULL, y, NULL);
    try(FC_AVG_POOL2D_GRAD, &p, ones, shares, NULL);
    p.has_divisor = true;
    p.divisor = 2;
    try(FC_AVG_POOL2D, &p, NULL, halves, NULL);
    p.has_divisor = false;
    pad_all(&p, 1);
    try(FC_AVG_POOL2D, &p, NULL, counted, NULL);
    p.count_include_pad = false;
    try(FC_AVG_POOL2D, &p, NULL, inside, NULL);
    p = plain_pool2d(dtype, 3, 2);
    p.stride[0] = p.stride[1] = 2;
    p.ceil_mode = true; /* the windows at the edges hold what there is */
    try(FC_AVG_POOL2D, &p, NULL, ceiled, NULL);
}

static void check_special_values(fc_dtype dtype)
{
    static const double x[] = {NAN, 1, -INFINITY, INFINITY, -INFINITY, -INFINITY, 2, NAN, 3};
    static const double y[] = {NAN, 1, NAN, NAN};
    static const int64_t at[] = {0, 1, 7, 7};
    fc_pool2d_params p = plain_pool2d(dtype, 3, 2);
    static const double low[] = {-INFINITY, -INFINITY}, low_max[] = {-INFINITY};
    static const int64_t first[] = {0};
    try(FC_MAX_POOL2D, &p, x, y, at);
    p.size[0] = p.window[0] = 1;
    p.size[1] = p.window[1] = 2;
    p.pad_before[1] = 1; /* padding never ties with a real -inf */
    p.stride[1] = 3;
    try(FC_MAX_POOL2D, &p, low, low_max, first);
}

/* Windows of padding alone: in front of the image, and behind it. */
static void check_padding_alone(void)
{
    static const int64_t at[] = {-1, 0, -1};
    static const double seven[] = {7}, with[] = {0, 7, 0}, without[] = {NAN, 7, NAN};
    for (int dtype = 0; dtype < FC_DTYPES; dtype++) {
        const double least = is_float((fc_dtype)dtype)    ? -INFINITY
                             : is_signed((fc_dtype)dtype) ? -ldexp(1, (int)(8 * bytes_of((fc_dtype)dtype)) - 1)
                                                          : 0;
        const double y[] = {least, 7, least};
        fc_pool2d_params p = plain_pool2d((fc_dtype)dtype, 1, 1);
        p.pad_before[1] = p.pad_after[1] = 1;
        try(FC_MAX_POOL2D, &p, seven, y, at);
        if (!is_float((fc_dtype)dtype)) continue;
        try(FC_AVG_POOL2D, &p, seven, with, NULL);
        p.count_include_pad = false;
        try(FC_AVG_POOL2D, &p, seven, without, NULL);
    }
}

/* Indices may repeat, and -1 goes nowhere. */
static void check_scatter(fc_dtype dtype)
{
    static const double grad[] = {1, 2, 4, 8}, values[] = {0, 0, 5, 0, 0, 0, 0, 0, 8};
    static const double indices[] = {2, -1, 2, 8};
    fc_pool2d_params p = plain_pool2d(dtype, 3, 2);
    call c = call_of_pool2d(FC_MAX_POOL2D_GRAD, &p, false, false);
    for (size_t i = 0; i < 4; i++) {
        set_value(&c.in[0], i, grad[i]);
        set_value(&c.in[1], i, indices[i]);
    }
    buffer_keep(&c.in[0]);
    buffer_keep(&c.in[1]);
    each_variant(&c, run_and_compare, &(expected){values, NULL});
    call_free(&c);
}

void test_pool2d(void)
{
    check_maxima_by_hand(FC_NCHW);
    check_maxima_by_hand(FC_NHWC);
    for (int dtype = 0; dtype < FC_DTYPES; dtype++) check_scatter((fc_dtype)dtype);
    for (int dtype = FC_F32; dtype <= FC_F64; dtype++) {
        check_averages_by_hand((fc_dtype)dtype);
        check_special_values((fc_dtype)dtype);
    }
    check_padding_alone();
}
