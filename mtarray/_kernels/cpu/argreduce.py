"""Positions of extrema: the first of the largest or smallest, where the first NaN counts as both, as in NumPy."""

from functools import lru_cache

import numpy as np

from .. import build
from . import nest, pool
from .driver import address, run
from .nest import plan, pointer, scalar

PIECE = 2048  # elements searched at once: their extremum is found by SIMD, its place only when it is better


def _joins(dtype, largest):
    """Source of the join of two values, and of "v is better than m" (a NaN is better than any number)."""
    if dtype.kind == "f":
        return ("fmaximum" if largest else "fminimum"), f"(v {'>' if largest else '<'} m or (v != v and m == m))"
    return ("max" if largest else "min"), f"v {'>' if largest else '<'} m"


@lru_cache(maxsize=512)
def _kernel(dtype, largest, layout, unit):
    """Address of the kernel: positions go to `out`, or values to partials and positions to the array behind args word 1."""
    p, t, size = pointer(dtype), scalar(dtype), dtype.itemsize
    join, better = _joins(dtype, largest)
    name = f"arg{'max' if largest else 'min'}_{dtype.char}_{layout}".replace("?", "b")
    if layout == "rows":

        def at(i):
            return f"x[{i}]" if unit else f"{p}(b + ({i}) * s)[0]"

        body = f"""{nest.LOAD_WORDS}    positions = i8(ld64(args + 8))
    for item in range(lo, hi):
{nest.ROWS_ITEM}        m = {t}(0); best = np.int64(-1)
        for p in range(p0, p1):
            length = min(piece, n - (p - p // per_row * per_row) * piece)
{nest.PIECE.replace("m = min(piece, n - k); ", "")}            x = {p}(b); v = x[0]
            for i in range(length): v = {join}(v, {at("i")})
            if best < 0 or {better}:
                m = v; i = np.int64(0)
                if v != v:
                    while {at("i")} == {at("i")}: i += 1
                else:
                    while i + 64 <= length:
                        hit = np.uint32(0)
                        for j in range(64): hit |= np.uint32({at("i + j")} == v)
                        if hit: break
                        i += 64
                    while {at("i")} != v: i += 1
                best = row * n + k + i
        positions[item] = best
        if leaves > 1: {p}(pb)[item] = m"""
        return build.kernel(name, body)
    element = "x[j]" if unit else f"{p}(b + j * cs)[0]"
    # Positions within a piece fit the width of the elements, so that values and positions fill equally many lanes.
    index = {1: "u1", 2: "i2", 4: "i4", 8: "i8"}[size]
    index_type = {1: "np.uint8", 2: "np.int16", 4: "np.int32", 8: "np.int64"}[size]
    # Without branches, for SIMD.
    up = f"(v {'>' if largest else '<'} old)" + (" | ((v != v) & (old == old))" if dtype.kind == "f" else "")
    body = f"""{nest.LOAD_WORDS}{nest.COLUMNS_WORDS}    positions = i8(ld64(args + 8))
    kv = np.empty({nest.COLUMNS}, {t}); va = {p}(arr_ptr(kv)); km = np.empty({nest.COLUMNS}, {t}); ma = {p}(arr_ptr(km))
    kw = np.empty({nest.COLUMNS}, {index_type}); wa = {index}(arr_ptr(kw)); kb = np.empty({nest.COLUMNS}, np.int64); ba = i8(arr_ptr(kb))
    for item in range(lo, hi):
{nest.COLUMNS_ITEM}        for p in range(p0, p1):
{nest.PIECE}            x = {p}(b)
            for j in range(width): va[j] = {element}; wa[j] = {index_type}(0)
            for r in range(1, m):
                b += s; x = {p}(b); here = {index_type}(r)
                for j in range(width):
                    v = {element}; old = va[j]
                    up = {up}
                    va[j] = v if up else old
                    wa[j] = here if up else wa[j]
            base = row * n + k
            if p == p0:
                for j in range(width): ma[j] = va[j]; ba[j] = base + np.int64(wa[j])
            else:
                for j in range(width):
                    v = va[j]; old = ma[j]
                    if {up}: ma[j] = v; ba[j] = base + np.int64(wa[j])
        at = leaf * outputs + o
        for j in range(width): positions[at + j] = ba[j]
        if leaves > 1:
            part = {p}(pb + at * {size})
            for j in range(width): part[j] = ma[j]
    kv[0] = kv[1]; km[0] = km[1]; kw[0] = kw[1]; kb[0] = kb[1]"""
    return build.kernel(name, body)


def argmax(x, axis=None):
    """int64 positions of the first largest element along `axis` (non-negative), or in C order of all when it is None.

    Real dtypes and bool, any layout; the result has the other axes. ValueError when there is no element. Scratch: one value
    and one position per output and leaf, less than 1/256 of `x`.
    """
    return _arg(x, axis, True)


def argmin(x, axis=None):
    """int64 positions of the first smallest element along `axis`; see `argmax`."""
    return _arg(x, axis, False)


def _arg(x, axis, largest):
    name = "argmax" if largest else "argmin"
    if x.dtype.kind == "c":
        raise TypeError(f"complex numbers have no order: {name} of {x.dtype}")
    axes = tuple(range(x.ndim)) if axis is None else (axis,)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    if x.size == 0:
        if 0 in shape and all(x.shape[i] for i in axes):
            return pool.empty(shape, np.int64)
        raise ValueError(f"{name} of no elements: shape {x.shape}, axis {axis}")
    repeated = tuple(i for i, s in enumerate(x.strides) if s == 0 and x.shape[i] != 1)
    if repeated:
        # Of a repeated element the first counts, and equal outputs are computed once.
        once = _arg(x[tuple(slice(0, 1) if i in repeated else slice(None) for i in range(x.ndim))], axis, largest)
        if axis is None:
            places = np.unravel_index(int(once), tuple(1 if i in repeated else n for i, n in enumerate(x.shape)))
            return np.asarray(np.ravel_multi_index(places, x.shape), np.int64)
        result = pool.empty(shape, np.int64)
        result[...] = once
        return result
    loops = plan(x.shape, x.strides, axes, x.dtype.itemsize, True, 0, PIECE)
    fn = _kernel(x.dtype, largest, loops.layout, loops.unit)
    result = pool.empty(tuple(x.shape[i] for i in loops.order), np.int64)
    values, places = None, result
    if loops.leaves > 1:
        values = np.empty((loops.leaves, loops.outputs), x.dtype)
        places = np.empty((loops.leaves, loops.outputs), np.int64)
    words = loops.arguments(address(x), address(result), 0 if values is None else address(values))
    run(fn, loops.items, loops.chunk, address(words), address(places))
    if values is not None:
        leaf = (np.argmax if largest else np.argmin)(values, axis=0)  # leaves lie in order: the first best leaf has the first best element
        result.reshape(-1)[...] = places[leaf, np.arange(loops.outputs)]
    return result.transpose(loops.restore) if result.ndim > 1 else result
