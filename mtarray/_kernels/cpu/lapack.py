"""Inverse, solution, determinant, Cholesky factor. Stacks of small matrices, `n <= 32`: one matrix per SIMD lane.

A single small matrix has too little work for wide registers, but W = 8 (float64) or 16 (float32) of them side by side have exactly
enough: element [i, j] of W matrices is one vector, and the textbook algorithm runs on vectors as it would on numbers. Only pivoting
differs from lane to lane; rows are exchanged by selection.

LAPACK stays the judge: a group of W matrices in which a pivot is within rounding of zero, or a result is not finite, is done
again by `np.linalg`. So `LinAlgError` is raised exactly where NumPy raises it. Large real matrices are factored in tiles
(factor.py); other dtypes and sizes and short stacks are `np.linalg`'s.
"""

import functools

import numpy as np

from .. import build
from . import factor, lu, pool, simd
from .blas import blas_threads
from .cholesky import cholesky as tiled_cholesky
from .driver import address, run
from .slabs import each

LARGEST = 32
FEWEST = 32  # matrices; below, the start of a kernel costs more than NumPy's loop
CODES = {"float32": "f4", "float64": "f8"}

_LANES = '''
from numba import njit
from mtarray._kernels.cpu.simd import load_{T} as load, splat_{T} as splat, fill_{T} as fill
S = {size}       # bytes of an element
V = {vector}     # bytes of a vector
W = V // S       # matrices side by side
number = {scalar}
zero, one = number(0), number(1)


@njit("void(int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def gather(src, stride, count, used, dst):
    """Vectors at dst from `used` matrices of `count` elements, `stride` bytes apart; lanes that are left repeat the first matrix."""
    e = 0
    while used == W and e + W <= count:
        {transpose}(src + e * S, stride, dst + e * V, V)
        e += W
    d = {T}(dst)
    for lane in range(W):
        s = {T}(src + (lane * stride if lane < used else 0))
        for i in range(e, count):
            d[i * W + lane] = s[i]


@njit("boolean(int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def scatter(src, dst, stride, count, used):
    """Back from vectors to matrices; True when all of their elements are finite."""
    e = 0
    while used == W and e + W <= count:
        {transpose}(src + e * V, V, dst + e * S, stride)
        e += W
    s = {T}(src)
    for lane in range(used):
        d = {T}(dst + lane * stride)
        for i in range(e, count):
            d[i] = s[i * W + lane]
    finite = fill(one)
    for i in range(count):
        finite = fma(load(src + i * V), fill(zero), finite)
    return not any_not_gt(finite, fill(zero))


@njit("void(int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def threshold(b, count, n, dst):
    """At dst: what a pivot is to exceed, the rounding errors of an n x n elimination at the matrix's largest element."""
    top = fill(zero)
    for i in range(count):
        x = vabs(load(b + i * V))
        top = where_gt(x, top, x, top)
    store(dst, mul(top, fill(number(8 * {eps} * n))))
'''
_PIVOT = '''

@njit("boolean(int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def pivot(b, n, m, k, first, tiny, who):
    """Bring each lane's largest |b[k:, k]| to row k, from column `first` on; its old row goes to `who`. True when one is tiny or NaN."""
    best = vabs(load(b + (k * m + k) * V))
    row = fill(number(k))
    for r in range(k + 1, n):
        x = vabs(load(b + (r * m + k) * V))
        row = where_gt(x, best, fill(number(r)), row)
        best = where_gt(x, best, x, best)
    store(who, row)
    for r in range(k + 1, n):
        here = fill(number(r))
        if any_eq(row, here):
            for j in range(first, m):
                upper, lower = b + (k * m + j) * V, b + (r * m + j) * V
                x, y = load(upper), load(lower)
                store(upper, where_eq(row, here, y, x))
                store(lower, where_eq(row, here, x, y))
    return any_not_gt(best, load(tiny))
'''
_ELIMINATE = '''

@njit("boolean(int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def eliminate(b, n, m, tiny, who, det):
    """Gauss elimination of the n x m matrices at b; reciprocals of the pivots on the diagonal, the determinants at `det`."""
    bad = False
    d = fill(one)
    for k in range(n):
        bad |= pivot(b, n, m, k, k, tiny, who)
        p = load(b + (k * m + k) * V)
        d = mul(d, where_eq(load(who), fill(number(k)), p, sub(fill(zero), p)))
        p = div(fill(one), p)
        store(b + (k * m + k) * V, p)
        for r in range(k + 1, n):
            x = mul(load(b + (r * m + k) * V), p)
            for j in range(k + 1, m):
                at = b + (r * m + j) * V
                store(at, fnma(x, load(b + (k * m + j) * V), load(at)))
    store(det, d)
    return bad
'''
# Every body: groups lo..hi of W matrices; args: words (n, columns of the right side, matrices), a, b, x, flags.
_HEAD = """    w = i8(ld64(args))
    n, columns, count = w[0], w[1], w[2]
    source, right, result = ld64(args + 8), ld64(args + 16), ld64(args + 24)
    flags = u1(ld64(args + 32))
    m = n + columns
    scratch = np.empty(n * m * V + (n + 2) * V, np.uint8)
    b = arr_ptr(scratch)
    tiny = b + n * m * V
    det = tiny + V
    who = det + V
    for group in range(lo, hi):
        at = group * W
        used = min(W, count - at)
"""
_TAIL = "    scratch[0] = 0  # keeps it alive: Numba frees an array after its last use that it can see\n"
_INV = """        gather(source + at * n * n * S, n * n * S, n * n, used, b)
        threshold(b, n * n, n, tiny)
        bad = False
        for k in range(n):  # Gauss-Jordan in place
            bad |= pivot(b, n, n, k, 0, tiny, who + k * V)
            p = div(fill(one), load(b + (k * n + k) * V))
            store(b + (k * n + k) * V, fill(one))
            for j in range(n):
                store(b + (k * n + j) * V, mul(load(b + (k * n + j) * V), p))
            for r in range(n):
                if r != k:
                    x = load(b + (r * n + k) * V)
                    store(b + (r * n + k) * V, fill(zero))
                    for j in range(n):
                        to = b + (r * n + j) * V
                        store(to, fnma(x, load(b + (k * n + j) * V), load(to)))
        for k in range(n - 1, -1, -1):  # exchanged rows of a matrix are exchanged columns of its inverse
            row = load(who + k * V)
            for r in range(k + 1, n):
                here = fill(number(r))
                if any_eq(row, here):
                    for i in range(n):
                        left, other = b + (i * n + k) * V, b + (i * n + r) * V
                        x, y = load(left), load(other)
                        store(left, where_eq(row, here, y, x))
                        store(other, where_eq(row, here, x, y))
        bad |= not scatter(b, result + at * n * n * S, n * n * S, n * n, used)
        flags[group] = bad
"""
_SOLVE = """        # the right sides follow the matrix: rows of A, then rows of B, are brought to rows of [A | B]
        rows = b + n * m * V - n * columns * V
        gather(right + at * n * columns * S, n * columns * S, n * columns, used, rows)
        for i in range(n):
            for j in range(columns):
                store(b + (i * m + n + j) * V, load(rows + (i * columns + j) * V))
            gather(source + (at * n * n + i * n) * S, n * n * S, n, used, b + i * m * V)
        threshold(b, n, n, tiny)
        for i in range(1, n):
            threshold(b + i * m * V, n, n, det)
            store(tiny, where_gt(load(det), load(tiny), load(det), load(tiny)))
        bad = eliminate(b, n, m, tiny, who, det)
        for k in range(n - 1, -1, -1):
            p = load(b + (k * m + k) * V)
            for j in range(n, m):
                x = mul(load(b + (k * m + j) * V), p)
                store(b + (k * m + j) * V, x)
                for i in range(k):
                    to = b + (i * m + j) * V
                    store(to, fnma(load(b + (i * m + k) * V), x, load(to)))
        for i in range(n):
            to = result + (at * n * columns + i * columns) * S
            bad |= not scatter(b + (i * m + n) * V, to, n * columns * S, columns, used)
        flags[group] = bad
"""
_DET = """        gather(source + at * n * n * S, n * n * S, n * n, used, b)
        threshold(b, n * n, n, tiny)
        bad = eliminate(b, n, n, tiny, who, det)
        bad |= not scatter(det, result + at * S, S, 1, used)
        flags[group] = bad
"""
_CHOLESKY = """        gather(source + at * n * n * S, n * n * S, n * n, used, b)
        top = fill(zero)
        for k in range(n):
            x = vabs(load(b + (k * n + k) * V))
            top = where_gt(x, top, x, top)
        tiny_ = mul(top, fill(number(8 * {eps} * n)))
        bad = False
        for k in range(n):
            p = load(b + (k * n + k) * V)
            bad |= any_not_gt(p, tiny_)
            p = vsqrt(p)
            store(b + (k * n + k) * V, p)
            p = div(fill(one), p)
            for r in range(k + 1, n):
                to = b + (r * n + k) * V
                store(to, mul(load(to), p))
                store(b + (k * n + r) * V, fill(zero))
            for r in range(k + 1, n):
                x = load(b + (r * n + k) * V)
                for j in range(k + 1, r + 1):
                    to = b + (r * n + j) * V
                    store(to, fnma(x, load(b + (j * n + k) * V), load(to)))
        bad |= not scatter(b, result + at * n * n * S, n * n * S, n * n, used)
        flags[group] = bad
"""
_OPS = {
    "inv": (_PIVOT, _INV),
    "solve": (_PIVOT + _ELIMINATE, _SOLVE),
    "det": (_PIVOT + _ELIMINATE, _DET),
    "cholesky": ("", _CHOLESKY),
}


