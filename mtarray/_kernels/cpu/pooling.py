"""Pooling by the largest element, and the gather and scatter that carry its derivatives: plane by plane, planes in parallel.

Neighbouring windows that are one or two columns apart are the lanes of a vector, beside which a vector of positions is kept; the places of
the window are walked outside. Windows that the border cuts, and those of other steps, are taken one by one.
"""

import functools

import numpy as np

from .. import build
from . import pool, simd
from .driver import address, run

_TYPES = {"float32": "np.float32", "float64": "np.float64", "int32": "np.int32", "int64": "np.int64"}
_CODES = {"float32": "f4", "float64": "f8", "int32": "i4", "int64": "i8"}

_PRELUDE = """
from mtarray._kernels.cpu.simd import load_first_{T} as load_first, fill_{T} as fill, load_{I} as load_places, fill_{I} as fill_places
V = {vector}
L = V // {size}
"""

_EVEN = '''    """Planes lo..hi of windows that are {stride} columns apart. args: words, images, results, positions.
    words: channels; strides of the images; their width; rows and columns of windows; step between rows, and between columns, of places;
    where the first window would begin; places across; first and last window that have them all. Tables: first row and number of places
    down, first column and number of places across."""
    w = i8(ld64(args))
    channels, sn, sc, sh, width, oh, ow = w[0], w[1], w[2], w[3], w[5], w[6], w[7]
    down, across, begin, places, inner, outer = w[8], w[9], w[10], w[11], w[12], w[13]
    table = ld64(args) + 14 * 8
    firsts, counts, columns, wide = i8(table), i8(table + 8 * oh), i8(table + 16 * oh), i8(table + 8 * (2 * oh + ow))
    scratch = np.empty(2 * L, {lane})
    ps = arr_ptr(scratch)
    for j in range(L):
        scratch[j] = {stride} * j
    lanes = load_places(ps)
    for plane in range(lo, hi):
        n = plane // channels
        source = ld64(args + 8) + (n * sn + (plane - n * channels) * sc) * {size}
        for i in range(oh):
            to = ld64(args + 16) + (plane * oh + i) * ow * {size}
            at = {P}(ld64(args + 24) + (plane * oh + i) * ow * {psize})
            for j in range(inner, outer, L):
                m = min(L, outer - j)
                reach = {stride} * (m - 1) + 1  # elements that these windows' first places span
                best = fill({dtype}(-np.inf))
                where = add(fill_places({lane}(firsts[i] * width + begin + {stride} * j)), lanes)
                for a in range(counts[i]):
                    row = firsts[i] + a * down
                    for b in range(places):
                        column = begin + {stride} * j + b * across
                        x = source + (row * sh + column) * {size}
                        v = load_first(x, reach)
                        if {stride} == 2:
                            v = evens(v, load_first(x + V, reach - L))
                        p = add(fill_places({lane}(row * width + column)), lanes)
                        where = where_gt(v, best, p, where)
                        best = where_gt(v, best, v, best)
                        where = where_eq(v, v, where, p)  # NaN is unlike itself
                        best = where_eq(v, v, best, v)
                store_first(to + j * {size}, best, m)
                store(ps + V, where)
                for k in range(m):
                    at[j + k] = {place}(scratch[L + k])
            x = {T}(source)
            y = {T}(to)
            for j in range(ow):
                if inner <= j and j < outer:
                    continue
                most = {dtype}(-np.inf)
                p0 = firsts[i] * width + columns[j]
                for a in range(counts[i]):
                    row = firsts[i] + a * down
                    for b in range(wide[j]):
                        column = columns[j] + b * across
                        one = x[row * sh + column]
                        if one > most or one != one:
                            most = one
                            p0 = row * width + column
                y[j] = most
                at[j] = {place}(p0)
    scratch[0] = 0  # keeps it alive: Numba frees an array after its last use that it can see
'''

_UNEVEN = '''    """Planes lo..hi of any windows. args: words, images, results, positions.
    words: as above; tables: first row and number of places down, first column and number of places across."""
    w = i8(ld64(args))
    channels, sn, sc, sh, sw, width, oh, ow, down, across = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]
    table = ld64(args) + 10 * 8
    firsts, counts, columns, wide = i8(table), i8(table + 8 * oh), i8(table + 16 * oh), i8(table + 8 * (2 * oh + ow))
    for plane in range(lo, hi):
        n = plane // channels
        x = {T}(ld64(args + 8) + (n * sn + (plane - n * channels) * sc) * {size})
        y = {T}(ld64(args + 16) + plane * oh * ow * {size})
        at = {P}(ld64(args + 24) + plane * oh * ow * {psize})
        for i in range(oh):
            for j in range(ow):
                best = {dtype}(-np.inf)
                p = firsts[i] * width + columns[j]
                for a in range(counts[i]):
                    row = firsts[i] + a * down
                    for b in range(wide[j]):
                        column = columns[j] + b * across
                        v = x[row * sh + column * sw]
                        if v > best or v != v:
                            best = v
                            p = row * width + column
                y[i * ow + j] = best
                at[i * ow + j] = {place}(p)
'''

