"""Normalisation against PyTorch, which has the same definitions, and in every layout, dtype and kernel mode."""

from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff

norms = xp.normalization
RNG = np.random.default_rng(7)
# Shapes on either side of the limit below which NumPy serves, and of the segments that are brought together.
SHAPES = [("layer", (3, 5)), ("layer", (4, 3, 200)), ("rms", (6, 7)), ("rms", (2, 600)), ("group", (3, 4, 5)), ("group", (2, 6, 7, 9)),
          ("group", (2, 4)), ("batch", (6, 5)), ("batch", (64, 20)), ("batch", (4, 5, 3)), ("batch", (3, 5, 7, 9))]  # fmt: skip


def ours(kind: str, x: Any, w: Any, b: Any) -> Any:
    if kind == "layer":
        return norms.layer_norm(x, x.shape[-1], w, b)
    if kind == "rms":
        return norms.rms_norm(x, x.shape[-1], w, 1e-5)
    return norms.group_norm(x, 2, w, b) if kind == "group" else norms.batch_norm(x, w, b)[0]


def theirs(kind: str, x: Any, w: Any, b: Any) -> Any:
    functional = pytest.importorskip("torch").nn.functional
    if kind == "layer":
        return functional.layer_norm(x, x.shape[-1:], w, b)
    if kind == "rms":
        return functional.rms_norm(x, x.shape[-1:], w, 1e-5)
    return functional.group_norm(x, 2, w, b) if kind == "group" else functional.batch_norm(x, None, None, w, b, True)


def arrays(kind: str, shape: tuple[int, ...], dtype: Any = np.float64) -> list[np.ndarray]:
    count = shape[-1] if kind in ("layer", "rms") else shape[1]
    return [(RNG.normal(size=s) * 2 + 3).astype(dtype) for s in (shape, (count,), (count,))]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_against_pytorch(kind: str, shape: tuple[int, ...], dtype: Any, affine: bool) -> None:
    """Values and gradients."""
    torch = pytest.importorskip("torch")
    data = arrays(kind, shape, dtype)
    cotangent = RNG.normal(size=shape).astype(dtype)
    with torch.enable_grad():
        peers = [torch.tensor(a, requires_grad=True) for a in data]
        y = theirs(kind, peers[0], *(peers[1:] if affine else (None, None)))
        y.backward(torch.tensor(cotangent))
    mine = [xp.asarray(a, copy=True) for a in data]
    used = mine if affine else mine[:1]
    used = used[:2] if kind == "rms" else used
    out, pull = autodiff.vjp(lambda x, w=None, b=None: ours(kind, x, w, b), *used)
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype is np.float64 else {"rtol": 1e-3, "atol": 2e-4}
    assert out.dtype == dtype
    np.testing.assert_allclose(np.asarray(out), y.detach().numpy(), **tolerance)
    for gradient, peer in zip(pull(xp.asarray(cotangent)), peers, strict=False):
        np.testing.assert_allclose(np.asarray(gradient), peer.grad.numpy(), **tolerance)


@pytest.mark.parametrize(("kind", "shape"), [s for s in SHAPES if np.prod(s[1]) < 200])
def test_derivatives(kind: str, shape: tuple[int, ...]) -> None:
    """Both modes and orders, by all operands."""
    x, w, b = [xp.asarray(a) for a in arrays(kind, shape)]
    weights = xp.asarray(RNG.normal(size=shape))
    args = (x, w) if kind == "rms" else (x, w, b)
    with xp.config(kernels="numba"):
        autodiff.check_grads(lambda x, w, b=None: ours(kind, x, w, b) * weights, args, order=2)
        autodiff.check_grads(lambda x: ours(kind, x, None, None) * weights, (x,), order=2)


def test_derivatives_by_statistics() -> None:
    x = xp.asarray(RNG.normal(size=(4, 3, 2)))
    autodiff.check_grads(lambda x: norms.batch_norm(x)[1:], (x,), order=2)
    autodiff.check_grads(lambda x: norms.batch_norm(x), (x,), order=2)


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_modes_and_layouts(kind: str, shape: tuple[int, ...]) -> None:
    """Kernels and NumPy agree, for transposed, strided, reversed and broadcast operands."""
    x, w, b = arrays(kind, shape)
    expected = np.asarray(ours(kind, xp.asarray(x), xp.asarray(w), xp.asarray(b)))
    wide = np.repeat(x, 2, axis=0)
    views = [xp.asarray(np.ascontiguousarray(x.T)).T, xp.asarray(wide)[::2], xp.asarray(np.ascontiguousarray(x[::-1]))[::-1]]
    for mode in ("auto", "numba", "python"):
        with xp.config(kernels=mode):
            for view in views:
                np.testing.assert_allclose(np.asarray(ours(kind, view, xp.asarray(w), xp.asarray(b))), expected, rtol=1e-10, atol=1e-10)
            one = xp.broadcast_to(xp.asarray(x[:1]), shape)
            copied = np.broadcast_to(x[:1], shape).copy()
            a, c = (np.asarray(ours(kind, v, None, None)) for v in (one, xp.asarray(copied)))
            np.testing.assert_allclose(a, c, rtol=1e-6, atol=1e-6)


def test_far_from_zero() -> None:
    """float32 rows around 10^4 are normalised as exactly as their elements allow."""
    x = (RNG.normal(size=(8, 500)) + 1e4).astype(np.float32)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / exact.std(1, keepdims=True)
    np.testing.assert_allclose(np.asarray(norms.layer_norm(xp.asarray(x), 500, eps=0.0)), exact, rtol=1e-5, atol=1e-5)


def test_threads_do_not_matter() -> None:
    x, w, b = [xp.asarray(a) for a in arrays("layer", (700, 300), np.float32)]
    found = []
    for threads in (1, 2, 3):
        with xp.config(threads=threads):
            y, pull = autodiff.vjp(lambda *a: norms.layer_norm(a[0], 300, *a[1:]), x, w, b)
            found.append([np.asarray(a).tobytes() for a in (y, *pull(x))])
    assert found[0] == found[1] == found[2]


def test_nothing_to_normalise() -> None:
    assert norms.layer_norm(xp.zeros((0, 4)), 4).shape == (0, 4)
    assert norms.group_norm(xp.zeros((0, 4, 2)), 2).shape == (0, 4, 2)
    assert bool(xp.all(norms.layer_norm(xp.full((3, 1), 5.0), 1) == 0.0))
    nan = norms.layer_norm(xp.asarray([[1.0, xp.nan], [1.0, 2.0]]), 2)
    assert xp.isnan(nan).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda x: norms.layer_norm(x, 4), ValueError, r"layer_norm: the last axes of x, of shape \(2, 6\)"),
        (lambda x: norms.layer_norm(x, 6, xp.ones(5)), ValueError, r"layer_norm: weight has shape \(5,\); expected \(6,\)"),
        (lambda x: norms.group_norm(x, 4), ValueError, "group_norm: 6 channels do not divide into 4 groups"),
        (lambda x: norms.batch_norm(x, xp.ones(6), xp.ones(2)), ValueError, r"batch_norm: bias has shape \(2,\)"),
        (lambda x: norms.batch_norm(x[0]), ValueError, r"expected \(batch, channels, ...\)"),
        (lambda x: norms.rms_norm(xp.asarray([1, 2]), 2), TypeError, "rms_norm is defined for float32 and float64"),
    ],
)
def test_errors(call: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        call(xp.ones((2, 6)))
