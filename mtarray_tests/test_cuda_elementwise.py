"""Elementwise kernels and copies of the CUDA engine on the simulator, against NumPy: all dtypes, all layouts."""

import math

import numpy as np
import pytest

from mtarray._kernels.cuda import compile as compiler
from mtarray._kernels.cuda import copying, elementwise, texts
from mtarray._kernels.cuda.driver import Simulated
from mtarray._kernels.cuda.tensor import Tensor, from_host
from mtarray._kernels.source import Scalar

DEVICE = Simulated(7)
DTYPES = [np.dtype(c) for c in "?bhilBHILfdFD"]


def total(x1, x2):
    return x1 + x2


def both(x1, x2):
    return x1 and x2


def quotient_and_rest(x1, x2):
    return x1 // x2, x1 % x2


def decay(x, rate):
    return math.exp(-rate * x)


TOTAL, BOTH, DIVMOD, DECAY = map(Scalar, (total, both, quotient_and_rest, decay))


def on_device(a):
    """A view on the device of the same layout as an ndarray that is a view of another."""
    base = a
    while base.base is not None:
        base = base.base
    offset = a.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return from_host(DEVICE, base).window(a.shape, [s // a.itemsize for s in a.strides], offset // a.itemsize)


def applied(scalar, ins, computed, results, order=None):
    """The results of a launch, as ndarrays; `ins`: ndarrays and NumPy's numbers."""
    shape = np.broadcast_shapes(*[np.shape(x) for x in ins])
    ts = [on_device(x) if isinstance(x, np.ndarray) else x for x in ins]
    strides = [t.broadcast_to(shape).strides if isinstance(t, Tensor) else None for t in ts]
    dtypes = [x.dtype for x in ins]
    launch = elementwise.prepare(DEVICE, scalar, shape, order, dtypes, strides, computed, results)
    given = [(t.buffer, t.offset * t.itemsize) if isinstance(t, Tensor) else t for t in ts]
    for _ in range(2):  # the second time from what was prepared
        outs = launch(given)
    return [o.to_host() for o in outs]


def sample(dtype, shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape) * 20
    if dtype.kind == "c":
        return (x + 1j * x[..., ::-1]).astype(dtype)
    return (np.abs(x) if dtype.kind == "u" else x > 0 if dtype.kind == "b" else x).astype(dtype)


LAYOUTS = {
    "flat": lambda x, y: (x, y),
    "both turned": lambda x, y: (x.T, y.T),
    "one turned": lambda x, y: (x[:5, :5], y[:5, :5].T),
    "backwards": lambda x, y: (x[::-1, ::2], y[:, ::-2]),
    "row": lambda x, y: (x, y[0]),
    "column": lambda x, y: (x, y[:, :1]),
    "one element": lambda x, y: (x[2, 3], y[1:, 1:]),
    "outer": lambda x, y: (x[:, None, :3], y[None, :, ::2][..., :3]),
    "inside": lambda x, y: (x[1:3, 1:], y[1:3, :-1]),
    "0-d": lambda x, y: (x[1, 1], y[2, 2]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layouts(dtype, layout):
    x, y = LAYOUTS[layout](sample(dtype, (5, 7)), sample(dtype, (5, 7), 1))
    x, y = np.asarray(x), np.asarray(y)
    if not x.shape:
        x = x.copy()
    if not y.shape:
        y = y.copy()
    scalar = BOTH if dtype.kind == "b" else TOTAL
    (out,) = applied(scalar, [x, y], (dtype, dtype), (dtype,))
    np.testing.assert_array_equal(out, (x & y) if dtype.kind == "b" else x + y, strict=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_and_order(dtype):
    x = sample(dtype, (4, 6))
    number = sample(dtype, (3,), 2)[0]
    scalar = BOTH if dtype.kind == "b" else TOTAL
    (out,) = applied(scalar, [number, x.T], (dtype, dtype), (dtype,), order=(1, 0))
    np.testing.assert_array_equal(out, (x.T & number) if dtype.kind == "b" else number + x.T, strict=True)
    launch = elementwise.prepare(DEVICE, scalar, (6, 4), (1, 0), [dtype, dtype], [None, (1, 6)], (dtype, dtype), (dtype,))
    t = on_device(x)
    assert launch([number, (t.buffer, 0)])[0].strides == (1, 6)


def test_an_offset_that_is_no_multiple_of_a_vector():
    x = np.arange(40, dtype=np.float32)
    for start in range(4):
        (out,) = applied(TOTAL, [x[start : start + 33], x[:33]], (x.dtype,) * 2, (x.dtype,))
        np.testing.assert_array_equal(out, x[start : start + 33] + x[:33])


def test_several_results_and_conversions():
    x, y = np.arange(-9, 9, dtype=np.int16), np.full(18, 4, np.int64)
    i8 = np.dtype(np.int64)
    quotients, rests = applied(DIVMOD, [x, y], (i8, i8), (i8, i8))
    np.testing.assert_array_equal(quotients, x // 4, strict=False)
    np.testing.assert_array_equal(rests, x % 4, strict=False)
    f4 = np.dtype(np.float32)
    z = np.linspace(0, 3, 50)
    (out,) = applied(DECAY, [z, np.float32(0.5)], (f4, f4), (f4,))
    np.testing.assert_allclose(out, np.exp(np.float32(-0.5) * z.astype(f4)), rtol=3e-7)


def test_more_than_the_grid_takes_at_once():
    few = Simulated(8)
    few.multiprocessors = 1
    n = 256 * elementwise._WAVES * 4 + 77
    x = np.arange(n, dtype=np.int32)
    f = x.dtype
    a = from_host(few, x)
    flat = elementwise.prepare(few, TOTAL, (n,), None, [f, f], [(1,), (1,)], (f, f), (f,))
    np.testing.assert_array_equal(flat([(a.buffer, 0), (a.buffer, 0)])[0].to_host(), 2 * x)
    strided = elementwise.prepare(few, TOTAL, (n,), None, [f, f], [(1,), (-1,)], (f, f), (f,))
    np.testing.assert_array_equal(strided([(a.buffer, 0), (a.buffer, 4 * n - 4)])[0].to_host(), n - 1)


def test_more_elements_than_32_bits_count():
    """The walk of a view of 2^33 elements, at its end (a simulator would take hours for all of it)."""
    walk = texts.walk((1 << 20, 1 << 13), ((1 << 13, 1), (0, 1)))
    assert walk.is_wide
    assert not texts.walk((1 << 10, 1 << 13), ((1 << 13, 1), (0, 1))).is_wide
    assert texts.walk((3, 5), ((5, 1), (1 << 40, 1))).is_wide
    for n in (1, 2, 3, 5, 7, 10, 641, (1 << 20) + 7, (1 << 30) - 1):
        m, shift = texts.divider(n)
        assert m < 1 << 32
        for i in {0, 1, n - 1, n, n + 1, (1 << 30) - 1, 123456789, (1 << 30) // n * n}:
            assert (i * m >> 32) + i >> shift == i // n


@pytest.mark.parametrize("layout", LAYOUTS)
def test_kernels_that_count_in_64_bits(layout, monkeypatch):
    monkeypatch.setattr(texts.Walk, "is_wide", True)
    dtype = np.dtype(np.int16)
    x, y = [np.array(a) if not np.shape(a) else a for a in LAYOUTS[layout](sample(dtype, (5, 7)), sample(dtype, (5, 7), 1))]
    np.testing.assert_array_equal(applied(TOTAL, [x, y], (dtype, dtype), (dtype,))[0], x + y, strict=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_into(dtype):
    base = sample(dtype, (6, 10))
    t = from_host(DEVICE, base.copy())
    window, view = t.window((3, 5), (-20, 2), 40), base[4::-2, ::2]
    y = sample(dtype, (5, 3), 1).T
    scalar = BOTH if dtype.kind == "b" else TOTAL
    elementwise.into(scalar, [window], [window, on_device(y)], (dtype, dtype), (dtype,))
    view[...] = view & y if dtype.kind == "b" else view + y
    np.testing.assert_array_equal(t.to_host(), base, strict=True)


def test_into_another_dtype():
    x = np.linspace(-3, 3, 24)
    f8, f4 = np.dtype(float), np.dtype(np.float32)
    t = from_host(DEVICE, np.zeros((4, 6), f4))
    elementwise.into(TOTAL, [t.transpose((1, 0))], [on_device(x.reshape(6, 4)), np.float64(0.1)], (f8, f8), (f8,))
    np.testing.assert_array_equal(t.to_host().T, (x.reshape(6, 4) + 0.1).astype(f4), strict=True)


SHAPES = [((40, 70), (1, 0)), ((3, 40, 9), (0, 2, 1)), ((3, 40, 9), (2, 1, 0)), ((2, 3, 33, 34), (1, 0, 3, 2)), ((5,), (0,)), ((), ())]


@pytest.mark.parametrize(("shape", "order"), [*SHAPES, ((3, 0), (1, 0)), ((4, 4), (1, 0))], ids=str)
@pytest.mark.parametrize("dtype", [np.dtype(c) for c in "?ifD"], ids=str)
def test_copies_of_turned_arrays(dtype, shape, order):
    x = sample(dtype, (*shape, 2))[..., 0].copy()
    y, t = x.transpose(order), from_host(DEVICE, x).transpose(order)
    np.testing.assert_array_equal(copying.contiguous(t).to_host(), y, strict=True)
    to = np.dtype(np.complex64)
    np.testing.assert_array_equal(copying.cast(t, to).to_host(), y.astype(to), strict=True)


@pytest.mark.parametrize("to", DTYPES, ids=str)
def test_conversions(to):
    for source in DTYPES:
        if source.kind == "c" and to.kind != "c":
            continue
        x = sample(source, (9,))
        if to.kind == "u" and source.kind in "if":
            x = abs(x)
        np.testing.assert_array_equal(copying.cast(on_device(x), to).to_host(), x.astype(to), strict=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_fill(dtype):
    t, x = from_host(DEVICE, np.zeros((6, 10), dtype)), np.zeros((6, 10), dtype)
    copying.fill(t.window((3, 5), (-20, 2), 40), dtype.type(1))
    x[4::-2, ::2] = 1
    np.testing.assert_array_equal(t.to_host(), x, strict=True)
    copying.fill(t.window((0, 5), (1, 1)), dtype.type(1))


def test_kernels_compile_to_wide_accesses():
    pytest.importorskip("numba_cuda")
    f4 = np.dtype(np.float32)
    kernel = elementwise.flat_kernel(TOTAL, "aa", (f4, f4), (f4, f4), (f4,), (f4,), 4)
    text = compiler.ptx(kernel, (7, 5))
    assert "ld.global.v4.f32" in text
    assert "st.global.v4.f32" in text
    assert "fma" not in text
