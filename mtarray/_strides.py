"""Window arithmetic: shapes, strides and offsets as tuples of Python integers (in elements), for every device."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

Shape = tuple[int, ...]


def contiguous(shape: Shape) -> Shape:
    """Strides of a C-ordered window of this shape."""
    n = len(shape)
    if n == 0:
        return ()
    if n == 1:
        return (1,)
    if n == 2:
        return (shape[1] or 1, 1)
    strides = [1] * n
    step = 1
    for i in range(n - 1, 0, -1):
        step *= shape[i] or 1
        strides[i - 1] = step
    return tuple(strides)


def is_contiguous(shape: Shape, strides: Shape) -> bool:
    """Whether the window lies in C order without gaps (axes of length 1 do not matter)."""
    step = 1
    for n, s in zip(reversed(shape), reversed(strides)):
        if n == 0:
            return True
        if n != 1 and s != step:
            return False
        step *= n
    return True


def extent(shape: Shape, strides: Shape) -> tuple[int, int]:
    """Lowest and highest element that a non-empty window at offset 0 touches, both inclusive."""
    low = high = 0
    for n, s in zip(shape, strides):
        if s > 0:
            high += (n - 1) * s
        else:
            low += (n - 1) * s
    return low, high


def as_shape(shape: Any, where: str = "shape", lowest: int = 0) -> Shape:
    """A shape from an int or a sequence of ints; lengths below `lowest` are refused."""
    out: Shape
    if shape.__class__ is tuple:
        for n in shape:
            if n.__class__ is not int or n < lowest:
                break
        else:
            return shape
    try:
        out = (operator.index(shape),)
    except TypeError:
        try:
            out = tuple([operator.index(n) for n in shape])
        except TypeError:
            raise TypeError(f"{where}={shape!r} must be an integer or a sequence of integers") from None
    for n in out:
        if n < lowest:
            raise ValueError(f"{where}={out} has a negative length")
    return out


def axis_of(axis: Any, ndim: int, where: str = "axis") -> int:
    """`axis` as 0 <= axis < ndim."""
    try:
        i = operator.index(axis)
    except TypeError:
        raise TypeError(f"{where}={axis!r} must be an integer") from None
    if not -ndim <= i < ndim:
        raise AxisError(f"{where}={i} is out of bounds for an array of {ndim} dimensions")
    return i + ndim if i < 0 else i


class AxisError(np.exceptions.AxisError):
    """An axis that the array does not have."""


def axes_of(axis: Any, ndim: int, where: str = "axis") -> Shape:
    """Axes (None: all of them; an int; a sequence) as distinct non-negative ints, in the order given."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        out = tuple([axis_of(a, ndim, where) for a in axis])
        if len(set(out)) != len(out):
            raise ValueError(f"{where}={tuple(axis)} names an axis twice")
        return out
    return (axis_of(axis, ndim, where),)


def broadcast_shape(*shapes: Shape) -> Shape:
    """The shape that these broadcast to; ValueError names them all when they do not."""
    if not shapes:
        return ()
    first = shapes[0]
    for s in shapes:
        if s != first:
            break
    else:
        return first
    ndim = max(map(len, shapes))
    out = [1] * ndim
    for s in shapes:
        lead = ndim - len(s)
        for i, n in enumerate(s, lead):
            if n != 1:
                if out[i] == 1:
                    out[i] = n
                elif out[i] != n:
                    raise ValueError(
                        f"shapes {', '.join(map(str, shapes))} cannot be broadcast together: axis {i - ndim} has lengths {out[i]} and {n}"
                    )
    return tuple(out)


