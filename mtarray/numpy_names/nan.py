"""Reductions that leave NaN out. Lines of NaN alone give NaN (or the identity of a sum) without a warning."""

from __future__ import annotations

from typing import Any

from .._array import Array
from .._dtypes import COMPLEX, FLOATING
from ..creation import full
from ..elementwise import divide, imag, isnan, logical_not, multiply, real, sqrt, subtract
from ..indexing import take_along_axis
from ..manipulation import concat, expand_dims, reshape
from ..searching import argmax, argmin, count_nonzero, where
from ..sorting import sort
from ..statistical import max as _max
from ..statistical import mean, prod, var
from ..statistical import min as _min
from ..statistical import sum as _sum
from ..utility import all as _all
from ..utility import any as _any
from ._operands import operand, ordered
from .calculus import cumprod, cumsum
from .quantiles import METHODS, line_weights, parts, quantiles_of, sorted_quantiles, weighted_quantiles
from .statistics import lines, median


def _filled(a: Any, name: str, fill: float) -> tuple[Array, Array | None]:
    """`a` with NaN replaced, and where NaN is (None: the dtype has none)."""
    x = operand(a, name)
    if x.dtype not in FLOATING:
        return x, None
    mask = isnan(x)
    return where(mask, fill, x), mask


def nansum(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """Sum along `axis`, NaN counting as 0.

    >>> import mtarray as xp
    >>> float(xp.nansum(xp.asarray([1.0, xp.nan, 2.0])))
    3.0
    """
    return _sum(_filled(a, "nansum", 0.0)[0], axis=axis, dtype=dtype, keepdims=keepdims)


def nanprod(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """Product along `axis`, NaN counting as 1.

    >>> import mtarray as xp
    >>> float(xp.nanprod(xp.asarray([3.0, xp.nan, 2.0])))
    6.0
    """
    return prod(_filled(a, "nanprod", 1.0)[0], axis=axis, dtype=dtype, keepdims=keepdims)


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running sums along `axis` (None: of the flattened array), NaN counting as 0.

    >>> import mtarray as xp
    >>> xp.nancumsum(xp.asarray([1.0, xp.nan, 2.0]))
    Array([1., 1., 3.], shape=(3,), dtype=float64, device='cpu')
    """
    return cumsum(_filled(a, "nancumsum", 0.0)[0], axis=axis, dtype=dtype)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running products along `axis` (None: of the flattened array), NaN counting as 1.

    >>> import mtarray as xp
    >>> xp.nancumprod(xp.asarray([3.0, xp.nan, 2.0]))
    Array([3., 3., 6.], shape=(3,), dtype=float64, device='cpu')
    """
    return cumprod(_filled(a, "nancumprod", 1.0)[0], axis=axis, dtype=dtype)


def nanmean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """Mean along `axis` of the elements that are not NaN; NaN where there are none.

    >>> import mtarray as xp
    >>> float(xp.nanmean(xp.asarray([1.0, xp.nan, 2.0])))
    1.5
    """
    x, mask = _filled(a, "nanmean", 0.0)
    if dtype is not None:
        x = x.astype(dtype)
    if mask is None:
        return mean(x, axis=axis, keepdims=keepdims)
    count = count_nonzero(logical_not(mask), axis=axis, keepdims=keepdims)
    total = _sum(x, axis=axis, keepdims=keepdims)
    return divide(total, count.astype(total.dtype))


def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: float | None = None
) -> Array:
    """Variance along `axis` of the elements that are not NaN; NaN where not more than `ddof` are left.

    ddof (or `correction`): the squares are divided by their number minus this.

    >>> import mtarray as xp
    >>> float(xp.nanvar(xp.asarray([1.0, xp.nan, 3.0])))
    1.0
    """
    ddof = ddof if correction is None else correction
    x, mask = _filled(a, "nanvar", 0.0)
    if dtype is not None:
        x = x.astype(dtype)
    if mask is None:
        return var(x, axis=axis, correction=ddof, keepdims=keepdims)
    count = count_nonzero(logical_not(mask), axis=axis, keepdims=True).astype(real(x).dtype)
    center = divide(_sum(x, axis=axis, keepdims=True), count.astype(x.dtype))
    apart = where(mask, 0.0, subtract(x, center))
    square = multiply(real(apart), real(apart)) + multiply(imag(apart), imag(apart)) if x.dtype in COMPLEX else multiply(apart, apart)
    total = _sum(square, axis=axis, keepdims=keepdims)
    degrees = reshape(subtract(count, ddof), total.shape)
    return where(degrees > 0, divide(total, degrees), float("nan"))


def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: float | None = None
) -> Array:
    """Standard deviation along `axis` of the elements that are not NaN: the square root of `nanvar`.

    >>> import mtarray as xp
    >>> float(xp.nanstd(xp.asarray([1.0, xp.nan, 3.0])))
    1.0
    """
    return sqrt(nanvar(a, axis, dtype, ddof=ddof, keepdims=keepdims, correction=correction))


