"""Every layer and loss against PyTorch with the same weights, against differences of values, in both dtypes and both styles."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mtarray as xp
from mtarray import autodiff, nn

from .nn_catalogue import CASES, Case

# Classes that are tested by hand, elsewhere in mtarray_tests/test_nn_*.py.
BY_HAND = set("Module ModuleList ModuleDict ParameterList ParameterDict".split())

ALL = pytest.mark.parametrize("c", CASES, ids=lambda c: c.id)


def rng_of(c: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(c.name.encode()))


def build(c: Case, dtype: str) -> tuple[Any, Any, list[Any]]:
    """Our module, PyTorch's with its weights, and arguments as ndarrays."""
    nn.manual_seed(zlib.crc32(c.name.encode()))
    ours = c.make(nn, lambda v: xp.asarray(v, dtype=dtype)).to(dtype=np.dtype(dtype))
    theirs = c.make(torch.nn, lambda v: torch.tensor(v, dtype=getattr(torch, dtype))).to(getattr(torch, dtype))
    theirs.load_state_dict({k: torch.from_numpy(np.asarray(v).copy()) for k, v in ours.state_dict().items()})
    rng = rng_of(c)
    args = [np.asarray(draw(rng)) for draw in c.draws]
    return ours, theirs, [a.astype(dtype) if a.dtype.kind == "f" else a for a in args]


def close(ours: Any, theirs: Any, tolerance: float) -> None:
    a, b = np.asarray(ours), theirs.detach().numpy()
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")  # PyTorch's words about KLDivLoss
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-5)])
@ALL
def test_against_pytorch(c: Case, dtype: str, tolerance: float) -> None:
    """Values, and gradients by arguments and parameters, in the imperative style."""
    ours, theirs, args = build(c, dtype)
    xs = [xp.asarray(a.copy()) for a in args]
    ts = [torch.from_numpy(a.copy()) for a in args]
    # PyTorch has no derivative by the targets of some losses.
    floating = [i for i, a in enumerate(args) if a.dtype.kind == "f" and not (c.name.startswith("NLLLoss") and i)]
    for i in floating:
        xs[i] = xp.asarray(xs[i], copy=True)
        xs[i].requires_grad = True
        ts[i].requires_grad_(True)
    y, t = ours(*xs), theirs(*ts)
    close(y.detach(), t, tolerance)
    g = rng_of(c).normal(size=y.shape).astype(dtype)
    if not (floating or list(ours.parameters())):
        return
    y.backward(xp.asarray(g))
    t.backward(torch.from_numpy(np.asarray(g)))
    for i in floating:
        assert xs[i].grad is not None
        close(xs[i].grad, ts[i].grad, tolerance)
    parameters = dict(ours.named_parameters())
    assert list(parameters) == [name for name, _ in theirs.named_parameters()]
    for name, p in theirs.named_parameters():
        assert p.grad is not None
        close(parameters[name].grad, p.grad, tolerance)


@pytest.mark.parametrize("c", [c for c in CASES if c.name != "Embedding-padding"], ids=lambda c: c.id)  # a row of it gets no gradient
def test_check_grads(c: Case) -> None:
    """First and second derivatives, in both modes, by parameters and arguments."""
    ours, _, args = build(c, "float64")
    at = [i for i, a in enumerate(args) if a.dtype.kind == "f"]
    rest = [xp.asarray(a) for a in args]

    def call(model: Any, *xs: Any) -> Any:
        full = list(rest)
        for i, x in zip(at, xs):
            full[i] = x
        return model(*full)

    autodiff.check_grads(call, (ours, *[rest[i] for i in at]), order=2)


@ALL
def test_functional_style_is_the_imperative_one(c: Case) -> None:
    """value_and_grad by the module gives a module with the gradients of backward; nothing is left behind."""
    ours, _, args = build(c, "float64")
    if not list(ours.parameters()):
        return
    xs = [xp.asarray(a) for a in args]
    loss = xp.sum(ours(*xs) ** 2)
    loss.backward()
    value, grads = autodiff.value_and_grad(lambda m: xp.sum(m(*xs) ** 2))(ours)
    assert float(value) == float(loss)
    assert type(grads) is type(ours)
    assert not value.requires_grad
    for (name, p), (other, g) in zip(ours.named_parameters(), grads.named_parameters(), strict=True):
        assert name == other
        np.testing.assert_allclose(np.asarray(g), np.asarray(p.grad), rtol=1e-14, atol=1e-14)


@ALL
def test_repr_is_pytorchs(c: Case) -> None:
    ours, theirs, _ = build(c, "float32")
    shown = repr(theirs).replace(", inplace=False", "").replace("inplace=False", "")  # there is no inplace here
    if c.name.startswith("AvgPool1d"):
        shown = shown.replace("(3,)", "3").replace("(2,)", "2").replace("(1,)", "1")
    if not c.name.startswith("CosineSimilarity"):  # of which PyTorch shows nothing
        assert repr(ours) == shown


def test_every_class_is_here() -> None:
    """Each public module is in the catalogue, or in a test of its own."""
    public = {name for name in nn.__all__ if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Module)}
    known = {c.name.partition("-")[0] for c in CASES} | BY_HAND
    others = [p for p in Path(__file__).parent.glob("test_nn_*.py") if p.name != Path(__file__).name]
    text = "\n".join(p.read_text(encoding="utf-8") for p in others)
    assert {name for name in public - known if not re.search(rf"\bnn\.{name}\(", text)} == set()
    assert {name for name in BY_HAND if not re.search(rf"\bnn\.{name}\b", text)} == set()
