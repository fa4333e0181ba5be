"""Positions of extrema: the first of the largest or smallest, where the first NaN counts as both, as in NumPy."""

from functools import lru_cache

import numpy as np

from .. import build
from . import launch, nest, strips
from .nest import plan, pointer, scalar

_POSITION = np.dtype(np.int64)
PIECE = 2048  # elements searched at once: their extremum is found by SIMD, its place only when it is better


def _joins(dtype, largest):
    """Source of the join of two values, and of "v is better than m" (a NaN is better than any number)."""
    if dtype.kind == "f":
        return ("fmaximum" if largest else "fminimum"), f"(v {'>' if largest else '<'} m or (v != v and m == m))"
    return ("max" if largest else "min"), f"v {'>' if largest else '<'} m"


@lru_cache(maxsize=512)
def _kernel(dtype, largest, layout, unit):
    """Address of the kernel: positions go to `out`, or positions and values to the scratch when several leaves join."""
    p, t, size = pointer(dtype), scalar(dtype), dtype.itemsize
    join, better = _joins(dtype, largest)
    name = f"arg{'max' if largest else 'min'}_{dtype.char}_{layout}".replace("?", "b")
    if layout == "rows":

        def at(i):
            return f"x[{i}]" if unit else f"{p}(b + ({i}) * s)[0]"

        prelude, kind = nest.ATOMICS, "max" if largest else "min"
        if unit and strips.supports(kind, p, p):
            prelude += "from mtarray._kernels.cpu import strips\n"
            prelude += "".join(f"strip{k} = strips.strip({kind!r}, {p!r}, {p!r}, False, {k == 4})\n" for k in (1, 4))
            # Quarters side by side, as in reductions.
            extremum = f"""quarter = length // {256 // size} * {64 // size} if length >= {PIECE} else 0
            v = strip4(b, quarter * {size}, quarter) if quarter else x[0]
            if 4 * quarter < length: v = {join}(v, strip1(b + 4 * quarter * {size}, 0, length - 4 * quarter))"""
        else:
            extremum = f"v = x[0]\n            for i in range(length): v = {join}(v, {at('i')})"
        body = f"""{nest.LOAD_WORDS}    places = i8(pb); values = {p}(pb + 8 * leaves * outputs)
    for item in range(lo, hi):
{nest.ROWS_ITEM}        m = {t}(0); best = np.int64(-1)
        for p in range(p0, p1):
            length = min(piece, n - (p - p // per_row * per_row) * piece)
{nest.PIECE.replace("m = min(piece, n - k); ", "")}            x = {p}(b); {extremum}
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
        if leaves > 1:
            places[item] = best; values[item] = m
            if {nest.LAST.format(counter="o")}:
                store64(sb + 8 * o, 0); m = values[o]; best = places[o]
                for p in range(1, leaves):
                    v = values[p * outputs + o]
                    if {better}: m = v; best = places[p * outputs + o]
                i8(ob)[o] = best
        else: i8(ob)[o] = best"""
        return build.kernel(name, body, prelude)
    element = "x[j]" if unit else f"{p}(b + j * cs)[0]"
    # Positions within a piece fit the width of the elements, so that values and positions fill equally many lanes.
    index = {1: "u1", 2: "i2", 4: "i4", 8: "i8"}[size]
    index_type = {1: "np.uint8", 2: "np.int16", 4: "np.int32", 8: "np.int64"}[size]
    # Without branches, for SIMD.
    up = f"(v {'>' if largest else '<'} old)" + (" | ((v != v) & (old == old))" if dtype.kind == "f" else "")
    body = f"""{nest.LOAD_WORDS}{nest.COLUMNS_WORDS}
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
        out = i8(ob + 8 * o)
        if leaves > 1:
            values = {p}(pb + 8 * leaves * outputs + (leaf * outputs + o) * {size}); places = i8(pb + 8 * (leaf * outputs + o))
            for j in range(width): values[j] = ma[j]; places[j] = ba[j]
            if {nest.LAST.format(counter="group")}:
                store64(sb + 8 * group, 0)
                values = {p}(pb + 8 * leaves * outputs + o * {size}); places = i8(pb + 8 * o)
                for j in range(width): ma[j] = values[j]; ba[j] = places[j]
                for i in range(1, leaves):
                    values = {p}(pb + 8 * leaves * outputs + (i * outputs + o) * {size}); places = i8(pb + 8 * (i * outputs + o))
                    for j in range(width):
                        v = values[j]; old = ma[j]
                        if {up}: ma[j] = v; ba[j] = places[j]
                for j in range(width): out[j] = ba[j]
        else:
            for j in range(width): out[j] = ba[j]
    kv[0] = kv[1]; km[0] = km[1]; kw[0] = kw[1]; kb[0] = kb[1]"""
    return build.kernel(name, body, nest.ATOMICS)


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
    return prepare(x, axis, largest)(x)


def prepare(x, axis, largest):
    """`argmax` or `argmin`, planned for ndarrays with the dtype, shape and strides of `x`: a function of such an array."""
    if x.dtype.kind == "c":
        raise TypeError(f"complex numbers have no order: {'argmax' if largest else 'argmin'} of {x.dtype}")
    return _prepare(x.dtype, x.shape, x.strides, axis, largest)


@lru_cache(maxsize=2048)
def _prepare(dtype, shape, strides, axis, largest):
    """What finds the positions in an ndarray of this dtype, shape and these strides: a function of it."""
    axes = tuple(range(len(shape))) if axis is None else (axis,)
    if 0 in shape:
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        if 0 in kept and all(shape[i] for i in axes):
            return lambda x: launch.filled(kept, _POSITION, 0)
        raise ValueError(f"{'argmax' if largest else 'argmin'} of no elements: shape {shape}, axis {axis}")
    repeated = tuple(i for i, s in enumerate(strides) if s == 0 and shape[i] != 1)
    if repeated and axis is not None:
        # Of a repeated element the first counts.
        return launch.repeating(shape, axes, repeated, lambda x: _arg(x, axis, largest))
    if repeated:
        single = tuple(1 if i in repeated else n for i, n in enumerate(shape))
        once = tuple(slice(0, 1) if i in repeated else slice(None) for i in range(len(shape)))

        def first(x):
            places = np.unravel_index(int(_arg(x[once], None, largest)), single)
            return np.asarray(np.ravel_multi_index(places, shape), _POSITION)

        return first
    loops = plan(shape, strides, axes, dtype.itemsize, True, PIECE)
    return launch.Launch(_kernel(dtype, largest, loops.layout, loops.unit), loops, shape, _POSITION, 8 + dtype.itemsize)
