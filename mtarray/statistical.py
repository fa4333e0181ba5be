"""Sums, products, extremes, means: folds along axes, and running ones."""

from __future__ import annotations

import math as _math
from math import prod as _prod
from typing import Any

import numpy as np

from . import _array
from ._array import Array
from ._dtypes import ALL, COMPLEX, FLOATING, NUMERIC, REAL, REAL_FLOATING, float64, real_of
from ._dtypes import bool as bool_
from ._operands import lift, promised
from ._ops import Vjp, elementwise, engine, reduction, scan, wide
from ._strides import axes_of, inverse_permutation
from .elementwise import divide, sqrt

math: Any = _math

_ORDERED = (bool_, *REAL)

# The limits below are in elements: a launch costs 1 to 2 us, in which NumPy sums 10k numbers but takes the maximum of 50k.


# ---------------------------------------------------------------------- derivatives


def _among_ties(g: Array, x: Array, y: Array, axes: tuple[int, ...]) -> Array:
    """What each element has of the extreme's g: equal elements share it."""
    chosen = _is_extreme(x, y)
    return chosen * (g / sum(chosen, axis=axes if len(axes) != 1 else axes[0], keepdims=True))


def _numpy_is_extreme(x: Any, y: Any) -> Any:
    return (np.equal(x, y) | np.not_equal(x, x)).astype(x.dtype)


@elementwise(dtypes=REAL_FLOATING, numpy=_numpy_is_extreme, derivative=(0, 0))
def _is_extreme(x, y):
    """1 where x is the extreme y, or NaN, which makes the extreme NaN; 0 elsewhere."""
    return 1.0 if x == y or x != x else 0.0


def _other_factors(x: Array, axes: tuple[int, ...]) -> Array:
    """For each element the product of the others along `axes`, whether there are zeros or not."""
    xp = _array.xp
    if not axes:
        return xp.ones_like(x)
    order = (*[i for i in range(x.ndim) if i not in axes], *axes)
    lines = xp.permute_dims(x, order)
    shape = lines.shape
    lines = xp.reshape(lines, (*shape[: x.ndim - len(axes)], _prod(shape[x.ndim - len(axes) :])))
    before = _products_before(lines, -1)
    after = xp.flip(_products_before(xp.flip(lines, axis=-1), -1), axis=-1)
    return xp.permute_dims(xp.reshape(before * after, shape), inverse_permutation(order))


def _products_before(x: Array, axis: int) -> Array:
    """Running products without the element itself."""
    every = cumulative_prod(x, axis=axis, include_initial=True)
    return every[_along(every, axis, slice(None, -1))]


