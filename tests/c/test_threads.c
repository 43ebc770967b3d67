/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "groups.h"
#include "system.h"

/* Problems that are large enough to be split. */
static call large_call(fc_operation operation, fc_layout layout, int64_t stride)
{
    if (is_correlation(operation)) {
        fc_corr2d_params p = plain_corr2d(one_in(2) ? FC_F32 : FC_F64, 24 * stride, 3);
        p.layout = layout;
        p.weight_layout = (fc_weight_layout)below(3);
        p.batch = 2;
        p.groups = from_to(1, 2);
        p.channels = 12;
        p.weight_channels = 12 / p.groups;
        p.out_channels = 28;
        p.stride[0] = p.stride[1] = stride;
        p.padding = FC_PAD_SAME;
        return call_of_corr2d(operation, &p, true, false);
    } else {
        fc_pool2d_params q = plain_pool2d(one_in(2) ? FC_F32 : FC_F64, 64, 3);
        q.layout = layout;
        q.batch = 2;
        q.channels = 20;
        q.window[1] = from_to(3, 9);
        q.stride[0] = q.stride[1] = stride;
        q.padding = FC_PAD_SAME;
        return call_of_pool2d(operation, &q, true, false);
    }
}

/* Numbers that are rounded, so that the order of a sum shows. */
static void fill_fractions(call *c)
{
    for (int i = 0; i < 3; i++) {
        if (!is_float(c->in[i].dtype)) continue;
        for (size_t k = 0; k < c->in[i].count; k++) set_value(&c->in[i], k, (double)(int64_t)random_bits() * 0x1p-62);
        if (c->in[i].block) buffer_keep(&c->in[i]);
    }
}

typedef struct results {
    buffer out[2];
} results;

static results results_of(const call *c)
{
    results r = {0};
    for (int i = 0; i < 2; i++) {
        if (!c->out[i].block) continue;
        r.out[i] = buffer_of(c->out[i].dtype, (int64_t)c->out[i].count);
        memcpy(r.out[i].data, c->out[i].data, c->out[i].count * bytes_of(c->out[i].dtype));
    }
    return r;
}

static void check_results(const call *c, const results *r)
{
    check_same_bits(&r->out[0], &c->out[0], "the output");
    if (c->out[1].block) check_same_bits(&r->out[1], &c->out[1], "the second output");
}

static void results_free(results *r)
{
    buffer_free(&r->out[0], "the copied output");
    buffer_free(&r->out[1], "the copied second output");
}

static void compare_thread_counts(const call *c, const char *algorithm, void *context)
{
    results first = {0};
    (void)context;
    for (int threads = 1; threads <= 8; threads++) {
        CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
        call_must_run(c, algorithm);
        if (threads == 1)
            first = results_of(c);
        else
            check_results(c, &first);
    }
    results_free(&first);
}

/* ---- a lent team ------------------------------------------------------------------------------------------ */

#define TEAM 5

typedef struct member {
    void (*body)(void *);
    void *context;
} member;

static int lender;
static int lent_calls;

static void *take_part(void *context)
{
    member *m = context;
    m->body(m->context);
    return NULL;
}

/* The caller, and at every other call four threads more. */
static void lent_team(void (*body)(void *), void *context)
{
    thread others[TEAM - 1];
    member m = {body, context};
    int count = lent_calls++ % 2 ? TEAM - 1 : 0;
    CHECK(process_number() == lender, "a forked child was lent its parent's threads");
    for (int i = 0; i < count; i++) CHECK(start_thread(&others[i], take_part, &m), "cannot start a thread");
    body(context);
    for (int i = 0; i < count; i++) CHECK(join_thread(others[i]), "cannot join a thread");
}

static void compare_team(const call *c, const char *algorithm, void *context)
{
    results pools;
    (void)context;
    CHECK(fc_set_num_threads(3, NULL) == FC_OK, "3 threads"); /* fewer than the team has, and more than its caller */
    call_must_run(c, algorithm);
    pools = results_of(c);
    CHECK(!fc_lend_team(lent_team), "a team was lent before");
    for (int i = 0; i < 2; i++) {
        call_must_run(c, algorithm);
        check_results(c, &pools);
    }
    CHECK(fc_lend_team(NULL) == lent_team, "the team before was not told");
    results_free(&pools);
}

/* ---- fork ------------------------------------------------------------------------------------------------- */

typedef struct family {
    const call *c;
    results mine;
} family;

static void call_thrice(const void *context)
{
    const family *both = context;
    for (int i = 0; i < 3; i++) {
        call_must_run(both->c, NULL);
        check_results(both->c, &both->mine);
    }
}

static void run_in_child(const call *c)
{
    family both = {.c = c};
    CHECK(fc_set_num_threads(4, NULL) == FC_OK, "4 threads");
    call_must_run(c, NULL); /* the pool has threads now */
    both.mine = results_of(c);
    fc_lend_team(lent_team);
    in_forked_child(call_thrice, &both);
    fc_lend_team(NULL);
    call_must_run(c, NULL); /* and the parent goes on */
    check_results(c, &both.mine);
    results_free(&both.mine);
}

/* ---- callers at once -------------------------------------------------------------------------------------- */

typedef struct caller {
    call c;
    results expected;
    thread thread;
} caller;

static void *call_often(void *context)
{
    const caller *one = context;
    for (int i = 0; i < 30; i++) {
        fc_error error;
        CHECK(call_run(&one->c, NULL, &error) == FC_OK, "%s", error.message);
        check_results(&one->c, &one->expected);
    }
    return NULL;
}

static void run_at_once(void)
{
    caller callers[3];
    for (int i = 0; i < 3; i++) {
        callers[i].c = large_call(i == 1 ? FC_MAX_POOL2D : FC_CORR2D, i == 2 ? FC_NHWC : FC_NCHW, 1);
        fill_fractions(&callers[i].c);
        call_must_run(&callers[i].c, NULL);
        callers[i].expected = results_of(&callers[i].c);
    }
    snprintf(situation, sizeof situation, "three callers at once");
    for (int i = 0; i < 3; i++)
        CHECK(start_thread(&callers[i].thread, call_often, &callers[i]), "cannot start a thread");
    for (int i = 0; i < 3; i++) {
        CHECK(join_thread(callers[i].thread), "cannot join a thread");
        call_free(&callers[i].c);
        results_free(&callers[i].expected);
    }
}

void test_threads(void)
{
    const int threads = fc_get_num_threads();
    lender = process_number();
    for (int operation = 0; operation < FC_OPERATIONS; operation++)
        for (int layout = 0; layout < 2; layout++)
            for (int stride = 1; stride <= 2; stride++) {
                call c = large_call((fc_operation)operation, (fc_layout)layout, stride);
                fill_fractions(&c);
                each_variant(&c, compare_thread_counts, NULL);
                each_variant(&c, compare_team, NULL);
                fc_set_isa(fc_isa_name(0), NULL);
                if (may_fork && layout == 0 && stride == 1) run_in_child(&c);
                call_free(&c);
            }
    CHECK(lent_calls, "no call was large enough for the team");
    CHECK(fc_set_num_threads(4, NULL) == FC_OK, "4 threads");
    run_at_once();
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}
