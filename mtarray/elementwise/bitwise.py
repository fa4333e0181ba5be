"""Bits of integers; the sign bit of floating numbers, and their neighbours."""

from __future__ import annotations

import math as _math
from typing import Any

from .._dtypes import INTEGER, INTEGER_OR_BOOL, REAL_FLOATING
from .._ops import CHEAP, boolean, elementwise
from .arithmetic import sign

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="bitwise_and", dunder="__and__", limit=CHEAP)
def bitwise_and(x1, x2):
    """Bits set in both elements.

    >>> import mtarray as xp
    >>> xp.bitwise_and(xp.asarray([12]), xp.asarray([10]))
    Array([8], shape=(1,), dtype=int64, device='cpu')
    """
    return x1 & x2


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="bitwise_or", dunder="__or__", limit=CHEAP)
def bitwise_or(x1, x2):
    """Bits set in either element.

    >>> import mtarray as xp
    >>> xp.bitwise_or(xp.asarray([12]), xp.asarray([10]))
    Array([14], shape=(1,), dtype=int64, device='cpu')
    """
    return x1 | x2


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="bitwise_xor", dunder="__xor__", limit=CHEAP)
def bitwise_xor(x1, x2):
    """Bits set in exactly one of the two elements.

    >>> import mtarray as xp
    >>> xp.bitwise_xor(xp.asarray([12]), xp.asarray([10]))
    Array([6], shape=(1,), dtype=int64, device='cpu')
    """
    return x1 ^ x2


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="invert", dunder="__invert__", limit=CHEAP)
def bitwise_invert(x):
    """Each bit flipped; `not` for booleans.

    >>> import mtarray as xp
    >>> xp.bitwise_invert(xp.asarray([0, 5]))
    Array([-1, -6], shape=(2,), dtype=int64, device='cpu')
    """
    return ~x


@elementwise(dtypes=INTEGER, numpy="left_shift", dunder="__lshift__", limit=CHEAP)
def bitwise_left_shift(x1, x2):
    """x1 shifted left by x2 bits; 0 when x2 reaches the width of the dtype (or is negative).

    >>> import mtarray as xp
    >>> xp.bitwise_left_shift(xp.asarray([1, 3]), 2)
    Array([ 4, 12], shape=(2,), dtype=int64, device='cpu')
    """
    return x1 << x2 if 0 <= x2 < 64 else 0


@elementwise(dtypes=INTEGER, numpy="right_shift", dunder="__rshift__", limit=CHEAP)
def bitwise_right_shift(x1, x2):
    """x1 shifted right by x2 bits, its sign kept; 0 or -1 when x2 reaches the width of the dtype (or is negative).

    >>> import mtarray as xp
    >>> xp.bitwise_right_shift(xp.asarray([16, -16]), 2)
    Array([ 4, -4], shape=(2,), dtype=int64, device='cpu')
    """
    if 0 <= x2 < 64:
        return x1 >> x2
    return ((x1 >> 32) >> 31) >> 1  # all sign: 0 or -1


@elementwise(dtypes=REAL_FLOATING, numpy="copysign", limit=CHEAP, derivative=(lambda x1, x2: sign(x1) * copysign(1.0, x2), 0))
def copysign(x1, x2):
    """The magnitude of x1 with the sign of x2 (that of zeros and NaN included).

    >>> import mtarray as xp
    >>> xp.copysign(xp.asarray([1.0, 2.0]), xp.asarray([-0.0, 3.0]))
    Array([-1.,  2.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.copysign(x1, x2)


@elementwise(dtypes=REAL_FLOATING, numpy="nextafter", limit=CHEAP, derivative=(1, 0))
def nextafter(x1, x2):
    """The next representable number after x1 towards x2.

    >>> import mtarray as xp
    >>> xp.nextafter(xp.asarray([0.0]), xp.asarray([1.0]))
    Array([5.e-324], shape=(1,), dtype=float64, device='cpu')
    """
    return math.nextafter(x1, x2)


@elementwise(dtypes=REAL_FLOATING, numpy="signbit", result=boolean, limit=CHEAP)
def signbit(x):
    """Whether the sign bit is set: of negative numbers, -0.0 and negative NaN.

    >>> import mtarray as xp
    >>> xp.signbit(xp.asarray([-0.0, 0.0]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return math.signbit(x)
