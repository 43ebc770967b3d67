/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers the ops and their kernels with the TensorFlow that loads this library.
 *
 * It happens once, when the library is loaded; TensorFlow must be there by then. What went wrong, if anything did,
 * stays to be asked for, since a loader can report nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "frontends/tensorflow_call.h"

static char problem[300];

/* NULL when every op is registered, else why not. What else it shows is in tensorflow_frozen.c. */
__attribute__((visibility("default"))) const char *fastconv_tensorflow_problem(void);

const char *fastconv_tensorflow_problem(void) { return problem[0] ? problem : NULL; }

/* TensorFlow's C API shows a shape function the types among the attributes alone: shapes are set by the Python code. */
static void unknown_shape(TF_ShapeInferenceContext *context, TF_Status *status)
{
    tf.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void destroy(void *kernel) { free(kernel); }

static void define(const tf_op *op, TF_Status *status)
{
    TF_OpDefinitionBuilder *builder = tf.TF_NewOpDefinitionBuilder(op->name);
    for (int i = 0; op->inputs[i]; i++) tf.TF_OpDefinitionBuilderAddInput(builder, op->inputs[i]);
    for (int i = 0; op->outputs[i]; i++) tf.TF_OpDefinitionBuilderAddOutput(builder, op->outputs[i]);
    for (int i = 0; op->attributes[i]; i++) tf.TF_OpDefinitionBuilderAddAttr(builder, op->attributes[i]);
    tf.TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown_shape);
    tf.TF_RegisterOpDefinition(builder, status);
}

static void implement(const tf_op *op, int type, TF_Status *status)
{
    TF_KernelBuilder *builder = tf.TF_NewKernelBuilder(op->name, "CPU", op->create, op->compute, destroy);
    tf.TF_KernelBuilder_TypeConstraint(builder, "T", type, status);
    if (tf.TF_GetCode(status) == TF_OK) tf.TF_RegisterKernelBuilder(op->name, builder, status);
}

static void register_ops(const tf_op *ops, int count, TF_Status *status)
{
    for (int i = 0; i < count; i++) {
        define(&ops[i], status);
        for (int j = 0; ops[i].types[j] && tf.TF_GetCode(status) == TF_OK; j++)
            implement(&ops[i], ops[i].types[j], status);
        if (tf.TF_GetCode(status) != TF_OK) {
            snprintf(problem, sizeof problem, "%s: %s", ops[i].name, tf.TF_Message(status));
            return;
        }
    }
}

__attribute__((constructor)) static void start(void)
{
    const char *missing = tf_functions_find();
    TF_Status *status;
    if (missing) {
        snprintf(problem, sizeof problem, "no loaded TensorFlow has the function %s", missing);
        return;
    }
    status = tf.TF_NewStatus();
    register_ops(tf_corr2d_ops, tf_corr2d_op_count, status);
    if (!problem[0]) register_ops(tf_pool2d_ops, tf_pool2d_op_count, status);
    tf.TF_DeleteStatus(status);
}
