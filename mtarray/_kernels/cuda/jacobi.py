"""Jacobi's one-sided method on the device: columns of matrices are turned until they are orthogonal, each pair once in a sweep.

The columns lie in rows (stack, n, m) of memory. A warp turns a pair; the pairs of a round have no column in common. A stack of small
matrices has a block for each; a large matrix many blocks, with a launch for every round. A sweep whose predecessor turned nothing is over
at once, so that the host need not ask whether it is done. Singular values are the lengths of the turned columns; the eigenvalues of a
Hermitian matrix are those of it plus a multiple of the unit matrix that makes it positive, less that multiple.
"""

import math

import numpy as np

from .kernel import Kernel
from .matrices import FLOATING, INT, LONG, THREADS, codes, floor_of, magnitudes, real_of
from .tensor import empty

SWEEPS = 24
ALL = 0xFFFFFFFF
WARPS = 8
ALONE = 128  # columns up to which one block turns all pairs of a matrix


def columns_of(target, dtype, hermitian):
    """What the method starts from, a block for each matrix x (m, n): its columns in rows, divided by its largest element; unit matrices;
    no sweep has turned anything. wide: those of the adjoint. hermitian: from the lower triangle, and shifted by its norm."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    magnitude = magnitudes(target, dtype)
    LARGEST = R(np.finfo(dtype).max)

    def columns_of(w, v, scales, shifts, failed, changed, x, m, n, wide, sweeps):
        sums = cuda.shared.array(THREADS, R)
        t = cuda.threadIdx.x
        z = cuda.blockIdx.x
        at = z * m * n
        size = R(0)
        i = t
        while i < m * n:
            if not hermitian or i % n <= i // n:
                a = magnitude(x[at + i])
                if a > size or a != a:
                    size = a
            i += THREADS
        sums[t] = size
        cuda.syncthreads()
        size = R(0)
        for k in range(THREADS):
            a = sums[k]
            if a > size or a != a:
                size = a
        bad = not size <= LARGEST
        if bad or size == R(0):
            size = R(1)
        cuda.syncthreads()
        total = R(0)
        i = t
        while i < m * n:
            row = i // n
            c = i - row * n
            if hermitian:
                if c > row:
                    a = T(x[at + c * n + row].conjugate())
                elif c == row:
                    a = T(x[at + i].real)
                else:
                    a = x[at + i]
            else:
                a = x[at + i]
            a = T(a / size)
            total = R(total + R(a.real * a.real) + R(a.imag * a.imag))
            if wide:
                w[at + i] = T(a.conjugate())
            else:
                w[at + c * m + row] = a
            i += THREADS
        shift = R(0)
        if hermitian:
            sums[t] = total
            cuda.syncthreads()
            for k in range(THREADS):
                shift = R(shift + sums[k])
            shift = R(math.sqrt(shift))
            if bad:
                shift = R(0)
            i = t
            while i < n:
                w[at + i * (n + 1)] = T(w[at + i * (n + 1)] + shift)
                i += THREADS
        k = m if wide else n
        i = t
        while i < k * k:
            row = i // k
            v[z * k * k + i] = T(1) if i - row * k == row else T(0)
            i += THREADS
        i = t
        while i < sweeps:
            changed[z * sweeps + i] = 0
            i += THREADS
        if t == 0:
            scales[z] = size
            shifts[z] = shift
            failed[z] = bad

    return columns_of


def turn(target, dtype):
    """Rounds [first, last) of a sweep over the n columns, of m elements, of each matrix. Grid: (blocks that share the pairs, matrices)."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    COMPLEX = dtype.kind == "c"
    EPS, MANY, FLOOR = R(np.finfo(dtype).eps), R(1e8), R(floor_of(dtype))

    def sum_of_warp(x):
        for s in range(5):
            x = R(x + cuda.shfl_xor_sync(ALL, x, 16 >> s))
        return x

    sum_of_warp = target.device(sum_of_warp)

    def rotate(x, p, q, length, lane, c, s, e):
        i = lane
        while i < length:
            a = x[p + i]
            b = T(x[q + i] * e)
            x[p + i] = T(T(a * c) - T(b * s))
            x[q + i] = T(T(a * s) + T(b * c))
            i += 32

    rotate = target.device(rotate)

    def turn(w, v, failed, changed, n, m, first, last, sweep, sweeps):
        t = cuda.threadIdx.x
        lane = t % 32
        warps = cuda.blockDim.x // 32
        z = cuda.blockIdx.y
        over = failed[z] != 0
        if sweep > 0 and changed[z * sweeps + sweep - 1] == 0:
            over = True
        if over:
            return
        tolerance = R(EPS * R(max(R(8), R(math.sqrt(R(m))))))
        teams = n + n % 2
        for r in range(first, last):
            i = cuda.blockIdx.x * warps + t // 32
            while i < teams // 2:
                p = (r + i) % (teams - 1)
                q = teams - 1
                if i > 0:
                    q = (r - i + teams - 1) % (teams - 1)
                if p < n and q < n:
                    at_p = (z * n + p) * m
                    at_q = (z * n + q) * m
                    alpha, beta, re, im = R(0), R(0), R(0), R(0)
                    j = lane
                    while j < m:
                        a = w[at_p + j]
                        b = w[at_q + j]
                        alpha = R(alpha + R(a.real * a.real))
                        beta = R(beta + R(b.real * b.real))
                        re = R(re + R(a.real * b.real))
                        if COMPLEX:
                            alpha = R(alpha + R(a.imag * a.imag))
                            beta = R(beta + R(b.imag * b.imag))
                            re = R(re + R(a.imag * b.imag))
                            im = R(im + R(R(a.real * b.imag) - R(a.imag * b.real)))
                        j += 32
                    alpha, beta, re = sum_of_warp(alpha), sum_of_warp(beta), sum_of_warp(re)
                    size = R(abs(re))
                    e = T(1)
                    if COMPLEX:
                        im = sum_of_warp(im)
                        size = R(math.hypot(re, im))
                        if size > R(0):
                            e = T(complex(R(re / size), R(-im / size)))
                    elif re < R(0):
                        e = T(-1)
                    if size > FLOOR and size > R(tolerance * R(R(math.sqrt(alpha)) * R(math.sqrt(beta)))):
                        zeta = R(R(beta - alpha) / R(R(2) * size))
                        if abs(zeta) > MANY:
                            tangent = R(R(0.5) / zeta)
                        else:
                            tangent = R(R(1) / R(R(abs(zeta)) + R(math.sqrt(R(R(1) + R(zeta * zeta))))))
                            if zeta < R(0):
                                tangent = R(-tangent)
                        c = R(R(1) / R(math.sqrt(R(R(1) + R(tangent * tangent)))))
                        s = R(c * tangent)
                        rotate(w, at_p, at_q, m, lane, T(c), T(s), e)
                        rotate(v, (z * n + p) * n, (z * n + q) * n, n, lane, T(c), T(s), e)
                        if lane == 0 and tangent != R(0):
                            changed[z * sweeps + sweep] = 1
                i += cuda.gridDim.x * warps
            cuda.syncthreads()

    return turn


