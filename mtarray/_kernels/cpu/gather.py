"""Reading and writing at integer positions: take, take_along_axis, x[i, j, ...], their assignments and scatter_add.

All are one loop nest. Result position p (a tuple) reads the operand at byte offset

    sum_d p[d] * base[d]  +  sum_k wrap(index_k[p], length_k) * step_k

where `base` holds the operand's strides of dimensions that are walked along (0 for those that an index replaces) and each index
array is an int64 window of the result's leading shape with strides of its own, broadcast ones included, so no index is ever
materialised. The innermost contiguous dimensions of the operand form one item that is copied as a whole.
"""

import functools
from math import prod

import numpy as np

from .. import build
from . import pool
from .buckets import table
from .driver import address, run
from .machine import last_level_cache

SCATTER_CROSSOVER = 2_000  # elements of the values
_STREAM_BYTES = 48 << 20  # results larger than this bypass the caches (1.5 times a 32 MiB L3)
_CHUNK_BYTES = 1 << 16
_REMEMBERED = 1024
_BLOCK = 128  # positions whose offsets are computed together
_HEAD = 8  # words before those of the indices
_AHEAD = 16  # rows that are fetched before they are copied

_INT64 = np.dtype(np.int64)
_INTEGER = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}


STACK = f"""
from mtarray._kernels.cpu.stack import stack_array
stack_offsets = stack_array(types.int64, {_BLOCK})
"""


def loops(indices, body, unit, check):
    """Kernel body: an odometer over the result positions [lo, hi), one run along the last dimension after the other.

    Argument words: those of `Plan.words`. Offsets of a block of positions are computed first, in SIMD registers where every index
    is contiguous along the run (`unit`), then `body` (indented by sixteen spaces) handles each position `i` at address `source`.
    With `check`, an index out of bounds sets `bad` and is read as 0.
    """
    names = range(indices)
    head = _HEAD + 3 * indices
    lines = [
        "    w = i8(ld64(args)); offsets = stack_offsets()",
        "    x = w[0]; out = w[1]; dims = w[2]; bad = i8(w[3]); item = w[4]; first = w[5]; stop = w[6]; values = w[7]; wrong = np.int64(0)",
        *[f"    a{k} = w[{_HEAD + 3 * k}]; n{k} = w[{_HEAD + 1 + 3 * k}]; s{k} = w[{_HEAD + 2 + 3 * k}]" for k in names],
        f"    shape = {head}; base = shape + dims; last = dims - 1",
        "    length = w[shape + last]; inner = w[base + last]",
        *[f"    t{k} = w[base + {k + 1} * dims + last]" for k in names],
        "    i = lo",
        "    while i < hi:",
        "        rest = i",
        "        p = x",
        *[f"        q{k} = a{k}" for k in names],
        "        for b in range(dims):",
        "            d = last - b",
        "            c = rest % w[shape + d]",
        "            rest //= w[shape + d]",
        "            p += c * w[base + d]",
        *[f"            q{k} += c * w[base + {k + 1} * dims + d]" for k in names],
        f"        run = min(hi - i, min(length - i % length, {_BLOCK}))",
        *[f"        r{k} = i8(q{k})" for k in names if unit],
        "        for j in range(run):",
        "            source = p + j * inner",
    ]
    for k in names:
        lines += [
            f"            j{k} = r{k}[j]" if unit else f"            j{k} = ld64(q{k} + j * t{k})",
            f"            j{k} += n{k} if j{k} < 0 else 0",
        ]
        if check:
            lines += [
                f"            outside = np.uint64(j{k}) >= np.uint64(n{k})",
                "            wrong |= np.int64(outside)",
                f"            j{k} = 0 if outside else j{k}",
            ]
        lines.append(f"            source += j{k} * s{k}")
    lines += [
        "            offsets[j] = source",
        "        for j in range(run):",
        "            source = offsets[j]",
        body,
        "            i += 1",
    ]
    if check:
        lines += ["    if wrong:", "        bad[0] = 1"]
    return "\n".join(lines)


def item_copy(width, dst, src):
    """Copy of one item of `width` bytes (0: `item`, known at run time) between two address expressions."""
    if width in _INTEGER:
        kind = _INTEGER[width]
        return f"            {kind}({dst})[0] = {kind}({src})[0]"
    if width == 16:
        return f"            u8({dst})[0] = u8({src})[0]\n            u8({dst})[1] = u8({src})[1]"
    return f"            memcpy({dst}, {src}, item)"


