"""NumPy's names against NumPy: value, dtype, shape and error class, over dtypes and layouts, from one catalogue of calls.

A call is written once over `xp` and arrays made by `Make`, and runs on both libraries.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mtarray
from mtarray import numpy_names

DTYPES = ("bool", "int8", "int32", "int64", "uint8", "uint64", "float32", "float64", "complex64", "complex128")
REAL = tuple(d for d in DTYPES if not d.startswith("complex"))
INTEGERS = ("int8", "int32", "int64", "uint8", "uint64")
FLOATS = ("float32", "float64")
NUMBERS = DTYPES[1:]


def sample(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    """Small values with repetitions; floats exact in few bits, so that order of summation seldom shows."""
    rng = np.random.default_rng(seed)
    d = np.dtype(dtype)
    a = rng.integers(0 if d.kind in "bu" else -9, 10, size=shape)
    if d.kind == "b":
        return a > 4
    if d.kind in "fc":
        a = a / 4
    return (a + 1j * rng.integers(-9, 10, size=shape) / 2).astype(d) if d.kind == "c" else a.astype(d)


def layouts(shape: tuple[int, ...], dtype: str) -> list[Any]:
    """One array of `shape` in C order, transposed, backwards, with gaps, and broadcast along its first axis."""
    a = sample(shape, dtype)
    out = [a, sample(shape[::-1], dtype, 1).T]
    if shape:
        out.append(sample(shape, dtype, 2)[(slice(None, None, -1),) * len(shape)])
        out.append(sample((*shape[:-1], 2 * shape[-1]), dtype, 3)[..., ::2])
        out.append(np.broadcast_to(sample(shape[1:], dtype, 4), shape))
    return out


def to_ours(x: Any) -> Any:
    """Arguments with ndarrays as arrays of ours (views included), functions and the rest as they are."""
    if isinstance(x, np.ndarray):
        return mtarray.asarray(x)
    if isinstance(x, (list, tuple)):
        return type(x)(to_ours(v) for v in x)
    return x


def outcome(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return f(*args, **kwargs)
        except Exception as error:
            return error


def expected_dtype(d: Any) -> Any:
    return {"float16": np.dtype("float32"), "float128": np.dtype("float64")}.get(d.name, d)


def compare(ours: Any, theirs: Any, what: str, dtype: bool = True) -> None:
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"{what}: NumPy raises {theirs!r}, ours gives {ours!r}"
        kinds = (TypeError, IndexError, ValueError, ZeroDivisionError, RuntimeError)
        kind = next((k for k in kinds if isinstance(theirs, k)), Exception)
        assert isinstance(ours, kind), f"{what}: NumPy raises {theirs!r}, ours {ours!r}"
        assert str(ours), what
        return
    if isinstance(ours, Exception):
        raise AssertionError(f"{what}: ours raises {ours!r}, NumPy gives {theirs!r}") from ours
    if isinstance(theirs, (tuple, list)):
        assert isinstance(ours, (tuple, list)), f"{what}: {ours!r}"
        assert len(ours) == len(theirs), what
        for i, (o, t) in enumerate(zip(ours, theirs)):
            compare(o, t, f"{what}[{i}]", dtype)
        return
    if isinstance(theirs, (bool, int, str, type(None))):
        assert ours == theirs, what
        return
    theirs = np.asarray(theirs)
    assert isinstance(ours, mtarray.Array), f"{what}: {ours!r}"
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, NumPy's {theirs.shape}"
    if dtype:
        assert ours.dtype == expected_dtype(theirs.dtype), f"{what}: dtype {ours.dtype}, NumPy's {theirs.dtype}"
    got = np.asarray(ours)
    if theirs.dtype.kind in "fc":
        narrow = theirs.dtype.name in ("float32", "complex64")
        tolerance = 2e-3 if theirs.dtype.name == "float16" else 2e-6 if narrow else 1e-13
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
        np.testing.assert_allclose(got, theirs, rtol=tolerance, atol=tolerance * scale, err_msg=what)
    else:
        np.testing.assert_array_equal(got, theirs, err_msg=what)


def check(name: str, *args: Any, dtype: bool = True, **kwargs: Any) -> None:
    """One call of NumPy's function and of ours with the same arguments."""
    theirs = outcome(getattr(np, name), args, kwargs)
    ours = outcome(getattr(mtarray, name), to_ours(args), {k: to_ours(v) for k, v in kwargs.items()})
    described = ", ".join(f"{a.dtype.name}{a.shape}" if isinstance(a, np.ndarray) else repr(a) for a in args)
    compare(ours, theirs, f"{name}({described}{', ' if kwargs else ''}{kwargs or ''})", dtype)


# name -> (dtypes, shapes, calls): each call gets an array and returns the arguments (a tuple, or (tuple, dict)).
ONE: dict[str, list[tuple[Any, ...]]] = {}


def unary(names: str, dtypes: tuple[str, ...] = DTYPES, shapes: Any = ((3, 4), (), (0, 3), (5,)), *calls: Any) -> None:
    for name in names.split():
        ONE.setdefault(name, []).append((dtypes, shapes, calls or (lambda a: (a,),)))


A, M, V = ((3, 4), (), (0, 3), (5,), (2, 3, 4)), ((3, 4), (4, 4), (0, 3)), ((5,), (1,), (0,))
AXES = (
    lambda a: (a,),
    lambda a: (a, 0),
    lambda a: (a, -1),
    lambda a: ((a,), {"axis": -1, "keepdims": True}),
    lambda a: ((a,), {"axis": (0, 1)}),
    lambda a: ((a,), {"axis": 7}),
)
SCAN = (lambda a: (a,), lambda a: (a, 0), lambda a: ((a,), {"axis": -1, "dtype": "float64"} if a.dtype.kind != "c" else {"axis": -1}))

