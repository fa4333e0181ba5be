"""Copies that put pieces side by side: concat, repeat, tile and roll.

Contiguous pieces are plain memory: a list of segments, cut into equal parts for the threads. What is small, strided or of
tiny pieces goes to NumPy, into memory of the pool.
"""

import functools
from math import prod

import numpy as np

from .. import build
from . import pool
from .driver import address, run

JOIN_CROSSOVER_BYTES = 1 << 18  # bytes of the result
CONCAT_CROSSOVER_BYTES = 1 << 20  # concat is a few copies to NumPy too: 0.8 MB in 12 us, of which two cores could save 4
_PIECE = 1 << 16  # bytes that are copied at once
_STREAM_BYTES = 48 << 20  # results larger than this bypass the caches
_LEAST_BLOCK = 32  # bytes of a row's piece below which a copy is mostly overhead


@functools.cache
def _segments_kernel(stream):
    if stream:
        copy = """        head = min(size, (-dst) & 63)
        memcpy(dst, src, head)
        body = (size - head) // 64 * 64
        nt_copy(dst + head, src + head, body)
        memcpy(dst + head + body, src + head + body, size - head - body)"""
    else:
        copy = "        memcpy(dst, src, size)"
    # Words of a segment: first piece, source, destination, bytes.
    return build.kernel(
        f"join_segments_{int(stream)}",
        f"""    w = i8(ld64(args)); count = ld64(args + 8)
    s = np.int64(0)
    for c in range(lo, hi):
        while s + 1 < count and w[4 * (s + 1)] <= c:
            s += 1
        start = (c - w[4 * s]) * {_PIECE}
        src = w[4 * s + 1] + start
        dst = w[4 * s + 2] + start
        size = min(w[4 * s + 3] - start, {_PIECE})
{copy}
    {"sfence()" if stream else "pass"}""",
    )


@functools.cache
def _join_rows_kernel():
    """Row i of the result is row i of every operand in turn; words of an operand: address, bytes of a row, place in the row."""
    return build.kernel(
        "join_rows",
        """    w = i8(ld64(args)); count = ld64(args + 8); out = ld64(args + 16); width = ld64(args + 24)
    for i in range(lo, hi):
        row = out + i * width
        for k in range(count):
            memcpy(row + w[3 * k + 2], w[3 * k] + i * w[3 * k + 1], w[3 * k + 1])""",
    )


