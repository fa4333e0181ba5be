"""NVIDIA's libraries, where they are installed: what finds and loads them, and cuBLAS for products of matrices of floats.

Through the bindings of nvmath-python, or by ctypes from a library that some package brought along. They are asked for by real devices only,
and not with MTARRAY_CUDA_LIBS=0 in the environment. cuSOLVER is in `solver_lib`, cuFFT in `fft_lib`. Row-major operands, transposed and
padded views are seen column-major, as cuBLAS wants them, without a copy.
"""

import contextlib
import ctypes
import functools
import glob
import importlib.util
import os
import sys
import threading
import warnings

import numpy as np

from mtarray._kernels import settings

from .gemm import add_parts, stacked
from .kernel import code_of

_LETTERS = {"f4": "s", "f8": "d", "c8": "c", "c16": "z"}
_DEFAULT_MATH, _TF32_MATH = 0, 3  # cublasMath_t
_INT = (1 << 31) - 1  # lengths and pitches of the library are C ints
lock = threading.RLock()
_tf32 = False


def _follow(value):
    global _tf32
    _tf32 = bool(value)


settings.follow("tf32", _follow)  # config(tf32=True): products of float32 in the precision of TF32, 10 bits


class Cublas:
    """The functions of cuBLAS that are used here, of integers: handles, addresses and lengths. `library`: what ctypes loaded."""

    def __init__(self, library):
        self._library = library
        address, number, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
        matrix = [address, number, long]
        self._functions = {}
        for code, letter in _LETTERS.items():
            f = getattr(library, f"cublas{letter.upper()}gemmStridedBatched")
            f.argtypes = [address, *[number] * 5, address, *matrix, *matrix, address, *matrix, number]
            self._functions[code] = f
        library.cublasCreate_v2.argtypes = [ctypes.POINTER(address)]
        library.cublasSetStream_v2.argtypes = [address, address]
        library.cublasSetMathMode.argtypes = [address, number]

    def create(self):
        handle = ctypes.c_void_p()
        self._checked("cublasCreate", self._library.cublasCreate_v2(ctypes.byref(handle)))
        return handle.value

    def set_stream(self, handle, stream):
        self._checked("cublasSetStream", self._library.cublasSetStream_v2(handle, stream))

    def set_math_mode(self, handle, mode):
        self._checked("cublasSetMathMode", self._library.cublasSetMathMode(handle, mode))

    def gemm(self, code, *args):
        self._checked("cublasGemmStridedBatched", self._functions[code](*args))

    @staticmethod
    def _checked(name, status):
        if status:
            raise RuntimeError(f"{name} failed: cuBLAS reports status {status}")


class Nvmath:
    """The same through the bindings of nvmath-python, whose calls cost a ninth of those by ctypes."""

    def __init__(self, bindings):
        self.create, self.set_stream, self.set_math_mode = bindings.create, bindings.set_stream, bindings.set_math_mode
        self._functions = {code: getattr(bindings, f"{letter}gemm_strided_batched") for code, letter in _LETTERS.items()}

    def gemm(self, code, *args):
        self._functions[code](*args)


class Library:
    """Functions of a library that ctypes loaded, by the names that follow a prefix. signatures: for each the letters of its arguments
    (`_TYPES`). All of them return a status; any but 0 is a RuntimeError. statuses: what the numbers are called."""

    def __init__(self, library, title, prefix, signatures, statuses):
        self._title, self._prefix, self._statuses = title, prefix, statuses
        self._functions = {}
        for name, letters in signatures.items():
            f = getattr(library, prefix + name)
            f.argtypes, f.restype = [_TYPES[letter] for letter in letters], ctypes.c_int
            self._functions[name] = f

    def status(self, name, *args):
        """The status that a call returns."""
        return self._functions[name](*args)

    def call(self, name, *args):
        status = self._functions[name](*args)
        if status:
            raise self.error(name, status)

    def error(self, name, status):
        known = self._statuses.get(status)
        return RuntimeError(f"{self._prefix}{name} failed: {self._title} reports status {status}{f' ({known})' if known else ''}")


_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int, "l": ctypes.c_longlong, "b": ctypes.c_byte}


def wanted():
    """Whether the environment lets NVIDIA's libraries be used."""
    return os.environ.get("MTARRAY_CUDA_LIBS", "1") != "0"


@functools.cache
def cublas():
    """cuBLAS, or None where it is not installed."""
    if not wanted():
        return None
    if importlib.util.find_spec("nvmath") is not None:
        try:
            from nvmath.bindings import cublas as bindings

            bindings.get_version  # noqa: B018  (an incomplete installation has no names)
            return Nvmath(bindings)
        except Exception as error:  # whatever its loader raises where the libraries that it needs are missing
            warnings.warn(
                f"nvmath-python is installed and finds no cuBLAS ({error}); it is looked for without", RuntimeWarning, stacklevel=2
            )
    return opened("cublas", (13, 12), Cublas, _with_light)


