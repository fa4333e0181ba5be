"""The names of the package for plain scalars, uncompiled: what kernels call when they run as Python, to be read and debugged.

Each takes Python or NumPy scalars and returns a NumPy scalar of the type that the compiled function returns. Special values are
the same; finite results may differ in the last bits (NumPy's or the C library's functions stand behind them).
"""

import functools
import math
from fractions import Fraction
from math import e, inf, nan, pi, tau  # noqa: F401  (constants of the namespace)

import numpy as np

from mtarray._kernels import numpy_complex

from . import coefficients as K


def _floating(x):
    """`x` as a NumPy scalar; integers and booleans as float64."""
    x = np.asarray(x)[()]
    return x if x.dtype.kind in "fc" else np.float64(x)


def _operands(args):
    """`args` for a floating-point ufunc: Python numbers stay as they are beside a NumPy scalar, which then gives the type."""
    typed = any(isinstance(x, np.generic) for x in args)
    return [x if typed and isinstance(x, (int, float, complex)) and not isinstance(x, np.generic) else _floating(x) for x in args]


def _quiet(function):
    """`function`, quiet about floating-point conditions."""

    @functools.wraps(function)
    def quiet(*args):
        with np.errstate(all="ignore"):
            return function(*args)

    return quiet


# Parts of functions of a + bi, in float64, where NumPy's are of another accuracy or have other special values.


def _expm1_parts(a, b):
    """Parts of expm1(a + bi); NumPy's real part is 0 relative to 1 only."""
    w = np.exp(np.complex128(complex(a, b)))
    near = np.expm1(a) * np.cos(b) - 2.0 * np.sin(0.5 * b) ** 2
    re = -1.0 if a == -inf else near + 0.0 if a < 40.0 else a if np.isnan(a) else w.real
    return re, b if b == 0 else w.imag


def _exp2_parts(a, b):
    """Parts of 2 to the power a + bi; the angle b log(2) with what it was rounded by."""
    angle = b * math.log(2)
    if not np.isfinite(a) or not np.isfinite(b) or abs(a) > 1000.0:
        w = np.exp(np.complex128(complex(a * math.log(2), angle)))
        return w.real, w.imag
    low = float(Fraction(b) * Fraction(math.log(2)) - Fraction(angle)) + b * K.LN2L
    low = low if abs(low) < 1 else 0.0
    s, c = np.sin(angle), np.cos(angle)
    h = np.exp2(a)
    return h * (c - low * s), b if b == 0 else h * (s + low * c)


def _log1p_parts(a, b):
    """Parts of log(1 + a + bi), right near 0."""
    x = 1.0 + a
    if a == 0 and b == 0:
        return a, b
    near = abs(a) < 0.5 and abs(b) < 0.5
    return 0.5 * np.log1p(a * (2.0 + a) + b * b) if near else np.log(np.hypot(x, b)), np.arctan2(b, x)


def _tanh_parts(a, b):
    """Parts of tanh(a + bi), as `complex_` has them."""
    s, c = np.sin(b), np.cos(b)
    m = np.clip(a, -350.0, 350.0)
    sh, ch = np.sinh(m), np.cosh(m)
    norm = sh * sh + c * c
    if np.isinf(a):
        return np.copysign(1.0, a), np.copysign(0.0, b)
    re = a if a == 0 else np.copysign(1.0, a) if abs(a) > 20.0 and np.isfinite(b) else sh * ch / norm
    return re, b if b == 0 else s * c / norm


def _tan_parts(a, b):
    """Parts of tan(a + bi) = -i tanh(-b + ai)."""
    re, im = _tanh_parts(-b, a)
    return im, -re


