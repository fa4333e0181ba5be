"""What the factorisations share: numbers of their dtypes, launches over stacks of matrices, and failures gathered on the device."""

from math import prod

import numpy as np

from .kernel import Kernel, code_of
from .tensor import like

THREADS = 256
INT, LONG = np.dtype(np.int32), np.dtype(np.int64)
FLOATING = [np.dtype(d) for d in "f4 f8 c8 c16".split()]


def real_of(dtype):
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def floor_of(dtype):
    """The smallest size of which quotients and roots are precise."""
    limits = np.finfo(dtype)
    return float(limits.smallest_normal) / float(limits.eps)


def quotients(target, dtype):
    """A device function: the quotient of two numbers; of complex ones by Smith's method, which does not overflow on the way."""
    T = target.type(dtype)
    if dtype.kind == "f":

        def quotient(x, y):
            return T(x / y)

    else:
        R = target.type(real_of(dtype))

        def quotient(x, y):
            if abs(y.real) >= abs(y.imag):
                r = R(y.imag / y.real)
                d = R(y.real + R(y.imag * r))
                return T(complex(R(R(x.real + R(x.imag * r)) / d), R(R(x.imag - R(x.real * r)) / d)))
            r = R(y.real / y.imag)
            d = R(R(y.real * r) + y.imag)
            return T(complex(R(R(R(x.real * r) + x.imag) / d), R(R(R(x.imag * r) - x.real) / d)))

    return target.device(quotient)


def magnitudes(target, dtype):
    """A device function: |Re x| + |Im x|."""
    R = target.type(real_of(dtype))

    def magnitude(x):
        return R(abs(x.real) + abs(x.imag))

    return target.device(magnitude)


def any_failed(target):
    """Whether one of n numbers is not 0: one block."""
    cuda = target.cuda

    def any_failed(out, failed, n):
        found = 0
        i = cuda.threadIdx.x
        while i < n:
            if failed[i] != 0:
                found = 1
            i += THREADS
        found = cuda.syncthreads_or(found)
        if cuda.threadIdx.x == 0:
            out[0] = found != 0

    return any_failed


def codes(dtype, words):
    """A signature: T stands for addresses of the dtype, R for those of its real parts."""
    codes = {"T": f"*{code_of(dtype)}", "R": f"*{code_of(real_of(dtype))}"}
    return " ".join([codes.get(w, w) for w in words.split()])


def _any():
    return Kernel(any_failed, (), "*i4 *i4 i8", THREADS)


def grid_of(count, threads=THREADS):
    return min(-(-count // threads), 1 << 20)


def threads_for(count):
    """Threads of a block for so many things to do at once: few for small matrices."""
    return 32 if count <= 64 else THREADS


def flat(x):
    """A contiguous copy of a stack of matrices, with one axis for the stack."""
    return x.copy().reshaped((prod(x.shape[:-2]), *x.shape[-2:]))


def raise_if(failed, reason):
    """LinAlgError if one of these numbers on the device is not 0."""
    flag = failed
    if failed.size > 1:
        flag = like(failed, (1,))
        _any().launch(failed.driver, 1, THREADS, flag.address, failed.address, failed.size)
    if flag.size and flag.to_host().any():
        raise np.linalg.LinAlgError(reason)


def every():
    yield _any()
