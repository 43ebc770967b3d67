/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/planes_cost.h"

#define MUCH_SLOWER 1.25
#define SLOWER 1.05 /* where rules were measured before panels took runs */
#define MOST_DILATION 2
#define CALL 8000.0 /* of any of them */

/* The unit is a vector's multiplication and addition. Factors were fitted to 2,100 shapes of 1 to 512 channels, 1 to 768 filters,
 * kernels of 1x1 to 16x16, strides of 1 to 16 and maps of 4 to 224 pixels, on AVX-512 and AVX2; errors have a standard
 * deviation of 30%. */
typedef struct shape {
    double images, outputs, inputs; /* pixels of an image's plane */
    double filters, depth, taps;
    double vectors;     /* of the outputs of an image, */
    double row_vectors; /* and row by row */
    bool raw, apart, wide;
} shape;

static shape shape_of(const fc_problem *p)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes, outputs = p->out[0] * p->out[1];
    return (shape){.images = (double)p->batch,
                   .outputs = (double)outputs,
                   .inputs = (double)p->channels * (double)(p->in[0] * p->in[1]),
                   .filters = (double)p->out_channels,
                   .depth = (double)p->channels * (double)p->window[0] * (double)p->window[1],
                   .taps = (double)p->window[0] * (double)p->window[1],
                   .vectors = (double)fc_ceil_div(outputs, lanes),
                   .row_vectors = (double)p->out[0] * (double)fc_ceil_div(p->out[1], lanes),
                   .raw = !p->weights_stay,
                   .apart = fc_strided(p),
                   .wide = fc_vectors_are_wide(p)};
}

static double inner_product(const fc_problem *p, const shape *s)
{
    const double lanes = (double)p->kernels->gemm[p->dtype].lanes;
    const double copied = s->depth * (s->apart ? 3.2 : 1.5);
    const double multiplied = 1.15 * (double)fc_round_up(p->out_channels, 5) * (s->depth / lanes + 0.5);
    return s->images * s->outputs * (copied + multiplied + 5 * s->filters);
}

static double turned_gemm(const fc_problem *p, const shape *s)
{
    const bool rows = fc_turned_gemm_takes_rows(p);
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const double pixels = s->images * s->outputs;
    const double moved = 2 * s->images * (s->inputs + s->filters * s->outputs);
    const double packed = s->raw ? 1.6 * s->filters * s->depth : 0;
    const double multiplied = 1.05 * pixels * (double)fc_ceil_div(p->out_channels, lanes) * s->depth;
    return moved + packed + multiplied + pixels * (rows ? 5 * (double)p->window[0] : 18 * s->taps);
}

static double padded_rows(const fc_problem *p, const shape *s)
{
    const double copied = s->apart ? 2 * s->inputs : 0;
    const double begun = (double)p->out[0] * (75 * (double)p->window[0] * (double)p->channels + 18 * s->filters);
    return s->images * (copied + begun + (s->apart ? 1.3 : 1) * s->row_vectors * s->filters * s->depth);
}

/* Whether lanes lie apart and read runs of taps, all of them inside. */
static bool moves_runs(const fc_problem *p)
{
    return p->stride[1] > 2 && p->window[1] > 2 && p->dilation[1] == 1 && !p->pad_before[1] && !p->pad_after[1];
}

/* What a vector of a panel takes for a tap of a plane: pieces of rows, and what lies apart or reaches over the border. */
static double packed(const fc_problem *p, const shape *s)
{
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const bool rows = p->out[1] >= lanes, short_rows = 4 * p->out[1] <= lanes, large = s->taps > 25;
    if (moves_runs(p))
        return (s->wide ? 1 : 0.5) * (14 + 100 / (double)fc_min(p->window[1], lanes)) + (short_rows ? 25 : 0);
    double cost = short_rows ? 115 : 42;
    if (!s->apart) cost = rows ? 17 : short_rows ? 52 : 24;
    if (s->apart && p->stride[1] <= 2) cost = rows ? 25 : 45;
    return s->wide ? cost + (large ? 40 : 0) : 0.4 * cost + (large ? 20 : 0);
}

