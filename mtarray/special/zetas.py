"""The zeta functions of Riemann and Hurwitz, and what they are derivatives of: the polygamma functions."""

from __future__ import annotations

import math as _math
from typing import Any

from .._array import Array
from ._core import exp_of, lgamma_parts, sinpi, two_product, two_sum
from ._declare import by, special
from ._fits import LOG_TWO_PI, LOG_TWO_PI_LOW, PI, zeta_near
from .gammas import digamma, gamma_of, psi_of

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math

# B_2k / (2k)!
_B4, _B6, _B8 = -1 / 720, 1 / 30240, -1 / 1209600
_B10, _B12, _B14 = 1 / 47900160, -691 / 1307674368000, 1 / 74724249600
_B16, _B18 = -3617 / 510 / _math.factorial(16), 43867 / 798 / _math.factorial(18)
_B20, _B22, _B24 = -174611 / 330 / _math.factorial(20), 854513 / 138 / _math.factorial(22), -236364091 / 2730 / _math.factorial(24)


def _bernoulli_tail(s, a):
    """Sum of B_2k / (2k)! s (s + 1) ... (s + 2k - 2) a^(-2k + 1), k = 1 to 12: Euler and Maclaurin's, over a^-s.

    What is left out is below 2^-54 of the whole for a >= 9 + 0.85 s.
    """
    z = 1.0 / (a * a)
    term = s / a
    total = term / 12.0
    term = term * ((s + 1.0) * (s + 2.0) * z)
    total = total + term * _B4
    term = term * ((s + 3.0) * (s + 4.0) * z)
    total = total + term * _B6
    term = term * ((s + 5.0) * (s + 6.0) * z)
    total = total + term * _B8
    term = term * ((s + 7.0) * (s + 8.0) * z)
    total = total + term * _B10
    term = term * ((s + 9.0) * (s + 10.0) * z)
    total = total + term * _B12
    term = term * ((s + 11.0) * (s + 12.0) * z)
    total = total + term * _B14
    term = term * ((s + 13.0) * (s + 14.0) * z)
    total = total + term * _B16
    term = term * ((s + 15.0) * (s + 16.0) * z)
    total = total + term * _B18
    term = term * ((s + 17.0) * (s + 18.0) * z)
    total = total + term * _B20
    term = term * ((s + 19.0) * (s + 20.0) * z)
    total = total + term * _B22
    term = term * ((s + 21.0) * (s + 22.0) * z)
    return total + term * _B24


def _hurwitz_positive(s, q):
    """Sum of (q + k)^-s, k = 0, 1, ..., for s > 1; a negative q whose powers exist is summed up from there."""
    total, lost = 0.0, 0.0
    k = 0.0
    a, rounded = q, 0.0
    limit = 9.0 + 0.85 * s
    enough = 9.0 + 0.3 * s  # where the sum has all the digits but those that a tail of 2^-27 of it needs
    while a < limit:
        term = math.pow(a, -s)
        if rounded != 0.0:  # by q + k, a power of which counts it s times
            term = term - term * (s * rounded / a)
        t = total + term
        lost = lost + ((total - t) + term if abs(total) > abs(term) else (term - t) + total)
        total = t
        small = abs(term) * a
        if small <= 1e-18 * abs(total) and a > 0.0:
            return total + (lost if math.isfinite(total) else 0.0)
        k = k + 1.0
        a, rounded = two_sum(q, k)
        if small <= 1e-8 * abs(total) and a > enough:
            break
    if a > 1e17:  # the integral alone; a^-s itself may be below the smallest number
        return total + math.pow(a, 1.0 - s) / (s - 1.0)
    p = math.pow(a, -s)
    if rounded != 0.0:
        p = p - p * (s * rounded / a)
    return total + (lost + p * (a / (s - 1.0) + 0.5 + _bernoulli_tail(s, a)))


def hurwitz(s, q):
    """Sum of (q + k)^-s over k = 0, 1, ..., with SciPy's special values."""
    if s != s or q != q or s < 1.0:
        return math.nan
    if s == 1.0:
        return math.inf
    if q <= 0.0:
        if q == math.floor(q):
            return math.inf
        if s != math.floor(s):
            return math.nan
        if q < -50.0:  # over all integers, less what lies to the left
            u = q - math.floor(q)
            left = _hurwitz_positive(s, 1.0 - u) - _hurwitz_positive(s, 1.0 - q)
            return _hurwitz_positive(s, u) + (left if 0.5 * s == math.floor(0.5 * s) else -left)
    return _hurwitz_positive(s, q) if q < math.inf else 0.0


