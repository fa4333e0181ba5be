"""cuSOLVER, where it is installed: factorisations of large matrices, single ones or a few.

The library sees matrices column-major, where row-major ones are their transposes: Cholesky takes the other triangle, LU is that of the
transpose and solutions are asked for of the transpose of that, the singular vectors of the transpose are the other ones. Signatures and
numbers are those of NVIDIA's headers (cusolverDn.h, cusolver_common.h, cublas_api.h). While a graph is captured our own kernels serve:
the library may wait for the device.
"""

import ctypes
import functools
import math

import numpy as np

from . import copying, libs, ranges
from .kernel import Kernel, code_of
from .tensor import empty

LEAST = 64  # the side of a square matrix from which on the library serves; of others with as many elements, too
THREADS = 128
INT, LONG = np.dtype(np.int32), np.dtype(np.int64)
_LETTERS = {"f4": "S", "f8": "D", "c8": "C", "c16": "Z"}
_UPPER = 1  # cublasFillMode_t
_PLAIN, _TRANSPOSED = 0, 1  # cublasOperation_t
_INT = (1 << 31) - 1  # lengths, pitches and sizes of work areas are C ints
_STATUSES = {
    1: "not initialised", 2: "allocation failed", 3: "invalid value", 4: "architecture mismatch", 5: "mapping error", 6: "execution failed",
    7: "internal error", 8: "matrix type not supported", 9: "not supported", 10: "zero pivot", 11: "invalid license",
}  # fmt: skip


def _signatures():
    out = {"Create": "p", "SetStream": "pp"}
    for letter in _LETTERS.values():
        for name, letters in {
            "potrf_bufferSize": "piipip",
            "potrf": "piipipip",
            "potrfBatched": "piipipi",
            "getrf_bufferSize": "piipip",
            "getrf": "piipippp",
            "getrs": "piiipippip",
            "geqrf_bufferSize": "piipip",
            "geqrf": "piipippip",
            "orgqr_bufferSize": "piiipipp",
            "orgqr": "piiipippip",
            "syevd_bufferSize": "piiipipp",
            "syevd": "piiipippip",
            "gesvd_bufferSize": "piip",
            "gesvd": "pbbiipippipipipp",
        }.items():
            out[_named(letter, name)] = letters
    return out


def _named(letter, name):
    """A function's name; those of complex numbers have names of their own."""
    if letter in "CZ":
        name = name.replace("orgqr", "ungqr").replace("syevd", "heevd")
    return letter + name


@functools.cache
def _cusolver():
    return libs.opened("cusolver", (12, 11), made_of)


def made_of(library):
    """The functions of what ctypes loaded."""
    return libs.Library(library, "cuSOLVER", "cusolverDn", _signatures(), _STATUSES)


def _library(driver):
    """(cuSOLVER, its handle for a driver), or None."""

    def make():
        found = _cusolver()
        if found is None:
            return None
        handle = ctypes.c_void_p()
        found.call("Create", ctypes.byref(handle))
        found.call("SetStream", handle.value, driver.stream_handle)
        return found, handle.value

    return libs.bound(driver, "cusolver", make)


class _Solver:
    """The functions for a dtype, with the handle of a driver."""

    def __init__(self, library, x):
        self._library, self._handle = library
        self._letter, self._driver, self._dtype = _LETTERS[code_of(x.dtype)], x.driver, x.dtype

    def call(self, name, *args):
        with libs.lock:
            self._library.call(_named(self._letter, name), self._handle, *args)

    def work(self, name, *args):
        """(address of a work area, its length, what keeps it)."""
        length = ctypes.c_int()
        self.call(f"{name}_bufferSize", *args, ctypes.byref(length))
        kept = empty(self._driver, (max(length.value, 1),), self._dtype)
        return kept.address, length.value, kept


def _solver(x, batched=False):
    """What serves matrices (stack, m, n), or None where our own kernels do. batched: long stacks are for the library as well."""
    stack, m, n = x.shape
    size = m * n
    if stack == 0 or size < LEAST * LEAST or size > _INT or x.driver.capture is not None:
        return None
    if _is_long(stack, size) and not (batched and stack <= _INT):
        return None
    library = _library(x.driver)
    return library and _Solver(library, x)


