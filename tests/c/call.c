/* SPDX-License-Identifier: BSD-3-Clause */
#include "call.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const operation_names[FC_OPERATIONS] = {
    "corr2d",     "corr2d_input_grad", "corr2d_weight_grad", "max_pool2d",
    "avg_pool2d", "max_pool2d_grad",   "avg_pool2d_grad",
};

bool is_correlation(fc_operation operation) { return operation <= FC_CORR2D_WEIGHT_GRAD; }

#define PAIR "%" PRId64 ",%" PRId64
#define BOTH(pair) (pair)[0], (pair)[1]

static void describe(const call *c)
{
    const fc_corr2d_params *p = &c->corr2d;
    const fc_pool2d_params *q = &c->pool2d;
    if (is_correlation(c->operation))
        snprintf(situation, sizeof situation,
                 "%s dtype %d layout %d weights %d n %" PRId64 " c %" PRId64 " size " PAIR " oc %" PRId64
                 " kernel " PAIR " groups %" PRId64 " stride " PAIR " dilation " PAIR " padding kind %d " PAIR " " PAIR
                 " second %d",
                 operation_names[c->operation], (int)p->dtype, (int)p->layout, (int)p->weight_layout, p->batch,
                 p->channels, BOTH(p->size), p->out_channels, BOTH(p->kernel), p->groups, BOTH(p->stride),
                 BOTH(p->dilation), (int)p->padding, BOTH(p->pad_before), BOTH(p->pad_after), c->second);
    else
        snprintf(situation, sizeof situation,
                 "%s dtype %d layout %d n %" PRId64 " c %" PRId64 " size " PAIR " window " PAIR " stride " PAIR
                 " dilation " PAIR " padding kind %d " PAIR " " PAIR " ceil %d count %d divisor %d %" PRId64
                 " second %d",
                 operation_names[c->operation], (int)q->dtype, (int)q->layout, q->batch, q->channels, BOTH(q->size),
                 BOTH(q->window), BOTH(q->stride), BOTH(q->dilation), (int)q->padding, BOTH(q->pad_before),
                 BOTH(q->pad_after), q->ceil_mode, q->count_include_pad, q->has_divisor, q->divisor, c->second);
}

/* ---- making calls ----------------------------------------------------------------------------------------- */

static void plant_special(const buffer *b)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY};
    if (b->count == 0 || !is_float(b->dtype)) return;
    for (int64_t planted = from_to(1, 3); planted; planted--)
        set_value(b, (size_t)below((int64_t)b->count), specials[below(3)]);
}

static void plant_spikes(const buffer *b)
{
    if (b->count == 0 || !is_float(b->dtype)) return;
    for (int64_t planted = from_to(1, 3); planted; planted--) {
        const size_t at = (size_t)below((int64_t)b->count);
        set_value(b, at, 1e6 * (one_in(2) ? 1.7 : value_at(b, at).f));
    }
}

static void keep_inputs(call *c)
{
    for (int i = 0; i < 3; i++)
        if (c->in[i].block) buffer_keep(&c->in[i]);
    describe(c);
}

call call_of_corr2d(fc_operation operation, const fc_corr2d_params *p, bool second, bool special)
{
    call c = {.operation = operation, .corr2d = *p, .second = second && operation != FC_CORR2D_INPUT_GRAD};
    const int64_t x_count = p->batch * p->channels * p->size[0] * p->size[1];
    const int64_t w_count = p->out_channels * p->weight_channels * p->kernel[0] * p->kernel[1];
    int64_t y_count;
    fc_error error;
    describe(&c);
    CHECK(fc_corr2d_shape(p, c.out_size, &error) == FC_OK, "%s", error.message);
    y_count = p->batch * p->out_channels * c.out_size[0] * c.out_size[1];
    c.in[0] = buffer_of(p->dtype, operation == FC_CORR2D ? x_count : y_count);
    c.in[1] = buffer_of(p->dtype, operation == FC_CORR2D_WEIGHT_GRAD ? x_count : w_count);
    c.out[0] = buffer_of(p->dtype, operation == FC_CORR2D              ? y_count
                                   : operation == FC_CORR2D_INPUT_GRAD ? x_count
                                                                       : w_count);
    if (c.second && operation == FC_CORR2D) c.in[2] = buffer_of(p->dtype, p->out_channels);
    if (c.second && operation == FC_CORR2D_WEIGHT_GRAD) c.out[1] = buffer_of(p->dtype, p->out_channels);
    for (int i = 0; i < 3; i++) buffer_fill(&c.in[i]);
    if (special && one_in(2))
        plant_spikes(&c.in[0]);
    else if (special)
        plant_special(&c.in[operation == FC_CORR2D_WEIGHT_GRAD]);
    keep_inputs(&c);
    return c;
}

call call_of_pool2d(fc_operation operation, const fc_pool2d_params *p, bool second, bool special)
{
    call c = {.operation = operation, .pool2d = *p, .second = second && operation == FC_MAX_POOL2D};
    const int64_t planes = p->batch * p->channels, plane = p->size[0] * p->size[1];
    const bool backward = operation == FC_MAX_POOL2D_GRAD || operation == FC_AVG_POOL2D_GRAD;
    int64_t outputs;
    fc_error error;
    describe(&c);
    CHECK(fc_pool2d_shape(p, c.out_size, &error) == FC_OK, "%s", error.message);
    outputs = planes * c.out_size[0] * c.out_size[1];
    c.in[0] = buffer_of(p->dtype, backward ? outputs : planes * plane);
    c.out[0] = buffer_of(p->dtype, backward ? planes * plane : outputs);
    buffer_fill(&c.in[0]);
    if (operation == FC_MAX_POOL2D_GRAD) {
        c.in[1] = buffer_of(FC_I64, outputs);
        for (size_t i = 0; i < c.in[1].count; i++) set_value(&c.in[1], i, (double)from_to(-1, plane - 1));
    }
    if (c.second) c.out[1] = buffer_of(FC_I64, outputs);
    if (special) plant_special(&c.in[0]);
    keep_inputs(&c);
    return c;
}

