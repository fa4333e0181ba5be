"""Matrix times vector, for real dtypes: every element of the matrix is read once, so memory's bandwidth is the bound.

Two kernels, by what is contiguous: `dots` takes four rows at a time against the vector, `sums` adds four scaled rows at a time to a
stretch of the result. (BLAS's threads do the same, but wait for each other at its end: with another process on one of the processors,
20 ms instead of 2.5 for 4000 x 4000 in float32.)
"""

import functools

import numpy as np

from .. import build
from . import simd
from .batched import CODES
from .driver import address, run

_PRELUDE = """from mtarray._kernels.cpu.simd import load_{T} as load, load_first_{T} as load_first, splat_{T} as splat, fill_{T} as fill
S = {size}
V = {vector}
W = V // S
zero = {scalar}(0)
"""
_DOTS = '''    """Results lo..hi. args: words (k, bytes between rows, bytes between results), matrix, vector, result."""
    w = i8(ld64(args))
    k, hop, step = w[0], w[1], w[2]
    whole = k // W * V
    rest = k % W
    lanes = np.empty(4 * W, {scalar})
    to = arr_ptr(lanes)
    for i in range(lo, hi, 4):
        a0 = ld64(args + 8) + i * hop
        # beyond the last row: that row again
        a1, a2, a3 = a0 + min(1, hi - 1 - i) * hop, a0 + min(2, hi - 1 - i) * hop, a0 + min(3, hi - 1 - i) * hop
        x = ld64(args + 16)
        s0 = s1 = s2 = s3 = fill(zero)
        for j in range(0, whole, V):
            y = load(x + j)
            s0 = fma(load(a0 + j), y, s0)
            s1 = fma(load(a1 + j), y, s1)
            s2 = fma(load(a2 + j), y, s2)
            s3 = fma(load(a3 + j), y, s3)
        y = load_first(x + whole, rest)
        store(to, fma(load_first(a0 + whole, rest), y, s0))
        store(to + V, fma(load_first(a1 + whole, rest), y, s1))
        store(to + 2 * V, fma(load_first(a2 + whole, rest), y, s2))
        store(to + 3 * V, fma(load_first(a3 + whole, rest), y, s3))
        for r in range(min(4, hi - i)):
            total = zero
            for lane in range(W):
                total += lanes[r * W + lane]
            {T}(ld64(args + 24) + (i + r) * step)[0] = total
    lanes[0] = 0  # keeps it alive: Numba frees an array after its last use that it can see
'''
_SUMS = '''    """Results lo..hi (contiguous). args: words (k, bytes between the matrix's contiguous lines), matrix, vector, result."""
    w = i8(ld64(args))
    k, hop = w[0], w[1]
    result = ld64(args + 24)
    n = (hi - lo) * S
    for at in range(0, n, V):
        store_first(result + lo * S + at, fill(zero), min(W, (n - at) // S))
    p = 0
    while p < k:
        a0 = ld64(args + 8) + p * hop + lo * S
        x = ld64(args + 16) + p * S
        # beyond the last line: nothing of it
        more = min(k - p, 4)
        x0 = splat(x)
        x1 = splat(x + S) if more > 1 else fill(zero)
        x2 = splat(x + 2 * S) if more > 2 else fill(zero)
        x3 = splat(x + 3 * S) if more > 3 else fill(zero)
        a1, a2, a3 = a0 + hop, a0 + 2 * hop, a0 + 3 * hop
        whole = n // V * V if more == 4 else 0
        for at in range(0, whole, V):
            to = result + lo * S + at
            c = fma(load(a0 + at), x0, load(to))
            c = fma(load(a1 + at), x1, c)
            c = fma(load(a2 + at), x2, c)
            store(to, fma(load(a3 + at), x3, c))
        for at in range(whole, n, V):
            last = min(W, (n - at) // S)
            to = result + lo * S + at
            c = fma(load_first(a0 + at, last), x0, load_first(to, last))
            if more > 1:
                c = fma(load_first(a1 + at, last), x1, c)
            if more > 2:
                c = fma(load_first(a2 + at, last), x2, c)
            if more > 3:
                c = fma(load_first(a3 + at, last), x3, c)
            store_first(to, c, last)
        p += 4
'''


@functools.cache
def _kernel(name, code):
    scalar = ("np.float" if code[0] == "f" else "np.int") + str(8 * int(code[1]))
    words = {"T": code, "size": int(code[1]), "vector": simd.BYTES, "scalar": scalar}
    body = (_DOTS if name == "dots" else _SUMS).format(**words)
    return build.kernel(f"matvec_{name}_{code}", body, prelude=simd.PRELUDE + _PRELUDE.format(**words))


def fits(matrix):
    """Whether `matvec` takes this matrix: a real dtype of 16 bits or more, rows or columns contiguous."""
    return matrix.dtype.name in CODES and matrix.itemsize in matrix.strides and matrix.size > 0


def matvec(matrix, vector, out):
    """out[:] = matrix @ vector; shapes (m, k), (k,), (m,), one dtype. Integers wrap. Scratch: a copy of a vector that is not contiguous."""
    m, k = matrix.shape
    vector = np.ascontiguousarray(vector)
    code = CODES[matrix.dtype.name]
    size = matrix.itemsize
    if matrix.strides[1] == size:
        words = np.array([k, matrix.strides[0], out.strides[0]], np.int64)
        chunk = max(4, 65536 // k // 4 * 4)
        run(_kernel("dots", code), m, chunk, address(words), address(matrix), address(vector), address(out))
        return out
    target = out if out.strides[0] == size else np.empty(m, out.dtype)
    words = np.array([k, matrix.strides[1]], np.int64)
    # Stretches of the result that stay in the L1 cache; short matrices in at least eight.
    chunk = min(8192 // size, max(simd.BYTES // size, -(-m // 8)))
    run(_kernel("sums", code), m, chunk, address(words), address(matrix), address(vector), address(target))
    if target is not out:
        out[:] = target
    return out
