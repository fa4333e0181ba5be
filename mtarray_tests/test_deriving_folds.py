"""Derivatives of users' reductions and scans: from the two partial derivatives of the function that combines two values."""

import math
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray.autodiff.deriving_folds import linear_recurrence
from mtarray.autodiff.sweep import NoDerivativeError

grad, jvp = xp.autodiff.grad, xp.autodiff.jvp
REAL = (xp.float32, xp.float64)


def multiply(a, b):
    return a * b + 0.0


def length(a, b):
    return math.hypot(a, b)


def larger(a, b):
    return max(a, b)


def by_branch(a, b):
    return a if a > b else b


def log_sum(a, b):
    m = a if a > b else b
    return m + math.log(math.exp(a - m) + math.exp(b - m))


def either(a, b):
    """Of probabilities."""
    return a + b - a * b


def parallel(a, b):
    """Of resistors."""
    return a * b / (a + b)


COMBINES: dict[str, tuple[Any, Any]] = {
    "multiply": (multiply, 1.0),
    "length": (length, 0.0),
    "larger": (larger, None),
    "by_branch": (by_branch, -math.inf),
    "log_sum": (log_sum, -math.inf),
    "either": (either, 0.0),
    "parallel": (parallel, None),
}
FOLDS = {name: xp.reduction(identity=identity, dtypes=REAL)(f) for name, (f, identity) in COMBINES.items()}


def running(name):
    f, identity = COMBINES[name]
    return xp.scan(identity=identity, dtypes=REAL)(f)


SCANS = {name: running(name) for name in COMBINES}
STEPS = {name: xp.elementwise(dtypes=REAL)(f) for name, (f, _) in COMBINES.items()}


DAILY = ("multiply", "by_branch", "log_sum")  # as kernels, of which each derivative has more; uncompiled all of them run


@pytest.fixture(params=["auto", "python"])
def mode(request):
    with xp.config(kernels=request.param):
        yield request.param


def sample(*shape: int, dtype: Any = np.float64) -> Any:
    return xp.asarray(np.random.default_rng(len(shape)).uniform(0.2, 1.8, shape).astype(dtype))


def unrolled(name: str, x: Any) -> list[Any]:
    """The running combines of the rows of x, step by step, with the elementwise op."""
    rows = [x[0]]
    for k in range(1, x.shape[0]):
        rows.append(STEPS[name](rows[-1], x[k]))
    return rows


def close(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert np.all(np.abs(a - b) <= tolerance * (1 + np.abs(b))), f"{a}\n{b}"


def daily(name, mode, full):
    if mode == "auto" and name not in DAILY and not full:
        pytest.skip("slow: run by python -m mtarray_tests.full")


@pytest.mark.parametrize("name", COMBINES)
def test_reductions(name, mode, full):
    """Both modes, orders 1 and 2, equal the derivatives of the same fold written out."""
    daily(name, mode, full)
    x, w = sample(6, 3), sample(3)
    fold = FOLDS[name]

    def folded(x):
        return xp.sum(w * fold(x, axis=0))

    def written(x):
        return xp.sum(w * unrolled(name, x)[-1])

    close(grad(folded)(x), grad(written)(x))
    t = sample(6, 3) - 1.0
    close(jvp(folded, (x,), (t,))[1], jvp(written, (x,), (t,))[1])
    close(grad(lambda x: xp.sum(grad(folded)(x) * t))(x), grad(lambda x: xp.sum(grad(written)(x) * t))(x), 1e-11)


@pytest.mark.parametrize("name", COMBINES)
@pytest.mark.parametrize("axis", [0, 1])
def test_scans(name, axis, mode, full):
    daily(name, mode, full)
    x, w = sample(5, 4), sample(5, 4)
    scan = SCANS[name]

    def scanned(x):
        return xp.sum(w * scan(x, axis=axis))

    def written(x):
        rows = unrolled(name, x.T if axis else x)
        return xp.sum(w * xp.stack(rows, axis=axis))

    close(grad(scanned)(x), grad(written)(x))
    t = sample(5, 4) - 1.0
    close(jvp(scanned, (x,), (t,))[1], jvp(written, (x,), (t,))[1])
    close(grad(lambda x: xp.sum(grad(scanned)(x) * t))(x), grad(lambda x: xp.sum(grad(written)(x) * t))(x), 1e-11)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 2), (2, 1), (0, 1, 2), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes(axis, keepdims):
    """As those of mtarray's own product."""
    x = sample(2, 3, 4)

    def by(f):
        return grad(lambda x: xp.sum(xp.sin(f(x, axis=axis, keepdims=keepdims))))

    close(by(FOLDS["multiply"])(x), by(xp.prod)(x))


