"""The incomplete beta function, its derivatives by its parameters, and what its density is made of."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import log, log1p
from ._core import exp_of, log_parts, stirling_rest, two_product, two_sum
from ._declare import by, special, wide
from ._fits import psi_far
from .betas import lbeta_parts
from .gammas import psi_of
from .zetas import polygamma

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_SQRT_2PI = _math.sqrt(2 * _math.pi)
_STEPS = 100_000  # no fraction below needs as many; a loop must end whatever it is given

# x and its complement y = 1 - x are pairs below: where a or b is large, powers of rounded ones have lost their digits.


def beta_power(a, b, x, xl, y, yl):
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


def _beta_fraction(a, b, x, xl, y):
    """The incomplete beta function over x^a y^b / beta(a, b), for x below about a / (a + b).

    The continued fraction of Didonato and Morris (ACM TOMS 18, 1992), which needs a y - b x where others have 1 - x (a + b) / a; summed
    by Steed's method. It is much more sensitive to x and y apart than to x with y = 1 - x: so it is summed at a pair of floats that do sum
    to 1, and taken from there to x by its derivative. Near the mean a y and b x cancel; the first term is much of the sum, so its
    rounding error counts.
    """
    s = a + b
    move = 0.0
    if x > 0.03125 and y > 0.03125:
        if x >= 0.5:
            y = 1.0 - x
            move = xl
        else:
            move = (x - (1.0 - y)) + xl
            x = 1.0 - y
    ph, pl = two_product(b, x)
    lead = (math.fma(a, y, -ph) - pl) + 1.0
    h, l = two_product(a, lead)
    p, pl = two_sum(a, 1.0)
    d = p / h
    lost = (math.fma(-d, h, p) + pl - d * l) / h
    term = d
    total = d
    for m in range(1, _STEPS):
        u = a + 2.0 * m - 1.0
        k = m * (b - m) * x / u
        b_m = m + k + (a + m) * (lead + m * (1.0 + y)) / (u + 2.0)
        step = (a + m - 1.0) / u * (s + m - 1.0) * (k * x) * d  # in this order nothing overflows
        d = 1.0 / (b_m + step)
        term = -step * d * term
        t = total + term
        lost = lost + ((total - t) + term)
        total = t
        if abs(term) < 1e-17 * abs(total):
            break
    return total + (lost + (move * (1.0 / (x * y) - total * (a / x - b / y)) if move != 0.0 else 0.0))


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
    value = beta_power(a, b, x, xl, y, yl) * _beta_fraction(a, b, x, xl, y)
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


@special(derivative=(lambda a, b: polygamma(1.0, a) - polygamma(1.0, a + b), lambda a, b: -polygamma(1.0, a + b)))
def _by_first(a, b):
    """Derivative of log(beta(a, b)) by a."""
    return psi_of(a) - psi_of(a + b)


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
    return beta_power(a, b, x, 0.0, y, yl) / (x * y)


# ---------------------------------------------------------------------- derivatives by parameters
#
# As in `incomplete`: a factor with a derivative of a few terms, and a fraction whose derivative is derived from its source. u and v = 1 - u
# are operands of their own, so that neither loses digits where the other is near 1.


@special(
    derivative=(
        lambda a, b: polygamma(1.0, a + b) - polygamma(1.0, a),
        lambda a, b: polygamma(1.0, a + b),
        lambda u: 1 / u,
        0,
    )
)
def beta_rate(a, b, u, v):
    """log(u) - digamma(a) + digamma(a + b), of a large a what is left of it; 0 at u = 0, where what it is a factor of vanishes."""
    if u == 0.0:
        return 0.0
    m = (u * b - v * a) / a
    if a < 20.0 or m < -0.5:
        return math.log(u) - psi_of(a) + psi_of(a + b)
    s = a + b
    return math.log1p(m) + 0.5 * b / (a * s) + (psi_far(1.0 / (a * a)) / a / a - psi_far(1.0 / (s * s)) / s / s)


@special(
    derivative=(
        lambda a, b, u, v, y: y * beta_rate(a, b, u, v),
        lambda a, b, u, v, y: y * beta_rate(b, a, v, u),
        lambda a, u, y: y * (a / u),
        lambda b, v, y: y * (b / v),
    )
)
def beta_front(a, b, u, v):
    """u^a v^b / beta(a, b), u + v = 1."""
    if not (a > 0.0 and b > 0.0 and u >= 0.0 and v >= 0.0):
        return math.nan
    if u == 0.0 or v == 0.0 or math.isinf(a) or math.isinf(b):
        return 0.0
    # the larger one as a pair: what it lacks of the sum is its own rounding error
    return beta_power(a, b, u, 0.0, v, (1.0 - v) - u) if u < v else beta_power(a, b, u, (1.0 - u) - v, v, 0.0)


def _plain_fraction(a, b, x, y):
    """`_beta_fraction`, which ends where the fraction would if no factor b - m were small."""
    s = a + b
    lead = a * y - b * x + 1.0
    d = (a + 1.0) / (a * lead)
    term = d
    total = d
    left = 1.0
    for m in range(1, _STEPS):
        u = a + 2.0 * m - 1.0
        k = m * (b - m) * x / u
        step = (a + m - 1.0) / u * (s + m - 1.0) * (k * x) * d
        left = left * d
        d = 1.0 / (m + k + (a + m) * (lead + m * (1.0 + y)) / (u + 2.0) + step)
        term = -step * d * term
        total = total + term
        left = left * abs((a + m - 1.0) * (s + m - 1.0) * m * (abs(b - m) + 1.0) * x * x / (u * u) * d)
        if left < 1e-21:
            break
    return total


@special()
def beta_back(a, b, u, v):
    """The incomplete beta function at u, or (beyond the mean) what it lacks of 1, over `beta_front`."""
    if not (a > 0.0 and b > 0.0 and u >= 0.0 and v >= 0.0 and math.isfinite(a + b)):
        return 0.0
    return -_plain_fraction(b, a, v, u) if _beyond(a, b, u) else _plain_fraction(a, b, u, v)


back_by_a = by(beta_back, "a")
back_by_b = by(beta_back, "b")


def beta_slope_a(a, b, u, v):
    """Derivative of the incomplete beta function at u by a."""
    return beta_front(a, b, u, v) * (beta_rate(a, b, u, v) * beta_back(a, b, u, v) + back_by_a(a, b, u, v))


def beta_slope_b(a, b, u, v):
    """Derivative of the incomplete beta function at u by b."""
    return beta_front(a, b, u, v) * (beta_rate(b, a, v, u) * beta_back(a, b, u, v) + back_by_b(a, b, u, v))


def _slope_a(a, b, x):
    x = wide(x)
    return beta_slope_a(wide(a), wide(b), x, 1 - x)


def _slope_b(a, b, x):
    x = wide(x)
    return beta_slope_b(wide(a), wide(b), x, 1 - x)


@special(derivative=(_slope_a, _slope_b, lambda a, b, x: _beta_density(a, b, x)))
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
        lambda a, b, x: -_slope_a(a, b, x),
        lambda a, b, x: -_slope_b(a, b, x),
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
