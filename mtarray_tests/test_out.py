"""`out=` of declared ops: results written into windows, in place, tracked or not, on either tier."""

import math
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff


@xp.elementwise
def axpy(a, x, y):
    return a * x + y


@xp.elementwise(numpy=lambda x, y: (y, x))
def swap(x, y):
    return y, x


@xp.elementwise
def polar(x, y):
    return math.sqrt(x * x + y * y), math.atan2(y, x)


@xp.elementwise(dtypes=(xp.float32, xp.float64), numpy="hypot")
def length(x, y):
    return math.sqrt(x * x + y * y)


@xp.elementwise
def moments(p, g, m, v, c1, c2, a, e):
    """Eleven operands and results: more than a kernel takes as arguments."""
    m = m + c1 * (g - m)
    v = v + c2 * (g * g - v)
    return p - a * m / (math.sqrt(v) + e), m, v


@xp.elementwise(dtypes=(xp.int64, xp.float64))
def plus(x, y):
    return x + y


@xp.elementwise(dtypes=(xp.float64,), result=lambda d: xp.bool)
def is_less(x, y):
    return x < y


OPS: dict[str, tuple[Any, Any, int, int]] = {
    "axpy": (axpy, lambda a, x, y: (a * x + y,), 3, 1),
    "swap": (swap, lambda x, y: (y, x), 2, 2),
    "polar": (polar, lambda x, y: (np.hypot(x, y), np.arctan2(y, x)), 2, 2),
    "length": (length, lambda x, y: (np.hypot(x, y),), 2, 1),
}
SHAPES = [(), (0, 3), (3, 4), (40, 700)]


def _windows(rng: np.random.Generator, shape: tuple[int, ...], layout: str) -> xp.Array:
    """An array of this shape, laid out in one of several ways."""
    x = rng.uniform(0.5, 2.0, shape)
    if layout == "whole" or not shape:
        return xp.asarray(x).copy()
    if layout == "transposed":
        return xp.asarray(np.ascontiguousarray(x.T)).copy().T if x.ndim == 2 else xp.asarray(x).copy()
    wide = xp.zeros(tuple([2 * n + 1 for n in shape]))
    view = wide[tuple([slice(1, 2 * n + 1, 2) for n in shape])]
    if layout == "backwards":
        view = view[::-1]
    view[...] = xp.asarray(x)
    return view


