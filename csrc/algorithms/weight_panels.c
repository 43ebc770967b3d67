/* SPDX-License-Identifier: BSD-3-Clause */
#include "algorithms/weight_panels.h"

#include <string.h>

fc_pixel_place fc_place_where_they_lie(const fc_pixel_source *s, const fc_pixel_area *area, ptrdiff_t channel)
{
    const ptrdiff_t first = area->image * s->steps.n + area->rows.first * s->steps.h +
                            area->columns.first * s->steps.w + channel * s->steps.c;
    return (fc_pixel_place){s->pixels + first * s->element, s->steps};
}

/* Whole pixels need not be copied: these are parts of them, with zeros behind. */
static void copy_parts(ptrdiff_t pixels, const char *from, ptrdiff_t from_step, ptrdiff_t bytes, ptrdiff_t width,
                       char *to)
{
    for (ptrdiff_t i = 0; i < pixels; i++, from += from_step, to += width) {
        memcpy(to, from, (size_t)bytes);
        memset(to + bytes, 0, (size_t)(width - bytes));
    }
}

fc_pixel_place fc_copy_pixels(const fc_pixel_source *s, const fc_pixel_area *area, ptrdiff_t channel,
                              ptrdiff_t channels, ptrdiff_t width, char *to)
{
    const ptrdiff_t rows = fc_area_rows(area), columns = fc_area_columns(area), row = columns * width;
    const fc_pixel_place from = fc_place_where_they_lie(s, area, channel);
    /* Rows that follow each other without a gap are one. */
    const bool together = rows > 0 && s->steps.h == columns * s->steps.w;
    const ptrdiff_t pieces = together ? 1 : rows, pixels = together ? rows * columns : columns;
    for (ptrdiff_t n = 0; n < area->images; n++)
        for (ptrdiff_t i = 0; i < pieces; i++) {
            const char *piece = from.start + (n * s->steps.n + i * s->steps.h) * s->element;
            char *target = to + (n * rows * row + i * row) * s->element;
            if (s->planes)
                s->transpose(&(fc_transpose){.rows = channels,
                                             .columns = pixels,
                                             .from = piece,
                                             .from_step = s->steps.c,
                                             .to = target,
                                             .to_step = width,
                                             .fill = true});
            else
                copy_parts(pixels, piece, s->steps.w * s->element, channels * s->element, width * s->element, target);
        }
    return (fc_pixel_place){to, {.n = rows * row, .c = 1, .h = row, .w = width}};
}
