/* SPDX-License-Identifier: BSD-3-Clause */
/* check.h -- what the C tests share: a check that ends the program, random numbers, buffers between guard bytes. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastconv.h"

/* ---- checks ----------------------------------------------------------------------------------------------- */

/* CHECK(condition, format, ...): when it does not hold, says so with the situation and the seed, and exits with 1. */
#define CHECK(condition, ...) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

_Noreturn void check_failed(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What is being tried; part of every failure's message. */
extern char situation[800];

/* ---- random numbers --------------------------------------------------------------------------------------- */

extern uint64_t seed; /* printed, so that a run can be repeated */
void random_start(uint64_t from);
uint64_t random_bits(void);
int64_t below(int64_t end);                   /* from 0 to end - 1 */
int64_t from_to(int64_t first, int64_t last); /* both included */
bool one_in(int64_t n);

/* ---- numbers ---------------------------------------------------------------------------------------------- */

/* A number of any dtype: as a double for the floats, modulo 2^64 (signed ones sign-extended) for the integers.
 * `size` is what errors are measured by: the sum of the magnitudes that were added up; `largest`: that of all sums. */
typedef struct number {
    double f;
    uint64_t i;
    double size, largest;
} number;

bool is_float(fc_dtype dtype);
bool is_signed(fc_dtype dtype);
size_t bytes_of(fc_dtype dtype);

/* ---- buffers ---------------------------------------------------------------------------------------------- */

/* `count` elements in a block of their own. There are guard bytes on both sides, all ones (a NaN in every float type),
 * unless AddressSanitizer watches: then the block ends where the elements do. The elements start at any multiple of
 * their size. */
typedef struct buffer {
    fc_dtype dtype;
    size_t count;
    char *data;
    char *block, *copy; /* copy: the contents of an input, to see that it is not written */
    size_t before, after;
} buffer;

buffer buffer_of(fc_dtype dtype, int64_t count); /* poisoned */
void buffer_poison(const buffer *b);
void buffer_fill(buffer *b); /* small random numbers, which every float type adds up exactly; integers: any */
void buffer_keep(buffer *b); /* from now on it is an input */
void buffer_check(const buffer *b, const char *name);
void buffer_free(buffer *b, const char *name); /* checks it first */

number value_at(const buffer *b, size_t i);
void set_value(const buffer *b, size_t i, double value);

/* Whether the element is the number: integers modulo 2^bits, floats to a few hundred units in the last place of its
 * size. An infinity or NaN wants the same; with `loose`, any of them. */
bool is_number(const buffer *b, size_t i, const number *wanted, bool loose);
void check_numbers(const buffer *b, const number *wanted, bool loose, const char *name);

/* Loosely, and measured by the largest size of all. */
void check_numbers_in_norm(const buffer *b, const number *wanted, const char *name);
void check_same_bits(const buffer *a, const buffer *b, const char *name);

#endif
