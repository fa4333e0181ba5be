"""The loops under every reduction: which dimension runs innermost, what one work item is, and where its pieces lie.

A reduction is seen as outputs x leaves. A *leaf* is a fixed part of what one output reduces, a run of *pieces*; a piece lies
within one row of the innermost reduced dimension. Everything follows from shape and strides alone, never from the number of
threads, so results have the same bits on any number of them.

Two layouts exist. In `rows` the innermost dimension (smallest stride) is reduced and an item is one output of one leaf. In
`columns` it is kept, and an item is a block of neighbouring outputs that keeps its accumulators in the L1 cache. Where 2, 4, 8 or 16
contiguous columns are kept and the rows follow one another, sums take them in `lanes`: as `rows` of all their elements, whose vectors
hold the columns side by side.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

WIDE = 128  # columns to which rows of fewer contiguous ones are joined
COLUMNS = 1024  # widest column block: accumulators of 16 bytes and their compensation stay within a 48 KiB L1
ROWS_PER_PIECE = 64  # rows summed in the narrow type (float32, int32) before they join the wide one: 8 trees of 8
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
    """A planned reduction: `words` are what its kernel reads of it (word 1 is the kernel's own)."""

    layout: str  # "rows", "columns" or "lanes"
    unit: bool  # the innermost dimension is contiguous
    offset: int  # bytes from x's first element to where the loops start
    items: int  # work items
    chunk: int  # items a task of the driver takes
    leaves: int
    outputs: int
    order: tuple  # kept axes as the loops run, outermost first: the result's memory order
    restore: tuple  # transposes that result back
    width: int  # of lanes: how many outputs an item has
    counters: int  # words at the head of the scratch that count finished leaves
    words: np.ndarray


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
def plan(shape, strides, axes, itemsize, ordered=False, piece=1 << 62, widen=False, lanes=0):
    """Plan the reduction of an array (`strides` in bytes, no extent 0) over `axes`.

    `ordered` keeps the reduced dimensions in C order and in their own direction, for results that are positions. `piece` is the
    most elements of a piece of a row. `widen` takes several rows of few contiguous columns as one; `lanes` is the
    number of elements of a vector if these may be columns.
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
    width, n = kept[-1][0] if kept else 1, reduced[-1][0]
    if width > 1 and lanes and lanes % width == 0 and kept[-1][1] == itemsize and reduced[-1][1] == width * itemsize:
        return _rows(kept[:-1], [*reduced[:-1], (n * width, itemsize)], outputs // width, itemsize, offset, order, piece, width)
    if kept and _prefers_columns(kept[-1], reduced[-1]):
        return _columns(kept, reduced, outputs, itemsize, offset, order, widen)
    return _rows(kept, reduced, outputs, itemsize, offset, order, piece)


def _prefers_columns(kept, reduced):
    if abs(kept[1]) < abs(reduced[1]) or not reduced[1]:
        return kept[0] >= 8 or kept[0] * 4 >= reduced[0]
    # Rows too short to fill SIMD strips: run along the outputs instead, though their loads are strided.
    return reduced[0] < 16 and kept[0] >= 4 * reduced[0]


def _rows(kept, reduced, outputs, itemsize, offset, order, piece, width=1):
    n, stride = reduced[-1]
    total = prod(d[0] for d in reduced)
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
    counters = outputs + 1  # the last says that the result is decided
    head = [counters, 0, total, leaves, outputs, per_leaf, pieces, pieces_per_row, piece, n, stride, len(kept), len(reduced) - 1, 0, 0, 0]
    unit = stride == itemsize
    layout = "rows" if width == 1 else "lanes"
    return _nest(layout, unit, offset, items, total * outputs, leaves, outputs, order, counters, head, kept, reduced[:-1], width=width)


def _columns(kept, reduced, outputs, itemsize, offset, order, widen):
    width, stride = kept[-1]
    rows, row_stride = reduced[-1]
    total = prod(d[0] for d in reduced)
    unit = stride == itemsize
    times, rest = 1, 0
    if widen and unit and row_stride == width * itemsize:
        times = max(1, min(WIDE // width, rows // 8))
        rest = rows % times * width
        rows, row_stride = rows // times, row_stride * times
    wide, outer, elements = width * times, outputs // width, total * outputs
    # How many items balance the threads: four of a small array, rather by cutting its columns than by joining leaves.
    wanted = 32 if elements >= 1 << 18 else 4 if elements >= 1 << 15 else 1
    blocks = -(-wide // COLUMNS)
    if wanted == 4 and times == 1:
        blocks = max(blocks, min(wide // 64, 4 // outer))
    block = -(-wide // (blocks * 16)) * 16 if blocks > 1 else wide
    blocks = -(-wide // block)
    groups = outer * blocks
    pieces_per_row = -(-rows // ROWS_PER_PIECE)
    pieces = prod(d[0] for d in reduced[:-1]) * pieces_per_row
    leaves = min(-(-pieces // 4) if wanted == 32 else pieces, -(-wanted // groups))  # large ones: of 256 rows at least
    per_leaf = -(-pieces // leaves)
    leaves = -(-pieces // per_leaf)
    items = leaves * groups
    head = [groups, 0, total, leaves, outputs, per_leaf, pieces, pieces_per_row, ROWS_PER_PIECE, rows, row_stride]
    head += [len(kept) - 1, len(reduced) - 1, times, wide, stride]
    tail = (block, blocks, rest)
    return _nest("columns", unit, offset, items, elements, leaves, outputs, order, groups, head, kept[:-1], reduced[:-1], tail)


def _nest(layout, unit, offset, items, elements, leaves, outputs, order, counters, head, kept, reduced, tail=(), width=1):
    pairs = [v for d in reversed(kept) for v in d] + [v for d in reversed(reduced) for v in d]
    words = np.array(head + pairs + list(tail), np.int64)
    per_chunk = max(16384, elements // 64)
    chunk = max(1, per_chunk * items // elements)
    return Nest(layout, unit, offset, items, chunk, leaves, outputs * width, order, tuple(np.argsort(order)), width, counters, words)


# Head of a kernel, in either layout. Argument words: the nest's, x's first element, out, scratch (counters, then partials).
LOAD_WORDS = """    q = i8(ld64(args)); xb = ld64(args + 8); ob = ld64(args + 16); sb = ld64(args + 24); pb = sb + 8 * q[0]
    total = q[2]; leaves = q[3]; outputs = q[4]; per_leaf = q[5]; pieces = q[6]
    per_row = q[7]; piece = q[8]; n = q[9]; s = q[10]; nk = q[11]; nr = q[12]
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
# Columns: `width` columns from output `o`, whose first element lies at `a`, `cs` bytes from one to the next. `times` rows of x are one
# row of `ncol` columns, and `rest` elements are left over; otherwise times is 1 and rest 0.
COLUMNS_WORDS = """    times = q[13]; ncol = q[14]; cs = q[15]; each = ncol // times
    block = q[16 + 2 * (nk + nr)]; blocks = q[17 + 2 * (nk + nr)]; rest = q[18 + 2 * (nk + nr)]
    groups = outputs // each * blocks
"""
COLUMNS_ITEM = """        leaf = item // groups if leaves > 1 else 0
        group = item - leaf * groups
        u = group // blocks; c0 = (group - u * blocks) * block; width = min(block, ncol - c0)
        o = u * each + c0; a = xb + c0 * cs; t = u
        for d in range(nk - 1):
            w = t // q[16 + 2 * d]; a += (t - w * q[16 + 2 * d]) * q[17 + 2 * d]; t = w
        if nk: a += t * q[15 + 2 * nk]
        p0 = leaf * per_leaf; p1 = min(pieces, p0 + per_leaf)
"""
# Whether this leaf was the last of its output (rows) or group (columns): then the thread that finished it joins all, in their order.
LAST = """atomic_add(sb + 8 * {counter}, 1) == leaves - 1"""
ATOMICS = "from mtarray._kernels.cpu.atomics import atomic_add, store64\n"
