"""searchsorted on CUDA devices, and membership: a binary search in a sorted table for each query."""

import numpy as np

from . import copying
from .blocks import INT64, blocks_for
from .kernel import Kernel
from .keys import WIDTHS, encoder, flip_of, is_float, word_of
from .tensor import like

_THREADS = 256
_BOOL = np.dtype(bool)


def search_table(target, width, floats, parts, result):
    """How many entries of the table come before each query, or (result bool) whether one equals it. parts: 2 of complex elements.

    right: entries equal to the query come before it too. beyond: what a query of 8 bytes means of which the first bit is set: 0, nothing;
    1, that it is below all integers; 2, that it is above them.
    """
    cuda, U, L, B = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT64), target.type(np.dtype(np.uint8))
    encode = encoder(target, width, floats)
    FULL, ZERO, ONE, TWO = U(256**width - 1), U(0), U(1), U(2)
    SIGN, PAIR, MEMBER = U(1 << 8 * width - 1), parts == 2, result == _BOOL

    def class_of(key, minor):
        c = ZERO
        if key == FULL:
            c = TWO
        if minor == FULL:
            c = U(c + ONE)
        return c

    class_of = target.device(class_of)

    def search_table(out, table, queries, size, n, flip, right, beyond):
        e = cuda.grid(1)
        while e < size:
            word = queries[parts * e]
            key = encode(word, flip)
            minor, kind = ZERO, ZERO
            if PAIR:
                minor = encode(queries[2 * e + 1], flip)
                kind = class_of(key, minor)
            low, high = 0, n
            if beyond > 0 and U(word & SIGN) != ZERO:
                low = n
                if beyond == 1:
                    low = 0
                high = low
            elif MEMBER and floats and (key == FULL or (PAIR and minor == FULL)):
                high = 0  # NaN is no member
            found = False
            while low < high:
                middle = (low + high) // 2
                k = encode(table[parts * middle], flip)
                before, same = k < key, k == key
                if PAIR:
                    m = encode(table[2 * middle + 1], flip)
                    c = class_of(k, m)
                    before = c < kind or (c == kind and (before or (same and m < minor)))
                    same = same and m == minor
                if MEMBER and same:
                    found = True
                if before or (right and same):
                    low = middle + 1
                else:
                    high = middle
            if MEMBER:
                out[e] = B(found)
            else:
                out[e] = L(low)
            e += cuda.gridsize(1)

    return search_table


def _kernel(width, floats, parts, result):
    u = f"u{width}"
    return Kernel(search_table, (width, floats, parts, result), f"*{'u1' if result == _BOOL else 'i8'} *{u} *{u} i8 i8 {u} i8 i8", _THREADS)


def _common(table, queries):
    """Both in one dtype, and the `beyond` of queries: integers of different signs are compared as they are, all else as NumPy promotes."""
    t, q = table.dtype, queries.dtype
    if t == q:
        return table, queries, 0
    d, beyond = np.result_type(t, q), 0
    if t.kind + q.kind in ("iu", "ui") and d.kind == "f":
        d, beyond = (np.dtype(np.uint64), 1) if t.kind == "u" else (INT64, 2)
    return (*(x if x.dtype == d else copying.cast(x, d) for x in (table, queries)), beyond)


def find(table, queries, result, right=False):
    """For each query its place in a sorted one-dimensional table (result int64), or whether it is in it (bool)."""
    table, queries, beyond = _common(table, queries)
    table, queries = copying.contiguous(table), copying.contiguous(queries)
    out = like(queries, dtype=result)
    if out.size:
        d = queries.dtype
        parts = 2 if d.kind == "c" else 1
        _kernel(word_of(d).itemsize, is_float(d), parts, result).launch(
            out.driver, blocks_for(out.size, _THREADS), _THREADS, out.address, table.address, queries.address,
            out.size, table.size, flip_of(d), int(right), beyond,
        )  # fmt: skip
    return out


def places(x1, x2, *, side):
    """Insertion points of x2 in the sorted x1."""
    return find(x1, x2, INT64, side == "right")


def every():
    """All kernels of this module."""
    for result in (INT64, _BOOL):
        for width in WIDTHS:
            yield _kernel(width, False, 1, result)
            if width >= 4:
                yield _kernel(width, True, 1, result)
                yield _kernel(width, True, 2, result)
