"""`mtarray.special`: values against mpmath and SciPy, special values, dtypes, layouts, derivatives, SciPy's dispatch."""

import inspect
import itertools
import os
import subprocess
import sys
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import mtarray as xp
from mtarray._ops import REGISTRY, Elementwise

from . import special_accuracy as accuracy
from .daily import daily, in_turn

special = xp.special
OPS = {name: getattr(special, name).op for name in special.__all__ if isinstance(getattr(getattr(special, name), "op", None), Elementwise)}
COMPOSED = {"logsumexp", "softmax", "log_softmax", "zeta"}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 10.0, -2.5, 1e-300, 1e300, np.inf, -np.inf, np.nan]
# Where these depart from SciPy on purpose: NaN operands give NaN, infinities the limit where there is one.
BEYOND_SCIPY = {
    "beta": lambda a, b: ((a > 0) & (b > 0) & (a < 1e200) & (b < 1e200)) | ((abs(a) < 1e3) & (abs(b) < 1e3)),
    "betaln": lambda a, b: ((a > 0) & (b > 0) & (a < 1e200) & (b < 1e200)) | ((abs(a) < 1e3) & (abs(b) < 1e3)),
    "betainc": lambda a, b, x: (a < 1e200) & (b < 1e200),
    "betaincc": lambda a, b, x: (a < 1e200) & (b < 1e200) & (a > 1e-200),
    "fdtr": lambda m, n, x: (m > 1e-200) & (n > 1e-200) & (m < 1e200) & (n < 1e200),
    "fdtrc": lambda m, n, x: (m > 1e-200) & (n > 1e-200) & (m < 1e200) & (n < 1e200),
    "binom": lambda n, k: np.isfinite(n) & np.isfinite(k) & (abs(n) < 1e200) & (abs(k) < 1e200) & (abs(k) > 1e-200),
    "polygamma": lambda n, x: (n == np.floor(n)) & (n >= 0) & (n < 100) & (abs(x) < 1e200) & ((x >= 0) | (n < 4)),
    "sinc": lambda x: (abs(x) < 1e200) & (x != np.floor(x)),
    "stdtrit": lambda df, p: (p == 0) | (p > 1e-200),
    **dict.fromkeys(("i0", "i1", "j0", "j1"), lambda x: abs(x) < 1e6),
}


def scipy_of(name: str) -> Any:
    return np.sinc if name == "sinc" else getattr(scipy.special, name)


def test_names() -> None:
    """Every public name is an op or composed of ops."""
    assert set(special.__all__) == set(OPS) | COMPOSED
    assert special.psi is special.digamma
    assert all(op.section.startswith("mtarray.special") for op in OPS.values())


def test_import_is_lazy() -> None:
    source = "import sys, mtarray; assert 'mtarray.special' not in sys.modules; mtarray.special.erf; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", source], check=True)


@pytest.mark.parametrize("name", in_turn(accuracy.ONE))  # each has kernels of its own to compile
@pytest.mark.parametrize("kind", ["f8", "f4"])
def test_one_argument_within_bound(name: str, kind: str) -> None:
    case = accuracy.ONE[name]
    arguments, errors, _ = accuracy.measure(name, case, kind, 240)
    worst = int(np.argmax(errors))
    assert errors[worst] <= case.bound, f"{name}: {errors[worst]:.3g} ULP at {arguments[0][worst]!r}"


@pytest.mark.parametrize("name", accuracy.SEVERAL)
def test_several_arguments_no_worse_than_scipy(name: str) -> None:
    arguments, errors, peers = accuracy.measure(name, accuracy.SEVERAL[name], "f8", 90)
    worst = int(np.argmax(errors))
    assert peers is not None
    assert errors[worst] <= max(np.max(peers), accuracy.SEVERAL[name].bound), [a[worst] for a in arguments]
    assert np.median(errors) <= max(np.median(peers), 1.0)


