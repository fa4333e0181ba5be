"""Our own blocked matrix multiply, for floats and wrapping integers.

    C[i, j] = sum over p of A[i, p] * B[p, j]

The plain triple loop is slow because every multiplication waits for memory. Four ideas bring it near the speed of the registers:

1. **A tile of C in registers.** `tiles.py` keeps MR = 8 rows by 2 vectors of C in 16 registers and adds to it, for each p, the 8 numbers
   A[i..i+8, p] times the 2 vectors B[p, j..]: 16 multiply-adds for 10 loads. So many independent sums also hide the latency of a
   multiply-add (4 cycles, two started in each).
2. **Packing.** The numbers that a tile reads are copied first, in the order in which they are read: A in strips of MR rows, B in
   strips of 2 vectors. The copy costs O(mk + kn) against O(mnk) and takes any strides, so transposed, broadcast or reversed operands
   need no other treatment, and short strips are filled up with zeros, so `tile` never meets an edge.
3. **Blocks that fit the caches.** p runs in steps of KC, such that one strip of B (KC by 2 vectors, at most 24 KiB) stays in the L1
   cache while all strips of A (one block of at most MC by KC, half of L2) pass by it.
4. **Threads.** C is cut into blocks; each is one task with scratch of its own (below 2 MiB). The cuts depend on the shapes
   only and every element is summed over p in order, so the result has the same bits for any number of threads.

On two Zen 5 cores this gives 300 to 370 GFLOP/s in float32 and 150 to 200 in float64 (OpenBLAS 0.3.31: 190 to 260 and 80 to 120).

Integers go through the same code: additions and multiplications modulo 2**bits. int8 is multiplied in int16 lanes (the low byte of
a sum does not depend on the higher ones), bool counts in int32.
"""

import functools

import numpy as np

from .. import build
from . import pool, simd, stacks, tiles
from .driver import address, run

MR = tiles.ROWS
KC = 192
# memory type -> (its pointer in kernels, code of the lanes it is computed in, what is stored of a sum)
KINDS = {
    "float32": ("f4", "f4", "{}"),
    "float64": ("f8", "f8", "{}"),
    "int64": ("i8", "i8", "{}"),
    "int32": ("i4", "i4", "{}"),
    "int16": ("i2", "i2", "{}"),
    "int8": ("i1", "i2", "np.int8({})"),
    "bool": ("u1", "i4", "np.uint8({} != 0)"),
}
_ONE = np.zeros(1, np.int64)  # the layout of a single matrix
ALIAS = {"uint64": "int64", "uint32": "int32", "uint16": "int16", "uint8": "int8"}  # the same bits come out
SCALAR = {"f4": "np.float32", "f8": "np.float64", "i2": "np.int16", "i4": "np.int32", "i8": "np.int64"}


_HELPERS = '''
from mtarray._kernels.cpu.simd import load_{T} as load
from mtarray._kernels.cpu.tiles import tile_{T}
S = {size}          # bytes of an element in the tile
V = {vector}        # bytes of a vector
NR = 2 * V // S     # columns of a tile
L = V // S          # elements of a vector
MR = {MR}
KC = {KC}
zero = {scalar}(0)


@njit("void(int64,int64,int64,int64,int64,boolean)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def tile(a, b, k, c, ldc, first):
    tile_{T}(a, b, k, c, ldc, first)


@njit("void(int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def pack(src, along, across, k, n, width, dst):
    """Strips of `width` in the order [p][i]: rows of A or columns of B, `across` elements apart, `along` being the step of p.
    What a strip lacks is zero."""
    for i0 in range(0, n, width):
        d = {T}(dst + i0 * k * S)
        s = {M}(src + i0 * across * {msize})
        w = min(width, n - i0)
        q = 0
        if w == NR and across == 1:
            at = src + i0 * {msize}
            for p in range(k):
                if {same}:
                    store(dst + (i0 * k + p * NR) * S, load(at))
                    store(dst + (i0 * k + p * NR) * S + V, load(at + V))
                    at += along * {msize}
                else:
                    for i in range(NR):
                        d[p * NR + i] = {scalar}(s[p * along + i])
        elif w == MR and width == MR and across == 1:
            for p in range(k):
                for i in range(MR):
                    d[p * MR + i] = {scalar}(s[p * along + i])
        else:
            while {blocked} and w == NR and along == 1 and q + L <= k:
                for i in range(0, NR, L):  # through registers, L x L at a time
                    {transpose}(src + (q + (i0 + i) * across) * S, across * S, dst + (i0 * k + q * NR + i) * S, NR * S)
                q += L
            while {eights} and w == MR and width == MR and along == 1 and q + MR <= k:
                tr8_{bits}(src + (q + i0 * across) * S, across * S, dst + (i0 * k + q * MR) * S, MR * S)
                q += MR
            for p in range(q, k):
                for i in range(w):
                    d[p * width + i] = {scalar}(s[p * along + i * across])
                for i in range(w, width):
                    d[p * width + i] = zero
'''

