"""The tape: names for the contents of storages, and how results and writes get them.

A node names one content of one storage: a write gives the storage another. Arrays hold no node. A window is used together with its
storage's node of that moment, and this pair is an edge. So views are not recorded, cannot be stale, and need no derivative.

Every differentiation in progress has a bit. A node's mask says which of them its content depends on, and a thread's `active` which of
them are being recorded: so nested derivatives do not mix, threads do not meet, and what no one asks for is not recorded.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any

import numpy as np

from .. import _array, _dispatch, _selection, _strides
from .._array import Array, fresh, value
from .._devices import CPU, current
from .._storage import HELD, SHARED, DeviceStorage, Hold, Holds, Storage, copied, held, keep
from .rules import rules_of

_new = object.__new__

IMPERATIVE = 1  # the bit of `x.requires_grad`; each transform in progress has another
SMALL = 4096  # bytes of a window that is copied when it is saved; larger ones are held

_order = itertools.count(1).__next__
_lock = threading.RLock()  # re-entrant: a collection may run Transform.__del__ inside it
_live = IMPERATIVE  # bits in use, by any thread
_began: dict[int, int] = {}  # of each of them but IMPERATIVE, the order of its beginning
_oldest = 0  # the least of these orders: what is older depends on none of them, whatever bits it has from those that ended
_taken = IMPERATIVE  # those, and bits that only the thread which used them may use again


class _Home:
    """The transforms that began in one thread: how many are in progress, and the bits of those that ended meanwhile.

    What was computed in an inner transform keeps its bit. While an outer one is in progress, another thread with that bit would take
    the arrays for its own.
    """

    __slots__ = ("running", "ended")

    def __init__(self) -> None:
        self.running = self.ended = 0


class _Local(threading.local):
    active = -1  # which bits this thread records; -1: all

    def __init__(self) -> None:
        self.home = _Home()
        self.before: list[int] = []  # `active` outside of each no_grad


local = _Local()


@contextmanager
def recording(bits: int) -> Iterator[None]:
    """Record only for the differentiations of these bits."""
    before, local.active = local.active, bits
    try:
        yield
    finally:
        local.active = before


class _NoGrad(ContextDecorator):
    """What is in progress is asked for when it is entered; what was recorded before stands with the thread, so one object serves all."""

    def __enter__(self) -> None:
        local.before.append(local.active)
        local.active &= ~_live

    def __exit__(self, *_: object) -> None:
        local.active = local.before.pop()


def no_grad() -> Any:
    """A context, or decorator of a function, in which nothing is recorded for the derivatives in progress; one that starts inside works
    as usual.

    >>> import mtarray as xp
    >>> x = xp.asarray([1.0, 2.0])
    >>> x.requires_grad = True
    >>> with xp.autodiff.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """
    return _NoGrad()


class Transform:
    """A differentiation in progress (one grad, vjp or jvp). Its bit marks what depends on it. done: no more tangents are wanted of it."""

    __slots__ = ("bit", "outer", "serial", "done", "home")

    def __init__(self) -> None:
        global _live, _oldest, _taken
        with _lock:
            home = self.home = local.home
            free = (~_taken | home.ended) & local.active  # in no_grad too: there, only what was live before is off
            self.bit = free & -free
            self.outer = _live & local.active
            _live |= self.bit
            _taken |= self.bit
            home.ended &= ~self.bit
            home.running += 1
            self.serial = _began[self.bit] = _order()
            _oldest = min(_began.values())
            self.done = False

    def __del__(self) -> None:
        global _live, _oldest, _taken
        with _lock:
            home = self.home
            _live &= ~self.bit
            _began.pop(self.bit, None)
            _oldest = min(_began.values(), default=0)
            home.ended |= self.bit
            home.running -= 1
            if not home.running:
                _taken &= ~home.ended
                home.ended = 0


def live() -> int:
    """The bits of all differentiations in progress."""
    return _live


class Node:
    """The name of one content of a storage.

    order: time of creation; that of an input is always smaller. mask: bits of the reverse transforms it depends on.
    op, static, ins: how it was made: `ins` has an edge or a Python number for each input; None when it was freed.
    shape, dtype: of the storage's buffer. view: (shape, strides) of the result in it, if that is not the whole in C order.
    out: the result as saved, if its derivative needs it. tan: {transform: tangent}, in forward mode. where: the user's line.
    part: of a function of several results, (the node of all, its own place); that node's `parts` says how many there are,
        its `tans` has the `tan` of each that has one.
    """

    out: Any = None
    view: Any = None
    tan: dict[Transform, Array] | None = None
    where: str | None = None
    part: tuple[Node, int] | None = None
    parts: list[Any] | None = None
    tans: dict[int, Any] | None = None

    def __init__(self, op: Any, mask: int, static: Any, shape: tuple[int, ...], dtype: Any, ins: Any) -> None:
        self.order = _order()
        self.mask = mask
        self.op = op
        self.static = static
        self.shape = shape
        self.dtype = dtype
        self.ins = ins


# An edge is (node, saved, dtype, shape, strides, offset): a window on the content that `node` names; strides None: the whole of it in C
# order. saved: what the derivative needs of it, see `save`.
Edge = tuple[Any, Any, Any, Any, Any, int]


class Marker:
    """An operation of the tape itself."""

    __slots__ = ("name",)

    rules = None

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


LEAF, INPUT, COPY, WRITE, SELECT, OPAQUE = (Marker(n) for n in ("leaf", "input", "copy", "write", "select", "function"))

# Set by `nans`: called after every recording with (op, inputs, outputs), and of a write with the elements that were replaced.
watch: Callable[..., None] | None = None


# ---------------------------------------------------------------------- saving


def save(x: Array) -> Any:
    """The elements of `x` as they are now, for later: the whole buffer (an ndarray), a Hold on a part of it, or a copy (an Array)."""
    storage = x._storage
    ties = storage.ties
    if x._whole >= 0:
        if ties is SHARED:
            return fresh(copied(storage.buffer))
        if ties is None:
            storage.ties = HELD
        elif ties is not HELD:
            ties.whole = True
        return storage.buffer
    if 0 in x._shape:
        return zeros(x._shape, x._dtype, storage.device)
    low, high = _strides.extent(x._shape, x._strides)
    n = x._dtype.itemsize
    low, high = (x._offset + low) * n, (x._offset + high + 1) * n
    if (high - low <= SMALL and storage.__class__ is Storage) or ties is SHARED:  # elsewhere a copy costs a launch
        hold = Hold(storage.buffer, low, high)
        hold.detach()
        return hold
    return keep(storage, low, high)


def edge_of(x: Array, saved: bool) -> Edge:
    """The edge to what `x` shows now."""
    storage = x._storage
    if x._whole >= 0:
        return (storage.node, save(x) if saved else None, x._dtype, x._shape, None, 0)
    return (storage.node, save(x) if saved else None, x._dtype, x._shape, x._strides, x._offset)


def restore(edge: Edge) -> Array:
    """What an edge saved as an array again, with the name that it had if anyone records: so derivatives of derivatives see it."""
    node, saved, dtype, shape, strides, offset = edge
    if node is not None and not _seen(node):
        node = None
    if saved.__class__ is np.ndarray:
        storage = _new(Storage)
        storage.buffer = saved
        storage.node = node
        storage.ties = HELD
        out = _new(Array)
        out._storage = storage
        out._shape = shape
        out._strides = _strides.contiguous(shape)
        out._offset = 0
        out._dtype = dtype
        out._whole = saved.size
        out._readonly = False
        return out
    if saved.__class__ is Array:
        return snapshot(saved) if node is None else _linked(value(saved), edge)
    if strides is None:  # the whole of a storage on a device
        strides = _strides.contiguous(shape)
    buffer, shift, ties = held(saved)
    kind = Storage if buffer.__class__ is np.ndarray else DeviceStorage
    if ties is not None:
        storage = kind(buffer, ties)
        storage.node = node
        return view_on(storage, shape, strides, offset, dtype)
    x = view_on(kind(buffer, HELD), shape, strides, offset - shift // dtype.itemsize, dtype)
    if node is None:
        return x
    # What is repeated stays so: a broadcast view of the elements that are really there.
    once = tuple([1 if s == 0 else n for n, s in zip(shape, strides)])
    compact = value(view_on(x._storage, once, strides, x._offset, dtype))
    return _array.broadcast_window(_linked(compact, (node, None, dtype, once, strides, offset)), shape)


def _seen(node: Node) -> bool:
    return bool(node.mask & local.active) or (node.tan is not None and not all(T.done for T in node.tan))


def _linked(elements: Any, edge: Edge) -> Array:
    """A copy of elements, recorded as a copy of the window that an edge points to."""
    node, _, dtype, shape, strides, offset = edge
    x = fresh(np.array(elements, order="C") if elements.__class__ is np.ndarray else elements.copy())
    n = x._storage.node = Node(COPY, node.mask & local.active, None, shape, dtype, ((node, None, dtype, shape, strides, offset),))
    if node.tan:
        steps = _strides.contiguous(shape) if strides is None else strides
        contents = {T: view_on(t._storage, shape, steps, offset, dtype) for T, t in node.tan.items() if not T.done}
        n.tan = {T: copy(t) for T, t in contents.items() if T.bit & local.active}
    return x


def fresh_on(storage: Storage, shape: tuple[int, ...], dtype: Any) -> Array:
    """The array that is the whole of a storage."""
    out = view_on(storage, shape, _strides.contiguous(shape), 0, dtype)
    if storage.__class__ is Storage:
        out._whole = storage.buffer.size
    return out


def is_whole(x: Array) -> bool:
    """Whether a window is all of its storage, in the order of its memory, on whatever device."""
    if x._whole >= 0 or x._storage.__class__ is Storage:
        return x._whole >= 0
    buffer = x._storage.buffer
    return not x._offset and x._dtype is buffer.dtype and x._shape == buffer.shape and x._strides == buffer.strides


def view_on(storage: Storage, shape: Any, strides: Any, offset: int, dtype: Any) -> Array:
    """A window on a storage, of any dtype."""
    out = _new(Array)
    out._storage = storage
    out._shape = shape
    out._strides = strides
    out._offset = offset
    out._dtype = dtype
    out._whole = -1
    out._readonly = False
    out._view_of = None
    return out


def copy(x: Array) -> Array:
    """A copy of `x`, recorded."""
    out = fresh(copied(x._storage.buffer) if x._whole >= 0 else value(x).copy())
    if x._storage.node is not None:
        record_copy(x, out)
    return out


def snapshot(x: Array) -> Array:
    """The elements of `x` by value, untracked: whoever writes first makes a copy."""
    storage = x._storage
    if not is_whole(x) or storage.ties is SHARED or storage.ties.__class__ is Holds:
        elements = value(x)
        return fresh(np.array(elements, order="C") if elements.__class__ is np.ndarray else elements.copy())
    storage.ties = HELD
    return fresh_on(storage.__class__(storage.buffer, HELD), x._shape, x._dtype)


def by_value(x: Array) -> Array:
    """`x` for somebody who may write into it: the same elements and name, in memory of its own."""
    out = snapshot(x)
    if x._storage.node is not None:
        record_copy(x, out)
    return out


def zeros(shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
    """Zeros on a device, by default on that of the cotangents at hand."""
    if (device or current()) is CPU:
        return fresh(np.zeros(shape, dtype))
    return _array.xp.zeros(shape, dtype=dtype, device=device)


def zeros_as(x: Array) -> Array:
    """Zeros of the shape and dtype of `x`, where it is."""
    return zeros(x._shape, x._dtype, x._storage.device)


def ones_as(x: Array) -> Array:
    """Ones of the shape and dtype of `x`, where it is."""
    if x._storage.__class__ is Storage:
        return fresh(np.ones(x._shape, x._dtype))
    return _array.xp.ones(x._shape, dtype=x._dtype, device=x._storage.device)


# ---------------------------------------------------------------------- recording


def record(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], static: Any) -> None:
    """Name fresh results; some input's storage has a node."""
    rules = op.rules
    if rules is None:
        if watch is None and not _is_asked_for(inputs):
            return  # the derivative may have to be derived from the source first
        rules = rules_of(op)
    if rules.flat:
        return
    active = local.active
    count = len(inputs)
    if count <= 2 and watch is None:
        # The loops below, written out for one or two operands that are numbers or whole: most are, and it is a third faster.
        x1, x2 = inputs if count == 2 else (inputs[0], None)
        node1 = saved1 = node2 = saved2 = None
        mask = tracked = 0
        is1, is2 = x1.__class__ is Array, x2.__class__ is Array
        whole = True
        if is1:
            whole = x1._whole >= 0
            s1 = x1._storage
            node1 = s1.node
            if node1 is not None:
                mask = node1.mask & active
                if node1.order < _oldest:
                    mask &= IMPERATIVE
                if mask:
                    tracked = 1
                if node1.tan is not None:
                    whole = False
        if is2:
            whole = whole and x2._whole >= 0
            s2 = x2._storage
            node2 = s2.node
            if node2 is not None:
                m = node2.mask & active
                if node2.order < _oldest:
                    m &= IMPERATIVE
                if m:
                    mask |= m
                    tracked |= 2
                if node2.tan is not None:
                    whole = False
        y = outputs[0]
        dtype = y._dtype
        if whole and len(outputs) == 1 and y._whole >= 0 and dtype.kind in "fc":
            if not mask:
                return
            storage = y._storage
            keeps = rules.kept.get(tracked) or rules.saves(tracked, count)
            node = storage.node = _new(Node)
            node.order = _order()
            node.mask = mask
            node.op = op
            node.static = static
            node.dtype = dtype
            node.shape = y._shape
            if is1:
                if keeps[1]:
                    if s1.ties is None or s1.ties is HELD:
                        s1.ties = HELD
                        saved1 = s1.buffer
                    else:
                        saved1 = save(x1)
                x1 = (node1 if tracked & 1 else None, saved1, x1._dtype, x1._shape, None, 0)
            if is2:
                if keeps[2]:
                    if s2.ties is None or s2.ties is HELD:
                        s2.ties = HELD
                        saved2 = s2.buffer
                    else:
                        saved2 = save(x2)
                x2 = (node2 if tracked & 2 else None, saved2, x2._dtype, x2._shape, None, 0)
            node.ins = (x1, x2) if count == 2 else (x1,)
            if keeps[0]:
                storage.ties = HELD
                node.out = storage.buffer
            return
    _record(op, inputs, outputs, static, rules)


