/* SPDX-License-Identifier: BSD-3-Clause */
/* kernels.h -- what an instruction set offers: one const table each, filled from the same templates.
 *
 * Kernels know tiles, panels and rows, no shapes; they allocate nothing and run on one thread. Pointers are to the
 * table's element type, strides count elements, and nothing is read or written outside what the arguments describe.
 * The tables of one instruction set live in kernels/<isa>/; registry.c lists the sets, best first. */
#ifndef FC_KERNELS_KERNELS_H
#define FC_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastconv.h"
#include "kernels/kernels_depthwise.h"
#include "kernels/kernels_grouped.h"

/* The largest of any instruction set. */
#define FC_MAX_LANES 16
#define FC_MAX_TILE_ROWS 8
#define FC_TALLEST_TILE_ROWS (FC_MAX_TILE_ROWS + 1) /* of taller_tile */
#define FC_MAX_TILE_VECTORS 3
#define FC_MAX_PANEL_LANES (FC_MAX_TILE_VECTORS * FC_MAX_LANES)

/* C[r][l] = init[r][l] + sum over segments s and steps k of a[s][r][k * a_step] * b[s][k * b_step + l].
 *
 * The sum is one chain of fused multiply-adds (scalar: rounded after the product as well) in the order of s and k, from
 * zero; init is added behind it. Hence a lane's bits depend on nothing but its own operands. Every row of a tile is
 * computed: a missing one is pointed at some readable operand, and its c at scratch. init and c of a row may be the
 * same. */
typedef struct fc_tile {
    ptrdiff_t segments, depth;
    const void *const *a; /* [segments][rows] */
    ptrdiff_t a_offset;   /* elements, added to all of a */
    const void *const *b; /* [segments] */
    ptrdiff_t a_step, b_step;
    const void *const *init; /* [rows], vectors init_step apart: 0 repeats one vector */
    ptrdiff_t init_step;
    void *const *c;                  /* [rows], vectors next to each other */
    ptrdiff_t init_offset, c_offset; /* elements, added to all of init and of c */
    /* What comes next is fetched on the way: `a_ahead` bytes behind each row of A, and B from `b_ahead` on, b_ahead_step
     * bytes further at every step. */
    ptrdiff_t a_ahead;
    const void *b_ahead;
    ptrdiff_t b_ahead_step;
} fc_tile;

/* C[r][l] = init[r][l] + sum over steps k of a[r][k] * b[shift[k] + l]: windows of one source, read where they lie.
 * The sum is the chain of fc_tile. */
typedef struct fc_shift_tile {
    ptrdiff_t depth;
    const void *const *a; /* [rows] */
    const void *b;
    const int32_t *shift;    /* [depth], elements */
    const void *const *init; /* [rows], vectors init_step apart: 0 repeats one vector */
    ptrdiff_t init_step;
    void *const *c; /* [rows], vectors next to each other */
} fc_shift_tile;

/* A tile that was computed into scratch, brought home: c[r][where[l]] = init[r][l * init_step] + tile[r][l] for the
 * first `rows` and `lanes`. */
typedef struct fc_scatter {
    ptrdiff_t rows, lanes;
    const void *tile;
    ptrdiff_t tile_step;
    const void *const *init; /* NULL: add to what is in c */
    ptrdiff_t init_step;
    void *const *c;
    const ptrdiff_t *where; /* [lanes], or NULL: side by side */
} fc_scatter;

/* How the lanes of one vector lie in a plane of the source.
 * RUNS: up to FC_MAX_RUNS runs of neighbours; lane l of run r is at base[r] + l, for the lanes of that run's mask.
 * EVEN: the same at base[r] + 2 * l. ANY: the lanes of run_mask[0], lane l at base[0] + index[l]. Masks (all ones or zero
 * a lane) and indices are integers as wide as an element. */
#define FC_MAX_RUNS 3
typedef enum fc_lane_pattern { FC_LANES_RUNS, FC_LANES_EVEN, FC_LANES_ANY } fc_lane_pattern;

