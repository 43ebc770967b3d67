/* SPDX-License-Identifier: BSD-3-Clause */
/* phase_tile.h -- see fc_phase_tile: the sums of all points and phases stay in registers, and a value that is read
 * once serves every phase of its segment. Included once per element type, GROUPS, and whether points are NEIGHBOURS. */
#define PHASE_NAME(word) FC_PASTE(FC_PASTE(W(word), GROUPS), NEIGHBOURS)
#define EACH_POINT FC_PASTE(GROUP_EACH, PHASE_POINTS)
#define LATER_PHASES(DO, a) DO(a, 1) DO(a, 2) DO(a, 3)
#define EVERY_PHASE(DO, a) DO(a, 0) LATER_PHASES(DO, a)
#define ODD_COLUMNS(DO, a) DO(a, 1) DO(a, 3)
#define ODD_ROWS(DO, a) DO(a, 2) DO(a, 3)
#define ODD_BOTH(DO, a) DO(a, 3)

#define START(p, q) W(vec) sum##p##_##q = W(zero)();
#define START_POINT(p) EVERY_PHASE(START, p)
#define POINT_W(a, q) const T *w##q = (const T *)d->w + s->tap[q];
#if NEIGHBOURS
#define X_OF(p) ((const T *)d->x[0] + p * x_step)
#define Y_OF(p, q) ((T *)d->y[q][0] + p * y_step)
#else
#define X_OF(p) ((const T *)d->x[p])
#define Y_OF(p, q) ((T *)d->y[q][p])
#endif
#define POINT_X(p) const T *x##p = X_OF(p) + s->at;
#define LOAD_W(a, q) const W(vec) factor##q = W(load)(w##q);
#define ADD(p, q) sum##p##_##q = W(fma)(x, factor##q, sum##p##_##q);
#define PASS(a, q) w##q += step;
#define STORE(p, q) W(store)(Y_OF(p, q), FC_PASTE(W(apart), GROUPS)(sum##p##_##q));
#define STORE_POINT(p) EVERY_PHASE(STORE, p)
#define KEEP(p, q) W(store)(sums + (q * PHASE_POINTS + p) * W(LANES), sum##p##_##q);
#define KEEP_POINT(p) EVERY_PHASE(KEEP, p)

#define ADD_TO(PHASES, p)                          \
    {                                              \
        const W(vec) x = SPLAT(x##p + m * GROUPS); \
        PHASES(ADD, p)                             \
    }
#define ADD_TO_COLUMNS(p) ADD_TO(ODD_COLUMNS, p)
#define ADD_TO_ROWS(p) ADD_TO(ODD_ROWS, p)
#define ADD_TO_BOTH(p) ADD_TO(ODD_BOTH, p)
/* A register is missing. Where the compiler cannot tell that a factor is the same for every point it reads it again, and
 * the sums keep theirs. */
#define ADD_TO_EVERY(p)                            \
    {                                              \
        const W(vec) x = SPLAT(x##p + m * GROUPS); \
        __asm__("" : "+r"(w0));                    \
        const W(vec) factor0 = W(load)(w0);        \
        EVERY_PHASE(ADD, p)                        \
    }
#define ADD_SEGMENT(LOADED, PHASES, ADD_TO_POINT) \
    {                                             \
        PHASES(POINT_W, 0)                        \
        for (ptrdiff_t m = 0; m < members; m++) { \
            LOADED(LOAD_W, 0)                     \
            EACH_POINT(ADD_TO_POINT)              \
            PHASES(PASS, 0)                       \
        }                                         \
        break;                                    \
    }

/* To where something is, or where groups lie apart. */
__attribute__((noinline)) static void PHASE_NAME(put_phases)(const fc_phase_tile *d, const T *sums)
{
    const ptrdiff_t y_step = d->y_step;
    (void)y_step;
    for (int q = 0; q < FC_PHASES; q++)
        for (int p = 0; p < PHASE_POINTS; p++, sums += W(LANES))
            FC_PASTE(W(put_lanes), GROUPS)(Y_OF(p, q), W(load)(sums), d->y_group, d->add);
}

static void PHASE_NAME(phase_tile)(const fc_phase_tile *d)
{
    const ptrdiff_t members = d->members, step = d->w_step, x_step = d->x_step, y_step = d->y_step;
    (void)x_step, (void)y_step;
    EACH_POINT(START_POINT)
    for (const fc_phase_segment *s = d->segment; s < d->segment + d->segments; s++) {
        EACH_POINT(POINT_X)
        switch (s->phases) {
        case FC_EVERY_PHASE: ADD_SEGMENT(LATER_PHASES, EVERY_PHASE, ADD_TO_EVERY)
        case FC_ODD_COLUMNS: ADD_SEGMENT(ODD_COLUMNS, ODD_COLUMNS, ADD_TO_COLUMNS)
        case FC_ODD_ROWS: ADD_SEGMENT(ODD_ROWS, ODD_ROWS, ADD_TO_ROWS)
        case FC_ODD_BOTH: ADD_SEGMENT(ODD_BOTH, ODD_BOTH, ADD_TO_BOTH)
        }
    }
    if (!d->add && FC_PASTE(W(lanes_follow), GROUPS)(d->y_group)) {
        EACH_POINT(STORE_POINT)
    } else {
        T sums[FC_PHASES * PHASE_POINTS * W(LANES)];
        EACH_POINT(KEEP_POINT)
        PHASE_NAME(put_phases)(d, sums);
    }
}

#undef PHASE_NAME
#undef X_OF
#undef Y_OF
#undef EACH_POINT
#undef LATER_PHASES
#undef EVERY_PHASE
#undef ODD_COLUMNS
#undef ODD_ROWS
#undef ODD_BOTH
#undef START
#undef START_POINT
#undef POINT_W
#undef POINT_X
#undef LOAD_W
#undef ADD
#undef PASS
#undef KEEP
#undef KEEP_POINT
#undef STORE
#undef STORE_POINT
#undef ADD_TO
#undef ADD_TO_COLUMNS
#undef ADD_TO_ROWS
#undef ADD_TO_BOTH
#undef ADD_TO_EVERY
#undef ADD_SEGMENT
#undef NEIGHBOURS
