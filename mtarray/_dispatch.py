"""The one door per op: promote, choose the tier, launch, wrap. Whatever an op does passes `elementwise`, `inplace` or `engine` here."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from . import _array, _device_doors, _strides
from ._array import Array, fresh, value, writable
from ._config import config, is_strict
from ._dtypes import WEAK_KIND, DType
from ._operands import QUIET, check_strict, lift_operand, operands_of, refuse, reset_errors, run_quietly, set_errors
from ._storage import SHARED, Storage

_new = object.__new__
_ndarray = np.ndarray
_asarray = np.asarray

# Hooks of the derivative tape: record(op, inputs, outputs, static) is called when an input's storage carries a node; is_update(node) says
# whether a write now only updates a leaf in `no_grad`, which keeps its name then.
record: Any = None
is_update: Any = None


def _dense_order(shape: tuple[int, ...], windows: list[Any]) -> tuple[int, ...] | None:
    """The order of axes in which all windows (shape, strides) of full shape are dense, if it is one and not C order: results keep it."""
    order = None
    for own, strides in windows:
        if own != shape:
            continue
        if _strides.is_contiguous(own, strides):
            return None
        o = _strides.dense_order(shape, strides)
        if o is None or (order is not None and o != order):
            return None
        order = o
    return order


def _windows(ins: list[Any]) -> list[Any]:
    return [(a.shape, tuple([s // a.itemsize for s in a.strides])) for a in ins if a.__class__ is _ndarray]


# ---------------------------------------------------------------------- elementwise


def elementwise(op: Any, args: tuple[Any, ...]) -> Any:
    """Apply an elementwise op to arrays and Python scalars. NotImplemented if an operand is neither."""
    if op.shortcut is not None:
        out = op.shortcut(*args)
        if out is not None:
            return out
    keys: list[Any] = []
    xs: list[Any] = []
    size = 1  # at least that of the result, since its operands broadcast
    tracked = elsewhere = False
    for a in args:
        c = a.__class__
        if c not in WEAK_KIND:
            if c is not Array:
                a = lift_operand(a, op, args)
                if a is None:
                    return NotImplemented
            if a._storage.node is not None:
                tracked = True
            n = a._whole
            if n < 0:
                n = prod(a._shape)
                if a._storage.buffer.__class__ is not _ndarray:
                    elsewhere = True
            size *= n or 1
            keys.append(a._dtype)
        else:
            keys.append(c)
        xs.append(a)
    key = tuple(keys)
    plan = op.plans.get(key)
    if plan is None:
        plan = op.plan(key)
    if not plan.promised and is_strict():
        check_strict(op, key)
    if op.validate is not None:
        op.validate(*[np.asarray(x) if x.__class__ in WEAK_KIND else x if elsewhere else value(x) for x in xs])
    if elsewhere:
        xs = _device_doors.with_numbers(args, xs)
        outs = _device_doors.elementwise(op, plan, xs)
    elif plan.direct and size < plan.limit:
        ins = [x if x.__class__ in WEAK_KIND else x._storage.buffer if x._whole >= 0 else value(x) for x in xs]
        token = set_errors(QUIET)
        try:
            result = plan.twin(*ins)
        except ValueError:
            _broadcast(op, [np.shape(v) for v in ins])
            raise
        except OverflowError as error:
            raise OverflowError(f"{op.name}: {error}") from None
        finally:
            reset_errors(token)
        if result.__class__ is _ndarray and (result.ndim == 1 or result.flags.c_contiguous):
            outs = (result,)
        else:
            outs = tuple([_settle(r, d, ins) for r, d in zip((result,) if op.nout == 1 else result, plan.outs)])
    else:
        outs = _general(op, plan, xs)
    arrays = tuple([fresh(r) for r in outs])
    if tracked:
        record(op, tuple(xs), arrays, None)
    return arrays[0] if op.nout == 1 else arrays


_NUMPY, _READABLE, _EMPTY = "numpy", "readable", "empty"  # what serves a layout that no kernel does
_TO_READ = ("python", "prange")  # kernel modes in which the scalar function itself serves
_LAYOUTS = 4096  # layouts that a plan remembers
_FEWER = 0.5  # of the limit: where every other element is taken of 4 bytes, kernels are ahead of NumPy's loop sooner


def _general(op: Any, plan: Any, xs: list[Any]) -> Any:
    """The results as ndarrays, of either tier: casts, broadcasts, large arrays."""
    layout = tuple([None if x.__class__ in WEAK_KIND else (x._shape, x._strides) for x in xs])
    launch = plan.launches.get(layout)
    if launch is None:
        launch = _chosen(op, plan, layout, xs)
        if launch.__class__ is not str and layout[0] is not None and layout == layout[:1] * len(xs) and all(x._whole >= 0 for x in xs):
            plan.launches[xs[0]._shape] = launch  # for the doors, which look up whole arrays of one shape themselves
    fits = True
    if None in layout:
        xs, fits = _inputs(op, xs, plan)
    if fits and launch.__class__ is not str:
        return launch([(x._storage.buffer, x._offset * x._dtype.itemsize) if x.__class__ is Array else (x, 0) for x in xs])
    ins = [value(x) if x.__class__ is Array else x for x in xs]
    if launch is _EMPTY:
        return [np.empty(_broadcast(op, [a.shape for a in ins]), d) for d in plan.outs]
    if launch is _READABLE and fits:
        return _run_readable(op, plan, ins, _broadcast(op, [a.shape for a in ins]))
    results = run_quietly(plan.twin, *[_cast(a, d) for a, d in zip(ins, plan.ins)] if fits else ins)
    return [_settle(r, d, ins) for r, d in zip((results,) if op.nout == 1 else results, plan.outs)]


def _chosen(op: Any, plan: Any, layout: Any, xs: Any) -> Any:
    """`_choose`, remembered for the layout."""
    if len(plan.launches) >= _LAYOUTS:
        plan.launches.clear()
    launch = plan.launches[layout] = _choose(op, plan, xs)
    return launch


def _choose(op: Any, plan: Any, xs: Any) -> Any:
    """What serves operands of these dtypes and layouts: a kernel that is ready to be launched, or one of the words above."""
    windows: list[Any] = [((), ()) if x.__class__ in WEAK_KIND else (x._shape, x._strides) for x in xs]
    shape = _broadcast(op, [own for own, _ in windows])
    every_other = all(own == shape and own and strides[-1] == 2 and x._dtype.itemsize == 4 for x, (own, strides) in zip(xs, windows))
    if plan.twin is not None and prod(shape) < plan.limit * (_FEWER if every_other else 1):
        return _NUMPY
    if 0 in shape:
        return _EMPTY
    if config._values["kernels"] in _TO_READ:
        return _READABLE
    dtypes = [x._dtype if x.__class__ is Array else d for x, d in zip(xs, plan.ins)]
    strides = [tuple([s * d.itemsize for s in _strides.broadcast(w[0], w[1], shape)]) for w, d in zip(windows, dtypes)]
    return plan.fresh(op, shape, _dense_order(shape, windows), dtypes, strides)


def _run_readable(op: Any, plan: Any, ins: list[Any], shape: Any) -> list[Any]:
    """The results of the scalar function, uncompiled or (kernel mode "prange") in a plain parallel loop."""
    from ._kernels.cpu.elementwise import run_python

    outs = [np.empty(shape, d) for d in plan.outs]
    operands = tuple([np.broadcast_to(_cast(a, d), shape) for a, d in zip(ins, plan.ins)])
    if config._values["kernels"] == "prange":
        run_quietly(plan.loops, op, tuple(outs), operands)
    else:
        run_quietly(run_python, op.scalar, tuple(outs), operands)
    return outs


def _inputs(op: Any, xs: list[Any], plan: Any) -> tuple[list[Any], bool]:
    """The operands as ndarrays, and whether they fit: False if a Python integer is beyond the other operand's dtype, in a comparison."""
    ins = []
    fits = True
    for x, d in zip(xs, plan.ins):
        if x.__class__ not in WEAK_KIND:
            ins.append(x)
            continue
        try:
            ins.append(run_quietly(np.asarray, x, d))
        except OverflowError as error:
            if not op.compares:
                raise OverflowError(f"{op.name}: the Python integer {x} is out of bounds for {d}") from error
            # NumPy compares with integers of any size correctly; a comparison is never too slow for it.
            ins.append(np.asarray(x))
            fits = False
    return ins, fits


