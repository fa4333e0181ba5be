"""Quantiles and percentiles, by all of NumPy's methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import COMPLEX, FLOATING, float64, int64
from .._dtypes import bool as bool_
from .._strides import axes_of
from ..creation import broadcast_to
from ..elementwise import (
    add,
    ceil,
    divide,
    equal,
    floor,
    greater_equal,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    round,
    subtract,
)
from ..indexing import take_along_axis
from ..manipulation import moveaxis, permute_dims, reshape
from ..searching import count_nonzero, where
from ..sorting import argsort, sort
from ..statistical import cumulative_sum
from ..utility import any as _any
from ._operands import operand
from .statistics import lines

# Where the quantile q of n sorted elements lies, counted from 0, by (alpha, beta) of Hyndman and Fan, Sample Quantiles in
# Statistical Packages (1996): n q + alpha + q (1 - alpha - beta) - 1.
_CONTINUOUS = {
    "linear": (1, 1),
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", *_CONTINUOUS, "lower", "higher", "midpoint", "nearest",
)  # fmt: skip


def quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False, weights: Any = None) -> Array:
    """Values below which the parts `q` (from 0 to 1) of the elements along `axis` lie. The axes of `q` come first; NaN if there is one.

    method: how to place a quantile between elements: "linear", "lower", "higher", "midpoint", "nearest", or one of Hyndman and
    Fan's nine. weights: of the shape of `a` or of its axis, with method "inverted_cdf" only.
    ValueError for q outside [0, 1] and unknown methods, TypeError for complex arrays.

    >>> import mtarray as xp
    >>> xp.quantile(xp.asarray([1.0, 2.0, 4.0, 8.0]), [0.5, 0.75])
    Array([3., 5.], shape=(2,), dtype=float64, device='cpu')
    """
    return quantiles_of(operand(a, "quantile"), parts(q, a, 1.0, "quantile"), axis, method, keepdims, weights, "quantile")


def percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False, weights: Any = None) -> Array:
    """Values below which `q` percent of the elements along `axis` lie. See `quantile`.

    >>> import mtarray as xp
    >>> float(xp.percentile(xp.asarray([1.0, 2.0, 4.0, 8.0]), 50))
    3.0
    """
    return quantiles_of(operand(a, "percentile"), parts(q, a, 100.0, "percentile"), axis, method, keepdims, weights, "percentile")


def parts(q: Any, a: Any, whole: float, where_: str) -> Array:
    """The quantiles from 0 to 1. A Python number takes the precision of the array."""
    d = operand(a, where_).dtype
    if d in COMPLEX:
        raise TypeError(f"{where_}: a must be an array of real numbers, not {d}")
    x = operand(q, where_)
    if q.__class__ in (int, float) and d.kind == "f":
        x = x.astype(d)
    x = divide(x, whole)
    if not bool(_all_within(x)):
        raise ValueError(f"{where_}: q={q} must lie between 0 and {whole:g}")
    return x if q.__class__ is Array else x.to_device(operand(a, where_).device)


def _all_within(q: Array) -> bool:
    return not bool(_any(logical_not(logical_and(greater_equal(q, 0), less_equal(q, 1)))))


def quantiles_of(a: Array, q: Array, axis: Any, method: str, keepdims: bool, weights: Any, name: str) -> Array:
    if method not in METHODS:
        raise ValueError(f"{name}: method={method!r} is not one of {', '.join(METHODS)}")
    x, shape = lines(a, axis, keepdims)
    if weights is not None:
        out = weighted_quantiles(x, line_weights(a, weights, axis, method, name), reshape(q, (-1,)))
    else:
        out = sorted_quantiles(sort(x, axis=-1), reshape(q, (-1,)), x.shape[-1], method)
    return reshape(out, q.shape + shape)


def sorted_quantiles(s: Array, q: Array, n: Any, method: str) -> Array:
    """Quantiles along the last axis of sorted lines. `n`: how many elements of a line count, an int or an array over the lines.

    Shape: that of q (one-dimensional), then the lines. A NaN among the counted elements (which is the last one) makes NaN.
    """
    lanes = s.shape[:-1]
    if s.shape[-1] == 0:
        raise IndexError("quantile: no elements along the axis")
    counts = n if isinstance(n, int) else n.astype(q.dtype)
    q = reshape(q, (-1,) + (1,) * len(lanes))
    if s.dtype is bool_ and method not in ("inverted_cdf", "closest_observation", "lower", "higher", "nearest"):
        raise TypeError(f"quantile: booleans cannot be interpolated; method {method!r} is not defined for them")
    place, exact = _place(q, counts, method)
    last = n - 1 if isinstance(n, int) else maximum(n - 1, 0)
    if exact:
        index = _inside(place, last).astype(int64)
        out = _gather(s, index)
    else:
        low = floor(place)
        gamma = _weight(subtract(place, low), low, method)
        below, above = _gather(s, _inside(low, last).astype(int64)), _gather(s, _inside(add(low, 1), last).astype(int64))
        out = _between(below, above, gamma)
    if s.dtype in FLOATING and isinstance(n, int):
        out = where(isnan(s[..., -1]), s[..., -1], out)
    return out


def _inside(place: Array, last: Any) -> Array:
    return maximum(minimum(place, last if isinstance(last, int) else last.astype(place.dtype)), 0)


def _place(q: Array, n: Any, method: str) -> tuple[Array, bool]:
    """The place of each quantile among sorted elements, and whether it is a whole number."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        return (multiply(q, n - 1), False) if method == "linear" else (n * q + (alpha + q * (1 - alpha - beta)) - 1, False)
    if method == "averaged_inverted_cdf":
        return n * q - 1, False
    if method == "midpoint":
        at = multiply(q, n - 1)
        return multiply(add(floor(at), ceil(at)), 0.5), False
    if method == "inverted_cdf":
        at = n * q - 1
        return ceil(at), True
    if method == "closest_observation":
        at = n * q - 1 - 0.5
        low = floor(at)
        # An exact half goes to the even place counted from 1.
        stay = logical_and(equal(at, low), equal(low % 2, 1))
        return where(stay, low, low + 1), True
    at = multiply(q, n - 1)
    if method == "lower":
        return floor(at), True
    if method == "higher":
        return ceil(at), True
    return round(at), True


