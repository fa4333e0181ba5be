"""Compile the kernels of the CUDA engine to cubins, without a GPU: ``python -m mtarray_tests.cuda_compile``.

Every kernel that a module of the engine names by its `every()`, and those of every elementwise op of the registry for every dtype, for
compute capabilities 7.5 and 9.0. A line per kernel tells the registers of a thread, the bytes that spilled and the shared memory of a
block. Exit code 1 when one does not compile, or one of a family that must not spill does. `--part I/N`: every N-th kernel from the I-th on,
so that processes share the work; `--seconds S`: begin with a kernel that the date chooses and stop after that time. What compiled stays in
the cache, so a second run only reads it.
"""

import argparse
import datetime
import importlib
import pkgutil
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mtarray._kernels import cuda
from mtarray._kernels.cuda import compile as compiler
from mtarray._kernels.cuda import elementwise, reduce, scan
from mtarray._kernels.cuda.driver import Buffer, Driver
from mtarray._kernels.cuda.tensor import empty
from mtarray._ops import REGISTRY, Elementwise, Reduction, is_ours

CAPABILITIES = ((7, 5), (9, 0))
UNSPILLED = frozenset(
    {"elementwise", "reduce", "scan", "copying", "products", "gemm", "convolution", "radix"}
)  # modules whose kernels must not spill


def modules() -> list[str]:
    """The modules of the engine that have kernels."""
    names = [m.name for m in pkgutil.iter_modules(cuda.__path__)]
    return [n for n in names if hasattr(importlib.import_module(f"{cuda.__name__}.{n}"), "every")]


def of_registry() -> Iterator[Any]:
    """The kernels of the elementwise ops, for each dtype that they are defined for."""
    for op in REGISTRY.values():
        if not isinstance(op, Elementwise) or not is_ours(op):
            continue
        for dtype in op.dtypes:
            try:
                plan = op.plan((dtype,) * op.nin)
            except TypeError:  # operands of one dtype are not what this op takes
                continue
            yield from elementwise.kernels_of(op.scalar, plan.ins, plan.outs)


class Recorder(Driver):
    """A device without memory that notes the kernels which it is to load, and runs none."""

    simulated = False
    multiprocessors = 132
    compute_capability = (9, 0)

    def __init__(self) -> None:
        super().__init__(0)
        self.kernels: list[Any] = []

    def allocate(self, nbytes: int) -> Buffer:
        return Buffer(1 << 40, nbytes, self, None)

    def load(self, kernel: Any) -> object:
        self.kernels.append(kernel)
        return self

    def launch(self, *args: Any, **options: Any) -> None:
        pass

    def copy(self, *args: Any) -> None:
        pass


def of_folds() -> Iterator[tuple[str, Any]]:
    """(family, kernel) of the declared reductions over all, the last and the first axis, and of the scans, for each dtype."""
    for op in REGISTRY.values():
        if not isinstance(op, Reduction) or not is_ours(op):
            continue
        for dtype in op.dtypes:
            driver = Recorder()
            x = empty(driver, (300, 5000), dtype)
            if op.kind == "reduction":
                for axes in ((0, 1), (1,), (0,)):
                    reduce.fold(op.scalar, x, axes, dtype, dtype, op.identity)
            else:
                scan.scan(op.scalar, x, 1, dtype, dtype, op.identity, False)
            yield from [("reduce" if op.kind == "reduction" else "scan", kernel) for kernel in driver.kernels]


def kernels() -> list[tuple[str, Any]]:
    """(family, Kernel) of all."""
    found: dict[Any, str] = {}
    for name in modules():
        for kernel in importlib.import_module(f"{cuda.__name__}.{name}").every():
            found.setdefault(kernel, name)
    for kernel in of_registry():
        found.setdefault(kernel, "elementwise")
    for family, kernel in of_folds():
        found.setdefault(kernel, family)
    return [(family, kernel) for kernel, family in found.items()]


def today(count: int) -> int:
    """The place among `count` that the date chooses: neighbours in time begin far apart, so that all come round."""
    return datetime.date.today().toordinal() * 7919 % count


def compiled(family: str, kernel: Any, cc: tuple[int, int]) -> tuple[str, str]:
    """(a line about a kernel, what is wrong with it or nothing)."""
    try:
        made = compiler.cubin(kernel, cc)
    except Exception as error:  # whatever a compiler raises is what is wanted here
        told = next((line for line in str(error).splitlines() if line.strip()), "")
        return f"sm_{cc[0]}{cc[1]} {family:12} {kernel.name}: FAILED", f"{kernel!r} for sm_{cc[0]}{cc[1]}: {type(error).__name__}: {told}"
    line = f"sm_{cc[0]}{cc[1]} {family:12} {kernel.name}: {made.registers} registers, {made.spills} spilled, {made.shared} shared"
    refused = family in UNSPILLED and made.spills
    return line, f"{kernel!r} spills {made.spills} bytes on sm_{cc[0]}{cc[1]}" if refused else ""


def main() -> int:
    """Compile what the arguments ask for; exit code 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m mtarray_tests.cuda_compile", description=__doc__)
    parser.add_argument("--part", default="0/1", metavar="I/N")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", nargs="+", metavar="MODULE", help="families: modules of mtarray._kernels.cuda")
    parser.add_argument("--quiet", action="store_true", help="only what is wrong, and the sums")
    options = parser.parse_args()
    first, step = map(int, options.part.split("/"))
    wanted = [(f, k) for f, k in kernels() if not options.only or f in options.only]
    work = [(f, k, cc) for cc in CAPABILITIES for f, k in wanted][first::step]
    if options.seconds < float("inf"):
        start = today(len(work))
        work = work[start:] + work[:start]
    begun, wrong, done, families = time.monotonic(), [], 0, Counter[str]()
    for family, kernel, cc in work:
        if time.monotonic() - begun > options.seconds:
            break
        line, problem = compiled(family, kernel, cc)
        done += 1
        families[family] += 1
        if problem:
            wrong.append(problem)
        if problem or not options.quiet:
            print(line, flush=True)
    for problem in wrong:
        print(problem)
    stats = compiler.stats()
    print(", ".join(f"{family} {count}" for family, count in families.items()))
    print(
        f"{done} of {len(work)} kernels, {stats['compilations']} compiled and {stats['cache_loads']} read in "
        f"{time.monotonic() - begun:.0f} s, {len(wrong)} wrong"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
