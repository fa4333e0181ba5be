"""Boolean masks: mask_select, nonzero and mask_assign.

Two passes over fixed chunks: count what each chunk keeps, then let each write at its own offset. Compaction has no branch that
depends on the mask: every element is written where the next kept one belongs, and the place advances only past kept ones.
"""

import numpy as np

from .. import build
from . import pool
from .buckets import table
from .driver import address, run
from .gather import broadcast_strides, gather, merge
from .scatter import put

_CHUNK = 8192
_POINTER = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}
_HEAD = 8


def _walk(body, before="", after="", contiguous=False, compact=False):
    """Kernel body: chunks [lo, hi) of the mask's elements in C order, one run along the last dimension after the other.

    Argument words: mask, x, out, offsets (of chunks), size, dims, values, the last value's index, then shape[dims], the mask's
    strides[dims] and x's.
    `body` (sixteen spaces) sees `keep`, whether the mask's byte is not 0 (memory from outside may hold others than 1), the
    element's address `at` and the place `k`, which it advances; chunk c's part of the result ends at `end`. `before` and `after` a
    run: twelve spaces. With `compact` every element is written at place k, kept or not: the loop stops at the chunk's last kept
    element, since the place behind it belongs to the next chunk, and looks only every `end - k` elements, which cannot overrun.
    """
    loop = """            for j in range(run):
"""
    if compact:
        loop = """            j0 = np.int64(0)
            while j0 < run and k < end:
              free = min(run - j0, end - k)
              for j in range(j0, j0 + free):
"""
    mask = "u1(m)[j]" if contiguous else "u1(m + j * mask_inner)[0]"
    return f"""    w = i8(ld64(args))
    out = w[2]; offsets = i8(w[3]); n = w[4]; dims = w[5]; value = w[6]; last = dims - 1
    shape = {_HEAD}; mask_strides = shape + dims; strides = mask_strides + dims
    length = w[shape + last]; mask_inner = w[mask_strides + last]; inner = w[strides + last]
    for chunk in range(lo, hi):
        i = chunk * {_CHUNK}
        stop = min(n, i + {_CHUNK})
        k = offsets[chunk]
        end = offsets[chunk + 1]
        while i < stop:
            rest = i
            m = w[0]
            p = w[1]
            for b in range(dims):
                d = last - b
                c = rest % w[shape + d]
                rest //= w[shape + d]
                m += c * w[mask_strides + d]
                p += c * w[strides + d]
            run = min(stop - i, length - i % length)
            run0 = i % length
{before}{loop}                keep = {mask} != 0
                at = p + j * inner
{body}
{"              j0 += free" if compact else ""}
{after}            i += run"""


def _words(mask, x, out, offsets, value=0, most=0):
    shape, (mask_strides, strides) = merge(mask.shape, [mask.strides, broadcast_strides(x, mask.shape)])
    words = [address(mask), address(x), address(out), address(offsets), mask.size, len(shape), value, most, *shape, *mask_strides, *strides]
    return table(*words), mask_strides[-1] == 1


