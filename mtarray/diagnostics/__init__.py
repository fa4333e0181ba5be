"""What this installation is and does: versions, threads, memory; how kernels are built, which of them an expression takes, and why."""

from typing import TYPE_CHECKING, Any

from .facts import configuration, show_config

if TYPE_CHECKING:
    from .building import Kernel, kernels
    from .explaining import Explanation, Step, explain
    from .reading import Loops, loops, matmul_in_python
    from .warming import USUAL as USUAL
    from .warming import Warmth, warmup
else:
    # Imported when first asked for: nobody else should pay for it.
    _PLACES = {
        "building": ("kernels", "Kernel"),
        "explaining": ("explain", "Explanation", "Step"),
        "reading": ("loops", "Loops", "matmul_in_python"),
        "warming": ("warmup", "Warmth", "USUAL"),
    }

    def __getattr__(name: str) -> Any:
        import importlib

        for module, names in _PLACES.items():
            if name in names:
                return getattr(importlib.import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "configuration", "show_config", "explain", "Explanation", "Step", "kernels", "Kernel", "loops", "Loops", "matmul_in_python", "warmup",
    "Warmth",
]  # fmt: skip
