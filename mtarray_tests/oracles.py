"""What elementwise functions must give, from sources that share nothing with the library: the standard's text, mpmath, `cmath`.

Where NumPy's function departs from the standard an op carries a `corrected` one, which cannot be its own oracle; `ORACLES` has one for
each. `SPECIAL` is the standard's table of special complex values.
"""

import cmath
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np

from .accuracy import REFERENCE, complex_error, real_error

INF, NAN, PI = math.inf, math.nan, math.pi

# The parts of which special complex operands are made, each with each.
PARTS = (0.0, -0.0, INF, -INF, NAN, 1.0, -1.0)


def special_complex(dtype: Any) -> np.ndarray:
    """Every product of special parts: 49 numbers."""
    out = np.empty(len(PARTS) ** 2, dtype)
    out.real, out.imag = np.array(list(itertools.product(PARTS, PARTS))).T
    return out


# ---------------------------------------------------------------------- special complex values

# Each line: real part, imaginary part (with a positive sign) -> parts of the result. The first line that fits holds. "?" after a number:
# its sign is not specified; "fin": finite; "nonzero", "pos": finite ones of the kind; "any": NaN too. For other arguments the symmetries
# below extend the table.
SPECIAL = {
    "sqrt": "±0 +0 -> +0 +0; any inf -> inf inf; fin nan -> nan nan; -inf pos -> +0 inf; inf pos -> inf +0; -inf nan -> nan inf?;"
    "inf nan -> inf nan; nan any -> nan nan",
    "exp": "±0 +0 -> 1 +0; fin inf -> nan nan; fin nan -> nan nan; inf +0 -> inf +0; -inf fin -> 0*cis; inf nonzero -> inf*cis;"
    "-inf inf -> 0? 0?; inf inf -> inf? nan; -inf nan -> 0? 0?; inf nan -> inf? nan; nan +0 -> nan +0; nan any -> nan nan",
    "expm1": "±0 +0 -> +0 +0; fin inf -> nan nan; fin nan -> nan nan; inf +0 -> inf +0; -inf fin -> -1 0?; inf nonzero -> inf*cis;"
    "-inf inf -> -1 0?; inf inf -> inf? nan; -inf nan -> -1 0?; inf nan -> inf? nan; nan +0 -> nan +0; nan any -> nan nan",
    "log": "-0 +0 -> -inf pi; +0 +0 -> -inf +0; fin inf -> inf pi/2; fin nan -> nan nan; -inf pos -> inf pi; inf pos -> inf +0;"
    "-inf inf -> inf 3pi/4; inf inf -> inf pi/4; ±inf nan -> inf nan; nan fin -> nan nan; nan inf -> inf nan; nan nan -> nan nan",
    "log1p": "-1 +0 -> -inf +0; fin inf -> inf pi/2; fin nan -> nan nan; -inf pos -> inf pi; inf pos -> inf +0;"
    "-inf inf -> inf 3pi/4; inf inf -> inf pi/4; ±inf nan -> inf nan; nan fin -> nan nan; nan inf -> inf nan; nan nan -> nan nan",
    "sinh": "+0 +0 -> +0 +0; +0 inf -> 0? nan; +0 nan -> 0? nan; pos inf -> nan nan; pos nan -> nan nan; inf +0 -> inf +0;"
    "inf pos -> inf*cis; inf inf -> inf? nan; inf nan -> inf? nan; nan +0 -> nan +0; nan nonzero -> nan nan; nan nan -> nan nan",
    "cosh": "+0 +0 -> 1 +0; +0 inf -> nan 0?; +0 nan -> nan 0?; nonzero inf -> nan nan; nonzero nan -> nan nan; inf +0 -> inf +0;"
    "inf nonzero -> inf*cis; inf inf -> inf? nan; inf nan -> inf nan; nan ±0 -> nan 0?; nan nonzero -> nan nan; nan nan -> nan nan",
    "tanh": "+0 +0 -> +0 +0; nonzero inf -> nan nan; +0 inf -> +0 nan; nonzero nan -> nan nan; +0 nan -> +0 nan; inf pos -> 1 +0;"
    "inf inf -> 1 0?; inf nan -> 1 0?; nan +0 -> nan +0; nan nonzero -> nan nan; nan nan -> nan nan",
    "acos": "±0 +0 -> pi/2 -0; ±0 nan -> pi/2 nan; fin inf -> pi/2 -inf; nonzero nan -> nan nan; -inf pos -> pi -inf; inf pos -> +0 -inf;"
    "-inf inf -> 3pi/4 -inf; inf inf -> pi/4 -inf; ±inf nan -> nan inf?; nan fin -> nan nan; nan inf -> nan -inf; nan nan -> nan nan",
    "acosh": "±0 +0 -> +0 pi/2; fin inf -> inf pi/2; nonzero nan -> nan nan; +0 nan -> nan pi/2?; -inf pos -> inf pi; inf pos -> inf +0;"
    "-inf inf -> inf 3pi/4; inf inf -> inf pi/4; ±inf nan -> inf nan; nan fin -> nan nan; nan inf -> inf nan; nan nan -> nan nan",
    "asinh": "+0 +0 -> +0 +0; pos inf -> inf pi/2; fin nan -> nan nan; inf pos -> inf +0; inf inf -> inf pi/4; nan +0 -> nan +0;"
    "nan nonzero -> nan nan; nan inf -> inf? nan; nan nan -> nan nan",
    "atanh": "+0 +0 -> +0 +0; +0 nan -> +0 nan; 1 +0 -> inf +0; pos inf -> +0 pi/2; nonzero nan -> nan nan; inf pos -> +0 pi/2;"
    "inf inf -> +0 pi/2; inf nan -> +0 nan; nan fin -> nan nan; nan inf -> 0? pi/2; nan nan -> nan nan",
}
ODD = frozenset("sinh tanh asinh atanh".split())
EVEN = frozenset(["cosh"])
# By the standard's words f(z) = -1j * g(1j * z), and cos(z) = cosh(1j * z).
TURNED = {"sin": "sinh", "tan": "tanh", "asin": "asinh", "atan": "atanh", "cos": "cosh"}