@pytest.mark.parametrize("name", OPS)
def test_special_values(name: str) -> None:
    """As SciPy has them, at every combination of zeros, integers, infinities and NaN."""
    op = OPS[name]
    grids = np.meshgrid(*[SPECIAL] * op.nin)
    with np.errstate(all="ignore"):
        expected = scipy_of(name)(*grids)
    result = np.asarray(getattr(special, name)(*map(xp.asarray, grids)))
    inside = np.ones(result.shape, bool) if name not in BEYOND_SCIPY else BEYOND_SCIPY[name](*grids)
    with np.errstate(all="ignore"):
        agree = (np.isnan(result) & np.isnan(expected)) | (result == expected) | (abs(result - expected) <= 1e-9 * abs(expected) + 1e-300)
    wrong = [(tuple(float(g[i]) for g in grids), float(result[i]), float(expected[i])) for i in zip(*np.nonzero(inside & ~agree))]
    assert not wrong, wrong[:8]


@pytest.mark.parametrize("name", in_turn(OPS))
def test_dtypes(name: str) -> None:
    """float32 is the float64 result rounded (or as near), float16 does not exist, integers convert; complex is refused."""
    op, function = OPS[name], getattr(special, name)
    base = [np.asarray(v) for v in ([0.25, 0.5, 0.75], [0.5, 0.25, 0.625], [0.125, 0.375, 0.5])[: op.nin]]
    if name == "polygamma":
        base[0] = np.asarray([0.0, 1.0, 2.0])
    double = np.asarray(function(*map(xp.asarray, base)))
    single = function(*[xp.asarray(b, dtype=xp.float32) for b in base])
    assert single.dtype == xp.float32
    np.testing.assert_allclose(np.asarray(single), double, rtol=3e-7)
    ones = [xp.asarray([1, 1, 1], dtype=xp.int64)] * op.nin
    assert function(*ones).dtype == xp.float64
    np.testing.assert_array_equal(np.asarray(function(*ones)), np.asarray(function(*[xp.ones(3)] * op.nin)))
    with pytest.raises(TypeError, match="complex"):
        function(*[xp.asarray([1j])] * op.nin)


# The loops are shared: one op for each number of operands stands for all.
@pytest.mark.parametrize("name", daily(OPS, lambda n: n in ("erf", "digamma", "xlogy", "polygamma", "betainc")))
def test_layouts(name: str) -> None:
    """0-d, empty, broadcast, transposed, strided and reversed operands give the same elements."""
    op, function = OPS[name], getattr(special, name)
    rng = np.random.default_rng(len(name))
    flat = [rng.uniform(0.05, 0.95, (6, 8)) for _ in range(op.nin)]
    if name == "polygamma":
        flat[0] = rng.integers(0, 4, (6, 8)).astype(float)
    expected = np.asarray(function(*map(xp.asarray, flat)))
    for view in (np.s_[::2, 1::3], np.s_[::-1, ::-1], np.s_[2, 3], np.s_[:0], np.s_[:, ::-2]):
        np.testing.assert_array_equal(np.asarray(function(*[xp.asarray(f)[view] for f in flat])), expected[view])
    np.testing.assert_array_equal(np.asarray(function(*[xp.asarray(f).T for f in flat])), expected.T)
    rows = [xp.asarray(f)[:1, :] if i else xp.asarray(f)[:, :1] for i, f in enumerate(flat)]
    spread = [xp.asarray(np.broadcast_to(np.asarray(r), (6, 8) if op.nin > 1 else (6, 1)).copy()) for r in rows]
    np.testing.assert_array_equal(np.asarray(function(*rows)), np.asarray(function(*spread)))
    with xp.config(threads=1):
        np.testing.assert_array_equal(np.asarray(function(*map(xp.asarray, flat))), expected)