# shapes and axes
unary("transpose", DTYPES, A, lambda a: (a,), lambda a: (a, (1, 0)), lambda a: (a, (0, 0)))
unary("swapaxes", DTYPES, A, lambda a: (a, 0, -1), lambda a: (a, 0, 5))
unary("ravel", DTYPES, A, lambda a: (a,), lambda a: (a, "F"))
unary("atleast_1d atleast_2d atleast_3d", DTYPES, A, lambda a: (a,), lambda a: (a, 3))
unary("rot90", ("int8",), A, *(lambda a, k=k: (a, k) for k in range(-1, 5)), lambda a: (a, 1, (0, 0)), lambda a: (a, 1, (1, 0)))
unary("fliplr flipud", ("int8", "float32"), A)
unary("rollaxis", ("int8",), A, lambda a: (a, 1), lambda a: (a, 0, 2), lambda a: (a, -1), lambda a: (a, 9))
unary("resize", ("int8", "float64"), A, lambda a: (a, (2, 7)), lambda a: (a, 3), lambda a: (a, ()))
unary("shape ndim", ("int8",), A)
unary("size", ("int8",), A, lambda a: (a,), lambda a: (a, 0), lambda a: (a, 8))
unary("ascontiguousarray asanyarray", DTYPES, A)
# joining and cutting
unary("hstack vstack dstack column_stack", DTYPES, ((3, 4), (), (0, 3), (5,), (2, 3, 4)), lambda a: ([a, a],), lambda a: ((a, a.astype("float32")) if a.dtype.kind != "c" else (a,),))
unary("hstack vstack dstack column_stack", ("int8",), ((3, 4),), lambda a: ([],), lambda a: ([a, a[:2, :3]],))
unary("concatenate", DTYPES, A, lambda a: ([a, a],), lambda a: ([a, a], -1), lambda a: ([a, a], None), lambda a: (([a, a],), {"dtype": "complex128"}))
unary("block", DTYPES, ((2, 3),), lambda a: ([[a, a], [a, a]],), lambda a: ([a, a[:, :1]],), lambda a: (a,), lambda a: ([[a], a],), lambda a: ([],), lambda a: ([1, a[0]],))
unary("append", DTYPES, A, lambda a: (a, a), lambda a: (a, a, 0), lambda a: (a, [1, 2]))
unary("delete", ("int8", "float32", "bool"), ((3, 4), (5,), (0, 3)), lambda a: (a, 1), lambda a: (a, -1, 0), lambda a: (a, [0, 2], -1), lambda a: (a, slice(None, None, 2), -1))
unary("delete", ("int64",), ((3, 4), (5,)), lambda a: (a, 99), lambda a: (a, [], 0), lambda a: (a, np.arange(a.size) % 2 == 0), lambda a: (a, [True]), lambda a: (a, 0, 5))
unary("insert", ("int8", "float32", "bool"), ((3, 4), (5,)), lambda a: (a, 1, 7), lambda a: (a, -1, 1, 0), lambda a: (a, [0, 2], [1, 0]), lambda a: (a, [2, 2, 0], 1, -1))
unary("insert", ("int64",), ((3, 4),), lambda a: (a, 1, a[0], 0), lambda a: (a, [1], a[:1], 0), lambda a: (a, slice(0, 2), 9, 1), lambda a: (a, 99, 1), lambda a: (a, [0, 1], a[:, :2], 1), lambda a: (a, 1, a[:, 0], 1))
unary("array_split", ("int8",), ((7, 5), (5,), (0,)), lambda a: (a, 3), lambda a: (a, [1, 3]), lambda a: (a, 2, -1), lambda a: (a, 0), lambda a: (a, [-1, 9]))
unary("split", ("int8",), ((6, 4), (6,)), lambda a: (a, 3), lambda a: (a, 4), lambda a: (a, [2, 5]), lambda a: (a, 2, 1))
unary("hsplit vsplit dsplit", ("int8",), ((4, 4, 2), (4, 4), (4,)), lambda a: (a, 2), lambda a: (a, [1]))
# matrices
unary("diag", DTYPES, ((3, 4), (4,), (0,), (0, 3), (), (2, 2, 2)), lambda a: (a,), lambda a: (a, 1), lambda a: (a, -2), lambda a: (a, 9))
unary("diagflat", DTYPES, ((2, 2), (), (3,)), lambda a: (a,), lambda a: (a, -1))
unary("diagonal", DTYPES, ((3, 4), (2, 3, 4), (5,)), lambda a: (a,), lambda a: (a, 1), lambda a: (a, -1, 1, 0), lambda a: (a, 0, -1, -2), lambda a: (a, 0, 1, 1), lambda a: (a, -9))
unary("trace", DTYPES, ((3, 4), (2, 3, 4), (0, 0)), lambda a: (a,), lambda a: (a, 1), lambda a: (a, -1, 1, 0), lambda a: ((a,), {"dtype": "float64"} if a.dtype.kind != "c" else {}))
unary("tril_indices_from triu_indices_from", ("int8",), ((3, 4), (4, 3), (5,)), lambda a: (a,), lambda a: (a, 1))
unary("diag_indices_from", ("int8",), ((3, 3), (2, 2, 2), (3, 4), (3,)))
unary("vander", NUMBERS, ((4,), (0,), (2, 2)), lambda a: (a,), lambda a: (a, 3, True), lambda a: (a, 0))
# sums and statistics
unary("cumsum cumprod", DTYPES, A, *SCAN)
unary("nancumsum nancumprod", DTYPES, A, *SCAN)
unary("ptp", NUMBERS[:-2], A, *AXES)
unary("amax amin", REAL, A, *AXES)
unary("median", DTYPES, A, *AXES)
unary("average", NUMBERS, A, *AXES)
unary("average", NUMBERS[1:], ((3, 4),), lambda a: ((a, 1, np.array([1.0, 2, 3, 5])), {}), lambda a: ((a,), {"weights": np.abs(a) + 1, "returned": True}), lambda a: ((a, 0), {"returned": True}), lambda a: (a, 0, np.ones(2)), lambda a: (a, None, np.ones(4)), lambda a: (a, 1, np.zeros(4)))
unary("nansum nanprod nanmean nanvar nanstd nanmedian", DTYPES, A, *AXES)
unary("nanmax nanmin", REAL, A, *AXES)
unary("nanargmax nanargmin", REAL, A, lambda a: (a,), lambda a: (a, 0), lambda a: ((a,), {"axis": -1, "keepdims": True}))
unary("nanvar nanstd", ("float32", "int8", "complex64"), ((3, 4),), lambda a: ((a,), {"ddof": 1}), lambda a: ((a, 0), {"ddof": 3}), lambda a: ((a, 0), {"correction": 1}))
QUANTILE = [
    lambda a: (a, 0.3),
    lambda a: (a, [0.0, 0.25, 1.0], 0),
    lambda a: ((a, np.array([[0.1, 0.9]])), {"axis": -1, "keepdims": True}),
    lambda a: (a, 1.5),
    lambda a: ((a, 0.5), {"axis": (0, 1)}),
    lambda a: ((a, 0.5), {"method": "nonsense"}),
]
unary("quantile nanquantile", INTEGERS + FLOATS + ("complex64",), ((3, 4), (5,), (), (2, 3, 4)), *QUANTILE)
METHODS = "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull linear median_unbiased normal_unbiased lower higher midpoint nearest"
unary("quantile nanquantile", ("int64", "float32", "float64"), ((3, 7), (8,)), *(lambda a, m=m: ((a, [0, 0.125, 0.25, 0.5, 0.61, 1], -1), {"method": m}) for m in METHODS.split()), *(lambda a, m=m: ((a, 0.4, -1), {"method": m}) for m in METHODS.split()))
unary("quantile nanquantile", ("int64", "float64"), ((3, 5),), lambda a: ((a, [0, 0.2, 0.9], -1), {"weights": np.array([0.0, 1, 2, 3, 1]), "method": "inverted_cdf"}), lambda a: ((a, 0.5), {"weights": np.abs(a) + 1, "method": "inverted_cdf"}), lambda a: ((a, 0.5), {"weights": np.ones(5)}))
unary("percentile nanpercentile", ("int64", "float32", "float64"), ((3, 5), (5,)), lambda a: (a, 30), lambda a: (a, [0, 50.0, 100], 0), lambda a: (a, -1))
unary("cov corrcoef", NUMBERS, ((3, 5), (5,), (1, 4)), lambda a: (a,), lambda a: (a, a[::-1]), lambda a: ((a,), {"rowvar": False}))
unary("cov", ("float64", "float32"), ((3, 5),), lambda a: ((a,), {"bias": True}), lambda a: ((a,), {"ddof": 0}), lambda a: ((a,), {"fweights": np.arange(1, 6), "aweights": np.arange(5) / 4.0}), lambda a: ((a,), {"aweights": np.arange(5) / 4.0, "ddof": 0}), lambda a: ((a,), {"fweights": np.ones(4, int)}), lambda a: ((a,), {"fweights": np.ones(5) / 2}), lambda a: ((a,), {"dtype": "float32"}))
# histograms
unary("bincount", ("bool", "uint8"), ((20,), (0,)), lambda a: (a,), lambda a: (a, None, 30), lambda a: (a, np.arange(a.size) / 4))
unary("bincount", ("int64", "float64", "uint64", "int8"), ((5,), (2, 2)), lambda a: (a,), lambda a: (np.abs(a),), lambda a: (np.abs(a), np.ones(3)), lambda a: (np.abs(a), None, -1))
unary("digitize", REAL + ("complex64",), ((3, 4), (), (0,)), lambda a: (a, np.array([-2.0, 0, 1, 4])), lambda a: (a, np.array([4.0, 1, 0, -2]), True), lambda a: (a, np.array([4.0, 1, 0, -2])), lambda a: (a, np.array([0, 2, 1])), lambda a: (a, [0, 0, 1], True))
unary("histogram", REAL, ((30,), (3, 4), (0,)), lambda a: (a,), lambda a: (a, 4), lambda a: (a, [-1, 0, 2, 5]), lambda a: ((a,), {"bins": 3, "range": (-1, 2)}), lambda a: ((a,), {"density": True, "bins": 3}), lambda a: ((a,), {"bins": 3, "weights": np.arange(a.size).reshape(a.shape) / 4}))
unary("histogram", ("float64",), ((8,),), lambda a: (a, 0), lambda a: (a, [2, 1]), lambda a: ((a,), {"range": (2, 1)}), lambda a: ((a,), {"weights": np.ones(3)}), lambda a: ((a, 3), {"weights": np.ones(8, int)}), lambda a: ((a, 3), {"weights": 1j * np.ones(8)}), lambda a: (a / 0,))
unary("histogram_bin_edges", ("int64", "float64", "float32"), ((60,), (7,), (0,)), *(lambda a, b=b: (a, b) for b in ("auto", "fd", "doane", "scott", "stone", "rice", "sturges", "sqrt", "nonsense", 5)), lambda a: ((a, "auto"), {"range": (-1, 1)}))
# differences, integrals, convolution, interpolation
unary("ediff1d", NUMBERS, A, lambda a: (a,), lambda a: (a, 1, [2, 3]), lambda a: (a, 1.5))
unary("gradient", INTEGERS[:3] + FLOATS + ("complex64",), ((5,), (4, 5), (2, 3)), lambda a: (a,), lambda a: (a, 2.0), lambda a: ((a,), {"edge_order": 2}), lambda a: ((a,), {"axis": 0}), lambda a: (a, 1.0, 2.0, 3.0), lambda a: ((a, np.array([0, 1, 3, 4.5, 7])[: a.shape[-1]]), {"axis": -1}), lambda a: ((a, np.array([0, 1, 3, 4.5, 7])[: a.shape[-1]]), {"axis": -1, "edge_order": 2}), lambda a: ((a,), {"edge_order": 3}))
unary("trapezoid", NUMBERS, ((5,), (3, 4)), lambda a: (a,), lambda a: (a, None, 0.5), lambda a: ((a,), {"axis": 0}), lambda a: (a, np.arange(a.shape[-1]) ** 2), lambda a: (a, np.cumsum(np.ones(a.shape), -1)))
unary("unwrap", ("float64", "float32", "int64"), ((9,), (3, 5)), lambda a: (a,), lambda a: (a * 3, 4.0), lambda a: ((a,), {"period": 4}), lambda a: ((a,), {"axis": 0, "period": 5}))
unary("convolve correlate", DTYPES, V, lambda a: (a, a[:2]), *(lambda a, m=m: (a[:3], a, m) for m in ("full", "same", "valid")), *(lambda a, m=m: (a, np.array([1.5, 2]), m) for m in ("full", "same", "valid")), lambda a: (a, a, "no"))
unary("interp", REAL, ((3, 4), (), (0,)), lambda a: (a, np.array([-2.0, 0, 1.5]), np.array([1.0, 3, -2])), lambda a: (a, [-2.0, 0, 1.5], [1.0, 3, -2], -7, 8), lambda a: ((a, np.array([2.0, 0.5, 1]), np.array([1, 3, 2j])), {"period": 3}), lambda a: (a, [1.0], [5.0]), lambda a: (a, [], []), lambda a: (a, [1, 2], [1]), lambda a: ((a, [1, 2], [1, 2]), {"period": 0}), lambda a: (a, [0.0, 1, 2], [np.inf, np.inf, 3]))
# NaN, tests, rounding
unary("nan_to_num", DTYPES, A, lambda a: (a,), lambda a: ((a,), {"nan": 3, "posinf": 1}))
unary("isclose allclose", DTYPES, A, lambda a: (a, a), lambda a: (a, a + 1), lambda a: (a, 1), lambda a: (a, 1.0000001), lambda a: (a, a, 0, 0))
unary("array_equal array_equiv", DTYPES, A, lambda a: (a, a), lambda a: (a, a + 1), lambda a: (a, a[..., :1] if a.ndim else a), lambda a: (a, 1))
unary("isreal iscomplex isrealobj real_if_close angle isposinf isneginf rint sinc", DTYPES, A)
unary("around", NUMBERS, A, lambda a: (a,), lambda a: (a, 1), lambda a: (a * 7, -1))
unary("divmod", REAL[1:], ((3, 4), ()), lambda a: (a, 3), lambda a: (a, a + a))
# choosing
unary("argwhere flatnonzero", DTYPES, A)
unary("compress", DTYPES, ((3, 4), (5,)), lambda a: ([True, False, True], a), lambda a: ([False, True], a, 0), lambda a: (np.ones((2, 2)), a), lambda a: ([True] * 99, a))
unary("extract", DTYPES, ((3, 4), (5,)), lambda a: (a > 0 if a.dtype.kind != "c" else a == 0, a))
unary("choose", ("uint8", "int64"), ((3, 4), (), (0,)), lambda a: (a % 3, [1, 2.5, a]), lambda a: (a, [1, 2]), lambda a: ((a, [1, 2]), {"mode": "wrap"}), lambda a: ((a, [1, 2, 3]), {"mode": "clip"}))
unary("select", DTYPES, ((3, 4), ()), lambda a: ([a == 0, a == 1], [a, a + 1]), lambda a: ([a == 0, a == 1], [a, 2], 7), lambda a: ([a], [a]), lambda a: ([a == 0], [a, a]), lambda a: ([], []))
unary("piecewise", ("int64", "float32", "float64"), ((3, 4), ()), lambda a: (a, [a < 0, a >= 0], [lambda v: -v, 5]), lambda a: (a, [a < 0], [1, lambda v: v * 2]), lambda a: (a, a < 0, [1]), lambda a: (a, [a < 0], [1, 2, 3]))
# order and sets
unary("lexsort", REAL, ((3, 4), (2, 5)), lambda a: (a,), lambda a: ((a[0], a[1]),), lambda a: ((a, a[::-1]), 0), lambda a: ((a, a[:1]),))
unary("unique", DTYPES, A, lambda a: (a,), lambda a: ((a,), {"return_index": True}), lambda a: ((a,), {"return_inverse": True, "return_counts": True}), lambda a: ((a,), {"return_index": True, "return_inverse": True, "return_counts": True}))
unary("unique", DTYPES, ((6, 2), (4, 3), (0, 2), (2, 2, 2)), lambda a: ((a,), {"axis": 0}), lambda a: ((np.concatenate([a, a]),), {"axis": 0, "return_index": True, "return_inverse": True, "return_counts": True}), lambda a: ((a,), {"axis": 1}), lambda a: ((a,), {"axis": 5}))
unary("union1d setxor1d", DTYPES, A, lambda a: (a, a[:1] if a.ndim else a), lambda a: (a, [1, 2, 3]))
unary("setdiff1d intersect1d", DTYPES, A, lambda a: (a, a[:1] if a.ndim else a), lambda a: (a, [1, 2, 3]), lambda a: (np.unique(a), np.unique(a + a), True))
unary("intersect1d", DTYPES, A, lambda a: ((a, a[:1] if a.ndim else a), {"return_indices": True}))
# products
unary("dot inner", NUMBERS, ((4,), (4, 4), (2, 4, 4), ()), lambda a: (a, a), lambda a: (a, 2), lambda a: (a, a[0] if a.ndim else a))
unary("dot inner", ("bool",), ((4,), (4, 4)), lambda a: (a, a))
unary("outer vdot", DTYPES, ((4,), (2, 3), ()), lambda a: (a, a))
unary("outer vdot dot inner", ("int8",), ((4,), (2, 3)), lambda a: (a, np.arange(3)), lambda a: (a, np.arange(6).reshape(2, 3)))
unary("kron", DTYPES, ((2, 3), (3,), ()), lambda a: (a, a), lambda a: (a, [1, 2]), lambda a: (a, np.ones((2, 1, 2), "int8")))
unary("cross", NUMBERS, ((3,), (4, 3), (2, 3)), lambda a: (a, a[::-1]), lambda a: (a, [1, 2, 3]), lambda a: (a[..., :1], a))
unary("cross", ("int64",), ((3, 3),), lambda a: ((a, a.T), {"axis": 0}), lambda a: (a, a.T, 0, 1, 0))
# polynomials
unary("polyval", NUMBERS, ((3,),), lambda a: (a, a), lambda a: (a, np.arange(6).reshape(2, 3)), lambda a: ([], a))
unary("polyfit", ("float64", "int64"), ((6,),), lambda a: (np.arange(6.0), a, 2), lambda a: (np.arange(6), np.stack([a, a], 1), 3), lambda a: ((np.arange(6.0), a, 1), {"w": np.arange(1, 7.0)}), lambda a: (a, a, -1), lambda a: (a[:3], a, 1))
# indices
unary("unravel_index", ("uint8", "int64", "float64"), ((3,), (), (0,), (2, 2)), lambda a: (np.abs(a), (3, 4)), lambda a: (np.abs(a), (3, 4, 2), "F"), lambda a: (a, (2, 2)))
unary("ravel_multi_index", ("int64",), ((3,), (2, 2)), lambda a: ((a % 3, a % 4), (3, 4)), lambda a: ((a % 3, a % 4), (3, 4), "raise", "F"), lambda a: ((a, a), (3, 4), "wrap"), lambda a: ((a, a), (3, 4), ("clip", "wrap")), lambda a: ((a, a), (3, 4)), lambda a: ((a,), (3, 4)), lambda a: ((a, a * 1.5), (3, 4)))
unary("ix_", ("int64", "bool"), ((3,), (2, 2)), lambda a: (a, [0, 1]))
unary("apply_along_axis", ("int64", "float32"), ((3, 4), (2, 3, 4)), lambda a: (lambda v: v[::-1], 0, a), lambda a: (lambda v: v[0], -1, a), lambda a: (lambda v: v.reshape((1, -1)), 1, a))
unary("apply_over_axes", ("int64",), ((2, 3, 4),), lambda a: (mtarray.sum if False else _sum_of, a, [0, 2]))


