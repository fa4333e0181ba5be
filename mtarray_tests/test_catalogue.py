"""Every op on every dtype and layout: the tiers agree with each other and with NumPy, in value, error and silence."""

import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import mtarray as xp

from . import oracles
from .catalogue import (
    COMPLEX,
    DTYPES,
    EITHER_ZERO,
    ELEMENTWISE,
    LAYOUTS,
    MIXED,
    REDUCTIONS,
    SCANS,
    assert_close,
    mixed_operands,
    operands,
    tolerance,
    values,
)

# Few dtypes stand for their kind every day; `python -m mtarray_tests.full` takes all.
DAILY = ("bool", "int8", "int64", "uint16", "float32", "float64", "complex64")
MODES = ("auto", "numba", "python")
COMPARISONS = {
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt, "less_equal": operator.le, "greater": operator.gt,
    "greater_equal": operator.ge,
}  # fmt: skip


def _dtypes(full: bool) -> list[np.dtype]:
    return [d for d in DTYPES if full or d.name in DAILY]


def _slice(name: str, choices: Sequence[Any], seed: int, full: bool, count: int = 2) -> list[Any]:
    """Some of the choices, other ones for each op and each day; all of them in full."""
    if full or len(choices) <= count:
        return list(choices)
    start = list(ELEMENTWISE).index(name) * count + seed
    return [choices[(start + i) % len(choices)] for i in range(count)]


def _results(op: Any, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """All results of an op; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = op.function(*arrays)
    return out if op.nout > 1 else (out,)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_small_arrays_agree_with_numpy(name: str) -> None:
    """The tier of small arrays, on every dtype and layout: with NumPy, or where NumPy's function is corrected with the oracle."""
    op = ELEMENTWISE[name]
    if op.twin is None:
        pytest.skip("no NumPy function of this meaning")
    for d in op.dtypes:
        raw = operands(op, d, 16)
        corrected = op.plan((d,) * op.nin).ins[0].kind in op.corrected if name != "ldexp" else False
        if corrected:
            flat = np.asarray(op.function(*[xp.asarray(a) for a in raw]))
            _check_oracle(name, raw, flat, f"{name} {d}")
        for layout, arrange in LAYOUTS.items():
            arrays = [arrange(a) for a in raw]
            with np.errstate(all="ignore"):
                expected = arrange(flat) if corrected else op.twin(*arrays)
            actual = _results(op, [xp.asarray(a) for a in arrays])
            for a, e in zip(actual, expected if op.nout > 1 else (expected,), strict=True):
                assert_close(a, np.asarray(e).astype(a.dtype), 0, f"{name} {d} {layout}", zeros=True)


def _check_oracle(name: str, raw: Sequence[np.ndarray], result: np.ndarray, context: str) -> None:
    for row in zip(*raw, result, strict=True):
        error = oracles.error(name, row[:-1], row[-1])
        allowed = max(tolerance(name, result.dtype), 0 if result.dtype.kind in "iu" else 1)  # correctly rounded is half a unit off
        assert error is None or error <= allowed, f"{context}: {row[:-1]} gives {row[-1]!r}, {error} units off"


def test_every_corrected_function_has_an_oracle() -> None:
    """What replaces NumPy's function cannot be its own oracle."""
    corrected = {(name, kind) for name, op in ELEMENTWISE.items() for kind in op.corrected}
    assert corrected <= set(oracles.ORACLES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "kind"), oracles.ORACLES)
def test_values_agree_with_the_oracle(name: str, kind: str, mode: str, full: bool) -> None:
    """Each tier against mpmath and the standard's text; complex operands of every product of special parts too."""
    op = ELEMENTWISE[name]
    for d in [d for d in op.dtypes if d.kind == kind and (full or kind in "fc" or d.name in DAILY)]:
        raw = operands(op, d, 48)
        if kind == "c":
            special = _special_operands(op.nin, d)
            few = slice(None) if full or op.nin == 1 else slice(None, None, 13)
            raw = [np.concatenate([a, s[few]]) for a, s in zip(raw, special, strict=True)]
        with xp.config(kernels=mode):
            (result,) = _results(op, [xp.asarray(a) for a in raw])
        _check_oracle(name, raw, np.asarray(result), f"{name} {d} {mode}")


