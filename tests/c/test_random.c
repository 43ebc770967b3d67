/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "groups.h"
#include "system.h"

#define CHAIN 256 /* steps of a sum, behind which another begins */

/* What an algorithm met: bits. */
enum {
    RAN = 1,
    LONG_SUMS = 2,    /* longer than a chain; or it says that it takes none */
    TALL = 4,         /* kernels of more rows than a chain has steps */
    APART = 8,        /* as many channels and outputs of a 3x3 kernel with stride 2 as Winograd's form for it wants */
    FULL_GROUPS = 16, /* of 16 to 32 channels */
    SMALL_MAPS = 32,  /* of at most 49 outputs, with long sums for many channels */
    SPIKES = 64,
    SHARED = 128, /* groups of 4 or 8 channels, two or four of which fill a vector of some instruction set */
};

/* Not all instruction sets have registers enough for these. */
static bool is_lane_algorithm(const char *algorithm)
{
    return !strcmp(algorithm, "phases") || !strcmp(algorithm, "runs");
}

static bool usable(const char *isa)
{
    for (int i = 0; fc_isa_name(i); i++)
        if (!strcmp(fc_isa_name(i), isa)) return true;
    return false;
}

static unsigned wanted_of(fc_operation operation, const char *algorithm)
{
    unsigned wanted = RAN;
    if (!is_correlation(operation)) return wanted;
    wanted |= LONG_SUMS;
    if (operation != FC_CORR2D) wanted |= SPIKES;
    if (!strcmp(algorithm, "padded_pixels") && operation == FC_CORR2D) wanted |= TALL;
    if (!strncmp(algorithm, "winograd_n", 10) && operation == FC_CORR2D) wanted |= APART;
    if (!strcmp(algorithm, "grouped_pixels")) wanted |= FULL_GROUPS;
    if (!strcmp(algorithm, "inner_product")) wanted |= SMALL_MAPS;
    if (!strcmp(algorithm, "phases")) wanted |= FULL_GROUPS;
    if (is_lane_algorithm(algorithm) && usable("avx512")) wanted |= SHARED;
    return wanted;
}

static bool has_spike(const call *c)
{
    for (size_t i = 0; i < c->in[0].count; i++)
        if (value_at(&c->in[0], i).f > 1e6) return true;
    return false;
}

static unsigned traits_of(const call *c)
{
    const fc_corr2d_params *p = &c->corr2d;
    const int64_t taps = p->kernel[0] * p->kernel[1], outputs = c->out_size[0] * c->out_size[1];
    unsigned traits = RAN;
    if (!is_correlation(c->operation) || !p->groups) return traits;
    const int64_t filters = p->out_channels / p->groups;
    const int64_t fewer = filters < p->weight_channels ? filters : p->weight_channels;
    const int64_t more = filters + p->weight_channels - fewer;
    const int64_t terms = c->operation == FC_CORR2D              ? p->weight_channels * taps
                          : c->operation == FC_CORR2D_INPUT_GRAD ? filters * taps
                                                                 : p->batch * outputs;
    if (terms > CHAIN) traits |= LONG_SUMS;
    if (p->kernel[0] > CHAIN) traits |= TALL;
    if (p->kernel[0] == 3 && p->kernel[1] == 3 && p->stride[0] == 2 && p->stride[1] == 2 && fewer >= 32 &&
        p->batch * outputs >= 100)
        traits |= APART;
    if (p->groups > 1 && fewer >= 16 && more <= 32) traits |= FULL_GROUPS;
    if (p->groups % 4 == 0 && fewer == more && (fewer == 4 || fewer == 8)) traits |= SHARED;
    if (outputs <= 49 && terms >= 64 && fewer >= 32) traits |= SMALL_MAPS;
    if (is_float(p->dtype) && has_spike(c)) traits |= SPIKES;
    return traits;
}

typedef struct comparison {
    number *wanted[2];
    unsigned traits, *met; /* of this call; by each algorithm */
} comparison;

static void compare(const call *c, const char *algorithm, void *context)
{
    const comparison *to = context;
    int index = 0;
    call_must_run(c, algorithm);
    call_check(c, algorithm, to->wanted);
    while (strcmp(algorithm, fc_algorithm_name(c->operation, index))) index++;
    to->met[index] |= to->traits;
}

static int compare_random_call(fc_operation operation, bool extreme, unsigned *met)
{
    call c = random_call(operation, extreme, one_in(4));
    comparison to = {.traits = traits_of(&c), .met = met};
    fc_explanation explanation;
    int variants;
    fc_error error;
    reference(&c, to.wanted);
    CHECK(fc_set_num_threads(from_to(1, 4), &error) == FC_OK, "%s", error.message);
    limit_seconds(30); /* a parameter alone must not make a call long */
    variants = each_variant(&c, compare, &to);
    limit_seconds(0);
    call_explain(&c, &explanation);
    for (int i = 0; fc_algorithm_name(operation, i); i++)
        if (explanation.declined[i] && !strcmp(explanation.declined[i], "sums have more than 256 steps"))
            met[i] |= LONG_SUMS;
    free(to.wanted[0]);
    free(to.wanted[1]);
    call_free(&c);
    return variants;
}

/* The first algorithm that did not meet all that it should, or NULL. */
static const char *lacking(fc_operation operation, bool extreme, const unsigned *met)
{
    for (int i = 0; fc_algorithm_name(operation, i); i++) {
        const char *name = fc_algorithm_name(operation, i);
        const unsigned wanted = extreme ? RAN : wanted_of(operation, name);
        if (is_lane_algorithm(name) && !usable("avx512") && !usable("neon")) continue;
        if ((met[i] & wanted) != wanted) return name;
    }
    return NULL;
}

/* So many problems, and then as many more as it takes until every algorithm met what it should. */
static void compare_random_calls(bool extreme)
{
    const int threads = fc_get_num_threads();
    for (int i = 0; i < FC_OPERATIONS; i++) {
        const fc_operation operation = (fc_operation)i;
        unsigned met[FC_MAX_ALGORITHMS] = {0};
        long variants = 0, tried = 0;
        const long most = problems >= 400 ? 20 * problems : problems;
        for (; tried < problems || (tried < most && lacking(operation, extreme, met)); tried++)
            variants += compare_random_call(operation, extreme, met);
        printf("   %-18s %ld problems, %ld times an algorithm and an instruction set\n", operation_names[i], tried,
               variants);
        if (problems >= 400)
            CHECK(!lacking(operation, extreme, met), "%s did not meet all that it should",
                  lacking(operation, extreme, met));
    }
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}

void test_random(void) { compare_random_calls(false); }

void test_extreme(void) { compare_random_calls(true); }
