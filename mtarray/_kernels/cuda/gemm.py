"""Products of matrices on the device: c = a @ b in tiles that lie in registers, for every dtype, strides and stacks.

A block computes a tile of BM x BN elements, a thread TM x TN of them. BK columns of a and rows of b at a time pass through shared memory,
in two halves: while one is multiplied, the next is on its way from global memory to registers. Where the addresses allow it, 16 bytes are
loaded at once. Products with few tiles and a long inner axis are cut along it: the partial sums are added in order by a second kernel, so
that results do not depend on which block is done first.
"""

from functools import lru_cache

import numpy as np

from .kernel import Kernel, code_of
from .tensor import empty
from .wide import loader, storer

BYTE, INT = np.dtype(np.uint8), np.dtype(np.int32)
# (BM, BN, BK, TM, TN) by dtype, the largest tiles first. Threads: 256.
_LARGE, _MIDDLE, _SMALL = (128, 128, 8, 8, 8), (64, 64, 16, 4, 4), (32, 32, 32, 2, 2)
TILES = {
    "f4": (_LARGE, _MIDDLE, _SMALL),
    "i4": (_LARGE, _MIDDLE, _SMALL),
    "u4": (_LARGE, _MIDDLE, _SMALL),
    "f8": ((64, 64, 16, 4, 4), (32, 32, 32, 2, 2)),
    "c8": ((64, 64, 16, 4, 4), (32, 32, 32, 2, 2)),
    "c16": ((64, 64, 8, 4, 4), (32, 32, 16, 2, 2)),
}
_OTHERS = (_MIDDLE, _SMALL)
_SHORTEST = 256  # of the inner axis, in one part of a product that is cut along it
_STACK = 65535  # blocks along the third axis of a grid


def arithmetic(target, dtype, conj):
    """(type that sums of products are kept in, step(total, a, b) = total + a * b). conj: 1 or 2, the operand that is conjugated. Of bytes,
    which stand for truth values, it is "or" of "and"s; narrow integers are summed in 32 bits, of which the low ones are exact."""
    cuda, T = target.cuda, target.type(dtype)
    kind = dtype.kind
    if kind == "b":
        A = target.type(BYTE)

        def step(total, a, b):
            return A(total | (a & b))

    elif kind in "iu":
        A = target.type(np.dtype(f"{kind}{max(dtype.itemsize, 4)}"))

        def step(total, a, b):
            return A(total + A(A(a) * A(b)))

    elif kind == "f":
        A = T

        def step(total, a, b):
            return cuda.fma(a, b, total)

    else:
        A = T
        if conj == 0:

            def step(total, a, b):
                re = cuda.fma(a.real, b.real, cuda.fma(-a.imag, b.imag, total.real))
                return T(complex(re, cuda.fma(a.real, b.imag, cuda.fma(a.imag, b.real, total.imag))))

        elif conj == 1:

            def step(total, a, b):
                re = cuda.fma(a.real, b.real, cuda.fma(a.imag, b.imag, total.real))
                return T(complex(re, cuda.fma(a.real, b.imag, cuda.fma(-a.imag, b.real, total.imag))))

        else:

            def step(total, a, b):
                re = cuda.fma(a.real, b.real, cuda.fma(a.imag, b.imag, total.real))
                return T(complex(re, cuda.fma(-a.real, b.imag, cuda.fma(a.imag, b.real, total.imag))))

    return A, target.device(step)


