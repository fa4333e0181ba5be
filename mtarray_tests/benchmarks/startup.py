"""Whole processes: what an import costs, what a first op adds, and whether a second process compiles anything."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

_IMPORT = """
import sys, time
start = time.{clock}()
import {module}
print(time.{clock}() - start, "numba" in sys.modules)
"""

_FIRST_SMALL = """
import time
import mtarray as xp
start = time.perf_counter()
x = xp.asarray([1.0, 2.0, 3.0]) + 1.0
print(time.perf_counter() - start)
"""

_KERNELS = """
import json, time
import mtarray as xp
start = time.perf_counter()
x = xp.linspace(0.5, 2.0, 1_000_000, dtype=xp.float32)
first = xp.sin(x)
first_seconds = time.perf_counter() - start
y = xp.exp(x) * 2 + x
out = [float(f(y)) for f in (xp.sum, xp.max, xp.mean, xp.var)]
out += [float(xp.sum(xp.sort(y))), float(xp.sum(xp.cumulative_sum(xp.reshape(y, (1000, 1000)), axis=1)))]
out += [int(xp.argmax(y)), bool(xp.all(y > 0)), float(xp.sum(xp.reshape(y, (1000, 1000)).T + xp.reshape(x, (1000, 1000))))]
seconds = time.perf_counter() - start
from mtarray._kernels import build
print(json.dumps({"first": first_seconds, "seconds": seconds, "values": out, "stats": dict(build.stats())}))
"""


def _python(source: str, **environment: str) -> str:
    """What a fresh interpreter prints; it must write nothing to stderr.

    It may keep bytecode: installed packages have theirs, and without ours an import would compile every source anew.
    """
    environment = {**os.environ, **environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, env=environment, timeout=300)
    if done.returncode or done.stderr:
        raise RuntimeError(f"a process of the start-up measurements failed ({done.returncode}):\n{done.stderr}")
    return done.stdout


def import_seconds(rounds: int = 7, clock: str = "perf_counter") -> dict[str, Any]:
    """Median seconds of `import numpy` and of `import mtarray` in fresh interpreters, in turn; whether the latter brought Numba.

    The clock "process_time" counts the processor's time alone, which other processes disturb less.
    """
    seconds: dict[str, list[float]] = {"numpy": [], "mtarray": []}
    with_numba = False
    for module in seconds:  # the first import writes bytecode
        _python(_IMPORT.format(module=module, clock=clock))
    for _ in range(rounds):
        for module, samples in seconds.items():
            text, numba = _python(_IMPORT.format(module=module, clock=clock)).split()
            samples.append(float(text))
            with_numba |= numba == "True"
    return {**{module: statistics.median(samples) for module, samples in seconds.items()}, "numba_imported": with_numba}


def first_op_seconds(rounds: int = 5) -> float:
    """Median seconds of a process's first small op, after the import."""
    return statistics.median(float(_python(_FIRST_SMALL)) for _ in range(rounds))


def two_processes() -> tuple[dict[str, Any], dict[str, Any]]:
    """The same large ops in two processes on one new kernel cache: each one's times, values and the kernel floor's counters."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (json.loads(_python(_KERNELS, MTARRAY_CACHE_DIR=folder)) for _ in range(2))
    return first, second


def measure(rounds: int = 7) -> dict[str, Any]:
    """All of the above as one record."""
    first, second = two_processes()
    return {"import": import_seconds(rounds), "first_small_op": first_op_seconds(), "cold_process": first, "warm_process": second}


def text(startup: dict[str, Any]) -> str:
    """The record as lines below the table."""
    imports = startup["import"]
    extra = 1e3 * (imports["mtarray"] - imports["numpy"])
    numba = "yes" if imports["numba_imported"] else "no"
    lines = [
        "",
        f"import numpy {1e3 * imports['numpy']:.0f} ms, import mtarray {1e3 * imports['mtarray']:.0f} ms ({extra:+.0f}, bound +60)",
        f"Numba imported by it: {numba}",
        f"first small op {1e3 * startup['first_small_op']:.1f} ms (bound 200)",
    ]
    for name, process in (("empty kernel cache", startup["cold_process"]), ("second process", startup["warm_process"])):
        lines.append(
            f"{name}: first large op {process['first']:.2f} s; {process['stats']['compilations']} kernels compiled, "
            f"all ops {process['seconds']:.2f} s"
        )
    return "\n".join(lines)
