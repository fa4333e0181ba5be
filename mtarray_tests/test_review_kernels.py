"""Faults of the engine, of linear algebra, transforms, random numbers and NumPy's names that were found once: each stays found."""

import os
import re
import subprocess
import sys
import time
from math import inf
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray._kernels import build
from mtarray._kernels.cpu import select

LARGE = 60_000


@pytest.mark.parametrize("step", [1, 2])
def test_masks_count_bytes_that_are_not_zero(step: int) -> None:
    """Memory from outside may hold any byte where a bool is expected: a kernel that adds them up writes beyond its result."""
    given = np.random.default_rng(0).integers(0, 3, LARGE * step).astype(np.uint8)
    given[::7] = 255
    mask, truth = given.view(bool)[::step], given[::step] != 0
    x = np.arange(truth.size, dtype=np.float64)
    assert select.count_nonzero(mask) == truth.sum()
    np.testing.assert_array_equal(select.mask_select(x, mask), x[truth])
    np.testing.assert_array_equal(select.nonzero(mask)[0], np.flatnonzero(truth))
    kept = x[truth]
    for values in (np.float64(-1), -kept):
        out = x.copy()
        select.mask_assign(out, mask, values)
        expected = x.copy()
        expected[truth] = values
        np.testing.assert_array_equal(out, expected)


# What Numba compiles into code that can raise, with NumPy's rules of division too.
RAISING = {
    "ZeroDivisionError": "c16(ld64(args))[i] = c16(ld64(args))[i] / c16(ld64(args))[i + 1]",
    "AssertionError": "assert f8(ld64(args))[i] > 0",
    "IndexError": "if f8(ld64(args))[i] > 0: raise IndexError(i)",
}


@pytest.mark.parametrize("name", RAISING)
def test_kernels_that_may_raise_are_refused(name: str) -> None:
    """A C function's exception is ignored, and its results stay uninitialised memory: such a function is not handed out."""
    with pytest.raises(TypeError, match=f"cannot be a kernel: it may raise {name}"):
        build.kernel(f"raising_{name}", f"    for i in range(lo, hi):\n        {RAISING[name]}")


def test_kernels_that_divide_are_not_refused() -> None:
    lines = ["i8(args)[i] = i8(args)[i] // i8(args)[0] + i8(args)[i] % i8(args)[1]", "f8(args)[2] /= f8(args)[3]"]
    assert build.kernel("dividing", "    for i in range(lo, hi):\n        " + "\n        ".join(lines))


POISON = """
import numpy as np
from mtarray._kernels.cpu import pool
import mtarray as xp
for shape in ((), (3,), (0, 2), (300_000,)):
    for dtype in ("bool", "i4", "f4", "c16"):
        x = pool.empty(shape, dtype)
        assert x.shape == shape and x.dtype == dtype and type(x) is np.ndarray
        if {poisoned}:
            assert (np.frombuffer(x.tobytes(), np.uint8) == 255).all()
x = xp.arange(300_000) % 7
y = xp.astype(x, xp.float64)
print(float(xp.sum(y * 2 + 1)), int(xp.sum(x[x > 3])), xp.unique_values(x), int(xp.cumulative_sum(x)[-1]))
"""


def test_poisoned_memory() -> None:
    """With MTARRAY_POISON new memory is full of NaN, so that what a kernel forgot to write shows; results do not change."""
    printed = []
    for flag in ("0", "1"):
        source = POISON.format(poisoned=flag == "1")
        environment = {**os.environ, "MTARRAY_POISON": flag}
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, env=environment, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        printed.append(done.stdout)
    assert printed[0] == printed[1] != ""


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "bool"])
def test_small_integers_are_computed_in_double(dtype: str) -> None:
    """As NumPy does: float32, which holds them, would still lose digits of what is computed from them."""
    given = np.array([[7, 1, 0], [2, 9, 0], [0, 3, 5]]).astype(dtype)
    x = xp.asarray(given)
    names = ("norm", "svdvals") if dtype == "bool" else ("inv", "det", "pinv", "norm", "svdvals")  # of bool it is singular
    for name in names:
        ours, theirs = getattr(xp.linalg, name)(x), getattr(np.linalg, name)(given.astype(float))
        assert ours.dtype == np.float64
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-12, atol=1e-15)
    for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "rfftn"):
        ours, theirs = getattr(xp.fft, name)(x), getattr(np.fft, name)(given.astype(float))
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-12, atol=1e-12)


