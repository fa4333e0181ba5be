"""The gamma function and its family: its logarithm and the derivative of that."""

from __future__ import annotations

import math as _math
from typing import Any

from .. import _array
from ._core import exp_of, lgamma_parts, sin_of_pi, sinpi, stirling_rest, two_product
from ._declare import special
from ._fits import HALF_LOG_TWO_PI, PI, PSI_ROOT, PSI_ROOT_LOW, lgamma_one, lgamma_two, psi_far, psi_near, rgamma

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_LN_PI = _math.log(_math.pi)


def gamma_near(x):
    """gamma(x) for |x| <= 12.5: 1 / gamma near 1, and the product that the recurrence asks for, as a pair."""
    n = math.rint(x)
    p, pl = 1.0, 0.0
    if n >= 1.0:
        k = 1.0
        while k < n:
            f = x - k  # exact
            h, l = two_product(p, f)
            l = l + pl * f
            p = h + l
            pl = l - (p - h)
            k = k + 1.0
        return (p + pl) / rgamma(x - n)
    r = rgamma(x - n)
    k = 0.0
    while k <= -n:
        f = x + k
        h, l = two_product(p, f)
        l = l + pl * f
        p = h + l
        pl = l - (p - h)
        k = k + 1.0
    return 1.0 / (r * (p + pl))


def gamma_of(x):
    if abs(x) <= 12.5:
        return gamma_near(x) if x != 0.0 and (x > 0.0 or x != math.floor(x)) else math.copysign(math.inf, x) if x == 0.0 else math.nan
    if x > 0.0:
        if x > 172.0:
            return math.inf
        h, l = lgamma_parts(x)
        return exp_of(h, l)
    if x == math.floor(x) or x != x:  # so is -inf
        return math.nan
    if x < -190.0:
        return 0.0 if 0.5 * math.floor(x) == math.floor(0.5 * math.floor(x)) else -0.0
    h, l = lgamma_parts(-x)
    r = -PI / (x * sinpi(x))
    if h < 700.0:
        return r * exp_of(-h, -l)
    half = exp_of(-0.5 * h, -0.5 * l)  # the whole would vanish before the result does
    return r * half * half


@special(derivative=lambda x, y: y * digamma(x))
def gamma(x):
    """The gamma function of each element, (n - 1)! at integers n: inf at 0 (-inf at -0) and above 171.6, NaN at negative integers, -inf.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.gamma(xp.asarray([0.5, 5.0, -1.5]))
    Array([ 1.77245385, 24.        ,  2.3632718 ], shape=(3,), dtype=float64, device='cpu')
    """
    return gamma_of(x)


def lgamma(x):
    """log(abs(gamma(x)))."""
    if x >= 10.0:
        if x >= 1e15:
            return x * (math.log(x) - 1.0)
        return math.fma(x - 0.5, math.log(x), -x) + (HALF_LOG_TWO_PI + stirling_rest(x))
    if x > 2.5:  # log of (x - 1) (x - 2) ... y, and the rest
        p = 1.0
        while x > 2.5:
            x = x - 1.0
            p = p * x
        return math.log(p) + (x - 2.0) * lgamma_two(x - 2.0)
    if x >= 1.5:
        return (x - 2.0) * lgamma_two(x - 2.0)
    if x >= 0.7:
        return (x - 1.0) * lgamma_one(x - 1.0)
    if x >= 0.5:
        return (x - 1.0) * lgamma_two(x - 1.0) - math.log(x)
    if x >= -0.3:
        return x * lgamma_one(x) - math.log(abs(x)) if x != 0.0 else math.inf
    if x != x:
        return x
    if x == math.floor(x):
        return math.inf
    a = -x
    h, l = lgamma_parts(a) if a < 1e15 else (math.inf, 0.0)
    return (_LN_PI - math.log(a * abs(sinpi(a)))) - h - l


@special(derivative=lambda x: digamma(x))
def gammaln(x):
    """Logarithm of the absolute value of the gamma function of each element: inf at 0, negative integers, inf and -inf.

    float32 and float64; within 4 ULP for x > 0, near its zeros 1 and 2 too. For negative x the absolute error is within 4 units of
    the last place of max(1, result).

    >>> import mtarray as xp
    >>> xp.special.gammaln(xp.asarray([0.5, 1.0, 1000.0]))
    Array([ 5.72364943e-01, -0.00000000e+00,  5.90522042e+03], shape=(3,), dtype=float64, device='cpu')
    """
    return lgamma(x)


@special(derivative=lambda x: digamma(x))
def loggamma(x):
    """Logarithm of the gamma function of each element; NaN for negative elements, where it is not real.

    float32 and float64; within 4 ULP, near its zeros 1 and 2 too.

    >>> import mtarray as xp
    >>> xp.special.loggamma(xp.asarray([0.5, 1.0, -0.5]))
    Array([ 0.57236494, -0.        ,         nan], shape=(3,), dtype=float64, device='cpu')
    """
    return lgamma(x) if x >= 0.0 else math.nan


def _digamma_positive(x):
    if x >= 10.0:
        return (math.log(x) - 0.5 / x) - psi_far(1.0 / (x * x)) / x / x
    s = 0.0
    if x < 1.0:
        s = -1.0 / x
        x = x + 1.0
    while x > 2.0:
        x = x - 1.0  # exact
        s = s + 1.0 / x
    return s + ((x - PSI_ROOT) - PSI_ROOT_LOW) * psi_near(x - 1.5)


def psi_of(x):
    """Derivative of log(gamma(x))."""
    if x > 0.0:
        return _digamma_positive(x)
    if x == 0.0:
        return math.copysign(math.inf, -x)
    if x == math.floor(x) or x != x:  # so is -inf
        return math.nan
    n = math.rint(x)
    u = x - n
    c = sin_of_pi(0.5 - abs(u))
    return _digamma_positive(1.0 - x) - PI * c / sin_of_pi(u) if x < -0.5 else _digamma_positive(1.0 + x) - 1.0 / x


@special(derivative=lambda x: _array.xp.special.polygamma(1, x))
def digamma(x):
    """The digamma function of each element, the derivative of log(gamma(x)): -inf at 0 (inf at -0), NaN at negative integers.

    float32 and float64; within 4 ULP for x > 0, near its zero 1.46163 too. For negative x the absolute error is within 4 units of
    the last place of max(1, result).

    >>> import mtarray as xp
    >>> xp.special.digamma(xp.asarray([1.0, 10.0, 0.0]))
    Array([-0.57721566,  2.25175259,        -inf], shape=(3,), dtype=float64, device='cpu')
    """
    return psi_of(x)


psi = digamma
