"""Parallel sort of one long row: buckets by a table from a sample, then NumPy's SIMD sort on each bucket.

A radix sort needs three passes over 32-bit keys; NumPy's vector quicksort (AVX-512, AVX2, NEON) alone is about as fast as
that on two cores. So one stable pass, parallel over fixed chunks, moves every element into one of up to 256 buckets whose
borders come from a sample, and the buckets, each of which fits a core's cache, are sorted by NumPy on all threads.

Elements are compared through *keys*: unsigned bit patterns in the order of the values (`key_words`).
"""

import numpy as np

from .. import build
from . import pool
from .driver import address, run
from .numpy_sort import sort_spans

_U = {4: np.uint32, 8: np.uint64}
CELLS = 1 << 14
_SAMPLE = 2048
_BLOCK = 512

# k = key of the bit pattern k; NaN is the largest key whatever its sign. Neutral words make it the identity.
KEY = """
from numba import njit
@njit(forceinline=True)
def key32(k, low, top, nan, zero):
    k = np.uint32(np.uint32(0) if k == np.uint32(zero) else k)
    flip = np.uint32(np.uint32(np.uint32(np.int32(k) >> np.int32(31)) & np.uint32(low)) | np.uint32(top))
    return np.uint32(0xFFFFFFFF) if np.uint32(k & np.uint32(0x7FFFFFFF)) > np.uint32(nan) else np.uint32(k ^ flip)
@njit(forceinline=True)
def key64(k, low, top, nan, zero):
    k = np.uint64(0) if k == np.uint64(zero) else k
    flip = (np.uint64(np.int64(k) >> np.int64(63)) & np.uint64(low)) | np.uint64(top)
    return np.uint64(0xFFFFFFFFFFFFFFFF) if (k & np.uint64(0x7FFFFFFFFFFFFFFF)) > np.uint64(nan) else k ^ flip
"""


def key_words(dtype, fold_zero=False):
    """The four words (low, top, nan, zero) that make `key32`/`key64` order the bit patterns of `dtype` (4 or 8 bytes wide).

    `fold_zero`: -0.0 gets the key of +0.0.
    """
    bits = dtype.itemsize * 8
    top = 1 << (bits - 1)
    if dtype.kind == "u":
        return 0, 0, 2 * top - 1, 0
    if dtype.kind == "i":
        return 0, top, 2 * top - 1, 0
    nan = 0x7F800000 if bits == 32 else 0x7FF0000000000000
    return top - 1, top, nan, top if fold_zero else 0


def signed(word):
    """A 64-bit word as the signed integer that an argument table holds."""
    return word - (1 << 64) if word >= 1 << 63 else word


def table(*words):
    """Argument table: an int64 array of words (unsigned ones are wrapped)."""
    return np.array([signed(int(w)) for w in words], np.int64)