def _sum_of(a: Any, axis: int) -> Any:
    return a.sum(axis=axis)


PAD = [
    *(((2, 3), m, {}) for m in ("constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap")),
    *((((1, 7), (9, 2)), m, {}) for m in ("reflect", "symmetric", "wrap", "edge", "linear_ramp", "constant")),
    (2, "constant", {"constant_values": (1, 2)}),
    (((1, 0), (0, 2)), "constant", {"constant_values": ((1, 2), (3, 4))}),
    ((2, 1), "linear_ramp", {"end_values": ((1, 2), (5, -4))}),
    *((2, m, {"stat_length": 2}) for m in ("maximum", "mean", "median", "minimum")),
    *(((7, 8), m, {"reflect_type": "odd"}) for m in ("reflect", "symmetric")),
    ({0: 1}, "edge", {}),
    ({-1: (1, 2)}, "constant", {}),
    (-1, "constant", {}),
    (1.5, "edge", {}),
    ((1, 2, 3), "edge", {}),
    (1, "nonsense", {}),
    (1, "edge", {"constant_values": 3}),
    (1, "mean", {"stat_length": 0}),
    (1, "reflect", {"reflect_type": "no"}),
]


def test_pad() -> None:
    for dtype in ("int8", "int64", "uint8", "float32", "float64", "complex64", "bool"):
        for a in layouts((3, 4), dtype):
            for width, mode, options in PAD:
                if dtype in ("bool", "complex64", "uint8") and (mode in ("mean", "median", "linear_ramp") or options.get("reflect_type") == "odd"):
                    continue
                check("pad", a, width, mode, **options)
    check("pad", np.ones((1, 1)), 3, "reflect")
    check("pad", np.ones((0, 2)), 1, "edge")
    check("pad", np.ones((0, 2)), ((0, 0), (1, 1)), "edge")
    check("pad", np.float64(3), 2)

    def fill(line: Any, width: Any, axis: int, options: Any) -> None:
        line[: width[0]] = options["v"]
        line[len(line) - width[1] :] = axis

    check("pad", np.ones((2, 3)), ((1, 2), (0, 1)), fill, v=5)
    assert mtarray.pad(mtarray.ones((2, 2)), 1, "empty").shape == (4, 4)


