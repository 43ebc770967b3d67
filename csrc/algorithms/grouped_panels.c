/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/grouped_panels.h"

#include <string.h>

#include "algorithms/turned_taps.h"
#include "platform/memory.h"
#include "platform/parallel.h"

#define ELEMENTS_WORTH_A_THREAD 16384

typedef struct packing {
    const fc_problem *p;
    const fc_gemm_kernels *kernels;
    const fc_group_grid *grid;
    const char *w;
    char *to;
    fc_strides steps; /* n: of a channel that is written, c: of one that is read */
    ptrdiff_t element, lanes, members, outputs;
} packing;

static fc_grid_axis axis_of(const fc_problem *p, int axis, ptrdiff_t phase)
{
    fc_grid_axis a = fc_block_axis_of(p, axis, phase);
    if (a.tap_step >= 0) return a;
    a.tap_first += (a.taps - 1) * a.tap_step;
    a.window_first += (a.taps - 1) * a.window_step;
    a.tap_step = -a.tap_step;
    a.window_step = -a.window_step;
    return a;
}

void fc_group_grid_of(const fc_problem *p, fc_group_grid *grid)
{
    for (int i = 0; i < 2; i++) {
        fc_range reach = {PTRDIFF_MAX, PTRDIFF_MIN};
        grid->phases[i] = fc_block_phases(p, i);
        for (ptrdiff_t phase = 0; phase < grid->phases[i]; phase++) {
            const fc_grid_axis a = axis_of(p, i, phase);
            grid->axis[i][phase] = a;
            if (!a.taps) continue;
            reach.first = fc_min(reach.first, a.tap_first);
            reach.end = fc_max(reach.end, a.tap_first + (a.taps - 1) * a.tap_step + 1);
        }
        grid->reach[i] = reach.first < reach.end ? reach : (fc_range){0, 1};
    }
}

size_t fc_group_rows_bytes(const fc_problem *p, const fc_group_grid *g, ptrdiff_t rows)
{
    const size_t pixel = fc_size_mul((size_t)fc_group_members(p), fc_dtype_size(p->dtype));
    const size_t row = fc_size_mul((size_t)fc_group_read(g, 1, g->axis[1][0].points), pixel);
    return fc_size_lines(fc_size_mul((size_t)fc_group_read(g, 0, rows), row));
}

void fc_group_copy_rows(const fc_problem *p, const fc_group_grid *g, fc_range rows, const fc_strides *steps,
                        const void *image, void *block)
{
    const fc_gemm_kernels *kernels = &p->kernels->gemm[p->dtype];
    const ptrdiff_t *size = fc_block_source_size(p), element = (ptrdiff_t)fc_dtype_size(p->dtype);
    const ptrdiff_t pixel = fc_group_members(p) * element, width = fc_group_read(g, 1, g->axis[1][0].points);
    const ptrdiff_t first = rows.first * g->axis[0][0].source_step + g->reach[0].first;
    const ptrdiff_t left = fc_min(width, fc_max(0, -g->reach[1].first)), column = fc_max(0, g->reach[1].first);
    const ptrdiff_t columns = fc_max(0, fc_min(size[1] - column, width - left));
    char *to = block;
    for (ptrdiff_t i = 0; i < fc_group_read(g, 0, rows.end - rows.first); i++, to += width * pixel) {
        const ptrdiff_t row = first + i;
        const char *from = (const char *)image + (row * steps->h + column * steps->w) * element;
        if (row < 0 || row >= size[0] || !columns) {
            memset(to, 0, (size_t)(width * pixel));
            continue;
        }
        memset(to, 0, (size_t)(left * pixel));
        if (p->layout == FC_NHWC)
            kernels->copy_pixels(columns, pixel / element, to + left * pixel, pixel / element, from, steps->w);
        else
            kernels->transpose(&(fc_transpose){.rows = pixel / element,
                                               .columns = columns,
                                               .from = from,
                                               .from_step = steps->c,
                                               .to = to + left * pixel,
                                               .to_step = pixel / element});
        memset(to + (left + columns) * pixel, 0, (size_t)((width - left - columns) * pixel));
    }
}

ptrdiff_t fc_group_panel_elements(const fc_problem *p, const fc_grid_axis *rows, const fc_grid_axis *columns)
{
    return rows->taps * columns->taps * fc_group_members(p) * fc_group_vectors(p) * p->kernels->gemm[p->dtype].lanes;
}

/* All phases together have every tap once. */
size_t fc_group_panels_bytes(const fc_problem *p)
{
    const size_t vector = (size_t)fc_group_vectors(p) * (size_t)fc_vector_bytes(p);
    const size_t taps = fc_size_mul((size_t)p->window[0], (size_t)p->window[1]);
    return fc_size_mul(fc_size_mul(taps, vector), fc_size_mul((size_t)fc_group_members(p), (size_t)p->groups));
}

/* Where a vector of tap 0 and member 0 lies among the panels of a group, and the step from one member to the next. */
static char *place(const packing *c, char *group, ptrdiff_t taps, ptrdiff_t vector, ptrdiff_t *step)
{
    const ptrdiff_t first = vector / FC_GROUP_VECTORS * FC_GROUP_VECTORS;
    const ptrdiff_t vectors = fc_min(FC_GROUP_VECTORS, fc_group_vectors(c->p) - first);
    *step = vectors * c->lanes;
    return group + (first * taps * c->members + vector - first) * c->lanes * c->element;
}

