"""cuFFT, where it is installed: one of NumPy's transforms along an axis.

A plan takes lines of any steps, whose places follow from two strides: most views and axes need no copy. Lines that are padded, of another
dtype, backwards or not aligned are copied first, and those that a transform to real numbers may overwrite. Signatures and numbers are those
of NVIDIA's header (cufft.h). While a graph is captured our own kernels serve: plans are made outside of it.
"""

import ctypes
import functools

import numpy as np

from mtarray._kernels.source import Scalar

from . import copying, elementwise, libs
from .gemm import stacked
from .tensor import Tensor, like

_KEPT = 64  # plans of each device
_LOOPS = 16  # calls instead of a copy that joins the lines
_FORWARD, _INVERSE = -1, 1
# cufftType, and the letters of the function, by the transform and the bytes of a complex number
_KINDS = {
    ("c", 8): (0x29, "ExecC2C"), ("r", 8): (0x2A, "ExecR2C"), ("h", 8): (0x2C, "ExecC2R"),
    ("c", 16): (0x69, "ExecZ2Z"), ("r", 16): (0x6A, "ExecD2Z"), ("h", 16): (0x6C, "ExecZ2D"),
}  # fmt: skip
_REFUSED = {3, 4, 8, 0xE, 0x10}  # of a plan: it is no transform for the library
_STATUSES = {
    1: "invalid plan", 2: "allocation failed", 3: "invalid type", 4: "invalid value", 5: "internal error", 6: "execution failed",
    7: "setup failed", 8: "invalid size", 9: "unaligned data", 0xB: "invalid device", 0xD: "no workspace", 0xE: "not implemented",
    0x10: "not supported", 0x11: "missing dependency", 0x12: "NVRTC failure", 0x13: "nvJitLink failure",
}  # fmt: skip
_SIGNATURES = {
    "Create": "p", "Destroy": "i", "SetAutoAllocation": "ii", "SetStream": "ip", "SetWorkArea": "ip",
    "MakePlanMany64": "iippllpllilp",
    "ExecC2C": "ippi", "ExecZ2Z": "ippi", "ExecR2C": "ipp", "ExecD2Z": "ipp", "ExecC2R": "ipp", "ExecZ2D": "ipp",
}  # fmt: skip


@functools.cache
def _cufft():
    return libs.opened("cufft", (12, 11), made_of)


def made_of(library):
    """The functions of what ctypes loaded."""
    return libs.Library(library, "cuFFT", "cufft", _SIGNATURES, _STATUSES)


def _library(driver):
    """cuFFT for a driver, or None."""
    return libs.bound(driver, "cufft", _cufft)


def _times(x, y):
    return x * y


TIMES = Scalar(_times)


