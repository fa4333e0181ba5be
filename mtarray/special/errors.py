"""The error function and its family; the normal distribution."""

from __future__ import annotations

import math as _math
from typing import Any

from .._ops import elementwise
from ..elementwise import exp
from ._core import exp_minus_half_square, exp_square
from ._declare import special
from ._fits import RSQRT2, RSQRT2_LOW, erfcx_near, ndtri_central, ndtri_far, ndtri_farthest, ndtri_middle, ndtri_near

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_RSQRT_PI = 1 / _math.sqrt(_math.pi)
_RSQRT_2PI = 1 / _math.sqrt(2 * _math.pi)


def _gauss(x):
    """exp(-x^2) of arrays."""
    return exp(-(x * x))


@elementwise(standard=(), derivative=lambda x: 2 * _RSQRT_PI * _gauss(x))
def erf(x):
    """The error function of each element, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x: -1 at -inf, 1 at inf.

    float32 and float64, each computed in its own precision; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.erf(xp.asarray([0.0, 0.5, xp.inf]))
    Array([0.        , 0.52049988, 1.        ], shape=(3,), dtype=float64, device='cpu')
    """
    return math.erf(x)


@elementwise(standard=(), derivative=lambda x: -2 * _RSQRT_PI * _gauss(x))
def erfc(x):
    """The complementary error function 1 - erf(x) of each element, accurate where it is small: 2 at -inf, 0 at inf.

    float32 and float64, each computed in its own precision; within 2 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.erfc(xp.asarray([0.0, 10.0, xp.inf]))
    Array([1.00000000e+00, 2.08848758e-45, 0.00000000e+00], shape=(3,), dtype=float64, device='cpu')
    """
    return math.erfc(x)


def _erfcx_tail(x):
    """exp(x^2) erfc(x) of x >= 0.9."""
    if x < 50.0:
        return erfcx_near((x - 3.5) / (x + 3.5)) / (1.0 + 2.0 * x)
    z = 0.5 / (x * x)
    return _RSQRT_PI / x * (1.0 - z * (1.0 - 3.0 * z * (1.0 - 5.0 * z * (1.0 - 7.0 * z))))


@special(derivative=lambda x, y: 2 * (x * y - _RSQRT_PI))
def erfcx(x):
    """The scaled complementary error function exp(x^2) erfc(x) of each element: 0 at inf, inf below about -26.6.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.erfcx(xp.asarray([0.0, 1.0, 1000.0]))
    Array([1.00000000e+00, 4.27583576e-01, 5.64189301e-04], shape=(3,), dtype=float64, device='cpu')
    """
    if x < 0.95:
        return exp_square(x) * math.erfc(x) if x > -26.7 else math.inf
    return _erfcx_tail(x)


def _over_sqrt2(x):
    return math.fma(x, RSQRT2, x * RSQRT2_LOW)


def _quantile(q):
    """-ndtri(q) for 0 < q <= 1/8, from t with q = exp(-t^2 / 2); inf at 0, NaN below.

    All four polynomials are evaluated: a choice between values keeps the loop over elements in vector lanes, one between branches does not.
    """
    s = -2.0 * math.log(q)
    t = math.sqrt(s)
    near = ndtri_near((t - 3.0) + math.fma(-t, t, s) / (2.0 * t))
    u = 16.0 / t
    middle = ndtri_middle(u - 3.0)
    far = ndtri_far(2.0 * u - 3.0)
    farthest = ndtri_farthest(4.0 * u - 2.8125)
    ratio = middle if t < 8.0 else far if t < 16.0 else farthest
    return near if t < 4.0 else t * ratio


@special(derivative=lambda y: exp(y * y) / (2 * _RSQRT_PI))
def erfinv(x):
    """The inverse of `erf`: -inf at -1, inf at 1, NaN outside [-1, 1].

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.erfinv(xp.asarray([-1.0, 0.0, 0.5]))
    Array([      -inf, 0.        , 0.47693628], shape=(3,), dtype=float64, device='cpu')
    """
    if abs(x) <= 0.75:
        return _over_sqrt2(0.5 * x * ndtri_central(x * x * (32.0 / 9.0) - 1.0))
    if abs(x) < 1.0:
        return math.copysign(_over_sqrt2(_quantile(0.5 - 0.5 * abs(x))), x)
    return math.copysign(math.inf, x) if abs(x) == 1.0 else math.nan


