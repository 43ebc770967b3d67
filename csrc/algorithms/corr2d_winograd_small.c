/* SPDX-License-Identifier: BSD-3-Clause */
/* corr2d_winograd_small.c -- F(2x2, 3x3) of winograd.h, in both layouts: 16 products a tile where F(4x4, 3x3) has 36.
 *
 * Large tiles leave 2.25 of the 9 multiplications of an output and small ones 4, but transformed weights of the large are 36/9 of
 * the weights and those of the small 16/9. On small maps there are few tiles to use them, reading them takes longer than the
 * products, and a large tile that is cut off by the map saves less. */
#include "algorithms/winograd.h"

#define LARGE_TILE 4
#define SMALL_TILE 2
#define FEWEST_CHANNELS 16
#define FEWEST_WEIGHTS 3e3 /* pairs of channels and filters */
#define ENOUGH_OUTPUTS 36  /* of all images, to transform weights in every call; */
#define FEWEST_OUTPUTS 16  /* of gradients, which others turn as well */
#define SINGLE_TILES 0.6   /* share of the products that is left, where large tiles hold a map each */
#define MANY_WEIGHTS 2.5e5 /* that are read as fast for all outputs at once */

static fc_problem small(const fc_problem *p)
{
    fc_problem s = *p;
    s.small_tiles = true;
    return s;
}

static const char *decline(const fc_problem *p)
{
    const fc_problem s = small(p);
    return fc_winograd_decline(&s);
}

/* Tiles of so many outputs along each axis, as products compute them: a whole tile of theirs at least. */
static double tiles(const fc_problem *p, ptrdiff_t side)
{
    const ptrdiff_t all = p->batch * fc_ceil_div(p->out[0], side) * fc_ceil_div(p->out[1], side);
    return (double)fc_round_up(all, FC_WINOGRAD_ROWS);
}

/* Pairs of channels and filters from which transformed weights for large tiles leave the caches. */
static double fewest_prepared(const fc_problem *p)
{
    if (!fc_vectors_are_wide(p)) return 2e5;
    return p->layout == FC_NCHW ? 4e4 : 1.2e5;
}

/* Measured over square maps of 3 to 20 pixels, 16 to 1024 channels and filters, one to eight images. It holds for maps of two
 * rows as well. */
static const char *pass(const fc_problem *p)
{
    const double pairs = (double)p->channels * (double)p->out_channels;
    if (!p->batch || p->out[0] * p->out[1] < 2) return "a tile is larger than the map";
    const double share = 16 * tiles(p, SMALL_TILE) / (36 * tiles(p, LARGE_TILE));
    if (p->groups > 1 || p->dilation[0] > 1 || p->dilation[1] > 1) return "there are groups or a dilation";
    if (share > 1) return "large tiles save more";
    if (fc_min(p->channels, p->out_channels) < FEWEST_CHANNELS || pairs < FEWEST_WEIGHTS)
        return "there are too few channels on one side";
    if (!p->weights_stay && p->batch * p->out[0] * p->out[1] < (p->turned ? FEWEST_OUTPUTS : ENOUGH_OUTPUTS))
        return "there are too few outputs to transform the weights for";
    if (share < SINGLE_TILES && pairs > MANY_WEIGHTS)
        return "there are too few outputs for so many transformed weights";
    if (share < SINGLE_TILES) return NULL;
    return p->weights_stay && pairs < fewest_prepared(p) ? "weights for large tiles stay in the caches" : NULL;
}

static size_t shared_bytes(const fc_problem *p)
{
    const fc_problem s = small(p);
    return fc_winograd_shared_bytes(&s);
}

static size_t slot_bytes(const fc_problem *p)
{
    const fc_problem s = small(p);
    return fc_winograd_slot_bytes(&s);
}

static size_t prepared_bytes(const fc_problem *p)
{
    const fc_problem s = small(p);
    return fc_winograd_prepared_bytes(&s);
}

static void prepare(const fc_problem *p, const void *w, void *prepared)
{
    const fc_problem s = small(p);
    fc_winograd_prepare(&s, w, prepared);
}

static void run(const fc_problem *p, const fc_operands *operands, const fc_workspace *workspace)
{
    const fc_problem s = small(p);
    fc_winograd_forward(&s, operands, workspace);
}

const fc_algorithm fc_corr2d_winograd_small = {
    .name = "winograd_small",
    .decline = decline,
    .pass = pass,
    .shared_bytes = shared_bytes,
    .slot_bytes = slot_bytes,
    .prepared_bytes = prepared_bytes,
    .reads_weights = true,
    .prepare = prepare,
    .run = run,
};
