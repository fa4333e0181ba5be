"""`out=`: the results of an elementwise op, written straight into windows that the caller gives."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from . import _array, _device_doors, _dispatch, _strides
from ._array import Array, value, writable
from ._config import config, is_strict
from ._dispatch import _TO_READ, _broadcast, _cast, _run_readable, _same_window, elementwise
from ._dtypes import WEAK_KIND
from ._operands import QUIET, check_strict, operands_of, refuse, reset_errors, run_quietly, set_errors
from ._storage import SHARED

_ndarray = np.ndarray


def with_out(op: Any, door: Callable[..., Any]) -> Callable[..., Any]:
    """The public function of an op that takes `out=` too: an array, or a tuple with one for each result."""

    def taking(*args: Any, out: Any = None) -> Any:
        return door(*args) if out is None else into(op, args, out)

    return taking


def into(op: Any, args: tuple[Any, ...], out: Any) -> Any:
    """`out`, whose windows hold the results of the op now. Nothing is written if something cannot be.

    As in NumPy, the operands broadcast to the windows' shape, results are cast by the rule "same_kind", and operands count as they were
    before: one may be the very window that is written, of one that overlaps it otherwise a copy is read.
    """
    outs = out if out.__class__ is tuple else (out,)
    if _directly(op, args, outs):
        return out
    found = operands_of(op, args) if len(args) == op.nin else None
    if found is None:
        if len(args) != op.nin:
            raise TypeError(f"{op.name} takes {op.nin} operands ({', '.join(op.parameters)}), got {len(args)}")
        raise refuse(op, args)
    xs, key = found
    plan = op.plans.get(key)
    if plan is None:
        plan = op.plan(key)
    if not plan.promised and is_strict():
        check_strict(op, key)
    followed = _check(op, plan, xs, outs)
    if op.validate is not None:
        op.validate(*[np.asarray(x) if x.__class__ in WEAK_KIND else x for x in xs])
    if any(x.__class__ is Array and x._storage.buffer.__class__ is not _ndarray for x in (*xs, *outs)):
        xs = _device_doors.with_numbers(args, xs)
        _device_doors.together(op.name, (*op.parameters, "out"), (*xs, *outs))
    for o in outs:
        writable(o, f"{op.name}: out", recorded=True)
    if followed:
        results = elementwise(op, tuple(xs))
        for o, r in zip(outs, results if op.nout > 1 else (results,)):
            _array.assign(o, r, None)
        return out
    targets = [value(o) for o in outs]  # once all are free to be written: they may share a storage
    if targets[0].__class__ is not _ndarray:
        if len(targets) > 1 and any(_device_doors.meets(a, b) for i, a in enumerate(targets) for b in targets[:i]):
            raise ValueError(f"{op.name}: the arrays of out share memory; each result needs its own")
        _device_doors.into(op, plan, targets, xs)
        return out
    if len(targets) > 1:
        _check_apart(op, outs, targets)
    n = outs[0]._whole
    if plan.twin is not None and (n if n >= 0 else prod(outs[0]._shape)) < plan.limit:
        _by_numpy(op, plan, xs, targets)
    elif 0 not in outs[0]._shape:
        _by_kernel(op, plan, xs, outs, targets)
    return out


def _directly(op: Any, args: tuple[Any, ...], outs: tuple[Any, ...]) -> bool:
    """`into` for whole arrays of one shape, of the dtypes that the op computes in, beside numbers: what updates of parameters are.
    False for anything else, and where there is something to say."""
    first = outs[0] if outs else None
    if first.__class__ is not Array:
        return False
    n, shape = first._whole, first._shape
    if n <= 0:
        return False
    key: list[Any] = []
    for a in args:
        if a.__class__ is Array:
            storage = a._storage
            if (
                a._whole != n
                or a._shape != shape
                or storage.ties is SHARED
                or (storage.node is not None and a is not first and all(a is not o for o in outs))
            ):
                return False
            key.append(a._dtype)
        else:
            key.append(a.__class__)
    plan = op.plans.get(tuple(key))
    if plan is None or not plan.plain or len(plan.outs) != len(outs):
        return False
    targets: list[Any] = []
    for o, d in zip(outs, plan.outs):
        if o.__class__ is not Array or o._dtype is not d or o._whole != n or o._shape != shape or o._readonly:
            return False
        storage = o._storage
        node = storage.node
        if storage.ties is SHARED or (node is not None and not _dispatch.is_update(node)):
            return False
        targets.append(storage)
    small = plan.twin is not None and n < plan.limit
    if is_strict() or op.validate is not None or (not small and config._values["kernels"] in _TO_READ):
        return False
    if len(outs) > 1 and len(set(map(id, targets))) != len(outs):
        return False
    for i, storage in enumerate(targets):
        targets[i] = storage.buffer if storage.ties is None else writable(outs[i], "", recorded=True)
    ins = [a._storage.buffer if a.__class__ is Array else a for a in args]
    if not small:
        plan.over(op, targets, ins)
        return True
    token = set_errors(QUIET)
    try:
        results = plan.twin(*ins)
        if len(targets) == 1:
            np.copyto(targets[0], results)
        else:
            _deliver(results, targets)
    finally:
        reset_errors(token)
    return True


def _check(op: Any, plan: Any, xs: list[Any], outs: tuple[Any, ...]) -> bool:
    """TypeError or ValueError unless the results can be written into `outs`; whether a derivative follows anything here."""
    if len(outs) != op.nout:
        raise TypeError(f"{op.name}: out must be {'an array' if op.nout == 1 else f'a tuple of {op.nout} arrays'}, got {len(outs)}")
    followed = False
    shape = None
    for o, d in zip(outs, plan.outs):
        if o.__class__ is not Array:
            raise TypeError(f"{op.name}: out must be an array of mtarray, got {type(o).__name__}")
        if d is not o._dtype and (not np.can_cast(d, o._dtype, "same_kind") or is_strict()):
            raise TypeError(f"{op.name}: the result has dtype {d}, which cannot be written into out of {o._dtype}")
        if shape is None:
            shape = o._shape
        elif o._shape != shape:
            raise ValueError(f"{op.name}: the arrays of out must have one shape, got {', '.join(str(o._shape) for o in outs)}")
        node = o._storage.node
        if node is not None and not _dispatch.is_update(node):
            followed = True
    for x in xs:
        if x.__class__ is Array:
            node = x._storage.node
            if node is not None and not followed and _array.is_tracked(node):
                followed = True
            if x._shape != shape:
                own = _broadcast(op, [x._shape if x.__class__ is Array else () for x in xs])
                if not _fits(own, shape):
                    raise ValueError(f"{op.name}: the result has shape {own}, out has {shape}")
    return followed


def _fits(own: tuple[int, ...], shape: Any) -> bool:
    try:
        return _strides.broadcast_shape(own, shape) == shape
    except ValueError:
        return False


def _check_apart(op: Any, outs: tuple[Any, ...], targets: list[Any]) -> None:
    """ValueError if two of the windows have memory in common. (Windows on two storages have it only if NumPy lent it to both.)"""
    for i, a in enumerate(outs):
        for j in range(i):
            one, two = a._storage, outs[j]._storage
            if (one is two or one.ties is two.ties is SHARED) and np.may_share_memory(targets[i], targets[j]):
                try:
                    common = np.shares_memory(targets[i], targets[j], max_work=100_000)  # type: ignore[arg-type]
                except np.exceptions.TooHardError:
                    common = True
                if common:
                    raise ValueError(f"{op.name}: the arrays {j} and {i} of out share memory; each result needs its own")


def _deliver(results: Any, targets: list[Any]) -> None:
    """Copy the results of NumPy's functions to where they are wanted. One may be an operand as it is, which another result replaces."""
    if len(targets) > 1:
        # Of its own making an ndarray has no base.
        results = [r.copy() if r.__class__ is _ndarray and (r.base is not None or any(r is t for t in targets)) else r for r in results]
    for target, r in zip(targets, results):
        np.copyto(target, r)  # whose rule is "same_kind"


