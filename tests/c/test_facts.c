/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings from the environment and by calls, names, explanations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "groups.h"
#include "system.h"

/* ---- the environment -------------------------------------------------------------------------------------- */

static const char *const variables[] = {
    "FASTCONV_ISA",
    "FASTCONV_NUM_THREADS",
    "OMP_NUM_THREADS",
    "FASTCONV_BATCH_INVARIANT",
};

/* `message` NULL: they are good; then `threads` is what they mean. */
static const struct {
    const char *assignments, *message;
    int threads;
} environments[] = {
    {"", NULL, 0},
    {"FASTCONV_ISA=scalar FASTCONV_NUM_THREADS=3 OMP_NUM_THREADS=5", NULL, 3},
    {"OMP_NUM_THREADS=5,2 FASTCONV_BATCH_INVARIANT=1", NULL, 5},
    {"FASTCONV_BATCH_INVARIANT=0 FASTCONV_NUM_THREADS= FASTCONV_ISA=", NULL, 0},
    {"FASTCONV_ISA=altivec", "FASTCONV_ISA: 'altivec' is not an instruction set usable here", 0},
    {"FASTCONV_NUM_THREADS=0", "FASTCONV_NUM_THREADS must be from 1 to 1024, got 0", 0},
    {"FASTCONV_NUM_THREADS=many", "FASTCONV_NUM_THREADS must be a number", 0},
    {"FASTCONV_NUM_THREADS=3x", "FASTCONV_NUM_THREADS must be a number", 0},
    {"FASTCONV_NUM_THREADS=99999999999999999999", "FASTCONV_NUM_THREADS must be a number", 0},
    {"OMP_NUM_THREADS=-2", "OMP_NUM_THREADS must be from 1 to 1024, got -2", 0},
    {"FASTCONV_BATCH_INVARIANT=yes", "FASTCONV_BATCH_INVARIANT must be 0 or 1, got 'yes'", 0},
};

enum { ENVIRONMENTS = sizeof environments / sizeof *environments };

static void check_good(const char *assignments, int threads)
{
    fc_error error;
    CHECK(fc_configure(&error) == FC_OK, "refused: %s", error.message);
    if (threads) CHECK(fc_get_num_threads() == threads, "%d threads", fc_get_num_threads());
    CHECK(fc_get_batch_invariant() == (strstr(assignments, "INVARIANT=1") != NULL), "batch invariance");
    if (strstr(assignments, "ISA=scalar")) CHECK(!strcmp(fc_get_isa(), "scalar"), "isa %s", fc_get_isa());
}

static void check_refused(const char *message)
{
    const fc_corr2d_params params = plain_corr2d(FC_F32, 3, 2);
    int64_t out[2];
    fc_error error;
    CHECK(fc_configure(&error) == FC_BAD_VALUE && error.status == FC_BAD_VALUE, "accepted");
    CHECK(strstr(error.message, message), "the message is: %s", error.message);
    CHECK(fc_corr2d_shape(&params, out, &error) == FC_BAD_VALUE, "the operators do not report it");
    CHECK(strstr(error.message, message), "the operator's message is: %s", error.message);
}

void check_environment(int which)
{
    char copy[200];
    CHECK(which >= 0 && which < ENVIRONMENTS, "there are %d environments", (int)ENVIRONMENTS);
    snprintf(situation, sizeof situation, "environment %s", environments[which].assignments);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) set_variable(variables[i], NULL);
    snprintf(copy, sizeof copy, "%s", environments[which].assignments);
    for (char *one = strtok(copy, " "); one; one = strtok(NULL, " ")) {
        char *value = strchr(one, '=');
        *value++ = '\0';
        set_variable(one, value);
    }
    if (environments[which].message)
        check_refused(environments[which].message);
    else
        check_good(environments[which].assignments, environments[which].threads);
}

void test_environment(void)
{
    for (int i = 0; i < ENVIRONMENTS; i++) in_new_process(check_environment, "--environment", i);
}

/* ---- settings --------------------------------------------------------------------------------------------- */