@pytest.mark.parametrize("name", OPS)
def test_uncompiled(name: str) -> None:
    """The scalar functions run as they stand, too."""
    op, function = OPS[name], getattr(special, name)
    points = [np.asarray(v) for v in ([0.25, 0.875, 0.0], [0.5, 0.25, 0.625], [0.125, 0.375, 0.5])[: op.nin]]
    if name == "polygamma":
        points[0] = np.asarray([0.0, 1.0, 2.0])
    compiled = np.asarray(function(*map(xp.asarray, points)))
    with xp.config(kernels="python"):
        np.testing.assert_allclose(np.asarray(function(*map(xp.asarray, points))), compiled, rtol=1e-13)


# ---------------------------------------------------------------------- derivatives


def partials(op: Any, arguments: list[Any]) -> list[Any]:
    """The declared derivatives, evaluated; None where there is none."""
    declared = op.derivative if isinstance(op.derivative, tuple) else (op.derivative,)
    known = dict(zip(op.parameters, arguments, strict=True))
    known["y"] = op.function(*arguments)
    out = []
    for d in declared:
        if callable(d):
            out.append(d(*[known[n] for n in inspect.signature(d).parameters]))
        else:
            out.append(d)
    return out


NO_DERIVATIVE = {("polygamma", "n")}


@pytest.mark.parametrize("name", OPS)
def test_derivatives(name: str) -> None:
    """In every real argument, against central differences of our own values (whose accuracy other tests see to)."""
    op, function = OPS[name], getattr(special, name)
    rng = np.random.default_rng(7)
    n = 60
    arguments = [rng.uniform(0.1, 0.9, n) for _ in range(op.nin)]
    if name in ("gammainc", "gammaincc", "chdtr", "chdtrc", "fdtr", "fdtrc", "stdtr", "beta", "betaln"):
        arguments = [np.exp(rng.uniform(-1.5, 3, n)) for _ in range(op.nin)]
    elif name in ("betainc", "betaincc", "stdtrit"):
        arguments[: op.nin - 1] = [np.exp(rng.uniform(-1.5, 3, n)) for _ in range(op.nin - 1)]
    elif name in ("i0", "i1", "i0e", "i1e", "j0", "j1", "erf", "erfc", "erfcx", "ndtr", "log_ndtr", "expit", "log_expit", "sinc"):
        arguments = [rng.uniform(-4, 12 if name in ("j0", "j1", "i0", "i1") else 4, n)]
    elif name in ("gamma", "gammaln", "loggamma", "digamma", "psi", "exp1", "expi"):
        arguments = [rng.uniform(0.2, 14, n)]
    elif name == "binom":
        arguments = [rng.uniform(1, 9, n), rng.uniform(-0.5, 4, n)]
    elif name == "polygamma":
        arguments = [rng.integers(0, 5, n).astype(float), rng.uniform(0.3, 9, n)]
    found = partials(op, [xp.asarray(a) for a in arguments])
    assert len(found) == op.nin
    for k, partial in enumerate(found):
        if partial is None:
            assert (name, op.parameters[k]) in NO_DERIVATIVE
            continue

        def at(h: Any, k: int = k) -> Any:
            moved = [a + h if i == k else a for i, a in enumerate(arguments)]
            return np.asarray(function(*map(xp.asarray, moved)))

        h = 2.0**-10 * np.maximum(abs(arguments[k]), 2.0**-3)
        slope = (8 * (at(h / 2) - at(-h / 2)) - (at(h) - at(-h))) / (6 * h)
        scale = np.maximum(abs(slope), 1e-3 * np.max(abs(slope)))
        np.testing.assert_array_less(abs(np.asarray(partial) - slope) / scale, 2e-7, err_msg=f"{name} by {op.parameters[k]}")


