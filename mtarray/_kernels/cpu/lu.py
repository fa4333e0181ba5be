"""Blocked LU factorisation of one matrix with right-hand sides beside it, and so their solution (see factor.py).

The right-hand sides are further columns of the matrix: forward substitution is part of the elimination.
"""

import functools

import numpy as np

from . import pool
from .driver import address
from .factor import FLOAT, NB, TILE, TINY, Job, double, kernel

_HELPERS = '''

@njit("boolean(int64,int64,int64,int64,int64,int64,int64,int64,int64,float64)", **helper)
def factor(work, ld, k, width, size, panel, unit, above, pivots, tiny):
    """LU with partial pivoting of the columns k..k+width from row k on, in the panel; its first rows go back to the matrix.

    unit: the lower triangles of the blocks of L columns, with zeros on and above the diagonal. above: what stands above L
    columns. pivots: the row exchanged with each, from row k on. True when a pivot is tiny or NaN."""
    count = (size - k) // L
    strips(work + k * ld + k * S, ld, panel, size - k, width)
    who = i8(pivots)
    e = f8(panel)
    lanes = stack(128)
    best_, row_ = f8(lanes), f8(lanes + V)
    bad = False
    for kl in range(0, width, L):
        own = kl // L
        for s in range(own):  # the rows above
            x = panel + s * STRIP
            update(above, V, x, x, V, s * L, x + kl * V, x + kl * V, V)
            for q in range(L):
                column = load(unit + (s * L + q) * V)
                for j in range(L):
                    at = x + (kl + j) * V
                    store(at, fnma(splat(at + q * S), column, load(at)))
            tr8_64(x + kl * V, V, above + s * L * V, V)
        for s in range(own, count, 2):
            x = panel + s * STRIP
            x2 = x + STRIP if s + 1 < count else x
            update(above, V, x, x2, V, kl, x + kl * V, x2 + kl * V, V)
        home = panel + own * STRIP
        for j in range(L):
            col = kl + j
            best, row = fill(-1.0), fill(0.0)
            for s in range(own + 1, count):
                v = vabs(load(panel + s * STRIP + col * V))
                row = where_gt(v, best, fill(float(s)), row)
                best = where_gt(v, best, v, best)
            store(lanes, best)
            store(lanes + V, row)
            top, pick = -1.0, col
            h = f8(home)
            for i in range(j, L):
                v = abs(h[col * L + i])
                if v > top:
                    top, pick = v, kl + i
            beyond, found = top, pick
            for i in range(L):
                r = int(row_[i]) * L + i
                if best_[i] > beyond or (best_[i] == beyond and best_[i] > top and r < found):
                    beyond, found = best_[i], r
            who[col] = found
            bad |= not beyond > tiny
            if found != col:
                u, v = own * NB * L + j, found // L * NB * L + found % L
                for p in range(width):
                    e[u], e[v] = e[v], e[u]
                    u += L
                    v += L
            r = 1.0 / h[col * L + j]
            for i in range(j + 1, L):
                v = h[col * L + i] * r
                h[col * L + i] = v
                for q in range(j + 1, L):
                    h[(kl + q) * L + i] -= v * h[(kl + q) * L + j]
            scale = fill(r)
            for s in range(own + 1, count):
                x = panel + s * STRIP + kl * V
                v = mul(load(x + j * V), scale)
                store(x + j * V, v)
                for q in range(j + 1, L):
                    store(x + q * V, fnma(splat(home + (kl + q) * V + j * S), v, load(x + q * V)))
        for q in range(L):
            z, g = f8(unit + (kl + q) * V), f8(home + (kl + q) * V)
            for i in range(L):
                z[i] = g[i] if i > q else 0.0
    for i in range(0, width, L):
        for p in range(0, width, L):
            tr8_64(panel + i // L * STRIP + p * V, V, work + (k + i) * ld + (k + p) * S, ld)
    return bad


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64,int64,int64)", **helper)
def columns(work, ld, k, width, size, panel, pivots, at, u, ones):
    """Two vectors' columns from column `at` on: exchange rows, solve for the panel's rows, update those below. u: scratch."""
    who = i8(pivots)
    c = work + k * ld + at * S
    for i in range(width):
        if who[i] != i:
            x, y = c + i * ld, c + who[i] * ld
            p, q, s, t = load(x), load(x + V), load(y), load(y + V)
            store(x, s)
            store(x + V, t)
            store(y, p)
            store(y + V, q)
    for i in range(width):
        store(u + 2 * i * V, load(c + i * ld))
        store(u + 2 * i * V + V, load(c + i * ld + V))
    for i in range(0, width, 8):
        a = panel + i // L * STRIP
        solve8(a, V, a + i * V, V, ones, u, u + V, 2 * V, i)
    for i in range(width):
        store(c + i * ld, load(u + 2 * i * V))
        store(c + i * ld + V, load(u + 2 * i * V + V))
    for i in range(width, size - k, 8):
        update(panel + i // L * STRIP, V, u, u + V, 2 * V, width, c + i * ld, c + i * ld + V, ld)
'''
_FACTOR = """    w = i8(ld64(args))
    size, ld, k, width, ahead = w[2], w[3], w[4], w[5], w[8]
    work, panels, scratch, flags, tiny = ld64(args + 16), ld64(args + 32), ld64(args + 40), u1(ld64(args + 48)), f8(ld64(args + 56))[0]
    this, other = k // NB % 2, (k // NB + 1) % 2
    panel, pivots = panels + this * size * NB * S, w[13] + this * NB * 8
    ones, u = stack(64), stack(128 * 64)
    store(ones, fill(1.0))
    for task in range(lo, hi):
        if task == 0 and ahead > 0:  # the next panel; a launch with k < 0 has this task only
            for j in range(0, ahead if k >= 0 else 0, 2 * L):
                columns(work, ld, k, width, size, panel, pivots, k + width + j, u, ones)
            following, exchanged = panels + other * size * NB * S, w[13] + other * NB * 8
            if factor(work, ld, k + width, ahead, size, following, scratch, scratch + NB * V, exchanged, tiny):
                flags[0] = 1
        else:
            columns(work, ld, k, width, size, panel, pivots, k + width + ahead + (task - (ahead > 0)) * 2 * L, u, ones)
"""


