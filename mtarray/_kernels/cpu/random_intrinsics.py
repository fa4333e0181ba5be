"""The primitives of `random_core` for compiled kernels: bit casts and branch-free selection, so that loops vectorise."""

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

MOST_STEPS = 200.0
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


@inline
def invert(where, u, p, a, b):
    k = 0.0
    if where:
        while u > p and k < MOST_STEPS:
            u -= p
            k += 1.0
            p *= a / k + b
    return k
