/* SPDX-License-Identifier: BSD-3-Clause */
/* run_tile.h -- see fc_run_tile: the sums of RUNS runs of RUN points stay in registers, and a value that is read once serves all
 * taps of a row. Included once per element type, GROUPS, RUN and RUNS. */
#define RUN_NAME(word) FC_PASTE(FC_PASTE(FC_PASTE(W(word), GROUPS), RUN), RUNS)

/* Not every point, or to where something is. */
__attribute__((noinline)) static void RUN_NAME(put_runs)(const fc_run_tile *d, const T *sums)
{
    for (int r = 0; r < RUNS; r++) {
        T *y = (T *)d->y[r] + d->first[r] * d->y_pixel;
        for (int p = d->first[r]; p < RUN; p++, y += d->y_pixel)
            FC_PASTE(W(put_lanes), GROUPS)(y, W(load)(sums + (r * RUN + p) * W(LANES)), d->y_group, d->add);
    }
}

static void RUN_NAME(run_tile)(const fc_run_tile *d)
{
    enum { lanes = W(LANES), run = RUN, taps = FC_RUN_TAPS };
    const ptrdiff_t w_member = d->w_member, w_column = d->w_column, y_pixel = d->y_pixel;
    bool every = !d->add && FC_PASTE(W(lanes_follow), GROUPS)(d->y_group);
    for (int r = 0; r < RUNS; r++) every = every && !d->first[r];
    W(vec) sum[RUNS][run];
    UNROLL
    for (int r = 0; r < RUNS; r++) {
        UNROLL
        for (int p = 0; p < run; p++) sum[r][p] = W(zero)();
    }
    for (ptrdiff_t c = 0; c < d->chunks; c++)
        for (ptrdiff_t i = 0; i < d->rows; i++) {
            const T *x[RUNS], *w[RUNS];
            UNROLL
            for (int r = 0; r < RUNS; r++) {
                x[r] = (const T *)d->x[r] + c * d->x_chunk + i * d->x_row;
                w[r] = (const T *)d->w[r] + c * d->w_chunk + i * d->w_row;
            }
            for (int m = 0; m < lanes / GROUPS; m++) {
                W(vec) factor[RUNS][taps];
                UNROLL
                for (int r = 0; r < RUNS; r++) {
                    UNROLL
                    for (int t = 0; t < taps; t++) factor[r][t] = W(load)(w[r] + t * w_column);
                }
                UNROLL
                for (int j = 0; j < run + taps - 1; j++) {
                    UNROLL
                    for (int r = 0; r < RUNS; r++) {
                        const W(vec) value = SPLAT(x[r] + j * lanes);
                        UNROLL
                        for (int t = 0; t < taps; t++)
                            if (j >= t && j - t < run) sum[r][j - t] = W(fma)(value, factor[r][t], sum[r][j - t]);
                    }
                }
                UNROLL
                for (int r = 0; r < RUNS; r++) {
                    x[r] += GROUPS;
                    w[r] += w_member;
                }
            }
        }
    if (every) {
        UNROLL
        for (int r = 0; r < RUNS; r++) {
            T *y = d->y[r];
            UNROLL
            for (int p = 0; p < run; p++) W(store)(y + p * y_pixel, FC_PASTE(W(apart), GROUPS)(sum[r][p]));
        }
    } else {
        T sums[RUNS * run * lanes];
        UNROLL
        for (int r = 0; r < RUNS; r++) {
            UNROLL
            for (int p = 0; p < run; p++) W(store)(sums + (r * run + p) * lanes, sum[r][p]);
        }
        RUN_NAME(put_runs)(d, sums);
    }
}

#undef RUN_NAME
#undef RUNS