typedef struct fc_lanes {
    fc_lane_pattern pattern;
    int runs, used; /* the latter in lanes */
    bool full;      /* one run of all lanes */
    ptrdiff_t base[FC_MAX_RUNS];
    union {
        int32_t f32[FC_MAX_RUNS][FC_MAX_LANES];
        int64_t f64[FC_MAX_RUNS][FC_MAX_LANES];
    } run_mask;
    union {
        int32_t f32[FC_MAX_LANES];
        int64_t f64[FC_MAX_LANES];
    } index;
} fc_lanes;

/* How one vector of one tap gets from a plane of the source into a panel, the same for every plane. EVEN_RUNS have two
 * masks each, of the elements that load_mixed reads. TURNED is that of several taps next to each other, of which the first `runs` lanes
 * have a run each. */
typedef struct fc_move {
    enum {
        FC_MOVE_WHOLE,
        FC_MOVE_EVEN,
        FC_MOVE_ONE_RUN,
        FC_MOVE_RUNS,
        FC_MOVE_EVEN_RUNS,
        FC_MOVE_ANY,
        FC_MOVE_TURNED
    } kind;
    int runs;
    ptrdiff_t at[FC_MAX_RUNS]; /* from the plane's start */
    const void *index;
    void *to; /* of the first plane; later ones follow to_step apart */
    ptrdiff_t to_step;
    ptrdiff_t taps, tap_step; /* of TURNED */
    union {
        int32_t f32[2 * FC_MAX_RUNS][FC_MAX_LANES];
        int64_t f64[2 * FC_MAX_RUNS][FC_MAX_LANES / 2];
    } mask;
} fc_move;

/* Finds the moves, at most one for every tap and vector, of some taps of one panel: panel[plane][tap][vector][lane] = the
 * source at tap_offset[tap] + place of the lane, or zero where the lane is not in use or masked out. masks and whole are those
 * of fc_window_masks for these taps; masks NULL: every lane in use lies inside the source for every tap. Returns how many. */
typedef struct fc_find_moves {
    ptrdiff_t taps;
    const ptrdiff_t *tap_offset;
    ptrdiff_t vectors;
    const fc_lanes *lanes; /* [vectors] */
    const void *masks;
    const unsigned char *whole;
    void *panel; /* of the first plane and tap */
    ptrdiff_t panel_step;
    fc_move *moves;
} fc_find_moves;

/* Makes all moves for each of some planes. */
typedef struct fc_pack {
    const void *source;
    ptrdiff_t planes, plane_step;
    ptrdiff_t count;
    const fc_move *moves;
} fc_pack;

/* masks[tap][vector][lane] = all ones where 0 <= y[lane] + tap_y[tap] < height and likewise x, else zero;
 * whole[tap][vector] = 1 where that is so for all lanes. Coordinates are as wide as an element; a lane that is not in
 * use has a y that is out of range for every tap. */
typedef struct fc_window_masks {
    ptrdiff_t taps;
    const ptrdiff_t *tap_y, *tap_x;
    ptrdiff_t vectors;
    const void *y, *x; /* [vectors][lanes] */
    ptrdiff_t height, width;
    void *masks;
    unsigned char *whole;
} fc_window_masks;

/* C[r][l] = sum over steps k of a[r * a_row + k] * b[k * b_row + l], or that added to what is in c; product_turned reads
 * a[k * a_row + r]. The sum is the chain of fc_tile. Up to FC_MAX_TILE_ROWS - 1 rows more of a and c must be there:
 * they may be computed as well. These are `times` products, a_next, b_next and c_next elements apart. At every step two lines
 * are fetched, of b and of a: each time those of the next, the last time from `ahead` on, `ahead_step` bytes further every
 * step. */
typedef struct fc_panel_product {
    ptrdiff_t times, rows, depth;
    const void *a;
    ptrdiff_t a_row;
    const void *b;
    ptrdiff_t b_row;
    void *c;
    ptrdiff_t c_row;
    ptrdiff_t a_next, b_next, c_next;
    bool add;
    const void *ahead[2]; /* behind the last time */
    ptrdiff_t ahead_step[2];
} fc_panel_product;

/* Outputs next to each other: c[j * c_step + l] = init[l] + sum over u < segments and k < depth of
 * a[u * a_row + j * a_step + k] * b[(u * depth + k) * vectors * lanes + l], for l < columns, of which all vectors but the last
 * are full. The sum is the chain of fc_tile. There are FC_MAX_TILE_ROWS outputs at least: the last tile begins earlier. */
