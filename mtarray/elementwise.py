"""Element-wise functions of the standard: one scalar function each."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from . import _array
from ._array import Array, component, fresh
from ._dtypes import (
    ALL,
    COMPLEX,
    FLOATING,
    INTEGER,
    INTEGER_OR_BOOL,
    NUMERIC,
    REAL,
    REAL_FLOATING,
    WEAK_KIND,
    DType,
    float64,
    real_of,
)
from ._dtypes import bool as bool_
from ._kernels import numpy_complex
from ._operands import common, lift, promised, run_quietly
from ._ops import CHEAP, DEAR, SLOW, Elementwise, Vjp, boolean, elementwise
from ._ops import REGISTRY as _REGISTRY

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math

_REAL_OR_BOOL = (bool_, *REAL)

# ---------------------------------------------------------------------- parts of derivatives
# (as for all of them: the names of parameters say what is saved)

_LOG2_E, _LOG10_E = _math.log2(_math.e), _math.log10(_math.e)


def _by_base(x1: Any, x2: Any) -> Any:
    """d pow(x1, x2) / dx1: 0 for the exponent 0, whatever the base."""
    if x2.__class__ in WEAK_KIND:
        return 0.0 if x2 == 0 else x2 * pow(x1, x2 - 1)
    return x2 * pow(_array.xp.where(equal(x2, 0), 1, x1), x2 - 1)


def _by_exponent(x1: Any, x2: Any, y: Any) -> Any:
    """d pow(x1, x2) / dx2: 0 for the base 0, where the power is constant or has no derivative."""
    if x1.__class__ in WEAK_KIND:
        x1 = fresh(np.asarray(x1, y.dtype))
    return y * log(_array.xp.where(equal(x1, 0), 1, x1))


def _part(x1: Any, x2: Any) -> Any:
    """`_share` of an array and an array or a Python number."""
    if x1.__class__ in WEAK_KIND:
        x1 = fresh(run_quietly(np.asarray, x1, x2.dtype))
    elif x2.__class__ in WEAK_KIND:
        x2 = fresh(run_quietly(np.asarray, x2, x1.dtype))
    return _share(x1, x2)


def _numpy_share(x1: Any, x2: Any) -> Any:
    return np.where(np.equal(x1, x2), x1.dtype.type(0.5), np.greater(x1, x2))


@elementwise(dtypes=REAL_FLOATING, numpy=_numpy_share, limit=SLOW, derivative=(0, 0))
def _share(x1, x2):
    """1 where x1 is larger, 0 where x2 is, 1/2 where they are equal."""
    return 1.0 if x1 > x2 else 0.5 if x1 == x2 else 0.0


def _sign_vjp(g: Array, x: Array, y: Array) -> Array | None:
    """A real sign is constant; a complex one turns with its argument."""
    if x.dtype not in COMPLEX:
        return None
    return (g - y * real(conj(y) * g)) / abs(x)


# ---------------------------------------------------------------------- arithmetic


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="add", dunder="__add__", limit=CHEAP, derivative=(1, 1))
def add(x1, x2):
    """Sum of each pair of elements.

    >>> import mtarray as xp
    >>> xp.add(xp.asarray([1, 2]), xp.asarray([10, 20]))
    Array([11, 22], shape=(2,), dtype=int64, device='cpu')
    """
    return x1 + x2


@elementwise(dtypes=NUMERIC, numpy="subtract", dunder="__sub__", limit=CHEAP, derivative=(1, -1))
def subtract(x1, x2):
    """Difference `x1 - x2` of each pair of elements. Unsigned integers wrap around.

    >>> import mtarray as xp
    >>> xp.subtract(xp.asarray([1.5, 2.0]), 1)
    Array([0.5, 1. ], shape=(2,), dtype=float64, device='cpu')
    """
    return x1 - x2


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="multiply", dunder="__mul__", limit=CHEAP, derivative=(lambda x2: x2, lambda x1: x1))
def multiply(x1, x2):
    """Product of each pair of elements.

    >>> import mtarray as xp
    >>> xp.multiply(xp.asarray([1, 2]), xp.asarray([[3], [4]]))
    Array([[3, 6],
           [4, 8]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return x1 * x2


def _floating_division(key: tuple[Any, ...]) -> Any:
    d = common(key)
    d = d if d in FLOATING else float64
    return (d, d), (d,)


@elementwise(
    dtypes=FLOATING,
    numpy="divide",
    corrected={"c": numpy_complex.divide},
    dunder="__truediv__",
    limit=CHEAP,
    rule=_floating_division,
    derivative=(lambda g, x2: g / x2, lambda g, x2, y: -(g / x2) * y),
)
def divide(x1, x2):
    """Quotient `x1 / x2` of each pair of elements, always floating (integers divide as float64); dividing by 0 gives inf or NaN.

    >>> import mtarray as xp
    >>> xp.divide(xp.asarray([1.0, 0.0]), xp.asarray([4.0, 0.0]))
    Array([0.25,  nan], shape=(2,), dtype=float64, device='cpu')
    """
    return math.divide(x1, x2)


def _floor_divide(x1: Any, x2: Any) -> Any:
    # NumPy pairs `//` with `%`, which gives NaN for inf // 2; the standard's text asks for floor(x1 / x2) there.
    out = np.floor_divide(x1, x2)
    special = np.isinf(x1) | np.isinf(x2)
    return np.where(special, np.floor(x1 / x2), out) if special.any() else out


@elementwise(
    dtypes=REAL, numpy="floor_divide", corrected={"f": _floor_divide}, dunder="__floordiv__", limit=SLOW, errors=True, derivative=(0, 0)
)
def floor_divide(x1, x2):
    """Largest integer-valued number not above `x1 / x2`, for each pair of elements.

    An infinite operand follows floor(x1 / x2), as the standard prefers: inf // 2 is inf. Integers divided by 0 give 0.

    >>> import mtarray as xp
    >>> xp.floor_divide(xp.asarray([7, -7]), 2)
    Array([ 3, -4], shape=(2,), dtype=int64, device='cpu')
    """
    return math.floor_divide(x1, x2)


@elementwise(
    dtypes=REAL, numpy="remainder", dunder="__mod__", limit=SLOW, errors=True, derivative=(1, lambda x1, x2: -floor_divide(x1, x2))
)
def remainder(x1, x2):
    """Remainder of division, with the sign of `x2` (Python's `%`). Integers modulo 0 give 0.

    >>> import mtarray as xp
    >>> xp.remainder(xp.asarray([7, -7]), 3)
    Array([1, 2], shape=(2,), dtype=int64, device='cpu')
    """
    return math.remainder(x1, x2)


def _no_negative_exponent(x1: Any, x2: Any) -> None:
    if x2.dtype.kind == "i" and x1.dtype.kind in "iub" and (x2 < 0).any():
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


@elementwise(dtypes=NUMERIC, numpy="negative", dunder="__neg__", limit=CHEAP, derivative=-1)
def negative(x):
    """Each element with its sign changed (unsigned integers wrap around).

    >>> import mtarray as xp
    >>> xp.negative(xp.asarray([1, -2]))
    Array([-1,  2], shape=(2,), dtype=int64, device='cpu')
    """
    return -x


@elementwise(dtypes=NUMERIC, numpy="positive", dunder="__pos__", limit=CHEAP, derivative=1)
def positive(x):
    """Each element unchanged, in a new array.

    >>> import mtarray as xp
    >>> xp.positive(xp.asarray([1, -2]))
    Array([ 1, -2], shape=(2,), dtype=int64, device='cpu')
    """
    return x


@elementwise(
    dtypes=ALL, standard=NUMERIC, numpy="absolute", dunder="__abs__", limit=CHEAP, result=real_of, derivative=lambda x: conj(sign(x))
)
def abs(x):
    """Magnitude of each element; of complex elements the modulus, as a real array.

    >>> import mtarray as xp
    >>> xp.abs(xp.asarray([-2.0, 3.0]))
    Array([2., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.fabs(x)


def _sign(x: Any) -> Any:
    # By the rules of complex division, as the standard asks: NaN for infinite x, where NumPy gives a point of the unit circle.
    size = np.hypot(x.real, x.imag)
    out = np.array(x)
    other = size != 0
    out.real[other] = x.real[other] / size[other]
    out.imag[other] = x.imag[other] / size[other]
    out[~other] = 0
    out[np.isnan(size)] = complex(np.nan, np.nan)
    return out


@elementwise(dtypes=NUMERIC, numpy="sign", corrected={"c": _sign}, limit=CHEAP, derivative=Vjp(_sign_vjp))
def sign(x):
    """-1, 0 or 1 by the sign of each element; x / abs(x) for complex ones, NaN for NaN.

    >>> import mtarray as xp
    >>> xp.sign(xp.asarray([-2.5, 0.0, 4.0]))
    Array([-1.,  0.,  1.], shape=(3,), dtype=float64, device='cpu')
    """
    return math.sign(x)


@elementwise(dtypes=NUMERIC, numpy="square", limit=CHEAP, derivative=lambda x: 2 * x)
def square(x):
    """Each element times itself.

    >>> import mtarray as xp
    >>> xp.square(xp.asarray([2, 3]))
    Array([4, 9], shape=(2,), dtype=int64, device='cpu')
    """
    return x * x


def _reciprocal(x: Any) -> Any:
    return numpy_complex.divide(x.dtype.type(1), x)  # NumPy's reciprocal has other values at 0 and infinity


@elementwise(dtypes=FLOATING, numpy="reciprocal", corrected={"c": _reciprocal}, derivative=lambda y: -(y * y))
def reciprocal(x):
    """One divided by each element.

    >>> import mtarray as xp
    >>> xp.reciprocal(xp.asarray([2.0, 4.0]))
    Array([0.5 , 0.25], shape=(2,), dtype=float64, device='cpu')
    """
    return math.reciprocal(x)


# ---------------------------------------------------------------------- powers, exponentials, logarithms


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


@elementwise(dtypes=REAL_FLOATING, numpy="hypot", limit=SLOW, derivative=(lambda g, x1, y: g * x1 / y, lambda g, x2, y: g * x2 / y))
def hypot(x1, x2):
    """sqrt(x1**2 + x2**2) without overflow.

    >>> import mtarray as xp
    >>> xp.hypot(xp.asarray([3.0]), xp.asarray([4.0]))
    Array([5.], shape=(1,), dtype=float64, device='cpu')
    """
    return math.hypot(x1, x2)


# ---------------------------------------------------------------------- trigonometric and hyperbolic (angles in radians)


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


# ---------------------------------------------------------------------- rounding


@elementwise(dtypes=REAL, numpy="floor", limit=CHEAP, derivative=0)
def floor(x):
    """Largest integer-valued number not above each element; integers unchanged.

    >>> import mtarray as xp
    >>> xp.floor(xp.asarray([1.5, -1.5]))
    Array([ 1., -2.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.floor(x)


@elementwise(dtypes=REAL, numpy="ceil", limit=CHEAP, derivative=0)
def ceil(x):
    """Smallest integer-valued number not below each element; integers unchanged.

    >>> import mtarray as xp
    >>> xp.ceil(xp.asarray([1.5, -1.5]))
    Array([ 2., -1.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.ceil(x)


@elementwise(dtypes=REAL, numpy="trunc", limit=CHEAP, derivative=0)
def trunc(x):
    """Each element rounded towards zero; integers unchanged.

    >>> import mtarray as xp
    >>> xp.trunc(xp.asarray([1.5, -1.5]))
    Array([ 1., -1.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.trunc(x)


def _same(x: Any) -> Any:
    return x.copy()


@elementwise(dtypes=NUMERIC, numpy="rint", corrected={"i": _same, "u": _same}, limit=CHEAP, derivative=0)
def round(x):
    """Each element rounded to the nearest integer-valued number, halves to even; complex parts apart.

    >>> import mtarray as xp
    >>> xp.round(xp.asarray([0.5, 1.5, -2.6]))
    Array([ 0.,  2., -3.], shape=(3,), dtype=float64, device='cpu')
    """
    return math.rint(x)


# ---------------------------------------------------------------------- bits and signs


@elementwise(dtypes=REAL_FLOATING, numpy="copysign", limit=CHEAP, derivative=(lambda x1, x2: sign(x1) * copysign(1.0, x2), 0))
def copysign(x1, x2):
    """The magnitude of x1 with the sign of x2 (that of zeros and NaN included).

    >>> import mtarray as xp
    >>> xp.copysign(xp.asarray([1.0, 2.0]), xp.asarray([-0.0, 3.0]))
    Array([-1.,  2.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.copysign(x1, x2)


@elementwise(dtypes=REAL_FLOATING, numpy="nextafter", limit=CHEAP, derivative=(1, 0))
def nextafter(x1, x2):
    """The next representable number after x1 towards x2.

    >>> import mtarray as xp
    >>> xp.nextafter(xp.asarray([0.0]), xp.asarray([1.0]))
    Array([5.e-324], shape=(1,), dtype=float64, device='cpu')
    """
    return math.nextafter(x1, x2)


@elementwise(dtypes=REAL_FLOATING, numpy="signbit", result=boolean, limit=CHEAP)
def signbit(x):
    """Whether the sign bit is set: of negative numbers, -0.0 and negative NaN.

    >>> import mtarray as xp
    >>> xp.signbit(xp.asarray([-0.0, 0.0]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return math.signbit(x)


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="bitwise_and", dunder="__and__", limit=CHEAP)
def bitwise_and(x1, x2):
    """Bits set in both elements.

    >>> import mtarray as xp
    >>> xp.bitwise_and(xp.asarray([12]), xp.asarray([10]))
    Array([8], shape=(1,), dtype=int64, device='cpu')
    """
    return x1 & x2


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="bitwise_or", dunder="__or__", limit=CHEAP)
def bitwise_or(x1, x2):
    """Bits set in either element.

    >>> import mtarray as xp
    >>> xp.bitwise_or(xp.asarray([12]), xp.asarray([10]))
    Array([14], shape=(1,), dtype=int64, device='cpu')
    """
    return x1 | x2


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="bitwise_xor", dunder="__xor__", limit=CHEAP)
def bitwise_xor(x1, x2):
    """Bits set in exactly one of the two elements.

    >>> import mtarray as xp
    >>> xp.bitwise_xor(xp.asarray([12]), xp.asarray([10]))
    Array([6], shape=(1,), dtype=int64, device='cpu')
    """
    return x1 ^ x2


@elementwise(dtypes=INTEGER_OR_BOOL, numpy="invert", dunder="__invert__", limit=CHEAP)
def bitwise_invert(x):
    """Each bit flipped; `not` for booleans.

    >>> import mtarray as xp
    >>> xp.bitwise_invert(xp.asarray([0, 5]))
    Array([-1, -6], shape=(2,), dtype=int64, device='cpu')
    """
    return ~x


@elementwise(dtypes=INTEGER, numpy="left_shift", dunder="__lshift__", limit=CHEAP)
def bitwise_left_shift(x1, x2):
    """x1 shifted left by x2 bits; 0 when x2 reaches the width of the dtype (or is negative).

    >>> import mtarray as xp
    >>> xp.bitwise_left_shift(xp.asarray([1, 3]), 2)
    Array([ 4, 12], shape=(2,), dtype=int64, device='cpu')
    """
    return x1 << x2 if 0 <= x2 < 64 else 0


@elementwise(dtypes=INTEGER, numpy="right_shift", dunder="__rshift__", limit=CHEAP)
def bitwise_right_shift(x1, x2):
    """x1 shifted right by x2 bits, its sign kept; 0 or -1 when x2 reaches the width of the dtype (or is negative).

    >>> import mtarray as xp
    >>> xp.bitwise_right_shift(xp.asarray([16, -16]), 2)
    Array([ 4, -4], shape=(2,), dtype=int64, device='cpu')
    """
    if 0 <= x2 < 64:
        return x1 >> x2
    return ((x1 >> 32) >> 31) >> 1  # all sign: 0 or -1


# ---------------------------------------------------------------------- comparison


def _compare_rule(key: tuple[Any, ...]) -> Any:
    """Integers of both signs compare exactly, in NumPy's own mixed loop at any size, where promotion to float64 would round."""
    strong = [k for k in key if k.__class__ is not type]
    d = common(key)
    if d is float64 and len(strong) == 2 and strong[0] in INTEGER and strong[1] in INTEGER:
        return tuple(strong), (bool_,), True
    return (d, d), (bool_,)


def _ordered_rule(key: tuple[Any, ...]) -> Any:
    if common(key) in COMPLEX:
        raise TypeError("complex numbers have no order; compare their real parts, imaginary parts or magnitudes")
    return _compare_rule(key)


@elementwise(dtypes=ALL, numpy="equal", dunder="__eq__", result=boolean, limit=CHEAP, rule=_compare_rule)
def equal(x1, x2):
    """Whether both elements are equal (NaN equals nothing).

    >>> import mtarray as xp
    >>> xp.equal(xp.asarray([1, 2]), xp.asarray([1, 3]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 == x2


@elementwise(dtypes=ALL, numpy="not_equal", dunder="__ne__", result=boolean, limit=CHEAP, rule=_compare_rule)
def not_equal(x1, x2):
    """Whether both elements differ (NaN differs from everything).

    >>> import mtarray as xp
    >>> xp.not_equal(xp.asarray([1, 2]), xp.asarray([1, 3]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 != x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="less", dunder="__lt__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def less(x1, x2):
    """Whether x1 < x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.less(xp.asarray([1, 2]), 2)
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 < x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="less_equal", dunder="__le__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def less_equal(x1, x2):
    """Whether x1 <= x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.less_equal(xp.asarray([1, 2, 3]), 2)
    Array([ True,  True, False], shape=(3,), dtype=bool, device='cpu')
    """
    return x1 <= x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="greater", dunder="__gt__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def greater(x1, x2):
    """Whether x1 > x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.greater(xp.asarray([1, 3]), 2)
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 > x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="greater_equal", dunder="__ge__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def greater_equal(x1, x2):
    """Whether x1 >= x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.greater_equal(xp.asarray([1, 2, 3]), 2)
    Array([False,  True,  True], shape=(3,), dtype=bool, device='cpu')
    """
    return x1 >= x2


@elementwise(
    dtypes=_REAL_OR_BOOL,
    standard=REAL,
    numpy="maximum",
    limit=CHEAP,
    derivative=(lambda x1, x2: _part(x1, x2), lambda x1, x2: _part(x2, x1)),
)
def maximum(x1, x2):
    """The larger of each pair of elements; NaN if either is NaN.

    >>> import mtarray as xp
    >>> xp.maximum(xp.asarray([1.0, 5.0]), xp.asarray([3.0, 4.0]))
    Array([3., 5.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.maximum(x1, x2)


@elementwise(
    dtypes=_REAL_OR_BOOL,
    standard=REAL,
    numpy="minimum",
    limit=CHEAP,
    derivative=(lambda x1, x2: _part(x2, x1), lambda x1, x2: _part(x1, x2)),
)
def minimum(x1, x2):
    """The smaller of each pair of elements; NaN if either is NaN.

    >>> import mtarray as xp
    >>> xp.minimum(xp.asarray([1.0, 5.0]), xp.asarray([3.0, 4.0]))
    Array([1., 4.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.minimum(x1, x2)


# ---------------------------------------------------------------------- logic


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_and", result=boolean, limit=CHEAP)
def logical_and(x1, x2):
    """Whether both elements are true (non-zero).

    >>> import mtarray as xp
    >>> xp.logical_and(xp.asarray([True, True]), xp.asarray([True, False]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return (x1 != 0) & (x2 != 0)


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_or", result=boolean, limit=CHEAP)
def logical_or(x1, x2):
    """Whether either element is true (non-zero).

    >>> import mtarray as xp
    >>> xp.logical_or(xp.asarray([True, False]), xp.asarray([False, False]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return (x1 != 0) | (x2 != 0)


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_xor", result=boolean, limit=CHEAP)
def logical_xor(x1, x2):
    """Whether exactly one of both elements is true (non-zero).

    >>> import mtarray as xp
    >>> xp.logical_xor(xp.asarray([True, True]), xp.asarray([True, False]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return (x1 != 0) ^ (x2 != 0)


@elementwise(dtypes=ALL, standard=(bool_,), numpy="logical_not", result=boolean, limit=CHEAP)
def logical_not(x):
    """Whether the element is false (zero).

    >>> import mtarray as xp
    >>> xp.logical_not(xp.asarray([True, False]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return x == 0


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="isfinite", result=boolean, limit=CHEAP)
def isfinite(x):
    """Whether the element is neither infinite nor NaN.

    >>> import mtarray as xp
    >>> xp.isfinite(xp.asarray([1.0, xp.inf, xp.nan]))
    Array([ True, False, False], shape=(3,), dtype=bool, device='cpu')
    """
    return math.isfinite(x)


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="isinf", result=boolean, limit=CHEAP)
def isinf(x):
    """Whether the element is infinite.

    >>> import mtarray as xp
    >>> xp.isinf(xp.asarray([1.0, -xp.inf, xp.nan]))
    Array([False,  True, False], shape=(3,), dtype=bool, device='cpu')
    """
    return math.isinf(x)


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="isnan", result=boolean, limit=CHEAP)
def isnan(x):
    """Whether the element is NaN.

    >>> import mtarray as xp
    >>> xp.isnan(xp.asarray([1.0, xp.inf, xp.nan]))
    Array([False, False,  True], shape=(3,), dtype=bool, device='cpu')
    """
    return math.isnan(x)


# ---------------------------------------------------------------------- complex parts


@elementwise(dtypes=NUMERIC, numpy="conjugate", limit=CHEAP, derivative=Vjp(lambda g: conj(g), linear="all"))
def conj(x):
    """Complex conjugate of each element; real elements unchanged.

    >>> import mtarray as xp
    >>> xp.conj(xp.asarray([1 + 2j]))
    Array([1.-2.j], shape=(1,), dtype=complex128, device='cpu')
    """
    return x.conjugate()


def real(x: Any, /) -> Array:
    """Real parts: a view for complex arrays, the array itself otherwise.

    >>> import mtarray as xp
    >>> xp.real(xp.asarray([1 + 2j]))
    Array([1.], shape=(1,), dtype=float64, device='cpu')
    """
    return component(promised(lift(x, "real"), NUMERIC, "real"), 0)


def imag(x: Any, /) -> Array:
    """Imaginary parts: a view for complex arrays, read-only zeros otherwise.

    >>> import mtarray as xp
    >>> xp.imag(xp.asarray([1 + 2j]))
    Array([2.], shape=(1,), dtype=float64, device='cpu')
    """
    return component(promised(lift(x, "imag"), COMPLEX, "imag"), 1)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Array:
    """Each element brought into [min, max]; None leaves a side open. The bounds are numbers or arrays that broadcast with `x`.

    The result has the dtype of `x` where the bounds are of its kind; a bound of a higher kind (a float for integers) promotes.

    >>> import mtarray as xp
    >>> xp.clip(xp.asarray([-1, 5, 20]), 0, 10)
    Array([ 0,  5, 10], shape=(3,), dtype=int64, device='cpu')
    """
    x = lift(x, "clip")
    out = x
    for bound, choose, name in ((min, maximum, "min"), (max, minimum, "max")):
        if bound is None:
            continue
        if bound.__class__ is int and x.dtype in INTEGER:
            info = np.iinfo(x.dtype)  # a bound beyond the dtype does not bind
            bound = info.min if bound < info.min else info.max if bound > info.max else bound
        elif bound.__class__ not in (int, float, bool):
            b = lift(bound, f"clip: {name}")
            kinds = {x.dtype.kind, b.dtype.kind}
            if b.dtype is not x.dtype and (kinds <= {"i", "u"} or kinds == {"f"}):
                bound = _fit(b, x.dtype)
        out = choose(out, bound)
    return positive(x) if out is x and x.dtype is not bool_ else out if out is not x else x.copy()


def _fit(bound: Array, d: DType) -> Array:
    """An array of bounds in the dtype of what it bounds; values beyond it bind as its limits do."""
    if d in INTEGER:
        info = np.iinfo(d)
        low, high = (np.iinfo(bound.dtype).min, np.iinfo(bound.dtype).max)
        bound = clip(bound, info.min if info.min > low else None, info.max if info.max < high else None)
    return bound.astype(d)


__all__ = [name for name, op in _REGISTRY.items() if isinstance(op, Elementwise) and op.section == __name__] + ["clip", "imag", "real"]
