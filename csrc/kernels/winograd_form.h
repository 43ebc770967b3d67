/* SPDX-License-Identifier: BSD-3-Clause */
/* winograd_form.h -- all vectors of channels of a tile, by input_vector and output_vector of winograd_square.h or
 * winograd_line.h, which include it at their end. */

static void FORM(input)(const fc_winograd_input *t)
{
    enum { lanes = W(LANES) };
    T *v = t->v;
    ptrdiff_t c = 0;
    for (; c + lanes <= t->channels; c += lanes) FORM(input_vector)(t, c, v + c, true);
    if (c < t->channels) FORM(input_vector)(t, c, v + c, false);
}

static void FORM(output)(const fc_winograd_output *t)
{
    enum { lanes = W(LANES), outputs = OUTPUTS };
    W(vec) check[outputs];
    ptrdiff_t c = 0;
    UNROLL
    for (int j = 0; j < outputs; j++) check[j] = W(zero)();
    if (t->whole)
        for (; c + lanes <= t->channels; c += lanes) FORM(output_vector)(t, c, true, check);
    for (; c < t->channels; c += lanes) FORM(output_vector)(t, c, false, check);
    UNROLL
    for (int j = 1; j < outputs; j++) check[0] = W(add)(check[0], check[j]);
    *t->finite = !W(any_nan)(check[0]);
}

#undef SHAPE
#undef TAPS
#undef INPUTS
#undef WINDOW
#undef OUTPUTS
#undef SPREAD
#undef GATHER
#undef RAISE
