"""Sort of short rows: as many as a block's shared memory holds, side by side, by a bitonic network on (key, place in the row)."""

import numpy as np

from .blocks import INT32, INT64
from .kernel import Kernel
from .keys import WIDTHS, encoder

TILE = 1024  # elements of a block, and of the longest row
THREADS = TILE // 2


def sort_tile(target, width, floats, parts):
    """Words in order and the order itself. parts: 2 of complex elements, ordered by (which parts are NaN, real part, imaginary part)."""
    cuda, U, I = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT32)
    L = target.type(INT64)
    encode = encoder(target, width, floats)
    FULL = U(256**width - 1)
    PAIR = parts == 2
    MINORS = TILE if PAIR else 1

    def before(keys, minors, ranks, i, j):
        """Whether element i comes before j: places differ, so one of two does. Of one part, the rank is the place; of two, it holds the
        class (which of the parts is NaN) above it."""
        if PAIR:
            c, d = ranks[i] // TILE, ranks[j] // TILE
            if c != d:
                return c < d
        if keys[i] != keys[j]:
            return keys[i] < keys[j]
        if PAIR and minors[i] != minors[j]:
            return minors[i] < minors[j]
        return ranks[i] < ranks[j]

    before = target.device(before)

    def sort_tile(out, order, x, rows, n, m, flip, values, ordered):
        keys = cuda.shared.array(TILE, U)
        minors = cuda.shared.array(MINORS, U)
        ranks = cuda.shared.array(TILE, I)
        t, threads = cuda.threadIdx.x, cuda.blockDim.x
        first = cuda.blockIdx.x * (2 * threads // m)  # row
        for e in range(t, 2 * threads, threads):
            r, k = first + e // m, e % m
            key, rank = FULL, I(k)  # beyond the row: behind all elements, by its place
            if PAIR:
                minors[e] = FULL
                rank = I(4 * TILE + k)
            if k < n and r < rows:
                at = (r * n + k) * parts
                key = encode(x[at], flip)
                if PAIR:
                    minor = encode(x[at + 1], flip)
                    minors[e] = minor
                    rank = I(0)
                    if U(key ^ flip) == FULL:
                        rank = I(2)
                    if U(minor ^ flip) == FULL:
                        rank = I(rank + 1)
                    if flip != U(0):
                        rank = I(3 - rank)
                    rank = I(rank * TILE + k)
            keys[e] = key
            ranks[e] = rank
        cuda.syncthreads()
        size = 2
        while size <= m:
            stride = size // 2
            while stride > 0:
                i = 2 * t - (t & (stride - 1))
                j = i + stride
                if i & size & (m - 1) == 0:
                    swap = before(keys, minors, ranks, j, i)
                else:
                    swap = before(keys, minors, ranks, i, j)
                if swap:
                    key, rank = keys[i], ranks[i]
                    keys[i], ranks[i] = keys[j], ranks[j]
                    keys[j], ranks[j] = key, rank
                    if PAIR:
                        key = minors[i]
                        minors[i] = minors[j]
                        minors[j] = key
                cuda.syncthreads()
                stride //= 2
            size *= 2
        for e in range(t, 2 * threads, threads):
            r, k = first + e // m, e % m
            if k < n and r < rows:
                place = ranks[e] % TILE
                if values:
                    for p in range(parts):
                        out[(r * n + k) * parts + p] = x[(r * n + place) * parts + p]
                if ordered:
                    order[r * n + k] = L(place)

    return sort_tile


def _kernel(width, floats, parts):
    u = f"u{width}"
    return Kernel(sort_tile, (width, floats, parts), f"*{u} *i8 *{u} i8 i8 i8 {u} i8 i8", THREADS)


def sort_rows(x, flip, floats, parts, out, order):
    """Sort rows of words, a contiguous (rows, n, parts), n at most TILE, into `out`, and their order (int64) into `order`, if not None."""
    rows, n = x.shape[:2]
    m = 1 << max(n - 1, 1).bit_length()
    tile = max(64, m)
    while tile < TILE and rows * m > 64 * tile:
        tile *= 2
    _kernel(x.itemsize, floats, parts).launch(
        x.driver, -(-rows // (tile // m)), tile // 2, (out or x).address, (order or x).address, x.address,
        rows, n, m, flip, int(out is not None), int(order is not None),
    )  # fmt: skip


def every():
    """All kernels of this module."""
    for width in WIDTHS:
        yield _kernel(width, False, 1)
        if width >= 4:
            yield _kernel(width, True, 1)
            yield _kernel(width, True, 2)