def _by_numpy(op: Any, plan: Any, xs: list[Any], targets: list[Any]) -> None:
    # A number stays one beside floating arrays: NumPy gives it their dtype.
    ins = [
        _cast(value(x), d) if x.__class__ is Array else x if d.kind in "fc" else run_quietly(np.asarray, x, d) for x, d in zip(xs, plan.ins)
    ]
    token = set_errors(QUIET)
    try:
        results = plan.twin(*ins)
        _deliver((results,) if op.nout == 1 else results, targets)
    finally:
        reset_errors(token)


def _by_kernel(op: Any, plan: Any, xs: list[Any], outs: tuple[Any, ...], targets: list[Any]) -> None:
    shape = targets[0].shape
    steps = (0,) * len(shape)
    ins = []
    for x, d in zip(xs, plan.ins):
        if x.__class__ is Array:
            a = value(x)
            if a.shape != shape:
                strides = [s * x._dtype.itemsize for s in _strides.broadcast(x._shape, x._strides, shape)]
                a = np.lib.stride_tricks.as_strided(a, shape, strides)
            for o, target in zip(outs, targets):
                near = x is not o and (x._storage is o._storage or x._storage.ties is SHARED is o._storage.ties)
                if near and np.may_share_memory(a, target) and not _same_window(a, target):
                    a = a.copy()
            ins.append(a)
        else:
            try:
                ins.append(_ndarray(shape, d, run_quietly(np.asarray, x, d), 0, steps))
            except OverflowError as error:
                raise OverflowError(f"{op.name}: the Python integer {x} is out of bounds for {d}") from error
    if config._values["kernels"] in _TO_READ:
        for target, r in zip(targets, _run_readable(op, plan, ins, shape)):
            run_quietly(np.copyto, target, r, "same_kind")
    else:
        plan.into(op, tuple(targets), tuple(ins))