@pytest.mark.parametrize("name", ONE)
def test_against_numpy(name: str) -> None:
    for dtypes, shapes, calls in ONE[name]:
        for dtype in dtypes:
            for shape in shapes:
                for a in layouts(shape, dtype):
                    for call in calls:
                        try:
                            arguments = call(a)
                        except (TypeError, ValueError, IndexError, ZeroDivisionError):
                            continue  # NumPy cannot make these arguments (`-` of booleans)
                        args, kwargs = arguments if len(arguments) == 2 and isinstance(arguments[1], dict) else (arguments, {})
                        check(name, *args, **kwargs)


SPECIAL = np.array([[np.nan, 1.0, -np.inf, 2.0], [np.nan, np.nan, np.nan, np.nan], [0.0, -0.0, np.inf, 3.0], [1.0, np.inf, np.inf, -np.inf]])


@pytest.mark.parametrize("name", "nansum nanprod nanmean nanvar nanstd nanmedian nanmax nanmin median nan_to_num sinc rint isposinf isneginf angle".split())
def test_special_values(name: str) -> None:
    for a in (SPECIAL, SPECIAL.astype("float32"), SPECIAL.T, SPECIAL[::-1]):
        check(name, a)
        if name.startswith(("nan", "median")) and name != "nan_to_num":
            for axis in (0, 1):
                check(name, a, axis)
    if name in ("nansum", "nanmean", "nanvar", "nan_to_num"):
        check(name, SPECIAL + 1j)


