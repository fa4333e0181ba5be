"""searchsorted and digitize: a grid over the table's range turns most of the binary search into one look-up.

A query's cell is a monotone function of its value, the same for table and queries, so entries of other cells compare as
their cells do; `start[cell]` is where the cell's entries begin, and only those are searched, without a branch that depends on
data. Where the table is so skewed that a cell stays long (or queries are too few to pay for the grid) the grid is one
cell and the same kernel a plain branchless binary search.
"""

import numpy as np

from .. import build
from . import pool
from .buckets import chunks, table
from .driver import address, run

_BLOCK = 128  # queries searched side by side in SIMD registers, so that their cache misses overlap

_CELL = {
    "f": """
from numba import njit
@njit(forceinline=True)
def cell(v, least, scale, cells):
    f = (np.float64(v) - least) * scale
    f = f if f > 0.0 else 0.0
    f = f if f < cells - 1.0 else cells - 1.0
    return np.int64(f)
""",
    # `least` and `scale` are the bits of two int64 words: the least entry and a shift.
    "i": """
from numba import njit
@njit(forceinline=True)
def cell(v, least, scale, cells):
    d = np.uint64(np.uint64(np.int64(v)) - np.uint64(least)) >> np.uint64(scale)
    d = d if np.int64(v) > least else np.uint64(0)
    return np.int64(min(d, np.uint64(cells - 1)))
""",
    "u": """
from numba import njit
@njit(forceinline=True)
def cell(v, least, scale, cells):
    d = np.uint64(np.uint64(v) - np.uint64(least)) >> np.uint64(scale)
    d = d if np.uint64(v) > np.uint64(least) else np.uint64(0)
    return np.int64(min(d, np.uint64(cells - 1)))
""",
}
_WORDS = """    w = ld64(args)
    a = {t}(ld64(w)); m = ld64(w + 8); start = i4(ld64(w + 16)); cells = ld64(w + 24)
    least = {load}[4]; scale = {load}[5]; size = ld64(w + 48)
    q = {t}(ld64(w + 56)); n = ld64(w + 64); out = i8(ld64(w + 72)); steps = ld64(w + 80); last = ld64(w + 88)
"""


def _words(dtype):
    kind = dtype.kind
    return _WORDS.format(t=f"{kind}{dtype.itemsize}", load="f8(w)" if kind == "f" else "i8(w)"), _CELL[kind]


def _grid_kernel(dtype):
    """ends[c + 1]: one more than the last entry of cell c, where it has one; each cell is written by the last chunk it is in."""
    words, prelude = _words(dtype)
    return build.kernel(
        f"search_grid_{dtype.kind}{dtype.itemsize}",
        words
        + """    for c in range(lo, hi):
        stop = min(m, (c + 1) * size)
        beyond = cell(a[stop], least, scale, cells) if stop < m else -1
        for i in range(c * size, stop):
            now = cell(a[i], least, scale, cells)
            if now != beyond:
                start[now + 1] = i + 1""",
        prelude,
    )


def _query_kernel(dtype, right):
    words, prelude = _words(dtype)
    prelude += f"""
from mtarray._kernels.cpu.stack import stack_array
stack_base = stack_array(types.int64, {_BLOCK})
stack_query = stack_array(types.{dtype.name}, {_BLOCK})
"""
    compare = "<=" if right else "<"
    nan = "last if v[j] != v[j] else base[j]" if dtype.kind == "f" else "base[j]"
    # Blocks at the end overlap and write the same results twice. A probe beyond the table compares greater.
    return build.kernel(
        f"search_{dtype.kind}{dtype.itemsize}_{int(right)}",
        words
        + f"""    base = stack_base()
    v = stack_query()
    for b in range(lo, hi):
        first = min(b * {_BLOCK}, n - {_BLOCK})
        for j in range({_BLOCK}):
            v[j] = q[first + j]
        for j in range({_BLOCK}):
            base[j] = start[cell(v[j], least, scale, cells)]
        half = np.int64(1) << steps
        for k in range(steps):
            half >>= 1
            for j in range({_BLOCK}):
                probe = base[j] + half - 1
                base[j] += half * np.int64((probe < m) & (a[min(probe, m - 1)] {compare} v[j]))
        for j in range({_BLOCK}):
            out[first + j] = {nan}""",
        prelude,
    )


