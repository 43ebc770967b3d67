/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/grouped_segments.h"

#include "algorithms/blocking.h"
#include "platform/parallel.h"

/* Which of the odd phase's taps the even one has, too; false where it has others. */
static bool find_shared(const fc_grid_axis *even, const fc_grid_axis *odd, bool shared[FC_MOST_GROUP_TAPS])
{
    ptrdiff_t found = 0;
    for (ptrdiff_t t = 0; t < odd->taps; t++) {
        const ptrdiff_t at = odd->tap_first + t * odd->tap_step;
        shared[t] = found < even->taps && even->tap_first + found * even->tap_step == at;
        found += shared[t];
    }
    return found == even->taps;
}

/* Sums in more than one chunk are made phase by phase. */
static bool one_chunk(const fc_problem *p, const fc_grid_axis *rows, const fc_grid_axis *columns)
{
    return rows->taps * columns->taps * fc_group_members(p) <= FC_DEPTH;
}

/* The window's tap that is number t of the odd phase, or of the even one where it stands at the same place. */
static ptrdiff_t window_tap(const fc_grid_axis *a, ptrdiff_t at)
{
    return a->window_first + (a->tap_step ? (at - a->tap_first) / a->tap_step * a->window_step : 0);
}

void fc_group_segments_of(const fc_problem *p, const fc_group_grid *grid, fc_group_segments *segments)
{
    const ptrdiff_t members = fc_group_members(p), width = fc_group_read(grid, 1, grid->axis[1][0].points);
    const ptrdiff_t lanes = p->kernels->gemm[p->dtype].lanes;
    const fc_grid_axis *axis[2][2]; /* even and odd */
    bool shared[2][FC_MOST_GROUP_TAPS];
    segments->count = 0;
    if (!p->kernels->gemm[p->dtype].group_points || grid->phases[0] != 2 || grid->phases[1] != 2) return;
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t odd = grid->axis[i][1].taps >= grid->axis[i][0].taps;
        segments->odd_phase[i] = odd;
        axis[i][0] = &grid->axis[i][!odd];
        axis[i][1] = &grid->axis[i][odd];
        if (!find_shared(axis[i][0], axis[i][1], shared[i])) return;
    }
    if (!one_chunk(p, axis[0][1], axis[1][1])) return;
    for (ptrdiff_t u = 0; u < axis[0][1]->taps; u++)
        for (ptrdiff_t v = 0; v < axis[1][1]->taps; v++) {
            fc_group_segment *s = &segments->segments[segments->count++];
            const ptrdiff_t row = axis[0][1]->tap_first + u * axis[0][1]->tap_step;
            const ptrdiff_t column = axis[1][1]->tap_first + v * axis[1][1]->tap_step;
            const bool every_row = shared[0][u], every_column = shared[1][v];
            s->phases = every_row      ? every_column ? FC_EVERY_PHASE : FC_ODD_COLUMNS
                        : every_column ? FC_ODD_ROWS
                                       : FC_ODD_BOTH;
            s->at = ((row - grid->reach[0].first) * width + column - grid->reach[1].first) * members;
            for (int q = 0; q < FC_PHASES_TOGETHER; q++) {
                const bool has = (q / 2 || every_row) && (q % 2 || every_column);
                s->tap[q] =
                    has ? (window_tap(axis[0][q / 2], row) * p->window[1] + window_tap(axis[1][q % 2], column)) * lanes
                        : 0;
            }
        }
}

typedef struct packing {
    const fc_problem *p;
    const char *w;
    char *to;
} packing;

static void pack_group(void *context, ptrdiff_t group, int slot)
{
    const packing *c = context;
    const fc_problem *p = c->p;
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const fc_strides steps = fc_weight_strides(p); /* c: of an output, n: of a member */
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(p->dtype), taps = p->window[0] * p->window[1];
    const ptrdiff_t members = fc_group_members(p), lanes = kernels->lanes, vectors = fc_group_vectors(p);
    const char *w = c->w + group * members * steps.n * element;
    char *to = c->to + group * vectors * members * taps * lanes * element;
    (void)slot;
    for (ptrdiff_t vector = 0; vector < vectors; vector++, to += members * taps * lanes * element) {
        const char *from = w + fc_group_vector(fc_group_outputs(p), lanes, vector) * steps.c * element;
        if (p->weight_layout == FC_OIHW) {
            kernels->transpose(&(fc_transpose){.rows = lanes,
                                               .columns = taps,
                                               .from = from,
                                               .from_step = steps.c,
                                               .to = to,
                                               .to_step = lanes,
                                               .more = members - 1,
                                               .from_next = steps.n,
                                               .to_next = taps * lanes});
            continue;
        }
        for (ptrdiff_t t = 0; t < taps; t++) {
            const char *tap = from + (t / p->window[1] * steps.h + t % p->window[1] * steps.w) * element;
            char *home = to + t * lanes * element;
            if (steps.c == 1)
                kernels->copy_pixels(members, lanes, home, taps * lanes, tap, steps.n);
            else
                kernels->transpose(&(fc_transpose){.rows = lanes,
                                                   .columns = members,
                                                   .from = tap,
                                                   .from_step = steps.c,
                                                   .to = home,
                                                   .to_step = taps * lanes});
        }
    }
}

void fc_group_segments_prepare(const fc_problem *p, const void *w, void *prepared)
{
    const packing c = {p, w, prepared};
    fc_parallel_shares(p->groups, fc_group_packing_threads(p), true, pack_group, (void *)&c);
}
