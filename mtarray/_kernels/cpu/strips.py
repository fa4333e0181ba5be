"""SIMD strips: intrinsics that reduce short contiguous runs in explicit vectors.

Written as vectors rather than left to LLVM's vectoriser: the lanes, and so the rounding, are the same everywhere, short tails
take one masked load instead of a scalar loop, and a kernel compiles faster.
"""

from functools import lru_cache

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I64, _I32, _I1 = ir.IntType(64), ir.IntType(32), ir.IntType(1)
_TYPES = {
    "i1": (8, True), "i2": (16, True), "i4": (32, True), "i8": (64, True),
    "u1": (8, False), "u2": (16, False), "u4": (32, False), "u8": (64, False),
}  # fmt: skip
_NUMBA = {
    "i1": types.int8, "i2": types.int16, "i4": types.int32, "i8": types.int64, "u1": types.uint8, "u2": types.uint16, "u4": types.uint32,
    "u8": types.uint64, "f4": types.float32, "f8": types.float64,
}  # fmt: skip


def _llvm(name):
    return {"f4": ir.FloatType(), "f8": ir.DoubleType()}.get(name) or ir.IntType(_TYPES[name][0])


def supports(kind, x, strip):
    """Whether `strip` serves a combine of this kind on elements `x` in type `strip` (pointer names)."""
    if x not in _NUMBA or strip not in _NUMBA or kind not in ("add", "max", "min", "and", "or"):
        return False
    return x == strip or (kind == "add" and x[0] != "f") or kind in ("and", "or")


