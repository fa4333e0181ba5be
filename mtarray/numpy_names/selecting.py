"""Choosing and writing elements by conditions and flat positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array, leave
from .._dtypes import INTEGER_OR_BOOL, WEAK_KIND, int64, promote, promote_weak
from .._dtypes import bool as bool_
from .._strides import axis_of, broadcast_shape
from ..creation import arange, asarray, broadcast_to, zeros
from ..elementwise import add, clip, equal, greater_equal, less, logical_not, logical_or, remainder
from ..indexing import take
from ..manipulation import reshape, stack
from ..searching import nonzero, where
from ..utility import any as _any
from ._operands import operand, operand_or_number, operands, refuse_if_strict


def argwhere(a: Any) -> Array:
    """Indices of the elements that are not zero, one row each. Shape (N, a.ndim).

    >>> import mtarray as xp
    >>> xp.argwhere(xp.asarray([[0, 1], [2, 0]]))
    Array([[0, 1],
           [1, 0]], shape=(2, 2), dtype=int64, device='cpu')
    """
    a = operand(a, "argwhere")
    if a.ndim == 0:
        return zeros((int(bool(a)), 0), dtype=int64, device=a.device)
    return stack(nonzero(a), axis=1)


def flatnonzero(a: Any) -> Array:
    """Indices of the elements of the flattened array that are not zero.

    >>> import mtarray as xp
    >>> xp.flatnonzero(xp.asarray([[0, 1], [2, 0]]))
    Array([1, 2], shape=(2,), dtype=int64, device='cpu')
    """
    return nonzero(reshape(operand(a, "flatnonzero"), (-1,)))[0]


def compress(condition: Any, a: Any, axis: int | None = None) -> Array:
    """The slices of `a` along `axis` (elements of the flattened array if None) where the one-dimensional condition is true.

    The condition may be shorter than the axis; what it does not reach is left out.

    >>> import mtarray as xp
    >>> xp.compress([False, True], xp.asarray([[1, 2], [3, 4]]), axis=0)
    Array([[3, 4]], shape=(1, 2), dtype=int64, device='cpu')
    """
    condition, a = operands((condition, a), "compress")
    if condition.ndim != 1:
        raise ValueError(f"compress: condition must be one-dimensional, it has shape {condition.shape}")
    if axis is None:
        a, axis = reshape(a, (-1,)), 0
    return take(a, nonzero(condition)[0], axis=axis_of(axis, a.ndim))


def extract(condition: Any, arr: Any) -> Array:
    """The elements of `arr`, flattened, where the condition, flattened, is true.

    >>> import mtarray as xp
    >>> x = xp.arange(4)
    >>> xp.extract(x % 2 == 0, x)
    Array([0, 2], shape=(2,), dtype=int64, device='cpu')
    """
    x, chosen = operands((arr, condition), "extract")
    return take(reshape(x, (-1,)), flatnonzero(chosen), axis=0)


def choose(a: Any, choices: Any, *, mode: str = "raise") -> Array:
    """For each element of `a`, the element at its place in the choice of that number; all broadcast.

    mode: "raise" (ValueError for a number out of range), "wrap" (modulo the number of choices) or "clip".

    >>> import mtarray as xp
    >>> xp.choose(xp.asarray([0, 1, 0]), [xp.asarray([1, 2, 3]), 10])
    Array([ 1, 10,  3], shape=(3,), dtype=int64, device='cpu')
    """
    a = operand(a, "choose")
    if isinstance(choices, (list, tuple)):
        choices = [c if c.__class__ is Array else operand(c, "choose", device=a.device) for c in choices]
    cs = operands(choices, "choose")
    if a.dtype not in INTEGER_OR_BOOL:
        raise TypeError(f"choose: a must be integers, not {a.dtype}")
    d = promote(*[c.dtype for c in cs])
    shape = broadcast_shape(a.shape, *[c.shape for c in cs])
    i = _numbered(a.astype(int64), len(cs), mode, "choose", ValueError)
    out = broadcast_to(cs[0].astype(d, copy=False), shape)
    for k, c in enumerate(cs[1:], 1):
        out = where(equal(i, k), c.astype(d, copy=False), out)
    return out.copy() if len(cs) == 1 else out


def _numbered(i: Array, n: int, mode: str, where_: str, error: type[Exception]) -> Array:
    """Integers as numbers from 0 to n - 1."""
    if mode == "wrap":
        return remainder(i, n)
    if mode == "clip":
        return clip(i, 0, n - 1)
    if mode != "raise":
        raise ValueError(f"{where_}: mode={mode!r} must be 'raise', 'wrap' or 'clip'")
    if bool(_any(logical_or(less(i, 0 if error is ValueError else -n), greater_equal(i, n)))):
        raise error(f"{where_}: an index is out of bounds for {n} elements")
    return where(less(i, 0), add(i, n), i)


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    """For each element the choice that belongs to the first true condition, or `default`; all broadcast.

    ValueError if the lists differ in length, TypeError for conditions that are not booleans.

    >>> import mtarray as xp
    >>> x = xp.arange(5)
    >>> xp.select([x < 2, x > 3], [x, x * 10], default=-1)
    Array([ 0,  1, -1, -1, 40], shape=(5,), dtype=int64, device='cpu')
    """
    if len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions and {len(choicelist)} choices; there must be as many")
    conditions = operands(condlist, "select")
    choices = [operand_or_number(c, "select") for c in (*choicelist, default)]
    for i, c in enumerate(conditions):
        if c.dtype is not bool_:
            raise TypeError(f"select: condition {i} has dtype {c.dtype}; it must be boolean")
    d = _common(choices)
    shape = broadcast_shape(*[c.shape for c in conditions], *[getattr(c, "shape", ()) for c in choices])
    out = broadcast_to(asarray(choices[-1], device=conditions[0].device).astype(d, copy=False), shape)
    for condition, choice in zip(reversed(conditions), reversed(choices[:-1])):
        out = where(condition, asarray(choice, device=condition.device).astype(d, copy=False), out)
    return out if condlist and not out._readonly else out.copy()


def _common(xs: list[Any]) -> Any:
    strong = [x.dtype for x in xs if x.__class__ is Array]
    d = promote(*strong) if strong else None
    for kind in WEAK_KIND:
        if any(x.__class__ is kind for x in xs):
            d = promote_weak(d, kind)
    return d


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Array:
    """Functions (or values) of `x` where their conditions are true, the last true one counting; one function more is for the rest, which
    is 0 otherwise. The result has the shape and dtype of `x`.

    args, kw: passed on to every function. ValueError if the lists do not pair up.

    >>> import mtarray as xp
    >>> x = xp.asarray([-2.0, 3.0])
    >>> xp.piecewise(x, [x < 0, x >= 0], [lambda v: -v, 10.0])
    Array([ 2., 10.], shape=(2,), dtype=float64, device='cpu')
    """
    x = operand(x, "piecewise")
    # One condition may stand without a list; a 0-d `x` has conditions that are plain booleans.
    nested = getattr(condlist, "ndim", None)
    several = nested > 1 if nested is not None else len(condlist) > 0 and (x.ndim == 0 or np.ndim(condlist[0]) > 0)
    conditions = [operand(c, "piecewise").astype(bool_) for c in (condlist if several else [condlist])]
    conditions = [broadcast_to(c, x.shape) if c.ndim == 0 else c for c in conditions]
    if len(funclist) == len(conditions) + 1:
        rest = conditions[0]
        for c in conditions[1:]:
            rest = logical_or(rest, c)
        conditions.append(logical_not(rest))
    elif len(funclist) != len(conditions):
        raise ValueError(f"piecewise: {len(conditions)} conditions with {len(funclist)} functions; give as many, or one more")
    out = zeros(x.shape, dtype=x.dtype, device=x.device)
    for condition, function in zip(conditions, funclist):
        if isinstance(function, Callable):  # type: ignore[arg-type]
            chosen = x[condition]
            if chosen.size:
                out[condition] = function(chosen, *args, **kw)
        else:
            out[condition] = function
    return out


# ---------------------------------------------------------------------- writing


def put(a: Array, ind: Any, v: Any, mode: str = "raise") -> None:
    """Write the values `v` (repeated as needed) into `a` at positions `ind` of the flattened array, in place.

    mode: "raise" (IndexError for a position out of bounds), "wrap" or "clip".

    >>> import mtarray as xp
    >>> x = xp.zeros((2, 2))
    >>> xp.put(x, [0, -1], 5.0)
    >>> x
    Array([[5., 0.],
           [0., 5.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    refuse_if_strict("put")
    i = reshape(operand(ind, "put", device=a.device), (-1,))
    if i.size == 0:
        return
    if i.dtype not in INTEGER_OR_BOOL:
        raise TypeError(f"put: positions must be integers, not {i.dtype}")
    if a.size == 0:
        raise IndexError("put: the array has no elements to write")
    i = _numbered(i.astype(int64), a.size, mode, "put", IndexError)
    _write(a, i, operand(_storable(v, a, "put"), "put", a.dtype, a.device))


def place(arr: Array, mask: Any, vals: Any) -> None:
    """Write the values `vals`, one after the other and repeated as needed, into `arr` where the mask is true, in place.

    >>> import mtarray as xp
    >>> x = xp.arange(4)
    >>> xp.place(x, x > 1, [7])
    >>> x
    Array([0, 1, 7, 7], shape=(4,), dtype=int64, device='cpu')
    """
    refuse_if_strict("place")
    m = operand(mask, "place", device=arr.device)
    values = operand(_storable(vals, arr, "place"), "place", arr.dtype, arr.device)
    if m.size != arr.size:
        raise ValueError(f"place: the mask has shape {m.shape}, the array {arr.shape}")
    i = flatnonzero(m)
    if i.size and not values.size:
        raise ValueError("place: there are no values to write")
    if i.size:
        _write(arr, i, values)


def _storable(values: Any, a: Array, where: str) -> Any:
    """`values`; RuntimeError where a derivative would have to follow them into an array of integers."""
    if values.__class__ is Array and a.dtype.kind not in "fc":
        leave(values, f"{where} into an array of {a.dtype}")
    return values


def _write(a: Array, i: Array, values: Array) -> None:
    """Values, repeated as needed, into flat positions."""
    values = reshape(values, (-1,))
    if not values.size:
        return
    if values.size != 1:
        values = take(values, remainder(arange(i.size, device=i.device), values.size), axis=0)
    else:
        values = values[0]
    if a.ndim == 1:
        a[i] = values
        return
    index = []
    for n in reversed(a.shape):
        index.append(remainder(i, n))
        i = i // n
    a[tuple(reversed(index))] = values


def putmask(a: Array, mask: Any, values: Any) -> None:
    """Write into `a` where the mask is true the values at the same flat positions (counted modulo their number), in place.

    >>> import mtarray as xp
    >>> x = xp.arange(4)
    >>> xp.putmask(x, x > 1, [10, 20])
    >>> x
    Array([ 0,  1, 10, 20], shape=(4,), dtype=int64, device='cpu')
    """
    refuse_if_strict("putmask")
    m = operand(mask, "putmask", device=a.device)
    v = reshape(operand(_storable(values, a, "putmask"), "putmask", device=a.device), (-1,))
    if m.size != a.size:
        raise ValueError(f"putmask: the mask has shape {m.shape}, the array {a.shape}")
    if v.size:
        i = flatnonzero(m)
        _write(a, i, take(v, remainder(i, v.size), axis=0).astype(a.dtype, copy=False))


def copyto(dst: Array, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Write `src`, broadcast to its shape, into `dst` where the condition `where` is true, in place.

    TypeError if its dtype cannot be cast by the rule `casting`.

    >>> import mtarray as xp
    >>> x = xp.zeros(3)
    >>> xp.copyto(x, 2.0, where=xp.asarray([True, False, True]))
    >>> x
    Array([2., 0., 2.], shape=(3,), dtype=float64, device='cpu')
    """
    refuse_if_strict("copyto")
    source = operand_or_number(src, "copyto", dst.device)
    kind = source.dtype if source.__class__ is Array else promote_weak(dst.dtype, source.__class__)
    if not np.can_cast(kind, dst.dtype, casting=casting):  # type: ignore[arg-type]
        raise TypeError(f"copyto: {kind} cannot be cast to {dst.dtype} by the rule {casting!r}")
    if where is True:
        dst[...] = source
        return
    mask = broadcast_to(operand(where, "copyto", device=dst.device), dst.shape)
    if mask.dtype is not bool_:
        raise TypeError(f"copyto: where must be boolean, not {mask.dtype}")
    wide = broadcast_to(source, dst.shape) if source.__class__ is Array else source
    dst[mask] = wide[mask] if wide.__class__ is Array else wide


def put_along_axis(arr: Array, indices: Any, values: Any, axis: int | None) -> None:
    """Write values into `arr` at the places along `axis` that `take_along_axis` would read, in place; all broadcast.

    >>> import mtarray as xp
    >>> x = xp.zeros((2, 2))
    >>> xp.put_along_axis(x, xp.asarray([[1], [0]]), 5.0, axis=1)
    >>> x
    Array([[0., 5.],
           [5., 0.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    refuse_if_strict("put_along_axis")
    i = operand(indices, "put_along_axis", device=arr.device)
    if axis is None:
        _write(arr, _numbered(i, arr.size, "raise", "put_along_axis", IndexError), operand(values, "put_along_axis", arr.dtype, arr.device))
        return
    a = axis_of(axis, arr.ndim)
    if i.ndim != arr.ndim:
        raise ValueError(f"put_along_axis: arr has shape {arr.shape}, indices {i.shape}; they must have as many dimensions")
    key: list[Any] = [reshape(arange(n, device=i.device), (1,) * k + (-1,) + (1,) * (arr.ndim - k - 1)) for k, n in enumerate(arr.shape)]
    key[a] = i
    arr[tuple(key)] = values


__all__ = [
    "argwhere", "choose", "compress", "copyto", "extract", "flatnonzero", "piecewise", "place", "put", "put_along_axis", "putmask",
    "select",
]  # fmt: skip
