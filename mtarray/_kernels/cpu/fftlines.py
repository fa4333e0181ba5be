"""Fourier transforms of lines of 2**k numbers, each line by one thread in its own cache.

A line of n = n1 * n2 complex numbers is an n1 x n2 matrix, transformed as `fourstep.py` says, but between buffers that stay in the L1 or
L2 cache: W columns, then W rows, side by side in the lanes of vectors. n real numbers are n / 2 complex ones (even places real, odd ones
imaginary), from whose transform Z the wanted one follows: with b = conj(Z[n/2 - k]),

    2 X[k] = Z[k] + b - i exp(-2 pi i k / n) (Z[k] - b)

and back likewise.
"""

import functools

import numpy as np

from .. import build
from . import fourstep, simd
from .driver import address, run

LONGEST = 1 << 15  # complex numbers of a line: its buffers fill an L2 cache of 1 MiB in double precision
CHUNK = 1 << 14  # elements of a chunk of lines

_PRELUDE = '''

@njit("void(int64,boolean,int64,int64,int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def line(source, swap, pr, pi, qr, qi, n1, n2, buffers, first, second):
    """Transform of n1 * n2 complex numbers to the planes q, from the planes p, which also hold what is between, or from `source`,
    there with real and imaginary parts exchanged if `swap`."""
    t = i8(first)
    n = max(n1, n2)
    ar, ai, br, bi = buffers, buffers + n * V, buffers + 2 * n * V, buffers + 3 * n * V
    for j in range(0, n2, W):
        for r in range(n1):
            at = (r * n2 + j) * S
            if {planar}:
                store(ar + r * V, load(pr + at))
                store(ai + r * V, load(pi + at))
            else:
                u, v = load(source + 2 * at), load(source + 2 * at + V)
                store((ai if swap else ar) + r * V, evens(u, v))
                store((ar if swap else ai) + r * V, odds(u, v))
        flipped = transform(ar, ai, br, bi, n1, t[0], t[1])
        sr, si = (br, bi) if flipped else (ar, ai)
        for k in range(n1):
            at = (k * n2 + j) * S
            x, y, c, s = load(sr + k * V), load(si + k * V), load(t[2] + at), load(t[3] + at)
            store(pr + at, fnma(y, s, mul(x, c)))
            store(pi + at, fma(y, c, mul(x, s)))
    t = i8(second)
    for k in range(0, n1, W):
        for j in range(0, n2, W):
            {transpose}(pr + (k * n2 + j) * S, n2 * S, ar + j * V, V)
            {transpose}(pi + (k * n2 + j) * S, n2 * S, ai + j * V, V)
        flipped = transform(ar, ai, br, bi, n2, t[0], t[1])
        sr, si = (br, bi) if flipped else (ar, ai)
        for j in range(n2):
            at = (j * n1 + k) * S
            store(qr + at, load(sr + j * V))
            store(qi + at, load(si + j * V))
'''
# Lines lo..hi. args: words (n1, n2, inverse, bytes between lines of x, of out), x, out, tables. The inverse transform is the direct one
# with real and imaginary parts exchanged, before and after.
_HEAD = """    w = i8(ld64(args))
    n1, n2, inverse, hop, step = w[0], w[1], w[2], w[3], w[4]
    n = n1 * n2
    x, out = ld64(args + 8), ld64(args + 16)
    tables = i8(ld64(args + 24))
    factor = fill({T}(tables[4])[0])
    plane = (n + W) * S  # one number more than n, in whole vectors
    scratch = np.empty(4 * plane + 4 * max(n1, n2) * V, np.uint8)
    pr = arr_ptr(scratch)
    pi, qr, qi, buffers = pr + plane, pr + 2 * plane, pr + 3 * plane, pr + 4 * plane
    first, second = ld64(args + 24), ld64(args + 24) + 40
    for index in range(lo, hi):
        source, target = x + index * hop, out + index * step
"""
_END = "    scratch[0] = 0  # keeps it alive: Numba frees an array after its last use that it can see\n"
_BODIES = {
    "complex": """        line(source, inverse != 0, pr, pi, qr, qi, n1, n2, buffers, first, second)
        sr, si = (qi, qr) if inverse else (qr, qi)
        for k in range(0, n, W):
            u, v = mul(load(sr + k * S), factor), mul(load(si + k * S), factor)
            store(target + 2 * k * S, zip_low(u, v))
            store(target + 2 * k * S + V, zip_high(u, v))
""",
    "real": """        line(source, False, pr, pi, qr, qi, n1, n2, buffers, first, second)
        r, i, o = {T}(qr), {T}(qi), {T}(target)
        r[n], i[n] = r[0], i[0]
        for k in range(0, n, W):
            b = (n - k - W + 1) * S
            ar, ai, br, bi = load(qr + k * S), load(qi + k * S), reverse(load(qr + b)), reverse(load(qi + b))
            c, s = load(tables[7] + k * S), load(tables[8] + k * S)
            u, v = sub(ar, br), add(ai, bi)  # Z[k] - b
            # -i (c + i s) (u + i v) = (c v + s u) + i (s v - c u)
            dr, di = fma(c, v, mul(s, u)), fnma(c, u, mul(s, v))
            dr, di = mul(add(add(ar, br), dr), factor), mul(add(sub(ai, bi), di), factor)
            store(target + 2 * k * S, zip_low(dr, di))
            store(target + 2 * k * S + V, zip_high(dr, di))
        o[2 * n] = (r[0] - i[0]) * {T}(tables[4])[0] * 2
        o[2 * n + 1] = 0
""",
    "half": """        for k in range(0, n, W):
            u, v = load(source + 2 * k * S), load(source + 2 * k * S + V)
            store(qr + k * S, evens(u, v))
            store(qi + k * S, odds(u, v))
        r, i, o = {T}(qr), {T}(qi), {T}(source)
        r[n], i[n], i[0] = o[2 * n], 0, 0  # of the first and the last number only the real part counts
        for k in range(0, n, W):
            b = (n - k - W + 1) * S
            ar, ai, br, bi = load(qr + k * S), load(qi + k * S), reverse(load(qr + b)), reverse(load(qi + b))
            c, s = load(tables[7] + k * S), load(tables[8] + k * S)
            u, v = sub(ar, br), add(ai, bi)
            # i (c - i s) (u + i v) = (s u - c v) + i (c u + s v)
            dr, di = fnma(c, v, mul(s, u)), fma(c, u, mul(s, v))
            store(pi + k * S, add(add(ar, br), dr))
            store(pr + k * S, add(sub(ai, bi), di))
        line(source, False, pr, pi, qr, qi, n1, n2, buffers, first, second)
        for k in range(0, n, W):
            u, v = mul(load(qi + k * S), factor), mul(load(qr + k * S), factor)
            store(target + 2 * k * S, zip_low(u, v))
            store(target + 2 * k * S + V, zip_high(u, v))
""",
}


