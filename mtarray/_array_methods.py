"""NumPy's methods of `Array`: most forward to the public function of their name, and add what only NumPy's signature has."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _strides
from ._dtypes import DType, dtype_of
from ._strides import Shape

# Hook, filled by `mtarray/__init__`: the public namespace.
xp: Any = None

if TYPE_CHECKING:
    from . import _array as _array
    from ._array import Array
else:
    # Hook, filled by `_array`, whose class these methods are for: windows and their values.
    _array = None


class NumPyMethods:
    """What `Array` has in common with `ndarray` beyond the attributes and operators of the standard; its only subclass is `Array`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that raised: its own error, again
            from ._hints import method

            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{method(name, xp)}", name=name, obj=self)

    def copy(self: Array, order: str = "C") -> Array:
        """A copy with memory of its own, the elements in C or Fortran ("F") order; "A": in Fortran order if they are now; "K": as now."""
        if order == "C" or len(self._shape) < 2:
            return xp.asarray(self, copy=True)
        axes = _order_of_axes(self, order)
        back = _strides.inverse_permutation(axes)
        return _permuted(xp.asarray(_permuted(self, axes), copy=True), back)

    def astype(
        self: Array, dtype: Any, order: str = "C", casting: str = "unsafe", subok: bool = True, copy: bool = True, *, device: Any = None
    ) -> Array:
        """The elements converted to `dtype`; the array itself if nothing changes and `copy=False`.

        order: of the elements in memory, as in `copy`. casting: TypeError for what is no such cast ("safe", "same_kind", ...).
        """
        if casting != "unsafe" and not np.can_cast(self._dtype, dtype_of(dtype), casting):  # type: ignore[arg-type]
            raise TypeError(f"astype: {self._dtype} to {dtype_of(dtype)} is not a cast of the kind {casting!r}")
        if order == "C" or len(self._shape) < 2:
            return xp.astype(self, dtype, copy=copy, device=device)
        axes = _order_of_axes(self, order)
        x = _permuted(self, axes)
        if order != "K" and not _strides.is_contiguous(x._shape, x._strides):
            copy = True
        out = xp.astype(x, dtype, copy=copy, device=device)
        return self if out is x else _permuted(out, _strides.inverse_permutation(axes))

    def reshape(self: Array, *shape: Any, copy: bool | None = None, order: str = "C") -> Array:
        """The elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`; a view where strides allow."""
        new = shape[0] if len(shape) == 1 else shape
        if order not in ("C", "A", "K"):
            if order != "F":
                raise ValueError(f"order={order!r} must be 'C' or 'F'")
            return xp.reshape(self.T, tuple(reversed(_strides.resolve_reshape(self.size, _shape_arg(new)))), copy=copy).T
        return xp.reshape(self, new, copy=copy)

    def transpose(self: Array, *axes: Any) -> Array:
        """The view with its dimensions permuted, or reversed if no axes are given."""
        if not axes or axes[0] is None:
            return self.T
        return xp.permute_dims(self, tuple(axes[0]) if len(axes) == 1 and not isinstance(axes[0], int) else axes)

    def swapaxes(self: Array, axis1: int, axis2: int) -> Array:
        """The view with two dimensions exchanged."""
        return xp.swapaxes(self, axis1, axis2)

    def squeeze(self: Array, axis: Any = None) -> Array:
        """The view without dimensions of length 1 (all of them, or those named)."""
        if axis is None:
            axis = tuple([i for i, n in enumerate(self._shape) if n == 1])
        return xp.squeeze(self, axis)

    def ravel(self: Array, order: str = "C") -> Array:
        """One dimension: a view where strides allow."""
        return self.reshape(-1, order=order)

    def flatten(self: Array, order: str = "C") -> Array:
        """One dimension, always a copy."""
        return self.reshape(-1, order=order).copy()

    def view(self: Array, dtype: Any = None) -> Array:
        """Another window on the same storage; with `dtype`, its bytes read as elements of that type.

        Between types of different sizes the last axis, which must be contiguous, becomes longer or shorter. ValueError where that
        cannot be; TypeError for `bool`, which not every byte is.
        """
        if dtype is None or dtype_of(dtype) is self._dtype:
            return _array._window(self, self._shape, self._strides, self._offset)
        return _reinterpreted(self, dtype_of(dtype))

    def fill(self: Array, value: Any) -> None:
        """Write one value into every element."""
        self[...] = value

    def sum(
        self: Array, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Array:
        """See `mtarray.sum`; elements where `where` is false count 0, `initial` is added."""
        total = xp.sum(_chosen(self, where, 0, "sum"), axis=axis, dtype=dtype, keepdims=keepdims)
        return delivered(total if initial is None else total + initial, out, "sum")

    def prod(
        self: Array, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Array:
        """See `mtarray.prod`; elements where `where` is false count 1, the product is multiplied by `initial`."""
        product = xp.prod(_chosen(self, where, 1, "prod"), axis=axis, dtype=dtype, keepdims=keepdims)
        return delivered(product if initial is None else product * initial, out, "prod")

    def mean(self: Array, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Array:
        """See `mtarray.mean`; computed in `dtype` if one is given."""
        return delivered(_computed_in(dtype, self, xp.mean, axis=axis, keepdims=keepdims), out, "mean")

    def var(
        self: Array,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        correction: float | None = None,
    ) -> Array:
        """See `mtarray.var`; `ddof` is NumPy's name of `correction`; computed in `dtype` if one is given."""
        k = ddof if correction is None else correction
        return delivered(_computed_in(dtype, self, xp.var, axis=axis, correction=k, keepdims=keepdims), out, "var")

    def std(
        self: Array,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        correction: float | None = None,
    ) -> Array:
        """See `mtarray.std`; `ddof` is NumPy's name of `correction`; computed in `dtype` if one is given."""
        k = ddof if correction is None else correction
        return delivered(_computed_in(dtype, self, xp.std, axis=axis, correction=k, keepdims=keepdims), out, "std")

    def max(self: Array, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Array:
        """See `mtarray.max`; not below `initial`, which `where` needs."""
        return delivered(_extremum(self, "max", "maximum", axis, keepdims, initial, where), out, "max")

    def min(self: Array, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Array:
        """See `mtarray.min`; not above `initial`, which `where` needs."""
        return delivered(_extremum(self, "min", "minimum", axis, keepdims, initial, where), out, "min")

    def any(self: Array, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True) -> Array:
        """See `mtarray.any`, among the elements where `where` is true."""
        return delivered(xp.any(_chosen(self, where, 0, "any"), axis=axis, keepdims=keepdims), out, "any")

    def all(self: Array, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True) -> Array:
        """See `mtarray.all`, among the elements where `where` is true."""
        return delivered(xp.all(_chosen(self, where, 1, "all"), axis=axis, keepdims=keepdims), out, "all")

    def argmax(self: Array, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Array:
        """See `mtarray.argmax`."""
        return delivered(xp.argmax(self, axis=axis, keepdims=keepdims), out, "argmax")

    def argmin(self: Array, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Array:
        """See `mtarray.argmin`."""
        return delivered(xp.argmin(self, axis=axis, keepdims=keepdims), out, "argmin")

    def argsort(
        self: Array, axis: int | None = -1, kind: Any = None, order: None = None, *, descending: bool = False, stable: bool | None = True
    ) -> Array:
        """See `mtarray.argsort`; `kind`, NumPy's choice of algorithm, changes nothing: the sort is stable."""
        _no_fields(order, "argsort")
        x, along = (self, axis) if axis is not None else (self.reshape(-1), 0)
        return xp.argsort(x, axis=along, descending=descending, stable=stable is not False)

    def sort(self: Array, axis: int = -1, kind: Any = None, order: None = None, *, stable: bool | None = None) -> None:
        """Sort in place along `axis`; `kind`, NumPy's choice of algorithm, changes nothing."""
        _no_fields(order, "sort")
        self[...] = xp.sort(self, axis=axis)

    def partition(self: Array, kth: Any, axis: int = -1, kind: Any = None, order: None = None) -> None:
        """Rearrange in place as `mtarray.partition` does."""
        _no_fields(order, "partition")
        self[...] = xp.partition(self, kth, axis)

    def argpartition(self: Array, kth: Any, axis: int | None = -1, kind: Any = None, order: None = None) -> Array:
        """See `mtarray.argpartition`."""
        _no_fields(order, "argpartition")
        return xp.argpartition(self, kth, axis)

    def cumsum(self: Array, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
        """Running sums along `axis` (None: of the flattened array)."""
        return delivered(xp.cumsum(self, axis=axis, dtype=dtype), out, "cumsum")

    def cumprod(self: Array, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
        """Running products along `axis` (None: of the flattened array)."""
        return delivered(xp.cumprod(self, axis=axis, dtype=dtype), out, "cumprod")

    def clip(self: Array, min: Any = None, max: Any = None, out: Any = None) -> Array:
        """See `mtarray.clip`."""
        return delivered(xp.clip(self, min, max), out, "clip")

    def round(self: Array, decimals: int = 0, out: Any = None) -> Array:
        """Rounded to `decimals` places, halves to even."""
        return delivered(xp.around(self, decimals), out, "round")

    def conj(self: Array) -> Array:
        """See `mtarray.conj`."""
        return xp.conj(self)

    conjugate = conj

    def dot(self: Array, other: Any, out: Any = None) -> Array:
        """See `mtarray.dot`."""
        return delivered(xp.dot(self, other), out, "dot")

    def nonzero(self: Array) -> tuple[Array, ...]:
        """See `mtarray.nonzero`."""
        return xp.nonzero(self)

    def take(self: Array, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Array:
        """Elements along `axis` (None: of the flattened array) at integer `indices`; those beyond raise IndexError, or with `mode` "wrap"
        are counted modulo the length, or with "clip" stand for the nearest end."""
        x, along = (xp.reshape(self, (-1,)), 0) if axis is None else (self, _strides.axis_of(axis, len(self._shape)))
        if mode in ("wrap", "clip"):
            n = x._shape[along]
            indices = xp.asarray(indices)
            indices = indices % n if mode == "wrap" else xp.clip(indices, 0, n - 1)
        elif mode != "raise":
            raise ValueError(f"take: mode={mode!r} must be 'raise', 'wrap' or 'clip'")
        return delivered(xp.take(x, indices, axis=along), out, "take")

    def put(self: Array, indices: Any, values: Any, mode: str = "raise") -> None:
        """See `mtarray.put`."""
        xp.put(self, indices, values, mode)

    def compress(self: Array, condition: Any, axis: int | None = None, out: Any = None) -> Array:
        """See `mtarray.compress`."""
        return delivered(xp.compress(xp.asarray(condition), self, axis), out, "compress")

    def choose(self: Array, choices: Any, out: Any = None, mode: str = "raise") -> Array:
        """See `mtarray.choose`."""
        return delivered(xp.choose(self, choices, mode=mode), out, "choose")

    def repeat(self: Array, repeats: Any, axis: int | None = None) -> Array:
        """See `mtarray.repeat`."""
        return xp.repeat(self, repeats, axis=axis)

    def trace(self: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Array:
        """See `mtarray.trace`; summed in `dtype` if one is given."""
        x = self if dtype is None else self.diagonal(offset, axis1, axis2).astype(dtype)
        return delivered(xp.trace(x, offset=offset, axis1=axis1, axis2=axis2) if dtype is None else x.sum(-1, dtype), out, "trace")

    def diagonal(self: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
        """See `mtarray.diagonal`."""
        return xp.diagonal(self, offset=offset, axis1=axis1, axis2=axis2)

    def searchsorted(self: Array, v: Any, side: Any = "left", sorter: Any = None) -> Array:
        """See `mtarray.searchsorted`."""
        return xp.searchsorted(self, xp.asarray(v) if isinstance(v, (list, tuple)) else v, side=side, sorter=sorter)

    def ptp(self: Array, axis: Any = None, out: Any = None, keepdims: bool = False) -> Array:
        """Maximum minus minimum."""
        return delivered(xp.ptp(self, axis=axis, keepdims=keepdims), out, "ptp")

    def __divmod__(self: Array, other: Any, /) -> tuple[Array, Array]:
        return self // other, self % other

    def __rdivmod__(self: Array, other: Any, /) -> tuple[Array, Array]:
        return other // self, other % self


def delivered(result: Array, out: Any, where: str) -> Any:
    """`result`, or `out` with the result written into it. Its shape must be that of the result, its dtype of the same kind or a wider."""
    if out is None:
        return result
    if out.__class__ is not _array.Array and not isinstance(out, np.ndarray):
        raise TypeError(f"{where}: out must be an array, not {out!r:.60} of type {type(out).__name__}")
    if out.shape != result._shape:
        raise ValueError(f"{where}: out has shape {out.shape}, the result {result._shape}")
    if not np.can_cast(result._dtype, out.dtype, "same_kind"):
        raise TypeError(f"{where}: the result has dtype {result._dtype}, which cannot be written into an array of {out.dtype}")
    out[...] = result if out.__class__ is _array.Array else _array.leave(result, f"{where}: out")
    return out


def _chosen(x: Array, where: Any, neutral: Any, name: str) -> Array:
    """`x` with `neutral` where the condition `where` is false."""
    if where is True:
        return x
    out = xp.where(xp.asarray(where, dtype="bool"), x, neutral)
    if out._shape != x._shape:
        raise ValueError(f"{name}: where has shape {np.shape(where)}, which cannot be broadcast to {x._shape}")
    return out


def _extremum(x: Array, name: str, pair: str, axis: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    if initial is None:
        if where is not True:
            raise ValueError(f"{name}: where= needs initial=, the result of no elements")
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)
    x = _chosen(x, where, initial, name)
    if 0 not in x._shape:
        return getattr(xp, pair)(getattr(xp, name)(x, axis=axis, keepdims=keepdims), initial)
    axes = _strides.axes_of(axis, len(x._shape))
    shape = tuple([1 if i in axes else n for i, n in enumerate(x._shape) if keepdims or i not in axes])
    return xp.full(shape, initial, dtype=x._dtype)


def _computed_in(dtype: Any, x: Array, function: Any, **kwargs: Any) -> Array:
    if dtype is None:
        return function(x, **kwargs)
    d = dtype_of(dtype)
    return function(x.astype(d, copy=False), **kwargs).astype(d, copy=False)


def _no_fields(order: Any, where: str) -> None:
    if order is not None:
        raise TypeError(f"{where}: order={order!r} names fields of a record, which arrays of numbers do not have")


def _reinterpreted(x: Array, d: DType) -> Array:
    """The bytes of `x` as elements of another type."""
    if d.kind == "b":
        raise TypeError(f"view: the bytes of {x._dtype} are not all booleans; compare with 0 instead")
    old, new = x._dtype.itemsize, d.itemsize
    shape, strides, offset = x._shape, x._strides, x._offset
    pair = {x._dtype.kind: old, d.kind: new}
    if pair.get("c") != 2 * pair.get("f", 0):  # real and imaginary parts have derivatives, other bytes have not
        _array.leave(x, f"view of {x._dtype} as {d}")
    if old != new:
        if not shape or (strides[-1] != 1 and shape[-1] != 1):
            raise ValueError(f"view: from {x._dtype} to {d} the last axis must be contiguous; shape {shape}, strides {strides} in elements")
        if old > new:
            k = old // new
            shape, strides, offset = (*shape[:-1], shape[-1] * k), (*[s * k for s in strides[:-1]], 1), offset * k
        else:
            k = new // old
            if shape[-1] % k or offset % k or any(s % k for s in strides[:-1]):
                raise ValueError(f"view: the last axis of shape {shape} does not divide into elements of {d}, {k} of {x._dtype} each")
            shape, strides, offset = (*shape[:-1], shape[-1] // k), (*[s // k for s in strides[:-1]], 1), offset // k
    out = _array._window(x, shape, strides, offset)
    out._dtype = d
    if not _array.value(out).flags.aligned:
        raise ValueError(f"view: the memory is not aligned for {d}; use x.copy().view(...)")
    return out


def _permuted(x: Array, axes: Shape) -> Array:
    return _array._window(x, tuple([x._shape[i] for i in axes]), tuple([x._strides[i] for i in axes]), x._offset)


def _order_of_axes(x: Array, order: str) -> Shape:
    """The axes from the slowest to the fastest that NumPy's `order` stands for."""
    axes = tuple(range(len(x._shape)))
    if order == "K":
        return tuple(sorted(axes, key=lambda i: -abs(x._strides[i])))
    if order == "F":
        return axes[::-1]
    if order == "A":
        flags = _array.value(x).flags
        return axes[::-1] if flags.f_contiguous and not flags.c_contiguous else axes
    if order == "C":
        return axes
    raise ValueError(f"order={order!r} must be 'C', 'F', 'A' or 'K'")


def _shape_arg(shape: Any) -> Shape:
    try:
        return (operator.index(shape),)
    except TypeError:
        return tuple([operator.index(n) for n in shape])