def test_special_values_of_others() -> None:
    for axis in (0, 1):
        for q in (0.3, [0.0, 0.5, 1.0]):
            for name in ("quantile", "nanquantile"):
                check(name, SPECIAL[[0, 2]], q, axis)
                check(name, SPECIAL, q, axis)
                check(name, SPECIAL[:, :2], q, axis, weights=np.arange(1.0, 9).reshape(4, 2), method="inverted_cdf")
        check("nanargmax", SPECIAL, axis)
        check("nanargmin", SPECIAL[[0, 2]], axis)
    check("unique", SPECIAL, return_index=True, return_inverse=True, return_counts=True)
    check("unique", SPECIAL, equal_nan=False)
    check("unique", SPECIAL, axis=0)
    check("unique", np.concatenate([SPECIAL, SPECIAL]), axis=0, return_counts=True, return_inverse=True)
    for equal_nan in (False, True):
        check("isclose", SPECIAL, SPECIAL, equal_nan=equal_nan)
        check("isclose", SPECIAL, SPECIAL[::-1], equal_nan=equal_nan)
        check("array_equal", SPECIAL, SPECIAL, equal_nan)
    check("histogram", SPECIAL, range=(0, 3))
    check("histogram", SPECIAL, [0, 1, 2, 3])
    check("digitize", SPECIAL, [0.0, 1, 2])
    check("interp", SPECIAL, [0.0, 1, 2], [1.0, np.nan, 3])
    check("interp", SPECIAL, [0.0, 1, np.inf], [1.0, 2, 3])
    check("partition", SPECIAL[0], 3)


