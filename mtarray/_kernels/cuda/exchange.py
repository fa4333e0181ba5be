"""Arrays on a GPU for other libraries, and theirs for ours: DLPack and the CUDA array interface, without copies.

The streams are ordered on the device: whoever takes an array waits for what was launched to make it, and the host waits for nothing.
"""

import numpy as np

from mtarray import _strides

from .driver import Buffer
from .tensor import Tensor

_CPU, _CUDA = 1, 2  # device types of DLPack


def exported(x, readonly, stream, max_version, dl_device, copy):
    """The DLPack capsule of a window on device memory. `stream`, `max_version`, `dl_device`, `copy`: as the protocol has them."""
    driver = x.driver
    if dl_device is not None:
        kind, number = int(dl_device[0]), int(dl_device[1])
        if kind == _CPU:
            if copy is False and driver.simulated:
                return _host_view(x, readonly).__dlpack__(max_version=max_version)
            if copy is False:
                raise BufferError(f"copy=False, but dl_device={(kind, number)} (the CPU) from device {driver.name!r} needs a copy")
            if stream is not None:
                raise ValueError(f"stream={stream!r}: an array on the CPU has no streams")
            return x.to_host().__dlpack__(max_version=max_version)
        if (kind, number) != (_CUDA, driver.ordinal):
            raise BufferError(f"dl_device={(kind, number)}: an array on {driver.name!r} can be exported there or to the CPU {(_CPU, 0)}")
    if stream == 0:
        raise ValueError("stream=0 is ambiguous: 1 is the legacy default stream, 2 the per-thread one, -1 stands for no synchronisation")
    if any(s < 0 for s in x.strides) and x.size:
        # DLPack allows negative steps, but consumers (PyTorch for one) do not take them.
        if copy is False:
            raise BufferError(f"copy=False, but strides {x.strides} run backwards, which consumers of DLPack cannot take")
        copy = True
    if driver.simulated:  # whose memory is the host's
        view = _host_view(x, readonly)
        return (view.copy() if copy else view).__dlpack__(max_version=max_version)
    if copy:
        x = x.copy()
        readonly = False
    if readonly and (max_version is None or tuple(max_version) < (1, 0)):
        raise BufferError("this array is read-only, which consumers of DLPack before version 1.0 cannot be told; export x.copy()")
    if stream != -1:
        driver.await_on(1 if stream is None else stream)
    from cuda.core.utils import StridedMemoryView

    held = driver.as_core_buffer(x)
    view = StridedMemoryView.from_buffer(held, x.shape, strides=x.strides, dtype=x.dtype, is_readonly=readonly)
    return view.__dlpack__(stream=-1, max_version=max_version)


def _host_view(x, readonly):
    """A window on a simulated device as the ndarray that it is."""
    memory, at = x.driver.at(x.address)
    strides = [s * x.itemsize for s in x.strides]
    view = np.ndarray(x.shape, x.dtype, memory, at, strides) if x.size else np.empty(x.shape, x.dtype)
    view.flags.writeable = not readonly
    return view


def imported(x, driver, copy):
    """(Tensor on the memory of another library's array on this device, whether it is read-only); a copy of it if asked for."""
    if driver.simulated:
        raise BufferError(f"device {driver.name!r} is simulated: an array on a GPU cannot be one of its; set config(cuda='auto')")
    from cuda.core.utils import StridedMemoryView

    view = StridedMemoryView.from_dlpack(x, stream_ptr=driver.stream_handle)
    dtype = np.dtype(view.dtype)
    if dtype.kind not in "biufc" or dtype.itemsize > 16 or dtype == np.float16:
        raise TypeError(f"from_dlpack: {dtype} is not a dtype of the standard; cast it first")
    shape = tuple(view.shape)
    strides = tuple(view.strides) if view.strides is not None else _strides.contiguous(shape)
    low, high = _strides.extent(shape, strides) if 0 not in shape else (0, -1)
    # The lowest element is where the buffer begins: strides may be negative.
    buffer = Buffer(int(view.ptr) + low * dtype.itemsize, (high - low + 1) * dtype.itemsize, driver, driver.borrowed((view, x)))
    out = Tensor(buffer, shape, strides, -low, dtype)
    return (out.copy(), False) if copy else (out, bool(view.readonly))


def interface(x, readonly):
    """The `__cuda_array_interface__` (version 3) of a window."""
    if x.driver.simulated:
        raise AttributeError("__cuda_array_interface__: the memory of a simulated device is no GPU's")
    return {
        "shape": x.shape,
        "typestr": x.dtype.str,
        "data": (x.address if x.size else 0, readonly),
        "strides": None if x.is_contiguous else tuple([s * x.itemsize for s in x.strides]),
        "version": 3,
        "stream": x.driver.stream_handle,
    }
