"""Where elements are: argmax, nonzero, searchsorted; and `where`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from ._array import Array, fresh, value
from ._config import config, is_strict
from ._devices import CPU
from ._dtypes import ALL, COMPLEX, REAL, int64
from ._dtypes import bool as bool_
from ._operands import common, lift, lift_together, promised
from ._ops import SLOW, Vjp, elementwise, engine
from ._strides import axes_of, axis_of
from .elementwise import not_equal
from .manipulation import reshape
from .statistical import sum as _sum

_LARGE = 1 << 15  # elements
_QUERIES = 5_000  # of searchsorted
_LONG = 1 << 19  # bytes; NumPy is quick along contiguous lines
_launches: dict[tuple[Any, ...], Any] = {}  # kernels ready to run, by mode, kind, dtype, shape, strides and axis


def argmax(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Array:
    """Index of the first largest element along `axis` (None: in the flattened array); of the first NaN if there is one.

    >>> import mtarray as xp
    >>> int(xp.argmax(xp.asarray([1, 5, 5])))
    1
    """
    return _extreme(x, "argmax", axis, keepdims)


def argmin(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Array:
    """Index of the first smallest element along `axis` (None: in the flattened array); of the first NaN if there is one.

    >>> import mtarray as xp
    >>> int(xp.argmin(xp.asarray([3, 1, 1])))
    1
    """
    return _extreme(x, "argmin", axis, keepdims)


def _extreme(x: Any, where: str, axis: Any, keepdims: bool) -> Array:
    if x.__class__ is Array and not keepdims and (axis is None or axis.__class__ is int) and x._storage.node is None and x.device is CPU:
        known = _launches.get((config._values["kernels"], where, x._dtype, x._shape, x._strides, axis))
        if known is not None:
            return fresh(known(value(x)))
    x = promised(lift(x, where), REAL, where)
    if x.dtype in COMPLEX:
        raise TypeError(f"{where} is not defined for {x.dtype}: complex numbers have no order")
    a = None if axis is None else axis_of(axis, x.ndim)
    if (x.size if a is None else x._shape[a]) == 0:
        raise ValueError(f"{where}: an array of shape {x.shape} has no elements along axis {axis}")
    out = arg_extreme(x, axis=a, largest=where == "argmax")
    mode = config._values["kernels"]
    if x._dtype in REAL and x.device is CPU and _is_large(value(x), a) and mode != "python":
        from ._kernels.cpu import argreduce

        if len(_launches) >= 4096:
            _launches.clear()
        _launches[mode, where, x._dtype, x._shape, x._strides, axis] = argreduce.prepare(value(x), a, where == "argmax")
    if keepdims:
        out = reshape(out, tuple([1 if a is None or i == a else n for i, n in enumerate(x._shape)]))
    return out


def _is_large(x: Any, axis: int | None) -> bool:
    """Whether the kernels serve this ndarray."""
    return bool(x.size >= _LARGE if axis is not None and axis < x.ndim - 1 else x.size * x.itemsize >= _LONG)


@engine
def arg_extreme(x: Any, *, axis: int | None, largest: bool) -> Any:
    """Index of the first largest or smallest element along an axis, or of the flattened array."""
    if _is_large(x, axis) and config.kernels != "python":
        from ._kernels.cpu import argreduce

        return argreduce.prepare(x, axis, largest)(x)
    return np.asarray((np.argmax if largest else np.argmin)(x, axis), np.int64)


def count_nonzero(x: Any, /, axis: Any = None, keepdims: bool = False) -> Array:
    """How many elements along `axis` (an int, a tuple, or None for all) are not zero.

    >>> import mtarray as xp
    >>> int(xp.count_nonzero(xp.asarray([0, 3, 0, 4])))
    2
    """
    x = lift(x, "count_nonzero")
    axes_of(axis, x.ndim)
    mask = x if x.dtype is bool_ else not_equal(x, 0)
    return _sum(mask.astype(int64) if is_strict() else mask, axis=axis, dtype=int64, keepdims=keepdims)  # strict mode sums no booleans


def nonzero(x: Any, /) -> tuple[Array, ...]:
    """Indices of the elements that are not zero: one int64 array per dimension, in C order. The shape depends on the data.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.nonzero(xp.asarray([[0, 1], [2, 0]]))]
    [[0, 1], [1, 0]]
    """
    x = lift(x, "nonzero")
    if x.ndim == 0:
        raise ValueError("nonzero: a 0-d array has no indices; use reshape(x, (1,))")
    return indices_nonzero(x)


@engine
def indices_nonzero(x: Any) -> Any:
    """Indices of the non-zero elements, a tuple of one array per dimension."""
    if x.size >= _LARGE and config.kernels != "python":
        from ._kernels.cpu import select

        return select.nonzero(x)
    return tuple([np.ascontiguousarray(i) for i in np.nonzero(x)])


def searchsorted(x1: Any, x2: Any, /, side: str = "left", sorter: Any = None) -> Array:
    """Where the elements of `x2` belong in the sorted one-dimensional `x1`, as int64 of the shape of `x2`.

    side: "left" of equal elements or "right" of them. sorter: indices that sort `x1`. NaN sorts last.

    >>> import mtarray as xp
    >>> xp.searchsorted(xp.asarray([1, 3, 5]), xp.asarray([3, 4]))
    Array([1, 2], shape=(2,), dtype=int64, device='cpu')
    """
    x1, x2 = (promised(x, REAL, "searchsorted") for x in lift_together("searchsorted", x1, x2))
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side={side!r} must be 'left' or 'right'")
    if x1.ndim != 1:
        raise ValueError(f"searchsorted: x1 must be one-dimensional, it has shape {x1.shape}")
    if sorter is not None:
        from .indexing import take

        sorter = lift(sorter, "searchsorted: sorter")
        if sorter.shape != x1.shape:
            raise ValueError(f"searchsorted: sorter has shape {sorter.shape}, x1 has {x1.shape}")
        x1 = take(x1, sorter)
    return places(x1, x2, side=side)


@engine
def places(x1: Any, x2: Any, *, side: str) -> Any:
    """Insertion points of x2 in the sorted x1."""
    if x2.size >= _QUERIES and config.kernels != "python":
        from ._kernels.cpu import search

        return search.searchsorted(x1, x2, side)
    return np.asarray(np.searchsorted(x1, x2, "right" if side == "right" else "left"), np.int64)


_WHERE = Vjp((0, lambda g, condition: where(condition, g, 0), lambda g, condition: where(condition, 0, g)), linear="all")  # type: ignore[has-type]


def _where_rule(key: tuple[Any, ...]) -> Any:
    d = common(key[1:])
    return (bool_, d, d), (d,)


def _choose(condition: Any, x1: Any, x2: Any) -> Any:
    return np.where(condition, x1, x2)


_Door = TypeVar("_Door", bound=Callable[..., Any])


def _or_positions(choose: _Door) -> _Door:
    """`where` with one operand, as NumPy has it beside the standard."""

    @functools.wraps(choose)
    def where(condition: Any, /, *operands: Any) -> Any:
        return choose(condition, *operands) if operands or is_strict() else nonzero(condition)

    choose.op.function = where  # type: ignore[attr-defined]
    return cast(_Door, where)


@_or_positions
@elementwise(dtypes=ALL, numpy=_choose, limit=SLOW, rule=_where_rule, promotes=False, derivative=_WHERE)
def where(condition, x1, x2):
    """Elements of `x1` where the condition is true (non-zero), of `x2` elsewhere; all three broadcast.

    With a condition alone, the indices of its true elements: `nonzero(condition)`.

    >>> import mtarray as xp
    >>> xp.where(xp.asarray([True, False]), xp.asarray([1, 2]), 0)
    Array([1, 0], shape=(2,), dtype=int64, device='cpu')
    """
    return x1 if condition else x2


__all__ = ["argmax", "argmin", "count_nonzero", "nonzero", "searchsorted", "where"]