def _scale(out, factor):
    """A contiguous tensor times a real number, in place."""
    real = np.finfo(out.dtype).dtype
    parts = Tensor(out.buffer, (out.nbytes // real.itemsize,), (1,), out.offset * (out.itemsize // real.itemsize), real)
    elementwise.into(TIMES, [parts], [parts, real.type(factor)], (real, real), (real,))


def _make(driver, library, kind, n, given, taken, batch):
    """(plan, bytes of its work area), or None where the library refuses. given, taken: (step, distance of lines) of what is read and
    written."""
    plan, size = ctypes.c_int(), ctypes.c_size_t()
    library.call("Create", ctypes.byref(plan))
    try:
        library.call("SetAutoAllocation", plan.value, 0)
        length = (ctypes.c_longlong * 1)(n)
        at = ctypes.addressof(length)
        status = library.status("MakePlanMany64", plan.value, 1, at, at, *given, at, *taken, kind, batch, ctypes.byref(size))
        if status in _REFUSED:
            library.status("Destroy", plan.value)
            return None
        if status:
            raise library.error("MakePlanMany64", status)
        library.call("SetStream", plan.value, driver.stream_handle)
    except RuntimeError:
        library.status("Destroy", plan.value)
        raise
    return plan.value, size.value


def _plan(driver, library, *key):
    plans = driver.__dict__.setdefault("cufft_plans", {})
    found = plans.pop(key, False)
    if found is False:
        found = _make(driver, library, *key)
        while len(plans) >= _KEPT:
            old = plans.pop(next(iter(plans)))
            if old is not None:
                library.call("Destroy", old[0])
    plans[key] = found  # the last to be dropped
    return found


def _lines(source, length, dtype, own):
    """Lines along the last axis of `length` numbers of a dtype that the library can read: the tensor's, or a copy that is cut or padded
    with zeros. own: in memory of their own, in any case."""
    last = source.ndim - 1
    if source.shape[last] > length:
        source = source.narrowed(last, 0, length)
    if not own and source.dtype == dtype and source.shape[last] == length and _is_readable(source):
        return source
    out = like(source, (*source.shape[:last], length), dtype)
    if source.shape[last] < length:
        copying.fill(out, 0)
    copying.copy(out.narrowed(last, 0, source.shape[last]), source)
    return out


def _is_readable(x):
    aligned = x.address % (2 * np.finfo(x.dtype).dtype.itemsize) == 0
    return aligned and all(step > 0 for count, step in zip(x.shape, x.strides) if count > 1)


def _real_ends(spectra, n):
    """What the spectrum of n real numbers has at its ends is real: imaginary parts there count for nothing."""
    real, length = np.finfo(spectra.dtype).dtype, spectra.shape[-1]
    count = spectra.size // length
    for k in (0, *([length - 1] if n % 2 == 0 else [])):
        copying.fill(Tensor(spectra.buffer, (count,), (2 * length,), 2 * (spectra.offset + k) + 1, real), 0)


def transform(out, x, name, n, axis, factor):
    """out = a transform of x times a factor, as `fourier.fourier` declares them; False if it is not for the library. `out` is contiguous
    and not empty."""
    driver = out.driver
    library = None if driver.capture is not None else _library(driver)
    if library is None:
        return False
    real = np.finfo(out.dtype).dtype
    dtype = np.dtype(f"c{2 * real.itemsize}")
    order = (*range(axis), *range(axis + 1, x.ndim), axis)
    source, target = x.transpose(order), out.transpose(order)
    length = n // 2 + 1 if name == "irfft" else n
    source = _lines(source, length, real if name == "rfft" else dtype, name == "irfft")
    if name == "irfft":
        _real_ends(source, n)
    axes = stacked(target.shape[:-1], source.strides[:-1], target.strides[:-1])
    if axes is None or not _few_calls(source, target, *axes):
        source, target = source.copy(), like(target)
        axes = stacked(target.shape[:-1], source.strides[:-1], target.strides[:-1])
    outer, batch, ((x0, x1), (o0, o1)) = axes
    given, taken = (_layout(t, d, batch) for t, d in ((source, x1), (target, o1)))
    kind, function = _KINDS[{"rfft": "r", "irfft": "h"}.get(name, "c"), dtype.itemsize]
    way = () if name in ("rfft", "irfft") else (_FORWARD if name == "fft" else _INVERSE,)
    with libs.lock:
        plan = _plan(driver, library, kind, n, given, taken, batch)
        if plan is None:
            return False
        work = driver.allocate(plan[1]) if plan[1] else None
        if work is not None:
            library.call("SetWorkArea", plan[0], work.ptr)
        for i in range(outer):
            library.call(function, plan[0], source.address + i * x0 * source.itemsize, target.address + i * o0 * target.itemsize, *way)
    if factor != 1:
        _scale(target if target.buffer is not out.buffer else out, factor)
    if target.buffer is not out.buffer:
        copying.copy(out.transpose(order), target)
    return True


def _few_calls(source, target, outer, batch, steps):
    """Whether so many calls are better than copies, and what each reads and writes is aligned."""
    return outer == 1 or (outer <= _LOOPS and all(t.dtype.kind == "c" or s[0] % 2 == 0 for t, s in zip((source, target), steps)))


def _layout(x, distance, batch):
    """(step, distance of lines) for a plan, which are 1 and the length where there is nothing to step over."""
    step = x.strides[-1] if x.shape[-1] > 1 else 1
    return step, distance if batch > 1 else x.shape[-1] * step