@functools.cache
def _kernel(op, code):
    size = int(code[1])
    lanes = simd.BYTES // size
    words = {
        "T": code, "size": size, "vector": simd.BYTES, "scalar": f"np.float{8 * size}",
        "transpose": f"tr{lanes}_{8 * size}", "eps": float(np.finfo(code).eps),
    }  # fmt: skip
    helpers, body = _OPS[op]
    prelude = simd.PRELUDE + (_LANES + helpers).format(**words)
    return build.kernel(f"{op}_{code}", _HEAD + body.format(**words) + _TAIL, prelude=prelude)


def in_lanes(a, columns=0):
    """Whether the lane kernels take a stack of matrices `a` (with `columns` right sides)."""
    if a.ndim < 3 or a.dtype.name not in CODES:
        return False
    rows, n = a.shape[-2:]
    return rows == n and 0 < n <= LARGEST and columns <= 2 * LARGEST and a.size >= FEWEST * n * n


def _lanes(op, numpy_function, out, a, b=None):
    n = a.shape[-1]
    columns = 0 if b is None else b.shape[-1]
    a = np.ascontiguousarray(a).reshape(-1, n, n)
    b = None if b is None else np.ascontiguousarray(b).reshape(-1, n, columns)
    flat = out.reshape(len(a), *((n, columns or n) if op != "det" else ()))
    lanes = simd.BYTES // a.itemsize
    groups = -(-len(a) // lanes)
    flags = np.empty(groups, np.uint8)
    words = np.array([n, columns, len(a)], np.int64)
    run(_kernel(op, CODES[a.dtype.name]), groups, max(1, 20_000 // (n * n * (n + columns))), address(words), address(a),
        address(a if b is None else b), address(flat), address(flags))  # fmt: skip
    if flags.any():
        again = np.flatnonzero(np.repeat(flags, lanes)[: len(a)])
        flat[again] = numpy_function(a[again]) if b is None else numpy_function(a[again], b[again])
    return out


def stacked(function, *operands):
    """`function(*operands)` of `np.linalg`, for stacks (count, m, n): slabs of them on all threads where there are enough.

    The operands have equal leading axes; so has every result. Each matrix is done by one thread of BLAS.
    """
    a = operands[0]
    batch, (rows, columns) = a.shape[:-2], a.shape[-2:]
    count = a.size // max(rows * columns, 1)
    each_work = rows * columns * min(rows, columns)
    # Above 200 x 200 LAPACK's own threads do better than one matrix per thread.
    if count < 4 or each_work > 200**3 or count * each_work < 200_000:
        return function(*operands)
    flat = [x.reshape(count, *x.shape[-2:]) for x in operands]
    first = function(*[x[:1] for x in flat])
    several = isinstance(first, tuple)
    outs = [pool.empty((count, *r.shape[1:]), r.dtype) for r in (first if several else (first,))]

    def work(lo, hi):
        results = function(*[x[lo:hi] for x in flat])
        for out, r in zip(outs, results if several else (results,), strict=True):
            out[lo:hi] = r

    with blas_threads(1):
        each(work, count, max(1, -(-100_000 // max(each_work, 1))))
    outs = [out.reshape(*batch, *out.shape[1:]) for out in outs]
    return tuple(outs) if several else outs[0]


def _in_tiles(function, numpy_function, a, b=None):
    """Matrices for which `factor.takes` holds, one after the other on all threads; NumPy's function judges what is close to singular."""
    if a.ndim == 2:
        out = function(a) if b is None else function(a, b)
        return out if out is not None else numpy_function(a) if b is None else numpy_function(a, b)
    out = pool.empty(a.shape if b is None else b.shape, a.dtype)
    for i in np.ndindex(a.shape[:-2]):
        out[i] = _in_tiles(function, numpy_function, a[i], None if b is None else b[i])
    return out


def inv(a):
    """Inverses of square matrices (..., n, n), float or complex; LinAlgError where one is singular. Scratch: a contiguous copy of `a`."""
    if factor.takes(a):
        return _in_tiles(lambda x: lu.solve(x, np.eye(len(x))), np.linalg.inv, a)
    if not in_lanes(a):
        return stacked(np.linalg.inv, a)
    return _lanes("inv", np.linalg.inv, pool.empty(a.shape, a.dtype), a)


def det(a):
    """Determinants (...) of square matrices (..., n, n), float or complex. Scratch: a contiguous copy of `a`."""
    if not in_lanes(a):
        return stacked(np.linalg.det, a)
    return _lanes("det", np.linalg.det, pool.empty(a.shape[:-2], a.dtype), a)


def cholesky(a):
    """Lower factors L, a = L @ L^H, of (..., n, n); reads the lower triangles only. LinAlgError where one is not positive definite."""
    if factor.takes(a):
        return _in_tiles(tiled_cholesky, np.linalg.cholesky, a)
    if not in_lanes(a):
        return stacked(np.linalg.cholesky, a)
    return _lanes("cholesky", np.linalg.cholesky, pool.empty(a.shape, a.dtype), a)


def solve(a, b):
    """x of a @ x = b for a (..., n, n), b (..., n, columns) of one dtype; leading axes broadcast. LinAlgError where a is singular."""
    if b.ndim < 2 or b.shape[-2] != a.shape[-1] or b.shape[-1] == 0:
        return np.linalg.solve(a, b)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    if factor.takes(a):
        return _in_tiles(lu.solve, np.linalg.solve, a, b)
    if not in_lanes(a, b.shape[-1]):
        return stacked(np.linalg.solve, a, b)
    return _lanes("solve", np.linalg.solve, pool.empty(b.shape, b.dtype), a, b)
