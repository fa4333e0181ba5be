"""Means, medians, ranges and covariances."""

from __future__ import annotations

from math import prod as _prod
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import COMPLEX, FLOATING, float64, promote
from .._strides import axes_of
from ..creation import asarray, broadcast_to
from ..elementwise import (
    clip,
    conj,
    divide,
    equal,
    imag,
    isnan,
    less,
    maximum,
    multiply,
    real,
    sqrt,
    subtract,
)
from ..linalg import matmul
from ..manipulation import concat, expand_dims, permute_dims, reshape
from ..searching import where
from ..sorting import sort
from ..statistical import max as _max
from ..statistical import mean
from ..statistical import min as _min
from ..statistical import sum as _sum
from ..utility import any as _any
from ._operands import operand, ordered
from .matrices import diagonal
from .ordering import partitioned


def ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The range of the elements along `axis`: largest minus smallest. TypeError for complex numbers, which have no order, and booleans.

    >>> import mtarray as xp
    >>> int(xp.ptp(xp.asarray([3, 9, 4])))
    6
    """
    a = ordered(a, "ptp")
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
        center = mean(x, axis=1, keepdims=True)
        degrees: Any = max(n - ddof, 0)
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


__all__ = ["average", "corrcoef", "cov", "median", "ptp"]
