"""Derivatives compared with differences of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._array import Array, fresh, value
from .._operands import lift
from . import tape
from .transforms import _operand, jvp, vjp
from .trees import flatten, paths


def central_difference(f: Callable[..., Any], *args: Any, arg: int = 0, epsilon: float | None = None) -> Array:
    """(f(x + h) - f(x - h)) / 2h for every element of the argument number `arg`: of the result's shape + the argument's.

    epsilon: h; by default the cube root of the dtype's precision, times the element's size where that is above 1. For a complex argument
    of a real function df/dx + i df/dy. TypeError for arguments that are not floating, or a complex function of a complex argument.

    >>> import mtarray as xp
    >>> xp.autodiff.central_difference(lambda x: x[0] * x[1], xp.asarray([2.0, 3.0]), epsilon=0.5)
    Array([3., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    if not -len(args) <= arg < len(args):
        raise ValueError(f"central_difference: arg={arg}, but there are {len(args)} arguments")
    x = np.array(value(_operand(args[arg], "central_difference")))
    arg %= len(args)

    def run(v: Any) -> Any:
        with tape.no_grad():
            y = f(*[fresh(v.copy()) if i == arg else _separate(a) for i, a in enumerate(args)])
        return np.asarray(value(lift(y, "central_difference")))

    columns = []
    for at in np.ndindex(x.shape):
        h = _step(x[at], epsilon)
        column = _difference(run, x, at, h)
        if x.dtype.kind == "c":
            if column.dtype.kind == "c":
                raise TypeError(
                    "central_difference: a complex function of a complex argument has no gradient; take its real part, or imaginary"
                )
            column = column + 1j * _difference(run, x, at, 1j * h)
        columns.append(column)
    if not columns:
        return fresh(np.zeros(run(x).shape + x.shape, x.dtype))
    out = np.stack(columns, axis=-1).reshape(columns[0].shape + x.shape)
    return fresh(np.asarray(out, np.result_type(out.dtype, x.dtype)))


def _difference(run: Callable[[Any], Any], x: Any, at: Any, h: Any) -> Any:
    up, down = x.copy(), x.copy()
    up[at] += h
    down[at] -= h
    with np.errstate(all="ignore"):
        return (run(up) - run(down)) / abs(up[at] - down[at])  # by the step that was really taken, rounded


def _step(x: Any, epsilon: float | None) -> Any:
    precision = np.finfo(x.dtype).eps
    return x.dtype.type((precision ** (1 / 3) if epsilon is None else epsilon) * max(1.0, abs(x) if epsilon is None else 1.0))


def _separate(a: Any) -> Any:
    """An argument in memory of its own: the function may write into it."""
    leaves, build = flatten(a)
    return build([fresh(np.array(value(v))) if v.__class__ is Array else v for v in leaves])


def floating(leaves: Sequence[Any]) -> list[int]:
    """The places of those that can be differentiated by."""
    return [i for i, x in enumerate(leaves) if x.__class__ in (float, complex) or getattr(getattr(x, "dtype", None), "kind", "?") in "fc"]


_MODES = ("vjp", "jvp")


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = _MODES,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    epsilon: float | None = None,
    seed: int = 0,
) -> None:
    """Compare the derivatives of f at `args` with central differences, in every element of every floating argument, up to `order`.

    args: a tuple of arguments: arrays and floats, containers of them, and what else f takes, which is passed on. Of several results, or
    of an array, a random combination (by `seed`) is differentiated, and the errors tell its derivatives. modes: "vjp" compares its
    gradient, "jvp" the derivative of each result in random directions, one for each argument; both together also compare the two with
    each other, to rounding. Order 2 does the same with the derivatives themselves, so a mode within a mode.

    rtol: by default 1e-6, with float32 anywhere 5e-3, relative to the largest derivative by the same argument; atol: 1e-9 or 1e-3 added
    to it, and the rounding of the differences. epsilon: see `central_difference`. f is called 2n times and more for n elements.

    AssertionError that names the order and mode, the argument, the element and both values; TypeError for arguments nothing of which is
    floating.

    >>> import mtarray as xp
    >>> xp.autodiff.check_grads(lambda x, n: xp.sin(x) ** n, (xp.asarray([0.5, 2.0]), 3))
    >>> xp.autodiff.check_grads(lambda x: xp.sum(x * xp.autodiff.stop_gradient(x)), (xp.asarray([0.5, 2.0]),), epsilon=2**-10)
    Traceback (most recent call last):
        ...
    AssertionError: check_grads: vjp of order 1, by args[0][0]: 0.5, by central difference 1.0 (2 of 2 elements differ)
    """
    if not isinstance(args, (tuple, list)):
        raise TypeError("check_grads: args must be a tuple, one entry for each argument of the function")
    if order < 1 or not modes or not set(modes) <= set(_MODES):
        raise ValueError(f"check_grads: order={order} must be at least 1, and modes={tuple(modes)} some of 'vjp', 'jvp'")
    leaves, build = flatten(tuple(args))
    at = floating(leaves)
    if not at:
        raise TypeError("check_grads: none of the arguments is a floating-point array")
    where = [f"args{p}" for p in paths(tuple(args))]

    def g(*xs: Any) -> Any:
        full = [_separate(v) for v in leaves]
        for i, x in zip(at, xs):
            full[i] = x
        found = [lift(y, "check_grads") for y in flatten(f(*build(full)))[0]]
        return tuple([y for y in found if y._dtype.kind in "fc"])

    xs = [fresh(np.array(value(_operand(leaves[i], "check_grads")))) for i in at]
    _Check([where[i] for i in at], modes, rtol, atol, epsilon, np.random.default_rng(seed)).run(g, xs, order)


class _Check:
    def __init__(self, names: list[str], modes: Sequence[str], rtol: Any, atol: Any, epsilon: Any, rng: Any) -> None:
        self.names = names
        self.modes = [m for m in _MODES if m in modes]
        self.rtol = rtol
        self.atol = atol
        self.epsilon = epsilon
        self.rng = rng

    def run(self, f: Callable[..., Any], xs: list[Array], order: int, level: int = 1, made: str = "") -> None:
        """Check f, a function from arrays to a tuple of arrays, itself a derivative of order `level` - 1 by the modes `made`."""
        with tape.no_grad():
            ys = f(*[_separate(x) for x in xs])
        if not ys:
            raise TypeError("check_grads: the function returned no floating-point array")
        self.single = any(a._dtype.itemsize == (4 if a._dtype.kind == "f" else 8) for a in (*xs, *ys))
        cs = [self._random(y) for y in ys]
        if len(ys) == 1 and ys[0].size == 1 and ys[0]._dtype.kind == "f":
            cs = [fresh(np.ones(ys[0]._shape, ys[0]._dtype))]
        ts = [self._random(x) for x in xs]
        gradients = vjp(f, *[_separate(x) for x in xs])[1](tuple(cs)) if "vjp" in self.modes else None
        for i in range(len(xs)):
            if gradients is not None:
                self._gradient(f, xs, i, cs, gradients[i], f"{made}vjp of order {level}")
            if "jvp" in self.modes:
                dys = self._direction(f, xs, i, ts[i], f"{made}jvp of order {level}")
                if gradients is not None:
                    forward, scale = _dot(cs, dys)
                    reverse, other = _dot([ts[i]], [gradients[i]])
                    # Two ways to one number: they differ by rounding, which grows with the number of terms.
                    if not abs(forward - reverse) <= self._precision() ** 0.75 * max(scale, other) + self._atol():
                        raise AssertionError(
                            f"check_grads: {made}jvp and vjp of order {level} disagree, by {self.names[i]} in a random direction: "
                            f"{forward!r} and {reverse!r}"
                        )
        if order > 1:
            if "vjp" in self.modes:
                self.run(lambda *vs: vjp(f, *vs)[1](tuple(cs)), xs, order - 1, level + 1, f"{made}vjp, then ")
            if "jvp" in self.modes:
                self.run(lambda *vs: jvp(f, vs, tuple(ts))[1], xs, order - 1, level + 1, f"{made}jvp, then ")

    def _gradient(self, f: Any, xs: list[Array], i: int, cs: list[Array], g: Array, what: str) -> None:
        """The gradient g of the combination of results by xs[i], against differences."""

        def combined(v: Array) -> Array:
            return fresh(np.asarray(_dot(cs, f(*[v if j == i else _separate(x) for j, x in enumerate(xs)]))[0]))

        expected = value(central_difference(combined, xs[i], epsilon=self.epsilon))
        with tape.no_grad():
            size = _dot(cs, f(*[_separate(x) for x in xs]))[1]
        self._compare(value(g), expected, size, what, self.names[i])

    def _direction(self, f: Any, xs: list[Array], i: int, t: Array, what: str) -> Any:
        """The derivatives of the results along t of xs[i], against differences; returns them."""
        point, step = value(xs[i]), value(t)

        def along(s: Any) -> Any:
            moved = fresh(np.asarray(point + s * step, point.dtype))
            with tape.no_grad():
                return [np.array(value(y)) for y in f(*[moved if j == i else _separate(x) for j, x in enumerate(xs)])]

        zero = [fresh(np.zeros(x._shape, x._dtype)) for x in xs]
        dys = jvp(f, tuple([_separate(x) for x in xs]), tuple([t if j == i else z for j, z in enumerate(zero)]))[1]
        h = float(_step(point.real.dtype.type(abs(point).max(initial=0)), self.epsilon))
        for k, (dy, up, down) in enumerate(zip(dys, along(h), along(-h))):
            with np.errstate(all="ignore"):
                expected = (up - down) / (2 * h)
            size = float(np.abs(up[np.isfinite(up)]).max(initial=0))
            name = f"{self.names[i]} in a random direction, of the result" + (f" [{k}]" if len(dys) > 1 else "")
            self._compare(value(dy), expected, size, what, name)
        return dys

    def _compare(self, found: Any, expected: Any, size: float, what: str, name: str) -> None:
        if found.shape != expected.shape:
            raise AssertionError(f"check_grads: {what}, by {name}: shape {found.shape}, expected {expected.shape}")
        precision = self._precision()
        rounding = 10 * precision * size / (precision ** (1 / 3) if self.epsilon is None else self.epsilon)
        rtol = self.rtol if self.rtol is not None else (5e-3 if self.single else 1e-6)
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        wrong = ~(np.abs(found - expected) <= rtol * largest + self._atol() + rounding)
        if not wrong.any():
            return
        at = tuple([int(n) for n in np.argwhere(wrong)[0]])
        hint = "" if np.isfinite(expected[at]) else "; f is not finite so near: pass a smaller epsilon, or another point"
        count = int(wrong.sum())
        more = f" ({count} of {wrong.size} elements differ)" if wrong.size > 1 else ""
        place = str(list(at)) if at else ""
        raise AssertionError(f"check_grads: {what}, by {name}{place}: {found[at]}, by central difference {expected[at]}{hint}{more}")

    def _precision(self) -> float:
        return float(np.finfo(np.float32 if self.single else np.float64).eps)

    def _atol(self) -> float:
        return self.atol if self.atol is not None else (1e-3 if self.single else 1e-9)

    def _random(self, x: Array) -> Array:
        draws = self.rng.uniform(0.5, 1.0, x._shape) * self.rng.choice([-1.0, 1.0], x._shape)
        if x._dtype.kind == "c":
            draws = draws + 1j * self.rng.uniform(-1, 1, x._shape)
        return fresh(np.asarray(draws).astype(x._dtype))


def _dot(cs: Sequence[Array], ys: Sequence[Array]) -> tuple[float, float]:
    """The real inner product of two lists of arrays, in double precision, and the sum of its terms' sizes."""
    total = scale = 0.0
    for c, y in zip(cs, ys):
        a, b = (np.asarray(value(v), np.complex128) for v in (c, y))
        with np.errstate(all="ignore"):
            terms = a.real * b.real + a.imag * b.imag
        total += float(terms.sum())
        scale += float(np.abs(terms).sum())
    return total, scale
