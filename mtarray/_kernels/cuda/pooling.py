"""Pooling by the largest element, and the gather and its adjoint that carry the derivatives: an element of the result each thread.

The adjoint gathers too: each position of the image looks through the windows that may have it, in order. So no two threads write to one
place, and results are the same in every run. Where the windows lie is worked out from a few numbers, which spares copies of tables.
"""

from functools import lru_cache

import numpy as np

from .kernel import Kernel, code_of
from .tensor import empty, like

_BLOCK = 256
_MANY = 1 << 20  # blocks of a launch at most; their threads then go on
_AXES = " ".join(["i8"] * 10)


def _first(begin, stride, step, most, count, n, i):
    """The first position of window i inside an axis of n. stride 0: `count` windows that cover the axis."""
    if stride == 0:
        return i * n // count
    start = begin + i * stride
    return start if start >= 0 else start + (-start + step - 1) // step * step


def _stop(begin, stride, step, most, count, n, i):
    """The end of what window i has inside an axis of n."""
    if stride == 0:
        return ((i + 1) * n + count - 1) // count
    return min(begin + i * stride + (most - 1) * step + 1, n)


def _lowest(begin, stride, step, most, count, n, p):
    """The first window that may have position p."""
    if stride == 0:
        return p * count // n
    reach = p - begin - (most - 1) * step
    return 0 if reach <= 0 else (reach + stride - 1) // stride


def _highest(begin, stride, step, most, count, n, p):
    """The window after the last one that may have position p."""
    if stride == 0:
        return min(((p + 1) * count + n - 1) // n, count)
    return min((p - begin) // stride + 1, count)


def largest(target, dtype, places):
    """The largest element of each window and its position in the plane."""
    cuda, P = target.cuda, target.type(places)
    first, stop = target.device(_first), target.device(_stop)

    def largest(y, at, x, images, channels, s0, s1, s2, s3, h, w, b0, t0, d0, m0, n0, b1, t1, d1, m1, n1):
        e = cuda.grid(1)
        while e < images * channels * n0 * n1:
            plane = e // (n0 * n1)
            place = e - plane * (n0 * n1)
            i, j = place // n1, place % n1
            start = plane // channels * s0 + plane % channels * s1
            row, column = first(b0, t0, d0, m0, n0, h, i), first(b1, t1, d1, m1, n1, w, j)
            most = x[start + row * s2 + column * s3]
            where = row * w + column
            for p in range(row, stop(b0, t0, d0, m0, n0, h, i), d0):
                for q in range(column, stop(b1, t1, d1, m1, n1, w, j), d1):
                    v = x[start + p * s2 + q * s3]
                    if v > most or v != v:  # the last of several NaN
                        most = v
                        where = p * w + q
            y[e] = most
            at[e] = P(where)
            e += cuda.gridsize(1)

    return largest


def gathered(target, dtype, places):
    """The elements of each plane at positions of the plane."""
    cuda = target.cuda

    def gathered(y, at, x, images, channels, s0, s1, s2, s3, w, p0, p1, p2, p3, n0, n1):
        e = cuda.grid(1)
        while e < images * channels * n0 * n1:
            plane = e // (n0 * n1)
            place = e - plane * (n0 * n1)
            image, channel = plane // channels, plane % channels
            where = at[image * p0 + channel * p1 + place // n1 * p2 + place % n1 * p3]
            y[e] = x[image * s0 + channel * s1 + where // w * s2 + where % w * s3]
            e += cuda.gridsize(1)

    return gathered


def returned(target, dtype, places):
    """Each position's sum of the elements of the windows that name it."""
    cuda, T = target.cuda, target.type(dtype)
    lowest, highest = target.device(_lowest), target.device(_highest)
    ZERO = dtype.type(0)

    def returned(y, at, x, images, channels, s0, s1, s2, s3, p0, p1, p2, p3, h, w, b0, t0, d0, m0, n0, b1, t1, d1, m1, n1):
        e = cuda.grid(1)
        while e < images * channels * h * w:
            plane = e // (h * w)
            where = e - plane * (h * w)
            row, column = where // w, where % w
            image, channel = plane // channels, plane % channels
            start, table = image * s0 + channel * s1, image * p0 + channel * p1
            left, right = lowest(b1, t1, d1, m1, n1, w, column), highest(b1, t1, d1, m1, n1, w, column)
            total = T(ZERO)
            for i in range(lowest(b0, t0, d0, m0, n0, h, row), highest(b0, t0, d0, m0, n0, h, row)):
                for j in range(left, right):
                    if at[table + i * p2 + j * p3] == where:
                        total = T(total + x[start + i * s2 + j * s3])
            y[e] = total
            e += cuda.gridsize(1)

    return returned


# ---------------------------------------------------------------------- launching


@lru_cache(256)
def _kernel(factory, dtype, places):
    c, p = code_of(dtype), code_of(places)
    words = {largest: "i8 " * 8 + _AXES, gathered: "i8 " * 13, returned: "i8 " * 12 + _AXES}[factory]
    return Kernel(factory, (dtype, places), f"*{c} *{p} *{c} {words}", _BLOCK)


def _grid(n):
    return min(-(-n // _BLOCK), _MANY)


@lru_cache(4096)
def _axis(spans, n):
    """(begin, stride, step, places of a window that the border does not cut, windows) of the windows along an axis of n."""
    count = len(spans.first)
    if spans.stride == 0:
        return 0, 0, 1, 0, count
    starts = [spans.begin + i * spans.stride for i in range(count)]
    cut = [(f - s) // spans.step for f, s in zip(spans.first, starts)]  # places that lie before the axis
    most = max([a + b for a, b in zip(cut, spans.counts)], default=0)
    return spans.begin, spans.stride, spans.step, most, count


def max_pooled(x, *, rows, columns):
    """See the engine op."""
    places = np.dtype(np.int32 if x.shape[2] * x.shape[3] < 1 << 31 else np.int64)
    shape = (*x.shape[:2], len(rows.first), len(columns.first))
    y, at = like(x, shape), like(x, shape, places)
    if y.size:
        _kernel(largest, x.dtype, places).launch(
            x.driver, _grid(y.size), _BLOCK, y.address, at.address, x.address, *x.shape[:2], *x.strides, *x.shape[2:],
            *_axis(rows, x.shape[2]), *_axis(columns, x.shape[3]),
        )  # fmt: skip
    return y, at


def picked(x, places, *, rows, columns):
    """See the engine op."""
    y = like(x, places.shape)
    if y.size:
        _kernel(gathered, x.dtype, places.dtype).launch(
            x.driver, _grid(y.size), _BLOCK, y.address, places.address, x.address, *x.shape[:2], *x.strides, x.shape[3], *places.strides,
            *places.shape[2:],
        )  # fmt: skip
    return y


def put_back(x, places, *, size, rows, columns):
    """See the engine op."""
    y = empty(x.driver, (*x.shape[:2], *size), x.dtype)
    if y.size:
        _kernel(returned, x.dtype, places.dtype).launch(
            x.driver, _grid(y.size), _BLOCK, y.address, places.address, x.address, *x.shape[:2], *x.strides, *places.strides, *size,
            *_axis(rows, size[0]), *_axis(columns, size[1]),
        )  # fmt: skip
    return y


def every():
    """All kernels of this module."""
    for code in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        for places in (np.dtype(np.int32), np.dtype(np.int64)):
            for factory in (largest, gathered, returned):
                yield _kernel(factory, np.dtype(code), places)