def test_norms_of_no_elements() -> None:
    none = xp.zeros(0)
    for order in (inf, 1, 2, 0, 3):
        assert float(xp.linalg.vector_norm(none, ord=order)) == 0.0
    assert xp.linalg.vector_norm(xp.zeros((2, 0)), ord=inf, axis=1).tolist() == [0.0, 0.0]
    for order in (2, 1, inf, "fro", "nuc"):
        assert float(xp.linalg.matrix_norm(xp.zeros((0, 0)), ord=order)) == 0.0
        assert xp.linalg.matrix_norm(xp.zeros((3, 0, 2)), ord=order, keepdims=True).tolist() == [[[0.0]]] * 3
    with pytest.raises(ValueError, match=r"empty|no elements|identity"):
        xp.linalg.vector_norm(none, ord=-inf)


def test_names_in_messages_of_lapack() -> None:
    with pytest.raises(xp.linalg.LinAlgError, match=r"^svdvals: SVD did not converge"):
        xp.linalg.svdvals(xp.full((3, 3), xp.nan))
    with pytest.raises(xp.linalg.LinAlgError, match=r"^inv: singular matrix"):
        xp.linalg.inv(xp.zeros((2, 2)))


def test_diagonals_and_cross_products_are_one() -> None:
    given = np.arange(60).reshape(3, 4, 5)
    x = xp.asarray(given)
    for offset in range(-6, 7):
        np.testing.assert_array_equal(np.asarray(xp.linalg.diagonal(x, offset=offset)), np.linalg.diagonal(given, offset=offset))
        for i, j in ((0, 1), (1, 0), (2, 0), (-1, -3)):
            ours = xp.diagonal(x, offset, i, j)
            np.testing.assert_array_equal(np.asarray(ours), np.diagonal(given, offset, i, j))
            assert not ours.flags.writeable
    a, b = np.arange(12.0).reshape(4, 3), np.arange(24.0).reshape(2, 4, 3)[:, ::-1] ** 2
    np.testing.assert_array_equal(np.asarray(xp.linalg.cross(xp.asarray(a), xp.asarray(b))), np.cross(a, b))
    np.testing.assert_array_equal(np.asarray(xp.linalg.cross(xp.asarray(a.T), xp.asarray(b[1].T), axis=0)), np.cross(a.T, b[1].T, axis=0))
    np.testing.assert_array_equal(np.asarray(xp.cross(xp.asarray(a.T), xp.asarray(b), 0, -1, 1)), np.cross(a.T, b, 0, -1, 1))


def test_mask_functions_are_called_once() -> None:
    calls = []

    def failing(m: Any, k: int) -> Any:
        calls.append(k)
        raise TypeError("the user's own error")

    with pytest.raises(TypeError, match="the user's own error"):
        xp.mask_indices(3, failing, 1)
    assert calls == [1]
    for function in (xp.triu, xp.tril, lambda m, k: xp.triu(m, k=k), lambda m, *, k: xp.triu(m, k=k)):
        assert len(xp.mask_indices(3, function, 0)[0]) == 6


def test_transforms_along_no_axis_copy() -> None:
    x = xp.asarray([[1 + 2j, 3.0]])
    for function in (xp.fft.fftshift, xp.fft.ifftshift, xp.fft.fftn, xp.fft.ifftn):
        y = function(x, axes=())
        y[...] = 0
        assert x.tolist() == [[1 + 2j, 3 + 0j]]


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantiles_of_no_elements_are_nan(dtype: str, weights: bool) -> None:
    for shape, axis, expected in (((0,), None, ()), ((0, 3), 0, (3,)), ((2, 0, 3), 1, (2, 3)), ((0, 3), 1, (0,)), ((0, 3), None, ())):
        x = xp.zeros(shape, dtype=dtype)
        options = {"weights": xp.zeros(shape), "method": "inverted_cdf"} if weights else {}
        for function, q in ((xp.nanquantile, 0.5), (xp.nanpercentile, 50)):
            out = function(x, q, axis, **options)
            assert out.shape == expected
            assert out.dtype == dtype
            assert xp.all(xp.isnan(out))
            assert function(x, [q, q], axis, **options).shape == (2, *expected)
    with pytest.raises(IndexError, match="no elements"):
        xp.quantile(xp.zeros(0), 0.5)