def _numpy(name, twin=None, floating=True, parts=None):
    """NumPy's function under our name; complex numbers by `parts` if given."""
    ufunc = getattr(np, twin or name)

    def function(*args):
        if parts is not None and np.asarray(args[0]).dtype.kind == "c":
            z = np.asarray(args[0])[()]
            return z.dtype.type(complex(*parts(np.float64(z.real), np.float64(z.imag))))
        return ufunc(*_operands(args)) if floating else ufunc(*args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As `numpy.{ufunc.__name__}` of scalars."
    function = _quiet(function)
    function.ufunc, function.floating, function.has_parts = ufunc, floating, parts is not None  # what it is of arrays
    return function


exp, exp2, expm1 = _numpy("exp"), _numpy("exp2", parts=_exp2_parts), _numpy("expm1", parts=_expm1_parts)
log, log2, log10, log1p = _numpy("log"), _numpy("log2"), _numpy("log10"), _numpy("log1p", parts=_log1p_parts)
logaddexp, logaddexp2 = _numpy("logaddexp"), _numpy("logaddexp2")
sin, cos, tan = _numpy("sin"), _numpy("cos"), _numpy("tan", parts=_tan_parts)
asin, acos, atan, atan2 = _numpy("asin", "arcsin"), _numpy("acos", "arccos"), _numpy("atan", "arctan"), _numpy("atan2", "arctan2")
sinh, cosh, tanh = _numpy("sinh"), _numpy("cosh"), _numpy("tanh", parts=_tanh_parts)
asinh, acosh, atanh = _numpy("asinh", "arcsinh"), _numpy("acosh", "arccosh"), _numpy("atanh", "arctanh")
sqrt, cbrt, hypot = _numpy("sqrt"), _numpy("cbrt"), _numpy("hypot")
copysign, nextafter, signbit = _numpy("copysign"), _numpy("nextafter"), _numpy("signbit")
isnan, isinf, isfinite = _numpy("isnan"), _numpy("isinf"), _numpy("isfinite")
frexp, modf, heaviside = _numpy("frexp"), _numpy("modf"), _numpy("heaviside")
fabs = _numpy("fabs", "absolute", floating=False)
square = _numpy("square", floating=False)
floor, ceil = _numpy("floor", floating=False), _numpy("ceil", floating=False)
trunc = _numpy("trunc", floating=False)
maximum, minimum = _numpy("maximum", floating=False), _numpy("minimum", floating=False)
fmax, fmin = _numpy("fmax", floating=False), _numpy("fmin", floating=False)
remainder, fmod = _numpy("remainder", floating=False), _numpy("fmod", floating=False)
gcd, lcm, ldexp = _numpy("gcd", floating=False), _numpy("lcm", floating=False), _numpy("ldexp", floating=False)


@_quiet
def rint(x):
    """The nearest integer, halves to even; integers themselves (NumPy's passes through float64)."""
    return x if np.asarray(x).dtype.kind in "iu" else np.rint(x)


@_quiet
def reciprocal(x):
    """1 / x; of complex numbers too, where NumPy's reciprocal has another rule for zeros and infinities."""
    x = _floating(x)
    return divide(x.dtype.type(1), x)


@_quiet
def divide(x, y):
    """x / y."""
    x, y = _operands((x, y))
    kind = np.result_type(x, y)
    return numpy_complex.divide(kind.type(x), kind.type(y))[()] if kind.kind == "c" else np.divide(x, y)


@_quiet
def pow(x, y):
    """x to the power y; through arrays, since NumPy takes a square root for a scalar 0.5, wrong of -0.0 and -inf."""
    if np.result_type(x, y).kind == "c":
        return numpy_complex.power(x, y)[()]
    return np.power(np.array([x, x]), np.array([y, y]))[0]


@_quiet
def power_of(x, y):
    """x ** y. Of integers with a negative exponent the whole part of the quotient; a square is a product."""
    if type(y) is int and y == 2:
        return x * x
    kind = np.result_type(x, y)
    if kind.kind in "fc":
        return pow(kind.type(x), kind.type(y))
    if y >= 0:
        return np.power(x, y)
    return kind.type(x if x == 1 or (x == -1 and y % 2) else 1 if x == -1 else 0)


@_quiet
def sign(x):
    """-1, 0 or 1, z / |z| if complex; +0 of every zero."""
    kind = np.asarray(x).dtype.kind
    if kind != "c" or x == 0:
        return np.sign(x)
    if np.isnan(x.real) or np.isnan(x.imag):
        return type(x)(complex(nan, nan))
    a, b = np.float64(x.real), np.float64(x.imag)
    size = max(abs(a), abs(b))
    a, b = (a, b) if np.isinf(size) else (a / size, b / size)
    r = np.hypot(a, b)
    return np.asarray(x).dtype.type(complex(a / r, b / r))


@_quiet
def floor_divide(x, y):
    """Floor of the quotient; infinite operands as the floor of their IEEE quotient."""
    if np.result_type(x, y).kind == "f" and not (math.isfinite(x) and math.isfinite(y)):
        return np.floor(np.true_divide(x, y))
    return np.floor_divide(x, y)


def _from_math(function, x):
    x = _floating(x)
    return x.dtype.type(function(float(x)))


@_quiet
def erf(x):
    """Error function."""
    return _from_math(math.erf, x)


@_quiet
def erfc(x):
    """Complement of the error function."""
    return _from_math(math.erfc, x)


@_quiet
def expit(x):
    """1 / (1 + exp(-x))."""
    x = _floating(x)
    w = np.float64(x)
    value = np.exp(w) / (1.0 + np.exp(w)) if w < 0 else 1.0 / (1.0 + np.exp(-w))
    return x.dtype.type(value)


@_quiet
def fma(a, b, c):
    """a * b + c with one rounding."""
    a, b, c = _operands((a, b, c))
    kind = np.result_type(a, b, c)
    if not all(map(math.isfinite, (a, b, c))):
        return kind.type(a * b + c)
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return kind.type(a * b + c)
    try:
        rounded = exact.numerator / exact.denominator
    except OverflowError:
        rounded = math.copysign(math.inf, exact)
    return kind.type(rounded)