def _record(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], static: Any, rules: Any) -> None:
    """`record` for any operands, results and listeners."""
    active = local.active
    mask = tracked = 0
    rare = watch is not None
    bit = 1
    for x in inputs:
        if x.__class__ is Array:
            node = x._storage.node
            if node is not None:
                m = node.mask & active  # `_bits`, written out
                if m and node.order < _oldest:
                    m &= IMPERATIVE
                if m:
                    mask |= m
                    tracked |= bit
                if node.tan is not None:
                    rare = True
        bit += bit
    if mask:
        keeps = rules.kept.get(tracked) or rules.saves(tracked, len(inputs))
        ins: list[Any] = []
        for which, x in enumerate(inputs, 1):
            if x.__class__ is not Array:
                ins.append(x)
            elif x._whole >= 0:
                storage = x._storage
                saved = None
                if keeps[which]:
                    if storage.ties is None or storage.ties is HELD:
                        storage.ties = HELD
                        saved = storage.buffer
                    else:
                        saved = save(x)
                node = storage.node
                if node is not None and not (tracked >> which - 1 & 1 or node.tan):
                    node = None  # left over from what has ended: not to be kept alive
                ins.append((node, saved, x._dtype, x._shape, None, 0))
            else:
                node = x._storage.node
                if node is not None and not (tracked >> which - 1 & 1 or node.tan):
                    node = None
                ins.append((node, save(x) if keeps[which] else None, x._dtype, x._shape, x._strides, x._offset))
        if len(outputs) == 1:
            (y,) = outputs
            if y._dtype.kind in "fc":
                node = _new(Node)  # written out: half the time of a call
                node.order = _order()
                node.mask = mask
                node.op = op
                node.static = static
                node.dtype = y._dtype
                node.ins = ins
                storage = y._storage
                storage.node = node
                if y._whole >= 0:
                    node.shape = y._shape
                    if keeps[0]:
                        storage.ties = HELD
                        node.out = storage.buffer
                else:
                    node.shape = storage.buffer.shape
                    if not is_whole(y):
                        node.view = (y._shape, y._strides)
                    if keeps[0]:
                        node.out = save(y)
        else:
            record_parts(op, mask, static, ins, outputs, keeps[0])
    if rare:
        _finish(op, inputs, outputs, static)


