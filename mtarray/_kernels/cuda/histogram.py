"""Counting: how often each of a range of integers occurs, and sums of weights by integers.

Counts are added by integer atomics, in tables of the blocks' own in shared memory where these fit. Sums of floats have the same bits in
every run: each block takes a piece of the elements in their order and adds to a table of its own, where equal integers of a warp are first
summed in the order of its lanes, and the warps take turns; the blocks' tables are summed last. Nothing is sorted.
"""

import numpy as np

from . import atomics
from .folding import ALL, BLOCK, WAVE, contiguous, filled
from .kernel import Kernel, code_of
from .reduce import fold
from .tensor import like

FLOAT64, INT64, INT32 = np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.int32)
SHARED = 8192  # counts of 4 bytes (or half as many sums of 8) that a block keeps in shared memory
PIECE = 4096  # the fewest elements of a block that sums


def count_shared(target, x, bins):
    """A table in shared memory for each block, of `bins` counts at most; less often used ones are of several of its warps' own."""
    cuda, I, L = target.cuda, target.type(INT32), target.type(INT64)
    add = atomics.add(target)

    def count(x, out, n, length, copies):
        table = cuda.shared.array(bins, I)
        t, threads = cuda.threadIdx.x, cuda.blockDim.x
        i = t + 0
        while i < length * copies:
            table[i] = I(0)
            i += threads
        cuda.syncthreads()
        own = t // 32 % copies * length
        i = cuda.grid(1) + 0
        while i < n:
            cuda.atomic.add(table, own + int(x[i]), I(1))
            i += cuda.gridsize(1)
        cuda.syncthreads()
        i = t + 0
        while i < length:
            total = L(0)
            for k in range(copies):
                total = L(total + table[k * length + i])
            if total > 0:
                add(out, i, total)
            i += threads

    return count


def count_global(target, x):
    """All blocks count in the result."""
    cuda, L = target.cuda, target.type(INT64)
    add = atomics.add(target)

    def count(x, out, n):
        i = cuda.grid(1) + 0
        while i < n:
            add(out, int(x[i]), L(1))
            i += cuda.gridsize(1)

    return count


def weigh(target, x, threads, bins):
    """The sums of each block's piece, in a table of shared memory (bins: its length at most) or, without (0), in its row of the result."""
    cuda, F, I = target.cuda, target.type(FLOAT64), target.type(INT64)
    WARPS = threads // 32

    def weigh(x, weights, out, n, length, piece):
        t = cuda.threadIdx.x
        lane, warp = t % 32, t // 32
        b = cuda.blockIdx.x
        if bins > 0:
            table = cuda.shared.array(bins, F)
            i = t + 0
            while i < length:
                table[i] = F(0)
                i += threads
        else:
            i = t + 0
            while i < length:
                out[b * length + i] = F(0)
                i += threads
        cuda.syncthreads()
        start = b * piece
        stop = start + piece if start + piece < n else n
        while start < stop:
            key, w = I(-1), F(0)
            if start + t < stop:
                key, w = I(x[start + t]), F(weights[start + t])
            leads, s = key >= 0, F(0)
            for k in range(32):
                other = cuda.shfl_sync(ALL, key, k)
                v = cuda.shfl_sync(ALL, w, k)
                if other == key:
                    s = F(s + v)
                    if k < lane:
                        leads = False
            for turn in range(WARPS):
                if turn == warp and leads:
                    if bins > 0:
                        table[key] = F(table[key] + s)
                    else:
                        out[b * length + key] = F(out[b * length + key] + s)
                cuda.syncthreads()
            start += threads
        if bins > 0:
            i = t + 0
            while i < length:
                out[b * length + i] = table[i]
                i += threads

    return weigh


def tally(x, *, length, shared=SHARED):
    """How often each of 0 .. length-1 occurs in a one-dimensional tensor of such integers, as int64. shared: see SHARED."""
    out = filled(x, (length,), INT64, 0)
    n = x.size
    if n:
        x = contiguous(x)
        code, grid = code_of(x.dtype), min(-(-n // BLOCK), WAVE * x.driver.multiprocessors)
        if length <= shared:
            copies = max(1, min(BLOCK // 32, shared // length))
            kernel = Kernel(count_shared, (x.dtype, shared), f"*{code} *i8 i8 i8 i8", BLOCK)
            kernel.launch(x.driver, grid, BLOCK, x.address, out.address, n, length, copies)
        else:
            Kernel(count_global, (x.dtype,), f"*{code} *i8 i8", BLOCK).launch(x.driver, grid, BLOCK, x.address, out.address, n)
    return out


def tally_weights(x, weights, *, length, shared=SHARED, piece=PIECE, threads=BLOCK):
    """Sums of float64 weights by the integers 0 .. length-1 in a one-dimensional tensor: the same bits in every run of a device.

    shared: see SHARED; piece: the fewest elements of a block. Scratch: at most 16 bytes for each element and integer.
    """
    n = x.size
    if not n or not length:
        return filled(x, (length,), FLOAT64, 0)
    x, weights = contiguous(x), contiguous(weights)
    held = 2 * length <= shared
    blocks = max(1, min(-(-n // piece), WAVE * x.driver.multiprocessors, 2 * (n + length) // length))
    piece = -(-n // blocks)
    blocks = -(-n // piece)
    out = like(x, (blocks, length), FLOAT64)
    signature = f"*{code_of(x.dtype)} *{code_of(weights.dtype)} *f8 i8 i8 i8"
    kernel = Kernel(weigh, (x.dtype, threads, shared // 2 if held else 0), signature, threads)
    kernel.launch(x.driver, blocks, threads, x.address, weights.address, out.address, n, length, piece)
    return out.reshaped((length,)) if blocks == 1 else fold("add", out, (0,), FLOAT64, FLOAT64, 0)


def every():
    """All kernels of this module that the registry needs."""
    for x in (INT64, INT32):
        code = code_of(x)
        yield Kernel(count_shared, (x, SHARED), f"*{code} *i8 i8 i8 i8", BLOCK)
        yield Kernel(count_global, (x,), f"*{code} *i8 i8", BLOCK)
        for bins in (SHARED // 2, 0):
            yield Kernel(weigh, (x, BLOCK, bins), f"*{code} *f8 *f8 i8 i8 i8", BLOCK)