@pytest.mark.parametrize(
    ("name", "exact", "arguments"),
    [
        (
            "gammainc",
            lambda a, x: mp.gammainc(a, 0, x, regularized=True),
            [(0.3, 0.2), (3.0, 2.5), (5.0, 20.0), (150.0, 140.0), (2e4, 2.01e4)],
        ),
        ("betainc", accuracy.SEVERAL["betainc"].exact, [(0.5, 2.0, 0.3), (8.0, 3.0, 0.9), (40.0, 60.0, 0.35)]),
    ],
)
def test_derivatives_by_parameters(name: str, exact: Any, arguments: list[tuple[float, ...]]) -> None:
    """Against mpmath's derivatives, at points of every formula."""
    op = OPS[name]
    for point in arguments:
        found = partials(op, [xp.asarray(v) for v in point])
        for k in range(op.nin):
            with mp.workprec(160):
                h = mp.mpf(2) ** -40
                moved = [[mp.mpf(v) + s * h if i == k else mp.mpf(v) for i, v in enumerate(point)] for s in (1, -1)]
                slope = (exact(*moved[0]) - exact(*moved[1])) / (2 * h)
            assert float(found[k]) == pytest.approx(float(slope), rel=1e-12), (point, k)


@pytest.mark.parametrize(("s", "q"), [(2.0, 1e300), (3.0, 1e150), (2.5, 1e18), (1.001, 1e200), (2.0, 2e17)])
def test_zeta_of_large_q(s: float, q: float) -> None:
    """The sum is there where each of its terms is below the smallest number; so are its derivatives."""
    assert float(special.zeta(s, q)) == pytest.approx(q ** (1 - s) / (s - 1), rel=1e-14)
    slope = -(q ** (1 - s)) / (s - 1) * (np.log(q) + 1 / (s - 1))
    assert float(xp.grad(lambda s: special.zeta(s, q))(s)) == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize("x", [-3.5, -0.25, 0.0, 0.5, 1.5, 3.0, 20.0])
def test_derivatives_of_zeta(x: float) -> None:
    from mtarray.special import zetas

    assert float(zetas._riemann_slope(xp.asarray(x))) == pytest.approx(float(mp.zeta(x, 1, 1)), rel=1e-12)
    if x > 1:
        for q in (0.25, 1.5, 30.0):
            with mp.workprec(160):
                slope = mp.diff(lambda s, q=q: mp.zeta(s, q), x)
            assert float(zetas._hurwitz_slope(xp.asarray(x), q)) == pytest.approx(float(slope), rel=1e-11)


def _student(df, t):
    return mp.sign(t) * mp.betainc(mp.mpf(0.5), df / 2, 0, t * t / (df + t * t), regularized=True) / 2


# Points of every formula: series, integral and fraction, both sides of the mean, integers, ends.
BY_PARAMETERS = {
    "gammainc": (lambda a, x: mp.gammainc(a, 0, x, regularized=True), [(0.3, 0.2), (3.0, 2.5), (5.0, 20.0), (1000.0, 990.0)]),
    "betainc": (accuracy.SEVERAL["betainc"].exact, [(0.5, 2.0, 0.3), (8.0, 3.0, 0.9), (3.0, 4.0, 1e-3), (200.0, 300.0, 0.41)]),
    "stdtr": (_student, [(1.0, 0.5), (3.0, -2.0), (200.0, 3.0), (4.0, 0.0)]),
    "fdtr": (lambda m, n, x: mp.betainc(m / 2, n / 2, 0, m * x / (n + m * x), regularized=True), [(3.0, 7.0, 0.5), (20.0, 30.0, 4.0)]),
    "chdtrc": (lambda v, x: mp.gammainc(v / 2, x / 2, mp.inf, regularized=True), [(0.6, 0.4), (10.0, 40.0)]),
    "zeta": (mp.zeta, [(1.1, 0.5), (7.0, 0.25), (3.3, 30.0)]),
    "zeta of Riemann": (mp.zeta, [(-3.5,), (-0.25,), (0.0,), (0.5,), (3.0,)]),
}


