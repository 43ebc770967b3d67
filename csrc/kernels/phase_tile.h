/* SPDX-License-Identifier: BSD-3-Clause */
/* phase_tile.h -- see fc_phase_tile: the sums of all points and phases stay in registers, and a value that is read
 * once serves every phase of its segment. */
#define EACH_POINT FC_PASTE(GROUP_EACH, PHASE_POINTS)
#define LATER_PHASES(DO, a) DO(a, 1) DO(a, 2) DO(a, 3)
#define EVERY_PHASE(DO, a) DO(a, 0) LATER_PHASES(DO, a)
#define ODD_COLUMNS(DO, a) DO(a, 1) DO(a, 3)
#define ODD_ROWS(DO, a) DO(a, 2) DO(a, 3)
#define ODD_BOTH(DO, a) DO(a, 3)

#define START(p, q) W(vec) sum##p##_##q = W(zero)();
#define START_POINT(p) EVERY_PHASE(START, p)
#define POINT_W(a, q) const T *w##q = (const T *)d->w + s->tap[q];
#define POINT_X(p) const T *x##p = (const T *)d->x[p] + s->at;
#define LOAD_W(a, q) const W(vec) factor##q = W(load)(w##q);
#define ADD(p, q) sum##p##_##q = W(fma)(x, factor##q, sum##p##_##q);
#define PASS(a, q) w##q += step;
#define KEEP(p, q) W(store)(d->y[q][p], sum##p##_##q);
#define KEEP_POINT(p) EVERY_PHASE(KEEP, p)
#define ADD_Y(p, q) W(store)(d->y[q][p], W(add)(W(load)(d->y[q][p]), sum##p##_##q));
#define ADD_POINT(p) EVERY_PHASE(ADD_Y, p)

#define ADD_TO(PHASES, p)                    \
    {                                        \
        const W(vec) x = W(splat)(x##p + m); \
        PHASES(ADD, p)                       \
    }
#define ADD_TO_COLUMNS(p) ADD_TO(ODD_COLUMNS, p)
#define ADD_TO_ROWS(p) ADD_TO(ODD_ROWS, p)
#define ADD_TO_BOTH(p) ADD_TO(ODD_BOTH, p)
/* A register is missing. Where the compiler cannot tell that a factor is the same for every point it reads it again, and
 * the sums keep theirs. */
#define ADD_TO_EVERY(p)                      \
    {                                        \
        const W(vec) x = W(splat)(x##p + m); \
        __asm__("" : "+r"(w0));              \
        const W(vec) factor0 = W(load)(w0);  \
        EVERY_PHASE(ADD, p)                  \
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

static void W(phase_tile)(const fc_phase_tile *d)
{
    const ptrdiff_t members = d->members, step = d->w_step;
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
    if (d->add) {
        EACH_POINT(ADD_POINT)
    } else {
        EACH_POINT(KEEP_POINT)
    }
}

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
#undef ADD_Y
#undef ADD_POINT
#undef ADD_TO
#undef ADD_TO_COLUMNS
#undef ADD_TO_ROWS
#undef ADD_TO_BOTH
#undef ADD_TO_EVERY
#undef ADD_SEGMENT
