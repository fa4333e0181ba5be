"""pad: arrays with borders, filled in NumPy's eleven ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array
from ..creation import arange, asarray, empty, zeros
from ..elementwise import add, floor_divide, multiply, remainder, round, subtract
from ..indexing import take
from ..manipulation import concat, expand_dims, moveaxis, reshape
from ..searching import where
from ..statistical import max, mean, min
from ._operands import operand
from .ranges import line
from .statistics import median

# The keywords each mode takes, with their defaults.
_KEYWORDS: dict[str, dict[str, Any]] = {
    "constant": {"constant_values": 0},
    "edge": {},
    "linear_ramp": {"end_values": 0},
    "maximum": {"stat_length": None},
    "mean": {"stat_length": None},
    "median": {"stat_length": None},
    "minimum": {"stat_length": None},
    "reflect": {"reflect_type": "even"},
    "symmetric": {"reflect_type": "even"},
    "wrap": {},
    "empty": {},
}
_STATISTICS: dict[str, Callable[..., Array]] = {"maximum": max, "mean": mean, "median": median, "minimum": min}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    """`array` with elements added before and after each axis.

    pad_width: (before, after) for each axis, one pair for all, one number for all, or a dict from axis to number or pair.
    mode: "constant" (`constant_values`), "edge" (the outermost element), "linear_ramp" (down to `end_values`), "maximum", "mean",
    "median", "minimum" (of `stat_length` outermost elements, or all), "reflect" (mirrored at the outermost element), "symmetric"
    (mirrored beyond it; both with `reflect_type` "even" or "odd"), "wrap" (periodic), "empty" (arbitrary content), or a function
    called as function(line, (before, after), axis, kwargs) that fills the borders of each line in place.
    ValueError for a negative width, an unknown mode or keyword, or elements asked of an empty axis.

    >>> import mtarray as xp
    >>> xp.pad(xp.asarray([1, 2, 3]), (1, 2), mode="reflect")
    Array([2, 1, 2, 3, 2, 1], shape=(6,), dtype=int64, device='cpu')
    """
    x = operand(array, "pad")
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _KEYWORDS:
        raise ValueError(f"pad: mode={mode!r} is not supported; use a function or one of {', '.join(_KEYWORDS)}")
    unknown = sorted(set(kwargs) - set(_KEYWORDS[mode]))
    if unknown:
        raise ValueError(f"pad: mode {mode!r} does not take {', '.join(unknown)}")
    options = {**_KEYWORDS[mode], **kwargs}
    if mode in ("constant", "empty"):
        return _constant(x, widths, None if mode == "empty" else _pairs(options["constant_values"], x.ndim, "constant_values"))
    if x.size == 0:
        for a, (before, after) in enumerate(widths):
            if x.shape[a] == 0 and before + after:
                raise ValueError(f"pad: axis {a} of shape {x.shape} is empty and can only be extended in modes 'constant' and 'empty'")
    for a, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        if mode in ("edge", "wrap", "reflect", "symmetric"):
            x = _repeated(x, a, before, after, mode, options.get("reflect_type", "even"))
        elif mode == "linear_ramp":
            ends = _pairs(options["end_values"], x.ndim, "end_values")[a]
            x = _ramp(x, a, before, after, ends)
        else:
            lengths = (None, None) if options["stat_length"] is None else _pairs(options["stat_length"], x.ndim, "stat_length")[a]
            x = _statistic(x, a, before, after, _STATISTICS[mode], lengths)
    return x.copy() if x is array else x


def _pairs(given: Any, ndim: int, name: str) -> list[tuple[Any, Any]]:
    """A (before, after) pair for each axis, of a number, one pair, or a pair for each axis."""
    a = np.asarray(given)
    try:
        wide = np.broadcast_to(a, (ndim, 2))
    except ValueError:
        raise ValueError(f"pad: {name} of shape {a.shape} is not a number, a pair, or a pair for each of {ndim} axes") from None
    return [(lo.item(), hi.item()) for lo, hi in wide]


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        rows = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            rows[axis] = tuple(width) if isinstance(width, (tuple, list)) else (width, width)
        pad_width = rows or np.zeros((0, 2), int)
    a = np.asarray(pad_width)
    if a.size and a.dtype.kind not in "iu":
        raise TypeError(f"pad: pad_width must be integers, not {a.dtype}")
    pairs = _pairs(a, ndim, "pad_width")
    if any(w < 0 for pair in pairs for w in pair):
        raise ValueError(f"pad: pad_width={pad_width} must not be negative")
    return pairs


def _bordered(x: Array, widths: list[tuple[int, int]], blank: Callable[..., Array]) -> tuple[Array, tuple[slice, ...]]:
    out = blank(tuple([before + n + after for n, (before, after) in zip(x.shape, widths)]), dtype=x.dtype, device=x.device)
    inner = tuple([slice(before, before + n) for n, (before, _) in zip(x.shape, widths)])
    out[inner] = x
    return out, inner


def _constant(x: Array, widths: list[tuple[int, int]], values: list[tuple[Any, Any]] | None) -> Array:
    if values is not None and all(v == 0 for pair in values for v in pair):
        return _bordered(x, widths, zeros)[0]
    out, inner = _bordered(x, widths, empty)
    if values is None:
        return out
    for a, (low, high) in enumerate(values):
        # Axis by axis, as the borders of later axes overwrite the corners.
        index: list[Any] = [slice(None)] * a + [slice(None), *inner[a + 1 :]]
        for edge, v in ((slice(None, inner[a].start), low), (slice(inner[a].stop, None), high)):
            index[a] = edge
            out[tuple(index)] = asarray(v, device=x.device).astype(x.dtype)
    return out


def _repeated(x: Array, a: int, before: int, after: int, mode: str, kind: str) -> Array:
    """The axis continued by its own elements: which ones is a function of the position alone."""
    n = x.shape[a]
    i = arange(-before, n + after, device=x.device)
    if mode == "edge" or (mode == "reflect" and n == 1):
        return take(x, where(i < 0, 0, where(i >= n, n - 1, i)), axis=a)
    if mode == "wrap":
        return take(x, remainder(i, n), axis=a)
    if kind not in ("even", "odd"):
        raise ValueError(f"pad: reflect_type={kind!r} must be 'even' or 'odd'")
    period = 2 * (n - 1) if mode == "reflect" else 2 * n
    place = remainder(i, period)
    mirror = period - place if mode == "reflect" else period - 1 - place
    back = place >= n
    out = take(x, where(back, mirror, place), axis=a)
    if kind == "even":
        return out
    # An odd reflection turns the values about the end too, so that every period rises by twice the distance of the ends.
    along = (1,) * a + (-1,) + (1,) * (x.ndim - a - 1)
    first, last = _ends(x, a)
    first, last = expand_dims(first, a), expand_dims(last, a)
    two = asarray(2, device=x.device).astype(x.dtype)
    turned = where(reshape(back, along), subtract(multiply(last, two), out), out)
    rounds = reshape(floor_divide(i, period), along).astype(x.dtype)
    return add(turned, multiply(rounds, multiply(subtract(last, first), two)))


def _ends(x: Array, a: int) -> tuple[Array, Array]:
    index: list[Any] = [slice(None)] * x.ndim
    index[a] = 0
    first = x[(*index, ...)]
    index[a] = -1
    return first, x[(*index, ...)]


def _ramp(x: Array, a: int, before: int, after: int, ends: tuple[Any, Any]) -> Array:
    first, last = _ends(x, a)
    parts = [x]
    if before:
        parts.insert(0, moveaxis(line(asarray(ends[0], device=x.device), first, before, False, x.dtype), 0, a))
    if after:
        ramp = line(asarray(ends[1], device=x.device), last, after, False, x.dtype)
        parts.append(moveaxis(ramp[::-1], 0, a))
    return concat(parts, axis=a)


def _statistic(x: Array, a: int, before: int, after: int, statistic: Callable[..., Array], lengths: tuple[Any, Any]) -> Array:
    n = x.shape[a]
    parts = [x]
    for side, (width, length) in enumerate(zip((before, after), lengths)):
        if not width:
            continue
        if length is not None and length <= 0:
            if length < 0:
                raise ValueError(f"pad: stat_length={length} must not be negative")
            raise ValueError("pad: stat_length=0 leaves no elements to take a statistic of")
        m = n if length is None else length if length < n else n
        index: list[Any] = [slice(None)] * x.ndim
        index[a] = slice(0, m) if side == 0 else slice(n - m, n)
        v = statistic(x[tuple(index)], axis=a, keepdims=True)
        if x.dtype.kind in "iu" and v.dtype.kind == "f":
            v = round(v)
        v = v.astype(x.dtype, copy=False)
        border = take(v, zeros(width, dtype=np.int64, device=x.device), axis=a)
        parts.insert(0, border) if side == 0 else parts.append(border)
    return concat(parts, axis=a)


def _by_function(x: Array, widths: list[tuple[int, int]], function: Callable[..., Any], kwargs: dict[str, Any]) -> Array:
    out, _ = _bordered(x, widths, zeros)
    for a, width in enumerate(widths):
        rest = out.shape[:a] + out.shape[a + 1 :]
        for place in np.ndindex(rest):
            index: tuple[Any, ...] = (*place[:a], slice(None), *place[a:])
            function(out[index], width, a, kwargs)
    return out


__all__ = ["pad"]
