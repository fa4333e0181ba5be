"""Factorisations on the device: LU with partial pivoting, Cholesky, and what follows from them.

A block of threads factors a strip of PANEL columns (or rows) of each matrix of a stack; what is right of it and below is brought up to date
by triangular solutions, a thread for each column, and by products of matrices. Which matrices failed is gathered on the device, in one
number that the host reads at the end. Where cuSOLVER is installed it serves large matrices (`solver_lib`).
"""

import math

import numpy as np

from mtarray import _strides

from . import gemm, solver_lib
from .kernel import Kernel
from .matrices import (
    FLOATING,
    INT,
    LONG,
    THREADS,
    codes,
    flat,
    grid_of,
    magnitudes,
    quotients,
    raise_if,
    real_of,
    threads_for,
)
from .tensor import empty

PANEL = 32
SINGULAR, INDEFINITE = "Singular matrix", "Matrix is not positive definite"


# ---------------------------------------------------------------------- LU


def lu_panel(target, dtype, threads):
    """Columns [first, first + width) of P x = L U, in place, for each matrix (n, n) of a stack: a block each. Whole rows are swapped."""
    cuda, T, R, L = target.cuda, target.type(dtype), target.type(real_of(dtype)), target.type(LONG)
    quotient, magnitude = quotients(target, dtype), magnitudes(target, dtype)

    def lu_panel(x, order, swaps, failed, n, first, width):
        values = cuda.shared.array(threads, R)
        places = cuda.shared.array(threads, L)
        t = cuda.threadIdx.x
        z = cuda.blockIdx.x
        at = z * n * n
        if first == 0:
            i = t
            while i < n:
                order[z * n + i] = i
                i += threads
            if t == 0:
                swaps[z] = 0
                failed[z] = 0
            cuda.syncthreads()
        end = first + width
        for j in range(first, end):
            best = R(-1)
            place = L(j)
            i = L(j + t)
            while i < n:
                v = magnitude(x[at + i * n + j])
                if v > best:
                    best = v
                    place = i
                i += threads
            values[t] = best
            places[t] = place
            cuda.syncthreads()
            s = threads // 2
            while s > 0:
                if t < s:
                    v = values[t + s]
                    if v > values[t] or (v == values[t] and places[t + s] < places[t]):
                        values[t] = v
                        places[t] = places[t + s]
                cuda.syncthreads()
                s = s // 2
            place = places[0]
            if place != j:
                c = t
                while c < n:
                    element = x[at + j * n + c]
                    x[at + j * n + c] = x[at + place * n + c]
                    x[at + place * n + c] = element
                    c += threads
                if t == 0:
                    o = order[z * n + j]
                    order[z * n + j] = order[z * n + place]
                    order[z * n + place] = o
                    swaps[z] = swaps[z] + 1
            cuda.syncthreads()
            pivot = x[at + j * n + j]
            if pivot == T(0):
                if t == 0:
                    failed[z] = 1
            else:
                i = j + 1 + t
                while i < n:
                    x[at + i * n + j] = quotient(x[at + i * n + j], pivot)
                    i += threads
            cuda.syncthreads()
            right = end - j - 1
            count = (n - j - 1) * right
            e = t
            while e < count:
                i = e // right
                c = at + j + 1 + e - i * right
                i = (j + 1 + i) * n
                x[c + i] = T(x[c + i] - T(x[at + i + j] * x[c + j * n]))
                e += threads
            cuda.syncthreads()

    return lu_panel


def solve_strip(target, dtype, lower, unit, conj):
    """Solutions of small triangular systems t y = b in place of b, a thread for each column of each matrix. conj: of conj(t) y = b."""
    cuda, T = target.cuda, target.type(dtype)
    quotient = quotients(target, dtype)

    def solve_strip(t, b, n, columns, stack, ti, tj, tz, bi, bj, bz):
        c = cuda.grid(1)
        z = cuda.blockIdx.y
        while z < stack:
            if c < columns:
                at_t = z * tz
                at_b = z * bz + c * bj
                for step in range(n):
                    i = step if lower else n - 1 - step
                    y = b[at_b + i * bi]
                    for before in range(step):
                        k = before if lower else n - 1 - before
                        w = t[at_t + i * ti + k * tj]
                        if conj:
                            w = T(w.conjugate())
                        y = T(y - T(w * b[at_b + k * bi]))
                    if not unit:
                        w = t[at_t + i * ti + i * tj]
                        if conj:
                            w = T(w.conjugate())
                        y = quotient(y, w)
                    b[at_b + i * bi] = y
            z += cuda.gridDim.y

    return solve_strip


