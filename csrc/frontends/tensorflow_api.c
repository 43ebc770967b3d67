/* SPDX-License-Identifier: BSD-3-Clause */
#include "frontends/tensorflow_api.h"

#include <dlfcn.h>
#include <string.h>

tf_functions tf;

/* TensorFlow's libraries are loaded privately by Python's import, so that RTLD_DEFAULT does not show them: they are
 * asked for by name, and never loaded from here. */
static const char *const libraries[] = {
    "libtensorflow_framework.so.2",
    "libtensorflow_cc.so.2",
    "libtensorflow_framework.2.dylib",
    "libtensorflow_cc.2.dylib",
};

#define LIBRARIES (sizeof libraries / sizeof *libraries)

static void *find(void *const handles[LIBRARIES], const char *name)
{
    for (size_t i = 0; i < LIBRARIES; i++) {
        void *found = handles[i] ? dlsym(handles[i], name) : NULL;
        if (found) return found;
    }
    return dlsym(RTLD_DEFAULT, name);
}

const char *tf_functions_find(void)
{
    void *handles[LIBRARIES];
    for (size_t i = 0; i < LIBRARIES; i++) handles[i] = dlopen(libraries[i], RTLD_NOW | RTLD_NOLOAD);
        /* memcpy, since ISO C converts no data pointer to a function's. */
#define FC_TENSORFLOW_FIND(result, name, arguments) \
    {                                               \
        void *found = find(handles, #name);         \
        if (!found) return #name;                   \
        memcpy(&tf.name, &found, sizeof found);     \
    }
    FC_TENSORFLOW_FUNCTIONS(FC_TENSORFLOW_FIND)
#undef FC_TENSORFLOW_FIND
    return NULL;
}