static void check_settings(void)
{
    const char *before = fc_get_isa();
    const int threads = fc_get_num_threads();
    int usable = 0;
    fc_error error;
    CHECK(fc_configure(&error) == FC_OK && fc_configure(NULL) == FC_OK, "%s", error.message);
    for (int i = 0, built = 0; fc_isa_name(i); i++, usable++) {
        const char *name = fc_isa_name(i);
        while (fc_built_isa_name(built) && strcmp(fc_built_isa_name(built), name)) built++;
        CHECK(fc_built_isa_name(built), "%s is usable but was not built, or comes in another order", name);
        CHECK(fc_set_isa(name, &error) == FC_OK && error.status == FC_OK, "%s", error.message);
        CHECK(strcmp(fc_get_isa(), name) == 0, "set to %s, is %s", name, fc_get_isa());
    }
    CHECK(usable && !strcmp(fc_isa_name(usable - 1), "scalar"), "the last one is not scalar");
    CHECK(!fc_isa_name(-1) && !fc_isa_name(usable + 1) && !fc_built_isa_name(-1), "names outside the list");
    CHECK(fc_set_isa("mmx", &error) == FC_BAD_VALUE && fc_set_isa("mmx", NULL) == FC_BAD_VALUE, "took mmx");
    CHECK(strstr(error.message, "'mmx'") && strstr(error.message, "scalar"), "%s", error.message);
    CHECK(!strcmp(fc_get_isa(), "scalar"), "a refused isa changed the setting");
    CHECK(fc_set_isa(before, NULL) == FC_OK, "cannot go back to %s", before);

    static const int64_t wrong[] = {0, -1, 1025, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(fc_set_num_threads(wrong[i], &error) == FC_BAD_VALUE, "took %lld threads", (long long)wrong[i]);
        CHECK(strstr(error.message, "the number of threads must be from 1 to 1024"), "%s", error.message);
        CHECK(fc_get_num_threads() == threads, "a refused number changed the setting");
    }
    CHECK(fc_limit_threads(3) == 0 && fc_get_num_threads() == threads, "a limit is no setting");
    CHECK(fc_limit_threads(0) == 3 && fc_limit_threads(0) == 0, "the limit before was not told");
    CHECK(fc_set_num_threads(1024, NULL) == FC_OK && fc_get_num_threads() == 1024, "1024 threads");
    CHECK(fc_set_num_threads(threads, &error) == FC_OK, "%s", error.message);

    CHECK(!fc_get_batch_invariant(), "batch invariance is the default");
    fc_set_batch_invariant(true);
    CHECK(fc_get_batch_invariant(), "batch invariance was not set");
    fc_set_batch_invariant(false);
    CHECK(strlen(fc_compiler()) > 3, "compiler '%s'", fc_compiler());
}

static void check_texts(void)
{
    for (int a = FC_OK; a <= FC_NO_MEMORY; a++)
        for (int b = FC_OK; b < a; b++)
            CHECK(strcmp(fc_status_text((fc_status)a), fc_status_text((fc_status)b)), "%d and %d read alike", a, b);
    CHECK(!strcmp(fc_status_text(FC_OK), "success"), "%s", fc_status_text(FC_OK));
    CHECK(fc_status_text((fc_status)77)[0], "an unknown status has no text");
}

/* ---- algorithms ------------------------------------------------------------------------------------------- */

static void check_names(fc_operation operation)
{
    int count = 0;
    snprintf(situation, sizeof situation, "algorithms of %s", operation_names[operation]);
    for (; fc_algorithm_name(operation, count); count++)
        for (int i = 0; i < count; i++)
            CHECK(strcmp(fc_algorithm_name(operation, i), fc_algorithm_name(operation, count)), "a name twice");
    CHECK(count && count <= FC_MAX_ALGORITHMS, "%d algorithms", count);
    CHECK(!fc_algorithm_name(operation, -1) && !fc_algorithm_name(operation, count + 1), "names outside the list");
}

/* What explain says is what happens. */
static void check_explanation(fc_operation operation)
{
    call c = random_call(operation, one_in(2), false);
    fc_explanation explanation;
    bool seen = false;
    fc_error error;
    call_explain(&c, &explanation);
    CHECK(explanation.flops >= 0, "%lld operations", (long long)explanation.flops);
    CHECK(explanation.workspace_bytes >= 0, "%lld bytes", (long long)explanation.workspace_bytes);
    for (int i = 0; fc_algorithm_name(operation, i); i++) {
        const char *name = fc_algorithm_name(operation, i), *reason = explanation.declined[i];
        const fc_status status = call_run(&c, name, &error);
        if (reason) {
            CHECK(status == FC_BAD_VALUE, "%s declines (%s), but ran", name, reason);
            CHECK(strstr(error.message, name) && strstr(error.message, reason), "%s", error.message);
        } else {
            CHECK(status == FC_OK, "%s: %s", name, error.message);
            if (explanation.passed_over[i]) continue;
            if (!seen) CHECK(!strcmp(explanation.algorithm, name), "takes %s before %s", explanation.algorithm, name);
            seen = true;
        }
        CHECK(fc_algorithm_name(operation, i + 1) || !reason, "the last algorithm declines: %s", reason);
    }
    CHECK(call_run(&c, "magic", &error) == FC_BAD_VALUE, "took an unknown algorithm");
    CHECK(strstr(error.message, "'magic' is unknown") && strstr(error.message, "auto") &&
              strstr(error.message, fc_algorithm_name(operation, 0)),
          "%s", error.message);
    call_free(&c);
}

