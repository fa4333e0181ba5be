"""Softmax and its logarithm along rows, and what carries their cotangents back: one pass over memory each.

A row is read three or four times while it lies in the first-level cache: largest element, exponentials, their sum, the scaled result.
"""

from functools import lru_cache

import numpy as np

from .. import build
from . import pool, rowwise
from .driver import address, run

_HEAD = """    n = ld64(args); xb = ld64(args + 8); yb = ld64(args + 16); ob = ld64(args + 24)
    for r in range(lo, hi):
        a = xb + r * n * {size}; o = ob + r * n * {size}; x = {p}(a); out = {p}(o)
"""
_BODIES = {
    "softmax": """        top = _top(a, 0, n)
        for i in range(n): out[i] = math.exp(x[i] - top)
        scale = {cast}(1.0 / row_sum(o, n))
        for i in range(n): out[i] = out[i] * scale""",
    # Where the largest element is infinite there is no shift: what is finite stays so.
    "log_softmax": """        top = _top(a, 0, n)
        if abs(top) == np.inf: top = {cast}(0)
        for i in range(n): out[i] = math.exp(x[i] - top)
        shift = {cast}(math.log(row_sum(o, n)))
        for i in range(n): out[i] = (x[i] - top) - shift""",
    "softmax_back": """        y = {p}(yb + r * n * {size})
        mean = {cast}(row_dot(x, y, n))
        for i in range(n): out[i] = y[i] * (x[i] - mean)""",
    "log_softmax_back": """        y = {p}(yb + r * n * {size})
        total = {cast}(row_sum(a, n))
        for i in range(n): out[i] = x[i] - math.exp(y[i]) * total""",
}
_CHUNK = 1 << 14  # elements: 10 to 20 us
_REMEMBERED = 1024
_ready = {}  # by name, length of rows, shape and dtype: kernel, rows, rows of a chunk, size class of the result


@lru_cache(maxsize=16)
def _kernel(name, dtype):
    words = {"p": f"f{dtype.itemsize}", "size": dtype.itemsize, "cast": f"np.float{8 * dtype.itemsize}"}
    return build.kernel(f"{name}_{dtype.char}", (_HEAD + _BODIES[name]).format(**words), rowwise.prelude(dtype))


def rows(name, n, x, y=None):
    """The kernel `name` on rows of n elements of C-contiguous ndarrays of one real floating dtype; a new ndarray of that shape.

    "softmax" and "log_softmax" of x; "softmax_back" and "log_softmax_back" of a cotangent x and the result y. NaN in a row makes all of
    it NaN.
    """
    key = name, n, x.shape, x.dtype
    ready = _ready.get(key)
    if ready is None:
        if len(_ready) >= _REMEMBERED:
            _ready.clear()
        count = x.size // n
        ready = _ready[key] = _kernel(name, x.dtype), count, rowwise.chunk(count, n, _CHUNK), pool.size_class(x.nbytes)
    fn, count, chunk, size = ready
    out = pool.take(size, x.shape, x.dtype)
    run(fn, count, chunk, n, address(x), 0 if y is None else address(y), address(out))
    return out


def rows_numpy(name, n, x, y=None):
    """`rows` by NumPy's functions."""
    shape, x = x.shape, x.reshape(-1, n)
    y = None if y is None else y.reshape(-1, n)
    if name == "softmax":
        out = np.subtract(x, np.maximum.reduce(x, axis=1, keepdims=True))
        np.exp(out, out)
        np.divide(out, np.add.reduce(out, axis=1, keepdims=True), out)
    elif name == "log_softmax":
        top = np.maximum.reduce(x, axis=1, keepdims=True)
        out = np.subtract(x, np.where(np.isfinite(top), top, x.dtype.type(0)))
        np.subtract(out, np.log(np.add.reduce(np.exp(out), axis=1, keepdims=True)), out)
    elif name == "softmax_back":
        out = np.multiply(y, x - np.add.reduce(x * y, axis=1, keepdims=True))
    else:
        out = np.subtract(x, np.exp(y) * np.add.reduce(x, axis=1, keepdims=True))
    return out.reshape(shape)
