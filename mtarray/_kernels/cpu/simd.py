"""SIMD vectors as Numba values: what kernels use that must keep a tile in registers.

A vector is `BYTES` long: 64 where the CPU has AVX-512, else 32 (one AVX2 register or two of NEON's). Names end in the element's code:
`load_f4(addr)` reads consecutive elements from an address of any alignment, `load_first_f4(addr, n)` only n of them (0 in the
other lanes), `splat_f4(addr)` repeats the one element there, `fill_f4(x)` a number. The other functions work on vectors of every
element: `store(addr, v)`, `store_first(addr, v, n)`, `add sub mul div`, `fma(x, y, z)` = x*y + z and `fnma(x, y, z)` = z - x*y (one
rounding for floats), `vabs`, `vsqrt`, the comparisons `where_gt(x, y, u, v)` and `where_eq` (u where true, else v),
`any_eq(x, y)`, `any_not_gt(x, y)` (one bool); `total(v)`, the sum of the elements; `evens odds` of two vectors in
a row, their inverse `zip_low zip_high`; `reverse`.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic, register_model

I32, I64 = ir.IntType(32), ir.IntType(64)
ELEMENT = {
    "f4": (ir.FloatType(), 4, types.float32),
    "f8": (ir.DoubleType(), 8, types.float64),
    "i2": (ir.IntType(16), 2, types.int16),
    "i4": (ir.IntType(32), 4, types.int32),
    "i8": (ir.IntType(64), 8, types.int64),
}
BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
# Whether registers of 64 bytes are worked on in two halves: as much arithmetic in a cycle as with 32.
HALVES = BYTES == 64 and binding.get_host_cpu_name() == "znver4"


class Vector(types.Type):
    """Numba's type of a vector of `lanes` elements of the kind `code`."""

    def __init__(self, code, lanes):
        self.code, self.lanes = code, lanes
        super().__init__(f"vector_{code}x{lanes}")

    @property
    def ir(self):
        return ir.VectorType(ELEMENT[self.code][0], self.lanes)


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, fe_type.ir)


