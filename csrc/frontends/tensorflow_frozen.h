/* SPDX-License-Identifier: BSD-3-Clause */
/* tensorflow_frozen.h -- weights that stay, by their owner's word: what algorithms have made of them.
 *
 * A word is a number that a layer's operations carry. The first call under it holds the tensor of its weights. TensorFlow
 * writes to no memory of which someone else holds a tensor, it gives an edited variable other memory: as long as the
 * weights lie at the same address they are the same numbers, and when they do not, the word is over. */
#ifndef FC_FRONTENDS_TENSORFLOW_FROZEN_H
#define FC_FRONTENDS_TENSORFLOW_FROZEN_H

#include "frontends/tensorflow_call.h"

typedef struct tf_frozen tf_frozen;

/* Weights as an algorithm reads them. */
typedef struct tf_prepared {
    const char *algorithm;
    const void *data;
    size_t bytes;
} tf_prepared;

/* What is kept under a word, until it is released; NULL when the word was not given, or is over. */
tf_frozen *tf_frozen_hold(int64_t word);
void tf_frozen_release(tf_frozen *frozen);

/* The weights `w`, which are input `index` of the call, for this problem, prepared now or before. NULL where the call must
 * read w itself: it always may. */
const tf_prepared *tf_frozen_weights(tf_frozen *frozen, tf_call *call, int index, const void *w,
                                     const fc_corr2d_params *params);

#endif
