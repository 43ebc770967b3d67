/* SPDX-License-Identifier: BSD-3-Clause */
/* tensorflow_api.h -- TensorFlow's C API for ops and kernels, found in the TensorFlow that the process has loaded.
 *
 * Nothing of TensorFlow is needed to build: its types are opaque, its functions are declared here and looked up by
 * name. One binary so serves every version that has them. */
#ifndef FC_FRONTENDS_TENSORFLOW_API_H
#define FC_FRONTENDS_TENSORFLOW_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpKernelContext TF_OpKernelContext;

/* The values of TF_Code and TF_DataType that are used; part of TensorFlow's stable interface. */
enum { TF_OK = 0, TF_INVALID_ARGUMENT = 3, TF_RESOURCE_EXHAUSTED = 8 };
enum {
    TF_FLOAT = 1,
    TF_DOUBLE = 2,
    TF_INT32 = 3,
    TF_UINT8 = 4,
    TF_INT16 = 5,
    TF_INT8 = 6,
    TF_INT64 = 9,
    TF_UINT16 = 17,
    TF_UINT32 = 22,
    TF_UINT64 = 23
};

typedef void *(*tf_create_function)(TF_OpKernelConstruction *);
typedef void (*tf_compute_function)(void *, TF_OpKernelContext *);
typedef void (*tf_delete_function)(void *);
typedef void (*tf_shape_function)(TF_ShapeInferenceContext *, TF_Status *);

/* X(result, name, arguments): every function that is used. */
#define FC_TENSORFLOW_FUNCTIONS(X)                                                                                   \
    X(TF_Status *, TF_NewStatus, (void))                                                                             \
    X(void, TF_DeleteStatus, (TF_Status *))                                                                          \
    X(void, TF_SetStatus, (TF_Status *, int, const char *))                                                          \
    X(int, TF_GetCode, (const TF_Status *))                                                                          \
    X(const char *, TF_Message, (const TF_Status *))                                                                 \
    X(void, TF_DeleteTensor, (TF_Tensor *))                                                                          \
    X(int, TF_TensorType, (const TF_Tensor *))                                                                       \
    X(int, TF_NumDims, (const TF_Tensor *))                                                                          \
    X(int64_t, TF_Dim, (const TF_Tensor *, int))                                                                     \
    X(void *, TF_TensorData, (const TF_Tensor *))                                                                    \
    X(TF_OpDefinitionBuilder *, TF_NewOpDefinitionBuilder, (const char *))                                           \
    X(void, TF_OpDefinitionBuilderAddAttr, (TF_OpDefinitionBuilder *, const char *))                                 \
    X(void, TF_OpDefinitionBuilderAddInput, (TF_OpDefinitionBuilder *, const char *))                                \
    X(void, TF_OpDefinitionBuilderAddOutput, (TF_OpDefinitionBuilder *, const char *))                               \
    X(void, TF_OpDefinitionBuilderSetShapeInferenceFunction, (TF_OpDefinitionBuilder *, tf_shape_function))          \
    X(void, TF_RegisterOpDefinition, (TF_OpDefinitionBuilder *, TF_Status *))                                        \
    X(void, TF_ShapeInferenceContextSetUnknownShape, (TF_ShapeInferenceContext *, TF_Status *))                      \
    X(TF_KernelBuilder *, TF_NewKernelBuilder,                                                                       \
      (const char *, const char *, tf_create_function, tf_compute_function, tf_delete_function))                     \
    X(void, TF_KernelBuilder_TypeConstraint, (TF_KernelBuilder *, const char *, int, TF_Status *))                   \
    X(void, TF_RegisterKernelBuilder, (const char *, TF_KernelBuilder *, TF_Status *))                               \
    X(void, TF_OpKernelConstruction_GetAttrType, (TF_OpKernelConstruction *, const char *, int *, TF_Status *))      \
    X(void, TF_OpKernelConstruction_GetAttrInt64, (TF_OpKernelConstruction *, const char *, int64_t *, TF_Status *)) \
    X(void, TF_OpKernelConstruction_GetAttrBool,                                                                     \
      (TF_OpKernelConstruction *, const char *, unsigned char *, TF_Status *))                                       \
    X(void, TF_OpKernelConstruction_GetAttrSize,                                                                     \
      (TF_OpKernelConstruction *, const char *, int32_t *, int32_t *, TF_Status *))                                  \
    X(void, TF_OpKernelConstruction_GetAttrString,                                                                   \
      (TF_OpKernelConstruction *, const char *, char *, size_t, TF_Status *))                                        \
    X(void, TF_OpKernelConstruction_GetAttrInt64List,                                                                \
      (TF_OpKernelConstruction *, const char *, int64_t *, int, TF_Status *))                                        \
    X(void, TF_OpKernelConstruction_Failure, (TF_OpKernelConstruction *, TF_Status *))                               \
    X(int, TF_NumInputs, (TF_OpKernelContext *))                                                                     \
    X(int, TF_NumOutputs, (TF_OpKernelContext *))                                                                    \
    X(void, TF_GetInput, (TF_OpKernelContext *, int, TF_Tensor **, TF_Status *))                                     \
    X(TF_Tensor *, TF_AllocateOutput, (TF_OpKernelContext *, int, int, const int64_t *, int, size_t, TF_Status *))   \
    X(void, TF_OpKernelContext_Failure, (TF_OpKernelContext *, TF_Status *))

typedef struct tf_functions {
#define FC_TENSORFLOW_FIELD(result, name, arguments) result(*name) arguments;
    FC_TENSORFLOW_FUNCTIONS(FC_TENSORFLOW_FIELD)
#undef FC_TENSORFLOW_FIELD
} tf_functions;

extern tf_functions tf;

/* Fills `tf`; NULL, or the name of the function that the loaded TensorFlow lacks. */
const char *tf_functions_find(void);

#endif
