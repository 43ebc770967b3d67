/* SPDX-License-Identifier: BSD-3-Clause */
/* transpose_runs.h -- as many runs as a vector has lanes, of RUN elements each that follow one another, and as many vectors of
 * the elements at one place of all runs. RUN is odd: element k of the runs is lane k % lanes of its vector, so that the
 * elements of one place have a lane each, and those that are as far apart as their lanes come from vectors that are so far
 * apart, too, in the order in which they are taken here. What remains is to turn the vectors of each lane by its number, a bit at
 * a time, and to put the lanes right. Included once per element type and RUN. */
#define RUNS(word) FC_PASTE(W(word), RUN)

static inline void RUNS(take_runs)(T *to, ptrdiff_t to_step, const T *from)
{
    enum { lanes = W(LANES), run = RUN };
    W(vec) v[run], next[run];
    UNROLL
    for (int j = 0; j < run; j++) v[lanes * j % run] = W(load)(from + j * lanes);
    UNROLL
    for (int bit = 1; bit < lanes; bit *= 2) {
        UNROLL
        for (int k = 0; k < run; k++) next[k] = W(take_lanes)(v[k], v[(k + lanes * run - bit) % run], bit);
        UNROLL
        for (int k = 0; k < run; k++) v[k] = next[k];
    }
    UNROLL
    for (int k = 0; k < run; k++) W(store)(to + k * to_step, W(permute)(v[k], run, k));
}

/* And back. */
static inline void RUNS(give_runs)(T *to, const T *from, ptrdiff_t from_step)
{
    enum { lanes = W(LANES), run = RUN, inverse = run * run * run }; /* modulo 16: the square of an odd square is 1 */
    W(vec) v[run], next[run];
    UNROLL
    for (int k = 0; k < run; k++) v[k] = W(permute)(W(load)(from + k * from_step), inverse, -inverse * k);
    UNROLL
    for (int bit = 1; bit < lanes; bit *= 2) {
        UNROLL
        for (int k = 0; k < run; k++) next[k] = W(take_lanes)(v[k], v[(k + bit) % run], bit);
        UNROLL
        for (int k = 0; k < run; k++) v[k] = next[k];
    }
    UNROLL
    for (int j = 0; j < run; j++) W(store)(to + j * lanes, v[lanes * j % run]);
}

#undef RUNS
#undef RUN
