"""sort and argsort."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array
from ._config import config
from ._dtypes import REAL
from ._operands import lift, promised
from ._ops import engine
from ._strides import axis_of
from .indexing import take_along_axis

# Elements from which our kernels are faster than NumPy's vectorised sorts (two cores with AVX-512).
_ROW = 250_000  # one row of 4- or 8-byte elements
_COUNTED = 30_000  # one row of 1- or 2-byte elements
_ROWS = 30_000  # all rows together
_ORDERED = 5_000  # argsort


def _prepared(x: Any, where: str, axis: Any) -> tuple[Array, int]:
    x = promised(lift(x, where), REAL, where)
    if x.ndim == 0:
        raise ValueError(f"{where}: a 0-d array has no axis")
    return x, axis_of(axis, x.ndim)


def sort(x: Any, /, axis: int | None = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """The elements sorted along `axis` (None: of the flattened array). NaN comes last (first when descending).

    >>> import mtarray as xp
    >>> xp.sort(xp.asarray([3, 1, 2]), descending=True)
    Array([3, 2, 1], shape=(3,), dtype=int64, device='cpu')
    """
    if axis is None:
        x, axis = lift(x, "sort").reshape(-1), 0
    x, a = _prepared(x, "sort", axis)
    return sorted_along(x, axis=a, descending=bool(descending), stable=bool(stable))


def _unsort(g: Array, x: Array, axis: int, descending: bool, stable: bool) -> Array:
    """The cotangent of each element stands where the element went."""
    order = order_along(x, axis=axis, descending=descending, stable=True)
    return take_along_axis(g, order_along(order, axis=axis, descending=False, stable=True), axis=axis)


@engine(vjp=_unsort)
def sorted_along(x: Any, *, axis: int, descending: bool, stable: bool) -> Any:
    """Elements in order along an axis."""
    one = x.size == x.shape[axis]
    least = _ROWS if not one else _COUNTED if x.itemsize <= 2 else _ROW
    if x.size >= least and x.dtype.kind != "c" and config.kernels != "python":
        from ._kernels.cpu import sort as kernels

        return kernels.sort(x, axis, descending, stable)
    if descending:  # reversed before and after, so that a stable sort keeps equal elements in their order
        x = np.flip(x, axis)
    # Elements that compare equal have equal bits but for zeros, so NumPy's SIMD sort, not stable and 20 times as fast, is stable too.
    # (It has none for bytes; there "stable" means a radix sort.)
    out = np.sort(x, axis, kind="stable" if x.itemsize == 1 else None)
    if stable and x.dtype.kind in "fc" and (_mixes_zeros(out) if x.ndim == 1 and x.dtype.kind == "f" else has_negative_zero(x)):
        out = np.sort(x, axis, kind="stable")
    return np.ascontiguousarray(np.flip(out, axis)) if descending else out


def has_negative_zero(x: Any) -> bool:
    """Whether a floating ndarray holds a zero (as one of its parts) with a sign, so that equal elements may differ in their bits."""
    if x.dtype.kind == "c":
        return has_negative_zero(x.real) or has_negative_zero(x.imag)
    return bool((np.signbit(x) & (x == 0)).any())


def _mixes_zeros(ordered: Any) -> bool:
    """Whether a sorted row of floats holds zeros of both signs."""
    zero = ordered.dtype.type(0)
    signs = np.signbit(ordered[ordered.searchsorted(zero, "left") : ordered.searchsorted(zero, "right")])
    return bool(signs.any() and not signs.all())


def argsort(x: Any, /, axis: int | None = -1, *, descending: bool = False, stable: bool = True) -> Array:
    """Indices that sort along `axis` (None: the flattened array), as int64. Equal elements keep their order if `stable`.

    >>> import mtarray as xp
    >>> xp.argsort(xp.asarray([3, 1, 2]))
    Array([1, 2, 0], shape=(3,), dtype=int64, device='cpu')
    """
    if axis is None:
        x, axis = lift(x, "argsort").reshape(-1), 0
    x, a = _prepared(x, "argsort", axis)
    return order_along(x, axis=a, descending=bool(descending), stable=bool(stable))


@engine
def order_along(x: Any, *, axis: int, descending: bool, stable: bool) -> Any:
    """Indices that put an axis in order."""
    if x.size >= _ORDERED and x.dtype.kind != "c" and config.kernels != "python":
        from ._kernels.cpu import sort as kernels

        return kernels.argsort(x, axis, descending, stable)
    if not descending:
        return np.ascontiguousarray(np.argsort(x, axis, kind="stable" if stable else None), np.int64)
    # The reverse of a stable sort of the reverse: descending, and ties in their original order.
    back = np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    return np.ascontiguousarray(x.shape[axis] - 1 - back, np.int64)


__all__ = ["argsort", "sort"]