_PICKED = '''    """Planes lo..hi. args: words (channels; strides of x; width; positions of a plane), x, positions, result."""
    w = i8(ld64(args))
    channels, sn, sc, sh, sw, width, count = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
    for plane in range(lo, hi):
        n = plane // channels
        x = {T}(ld64(args + 8) + (n * sn + (plane - n * channels) * sc) * {size})
        at = {P}(ld64(args + 16) + plane * count * {psize})
        y = {T}(ld64(args + 24) + plane * count * {size})
        if sw == 1 and sh == width:
            for i in range(count):
                y[i] = x[at[i]]
        else:
            for i in range(count):
                row = at[i] // width
                y[i] = x[row * sh + (at[i] - row * width) * sw]
'''

_PUT_BACK = '''    """Planes lo..hi. args: words (channels; strides of x; rows, columns; elements of a plane of the result), x, positions,
    result."""
    w = i8(ld64(args))
    channels, sn, sc, sh, sw, rows, columns, plain = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    for plane in range(lo, hi):
        n = plane // channels
        y = {T}(ld64(args + 24) + plane * plain * {size})
        for i in range(plain):
            y[i] = 0
        at = {P}(ld64(args + 16) + plane * rows * columns * {psize})
        for i in range(rows):
            x = {T}(ld64(args + 8) + (n * sn + (plane - n * channels) * sc + i * sh) * {size})
            for j in range(columns):
                y[at[i * columns + j]] += x[j * sw]
'''


def _words(dtype, places, **more):
    return {
        "T": _CODES[dtype], "P": _CODES[places], "size": int(_CODES[dtype][1]), "psize": int(_CODES[places][1]), "dtype": _TYPES[dtype],
        "place": _TYPES[places], **more,
    }  # fmt: skip


@functools.cache
def _even(dtype, places, stride):
    lane = "int32" if dtype == "float32" else "int64"  # positions as wide as the elements
    words = _words(dtype, places, stride=stride, vector=simd.BYTES, lane=_TYPES[lane], I=_CODES[lane])
    return build.kernel(f"max_pool_{dtype}_{places}_{stride}", _EVEN.format(**words), prelude=simd.PRELUDE + _PRELUDE.format(**words))


@functools.cache
def _uneven(dtype, places):
    return build.kernel(f"max_pool_{dtype}_{places}", _UNEVEN.format(**_words(dtype, places)))


@functools.cache
def _picked(dtype, places):
    return build.kernel(f"pool_picked_{dtype}_{places}", _PICKED.format(**_words(dtype, places)))


@functools.cache
def _put_back(dtype, places):
    return build.kernel(f"pool_put_back_{dtype}_{places}", _PUT_BACK.format(**_words(dtype, places)))


def _elements(x):
    return [s // x.itemsize for s in x.strides]


def _chunk(elements):
    """Planes of one task: some ten thousand elements."""
    return max(1, (1 << 15) // max(elements, 1))


_plans = {}


def _plan(x, rows, columns, places):
    """(kernel, words, shape of the result, planes, planes of a task) for images of this layout."""
    strides = _elements(x)
    out = len(rows.first), len(columns.first)
    head = [x.shape[1], *strides, x.shape[3], *out, rows.step, columns.step]
    tables = [*rows.first, *rows.counts, *columns.first]
    most = max(columns.counts, default=0)
    whole = [j for j, f in enumerate(columns.first) if columns.counts[j] == most and f == columns.begin + j * columns.stride]
    if strides[3] == 1 and columns.stride in (1, 2) and places.itemsize <= x.itemsize and whole:
        kernel = _even(x.dtype.name, places.name, columns.stride)
        words = [*head, columns.begin, most, whole[0], whole[-1] + 1, *tables, *columns.counts]
    else:
        kernel = _uneven(x.dtype.name, places.name)
        words = [*head, *tables, *columns.counts]
    work = sum(rows.counts) * sum(columns.counts)
    return kernel, np.array(words, np.int64), (*x.shape[:2], *out), x.shape[0] * x.shape[1], _chunk(work)


def largest(x, rows, columns, places):
    """The largest float of each window, the last NaN if there is one, and its position in the plane, of the dtype `places`."""
    key = (x.dtype, x.shape, x.strides, rows, columns)
    made = _plans.get(key)
    if made is None:
        if len(_plans) >= 4096:
            _plans.clear()
        made = _plans[key] = _plan(x, rows, columns, places)
    kernel, words, shape, planes, chunk = made
    y, at = pool.empty(shape, x.dtype), pool.empty(shape, places)
    run(kernel, planes, chunk, address(words), address(x), address(y), address(at))
    return y, at


def picked(x, places):
    """The elements of each plane at positions of the flattened plane."""
    n, channels, rows, columns = places.shape
    places = np.ascontiguousarray(places)
    words = np.array([channels, *_elements(x), x.shape[3], rows * columns], np.int64)
    y = pool.empty(places.shape, x.dtype)
    kernel = _picked(x.dtype.name, places.dtype.name)
    run(kernel, n * channels, _chunk(rows * columns), address(words), address(x), address(places), address(y))
    return y


def put_back(x, places, size):
    """Planes of zeros with the elements of x added at their positions, in order."""
    n, channels, rows, columns = places.shape
    places = np.ascontiguousarray(places)
    plain = size[0] * size[1]
    words = np.array([channels, *_elements(x), rows, columns, plain], np.int64)
    y = pool.empty((n, channels, *size), x.dtype)
    kernel = _put_back(x.dtype.name, places.dtype.name)
    run(kernel, n * channels, _chunk(plain), address(words), address(x), address(places), address(y))
    return y
