/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_blocks.h -- see fc_pool_blocks: OP on vectors, START changes nothing. Four vectors go side by side, so that one
 * chain does not wait for itself. VECTORS, MORE and DIVIDE are constants where this is inlined. */

/* One result of a block, or so many vectors of it: a suffix and what lies behind it, with MORE one item more, at x. */
static inline __attribute__((always_inline)) void F(blocks_result)(const fc_pool_vector at[4], T *y, const T *x,
                                                                   const T *suffix, FC_PASTE(vec, S) behind[4],
                                                                   ptrdiff_t ahead, double scale, const int vectors,
                                                                   const bool more, const bool divide)
{
    enum { lanes = FC_PASTE(LANES, S) };
    for (int k = 0; k < vectors; k++) {
        FC_PASTE(vec, S) value;
        if (more) fc_fetch(x + at[k].x, ahead);
        if (more) behind[k] = OP(behind[k], W(load)(x + at[k].x));
        value = OP(W(load)(suffix + k * lanes), behind[k]);
        if (divide) {
            const T divisor = (T)scale * (T)at[k].count;
            value = value / W(splat)(&divisor);
        }
        W(store)(y + at[k].y, value);
    }
}

/* The fields are read once: what is stored could be one of them, for all that the compiler knows. */
static inline __attribute__((always_inline)) void F(blocks_some)(const fc_pool_blocks *a, const fc_pool_vector *vector,
                                                                 const int vectors, const bool divide)
{
    enum { lanes = FC_PASTE(LANES, S) };
    const ptrdiff_t window = a->window, before = a->before, items = a->items, results = a->results;
    const ptrdiff_t x_step = a->x_step, y_step = a->y_step, step = vectors * lanes,
                    ahead = a->ahead * (ptrdiff_t)sizeof(T);
    const T start = START, *const item = a->x, *const behind = item + a->behind;
    const double *const scales = a->scales;
    T *const suffixes = a->suffixes, *y = a->y;
    fc_pool_vector at[4];
    for (int k = 0; k < vectors; k++) at[k] = vector[k];
    for (ptrdiff_t result = 0; result < results; result += window) {
        const ptrdiff_t begin = result - before, end = begin + window;
        const ptrdiff_t first = begin > 0 ? begin : 0, middle = end < items ? end : items;
        const ptrdiff_t block = results - result < window ? results - result : window;
        const ptrdiff_t grown = items - end + 1 < block ? items - end + 1 : block;
        FC_PASTE(vec, S) value[4];
        const T *x = item + (middle - 1) * x_step, *suffix = suffixes;
        T *kept = suffixes + (middle - 1 - first) * step;
        ptrdiff_t t = 1;
        for (int k = 0; k < vectors; k++) value[k] = W(splat)(&start);
        for (ptrdiff_t left = middle - first; left > 0; left--, x -= x_step, kept -= step)
            for (int k = 0; k < vectors; k++) {
                fc_fetch(x + at[k].x, ahead);
                value[k] = OP(W(load)(x + at[k].x), value[k]);
                W(store)(kept + k * lanes, value[k]);
            }
        for (int k = 0; k < vectors; k++) value[k] = W(splat)(&start);
        F(blocks_result)(at, y, NULL, suffix, value, ahead, divide ? scales[result] : 0, vectors, false, divide);
        y += y_step;
        x = behind + end * x_step;
        for (; t < grown; t++, y += y_step, x += x_step) {
            if (begin + t > 0) suffix += step;
            F(blocks_result)(at, y, x, suffix, value, ahead, divide ? scales[result + t] : 0, vectors, true, divide);
        }
        for (; t < block; t++, y += y_step) {
            if (begin + t > 0) suffix += step;
            F(blocks_result)
            (at, y, NULL, suffix, value, ahead, divide ? scales[result + t] : 0, vectors, false, divide);
        }
    }
}