def _is_asked_for(inputs: tuple[Any, ...]) -> bool:
    """Whether a derivative that is being recorded depends on one of the inputs."""
    nodes = [x._storage.node for x in inputs if x.__class__ is Array]
    bits = local.active
    return any(n is not None and (n.mask & bits or any(T.bit & bits and not T.done for T in n.tan or ())) for n in nodes)


def record_parts(op: Any, mask: int, static: Any, ins: Any, outputs: tuple[Array, ...], keeps_y: bool) -> None:
    """Name the results of one call: a node for all, and one for each that can be differentiated."""
    main = Node(op, mask, static, (), outputs[0]._dtype, ins)
    main.parts = [(y._shape, y._dtype) for y in outputs]
    saved = [(save(y) if keeps_y else None, y._dtype, y._shape, None if is_whole(y) else y._strides) for y in outputs]
    nodes: list[Any] = []
    for i, y in enumerate(outputs):
        if y._dtype.kind not in "fc":
            nodes.append(None)
            continue
        storage = y._storage
        node = storage.node = Node(op, mask, None, storage.buffer.shape, y._dtype, ())
        node.part = (main, i)
        if not is_whole(y):
            node.view = (y._shape, y._strides)
        nodes.append(node)
    if keeps_y:
        # The results keep no name here: the node of all would keep itself alive through theirs. They get it when they are restored.
        main.out = saved


