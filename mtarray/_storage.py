"""Storage: memory with an identity, which all windows on it share; and what keeps values that others still need from being overwritten."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._devices import CPU, Device

# What else may hold a storage's memory (`Storage.ties`), besides nobody (None) and a `Holds`:
SHARED = "shared"  # code outside: NumPy, DLPack, the buffer protocol. The buffer never moves, and what is to be kept is copied.
HELD = "held"  # somebody kept the buffer as it is: the storage moves to a copy before it is written.


class Storage:
    """What arrays are windows on.

    buffer: on the CPU an ndarray, C-contiguous; offset 0 is its first element. It may be replaced by a copy of the same shape and
        content, so nobody keeps it across a write.
    node: the name of the current content in the derivative tape, or None. It belongs here, not to the array, because every
        window on the same memory sees the same content.
    ties: who else may hold the buffer: None, SHARED, HELD or a Holds.
    """

    __slots__ = ("buffer", "node", "ties")

    device: Device = CPU
    buffer: Any
    node: Any
    ties: Any

    def __init__(self, buffer: Any, ties: Any = None) -> None:
        self.buffer = buffer
        self.node = None
        self.ties = ties


class DeviceStorage(Storage):
    """Storage on a device that is not the CPU. buffer: a contiguous `Tensor` of the engine, which has as much of an ndarray as is asked
    here: shape, dtype, size, nbytes, `copy` and, for a part of its bytes, `part`."""

    __slots__ = ("__weakref__",)

    @property
    def device(self) -> Device:  # type: ignore[override]
        return self.buffer.device


class Hold:
    """The bytes [low, high) of a buffer as they are now. `at`: (buffer, bytes to subtract from an offset, whether it is a copy of our own).

    readers: the `ties` of storages that were put on the buffer to read it, and keep it from being written while they live.
    """

    __slots__ = ("at", "low", "high", "readers", "__weakref__")

    def __init__(self, buffer: Any, low: int, high: int) -> None:
        self.at = (buffer, 0, False)
        self.low = low
        self.high = high
        self.readers: list[weakref.ref[Holds]] = []

    def detach(self) -> None:
        """Keep a copy of the bytes instead of the buffer."""
        buffer = self.at[0]
        if buffer.__class__ is np.ndarray:
            kept = buffer.reshape(-1).view(np.uint8)[self.low : self.high].copy()
        else:
            kept = buffer.part(self.low, self.high)
        self.at = (kept, self.low, True)

    def is_read(self) -> bool:
        return any(r() is not None for r in self.readers)


class _Cell:
    """Holds of about one length that begin in one stretch of the buffer; top: beyond their ends."""

    __slots__ = ("refs", "top")

    def __init__(self) -> None:
        self.refs: dict[tuple[int, int], weakref.ref[Hold]] = {}
        self.top = 0


class Holds:
    """The living holds on windows of a storage, found by interval: by the power of two of their length, then by where they begin.

    whole: whether the buffer as a whole is held as well. root: of a storage that stands for what an older Hold kept, that hold.
    """

    __slots__ = ("levels", "whole", "root", "__weakref__")

    def __init__(self, whole: bool, root: Hold | None = None) -> None:
        self.levels: dict[int, dict[int, _Cell]] = {}
        self.whole = whole
        self.root = root

    def add(self, buffer: Any, low: int, high: int) -> Hold:
        """A hold on the bytes [low, high); the living one if there is one."""
        if self.root is not None and self.root.low <= low and high <= self.root.high:
            return self.root
        level = (high - low).bit_length()
        cells = self.levels.setdefault(level, {})
        cell = cells.get(low >> level)
        if cell is None:
            cell = cells[low >> level] = _Cell()
        ref = cell.refs.get((low, high))
        hold = ref() if ref is not None else None
        if hold is None:
            count = len(cell.refs)
            if count >= 32 and not count & (count - 1):  # now and then, so that the dead cost a constant for each
                cell.refs = {k: r for k, r in cell.refs.items() if r() is not None}
            hold = Hold(buffer, low, high)
            cell.refs[low, high] = weakref.ref(hold)
            cell.top = max(cell.top, high)
        return hold

    def meeting(self, low: int, high: int) -> Iterator[Hold]:
        """The living holds that have bytes of [low, high)."""
        for level, cells in self.levels.items():
            first, last = (low >> level) - 1, (high - 1) >> level  # a hold of this level ends in the cell after its own at the latest
            numbers = range(first, last + 1) if last - first < len(cells) else list(cells)
            for number in numbers:
                cell = cells.get(number)
                if cell is None or cell.top <= low:
                    continue
                for (begin, end), ref in list(cell.refs.items()):
                    if begin < high and end > low:
                        hold = ref()
                        if hold is not None:
                            yield hold
                        else:
                            del cell.refs[begin, end]

    def forget(self, hold: Hold) -> None:
        level = (hold.high - hold.low).bit_length()
        self.levels[level][hold.low >> level].refs.pop((hold.low, hold.high), None)


_lock = threading.RLock()


def keep(storage: Storage, low: int, high: int) -> Hold:
    """Hold the bytes [low, high) of a storage that is not SHARED."""
    with _lock:
        ties = storage.ties
        if ties.__class__ is not Holds:
            ties = storage.ties = Holds(ties is HELD)
        return ties.add(storage.buffer, low, high)


def held(hold: Hold) -> Any:
    """(buffer, bytes to subtract from an offset) of what is held, and the ties of a storage to read it through if that buffer may still be
    another storage's, which then moves before it is written: another thread may write while this one reads."""
    with _lock:
        buffer, shift, own = hold.at
        if own:
            return buffer, shift, None
        ties = Holds(True, hold)
        hold.readers = [r for r in hold.readers if r() is not None]
        hold.readers.append(weakref.ref(ties))
        return buffer, shift, ties


