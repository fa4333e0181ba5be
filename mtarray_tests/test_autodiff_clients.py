"""Derivatives of other people's code, unmodified, against central differences of the same code run with NumPy.

`autodiff_clients` has the functions: `cases` those that are differentiated, `out_of_reach` those that cannot be, with the reason. What is
computed outside the array API (in C, or on `np.asarray` of its argument) must say so, never answer with zeros.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff

from .autodiff_clients import Case, cases, out_of_reach, piecewise_constant

CLIENTS = ("scipy", "sklearn", "einops", "array_api_extra")
pytestmark = [
    pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in CLIENTS), reason="the extra `clients` is not installed"),
    pytest.mark.filterwarnings("ignore"),  # clients' own: few samples, no convergence, divisions that they correct afterwards
]
CASES = list(cases()) if all(importlib.util.find_spec(name) is not None for name in CLIENTS) else []
OUT_OF_REACH = list(out_of_reach()) if CASES else []


def flat(y: Any) -> list[Any]:
    """The arrays of nested tuples and lists."""
    return [v for part in y for v in flat(part)] if isinstance(y, (tuple, list)) else [y]


def inner(c: Any, y: Any) -> float:
    """The real inner product, for which cotangents are df/dx + i df/dy."""
    return float(np.sum(np.real(np.conj(c) * y)))


def close(found: Any, expected: Any) -> None:
    """Equal within what central differences are good for."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * max(1e-3, float(np.abs(expected).max(initial=0))))


def jacobian(case: Case) -> list[list[list[np.ndarray]]]:
    """Central differences of each result, by each element, of each argument: computed by NumPy alone."""
    columns: list[list[list[np.ndarray]]] = []
    for i, x in enumerate(case.args):
        columns.append([])
        for k in np.ndindex(x.shape):
            h = 6e-6 * max(1.0, abs(x[k]))
            ends = []
            for step in (h, -h):
                moved = [a.copy() for a in case.args]
                moved[i][k] += step
                ends.append([np.asarray(v) for v in flat(case.run(*moved))])
            columns[i].append([(up - down) / (2 * h) for up, down in zip(*ends)])
    return columns


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_derivatives(case: Case) -> None:
    """Values, one pullback of a random cotangent and one tangent in a random direction, by all arguments at once."""

    def run(*args: Any) -> tuple[Any, ...]:
        return tuple(flat(case.run(*args)))

    rng = np.random.default_rng(1)
    expected = [np.asarray(v) for v in flat(case.run(*[a.copy() for a in case.args]))]
    columns = jacobian(case)
    cotangents = [rng.normal(size=v.shape) + (1j * rng.normal(size=v.shape) if v.dtype.kind == "c" else 0.0) for v in expected]
    tangents = [rng.normal(size=a.shape) for a in case.args]
    args = [xp.asarray(a, copy=True) for a in case.args]

    results, pullback = autodiff.vjp(run, *args)
    for y, v in zip(results, expected, strict=True):
        np.testing.assert_allclose(np.asarray(y), v, rtol=1e-9, atol=1e-12)
    gradients = pullback(tuple([xp.asarray(c, dtype=y.dtype) for c, y in zip(cotangents, results)]))
    for g, a, by_element in zip(gradients, case.args, columns):
        by_hand = np.reshape([sum([inner(c, d) for c, d in zip(cotangents, d)]) for d in by_element], a.shape)
        assert np.any(by_hand), "a function of which every derivative is 0 tests nothing"
        close(g, by_hand)

    _, moved = autodiff.jvp(run, tuple(args), tuple([xp.asarray(t) for t in tangents]))
    for k, dy in enumerate(moved):
        close(dy, sum([t[at] * d[k] for t, by_element in zip(tangents, columns) for at, d in zip(np.ndindex(t.shape), by_element)]))
    for a, before in zip(args, case.args):
        assert np.array_equal(np.asarray(a), before), "an argument was written"


# The slopes of these by their parameters are ops without a derivative of their own; and eigenvectors have no second derivative by the
# usual formula where other eigenvalues coincide, as those of a mean of two rotations do.
ONCE = "chdtr chdtrc gammainc gammaincc stdtr betainc fdtr fdtrc stdtrit zeta".split()
NOT_TWICE = {f"scipy-special.{name}" for name in ONCE} | {"scipy-stats.ttest_ind of Welch", "scipy-Rotation.mean"}


