# SPDX-License-Identifier: BSD-3-Clause
"""The operators in torch's dispatcher, ``torch.ops.fastconv``: for torch.compile, torch.export, functorch and autocast.

Each has a CPU kernel, one for Autograd (its Function), one for fake and meta tensors and one for vmap; `corr2d` has one
for autocast. Plain eager calls do not come here.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastconv.torch import _eager, _eager_pooling, batching, shapes
from fastconv.torch.correlation import Corr2d, Corr2dInputGrad, Corr2dWeightGrad
from fastconv.torch.operator import Operator
from fastconv.torch.pooling import AvgPool2d, AvgPool2dGrad, MaxPool2d, MaxPool2dGrad, maxima_autograd_kernel

_WINDOWS = "SymInt[] stride, str pad, SymInt[] padding, SymInt[] dilation"
_MAX = f"(Tensor input, SymInt[] kernel_size, {_WINDOWS}, bool ceil_mode, bool? channels_last, str algorithm)"
_AVG = f"SymInt[] kernel_size, {_WINDOWS}, bool ceil_mode, bool count_include_pad, SymInt? divisor, bool? channels_last"
SCHEMAS = {
    "corr2d": f"(Tensor input, Tensor weight, Tensor? bias, {_WINDOWS}, SymInt groups, bool? channels_last, "
    "str algorithm) -> Tensor",
    "corr2d_input_grad": f"(Tensor grad, Tensor weight, SymInt[] input_size, {_WINDOWS}, SymInt groups, "
    "bool? channels_last) -> Tensor",
    "corr2d_weight_grad": f"(Tensor grad, Tensor input, SymInt[] weight_size, {_WINDOWS}, SymInt groups, "
    "bool? channels_last, str order, bool with_bias) -> (Tensor, Tensor)",
    "max_pool2d": f"{_MAX} -> Tensor",
    "max_pool2d_with_indices": f"{_MAX} -> (Tensor, Tensor)",
    "max_pool2d_grad": "(Tensor grad, Tensor indices, SymInt[] input_size, bool? channels_last) -> Tensor",
    "avg_pool2d": f"(Tensor input, {_AVG}, str algorithm) -> Tensor",
    "avg_pool2d_grad": f"(Tensor grad, SymInt[] input_size, {_AVG}) -> Tensor",
}
FUNCTIONS: tuple[type[Operator], ...] = (
    Corr2d, Corr2dInputGrad, Corr2dWeightGrad, MaxPool2d, MaxPool2dGrad, AvgPool2d, AvgPool2dGrad,
)  # fmt: skip

# Compilers must hand over tensors in the strides that shapes.py saw.
_TAGS = (torch.Tag.pt2_compliant_tag, getattr(torch.Tag, "needs_exact_strides", torch.Tag.needs_fixed_stride_order))
_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)


def _autocast_corr2d(keyset: Any, *args: Any) -> Tensor:
    """Under autocast: as torch's own convolution, all floats but float64 in the type that autocast asks for."""
    dtype = torch.get_autocast_dtype("cpu")

    def cast(value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64:
            return value.to(dtype)
        return value

    with torch._C._ExcludeDispatchKeyGuard(_AUTOCAST):
        return torch.ops.fastconv.corr2d.default(*map(cast, args))


def _registered() -> torch.library.Library:
    library = torch.library.Library("fastconv", "DEF")
    autograd: dict[str, Callable[..., Any]] = {function.name: function.autograd_kernel for function in FUNCTIONS}
    autograd["max_pool2d"] = maxima_autograd_kernel
    for name, schema in SCHEMAS.items():
        library.define(name + schema, tags=_TAGS)
        library.impl(name, getattr(_eager_pooling if "pool" in name else _eager, name), "CPU")
        library.impl(name, autograd[name], "Autograd", with_keyset=True)
        torch.library.register_fake(f"fastconv::{name}", getattr(shapes, name), lib=library)
        torch.library.register_vmap(f"fastconv::{name}", getattr(batching, name), lib=library)
    library.impl("corr2d", _autocast_corr2d, "AutocastCPU", with_keyset=True)
    return library


LIBRARY = _registered()
