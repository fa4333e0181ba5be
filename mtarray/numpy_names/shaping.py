"""Axes and shapes, by NumPy's names: views wherever strides allow."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .._array import Array, value
from .._strides import as_shape, axis_of, is_contiguous
from ..creation import asarray, zeros
from ..manipulation import concat, expand_dims, flip, permute_dims, reshape
from ._operands import operand, refuse_if_strict


def transpose(a: Any, axes: Any = None) -> Array:
    """The view with dimension i taken from dimension axes[i]; with all dimensions reversed if `axes` is None.

    >>> import mtarray as xp
    >>> xp.transpose(xp.ones((2, 3, 4))).shape
    (4, 3, 2)
    """
    a = operand(a, "transpose")
    return a.T if axes is None else permute_dims(a, axes)


def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """The view with two dimensions exchanged.

    >>> import mtarray as xp
    >>> xp.swapaxes(xp.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    a = operand(a, "swapaxes")
    i, j = axis_of(axis1, a.ndim, "axis1"), axis_of(axis2, a.ndim, "axis2")
    order = list(range(a.ndim))
    order[i], order[j] = j, i
    return permute_dims(a, order)


def ravel(a: Any, order: str = "C") -> Array:
    """One dimension: a view where strides allow. order: "C" (last axis fastest) or "F" (first axis fastest).

    >>> import mtarray as xp
    >>> xp.ravel(xp.asarray([[1, 2], [3, 4]]), order="F")
    Array([1, 3, 2, 4], shape=(4,), dtype=int64, device='cpu')
    """
    a = operand(a, "ravel")
    if order not in ("C", "F", "A", "K"):
        raise ValueError(f"ravel: order={order!r} must be 'C' or 'F'")
    return reshape(a.T if order == "F" else a, (-1,))


def atleast_1d(*arys: Any) -> Any:
    """The arrays with at least one dimension: one array, or a tuple of as many as are given.

    >>> import mtarray as xp
    >>> xp.atleast_1d(3.0)
    Array([3.], shape=(1,), dtype=float64, device='cpu')
    """
    return _each(arys, "atleast_1d", {0: (0,)})


def atleast_2d(*arys: Any) -> Any:
    """The arrays with at least two dimensions, new ones in front: one array, or a tuple of as many as are given.

    >>> import mtarray as xp
    >>> xp.atleast_2d(xp.ones(3)).shape
    (1, 3)
    """
    return _each(arys, "atleast_2d", {0: (0, 1), 1: (0,)})


def atleast_3d(*arys: Any) -> Any:
    """The arrays with at least three dimensions: (N,) becomes (1, N, 1), (M, N) becomes (M, N, 1).

    >>> import mtarray as xp
    >>> xp.atleast_3d(xp.ones(3)).shape
    (1, 3, 1)
    """
    return _each(arys, "atleast_3d", {0: (0, 1, 2), 1: (0, 2), 2: (2,)})


def _each(arys: tuple[Any, ...], where: str, added: dict[int, tuple[int, ...]]) -> Any:
    out = []
    for a in arys:
        a = operand(a, where)
        out.append(expand_dims(a, added[a.ndim]) if a.ndim in added else a)
    return out[0] if len(out) == 1 else tuple(out)


def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Array:
    """The view turned by k quarter turns in the plane of two axes, from the first towards the second.

    >>> import mtarray as xp
    >>> xp.rot90(xp.asarray([[1, 2], [3, 4]]))
    Array([[2, 4],
           [1, 3]], shape=(2, 2), dtype=int64, device='cpu')
    """
    m = operand(m, "rot90")
    if len(axes) != 2:
        raise ValueError(f"rot90: axes={axes} must name two axes")
    i, j = axis_of(axes[0], m.ndim, "axes"), axis_of(axes[1], m.ndim, "axes")
    if i == j:
        raise ValueError(f"rot90: axes={axes} must be different")
    k %= 4
    if k == 0:
        return m[...]
    if k == 2:
        return flip(m, axis=(i, j))
    return swapaxes(flip(m, axis=j), i, j) if k == 1 else flip(swapaxes(m, i, j), axis=j)


def fliplr(m: Any) -> Array:
    """The view with the order of columns (axis 1) reversed.

    >>> import mtarray as xp
    >>> xp.fliplr(xp.asarray([[1, 2], [3, 4]]))
    Array([[2, 1],
           [4, 3]], shape=(2, 2), dtype=int64, device='cpu')
    """
    m = operand(m, "fliplr")
    if m.ndim < 2:
        raise ValueError(f"fliplr: needs at least 2 dimensions, got shape {m.shape}")
    return flip(m, axis=1)


def flipud(m: Any) -> Array:
    """The view with the order of rows (axis 0) reversed.

    >>> import mtarray as xp
    >>> xp.flipud(xp.asarray([[1, 2], [3, 4]]))
    Array([[3, 4],
           [1, 2]], shape=(2, 2), dtype=int64, device='cpu')
    """
    m = operand(m, "flipud")
    if m.ndim < 1:
        raise ValueError("flipud: needs at least 1 dimension, got a 0-d array")
    return flip(m, axis=0)


def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """The view with `axis` moved to stand before what is axis `start`.

    >>> import mtarray as xp
    >>> xp.rollaxis(xp.ones((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    a = operand(a, "rollaxis")
    i, j = axis_of(axis, a.ndim), axis_of(start, a.ndim + 1, "start")
    order = [k for k in range(a.ndim) if k != i]
    order.insert(j - (i < j), i)
    return permute_dims(a, order)


def resize(a: Any, new_shape: Any) -> Array:
    """A new array of `new_shape`, filled with the elements of `a` in C order, over and over.

    >>> import mtarray as xp
    >>> xp.resize(xp.asarray([1, 2, 3]), (2, 2))
    Array([[1, 2],
           [3, 1]], shape=(2, 2), dtype=int64, device='cpu')
    """
    a = reshape(operand(a, "resize"), (-1,))
    shape = as_shape(new_shape, "new_shape")
    n = prod(shape)
    if a.size == 0 or n == 0:
        return zeros(shape, dtype=a.dtype, device=a.device)
    whole = concat([a] * -(-n // a.size))
    return reshape(whole[:n], shape)


def shape(a: Any) -> tuple[int, ...]:
    """Lengths of the dimensions.

    >>> import mtarray as xp
    >>> xp.shape(xp.ones((2, 3)))
    (2, 3)
    """
    return operand(a, "shape").shape


def ndim(a: Any) -> int:
    """Number of dimensions.

    >>> import mtarray as xp
    >>> xp.ndim(xp.ones((2, 3)))
    2
    """
    return operand(a, "ndim").ndim


def size(a: Any, axis: int | None = None) -> int:
    """Number of elements, or the length of `axis`.

    >>> import mtarray as xp
    >>> xp.size(xp.ones((2, 3))), xp.size(xp.ones((2, 3)), 1)
    (6, 3)
    """
    a = operand(a, "size")
    return a.size if axis is None else a.shape[axis_of(axis, a.ndim)]


def asanyarray(a: Any, dtype: Any = None, *, copy: bool | None = None) -> Array:
    """See `asarray`; there are no subclasses of Array.

    >>> import mtarray as xp
    >>> xp.asanyarray([1, 2])
    Array([1, 2], shape=(2,), dtype=int64, device='cpu')
    """
    refuse_if_strict("asanyarray")
    return asarray(a, dtype=dtype, copy=copy)


def ascontiguousarray(a: Any, dtype: Any = None) -> Array:
    """`a` as an array of at least one dimension in C order without gaps: itself if it is one.

    >>> import mtarray as xp
    >>> xp.ascontiguousarray(xp.ones((2, 3)).T).strides
    (16, 8)
    """
    refuse_if_strict("ascontiguousarray")
    out = asarray(a, dtype=dtype)
    if out.ndim == 0:
        return reshape(out, (1,))
    return out if is_contiguous(out._shape, out._strides) else asarray(out, copy=True)


def may_share_memory(a: Any, b: Any) -> bool:
    """Whether the memory ranges of two arrays meet (they may still have no element in common).

    >>> import mtarray as xp
    >>> x = xp.ones(4)
    >>> xp.may_share_memory(x[:3], x[2:])
    True
    """
    return bool(np.may_share_memory(value(operand(a, "may_share_memory")), value(operand(b, "may_share_memory"))))


def shares_memory(a: Any, b: Any) -> bool:
    """Whether two arrays have an element in common.

    >>> import mtarray as xp
    >>> x = xp.ones(4)
    >>> xp.shares_memory(x[::2], x[1::2])
    False
    """
    return bool(np.shares_memory(value(operand(a, "shares_memory")), value(operand(b, "shares_memory"))))


__all__ = [
    "asanyarray", "ascontiguousarray", "atleast_1d", "atleast_2d", "atleast_3d", "fliplr", "flipud", "may_share_memory", "ndim", "ravel",
    "resize", "rollaxis", "rot90", "shape", "shares_memory", "size", "swapaxes", "transpose",
]  # fmt: skip