def broadcast(shape: Shape, strides: Shape, target: Shape) -> Shape:
    """Strides of a window seen in the shape `target`."""
    lead = len(target) - len(shape)
    if lead < 0:
        raise ValueError(f"an array of shape {shape} cannot be broadcast to {target}: it has more dimensions")
    out = [0] * lead
    for n, s, t in zip(shape, strides, target[lead:]):
        if n == t:
            out.append(s)
        elif n == 1:
            out.append(0)
        else:
            raise ValueError(f"an array of shape {shape} cannot be broadcast to {target}: length {n} is neither 1 nor {t}")
    return tuple(out)


def slice_axis(n: int, stride: int, s: slice) -> tuple[int, int, int]:
    """(length, stride, offset) of a slice of an axis."""
    start, stop, step = s.indices(n)
    if step == 1:
        return (stop - start, stride, start * stride) if stop > start else (0, stride, 0)
    count = len(range(start, stop, step))
    return count, stride * step, start * stride if count else 0


def resolve_reshape(size: int, shape: Shape) -> Shape:
    """Fill in the one length that may be -1."""
    if shape == (-1,):
        return (size,)
    if -1 in shape:
        i = shape.index(-1)
        rest = prod(shape[:i] + shape[i + 1 :])
        if -1 in shape[i + 1 :]:
            raise ValueError(f"shape={shape} leaves more than one length open")
        if rest == 0 or size % rest:
            raise ValueError(f"an array of {size} elements cannot be reshaped to {shape}")
        return shape[:i] + (size // rest,) + shape[i + 1 :]
    if prod(shape) != size:
        raise ValueError(f"an array of {size} elements cannot be reshaped to {shape}")
    return shape


def reshape(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """Strides of the window in shape `new` (same size), or None when that needs a copy."""
    if is_contiguous(shape, strides):
        return contiguous(new)
    old = [(n, s) for n, s in zip(shape, strides) if n != 1]
    if 0 in shape:
        return contiguous(new)
    out = [0] * len(new)
    i = j = 0
    while i < len(old) and j < len(new):
        count_old, count_new, first_j = old[i][0], new[j], j
        while count_old != count_new:
            if count_new < count_old:
                j += 1
                count_new *= new[j]
            else:
                if old[i][1] != old[i + 1][0] * old[i + 1][1]:
                    return None
                i += 1
                count_old *= old[i][0]
        step = old[i][1]
        for k in range(j, first_j - 1, -1):
            out[k] = step
            step *= new[k]
        i += 1
        j += 1
    return tuple(out)


def permutation(axes: Any, ndim: int, where: str = "axes") -> Shape:
    """`axes` as a permutation of range(ndim)."""
    out = axes_of(tuple(axes), ndim, where)
    if len(out) != ndim:
        raise ValueError(f"{where}={tuple(axes)} must name each of the {ndim} dimensions once")
    return out


def inverse_permutation(axes: Sequence[int]) -> Shape:
    out = [0] * len(axes)
    for i, a in enumerate(axes):
        out[a] = i
    return tuple(out)


def moved(ndim: int, source: Iterable[int], destination: Iterable[int]) -> Shape:
    """The permutation that brings axes `source` to the places `destination` and keeps the order of the others."""
    src, dst = tuple(source), tuple(destination)
    order = [i for i in range(ndim) if i not in src]
    for d, s in sorted(zip(dst, src)):
        order.insert(d, s)
    return tuple(order)


def overlaps(shape: Shape, strides: Shape) -> bool:
    """Whether two places of the window may be one element. Also true for some windows whose axes interlock without meeting."""
    reach = 0
    for s, n in sorted([(abs(s), n) for n, s in zip(shape, strides) if n > 1]):
        if s <= reach:
            return 0 not in shape
        reach += (n - 1) * s
    return False


def dense_order(shape: Shape, strides: Shape) -> Shape | None:
    """The permutation of axes in which the window is C-contiguous, or None (gaps, overlaps, negative strides)."""
    order = sorted(range(len(shape)), key=lambda i: (-strides[i], i))
    if is_contiguous(tuple([shape[i] for i in order]), tuple([strides[i] for i in order])):
        return tuple(order)
    return None
