"""NumPy's element-wise functions beyond the standard: one scalar function each."""

from __future__ import annotations

import math as _math
from typing import Any

from .._array import Array
from .._dtypes import COMPLEX as _COMPLEX
from .._dtypes import (
    FLOATING,
    INTEGER,
    INTEGER_OR_BOOL,
    REAL,
    REAL_FLOATING,
    UNSIGNED,
    complex128,
    float64,
    float_of,
    int8,
    int32,
    int64,
    uint8,
    uint64,
)
from .._dtypes import bool as bool_
from .._operands import common
from .._ops import CHEAP, DEAR, Vjp, elementwise
from ..creation import ones_like
from ..elementwise import equal, sign, trunc
from ..elementwise.exponential import _by_base, _by_exponent

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math

_ORDERED = (bool_, *REAL)
_NONE: tuple[Any, ...] = ()  # the standard promises these functions for no dtype
_DEGREE = _math.pi / 180.0
_RADIAN = 180.0 / _math.pi


_LN2 = _math.log(2.0)


def _exp2(x: Array) -> Array:
    return exp2(x)


def _ldexp(x1: Array, x2: Array) -> Array:
    return ldexp(x1, x2)


def _wins(x1: Any, x2: Any) -> Any:
    """1 where x1 is larger or x2 is NaN, 1/2 where they are equal, 0 elsewhere."""
    d = (x1 if x1.__class__ is Array else x2).dtype
    return ((x1 > x2) | (x2 != x2)).astype(d) + 0.5 * (x1 == x2).astype(d)


@elementwise(
    dtypes=_ORDERED, standard=_NONE, numpy="fmax", limit=CHEAP, derivative=(lambda x1, x2: _wins(x1, x2), lambda x1, x2: _wins(x2, x1))
)
def fmax(x1, x2):
    """The larger of each pair of elements; the other one where one is NaN.

    >>> import mtarray as xp
    >>> xp.fmax(xp.asarray([1.0, xp.nan]), 0.5)
    Array([1. , 0.5], shape=(2,), dtype=float64, device='cpu')
    """
    return math.fmax(x1, x2)


@elementwise(
    dtypes=_ORDERED, standard=_NONE, numpy="fmin", limit=CHEAP, derivative=(lambda x1, x2: _wins(-x1, -x2), lambda x1, x2: _wins(-x2, -x1))
)
def fmin(x1, x2):
    """The smaller of each pair of elements; the other one where one is NaN.

    >>> import mtarray as xp
    >>> xp.fmin(xp.asarray([1.0, xp.nan]), 0.5)
    Array([0.5, 0.5], shape=(2,), dtype=float64, device='cpu')
    """
    return math.fmin(x1, x2)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="fabs", limit=CHEAP, derivative=lambda x: sign(x))
