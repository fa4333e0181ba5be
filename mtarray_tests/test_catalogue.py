"""Every op on every dtype and layout: the tiers agree with each other and with NumPy, in value, error and silence."""

import warnings
from typing import Any

import numpy as np
import pytest

import mtarray as xp

from .catalogue import DTYPES, ELEMENTWISE, LAYOUTS, REDUCTIONS, SCANS, assert_close, operands, tolerance, values

# Few dtypes stand for their kind every day; `python -m mtarray_tests.full` takes all.
DAILY = ("bool", "int8", "int64", "uint16", "float32", "float64", "complex64")


def _dtypes(full: bool) -> list[np.dtype]:
    return [d for d in DTYPES if full or d.name in DAILY]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_small_arrays_agree_with_numpy(name: str, full: bool) -> None:
    """The tier of small arrays, on every dtype and layout."""
    op = ELEMENTWISE[name]
    if op.twin is None:
        pytest.skip("no NumPy function of this meaning")
    for d in op.dtypes:
        raw = operands(op, d, 16)
        for layout, arrange in LAYOUTS.items():
            arrays = [arrange(a) for a in raw]
            with np.errstate(all="ignore"):
                twin = op.corrected.get(op.plan(tuple(a.dtype for a in arrays)).ins[0].kind, op.twin)
                expected = twin(*arrays)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                actual = op.function(*[xp.asarray(a) for a in arrays])
            for a, e in zip(actual if op.nout > 1 else (actual,), expected if op.nout > 1 else (expected,), strict=True):
                assert_close(a, np.asarray(e).astype(a.dtype), 0, f"{name} {d} {layout}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_kernels_agree_with_small_arrays(name: str, full: bool) -> None:
    """The same values at 16 elements, by NumPy's loop, and by our kernel."""
    op = ELEMENTWISE[name]
    for d in _dtypes(full):
        if d not in op.dtypes:
            continue
        arrays = [xp.asarray(a) for a in operands(op, d, 64)]
        small = op.function(*arrays)
        with xp.config(kernels="numba"), warnings.catch_warnings():
            warnings.simplefilter("error")
            large = op.function(*arrays)
        for s, g in zip(small if op.nout > 1 else (small,), large if op.nout > 1 else (large,), strict=True):
            assert_close(g, s, tolerance(name, d), f"{name} {d}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_eight_elements_agree_with_a_large_array(name: str, full: bool) -> None:
    """No one may see which tier served: the same values in a small array and repeated in one that is large enough for a kernel."""
    op = ELEMENTWISE[name]
    for d in [d for d in op.dtypes if full or d.name in ("float32", "int64")]:
        small = operands(op, d, 16)
        times = (1 << 21) // (16 * d.itemsize)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            few = op.function(*[xp.asarray(a) for a in small])
            many = op.function(*[xp.asarray(np.tile(a, times)) for a in small])
        for f, m in zip(few if op.nout > 1 else (few,), many if op.nout > 1 else (many,), strict=True):
            assert_close(m[-16:], f, tolerance(name, d), f"{name} {d}")
            assert_close(m[:16], f, tolerance(name, d), f"{name} {d}")


@pytest.mark.parametrize("layout", ["reversed", "strided", "column", "0-d", "empty", "broadcast"])
@pytest.mark.parametrize("name", ["add", "sqrt", "where", "equal", "floor_divide", "conj"])
def test_kernels_take_any_layout(name: str, layout: str, full: bool) -> None:
    """Our kernels on windows of every shape; a few ops stand for all, since the loops are shared."""
    op = ELEMENTWISE[name]
    for d in ("float32", "int16", "complex128") if not full else DTYPES:
        d = np.dtype(d)
        if d not in op.dtypes:
            continue
        arrays = [LAYOUTS[layout](a) for a in operands(op, d, 32)]
        ours = [xp.asarray(a) for a in arrays]
        small = op.function(*ours)
        with xp.config(kernels="numba"):
            large = op.function(*ours)
        assert_close(large, small, tolerance(name, d), f"{name} {d} {layout}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_uncompiled_functions_agree(name: str) -> None:
    """Kernel mode "python" runs the scalar function as it stands."""
    op = ELEMENTWISE[name]
    for d in ("int32", "float64", "complex128", "bool"):
        d = np.dtype(d)
        if d not in op.dtypes:
            continue
        arrays = [xp.asarray(a) for a in operands(op, d, 20)]
        small = op.function(*arrays)
        with xp.config(kernels="python"):
            python = op.function(*arrays)
        for s, p in zip(small if op.nout > 1 else (small,), python if op.nout > 1 else (python,), strict=True):
            assert_close(p, s, tolerance(name, d), f"{name} {d}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_refused_dtypes(name: str) -> None:
    """A dtype the op is not defined for raises TypeError naming the op, at any size and in every mode."""
    op = ELEMENTWISE[name]
    for d in DTYPES:
        arrays = [xp.asarray(np.ones(3, d))] * op.nin
        try:
            op.plan(tuple(a.dtype for a in arrays))
        except TypeError:
            for mode in ("auto", "numba"):
                with xp.config(kernels=mode), pytest.raises(TypeError):
                    op.function(*arrays)


AXES: list[Any] = [None, 0, -1, 1, (0, 2), ()]


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str, mode: str, full: bool) -> None:
    """Folds over every set of axes, on every dtype and layout, in every kernel mode."""
    op = REDUCTIONS[name]
    for d in _dtypes(full) if mode != "python" else [np.dtype("float64"), np.dtype("int32")]:
        if d not in op.dtypes:
            continue
        base = values(d, 24).reshape(2, 3, 4)
        if name == "prod" and d.kind in "fc":
            base = np.where(np.isfinite(base), base, 1).astype(d) % d.type(3) if d.kind == "f" else np.ones_like(base) * (1 + 1j)
        elif d.kind in "fc":
            base = np.where(np.abs(np.nan_to_num(base, nan=np.inf)) < 1e3, base, 1).astype(d) if name == "sum" else base
        for x in (base, base[::-1, :, ::2], base.transpose(2, 0, 1), np.broadcast_to(base[:, :1], (2, 5, 4))):
            for axis in AXES:
                with np.errstate(all="ignore"):
                    axes = axis
                    kind = None if op.accumulate is None else op.accumulate(d)
                    expected = np.asarray(op.twin.reduce(x, axis=axes, dtype=kind))
                with xp.config(kernels=mode):
                    actual = op.function(xp.asarray(x), axis=axis)
                    kept = op.function(xp.asarray(x), axis=axis, keepdims=True)
                if name == "sum" and d.kind in "fc":  # the order of additions is free; the error is that of the magnitudes
                    bound = 16 * np.finfo(d).eps * np.sum(np.abs(x), axis=axis)
                    assert actual.dtype == expected.dtype
                    assert np.all(np.abs(np.asarray(actual) - expected) <= bound), f"{name} {d} {axis}"
                else:
                    ulps = 64 if d.kind in "fc" and name == "prod" else 0
                    assert_close(actual, expected.astype(actual.dtype), ulps, f"{name} {d} {axis}")
                assert kept.shape == np.empty(x.shape, bool).any(axis=axis, keepdims=True).shape


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
@pytest.mark.parametrize("name", SCANS)
def test_scans(name: str, mode: str, full: bool) -> None:
    """Running folds along every axis."""
    op = SCANS[name]
    for d in _dtypes(full) if mode != "python" else [np.dtype("float64"), np.dtype("int32")]:
        base = values(d, 24).reshape(2, 3, 4)
        if d.kind in "fc":
            base = np.where(np.abs(base) < 1e3, base, 1).astype(d)
        if name == "cumulative_prod" and d.kind in "fc":
            base = (np.abs(base) % 2 + 0.5).astype(d)
        for x in (base, base[::-1, :, ::2], base.transpose(2, 0, 1)):
            for axis in (0, 1, -1):
                expected = op.twin.accumulate(x, axis=axis, dtype=op.accumulate(d))
                with xp.config(kernels=mode):
                    actual = op.function(xp.asarray(x), axis=axis)
                    longer = op.function(xp.asarray(x), axis=axis, include_initial=True)
                scale = np.max(np.abs(expected), initial=1)
                error = np.max(np.abs(np.asarray(actual) - expected), initial=0)
                assert actual.shape == expected.shape
                assert actual.dtype == expected.dtype
                assert error <= (64 * np.finfo(d).eps * scale if d.kind in "fc" else 0), f"{name} {d} {axis}"
                tail = [slice(None)] * 3
                tail[axis] = slice(1, None)
                assert np.array_equal(np.asarray(longer)[tuple(tail)], np.asarray(actual))


def test_more_elements_than_an_int32_counts() -> None:
    """Sizes and strides are 64-bit: more than 2**31 elements through a stride of 0."""
    n = 2**31 + 5
    x = xp.broadcast_to(xp.asarray(1, dtype=xp.int8), (n,))
    assert int(xp.sum(x, dtype=xp.int64)) == n
    assert int(xp.max(x)) == 1
    y = x[-3:]
    assert y.tolist() == [1, 1, 1]
    assert int(x[n - 1]) == 1
    with pytest.raises(IndexError):
        x[n]
