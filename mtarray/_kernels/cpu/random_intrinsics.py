"""The primitives of `random_core` for compiled kernels: bit casts and branch-free selection, so that loops vectorise."""

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

inline = njit(forceinline=True, error_model="numpy")


@intrinsic
def as_bits(tyctx, x):
    def cg(ctx, b, sig, a):
        return b.bitcast(a[0], ir.IntType(64))

    return types.uint64(types.float64), cg


@intrinsic
def as_float(tyctx, w):
    def cg(ctx, b, sig, a):
        return b.bitcast(a[0], ir.DoubleType())

    return types.float64(types.uint64), cg


@intrinsic
def to_float(tyctx, w):
    """float64 of a uint64 below 2**63 (a signed conversion is one instruction where an unsigned one may be six)."""

    def cg(ctx, b, sig, a):
        return b.sitofp(a[0], ir.DoubleType())

    return types.float64(types.uint64), cg


@intrinsic
def to_unsigned(tyctx, x):
    def cg(ctx, b, sig, a):
        return b.fptosi(a[0], ir.IntType(64))

    return types.uint64(types.float64), cg


@intrinsic
def select(tyctx, condition, x, y):
    """x if condition else y, both evaluated, on float64."""

    def cg(ctx, b, sig, a):
        return b.select(b.trunc(a[0], ir.IntType(1)) if a[0].type.width != 1 else a[0], a[1], a[2])

    return types.float64(types.boolean, types.float64, types.float64), cg


@inline
def sqrt(x):
    return math.sqrt(x)


@intrinsic
def floor(tyctx, x):
    def cg(ctx, b, sig, a):
        fn = b.module.declare_intrinsic("llvm.floor", [ir.DoubleType()])
        return b.call(fn, [a[0]])

    return types.float64(types.float64), cg


@inline
def lookup(table, index):
    return table[index]


def stack(nbytes):
    """An intrinsic that gives the address of nbytes of the calling function's frame (reserved once, at its entry)."""

    @intrinsic
    def reserve(tyctx):
        def cg(ctx, b, sig, a):
            with b.goto_entry_block():
                return b.ptrtoint(b.alloca(ir.ArrayType(ir.IntType(64), nbytes // 8)), ir.IntType(64))

        return types.int64(), cg

    return reserve


STRIP = 256
frame_a, frame_b, frame_value, frame_u, frame_p, frame_k, frame_ratio, frame_shift = [stack(8 * STRIP) for _ in range(8)]
