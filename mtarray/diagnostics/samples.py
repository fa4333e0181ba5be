"""Sample calls of an op, in the layouts that have kernels of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .. import linalg, searching, sorting
from .._array import Array
from .._dtypes import DType, dtype_of, float32
from .._ops import REGISTRY, Elementwise, Op, Reduction
from ..creation import arange, asarray, astype, ones
from ..indexing import take
from ..manipulation import concat, repeat, reshape

SIDE = 1024  # of the square arrays: 2**20 elements are more than NumPy's loops are left with
ODD = 1000
_MOST = 1 << 28  # bytes of the operands that no cache holds; where caches are larger, such a sample is left out

_IN_PLACE = {"add": "__iadd__", "subtract": "__isub__", "multiply": "__imul__", "divide": "__itruediv__"}

Call = tuple[str, Callable[[], Any]]


def find(op: Any) -> tuple[str, Op | None, Callable[..., Any]]:
    """(name, declared op if it is one, public function) of what a user names: "add", "special.erf", `xp.add`; ValueError if none."""
    if isinstance(op, str):
        function = _public(op)
        if function is None and op in REGISTRY:  # ops that have no public name of their own
            function = REGISTRY[op].function
        if function is None:
            raise ValueError(f"there is no op {op!r}")
        return op, getattr(function, "op", None), function
    if not callable(op):
        raise TypeError(f"an op is a name or a function, got {type(op).__name__}")
    return getattr(op, "__name__", repr(op)), getattr(op, "op", None), op


def _public(name: str) -> Callable[..., Any] | None:
    """The public function of this (dotted) name."""
    found: Any = sys.modules[__package__.partition(".")[0]]
    for part in name.split("."):
        found = getattr(found, part, None)
        if part.startswith("_"):
            return None
    return found if callable(found) and not isinstance(found, type) else None


def square(d: DType, shape: tuple[int, ...] = (SIDE, SIDE)) -> Array:
    """Small positive numbers, which every op takes."""
    return asarray((np.arange(prod(shape)) % 7 % 3 + 1).astype(d).reshape(shape))


def calls(op: Any, dtype: Any = None) -> tuple[str, DType, list[Call]]:
    """(name, dtype, calls by layout) for an op; `dtype`: by default float32 if it is defined for it."""
    name, declared, function = find(op)
    allowed = getattr(declared, "dtypes", ())
    d = dtype_of(dtype) if dtype is not None else float32 if not allowed or float32 in allowed else allowed[-1]
    if isinstance(declared, Elementwise):
        return name, d, _elementwise(declared, d)
    if isinstance(declared, Reduction):
        return name, d, _folds(declared, d)
    x = square(d)
    own = _OWN.get(name)
    if own is not None:
        return name, d, own(x)

    def try_it() -> Any:
        try:
            return function(x)
        except TypeError:
            return function(x, x)

    return name, d, [("contiguous", try_it)]


def _elementwise(op: Elementwise, d: DType) -> list[Call]:
    xs = [square(d) for _ in range(op.nin)]
    if op.name == "where":  # as it is called: the condition is of bools
        xs[0] = square(np.dtype(bool))
    f = op.function
    made: list[Call] = [("contiguous", lambda: f(*xs))]
    if op.nin > 1:
        row = xs[1][:1, :]
        if op.nin == 2 and d.kind != "b":
            made.append(("array and number", lambda: f(xs[0], 2)))
        made.append(("matrix and row", lambda: f(xs[0], row, *xs[2:])))
        # In rows that begin at cache lines, whose results may be stored past the caches, and in others.
        odd = [square(x.dtype, (ODD, ODD)) for x in xs]
        made.append(("first transposed", lambda: [f(x[0].T, *x[1:]) for x in (xs, odd)]))
        made.append(("second transposed", lambda: [f(x[0], x[1].T, *x[2:]) for x in (xs, odd)]))
    made.append(("every other column", lambda: f(*[x[:, ::2] for x in xs])))
    if op.name in _IN_PLACE and d.kind != "b" and op.result(d) is d:
        made.append(("in place", lambda: getattr(square(d), _IN_PLACE[op.name])(xs[1])))
    sides = _beyond_caches(op, d)
    if sides is not None:
        made.append(("beyond the caches", lambda: f(*[ones(sides, dtype=x.dtype) for x in xs])))
    return made


def _beyond_caches(op: Elementwise, d: DType) -> tuple[int, ...] | None:
    from .._kernels.cpu.machine import last_level_cache

    rows = int(1.6 * last_level_cache()) // ((op.nin + 1) * d.itemsize * SIDE) + 1
    return (rows, SIDE) if rows * SIDE * d.itemsize * (op.nin + 1) <= _MOST else None


def _folds(op: Reduction, d: DType) -> list[Call]:
    x, f = square(d), op.function
    if op.kind == "scan":
        return [("along rows", lambda: f(x, axis=1)), ("along columns", lambda: f(x, axis=0))]
    return [
        ("all elements", lambda: f(x)),
        ("last axis", lambda: f(x, axis=1)),
        ("first axis", lambda: f(x, axis=0)),
        ("every other column", lambda: f(x[:, ::2], axis=1)),
    ]


def _products(x: Array) -> list[Call]:
    stack = reshape(x[:512, :512], (1024, 16, 16))
    return [
        ("matrices", lambda: linalg.matmul(x, x)),
        ("first transposed", lambda: linalg.matmul(x.T, x)),
        ("stack of small ones", lambda: linalg.matmul(stack, stack)),
        ("matrix and vector", lambda: linalg.matmul(x[:, ::2], x[:512, 0])),
    ]


_OWN: dict[str, Callable[[Array], list[Call]]] = {
    "matmul": _products,
    "concat": lambda x: [("rows", lambda: concat((x, x), axis=0)), ("columns", lambda: concat((x, x), axis=1))],
    "repeat": lambda x: [("columns", lambda: repeat(x, 2, axis=1))],
    "take": lambda x: [("rows", lambda: take(x, arange(0, SIDE, 2), axis=0))],
    "astype": lambda x: [("contiguous", lambda: astype(x, np.dtype("float64")))],
    "searchsorted": lambda x: [("sorted and queries", lambda: searching.searchsorted(sorting.sort(x[0]), x[1]))],
}
