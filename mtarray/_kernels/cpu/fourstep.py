"""One long Fourier transform on all threads: the four-step algorithm (Bailey, "FFTs in external or hierarchical memory", 1990).

n = n1 * n2 numbers are an n1 x n2 matrix. Transform its columns (1), multiply by exp(-2 pi i k1 j2 / n) (2), transform its rows (3) and
read the result by columns (4). Steps 1 and 2, and 3 and 4, each are one pass over memory: blocks of W columns, or rows, go into buffers
of the L2 cache, where W transforms of length n1 or n2 run side by side in the lanes of vectors, real and imaginary parts apart.
The transforms themselves are Stockham's, radix 4 (it sorts by itself, and needs a second buffer).
"""

import functools

import numpy as np

from .. import build
from . import pool, simd
from .driver import address, run

SHORTEST, LONGEST = 1 << 16, 1 << 24

PRELUDE = '''
from numba import njit
from mtarray._kernels.cpu.simd import load_{T} as load, splat_{T} as splat, fill_{T} as fill
S = {size}
V = {vector}
W = V // S
number = {scalar}


@njit("boolean(int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def transform(xr, xi, yr, yi, n, wr, wi):
    """W transforms of length n = 2**k, from the buffers x; True when the result is in y. w: exp(-2 pi i j / n)."""
    s, m = 1, n
    flipped = False
    while m > 1:
        if m % 4 == 0:
            q = m // 4
            for p in range(q):
                ar, ai = splat(wr + p * s * S), splat(wi + p * s * S)
                br, bi = splat(wr + 2 * p * s * S), splat(wi + 2 * p * s * S)
                cr, ci = splat(wr + 3 * p * s * S), splat(wi + 3 * p * s * S)
                for g in range(s):
                    i0, step = (p * s + g) * V, q * s * V
                    o, hop = (4 * p * s + g) * V, s * V
                    x0r, x0i = load(xr + i0), load(xi + i0)
                    x1r, x1i = load(xr + i0 + step), load(xi + i0 + step)
                    x2r, x2i = load(xr + i0 + 2 * step), load(xi + i0 + 2 * step)
                    x3r, x3i = load(xr + i0 + 3 * step), load(xi + i0 + 3 * step)
                    er, ei, fr, fi = add(x0r, x2r), add(x0i, x2i), sub(x0r, x2r), sub(x0i, x2i)
                    gr, gi, hr, hi = add(x1r, x3r), add(x1i, x3i), sub(x1i, x3i), sub(x3r, x1r)
                    store(yr + o, add(er, gr))
                    store(yi + o, add(ei, gi))
                    ur, ui = add(fr, hr), add(fi, hi)
                    store(yr + o + hop, fnma(ui, ai, mul(ur, ar)))
                    store(yi + o + hop, fma(ui, ar, mul(ur, ai)))
                    ur, ui = sub(er, gr), sub(ei, gi)
                    store(yr + o + 2 * hop, fnma(ui, bi, mul(ur, br)))
                    store(yi + o + 2 * hop, fma(ui, br, mul(ur, bi)))
                    ur, ui = sub(fr, hr), sub(fi, hi)
                    store(yr + o + 3 * hop, fnma(ui, ci, mul(ur, cr)))
                    store(yi + o + 3 * hop, fma(ui, cr, mul(ur, ci)))
            s, m = 4 * s, q
        else:  # once, at the end: m == 2, all twiddles are 1
            for g in range(s):
                i0, i1 = g * V, (s + g) * V
                ar, ai, br, bi = load(xr + i0), load(xi + i0), load(xr + i1), load(xi + i1)
                store(yr + i0, add(ar, br))
                store(yi + i0, add(ai, bi))
                store(yr + i1, sub(ar, br))
                store(yi + i1, sub(ai, bi))
            s, m = 2 * s, 1
        xr, xi, yr, yi = yr, yi, xr, xi
        flipped = not flipped
    return flipped
'''
_BUFFERS = """    w = i8(ld64(args))
    n1, n2, inverse = w[0], w[1], w[2]
    n = n1 if {columns} else n2
    scratch = np.empty(4 * n * V, np.uint8)
    ar = arr_ptr(scratch)
    ai, br, bi = ar + n * V, ar + 2 * n * V, ar + 3 * n * V
"""
_END = "    scratch[0] = 0  # keeps it alive: Numba frees an array after its last use that it can see\n"
# Blocks lo..hi of W columns. args: words, x, planes of the intermediate matrix, tables. The inverse transform is the direct one with
# real and imaginary parts exchanged, before and after.
_COLUMNS = """    source, tr, ti = ld64(args + 8), ld64(args + 16), ld64(args + 24)
    tables = i8(ld64(args + 32))
    wr, wi, lr, li = tables[0], tables[1], tables[2], tables[3]
    coarse_r, coarse_i, fine_r, fine_i = f8(tables[4]), f8(tables[5]), f8(tables[6]), f8(tables[7])
    for block in range(lo, hi):
        j0 = block * W
        for r in range(n1):
            at = source + (r * n2 + j0) * 2 * S
            x, y = load(at), load(at + V)
            store((ai if inverse else ar) + r * V, evens(x, y))
            store((ar if inverse else ai) + r * V, odds(x, y))
        flipped = transform(ar, ai, br, bi, n1, wr, wi)
        sr, si = (br, bi) if flipped else (ar, ai)
        for k in range(n1):
            # exp(-2 pi i k (j0 + lane) / n): a coarse and a fine step of k * j0, times the table of k * lane
            e = k * j0
            high, low = e // n1, e % n1
            cr = coarse_r[high] * fine_r[low] - coarse_i[high] * fine_i[low]
            ci = coarse_r[high] * fine_i[low] + coarse_i[high] * fine_r[low]
            cr, ci = fill(number(cr)), fill(number(ci))
            vr, vi = load(lr + k * V), load(li + k * V)
            tw_r, tw_i = fnma(ci, vi, mul(cr, vr)), fma(ci, vr, mul(cr, vi))
            x, y = load(sr + k * V), load(si + k * V)
            at = (k * n2 + j0) * S
            store(tr + at, fnma(y, tw_i, mul(x, tw_r)))
            store(ti + at, fma(y, tw_r, mul(x, tw_i)))
"""
# Blocks lo..hi of W rows. args: words, out, planes of the intermediate matrix, tables (w of n2).
_ROWS = """    out, tr, ti = ld64(args + 8), ld64(args + 16), ld64(args + 24)
    tables = i8(ld64(args + 32))
    factor = fill({T}(tables[2])[0])
    for block in range(lo, hi):
        k0 = block * W
        for j in range(0, n2, W):
            {transpose}(tr + (k0 * n2 + j) * S, n2 * S, ar + j * V, V)
            {transpose}(ti + (k0 * n2 + j) * S, n2 * S, ai + j * V, V)
        flipped = transform(ar, ai, br, bi, n2, tables[0], tables[1])
        sr, si = (br, bi) if flipped else (ar, ai)
        for k in range(n2):
            x = mul(load((si if inverse else sr) + k * V), factor)
            y = mul(load((sr if inverse else si) + k * V), factor)
            at = out + (k * n1 + k0) * 2 * S
            store(at, zip_low(x, y))
            store(at + V, zip_high(x, y))
"""


