"""What this installation is and does: versions, threads, memory, kernels."""

from __future__ import annotations

import platform
import sys
from typing import Any

from .._config import config
from .._devices import devices


def configuration() -> dict[str, Any]:
    """The facts behind `show_config`, as data. Loads the engine (Numba included) if it is not loaded yet.

    >>> import mtarray as xp
    >>> xp.diagnostics.configuration()["config"]["kernels"]
    'auto'
    """
    from .._kernels import build
    from .._kernels.cpu import blas, driver, pool

    return {
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("mtarray", "numpy", "numba", "llvmlite", "tbb", "array-api-compat")},
        },
        "platform": f"{platform.system()} {platform.machine()}",
        "interpreter": ("free-threaded " if _free_threaded() else "") + platform.python_implementation(),
        "devices": [d.name for d in devices()],
        "threads": driver.get_num_threads(),
        "threading layer": driver.layer(),
        "BLAS threads under control": blas.controls_threads(),
        "pool": {k: v for k, v in pool.stats().items() if k != "buffers"},
        "kernels": build.stats(),
        "config": dict(config._values),
    }


def show_config() -> None:
    """Print versions, devices, threads, the memory pool, the kernel cache and the settings of `config`: what a bug report needs.

    >>> import mtarray as xp
    >>> xp.show_config()  # doctest: +ELLIPSIS
    versions
      python: ...
    """
    for title, facts in configuration().items():
        if isinstance(facts, dict):
            print(title)
            for name, fact in facts.items():
                print(f"  {name}: {fact}")
        else:
            print(f"{title}: {', '.join(facts) if isinstance(facts, list) else facts}")


def _version(name: str) -> str | None:
    from importlib import metadata  # 13 ms, which `import mtarray` need not spend

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _free_threaded() -> bool:
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


__all__ = ["configuration", "show_config"]