def rows_in_order(target, dtype):
    """out[i] = x[order[i]], rows of n elements; or rows of the unit matrix."""
    cuda, T = target.cuda, target.type(dtype)

    def rows_in_order(out, x, order, rows, n, count, unit):
        i = cuda.grid(1)
        while i < count:
            row = i // n
            c = i - row * n
            z = row // rows
            place = order[row]
            if unit:
                out[i] = T(1) if place == c else T(0)
            else:
                out[i] = x[(z * rows + place) * n + c]
            i += cuda.gridsize(1)

    return rows_in_order


def pivot_products(target, dtype):
    """Products of the diagonals of triangular factors, as det, its sign and the logarithm of its modulus: a thread for each matrix.
    Mantissa and exponent are kept apart, so that nothing overflows on the way."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    COMPLEX = dtype.kind == "c"
    LN2 = 0.6931471805599453

    def pivot_products(det, sign, logabsdet, zero, x, swaps, n, stack):
        z = cuda.grid(1)
        if z < stack:
            m = T(1)
            if swaps[z] % 2 == 1:
                m = T(-1)
            e = 0
            for i in range(n):
                m = T(m * x[z * n * n + i * (n + 1)])
                if COMPLEX:
                    _, k = math.frexp(R(max(abs(m.real), abs(m.imag))))
                    m = T(complex(math.ldexp(m.real, int(-k)), math.ldexp(m.imag, int(-k))))
                else:
                    f, k = math.frexp(m)
                    m = T(f)
                e += k
            if COMPLEX:
                size = R(math.hypot(m.real, m.imag))
                det[z] = T(complex(math.ldexp(m.real, int(e)), math.ldexp(m.imag, int(e))))
            else:
                size = R(abs(m))
                det[z] = T(math.ldexp(m, int(e)))
            if size == R(0):
                sign[z] = T(0)
                logabsdet[z] = R(-math.inf)
            else:
                if COMPLEX:
                    sign[z] = T(complex(R(m.real / size), R(m.imag / size)))
                else:
                    sign[z] = T(m / size)
                logabsdet[z] = R(math.log(size) + e * LN2)
            zero[z] = det[z] == T(0)

    return pivot_products


# ---------------------------------------------------------------------- Cholesky


def lower_triangle(target, dtype):
    """The elements above the diagonals of matrices (n, n) set to 0."""
    cuda, T = target.cuda, target.type(dtype)

    def lower_triangle(x, n, count):
        i = cuda.grid(1)
        while i < count:
            row = i // n
            if i - row * n > row % n:
                x[i] = T(0)
            i += cuda.gridsize(1)

    return lower_triangle


def cholesky_block(target, dtype, threads):
    """The Cholesky factor of a block of `width` on the diagonal of each matrix (n, n), in place, from its lower triangle."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))

    def cholesky_block(x, failed, n, first, width):
        t = cuda.threadIdx.x
        at = cuda.blockIdx.x * n * n + first * (n + 1)
        if first == 0 and t == 0:
            failed[cuda.blockIdx.x] = 0
        cuda.syncthreads()
        for j in range(width):
            d = x[at + j * (n + 1)].real
            good = not d <= R(0)
            root = R(1)
            if good:
                root = R(math.sqrt(d))
            cuda.syncthreads()
            if t == 0:
                x[at + j * (n + 1)] = T(root)
                if not good:
                    failed[cuda.blockIdx.x] = 1
            i = j + 1 + t
            while i < width:
                x[at + i * n + j] = T(x[at + i * n + j] / root)
                i += threads
            cuda.syncthreads()
            side = width - j - 1
            e = t
            while e < side * side:
                i = e // side
                c = e - i * side
                if c <= i:
                    i = (j + 1 + i) * n
                    c = j + 1 + c
                    w = x[at + c * n + j]
                    x[at + i + c] = T(x[at + i + c] - T(x[at + i + j] * T(w.conjugate())))
                e += threads
            cuda.syncthreads()

    return cholesky_block