def words(code):
    """What the sources leave open, for a precision ("f4" or "f8")."""
    size = int(code[1])
    return {
        "T": code, "size": size, "vector": simd.BYTES, "scalar": f"np.float{8 * size}",
        "transpose": f"tr{simd.BYTES // size}_{8 * size}",
    }  # fmt: skip


@functools.cache
def _kernels(code):
    known = words(code)
    prelude = simd.PRELUDE + PRELUDE.format(**known)
    return [
        build.kernel(f"fft_{name}_{code}", _BUFFERS.format(columns=name == "columns") + body.format(**known) + _END, prelude=prelude)
        for name, body in (("columns", _COLUMNS), ("rows", _ROWS))
    ]


def roots(count, n, code):
    """exp(-2 pi i j / n) for j < count: planes of the real and imaginary parts, rounded from extended precision where there is one."""
    angle = np.arange(count).astype(np.longdouble) * (-2 * np.arctan2(np.longdouble(0), np.longdouble(-1)) / n)
    return np.cos(angle).astype(code), np.sin(angle).astype(code)


@functools.lru_cache(8)
def _plan(n, code):
    """n1, n2 and the tables of a transform of length n: below 2**14 complex numbers for n = 2**20."""
    n1 = 1 << (n.bit_length() // 2)
    n2 = n // n1
    lanes = simd.BYTES // int(code[1])
    k = np.arange(n1)[:, None] * np.arange(lanes)
    angle = k.astype(np.longdouble) * (-2 * np.arctan2(np.longdouble(0), np.longdouble(-1)) / n)
    # k * j0 < n, so its quotient by n1 is below n2, and its remainder below n1.
    first = [*roots(n1, n1, code), np.cos(angle).astype(code), np.sin(angle).astype(code), *roots(n2, n2, "f8"), *roots(n1, n, "f8")]
    return n1, n2, first, [*roots(n2, n2, code)]


def takes(x, n):
    """Whether `fourstep` transforms x along its only axis to length n."""
    return x.ndim == 1 and x.dtype.kind == "c" and x.size == n and SHORTEST <= n <= LONGEST and n & (n - 1) == 0


def fourstep(x, inverse, factor):
    """`factor` times the Fourier transform of x (n,), complex64 or complex128, n a power of two, or its inverse.

    The error is that of a sequential transform: a few roundings of log2(n) additions. Scratch: an array of the
    size of x, and 1 MiB per thread.
    """
    n = x.size
    code = "f4" if x.dtype == np.complex64 else "f8"
    x = np.ascontiguousarray(x)
    n1, n2, first, second = _plan(n, code)
    lanes = simd.BYTES // int(code[1])
    out = pool.empty((n,), x.dtype)
    planes = pool.empty((2, n), code)
    real, imaginary = address(planes), address(planes) + planes.strides[0]
    scale = np.array([factor], code)
    settings = np.array([n1, n2, inverse], np.int64)
    tables1 = np.array([address(t) for t in first], np.int64)
    tables2 = np.array([*(address(t) for t in second), address(scale)], np.int64)
    columns, rows = _kernels(code)
    run(columns, n2 // lanes, 4, address(settings), address(x), real, imaginary, address(tables1))
    run(rows, n1 // lanes, 4, address(settings), address(out), real, imaginary, address(tables2))
    return out
