"""Diagonals and triangles of matrices, and the indices of them."""

from __future__ import annotations

import inspect
from typing import Any

from .._array import Array, window
from ..creation import arange, ones, tril, triu, zeros
from ..linalg.diagonals import diagonal_window
from ..manipulation import reshape
from ..searching import nonzero
from ..statistical import sum as _sum
from ._operands import operand, refuse_if_strict
from .ranges import tri


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Diagonal number `offset` of the matrices in two axes, as a read-only view with the diagonal as its last axis.

    >>> import mtarray as xp
    >>> xp.diagonal(xp.asarray([[1, 2, 3], [4, 5, 6]]), 1)
    Array([2, 6], shape=(2,), dtype=int64, device='cpu')
    """
    return diagonal_window(operand(a, "diagonal"), offset, axis1, axis2, readonly=True)


def diag(v: Any, k: int = 0) -> Array:
    """The square matrix with `v` on diagonal `k`, or diagonal `k` of a matrix `v` (a read-only view).

    >>> import mtarray as xp
    >>> xp.diag(xp.asarray([1, 2]))
    Array([[1, 0],
           [0, 2]], shape=(2, 2), dtype=int64, device='cpu')
    """
    v = operand(v, "diag")
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"diag: v must have 1 or 2 dimensions, it has shape {v.shape}")
    n = v.shape[0] + abs(k)
    out = zeros((n, n), dtype=v.dtype, device=v.device)
    diagonal_window(out, k, 0, 1)[...] = v
    return out


def diagflat(v: Any, k: int = 0) -> Array:
    """The square matrix with the elements of `v`, flattened, on diagonal `k`.

    >>> import mtarray as xp
    >>> xp.diagflat(xp.asarray([[1, 2]]), 1).shape
    (3, 3)
    """
    return diag(reshape(operand(v, "diagflat"), (-1,)), k)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    """Sum along diagonal `offset` of the matrices in two axes. dtype: of the sums, by default as for `sum`.

    >>> import mtarray as xp
    >>> int(xp.trace(xp.asarray([[1, 2], [3, 4]])))
    5
    """
    return _sum(diagonal_window(operand(a, "trace"), offset, axis1, axis2), axis=-1, dtype=dtype)


def fill_diagonal(a: Array, val: Any, wrap: bool = False) -> None:
    """Write `val` (repeated as needed) into the main diagonal of `a`, in place; of more than two axes, all of one length, a[i, i, ..., i].

    wrap: begin again below a tall matrix, one row apart.

    >>> import mtarray as xp
    >>> x = xp.zeros((2, 2))
    >>> xp.fill_diagonal(x, 5.0)
    >>> x
    Array([[5., 0.],
           [0., 5.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    refuse_if_strict("fill_diagonal")
    if a.ndim < 2:
        raise ValueError(f"fill_diagonal: needs at least 2 dimensions, got shape {a.shape}")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise ValueError(f"fill_diagonal: all dimensions must have one length, got shape {a.shape}")
    if a.ndim == 2:
        starts = range(0, a.shape[0], a.shape[1] + 1) if wrap and a.shape[1] else (0,)
        diagonals = [diagonal_window(a[start:], 0, 0, 1) for start in starts]
    else:
        diagonals = [window(a, a._shape[:1], (sum(a._strides),), a._offset)]
    values = reshape(operand(val, "fill_diagonal", device=a.device), (-1,))
    done = 0
    for d in diagonals:
        n = d.shape[0]
        d[...] = values if values.size == 1 else values[arange(done, done + n, device=values.device) % values.size]
        done += n


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, ...]:
    """(rows, columns) of the elements at and below diagonal `k` of an (n, m) matrix.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.tril_indices(2)]
    [[0, 1, 1], [0, 0, 1]]
    """
    refuse_if_strict("tril_indices")
    return nonzero(tri(n, m, k, dtype=bool))


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, ...]:
    """(rows, columns) of the elements at and above diagonal `k` of an (n, m) matrix.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.triu_indices(2)]
    [[0, 0, 1], [0, 1, 1]]
    """
    refuse_if_strict("triu_indices")
    return nonzero(~tri(n, m, k - 1, dtype=bool))


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, ...]:
    """`tril_indices` for the shape of a matrix, on its device.

    >>> import mtarray as xp
    >>> len(xp.tril_indices_from(xp.ones((3, 3)))[0])
    6
    """
    x = _matrix(arr, "tril_indices_from")
    return nonzero(tril(ones(x.shape, dtype=bool, device=x.device), k=k))


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, ...]:
    """`triu_indices` for the shape of a matrix, on its device.

    >>> import mtarray as xp
    >>> len(xp.triu_indices_from(xp.ones((3, 3)), 1)[0])
    3
    """
    x = _matrix(arr, "triu_indices_from")
    return nonzero(triu(ones(x.shape, dtype=bool, device=x.device), k=k))


def _matrix(arr: Any, where: str) -> Array:
    x = operand(arr, where)
    if x.ndim != 2:
        raise ValueError(f"{where}: needs 2 dimensions, got shape {x.shape}")
    return x


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """The indices of the main diagonal of an array with `ndim` axes of length `n`.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.diag_indices(2)]
    [[0, 1], [0, 1]]
    """
    refuse_if_strict("diag_indices")
    return (arange(n),) * ndim


def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """`diag_indices` for an array whose axes all have one length, on its device.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.diag_indices_from(xp.ones((2, 2)))]
    [[0, 1], [0, 1]]
    """
    x = operand(arr, "diag_indices_from")
    if x.ndim < 2 or len(set(x.shape)) != 1:
        raise ValueError(f"diag_indices_from: needs at least 2 dimensions of one length, got shape {x.shape}")
    return (arange(x.shape[0], device=x.device),) * x.ndim


def _by_name(mask_func: Any) -> bool:
    """Whether a function takes its second argument as the keyword `k` alone."""
    try:
        parameters = inspect.signature(mask_func).parameters
    except (TypeError, ValueError):  # built in: no signature to read
        return False
    return "k" in parameters and parameters["k"].kind is inspect.Parameter.KEYWORD_ONLY


def mask_indices(n: int, mask_func: Any, k: Any = 0) -> tuple[Array, ...]:
    """The indices of an (n, n) matrix that a function like `triu` keeps.

    mask_func: called as mask_func(full, k), or with `k` by name where it asks for that.

    >>> import mtarray as xp
    >>> [i.tolist() for i in xp.mask_indices(2, xp.triu)]
    [[0, 0, 1], [0, 1, 1]]
    """
    full = ones((n, n), dtype=int)
    kept = mask_func(full, k=k) if _by_name(mask_func) else mask_func(full, k)
    return nonzero(operand(kept, "mask_indices") != 0)


__all__ = [
    "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal", "fill_diagonal", "mask_indices", "trace", "tril_indices",
    "tril_indices_from", "triu_indices", "triu_indices_from",
]  # fmt: skip