# ---------------------------------------------------------------------- launches


def _lu(dtype, threads):
    return Kernel(lu_panel, (dtype, threads), codes(dtype, "T *i8 *i8 *i4 i8 i8 i8"), threads)


def _solve(dtype, lower, unit, conj):
    return Kernel(solve_strip, (dtype, lower, unit, conj), codes(dtype, "T T" + " i8" * 9), 128)


def _ordered(dtype):
    return Kernel(rows_in_order, (dtype,), codes(dtype, "T T *i8 i8 i8 i8 i8"), THREADS)


def _determinants(dtype):
    return Kernel(pivot_products, (dtype,), codes(dtype, "T T R *i4 T *i8 i8 i8"), 128)


def _lower(dtype):
    return Kernel(lower_triangle, (dtype,), codes(dtype, "T i8 i8"), THREADS)


def _cholesky(dtype, threads):
    return Kernel(cholesky_block, (dtype, threads), codes(dtype, "T *i4 i8 i8 i8"), threads)


def lu(x):
    """(factors L and U in one, order of the rows, numbers of swaps, which are singular) of stacks of square matrices; (stack, n, n).
    Those of the library are for `_solved` alone; their diagonals are in place."""
    x = flat(x)
    made = solver_lib.lu(x)
    if made is not None:
        return made
    stack, n = x.shape[:2]
    driver = x.driver
    order, swaps, failed = empty(driver, (stack, n), LONG), empty(driver, (stack,), LONG), empty(driver, (stack,), INT)
    if stack == 0:
        return x, order, swaps, failed
    threads = threads_for(n * min(n, PANEL))
    for first in range(0, max(n, 1), PANEL):
        width = min(PANEL, n - first)
        _lu(x.dtype, threads).launch(driver, stack, threads, x.address, order.address, swaps.address, failed.address, n, first, width)
        end = first + width
        if end < n:
            right = x.narrowed(1, first, end).narrowed(2, end, n)
            strip(x.narrowed(1, first, end).narrowed(2, first, end), right, True, True)
            gemm.multiply(x.narrowed(1, end, n).narrowed(2, end, n), x.narrowed(1, end, n).narrowed(2, first, end), right, subtract=True)
    return x, order, swaps, failed


