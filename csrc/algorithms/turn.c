/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/turn.h"

#include "platform/parallel.h"

#define TASK_ROWS 256 /* most and fewest of a task */
#define FEWEST_TASK_ROWS 32
#define TASK_COLUMNS 64
#define ELEMENTS_WORTH_A_THREAD 16384

typedef struct call {
    const fc_problem *p;
    const fc_turn *turn;
    ptrdiff_t task_rows, row_tasks, column_tasks;
} call;

static void run_task(void *context, ptrdiff_t task, int slot)
{
    const call *c = context;
    const fc_turn *t = c->turn;
    const ptrdiff_t element = (ptrdiff_t)fc_dtype_size(c->p->dtype);
    const ptrdiff_t column = task % c->column_tasks * TASK_COLUMNS;
    const ptrdiff_t row = task / c->column_tasks % c->row_tasks * c->task_rows;
    const ptrdiff_t image = task / c->column_tasks / c->row_tasks * t->rows * t->columns;
    (void)slot;
    /* Integers are moved as the floats of their size. */
    c->p->kernels->gemm[element == 4 ? FC_F32 : FC_F64].transpose(
        &(fc_transpose){.rows = fc_min(c->task_rows, t->rows - row),
                        .columns = fc_min(TASK_COLUMNS, t->columns - column),
                        .from = (const char *)t->from + (image + row * t->columns + column) * element,
                        .from_step = t->columns,
                        .to = (char *)t->to + (image + column * t->rows + row) * element,
                        .to_step = t->rows});
}

void fc_turn_images(const fc_problem *p, const fc_turn *turn, int threads)
{
    const ptrdiff_t column_tasks = fc_ceil_div(turn->columns, TASK_COLUMNS);
    ptrdiff_t rows = TASK_ROWS;
    while (rows > FEWEST_TASK_ROWS && turn->images * column_tasks * fc_ceil_div(turn->rows, rows) < threads) rows /= 2;
    const call c = {p, turn, rows, fc_ceil_div(turn->rows, rows), column_tasks};
    const ptrdiff_t tasks = turn->images * c.row_tasks * c.column_tasks;
    const bool few = turn->images * turn->rows * turn->columns < ELEMENTS_WORTH_A_THREAD;
    fc_parallel_for(tasks, few ? 1 : threads, true, run_task, (void *)&c);
}
