"""What the groups of checks share: the settings of a run, the states of a check, and the process that runs one group.

A group is a generator function of a `Run` that yields (name, function) pairs. The function raises what a check finds wrong, Skip(reason)
where it cannot be made, and returns nothing, a sentence, or a dict of figures.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Check = tuple[str, Callable[[], Any]]
Group = Callable[["Run"], Iterator[Check]]

# The groups in their order: where the generator function is, the seconds that it may take on a GPU, whether it runs beside others.
GROUPS: dict[str, tuple[str, int, bool]] = {
    "elementwise": ("agreement", 100, True),
    "folds": ("agreement", 80, True),
    "layouts": ("agreement", 60, True),
    "engine": ("calls", 100, True),
    "numpy_names": ("calls", 80, True),
    "programs": ("programs", 80, True),
    "gradients": ("programs", 60, True),
    "layers": ("networks", 100, True),
    "steps": ("networks", 60, True),
    "trainers": ("networks", 100, True),
    "random": ("device", 60, True),
    "device": ("device", 60, True),
    "interop": ("device", 60, True),
    "memory": ("device", 60, False),
    "figures": ("figures", 150, False),
}

STICKY = 3  # exit status of a group's process whose device no longer works


class Skip(Exception):
    """A check that cannot be made here, with the reason."""


@dataclass(frozen=True)
class Run:
    """simulate: on the simulator, at tiny sizes, without figures. quick: a few checks of each kind."""

    simulate: bool = False
    quick: bool = False

    def some(self, xs: Any, count: int = 3) -> list[Any]:
        """All of the choices, or in a quick run some of them, evenly spaced."""
        xs = list(xs)
        if not self.quick or len(xs) <= count:
            return xs
        return [xs[i * (len(xs) - 1) // max(count - 1, 1)] for i in range(count)]

    def size(self, on_a_gpu: int, simulated: int) -> int:
        return simulated if self.simulate else on_a_gpu


def host(x: Any) -> np.ndarray:
    """The elements of an array on any device."""
    return np.asarray(x.to_device("cpu")) if hasattr(x, "to_device") else np.asarray(x)


def on_cuda(a: Any) -> Any:
    """An ndarray on the device, with the strides that it has: a view of its base where it is one."""
    import mtarray as xp

    if not isinstance(a, np.ndarray):
        return a
    base = a if a.base is None or not isinstance(a.base, np.ndarray) else a.base
    if base is a or base.dtype != a.dtype or not a.size:
        return xp.asarray(a, device="cuda")
    flat = np.lib.array_utils.byte_bounds(base)[0]
    moved = xp.asarray(np.ascontiguousarray(base).reshape(-1), device="cuda")
    if not base.flags.c_contiguous:
        return xp.asarray(a, device="cuda")
    from mtarray._array import window

    offset = (a.__array_interface__["data"][0] - flat) // a.itemsize
    return window(moved, a.shape, tuple(s // a.itemsize for s in a.strides), offset)


def agree(got: Any, want: Any, tolerance: float = 0.0, what: str = "") -> None:
    """Same shape and dtype, NaN and infinities in the same places; the rest equal, or the norm of the difference at most `tolerance` times
    the unit roundoff of the dtype times the norm of `want`."""
    if isinstance(want, (tuple, list)) and not isinstance(got, np.ndarray):
        got = tuple(got)
        assert len(got) == len(want), f"{what}: {len(got)} results, not {len(want)}"
        for i, (g, w) in enumerate(zip(got, want)):
            agree(g, w, tolerance, f"{what}[{i}]")
        return
    g, w = host(got), host(want)
    assert g.shape == w.shape, f"{what}: shape {g.shape}, not {w.shape}"
    assert g.dtype == w.dtype, f"{what}: dtype {g.dtype}, not {w.dtype}"
    if w.dtype.kind not in "fc" or not w.size:
        assert np.array_equal(g, w), f"{what}: {_first(g, w, g != w)}"
        return
    strange = ~np.isfinite(w)
    odd = (np.isfinite(g) == strange) | (np.isnan(g) != np.isnan(w))
    if w.dtype.kind == "f":
        odd |= strange & ~np.isnan(w) & (g != w)
    assert not odd.any(), f"{what}: {_first(g, w, odd)}"
    g, w = g[~strange], w[~strange]
    if tolerance == 0:
        assert np.array_equal(g, w), f"{what}: {_first(g, w, g != w)}"
        return
    wide: Any = np.clongdouble if w.dtype.kind == "c" else np.longdouble
    scale = np.max(np.abs(w), initial=0) or 1
    error = float(np.linalg.norm((g.astype(wide) - w) / scale) / (np.linalg.norm(w.astype(wide) / scale) or 1))
    allowed = tolerance * float(np.finfo(w.dtype).eps)
    assert error <= allowed, f"{what}: the norm of the error is {error:.3g}, more than {allowed:.3g}"


def _first(g: np.ndarray, w: np.ndarray, wrong: Any) -> str:
    at = tuple(int(i) for i in np.argwhere(wrong)[0]) if np.ndim(wrong) else ()
    return f"{np.count_nonzero(wrong)} of {w.size} differ, the first at {at}: {g[at]!r}, not {w[at]!r}"


# ---------------------------------------------------------------------- the process of a group


def checks(run: Run, name: str) -> Iterator[Check]:
    module = importlib.import_module(f"{__package__}.{GROUPS[name][0]}")
    return getattr(module, name)(run)  # type: ignore[no-any-return]


def works() -> bool:
    """Whether the device still does anything: after an illegal access it does not, until the process ends."""
    try:
        import mtarray as xp

        return bool(host(xp.full((2,), 3, device="cuda")).tolist() == [3, 3])
    except NotImplementedError:
        return True
    except Exception:
        return False


def outcome(function: Callable[[], Any], simulate: bool = False) -> dict[str, Any]:
    """What a check came to: its state and what there is to say."""
    import mtarray as xp

    start = time.perf_counter()
    try:
        found = function()
        if not simulate:
            xp.cuda.synchronize()  # what went wrong on the device shows here
        missed = isinstance(found, dict) and found.get("met") is False
        out: dict[str, Any] = {"state": "missed" if missed else "ok"}
        if found is not None:
            out["found"] = found
    except Skip as reason:
        out = {"state": "skipped", "found": str(reason)}
    except NotImplementedError as error:
        out = {"state": "missing", "found": str(error)}
    except ModuleNotFoundError as error:
        ours = (error.name or "").startswith("mtarray._kernels.cuda.")
        out = {"state": "missing" if ours else "error", "found": f"{error.name} has no module", "trace": _trace(error)}
    except AssertionError as error:
        out = {"state": "failed", "found": str(error)[:600], "trace": _trace(error)}
    except Exception as error:
        out = {"state": "error", "found": f"{type(error).__name__}: {str(error)[:600]}", "trace": _trace(error)}
    out["seconds"] = round(time.perf_counter() - start, 3)
    return out


def _trace(error: BaseException) -> list[str]:
    return [f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-4:]]


def main() -> int:
    """One group: a line of JSON before each check and after it, so that nothing is lost if the process is."""
    parser = argparse.ArgumentParser(prog="python -m mtarray_tests.gpu.run")
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--out", required=True)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--budget", type=float, default=60)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    end = time.monotonic() + options.budget
    import mtarray as xp

    if options.simulate:
        xp.config(cuda="simulate")
    run = Run(options.simulate, options.quick)
    with open(options.out, "a", encoding="utf-8") as out:

        def tell(**line: Any) -> None:
            print(json.dumps(line, default=str), file=out, flush=True)

        i = -1
        try:
            for i, (name, function) in enumerate(checks(run, options.group)):
                if i < options.start:
                    continue
                if time.monotonic() > end:
                    tell(index=i, check=name, state="not run", found="the time of the group is over", seconds=0)
                    continue
                tell(index=i, check=name, state="begun")
                result = outcome(function, options.simulate)
                tell(index=i, check=name, **result)
                if result["state"] in ("failed", "error") and not options.simulate and not works():
                    tell(index=i, check=name, state="sticky")
                    return STICKY
        except Exception as error:  # of the generator itself
            tell(index=i + 1, check="(the group)", state="error", found=f"{type(error).__name__}: {error}", trace=_trace(error), seconds=0)
        tell(state="done")
    return 0


if __name__ == "__main__":
    from mtarray_tests.gpu import run  # the module that the groups import: classes of __main__ would be others

    raise SystemExit(run.main())