@functools.cache
def _gather_kernel(indices, width, unit):
    body = item_copy(width, f"(out + i * {width or 'item'})", "source")
    return build.kernel(f"gather_{indices}_{width}_{int(unit)}", loops(indices, body, unit, True), STACK)


# Words of the kernels of one index: operand, result, index, length and step of the axis, the flag, bytes of an item.
_ITEMS = """    n = hi - lo; x = ld64(args); o = u{width}(ld64(args + 8) + lo * {width}); index = i8(ld64(args + 16) + lo * 8)
    length = ld64(args + 24); step = ld64(args + 32); wrong = np.int64(0); s = np.int64(0)
    while s < n:
        e = min(n, s + 256)
        least = np.int64(0); most = np.int64(0)
        for i in range(s, e):
            least = min(least, index[i])
            most = max(most, index[i])
            {ahead}
        if least >= 0 and most < length:
            for i in range(s, e):
                o[i] = u{width}(x + index[i] * step)[0]
        else:
            for i in range(s, e):
                k = index[i]
                k += length if k < 0 else 0
                outside = np.uint64(k) >= np.uint64(length)
                wrong |= np.int64(outside)
                o[i] = u{width}(x + (0 if outside else k * step))[0]
        s = e
    if wrong:
        i8(ld64(args + 40))[0] = 1"""

_ROWS = f"""    x = ld64(args); out = ld64(args + 8); index = i8(ld64(args + 16)); length = ld64(args + 24); step = ld64(args + 32)
    bad = i8(ld64(args + 40)); item = ld64(args + 48)
    for i in range(lo, hi):
        k = index[min(i + {_AHEAD}, hi - 1)]
        k += length if k < 0 else 0
        if np.uint64(k) < np.uint64(length):
            for b in range(0, min(item, 1024), 64):
                prefetch(x + k * step + b)
        k = index[i]
        k += length if k < 0 else 0
        if np.uint64(k) >= np.uint64(length):
            bad[0] = 1
            k = 0
        {{copy}}(out + i * item, x + k * step, item)
    {{fence}}"""


@functools.cache
def _one_index_kernel(item, far, stream):
    """Items of `item` contiguous bytes by one contiguous index: small ones as integers, the others as rows that are fetched ahead.

    `far`: the operand does not lie in the caches, so that fetching small items ahead pays too (it costs a third where it does).
    """
    if item in _INTEGER:
        ahead = "prefetch(x + index[i] * step)" if far else "pass"
        return build.kernel(f"take_items{item}_{int(far)}", _ITEMS.format(width=item, ahead=ahead))
    copy = "memcpy" if item % 64 else "nt_copy" if stream else "copy64"
    return build.kernel(f"take_rows_{copy}", _ROWS.format(copy=copy, fence="sfence()" if stream else "pass"))


def as_index(index, length, name="index"):
    """An integer index array as int64, broadcast dimensions kept broadcast; raises IndexError for a float or bool one."""
    if index.__class__ is not np.ndarray:
        index = np.asarray(index)
    if index.dtype is _INT64:
        return index
    if index.dtype.kind not in "iu":
        raise IndexError(f"{name} must hold integers, not {index.dtype}")
    if index.dtype == np.uint64 and index.size and int(index.max()) > np.iinfo(np.int64).max:
        raise IndexError(f"{name} {index.max()} is out of bounds for a dimension of length {length}")
    thin = index[tuple(slice(0, 1) if s == 0 else slice(None) for s in index.strides)]
    return np.broadcast_to(thin.astype(np.int64), index.shape)


def _out_of_bounds(indices, lengths):
    """The IndexError that names the first index out of bounds."""
    for index, length in zip(indices, lengths):
        wrong = index[(index < -length) | (index >= length)]
        if wrong.size:
            return IndexError(f"index {wrong.flat[0]} is out of bounds for a dimension of length {length}")
    return None


def check_bounds(indices, lengths):
    """Raise IndexError unless -length <= index < length everywhere (int64 index arrays, one length each)."""
    for index, length in zip(indices, lengths):
        if index.size and (index.min() < -length or index.max() >= length):
            raise _out_of_bounds([index], [length])


def merge(shape, rows):
    """(shape, strides of each operand) with neighbouring dimensions joined where every operand walks them at one stride.

    Fewer dimensions mean longer inner runs. At least one dimension is left.
    """
    joined, strides = [], [[] for _ in rows]
    for d, n in enumerate(shape):
        if n == 1:
            continue
        if joined and all(s[-1] == row[d] * n for s, row in zip(strides, rows)):
            joined[-1] *= n
            for s, row in zip(strides, rows):
                s[-1] = row[d]
        else:
            joined.append(n)
            for s, row in zip(strides, rows):
                s.append(row[d])
    return (joined, strides) if joined else ([1], [[0] for _ in rows])