static double implicit_gemm(const fc_problem *p, const shape *s)
{
    const double multiplied = 1.1 * (double)fc_round_up(p->out_channels, 8);
    return s->images * s->vectors * (s->depth * (packed(p, s) + multiplied) + 7 * (s->filters + s->taps));
}

static double cost_of(const fc_problem *p, const shape *s, fc_planes_way way)
{
    static double (*const costs[])(const fc_problem *, const shape *) = {inner_product, turned_gemm, padded_rows,
                                                                         implicit_gemm};
    return CALL + costs[way](p, s);
}

static const fc_algorithm *const ways[FC_PLANES_WAYS] = {&fc_corr2d_inner_product, &fc_corr2d_turned_gemm,
                                                         &fc_corr2d_padded_rows, &fc_corr2d_implicit_gemm_nchw};

static const char *rules_of(const fc_problem *p, fc_planes_way way)
{
    static const char *(*const rules[])(const fc_problem *) = {fc_inner_product_rules, fc_turned_gemm_rules,
                                                               fc_padded_rows_rules};
    return way == FC_PLANES_IMPLICIT_GEMM ? NULL : rules[way](p);
}

/* Where the estimates speak: planes of one tap are rows as they lie, without what the ways differ in, and of what taps far
 * apart read they know nothing. */
static bool judges(const fc_problem *p)
{
    if (p->window[0] == 1 && p->window[1] == 1 && !fc_strided(p)) return false;
    for (int i = 0; i < 2; i++)
        if (p->window[i] > 1 && p->dilation[i] > MOST_DILATION) return false;
    return p->layout == FC_NCHW && p->operation == FC_CORR2D && !p->turned && p->groups == 1 && p->channels &&
           p->out_channels && (p->dtype == FC_F32 || p->dtype == FC_F64);
}

static fc_planes_way cheapest(const fc_problem *p, const shape *s)
{
    fc_planes_way best = FC_PLANES_IMPLICIT_GEMM;
    double least = cost_of(p, s, best);
    for (fc_planes_way way = FC_PLANES_IMPLICIT_GEMM; way-- > 0;) {
        const double cost = cost_of(p, s, way);
        if (cost >= least || ways[way]->decline(p)) continue;
        if (way == FC_PLANES_INNER_PRODUCT ? p->weights_stay : way == FC_PLANES_TURNED_GEMM && !fc_turned_gemm_fits(p))
            continue;
        best = way;
        least = cost;
    }
    return best;
}

static fc_planes_way way_of_rules(const fc_problem *p)
{
    for (int way = 0; way < FC_PLANES_IMPLICIT_GEMM; way++)
        if (!ways[way]->decline(p) && !rules_of(p, (fc_planes_way)way)) return (fc_planes_way)way;
    return FC_PLANES_IMPLICIT_GEMM;
}

/* Algorithms between them in the list. */
static bool others_take(const fc_problem *p)
{
    return fc_takes(&fc_corr2d_winograd_nchw, p) || fc_takes(&fc_corr2d_depthwise_block, p) ||
           fc_takes(&fc_corr2d_depthwise_nchw, p);
}

/* Whether a way is estimated to lose so much to the best that its rules are not heeded. */
static bool is_slow(const fc_problem *p, const shape *s, fc_planes_way way, fc_planes_way best)
{
    return cost_of(p, s, way) > (moves_runs(p) ? SLOWER : MUCH_SLOWER) * cost_of(p, s, best);
}

const char *fc_planes_pass(const fc_problem *p, fc_planes_way way)
{
    const char *reason = rules_of(p, way);
    if (!judges(p)) return reason;
    const shape s = shape_of(p);
    const fc_planes_way best = cheapest(p, &s);
    if (way != best)
        return reason || !is_slow(p, &s, way, best) || others_take(p) ? reason
                                                                      : "another is estimated to be much faster";
    if (!reason || !is_slow(p, &s, way_of_rules(p), best) || others_take(p)) return reason;
    return NULL;
}
