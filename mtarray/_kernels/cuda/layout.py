"""Engine ops that move elements: triangles, conversion, joining, repetition, and the sliding sums of `convolve`."""

from math import prod

import numpy as np

from . import blocks, texts
from .copying import cast, contiguous, copy, fill
from .kernel import Kernel, pointers
from .tensor import empty, like

BLOCK = 256
_INT64 = np.dtype(np.int64)


def _grid(x, threads):
    return min(-(-threads // BLOCK), x.driver.multiprocessors * 16)


def convert(x, *, dtype):
    """The elements in another dtype, in memory of their own (C order)."""
    return cast(x, dtype)


def join(*arrays, axis, dtype):
    """Arrays joined along an axis, converted to one dtype."""
    first = arrays[0]
    length = sum([a.shape[axis] for a in arrays])
    out = like(first, (*first.shape[:axis], length, *first.shape[axis + 1 :]), dtype)
    start = 0
    for a in arrays:
        stop = start + a.shape[axis]
        copy(out.narrowed(axis, start, stop), a)
        start = stop
    return out


def repeat_all(x, *, axis, repeats):
    """Each element of an axis repeated as often."""
    shape = (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])
    strides = (*x.strides[: axis + 1], 0, *x.strides[axis + 1 :])
    return x.window(shape, strides).copy().reshaped((*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]))


# --- triangles ---------------------------------------------------------------------------------------------------------------


def kept(target, dtype, lower):
    """y = x where the column less the row is at most k (lower) or at least k, else 0, of n elements in matrices of rows x columns."""
    cuda, T = target.cuda, target.type(np.uint8 if dtype.kind == "b" else dtype)

    def kept(y, x, n, rows, columns, k):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        step = cuda.gridDim.x * cuda.blockDim.x
        j = i + n - n  # as wide as n
        while j < n:
            line = j // columns
            apart = j - line * columns - line % rows
            v = x[j]
            if apart > k if lower else apart < k:
                v = T(0)
            y[j] = v
            j += step

    return kept


def triangle(x, *, k, lower):
    """The lower or upper triangles of a stack of matrices."""
    out, n = like(x), x.size
    if n:
        x = contiguous(x)
        _kept_kernel(x.dtype, lower).launch(x.driver, _grid(x, n), BLOCK, out.address, x.address, n, *x.shape[-2:], k)
    return out


def _kept_kernel(dtype, lower):
    return Kernel(kept, (dtype, bool(lower)), f"{pointers(dtype, dtype)} i8 i8 i8 i8", BLOCK)


# --- repetition by counts ----------------------------------------------------------------------------------------------------


def negative(target):
    """out[0] becomes -1 where any of n integers is negative."""
    cuda = target.cuda

    def negative(out, x, n):
        i = cuda.grid(1)
        while i < n:
            if x[i] < 0:
                out[0] = -1  # whoever finds one writes the same
            i += cuda.gridsize(1)

    return negative


def repeated(target, dtype):
    """y[o, p, q] = x[o, i, q] with the last i whose start is at most p; y has outer x total x inner elements, x outer x n x inner."""
    cuda = target.cuda

    def repeated(y, x, starts, size, total, inner, n):
        j = size - size + cuda.grid(1)
        while j < size:
            line = j // inner
            q = j - line * inner
            o = line // total
            p = line - o * total
            low, high = n - n, n - 1
            while low < high:
                middle = (low + high + 1) // 2
                if starts[middle] <= p:
                    low = middle
                else:
                    high = middle - 1
            y[j] = x[(o * n + low) * inner + q]
            j += cuda.gridsize(1)

    return repeated


def repeat_each(x, counts, *, axis):
    """Each element of an axis repeated by a count of its own. The host waits for the sum of the counts."""
    n, inner = x.shape[axis], prod(x.shape[axis + 1 :])
    starts = empty(x.driver, (n + 1,), _INT64)  # the last one becomes the sum of all
    total = 0
    if n:
        own, sign = starts.narrowed(0, 0, n), empty(x.driver, (1,), _INT64)
        copy(own, counts)
        fill(starts.narrowed(0, n, n + 1), 0)
        fill(sign, 0)
        _NEGATIVE.launch(x.driver, _grid(x, n), BLOCK, sign.address, own.address, n)
        blocks.exclusive(starts)
        if sign.to_host()[0] < 0:
            raise ValueError("repeat: repeats must not be negative")
        total = int(starts.narrowed(0, n, n + 1).to_host()[0])
    out = like(x, (*x.shape[:axis], total, *x.shape[axis + 1 :]))
    size = out.size
    if size:
        x = contiguous(x)
        kernel = _repeated_kernel(x.dtype)
        kernel.launch(x.driver, _grid(x, size), BLOCK, out.address, x.address, starts.address, size, total, inner, n)
    return out


_NEGATIVE = Kernel(negative, (), "*i8 *i8 i8", BLOCK)


def _repeated_kernel(dtype):
    return Kernel(repeated, (dtype,), f"{pointers(dtype, dtype)} *i8 i8 i8 i8 i8", BLOCK)


# --- sliding sums --------------------------------------------------------------------------------------------------------------


def slid(target, dtype):
    """y[i] = sum over m of a[m] v[m - i - from + lv - 1] where both exist; of booleans, whether any is."""
    cuda, T, boolean = target.cuda, target.type(np.uint8 if dtype.kind == "b" else dtype), dtype.kind == "b"

    def slid(y, a, v, n, first, la, lv):
        i = n - n + cuda.grid(1)
        while i < n:
            start = i + first - lv + 1
            low, high = max(start, n - n), min(i + first + 1, la)
            total = T(0)
            for m in range(low, high):
                if boolean:
                    if a[m] != 0 and v[m - start] != 0:
                        total = T(1)
                else:
                    total = T(total + T(a[m] * v[m - start]))
            y[i] = total
            i += cuda.gridsize(1)

    return slid


def slide(a, v, *, mode):
    """Sums of products of `a` with `v` moved along it (not turned, not conjugated); both one-dimensional, of one dtype, a not shorter."""
    la, lv = a.size, v.size
    first, n = {"full": (0, la + lv - 1), "same": ((lv - 1) // 2, la), "valid": (lv - 1, la - lv + 1)}[mode]
    out = like(a, (n,))
    a, v = contiguous(a), contiguous(v)
    if n:
        _slid_kernel(a.dtype).launch(a.driver, _grid(a, n), BLOCK, out.address, a.address, v.address, n, first, la, lv)
    return out


def _slid_kernel(dtype):
    return Kernel(slid, (dtype,), f"{pointers(dtype, dtype, dtype)} i8 i8 i8 i8", BLOCK)


def every():
    """All kernels of this module."""
    yield _NEGATIVE
    for dtype in texts.DTYPES:
        for lower in (False, True):
            yield _kept_kernel(dtype, lower)
        yield _repeated_kernel(dtype)
        yield _slid_kernel(dtype)
