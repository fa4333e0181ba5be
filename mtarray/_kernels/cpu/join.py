"""Copies that put pieces side by side: join and repeat.

A join of contiguous pieces is a range of bytes, cut into equal parts for the threads; other pieces are copied, and converted, one
after another into their places.
"""

import functools
from math import prod

import numpy as np

from .. import build
from . import copying, pool
from .driver import address, run
from .machine import last_level_cache

_CHUNK = 1 << 17  # bytes that a thread copies at a time
_LEAST_BLOCK = 32  # bytes of a row's piece below which a copy is mostly overhead
_REMEMBERED = 1024  # joins, and at most as many operands in each of them as
_OPERANDS = 16


@functools.cache
def _join_kernel(stream):
    """Bytes [lo, hi) of the result: its rows are rows of the operands in turn. Words: end within a row, address, bytes of a row."""
    # Rows of a few hundred bytes are too short for the C library's copy to be worth a call.
    copy = """        if size < 64:
            memcpy(out + at, src, size)
        elif size < 4096:
            copy64(out + at, src, size & -64)
            copy64(out + at + size - 64, src + size - 64, 64)
        else:
            memcpy(out + at, src, size)"""
    if stream:
        copy = """        head = min(size, -(out + at) & 63)
        body = (size - head) & -64
        memcpy(out + at, src, head)
        nt_copy(out + at + head, src + head, body)
        memcpy(out + at + head + body, src + head + body, size - head - body)"""
    return build.kernel(
        f"join_{int(stream)}",
        f"""    w = i8(ld64(args)); out = ld64(args + 8); width = ld64(args + 16)
    row = lo // width
    place = lo - row * width
    at = lo
    k = np.int64(0)
    while at < hi:
        while w[3 * k] <= place:
            k += 1
        size = min(w[3 * k] - place, hi - at)
        src = w[3 * k + 1] + (row + 1) * w[3 * k + 2] - w[3 * k] + place
{copy}
        at += size
        place += size
        if place == width:
            place = np.int64(0)
            row += 1
            k = np.int64(0)
    {"sfence()" if stream else "pass"}""",
    )


class _Join:
    """What is known of a join before the addresses are: called with the arrays, it returns the result."""

    __slots__ = ("bytes", "dtype", "kernel", "launches", "places", "pooled", "shape", "spare", "width", "words")

    def __init__(self, arrays, axis, dtype):
        first = arrays[0].shape
        self.shape = (*first[:axis], sum([a.shape[axis] for a in arrays]), *first[axis + 1 :])
        self.dtype = dtype
        rows, n = prod(first[:axis]), prod(first[axis + 1 :]) * dtype.itemsize
        self.width = self.shape[axis] * n
        self.bytes = rows * self.width
        self.pooled = pool.size_class(self.bytes)
        pieces = [a.shape[axis] * n for a in arrays]
        self.launches = None
        if all(a.flags.c_contiguous and a.dtype == dtype for a in arrays) and (rows == 1 or min(pieces) >= _LEAST_BLOCK):
            ends = np.cumsum(pieces)
            self.words = np.stack([ends, ends, pieces], 1).reshape(-1)
            self.places = range(1, self.words.size, 3)
            self.spare = []  # copies of the words that no call is using, with their addresses
            self.kernel = _join_kernel(self.bytes > 1.5 * last_level_cache())
            return
        self.launches, place = [], 0
        for i, a in enumerate(arrays):
            if a.size:
                steps = copying.contiguous_strides(self.shape, dtype.itemsize)
                self.launches.append((i, place, copying.launch(a, dtype, steps)))
                place += a.shape[axis] * n

    def __call__(self, arrays):
        out = pool.take(self.pooled, self.shape, self.dtype)
        if self.launches is not None:
            start = address(out)
            for i, place, launch in self.launches:
                launch((start + place, address(arrays[i])))
        elif self.bytes:
            try:
                words, at = self.spare.pop()
            except IndexError:
                words = self.words.copy()
                words, at = memoryview(words), address(words)
            for place, a in zip(self.places, arrays):
                words[place] = address(a)
            run(self.kernel, self.bytes, _CHUNK, at, address(out), self.width)
            self.spare.append((words, at))
        return out


_joins = {}


def join(arrays, axis, dtype):
    """Arrays joined along `axis` (not negative) and converted to `dtype`: C-contiguous.

    Shapes must agree but for the axis; any strides, conversions as in `copying.copy`.
    """
    return prepared(arrays, axis, dtype)(arrays)


def prepared(arrays, axis, dtype):
    """What joins arrays of these layouts."""
    if len(arrays) > _OPERANDS:
        return _Join(arrays, axis, dtype)
    key = (axis, dtype, *[(a.shape, a.strides, a.dtype) for a in arrays])
    made = _joins.get(key)
    if made is None:
        if len(_joins) >= _REMEMBERED:
            _joins.clear()
        made = _joins[key] = _Join(arrays, axis, dtype)
    return made


@functools.cache
def _repeat_kernel(width, times):
    """Elements of `width` bytes (0: known at run time), each `times` times in a row (0: known at run time)."""
    if not width:
        return build.kernel(
            "repeat_blocks",
            """    times = ld64(args + 16); width = ld64(args + 24)
    for i in range(lo, hi):
        for j in range(times):
            memcpy(ld64(args + 8) + (i * times + j) * width, ld64(args) + i * width, width)""",
        )
    # A constant count becomes a few vector stores; the counter must start from 0 for that.
    count = times or "times"
    stores = "\n".join([f"        o[i * {times} + {j}] = v" for j in range(times)])
    return build.kernel(
        f"repeat{width}_{times}",
        f"""    n = hi - lo; times = ld64(args + 16)
    x = u{width}(ld64(args) + lo * {width}); o = u{width}(ld64(args + 8) + lo * {count} * {width})
    for i in range(n):
        v = x[i]
{stores or "        for j in range(times):" + chr(10) + "            o[i * times + j] = v"}""",
    )


def repeat(x, repeats, axis):
    """Each slice of x along `axis` (not negative) `repeats` times, an int: C-contiguous. Scratch: a copy of an x that is not contiguous."""
    out = pool.empty((*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]), x.dtype)
    if out.size:
        x = np.ascontiguousarray(x)
        width = prod(x.shape[axis + 1 :]) * x.itemsize
        kernel = _repeat_kernel(width if width in (1, 2, 4, 8) else 0, repeats if repeats <= 8 else 0)
        run(kernel, x.nbytes // width, max(1, _CHUNK // (width * repeats)), address(x), address(out), repeats, width)
    return out
