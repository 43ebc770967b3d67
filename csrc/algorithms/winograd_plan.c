/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_plan.c -- the shape of a call of winograd.h: how its tiles and filters are cut, and which thread makes what. */
#include "algorithms/winograd.h"

#include <math.h>

#include "algorithms/grid.h"
#include "platform/memory.h"

#define MOST_CHANNELS ((ptrdiff_t)1 << 24) /* sizes of transforms stay far from overflow */
#define MOST_DILATION 8     /* as many problems, and tiles that follow each other; FC_WINOGRAD_ROWS is a multiple */
#define MOST_DEPTH 128      /* channels of one chain of sums: U of a piece of them fits a second-level cache */
#define MOST_TILES_APART 48 /* of a block that is a task */
#define FEWEST_TILES_APART 16
#define APART_BYTES (320 * 1024) /* of its V, aimed at */
#define BLOCKS_APART 16          /* so many blocks keep every thread busy */
#define FILTERS_PER_TILE 3
#define MOST_OWN_V ((ptrdiff_t)16 * 1024 * 1024) /* bytes of V of all tiles, and of all of U, that each thread makes */
#define MOST_OWN_U ((ptrdiff_t)4 * 1024 * 1024)
#define MOST_SHARED ((ptrdiff_t)64 * 1024 * 1024) /* bytes of V of all tiles, and of U of small groups, made first */
#define MOST_TILES_BY_PIECE 192                   /* M of all of them is held by each thread */
#define U_TILES 12                                /* whose products cost as much as U of a filter */
#define LARGE_U_TILES 120                         /* where it leaves the caches between the threads */
#define TILES_MORE 4 /* so much longer, in tiles and filters, a task takes for what is done once */
#define FILTERS_MORE 18

static const fc_winograd_shape shapes[] = {
    {FC_WINOGRAD_3X3, FC_WINOGRAD_3X3_GRAD, 1, {3, 3}, {4, 4}, false},
    {FC_WINOGRAD_3X3_SMALL, FC_WINOGRAD_FORMS, 1, {3, 3}, {2, 2}, true},
    {FC_WINOGRAD_3X3_APART, FC_WINOGRAD_3X3_APART_GRAD, 2, {3, 3}, {2, 2}, false},
    {FC_WINOGRAD_5X5, FC_WINOGRAD_5X5_GRAD, 1, {5, 5}, {2, 2}, false},
    {FC_WINOGRAD_3, FC_WINOGRAD_3_GRAD, 1, {1, 3}, {1, 4}, false},
    {FC_WINOGRAD_3, FC_WINOGRAD_3_GRAD, 1, {3, 1}, {4, 1}, false},
    {FC_WINOGRAD_7, FC_WINOGRAD_7_GRAD, 1, {1, 7}, {1, 3}, false},
    {FC_WINOGRAD_7, FC_WINOGRAD_7_GRAD, 1, {7, 1}, {3, 1}, false},
};

const fc_winograd_shape *fc_winograd_shape_of(const fc_problem *p)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (p->window[0] == shapes[i].taps[0] && p->window[1] == shapes[i].taps[1] &&
            p->stride[0] == shapes[i].stride && p->stride[1] == shapes[i].stride && p->small_tiles == shapes[i].small)
            return &shapes[i];
    return NULL;
}

const char *fc_winograd_decline(const fc_problem *p)
{
    if (p->dtype != FC_F32 && p->dtype != FC_F64) return "dtype is not float32 or float64";
    if (!fc_winograd_shape_of(p))
        return p->small_tiles ? "kernel is not 3x3 with stride 1"
                              : "kernel is not 3x3, 5x5, 1x3, 3x1, 1x7 or 7x1 with stride 1, or 3x3 with stride 2";
    const ptrdiff_t down = fc_winograd_dilation(p, 0), across = fc_winograd_dilation(p, 1);
    if (fc_strided(p) && (down > 1 || across > 1)) return "a stride and a dilation together";
    if (down > MOST_DILATION || across > MOST_DILATION) return "dilation is more than 8";
    if (p->layout == FC_NCHW && MOST_DILATION % across != 0) return "columns are 3, 5, 6 or 7 apart";
    if (!fc_fits_lanes(p)) return "an image is too wide or too far padded for 32-bit lane indices";
    if (!p->channels || !p->out_channels) return "there are no channels";
    if (p->channels > MOST_CHANNELS || p->out_channels > MOST_CHANNELS) return "there are more than 2^24 channels";
    if (p->batch > INT32_MAX) return "there are more than 2^31 images";
    return NULL;
}

/* Where V and M fit a second-level cache, or else so many that what is read from U is used often enough. */
static ptrdiff_t tiles_apart(ptrdiff_t tile_bytes)
{
    const ptrdiff_t tiles = APART_BYTES / tile_bytes / FEWEST_TILES_APART * FEWEST_TILES_APART;
    return tiles ? fc_min(tiles, MOST_TILES_APART) : MOST_TILES_APART;
}

