"""The incomplete gamma and beta functions, and their derivatives by their parameters."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import exp, log
from ._core import exp_of, log_parts, stirling_rest, two_product, two_sum
from ._declare import by, special, wide
from ._fits import erfcx_near, lgamma_one, psi_far, temme_0, temme_1, temme_2, temme_3, temme_4, temme_5, temme_6, temme_7
from .gammas import digamma, gamma_near, lgamma, psi_of
from .zetas import polygamma

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_SQRT_2PI = _math.sqrt(2 * _math.pi)
_STEPS = 100_000  # no sum or fraction below needs as many; a loop must end whatever it is given

# ---------------------------------------------------------------------- gamma


def _power(a, x):
    """(x^a exp(-x) / gamma(a + 1), -log of it beside a power of a alone) of positive a and x; the latter for a >= 10.

    The exponent a log(x) - x is a pair. Of large a what is left of it beside gamma(a + 1) is a log(x / a) - (x - a).
    """
    large = a >= 10.0
    centre = a if large else 1.0
    q = x / centre
    h, l = log_parts(q, math.fma(-q, centre, x) / centre)
    ph, pl = two_product(a, h)
    pl = pl + a * l
    h, l = two_sum(x, -a if large else 0.0)
    h, t = two_sum(ph, -h)
    l = t + (pl - l)
    if large:
        # exp(-rest) apart, since a pair's second part must be small
        return exp_of(h, l) * math.exp(-stirling_rest(a)) / (_SQRT_2PI * math.sqrt(a)), -(h + l)
    return exp_of(h, l) / (gamma_near(a) * a), 0.0


def _lower_series(a, x):
    """1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ..."""
    total, lost, term = 1.0, 0.0, 1.0
    for n in range(1, _STEPS):
        term = term * (x / (a + n))
        t = total + term
        lost = lost + ((total - t) + term)
        total = t
        if term < 1e-17 * total:
            break
    return total + lost


def _upper_fraction(a, x):
    """The continued fraction of gamma(a, x) / (x^a exp(-x)), for x > 1 and x > a, as a sum (Steed's method)."""
    b = (x - a) + 1.0
    d = 1.0 / b
    term = d
    total = d
    for n in range(1, _STEPS):
        b = b + 2.0
        k = n * (a - n)
        step = k * d
        d = 1.0 / (b + step)
        term = -step * d * term
        total = total + term
        if abs(term) < 1e-17 * abs(total):
            break
    return total


def _temme_sum(eta, r):
    """Temme's series of the uniform expansion: c_0(eta) + c_1(eta) r + ..., r = 1 / a."""
    s = temme_7(eta)
    s = s * r + temme_6(eta)
    s = s * r + temme_5(eta)
    s = s * r + temme_4(eta)
    s = s * r + temme_3(eta)
    s = s * r + temme_2(eta)
    s = s * r + temme_1(eta)
    return s * r + temme_0(eta)


def _smaller(a, x):
    """(whether it is the upper function, the value) of the one of the two incomplete gamma functions that is not near 1."""
    power, size = _power(a, x)
    if a >= 200.0 and abs(x - a) < 0.4 * a:
        r = math.sqrt(size) if size > 0.0 else 0.0
        s = power * math.exp(stirling_rest(a)) * _temme_sum(math.copysign(r * math.sqrt(2.0 / a), x - a), 1.0 / a)
        if r < 0.95:
            tail = 0.5 * math.erfc(r)
        else:  # erfc(r) / 2, with exp(-r^2) from the pair
            scale = 0.5 * _SQRT_2PI * math.sqrt(a) * math.exp(stirling_rest(a))
            tail = power * scale * erfcx_near((r - 3.5) / (r + 3.5)) / (1.0 + 2.0 * r) if r < 50.0 else 0.0
        return x > a, tail + (s if x > a else -s)
    if x <= 1.1 or x <= a:
        return False, power * _lower_series(a, x)
    return True, power * (a * _upper_fraction(a, x))


def _edge(a, x):
    """The lower function where a or x is 0, infinite or out of range, else -1."""
    if a < 0.0 or x < 0.0 or a != a or x != x:
        return math.nan
    if a == 0.0:
        return 1.0 if x > 0.0 else math.nan
    if x == 0.0:
        return 0.0
    if math.isinf(a):
        return math.nan if math.isinf(x) else 0.0
    return 1.0 if math.isinf(x) else -1.0


def gammainc_of(a, x):
    e = _edge(a, x)
    if e != -1.0:
        return e
    upper, value = _smaller(a, x)
    return 1.0 - value if upper else value


def _upper_near_zero(a, x):
    """The upper function for a <= 1/2 and x <= 1.1, where it is 1 less something near 1."""
    total, term = 0.0, 1.0
    for n in range(1, 60):
        term = -term * x / n
        total = total + term / (a + n)
    e = math.expm1(a * (math.log(x) - lgamma_one(a)))
    return -e - (1.0 + e) * a * total


def gammaincc_of(a, x):
    e = _edge(a, x)
    if e != -1.0:
        return 1.0 - e
    if a <= 0.5 and x <= 1.1:
        return _upper_near_zero(a, x)
    upper, value = _smaller(a, x)
    return value if upper else 1.0 - value


# ---------------------------------------------------------------------- derivatives by a
#
# The functions are written as a product whose first factor has a derivative of a few terms. That of the second, a sum or an integral, is
# derived from the source, termwise.


@special(derivative=(lambda a, x: -polygamma(1.0, a + 1), lambda a, x: 1 / x))
def _rate(a, x):
    """log(x) - digamma(a + 1), of a large a what is left of it; 0 at the ends, where what it is a factor of vanishes."""
    if x == 0.0 or math.isinf(x) or math.isinf(a):
        return 0.0
    if a < 30.0:
        return math.log(x) - psi_of(a + 1.0)
    m = (x - a) / a
    return (math.log1p(m) if m > -0.5 else math.log(x / a)) - (0.5 / a - psi_far(1.0 / (a * a)) / a / a)


@special(derivative=(lambda a, x, y: y * _rate(a, x), lambda a, x, y: y * ((a - x) / x)))
def _front(a, x):
    """x^a exp(-x) / gamma(a + 1)."""
    if not (a > 0.0 and x >= 0.0):
        return math.nan
    if x == 0.0 or math.isinf(x) or math.isinf(a):
        return 0.0
    power, _size = _power(a, x)
    return power


@special(derivative=(0, 0))
def _reach(a, x):
    """Where the integrand of `_integral` has become small, roughly. It only places the nodes, so it is a constant of derivatives."""
    return 1.0 / (abs(a - x) + math.sqrt(a))


def _bend(u):
    """exp(-u) - 1 + u."""
    if abs(u) > 0.4:
        return math.expm1(-u) + u
    term = 0.5 * u * u
    total = term
    for k in range(3, 15):
        term = term * (-u / k)
        total = total + term
    return total


def _integral(a, x, side):
    """The integral of exp(-side a s - x (exp(-side s) - 1)) over s > 0: t = x exp(-side s) in that of t^(a - 1) exp(-t).

    The integrand falls from 1, smoothly, at one scale. By the trapezoidal rule after a double exponential substitution.
    """
    c = _reach(a, x)
    d = side * (a - x)
    total = 0.0
    v = -3.75
    while v < 60.0:
        e = math.exp(-v)
        s = c * math.exp(v - e)
        p = -d * s - x * _bend(side * s)
        if p < -80.0:
            break
        total = total + math.exp(p) * (s + s * e)
        v = v + 0.0625
    return 0.0625 * total


def _series(a, x):
    """`_lower_series`, without its rounding errors summed."""
    total, term = 1.0, 1.0
    for n in range(1, _STEPS):
        term = term * (x / (a + n))
        total = total + term
        if term < 1e-23 * total:
            break
    return total


@special()
def _back(a, x):
    """The lower function, or (x > a) what it lacks of 1, over `_front`."""
    if not (a > 0.0 and x >= 0.0 and math.isfinite(a + x)):
        return 0.0
    if x > a and x > 1.1:
        return -a * _integral(a, x, -1.0)
    return _series(a, x) if a < 100.0 else a * _integral(a, x, 1.0)


_back_slope = by(_back, "a")


def _lower_slope(a, x):
    """Derivative of `gammainc` by a."""
    a, x = wide(a), wide(x)
    return _front(a, x) * (_rate(a, x) * _back(a, x) + _back_slope(a, x))


def _density(a, x):
    """Derivative of the lower function by x."""
    return exp(_log_density(a, x))


@special(derivative=(lambda a, x: log(x) - digamma(a), lambda a, x: (a - 1) / x - 1))
def _log_density(a, x):
    """(a - 1) log(x) - x - log(gamma(a))."""
    if x == 0.0:
        return 0.0 if a == 1.0 else math.inf if a < 1.0 else -math.inf
    if not (a > 0.0 and x > 0.0):
        return math.nan
    if math.isinf(a) or math.isinf(x):
        return -math.inf
    power, size = _power(a, x)
    if power > 1e-300:
        return math.log(power * (a / x))
    return -size + math.log(math.sqrt(a) / (x * _SQRT_2PI)) if a >= 10.0 else (a - 1.0) * math.log(x) - x - lgamma(a)


@special(derivative=(_lower_slope, _density))
def gammainc(a, x):
    """The regularised lower incomplete gamma function, 1 / gamma(a) times the integral of t^(a - 1) exp(-t) from 0 to x.

    NaN for negative a or x, and where both are 0 or inf. float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.gammainc(xp.asarray([0.5, 1.0, 1000.0]), xp.asarray([1.0, 1.0, 1000.0]))
    Array([0.84270079, 0.63212056, 0.50420524], shape=(3,), dtype=float64, device='cpu')
    """
    return gammainc_of(a, x)


@special(derivative=(lambda a, x: -_lower_slope(a, x), lambda a, x: -_density(a, x)))
def gammaincc(a, x):
    """The regularised upper incomplete gamma function, 1 - `gammainc`, accurate where it is small.

    NaN for negative a or x, and where both are 0 or inf. float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.gammaincc(xp.asarray([0.5, 1.0, 1000.0]), xp.asarray([100.0, 1.0, 1000.0]))
    Array([2.08848758e-45, 3.67879441e-01, 4.95794756e-01], shape=(3,), dtype=float64, device='cpu')
    """
    return gammaincc_of(a, x)
