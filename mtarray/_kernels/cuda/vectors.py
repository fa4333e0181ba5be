"""Several elements at once: loads and stores of up to 16 bytes as one instruction of a thread, for the compiler."""

import functools

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_I4 = ir.IntType(32)


def _parts(ctx, element, n):
    """(how many parts in memory an element has, the vector of all parts, its bytes)."""
    if isinstance(element, types.Complex):
        part, each = ctx.get_data_type(element.underlying_float), 2
    else:
        part, each = ctx.get_data_type(element), 1
    return each, ir.VectorType(part, n * each), n * each * ctx.get_abi_sizeof(part)


@functools.cache
def loads(n):
    """load(p, i): the elements p[i], ..., p[i + n - 1] as a tuple. Their address must be a multiple of their size together."""

    @intrinsic
    def load(typingctx, p, i):
        element = p.dtype
        result = types.UniTuple(element, n)

        def codegen(ctx, b, sig, args):
            each, vector, size = _parts(ctx, element, n)
            whole = b.load(b.bitcast(b.gep(args[0], [args[1]]), vector.as_pointer()))
            whole.align = size
            values = []
            for k in range(n):
                own = [b.extract_element(whole, ir.Constant(_I4, k * each + m)) for m in range(each)]
                if each == 2:
                    z = ctx.make_complex(b, element)
                    z.real, z.imag = own
                    values.append(z._getvalue())
                else:
                    values.append(ctx.data_model_manager[element].from_data(b, own[0]))
            return ctx.make_tuple(b, result, values)

        return result(p, types.int64), codegen

    return load


@functools.cache
def stores(n):
    """store(p, i, values): the same for a tuple that is written."""

    @intrinsic
    def store(typingctx, p, i, values):
        element = p.dtype

        def codegen(ctx, b, sig, args):
            each, vector, size = _parts(ctx, element, n)
            whole = ir.Constant(vector, ir.Undefined)
            for k in range(n):
                v = b.extract_value(args[2], k)
                if each == 2:
                    own = [b.extract_value(v, m) for m in range(2)]
                else:
                    own = [ctx.data_model_manager[element].as_data(b, v)]
                for m, x in enumerate(own):
                    whole = b.insert_element(whole, x, ir.Constant(_I4, k * each + m))
            b.store(whole, b.bitcast(b.gep(args[0], [args[1]]), vector.as_pointer())).align = size
            return ctx.get_dummy_value()

        return types.void(p, types.int64, types.UniTuple(element, n)), codegen

    return store
