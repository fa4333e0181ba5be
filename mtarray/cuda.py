"""CUDA devices: their memory, streams and graphs, and the copies between them and the host.

Arrays are made on a device by `device="cuda"` and stay there; what is launched on it runs beside Python, in order. Where a value reaches
Python (`float(x)`, `print(x)`, `if x:`) or a shape depends on the elements (`nonzero`, masks, `unique`), the host waits for the device.
"""

from __future__ import annotations

import functools
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ._array import Array, is_followed
from ._captured import Captured
from ._config import config
from ._devices import device as _as_device
from ._kernels.cuda.graphs import CaptureError as CaptureError


class Memory(NamedTuple):
    """Bytes of a device: `free` and `total`, and of its pool those in `used` and those it has `reserved`."""

    free: int
    total: int
    used: int
    reserved: int


def _driver(device: Any) -> Any:
    chosen = _as_device(device)
    if chosen.driver is None:
        raise ValueError(f"device={device!r} is not a CUDA device; use 'cuda' or 'cuda:1'")
    return chosen.driver


def is_available() -> bool:
    """Whether there is a CUDA device: a GPU with its driver and the extra `cuda`, or the simulator (`config(cuda="simulate")`).

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     xp.cuda.is_available()
    True
    """
    return device_count() > 0


def device_count() -> int:
    """Number of CUDA devices.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):  # which plays two
    ...     xp.cuda.device_count()
    2
    """
    from ._kernels.cuda import devices

    return devices.count(config.cuda)


def synchronize(device: Any = "cuda") -> None:
    """Wait until everything launched on a device has run. ValueError if it is no CUDA device, RuntimeError if there is none.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     y = xp.exp(xp.ones(3, device="cuda"))
    ...     xp.cuda.synchronize()
    """
    _driver(device).synchronise()


def memory_info(device: Any = "cuda") -> Memory:
    """Bytes of a device and of its pool, as they are now.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     before = xp.cuda.memory_info().used
    ...     x = xp.zeros(1000, device="cuda")
    ...     xp.cuda.memory_info().used - before
    8000
    """
    driver = _driver(device)
    return Memory(*driver.memory(), *driver.used())


def empty_cache(device: Any = "cuda") -> None:
    """Give the memory that the pool keeps for later back to the device, once what was launched has run.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     xp.cuda.empty_cache()
    """
    _driver(device).trim()


def stream(device: Any = "cuda") -> int:
    """The number (CUstream) of the stream that everything on a device runs on, for libraries that are to run after or before it.

    ValueError on a simulated device, which has none.
    """
    driver = _driver(device)
    if driver.simulated:
        raise ValueError(f"device {driver.name!r} is simulated and has no stream")
    handle: int = driver.stream_handle
    return handle


def counts(device: Any = "cuda") -> dict[str, int]:
    """What happened on a device since the process began: copies `to_device` and `to_host` and their bytes, `launches`, `allocations`,
    `synchronisations`.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     before = xp.cuda.counts()["to_device"]
    ...     x = xp.asarray([1.0, 2.0], device="cuda") + 1
    ...     xp.cuda.counts()["to_device"] - before
    1
    """
    return dict(_driver(device).counts)


class TransferError(RuntimeError):
    """A copy between host and device where `forbid_transfers` holds."""


@contextmanager
def forbid_transfers(device: Any = "cuda") -> Iterator[None]:
    """In this context, in every thread, a copy of elements between the host and a device raises TransferError, naming where it happens.

    What a training step needs is on the device before: this shows it. (Reading one number counts as well: `float(loss)`.) Only the check
    of index arrays is put off: elsewhere it reads a flag of 8 bytes, and raises IndexError at once; here what is out of bounds is left out,
    and the next selection by index arrays after the context raises.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     x = xp.ones(3, device="cuda")
    ...     with xp.cuda.forbid_transfers():
    ...         y = xp.sum(x * 2)  # stays there
    ...     float(y)
    6.0
    """
    driver = _driver(device)
    opened = _site()

    def refuse(way: str, nbytes: int) -> None:
        raise TransferError(
            f"a copy of {nbytes} bytes {'from the host to' if way == 'to_device' else 'to the host from'} device {driver.name!r} "
            f"at {_site()}, forbidden by forbid_transfers at {opened}"
        )

    driver.forbid(refuse)
    try:
        yield
    finally:
        driver.permit(refuse)


