/* SPDX-License-Identifier: BSD-3-Clause */
/* shared_tiles.h -- the tiles of vectors that GROUPS groups share. Included once per element type and GROUPS. */
#if GROUPS == 1
#define SPLAT W(splat)
#elif GROUPS == 2
#define SPLAT W(splat2)
#else
#define SPLAT W(splat4)
#endif
#include "kernels/shared_lanes.h"

#define NEIGHBOURS 0
#include "kernels/phase_tile.h"
#define NEIGHBOURS 1
#include "kernels/phase_tile.h"

#define RUN 7
#define RUNS 1
#include "kernels/run_tile.h"
#define RUNS 2
#include "kernels/run_tile.h"
#undef RUN
#define RUN 8
#define RUNS 1
#include "kernels/run_tile.h"
#define RUNS 2
#include "kernels/run_tile.h"
#undef RUN

#undef SPLAT
#undef GROUPS