def _special_operands(nin: int, d: Any) -> list[np.ndarray]:
    """Operands such that all products of special parts meet."""
    z = oracles.special_complex(d)
    return [z] if nin == 1 else [np.repeat(z, z.size), np.tile(z, z.size)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", oracles.special_cases())
def test_special_complex_values_of_the_standard(name: str, mode: str) -> None:
    """The standard's table, signs of zeros included, at the public function."""
    op = ELEMENTWISE[name]
    for d in (np.dtype("complex64"), np.dtype("complex128")):
        z = np.concatenate([oracles.special_complex(d), np.array([complex(a, b) for a in (2.5, -0.5, 1) for b in (2.5, -0.5)], d)])
        wide = np.repeat(np.array([2.5, -0.5], d.type(0).real.dtype), 7), np.tile(np.array(oracles.PARTS, d.type(0).real.dtype), 2)
        for re, im in (wide, wide[::-1]):
            mixed = np.empty(re.size, d)
            mixed.real, mixed.imag = re, im
            z = np.concatenate([z, mixed])
        with xp.config(kernels=mode):
            result = np.asarray(_results(op, [xp.asarray(z)])[0])
        for v, r in zip(z, result, strict=True):
            want = oracles.special_value(name, complex(v))
            if want is not None:
                same = oracles.has_part(float(r.real), want[0]) and oracles.has_part(float(r.imag), want[1])
                assert same, f"{name} {d} {mode}: {v!r} gives {r!r}, expected {want}"


@pytest.mark.parametrize("name", [n for n, op in ELEMENTWISE.items() if COMPLEX[0] in op.dtypes and op.nin < 3 and op.twin is not None])
def test_complex_parts_do_not_show_the_tier(name: str) -> None:
    """At every product of special parts all tiers agree, in infinities, NaN and signs of zeros."""
    op = ELEMENTWISE[name]
    for d in COMPLEX:
        raw = _special_operands(op.nin, d)
        if name in ("pow", "float_power"):  # the standard leaves infinite and NaN operands open
            keep = np.logical_and.reduce([np.isfinite(a) for a in raw])
            raw = [a[keep] for a in raw]
        few = _results(op, [xp.asarray(a) for a in raw])[0]
        for mode in ("numba", "python"):
            with xp.config(kernels=mode):
                many = _results(op, [xp.asarray(a) for a in raw])[0]
            a, e = np.asarray(many), np.asarray(few)
            if a.dtype.kind != "c":
                assert_close(a, e, tolerance(name, d), f"{name} {d} {mode}", zeros=True)
                continue
            for row in zip(*raw, a, e, strict=True):
                assert _same_parts(name, *row), f"{name} {d} {mode}: {row[:-2]} gives {row[-2]!r}, in a small array {row[-1]!r}"


def _same_parts(name: str, *row: Any) -> bool:
    *x, a, e = row
    signs = (True, True)
    if name in oracles.special_cases():
        fixed = oracles.special_value(name, complex(x[0]))
        signs = signs if fixed is None else (fixed[0][1], fixed[1][1])
    elif name in ("divide", "reciprocal", "pow", "float_power"):  # the standard leaves the order of their operations open, hence zeros
        signs = tuple(v != 0 for v in (e.real, e.imag))
    # A part may vanish beside the other one: its error is that of the whole number.
    size = max((abs(v) for v in (e.real, e.imag) if np.isfinite(v)), default=0)
    near = 16 * np.finfo(a.dtype).eps * size
    for p, q, signed in zip((a.real, a.imag), (e.real, e.imag), signs, strict=True):
        rounded = np.isfinite(p) and np.isfinite(q) and abs(p - q) <= near and (p != 0 or q != 0)
        if not rounded and not oracles.has_part(float(p), (float(q), signed)):
            return False
    return True


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_kernels_agree_with_small_arrays(name: str, full: bool) -> None:
    """The same values at 64 elements, by NumPy's loop, and by our kernel."""
    op = ELEMENTWISE[name]
    for d in _slice(name, [d for d in _dtypes(full) if d in op.dtypes], 0, full, 4):
        arrays = [xp.asarray(a) for a in operands(op, d, 64)]
        small = _results(op, arrays)
        with xp.config(kernels="numba"):
            large = _results(op, arrays)
        for s, g in zip(small, large, strict=True):
            assert_close(g, s, tolerance(name, d), f"{name} {d}", zeros=name not in EITHER_ZERO)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_sixteen_elements_agree_with_a_large_array(name: str, seed: int, full: bool) -> None:
    """No one may see which tier served: the same values in a small array and repeated in one that is large enough for a kernel."""
    op = ELEMENTWISE[name]
    for d in _slice(name, op.dtypes, seed, full):
        small = operands(op, d, 16)
        times = (1 << 21) // (16 * d.itemsize)
        few = _results(op, [xp.asarray(a) for a in small])
        many = _results(op, [xp.asarray(np.tile(a, times)) for a in small])
        for f, m in zip(few, many, strict=True):
            assert_close(m[-16:], f, tolerance(name, d), f"{name} {d}", zeros=name not in EITHER_ZERO)
            assert_close(m[:16], f, tolerance(name, d), f"{name} {d}", zeros=name not in EITHER_ZERO)


@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize("name", [n for n, op in ELEMENTWISE.items() if op.nin == 2 and isinstance(op.twin, np.ufunc) and n != "ldexp"])
def test_mixed_dtypes_agree_with_numpy(name: str, mode: str, seed: int, full: bool) -> None:
    """Operands of two dtypes promote as NumPy's do, in value and dtype; where it answers in float16, which we have not, in float32."""
    op = ELEMENTWISE[name]
    for first, second in _slice(name, MIXED, seed, full, 3):
        x, y = mixed_operands(name, first, second)
        try:
            op.plan((x.dtype, y.dtype))
        except TypeError:
            continue  # whether that is right, the tests of refused dtypes say
        with np.errstate(all="ignore"):
            expected = op.twin(x, y)
            if expected.dtype == np.float16:
                expected = op.twin(x.astype(np.float32), y.astype(np.float32))
        with xp.config(kernels=mode):
            (actual,) = _results(op, [xp.asarray(x), xp.asarray(y)])
        context = f"{name} {first} {second} {mode}"
        assert actual.dtype == expected.dtype, context
        if expected.dtype.kind in op.corrected:
            d = expected.dtype
            _check_oracle(name, [x.astype(d), y.astype(d)], np.asarray(actual), context)
        else:
            assert_close(actual, expected, tolerance(name, expected.dtype), context, zeros=name not in EITHER_ZERO)


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", COMPARISONS)
def test_integers_of_both_signs_compare_exactly(name: str, mode: str, size: int) -> None:
    """int64 beside uint64 has no common integer dtype, and float64 would round: Python's integers are the oracle."""
    if mode == "python" and size > 1:
        pytest.skip("one size of the uncompiled function is enough")
    signed = [0, 1, -1, 2**53, 2**53 + 1, 2**62 + 1, 2**63 - 1, 2**63 - 2, -(2**63), -(2**53) - 1]
    unsigned = [0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64 - 2]
    pairs = [(a, b) for a in signed for b in unsigned]
    x = xp.asarray(np.tile(np.array([a for a, _ in pairs], np.int64), size))
    y = xp.asarray(np.tile(np.array([b for _, b in pairs], np.uint64), size))
    compare = COMPARISONS[name]
    with xp.config(kernels=mode):
        forward, backward = ELEMENTWISE[name].function(x, y), ELEMENTWISE[name].function(y, x)
    assert np.array_equal(np.asarray(forward), np.tile([compare(a, b) for a, b in pairs], size))
    assert np.array_equal(np.asarray(backward), np.tile([compare(b, a) for a, b in pairs], size))


# Python integers that do not fit, with a dtype beside which they do not.
BEYOND = [
    ("uint8", 300),
    ("uint8", -1),
    ("int8", 128),
    ("int8", -129),
    ("int32", 2**31),
    ("int64", 2**63),
    ("uint64", -1),
    ("uint64", 2**64),
]


@pytest.mark.parametrize("size", [4, 1 << 21])
@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize(("dtype", "number"), BEYOND)
def test_python_integers_beyond_the_dtype(dtype: str, number: int, mode: str, size: int) -> None:
    """OverflowError on both tiers and nothing written; comparisons are exact, and `clip` is not bound by such a bound."""
    x = xp.ones(size, dtype=getattr(xp, dtype))
    with xp.config(kernels=mode):
        for name in ("add", "subtract", "multiply", "floor_divide", "remainder", "maximum", "bitwise_and", "bitwise_or"):
            function = ELEMENTWISE[name].function
            with pytest.raises(OverflowError):
                function(x, number)
            with pytest.raises(OverflowError):
                function(number, x)
        for operate in (operator.iadd, operator.imul, operator.iand, operator.ifloordiv):
            with pytest.raises(OverflowError):
                operate(x, number)
        for name, compare in COMPARISONS.items():
            for result, expected in ((ELEMENTWISE[name].function(x, number), compare(1, number)), (compare(x, number), compare(1, number))):
                assert result.dtype == xp.bool
                assert bool(xp.all(result == expected)), f"{name} {dtype} {number}"
        clipped = xp.clip(x, number, None) if number < 0 else xp.clip(x, None, number)
    assert clipped.dtype == x.dtype
    assert bool(xp.all(clipped == 1))
    assert bool(xp.all(x == 1))


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
    for d in ("int32", "int64", "uint8", "float32", "float64", "complex128", "bool"):
        d = np.dtype(d)
        if d not in op.dtypes:
            continue
        arrays = [xp.asarray(a) for a in operands(op, d, 20)]
        small = _results(op, arrays)
        with xp.config(kernels="python"):
            python = _results(op, arrays)
        for s, p in zip(small, python, strict=True):
            assert_close(p, s, tolerance(name, d), f"{name} {d}", zeros=name not in EITHER_ZERO)


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
    for i, d in enumerate(_dtypes(full) if mode != "python" else [np.dtype("float64"), np.dtype("int32")]):
        if d not in op.dtypes:
            continue
        base = values(d, 24).reshape(2, 3, 4)
        if name == "prod" and d.kind in "fc":
            base = np.where(np.isfinite(base), base, 1).astype(d) % d.type(3) if d.kind == "f" else np.ones_like(base) * (1 + 1j)
        elif d.kind in "fc":
            base = np.where(np.abs(np.nan_to_num(base, nan=np.inf)) < 1e3, base, 1).astype(d) if name == "sum" else base
        layouts = [base, base[::-1, :, ::2], base.transpose(2, 0, 1), np.broadcast_to(base[:, :1], (2, 5, 4))]
        if mode == "numba" and not full:  # a kernel for each dtype and layout: the layouts in turn
            layouts = [base, layouts[1 + i % 3]]
        for x in layouts:
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
    for i, d in enumerate(_dtypes(full) if mode != "python" else [np.dtype("float64"), np.dtype("int32")]):
        base = values(d, 24).reshape(2, 3, 4)
        if d.kind in "fc":
            base = np.where(np.abs(base) < 1e3, base, 1).astype(d)
        if name == "cumulative_prod" and d.kind in "fc":
            base = (np.abs(base) % 2 + 0.5).astype(d)
        layouts = [base, base[::-1, :, ::2], base.transpose(2, 0, 1)]
        if mode == "numba" and not full:
            layouts = [base, layouts[1 + i % 2]]
        for x in layouts:
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