@pytest.mark.parametrize(
    ("name", "mode"),
    [("axpy", "auto"), ("polar", "auto"), ("swap", "auto"), ("length", "auto"), ("swap", "numba"), ("axpy", "python"), ("swap", "python")],
)
def test_out_equals_the_result(name: str, mode: str) -> None:
    op, oracle, nin, nout = OPS[name]
    rng = np.random.default_rng(0)
    # Layouts are the kernels' own matter, which other tests have: one op shows that each reaches them.
    layouts = ("whole", "strided", "backwards", "transposed") if name == "axpy" else ("whole", "strided")
    for shape in SHAPES if mode != "python" else SHAPES[:-1]:
        for layout in layouts:
            for inplace in (False, True):
                with xp.config(kernels=mode):
                    ins = [_windows(rng, shape, layout) for _ in range(nin)]
                    expected = oracle(*[np.array(x) for x in ins])
                    outs = tuple(ins[-nout:]) if inplace else tuple(_windows(rng, shape, layout) for _ in range(nout))
                    given: Any = outs if nout > 1 or inplace else outs[0]
                    assert op(*ins, out=given) is given
                for o, e in zip(outs, expected):
                    np.testing.assert_allclose(np.array(o), e, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("n", [5, 100_003])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_operands(n: int, dtype: str) -> None:
    rng = np.random.default_rng(1)
    p, g, m, v = (xp.asarray(rng.random(n).astype(dtype)).copy() for _ in range(4))
    arrays = [np.array(x) for x in (p, g, m, v)]
    numbers = (0.1, 0.001, 0.01, 1e-8)
    fresh = moments(p, g, m, v, *numbers)
    assert moments(p, g, m, v, *numbers, out=(p, m, v))[0] is p
    for x, y in zip((p, m, v), fresh):
        assert bool(xp.all(x == y))
    c1, c2, a, e = np.asarray(numbers, dtype)
    np.testing.assert_array_equal(np.array(g), arrays[1])
    m2 = arrays[2] + c1 * (arrays[1] - arrays[2])
    v2 = arrays[3] + c2 * (arrays[1] ** 2 - arrays[3])
    np.testing.assert_allclose(np.array(p), arrays[0] - a * m2 / (np.sqrt(v2) + e), rtol=4 * np.finfo(dtype).eps)
    strided = xp.zeros(2 * n, dtype=dtype)[::2]
    strided[...] = xp.asarray(arrays[0])
    p[...] = xp.asarray(arrays[0])
    m[...], v[...] = xp.asarray(arrays[2]), xp.asarray(arrays[3])
    moments(strided, g, m, v, *numbers, out=(strided, m, v))
    assert bool(xp.all(strided == fresh[0]))


def test_operands_broadcast_to_out() -> None:
    out = xp.zeros((3, 4))
    assert plus(xp.asarray([1.0, 2, 3, 4]), 1.0, out=out) is out
    assert out.tolist() == [[2, 3, 4, 5]] * 3
    plus(1.0, xp.ones((3, 1)), out=out)
    assert out.tolist() == [[2.0] * 4] * 3
    big = xp.zeros((300, 1000))
    axpy(2.0, xp.arange(1000.0), xp.ones((300, 1)), out=big)
    assert bool(xp.all(big == xp.arange(1000.0) * 2 + 1))


@pytest.mark.parametrize("n", [10, 200_000])
def test_overlap_counts_as_before(n: int) -> None:
    base = np.arange(n + 3.0)
    for out_part, in_part in [(slice(1, n + 1), slice(0, n)), (slice(0, n), slice(1, n + 1)), (slice(n + 2, 2, -1), slice(0, n))]:
        x = xp.asarray(base).copy()
        expected = base.copy()
        expected[out_part] = 2 * base[in_part] + base[in_part]
        axpy(2.0, x[in_part], x[in_part], out=x[out_part])
        np.testing.assert_array_equal(np.array(x), expected)
    # Memory that NumPy lent twice, so that the storages differ.
    shared = base.copy()
    axpy(1.0, xp.asarray(shared[:-1]), 1.0, out=xp.asarray(shared[1:]))
    np.testing.assert_array_equal(shared[1:], base[:-1] + 1)
    x = xp.asarray(base).copy()
    m = min(n, 40_000)
    plus(x[:1], x[:m], out=x[:m])  # one element, broadcast over the window that it begins
    plus(x[1:2], x[:m], out=x[:m])
    np.testing.assert_array_equal(np.array(x[:m]), base[:m] + base[1])


def test_dtypes_follow_same_kind() -> None:
    out = xp.zeros(3, dtype=xp.float32)
    assert plus(xp.asarray([1.0, 2.0, 1e-9]), 1.0, out=out) is out
    np.testing.assert_array_equal(np.array(out), np.asarray([2, 3, 1 + 1e-9], np.float32))
    big = xp.zeros(100_000, dtype=xp.float32)
    plus(xp.ones(100_000), 0.25, out=big)
    assert bool(xp.all(big == 1.25))
    with pytest.raises(TypeError, match="result has dtype float64, which cannot be written into out of int64"):
        plus(xp.ones(3), 1.0, out=xp.zeros(3, dtype=xp.int64))
    assert is_less(xp.asarray([1.0, 3.0]), 2.0, out=xp.zeros(2, dtype=xp.bool)).tolist() == [True, False]
    whole = xp.zeros(2, dtype=xp.int64)
    plus(xp.asarray([1, 2]), 1, out=whole)
    assert whole.tolist() == [2, 3]
    with xp.strict(), pytest.raises(TypeError, match="cannot be written into out of float32"):
        plus(xp.ones(3), 1.0, out=out)


def test_out_refuses() -> None:
    x = xp.ones((2, 3))
    before = x.copy()
    with pytest.raises(ValueError, match=r"the result has shape \(2, 3\), out has \(3,\)"):
        plus(x, 1.0, out=xp.zeros(3))
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\), \(3, 2\)"):
        swap(x, x, out=(xp.zeros((2, 3)), xp.zeros((3, 2))))
    with pytest.raises(TypeError, match="a tuple of 2 arrays, got 1"):
        swap(x, x, out=x)
    with pytest.raises(TypeError, match="an array, got 2"):
        plus(x, x, out=(x, x))
    with pytest.raises(TypeError, match="got ndarray"):
        plus(x, x, out=np.zeros((2, 3)))
    with pytest.raises(TypeError, match="got list"):
        plus(x, x, out=[x])
    with pytest.raises(TypeError, match=r"takes 2 operands \(x, y\), got 1"):
        plus(x, out=x)
    with pytest.raises(TypeError, match="dict"):
        plus(x, {}, out=x)
    with pytest.raises(ValueError, match="arrays 0 and 1 of out share memory"):
        swap(x, x, out=(x, x))
    wide = xp.ones((2, 6))
    with pytest.raises(ValueError, match="share memory"):
        swap(x, x, out=(wide[:, :3], wide[:, 1:4]))
    swap(x, 2 * x, out=(wide[:, ::2], wide[:, 1::2]))  # interleaved windows have no element in common
    assert wide.tolist() == [[2, 1] * 3] * 2
    with pytest.raises(ValueError, match="read-only"):
        swap(x, 2 * x, out=(x, xp.broadcast_to(xp.zeros(3), (2, 3))))
    frozen = np.ones((2, 3))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        plus(x, x, out=xp.asarray(frozen))
    assert bool(xp.all(x == before)), "nothing may be written where something cannot be"


