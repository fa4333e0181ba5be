"""Forward mode: tangents, computed as results are.

A tangent belongs to a node, like everything that belongs to a content: a window of the primal sees the same window of it. While the
tangent of a transform is computed, only the transforms around it record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import _array, _strides
from .._array import Array, fresh, value
from .._devices import current, place, unplace
from .._storage import Storage
from . import tape
from .rules import rules_of
from .sweep import NoDerivativeError, expand, scaled, sweep
from .tape import COPY, SELECT, Node, Transform, copy, is_whole, local, recording, view_on, zeros, zeros_as


def around(T: Transform, active: int) -> int:
    """What to record while a tangent of T is computed: the transforms around T, and ones yet to start."""
    return (T.outer | ~tape.live()) & active


def tangent(x: Any, T: Transform) -> Array | None:
    """The tangent of `x` for T, seen through its window; None if it is 0."""
    if x.__class__ is not Array:
        return None
    node = x._storage.node
    t = node.tan.get(T) if node is not None and node.tan else None
    if t is None or (x._whole >= 0 and t._shape == x._shape):
        return t
    return view_on(t._storage, x._shape, x._strides, x._offset, x._dtype)


def transforms(xs: Iterable[Any], active: int) -> list[Transform]:
    """Those with a tangent for an array among `xs`, outermost first: inner ones may read the outer ones' tangents."""
    found = {
        T: None
        for x in xs
        if x.__class__ is Array and x._storage.node is not None and x._storage.node.tan
        for T in x._storage.node.tan
        if T.bit & active and not T.done
    }
    return sorted(found, key=lambda T: T.serial)


def push(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], static: Any) -> None:
    """Give the results of an op their tangents."""
    attach(inputs, outputs, lambda T: tangents_of(op, inputs, outputs, static, T), op)


def attach(inputs: tuple[Any, ...], outputs: tuple[Array, ...], rule: Callable[[Transform], Any], op: Any) -> None:
    """Give `outputs` the tangents that rule(transform) makes: a sequence, with None for 0."""
    active = local.active
    for T in transforms(inputs, active):
        with recording(around(T, active)):
            away = outputs and outputs[0]._storage.device is not current()
            place_token = place(outputs[0]._storage.device) if away else None  # where rules make what they make of nothing
            try:
                found = rule(T)
            finally:
                if place_token is not None:
                    unplace(place_token)
            for y, t in zip(outputs, found):
                if t is None or y._dtype.kind not in "fc":
                    continue
                t = dense(t, y)
                node = y._storage.node
                if node is None:
                    node = y._storage.node = Node(op, 0, None, y._storage.buffer.shape, y._dtype, ())
                if node.tan is None:
                    node.tan = {}
                node.tan[T] = t
                if node.part is not None:
                    main, i = node.part
                    main.tans = {**(main.tans or {}), i: node.tan}


def dense(t: Array, y: Array) -> Array:
    """A tangent as the whole content of a storage like that of `y`."""
    if t._dtype is not y._dtype:
        t = _array.xp.real(t) if t._dtype.kind == "c" and y._dtype.kind != "c" else t
        t = _array.xp.astype(t, y._dtype)
    if t._shape != y._shape:
        t = _array.broadcast_window(t, y._shape)
    if not is_whole(y):  # lay it out as y is
        order = _strides.dense_order(y._shape, y._strides)
        t = _array.xp.permute_dims(t, order or ())
    return t if is_whole(t) and not t._readonly else copy(t)


def tangents_of(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], static: Any, T: Transform) -> Any:
    """The tangents of an op's results."""
    ts = [tangent(x, T) for x in inputs]
    if op is COPY:
        return ts
    if op is SELECT:
        (t,) = ts
        return (None if t is None else _array.select(t, static),)
    rules = rules_of(op)
    if rules.missing:
        raise NoDerivativeError(f"{op.name} has no derivative; take x.detach() before it if it is meant as a constant")
    if rules.linear == "all":
        constants = rules.constants or [False] * len(inputs)
        filled = [x if fixed else _zero_like(x) if t is None else t for x, t, fixed in zip(inputs, ts, constants)]
        return _outputs(_call(op, tuple(filled), static))
    if rules.linear == "each":
        total: Any = None
        for i, t in enumerate(ts):
            if t is not None:
                d = _call(op, (*inputs[:i], t, *inputs[i + 1 :]), static)
                total = d if total is None else total + d
        return (total,)
    if rules.kind == "vjps":
        return _transposed(op, inputs, outputs, static, ts)
    total = None
    for i, t in enumerate(ts):
        if t is None or rules.constants[i]:
            continue
        if rules.each[i] is None:
            raise NoDerivativeError(f"{op.name} has no derivative by {rules.operands[i]}; take its detach() if it is a constant")
        d = _partial(rules, i, t, inputs, outputs[0], static)
        total = d if total is None else total + d
    return (total,)


def _partial(rules: Any, i: int, t: Array, inputs: tuple[Any, ...], y: Array, static: Any) -> Array:
    rule, names = rules.each[i]
    fold = rules.kind == "fold"
    shape = inputs[0]._shape if fold else ()

    get = _Given(rules, inputs, y, static, shape)
    d = scaled(t, (rule, names), get, False)
    if rules.chooses and names:
        d = _without_unchosen(d, (rule, names), get)
    return _array.xp.sum(d, axis=static["axes"], keepdims=static["keepdims"]) if fold else d


