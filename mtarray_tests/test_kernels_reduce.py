"""Reductions, moments, positions and scans of the CPU engine against NumPy: dtypes, layouts, accuracy, threads."""

import math
import zlib

import numpy as np
import pytest

from mtarray._kernels.cpu import argreduce, driver, moments, reduce, scan
from mtarray_tests.daily import daily, in_turn

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"]
REAL = DTYPES[:-2]
# Every dtype in the layouts whose kernels differ, a few in those that only the planning sees.
CASES = [(d, k) for k in ("contiguous", "stepped") for d in DTYPES]
CASES += [(d, k) for k in ("transposed", "swapped", "negative", "broadcast") for d in ("?", "i4", "f4", "f8", "c8")]
DAILY = {"contiguous": "? i4 f4 f8 c8", "stepped": "u2 f8", "transposed": "f4", "negative": "c8", "broadcast": "i4"}  # seven kernels each


def _each_day(case):
    dtype, layout = case
    return dtype in DAILY.get(layout, "").split()


AXES = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.T,
    "swapped": lambda x: x.transpose(1, 0, 2),
    "stepped": lambda x: x[::2, 1:, ::3],
    "negative": lambda x: x[::-1, :, ::-2],
    "broadcast": lambda x: np.broadcast_to(x[:, :1], (x.shape[0], 9, x.shape[2])),
}


@pytest.fixture(autouse=True)
def _quiet():
    """The engine's contract: its caller suppresses NumPy's error state."""
    with np.errstate(all="ignore"):
        yield


def sample(dtype, shape, seed=0):
    rng = np.random.default_rng([seed, zlib.crc32(dtype.encode())])
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.random(shape) < 0.7
    if d.kind == "f":
        return rng.standard_normal(shape).astype(d)
    if d.kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(d)
    info = np.iinfo(d)
    return rng.integers(info.min, info.max, shape, dtype=d, endpoint=True)


def exact(x):
    """Copy of an inexact array in a wider type, where NumPy's own sums are near enough to exact."""
    return x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble)


def close(got, want, x):
    """Equal for integers; for floats within a few roundings of the result and of partial sums (random walks of |x|'s length)."""
    assert got.shape == np.shape(want)
    if x.dtype.kind in "biu":
        np.testing.assert_array_equal(got, want)
    else:
        eps = np.finfo(x.dtype).eps
        np.testing.assert_allclose(got, want, rtol=4 * eps, atol=2 * eps * np.linalg.norm(x))


@pytest.mark.parametrize(("dtype", "layout"), daily(CASES, _each_day))
def test_sum_and_count(dtype, layout):
    x = LAYOUTS[layout](sample(dtype, (17, 40, 37)))
    for axes in AXES:
        want = np.sum(x, axis=axes)
        got = reduce.sum_(x, axes, want.dtype)
        assert got.dtype == want.dtype
        close(got, np.sum(exact(x), axis=axes) if x.dtype.kind in "fc" else want, x)
        np.testing.assert_array_equal(reduce.count_nonzero(x, axes), np.count_nonzero(x, axis=axes))


@pytest.mark.parametrize(("dtype", "layout"), daily([c for c in CASES if c[0] in REAL], _each_day))
def test_extrema_and_positions(dtype, layout):
    x = LAYOUTS[layout](sample(dtype, (17, 40, 37)))
    for axes in AXES:
        np.testing.assert_array_equal(reduce.max_(x, axes), np.max(x, axis=axes))
        np.testing.assert_array_equal(reduce.min_(x, axes), np.min(x, axis=axes))
    for axis in (None, 0, 1, 2):
        np.testing.assert_array_equal(argreduce.argmax(x, axis), np.argmax(x, axis=axis))
        np.testing.assert_array_equal(argreduce.argmin(x, axis), np.argmin(x, axis=axis))


