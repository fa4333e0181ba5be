"""Logistic functions, and the products with logarithms that entropies are made of."""

from __future__ import annotations

import math as _math
from typing import Any

from .._ops import elementwise
from ..elementwise import abs as _abs
from ..elementwise import cos, log, log1p
from ..searching import where
from ._core import sinpi
from ._declare import special
from ._fits import log1pmx

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_PI = _math.pi


@elementwise(standard=(), derivative=lambda y: y * (1 - y))
def expit(x):
    """The logistic function 1 / (1 + exp(-x)) of each element: 0 at -inf, 1 at inf.

    float32 and float64, each computed in its own precision; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.expit(xp.asarray([-1000.0, 0.0, 1.0]))
    Array([0.        , 0.5       , 0.73105858], shape=(3,), dtype=float64, device='cpu')
    """
    return math.expit(x)


@special(derivative=lambda x: 1 / (x * (1 - x)))
def logit(x):
    """log(x / (1 - x)) of each element, the inverse of `expit`: -inf at 0, inf at 1, NaN outside [0, 1].

    float32 and float64; within 4 ULP everywhere, near its zero at 1/2 too.

    >>> import mtarray as xp
    >>> xp.special.logit(xp.asarray([0.0, 0.5, 0.75]))
    Array([      -inf, 0.        , 1.09861229], shape=(3,), dtype=float64, device='cpu')
    """
    if x >= 0.3 and x <= 0.65:
        return 2.0 * math.atanh(2.0 * (x - 0.5))  # the difference is exact
    return math.log(x / (1.0 - x))


@special(derivative=lambda x: expit(-x))
def log_expit(x):
    """log(expit(x)) of each element, also where `expit` rounds to 0 or 1: x for large negative x, -exp(-x) for large positive x.

    float32 and float64; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.log_expit(xp.asarray([-1000.0, 0.0, 50.0]))
    Array([-1.00000000e+03, -6.93147181e-01, -1.92874985e-22], shape=(3,), dtype=float64, device='cpu')
    """
    if x < 0.0:
        return x - math.log1p(math.exp(x))
    return -math.log1p(math.exp(-x))


@special(derivative=(lambda x2: log(x2), lambda x1, x2: where(x1 == 0, 0.0, x1 / x2)))
def xlogy(x1, x2):
    """x1 log(x2) of each pair of elements, which is 0 where x1 is 0 (unless x2 is NaN).

    float32 and float64; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.xlogy(xp.asarray([0.0, 2.0]), xp.asarray([0.0, 3.0]))
    Array([0.        , 2.19722458], shape=(2,), dtype=float64, device='cpu')
    """
    if x1 == 0.0 and x2 == x2:
        return 0.0
    return x1 * math.log(x2)


@special(derivative=(lambda x2: log1p(x2), lambda x1, x2: where(x1 == 0, 0.0, x1 / (1 + x2))))
def xlog1py(x1, x2):
    """x1 log(1 + x2) of each pair of elements, which is 0 where x1 is 0 (unless x2 is NaN).

    float32 and float64; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.xlog1py(xp.asarray([0.0, 2.0]), xp.asarray([-1.0, 1e-10]))
    Array([0.e+00, 2.e-10], shape=(2,), dtype=float64, device='cpu')
    """
    if x1 == 0.0 and x2 == x2:
        return 0.0
    return x1 * math.log1p(x2)


@special(derivative=lambda x: -1 - log(x))
def entr(x):
    """-x log(x) of each element: 0 at 0, -inf for negative elements.

    float32 and float64; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.entr(xp.asarray([0.0, 0.5, -1.0]))
    Array([0.        , 0.34657359,       -inf], shape=(3,), dtype=float64, device='cpu')
    """
    if x > 0.0 or x != x:
        return -x * math.log(x)
    return 0.0 if x == 0.0 else -math.inf


def _log_ratio(x, y):
    """log(x / y) of positive numbers, also where their quotient is near 1, overflows or vanishes."""
    q = x / y
    if q > 0.5 and q < 2.0:
        return math.log1p((x - y) / y)  # the difference is exact
    if q > 1e-290 and q < 1e290:
        return math.log(q)
    return math.log(x) - math.log(y)


@special(derivative=(lambda x1, x2: log(x1) - log(x2) + 1, lambda x1, x2: where((x1 == 0) & (x2 > 0), 0.0, -x1 / x2)))
def rel_entr(x1, x2):
    """x1 log(x1 / x2) of each pair of positive elements; 0 where x1 is 0 and x2 is not negative, inf elsewhere.

    float32 and float64; within 4 ULP everywhere, near its zeros at x1 = x2 too.

    >>> import mtarray as xp
    >>> xp.special.rel_entr(xp.asarray([0.0, 2.0, -1.0]), xp.asarray([1.0, 1.0, 1.0]))
    Array([0.        , 1.38629436,        inf], shape=(3,), dtype=float64, device='cpu')
    """
    if x1 != x1 or x2 != x2:
        return math.nan
    if x1 > 0.0 and x2 > 0.0:
        return x1 * _log_ratio(x1, x2)
    return 0.0 if x1 == 0.0 and x2 >= 0.0 else math.inf


@special(derivative=(lambda x1, x2: log(x1) - log(x2), lambda x1, x2: where((x1 == 0) & (x2 == 0), 1.0, 1 - x1 / x2)))
def kl_div(x1, x2):
    """x1 log(x1 / x2) - x1 + x2 of each pair of positive elements; x2 where x1 is 0 and x2 is not negative, inf elsewhere.

    float32 and float64; within 8 ULP everywhere, near its zeros at x1 = x2 too.

    >>> import mtarray as xp
    >>> xp.special.kl_div(xp.asarray([0.0, 2.0, -1.0]), xp.asarray([1.0, 1.0, 1.0]))
    Array([1.        , 0.38629436,        inf], shape=(3,), dtype=float64, device='cpu')
    """
    if x1 != x1 or x2 != x2:
        return math.nan
    if x1 > 0.0 and x2 > 0.0:
        m = (x2 - x1) / x1
        if m > -0.35 and m < 0.45:
            return (x2 - x1) * m * log1pmx(m)
        return x1 * _log_ratio(x1, x2) - x1 + x2
    return x2 if x1 == 0.0 and x2 >= 0.0 else math.inf


def _sinc_slope(x, y):
    near = _abs(x) < 1e-2
    safe = where(near, 1.0, x)
    z = (_PI * x) ** 2
    # The series where cos(pi x) - sinc(x) cancels.
    return where(near, -_PI * _PI * x / 3 * (1 - z / 10 * (1 - z / 28 * (1 - z / 54))), (cos(_PI * safe) - y) / safe)


@special(derivative=_sinc_slope)
def sinc(x):
    """sin(pi x) / (pi x) of each element, which is 1 at 0 and 0 at the other integers.

    float32 and float64; within 4 ULP everywhere. (`scipy.special.sinc`, which is NumPy's, rounds pi x first.)

    >>> import mtarray as xp
    >>> xp.special.sinc(xp.asarray([0.0, 0.5, 1.0]))
    Array([1.        , 0.63661977, 0.        ], shape=(3,), dtype=float64, device='cpu')
    """
    if x == 0.0:
        return 1.0
    if math.isinf(x):
        return 0.0
    return sinpi(x) / (_PI * x) + 0.0  # 0, not -0, at the integers
