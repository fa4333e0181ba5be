"""The loops under every reduction: which dimension runs innermost, what one work item is, and where its pieces lie.

A reduction is seen as outputs x leaves. A *leaf* is a fixed part of what one output reduces, a run of *pieces*; a piece lies
within one row of the innermost reduced dimension. Everything follows from shape and strides alone, never from the number of
threads, so results have the same bits on any number of them.

Two layouts exist. In `rows` the innermost dimension (smallest stride) is reduced and an item is one output of one leaf. In
`columns` it is kept, and an item is a block of neighbouring outputs that keeps its accumulators in the L1 cache.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

COLUMNS = 1024  # widest column block: accumulators of 16 bytes and their compensation stay within a 48 KiB L1
ROWS_PER_PIECE = 65  # rows summed in the narrow type (float32, int32) before they join the wide one: the first and 8 trees of 8
HEAD = 16  # words before the first (size, stride) pair

# Names of a dtype in kernel source: pointer cast and Numba type. Booleans are bytes.
POINTER = {
    "bool": "u1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8", "uint8": "u1", "uint16": "u2", "uint32": "u4",
    "uint64": "u8", "float32": "f4", "float64": "f8", "complex64": "c8", "complex128": "c16",
}  # fmt: skip


def pointer(dtype):
    """Name of the pointer cast for elements of `dtype`."""
    return POINTER[np.dtype(dtype).name]


def scalar(dtype):
    """Source of the Numba type of one element of `dtype` (uint8 for bool)."""
    name = np.dtype(dtype).name
    return "np.uint8" if name == "bool" else f"np.{name}"


@dataclass(frozen=True)
class Nest:
    """A planned reduction: `words` are the kernel's arguments but for the addresses (words 0 to 2: x, out, partials)."""

    layout: str  # "rows" or "columns"
    unit: bool  # the innermost dimension is contiguous
    offset: int  # bytes from x's first element to where the loops start
    items: int  # work items
    chunk: int  # items a task of the driver takes
    leaves: int
    outputs: int
    order: tuple  # kept axes as the loops run, outermost first: the result's memory order
    restore: tuple  # transposes that result back
    words: np.ndarray

    def arguments(self, x_address, out_address, partial_address):
        """A fresh argument array for one call."""
        words = self.words.copy()
        words[0] = x_address + self.offset
        words[1] = out_address
        words[2] = partial_address
        return words


def _collapse(dims):
    """Join neighbouring (size, stride) pairs that walk memory as one."""
    joined = []
    for n, s in dims:
        if joined and joined[-1][1] == n * s:
            joined[-1] = (joined[-1][0] * n, s)
        else:
            joined.append((n, s))
    return joined


@lru_cache(maxsize=2048)
def plan(shape, strides, axes, itemsize, ordered=False, leaf=0, piece=1 << 62):
    """Plan the reduction of an array (`strides` in bytes, no extent 0) over `axes`.

    `ordered` keeps the reduced dimensions in C order and in their own direction, for results that are positions. `leaf` is
    the number of elements of a leaf where an output needs several (0: by size), `piece` the most elements of a piece of a row.
    """
    kept = [(shape[i], strides[i], i) for i in range(len(shape)) if i not in axes]
    reduced = [(shape[i], strides[i]) for i in axes if shape[i] != 1]
    offset = 0
    if not ordered:
        offset = sum((n - 1) * s for n, s in reduced if s < 0)
        reduced = sorted(((n, abs(s)) for n, s in reduced), key=lambda d: -d[1])
        # A repeated element moves outwards: innermost it would hide the dimension that lies contiguous.
        reduced = [d for d in reduced if not d[1]] + [d for d in reduced if d[1]]
    kept.sort(key=lambda d: -abs(d[1]))
    order = tuple(d[2] for d in kept)
    kept = _collapse([(n, s) for n, s, _ in kept if n != 1])
    reduced = _collapse(reduced) or [(1, 0)]
    outputs = prod(n for n, _ in kept)
    columns = bool(kept) and _prefers_columns(kept[-1], reduced[-1])
    if columns:
        return _columns(kept, reduced, outputs, itemsize, offset, order)
    return _rows(kept, reduced, outputs, itemsize, offset, order, leaf, piece)


def _prefers_columns(kept, reduced):
    if abs(kept[1]) < abs(reduced[1]) or not reduced[1]:
        return kept[0] >= 8 or kept[0] * 4 >= reduced[0]
    # Rows too short to fill SIMD strips: run along the outputs instead, though their loads are strided.
    return reduced[0] < 16 and kept[0] >= 4 * reduced[0]


