"""Products: of matrices, of vectors, over pairs of axes; the operator @."""

from __future__ import annotations

import builtins
from math import prod
from operator import index
from typing import Any

import numpy as np

from .. import _dispatch
from .._array import Array
from .._products import small_product
from .._selection import assign
from .._strides import axis_of, broadcast_shape
from ..elementwise import multiply, subtract
from ..manipulation import moveaxis, permute_dims, reshape, stack
from . import _engine
from ._operands import LinAlgError, numeric, pair

_BOOL = np.dtype(bool)


def matmul(x1: Any, x2: Any, /) -> Array:
    """Matrix product of the last two axes; a 1-D operand is a row on the left and a column on the right, and its axis is dropped.

    x1: (..., m, k) or (k,); x2: (..., k, n) or (k,); the axes before broadcast. Integers wrap. ValueError for shapes that do not fit.

    >>> import mtarray as xp
    >>> xp.linalg.matmul(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], shape=(2,), dtype=int64, device='cpu')
    """
    if x1.__class__ is Array and x2.__class__ is Array and x1._dtype is x2._dtype and x1._dtype is not _BOOL:
        s1, s2 = x1._shape, x2._shape
        if len(s1) == 2 and 1 <= len(s2) <= 2 and s1[1] == s2[0]:
            quick = small_product(x1, x2)
            if quick is None:
                return _engine.product(x1, x2)
            if x1._storage.node is not None or x2._storage.node is not None:
                _dispatch.record(_engine.product.op, (x1, x2), (quick,), None)
            return quick
    x1, x2 = pair(x1, x2, "matmul")
    s1, s2 = x1.shape, x2.shape
    if not s1 or not s2:
        raise ValueError(f"matmul: both operands need a dimension; shapes {s1} and {s2} (multiply takes 0-d arrays)")
    if s1[-1] != s2[0 if len(s2) == 1 else -2]:
        axis = "first" if len(s2) == 1 else "last but one"
        raise ValueError(f"matmul: the last dimension of x1, {s1[-1]}, is not the {axis} of x2: shapes {s1} and {s2}")
    try:
        broadcast_shape(s1[:-2], s2[:-2])
    except ValueError:
        raise ValueError(f"matmul: the stacks do not broadcast: shapes {s1} and {s2}") from None
    return _engine.product(x1, x2)


def _forward(self: Array, other: Any, /) -> Any:
    if other.__class__ is Array or isinstance(other, (np.ndarray, np.generic)):
        return matmul(self, other)
    return NotImplemented


def _reflected(self: Array, other: Any, /) -> Any:
    return matmul(other, self) if isinstance(other, (np.ndarray, np.generic)) else NotImplemented


def _inplace(self: Array, other: Any, /) -> Any:
    if other.__class__ is not Array and not isinstance(other, (np.ndarray, np.generic)):
        return NotImplemented
    result = matmul(self, other)
    if result.shape != self.shape:
        raise ValueError(f"matmul in place: the result has shape {result.shape}, the array {self.shape}")
    if not np.can_cast(result.dtype, self.dtype, "same_kind"):
        raise TypeError(f"matmul in place: the result has dtype {result.dtype}, which cannot be written into an array of {self.dtype}")
    assign(self, result, None)
    return self


for _name, _method in (("__matmul__", _forward), ("__rmatmul__", _reflected), ("__imatmul__", _inplace)):
    _method.__name__ = _name
    _method.__qualname__ = f"Array.{_name}"
    setattr(Array, _name, _method)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """Dot products of vectors along `axis` (counted from the end, or the same axis of both), the first conjugated.

    >>> import mtarray as xp
    >>> xp.linalg.vecdot(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], shape=(2,), dtype=int64, device='cpu')
    """
    x1, x2 = pair(x1, x2, "vecdot")
    x1, x2 = _last(x1, x2, axis, "vecdot")
    return _engine.dots(x1, x2)


