"""Powers, roots, exponentials, logarithms."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from .. import _array
from .._array import Array
from .._dtypes import FLOATING, INTEGER, NUMERIC, REAL_FLOATING, WEAK_KIND
from .._kernels import numpy_complex
from .._ops import DEAR, SLOW, elementwise
from .arithmetic import square
from .comparison import equal

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math

_LOG2_E, _LOG10_E = _math.log2(_math.e), _math.log10(_math.e)


# Parts of derivatives; as for all of them, the names of parameters say what is saved.


def _by_base(x1: Any, x2: Any) -> Any:
    """d pow(x1, x2) / dx1: 0 for the exponent 0, whatever the base."""
    if x2.__class__ in WEAK_KIND:
        return 0.0 if x2 == 0 else x2 * pow(x1, x2 - 1)
    return x2 * pow(_array.xp.where(equal(x2, 0), 1, x1), x2 - 1)


def _by_exponent(x1: Any, x2: Any, y: Any) -> Any:
    """d pow(x1, x2) / dx2: 0 for the base 0, where the power is constant or has no derivative."""
    if x1.__class__ in WEAK_KIND:
        x1 = y.dtype.type(x1)
    return y * log(_array.xp.where(equal(x1, 0), 1, x1))


def _no_negative_exponent(x1: Any, x2: Any) -> None:
    if x2.dtype.kind == "i" and x1.dtype.kind in "iub" and bool((x2 < 0).any()):
        raise ValueError("pow: integers to negative integer powers are not integers; cast the base to a floating dtype")


def _power(x1: Any, x2: Any) -> Any:
    out = np.power(x1, x2)
    if getattr(x2, "size", 1) == 1 and x2 == 0.5:
        # NumPy takes the square root then, which differs from the power at -0 and -inf.
        out = np.where(np.isinf(x1), np.inf, out + 0.0).astype(out.dtype)
    return out


def _squared(x1: Any, x2: Any) -> Any:
    # x ** 2 is exact where x * x is, and ten times as fast.
    kind = x2.__class__
    if x1.__class__ is not Array or (kind is not int and kind is not float) or x2 != 2:
        return None
    return square(x1) if x1.dtype in FLOATING or (kind is int and x1.dtype in INTEGER) else None


@elementwise(
    dtypes=NUMERIC,
    shortcut=_squared,
    numpy="power",
    corrected={"f": _power, "c": numpy_complex.power},
    dunder="__pow__",
    limit=DEAR,
    validate=_no_negative_exponent,
    derivative=(_by_base, _by_exponent),
)
def pow(x1, x2):
    """`x1` to the power `x2`, for each pair of elements. ValueError for an integer to a negative integer power.

    >>> import mtarray as xp
    >>> xp.pow(xp.asarray([2.0, 3.0]), 2)
    Array([4., 9.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.pow(x1, x2)


@elementwise(dtypes=FLOATING, numpy="sqrt", limit=SLOW, derivative=lambda g, y: g * 0.5 / y)
def sqrt(x):
    """Square root of each element; NaN for negative real ones.

    >>> import mtarray as xp
    >>> xp.sqrt(xp.asarray([4.0, 9.0]))
    Array([2., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.sqrt(x)


@elementwise(dtypes=FLOATING, numpy="exp", limit=DEAR, derivative=lambda y: y)
def exp(x):
    """e to the power of each element.

    >>> import mtarray as xp
    >>> xp.exp(xp.asarray([0.0, 1.0]))
    Array([1.        , 2.71828183], shape=(2,), dtype=float64, device='cpu')
    """
    return math.exp(x)


def _expm1(x: Any) -> Any:
    # NumPy's complex expm1 has not the special values of the standard (and cancels near 0), so it is composed of real ones.
    z = np.asarray(x, np.complex128)
    a, b = z.real, z.imag
    out = np.empty_like(z)
    out.real = np.expm1(a) * np.cos(b) - 2 * np.sin(b / 2) ** 2
    out.imag = np.exp(a) * np.sin(b)
    real_line = b == 0
    out.real[real_line] = np.expm1(a[real_line]) + 0.0  # the standard asks for +0 at -0 + 0j too
    out.imag[real_line] = b[real_line]
    unbounded = np.isinf(a) & ~np.isfinite(b)
    out.real[unbounded] = np.where(a[unbounded] > 0, np.inf, -1.0)
    out.imag[unbounded] = np.where(a[unbounded] > 0, np.nan, 0.0)
    return out.astype(x.dtype, copy=False)


@elementwise(dtypes=FLOATING, numpy="expm1", corrected={"c": _expm1}, limit=DEAR, derivative=lambda y: y + 1)
def expm1(x):
    """exp(x) - 1, accurate near 0.

    >>> import mtarray as xp
    >>> xp.expm1(xp.asarray([0.0, 1e-10]))
    Array([0.e+00, 1.e-10], shape=(2,), dtype=float64, device='cpu')
    """
    return math.expm1(x)


@elementwise(dtypes=FLOATING, numpy="log", limit=DEAR, derivative=lambda g, x: g / x)
def log(x):
    """Natural logarithm of each element; -inf for 0, NaN for negative real ones.

    >>> import mtarray as xp
    >>> xp.log(xp.asarray([1.0, 0.0]))
    Array([  0., -inf], shape=(2,), dtype=float64, device='cpu')
    """
    return math.log(x)


def _log1p(z: Any) -> Any:
    # NumPy's complex log1p loses all digits near 0; log(u) z / (u - 1) with the rounded u = 1 + z keeps them.
    w = np.asarray(z, np.complex128)
    out = np.array(np.log1p(w))
    u = np.asarray(1 + w)
    near = np.abs(w) < 0.5
    near &= u != 1
    out[near] = np.log(u[near]) * (w[near] / (u[near] - 1))
    tiny = u == 1
    out[tiny] = w[tiny]
    return out.astype(z.dtype, copy=False)


@elementwise(dtypes=FLOATING, numpy="log1p", corrected={"c": _log1p}, limit=DEAR, derivative=lambda g, x: g / (1 + x))
def log1p(x):
    """log(1 + x), accurate near 0.

    >>> import mtarray as xp
    >>> xp.log1p(xp.asarray([0.0, 1e-10]))
    Array([0.e+00, 1.e-10], shape=(2,), dtype=float64, device='cpu')
    """
    return math.log1p(x)


@elementwise(dtypes=FLOATING, numpy="log2", limit=DEAR, derivative=lambda g, x: g * _LOG2_E / x)
def log2(x):
    """Logarithm to base 2 of each element.

    >>> import mtarray as xp
    >>> xp.log2(xp.asarray([1.0, 8.0]))
    Array([0., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.log2(x)


@elementwise(dtypes=FLOATING, numpy="log10", limit=DEAR, derivative=lambda g, x: g * _LOG10_E / x)
def log10(x):
    """Logarithm to base 10 of each element.

    >>> import mtarray as xp
    >>> xp.log10(xp.asarray([1.0, 1000.0]))
    Array([0., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.log10(x)


@elementwise(dtypes=REAL_FLOATING, numpy="logaddexp", limit=SLOW, derivative=(lambda x1, y: exp(x1 - y), lambda x2, y: exp(x2 - y)))
def logaddexp(x1, x2):
    """log(exp(x1) + exp(x2)) without overflow.

    >>> import mtarray as xp
    >>> xp.logaddexp(xp.asarray([1000.0]), xp.asarray([1000.0]))
    Array([1000.69314718], shape=(1,), dtype=float64, device='cpu')
    """
    return math.logaddexp(x1, x2)


def _numpy_portion(x: Any, y: Any) -> Any:
    zero = y == 0
    return np.where(zero, y.dtype.type(0), np.divide(x, np.where(zero, y.dtype.type(1), y)))


@elementwise(dtypes=REAL_FLOATING, numpy=_numpy_portion, limit=SLOW, derivative=(lambda x2: 1 / x2, lambda x2, y: -y / x2))
def _portion(x1, x2):
    """x1 / x2, and 0 where x2 is 0."""
    return x1 / x2 if x2 != 0 else 0.0


@elementwise(
    dtypes=REAL_FLOATING, numpy="hypot", limit=SLOW, derivative=(lambda g, x1, y: g * _portion(x1, y), lambda g, x2, y: g * _portion(x2, y))
)
def hypot(x1, x2):
    """sqrt(x1**2 + x2**2) without overflow; its slope at (0, 0) is 0, as that of norms.

    >>> import mtarray as xp
    >>> xp.hypot(xp.asarray([3.0]), xp.asarray([4.0]))
    Array([5.], shape=(1,), dtype=float64, device='cpu')
    """
    return math.hypot(x1, x2)