@pytest.mark.parametrize("dtype", ["?", "i2", "i8", "f4", "f8", "c8"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((9, 70, 8), (1,)), ((20_003, 4), (0,)), ((5, 3001, 2), (0, 1)), ((3, 33, 16), (1,)), ((40, 3, 3), (1,)), ((600, 400), (0,)),
     ((50_001, 3), (0,)), ((70, 90, 5), (0,)), ((2, 9, 130, 24), (0, 2))],
)  # fmt: skip
def test_sums_of_packed_columns(dtype, shape, axes):
    x = sample(dtype, shape)
    kept = [n for i, n in enumerate(shape) if i not in axes]
    want = np.sum(exact(x) if x.dtype.kind in "fc" else x, axis=axes)
    for launched in range(3):  # a launch takes its scratch again
        got = reduce.sum_(x, axes, x.dtype if x.dtype.kind in "fc" else want.dtype)
        assert got.shape == tuple(kept)
        close(got, want, x)
        x[...] = x[::-1] if launched else -x if x.dtype.kind in "fc" else x
        want = np.sum(exact(x) if x.dtype.kind in "fc" else x, axis=axes)
    if x.dtype.kind != "c":
        np.testing.assert_array_equal(reduce.max_(x, axes), np.max(x, axis=axes))


@pytest.mark.parametrize("dtype", daily(DTYPES, lambda d: d in ("?", "i4", "u8", "f4", "c8")))
def test_any_and_all(dtype):
    x = sample(dtype, (17, 40, 37))
    x[x == 0] = 1
    x[3, 5, 7] = x[0, 39, 36] = 0
    for axes in AXES:
        np.testing.assert_array_equal(reduce.all_(x, axes), np.all(x, axis=axes))
        np.testing.assert_array_equal(reduce.any_(x == 0, axes), np.any(x == 0, axis=axes))


@pytest.mark.parametrize("dtype", daily(DTYPES, lambda d: d in ("?", "i4", "u8", "f4", "c8")))
def test_product(dtype):
    x = sample(dtype, (6, 40, 5))
    for axes in AXES:
        want = np.prod(exact(x) if x.dtype.kind in "fc" else x, axis=axes)
        got = reduce.prod(x, axes, x.dtype if x.dtype.kind in "fc" else want.dtype)
        np.testing.assert_allclose(got, want.astype(got.dtype), rtol=2e-6 if dtype in ("f4", "c8") else 1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_nan_wins(dtype):
    x = sample(dtype, (300, 500))
    x[7, 400] = x[200, 3] = x[200, 300] = np.nan
    for axes in ((0,), (1,), (0, 1)):
        np.testing.assert_array_equal(reduce.max_(x, axes), np.max(x, axis=axes))
        np.testing.assert_array_equal(reduce.min_(x.T, axes), np.min(x.T, axis=axes))
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(argreduce.argmax(x, axis), np.argmax(x, axis=axis))
        np.testing.assert_array_equal(argreduce.argmin(x.T, axis), np.argmin(x.T, axis=axis))


def test_ties_give_the_first():
    x = np.zeros((5000, 70), "i4")
    for axis in (None, 0, 1):
        assert not argreduce.argmax(x, axis).any()
    x[4000, 3] = x[4500, 3] = 1
    assert argreduce.argmax(x) == 4000 * 70 + 3
    assert argreduce.argmax(x, 0)[3] == 4000


@pytest.mark.parametrize(
    ("dtype", "layout"),
    daily(
        [(d, k) for k in ("contiguous", "transposed", "stepped", "broadcast") for d in ("i4", "f4", "f8", "c8", "c16")],
        lambda c: c[1] == "contiguous" or c[0] in ("f4", "c16"),
    ),
)
def test_moments(dtype, layout):
    x = LAYOUTS[layout](sample(dtype, (17, 40, 37)))
    out = np.dtype("f4" if dtype in ("f4", "c8") else "f8")
    wide = x.astype("f8") if dtype == "i4" else exact(x)
    for axes in AXES:
        want = np.mean(wide, axis=axes).astype("c16" if wide.dtype.kind == "c" else "f8")
        tolerance = {"rtol": 1e-6, "atol": 1e-7} if out == "f4" else {"rtol": 1e-12, "atol": 1e-14}
        np.testing.assert_allclose(reduce.mean(x, axes, want.dtype), want, **tolerance)
        for correction in (0, 1, 0.5):
            want = np.var(wide, axis=axes, ddof=correction)
            relative = 2e-6 if out == "f4" else 1e-13
            np.testing.assert_allclose(moments.var(x, axes, correction, out), want, rtol=relative, atol=1e-25)
            np.testing.assert_allclose(moments.std(x, axes, correction, out), np.sqrt(want), rtol=relative, atol=1e-12)


def test_variance_of_data_far_from_zero():
    x = (sample("f4", (2000, 300)) + np.float32(1e5)).astype("f4")
    for axes in ((0,), (1,), (0, 1)):
        want = np.var(x.astype("f8"), axis=axes)
        np.testing.assert_allclose(moments.var(x, axes, 0, np.dtype("f4")), want, rtol=2e-5)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("shape", "axes"), [((1_000_003,), (0,)), ((3000, 401), (0,)), ((401, 3000), (1,)), ((100_003, 5), (0,)), ((30, 500, 40), (0, 1))]
)
def test_sums_are_as_accurate_as_numpy_pairwise(dtype, shape, axes):
    x = sample(dtype, shape) + np.dtype(dtype).type(0.3)
    rows = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
    rows = np.ascontiguousarray(rows).reshape(-1, math.prod(shape[i] for i in axes))[:40]  # contiguous: there NumPy adds pairwise
    want = np.array([math.fsum(r) for r in rows])
    ours = np.abs(reduce.sum_(x, axes, x.dtype).reshape(-1)[:40] - want)
    numpys = np.abs(np.sum(rows, axis=1) - want)
    ulp = np.spacing(np.abs(want).astype(dtype)).astype("f8")
    assert (ours <= np.maximum(numpys.max(), ulp)).all()