def _spread(builder, scalar, lanes):
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    one = builder.insert_element(undefined, scalar, I32(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


def _readers(code, nbytes):
    element, size, scalar = ELEMENT[code]
    vector = Vector(code, nbytes // size)

    @intrinsic
    def load(tyctx, addr):
        def cg(ctx, b, sig, a):
            return b.load(b.inttoptr(a[0], vector.ir.as_pointer()), align=size)

        return vector(types.int64), cg

    @intrinsic
    def splat(tyctx, addr):
        def cg(ctx, b, sig, a):
            return _spread(b, b.load(b.inttoptr(a[0], element.as_pointer())), vector.lanes)

        return vector(types.int64), cg

    @intrinsic
    def fill(tyctx, value):
        def cg(ctx, b, sig, a):
            return _spread(b, a[0], vector.lanes)

        return vector(scalar), cg

    @intrinsic
    def load_first(tyctx, addr, count):
        def cg(ctx, b, sig, a):
            v = vector.ir
            kind = ir.FunctionType(v, [v.as_pointer(), I32, ir.VectorType(ir.IntType(1), vector.lanes), v])
            fn = cgutils.get_or_insert_function(b.module, kind, f"llvm.masked.load.v{vector.lanes}{_suffix(code)}.p0")
            mask = _first(b, a[1], vector.lanes)
            return b.call(fn, [b.inttoptr(a[0], v.as_pointer()), I32(size), mask, ir.Constant(v, [0] * vector.lanes)])

        return vector(types.int64, types.int64), cg

    return load, splat, fill, load_first


def _suffix(code):
    return code[0] + str(8 * int(code[1]))


def _first(b, count, lanes):
    """Mask of the first `count` lanes."""
    return b.icmp_signed("<", ir.Constant(ir.VectorType(I64, lanes), list(range(lanes))), _spread(b, count, lanes))


load_f4, splat_f4, fill_f4, load_first_f4 = _readers("f4", BYTES)
load_f8, splat_f8, fill_f8, load_first_f8 = _readers("f8", BYTES)
load_i2, splat_i2, fill_i2, load_first_i2 = _readers("i2", BYTES)
load_i4, splat_i4, fill_i4, load_first_i4 = _readers("i4", BYTES)
load_i8, splat_i8, fill_i8, load_first_i8 = _readers("i8", BYTES)


@intrinsic
def store(tyctx, addr, v):
    def cg(ctx, b, sig, a):
        b.store(a[1], b.inttoptr(a[0], a[1].type.as_pointer()), align=ELEMENT[v.code][1])
        return ctx.get_dummy_value()

    return types.void(types.int64, v), cg


@intrinsic
def store_first(tyctx, addr, v, count):
    def cg(ctx, b, sig, a):
        kind = ir.FunctionType(ir.VoidType(), [v.ir, v.ir.as_pointer(), I32, ir.VectorType(ir.IntType(1), v.lanes)])
        fn = cgutils.get_or_insert_function(b.module, kind, f"llvm.masked.store.v{v.lanes}{_suffix(v.code)}.p0")
        b.call(fn, [a[1], b.inttoptr(a[0], v.ir.as_pointer()), I32(ELEMENT[v.code][1]), _first(b, a[2], v.lanes)])
        return ctx.get_dummy_value()

    return types.void(types.int64, v, types.int64), cg


def _binary(on_float, on_int):
    @intrinsic
    def op(tyctx, x, y):
        def cg(ctx, b, sig, a):
            return getattr(b, on_float if x.code[0] == "f" else on_int)(*a)

        return x(x, y), cg

    return op


add = _binary("fadd", "add")
sub = _binary("fsub", "sub")
mul = _binary("fmul", "mul")
div = _binary("fdiv", "sdiv")


def _call(b, name, vector, args):
    kind = ir.FunctionType(vector.ir, [vector.ir] * len(args))
    fn = cgutils.get_or_insert_function(b.module, kind, f"llvm.{name}.v{vector.lanes}{_suffix(vector.code)}")
    return b.call(fn, args)


@intrinsic
def fma(tyctx, x, y, z):
    def cg(ctx, b, sig, a):
        if x.code[0] == "f":
            return _call(b, "fma", x, a)
        return b.add(b.mul(a[0], a[1]), a[2])

    return x(x, y, z), cg


@intrinsic
def fnma(tyctx, x, y, z):
    def cg(ctx, b, sig, a):
        return _call(b, "fma", x, [b.fneg(a[0]), a[1], a[2]])

    return x(x, y, z), cg


@intrinsic
def vabs(tyctx, x):
    def cg(ctx, b, sig, a):
        return _call(b, "fabs", x, a)

    return x(x), cg


@intrinsic
def vsqrt(tyctx, x):
    def cg(ctx, b, sig, a):
        return _call(b, "sqrt", x, a)

    return x(x), cg


def _where(comparison):
    @intrinsic
    def where(tyctx, x, y, u, v):
        def cg(ctx, b, sig, a):
            return b.select(b.fcmp_ordered(comparison, a[0], a[1]), a[2], a[3])

        return u(x, y, u, v), cg

    return where


where_gt = _where(">")
where_eq = _where("==")


def _any(method, comparison):
    @intrinsic
    def test(tyctx, x, y):
        def cg(ctx, b, sig, a):
            mask = getattr(b, method)(comparison, a[0], a[1])
            bits = ir.IntType(x.lanes)
            return b.icmp_unsigned("!=", b.bitcast(mask, bits), bits(0))

        return types.boolean(x, y), cg

    return test


any_eq = _any("fcmp_ordered", "==")
any_not_gt = _any("fcmp_unordered", "<=")  # also where either is NaN


@intrinsic
def total(tyctx, v):
    element, _, scalar = ELEMENT[v.code]

    def cg(ctx, b, sig, a):
        kind = ir.FunctionType(element, [element, v.ir])
        fn = cgutils.get_or_insert_function(b.module, kind, f"llvm.vector.reduce.fadd.v{v.lanes}{_suffix(v.code)}")
        return b.call(fn, [ir.Constant(element, 0), a[0]], fastmath=("reassoc",))  # in pairs; else one after the other

    return scalar(v), cg


def _pick(choose):
    @intrinsic
    def pick(tyctx, x, y):
        def cg(ctx, b, sig, a):
            lanes = x.lanes
            return b.shuffle_vector(a[0], a[1], ir.Constant(ir.VectorType(I32, lanes), [choose(i, lanes) for i in range(lanes)]))

        return x(x, y), cg

    return pick


evens = _pick(lambda i, lanes: 2 * i)
odds = _pick(lambda i, lanes: 2 * i + 1)
zip_low = _pick(lambda i, lanes: i // 2 + i % 2 * lanes)
zip_high = _pick(lambda i, lanes: (i + lanes) // 2 + i % 2 * lanes)


@intrinsic
def reverse(tyctx, x):
    def cg(ctx, b, sig, a):
        return b.shuffle_vector(a[0], a[0], ir.Constant(ir.VectorType(I32, x.lanes), list(range(x.lanes))[::-1]))

    return x(x), cg


PRELUDE = "from mtarray._kernels.cpu.simd import *\n"
