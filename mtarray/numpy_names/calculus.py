"""Differences, integrals, running sums, convolution and interpolation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import COMPLEX, FLOATING, WEAK_KIND, float64, promote
from .._ops import engine
from .._strides import axes_of, axis_of
from ..creation import broadcast_to, zeros
from ..elementwise import abs as _abs
from ..elementwise import (
    add,
    conj,
    divide,
    equal,
    greater,
    isfinite,
    isnan,
    less,
    logical_and,
    multiply,
    remainder,
    subtract,
)
from ..indexing import take
from ..manipulation import concat, flip, reshape
from ..searching import searchsorted, where
from ..sorting import argsort
from ..statistical import cumulative_prod, cumulative_sum
from ..statistical import sum as _sum
from ..utility import all as _all
from ..utility import diff
from ._operands import floating, operand, operands


def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running sums along `axis` (None: of the flattened array). dtype: as for `sum`.

    >>> import mtarray as xp
    >>> xp.cumsum(xp.asarray([[1, 2], [3, 4]]))
    Array([ 1,  3,  6, 10], shape=(4,), dtype=int64, device='cpu')
    """
    a = operand(a, "cumsum")
    return cumulative_sum(reshape(a, (-1,)), axis=0, dtype=dtype) if axis is None else cumulative_sum(a, axis=axis, dtype=dtype)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running products along `axis` (None: of the flattened array). dtype: as for `prod`.

    >>> import mtarray as xp
    >>> xp.cumprod(xp.asarray([[1, 2], [3, 4]]))
    Array([ 1,  2,  6, 24], shape=(4,), dtype=int64, device='cpu')
    """
    a = operand(a, "cumprod")
    return cumulative_prod(reshape(a, (-1,)), axis=0, dtype=dtype) if axis is None else cumulative_prod(a, axis=axis, dtype=dtype)


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """Differences of neighbours in the flattened array, with `to_begin` before and `to_end` after them, in the dtype of the array.

    TypeError where these do not fit that dtype.

    >>> import mtarray as xp
    >>> xp.ediff1d(xp.asarray([1, 4, 9]), to_end=0)
    Array([3, 5, 0], shape=(3,), dtype=int64, device='cpu')
    """
    x = reshape(operand(ary, "ediff1d"), (-1,))
    parts = [diff(x)]
    for edge, name, at in ((to_begin, "to_begin", 0), (to_end, "to_end", 2)):
        if edge is not None:
            e = reshape(operand(edge, "ediff1d", device=x.device), (-1,))
            if not np.can_cast(e.dtype, x.dtype, casting="same_kind"):
                raise TypeError(f"ediff1d: {name} of {e.dtype} does not fit the dtype of ary, {x.dtype}")
            parts.insert(at, e.astype(x.dtype))
    return concat(parts)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Derivatives of sampled values by second-order central differences, one-sided of order `edge_order` (1 or 2) at the ends.

    varargs: the distance of samples, one number for all axes or one for each, or the coordinates of the samples along each axis.
    axis: an int, a tuple, or None for all. One array for one axis, else a tuple of one for each.
    ValueError if an axis has fewer than edge_order + 1 samples; TypeError for a wrong number of distances.

    >>> import mtarray as xp
    >>> xp.gradient(xp.asarray([1.0, 4.0, 9.0, 16.0]))
    Array([3., 4., 6., 7.], shape=(4,), dtype=float64, device='cpu')
    """
    f = operand(f, "gradient")
    axes = axes_of(axis, f.ndim)
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(f"gradient: {len(varargs)} distances for {len(axes)} axes; give none, one, or one for each")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order={edge_order} must be 1 or 2")
    given = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    if len(varargs) == 1 and operand(varargs[0], "gradient").ndim and len(axes) > 1:
        raise TypeError(f"gradient: one array of coordinates for {len(axes)} axes; give one for each")
    f = floating(f)
    out = [_slope(f, a, _distances(d, f.shape[a], a, f.device), edge_order) for a, d in zip(axes, given)]
    return out[0] if len(out) == 1 else tuple(out)


