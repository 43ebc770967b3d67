/* SPDX-License-Identifier: BSD-3-Clause */
/* The core asks through these three functions, which the program defines in front of the C library's. */
#define _GNU_SOURCE
#include "faults.h"

#if defined(__linux__)

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
    void *(*next)(size_t, size_t);
    *(void **)&next = dlsym(RTLD_NEXT, "aligned_alloc");
    return refuse_memory() ? NULL : next(alignment, size);
}

/* ThreadSanitizer asks for pages before it can bear a function that it watches. */
__attribute__((visibility("default"), no_sanitize_thread)) void *mmap(void *address, size_t size, int protection,
                                                                      int flags, int file, off_t offset)
{
    void *(*next)(void *, size_t, int, int, int, off_t);
    if (atomic_load(&memory_granted) >= 0 && refuse_memory()) return MAP_FAILED;
    *(void **)&next = dlsym(RTLD_NEXT, "mmap");
    return next(address, size, protection, flags, file, offset);
}

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                                          void *(*start)(void *), void *argument)
{
    create *next;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    return refuse_thread() ? EAGAIN : next(thread, attributes, start, argument);
}

bool stand_between(void) { return true; }

#else

bool stand_between(void) { return false; }

#endif
