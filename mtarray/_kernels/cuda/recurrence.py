"""Linear recurrences y[k] = a[k] y[k - 1] + b[k] along an axis: what running derivatives of scans are made of."""

import math

import numpy as np

from .folding import WAVE, contiguous
from .kernel import Kernel, code_of
from .tensor import like

THREADS = 128
LEAF = 64  # the fewest steps of a leaf

# ---------------------------------------------------------------------- linear_recurrence


def _step(target, dtype):
    T = target.type(dtype)

    def step(a, y, b):
        return T(T(a * y) + b)

    return target.device(step)


def recur(target, dtype, writes):
    """A thread takes a leaf of a line: it writes its values; otherwise what the leaf makes of the value before it, factor and summand."""
    cuda, T = target.cuda, target.type(dtype)
    step = _step(target, dtype)
    zero, one = T(0), T(1)

    def recur(a, b, y, factors, summands, lines, inner, n, size, leaves, reverse):
        item = cuda.grid(1)
        if item < lines * leaves:
            f, g = cuda.local.array(8, T), cuda.local.array(8, T)
            leaf = item // lines
            line = item - leaf * lines
            at = line // inner * inner * n + line % inner
            start = leaf * size
            stop = start + size if start + size < n else n
            factor, value = one, zero
            if writes and leaf > 0:
                value = summands[(leaf - 1) * lines + line]
            while start < stop:
                for k in range(8):
                    i = start + k if start + k < stop else stop - 1
                    p = at + (n - 1 - i if reverse != 0 else i) * inner
                    f[k] = a[p]
                    g[k] = b[p]
                for k in range(8):
                    i = start + k
                    if i < stop:
                        value = g[k] if i == 0 else step(f[k], value, g[k])
                        if writes:
                            y[at + (n - 1 - i if reverse != 0 else i) * inner] = value
                        else:
                            factor = f[k] if i == start else T(factor * f[k])
                start += 8
            if not writes:
                factors[leaf * lines + line] = factor
                summands[leaf * lines + line] = value

    return recur


def join_leaves(target, dtype):
    """A thread goes along the leaves of a line: each one's summand becomes its last value."""
    cuda, T = target.cuda, target.type(dtype)
    step = _step(target, dtype)
    zero = T(0)

    def join(factors, summands, lines, leaves):
        line = cuda.grid(1)
        if line < lines:
            f, g = cuda.local.array(8, T), cuda.local.array(8, T)
            value = summands[line]
            start = 1
            while start < leaves:
                for k in range(8):
                    i = start + k if start + k < leaves else leaves - 1
                    f[k] = factors[i * lines + line]
                    g[k] = summands[i * lines + line]
                for k in range(8):
                    if start + k < leaves:
                        value = g[k] if value == zero else step(f[k], value, g[k])  # factors may have overflowed together
                        summands[(start + k) * lines + line] = value
                start += 8

    return join


def linear_recurrence(a, b, *, axis, reverse, leaf=LEAF):
    """y[k] = a[k] y[k - 1] + b[k] along an axis of two tensors of one floating or complex dtype and shape; the first is b's own.

    reverse: from the end, y[k] = a[k] y[k + 1] + b[k]. Lines run in parallel; few long ones are cut into leaves (of `leaf` steps at least),
    whose products of factors may overflow where step by step nothing would.
    """
    a, b = contiguous(a), contiguous(b)
    y = like(b)
    if not y.size:
        return y
    n, inner = b.shape[axis], math.prod(b.shape[axis + 1 :])
    lines, driver, code = b.size // n, b.driver, code_of(b.dtype)
    busy = WAVE * driver.multiprocessors * THREADS
    size = n if lines * 4 >= busy or n < 2 * leaf else max(leaf, math.isqrt(n))
    leaves = -(-n // size)
    rest = (lines, inner, n, size)

    def run(writes, factors, summands, leaves):
        signature = f"*{code} *{code} *{code} *{code} *{code} i8 i8 i8 i8 i8 i8"
        kernel = Kernel(recur, (b.dtype, writes), signature, THREADS)
        grid = -(-lines * leaves // THREADS)
        kernel.launch(driver, grid, THREADS, a.address, b.address, y.address, factors, summands, *rest, leaves, int(reverse))

    if leaves == 1:
        run(True, y.address, y.address, 1)
        return y
    factors, summands = like(b, (leaves - 1, lines)), like(b, (leaves - 1, lines))
    run(False, factors.address, summands.address, leaves - 1)
    kernel = Kernel(join_leaves, (b.dtype,), f"*{code} *{code} i8 i8", THREADS)
    kernel.launch(driver, -(-lines // THREADS), THREADS, factors.address, summands.address, lines, leaves - 1)
    run(True, factors.address, summands.address, leaves)
    return y


def every():
    """All kernels of `linear_recurrence`."""
    for name in ("f4", "f8", "c8", "c16"):
        dtype = np.dtype(name)
        for writes in (False, True):
            signature = f"*{name} *{name} *{name} *{name} *{name} i8 i8 i8 i8 i8 i8"
            yield Kernel(recur, (dtype, writes), signature, THREADS)
        yield Kernel(join_leaves, (dtype,), f"*{name} *{name} i8 i8", THREADS)
