/* SPDX-License-Identifier: BSD-3-Clause */
/* Within one algorithm an image's result does not depend on its batch; in batch-invariant mode the choice of the
 * algorithm does not either. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "groups.h"

/* The call that does the image `image` of `c` alone. */
static call single_of(const call *c, int64_t image)
{
    fc_corr2d_params p = c->corr2d;
    fc_pool2d_params q = c->pool2d;
    const int64_t batch = is_correlation(c->operation) ? p.batch : q.batch;
    call single;
    p.batch = q.batch = 1;
    single = is_correlation(c->operation) ? call_of_corr2d(c->operation, &p, c->second, false)
                                          : call_of_pool2d(c->operation, &q, c->second, false);
    for (int i = 0; i < 3; i++) {
        const bool images = i == 0 || (i == 1 && c->operation == FC_MAX_POOL2D_GRAD);
        const size_t bytes = single.in[i].count * bytes_of(single.in[i].dtype);
        if (!single.in[i].block) continue;
        CHECK(c->in[i].count == single.in[i].count * (size_t)(images ? batch : 1), "the inputs do not match");
        memcpy(single.in[i].data, c->in[i].data + (images ? bytes * (size_t)image : 0), bytes);
        buffer_keep(&single.in[i]);
    }
    return single;
}

static void compare_images(const call *c, const char *algorithm, void *context)
{
    const int64_t batch = is_correlation(c->operation) ? c->corr2d.batch : c->pool2d.batch;
    char whole[sizeof situation];
    (void)context;
    call_must_run(c, algorithm);
    memcpy(whole, situation, sizeof whole);
    for (int64_t image = 0; image < batch; image++) {
        call single = single_of(c, image);
        fc_error error;
        memcpy(situation, whole, sizeof whole);
        if (call_run(&single, algorithm, &error) == FC_OK) {
            for (int i = 0; i < 2; i++) {
                const size_t bytes = single.out[i].count * bytes_of(single.out[i].dtype);
                if (single.out[i].block)
                    CHECK(!memcmp(single.out[i].data, c->out[i].data + bytes * (size_t)image, bytes),
                          "image %lld differs from the one in the batch", (long long)image);
            }
        } else {
            CHECK(strstr(error.message, "declines"), "%s", error.message);
        }
        call_free(&single);
    }
}

static void compare_choices(const call *c, const char *algorithm, void *context)
{
    (void)algorithm;
    compare_images(c, NULL, context);
}

void test_batches(void)
{
    for (int operation = 0; operation < FC_OPERATIONS; operation++) {
        if (operation == FC_CORR2D_WEIGHT_GRAD) continue; /* it sums over the batch */
        for (int i = 0; i < 60; i++) {
            call c = random_call((fc_operation)operation, false, false);
            for (int k = 0; k < 3; k++) {
                if (!is_float(c.in[k].dtype)) continue;
                for (size_t e = 0; e < c.in[k].count; e++)
                    set_value(&c.in[k], e, (double)(int64_t)random_bits() * 0x1p-62);
                if (c.in[k].block) buffer_keep(&c.in[k]);
            }
            each_variant(&c, compare_images, NULL);
            fc_set_batch_invariant(true);
            each_variant(&c, compare_choices, NULL);
            fc_set_batch_invariant(false);
            call_free(&c);
        }
    }
}