def _without_unchosen(d: Array, chosen: Any, get: Any) -> Array:
    """A tangent with 0 where it is not finite and its element was not chosen: as the reverse sweep has it, nothing depends on that one."""
    xp = _array.xp
    if d._storage.__class__ is not Storage:  # looking at an element would wait for the device
        with recording(0):
            kept = xp.isfinite(d) | (scaled(xp.ones_like(d), chosen, get, False) != 0)
        return xp.where(kept, d, tape.zeros((), d._dtype, d._storage.device))
    finite = np.isfinite(value(d))
    if finite.all():
        return d
    with recording(0):
        lost = ~finite & (value(scaled(xp.ones_like(d), chosen, get, False)) == 0)
    return xp.where(fresh(lost), fresh(np.zeros((), d._dtype)), d) if lost.any() else d


class _Given:
    """What a rule asks for by name. values: what is known, the tangent as `g` among it."""

    def __init__(self, rules: Any, inputs: tuple[Any, ...], y: Array, static: Any, shape: tuple[int, ...]) -> None:
        self.rules, self.inputs, self.y, self.static, self.shape = rules, inputs, y, static, shape
        self.values: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        rules, static = self.rules, self.static
        if name in self.values:
            return self.values[name]
        if name == "y":
            return expand(self.y, static["axes"], static["keepdims"], self.shape) if rules.kind == "fold" else self.y
        if name == "axes":
            return tuple(range(len(self.shape))) if static["axes"] is None else static["axes"]
        if name.startswith("by_"):
            rule, names = rules.other(name)
            return rule(*[self(n) for n in names])
        return self.inputs[rules.places[name]]


def _call(op: Any, arrays: tuple[Any, ...], static: Any) -> Any:
    """The op itself, on tangents."""
    from .. import _dispatch, _fold

    if op.kind == "engine":
        return _dispatch.engine(op, arrays, static or {})
    if op.kind == "elementwise":
        return op.function(*arrays)
    (x,) = arrays
    return _fold.scan(op, x, static["axis"], x._dtype, static["include_initial"])


def _outputs(y: Any) -> Any:
    return y if y.__class__ is tuple else (y,)


def _zero_like(x: Any) -> Any:
    return zeros_as(x) if x.__class__ is Array else x.__class__(0)


def _transposed(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], static: Any, ts: list[Any]) -> Any:
    """The tangents of an op that declares only its vjp: that is linear in the cotangent u, so its own vjp at them is what is sought."""
    from .transforms import watch_values

    T = Transform()
    rules = rules_of(op)
    us = [zeros_as(y) if y._dtype.kind in "fc" else None for y in outputs]
    watched, nodes = watch_values([u for u in us if u is not None], T)
    rest = iter(watched)
    us = [None if u is None else next(rest) for u in us]
    g = us[0] if len(outputs) == 1 else us
    values: dict[str, Any] = dict(zip(rules.operands, inputs)) | rules.static | (static or {})
    values.update(g=g, y=outputs[0] if len(outputs) == 1 else outputs, operands=inputs)
    seeds = []
    if rules.joint is not None:
        rule, names = rules.joint
        values.update(shapes=[x._shape for x in inputs], dtypes=[x._dtype for x in inputs])
        seeds = [(w, t) for w, t in zip(rule(*[values[n] for n in names]), ts) if t is not None and w is not None]
    else:
        for i, t in enumerate(ts):
            if t is None or rules.constants[i]:
                continue
            chosen = rules.each[i]
            if chosen is None:
                raise NoDerivativeError(f"{op.name} has no derivative by {rules.operands[i]}; take its detach() if it is a constant")
            rule, names = chosen
            values["shape"] = inputs[i]._shape
            for n in names:
                if n.startswith("by_") and n not in values:
                    other, takes = rules.other(n)
                    values[n] = other(*[values[k] for k in takes])
            w = rule(*[values[n] for n in names])
            if w is not None:
                seeds.append((w, t))
    from .sweep import settled

    seeds = [(settled(w, (None, None, t._dtype, t._shape, None, 0)), t) for w, t in seeds]
    found = sweep(seeds, T.bit, set(nodes), False)
    rest_nodes = iter(nodes)
    return [None if u is None else found.get(next(rest_nodes)) for u in us]


def push_write(node: Any, x: Array, item: Array | None, key: Any, add: bool) -> None:
    """Give the node of a write its tangents: that of the content before, with that of the item written into it."""
    active = local.active
    storage = x._storage
    before = storage.node
    had: list[Transform] = [T for T in before.tan if not T.done] if before is not None and before.tan else []
    given = transforms((item,), active)
    node.tan = {}
    for T in sorted({*had, *given}, key=lambda T: T.serial):
        on = around(T, active)
        with recording(on):
            t = before.tan.get(T) if before is not None and before.tan else None
            t = zeros(node.shape, node.dtype, storage.device) if t is None else copy(t)
            part = tangent(item, T) if T.bit & active else None
            target = view_on(t._storage, x._shape, x._strides, x._offset, x._dtype)
            if part is not None:
                if part._dtype is not x._dtype:
                    part = _array.xp.astype(part, x._dtype)
                (_array.accumulate if add else _array.assign)(target, part, key)
            elif not add:
                _array.assign(target, 0.0, key)
        node.tan[T] = t
