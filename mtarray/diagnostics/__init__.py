"""What this installation is and does: versions, threads, memory; how kernels are built, which of them an expression takes, and why."""

from .building import Kernel, kernels
from .explaining import Explanation, Step, explain
from .facts import configuration, show_config
from .reading import Loops, loops, matmul_in_python
from .warming import USUAL, Warmth, warmup

__all__ = [
    "configuration", "show_config", "explain", "Explanation", "Step", "kernels", "Kernel", "loops", "Loops", "matmul_in_python", "warmup",
    "Warmth", "USUAL",
]  # fmt: skip