def loosen(storage: Storage, low: int, high: int) -> None:
    """Make the bytes [low, high) free to be written: what others hold of them keeps its values.

    Copies the smaller of the held windows and the buffer, at most once for each time that something was kept.
    """
    with _lock:
        ties = storage.ties
        if ties is None or ties is SHARED:
            return
        if ties is HELD:
            if not _alone(storage):
                storage.buffer = copied(storage.buffer)
            storage.ties = None
            return
        if not ties.whole:
            met = list(ties.meeting(low, high))
            if sum([h.high - h.low for h in met]) < storage.buffer.nbytes and not any(h.is_read() for h in met):
                for hold in met:
                    hold.detach()
                    ties.forget(hold)
                return
        storage.buffer = copied(storage.buffer)
        storage.ties = None


def is_held(storage: Storage) -> bool:
    """Whether somebody may still need the values that a storage has now."""
    with _lock:
        ties = storage.ties
        if ties is None or ties is SHARED:
            return False
        return not _alone(storage)


def share(storage: Storage) -> None:
    """Note that outside code holds the memory from now on; what was kept of it stays behind."""
    with _lock:
        kept = storage.ties is not None and storage.ties is not SHARED
        if kept and (storage.ties is not HELD or not _alone(storage)):
            storage.buffer = copied(storage.buffer)
        storage.ties = SHARED


def copied(buffer: Any) -> Any:
    """A C-contiguous copy of an ndarray in memory of ours; of a Tensor, on its device."""
    if buffer.nbytes < 1 << 17 or buffer.__class__ is not np.ndarray:
        return buffer.copy()
    from ._kernels.cpu import copying, pool

    out = pool.empty(buffer.shape, buffer.dtype)
    copying.copy(out, buffer)
    return out


def _references(storage: Storage) -> int:
    return sys.getrefcount(storage.buffer)


# What `_references` says of a buffer that only its storage refers to. Where reference counts are no such thing, nobody is ever alone.
_COUNTED = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
_ALONE = _references(Storage(np.empty(1))) if _COUNTED else 0


def _alone(storage: Storage) -> bool:
    """Whether nobody but the storage refers to its buffer. References that are not holds only make a needless copy."""
    return _COUNTED and _references(storage) <= _ALONE