@pytest.mark.parametrize("case", [c for c in CASES if c.id not in NOT_TWICE], ids=lambda c: c.id)
def test_second_derivatives(case: Case) -> None:
    """Forward over reverse, against differences of the gradient, in a random direction by all arguments at once."""
    rng = np.random.default_rng(1)
    weights = [xp.asarray(rng.normal(size=np.shape(v))) for v in flat(case.run(*[a.copy() for a in case.args]))]
    args = tuple([xp.asarray(a, copy=True) for a in case.args])
    direction = tuple([xp.asarray(rng.normal(size=a.shape)) for a in case.args])

    def combined(*xs: Any) -> Any:
        return sum([xp.sum(xp.real(y) * w) for y, w in zip(flat(case.run(*xs)), weights)])

    gradient = xp.grad(combined, tuple(range(len(args))))
    h = 1e-5
    up, down = (gradient(*[a + s * t for a, t in zip(args, direction)]) for s in (h, -h))
    for found, u, d in zip(autodiff.jvp(gradient, args, direction)[1], up, down):
        expected = np.asarray(u - d) / (2 * h)
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5, atol=1e-5 * max(1e-2, np.abs(expected).max(initial=0)))


def test_how_many() -> None:
    assert len(CASES) >= 300
    assert {c.client for c in CASES} == set(CLIENTS)
    assert len({c.id for c in (*CASES, *OUT_OF_REACH)}) == len(CASES) + len(OUT_OF_REACH)


@pytest.mark.parametrize("case", list(piecewise_constant()) if CASES else [], ids=lambda c: c.id)
def test_piecewise_constant(case: Case) -> None:
    assert not any(np.any(d) for by_element in jacobian(case) for d in by_element)
    results, pullback = autodiff.vjp(lambda *args: tuple(flat(case.run(*args))), *[xp.asarray(a) for a in case.args])
    for g in pullback(tuple([xp.ones_like(y) for y in results])):
        assert not xp.any(g)


def told(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from or in place of, is ours and says that the derivative ends here."""
    while error is not None:
        if "no derivative can follow" in str(error) or isinstance(error, autodiff.NoDerivativeError):
            return True
        error = error.__cause__ or error.__context__
    return False


@pytest.mark.parametrize("forward", [False, True], ids=["vjp", "jvp"])
@pytest.mark.parametrize("case", OUT_OF_REACH, ids=lambda c: c.id)
def test_out_of_reach(case: Case, forward: bool) -> None:
    """No silent zeros; without a derivative the function runs as it always did."""
    args = [xp.asarray(a, copy=True) for a in case.args]
    case.run(*args)

    def differentiate() -> None:
        if forward:
            autodiff.jvp(case.run, tuple(args), tuple(args))
        else:
            y, pullback = autodiff.vjp(case.run, *args)
            pullback(xp.ones_like(y))

    with pytest.raises(Exception) as caught:
        differentiate()
    assert told(caught.value) or "replaces our error" in case.why, repr(caught.value)


def _cleared(x: Any) -> Any:
    h = 1 / x
    h[x == 0] = 0.0
    return xp.sum(h * h)


UNUSED = {
    "where": lambda x: xp.sum(xp.where(x == 0, 0.0, x**2 * xp.log(x))),
    "overwritten": _cleared,
    "not selected": lambda x: xp.sum((1 / x)[x != 0] ** 2),
    "not taken": lambda x: xp.sum(xp.take(xp.log(x), xp.asarray([1, 2]))),
    "outside a window": lambda x: xp.log(x)[1],
    "clipped": lambda x: xp.sum(xp.clip(xp.log(x), -1.0, 9.0)),
    "not the largest": lambda x: xp.max(xp.log(x)),
    "joined, outside a window": lambda x: xp.concat([xp.log(x), x])[2],
    "sorted, outside a window": lambda x: xp.sum(xp.sort(xp.log(x))[1:]),
}


@pytest.mark.parametrize("name", UNUSED)
def test_unused_elements_do_not_spoil_the_rest(name: str) -> None:
    """The element 0 has an infinite logarithm or inverse; where no result depends on it, its gradient is 0, to any order."""
    f = UNUSED[name]
    x, near = xp.asarray([0.0, 1.0, 2.0]), xp.asarray([1e-3, 1.0, 2.0])
    gradient, hessian = xp.grad(f)(x), autodiff.hessian(f)(x)
    assert float(gradient[0]) == 0.0
    assert not xp.any(hessian[0, :] != 0.0)
    np.testing.assert_allclose(np.asarray(gradient[1:]), np.asarray(xp.grad(f)(near)[1:]), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(hessian[1:, 1:]), np.asarray(autodiff.hessian(f)(near)[1:, 1:]), rtol=1e-12)
    if name in ("clipped", "not the largest"):
        return  # forward mode scales tangents by 0 there, and 0 times infinity is nan
    _, slope = autodiff.jvp(f, (x,), (xp.asarray([0.0, 1.0, 0.0]),))
    np.testing.assert_allclose(float(slope), float(gradient[1]), rtol=1e-12)


def test_what_is_used_stays_infinite() -> None:
    assert float(xp.grad(lambda x: xp.sum(xp.sqrt(x)))(xp.asarray([0.0, 1.0]))[0]) == float("inf")
    assert np.isnan(float(xp.grad(lambda x: xp.sqrt(x) ** 2)(0.0)))
