"""Compile every kernel of the engine before anything waits for one: in as many processes as there are cores, into the cache on disk."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any


def kernels(failed: dict[str, str]) -> Iterator[Any]:
    """Those that the modules with kernels say they have (`every()`), and those of the registry's elementwise ops. failed: gets the modules
    that do not tell."""
    from mtarray._kernels import cuda
    from mtarray_tests.cuda_compile import of_registry

    seen = set()
    for module in [*sorted(m.name for m in pkgutil.iter_modules(cuda.__path__)), ""]:
        try:
            every = getattr(importlib.import_module(f"{cuda.__name__}.{module}"), "every", None) if module else of_registry
            for kernel in every() if every is not None else ():
                if kernel not in seen:
                    seen.add(kernel)
                    yield kernel
        except Exception as error:
            failed[f"module {module or 'of the registry'}"] = f"{type(error).__name__}: {error}"


def compile_all(cc: tuple[int, int], seconds: float, most: int | None = None) -> dict[str, Any]:
    """What came of it: kernels, compilations, kernels read from the cache, seconds, and what failed."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    start = time.monotonic()
    command = [sys.executable, "-m", f"{__package__}.compiling", str(workers), str(cc[0]), str(cc[1]), str(seconds), str(most or 0)]
    processes = [subprocess.Popen([*command, str(i)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for i in range(workers)]
    out: dict[str, Any] = {"processes": workers, "kernels": 0, "compilations": 0, "cache_loads": 0, "left": 0, "failed": {}, "spills": {}}
    for process in processes:
        try:
            told, wrong = process.communicate(timeout=max(1.0, start + seconds + 60 - time.monotonic()))
            part = json.loads(told.splitlines()[-1])
        except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
            process.kill()
            out["failed"][f"process {process.pid}"] = f"{error!r:.200} {locals().get('wrong', '')[-300:]}"
            continue
        for key in ("kernels", "compilations", "cache_loads", "left"):
            out[key] += part[key]
        out["failed"].update(part["failed"])
        out["spills"].update(part["spills"])
    out["seconds"] = round(time.monotonic() - start, 1)
    return out


def main() -> int:
    """One process: every n-th kernel, as long as there is time."""
    workers, major, minor, seconds, most, number = (float(a) for a in sys.argv[1:7])
    end = time.monotonic() + seconds
    from mtarray._kernels.cuda import compile as compiler

    out: dict[str, Any] = {"kernels": 0, "left": 0, "failed": {}, "spills": {}}
    for kernel in itertools.islice(kernels(out["failed"]), int(number), int(most) or None, int(workers)):
        if time.monotonic() > end:
            out["left"] += 1
            continue
        out["kernels"] += 1
        try:
            made = compiler.cubin(kernel, (int(major), int(minor)))
            if made.spills:
                out["spills"][repr(kernel)] = made.spills
        except Exception as error:
            out["failed"][repr(kernel)] = f"{type(error).__name__}: {str(error).strip()[-300:]}"
    print(json.dumps({**out, **compiler.stats()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
