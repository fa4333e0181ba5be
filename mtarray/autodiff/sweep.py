"""The reverse sweep: cotangents from results to inputs.

It is ordinary array code, which adds in place into cotangents that it owns, so the tape can record it: that is all there is to higher
orders. A cotangent is df/dx + i df/dy for a complex x + iy, so that windows of real or imaginary parts need no case of their own.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import prod
from typing import Any

import numpy as np

from .. import _array, _strides
from .._array import Array, fresh, value, window
from .._config import config
from .._devices import current, place, unplace
from .._operands import QUIET, reset_errors, set_errors
from .._storage import HELD, Storage
from . import tape
from .plain import carry, of_plain
from .rules import is_linear
from .tape import COPY, INPUT, LEAF, OPAQUE, SELECT, WRITE, Edge, Node, Transform, copy, edge_of, is_whole, local, restore, view_on, zeros


class NoDerivativeError(RuntimeError):
    """A derivative was asked of what has none."""


class FreedError(RuntimeError):
    """A part of the graph was asked for that an earlier backward pass freed."""


FEW = 4096  # elements up to which a sum is made sooner than a window is added in place

# Set by `nans`: called with (node, cotangent, given) after the cotangents `given` were made from that of a node.
watch: Any = None


def sweep(seeds: list[tuple[Array, Array]], bit: int, leaves: set[Node] | None, keep: bool, create: bool = False) -> dict[Node, Array]:
    """Carry the cotangents of `seeds` (array, cotangent) back along what has `bit`; returns those that arrive, by node.

    leaves: nodes to stop at; None: every leaf. keep: whether the graph may be used again. create: whether this sweep is recorded under the
    same bit as well (otherwise only for other differentiations).
    """
    return _Sweep(bit, leaves, keep).run(seeds, create)


class _Sweep:
    def __init__(self, bit: int, leaves: set[Node] | None, keep: bool) -> None:
        self.bit = bit
        self.leaves = leaves
        self.keep = keep
        self.floor = 0 if leaves is None else min([n.order for n in leaves], default=0)  # what is older cannot depend on a leaf
        self.cotangents: dict[Node, list[Any]] = {}  # node -> [array, whether it is ours to write]; of a node with parts, a list
        self.heap: list[tuple[int, Node]] = []
        self.found: dict[Node, Array] = {}
        self.unused: set[Node] = set()  # whose contents were used in part: overwritten, not chosen, or read through windows

    def run(self, seeds: list[tuple[Array, Array]], create: bool) -> dict[Node, Array]:
        for y, g in seeds:
            node = y._storage.node
            if node is not None and node.mask & self.bit:
                self.give(edge_of(y, False), g, False)
        plain = watch is None and config._values["kernels"] == "auto"
        unused = self.unused
        token, before = set_errors(QUIET), local.active
        placed, place_token = current(), None  # where rules make what they make of nothing
        if not create:
            local.active = before & ~self.bit
        try:
            while self.heap:
                node = heappop(self.heap)[1]
                g, owned = self.cotangents.pop(node)
                if g.__class__ is Array and g._storage.device is not placed:
                    placed = g._storage.device
                    place_token = place(placed) if place_token is None else (place(placed), place_token)[1]
                if not (plain and node.op.rules is not None and self.visit_plain(node, g)):
                    self.visit(node, g, owned)
                if unused:
                    unused.discard(node)
                del g
        finally:
            if place_token is not None:
                unplace(place_token)
            local.active = before
            reset_errors(token)
        return self.found

    def visit_plain(self, node: Node, g: Any) -> bool:
        """`visit` on ndarrays, where that serves; otherwise nothing has happened."""
        if g.__class__ is Array:
            storage = g._storage
            if (
                storage.__class__ is not Storage
                or storage.node is not None
                or g._dtype.kind != "f"
                or (storage.ties is not None and storage.ties is not HELD)
            ):
                return False
            storage.ties = HELD  # it may be somebody's, who writes into it while what becomes of it here is still in use
            g = value(g)
        elif g.__class__ is list:
            return False
        if self.leaves is not None and node in self.leaves:
            return False
        op = node.op
        unused = node in self.unused and (op.rules.kind != "vjps" or op.name == "join")
        if not carry(self, node, g, unused, unused or op.rules.chooses):
            return False
        if node.mask == self.bit and not self.keep:
            self.free(node)
        return True

    def free(self, node: Node) -> None:
        """Nobody else differentiates through this node: free what it saved."""
        node.ins = node.static = None
        node.out = None
        if self.bit != tape.IMPERATIVE:
            node.mask = 0

    def visit(self, node: Node, g: Any, owned: bool) -> None:
        if g.__class__ is not Array and g.__class__ is not list:
            g, owned = of_plain(g, owned)
        if node.op is LEAF if self.leaves is None else node in self.leaves:
            self.found[node] = g if owned else tape.by_value(g)  # it may be somebody's cotangent, or that of two
            return
        if g.__class__ is Array and g._whole < 0 and not tape.is_whole(g) and (node.view is not None or node.op is WRITE):
            g, owned = copy(g), True  # windows of it will be taken
        if node.part is not None:
            main, i = node.part
            entry = self.cotangents.get(main)
            if entry is None:
                entry = self.cotangents[main] = [[None] * len(main.parts or ()), False]
                heappush(self.heap, (-main.order, main))
            g, before = _seen_as(node, g), entry[0][i]
            entry[0][i] = g if before is None else before + g  # the result, and what was restored of it
            return
        if node.ins is None:
            raise FreedError(
                f"backward: the values saved for {node.op.name} were freed by an earlier backward pass; pass retain_graph=True to that "
                "one, or compute the result again"
            )
        wanted = [e.__class__ is tuple and e[0] is not None and bool(e[0].mask & self.bit) and e[0].order >= self.floor for e in node.ins]
        if True in wanted:
            self.pull(node, g, owned, wanted)
        if watch is not None:
            given = [self.cotangents[e[0]][0] for e, w in zip(node.ins, wanted) if w and e[0] in self.cotangents]
            watch(node, g, [x for x in given if x.__class__ is Array])
        if node.mask == self.bit and not self.keep:
            self.free(node)

    # ------------------------------------------------------------------ giving

    def give(self, edge: Edge, g: Array, owned: bool, key: Any = None) -> None:
        """Add g to the cotangent of an edge's node, at the edge's window (and, of that, at what `key` selects)."""
        node, _, dtype, shape, strides, offset = edge
        entry = self.cotangents.get(node)
        if entry is None:
            heappush(self.heap, (-node.order, node))
        elif entry[0].__class__ is not Array:
            entry[0], entry[1] = of_plain(*entry)
        if key is not None and strides is not None and _strides.overlaps(shape, strides):
            # Elements that `key` tells apart may be one: they are added where they are not, and then as a window.
            whole = zeros(shape, dtype, g._storage.device)
            _array.accumulate(whole, g, key)
            g, owned, key = whole, True, None
        if key is None:
            if strides is not None:
                axes = tuple([i for i, (n, s) in enumerate(zip(shape, strides)) if s == 0 and n > 1])
                if axes:  # a broadcast window: its elements are one
                    g, owned = _array.xp.sum(g, axis=axes), True
                    shape = tuple([n for i, n in enumerate(shape) if i not in axes])
                    strides = tuple([s for i, s in enumerate(strides) if i not in axes])
                order = _strides.dense_order(shape, strides) if prod(shape) == prod(node.shape) and dtype is node.dtype else None
                if order is not None and not offset:  # all of it, its axes permuted
                    g, strides = _array.xp.permute_dims(g, order), None
            if strides is None:
                if g._shape != node.shape:
                    g = _array.xp.reshape(g, node.shape)
                if entry is None:
                    self.cotangents[node] = [g, owned and is_whole(g) and not g._readonly]
                elif entry[1] and (is_whole(g) or entry[0]._whole > FEW):
                    entry[0] += g
                else:
                    g = entry[0] + g  # of two permuted windows: laid out as they are, so nothing can be added at a window of it
                    self.cotangents[node] = [g, is_whole(g)]
                return
        first = entry is None
        if entry is None:
            entry = self.cotangents[node] = [zeros(node.shape, node.dtype, g._storage.device), True]
            self.unused.add(node)
        elif not entry[1]:
            entry[0], entry[1] = copy(entry[0]), True
        total = entry[0]
        steps = _strides.contiguous(shape) if strides is None else strides
        target = view_on(total._storage, shape, steps, offset, dtype)
        if first and key is None and not _strides.overlaps(shape, steps):
            _array.assign(target, g, None)
        else:
            _array.accumulate(target, g, key)

    # ------------------------------------------------------------------ pulling

    def pull(self, node: Node, g: Any, owned: bool, wanted: list[bool]) -> None:
        """Give the inputs of a node what its cotangent g makes theirs."""
        op, ins = node.op, node.ins
        if op is WRITE:
            self._pull_write(node, g, owned, wanted)
        elif op is COPY:
            if node in self.unused:
                self.unused.add(ins[0][0])
            self.give(ins[0], settled(_seen_as(node, g), ins[0]), False)
        elif op is SELECT:
            self.give(ins[0], _seen_as(node, g), False, node.static)
        elif op is OPAQUE:
            parts = g if node.parts is not None else (_seen_as(node, g),)
            for edge, w, d in zip(ins, wanted, node.static(node, parts, [restore(e) for e in ins])):
                if w and d is not None:
                    self.give(edge, settled(d, edge), False)
        else:
            self._pull_op(node, g, owned, wanted)

    def _pull_write(self, node: Node, g: Array, owned: bool, wanted: list[bool]) -> None:
        dtype, shape, strides, offset, key, add = node.static
        before, item = node.ins
        if item is not None and wanted[1]:
            region = view_on(g._storage, shape, strides, offset, dtype)
            gv = copy(region) if key is None else _array.select(region, key)
            if key is not None and not add:
                gv = _winners(gv, shape, key)
            self.give(item, settled(gv, item), True)
        if wanted[0]:
            if not add:
                if not owned:
                    g, owned = copy(g), True
                target = view_on(g._storage, shape, strides, offset, dtype)
                _array.assign(target, 0.0, key)
                self.unused.add(before[0])
            self.give(before, g, owned)

    def _pull_op(self, node: Node, g: Any, owned: bool, wanted: list[bool]) -> None:
        op, ins = node.op, node.ins
        rules = op.rules
        if rules.missing:
            raise NoDerivativeError(f"{op.name} has no derivative; take x.detach() before it if it is meant as a constant")
        if node.view is not None and node.parts is None:
            g = _seen_as(node, g)
        get = _Saved(node, rules)
        unused = node in self.unused and (rules.kind != "vjps" or op.name == "join")
        if unused or op.rules.chooses:
            self.unused.update([e[0] for e, w in zip(ins, wanted) if w])
        if rules.joint is not None:
            rule, names = rules.joint
            get.values = {"g": g, "shapes": [e[3] for e in ins], "dtypes": [e[2] for e in ins]}
            for edge, w, d in zip(ins, wanted, rule(*[get(n) for n in names])):
                if w and d is not None:
                    self.give(edge, settled(d, edge), False)
            return
        kind = rules.kind
        shared = {n for n in rules.shared if n}
        for i, w in enumerate(wanted):
            if not w or rules.constants[i]:
                continue
            chosen = rules.each[i]
            if chosen is None:
                raise NoDerivativeError(f"{op.name} has no derivative by {rules.operands[i]}; take its detach() if it is a constant")
            edge = ins[i]
            if kind == "vjps":
                rule, names = chosen
                get.values["g"] = g
                get.values["shape"] = edge[3]
                d = rule(*[get(n) for n in names])
                if rules.shared[i]:
                    get.values[rules.shared[i]] = d
                if d is not None:
                    self.give(edge, settled(d, edge), False)
                continue
            if kind == "partials":
                d = g
                if d._shape != edge[3] and not chosen[1]:
                    d = sum_to(d, edge[3])  # before it is scaled by a number: fewer elements
            elif chosen[1] and is_linear(chosen[1]):
                d = _kept(g, node.static["axes"], node.static["keepdims"], edge[3])
            else:
                d = expand(g, node.static["axes"], node.static["keepdims"], edge[3])
            before, d = d, scaled(d, chosen, get, True, rules.shared[i])
            if unused and chosen[1]:
                d = _nothing_of_nothing(d, before)
            if d._shape != edge[3] or d._dtype is not edge[2]:
                d = settled(d, edge)
            ours = d._storage is not g._storage or (owned and len(ins) == 1 and kind == "partials")
            if ours and shared and (rules.shared[i] or (chosen[1] and any(d._storage is get(n)._storage for n in shared & {*chosen[1]}))):
                ours = False  # other rules go on from it
            self.give(edge, d, ours)


def beside(g: Any, y: Array, where: str) -> Array:
    """A cotangent of `y` that somebody gives, as an Array; what has no device goes to that of `y`. ValueError for an array elsewhere."""
    g = _array.xp.asarray(g, device=None if g.__class__ is Array else y._storage.device)
    if g._storage.device is not y._storage.device:
        raise ValueError(
            f"{where}: the cotangent (shape {g._shape}, {g._dtype}) is on device {g.device.name!r}, the result (shape {y._shape}, "
            f"{y._dtype}) on {y.device.name!r}; move one of them with to_device"
        )
    return g


def _nothing_of_nothing(d: Array, g: Array) -> Array:
    """d, made of the cotangent g, with 0 where g is 0 and d is not finite.

    What was overwritten or not chosen has the cotangent 0, and may have an infinite derivative, as in `where(x == 0, 0, log(x))`. Nothing
    depends on it all the same.
    """
    if d._storage.__class__ is not Storage:  # looking at an element would wait for the device
        xp = _array.xp
        return xp.where(xp.isfinite(d) | (g != 0), d, xp.zeros((), dtype=d._dtype, device=d._storage.device))
    if d._whole > FEW:  # one pass on all cores, where a look at each element takes three on one
        alone = tape.fresh_on(Storage(d._storage.buffer, HELD), d._shape, d._dtype)
        if np.isfinite(value(_array.xp.sum(alone))):
            return d
    elements = value(d)
    if np.isfinite(elements).all():
        return d
    lost = ~np.isfinite(elements) & (value(g) == 0)
    return _array.xp.where(fresh(lost), fresh(np.zeros((), d._dtype)), d) if lost.any() else d


class _Saved:
    """What a rule asks for by name, made when it asks."""

    __slots__ = ("node", "rules", "values")

    def __init__(self, node: Node, rules: Any) -> None:
        self.node = node
        self.rules = rules
        self.values: dict[str, Any] = {}

    def __call__(self, name: str) -> Any:
        x = self.values.get(name)
        if x is not None:
            return x
        node, rules = self.node, self.rules
        place = rules.places.get(name)
        if place is not None:
            edge = node.ins[place]
            x = restore(edge) if edge.__class__ is tuple else edge
        elif name == "y":
            x = _result(node)
            if rules.kind == "fold":
                x = expand(x, node.static["axes"], node.static["keepdims"], node.ins[0][3])
        elif name.startswith("by_"):
            rule, names = rules.other(name)
            x = rule(*[self(n) for n in names])
        elif name == "operands":
            x = [restore(e) if e.__class__ is tuple else e for e in node.ins]
        elif name == "axes":
            axes = node.static["axes"]
            x = tuple(range(len(node.ins[0][3]))) if axes is None else axes
        else:
            x = (node.static or {}).get(name, rules.static.get(name))
        self.values[name] = x
        return x


def _result(node: Node) -> Any:
    """The result, or results, of a node as saved, with their names."""
    if node.parts is None:
        shape, strides = node.view or (node.shape, None)
        return restore((node, node.out, node.dtype, shape, strides, 0))
    results = []
    for i, (saved, dtype, shape, strides) in enumerate(node.out):
        part, tangents = None, node.tans.get(i) if node.tans else None
        if dtype.kind in "fc" and (node.mask & local.active or tangents):
            part = Node(node.op, node.mask, None, shape if strides is None else _memory_shape(shape, strides), dtype, ())
            part.part = (node, i)
            part.tan = tangents
            if strides is not None:
                part.view = (shape, strides)
        results.append(restore((part, saved, dtype, shape, strides, 0)))
    return tuple(results)


def _memory_shape(shape: Any, strides: Any) -> Any:
    order = _strides.dense_order(shape, strides)
    return tuple([shape[i] for i in order or ()])


def _seen_as(node: Node, g: Array) -> Array:
    """The cotangent of a node's memory in the shape of its result."""
    if node.view is None:
        return g
    shape, strides = node.view
    return view_on(g._storage, shape, strides, 0, node.dtype)


