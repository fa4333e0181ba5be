"""The `math` of kernels: scalar functions that any Numba loop can call and that vectorise in it.

`from mtarray._kernels import scalarlib as math` inside generated code; `math.sin(x)` takes float32, float64, complex64,
complex128, and integers and booleans (which compute in float64, or stay integers where that has a meaning). Special values
follow the array API standard, which for real functions is C's Annex F; no function has a branch in its common path.

`RARE` names the functions whose fast core holds in a range only (NaN outside); module `full` has them complete, and all
others unchanged. Module `reference` has the same names for plain Python scalars.
"""

from math import e, inf, nan, pi, tau

from . import complex_, exp_log, f32, hyperbolic, integer, power, primitives, rounding, special, trig
from .binding import expose, expose_ldexp

__all__ = ["e", "inf", "nan", "pi", "tau"]


def _floats(program):
    return {"f4": program, "f8": program}


def _pair(single, double):
    return {"f4": single, "f8": double}


def _f8(program):
    return {"f8": program}


def _complex(program):
    return {"c16": program}


def _ints(program, kinds=integer.INTEGERS):
    return dict.fromkeys(kinds, program)


exp = expose("exp", 1, _pair(f32.exp, exp_log.exp) | _complex(complex_.exp))
exp2 = expose("exp2", 1, _pair(f32.exp2, exp_log.exp2) | _complex(complex_.exp2))
expm1 = expose("expm1", 1, _pair(f32.expm1, exp_log.expm1) | _complex(complex_.expm1))
log = expose("log", 1, _pair(f32.log, exp_log.log) | _complex(complex_.log))
log2 = expose("log2", 1, _pair(f32.log2, exp_log.log2) | _complex(complex_.log2))
log10 = expose("log10", 1, _pair(f32.log10, exp_log.log10) | _complex(complex_.log10))
log1p = expose("log1p", 1, _pair(f32.log1p, exp_log.log1p) | _complex(complex_.log1p))
logaddexp = expose("logaddexp", 2, _pair(f32.logaddexp, exp_log.logaddexp))
logaddexp2 = expose("logaddexp2", 2, _pair(f32.logaddexp2, exp_log.logaddexp2))
expit = expose("expit", 1, _pair(f32.expit, exp_log.expit))

sin = expose("sin", 1, _pair(f32.sin, trig.sin) | _complex(complex_.sin))
cos = expose("cos", 1, _pair(f32.cos, trig.cos) | _complex(complex_.cos))
tan = expose("tan", 1, _pair(f32.tan, trig.tan) | _complex(complex_.tan))
asin = expose("asin", 1, _pair(f32.asin, trig.asin) | _complex(complex_.asin))
acos = expose("acos", 1, _pair(f32.acos, trig.acos) | _complex(complex_.acos))
atan = expose("atan", 1, _pair(f32.atan, trig.atan) | _complex(complex_.atan))
atan2 = expose("atan2", 2, _pair(f32.atan2, trig.atan2))

sinh = expose("sinh", 1, _pair(f32.sinh, hyperbolic.sinh) | _complex(complex_.sinh))
cosh = expose("cosh", 1, _pair(f32.cosh, hyperbolic.cosh) | _complex(complex_.cosh))
tanh = expose("tanh", 1, _pair(f32.tanh, hyperbolic.tanh) | _complex(complex_.tanh))
asinh = expose("asinh", 1, _pair(f32.asinh, hyperbolic.asinh) | _complex(complex_.asinh))
acosh = expose("acosh", 1, _pair(f32.acosh, hyperbolic.acosh) | _complex(complex_.acosh))
atanh = expose("atanh", 1, _pair(f32.atanh, hyperbolic.atanh) | _complex(complex_.atanh))

pow = expose("pow", 2, _pair(f32.pow, power.pow) | _ints(integer.pow) | _complex(complex_.pow))
hypot = expose("hypot", 2, _pair(f32.hypot, power.hypot))
sqrt = expose("sqrt", 1, _floats(primitives.sqrt) | _complex(complex_.sqrt_))
cbrt = expose("cbrt", 1, _floats(power.cbrt))

erf = expose("erf", 1, _pair(f32.erf, special.erf))
erfc = expose("erfc", 1, _pair(f32.erfc, special.erfc))

fma = expose("fma", 3, _floats(primitives.fma))
fabs = expose("fabs", 1, _floats(primitives.fabs) | _ints(integer.fabs) | _complex(complex_.magnitude), "real")
sign = expose("sign", 1, _floats(rounding.sign) | _ints(integer.sign) | _complex(complex_.sign))
copysign = expose("copysign", 2, _floats(primitives.copysign))
nextafter = expose("nextafter", 2, _floats(rounding.nextafter))
floor = expose("floor", 1, _floats(primitives.floor) | _ints(integer.same))
ceil = expose("ceil", 1, _floats(primitives.ceil) | _ints(integer.same))
trunc = expose("trunc", 1, _floats(primitives.trunc) | _ints(integer.same))
rint = expose("rint", 1, _floats(primitives.rint) | _ints(integer.same) | _complex(complex_.round_even))
frexp = expose("frexp", 1, _floats(rounding.frexp), (None, "i4"))
modf = expose("modf", 1, _floats(rounding.modf), (None, None))
maximum = expose("maximum", 2, _floats(rounding.maximum) | _ints(integer.maximum))
minimum = expose("minimum", 2, _floats(rounding.minimum) | _ints(integer.minimum))
fmax = expose("fmax", 2, _floats(rounding.fmax) | _ints(integer.maximum))
fmin = expose("fmin", 2, _floats(rounding.fmin) | _ints(integer.minimum))
isnan = expose("isnan", 1, _floats(rounding.isnan) | _complex(complex_.isnan), "b1")
isinf = expose("isinf", 1, _floats(rounding.isinf) | _complex(complex_.isinf), "b1")
isfinite = expose("isfinite", 1, _floats(rounding.isfinite) | _complex(complex_.isfinite), "b1")
signbit = expose("signbit", 1, _floats(rounding.signbit), "b1")

ldexp = expose_ldexp(rounding.ldexp)
square = expose("square", 1, _floats(rounding.square) | _ints(integer.square) | _complex(complex_.square))
reciprocal = expose("reciprocal", 1, _floats(rounding.reciprocal) | _complex(complex_.reciprocal))
divide = expose("divide", 2, _floats(rounding.divide) | _complex(complex_.divide))
heaviside = expose("heaviside", 2, _floats(rounding.heaviside))

floor_divide = expose("floor_divide", 2, _floats(rounding.floor_divide) | _ints(integer.floor_divide))
remainder = expose("remainder", 2, _f8(rounding.remainder) | _ints(integer.remainder))
fmod = expose("fmod", 2, _f8(rounding.fmod) | _ints(integer.fmod))
gcd = expose("gcd", 2, _ints(integer.gcd))
lcm = expose("lcm", 2, _ints(integer.lcm))

RARE = frozenset({"sin", "cos", "tan", "remainder", "fmod"})

__all__ += [name for name, value in list(globals().items()) if type(value) is type(exp)]
