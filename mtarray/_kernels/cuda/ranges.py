"""Numbers that follow from their place: `start + i * step`."""

import numpy as np

from .kernel import Kernel
from .tensor import empty

BLOCK = 256
INTEGERS = tuple([np.dtype(t) for t in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")])


def ramp_kernel(target, dtype):
    cuda, T, I = target.cuda, target.type(dtype), target.type(np.dtype(np.int64))

    def ramp(out, start, step, n):
        i = I(cuda.grid(1))
        while i < n:
            out[i] = T(start + i * step)
            i += I(cuda.gridsize(1))

    return ramp


def _kernel(dtype):
    return Kernel(ramp_kernel, (dtype,), f"*{dtype.str[1:]} i8 i8 i8", BLOCK)


def ramp(driver, start, step, n, dtype):
    """A tensor of the integers `start + i * step` for i below n, which fit the integer dtype."""
    out = empty(driver, (n,), dtype)
    if n:
        _kernel(dtype).launch(driver, min(-(-n // BLOCK), driver.multiprocessors * 8), BLOCK, out.address, _signed(start), _signed(step), n)
    return out


def _signed(number):
    """What wraps to the same 64 bits."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def every():
    """The kernels of this module."""
    for dtype in INTEGERS:
        yield _kernel(dtype)
