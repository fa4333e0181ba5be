"""`explain`: what serves each op of an expression, and why."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from .. import _fold
from .._array import Array
from .._config import config
from .._ops import Elementwise, Reduction
from .doors import Visit, Watch


@dataclass(frozen=True)
class Step:
    """An op as it was served.

    op: its name. operands: dtype and shape of each (numbers as they are). result: dtype and shape. tier: "numpy" (NumPy's loop, or BLAS
    and LAPACK through it), "kernel" (kernels of ours), "prange" or "python". kernels: their names. chunks: into how many parts the work
    was cut. why: what decided. bytes_read, bytes_written: of distinct elements of the operands and of the results. copies: reasons and
    bytes of what was copied on the way. recorded: whether the tape has it. seconds. depth: 1 for an op inside another's.
    """

    op: str
    operands: list[str]
    result: str
    tier: str
    kernels: list[str]
    chunks: int
    why: str
    bytes_read: int
    bytes_written: int
    copies: list[dict[str, Any]]
    recorded: bool
    seconds: float
    depth: int


@dataclass(frozen=True)
class Explanation:
    """The steps of an expression, in order.

    result: dtype and shape, or the type; seconds: of the whole; compiled: kernels that were compiled for it.
    """

    expression: str
    result: str
    seconds: float
    compiled: int
    steps: list[Step]

    def __str__(self) -> str:
        lines = [
            f"{self.expression}: {self.result}, {_time(self.seconds)}" + (f", {self.compiled} kernels compiled" if self.compiled else "")
        ]
        for s in self.steps:
            pad = "  " * (s.depth + 1)
            lines.append(f"{pad}{s.op}({', '.join(s.operands)}): {s.result}")
            moved = f"read {_bytes(s.bytes_read)}, written {_bytes(s.bytes_written)}"
            rate = (s.bytes_read + s.bytes_written) / s.seconds / 1e9 if s.seconds else 0.0
            lines.append(f"{pad}    {_time(s.seconds)}, {moved} ({rate:.2g} GB/s){', recorded' if s.recorded else ''}")
            lines.append(f"{pad}    {s.tier}{': ' if s.kernels else ''}{', '.join(s.kernels)}: {s.why}")
            lines += [f"{pad}    copy: {c['reason']}, {_bytes(c['bytes'])}" for c in s.copies]
        if not self.steps:
            lines.append("  no ops: views and numbers alone")
        return "\n".join(lines)


def explain(what: str | Callable[..., Any], /, *args: Any, warm: bool = True, **variables: Any) -> Explanation:
    """Which tier and kernel served each op of an expression or a function, and why: size against the crossover, layout, dtype.

    what: an expression (names: `xp` and `variables`), or a function that is called with `args` and `variables`. warm: run it once before,
    so that kernels are compiled and loaded when times are taken; False for what must run once. Errors of the expression are raised.

    Views are not ops and move nothing. Derivatives of small arrays are carried back on NumPy's arrays, which are no ops either. Ops of this
    thread are seen; those of other threads take slower ways meanwhile.

    >>> import mtarray as xp
    >>> steps = xp.diagnostics.explain("xp.sum(x * 2)", x=xp.ones(10)).steps
    >>> [(s.op, s.tier, s.recorded) for s in steps]
    [('multiply', 'numpy', False), ('sum', 'numpy', False)]
    """
    from .._kernels import build
    from .._kernels.cpu import watching

    call: Callable[[], Any]
    if isinstance(what, str):
        code = compile(what, "<expression>", "eval")
        space = {"xp": sys.modules[__package__.partition(".")[0]], **variables}
        call = lambda: eval(code, space)  # noqa: E731  (the user's own expression)
    else:
        function = what
        call = lambda: function(*args, **variables)  # noqa: E731
    before = build.stats()["compilations"]
    if warm:
        call()
    watch = Watch()
    with watching.watching(watch.launched), watch.open():
        start = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - start
    name = what if isinstance(what, str) else getattr(what, "__name__", repr(what))
    return Explanation(
        name, _described(result), seconds, build.stats()["compilations"] - before, [_step(visit, config.kernels) for visit in watch.visits]
    )


def _described(x: Any) -> str:
    if isinstance(x, Array):
        return f"{x.dtype} {x.shape}"
    if isinstance(x, (bool, int, float, complex)):
        return repr(x)
    if isinstance(x, (tuple, list)) and len(x) <= 4:
        return f"({', '.join(map(_described, x))})"
    return type(x).__name__


def _step(visit: Visit, mode: str) -> Step:
    results = [r for r in visit.results if isinstance(r, Array)]
    kernels = list(dict.fromkeys(launch.name for launch in visit.launches))
    if any(not launch.address for launch in visit.launches):
        tier = "prange"
    elif kernels:
        tier = "kernel"
    else:
        tier = "python" if mode == "python" and isinstance(visit.op, (Elementwise, Reduction)) else "numpy"
    return Step(
        op=visit.name,
        operands=[f"{d[0]} {d[1]}" if isinstance(d, tuple) else repr(d) for d in visit.described],
        result=", ".join(f"{r.dtype} {r.shape}" for r in results) or "nothing",
        tier=tier,
        kernels=kernels,
        chunks=max((launch.chunks for launch in visit.launches), default=0),
        why=_why(visit, tier, mode),
        bytes_read=sum(_distinct(d) for d in visit.described if isinstance(d, tuple)),
        bytes_written=sum(r.size * r.dtype.itemsize for r in results),
        copies=[{"reason": reason, "bytes": size} for reason, size in visit.copies]
        + ([{"reason": "a copy is what it makes", "bytes": results[0].nbytes}] if visit.name == "convert" and results else []),
        recorded=visit.recorded,
        seconds=visit.seconds,
        depth=visit.depth,
    )


def _distinct(window: tuple[Any, ...]) -> int:
    """Bytes of the elements that a window shows, repeated ones counted once."""
    dtype, shape, strides = window
    return prod(n for n, s in zip(shape, strides) if s or n == 0) * dtype.itemsize


def _why(visit: Visit, tier: str, mode: str) -> str:
    if tier in ("prange", "python"):
        return f"config.kernels is {mode!r}"
    op = visit.op
    if isinstance(op, Elementwise):
        size, plan = _size(visit), op.plans.get(tuple([d[0] if isinstance(d, tuple) else type(d) for d in visit.described]))
        why = _threshold(size, plan.limit if plan is not None else 0, op.twin is not None, mode, tier)
    elif isinstance(op, Reduction):
        x = visit.operands[0]
        limit = op.limits.get(x.dtype.kind, op.limit)
        if visit.static.get("axis") is not None and x.ndim > 1 and op.kind == "reduction":
            limit = min(limit, _fold.LINES_LIMIT)
        why = _threshold(x.size, limit, op.twin is not None, mode, tier)
    elif visit.name == "product" and op is None:
        return f"{_products(visit)} multiply-adds: the door of small products, which NumPy's BLAS serves"
    elif visit.name == "product":
        ours = any(launch.name.startswith(("gemm", "tiny", "matvec")) for launch in visit.launches)
        return f"{_products(visit)} multiply-adds of {visit.described[0][0]}: " + (
            "our kernel is faster here" if ours else "BLAS is faster here"
        )
    elif tier == "kernel":
        why = "written by hand, on arrays of this size and layout"
    else:
        why = "NumPy is faster at this size, or serves this op at every size"
    layouts = [_layout(launch.name) for launch in visit.launches]
    return why + "".join(dict.fromkeys(f"; {words}" for words in layouts if words))


def _size(visit: Visit) -> int:
    return max((r.size for r in visit.results if isinstance(r, Array)), default=0)


def _threshold(size: int, limit: int, twin: bool, mode: str, tier: str) -> str:
    if limit > 1 << 60:
        return "NumPy serves these dtypes at every size"
    if not twin:
        return "NumPy has no such function: the kernel serves every size"
    if tier == "kernel":
        return f"config.kernels is {mode!r}" if mode == "numba" else f"{size} elements are not fewer than {limit}, where kernels begin"
    if size == 0:
        return "there are no elements"
    return f"{size} elements are fewer than {limit}, where kernels begin" if size < limit else "this dtype or layout is NumPy's"


def _products(visit: Visit) -> int:
    """Multiply-adds of a matrix product."""
    (_, first, _), (_, second, _) = visit.described
    rows = 1 if len(first) == 1 else first[-2]
    columns = 1 if len(second) == 1 else second[-1]
    stack = prod(visit.results[0].shape) // max(1, rows * columns)
    return int(stack * rows * columns * first[-1])


_STEPS = {
    "u": "contiguous",
    "0": "one value",
    "r": "backwards",
    "2": "every other",
    "s": "in steps",
    "b": "in steps of bytes",
    "t": "transposed in registers",
}
_WALKS = {"flat": "as one run", "rows": "row by row", "tiles": "in tiles"}
_STORES = {"direct": "", "scratch": ", stored through a block in cache", "stream": ", stored past the caches"}


def _layout(kernel: str) -> str:
    """What the name of an elementwise kernel says of the layout that it is for."""
    for walk, words in _WALKS.items():
        head, found, tail = kernel.rpartition(f"_{walk}_")
        parts = tail.split("_")
        if found and head and len(parts) >= 2 and parts[1] in _STORES and set(parts[0]) <= set(_STEPS):
            return f"walked {words} (result, operands: {', '.join(_STEPS[c] for c in parts[0])}){_STORES[parts[1]]}"
    return ""


def _bytes(n: int) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n = n / 1000  # type: ignore[assignment]
    return f"{n:.3g} GB"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