_BODY = '''    """Tasks lo..hi of (matrix of the stack, row block, column block). args: layout of the stacks, words, addresses of a, b, c.
    words: m, n, k, mc, nc and the strides of a, b and the rows of c (whose columns are contiguous) in elements."""
    layout = ld64(args)
    w = i8(ld64(args + 8))
    m, n, k, mc, nc = w[0], w[1], w[2], w[3], w[4]
    ars, acs, brs, bcs, crs = w[5], w[6], w[7], w[8], w[9]
    mb = (m + mc - 1) // mc
    nb = (n + nc - 1) // nc
    kk = min(k, KC)
    apack = np.empty((mc + MR - 1) // MR * MR * kk * S, np.uint8)
    bpack = np.empty((nc + NR - 1) // NR * NR * kk * S, np.uint8)
    edge = np.empty(MR * NR, {scalar})
    pa, pb, pe = arr_ptr(apack), arr_ptr(bpack), arr_ptr(edge)
    e = {T}(pe)
    for task in range(lo, hi):
        batch = task // (mb * nb)
        i0 = task % (mb * nb) // nb * mc
        j0 = task % nb * nc
        mm, nn = min(mc, m - i0), min(nc, n - j0)
        a = ld64(args + 16) + place(batch, layout, 0) + i0 * ars * {msize}
        b = ld64(args + 24) + place(batch, layout, 1) + j0 * bcs * {msize}
        c0 = ld64(args + 32) + place(batch, layout, 2) + (i0 * crs + j0) * {msize}
        for p0 in range(0, k, KC):
            kc = min(KC, k - p0)
            pack(a + p0 * acs * {msize}, acs, ars, kc, mm, MR, pa)
            pack(b + p0 * brs * {msize}, brs, bcs, kc, nn, NR, pb)
            for j in range(0, nn, NR):
                for i in range(0, mm, MR):
                    at = c0 + (i * crs + j) * {msize}
                    whole = {same} and j + NR <= nn and i + MR <= mm
                    # what is not a whole tile goes into one of its own
                    tile(pa + i * kc * S, pb + j * kc * S, kc, at if whole else pe, crs * S if whole else NR * S, p0 == 0 or not whole)
                    if not whole:
                        for r in range(min(MR, mm - i)):
                            c = {M}(at + r * crs * {msize})
                            for q in range(min(NR, nn - j)):
                                x = e[r * NR + q]
                                if p0 > 0:
                                    x += {scalar}(c[q])
                                c[q] = {stored}
    apack[0] = bpack[0] = edge[0] = 0  # keeps the scratch alive: Numba frees an array after its last use that it can see
'''


@functools.cache
def _words(kind):
    pointer, lanes, stored = KINDS[kind]
    size = int(lanes[1])
    return {
        "M": pointer, "T": lanes, "size": size, "msize": int(pointer[1]), "vector": simd.BYTES, "MR": MR, "KC": KC,
        "scalar": SCALAR[lanes], "same": pointer == lanes, "stored": stored.format("x"),
        "blocked": pointer == lanes and size >= 4, "eights": pointer == lanes and size >= 4 and MR == 8, "bits": max(32, 8 * size),
        "transpose": f"tr{simd.BYTES // size}_{8 * size}" if size >= 4 else "tr8_64",
    }  # fmt: skip


def prelude(kind):
    """Source of `pack` and `tile`, for other kernels that multiply."""
    return simd.PRELUDE + stacks.PRELUDE + _HELPERS.format(**_words(kind))


