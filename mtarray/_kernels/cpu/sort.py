"""sort and argsort along any axis, for every real dtype.

Many rows: NumPy's SIMD sorts on all rows in parallel. One long row: buckets (`buckets.py`). A stable argsort packs the top bits
of the key and the index into one word, all different, so an unstable sort of the words sorts the elements stably; where the word
was too short for the whole key, ties are mended by insertion. Order: NaN after every number, -0.0 equal to +0.0, as NumPy.
`descending` is the reverse order (NaN first); stable sorts keep equal elements in their order then too.
"""

import numpy as np

from .. import build
from . import pool
from .buckets import KEY, bucket_sort, chunks, key_words, table
from .driver import address, run
from .numpy_sort import QUICK, STABLE, sort_function, sort_rows

_BUCKETS = 250_000  # words of one row from which buckets are faster than NumPy alone
_LONG = 1 << 18  # a row of this length is sorted by all threads together


def _rows(x, axis):
    """(rows, n) copy of x with the sorted axis last, contiguous and ours to write, and the function that undoes the move."""
    moved = np.moveaxis(x, axis, -1)
    out = pool.empty(moved.shape, x.dtype)
    np.copyto(out, moved)
    return out.reshape(-1, x.shape[axis]), moved.shape


def _restore(rows, shape, axis):
    """Result of the operand's shape, C-contiguous, from rows with the sorted axis last."""
    out = np.moveaxis(rows.reshape(shape), -1, axis)
    if not out.flags.c_contiguous:
        copy = pool.empty(out.shape, out.dtype)
        np.copyto(copy, out)
        return copy
    return out


def _reverse_rows(rows):
    """rows[:, ::-1] as a contiguous array."""
    out = pool.empty(rows.shape, rows.dtype)
    if rows.shape[0] == 1:
        width = rows.itemsize
        code = f"""    x = u{width}(ld64(args)); o = u{width}(ld64(args + 8)); n = ld64(args + 16)
    for i in range(lo, hi):
        o[i] = x[n - 1 - i]"""
        run(build.kernel(f"reverse{width}", code), rows.size, 1 << 16, address(rows), address(out), rows.size)
    else:
        np.copyto(out, rows[:, ::-1])
    return out


def _numpy_argsort(x, axis, descending):
    if not descending:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int64, copy=False)
    order = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis).astype(np.int64, copy=False)
    return x.shape[axis] - 1 - order