_KINDS: dict[str, Callable[[float], bool]] = {
    "any": lambda v: True,
    "fin": math.isfinite,
    "nonzero": lambda v: math.isfinite(v) and v != 0,
    "pos": lambda v: 0 < v < INF,
    "±0": lambda v: v == 0,
    "+0": lambda v: v == 0 and math.copysign(1, v) > 0,
    "-0": lambda v: v == 0 and math.copysign(1, v) < 0,
    "±inf": math.isinf,
    "nan": math.isnan,
}
_NUMBERS = {"pi": PI, "pi/2": PI / 2, "pi/4": PI / 4, "3pi/4": 3 * PI / 4}

Part = tuple[float, bool]  # a value, and whether its sign is specified


def _fits(token: str, v: float) -> bool:
    return _KINDS[token](v) if token in _KINDS else v == float(token)


def _part(token: str) -> Part:
    bare = token.removesuffix("?")
    return _NUMBERS[bare] if bare in _NUMBERS else float(bare), bare is token


def special_cases() -> list[str]:
    """The functions whose special complex values the standard fixes."""
    return [*SPECIAL, *TURNED]


def special_value(name: str, z: complex) -> tuple[Part, Part] | None:
    """The parts of f(z) by the standard, or None where it leaves them open or they are ordinary values."""
    if name in TURNED:
        found = special_value(TURNED[name], complex(-z.imag, z.real))
        if found is None:
            return None
        (re, re_known), (im, im_known) = found
        return found if name == "cos" else ((im, im_known), (-re, re_known))
    a, b = z.real, z.imag
    if math.copysign(1, a) < 0 and name in ODD | EVEN:
        found = special_value(name, complex(-a, -b))
        return found if found is None or name in EVEN else tuple((-v, known) for v, known in found)  # type: ignore[return-value]
    if math.copysign(1, b) < 0:
        found = special_value(name, complex(a, -b))
        return None if found is None else (found[0], (-found[1][0], found[1][1]))
    for line in SPECIAL[name].split(";"):
        argument, result = (side.split() for side in line.split("->"))
        if _fits(argument[0], a) and _fits(argument[1], b):
            if len(result) == 2:
                return _part(result[0]), _part(result[1])
            size = float(result[0].partition("*")[0])
            return (math.copysign(size, math.cos(b)), True), (math.copysign(size, math.sin(b)), True)
    return None


def has_part(got: float, want: Part) -> bool:
    """Whether a part is the specified one: NaN for NaN, the sign where it is fixed (of zeros too), the value to single precision."""
    v, signed = want
    if math.isnan(v) or math.isnan(got):
        return math.isnan(v) and math.isnan(got)
    near = abs(got) == abs(v) or abs(abs(got) - abs(v)) <= 3e-7 * abs(v) < INF
    return near and (not signed or math.copysign(1, got) == math.copysign(1, v))


# ---------------------------------------------------------------------- values of corrected functions


def floor_divide(x: float, y: float) -> Any:
    """floor(x / y) in exact arithmetic; infinite operands by the standard's table."""
    if math.isnan(x) or math.isnan(y) or (math.isinf(x) and math.isinf(y)) or (x == 0 == y):
        return NAN
    sign = math.copysign(1, x) * math.copysign(1, y)
    if math.isinf(x) or y == 0:
        return sign * INF
    if math.isinf(y):
        return math.copysign(0.0, sign)
    quotient = math.floor(Fraction(x) / Fraction(y))
    return mp.mpf(quotient) if quotient else math.copysign(0.0, sign)


