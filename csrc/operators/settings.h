/* SPDX-License-Identifier: BSD-3-Clause */
/* settings.h -- instruction set, threads and batch invariance: from the environment, changed by the fc_set functions.
 */
#ifndef FC_OPERATORS_SETTINGS_H
#define FC_OPERATORS_SETTINGS_H

#include "algorithms/problem.h"
#include "fastconv.h"

/* Puts the settings of this moment into the problem; reports an environment that makes no sense. */
fc_status fc_settings_read(fc_problem *problem, fc_error *error);

/* Puts the kernels of that name into the problem. */
fc_status fc_settings_isa(const char *name, fc_problem *problem, fc_error *error);

#endif
