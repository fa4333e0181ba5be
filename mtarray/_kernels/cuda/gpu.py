"""A GPU: memory from the driver's stream-ordered pool, one stream, launches through cuda.core.

Everything is ordered by the stream of the device: memory that is freed is used again by what is launched later, so temporaries cost no
wait. The host waits only where a value reaches it (`download`, `synchronise`).
"""

import contextlib
import ctypes
import functools
import gc
import threading
import weakref

import numpy as np

from .driver import Buffer, Driver
from .graphs import CaptureError

_STAGED = 1 << 16  # bytes from which a copy from the host goes through pinned memory, which the device reads by itself
_CUDA = 13  # major version: what the compiler makes for it no older driver loads
_SHARED = 48 << 10  # bytes of dynamic shared memory that every kernel may have; more has to be asked for
_current = threading.local()  # `driver`: the one whose device this thread named last


# Errors of kernels, after which every call of the process fails.
_STICKY = ("ILLEGAL", "MISALIGNED", "LAUNCH_FAILED", "LAUNCH_TIMEOUT", "ASSERT", "HARDWARE", "INVALID_PC", "INVALID_ADDRESS_SPACE")
_LOST = (
    ": something launched before went wrong, and the device is lost to this process; start it anew (MTARRAY_CUDA=simulate names the kernel "
    "and line of an access out of bounds)"
)


@functools.cache
def problem():
    """Why there is no GPU, as a sentence; None where there is one."""
    from cuda.bindings import driver

    try:
        (status,) = driver.cuInit(0)
    except Exception:  # whatever the loader raises where no driver is installed
        return "no NVIDIA driver was found here; to try it without a GPU, set MTARRAY_CUDA=simulate"
    if status != driver.CUresult.CUDA_SUCCESS:
        return f"the NVIDIA driver reports {status.name}: there is no GPU that this process may use; without one, set MTARRAY_CUDA=simulate"
    version = _checked(driver.cuDriverGetVersion())
    if version < 1000 * _CUDA:
        return f"the NVIDIA driver is one for CUDA {version // 1000}.{version % 1000 // 10}; CUDA {_CUDA} needs version 580 or newer"
    return None


def count():
    """Number of GPUs; 0 without a driver."""
    if problem() is not None:
        return 0
    from cuda.bindings import driver

    return _checked(driver.cuDeviceGetCount())


def _checked(result):
    """The value of a driver call, a tuple of several; RuntimeError with the driver's name of the error."""
    status, *values = result
    if status.value:
        lost = any(word in status.name for word in _STICKY)
        raise RuntimeError(f"the CUDA driver reports {status.name}{_LOST if lost else ''}")
    return values[0] if len(values) == 1 else tuple(values)


class _Memory(Buffer):
    """A buffer of the pool. While a graph is captured a free would become part of it, which the driver refuses: it waits for the end."""

    __slots__ = ()

    def __del__(self):
        driver = self.driver
        if driver.capture is not None:
            driver.later.append(functools.partial(self.keeps.close, driver.stream))


class _Apart(Buffer):
    """A buffer that was allocated on the other stream, and is freed in the order of the stream that used it."""

    __slots__ = ()

    def __del__(self):
        driver = self.driver
        close = functools.partial(self.keeps.close, driver.stream)
        close() if driver.capture is None else driver.later.append(close)


class _Lent:
    """Keeps what two libraries share until the last of them drops it. What is freed then is used again in the order of the stream of
    whoever allocated it, and the other one may have launched work on it: `order` makes the one wait for the other, on the device."""

    __slots__ = ("driver", "what", "order")

    def __init__(self, driver, what, order):
        self.driver, self.what, self.order = driver, what, order

    def __del__(self):
        order, what = self.order, self.what
        if self.driver.capture is not None:
            self.driver.later.append(lambda: (order(), what))
            return
        with contextlib.suppress(Exception):  # at the end of the process the driver may be gone
            order()


