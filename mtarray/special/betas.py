"""The beta function, its logarithm, and binomial coefficients."""

from __future__ import annotations

import math as _math
from typing import Any

from ._core import exp_of, lgamma_parts, log_parts, sinpi, stirling_rest, two_product, two_sum
from ._declare import special
from ._fits import HALF_LOG_TWO_PI, HALF_LOG_TWO_PI_LOW
from .gammas import digamma, gamma_of, lgamma

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


def lbeta_parts(a, b):
    """log(beta(a, b)) of positive finite a and b as a pair.

    Of large arguments the logarithms of gamma are larger by far than what is left of them; their Stirling series cancel by hand:
    log(gamma(a) / gamma(a + b)) = b - b log(a + b) - (a - 1/2) log(1 + b / a) + rest(a) - rest(a + b).
    """
    if a < b:
        a, b = b, a
    if a < 10.0:
        s, sl = two_sum(a, b)
        h, l = 0.0, -sl * math.log(s)
        for i in range(3):
            ph, pl = lgamma_parts(a if i == 0 else b if i == 1 else s)
            h, t = two_sum(h, ph if i < 2 else -ph)
            l = l + (t + (pl if i < 2 else -pl))
    else:
        s, sl = two_sum(a, b)
        lh, ll = log_parts(s, sl)
        q = b / a
        u, ul = two_sum(1.0, q)
        qh, ql = log_parts(u, ul + math.fma(-q, a, b) / a)
        ph, pl = two_product(a - 0.5, qh)
        pl = pl + (a - 0.5) * ql
        l = stirling_rest(a) - stirling_rest(s) - pl
        if b < 10.0:
            h, t = lgamma_parts(b)
            l = l + t
            mh, ml = two_product(b, lh)
            h, t = two_sum(h, b)
        else:
            # gamma(b) too: b log(b / (a + b)) - log(b) / 2, and b cancels
            kh, kl = log_parts(b, 0.0)
            lh, t = two_sum(lh, -kh)
            ll = ll + (t - kl)
            mh, ml = two_product(b, lh)
            h, t = two_sum(HALF_LOG_TWO_PI, -0.5 * kh)
            l = l + (HALF_LOG_TWO_PI_LOW - 0.5 * kl + stirling_rest(b))
        l = l + (t - ml - b * ll)
        h, t = two_sum(h, -mh)
        l = l + t
        h, t = two_sum(h, -ph)
        l = l + t
    high = h + l
    return high, l - (high - h)


def _sign_of_gamma(x):
    """-1 where gamma(x) < 0."""
    f = math.floor(x)
    return -1.0 if x < 0.0 and 0.5 * f != math.floor(0.5 * f) else 1.0


def _is_pole(x):
    return x <= 0.0 and x == math.floor(x)


def _lbeta_huge(a, b):
    """log(beta(a, b)) for b > 1e300 and positive a, where beta is gamma(a) b^-a."""
    return lgamma(a) - a * math.log(b) if a < 1e300 else -math.inf


def _lbeta_positive(a, b):
    if a == 1.0 or b == 1.0:
        return -math.log(b if a == 1.0 else a)
    if a > 1e300 or b > 1e300:
        return _lbeta_huge(min(a, b), max(a, b))
    h, l = lbeta_parts(a, b)
    return h + l


def _lbeta(a, b):
    """log(abs(beta(a, b)))."""
    if a > 0.0 and b > 0.0:
        return _lbeta_positive(a, b)
    if a != a or b != b:
        return math.nan
    if _is_pole(a) or _is_pole(b):
        if not _is_pole(a):
            a, b = b, a
        # beta(-n, k) is finite for integers 0 < k <= n
        if b == math.floor(b) and 1.0 - a - b > 0.0 and b > 0.0:
            return _lbeta_positive(1.0 - a - b, b)
        return math.inf
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _beta(a, b):
    if a > 0.0 and b > 0.0:
        if a > 1e300 or b > 1e300:
            return math.exp(_lbeta_huge(min(a, b), max(a, b)))
        h, l = lbeta_parts(a, b)
        return exp_of(h, l)
    if a != a or b != b:
        return math.nan
    if _is_pole(a) or _is_pole(b):
        if not _is_pole(a):
            a, b = b, a
        if b == math.floor(b) and 1.0 - a - b > 0.0 and b > 0.0:
            h, l = lbeta_parts(1.0 - a - b, b)
            value = exp_of(h, l)
            return value if 0.5 * b == math.floor(0.5 * b) else -value
        return math.inf
    if _is_pole(a + b):
        return 0.0
    if abs(a) < 150.0 and abs(b) < 150.0 and abs(a + b) < 150.0:
        top = gamma_of(a)
        bottom = gamma_of(a + b)
        return top / bottom * gamma_of(b) if abs(top) > 1.0 else top * (gamma_of(b) / bottom)
    return _sign_of_gamma(a) * _sign_of_gamma(b) * _sign_of_gamma(a + b) * math.exp(lgamma(a) + lgamma(b) - lgamma(a + b))


