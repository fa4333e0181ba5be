"""Bessel functions of orders 0 and 1, of the first kind: ordinary and modified."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import sign
from ..searching import where
from ._declare import special
from ._fits import (
    J0_ZERO_1,
    J0_ZERO_1_LOW,
    J0_ZERO_2,
    J0_ZERO_2_LOW,
    J1_ZERO_1,
    J1_ZERO_1_LOW,
    J1_ZERO_2,
    J1_ZERO_2_LOW,
    i0_far,
    i0_near,
    i1_far,
    i1_near,
    j0_near,
    j0_p,
    j0_q,
    j1_near,
    j1_p,
    j1_q,
)

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_RSQRT_PI = 1 / _math.sqrt(_math.pi)


def _over_x(y, x, at_zero):
    """y / x of arrays, with its limit at 0."""
    zero = x == 0
    return where(zero, at_zero, y / where(zero, 1.0, x))


@special(derivative=lambda x: i1(x))
def i0(x):
    """The modified Bessel function of the first kind of order 0, of each element: inf at inf and -inf.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.i0(xp.asarray([0.0, 1.0, -10.0]))
    Array([1.00000000e+00, 1.26606588e+00, 2.81571663e+03], shape=(3,), dtype=float64, device='cpu')
    """
    a = abs(x)
    if a <= 8.0:
        return i0_near(0.25 * a * a)
    if math.isinf(a):
        return a
    e = math.exp(0.5 * a)  # its square may overflow where the result does not
    return e * (i0_far(16.0 / a - 1.0) / math.sqrt(a)) * e


@special(derivative=lambda x, y: i1e(x) - sign(x) * y)
def i0e(x):
    """exp(-abs(x)) i0(x) of each element: 0 at inf and -inf.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.i0e(xp.asarray([0.0, 1.0, -1000.0]))
    Array([1.        , 0.46575961, 0.01261724], shape=(3,), dtype=float64, device='cpu')
    """
    a = abs(x)
    if a <= 8.0:
        return math.exp(-a) * i0_near(0.25 * a * a)
    return i0_far(16.0 / a - 1.0) / math.sqrt(a)


@special(derivative=lambda x, y: i0(x) - _over_x(y, x, 0.5))
def i1(x):
    """The modified Bessel function of the first kind of order 1, of each element: odd, inf at inf.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.i1(xp.asarray([0.0, 1.0, -10.0]))
    Array([ 0.00000000e+00,  5.65159104e-01, -2.67098830e+03], shape=(3,), dtype=float64, device='cpu')
    """
    a = abs(x)
    if a <= 8.0:
        return x * i1_near(0.25 * a * a)
    if math.isinf(a):
        return x
    e = math.exp(0.5 * a)
    return math.copysign(e * (i1_far(16.0 / a - 1.0) / math.sqrt(a)) * e, x)


@special(derivative=lambda x, y: i0e(x) - sign(x) * y - _over_x(y, x, 0.5))
def i1e(x):
    """exp(-abs(x)) i1(x) of each element: odd, 0 at inf and -inf.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.i1e(xp.asarray([0.0, 1.0, -1000.0]))
    Array([ 0.        ,  0.20791042, -0.01261093], shape=(3,), dtype=float64, device='cpu')
    """
    a = abs(x)
    if a <= 8.0:
        return math.exp(-a) * (x * i1_near(0.25 * a * a))
    return math.copysign(i1_far(16.0 / a - 1.0) / math.sqrt(a), x)


@special(derivative=lambda x: -j1(x))
def j0(x):
    """The Bessel function of the first kind of order 0, of each element: even, 0 at inf and -inf.

    float32 and float64; within 4 ULP for abs(x) <= 6, near its zeros there too. Beyond, the absolute error is within 4 units of the
    last place of its envelope sqrt(2 / (pi abs(x))).

    >>> import mtarray as xp
    >>> xp.special.j0(xp.asarray([0.0, 1.0, -10.0]))
    Array([ 1.        ,  0.76519769, -0.24593576], shape=(3,), dtype=float64, device='cpu')
    """
    a = abs(x)
    if a <= 6.0:
        p = (a + J0_ZERO_1) * ((a - J0_ZERO_1) - J0_ZERO_1_LOW) * ((a + J0_ZERO_2) * ((a - J0_ZERO_2) - J0_ZERO_2_LOW))
        return p * j0_near(a * a * (1.0 / 18.0) - 1.0)
    if math.isinf(a):
        return 0.0
    u = 6.0 / a
    s = 2.0 * u * u - 1.0
    c = math.cos(a)
    d = math.sin(a)
    return _RSQRT_PI * (j0_p(s) * (c + d) - u * j0_q(s) * (d - c)) / math.sqrt(a)


@special(derivative=lambda x, y: j0(x) - _over_x(y, x, 0.5))
def j1(x):
    """The Bessel function of the first kind of order 1, of each element: odd, 0 at inf and -inf.

    float32 and float64; within 4 ULP for abs(x) <= 6, near its zeros there too. Beyond, the absolute error is within 4 units of the
    last place of its envelope sqrt(2 / (pi abs(x))).

    >>> import mtarray as xp
    >>> xp.special.j1(xp.asarray([0.0, 1.0, -10.0]))
    Array([ 0.        ,  0.44005059, -0.04347275], shape=(3,), dtype=float64, device='cpu')
    """
    a = abs(x)
    if a <= 6.0:
        p = (a + J1_ZERO_1) * ((a - J1_ZERO_1) - J1_ZERO_1_LOW) * ((a + J1_ZERO_2) * ((a - J1_ZERO_2) - J1_ZERO_2_LOW))
        return x * (p * j1_near(a * a * (1.0 / 18.0) - 1.0))
    if math.isinf(a):
        return math.copysign(0.0, x)
    u = 6.0 / a
    s = 2.0 * u * u - 1.0
    c = math.cos(a)
    d = math.sin(a)
    return math.copysign(_RSQRT_PI / math.sqrt(a), x) * (j1_p(s) * (d - c) + u * j1_q(s) * (d + c))
