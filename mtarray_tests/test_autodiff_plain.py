"""Small gradients on ndarrays: the same values as on arrays, wherever the sweep takes them from the one to the other."""

import math

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff
from mtarray._ops import REGISTRY
from mtarray.autodiff import plain, sweep
from mtarray.autodiff.rules import rules_of

from .test_autodiff_catalogue import CASES, Case


@pytest.fixture(scope="module", autouse=True)
def no_rule_of_ours_fails():
    """A rule that raises on ndarrays is left to arrays, without a word: among ours there must be none."""
    yield
    known = [op for op in REGISTRY.values() if op.section.startswith("mtarray.") and op.rules is not None]
    assert [op.name for op in known if op.rules.plain == () and plain.plain_rules(op.rules)] == []


def gradients(f, *arrays):
    """Of a weighted sum of all that f returns."""

    def total(*xs):
        ys = f(xp, *xs)
        parts = [
            xp.sum(y * xp.asarray(np.cos(np.arange(y.size)).reshape(y.shape))) for y in (ys if isinstance(ys, (tuple, list)) else (ys,))
        ]
        return sum(parts[1:], parts[0])

    return [g.__array__() for g in xp.grad(total, argnums=tuple(range(len(arrays))))(*arrays)]


@pytest.mark.parametrize("case", [c for c in CASES if "f" in c.kinds], ids=lambda c: c.id)
@pytest.mark.filterwarnings("ignore")
def test_ndarrays_and_arrays_carry_back_the_same(case: Case, monkeypatch: pytest.MonkeyPatch):
    arrays = [xp.asarray(a) for a in case.arrays("f")]
    try:
        small = gradients(case.f, *arrays)
    except (TypeError, RuntimeError):
        pytest.skip("no gradient to compare")
    monkeypatch.setattr(plain, "SMALL", -1)
    for g, expected in zip(small, gradients(case.f, *arrays)):
        assert g.dtype == expected.dtype
        np.testing.assert_allclose(g, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, w, b: xp.sum(xp.maximum(x @ w + b, 0.0) ** 2) / 3,
        lambda x, w, b: xp.mean(xp.exp(x - xp.max(x, axis=1, keepdims=True)) / (1 + x * x)),
        lambda x, w, b: xp.sum(xp.sqrt(xp.abs(x[:, ::-1] * x[::2, :][1]))) + xp.sum(xp.reshape(x, (-1,))[3:7]),
        lambda x, w, b: xp.sum(xp.where(x > 0.5, xp.log(x), xp.sin(w[0, 0]) * b[:4])),
        lambda x, w, b: xp.sum(xp.linalg.inv(xp.matmul(x, x.mT) + xp.eye(6, dtype=x.dtype))) + xp.max(b),
        lambda x, w, b: xp.sum(xp.sum(xp.broadcast_to(b, (3, 5)), axis=0) * w[1]) + x[2, 1] ** 3,
    ],
)
def test_programs_that_change_between_both(f, dtype: str, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(3)
    arrays = [xp.asarray(rng.uniform(0.1, 1, s).astype(dtype)) for s in ((6, 4), (4, 5), (5,))]
    small = xp.grad(f, argnums=(0, 1, 2))(*arrays)
    monkeypatch.setattr(plain, "SMALL", -1)
    for g, expected in zip(small, xp.grad(f, argnums=(0, 1, 2))(*arrays)):
        assert g.dtype == dtype
        np.testing.assert_allclose(g, expected, rtol=2e-5 if dtype == "float32" else 1e-12, atol=1e-7 if dtype == "float32" else 1e-14)


def test_in_place_updates_between(monkeypatch: pytest.MonkeyPatch):
    def f(x):
        y = xp.exp(x)
        y[2:5] *= x[:3]
        y[::2] = xp.sin(y[1::2])
        return xp.sum(y * y)

    x = xp.linspace(0.1, 1.0, 8)
    g = xp.grad(f)(x)
    monkeypatch.setattr(plain, "SMALL", -1)
    np.testing.assert_allclose(g, xp.grad(f)(x), rtol=1e-13)


def test_the_common_ops_have_twins():
    """Otherwise small networks are slow, and nothing else would tell."""
    common = (
        "add subtract multiply divide negative abs square pow sqrt exp log log1p tanh sin cos maximum minimum where sum max min product"
    )
    assert [n for n in common.split() if not plain.plain_rules(rules_of(REGISTRY[n]))] == []


def test_a_rule_that_asks_for_what_ndarrays_have_not_stays_with_arrays():
    def private(x):
        return x._shape

    def foreign(x):
        return math.nan if np.any(x) else xp

    for rule in (private, foreign):
        with pytest.raises(plain._NoTwin):
            plain.rebuilt(rule)


def test_a_rule_that_fails_on_ndarrays_is_left_to_arrays():
    calls = []

    def slope(x):
        calls.append(type(x))
        if isinstance(x, np.ndarray):
            raise AttributeError("not with an ndarray")
        return 2 * x

    @xp.elementwise(derivative=slope)
    def squared(x):
        return x * x

    g = xp.grad(lambda x: xp.sum(squared(x)))
    x = xp.asarray([1.0, 2.0])
    assert g(x).tolist() == g(x).tolist() == [2.0, 4.0]
    assert np.ndarray not in calls  # a user's function is not rebuilt


def test_numbers_and_warnings():
    """0-d cotangents are NumPy's scalars on the way; what they overflow or divide warns nobody."""
    x = xp.asarray(0.0)
    g = xp.grad(lambda x: xp.sqrt(x) + 1 / x)(x)
    assert np.isnan(float(g)) or np.isinf(float(g))
    assert xp.grad(lambda x: x * x * 3 - x)(xp.asarray(2.0)).tolist() == 11.0


def test_the_cotangent_of_a_user_is_not_written():
    c = xp.asarray([1.0, 2.0, 3.0])
    _, pullback = autodiff.vjp(lambda x: xp.concat([x + x, x * 2.0])[:3] + x, xp.asarray([1.0, 2.0, 3.0]))
    (first,) = pullback(c)
    first *= 0
    (second,) = pullback(c)
    assert c.tolist() == [1.0, 2.0, 3.0]
    assert second.tolist() == [3.0, 6.0, 9.0]


def test_what_others_record_stays_with_arrays():
    seen = []
    carry = sweep.carry
    try:
        sweep.carry = lambda *args: (out := carry(*args), seen.append(out))[0]
        x = xp.asarray([0.3, 0.4])
        xp.grad(lambda x: xp.sum(xp.exp(x) * x))(x)
        assert all(seen)
        h = xp.grad(lambda x: xp.sum(xp.grad(lambda x: xp.sum(xp.exp(x) * x))(x)))(x)
    finally:
        sweep.carry = carry
    np.testing.assert_allclose(h, np.exp(x.__array__()) * (x.__array__() + 2), rtol=1e-14)
