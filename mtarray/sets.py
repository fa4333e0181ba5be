"""Distinct elements and membership. Shapes depend on the data; every NaN is distinct."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._array import Array
from ._config import config
from ._dtypes import INTEGER
from ._operands import lift, lift_together, promised
from ._ops import engine
from .elementwise import logical_not
from .manipulation import reshape
from .sorting import has_negative_zero

# Elements from which our kernels are faster than NumPy.
_DISTINCT = 20_000
_MEMBERS = 5_000


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Array
    inverse_indices: Array


@engine
def distinct(x: Any, *, want: str) -> Any:
    """Distinct elements of a flat array in ascending order, and what else is wanted: a tuple."""
    if x.size >= _DISTINCT and x.dtype.kind != "c" and config.kernels != "python":
        from ._kernels.cpu import sets

        out = getattr(sets, f"unique_{want}")(x)
        return out if isinstance(out, tuple) else (out,)
    # Of equal elements, zeros of both signs, the first is given: np.unique gives any, but says where the first one is.
    first = x.dtype.kind in "fc" and has_negative_zero(x)
    full: Any = np.unique(  # type: ignore[call-overload]
        x,
        return_index=first or want == "all",
        return_inverse=want in ("all", "inverse"),
        return_counts=want in ("all", "counts"),
        equal_nan=False,
    )
    values, *rest = full if isinstance(full, tuple) else (full,)
    if first:
        values = x[rest[0]]
        if want != "all":
            del rest[0]
    return (values, *[i.astype(np.int64, copy=False) for i in rest])


def _distinct(x: Any, want: str) -> Any:
    x = lift(x, f"unique_{want}")
    return x, distinct(reshape(x, (-1,)), want=want)


def unique_values(x: Any, /) -> Array:
    """The distinct elements, ascending, of the flattened array.

    >>> import mtarray as xp
    >>> xp.unique_values(xp.asarray([3, 1, 3]))
    Array([1, 3], shape=(2,), dtype=int64, device='cpu')
    """
    return _distinct(x, "values")[1][0]


def unique_counts(x: Any, /) -> UniqueCounts:
    """The distinct elements, ascending, and how often each occurs: (values, counts).

    >>> import mtarray as xp
    >>> xp.unique_counts(xp.asarray([3, 1, 3])).counts
    Array([1, 2], shape=(2,), dtype=int64, device='cpu')
    """
    return UniqueCounts(*_distinct(x, "counts")[1])


def unique_inverse(x: Any, /) -> UniqueInverse:
    """The distinct elements, ascending, and for each element of `x` its place among them: (values, inverse_indices of the shape of x).

    >>> import mtarray as xp
    >>> xp.unique_inverse(xp.asarray([3, 1, 3])).inverse_indices
    Array([1, 0, 1], shape=(3,), dtype=int64, device='cpu')
    """
    x, (values, inverse) = _distinct(x, "inverse")
    return UniqueInverse(values, reshape(inverse, x.shape))


def unique_all(x: Any, /) -> UniqueAll:
    """The distinct elements, ascending, with the place of their first occurrence in the flattened array, the place of each element of `x`
    among them, and their counts: (values, indices, inverse_indices, counts).

    >>> import mtarray as xp
    >>> xp.unique_all(xp.asarray([3, 1, 3])).indices
    Array([1, 0], shape=(2,), dtype=int64, device='cpu')
    """
    x, (values, indices, inverse, counts) = _distinct(x, "all")
    return UniqueAll(values, indices, reshape(inverse, x.shape), counts)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Array:
    """Whether each element of `x1` is among the elements of `x2` (or is not, with `invert`); NaN never is.

    >>> import mtarray as xp
    >>> xp.isin(xp.asarray([1, 2, 3]), xp.asarray([2, 3]))
    Array([False,  True,  True], shape=(3,), dtype=bool, device='cpu')
    """
    x1, x2 = (promised(x, INTEGER, "isin") for x in lift_together("isin", x1, x2))
    out = member(x1, x2)
    return logical_not(out) if invert else out


@engine
def member(x1: Any, x2: Any) -> Any:
    """Whether elements of x1 are among those of x2."""
    if x1.dtype.kind + x2.dtype.kind in ("iu", "ui"):
        x2 = _in_range(x2, x1.dtype)  # NumPy would compare them as floats
    ours = x1.dtype.kind in "iuf" and x2.dtype.kind in "iuf" and x2.size
    if x1.size >= _MEMBERS and ours and config.kernels != "python":
        from ._kernels.cpu import sets

        d = np.result_type(x1, x2)
        return sets.isin(x1.astype(d, copy=False), x2.astype(d, copy=False))
    return np.asarray(np.isin(x1, x2))


def _in_range(x: Any, dtype: Any) -> Any:
    """The elements of an integer array that `dtype` can hold, as that dtype."""
    info = np.iinfo(dtype)
    if x.size and (int(x.min()) < info.min or int(x.max()) > info.max):
        # Bounds that x's own dtype cannot hold do not cut.
        own = np.iinfo(x.dtype)
        x = x[(x >= max(info.min, own.min)) & (x <= min(info.max, own.max))]
    return x.astype(dtype, copy=False)


__all__ = ["UniqueAll", "UniqueCounts", "UniqueInverse", "isin", "unique_all", "unique_counts", "unique_inverse", "unique_values"]
