"""Run chunk kernels by address, in parallel."""

import ctypes
import glob
import os
import sys


def _preload_tbb():
    for path in glob.glob(os.path.join(sys.prefix, "lib", "libtbb.so.12")):
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "tbb omp workqueue")


_preload_tbb()

import numpy as np  # noqa: E402
from numba import njit, prange  # noqa: E402

from .intrinsics import arr_ptr, icall  # noqa: E402

_HEAD = object.__basicsize__


def address(array, _from=ctypes.c_size_t.from_address, _head=_HEAD):
    """Address of an ndarray's first element (0.1 us; `array.ctypes.data` costs 1)."""
    return _from(id(array) + _head).value


@njit(["void(int64,int64,int64,int64,int64,int64,int64,int64,int64,int64,int64)"], parallel=True, nogil=True, cache=True)
def _drive(fn, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7):
    w = np.empty(8, np.int64)
    w[0] = a0
    w[1] = a1
    w[2] = a2
    w[3] = a3
    w[4] = a4
    w[5] = a5
    w[6] = a6
    w[7] = a7
    p = arr_ptr(w)
    for c in prange((n + chunk - 1) // chunk):
        lo = c * chunk
        icall(fn, lo, min(n, lo + chunk), p)


def run(fn, n, chunk, a0=0, a1=0, a2=0, a3=0, a4=0, a5=0, a6=0, a7=0):
    """Call kernel `fn` over [0, n) in chunks of `chunk`, on all threads; a0..a7 are its argument words.

    Chunks must not depend on the number of threads. The caller keeps the arrays behind the words alive until it returns.
    """
    _drive(fn, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7)
