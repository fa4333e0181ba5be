"""Counting: bincount, histograms, and the tables of small-range integers that the set functions use.

Every fixed chunk counts into a table of its own and the tables are added up, so counts are exact for any number of threads.
"""

import numpy as np

from .. import build
from .buckets import table
from .driver import address, run
from .search import searchsorted

COUNT_CROSSOVER = 30_000  # elements


def pointer(dtype):
    """Name of the kernel pointer that reads a real dtype (bools as bytes)."""
    return "u1" if dtype.kind == "b" else f"{dtype.kind}{dtype.itemsize}"


def table_chunks(n, entries):
    """(chunk length, count) for chunks with a table each: all tables together have at most max(n, entries) entries."""
    count = max(1, min(16, n // max(entries, 1 << 15)))
    size = -(-n // count)
    return size, -(-n // size)


def count_table(x, least, entries):
    """counts[v - least] of a contiguous integer or bool array whose values all lie in [least, least + entries): int64.

    Scratch: 8 bytes for each of at most max(n, entries) entries.
    """
    n = x.size
    size, count = table_chunks(n, entries)
    counts = np.zeros((count, entries), np.int64)
    kind = pointer(x.dtype)
    wide = "np.uint64(np.int64(x[i]))" if x.dtype.kind == "i" else "np.uint64(x[i])"
    code = f"""    x = {kind}(ld64(args)); counts = ld64(args + 8); n = ld64(args + 16); size = ld64(args + 24)
    least = np.uint64(ld64(args + 32)); entries = ld64(args + 40)
    for c in range(lo, hi):
        count = i8(counts + 8 * c * entries)
        for i in range(c * size, min(n, (c + 1) * size)):
            count[{wide} - least] += 1"""
    run(build.kernel(f"count_table_{kind}", code), count, 1, address(x), address(counts), n, size, *table(least).tolist(), entries)
    return counts.sum(axis=0) if count > 1 else counts[0]


def integer_range(x):
    """(least, greatest) of a non-empty integer or bool array, as ints; for one byte the range of the dtype (no pass over x)."""
    if x.dtype.kind == "b":
        return 0, 1
    if x.itemsize == 1:
        return int(np.iinfo(x.dtype).min), int(np.iinfo(x.dtype).max)
    return int(x.min()), int(x.max())


def bincount(x, weights=None, minlength=0):
    """np.bincount of 1-D non-negative integers; weighted sums (float64) are taken in the order of x, by NumPy."""
    if weights is not None or x.size < COUNT_CROSSOVER or x.ndim != 1 or x.dtype.kind not in "iu":
        return np.bincount(x, weights, minlength)
    flat = np.ascontiguousarray(x)
    least, greatest = int(flat.min()), int(flat.max())
    if least < 0 or greatest >= 4 * x.size or minlength < 0:
        return np.bincount(flat, None, minlength)
    counts = count_table(flat, 0, greatest + 1)
    if minlength <= greatest:
        return counts
    out = np.zeros(minlength, np.int64)
    out[: counts.size] = counts
    return out


def histogram(x, edges, uniform=True):
    """Counts (int64, len(edges) - 1) of the elements of real x in [edges[i], edges[i+1]), the last bin closed; others and NaN left out.

    `edges`: 1-D, increasing. `uniform`: they are (nearly) evenly spaced, so that a bin is computed and set right by comparison with
    the edges; otherwise it is searched. Values are compared as float64. Scratch: a table of counts for each of at most 16 chunks;
    where not uniform, 8 bytes an element.
    """
    bins = len(edges) - 1
    edges = np.ascontiguousarray(edges, np.float64)
    flat = np.ascontiguousarray(x).reshape(-1)
    n = flat.size
    first, last = edges[0], edges[-1]
    if not uniform or n == 0 or not (np.isfinite(last - first) and last > first):
        inside = flat[(flat >= first) & (flat <= last)]
        place = searchsorted(edges, inside.astype(np.float64, copy=False), "right") - 1
        return np.bincount(np.minimum(place, bins - 1), minlength=bins)
    size, count = table_chunks(n, bins)
    counts = np.zeros((count, bins), np.int64)
    kind = pointer(flat.dtype)
    code = f"""    w = ld64(args)
    x = {kind}(ld64(w)); counts = ld64(w + 8); n = ld64(w + 16); size = ld64(w + 24); edges = f8(ld64(w + 32)); bins = ld64(w + 40)
    first = edges[0]
    last = edges[bins]
    scale = f8(ld64(w + 48))[0]
    for c in range(lo, hi):
        count = i8(counts + 8 * c * bins)
        for i in range(c * size, min(n, (c + 1) * size)):
            v = np.float64(x[i])
            if v >= first and v <= last:
                b = min(np.int64((v - first) * scale), bins - 1)
                while v < edges[b]:
                    b -= 1
                while b < bins - 1 and v >= edges[b + 1]:
                    b += 1
                count[b] += 1"""
    scale = np.array([bins / (last - first)])
    args = table(address(flat), address(counts), n, size, address(edges), bins, address(scale))
    run(build.kernel(f"histogram_{kind}", code), count, 1, address(args))
    return counts.sum(axis=0)


def gather_table(x, least, entries, values, out):
    """out[i] = values[x[i] - least] where that index is below `entries`, else 0: contiguous integer x; values and out of one width."""
    kind = pointer(x.dtype)
    item = f"u{out.itemsize}"
    wide = "np.uint64(np.int64(x[i]))" if x.dtype.kind == "i" else "np.uint64(x[i])"
    code = f"""    x = {kind}(ld64(args)); values = {item}(ld64(args + 8)); out = {item}(ld64(args + 16))
    least = np.uint64(ld64(args + 24)); entries = np.uint64(ld64(args + 32))
    for i in range(lo, hi):
        d = {wide} - least
        out[i] = values[d] if d < entries else 0"""
    words = (address(x), address(values), address(out), *table(least).tolist(), entries)
    run(build.kernel(f"gather_table_{kind}_{item}", code), x.size, 1 << 15, *words)
