"""The catalogue of calls of NumPy's names: what to call with arrays of which dtypes and shapes. And the samples, and the comparison.

A call is written once, makes its arguments from an ndarray, and runs on NumPy and on mtarray.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import mtarray

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
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=1.0)  # the operands are of order 1 at least
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


def deep(a: Any) -> Any:
    """`a`, unless it is 0-d, which NumPy's reductions let have an axis 0."""
    if a.ndim == 0:
        raise ValueError
    return a


AXES = (
    lambda a: (a,),
    lambda a: (deep(a), 0),
    lambda a: (deep(a), -1),
    lambda a: ((deep(a),), {"axis": -1, "keepdims": True}),
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
unary(
    "hstack vstack dstack column_stack",
    DTYPES,
    ((3, 4), (), (0, 3), (5,), (2, 3, 4)),
    lambda a: ([a, a],),
    lambda a: ((a, a.astype("float32")) if a.dtype.kind != "c" else (a,),),
)
unary("hstack vstack dstack column_stack", ("int8",), ((3, 4),), lambda a: ([],), lambda a: ([a, a[:2, :3]],))
unary(
    "concatenate",
    DTYPES,
    A,
    lambda a: ([a, a],),
    lambda a: ([a, a], -1),
    lambda a: ([a, a], None),
    lambda a: (([a, a],), {"dtype": "complex128"}),
)
unary(
    "block",
    DTYPES,
    ((2, 3),),
    lambda a: ([[a, a], [a, a]],),
    lambda a: ([a, a[:, :1]],),
    lambda a: (a,),
    lambda a: ([[a], a],),
    lambda a: ([],),
    lambda a: ([1, a[0]],),
)
unary("append", DTYPES, A, lambda a: (a, a), lambda a: (a, a, 0), lambda a: (a, [1, 2]))
unary(
    "delete",
    ("int8", "float32", "bool"),
    ((3, 4), (5,), (0, 3)),
    lambda a: (a, 1),
    lambda a: (a, -1, 0),
    lambda a: (a, [0, 2], -1),
    lambda a: (a, slice(None, None, 2), -1),
)
unary(
    "delete",
    ("int64",),
    ((3, 4), (5,)),
    lambda a: (a, 99),
    lambda a: (a, [], 0),
    lambda a: (a, np.arange(a.size) % 2 == 0),
    lambda a: (a, [True]),
    lambda a: (a, 0, 5),
)
unary(
    "insert",
    ("int8", "float32", "bool"),
    ((3, 4), (5,)),
    lambda a: (a, 1, 7),
    lambda a: (a, -1, 1, 0),
    lambda a: (a, [0, 2], [1, 0]),
    lambda a: (a, [2, 2, 0], 1, -1),
)
unary(
    "insert",
    ("int64",),
    ((3, 4),),
    lambda a: (a, 1, a[0], 0),
    lambda a: (a, [1], a[:1], 0),
    lambda a: (a, slice(0, 2), 9, 1),
    lambda a: (a, 99, 1),
    lambda a: (a, [0, 1], a[:, :2], 1),
    lambda a: (a, 1, a[:, 0], 1),
)
unary(
    "array_split",
    ("int8",),
    ((7, 5), (5,), (0,)),
    lambda a: (a, 3),
    lambda a: (a, [1, 3]),
    lambda a: (a, 2, -1),
    lambda a: (a, 0),
    lambda a: (a, [-1, 9]),
)
unary("split", ("int8",), ((6, 4), (6,)), lambda a: (a, 3), lambda a: (a, 4), lambda a: (a, [2, 5]), lambda a: (a, 2, 1))
unary("hsplit vsplit dsplit", ("int8",), ((4, 4, 2), (4, 4), (4,)), lambda a: (a, 2), lambda a: (a, [1]))
# matrices
unary("diag", DTYPES, ((3, 4), (4,), (0,), (0, 3), (), (2, 2, 2)), lambda a: (a,), lambda a: (a, 1), lambda a: (a, -2), lambda a: (a, 9))
unary("diagflat", DTYPES, ((2, 2), (), (3,)), lambda a: (a,), lambda a: (a, -1))
unary(
    "diagonal",
    DTYPES,
    ((3, 4), (2, 3, 4), (5,)),
    lambda a: (a,),
    lambda a: (a, 1),
    lambda a: (a, -1, 1, 0),
    lambda a: (a, 0, -1, -2),
    lambda a: (a, 0, 1, 1),
    lambda a: (a, -9),
)
unary(
    "trace",
    DTYPES,
    ((3, 4), (2, 3, 4), (0, 0)),
    lambda a: (a,),
    lambda a: (a, 1),
    lambda a: (a, -1, 1, 0),
    lambda a: ((a,), {"dtype": "float64"} if a.dtype.kind != "c" else {}),
)
unary("tril_indices_from triu_indices_from", ("int8",), ((3, 4), (4, 3), (5,)), lambda a: (a,), lambda a: (a, 1))
unary("diag_indices_from", ("int8",), ((3, 3), (2, 2, 2), (3, 4), (3,)))
unary("vander", NUMBERS, ((4,), (0,), (2, 2)), lambda a: (a,), lambda a: (a, 3, True), lambda a: (a, 0))
# sums and statistics
unary("cumsum cumprod", DTYPES, A, *SCAN)
unary("nancumsum nancumprod", DTYPES, A, *SCAN)
unary("ptp", NUMBERS[:-2], A, *AXES)
unary("amax amin", REAL, A, *AXES)
unary("median", DTYPES, A, *AXES)
unary("average", NUMBERS, ((3, 4), (), (5,), (2, 3, 4)), *AXES)
unary(
    "average",
    NUMBERS[1:],
    ((3, 4),),
    lambda a: ((a, 1, np.array([1.0, 2, 3, 5])), {}),
    lambda a: ((a,), {"weights": np.abs(a) + 1, "returned": True}),
    lambda a: ((a, 0), {"returned": True}),
    lambda a: (a, 0, np.ones(2)),
    lambda a: (a, None, np.ones(4)),
    lambda a: (a, 1, np.zeros(4)),
)
unary("nansum nanprod nanmean nanvar nanstd nanmedian", DTYPES, A, *AXES)
unary("nanmax nanmin", REAL, A, *AXES)
unary("nanargmax nanargmin", REAL, A, *AXES[:4])
unary(
    "nanvar nanstd",
    ("float32", "int8", "complex64"),
    ((3, 4),),
    lambda a: ((a,), {"ddof": 1}),
    lambda a: ((a, 0), {"ddof": 3}),
    lambda a: ((a, 0), {"correction": 1}),
)
QUANTILE = [
    lambda a: (a, 0.3),
    lambda a: (a, [0.0, 0.25, 1.0], 0),
    lambda a: ((a, np.array([[0.1, 0.9]])), {"axis": -1, "keepdims": True}),
    lambda a: (a, 1.5),
    lambda a: ((a, 0.5), {"axis": (0, 1)}),
    lambda a: ((a, 0.5), {"method": "nonsense"}),
]
unary("quantile nanquantile", INTEGERS + FLOATS + ("complex64",), ((3, 4), (5,), (), (2, 3, 4)), *QUANTILE)
unary(
    "quantile",
    ("int64", "float64"),
    ((3, 5),),
    lambda a: ((a, [0, 0.2, 0.9], -1), {"weights": np.array([0.0, 1, 2, 3, 1]), "method": "inverted_cdf"}),
)
METHODS = (
    "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull "
    "linear median_unbiased normal_unbiased lower higher midpoint nearest"
)
unary(
    "quantile nanquantile",
    ("int64", "float32", "float64"),
    ((3, 7), (8,)),
    *(lambda a, m=m: ((a, [0, 0.125, 0.25, 0.5, 0.61, 1], -1), {"method": m}) for m in METHODS.split()),
    *(lambda a, m=m: ((a, 0.4, -1), {"method": m}) for m in METHODS.split()),
)
unary(
    "quantile nanquantile",
    ("int64", "float64"),
    ((3, 5),),
    lambda a: ((a, 0.5), {"weights": np.abs(a) + 1, "method": "inverted_cdf"}),
    lambda a: ((a, 0.5), {"weights": np.ones(5)}),
)
unary(
    "percentile nanpercentile",
    ("int64", "float32", "float64"),
    ((3, 5), (5,)),
    lambda a: (a, 30),
    lambda a: (a, [0, 50.0, 100], 0),
    lambda a: (a, -1),
)
unary("cov corrcoef", NUMBERS, ((3, 5), (5,), (1, 4)), lambda a: (a,), lambda a: (a, a[::-1]), lambda a: ((a,), {"rowvar": False}))
unary(
    "cov",
    ("float64", "float32"),
    ((3, 5),),
    lambda a: ((a,), {"bias": True}),
    lambda a: ((a,), {"ddof": 0}),
    lambda a: ((a,), {"fweights": np.arange(1, 6), "aweights": np.arange(5) / 4.0}),
    lambda a: ((a,), {"aweights": np.arange(5) / 4.0, "ddof": 0}),
    lambda a: ((a,), {"fweights": np.ones(4, int)}),
    lambda a: ((a,), {"fweights": np.ones(5) / 2}),
    lambda a: ((a,), {"dtype": "float32"}),
)
# histograms
unary("bincount", ("bool", "uint8"), ((20,), (0,)), lambda a: (a,), lambda a: (a, None, 30), lambda a: (a, np.arange(a.size) / 4))
unary(
    "bincount",
    ("int64", "float64", "uint64", "int8"),
    ((5,), (2, 2)),
    lambda a: (a,),
    lambda a: (np.abs(a),),
    lambda a: (np.abs(a), np.ones(3)),
    lambda a: (np.abs(a), None, -1),
)
unary(
    "digitize",
    REAL + ("complex64",),
    ((3, 4), (), (0,)),
    lambda a: (a, np.array([-2.0, 0, 1, 4])),
    lambda a: (a, np.array([4.0, 1, 0, -2]), True),
    lambda a: (a, np.array([4.0, 1, 0, -2])),
    lambda a: (a, np.array([0, 2, 1])),
    lambda a: (a, [0, 0, 1], True),
)
unary(
    "histogram",
    REAL,
    ((30,), (3, 4), (0,)),
    lambda a: (a,),
    lambda a: (a, 4),
    lambda a: (a, [-1, 0, 2, 5]),
    lambda a: ((a,), {"bins": 3, "range": (-1, 2)}),
    lambda a: ((a,), {"density": True, "bins": 4, "range": (-8, 8)}),
    lambda a: ((a,), {"bins": 3, "weights": np.arange(a.size).reshape(a.shape) / 4}),
)
unary(
    "histogram",
    ("float64",),
    ((8,),),
    lambda a: (a, 0),
    lambda a: (a, [2, 1]),
    lambda a: ((a,), {"range": (2, 1)}),
    lambda a: ((a,), {"weights": np.ones(3)}),
    lambda a: ((a, 3), {"weights": np.ones(8, int)}),
    lambda a: ((a, 3), {"weights": 1j * np.ones(8)}),
    lambda a: (a * np.nan,),
)
unary(
    "histogram_bin_edges",
    ("int64", "float64", "float32"),
    ((60,), (7,), (0,)),
    *(lambda a, b=b: (a, b) for b in ("auto", "fd", "doane", "scott", "stone", "rice", "sturges", "sqrt", "nonsense", 5)),
    lambda a: ((a, "auto"), {"range": (-1, 1)}),
)
unary(
    "histogramdd",
    ("float64", "int64"),
    ((9, 2), (9, 3)),
    lambda a: (a,),
    lambda a: (a, 3),
    lambda a: (a, [2] * a.shape[1]),
    lambda a: (a, [[-2, 0, 5]] * a.shape[1]),
    lambda a: ((a, 3), {"weights": np.arange(len(a)) / 4, "range": [(-2, 2)] * a.shape[1]}),
    lambda a: ((a, 2), {"density": True}),
    lambda a: (a, [2]),
    lambda a: (a, 0),
    lambda a: ((a, 3), {"weights": np.ones(3)}),
)
unary("histogramdd", ("float64",), ((0, 2),))
unary("histogram2d", ("float64",), ((20,),), lambda a: (a, a[::-1]), lambda a: (a, a[::-1], [2, 3]), lambda a: (a, a, [-1, 0, 2, 3]))
# differences, integrals, convolution, interpolation
unary("ediff1d", NUMBERS, A, lambda a: (a,), lambda a: (a, 1, [2, 3]), lambda a: (a, 1.5))
unary(
    "gradient",
    INTEGERS[:3] + FLOATS + ("complex64",),
    ((5,), (4, 5), (2, 3)),
    lambda a: (a,),
    lambda a: (a, 2.0),
    lambda a: ((a,), {"edge_order": 2}),
    lambda a: ((a,), {"axis": 0}),
    lambda a: (a, 1.0, 2.0, 3.0),
    lambda a: ((a, np.array([0, 1, 3, 4.5, 7])[: a.shape[-1]]), {"axis": -1}),
    lambda a: ((a, np.array([0, 1, 3, 4.5, 7])[: a.shape[-1]]), {"axis": -1, "edge_order": 2}),
    lambda a: ((a,), {"edge_order": 3}),
)
unary(
    "trapezoid",
    NUMBERS,
    ((5,), (3, 4)),
    lambda a: (a,),
    lambda a: (a, None, 0.5),
    lambda a: ((a,), {"axis": 0}),
    lambda a: (a, np.arange(a.shape[-1]) ** 2),
    lambda a: (a, np.cumsum(np.ones(a.shape), -1)),
)
unary(
    "unwrap",
    ("float64", "float32", "int64"),
    ((9,), (3, 5)),
    lambda a: (a,),
    lambda a: (a * 3, 4.0),
    lambda a: ((a,), {"period": 4}),
    lambda a: ((a,), {"axis": 0, "period": 5}),
)
unary(
    "convolve correlate",
    DTYPES,
    V,
    lambda a: (a, a[:2]),
    *(lambda a, m=m: (a[:3], a, m) for m in ("full", "same", "valid")),
    *(lambda a, m=m: (a, np.array([1.5, 2]), m) for m in ("full", "same", "valid")),
    lambda a: (a, a, "no"),
)
unary(
    "interp",
    REAL,
    ((3, 4), (), (0,)),
    lambda a: (a, np.array([-2.0, 0, 1.5]), np.array([1.0, 3, -2])),
    lambda a: (a, [-2.0, 0, 1.5], [1.0, 3, -2], -7, 8),
    lambda a: ((a, np.array([2.0, 0.5, 1]), np.array([1, 3, 2j])), {"period": 3}),
    lambda a: (a, [1.0], [5.0]),
    lambda a: (a, [], []),
    lambda a: (a, [1, 2], [1]),
    lambda a: ((a, [1, 2], [1, 2]), {"period": 0}),
    lambda a: (a, [0.0, 1, 2], [np.inf, np.inf, 3]),
)
# NaN, tests, rounding
unary("nan_to_num", DTYPES, A, lambda a: (a,), lambda a: ((a,), {"nan": 3, "posinf": 1}))
unary(
    "isclose allclose",
    DTYPES,
    A,
    lambda a: (a, a),
    lambda a: (a, a + 1),
    lambda a: (a, 1),
    lambda a: (a, 1.0000001),
    lambda a: (a, a, 0, 0),
)
unary(
    "array_equal array_equiv",
    DTYPES,
    A,
    lambda a: (a, a),
    lambda a: (a, a + 1),
    lambda a: (a, a[..., :1] if a.ndim else a),
    lambda a: (a, 1),
)
unary("isreal iscomplex isrealobj real_if_close angle isposinf isneginf rint sinc", DTYPES, A)
unary("around", NUMBERS, A, lambda a: (a,), lambda a: (a, 1), lambda a: (a * 7, -1))
unary("divmod", REAL[1:], ((3, 4), ()), lambda a: (a, 3), lambda a: (a, a + a))
# choosing
unary("argwhere flatnonzero", DTYPES, A)
unary(
    "compress",
    DTYPES,
    ((3, 4), (5,)),
    lambda a: ([True, False, True], a),
    lambda a: ([False, True], a, 0),
    lambda a: (np.ones((2, 2)), a),
    lambda a: ([True] * 99, a),
)
unary("extract", DTYPES, ((3, 4), (5,)), lambda a: (a > 0 if a.dtype.kind != "c" else a == 0, a))
unary(
    "choose",
    ("uint8", "int64"),
    ((3, 4), (), (0,)),
    lambda a: (a % 3, [1, 2.5, a]),
    lambda a: (a, [1, 2]),
    lambda a: ((a, [1, 2]), {"mode": "wrap"}),
    lambda a: ((a, [1, 2, 3]), {"mode": "clip"}),
)
unary(
    "select",
    ("int64", "float32", "float64", "complex128"),
    ((3, 4), ()),
    lambda a: ([a == 0, a == 1], [a, a + 1]),
    lambda a: ([a == 0, a == 1], [a, 2], 7),
    lambda a: ([a], [a]),
    lambda a: ([a == 0], [a, a]),
    lambda a: ([], []),
)
unary(
    "piecewise",
    ("int64", "float32", "float64"),
    ((3, 4), ()),
    lambda a: (a, [a < 0, a >= 0], [lambda v: -v, 5]),
    lambda a: (a, [a < 0], [1, lambda v: v * 2]),
    lambda a: (a, a < 0, [1]),
    lambda a: (a, [a < 0], [1, 2, 3]),
)
# order and sets
unary("lexsort", REAL, ((3, 4), (2, 5)), lambda a: (a,), lambda a: ((a[0], a[1]),), lambda a: ((a, a[::-1]), 0), lambda a: ((a, a[:1]),))
unary(
    "unique",
    DTYPES,
    A,
    lambda a: (a,),
    lambda a: ((a,), {"return_index": True}),
    lambda a: ((a,), {"return_inverse": True, "return_counts": True}),
    lambda a: ((a,), {"return_index": True, "return_inverse": True, "return_counts": True}),
)
unary(
    "unique",
    DTYPES,
    ((6, 2), (4, 3), (0, 2), (2, 2, 2)),
    lambda a: ((a,), {"axis": 0}),
    lambda a: ((np.concatenate([a, a]),), {"axis": 0, "return_index": True, "return_inverse": True, "return_counts": True}),
    lambda a: ((a,), {"axis": 1}),
    lambda a: ((a,), {"axis": 5}),
)
unary("union1d setxor1d", DTYPES, A, lambda a: (a, a[:1] if a.ndim else a), lambda a: (a, [1, 2, 3]))
unary(
    "setdiff1d intersect1d",
    DTYPES,
    A,
    lambda a: (a, a[:1] if a.ndim else a),
    lambda a: (a, [1, 2, 3]),
    lambda a: (np.unique(a), np.unique(a + a), True),
)
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
unary(
    "polyfit",
    ("float64", "int64"),
    ((6,),),
    lambda a: (np.arange(6.0), a, 2),
    lambda a: (np.arange(6), np.stack([a, a], 1), 3),
    lambda a: ((np.arange(6.0), a, 1), {"w": np.arange(1, 7.0)}),
    lambda a: (a, a, -1),
    lambda a: (a[:3], a, 1),
)
# indices
unary(
    "unravel_index",
    ("uint8", "int64", "float64"),
    ((3,), (), (0,), (2, 2)),
    lambda a: (np.abs(a), (3, 4)),
    lambda a: (np.abs(a), (3, 4, 2), "F"),
    lambda a: (a, (2, 2)),
)
unary(
    "ravel_multi_index",
    ("int64",),
    ((3,), (2, 2)),
    lambda a: ((a % 3, a % 4), (3, 4)),
    lambda a: ((a % 3, a % 4), (3, 4), "raise", "F"),
    lambda a: ((a, a), (3, 4), "wrap"),
    lambda a: ((a, a), (3, 4), ("clip", "wrap")),
    lambda a: ((a, a), (3, 4)),
    lambda a: ((a,), (3, 4)),
    lambda a: ((a, a * 1.5), (3, 4)),
)
unary("ix_", ("int64", "bool"), ((3,), (2, 2)), lambda a: (a, [0, 1]))
unary(
    "apply_along_axis",
    ("int64", "float32"),
    ((3, 4), (2, 3, 4)),
    lambda a: (lambda v: v[::-1], 0, a),
    lambda a: (lambda v: v[0], -1, a),
    lambda a: (lambda v: v.reshape((1, -1)), 1, a),
)
unary("apply_over_axes", ("int64",), ((2, 3, 4),), lambda a: (lambda v, axis: v.sum(axis=axis), a, [0, 2]))
