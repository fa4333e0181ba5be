"""Atomic operations on elements at an address: Numba's `cuda.atomic` takes arrays alone, such as those of shared memory."""


def exchange(target):
    """A device function (pointer, i, value) -> what was there: the value is stored in its place."""
    return _atomic(target, "xchg", "exch")


def add(target):
    """A device function (pointer, i, value) -> what was there: the value is added to it. Of integers, whose order does not matter."""
    return _atomic(target, "add", "add")


def _atomic(target, operation, name):
    if target.simulated:
        return getattr(target.cuda.atomic, name)
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def atomic(context, pointer, i, value):
        def generate(context, builder, signature, args):
            return builder.atomic_rmw(operation, builder.gep(args[0], [args[1]]), args[2], "monotonic")

        return pointer.dtype(pointer, types.int64, pointer.dtype), generate

    return atomic
