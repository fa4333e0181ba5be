"""What kernels that work row by row share: reductions of a row that lies in the first-level cache, and how rows are cut into chunks.

Everything is per row of contiguous elements, so that memory is read once, however often a row is read again in cache. Sums of float32 run
in float32 over strips of 512 elements and in float64 above.
"""

import numpy as np

SUPPORTED = (np.dtype(np.float32), np.dtype(np.float64))

# `reassoc` is licensed in these helpers only: elsewhere it would undo the exact steps inside `exp`.
PRELUDE = """from numba import njit
from mtarray._kernels import scalarlib as math
from mtarray._kernels.cpu import strips
_top = strips.strip("max", "{p}", "{p}", False, False)
_sum = strips.strip("add", "{p}", "{p}", False, False)


@njit(nogil=True, error_model="numpy")
def row_sum(x, n):
    '''Sum of the n elements at address x, in float64.'''
    t = 0.0
    for q in range(0, n, 512):
        t += _sum(x + q * {size}, 0, min(512, n - q))
    return t


@njit(forceinline=True, error_model="numpy", fastmath={{"reassoc"}})
def _dot(x, y, lo, hi):
    t = {cast}(0)
    for i in range(lo, hi):
        t += x[i] * y[i]
    return t


@njit(nogil=True, error_model="numpy")
def row_dot(x, y, n):
    '''Sum of products, in float64.'''
    t = 0.0
    for q in range(0, n, 512):
        t += _dot(x, y, q, min(n, q + 512))
    return t


"""


def prelude(dtype):
    """The helpers for rows of a dtype: `_top(address, 0, n)`, `row_sum(address, n)`, `row_dot(pointer, pointer, n)`."""
    return PRELUDE.format(p=f"f{dtype.itemsize}", size=dtype.itemsize, cast=f"np.float{8 * dtype.itemsize}")


def chunk(rows, length, elements):
    """Rows of a chunk of about so many elements, from the sizes alone; at most 64 chunks."""
    return max(1, elements // length, -(-rows // 64))
