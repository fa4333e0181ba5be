"""Elementwise kernels and copies against NumPy: every dtype, every layout, in place, huge and empty."""

import math
import os

import numpy as np
import pytest

from mtarray._kernels.cpu import copying, layout, machine
from mtarray._kernels.cpu.elementwise import kernel_for, run_python
from mtarray._kernels.source import Scalar
from mtarray_tests.daily import daily

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"]
rng = np.random.default_rng(11)


def _dtypes(*names):
    return tuple(np.dtype(n) for n in names)


def _add(x, y):
    return x + y


def _mix(x, y):
    return x * 2 + y * 0.5, x > y


def _where(condition, x, y):
    return x if condition else y


def _sin(x):
    return math.sin(x)


def _exp(x):
    return math.exp(x)


def _count_up(x):
    n = 0
    while n < 3:
        x += n
        n += 1
    return x


ADD, MIX, WHERE, SIN, EXP, COUNT_UP = (Scalar(f) for f in (_add, _mix, _where, _sin, _exp, _count_up))


def _values(shape, dtype):
    dtype = np.dtype(dtype)
    x = np.asarray(rng.standard_normal(shape) * 40)
    if dtype.kind == "b":
        return np.asarray(x > 0)
    if dtype.kind == "c":
        return np.asarray(x + 1j * rng.standard_normal(shape)).astype(dtype)
    return np.asarray(np.abs(x) if dtype.kind == "u" else x).astype(dtype)


def _record(shape, dtype):
    """Unaligned elements, at a step that is no multiple of their size."""
    records = np.zeros(shape, [("a", "i1"), ("x", dtype)])
    records["x"] = _values(shape, dtype)
    return records["x"]


LAYOUTS = {
    "contiguous": lambda s, d: _values(s, d),
    "transposed": lambda s, d: _values(s[::-1], d).T,
    "rows": lambda s, d: np.broadcast_to(_values(s[-1:], d), s),
    "columns": lambda s, d: np.broadcast_to(_values((*s[:-1], 1), d), s),
    "one value": lambda s, d: np.broadcast_to(_values((), d), s),
    "steps": lambda s, d: _values(tuple(2 * n + 1 for n in s), d)[tuple(slice(1, None, 2) for _ in s)],
    "backwards": lambda s, d: _values(s, d)[tuple(slice(None, None, -1) for _ in s)],
    "last backwards": lambda s, d: _values(s, d)[..., ::-1],
    "permuted": lambda s, d: np.moveaxis(_values((*s[1:], s[0]), d), -1, 0),
    "part of a record": lambda s, d: _record(s, d),
}
# A 0-d array has one layout (and indexing it gives a scalar, not an array).
LAYOUTS = {name: (lambda s, d, make=make: make(s, d) if s else _values(s, d)) for name, make in LAYOUTS.items()}
OUTPUTS = {
    "contiguous": lambda s, d: np.empty(s, d),
    "transposed": lambda s, d: np.empty(s[::-1], d).T,
    "steps": lambda s, d: np.empty(tuple(2 * n for n in s), d)[tuple(slice(None, None, 2) for _ in s)],
    "backwards": lambda s, d: np.empty(s, d)[::-1],
    "window": lambda s, d: np.empty(tuple(n + 3 for n in s), d)[tuple(slice(1, 1 + n) for n in s)],
}
SHAPES = [(), (1,), (5,), (0, 3), (2500,), (37, 41), (130, 70), (3, 20, 17), (1, 9, 1, 33), (2, 3, 4, 5, 6), (700, 3)]