def _with_light(path):
    """cuBLAS, and before it its other half, which it needs and may find by itself."""
    with contextlib.suppress(OSError):
        ctypes.CDLL(path.replace("libcublas.so", "libcublasLt.so"), ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(path, ctypes.RTLD_GLOBAL)


def opened(name, versions, make, load=ctypes.CDLL):
    """make(load(path)) of the first libNAME that works; None where none is installed. RuntimeError where there are files of it, of which
    none does. versions: in the names of the system's."""
    if not wanted():
        return None
    first = None
    for path in _candidates(name, versions):
        try:
            return make(load(path))
        except (OSError, AttributeError) as error:
            if first is None and os.path.exists(path):
                first = path, error
    if first is None:
        return None
    raise RuntimeError(
        f"{first[0]} could not be loaded: {first[1]}; pip install 'mtarray[cuda-libs]' brings what it needs, and MTARRAY_CUDA_LIBS=0 in "
        "the environment does without it"
    ) from first[1]


def _candidates(name, versions):
    """Places of a library: the wheels' folders, those of packages that bring it along, CUDA's, and the system's."""
    folders = [
        *[f for p in sys.path for f in sorted(glob.glob(os.path.join(p, "nvidia", "cu1[2-9]", "lib")), reverse=True)],
        *[os.path.join(p, *f) for f in (("nvidia", name, "lib"), ("torch", "lib"), ("cupy", ".data", "lib")) for p in sys.path],
        *[os.path.join(os.environ[name], "lib64") for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ],
        "/usr/local/cuda/lib64",
    ]
    for folder in folders:
        yield from sorted(glob.glob(os.path.join(folder, f"lib{name}.so.*")), reverse=True)
    for version in versions:
        yield f"lib{name}.so.{version}"


def bound(driver, name, make):
    """What `make()` gives for a driver, kept with it under a name; None of a simulated one."""
    made = driver.__dict__.get(name, False)
    if made is False:
        with lock:
            made = driver.__dict__.get(name, False)
            if made is False:
                made = driver.__dict__[name] = None if driver.simulated else make()
    return made


class _Numbers:
    """1 and 0 of each dtype in the host's memory, which the library reads them from."""

    def __init__(self):
        self.values = {code: np.array([1, 0], code) for code in _LETTERS}

    def addresses(self, code):
        at = self.values[code].ctypes.data
        return at, at + self.values[code].itemsize


_numbers = _Numbers()


def _library(driver):
    """[cuBLAS, its handle for a driver, the precision that is set], or None."""

    def make():
        found = cublas()
        if found is None:
            return None
        made = [found, found.create(), None]
        found.set_stream(made[1], driver.stream_handle)
        return made

    return bound(driver, "cublas", make)


def matrix(shape, strides):
    """(pitch, whether it is transposed) of a row-major matrix as a column-major library sees it, or None if neither axis is contiguous."""
    (rows, columns), (row, column) = shape, strides
    if (column == 1 or columns == 1) and (rows == 1 or row >= max(1, columns)):
        return max(row if rows > 1 else columns, 1), 0
    if (row == 1 or rows == 1) and (columns == 1 or column >= max(1, rows)):
        return max(column if columns > 1 else rows, 1), 1
    return None


def multiply(out, a, b, bias=None):
    """out = a @ b by the library, as `gemm.multiply`; False where it is for our own kernel. `out` is contiguous."""
    driver, code = out.driver, code_of(out.dtype)
    if code not in _LETTERS:
        return False
    library = _library(driver)
    if library is None:
        return False
    (m, k), n = a.shape[-2:], b.shape[-1]
    of_a, of_b = matrix(a.shape[-2:], a.strides[-2:]), matrix(b.shape[-2:], b.strides[-2:])
    axes = stacked(out.shape[:-2], a.strides[:-2], b.strides[:-2], out.strides[:-2])
    if of_a is None or of_b is None or axes is None:
        return False
    outer, inner, ((a0, a1), (b0, b1), (c0, c1)) = axes
    if outer > 16 or max(m, n, k, inner, of_a[0], of_b[0]) > _INT or min(a0, a1, b0, b1) < 0:
        return False
    if driver.capture is not None:
        driver.capture.note(driver, (a.address, b.address, out.address))
    one, zero = _numbers.addresses(code)
    size = out.itemsize
    with lock:
        _prepared(library)
        for i in range(outer):
            # Column-major, the operands are their transposes, and so is the result: c^T = b^T a^T.
            library[0].gemm(
                code, library[1], of_b[1], of_a[1], n, m, k, one, b.address + i * b0 * size, of_b[0], b1,
                a.address + i * a0 * size, of_a[0], a1, zero, out.address + i * c0 * size, n, c1, inner,
            )  # fmt: skip
    if bias is not None:
        add_parts(out, out, 1, bias)
    return True


def _prepared(library):
    """The handle in the precision that is set now."""
    mode = _TF32_MATH if _tf32 else _DEFAULT_MATH
    if library[2] != mode:
        library[0].set_math_mode(library[1], mode)
        library[2] = mode
