"""Fourier transforms along one axis: NumPy's pocketfft, stacks of them on all threads; one long one by four steps.

float32 and complex64 are transformed as such. pocketfft releases the GIL and reads and writes strided lines.
"""

import numpy as np

from . import pool
from .fourstep import fourstep, takes
from .slabs import each

LARGE = 1 << 15  # elements below which one call to NumPy is done before a second thread has started
SLAB = 1 << 16  # elements of a slab: its lines and results stay in the L2 cache


def transform(name, x, n, axis, norm):
    """`np.fft.<name>(x, n, axis, norm)` for the one-dimensional transforms fft, ifft, rfft and irfft.

    x: any shape of at least one dimension, float32/64 or complex64/128 (real for rfft); lines are cut or padded with zeros to n
    (for irfft: to n // 2 + 1). Scratch: a slab of 2**16 elements, or one line, per thread.
    """
    function = getattr(np.fft, name)
    axis %= x.ndim
    length = x.shape[axis]
    lines = x.size // max(length, 1)
    if x.size < LARGE or lines == 0:
        return function(x, n, axis, norm)
    if n is None:
        n = 2 * (length - 1) if name == "irfft" else length
    if lines == 1:
        if name in ("fft", "ifft") and takes(x.reshape(-1), n):
            return fourstep(x.reshape(-1), name == "ifft", _factor(name, n, norm)).reshape(x.shape)
        return function(x, n, axis, norm)
    if n < 1:
        return function(x, n, axis, norm)
    columns = n // 2 + 1 if name == "rfft" else n
    single = x.dtype in (np.float32, np.complex64)
    real = name == "irfft"
    dtype = np.dtype(("f4" if real else "c8") if single else ("f8" if real else "c16"))
    out = pool.empty((*x.shape[:axis], columns, *x.shape[axis + 1 :]), dtype)
    after = x.shape[axis + 1 :]
    if not after or int(np.prod(after)) == 1:
        source, target = _as_lines(x, axis), out.reshape(-1, columns)
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
    return 1 / n if (norm == "forward") == (name == "fft") else 1.0


def _as_lines(x, axis):
    """x with its lines along the last axis, (lines, length); a copy only where the other axes cannot be joined."""
    return np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
