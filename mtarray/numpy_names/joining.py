"""Joining, cutting, inserting and removing, by NumPy's names."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._array import Array
from .._strides import axis_of
from ..creation import asarray, empty
from ..indexing import take
from ..manipulation import concat, moveaxis, reshape, split_at
from ._operands import operand, operands
from .shaping import atleast_1d, atleast_2d, atleast_3d


def concatenate(arrays: Any, axis: int | None = 0, *, dtype: Any = None) -> Array:
    """The arrays joined along an existing axis (None: flattened first). See `concat`.

    >>> import mtarray as xp
    >>> xp.concatenate([xp.asarray([1, 2]), xp.asarray([3])])
    Array([1, 2, 3], shape=(3,), dtype=int64, device='cpu')
    """
    return concat(operands(arrays, "concatenate"), axis=axis, dtype=dtype)


def hstack(tup: Any, *, dtype: Any = None) -> Array:
    """Arrays joined side by side: along axis 1, one-dimensional ones end to end.

    >>> import mtarray as xp
    >>> xp.hstack([xp.asarray([1, 2]), 3])
    Array([1, 2, 3], shape=(3,), dtype=int64, device='cpu')
    """
    xs = [atleast_1d(x) for x in operands(tup, "hstack")]
    return concat(xs, axis=0 if xs[0].ndim == 1 else 1, dtype=dtype)


def vstack(tup: Any, *, dtype: Any = None) -> Array:
    """Arrays joined one above the other: along axis 0, one-dimensional ones as rows.

    >>> import mtarray as xp
    >>> xp.vstack([xp.asarray([1, 2]), xp.asarray([3, 4])])
    Array([[1, 2],
           [3, 4]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return concat([atleast_2d(x) for x in operands(tup, "vstack")], axis=0, dtype=dtype)


def dstack(tup: Any) -> Array:
    """Arrays joined in depth, along axis 2, after `atleast_3d`.

    >>> import mtarray as xp
    >>> xp.dstack([xp.asarray([1, 2]), xp.asarray([3, 4])]).tolist()
    [[[1, 3], [2, 4]]]
    """
    return concat([atleast_3d(x) for x in operands(tup, "dstack")], axis=2)


def column_stack(tup: Any) -> Array:
    """One-dimensional arrays as the columns of a matrix; matrices are joined side by side.

    >>> import mtarray as xp
    >>> xp.column_stack([xp.asarray([1, 2]), xp.asarray([3, 4])])
    Array([[1, 3],
           [2, 4]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return concat([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in operands(tup, "column_stack")], axis=1)


def block(arrays: Any) -> Array:
    """One array from nested lists of blocks: the innermost lists join along the last axis, the next ones along the one before.

    ValueError where lists are nested to different depths, or shapes do not fit.

    >>> import mtarray as xp
    >>> xp.block([[xp.ones((1, 1)), xp.zeros((1, 2))], [xp.full((1, 3), 5.0)]])
    Array([[1., 0., 0.],
           [5., 5., 5.]], shape=(2, 3), dtype=float64, device='cpu')
    """
    depth = _depth(arrays)
    leaves = list(_leaves(arrays))
    device = next((x.device for x in leaves if x.__class__ is Array), None)  # where numbers go
    ndim = max([depth, *[getattr(x, "ndim", 0) for x in leaves]])
    out = _joined(arrays, depth, 0, ndim, device)
    return out.copy() if depth == 0 else out


def _depth(blocks: Any) -> int:
    if not isinstance(blocks, list):
        if isinstance(blocks, tuple):
            raise TypeError("block: the blocks are nested in lists; a tuple is not allowed")
        return 0
    if not blocks:
        raise ValueError("block: a list of blocks is empty")
    depths = {_depth(b) for b in blocks}
    if len(depths) > 1:
        raise ValueError(f"block: lists are nested to different depths: {sorted(depths)} inside one list")
    return depths.pop() + 1


def _leaves(blocks: Any) -> Any:
    if isinstance(blocks, list):
        for b in blocks:
            yield from _leaves(b)
    else:
        yield blocks


def _joined(blocks: Any, depth: int, level: int, ndim: int, device: Any) -> Array:
    if level == depth:
        x = operand(blocks, "block", device=device)
        return reshape(x, (1,) * (ndim - x.ndim) + x.shape)
    return concat([_joined(b, depth, level + 1, ndim, device) for b in blocks], axis=level - depth)


def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """`values` joined to the end of `arr` along `axis` (None: both flattened).

    >>> import mtarray as xp
    >>> xp.append(xp.asarray([1, 2]), [3])
    Array([1, 2, 3], shape=(3,), dtype=int64, device='cpu')
    """
    return concat(operands((arr, values), "append"), axis=axis)


def delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    """`arr` without the elements that `obj` (an int, a slice, integers, or a mask) names along `axis` (None: of the flattened array).

    IndexError for an index out of bounds.

    >>> import mtarray as xp
    >>> xp.delete(xp.asarray([10, 20, 30]), 1)
    Array([10, 30], shape=(2,), dtype=int64, device='cpu')
    """
    arr, a = _along(arr, axis, "delete")
    n = arr.shape[a]
    keep = np.ones(n, bool)
    if isinstance(obj, slice):
        keep[obj] = False
    else:
        where = _positions(obj, "delete")
        if where.dtype.kind == "b":
            if where.shape != (n,):
                raise ValueError(f"delete: a mask of shape {where.shape} does not match axis {a} of length {n}")
            keep = ~where
        else:
            _inside(where, -n, n, a, n, "delete")
            keep[where.reshape(-1)] = False
    return take(arr, asarray(np.flatnonzero(keep), device=arr.device), axis=a)


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """`arr` with `values` put before the positions that `obj` (an int, a slice, integers, or a mask) names along `axis` (None: flattened).

    The values are converted to the dtype of `arr`. IndexError for a position out of bounds.

    >>> import mtarray as xp
    >>> xp.insert(xp.asarray([1, 2, 3]), 1, 9)
    Array([1, 9, 2, 3], shape=(4,), dtype=int64, device='cpu')
    """
    arr, a = _along(arr, axis, "insert")
    n = arr.shape[a]
    where = np.arange(*obj.indices(n)) if isinstance(obj, slice) else _positions(obj, "insert")
    if where.dtype.kind == "b":
        where = np.flatnonzero(where)
    if where.ndim > 1:
        raise ValueError(f"insert: the positions have shape {where.shape}; they must be an integer or one-dimensional")
    _inside(where, -n, n + 1, a, n, "insert")
    values = operand(values, "insert", dtype=arr.dtype, device=arr.device)
    if where.size == 1:
        values = reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        if where.ndim == 0:
            values = moveaxis(values, 0, a)
        first = int(where.reshape(-1)[0])
        first += n if first < 0 else 0
        places = np.arange(first, first + values.shape[a])
    else:
        where = np.where(where < 0, where + n, where)
        order = np.argsort(where, kind="stable")
        places = where.copy()
        places[order] += np.arange(where.size)
    old = np.ones(n + places.size, bool)
    old[places] = False
    out = empty(arr.shape[:a] + (old.size,) + arr.shape[a + 1 :], dtype=arr.dtype, device=arr.device)
    index: list[Any] = [slice(None)] * arr.ndim
    index[a] = asarray(places.astype(np.int64), device=arr.device)
    out[tuple(index)] = values
    index[a] = asarray(np.flatnonzero(old), device=arr.device)
    out[tuple(index)] = arr
    return out


def _along(arr: Any, axis: int | None, where: str) -> tuple[Array, int]:
    arr = operand(arr, where)
    if axis is None:
        return (arr if arr.ndim == 1 else reshape(arr, (-1,))), 0
    return arr, axis_of(axis, arr.ndim)


def _positions(obj: Any, where: str) -> Any:
    """Index values on the host: shapes depend on them."""
    out = np.asarray(obj.to_device("cpu") if obj.__class__ is Array else obj)
    if out.size == 0 and not isinstance(obj, (Array, np.ndarray)):
        out = out.astype(np.intp)
    if out.dtype.kind not in "iub":
        raise IndexError(f"{where}: positions must be integers, a slice or a mask, not {out.dtype}")
    return out


def _inside(places: Any, low: int, high: int, axis: int, n: int, where: str) -> None:
    wrong = (places < low) | (places >= high)
    if wrong.any():
        raise IndexError(f"{where}: index {places[wrong][0]} is out of bounds for axis {axis} with size {n}")


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Views of `ary` cut along `axis` into as many parts as asked for, the first ones longer by one where they cannot be equal,
    or before each of the given positions.

    >>> import mtarray as xp
    >>> [part.tolist() for part in xp.array_split(xp.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    ary = operand(ary, "array_split")
    a = axis_of(axis, ary.ndim)
    if isinstance(indices_or_sections, (Sequence, np.ndarray, Array)) and not (
        isinstance(indices_or_sections, (np.ndarray, Array)) and indices_or_sections.ndim == 0
    ):
        return split_at(ary, a, [operator.index(i) for i in indices_or_sections])
    sections = operator.index(indices_or_sections)
    if sections <= 0:
        raise ValueError(f"array_split: the number of sections is {sections}; it must be positive")
    short, longer = divmod(ary.shape[a], sections)
    ends = [i * short + min(i, longer) for i in range(1, sections)]
    return split_at(ary, a, ends)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Views of `ary` cut along `axis` into equal parts, or before each of the given positions. ValueError if the parts cannot be equal.

    >>> import mtarray as xp
    >>> [part.tolist() for part in xp.split(xp.arange(4), 2)]
    [[0, 1], [2, 3]]
    """
    ary = operand(ary, "split")
    try:
        sections = operator.index(indices_or_sections)
    except TypeError:
        pass
    else:
        n = ary.shape[axis_of(axis, ary.ndim)]
        if sections <= 0 or n % sections:
            raise ValueError(f"split: axis {axis} of length {n} cannot be cut into {sections} equal parts; use array_split")
    return array_split(ary, indices_or_sections, axis)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along axis 1 (axis 0 of one-dimensional arrays).

    >>> import mtarray as xp
    >>> [part.shape for part in xp.hsplit(xp.ones((2, 4)), 2)]
    [(2, 2), (2, 2)]
    """
    ary = _deep(ary, "hsplit", 1)
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along axis 0 of an array of at least two dimensions.

    >>> import mtarray as xp
    >>> [part.shape for part in xp.vsplit(xp.ones((2, 4)), 2)]
    [(1, 4), (1, 4)]
    """
    return split(_deep(ary, "vsplit", 2), indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along axis 2 of an array of at least three dimensions.

    >>> import mtarray as xp
    >>> [part.shape for part in xp.dsplit(xp.ones((2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    return split(_deep(ary, "dsplit", 3), indices_or_sections, 2)


def _deep(ary: Any, where: str, least: int) -> Array:
    ary = operand(ary, where)
    if ary.ndim < least:
        raise ValueError(f"{where}: needs at least {least} dimensions, got shape {ary.shape}")
    return ary


__all__ = [
    "append", "array_split", "block", "column_stack", "concatenate", "delete", "dsplit", "dstack", "hsplit", "hstack", "insert", "split",
    "vsplit", "vstack",
]  # fmt: skip