@pytest.mark.parametrize("n", [6, 120_000])
def test_what_was_saved_keeps_its_value(n: int) -> None:
    """Copy on write: neither a snapshot nor what a derivative saved sees the write."""
    x = xp.ones(n)
    w = xp.full(n, 3.0)
    w.requires_grad = True
    product = xp.sum(w * x * x)
    plus(x, 1.0, out=x)
    product.backward()
    assert float(xp.max(xp.abs(w.grad - 1))) == 0
    a = xp.ones(n)
    kept = a.detach()
    w2 = xp.asarray(np.asarray(a))  # NumPy holds the memory: it sees the write
    plus(a, 1.0, out=a)
    assert float(w2[0]) == 2
    assert float(kept[0]) == float(a[0])


@pytest.mark.parametrize("n", [6, 120_000])
def test_leaves_stay_leaves_in_no_grad(n: int) -> None:
    p = xp.ones(n)
    p.requires_grad = True
    for step in range(3):
        xp.sum(p * p).backward()
        with autodiff.no_grad():
            axpy(-0.25, p.grad, p, out=p)
        assert p.requires_grad
        assert float(p[0]) == 0.5 ** (step + 1)
        p.zero_grad()
    # The graph that was built before the update keeps its values, and its gradient reaches the same leaf.
    y = xp.sum(p**3)
    value = float(p[0])
    with autodiff.no_grad():
        axpy(0.0, p, xp.asarray(5.0), out=p)
        p *= 2.0
        p -= p
    y.backward()
    assert float(p.grad[0]) == pytest.approx(3 * value**2)
    assert float(p[0]) == 0


def test_out_is_recorded() -> None:
    """A derivative follows what is written into a window as it follows any write."""

    def f(x: xp.Array) -> xp.Array:
        buffer = xp.zeros((2, 3))
        plus(x, x[0], out=buffer[0])
        axpy(x, x, buffer[0], out=buffer[1])
        length(buffer[0], buffer[1], out=buffer[0])
        return xp.sum(buffer)

    def g(x: xp.Array) -> xp.Array:
        a = x + x[0]
        b = x * x + a
        return xp.sum(xp.hypot(a, b)) + xp.sum(b)

    x = xp.asarray([0.5, 1.5, -2.0])
    assert float(f(x)) == float(g(x))
    np.testing.assert_allclose(np.array(xp.grad(f)(x)), np.array(xp.grad(g)(x)), rtol=1e-14)
    autodiff.check_grads(f, (x,), order=2)
    _, dy = autodiff.jvp(f, (x,), (xp.ones(3),))
    np.testing.assert_allclose(float(dy), float(autodiff.jvp(g, (x,), (xp.ones(3),))[1]), rtol=1e-14)

    def several(x: xp.Array) -> xp.Array:
        r, phi = xp.zeros(3), xp.zeros(3)
        polar(x, x * x, out=(r, phi))
        return xp.sum(r * phi)

    np.testing.assert_allclose(
        np.array(xp.grad(several)(x)), np.array(xp.grad(lambda x: xp.sum(xp.hypot(x, x * x) * xp.atan2(x * x, x)))(x)), rtol=1e-12
    )


def test_out_of_a_constant_cuts_the_dependence() -> None:
    x = xp.asarray([1.0, 2.0])

    def f(x: xp.Array) -> xp.Array:
        y = x * 3
        plus(xp.ones(2), 1.0, out=y)
        return xp.sum(y * x)

    assert xp.grad(f)(x).tolist() == [2, 2]
    leaf = xp.ones(2)
    leaf.requires_grad = True
    with pytest.raises(ValueError, match="out has"):
        plus(leaf, 1.0, out=xp.zeros(3))
    z = xp.zeros(2)
    plus(leaf, 1.0, out=z)
    xp.sum(z).backward()
    assert leaf.grad.tolist() == [1, 1]


def test_functions_of_the_namespace_have_no_out() -> None:
    with pytest.raises(TypeError):
        xp.sin(xp.ones(2), out=xp.zeros(2))  # type: ignore[call-arg]