typedef struct fc_pixel_row {
    ptrdiff_t outputs, segments, depth, columns;
    const void *a;
    ptrdiff_t a_row, a_step;
    const void *b, *init; /* init NULL: zeros */
    void *c;
    ptrdiff_t c_step;
} fc_pixel_row;

/* y[r] += sum over k < depth of w[r * w_row + k] * x[k]. Lane l of 2 * lanes sums the products of k = l, l + 2 * lanes, ... as
 * one chain; then halves are added to halves, and what fills no vector is a chain of its own. */
typedef struct fc_dot {
    ptrdiff_t rows, depth; /* rows at least 1 */
    const void *w, *x;
    ptrdiff_t w_row;
    void *y;
} fc_dot;

/* Sums of many columns against many rows, lane by lane: sums[r * sum_row + c * lanes + l] = sum over k = l, l + lanes, ...
 * < depth of w[r * w_row + k] * x[c * x_row + k], one chain, or that chain going on from what is in sums. x has zeros
 * behind its depth, up to a whole vector; sums have room for FC_INNER_ROWS - 1 more rows. */
#define FC_INNER_ROWS 5 /* at most of a tile */
typedef struct fc_inner {
    ptrdiff_t rows, columns, depth; /* rows at least 1 */
    bool go_on;
    const void *w;
    ptrdiff_t w_row;
    const void *x;
    ptrdiff_t x_row;
    void *sums;
    ptrdiff_t sum_row;
} fc_inner;

/* y[r * y_row + c] = bias[r] + the sum of the lanes of sums[r * sum_row + c * lanes], halves added to halves; or that
 * sum added to what is in y. */
typedef struct fc_inner_sums {
    ptrdiff_t rows, columns;
    const void *sums;
    ptrdiff_t sum_row;
    const void *bias; /* [rows], or NULL: zeros */
    bool add;         /* to y */
    void *y;
    ptrdiff_t y_row;
} fc_inner_sums;

/* to[c * to_step + r] = from[r * from_step + c]; `fill`: and zeros behind the last row, up to a whole vector. What lies
 * so many bytes behind each vector that is read or written is fetched on the way, unless it is 0: with steps of many
 * pages nothing else does. The same is done so many times more, each time from_next and to_next elements
 * further; never fewer than none. Rows that follow each other as short runs are not fetched for on the side that is written. */
typedef struct fc_transpose {
    ptrdiff_t rows, columns;
    const void *from;
    ptrdiff_t from_step;
    void *to;
    ptrdiff_t to_step;
    bool fill;
    ptrdiff_t from_ahead, to_ahead;
    ptrdiff_t more, from_next, to_next;
} fc_transpose;

/* The forms of Winograd's algorithm that have kernels, by their windows: squares, of every second pixel too, and lines along
 * either axis. And their transposes, for the gradients of weights: inputs are tiles of grad_y, outputs are taps, and they
 * have no weights. Frequencies lie frequency_step apart; whole vectors of them are written. */
typedef enum fc_winograd_form {
    FC_WINOGRAD_3X3,
    FC_WINOGRAD_3X3_SMALL,
    FC_WINOGRAD_5X5,
    FC_WINOGRAD_3X3_APART,
    FC_WINOGRAD_3,
    FC_WINOGRAD_7,
    FC_WINOGRAD_3X3_GRAD,
    FC_WINOGRAD_5X5_GRAD,
    FC_WINOGRAD_3X3_APART_GRAD,
    FC_WINOGRAD_3_GRAD,
    FC_WINOGRAD_7_GRAD,
    FC_WINOGRAD_FORMS
} fc_winograd_form;
#define FC_MAX_FREQUENCIES 36
#define FC_MAX_WINOGRAD_OUTPUTS 25 /* of a tile */

/* One tile: its pixels row by row, channels next to each other. What lies so many bytes behind each is fetched on the way,
 * unless it is 0: the pixels of a square are too many runs for the processor to follow. Lines do without. */
