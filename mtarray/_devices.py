"""Device objects: "cpu", and "cuda", "cuda:1", ... where there are such. A device equals its name."""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from typing import Any

from ._config import config


class Device:
    """A place where arrays live. Compares equal to itself and to its name, and hashes like it: `x.device == "cpu"`.

    The first GPU is "cuda"; it equals "cuda:0" as well, which no key of a dict can: look up `str(x.device)`.

    >>> import mtarray as xp
    >>> xp.zeros(2).device, xp.zeros(2).device == "cpu"
    (Device('cpu'), True)
    """

    __slots__ = ("name", "dlpack", "driver")

    def __init__(self, name: str, dlpack: tuple[int, int], driver: Any = None) -> None:
        self.name = name
        self.dlpack = dlpack  # (device type, device id) of the DLPack protocol
        self.driver = driver  # of the engine: None for the CPU

    def __repr__(self) -> str:
        return f"Device({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Device):
            return other.name == self.name
        return isinstance(other, str) and (other == self.name or (other == "cuda:0" and self.name == "cuda"))

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:
        return device, (self.name,)


CPU = Device("cpu", (1, 0))
_opened: dict[tuple[str, int], Device] = {}  # by (what plays it, number)
_lock = threading.Lock()
_default: ContextVar[Device] = ContextVar("mtarray.default_device", default=CPU)


def device(spec: Any, where: str = "device") -> Device:
    """The device that `spec` names: a Device, its name, or None for the default one."""
    if spec is None:
        return current()
    if isinstance(spec, Device):
        return spec
    if spec == "cpu":
        return CPU
    if isinstance(spec, str):
        kind, _, number = spec.partition(":")
        if kind == "cuda" and (number.isdecimal() or spec == "cuda"):
            return _cuda(int(number or 0), where)
    raise ValueError(f"{where}={spec!r} names no device; there are {', '.join(repr(d.name) for d in devices())}")


# The default device of this thread or task.
current = _default.get


def place(device_: Device) -> Token[Device]:
    """Make a device the default one of this thread or task, until `unplace`."""
    return _default.set(device_)


unplace = _default.reset


def _cuda(number: int, where: str) -> Device:
    played = config.cuda
    found = _opened.get((played, number))
    if found is None:
        from ._kernels.cuda import devices as engine

        with _lock:
            found = _opened.get((played, number))
            if found is None:
                driver = engine.open(number, played, where)
                found = Device("cuda" if number == 0 else f"cuda:{number}", (2, number), driver)
                driver.device = found
                _opened[played, number] = found
    return found


def devices() -> tuple[Device, ...]:
    """All devices of this machine."""
    from ._kernels.cuda import devices as engine

    return (CPU, *[_cuda(i, "devices") for i in range(engine.count(config.cuda))])


class _Default:
    """What `set_default_device` returns. Used with `with`, the former default is back when it is left."""

    def __init__(self, chosen: Device, token: Token[Device]) -> None:
        self._chosen = chosen
        self._token = token

    def __enter__(self) -> Device:
        return self._chosen

    def __exit__(self, *exc: object) -> None:
        _default.reset(self._token)


def set_default_device(device_: Any, /) -> _Default:
    """Make arrays on this device where none is named, in this thread or task; as a context manager, until it is left. "cpu" at first.

    Creation functions and random generators follow it; what is computed from arrays stays where they are. ValueError for no such device.

    >>> import mtarray as xp
    >>> with xp.set_default_device("cpu"):
    ...     xp.zeros(2).device
    Device('cpu')
    """
    chosen = device(device_, "set_default_device")
    return _Default(chosen, _default.set(chosen))