MADE = [
    ("tri", (3,), {}), ("tri", (3, 4, 1), {}), ("tri", (3, 2, -1, "int8"), {}), ("identity", (3,), {}), ("identity", (2, "int8"), {}),
    ("tril_indices", (3,), {}), ("tril_indices", (3, 1, 4), {}), ("triu_indices", (3,), {}), ("triu_indices", (3, -1, 2), {}),
    ("diag_indices", (3,), {}), ("diag_indices", (2, 3), {}), ("mask_indices", (3, np.triu), {}), ("mask_indices", (3, np.tril, 1), {}),
    ("indices", ((2, 3),), {}), ("indices", ((2, 3), "int8"), {}), ("indices", ((2, 3),), {"sparse": True}), ("indices", ((),), {}), ("indices", ((0, 2),), {}),
    ("logspace", (0, 3), {}), ("logspace", (0, 3, 4, False), {}), ("logspace", (0, 3, 4), {"base": 2, "dtype": "int64"}),
    ("logspace", (np.array([0, 1]), np.array([2, 3.0]), 3), {}), ("logspace", (np.array([0, 1]), 3, 3), {"axis": 1}), ("logspace", (0, 1, -1), {}),
    ("geomspace", (1, 1000, 4), {}), ("geomspace", (-1, -1000, 4), {}), ("geomspace", (1, 256, 9, False), {}), ("geomspace", (1j, 16j, 5), {}),
    ("geomspace", (1, 1000, 4), {"dtype": "int64"}), ("geomspace", (0, 1), {}), ("geomspace", (1, 2, -1), {}), ("geomspace", (1, 2, 0), {}),
    ("geomspace", (np.array([1.0, 2]), 16, 3), {}),
    ("fromfunction", (lambda i, j: i * 2 + j, (2, 3)), {"dtype": "int64"}), ("fromfunction", (lambda i: i, (3,)), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "kwargs"), MADE, ids=[f"{i}-{m[0]}" for i, m in enumerate(MADE)])