typedef struct fc_winograd_input {
    ptrdiff_t channels;
    const void *pixel[FC_MAX_FREQUENCIES];
    ptrdiff_t pixel_ahead;
    void *v; /* [frequency][channel]: zeros behind the last one */
    ptrdiff_t frequency_step;
} fc_winograd_input;

/* And its outputs; what has no pixel (NULL) is not written. */
typedef struct fc_winograd_output {
    ptrdiff_t channels;
    const void *m; /* [frequency][channel] */
    ptrdiff_t frequency_step;
    const void *bias; /* [channel], or NULL */
    void *pixel[FC_MAX_WINOGRAD_OUTPUTS];
    bool whole;   /* every output has a pixel */
    bool *finite; /* whether all outputs are, those without a pixel included */
} fc_winograd_output;

/* Some filters, next to each other; zeros behind the last one. Lines have steps along their axis alone. */
typedef struct fc_winograd_weights {
    ptrdiff_t filters;
    const void *w;
    ptrdiff_t tap_step[2];
    void *u; /* [frequency][filter] */
    ptrdiff_t frequency_step;
} fc_winograd_weights;

typedef struct fc_winograd_kernels {
    void (*input)(const fc_winograd_input *tile);
    void (*output)(const fc_winograd_output *tile);
    void (*weights)(const fc_winograd_weights *weights);
} fc_winograd_kernels;

/* The vectors of one row that shift_row computes at once, for its three kernels. */
#define FC_MAX_ROW_VECTORS 12
static const unsigned char fc_row_vectors[3] = {1, 4, FC_MAX_ROW_VECTORS};

/* Outputs of pairs of pixels from Strassen's sums [rows][width], in halves: even[r][l] = sums[2], even[r][half + l] = sums[3] +
 * sums[1], odd[r][l] = sums[4] and odd[r][half + l] = sums[0] + sums[1], for l < columns, from `at` on; and bias[0] or bias[1], or
 * with `add` what is there. Answers whether all are finite. */
typedef struct fc_strassen_join {
    ptrdiff_t rows, columns, width, half, at;
    const void *sums[5];
    bool add;
    const void *bias[2];            /* or NULL: zeros */
    void *const *even, *const *odd; /* odd[r] NULL: there is none */
} fc_strassen_join;

