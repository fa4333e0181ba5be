"""Kernel mode "prange": the readable loops agree with the other tiers and NumPy on every op, dtype and layout.

A kernel of this form takes Numba a second, so that a few ops stand for all every day; `python -m mtarray_tests.full` takes every one, on
a dtype or two of each kind.
"""

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import mtarray as xp

from .catalogue import DTYPES, EITHER_ZERO, ELEMENTWISE, LAYOUTS, REDUCTIONS, assert_close, operands, tolerance, values

# One operand, two, three; rounded, exact, compared; two results; each kind of dtype.
MAPS = [
    ("exp", "float32"), ("add", "complex64"), ("equal", "bool"), ("floor_divide", "int64"), ("where", "float64"),
    ("frexp", "float32"),
]  # fmt: skip
FOLDS = [("sum", "float32"), ("max", "float64")]
PRODUCTS = ["float32", "bool"]
KINDS = ("bool", "int64", "uint16", "float32", "complex64")
AXES: list[Any] = [None, 0, -1, (0, 2), ()]


@pytest.fixture(autouse=True)
def _readable() -> Any:
    with xp.config(kernels="prange"):
        yield


def _map_agrees(name: str, dtype: str) -> None:
    op = ELEMENTWISE[name]
    raw = operands(op, dtype, 16)
    for layout, arrange in LAYOUTS.items():
        arrays = [xp.asarray(arrange(a)) for a in raw]
        with xp.config(kernels="auto"):
            expected = op.function(*arrays)
        actual = op.function(*arrays)
        for a, e in zip(*((r,) if op.nout == 1 else r for r in (actual, expected)), strict=True):
            zeros = name not in EITHER_ZERO and layout not in ("empty",)
            assert_close(a, e, tolerance(name, dtype), f"{name} {dtype} {layout}", zeros=zeros)


def _fold_agrees(name: str, dtype: str) -> None:
    op = REDUCTIONS[name]
    base = values(dtype, 24).reshape(2, 3, 4)
    if base.dtype.kind in "fc":
        base = np.where(np.abs(np.nan_to_num(base, nan=np.inf)) < 1e3, base, 1).astype(base.dtype)
    if name == "prod" and base.dtype.kind in "fc":
        base = (np.abs(base) % 2 + 0.5).astype(base.dtype)
    for x in (base, base[::-1, :, ::2], base.transpose(2, 0, 1), np.broadcast_to(base[:, :1], (2, 5, 4)), base[:, 1:1]):
        for axis in AXES:
            if x.size == 0 and op.identity is None:
                continue
            with xp.config(kernels="auto"):
                expected = op.function(xp.asarray(x), axis=axis)
            actual = op.function(xp.asarray(x), axis=axis)
            kept = op.function(xp.asarray(x), axis=axis, keepdims=True)
            assert kept.shape == np.empty(x.shape, bool).any(axis=axis, keepdims=True).shape
            assert actual.shape == expected.shape
            assert actual.dtype == expected.dtype
            if name == "sum" and base.dtype.kind in "fc":
                bound = 16 * np.finfo(base.dtype).eps * np.sum(np.abs(x), axis=axis)
                assert np.all(np.abs(np.asarray(actual) - np.asarray(expected)) <= bound), f"{name} {dtype} {axis}"
            else:
                assert_close(actual, expected, 64 if name == "prod" and base.dtype.kind in "fc" else 0, f"{name} {dtype} {axis}")


def _product_agrees(dtype: str) -> None:
    rng = np.random.default_rng(0)

    def matrices(*shape: int) -> np.ndarray:
        x = rng.integers(0, 2 if dtype == "bool" else 9, shape).astype(dtype)
        return x + 1j * rng.integers(0, 9, shape) if x.dtype.kind == "c" else x

    pairs = [
        (matrices(3, 4), matrices(4, 5)), (matrices(4, 3).T, matrices(4, 5)[::-1, ::-1]), (matrices(4), matrices(4)),
        (matrices(4), matrices(4, 5)), (matrices(2, 3, 4), matrices(4)), (matrices(2, 1, 3, 4), matrices(5, 4, 2)),
        (matrices(3, 8)[:, ::2], np.broadcast_to(matrices(1, 5), (4, 5))), (matrices(3, 0), matrices(0, 5)),
        (matrices(0, 4), matrices(4, 5)),
    ]  # fmt: skip
    for a, b in pairs:
        actual = np.asarray(xp.asarray(a) @ xp.asarray(b))
        expected = np.matmul(a, b)
        assert actual.dtype == expected.dtype
        assert np.array_equal(actual, expected), f"{a.shape} {b.shape} {dtype}"