static inline __attribute__((always_inline)) void F(blocks_all)(const fc_pool_blocks *a, const bool divide)
{
    ptrdiff_t v = 0;
    for (; v + 4 <= a->vectors; v += 4) F(blocks_some)(a, a->vector + v, 4, divide);
    for (; v + 2 <= a->vectors; v += 2) F(blocks_some)(a, a->vector + v, 2, divide);
    if (v < a->vectors) F(blocks_some)(a, a->vector + v, 1, divide);
}

static void F(blocks)(const fc_pool_blocks *a)
{
    if (a->scales)
        F(blocks_all)(a, true);
    else
        F(blocks_all)(a, false);
}

/* OP where there is no NaN; maxima are not divided. */
#ifdef SHIFTS
#define PLAIN_OP(a, b) (FILLED ? W(max)(a, b) : OP(a, b))
#else
#define PLAIN_OP OP
#endif

static inline __attribute__((always_inline)) FC_PASTE(vec, S)
    F(combine_vector)(ptrdiff_t i, ptrdiff_t parts, const void *const *part, const bool plain, T scale, const T *counts)
{
    FC_PASTE(vec, S) value = W(load)((const T *)part[0] + i);
    for (ptrdiff_t j = 1; j < parts; j++) {
        const FC_PASTE(vec, S) next = W(load)((const T *)part[j] + i);
        value = plain ? PLAIN_OP(value, next) : OP(value, next);
    }
    if (counts && !FILLED) value = value / (W(splat)(&scale) * W(load)(counts + i));
    return value;
}

static inline __attribute__((always_inline)) void F(combine_parts)(ptrdiff_t n, T *d, ptrdiff_t parts,
                                                                   const void *const *part, const bool plain,
                                                                   double scale, const T *counts)
{
    enum { lanes = FC_PASTE(LANES, S) };
    ptrdiff_t i = 0;
    for (; i + lanes <= n; i += lanes) W(store)(d + i, F(combine_vector)(i, parts, part, plain, (T)scale, counts));
    if (i < n)
        W(store_masked)(d + i, W(first_lanes)(n - i), F(combine_vector)(i, parts, part, plain, (T)scale, counts));
}

/* Pointers to a few parts are kept in registers. */
static inline __attribute__((always_inline)) void F(combine_some)(ptrdiff_t n, void *dst, ptrdiff_t parts,
                                                                  const void *const *part, const bool plain,
                                                                  double scale, const T *counts)
{
    const void *some[5];
    for (ptrdiff_t j = 0; j < 5; j++) some[j] = part[j < parts ? j : 0];
    if (parts == 2)
        F(combine_parts)(n, dst, 2, some, plain, scale, counts);
    else if (parts == 3)
        F(combine_parts)(n, dst, 3, some, plain, scale, counts);
    else if (parts == 4)
        F(combine_parts)(n, dst, 4, some, plain, scale, counts);
    else if (parts == 5)
        F(combine_parts)(n, dst, 5, some, plain, scale, counts);
    else
        F(combine_parts)(n, dst, parts, part, plain, scale, counts);
}

static void F(combine)(ptrdiff_t n, void *dst, ptrdiff_t parts, const void *const *part, bool plain, double scale,
                       const void *counts)
{
    if (counts && !FILLED)
        F(combine_some)(n, dst, parts, part, false, scale, counts);
    else if (plain && FILLED)
        F(combine_some)(n, dst, parts, part, true, scale, NULL);
    else
        F(combine_some)(n, dst, parts, part, false, scale, NULL);
}

#ifdef SHIFTS
typedef struct F(spans_state) {
    FC_PASTE(vec, S) before[8];
    T *dst[FC_MOST_DOUBLINGS];
    ptrdiff_t step, vectors;
    bool plain;
} F(spans_state);

/* Vector v of the elements makes one of the spans 2 << k long: `q` vectors further behind with each doubling, that many of
 * which wait in `before`. The last `whole` doublings are by 1, 2, 4 … vectors. Returns that of the longest; LOWER: the others
 * are stored, all of them INSIDE the row. `doublings` and `whole` are constants where this is inlined. */
