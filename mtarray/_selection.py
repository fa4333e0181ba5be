"""Selection by index arrays, and assignment: what stands behind `x[key]` and `x[key] = values` beyond plain views."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from . import _array, _device_doors
from ._array import Array, fresh, from_numpy, leave, value, writable
from ._config import config, is_strict
from ._dtypes import WEAK_KIND, promote, same_kind, standard_promotion
from ._operands import run_quietly

_ndarray = np.ndarray

_GATHERED = 1 << 13  # items, smaller than a cache line, from which a kernel gathers sooner than NumPy
_ROWS = 1 << 18  # bytes, where the items are longer: NumPy copies them at the speed of the cache
_MASKED = 20_000  # elements of a mask
COPY_LIMIT = 1 << 16  # elements from which a parallel copy pays


def gathers(count: int, item: int) -> bool:
    """Whether a kernel should gather `count` items of `item` bytes each."""
    if config._values["kernels"] == "python":
        return False
    return count >= _GATHERED if item < 64 else count * item >= _ROWS


def select(x: Array, key: tuple[Any, ...]) -> Array:
    """The elements of `x` that index arrays select, as a fresh array."""
    a = value(x)
    if a.__class__ is not _ndarray:
        out = _device_doors.select(x, key)
    else:
        _check_here(x, key)
        try:
            out = fresh(_gathered(a, key))
        except IndexError:
            out = fresh(a[key])  # fails as well, in NumPy's words, which name the axis
    if x._storage.node is not None:
        record_selection(x, out, key)
    return out


def _check_here(x: Array, key: tuple[Any, ...]) -> None:
    """ValueError for index arrays on another device than an array on the CPU."""
    for k in key:
        if k.__class__ is _device_doors.Tensor:
            raise ValueError(f"the array of shape {x._shape} is on device 'cpu', an index of it on {k.device.name!r}; move one of them")


def _gathered(a: Any, key: tuple[Any, ...]) -> Any:
    arrays = [(i, k) for i, k in enumerate(key) if k.__class__ is not slice]
    count = len(arrays)
    first, index = arrays[0]
    if count == 1:
        if _is_mask(index):
            if first == 0 and index.shape == a.shape[: index.ndim] and _masks(index):
                from ._kernels.cpu import select

                return select.mask_select(a, index)
        elif index.__class__ is not int:
            return take_items(a, index, first)
    # Masks beside other arrays are NumPy's, as are arrays that do not name the leading axes.
    elif arrays[-1][0] == count - 1 and not any(_is_mask(k) for _, k in arrays):
        size = max([k.size for _, k in arrays if k.__class__ is not int])
        if gathers(size, prod(a.shape[count:]) * a.itemsize):
            from ._kernels.cpu import gather

            return gather.gather(a, [np.asarray(k) for _, k in arrays])
    return a[key]


_gather: Any = None


def take_items(a: Any, index: Any, axis: int) -> Any:
    """The elements of an ndarray at integer indices along an axis, as an ndarray of its own. IndexError if one is out of bounds."""
    global _gather
    shape = a.shape
    if gathers(index.size * prod(shape[:axis]), prod(shape[axis + 1 :]) * a.itemsize):
        if _gather is None:  # an import statement costs 0.3 us each time
            from ._kernels.cpu import gather as _gather
        try:
            return _gather.take(a, index, axis)
        except IndexError:
            pass  # NumPy fails as well, in words that name the axis
    if not a.size or not a.flags.c_contiguous:  # np.take looks at no index where there is nothing to take, and copies other layouts whole
        return a[(slice(None),) * axis + (index,)]
    return np.asarray(np.take(a, index, axis))


def _masks(mask: Any) -> bool:
    return bool(mask.size >= _MASKED and config._values["kernels"] != "python")


def _is_mask(index: Any) -> bool:
    return index.__class__ is _ndarray and index.dtype.kind == "b"


def assign(x: Array, item: Any, key: tuple[Any, ...] | None) -> None:
    """Write `item` into the window `x` (`key`: into the elements that index arrays select of it). Behind every `x[...] = `."""
    if item.__class__ in (list, tuple) and not is_strict():
        item = _from_sequence(x, item)
    if x._storage.node is not None or (item.__class__ is Array and item._storage.node is not None):
        _assign_tracked(x, item, key)
        return
    _assign(x, item, key)


def _from_sequence(x: Array, items: Any) -> Array:
    """Nested sequences as an array to be written into `x`: `asarray` checks their bounds."""
    try:
        return _array.xp.asarray(items, dtype=x._dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(f"assignment: {error}") from None


def _assign(x: Array, item: Any, key: tuple[Any, ...] | None) -> None:
    target = writable(x, "assignment", recorded=True)
    elsewhere = target.__class__ is not _ndarray
    if item.__class__ is Array:
        source = value(item)
        if not elsewhere and source.__class__ is not _ndarray:
            _device_doors.together("assignment", ("the array", "what is written"), (x, item))
    elif item.__class__ in WEAK_KIND or isinstance(item, np.generic):
        source = item
    elif isinstance(item, np.ndarray):
        # Kernels want memory as ours is: aligned, of native byte order, booleans of 0 and 1.
        source = value(from_numpy(item)) if item.dtype.kind == "b" or not (item.dtype.isnative and item.flags.aligned) else item
    else:
        try:
            source = value(_array.xp.asarray(item))
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(f"assignment: {error}") from None
    number = item.__class__ in WEAK_KIND
    kind = source.dtype.kind if not number else "c" if item.__class__ is complex else ""
    if kind == "c" and x._dtype.kind != "c":
        raise TypeError(f"assignment: complex values cannot be written into an array of {x._dtype}; take their real or imaginary part")
    if kind and kind not in "biufc":
        raise TypeError(f"assignment: values of dtype {source.dtype} cannot be written into an array of {x._dtype}")
    if is_strict():
        _check_strict(x, item)
    if item.__class__ is float and x._dtype.kind in "iu" and not np.isfinite(item):
        raise ValueError(f"assignment: {item} cannot be written into an array of {x._dtype}")
    if key is not None and not elsewhere:
        _check_here(x, key)
    try:
        if elsewhere:
            _device_doors.assign(x, target, item if item.__class__ is Array else source, key)
        elif key is None:
            if not number and target.size >= COPY_LIMIT and target.shape == source.shape:
                from ._kernels.cpu import copying

                if np.may_share_memory(target, source):
                    source = source.copy()
                copying.copy(target, source)
            else:
                run_quietly(_fill, target, source)
        else:
            if number:
                source = np.asarray(item, x._dtype)  # kernels would wrap an integer that does not fit
            elif np.may_share_memory(target, source):
                source = source.copy()
            run_quietly(_scatter, target, key, source)
    except (ValueError, TypeError) as error:
        if number or not any(word in str(error) for word in ("broadcast", "boolean array indexing")):
            raise
        selected = x._shape if key is None else _device_doors.select(x, key)._shape if elsewhere else target[key].shape
        raise ValueError(f"assignment: values of shape {source.shape} cannot be broadcast to the selected shape {selected}") from None
    except OverflowError:
        raise OverflowError(
            f"assignment: the Python {'float' if item.__class__ is float else 'integer'} {item} is out of bounds for {x._dtype}"
        ) from None


def _assign_tracked(x: Array, item: Any, key: tuple[Any, ...] | None) -> None:
    """`_assign` where the derivative tape must know what was written."""
    if item.__class__ is Array:
        if item._storage is x._storage:
            if key is None and item._offset == x._offset and item._shape == x._shape and item._strides == x._strides:
                return  # the second half of `x[i] += y`
            item = _array.xp.asarray(item, copy=True)  # what it was before
        if x._dtype.kind not in "fc":
            leave(item, f"assignment to an array of {x._dtype}")
    _assign(x, item, key)
    written(x, item if item.__class__ is Array else None, key, False)


def accumulate(x: Array, item: Array, key: tuple[Any, ...] | None) -> None:
    """Add `item` to the window `x` (`key`: to the elements that index arrays select, as often as they name them), in place."""
    if item._storage is x._storage:
        item = _array.xp.asarray(item, copy=True)
    tracked = x._storage.node is not None or item._storage.node is not None
    target = writable(x, "accumulation", recorded=True)
    source = value(item)
    if target.__class__ is not _ndarray or source.__class__ is not _ndarray:
        _device_doors.accumulate(x, target, item, key)
    elif key is None:
        run_quietly(np.add, target, source, out=target, casting="same_kind")
    elif len(key) == 1 and _is_mask(key[0]):
        target[key] += source  # no element is named twice
    elif any(k.__class__ is slice or _is_mask(k) for k in key):
        run_quietly(np.add.at, target, key, source)
    else:
        from ._kernels.cpu import scatter

        run_quietly(scatter.scatter_add, target, [np.asarray(k) for k in key], source)
    if tracked:
        written(x, item, key, True)


# Hooks, filled by `autodiff`. record_selection(x, out, key): `out` was selected from x. written(x, item, key, add): `item` (None: a
# constant) was written into, or added to, what the index arrays `key` (None: everything) select of the window x.
record_selection: Any = None
written: Any = None


def _check_strict(x: Array, item: Any) -> None:
    """Refuse to write what the standard does not promote to the dtype of `x`."""
    if item.__class__ is Array:
        d = item._dtype
        if not standard_promotion(x._dtype, d) or promote(x._dtype, d) is not x._dtype:
            raise TypeError(f"assignment: the standard does not define writing {d} into {x._dtype} (strict mode)")
    elif item.__class__ not in WEAK_KIND:
        raise TypeError(f"assignment: a {type(item).__name__} is not an array of this namespace; use asarray (strict mode)")
    elif not same_kind(x._dtype, item.__class__):
        raise TypeError(f"assignment: the standard does not define a Python {type(item).__name__} beside {x._dtype} (strict mode)")


def _fill(target: Any, source: Any) -> None:
    target[...] = source


def _scatter(target: Any, key: tuple[Any, ...], source: Any) -> None:
    mask = key[0]
    if len(key) == 1 and _is_mask(mask) and _masks(mask) and mask.shape == target.shape and np.ndim(source) <= 1:
        from ._kernels.cpu import select

        select.mask_assign(target, mask, source)
        return
    if any(k.__class__ is _ndarray and k.dtype.kind != "b" for k in key):
        # NumPy goes through operands in the order of their memory; of values for one place the last one in C order is to stay.
        key = tuple([np.ascontiguousarray(k) if k.__class__ is _ndarray and k.ndim else k for k in key])
        source = np.ascontiguousarray(source) if np.ndim(source) else source
    target[key] = source


_array.select = select
_array.assign = assign
_array.accumulate = accumulate
