"""Complex division and powers by NumPy with the special values of the kernels: they serve small arrays and uncompiled functions."""

import numpy as np


def _size(z):
    """The larger part's magnitude; NaN if either is."""
    return np.maximum(np.abs(z.real), np.abs(z.imag))


def _centred(z, size):
    """(z / 2**k, k) with a magnitude near 1, for finite z."""
    k = np.frexp(size)[1]
    out = np.empty_like(z)
    out.real, out.imag = np.ldexp(z.real, -k), np.ldexp(z.imag, -k)
    return out, k


def divide(x1, x2):
    """x1 / x2 of complex arrays of one dtype; right too where NumPy's intermediate results overflow or vanish."""
    out = np.divide(x1, x2)
    # What goes wrong leaves a zero, an infinity or NaN. (A sum that overflows only costs the closer look.)
    if out.all() and abs(np.add.reduce(out, axis=None)) < np.inf:
        return out
    n, d = _size(x1), _size(x2)
    info = np.finfo(d.dtype)
    tiny, huge = 4 * info.tiny, info.max / 4
    extreme = (d > 0) & (d < np.inf) & (n < np.inf) & ((d < tiny) | (d > huge) | (n > huge))
    if extreme.any():
        x1, x2, n, d, extreme = np.broadcast_arrays(x1, x2, n, d, extreme)
        (a, j), (b, k) = _centred(x1[extreme], n[extreme]), _centred(x2[extreme], d[extreme])
        q = np.divide(a, b)
        out = np.array(out)
        out.real[extreme], out.imag[extreme] = np.ldexp(q.real, j - k), np.ldexp(q.imag, j - k)
    up = (n == np.inf) & (d > 0) & (d < np.inf)
    if up.any():  # only the infinite parts count; NumPy scales the others and may make NaN of them
        x1, x2, up = np.broadcast_arrays(x1, x2, up)
        a, b = (np.where(np.isinf(v), v, 0) for v in (x1.real[up], x1.imag[up]))
        c, d = x2.real[up], x2.imag[up]
        out = np.array(out)
        out.real[up], out.imag[up] = a * c + b * d, b * c - a * d
    return out


def power(x1, x2):
    """x1 ** x2 of complex arrays of one dtype: 1 where x2 is 0, else NaN + NaN j where an operand is not finite.

    Where NumPy's result overflows in one part only because its intermediate results do, exp(x2 log(x1)) decides.
    """
    d = np.result_type(x1, x2)
    z, w = np.broadcast_arrays(np.asarray(x1, np.complex128), np.asarray(x2, np.complex128))
    out = np.array(np.power(z, w))  # in complex64 NumPy would lose digits to the logarithm
    finite = np.isfinite(z) & np.isfinite(w)
    lost = finite & ~np.isfinite(out) & (z != 0)
    if lost.any():
        v = w[lost] * (np.log(np.hypot(z.real, z.imag)) + 1j * np.angle(z))[lost]
        half = np.exp(0.5 * v.real)
        c, s = half * np.cos(v.imag), half * np.sin(v.imag)
        out.real[lost], out.imag[lost] = c * half, np.where(v.imag == 0, v.imag, s * half)
    out[~finite] = complex(np.nan, np.nan)
    out[w == 0] = 1
    return out.astype(d)
