"""Which CUDA devices there are, and their drivers. One clear sentence where there is none."""

import importlib.util

_SIMULATED = 2  # devices that the simulator plays


class Unavailable(RuntimeError):
    """There is no such device, or what drives it is not installed."""


def open(number, played, where):
    """The driver of a device. `played`: "simulate" for the simulator's, "auto" for a GPU's."""
    name = "cuda" if number == 0 else f"cuda:{number}"
    if played == "simulate":
        if number >= _SIMULATED:
            raise Unavailable(f"{where}={name!r}: the simulator plays {_SIMULATED} devices, 'cuda' and 'cuda:1'")
        from .driver import Simulated

        return Simulated(number)
    problem = missing()
    if problem is not None:
        raise Unavailable(f"{where}={name!r}: {problem}")
    from . import gpu

    there = gpu.count()
    if number >= there:
        raise Unavailable(f"{where}={name!r}: there {'is 1 GPU' if there == 1 else f'are {there} GPUs'} here")
    return gpu.Gpu(number)


def missing():
    """Why no GPU can be used, as a sentence with the remedy; None where there is one."""
    if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.core") is None:
        return "CUDA support is not installed; install it with pip install 'mtarray[cuda]' (to try it without a GPU: MTARRAY_CUDA=simulate)"
    from . import gpu

    return gpu.problem()


def count(played):
    """How many devices there are; 0 without a GPU or without the packages that drive it."""
    if played == "simulate":
        return _SIMULATED
    if missing() is not None:
        return 0
    from . import gpu

    return gpu.count()