/* The matrix kernels of one element type. A tile is `rows` high and 1 to FC_MAX_TILE_VECTORS vectors wide. */
typedef struct fc_gemm_kernels {
    int lanes, rows;
    void (*tile[FC_MAX_TILE_VECTORS])(const fc_tile *tile);
    /* Tiles that are a row lower, for products that have a few rows too many. */
    int lower_rows;
    void (*lower_tile[FC_MAX_TILE_VECTORS])(const fc_tile *tile);
    /* Tiles that are a row taller, where registers hold them; else NULL. */
    void (*taller_tile[FC_MAX_TILE_VECTORS])(const fc_tile *tile);
    /* Tiles one and two vectors wide that are higher, for products that are no wider. */
    int narrow_rows[2];
    void (*narrow_tile[2])(const fc_tile *tile);
    int product_vectors; /* the width to prefer */
    void (*product[FC_MAX_TILE_VECTORS])(const fc_panel_product *product);
    void (*product_turned[FC_MAX_TILE_VECTORS])(const fc_panel_product *product);
    /* A tile of one segment that reads B where it lies, fetching ahead, and leaves it packed, vectors next to each other:
     * beside the sums of its first tile the packing of a panel is free. */
    void (*pack_tile[FC_MAX_TILE_VECTORS])(const fc_tile *tile, void *packed);
    void (*shift_tile[FC_MAX_TILE_VECTORS])(const fc_shift_tile *tile);
    void (*shift_row[3])(const fc_shift_tile *row);
    void (*scatter)(const fc_scatter *scatter);
    void (*depthwise_pixels)(const fc_depthwise_pixels *pixels); /* all of them */
    void (*depthwise_pixel)(const fc_depthwise_pixels *pixels);  /* the first alone */
    void (*depthwise_line)(const fc_depthwise_line *line);
    ptrdiff_t (*find_moves)(const fc_find_moves *find);
    void (*pack)(const fc_pack *pack);
    void (*window_masks)(const fc_window_masks *masks);
    /* float32 and float64 only */
    void (*pixel_row[FC_MAX_TILE_VECTORS])(const fc_pixel_row *row);
    /* Four sums of the halves of two pixels; sums of quarters of weights, in place; see strassen.h. */
    void (*strassen_split)(ptrdiff_t channels, ptrdiff_t half, const void *even, const void *odd, void *sums);
    void (*strassen_weights)(ptrdiff_t elements, void *const w[7]);
    bool (*strassen_join)(const fc_strassen_join *join);
    void (*dot)(const fc_dot *dot);
    int inner_rows; /* of a tile */
    void (*inner)(const fc_inner *inner);
    void (*inner_sums)(const fc_inner_sums *sums);
    void (*depthwise_rows[2])(const fc_depthwise_rows *rows); /* by stride - 1 */
    void (*depthwise_3x3[2])(const fc_depthwise_plane *plane);
    /* Pixels of at most a vector of channels, from an image into a block: the other lanes become zeros. One of the steps
     * is 1. And from a block into an image. */
    void (*block_in)(ptrdiff_t pixels, ptrdiff_t channels, void *block, const void *image, ptrdiff_t pixel_step,
                     ptrdiff_t channel_step);
    void (*block_out)(ptrdiff_t pixels, ptrdiff_t channels, void *image, ptrdiff_t pixel_step, ptrdiff_t channel_step,
                      const void *block);
    void (*depthwise_sweep[FC_DEPTHWISE_SWEEPS])(const fc_depthwise_sweep *sweep); /* by (rows of the kernel - 3) / 2 */
    void (*depthwise_run)(const fc_depthwise_run *run);
    void (*interleaved)(const fc_interleaved *lines);
    void (*depthwise_taps[FC_DEPTHWISE_TAPS])(const fc_depthwise_taps *taps); /* of one row, by their number - 1 */
    void (*depthwise_taps_3x3)(const fc_depthwise_taps *taps);
    void (*groups_in)(const fc_group_move *move);
    void (*groups_out)(const fc_group_move *move);
    void (*group_tile[FC_GROUP_OUTPUTS])(const fc_group_tile *tile);  /* by outputs - 1; all pixels */
    void (*group_pixel[FC_GROUP_OUTPUTS])(const fc_group_tile *tile); /* the first alone */
    void (*group_taps)(const fc_group_taps *taps);
    /* `channels` neighbours of each of some pixels, that lie so far apart. */
    void (*copy_pixels)(ptrdiff_t pixels, ptrdiff_t channels, void *to, ptrdiff_t to_step, const void *from,
                        ptrdiff_t from_step);
    int group_rows[2][2]; /* pixels of group_pixels, by vectors - 1, most and fewer; weights of group_weights: most */
    void (*group_pixels[2][2])(const fc_group_pixels *pixels);
    void (*group_weights[2])(const fc_group_weights *weights);
    /* By log2 of the groups, and then: */
    void (*share_lanes[FC_LANE_SHARES])(const fc_share_lanes *pixels); /* NULL where there is no such kernel */
    int phase_points; /* of phase_tile; 0 where there is no such kernel */
    void (*phase_tile[FC_LANE_SHARES][2])(const fc_phase_tile *tile);             /* whether points are neighbours */
    void (*run_tile[FC_LANE_SHARES][FC_RUN_LENGTHS][2])(const fc_run_tile *tile); /* points - FC_SHORT_RUN, runs - 1 */
    void (*transpose)(const fc_transpose *transpose);
    fc_winograd_kernels winograd[FC_WINOGRAD_FORMS];
} fc_gemm_kernels;

/* Rows of the tile that a product so many vectors wide is computed in. */
static inline ptrdiff_t fc_product_rows(const fc_gemm_kernels *kernels, ptrdiff_t vectors)
{
    return vectors <= 2 ? kernels->narrow_rows[vectors - 1] : kernels->rows;
}

/* The place of a value in a plane, flat, counted from some row on. */
typedef uint32_t fc_place;
#define FC_NO_PLACE UINT32_MAX
#define FC_MOST_DOUBLINGS 4 /* of spans */

