"""Counting: histograms, bins and their edges."""

from __future__ import annotations

import builtins
import operator
from math import prod
from typing import Any

import numpy as np

from .._array import Array, is_followed
from .._dtypes import COMPLEX, FLOATING, INTEGER_OR_BOOL, complex128, float64, int64, promote
from .._dtypes import bool as bool_
from .._ops import engine
from ..creation import linspace, zeros
from ..elementwise import (
    divide,
    equal,
    greater_equal,
    imag,
    less_equal,
    logical_and,
    logical_not,
    nextafter,
    real,
    subtract,
)
from ..indexing import take
from ..manipulation import concat, reshape, stack
from ..searching import searchsorted, where
from ..statistical import max as _max
from ..statistical import mean, std
from ..statistical import min as _min
from ..statistical import sum as _sum
from ..utility import all as _all
from ..utility import any as _any
from ..utility import diff
from ._operands import operand, operands
from .indices import ravel_multi_index
from .quantiles import percentile


@engine
def tally(x: Any, *, length: int) -> Any:
    """How often each of 0 .. length-1 occurs in a one-dimensional integer array, as int64."""
    return np.bincount(x, minlength=length).astype(np.int64, copy=False)


@engine(vjp=(None, lambda g, x: take(g, x)), linear="each")
def tally_weights(x: Any, weights: Any, *, length: int) -> Any:
    """Sums of float64 weights by the integers 0 .. length-1 in a one-dimensional array."""
    return np.bincount(x, weights, length)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Array:
    """How often each integer from 0 to max(x) occurs in `x`, as int64; with `weights`, the float64 sum of those of its occurrences.

    minlength: the least length of the result. ValueError for negative integers, TypeError for floats.

    >>> import mtarray as xp
    >>> xp.bincount(xp.asarray([0, 2, 2]))
    Array([1, 0, 2], shape=(3,), dtype=int64, device='cpu')
    """
    x = operand(x, "bincount")
    if x.size == 0 and x.dtype not in INTEGER_OR_BOOL and x.ndim == 1:
        x = x.astype(int64)
    if x.ndim != 1:
        raise ValueError(f"bincount: x must be one-dimensional, it has shape {x.shape}")
    if x.dtype not in INTEGER_OR_BOOL:
        raise TypeError(f"bincount: x must be integers, not {x.dtype}")
    minlength = operator.index(minlength)
    if minlength < 0:
        raise ValueError(f"bincount: minlength={minlength} must not be negative")
    x = x.astype(int64, copy=False)
    length = minlength
    if x.size:
        if int(_min(x)) < 0:
            raise ValueError(f"bincount: x has the negative element {int(_min(x))}")
        length = max(int(_max(x)) + 1, minlength)
    if weights is None:
        return tally(x, length=length)
    w = operand(weights, "bincount")
    if w.shape != x.shape:
        raise ValueError(f"bincount: weights have shape {w.shape}, x has {x.shape}")
    if w.dtype in COMPLEX:
        raise TypeError(f"bincount: weights of {w.dtype} cannot be float64")
    return tally_weights(x, w.astype(float64, copy=False), length=length)


def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """The bin that each element of `x` falls into: i where bins[i-1] <= x < bins[i], 0 before and len(bins) beyond them.

    bins: one-dimensional and monotone; of falling ones bins[i-1] > x >= bins[i]. right: the right edge of a bin belongs to it.

    >>> import mtarray as xp
    >>> xp.digitize(xp.asarray([0.5, 1.0, 9.0]), xp.asarray([0.0, 1.0, 2.0]))
    Array([1, 2, 3], shape=(3,), dtype=int64, device='cpu')
    """
    x, bins = operands((x, bins), "digitize")
    if COMPLEX[0] in (x.dtype, bins.dtype) or COMPLEX[1] in (x.dtype, bins.dtype):
        raise TypeError("digitize is not defined for complex arrays: they have no order")
    if bins.ndim != 1:
        raise ValueError(f"digitize: bins must be one-dimensional, they have shape {bins.shape}")
    side = "left" if right else "right"
    if bool(_all(less_equal(bins[:-1], bins[1:]))):
        return searchsorted(bins, x, side=side)
    if bool(_all(greater_equal(bins[:-1], bins[1:]))):
        return bins.shape[0] - searchsorted(bins[::-1], x, side=side)
    raise ValueError("digitize: bins must increase or decrease monotonically")


