"""The incomplete beta function, its derivatives by its parameters, and what its density is made of."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import log, log1p
from ._core import exp_of, log_parts, stirling_rest, two_product, two_sum
from ._declare import special
from .betas import lbeta_parts
from .gammas import digamma, psi_of

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_SQRT_2PI = _math.sqrt(2 * _math.pi)
_STEPS = 100_000  # no fraction below needs as many; a loop must end whatever it is given

# x and its complement y = 1 - x are pairs below: where a or b is large, powers of rounded ones have lost their digits.


def _beta_power(a, b, x, xl, y, yl):
    """x^a y^b / beta(a, b)."""
    centred = a >= 10.0 and b >= 10.0
    s, sl = two_sum(a, b)
    # Centred, x and y are measured by a / (a + b) and b / (a + b): what is left of the powers beside the beta function.
    p, pl = two_product(x, s if centred else 1.0)
    pl = pl + (x * sl + xl * s if centred else xl)
    c = a if centred else 1.0
    q = p / c
    h, l = log_parts(q, (math.fma(-q, c, p) + pl) / c)
    m, ml = two_product(a, h)
    ml = ml + a * l
    p, pl = two_product(y, s if centred else 1.0)
    pl = pl + (y * sl + yl * s if centred else yl)
    c = b if centred else 1.0
    q = p / c
    h, l = log_parts(q, (math.fma(-q, c, p) + pl) / c)
    p, pl = two_product(b, h)
    h, t = two_sum(m, p)
    l = t + (ml + pl + b * l)
    if centred:
        rest = stirling_rest(s) - stirling_rest(a) - stirling_rest(b)
        return exp_of(h, l) * math.exp(rest) * (math.sqrt(a / s * b) / _SQRT_2PI)
    p, pl = lbeta_parts(a, b)
    h, t = two_sum(h, -p)
    return exp_of(h, l + (t - pl))


def _beta_fraction(a, b, x, y):
    """The incomplete beta function over x^a y^b / beta(a, b), for x below about a / (a + b).

    The continued fraction of Didonato and Morris (ACM TOMS 18, 1992), which needs a y - b x where others have 1 - x (a + b) / a; summed
    by Steed's method.
    """
    s = a + b
    lead = math.fma(a, y, -b * x) + 1.0
    d = (a + 1.0) / (a * lead)
    term = d
    total = d
    for m in range(1, _STEPS):
        u = a + 2.0 * m - 1.0
        k = m * (b - m) * x / u
        b_m = m + k + (a + m) * (lead + m * (1.0 + y)) / (u + 2.0)
        step = (a + m - 1.0) / u * (s + m - 1.0) * (k * x) * d  # in this order nothing overflows
        d = 1.0 / (b_m + step)
        term = -step * d * term
        total = total + term
        if abs(term) < 1e-17 * abs(total):
            break
    return total


def _beyond(a, b, x):
    """Whether to compute the complement: where it is the smaller one, unless its fraction converges too slowly."""
    return x * (a + b) > a and (x > 0.01 or b * x > 0.5)


def ibeta(a, b, x, xl, y, yl, upper):
    """The regularised incomplete beta function at x of a, b > 0 and 0 < x < 1, or (upper) its complement."""
    if _beyond(a, b, x):
        a, b = b, a
        x, y = y, x
        xl, yl = yl, xl
        upper = 1.0 - upper
    value = _beta_power(a, b, x, xl, y, yl) * _beta_fraction(a, b, x, y)
    return 1.0 - value if upper > 0.5 else value


def _edge(a, b, x):
    """The function where an argument is at the end of its range or outside, else -1."""
    if not (a >= 0.0 and b >= 0.0 and x >= 0.0 and x <= 1.0):
        return math.nan
    if (a == 0.0 and b == 0.0) or (math.isinf(a) and math.isinf(b)):
        return math.nan
    if a == 0.0 or math.isinf(b):
        return 1.0 if x > 0.0 else 0.0
    if b == 0.0 or math.isinf(a):
        return 1.0 if x == 1.0 else 0.0
    return x if x == 0.0 or x == 1.0 else -1.0


def betainc_of(a, b, x, upper):
    e = _edge(a, b, x)
    if e != -1.0:
        return 1.0 - e if upper > 0.5 else e
    y, yl = two_sum(1.0, -x)
    return ibeta(a, b, x, 0.0, y, yl, upper)


@special(derivative=(lambda a, b: _by_first(a, b), lambda a, b: _by_first(b, a)))
def _by_first(a, b):
    return digamma(a) - digamma(a + b)


@special(
    derivative=(
        lambda a, b, x, y: y * (log(x) - _by_first(a, b)),
        lambda a, b, x, y: y * (log1p(-x) - _by_first(b, a)),
        lambda a, b, x, y: y * ((a - 1) / x - (b - 1) / (1 - x)),
    )
)
def _beta_density(a, b, x):
    """Derivative of the incomplete beta function by x."""
    if not (x > 0.0 and x < 1.0 and a > 0.0 and b > 0.0 and math.isfinite(a + b)):
        return math.nan if not (x >= 0.0 and x <= 1.0) else 0.0 if (a if x == 0.0 else b) > 1.0 else math.inf
    y, yl = two_sum(1.0, -x)
    return _beta_power(a, b, x, 0.0, y, yl) / (x * y)


def _fraction_slopes(a, b, x, y):
    """`_beta_fraction` and its derivatives by a and b."""
    s = a + b
    lead = math.fma(a, y, -b * x) + 1.0
    d = (a + 1.0) / (a * lead)
    da = -d * (1.0 / (a * (a + 1.0)) + y / lead)
    db = d * x / lead
    term, ta, tb = d, da, db
    f, fa, fb = d, da, db
    for m in range(1, _STEPS):
        u = a + 2.0 * m - 1.0
        v = u + 2.0
        k = m * (b - m) * x / u
        inner = lead + m * (1.0 + y)
        c = m + k + (a + m) * inner / v
        ca = -k / u + (inner + (a + m) * (y - inner / v)) / v
        cb = m * x / u - (a + m) * x / v
        p = (a + m - 1.0) * (s + m - 1.0) * x / u
        e = p * k
        ea = e * (1.0 / (a + m - 1.0) + 1.0 / (s + m - 1.0) - 2.0 / u)
        eb = e / (s + m - 1.0) + p * m * x / u
        g = 1.0 / (c + e * d)
        ga = -g * g * (ca + ea * d + e * da)
        gb = -g * g * (cb + eb * d + e * db)
        step = e * d * g
        ta = -(step * ta + (ea * d * g + e * (da * g + d * ga)) * term)
        tb = -(step * tb + (eb * d * g + e * (db * g + d * gb)) * term)
        term = -step * term
        d, da, db = g, ga, gb
        f, fa, fb = f + term, fa + ta, fb + tb
        if abs(term) < 1e-17 * abs(f) and abs(ta) <= 1e-17 * abs(fa) and abs(tb) <= 1e-17 * abs(fb):
            break
    return f, fa, fb


def ibeta_slopes(a, b, x, xl, y, yl):
    """Derivatives of the incomplete beta function by a and b, and x y times the one by x."""
    swapped = _beyond(a, b, x)
    if swapped:
        a, b = b, a
        x, y = y, x
        xl, yl = yl, xl
    f, fa, fb = _fraction_slopes(a, b, x, y)
    power = _beta_power(a, b, x, xl, y, yl)
    common = psi_of(a + b)
    fa = power * (f * (math.log(x) - psi_of(a) + common) + fa)
    fb = power * (f * (math.log(y) - psi_of(b) + common) + fb)
    if swapped:
        fa, fb = -fb, -fa
    return fa, fb, power


@special(derivative=(None, None, lambda a, b, x: _beta_density(a, b, x) * (log(x) - _by_first(a, b))))
def _beta_slope_a(a, b, x):
    """Derivative of `betainc` by a."""
    if not (a > 0.0 and b > 0.0 and x > 0.0 and x < 1.0 and math.isfinite(a + b)):
        return 0.0 if (x == 0.0 or x == 1.0) and a > 0.0 and b > 0.0 else math.nan
    y, yl = two_sum(1.0, -x)
    slope, _other, _power = ibeta_slopes(a, b, x, 0.0, y, yl)
    return slope


def _beta_slope_b(a, b, x):
    return -_beta_slope_a(b, a, 1 - x)


@special(
    derivative=(lambda a, b, x: _beta_slope_a(a, b, x), lambda a, b, x: _beta_slope_b(a, b, x), lambda a, b, x: _beta_density(a, b, x))
)
def betainc(a, b, x):
    """The regularised incomplete beta function, 1 / beta(a, b) times the integral of t^(a - 1) (1 - t)^(b - 1) from 0 to x.

    NaN for negative a or b, x outside [0, 1], and where a and b are both 0 or inf. float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.betainc(xp.asarray([0.5, 1.0, 1000.0]), xp.asarray([0.5, 2.0, 1000.0]), 0.5)
    Array([0.5 , 0.75, 0.5 ], shape=(3,), dtype=float64, device='cpu')
    """
    return betainc_of(a, b, x, 0.0)


@special(
    derivative=(
        lambda a, b, x: -_beta_slope_a(a, b, x),
        lambda a, b, x: -_beta_slope_b(a, b, x),
        lambda a, b, x: -_beta_density(a, b, x),
    )
)
def betaincc(a, b, x):
    """The complement 1 - `betainc`, accurate where it is small.

    NaN for negative a or b, x outside [0, 1], and where a and b are both 0 or inf. float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.betaincc(xp.asarray([0.5, 1.0, 5.0]), xp.asarray([0.5, 2.0, 100.0]), 0.5)
    Array([5.00000000e-01, 2.50000000e-01, 2.35952783e-25], shape=(3,), dtype=float64, device='cpu')
    """
    return betainc_of(a, b, x, 1.0)
