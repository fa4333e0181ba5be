"""QR on the device by Householder's reflections, a block for each matrix. Where cuSOLVER is installed it serves large ones."""

import math

from . import solver_lib
from .kernel import Kernel
from .matrices import FLOATING, codes, flat, floor_of, magnitudes, quotients, real_of
from .tensor import empty


def reflections(target, dtype, lanes, rows):
    """x = Q R by Householder's reflections, a block for each matrix (m, n) of a stack: x is overwritten, Q gets p columns, R min(m, n) rows
    (p of them). The threads are so many lanes along rows of x, and so many rows of them."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    quotient, magnitude = quotients(target, dtype), magnitudes(target, dtype)
    FLOOR = R(floor_of(dtype))
    LIFT = R(1 / floor_of(dtype))
    THREADS = lanes * rows

    def reflect(y, at, pitch, x, at_v, pitch_v, m, n, factor, sums):
        """y -= factor v (v^H y) for n columns of y, v[0] = 1."""
        t = cuda.threadIdx.x
        lane = t % lanes
        row = t // lanes
        c = lane
        base = 0
        while base < n:
            total = T(0)
            if c < n:
                i = row
                while i < m:
                    v = T(1)
                    if i > 0:
                        v = T(x[at_v + i * pitch_v].conjugate())
                    total = T(total + T(v * y[at + i * pitch + c]))
                    i += rows
            sums[t] = total
            cuda.syncthreads()
            total = T(0)
            for k in range(rows):
                total = T(total + sums[k * lanes + lane])
            total = T(total * factor)
            if c < n:
                i = row
                while i < m:
                    v = T(1)
                    if i > 0:
                        v = x[at_v + i * pitch_v]
                    y[at + i * pitch + c] = T(y[at + i * pitch + c] - T(v * total))
                    i += rows
            cuda.syncthreads()
            c += lanes
            base += lanes

    reflect = target.device(reflect)

    def reflections(q, r, x, taus, m, n, p):
        sums = cuda.shared.array(THREADS, T)
        sizes = cuda.shared.array(THREADS, R)
        t = cuda.threadIdx.x
        z = cuda.blockIdx.x
        k = m if m < n else n
        at = z * m * n
        at_q = z * m * p
        at_tau = z * k
        for j in range(k):
            here = at + j * (n + 1)
            # The norm of the column below the diagonal, as size * root.
            size = R(0)
            i = j + 1 + t
            while i < m:
                v = magnitude(x[at + i * n + j])
                if v > size or v != v:
                    size = v
                i += THREADS
            sizes[t] = size
            cuda.syncthreads()
            size = R(0)
            for i in range(THREADS):
                v = sizes[i]
                if v > size or v != v:
                    size = v
            alpha = x[here]
            v = magnitude(alpha)
            below = size > R(0) or size != size
            if v > size or v != v:
                size = v
            lift = R(1)  # for columns so small that quotients of their elements would not be precise
            if size < FLOOR:
                lift = LIFT
            size = R(size * lift)
            alpha = T(alpha * lift)
            cuda.syncthreads()
            tau = T(0)
            if below or alpha.imag != R(0):
                total = R(0)
                i = j + t
                while i < m:
                    v = R(R(x[at + i * n + j].real * lift) / size)
                    w = R(R(x[at + i * n + j].imag * lift) / size)
                    total = R(total + R(v * v) + R(w * w))
                    i += THREADS
                sizes[t] = total
            cuda.syncthreads()
            if below or alpha.imag != R(0):
                total = R(0)
                for i in range(THREADS):
                    total = R(total + sizes[i])
                beta = R(size * R(math.sqrt(total)))
                if alpha.real >= R(0):
                    beta = R(-beta)
                tau = quotient(T(beta - alpha), T(beta))
                i = j + 1 + t
                while i < m:
                    x[at + i * n + j] = quotient(T(x[at + i * n + j] * lift), T(alpha - beta))
                    i += THREADS
                cuda.syncthreads()
                if t == 0:
                    x[here] = T(beta / lift)
            if t == 0:
                taus[at_tau + j] = tau
            cuda.syncthreads()
            if tau != T(0):
                reflect(x, here + 1, n, x, here, n, m - j, n - j - 1, T(tau.conjugate()), sums)
        i = t
        while i < m * p:
            row = i // p
            q[at_q + i] = T(1) if i - row * p == row else T(0)
            i += THREADS
        i = t
        while i < p * n:
            row = i // n
            value = T(0)
            if row <= i - row * n:
                value = x[at + i]
            r[z * p * n + i] = value
            i += THREADS
        cuda.syncthreads()
        for back in range(k):
            j = k - 1 - back
            tau = taus[at_tau + j]
            if tau != T(0):
                reflect(q, at_q + j * (p + 1), p, x, at + j * (n + 1), n, m - j, p - j, tau, sums)

    return reflections


def _qr(dtype, lanes, rows):
    return Kernel(reflections, (dtype, lanes, rows), codes(dtype, "T T T T i8 i8 i8"), lanes * rows)


def qr_factors(x, *, mode):
    """Q and R."""
    *stack, m, n = x.shape
    p = m if mode == "complete" else min(m, n)
    q, r = qr(flat(x), p)
    return q.reshaped((*stack, m, p)), r.reshaped((*stack, p, n))


def qr(x, p):
    """Q (stack, m, p) and R (stack, p, n) of matrices (stack, m, n), which are overwritten."""
    made = solver_lib.qr(x, p)
    if made is not None:
        return made
    stack, m, n = x.shape
    driver = x.driver
    q, r = empty(driver, (stack, m, p), x.dtype), empty(driver, (stack, p, n), x.dtype)
    taus = empty(driver, (stack, min(m, n)), x.dtype)
    if stack and (q.size or r.size):
        lanes, rows = (8, 4) if m * n <= 256 else (32, 8)
        _qr(x.dtype, lanes, rows).launch(driver, stack, lanes * rows, q.address, r.address, x.address, taus.address, m, n, p)
    return q, r


def every():
    for d in FLOATING:
        yield from (_qr(d, 8, 4), _qr(d, 32, 8))
