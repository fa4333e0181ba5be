"""Linear recurrences y[k] = a[k] y[k - 1] + b[k] along an axis: what running derivatives of scans are made of."""

from functools import lru_cache

import numpy as np

from .. import build
from . import pool
from .driver import address, run
from .loops import pointer

_WORDS = """    w = i8(ld64(args)); n = w[3]
    for line in range(lo, hi):
        a = {p}(w[0] + line * n * {size}); b = {p}(w[1] + line * n * {size}); y = {p}(w[2] + line * n * {size})
"""
_FORWARD = """        v = b[0]; y[0] = v
        for k in range(1, n):
            v = a[k] * v + b[k]; y[k] = v"""
_BACKWARD = """        v = b[n - 1]; y[n - 1] = v
        for k in range(n - 2, -1, -1):
            v = a[k] * v + b[k]; y[k] = v"""


@lru_cache(maxsize=16)
def _kernel(dtype, reverse):
    words = _WORDS.format(p=pointer(dtype), size=dtype.itemsize)
    return build.kernel(f"recurrence_{dtype.char}{'_back' if reverse else ''}", words + (_BACKWARD if reverse else _FORWARD))


def linear(a, b, axis, reverse):
    """y[k] = a[k] y[k - 1] + b[k] along `axis` of two ndarrays of one floating or complex dtype and shape; the first is b's own.

    reverse: from the end, y[k] = a[k] y[k + 1] + b[k]. Lines run in parallel, each in order. Scratch: copies of operands that are not
    contiguous along the axis.
    """
    a, b = np.ascontiguousarray(np.moveaxis(a, axis, -1)), np.ascontiguousarray(np.moveaxis(b, axis, -1))
    y = pool.empty(b.shape, b.dtype)
    if y.size:
        n = b.shape[-1]
        words = np.array([address(a), address(b), address(y), n], np.int64)
        run(_kernel(b.dtype, reverse), y.size // n, max(1, (1 << 13) // n), address(words))
    return np.moveaxis(y, -1, axis)


def linear_python(a, b, axis, reverse):
    """`linear` as a Python loop."""
    y = np.array(b)
    a, rows = np.moveaxis(a, axis, 0), np.moveaxis(y, axis, 0)
    steps = range(len(rows) - 2, -1, -1) if reverse else range(1, len(rows))
    for k in steps:
        rows[k] += a[k] * rows[k + 1 if reverse else k - 1]
    return y
