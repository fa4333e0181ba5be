"""Softmax and its logarithm along rows, what carries their cotangents back, and losses of classes.

A row that fits the registers of a warp or a block is read once and written once. Longer ones are read twice: the first time for the largest
element and the sum of exponentials together, which is scaled whenever a larger element comes.
"""

import math
from functools import lru_cache

import numpy as np

from mtarray._kernels.source import Scalar

from .folding import ALL, contiguous
from .kernel import Kernel, code_of
from .tensor import like

FLOAT64 = np.dtype(np.float64)
BLOCK = 256  # threads
HELD = 32  # elements of a row that a thread holds, at most


def _exponential(x):
    return math.exp(x)


def _logarithm(x):
    return math.log(x)


EXP, LOG = Scalar(_exponential), Scalar(_logarithm)


def everywhere(target, dtype, lanes, join):
    """A device function (value, t, shared) -> the values of `lanes` neighbouring threads joined, which each of them gets.

    shared: an array of 32 elements; more than a warp takes part with the whole block.
    """
    cuda, T = target.cuda, target.type(dtype)
    WARP, WARPS = min(lanes, 32), lanes // 32

    def joined(v, t, shared):
        d = WARP // 2
        while d > 0:
            v = join(v, T(cuda.shfl_xor_sync(ALL, v, d)))
            d //= 2
        if WARPS > 1:
            if t % 32 == 0:
                shared[t // 32] = v
            cuda.syncthreads()
            v = shared[0]
            for w in range(1, WARPS):
                v = join(v, shared[w])
            cuda.syncthreads()
        return v

    return target.device(joined)


def largest(target):
    """(a, b) -> the larger one, NaN where one is."""

    def largest(a, b):
        return a if a >= b or a != a else b

    return target.device(largest)


def adding(target, dtype):
    T = target.type(dtype)

    def add(a, b):
        return T(a + b)

    return target.device(add)


# Whose rows are shifted by their largest element.
_SHIFTED = ("softmax", "log_softmax", "class_losses", "class_slopes")


def _steps(target, name, dtype):
    """The functions that a row goes through, of (element, of y, the shift, and `a`, what the sum gave).

    shift: of the largest element; first: what is held of an element; term: of the sum; what: `a` of the sum; last: the result.
    """
    T, F = target.type(dtype), target.type(FLOAT64)
    exp, log = target.function(EXP, (dtype,)), target.function(LOG, (FLOAT64,))
    zero, one, infinity = T(0), F(1), T(np.inf)
    device = target.device

    def shift(top):
        return top

    def first(v, top):
        return v

    def what(total, c):
        return T(total)

    if name in ("log_softmax", "class_losses"):

        def shift(top):  # where it is infinite there is no shift: what is finite stays so
            return zero if top == infinity or top == -infinity else top

    if name in ("softmax", "class_slopes"):

        def first(v, top):
            return T(exp(T(v - top)))

        def term(v, w, top):
            return F(v)

        def last(v, w, top, a):
            return T(v * a)

        if name == "softmax":

            def what(total, c):
                return T(one / total)
        else:

            def what(total, c):
                return T(F(c) / total)
    elif name in ("log_softmax", "class_losses"):

        def term(v, w, top):
            return F(exp(T(v - top)))

        def what(total, c):
            return T(log(total))

        def last(v, w, top, a):
            return T(T(v - top) - a)
    elif name == "softmax_back":

        def term(v, w, top):
            return F(v) * F(w)

        def last(v, w, top, a):
            return T(w * T(v - a))
    else:  # log_softmax_back

        def term(v, w, top):
            return F(v)

        def last(v, w, top, a):
            return T(v - T(T(exp(w)) * a))

    return [device(f) for f in (shift, first, term, what, last)]


def short_rows(target, name, dtype, index, lanes, each):
    """Rows of at most lanes * each elements, held by the threads of a warp or a block."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)
    shift, first, term, what, last = _steps(target, name, dtype)
    top_of = everywhere(target, dtype, lanes, largest(target))
    sum_of = everywhere(target, FLOAT64, lanes, adding(target, FLOAT64))
    SHIFTED, BACK, CLASSES, LOSSES = name in _SHIFTED, name.endswith("back"), name.startswith("class"), name == "class_losses"
    zero = F(0)

    def rows(x, y, classes, c, out, count, n):
        tops, sums = cuda.shared.array(32, T), cuda.shared.array(32, F)
        v, w = cuda.local.array(each, T), cuda.local.array(each, T)
        t = cuda.threadIdx.x
        lane = t % lanes
        row = cuda.blockIdx.x * (cuda.blockDim.x // lanes) + t // lanes
        mine = row < count
        row = row if mine else count - 1
        at = row * n
        for k in range(each):
            j = lane + k * lanes
            j = j if j < n else n - 1
            v[k] = x[at + j]
            if BACK:
                w[k] = y[at + j]
        top = T(0)
        if SHIFTED:
            top = v[0]
            for k in range(1, each):
                top = v[k] if v[k] > top or v[k] != v[k] else top
            top = shift(top_of(top, t, tops))
        total = zero
        for k in range(each):
            v[k] = first(v[k], top)
            if lane + k * lanes < n:
                total = F(total + term(v[k], w[k] if BACK else v[k], top))
        total = sum_of(total, t, sums)
        chosen, weight = -1, T(0)
        if CLASSES:
            chosen = int(classes[row])
            if chosen >= 0 and not LOSSES:
                weight = c[row]
        a = what(total, weight)
        if LOSSES:
            if lane == 0 and mine:
                out[row] = T(a - T(x[at + chosen] - top)) if chosen >= 0 else T(0)
        else:
            for k in range(each):
                j = lane + k * lanes
                if j < n and mine:
                    r = last(v[k], w[k] if BACK else v[k], top, a)
                    out[at + j] = T(r - weight) if CLASSES and j == chosen else r

    return rows


def long_rows(target, name, dtype, index, lanes):
    """Rows of any length, each read twice by a block."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)
    shift, first, term, what, last = _steps(target, name, dtype)
    exp = target.function(EXP, (dtype,))
    top_of = everywhere(target, dtype, lanes, largest(target))
    sum_of = everywhere(target, FLOAT64, lanes, adding(target, FLOAT64))
    SHIFTED, BACK, CLASSES, LOSSES = name in _SHIFTED, name.endswith("back"), name.startswith("class"), name == "class_losses"
    zero, infinity = F(0), T(np.inf)

    def rows(x, y, classes, c, out, count, n):
        tops, sums = cuda.shared.array(32, T), cuda.shared.array(32, F)
        v, w = cuda.local.array(8, T), cuda.local.array(8, T)
        t = cuda.threadIdx.x
        row = cuda.blockIdx.x + 0
        at = row * n
        top, total = T(-infinity), zero
        start = t + 0
        while start < n:
            for k in range(8):
                j = start + k * lanes
                j = j if j < n else n - 1
                v[k] = x[at + j]
                if BACK:
                    w[k] = y[at + j]
            if SHIFTED:
                before = top
                for k in range(8):
                    top = v[k] if v[k] > top or v[k] != v[k] else top
                if top != before and total != zero:
                    total = F(total * F(exp(T(before - top))))
                if top != -infinity:
                    for k in range(8):
                        if start + k * lanes < n:
                            total = F(total + F(exp(T(v[k] - top))))
            else:
                for k in range(8):
                    if start + k * lanes < n:
                        total = F(total + term(v[k], w[k] if BACK else v[k], top))
            start += 8 * lanes
        if SHIFTED:
            own = top
            top = top_of(top, t, tops)
            if own != top and total != zero:
                total = F(total * F(exp(T(own - top))))
            total = sum_of(total, t, sums)
            if top == infinity or top == -infinity:  # no shift, or none that leaves a number
                total = F(top if top > zero else zero) if shift(top) != top else F(top - top)
            top = shift(top)
        else:
            total = sum_of(total, t, sums)
        chosen, weight = -1, T(0)
        if CLASSES:
            chosen = int(classes[row])
            if chosen >= 0 and not LOSSES:
                weight = c[row]
        a = what(total, weight)
        if LOSSES:
            if t == 0:
                out[row] = T(a - T(x[at + chosen] - top)) if chosen >= 0 else T(0)
        else:
            start = t + 0
            while start < n:
                for k in range(8):
                    j = start + k * lanes
                    j = j if j < n else n - 1
                    v[k] = x[at + j]
                    if BACK:
                        w[k] = y[at + j]
                for k in range(8):
                    j = start + k * lanes
                    if j < n:
                        r = last(first(v[k], top), w[k] if BACK else v[k], top, a)
                        out[at + j] = T(r - weight) if CLASSES and j == chosen else r
                start += 8 * lanes

    return rows


_INT64 = np.dtype(np.int64)


def _run(name, x, n, out, y=None, classes=None, c=None, held=HELD, block=BLOCK):
    """The kernel `name` on the rows of n elements of contiguous tensors."""
    count = x.size // n if n else 0
    if count == 0:
        return out
    index = _INT64 if classes is None else classes.dtype
    given = [out.buffer.ptr if a is None else a.address for a in (y, classes, c)]
    kernel, grid, threads = _plan(name, x.dtype, index, count, n, held, block)
    kernel.launch(x.driver, grid, threads, x.address, *given, out.address, count, n)
    return out


@lru_cache(maxsize=1024)
def _plan(name, dtype, index, count, n, held, block):
    """(kernel, blocks, threads of each) for so many rows of n elements."""
    lanes, each, threads, grid = block, 0, block, count
    if n <= 32 * held or n <= block * held:
        lanes = 32 if n <= 32 * held else block
        each = 1 << (-(-n // lanes) - 1).bit_length()
        threads = block if lanes == block else min(block, 32 << max(0, count - 1).bit_length())
        grid = -(-count * lanes // threads)
    return _kernel(name, dtype, index, lanes, each, block), grid, threads


def _kernel(name, dtype, index, lanes, each, block):
    """The kernel of rows that threads hold, `each` elements apiece, or (0) of long ones."""
    code = code_of(dtype)
    signature = f"*{code} *{code} *{code_of(index)} *{code} *{code} i8 i8"
    if each:
        return Kernel(short_rows, (name, dtype, index, lanes, each), signature, block)
    return Kernel(long_rows, (name, dtype, index, lanes), signature, block)


def every():
    """The kernels of rows of every length, of float32 and float64; classes are int64."""
    for name in (*_SHIFTED, "softmax_back", "log_softmax_back"):
        for d in ("f4", "f8"):
            dtype = np.dtype(d)
            for each in (1, 2, 4, 8, 16, 32):
                yield _kernel(name, dtype, _INT64, 32, each, BLOCK)
            for each in (8, 16, 32, 0):
                yield _kernel(name, dtype, _INT64, BLOCK, each, BLOCK)


def _rows(name, n, x, y=None, **chunks):
    x = contiguous(x)
    return _run(name, x, n, like(x), None if y is None else contiguous(y), **chunks)


def softmax_rows(x, *, n, **chunks):
    """Softmax of every n elements of a real floating tensor. NaN in a row makes all of it NaN, as in all that follow.

    chunks: `held`, elements that a thread holds at most, and `block`, threads of a block.
    """
    return _rows("softmax", n, x, **chunks)


def log_softmax_rows(x, *, n, **chunks):
    """Logarithm of the softmax of every n elements."""
    return _rows("log_softmax", n, x, **chunks)


def softmax_back(x, y, *, n, **chunks):
    """y * (x - the sum of x y), by rows: the cotangent of softmax's operand from that of its result y."""
    return _rows("softmax_back", n, x, y, **chunks)


def log_softmax_back(x, y, *, n, **chunks):
    """x - exp(y) * the sum of x, by rows: the cotangent of log_softmax's operand from that of its result y."""
    return _rows("log_softmax_back", n, x, y, **chunks)


def class_losses(x, target, **chunks):
    """-log(softmax(x))[i, target[i]] of each row: (m, classes) floats, (m,) integers, negative where there is no loss -> (m,)."""
    x = contiguous(x)
    return _run("class_losses", x, x.shape[1], like(x, x.shape[:1]), classes=contiguous(target), **chunks)


def class_slopes(x, target, c, **chunks):
    """c times the derivative of `class_losses` by x: softmax less one at the target, and 0 in rows without a loss."""
    x = contiguous(x)
    return _run("class_slopes", x, x.shape[1], like(x), classes=contiguous(target), c=contiguous(c), **chunks)