def strip(t, b, lower, unit, conj=False):
    """Solutions of t y = b in place of b, (stack, n, n) and (stack, n, k), n <= PANEL."""
    stack, n, columns = b.shape
    if stack and n and columns:
        _solve(t.dtype, lower, unit, conj and t.dtype.kind == "c").launch(
            t.driver, (-(-columns // 128), min(stack, 65535)), min(128, -(-columns // 32) * 32), t.address, b.address, n, columns, stack,
            t.strides[1], t.strides[2], t.strides[0], b.strides[1], b.strides[2], b.strides[0],
        )  # fmt: skip


def triangular(t, b, lower, unit):
    """Solutions of triangular systems t y = b in place of b: (stack, n, n) and (stack, n, k)."""
    n = t.shape[1]
    for first in range(0, n, PANEL) if lower else range((n - 1) // PANEL * PANEL, -1, -PANEL):
        end = min(first + PANEL, n)
        own = b.narrowed(1, first, end)
        strip(t.narrowed(1, first, end).narrowed(2, first, end), own, lower, unit)
        low, high = (end, n) if lower else (0, first)
        if low < high:
            gemm.multiply(b.narrowed(1, low, high), t.narrowed(1, low, high).narrowed(2, first, end), own, subtract=True)


def _solved(factors, order, x=None):
    """The solutions for right-hand sides x (stack, n, k), by default the unit matrices."""
    if order.dtype == INT:  # pivots of the library
        return solver_lib.solved(factors, order, x)
    stack, n = order.shape
    k = n if x is None else x.shape[-1]
    out = empty(factors.driver, (stack, n, k), factors.dtype)
    count = out.size
    if count:
        source = out if x is None else x
        _ordered(out.dtype).launch(
            out.driver, grid_of(count), THREADS, out.address, source.address, order.address, n, k, count, int(x is None)
        )
        triangular(factors, out, True, True)
        triangular(factors, out, False, False)
    return out


# ---------------------------------------------------------------------- the engine ops


def inverse(x):
    """Inverses of square matrices."""
    factors, order, _, failed = lu(x)
    out = _solved(factors, order)
    raise_if(failed, SINGULAR)
    return out.reshaped(x.shape)


def solution(x1, x2):
    """X of x1 @ X = x2 for stacks of matrices."""
    stack = _strides.broadcast_shape(x1.shape[:-2], x2.shape[:-2])
    factors, order, _, failed = lu(x1.broadcast_to((*stack, *x1.shape[-2:])))
    out = _solved(factors, order, flat(x2.broadcast_to((*stack, *x2.shape[-2:]))))
    raise_if(failed, SINGULAR)
    return out.reshaped((*stack, *x2.shape[-2:]))


def _determined(x):
    """(det, sign, logabsdet, which are 0, the LU factors) of square matrices."""
    made = factors, _, swaps, _ = lu(x)
    shape, driver, dtype = x.shape[:-2], x.driver, x.dtype
    det, sign = empty(driver, shape, dtype), empty(driver, shape, dtype)
    logabsdet, zero = empty(driver, shape, real_of(dtype)), empty(driver, shape, INT)
    stack, n = factors.shape[:2]
    if stack:
        _determinants(dtype).launch(
            driver,
            -(-stack // 128),
            128,
            det.address,
            sign.address,
            logabsdet.address,
            zero.address,
            factors.address,
            swaps.address,
            n,
            stack,
        )
    return det, sign, logabsdet, zero, made


def determinant(x):
    """Determinants of square matrices."""
    return _determined(x)[0]


def sign_and_logdet(x):
    """Signs and logarithms of the absolute values of determinants."""
    return _determined(x)[1:3]


def adjugate(x):
    """Determinants times inverses of square matrices: finite for singular ones too."""
    from . import spectral

    det, _, _, zero, (factors, order, _, _) = _determined(x)
    try:
        raise_if(zero, SINGULAR)
    except np.linalg.LinAlgError:
        return spectral.adjugate_by_singular_values(x)
    out = _solved(factors, order)
    if out.size:
        spectral.scale(out, det.reshaped((out.shape[0],)), "each")
    return out.reshaped(x.shape)


def cholesky_factor(x):
    """Lower triangular L with x = L @ L^H, from the lower triangle of x."""
    shape, x = x.shape, flat(x)
    stack, n = x.shape[:2]
    if x.size == 0:
        return x.reshaped(shape)
    driver = x.driver
    failed = solver_lib.cholesky(x)
    served = failed is not None
    if not served:
        failed = empty(driver, (stack,), INT)
    for first in () if served else range(0, n, PANEL):
        end = min(first + PANEL, n)
        threads = threads_for((end - first) ** 2)
        _cholesky(x.dtype, threads).launch(driver, stack, threads, x.address, failed.address, n, first, end - first)
        if end < n:
            below = x.narrowed(1, end, n).narrowed(2, first, end)
            # Rows below: y L^H = b, seen as columns conj(L) y^T = b^T.
            strip(x.narrowed(1, first, end).narrowed(2, first, end), below.transpose((0, 2, 1)), True, False, conj=True)
            rest = x.narrowed(1, end, n).narrowed(2, end, n)
            gemm.multiply(rest, below, below.transpose((0, 2, 1)), subtract=True, conj=2 if x.dtype.kind == "c" else 0)
    _lower(x.dtype).launch(driver, grid_of(x.size), THREADS, x.address, n, x.size)
    raise_if(failed, INDEFINITE)
    return x.reshaped(shape)


def every():
    for d in FLOATING:
        for threads in (32, THREADS):
            yield _lu(d, threads)
            yield _cholesky(d, threads)
        yield from (_ordered(d), _determinants(d), _lower(d), _solve(d, True, True, False))
        yield _solve(d, False, False, False)
        yield _solve(d, True, False, d.kind == "c")
