"""A function captured as a graph, and the arrays whose memory the graph has by address.

Writing to an array may move it: where something else still needs the values (a derivative to come), the array gets a copy of them to write
into. A graph knows nothing of that: it reads and writes the addresses that it was captured with. So before each replay the arrays are put
back on those addresses, and what others hold there moves away.
"""

from __future__ import annotations

import bisect
import gc
import weakref
from collections.abc import Callable
from typing import Any

from ._kernels.cuda import graphs
from ._kernels.cuda.tensor import Tensor
from ._storage import HELD, SHARED, DeviceStorage, is_held


class _Place:
    """A storage, what it had as its buffer, and the memory of that, which lives as long as the graph."""

    __slots__ = ("storage", "tensor", "memory", "__weakref__")

    def __init__(self, storage: DeviceStorage) -> None:
        self.storage = weakref.ref(storage)
        self.tensor = weakref.ref(storage.buffer)  # no more than that: whoever else refers to it counts as holding its values
        self.memory = storage.buffer.buffer

    def settle(self) -> None:
        """Put the storage back on this memory, with the content that it has now."""
        storage = self.storage()
        if storage is None:
            return
        now = storage.buffer
        if now.buffer is self.memory:
            self.tensor = weakref.ref(now)
            return
        if storage.ties is SHARED:
            raise graphs.CaptureError(
                f"graph: an array of {now.nbytes} bytes has moved since the graph was captured, and another library has its new memory; "
                "make the graph anew"
            )
        now.driver.copy(self.memory.ptr, now.address, self.memory.nbytes)
        self._take(storage, now)

    def _take(self, storage: DeviceStorage, like: Tensor) -> None:
        made = Tensor(self.memory, like.shape, like.strides, 0, like.dtype)
        storage.buffer, storage.ties = made, None
        self.tensor = weakref.ref(made)

    def free(self) -> None:
        """Make this memory the storage's and nobody else's, so that a replay may write there."""
        storage = self.storage()
        former = self.tensor()
        if former is not None and former.buffer is self.memory and (storage is None or storage.buffer is not former):
            former.buffer = self.memory.copy()  # for whoever has it still
        del former  # which would count as another holder
        self.settle()
        if storage is not None and is_held(storage):
            held = storage.buffer
            held.buffer = self.memory.copy()
            self._take(storage, held)

    def back(self) -> None:
        """As it was before a capture that came to nothing: what was to be written has not been."""
        storage, former = self.storage(), self.tensor()
        if storage is not None and storage.buffer.buffer is not self.memory:
            if former is None:
                self._take(storage, storage.buffer)
            else:
                storage.buffer, storage.ties = former, HELD


class Captured:
    """What a function returned when it was captured (`result`), and how to run it again."""

    def __init__(self, driver: Any, function: Callable[[], Any]) -> None:
        # `type`, since asking an object of another library for its `__class__` may run code of that library.
        places = [_Place(s) for s in gc.get_objects() if type(s) is DeviceStorage and s.buffer.driver is driver]

        def run() -> Any:
            try:
                made = function()
            except BaseException:
                for place in places:
                    place.back()
                raise
            for place in places:
                former = place.tensor
                place.settle()
                if former() is not None:
                    place.tensor = former  # whoever has it gets a copy before the first replay
            return made

        self.result, self._graph = graphs.capture(driver, run)
        self._places = _named(places, self._graph.addresses)

    def replay(self) -> None:
        for place in self._places:
            place.free()
        self._graph.replay()


def _named(places: list[_Place], addresses: set[int]) -> list[_Place]:
    """Those that a graph has an address in: one for each piece of memory, the oldest storage's."""
    by_start = {p.memory.ptr: p for p in places}  # of the garbage collector's objects the oldest come last
    starts = sorted(by_start)
    found = {}
    for address in addresses:
        i = bisect.bisect_right(starts, address) - 1
        if i >= 0 and address < starts[i] + by_start[starts[i]].memory.nbytes:
            found[starts[i]] = by_start[starts[i]]
    return list(found.values())
