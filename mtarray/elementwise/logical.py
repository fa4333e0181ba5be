"""What is true, what is finite."""

from __future__ import annotations

import math as _math
from typing import Any

from .._dtypes import ALL, NUMERIC
from .._dtypes import bool as bool_
from .._ops import CHEAP, boolean, elementwise

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_and", result=boolean, limit=CHEAP)
def logical_and(x1, x2):
    """Whether both elements are true (non-zero).

    >>> import mtarray as xp
    >>> xp.logical_and(xp.asarray([True, True]), xp.asarray([True, False]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return (x1 != 0) & (x2 != 0)


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_or", result=boolean, limit=CHEAP)
def logical_or(x1, x2):
    """Whether either element is true (non-zero).

    >>> import mtarray as xp
    >>> xp.logical_or(xp.asarray([True, False]), xp.asarray([False, False]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return (x1 != 0) | (x2 != 0)


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_xor", result=boolean, limit=CHEAP)
def logical_xor(x1, x2):
    """Whether exactly one of both elements is true (non-zero).

    >>> import mtarray as xp
    >>> xp.logical_xor(xp.asarray([True, True]), xp.asarray([True, False]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return (x1 != 0) ^ (x2 != 0)


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_not", result=boolean, limit=CHEAP)
def logical_not(x):
    """Whether the element is false (zero).

    >>> import mtarray as xp
    >>> xp.logical_not(xp.asarray([True, False]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return x == 0


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="isfinite", result=boolean, limit=CHEAP)
def isfinite(x):
    """Whether the element is neither infinite nor NaN.

    >>> import mtarray as xp
    >>> xp.isfinite(xp.asarray([1.0, xp.inf, xp.nan]))
    Array([ True, False, False], shape=(3,), dtype=bool, device='cpu')
    """
    return math.isfinite(x)


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="isinf", result=boolean, limit=CHEAP)
def isinf(x):
    """Whether the element is infinite.

    >>> import mtarray as xp
    >>> xp.isinf(xp.asarray([1.0, -xp.inf, xp.nan]))
    Array([False,  True, False], shape=(3,), dtype=bool, device='cpu')
    """
    return math.isinf(x)


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="isnan", result=boolean, limit=CHEAP)
def isnan(x):
    """Whether the element is NaN.

    >>> import mtarray as xp
    >>> xp.isnan(xp.asarray([1.0, xp.inf, xp.nan]))
    Array([False, False,  True], shape=(3,), dtype=bool, device='cpu')
    """
    return math.isnan(x)