# ---------------------------------------------------------------------- widths that data suggest


def _spread(x: Array) -> float:
    return float(_max(x)) - float(_min(x))


def _quartiles(x: Array) -> float:
    low, high = percentile(x, [25, 75])
    return float(high) - float(low)


def _scott(x: Array, _: Any) -> float:
    return float((24.0 * np.pi**0.5 / x.size) ** (1.0 / 3.0) * float(std(x)))


def _doane(x: Array, _: Any) -> float:
    n = x.size
    if n <= 2:
        return 0.0
    spread = float(std(x))
    if spread <= 0.0:
        return 0.0
    skew = float(mean(divide(subtract(x, mean(x)), spread) ** 3))
    noise = (6.0 * (n - 2) / ((n + 1.0) * (n + 3))) ** 0.5
    return _spread(x) / (1.0 + np.log2(n) + float(np.log2(1.0 + abs(skew) / noise)))


def _freedman_diaconis(x: Array, _: Any) -> float:
    return 2.0 * _quartiles(x) * float(x.size ** (-1.0 / 3.0))


def _sturges(x: Array, _: Any) -> float:
    return _spread(x) / float(np.log2(x.size) + 1.0)


def _auto(x: Array, limits: Any) -> float:
    # Never more bins than twice those of the square root rule: quartiles may nearly coincide.
    wide, narrow = max(_freedman_diaconis(x, limits), _square_root(x, limits) / 2.0), _sturges(x, limits)
    return min(wide, narrow) if wide else narrow


def _square_root(x: Array, _: Any) -> float:
    return _spread(x) / float(np.sqrt(x.size))


def _rice(x: Array, _: Any) -> float:
    return _spread(x) / float(2.0 * x.size ** (1.0 / 3))


def _stone(x: Array, limits: Any) -> float:
    n, spread = x.size, _spread(x)
    if n <= 1 or spread == 0:
        return 0.0

    def loss(bins: int) -> float:
        share = divide(histogram(x, bins=bins, range=limits)[0], float(n))
        return float((2 - (n + 1) * float(_sum(share * share))) * bins / spread)

    most = max(100, int(np.sqrt(n)))
    return spread / min(range(1, most + 1), key=loss)


_RULES = {
    "auto": _auto, "doane": _doane, "fd": _freedman_diaconis, "rice": _rice, "scott": _scott, "sqrt": _square_root, "stone": _stone,
    "sturges": _sturges,
}  # fmt: skip


