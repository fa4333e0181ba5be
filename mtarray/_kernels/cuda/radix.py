"""Radix sort of long rows: a few bits a pass, from the lowest, each pass stable. Results are the same in every run.

A pass counts the digits of each tile of a row, sums the counts up to the places where the tile's elements of each digit begin, and moves
the elements there. Within a tile, a warp finds by votes which of its lanes have the same digit, so that places follow the order of the
elements; the tile is put in order in shared memory first, so that elements of one digit are written side by side.
"""

import numpy as np

from .blocks import ALL, INT32, INT64, exclusive, scan_of_block
from .kernel import Kernel
from .keys import WIDTHS, decoder, encoder
from .tensor import empty, like

BITS, THREADS = 8, 256


def items_of(width, carried):
    """Elements of a tile that a thread has: as many as the shared memory of a block holds."""
    return 8 if 8 in (width, carried) else 16


def count_digits(target, width, floats, bits, threads, items):
    """How often each digit occurs in each tile: counts[row, digit, tile]."""
    cuda, U, I = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT32)
    C = target.type(INT64)
    encode = encoder(target, width, floats)
    RADIX = 1 << bits
    MASK, TILE = U(min(RADIX - 1, 256**width - 1)), threads * items

    def count_digits(counts, x, n, tiles, shift, flip):
        bins = cuda.shared.array(RADIX, I)
        t = cuda.threadIdx.x
        row = cuda.blockIdx.x // tiles
        tile = cuda.blockIdx.x - row * tiles
        for d in range(t, RADIX, threads):
            bins[d] = I(0)
        cuda.syncthreads()
        for j in range(items):
            k = tile * TILE + j * threads + t
            if k < n:
                cuda.atomic.add(bins, I(U(encode(x[row * n + k], flip) >> U(shift)) & MASK), I(1))
        cuda.syncthreads()
        for d in range(t, RADIX, threads):
            counts[(row * RADIX + d) * tiles + tile] = C(bins[d])

    return count_digits


def move_by_digit(target, width, floats_in, floats_out, bits, threads, items, carried, placed):
    """Each element to its place among those of its digit.

    carried, placed: bytes of an index, and of an index as it is written (0: none are).
    ordered: whether the elements come with indices (else their places in the row are these); keep: whether elements are written.
    """
    cuda, U, I = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT32)
    J = target.type(np.dtype(f"i{carried or 4}"))
    P = target.type(np.dtype(f"i{placed or 4}"))
    encode, decode = encoder(target, width, floats_in), decoder(target, width, floats_out)
    scan = scan_of_block(target, INT32, threads)
    RADIX, WARPS = 1 << bits, threads // 32
    BINS = WARPS * RADIX
    MASK, TILE, FULL = U(min(RADIX - 1, 256**width - 1)), threads * items, U(256**width - 1)

    def move_by_digit(out, order_out, x, order, starts, n, tiles, shift, flip, flip_out, ordered, keep):
        bins = cuda.shared.array(BINS, I)
        begins = cuda.shared.array(RADIX, I)
        scratch = cuda.shared.array(32, I)
        tile_keys = cuda.shared.array(TILE, U)
        keys = cuda.local.array(items, U)
        places = cuda.local.array(items, I)
        t = cuda.threadIdx.x
        warp, lane = t // 32, t % 32
        row = cuda.blockIdx.x // tiles
        tile = cuda.blockIdx.x - row * tiles
        first = tile * TILE
        here = n - first
        if here > TILE:
            here = TILE
        for d in range(t, BINS, threads):
            bins[d] = I(0)
        cuda.syncthreads()
        for j in range(items):
            k = (warp * items + j) * 32 + lane
            key = FULL  # beyond the row: these come last of all, since they are behind the others
            if k < here:
                key = encode(x[row * n + first + k], flip)
            keys[j] = key
            digit = I(U(key >> U(shift)) & MASK)
            same = ALL
            for b in range(bits):
                bit = (digit >> b) & 1
                votes = cuda.ballot_sync(ALL, bit) & ALL
                if bit == 0:
                    votes = votes ^ ALL
                same &= votes
            below = cuda.popc(same & ((1 << lane) - 1))
            seen = bins[warp * RADIX + digit]
            cuda.syncwarp(ALL)
            if below == 0:
                bins[warp * RADIX + digit] = I(seen + cuda.popc(same))
            places[j] = I(seen + below)
            cuda.syncwarp(ALL)
        cuda.syncthreads()
        before = I(0)
        for d0 in range(0, RADIX, threads):
            d = d0 + t
            total = I(0)
            if d < RADIX:
                for w in range(WARPS):
                    count = bins[w * RADIX + d]
                    bins[w * RADIX + d] = total
                    total = I(total + count)
            begin, all_ = scan(total, t, scratch)
            if d < RADIX:
                begins[d] = I(before + begin)
            before = I(before + all_)
        cuda.syncthreads()
        for j in range(items):
            digit = I(U(keys[j] >> U(shift)) & MASK)
            place = places[j] + bins[warp * RADIX + digit] + begins[digit]
            places[j] = I(place)
            tile_keys[place] = keys[j]
        if carried:
            tile_order = cuda.shared.array(TILE, J)
            for j in range(items):
                k = (warp * items + j) * 32 + lane
                if ordered:
                    if k < here:
                        tile_order[places[j]] = order[row * n + first + k]
                else:
                    tile_order[places[j]] = J(first + k)
        cuda.syncthreads()
        for k in range(t, here, threads):
            key = tile_keys[k]
            digit = I(U(key >> U(shift)) & MASK)
            to = starts[(row * RADIX + digit) * tiles + tile] + k - begins[digit]
            if keep:
                out[to] = decode(key, flip_out)
            if carried:
                order_out[to] = P(tile_order[k])

    return move_by_digit


