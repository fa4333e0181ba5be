"""Several elements at once between memory and the registers of a thread: one load or store of up to 16 bytes."""

import functools


def loader(target, n):
    """A device function (local, i, memory, j): local[i + k] = memory[j + k] for k < n, of a local array and a pointer or shared array. The
    address in memory must be a multiple of the size of n elements."""
    return _mover(target, n, True)


def storer(target, n):
    """A device function (memory, i, local, j): memory[i + k] = local[j + k] for k < n, the other way."""
    return _mover(target, n, False)


def _mover(target, n, loads):
    if target.simulated or n == 1:

        def move(to, i, source, j):
            for k in range(n):
                to[i + k] = source[j + k]

        return target.device(move)
    return _intrinsic(n, loads)


@functools.cache
def _intrinsic(n, loads):
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def move(typingctx, to, i, source, j):
        element = to.dtype
        each = 2 if isinstance(element, types.Complex) else 1

        def codegen(ctx, b, sig, args):
            part = ctx.get_data_type(element.underlying_float if each == 2 else element)
            size = ctx.get_abi_sizeof(part)
            vector = ir.VectorType(part, n * each)

            def address(t, value, index):
                if isinstance(t, types.Array):
                    value = ctx.make_array(t)(ctx, b, value).data
                return b.bitcast(b.gep(value, [index]), vector.as_pointer())

            # A local array becomes registers; were it kept in memory, nobody would have aligned it.
            read = b.load(address(sig.args[2], args[2], args[3]))
            read.align = n * each * size if loads else size
            b.store(read, address(sig.args[0], args[0], args[1])).align = size if loads else n * each * size
            return ctx.get_dummy_value()

        return types.void(to, i, source, j), codegen

    return move
