"""`kernels`: how the kernels of an op are built and run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._config import config
from . import samples


@dataclass(frozen=True)
class Kernel:
    """A kernel of an op, as it ran on a sample.

    op, dtype, layout: of what, on which sample. name: of the compiled function. driver: what shares the work out ("forkjoin", "numba",
    "python"); threads: how many it may use; items, chunk, chunks: the work, what a thread takes at a time, how often. vectors: what LLVM
    made of its loops (`vectorized`, `width`, `element`, `loops`, `written`, `registers`). cached: whether its machine code lies on disk;
    compiled: whether this process compiled it (or read it); file: of its source; source: its text.
    """

    op: str
    dtype: str
    layout: str
    name: str
    driver: str
    threads: int
    items: int
    chunk: int
    chunks: int
    vectors: dict[str, Any]
    cached: bool
    compiled: bool
    file: str
    source: str

    @property
    def vectorization(self) -> str:
        """In words: the vectors that most of the work is done in."""
        v = self.vectors
        if not v["vectorized"]:
            return "calls code compiled apart" if v["apart"] else "no"
        how = "by the loop vectoriser" if any(loop["stores"] for loop in v["loops"]) else "as written"
        return f"{v['width']} x {v['element']}, {how}"

    def __str__(self) -> str:
        registers = ", ".join(f"{kind} {count} times" for kind, count in self.vectors["registers"].items()) or "none"
        counts = Counter(f"{x['part']} {x['width']} x {x['element']}" for x in self.vectors["loops"])
        loops = "; ".join(f"{n} {kind}" for kind, n in counts.items()) or "none"
        return "\n".join(
            [
                f"{self.op} of {self.dtype}, {self.layout}: {self.name}",
                f"  driver      {self.driver}, {self.threads} threads, {self.chunks} chunks of {self.chunk} (of {self.items})",
                f"  vectorised  {self.vectorization}",
                f"  loops       {loops}",
                f"  registers   {registers}",
                f"  cache       {'compiled now' if self.compiled else 'read from disk'}; {'on disk' if self.cached else 'not on disk'}",
                f"  file        {self.file}",
            ]
        )


def kernels(op: Any, dtype: Any = None, layouts: Iterable[str] | None = None) -> tuple[Kernel, ...]:
    """The kernels of an op, from running it on samples: contiguous, broadcast, transposed and strided arrays, or along each axis.

    op: a function or its name (`"add"`, `"special.erf"`, `"matmul"`); of composed functions, the kernels of the ops they are composed of.
    dtype: that the samples have, by default float32. layouts: which samples, by their names; by default all. Empty where NumPy serves
    every size. ValueError: no such op or layout; TypeError: not defined for the dtype.

    Vectorisation is read from LLVM's optimised code and the registers in the assembly, for which each kernel is compiled once more.

    >>> import mtarray as xp
    >>> xp.diagnostics.kernels("add", layouts=["contiguous"])[0].vectors["element"]
    'float32'
    """
    from .._kernels import build, report
    from .._kernels.cpu import driver, watching

    name, d, calls = samples.calls(op, dtype)
    names = [layout for layout, _ in calls]
    wanted = names if layouts is None else list(layouts)
    if not set(wanted) <= set(names):
        raise ValueError(f"{name}: layouts are {', '.join(names)}; got {wanted}")
    found: dict[int, tuple[str, Any]] = {}
    # "auto" leaves arrays of this size to the kernels; what is to be read or debugged has no kernels.
    with config(kernels=config.kernels if config.kernels in ("auto", "numba") else "auto"):
        for layout, call in [(layout, call) for layout, call in calls if layout in wanted]:
            launches: list[Any] = []
            with watching.watching(launches.append):
                call()
            for launch in launches:
                if launch.address:
                    found.setdefault(launch.address, (layout, launch))
    return tuple(
        Kernel(
            name,
            d.name,
            layout,
            launch.name,
            driver.layer(),
            driver.get_num_threads(),
            launch.items,
            launch.chunk,
            launch.chunks,
            report.of_kernel(address),
            source=build.source_of(address),
            **build.state_of(address),
        )
        for address, (layout, launch) in found.items()
    )
