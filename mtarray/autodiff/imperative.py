"""The imperative style: `x.requires_grad = True`, `y.backward()`, `x.grad`. The same engine, with one bit for all of it."""

from __future__ import annotations

import functools
import sys
import threading
from typing import Any

from .. import _array
from .._array import Array, from_owned
from . import tape
from .sweep import beside, settled, sweep
from .tape import IMPERATIVE, LEAF, Node, local, snapshot, view_on
from .transforms import _number, _operand


class Leaf:
    """Where `backward` leaves the gradient of an array that requires it."""

    __slots__ = ("grad", "lock")

    def __init__(self) -> None:
        self.grad: Array | None = None
        self.lock = threading.Lock()


def requires_grad(x: Array) -> bool:
    node = x._storage.node
    return node is not None and bool(node.mask & IMPERATIVE)


def set_requires_grad(x: Array, value: bool) -> None:
    storage = x._storage
    node = storage.node
    if not value:
        if node is not None and node.mask & IMPERATIVE:
            if node.op is not LEAF:
                raise RuntimeError("requires_grad=False: this array is a result, not a leaf; take x.detach()")
            storage.node = None
        return
    _operand(x, "requires_grad")
    if node is not None and node.mask & IMPERATIVE:
        return
    if node is not None and tape.is_tracked(node):
        raise RuntimeError("requires_grad=True: a grad, vjp or jvp is following this array; set it before, or on a copy")
    if not tape.is_whole(x) and not _covers(x):
        raise ValueError(
            f"requires_grad=True: this array of shape {x.shape} is a view of a part of its memory, and the gradient belongs to all of it; "
            "set it on the array it is a view of, or on x.copy()"
        )
    storage.node = Node(LEAF, IMPERATIVE, Leaf(), storage.buffer.shape, storage.buffer.dtype, ())


def _covers(x: Array) -> bool:
    """Whether a window shows every element of its storage once."""
    from .. import _strides

    same = x._dtype == x._storage.buffer.dtype and x.size == x._storage.buffer.size
    return same and not x._offset and _strides.dense_order(x._shape, x._strides) is not None


def _leaf(x: Array) -> Leaf | None:
    node = x._storage.node
    return node.static if node is not None and node.op is LEAF else None


def gradient(x: Array) -> Array | None:
    leaf = _leaf(x)
    g = leaf.grad if leaf is not None else None
    if g is None or (x._whole >= 0 and g._shape == x._shape):
        return g
    return view_on(g._storage, x._shape, x._strides, x._offset, x._dtype)


def set_gradient(x: Array, g: Any) -> None:
    leaf = _leaf(x)
    if leaf is None:
        if g is None:
            return  # there is none
        raise RuntimeError("grad: this array collects no gradient; set x.requires_grad = True first")
    if g is None:
        leaf.grad = None
        return
    if g.__class__ is not Array or g._shape != x._shape:
        raise ValueError(f"grad: the gradient of an array of shape {x._shape} is an array of that shape, or None")
    total = tape.zeros(x._storage.buffer.shape, x._storage.buffer.dtype, x._storage.device)
    view_on(total._storage, x._shape, x._strides, x._offset, x._dtype)[...] = g
    leaf.grad = total


def backward(y: Array, cotangent: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
    node = y._storage.node
    if node is None or not node.mask & IMPERATIVE:
        raise RuntimeError(
            "backward: this array does not depend on any array with requires_grad = True"
            " (or was computed in no_grad, or detached); see autodiff.draw"
        )
    if cotangent is None:
        _number(y, "backward")
        g = tape.ones_as(y)
    else:
        g = beside(cotangent, y, "backward")
        if g._shape != y._shape:
            raise ValueError(f"backward: the cotangent has shape {g._shape}, the array {y._shape}")
        g = settled(g, (None, None, y._dtype, y._shape, None, 0))
    found = sweep([(y, g)], IMPERATIVE, None, retain_graph or create_graph, create_graph)
    before = local.active
    if not create_graph:
        local.active = before & ~IMPERATIVE
    try:
        for n, g in found.items():
            leaf: Leaf = n.static
            with leaf.lock:
                leaf.grad = g if leaf.grad is None else leaf.grad + g  # what the sweep returns is nobody else's
    finally:
        local.active = before


def deepcopied(x: Array) -> Array:
    """A copy of `x`: of an array that requires a gradient another such array, of a result one that depends on what it depends on."""
    if x._storage.node.op is not LEAF:
        return x.copy()
    out = snapshot(x).copy()
    set_requires_grad(out, True)
    return out


def is_leaf(x: Array) -> bool:
    """Whether `x` requires a gradient of its own, and nothing else is following it."""
    node = x._storage.node
    return node.op is LEAF and not (node.mask & ~IMPERATIVE and tape.is_tracked(node)) and not node.tan


def unpickled(array: Any) -> Array:
    """An array that requires a gradient, as it was pickled."""
    out = from_owned(array)
    set_requires_grad(out, True)
    return out


def detach(x: Array) -> Array:
    return snapshot(x)


# From now on without a search for the module, which took half of the time of `x.grad`.
_array.imperative = functools.partial(sys.modules.__getitem__, __name__)
