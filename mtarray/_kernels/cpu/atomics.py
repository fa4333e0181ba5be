"""Atomic operations on 8-byte words by address, and what a waiting processor does, for compiled code that threads share."""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I64 = ir.IntType(64)
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _word(b, address):
    return b.inttoptr(address, _I64.as_pointer())


def _exchanging(operation):
    @intrinsic
    def f(tyctx, address, value):
        """The word's value before; sequentially consistent."""

        def cg(ctx, b, sig, a):
            return b.atomic_rmw(operation, _word(b, a[0]), a[1], "seq_cst")

        return types.int64(types.int64, types.int64), cg

    return f


atomic_add = _exchanging("add")
atomic_swap = _exchanging("xchg")


@intrinsic
def atomic_load(tyctx, address):
    """The word; what its writer wrote before is visible after."""

    def cg(ctx, b, sig, a):
        return b.load_atomic(_word(b, a[0]), "acquire", 8)

    return types.int64(types.int64), cg


@intrinsic
def atomic_store(tyctx, address, value):
    """Write the word; whoever reads it sees what was written before."""

    def cg(ctx, b, sig, a):
        b.store_atomic(a[1], _word(b, a[0]), "release", 8)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64), cg


@intrinsic
def store64(tyctx, address, value):
    """Write the word, plainly."""

    def cg(ctx, b, sig, a):
        b.store(a[1], _word(b, a[0]))
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64), cg


@intrinsic
def pause(tyctx):
    """Tell the processor that this is a loop that waits."""

    def cg(ctx, b, sig, a):
        if _X86:
            b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"), [])
        else:
            b.asm(ir.FunctionType(ir.VoidType(), []), "yield", "", [], True)
        return ctx.get_dummy_value()

    return types.void(), cg
