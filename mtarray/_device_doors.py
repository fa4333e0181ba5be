"""The doors for arrays on a device that is not the CPU: what `_dispatch`, `_into`, `_fold` and `_selection` do with Tensors.

The doors for the CPU come here when an operand is elsewhere. All operands must then be on one device; Python's and NumPy's numbers go along
as arguments of the kernel.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from . import _array, _strides
from ._array import Array, fresh, value
from ._dtypes import WEAK_KIND, DType
from ._kernels import cuda
from ._kernels.cuda.tensor import Tensor as Tensor
from ._kernels.cuda.tensor import empty, from_host
from ._operands import run_quietly

_LAYOUTS = 4096  # launches that a plan remembers


def together(where: str, parameters: tuple[str, ...], xs: Any) -> Any:
    """The driver of the one device that all arrays among `xs` are on; ValueError naming two that are not on one."""
    first = None
    for i, x in enumerate(xs):
        if x.__class__ is Array:
            if first is None:
                first, name = x, _named(parameters, i)
            elif x._storage.device is not first._storage.device:
                raise ValueError(
                    f"{where}: {name} (shape {first._shape}, {first._dtype}) is on device {first.device.name!r}, {_named(parameters, i)} "
                    f"(shape {x._shape}, {x._dtype}) on {x.device.name!r}; move one of them with to_device"
                )
    return first._storage.device.driver if first is not None else None


def _named(parameters: tuple[str, ...], i: int) -> str:
    if parameters and parameters[0][0] == "*":
        return f"{parameters[0][1:]}[{i}]"
    return parameters[i] if i < len(parameters) else f"operand {i + 1}"


def with_numbers(args: Any, xs: Any) -> list[Any]:
    """The operands, with NumPy's scalars among `args` as they came: they are numbers with a dtype, not arrays on the CPU."""
    return [a if isinstance(a, np.generic) else x for a, x in zip(args, xs)]


# ---------------------------------------------------------------------- elementwise


def elementwise(op: Any, plan: Any, xs: list[Any]) -> tuple[Any, ...]:
    """The results, as Tensors, of an elementwise op of arrays on one device and numbers."""
    driver = together(op.name, op.parameters, xs)
    layout = (driver, *[(x._shape, x._strides, x._dtype) if x.__class__ is Array else None for x in xs])
    launch = plan.launches.get(layout)
    if launch is None:
        launch = _prepared(op, plan, layout, xs)
    if launch.__class__ is tuple:
        return tuple([empty(driver, launch, d) for d in plan.outs])
    ins = []
    for x, d in zip(xs, plan.ins):
        if x.__class__ is Array:
            ins.append((x._storage.buffer.buffer, x._offset * x._dtype.itemsize))
        else:
            n = number(op, x, d)
            if n is None:
                return (_beyond(op, plan, xs),)
            ins.append(n)
    return tuple(launch(ins))


def pair(plan: Any, x1: Array, x2: Array) -> Any:
    """The result for two arrays as they were launched before, or None."""
    s1, s2 = x1._storage, x2._storage
    d = x1._dtype
    launch = plan.launches.get((s1.device.driver, (x1._shape, x1._strides, d), (x2._shape, x2._strides, d)))
    if launch is None or launch.__class__ is tuple or s1.device is not s2.device:
        return None
    return launch([(s1.buffer.buffer, x1._offset * d.itemsize), (s2.buffer.buffer, x2._offset * d.itemsize)])[0]


def _prepared(op: Any, plan: Any, layout: Any, xs: list[Any]) -> Any:
    """What serves operands of these layouts: a launch of a kernel, or for no elements the shape of the results."""
    from . import _dispatch

    kernels = cuda.part("elementwise")
    windows: list[Any] = [(x._shape, x._strides) if x.__class__ is Array else ((), ()) for x in xs]
    shape = _dispatch._broadcast(op, [own for own, _ in windows])
    launch: Any = shape
    if 0 not in shape:
        dtypes = [x._dtype if x.__class__ is Array else d for x, d in zip(xs, plan.ins)]
        strides = [_strides.broadcast(w[0], w[1], shape) if x.__class__ is Array else None for x, w in zip(xs, windows)]
        launch = kernels.prepare(layout[0], op.scalar, shape, _dispatch._dense_order(shape, windows), dtypes, strides, plan.ins, plan.outs)
    if len(plan.launches) >= _LAYOUTS:
        plan.launches.clear()
    plan.launches[layout] = launch
    return launch


def number(op: Any, x: Any, d: DType) -> Any:
    """A number in the dtype `d`; None if it is an integer beyond it, in a comparison. OverflowError in any other op."""
    try:
        return run_quietly(np.asarray, x, d)[()]
    except OverflowError as error:
        if op.compares:
            return None
        raise OverflowError(f"{op.name}: the Python integer {x} is out of bounds for {d}") from error


def _beyond(op: Any, plan: Any, xs: list[Any]) -> Any:
    """A comparison with an integer that is beyond the dtype of the elements: the same for all of them."""
    shape = next(x._shape for x in xs if x.__class__ is Array)
    same = bool(op.twin(*[np.zeros((), d) if x.__class__ is Array else x for x, d in zip(xs, plan.ins)]))
    return value(_array.xp.full(shape, same, device=next(x for x in xs if x.__class__ is Array).device))