def _is_long(stack, size):
    """Whether a stack has so many matrices that a block for each of them is better than one call after the other."""
    return stack > max(1, size >> 13)


def _each(*tensors):
    """For each entry of a stack the addresses of its parts of some tensors (0 for None)."""
    first = next(x for x in tensors if x is not None)
    for z in range(first.shape[0]):
        yield [0 if x is None else x.address + z * x.strides[0] * x.itemsize for x in tensors]


def _turned(x):
    """The transposes, contiguous."""
    return x.transpose((0, 2, 1)).copy()


def _info(x):
    return empty(x.driver, (x.shape[0],), INT)


# ---------------------------------------------------------------------- Cholesky and LU


def cholesky(x):
    """The lower Cholesky factors of contiguous matrices in place of their lower triangles: which failed, or None if it is not for the
    library. Column-major they are the upper triangles, in U^H U of the conjugates, and U is the transpose of the factor."""
    solver = _solver(x, batched=True)
    if solver is None:
        return None
    stack, n, _ = x.shape
    failed = _info(x)
    if _is_long(stack, n * n):
        places = ranges.ramp(x.driver, x.address, n * n * x.itemsize, stack, LONG)
        solver.call("potrfBatched", _UPPER, n, places.address, n, failed.address, stack)
        return failed
    work, length, _kept = solver.work("potrf", _UPPER, n, x.address, n)
    for a, info in _each(x, failed):
        solver.call("potrf", _UPPER, n, a, n, work, length, info)
    return failed


def swaps_of(target):
    """How many of n pivots (places from 1 on) are not in place: a thread for each matrix."""
    cuda = target.cuda

    def swaps_of(swaps, pivots, n, stack):
        z = cuda.grid(1)
        if z < stack:
            count = 0
            for i in range(n):
                if pivots[z * n + i] != i + 1:
                    count += 1
            swaps[z] = count

    return swaps_of


def _swaps():
    return Kernel(swaps_of, (), "*i8 *i4 i8 i8", THREADS)