def test_shapes():
    fold, scan = FOLDS["multiply"], SCANS["multiply"]
    for shape in ((), (1,), (0,), (3, 0), (2, 1)):
        x = xp.ones(shape) * 1.5
        close(grad(lambda x: xp.sum(fold(x)))(x), grad(lambda x: xp.sum(xp.prod(x)))(x))
        if shape:
            close(grad(lambda x: xp.sum(scan(x, axis=0)))(x), grad(lambda x: xp.sum(xp.cumulative_prod(x, axis=0)))(x))
    x = sample(4, 6)[::2, ::-1].T
    close(grad(lambda x: xp.sum(fold(x, axis=1)))(x), grad(lambda x: xp.sum(xp.prod(x, axis=1)))(x))
    for initial in (False, True):
        ours = grad(lambda x: xp.sum(xp.sin(scan(x, axis=1, include_initial=initial))))(x)  # noqa: B023
        close(ours, grad(lambda x: xp.sum(xp.sin(xp.cumulative_prod(x, axis=1, include_initial=initial))))(x))  # noqa: B023


def test_zeros_and_ties(mode):
    x = xp.asarray([2.0, 0.0, 3.0])
    assert grad(FOLDS["multiply"])(x).tolist() == [0.0, 6.0, 0.0]
    assert grad(FOLDS["multiply"])(xp.asarray([0.0, 0.0, 3.0])).tolist() == [0.0, 0.0, 0.0]
    assert grad(lambda x: xp.sum(SCANS["multiply"](x)))(x).tolist() == [1.0, 8.0, 0.0]
    assert grad(FOLDS["length"])(xp.zeros(3)).tolist() == [0.0, 0.0, 0.0]  # as that of a norm
    for name in ("larger", "by_branch"):
        g = grad(FOLDS[name])(xp.asarray([1.0, 3.0, 3.0, 3.0, 2.0]))
        assert sorted(g.tolist()) == [0.0, 0.0, 0.0, 0.0, 1.0]
        assert float(g[0]) == float(g[4]) == 0.0


def test_dtypes(mode):
    x = sample(5, dtype=np.float32)
    g = grad(FOLDS["log_sum"])(x)
    assert g.dtype == xp.float32
    v = np.exp(np.asarray(x, np.float64))
    close(g, (v / v.sum()).astype(np.float32), 1e-6)
    chosen = xp.reduction(identity=1.0, dtypes=REAL, accumulate=lambda d: d)(multiply)
    wide = grad(lambda x: chosen(x, dtype=xp.float64))(x)
    assert wide.dtype == xp.float32
    close(wide, grad(lambda x: xp.prod(x, dtype=xp.float64))(x), 1e-6)


def test_complex_numbers(mode):
    product = xp.reduction(identity=1.0, dtypes=(xp.complex128,))(multiply)
    products = xp.scan(identity=1.0, dtypes=(xp.complex128,))(multiply)
    z = xp.asarray([1 + 1j, 2 - 1j, 0.5j])
    w = xp.asarray([1 - 2j, 0.5 + 1j, 2 + 0j])
    close(grad(lambda z: xp.real(product(z)))(z), grad(lambda z: xp.real(xp.prod(z)))(z))
    close(grad(lambda z: xp.sum(xp.real(w * products(z))))(z), grad(lambda z: xp.sum(xp.real(w * xp.cumulative_prod(z))))(z))


