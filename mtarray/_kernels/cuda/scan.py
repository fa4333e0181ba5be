"""Scans: running sums, products, and running combines of the user's, along any axis of a tensor of any layout.

Reduce, then scan: where there are few lines each is cut into leaves; a first pass finds what each leaf combines to, these are scanned (by
the same kernels), and the last pass writes each leaf from what comes before it. Leaves follow from the shape and the device, and every
combination stands in the order of the line, so that a device gives the same bits in every run and functions need not commute.
"""

from functools import lru_cache
from math import prod

import numpy as np

from . import folding
from .folding import WAVE, kept_words, placing, shuffles, stored
from .kernel import Kernel, code_of
from .reduce import combining
from .tensor import Tensor, like

THREADS, ITEMS = 256, 8  # of a block along a line, and neighbouring elements of a thread
ALONE = 128  # threads of a block, where each goes along a line
SHORT = 32  # elements of lines that one thread takes alone


def _functions(target, kind, total):
    """The type of running values, how elements become some, and what combines two."""
    logical = kind in ("and", "or") or total.kind == "b"
    total = stored(total)
    T = target.type(total)

    def element(v):
        if logical:
            return T(1) if v != 0 else T(0)
        return T(v)

    return T, target.device(element), combining(target, kind, total, T, logical)


