/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/lane_weights.h"

#include "algorithms/algorithm.h"
#include "algorithms/turned_taps.h"

#define FEW_LANES 4   /* of a group */
#define MANY_LANES 16 /* and of a vector */
#define SOME_OUTPUTS 64
#define MANY_OUTPUTS 576
#define MANY_BYTES (4 * 1024 * 1024)

fc_lane_share fc_lane_share_of(const fc_problem *p)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t members = fc_group_members(p), outputs = fc_group_outputs(p), lanes = kernels->lanes;
    fc_lane_share share = {.groups = outputs >= lanes, .lanes = lanes};
    for (int k = 0; k < FC_LANE_SHARES && kernels->share_lanes[k]; k++) {
        const ptrdiff_t groups = (ptrdiff_t)1 << k;
        if (p->groups % groups || members * groups % lanes || outputs * groups % lanes) continue;
        if (groups > 1 && outputs >= lanes && fc_strided(p)) continue;
        share.groups = groups;
        share.kernel = k;
        break;
    }
    if (!share.groups) return share;
    share.count = p->groups / share.groups;
    share.outputs = outputs * share.groups;
    share.vectors = fc_ceil_div(share.outputs, lanes);
    share.each = lanes / share.groups;
    return share;
}

/* Outputs of a map from which on shared vectors are faster. Blocks turn pixels in NHWC, and want enough groups to fill vectors.
 * Four groups, or two of eight lanes, leave each few lanes. Whole vectors, of eight lanes, are slower on the smallest maps alone. */
static ptrdiff_t enough_outputs(const fc_problem *p, const fc_lane_share *share)
{
    const bool pairs = share->groups == 2 && share->lanes >= MANY_LANES, left = p->groups % share->lanes > 0;
    if (share->groups == 1) return left ? 0 : SOME_OUTPUTS;
    if (p->layout == FC_NHWC) return pairs || left ? 0 : MANY_OUTPUTS;
    if (p->groups <= share->lanes / 2 || (pairs && left)) return 0;
    return pairs || left ? MANY_OUTPUTS : PTRDIFF_MAX;
}

/* Measured on AVX-512 over 2 to 128 groups of 2 to 12 channels and maps of 7 to 56 pixels, with a stride of two and without, one image
 * and eight. */
bool fc_blocks_win(const fc_problem *p, const fc_lane_share *share)
{
    const ptrdiff_t bytes = p->batch * p->channels * p->in[0] * p->in[1] * (ptrdiff_t)fc_dtype_size(p->dtype);
    if (fc_group_outputs(p) >= MANY_LANES || !fc_takes(&fc_corr2d_input_grad_grouped_block, p)) return false;
    return p->in[0] * p->in[1] < enough_outputs(p, share) || (share->each <= FEW_LANES && bytes > MANY_BYTES);
}

ptrdiff_t fc_lane_weight_bytes(const fc_problem *p)
{
    return p->window[0] * p->window[1] * fc_group_members(p) * fc_vector_bytes(p);
}

/* What a vector is made of: the lanes of its first group begin at `from`. */
typedef struct packing {
    const fc_problem *p;
    const fc_lane_share *share;
    const fc_gemm_kernels *kernels;
    const char *from;
    ptrdiff_t taps, members, element;
    ptrdiff_t of_group, of_output, of_member; /* elements */
} packing;

/* The taps of outputs that follow each other, of several groups: those of a member are put together, and turned. */
static void pack_runs(const packing *c, char *to)
{
    const ptrdiff_t lanes = c->share->lanes, each = c->share->each * c->taps, all = lanes * c->taps;
    const ptrdiff_t most = FC_MOST_GROUP_TAPS / c->taps;
    _Alignas(64) char room[FC_MOST_GROUP_TAPS * FC_MAX_LANES * sizeof(double)];
    for (ptrdiff_t m = 0; m < c->members; m += most) {
        const ptrdiff_t members = fc_min(most, c->members - m);
        for (ptrdiff_t g = 0; g < c->share->groups; g++)
            c->kernels->copy_pixels(members, each, room + g * each * c->element, all,
                                    c->from + (g * c->of_group + m * c->of_member) * c->element, c->of_member);
        fc_transpose turn = fc_turned_taps(c->taps, members, all, lanes);
        turn.rows = lanes;
        turn.from = room;
        turn.from_step = c->taps;
        turn.to = to + m * all * c->element;
        c->kernels->transpose(&turn);
    }
}

static void pack_taps(const packing *c, char *to)
{
    fc_transpose turn = fc_turned_taps(c->taps, c->members, c->of_member, c->share->lanes);
    turn.rows = c->share->lanes;
    turn.from = c->from;
    turn.from_step = c->of_output;
    turn.to = to;
    c->kernels->transpose(&turn);
}

/* Tap by tap, where a tap's outputs or members are neighbours: taps lie apart evenly. */
static void pack_group(const packing *c, const char *from, char *to)
{
    const ptrdiff_t lanes = c->share->lanes, outputs = c->share->each, tap = fc_weight_strides(c->p).w;
    if (c->of_output == 1) {
        for (ptrdiff_t t = 0; t < c->taps; t++)
            c->kernels->copy_pixels(c->members, outputs, to + t * lanes * c->element, c->taps * lanes,
                                    from + t * tap * c->element, c->of_member);
        return;
    }
    c->kernels->transpose(&(fc_transpose){.rows = outputs,
                                          .columns = c->members,
                                          .from = from,
                                          .from_step = c->of_output,
                                          .to = to,
                                          .to_step = c->taps * lanes,
                                          .from_ahead = tap * c->element,
                                          .more = c->taps - 1,
                                          .from_next = tap,
                                          .to_next = lanes});
}

void fc_lane_weights(const fc_problem *p, const fc_lane_share *share, const void *w, ptrdiff_t index, ptrdiff_t vector,
                     fc_range members, void *packed)
{
    const fc_strides steps = fc_weight_strides(p);
    packing c = {.p = p,
                 .share = share,
                 .kernels = &p->kernels->gemm[p->dtype],
                 .taps = p->window[0] * p->window[1],
                 .members = members.end - members.first,
                 .element = (ptrdiff_t)fc_dtype_size(p->dtype),
                 .of_group = p->out_channels / p->groups * steps.n,
                 .of_output = steps.c,
                 .of_member = steps.n};
    c.from = (const char *)w + (index * share->groups * c.of_group + fc_lane_output(share, vector) * c.of_output +
                                members.first * c.of_member) *
                                   c.element;
    if (p->weight_layout != FC_OIHW)
        for (ptrdiff_t g = 0; g < share->groups; g++)
            pack_group(&c, c.from + g * c.of_group * c.element, (char *)packed + g * share->each * c.element);
    else if (share->groups > 1)
        pack_runs(&c, packed);
    else
        pack_taps(&c, packed);
    if (share->groups == 1) return;
    c.kernels->share_lanes[share->kernel](&(fc_share_lanes){.pixels = c.members * c.taps,
                                                            .chunks = 1,
                                                            .from_pixel = share->lanes,
                                                            .from_group = share->each,
                                                            .to_pixel = share->lanes,
                                                            .from = packed,
                                                            .to = packed});
}
