/* SPDX-License-Identifier: BSD-3-Clause */
#include "frontends/tensorflow_frozen.h"

#include <pthread.h>
#include <stdlib.h>

/* One copy of the weights, and all that it depends on. Names are the core's own strings. */
typedef struct copy {
    tf_prepared prepared;
    fc_corr2d_params params;
    struct copy *next;
} copy;

struct tf_frozen {
    int64_t word;
    tf_frozen *next;
    int holders; /* the list is one */
    /* The rest is read and written under `changes`. */
    pthread_mutex_t changes;
    TF_Tensor *tensor; /* NULL before the first call */
    const void *w;
    copy *copies;
    int64_t preparations;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list and of the counts of holders */
static tf_frozen *first;

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void release_locked(tf_frozen *frozen)
{
    if (--frozen->holders) return;
    while (frozen->copies) {
        copy *next = frozen->copies->next;
        free(frozen->copies);
        frozen->copies = next;
    }
    if (frozen->tensor) tf.TF_DeleteTensor(frozen->tensor);
    pthread_mutex_destroy(&frozen->changes);
    free(frozen);
}

static tf_frozen **find_locked(int64_t word)
{
    tf_frozen **at = &first;
    while (*at && (*at)->word != word) at = &(*at)->next;
    return at;
}

tf_frozen *tf_frozen_hold(int64_t word)
{
    pthread_mutex_lock(&lock);
    tf_frozen *found = *find_locked(word);
    if (found) found->holders++;
    pthread_mutex_unlock(&lock);
    return found;
}

void tf_frozen_release(tf_frozen *frozen)
{
    pthread_mutex_lock(&lock);
    release_locked(frozen);
    pthread_mutex_unlock(&lock);
}

/* What Python calls: to give a word, to end it, and to ask how often weights were prepared under it (-1: it is over). */
#define SHOWN __attribute__((visibility("default")))
SHOWN int fastconv_tensorflow_freeze(int64_t word);
SHOWN void fastconv_tensorflow_unfreeze(int64_t word);
SHOWN int64_t fastconv_tensorflow_preparations(int64_t word);

int fastconv_tensorflow_freeze(int64_t word)
{
    tf_frozen *made = calloc(1, sizeof *made);
    if (!made) return 0;
    made->word = word;
    made->holders = 1;
    pthread_mutex_init(&made->changes, NULL);
    pthread_mutex_lock(&lock);
    made->next = first;
    first = made;
    pthread_mutex_unlock(&lock);
    return 1;
}

void fastconv_tensorflow_unfreeze(int64_t word)
{
    pthread_mutex_lock(&lock);
    tf_frozen **at = find_locked(word), *found = *at;
    if (found) {
        *at = found->next;
        release_locked(found);
    }
    pthread_mutex_unlock(&lock);
}

int64_t fastconv_tensorflow_preparations(int64_t word)
{
    tf_frozen *found = tf_frozen_hold(word);
    int64_t count;
    if (!found) return -1;
    pthread_mutex_lock(&found->changes);
    count = found->preparations;
    pthread_mutex_unlock(&found->changes);
    tf_frozen_release(found);
    return count;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Whether weights that were prepared for one problem are those of the other, by the same algorithm. */
static bool same_weights(const fc_corr2d_params *a, const fc_corr2d_params *b)
{
    return a->isa == b->isa && a->dtype == b->dtype && a->layout == b->layout && a->weight_layout == b->weight_layout &&
           a->groups == b->groups && a->out_channels == b->out_channels && a->weight_channels == b->weight_channels &&
           a->kernel[0] == b->kernel[0] && a->kernel[1] == b->kernel[1];
}

static copy *prepare(const fc_corr2d_params *params, const char *algorithm, size_t bytes, const void *w)
{
    const size_t head = (sizeof(copy) + 63) / 64 * 64;
    copy *made = bytes < SIZE_MAX - head ? malloc(head + bytes) : NULL;
    fc_error error;
    if (!made) return NULL;
    char *data = (char *)made + head;
    *made = (copy){{algorithm, data, bytes}, *params, NULL};
    if (fc_corr2d_prepare(params, algorithm, w, data, bytes, &error) == FC_OK) return made;
    free(made);
    return NULL;
}

/* The tensor of the weights; it is the caller's to delete. */
static TF_Tensor *own_input(tf_call *call, int index)
{
    TF_Tensor *tensor = NULL;
    TF_Status *status = tf.TF_NewStatus();
    tf.TF_GetInput(call->context, index, &tensor, status);
    if (tf.TF_GetCode(status) != TF_OK) tensor = NULL;
    tf.TF_DeleteStatus(status);
    return tensor;
}

static const tf_prepared *weights_locked(tf_frozen *frozen, tf_call *call, int index, const void *w,
                                         const fc_corr2d_params *params)
{
    const char *algorithm = NULL;
    size_t bytes = 0;
    fc_error error;
    copy *found;
    if (fc_corr2d_choose(params, NULL, &algorithm, &bytes, &error) != FC_OK || !bytes) return NULL;
    for (found = frozen->copies; found; found = found->next)
        if (found->prepared.algorithm == algorithm && same_weights(&found->params, params)) return &found->prepared;
    if (!frozen->tensor && !(frozen->tensor = own_input(call, index))) return NULL;
    frozen->w = w;
    found = prepare(params, algorithm, bytes, w);
    if (!found) return NULL;
    frozen->preparations++;
    found->next = frozen->copies;
    frozen->copies = found;
    return &found->prepared;
}

const tf_prepared *tf_frozen_weights(tf_frozen *frozen, tf_call *call, int index, const void *w,
                                     const fc_corr2d_params *params)
{
    const tf_prepared *prepared = NULL;
    pthread_mutex_lock(&frozen->changes);
    const bool edited = frozen->tensor && frozen->w != w;
    if (!edited) prepared = weights_locked(frozen, call, index, w, params);
    pthread_mutex_unlock(&frozen->changes);
    if (edited) fastconv_tensorflow_unfreeze(frozen->word);
    return prepared;
}