def scan_rows(target, kind, x, total, result, threads, items, writes):
    """A block takes a leaf of a line, a tile of threads * items elements at a time, and writes the running values, or the last of all."""
    cuda = target.cuda
    T, element, join = _functions(target, kind, total)
    R, decides = target.type(stored(result)), result.kind == "b"
    _, up = shuffles(target, stored(total))
    place = placing(target)
    TILE = threads * items
    SPACE, WARPS = TILE + TILE // 32, threads // 32  # a gap after 32 elements spreads those of neighbouring threads over the banks

    def scan_rows(x, out, before, lines, leaves, size, n, s, os, m0, k0, o0, m1, k1, o1, k2, o2):
        shared = cuda.shared.array(SPACE, T)
        totals = cuda.shared.array(WARPS, T)
        own = cuda.local.array(items, T)
        t = cuda.threadIdx.x
        lane, warp = t % 32, t // 32
        item = cuda.blockIdx.x + 0
        leaf = item // lines
        line = item - leaf * lines
        a, z = place(line, m0, k0, o0, m1, k1, o1, k2, o2)
        start = leaf * size
        stop = start + size if start + size < n else n
        has = leaf > 0 and writes
        carry = element(x[a])
        if has:
            carry = before[(leaf - 1) * lines + line]
        while start < stop:
            m = stop - start if stop - start < TILE else TILE
            for j in range(items):  # what lies beyond the end comes after all that is written
                i = j * threads + t
                shared[i + i // 32] = element(x[a + (start + (i if i < m else m - 1)) * s])
            cuda.syncthreads()
            for j in range(items):
                i = t * items + j
                own[j] = shared[i + i // 32]
                if j > 0:
                    own[j] = join(own[j - 1], own[j])
            upto = own[items - 1]
            for k in range(5):
                other = up(upto, 1 << k)
                if lane >= 1 << k:
                    upto = join(other, upto)
            if lane == 31:
                totals[warp] = upto
            previous = up(upto, 1)
            cuda.syncthreads()
            begun, base = has, carry
            for w in range(WARPS):
                if w < warp:
                    base = join(base, totals[w]) if begun else totals[w]
                    begun = True
            if lane > 0:
                base = join(base, previous) if begun else previous
                begun = True
            if writes:
                for j in range(items):
                    i = t * items + j
                    shared[i + i // 32] = join(base, own[j]) if begun else own[j]
                cuda.syncthreads()
                for j in range(items):
                    i = j * threads + t
                    if i < m:
                        v = shared[i + i // 32]
                        if decides:
                            out[z + (start + i) * os] = R(1) if v != 0 else R(0)
                        else:
                            out[z + (start + i) * os] = R(v)
                carry = shared[m - 1 + (m - 1) // 32]
            else:
                if t == threads - 1:
                    shared[0] = join(base, own[items - 1]) if begun else own[items - 1]
                cuda.syncthreads()
                carry = shared[0]
            has = True
            cuda.syncthreads()
            start += TILE
        if not writes and t == 0:
            before[leaf * lines + line] = carry

    return scan_rows


def scan_columns(target, kind, x, total, result, writes):
    """A thread takes a leaf of a line, eight elements at a time, and writes the running values, or the last of all."""
    cuda, X = target.cuda, target.type(stored(x))
    _T, element, join = _functions(target, kind, total)
    R, decides = target.type(stored(result)), result.kind == "b"
    place = placing(target)

    def scan_columns(x, out, before, lines, leaves, size, n, s, os, m0, k0, o0, m1, k1, o1, k2, o2):
        item = cuda.grid(1)
        if item < lines * leaves:
            v = cuda.local.array(8, X)
            leaf = item // lines
            line = item - leaf * lines
            a, z = place(line, m0, k0, o0, m1, k1, o1, k2, o2)
            start = leaf * size
            stop = start + size if start + size < n else n
            has = leaf > 0 and writes
            carry = element(x[a])
            if has:
                carry = before[(leaf - 1) * lines + line]
            while start < stop:
                for k in range(8):
                    i = start + k
                    v[k] = x[a + (i if i < stop else stop - 1) * s]
                for k in range(8):
                    i = start + k
                    if i < stop:
                        carry = join(carry, element(v[k])) if has else element(v[k])
                        has = True
                        if writes:
                            if decides:
                                out[z + i * os] = R(1) if carry != 0 else R(0)
                            else:
                                out[z + i * os] = R(carry)
                start += 8
            if not writes:
                before[leaf * lines + line] = carry

    return scan_columns


def scan(scalar, x, axis, accumulate, result, identity, include_initial, threads=THREADS, items=ITEMS, leaf=None):
    """Running combines of the elements along `axis`, in the dtype `result`; with `include_initial` after `identity`, one more of them.

    scalar: the associative two-argument `Scalar`, or one of the CPU's names. Elements are cast to `accumulate` before they are combined;
    sums and products of floats run in float64. threads, items: of a block, and of each of its threads; leaf: the fewest elements of a leaf.
    """
    from mtarray._kernels.cpu.combine import as_combine
    from mtarray._kernels.cpu.templates import choose_types

    if x.ndim == 0:
        x = x.window((1,), (0,))
    shape = list(x.shape)
    shape[axis] += include_initial
    out = like(x, shape, result)
    place = out
    if include_initial:
        if out.size:
            from .copying import fill

            fill(out.narrowed(axis, 0, 1), identity)
        place = out.narrowed(axis, 1, shape[axis])
    if x.size:
        combine = as_combine(scalar)
        types = choose_types(combine.kind, x.dtype, accumulate, result)
        _run(types.kind or combine.origin, types.total, x, place, axis, threads, items, leaf)
    return out


def _run(kind, total, x, out, axis, threads, items, leaf):
    steps = _plan(kind, total, x.dtype, x.shape, x.strides, out.dtype, out.strides, axis, x.driver, threads, items, leaf)
    if steps is None:
        _run(kind, total, folding.contiguous(x), out, axis, threads, items, leaf)
        return
    first, second, cut, lines, grids, block, words = steps
    driver = x.driver
    if first is None:
        second.launch(driver, grids[1], block, x.address, out.address, out.buffer.ptr, lines, cut, *words)
        return
    # the totals of all leaves but the last, and their own scan
    totals = Tensor(driver.allocate(cut * lines * total.itemsize), (cut - 1, lines), (lines, 1), 0, total)
    first.launch(driver, grids[0], block, x.address, totals.address, totals.address, lines, cut - 1, *words)
    before = like(totals)
    _run(kind, total, totals, before, 0, threads, items, leaf)
    second.launch(driver, grids[1], block, x.address, out.address, before.address, lines, cut, *words)


@lru_cache(maxsize=4096)
def _plan(kind, total, dtype, shape, strides, result, places, axis, driver, threads, items, leaf):
    n, s, os = shape[axis], strides[axis], places[axis]
    kept = [(m, strides[i], places[i]) for i, m in enumerate(shape) if i != axis and m != 1]
    kept.sort(key=lambda d: -abs(d[1]) if d[1] else -folding.ENDLESS)
    kept = folding.collapsed(kept[::-1])
    if len(kept) > 3:
        return None
    lines = prod([d[0] for d in kept])
    wave, tile = WAVE * driver.multiprocessors, threads * items
    alone = n <= SHORT or (kept and kept[0][0] >= 32 and abs(kept[0][1]) < abs(s))
    block = ALONE if alone else threads
    if alone:
        busy, least, unit = -(-lines // block), leaf or 64, 8
    else:
        busy, least, unit = lines, leaf or 2 * tile, tile
    cut = max(1, min(-(-n // least), -(-wave // busy)))
    size = -(-n // cut)
    size = -(-size // unit) * unit
    cut = -(-n // size)
    words = (size, n, s, os, *kept_words(kept))

    chunks = None if alone else (threads, items)
    first = _kernel(kind, dtype, total, total, False, chunks) if cut > 1 else None
    grids = [-(-lines * c // block) if alone else lines * c for c in (cut - 1, cut)]
    return first, _kernel(kind, dtype, total, result, True, chunks), cut, lines, grids, block, words


def _kernel(kind, dtype, total, result, writes, chunks):
    """The kernel of rows by (threads, items), or of columns (None)."""
    signature = " ".join([f"*{code_of(stored(d))}" for d in (dtype, result, total)]) + " i8" * 14
    if chunks is None:
        return Kernel(scan_columns, (kind, dtype, total, result, writes), signature, ALONE)
    return Kernel(scan_rows, (kind, dtype, total, result, *chunks, writes), signature, chunks[0])


def every():
    """The kernels of running sums and products of every dtype."""
    from mtarray._kernels.cpu.templates import choose_types

    for name in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"):
        x = np.dtype(name)
        wide = np.dtype({"b": "i8", "i": "i8", "u": "u8"}.get(x.kind, name))
        for kind in ("add", "mul"):
            total = choose_types(kind, x, wide, wide).total
            for chunks in (None, (THREADS, ITEMS)):
                yield _kernel(kind, x, total, total, False, chunks)
                yield _kernel(kind, x, total, wide, True, chunks)