_ENDS = """    w = i8(ld64(args))
    phase, n, size, ld, sr, sc = w[0], w[1], w[2], w[3], w[6], w[7]
    right, br, bc, other = w[9], w[10], w[11], w[12]
    source, work, result = ld64(args + 8), ld64(args + 16), ld64(args + 24)
    if phase == 0:  # rows lo..hi of the copy
        tops = f8(ld64(args + 56))
        for r in range(lo, hi):
            to = f8(work + r * ld)
            a, b = f8(source + r * sr * S), f8(other + r * br * S)
            for j in range(n if r < n else 0, ld // S):
                to[j] = 0.0
            if r >= n:
                continue
            if sc == 1:
                for j in range(n):
                    to[j] = a[j]
            else:
                for j in range(n):
                    to[j] = a[j * sc]
            top = 0.0
            for j in range(n):
                v = abs(to[j])
                top = v if v > top else top
            tops[1 + r] = top
            for j in range(right):
                to[size + j] = b[j * bc]
    else:  # backward substitution, tasks lo..hi of two vectors of columns
        space = np.empty(size * 2 * V + 64, np.uint8)
        x = (arr_ptr(space) + 63) & -64
        for task in range(lo, hi):
            at = work + size * S + task * 2 * V
            for i in range(size):
                store(x + 2 * i * V, load(at + i * ld))
                store(x + 2 * i * V + V, load(at + i * ld + V))
            for i in range(size - 8, -8, -8):
                tiles.back8(work + i * ld + i * S, ld, x + 2 * i * V, size - 8 - i)
            wide = min(2 * L, right - task * 2 * L)
            rest = 0.0
            for i in range(n):
                p, q = f8(x + 2 * i * V), f8(result + (i * right + task * 2 * L) * S)
                for j in range(wide):
                    q[j] = p[j]
                    rest += p[j] * 0.0
            if rest != 0.0:
                u1(ld64(args + 48))[0] = 1
        space[0] = 0
"""


@functools.cache
def _kernels():
    return kernel("lu_ends", "", _ENDS), kernel("lu", _HELPERS, _FACTOR)


def solve(a, b):
    """x of a @ x = b, in their dtype, for `a` for which `takes` holds and b (n, columns); None where LAPACK should judge.

    float32 is computed in float64, as NumPy does. Scratch: a padded copy of both and two panels of 64 columns.
    """
    ends, factor = _kernels()
    source, beside = double(a), double(b)
    n, right = b.shape
    job = Job(source, right)
    out = pool.empty((n, right), FLOAT)
    limits = np.zeros(1 + job.size)  # of pivots; then the largest element of each row
    scratch, pivots = np.empty(2 * NB * 8), np.empty(2 * NB, np.int64)
    job.words[10:] = beside.strides[0] // 8, beside.strides[1] // 8, address(beside), address(pivots)
    job.addresses = [address(x) for x in (source, job.work, out, job.panels, scratch, job.flags, limits)]
    job.launch(ends, 0, job.size, max(1, (1 << 16) // job.ld))
    top = float(np.max(limits))
    limits[0] = TINY * n * top
    for i in range(n, job.size):
        job.work[i, i] = top
    job.launch(factor, 0, 1, 1, -NB, NB, min(NB, job.size))
    for k, width, ahead in job.panels_in_turn():
        if job.flags[0]:
            return None
        job.launch(factor, 0, (job.size - k - width - ahead) // TILE + job.tiles + (ahead > 0), 1, k, width, ahead)
    job.launch(ends, 1, job.tiles)
    return None if job.flags[0] else out.astype(b.dtype, copy=False)