def _chunks(mask):
    return -(-mask.size // _CHUNK)


def _offsets(mask):
    """offsets[c]: elements kept before chunk c; the last entry is their number."""
    offsets = np.zeros(_chunks(mask) + 1, np.int64)
    if mask.flags.c_contiguous:
        # Kept elements are added up 128 at a time, so that the sums fit a byte and the loop vectorises.
        code = f"""    mask = u1(ld64(args)); counts = i8(ld64(args + 8)); n = ld64(args + 16)
    for c in range(lo, hi):
        s = c * {_CHUNK}
        e = min(n, s + {_CHUNK})
        total = np.int64(0)
        while s < e:
            q = min(e, s + 128)
            a = np.uint8(0)
            for i in range(s, q):
                a = np.uint8(a + (mask[i] != 0))
            total += np.int64(a)
            s = q
        counts[c + 1] = total"""
        run(build.kernel("mask_count", code), len(offsets) - 1, 32, address(mask), address(offsets), mask.size)
    else:
        body = "                k += np.int64(keep)"
        code = _walk(body).replace("k = offsets[chunk]", "k = np.int64(0)") + "\n        i8(out)[chunk + 1] = k"
        words, _ = _words(mask, mask, offsets, offsets)
        run(build.kernel("mask_count_strided", code), len(offsets) - 1, 8, address(words))
    np.cumsum(offsets, out=offsets)
    return offsets


def count_nonzero(mask):
    """Number of True elements of a boolean array, as an int."""
    return int(_offsets(mask)[-1])


def mask_select(x, mask):
    """x[mask] in C order: 1-D of as many elements as `mask` has True.

    `mask`: boolean of x's shape, or of its leading dimensions (then rows are kept: shape (count, *x.shape[mask.ndim:])).
    IndexError where the shapes do not fit. Scratch: one offset for each 8192 elements (rows: their int64 positions).
    """
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(f"a boolean index of shape {mask.shape} does not fit an array of shape {x.shape}")
    if not x.size or not mask.ndim:
        return x[mask]
    if mask.ndim < x.ndim:
        return gather(x, nonzero(mask))
    offsets = _offsets(mask)
    out = pool.empty((int(offsets[-1]),), x.dtype)
    words, contiguous = _words(mask, x, out, offsets)
    kind = _POINTER[x.itemsize]
    contiguous = contiguous and x.flags.c_contiguous
    body = f"""                {kind}(out)[k] = {f"{kind}(p)[j]" if contiguous else f"{kind}(at)[0]"}
                k += np.int64(keep)"""
    fn = build.kernel(f"mask_select{x.itemsize}_{int(contiguous)}", _walk(body, contiguous=contiguous, compact=True))
    run(fn, _chunks(mask), 8, address(words))
    return out


def nonzero(x):
    """Positions of the elements that are not zero, in C order: one int64 array for each dimension of x (at least one).

    Scratch: one byte an element where x is not boolean.
    """
    if not x.size or not x.ndim:
        return tuple(np.asarray(i, np.int64) for i in np.nonzero(x))
    mask = x if x.dtype.kind == "b" else x != 0
    offsets = _offsets(mask)
    count = int(offsets[-1])
    out = [pool.empty((count,), np.int64) for _ in range(mask.ndim)]
    # Dimensions are not joined here: every coordinate is wanted.
    words = [address(mask), address(mask), 0, address(offsets), mask.size, mask.ndim, 0, 0, *mask.shape, *mask.strides, *mask.strides]
    words += [address(o) for o in out]
    args = table(*words)
    contiguous = mask.strides[-1] == 1
    body = """                here[k] = run0 + j
                k += np.int64(keep)"""
    before = """            here = i8(w[strides + dims + last])
            first = k
"""
    after = """            rest = i
            for b in range(dims):
                d = last - b
                c = rest % w[shape + d]
                rest //= w[shape + d]
                if b > 0:
                    there = i8(w[strides + dims + d])
                    for q in range(first, k):
                        there[q] = c
"""
    run(build.kernel(f"nonzero_{int(contiguous)}", _walk(body, before, after, contiguous, compact=True)), _chunks(mask), 8, address(args))
    return tuple(out)


def mask_assign(x, mask, values):
    """x[mask] = values, in place: `values` is a scalar, or 1-D with one value for each True of `mask` in C order.

    `mask` has x's shape, or that of its leading dimensions (then `values` broadcasts to the shape of x[mask]). ValueError where the
    number of values does not fit, IndexError where the shape of the mask does not; x is then as it was.
    """
    if mask.shape != x.shape[: mask.ndim]:
        raise IndexError(f"a boolean index of shape {mask.shape} does not fit an array of shape {x.shape}")
    values = np.asarray(values)
    if not x.size or not mask.ndim or not x.dtype.isnative:
        x[mask] = values
        return
    if mask.ndim < x.ndim:
        put(x, nonzero(mask), values)
        return
    values = np.asarray(values, x.dtype)
    if np.may_share_memory(mask, x):
        mask = mask.copy()
    single = values.size == 1
    if single:
        offsets = np.zeros(_chunks(mask) + 1, np.int64)
    else:
        offsets = _offsets(mask)
        count = int(offsets[-1])
        if values.shape != (count,):
            raise ValueError(f"{count} elements of an array of shape {x.shape} are masked, but the values have shape {values.shape}")
        if not count:
            return
        values = values.copy() if np.may_share_memory(values, x) else np.ascontiguousarray(values)
    words, contiguous = _words(mask, x, x, offsets, address(values), values.size - 1)
    kind = _POINTER[x.itemsize]
    contiguous = contiguous and x.flags.c_contiguous
    target = f"{kind}(p)[j]" if contiguous else f"{kind}(at)[0]"
    if single:
        body = f"""                if keep:
                    {target} = fill"""
        code = _walk(body, contiguous=contiguous).replace("last = dims - 1\n", f"last = dims - 1; fill = {kind}(value)[0]\n")
    else:
        # Values are taken without a branch; behind the last one the last is read again.
        body = f"""                new = {kind}(value)[min(k, most)]
                old = {target}
                {target} = new if keep else old
                k += np.int64(keep)"""
        code = _walk(body, contiguous=contiguous).replace("last = dims - 1\n", "last = dims - 1; most = w[7]\n")
    run(build.kernel(f"mask_assign{x.itemsize}_{int(single)}_{int(contiguous)}", code), _chunks(mask), 8, address(words))