class Plan:
    """Loop nest of one gather or scatter: `lead` shape, per-item trailing shape, and the argument words."""

    def __init__(self, x, lead, base, indices, lengths, steps, trail_shape, trail_strides):
        """`base` and the indices' strides in bytes, one for each dimension of `lead`; the trailing dimensions are walked too."""
        item = x.itemsize
        trail = list(zip(trail_shape, trail_strides))
        while trail and (trail[-1][1] == item or trail[-1][0] == 1):
            item *= trail.pop()[0]
        shape = list(lead) + [n for n, _ in trail]
        rows = [list(base) + [s for _, s in trail]]
        rows += [list(index.strides) + [0] * len(trail) for index in indices]
        merged_shape, merged = merge(shape, rows)
        self.item = item
        self.count = int(np.prod(merged_shape, dtype=object))
        self.shape, self.base, self.index_strides = merged_shape, merged[0], merged[1:]
        self.indices, self.lengths, self.steps = indices, lengths, steps
        self.x = x

    def words(self, out, bad, first=0, stop=0, values=0):
        """Argument table of the kernels of `loops`: operand, result, dimensions, flag, item's bytes, a range of addresses,
        values, then address, length and step of each index, the shape, the operand's strides and each index's strides."""
        words = [address(self.x), address(out), len(self.shape), address(bad), self.item, first, stop, values]
        for index, length, step in zip(self.indices, self.lengths, self.steps):
            words += [address(index), length, step]
        words += [*self.shape, *self.base]
        for strides in self.index_strides:
            words += strides
        return table(*words)

    @property
    def width(self):
        return self.item if self.item in (1, 2, 4, 8, 16) else 0

    @property
    def unit(self):
        """Every index is contiguous along the innermost run."""
        return all(strides[-1] == 8 for strides in self.index_strides)


