"""The doors of reductions and scans: small arrays fold in NumPy's loops, others in the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _device_doors, _dispatch, _strides
from ._array import Array, fresh, value, window
from ._config import config
from ._dtypes import DType, dtype_of
from ._operands import QUIET, lift, reset_errors, run_quietly, set_errors

_ndarray = np.ndarray

_REMEMBERED = 4096  # launches of an op, by dtype, shape, strides and axis
LINES_LIMIT = 1 << 14  # elements from which a kernel folds lines of an array: NumPy has its fast loops for whole arrays


# NumPy adds float32 one by one except along the last axis; the kernels, which serve larger arrays, lose no digits.
_WIDER = {np.dtype("float32"): np.dtype("float64"), np.dtype("complex64"): np.dtype("complex128")}


def _check_fold(op: Any, x: Array, accumulate: DType) -> None:
    if x._dtype.kind == "c" and accumulate.kind != "c":
        raise TypeError(
            f"{op.name}: {x._dtype} to dtype {accumulate} would drop imaginary parts; take xp.real(x), xp.imag(x) or xp.abs(x) first"
        )


def reduction_door(op: Any, result: DType | None) -> Callable[..., Any]:
    """The public function of a reduction; those that combine in a dtype of choice take `dtype=`. `result`: dtype of the result if fixed."""
    fast = op.fast
    launches = op.launches

    def quick(x: Any, axis: Any, keepdims: bool) -> Any:
        """The fold over all axes or one, of a small whole array by NumPy, of a large array as it was launched before; or None."""
        if x.__class__ is not Array or (axis is not None and axis.__class__ is not int):
            return None
        if x._whole < 0 and x._storage.buffer.__class__ is not _ndarray:
            return None
        known = launches.get((x._dtype, x._shape, x._strides, axis, keepdims))
        if known is not None:
            launch, axes, shape = known
            folded = launch(x._storage.buffer if x._whole >= 0 else value(x))
            out = fresh(folded if shape is None else folded.reshape(shape))
            if x._storage.node is not None:
                _dispatch.record(op, (x,), (out,), {"axes": axes, "keepdims": keepdims})
            return out
        entry = fast.get(x._dtype)
        if entry is None:
            return None
        a = x._storage.buffer if x._whole >= 0 else value(x)
        twin, combine, limit = entry
        if not 0 < a.size < limit or (axis is not None and a.size >= LINES_LIMIT and len(x._shape) > 1):
            return None
        wide = None
        if axis is not None:
            last = len(x._shape) - 1
            if not -last - 1 <= axis <= last:
                return None
            if axis != last and axis != -1:
                wide = _WIDER.get(combine)
        token = set_errors(QUIET)
        try:
            folded = twin(a, axis, wide or combine, None, keepdims)
            if wide is not None:
                folded = folded.astype(combine)
        finally:
            reset_errors(token)
        if keepdims and not folded.flags.c_contiguous:
            folded = np.ascontiguousarray(folded)
        out = fresh(folded)
        if x._storage.node is not None:
            axes = None if axis is None else (axis % len(x._shape),)
            _dispatch.record(op, (x,), (out,), {"axes": axes, "keepdims": keepdims})
        return out

    if op.accumulate is None:

        def door(x: Any, /, axis: Any = None, keepdims: bool = False) -> Any:
            out = quick(x, axis, keepdims)
            if out is None:
                x = lift(x, op.name)
                out = reduce(op, x, axis, x._dtype, result, keepdims)
            return out
    else:

        def door(x: Any, /, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:  # type: ignore[misc]
            out = None if dtype is not None else quick(x, axis, keepdims)
            if out is None:
                x = lift(x, op.name)
                out = reduce(op, x, axis, op.accumulate(x._dtype) if dtype is None else dtype_of(dtype), None, keepdims)
            return out

    return door


def reduce(op: Any, x: Array, axis: Any, accumulate: DType, result: DType | None, keepdims: bool) -> Array:
    """Fold the axes of `x` with a declared reduction, combining in the dtype `accumulate`."""
    if x._dtype not in op.standard or x._dtype not in op.dtypes:
        op.accept(x._dtype)
    _check_fold(op, x, accumulate)
    shape = x._shape
    a = x._storage.buffer if x._whole >= 0 else value(x)
    axes = None if axis is None else tuple(sorted(_strides.axes_of(axis, len(shape))))
    if op.identity is None and 0 in shape and any(shape[k] == 0 for k in (range(len(shape)) if axes is None else axes)):
        raise ValueError(f"{op.name}: an array of shape {shape} has no elements along axis {axis}, and no elements have no {op.name}")
    if a.__class__ is not _ndarray:
        out = _device_doors.fold(op, x, axes, accumulate, result, keepdims)
        if x._storage.node is not None:
            _dispatch.record(op, (x,), (out,), {"axes": axes, "keepdims": keepdims})
        return out
    mode = config._values["kernels"]
    limit = op.limits.get(a.dtype.kind, op.limit)
    if op.twin is not None and mode == "auto" and a.size < (limit if axes is None or len(shape) == 1 else min(limit, LINES_LIMIT)):
        combine = accumulate if result is None else None
        if op.accumulate is not None and accumulate in _WIDER and axes is not None and axes != (len(shape) - 1,):
            combine = _WIDER[accumulate]
        token = set_errors(QUIET)
        try:
            folded = op.twin.reduce(a, axes, combine, None, keepdims)
            if combine is not None and combine is not accumulate:
                folded = folded.astype(accumulate)
        finally:
            reset_errors(token)
        if folded.__class__ is _ndarray and not folded.flags.c_contiguous:
            folded = np.ascontiguousarray(folded)
    else:
        from ._kernels.cpu import reduce as kernels

        along = tuple(range(len(shape))) if axes is None else axes
        kept = tuple([1 if i in along else n for i, n in enumerate(shape)]) if keepdims else None
        if mode == "python":
            folded = run_quietly(kernels.reduce_python, op.scalar, a, along, accumulate, result or accumulate, op.identity)
        elif mode == "prange":
            from ._kernels.cpu import readable

            folded = run_quietly(readable.fold, op.scalar, a, along, accumulate, result or accumulate, op.identity)
        else:
            launch = kernels.prepare(op.scalar, a, along, accumulate, result or accumulate, op.identity)
            folded = run_quietly(launch, a)
            default = x._dtype if op.accumulate is None else op.accumulate(x._dtype)
            if accumulate is default and x._dtype in op.standard:
                if len(op.launches) >= _REMEMBERED:
                    op.launches.clear()
                op.launches[x._dtype, shape, x._strides, axis, keepdims] = launch, axes, kept
        if kept is not None:
            folded = folded.reshape(kept)
    out = fresh(folded)
    if x._storage.node is not None:
        _dispatch.record(op, (x,), (out,), {"axes": axes, "keepdims": keepdims})
    return out


def scan(op: Any, x: Array, axis: int | None, accumulate: DType, include_initial: bool) -> Array:
    """Run a declared cumulative op along an axis of `x`."""
    op.accept(x._dtype)
    if axis is None:
        if len(x._shape) > 1:
            raise ValueError(f"{op.name}: axis=None needs a one-dimensional array, this one has shape {x._shape}; name the axis")
        axis = 0
    _check_fold(op, x, accumulate)
    if not x._shape:
        x = window(x, (1,), (0,), x._offset)
    along = _strides.axis_of(axis, len(x._shape))
    a = value(x)
    if a.__class__ is not _ndarray:
        result = _device_doors.scan(op, x, along, accumulate, include_initial)
        if x._storage.node is not None:
            _dispatch.record(op, (x,), (result,), {"axis": along, "include_initial": include_initial})
        return result
    mode = config._values["kernels"]
    if op.twin is not None and mode == "auto" and a.size < op.limit:
        out = run_quietly(op.twin.accumulate, a, axis=along, dtype=_WIDER.get(accumulate, accumulate))
        if out.dtype is not accumulate:
            out = run_quietly(out.astype, accumulate)
        if include_initial:
            head = np.full(a.shape[:along] + (1,) + a.shape[along + 1 :], op.identity, accumulate)
            out = np.concatenate([head, out], axis=along)
        out = np.ascontiguousarray(out)
    else:
        from ._kernels.cpu import scan as kernels

        run = kernels.scan_python if mode == "python" else kernels.scan
        out = run_quietly(run, op.scalar, a, along, accumulate, accumulate, op.identity, include_initial)
    result = fresh(out)
    if x._storage.node is not None:
        _dispatch.record(op, (x,), (result,), {"axis": along, "include_initial": include_initial})
    return result
