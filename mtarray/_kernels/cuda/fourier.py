"""Fourier transforms on the device: Stockham's passes with radices 4, 2, 3, 5, 7, 11 and 13; other lengths by Bluestein's chirps.

Lines are loaded from any axis of a tensor into rows of complex numbers, transformed there, and stored. A line that fits into shared memory
takes all passes there, in one launch; a longer one takes a launch for each pass. Roots of unity are computed on the host once for each
length, in higher precision, and kept on the device. Inverse transforms are direct ones of conjugates. Where cuFFT is installed it serves
(`fft_lib`).
"""

import threading

import numpy as np

from . import fft_lib
from .gemm import stacked
from .kernel import Kernel, code_of
from .tensor import empty, from_host

THREADS = 256
RADICES = (4, 2, 3, 5, 7, 11, 13)
_SHARED = 48 << 10  # bytes of shared memory for the two copies of the lines of a block
_KEPT = 64  # tables of each device
COMPLEX = [np.dtype(np.complex64), np.dtype(np.complex128)]
_lock = threading.RLock()


def butterflies(target, dtype):
    """A device function: the e-th butterfly of radix r of a pass over x (n numbers from at_x) into y. s: the product of the radices before;
    roots: exp(-2 pi i k / n)."""
    cuda, T = target.cuda, target.type(dtype)

    def odd(r):
        def butterfly(y, at_y, x, at_x, roots, e, n, s):
            part = n // r
            given = cuda.local.array(r, T)
            for k in range(r):
                given[k] = x[at_x + e + k * part]
            p = e // s
            to = at_y + e - p * s + s * r * p
            for j in range(r):
                total = given[0]
                for k in range(1, r):
                    total = T(total + T(given[k] * roots[(j * k) % r * part]))
                y[to + s * j] = T(total * roots[p * j * s])

        return target.device(butterfly)

    three, five, seven, eleven, thirteen = odd(3), odd(5), odd(7), odd(11), odd(13)

    def butterfly(y, at_y, x, at_x, roots, e, r, n, s):
        part = n // r
        p = e // s
        to = at_y + e - p * s + s * r * p
        if r == 4:
            a = x[at_x + e]
            b = x[at_x + e + part]
            c = x[at_x + e + 2 * part]
            d = x[at_x + e + 3 * part]
            ac = T(a + c)
            bd = T(b + d)
            difference = T(b - d)
            turned = T(complex(difference.imag, -difference.real))  # -i (b - d)
            a = T(a - c)
            y[to] = T(ac + bd)
            y[to + s] = T(T(a + turned) * roots[p * s])
            y[to + 2 * s] = T(T(ac - bd) * roots[2 * p * s])
            y[to + 3 * s] = T(T(a - turned) * roots[3 * p * s])
        elif r == 2:
            a = x[at_x + e]
            b = x[at_x + e + part]
            y[to] = T(a + b)
            y[to + s] = T(T(a - b) * roots[p * s])
        elif r == 3:
            three(y, at_y, x, at_x, roots, e, n, s)
        elif r == 5:
            five(y, at_y, x, at_x, roots, e, n, s)
        elif r == 7:
            seven(y, at_y, x, at_x, roots, e, n, s)
        elif r == 11:
            eleven(y, at_y, x, at_x, roots, e, n, s)
        else:
            thirteen(y, at_y, x, at_x, roots, e, n, s)

    return target.device(butterfly)


def short_lines(target, dtype):
    """All passes of lines of n numbers, in place, so many lines a block. radices: of the passes, four bits each, the first one lowest."""
    cuda, T = target.cuda, target.type(dtype)
    butterfly = butterflies(target, dtype)

    def short_lines(w, roots, lines, n, radices, together):
        memory = cuda.shared.array(0, T)
        t = cuda.threadIdx.x
        first = cuda.blockIdx.x * together
        count = together * n
        if (lines - first) * n < count:
            count = (lines - first) * n
        i = t
        while i < count:
            memory[i] = w[first * n + i]
            i += THREADS
        cuda.syncthreads()
        here = 0
        there = together * n
        s = 1
        while radices > 0:
            r = radices & 15
            part = n // r
            i = t
            while i < count // r:
                line = i // part
                butterfly(memory, there + line * n, memory, here + line * n, roots, i - line * part, r, n, s)
                i += THREADS
            cuda.syncthreads()
            here, there = there, here
            s = s * r
            radices = radices >> 4
        i = t
        while i < count:
            w[first * n + i] = memory[here + i]
            i += THREADS

    return short_lines


def one_pass(target, dtype):
    """One pass of radix r over lines of n numbers, from x to y."""
    cuda = target.cuda
    butterfly = butterflies(target, dtype)

    def one_pass(y, x, roots, n, r, s, count):
        i = cuda.grid(1)
        part = n // r
        while i < count:
            line = i // part
            butterfly(y, line * n, x, line * n, roots, i - line * part, r, n, s)
            i += cuda.gridsize(1)

    return one_pass