/* One row of outputs of a plane: of `rows` input rows, the first at x. With rows 0 it is made of nothing. */
typedef struct fc_pool_line {
    const void *x;
    void *y;
    ptrdiff_t rows;
    ptrdiff_t room; /* elements that may be written at y and behind it, by lines that follow in memory as well */
    bool reads_on;  /* two vectors may be read behind what the row's windows reach */
    double scale;   /* of the row's part of the divisor */
} fc_pool_line;

/* A vector of outputs of a line: the elements of tap 0 begin at x[x], the outputs at y[y]. */
typedef struct fc_pool_chunk {
    ptrdiff_t x, y;
    /* NULL when every tap of every lane lies in the row. Else, for each tap, four vectors: which of the vector's elements
     * do, and of the one that begins at its last element (stride 2), as integers -1 and 0; and, as far as two vectors
     * of elements go, 0 for those that do and the start of a maximum for others. */
    const void *edge;
    bool end_only; /* the lanes with a tap outside are behind the line's end: they matter where reading may not go on */
} fc_pool_chunk;

/* Windows along rows whose outputs lie 1 or 2 columns apart. Lines follow each other in memory. */
typedef struct fc_pool_lines {
    ptrdiff_t lines, chunks, taps, dilation;
    ptrdiff_t x_row; /* elements between the rows of a window */
    ptrdiff_t width; /* of a line of y; when it is less than a vector there is one chunk */
    const fc_pool_line *line;
    const fc_pool_chunk *chunk;
    const void *counts; /* the columns' part of the divisor, whole vectors of them; NULL: nothing is divided */
} fc_pool_lines;

/* An output pixel of many lanes: of rows x columns input pixels, the first at x, those of its window in the image. */
typedef struct fc_pool_pixel {
    const void *x;
    void *y;
    ptrdiff_t rows, columns;
    bool divide;
    double divisor;
} fc_pool_pixel;

typedef struct fc_pool_pixels {
    ptrdiff_t pixels, lanes; /* at least a vector of lanes */
    ptrdiff_t x_row, x_column;
    const fc_pool_pixel *pixel;
} fc_pool_pixels;

/* A vector of lanes: where it lies in an item and in a result, and its part of the divisor. */
typedef struct fc_pool_vector {
    ptrdiff_t x, y;
    double count;
} fc_pool_vector;

/* Windows that slide by one item: result j is made of items j - before … j - before + window - 1, of which at least one is
 * there. Cut at multiples of the window's length, each is the end of a block of items, kept as `suffixes` (of as many
 * items, four vectors each), and the beginning of the next: three operations, however long it is. */
typedef struct fc_pool_blocks {
    ptrdiff_t window, before, items, results;
    const void *x;
    void *y, *suffixes;
    ptrdiff_t x_step, y_step; /* elements from one to the next */
    ptrdiff_t behind;         /* so many elements further lie the items of the next block */
    ptrdiff_t ahead;          /* what lies so far behind each vector of items is fetched on the way */
    ptrdiff_t vectors;
    const fc_pool_vector *vector;
    const double *scales; /* of the results: their part of the divisor; NULL: nothing is divided */
} fc_pool_blocks;

/* Rows and windows combined by maximum or by addition, in the order of their rows and taps. dst of `pair` may be a
 * or b; otherwise nothing overlaps. */
