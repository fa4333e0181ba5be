"""unique_* of real dtypes, of arrays that are not empty, and isin.

Integers whose range is about the size of the array: tables indexed by value. Everything else: the values sorted (or, where
positions are wanted, a stable argsort) and split into runs of equal elements. Values come in ascending order; each NaN is a
value of its own, as the standard says, and -0.0 equals 0.0 (the one that occurs first is given).
"""

import numpy as np

from .. import build
from . import pool
from .buckets import chunks, table
from .driver import address, run
from .gather import take
from .histogram import count_table, gather_table, integer_range, pointer, table_chunks
from .search import searchsorted
from .select import mask_select, nonzero
from .sort import argsort, sort


def _small_range(flat, factor):
    """(least, entries) of integers (bools) that span at most `factor` times their number, or None."""
    if flat.dtype.kind not in "biu":
        return None
    least, greatest = integer_range(flat)
    entries = greatest - least + 1
    return (least, entries) if entries <= max(256, int(factor * flat.size)) else None


def _flat(x):
    return np.ascontiguousarray(x).reshape(-1)


def _present(flat, least, entries):
    """flags[v - least] = 1 for every value v: chunks that store the same byte do not disturb each other."""
    flags = np.zeros(entries, np.uint8)
    kind = pointer(flat.dtype)
    wide = "np.uint64(np.int64(x[i]))" if flat.dtype.kind == "i" else "np.uint64(x[i])"
    code = f"""    x = {kind}(ld64(args)); flags = u1(ld64(args + 8)); least = np.uint64(ld64(args + 16))
    for i in range(lo, hi):
        flags[{wide} - least] = 1"""
    run(build.kernel(f"present_{kind}", code), flat.size, 1 << 15, address(flat), address(flags), *table(least).tolist())
    return flags


def _table_values(flags, least, dtype):
    """The values whose flag (bool) is set, as `dtype`."""
    places = nonzero(flags)[0]
    if dtype.kind == "b":
        return places.astype(bool)
    # Modulo 2^64, and then modulo the dtype's range: exact, since every value is in it.
    return (places.view(np.uint64) + np.uint64(least % (1 << 64))).astype(dtype)


def _run_starts(ordered, perm=None):
    """Bool array: where a run of equal elements starts in ordered (or in ordered[perm])."""
    starts = pool.empty((perm if perm is not None else ordered).shape, np.bool_)
    kind = pointer(ordered.dtype)
    value = "x[perm[{}]]" if perm is not None else "x[{}]"
    code = f"""    x = {kind}(ld64(args)); perm = i8(ld64(args + 8)); starts = u1(ld64(args + 16))
    for i in range(max(lo, 1), hi):
        starts[i] = {value.format("i")} != {value.format("i - 1")}
    if lo == 0:
        starts[0] = 1"""
    name = f"run_starts_{kind}_{int(perm is not None)}"
    run(build.kernel(name, code), starts.size, 1 << 15, address(ordered), address(perm) if perm is not None else 0, address(starts))
    return starts


def _lengths(starts, n):
    return np.diff(starts, append=n)


def unique_values(x):
    """The distinct elements of x, ascending: 1-D of x's dtype.

    Scratch: a byte for each of at most 4 n values of a small range; otherwise a sorted copy and one byte an element.
    """
    flat = _flat(x)
    small = _small_range(flat, 4)
    if small:
        return _table_values(_present(flat, *small).view(bool), small[0], x.dtype)
    ordered = sort(flat)
    return mask_select(ordered, _run_starts(ordered))


def unique_counts(x):
    """(values, counts): the distinct elements, ascending, and how often each occurs (int64)."""
    flat = _flat(x)
    small = _small_range(flat, 0.5)
    if small:
        counts = count_table(flat, *small)
        kept = counts != 0
        return _table_values(kept, small[0], x.dtype), counts[kept]
    ordered = sort(flat)
    starts = _run_starts(ordered)
    return mask_select(ordered, starts), _lengths(nonzero(starts)[0], flat.size)