def lengths(target, dtype, hermitian):
    """The lengths of the columns, sorted: descending, as singular values, or ascending, less the shift, as eigenvalues. A block each."""
    cuda, R, I = target.cuda, target.type(real_of(dtype)), target.type(INT)

    def lengths(values, order, sizes, w, scales, shifts, failed, changed, n, m, sweeps):
        t = cuda.threadIdx.x
        z = cuda.blockIdx.x
        bad = failed[z] != 0
        cuda.syncthreads()
        j = t
        while j < n:
            total = R(0)
            for i in range(m):
                a = w[(z * n + j) * m + i]
                total = R(total + R(a.real * a.real) + R(a.imag * a.imag))
            sizes[z * n + j] = R(math.sqrt(total))
            j += THREADS
        cuda.syncthreads()
        j = t
        while j < n:
            own = sizes[z * n + j]
            rank = 0
            for i in range(n):
                other = sizes[z * n + i]
                if other > own or (other == own and i < j):
                    rank += 1
            if hermitian:
                rank = n - 1 - rank
            value = R(R(own - shifts[z]) * scales[z])
            if bad:
                rank = j
                value = R(math.nan)
            values[z * n + rank] = value
            order[z * n + rank] = j
            j += THREADS
        if t == 0 and changed[z * sweeps + sweeps - 1] != 0:
            failed[z] = I(1)

    return lengths