@functools.cache
def _kernel(kind, code):
    words = {**fourstep.words(code), "planar": kind == "half"}
    prelude = simd.PRELUDE + (fourstep.PRELUDE + _PRELUDE).format(**words)
    return build.kernel(f"fft_{kind}_{code}", (_HEAD + _BODIES[kind]).format(**words) + _END, prelude=prelude)


@functools.lru_cache(32)
def _plan(n, real, code):
    """n1, n2 and the tables of lines of n complex numbers, or of 2 n real ones; and the addresses of the tables, with room for a factor."""
    n1 = 1 << (n.bit_length() // 2)
    n2 = n // n1
    powers = fourstep.roots(n, n, code)
    k = np.arange(n1)[:, None] * np.arange(n2)  # below n
    twiddles = [np.ascontiguousarray(p[k]) for p in powers]
    tables = [*fourstep.roots(n1, n1, code), *twiddles, np.empty(1), *fourstep.roots(n2, n2, code)]
    if real:
        tables += fourstep.roots(n, 2 * n, code)
    return n1, n2, tables, np.array([address(t) for t in tables], np.int64)


def takes(name, n, code):
    """Whether `lines` does the transform `name` (fft, ifft, rfft, irfft) of length n in this precision ("f4" or "f8")."""
    if n & (n - 1):
        return False
    count = n if name in ("fft", "ifft") else n // 2
    return (simd.BYTES // int(code[1])) ** 2 <= count <= LONGEST


def lines(name, x, out, n, factor):
    """out[i] = `factor` times the transform `name`, of length n, of the line x[i]. x, out: (count, length), contiguous along the last axis.

    The lengths are n, or n // 2 + 1 where only half of a transform is kept. The error is that of a sequential transform: a few
    roundings of log2(n) additions. Scratch: below 1.5 MiB per thread.
    """
    code = "f4" if x.dtype in (np.float32, np.complex64) else "f8"
    kind = {"rfft": "real", "irfft": "half"}.get(name, "complex")
    n1, n2, _, addresses = _plan(n if kind == "complex" else n // 2, kind != "complex", code)
    scale = np.array([factor / 2 if kind == "real" else factor], code)
    tables = addresses.copy()
    tables[4] = address(scale)
    words = np.array([n1, n2, name == "ifft", x.strides[0], out.strides[0]], np.int64)
    run(_kernel(kind, code), len(x), max(1, CHUNK // n), address(words), address(x), address(out), address(tables))
    return out