@lru_cache(maxsize=256)
def strip(kind, x, t, nonzero, apart, keep=1):
    """Intrinsic `(address, far, m) -> value`: the combination of a run of elements in four vector accumulators.

    `apart`: of four runs of m elements, m a multiple of the lanes, that start `far` bytes one from the other. Otherwise of one run of
    any m of at least 1 (and `far` is not used). `keep`: of more than one, a divisor of the lanes, every `keep`-th elements are combined:
    `(address, far, m, out)` writes so many values. Not for extrema.
    """
    source, target = _llvm(x), _llvm(t)
    size = int(x[1:])
    lanes = 64 // int(t[1:])
    wide, narrow = ir.VectorType(target, lanes), ir.VectorType(source, lanes)
    extremum = kind in ("max", "min")
    marks = extremum and t[0] == "f"  # whether there was a NaN is collected beside the extremum: half the work of carrying it along

    def convert(b, v):
        if nonzero:
            zero = ir.Constant(v.type, None)
            hit = b.fcmp_unordered("!=", v, zero) if x[0] == "f" else b.icmp_unsigned("!=", v, zero)
            return b.zext(hit, wide)
        if x == t or (x[0] != "f" and source == target):
            return v
        if t[0] == "f":
            return (b.sitofp if _TYPES[x][1] else b.uitofp)(v, wide)
        if source.width > target.width:
            return b.trunc(v, wide)
        return (b.sext if _TYPES[x][1] else b.zext)(v, wide)

    def join(b, u, v):
        if kind == "add":
            return b.fadd(u, v) if t[0] == "f" else b.add(u, v)
        if kind in ("and", "or"):
            return (b.and_ if kind == "and" else b.or_)(u, v)
        compare = b.fcmp_ordered if t[0] == "f" else b.icmp_signed if _TYPES[t][1] else b.icmp_unsigned
        return b.select(compare(">" if kind == "max" else "<", v, u), v, u)

    def splat(b, v, vector):
        undefined = ir.Constant(vector, ir.Undefined)
        return b.shuffle_vector(b.insert_element(undefined, v, _I32(0)), undefined, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))

    def across(b, v):
        half = lanes // 2
        while half >= keep:
            mask = [(i + half) % lanes for i in range(lanes)]
            v = join(b, v, b.shuffle_vector(v, v, ir.Constant(ir.VectorType(_I32, lanes), mask)))
            half //= 2
        if keep > 1:
            undefined = ir.Constant(wide, ir.Undefined)
            return b.shuffle_vector(v, undefined, ir.Constant(ir.VectorType(_I32, keep), list(range(keep))))
        return b.extract_element(v, _I32(0))

    def load(b, at):
        return b.load(b.inttoptr(at, narrow.as_pointer()), align=size)

    def neutral(b, at):
        """What lanes without an element hold: 0 or 1 for sums and logic, the first element for extrema."""
        if extremum:
            return splat(b, b.load(b.inttoptr(at, source.as_pointer()), align=size), narrow)
        value = 1 if kind == "and" else 0
        return ir.Constant(narrow, [float(value) if x[0] == "f" else value] * lanes)

    class Accumulators:
        """Four vectors, and which lanes have met a NaN."""

        def __init__(self, b, first):
            self.slots = [cgutils.alloca_once_value(b, v) for v in first]
            if marks:
                self.bad = cgutils.alloca_once_value(b, self.unordered(b, first))

        def unordered(self, b, vectors):
            # One comparison tests two vectors.
            pairs = [b.fcmp_unordered("uno", vectors[i], vectors[min(i + 1, len(vectors) - 1)]) for i in range(0, len(vectors), 2)]
            return pairs[0] if len(pairs) == 1 else b.or_(*pairs)

        def take(self, b, vectors, first=0):
            for slot, v in zip(self.slots[first:], vectors, strict=False):
                b.store(join(b, b.load(slot), v), slot)
            if marks:
                b.store(b.or_(b.load(self.bad), self.unordered(b, vectors)), self.bad)

        def result(self, b):
            v = [b.load(slot) for slot in self.slots]
            value = across(b, join(b, join(b, v[0], v[1]), join(b, v[2], v[3])))
            if marks:
                some = b.icmp_unsigned("!=", b.bitcast(b.load(self.bad), ir.IntType(lanes)), ir.IntType(lanes)(0))
                value = b.select(some, ir.Constant(target, float("nan")), value)
            return value

    def generators():
        def four(ctx, b, signature, a):
            starts = [b.add(a[0], b.mul(a[1], _I64(k))) for k in range(4)]
            sums = Accumulators(b, [convert(b, load(b, s)) for s in starts])
            with cgutils.for_range(b, b.udiv(b.sub(a[2], _I64(lanes)), _I64(lanes))) as loop:
                off = b.mul(b.add(loop.index, _I64(1)), _I64(lanes * size))
                sums.take(b, [convert(b, load(b, b.add(s, off))) for s in starts])
            return sums.result(b)

        def one(ctx, b, signature, a):
            whole = b.udiv(a[2], _I64(lanes))
            rest = b.sub(a[2], b.mul(whole, _I64(lanes)))
            # The masked part comes first, as the start of an accumulator.
            tail = b.add(a[0], b.mul(whole, _I64(lanes * size)))
            index = ir.Constant(ir.VectorType(_I64, lanes), list(range(lanes)))
            mask = b.icmp_unsigned("<", index, splat(b, rest, ir.VectorType(_I64, lanes)))
            letter = {"f4": "f32", "f8": "f64"}.get(x) or f"i{size * 8}"
            pointer = narrow.as_pointer()
            name = f"llvm.masked.load.v{lanes}{letter}.p0"
            masked = cgutils.get_or_insert_function(
                b.module, ir.FunctionType(narrow, [pointer, _I32, ir.VectorType(_I1, lanes), narrow]), name
            )
            empty = neutral(b, a[0])
            start = b.call(masked, [b.inttoptr(tail, pointer), _I32(size), mask, empty])
            sums = Accumulators(b, [convert(b, v) for v in (start, empty, empty, empty)])
            steps = b.udiv(whole, _I64(4))
            with cgutils.for_range(b, steps) as loop:
                at = b.add(a[0], b.mul(loop.index, _I64(4 * lanes * size)))
                sums.take(b, [convert(b, load(b, b.add(at, _I64(k * lanes * size)))) for k in range(4)])
            at = b.add(a[0], b.mul(steps, _I64(4 * lanes * size)))
            with cgutils.for_range(b, b.urem(whole, _I64(4))) as loop:
                sums.take(b, [convert(b, load(b, b.add(at, b.mul(loop.index, _I64(lanes * size)))))], first=1)
            return sums.result(b)

        return four if apart else one

    @intrinsic
    def reduce_strip(context, address, far, m):
        return _NUMBA[t](types.int64, types.int64, types.int64), generators()

    @intrinsic
    def reduce_lanes(context, address, far, m, out):
        def write(ctx, b, signature, a):
            v = generators()(ctx, b, signature, a)
            b.store(v, b.bitcast(a[3], v.type.as_pointer()), align=int(t[1:]))
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, types.CPointer(_NUMBA[t])), write

    return reduce_strip if keep == 1 else reduce_lanes