def _counting(width, floats, bits, threads, items):
    u = f"u{width}"
    return Kernel(count_digits, (width, floats, bits, threads, items), f"*i8 *{u} i8 i8 i8 {u}", threads)


def _moving(width, floats_in, floats_out, bits, threads, items, carried, placed):
    u = f"u{width}"
    signature = f"*{u} *i{placed or 4} *{u} *i{carried or 4} *i8 i8 i8 i8 {u} {u} i8 i8"
    parameters = (width, floats_in, floats_out, bits, threads, items, carried, placed)
    # A bound of half as many threads again: registers for all that a thread keeps, and for two blocks where shared memory allows two.
    return Kernel(move_by_digit, parameters, signature, threads + threads // 2)


def sort_rows(x, flip, floats, values=True, placed=None, order=None, low=0, high=None, bits=BITS, threads=THREADS, items=None):
    """Rows of words, a contiguous (rows, n) of which each row is sorted by its keys: (words or None, order or None).

    values: whether sorted words are wanted (made of keys: see `decoder`). placed: the integer dtype in which the order is wanted, if it is.
    order: indices that come with the words (int32, or int64 of rows beyond 2^31); else their places in the row are these.
    low, high: the bits of the keys that differ. Scratch: two of what is wanted, and 1 KiB for each tile of some thousand elements.
    """
    rows, n = x.shape
    width = x.itemsize
    high = 8 * width if high is None else high
    shifts = list(range(low, max(high, low + 1), bits))
    carried = 0 if placed is None else 4 if n < 1 << 31 else 8
    items = items or items_of(width, carried)
    tiles = -(-n // (threads * items))
    counts = empty(x.driver, (rows * tiles << bits,), INT64)
    index, driver = INT32 if carried == 4 else INT64, x.driver
    words, orders = [None, None], [None, None]  # written in turn
    for p, shift in enumerate(shifts):
        first, last = p == 0, p == len(shifts) - 1
        keep = values or not last
        if words[p % 2] is None:
            words[p % 2] = like(x) if keep else x
        to = words[p % 2]
        d = placed if last else index
        if carried and (orders[p % 2] is None or orders[p % 2].dtype != d):
            orders[p % 2] = like(x, dtype=d)
        to_order = orders[p % 2] if carried else x
        came = order if order is not None else x
        floating = floats and first
        counting = _counting(width, floating, bits, threads, items)
        counting.launch(driver, rows * tiles, threads, counts.address, x.address, n, tiles, shift, flip if first else 0)
        exclusive(counts)
        moving = _moving(width, floating, floats and last, bits, threads, items, carried, d.itemsize if carried else 0)
        moving.launch(
            driver, rows * tiles, threads, to.address, to_order.address, x.address, came.address, counts.address,
            n, tiles, shift, flip if first else 0, flip if last else 0, int(order is not None), int(keep),
        )  # fmt: skip
        x = to
        if carried:
            order = to_order
    return x if values else None, order if carried else None


def every():
    """All kernels of this module, as they are launched."""
    for width in WIDTHS:
        wide = width >= 4
        for floats in (False, True)[: 1 + wide]:
            for items in {items_of(width, carried) for carried in (0, 8)}:
                yield _counting(width, floats, BITS, THREADS, items)
            for carried, placed in ((0, 0), (4, 4), (4, 8), (8, 8)):
                yield _moving(width, floats, False, BITS, THREADS, items_of(width, carried), carried, placed)
        if wide:
            yield _moving(width, False, True, BITS, THREADS, items_of(width, 0), 0, 0)
