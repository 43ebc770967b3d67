/* SPDX-License-Identifier: BSD-3-Clause */
/* table.h -- instantiates the templates over the vocabulary that was included before, and fills in one const table.
 * FC_ISA is the set's name as a token, FC_ISA_USABLE the test that the machine has it. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/template.h"
#include "kernels/vec_int.h"

#define S f32
#define T float
#define I int32_t
#include "kernels/transpose.h"

#include "kernels/depthwise_block.h"
#include "kernels/depthwise_nchw.h"
#include "kernels/depthwise_nhwc.h"
#include "kernels/dot.h"
#include "kernels/gemm.h"
#include "kernels/grouped_block.h"
#include "kernels/inner.h"
#include "kernels/interleaved.h"
#include "kernels/pack.h"
#include "kernels/pixels.h"
#include "kernels/strassen.h"
#include "kernels/winograd.h"
#undef S
#undef T
#undef I

#define S f64
#define T double
#define I int64_t
#include "kernels/transpose.h"

#include "kernels/depthwise_block.h"
#include "kernels/depthwise_nchw.h"
#include "kernels/depthwise_nhwc.h"
#include "kernels/dot.h"
#include "kernels/gemm.h"
#include "kernels/grouped_block.h"
#include "kernels/inner.h"
#include "kernels/interleaved.h"
#include "kernels/pack.h"
#include "kernels/pixels.h"
#include "kernels/strassen.h"
#include "kernels/winograd.h"
#undef S
#undef T
#undef I

#define S i32
#define T uint32_t
#include "kernels/depthwise_nhwc.h"
#include "kernels/gemm.h"
#undef S
#undef T

#define S i64
#define T uint64_t
#include "kernels/depthwise_nhwc.h"
#include "kernels/gemm.h"
#undef S
#undef T

#define FC_WINOGRAD_TABLE(shape, taps, type) \
    {shape##taps##_input_##type, shape##taps##_output_##type, shape##taps##_weights_##type}
#define FC_WINOGRAD_GRAD_TABLE(shape, taps, type) \
    {.input = shape##_grad##taps##_input_##type, .output = shape##_grad##taps##_output_##type}
#define FC_PHASE_TABLE(type, groups) {phase_tile_##type##_##groups##_0, phase_tile_##type##_##groups##_1}
#define FC_RUN_TABLE(type, groups)                                             \
    {                                                                          \
        {run_tile_##type##_##groups##_7_1, run_tile_##type##_##groups##_7_2},  \
        {                                                                      \
            run_tile_##type##_##groups##_8_1, run_tile_##type##_##groups##_8_2 \
        }                                                                      \
    }
#ifdef SHARED_LANES
#define FC_SHARED_LANES(type)                                                                  \
    .share_lanes = {share_lanes_##type##_1, share_lanes_##type##_2, share_lanes_##type##_4},   \
    .phase_tile = {FC_PHASE_TABLE(type, 1), FC_PHASE_TABLE(type, 2), FC_PHASE_TABLE(type, 4)}, \
    .run_tile = {FC_RUN_TABLE(type, 1), FC_RUN_TABLE(type, 2), FC_RUN_TABLE(type, 4)},
#elif PHASE_POINTS
#define FC_SHARED_LANES(type)                                                         \
    .share_lanes = {share_lanes_##type##_1}, .phase_tile = {FC_PHASE_TABLE(type, 1)}, \
    .run_tile = {FC_RUN_TABLE(type, 1)},
#else
#define FC_SHARED_LANES(type)
#endif
#define FC_FLOATING_TABLE(type)                                                                                        \
    .pixel_row = {pixel_row_##type##_1, pixel_row_##type##_2, pixel_row_##type##_3}, .dot = dot_##type,                \
    .inner_rows = INNER_ROWS, .inner = inner_##type, .inner_sums = inner_sums_##type,                                  \
    .depthwise_rows = {depthwise_rows_##type##_1, depthwise_rows_##type##_2},                                          \
    .depthwise_3x3 = {depthwise_3x3_##type##_1, depthwise_3x3_##type##_2}, .block_in = block_in_##type,                \
    .block_out = block_out_##type,                                                                                     \
    .depthwise_sweep = {depthwise_sweep_##type##_3, depthwise_sweep_##type##_5, depthwise_sweep_##type##_7},           \
    .depthwise_run = depthwise_run_##type, .interleaved = interleaved_##type,                                          \
    .depthwise_taps = {depthwise_taps_##type##_1_1, depthwise_taps_##type##_1_2, depthwise_taps_##type##_1_3,          \
                       depthwise_taps_##type##_1_4, depthwise_taps_##type##_1_5, depthwise_taps_##type##_1_6,          \
                       depthwise_taps_##type##_1_7},                                                                   \
    .depthwise_taps_3x3 = depthwise_taps_##type##_3_3, .groups_in = groups_in_##type, .groups_out = groups_out_##type, \
    .group_tile = {group_tile_##type##_1, group_tile_##type##_2, group_tile_##type##_3, group_tile_##type##_4},        \
    .group_pixel = {group_pixel_##type##_1, group_pixel_##type##_2, group_pixel_##type##_3, group_pixel_##type##_4},   \
    .group_taps = group_taps_##type, .copy_pixels = copy_pixels_##type,                                                \
    .group_rows = {{GROUP_PIXELS_1, GROUP_FEWER_1}, {GROUP_PIXELS_2, GROUP_FEWER_2}},                                  \
    .group_weights = {group_weights_##type##_1, group_weights_##type##_2},                                             \
    .group_pixels = {{group_pixels_##type##_1_0, group_pixels_##type##_1_1},                                           \
                     {group_pixels_##type##_2_0, group_pixels_##type##_2_1}},                                          \
    .strassen_split = strassen_split_##type, .strassen_weights = strassen_weights_##type,                              \
    .strassen_join = strassen_join_##type, .phase_points = PHASE_POINTS,                                               \
    FC_SHARED_LANES(type).transpose = transpose_vectors_##type,                                                        \
    .winograd = {[FC_WINOGRAD_3X3] = FC_WINOGRAD_TABLE(square, 3, type),                                               \
                 [FC_WINOGRAD_3X3_SMALL] = FC_WINOGRAD_TABLE(small, 3, type),                                          \
                 [FC_WINOGRAD_5X5] = FC_WINOGRAD_TABLE(square, 5, type),                                               \
                 [FC_WINOGRAD_3X3_APART] = FC_WINOGRAD_TABLE(apart, 3, type),                                          \
                 [FC_WINOGRAD_3] = FC_WINOGRAD_TABLE(line, 3, type),                                                   \
                 [FC_WINOGRAD_7] = FC_WINOGRAD_TABLE(line, 7, type),                                                   \
                 [FC_WINOGRAD_3X3_GRAD] = FC_WINOGRAD_GRAD_TABLE(square, 3, type),                                     \
                 [FC_WINOGRAD_5X5_GRAD] = FC_WINOGRAD_GRAD_TABLE(square, 5, type),                                     \
                 [FC_WINOGRAD_3X3_APART_GRAD] = FC_WINOGRAD_GRAD_TABLE(apart, 3, type),                                \
                 [FC_WINOGRAD_3_GRAD] = FC_WINOGRAD_GRAD_TABLE(line, 3, type),                                         \
                 [FC_WINOGRAD_7_GRAD] = FC_WINOGRAD_GRAD_TABLE(line, 7, type)}
#ifdef TALLER_ROWS
#define FC_TALLER_TABLE(type) .taller_tile = {taller_tile_##type##_1, taller_tile_##type##_2, taller_tile_##type##_3},
#else
#define FC_TALLER_TABLE(type)
#endif
#define FC_GEMM_TABLE(type, width, ...)                                                                   \
    {.lanes = LANES_##type,                                                                               \
     .rows = TILE_ROWS,                                                                                   \
     .tile = {gemm_tile_##type##_1, gemm_tile_##type##_2, gemm_tile_##type##_3},                          \
     .lower_rows = LOWER_ROWS,                                                                            \
     .lower_tile = {lower_tile_##type##_1, lower_tile_##type##_2, lower_tile_##type##_3},                 \
     FC_TALLER_TABLE(type).narrow_rows = {NARROW_ROWS_1, NARROW_ROWS_2},                                  \
     .narrow_tile = {narrow_tile_##type##_1, narrow_tile_##type##_2},                                     \
     .product_vectors = PRODUCT_VECTORS,                                                                  \
     .product = {product_##type##_1, product_##type##_2, product_##type##_3},                             \
     .product_turned = {product_turned_##type##_1, product_turned_##type##_2, product_turned_##type##_3}, \
     .pack_tile = {pack_tile_##type##_1, pack_tile_##type##_2, pack_tile_##type##_3},                     \
     .shift_tile = {shift_tile_##type##_1, shift_tile_##type##_2, shift_tile_##type##_3},                 \
     .shift_row = {shift_row_##type##_1, shift_row_##type##_4, shift_row_##type##_12},                    \
     .depthwise_pixels = depthwise_pixels_##type,                                                         \
     .depthwise_pixel = depthwise_pixel_##type,                                                           \
     .depthwise_line = depthwise_line_##type,                                                             \
     .scatter = gemm_scatter_##type,                                                                      \
     .find_moves = find_moves_##width,                                                                    \
     .pack = pack_##width,                                                                                \
     .window_masks = window_masks_##width,                                                                \
     __VA_ARGS__}

#include "kernels/pool_places.h"
#define FLOATING 1
#define S f32
#define T float
#define I int32_t
#include "kernels/pool_rows.h"
#include "kernels/pool_vectors.h"
#undef S
#undef T
#undef I
#define S f64
#define T double
#define I int64_t
#include "kernels/pool_rows.h"
#include "kernels/pool_vectors.h"
#undef S
#undef T
#undef I
#undef FLOATING

#define FLOATING 0
#define S i8
#define T int8_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S u8
#define T uint8_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S i16
#define T int16_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S u16
#define T uint16_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S i32
#define T int32_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S u32
#define T uint32_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S i64
#define T int64_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#define S u64
#define T uint64_t
#include "kernels/pool_rows.h"
#undef S
#undef T
#undef FLOATING

#ifdef SHIFTS
#define FC_SPANS(name, type) name##_spans_##type
#else
#define FC_SPANS(name, type) NULL
#endif
#define FC_FOLD_TABLE(name, type, ...) {name##_pair_##type, name##_rows_##type, name##_window_##type, __VA_ARGS__}
#define FC_FOLD_VECTORS(name, type)                                                                 \
    name##_planes_##type, {name##_lines_##type##_1, name##_lines_##type##_2}, name##_pixels_##type, \
        name##_blocks_##type, name##_combine_##type, FC_SPANS(name, type)
#define FC_MAX_TABLE(type, ...)                                                                               \
    .max = FC_FOLD_TABLE(max, type, __VA_ARGS__), .lowest = lowest_##type, .argmax_rows = argmax_rows_##type, \
    .argmax_pair = argmax_pair_##type, .argmax_window = argmax_window_##type, .transpose = transpose_##type
#define FC_FLOATING_POOL_TABLE(type)                                                                               \
    .lanes = LANES_##type, FC_MAX_TABLE(type, FC_FOLD_VECTORS(max, type)),                                         \
    .add = FC_FOLD_TABLE(add, type, FC_FOLD_VECTORS(add, type)), .divide = divide_##type, .spread = spread_##type, \
    .repeat = repeat_##type

const fc_kernels FC_PASTE(fc_kernels, FC_ISA) = {
    .name = FC_ISA_NAME,
    .usable = FC_ISA_USABLE,
    .widen_places = widen_places,
    .places_inside = places_inside,
    .gemm =
        {
            [FC_F32] = FC_GEMM_TABLE(f32, f32, FC_FLOATING_TABLE(f32)),
            [FC_F64] = FC_GEMM_TABLE(f64, f64, FC_FLOATING_TABLE(f64)),
            [FC_I32] = FC_GEMM_TABLE(i32, f32, ),
            [FC_I64] = FC_GEMM_TABLE(i64, f64, ),
        },
    .pool =
        {
            [FC_F32] = {FC_FLOATING_POOL_TABLE(f32)},
            [FC_F64] = {FC_FLOATING_POOL_TABLE(f64)},
            [FC_I32] = {FC_MAX_TABLE(i32, )},
            [FC_I64] = {FC_MAX_TABLE(i64, )},
            [FC_I8] = {FC_MAX_TABLE(i8, )},
            [FC_U8] = {FC_MAX_TABLE(u8, )},
            [FC_I16] = {FC_MAX_TABLE(i16, )},
            [FC_U16] = {FC_MAX_TABLE(u16, )},
            [FC_U32] = {FC_MAX_TABLE(u32, )},
            [FC_U64] = {FC_MAX_TABLE(u64, )},
        },
};
