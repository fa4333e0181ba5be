"""Rounding to integer-valued numbers."""

from __future__ import annotations

import math as _math
from typing import Any

from .._dtypes import NUMERIC, REAL
from .._ops import CHEAP, elementwise

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


@elementwise(dtypes=REAL, numpy="floor", limit=CHEAP, derivative=0)
def floor(x):
    """Largest integer-valued number not above each element; integers unchanged.

    >>> import mtarray as xp
    >>> xp.floor(xp.asarray([1.5, -1.5]))
    Array([ 1., -2.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.floor(x)


@elementwise(dtypes=REAL, numpy="ceil", limit=CHEAP, derivative=0)
def ceil(x):
    """Smallest integer-valued number not below each element; integers unchanged.

    >>> import mtarray as xp
    >>> xp.ceil(xp.asarray([1.5, -1.5]))
    Array([ 2., -1.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.ceil(x)


@elementwise(dtypes=REAL, numpy="trunc", limit=CHEAP, derivative=0)
def trunc(x):
    """Each element rounded towards zero; integers unchanged.

    >>> import mtarray as xp
    >>> xp.trunc(xp.asarray([1.5, -1.5]))
    Array([ 1., -1.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.trunc(x)


def _same(x: Any) -> Any:
    return x.copy()


@elementwise(dtypes=NUMERIC, numpy="rint", corrected={"i": _same, "u": _same}, limit=CHEAP, derivative=0)
def round(x):
    """Each element rounded to the nearest integer-valued number, halves to even; complex parts apart.

    >>> import mtarray as xp
    >>> xp.round(xp.asarray([0.5, 1.5, -2.6]))
    Array([ 0.,  2., -3.], shape=(3,), dtype=float64, device='cpu')
    """
    return math.rint(x)