/* V is made first, by all threads, in parts of some tiles and channels. */
static void share_v(const fc_problem *p, fc_winograd_plan *s)
{
    const ptrdiff_t unit = FC_WINOGRAD_TURNED * s->lanes;
    const ptrdiff_t parts = fc_max(1, p->groups * fc_ceil_div(s->total, FC_WINOGRAD_ROWS));
    s->together = true;
    s->v_parts = fc_min(fc_ceil_div(s->channels, unit), fc_ceil_div(FC_TASKS_A_THREAD * p->threads, parts));
    s->v_channels = fc_round_up(fc_ceil_div(s->channels, s->v_parts), unit);
}

/* ---- one thread or two, or groups that are tasks enough ----------------------------------------------------------- */

/* A cache line that another core has a copy of is slow to write, on cores without a common cache five times as slow: what
 * is made in the call and read by both threads costs more than to make it twice. V of a tile costs twice what U of a
 * filter does, so that raw weights bring pieces first where there are more than so many filters a tile. But V of
 * several blocks takes too long to be made twice: 1.2 times as long in all, on cores with a common cache. */
static void choose_owners(const fc_problem *p, fc_winograd_plan *s, ptrdiff_t element)
{
    const bool small_u = s->u_group <= MOST_OWN_U / element;
    const bool held = p->threads <= FC_FEW_THREADS || s->total <= MOST_TILES_BY_PIECE;
    if (p->weights_stay) return;
    s->by_piece = !s->apart && held && s->blocks <= MOST_OWN_V / element / s->v_block &&
                  (!small_u || s->filters > FILTERS_PER_TILE * s->total);
    s->own_weights = s->by_piece || small_u;
    if (s->by_piece && s->blocks > 1 && p->threads > 1 && p->groups * s->blocks <= MOST_OWN_V / element / s->v_block)
        share_v(p, s);
}

/* ---- more threads --------------------------------------------------------------------------------------------- */

/* The time of the slowest thread, in products of a tile and a filter: so many tasks, each with what is done once a row
 * and once a column. */
static double slowest(const fc_problem *p, ptrdiff_t tasks, ptrdiff_t tiles, ptrdiff_t filters)
{
    return (double)fc_ceil_div(p->groups * tasks, p->threads) * (double)(tiles + TILES_MORE) *
           (double)(filters + FILTERS_MORE);
}

/* Cuts of tiles and filters that keep all threads busy. Prepared weights lie in pieces already. */
static void cut_for_threads(const fc_problem *p, fc_winograd_plan *s, ptrdiff_t element)
{
    const ptrdiff_t most = FC_WINOGRAD_PIECE / s->lanes, tiles = fc_round_up(fc_max(1, s->total), FC_WINOGRAD_ROWS);
    const bool small_u = p->out_channels * s->channels * s->frequencies <= MOST_OWN_U / element;
    const double shared_u =
        p->weights_stay ? 0 : (double)p->out_channels * (small_u ? U_TILES : LARGE_U_TILES) / p->threads;
    double best = INFINITY;
    for (ptrdiff_t vectors = p->weights_stay ? most : 1; vectors <= most; vectors++) {
        const ptrdiff_t pieces = fc_ceil_div(s->vectors, vectors);
        const ptrdiff_t filters = fc_ceil_div(s->vectors, pieces) * s->lanes;
        for (ptrdiff_t block = FC_WINOGRAD_ROWS; block <= fc_min(tiles, FC_WINOGRAD_PIECE); block += FC_WINOGRAD_ROWS) {
            const double time = shared_u + slowest(p, pieces * fc_ceil_div(s->total, block), block, filters);
            if (time > best) continue;
            best = time;
            s->block = block;
            s->pieces = pieces;
            s->by_piece = false;
        }
        const double time = slowest(p, pieces, tiles + U_TILES, filters);
        if (p->weights_stay || time > best || tiles > MOST_TILES_BY_PIECE) continue;
        best = time;
        s->block = fc_min(tiles, FC_WINOGRAD_PIECE);
        s->pieces = pieces;
        s->by_piece = true;
    }
}

/* A thread's tasks follow each other: it reads few pieces of U and many blocks of V, or the other way round. */
static bool pieces_first(const fc_problem *p, const fc_winograd_plan *s)
{
    const ptrdiff_t blocks = fc_max(1, fc_ceil_div(s->total, s->block)),
                    tasks = fc_ceil_div(blocks * s->pieces, p->threads);
    const ptrdiff_t filters = fc_ceil_div(s->vectors, s->pieces) * s->lanes;
    const ptrdiff_t by_block = fc_ceil_div(tasks, s->pieces) * s->block + fc_min(tasks, s->pieces) * filters;
    const ptrdiff_t by_piece = fc_ceil_div(tasks, blocks) * filters + fc_min(tasks, blocks) * s->block;
    return by_piece < by_block;
}

