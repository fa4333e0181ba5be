"""Selection by index arrays, and assignment: what stands behind `x[key]` and `x[key] = values` beyond plain views."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, from_numpy, value, writable
from ._config import is_strict
from ._dtypes import WEAK_KIND, promote, same_kind, standard_promotion
from ._operands import run_quietly

_ndarray = np.ndarray

GATHER_LIMIT = 1 << 14  # elements from which a kernel gathers or scatters
COPY_LIMIT = 1 << 16  # elements from which a parallel copy pays


def select(x: Array, key: tuple[Any, ...]) -> Array:
    """The elements of `x` that index arrays select, as a fresh array."""
    a = value(x)
    try:
        return fresh(_gathered(a, key))
    except IndexError:
        return fresh(a[key])  # fails as well, in NumPy's words, which name the axis


def _gathered(a: Any, key: tuple[Any, ...]) -> Any:
    arrays = [(i, k) for i, k in enumerate(key) if k.__class__ is not slice]
    count = len(arrays)
    if a.ndim == 0 or max(a.size, *[getattr(k, "size", 0) for _, k in arrays]) < GATHER_LIMIT:
        return a[key]
    from ._kernels.cpu import gather, select

    first, index = arrays[0]
    if _is_mask(index):
        # One mask of the leading axes; masks beside other arrays are NumPy's.
        if count == 1 and first == 0 and index.ndim > 0 and index.shape == a.shape[: index.ndim]:
            return select.mask_select(a, index)
    elif count == 1:
        if index.__class__ is not int:
            return gather.take(a, index, first)
    elif [i for i, _ in arrays] == list(range(count)) and not any(_is_mask(k) for _, k in arrays):
        return gather.gather(a, [np.asarray(k) for _, k in arrays])
    return a[key]


def _is_mask(index: Any) -> bool:
    return index.__class__ is _ndarray and index.dtype.kind == "b"


def assign(x: Array, item: Any, key: tuple[Any, ...] | None) -> None:
    """Write `item` into the window `x` (`key`: into the elements that index arrays select of it). Behind every `x[...] = `."""
    target = writable(x, "assignment")
    if item.__class__ is Array:
        source = value(item)
    elif item.__class__ in WEAK_KIND or isinstance(item, np.generic):
        source = item
    elif isinstance(item, np.ndarray):
        # Kernels want memory as ours is: aligned, of native byte order, booleans of 0 and 1.
        source = value(from_numpy(item)) if item.dtype.kind == "b" or not (item.dtype.isnative and item.flags.aligned) else item
    else:
        try:  # asarray checks the bounds of sequences
            source = value(_array.xp.asarray(item, dtype=x._dtype if isinstance(item, (list, tuple)) else None))
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
    try:
        if key is None:
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
        selected = x._shape if key is None else target[key].shape
        raise ValueError(f"assignment: values of shape {source.shape} cannot be broadcast to the selected shape {selected}") from None
    except OverflowError:
        raise OverflowError(
            f"assignment: the Python {'float' if item.__class__ is float else 'integer'} {item} is out of bounds for {x._dtype}"
        ) from None


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
    if len(key) == 1 and _is_mask(mask) and mask.size >= GATHER_LIMIT and mask.shape == target.shape and np.ndim(source) <= 1:
        from ._kernels.cpu import select

        select.mask_assign(target, mask, source)
        return
    target[key] = source


_array.select = select
_array.assign = assign