def into(op: Any, plan: Any, targets: list[Tensor], xs: list[Any]) -> None:
    """The results written into windows of one shape, which the operands broadcast to; an operand may be a target as it is, of one that
    overlaps it otherwise a copy is read."""
    kernels = cuda.part("elementwise")
    shape = targets[0].shape
    if 0 in shape:
        return
    ins: list[Any] = []
    for x, d in zip(xs, plan.ins):
        if x.__class__ is not Array:
            n = number(op, x, d)
            ins.append(value(fresh_full(targets[0].driver, (), bool(n), np.dtype(bool))) if n is None else n)
            continue
        a = value(x)
        a = a if a.shape == shape else a.broadcast_to(shape)
        if any(meets(a, t) and not same_window(a, t) for t in targets):
            a = a.copy()
        ins.append(a)
    kernels.into(op.scalar, targets, ins, plan.ins, plan.outs)


def same_window(a: Tensor, b: Tensor) -> bool:
    return a.buffer is b.buffer and a.offset == b.offset and a.shape == b.shape and a.strides == b.strides and a.dtype is b.dtype


def meets(a: Tensor, b: Tensor) -> bool:
    """Whether the extents of two windows have bytes in common."""
    if a.buffer is not b.buffer or not a.size or not b.size:
        return False
    (low1, high1), (low2, high2) = (_strides.extent(x.shape, x.strides) for x in (a, b))
    m, n = a.itemsize, b.itemsize
    return (a.offset + low1) * m < (b.offset + high2 + 1) * n and (b.offset + low2) * n < (a.offset + high1 + 1) * m


# ---------------------------------------------------------------------- folds


def fold(op: Any, x: Array, axes: tuple[int, ...] | None, accumulate: DType, result: DType | None, keepdims: bool) -> Array:
    """A declared reduction of an array on a device."""
    kernels = cuda.part("reduce")
    along = tuple(range(len(x._shape))) if axes is None else axes
    folded = kernels.fold(op.scalar, value(x), along, accumulate, result or accumulate, op.identity)
    if keepdims:
        folded = folded.reshaped([1 if i in along else n for i, n in enumerate(x._shape)])
    return fresh(folded)


def scan(op: Any, x: Array, axis: int, accumulate: DType, include_initial: bool) -> Array:
    """A declared cumulative op along an axis of an array on a device."""
    return fresh(cuda.part("scan").scan(op.scalar, value(x), axis, accumulate, accumulate, op.identity, include_initial))


# ---------------------------------------------------------------------- selection and assignment


def _on_device(x: Array, key: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index arrays of a key as Tensors where `x` is. Lists and ndarrays come along; ValueError for our arrays elsewhere."""
    driver = x._storage.device.driver
    out = []
    for k in key:
        if k.__class__ is np.ndarray:
            k = from_host(driver, k)
        elif k.__class__ is Tensor and k.driver is not driver:
            raise ValueError(
                f"the array of shape {x._shape} is on device {x.device.name!r}, an index of it on {k.device.name!r}; move one of them"
            )
        out.append(k)
    return tuple(out)


def select(x: Array, key: tuple[Any, ...]) -> Array:
    """The elements that index arrays select of an array on a device."""
    return fresh(cuda.part("selection").select(value(x), _on_device(x, key)))


def assign(x: Array, target: Tensor, item: Any, key: tuple[Any, ...] | None) -> None:
    """Write a number, an array on the same device, or what lies on the host as an ndarray into a window on a device."""
    copying = cuda.part("copying")
    source: Any
    if item.__class__ is Array:
        together("assignment", ("the array", "what is written"), (x, item))
        source = value(item)
        if meets(source, target):
            source = source.copy()
    elif item.__class__ in WEAK_KIND or isinstance(item, np.generic) or not item.shape:
        source = run_quietly(np.asarray(item).astype, x._dtype)[()] if item.__class__ not in WEAK_KIND else np.asarray(item, x._dtype)[()]
    else:
        source = from_host(target.driver, item)
    if key is None:
        if not isinstance(source, Tensor):
            copying.fill(target, source)
            return
        if source.shape != target.shape:
            lead = len(source.shape) - len(target.shape)
            if lead > 0 and all(n == 1 for n in source.shape[:lead]):
                source = source.window(source.shape[lead:], source.strides[lead:])
            source = source.broadcast_to(target.shape)
        copying.copy(target, source)
    else:
        cuda.part("selection").assign(target, _on_device(x, key), source)


def accumulate(x: Array, target: Tensor, item: Array, key: tuple[Any, ...] | None) -> None:
    """Add an array to a window on a device, or to what index arrays select of it, as often as they name it."""
    together("accumulation", ("the array", "what is added"), (x, item))
    source = value(item)
    if key is None:
        add = _array.xp.add.op
        into(add, add.plan((x._dtype, x._dtype)), [target], [x, item if item._dtype is x._dtype else _array.xp.astype(item, x._dtype)])
    else:
        cuda.part("selection").accumulate(target, _on_device(x, key), source)


# ---------------------------------------------------------------------- engine ops, creation


@functools.cache
def _parameters(implementation: Any) -> tuple[str, ...]:
    """The names of the operands; "*names" of as many as are given."""
    return tuple([f"*{n}" if p.kind is p.VAR_POSITIONAL else n for n, p in inspect.signature(implementation).parameters.items()])


def engine(op: Any, arrays: tuple[Array, ...], static: dict[str, Any]) -> Any:
    """The results, as Tensors, of an engine op of arrays on one device."""
    if op.name == "relocated":  # between devices
        return op.implementation(*[value(x) for x in arrays], **static)
    together(op.name, _parameters(op.implementation), arrays)
    return cuda.engine(op.name)(*[value(x) for x in arrays], **static)


def fresh_full(driver: Any, shape: tuple[int, ...], number: Any, dtype: DType) -> Array:
    """An array on a device with one value everywhere."""
    out = empty(driver, shape, dtype)
    if out.size:
        cuda.part("copying").fill(out, np.asarray(number, dtype)[()])
    return fresh(out)