def _start(dtype, hermitian):
    return Kernel(columns_of, (dtype, hermitian), codes(dtype, "T T R R *i4 *i4 T i8 i8 i8 i8"), THREADS)


def _turn(dtype):
    return Kernel(turn, (dtype,), codes(dtype, "T T *i4 *i4 i8 i8 i8 i8 i8 i8"), 32 * WARPS)


def _lengths(dtype, hermitian):
    return Kernel(lengths, (dtype, hermitian), codes(dtype, "R *i8 R T R R *i4 *i4 i8 i8 i8"), THREADS)


def orthogonal(x, hermitian=False):
    """(values, their order among the columns, turned columns w, turning v, which failed) of matrices (stack, m, n), or of their adjoints
    where m < n: columns of x times those of v are those of w. Columns lie in rows: w (stack, k, max(m, n)), v (stack, k, k)."""
    stack, m, n = x.shape
    driver, dtype = x.driver, x.dtype
    wide = m < n
    k, long = min(m, n), max(m, n)
    real = real_of(dtype)
    w, v = empty(driver, (stack, k, long), dtype), empty(driver, (stack, k, k), dtype)
    values, order, sizes = empty(driver, (stack, k), real), empty(driver, (stack, k), LONG), empty(driver, (stack, k), real)
    scales, shifts, failed = empty(driver, (stack,), real), empty(driver, (stack,), real), empty(driver, (stack,), INT)
    if x.size == 0:
        return values, order, w, v, empty(driver, (0,), INT)
    changed = empty(driver, (stack, SWEEPS), INT)
    _start(dtype, hermitian).launch(
        driver, stack, THREADS, w.address, v.address, scales.address, shifts.address, failed.address, changed.address, x.address,
        m, n, int(wide), SWEEPS,
    )  # fmt: skip
    pairs = (k + 1) // 2
    rounds = max(2 * pairs - 1, 0) if k > 1 else 0
    warps = min(WARPS, pairs)
    blocks = 1
    if k > ALONE and stack * 2 <= driver.multiprocessors:
        blocks = -(-pairs // warps)
    kernel = _turn(dtype)
    steps = range(0, rounds, 1 if blocks > 1 else rounds or 1)
    for sweep in range(SWEEPS):
        for first in steps:
            last = first + 1 if blocks > 1 else rounds
            for z in range(0, stack, 65535):
                count = min(65535, stack - z)
                kernel.launch(
                    driver, (blocks, count), 32 * warps, w.narrowed(0, z, stack).address, v.narrowed(0, z, stack).address,
                    failed.narrowed(0, z, stack).address, changed.narrowed(0, z, stack).address, k, long, first, last, sweep, SWEEPS,
                )  # fmt: skip
    _lengths(dtype, hermitian).launch(
        driver, stack, THREADS, values.address, order.address, sizes.address, w.address, scales.address, shifts.address,
        failed.address, changed.address, k, long, SWEEPS,
    )  # fmt: skip
    return values, order, w, v, failed


def every():
    for d in FLOATING:
        for hermitian in (False, True):
            yield _start(d, hermitian)
            yield _lengths(d, hermitian)
        yield _turn(d)
