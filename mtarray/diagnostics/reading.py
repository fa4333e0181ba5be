"""`loops`: the form of an op to read, and what Numba says of its parallel loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._array import Array, fresh, value
from .._dtypes import dtype_of, float32
from .._operands import lift
from .._ops import Elementwise, Reduction
from . import samples


@dataclass(frozen=True)
class Loops:
    """The `prange` form of an op, which kernel mode "prange" runs, and Numba's report of it.

    kind: "map", "zip", "reduce" or "matmul". source: the generated module. loops: the parallel loops (id, line, text);
    loops_after_fusion: how many Numba left of them; fusion: what it says of each attempt to join two. allocations: those that it hoisted
    out of a loop (loop, line, text); hoisted: instructions computed once before a loop, by its id. vectors: what LLVM made of the loops
    (as in `Kernel`). text: the report as Numba prints it.
    """

    op: str
    kind: str
    dtype: str
    name: str
    source: str
    loops: list[dict[str, Any]]
    loops_after_fusion: int
    fusion: list[str]
    allocations: list[dict[str, Any]]
    hoisted: dict[str, list[str]]
    vectors: dict[str, Any]
    text: str

    def __str__(self) -> str:
        v = self.vectors
        lines = [f"{self.kind}{'' if self.op == self.kind else f' of {self.op}'}, {self.dtype}: {self.name}"]
        lines += [f"  loop #{loop['id']}, line {loop['line']}: {loop['text']}" for loop in self.loops]
        lines.append(f"  parallel loops: {len(self.loops)}, after fusion {self.loops_after_fusion}")
        lines += [f"  fusion: {said}" for said in self.fusion]
        lines += [f"  allocation hoisted out of loop #{a['loop']}, line {a['line']}: {a['text']}" for a in self.allocations]
        lines.append(f"  allocations hoisted: {len(self.allocations)}; instructions hoisted: {sum(map(len, self.hoisted.values()))}")
        lines.append(f"  vectorised: {v['width']} x {v['element']}" if v["vectorized"] else "  vectorised: no")
        return "\n".join(lines)


def loops(op: Any = "add", dtype: Any = None) -> Loops:
    """The readable form of an elementwise op, a reduction or `matmul`, with Numba's report: parallel loops, fusion, hoisted allocations.

    op: a function or its name. dtype: by default float32 if the op is defined for it. ValueError for an op that has no such form.

    >>> import mtarray as xp
    >>> [loop["text"] for loop in xp.diagnostics.loops("matmul").loops]
    ['for number in prange(out.size // n):']
    """
    from .._kernels import report
    from .._kernels.cpu import readable

    name, declared, _ = samples.find(op)
    allowed = getattr(declared, "dtypes", (float32,))
    d = dtype_of(dtype) if dtype is not None else float32 if float32 in allowed else allowed[-1]
    if isinstance(declared, Elementwise):
        plan = declared.plan((d,) * declared.nin)
        kind = "map" if declared.nin == 1 else "zip"
        made = readable.map_source(declared.scalar, plan.ins, plan.outs)
    elif isinstance(declared, Reduction) and declared.kind == "reduction":
        declared.accept(d)
        kind = "reduce"
        acc = d if declared.accumulate is None else declared.accumulate(d)
        out = _result(declared, d)
        made = readable.fold_source(declared.scalar, d, readable.accumulator_of(declared.scalar, d, acc, out), out)
    elif name.rpartition(".")[2] == "matmul":
        kind, made = "matmul", readable.product_source(d)
    else:
        raise ValueError(f"{name} has no form with prange loops: elementwise ops, reductions and matmul have one")
    return Loops(name, kind, d.name, made[0], made[1], **report.of_loops(*made))


def matmul_in_python(x1: Any, x2: Any, /) -> Array:
    """`x1 @ x2` by the readable loops as they stand, uncompiled: what the kernels of `loops("matmul")` are measured against.

    Arrays of one dtype, of shapes that fit. A few million multiply-adds take a second.

    >>> import mtarray as xp
    >>> xp.diagnostics.matmul_in_python(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], shape=(2,), dtype=int64, device='cpu')
    """
    from .._kernels.cpu import readable

    x1, x2 = lift(x1, "matmul_in_python"), lift(x2, "matmul_in_python")
    if x1.dtype != x2.dtype:
        raise TypeError(f"matmul_in_python: dtypes {x1.dtype} and {x2.dtype} differ; cast one of them")
    return fresh(readable.product_in_python(value(x1), value(x2)))


def _result(op: Reduction, d: Any) -> Any:
    """The dtype of a reduction's result, as the op itself gives it."""
    return op.function(samples.square(d, (1,))).dtype
