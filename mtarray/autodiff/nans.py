"""Where NaNs and infinities are born, in forward and in backward passes."""

from __future__ import annotations

import linecache
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._array import Array, value
from .._ops import Elementwise
from . import forward, sweep, tape

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_EXAMPLES = _PACKAGE + "examples" + os.sep  # written as users write
_RULES = (sweep._Sweep.visit.__code__, forward.attach.__code__)  # below these frames rules run, which may pass by infinities


class NonFiniteError(FloatingPointError):
    """A NaN or infinity was born. op: the name of the operation; where: "file:line" of the user's code that called it."""

    def __init__(self, message: str, op: str, where: str) -> None:
        super().__init__(message)
        self.op = op
        self.where = where


class _Local(threading.local):
    depth = 0  # of the contexts that this thread is in


_local = _Local()
_lock = threading.Lock()
_users = 0  # contexts entered, by all threads


@contextmanager
def trace_nans() -> Iterator[None]:
    """A context that raises `NonFiniteError` where the first NaN or infinity of a forward or backward pass is born, for this thread.

    It names the operation and the user's line. Born means: NaN of operands without NaN, or an infinity of finite ones; of an elementwise
    operation this is asked of each element. So data and constants that are not finite (masks of -inf) may pass. Seen is what is recorded:
    operations on arrays that are differentiated by, and what depends on them; in the backward pass, the cotangents, with the line of the
    operation they belong to; in forward mode, the tangents. Every result is read once more, so it is for searching, not for production.

    >>> import mtarray as xp
    >>> with xp.autodiff.trace_nans():
    ...     xp.grad(lambda x: xp.sum(xp.sqrt(x)))(xp.asarray([1.0, 0.0]))
    Traceback (most recent call last):
        ...
    mtarray.autodiff.nans.NonFiniteError: the backward pass of sqrt made inf of a finite cotangent, at [1] of shape (2,)
      <doctest mtarray.autodiff.nans.trace_nans[1]>:2: xp.grad(lambda x: xp.sum(xp.sqrt(x)))(xp.asarray([1.0, 0.0]))
    """
    global _users
    with _lock:
        _users += 1
        tape.watch, sweep.watch = _recorded, _pulled
    _local.depth += 1
    try:
        yield
    finally:
        _local.depth -= 1
        with _lock:
            _users -= 1
            if not _users:
                tape.watch = sweep.watch = None


def _recorded(op: Any, inputs: tuple[Any, ...], outputs: tuple[Array, ...], region: Any = None) -> None:
    """After an operation was recorded. region: of a write, the elements written."""
    if not _local.depth:
        return
    where, rule = _caller()
    for y in outputs:
        made = y._storage.node
        if made is not None:
            made.where = where
            if made.part is not None:
                made.part[0].where = where
    if rule:
        return
    results = [value(y) for y in outputs] if region is None else [region]
    operands = [value(x) if x.__class__ is Array else x for x in inputs]
    by_element = isinstance(op, Elementwise)
    for r in results:
        _check(r, operands, by_element, f"{op.name} made {{}} of {{}} operands", op.name, where)
    tans = [x._storage.node.tan or {} for x in inputs if x.__class__ is Array and x._storage.node is not None]
    for y in outputs:
        made = y._storage.node
        for T, t in ((made.tan or {}) if made is not None else {}).items():
            given = [value(d[T]) for d in tans if T in d]
            _check(value(t), given, False, f"the tangent of {op.name} is {{}}, of {{}} tangents", op.name, where)


def _pulled(node: Any, cotangent: Any, given: list[Array]) -> None:
    """After the operands of a node got their cotangents."""
    if not _local.depth:
        return
    parts = cotangent if cotangent.__class__ is list else [cotangent]
    before = [value(g) for g in parts if g is not None]
    where = node.where or _caller()[0]
    for g in given:
        _check(value(g), before, False, f"the backward pass of {node.op.name} made {{}} of a {{}} cotangent", node.op.name, where)


def _check(result: Any, operands: list[Any], by_element: bool, told: str, op: str, where: str) -> None:
    """Raise if something was born in `result`; `told` has places for what, and of what."""
    if result.dtype.kind not in "fc":
        return
    result = _on_host(result)
    if np.isfinite(result).all():
        return
    operands = [_on_host(a) for a in operands]
    floats = [a for a in operands if a.dtype.kind in "fc"]
    had_nan: Any = [np.isnan(a) if by_element else np.isnan(a).any() for a in floats]
    infinite: Any = [~np.isfinite(a) if by_element else not np.isfinite(a).all() for a in floats]
    nan = np.isnan(result)
    born = (nan & ~_any(had_nan)) | (np.isinf(result) & ~_any(infinite))
    if not born.any():
        return
    if (born & nan).any():  # worse than an infinity
        born &= nan
    at = tuple([int(i) for i in np.argwhere(born)[0]])
    of = "non-NaN" if nan[at] and np.any(_any(infinite)) else "finite"
    message = f"{told.format(result[at], of)}, at {list(at)} of shape {result.shape}"
    if by_element:
        there = [np.broadcast_to(np.asarray(a), result.shape)[at] for a in operands]
        message += f" ({', '.join([str(a) for a in there])})"
    name, _, line = where.rpartition(":")
    text = linecache.getline(name, int(line)).strip() if line.isdigit() else ""
    raise NonFiniteError(f"{message}\n  {where}{': ' + text if text else ''}", op, where)


def _on_host(x: Any) -> Any:
    """The elements as an ndarray, from a device too: whoever looks for NaN has time."""
    return np.asarray(x.to_host() if hasattr(x, "to_host") else x)


def _any(conditions: list[Any]) -> Any:
    out: Any = np.False_
    for c in conditions:
        out = out | c
    return out


def _caller() -> tuple[str, bool]:
    """The line of the first frame outside mtarray, or of the operation whose backward pass this is; and whether a rule is running."""
    frame: Any = sys._getframe(2)
    rule = False
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if frame.f_code in _RULES:
            rule = True
            node = frame.f_locals.get("node")
            if node is not None and node.where is not None:
                return node.where, rule
        elif not name.startswith(_PACKAGE) or name.startswith(_EXAMPLES):
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}", rule