def _by_a(a, b):
    return digamma(a) - digamma(a + b)


@special(derivative=(lambda a, b, y: y * _by_a(a, b), lambda a, b, y: y * _by_a(b, a)))
def beta(a, b):
    """The beta function gamma(a) gamma(b) / gamma(a + b) of each pair of elements; inf where a or b is a pole and a + b is none.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.beta(xp.asarray([1.0, 0.5, 100.0]), xp.asarray([2.0, 0.5, 100.0]))
    Array([5.00000000e-01, 3.14159265e+00, 2.20876069e-61], shape=(3,), dtype=float64, device='cpu')
    """
    return _beta(a, b)


@special(derivative=(_by_a, lambda a, b: _by_a(b, a)))
def betaln(a, b):
    """Logarithm of the absolute value of the beta function of each pair of elements.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.betaln(xp.asarray([1.0, 1e10]), xp.asarray([2.0, 0.5]))
    Array([ -0.69314718, -10.94056052], shape=(2,), dtype=float64, device='cpu')
    """
    return _lbeta(a, b)


def _by_n(n, k, y):
    return y * (digamma(n + 1) - digamma(n - k + 1))


def _by_k(n, k, y):
    return y * (digamma(n - k + 1) - digamma(k + 1))


@special(derivative=(_by_n, _by_k))
def binom(n, k):
    """The binomial coefficient of each pair of real numbers, gamma(n + 1) / (gamma(k + 1) gamma(n - k + 1)).

    0 for negative integers k; NaN for negative integers n. float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.binom(xp.asarray([5.0, 0.5, 100.0]), xp.asarray([2.0, 2.0, 50.0]))
    Array([ 1.00000000e+01, -1.25000000e-01,  1.00891345e+29], shape=(3,), dtype=float64, device='cpu')
    """
    if k != k or n != n or (n < 0.0 and n == math.floor(n)):
        return math.nan
    if k == math.floor(k):
        c = n - k if n == math.floor(n) and k > 0.5 * n else k
        if c < 0.0:
            return 0.0
        if c < 20.0:
            return _binomial_product(n, c)
    if math.isinf(n) or math.isinf(k):
        return math.inf if n > 0.0 and math.isfinite(k) else math.nan
    if n > -1.0:
        gap = k - n
        sine = _sin_of_difference(k, n)
        if k < -0.5:  # the same of n - k, whose difference from n is -k
            gap = -k
            sine = sinpi(-k)
            k = n - k
        if gap < 0.5:
            lh, ll = log_parts(n + 1.0, 0.0)
            h, l = lbeta_parts(1.0 - gap, 1.0 + k)
            h, t = two_sum(h, lh)
            return exp_of(-h, -(l + (t + ll)))
        h, l = lbeta_parts(gap, 1.0 + n)  # by the reflection formula
        return sine / math.pi * exp_of(h, l)
    if k > -1.0:
        h, l = lbeta_parts(-n, 1.0 + k)
        return _sin_of_difference(n, k) / (sinpi(n) * (k - n)) * exp_of(-h, -l)
    return 1.0 / ((n + 1.0) * _beta(1.0 + n - k, 1.0 + k))


def _sin_of_difference(x, y):
    """sin(pi (x - y))."""
    return sinpi(x) * sinpi(y + 0.5) - sinpi(x + 0.5) * sinpi(y)


def _binomial_product(n, k):
    """The binomial coefficient for an integer k < 20 by the product n (n - 1) ... (n - k + 1) / k!."""
    p, pl, q = 1.0, 0.0, 1.0
    i = 1.0
    while i <= k:
        f, fl = two_sum(n, i - k)
        h, l = two_product(p, f)
        l = l + (p * fl + pl * f)
        p = h + l
        pl = l - (p - h)
        q = q * i  # exact up to 18!
        i = i + 1.0
        if abs(p) > 1e280:
            p, pl, q = p / q, pl / q, 1.0
    return (p + (pl if math.isfinite(p) else 0.0)) / q
