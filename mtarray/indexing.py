"""take and take_along_axis: selection by integer arrays."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, value
from ._config import config, is_strict
from ._operands import lift, lift_together
from ._ops import engine
from ._selection import gathers, take_items
from ._strides import axis_of, broadcast_shape
from .creation import asarray, broadcast_to, zeros


def _indices(indices: Any, x: Array, where: str) -> Array:
    """Indices as an Array; sequences and numbers go to the device of `x`."""
    if isinstance(indices, (list, tuple)) and is_strict():
        raise TypeError(f"{where}: indices must be an array, not a {type(indices).__name__} (strict mode)")
    if isinstance(indices, (list, tuple)):
        out = asarray(indices, device=x._storage.device)
    else:
        _, out = lift_together(f"{where}: indices", x, indices)
    if isinstance(indices, (list, tuple)) and out.size == 0:
        out = out.astype(np.int64)
    if out._dtype.kind not in "iu":
        raise TypeError(f"{where}: indices must be integers, not {out.dtype}")
    return out


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Array:
    """The elements of `x` at `indices` along `axis` (which one-dimensional arrays need not name). Negative indices count from the end.

    Shape: that of `x` with the axis replaced by the shape of `indices`. IndexError for an index out of bounds.

    >>> import mtarray as xp
    >>> xp.take(xp.asarray([10, 20, 30]), xp.asarray([2, 0]))
    Array([30, 10], shape=(2,), dtype=int64, device='cpu')
    """
    if axis.__class__ is int and _is_plain(x) and _is_plain(indices):
        made = _made.get((x._dtype, x._shape, indices._dtype, indices._shape, axis))
        if made is not None and config._values["kernels"] == "auto":
            result = made(value(x), value(indices))
            if result is not None:
                return fresh(result)
    x = lift(x, "take")
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: axis=None needs a one-dimensional array, this one has shape {x.shape}; name the axis")
        axis = 0
    index = _indices(indices, x, "take")
    if index.ndim != 1 and is_strict():
        raise ValueError(f"take: the standard wants indices of one dimension, not of shape {index.shape} (strict mode)")
    a = axis_of(axis, x.ndim)
    out: Array = taken(x, index, axis=a)
    whole = x._whole > 0 and index._whole > 0 and index.ndim == 1 and index._dtype == np.int64
    if whole and gathers(index._whole * prod(x._shape[:a]), prod(x._shape[a + 1 :]) * x._dtype.itemsize):
        _remember(x, index, axis, a)
    return out


def _is_plain(x: Any) -> bool:
    """Whether this is a contiguous array with elements that the derivative tape does not follow."""
    return x.__class__ is Array and x._whole > 0 and x._storage.node is None


# What takes contiguous elements of these dtypes and shapes, once it is known: large ones by a kernel that is ready to be launched.
_made: dict[Any, Any] = {}
_REMEMBERED = 1024


def _remember(x: Array, index: Array, given: int, axis: int) -> None:
    from ._kernels.cpu import gather

    if len(_made) >= _REMEMBERED:
        _made.clear()
    made = gather.prepared(value(x), value(index), axis)
    _made[x._dtype, x._shape, index._dtype, index._shape, given] = made


def _put_back(g: Array, shape: tuple[int, ...], indices: Array, axis: int) -> Array:
    """Zeros with `g` added at the places it was taken from."""
    out = zeros(shape, dtype=g.dtype, device=g.device)
    _array.accumulate(out, g, (slice(None),) * axis + (_array.value(indices),))
    return out


@engine(vjp=(_put_back, 0), linear="all")
def taken(x: Any, indices: Any, *, axis: int) -> Any:
    """Elements of an axis by integer indices."""
    if indices.size and x.shape[axis] == 0:
        raise IndexError(f"take: axis {axis} of shape {x.shape} has no elements to take")
    return take_items(x, indices, axis)


def take_along_axis(x: Any, indices: Any, /, axis: int = -1) -> Array:
    """For each line of `x` along `axis` the elements at the indices in the same line of `indices`; the other axes broadcast.

    >>> import mtarray as xp
    >>> xp.take_along_axis(xp.asarray([[10, 20], [30, 40]]), xp.asarray([[1], [0]]), axis=1)
    Array([[20],
           [30]], shape=(2, 1), dtype=int64, device='cpu')
    """
    x = lift(x, "take_along_axis")
    indices = _indices(indices, x, "take_along_axis")
    if indices.ndim != x.ndim:
        raise ValueError(f"take_along_axis: x has shape {x.shape}, indices {indices.shape}; they must have as many dimensions")
    a = axis_of(axis, x.ndim)
    try:
        rest = broadcast_shape(x._shape[:a] + (1,) + x._shape[a + 1 :], indices._shape[:a] + (1,) + indices._shape[a + 1 :])
    except ValueError as error:
        raise ValueError(f"take_along_axis: beside axis {a}, {error}") from None
    return taken_along(
        broadcast_to(x, rest[:a] + (x._shape[a],) + rest[a + 1 :]),
        broadcast_to(indices, rest[:a] + (indices._shape[a],) + rest[a + 1 :]),
        axis=a,
    )


def _put_back_along(g: Array, shape: tuple[int, ...], indices: Array, axis: int) -> Array:
    """Zeros with `g` added at the places of each line that it was taken from."""
    out = zeros(shape, dtype=g.dtype, device=g.device)
    places = [_array.value(x) for x in _array.xp.indices(indices.shape, sparse=True)]
    key = tuple([_array.value(indices) if i == axis else place for i, place in enumerate(places)])
    _array.accumulate(out, g, key)
    return out


@engine(vjp=(_put_back_along, 0), linear="all")
def taken_along(x: Any, indices: Any, *, axis: int) -> Any:
    """Elements of each line by the indices of the same line."""
    if gathers(indices.size, x.itemsize):
        from ._kernels.cpu import gather

        try:
            return gather.take_along_axis(x, indices, axis)
        except IndexError:
            pass  # NumPy fails as well, in words that name the axis
    return np.asarray(np.take_along_axis(x, indices, axis))


__all__ = ["take", "take_along_axis"]
