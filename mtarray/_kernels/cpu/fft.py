"""Fourier transforms along one axis. Lengths that are powers of two: lines by kernels of our own (`fftlines.py`), one long line by four
steps (`fourstep.py`). The others: NumPy's pocketfft, stacks of them on all threads.

float32 and complex64 are transformed as such. pocketfft releases the GIL and reads and writes strided lines.
"""

import math

import numpy as np

from . import fftlines, pool
from .fourstep import fourstep, takes
from .slabs import each

SMALL = 1 << 11  # elements below which NumPy is done before a kernel of ours has started
LARGE = 1 << 15  # elements below which one call to NumPy is done before a second thread has started
SLAB = 1 << 16  # elements of a slab: its lines and results stay in the L2 cache


def transform(name, x, n, axis, norm):
    """`np.fft.<name>(x, n, axis, norm)` for the one-dimensional transforms fft, ifft, rfft and irfft.

    x: any shape of at least one dimension, float32/64 or complex64/128 (real for rfft); lines are cut or padded with zeros to n
    (for irfft: to n // 2 + 1). Scratch: a slab of 2**16 elements, or one line, per thread; a copy of lines that are not contiguous.
    """
    function = getattr(np.fft, name)
    axis %= x.ndim
    length = x.shape[axis]
    after = x.shape[axis + 1 :]
    if n is None:
        n = 2 * (length - 1) if name == "irfft" else length
    if x.size < SMALL or n < 1:
        return function(x, n, axis, norm)
    last = math.prod(after) == 1
    own = last and _ours(name, x, n, length)
    if x.size < LARGE and not own:
        return function(x, n, axis, norm)
    if x.size == length and not own:
        if name in ("fft", "ifft") and takes(x.reshape(-1), n):
            return fourstep(x.reshape(-1), name == "ifft", _factor(name, n, norm)).reshape(x.shape)
        return function(x, n, axis, norm)
    columns = n // 2 + 1 if name == "rfft" else n
    single = x.dtype in (np.float32, np.complex64)
    real = name == "irfft"
    dtype = np.dtype(("f4" if real else "c8") if single else ("f8" if real else "c16"))
    out = pool.empty((*x.shape[:axis], columns, *x.shape[axis + 1 :]), dtype)
    if last:
        source, target = x.reshape(-1, length), out.reshape(-1, columns)  # a copy only where the axes before cannot be joined
        if own:
            source = source if source.strides[1] == source.itemsize else np.ascontiguousarray(source)
            fftlines.lines(name, source, target, n, _factor(name, n, norm))
            return out
        step = max(1, SLAB // max(n, length))
        each(lambda lo, hi: function(source[lo:hi], n, -1, norm, out=target[lo:hi]), len(target), step)
        return out
    # Strided lines: slabs of neighbouring ones along the last axis, or of whole leading indices.
    if after[-1] * n >= SLAB:
        step = max(16, SLAB // max(n, length))
        each(lambda lo, hi: function(x[..., lo:hi], n, axis, norm, out=out[..., lo:hi]), after[-1], step)
    elif axis > 0:
        step = max(1, SLAB * x.shape[0] // max(x.size, 1))
        each(lambda lo, hi: function(x[lo:hi], n, axis, norm, out=out[lo:hi]), x.shape[0], step)
    else:
        step = max(1, SLAB * after[0] // max(x.size, 1))
        each(lambda lo, hi: function(x[:, lo:hi], n, axis, norm, out=out[:, lo:hi]), after[0], step)
    return out


def _factor(name, n, norm):
    """What a transform is multiplied by."""
    if norm == "ortho":
        return 1 / n**0.5
    return 1 / n if (norm == "forward") == (name in ("fft", "rfft")) else 1.0


def _ours(name, x, n, length):
    """Whether `fftlines` does it: it cuts lines, but does not pad them, and takes real numbers for rfft alone."""
    needed = n // 2 + 1 if name == "irfft" else n
    fits = length >= needed and (x.dtype.kind == "f") == (name == "rfft")
    return fits and fftlines.takes(name, n, "f4" if x.dtype in (np.float32, np.complex64) else "f8")