@special(derivative=lambda y: -exp(y * y) / (2 * _RSQRT_PI))
def erfcinv(x):
    """The inverse of `erfc`: inf at 0, -inf at 2, NaN outside [0, 2].

    float32 and float64; within 4 ULP everywhere but near its zero at 1, where 2^-52 of x counts.

    >>> import mtarray as xp
    >>> xp.special.erfcinv(xp.asarray([0.0, 1e-100, 1.0]))
    Array([       inf, 15.0655747,  0.       ], shape=(3,), dtype=float64, device='cpu')
    """
    if abs(x - 1.0) <= 0.75:
        c = 1.0 - x
        return _over_sqrt2(0.5 * c * ndtri_central(c * c * (32.0 / 9.0) - 1.0))
    if x > 0.0 and x < 1.0:
        return _over_sqrt2(_quantile(0.5 * x) if x > 1e-300 else _quantile_of_half(x))
    if x > 1.0 and x < 2.0:
        return -_over_sqrt2(_quantile(0.5 * (2.0 - x)))
    return math.inf if x == 0.0 else -math.inf if x == 2.0 else math.nan


def _quantile_of_half(x):
    """`_quantile(x / 2)` where x / 2 may not be exact."""
    t = math.sqrt(-2.0 * (math.log(x) - 0.6931471805599453))
    return t * ndtri_farthest(64.0 / t - 2.8125)


def _upper_tail(x):
    """1 - ndtr(x) for x >= -1.4. A rounded argument of erfc costs x^2 units of the last place, hence the second form."""
    return 0.5 * (math.erfc(x * RSQRT2) if x < 1.4 else _erfcx_tail(x * RSQRT2) * exp_minus_half_square(x))


def _ndtr(x):
    return _upper_tail(-x) if x < 1.4 else 1.0 - _upper_tail(x)


@special(derivative=lambda x: _RSQRT_2PI * exp(-0.5 * (x * x)))
def ndtr(x):
    """The distribution function of the standard normal distribution, (1 + erf(x / sqrt(2))) / 2 of each element.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.ndtr(xp.asarray([-10.0, 0.0, 1.0]))
    Array([7.61985302e-24, 5.00000000e-01, 8.41344746e-01], shape=(3,), dtype=float64, device='cpu')
    """
    return _ndtr(x)


@special(derivative=lambda x, y: _RSQRT_2PI * exp(-0.5 * (x * x) - y))
def log_ndtr(x):
    """log(ndtr(x)) of each element, accurate in both tails.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.log_ndtr(xp.asarray([-100.0, 0.0, 10.0]))
    Array([-5.00552421e+03, -6.93147181e-01, -7.61985302e-24], shape=(3,), dtype=float64, device='cpu')
    """
    if x < -1.4:
        return math.log(0.5 * _erfcx_tail(-x * RSQRT2)) - 0.5 * x * x
    if x < 0.0:
        return math.log(_ndtr(x))
    return math.log1p(-_upper_tail(x))


@special(derivative=lambda y: exp(0.5 * (y * y)) / _RSQRT_2PI)
def ndtri(p):
    """The quantile of the standard normal distribution, the inverse of `ndtr`: -inf at 0, inf at 1, NaN outside [0, 1].

    float32 and float64; within 4 ULP everywhere, subnormal p included.

    >>> import mtarray as xp
    >>> xp.special.ndtri(xp.asarray([0.0, 0.5, 0.975]))
    Array([      -inf, 0.        , 1.95996398], shape=(3,), dtype=float64, device='cpu')
    """
    c = p - 0.5
    central = c * ndtri_central(c * c * (128.0 / 9.0) - 1.0)
    tail = _quantile(p if p < 0.5 else 1.0 - p)
    tail = -tail if p < 0.5 else tail
    return central if abs(c) <= 0.375 else tail