typedef struct fc_fold_kernels {
    /* dst[i] = a[i] . b[i] */
    void (*pair)(ptrdiff_t n, void *dst, const void *a, const void *b);
    /* dst[i] = fold over t < rows of src[t * step + i] */
    void (*rows)(ptrdiff_t n, void *dst, const void *src, ptrdiff_t rows, ptrdiff_t step);
    /* dst[i * depth + c] = fold over t < taps of src[(i * stride + t * dilation) * depth + c] */
    void (*window)(ptrdiff_t n, ptrdiff_t depth, void *dst, const void *src, ptrdiff_t taps, ptrdiff_t stride,
                   ptrdiff_t dilation);
    /* float32 and float64 only. dst[i] = fold over src[i * n] … src[i * n + n - 1] */
    void (*planes)(ptrdiff_t planes, ptrdiff_t n, void *dst, const void *src);
    void (*lines[2])(const fc_pool_lines *lines); /* by stride - 1 */
    void (*pixels)(const fc_pool_pixels *pixels);
    void (*blocks)(const fc_pool_blocks *blocks);
    /* dst[i] = fold over j < parts of part[j][i], divided by scale * counts[i] unless counts is NULL. Whole vectors of the
     * parts and the counts are read. `plain` is said where there is no NaN. */
    void (*combine)(ptrdiff_t n, void *dst, ptrdiff_t parts, const void *const *part, bool plain, double scale,
                    const void *counts);
    /* dst[k][i] = fold over src[i], src[i + step] … src[i + (2 << k) * step - step], unless dst[k] is NULL, for k <
     * doublings, FC_MOST_DOUBLINGS at most. step is less than a vector; it divides one, or step << (doublings - 1) is less
     * than one. What reaches beyond n elements of src is not defined; whole vectors are read and written. False where a NaN
     * has made it all wrong. NULL where a shift costs more than to read what it gives. */
    bool (*spans)(ptrdiff_t n, ptrdiff_t step, int doublings, void *const *dst, const void *src);
} fc_fold_kernels;

/* The row kernels of one element type. A NaN beats every number. The argmax kernels carry places along: of equals
 * and of NaNs the least place wins, FC_NO_PLACE (the value is `lowest` then) loses to all. */
typedef struct fc_pool_kernels {
    int lanes;                /* float32 and float64 only */
    fc_fold_kernels max, add; /* add: float32 and float64 only */
    /* dst = what never wins a maximum: -inf, or the least integer; dst_at, unless NULL, = FC_NO_PLACE */
    void (*lowest)(ptrdiff_t n, void *dst, fc_place *dst_at);
    /* The place of src[t * step + i] is place + t * place_step + column[i]; place_step is not negative. */
    void (*argmax_rows)(ptrdiff_t n, void *dst, fc_place *dst_at, const void *src, const fc_place *column,
                        ptrdiff_t rows, ptrdiff_t step, fc_place place, fc_place place_step);
    void (*argmax_pair)(ptrdiff_t n, void *dst, fc_place *dst_at, const void *a, const fc_place *a_at, const void *b,
                        const fc_place *b_at);
    void (*argmax_window)(ptrdiff_t n, ptrdiff_t depth, void *dst, fc_place *dst_at, const void *src,
                          const fc_place *src_at, ptrdiff_t taps, ptrdiff_t stride, ptrdiff_t dilation);
    /* dst[i * depth + c] = src[i * depth + c] / (scale * counts[i]), counts of the element type; dst may be src.
     * float32 and float64 only. */
    void (*divide)(ptrdiff_t n, ptrdiff_t depth, void *dst, const void *src, double scale, const void *counts);
    /* dst[(i * stride + t) * depth + c] = src[i * depth + c] for t < taps, 0 for those from taps up to the next i.
     * float32 and float64 only. */
    void (*spread)(ptrdiff_t n, ptrdiff_t depth, void *dst, const void *src, ptrdiff_t taps, ptrdiff_t stride);
    /* Each row of `width` elements `times` times, one behind the other. float32 and float64 only. */
    void (*repeat)(ptrdiff_t rows, ptrdiff_t width, ptrdiff_t times, void *dst, const void *src);
    /* dst[c * dst_step + r] = src[r * src_step + c] */
    void (*transpose)(ptrdiff_t rows, ptrdiff_t columns, void *dst, ptrdiff_t dst_step, const void *src,
                      ptrdiff_t src_step);
} fc_pool_kernels;

typedef struct fc_kernels {
    const char *name;
    bool (*usable)(void);
    fc_gemm_kernels gemm[4]; /* by fc_dtype: FC_F32, FC_F64, FC_I32, FC_I64 */
    fc_pool_kernels pool[FC_DTYPES];
    /* dst = base + src, or -1 for FC_NO_PLACE */
    void (*widen_places)(ptrdiff_t n, int64_t *dst, const fc_place *src, int64_t base);
    /* Whether all are from -1 up to below `plane`. */
    bool (*places_inside)(ptrdiff_t n, const int64_t *indices, int64_t plane);
} fc_kernels;

/* The sets that were built, best first, ended by NULL; the last is usable everywhere. */
const fc_kernels *const *fc_kernels_built(void);

#endif