def power(x: float, y: float) -> Any:
    """The standard's table for real operands; finite ones by mpmath."""
    if y == 0 or (x == 1 and not math.isnan(y)):
        return 1.0
    if math.isnan(x) or math.isnan(y):
        return 1.0 if x == 1 else NAN  # the standard leaves 1 to the power NaN open; IEEE 754 does not
    if math.isinf(y):
        return 1.0 if abs(x) == 1 else INF if (abs(x) > 1) == (y > 0) else 0.0
    odd = y == math.floor(y) and math.fmod(y, 2) != 0
    sign = -1.0 if odd and math.copysign(1, x) < 0 else 1.0
    if math.isinf(x) or x == 0:
        return sign * (INF if math.isinf(x) == (y > 0) else 0.0)
    if x < 0 and y != math.floor(y):
        return NAN
    if abs(y) * abs(math.log2(abs(x))) > 1e5:
        return sign * (INF if (abs(x) > 1) == (y > 0) else 0.0)
    return sign * mp.power(abs(mp.mpf(x)), mp.mpf(y))


def complex_power(x: complex, y: complex) -> Any:
    """Finite numbers by mpmath; None where the standard leaves the value open."""
    if not (cmath.isfinite(x) and cmath.isfinite(y)):
        return None
    if y == 0:
        return complex(1)
    if x == 0:
        return complex(0) if y.real > 0 else None
    if math.copysign(1, x.imag) < 0:  # mpmath has no -0: the other side of the cut of the logarithm is the mirrored one
        value = complex_power(x.conjugate(), y.conjugate())
        return None if value is None else mp.conj(value)
    return mp.power(mp.mpc(x), mp.mpc(y)) if abs(y) * abs(cmath.log(x)) < 1e4 else None


def sign(z: complex) -> Any:
    """z / abs(z) by mpmath; 0 for 0, NaN for a part that is NaN; the quotient of infinities is NaN."""
    if z == 0:
        return complex(0)
    if cmath.isnan(z) or cmath.isinf(z):
        return complex(NAN, NAN) if cmath.isnan(z) else None
    w = mp.mpc(z)
    return w / abs(w)


def quotient(x: complex, y: complex) -> Any:
    """Exact for finite operands and a divisor other than 0; NaN for numbers of nothing but NaN; the rest is open."""
    if all(math.isnan(v) for v in (x.real, x.imag, y.real, y.imag)):
        return complex(NAN, NAN)
    if not (cmath.isfinite(x) and cmath.isfinite(y)) or y == 0:
        return None
    return mp.mpc(x) / mp.mpc(y)


def _by_mpmath(name: str) -> Callable[[complex], Any]:
    def value(z: complex) -> Any:
        return REFERENCE[name](mp.mpc(z)) if cmath.isfinite(z) and abs(z) < 700 else None

    return value


# (name, dtype kind) -> function of Python numbers: a float or complex, an mpmath number, or None where the value is open (or in SPECIAL).
ORACLES: dict[tuple[str, str], Callable[..., Any]] = {
    ("floor_divide", "f"): floor_divide,
    ("pow", "f"): power,
    ("pow", "c"): complex_power,
    ("sign", "c"): sign,
    ("divide", "c"): quotient,
    ("reciprocal", "c"): lambda z: quotient(1, z),
    ("multiply", "c"): lambda x, y: mp.mpc(x) * mp.mpc(y) if cmath.isfinite(x) and cmath.isfinite(y) else None,
    ("square", "c"): lambda z: mp.mpc(z) ** 2 if cmath.isfinite(z) else None,
    ("round", "i"): lambda n: n,
    ("round", "u"): lambda n: n,
} | {(name, "c"): _by_mpmath(name) for name in ("exp", "exp2", "expm1", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh")}


def error(name: str, operands: tuple[Any, ...], got: Any) -> float | None:
    """Distance in ULP of a result from its oracle's value, infinite for a wrong special one or a wrong sign of zero; None: left open."""
    with mp.workprec(2400):
        want = ORACLES[name, got.dtype.kind](*[v.item() for v in operands])
        if want is None:
            return None
        if got.dtype.kind in "iu":
            return float(abs(int(got) - int(want)))
        part = "f4" if got.dtype in (np.float32, np.complex64) else "f8"
        if got.dtype.kind == "f":
            if want == 0 == got and not isinstance(want, mp.mpf):
                return 0.0 if math.copysign(1, got) == math.copysign(1, want) else INF
            return real_error(got.item(), mp.mpf(want), part)
        if isinstance(want, complex) and cmath.isnan(want):
            return 0.0 if math.isnan(got.real) and math.isnan(got.imag) else INF
        return complex_error(got.item(), mp.mpc(want), part)
