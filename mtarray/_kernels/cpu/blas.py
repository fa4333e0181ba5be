"""The BLAS that NumPy itself is linked with: is there one, and on how many threads."""

import contextlib
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


@contextlib.contextmanager
def blas_threads(n):
    """While inside, NumPy's BLAS and LAPACK use at most `n` threads; nothing happens where the library has no such switch.

    The switch belongs to the process. Contexts may overlap in any order, in several Python threads: the smallest number asked
    for holds, and what was set before the first is restored when the last one ends.
    """
    global _before
    functions = _thread_functions()
    if functions is None:
        yield
        return
    setter, getter = functions
    with _lock:
        if not _active:
            _before = getter()
        _active.append(n)
        setter(min(_before, *_active))
    try:
        yield
    finally:
        with _lock:
            _active.remove(n)
            setter(min(_before, *_active) if _active else _before)
