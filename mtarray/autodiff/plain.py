"""Derivatives of small arrays, carried back on plain ndarrays.

The sweep is array code, so that it can be recorded. Where nobody records it and operands have a few thousand elements, what it costs is
its arrays, not their elements: naming, promoting and dispatching take five times as long as NumPy's loops. There the same rules run on
ndarrays: a rule is rebuilt with NumPy's twin of each op that it names in the op's place. Nothing is declared twice, and a rule that names
what has no twin stays with the arrays.
"""

from __future__ import annotations

import builtins
import types
from collections.abc import Mapping
from heapq import heappush
from math import prod
from typing import Any

import numpy as np

from .. import _array
from .._array import Array, fresh, value
from .._operands import run_quietly
from .._ops import Elementwise, Engine
from .._storage import HELD
from .tape import Node, local

_ndarray = np.ndarray

# Bytes of a cotangent, and of each operand, up to which NumPy serves: `_ops` has the crossovers of each op, of which this is the least
# but one.
SMALL = 1 << 16
# Rows up to which float32 is added in float32 when a repeated axis is summed: the error of so few terms is that of one.
FEW_ROWS = 32


class _NoTwin(Exception):
    """A rule names what there is no twin of."""


# ---------------------------------------------------------------------- rules


class _Names:
    """mtarray's namespace with NumPy's twins in place of ops, for rules that look names up in it."""

    def __getattr__(self, name: str) -> Any:
        twin = _twin(getattr(_array.xp, name))
        setattr(self, name, twin)
        return twin


_twins: dict[int, tuple[Any, Any]] = {}  # by id of what they are twins of, which is kept alive beside it
_CONSTANTS = (int, float, bool, str, np.dtype, Mapping, frozenset, type(None))


def _twin(x: Any) -> Any:
    """What stands for `x` in a rule on ndarrays. _NoTwin if nothing does."""
    known = _twins.get(id(x))
    if known is None:
        _twins[id(x)] = known = (x, _NoTwin)  # for a function that calls itself
        known = _twins[id(x)] = (x, _made(x))
    if known[1] is _NoTwin:
        raise _NoTwin
    return known[1]


def _sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    fold: Any = np.add.reduce  # a third of the time of `np.sum`
    wide = x.dtype.char == "f" and axis is not None and axis != x.ndim - 1 and x.size // (x.shape[-1] or 1) > FEW_ROWS
    return fold(x, axis, np.float64, None, keepdims).astype(np.float32) if wide else fold(x, axis, None, None, keepdims)


def _likeness(x: Any) -> Any:
    """NumPy's function of the same name and meaning, of those that are no ops."""
    twins = {"reshape": np.reshape, "moveaxis": np.moveaxis, "ones_like": np.ones_like, "sum": _sum, "where": np.where, "matmul": np.matmul}
    return next((twin for name, twin in twins.items() if x is getattr(_array.xp, name)), _NoTwin)


def _made(x: Any) -> Any:
    op = getattr(x, "op", None)
    if isinstance(op, Elementwise):
        twin = op.corrected.get("f", op.twin)
        return _NoTwin if twin is None else twin
    if isinstance(op, Engine):
        return op.implementation
    if x is fresh or x is value:
        return np.asarray
    if x is run_quietly:
        return lambda function, *args: function(*args)  # the whole sweep is quiet
    if x is _array:
        return types.SimpleNamespace(xp=_Names())
    if isinstance(x, _CONSTANTS) or x is np or x is prod or (isinstance(x, type) and x.__module__ == "builtins"):
        return x
    if isinstance(x, types.BuiltinFunctionType):
        return x
    if isinstance(x, types.FunctionType) and _is_ours(x):
        twin = _likeness(x)
        if twin is not _NoTwin:
            return twin
        try:
            return rebuilt(x)
        except _NoTwin:
            pass
    return _NoTwin


def rebuilt(rule: types.FunctionType) -> Any:
    """The function `rule` with NumPy's twins of the ops that it names. _NoTwin if it names, or asks arrays for, what has none."""
    names: dict[str, Any] = {"__builtins__": builtins}
    ours = _is_ours(rule)
    for code in _codes(rule.__code__):
        for name in code.co_names:
            if name in rule.__globals__:
                x = rule.__globals__[name]
                if not ours and isinstance(x, _CONSTANTS):
                    raise _NoTwin  # its module may give the name another value
                names[name] = _twin(x)
            elif name.startswith("_") and name != "__class__" and not hasattr(builtins, name):
                raise _NoTwin  # an attribute that only arrays of ours have
    cells = tuple(
        [
            cell if isinstance(cell.cell_contents, _CONSTANTS) else types.CellType(_twin(cell.cell_contents))
            for cell in rule.__closure__ or ()
        ]
    )
    made = types.FunctionType(rule.__code__, names, rule.__name__, rule.__defaults__, cells or None)
    made.__kwdefaults__ = rule.__kwdefaults__
    return made


def _is_ours(function: types.FunctionType) -> bool:
    return function.__module__.partition(".")[0] == "mtarray"


