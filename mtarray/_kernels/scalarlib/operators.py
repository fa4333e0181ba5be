"""The operators of Python where compiled code must do something else than Numba: raise nothing, and take the operand's own type.

Generated code calls `divide`, `power_of`, `floor_quotient` and `modulo` for `/`, `**`, `//` and `%`.
"""

from numba import types
from numba.extending import overload

from . import complex_, f32, integer, power, rounding
from .binding import TYPE, Complex, choose, expose, named_intrinsic, promote, read, write
from .primitives import sel

divide = expose("divide", 2, dict.fromkeys(("f4", "f8"), rounding.divide) | {"c16": complex_.divide})
_floor_divide = expose("floor_divide", 2, dict.fromkeys(integer.INTEGERS, integer.floor_divide))
_remainder = expose("remainder", 2, dict.fromkeys(integer.INTEGERS, integer.remainder))

_LONGEST = 8  # exponents up to this one multiply: within 3.5 units, for a tenth of a power's time
_POWERS = {"f4": f32.pow, "f8": power.pow, "c16": complex_.pow} | dict.fromkeys(integer.INTEGERS, integer.power_of)


def _times(a, b):
    if isinstance(a, Complex):
        return Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
    return a * b


def _with_exponent(kind, n):
    """The program of the power `n` of this kind where that is a few products, else None."""
    if n < 0 and kind[0] == "u":  # the type has no such exponent
        return lambda x: sel(x == 1, x, x.const(0))
    if not (n == 2 or (kind[0] == "f" and 1 <= n <= _LONGEST) or (kind[0] in "iu" and 1 <= n < 64)):
        return None

    def program(x):
        result, k = None, n
        while True:
            if k & 1:
                result = x if result is None else _times(result, x)
            k >>= 1
            if not k:
                return result
            x = _times(x, x)

    return program


def _power_typing(x, n):
    x = types.int8 if types.unliteral(x) is types.boolean else x
    base, kind = promote((x,)), promote((x, n))
    if base is None or kind is None:
        return None
    if base[0] in "fc" and isinstance(types.unliteral(n), (types.Integer, types.Boolean)):
        kind = base  # a count does not widen what it is the power of
    ty = TYPE[kind]
    few = _with_exponent(kind, n.literal_value) if isinstance(n, types.IntegerLiteral) else None
    if few is not None:

        def codegen(ctx, b, sig, values):
            return write(ctx, b, ty, few(read(ctx, b, ty, values[0], kind)))

        return ty(ty, n), codegen  # the literal stays in the signature: Numba tells generated codes apart by it

    compute, kind = choose(kind, _POWERS)
    program, result = _POWERS[compute], TYPE[kind]

    def codegen(ctx, b, sig, values):
        return write(ctx, b, result, program(*(read(ctx, b, result, v, compute) for v in values)))

    return result(result, result), codegen


power_of = named_intrinsic("power_of", 2, _power_typing, literal=True)


def floor_quotient(x1, x2):
    """x1 // x2; integers divided by 0 give 0, the lowest one by -1 itself."""
    raise NotImplementedError("compiled code only")


def modulo(x1, x2):
    """x1 % x2, with the sign of x2; integers modulo 0 give 0."""
    raise NotImplementedError("compiled code only")


def _are_integers(x1, x2):
    given = [types.unliteral(x) for x in (x1, x2)]
    return all(isinstance(x, (types.Integer, types.Boolean)) for x in given) and types.boolean not in given


_options = {"forceinline": True, "error_model": "numpy"}


@overload(floor_quotient, jit_options=_options)
def _floor_quotient(x1, x2):
    if _are_integers(x1, x2):
        return lambda x1, x2: _floor_divide(x1, x2)
    return lambda x1, x2: x1 // x2


@overload(modulo, jit_options=_options)
def _modulo(x1, x2):
    if _are_integers(x1, x2):
        return lambda x1, x2: _remainder(x1, x2)
    return lambda x1, x2: x1 % x2