def _run_gather(plan, out):
    bad = np.zeros(1, np.int64)
    words = plan.words(out, bad)
    chunk = max(64, _CHUNK_BYTES // plan.item)
    run(_gather_kernel(len(plan.indices), plan.width, plan.unit), plan.count, chunk, address(words))
    if bad[0]:
        raise _out_of_bounds(plan.indices, plan.lengths)
    return out


def take_plan(x, index, axis):
    """Plan of x[(slice(None),) * axis + (index,)]."""
    lead = x.shape[:axis] + index.shape
    spread = np.broadcast_to(index, lead)
    base = x.strides[:axis] + (0,) * index.ndim
    return Plan(x, lead, base, [spread], [x.shape[axis]], [x.strides[axis]], x.shape[axis + 1 :], x.strides[axis + 1 :])


class _Take:
    """What is known of a take by one contiguous index before the addresses are."""

    __slots__ = ("chunk", "count", "dtype", "item", "kernels", "length", "pooled", "shape", "spare", "step")

    def __init__(self, x, index, axis):
        self.shape = x.shape[:axis] + index.shape + x.shape[axis + 1 :]
        self.item = prod(x.shape[axis + 1 :]) * x.itemsize
        self.count, self.length, self.step = index.size, x.shape[axis], x.strides[axis]
        self.dtype = x.dtype
        self.spare = []  # flags that no call is using, with their addresses
        size = self.count * self.item
        self.pooled = pool.size_class(size)
        self.chunk = max(1, _CHUNK_BYTES // (self.item if self.item >= 64 else 8))
        past_caches = size > _STREAM_BYTES and self.item % 64 == 0
        # Which one it is depends on where the result begins: only whole cache lines are stored past the caches.
        far = self.length * abs(self.step) > last_level_cache() // 2
        self.kernels = _one_index_kernel(self.item, far, False), _one_index_kernel(self.item, far, past_caches)

    def __call__(self, x, index):
        """The elements, or None where an index is out of bounds."""
        out = pool.take(self.pooled, self.shape, self.dtype)
        try:
            bad, flag = self.spare.pop()
        except IndexError:
            bad = np.zeros(1, np.int64)
            bad, flag = memoryview(bad), address(bad)
        target = address(out)
        kernel = self.kernels[target % 64 == 0]
        run(kernel, self.count, self.chunk, address(x), target, address(index), self.length, self.step, flag, self.item)
        if bad[0]:
            return None
        self.spare.append((bad, flag))
        return out


_takes = {}  # (shape and strides of the operand, dtype, shape of the index, axis) -> _Take, or None where it takes a `Plan`


def _take_of(x, index, axis):
    if not (index.flags.c_contiguous and index.size and x.size and prod(x.shape[:axis]) == 1):
        return None
    trailing = x[(0,) * (axis + 1)] if axis + 1 < x.ndim else None
    return _Take(x, index, axis) if trailing is None or trailing.flags.c_contiguous else None


def prepared(x, index, axis):
    """The `_Take` of operands with these layouts (index: int64), or None."""
    key = x.shape, x.strides, x.dtype, index.shape, index.strides, axis
    try:
        return _takes[key]
    except KeyError:
        if len(_takes) >= _REMEMBERED:
            _takes.clear()
        made = _takes[key] = _take_of(x, index, axis)
        return made


def take(x, indices, axis=0):
    """x at integer `indices` along `axis`: shape x.shape[:axis] + indices.shape + x.shape[axis+1:].

    Negative indices count from the end; IndexError where one is out of bounds. Scratch: an int64 copy of indices of another dtype.
    """
    axis = axis % x.ndim
    index = as_index(indices, x.shape[axis])
    made = prepared(x, index, axis)
    if made is None:
        shape = x.shape[:axis] + index.shape + x.shape[axis + 1 :]
        if not x.size or not prod(shape):
            return np.take(x, index, axis)
        return _run_gather(take_plan(x, index, axis), pool.empty(shape, x.dtype))
    out = made(x, index)
    if out is None:
        raise _out_of_bounds([index], [made.length])
    return out


def along_plan(x, indices, axis):
    """Plan of take_along_axis, and the shape of its result."""
    if indices.ndim != x.ndim:
        raise ValueError(f"indices of shape {indices.shape} and x of shape {x.shape} differ in their number of dimensions")
    index = as_index(indices, x.shape[axis])
    others = np.broadcast_shapes(x.shape[:axis] + (1,) + x.shape[axis + 1 :], index.shape[:axis] + (1,) + index.shape[axis + 1 :])
    shape = others[:axis] + (index.shape[axis],) + others[axis + 1 :]
    strides = broadcast_strides(x, others[:axis] + (x.shape[axis],) + others[axis + 1 :])
    base = [0 if d == axis else s for d, s in enumerate(strides)]
    return Plan(x, shape, base, [np.broadcast_to(index, shape)], [x.shape[axis]], [x.strides[axis]], (), ()), shape


def broadcast_strides(x, shape):
    """Strides of x broadcast to `shape` (of as many dimensions)."""
    return [0 if n != m else s for n, m, s in zip(x.shape, shape, x.strides)]


def take_along_axis(x, indices, axis=-1):
    """Element at indices[p] along `axis` for each position p of `indices`, whose other dimensions broadcast against those of x."""
    axis = axis % x.ndim
    plan, shape = along_plan(x, indices, axis)
    if not plan.count or not x.size:
        return np.take_along_axis(x, plan.indices[0], axis=axis)
    return _run_gather(plan, pool.empty(shape, x.dtype))


def index_plan(x, index_arrays):
    """Plan of x[i0, i1, ..., :] for int64 index arrays of one common shape, and the shape of the result."""
    count = len(index_arrays)
    lead = index_arrays[0].shape
    plan = Plan(x, lead, (0,) * len(lead), index_arrays, list(x.shape[:count]), list(x.strides[:count]), x.shape[count:], x.strides[count:])
    return plan, lead + x.shape[count:]


def index_arrays_of(x, index_arrays):
    if not 1 <= len(index_arrays) <= x.ndim:
        raise IndexError(f"{len(index_arrays)} index arrays for an array of {x.ndim} dimensions (shape {x.shape})")
    arrays = [as_index(index, n) for index, n in zip(index_arrays, x.shape)]
    try:
        shape = np.broadcast_shapes(*[a.shape for a in arrays])
    except ValueError:
        raise IndexError(f"index arrays of shapes {', '.join(str(a.shape) for a in arrays)} cannot be broadcast together") from None
    return [np.broadcast_to(a, shape) for a in arrays]


def gather(x, index_arrays):
    """x[i0, i1, ..., :]: integer arrays, broadcast against each other, for the leading dimensions of x.

    Shape: that of the index arrays, then the dimensions of x that no index replaces. IndexError where an index is out of bounds.
    """
    arrays = index_arrays_of(x, index_arrays)
    plan, shape = index_plan(x, arrays)
    if not plan.count or not x.size:
        return x[tuple(arrays)]
    return _run_gather(plan, pool.empty(shape, x.dtype))