def fabs(x):
    """Magnitude of each real element, always floating.

    >>> import mtarray as xp
    >>> xp.fabs(xp.asarray([-1, 2]))
    Array([1., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.fabs(x)


def _fmod_rule(key: tuple[Any, ...]) -> Any:
    d = common(key)
    if d in _COMPLEX:
        raise TypeError(f"fmod is not defined for {d}")
    d = int8 if d is bool_ else d
    return (d, d), (d,)


@elementwise(
    dtypes=REAL, standard=_NONE, numpy="fmod", limit=DEAR, rule=_fmod_rule, errors=True, derivative=(1, lambda x1, x2: -trunc(x1 / x2))
)
def fmod(x1, x2):
    """Remainder of division, with the sign of `x1` (C's `fmod`). Integers modulo 0 give 0.

    >>> import mtarray as xp
    >>> xp.fmod(xp.asarray([7, -7]), 3)
    Array([ 1, -1], shape=(2,), dtype=int64, device='cpu')
    """
    return math.fmod(x1, x2)


@elementwise(
    dtypes=REAL_FLOATING,
    standard=_NONE,
    numpy="logaddexp2",
    limit=DEAR,
    derivative=(lambda x1, y: _exp2(x1 - y), lambda x2, y: _exp2(x2 - y)),
)
def logaddexp2(x1, x2):
    """log2(2**x1 + 2**x2) without overflow.

    >>> import mtarray as xp
    >>> xp.logaddexp2(xp.asarray([2000.0]), 2000.0)
    Array([2001.], shape=(1,), dtype=float64, device='cpu')
    """
    return math.logaddexp2(x1, x2)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="heaviside", limit=CHEAP, derivative=(0, lambda x1: equal(x1, 0) * 1.0))
def heaviside(x1, x2):
    """0 where x1 < 0, `x2` where x1 is 0, 1 where x1 > 0; NaN for NaN.

    >>> import mtarray as xp
    >>> xp.heaviside(xp.asarray([-1.5, 0.0, 2.0]), 0.5)
    Array([0. , 0.5, 1. ], shape=(3,), dtype=float64, device='cpu')
    """
    return math.heaviside(x1, x2)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="exp2", limit=DEAR, derivative=lambda y: _LN2 * y)
def exp2(x):
    """2 to the power of each real element.

    >>> import mtarray as xp
    >>> xp.exp2(xp.asarray([0.0, 3.0]))
    Array([1., 8.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.exp2(x)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="cbrt", limit=DEAR, derivative=lambda y: 1 / (3 * y * y))
def cbrt(x):
    """Cube root of each element, negative for negative ones.

    >>> import mtarray as xp
    >>> xp.cbrt(xp.asarray([8.0, -27.0]))
    Array([ 2., -3.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.cbrt(x)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="deg2rad", limit=CHEAP, derivative=_DEGREE)
def deg2rad(x):
    """Angles in degrees as radians.

    >>> import mtarray as xp
    >>> xp.deg2rad(xp.asarray([0.0, 180.0]))
    Array([0.        , 3.14159265], shape=(2,), dtype=float64, device='cpu')
    """
    return x * _DEGREE


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="rad2deg", limit=CHEAP, derivative=_RADIAN)
def rad2deg(x):
    """Angles in radians as degrees.

    >>> import mtarray as xp
    >>> xp.rad2deg(xp.asarray([0.0, xp.pi]))
    Array([  0., 180.], shape=(2,), dtype=float64, device='cpu')
    """
    return x * _RADIAN


@elementwise(dtypes=INTEGER, standard=_NONE, numpy="gcd", limit=DEAR)
def gcd(x1, x2):
    """Greatest common divisor of each pair of integers, never negative; gcd(0, 0) is 0.

    >>> import mtarray as xp
    >>> xp.gcd(xp.asarray([12, -18]), 8)
    Array([4, 2], shape=(2,), dtype=int64, device='cpu')
    """
    return math.gcd(x1, x2)


@elementwise(dtypes=INTEGER, standard=_NONE, numpy="lcm", limit=DEAR)
def lcm(x1, x2):
    """Least common multiple of each pair of integers, never negative; 0 if either is 0.

    >>> import mtarray as xp
    >>> xp.lcm(xp.asarray([4, 6]), 10)
    Array([20, 30], shape=(2,), dtype=int64, device='cpu')
    """
    return math.lcm(x1, x2)


def _float_power_rule(key: tuple[Any, ...]) -> Any:
    d = complex128 if common(key) in _COMPLEX else float64
    return (d, d), (d,)


@elementwise(
    dtypes=FLOATING,
    standard=_NONE,
    numpy="float_power",
    limit=DEAR,
    rule=_float_power_rule,
    derivative=(lambda x1, x2: _by_base(x1, x2), lambda x1, x2, y: _by_exponent(x1, x2, y)),
)
def float_power(x1, x2):
    """`x1` to the power `x2` in float64 (complex128 for complex operands), so that negative integer powers are fractions.

    >>> import mtarray as xp
    >>> xp.float_power(xp.asarray([2, 4]), -1)
    Array([0.5 , 0.25], shape=(2,), dtype=float64, device='cpu')
    """
    return math.pow(x1, x2)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="modf", limit=CHEAP, derivative=Vjp(lambda g: g[0]))
def modf(x):
    """Fractional and integral parts of each element, both with its sign.

    >>> import mtarray as xp
    >>> [part.tolist() for part in xp.modf(xp.asarray([3.5, -0.25]))]
    [[0.5, -0.25], [3.0, -0.0]]
    """
    fraction, whole = math.modf(x)
    return fraction, whole


def _frexp_rule(key: tuple[Any, ...]) -> Any:
    d = _real_float("frexp", key)
    return (d,), (d, int32)


def _real_float(name: str, key: tuple[Any, ...]) -> Any:
    d = common(key)
    if d in _COMPLEX:
        raise TypeError(f"{name} is not defined for {d}")
    return float_of(d)


@elementwise(
    dtypes=REAL_FLOATING,
    standard=_NONE,
    numpy="frexp",
    limit=CHEAP,
    rule=_frexp_rule,
    derivative=Vjp(lambda g, y: None if g[0] is None else _ldexp(g[0], -y[1])),
)
def frexp(x):
    """Mantissa (at least 0.5 and below 1 in magnitude) and int32 exponent of each element: x = mantissa * 2**exponent.

    >>> import mtarray as xp
    >>> [part.tolist() for part in xp.frexp(xp.asarray([8.0, 0.75]))]
    [[0.5, 0.75], [4, 0]]
    """
    mantissa, exponent = math.frexp(x)
    return mantissa, exponent


def _ldexp_rule(key: tuple[Any, ...]) -> Any:
    d, n = _real_float("ldexp", key[:1]), common(key[1:])
    if n not in INTEGER_OR_BOOL or n is uint64:
        raise TypeError(f"ldexp: exponents must be integers that fit int64, not {n}")
    return (d, int64), (d,)


@elementwise(
    dtypes=REAL_FLOATING,
    standard=_NONE,
    numpy="ldexp",
    limit=CHEAP,
    rule=_ldexp_rule,
    promotes=False,
    derivative=(lambda x1, x2: _ldexp(ones_like(x1), x2), None),
)
def ldexp(x1, x2):
    """x1 * 2**x2 for each pair of a number and an integer.

    >>> import mtarray as xp
    >>> xp.ldexp(xp.asarray([0.5, 3.0]), xp.asarray([4, -1]))
    Array([8. , 1.5], shape=(2,), dtype=float64, device='cpu')
    """
    return math.ldexp(x1, x2)


@elementwise(dtypes=REAL_FLOATING, standard=_NONE, numpy="spacing", limit=CHEAP, derivative=0)
def spacing(x):
    """Distance to the next number away from zero, with the sign of the element; NaN for infinities.

    >>> import mtarray as xp
    >>> xp.spacing(xp.asarray([1.0])) == xp.finfo(xp.float64).eps
    Array([ True], shape=(1,), dtype=bool, device='cpu')
    """
    return math.nextafter(x, math.copysign(math.inf, x + 0.0)) - x  # + 0.0: that of -0.0 is positive


def _count_rule(key: tuple[Any, ...]) -> Any:
    d = common(key)
    if d not in INTEGER_OR_BOOL:
        raise TypeError(f"bitwise_count is defined for integers, not for {d}")
    return (d if d in UNSIGNED else int64,), (uint8,)  # in int64 the magnitude of every narrower integer exists


@elementwise(dtypes=INTEGER_OR_BOOL, standard=_NONE, numpy="bitwise_count", limit=CHEAP, rule=_count_rule)
def bitwise_count(x):
    """How many bits are set in the magnitude of each element, as uint8.

    >>> import mtarray as xp
    >>> xp.bitwise_count(xp.asarray([7, -8]))
    Array([3, 1], shape=(2,), dtype=uint8, device='cpu')
    """
    n = 0
    rest = abs(x)
    while rest != 0:
        rest &= rest - 1
        n += 1
    return n


__all__ = [
    "bitwise_count", "cbrt", "deg2rad", "exp2", "fabs", "float_power", "fmax", "fmin", "fmod", "frexp", "gcd", "heaviside", "lcm", "ldexp",
    "logaddexp2", "modf", "rad2deg", "spacing",
]  # fmt: skip