/* Reasons, or none, that problems drawn by chance, which are small, hardly ever give. */
static void check_reasons(void)
{
    static const struct {
        const char *algorithm, *reason;
        fc_operation operation;
        int64_t channels, groups, out_channels, side, taps, stride, dilation;
        fc_layout layout;
    } cases[] = {
        {"depthwise_nchw", "too many columns", FC_CORR2D, 8, 8, 8, 90, 3, 1, 44, FC_NCHW},
        {"grouped_block", "stride is larger", FC_CORR2D_INPUT_GRAD, 128, 32, 128, 600, 3, 300, 1, FC_NHWC},
        {"grouped_pixels", "with a stride", FC_CORR2D, 64, 2, 64, 28, 3, 2, 1, FC_NHWC},
        {"padded_rows", "a dilated kernel", FC_CORR2D, 4, 1, 4, 200, 3, 1, 30, FC_NCHW},
        {"padded_rows", "there are enough channels", FC_CORR2D_INPUT_GRAD, 12, 1, 64, 28, 7, 1, 1, FC_NCHW},
        {"padded_pixels", "there are many channels", FC_CORR2D, 96, 1, 96, 28, 1, 1, 1, FC_NHWC},
        {"turned_gemm", "there are too few outputs", FC_CORR2D, 256, 1, 256, 14, 3, 2, 1, FC_NCHW},
        {"winograd", "", FC_CORR2D_WEIGHT_GRAD, 128, 2, 128, 28, 3, 1, 1, FC_NCHW},
        {"grouped_pixels", "groups have enough channels", FC_CORR2D_WEIGHT_GRAD, 256, 4, 256, 28, 3, 1, 1, FC_NCHW},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fc_corr2d_params p = plain_corr2d(FC_F32, cases[i].side, cases[i].taps);
        const char *given = NULL;
        bool found = false;
        fc_explanation e;
        p.channels = cases[i].channels;
        p.groups = cases[i].groups;
        p.weight_channels = p.channels / p.groups;
        p.out_channels = cases[i].out_channels;
        p.stride[0] = p.stride[1] = cases[i].stride;
        p.dilation[0] = p.dilation[1] = cases[i].dilation;
        p.layout = cases[i].layout;
        p.padding = FC_PAD_SAME;
        snprintf(situation, sizeof situation, "%s: '%s'", cases[i].algorithm, cases[i].reason);
        CHECK(fc_explain_corr2d(cases[i].operation, &p, &e, NULL) == FC_OK, "not explained");
        for (int a = 0; fc_algorithm_name(cases[i].operation, a); a++)
            if (!strcmp(fc_algorithm_name(cases[i].operation, a), cases[i].algorithm)) {
                found = true;
                given = e.declined[a] ? e.declined[a] : e.passed_over[a];
            }
        CHECK(found, "there is no such algorithm");
        if (*cases[i].reason)
            CHECK(given && !strncmp(given, cases[i].reason, strlen(cases[i].reason)), "the reason is %s", given);
        else
            CHECK(!given, "%s is passed over: %s", cases[i].algorithm, given);
    }
}

static void check_flops(void)
{
    fc_corr2d_params p = plain_corr2d(FC_F32, 10, 3);
    fc_explanation e;
    CHECK(fc_explain_corr2d(FC_CORR2D, &p, &e, NULL) == FC_OK && e.flops == 2 * 9 * 64, "%lld", (long long)e.flops);
    p.batch = 2;
    p.channels = 12;
    p.groups = 3;
    p.weight_channels = 4;
    p.out_channels = 6;
    CHECK(fc_explain_corr2d(FC_CORR2D, &p, &e, NULL) == FC_OK && e.flops == 2LL * 2 * 6 * 64 * 9 * 4, "%lld",
          (long long)e.flops);
}

void test_facts(void)
{
    check_settings();
    check_texts();
    check_flops();
    check_reasons();
    for (int operation = 0; operation < FC_OPERATIONS; operation++) {
        check_names((fc_operation)operation);
        for (int i = 0; i < 50; i++) check_explanation((fc_operation)operation);
    }
    CHECK(!fc_algorithm_name(FC_OPERATIONS, 0) && !fc_algorithm_name((fc_operation)-1, 0), "names of no operation");
}
