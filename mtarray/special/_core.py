"""Scalar functions that the special functions are built from: logarithms and exponentials of unevaluated sums, Stirling, sin(pi x).

A pair (h, l) is an unevaluated sum: h rounded, l what was lost. Exponents kept as pairs are what makes powers like x**a / gamma(a)
as accurate as their result can be, where a rounded exponent of 700 loses three digits.
"""

from __future__ import annotations

import math as _math
from typing import Any

from ._fits import HALF_LOG_TWO_PI, HALF_LOG_TWO_PI_LOW, LN2, LN2_LOW, PI, PI_LOW, sinpi_tail, stirling

math: Any = _math
_HALF_SQRT = _math.sqrt(0.5)


def two_sum(a, b):
    """a + b as a pair, exactly."""
    h = a + b
    t = h - a
    return h, (a - (h - t)) + (b - t)


def two_product(a, b):
    """a * b as a pair, exactly."""
    h = a * b
    return h, math.fma(a, b, -h)


def log_parts(x, low):
    """Logarithm of the pair x + low, positive and finite, as a pair; absolute error below 2^-61, relative 2^-58 for x near 1."""
    m, e = math.frexp(x)
    low = math.ldexp(low, -e)
    k = e * 1.0
    if m < _HALF_SQRT:
        m = 2.0 * m
        low = 2.0 * low
        k = k - 1.0
    f = m - 1.0
    u = 2.0 + f
    ul = f - (u - 2.0)
    s = f / u
    sl = (math.fma(-s, u, f) - s * ul + low * (2.0 / u)) / u
    z = s * s
    p = 2.0 / 23.0 * z + 2.0 / 21.0
    p = p * z + 2.0 / 19.0
    p = p * z + 2.0 / 17.0
    p = p * z + 2.0 / 15.0
    p = p * z + 2.0 / 13.0
    p = p * z + 2.0 / 11.0
    p = p * z + 2.0 / 9.0
    p = p * z + 2.0 / 7.0
    p = p * z + 2.0 / 5.0
    p = p * z + 2.0 / 3.0
    kh, kl = two_product(k, LN2)
    h, l = two_sum(kh, 2.0 * s)
    l = l + (kl + k * LN2_LOW + 2.0 * sl + s * z * p)
    high = h + l
    return high, l - (high - h)


def exp_of(h, l):
    """exp of a pair."""
    if h < -746.0:
        return 0.0
    if h > 710.0:
        return math.inf
    e = math.exp(h)
    return e + e * l


def exp_square(x):
    """exp(x^2)."""
    h, l = two_product(x, x)
    return exp_of(h, l)


def exp_minus_half_square(x):
    """exp(-x^2 / 2)."""
    if abs(x) > 40.0:
        return 0.0
    h, l = two_product(x, x)
    return exp_of(-0.5 * h, -0.5 * l)


def stirling_rest(x):
    """log(gamma(x)) minus Stirling's (x - 1/2) log(x) - x + log(2 pi) / 2, for x >= 8."""
    return stirling(1.0 / (x * x)) / x


def lgamma_parts(x):
    """log(gamma(x)) of positive x (at most 1e300) as a pair: gamma(x + n) by Stirling's series, over x (x + 1) ... (x + n - 1)."""
    p, pl = 1.0, 0.0
    y, yl = x, 0.0
    k = 0.0
    while y < 10.0:
        h, l = two_product(p, y)
        l = l + (p * yl + pl * y)
        p = h + l
        pl = l - (p - h)
        k = k + 1.0
        y, yl = two_sum(k, x)
    lh, ll = log_parts(y, 0.0)
    a = y - 0.5
    h, l = two_product(a, lh)
    l = l + a * ll + yl * lh
    h, t = two_sum(h, -y)
    l = l + t
    h, t = two_sum(h, HALF_LOG_TWO_PI)
    l = l + (t + HALF_LOG_TWO_PI_LOW + stirling_rest(y))
    if k > 0.0:
        ph, pl = log_parts(p, pl)
        h, t = two_sum(h, -ph)
        l = l + (t - pl)
    high = h + l
    return high, l - (high - h)


def sin_of_pi(u):
    """sin(pi u) for |u| <= 1/2."""
    h, l = two_product(PI, u)
    z = u * u
    return h + (l + PI_LOW * u + u * z * sinpi_tail(z))


def sinpi(x):
    """sin(pi x)."""
    n = math.rint(x)
    s = sin_of_pi(x - n)
    return -s if n - 2.0 * math.floor(0.5 * n) == 1.0 else s