def _reading(rule: Any) -> Any:
    """A user's rule, which may write into the arrays that it is given: as an error here, so that they go to it by value elsewhere."""

    def call(*args: Any) -> Any:
        return rule(*[_read_only(x) if x.__class__ is _ndarray else x for x in args])

    return call


def _read_only(x: Any) -> Any:
    x = x.view()
    x.flags.writeable = False
    return x


def _codes(code: types.CodeType) -> list[types.CodeType]:
    return [code, *[inner for c in code.co_consts if isinstance(c, types.CodeType) for inner in _codes(c)]]


# What a rule takes, besides operands by their places.
G, Y, SHAPE, AXES, STATIC = -1, -2, -3, -4, -5


def plain_rules(rules: Any) -> list[Any] | None:
    """The twins of an op's rules: for each operand (number, None) or (function, what it takes), None where it has no derivative.
    None if a rule has no twin."""
    if rules.missing or rules.joint is not None:
        return None
    each: list[Any] = []
    for chosen in rules.each:
        if chosen is None:
            each.append(None)
            continue
        rule, names = chosen
        if not callable(rule):
            if not isinstance(rule, (int, float)):
                return None
            each.append((rule, None))
            continue
        try:
            rule, names = _complete(rule, names, rules)
        except _NoTwin:
            return None
        if rules.kind == "vjps" and names[:1] != ("g",):
            return None
        sources = {**rules.places, "g": G, "y": Y, "shape": SHAPE, "axes": AXES}
        each.append((rule, tuple([sources.get(n, n) for n in names])))
    return each


def _complete(rule: Any, names: tuple[str, ...], rules: Any) -> tuple[Any, tuple[str, ...]]:
    """A rule's twin, and the names of what it takes: of what it takes from another rule, that rule and what that takes."""
    if not isinstance(rule, types.FunctionType):
        raise _NoTwin
    twin = rebuilt(rule) if _is_ours(rule) else _reading(rebuilt(rule))
    if not names or not names[0].startswith("by_"):
        return twin, names
    inner, takes = rules.other(names[0])
    first, taken = _complete(inner, takes, rules)
    count = len(taken)
    return lambda *args: twin(first(*args[:count]), *args[count:]), (*taken, *names[1:])


# ---------------------------------------------------------------------- ndarrays of cotangents


def spread(g: Any, axes: Any, keepdims: bool, shape: tuple[int, ...]) -> Any:
    """What a fold over `axes` of an array of this shape gave, repeated to that shape."""
    if g.shape == shape:
        return g
    g = np.ascontiguousarray(g)  # also what a number is
    if keepdims:
        strides = [0 if n == 1 else s for n, s in zip(g.shape, g.strides)] if g.ndim == len(shape) else None
    elif axes is None:
        strides = [0] * len(shape)
    else:
        kept = iter(g.strides)
        strides = [0 if i in axes else next(kept) for i in range(len(shape))]
    return np.broadcast_to(g, shape) if strides is None else _ndarray(shape, g.dtype, g, 0, strides)


def _kept(g: Any, axes: Any, shape: tuple[int, ...]) -> Any:
    """What a fold over `axes` of an array of this shape gave, its axes kept with length 1."""
    return g.reshape([1 if axes is None or i in axes else n for i, n in enumerate(shape)])


_axes: dict[Any, Any] = {}  # (shape, shape of the operand that was repeated to it) -> axes to sum, or None