def _common(x1, x2):
    """Table and queries in one dtype, and for each query whether it lies below or above all integers of that dtype (or None).

    Integers of different signedness are compared exactly (NumPy goes through float64), the rest as `np.result_type`.
    """
    if x1.dtype == x2.dtype:
        return x1, x2, None, None
    kinds = x1.dtype.kind + x2.dtype.kind
    if kinds in ("iu", "ui") and 8 in (x1.dtype.itemsize * (x1.dtype.kind == "u"), x2.dtype.itemsize * (x2.dtype.kind == "u")):
        if x1.dtype.kind == "u":
            return x1.astype(np.uint64), x2.astype(np.uint64), x2 < 0, None
        return x1.astype(np.int64), x2.astype(np.int64), None, x2 > np.uint64(np.iinfo(np.int64).max)
    dtype = np.result_type(x1, x2)
    return x1.astype(dtype, copy=False), x2.astype(dtype, copy=False), None, None


def _grid(a, m, queries):
    """(start, cells, least word, scale word, longest): the grid over the first m entries of the sorted table a."""
    dtype = a.dtype
    flat = np.array([0, m], np.int32), 1, 0, 63 if dtype.kind != "f" else 0, m
    if queries * 4 < m or m < 4:
        return flat
    first, last = 0, m - 1
    if dtype.kind == "f":
        first = int(np.searchsorted(a[:m], -np.inf, "right"))
        last = int(np.searchsorted(a[:m], np.inf, "left")) - 1
        if last <= first:
            return flat
        least, most = float(a[first]), float(a[last])
        cells = 1 << max(4, (2 * m - 1).bit_length() - 1)
        with np.errstate(all="ignore"):
            scale = np.float64(cells) / (np.float64(most) - np.float64(least))
        if not (np.isfinite(scale) and scale > 0 and np.isfinite(most - least)):
            return flat
        words = np.array([least, scale]).view(np.int64).tolist()
    else:
        reach = int(a[last]) - int(a[first])
        if reach == 0:
            return flat
        cells = 1 << max(4, (2 * m - 1).bit_length() - 1)
        words = [int(a[first]), max(0, reach.bit_length() - (cells.bit_length() - 1))]
    start = pool.empty((cells + 1,), np.int32)
    start.fill(0)
    size, count = chunks(m, 1 << 13)
    args = table(address(a), m, address(start), cells, *words, size, 0, 0, 0, 0, 0)
    run(_grid_kernel(dtype), count, 1, address(args))
    np.maximum.accumulate(start, out=start)
    most = int((start[1:] - start[:-1]).max())
    return (start, cells, *words, most) if most.bit_length() <= max(4, m.bit_length() * 2 // 3) else flat


def searchsorted(x1, x2, side="left", sorter=None):
    """Where each element of x2 would be inserted into the sorted 1-D x1 to keep it sorted: int64 of x2's shape.

    `side="left"`: before equal elements, `"right"`: after them. `sorter`: indices that sort x1. NaN sorts last. Complex and boolean
    operands go to NumPy. Scratch: a grid of 8 to 16 bytes an entry of x1, and copies of operands that are not
    contiguous or of another dtype.
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', not {side!r}")
    if sorter is not None:
        x1 = np.take(x1, sorter)
    table_, queries, below, above = _common(x1, x2)
    if below is None and above is None and (x1.size >= 1 << 31 or table_.dtype.kind not in "iuf"):
        return np.asarray(np.searchsorted(table_, queries, side), np.int64)
    a = np.ascontiguousarray(table_)
    q = np.ascontiguousarray(queries)
    n_all = m = a.size
    out = pool.empty(q.shape, np.int64)
    right = side == "right"
    if m and a.dtype.kind == "f" and a[-1] != a[-1]:
        m = int(a.searchsorted(a.dtype.type(np.nan), "left"))
    last = n_all if right else m
    if m == 0:
        out[...] = 0
        if a.dtype.kind == "f":
            out[np.isnan(q)] = last
    elif q.size < _BLOCK or m >= 1 << 31:
        out[...] = np.searchsorted(a, q, side)
    else:
        start, cells, least, scale, longest = _grid(a, m, q.size)
        words = (address(a), m, address(start), cells, least, scale, 0, address(q), q.size, address(out), longest.bit_length(), last)
        args = table(*words)
        run(_query_kernel(a.dtype, right), -(-q.size // _BLOCK), 256, address(args))
    if below is not None:
        out[below] = 0
    if above is not None:
        out[above] = n_all
    return out


def digitize(x, bins, right=False):
    """Index of the bin of each element, as np.digitize: `bins` 1-D and monotone, in either direction; int64 of x's shape."""
    rising = bool(np.all(bins[1:] >= bins[:-1]))
    if not rising and not np.all(bins[1:] <= bins[:-1]):
        raise ValueError(f"digitize: bins must increase or decrease monotonically (shape {bins.shape})")
    side = "left" if right else "right"
    return searchsorted(bins, x, side) if rising else len(bins) - searchsorted(bins[::-1], x, side)