@pytest.mark.parametrize("name", BY_PARAMETERS)
def test_second_derivatives_by_parameters(name: str) -> None:
    """All of them, against differences in mpmath. Uncompiled, for there are many small programs; one is compiled below."""
    exact, points = BY_PARAMETERS[name]
    function = getattr(special, name.split()[0])
    with xp.config(kernels="python"), mp.workdps(50):
        arguments = [xp.asarray(column) for column in zip(*points)]
        h = mp.mpf(10) ** -12
        for i, j in itertools.combinations_with_replacement(range(len(arguments)), 2):
            first = xp.grad(lambda *v: xp.sum(function(*v)), argnums=i)
            second = xp.grad(lambda *v, first=first: xp.sum(first(*v)), argnums=j)(*arguments)
            for found, point in zip(second.tolist(), points):

                def at(m: int, n: int, point: Any = point, i: int = i, j: int = j) -> Any:
                    return exact(*[mp.mpf(p) + (m * h if k == i else 0) + (n * h if k == j else 0) for k, p in enumerate(point)])

                expected = float((at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h * h))
                assert found == pytest.approx(expected, rel=1e-11, abs=1e-13), (i, j, point)


def test_third_derivative_by_a_parameter() -> None:
    """To any order, compiled too; in float32 as accurately as it can hold; a user's function that calls one is differentiated as well."""
    by_a = lambda a: special.gammainc(a, xp.asarray(2.5, dtype=a.dtype))  # noqa: E731
    second = xp.grad(xp.grad(by_a))
    with mp.workdps(50):
        expected = [float(mp.diff(lambda a: mp.gammainc(a, 0, 2.5, regularized=True), 3, n, h=mp.mpf(10) ** -12)) for n in (2, 3)]
    assert float(second(xp.asarray(3.0))) == pytest.approx(expected[0], rel=1e-12)
    assert float(second(xp.asarray(3.0, dtype=xp.float32))) == pytest.approx(expected[0], rel=1e-7)
    with xp.config(kernels="python"):
        assert float(xp.grad(second)(xp.asarray(3.0))) == pytest.approx(expected[1], rel=1e-12)

    @xp.elementwise
    def excess(a, x):
        return special.gammainc(a, x) - 0.5

    with xp.config(kernels="python"):
        slope = xp.grad(lambda a: excess(a, 2.5))(xp.asarray(3.0))
        assert float(slope) == pytest.approx(float(xp.grad(by_a)(xp.asarray(3.0))), rel=1e-13)


def test_derivatives_at_the_ends() -> None:
    """By parameters the derivative is 0 where the function is 0 or 1 for every parameter, and NaN where it is NaN."""
    inf = xp.inf
    for name, arguments, expected in [
        ("gammainc", ([2.0, 2.0, -1.0], [0.0, inf, 1.0]), [0, 0, np.nan]),
        ("betainc", ([2.0, 2.0, -1.0], [3.0, 3.0, 1.0], [0.0, 1.0, 0.5]), [0, 0, np.nan]),
        ("stdtr", ([2.0, 2.0, -1.0], [inf, 0.0, 1.0]), [0, 0, np.nan]),
        ("fdtr", ([3.0, 3.0, -1.0], [4.0, 4.0, 1.0], [0.0, inf, 0.5]), [0, 0, np.nan]),
        ("zeta", ([inf, 2.0, 0.5], [2.0, inf, 1.0]), [0, 0, np.nan]),
    ]:
        function = getattr(special, name)
        with xp.config(kernels="python"):
            found = xp.grad(lambda *v, function=function: xp.sum(function(*v)))(*map(xp.asarray, arguments))
        np.testing.assert_allclose(np.asarray(found), expected, atol=1e-100, err_msg=name)