def test_making(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if name == "mask_indices":
        ours = mtarray.mask_indices(args[0], getattr(mtarray, args[1].__name__), *args[2:])
        compare(ours, np.mask_indices(*args), "mask_indices")
        return
    check(name, *args, **kwargs)


def written(name: str, a: Any, *args: Any, **kwargs: Any) -> None:
    """A function that writes into its first argument: compare what it leaves there."""
    theirs = a.copy()
    ours = mtarray.asarray(a, copy=True)
    failed = outcome(getattr(np, name), (theirs, *args), kwargs)
    compare(outcome(getattr(mtarray, name), (ours, *to_ours(args)), {k: to_ours(v) for k, v in kwargs.items()}), failed, name)
    compare(ours, theirs, f"{name}{args}")


def test_writing() -> None:
    for dtype in ("int64", "float32", "complex64"):
        for a in layouts((3, 4), dtype)[:4]:
            written("put", a, [0, -1, 5], [7, 8])
            written("put", a, [0, 99], 1)
            written("put", a, [0, 99, -30], [1, 2, 3], mode="wrap")
            written("put", a, [0, 99, -30], [1, 2, 3], mode="clip")
            written("put", a, [], 3)
            written("place", a, a == a[0, 0], [1, 2])
            written("place", a, a == a[0, 0], [])
            written("place", a, a[0] == 1, [1])
            written("putmask", a, a == a[0, 0], np.arange(12))
            written("putmask", a, a == a[0, 0], [5, 6, 7])
            written("copyto", a, 3)
            written("copyto", a, np.arange(4), where=a != 1)
            written("copyto", a, np.arange(4) * 1j)
            written("copyto", a, np.arange(4) * 1.5, casting="unsafe") if dtype != "complex64" else None
            written("copyto", a, np.arange(5))
            written("put_along_axis", a, np.array([[0, 1, 2, 1]]), 9, 0)
            written("put_along_axis", a, np.array([[0], [3], [1]]), np.arange(3)[:, None], 1)
            written("fill_diagonal", a, 5)
            written("fill_diagonal", a, [1, 2])
    written("fill_diagonal", np.zeros((7, 3)), 5)
    written("fill_diagonal", np.zeros((7, 3)), 5, wrap=True)
    written("fill_diagonal", np.zeros((3, 3, 3)), 5)
    written("fill_diagonal", np.zeros((3, 2, 3)), 5)
    written("fill_diagonal", np.zeros(3), 5)
    a = SPECIAL.copy()
    ours = mtarray.asarray(a, copy=True)
    assert mtarray.nan_to_num(ours, copy=False) is ours
    compare(ours, np.nan_to_num(a), "nan_to_num in place")


def test_partition() -> None:
    for dtype in REAL:
        for a in layouts((5, 7), dtype):
            for kth, axis in ((3, -1), (0, 0), ([1, 5], 1), (-1, 0), (11, None)):
                x = mtarray.asarray(a)
                part = np.asarray(mtarray.partition(x, kth, axis))
                where = mtarray.argpartition(x, kth, axis)
                assert where.dtype == mtarray.int64
                flat = a.reshape(-1) if axis is None else a
                np.testing.assert_array_equal(np.take_along_axis(flat, np.asarray(where), -1 if axis is None else axis), part)
                want = np.partition(flat, kth, -1 if axis is None else axis)
                for k in kth if isinstance(kth, list) else [kth]:
                    np.testing.assert_array_equal(np.take(part, k, -1 if axis is None else axis), np.take(want, k, -1 if axis is None else axis))
    for name in ("partition", "argpartition"):
        check(name, np.arange(3), 5)
        check(name, np.arange(3), 1, 4)


PAIRS = "fmax fmin fmod logaddexp2 heaviside gcd lcm float_power".split()
SINGLES = "fabs exp2 cbrt deg2rad rad2deg degrees radians spacing modf frexp bitwise_count".split()


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
@pytest.mark.parametrize("name", PAIRS + SINGLES + ["ldexp"])
def test_elementwise(name: str, mode: str) -> None:
    with mtarray.config(kernels=mode):
        for dtype in ("bool", "int8", "int64", "uint16", "uint64", "float32", "float64"):
            for a in layouts((3, 4), dtype)[:3] if mode != "numba" else layouts((3, 4), dtype)[:1]:
                arguments = (a, a[:, ::-1]) if name in PAIRS else (a, np.arange(-2, 2)) if name == "ldexp" else (a,)
                if dtype in ("bool", "int8") and name not in ("fmax", "fmin", "fmod", "gcd", "lcm", "float_power", "bitwise_count"):
                    continue  # NumPy computes these in float16, which is not among our dtypes
                check(name, *arguments)
        check(name, *((SPECIAL, SPECIAL.T) if name in PAIRS else (SPECIAL, np.arange(4)) if name == "ldexp" else (SPECIAL,)))
        check(name, *((np.array(2), np.array(3)) if name in (*PAIRS, "ldexp") else (np.array(5),)))


@pytest.mark.parametrize("name", [*PAIRS, *SINGLES, "ldexp"])
def test_elementwise_refuses_in_strict_mode(name: str) -> None:
    x = mtarray.asarray([1])
    with mtarray.strict(), pytest.raises(TypeError):
        getattr(mtarray, name)(*((x, x) if name in (*PAIRS, "ldexp") else (x,)))


def test_composed_refuse_in_strict_mode() -> None:
    x = mtarray.ones((2, 2))
    with mtarray.strict():
        for name in ("transpose", "median", "einsum", "nansum", "ravel", "isclose"):
            with pytest.raises(TypeError, match="strict"):
                getattr(mtarray, name)(*(("ij", x) if name == "einsum" else (x, x) if name == "isclose" else (x,)))


# ---------------------------------------------------------------------- einsum

EINSUM = [
    ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("ij->ji", [(3, 4)]), ("ij->", [(3, 4)]), ("ij->i", [(3, 4)]), ("ij", [(3, 4)]), ("ba", [(3, 4)]),
    ("iij->j", [(3, 3, 4)]), ("iii->i", [(3, 3, 3)]), ("i,i", [(4,), (4,)]), ("i,j", [(3,), (4,)]), ("i,j->ji", [(3,), (4,)]), ("i,i->i", [(4,), (4,)]),
    ("ij,jk", [(3, 4), (4, 5)]), ("ij,jk->ki", [(3, 4), (4, 5)]), ("ij,kj->ik", [(3, 4), (5, 4)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bij,jk->bik", [(2, 3, 4), (4, 5)]), ("ij,ij->", [(3, 4), (3, 4)]), ("ij,ji->", [(3, 4), (4, 3)]), ("ijk,jil->kl", [(3, 4, 2), (4, 3, 5)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]), ("...ij,...jk", [(7, 1, 3, 4), (2, 4, 5)]), ("i...->...", [(3, 4, 2)]), ("...", [(3, 4)]), ("...i->i...", [(3, 4, 2)]),
    ("i...i->...", [(3, 4, 3)]), ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]), ("ij,jk,kl,lm", [(3, 4), (4, 5), (5, 2), (2, 6)]), ("a,b,c->abc", [(2,), (3,), (4,)]),
    ("ij,ij,ij->ij", [(3, 4)] * 3), ("i,ij,j->", [(3,), (3, 4), (4,)]), ("ij,j->ij", [(3, 1), (4,)]), ("ij,jk->ik", [(3, 1), (4, 5)]), ("i,i->i", [(1,), (4,)]),
    (",ij->ij", [(), (3, 4)]), (",->", [(), ()]), ("", [()]), ("ij, jk -> ik", [(3, 4), (4, 5)]), ("ij,k->ijk", [(0, 4), (5,)]), ("ij,jk->ik", [(3, 0), (0, 5)]),
    ("Ab,bA->A", [(3, 4), (4, 3)]), ("...a,...a->...", [(2, 1, 4), (3, 4)]), ("ii,jj->ij", [(3, 3), (4, 4)]), ("ij,jj,j->ij", [(3, 4), (4, 4), (4,)]),
]  # fmt: skip
EINSUM_ERRORS = [
    ("ij->k", [(3, 4)]), ("ij", [(3,)]), ("i", [(3, 4)]), ("ij,jk", [(3, 4)]), ("ij,jk", [(3, 4), (5, 6)]), ("ij->ii", [(3, 4)]), ("i?", [(3, 4)]), ("ii", [(3, 4)]),
    ("...i->i", [(3, 4)]), ("...i...", [(3, 4)]), ("...i,...i->...", [(2, 4), (3, 4)]), ("->", [(3,)]),
]  # fmt: skip


@pytest.mark.parametrize("subscripts, shapes", EINSUM, ids=[e[0] or "scalar" for e in EINSUM])
def test_einsum(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    for dtype in DTYPES:
        for i in range(5):
            arrays = [(layouts(s, dtype) * 5)[i] for s in shapes]
            check("einsum", subscripts, *arrays)
            for optimize in (False, "greedy", "optimal"):
                check("einsum", subscripts, *arrays, optimize=optimize)


@pytest.mark.parametrize("subscripts, shapes", EINSUM_ERRORS, ids=[e[0] for e in EINSUM_ERRORS])
def test_einsum_errors(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [mtarray.ones(s) for s in shapes]
    with pytest.raises(ValueError, match="einsum"):
        mtarray.einsum(subscripts, *arrays)


def test_einsum_other_forms() -> None:
    a, b = sample((3, 4), "float64"), sample((4, 5), "float64", 1)
    check("einsum", a, [0, 1], b, [1, 2], [2, 0])
    check("einsum", a, [0, 1], b, [1, 2])
    check("einsum", a, [Ellipsis, 1], b, [1, 2], [2, Ellipsis])
    check("einsum", a, [0, 1], [0])
    check("einsum", "ij,jk", a.astype("int8"), b.astype("float32"))
    check("einsum", "ij,jk", a.astype("int8"), b.astype("int8"), dtype="float64")
    check("einsum")
    with pytest.raises(ValueError, match="no arrays"):
        mtarray.einsum("ij")
    check("einsum", "ij,jk,kl->il", a, b, b.T, optimize=["einsum_path", (1, 2), (0, 1)])
    check("einsum", "ij,jk,kl->il", a, b, b.T, optimize=["einsum_path", (0, 1, 2)])
    with pytest.raises(ValueError, match="path"):
        mtarray.einsum("ij,jk->ik", mtarray.asarray(a), mtarray.asarray(b), optimize=["einsum_path", (0, 7)])
    with pytest.raises(TypeError, match="optimize"):
        mtarray.einsum("ij->i", mtarray.asarray(a), optimize="fast")


def test_einsum_views() -> None:
    """A result that only moves axes or takes a diagonal is a window on the operand."""
    x = mtarray.zeros((3, 3))
    mtarray.einsum("ii->i", x)[...] = 1.0
    mtarray.einsum("ij->ji", x)[0, 1] = 5.0
    compare(x, np.eye(3) + 5.0 * np.eye(3, k=-1) * np.array([[0], [1], [0]]), "views")


def test_einsum_path_contracts_cheapest_first() -> None:
    shapes = [(2, 100), (100, 100), (100, 3)]
    path, text = mtarray.einsum_path("ij,jk,kl->il", *[mtarray.ones(s) for s in shapes])
    assert path == ["einsum_path", (0, 1), (0, 1)]
    assert "(2, 100)" in text
    compare(mtarray.einsum("ij,jk,kl->il", *[mtarray.ones(s) for s in shapes], optimize=path), np.full((2, 3), 1e4), "path")


# ---------------------------------------------------------------------- the package


def test_random_quantiles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        a = np.round(rng.normal(size=(rng.integers(1, 9), rng.integers(1, 30))), 1)
        a[rng.random(a.shape) < 0.2] = np.nan
        q = rng.random(3)
        for name in ("quantile", "nanquantile"):
            check(name, a, q, int(rng.integers(2)), method=str(rng.choice(METHODS.split())))


def test_random_pad(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        a = rng.integers(-50, 50, size=tuple(rng.integers(1, 6, size=2)))
        widths = rng.integers(0, 12, size=(2, 2)).tolist()
        mode = str(rng.choice(["reflect", "symmetric"]))
        check("pad", a, widths, mode, reflect_type=str(rng.choice(["even", "odd"])))
        check("pad", a, widths, str(rng.choice(["wrap", "edge", "linear_ramp", "maximum", "median", "mean"])))


def test_every_name_is_public_documented_and_numpys() -> None:
    for name in numpy_names.__all__:
        ours = getattr(numpy_names, name)
        assert getattr(mtarray, name) is ours
        assert hasattr(np, name), name
        assert ">>> " in ours.__doc__, name


def test_numpy_functions_come_here() -> None:
    """`np.f` of our arrays is our `f` where the signatures agree, and gives arrays of ours."""
    x = mtarray.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(np.median(x, axis=0), mtarray.Array)
    assert isinstance(np.einsum("ij,jk->ik", x, x), mtarray.Array)
    assert isinstance(np.pad(x, 1, mode="edge"), mtarray.Array)
    assert isinstance(np.concatenate([x, x], axis=1), mtarray.Array)
    assert isinstance(np.nanmean(x), mtarray.Array)
    assert np.allclose(x, x)


def test_shared_memory() -> None:
    x = mtarray.arange(12)
    assert mtarray.shares_memory(x, x[3:])
    assert not mtarray.shares_memory(x[::2], x[1::2])
    assert mtarray.may_share_memory(x[::2], x[1::2])
    assert mtarray.shares_memory(x, mtarray.ravel(mtarray.reshape(x, (3, 4))))
    assert not mtarray.diagonal(mtarray.ones((2, 2))).flags.writeable


def test_large() -> None:
    """Sizes that run in compiled kernels."""
    a = sample((300, 400), "float64")
    for name in ("median", "nansum", "nanmean", "cumsum", "unique", "ptp", "ravel", "isreal"):
        check(name, a)
    check("quantile", a, [0.1, 0.9], 1)
    check("einsum", "ij,kj->ik", a, a)
    check("histogram", a, 20)
    check("bincount", np.abs(sample((100000,), "int64")))
    check("interp", a, np.linspace(-3, 3, 50), np.linspace(0, 1, 50) ** 2)
    check("pad", a, 3, "symmetric")
    check("kron", a[:40, :40], a[:9, :9])
    check("fmax", a, a[::-1])
