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
    "f8": ((64, 64, 16, 4, 4), (32, 32, 16, 2, 2)),
    "c8": ((64, 64, 16, 4, 4), (32, 32, 16, 2, 2)),
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


def gemm(target, dtype, tile, wide, along_k, along_n, conj):
    """c = a @ b; adds = 1: a row d is added; adds = 2: c -= a @ b.

    wide: elements that a load takes. Where it is 1, the arguments ka and kb say whether neighbours along k in a, along n in b lie side by
    side in memory, which decides which thread loads what; otherwise the parameters along_k and along_n do.
    Grid: (tiles, parts of the inner axis, products of the stack from z0 on).
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
    LA, LB = EA // wide, EB // wide  # loads
    # Loads side by side along k, m and n, and how far a thread's next load is from its last one along the other axis.
    PK, PER_M, PER_N = BK // wide, BM // wide, BN // wide
    SK, SM, SN = THREADS // PK, THREADS // PER_M, THREADS // PER_N
    CHOSEN, KA, KB = wide > 1, int(along_k), int(along_n)
    load, read, store = loader(target, wide), loader(target, F), storer(target, wide)

    def gemm(c, a, b, d, m, n, k, am, ak, bk, bn, cm, cn, adds, dn, ka, kb, z0, zn, a0, a1, b0, b1, c0, c1, part, cp):
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
        left = I(part)  # of the inner axis, still to be loaded
        if k - first < part:
            left = I(k - first)
        # What the thread loads first, a row (column of b) and a place along k within the tile, and the way to what it loads next.
        if KA if CHOSEN else ka:
            ar, ax, ra, xa = I(t // PK), I(t % PK * wide), I(SK), I(0)
        else:
            ar, ax, ra, xa = I(t % PER_M * wide), I(t // PER_M), I(0), I(SM)
        if KB if CHOSEN else kb:
            br, bx, rb, xb = I(t % PER_N * wide), I(t // PER_N), I(0), I(SN)
        else:
            br, bx, rb, xb = I(t // PK), I(t % PK * wide), I(SK), I(0)
        at_a = outer * a0 + inner * a1 + (row0 + ar) * am + (first + ax) * ak
        at_b = outer * b0 + inner * b1 + (first + bx) * bk + (col0 + br) * bn
        own_a = I(ax * PM + ar)
        own_b = I(bx * PN + br)
        ma = I(rows - ar)  # rows of a, columns of b that are left from here
        nb = I(columns - br)
        at_c = outer * c0 + inner * c1 + cuda.blockIdx.y * cp + (row0 + ty * F) * cm + (col0 + tx * F) * cn
        rest_m = I(rows - ty * F)
        rest_n = I(columns - tx * F)
        # What is added comes first, while registers are free.
        for i in range(TM):
            r = i // F * (ROWS * F) + i % F
            for j in range(TN):
                x = j // F * (COLUMNS * F) + j % F
                value = A(0)
                if adds and r < rest_m and x < rest_n:
                    if adds == 1:
                        value = A(d[(col0 + tx * F + x) * dn])
                    else:
                        value = A(-c[at_c + r * cm + x * cn])
                acc[i, j] = value
        half = I(0)
        begun = False
        more = True
        while begun or more:
            more = left > 0
            if more:  # the next strips are on their way while those in shared memory are multiplied
                deep = I(BK)
                if left < BK:
                    deep = left
                for q in range(LA):
                    if I(q * ra) < ma and I(ax + q * xa) < deep:
                        load(ga, q * wide, a, at_a + q * (ra * am + xa * ak))
                    else:
                        for v in range(wide):
                            ga[q * wide + v] = T(0)
                for q in range(LB):
                    if I(q * rb) < nb and I(bx + q * xb) < deep:
                        load(gb, q * wide, b, at_b + q * (rb * bn + xb * bk))
                    else:
                        for v in range(wide):
                            gb[q * wide + v] = T(0)
                at_a += BK * ak
                at_b += BK * bk
                left = I(left - BK)
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
                to_a = I(half * (BK * PM) + own_a)
                to_b = I(START_B + half * (BK * PN) + own_b)
                for q in range(LA):
                    if CHOSEN and not KA:
                        store(tiles, to_a + q * (xa * PM), ga, q * wide)
                    else:
                        for v in range(wide):
                            tiles[to_a + v * PM + q * (xa * PM + ra)] = ga[q * wide + v]
                for q in range(LB):
                    if CHOSEN and KB:
                        store(tiles, to_b + q * (xb * PN), gb, q * wide)
                    else:
                        for v in range(wide):
                            tiles[to_b + v * PN + q * (xb * PN + rb)] = gb[q * wide + v]
            cuda.syncthreads()
            begun = more
        for i in range(TM):
            r = i // F * (ROWS * F) + i % F
            if r < rest_m:
                for j in range(TN):
                    x = j // F * (COLUMNS * F) + j % F
                    if x < rest_n:
                        value = acc[i, j]
                        if adds == 2:
                            value = A(-value)
                        c[at_c + r * cm + x * cn] = T(value)

    return gemm


def each(target, dtype, conj):
    """The same for small matrices, of which a stack has many: a thread computes one element of c."""
    cuda, T = target.cuda, target.type(BYTE if dtype.kind == "b" else dtype)
    A, step = arithmetic(target, dtype, conj)
    BOOL = dtype.kind == "b"

    def each(c, a, b, d, m, n, k, am, ak, bk, bn, cm, cn, adds, dn, z0, zn, a0, a1, b0, b1, c0, c1, count):
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
            value = A(0)
            for p in range(k):
                value = step(value, a[at_a + p * ak], b[at_b + p * bk])
            at = outer * c0 + inner * c1 + r * cm + x * cn
            if adds == 2:
                value = A(A(c[at]) - value)
            elif adds == 1:
                given = d[x * dn]
                if BOOL:
                    value = A(value | given)
                else:
                    value = A(value + A(given))
            c[at] = T(value)
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


def _gemm(dtype, tile, wide, along_k, along_n, conj):
    threads = tile[0] // tile[3] * (tile[1] // tile[4])
    if wide == 1:
        along_k = along_n = True  # are arguments then
    return Kernel(gemm, (dtype, tile, wide, along_k, along_n, conj), _codes(dtype, 4, 23), threads, 2 if wide > 1 and threads == 256 else 1)


def _each(dtype, conj):
    return Kernel(each, (dtype, conj), _codes(dtype, 4, 20), 256)


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


def _is_wide(x, w, fast, slow, loaded):
    """Whether loads may take w neighbouring elements of an operand: all addresses are multiples of 16, and no load crosses an edge."""
    if x.strides[fast] != 1 or x.shape[fast] % w or x.address % 16 or loaded % w:
        return False
    return not any(s % w for n, s in zip(x.shape, x.strides) if n != 1 and s != 1) and (x.shape[slow] == 1 or x.strides[slow] % w == 0)


def multiply(out, a, b, bias=None, subtract=False, conj=0, tile=None, parts=None):
    """out = a @ b, with `bias`, a 1-D tensor, added to each row; or out -= a @ b. Tensors of one dtype, (..., m, k), (..., k, n) and
    (..., m, n), k > 0, whose stacks have been broadcast to that of `out`. conj: 2 conjugates b. tile, parts: for tests."""
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
    (am, ak), (bk, bn), (cm, cn) = a.strides[-2:], b.strides[-2:], out.strides[-2:]
    adds, d, dn = (2 if subtract else 0), out.address, 0
    if bias is not None:
        adds, d, dn = 1, bias.address, bias.strides[0]
    if tile is None and m * n <= 256 and k <= 64:
        count = stack * m * n
        _each(dtype, conj).launch(
            driver, min(-(-count // 256), 1 << 20), min(256, -(-count // 32) * 32), out.address, a.address, b.address, d,
            m, n, k, am, ak, bk, bn, cm, cn, adds, dn, 0, zn, a0, a1, b0, b1, c0, c1, count,
        )  # fmt: skip
        return
    chosen, cut = _chosen(dtype, m, n, k, stack, driver.multiprocessors)
    if tile is None:
        tile = chosen
    if parts is None:
        parts = 1 if subtract else cut
    along_k, along_n = m == 1 or abs(ak) <= abs(am), n == 1 or abs(bn) <= abs(bk)
    BM, BN, BK, TM, TN = tile
    threads = BM // TM * (BN // TN)
    wide = 16 // dtype.itemsize
    if (
        dtype.kind != "f"
        or not _is_wide(a, wide, *((-1, -2) if along_k else (-2, -1)), BM * BK // threads)
        or not _is_wide(b, wide, *((-1, -2) if along_n else (-2, -1)), BN * BK // threads)
    ):
        wide = 1
    part = -(-k // parts)
    part = -(-part // BK) * BK
    part = min(part, 1 << 30)
    parts = -(-k // part)
    to, cp = out, 0
    if parts > 1:
        to = empty(driver, (parts, stack, m, n), dtype)
        cm, cn, c0, c1, cp, adds = n, 1, zn * m * n, m * n, stack * m * n, 0
    kernel = _gemm(dtype, tile, wide, along_k, along_n, conj)
    shared = 2 * BK * (BM + BN + 2 * max(1, 16 // dtype.itemsize)) * dtype.itemsize
    grid = -(-m // BM) * -(-n // BN), parts
    for z0 in range(0, stack, _STACK):
        kernel.launch(
            driver, (*grid, min(stack - z0, _STACK)), threads, to.address, a.address, b.address, d,
            m, n, k, am, ak, bk, bn, cm, cn, adds, dn, int(along_k), int(along_n), z0, zn,
            a0, a1, b0, b1, c0, c1, part, cp, shared=shared,
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
        for biased in (False, True):
            yield summed(dtype, biased)
        for conj in (0, 2) if dtype.kind == "c" else (0,):
            yield _each(dtype, conj)
            for tile in tiles_of(dtype):
                yield _gemm(dtype, tile, 1, True, True, conj)
                if dtype.kind == "f":
                    for along_k, along_n in ((True, True), (True, False), (False, True), (False, False)):
                        yield _gemm(dtype, tile, 16 // dtype.itemsize, along_k, along_n, conj)
