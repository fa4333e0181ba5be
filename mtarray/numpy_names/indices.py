"""Grids of indices, flat positions, and functions applied along axes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import INTEGER_OR_BOOL, dtype_of, float64, int64
from .._dtypes import bool as bool_
from .._strides import as_shape, axes_of, axis_of, contiguous
from ..creation import arange, broadcast_to, empty
from ..elementwise import add, clip, floor_divide, greater_equal, less, logical_or, multiply, remainder
from ..manipulation import expand_dims, moveaxis, permute_dims, reshape, stack
from ..searching import nonzero
from ..utility import any as _any
from ._operands import operand, refuse_if_strict


def indices(dimensions: Any, dtype: Any = int64, sparse: bool = False) -> Any:
    """The indices of every element of an array of shape `dimensions`: shape (ndim, *dimensions).

    sparse: a tuple of arrays that broadcast to it instead.

    >>> import mtarray as xp
    >>> xp.indices((2, 2)).tolist()
    [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]
    """
    refuse_if_strict("indices")
    shape, d = as_shape(dimensions, "dimensions"), dtype_of(dtype)
    lines = [reshape(arange(n, dtype=d), (1,) * i + (n,) + (1,) * (len(shape) - i - 1)) for i, n in enumerate(shape)]
    if sparse:
        return tuple(lines)
    return stack([broadcast_to(x, shape) for x in lines], axis=0) if lines else empty((0,), dtype=d)


def ix_(*args: Any) -> tuple[Array, ...]:
    """One-dimensional index arrays (or masks) shaped so that they index the grid they span: x[ix_([0, 2], [1, 3])].

    >>> import mtarray as xp
    >>> [i.shape for i in xp.ix_([0, 2], [1, 3, 4])]
    [(2, 1), (1, 3)]
    """
    out = []
    for k, a in enumerate(args):
        x = operand(a, "ix_")
        if x.ndim != 1:
            raise ValueError(f"ix_: argument {k} has shape {x.shape}; it must be one-dimensional")
        if x.size == 0:
            x = x.astype(int64)
        if x.dtype is bool_:
            x = nonzero(x)[0]
        out.append(reshape(x, (1,) * k + (-1,) + (1,) * (len(args) - k - 1)))
    return tuple(out)


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Array, ...]:
    """The coordinates, one array per axis, of flat positions in an array of `shape`. ValueError for a position out of bounds.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.unravel_index(xp.asarray([3, 5]), (2, 3))]
    [[1, 1], [0, 2]]
    """
    i = _integers(indices, "unravel_index")
    dims = as_shape(shape)
    if order not in ("C", "F"):
        raise ValueError(f"unravel_index: order={order!r} must be 'C' or 'F'")
    if bool(_any(logical_or(less(i, 0), greater_equal(i, prod(dims))))):
        raise ValueError(f"unravel_index: an index is out of bounds for shape {dims} of {prod(dims)} elements")
    out = []
    for n in dims[::-1] if order == "C" else dims:
        out.append(remainder(i, n))
        i = floor_divide(i, n)
    return tuple(out[::-1] if order == "C" else out)


def _integers(x: Any, where: str) -> Array:
    """Indices as int64; an empty sequence has none to be of another type."""
    out = operand(x, where)
    if out.dtype not in INTEGER_OR_BOOL and not (out.size == 0 and isinstance(x, (list, tuple))):
        raise TypeError(f"{where}: indices must be integers, not {out.dtype}")
    return out.astype(int64, copy=False)


def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Array:
    """The flat positions of coordinates, one array per axis, in an array of shape `dims`.

    mode: "raise" (ValueError for a coordinate out of bounds), "wrap" or "clip", for all axes or a tuple of one for each.

    >>> import mtarray as xp
    >>> xp.ravel_multi_index((xp.asarray([1, 1]), xp.asarray([0, 2])), (2, 3))
    Array([3, 5], shape=(2,), dtype=int64, device='cpu')
    """
    coordinates = [_integers(x, "ravel_multi_index") for x in multi_index]
    shape = as_shape(dims, "dims")
    if len(coordinates) != len(shape):
        raise ValueError(f"ravel_multi_index: {len(coordinates)} coordinates for dims={shape}; there must be one for each axis")
    if order not in ("C", "F"):
        raise ValueError(f"ravel_multi_index: order={order!r} must be 'C' or 'F'")
    modes = mode if isinstance(mode, tuple) else (mode,) * len(shape)
    if len(modes) != len(shape):
        raise ValueError(f"ravel_multi_index: mode={mode} does not pair up with dims={shape}")
    steps = contiguous(shape) if order == "C" else contiguous(shape[::-1])[::-1]
    out: Any = None
    for i, (x, n, step, how) in enumerate(zip(coordinates, shape, steps, modes)):
        if how == "wrap":
            x = remainder(x, n)
        elif how == "clip":
            x = clip(x, 0, n - 1)
        elif how != "raise":
            raise ValueError(f"ravel_multi_index: mode={how!r} must be 'raise', 'wrap' or 'clip'")
        elif bool(_any(logical_or(less(x, 0), greater_equal(x, n)))):
            raise ValueError(f"ravel_multi_index: a coordinate of axis {i} is out of bounds for dims={shape}")
        part = multiply(x, step)
        out = part if out is None else add(out, part)
    return out


# ---------------------------------------------------------------------- functions along axes


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float64, **kwargs: Any) -> Any:
    """What `function` makes of the coordinates of an array of `shape`: called once with one array per axis.

    >>> import mtarray as xp
    >>> xp.fromfunction(lambda i, j: i + j, (2, 2), dtype=int)
    Array([[0, 1],
           [1, 2]], shape=(2, 2), dtype=int64, device='cpu')
    """
    grid = indices(shape, dtype=dtype)
    return function(*[grid[i, ...] for i in range(grid.shape[0])], **kwargs)


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Array:
    """What func1d(line, *args, **kwargs) gives for each line of `arr` along `axis`; its dimensions stand in place of that axis.

    ValueError for an array without lines. A Python loop: prefer functions with an `axis`.

    >>> import mtarray as xp
    >>> xp.apply_along_axis(lambda v: v[::-1], 1, xp.asarray([[1, 2], [3, 4]]))
    Array([[2, 1],
           [4, 3]], shape=(2, 2), dtype=int64, device='cpu')
    """
    arr = operand(arr, "apply_along_axis")
    a = axis_of(axis, arr.ndim)
    rest = moveaxis(arr, a, -1)
    lanes = rest.shape[:-1]
    if prod(lanes) == 0:
        raise ValueError(f"apply_along_axis: an array of shape {arr.shape} has no lines along axis {axis}")
    results = [operand(func1d(rest[(*place, slice(None))], *args, **kwargs), "apply_along_axis") for place in np.ndindex(lanes)]
    first = results[0]
    out = empty((len(results), *first.shape), dtype=first.dtype, device=first.device)
    for i, r in enumerate(results):
        out[i, ...] = r
    out = reshape(out, lanes + first.shape)
    order = [*range(a), *range(len(lanes), out.ndim), *range(a, len(lanes))]
    return permute_dims(out, order)


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Array:
    """func(a, axis) applied to one axis after the other; where it drops the axis, that is put back with length 1.

    >>> import mtarray as xp
    >>> xp.apply_over_axes(xp.sum, xp.ones((2, 3, 4)), (0, 2)).shape
    (1, 3, 1)
    """
    out = operand(a, "apply_over_axes")
    ndim = out.ndim
    for axis in axes_of(axes, ndim, "axes"):
        res = operand(func(out, axis), "apply_over_axes")
        if res.ndim != out.ndim:
            res = expand_dims(res, axis)
            if res.ndim != out.ndim:
                raise ValueError(f"apply_over_axes: the function made shape {res.shape} of {out.shape}")
        out = res
    return out


__all__ = ["apply_along_axis", "apply_over_axes", "fromfunction", "indices", "ix_", "ravel_multi_index", "unravel_index"]
