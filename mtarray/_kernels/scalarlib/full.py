"""The namespace of the package with the functions of `RARE` complete: right for every finite argument.

sin, cos and tan reduce by a table and still vectorise: any float64 costs 3.5 ns against 0.8 of the cores, where NumPy's takes 8.
remainder and fmod call the C library behind a branch where the quotient is beyond 2^52, so a loop over them does not vectorise.
Whole arrays are better served by the core and a second pass over its NaNs.
"""

from llvmlite import ir

from . import *  # noqa: F403  (the same names, some replaced below)
from . import RARE, complex_, f32, rounding, trig  # noqa: F401
from .binding import expose
from .integer import INTEGERS
from .integer import fmod as _int_fmod
from .integer import remainder as _int_remainder
from .primitives import INF, Value, fabs, on_device, sel
from .reduction import reduce_any, reduce_any_single


def _libm(name, *args):
    """The C library's float64 function; on a device, NVIDIA's."""
    b, ty = args[0].b, args[0].type
    name = f"__nv_{name}" if on_device(args[0]) else name
    fn = b.module.globals.get(name) or ir.Function(b.module, ir.FunctionType(ty, [ty] * len(args)), name)
    return args[0]._new(b.call(fn, [a.v for a in args]))


def _where_rare(rare, common, slow):
    """`common`, replaced by `slow()` behind a branch that is taken where `rare`."""
    b = common.b
    before = b.block
    body, after = b.append_basic_block("rare"), b.append_basic_block("rare.end")
    b.cbranch(rare.v, body, after)
    b.position_at_end(body)
    value = slow()
    end = b.block
    b.branch(after)
    b.position_at_end(after)
    phi = b.phi(common.type)
    phi.add_incoming(common.v, before)
    phi.add_incoming(value.v, end)
    return Value(b, phi)


def _trig(name):
    """Programs of sin, cos or tan with the reduction that has no range."""
    single, double = getattr(f32, f"{name}_quadrant"), getattr(trig, f"{name}_quadrant")

    def f4(x):
        result = single(*reduce_any_single(x))
        return result if name == "cos" else sel(x == 0.0, x, result)

    def f8(x):
        result = double(*reduce_any(x))
        return result if name == "cos" else sel(fabs(x) < trig.TINY, x, result)

    return {"f4": f4, "f8": f8, "c16": getattr(complex_, name)}  # complex ones are complete in the core


def _far(x, y):
    return (fabs(x) < INF) & (fabs(y) > 0.0) & ~(fabs(x / y) < 2.0**52)


def _remainder(x, y):
    slow = lambda: rounding.remainder_from(_libm("fmod", x, y), y)  # noqa: E731
    return _where_rare(_far(x, y), rounding.remainder(x, y), slow)


def _fmod(x, y):
    return _where_rare(_far(x, y), rounding.fmod(x, y), lambda: _libm("fmod", x, y))


sin = expose("sin", 1, _trig("sin"))
cos = expose("cos", 1, _trig("cos"))
tan = expose("tan", 1, _trig("tan"))
remainder = expose("remainder", 2, {"f8": _remainder} | dict.fromkeys(INTEGERS, _int_remainder))
fmod = expose("fmod", 2, {"f8": _fmod} | dict.fromkeys(INTEGERS, _int_fmod))
