/* SPDX-License-Identifier: BSD-3-Clause */
/* driver.c -- brings bytes to the fuzz target where there is no libFuzzer.
 *
 *   fuzz_api [--seconds N] [--seed N] [FILE ...]
 *
 * Runs every file once, then, for N seconds, bytes by chance and files changed by chance. What libFuzzer finds by
 * coverage it finds only by luck; what was found before it finds again. A failure leaves its bytes in crash-input. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MOST_BYTES 4096
#define SECONDS_AN_INPUT 20

static uint8_t now[MOST_BYTES];
static size_t now_size;
static uint64_t state;

static uint64_t bits(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void save_input(void)
{
    FILE *file = fopen("crash-input", "wb");
    if (!file) return;
    fwrite(now, 1, now_size, file);
    fclose(file);
    fprintf(stderr, "its %zu bytes are in crash-input\n", now_size);
}

static void failed(int number)
{
    save_input();
    signal(number, SIG_DFL);
    raise(number);
}

#if defined(__SANITIZE_ADDRESS__)
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1:handle_abort=0"; }
void __asan_set_death_callback(void (*callback)(void));
#else
static void __asan_set_death_callback(void (*callback)(void)) { (void)callback; }
#endif

static void run(void)
{
    alarm(SECONDS_AN_INPUT);
    LLVMFuzzerTestOneInput(now, now_size);
    alarm(0);
}

static void read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(2);
    }
    now_size = fread(now, 1, sizeof now, file);
    fclose(file);
}

static void change(void)
{
    for (uint64_t changes = 1 + bits() % 6; changes; changes--) {
        if (!now_size) return;
        if (bits() % 8 == 0) now_size -= bits() % now_size;
        now[bits() % now_size] = (uint8_t)bits();
    }
}

int main(int count, char **arguments)
{
    long seconds = 0, runs = 0;
    int first = 1;
    time_t end;
    state = (uint64_t)time(NULL);
    for (; first + 1 < count && strncmp(arguments[first], "--", 2) == 0; first += 2) {
        if (strcmp(arguments[first], "--seconds") == 0)
            seconds = strtol(arguments[first + 1], NULL, 10);
        else
            state = strtoull(arguments[first + 1], NULL, 10);
    }
    printf("seed %llu\n", (unsigned long long)state);
    fflush(stdout);
    signal(SIGABRT, failed);
    signal(SIGALRM, failed);
    __asan_set_death_callback(save_input);
    for (int i = first; i < count; i++, runs++) {
        read_file(arguments[i]);
        run();
    }
    for (end = time(NULL) + seconds; time(NULL) < end; runs++) {
        if (first < count && bits() % 4) {
            read_file(arguments[first + (int)(bits() % (uint64_t)(count - first))]);
            change();
        } else {
            now_size = bits() % 256;
            for (size_t i = 0; i < now_size; i++) now[i] = (uint8_t)bits();
        }
        run();
    }
    printf("%ld inputs: nothing was found\n", runs);
    return 0;
}