def test_names_of_numpy_at_their_edges() -> None:
    with pytest.raises(TypeError, match=r"polyval: p must be a sequence of coefficients, it has shape \(\)"):
        xp.polyval(3.0, xp.arange(3))
    given = xp.asarray([True, False])
    for decimals, expected in ((0, [1.0, 0.0]), (1, [1.0, 0.0]), (-1, [0.0, 0.0])):
        out = xp.around(given, decimals)
        assert out.dtype == xp.float32
        assert out.tolist() == expected
    out = xp.fix(given)
    assert out.tolist() == np.fix(np.asarray(given)).tolist()
    assert out.dtype == np.bool_
    out[0] = False
    assert given.tolist() == [True, False]
    assert xp.fix(xp.asarray([-1.5, 1.5])).tolist() == [-1.0, 1.0]
    for name in ("ptp", "nanmax", "nanmin", "nanargmax", "nanargmin"):
        with pytest.raises(TypeError, match=f"^{name} is not defined for complex128: complex numbers have no order"):
            getattr(xp, name)(xp.asarray([1 + 2j, 3]))


@pytest.mark.slow
def test_dot_products_of_bool_are_not_blocked() -> None:
    """The blocked kernel takes 11 ns for each element of a dot product, NumPy's loop a quarter of one."""
    a, b = np.zeros((2, 1_000_000), bool)
    x, y = xp.asarray(a), xp.asarray(b)

    def seconds(product: Any) -> float:
        start = time.perf_counter()
        product()
        return time.perf_counter() - start

    ratios = sorted(seconds(lambda: x @ y) / seconds(lambda: a @ b) for _ in range(15))
    assert ratios[7] < 5


def test_dot_products_of_bool() -> None:
    a, b = np.zeros((2, 1_000_000), bool)
    for i in (0, 999_999, 500_000):
        a[:], b[:] = False, False
        a[i] = True
        assert not bool(xp.asarray(a) @ xp.asarray(b))
        b[i] = True
        assert bool(xp.asarray(a) @ xp.asarray(b))
        assert (xp.asarray(np.stack([a, ~a])) @ xp.asarray(b)).tolist() == [True, False]


def test_missing_distributions_are_named() -> None:
    missing = {n for n in dir(np.random.Generator) if not n.startswith("_")} - set(dir(xp.random.Generator))
    text = (xp.random.__doc__ or "").partition("are missing:")[2].partition("`state`")[0]
    assert set(re.findall(r"`(\w+)`", text)) == missing


def test_import_brings_no_engine() -> None:
    """Nothing of the engine is loaded before it is wanted; what is loaded later follows the settings made before."""
    source = """
import sys
import mtarray as xp
print(sorted(m for m in sys.modules if m.startswith("mtarray._kernels.cpu")))
xp.config(kernels="numba")
xp.random.default_rng(0).random()
from mtarray._kernels.cpu import random
print(random.SMALL)
xp.config(kernels="auto")
print(random.SMALL)
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split("\n") == ["[]", "-1", "2048", ""]


def test_dirichlet_divides_its_own_memory() -> None:
    rng = xp.random.default_rng(5)
    out = rng.dirichlet([1e-300, 1e-300, 2.0], 1000)
    assert xp.allclose(xp.sum(out, axis=-1), xp.ones(1000))
    lost = rng.dirichlet([1e-300, 1e-300], 100)
    assert {row[0] for row in lost.tolist()} == {0.0, 1.0}
    assert rng.dirichlet([1.0, 2.0]).flags.writeable
