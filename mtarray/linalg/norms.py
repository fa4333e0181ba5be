"""Norms of vectors and matrices, condition numbers."""

from __future__ import annotations

import math
from math import inf
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import COMPLEX, REAL_FLOATING, real_of
from .._ops import SLOW, elementwise
from .._strides import axes_of, axis_of
from ..creation import astype, zeros
from ..elementwise import abs as absolute
from ..elementwise import add, divide, equal, multiply, not_equal, pow, square
from ..manipulation import moveaxis, reshape
from ..searching import where
from ..statistical import max as maximum
from ..statistical import min as minimum
from ..statistical import sum as total
from ._operands import LinAlgError, floating, matrices
from .decompositions import inv, svdvals


# The root of a sum of squares. Where all of them are 0 a norm has a kink, and 0 is in the middle of its slopes: that of the squares is 0
# there, which a finite slope of the root leaves as it is.
@elementwise(dtypes=REAL_FLOATING, numpy="sqrt", limit=SLOW, derivative=lambda y: 0.5 / where(equal(y, 0), 1.0, y))
def _root(x):  # type: ignore[no-untyped-def]
    return math.sqrt(x)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Norms of vectors along `axis` (an int; a tuple, or None for all: the axes as one vector). Real.

    ord: any p: (sum of |x|**p)**(1/p); inf and -inf: largest and smallest |x|; 0: the number of elements that are not 0.

    >>> import mtarray as xp
    >>> float(xp.linalg.vector_norm(xp.asarray([3.0, 4.0])))
    5.0
    """
    x = floating(x, "vector_norm")
    axes = tuple(axes_of(axis, x.ndim))
    options: dict[str, Any] = {"axis": axes, "keepdims": keepdims}
    if ord == 2:
        return _root(total(_squares(x), **options))
    magnitude = absolute(x)
    if ord == inf:
        return _largest(magnitude, **options)
    if ord == -inf:
        return minimum(magnitude, **options)
    if ord == 0:
        return total(astype(not_equal(x, 0), magnitude.dtype), **options)
    if ord == 1:
        return total(magnitude, **options)
    if isinstance(ord, str):
        raise ValueError(f"vector_norm: ord must be a number, got {ord!r}")
    powers = total(pow(magnitude, ord), **options)
    if ord < 0:
        return pow(powers, 1 / ord)
    zero = equal(powers, 0)  # there the slope is not taken from the root, whose own is infinite
    return where(zero, 0.0, pow(where(zero, 1.0, powers), 1 / ord))


def _squares(x: Array) -> Array:
    """The squares of absolute values."""
    return square(absolute(x)) if x.dtype in COMPLEX else square(x)


def _largest(magnitude: Array, **options: Any) -> Array:
    """Largest of numbers that are not negative; 0 of none."""
    if magnitude.size:
        return maximum(magnitude, **options)
    return total(magnitude, **options)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Norms of matrices (..., m, n): (...), or (..., 1, 1) with keepdims. Real.

    ord: "fro" the root of the sum of squares, "nuc" the sum of the singular values; 2, -2 the largest, smallest of these;
    1, -1 the largest, smallest column sum of absolute values; inf, -inf the same of rows.

    >>> import mtarray as xp
    >>> float(xp.linalg.matrix_norm(xp.asarray([[3.0, 0.0], [4.0, 0.0]])))
    5.0
    """
    x = matrices(x, "matrix_norm")
    if ord == "fro" or ord is None:
        out = _root(total(_squares(x), axis=(-2, -1)))
    elif ord == "nuc":
        out = total(svdvals(x), axis=-1)
    elif ord in (2, -2):
        out = (_largest if ord == 2 else minimum)(svdvals(x), axis=-1)
    elif ord in (1, -1):
        out = (_largest if ord == 1 else minimum)(total(absolute(x), axis=-2), axis=-1)
    elif ord in (inf, -inf):
        out = (_largest if ord == inf else minimum)(total(absolute(x), axis=-1), axis=-1)
    else:
        raise ValueError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    return out[..., None, None] if keepdims else out


def norm(x: Any, /, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """NumPy's `norm`: of vectors for an int axis, of matrices for a pair; without an axis, of the whole array.

    ord None is the 2-norm of vectors and the Frobenius norm of matrices; the others as for `vector_norm` and `matrix_norm`.

    >>> import mtarray as xp
    >>> float(xp.linalg.norm(xp.asarray([[3.0, 0.0], [4.0, 0.0]])))
    5.0
    """
    x = floating(x, "norm")
    if axis is None and (ord is None or x.ndim == 1):
        return vector_norm(x, keepdims=keepdims, ord=2 if ord is None else ord)
    if axis is None:
        axis = tuple(range(x.ndim))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"norm: expected one axis or two, got {axes} for an array of shape {x.shape}; vector_norm takes any number")
    first, second = (axis_of(a, x.ndim) for a in axes)
    out = matrix_norm(moveaxis(x, (first, second), (-2, -1)), ord=ord)
    if keepdims:
        out = reshape(out, tuple([1 if a in (first, second) else n for a, n in enumerate(x.shape)]))
    return out


def cond(x: Any, /, p: Any = None) -> Array:
    """Condition numbers (...) of matrices (..., m, n): the norm `p` (as `ord` of `matrix_norm`) times that of the inverse.

    p None or 2: the ratio of the largest and smallest singular value, for any shape; inf for singular matrices.

    >>> import mtarray as xp
    >>> float(xp.linalg.cond(xp.asarray([[2.0, 0.0], [0.0, 1.0]])))
    2.0
    """
    x = matrices(x, "cond", square=p not in (None, 2, -2))
    if x.size == 0:
        raise LinAlgError(f"cond: not defined for empty matrices; x has shape {x.shape}")
    if p in (None, 2, -2):
        s = svdvals(x)
        largest, smallest = s[..., 0], s[..., -1]
        return divide(smallest, largest) if p == -2 else where(equal(smallest, 0), inf, divide(largest, smallest))
    try:
        inverse = inv(x)
    except LinAlgError:
        if x.ndim > 2:
            raise
        return add(zeros((), dtype=real_of(x.dtype), device=x.device), inf)
    return multiply(matrix_norm(x, ord=p), matrix_norm(inverse, ord=p))
