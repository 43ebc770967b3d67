/* SPDX-License-Identifier: BSD-3-Clause */
/* Problems that are large enough for the paths that random ones, which are small, do not take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "groups.h"
#include "system.h"

/* As against_definition, with a limit for the calls alone. */
static void check_large(call c)
{
    number *wanted[2];
    reference(&c, wanted);
    limit_seconds(200);
    each_variant(&c, call_compare, wanted);
    limit_seconds(0);
    free(wanted[0]);
    free(wanted[1]);
    call_free(&c);
}

/* Square images and kernels of one group, or of as many as channels where `filters` is 0. */
static void correlate(int64_t channels, int64_t filters, int64_t side, int64_t taps, int64_t stride)
{
    for (int layout = 0; layout < 2; layout++)
        for (int wide = 0; wide < 2; wide++)
            for (int operation = FC_CORR2D; operation <= FC_CORR2D_WEIGHT_GRAD; operation++) {
                fc_corr2d_params p = plain_corr2d(wide ? FC_F64 : FC_F32, side, taps);
                p.layout = (fc_layout)layout;
                p.weight_layout = layout ? FC_HWIO : FC_OIHW;
                p.channels = channels;
                p.groups = filters ? 1 : channels;
                p.weight_channels = filters ? channels : 1;
                p.out_channels = filters ? filters : channels;
                p.stride[0] = p.stride[1] = stride;
                p.padding = FC_PAD_SAME;
                check_large(call_of_corr2d((fc_operation)operation, &p, true, false));
            }
}

static void compare_transforms(const call *c, const char *algorithm, void *context)
{
    if (!strncmp(algorithm, "winograd", 8)) call_compare(c, algorithm, context);
}

/* Input gradients by every form of Winograd's and every order of the weights, of more channels than one chain of sums and
 * one piece have. */
static void turn_weights(int64_t rows, int64_t columns)
{
    for (int layout = 0; layout < 2; layout++)
        for (int weights = 0; weights < 3; weights++) {
            fc_corr2d_params p = plain_corr2d(FC_F32, 6, rows);
            p.kernel[1] = columns;
            p.layout = (fc_layout)layout;
            p.weight_layout = (fc_weight_layout)weights;
            p.channels = p.weight_channels = 50;
            p.out_channels = 140;
            p.padding = FC_PAD_SAME;
            against_definition(call_of_corr2d(FC_CORR2D_INPUT_GRAD, &p, false, false), compare_transforms);
        }
}

static void pool(int64_t channels, int64_t side, int64_t rows, int64_t columns)
{
    for (int layout = 0; layout < 2; layout++)
        for (int operation = FC_MAX_POOL2D; operation <= FC_AVG_POOL2D_GRAD; operation++) {
            fc_pool2d_params q = plain_pool2d(FC_F32, side, rows);
            q.window[1] = columns;
            q.layout = (fc_layout)layout;
            q.channels = channels;
            q.padding = FC_PAD_SAME;
            check_large(call_of_pool2d((fc_operation)operation, &q, true, false));
        }
}

void test_large(void)
{
    const int threads = fc_get_num_threads();
    CHECK(fc_set_num_threads(3, NULL) == FC_OK, "3 threads");
    correlate(96, 72, 7, 3, 1);   /* few pixels, many channels: panels packed together, Winograd's pieces first */
    correlate(180, 180, 4, 3, 1); /* the same, from the weights alone */
    correlate(300, 40, 5, 1, 1);  /* more channels than one chain of sums */
    correlate(2, 3, 24, 17, 1);   /* more taps than one chain of sums */
    correlate(24, 0, 45, 3, 2);   /* depthwise, every second pixel, whole vectors */
    correlate(24, 0, 46, 3, 2);   /* the same, where the first window begins inside of the image */
    correlate(24, 0, 45, 5, 1);
    correlate(24, 0, 45, 7, 1);
    turn_weights(3, 3);
    turn_weights(5, 5);
    turn_weights(1, 3);
    turn_weights(3, 1);
    turn_weights(1, 7);
    turn_weights(7, 1);
    pool(3, 70, 31, 31);
    pool(37, 40, 9, 9);
    pool(128, 64, 33, 1); /* rows so wide that a stack keeps few of them */
    pool(64, 40, 29, 16); /* and rebuilds a kept one from the next */
    CHECK(fc_set_num_threads(2, NULL) == FC_OK, "2 threads");
    correlate(3, 150, 29, 3, 1); /* both make the inputs of several blocks of tiles, and each some pieces */
    CHECK(fc_set_num_threads(16, NULL) == FC_OK, "16 threads");
    correlate(96, 72, 14, 3, 1); /* channels in parts */
    correlate(20, 40, 40, 3, 1); /* blocks and pieces */
    correlate(20, 40, 21, 5, 1);
    correlate(300, 200, 8, 1, 1);
    CHECK(fc_set_num_threads(threads, NULL) == FC_OK, "%d threads", threads);
}