def _check(kernel, expected, ins, output, shape):
    outs = tuple(OUTPUTS[output](shape, d) for d in kernel.out_dtypes)
    kernel.run(outs, ins)
    for out, want in zip(outs, expected, strict=True):
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize(
    "first", daily(LAYOUTS, lambda k: k in ("contiguous", "transposed", "columns", "last backwards", "part of a record"))
)
def test_layouts(first):
    kernel = kernel_for(ADD, _dtypes("f8", "f8"), _dtypes("f8"))
    for i, shape in enumerate(SHAPES):
        for j, (_, make) in enumerate(LAYOUTS.items()):
            if j % 3 and first != "contiguous":  # every pair would be a hundred kernels
                continue
            x, y = LAYOUTS[first](shape, "f8"), make(shape, "f8")
            _check(kernel, [x + y], (x, y), list(OUTPUTS)[(i + j) % len(OUTPUTS)] if shape else "contiguous", shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    kernel = kernel_for(ADD, _dtypes(dtype, dtype), _dtypes(dtype))
    with np.errstate(all="ignore"):
        for first, second in (("contiguous", "contiguous"), ("transposed", "contiguous"), ("contiguous", "columns")):
            x, y = LAYOUTS[first]((70, 90), dtype), LAYOUTS[second]((70, 90), dtype)
            _check(kernel, [x + y], (x, y), "contiguous", x.shape)


@pytest.mark.parametrize(
    ("first", "second", "compute"), [("i8", "f4", "f8"), ("?", "i2", "i2"), ("u8", "u1", "u8"), ("c8", "f8", "c16"), ("f4", "?", "f4")]
)
def test_operands_are_converted_as_they_are_read(first, second, compute):
    kernel = kernel_for(ADD, _dtypes(compute, compute), _dtypes(compute))
    for order in ("contiguous", "transposed"):
        x, y = _values((65, 40), first), LAYOUTS[order]((65, 40), second)
        _check(kernel, [x.astype(compute) + y.astype(compute)], (x, y), "contiguous", x.shape)


def test_several_results_and_conditions():
    kernel = kernel_for(MIX, _dtypes("f4", "f4"), _dtypes("f4", "?"))
    for order in LAYOUTS:
        x, y = LAYOUTS[order]((40, 50), "f4"), _values((40, 50), "f4")
        _check(kernel, [x * np.float32(2) + y * np.float32(0.5), x > y], (x, y), "contiguous", x.shape)
    kernel = kernel_for(WHERE, _dtypes("?", "i4", "i4"), _dtypes("i4"))
    c, x, y = _values((40, 50), "?"), _values((50, 40), "i4").T, _values((40, 50), "i4")
    _check(kernel, [np.where(c, x, y)], (c, x, y), "transposed", x.shape)
    kernel = kernel_for(COUNT_UP, _dtypes("f4"), _dtypes("f4"))
    _check(kernel, [x + np.float32(3)], (x.astype("f4"),), "contiguous", x.shape)


@pytest.mark.parametrize("output", OUTPUTS)
def test_in_place(output):
    add, sin = kernel_for(ADD, _dtypes("f8", "f8"), _dtypes("f8")), kernel_for(SIN, _dtypes("f8"), _dtypes("f8"))
    for shape in ((2500,), (37, 141), (4, 5, 600)):
        x, y = OUTPUTS[output](shape, "f8"), _values(shape[::-1], "f8").T
        x[...] = _values(shape, "f8")
        before = x.copy()
        add.run((x,), (x, y))
        np.testing.assert_array_equal(x, before + y)
        x[...] = before
        x[..., 0] = 1e300  # beyond the range of the fast core: those are computed again, from the operand that is overwritten
        expected = np.empty(shape)
        sin.run((expected,), (x.copy(),))
        sin.run((x,), (x,))
        np.testing.assert_array_equal(x, expected)


def test_functions_with_a_fast_core_are_complete():
    x = _values(5000, "f8")
    x[::7], x[5::11], x[3::500], x[4::500], x[6::500] = 1e22, -(2.0**40), np.nan, np.inf, -0.0
    for values, dtype, tolerance in ((x, "f8", 4e-16), (x.astype("f4"), "f4", 2e-7)):
        out = np.empty_like(values)
        kernel_for(SIN, _dtypes(dtype), _dtypes(dtype)).run((out,), (values,))
        with np.errstate(invalid="ignore"):
            expected = np.sin(values.astype("f8"))
        np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance / 4)
        assert np.signbit(out[6]) == np.signbit(values[6])


def test_no_warning_leaks():
    x = np.array([1000.0, np.inf, np.nan, -1000.0] * 1000)
    out = np.empty_like(x)
    with np.errstate(all="raise"):
        kernel_for(EXP, _dtypes("f8"), _dtypes("f8")).run((out,), (x,))
        copying.copy(np.empty(x.shape, "i4"), x)
    np.testing.assert_array_equal(out[:4], [np.inf, np.inf, np.nan, 0.0])


