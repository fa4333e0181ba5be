"""The BLAS that NumPy itself is linked with: is there one, and on how many threads."""

import ctypes
import functools
import sys
import threading

import numpy as np

# How builds of OpenBLAS, MKL, BLIS, ... and Accelerate decorate the names.
_DECORATIONS = ("scipy_{}64_", "{}64_", "{}$NEWLAPACK$ILP64", "scipy_{}", "{}")
_SET = ("openblas_set_num_threads", "MKL_Set_Num_Threads", "bli_thread_set_num_threads")
_GET = ("openblas_get_num_threads", "MKL_Get_Max_Threads", "bli_thread_get_num_threads")


@functools.cache
def _library():
    """NumPy's extension module: looking a symbol up in it also searches the BLAS it was linked with (not on Windows)."""
    try:
        from numpy.linalg import _umath_linalg

        if sys.platform == "win32":
            import glob
            import os

            found = glob.glob(os.path.join(os.path.dirname(np.__file__) + ".libs", "*openblas*.dll"))
            return ctypes.CDLL(found[0]) if found else None
        return ctypes.CDLL(_umath_linalg.__file__)
    except (ImportError, OSError):
        return None


def _symbol(name):
    for decoration in _DECORATIONS:
        symbol = getattr(_library(), decoration.format(name), None)
        if symbol is not None:
            return symbol
    return None


@functools.cache
def has_gemm(dtype):
    """Whether `np.matmul` of this float or complex dtype is a BLAS call: NumPy can be built without one, and is then slow."""
    letter = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}[dtype.name]
    # On Windows, and where a BLAS is linked in statically, its names cannot be seen from outside: NumPy's own record decides.
    return _symbol(f"cblas_{letter}gemm") is not None or _recorded()


@functools.cache
def _recorded():
    try:
        return bool(np.show_config(mode="dicts")["Build Dependencies"]["blas"].get("found"))
    except (KeyError, TypeError):
        return False


@functools.cache
def _thread_functions():
    setter = next((f for f in map(_symbol, _SET) if f is not None), None)
    getter = next((f for f in map(_symbol, _GET) if f is not None), None)
    if setter is None or getter is None:
        return None
    setter.argtypes, setter.restype = [ctypes.c_int], None
    getter.argtypes, getter.restype = [], ctypes.c_int
    return setter, getter


def controls_threads():
    """Whether `blas_threads` has an effect with this BLAS."""
    return _thread_functions() is not None


_lock = threading.Lock()
_active = []
_before = None


class blas_threads:
    """While inside, NumPy's BLAS and LAPACK use at most `n` threads; nothing happens where the library has no such switch.

    The switch belongs to the process. Contexts may overlap in any order, in several Python threads: the smallest number asked
    for holds, and what was set before the first is restored when the last one ends.
    """

    __slots__ = ("n",)

    def __init__(self, n):
        self.n = n

    def __enter__(self):
        global _before
        functions = _thread_functions()
        if functions is None:
            return
        setter, getter = functions
        with _lock:
            if not _active:
                _before = getter()
            _active.append(self.n)
            setter(min(_before, *_active))

    def __exit__(self, *error):
        functions = _thread_functions()
        if functions is None:
            return
        with _lock:
            _active.remove(self.n)
            functions[0](min(_before, *_active) if _active else _before)


# Multiply-adds of one product between which BLAS gets one thread. From 2**18 on (with AVX-512: 10**6) OpenBLAS wakes its threads and waits
# for each of them; one that the system has set aside makes 0.02 ms into 20 to 70. On a quiet machine a second thread saves 11 us of 25
# at 1.2 million in float32, 30 of 84 at the upper bound.
FROM = 1 << 18
UP_TO = {"f": 1 << 22, "d": 1 << 21, "F": 1 << 20, "D": 1 << 19}


def product(a, b, out):
    """`np.matmul` of matrices (or stacks of them) that BLAS reads: on one thread where a second saves less than its wait may cost."""
    if FROM < out.shape[-1] * a.shape[-2] * a.shape[-1] <= UP_TO.get(out.dtype.char, 0):
        with blas_threads(1):
            return np.matmul(a, b, out=out)
    return np.matmul(a, b, out=out)
