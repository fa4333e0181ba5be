"""NumPy's names against NumPy: value, dtype, shape and error class, over dtypes and layouts."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import mtarray
from mtarray import numpy_names

from .numpy_names_calls import METHODS, ONE, REAL, check, compare, layouts, outcome, sample, to_ours

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
    (1, "maximum", {"stat_length": 0}),
]


def test_pad() -> None:
    for dtype in ("int8", "int64", "uint8", "float32", "float64", "complex64", "bool"):
        for a in layouts((3, 4), dtype):
            for width, mode, options in PAD:
                if dtype in ("bool", "complex64", "uint8") and (
                    mode in ("mean", "median", "linear_ramp", "maximum", "minimum") or options.get("reflect_type") == "odd"
                ):
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
    with pytest.raises(ValueError, match="reflect_type"):
        mtarray.pad(mtarray.ones(3), 1, "reflect", reflect_type="no")


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


SPECIAL = np.array(
    [[np.nan, 1.0, -np.inf, 2.0], [np.nan, np.nan, np.nan, np.nan], [0.0, -0.0, np.inf, 3.0], [1.0, np.inf, np.inf, -np.inf]]
)


@pytest.mark.parametrize(
    "name", "nansum nanprod nanmean nanvar nanstd nanmedian nanmax nanmin median nan_to_num sinc rint isposinf isneginf angle".split()
)
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
    check("histogram", SPECIAL, [0, 1, np.inf])
    check("histogram", SPECIAL, [-np.inf, 0, 2, 2])
    check("histogram", np.array([0, 100, 127], "int8"), np.array([0, 100, 127], "int8"))
    check("histogram", np.array([1.0, 1 + 1e-9, 2]), np.array([0, 1], "float32"))
    check("histogram", SPECIAL, [])
    check("digitize", SPECIAL, [0.0, 1, 2])
    check("interp", SPECIAL, [0.0, 1, 2], [1.0, np.nan, 3])
    check("interp", SPECIAL, [0.0, 1, np.inf], [1.0, 2, 3])


MADE = [
    ("tri", (3,), {}),
    ("tri", (3, 4, 1), {}),
    ("tri", (3, 2, -1, "int8"), {}),
    ("identity", (3,), {}),
    ("identity", (2, "int8"), {}),
    ("tril_indices", (3,), {}),
    ("tril_indices", (3, 1, 4), {}),
    ("triu_indices", (3,), {}),
    ("triu_indices", (3, -1, 2), {}),
    ("diag_indices", (3,), {}),
    ("diag_indices", (2, 3), {}),
    ("mask_indices", (3, np.triu), {}),
    ("mask_indices", (3, np.tril, 1), {}),
    ("indices", ((2, 3),), {}),
    ("indices", ((2, 3), "int8"), {}),
    ("indices", ((2, 3),), {"sparse": True}),
    ("indices", ((),), {}),
    ("indices", ((0, 2),), {}),
    ("logspace", (0, 3), {}),
    ("logspace", (0, 3, 4, False), {}),
    ("logspace", (0, 3, 4), {"base": 2, "dtype": "int64"}),
    ("logspace", (np.array([0, 1]), np.array([2, 3.0]), 3), {}),
    ("logspace", (np.array([0, 1]), 3, 3), {"axis": 1}),
    ("logspace", (0, 1, -1), {}),
    ("geomspace", (1, 1000, 4), {}),
    ("geomspace", (-1, -1000, 4), {}),
    ("geomspace", (1, 256, 9, False), {}),
    ("geomspace", (1j, 16j, 5), {}),
    ("geomspace", (1, 1000, 4), {"dtype": "int64"}),
    ("geomspace", (0, 1), {}),
    ("geomspace", (1, 2, -1), {}),
    ("geomspace", (1, 2, 0), {}),
    ("geomspace", (np.array([1.0, 2]), 16, 3), {}),
    ("fromfunction", (lambda i, j: i * 2 + j, (2, 3)), {"dtype": "int64"}),
    ("fromfunction", (lambda i: i, (3,)), {}),
]


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
            check("put", a, [0, 99], 1)
            written("put", a, [0, 99, -30], [1, 2, 3], mode="wrap")
            written("put", a, [0, 99, -30], [1, 2, 3], mode="clip")
            written("put", a, [], 3)
            written("place", a, a == a[0, 0], [1, 2])
            written("place", a, a == a[0, 0], [])
            written("place", a, a[0] == 1, [1])
            written("putmask", a, a == a[0, 0], np.arange(12).astype(dtype))
            written("putmask", a, a == a[0, 0], np.array([5, 6, 7], dtype))
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
                    np.testing.assert_array_equal(
                        np.take(part, k, -1 if axis is None else axis), np.take(want, k, -1 if axis is None else axis)
                    )
    for name in ("partition", "argpartition"):
        check(name, np.arange(3), 5)
        check(name, np.arange(3), 1, 4)


PAIRS = "fmax fmin fmod logaddexp2 heaviside gcd lcm float_power".split()
SINGLES = "fabs exp2 cbrt deg2rad rad2deg degrees radians spacing modf frexp bitwise_count".split()


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
@pytest.mark.parametrize("name", PAIRS + SINGLES + ["ldexp"])
def test_elementwise(name: str, mode: str) -> None:
    with mtarray.config(kernels=mode):
        # A kernel costs a compilation for each dtype.
        for dtype in (
            ("int8", "uint64", "float64") if mode == "numba" else ("bool", "int8", "int64", "uint16", "uint64", "float32", "float64")
        ):
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


@pytest.mark.parametrize("name", numpy_names.__all__)
def test_signatures_are_numpys(name: str) -> None:
    """What may be passed by position has NumPy's name and place, and what may be passed by name has NumPy's name."""
    theirs = getattr(np, name)
    if isinstance(theirs, np.ufunc) or name in ("amax", "amin", "fix", "einsum", "einsum_path"):
        return  # a ufunc's operands have no names; the others are spellings of the standard's functions, or take anything
    want = inspect.signature(theirs).parameters
    ours = list(inspect.signature(getattr(mtarray, name)).parameters.values())
    positional = [p.name for p in ours if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    places = [p.name for p in want.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert positional == places[: len(positional)]
    assert {p.name for p in ours} <= set(want)


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
    for n in (5000, 5001):
        for dtype in ("int8", "float32", "float64", "complex64"):
            long = sample((2, n), dtype)
            check("median", long, 1)
            check("median", np.where(np.arange(n) == 7, np.nan, long)[1:], 1)
            check("partition", np.sort(long, axis=1), n // 2)
    check("einsum", "ij,kj->ik", a, a)
    check("histogram", a, 20)
    check("bincount", np.abs(sample((100000,), "int64")))
    check("interp", a, np.linspace(-3, 3, 50), np.linspace(0, 1, 50) ** 2)
    check("pad", a, 3, "symmetric")
    check("kron", a[:40, :40], a[:9, :9])
    check("fmax", a, a[::-1])
