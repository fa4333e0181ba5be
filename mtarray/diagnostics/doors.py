"""Watching ops: while somebody watches, the doors that every op passes are replaced by doors that also write down who came by.

The fast ways through a public function are tables (`op.fast`, `op.plans`, `op.launches`); while watched, these are empty, so that every
call arrives at the general doors below, which have been exchanged. There the op's own tables are put back and its function is called
as the user called it, and timed. An op that nobody watches asks nothing, so that watching costs nothing when it is off.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import _array, _dispatch, _fold, _into, _storage
from .._array import Array
from .._config import config
from .._dtypes import WEAK_KIND
from .._ops import _ALIVE, Elementwise, Reduction
from ..linalg import products

_lock = threading.RLock()


class _Blind(dict[Any, Any]):
    """A table of plans in which nothing is found."""

    def get(self, key: Any, default: Any = None) -> Any:
        return default


class Visit:
    """An op at its door: `op` (None: a write), `name`, `operands`, `static` parameters, what came of it (`results`), and its `seconds`.

    recorded: whether the tape has it. launches: kernels that ran in it. copies: (reason, bytes). depth: how many visits it happened in.
    """

    def __init__(self, op: Any, name: str, operands: tuple[Any, ...], static: dict[str, Any], depth: int) -> None:
        self.op, self.name, self.operands, self.static, self.depth = op, name, operands, static, depth
        self.results: tuple[Any, ...] = ()
        self.recorded = False
        self.seconds = 0.0
        self.launches: list[Any] = []
        self.copies: list[tuple[str, int]] = []
        # What the window and dtype of operands were: what follows may write to them.
        self.described = tuple([(x.dtype, x.shape, tuple(x.strides)) if x.__class__ is Array else x for x in operands])


class Watch:
    """The visits of ops by this thread, in the order in which they began."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self._open: list[Visit] = []
        self._thread = threading.get_ident()
        self._tables: dict[Any, tuple[Any, ...]] = {}

    # -- the tables of fast ways

    def _blind(self) -> None:
        self._tables = {op: self._take(op) for op in list(_ALIVE) if isinstance(op, (Elementwise, Reduction))}

    def _take(self, op: Any) -> tuple[Any, ...]:
        if isinstance(op, Elementwise):
            tables: tuple[Any, ...] = dict(op.fast), op.plans
            op.plans = _Blind()
        else:
            tables = dict(op.fast), dict(op.launches)
            op.launches.clear()
        op.fast.clear()
        return tables

    def _give(self, op: Any) -> None:
        tables = self._tables.pop(op, None)
        if tables is None:
            return
        op.fast.update(tables[0])
        if isinstance(op, Elementwise):
            op.plans = tables[1]
        else:
            op.launches.update(tables[1])

    def _follow(self, name: str, value: Any) -> None:
        """A kernel mode that comes into force has filled all tables anew."""
        if name == "kernels":
            self._blind()

    # -- the doors

    def _visiting(self, op: Any) -> bool:
        return bool(self._open) and self._open[-1].op is op and op is not None

    def _visit(
        self, op: Any, name: str, operands: tuple[Any, ...], static: dict[str, Any], call: Callable[[], Any], target: Any = None
    ) -> Any:
        """Make the call and write it down; `target`: the array that it writes to, if it makes none."""
        node = target._storage.node if target.__class__ is Array else None
        visit = Visit(op, name, operands, static, len(self._open))
        self.visits.append(visit)
        self._open.append(visit)
        self._give(op)
        start = time.perf_counter()
        try:
            result = call()
            visit.seconds = time.perf_counter() - start
            visit.results = result if result.__class__ is tuple else (result,)
            visit.recorded = any(r._storage.node not in (None, node) for r in visit.results if r.__class__ is Array)
            return result
        finally:
            self._open.pop()
            if isinstance(op, (Elementwise, Reduction)):
                self._tables[op] = self._take(op)
            if visit.results and visit.results[0] is NotImplemented:  # Python asks the other operand next
                self.visits.remove(visit)

    def _mine(self) -> bool:
        return threading.get_ident() == self._thread

    def launched(self, launch: Any) -> None:
        """A kernel ran: in every visit that is open."""
        for visit in self._open:
            visit.launches.append(launch)

    def note(self, reason: str, size: int) -> None:
        if self._open and self._mine():
            self._open[-1].copies.append((reason, size))

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Exchange the doors; the former ones stand again afterwards."""
        exchanged = [
            (_dispatch, "elementwise", self._elementwise),
            (_dispatch, "inplace", self._inplace),
            (_dispatch, "engine", self._engine),
            (_into, "into", self._out),
            (_dispatch, "_cast", self._cast),
            (_dispatch, "_settle", self._settle),
            (_fold, "reduce", self._reduce),
            (_fold, "scan", self._scan),
            (products, "small_product", self._product),
            (_array, "assign", self._write("assignment")),
            (_array, "accumulate", self._write("accumulation")),
            (_storage, "copied", self._copied),
        ]
        with _lock:
            self.former = {name: getattr(module, name) for module, name, _ in exchanged}
            config.listen(self._follow)  # which begins by telling the present mode
            try:
                for module, name, door in exchanged:
                    setattr(module, name, door)
                yield
            finally:
                for module, name, _ in exchanged:
                    setattr(module, name, self.former[name])
                config.unlisten(self._follow)
                for op in list(self._tables):
                    self._give(op)

    def _elementwise(self, op: Any, args: tuple[Any, ...]) -> Any:
        former = self.former["elementwise"]
        if not self._mine() or self._visiting(op):
            return former(op, args)
        if all(a.__class__ is Array or a.__class__ in WEAK_KIND for a in args):
            return self._visit(op, op.name, args, {}, lambda: op.function(*args))
        return self._visit(op, op.name, args, {}, lambda: former(op, args))

    def _inplace(self, op: Any, x: Any, other: Any) -> Any:
        if not self._mine() or self._visiting(op):
            return self.former["inplace"](op, x, other)
        return self._visit(op, f"{op.name} in place", (x, other), {}, lambda: self.former["inplace"](op, x, other), x)

    def _out(self, op: Any, args: tuple[Any, ...], out: Any) -> Any:
        if not self._mine() or self._visiting(op):
            return self.former["into"](op, args, out)
        target = out[0] if out.__class__ is tuple and out else out
        return self._visit(op, f"{op.name} into out", args, {}, lambda: self.former["into"](op, args, out), target)

    def _engine(self, op: Any, arrays: tuple[Any, ...], static: dict[str, Any]) -> Any:
        if not self._mine():
            return self.former["engine"](op, arrays, static)
        return self._visit(op, op.name, arrays, static, lambda: self.former["engine"](op, arrays, static))

    def _reduce(self, op: Any, x: Any, axis: Any, accumulate: Any, result: Any, keepdims: bool) -> Any:
        former = self.former["reduce"]
        if not self._mine() or self._visiting(op):
            return former(op, x, axis, accumulate, result, keepdims)
        static = {"axis": axis, "keepdims": keepdims}
        usual = x.dtype if op.accumulate is None else op.accumulate(x.dtype)
        if accumulate is usual:
            return self._visit(op, op.name, (x,), static, lambda: op.function(x, axis=axis, keepdims=keepdims))
        static["dtype"] = accumulate
        return self._visit(op, op.name, (x,), static, lambda: former(op, x, axis, accumulate, result, keepdims))

    def _scan(self, op: Any, x: Any, axis: Any, accumulate: Any, include_initial: bool) -> Any:
        former = self.former["scan"]
        if not self._mine():
            return former(op, x, axis, accumulate, include_initial)
        return self._visit(op, op.name, (x,), {"axis": axis}, lambda: former(op, x, axis, accumulate, include_initial))

    def _product(self, x1: Any, x2: Any) -> Any:
        former = self.former["small_product"]
        if not self._mine():
            return former(x1, x2)
        start = time.perf_counter()
        result = former(x1, x2)
        if result is not None:
            visit = Visit(None, "product", (x1, x2), {}, len(self._open))
            visit.seconds, visit.results = time.perf_counter() - start, (result,)
            visit.recorded = any(x._storage.node is not None for x in (x1, x2))
            self.visits.append(visit)
        return result

    def _write(self, name: str) -> Callable[..., Any]:
        def door(x: Any, item: Any, key: Any) -> Any:
            former = self.former["assign" if name == "assignment" else "accumulate"]
            if not self._mine():
                return former(x, item, key)

            def call() -> Any:
                former(x, item, key)
                return x

            self._visit(None, name, (item,), {} if key is None else {"selected": True}, call, x)
            return None

        return door

    # -- the places where memory is copied

    def _cast(self, a: Any, d: Any) -> Any:
        if a.dtype is not d:
            self.note(f"operand of {a.dtype} cast to {d}", a.size * d.itemsize)
        return self.former["_cast"](a, d)

    def _settle(self, r: Any, d: Any, ins: list[Any]) -> Any:
        settled = self.former["_settle"](r, d, ins)
        if settled is not r:
            self.note("result brought into C order" if r.dtype is d else f"result of {r.dtype} cast to {d}", settled.nbytes)
        return settled

    def _copied(self, buffer: Any) -> Any:
        self.note("memory kept apart for the tape", buffer.nbytes)
        return self.former["copied"](buffer)
