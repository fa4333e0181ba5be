"""Eigenvalues and eigenvectors of general matrices on the device: the QR algorithm in complex arithmetic, a block for each matrix.

Rotations of neighbouring rows and columns bring a matrix to Hessenberg form and then, with Wilkinson's shifts, to triangular form; the
threads share the elements of the two rows or columns. Eigenvectors follow from the triangle by substitution, a thread for each.
"""

import math

import numpy as np

from .kernel import Kernel
from .matrices import FLOATING, INT, THREADS, codes, flat, floor_of, magnitudes, quotients, raise_if, real_of
from .products import product
from .tensor import empty


def schur(target, given, dtype, vectors):
    """h, z: x = z h z^H with h upper triangular; z only for `vectors`. failed: 1 where x is not finite, 2 where it does not converge."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    magnitude, quotient = magnitudes(target, dtype), quotients(target, dtype)
    EPS, LARGEST, FLOOR = R(np.finfo(dtype).eps), R(np.finfo(dtype).max), R(floor_of(dtype))

    def rotate(h, z, at, n, p, a, b, t):
        """Rows p and p + 1 by the rotation that maps (a, b) to (., 0), columns by its adjoint."""
        size = R(math.hypot(R(math.hypot(a.real, a.imag)), R(math.hypot(b.real, b.imag))))
        c = R(1)
        s = T(0)
        if size > FLOOR:
            first = R(math.hypot(a.real, a.imag))
            if first == R(0):
                c = R(0)
                s = T(T(b.conjugate()) / size)
            else:
                c = R(first / size)
                s = T(T(T(a / first) * T(b.conjugate())) / size)
        C = T(c)
        S = T(s.conjugate())
        j = t
        while j < n:
            x = h[at + p * n + j]
            y = h[at + p * n + n + j]
            h[at + p * n + j] = T(T(C * x) + T(s * y))
            h[at + p * n + n + j] = T(T(C * y) - T(S * x))
            j += THREADS
        cuda.syncthreads()
        i = t
        while i < n:
            x = h[at + i * n + p]
            y = h[at + i * n + p + 1]
            h[at + i * n + p] = T(T(C * x) + T(S * y))
            h[at + i * n + p + 1] = T(T(C * y) - T(s * x))
            if vectors:
                x = z[at + i * n + p]
                y = z[at + i * n + p + 1]
                z[at + i * n + p] = T(T(C * x) + T(S * y))
                z[at + i * n + p + 1] = T(T(C * y) - T(s * x))
            i += THREADS
        cuda.syncthreads()

    rotate = target.device(rotate)

    def schur(h, z, scales, x, failed, n):
        sizes = cuda.shared.array(THREADS, R)
        t = cuda.threadIdx.x
        at = cuda.blockIdx.x * n * n
        size = R(0)
        i = t
        while i < n * n:
            found = magnitude(T(x[at + i]))
            if found > size or found != found:
                size = found
            i += THREADS
        sizes[t] = size
        cuda.syncthreads()
        size = R(0)
        for k in range(THREADS):
            found = sizes[k]
            if found > size or found != found:
                size = found
        bad = not size <= LARGEST
        if size == R(0):
            size = R(1)
        i = t
        while i < n * n:
            h[at + i] = T(T(x[at + i]) / size)
            if vectors:
                row = i // n
                z[at + i] = T(1) if i - row * n == row else T(0)
            i += THREADS
        if t == 0:
            scales[cuda.blockIdx.x] = size
            failed[cuda.blockIdx.x] = bad
        cuda.syncthreads()
        if bad:
            return
        for k in range(n - 2):
            for back in range(n - 2 - k):
                p = n - 2 - back
                a = h[at + p * n + k]
                b = h[at + p * n + n + k]
                cuda.syncthreads()
                rotate(h, z, at, n, p, a, b, t)
                if t == 0:
                    h[at + p * n + n + k] = T(0)
                cuda.syncthreads()
        high = n - 1
        rounds = 0
        spent = 0
        while high > 0 and spent < 40 * n:
            low = high
            going = True
            while going and low > 0:
                below = magnitude(h[at + low * n + low - 1])
                if below <= R(EPS * R(magnitude(h[at + (low - 1) * (n + 1)]) + magnitude(h[at + low * (n + 1)]))):
                    going = False
                else:
                    low -= 1
            d = h[at + high * (n + 1)]
            a = h[at + (high - 1) * (n + 1)]
            b = h[at + (high - 1) * n + high]
            c = h[at + high * n + high - 1]
            cuda.syncthreads()
            if low > 0 and t == 0:
                h[at + low * n + low - 1] = T(0)
            cuda.syncthreads()
            if low == high:
                high -= 1
                rounds = 0
            else:
                rounds += 1
                spent += 1
                if rounds % 10 == 0:
                    shift = T(d + T(magnitude(c)))
                else:
                    # The eigenvalue of the last 2 x 2 block that is nearer to d: d - b c / (e + sign sqrt(e^2 + b c)), e = (a - d) / 2.
                    block = R(R(magnitude(a) + magnitude(d)) + R(magnitude(b) + magnitude(c)))
                    e = T(T(a - d) / R(R(2) * block))
                    f = T(T(b / block) * T(c / block))
                    g = T(T(e * e) + f)
                    # Its square root.
                    m = R(math.hypot(g.real, g.imag))
                    re = R(math.sqrt(R(R(0.5) * R(m + R(abs(g.real))))))
                    im = R(0)
                    if re > R(0):
                        im = R(R(0.5) * R(g.imag / re))
                    if g.real < R(0):
                        other = R(abs(im))
                        im = re
                        if g.imag < R(0):
                            im = R(-re)
                        re = other
                    if R(R(e.real * re) + R(e.imag * im)) < R(0):
                        re = R(-re)
                        im = R(-im)
                    root = T(complex(R(e.real + re), R(e.imag + im)))
                    shift = d
                    if magnitude(root) > R(0):
                        shift = T(d - T(quotient(f, root) * block))
                for p in range(low, high):
                    if p == low:
                        a = T(h[at + low * (n + 1)] - shift)
                        b = h[at + low * n + n + low]
                    else:
                        a = h[at + p * n + p - 1]
                        b = h[at + p * n + n + p - 1]
                    cuda.syncthreads()
                    rotate(h, z, at, n, p, a, b, t)
                    if p > low and t == 0:
                        h[at + p * n + n + p - 1] = T(0)
                    cuda.syncthreads()
        if high > 0 and t == 0:
            failed[cuda.blockIdx.x] = 2

    return schur


def eigenvectors_of_triangles(target, dtype):
    """x[j]: the eigenvector of an upper triangular matrix that belongs to its j-th diagonal element; a thread for each."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    magnitude, quotient = magnitudes(target, dtype), quotients(target, dtype)
    EPS, LARGE = R(np.finfo(dtype).eps), R(1e10)

    def eigenvectors_of_triangles(values, x, h, scales, n, count):
        e = cuda.grid(1)
        while e < count:
            j = e % n
            at = (e - j) * n
            own = h[at + j * (n + 1)]
            values[e] = T(own * scales[e // n])
            size = R(0)
            for i in range(j + 1):
                size = R(max(size, magnitude(h[at + i * n + j])))
                size = R(max(size, magnitude(h[at + i * (n + 1)])))
            least = R(EPS * size)
            if least == R(0):
                least = R(1)
            for i in range(n):
                x[e * n + i] = T(0)
            x[e * n + j] = T(1)
            for back in range(j):
                i = j - 1 - back
                total = T(0)
                for k in range(i + 1, j + 1):
                    total = T(total - T(h[at + i * n + k] * x[e * n + k]))
                d = T(h[at + i * (n + 1)] - own)
                if magnitude(d) < least:
                    d = T(least)
                y = quotient(total, d)
                x[e * n + i] = y
                if magnitude(y) > LARGE:
                    for k in range(i, j + 1):
                        x[e * n + k] = T(x[e * n + k] / LARGE)
            e += cuda.gridsize(1)

    return eigenvectors_of_triangles


def unit_columns(target, dtype):
    """Columns of matrices (n, n) divided by their lengths, a thread for each."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    magnitude = magnitudes(target, dtype)

    def unit_columns(x, n, count):
        e = cuda.grid(1)
        while e < count:
            j = e % n
            at = (e - j) * n + j
            size = R(0)
            for i in range(n):
                size = R(max(size, magnitude(x[at + i * n])))
            if size > R(0):
                total = R(0)
                for i in range(n):
                    y = T(x[at + i * n] / size)
                    total = R(total + R(R(y.real * y.real) + R(y.imag * y.imag)))
                size = R(size * R(math.sqrt(total)))
                for i in range(n):
                    x[at + i * n] = T(x[at + i * n] / size)
            e += cuda.gridsize(1)

    return unit_columns


def _complex(dtype):
    return dtype if dtype.kind == "c" else np.dtype(f"c{2 * dtype.itemsize}")


def _schur(given, vectors):
    dtype = _complex(given)
    return Kernel(schur, (given, dtype, vectors), codes(dtype, f"T T R *{given.str[1:]} *i4 i8"), THREADS)


def _vectors(dtype):
    return Kernel(eigenvectors_of_triangles, (dtype,), codes(dtype, "T T T R i8 i8"), 128)


def _unit(dtype):
    return Kernel(unit_columns, (dtype,), codes(dtype, "T i8 i8"), 128)


def _eig(x, vectors):
    shape, x = x.shape, flat(x)
    stack, n = x.shape[:2]
    driver, dtype = x.driver, _complex(x.dtype)
    h, z, y = [empty(driver, x.shape, dtype) for _ in range(3)]
    values, failed = empty(driver, shape[:-1], dtype), empty(driver, (stack,), INT)
    scales = empty(driver, (stack,), real_of(dtype))
    if x.size == 0:
        return values, z.reshaped(shape)
    _schur(x.dtype, vectors).launch(driver, stack, THREADS, h.address, z.address, scales.address, x.address, failed.address, n)
    _vectors(dtype).launch(driver, -(-stack * n // 128), 128, values.address, y.address, h.address, scales.address, n, stack * n)
    out = z
    if vectors:
        out = product(z, y.transpose((0, 2, 1)))
        _unit(dtype).launch(driver, -(-stack * n // 128), 128, out.address, n, stack * n)
    try:
        raise_if(failed, "Eigenvalues did not converge")
    except np.linalg.LinAlgError:
        if (failed.to_host() == 1).any():
            raise np.linalg.LinAlgError("Array must not contain infs or NaNs") from None
        raise
    return values, out.reshaped(shape)


def eig_pairs(x):
    """Eigenvalues and eigenvectors of general matrices, complex."""
    return _eig(x, True)


def eig_values(x):
    """Eigenvalues of general matrices, complex."""
    return _eig(x, False)[0]


def every():
    for d in FLOATING:
        for vectors in (False, True):
            yield _schur(d, vectors)
        if d.kind == "c":
            yield from (_vectors(d), _unit(d))