@functools.cache
def _kernel(kind):
    return build.kernel(f"gemm_{kind}", _BODY.format(**_words(kind)), prelude=prelude(kind))


def beats_blas(m, k, n, dtype):
    """Whether `own_matmul` of two float matrices is expected to be faster than the BLAS that NumPy comes with (OpenBLAS 0.3.31).

    BLAS is the better one for small products, which it starts sooner, and for matrices so narrow that much of a tile stays empty.
    Measured where registers of 512 bits are worked on whole: 1.1 to 1.7 times as fast in float32, 1.3 to 2.6 times in float64. Zen 4
    works on them in halves, and OpenBLAS comes within 4 % of what it can do: ours has 0.91 to 0.95 of that in large products. In
    between ours is no slower, and does not wait for a thread that the system has set aside.
    """
    if simd.BYTES != 64:
        return False
    single = dtype == np.float32
    strip = 2 * simd.BYTES // dtype.itemsize
    filled = 10 * n >= 7 * strip * -(-n // strip)
    if not filled or m < 2 * strip // 4 or k < 8:
        return False
    work = m * n * k
    if simd.HALVES:
        return (2_000_000 if single else 1_000_000) <= work < 8_000_000
    return work >= (1_500_000 if single else 500_000)


def blocks(count, m, n, size):
    """(mc, nc): rows and columns of the blocks of C that are one task each, from the shape of the stack alone.

    At most 240 x 512 elements of 8 bytes (packed: 0.5 + 1 MiB). Where that would give fewer than eight tasks the blocks have fewer rows,
    down to 64, and then fewer columns: below, the copies cost more than the other threads save.
    """
    strip = 2 * simd.BYTES // size
    nc = min(-(-n // strip) * strip, 4096 // size)
    mc = min(240, -(-m // MR) * MR)
    lanes = count * -(-n // nc)
    if lanes * -(-m // mc) < 8:
        mc = min(mc, max(8 * MR, -(-m * lanes // (8 * MR)) * MR))
        cuts = -(-8 // (count * -(-m // mc)))
        nc = min(nc, max(strip, 32, -(-n // (cuts * strip)) * strip))
    return mc, nc


def own_matmul(a, b, out=None):
    """Product of stacks of matrices by our own kernel: (..., m, k) and (..., k, n) of one dtype give (..., m, n).

    Any strides, any broadcast of the leading axes, all 13 dtypes: integers wrap, bool is "any of both". Sums of floats run over k
    in order within steps of 192, with fused multiply-adds. Scratch: below 2 MiB per thread
    (complex: also two real arrays of the result's shape).
    """
    m, k = a.shape[-2:]
    n = b.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 2 or b.ndim > 2 else ()
    if out is None:
        out = pool.empty((*batch, m, n), a.dtype)
    if out.size == 0:
        return out
    if k == 0:
        out[...] = 0
        return out
    if a.dtype.kind == "c":
        return _complex(a, b, out)
    name = a.dtype.name
    size = out.itemsize
    kind = ALIAS.get(name, name)
    count = out.size // (m * n)
    mc, nc = blocks(count, m, n, int(KINDS[kind][1][1]))
    layout = _ONE
    if batch:
        a = np.broadcast_to(a, (*batch, m, k))
        b = np.broadcast_to(b, (*batch, k, n))
        layout = stacks.layout(batch, a, b, out)
    words = np.array([m, n, k, mc, nc, *(s // size for s in (*a.strides[-2:], *b.strides[-2:], out.strides[-2]))], np.int64)
    tasks = count * -(-m // mc) * -(-n // nc)
    # small matrices share a task's scratch: about a million multiply-adds per chunk
    chunk = max(1, 1_000_000 // (min(m, mc) * min(n, nc) * k))
    run(_kernel(kind), tasks, chunk, address(layout), address(words), address(a), address(b), address(out))
    return out


def _complex(a, b, out):
    """Four real products on the strided real and imaginary windows."""
    re = own_matmul(a.real, b.real)
    re -= own_matmul(a.imag, b.imag)
    out.real = re
    im = own_matmul(a.real, b.imag, re)
    im += own_matmul(a.imag, b.real)
    out.imag = im
    return out
