"""Sums, products, extremes, means: folds along axes, and running ones."""

from __future__ import annotations

import math as _math
from math import prod as _prod
from typing import Any

import numpy as np

from ._array import Array
from ._dtypes import ALL, COMPLEX, FLOATING, NUMERIC, REAL, REAL_FLOATING, float64, real_of
from ._dtypes import bool as bool_
from ._operands import lift, promised
from ._ops import engine, reduction, scan, wide
from ._strides import axes_of
from .elementwise import divide, sqrt

math: Any = _math

_ORDERED = (bool_, *REAL)

# The limits below are in elements: a launch costs 1 to 2 us, in which NumPy sums 10k numbers but takes the maximum of 50k.


@reduction(identity=0, dtypes=ALL, standard=NUMERIC, numpy="add", accumulate=wide, limit=1 << 13)
def sum(a, b):
    """Sum of elements along `axis` (an int, a tuple, or None for all).

    dtype: of the result and of the additions; by default the array's own, but 64 bits for integers. keepdims: keep the axes with length 1.

    >>> import mtarray as xp
    >>> xp.sum(xp.asarray([[1, 2], [3, 4]]), axis=0)
    Array([4, 6], shape=(2,), dtype=int64, device='cpu')
    """
    return a + b


@reduction(identity=1, dtypes=ALL, standard=NUMERIC, numpy="multiply", accumulate=wide, limit=1 << 14)
def prod(a, b):
    """Product of elements along `axis` (an int, a tuple, or None for all).

    dtype: of the result and of the products; by default the array's own, but 64 bits for integers. keepdims: keep the axes with length 1.

    >>> import mtarray as xp
    >>> int(xp.prod(xp.asarray([2, 3, 4])))
    24
    """
    return a * b


@reduction(identity=None, dtypes=_ORDERED, standard=REAL, numpy="maximum", limit=1 << 17, limits={"f": 1 << 16})
def max(a, b):
    """Largest element along `axis` (an int, a tuple, or None for all); NaN if there is one. ValueError for no elements.

    >>> import mtarray as xp
    >>> xp.max(xp.asarray([[1, 5], [3, 4]]), axis=1)
    Array([5, 4], shape=(2,), dtype=int64, device='cpu')
    """
    return math.maximum(a, b)


@reduction(identity=None, dtypes=_ORDERED, standard=REAL, numpy="minimum", limit=1 << 17, limits={"f": 1 << 16})
def min(a, b):
    """Smallest element along `axis` (an int, a tuple, or None for all); NaN if there is one. ValueError for no elements.

    >>> import mtarray as xp
    >>> xp.min(xp.asarray([[1, 5], [3, 4]]), axis=1)
    Array([1, 3], shape=(2,), dtype=int64, device='cpu')
    """
    return math.minimum(a, b)


@scan(identity=0, dtypes=ALL, standard=NUMERIC, numpy="add")
def cumulative_sum(a, b):
    """Running sums along `axis` (needed for more than one dimension).

    dtype: as for `sum`. include_initial: start with a 0, which makes the axis one longer.

    >>> import mtarray as xp
    >>> xp.cumulative_sum(xp.asarray([1, 2, 3]), include_initial=True)
    Array([0, 1, 3, 6], shape=(4,), dtype=int64, device='cpu')
    """
    return a + b


@scan(identity=1, dtypes=ALL, standard=NUMERIC, numpy="multiply")
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


_VARIANCE = 1 << 13  # elements from which one pass of a kernel beats NumPy's four


@engine
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
