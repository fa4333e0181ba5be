"""Index keys, parsed into window arithmetic and, where integer or boolean arrays take part, a list of index arrays."""

from __future__ import annotations

import operator
from numbers import Integral
from typing import Any, NamedTuple

from ._strides import Shape, slice_axis


class Basic(NamedTuple):
    """A view: the window that ints, slices, `...` and `None` select."""

    shape: Shape
    strides: Shape
    offset: int


class Advanced(NamedTuple):
    """A selection by arrays, of a view: `key` indexes the window (shape, strides, offset).

    `key` holds one entry per axis of that window - `slice(None)`, or an integer array - but a boolean array stands for as many
    axes as it has dimensions, and `...` for none. Integers beside arrays count as 0-d index arrays, which is what decides where
    the axes of the selection go: in the place of the first array if the arrays are adjacent, else in front. `...` parts arrays
    that would be adjacent otherwise; it is kept only where that makes a difference.
    """

    shape: Shape
    strides: Shape
    offset: int
    key: tuple[Any, ...]


_ALL = slice(None)


def check_strict(key: Any, shape: Shape, is_array: Any, setting: bool) -> None:
    """Refuse (IndexError) the keys of which the standard does not say what they select.

    Left are ints, slices within bounds, `...` and, for reading, `None`, together naming every axis; one mask alone; and, for reading,
    integer arrays beside ints.
    """
    items = key if key.__class__ is tuple else (key,)
    arrays = [i for i in items if is_array(i)]
    masks = [i for i in arrays if i.dtype.kind == "b"]
    for i in items:
        plain = i is Ellipsis or i.__class__ is slice or (i is None and not setting) or is_array(i)
        if not plain and (isinstance(i, bool) or not hasattr(i, "__index__") or (hasattr(i, "shape") and i.shape != ())):
            raise IndexError(f"{i!r:.60} of type {type(i).__name__} is not an index of the standard (strict mode)")
    if masks:
        if len(items) > 1:
            raise IndexError("the standard defines a boolean index only where it is the only one (strict mode)")
        return
    if arrays and (setting or any(i is Ellipsis or i.__class__ is slice for i in items)):
        raise IndexError("the standard defines integer index arrays only for reading, and only beside integers (strict mode)")
    axes = [i for i in items if i is not None and i is not Ellipsis]
    if len(axes) < len(shape) and Ellipsis not in [i for i in items if not is_array(i)]:
        raise IndexError(f"the index names {len(axes)} of {len(shape)} axes; the standard wants all of them, or `...` (strict mode)")
    behind = False
    for place, i in enumerate([i for i in items if i is not None]):
        if i is Ellipsis:
            behind = True
        elif i.__class__ is slice:
            n = shape[place - 1 + len(shape) - len(axes)] if behind else shape[place] if place < len(shape) else 0
            for end in (i.start, i.stop):
                if end is not None and not -n <= operator.index(end) <= n:
                    raise IndexError(f"{i}: the standard defines slices only within the axis, whose length is {n} (strict mode)")


def parse(key: Any, shape: Shape, strides: Shape, offset: int, as_index: Any) -> Basic | Advanced:
    """What `key` selects from the window.

    `as_index(item)` turns whatever is not an int, slice, `...` or `None` into an integer or boolean array (something with
    `shape` and `dtype`) or raises IndexError.
    """
    items = key if key.__class__ is tuple else (key,)
    arrays = False
    ellipsis = -1
    used = 0
    parsed: list[Any] = []
    for item in items:
        c = item.__class__
        if c is slice or c is int:
            used += 1
        elif item is None:
            pass
        elif item is Ellipsis:
            if ellipsis >= 0:
                raise IndexError("an index can have only one ellipsis ('...')")
            ellipsis = len(parsed)
        elif c is not bool and (isinstance(item, Integral) or (hasattr(c, "__index__") and not hasattr(item, "shape"))):
            # NumPy's integer scalars are integers too, its 0-d arrays are index arrays.
            item = operator.index(item)
            used += 1
        else:
            item = as_index(item)
            arrays = True
            used += len(item.shape) if item.dtype.kind == "b" else 1
        parsed.append(item)
    ndim = len(shape)
    if used > ndim:
        raise IndexError(f"too many indices: {used} for an array of {ndim} dimensions, shape {shape}")
    fill = [_ALL] * (ndim - used)
    if ellipsis >= 0 and arrays and not fill:
        pass  # it stands for no axis, but parts the arrays before it from those behind
    elif ellipsis >= 0:
        parsed[ellipsis : ellipsis + 1] = fill
    else:
        parsed += fill
    if arrays:
        return _advanced(parsed, shape, strides, offset)
    out_shape: list[int] = []
    out_strides: list[int] = []
    axis = 0
    for item in parsed:
        if item is None:
            out_shape.append(1)
            out_strides.append(0)
            continue
        n, step = shape[axis], strides[axis]
        if item.__class__ is slice:
            if item is _ALL:
                out_shape.append(n)
                out_strides.append(step)
            else:
                n, stride, skip = slice_axis(n, step, item)
                out_shape.append(n)
                out_strides.append(stride)
                offset += skip
        else:
            offset += step * position(item, n, axis)
        axis += 1
    return Basic(tuple(out_shape), tuple(out_strides), offset)


def position(i: int, n: int, axis: int) -> int:
    """The integer index `i` of an axis of length n, wrapped once if negative."""
    if -n <= i < n:
        return i + n if i < 0 else i
    raise IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")


def _advanced(parsed: list[Any], shape: Shape, strides: Shape, offset: int) -> Advanced:
    out_shape: list[int] = []
    out_strides: list[int] = []
    key: list[Any] = []
    axis = 0
    for item in parsed:
        if item is None:
            out_shape.append(1)
            out_strides.append(0)
            key.append(_ALL)
        elif item.__class__ is slice:
            n, stride, skip = slice_axis(shape[axis], strides[axis], item)
            out_shape.append(n)
            out_strides.append(stride)
            offset += skip
            key.append(_ALL)
            axis += 1
        elif item is Ellipsis:
            kinds = [k.__class__ is slice for k in key]
            if False in kinds and kinds[0]:
                key.append(item)
        elif item.__class__ is int:
            key.append(position(item, shape[axis], axis))
            out_shape.append(shape[axis])
            out_strides.append(strides[axis])
            axis += 1
        else:
            ndim = len(item.shape) if item.dtype.kind == "b" else 1
            # As in NumPy, a mask may also be empty along an axis: then it selects nothing.
            if item.dtype.kind == "b" and not all(m in (n, 0) for m, n in zip(item.shape, shape[axis : axis + ndim])):
                raise IndexError(
                    f"boolean index of shape {tuple(item.shape)} does not match the axes it selects from, "
                    f"{shape[axis : axis + ndim]} of an array of shape {shape}"
                )
            key.append(item)
            out_shape += shape[axis : axis + ndim]
            out_strides += strides[axis : axis + ndim]
            axis += ndim
    if key[-1] is Ellipsis:
        key.pop()
    return Advanced(tuple(out_shape), tuple(out_strides), offset, tuple(key))