# ---------------------------------------------------------------------- sums of exponentials


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis: Any, keepdims: bool) -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(0, 30, (4, 5, 6))
    b = rng.normal(0, 1, (5, 6))
    ours = special.logsumexp(xp.asarray(a), axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(np.asarray(ours), scipy.special.logsumexp(a, axis=axis, keepdims=keepdims), rtol=1e-14)
    ours = special.logsumexp(xp.asarray(a), axis=axis, b=xp.asarray(b), keepdims=keepdims, return_sign=True)
    theirs = scipy.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=True)
    for o, t in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(o), t, rtol=1e-13)
    ours = special.logsumexp(xp.asarray(a), axis=axis, b=xp.asarray(b), keepdims=keepdims)
    np.testing.assert_allclose(np.asarray(ours), scipy.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims), rtol=1e-13)


def test_logsumexp_at_the_edges() -> None:
    inf, nan = np.inf, np.nan
    for values in ([-inf, -inf], [inf, 1.0], [nan, 1.0], [1e300, 1e300], [-1e300, 0.0], [0.0, -40.0], [3.0]):
        ours = float(special.logsumexp(xp.asarray(values)))
        np.testing.assert_allclose(ours, scipy.special.logsumexp(values), rtol=1e-15, err_msg=str(values))
    assert float(special.logsumexp(xp.asarray([1.0, inf]), b=xp.asarray([1.0, 0.0]))) == 1.0
    assert np.isnan(float(special.logsumexp(xp.asarray([1.0, 2.0]), b=xp.asarray([1.0, -1.0]))))
    assert float(special.logsumexp(xp.zeros((0,)))) == -inf
    assert special.logsumexp(xp.zeros((3, 0)), axis=1).shape == (3,)
    assert special.logsumexp(xp.asarray([1, 2])).dtype == xp.float64
    z = np.asarray([1 + 2j, -1 + 0.5j, 2 - 3j])
    np.testing.assert_allclose(np.asarray(special.logsumexp(xp.asarray(z))), scipy.special.logsumexp(z), rtol=1e-14)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, dtype: Any, axis: Any) -> None:
    x = np.random.default_rng(5).normal(0, 50, (4, 5, 6)).astype(dtype)
    ours = getattr(special, name)(xp.asarray(x), axis=axis)
    assert ours.dtype == dtype
    np.testing.assert_allclose(np.asarray(ours), getattr(scipy.special, name)(x, axis=axis), rtol=1e-4 if dtype is np.float32 else 1e-12)
    infinite = xp.asarray([-xp.inf, 0.0, 1.0])
    assert float(getattr(special, name)(infinite)[0]) == (0.0 if name == "softmax" else -np.inf)


# ---------------------------------------------------------------------- SciPy


def test_scipy_stays_on_our_arrays() -> None:
    """With its dispatch on, `scipy.special.f(array)` is our function wherever we have one, and an Array comes back."""
    source = """
import numpy as np, mtarray as xp, scipy.special as sp
from scipy.special._support_alternative_backends import _special_funcs
seen = 0
for info in _special_funcs:
    mine = getattr(xp.special, info.name, None)
    if mine is None:
        continue
    args = [xp.asarray([0.25, 0.5]) if not (info.int_only and info.int_only[i]) else xp.asarray([1, 2]) for i in range(info.n_args)]
    if info.name == "zeta":
        args[0] = args[0] + 2
    result = getattr(sp, info.name)(*args)
    assert isinstance(result, xp.Array), info.name
    assert bool(xp.all(result == mine(*args))), info.name
    seen += 1
assert seen >= 38, seen
for name in ("logsumexp", "softmax", "log_softmax"):
    assert isinstance(getattr(sp, name)(xp.asarray([1.0, 2.0])), xp.Array)
"""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_strict_mode_refuses() -> None:
    with xp.strict(), pytest.raises(TypeError, match="strict"):
        special.erf(xp.asarray([0.5]))


def test_registry_names_do_not_collide() -> None:
    """No op of another section lost its entry to one of these."""
    assert all(REGISTRY[op.name] is op for op in OPS.values())
