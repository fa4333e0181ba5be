"""Scans of integers: over the threads of a block, inside other kernels, and of a whole tensor of counts in place."""

import numpy as np

from .kernel import Kernel
from .tensor import like

THREADS, ITEMS = 256, 8  # of a block, and what each of its threads scans by itself
INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)
ALL = 0xFFFFFFFF  # the lanes of a warp


def scan_of_block(target, dtype, threads):
    """A device function (value, t, scratch) -> (the sum of the values of the threads before t, the sum of all). Every thread of the block
    calls it; `scratch`: a shared array of `dtype`, of 32 elements."""
    cuda, I = target.cuda, target.type(dtype)
    WARPS = threads // 32

    def scan_of_block(value, t, scratch):
        lane, warp = t % 32, t // 32
        upto = I(value)
        for s in range(5):
            below = cuda.shfl_up_sync(ALL, upto, 1 << s)
            if lane >= 1 << s:
                upto = I(upto + below)
        if lane == 31:
            scratch[warp] = upto
        cuda.syncthreads()
        if warp == 0:
            part = I(0)
            if lane < WARPS:
                part = scratch[lane]
            for s in range(5):
                below = cuda.shfl_up_sync(ALL, part, 1 << s)
                if lane >= 1 << s:
                    part = I(part + below)
            scratch[lane] = part
        cuda.syncthreads()
        before = I(0)
        if warp > 0:
            before = scratch[warp - 1]
        total = scratch[WARPS - 1]
        cuda.syncthreads()  # so that the scratch may be used again
        return I(before + upto - value), total

    return target.device(scan_of_block)


def sums_of_chunks(target, dtype, threads, items):
    """The sum of each block's chunk of threads * items integers."""
    cuda, I = target.cuda, target.type(dtype)
    scan = scan_of_block(target, dtype, threads)

    def sums_of_chunks(sums, x, n):
        scratch = cuda.shared.array(32, I)
        t, b = cuda.threadIdx.x, cuda.blockIdx.x
        own = I(0)
        for j in range(items):
            i = (b * items + j) * threads + t
            if i < n:
                own = I(own + x[i])
        _, total = scan(own, t, scratch)
        if t == 0:
            sums[b] = total

    return sums_of_chunks


def scan_in_place(target, dtype, threads, items, starts):
    """Each integer replaced by the sum of those before it: within the chunk, or (starts) with those of the chunks before."""
    cuda, I = target.cuda, target.type(dtype)
    scan = scan_of_block(target, dtype, threads)

    def scan_in_place(x, before, n):
        scratch = cuda.shared.array(32, I)
        own = cuda.local.array(items, I)
        t, b = cuda.threadIdx.x, cuda.blockIdx.x
        first = (b * threads + t) * items
        total = I(0)
        for j in range(items):
            v = I(0)
            if first + j < n:
                v = x[first + j]
            own[j] = v
            total = I(total + v)
        sum_, _ = scan(total, t, scratch)
        if starts:
            sum_ = I(sum_ + before[b])
        for j in range(items):
            if first + j < n:
                x[first + j] = sum_
            sum_ = I(sum_ + own[j])

    return scan_in_place


def exclusive(x, threads=THREADS, items=ITEMS):
    """A contiguous tensor of int32 or int64: each element becomes the sum of those before it. In place; returns it."""
    n, chunk = x.size, threads * items
    driver, code = x.driver, x.dtype.str[1:]
    blocks = -(-n // chunk)
    if blocks > 1:
        sums = like(x, (blocks,))
        Kernel(sums_of_chunks, (x.dtype, threads, items), f"*{code} *{code} i8", threads).launch(
            driver, blocks, threads, sums.address, x.address, n
        )
        exclusive(sums, threads, items)
    else:
        sums = x
    if blocks:
        Kernel(scan_in_place, (x.dtype, threads, items, blocks > 1), f"*{code} *{code} i8", threads).launch(
            driver, blocks, threads, x.address, sums.address, n
        )
    return x


def blocks_for(size, threads=THREADS, most=1 << 16):
    """How many blocks walk `size` elements in strides of the grid."""
    return max(1, min(-(-size // threads), most))


def counts_dtype(total):
    """The type of counts that sum up to `total`."""
    return INT32 if total < 1 << 31 else INT64


def every():
    """All kernels of this module."""
    for dtype in (INT32, INT64):
        code = dtype.str[1:]
        yield Kernel(sums_of_chunks, (dtype, THREADS, ITEMS), f"*{code} *{code} i8", THREADS)
        for starts in (False, True):
            yield Kernel(scan_in_place, (dtype, THREADS, ITEMS, starts), f"*{code} *{code} i8", THREADS)