def _last(x1: Array, x2: Array, axis: Any, where: str) -> tuple[Array, Array]:
    """Both with the axis last, of the same length."""
    if x1.ndim == 0 or x2.ndim == 0:
        raise ValueError(f"{where}: both operands need a dimension; shapes {x1.shape} and {x2.shape}")
    a1, a2 = axis_of(axis, x1.ndim), axis_of(axis, x2.ndim)
    if x1.shape[a1] != x2.shape[a2]:
        raise ValueError(f"{where}: lengths {x1.shape[a1]} and {x2.shape[a2]} along axis {axis} differ: shapes {x1.shape} and {x2.shape}")
    x1, x2 = moveaxis(x1, a1, -1), moveaxis(x2, a2, -1)
    try:
        broadcast_shape(x1.shape[:-1], x2.shape[:-1])
    except ValueError:
        raise ValueError(f"{where}: the other axes do not broadcast: shapes {x1.shape} and {x2.shape}, vectors last") from None
    return x1, x2


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    """Sum of products over pairs of axes: the last `axes` of x1 and the first of x2, or the axes of a pair of sequences.

    >>> import mtarray as xp
    >>> xp.linalg.tensordot(xp.ones((2, 3, 4)), xp.ones((4, 3, 5)), axes=((1, 2), (1, 0))).shape
    (2, 5)
    """
    x1, x2 = pair(x1, x2, "tensordot")
    if isinstance(axes, (tuple, list)):
        first, second = ([a] if isinstance(a, (int, np.integer)) else list(a) for a in axes)
        if len(first) != len(second):
            raise ValueError(f"tensordot: axes name {len(first)} axes of x1 and {len(second)} of x2")
        # Axes pair in the order given, so each is normalised by itself.
        first, second = [axis_of(a, x1.ndim) for a in first], [axis_of(a, x2.ndim) for a in second]
        if len({*first}) != len(first) or len({*second}) != len(second):
            raise ValueError(f"tensordot: an axis is named twice in {axes}")
    else:
        n = index(axes)
        if not 0 <= n <= builtins.min(x1.ndim, x2.ndim):
            raise ValueError(f"tensordot: axes={n} with arrays of {x1.ndim} and {x2.ndim} dimensions")
        first, second = list(range(x1.ndim - n, x1.ndim)), list(range(n))
    lengths = [x1.shape[a] for a in first]
    if lengths != [x2.shape[a] for a in second]:
        raise ValueError(f"tensordot: lengths along axes {first} and {second} differ: shapes {x1.shape} and {x2.shape}")
    rest1 = [a for a in range(x1.ndim) if a not in first]
    rest2 = [a for a in range(x2.ndim) if a not in second]
    shape1, shape2 = [x1.shape[a] for a in rest1], [x2.shape[a] for a in rest2]
    k = prod(lengths)
    a = reshape(permute_dims(x1, tuple(rest1 + first)), (prod(shape1), k))
    b = reshape(permute_dims(x2, tuple(second + rest2)), (k, prod(shape2)))
    return reshape(matmul(a, b), (*shape1, *shape2))


def outer(x1: Any, x2: Any, /) -> Array:
    """All products of an element of x1 (n,) and one of x2 (m,): (n, m).

    >>> import mtarray as xp
    >>> xp.linalg.outer(xp.asarray([1, 2]), xp.asarray([3, 4, 5]))
    Array([[ 3,  4,  5],
           [ 6,  8, 10]], shape=(2, 3), dtype=int64, device='cpu')
    """
    x1, x2 = pair(x1, x2, "outer")
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: both operands must be 1-D; shapes {x1.shape} and {x2.shape}")
    return multiply(x1[:, None], x2[None, :])


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """Cross products of vectors of three elements along `axis`; the other axes broadcast.

    >>> import mtarray as xp
    >>> xp.linalg.cross(xp.asarray([1, 0, 0]), xp.asarray([0, 1, 0]))
    Array([0, 0, 1], shape=(3,), dtype=int64, device='cpu')
    """
    x1, x2 = pair(x1, x2, "cross")
    a = axis_of(axis, builtins.max(x1.ndim, x2.ndim)) if x1.ndim == x2.ndim else axis
    x1, x2 = _last(x1, x2, axis, "cross")
    if x1.shape[-1] != 3:
        raise ValueError(f"cross: vectors must have 3 elements along axis {axis}, they have {x1.shape[-1]}")
    return moveaxis(cross_of_last(x1, x2), -1, a)


def cross_of_last(x1: Array, x2: Array) -> Array:
    """Cross products of vectors of three elements of one dtype along the last axis, which stays the last; the others broadcast."""
    (a0, a1, a2), (b0, b1, b2) = ([x[..., i] for i in range(3)] for x in (x1, x2))
    parts = ((a1, b2, a2, b1), (a2, b0, a0, b2), (a0, b1, a1, b0))
    return stack([subtract(multiply(p, q), multiply(r, s)) for p, q, r, s in parts], axis=-1)


def multi_dot(arrays: Any, /) -> Array:
    """Product of two or more matrices (the first and last may be 1-D), multiplied in the order that costs least.

    >>> import mtarray as xp
    >>> xp.linalg.multi_dot([xp.ones((10, 2)), xp.ones((2, 30)), xp.ones((30, 4))]).shape
    (10, 4)
    """
    xs = [numeric(x, "multi_dot") for x in arrays]
    if len(xs) < 2:
        raise ValueError(f"multi_dot: expected at least two arrays, got {len(xs)}")
    for i, x in enumerate(xs):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(xs) - 1)):
            raise LinAlgError(f"multi_dot: array {i} must be 2-D; it has shape {x.shape}")
    sizes = [xs[0].shape[0] if xs[0].ndim == 2 else 1] + [x.shape[-1] if x.ndim == 2 else 1 for x in xs]
    if xs[0].ndim == 1:
        sizes[1] = xs[0].shape[0]
    n = len(xs)
    cost = [[0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], cut[i][j] = builtins.min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def multiply_out(i: int, j: int) -> Array:
        return xs[i] if i == j else matmul(multiply_out(i, cut[i][j]), multiply_out(cut[i][j] + 1, j))

    return multiply_out(0, n - 1)