def gemm(target, dtype, tile, along_k, along_n, wide_a, wide_b, conj, mode):
    """c = a @ b ("set"), with a row added ("bias"), or c -= a @ b ("subtract").

    along_k: neighbours along k are neighbours in the memory of a; along_n: along n in that of b (they decide which thread loads what).
    wide_a, wide_b: elements that a load takes. Grid: (tiles, parts of the inner axis, products of the stack from z0 on).
    """
    cuda, T = target.cuda, target.type(BYTE if dtype.kind == "b" else dtype)
    A, step = arithmetic(target, dtype, conj)
    I = target.type(INT)
    BM, BN, BK, TM, TN = tile
    ROWS, COLUMNS = BM // TM, BN // TN  # of threads
    THREADS = ROWS * COLUMNS
    F = max(1, min(TM, TN, 16 // dtype.itemsize))  # what a thread reads from shared memory at once
    PM, PN = BM + max(1, 16 // dtype.itemsize), BN + max(1, 16 // dtype.itemsize)  # pitches: columns begin in different banks
    START_B = 2 * BK * PM
    EA, EB = BM * BK // THREADS, BN * BK // THREADS  # elements that a thread brings in
    CA, CB = EA // wide_a, EB // wide_b  # loads
    PER_A = (BK if along_k else BM) // wide_a  # loads side by side
    PER_B = (BN if along_n else BK) // wide_b
    STEP_A, STEP_B = THREADS // PER_A, THREADS // PER_B  # from one load of a thread to its next, along the other axis
    BIAS, SUBTRACT = mode == "bias", mode == "subtract"
    load_a, load_b, read = loader(target, wide_a), loader(target, wide_b), loader(target, F)
    store_a, store_b = storer(target, wide_a), storer(target, wide_b)

    def gemm(c, a, b, bias, m, n, k, am, ak, bk, bn, cm, cn, s, z0, zn, a0, a1, b0, b1, c0, c1, part, cp):
        tiles = cuda.shared.array(0, T)
        acc = cuda.local.array((TM, TN), A)
        fa = cuda.local.array(TM, T)
        fb = cuda.local.array(TN, T)
        ga = cuda.local.array(EA, T)
        gb = cuda.local.array(EB, T)
        t = I(cuda.threadIdx.x)
        tx = I(t % COLUMNS)
        ty = I(t // COLUMNS)
        z = cuda.blockIdx.z + z0
        outer = z // zn
        inner = z - outer * zn
        # Tiles are walked in bands of eight rows, which read the same part of b from the cache.
        nm = (m + BM - 1) // BM
        nn = (n + BN - 1) // BN
        band = cuda.blockIdx.x // (8 * nn)
        tall = nm - band * 8
        if tall > 8:
            tall = 8
        within = cuda.blockIdx.x - band * 8 * nn
        row0 = (band * 8 + within % tall) * BM
        col0 = within // tall * BN
        rows = I(BM)  # of the tile, less at the edge
        if m - row0 < BM:
            rows = I(m - row0)
        columns = I(BN)
        if n - col0 < BN:
            columns = I(n - col0)
        first = cuda.blockIdx.y * part
        left = k - first  # of the inner axis, still to be loaded
        if left > part:
            left = part
        # What the thread loads first: a row and a place along k within the tile.
        if along_k:
            ar, ax = I(t // PER_A), I(t % PER_A * wide_a)
        else:
            ax, ar = I(t // PER_A), I(t % PER_A * wide_a)
        if along_n:
            bx, br = I(t // PER_B), I(t % PER_B * wide_b)
        else:
            br, bx = I(t // PER_B), I(t % PER_B * wide_b)
        at_a = outer * a0 + inner * a1 + (row0 + ar) * am + (first + ax) * ak
        at_b = outer * b0 + inner * b1 + (first + bx) * bk + (col0 + br) * bn
        at_c = outer * c0 + inner * c1 + cuda.blockIdx.y * cp + (row0 + ty * F) * cm + (col0 + tx * F) * cn
        at_row = (col0 + tx * F) * s
        rest_m = I(rows - ty * F)
        rest_n = I(columns - tx * F)
        for i in range(TM):
            for j in range(TN):
                acc[i, j] = A(0)
        half = I(0)
        begun = False
        more = True
        while begun or more:
            more = left > 0
            if more:
                deep = I(BK)
                if left < BK:
                    deep = I(left)
                for q in range(CA):
                    if along_k:
                        inside = I(ar + q * STEP_A) < rows and ax < deep
                        at = at_a + q * STEP_A * am
                    else:
                        inside = ar < rows and I(ax + q * STEP_A) < deep
                        at = at_a + q * STEP_A * ak
                    if inside:
                        load_a(ga, q * wide_a, a, at)
                    else:
                        for v in range(wide_a):
                            ga[q * wide_a + v] = T(0)
                for q in range(CB):
                    if along_n:
                        inside = br < columns and I(bx + q * STEP_B) < deep
                        at = at_b + q * STEP_B * bk
                    else:
                        inside = I(br + q * STEP_B) < columns and bx < deep
                        at = at_b + q * STEP_B * bn
                    if inside:
                        load_b(gb, q * wide_b, b, at)
                    else:
                        for v in range(wide_b):
                            gb[q * wide_b + v] = T(0)
                at_a += BK * ak
                at_b += BK * bk
                left -= BK
            if begun:
                from_a = I(half * (BK * PM) + ty * F)
                from_b = I(START_B + half * (BK * PN) + tx * F)
                for x in range(BK):
                    for g in range(TM // F):
                        read(fa, g * F, tiles, from_a + x * PM + g * (ROWS * F))
                    for g in range(TN // F):
                        read(fb, g * F, tiles, from_b + x * PN + g * (COLUMNS * F))
                    for i in range(TM):
                        for j in range(TN):
                            acc[i, j] = step(acc[i, j], fa[i], fb[j])
            if more:
                half = I(1 - half)
                if along_k:
                    to_a = I(half * (BK * PM) + ax * PM + ar)
                    for q in range(CA):
                        for v in range(wide_a):
                            tiles[to_a + v * PM + q * STEP_A] = ga[q * wide_a + v]
                else:
                    to_a = I(half * (BK * PM) + ax * PM + ar)
                    for q in range(CA):
                        store_a(tiles, to_a + q * STEP_A * PM, ga, q * wide_a)
                to_b = I(START_B + half * (BK * PN) + bx * PN + br)
                if along_n:
                    for q in range(CB):
                        store_b(tiles, to_b + q * STEP_B * PN, gb, q * wide_b)
                else:
                    for q in range(CB):
                        for v in range(wide_b):
                            tiles[to_b + v * PN + q * STEP_B] = gb[q * wide_b + v]
            cuda.syncthreads()
            begun = more
        for i in range(TM):
            r = i // F * (ROWS * F) + i % F
            if r < rest_m:
                for j in range(TN):
                    x = j // F * (COLUMNS * F) + j % F
                    if x < rest_n:
                        at = at_c + r * cm + x * cn
                        if SUBTRACT:
                            c[at] = T(c[at] - acc[i, j])
                        elif BIAS:
                            c[at] = T(acc[i, j] + bias[at_row + x * s])
                        else:
                            c[at] = T(acc[i, j])

    return gemm


def each(target, dtype, conj, mode):
    """The same for small matrices, of which a stack has many: a thread computes one element of c."""
    cuda, T = target.cuda, target.type(BYTE if dtype.kind == "b" else dtype)
    A, step = arithmetic(target, dtype, conj)
    BIAS, SUBTRACT = mode == "bias", mode == "subtract"

    def each(c, a, b, bias, m, n, k, am, ak, bk, bn, cm, cn, s, z0, zn, a0, a1, b0, b1, c0, c1, count):
        i = cuda.grid(1)
        while i < count:
            z = i // (m * n)
            r = i - z * (m * n)
            x = r % n
            r = r // n
            z = z + z0
            outer = z // zn
            inner = z - outer * zn
            at_a = outer * a0 + inner * a1 + r * am
            at_b = outer * b0 + inner * b1 + x * bn
            total = A(0)
            for p in range(k):
                total = step(total, a[at_a + p * ak], b[at_b + p * bk])
            at_c = outer * c0 + inner * c1 + r * cm + x * cn
            if SUBTRACT:
                c[at_c] = T(c[at_c] - total)
            elif BIAS:
                c[at_c] = T(total + bias[x * s])
            else:
                c[at_c] = T(total)
            i += cuda.gridsize(1)

    return each


def sum_of_parts(target, dtype, biased):
    """out[i] = parts[0, i] + parts[1, i] + ..., in this order, and a row of n elements added."""
    cuda, T = target.cuda, target.type(BYTE if dtype.kind == "b" else dtype)
    BOOL = dtype.kind == "b"

    def sum_of_parts(out, parts, bias, count, size, n, s):
        i = cuda.grid(1)
        while i < size:
            total = T(0)
            for p in range(count):
                if BOOL:
                    total = T(total | parts[p * size + i])
                else:
                    total = T(total + parts[p * size + i])
            if biased:
                total = T(total + bias[i % n * s])
            out[i] = total
            i += cuda.gridsize(1)

    return sum_of_parts


def _codes(dtype, addresses, numbers):
    code = "u1" if dtype.kind == "b" else code_of(dtype)
    return f"*{code} " * addresses + "i8 " * numbers


def _gemm(dtype, tile, along_k, along_n, wide_a, wide_b, conj, mode):
    threads = tile[0] // tile[3] * (tile[1] // tile[4])
    blocks = 2 if threads == 256 else 1
    return Kernel(gemm, (dtype, tile, along_k, along_n, wide_a, wide_b, conj, mode), _codes(dtype, 4, 20), threads, blocks)


def _each(dtype, conj, mode):
    return Kernel(each, (dtype, conj, mode), _codes(dtype, 4, 19), 256)


def summed(dtype, biased):
    return Kernel(sum_of_parts, (dtype, biased), _codes(dtype, 3, 4), 256)


def tiles_of(dtype):
    return TILES.get(code_of(dtype), _OTHERS)


@lru_cache(maxsize=4096)
def _chosen(dtype, m, n, k, stack, multiprocessors):
    """The tile of a product, and into how many parts its inner axis is cut."""
    for tile in tiles_of(dtype):
        blocks = -(-m // tile[0]) * -(-n // tile[1]) * stack
        if blocks >= multiprocessors:
            return tile, 1
    wanted = 2 * multiprocessors // blocks
    return tile, max(1, min(wanted, k // _SHORTEST, 512))


def stacked(shape, *strides):
    """Axes of a stack (a shape and the strides of several operands) as at most two: (outer length, inner length, [(outer, inner stride)]),
    or None if there are more that do not join."""
    axes = []
    for i in range(len(shape) - 1, -1, -1):
        if shape[i] == 1:
            continue
        steps = tuple([s[i] for s in strides])
        if axes and all(s == axes[-1][0] * inner for s, inner in zip(steps, axes[-1][1])):
            axes[-1] = (axes[-1][0] * shape[i], axes[-1][1])
        else:
            axes.append((shape[i], steps))
    if len(axes) > 2:
        return None
    while len(axes) < 2:
        axes.append((1, (0,) * len(strides)))
    return axes[1][0], axes[0][0], list(zip(axes[1][1], axes[0][1]))


def _wide(x, fast, slow, loaded):
    """How many elements a load of this operand takes: 16 bytes of them if all addresses are multiples of 16 and no load crosses an edge."""
    w = 16 // x.dtype.itemsize
    if w < 2 or x.dtype.kind == "b" or x.dtype.itemsize < 4 or x.strides[fast] != 1 or loaded % w:
        return 1
    steps = [x.strides[slow], *[s for n, s in zip(x.shape[:-2], x.strides[:-2]) if n != 1]]
    if x.shape[fast] % w or x.address % 16 or any(s % w for s in steps):
        return 1
    return w


def multiply(out, a, b, bias=None, mode="set", conj=0, tile=None, parts=None):
    """out = a @ b, "subtract": out -= a @ b; with `bias`, a 1-D tensor, added to each row. Tensors of one dtype, (..., m, k), (..., k, n),
    (..., m, n), k > 0, whose stacks have been broadcast to that of `out`. tile, parts: for tests; chosen otherwise."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    if 0 in out.shape:
        return
    dtype, driver = a.dtype, a.driver
    axes = stacked(out.shape[:-2], a.strides[:-2], b.strides[:-2], out.strides[:-2])
    if axes is None:  # copies, whose axes join
        axes = stacked(out.shape[:-2], (a := a.copy()).strides[:-2], (b := b.copy()).strides[:-2], out.strides[:-2])
    outer, zn, ((a0, a1), (b0, b1), (c0, c1)) = axes
    stack = outer * zn
    if bias is not None:
        mode, s, row = "bias", bias.strides[0], bias.address
    else:
        s, row = 0, out.address  # which is not read
    (am, ak), (bk, bn), (cm, cn) = a.strides[-2:], b.strides[-2:], out.strides[-2:]
    if m == 1:
        am = k * ak
    if n == 1:
        bn = k * bk
    where = (m, n, k, am, ak, bk, bn, cm, cn, s)
    steps = (zn, a0, a1, b0, b1, c0, c1)
    if tile is None and m * n <= 256 and k <= 64:
        count = stack * m * n
        _each(dtype, conj, mode).launch(
            driver, min(-(-count // 256), 1 << 20), min(256, -(-count // 32) * 32), out.address, a.address, b.address, row,
            *where, 0, *steps, count,
        )  # fmt: skip
        return
    chosen, cut = _chosen(dtype, m, n, k, stack, driver.multiprocessors)
    if tile is None:
        tile = chosen
    if parts is None:
        parts = cut if mode != "subtract" else 1
    along_k, along_n = abs(ak) <= abs(am), abs(bn) <= abs(bk)
    BM, BN, BK, TM, TN = tile
    threads = BM // TM * (BN // TN)
    wide_a = _wide(a, -1 if along_k else -2, -2 if along_k else -1, BM * BK // threads)
    wide_b = _wide(b, -1 if along_n else -2, -2 if along_n else -1, BN * BK // threads)
    part = -(-k // parts)
    part = -(-part // BK) * BK
    parts = -(-k // part)
    to, cp, own = out, 0, mode
    if parts > 1:
        to = empty(driver, (parts, stack, m, n), dtype)
        cm, cn, c0, c1, cp, own = n, 1, zn * m * n, m * n, stack * m * n, "set"
    kernel = _gemm(dtype, tile, along_k, along_n, wide_a, wide_b, conj, own)
    pitch = 2 * max(1, 16 // dtype.itemsize)
    shared = 2 * BK * (BM + BN + pitch) * dtype.itemsize
    grid = -(-m // BM) * -(-n // BN), parts
    for z0 in range(0, stack, _STACK):
        kernel.launch(
            driver, (*grid, min(stack - z0, _STACK)), threads, to.address, a.address, b.address, row,
            m, n, k, am, ak, bk, bn, cm, cn, s, z0, zn, a0, a1, b0, b1, c0, c1, part, cp, shared=shared,
        )  # fmt: skip
    if parts > 1:
        add_parts(out, to, parts, bias)


def add_parts(out, parts_tensor, count, bias=None):
    """out, contiguous: the sum of `count` parts of its size, one after the other, and of a row."""
    size, n = out.size, out.shape[-1]
    summed(out.dtype, bias is not None).launch(
        out.driver, min(-(-size // 256), 1 << 20), min(256, -(-size // 32) * 32), out.address, parts_tensor.address,
        out.address if bias is None else bias.address, count, size, n, 0 if bias is None else bias.strides[0],
    )  # fmt: skip


def dtypes():
    """Those of products."""
    return [np.dtype(d) for d in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 c16".split()]


def every():
    for dtype in dtypes():
        w = 16 // dtype.itemsize if 4 <= dtype.itemsize < 16 else 1
        for biased in (False, True):
            yield summed(dtype, biased)
        for mode in ("set", "bias", "subtract") if dtype.kind in "fc" else ("set",):
            for conj in (0, 1, 2) if mode == "subtract" and dtype.kind == "c" else (0,):
                yield _each(dtype, conj, mode)
                for tile in tiles_of(dtype):
                    for along_k, along_n in ((True, True), (True, False), (False, True), (False, False)):
                        for wide in {w, 1} if mode == "set" and dtype.kind == "f" else (1,):
                            yield _gemm(dtype, tile, along_k, along_n, wide, wide, conj, mode)