def fitted(d: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A cotangent in the shape and dtype of what it belongs to."""
    if d.shape != shape:
        key = (d.shape, shape)
        axes = _axes.get(key, 0)
        if axes == 0:
            if len(_axes) > 4096:
                _axes.clear()
            axes = _axes[key] = _summed(*key)
        if axes is None:
            d = np.broadcast_to(d, np.broadcast_shapes(d.shape, shape))
            axes = _summed(d.shape, shape)
        if axes:
            rows = d.dtype.char == "f" and axes != (d.ndim - 1,) and prod([d.shape[i] for i in axes]) > FEW_ROWS
            d = np.add.reduce(d, axes if len(axes) > 1 else axes[0], np.float64 if rows else None)
        if d.shape != shape:
            d = d.reshape(shape)
    return d if d.dtype is dtype else d.astype(dtype)


def _summed(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes along which an array of shape `wanted` was repeated to become `shape`; None if it is the larger one somewhere."""
    lead = len(shape) - len(wanted)
    if lead < 0 or any(n == 1 and m != 1 for n, m in zip(shape[lead:], wanted)):
        return None
    return tuple(range(lead)) + tuple([i + lead for i, n in enumerate(wanted) if n == 1 and shape[i + lead] != 1])


def is_finite(d: Any) -> bool:
    """Whether all elements are finite; by a sum of squares, a quarter of the time of looking at each (False where that overflows)."""
    flat = d.reshape(-1)
    total = flat.dot(flat)
    return bool(total - total == 0)


def nothing_of_nothing(d: Any, g: Any) -> Any:
    """`sweep._nothing_of_nothing` of ndarrays."""
    if is_finite(d):
        return d
    return np.where(~np.isfinite(d) & (g == 0), d.dtype.type(0), d)


# ---------------------------------------------------------------------- one node


def carry(sweep: Any, node: Node, g: Any, unused: bool, marks: bool) -> bool:
    """Give the operands of a node what its cotangent, the ndarray g, makes theirs. False, and nothing has happened, if this node is not for
    ndarrays: operands are large or recorded, or its rules have no twins.

    unused: whether the node's content was used in part; marks: whether that of its operands is.
    """
    rules = node.op.rules
    each = rules.plain
    if each is None:
        each = rules.plain = plain_rules(rules) or ()
    ins = node.ins
    if not each or ins is None or g.nbytes > SMALL or node.view is not None or node.parts is not None or node.part is not None:
        return False
    kind = rules.kind
    active, bit, floor = local.active, sweep.bit, sweep.floor
    given: list[Any] = []
    try:
        for edge, chosen in zip(ins, each):
            if edge.__class__ is not tuple:
                continue
            source, _, dtype, shape, _, _ = edge
            if source is None:
                continue
            mask = source.mask
            if mask & active or source.tan is not None:
                return False
            if not mask & bit or source.order < floor:
                continue
            if chosen is None:
                return False
            rule, takes = chosen
            d, own = g, False
            if kind == "fold":
                if prod(shape) * dtype.itemsize > SMALL:
                    return False
                if takes is not None and takes[0] == G:
                    d = _kept(g, node.static["axes"], shape)
                else:
                    d = spread(g, node.static["axes"], node.static["keepdims"], shape)
            if takes is None:
                if rule != 1:
                    if rule == 0:
                        continue
                    d, own = -d if rule == -1 else d * rule, True
            else:
                args = []
                for take in takes:
                    if take.__class__ is str:
                        x = (node.static or {}).get(take, rules.static.get(take))
                    elif take >= 0:
                        x = ins[take]
                        if x.__class__ is tuple:
                            x = elements(x[1], x[2], x[3], x[4], x[5])
                    elif take == G:
                        x = d
                    elif take == Y:
                        x = elements(node.out, node.dtype, node.shape, None, 0)
                        if kind == "fold":
                            x = spread(x, node.static["axes"], node.static["keepdims"], shape)
                    elif take == SHAPE:
                        x = shape
                    else:
                        x = node.static["axes"]
                        x = tuple(range(len(shape))) if x is None else x
                    args.append(x)
                p = rule(*args)
                if kind == "vjps" or takes[0] == G:
                    if p is None:
                        continue
                    own = p.__class__ is _ndarray and p.base is None and not any(p is x for x in args)
                else:
                    p, own = d * p, True
                d = nothing_of_nothing(p, d) if unused and kind != "vjps" else p
            if d.shape != shape or d.dtype is not dtype:
                before, d = d, fitted(d, shape, dtype)
                own = (own or d is not before) and d.base is None
            if dtype.kind != "f":
                return False
            given.append((edge, d, own))
    except _NoTwin:
        return False
    except Exception:  # what ndarrays do not have: the arrays' own path serves, and says what is wrong if something is
        rules.plain = ()
        return False
    cotangents = sweep.cotangents
    for edge, d, own in given:
        source = edge[0]
        if marks:
            sweep.unused.add(source)
        entry = cotangents.get(source)
        if edge[4] is not None or (entry is not None and entry[0].__class__ is Array):
            sweep.give(edge, *of_plain(d, own))
            continue
        if d.shape != source.shape:
            d, own = d.reshape(source.shape), False
        if entry is None:
            cotangents[source] = [d, own and d.__class__ is _ndarray]
            heappush(sweep.heap, (-source.order, source))
        elif entry[1]:
            np.add(entry[0], d, entry[0])
        else:
            entry[0] = entry[0] + d
            entry[1] = entry[0].__class__ is _ndarray
    return True


def elements(saved: Any, dtype: Any, shape: tuple[int, ...], strides: Any, offset: int) -> Any:
    """What was saved of a window. _NoTwin if it is large, or if somebody could write it meanwhile."""
    if saved.__class__ is _ndarray:
        if saved.nbytes > 2 * SMALL:
            raise _NoTwin
        return saved if saved.shape == shape else saved.reshape(shape)
    if saved.__class__ is Array:
        return value(saved)
    buffer, shift, own = saved.at
    if not own:
        raise _NoTwin
    n = dtype.itemsize
    return _ndarray(shape, dtype, buffer, offset * n - shift, [s * n for s in strides])


def of_plain(g: Any, owned: bool) -> tuple[Array, bool]:
    """A cotangent on the plain path as an array; and whether it is ours to write."""
    out = fresh(g)
    owned = owned or out._storage.buffer is not g
    if not owned:
        out._storage.ties = HELD
    return out, owned and out._whole >= 0


__all__ = ["carry", "of_plain"]
