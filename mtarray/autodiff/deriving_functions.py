"""Partial derivatives of the mathematical functions that scalar functions call, as source.

In a partial derivative `a`, `b`, `c` are the operands and `y` is the result. 1, -1 and 0 are simplified away.
"""

from __future__ import annotations

import math

_TWO_RSQRT_PI = repr(2 / math.sqrt(math.pi))
_LARGER = "(1.0 if a > b else 0.0 if b > a else 0.5)"
_SMALLER = "(1.0 if a < b else 0.0 if b < a else 0.5)"
# The larger one; where one operand is NaN the other.
_WINS = "(1.0 if a > b or b != b else 0.5 if a == b else 0.0)"
_LOSES = "(1.0 if b > a or a != a else 0.5 if a == b else 0.0)"
_LESS = "(1.0 if a < b or b != b else 0.5 if a == b else 0.0)"
_MORE = "(1.0 if b < a or a != a else 0.5 if a == b else 0.0)"

# name: the partial derivative by each operand.
PARTIALS: dict[str, tuple[str, ...]] = {
    "acos": ("-1.0 / math.sqrt((1.0 - a) * (1.0 + a))",),
    "acosh": ("1.0 / (math.sqrt(a - 1.0) * math.sqrt(a + 1.0))",),
    "asin": ("1.0 / math.sqrt((1.0 - a) * (1.0 + a))",),
    "asinh": ("1.0 / math.sqrt(1.0 + a * a)",),
    "atan": ("1.0 / (1.0 + a * a)",),
    "atan2": ("b / (a * a + b * b)", "-a / (a * a + b * b)"),
    "atanh": ("1.0 / ((1.0 - a) * (1.0 + a))",),
    "cbrt": ("1.0 / (3.0 * y * y)",),
    "copysign": ("math.sign(a) * math.copysign(1.0, b)", "0"),
    "cos": ("-math.sin(a)",),
    "cosh": ("math.sinh(a)",),
    "degrees": (repr(180 / math.pi),),
    "divide": ("1.0 / b", "-y / b"),
    "erf": (f"{_TWO_RSQRT_PI} * math.exp(-(a * a))",),
    "erfc": (f"-{_TWO_RSQRT_PI} * math.exp(-(a * a))",),
    "exp": ("y",),
    "exp2": (f"{math.log(2)!r} * y",),
    "expit": ("y * (1.0 - y)",),
    "expm1": ("y + 1.0",),
    "fabs": ("math.sign(a)",),
    "fma": ("b", "a", "1"),
    "fmax": (_WINS, _LOSES),
    "fmin": (_LESS, _MORE),
    "fmod": ("1", "-math.trunc(a / b)"),
    "gamma": ("y * digamma(a)",),
    "hypot": ("(a / y if y != 0.0 else 0.0)", "(b / y if y != 0.0 else 0.0)"),
    "ldexp": ("math.ldexp(1.0, b)", "0"),
    "lgamma": ("digamma(a)",),
    "log": ("1.0 / a",),
    "log10": (f"{math.log10(math.e)!r} / a",),
    "log1p": ("1.0 / (1.0 + a)",),
    "log2": (f"{math.log2(math.e)!r} / a",),
    "logaddexp": ("math.exp(a - y)", "math.exp(b - y)"),
    "logaddexp2": ("math.exp2(a - y)", "math.exp2(b - y)"),
    "maximum": (_LARGER, "(1.0 if b > a else 0.0 if a > b else 0.5)"),
    "minimum": (_SMALLER, "(1.0 if b < a else 0.0 if a < b else 0.5)"),
    "nextafter": ("1", "0"),
    "radians": (repr(math.pi / 180),),
    "reciprocal": ("-(y * y)",),
    "remainder": ("1", "-(a // b)"),
    "sin": ("math.cos(a)",),
    "sinh": ("math.cosh(a)",),
    "sqrt": ("0.5 / y",),
    "square": ("2.0 * a",),
    "tan": ("1.0 + y * y",),
    "tanh": ("1.0 - y * y",),
}

# Those of several results: for each result the partial derivative by the only operand; None: the result is an integer.
# `y0`, `y1` are the results.
SEVERAL: dict[str, tuple[str | None, ...]] = {
    "frexp": ("math.ldexp(1.0, -y1)", None),
    "modf": ("1", "0"),
}

# Constant wherever they have a derivative at all.
FLAT = frozenset("ceil floor trunc rint sign signbit isnan isinf isfinite isclose floor_divide heaviside gcd lcm isqrt".split())
FLAT_BUILTINS = frozenset({"bool", "int", "range", "round"})

# Not functions with a complex derivative.
NOT_ANALYTIC = frozenset({"abs", "fabs", "sign", "copysign", "hypot"})

# In folds the first operand counts as the extreme at a tie: of three equal elements, halves would not sum to 1.
FIRST_AT_TIES: dict[str, tuple[str, ...]] = {
    "maximum": ("(1.0 if a >= b else 0.0)", "(0.0 if a >= b else 1.0)"),
    "minimum": ("(1.0 if a <= b else 0.0)", "(0.0 if a <= b else 1.0)"),
    "fmax": ("(1.0 if a >= b or b != b else 0.0)", "(0.0 if a >= b or b != b else 1.0)"),
    "fmin": ("(1.0 if a <= b or b != b else 0.0)", "(0.0 if a <= b or b != b else 1.0)"),
}