def nanmax(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Largest element along `axis` that is not NaN; NaN where there is none. ValueError for no elements, TypeError for complex ones,
    which have no order.

    >>> import mtarray as xp
    >>> float(xp.nanmax(xp.asarray([1.0, xp.nan, 3.0])))
    3.0
    """
    return _extreme(a, "nanmax", float("-inf"), _max, axis, keepdims)


def nanmin(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Smallest element along `axis` that is not NaN; NaN where there is none. ValueError for no elements, TypeError for complex ones,
    which have no order.

    >>> import mtarray as xp
    >>> float(xp.nanmin(xp.asarray([1.0, xp.nan, 3.0])))
    1.0
    """
    return _extreme(a, "nanmin", float("inf"), _min, axis, keepdims)


def _extreme(a: Any, name: str, fill: float, choose: Any, axis: Any, keepdims: bool) -> Array:
    x, mask = _filled(ordered(a, name), name, fill)
    out = choose(x, axis=axis, keepdims=keepdims)
    return out if mask is None else where(_all(mask, axis=axis, keepdims=keepdims), float("nan"), out)


def nanargmax(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the first largest element along `axis` that is not NaN. ValueError for a line of NaN alone, TypeError for complex numbers.

    >>> import mtarray as xp
    >>> int(xp.nanargmax(xp.asarray([xp.nan, 2.0, 3.0])))
    2
    """
    return _place(a, "nanargmax", float("-inf"), argmax, axis, keepdims)


def nanargmin(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the first smallest element along `axis` that is not NaN. ValueError for a line of NaN alone, TypeError for complex numbers.

    >>> import mtarray as xp
    >>> int(xp.nanargmin(xp.asarray([xp.nan, 2.0, 3.0])))
    1
    """
    return _place(a, "nanargmin", float("inf"), argmin, axis, keepdims)


def _place(a: Any, name: str, fill: float, choose: Any, axis: int | None, keepdims: bool) -> Array:
    x, mask = _filled(ordered(a, name), name, fill)
    out: Array = choose(x, axis=axis, keepdims=keepdims)
    if mask is not None and bool(_any(_all(mask, axis=axis))):
        raise ValueError(f"{name}: a line along axis {axis} of shape {x.shape} is all NaN")
    return out


def nanmedian(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Median along `axis` of the elements that are not NaN; NaN where there are none.

    >>> import mtarray as xp
    >>> float(xp.nanmedian(xp.asarray([1.0, xp.nan, 3.0])))
    2.0
    """
    x = operand(a, "nanmedian")
    if x.dtype not in FLOATING or x.size == 0:
        return median(x, axis, keepdims=keepdims)
    x, shape = lines(x, axis, keepdims)
    s = sort(x, axis=-1)
    count = count_nonzero(logical_not(isnan(s)), axis=-1)
    low = take_along_axis(s, expand_dims(_at_least(count - 1) // 2, -1), axis=-1)
    high = take_along_axis(s, expand_dims(_at_least((count - 1) - (count - 1) // 2), -1), axis=-1)
    return reshape(mean(concat([low, high], axis=-1), axis=-1), shape)


def _at_least(i: Array) -> Array:
    return where(i < 0, 0, i)


def nanquantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False, weights: Any = None) -> Array:
    """Quantiles along `axis` of the elements that are not NaN; NaN where there are none. See `quantile`.

    >>> import mtarray as xp
    >>> float(xp.nanquantile(xp.asarray([1.0, xp.nan, 3.0]), 0.5))
    2.0
    """
    return _nan_quantile(operand(a, "nanquantile"), parts(q, a, 1.0, "nanquantile"), axis, method, keepdims, weights, "nanquantile")


def nanpercentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False, weights: Any = None) -> Array:
    """Percentiles along `axis` of the elements that are not NaN; NaN where there are none. See `quantile`.

    >>> import mtarray as xp
    >>> float(xp.nanpercentile(xp.asarray([1.0, xp.nan, 3.0]), 50))
    2.0
    """
    return _nan_quantile(operand(a, "nanpercentile"), parts(q, a, 100.0, "nanpercentile"), axis, method, keepdims, weights, "nanpercentile")


def _nan_quantile(a: Array, q: Array, axis: Any, method: str, keepdims: bool, weights: Any, name: str) -> Array:
    if a.dtype not in FLOATING or method not in METHODS:
        return quantiles_of(a, q, axis, method, keepdims, weights, name)
    x, shape = lines(a, axis, keepdims)
    if x.shape[-1] == 0:
        if weights is not None:
            line_weights(a, weights, axis, method, name)
        return full(q.shape + shape, float("nan"), dtype=a.dtype, device=a.device)
    if weights is not None:
        # An element without weight is no element: NaN goes to the end with weight 0.
        w = line_weights(a, weights, axis, method, name)
        empty = isnan(x)
        out = weighted_quantiles(where(empty, float("inf"), x), where(empty, 0, w), reshape(q, (-1,)))
        out = where(_all(empty, axis=-1), float("nan"), out)
    else:
        s = sort(x, axis=-1)
        count = count_nonzero(logical_not(isnan(s)), axis=-1)
        out = sorted_quantiles(s, reshape(q, (-1,)), count, method)
        out = where(count == 0, float("nan"), out)
    return reshape(out, q.shape + shape)


__all__ = [
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar",
]  # fmt: skip