def _finish(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], static: Any) -> None:
    """The rest of recording: tangents, and what watches."""
    floating = any(y._dtype.kind in "fc" for y in outputs)
    if floating and any(x.__class__ is Array and x._storage.node is not None and x._storage.node.tan for x in inputs):
        from .forward import push

        push(op, inputs, outputs, static)
    if watch is not None:
        watch(op, inputs, outputs)


def _bits(node: Node, active: int) -> int:
    """Those of the differentiations `active` that a content depends on; bits left over from what has ended do not count."""
    bits = node.mask & active
    return bits & IMPERATIVE if node.order < _oldest else bits


def record_copy(x: Array, out: Array) -> None:
    """Name `out`, which has the elements of `x` by value."""
    node = x._storage.node
    mask = _bits(node, local.active)
    storage = out._storage
    if mask:
        storage.node = Node(COPY, mask, None, storage.buffer.shape, out._dtype, (edge_of(x, False),))
    if node.tan:
        from .forward import push

        push(COPY, (x,), (out,), None)


def record_selection(x: Array, out: Array, key: tuple[Any, ...]) -> None:
    """Name `out`, which index arrays selected from the window `x`."""
    if out._dtype.kind not in "fc":
        return
    node = x._storage.node
    mask = _bits(node, local.active)
    key = constant_key(key)
    if mask:
        storage = out._storage
        storage.node = n = Node(SELECT, mask, key, storage.buffer.shape, out._dtype, (edge_of(x, False),))
        if not is_whole(out):
            n.view = (out._shape, out._strides)
    if node.tan or watch is not None:
        _finish(SELECT, (x,), (out,), key)


