# SPDX-License-Identifier: BSD-3-Clause
"""torch.compile, torch.export, fake and meta tensors, autocast: what goes through the registered operators."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from cases import CASES, Case
from pool_cases import POOL_CASES, PoolCase
from test_torch_func import RULES, X
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_cases import CORE, FORMATS, drawn, operands, through_the_dispatcher

import fastconv
import fastconv.torch as ft

OPS = torch.ops.fastconv


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("name", RULES)
def test_operators_are_registered_as_they_should_be(name: str, memory_format: str):
    """torch's own check: the schema, autograd, fake tensors, and tracing with symbolic sizes."""
    tensors, rest = RULES[name]
    tensors = [t.contiguous(memory_format=FORMATS[memory_format]) if t.dim() == 4 else t for t in tensors]
    tensors = [t.detach().requires_grad_(t.is_floating_point()) for t in tensors]
    results = torch.library.opcheck(getattr(OPS, name.partition(" ")[0]).default, (*tensors, *rest))
    assert set(results.values()) == {"SUCCESS"}


def described(results: Any) -> list[tuple]:
    """Everything but the numbers."""
    results = results if isinstance(results, tuple) else (results,)
    return [(r.shape, r.stride(), r.dtype) for r in results]


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fake_and_meta_correlations_are_like_real_ones(case: Case, memory_format: str):
    x, w, b = operands(case, grad=False)
    x = x.contiguous(memory_format=FORMATS[memory_format])
    real = described(ft.corr2d(x, w, b, **case.options))
    meta = [None if t is None else t.to("meta") for t in (x, w, b)]
    assert described(ft.corr2d(*meta, **case.options)) == real
    with FakeTensorMode() as mode:
        fake = [None if t is None else mode.from_tensor(t) for t in (x, w, b)]
        assert described(ft.corr2d(*fake, **case.options)) == real


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
def test_meta_pooling_is_like_real(case: PoolCase, memory_format: str):
    x = drawn(*case.x_shape(), grad=False).contiguous(memory_format=FORMATS[memory_format])

    def call(x: torch.Tensor) -> tuple:
        return ft.max_pool2d(x, case.kernel, case.stride, case.padding, case.dilation, case.ceil_mode, True)

    assert described(call(x.to("meta"))) == described(call(x))


