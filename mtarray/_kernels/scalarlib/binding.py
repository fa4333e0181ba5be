"""How Numba sees the programs of this package: one intrinsic per name, chosen by the types of its arguments."""

import numpy as np
from numba import types
from numba.extending import intrinsic

from .primitives import Value, to_f4, to_f8

KIND = {
    types.boolean: "b1", types.int8: "i1", types.int16: "i2", types.int32: "i4", types.int64: "i8",
    types.uint8: "u1", types.uint16: "u2", types.uint32: "u4", types.uint64: "u8",
    types.float32: "f4", types.float64: "f8", types.complex64: "c8", types.complex128: "c16",
}  # fmt: skip
TYPE = {kind: ty for ty, kind in KIND.items()}


class Complex:
    """A complex number as two `Value`s."""

    __slots__ = ("im", "re")

    def __init__(self, re, im):
        self.re = re
        self.im = im


def promote(args):
    """Kind that NumPy computes arguments of these Numba types in; an integer literal takes the type beside it."""
    strong = [a for a in args if not isinstance(a, types.IntegerLiteral)]
    kinds = [KIND.get(types.unliteral(a)) for a in (strong or args)]
    if None in kinds:
        return None
    return np.result_type(*("?" if k == "b1" else k for k in kinds)).str[1:]


def choose(kind, programs):
    """(kind to compute in, kind of the result) for arguments of `kind`, or None."""
    if kind in programs:
        return kind, kind
    wider = {"f4": "f8", "c8": "c16"}.get(kind)
    if wider in programs:
        return wider, kind
    if kind is not None and kind[0] in "biu" and "f8" in programs:
        return "f8", "f8"
    return None


def read(ctx, b, ty, v, compute):
    """Numba's value as a Value or Complex in the kind to compute in."""
    if isinstance(ty, types.Complex):
        parts = [Value(b, b.extract_value(v, i)) for i in (0, 1)]
        return Complex(*(to_f8(p) for p in parts)) if compute == "c16" else Complex(*parts)
    x = Value(b, v, unsigned=isinstance(ty, types.Integer) and not ty.signed)
    return to_f8(x) if compute == "f8" and ty is types.float32 else x


def write(ctx, b, ty, r):
    """A Value, Complex or tuple of them as Numba's value of type `ty`."""
    if isinstance(ty, types.BaseTuple):
        return ctx.make_tuple(b, ty, [write(ctx, b, t, v) for t, v in zip(ty, r, strict=True)])
    if isinstance(ty, types.Complex):
        z = ctx.make_complex(b, ty)
        z.real, z.imag = ((to_f4(p) if ty is types.complex64 else p).v for p in (r.re, r.im))
        return z._getvalue()
    if ty is types.float32:
        r = to_f4(r)
    return r.v


def _result_type(result, kind):
    if result is None:
        return TYPE[kind]
    if result == "real":
        return TYPE[{"c8": "f4", "c16": "f8"}.get(kind, kind)]
    if isinstance(result, tuple):
        return types.Tuple([_result_type(r, kind) for r in result])
    return TYPE[result]


def expose(name, arity, programs, result=None):
    """The Numba function `name` of `arity` arguments.

    `programs`: {kind: function of Values}. Missing kinds: float32 and complex64 compute in the double kind and round, integers
    and booleans compute in float64. `result`: None (the arguments' kind), "real", a fixed kind, or a tuple of these.
    """

    def typing(*args):
        chosen = choose(promote(args), programs)
        if chosen is None:
            return None
        compute, kind = chosen
        ty = TYPE[kind]
        program = programs[compute]

        def codegen(ctx, b, sig, values):
            return write(ctx, b, sig.return_type, program(*(read(ctx, b, ty, v, compute) for v in values)))

        return _result_type(result, kind)(*[ty] * arity), codegen

    return named_intrinsic(name, arity, typing)


def named_intrinsic(name, arity, typing, literal=False):
    """An intrinsic called `name` from `typing(*argument types) -> (signature, code generator)` (Numba reads the arity off the
    Python signature, hence the three spellings). `literal`: whether literal integers come as their own types."""

    def one(typingctx, x):
        return typing(x)

    def two(typingctx, x1, x2):
        return typing(x1, x2)

    def three(typingctx, x1, x2, x3):
        return typing(x1, x2, x3)

    function = (one, two, three)[arity - 1]
    function.__name__ = function.__qualname__ = name
    return intrinsic(prefer_literal=literal)(function)


def expose_ldexp(program):
    """ldexp(x, n): a float and an integer of any width."""

    def typing(x, n):
        kind, n = KIND.get(types.unliteral(x)), types.unliteral(n)
        if kind is None or kind[0] == "c" or not isinstance(n, (types.Integer, types.Boolean)):
            return None
        ty = TYPE[kind if kind[0] == "f" else "f8"]

        def codegen(ctx, b, sig, values):
            return program(Value(b, values[0]), Value(b, values[1])).v

        return ty(ty, types.int64), codegen

    return named_intrinsic("ldexp", 2, typing)