static inline __attribute__((always_inline)) FC_PASTE(vec, S)
    F(spans_step)(F(spans_state) * state, ptrdiff_t v, FC_PASTE(vec, S) value, const int doublings, const int whole,
                  const bool lower, const bool inside)
{
    FC_PASTE(vec, S) *before = state->before;
    if (FILLED) state->plain &= !W(any_nan)(value);
#pragma GCC unroll 4
    for (int k = 0; k < doublings; k++) {
        const FC_PASTE(vec, S) next = value, from = before[0];
        const int level = k - (doublings - whole), q = level < 0 ? 1 : 1 << level;
        value = PLAIN_OP(from, level < 0 ? W(lanes_from)(from, next, state->step << k) : next);
#pragma GCC unroll 4
        for (int i = 1; i < q; i++) before[i - 1] = before[i];
        before[q - 1] = next;
        before += q;
        v -= q;
        if (lower && k < doublings - 1 && state->dst[k] && (inside || (v >= 0 && v < state->vectors)))
            W(store)(state->dst[k] + v * FC_PASTE(LANES, S), value);
    }
    return value;
}

static inline __attribute__((always_inline)) bool F(spans_of)(ptrdiff_t n, ptrdiff_t step, const int doublings,
                                                              const int whole, void *const *dst, const T *s,
                                                              const bool lower)
{
    enum { lanes = FC_PASTE(LANES, S) };
    F(spans_state) state = {.step = step, .vectors = (n - 1) / lanes + 1, .plain = true};
    const ptrdiff_t vectors = state.vectors, late = doublings - whole + (1 << whole) - 1;
    T *d = dst[doublings - 1];
    ptrdiff_t v = 0;
    for (int k = 0; k < doublings; k++) state.dst[k] = dst[k];
    for (; v < late; v++)
        F(spans_step)(&state, v, W(load)(s + (v < vectors ? v : vectors - 1) * lanes), doublings, whole, lower, false);
    for (; v < vectors; v++, d += lanes)
        W(store)(d, F(spans_step)(&state, v, W(load)(s + v * lanes), doublings, whole, lower, true));
    for (; v < vectors + late; v++, d += lanes)
        W(store)(d, F(spans_step)(&state, v, W(load)(s + (vectors - 1) * lanes), doublings, whole, lower, false));
    return state.plain;
}

static inline __attribute__((always_inline)) bool F(spans_whole)(ptrdiff_t n, ptrdiff_t step, int doublings,
                                                                 const int whole, void *const *dst, const void *src)
{
    bool lower = false;
    for (int k = 0; k < doublings - 1; k++) lower |= dst[k] != NULL;
#define SPANS(count)                                                                   \
    if (whole < count && doublings == count)                                           \
        return lower && count > 1 ? F(spans_of)(n, step, count, whole, dst, src, true) \
                                  : F(spans_of)(n, step, count, whole, dst, src, false);
    SPANS(1)
    SPANS(2)
    SPANS(3)
#undef SPANS
    return lower ? F(spans_of)(n, step, 4, whole, dst, src, true) : F(spans_of)(n, step, 4, whole, dst, src, false);
}

static bool F(spans)(ptrdiff_t n, ptrdiff_t step, int doublings, void *const *dst, const void *src)
{
    int inside = 1; /* doublings by less than a vector */
    while (inside < doublings && step << inside < FC_PASTE(LANES, S)) inside++;
    if (inside == doublings) return F(spans_whole)(n, step, doublings, 0, dst, src);
    if (inside == doublings - 1) return F(spans_whole)(n, step, doublings, 1, dst, src);
    if (inside == doublings - 2) return F(spans_whole)(n, step, doublings, 2, dst, src);
    return F(spans_whole)(n, step, doublings, 3, dst, src);
}
#endif
#undef PLAIN_OP