def load_lines(target, given, dtype, hermitian):
    """Lines of x, cut or padded with zeros to n numbers, conjugated for inverse transforms, times the chirp of Bluestein's method, in rows
    of `pitch`. hermitian: x holds the first values of a spectrum, whose others are their conjugates."""
    cuda, T = target.cuda, target.type(dtype)
    REAL = given.kind == "f"

    def load_lines(w, x, chirp, length, n, pitch, count, zn, x0, x1, step, inverse, chirps):
        i = cuda.grid(1)
        while i < count:
            line = i // pitch
            j = i - line * pitch
            outer = line // zn
            at = outer * x0 + (line - outer * zn) * x1
            value = T(0)
            if j < n:
                k = j
                mirrored = False
                if hermitian and 2 * j > n:
                    k = n - j
                    mirrored = True
                if k < length:
                    value = T(x[at + k * step])
                    if hermitian and (k == 0 or 2 * k == n):
                        value = T(value.real)
                    if not REAL and mirrored != (inverse != 0):
                        value = T(value.conjugate())
                if chirps:
                    value = T(value * chirp[j])
            w[i] = value
            i += cuda.gridsize(1)

    return load_lines


def store_lines(target, dtype, result):
    """The first `columns` numbers of rows of w times a factor, as lines of `out`; what `load_lines` did is undone."""
    cuda, T, V = target.cuda, target.type(dtype), target.type(result)
    F = target.type(np.dtype(f"f{dtype.itemsize // 2}"))
    REAL = result.kind == "f"

    def store_lines(out, w, chirp, factor, columns, pitch, count, zn, o0, o1, step, inverse, chirps):
        i = cuda.grid(1)
        while i < count:
            line = i // columns
            j = i - line * columns
            outer = line // zn
            value = w[line * pitch + j]
            if chirps:
                value = T(T(value.conjugate()) * chirp[j])
            value = T(value * F(factor))
            at = outer * o0 + (line - outer * zn) * o1 + j * step
            if REAL:
                out[at] = V(value.real)
            else:
                if inverse:
                    value = T(value.conjugate())
                out[at] = value
            i += cuda.gridsize(1)

    return store_lines


def times_spectrum(target, dtype):
    """w = conj(w * spectrum), rows of n."""
    cuda, T = target.cuda, target.type(dtype)

    def times_spectrum(w, spectrum, n, count):
        i = cuda.grid(1)
        while i < count:
            value = T(w[i] * spectrum[i % n])
            w[i] = T(value.conjugate())
            i += cuda.gridsize(1)

    return times_spectrum


# ---------------------------------------------------------------------- launches


def _short(dtype):
    return Kernel(short_lines, (dtype,), f"*{code_of(dtype)} *{code_of(dtype)} i8 i8 i8 i8", THREADS)


def _pass(dtype):
    c = code_of(dtype)
    return Kernel(one_pass, (dtype,), f"*{c} *{c} *{c} i8 i8 i8 i8", THREADS)


def _load(given, dtype, hermitian):
    c = code_of(dtype)
    return Kernel(load_lines, (given, dtype, hermitian), f"*{c} *{code_of(given)} *{c}" + " i8" * 10, THREADS)


def _store(dtype, result):
    c = code_of(dtype)
    return Kernel(store_lines, (dtype, result), f"*{code_of(result)} *{c} *{c} f8" + " i8" * 9, THREADS)


def _times(dtype):
    c = code_of(dtype)
    return Kernel(times_spectrum, (dtype,), f"*{c} *{c} i8 i8", THREADS)


