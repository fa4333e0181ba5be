"""Where something holds, in order: tiles are counted, the counts summed up, and each tile writes from its place on.

How many places there are is read by the host: that waits for the device, once, for 8 bytes.
"""

import numpy as np

from . import copying
from .blocks import INT64, blocks_for, exclusive, scan_of_block
from .kernel import Kernel
from .keys import DTYPES
from .tensor import empty

THREADS, ITEMS = 256, 8


def _compared(dtype):
    """The dtype as which elements are compared with each other or zero: integers and booleans as unsigned ones."""
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind in "biu" else dtype


_COMPARED = sorted({_compared(d) for d in DTYPES}, key=str)


def _holds(target, dtype, runs):
    """A device function (x, i): whether element i is not zero, or (runs) differs from the one before it. NaN differs from NaN."""
    part = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
    ZERO, pair = target.type(part)(0), dtype.kind == "c"

    def holds(x, i):
        if runs:
            if i == 0:
                return True
            if pair:
                return x[2 * i] != x[2 * i - 2] or x[2 * i + 1] != x[2 * i - 1]
            return x[i] != x[i - 1]
        if pair:
            return x[2 * i] != ZERO or x[2 * i + 1] != ZERO
        return x[i] != ZERO

    return target.device(holds)


def count_places(target, dtype, runs, threads, items):
    """How many elements of each tile are to be found."""
    cuda, L = target.cuda, target.type(INT64)
    scan = scan_of_block(target, INT64, threads)
    holds = _holds(target, dtype, runs)

    def count_places(counts, x, n):
        scratch = cuda.shared.array(32, L)
        t, b = cuda.threadIdx.x, cuda.blockIdx.x
        own = L(0)
        for j in range(items):
            i = (b * items + j) * threads + t
            if i < n and holds(x, i):
                own += 1
        _, total = scan(own, t, scratch)
        if t == 0:
            counts[b] = total

    return count_places


def write_places(target, dtype, runs, threads, items):
    """The places of the elements to be found, and (numbered) for the element that came from order[i] how many places there are up to i."""
    cuda, L = target.cuda, target.type(INT64)
    scan = scan_of_block(target, INT64, threads)
    holds = _holds(target, dtype, runs)

    def write_places(places, numbers, x, order, starts, n, numbered):
        scratch = cuda.shared.array(32, L)
        t, b = cuda.threadIdx.x, cuda.blockIdx.x
        first = (b * threads + t) * items
        own = L(0)
        for j in range(items):
            if first + j < n and holds(x, first + j):
                own += 1
        before, _ = scan(own, t, scratch)
        k = starts[b] + before
        for j in range(items):
            if first + j < n:
                if holds(x, first + j):
                    places[k] = L(first + j)
                    k += 1
                if numbered:
                    numbers[order[first + j]] = L(k - 1)

    return write_places


def _kernels(dtype, runs, threads, items):
    x = f"f{dtype.itemsize // 2}" if dtype.kind == "c" else dtype.str[1:]
    return (
        Kernel(count_places, (dtype, runs, threads, items), f"*i8 *{x} i8", threads),
        Kernel(write_places, (dtype, runs, threads, items), f"*i8 *i8 *{x} *i8 *i8 i8 i8", threads),
    )


def places(x, runs=False, order=None, threads=THREADS, items=ITEMS):
    """(places, numbers): the flat places of the elements that are not zero, or where runs of equal elements begin, int64, ascending.

    x: contiguous. With `order` (int64, the places that the elements came from), numbers[order[i]] is the number of the run of element i.
    """
    n, driver = x.size, x.driver
    numbers = None if order is None else empty(driver, (n,), INT64)
    if not n:
        return empty(driver, (0,), INT64), numbers
    count, write = _kernels(_compared(x.dtype), runs, threads, items)
    blocks = -(-n // (threads * items))
    counts = empty(driver, (blocks + 1,), INT64)
    copying.fill(counts.narrowed(0, blocks, blocks + 1), 0)
    count.launch(driver, blocks, threads, counts.address, x.address, n)
    exclusive(counts)
    total = int(driver.download(counts.address + 8 * blocks, 8).view(np.int64)[0])
    out = empty(driver, (total,), INT64)
    if total or order is not None:
        write.launch(
            driver, blocks, threads, out.address, (counts if order is None else numbers).address, x.address,
            (counts if order is None else order).address, counts.address, n, int(order is not None),
        )  # fmt: skip
    return out, numbers


def coordinate(target):
    """One coordinate of flat places: place // step % length."""
    cuda, L = target.cuda, target.type(INT64)

    def coordinate(out, places, n, step, length):
        i = cuda.grid(1)
        while i < n:
            out[i] = L(places[i] // step % length)
            i += cuda.gridsize(1)

    return coordinate


_COORDINATE = "*i8 *i8 i8 i8 i8"


def coordinates(flat, shape):
    """The indices, one tensor for each dimension, of flat places in an array of this shape."""
    if len(shape) == 1:
        return (flat,)
    out, step = [], 1
    for n in reversed(shape):
        c = empty(flat.driver, flat.shape, INT64)
        if c.size:
            grid = blocks_for(c.size)
            Kernel(coordinate, (), _COORDINATE, 256).launch(flat.driver, grid, 256, c.address, flat.address, c.size, step, n)
        out.append(c)
        step *= n
    return tuple(out[::-1])


def indices_nonzero(x):
    """Indices of the non-zero elements, a tuple of one tensor per dimension."""
    return coordinates(places(copying.contiguous(x))[0], x.shape)


def every():
    """All kernels of this module."""
    yield Kernel(coordinate, (), _COORDINATE, 256)
    for dtype in _COMPARED:
        for runs in (False, True):
            yield from _kernels(dtype, runs, THREADS, ITEMS)
