"""The folds of the CUDA engine on the simulator: against NumPy, all dtypes and layouts, at small odd sizes; many blocks by small leaves."""

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray._kernels.cuda import driver, histogram, moments, normalise, recurrence, reduce, scan, search, softmax
from mtarray._kernels.cuda.tensor import Tensor

DTYPES = [np.dtype(d) for d in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 c16".split()]
REAL = [d for d in DTYPES if d.kind != "c"]
DEVICE = driver.Simulated(0)


@contextlib.contextmanager
def transfers() -> Iterator[None]:
    """The tests' own copies; those of a fold are errors."""
    DEVICE.forbidden = None
    try:
        yield
    finally:
        DEVICE.forbidden = refuse


def put(x: Any) -> Tensor:
    """An ndarray on the simulated device, with its strides: what it is a view of goes there whole."""
    base = x
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert base.flags.c_contiguous
    offset = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize if x.size else 0
    with transfers():
        buffer = DEVICE.upload(base)
    return Tensor(buffer, x.shape, tuple([s // x.itemsize for s in x.strides]), offset, x.dtype)


def get(x: Tensor) -> Any:
    with transfers():
        data = DEVICE.download(x.buffer.ptr, x.buffer.nbytes).view(x.dtype)
    return np.lib.stride_tricks.as_strided(data[x.offset :], x.shape, [s * x.itemsize for s in x.strides]).copy()


def drawn(dtype: Any, shape: tuple[int, ...], seed: int = 0) -> Any:
    r = np.random.default_rng(seed)
    if dtype.kind == "b":
        return r.random(shape) < 0.7
    if dtype.kind in "iu":
        low = -5 if dtype.kind == "i" else 0
        return r.integers(low, 6, shape).astype(dtype)
    x = r.standard_normal(shape)
    return (x + 1j * r.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def layouts(dtype: Any) -> list[Any]:
    x = drawn(dtype, (3, 7, 10))
    return [x, x[::-1, ::2, ::-3], x.transpose(2, 0, 1), x[1:, :, :3], np.broadcast_to(x[:, :1, :], x.shape)]


AXES = [a for n in range(4) for a in itertools.combinations(range(3), n)]


def wide(d: Any) -> Any:
    return np.dtype({"b": "i8", "i": "i8", "u": "u8"}.get(d.kind, d.str[1:]))


def tolerance(d: Any) -> float:
    return {4: 1e-6, 8: 1e-14}[d.itemsize // (2 if d.kind == "c" else 1)] if d.kind in "fc" else 0.0


def refuse(way: str, nbytes: int) -> None:
    raise AssertionError(f"a fold copies {nbytes} bytes {way}")


DEVICE.forbidden = refuse


def test_sums_of_every_layout() -> None:
    d = np.dtype("f4")
    for x, axes, leaf in itertools.product(layouts(d), AXES, (16, None)):
        found = reduce.fold(xp.sum.op.scalar, put(x), axes, d, d, 0, leaf)
        expected = x.astype("f8").sum(axis=axes)
        assert found.shape == expected.shape
        assert found.is_contiguous
        np.testing.assert_allclose(get(found), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("d", DTYPES, ids=str)
def test_reductions_of_every_dtype(d: Any) -> None:
    x = drawn(d, (6, 21))
    for axes, leaf in [((0,), 4), ((0, 1), None), ((1,), 8)]:
        for name, combine in (("sum", np.add), ("prod", np.multiply)):
            expected = combine.reduce(x, axis=axes, dtype=wide(d) if d.kind not in "fc" else {"f": "f8", "c": "c16"}[d.kind])
            found = reduce.fold(getattr(xp, name).op.scalar, put(x), axes, wide(d), wide(d), 0, leaf)
            np.testing.assert_allclose(get(found), expected, rtol=4 * tolerance(d), atol=4 * tolerance(d))
        for name in ("all", "any"):
            found = reduce.fold(getattr(xp, name).op.scalar, put(x), axes, d, np.dtype(bool), None, leaf)
            np.testing.assert_array_equal(get(found), getattr(np, name)(x, axis=axes))
        if d.kind != "c":
            for name in ("max", "min"):
                found = reduce.fold(getattr(xp, name).op.scalar, put(x), axes, d, d, None, leaf)
                np.testing.assert_array_equal(get(found), getattr(np, name)(x, axis=axes))
                assert found.dtype == d


def furthest(a: Any, b: Any) -> Any:
    """The one of larger magnitude: a combine of the user's, without an identity."""
    return a if a * a > b * b or (a * a == b * b and a > b) else b


def test_a_combine_of_the_users() -> None:
    scalar = xp.reduction(identity=None)(furthest).op.scalar
    for d in (np.dtype("f4"), np.dtype("i2")):
        x = drawn(d, (4, 61))
        x[2, 50] = -9
        expected = [row[np.lexsort((row, row * row))[-1]] for row in x]
        np.testing.assert_array_equal(get(reduce.fold(scalar, put(x), (1,), d, d, None, 8)), expected)


def test_elements_repeated_beyond_32_bits() -> None:
    x = np.broadcast_to(drawn(np.dtype("i4"), (3, 1, 5)), (3, (1 << 31) + 7, 5))
    i8 = np.dtype("i8")
    np.testing.assert_array_equal(get(reduce.fold("add", put(x), (1, 2), x.dtype, i8, 0)), x[:, 0].sum(1) * ((1 << 31) + 7))
    assert get(reduce.fold("add", put(x), (0, 1, 2), i8, i8, 0)) == x[:, 0].sum(dtype="i8") * ((1 << 31) + 7)
    assert get(reduce.fold("max", put(x), (0, 1, 2), x.dtype, x.dtype, None)) == x[:, 0].max()
    ones = np.broadcast_to(np.float32(1), ((1 << 31) + 9,))
    assert get(reduce.fold("add", put(ones), (0,), ones.dtype, np.dtype("f8"), 0)) == (1 << 31) + 9


def test_accuracy_and_the_same_bits_again() -> None:
    x = drawn(np.dtype("f4"), (60_000,)) + np.float32(3)
    tensor = put(x)
    found = get(reduce.fold("add", tensor, (0,), x.dtype, x.dtype, 0))
    assert found == np.float32(x.sum(dtype="f8"))  # rounded once
    assert found == get(reduce.fold("add", tensor, (0,), x.dtype, x.dtype, 0))
    y = drawn(np.dtype("f8"), (20_000,)) + 1e3
    assert abs(get(reduce.fold("add", put(y), (0,), y.dtype, y.dtype, 0)) - math.fsum(y)) <= np.spacing(math.fsum(y))
    for special in (np.inf, -np.inf, np.nan):
        y = drawn(np.dtype("f8"), (1000,))
        y[777] = special
        for kind, combine in (("add", np.add), ("max", np.maximum), ("min", np.minimum)):
            np.testing.assert_equal(get(reduce.fold(kind, put(y), (0,), y.dtype, y.dtype, None)), combine.reduce(y))
    assert np.signbit(get(reduce.fold("add", put(np.full(9, -0.0)), (0,), np.dtype("f8"), np.dtype("f8"), 0)))


def test_no_elements_and_no_axes() -> None:
    d = np.dtype("f4")
    x = drawn(d, (3, 0, 2))
    assert get(reduce.fold("add", put(x), (1,), d, d, 0)).tolist() == [[0.0, 0.0]] * 3
    assert reduce.fold("max", put(x), (0,), d, d, None).shape == (0, 2)
    with pytest.raises(ValueError, match="no identity"):
        reduce.fold("max", put(x), (1,), d, d, None)
    assert get(reduce.fold("max", put(np.array(3.0, "f4")), (), d, d, None)) == 3
    assert np.isnan(get(moments.variance(put(x), axes=(1,), correction=0))).all()
    with pytest.raises(ValueError, match="no elements"):
        search.arg_extreme(put(x), axis=1, largest=True)
    assert search.arg_extreme(put(x), axis=0, largest=True).shape == (0, 2)


def test_more_axes_than_kernels_walk() -> None:
    x = drawn(np.dtype("f8"), (4, 3, 4, 3, 4, 3, 4, 3))[::2, ::2, ::2, ::2, ::2, ::2, ::2, ::2]
    for axes in [(0, 2, 4, 6), (0, 1, 2, 3, 4, 5, 6, 7)]:
        np.testing.assert_allclose(get(reduce.fold("add", put(x), axes, x.dtype, x.dtype, 0)), x.sum(axes), atol=1e-13)
        np.testing.assert_allclose(get(moments.variance(put(x), axes=axes, correction=0)), x.var(axes))
    assert get(search.arg_extreme(put(x), axis=None, largest=True)) == x.argmax()


@pytest.mark.parametrize("d", REAL, ids=str)
def test_positions_of_extrema(d: Any) -> None:
    y = drawn(d, (5, 3, 20))
    for x, axis, leaf in [(y, None, 4), (y, 0, 4), (y, 1, None), (y, 2, None), (y[::-1, :, ::-2], None, None), (y[::-1, :, ::-2], 2, 4)]:
        if d.kind == "f":
            x = x.copy()
            x[3, 1, 4] = x[2, 2, 7] = x[3, 1, 6] = np.nan
        for largest, arg in ((True, np.argmax), (False, np.argmin)):
            found = search.arg_extreme(put(x), axis=axis, largest=largest, leaf=leaf)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(get(found), arg(x, axis=axis))


def test_positions_among_repeated_elements() -> None:
    x = np.broadcast_to(drawn(np.dtype("i2"), (1, 3, 1, 5)), (4, 3, 2, 5))
    for axis in (None, 0, 1, 2, 3):
        np.testing.assert_array_equal(get(search.arg_extreme(put(x), axis=axis, largest=True)), x.argmax(axis))


@pytest.mark.parametrize("d", DTYPES, ids=str)
def test_variances(d: Any) -> None:
    result = {"f4": "f4", "c8": "f4"}.get(d.str[1:], "f8")
    for x, axes, leaf in itertools.product(layouts(d)[:2], [(0,), (1, 2), (0, 1, 2)], (4, None)):
        found = moments.variance(put(x), axes=axes, correction=1.0, leaf=leaf)
        assert found.dtype == result
        expected = x.astype("c16" if d.kind == "c" else "f8").var(axis=axes, ddof=1)
        np.testing.assert_allclose(get(found), expected, rtol=1e-6 if result == "f4" else 1e-13)


def test_variances_far_from_zero() -> None:
    for d, far, rtol in (("f4", 3e3, 1e-6), ("f8", 1e9, 1e-9)):
        x = drawn(np.dtype(d), (3, 3000)) + np.dtype(d).type(far)
        exact = x.astype(np.longdouble).var(axis=1)
        np.testing.assert_allclose(get(moments.variance(put(x), axes=(1,), correction=0)), exact, rtol=rtol)
    x = np.array([[1.0, 2.0], [np.inf, 1.0], [np.nan, 3.0]])
    np.testing.assert_array_equal(get(moments.variance(put(x), axes=(1,), correction=2)), [np.inf, np.nan, np.nan])
    many = np.broadcast_to(np.array([1.0, 3.0]), (1 << 40, 2))
    assert get(moments.variance(put(many), axes=(0, 1), correction=0)) == 1.0


def affine(a: Any, b: Any) -> Any:
    """Associative, and not commutative: the later of two numbers that are not 0."""
    return b if b != 0 else a


def check_scan(x: Any, axis: int, initial: bool, **chunks: int) -> None:
    d = wide(x.dtype)
    found = scan.scan(xp.cumulative_sum.op.scalar, put(x), axis, d, d, 0, initial, **chunks)
    expected = np.cumsum(x, axis=axis, dtype={"f4": "f8", "c8": "c16"}.get(d.str[1:], d))
    if initial:
        expected = np.concatenate([np.zeros_like(np.take(expected, [0], axis)), expected], axis)
    assert found.shape == expected.shape
    assert found.dtype == d
    assert found.is_contiguous
    np.testing.assert_allclose(get(found), expected, rtol=tolerance(d), atol=4 * tolerance(d))


def test_scans_of_every_layout() -> None:
    for x, axis in itertools.product(layouts(np.dtype("f4")), range(3)):
        check_scan(x, axis, True)
    x = drawn(np.dtype("f8"), (200, 3))
    for y, axis in ((x, 0), (x.T[:, ::-1], 1)):
        check_scan(y, axis, False, threads=64, items=2)
        check_scan(y, axis, True, threads=32, items=1, leaf=32)
    check_scan(drawn(np.dtype("f8"), (200, 40)), 0, True, leaf=16)


@pytest.mark.parametrize("d", DTYPES, ids=str)
def test_scans_of_every_dtype(d: Any) -> None:
    check_scan(drawn(d, (2, 150)), 1, False, threads=32, items=2, leaf=64)
    check_scan(drawn(d, (40, 33)), 0, False, leaf=8)


def test_scans_of_the_users_keep_the_order() -> None:
    scalar = xp.reduction(identity=None)(affine).op.scalar
    d = np.dtype("i4")
    x = np.where(drawn(np.dtype("?"), (3, 300)), 0, np.arange(900).reshape(3, 300)).astype(d)
    x[:, 0] = 7
    last = np.maximum.accumulate(np.where(x != 0, np.arange(300), 0), axis=1)
    expected = np.take_along_axis(x, last, 1)
    for y, e, axis in ((x, expected, 1), (x.T, expected.T, 0), (np.ascontiguousarray(x.T), expected.T, 0)):
        for leaf in (None, 64):
            np.testing.assert_array_equal(get(scan.scan(scalar, put(y), axis, d, d, None, False, 64, 2, leaf)), e)


def test_scans_of_nothing_and_of_one() -> None:
    d = np.dtype("f4")
    assert get(scan.scan("add", put(np.zeros((2, 0), d)), 1, d, d, 0, True)).tolist() == [[0.0], [0.0]]
    assert scan.scan("add", put(np.zeros((2, 0), d)), 0, d, d, 0, True).shape == (3, 0)
    assert get(scan.scan("add", put(np.array(2.0, d)), 0, d, d, 0, True)).tolist() == [0.0, 2.0]


ROWS = {"softmax": 1, "log_softmax": 1, "softmax_back": 2, "log_softmax_back": 2}


@pytest.mark.parametrize("name", ROWS)
def test_softmax_of_rows(name: str) -> None:
    from mtarray._kernels.cpu.softmax import rows_numpy

    run = getattr(softmax, name if name.endswith("back") else name + "_rows")
    for d, n, chunks in [("f4", 1, {}), ("f4", 37, {}), ("f8", 130, {"held": 2, "block": 96}), ("f4", 700, {"held": 1, "block": 64})]:
        x = drawn(np.dtype(d), (3, n)) * np.dtype(d).type(5)
        operands = [x, drawn(np.dtype(d), (3, n), 1)][: ROWS[name]]
        if name == "log_softmax_back":
            operands[1] = rows_numpy("log_softmax", n, operands[1])
        found = run(*[put(a) for a in operands], n=n, **chunks)
        np.testing.assert_allclose(get(found), rows_numpy(name, n, *[a.astype("f8") for a in operands]), rtol=2e-6, atol=1e-6)
        assert found.dtype == d
    x = drawn(np.dtype("f8"), (4, 9, 5)).transpose(0, 2, 1)
    operands = [x, drawn(np.dtype("f8"), (4, 9, 5), 1).transpose(0, 2, 1)][: ROWS[name]]
    found = get(run(*[put(a) for a in operands], n=45))
    np.testing.assert_allclose(found, rows_numpy(name, 45, *[np.ascontiguousarray(a) for a in operands]), rtol=1e-12, atol=1e-12)


def test_softmax_of_rows_that_are_not_finite() -> None:
    from mtarray._kernels.cpu.softmax import rows_numpy

    i, n = np.inf, np.nan
    x = np.array([[1, i, 2, 0.5], [-i] * 4, [n, 1, 1, -i], [-i, 3, -i, 1e300], [i, i, 1, n], [1, 2, 3, -i]])
    with np.errstate(all="ignore"):
        for name, run in (("softmax", softmax.softmax_rows), ("log_softmax", softmax.log_softmax_rows)):
            for chunks in ({}, {"held": 0, "block": 32}):
                np.testing.assert_allclose(get(run(put(x), n=4, **chunks)), rows_numpy(name, 4, x), rtol=1e-14)


def test_losses_of_classes() -> None:
    from mtarray._neural import class_losses, class_slopes

    for d, n in (("f4", 5), ("f8", 70)):
        x, target, c = drawn(np.dtype(d), (6, n)) * 3, np.array([0, n - 1, -1, 2, -100, 3]), drawn(np.dtype(d), (6,), 2)
        x[3, 1] = np.inf
        with np.errstate(all="ignore"):
            losses, slopes = class_losses.op.implementation(x, target), class_slopes.op.implementation(x, target, c)
        for chunks in ({}, {"held": 0, "block": 64}):
            np.testing.assert_allclose(get(softmax.class_losses(put(x), put(target), **chunks)), losses, rtol=1e-6, atol=1e-7)
            found = softmax.class_slopes(put(x), put(target.astype("i4")), put(c), **chunks)
            np.testing.assert_allclose(get(found), slopes, rtol=2e-6, atol=1e-7)
    assert softmax.class_losses(put(np.zeros((0, 4))), put(np.zeros(0, "i8"))).shape == (0,)


FORMS = [
    ("layer", 12, (5, 12)),
    ("layer", 70, (5, 7, 10)),
    ("group", 2, (3, 4, 6)),
    ("group", 1, (2, 3)),
    ("batch", 1, (6, 5)),
    ("batch", 1, (2, 3, 50)),
]


@pytest.mark.parametrize(("name", "k", "shape"), FORMS)
def test_normalised_and_back(name: str, k: int, shape: tuple[int, ...]) -> None:
    from mtarray.normalization import _back, _forward

    form, d = (name, k), np.dtype("f4")
    x, g = drawn(d, shape) * 2 + np.float32(5), drawn(d, shape, 1)
    channels = k if name == "layer" else shape[1]
    affine = [drawn(d, (channels,), 2), drawn(d, (channels,), 3)]
    chunks: dict[str, int]
    for count, centred, chunks in [
        (2, True, {}),
        (1, False, {}),
        (0, True, {"held": 0, "block": 32}),
        (2, True, {"held": 0}),
        (2, True, {"held": 4, "block": 64}),
    ]:
        arrays = [x, *affine[:count]]
        wider = [a.astype("f8") for a in arrays]
        found = normalise.normalised(*[put(a) for a in arrays], form=form, eps=0.1, centred=centred, statistics=centred, **chunks)
        expected = _forward(np, wider, form, 0.1, centred)
        for a, e in zip(found if centred else (found,), expected):
            assert a.dtype == d
            np.testing.assert_allclose(get(a), e, rtol=3e-6, atol=3e-6)
        back = normalise.back(form, put(g), put(x), put(affine[0]) if count else None, 0.1, centred, count > 0, strip=2, **chunks)
        expected = _back(np, (g.astype("f8"), None, None), wider, form, 0.1, centred)
        assert (back[1] is None) == (count == 0)
        for a, e in zip(back, expected):
            np.testing.assert_allclose(get(a), e, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("d", [d for d in DTYPES if d.kind in "fc"], ids=str)
def test_linear_recurrences(d: Any) -> None:
    from mtarray._kernels.cpu.recurrence import linear_python

    for shape, axis in [((3, 41), 1), ((41, 2, 3), 0), ((5, 40, 2), 1), ((0, 3), 1), ((3, 0), 1)]:
        a, b = drawn(d, shape) / 2, drawn(d, shape, 1)
        for reverse, leaf in itertools.product((False, True), (8, 64)):
            found = recurrence.linear_recurrence(put(a), put(b), axis=axis, reverse=reverse, leaf=leaf)
            np.testing.assert_allclose(
                get(found), linear_python(a, b, axis, reverse), rtol=2e-5 if d.itemsize == 4 or d.kind == "c" else 1e-12
            )
    large = np.full(64, 1e200)
    assert not get(recurrence.linear_recurrence(put(large), put(0 * large), axis=0, reverse=False, leaf=8)).any()


def test_counts_and_sums_by_integers() -> None:
    x = np.random.default_rng(5).integers(0, 50, 701)
    w = drawn(np.dtype("f8"), x.shape)
    for length, shared in ((50, 8192), (77, 64)):
        for y in (x, x[::-2].astype("i4"), x[::-2]):
            np.testing.assert_array_equal(get(histogram.tally(put(y), length=length, shared=shared)), np.bincount(y, minlength=length))
        for piece, threads in ((128, 64), (5000, 32)):
            found = [
                get(histogram.tally_weights(put(x), put(w), length=length, shared=shared, piece=piece, threads=threads)) for _ in range(2)
            ]
            np.testing.assert_allclose(found[0], np.bincount(x, w, length), rtol=1e-12, atol=1e-12)
            np.testing.assert_array_equal(*found)
    none = np.zeros(0, "i8")
    assert get(histogram.tally(put(none), length=3)).tolist() == [0, 0, 0]
    assert get(histogram.tally_weights(put(none), put(none.astype("f8")), length=2)).tolist() == [0.0, 0.0]
