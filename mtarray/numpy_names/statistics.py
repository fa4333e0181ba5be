"""Order statistics, weighted means and covariances."""

from __future__ import annotations

from math import prod as _prod
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import COMPLEX, FLOATING, float64, int64, promote
from .._dtypes import bool as bool_
from .._strides import axes_of
from ..creation import asarray, broadcast_to
from ..elementwise import (
    add,
    ceil,
    clip,
    conj,
    divide,
    equal,
    floor,
    greater_equal,
    imag,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    maximum,
    minimum,
    multiply,
    real,
    round,
    sqrt,
    subtract,
)
from ..indexing import take_along_axis
from ..linalg import matmul
from ..manipulation import concat, expand_dims, moveaxis, permute_dims, reshape
from ..searching import count_nonzero, where
from ..sorting import argsort, sort
from ..statistical import cumulative_sum, mean
from ..statistical import max as _max
from ..statistical import min as _min
from ..statistical import sum as _sum
from ..utility import any as _any
from ._operands import operand
from .matrices import diagonal
from .ordering import partitioned


def ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The range of the elements along `axis`: largest minus smallest.

    >>> import mtarray as xp
    >>> int(xp.ptp(xp.asarray([3, 9, 4])))
    6
    """
    a = operand(a, "ptp")
    return subtract(_max(a, axis=axis, keepdims=keepdims), _min(a, axis=axis, keepdims=keepdims))


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """Mean along `axis`, weighted by `weights` (of the shape of `a`, or of the shape of the axes averaged over).

    returned: give (average, sum of weights). ZeroDivisionError if the weights of a line sum to 0.

    >>> import mtarray as xp
    >>> float(xp.average(xp.asarray([1.0, 4.0]), weights=xp.asarray([2.0, 1.0])))
    2.0
    """
    a = operand(a, "average")
    if weights is None:
        out = mean(a, axis=axis, keepdims=keepdims)
        count = a.size / out.size if out.size else 0
        return (out, broadcast_to(asarray(count, dtype=out.dtype, device=out.device), out.shape)) if returned else out
    w = operand(weights, "average")
    axes = axes_of(axis, a.ndim)
    if w.shape != a.shape:
        if axis is None:
            raise TypeError(f"average: weights of shape {w.shape} differ from a of shape {a.shape}; name the axis they belong to")
        if w.shape != tuple([a.shape[i] for i in axes]):
            raise ValueError(f"average: weights of shape {w.shape} fit neither a of shape {a.shape} nor its axes {axis}")
        w = permute_dims(w, tuple(np.argsort(axes)))
        w = reshape(w, tuple([n if i in axes else 1 for i, n in enumerate(a.shape)]))
    d = promote(a.dtype, w.dtype, float64) if a.dtype.kind in "iub" else promote(a.dtype, w.dtype)
    total = _sum(broadcast_to(w, a.shape), axis=axis, dtype=d, keepdims=keepdims)
    if bool(_any(equal(total, 0))):
        raise ZeroDivisionError("average: the weights sum to zero, so there is no average")
    out = divide(_sum(multiply(a.astype(d, copy=False), w.astype(d, copy=False)), axis=axis, keepdims=keepdims), total)
    return (out, broadcast_to(total, out.shape)) if returned else out


def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The middle element in order along `axis` (an int, a tuple, or None for all), or the mean of the middle two; NaN if there is one.

    float64 for integers; NaN for no elements.

    >>> import mtarray as xp
    >>> xp.median(xp.asarray([[3, 1, 2], [6, 5, 9]]), axis=1)
    Array([2., 6.], shape=(2,), dtype=float64, device='cpu')
    """
    a = operand(a, "median")
    x, shape = lines(a, axis, keepdims)
    n = x.shape[-1]
    if n == 0:
        return reshape(mean(x, axis=-1), shape)
    if n < _SELECTED or x.dtype in COMPLEX:
        s = sort(x, axis=-1)
        middle, last = s[..., (n - 1) // 2 : n // 2 + 1], s[..., -1]
    else:
        # Selecting one element is cheaper than sorting all: 2 against 8 ms for 10^6 float64, where NumPy takes 15.
        s = partitioned(x, axis=-1, ranks=(n // 2,))
        middle, last = s[..., n // 2 : n // 2 + 1], _max(s[..., n // 2 :], axis=-1)
        if n % 2 == 0:
            middle = concat([_max(s[..., : n // 2], axis=-1, keepdims=True), middle], axis=-1)
    out = mean(middle, axis=-1)
    if s.dtype in FLOATING:
        out = where(isnan(last), last, out)  # NaN sorts last
    return reshape(out, shape)


_SELECTED = 1 << 12


def lines(a: Array, axis: Any, keepdims: bool) -> tuple[Array, tuple[int, ...]]:
    """`a` with the axes to reduce joined into its last one, and the shape that the reduced result takes."""
    axes = axes_of(axis, a.ndim)
    rest = [i for i in range(a.ndim) if i not in axes]
    x = permute_dims(a, (*rest, *sorted(axes)))
    x = reshape(x, (*[a.shape[i] for i in rest], _prod([a.shape[i] for i in axes])))
    shape = tuple([1 if i in axes else n for i, n in enumerate(a.shape)]) if keepdims else tuple([a.shape[i] for i in rest])
    return x, shape


# ---------------------------------------------------------------------- quantiles

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
    return x


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
    d = promote(apart.dtype, gamma.dtype)
    up = add(below, multiply(apart, gamma))
    down = subtract(above, multiply(apart, subtract(1, gamma)))
    return where(equal(apart, 0), above.astype(d), where(greater_equal(gamma, 0.5), down, up))


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


# ---------------------------------------------------------------------- covariance


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Array:
    """Covariance matrix of variables, which are the rows of `m` (columns if not `rowvar`), and of `y` if given.

    bias: divide by N instead of N - 1; ddof: by N - ddof. fweights: how often each observation counts (integers); aweights: its
    importance. A single variable gives a 0-d array.

    >>> import mtarray as xp
    >>> xp.cov(xp.asarray([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    Array([[ 1., -1.],
           [-1.,  1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    x = _variables(m, rowvar, "m")
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov: ddof={ddof} must be an integer")
    d = promote(x.dtype, float64) if dtype is None else np.dtype(dtype)
    if y is not None:
        other = _variables(y, rowvar, "y")
        d = promote(d, other.dtype) if dtype is None else d
        x = concat([x, other], axis=0)
    x = x.astype(d, copy=False)
    n = x.shape[1]
    ddof = (0 if bias else 1) if ddof is None else ddof
    f = None if fweights is None else _observation_weights(fweights, n, "fweights")
    a = None if aweights is None else _observation_weights(aweights, n, "aweights")
    w = f if a is None else a if f is None else multiply(f, a)
    if w is None:
        center, degrees = mean(x, axis=1, keepdims=True), max(n - ddof, 0)
    else:
        total = _sum(w)
        if bool(equal(total, 0)):
            raise ZeroDivisionError("cov: the weights sum to zero")
        center = divide(_sum(multiply(x, w), axis=1, keepdims=True), total)
        spare = 0.0 if ddof == 0 else float(ddof) if a is None else divide(multiply(_sum(multiply(w, a)), ddof), total)
        degrees = maximum(subtract(total, spare), 0.0)
    apart = subtract(x, center)
    scaled = apart if w is None else multiply(apart, w)
    out = matmul(apart, (conj(scaled) if d in COMPLEX else scaled).T)
    out = divide(out, degrees)
    return reshape(out, ()) if out.size == 1 else out


def _variables(m: Any, rowvar: bool, name: str) -> Array:
    x = operand(m, "cov")
    if x.ndim > 2:
        raise ValueError(f"cov: {name} has shape {x.shape}; it may have at most 2 dimensions")
    if x.ndim < 2:
        return reshape(x, (1, -1))
    return x if rowvar else x.T


def _observation_weights(weights: Any, n: int, name: str) -> Array:
    w = operand(weights, "cov")
    if w.ndim > 1:
        raise RuntimeError(f"cov: {name} has shape {w.shape}; it must be one-dimensional")
    if w.shape != (n,):
        raise RuntimeError(f"cov: {name} has shape {w.shape} for {n} observations")
    w = w.astype(float64)
    if name == "fweights" and bool(_any(w % 1)):
        raise TypeError("cov: fweights must be integers")
    if bool(_any(less(w, 0))):
        raise ValueError(f"cov: {name} must not be negative")
    return w


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """Pearson's correlation coefficients of variables, which are the rows of `x` (columns if not `rowvar`), and of `y` if given.

    >>> import mtarray as xp
    >>> xp.corrcoef(xp.asarray([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    Array([[ 1., -1.],
           [-1.,  1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return divide(c, c)
    deviation = sqrt(real(diagonal(c)))
    c = divide(divide(c, expand_dims(deviation, 1)), expand_dims(deviation, 0))
    if c.dtype not in COMPLEX:
        return clip(c, -1, 1)
    real(c)[...] = clip(real(c), -1, 1)
    imag(c)[...] = clip(imag(c), -1, 1)
    return c


__all__ = ["average", "corrcoef", "cov", "median", "percentile", "ptp", "quantile"]