_PREPARING: list[Callable[[Any], None]] = []


def before_capture(function: Callable[[Any], None]) -> Callable[[Any], None]:
    """Have `function(device)` called whenever a graph is about to be captured on a device, as long as the process lives.

    It is for what keeps numbers in Python that change from call to call: in a graph they would stay what they are, so they are to be moved
    into arrays on the device, which a graph reads anew. Usable as a decorator.
    """
    _PREPARING.append(function)
    return function


def graph(function: Callable[..., Any], device: Any = "cuda") -> Callable[..., Any]:
    """`function` as a graph: its first call runs as it stands, its second one records what it launches on the device, and that call and all
    later ones are one launch each, however many kernels there are.

    function: of arrays on the device, or of none; it may write into arrays (parameters, the state of an optimiser), which keep their
    memory. What it returns is written anew by each call: take a copy of what is to stay.

    Every call must do the same work on the same shapes: other shapes of the arguments raise ValueError. What Python decides or computes in
    the function is as it was in the second call: rates of schedules and random numbers, too (the number of the step, which Adam's rates
    depend on, is counted on the device: see `before_capture`). A copy between the host and the device in it, such as
    `float(loss)`, raises CaptureError; make arrays of lists before, and read numbers after the call.

    >>> import mtarray as xp
    >>> with xp.config(cuda="simulate"):
    ...     x = xp.ones(3, device="cuda")
    ...     double = xp.cuda.graph(lambda y: x.__imul__(y))
    ...     for _ in range(3):
    ...         doubled = double(xp.full((), 2.0, device="cuda"))
    ...     doubled.tolist()
    [8.0, 8.0, 8.0]
    """
    driver = _driver(device)
    calls = 0
    captured: Any = None
    inputs: list[Array] = []
    lock = threading.RLock()  # threads that call it write to the same inputs

    @functools.wraps(function)
    def run(*args: Array) -> Any:
        nonlocal calls, captured
        for i, a in enumerate(args):
            if a.__class__ is not Array or a.device != driver.device:
                what = f"an array on device {a.device.name!r}" if a.__class__ is Array else f"{a!r:.40} ({type(a).__name__})"
                raise TypeError(f"graph: argument {i} must be an array on device {driver.device.name!r}, got {what}; move it there before")
            if is_followed(a):
                raise TypeError(
                    f"graph: argument {i}, of shape {a.shape}, is being differentiated, and what a graph runs has no derivative; take the "
                    "derivative inside of the function"
                )
        with lock:
            calls += 1
            if calls == 1:
                return function(*args)
            if captured is None:
                for prepare in _PREPARING:
                    prepare(driver.device)
                inputs[:] = [a.copy() for a in args]
                captured = Captured(driver, lambda: function(*inputs))
            if [(a.shape, a.dtype) for a in args] != [(a.shape, a.dtype) for a in inputs]:
                raise ValueError(
                    f"graph: it was captured for arguments of {[(a.shape, a.dtype.name) for a in inputs]}, "
                    f"and called with {[(a.shape, a.dtype.name) for a in args]}"
                )
            for own, given in zip(inputs, args):
                own[...] = given
            captured.replay()
            return captured.result

    return run


def _site() -> str:
    """The innermost line of code that is not mtarray's."""
    for frame in reversed(traceback.extract_stack()):
        if "/mtarray/" not in frame.filename.replace("\\", "/") and "contextlib" not in frame.filename:
            return f"{frame.filename}:{frame.lineno}"
    return "?"


__all__ = [
    "CaptureError", "Memory", "TransferError", "before_capture", "counts", "device_count", "empty_cache", "forbid_transfers", "graph",
    "is_available", "memory_info", "stream", "synchronize",
]  # fmt: skip
