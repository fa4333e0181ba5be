"""Diagonals of matrices, as views, and their sums."""

from __future__ import annotations

import builtins
from typing import Any

from .._array import Array, window
from .._operands import lift
from .._strides import axis_of
from ..statistical import sum as total
from ._operands import numeric


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The diagonals of matrices (..., m, n), `offset` above (or below, if negative) the main one, as a view.

    >>> import mtarray as xp
    >>> xp.linalg.diagonal(xp.asarray([[1, 2], [3, 4]]))
    Array([1, 4], shape=(2,), dtype=int64, device='cpu')
    """
    x = lift(x, "diagonal")
    if x.ndim < 2:
        raise ValueError(f"diagonal: x must be a matrix or a stack of them; it has shape {x.shape}")
    return diagonal_window(x, offset, -2, -1)


def diagonal_window(x: Array, offset: int, axis1: int, axis2: int, readonly: bool = False) -> Array:
    """The diagonals of the matrices in two axes as a window on the memory of `x`, with the diagonal as its last axis."""
    if x.ndim < 2:
        raise ValueError(f"diagonal: needs at least 2 dimensions, got shape {x.shape}")
    i, j = axis_of(axis1, x.ndim, "axis1"), axis_of(axis2, x.ndim, "axis2")
    if i == j:
        raise ValueError(f"diagonal: axis1={axis1} and axis2={axis2} must be different")
    down, right = builtins.max(-offset, 0), builtins.max(offset, 0)
    length = builtins.max(0, builtins.min(x._shape[i] - down, x._shape[j] - right))
    start = x._offset + (down * x._strides[i] + right * x._strides[j] if length else 0)
    keep = [k for k in range(x.ndim) if k not in (i, j)]
    shape = (*[x._shape[k] for k in keep], length)
    return window(x, shape, (*[x._strides[k] for k in keep], x._strides[i] + x._strides[j]), start, readonly=readonly)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Sums along the diagonals of matrices (..., m, n); `dtype` as for `sum`.

    >>> import mtarray as xp
    >>> int(xp.linalg.trace(xp.asarray([[1, 2], [3, 4]])))
    5
    """
    x = numeric(x, "trace")
    return total(diagonal(x, offset=offset), axis=-1, dtype=dtype)