def _broadcast(op: Any, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    try:
        return _strides.broadcast_shape(*shapes)
    except ValueError as error:
        raise ValueError(f"{op.name}: {error}") from None


def _cast(a: Any, d: DType) -> Any:
    return a if a.dtype is d else a.astype(d)


def _settle(r: Any, d: DType, ins: list[Any]) -> Any:
    """A result of NumPy's loop in our dtype and layout."""
    if r.dtype is not d:
        r = r.astype(d)
    if r.__class__ is _ndarray and not r.flags.c_contiguous and _dense_order(r.shape, _windows(ins)) is None:
        return np.ascontiguousarray(r)
    return r


def inplace_door(op: Any) -> Callable[..., Any]:
    """The method behind `x op= other`."""
    fast = op.fast
    where = f"{op.name} in place"

    def door(self: Array, other: Any, /) -> Any:
        if other.__class__ is Array and self._whole >= 0 and self._whole == other._whole and other._dtype is self._dtype:
            entry = fast.get(self._dtype)
            if (
                entry is not None
                and self._whole < entry[1]
                and entry[2] is self._dtype
                and self._shape == other._shape
                and other._storage.node is None
                and ((node := self._storage.node) is None or is_update(node))
            ):
                target = writable(self, where, recorded=True)
                token = set_errors(QUIET)
                try:
                    entry[0](target, other._storage.buffer, target)
                finally:
                    reset_errors(token)
                return self
        return inplace(op, self, other)

    return door


def inplace(op: Any, x: Array, other: Any) -> Any:
    """`x op= other`: the result of a binary op, written into the window `x`. Nothing is written if it cannot be."""
    operands = operands_of(op, (x, other))
    if operands is None:
        return NotImplemented
    (x, y), key = operands
    plan = op.plans.get(key)
    if plan is None:
        plan = op.plan(key)
    strict = is_strict()
    if strict:
        check_strict(op, key)
    if not np.can_cast(plan.outs[0], x._dtype, "same_kind") or (strict and plan.outs[0] is not x._dtype):
        raise TypeError(f"{op.name} in place: the result has dtype {plan.outs[0]}, which cannot be written into an array of {x._dtype}")
    node = x._storage.node
    if (node is not None and not is_update(node)) or (y.__class__ is Array and y._storage.node is not None):
        return _inplace_tracked(op, x, y)
    if x._storage.buffer.__class__ is not _ndarray or (y.__class__ is Array and y._storage.buffer.__class__ is not _ndarray):
        y = _device_doors.with_numbers((other,), (y,))[0]
        _device_doors.together(f"{op.name} in place", op.parameters, (x, y))
        a, b = x, y if y.__class__ is Array else np.asarray(y)
    else:
        (a, b), _ = _inputs(op, [value(x), value(y) if y.__class__ is Array else y], plan)
    if b.shape != a.shape and _broadcast(op, [a.shape, b.shape]) != x._shape:
        raise ValueError(f"{op.name} in place: the result has shape {_broadcast(op, [a.shape, b.shape])}, the array {x._shape}")
    if op.validate is not None:
        op.validate(a, b)
    target = writable(x, f"{op.name} in place", recorded=True)
    if target.__class__ is not _ndarray:
        _device_doors.into(op, plan, [target], [x, y])
    elif plan.twin is not None and target.size < plan.limit:
        if plan.twin.__class__ is np.ufunc and plan.ins[0] is plan.outs[0]:
            run_quietly(plan.twin, target, _cast(b, plan.ins[1]), out=target, casting="same_kind")
        else:
            target[...] = run_quietly(plan.twin, _cast(a, plan.ins[0]), _cast(b, plan.ins[1]))
    elif plan.outs[0] is not x._dtype:
        run_quietly(np.copyto, target, _general(op, plan, [x, y])[0], casting="same_kind")
    else:
        if np.may_share_memory(target, b) and not _same_window(target, b):
            b = b.copy()
        b = np.broadcast_to(b, target.shape)
        if config._values["kernels"] in _TO_READ:
            run_quietly(np.copyto, target, _run_readable(op, plan, [a, b], target.shape)[0], casting="same_kind")
        else:
            plan.into(op, (target,), (target, b))
    return x


def _inplace_tracked(op: Any, x: Array, y: Any) -> Array:
    """`inplace` where the derivative tape must know: the result is made beside, and the window takes it over."""
    storage = x._storage
    takes = x._whole >= 0 and storage.ties is not SHARED and not x._readonly
    sign = {"add": 1, "subtract": -1}.get(op.name)
    if sign and not takes and y.__class__ is Array and y._dtype is x._dtype and _broadcast(op, [x._shape, y._shape]) == x._shape:
        _array.accumulate(x, y if sign == 1 else -y, None)
        return x
    result = elementwise(op, (x, y))
    if result._shape != x._shape:
        raise ValueError(f"{op.name} in place: the result has shape {result._shape}, the array {x._shape}")
    if takes and result._whole >= 0 and result._dtype is x._dtype:
        former, made = storage.node, result._storage
        storage.buffer, storage.node, storage.ties = made.buffer, made.node, made.ties
        adopted(storage, former)
    else:
        _array.assign(x, result, None)
    return x


# Hook of the derivative tape: adopted(storage, former): a storage took over a fresh result and its node; `former` was its own.
adopted: Any = None


def _same_window(a: Any, b: Any) -> bool:
    return (
        a.shape == b.shape
        and a.strides == b.strides
        and a.dtype is b.dtype
        and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    )


# The doors below write their fast path out in full: a call to a shared helper that wraps the result costs 0.15 us, a fifth of
# `x + y` on ten elements. The tables `op.fast` hold only dtypes for which the standard promises the op, so `strict` needs no look.


def unary_door(op: Any) -> Callable[..., Any]:
    """The public function of an op of one array."""
    fast = op.fast

    def door(x: Any, /) -> Any:
        if x.__class__ is Array:
            n = x._whole
            if n >= 0:
                entry = fast.get(x._dtype)
                if entry is not None:
                    if n >= entry[1]:
                        launch = entry[4].launches.get(x._shape)
                        if launch is None or x._storage.node is not None:
                            return elementwise(op, (x,))
                        return fresh(launch.whole(x._storage.buffer))
                    token = set_errors(QUIET)
                    try:
                        result = entry[0](x._storage.buffer)
                    finally:
                        reset_errors(token)
                    if result.__class__ is not _ndarray:
                        result = _asarray(result)
                    storage = _new(Storage)
                    storage.buffer = result
                    storage.node = None
                    storage.ties = None
                    out = _new(Array)
                    out._storage = storage
                    out._shape = x._shape
                    out._strides = x._strides
                    out._offset = 0
                    out._dtype = entry[2]
                    out._whole = n
                    out._readonly = False
                    if x._storage.node is not None:
                        record(op, (x,), (out,), None)
                    return out
        out = elementwise(op, (x,))
        if out is NotImplemented:
            raise refuse(op, (x,))
        return out

    return door


def _pair(op: Any, x1: Array, x2: Array) -> Array | None:
    """The result for two arrays of one dtype, views or broadcast: small ones by NumPy, larger ones as they were launched before. None for
    another door."""
    entry = op.fast.get(x1._dtype)
    if entry is None:
        return None
    if x1._storage.buffer.__class__ is not _ndarray or x2._storage.buffer.__class__ is not _ndarray:
        if x1._storage.node is not None or x2._storage.node is not None:
            return None
        made = _device_doors.pair(entry[4], x1, x2)
        return None if made is None else fresh(made)
    s1, s2 = x1._shape, x2._shape
    n1, n2 = x1._whole, x2._whole
    n1 = n1 if n1 >= 0 else prod(s1)
    n2 = n2 if n2 >= 0 else prod(s2)
    limit = entry[1]
    # What the operands broadcast to has the size of one of them, or at most that of both multiplied.
    apart = s1 != s2 and n1 * n2 >= limit and s1[:-1] != s2[:-1] and s1[1:] != s2 and s1 != s2[1:]
    if apart or n1 >= limit * _FEWER or n2 >= limit * _FEWER:
        layout = (s1, x1._strides), (s2, x2._strides)
        launch = entry[4].launches.get(layout)
        if launch is None:
            launch = _chosen(op, entry[4], layout, (x1, x2))
        if launch.__class__ is not str:
            one, two = x1._storage, x2._storage
            if one.node is not None or two.node is not None:
                return None
            size = x1._dtype.itemsize
            return fresh(launch.pair(one.buffer, x1._offset * size, two.buffer, x2._offset * size))
        if launch is not _NUMPY:
            return None
    token = set_errors(QUIET)
    try:
        result = entry[0](x1._storage.buffer if x1._whole >= 0 else value(x1), x2._storage.buffer if x2._whole >= 0 else value(x2))
    except ValueError:
        return None
    finally:
        reset_errors(token)
    if result.__class__ is _ndarray and result.ndim > 1 and not result.flags.c_contiguous:
        return None
    out = fresh(result)
    if x1._storage.node is not None or x2._storage.node is not None:
        record(op, (x1, x2), (out,), None)
    return out


def binary_door(op: Any, operator: bool = False) -> Callable[..., Any]:
    """The public function of an op of two arrays; `operator`: the method behind a symbol, which leaves foreign operands to them."""
    fast = op.fast

    def door(x1: Any, x2: Any, /) -> Any:
        if x1.__class__ is Array:
            n = x1._whole
            if n >= 0:
                c = x2.__class__
                s1 = x1._storage
                if c is Array:
                    entry = fast.get(x1._dtype)
                    if entry is not None and n == x2._whole and x2._dtype is x1._dtype and x1._shape == x2._shape:
                        if n >= entry[1]:
                            launch = entry[4].launches.get(x1._shape)
                            if launch is None or s1.node is not None or x2._storage.node is not None:
                                return elementwise(op, (x1, x2))
                            return fresh(launch.whole(s1.buffer, x2._storage.buffer))
                        if entry[3]:
                            token = set_errors(QUIET)
                            try:
                                result = entry[0](s1.buffer, x2._storage.buffer)
                            finally:
                                reset_errors(token)
                        else:
                            result = entry[0](s1.buffer, x2._storage.buffer)
                        if result.__class__ is not _ndarray:
                            result = _asarray(result)
                        storage = _new(Storage)
                        storage.buffer = result
                        storage.node = None
                        storage.ties = None
                        out = _new(Array)
                        out._storage = storage
                        out._shape = x1._shape
                        out._strides = x1._strides
                        out._offset = 0
                        out._dtype = entry[2]
                        out._whole = n
                        out._readonly = False
                        if s1.node is not None or x2._storage.node is not None:
                            record(op, (x1, x2), (out,), None)
                        return out
                elif c is float or c is int:
                    entry = fast.get((x1._dtype, c))
                    if entry is not None and n < entry[1]:
                        token = set_errors(QUIET)
                        try:
                            result = entry[0](s1.buffer, x2)
                        except OverflowError:
                            raise OverflowError(f"{op.name}: the Python integer {x2} is out of bounds for {x1._dtype}") from None
                        finally:
                            reset_errors(token)
                        if result.__class__ is not _ndarray:
                            result = _asarray(result)
                        storage = _new(Storage)
                        storage.buffer = result
                        storage.node = None
                        storage.ties = None
                        out = _new(Array)
                        out._storage = storage
                        out._shape = x1._shape
                        out._strides = x1._strides
                        out._offset = 0
                        out._dtype = entry[2]
                        out._whole = n
                        out._readonly = False
                        if s1.node is not None:
                            record(op, (x1, x2), (out,), None)
                        return out
            if x2.__class__ is Array and x2._dtype is x1._dtype:
                paired = _pair(op, x1, x2)
                if paired is not None:
                    return paired
        out = elementwise(op, (x1, x2))
        if out is NotImplemented:
            if not operator:
                raise refuse(op, (x1, x2))
            if x2 is None and op.name in ("equal", "not_equal"):  # no element is None, as NumPy has it
                return fresh(np.full(x1._shape, op.name == "not_equal"))
        return out

    return door


def reflected_door(op: Any) -> Callable[..., Any]:
    commutes = op.name in ("add", "multiply")
    forward = binary_door(op, True)
    fast = op.fast

    def door(self: Any, other: Any, /) -> Any:
        if other.__class__ is float or other.__class__ is int:
            if commutes:
                return forward(self, other)  # which has a short way for an array and a number
            entry = fast.get((other.__class__, self._dtype))
            if entry is not None and 0 <= self._whole < entry[1]:
                try:
                    out = fresh(run_quietly(entry[0], other, self._storage.buffer))
                except OverflowError:
                    return elementwise(op, (other, self))  # which says what is out of bounds
                if self._storage.node is not None:
                    record(op, (other, self), (out,), None)
                return out
        return elementwise(op, (other, self))

    return door


_MISSING = object()


def ternary_door(op: Any) -> Callable[..., Any]:
    """The public function of an op of three arrays."""

    def door(x1: Any, x2: Any = _MISSING, x3: Any = _MISSING, /) -> Any:
        if x3 is _MISSING:
            raise TypeError(f"{op.name} takes 3 operands: {', '.join(op.parameters)}")
        if x1.__class__ is Array and x2.__class__ is Array and x3.__class__ is Array:
            n = x1._whole
            if n > 0 and n == x2._whole and n == x3._whole and x1._shape and x1._shape == x2._shape and x1._shape == x3._shape:
                s1, s2, s3 = x1._storage, x2._storage, x3._storage
                plan = op.plans.get((x1._dtype, x2._dtype, x3._dtype))
                ready = plan is not None and plan.direct and plan.promised and n < plan.limit and op.nout == 1
                if ready and s1.node is None and s2.node is None and s3.node is None:
                    return fresh(run_quietly(plan.twin, s1.buffer, s2.buffer, s3.buffer))
        out = elementwise(op, (x1, x2, x3))
        if out is NotImplemented:
            raise refuse(op, (x1, x2, x3))
        return out

    return door


def general_door(op: Any) -> Callable[..., Any]:
    """The public function of an op of any number of arrays."""

    def door(*args: Any) -> Any:
        if len(args) != op.nin:
            raise TypeError(f"{op.name} takes {op.nin} operands ({', '.join(op.parameters)}), got {len(args)}")
        out = elementwise(op, args)
        if out is NotImplemented:
            raise refuse(op, args)
        return out

    return door


# ---------------------------------------------------------------------- engine ops


def engine(op: Any, arrays: tuple[Array, ...], static: dict[str, Any]) -> Any:
    """Apply an engine op: a function of ndarrays and static parameters whose results are its own."""
    ins = []
    tracked = elsewhere = False
    for x in arrays:
        storage = x._storage
        if x._whole >= 0:
            ins.append(storage.buffer)
        else:
            ins.append(value(x))
            if storage.buffer.__class__ is not _ndarray:
                elsewhere = True
        if storage.node is not None:
            tracked = True
    token = set_errors(QUIET)
    try:
        results = _device_doors.engine(op, arrays, static) if elsewhere else op.implementation(*ins, **static)
    finally:
        reset_errors(token)
    outs = tuple([fresh(r) for r in results]) if results.__class__ is tuple else fresh(results)
    if tracked:
        record(op, arrays, outs if outs.__class__ is tuple else (outs,), static)
    return outs