def network(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    y = ft.corr2d(x, w, b, 2, "same", groups=2).relu()
    y = ft.max_pool2d(y, 2, 1, 1)
    y, places = ft.max_pool2d(ft.avg_pool2d(y, (2, 1), 1), 2, 1, return_indices=True)
    return y * places.remainder(3)


@pytest.mark.parametrize(("backend", "dynamic"), [("inductor", False), ("inductor", True), ("aot_eager", None)])
def test_compiled_in_one_graph(backend: str, dynamic: bool | None):
    compiled = torch.compile(network, fullgraph=True, backend=backend, dynamic=dynamic)
    calls = [(2, 9, "contiguous"), (2, 9, "channels_last"), (3, 12, "contiguous")]
    if backend == "inductor":  # takes its time over every recompilation
        calls = calls[::2] if dynamic else calls[1:2]
    for n, h, memory_format in calls:
        x = drawn(n, 4, h, 8).detach().contiguous(memory_format=FORMATS[memory_format]).requires_grad_()
        inputs = (x, drawn(6, 2, 3, 3), drawn(6))
        results = []
        for f in (network, compiled):
            y = f(*inputs)
            results.append((y, *torch.autograd.grad((y**2).sum(), inputs)))
        for one, two in zip(*results, strict=True):
            torch.testing.assert_close(one, two)


def test_dynamic_sizes_are_compiled_once():
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Callable:
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(network, fullgraph=True, backend=backend, dynamic=True)
    w, b = drawn(6, 2, 3, 3, grad=False), drawn(6, grad=False)
    for n, h in [(5, 9), (7, 12), (2, 17)]:
        x = drawn(n, 4, h, 8, grad=False)
        torch.testing.assert_close(compiled(x, w, b), network(x, w, b))
    assert len(graphs) == 1


def test_unbatched_and_arraylike_calls_compile():
    def call(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        y = ft.corr2d(x, w, padding=((1, 0), (2, 1)))
        z = fastconv.corr2d(x.permute(1, 2, 0), w.permute(2, 3, 1, 0), layout="NHWC", padding="same")
        return ft.avg_pool2d(y, 2).sum() + fastconv.max_pool2d(z, 2, layout="NHWC").sum()

    x, w = drawn(3, 8, 7), drawn(4, 3, 3, 3)
    torch.testing.assert_close(torch.compile(call, fullgraph=True, backend="aot_eager")(x, w), call(x, w))


@pytest.mark.parametrize("bad", [{"stride": 0}, {"padding": -1}, {"dilation": 9}, {"groups": 3}])
def test_a_malformed_call_is_refused_while_compiling(bad: dict[str, int]):
    x, w = drawn(1, 2, 5, 5), drawn(2, 2, 3, 3)
    compiled = torch.compile(lambda x, w: ft.corr2d(x, w, **bad), fullgraph=True, backend="aot_eager")
    with pytest.raises(Exception, match=r"stride|padding|larger|groups"):
        compiled(x, w)


EXPORTED = """
import sys, torch, fastconv.torch
program = torch.export.load(sys.argv[1])
x, wanted = torch.load(sys.argv[2])
torch.testing.assert_close(program.module()(x), wanted)
print([n.target for n in program.graph.nodes if "fastconv" in str(n.target)])
"""


@pytest.mark.parametrize("strict", [False, True])
def test_exported_and_loaded_in_a_new_process(strict: bool, tmp_path: Path):
    model = torch.nn.Sequential(
        ft.Conv2d(3, 4, 3, padding="same"), torch.nn.ReLU(), ft.MaxPool2d(2), ft.AvgPool2d(2), ft.Conv2d(4, 2, 1)
    ).eval()
    sizes = {0: torch.export.Dim("n", min=1), 2: torch.export.Dim("h", min=8), 3: torch.export.Dim("w", min=8)}
    program = torch.export.export(model, (torch.ones(2, 3, 12, 16),), dynamic_shapes=(sizes,), strict=strict)
    torch.export.save(program, tmp_path / "model.pt2")
    x = torch.randn(5, 3, 17, 10)
    torch.save((x, model(x).detach()), tmp_path / "numbers.pt")
    command = [sys.executable, "-c", EXPORTED, tmp_path / "model.pt2", tmp_path / "numbers.pt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("corr2d", "max_pool2d", "avg_pool2d"):
        assert f"'fastconv.{name}'" in done.stdout


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_torchs(dtype: torch.dtype):
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2), torch.nn.AvgPool2d(2, 1))
    ours = ft.accelerate(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2), torch.nn.AvgPool2d(2, 1)))
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 9, 9)
    results = []
    for model in (ours, theirs):
        with torch.autocast("cpu", dtype):
            outputs = [model[0](x), model[1](x), model[2](x), model(x)]
        outputs[-1].float().sum().backward()
        results.append((*outputs, model[0].weight.grad))
    for one, two in zip(*results, strict=True):
        assert one.dtype == two.dtype
        torch.testing.assert_close(one, two, rtol=2e-2, atol=2e-2)
    with torch.autocast("cpu", dtype):
        assert ft.corr2d(x.double(), drawn(4, 3, 3, 3)).dtype == F.conv2d(x.double(), drawn(4, 3, 3, 3)).dtype


def test_jit_trace_records_the_operator():
    with pytest.warns(DeprecationWarning, match="jit"):
        traced = torch.jit.trace(lambda x: ft.max_pool2d(x, 2), X)
    other = drawn(3, 2, 8, 8, grad=False)
    assert torch.equal(traced(other), ft.max_pool2d(other, 2))


@pytest.mark.parametrize("case", CORE, ids=str)
def test_gradients_through_the_dispatcher_have_the_same_bits(case: Case):
    inputs = [t for t in operands(case) if t is not None]

    def everything() -> list[torch.Tensor]:
        y = ft.corr2d(*inputs, **case.options)
        first = torch.autograd.grad(y.sin().sum(), inputs, create_graph=True)
        return [y, *first, *torch.autograd.grad(sum((g**2).sum() for g in first), inputs)]

    for one, two in zip(everything(), through_the_dispatcher(everything), strict=True):
        assert torch.equal(one, two)


class Logged(torch.Tensor):
    """A subclass that sees the functions called on it."""

    seen: list[str] = []  # noqa: RUF012

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(str(func))
        return super().__torch_function__(func, types, args, kwargs or {})


def test_subclasses_see_the_call():
    x = drawn(1, 2, 4, 4, grad=False).as_subclass(Logged)
    y = ft.corr2d(x, drawn(2, 2, 1, 1, grad=False))
    assert type(y) is Logged
    assert any("fastconv.corr2d" in name for name in Logged.seen)


def test_modes_see_the_call():
    from torch.utils._python_dispatch import TorchDispatchMode

    seen = []

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watching():
        ft.corr2d(drawn(1, 2, 4, 4, grad=False), drawn(2, 2, 1, 1, grad=False))
    assert "fastconv.corr2d.default" in seen
    with torch.device("meta"):  # a mode as well; it makes new tensors on meta, but ours have their input's device
        y = ft.max_pool2d(torch.ones(1, 1, 2, 2, device="cpu"), 2)
    assert y.device.type == "cpu"
    assert y.item() == 1
