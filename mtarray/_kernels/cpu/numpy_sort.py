"""NumPy's own C sorts, called from kernels: many rows or buckets at once, on all threads, without the GIL.

NumPy's SIMD sorts are the fastest single-threaded ones there are; what they lack is a second core. Python threads around
`ndarray.sort` would supply it, but they compete with TBB's workers, which spin for a while after each kernel (measured:
3.2 ms instead of 1.8 for the buckets of 10^6 float32). So the kernel calls the function behind `ndarray.sort`, which
NumPy's C API publishes (`PyDataType_GetArrFuncs`, the table's slot 365; member `sort` of `PyArray_ArrFuncs`).
"""

import ctypes
import functools
import sys

import numpy as np

from .. import build
from .driver import run

QUICK, STABLE = 0, 2
_GET_ARRAY_FUNCTIONS = 365
_SORT = 21 + 12  # members of PyArray_ArrFuncs before `sort`: 21 casts, then getitem .. fillwithscalar


@functools.cache
def sort_function(dtype, kind=QUICK):
    """Address of `int (*)(void *start, intp n, void *array)` that sorts `dtype` (native, numeric) in place.

    `kind`: QUICK (SIMD where NumPy has it) or STABLE (radix for 8 and 16 bits). The functions of NumPy's numeric dtypes do not
    touch `array`, so kernels pass 0. Returns 0 where the C API is not the one of NumPy 2; callers then use `ndarray.sort`.
    """
    if int(np.__version__.split(".")[0]) != 2 or sys.implementation.name != "cpython":
        return 0
    from numpy._core import _multiarray_umath

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    api = pointer(_multiarray_umath._ARRAY_API, None)
    getter = ctypes.c_void_p.from_address(api + _GET_ARRAY_FUNCTIONS * ctypes.sizeof(ctypes.c_void_p)).value
    functions = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(getter)(np.dtype(dtype))
    return (ctypes.c_void_p * (_SORT + 3)).from_address(functions)[_SORT + kind] or 0


def _spans_kernel():
    return build.kernel(
        "sort_spans",
        """    base = ld64(args); bounds = i8(ld64(args + 8)); fn = ld64(args + 16); width = ld64(args + 24)
    for i in range(lo, hi):
        n = bounds[2 * i + 1] - bounds[2 * i]
        if n > 1:
            icall(fn, base + bounds[2 * i] * width, n, 0)""",
    )


def _rows_kernel():
    return build.kernel(
        "sort_rows",
        """    base = ld64(args); n = ld64(args + 8); fn = ld64(args + 16); width = ld64(args + 24)
    for i in range(lo, hi):
        icall(fn, base + i * n * width, n, 0)""",
    )


def sort_spans(x, bounds, kind=QUICK):
    """Sort x[a:b] in place for every row (a, b) of the int64 array `bounds`; x contiguous, 1-D, writable; spans disjoint."""
    fn = sort_function(x.dtype, kind)
    if fn:
        run(_spans_kernel(), len(bounds), 1, x.ctypes.data, bounds.ctypes.data, fn, x.itemsize)
    else:
        for a, b in bounds.tolist():
            x[a:b].sort(kind="stable" if kind else None)


def sort_rows(x, kind=QUICK):
    """Sort every row of a contiguous, writable 2-D array in place."""
    rows, n = x.shape
    fn = sort_function(x.dtype, kind)
    if fn and rows > 1 and n > 1:
        run(_rows_kernel(), rows, max(1, 8192 // n), x.ctypes.data, n, fn, x.itemsize)
    else:
        x.sort(axis=-1, kind="stable" if kind else None)