def expand(g: Array, axes: Any, keepdims: bool, shape: tuple[int, ...]) -> Array:
    """What a fold over `axes` of an array of this shape gave, repeated to that shape."""
    if keepdims:
        return _array.broadcast_window(g, shape)
    if axes is None:
        strides: tuple[int, ...] = (0,) * len(shape)
    else:
        kept = iter(g._strides)
        strides = tuple([0 if i in axes else next(kept) for i in range(len(shape))])
    return g if g._shape == shape else window(g, shape, strides, g._offset, readonly=prod(g._shape) != prod(shape))


def _kept(g: Array, axes: Any, keepdims: bool, shape: tuple[int, ...]) -> Array:
    """What a fold over `axes` of an array of this shape gave, its axes kept with length 1."""
    return g if keepdims else _array.xp.reshape(g, tuple([1 if axes is None or i in axes else n for i, n in enumerate(shape)]))


def scaled(g: Array, chosen: Any, get: Any, back: bool, shared: str = "") -> Array:
    """g times a partial derivative; `back`: its conjugate, if it is complex. What a rule takes comes from `get`, which is told g, and what
    the rule returns, if another takes it by the name `shared`."""
    rule, names = chosen
    if not names:
        return g if rule == 1 else -g if rule == -1 else g * rule
    if is_linear(names):
        turned = back and g._dtype.kind == "c"
        get.values["g"] = _array.xp.conj(g) if turned else g
        out = rule(*[get(n) for n in names])
        if shared:
            get.values[shared] = out
        return _array.xp.conj(out) if turned else out
    p = rule(get(names[0])) if len(names) == 1 else rule(*[get(n) for n in names])
    if back:
        if p.__class__ is Array:
            p = _array.xp.conj(p) if p._dtype.kind == "c" else p
        elif p.__class__ is complex:
            p = p.conjugate()
    return g * p