def _grid(count):
    return min(-(-count // THREADS), 1 << 20)


def radices_of(n):
    """The radices of the passes of a length, or None if it has other factors."""
    out = []
    for r in RADICES:
        while n % r == 0:
            out.append(r)
            n //= r
    return out if n == 1 else None


def _kept(driver, key, make):
    """What `make()` gives, kept with the driver: a few tables."""
    with _lock:
        tables = driver.__dict__.setdefault("fourier_tables", {})
        found = tables.pop(key, None)
        if found is None:
            found = make()
            while len(tables) >= _KEPT:
                del tables[next(iter(tables))]
        tables[key] = found  # the last to be dropped
        return found


def _unit(numerators, n):
    """exp(-2 pi i k / n), computed in the widest type."""
    angle = numerators.astype(np.longdouble) * (2 * np.longdouble("3.14159265358979323846264338327950288")) / n
    return np.cos(angle) - 1j * np.sin(angle)


def roots(driver, n, dtype):
    """The n-th roots of unity on the device."""
    return _kept(driver, ("roots", n, dtype), lambda: from_host(driver, _unit(np.arange(n), n).astype(dtype)))


def _chirps(driver, n, m, dtype):
    """(chirp exp(-pi i k^2 / n) of n numbers, the transform of its wrapped conjugate of m numbers over m) on the device."""

    def make():
        k = np.arange(n, dtype=object) if n >= 1 << 31 else np.arange(n)
        chirp = _unit((k * k % (2 * n)).astype(np.int64), 2 * n)
        wrapped = np.zeros(m, chirp.dtype)
        wrapped[:n] = chirp.conj()
        wrapped[m - n + 1 :] = chirp[:0:-1].conj()
        spectrum = from_host(driver, (wrapped / m).astype(dtype).reshape(1, m))
        return from_host(driver, chirp.astype(dtype)), transformed(spectrum)

    return _kept(driver, ("chirps", n, m, dtype), make)


def transformed(w):
    """The transforms of contiguous rows (lines, n), whose length has small factors; w is overwritten, or they are it."""
    lines, n = w.shape
    driver, dtype = w.driver, w.dtype
    radices = radices_of(n)
    if n == 1:
        return w
    table = roots(driver, n, dtype)
    if 2 * n * dtype.itemsize <= _SHARED and len(radices) < 16:
        together = max(1, min(lines, 1024 // n, _SHARED // (2 * n * dtype.itemsize)))
        code = sum(r << 4 * i for i, r in enumerate(radices))
        _short(dtype).launch(
            driver, -(-lines // together), THREADS, w.address, table.address, lines, n, code, together,
            shared=2 * together * n * dtype.itemsize,
        )  # fmt: skip
        return w
    other, s = empty(driver, (lines, n), dtype), 1
    for r in radices:
        count = lines * (n // r)
        _pass(dtype).launch(driver, _grid(count), THREADS, other.address, w.address, table.address, n, r, s, count)
        w, other, s = other, w, s * r
    return w


def fourier(x, *, name, n, axis, norm):
    """One of NumPy's transforms fft, ifft, rfft, irfft along an axis."""
    driver, given = x.driver, x.dtype
    size = given.itemsize * (1 if given.kind == "c" else 2)
    dtype, real = np.dtype(f"c{size}"), np.dtype(f"f{size // 2}")
    direct = name in ("fft", "rfft")
    columns = n // 2 + 1 if name == "rfft" else n
    result = real if name == "irfft" else dtype
    out = empty(driver, (*x.shape[:axis], columns, *x.shape[axis + 1 :]), result)
    lines = out.size // columns
    factor = n**-0.5 if norm == "ortho" else 1 / n if (norm == "forward") == direct else 1.0
    if lines == 0 or fft_lib.transform(out, x, name, n, axis, factor):
        return out
    order = (*range(axis), *range(axis + 1, x.ndim), axis)
    source, target = x.transpose(order), out.transpose(order)
    axes = stacked(source.shape[:-1], source.strides[:-1], target.strides[:-1])
    if axes is None:
        source = source.copy()
        axes = stacked(source.shape[:-1], source.strides[:-1], target.strides[:-1])
        if axes is None:  # neither do those of the result join: transform it with the axis last
            last = fourier(source, name=name, n=n, axis=source.ndim - 1, norm=norm)
            back = (*range(axis), x.ndim - 1, *range(axis, x.ndim - 1))
            return last.transpose(back).copy()
    _, zn, ((x0, x1), (o0, o1)) = axes
    smooth = radices_of(n) is not None
    m = n if smooth else 1 << (2 * n - 2).bit_length()
    chirp = spectrum = w = empty(driver, (lines, m), dtype)
    if not smooth:
        chirp, spectrum = _chirps(driver, n, m, dtype)
    inverse = int(not direct)
    _load(given, dtype, name == "irfft").launch(
        driver, _grid(w.size), THREADS, w.address, source.address, chirp.address,
        source.shape[-1], n, m, w.size, zn, x0, x1, source.strides[-1], inverse, int(not smooth),
    )  # fmt: skip
    w = transformed(w)
    if not smooth:
        _times(dtype).launch(driver, _grid(w.size), THREADS, w.address, spectrum.address, m, w.size)
        w = transformed(w)
    _store(dtype, result).launch(
        driver, _grid(out.size), THREADS, out.address, w.address, chirp.address, factor,
        columns, m, out.size, zn, o0, o1, target.strides[-1], inverse, int(not smooth),
    )  # fmt: skip
    return out


def every():
    for dtype in COMPLEX:
        real = np.dtype(f"f{dtype.itemsize // 2}")
        yield from (_short(dtype), _pass(dtype), _times(dtype))
        for given in (real, dtype):
            yield _store(dtype, given)
            for hermitian in (False, True):
                yield _load(given, dtype, hermitian)