class Gpu(Driver):
    """A GPU, by its number."""

    simulated = False

    def __init__(self, ordinal):
        super().__init__(ordinal)
        from cuda import core
        from cuda.bindings import driver

        self._core, self._api = core, driver
        self._gpu = core.Device(ordinal)
        self._alone = count() == 1
        self._gpu.set_current()
        self.stream = self._gpu.create_stream()
        self.stream_handle = int(self.stream.handle)
        self._apart = self._gpu.create_stream()
        self._pool = core.DeviceMemoryResource(ordinal)
        properties = self._gpu.properties
        self.multiprocessors = properties.multiprocessor_count
        found = self._gpu.compute_capability
        self.compute_capability = (found.major, found.minor)
        self.product = self._gpu.name
        self._launch = core.launch
        self._configs = {}
        self._staging = None  # pinned memory, and the event after which it is free
        self._lock = threading.RLock()
        self.later = []  # what dropping memory during a capture asks for, to be called after it
        self._granted = {}  # kernel: bytes of dynamic shared memory that it may have
        _current.driver = self

    def _enter(self):
        """Each thread names the device before its first call. Where there are several, before every one: another library may have chosen
        another since."""
        if not self._alone or getattr(_current, "driver", None) is not self:
            self._gpu.set_current()
            _current.driver = self

    # --- memory ---------------------------------------------------------------------------------------------------------

    def allocate(self, nbytes):
        if self.capture is not None:
            return self.capture.take(nbytes, self)
        self._enter()
        self.counts["allocations"] += 1
        try:
            made = self._pool.allocate(nbytes or 1, stream=self.stream)
        except Exception as error:
            made = self._made_room(nbytes, self.stream, error)
        return _Memory(int(made.handle), nbytes, self, made)

    def allocate_apart(self, nbytes):
        """Memory that belongs to no capture: it comes in the order of a stream that none is made of, and is there when this returns."""
        self._enter()
        self.counts["allocations"] += 1
        try:
            made = self._pool.allocate(nbytes or 1, stream=self._apart)
        except Exception as error:
            made = self._made_room(nbytes, self._apart, error)
        self._apart.sync()
        return _Apart(int(made.handle), nbytes, self, made)

    def _made_room(self, nbytes, stream, error):
        """Memory after all, where the first try ran out of it."""
        if "OUT_OF_MEMORY" not in str(error).upper():
            raise error
        # What nobody uses any more may still be on its way back: arrays in cycles, frees behind work in the stream, blocks of the pool.
        gc.collect()
        if self.capture is None:
            self.trim()
        try:
            return self._pool.allocate(nbytes or 1, stream=stream)
        except Exception as again:
            if "OUT_OF_MEMORY" not in str(again).upper():
                raise
            (free, total), (used, _) = self.memory(), self.used()
            raise MemoryError(
                f"{self.name}: {nbytes:,} bytes could not be allocated; of {total:,} bytes {free:,} are free, and arrays of this process "
                f"hold {used:,}"
            ) from again

    def memory(self):
        """(free, total) bytes of the device."""
        self._gpu.set_current()  # asked of the current device, which another library may have chosen since
        _current.driver = self
        return _checked(self._api.cuMemGetInfo())

    def used(self):
        """(bytes in use, bytes that the pool keeps) of the pool."""
        attributes = self._pool.attributes
        return int(attributes.used_mem_current), int(attributes.reserved_mem_current)

    def trim(self):
        """Give the memory that the pool keeps back to the device."""
        self.synchronise()
        _checked(self._api.cuMemPoolTrimTo(self._pool.handle, 0))

    def _copy_in(self, ptr, data):
        self._enter()
        if data.nbytes < _STAGED:
            _checked(self._api.cuMemcpyHtoDAsync(ptr, data.ctypes.data, data.nbytes, self.stream_handle))
            return
        with self._lock:
            pinned = self._pinned(data.nbytes)
            for start in range(0, data.nbytes, pinned.size):
                self.stream.sync() if start else None
                part = data[start : start + pinned.size]
                pinned[: part.size] = part
                _checked(self._api.cuMemcpyHtoDAsync(ptr + start, pinned.ctypes.data, part.size, self.stream_handle))
            self.stream.sync()  # the staging memory is free again

    def _pinned(self, nbytes):
        """Pinned host memory, at most 64 MiB, kept for the next time."""
        wanted = min(1 << (nbytes - 1).bit_length(), 1 << 26)
        if self._staging is None or self._staging[0].size < wanted:
            pointer = _checked(self._api.cuMemHostAlloc(wanted, 1))  # 1: pinned for all devices
            if self._staging is not None:
                _checked(self._api.cuMemFreeHost(self._staging[1]))
            memory = np.ctypeslib.as_array((ctypes.c_uint8 * wanted).from_address(int(pointer)))
            self._staging = memory, pointer
        return self._staging[0]

    def _copy_out(self, out, ptr):
        self._enter()
        if out.nbytes < _STAGED:
            _checked(self._api.cuMemcpyDtoHAsync(out.ctypes.data, ptr, out.nbytes, self.stream_handle))
            self.synchronise()
            return
        with self._lock:
            pinned = self._pinned(out.nbytes)
            for start in range(0, out.nbytes, pinned.size):
                part = out[start : start + pinned.size]
                _checked(self._api.cuMemcpyDtoHAsync(pinned.ctypes.data, ptr + start, part.size, self.stream_handle))
                self.synchronise()
                part[...] = pinned[: part.size]

    def copy(self, to, source, nbytes):
        if nbytes:
            self._enter()
            if self.capture is not None:
                self.capture.note(self, (to, source))
            _checked(self._api.cuMemcpyDtoDAsync(to, source, nbytes, self.stream_handle))

    def synchronise(self):
        if self.capture is not None:
            raise CaptureError(f"{self.name}: waiting for the device cannot be part of a graph, in which nothing runs yet")
        self._enter()
        self.counts["synchronisations"] += 1
        self.stream.sync()

    # --- kernels --------------------------------------------------------------------------------------------------------

    def load(self, kernel):
        from . import compile as compiler

        self._enter()
        made = compiler.cubin(kernel, self.compute_capability)
        return self._core.ObjectCode.from_cubin(made.code).get_kernel(made.entry)

    def launch(self, code, grid, block, args, shared=0):
        self._enter()
        if self.capture is not None:
            self.capture.note(self, args)
        config = self._configs.get((grid, block, shared))
        if config is None:
            if len(self._configs) >= 4096:
                self._configs.clear()
            config = self._configs[grid, block, shared] = self._core.LaunchConfig(grid=grid, block=block, shmem_size=shared)
        if shared > _SHARED and self._granted.get(code, 0) < shared:
            what = self._api.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            _checked(self._api.cuKernelSetAttribute(what, shared, code.handle, self.ordinal))
            self._granted[code] = shared
        self.counts["launches"] += 1
        self._launch(self.stream, config, code, *args)

    # --- graphs ---------------------------------------------------------------------------------------------------------

    def begin_capture(self, arena):
        self.synchronise()
        mode = self._api.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
        _checked(self._api.cuStreamBeginCapture(self.stream_handle, mode))
        self.capture = arena

    def end_capture(self):
        """What replays the launches and copies since the capture began."""
        api = self._api
        try:
            graph = _checked(api.cuStreamEndCapture(self.stream_handle))
        finally:
            self._captured()
        try:
            ready = _checked(api.cuGraphInstantiate(graph, 0))
        finally:
            api.cuGraphDestroy(graph)
        launch, handle = api.cuGraphLaunch, self.stream_handle

        def replay():
            if self.capture is not None:
                raise CaptureError(f"{self.name}: a graph cannot be replayed inside of another one")
            self._enter()
            with self._lock:  # a graph is launched by one thread at a time
                _checked(launch(ready, handle))

        # The driver destroys it once what is launched of it has run.
        weakref.finalize(replay, api.cuGraphExecDestroy, ready).atexit = False
        return replay

    def abandon_capture(self):
        status, graph = self._api.cuStreamEndCapture(self.stream_handle)
        self._captured()
        if status == self._api.CUresult.CUDA_SUCCESS:
            self._api.cuGraphDestroy(graph)

    def _captured(self):
        self.capture = None
        later, self.later = self.later, []
        while later:
            later.pop()()

    # --- other libraries ------------------------------------------------------------------------------------------------

    def await_on(self, stream):
        """Have another stream of this device (its number, 1 for the legacy default one, 2 for the thread's, or an object with a `handle`)
        wait for what was launched here so far."""
        self._outside_captures("lend an array to another library")
        self._other(stream).wait(self.stream.record())

    def await_from(self, stream):
        """Have what is launched here later wait for another stream."""
        self._outside_captures("wait for another library")
        self.stream.wait(self._other(stream).record())

    def _outside_captures(self, what):
        if self.capture is not None:
            raise CaptureError(f"{self.name}: a graph cannot {what}: its stream is the device's alone")
        self._enter()

    def _other(self, stream):
        handle = int(getattr(stream, "handle", stream))
        known = {1: self._core.LEGACY_DEFAULT_STREAM, 2: self._core.PER_THREAD_DEFAULT_STREAM}.get(handle)
        return self._core.Stream.from_handle(handle) if known is None else known

    def as_core_buffer(self, x):
        """A window's memory from its first element on, for cuda.core; it keeps the window's buffer until the other library drops it, and
        then until the work on the legacy default stream, which is where PyTorch and CuPy work unless told otherwise, is done."""
        kept = _Lent(self, x.buffer, functools.partial(self.await_from, 1))
        return self._core.Buffer.from_handle(x.address, x.buffer.nbytes - x.offset * x.itemsize, owner=kept)

    def borrowed(self, what):
        """What keeps the memory of another library's array until everything launched here so far has used it."""
        return _Lent(self, what, functools.partial(self.await_on, 1))