SUMS = {
    "name": "add",
    "recognised": "def f(a, b):\n    return a + b",
    "unknown": "def f(a, b):\n    return b + a * 1",
    "helper": "def same(a):\n    return a\ndef f(a, b):\n    return same(a) + b",
}


@pytest.mark.parametrize("source", SUMS.values(), ids=SUMS)
def test_combines(source):
    x = sample("i4", (60, 70, 50))
    wide = np.dtype("i8")
    for axes in AXES:
        np.testing.assert_array_equal(reduce.reduce(source, x, axes, wide, wide), np.sum(x, axis=axes))
    y = x[:4, :5, :3]
    np.testing.assert_array_equal(reduce.reduce_python(source, y, (0, 2), wide, wide), np.sum(y, axis=(0, 2)))
    np.testing.assert_array_equal(scan.scan(source, x, 1, wide, wide), np.cumsum(x, axis=1))
    np.testing.assert_array_equal(scan.scan_python(source, y, 1, wide, wide), np.cumsum(y, axis=1))


def test_a_users_combine_keeps_its_meaning():
    source = "def larger_magnitude(a, b):\n    return a if abs(a) > abs(b) else b"
    x = sample("f8", (50, 3000))
    want = np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], 1)[:, 0]
    np.testing.assert_array_equal(reduce.reduce(source, x, (1,), x.dtype, x.dtype), want)
    np.testing.assert_array_equal(reduce.reduce(source, x.T, (0,), x.dtype, x.dtype), want)
    own = "def maximum(a, b):\n    return a + b\ndef f(a, b):\n    return maximum(a, b)"
    np.testing.assert_allclose(reduce.reduce(own, x, (1,), x.dtype, x.dtype), x.sum(axis=1), atol=1e-11)


