"""`warmup`: compile kernels ahead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .._config import config
from .._dtypes import dtype_of
from .._ops import REGISTRY
from . import samples

# What programs of arrays use; `warmup(ops="all")` takes every declared op beside these.
USUAL = tuple(
    """
    add subtract multiply divide pow floor_divide remainder negative abs square sqrt reciprocal exp expm1 log log1p sin cos tanh sign floor
    round maximum minimum clip where equal not_equal less less_equal greater greater_equal logical_and logical_or logical_not isnan
    sum prod max min any all mean var argmax argmin cumulative_sum matmul sort argsort take concat astype repeat
    """.split()
)
DTYPES = ("float32", "float64", "int64")


@dataclass(frozen=True)
class Warmth:
    """What `warmup` did: `kernels` in memory, of which `compiled` were compiled and `loaded` read from disk; `seconds`; `folder`."""

    kernels: int
    compiled: int
    loaded: int
    seconds: float
    folder: str

    def __str__(self) -> str:
        return f"{self.compiled} kernels compiled, {self.loaded} read from {self.folder}, in {self.seconds:.1f} s"


def warmup(
    ops: Iterable[Any] | str | None = None,
    dtypes: Iterable[Any] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Warmth:
    """Compile kernels ahead, so that later processes find them on disk: of each op, for each dtype, in the layouts that programs use.

    ops: functions or names, by default `USUAL`; "all": every declared op too. dtypes: by default float32, float64, int64; what an op is
    not defined for is left out. progress: called with (what comes next, number done, number in all). ValueError for an unknown op.

    >>> import mtarray as xp
    >>> xp.diagnostics.warmup(["add"], ["float32"]).kernels > 0
    True
    """
    from .._kernels import build

    declared = [name for name, op in REGISTRY.items() if op.kind != "engine" and op.section.startswith("mtarray")]
    chosen = list(USUAL) if ops is None else [*USUAL, *(n for n in declared if n not in USUAL)] if isinstance(ops, str) else list(ops)
    if isinstance(ops, str) and ops != "all":
        raise ValueError(f'ops={ops!r} must be a sequence of ops, or "all"')
    kinds = [dtype_of(d) for d in (DTYPES if dtypes is None else dtypes)]
    for op in chosen:
        samples.find(op)  # refuses what is not there before anything is compiled
    before, start = build.stats(), time.perf_counter()
    with config(kernels="auto"):
        for i, op in enumerate(chosen):
            for k, d in enumerate(kinds):
                if progress is not None:
                    progress(f"{op if isinstance(op, str) else op.__name__} of {d}", i * len(kinds) + k, len(chosen) * len(kinds))
                _warm(op, d)
    after = build.stats()
    return Warmth(
        after["kernels"],
        after["compilations"] - before["compilations"],
        after["cache_loads"] - before["cache_loads"],
        time.perf_counter() - start,
        after["folder"],
    )


def _warm(op: Any, d: Any) -> None:
    try:
        calls = samples.calls(op, d)[2]
    except TypeError:
        return
    for _, call in calls:
        try:
            call()
        except TypeError:  # the op is not defined for the dtype
            return
