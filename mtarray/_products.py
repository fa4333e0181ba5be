"""The door of small products of matrices, written out in full: a wrapper or two would cost as much as the product."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._array import Array, value
from ._config import config
from ._dtypes import FLOATING, NUMERIC
from ._operands import QUIET, reset_errors, set_errors
from ._storage import Storage

_new = object.__new__
_settings = config._values


def _has_avx512() -> bool:
    """As NumPy found it, which asks for no import of Numba."""
    core: Any = getattr(np, "_core", None)
    return bool(getattr(getattr(core, "_multiarray_umath", None), "__cpu_features__", {}).get("AVX512_SKX"))


# Multiply-adds (of integers, of stacks) below which NumPy is done before a kernel of ours has started.
SMALL = 1 << 15
# Multiply-adds of float matrices up to which BLAS is always the faster one and uses one thread (`_kernels` judges the others): OpenBLAS
# has kernels for small ones where there is AVX-512.
BLAS = 500_000 if _has_avx512() else 1 << 18
_LIMITS = {d: BLAS if d in FLOATING else SMALL for d in NUMERIC}


def small_product(x1: Array, x2: Array) -> Array | None:
    """The product of a small matrix by a matrix or a vector, of one dtype and of shapes that fit; None for another door.

    `dot` does what `np.matmul` does for these, in 0.3 us instead of 0.7; the result is wrapped here for the same reason.
    """
    shape, dtype, (rows, inner) = x2._shape, x1._dtype, x1._shape
    work = rows * inner
    strides: tuple[int, ...]
    if len(shape) == 2:
        columns = shape[1]
        work *= columns
        shape, strides = (rows, columns), (columns, 1)
    else:
        shape, strides = (rows,), (1,)
    if not 0 < work < _LIMITS[dtype]:
        return None
    if _settings["kernels"] != "auto" or _settings["deterministic"]:
        return None
    a, b = value(x1), value(x2)
    if a.__class__ is not np.ndarray or b.__class__ is not np.ndarray:
        return None
    token = set_errors(QUIET)
    try:
        result = a.dot(b)
    finally:
        reset_errors(token)
    storage = _new(Storage)
    storage.buffer = result
    storage.node = None
    storage.ties = None
    out = _new(Array)
    out._storage = storage
    out._shape = shape
    out._strides = strides
    out._offset = 0
    out._dtype = dtype
    out._whole = result.size
    out._readonly = False
    return out
