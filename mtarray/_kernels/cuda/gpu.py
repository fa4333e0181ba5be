"""A GPU: memory from the driver's stream-ordered pool, one stream, launches through cuda.core.

Everything is ordered by the stream of the device: memory that is freed is used again by what is launched later, so temporaries cost no
wait. The host waits only where a value reaches it (`download`, `synchronise`).
"""

import functools
import threading

import numpy as np

from .driver import Buffer, Driver

_STAGED = 1 << 16  # bytes from which a copy from the host goes through pinned memory, which the device reads by itself


@functools.cache
def problem():
    """Why there is no GPU, as a sentence; None where there is one."""
    from cuda.bindings import driver

    try:
        (status,) = driver.cuInit(0)
    except Exception as error:  # whatever the loader raises where no driver is installed
        return f"no NVIDIA driver was found ({str(error).splitlines()[0]:.120}); to try it without a GPU, set MTARRAY_CUDA=simulate"
    if status != driver.CUresult.CUDA_SUCCESS:
        return f"the NVIDIA driver reports {status.name}: there is no GPU that this process may use; without one, set MTARRAY_CUDA=simulate"
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
        raise RuntimeError(f"the CUDA driver reports {status.name}")
    return values[0] if len(values) == 1 else tuple(values)


class Gpu(Driver):
    """A GPU, by its number."""

    simulated = False

    def __init__(self, ordinal):
        super().__init__(ordinal)
        from cuda import core
        from cuda.bindings import driver

        self._core, self._api = core, driver
        self._gpu = core.Device(ordinal)
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
        self._current = threading.local()
        self._current.set = True

    def _enter(self):
        """Each thread names the device once before its first call."""
        if not getattr(self._current, "set", False):
            self._gpu.set_current()
            self._current.set = True

    # --- memory ---------------------------------------------------------------------------------------------------------

    def allocate(self, nbytes):
        return self._allocate(nbytes, self.stream) if self.capture is None else self.capture.take(nbytes, self)

    def allocate_apart(self, nbytes):
        """Memory that belongs to no capture: it is ordered by a stream that none is made of."""
        return self._allocate(nbytes, self._apart)

    def _allocate(self, nbytes, stream):
        self._enter()
        self.counts["allocations"] += 1
        try:
            made = self._pool.allocate(nbytes or 1, stream=stream)
        except Exception as error:
            free, total = self.memory()
            if nbytes <= free // 2 and "OUT_OF_MEMORY" not in str(error).upper():
                raise
            raise MemoryError(
                f"{self.name}: {nbytes:,} bytes could not be allocated; {free:,} of {total:,} are free, and mtarray.cuda.empty_cache() "
                "gives back what its pool keeps"
            ) from error
        return Buffer(int(made.handle), nbytes, self, made)

    def memory(self):
        """(free, total) bytes of the device."""
        self._enter()
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
            pointer = _checked(self._api.cuMemHostAlloc(wanted, 0))
            if self._staging is not None:
                _checked(self._api.cuMemFreeHost(self._staging[1]))
            import ctypes

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
            _checked(self._api.cuMemcpyDtoDAsync(to, source, nbytes, self.stream_handle))

    def synchronise(self):
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
        config = self._configs.get((grid, block, shared))
        if config is None:
            if len(self._configs) >= 4096:
                self._configs.clear()
            config = self._configs[grid, block, shared] = self._core.LaunchConfig(grid=grid, block=block, shmem_size=shared)
        if shared > 48 << 10:
            code.attributes.max_dynamic_shared_size_bytes = shared
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
        self.capture = None
        graph = _checked(self._api.cuStreamEndCapture(self.stream_handle))
        ready = _checked(self._api.cuGraphInstantiate(graph, 0))
        launch, handle = self._api.cuGraphLaunch, self.stream_handle

        def replay():
            self._enter()
            _checked(launch(ready, handle))

        return replay

    def abandon_capture(self):
        self.capture = None
        self._api.cuStreamEndCapture(self.stream_handle)

    # --- other libraries ------------------------------------------------------------------------------------------------

    def await_on(self, stream):
        """Have another stream of this device (its number, 1 for the legacy default one, 2 for the thread's, or an object with a `handle`)
        wait for what was launched here so far."""
        self._enter()
        handle = int(getattr(stream, "handle", stream))
        other = {1: self._core.LEGACY_DEFAULT_STREAM, 2: self._core.PER_THREAD_DEFAULT_STREAM}.get(handle)
        (other or self._core.Stream.from_handle(handle)).wait(self.stream.record())

    def as_core_buffer(self, x):
        """A window's memory from its first element on, for cuda.core; it keeps the window's buffer."""
        return self._core.Buffer.from_handle(x.address, x.buffer.nbytes - x.offset * x.itemsize, owner=x.buffer)
