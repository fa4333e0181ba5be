"""Shapes and axes. Views where strides allow; joining and repeating make new arrays."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import _array, _strides
from ._array import Array, fresh, value, window
from ._config import config, is_strict
from ._dtypes import COMPLEX, DType, dtype_of, promote, standard_promotion
from ._operands import lift
from ._ops import engine
from ._strides import as_shape, axes_of, axis_of
from .creation import convert


def reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Array:
    """The elements in C order in another shape; one length may be -1. A view where strides allow, else a copy.

    copy: True always copies, False raises ValueError where a copy is needed.

    >>> import mtarray as xp
    >>> xp.reshape(xp.arange(6), (2, -1))
    Array([[0, 1, 2],
           [3, 4, 5]], shape=(2, 3), dtype=int64, device='cpu')
    """
    x = lift(x, "reshape")
    wanted: tuple[int, ...]
    _wants_tuple(shape, "reshape: shape")
    wanted = as_shape(shape, "reshape: shape", lowest=-1)
    try:
        new = _strides.resolve_reshape(x.size, wanted)
    except ValueError:
        raise ValueError(f"reshape: an array of shape {x.shape} ({x.size} elements) cannot be reshaped to {wanted}") from None
    if copy:
        x = convert(x, dtype=x.dtype)
    strides = _strides.reshape(x._shape, x._strides, new)
    if strides is None:
        if copy is False:
            raise ValueError(f"reshape: copy=False, but strides {x._strides} of shape {x.shape} need a copy to become {new}")
        x = convert(x, dtype=x.dtype)
        strides = _strides.contiguous(new)
    return window(x, new, strides, x._offset)


def _wants_tuple(given: Any, where: str) -> None:
    if given.__class__ is not tuple and is_strict():
        raise TypeError(f"{where}={given!r:.60}: the standard wants a tuple of integers (strict mode)")


def permute_dims(x: Any, /, axes: Any) -> Array:
    """The view with dimension i taken from dimension axes[i].

    >>> import mtarray as xp
    >>> xp.permute_dims(xp.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = lift(x, "permute_dims")
    order = _strides.permutation(axes, x.ndim)
    return window(x, tuple([x._shape[i] for i in order]), tuple([x._strides[i] for i in order]), x._offset)


def moveaxis(x: Any, source: Any, destination: Any, /) -> Array:
    """The view with axes `source` brought to the places `destination`; the others keep their order.

    >>> import mtarray as xp
    >>> xp.moveaxis(xp.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = lift(x, "moveaxis")
    src, dst = axes_of(_given(source), x.ndim, "source"), axes_of(_given(destination), x.ndim, "destination")
    if len(src) != len(dst):
        raise ValueError(f"moveaxis: source={source} and destination={destination} name different numbers of axes")
    return permute_dims(x, _strides.moved(x.ndim, src, dst))


def _given(axis: Any) -> Any:
    if axis is None:
        raise TypeError("an axis or a tuple of axes is needed, not None")
    return axis


def matrix_transpose(x: Any, /) -> Array:
    """The view with the last two dimensions exchanged.

    >>> import mtarray as xp
    >>> xp.matrix_transpose(xp.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    return lift(x, "matrix_transpose").mT


def expand_dims(x: Any, /, axis: Any = 0) -> Array:
    """The view with dimensions of length 1 inserted, so that they stand at `axis` (an int or a tuple) of the result.

    >>> import mtarray as xp
    >>> xp.expand_dims(xp.ones(3), axis=0).shape
    (1, 3)
    """
    x = lift(x, "expand_dims")
    added = len(axis) if isinstance(axis, (tuple, list)) else 1
    at = axes_of(_given(axis), x.ndim + added)
    old = iter(zip(x._shape, x._strides))
    pairs = [(1, 0) if i in at else next(old) for i in range(x.ndim + added)]
    return window(x, tuple([n for n, _ in pairs]), tuple([s for _, s in pairs]), x._offset)


def squeeze(x: Any, /, axis: Any) -> Array:
    """The view without the dimensions `axis` (an int or a tuple), which must have length 1.

    >>> import mtarray as xp
    >>> xp.squeeze(xp.ones((1, 3)), axis=0).shape
    (3,)
    """
    x = lift(x, "squeeze")
    drop = axes_of(_given(axis), x.ndim)
    for a in drop:
        if x._shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} of shape {x.shape} has length {x._shape[a]}, not 1")
    keep = [i for i in range(x.ndim) if i not in drop]
    return window(x, tuple([x._shape[i] for i in keep]), tuple([x._strides[i] for i in keep]), x._offset)


def flip(x: Any, /, *, axis: Any = None) -> Array:
    """The view with the order of elements reversed along `axis` (None: along all).

    >>> import mtarray as xp
    >>> xp.flip(xp.arange(3))
    Array([2, 1, 0], shape=(3,), dtype=int64, device='cpu')
    """
    x = lift(x, "flip")
    strides, offset = list(x._strides), x._offset
    if 0 not in x._shape:
        for a in axes_of(axis, x.ndim):
            offset += (x._shape[a] - 1) * strides[a]
            strides[a] = -strides[a]
    else:
        axes_of(axis, x.ndim)
    return window(x, x._shape, tuple(strides), offset)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The views that `axis` is a stack of.

    >>> import mtarray as xp
    >>> [v.tolist() for v in xp.unstack(xp.asarray([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    x = lift(x, "unstack")
    if x.ndim == 0:
        raise ValueError("unstack: a 0-d array has no axis")
    a = axis_of(axis, x.ndim)
    shape, strides = x._shape[:a] + x._shape[a + 1 :], x._strides[:a] + x._strides[a + 1 :]
    return tuple([window(x, shape, strides, x._offset + i * x._strides[a]) for i in range(x._shape[a])])


def _joined(arrays: Any, where: str) -> list[Array]:
    if isinstance(arrays, Array):
        xs = list(arrays)
    elif isinstance(arrays, (Sequence, Iterator)) or hasattr(arrays, "__iter__"):
        xs = [lift(a, where) for a in arrays]
    else:
        raise TypeError(f"{where}: expected a sequence of arrays, got {type(arrays).__name__}")
    if not xs:
        raise ValueError(f"{where}: at least one array is needed")
    return xs


def _one_dtype(xs: list[Array], where: str) -> Any:
    if is_strict():
        for x in xs[1:]:
            if not standard_promotion(xs[0].dtype, x.dtype):
                raise TypeError(f"{where}: the standard does not define the promotion of {xs[0].dtype} and {x.dtype} (strict mode)")
    return promote(*[x.dtype for x in xs])


def concat(arrays: Any, /, *, axis: int | None = 0, dtype: Any = None) -> Array:
    """The arrays joined along an existing axis (None: flattened first). They promote to one dtype.

    >>> import mtarray as xp
    >>> xp.concat([xp.asarray([1, 2]), xp.asarray([3])])
    Array([1, 2, 3], shape=(3,), dtype=int64, device='cpu')
    """
    if (arrays.__class__ is tuple or arrays.__class__ is list) and axis.__class__ is int and dtype is None:
        key: list[Any] = [axis]
        buffers = []
        for x in arrays:
            if x.__class__ is not Array or x._whole <= 0 or x._storage.node is not None:
                break
            key += (x._dtype, x._shape)
            buffers.append(value(x))
        else:
            made = _joins.get(tuple(key))
            if made is not None and config._values["kernels"] == "auto":
                return fresh(made(buffers))
        if _alike(arrays, axis):
            d, size = arrays[0]._dtype, sum([x.size for x in arrays])
            out: Array = join(*arrays, axis=axis, dtype=d)
            if len(buffers) == len(arrays) <= _PIECES and size * d.itemsize >= _JOINED:
                _remember(tuple(key), buffers, axis, d)
            return out
    xs = _joined(arrays, "concat")
    if axis is None:
        xs, axis = [reshape(x, (-1,)) for x in xs], 0
    first = xs[0]
    if first.ndim == 0:
        raise ValueError("concat: 0-d arrays have no axis to join along; use stack")
    a = axis_of(axis, first.ndim)
    for i, x in enumerate(xs):
        if x.ndim != first.ndim or x._shape[:a] + x._shape[a + 1 :] != first._shape[:a] + first._shape[a + 1 :]:
            raise ValueError(f"concat: shapes {first.shape} and {x.shape} (array {i}) must agree in all axes but {a}")
    d = _one_dtype(xs, "concat") if dtype is None else dtype_of(dtype, "concat: dtype")
    for x in xs:
        if x.dtype in COMPLEX and d not in COMPLEX:
            raise TypeError(f"concat: {x.dtype} to {d} would drop imaginary parts; take xp.real(x), xp.imag(x) or xp.abs(x) first")
    return join(*xs, axis=a, dtype=d)


# What joins contiguous arrays of these dtypes and shapes, once it is known: large ones by a kernel that is ready to be launched.
_joins: dict[Any, Any] = {}
_REMEMBERED, _PIECES = 1024, 16


def _remember(key: Any, buffers: list[Any], axis: int, dtype: DType) -> None:
    from ._kernels.cpu import join

    if len(_joins) >= _REMEMBERED:
        _joins.clear()
    _joins[key] = join.prepared(buffers, axis, dtype)


def _alike(arrays: Any, axis: int) -> bool:
    """Whether these are Arrays of one dtype and of shapes that agree but for `axis`, so that there is nothing to prepare."""
    if not arrays or arrays[0].__class__ is not Array:
        return False
    dtype, shape = arrays[0]._dtype, arrays[0]._shape
    if not 0 <= axis < len(shape):
        return False
    for x in arrays:
        if x.__class__ is not Array or x._dtype is not dtype:
            return False
        other = x._shape
        if other != shape and (len(other) != len(shape) or other[:axis] != shape[:axis] or other[axis + 1 :] != shape[axis + 1 :]):
            return False
    return True


_joining: Any = None


def _split_again(g: Array, shapes: Sequence[tuple[int, ...]], axis: int) -> list[Array]:
    ends, total = [], 0
    for shape in shapes[:-1]:
        total += shape[axis]
        ends.append(total)
    return split_at(g, axis, ends)


@engine(vjp=_split_again, linear="all")
def join(*arrays: Any, axis: int, dtype: Any) -> Any:
    """Arrays joined along an axis, converted to one dtype."""
    global _joining
    size = 0
    for a in arrays:
        size += a.nbytes
    if size < _JOINED:
        return np.concatenate(arrays, axis, dtype=dtype, casting="unsafe")
    if _joining is None:  # an import statement costs 0.3 us each time
        from ._kernels.cpu import join as _joining
    return _joining.join(arrays, axis, dtype)


# Bytes of the operands, or of the result, from which a parallel copy pays.
_JOINED = 1 << 18
_REPEATED = 1 << 17


def stack(arrays: Any, /, *, axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis.

    >>> import mtarray as xp
    >>> xp.stack([xp.asarray([1, 2]), xp.asarray([3, 4])], axis=1)
    Array([[1, 3],
           [2, 4]], shape=(2, 2), dtype=int64, device='cpu')
    """
    xs = _joined(arrays, "stack")
    for i, x in enumerate(xs):
        if x.shape != xs[0].shape:
            raise ValueError(f"stack: shapes {xs[0].shape} and {x.shape} (array {i}) must be the same")
    a = axis_of(axis, xs[0].ndim + 1)
    return join(*[expand_dims(x, a) for x in xs], axis=a, dtype=_one_dtype(xs, "stack"))


def roll(x: Any, /, shift: Any, *, axis: Any = None) -> Array:
    """The elements moved by `shift` places along `axis`, those pushed over the end coming back at the start.

    shift, axis: ints or tuples that pair up; axis None rolls the flattened array.

    >>> import mtarray as xp
    >>> xp.roll(xp.arange(4), 1)
    Array([3, 0, 1, 2], shape=(4,), dtype=int64, device='cpu')
    """
    x = lift(x, "roll")
    if isinstance(shift, list):
        _wants_tuple(shift, "roll: shift")
    if axis is None:
        if isinstance(shift, (tuple, list)):
            shift = sum(shift)
        return reshape(roll(reshape(x, (-1,)), shift, axis=0), x.shape)
    axes = tuple([axis_of(a, x.ndim) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))])
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        if len(axes) != 1:
            raise ValueError(f"roll: shift={shift} and axis={axis} do not pair up")
        axes = axes * len(shifts)
    total = [0] * x.ndim
    for s, a in zip(shifts, axes):
        total[a] += operator.index(s)
    out = x
    for a, s in enumerate(total):
        n = x._shape[a]
        if n and s % n:
            index = [slice(None)] * x.ndim
            tail, head = list(index), list(index)
            tail[a], head[a] = slice(n - s % n, None), slice(None, n - s % n)
            out = join(out[tuple(tail)], out[tuple(head)], axis=a, dtype=x.dtype)
    return convert(x, dtype=x.dtype) if out is x else out


def tile(x: Any, repetitions: Any, /) -> Array:
    """The whole array repeated `repetitions[i]` times along each axis; missing axes count as 1 on either side.

    >>> import mtarray as xp
    >>> xp.tile(xp.asarray([1, 2]), (2, 2))
    Array([[1, 2, 1, 2],
           [1, 2, 1, 2]], shape=(2, 4), dtype=int64, device='cpu')
    """
    x = lift(x, "tile")
    _wants_tuple(repetitions, "tile: repetitions")
    times = as_shape(repetitions, "repetitions")
    ndim = max(len(times), x.ndim)
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x._shape
    strides = (0,) * (ndim - x.ndim) + x._strides
    apart = [n for t, k in zip(times, shape) for n in (t, k)]
    steps = [s for k in strides for s in (0, k)]
    return reshape(convert(window(x, tuple(apart), tuple(steps), x._offset), dtype=x.dtype), tuple([t * n for t, n in zip(times, shape)]))


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each element repeated along `axis` (None: of the flattened array).

    repeats: an int, or one count per element of the axis (an integer array or sequence; length 1 serves all).

    >>> import mtarray as xp
    >>> xp.repeat(xp.asarray([1, 2]), 2)
    Array([1, 1, 2, 2], shape=(4,), dtype=int64, device='cpu')
    """
    x = lift(x, "repeat")
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    a = axis_of(axis, x.ndim)
    n = x._shape[a]
    if isinstance(repeats, (list, tuple)):
        repeats = lift(np.asarray(repeats), "repeat: repeats").to_device(x.device)
    if not isinstance(repeats, int):
        counts = lift(repeats, "repeat: repeats")
        if counts.dtype.kind not in "iu":
            raise TypeError(f"repeat: repeats must be integers, not {counts.dtype}")
        if counts.size == 1:
            repeats = int(counts.item())
        else:
            if counts.shape != (n,):
                raise ValueError(f"repeat: repeats of shape {counts.shape} must be an integer or have shape ({n},), the length of axis {a}")
            return repeat_each(x, counts, axis=a)
    if repeats < 0:
        raise ValueError(f"repeat: repeats={repeats} must not be negative")
    return repeat_all(x, axis=a, repeats=repeats)


def _sum_repeated(g: Array, shape: tuple[int, ...], axis: int, repeats: int) -> Array:
    return _array.xp.sum(reshape(g, (*shape[: axis + 1], repeats, *shape[axis + 1 :])), axis=axis + 1)


@engine(vjp=_sum_repeated, linear="all")
def repeat_all(x: Any, *, axis: int, repeats: int) -> Any:
    """Each element of an axis repeated as often."""
    if x.nbytes * repeats < _REPEATED:
        return np.repeat(x, repeats, axis)
    from ._kernels.cpu import join as kernels

    return kernels.repeat(x, repeats, axis)


def _sum_counted(g: Array, shape: tuple[int, ...], counts: Array, axis: int) -> Array:
    out = _array.xp.zeros(shape, dtype=g.dtype, device=g.device)
    places = repeat_each(_array.xp.arange(shape[axis], device=g.device), counts, axis=0)
    first = (axis, *[i for i in range(len(shape)) if i != axis])
    _array.accumulate(permute_dims(out, first), permute_dims(g, first), (_array.value(places),))
    return out


@engine(vjp=(_sum_counted, 0), linear="all")
def repeat_each(x: Any, counts: Any, *, axis: int) -> Any:
    """Each element of an axis repeated by a count of its own."""
    if counts.size and counts.min() < 0:
        raise ValueError("repeat: repeats must not be negative")
    return np.repeat(x, counts, axis)


def split_at(x: Array, axis: int, ends: Sequence[int]) -> list[Array]:
    """Views of `x` cut along `axis` before each of the positions."""
    out, start = [], 0
    index: list[Any] = [slice(None)] * x.ndim
    for end in [*ends, None]:
        index[axis] = slice(start, end)
        out.append(x[tuple(index)])
        start = end if end is not None else start
    return out


__all__ = [
    "concat", "expand_dims", "flip", "matrix_transpose", "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack",
    "tile", "unstack",
]  # fmt: skip
