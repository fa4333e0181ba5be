"""The engine ops of the CUDA engine that move elements, on the simulator, against NumPy."""

import numpy as np
import pytest

from mtarray._kernels.cuda import layout
from mtarray._kernels.cuda.driver import Simulated
from mtarray._kernels.cuda.tensor import from_host

DEVICE = Simulated(9)
SOME = [np.dtype(c) for c in "?bIqfD"]


def sample(dtype, shape, seed=0):
    x = np.random.default_rng(seed).integers(-9, 10, shape)
    return (x + 1j * x[..., ::-1]).astype(dtype) if dtype.kind == "c" else abs(x).astype(dtype) if dtype.kind == "u" else x.astype(dtype)


@pytest.mark.parametrize("k", [-3, -1, 0, 2, 7])
@pytest.mark.parametrize("dtype", SOME, ids=str)
def test_triangle(dtype, k):
    for shape in ((2, 4, 5), (5, 3), (0, 3), (3, 0)):
        x = sample(dtype, shape)
        t = from_host(DEVICE, x)
        np.testing.assert_array_equal(layout.triangle(t, k=k, lower=True).to_host(), np.tril(x, k), strict=True)
        turned = t.transpose((*range(len(shape) - 2), len(shape) - 1, len(shape) - 2))
        np.testing.assert_array_equal(layout.triangle(turned, k=k, lower=False).to_host(), np.triu(x.swapaxes(-1, -2), k), strict=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_join(axis):
    xs = [sample(np.dtype(d), tuple(n if i == axis else 4 - i for i in range(3)), n) for n, d in ((1, "b"), (0, "f"), (3, "i"), (2, "?"))]
    to = np.dtype(float)
    np.testing.assert_array_equal(
        layout.join(*[from_host(DEVICE, x) for x in xs], axis=axis, dtype=to).to_host(), np.concatenate(xs, axis, dtype=to), strict=True
    )


@pytest.mark.parametrize("dtype", SOME, ids=str)
def test_repetition(dtype):
    x = sample(dtype, (3, 4, 2))
    t = from_host(DEVICE, x)
    for axis in range(3):
        for repeats in (0, 1, 3):
            np.testing.assert_array_equal(
                layout.repeat_all(t, axis=axis, repeats=repeats).to_host(), np.repeat(x, repeats, axis), strict=True
            )
        for kind in "bIq":
            counts = np.array([2, 0, 3, 0][: x.shape[axis]], kind)
            np.testing.assert_array_equal(
                layout.repeat_each(t, from_host(DEVICE, counts), axis=axis).to_host(), np.repeat(x, counts, axis), strict=True
            )
    assert layout.repeat_each(t, from_host(DEVICE, np.zeros(4, int)), axis=1).shape == (3, 0, 2)
    assert layout.repeat_each(from_host(DEVICE, x[:0]), from_host(DEVICE, np.zeros(0, int)), axis=0).shape == (0, 4, 2)


def test_repetition_refuses_negative_counts():
    with pytest.raises(ValueError, match="must not be negative"):
        layout.repeat_each(from_host(DEVICE, np.arange(300)), from_host(DEVICE, np.where(np.arange(300) == 299, -1, 1)), axis=0)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", SOME, ids=str)
def test_slide(dtype, mode):
    for la, lv in ((9, 4), (9, 1), (5, 5), (7, 2), (300, 3)):
        a, v = sample(dtype, (la,)), sample(dtype, (lv,), 1)
        np.testing.assert_array_equal(
            layout.slide(from_host(DEVICE, a), from_host(DEVICE, v[::-1].copy()), mode=mode).to_host(), np.convolve(a, v, mode), strict=True
        )
