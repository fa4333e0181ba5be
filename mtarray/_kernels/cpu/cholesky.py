"""Blocked Cholesky factorisation of one matrix (see factor.py)."""

import functools

import numpy as np

from . import pool
from .driver import address
from .factor import FLOAT, NB, TILE, TINY, Job, double, kernel

_HELPERS = '''

@njit("boolean(int64,int64,int64,int64,int64,int64,int64,int64,float64)", **helper)
def diagonal(work, ld, k, width, panel, f, result, n, tiny):
    """Factor the block on the diagonal at column k: into the panel's first strips, its 8 x 8 triangles and the reciprocals of their
    diagonals into f, all of it into the result. True when it is not safely positive definite."""
    strips(work + k * ld + k * S, ld, panel, width, width)
    t = stack(512)
    bad = False
    for k8 in range(0, width, 8):
        home = panel + k8 // 8 * STRIP
        for j in range(8):
            store(t + j * V, load(home + (k8 + j) * V))
        update(home, V, home, home, V, k8, t, t, V)
        q = f8(t)
        g = f8(f + k8 // 8 * 72 * S)
        for j in range(8):
            d = q[9 * j]
            bad |= not d > tiny
            d = 1.0 / np.sqrt(d)
            g[64 + j] = d
            for i in range(j + 1, 8):
                g[8 * j + i] = q[8 * j + i] * d
            for j2 in range(j + 1, 8):
                for i in range(j2, 8):
                    q[8 * j2 + i] -= g[8 * j + j2] * g[8 * j + i]
        at = f + k8 // 8 * 72 * S
        for s in range(k8 // L, width // L, 2):
            x = panel + s * STRIP
            x2 = x + STRIP if s + 1 < width // L else x
            solve8(home, V, at, 8 * S, at + 64 * S, x, x2, V, k8)
    out = f8(result)
    for i in range(min(width, n - k)):
        p = f8(panel + i // L * STRIP + i % L * S)
        for j in range(i + 1):
            out[(k + i) * n + k + j] = p[j * L]
    return bad


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64)", **helper)
def rows_below(work, ld, at, k, width, panel, f, x):
    """The rows of the factor from row `at` on, as many as two strips have, at x of the panel."""
    strips(work + at * ld + k * S, ld, x, 2 * L, width)
    for k8 in range(0, width, 8):
        g = f + k8 // 8 * 72 * S
        solve8(panel + k8 // 8 * STRIP, V, g, 8 * S, g + 64 * S, x, x + STRIP, V, k8)


@njit("void(int64,int64,int64,int64,int64,int64)", **helper)
def trailing(work, ld, k, width, panel, block):
    """Row block `block` (two strips) of what follows the panel, up to the diagonal, less the products of the factor's rows."""
    first = k + width
    rows = panel + (width // L + 2 * block) * STRIP
    c = work + (first + 2 * L * block) * ld + first * S
    for other in range(block + 1):
        b = panel + (width // L + 2 * other) * STRIP
        at = c + other * 2 * V
        update(rows, V, b, b + STRIP, V, width, at, at + V, ld)
        update(rows + STRIP, V, b, b + STRIP, V, width, at + L * ld, at + L * ld + V, ld)
'''
_BODY = """    w = i8(ld64(args))
    phase, n, size, ld, k, width, sr, sc, ahead = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]
    source, work, result = ld64(args + 8), ld64(args + 16), ld64(args + 24)
    panel, f = ld64(args + 32) + k // NB % 2 * size * NB * S, ld64(args + 40) + k // NB % 2 * 9 * NB * S
    flags = u1(ld64(args + 48))
    limits = f8(ld64(args + 56))  # what a pivot is to exceed; the padding's diagonal
    if phase == 0:  # rows lo..hi of the copy
        for r in range(lo, hi):
            to = f8(work + r * ld)
            for j in range(size):
                to[j] = 0.0
            if r >= n:
                to[r] = limits[1]
                continue
            if sc == 1:
                a = f8(source + r * sr * S)
                for j in range(r + 1):
                    to[j] = a[j]
            else:
                a = f8(source + r * sr * S)
                for j in range(r + 1):
                    to[j] = a[j * sc]
            out = f8(result + r * n * S)
            for j in range(r + 1, n):
                out[j] = 0.0
    elif phase == 1:  # the first block on the diagonal
        flags[0] = diagonal(work, ld, k, width, panel, f, result, n, limits[0])
    elif phase == 2:  # pairs lo..hi of strips below the diagonal
        for pair in range(lo, hi):
            at = k + width + 2 * L * pair
            x = panel + (width // L + 2 * pair) * STRIP
            rows_below(work, ld, at, k, width, panel, f, x)
            if at + 2 * L <= n:
                for i in range(0, 2 * L, L):
                    for p in range(0, width, L):
                        tr8_64(x + i // L * STRIP + p * V, V, result + ((at + i) * n + k + p) * S, n * S)
            else:
                out = f8(result)
                for i in range(n - at):
                    q = f8(x + i // L * STRIP + i % L * S)
                    for p in range(width):
                        out[(at + i) * n + k + p] = q[p * L]
    else:  # what follows; the first task factors the next block on the diagonal
        for task in range(lo, hi):
            if task == 0:
                for block in range(ahead // (2 * L)):
                    trailing(work, ld, k, width, panel, block)
                other = ld64(args + 32) + (k // NB + 1) % 2 * size * NB * S
                g = ld64(args + 40) + (k // NB + 1) % 2 * 9 * NB * S
                if diagonal(work, ld, k + width, ahead, other, g, result, n, limits[0]):
                    flags[0] = 1
            else:
                trailing(work, ld, k, width, panel, ahead // (2 * L) - 1 + task)
"""


@functools.cache
def _kernel():
    return kernel("cholesky", _HELPERS, _BODY)


def cholesky(a):
    """Lower factor, in the dtype of `a`, for which `takes` holds, from its lower triangle; None where LAPACK should judge.

    float32 is computed in float64, as NumPy does. Scratch: the padded copy and two panels of 64 columns.
    """
    source, n = double(a), len(a)
    fn = _kernel()
    job = Job(source)
    out = pool.empty((n, n), FLOAT)
    top = float(np.max(np.abs(np.diagonal(source))))
    limits = np.array([TINY * n * top, top])
    triangles = np.empty(2 * 9 * NB)
    job.addresses = [address(x) for x in (source, job.work, out, job.panels, triangles, job.flags, limits)]
    job.launch(fn, 0, job.size, max(1, (1 << 16) // job.ld))
    for k, width, ahead in job.panels_in_turn():
        if k == 0:
            job.launch(fn, 1, 1, width=width)
        if job.flags[0]:
            return None
        pairs = (job.size - k - width) // TILE
        if pairs:
            job.launch(fn, 2, pairs, 2, k, width)
            job.launch(fn, 3, 1 + pairs - ahead // TILE, 1, k, width, ahead)
    return None if job.flags[0] else out.astype(a.dtype, copy=False)
