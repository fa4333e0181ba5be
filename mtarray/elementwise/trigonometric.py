"""Trigonometric and hyperbolic functions and their inverses; angles are in radians."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from .._dtypes import FLOATING, REAL_FLOATING
from .._ops import DEAR, SLOW, elementwise
from .exponential import sqrt

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


@elementwise(dtypes=FLOATING, numpy="sin", limit=DEAR, derivative=lambda x: cos(x))
def sin(x):
    """Sine of each element, in radians.

    >>> import mtarray as xp
    >>> xp.sin(xp.asarray([0.0, 1.0]))
    Array([0.        , 0.84147098], shape=(2,), dtype=float64, device='cpu')
    """
    return math.sin(x)


@elementwise(dtypes=FLOATING, numpy="cos", limit=DEAR, derivative=lambda x: -sin(x))
def cos(x):
    """Cosine of each element, in radians.

    >>> import mtarray as xp
    >>> xp.cos(xp.asarray([0.0, 1.0]))
    Array([1.        , 0.54030231], shape=(2,), dtype=float64, device='cpu')
    """
    return math.cos(x)


def _tan(x: Any) -> Any:
    out = np.array(np.tan(x))
    flat = np.isinf(x.imag) & np.isfinite(x.real)  # by the standard tan(z) is -1j * tanh(1j * z)
    out.real[flat] = np.copysign(0.0, x.real[flat])
    out.imag[flat] = np.sign(x.imag[flat])
    return out


@elementwise(dtypes=FLOATING, numpy="tan", corrected={"c": _tan}, limit=DEAR, derivative=lambda y: 1 + y * y)
def tan(x):
    """Tangent of each element, in radians.

    >>> import mtarray as xp
    >>> xp.tan(xp.asarray([0.0, 1.0]))
    Array([0.        , 1.55740772], shape=(2,), dtype=float64, device='cpu')
    """
    return math.tan(x)


@elementwise(dtypes=FLOATING, numpy="arcsin", limit=DEAR, derivative=lambda g, x: g / sqrt(1 - x * x))
def asin(x):
    """Inverse sine, in radians from -pi/2 to pi/2; NaN outside [-1, 1] for real elements.

    >>> import mtarray as xp
    >>> xp.asin(xp.asarray([0.0, 1.0]))
    Array([0.        , 1.57079633], shape=(2,), dtype=float64, device='cpu')
    """
    return math.asin(x)


@elementwise(dtypes=FLOATING, numpy="arccos", limit=DEAR, derivative=lambda g, x: -g / sqrt(1 - x * x))
def acos(x):
    """Inverse cosine, in radians from 0 to pi; NaN outside [-1, 1] for real elements.

    >>> import mtarray as xp
    >>> xp.acos(xp.asarray([1.0, 0.0]))
    Array([0.        , 1.57079633], shape=(2,), dtype=float64, device='cpu')
    """
    return math.acos(x)


@elementwise(dtypes=FLOATING, numpy="arctan", limit=DEAR, derivative=lambda g, x: g / (1 + x * x))
def atan(x):
    """Inverse tangent, in radians from -pi/2 to pi/2.

    >>> import mtarray as xp
    >>> xp.atan(xp.asarray([0.0, 1.0]))
    Array([0.        , 0.78539816], shape=(2,), dtype=float64, device='cpu')
    """
    return math.atan(x)


@elementwise(
    dtypes=REAL_FLOATING,
    numpy="arctan2",
    limit=SLOW,
    derivative=(lambda x1, x2: x2 / (x1 * x1 + x2 * x2), lambda x1, x2: -x1 / (x1 * x1 + x2 * x2)),
)
def atan2(x1, x2):
    """Angle of the point (x2, x1) in radians from -pi to pi: the inverse tangent of x1 / x2 in the right quadrant.

    >>> import mtarray as xp
    >>> xp.atan2(xp.asarray([1.0, -1.0]), xp.asarray([-1.0, -1.0]))
    Array([ 2.35619449, -2.35619449], shape=(2,), dtype=float64, device='cpu')
    """
    return math.atan2(x1, x2)


@elementwise(dtypes=FLOATING, numpy="sinh", limit=DEAR, derivative=lambda x: cosh(x))
def sinh(x):
    """Hyperbolic sine of each element.

    >>> import mtarray as xp
    >>> xp.sinh(xp.asarray([0.0, 1.0]))
    Array([0.        , 1.17520119], shape=(2,), dtype=float64, device='cpu')
    """
    return math.sinh(x)


@elementwise(dtypes=FLOATING, numpy="cosh", limit=DEAR, derivative=lambda x: sinh(x))
def cosh(x):
    """Hyperbolic cosine of each element.

    >>> import mtarray as xp
    >>> xp.cosh(xp.asarray([0.0, 1.0]))
    Array([1.        , 1.54308063], shape=(2,), dtype=float64, device='cpu')
    """
    return math.cosh(x)


def _tanh(x: Any) -> Any:
    out = np.array(np.tanh(x))
    flat = np.isinf(x.real) & np.isfinite(x.imag)  # C's sign of the zero follows sin(2b), the standard's follows b
    out.real[flat] = np.sign(x.real[flat])
    out.imag[flat] = np.copysign(0.0, x.imag[flat])
    return out


@elementwise(dtypes=FLOATING, numpy="tanh", corrected={"c": _tanh}, limit=DEAR, derivative=lambda y: 1 - y * y)
def tanh(x):
    """Hyperbolic tangent of each element.

    >>> import mtarray as xp
    >>> xp.tanh(xp.asarray([0.0, 1.0]))
    Array([0.        , 0.76159416], shape=(2,), dtype=float64, device='cpu')
    """
    return math.tanh(x)


@elementwise(dtypes=FLOATING, numpy="arcsinh", limit=DEAR, derivative=lambda g, x: g / sqrt(1 + x * x))
def asinh(x):
    """Inverse hyperbolic sine of each element.

    >>> import mtarray as xp
    >>> xp.asinh(xp.asarray([0.0, 1.0]))
    Array([0.        , 0.88137359], shape=(2,), dtype=float64, device='cpu')
    """
    return math.asinh(x)


@elementwise(dtypes=FLOATING, numpy="arccosh", limit=DEAR, derivative=lambda g, x: g / (sqrt(x - 1) * sqrt(x + 1)))
def acosh(x):
    """Inverse hyperbolic cosine; NaN below 1 for real elements.

    >>> import mtarray as xp
    >>> xp.acosh(xp.asarray([1.0, 2.0]))
    Array([0.        , 1.3169579], shape=(2,), dtype=float64, device='cpu')
    """
    return math.acosh(x)


@elementwise(dtypes=FLOATING, numpy="arctanh", limit=DEAR, derivative=lambda g, x: g / (1 - x * x))
def atanh(x):
    """Inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond for real elements.

    >>> import mtarray as xp
    >>> xp.atanh(xp.asarray([0.0, 0.5]))
    Array([0.        , 0.54930614], shape=(2,), dtype=float64, device='cpu')
    """
    return math.atanh(x)