def _along(x: Array, axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * (axis % x.ndim) + (part,)


def _sum_from(g: Array, axis: int, include_initial: bool) -> Array:
    """Sums from each element to the end."""
    if include_initial:
        g = g[_along(g, axis, slice(1, None))]
    flip = _array.xp.flip
    return flip(cumulative_sum(flip(g, axis=axis), axis=axis), axis=axis)


def _product_from(g: Array, x: Array, axis: int, include_initial: bool) -> Array:
    """The cotangent of running products: what comes before an element, times the sum of all that comes after it."""
    xp = _array.xp
    if include_initial:
        g = g[_along(g, axis, slice(1, None))]
    factors = xp.conj(x)
    if not bool(xp.any(x == 0)):
        return _sum_from(g * cumulative_prod(factors, axis=axis), axis, False) / factors
    # s[i] = g[i] + x[i + 1] s[i + 1], by doubling, since nothing can be divided by 0.
    n = x.shape[axis]
    head, tail = _along(x, axis, slice(1, None)), _along(x, axis, slice(-1, None))
    s, c = g, xp.concat([factors[head], xp.zeros_like(factors[tail])], axis=axis)
    step = 1
    while step < n:
        near, far, rest = (_along(x, axis, part) for part in (slice(None, -step), slice(step, None), slice(-step, None)))
        s = xp.concat([s[near] + c[near] * s[far], s[rest]], axis=axis)
        c = xp.concat([c[near] * c[far], xp.zeros_like(c[rest])], axis=axis)
        step *= 2
    return _products_before(factors, axis) * s


@reduction(identity=0, dtypes=ALL, standard=NUMERIC, numpy="add", accumulate=wide, limit=1 << 13, derivative=1)
def sum(a, b):
    """Sum of elements along `axis` (an int, a tuple, or None for all).

    dtype: of the result and of the additions; by default the array's own, but 64 bits for integers. keepdims: keep the axes with length 1.

    >>> import mtarray as xp
    >>> xp.sum(xp.asarray([[1, 2], [3, 4]]), axis=0)
    Array([4, 6], shape=(2,), dtype=int64, device='cpu')
    """
    return a + b


@reduction(identity=1, dtypes=ALL, standard=NUMERIC, numpy="multiply", accumulate=wide, limit=1 << 14, derivative=_other_factors)
def prod(a, b):
    """Product of elements along `axis` (an int, a tuple, or None for all).

    dtype: of the result and of the products; by default the array's own, but 64 bits for integers. keepdims: keep the axes with length 1.

    >>> import mtarray as xp
    >>> int(xp.prod(xp.asarray([2, 3, 4])))
    24
    """
    return a * b


@reduction(identity=None, dtypes=_ORDERED, standard=REAL, numpy="maximum", limit=1 << 17, limits={"f": 1 << 16}, derivative=_among_ties)
def max(a, b):
    """Largest element along `axis` (an int, a tuple, or None for all); NaN if there is one. ValueError for no elements.

    >>> import mtarray as xp
    >>> xp.max(xp.asarray([[1, 5], [3, 4]]), axis=1)
    Array([5, 4], shape=(2,), dtype=int64, device='cpu')
    """
    return math.maximum(a, b)


@reduction(identity=None, dtypes=_ORDERED, standard=REAL, numpy="minimum", limit=1 << 17, limits={"f": 1 << 16}, derivative=_among_ties)
def min(a, b):
    """Smallest element along `axis` (an int, a tuple, or None for all); NaN if there is one. ValueError for no elements.

    >>> import mtarray as xp
    >>> xp.min(xp.asarray([[1, 5], [3, 4]]), axis=1)
    Array([1, 3], shape=(2,), dtype=int64, device='cpu')
    """
    return math.minimum(a, b)


@scan(identity=0, dtypes=ALL, standard=NUMERIC, numpy="add", derivative=Vjp(_sum_from, linear="all"))
def cumulative_sum(a, b):
    """Running sums along `axis` (needed for more than one dimension).

    dtype: as for `sum`. include_initial: start with a 0, which makes the axis one longer.

    >>> import mtarray as xp
    >>> xp.cumulative_sum(xp.asarray([1, 2, 3]), include_initial=True)
    Array([0, 1, 3, 6], shape=(4,), dtype=int64, device='cpu')
    """
    return a + b


@scan(identity=1, dtypes=ALL, standard=NUMERIC, numpy="multiply", derivative=Vjp(_product_from))
def cumulative_prod(a, b):
    """Running products along `axis` (needed for more than one dimension).

    dtype: as for `prod`. include_initial: start with a 1, which makes the axis one longer.

    >>> import mtarray as xp
    >>> xp.cumulative_prod(xp.asarray([1, 2, 3]))
    Array([1, 2, 6], shape=(3,), dtype=int64, device='cpu')
    """
    return a * b


def mean(x: Any, /, axis: Any = None, keepdims: bool = False) -> Array:
    """Arithmetic mean along `axis` (an int, a tuple, or None for all); float64 for integers, NaN for no elements.

    >>> import mtarray as xp
    >>> float(xp.mean(xp.asarray([1.0, 2.0, 6.0])))
    3.0
    """
    x = promised(lift(x, "mean"), FLOATING, "mean")
    if axis is None:
        count = _prod(x._shape)
    elif axis.__class__ is int and -len(x._shape) <= axis < len(x._shape):
        count = x._shape[axis]
    else:
        count = _prod([x._shape[a] for a in axes_of(axis, x.ndim)])
    return divide(sum(x, axis, None if x._dtype in FLOATING else float64, keepdims), float(count))


def var(x: Any, /, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """Variance along `axis` (an int, a tuple, or None for all): the mean square distance from the mean, divided by N - correction.

    Real also for complex arrays; float64 for integers; NaN for no elements.

    >>> import mtarray as xp
    >>> float(xp.var(xp.asarray([1.0, 2.0, 3.0]), correction=1))
    1.0
    """
    x = promised(lift(x, "var"), REAL_FLOATING, "var")
    axes = tuple(sorted(axes_of(axis, x.ndim)))
    out = variance(x, axes=axes, correction=float(correction))
    if keepdims:
        out = out.reshape(tuple([1 if i in axes else n for i, n in enumerate(x._shape)]))
    return out


def _variance_vjp(g: Array, x: Array, axes: tuple[int, ...], correction: float) -> Array:
    count = _prod([x.shape[a] for a in axes])
    apart = x - mean(x, axis=axes, keepdims=True)
    return apart * (2.0 / _floor(count - correction) if count > correction else _math.nan) * _array.xp.expand_dims(g, axes)


_VARIANCE = 1 << 13  # elements from which one pass of a kernel beats NumPy's four


@engine(vjp=_variance_vjp)
def variance(x: Any, *, axes: tuple[int, ...], correction: float) -> Any:
    """Variance over axes, which the result does not have."""
    d = real_of(x.dtype) if x.dtype in FLOATING else float64
    if x.size >= _VARIANCE:
        from ._kernels.cpu import moments

        return moments.var(x, axes, correction, d)
    if x.dtype not in FLOATING:
        x = x.astype(d)
    count = _prod([x.shape[a] for a in axes])
    apart = x - np.add.reduce(x, axis=axes, keepdims=True) / d.type(count)
    square = (apart.real**2 + apart.imag**2) if x.dtype in COMPLEX else apart * apart
    return np.asarray(np.add.reduce(square, axis=axes) / d.type(_floor(count - correction)), d)


def _floor(degrees: float) -> float:
    return degrees if degrees > 0 else 0.0


def std(x: Any, /, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """Standard deviation along `axis`: the square root of `var`.

    >>> import mtarray as xp
    >>> float(xp.std(xp.asarray([1.0, 3.0])))
    1.0
    """
    return sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


__all__ = ["cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum", "var"]