def _distances(d: Any, n: int, a: int, device: Any) -> Any:
    """One distance for all neighbours (a number or a 0-d array), or the one-dimensional array of them."""
    if d.__class__ in WEAK_KIND:
        return d
    x = operand(d, "gradient", device=device)
    if x.ndim == 0:
        return x
    if x.ndim > 1:
        raise ValueError(f"gradient: coordinates of shape {x.shape} must be a number or one-dimensional")
    if x.shape != (n,):
        raise ValueError(f"gradient: {x.shape[0]} coordinates for axis {a} of length {n}")
    steps = diff(floating(x))
    return steps[0] if steps.size and bool(_all(equal(steps, steps[0]))) else steps


def _slope(f: Array, a: int, d: Any, edge_order: int) -> Array:
    n = f.shape[a]
    if n < edge_order + 1:
        raise ValueError(f"gradient: axis {a} of shape {f.shape} needs at least {edge_order + 1} samples for edge_order={edge_order}")

    def at(start: int | None, stop: int | None = None) -> Array:
        index: list[Any] = [slice(None)] * f.ndim
        index[a] = slice(start, stop)
        return f[tuple(index)]

    uniform = getattr(d, "ndim", 0) == 0
    along = (1,) * a + (-1,) + (1,) * (f.ndim - a - 1)
    if uniform:
        inner = divide(subtract(at(2), at(None, -2)), d * 2.0)
        left = right = first = last = d
    else:
        h1, h2 = reshape(d[:-1], along), reshape(d[1:], along)
        total = add(h1, h2)
        inner = add(
            add(multiply(divide(-h2, multiply(h1, total)), at(None, -2)), multiply(divide(subtract(h2, h1), multiply(h1, h2)), at(1, -1))),
            multiply(divide(h1, multiply(h2, total)), at(2)),
        )
        first, last = d[0], d[-1]
        left, right = (d[1], d[-2]) if n > 2 else (first, last)
    if edge_order == 1:
        begin, end = divide(subtract(at(1, 2), at(0, 1)), first), divide(subtract(at(-1), at(-2, -1)), last)
    else:
        begin = _edge((first, left), at(0, 1), at(1, 2), at(2, 3), uniform)
        end = -_edge((last, right), at(-1), at(-2, -1), at(-3, -2), uniform)
    return concat([begin, inner, end], axis=a).astype(f.dtype, copy=False)


