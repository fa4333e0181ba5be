"""The devices: memory, launches and copies, of a GPU through cuda.core or of the simulator in host memory. Copies are counted."""

import bisect
import functools
import os
import threading
import weakref

import numpy as np


class Buffer:
    """A block of device memory: `ptr`, `nbytes`, the driver it belongs to. Freed, in the order of the stream, with the last reference."""

    __slots__ = ("ptr", "nbytes", "driver", "keeps", "__weakref__")

    def __init__(self, ptr, nbytes, driver, keeps):
        self.ptr = ptr
        self.nbytes = nbytes
        self.driver = driver
        self.keeps = keeps  # the memory itself

    def copy(self):
        """A buffer with the same bytes."""
        return self.part(0, self.nbytes)

    def part(self, low, high):
        """A buffer with the bytes [low, high) of this one."""
        out = self.driver.allocate(high - low)
        self.driver.copy(out.ptr, self.ptr + low, high - low)
        return out


class Driver:
    """What the GPU and its simulator have in common. `counts`: copies to and from the host, their bytes, launches, allocations, waits."""

    def __init__(self, ordinal):
        self.ordinal = ordinal
        self.name = f"cuda:{ordinal}"
        self.counts = dict(to_device=0, to_host=0, bytes_to_device=0, bytes_to_host=0, launches=0, allocations=0, synchronisations=0)
        self.forbidden = None  # what raises when a copy between host and device is forbidden
        self._refusals = []  # all that forbid it, the latest last
        self.capture = None  # the memory of the graph that is being captured

    def upload(self, array):
        """A buffer with the bytes of an ndarray, in C order."""
        array = np.ascontiguousarray(array)
        out = self.allocate(array.nbytes)
        if array.nbytes:
            self._counted("to_device", array.nbytes)
            self._copy_in(out.ptr, array.reshape(-1).view(np.uint8))
        return out

    def download(self, ptr, nbytes):
        """The bytes at an address as an ndarray of uint8, once everything launched before has run."""
        out = np.empty(nbytes, np.uint8)
        if nbytes:
            self._counted("to_host", nbytes)
            self._copy_out(out, ptr)
        return out

    def forbid(self, refuse):
        """Have `refuse(way, nbytes)`, which raises, called by copies between host and device until `permit(refuse)`. Threads may do so in
        any order."""
        with self._lock:
            self._refusals.append(refuse)
            self.forbidden = refuse

    def permit(self, refuse):
        with self._lock:
            self._refusals.remove(refuse)
            self.forbidden = self._refusals[-1] if self._refusals else None

    def _counted(self, way, nbytes):
        if self.forbidden is not None:
            self.forbidden(way, nbytes)
        self.counts[way] += 1
        self.counts["bytes_" + way] += nbytes


class Simulated(Driver):
    """A device that is played by host memory and the simulator: exact, deterministic, and every access is checked.

    thorough: look for races and for elements of buffers that are read before they are written, too. limit: the bytes that it has.
    """

    simulated = True
    multiprocessors = 4
    compute_capability = (9, 0)

    def __init__(self, ordinal, thorough=False, limit=1 << 40):
        super().__init__(ordinal)
        self.thorough = thorough or os.environ.get("MTARRAY_SIMULATOR") == "thorough"
        self.limit = limit
        self._next = (ordinal + 1) << 44
        self._starts = []  # of the living buffers, ascending
        self._memory = {}  # start: (bytes, which of them were written (None: not watched))
        self._used = 0
        self._lock = threading.RLock()
        _SIMULATED.add(self)

    def allocate(self, nbytes):
        return self.allocate_apart(nbytes) if self.capture is None else self.capture.take(nbytes, self)

    def allocate_apart(self, nbytes):
        """Memory that belongs to no capture."""
        with self._lock:
            if self._used + nbytes > self.limit:
                free, total = self.memory()
                raise MemoryError(f"{self.name}: {nbytes:,} bytes could not be allocated; {free:,} of {total:,} are free")
            self.counts["allocations"] += 1
            ptr = self._next
            self._next += (nbytes + 255 & ~255) + 256  # what lies between buffers belongs to none
            memory = np.empty(nbytes, np.uint8)
            memory.fill(0xAB)
            self._starts.append(ptr)
            self._memory[ptr] = memory, np.zeros(nbytes, bool) if self.thorough else None
            self._used += nbytes
        out = Buffer(ptr, nbytes, self, memory)
        weakref.finalize(out, self._free, ptr).atexit = False
        return out

    def _free(self, ptr):
        with self._lock:
            self._used -= self._memory.pop(ptr)[0].size
            del self._starts[bisect.bisect_left(self._starts, ptr)]

    def found(self, address, name="an address"):
        """(start, bytes, which of them were written) of the buffer that an address points into."""
        with self._lock:
            i = bisect.bisect_right(self._starts, address) - 1
            start = self._starts[i] if i >= 0 else 0
            memory, known = self._memory.get(start, (None, None))
        if memory is None or address > start + memory.size:
            raise IndexError(f"{name}: {address:#x} points into no living buffer of {self.name}")
        return start, memory, known

    def at(self, address):
        """(bytes of the buffer that an address points into, how far into it)."""
        start, memory, _ = self.found(address)
        return memory, address - start

    def _bytes(self, address, nbytes, verb):
        """(bytes, which of them were written) of a range of one buffer."""
        start, memory, known = self.found(address)
        i = address - start
        if i + nbytes > memory.size:
            raise IndexError(f"{verb} of {nbytes} bytes at {address:#x}, which is byte {i} of a buffer of {memory.size} of {self.name}")
        return memory[i : i + nbytes], None if known is None else known[i : i + nbytes]

    def copy(self, to, source, nbytes):
        if self.capture is not None:
            self.capture.note(self, (to, source))
            self._captured.append(functools.partial(self.copy, to, source, nbytes))
        elif nbytes:
            (a, known), (b, copied) = self._bytes(to, nbytes, "copy"), self._bytes(source, nbytes, "copy")
            a[...] = b.copy()
            if known is not None:
                known[...] = True if copied is None else copied.copy()

    def _copy_in(self, ptr, data):
        memory, known = self._bytes(ptr, data.size, "copy")
        memory[...] = data
        if known is not None:
            known[...] = True

    def _copy_out(self, out, ptr):
        out[...] = self._bytes(ptr, out.size, "copy")[0]

    def synchronise(self):
        self.counts["synchronisations"] += 1

    def begin_capture(self, arena):
        self.capture, self._captured = arena, []

    def end_capture(self):
        """What replays the launches and copies since the capture began."""
        captured = self._captured
        self.abandon_capture()

        def replay():
            for run in captured:
                run()

        return replay

    def abandon_capture(self):
        self.capture = self._captured = None

    def await_on(self, stream):
        """Nothing runs later here than it is launched."""

    def memory(self):
        """(free, total) bytes."""
        return self.limit - self._used, self.limit

    def used(self):
        """(bytes in use, bytes kept)."""
        return self._used, self._used

    def trim(self):
        """Nothing is kept."""

    def load(self, kernel):
        from . import simulator

        return simulator.load(kernel)

    def launch(self, code, grid, block, args, shared=0):
        from . import simulator

        if self.capture is not None:
            self.capture.note(self, args)
            self._captured.append(functools.partial(self.launch, code, grid, block, args, shared))
            return
        self.counts["launches"] += 1
        with self._lock:  # a stream: one after the other
            simulator.launch(self, code, grid, block, args, shared)


_SIMULATED = weakref.WeakSet()


def _after_fork():
    for driver in _SIMULATED:
        driver._lock = threading.RLock()  # another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