def concat(arrays, axis=0):
    """Arrays of one dtype joined along `axis` (None: flattened first): C-contiguous. Shapes as for np.concatenate, which raises.

    Scratch: none where the operands are contiguous; NumPy copies the others straight into the result.
    """
    if axis is None:
        arrays, axis = [a.reshape(-1) for a in arrays], 0
    first = arrays[0]
    dtype, ndim = first.dtype, first.ndim
    if not -ndim <= axis < ndim:
        return np.concatenate(arrays, axis=axis)
    axis %= ndim
    before, after = first.shape[:axis], first.shape[axis + 1 :]
    length, sizes, plain = 0, [], True
    for a in arrays:
        shape = a.shape
        if len(shape) != ndim or shape[:axis] != before or shape[axis + 1 :] != after or a.dtype != dtype:
            return np.concatenate(arrays, axis=axis)
        length += shape[axis]
        sizes.append(a.nbytes)
        plain = plain and a.flags.c_contiguous
    if not any(sizes) or sum(sizes) < CONCAT_CROSSOVER_BYTES:
        return np.concatenate(arrays, axis=axis)
    out = pool.empty((*before, length, *after), dtype)
    rows = prod(before)
    if not plain or (rows > 1 and min(filter(None, sizes)) // rows < _LEAST_BLOCK):
        return np.concatenate(arrays, axis=axis, out=out)
    words, place, start = [], 0, address(out)
    if rows == 1:
        pieces = 0
        for a, size in zip(arrays, sizes):
            if size:
                words += (pieces, address(a), start + place, size)
                pieces += -(-size // _PIECE)
                place += size
        segments = np.array(words, np.int64)
        run(_segments_kernel(place > _STREAM_BYTES), pieces, 1, address(segments), len(words) // 4)
    else:
        for a, size in zip(arrays, sizes):
            words += (address(a), size // rows, place)
            place += size // rows
        segments = np.array(words, np.int64)
        run(_join_rows_kernel(), rows, max(1, _PIECE // place), address(segments), len(arrays), start, place)
    return out


@functools.cache
def _repeat_kernel(width, times):
    """Elements of `width` bytes, each `times` times in a row (0: known at run time)."""
    name, count = f"repeat{width}_{times}", times or "times"
    return build.kernel(
        name,
        f"""    x = u{width}(ld64(args)); times = ld64(args + 16)
    for i in range(lo, hi):
        o = u{width}(ld64(args + 8) + i * {count} * {width})
        v = x[i]
        for j in range({count}):
            o[j] = v""",
    )


def repeat(x, repeats, axis=None):
    """Each element (slice along `axis`) `repeats` times: an int, or an integer array with one number for each. As np.repeat.

    axis None: of the flattened x. ValueError for a negative number or one that does not broadcast (NumPy's).
    """
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis % max(x.ndim, 1)
    times = int(np.asarray(repeats).reshape(())) if np.size(repeats) == 1 else None
    bulk = int(np.prod(x.shape[axis + 1 :], dtype=np.int64)) * x.itemsize
    if times is None or times < 2 or x.nbytes * times < JOIN_CROSSOVER_BYTES or bulk not in (1, 2, 4, 8) or not x.flags.c_contiguous:
        return np.repeat(x, repeats, axis=axis)
    shape = x.shape[:axis] + (x.shape[axis] * times,) + x.shape[axis + 1 :]
    out = pool.empty(shape, x.dtype)
    n = x.nbytes // bulk
    # A constant count unrolls into a few vector stores; a count known at run time takes three times as long below 16.
    kernel = _repeat_kernel(bulk, times if times <= 8 else 0)
    run(kernel, n, max(1, (1 << 16) // times), address(x), address(out), times)
    return out


def tile(x, reps):
    """x repeated `reps` times along each dimension, as np.tile."""
    reps = (reps,) if np.ndim(reps) == 0 else tuple(int(r) for r in reps)
    shape = (1,) * (len(reps) - x.ndim) + x.shape
    reps = (1,) * (len(shape) - len(reps)) + reps
    window = x.reshape(shape)
    repeated = [d for d, r in enumerate(reps) if r != 1]
    if len(repeated) == 1 and 1 < reps[repeated[0]] <= 1024:
        return concat([window] * reps[repeated[0]], repeated[0])
    out = pool.empty(tuple(n * r for n, r in zip(shape, reps)), x.dtype)
    # Dimensions (r0, n0, r1, n1, ...): one broadcast copy.
    split = out.reshape([k for pair in zip(reps, shape) for k in pair])
    np.copyto(split, window.reshape([k for n in shape for k in (1, n)]))
    return out


def roll(x, shift, axis=None):
    """Elements moved `shift` places along `axis` (None: of the flattened array), those pushed out coming in at the other end.

    `shift` and `axis`: ints, or tuples of one length, as np.roll. Always a new array.
    """
    if axis is None and np.ndim(shift) == 0:
        return roll(x.reshape(-1), shift, 0).reshape(x.shape)
    if x.nbytes < JOIN_CROSSOVER_BYTES or np.ndim(shift) or np.ndim(axis) or not -x.ndim <= axis < x.ndim:
        return np.roll(x, shift, axis)
    axis %= x.ndim
    n = x.shape[axis]
    cut = -int(shift) % n
    before = (slice(None),) * axis
    parts = [x[(*before, slice(cut, None))], x[(*before, slice(0, cut))]]
    return concat(parts, axis) if axis == 0 else np.concatenate(parts, axis, out=pool.empty(x.shape, x.dtype))
