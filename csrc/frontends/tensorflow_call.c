/* SPDX-License-Identifier: BSD-3-Clause */
#include "frontends/tensorflow_call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- calls ------------------------------------------------------------------------------------------------------- */

tf_call tf_call_begin(TF_OpKernelContext *context)
{
    return (tf_call){.context = context, .status = tf.TF_NewStatus()};
}

bool tf_call_ok(const tf_call *call) { return tf.TF_GetCode(call->status) == TF_OK; }

void tf_call_end(tf_call *call)
{
    if (!tf_call_ok(call)) tf.TF_OpKernelContext_Failure(call->context, call->status);
    for (int i = 0; i < call->count; i++) tf.TF_DeleteTensor(call->tensors[i]);
    tf.TF_DeleteStatus(call->status);
}

void tf_call_fail(tf_call *call, const char *format, ...)
{
    char message[600];
    va_list arguments;
    if (!tf_call_ok(call)) return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    tf.TF_SetStatus(call->status, TF_INVALID_ARGUMENT, message);
}

void tf_call_check(tf_call *call, fc_status status, const fc_error *error)
{
    if (status == FC_OK || !tf_call_ok(call)) return;
    tf.TF_SetStatus(call->status, status == FC_NO_MEMORY ? TF_RESOURCE_EXHAUSTED : TF_INVALID_ARGUMENT, error->message);
}

const void *tf_call_input(tf_call *call, int index, tf_shape *shape)
{
    TF_Tensor *tensor = NULL;
    *shape = (tf_shape){.rank = 0};
    if (!tf_call_ok(call)) return NULL;
    tf.TF_GetInput(call->context, index, &tensor, call->status);
    if (!tf_call_ok(call)) return NULL;
    call->tensors[call->count++] = tensor;
    shape->rank = tf.TF_NumDims(tensor);
    for (int i = 0; i < shape->rank && i < TF_MOST_DIMS; i++) shape->dims[i] = tf.TF_Dim(tensor, i);
    if (shape->rank > TF_MOST_DIMS) shape->rank = -1;
    return tf.TF_TensorData(tensor);
}

const void *tf_call_input_of(tf_call *call, int index, const char *name, const tf_shape *wanted)
{
    tf_shape shape;
    const void *data = tf_call_input(call, index, &shape);
    bool same = shape.rank == wanted->rank;
    for (int i = 0; same && i < wanted->rank; i++) same = shape.dims[i] == wanted->dims[i];
    if (!same)
        tf_call_fail(call, "%s has shape %s but must have %s", name, tf_shape_text(&shape).text,
                     tf_shape_text(wanted).text);
    return data;
}

const void *tf_call_images(tf_call *call, int index, const char *name, tf_shape *shape)
{
    const void *data = tf_call_input(call, index, shape);
    if (shape->rank != 4)
        tf_call_fail(call, "%s must have 4 dimensions, got shape %s", name, tf_shape_text(shape).text);
    return data;
}

void tf_call_sizes(tf_call *call, int index, const char *name, tf_shape *shape)
{
    tf_shape own;
    const void *data = tf_call_input(call, index, &own);
    *shape = (tf_shape){.rank = 4};
    if (!tf_call_ok(call)) return;
    if (own.rank == 4) {
        *shape = own;
    } else if (own.rank == 1 && own.dims[0] == 4 && tf.TF_TensorType(call->tensors[call->count - 1]) == TF_INT64) {
        memcpy(shape->dims, data, 4 * sizeof *shape->dims);
    } else {
        tf_call_fail(call, "%s must have 4 dimensions, or be 4 sizes of type int64; got shape %s", name,
                     tf_shape_text(&own).text);
    }
}

static size_t type_size(int type)
{
    switch (type) {
    case TF_UINT8:
    case TF_INT8: return 1;
    case TF_INT16:
    case TF_UINT16: return 2;
    case TF_DOUBLE:
    case TF_INT64:
    case TF_UINT64: return 8;
    default: return 4;
    }
}

void *tf_call_output(tf_call *call, int index, int type, const tf_shape *shape)
{
    size_t bytes = type_size(type);
    TF_Tensor *tensor;
    /* TensorFlow aborts where the sizes overflow, even beside a size of 0. */
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] > 0 && __builtin_mul_overflow(bytes, (size_t)shape->dims[i], &bytes))
            tf_call_fail(call, "an output of shape %s is too large for this machine", tf_shape_text(shape).text);
    if (bytes > PTRDIFF_MAX)
        tf_call_fail(call, "an output of shape %s is too large for this machine", tf_shape_text(shape).text);
    if (!tf_call_ok(call)) return NULL;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] == 0) bytes = 0;
    tensor = tf.TF_AllocateOutput(call->context, index, type, shape->dims, shape->rank, bytes, call->status);
    if (!tf_call_ok(call)) return NULL;
    call->tensors[call->count++] = tensor;
    return tf.TF_TensorData(tensor);
}

tf_text tf_shape_text(const tf_shape *shape)
{
    tf_text out = {"("};
    size_t used = 1;
    if (shape->rank < 0) return (tf_text){"of too many dimensions"};
    for (int i = 0; i < shape->rank; i++)
        used +=
            (size_t)snprintf(out.text + used, sizeof out.text - used, i ? ", %" PRId64 : "%" PRId64, shape->dims[i]);
    snprintf(out.text + used, sizeof out.text - used, shape->rank == 1 ? ",)" : ")");
    return out;
}