def constant_key(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Index arrays as they are now: they may be windows on arrays that are written later."""
    return tuple([k.copy() if hasattr(k, "copy") else k for k in key])


def written(x: Array, item: Array | None, key: Any, add: bool) -> None:
    """Give a storage a new name: `item` (None: a constant) was written into, or added to, what `key` selects of its window `x`.

    What was not overwritten keeps its dependence whatever is being recorded; only the value written is subject to that.
    """
    storage, active = x._storage, local.active
    before = storage.node
    vn = item._storage.node if item is not None else None
    given = _bits(vn, active) if vn is not None else 0
    had = _bits(before, -1) if before is not None else 0
    relabel = before is not None and before.op is LEAF and not active & IMPERATIVE
    if relabel:
        had &= ~IMPERATIVE  # an update of a leaf in no_grad: it stays a leaf
    tangents = (before is not None and before.tan) or (vn is not None and vn.tan)
    shape, dtype = storage.buffer.shape, storage.buffer.dtype
    node = None
    if had | given or tangents:
        if key is not None:
            key = constant_key(key)
        static = (x._dtype, x._shape, x._strides, x._offset, key, add)
        ins: tuple[Any, ...] = ()
        if had | given:
            former = before if had or (before is not None and before.tan) else None
            ins = ((former, None, dtype, shape, None, 0), edge_of(item, False) if item is not None else None)
        node = Node(WRITE, had | given, static, shape, dtype, ins)
    if tangents:
        from .forward import push_write

        push_write(node, x, item, key, add)
    storage.node = node
    if relabel:
        _releaf(storage, before)
    if watch is not None:
        replaced = item is not None and not add  # a constant was not made; of a sum the terms are gone
        watch(WRITE, (item,) if replaced else (), (x,), value(x)[() if key is None else key] if replaced else np.empty(0))


def overwritten(x: Array) -> None:
    """What is about to be written into the window `x` comes from code that records nothing: it counts as constant."""
    written(x, None, None, False)


def adopted(storage: Storage, former: Any) -> None:
    """A storage took over a fresh content and its node; `former` was its own."""
    if former is not None and former.op is LEAF and not local.active & IMPERATIVE:
        _releaf(storage, former)


def _releaf(storage: Storage, former: Node) -> None:
    node = storage.node
    mask = node.mask if node is not None else 0
    storage.node = leaf = Node(LEAF, mask | IMPERATIVE, former.static, storage.buffer.shape, storage.buffer.dtype, ())
    if node is not None:
        leaf.tan = node.tan


def is_tracked(node: Node) -> bool:
    """Whether a derivative in progress, or a later `backward`, may ask for what depends on this content."""
    active = local.active
    mask = node.mask & _live & active
    if mask & ~IMPERATIVE:
        # The bit of a transform that ended may be another's by now: that one depends on nothing older than itself.
        mask &= IMPERATIVE | sum([bit for bit, began in list(_began.items()) if mask & bit and began < node.order])
    return bool(mask) or (node.tan is not None and any(T.bit & active and not T.done for T in node.tan))


def is_update(node: Node) -> bool:
    """Whether a write now only updates a leaf, in `no_grad` and followed by nothing but `backward`: it stays the same leaf."""
    return node.op is LEAF and node.mask == IMPERATIVE and node.tan is None and not local.active & IMPERATIVE and watch is None


_dispatch.record = record
_dispatch.is_update = is_update
_dispatch.adopted = adopted
_selection.record_selection = record_selection
_selection.written = written
_array.record_copy = record_copy
_array.is_tracked = is_tracked
_array.overwritten = overwritten
