"""Device objects. `cpu` is the only one until a CUDA driver is found; a device equals its name."""

from __future__ import annotations

from typing import Any


class Device:
    """A place where arrays live. Compares equal to itself and to its name: `x.device == "cpu"`."""

    __slots__ = ("name", "dlpack")

    def __init__(self, name: str, dlpack: tuple[int, int]) -> None:
        self.name = name
        self.dlpack = dlpack  # (device type, device id) of the DLPack protocol

    def __repr__(self) -> str:
        return f"Device({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and other == self.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:
        return device, (self.name,)


CPU = Device("cpu", (1, 0))
_DEVICES = {"cpu": CPU}


def device(spec: Any, where: str = "device") -> Device:
    """The device that `spec` names (a Device, its name, or None for the default one)."""
    if spec is None or spec is CPU:
        return CPU
    if isinstance(spec, Device):
        return spec
    if isinstance(spec, str) and spec in _DEVICES:
        return _DEVICES[spec]
    raise ValueError(f"{where}={spec!r} is not available; the devices here are {', '.join(map(repr, _DEVICES))}")


def devices() -> tuple[Device, ...]:
    """All devices of this machine."""
    return tuple(_DEVICES.values())