/* Bytes of V of all blocks of all groups. */
static double shared_bytes(const fc_problem *p, const fc_winograd_plan *s, ptrdiff_t element)
{
    const double tiles = (double)fc_ceil_div(s->total, s->block) * (double)(s->block + FC_MAX_TILE_ROWS);
    const ptrdiff_t channels = fc_round_up(s->channels, s->lanes);
    return (double)p->groups * (double)s->frequencies * tiles * (double)channels * (double)element;
}

/* Shared transforms, if V fits and there are not blocks enough for all threads. */
static void share_out(const fc_problem *p, fc_winograd_plan *s, ptrdiff_t element)
{
    if (!s->apart) {
        fc_winograd_plan shared = *s;
        cut_for_threads(p, &shared, element);
        shared.pieces_first = pieces_first(p, &shared);
        share_v(p, &shared);
        if (shared_bytes(p, &shared, element) <= MOST_SHARED) {
            *s = shared;
            return;
        }
    }
    const ptrdiff_t rounds = fc_max(1, fc_ceil_div(s->total, p->threads * s->block));
    const ptrdiff_t block = fc_max(FEWEST_TILES_APART, fc_ceil_div(s->total, p->threads * rounds));
    s->apart = true;
    s->block = fc_min(s->block, fc_round_up(block, FC_WINOGRAD_ROWS));
}

/* Who makes U: of many small groups each thread what it needs. */
static void choose_shared_weights(const fc_problem *p, fc_winograd_plan *s, ptrdiff_t element)
{
    const bool small_u = s->u_group <= MOST_OWN_U / element, few = s->u_group <= MOST_SHARED / element / p->groups;
    if (p->weights_stay) return;
    s->own_weights = s->by_piece || (small_u && !few);
    s->shared_weights = !s->own_weights;
}

/* ---------------------------------------------------------------------------------------------------------------- */

fc_winograd_plan fc_winograd_plan_of(const fc_problem *p)
{
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), lanes = p->kernels->gemm[p->dtype].lanes;
    const ptrdiff_t slack = FC_MAX_TILE_ROWS; /* products compute whole tiles */
    /* Else groups are tasks enough. */
    const bool many = p->threads > FC_FEW_THREADS && 2 * p->groups < p->threads;
    const fc_winograd_shape *shape = fc_winograd_shape_of(p);
    fc_winograd_plan s = {.form = shape->form,
                          .stride = shape->stride,
                          .frequencies = 1,
                          .channels = p->channels / p->groups,
                          .filters = p->out_channels / p->groups,
                          .m_row = FC_WINOGRAD_PIECE};
    for (int i = 0; i < 2; i++) {
        s.tile[i] = shape->tile[i];
        s.dilation[i] = fc_winograd_dilation(p, i);
        s.window[i] = (s.tile[i] - 1) * s.stride + p->window[i];
        s.frequencies *= s.window[i];
    }
    s.tile_rows = fc_ceil_div(p->out[0], s.tile[0] * s.dilation[0]) * s.dilation[0];
    s.tiles = fc_ceil_div(p->out[1], s.tile[1] * s.dilation[1]) * s.dilation[1];
    s.total = p->batch * s.tile_rows * s.tiles;
    s.block = tiles_apart(s.frequencies * s.channels * element);
    s.lanes = lanes;
    s.vectors = fc_ceil_div(s.filters, lanes);
    s.pieces = fc_ceil_div(s.vectors * lanes, FC_WINOGRAD_PIECE);
    s.apart = s.total >= fc_max(BLOCKS_APART, p->threads) * s.block;
    if (many)
        share_out(p, &s, element);
    else if (!s.apart)
        s.block = fc_round_up(fc_max(1, fc_min(s.total, FC_WINOGRAD_PIECE)), FC_WINOGRAD_ROWS);
    s.blocks = fc_ceil_div(s.total, s.block);
    s.depth = fc_round_up(fc_ceil_div(s.channels, fc_ceil_div(s.channels, MOST_DEPTH)), FC_MAX_LANES);
    s.chunks = fc_ceil_div(s.channels, s.depth);
    s.piece = fc_ceil_div(s.vectors, s.pieces) * lanes;
    s.v_row = fc_round_up(s.channels, lanes);
    s.v_frequency = fc_odd_lines((s.block + slack) * s.v_row, element);
    s.v_block = fc_odd_lines(s.frequencies * s.v_frequency, element);
    s.u_frequency = fc_odd_lines(s.depth * s.piece, element);
    s.u_chunk = s.frequencies * s.u_frequency;
    s.u_piece = s.chunks * s.u_chunk;
    s.u_group = s.pieces * s.u_piece;
    if (many)
        choose_shared_weights(p, &s, element);
    else
        choose_owners(p, &s, element);
    s.m_frequency = fc_odd_lines((FC_WINOGRAD_PIECE + slack) * s.m_row, element);
    return s;
}