def test_a_scan_keeps_the_order_of_its_operands():
    last, first = "def last(a, b):\n    return b", "def first(a, b):\n    return a"
    for shape, axis in (((100_001,), 0), ((5000, 20), 0), ((20, 5000), 1)):
        x = sample("i8", shape)
        np.testing.assert_array_equal(scan.scan(last, x, axis, x.dtype, x.dtype), x)
        np.testing.assert_array_equal(scan.scan(first, x, axis, x.dtype, x.dtype), np.broadcast_to(x.take([0], axis), x.shape))


@pytest.mark.parametrize(("dtype", "layout"), daily(CASES, _each_day))
def test_cumulative_sum(dtype, layout):
    x = LAYOUTS[layout](sample(dtype, (17, 40, 37)))
    for axis in range(3):
        want = np.cumsum(x, axis=axis)
        got = scan.cumulative_sum(x, axis, want.dtype)
        assert got.dtype == want.dtype
        close(got, np.cumsum(exact(x), axis=axis) if x.dtype.kind in "fc" else want, x)
        longer = scan.cumulative_sum(x, axis, want.dtype, include_initial=True)
        np.testing.assert_array_equal(np.diff(longer, axis=axis).shape, x.shape)
        np.testing.assert_array_equal(np.moveaxis(longer, axis, 0)[0], 0)
        np.testing.assert_array_equal(np.moveaxis(longer, axis, 0)[1:], np.moveaxis(got, axis, 0))


@pytest.mark.parametrize("dtype", in_turn(["i4", "u8", "f4", "f8", "c8"], 2))
@pytest.mark.parametrize(("shape", "axis"), [((2_000_003,), 0), ((3, 70_000), 1), ((5000, 7), 0), ((2, 3000, 30), 1)])
def test_long_scans(dtype, shape, axis):
    x = sample(dtype, shape)
    want = np.cumsum(exact(x) if x.dtype.kind in "fc" else x, axis=axis)
    got = scan.cumulative_sum(x, axis, x.dtype if x.dtype.kind in "fc" else want.dtype)
    if x.dtype.kind in "iu":
        np.testing.assert_array_equal(got, want)
    else:
        numpys = np.abs(np.cumsum(x, axis=axis) - want).max()
        assert np.abs(got - want).max() <= max(numpys, 4 * np.finfo(dtype).eps * np.abs(want).max())


def test_cumulative_product():
    x = 1 + sample("f4", (3, 20_000)) * np.float32(1e-4)
    np.testing.assert_allclose(scan.cumulative_prod(x, 1, x.dtype), np.cumprod(x.astype("f8"), axis=1), rtol=3e-7)
    y = sample("u8", (40_000,))
    np.testing.assert_array_equal(scan.cumulative_prod(y, 0, y.dtype, include_initial=True)[1:], np.cumprod(y))


@pytest.mark.parametrize("dtype", ["?", "i4", "f8", "c16"])
def test_no_elements_and_no_axes(dtype):
    zero = np.empty((3, 0, 4), dtype)
    for axes in AXES:
        np.testing.assert_array_equal(reduce.sum_(zero, axes, np.dtype("c16")), np.sum(zero, axis=axes, dtype="c16"))
        np.testing.assert_array_equal(reduce.prod(zero, axes, np.dtype("c16")), np.prod(zero, axis=axes, dtype="c16"))
        np.testing.assert_array_equal(reduce.all_(zero, axes), np.all(zero, axis=axes))
    scalar = np.array(1, dtype)
    assert reduce.sum_(scalar, (), np.dtype("c16")) == 1
    assert reduce.sum_(scalar, (), np.dtype("c16")).shape == ()
    np.testing.assert_array_equal(reduce.sum_(np.ones((3, 4), dtype), (), np.dtype("c16")), np.ones((3, 4)))
    assert scan.cumulative_sum(zero, 1, np.dtype("c16"), include_initial=True).shape == (3, 1, 4)
    if dtype != "c16":
        with pytest.raises(ValueError, match="no identity"):
            reduce.max_(zero, (1,))
        assert reduce.max_(zero, (0,)).shape == (0, 4)
        with pytest.raises(ValueError, match="argmax of no elements"):
            argreduce.argmax(zero, 1)
        assert argreduce.argmax(zero, 0).shape == (0, 4)
        assert argreduce.argmax(scalar) == 0
    assert np.isnan(moments.var(zero.real, (1,), 0, np.dtype("f8"))).all()