def _plain_sum(s, q):
    """The same as a plain program, for its derivatives by s, which are derived from the source: q > 0; continued to s > -4, s != 1."""
    total = 0.0
    k = 0.0
    a = q
    limit = 12.0 + 1.2 * abs(s)
    while a < limit:
        term = math.pow(a, -s)
        total = total + term
        if term <= 1e-24 * total and a > 2.0 and s > 2.0:  # logarithms of a will stand before it
            return total
        k = k + 1.0
        a = q + k
    if a > 1e17:
        return total + math.pow(a, 1.0 - s) / (s - 1.0)
    return total + math.pow(a, -s) * (a / (s - 1.0) + 0.5 + _bernoulli_tail(s, a))


@special()
def _hurwitz_program(x, q):
    if x > 1.0 and q > 0.0:
        return _plain_sum(x, q) if q < math.inf and x < math.inf else 0.0
    return math.exp(math.nan * (x + q))  # NaN, as its derivatives are


_hurwitz_slope = by(_hurwitz_program, "x")


@special(derivative=(_hurwitz_slope, lambda x, q: -x * _hurwitz_zeta(x + 1, q)))
def _hurwitz_zeta(x, q):
    return hurwitz(x, q)


@special(derivative=lambda x: 0.5 * PI * _quarter_sine(x + 1))
def _quarter_sine(x):
    """sin(pi x / 2)."""
    return sinpi(0.5 * x)


@special(derivative=lambda x, y: y * (LOG_TWO_PI - digamma(1 - x)))
def _reflected(x):
    """gamma(1 - x) / (2 pi)^(1 - x)."""
    h, l = _reflection(x)
    return exp_of(h, l)


@special()
def _riemann_program(x):
    """Riemann's zeta as a plain program."""
    if math.isinf(x) or x == 1.0:
        return 0.0 if x > 1.0 else math.exp(math.nan * x)
    if x > -0.5:
        return _plain_sum(x, 1.0)
    return 2.0 * _quarter_sine(x) * _reflected(x) * _plain_sum(1.0 - x, 1.0)


_riemann_slope = by(_riemann_program, "x")


def _riemann(x):
    if x != x or x == 1.0:
        return math.inf if x == 1.0 else x
    if x > 2.0:
        return hurwitz(x, 1.0)
    if x >= 0.0:
        return zeta_near(x - 1.0) / (x - 1.0)
    if 0.5 * x == math.floor(0.5 * x):
        return 0.0 if x > -math.inf else math.nan
    h, l = _reflection(x)
    return 2.0 * sinpi(0.5 * x) * exp_of(h, l) * _riemann_right(1.0 - x)


def _riemann_right(x):
    """zeta(x) for x > 1."""
    return hurwitz(x, 1.0) if x > 2.0 else zeta_near(x - 1.0) / (x - 1.0)


def _reflection(x):
    """log of gamma(1 - x) / (2 pi)^(1 - x), as a pair; NaN for x >= 1, where it is not asked for."""
    a = 1.0 - x
    if not a > 0.0:
        return math.nan, 0.0
    h, l = lgamma_parts(a) if a < 1e300 else (math.inf, 0.0)
    ph, pl = two_product(a, LOG_TWO_PI)
    h, t = two_sum(h, -ph)
    return h, l + (t - pl - a * LOG_TWO_PI_LOW)


@special(derivative=_riemann_slope)
def _riemann_zeta(x):
    return _riemann(x)


def zeta(x: Any, q: Any = None) -> Array:
    """The zeta function of Riemann, sum of k^-x over k = 1, 2, ..., and its continuation to x < 1; inf at 1.

    With `q` that of Hurwitz, sum of (q + k)^-x over k = 0, 1, ...: NaN for x < 1, and for negative q unless x is an integer; inf at
    x = 1 and where q is 0 or a negative integer.

    Arrays or Python numbers, float32 and float64; of Riemann's within 4 ULP for x >= 0.

    >>> import mtarray as xp
    >>> xp.special.zeta(xp.asarray([2.0, 0.0, -1.0]))
    Array([ 1.64493407, -0.5       , -0.08333333], shape=(3,), dtype=float64, device='cpu')
    >>> xp.special.zeta(xp.asarray([2.0, 3.0]), 0.5)
    Array([4.9348022 , 8.41439832], shape=(2,), dtype=float64, device='cpu')
    """
    return _riemann_zeta(x) if q is None else _hurwitz_zeta(x, q)


@special(derivative=(None, lambda n, x: polygamma(n + 1, x)))
def polygamma(n, x):
    """The n-th derivative of `digamma` at each element; n: integers, not negative.

    inf, or for even n -inf, where x is 0 or a negative integer. Float arrays or Python numbers x; float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.polygamma(1, xp.asarray([1.0, 10.0]))
    Array([1.64493407, 0.10516634], shape=(2,), dtype=float64, device='cpu')
    """
    if n == 0.0:
        return psi_of(x)
    if not n > 0.0 or n != math.floor(n):
        return math.nan
    z = gamma_of(n + 1.0) * hurwitz(n + 1.0, x)
    return -z if 0.5 * n == math.floor(0.5 * n) else z
