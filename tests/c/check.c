/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char situation[800];
uint64_t seed;
static uint64_t state;

void check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: ", file, line, condition);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n  situation: %s\n  seed: %" PRIu64 " (repeat with --seed)\n", situation, seed);
    va_end(arguments);
    exit(1);
}

/* ---- random numbers: splitmix64 --------------------------------------------------------------------------- */

void random_start(uint64_t from) { state = from; }

uint64_t random_bits(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t below(int64_t end) { return (int64_t)(random_bits() % (uint64_t)end); }

int64_t from_to(int64_t first, int64_t last) { return first + below(last - first + 1); }

bool one_in(int64_t n) { return below(n) == 0; }

/* ---- numbers ---------------------------------------------------------------------------------------------- */

bool is_float(fc_dtype dtype) { return dtype == FC_F32 || dtype == FC_F64; }

bool is_signed(fc_dtype dtype) { return dtype == FC_I8 || dtype == FC_I16 || dtype == FC_I32 || dtype == FC_I64; }

size_t bytes_of(fc_dtype dtype)
{
    switch (dtype) {
    case FC_I8:
    case FC_U8: return 1;
    case FC_I16:
    case FC_U16: return 2;
    case FC_F32:
    case FC_I32:
    case FC_U32: return 4;
    default: return 8;
    }
}

/* ---- buffers ---------------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define MARGIN 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MARGIN 0
#endif
#endif
#ifndef MARGIN
#define MARGIN 128
#endif
#define GUARD 0xff
#define POISON 0xa5

buffer buffer_of(fc_dtype dtype, int64_t count)
{
    const size_t element = bytes_of(dtype), length = (size_t)count * element;
    buffer b = {.dtype = dtype, .count = (size_t)count, .before = MARGIN + element * (size_t)below(4), .after = MARGIN};
    b.block = malloc(b.before + length + b.after + (b.before + length + b.after == 0));
    CHECK(b.block, "the test needs %zu bytes", length);
    b.data = b.block + b.before;
    memset(b.block, GUARD, b.before);
    memset(b.data + length, GUARD, b.after);
    buffer_poison(&b);
    return b;
}

void buffer_poison(const buffer *b)
{
    memset(b->data, is_float(b->dtype) ? GUARD : POISON, b->count * bytes_of(b->dtype));
}

void set_value(const buffer *b, size_t i, double value)
{
    const int64_t whole = is_float(b->dtype) ? 0 : (int64_t)value;
    const float narrow = (float)value;
    char *at = b->data + i * bytes_of(b->dtype);
    if (b->dtype == FC_F32)
        memcpy(at, &narrow, sizeof narrow);
    else if (b->dtype == FC_F64)
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &whole, bytes_of(b->dtype)); /* all machines we know are little-endian */
}

void buffer_fill(buffer *b)
{
    const bool any = one_in(3);
    for (size_t i = 0; i < b->count; i++) {
        const uint64_t bits = random_bits();
        if (is_float(b->dtype) || !any)
            set_value(b, i, (double)(int)(bits % 7) - (is_float(b->dtype) || is_signed(b->dtype) ? 3 : 0));
        else
            memcpy(b->data + i * bytes_of(b->dtype), &bits, bytes_of(b->dtype));
    }
}

void buffer_keep(buffer *b)
{
    const size_t length = b->count * bytes_of(b->dtype);
    if (!b->copy) b->copy = malloc(length + 1);
    CHECK(b->copy, "the test needs %zu bytes", length);
    memcpy(b->copy, b->data, length);
}

void buffer_check(const buffer *b, const char *name)
{
    const size_t length = b->count * bytes_of(b->dtype);
    for (size_t i = 0; i < b->before; i++)
        CHECK((unsigned char)b->block[i] == GUARD, "%zu bytes in front of %s were written", b->before - i, name);
    for (size_t i = 0; i < b->after; i++)
        CHECK((unsigned char)b->data[length + i] == GUARD, "%zu bytes behind %s were written", i + 1, name);
    CHECK(!b->copy || !memcmp(b->copy, b->data, length), "%s was changed", name);
}

void buffer_free(buffer *b, const char *name)
{
    if (b->block) buffer_check(b, name);
    free(b->block);
    free(b->copy);
    *b = (buffer){0};
}

number value_at(const buffer *b, size_t i)
{
    const size_t bytes = bytes_of(b->dtype);
    number n = {0};
    float narrow;
    if (b->dtype == FC_F64) {
        memcpy(&n.f, b->data + i * 8, sizeof n.f);
    } else if (b->dtype == FC_F32) {
        memcpy(&narrow, b->data + i * 4, sizeof narrow);
        n.f = (double)narrow;
    } else {
        memcpy(&n.i, b->data + i * bytes, bytes);
        if (is_signed(b->dtype) && bytes < 8 && (n.i >> (8 * bytes - 1))) n.i |= ~(uint64_t)0 << (8 * bytes);
    }
    return n;
}

/* ---- comparisons ------------------------------------------------------------------------------------------ */

bool is_number(const buffer *b, size_t i, const number *wanted, bool loose)
{
    const number got = value_at(b, i);
    const double unit = b->dtype == FC_F32 ? 1.0 / (1 << 24) : 1.0 / ((int64_t)1 << 53);
    if (!is_float(b->dtype)) {
        const unsigned unused = (unsigned)(64 - 8 * bytes_of(b->dtype));
        return got.i << unused == wanted->i << unused;
    }
    if (!isfinite(wanted->f)) {
        if (loose) return !isfinite(got.f);
        return isnan(wanted->f) ? isnan(got.f) : got.f == wanted->f;
    }
    return fabs(got.f - wanted->f) <= 256 * unit * wanted->size;
}

static void check_number(const buffer *b, size_t i, const number *wanted, bool loose, const char *name)
{
    const number got = value_at(b, i);
    CHECK(is_number(b, i, wanted, loose), "element %zu of %s is %.17g or %" PRId64 ", should be %.17g or %" PRId64, i,
          name, got.f, (int64_t)got.i, wanted->f, (int64_t)wanted->i);
}

void check_numbers(const buffer *b, const number *wanted, bool loose, const char *name)
{
    buffer_check(b, name);
    for (size_t i = 0; i < b->count; i++) check_number(b, i, &wanted[i], loose, name);
}

void check_numbers_in_norm(const buffer *b, const number *wanted, const char *name)
{
    buffer_check(b, name);
    for (size_t i = 0; i < b->count; i++) {
        number in_norm = wanted[i];
        in_norm.size = in_norm.largest;
        check_number(b, i, &in_norm, true, name);
    }
}

void check_same_bits(const buffer *a, const buffer *b, const char *name)
{
    buffer_check(a, name);
    buffer_check(b, name);
    CHECK(a->count == b->count && a->dtype == b->dtype, "%s has another size", name);
    if (!memcmp(a->data, b->data, a->count * bytes_of(a->dtype))) return;
    for (size_t i = 0; i < a->count; i++) {
        const number one = value_at(a, i), other = value_at(b, i);
        CHECK(!memcmp(a->data + i * bytes_of(a->dtype), b->data + i * bytes_of(b->dtype), bytes_of(a->dtype)),
              "element %zu of %s is %.17g or %" PRId64 ", was %.17g or %" PRId64, i, name, other.f, (int64_t)other.i,
              one.f, (int64_t)one.i);
    }
}