@pytest.mark.parametrize(("name", "dtype"), MAPS)
def test_maps_and_zips(name: str, dtype: str) -> None:
    _map_agrees(name, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_map_and_zip(name: str) -> None:
    for d in [d for d in ELEMENTWISE[name].dtypes if d.name in KINDS]:
        _map_agrees(name, d.name)


@pytest.mark.parametrize(("name", "dtype"), FOLDS)
def test_folds(name: str, dtype: str) -> None:
    _fold_agrees(name, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", REDUCTIONS)
def test_every_fold(name: str) -> None:
    for d in [d for d in REDUCTIONS[name].dtypes if d.name in KINDS]:
        _fold_agrees(name, d.name)


@pytest.mark.parametrize("dtype", PRODUCTS)
def test_products(dtype: str) -> None:
    _product_agrees(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [d.name for d in DTYPES])
def test_every_product(dtype: str) -> None:
    _product_agrees(dtype)


def test_uncompiled_product_agrees() -> None:
    from mtarray._kernels.cpu import readable

    a, b = np.random.default_rng(0).standard_normal((2, 2, 7, 7))
    assert np.allclose(readable.product_in_python(a.swapaxes(-1, -2), b), np.matmul(a.swapaxes(-1, -2), b), rtol=1e-14)


def test_operands_that_meet_and_operators_in_place() -> None:
    """Promotion, Python numbers, broadcasting and overlapping windows happen before the loops."""
    x = xp.asarray([1.0, 2.0, 3.0, 4.0])
    assert (x + 1).tolist() == [2, 3, 4, 5]
    assert (x[:, None] + x[::-1][None, :2]).tolist() == [[5, 4], [6, 5], [7, 6], [8, 7]]
    assert xp.add(x, xp.asarray([1, 2, 3, 4], dtype=xp.int8)).dtype == xp.float64
    x[1:] += x[:-1]
    assert x.tolist() == [1, 3, 5, 7]
    assert float(xp.sum(x, axis=0)) == 16


def test_derivatives_are_taken_through_the_loops() -> None:
    w = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    by_w = xp.grad(lambda w: xp.sum((w @ w) + w))(w)
    assert by_w.tolist() == [[8, 12], [10, 14]]


def test_ops_of_the_users() -> None:
    @xp.elementwise(dtypes=(xp.float64,))
    def scaled(x, y):  # type: ignore[no-untyped-def]
        return x * y if y > 0 else x

    @xp.reduction(identity=0.0, dtypes=(xp.float64,))
    def root(a, b):  # type: ignore[no-untyped-def]
        return (a * a + b * b) ** 0.5

    x = xp.asarray([3.0, 4.0])
    assert scaled(x, xp.asarray([2.0, -1.0])).tolist() == [6, 4]
    assert float(root(x)) == 5


def test_threads_and_the_number_of_threads() -> None:
    """Many callers at once, and the same bits for any number of threads."""
    x = xp.asarray(np.random.default_rng(0).standard_normal((300, 200)))
    results: list[Any] = []

    def work() -> None:
        results.append(np.asarray(xp.sum(x + x, axis=0)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with xp.config(threads=1):
        work()
    assert len(results) == 9
    assert all(np.array_equal(r, results[-1]) for r in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_and_the_environment_variable() -> None:
    """The mode is set by MTARRAY_KERNELS; a forked child runs the loops too; a second process compiles nothing."""
    program = """
import os
import mtarray as xp
from mtarray._kernels import build
x = xp.arange(6, dtype=xp.float64)
assert (x + x).tolist() == [0, 2, 4, 6, 8, 10]
child = os.fork()
if not child:
    os._exit(0 if (x + x).tolist() == [0, 2, 4, 6, 8, 10] else 1)
assert os.waitpid(child, 0)[1] == 0
print(xp.config.kernels, build.stats()["compilations"])
"""
    environment = {**os.environ, "MTARRAY_KERNELS": "prange"}
    run = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False) for _ in range(2)]
    assert [r.returncode for r in run] == [0, 0], run[0].stderr + run[1].stderr
    assert run[1].stdout == "prange 0\n"


def test_without_a_thread_layer_that_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Numba has none (no TBB), the same loops run on one thread."""
    from mtarray._kernels import build
    from mtarray._kernels.cpu import driver

    monkeypatch.setattr(driver, "_numba", 0)
    seen: list[str] = []
    load = build.load
    monkeypatch.setattr(build, "load", lambda name, source: seen.append(source) or load(name, source))
    x = np.arange(6.0, dtype=np.float32)
    assert float(xp.max(xp.asarray(x).astype(xp.float64))) == 5
    assert "parallel=False" in seen[-1]


def test_what_cannot_be_compiled_is_refused() -> None:
    """By the same sentence as in every mode: Numba's own is a page."""

    @xp.elementwise(dtypes=(xp.complex128,))
    def larger(x, y):  # type: ignore[no-untyped-def]
        return x if x > y else y

    with pytest.raises(TypeError, match="larger cannot be compiled for complex128") as told:
        larger(xp.asarray([1j]), xp.asarray([2j]))
    assert str(told.value).count("\n") == 0