@pytest.mark.parametrize("scale", [1, 50])
def test_large_results_are_streamed(monkeypatch, scale):
    """The same values when a call touches more than the caches hold; made to happen at small sizes."""
    monkeypatch.setattr("mtarray._kernels.cpu.elementwise.last_level_cache", lambda: 1000)
    monkeypatch.setattr("mtarray._kernels.cpu.copying.last_level_cache", lambda: 1000)
    kernel = kernel_for(ADD, _dtypes("i2", "i2"), _dtypes("i2"))
    sizes = (64 * scale, 64)
    for x, y in ((_values(sizes, "i2"), _values(sizes, "i2")), (_values(sizes[::-1], "i2").T, _values((64,), "i2"))):
        y = np.broadcast_to(y, sizes)
        for start in (0, 1, 7):
            out = np.zeros(x.size + 64, "i2")
            window = out[start : start + x.size].reshape(sizes)
            kernel._kernels = None  # launches remember how to store
            kernel.run((window,), (x, y))
            np.testing.assert_array_equal(window, x + y)
            assert not out[:start].any()
            assert not out[start + x.size :].any()
            copying.copy(window, x)
            np.testing.assert_array_equal(window, x)
            assert not out[start + x.size :].any()
    kernel._kernels = None


def test_more_than_two_to_the_31_elements():
    """Offsets and counts are 64-bit: 2**31 + 8 elements, of which memory holds few; the last window is looked at."""
    n = 2**31 + 8
    x = np.broadcast_to(np.int8(3), (n,))
    y = np.broadcast_to(np.int8(4), (n,))
    out = np.zeros(n, np.int8)
    kernel_for(ADD, _dtypes("i1", "i1"), _dtypes("i1")).run((out,), (x, y))
    assert (out[:3] == 7).all()
    assert (out[-9:] == 7).all()
    assert out[:: 1 << 20].sum(dtype=np.int64) == 7 * len(out[:: 1 << 20])
    copying.copy(out.reshape(8, -1), np.broadcast_to(np.arange(8, dtype=np.int8)[:, None], (8, n // 8)))
    assert out[-1] == 7
    assert out[n // 8 - 1] == 0
    assert out[n // 8] == 1


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_calls_leave_nothing_behind():
    def pages():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1])

    kernel = kernel_for(ADD, _dtypes("f8", "f8"), _dtypes("f8"))
    x = np.ones(6000)

    def calls(count):
        for i in range(count):
            n = i % 5000 + 1  # more layouts than are remembered
            kernel.run((x[:n],), (x[-n:][:n], x[:n]) if n < 3000 else (x[:n], x[:n]))
            x[:n] = 1

    calls(12_000)
    before = pages()
    calls(40_000)
    assert pages() - before < 1000
    assert len(kernel._kernels._prepared) <= 4096


def test_wrong_calls():
    with pytest.raises(TypeError, match="2 operands and 1 results"):
        kernel_for(ADD, _dtypes("f8"), _dtypes("f8"))
    x = np.zeros(3, ">f8" if np.little_endian else "<f8")
    with pytest.raises(TypeError, match="byte order"):
        kernel_for(ADD, _dtypes("f8", "f8"), _dtypes("f8")).run((np.zeros(3),), (x, x))
    with pytest.raises(ValueError, match=r"\(3,\).*\(4,\)"):
        copying.copy(np.zeros(4), np.zeros(3))


@pytest.mark.parametrize("dtype", ["f4", "i4", "u1", "?", "c8"])
def test_python_mode(dtype):
    x, y = _values((4, 5), dtype), _values((4, 5), dtype)
    compiled, plain = np.empty((4, 5), dtype), np.empty((4, 5), dtype)
    kernel_for(ADD, _dtypes(dtype, dtype), _dtypes(dtype)).run((compiled,), (x, y))
    run_python(ADD, (plain,), (x, y))
    np.testing.assert_array_equal(compiled, plain)
    outs = np.empty((4, 5), "f8"), np.empty((4, 5), "?")
    if dtype != "c8":
        run_python(MIX, outs, (x, y), _dtypes("f8", "f8"))
        np.testing.assert_array_equal(outs[0], x.astype("f8") * 2 + y.astype("f8") * 0.5)


# --- copies ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", daily(DTYPES, lambda d: d in ("?", "i2", "u8", "f4", "f8", "c8")))
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:Casting complex:numpy.exceptions.ComplexWarning")
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_conversions(source):
    """Values that fit as C converts them; out of range as NumPy does here, where its own loops agree with themselves."""
    values = [
        0,
        1,
        -1,
        2.5,
        -2.5,
        100,
        127.9,
        -128,
        200.7,
        255,
        3e4,
        -3e4,
        65535.7,
        1e9,
        -1e9,
        4e9,
        1e15,
        -1e15,
        9.2e18,
        1.8e19,
        np.nan,
        np.inf,
    ]
    x = np.resize(np.array(values), 22 * 64).astype(source)
    for target in DTYPES:
        expected = x.astype(target)
        out = np.empty(x.shape, target)
        copying.copy(out, x)
        agreed = np.ones(x.shape, bool)
        if x.dtype.kind in "fc" and expected.dtype.kind in "iu":
            for v in np.unique(x):
                same = x == v if v == v else x != x
                agreed[same] = len(np.unique(expected[same])) == 1 and bool(np.all(expected[same] == np.array([v] * 3).astype(target)[0]))
            assert agreed.mean() > 0.6
        np.testing.assert_array_equal(out[agreed], expected[agreed])


@pytest.mark.parametrize("dtype", daily(["i1", "u2", "f4", "c8", "c16"], lambda d: d in ("u2", "f4", "c16")))
def test_copy_layouts(dtype):
    for i, shape in enumerate(SHAPES):
        for j, make in enumerate(LAYOUTS.values()):
            x = make(shape, dtype)
            out = OUTPUTS[list(OUTPUTS)[(i + j) % len(OUTPUTS)] if shape else "contiguous"](shape, dtype)
            copying.copy(out, x)
            np.testing.assert_array_equal(out, x)


def test_permutations():
    x = _values((7, 33, 40, 18), "f4")
    for axes in ((0, 2, 1, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1), (0, 1, 3, 2)):
        y = x.transpose(axes)
        for dtype in ("f4", "f8"):
            out = np.empty(y.shape, dtype)
            copying.copy(out, y)
            np.testing.assert_array_equal(out, y)


@pytest.mark.parametrize("source", daily(["?", "u1", "f4", "f8", "c8", "c16"], lambda d: d in ("u1", "f4", "c8")))
def test_converted_copies(source):
    """New arrays: every layout, remembered or not."""
    for shape in SHAPES:
        for make in LAYOUTS.values():
            x = make(shape, source)
            for target in (source, "c16", "f4" if source != "c16" else "c8"):
                if x.dtype.kind == "c" and target == "f4":
                    continue
                for _ in range(2):
                    out = copying.convert(x, np.dtype(target))
                    assert out.flags.c_contiguous
                    assert out.dtype == target
                    np.testing.assert_array_equal(out, x.astype(target))


# --- plans -----------------------------------------------------------------------------------------------------------------


def _walk(*arrays, outputs=1):
    return layout.plan(arrays[0].shape, tuple(a.strides for a in arrays), tuple(a.itemsize for a in arrays), outputs)


def test_plans():
    c, f = np.empty((20, 30, 40)), np.empty((40, 30, 20)).T
    assert (_walk(c, c).kind, _walk(c, c).sizes) == ("flat", (24000,))
    assert (_walk(f, f).kind, _walk(f, f).sizes) == ("flat", (24000,))  # any order that all share
    assert _walk(c, np.broadcast_to(np.float32(1), c.shape)).classes == "u0"
    assert _walk(c[::-1, ::-1, ::-1], c[::-1, ::-1, ::-1]).kind == "flat"
    assert _walk(c, np.broadcast_to(c[0, 0], c.shape)).sizes == (600, 40)
    assert (_walk(c, f).kind, _walk(c, f).classes) == ("tiles", "ut")
    assert _walk(c, c[:, :, ::-1]).classes == "ur"
    assert _walk(c[:, :, :4], f[:, :, :4]).kind == "rows"
    assert _walk(c[:1, :1, :1], c[:1, :1, :1]).total == 1


def test_cache_size():
    assert machine.last_level_cache() >= 1 << 20
    assert machine._from_sysfs("/nowhere") == 0
