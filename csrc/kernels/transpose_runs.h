/* SPDX-License-Identifier: BSD-3-Clause */
/* transpose_runs.h -- runs of RUN elements each that follow one another, up to as many as a vector has lanes: a vector of the
 * elements at each place of all runs. RUN is odd, so that these have a lane of their own each, k % lanes for element k of the
 * runs; and from one lane to the next the vector that has the element is always as many further. What remains is to
 * turn the vectors of each lane by its number, a bit at a time, and to put the lanes right. Included once per element type and
 * RUN. */
static inline void FC_PASTE(W(take_runs), RUN)(T *to, ptrdiff_t to_step, const T *from, ptrdiff_t runs, bool fill)
{
    enum { lanes = W(LANES), run = RUN };
    const W(mask) mask = W(first_lanes)(runs);
    W(vec) v[run], next[run];
    if (runs >= lanes) {
        UNROLL
        for (int j = 0; j < run; j++) v[lanes * j % run] = W(load)(from + j * lanes);
    } else {
        UNROLL
        for (int j = 0; j < run; j++) {
            const ptrdiff_t left = runs * run - j * lanes;
            v[lanes * j % run] = left > 0 ? W(load_first)(from + j * lanes, left, W(first_lanes)(left)) : W(zero)();
        }
    }
    UNROLL
    for (int bit = 1; bit < lanes; bit *= 2) {
        UNROLL
        for (int k = 0; k < run; k++) next[k] = W(take_lanes)(v[k], v[(k + lanes * run - bit) % run], bit);
        UNROLL
        for (int k = 0; k < run; k++) v[k] = next[k];
    }
    UNROLL
    for (int k = 0; k < run; k++) W(store_first)(to + k * to_step, W(permute)(v[k], run, k), fill ? lanes : runs, mask);
}
#undef RUN
