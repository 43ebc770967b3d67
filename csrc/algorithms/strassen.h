/* SPDX-License-Identifier: BSD-3-Clause */
/* strassen.h -- how corr2d_strassen.c cuts its work: pairs of outputs into tiles, filters of a half into panels, the depth of a
 * half into chunks, of which some are a part. */
#ifndef FC_ALGORITHMS_STRASSEN_H
#define FC_ALGORITHMS_STRASSEN_H

#include "algorithms/blocking.h"

#define FC_STRASSEN_PRODUCTS 7
#define FC_STRASSEN_CHUNKS 6    /* of a part, at most */
#define FC_STRASSEN_CHANNELS 32 /* at least */

/* How pairs are cut into tiles: the first `taller` have a row more. */
typedef struct fc_strassen_tiles {
    void (*const *tile)(const fc_tile *tile);
    ptrdiff_t rows, count, taller;
} fc_strassen_tiles;

/* A part of the depth: some chunks; its steps and those before them; its taps, one of several chunks each time. */
typedef struct fc_strassen_part {
    fc_chunk chunk[FC_STRASSEN_CHUNKS];
    ptrdiff_t chunks, before, depth, taps;
    bool last;
} fc_strassen_part;

ptrdiff_t fc_strassen_pairs(const fc_problem *problem); /* of an image, the last of which may be half a one */
fc_strassen_tiles fc_strassen_tiles_of(const fc_problem *problem);
fc_panels fc_strassen_panels(const fc_problem *problem); /* for fc_spread_panel_at */
fc_chunks fc_strassen_chunks(const fc_problem *problem); /* outer: taps, inner: channels of a half */
ptrdiff_t fc_strassen_parts(const fc_chunks *chunks);
fc_strassen_part fc_strassen_part_at(const fc_chunks *chunks, ptrdiff_t index);

/* Elements of the weights before those of a panel and part: [part][panel][product][chunk][tap][channel][lane]. */
ptrdiff_t fc_strassen_weights_at(const fc_panels *panels, const fc_strassen_part *part, const fc_panel_cut *panel);
size_t fc_strassen_prepared_bytes(const fc_problem *problem);
void fc_strassen_prepare(const fc_problem *problem, const void *w, void *prepared);

#endif
