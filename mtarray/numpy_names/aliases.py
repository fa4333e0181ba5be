"""NumPy's other spellings of functions of the standard: the same objects."""

from __future__ import annotations

from ..elementwise import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_right_shift,
    conj,
    divide,
    pow,
    remainder,
)
from ..statistical import max, min
from .elementwise import deg2rad, rad2deg

absolute = abs
arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh = acos, acosh, asin, asinh, atan, atan2, atanh
bitwise_not = invert = bitwise_invert
left_shift, right_shift = bitwise_left_shift, bitwise_right_shift
conjugate = conj
true_divide = divide
power = pow
mod = remainder
amax, amin = max, min
radians, degrees = deg2rad, rad2deg

__all__ = [
    "absolute", "amax", "amin", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "bitwise_not", "conjugate",
    "degrees", "invert", "left_shift", "mod", "power", "radians", "right_shift", "true_divide",
]  # fmt: skip