def test_complex_numbers_have_no_order():
    x = np.ones(3, "c8")
    for function in (lambda: reduce.max_(x, (0,)), lambda: argreduce.argmin(x)):
        with pytest.raises(TypeError, match="no order"):
            function()


def test_infinities_and_signed_zeros():
    for values in ([np.inf, 1.0], [np.inf, -np.inf], [1e308, 1e308], [-0.0, -0.0], [-0.0, 0.0], [np.nan, 1.0]):
        for copies in (1, 700):
            x = np.array(values * copies)
            np.testing.assert_array_equal(reduce.sum_(x, (0,), x.dtype), np.sum(x))
            got = reduce.sum_(np.stack([x] * 9, 1), (0,), x.dtype)
            np.testing.assert_array_equal(got, np.full(9, np.sum(x)))
            assert (np.signbit(got) == np.signbit(np.sum(x))).all() or np.isnan(got).all()


def test_more_than_two_to_the_31_elements():
    n = (1 << 31) + 11
    x = np.broadcast_to(np.array(1, "i1"), (n,))
    assert reduce.sum_(x, (0,), np.dtype("i8")) == n
    assert reduce.all_(x, (0,))
    assert argreduce.argmax(x) == 0
    many = np.broadcast_to(np.arange(4, dtype="i1")[:, None], (4, n))
    np.testing.assert_array_equal(reduce.max_(many, (1,)), np.arange(4))
    assert argreduce.argmax(many) == 3 * n


@pytest.mark.slow
def test_early_exit_is_early():
    from time import perf_counter

    x = np.ones(1 << 26, np.uint8)

    def seconds():
        start = perf_counter()
        reduce.all_(x, (0,))
        return perf_counter() - start

    whole = min(seconds() for _ in range(5))
    x[:: 1 << 14] = 0
    assert min(seconds() for _ in range(5)) < whole / 3


@pytest.mark.skipif(not hasattr(driver, "set_num_threads"), reason="the driver has no thread setting")
def test_bits_do_not_depend_on_threads():
    x = sample("f4", (700, 1111))
    y = sample("f8", (1_234_567,))
    calls = [
        lambda: reduce.sum_(x, (0,), x.dtype), lambda: reduce.sum_(x, (1,), x.dtype), lambda: reduce.sum_(x, (0, 1), x.dtype),
        lambda: reduce.sum_(y, (0,), y.dtype), lambda: reduce.prod(y[:9999], (0,), y.dtype), lambda: reduce.max_(x, (0,)),
        lambda: reduce.sum_(x[:, :1104].reshape(-1, 8), (0,), x.dtype), lambda: reduce.sum_(y[:1_234_566].reshape(-1, 3), (0,), y.dtype),
        lambda: moments.var(x, (0,), 1, x.dtype), lambda: moments.var(y, (0,), 1, y.dtype), lambda: argreduce.argmax(y),
        lambda: scan.cumulative_sum(y, 0, y.dtype), lambda: scan.cumulative_sum(x, 0, x.dtype),
        lambda: scan.cumulative_sum(x, 1, x.dtype),
        lambda: reduce.reduce(SUMS["unknown"], y, (0,), y.dtype, y.dtype), lambda: reduce.sum_(x[:, ::2], (0, 1), x.dtype),
    ]  # fmt: skip
    before = driver.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 8):
            driver.set_num_threads(threads)
            results.append([np.asarray(call()).tobytes() for call in calls])
    finally:
        driver.set_num_threads(before)
    assert results[0] == results[1] == results[2] == results[3]