def _counting_sort(x):
    """Sorted copy of a contiguous 1-D array of a 1- or 2-byte dtype. Scratch: at most 2 MiB of counts."""
    width = x.itemsize
    values = 1 << (8 * width)
    n = x.size
    size, count = chunks(n, 1 << 15, 8 if width == 2 else 64)
    flip = values >> 1 if x.dtype.kind == "i" else 0
    counts = np.zeros((count, values), np.int32 if n < 1 << 31 else np.int64)
    kind = f"i{counts.itemsize}"
    code = f"""    x = u{width}(ld64(args)); counts = ld64(args + 8); n = ld64(args + 16); size = ld64(args + 24)
    flip = np.uint{8 * width}(ld64(args + 32))
    for c in range(lo, hi):
        count = {kind}(counts + c * {values * counts.itemsize})
        for i in range(c * size, min(n, (c + 1) * size)):
            count[np.uint{8 * width}(x[i] ^ flip)] += 1"""
    run(build.kernel(f"count_values{width}_{kind}", code), count, 1, address(x), address(counts), n, size, flip)
    ends = np.cumsum(counts.sum(axis=0, dtype=np.int64))
    out = pool.empty((n,), x.dtype)
    code = f"""    o = u{width}(ld64(args)); ends = i8(ld64(args + 8)); flip = ld64(args + 16)
    for v in range(lo, hi):
        value = np.uint{8 * width}(v ^ flip)
        for i in range(ends[v - 1] if v > 0 else 0, ends[v]):
            o[i] = value"""
    run(build.kernel(f"fill_values{width}", code), values, values // 64, address(out), address(ends), flip)
    return out


def _has_negative_zero(x):
    """Whether a float array holds a negative zero (where it holds none, equal numbers have equal bits)."""
    bits = x.view(np.int32 if x.itemsize == 4 else np.int64)
    return bool((bits == np.iinfo(bits.dtype).min).any())


def _sort_zeros(rows):
    """(start, stop) of the zeros of a sorted row, where zeros of both signs must be put in their order; else None."""
    row = rows[0]
    zero = row.dtype.type(0)  # a Python number would have the whole row converted
    a, b = row.searchsorted(zero, "left"), row.searchsorted(zero, "right")
    signs = np.signbit(row[a:b])
    return (int(a), int(b)) if signs.any() and not signs.all() else None


def sort(x, axis=-1, descending=False, stable=True):
    """Sorted copy of x along `axis`: same shape and dtype, C-contiguous.

    Real dtypes, at least one dimension. Stability shows only in the signs of zeros; the bits of NaNs are not kept.
    Scratch: one copy where `axis` is not the last or `descending`; 1 byte an element for one long row.
    """
    n = x.shape[axis]
    single = x.size == n
    if x.size < 2 or n < 2:
        return x.copy()
    if stable and not single and x.dtype.kind == "f" and _has_negative_zero(np.ascontiguousarray(x)):
        return np.take_along_axis(x, argsort(x, axis, descending), axis)
    if single:
        flat = np.ascontiguousarray(x.reshape(n))
        bits = flat.view(np.uint8) if x.dtype.kind == "b" else flat
        rows = (_counting_sort(bits) if x.itemsize <= 2 else bucket_sort(bits)).view(x.dtype).reshape(1, n)
        if stable and x.dtype.kind == "f":
            zeros = _sort_zeros(rows)
            if zeros:
                of_x = flat[flat == 0]
                rows[0, zeros[0] : zeros[1]] = of_x[::-1] if descending else of_x
        return (_reverse_rows(rows) if descending else rows).reshape(x.shape)
    rows, shape = _rows(x, axis)
    if n >= _LONG and x.itemsize >= 4:
        for i in range(len(rows)):
            rows[i] = bucket_sort(rows[i])
    else:
        # NumPy has no SIMD sort for bytes: its radix sort (kind "stable") is 25 times as fast as its quicksort.
        sort_rows(rows.view(np.uint8) if x.dtype.kind == "b" else rows, STABLE if x.itemsize == 1 else QUICK)
    return _restore(_reverse_rows(rows) if descending else rows, shape, axis)


# Words of `width` bytes: (key - least, or most - key) without its `drop` lowest bits, then the index of `bits` bits.
_WORD = """
@njit(forceinline=True)
def word32(k, least, down, drop):
    d = np.uint32(np.uint32(least) - k) if down else np.uint32(k - np.uint32(least))
    return np.uint64(np.uint64(d) >> np.uint64(drop))
@njit(forceinline=True)
def word64(k, least, down, drop):
    d = np.uint64(np.uint64(least) - k) if down else np.uint64(k - np.uint64(least))
    return np.uint64(d >> np.uint64(drop))
"""

_UNPACK = """    w = ld64(args)
    x = ld64(w); out = ld64(w + 8); n = ld64(w + 16); least = ld64(w + 24); down = ld64(w + 32); drop = ld64(w + 40)
    bits = np.uint64(ld64(w + 48)); low = ld64(w + 56); top = ld64(w + 64); nan = ld64(w + 72); zero = ld64(w + 80)
    fn = ld64(w + 88); failed = i8(ld64(w + 96)); words = ld64(w + 104); size = ld64(w + 112)
    mask = (np.uint64(1) << bits) - np.uint64(1)
"""


def _extremes_kernel(width):
    return build.kernel(
        f"key_extremes{width}",
        f"""    w = ld64(args)
    x = u{width}(ld64(w)); found = u8(ld64(w + 8)); n = ld64(w + 16); size = ld64(w + 24)
    low = ld64(w + 32); top = ld64(w + 40); nan = ld64(w + 48); zero = ld64(w + 56)
    for c in range(lo, hi):
        first = np.uint{8 * width}({(1 << 8 * width) - 1})
        last = np.uint{8 * width}(0)
        for i in range(c * size, min(n, (c + 1) * size)):
            k = key{8 * width}(x[i], low, top, nan, zero)
            first = min(first, k)
            last = max(last, k)
        found[2 * c] = first
        found[2 * c + 1] = last""",
        KEY,
    )


def _extreme_keys(x, words):
    """Least and greatest key of a contiguous array of 4- or 8-byte elements."""
    size, count = chunks(x.size)
    found = np.empty((count, 2), np.uint64)
    args = table(address(x), address(found), x.size, size, *words)
    run(_extremes_kernel(x.itemsize), count, 1, address(args))
    return int(found[:, 0].min()), int(found[:, 1].max())


def _pack_kernel(width, word):
    return build.kernel(
        f"argsort_pack{width}_{word}",
        _UNPACK
        + f"""    src = u{width}(x); dst = u{word}(words)
    for i in range(lo, hi):
        k = key{8 * width}(src[i], low, top, nan, zero)
        dst[i] = np.uint{8 * word}((word{8 * width}(k, least, down, drop) << bits) | np.uint64(i))""",
        KEY + _WORD,
    )


# Insertion sort, by the whole key, of the words from `first` to `last` of the array p, which agree in the bits of the key that they hold.
_MEND = """
@njit(forceinline=True)
def mend{width}(p, src, first, last, budget, mask, down, low, top, nan, zero):
    for j in range(first + 1, last):
        word = p[j]
        k = key{bits}(src[word & mask], low, top, nan, zero)
        q = j - 1
        while q >= first:
            other = key{bits}(src[p[q] & mask], low, top, nan, zero)
            if not (other < k if down else other > k):
                break
            p[q + 1] = p[q]
            q -= 1
            budget -= 1
        p[q + 1] = word
        if budget < 0:
            break
    return budget
"""


def _finish_kernel(width, word, mend):
    """Sorted words to indices over fixed chunks; a run of ties belongs to the chunk in which it starts."""
    mending = (
        f"""        if start > 0:
            while start < stop and (p[start] >> bits) == (p[start - 1] >> bits):
                start += 1
        while stop > start and stop < n and (p[stop] >> bits) == (p[stop - 1] >> bits):
            stop += 1
        i = start + 1
        while i < stop:
            if (p[i] >> bits) == (p[i - 1] >> bits):
                first = i - 1
                while i < stop and (p[i] >> bits) == (p[first] >> bits):
                    i += 1
                budget = mend{width}(p, src, first, i, budget, mask, down, low, top, nan, zero)
                if budget < 0:
                    failed[0] = 1
                    break
            i += 1"""
        if mend
        else ""
    )
    return build.kernel(
        f"argsort_finish{width}_{word}_{int(mend)}",
        _UNPACK
        + f"""    src = u{width}(x); p = u{word}(words); o = i8(out)
    for c in range(lo, hi):
        start = c * size
        stop = min(n, start + size)
        budget = 64 * size
{mending}
        for i in range(start, stop):
            o[i] = np.int64(np.uint64(p[i]) & mask)""",
        KEY + _MEND.format(width=width, bits=8 * width),
    )


def _argsort_rows_kernel(width, word, mend):
    """Rows of n elements: words built, sorted, mended and unpacked within the row of the output."""
    mending = (
        f"""        i = 1
        while i < n:
            if (p[i] >> bits) == (p[i - 1] >> bits):
                first = i - 1
                while i < n and (p[i] >> bits) == (p[first] >> bits):
                    i += 1
                budget = mend{width}(p, src, first, i, budget, mask, down, low, top, nan, zero)
                if budget < 0:
                    failed[0] = 1
                    break
            i += 1"""
        if mend
        else ""
    )
    return build.kernel(
        f"argsort_rows{width}_{word}_{int(mend)}",
        _UNPACK
        + f"""    for r in range(lo, hi):
        src = u{width}(x + r * n * {width}); p = u{word}(out + r * n * 8); o = i8(out + r * n * 8)
        budget = 64 * n
        for i in range(n):
            k = key{8 * width}(src[i], low, top, nan, zero)
            p[i] = np.uint{8 * word}((word{8 * width}(k, least, down, drop) << bits) | np.uint64(i))
        icall(fn, out + r * n * 8, n, 0)
{mending}
        # Backwards: 4-byte words stand in the lower half of the row that the indices fill.
        for j in range(n):
            i = n - 1 - j
            o[i] = np.int64(np.uint64(p[i]) & mask)""",
        KEY + _WORD + _MEND.format(width=width, bits=8 * width),
    )


def _argsort_rows(rows, descending):
    """int64 indices (rows, n) that sort each row of a contiguous 2-D array of 4- or 8-byte elements stably.

    None where NumPy must do it: words too short for very many keys that differ in their last bits only, 2^31 elements or more in a
    row, or rows without NumPy's C sort.
    """
    count, n = rows.shape
    width = rows.itemsize
    words = key_words(rows.dtype, fold_zero=True)
    least, most = _extreme_keys(rows, words)
    key_bits, bits = (most - least).bit_length(), max(1, (n - 1).bit_length())
    word = 4 if key_bits + bits <= 32 else 8
    drop = max(0, key_bits + bits - 64)
    if bits > 31:
        return None
    out = pool.empty((count, n), np.int64)
    failed = np.zeros(1, np.int64)
    size, parts = chunks(n)
    base = most if descending else least
    fn = sort_function(np.dtype(f"u{word}"))
    together = count == 1 or n >= _LONG
    if not (together or fn):
        return None
    args = table(address(rows), address(out), n, base, descending, drop, bits, *words, fn, address(failed), 0, size)
    if not together:
        run(_argsort_rows_kernel(width, word, drop > 0), count, max(1, 4096 // n), address(args))
        return None if failed[0] else out
    packed = pool.empty((n,), f"u{word}")
    for r in range(count):
        args[0] = address(rows) + r * n * width
        args[1] = address(out) + r * n * 8
        args[13] = address(packed)
        run(_pack_kernel(width, word), n, 1 << 15, address(args))
        if n < _BUCKETS:
            ordered = packed
            ordered.sort()
        else:
            ordered = bucket_sort(packed)
        args[13] = address(ordered)
        run(_finish_kernel(width, word, drop > 0), parts, 1, address(args))
    return None if failed[0] else out


def argsort(x, axis=-1, descending=False, stable=True):
    """int64 indices that sort x, of a real dtype and at least one dimension, along `axis`; always stable: `stable` is not looked at.

    Scratch: a copy of x where `axis` is not the last, x is not contiguous or its elements have 1 or 2 bytes; 17 bytes an element of
    one long row.
    """
    n = x.shape[axis]
    if x.size < 2 or n < 2:
        return np.zeros(x.shape, np.int64)
    moved = np.moveaxis(x, axis, -1)
    if x.itemsize <= 2 and x.size == n:
        return _numpy_argsort(x, axis, descending)  # its radix sort takes 2 to 4 ns an element
    if x.itemsize <= 2:
        moved = moved.astype(np.int32 if x.dtype.kind == "i" else np.uint32)
    rows = np.ascontiguousarray(moved).reshape(-1, n)
    out = _argsort_rows(rows, descending)
    if out is None:
        return _numpy_argsort(x, axis, descending)
    return _restore(out, moved.shape, axis)