# ---------------------------------------------------------------------- histograms


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges of the bins that `histogram` would use: one more than there are bins.

    bins: how many of equal width; or a rule that chooses the width: "auto", "fd", "doane", "scott", "stone", "rice", "sturges",
    "sqrt"; or the edges themselves. range: (lowest, highest) edge, by default those of the data.

    >>> import mtarray as xp
    >>> xp.histogram_bin_edges(xp.asarray([0.0, 1.0, 4.0]), 2)
    Array([0., 2., 4.], shape=(3,), dtype=float64, device='cpu')
    """
    return _edges(_flat(a, "histogram_bin_edges"), bins, range, weights is not None, "histogram_bin_edges")


def _flat(a: Any, where_: str) -> Array:
    x = operand(a, where_)
    return reshape(x.astype(np.uint8) if x.dtype is bool_ else x, (-1,))


def _edges(x: Array, bins: Any, limits: Any, weighted: bool, where_: str) -> Array:
    if isinstance(bins, str):
        if bins not in _RULES:
            raise ValueError(f"{where_}: bins={bins!r} is not one of {', '.join(_RULES)}")
        if weighted:
            raise TypeError(f"{where_}: the width of bins cannot be chosen for weighted data; give their number")
        first, last = _limits(x, limits, where_)
        if limits is not None:
            x = x[logical_and(greater_equal(x, first), less_equal(x, last))]
        count = 1
        if x.size:
            width = _RULES[bins](x if x.dtype in FLOATING else x.astype(float64), (first, last))
            if x.dtype.kind in "iu" and 0 < width < 1:
                width = 1.0
            count = int(np.ceil((last - first) / width)) if width else 1
        return _even(first, last, count, x)
    try:
        count = operator.index(bins)
    except TypeError:
        edges = operand(bins, where_, device=x.device)
        if edges.ndim != 1:
            raise ValueError(f"{where_}: bins must be a number or one-dimensional, they have shape {edges.shape}") from None
        if bool(_any(logical_not(less_equal(edges[:-1], edges[1:])))):
            raise ValueError(f"{where_}: the edges of bins must increase monotonically") from None
        return edges
    if count < 1:
        raise ValueError(f"{where_}: bins={count} must be positive")
    return _even(*_limits(x, limits, where_), count, x)


def _limits(x: Array, limits: Any, where_: str) -> tuple[Any, Any]:
    if limits is not None:
        first, last = limits
        first, last = (v.item() if hasattr(v, "item") else v for v in (first, last))
        if first > last:
            raise ValueError(f"{where_}: range={limits} must have its lower end first")
    elif x.size == 0:
        first, last = 0.0, 1.0
    else:
        first, last = _min(x).item(), _max(x).item()
    if not (np.isfinite(first) and np.isfinite(last)):
        raise ValueError(f"{where_}: the range [{first}, {last}] of {'the data' if limits is None else 'range'} is not finite")
    wider = 0.5 if first == last else 0
    if limits is None and is_followed(x) and x.size:
        first, last = _min(x), _max(x)  # arrays, whose derivatives go into the edges
    return first - wider, last + wider


def _even(first: Any, last: Any, count: int, x: Array) -> Array:
    d = x.dtype if x.dtype in FLOATING else float64
    return linspace(first, last, count + 1, dtype=d, device=x.device)


def histogram(a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> tuple[Array, Array]:
    """(counts, edges): how many elements of the flattened `a` lie in each bin. A bin has its left edge, the last one both.

    bins, range: as for `histogram_bin_edges`; elements outside do not count. weights: of the shape of `a`, summed instead of
    counted. density: divide so that the integral is 1.

    >>> import mtarray as xp
    >>> [part.tolist() for part in xp.histogram(xp.asarray([0.0, 1.0, 1.5, 4.0]), bins=2)]
    [[3, 1], [0.0, 2.0, 4.0]]
    """
    x = _flat(a, "histogram")
    if x.dtype in COMPLEX:
        raise TypeError(f"histogram is not defined for {x.dtype}: complex numbers have no order")
    w = None if weights is None else operand(weights, "histogram")
    if w is not None:
        if w.shape != operand(a, "histogram").shape:
            raise ValueError(f"histogram: weights have shape {w.shape}, a has {operand(a, 'histogram').shape}")
        w = reshape(w, (-1,))
    edges = _edges(x, bins, range, w is not None, "histogram")
    n = edges.shape[0] - 1
    if n < 0:
        return zeros(0, dtype=int64, device=x.device), edges
    counts = _counted(_bins(x, edges), w, n + 2)[1 : n + 1]
    if density:
        return divide(divide(counts.astype(float64) if w is None else counts, diff(edges).astype(float64)), _sum(counts)), edges
    return counts, edges


def _bins(x: Array, edges: Array) -> Array:
    """The number of the bin that each element lies in, counted from 1; 0 before the first and len(edges) beyond the last, NaN included."""
    d = promote(edges.dtype, x.dtype)
    starts, last = edges[:-1].astype(d, copy=False), edges[-1:].astype(d, copy=False)
    # The last bin has its right edge: it ends at the next number. Beyond infinity comes NaN, in sorted order.
    if d in FLOATING:
        end = where(equal(last, float("inf")), float("nan"), nextafter(last, float("inf")))
    elif int(last[0]) == np.iinfo(d).max:
        return searchsorted(starts, x, side="right")
    else:
        end = last + 1
    return searchsorted(concat([starts, end]), x, side="right")


def _counted(place: Array, w: Array | None, length: int) -> Array:
    if w is None:
        return tally(place, length=length)
    if w.dtype in COMPLEX:
        out = zeros(length, dtype=complex128, device=w.device)
        real(out)[...] = tally_weights(place, real(w).astype(float64), length=length)
        imag(out)[...] = tally_weights(place, imag(w).astype(float64), length=length)
        return out.astype(w.dtype, copy=False)
    return tally_weights(place, w.astype(float64, copy=False), length=length).astype(w.dtype, copy=False)


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Array, tuple[Array, ...]]:
    """(counts, edges): how many points lie in each cell of a grid; the counts are float64.

    sample: the points as rows, shape (N, D), or their coordinates as a sequence of D arrays. bins: how many along every axis, or a
    sequence of how many, or of edges, one for each axis. range, weights, density: as for `histogram`, a range for each axis or None.

    >>> import mtarray as xp
    >>> counts, edges = xp.histogramdd(xp.asarray([[0.0, 0.0], [1.0, 1.0], [1.0, 0.9]]), bins=2)
    >>> counts.tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    points = operand(sample, "histogramdd") if not isinstance(sample, (list, tuple)) else stack(operands(sample, "histogramdd"), axis=-1)
    points = reshape(points, (-1, 1)) if points.ndim == 1 else points
    if points.ndim != 2:
        raise ValueError(f"histogramdd: sample must have shape (N, D), it has {points.shape}")
    n, d = points.shape
    each = list(bins) if not isinstance(bins, int) else [bins] * d
    limits = [None] * d if range is None else list(range)
    if len(each) != d or len(limits) != d:
        raise ValueError(f"histogramdd: {len(each)} bins and {len(limits)} ranges for {d} dimensions")
    columns = [points[:, i] for i in builtins.range(d)]
    edges = [_edges(x, b, r, weights is not None, "histogramdd") for x, b, r in zip(columns, each, limits)]
    shape = tuple([e.shape[0] + 1 for e in edges])
    place = ravel_multi_index([_bins(x, e) for x, e in zip(columns, edges)], shape)
    w = None if weights is None else reshape(operand(weights, "histogramdd"), (-1,))
    if w is not None and w.shape != (n,):
        raise ValueError(f"histogramdd: {w.shape[0]} weights for {n} points")
    counts = reshape(_counted(place, w, prod(shape)), shape)[tuple([slice(1, -1)] * d)].astype(float64)
    if density:
        total = _sum(counts)
        for i, e in enumerate(edges):
            counts = divide(counts, reshape(diff(e), (1,) * i + (-1,) + (1,) * (d - i - 1)))
        counts = divide(counts, total)
    return counts, tuple(edges)


def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Array, Array, Array]:
    """(counts, x edges, y edges): how many points (x, y) lie in each cell of a grid. See `histogramdd`.

    bins: also one array of edges for both axes.

    >>> import mtarray as xp
    >>> xp.histogram2d(xp.asarray([0.0, 1.0]), xp.asarray([0.0, 1.0]), bins=2)[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if not isinstance(bins, int) and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, (across, up) = histogramdd([x, y], bins, range, density, weights)
    return counts, across, up


__all__ = ["bincount", "digitize", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]
