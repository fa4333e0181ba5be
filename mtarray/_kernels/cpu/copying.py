"""Copies between any two layouts and dtypes: contiguous, broadcast, permuted (through register transposes), converting."""

import functools

import numpy as np

from mtarray._kernels import build

from . import driver, pool
from .driver import address
from .elementwise import PREPARED, Kernels, Launch
from .loops import Loop, converted
from .machine import last_level_cache

_CHUNK = 1 << 17  # bytes of a contiguous copy that one thread takes at a time
_BITS = {1: np.dtype(np.uint8), 2: np.dtype(np.uint16), 4: np.dtype(np.uint32), 8: np.dtype(np.uint64)}

_MEMCPY = "    memcpy(ld64(args) + lo, ld64(args + 8) + lo, hi - lo)"
# Past the caches: whole cache lines of the destination, the rest around them.
_STREAM = """    d = ld64(args) + lo
    s = ld64(args + 8) + lo
    n = hi - lo
    head = min((64 - (d & 63)) & 63, n)
    body = (n - head) & -64
    memcpy(d, s, head)
    nt_copy(d + head, s + head, body)
    memcpy(d + head + body, s + head + body, n - head - body)
    sfence()"""


def copy(dst, src):
    """Write src into dst (same shape; src may have zero strides), converting as C does.

    Conversions are those of NumPy's `astype(casting="unsafe")`: complex to real drops the imaginary part, anything to bool tests for
    non-zero, a float outside an integer's range gives what this platform's C gives. dst and src must not overlap, unless they are
    the same window. Scratch on the stack: 16 KiB at most for transposes. Other byte orders and structured dtypes go through NumPy.
    """
    if dst.shape != src.shape:
        raise ValueError(f"cannot copy an array of shape {src.shape} into one of shape {dst.shape}")
    a, b = dst.dtype, src.dtype
    if not (a.kind in "biufc" and b.kind in "biufc" and a.isnative and b.isnative and a.itemsize <= 16 and b.itemsize <= 16):
        np.copyto(dst, src, casting="unsafe")
        return
    if a is b or a == b:
        if dst.flags.c_contiguous and src.flags.c_contiguous:
            copy_bytes(address(dst), address(src), dst.nbytes)
            return
        bits = _BITS.get(a.itemsize)  # a plain copy moves bits: one kernel for all dtypes of a size
        if bits is not None and a is not bits:
            dst, src = dst.view(bits), src.view(bits)
    _kernels(dst.dtype, src.dtype).run((dst,), (src,))


_converted = {}  # (shape, strides, dtype, dtype of the copy) -> (size class of the copy, Launch)


def convert(x, dtype):
    """A C-contiguous copy of x, an array of any strides, in `dtype`; conversions as in `copy`, both dtypes of the thirteen and native."""
    shape = x.shape
    key = shape, x.strides, x.dtype, dtype
    made = _converted.get(key)
    if made is None:
        if not x.size:
            return np.empty(shape, dtype)
        if len(_converted) >= PREPARED:
            _converted.clear()
        strides = contiguous_strides(shape, dtype.itemsize)
        made = _converted[key] = pool.size_class(x.size * dtype.itemsize), launch(x, dtype, strides)
    size, copies = made
    out = pool.take(size, shape, dtype)
    if copies.table is None and copies.offsets is None:
        driver.run(copies.fn, copies.items, copies.chunk, address(out), address(x))
    else:
        copies((address(out), address(x)))
    return out


def launch(x, dtype, strides):
    """The Launch that copies an array like x, not empty, into one of `dtype` and the same shape with these strides in bytes."""
    source = x.dtype
    if source == dtype:
        if x.flags.c_contiguous and strides == contiguous_strides(x.shape, x.itemsize):
            return Launch(_memcpy(_past_caches(x.nbytes)), x.nbytes, _CHUNK, None, None, None)
        source = dtype = _BITS.get(dtype.itemsize, dtype)  # a plain copy moves bits: one kernel for all dtypes of a size
    return _kernels(dtype, source).prepare(x.shape, [dtype, source], [strides, x.strides], 1)


def contiguous_strides(shape, step):
    """Strides in C order of elements of `step` bytes."""
    strides = []
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def copy_bytes(dst, src, n):
    """Copy n bytes between addresses that do not overlap, on all threads; past the caches when they could not hold it anyway."""
    if n:
        driver.run(_memcpy(_past_caches(n)), n, _CHUNK, dst, src)


def _past_caches(n):
    return 2 * n > 1.5 * last_level_cache()


@functools.cache
def _memcpy(stream):
    return build.kernel("copy_stream", _STREAM) if stream else build.kernel("copy_bytes", _MEMCPY)


@functools.cache
def _kernels(target, source):
    def make(ins, outs):
        return Loop(ins, outs, lambda k, text: text, lambda names: ([f"q0 = {_value(names[0], source, target)}"], ["q0"]))

    return Kernels("copy", "", make)


def _value(name, source, target):
    return name if source == target else converted(name, source, target)
