"""Derivatives of users' reductions and scans, from the two partial derivatives of the function that combines two values.

Of a reduction, y = combine(before, combine(x, after)) for each element x, by associativity, where `before` and `after` are what stands
before and after it: running combines from either end, so all derivatives together take O(n). Of a scan, y[k] = combine(y[k - 1], x[k]),
and the cotangents obey a linear recurrence from the end.
"""

from __future__ import annotations

import itertools
import types
from math import prod
from typing import Any

import numpy as np

from .. import _array
from .._array import Array, value
from .._config import config
from .._dtypes import FLOATING
from .._operands import run_quietly
from .._ops import Vjp, engine, scan
from .deriving import Partial
from .sweep import NoDerivativeError

_FEW = 64  # elements of a line below which it is combined as one
_LANES = 32  # lines from which they are combined side by side
_SAMPLES = 4  # elements that associativity and commutativity are checked on, in all orders of three


@engine(vjp=(lambda g, a, y, axis, reverse: _by_factor(g, a, y, axis, reverse), lambda g, a, axis, reverse: _carried(g, a, axis, reverse)))
def linear_recurrence(a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    """y[k] = a[k] y[k - 1] + b[k] along an axis, the first b's own; reverse: from the end, with y[k + 1]. One shape and floating dtype."""
    from .._kernels.cpu import recurrence

    run: Any = recurrence.linear_python if config.kernels == "python" else recurrence.linear
    return run(a, b, axis, reverse)


def _slices(ndim: int, axis: int, start: int | None, stop: int | None) -> Any:
    return (slice(None),) * (axis % ndim) + (slice(start, stop),)


def _shifted(x: Array, axis: int, steps: int, fill: float) -> Array:
    """x[k + steps] in the place of x[k], for steps of 1 or -1; `fill` where there is none."""
    xp = _array.xp
    rest = x[_slices(x.ndim, axis, max(steps, 0), None if steps > 0 else steps)]
    end = xp.full(tuple([1 if i == axis % x.ndim else n for i, n in enumerate(x.shape)]), fill, dtype=x.dtype)
    return xp.concat([rest, end] if steps > 0 else [end, rest], axis=axis)


def _carried(g: Array, a: Array, axis: int, reverse: bool) -> Array:
    """The cotangent of b: a recurrence the other way, with the factor of the step that a value went into."""
    xp = _array.xp
    factors = _shifted(xp.conj(a) if a.dtype.kind == "c" else a, axis, -1 if reverse else 1, 0.0)
    return xp.asarray(linear_recurrence(factors, g, axis=axis, reverse=not reverse))


def _by_factor(g: Array, a: Array, y: Array, axis: int, reverse: bool) -> Array:
    before = _shifted(y, axis, 1 if reverse else -1, 0.0)
    return _carried(g, a, axis, reverse) * (_array.xp.conj(before) if before.dtype.kind == "c" else before)


def _slope(partial: Partial, a: Array, b: Array) -> Array:
    """A partial derivative of combine(a, b), as an array of the operands' shape."""
    found = partial(a, b)
    return found if partial.number is None else _array.xp.full(a.shape, found, dtype=a.dtype)


class _Combine:
    """What the derivative of a fold needs of its function; associativity and commutativity are checked on elements of the first array."""

    def __init__(self, op: Any, folds: bool) -> None:
        self.op = op
        self.by_first = Partial(op, 0, folds)
        self.by_second = Partial(op, 1, folds)
        self.checked = False
        self._scan: Any = None

    def running(self, x: Array, axis: int) -> Array:
        """The running combines of `x` along an axis, from the op that the function makes as a scan."""
        if self._scan is None:
            op, f = self.op, self.op.scalar_function
            function = types.FunctionType(f.__code__, f.__globals__, f"running_{op.name}", None, f.__closure__)
            dtypes = tuple([d for d in op.dtypes if d in FLOATING])
            self._scan = scan(identity=op.identity, dtypes=dtypes, accumulate=lambda d: d)(function)
            self._scan.op._scalar = op.scalar  # which has captured its constants
        return self._scan(x, axis=axis)

    def check(self, x: Array, commutes: bool) -> None:
        """NoDerivativeError if combines of elements of `x` depend on how they are grouped (or ordered)."""
        if self.checked or prod(x.shape) < 2:
            return
        flat = value(x)
        while flat.ndim > 1:  # a few elements, wherever they lie
            flat = flat[len(flat) // 2]
        samples = np.unique(flat[:: max(1, len(flat) // _SAMPLES)])[:_SAMPLES]
        tolerance = 1e-3 if x.dtype.itemsize // (2 if x.dtype.kind == "c" else 1) == 4 else 1e-8
        for triple in itertools.product(samples, repeat=3):
            run_quietly(self._check, *triple, tolerance, commutes)
        self.checked = len(samples) > 1  # equal elements say little

    def _check(self, a: Any, b: Any, c: Any, tolerance: float, commutes: bool) -> None:
        combine = self.op.scalar.python
        laws = [
            ("associative", "combine(combine(a, b), c)", combine(combine(a, b), c), "combine(a, combine(b, c))", combine(a, combine(b, c)))
        ]
        if commutes:
            laws.append(("commutative", "combine(a, b)", combine(a, b), "combine(b, a)", combine(b, a)))
        for law, left, u, right, v in laws:
            if np.isfinite(u) and np.isfinite(v) and abs(u - v) > tolerance * max(abs(u), abs(v), abs(a), abs(b), abs(c)):
                raise NoDerivativeError(
                    f"{self.op.name} is declared as a {self.op.kind}, but its function is not {law}: of a = {a}, b = {b}, c = {c}, "
                    f"{left} is {u} and {right} is {v}; so its derivative cannot be derived"
                )


def derive_reduction(op: Any) -> Any:
    """The partial derivative of a reduction by each element, as a declaration holds it."""
    if not any(d in FLOATING for d in op.dtypes):
        return None
    combine = _Combine(op, True)
    if combine.by_first.number == combine.by_second.number == 1.0:
        return 1

    def by_element(x: Array, y: Array, axes: tuple[int, ...]) -> Array:
        xp = _array.xp
        x = x.astype(y.dtype, copy=False)
        combine.check(x, True)
        order = tuple([i for i in range(x.ndim) if i not in axes]) + tuple(axes)
        lines = xp.permute_dims(x, order)
        shape = lines.shape
        kept = x.ndim - len(axes)
        partial = _by_lines(combine, xp.reshape(lines, (*shape[:kept], prod(shape[kept:]))))
        back = tuple([order.index(i) for i in range(x.ndim)])
        return xp.permute_dims(xp.reshape(partial, shape), back)

    # The result is kept, for its dtype, only where the caller may choose that.
    return by_element if op.accumulate is not None else lambda x, axes: by_element(x, x, axes)


def _by_lines(combine: _Combine, x: Array) -> Array:
    """The same for a fold of the last axis.

    A running combine waits for itself at every step: one line of 4,000,000 logarithms of sums took 1.2 s. So it goes along columns, side by
    side in vector lanes and on all cores (0.08 s): many lines are turned into columns, and a long one is laid out as a table, whose totals
    are with what is left over a shorter line.
    """
    xp = _array.xp
    n, lines = x.shape[-1], prod(x.shape[:-1])
    if n < 2 or n * lines < _FEW:
        return _along(combine, x, -1)
    if lines >= _LANES:
        columns = xp.permute_dims(xp.reshape(x, (lines, n)), (1, 0))
        return xp.reshape(xp.permute_dims(_along(combine, xp.asarray(columns, copy=True), 0), (1, 0)), x.shape)
    if n < _FEW:
        return _along(combine, x, -1)
    width = 1 << (4 * n).bit_length() // 2
    size = n // width * width
    table = xp.reshape(x[..., :size], (*x.shape[:-1], size // width, width))
    before = combine.running(table, -2)
    outer = _by_lines(combine, xp.concat([before[..., -1, :], x[..., size:]], axis=-1))
    inner = xp.reshape(_along(combine, table, -2, before) * outer[..., None, :width], (*x.shape[:-1], size))
    return inner if size == n else xp.concat([inner, outer[..., width:]], axis=-1)


def _along(combine: _Combine, x: Array, axis: int, running: Array | None = None) -> Array:
    """Of a fold along an axis, the partial derivative by each element; running: the combines up to each element, if they are known."""
    xp = _array.xp
    first, last = _slices(x.ndim, axis, None, -1), _slices(x.ndim, axis, 1, None)
    one = xp.ones_like(x[_slices(x.ndim, axis, None, 1)])
    if x.shape[axis] < 2:
        return xp.ones_like(x)
    before = (combine.running(x, axis) if running is None else running)[first]
    after = xp.flip(combine.running(xp.flip(x, axis=axis), axis), axis=axis)[last]  # of each element but the last, what follows it
    here = _slope(combine.by_first, x[first], after)  # of combine(x, after) by x
    through = _slope(combine.by_second, before, after)  # of combine(before, combine(x, after)) by the latter, but for the first x
    return xp.concat([here, one], axis=axis) * xp.concat([one, through], axis=axis)


def derive_scan(op: Any) -> Any:
    """The reverse rule of a scan."""
    if not any(d in FLOATING for d in op.dtypes):
        return None
    combine = _Combine(op, False)

    def rule(g: Array, x: Array, y: Array, axis: int, include_initial: bool) -> Array:
        xp = _array.xp
        x = x.astype(y.dtype, copy=False)
        if x.ndim == 0:
            return xp.reshape(g[-1:], ())
        if include_initial:
            g, y = g[_slices(x.ndim, axis, 1, None)], y[_slices(x.ndim, axis, 1, None)]
        if x.shape[axis] < 2:
            return g
        combine.check(x, False)
        one = xp.ones_like(x[_slices(x.ndim, axis, 0, 1)])
        before, new = y[_slices(x.ndim, axis, None, -1)], x[_slices(x.ndim, axis, 1, None)]
        carried = _carried(g, xp.concat([one, _slope(combine.by_first, before, new)], axis=axis), axis, False)
        own = xp.concat([one, _slope(combine.by_second, before, new)], axis=axis)
        return carried * (xp.conj(own) if own.dtype.kind == "c" else own)

    return Vjp(rule)