def _inverse_of_runs(perm, starts):
    """inverse[perm[i]] = number of the run that position i is in."""
    n = perm.size
    size, count = chunks(n)
    before = np.zeros(count, np.int64)
    for c in range(1, count):
        before[c] = before[c - 1] + np.count_nonzero(starts[(c - 1) * size : c * size])
    inverse = pool.empty((n,), np.int64)
    code = """    perm = i8(ld64(args)); starts = u1(ld64(args + 8)); before = i8(ld64(args + 16)); inverse = i8(ld64(args + 24))
    n = ld64(args + 32); size = ld64(args + 40)
    for c in range(lo, hi):
        k = before[c] - 1
        for i in range(c * size, min(n, (c + 1) * size)):
            k += starts[i]
            inverse[perm[i]] = k"""
    run(build.kernel("inverse_of_runs", code), count, 1, address(perm), address(starts), address(before), address(inverse), n, size)
    return inverse


def _first_positions(flat, least, entries):
    """first[v - least]: the first position of each value (n where it does not occur). Each chunk walks backwards and overwrites."""
    n = flat.size
    size, count = table_chunks(n, entries)
    first = np.full((count, entries), n, np.int64)
    kind = pointer(flat.dtype)
    wide = "np.uint64(np.int64(x[i]))" if flat.dtype.kind == "i" else "np.uint64(x[i])"
    code = f"""    x = {kind}(ld64(args)); first = ld64(args + 8); n = ld64(args + 16); size = ld64(args + 24)
    least = np.uint64(ld64(args + 32)); entries = ld64(args + 40)
    for c in range(lo, hi):
        place = i8(first + 8 * c * entries)
        start = c * size
        stop = min(n, start + size)
        for j in range(stop - start):
            i = stop - 1 - j
            place[{wide} - least] = i"""
    run(build.kernel(f"first_positions_{kind}", code), count, 1, address(flat), address(first), n, size, *table(least).tolist(), entries)
    return first.min(axis=0) if count > 1 else first[0]


def unique_all(x):
    """(values, indices, inverse, counts): distinct elements, ascending, the first flat index of each (int64), x's shape of numbers into
    `values` (int64), and counts (int64).

    Scratch: 16 bytes for each of at most n values of a small range; otherwise a stable argsort (25 bytes an element).
    """
    flat = _flat(x)
    small = _small_range(flat, 0.5)
    if small:
        counts = count_table(flat, *small)
        kept = counts != 0
        first = _first_positions(flat, *small)
        return _table_values(kept, small[0], x.dtype), first[kept], _table_inverse(flat, small, kept).reshape(x.shape), counts[kept]
    perm = argsort(flat)
    starts = _run_starts(flat, perm)
    places = nonzero(starts)[0]
    index = take(perm, places)
    return take(flat, index), index, _inverse_of_runs(perm, starts).reshape(x.shape), _lengths(places, flat.size)


def _table_inverse(flat, small, kept):
    rank = np.cumsum(kept, dtype=np.int64) - 1
    inverse = pool.empty(flat.shape, np.int64)
    gather_table(flat, *small, rank, inverse)
    return inverse


def unique_inverse(x):
    """(values, inverse): the distinct elements, ascending, and for each element of x the number of its value (int64, x's shape)."""
    flat = _flat(x)
    small = _small_range(flat, 4)
    if small:
        kept = _present(flat, *small).view(bool)
        return _table_values(kept, small[0], x.dtype), _table_inverse(flat, small, kept).reshape(x.shape)
    perm = argsort(flat)
    starts = _run_starts(flat, perm)
    values = take(flat, mask_select(perm, starts))
    return values, _inverse_of_runs(perm, starts).reshape(x.shape)


def isin(x1, x2):
    """Bool array of x1's shape: whether each element equals one of x2, which has elements; both of one dtype, integer or real.

    NaN equals nothing. Scratch: a byte for each value of a small range; otherwise x2 sorted and 8 bytes for each element of x1.
    """
    flat = _flat(x1)
    if x1.dtype.kind != "f":
        least, greatest = integer_range(x2)
        entries = greatest - least + 1
        if entries <= max(256, 8 * (x1.size + x2.size)):
            out = pool.empty(x1.shape, np.bool_)
            gather_table(flat, least, entries, _present(_flat(x2), least, entries), out)
            return out
    values = sort(_flat(x2))
    place = searchsorted(values, flat)
    np.minimum(place, values.size - 1, out=place)
    return (take(values, place) == flat).reshape(x1.shape)
