"""Storage: memory with an identity, which all windows on it share."""

from __future__ import annotations

from typing import Any

from ._devices import CPU, Device


class Storage:
    """What arrays are windows on.

    buffer: on the CPU an ndarray, C-contiguous and of the windows' dtype; offset 0 is its first element. It may be replaced by
        a copy of the same shape and content, so nobody keeps it across a write.
    node: the name of the current content in the derivative tape, or None. It belongs here, not to the array, because every
        window on the same memory sees the same content.
    shared: whether outside code (NumPy, DLPack, the buffer protocol) may hold the same memory; then the buffer never moves.
    """

    __slots__ = ("buffer", "node", "shared")

    device: Device = CPU

    def __init__(self, buffer: Any, shared: bool = False) -> None:
        self.buffer = buffer
        self.node = None
        self.shared = shared