def _weight(gamma: Array, low: Array, method: str) -> Array:
    if method == "averaged_inverted_cdf":
        return where(equal(gamma, 0), 0.5, 1.0).astype(gamma.dtype, copy=False)
    if method == "midpoint":
        return where(equal(gamma, 0), 0.0, 0.5).astype(gamma.dtype, copy=False)
    return gamma


def _gather(s: Array, index: Array) -> Array:
    """Elements of each line: `index` has the quantiles in front of the lines (of length 1 where all lines share a place)."""
    shape = index.shape[:1] + s.shape[:-1]
    index = moveaxis(broadcast_to(index, shape), 0, -1)
    return moveaxis(take_along_axis(s, index, axis=-1), -1, 0)


def _between(below: Array, above: Array, gamma: Array) -> Array:
    """Interpolation that is exact at both ends and monotone."""
    apart = subtract(above, below)
    up = add(below, multiply(apart, gamma))
    down = subtract(above, multiply(apart, subtract(1, gamma)))
    return where(logical_or(equal(apart, 0), greater_equal(gamma, 0.5)), down, up)


def line_weights(a: Array, weights: Any, axis: Any, method: str, name: str) -> Array:
    if method != "inverted_cdf":
        raise ValueError(f"{name}: weights are only supported by method 'inverted_cdf', not by {method!r}")
    w = operand(weights, name)
    if w.shape != a.shape:
        if axis is None:
            raise TypeError(f"{name}: weights of shape {w.shape} differ from a of shape {a.shape}; name the axis they belong to")
        axes = axes_of(axis, a.ndim)
        if w.shape != tuple([a.shape[i] for i in axes]):
            raise ValueError(f"{name}: weights of shape {w.shape} fit neither a of shape {a.shape} nor its axes {axis}")
        w = permute_dims(w, tuple(np.argsort(axes)))
        w = broadcast_to(reshape(w, tuple([n if i in axes else 1 for i, n in enumerate(a.shape)])), a.shape)
    if bool(_any(less(w, 0))):
        raise ValueError(f"{name}: weights must not be negative")
    return lines(w, axis, False)[0]


def weighted_quantiles(x: Array, w: Array, q: Array) -> Array:
    """Quantiles of the weighted distribution: the first element at which the share of weights so far reaches q."""
    order = argsort(x, axis=-1)
    s = take_along_axis(x, order, axis=-1)
    share = cumulative_sum(take_along_axis(w, order, axis=-1), axis=-1, dtype=float64)
    share = divide(share, share[..., -1:])
    if bool(_any(equal(q, 0))):
        share = where(equal(share, 0), -1.0, share)  # elements without weight in front do not count
    index = count_nonzero(less(share, reshape(q, (-1,) + (1,) * x.ndim)), axis=-1)
    out = _gather(s, minimum(index, x.shape[-1] - 1))
    return where(isnan(s[..., -1]), s[..., -1], out) if s.dtype in FLOATING else out


__all__ = ["percentile", "quantile"]