def _edge(steps: tuple[Any, Any], f0: Array, f1: Array, f2: Array, uniform: bool) -> Array:
    """The slope at the first of three samples, of the parabola through them."""
    h1, h2 = steps
    if uniform:
        c0, c1, c2 = -1.5 / h1, 2.0 / h1, -0.5 / h1
    else:
        c0, c1, c2 = -(2.0 * h1 + h2) / (h1 * (h1 + h2)), (h1 + h2) / (h1 * h2), -h1 / (h2 * (h1 + h2))
    return add(add(multiply(f0, c0), multiply(f1, c1)), multiply(f2, c2))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of samples along `axis` by the trapezoidal rule, at coordinates `x` or `dx` apart.

    >>> import mtarray as xp
    >>> float(xp.trapezoid(xp.asarray([1.0, 2.0, 3.0])))
    4.0
    """
    y, *_ = operands((y,) if x is None else (y, x), "trapezoid")
    a = axis_of(axis, y.ndim)
    if x is None:
        d = dx if dx.__class__ in (int, float, complex) else operand(dx, "trapezoid", device=y.device)
    else:
        x = operand(x, "trapezoid", device=y.device)
        d = diff(x) if x.ndim == 1 else diff(x, axis=axis)
        if x.ndim == 1:
            d = reshape(d, (-1,) + (1,) * (y.ndim - a - 1))
    index: list[Any] = [slice(None)] * y.ndim
    index[a] = slice(1, None)
    after = y[tuple(index)]
    index[a] = slice(None, -1)
    return _sum(divide(multiply(d, add(after, y[tuple(index)])), 2.0), axis=a)


def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Array:
    """Angles with jumps of more than half a `period` between neighbours along `axis` (or of `discont` if larger) taken back.

    >>> import mtarray as xp
    >>> xp.unwrap(xp.asarray([0, 3, 6, 1, 4]), period=8)
    Array([ 0,  3,  6,  9, 12], shape=(5,), dtype=int64, device='cpu')
    """
    p = operand(p, "unwrap")
    a = axis_of(axis, p.ndim)
    d = diff(p, axis=a)
    if discont is None:
        discont = period / 2
    whole = p.dtype not in FLOATING and isinstance(period, int)
    half, odd = divmod(period, 2) if whole else (period / 2, 0)
    low = -half
    wrapped = add(remainder(subtract(d, low), period), low)
    if not whole or odd == 0:
        wrapped = where(logical_and(equal(wrapped, low), greater(d, 0)), half, wrapped)
    correct = where(less(_abs(d), discont), 0, subtract(wrapped, d))
    out = floating(p).copy() if not whole else p.copy()
    index: list[Any] = [slice(None)] * p.ndim
    index[a] = slice(1, None)
    out[tuple(index)] = add(p[tuple(index)], cumulative_sum(correct, axis=a))
    return out


# ---------------------------------------------------------------------- convolution

_MODES = ("valid", "same", "full")


def _all_places(g: Array, a: int, v: int, mode: str) -> Array:
    """A cotangent of `slide` for lengths a and v as one of mode "full": zeros where the mode drops values."""
    dropped = {"full": 0, "same": (v - 1) // 2, "valid": v - 1}[mode]
    before, after = (zeros((n,), dtype=g.dtype, device=g.device) for n in (dropped, a + v - 1 - g.shape[0] - dropped))
    return concat([before, g, after])


def _conj(x: Array) -> Array:
    return conj(x) if x.dtype in COMPLEX else x


def _slide_by_a(g: Array, v: Array, shape: tuple[int, ...], mode: str) -> Array:
    return slide(_all_places(g, shape[0], v.shape[0], mode), flip(_conj(v)), mode="valid")


def _slide_by_v(g: Array, a: Array, shape: tuple[int, ...], mode: str) -> Array:
    return flip(slide(_all_places(g, a.shape[0], shape[0], mode), _conj(a), mode="valid"))


@engine(vjp=(_slide_by_a, _slide_by_v), linear="each")
def slide(a: Any, v: Any, *, mode: Any) -> Any:
    """Sums of products of `a` with `v` moved along it (not turned, not conjugated); both one-dimensional, of one dtype, a not shorter."""
    return np.asarray(np.convolve(a, v[::-1], mode))


def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    """Discrete convolution of two one-dimensional arrays: out[n] = sum of a[m] v[n - m].

    mode: "full" (wherever they overlap: N + M - 1 values), "same" (the middle max(M, N)), "valid" (complete overlap only).

    >>> import mtarray as xp
    >>> xp.convolve(xp.asarray([1, 2, 3]), xp.asarray([0, 1]))
    Array([0, 1, 2, 3], shape=(4,), dtype=int64, device='cpu')
    """
    a, v = _sequences(a, v, "convolve")
    if v.size > a.size:
        a, v = v, a
    return slide(*_same_dtype(a, flip(v)), mode=_mode(mode, "convolve"))


def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    """Cross-correlation of two one-dimensional arrays: out[k] = sum of a[n + k] conj(v[n]). mode: as for `convolve`.

    >>> import mtarray as xp
    >>> xp.correlate(xp.asarray([1, 2, 3]), xp.asarray([0, 1]))
    Array([2, 3], shape=(2,), dtype=int64, device='cpu')
    """
    a, v = _sequences(a, v, "correlate")
    v = _conj(v)
    mode = _mode(mode, "correlate")
    if v.size > a.size:
        return flip(slide(*_same_dtype(v, a), mode=mode))
    return slide(*_same_dtype(a, v), mode=mode)


def _sequences(a: Any, v: Any, where_: str) -> list[Array]:
    return [_sequence(x, where_) for x in operands((a, v), where_)]


def _sequence(x: Array, where_: str) -> Array:
    x = reshape(x, (1,)) if x.ndim == 0 else x
    if x.ndim != 1:
        raise ValueError(f"{where_}: arrays must be one-dimensional, one has shape {x.shape}")
    if x.size == 0:
        raise ValueError(f"{where_}: an array is empty")
    return x


def _same_dtype(a: Array, v: Array) -> tuple[Array, Array]:
    d = promote(a.dtype, v.dtype)
    return a.astype(d, copy=False), v.astype(d, copy=False)


def _mode(mode: str, where_: str) -> str:
    if mode not in _MODES:
        raise ValueError(f"{where_}: mode={mode!r} must be one of {', '.join(map(repr, _MODES))}")
    return mode


# ---------------------------------------------------------------------- interpolation


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None) -> Array:
    """Piecewise linear interpolation at `x` of the samples `fp` at increasing coordinates `xp`; float64 (or complex128).

    left, right: values before and beyond the coordinates, by default the first and last sample. period: coordinates repeat with it
    (they need not be sorted then). ValueError for empty samples, shapes that differ, a period of 0.

    >>> import mtarray as xp
    >>> xp.interp(xp.asarray([0.5, 9.0]), xp.asarray([0.0, 1.0, 2.0]), xp.asarray([0.0, 10.0, 40.0]))
    Array([ 5., 40.], shape=(2,), dtype=float64, device='cpu')
    """
    at, samples, nodes = operands((x, fp, xp), "interp")
    at, nodes = at.astype(float64, copy=False), nodes.astype(float64, copy=False)
    samples = samples.astype(promote(samples.dtype, float64), copy=False)
    if nodes.ndim != 1 or samples.shape != nodes.shape:
        raise ValueError(f"interp: xp of shape {nodes.shape} and fp of shape {samples.shape} must be one-dimensional and equally long")
    if period is not None:
        if period == 0:
            raise ValueError("interp: period must not be 0")
        left = right = None
        period = abs(period)
        at, nodes = remainder(at, period), remainder(nodes, period)
        order = argsort(nodes)
        nodes, samples = take(nodes, order), take(samples, order)
        nodes = concat([nodes[-1:] - period, nodes, nodes[:1] + period])
        samples = concat([samples[-1:], samples, samples[:1]])
    n = nodes.shape[0]
    if n == 0:
        raise ValueError("interp: there are no samples")
    first, last = samples[0], samples[-1]
    below = first if left is None else left
    beyond = last if right is None else right
    if n == 1:
        inside = broadcast_to(first, at.shape)
    else:
        j = reshape(searchsorted(nodes[1:-1], at, side="right"), (-1,))
        slopes = divide(diff(samples), diff(nodes))
        x0, y0, slope = (reshape(take(v, j), at.shape) for v in (nodes, samples, slopes))
        inside = add(multiply(slope, subtract(at, x0)), y0)
        if not bool(_all(isfinite(slopes))):
            inside = _mended(inside, slope, at, x0, y0, take(nodes, j + 1), take(samples, j + 1))
        inside = where(equal(at, nodes[-1]), last, inside)
    return where(less(at, nodes[0]), below, where(greater(at, nodes[-1]), beyond, inside))


def _mended(inside: Array, slope: Array, at: Array, x0: Array, y0: Array, x1: Array, y1: Array) -> Array:
    """What is NaN beside infinite samples: reckoned from the other end, or the sample itself at a node and between equal ones."""
    x1, y1 = reshape(x1, at.shape), reshape(y1, at.shape)
    other = add(multiply(slope, subtract(at, x1)), y1)
    other = where(logical_and(isnan(other), equal(y0, y1)), y0, other)
    out = where(equal(at, x0), y0, where(isnan(inside), other, inside))
    return where(isnan(at), at.astype(out.dtype), out)


__all__ = [
    "convolve", "correlate", "cumprod", "cumsum", "ediff1d", "gradient", "interp", "trapezoid", "unwrap",
]  # fmt: skip
