"""sort, argsort and partition on CUDA devices: short rows in one block, long ones by radix, both stable, the same in every run."""

import numpy as np

from mtarray import _strides

from . import bitonic, copying, gather, radix
from .blocks import INT32, INT64, blocks_for, counts_dtype, exclusive, scan_of_block
from .kernel import Kernel
from .keys import encoder, flip_of, is_float, word_of
from .tensor import empty, like

SHORT = bitonic.TILE  # elements of the longest row that one block sorts


def sorted_along(x, *, axis, descending, stable):
    """Elements in order along an axis."""
    return _along(x, axis, lambda rows: sorted_rows(rows, descending)[0])


def order_along(x, *, axis, descending, stable):
    """Indices that put an axis in order."""
    return _along(x, axis, lambda rows: sorted_rows(rows, descending, values=False, placed=INT64)[1])


def partitioned(x, *, axis, ranks):
    """Elements rearranged so that those of some ranks are in their sorted places along an axis: all of them are."""
    return sorted_along(x, axis=axis, descending=False, stable=True)


def partition_order(x, *, axis, ranks):
    """Indices that put the elements of some ranks in their sorted places along an axis: all of them."""
    return order_along(x, axis=axis, descending=False, stable=True)


def _along(x, axis, f):
    """What `f` makes of the rows of x along an axis, a contiguous (rows, n), in the shape of x."""
    n = x.shape[axis]
    if not x.size:
        return f(x.window((0, n), (n, 1))).reshaped(x.shape)
    order = [i for i in range(x.ndim) if i != axis] + [axis]
    moved = copying.contiguous(x.transpose(order))
    out = f(moved.reshaped((x.size // n, n)))
    return copying.contiguous(out.reshaped(moved.shape).transpose(_strides.inverse_permutation(order)))


def sorted_rows(x, descending=False, values=True, placed=None, short=SHORT, **tiles):
    """Rows of a contiguous (rows, n), each in order: (elements or None, their order or None).

    values: whether the elements are wanted; placed: the integer dtype in which their order is. tiles: see `radix.sort_rows`.
    """
    n = x.shape[1]
    out = like(x) if values else None
    if not x.size:
        return out, None if placed is None else like(x, dtype=placed)
    parts = 2 if x.dtype.kind == "c" else 1
    flip = flip_of(x.dtype, descending)
    if n <= short:
        order = None if placed is None else like(x, dtype=placed)
        bitonic.sort_rows(_words(x, parts), flip, is_float(x.dtype), parts, out, order)
        return out, order
    if parts == 2:
        order = _complex_order(x, descending, counts_dtype(n) if placed is None else placed, tiles)
        if values:
            out = gather.along(x, order, 1)
        return out, None if placed is None else order
    out, order = radix.sort_rows(_words(x, 1).reshaped(x.shape), flip, is_float(x.dtype), values, placed, **tiles)
    if values:
        out = out.viewed(x.dtype)
        if is_float(x.dtype):
            _sign_zeros(out, x, flip, **{k: v for k, v in tiles.items() if k == "threads"})
    return out, order


def _words(x, parts):
    word = word_of(x.dtype)
    if parts == 1:
        return x.viewed(word).reshaped((*x.shape, 1))
    return type(x)(x.buffer, (*x.shape, 2), (2 * x.shape[1], 2, 1), 2 * x.offset, word)


# ---------------------------------------------------------------------- complex


def keys_of_parts(target, width, ordered, index):
    """The keys of one part of complex elements, or (part 2) their classes: which of the parts are NaN."""
    cuda, U = target.cuda, target.type(np.dtype(f"u{width}"))
    encode = encoder(target, width, True)
    FULL = U(256**width - 1)

    def keys_of_parts(keys, x, order, size, n, part, flip):
        e = cuda.grid(1)
        while e < size:
            at = e
            if ordered:
                at = e // n * n + order[e]
            if part < 2:
                keys[e] = encode(x[2 * at + part], flip)
            else:
                c = U(0)
                if encode(x[2 * at], U(0)) == FULL:
                    c = U(2)
                if encode(x[2 * at + 1], U(0)) == FULL:
                    c = U(c + U(1))
                keys[e] = U(c ^ flip)
            e += cuda.gridsize(1)

    return keys_of_parts


def _keys_of_parts(width, ordered, index):
    u = f"u{width}"
    return Kernel(keys_of_parts, (width, ordered, index), f"*{u} *{u} *{index.str[1:]} i8 i8 i8 {u}", 256)


def _complex_order(x, descending, placed, tiles):
    """Sorted by imaginary part, then by real part, then by which are NaN, each time stably."""
    words, n = _words(x, 2), x.shape[1]
    index, flip = counts_dtype(n), flip_of(word_of(x.dtype), descending)
    order = None
    for part in (1, 0, 2):
        keys = like(x, dtype=words.dtype)
        kernel = _keys_of_parts(words.itemsize, order is not None, index)
        came = (order or x).address
        bits = flip if part < 2 else 3 * descending
        kernel.launch(x.driver, blocks_for(x.size), 256, keys.address, words.address, came, x.size, n, part, bits)
        d = placed if part == 2 else index
        _, order = radix.sort_rows(keys, 0, False, False, d, order, high=2 if part == 2 else None, **tiles)
    return order


# ---------------------------------------------------------------------- zeros


def count_zeros(target, width, threads, items):
    """The zeros of each tile of each row, and whether any has a sign."""
    cuda, U, I = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT64)
    SIGN, ABSOLUTE, ZERO = U(1 << 8 * width - 1), U((1 << 8 * width - 1) - 1), U(0)
    TILE = threads * items
    scan = scan_of_block(target, INT64, threads)

    def count_zeros(counts, signed, x, n, tiles):
        scratch = cuda.shared.array(32, I)
        t = cuda.threadIdx.x
        row = cuda.blockIdx.x // tiles
        tile = cuda.blockIdx.x - row * tiles
        own = I(0)
        for j in range(items):
            k = tile * TILE + j * threads + t
            if k < n:
                word = x[row * n + k]
                if word == SIGN:
                    signed[0] = I(1)
                if U(word & ABSOLUTE) == ZERO:
                    own += 1
        _, total = scan(own, t, scratch)
        if t == 0:
            counts[cuda.blockIdx.x] = total

    return count_zeros


def find_zeros(target, width):
    """Where the zeros of each sorted row begin, where any has a sign. Apart from `sign_zeros`, which rewrites what is searched here."""
    cuda, U, I = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT64)
    encode = encoder(target, width, True)

    def find_zeros(begins, out, signed, rows, n, flip):
        row = cuda.grid(1)
        if row < rows and signed[0] != 0:
            key = encode(U(0), flip)
            low, high = I(0), I(n)
            while low < high:
                middle = (low + high) // 2
                if encode(out[row * n + middle], flip) < key:
                    low = middle + 1
                else:
                    high = middle
            begins[row] = low

    return find_zeros


def sign_zeros(target, width, threads, items):
    """Zeros, where any has a sign, in the order in which they came: the k-th of the row behind those elements that sort before a zero."""
    cuda, U, I = target.cuda, target.type(np.dtype(f"u{width}")), target.type(INT64)
    ABSOLUTE, ZERO = U((1 << 8 * width - 1) - 1), U(0)
    scan = scan_of_block(target, INT64, threads)

    def sign_zeros(out, x, starts, begins, signed, n, tiles):
        scratch = cuda.shared.array(32, I)
        if signed[0] != 0:
            t = cuda.threadIdx.x
            row = cuda.blockIdx.x // tiles
            tile = cuda.blockIdx.x - row * tiles
            own = I(0)
            first = (tile * threads + t) * items
            for j in range(items):
                if first + j < n:
                    word = x[row * n + first + j]
                    if U(word & ABSOLUTE) == ZERO:
                        own += 1
            before, total = scan(own, t, scratch)
            if total > 0:
                place = row * n + begins[row] + starts[cuda.blockIdx.x] - starts[row * tiles] + before
                for j in range(items):
                    if first + j < n:
                        word = x[row * n + first + j]
                        if U(word & ABSOLUTE) == ZERO:
                            out[place] = word
                            place += 1

    return sign_zeros


def _zeros_kernels(width, threads, items):
    u = f"u{width}"
    return (
        Kernel(count_zeros, (width, threads, items), f"*i8 *i8 *{u} i8 i8", threads),
        Kernel(find_zeros, (width,), f"*i8 *{u} *i8 i8 i8 {u}", threads),
        Kernel(sign_zeros, (width, threads, items), f"*{u} *{u} *i8 *i8 *i8 i8 i8", threads),
    )


def _sign_zeros(out, x, flip, threads=256, items=8):
    """The signs of zeros, which keys do not hold, in a sorted (rows, n). The device looks whether there are any; nothing waits for it."""
    rows, n = x.shape
    tiles = -(-n // (threads * items))
    counts, begins, signed = [empty(x.driver, (size,), INT64) for size in (rows * tiles, rows, 1)]
    copying.fill(signed, 0)
    count, find, write = _zeros_kernels(x.itemsize, threads, items)
    count.launch(x.driver, rows * tiles, threads, counts.address, signed.address, x.address, n, tiles)
    exclusive(counts)
    find.launch(x.driver, -(-rows // threads), threads, begins.address, out.address, signed.address, rows, n, flip)
    write.launch(x.driver, rows * tiles, threads, out.address, x.address, counts.address, begins.address, signed.address, n, tiles)


def every():
    """All kernels of this module: those of the sorts are in theirs."""
    for width in (4, 8):
        yield from _zeros_kernels(width, 256, 8)
        for index in (INT32, INT64):
            for ordered in (False, True):
                yield _keys_of_parts(width, ordered, index)