void call_free(call *c)
{
    buffer_free(&c->in[0], "the first input");
    buffer_free(&c->in[1], "the second input");
    buffer_free(&c->in[2], "the third input");
    buffer_free(&c->out[0], "the output");
    buffer_free(&c->out[1], "the second output");
}

/* ---- running them ----------------------------------------------------------------------------------------- */

fc_status call_run(const call *c, const char *algorithm, fc_error *error)
{
    const void *a = c->in[0].data, *b = c->in[1].data;
    const fc_pool2d_params *q = &c->pool2d;
    const fc_max_pool2d_grad_params max_grad = {
        .dtype = q->dtype,
        .layout = q->layout,
        .batch = q->batch,
        .channels = q->channels,
        .size = {BOTH(q->size)},
        .out = {BOTH(c->out_size)},
    };
    void *to = c->out[0].data, *second = c->out[1].data;
    buffer_poison(&c->out[0]);
    if (second) buffer_poison(&c->out[1]);
    switch (c->operation) {
    case FC_CORR2D: return fc_corr2d(&c->corr2d, a, b, c->in[2].data, to, algorithm, error);
    case FC_CORR2D_INPUT_GRAD: return fc_corr2d_input_grad(&c->corr2d, a, b, to, algorithm, error);
    case FC_CORR2D_WEIGHT_GRAD: return fc_corr2d_weight_grad(&c->corr2d, a, b, to, second, algorithm, error);
    case FC_MAX_POOL2D: return fc_max_pool2d(q, a, to, second, algorithm, error);
    case FC_AVG_POOL2D: return fc_avg_pool2d(q, a, to, algorithm, error);
    case FC_MAX_POOL2D_GRAD: return fc_max_pool2d_grad(&max_grad, a, b, to, algorithm, error);
    case FC_AVG_POOL2D_GRAD: return fc_avg_pool2d_grad(q, a, to, algorithm, error);
    default: return FC_BAD_VALUE;
    }
}

void call_must_run(const call *c, const char *algorithm)
{
    fc_error error = {.status = FC_NO_MEMORY, .message = "old"};
    fc_status status = call_run(c, algorithm, &error);
    CHECK(status == FC_OK, "%s", error.message);
    CHECK(error.status == FC_OK && error.message[0] == '\0', "success left an error behind: %s", error.message);
}

static bool transforms(const char *algorithm)
{
    return !algorithm || !strncmp(algorithm, "winograd", 8) || !strcmp(algorithm, "strassen");
}

void call_check(const call *c, const char *algorithm, number *const wanted[2])
{
    buffer_check(&c->in[0], "the first input");
    if (c->in[1].block) buffer_check(&c->in[1], "the second input");
    if (c->in[2].block) buffer_check(&c->in[2], "the third input");
    if (is_correlation(c->operation) && transforms(algorithm)) {
        check_numbers_in_norm(&c->out[0], wanted[0], "the output");
    } else {
        check_numbers(&c->out[0], wanted[0], is_correlation(c->operation), "the output");
    }
    if (c->out[1].block) check_numbers(&c->out[1], wanted[1], is_correlation(c->operation), "the second output");
}

void call_explain(const call *c, fc_explanation *explanation)
{
    fc_error error;
    fc_status status = is_correlation(c->operation)
                           ? fc_explain_corr2d(c->operation, &c->corr2d, explanation, &error)
                           : fc_explain_pool2d(c->operation, &c->pool2d, c->second, explanation, &error);
    CHECK(status == FC_OK, "%s", error.message);
}

int each_variant(const call *c, void (*what)(const call *c, const char *algorithm, void *context), void *context)
{
    int count = 0;
    for (int i = 0; fc_isa_name(i); i++) {
        fc_explanation explanation;
        fc_error error;
        CHECK(fc_set_isa(fc_isa_name(i), &error) == FC_OK, "%s", error.message);
        call_explain(c, &explanation);
        for (int a = 0; fc_algorithm_name(c->operation, a); a++) {
            const char *name = fc_algorithm_name(c->operation, a);
            if (explanation.declined[a]) continue;
            describe(c);
            snprintf(situation + strlen(situation), sizeof situation - strlen(situation), " algorithm %s isa %s", name,
                     fc_isa_name(i));
            what(c, name, context);
            count++;
        }
    }
    CHECK(count, "no algorithm takes the problem");
    return count;
}

void against_definition(call c, void (*what)(const call *c, const char *algorithm, void *wanted))
{
    number *wanted[2];
    reference(&c, wanted);
    each_variant(&c, what, wanted);
    free(wanted[0]);
    free(wanted[1]);
    call_free(&c);
}

void call_compare(const call *c, const char *algorithm, void *wanted)
{
    call_must_run(c, algorithm);
    call_check(c, algorithm, wanted);
}