def _rows(kept, reduced, outputs, itemsize, offset, order, leaf, piece):
    n, stride = reduced[-1]
    total = prod(d[0] for d in reduced)
    if not leaf:
        # Long leaves read DRAM faster (four streams far apart), short ones share a small array out evenly.
        leaf = 65536 if total * outputs >= 1 << 21 else 16384
    if outputs >= 64:
        leaf = max(leaf, 1 << 22)
    piece = min(piece, leaf)
    pieces_per_row = -(-n // piece)
    pieces = total // n * pieces_per_row
    per_leaf = max(1, leaf // min(n, piece))
    leaves = -(-pieces // per_leaf)
    items = leaves * outputs
    head = [0, 0, 0, leaves, outputs, per_leaf, pieces, pieces_per_row, piece, n, stride, len(kept), len(reduced) - 1, total, 0, 0]
    return _nest("rows", stride == itemsize, offset, items, total * outputs, leaves, outputs, order, head, kept, reduced[:-1])


def _columns(kept, reduced, outputs, itemsize, offset, order):
    width, stride = kept[-1]
    rows, row_stride = reduced[-1]
    total = prod(d[0] for d in reduced)
    blocks = -(-width // COLUMNS)
    block = -(-width // (blocks * 16)) * 16
    blocks = -(-width // block)
    groups = outputs // width * blocks
    pieces_per_row = -(-rows // ROWS_PER_PIECE)
    pieces = total // rows * pieces_per_row
    # Leaves serve balance only, so as few as give 32 items, of at least 256 rows each.
    # A small array takes one: joining two takes as long as folding 10^5 elements does.
    leaves = 1 if total * outputs < 1 << 18 else max(1, min(-(-pieces // 4), -(-32 // groups)))
    per_leaf = -(-pieces // leaves)
    leaves = -(-pieces // per_leaf)
    items = leaves * groups
    head = [0, 0, 0, leaves, outputs, per_leaf, pieces, pieces_per_row, ROWS_PER_PIECE, rows, row_stride]
    head += [len(kept) - 1, len(reduced) - 1, total, width, stride]
    tail = (block, blocks)
    return _nest("columns", stride == itemsize, offset, items, total * outputs, leaves, outputs, order, head, kept[:-1], reduced[:-1], tail)


def _nest(layout, unit, offset, items, elements, leaves, outputs, order, head, kept, reduced, tail=()):
    pairs = [v for d in reversed(kept) for v in d] + [v for d in reversed(reduced) for v in d]
    words = np.array(head + pairs + list(tail), np.int64)
    per_chunk = max(32768, elements // 64)
    chunk = max(1, per_chunk * items // elements)
    return Nest(layout, unit, offset, items, chunk, leaves, outputs, order, tuple(np.argsort(order)), words)


# Head of a kernel, in either layout.
LOAD_WORDS = """    q = i8(ld64(args))
    xb = q[0]; ob = q[1]; pb = q[2]; leaves = q[3]; outputs = q[4]; per_leaf = q[5]; pieces = q[6]
    per_row = q[7]; piece = q[8]; n = q[9]; s = q[10]; nk = q[11]; nr = q[12]; total = q[13]
"""
# The start `a` of item's output `o` in leaf `leaf`, and its range of pieces.
ROWS_ITEM = """        leaf = item // outputs if leaves > 1 else 0
        o = item - leaf * outputs
        a = xb; t = o
        for d in range(nk - 1):
            w = t // q[16 + 2 * d]; a += (t - w * q[16 + 2 * d]) * q[17 + 2 * d]; t = w
        if nk: a += t * q[15 + 2 * nk]
        p0 = leaf * per_leaf; p1 = min(pieces, p0 + per_leaf)
"""
# The address `b` and length `m` of piece `p`; `k` is its first position in its row, `row` its row.
PIECE = """            row = p // per_row if per_row > 1 else p
            k = (p - row * per_row) * piece; b = a + k * s; m = min(piece, n - k); t = row
            for d in range(nk, nk + nr - 1):
                w = t // q[16 + 2 * d]; b += (t - w * q[16 + 2 * d]) * q[17 + 2 * d]; t = w
            if nr: b += t * q[15 + 2 * (nk + nr)]
"""
# Columns: `width` columns from output `o`, whose first element lies at `a`, `cs` bytes from one to the next.
COLUMNS_WORDS = """    ncol = q[14]; cs = q[15]; block = q[16 + 2 * (nk + nr)]; blocks = q[17 + 2 * (nk + nr)]
    groups = outputs // ncol * blocks
"""
COLUMNS_ITEM = """        leaf = item // groups if leaves > 1 else 0
        t = item - leaf * groups
        u = t // blocks; c0 = (t - u * blocks) * block; width = min(block, ncol - c0)
        o = u * ncol + c0; a = xb + c0 * cs; t = u
        for d in range(nk - 1):
            w = t // q[16 + 2 * d]; a += (t - w * q[16 + 2 * d]) * q[17 + 2 * d]; t = w
        if nk: a += t * q[15 + 2 * nk]
        p0 = leaf * per_leaf; p1 = min(pieces, p0 + per_leaf)
"""