/* Calls back for each phase and its taps: `home` is where the first member of the tap goes. */
typedef void tap_writer(const packing *c, const char *from, ptrdiff_t u, ptrdiff_t v, char *home, ptrdiff_t step);

static void each_tap(const packing *c, ptrdiff_t group, ptrdiff_t vector, const char *from, ptrdiff_t member,
                     tap_writer *write)
{
    const ptrdiff_t element = c->element;
    char *to = c->to;
    for (ptrdiff_t i = 0; i < c->grid->phases[0]; i++)
        for (ptrdiff_t j = 0; j < c->grid->phases[1]; j++) {
            const fc_grid_axis *rows = &c->grid->axis[0][i], *columns = &c->grid->axis[1][j];
            const ptrdiff_t elements = fc_group_panel_elements(c->p, rows, columns);
            ptrdiff_t step;
            char *home = place(c, to + group * elements * element, rows->taps * columns->taps, vector, &step);
            for (ptrdiff_t u = 0; u < rows->taps; u++)
                for (ptrdiff_t v = 0; v < columns->taps; v++, home += c->members * step * element)
                    write(c, from, rows->window_first + u * rows->window_step,
                          columns->window_first + v * columns->window_step, home + member * step * element, step);
            to += c->p->groups * elements * element;
        }
}

/* Outputs that are neighbours, or members that are: one tap of a vector. */
static void write_tap(const packing *c, const char *w, ptrdiff_t u, ptrdiff_t v, char *home, ptrdiff_t step)
{
    const char *from = w + (u * c->steps.h + v * c->steps.w) * c->element;
    if (c->steps.n == 1)
        c->kernels->copy_pixels(c->members, c->lanes, home, step, from, c->steps.c);
    else
        c->kernels->transpose(&(fc_transpose){.rows = c->lanes,
                                              .columns = c->members,
                                              .from = from,
                                              .from_step = c->steps.n,
                                              .to = home,
                                              .to_step = step});
}

/* Some members of a vector, turned: [member][tap][lanes]. */
typedef struct turned {
    ptrdiff_t members;
    _Alignas(64) char w[FC_MOST_GROUP_TAPS * FC_MAX_LANES * sizeof(double)];
} turned;

static void write_turned(const packing *c, const char *from, ptrdiff_t u, ptrdiff_t v, char *home, ptrdiff_t step)
{
    const turned *t = (const turned *)(const void *)from;
    const ptrdiff_t taps = c->p->window[0] * c->p->window[1];
    c->kernels->copy_pixels(t->members, c->lanes, home, step, t->w + (u * c->p->window[1] + v) * c->lanes * c->element,
                            taps * c->lanes);
}

/* Where taps are neighbours. */
static void pack_taps(const packing *c, ptrdiff_t group, ptrdiff_t vector, const char *from)
{
    const ptrdiff_t taps = c->p->window[0] * c->p->window[1], few = FC_MOST_GROUP_TAPS / taps;
    turned t;
    for (ptrdiff_t m = 0; m < c->members; m += few) {
        t.members = fc_min(few, c->members - m);
        fc_transpose turn = fc_turned_taps(taps, t.members, c->steps.c, c->lanes);
        turn.rows = c->lanes;
        turn.from = from + m * c->steps.c * c->element;
        turn.from_step = c->steps.n;
        turn.to = t.w;
        c->kernels->transpose(&turn);
        each_tap(c, group, vector, (const char *)&t, m, write_turned);
    }
}

static void pack_group(void *context, ptrdiff_t group, int slot)
{
    const packing *c = context;
    const fc_problem *p = c->p;
    const ptrdiff_t taps = p->window[0] * p->window[1];
    const char *w = c->w + group * (p->out_channels / p->groups) * fc_weight_strides(p).n * c->element;
    (void)slot;
    for (ptrdiff_t vector = 0; vector < fc_group_vectors(p); vector++) {
        const char *from = w + fc_group_vector(c->outputs, c->lanes, vector) * c->steps.n * c->element;
        if (p->weight_layout == FC_OIHW && taps > 1)
            pack_taps(c, group, vector, from);
        else
            each_tap(c, group, vector, from, 0, write_tap);
    }
}

void fc_group_panels_prepare(const fc_problem *p, const void *w, void *prepared)
{
    fc_group_grid grid;
    packing c = {.p = p,
                 .grid = &grid,
                 .kernels = &p->kernels->gemm[p->dtype],
                 .w = w,
                 .to = prepared,
                 .steps = fc_weight_strides(p),
                 .element = (ptrdiff_t)fc_dtype_size(p->dtype),
                 .lanes = p->kernels->gemm[p->dtype].lanes,
                 .members = fc_group_members(p),
                 .outputs = fc_group_outputs(p)};
    const bool few = fc_group_panels_bytes(p) < (size_t)(ELEMENTS_WORTH_A_THREAD * c.element);
    fc_group_grid_of(p, &grid);
    if (!fc_block_forward(p)) c.steps = (fc_strides){c.steps.c, c.steps.n, c.steps.h, c.steps.w};
    fc_parallel_shares(p->groups, few ? 1 : p->threads, true, pack_group, &c);
}
