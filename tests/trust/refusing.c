/* SPDX-License-Identifier: BSD-3-Clause */
/* refusing.c -- to be preloaded: memory and threads that the system refuses when told to.
 *
 * refuse_memory(n, count, library): of the requests of the calling thread from now on, n are granted and the next `count`
 * refused. With a library, of the requests of any thread from code whose file's path contains that word. refused() ends
 * it and tells how many were. refuse_threads(n) refuses all threads but n, whoever asks; negative: no more.
 * A process that runs out of memory does so between any two of its lines: this brings it about at each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static atomic_long granted = -1, still, number_refused, threads_granted = -1, threads_refused;
static const char *only;
static _Thread_local bool mine;

void refuse_memory(long n, long count, const char *library)
{
    mine = true;
    only = library;
    atomic_store(&number_refused, 0);
    atomic_store(&still, count);
    atomic_store(&granted, n);
}

long refused(void)
{
    atomic_store(&granted, -1);
    mine = false;
    return atomic_load(&number_refused);
}

void refuse_threads(long n) { atomic_store(&threads_granted, n); }

long refused_threads(void) { return atomic_exchange(&threads_refused, 0); }

static bool comes_from(const void *caller)
{
    Dl_info info;
    return !only || (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, only));
}

static bool refuses(const void *caller)
{
    if (atomic_load(&granted) < 0 || (!only && !mine) || !comes_from(caller)) return false;
    if (atomic_load(&granted) > 0) {
        atomic_fetch_sub(&granted, 1);
        return false;
    }
    if (atomic_fetch_sub(&still, 1) <= 0) return false;
    atomic_fetch_add(&number_refused, 1);
    errno = ENOMEM;
    return true;
}

#define CALLER __builtin_return_address(0)
#define NEXT(pointer, name) \
    if (!(pointer)) *(void **)&(pointer) = dlsym(RTLD_NEXT, name)

void *malloc(size_t size)
{
    static void *(*next)(size_t);
    NEXT(next, "malloc");
    return refuses(CALLER) ? NULL : next(size);
}

void *calloc(size_t count, size_t size)
{
    static void *(*next)(size_t, size_t);
    NEXT(next, "calloc");
    return refuses(CALLER) ? NULL : next(count, size);
}

void *realloc(void *old, size_t size)
{
    static void *(*next)(void *, size_t);
    NEXT(next, "realloc");
    return refuses(CALLER) ? NULL : next(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    static void *(*next)(size_t, size_t);
    NEXT(next, "aligned_alloc");
    return refuses(CALLER) ? NULL : next(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    static int (*next)(void **, size_t, size_t);
    NEXT(next, "posix_memalign");
    return refuses(CALLER) ? ENOMEM : next(memory, alignment, size);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    static void *(*next)(void *, size_t, int, int, int, off_t);
    NEXT(next, "mmap");
    return refuses(CALLER) ? MAP_FAILED : next(address, size, protection, flags, file, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    long left = atomic_load(&threads_granted);
    NEXT(next, "pthread_create");
    if (left < 0) return next(thread, attributes, start, argument);
    if (left > 0) {
        atomic_store(&threads_granted, left - 1);
        return next(thread, attributes, start, argument);
    }
    atomic_fetch_add(&threads_refused, 1);
    return EAGAIN;
}