tf_shape tf_images_shape(fc_layout layout, int64_t batch, int64_t channels, const int64_t size[2])
{
    if (layout == FC_NCHW) return (tf_shape){4, {batch, channels, size[0], size[1]}};
    return (tf_shape){4, {batch, size[0], size[1], channels}};
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static bool attributes_ok(const tf_attributes *from) { return tf.TF_GetCode(from->status) == TF_OK; }

static void attribute_fail(tf_attributes *from, const char *name, const char *what)
{
    char message[200];
    if (!attributes_ok(from)) return;
    snprintf(message, sizeof message, "the attribute %s %s", name, what);
    tf.TF_SetStatus(from->status, TF_INVALID_ARGUMENT, message);
}

void tf_get_int64s(tf_attributes *from, const char *name, int64_t *values, int count)
{
    int32_t length = 0, total = 0;
    if (!attributes_ok(from)) return;
    tf.TF_OpKernelConstruction_GetAttrSize(from->construction, name, &length, &total, from->status);
    if (length != count) attribute_fail(from, name, "has not the right number of entries");
    if (attributes_ok(from))
        tf.TF_OpKernelConstruction_GetAttrInt64List(from->construction, name, values, count, from->status);
}

int64_t tf_get_int64(tf_attributes *from, const char *name)
{
    int64_t value = 0;
    if (attributes_ok(from)) tf.TF_OpKernelConstruction_GetAttrInt64(from->construction, name, &value, from->status);
    return value;
}

bool tf_get_bool(tf_attributes *from, const char *name)
{
    unsigned char value = 0;
    if (attributes_ok(from)) tf.TF_OpKernelConstruction_GetAttrBool(from->construction, name, &value, from->status);
    return value;
}

/* A string attribute; empty, and a failure, when it is longer than `size` - 1. */
static void get_string(tf_attributes *from, const char *name, char *text, size_t size)
{
    int32_t length = 0, total = 0;
    text[0] = '\0';
    if (!attributes_ok(from)) return;
    tf.TF_OpKernelConstruction_GetAttrSize(from->construction, name, &length, &total, from->status);
    if (!attributes_ok(from)) return;
    if (total < 0 || (size_t)total >= size) {
        attribute_fail(from, name, "is too long");
        return;
    }
    tf.TF_OpKernelConstruction_GetAttrString(from->construction, name, text, size - 1, from->status);
    text[total] = '\0';
}

/* The place of a string attribute among the names that it may be. */
static int get_choice(tf_attributes *from, const char *name, const char *const *names, int count)
{
    char text[64];
    get_string(from, name, text, sizeof text);
    for (int i = 0; i < count; i++)
        if (!strcmp(text, names[i])) return i;
    attribute_fail(from, name, "has an unknown value");
    return 0;
}

fc_layout tf_get_layout(tf_attributes *from)
{
    static const char *const names[] = {"NCHW", "NHWC"};
    return (fc_layout)get_choice(from, "data_format", names, 2);
}

void tf_get_layouts(tf_attributes *from, fc_layout *layout, fc_weight_layout *weight_layout)
{
    static const char *const names[] = {TF_LAYOUTS};
    const int at = get_choice(from, "layouts", names, 6);
    *layout = (fc_layout)(at / 3);
    *weight_layout = (fc_weight_layout)(at % 3);
}

void tf_get_windows(tf_attributes *from, int64_t stride[2], int64_t dilation[2], int64_t before[2], int64_t after[2])
{
    int64_t values[8] = {0};
    tf_get_int64s(from, "windows", values, 8);
    for (int i = 0; i < 2; i++) {
        stride[i] = values[i];
        dilation[i] = values[2 + i];
        before[i] = values[4 + i];
        after[i] = values[6 + i];
    }
}

fc_padding tf_get_padding(tf_attributes *from)
{
    static const char *const names[] = {"EXPLICIT", "VALID", "SAME", "SAME_LOWER"};
    return (fc_padding)get_choice(from, "padding", names, 4);
}

void tf_get_algorithm(tf_attributes *from, char *name, size_t size)
{
    get_string(from, "algorithm", name, size);
    if (!strcmp(name, "auto")) name[0] = '\0';
}

fc_dtype tf_get_dtype(tf_attributes *from, int *type)
{
    static const struct {
        int type;
        fc_dtype dtype;
    } pairs[] = {{TF_FLOAT, FC_F32},  {TF_DOUBLE, FC_F64}, {TF_INT32, FC_I32}, {TF_INT64, FC_I64},
                 {TF_INT8, FC_I8},    {TF_UINT8, FC_U8},   {TF_INT16, FC_I16}, {TF_UINT16, FC_U16},
                 {TF_UINT32, FC_U32}, {TF_UINT64, FC_U64}};
    if (!attributes_ok(from)) return FC_F32;
    tf.TF_OpKernelConstruction_GetAttrType(from->construction, "T", type, from->status);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].type == *type) return pairs[i].dtype;
    attribute_fail(from, "T", "is a type that is not supported");
    return FC_F32;
}