def settled(d: Array, edge: Edge) -> Array:
    """A cotangent in the shape and dtype of what it belongs to."""
    _, _, dtype, shape, _, _ = edge
    if d._shape != shape:
        d = sum_to(d, shape)
    if d._dtype is not dtype:
        if d._dtype.kind == "c" and dtype.kind != "c":
            d = _array.xp.real(d)
        if d._dtype is not dtype:
            d = _array.xp.astype(d, dtype)
    return d


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` summed over the axes along which an array of this shape was repeated to become its shape; or repeated itself."""
    lead = len(x._shape) - len(shape)
    if lead < 0 or any(n == 1 and m != 1 for n, m in zip(x._shape[lead:], shape)):
        x = _array.broadcast_window(x, _strides.broadcast_shape(x._shape, shape))
        lead = len(x._shape) - len(shape)
    axes = tuple(range(lead)) + tuple([i + lead for i, n in enumerate(shape) if n == 1 and x._shape[i + lead] != 1])
    if axes:
        x = _array.xp.sum(x, axis=axes if len(axes) > 1 else axes[0], keepdims=not lead)  # one axis as an int, for the door's short way
    return x if x._shape == shape else _array.xp.reshape(x, shape)


def _winners(g: Array, shape: tuple[int, ...], key: tuple[Any, ...]) -> Array:
    """Of several values written to one place the last one stays; the others get no cotangent."""
    arrays = [k for k in key if isinstance(k, np.ndarray)]
    if g._storage.__class__ is not Storage:
        return _winners_elsewhere(g, shape, key)
    if not any(k.dtype.kind in "iu" for k in arrays):
        return g
    if len(key) == 1 and np.unique(arrays[0] % shape[0]).size == arrays[0].size:
        return g  # no place twice, found without a table of the whole window
    ids = np.empty(shape, np.intp)
    mine = np.arange(prod(g._shape)).reshape(g._shape)
    ids[key] = mine
    won = ids[key] == mine
    return g if won.all() else _array.xp.where(fresh(won), g, fresh(np.zeros((), g._dtype)))


def _winners_elsewhere(g: Array, shape: tuple[int, ...], key: tuple[Any, ...]) -> Array:
    """`_winners` on a device, without waiting for it."""
    if not any(getattr(k, "dtype", g._dtype).kind in "iu" for k in key):
        return g
    xp, device = _array.xp, g._storage.device
    ids = xp.empty(shape, dtype=xp.int64, device=device)
    mine = xp.reshape(xp.arange(prod(g._shape), device=device), g._shape)
    _array.assign(ids, mine, key)
    won = _array.select(ids, key) == mine
    return xp.where(won, g, xp.zeros((), dtype=g._dtype, device=device))


__all__ = ["INPUT", "FreedError", "NoDerivativeError", "Transform", "sweep", "window"]
