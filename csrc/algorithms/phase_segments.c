/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/phase_segments.h"

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

/* The window's tap that is number t of the odd phase, or of the even one where it stands at the same place. */
static ptrdiff_t window_tap(const fc_grid_axis *a, ptrdiff_t at)
{
    return a->window_first + (a->tap_step ? (at - a->tap_first) / a->tap_step * a->window_step : 0);
}

bool fc_phase_segments_of(const fc_problem *p, const fc_group_grid *grid, const fc_lane_share *share,
                          fc_phase_segments *segments)
{
    const ptrdiff_t pixel = fc_group_members(p) * share->groups, lanes = share->lanes;
    const ptrdiff_t width = fc_group_read(grid, 1, grid->axis[1][0].points);
    const fc_grid_axis *axis[2][2]; /* even and odd */
    bool shared[2][FC_MOST_GROUP_TAPS];
    segments->count = 0;
    for (int i = 0; i < 2; i++) {
        const ptrdiff_t odd = grid->axis[i][1].taps >= grid->axis[i][0].taps;
        segments->odd_phase[i] = odd;
        axis[i][0] = &grid->axis[i][!odd];
        axis[i][1] = &grid->axis[i][odd];
        if (!find_shared(axis[i][0], axis[i][1], shared[i])) return false;
    }
    segments->of_row = axis[1][1]->taps;
    segments->most_taps = axis[0][1]->taps * axis[1][1]->taps;
    for (ptrdiff_t u = 0; u < axis[0][1]->taps; u++)
        for (ptrdiff_t v = 0; v < axis[1][1]->taps; v++) {
            fc_phase_segment *s = &segments->segments[segments->count++];
            const ptrdiff_t row = axis[0][1]->tap_first + u * axis[0][1]->tap_step;
            const ptrdiff_t column = axis[1][1]->tap_first + v * axis[1][1]->tap_step;
            const bool every_row = shared[0][u], every_column = shared[1][v];
            s->phases = every_row      ? every_column ? FC_EVERY_PHASE : FC_ODD_COLUMNS
                        : every_column ? FC_ODD_ROWS
                                       : FC_ODD_BOTH;
            s->at = ((row - grid->reach[0].first) * width + column - grid->reach[1].first) * pixel;
            for (int q = 0; q < FC_PHASES; q++) {
                const bool has = (q / 2 || every_row) && (q % 2 || every_column);
                s->tap[q] =
                    has ? (window_tap(axis[0][q / 2], row) * p->window[1] + window_tap(axis[1][q % 2], column)) * lanes
                        : 0;
            }
        }
    return true;
}