def test_large():
    """In a number of steps that grows with the size: half a million elements, exact in 1e-9."""
    n = 500_000
    x = xp.asarray(np.random.default_rng(0).normal(size=n))
    v = np.asarray(x)
    p = np.exp(v - v.max())
    close(grad(FOLDS["log_sum"])(x), p / p.sum(), 1e-9)
    w = 1 + 1e-6 * x
    g = grad(lambda w: SCANS["multiply"](w)[-1] + SCANS["multiply"](w)[n // 2])(w)
    u = np.asarray(w)
    expected = np.prod(u) / u + np.where(np.arange(n) <= n // 2, np.prod(u[: n // 2 + 1]) / u, 0)
    close(g, expected, 1e-9)


@pytest.mark.parametrize("shape", [(63,), (64,), (1000,), (4097,), (3, 130), (40, 7), (2, 20, 65), (33, 0)])
def test_lines_are_laid_out_as_columns(shape):
    """Long lines as tables with a rest, many lines side by side; the second derivative goes through the same."""
    op = FOLDS["log_sum"]
    x = np.random.default_rng(4).normal(size=shape)
    weights = xp.asarray(np.random.default_rng(5).normal(size=shape[:-1]))
    e = np.exp(x)
    share = e / e.sum(axis=-1, keepdims=True)
    f = lambda x: xp.sum(weights * op(x, axis=-1))  # noqa: E731
    np.testing.assert_allclose(np.asarray(grad(f)(xp.asarray(x))), np.asarray(weights)[..., None] * share, rtol=1e-12)
    if shape == (64,):
        v = np.random.default_rng(6).normal(size=shape)
        product = np.asarray(xp.autodiff.hvp(f, (xp.asarray(x),), (xp.asarray(v),)))
        expected = np.asarray(weights)[..., None] * share * (v - (share * v).sum(axis=-1, keepdims=True))
        np.testing.assert_allclose(product, expected, rtol=1e-10, atol=1e-13)


def test_not_associative_or_commutative():
    mean = xp.reduction(identity=0.0, dtypes=REAL)(lambda a, b: (a + b) / 2)
    with pytest.raises(
        NoDerivativeError, match=r"not associative: of a = .*combine\(combine\(a, b\), c\) is .*combine\(a, combine\(b, c\)\)"
    ):
        grad(mean)(sample(4))
    first = xp.reduction(identity=None, dtypes=REAL)(lambda a, b: a)
    with pytest.raises(NoDerivativeError, match="not commutative"):
        grad(first)(sample(4))
    decay = xp.scan(identity=0.0, dtypes=REAL)(lambda a, b: 0.5 * a + b)
    with pytest.raises(NoDerivativeError, match="declared as a scan, but its function is not associative"):
        grad(lambda x: xp.sum(decay(x)))(sample(4))
    last = xp.scan(identity=0.0, dtypes=REAL)(lambda a, b: b)  # a scan need not be commutative
    assert grad(lambda x: xp.sum(last(x)))(xp.asarray([1.0, 2.0])).tolist() == [1.0, 1.0]


def test_a_derivative_given_by_hand_wins():
    by_hand = xp.reduction(identity=1.0, dtypes=REAL, derivative=lambda x, y: y * 0 + 7)(multiply)
    assert grad(by_hand)(sample(3)).tolist() == [7.0, 7.0, 7.0]


def test_source():
    text = FOLDS["either"].source("derivative")
    assert "# either, by a" in text
    assert "return 1.0 - b" in text
    assert "def combine(a, b):" in FOLDS["either"].source("cpu")
    assert "def combine(a, b):" in SCANS["either"].source("cpu", xp.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 4), (1, 3), (0, 3), (3, 0), (300, 90)])
def test_linear_recurrences(dtype, reverse, shape):
    axis = len(shape) // 2 - 1 if len(shape) > 1 else 0
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, *shape)).astype(dtype)
    if dtype().dtype.kind == "c":
        a, b = a + 1j * b, b - 0.5j * a
    a, b = (0.5 * a).astype(dtype), b.astype(dtype)
    expected = b.copy()
    rows, factors = np.moveaxis(expected, axis, 0), np.moveaxis(a, axis, 0)
    order = range(len(rows))[::-1] if reverse else range(len(rows))
    for before, k in zip(list(order), list(order)[1:], strict=False):
        rows[k] += factors[k] * rows[before]
    got = linear_recurrence(xp.asarray(a), xp.asarray(b), axis=axis, reverse=reverse)
    assert got.dtype == expected.dtype
    close(got, expected, 20 * np.finfo(dtype).eps)
    with xp.config(kernels="python"):
        close(linear_recurrence(xp.asarray(a), xp.asarray(b), axis=axis, reverse=reverse), expected, 20 * np.finfo(dtype).eps)