def chunks(n, least=32768, most=64):
    """(chunk length, count): fixed by n alone, so results and work do not depend on the number of threads."""
    size = max(least, -(-n // most))
    return size, -(-n // size)


def _count_kernel(width):
    return build.kernel(
        f"bucket_count{width}",
        f"""    w = ld64(args)
    w_x = ld64(w); w_ids = ld64(w + 8); counts = ld64(w + 16); cell = u1(ld64(w + 24))
    n = ld64(w + 32); size = ld64(w + 40); least = np.uint{width * 8}(ld64(w + 48)); shift = np.uint{width * 8}(ld64(w + 56))
    buckets = ld64(w + 64); low = ld64(w + 72); top = ld64(w + 80); nan = ld64(w + 88); zero = ld64(w + 96)
    # Cells first, in vector registers; a table and its counts are one element after the other.
    cells = u2(stack({2 * _BLOCK}))
    for c in range(lo, hi):
        count = i8(counts + 8 * c * buckets)
        stop = min(n, (c + 1) * size)
        i = c * size
        while i < stop:
            m = min(stop - i, {_BLOCK})
            part = u{width}(w_x + i * {width}); its = u1(w_ids + i)
            for j in range(m):
                k = key{width * 8}(part[j], low, top, nan, zero)
                d = np.uint{width * 8}((k - least) if k > least else 0) >> shift
                cells[j] = np.uint16(min(np.uint{width * 8}(d), np.uint{width * 8}({CELLS - 1})))
            for j in range(m):
                b = cell[cells[j]]
                its[j] = b
                count[b] += 1
            i += m""",
        KEY,
    )


def _scatter_kernel(width):
    return build.kernel(
        f"bucket_scatter{width}",
        f"""    x = u{width}(ld64(args)); out = u{width}(ld64(args + 8))
    ids = u1(ld64(args + 16)); starts = ld64(args + 24); n = ld64(args + 32); size = ld64(args + 40); buckets = ld64(args + 48)
    for c in range(lo, hi):
        start = i8(starts + 8 * c * buckets)
        for i in range(c * size, min(n, (c + 1) * size)):
            b = ids[i]
            p = start[b]
            start[b] = p + 1
            out[p] = x[i]""",
    )


def _np_keys(bits, low, top, nan, zero):
    """`key32`/`key64` on a small array."""
    u = bits.dtype.type
    width = bits.dtype.itemsize * 8
    bits = np.where(bits == u(zero), u(0), bits)
    negative = (bits >> u(width - 1)).astype(bool)
    keys = bits ^ (np.where(negative, u(low), u(0)) | u(top))
    return np.where((bits & u((1 << (width - 1)) - 1)) > u(nan), u((1 << width) - 1), keys)


def sample_positions(n, size=_SAMPLE):
    """Scattered positions that depend on n alone (a lattice would meet periodic data)."""
    hashed = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (
        ((hashed >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.int64)
        if n < 1 << 32
        else (hashed % np.uint64(n)).astype(np.int64)
    )


def split(x):
    """Assign every element of a contiguous 1-D array (4- or 8-byte real dtype) to a bucket: (ids, counts).

    ids (n,) uint8, not decreasing in the elements' values; counts (chunks, buckets) int64 for each chunk of `chunks(n)`.
    """
    n = x.size
    width = x.itemsize
    unsigned = _U[width]
    words = key_words(x.dtype)
    buckets = int(min(256, max(8, n >> 13)))
    keys = np.sort(_np_keys(x[sample_positions(n)].view(unsigned), *words))
    # Outliers would stretch the cells: the table spans the middle 98 % and clamps the rest.
    least, most = int(keys[_SAMPLE // 100]), int(keys[-_SAMPLE // 100])
    shift = max(0, (most - least).bit_length() - (CELLS.bit_length() - 1))
    borders = np.maximum(keys[np.arange(1, buckets) * _SAMPLE // buckets], unsigned(least))
    borders = np.minimum((borders - unsigned(least)) >> unsigned(shift), unsigned(CELLS - 1))
    cell = np.zeros(CELLS, np.uint8)
    first = np.bincount(borders.astype(np.int64) + 1, minlength=CELLS + 1)[:CELLS]
    np.cumsum(first, out=cell, dtype=np.uint8)
    size, count = chunks(n)
    ids = pool.empty((n,), np.uint8)
    counts = np.zeros((count, buckets), np.int64)
    args = table(address(x), address(ids), address(counts), address(cell), n, size, least, shift, buckets, *words)
    run(_count_kernel(width), count, 1, address(args))
    return ids, counts


def bucket_sort(x):
    """Sorted copy of a contiguous 1-D array of a 4- or 8-byte real dtype, in ascending order, NaN last.

    Not stable where equal values differ in their bits (zeros, NaN). Scratch: 1 byte an element and at most 256 KiB of counts.
    """
    n = x.size
    ids, counts = split(x)
    count, buckets = counts.shape
    ends = np.cumsum(counts.T).reshape(buckets, count)
    starts = np.ascontiguousarray((ends - counts.T).T)
    out = pool.empty((n,), x.dtype)
    run(_scatter_kernel(x.itemsize), count, 1, address(x), address(out), address(ids), address(starts), n, chunks(n)[0], buckets)
    bounds = np.zeros((buckets, 2), np.int64)
    bounds[:, 1] = ends[:, -1]
    bounds[1:, 0] = bounds[:-1, 1]
    sort_spans(out, bounds)
    return out