def lu(x):
    """(factors, pivots, numbers of swaps, which are singular) of contiguous square matrices, which are overwritten, as `solved` takes them;
    None if it is not for the library. The factors are those of the transposes, column-major; their diagonals are in place."""
    solver = _solver(x)
    if solver is None:
        return None
    stack, n, _ = x.shape
    driver = x.driver
    pivots, swaps, failed = empty(driver, (stack, n), INT), empty(driver, (stack,), LONG), _info(x)
    work, _length, _kept = solver.work("getrf", n, n, x.address, n)
    for a, pivot, info in _each(x, pivots, failed):
        solver.call("getrf", n, n, a, n, work, pivot, info)
    _swaps().launch(driver, -(-stack // THREADS), THREADS, swaps.address, pivots.address, n, stack)
    return x, pivots, swaps, failed


def solved(factors, pivots, b=None):
    """The solutions for right-hand sides b (stack, n, k), by default the unit matrices, from what `lu` gave."""
    stack, n, _ = factors.shape
    solver = _Solver(_library(factors.driver), factors)
    ignored = _info(factors)
    if b is None:
        # The inverse of the transpose, column-major, is the inverse.
        out = empty(factors.driver, factors.shape, factors.dtype)
        copying.fill(out, 0)
        copying.fill(out.window((stack, n), (n * n, n + 1)), 1)
        k, how = n, _PLAIN
    else:
        out, k, how = _turned(b), b.shape[-1], _TRANSPOSED
    if k:
        for a, pivot, y, info in _each(factors, pivots, out, ignored):
            solver.call("getrs", how, n, k, a, n, pivot, y, n, info)
    if b is None:
        return out
    return out.reshaped(b.shape) if k <= 1 else _turned(out)


# ---------------------------------------------------------------------- QR


def upper_of(target, dtype):
    """r[i, j] = a[j, i] for i <= j, 0 below: r (p, n) of each matrix, a (n, m)."""
    cuda, T = target.cuda, target.type(dtype)

    def upper_of(r, a, m, n, p, count):
        e = cuda.grid(1)
        while e < count:
            z = e // (p * n)
            i = e // n - z * p
            j = e % n
            value = T(0)
            if i <= j:
                value = a[(z * n + j) * m + i]
            r[e] = value
            e += cuda.gridsize(1)

    return upper_of


def _upper(dtype):
    code = code_of(dtype)
    return Kernel(upper_of, (dtype,), f"*{code} *{code} i8 i8 i8 i8", THREADS)


def qr(x, p):
    """(Q with p columns, R with p rows) of matrices (stack, m, n), or None if it is not for the library."""
    solver = _solver(x)
    if solver is None:
        return None
    stack, m, n = x.shape
    driver, k = x.driver, min(m, n)
    a, taus, info = _turned(x), empty(driver, (stack, k), x.dtype), _info(x)
    work, length, _kept = solver.work("geqrf", m, n, a.address, m)
    for at, tau, failed in _each(a, taus, info):
        solver.call("geqrf", m, n, at, m, tau, work, length, failed)
    r = empty(driver, (stack, p, n), x.dtype)
    _upper(x.dtype).launch(driver, min(-(-r.size // THREADS), 1 << 20), THREADS, r.address, a.address, m, n, p, r.size)
    columns = a
    if p > n:  # more columns of Q than reflections
        columns = empty(driver, (stack, p, m), x.dtype)
        copying.copy(columns.narrowed(1, 0, n), a)
    work, length, _kept = solver.work("orgqr", m, p, k, columns.address, m, taus.address)
    for at, tau, failed in _each(columns, taus, info):
        solver.call("orgqr", m, p, k, at, m, tau, work, length, failed)
    return _turned(columns.narrowed(1, 0, p)), r


# ---------------------------------------------------------------------- eigenvalues and singular values


def _real(x, count):
    return empty(x.driver, (x.shape[0], count), np.finfo(x.dtype).dtype)


def only_of_good(target, dtype):
    """NaN in place of the n values of each matrix that failed."""
    cuda, R = target.cuda, target.type(dtype)

    def only_of_good(values, failed, n, count):
        i = cuda.grid(1)
        while i < count:
            if failed[i // n] != 0:
                values[i] = R(math.nan)
            i += cuda.gridsize(1)

    return only_of_good


def _good(dtype):
    return Kernel(only_of_good, (dtype,), f"*{code_of(dtype)} *i4 i8 i8", THREADS)


def eigh(x, vectors):
    """Eigenvalues, ascending, of contiguous Hermitian matrices, from their lower triangles (NaN where they were not found, as our own
    kernels have it); None if it is not for the library. The conjugates of the eigenvectors, if wanted, take the place of the rows:
    column-major, the matrices are their conjugates."""
    solver = _solver(x)
    if solver is None:
        return None
    n = x.shape[1]
    values, failed = _real(x, n), _info(x)
    work, length, _kept = solver.work("syevd", int(vectors), _UPPER, n, x.address, n, values.address)
    for a, w, info in _each(x, values, failed):
        solver.call("syevd", int(vectors), _UPPER, n, a, n, w, work, length, info)
    grid = min(-(-values.size // THREADS), 1 << 20)
    _good(values.dtype).launch(x.driver, grid, THREADS, values.address, failed.address, n, values.size)
    return values


def svd(x, job):
    """(U, S, V^H, which failed) of contiguous matrices (stack, m, n), which may be overwritten; None if it is not for the library.
    job: "A"ll vectors, "S" as many as values, "N"one."""
    solver = _solver(x)
    if solver is None:
        return None
    stack, m, n = x.shape
    wide = m < n
    a = x if wide else _turned(x)  # the library wants at least as many rows as columns: of A, or of its transpose
    k, long = min(m, n), max(m, n)
    p = long if job == "A" else k
    values, rest, failed = _real(x, k), _real(x, k), _info(x)
    left = right = None
    if job != "N":
        left, right = empty(x.driver, (stack, p, long), x.dtype), empty(x.driver, (stack, k, k), x.dtype)
    work, length, _kept = solver.work("gesvd", long, k)
    code = ord(job)
    for at, s, u, vh, more, info in _each(a, values, left, right, rest, failed):
        solver.call("gesvd", code, code, long, k, at, long, s, u, long, vh, k, work, length, more, info)
    if job == "N":
        return None, values, None, failed
    if wide:
        return right, values, left, failed
    return _turned(left), values, _turned(right), failed


def every():
    yield _swaps()
    for d in map(np.dtype, _LETTERS):
        yield _upper(d)
        if d.kind == "f":
            yield _good(d)
