"""Random numbers on the device: the CPU's formulas and the CPU's counters, so the CPU's numbers.

`random_core`, which has every distribution once, is pasted behind primitives for the device. None of it may be contracted to fused
multiply-adds, which the CPU's kernels do not use either: so floating results are the same, bit by bit.
"""

import functools

import numpy as np

from mtarray._kernels.cpu import random as cpu
from mtarray._kernels.cpu import random_core

from .kernel import Kernel, code_of
from .tensor import empty

FLOAT64, INT64, UINT64 = np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.uint64)
_BLOCK = 128
_MANY = 1 << 20  # blocks of a launch at most; their threads then go on
_MASK64 = (1 << 64) - 1
_MASK32 = (1 << 32) - 1
_STATE = "u8 u8 u8 u8"  # key, first block, retry, stream

# What random_core is written with, for threads of the device and for the simulator's.
_DEVICE = """
@device
def as_bits(x):
    return U8(cuda.libdevice.double_as_longlong(x))

@device
def as_float(w):
    return cuda.libdevice.longlong_as_double(I8(w))

@device
def to_float(w):
    return F8(I8(w))

@device
def to_unsigned(x):
    return U8(I8(x))

@device
def select(condition, x, y):
    return F8(x) if condition else F8(y)

@device
def sqrt(x):
    return cuda.libdevice.dsqrt_rn(x)

@device
def floor(x):
    return cuda.libdevice.floor(x)

@device
def lookup(table, index):
    return table[index]
"""
_SIMULATED = """
def as_bits(x):
    return F8(x).view(U8)

def as_float(w):
    return U8(w).view(F8)

def to_float(w):
    return F8(w)

def to_unsigned(x):
    return U8(I8(x))

def select(condition, x, y):
    return F8(x) if condition else F8(y)

def sqrt(x):
    return np.sqrt(F8(x))

def floor(x):
    return np.floor(F8(x))

def lookup(table, index):
    return table[int(index)]
"""


@functools.cache
def _core(target):
    """The functions of `random_core` for threads."""
    simulated = target.simulated
    text = random_core.source(1) + random_core.source(2)
    if simulated:
        text = _SIMULATED + text
    else:
        text = _DEVICE + text.replace("\ndef ", "\n@device\ndef ")
    text += "\n\ndef functions():\n    return globals()\n"
    space = {
        "np": np, "device": target.device, "cuda": target.cuda, "U8": target.type(UINT64), "I8": target.type(INT64),
        "F8": target.type(FLOAT64),
    }  # fmt: skip
    return target.define("functions", text, space)()


# ---------------------------------------------------------------------- one element after the other


def pairs(target, name, dtype):
    """out = loc + scale * z, z of a dense distribution of which a block of Philox gives two."""
    cuda, T, U = target.cuda, target.type(dtype), target.type(UINT64)
    core = _core(target)
    philox, draw = core["philox"], core[name]

    def pairs(out, n, key, first, retry, stream, loc, scale):
        i = cuda.grid(1)
        while 2 * i < n:
            w0, w1, w2, w3 = philox(first + U(i), retry, stream, key)
            t0, t1 = draw(w0, w1, w2, w3)
            out[2 * i] = T(t0 * scale + loc)
            if 2 * i + 1 < n:
                out[2 * i + 1] = T(t1 * scale + loc)
            i += cuda.gridsize(1)

    return pairs


def fours(target, name, dtype):
    """The same, of which a block gives four."""
    cuda, T, U = target.cuda, target.type(dtype), target.type(UINT64)
    core = _core(target)
    philox, draw = core["philox"], core[name]

    def fours(out, n, key, first, retry, stream, loc, scale):
        i = cuda.grid(1)
        while 4 * i < n:
            w0, w1, w2, w3 = philox(first + U(i), retry, stream, key)
            t0, t1, t2, t3 = draw(w0, w1, w2, w3)
            out[4 * i] = T(t0 * scale + loc)
            if 4 * i + 1 < n:
                out[4 * i + 1] = T(t1 * scale + loc)
            if 4 * i + 2 < n:
                out[4 * i + 2] = T(t2 * scale + loc)
            if 4 * i + 3 < n:
                out[4 * i + 3] = T(t3 * scale + loc)
            i += cuda.gridsize(1)

    return fours


def whole(target, bits, dtype):
    """Integers of [low, low + span) (Lemire 2019), from words of 32 or 64 bits; threshold: 2**bits modulo span; a span of 0: 2**64."""
    cuda, T, U = target.cuda, target.type(dtype), target.type(UINT64)
    core = _core(target)
    philox, join, lemire, retried = core["philox"], core["join"], core[f"lemire{bits}"], core[f"retry{bits}"]
    PER = 128 // bits
    ZERO, ONE = np.uint64(0), np.uint64(1)

    def whole(out, n, key, first, retry, stream, low, span, threshold):
        i = cuda.grid(1)
        while PER * i < n:
            block = first + U(i)
            w0, w1, w2, w3 = philox(block, retry, stream, key)
            for lane in range(PER):
                if PER * i + lane < n:
                    if PER == 4:
                        w = w0 if lane == 0 else (w1 if lane == 1 else (w2 if lane == 2 else w3))
                    else:
                        w = join(w0, w1) if lane == 0 else join(w2, w3)
                    v, bad = lemire(w, span, threshold)
                    if bad != U(ZERO):
                        v = retried(block, lane, retry + U(ONE), stream, key, span, threshold)
                    out[PER * i + lane] = T(v + low)
            i += cuda.gridsize(1)

    return whole


def between(target, dtype):
    """Integers of [low[i], low[i] + span[i]); a span of 0: 2**64."""
    cuda, T, U = target.cuda, target.type(dtype), target.type(UINT64)
    retried = _core(target)["retry64"]
    ZERO = np.uint64(0)

    def between(out, n, key, first, retry, stream, low, span):
        i = cuda.grid(1)
        while i < n:
            s = span[i]
            threshold = U(ZERO) if s == U(ZERO) else (U(ZERO) - s) % s
            out[i] = T(retried(first + U(i // 2), i % 2, retry, stream, key, s, threshold) + low[i])
            i += cuda.gridsize(1)

    return between


def attempted(target, name, dtype, many):
    """A distribution with parameters, of numbers or (as `many` says of each) of arrays: one block, and its retries, an element."""
    cuda, T, U, F = target.cuda, target.type(dtype), target.type(UINT64), target.type(FLOAT64)
    core = _core(target)
    philox, draw = core["philox"], core[name]
    one, two = [target.device(_element if several else _number) for several in many]
    BLOCKS, MOST, STEPS = random_core.ATTEMPTS[name], random_core.MOST_ATTEMPTS, random_core.MOST_STEPS
    ONE, TWO, ZERO = np.uint64(1), np.uint64(2), np.float64(0)
    EACH = np.uint64(BLOCKS)

    def drawn(block, retry, stream, key, a, b):
        number, accepted, value = retry, False, F(ZERO)
        for _ in range(MOST):
            w0, w1, w2, w3 = philox(block, number, stream, key)
            v0, v1, v2, v3 = w0, w1, w2, w3
            x0, x1, x2, x3 = w0, w1, w2, w3
            if BLOCKS > 1:
                v0, v1, v2, v3 = philox(block, number + U(ONE), stream, key)
            if BLOCKS > 2:
                x0, x1, x2, x3 = philox(block, number + U(TWO), stream, key)
            value, accepted = draw(w0, w1, w2, w3, v0, v1, v2, v3, x0, x1, x2, x3, a, b)
            if accepted:
                return value
            number = number + U(EACH)
        return value

    drawn = target.device(drawn)
    if name not in random_core.SEARCHED:

        def attempted(out, n, key, first, retry, stream, a, b):
            i = cuda.grid(1)
            while i < n:
                out[i] = T(drawn(first + U(i), retry, stream, key, one(a, i), two(b, i)))
                i += cuda.gridsize(1)

        return attempted

    small, start, end = core[name + "_is_small"], core[name + "_start"], core[name + "_end"]

    def searched(out, n, key, first, retry, stream, a, b):
        i = cuda.grid(1)
        while i < n:
            p, q = one(a, i), two(b, i)
            if small(p, q):
                w0, w1, w2, w3 = philox(first + U(i), retry, stream, key)
                u, chance, ratio, shift = start(w0, w1, w2, w3, p, q)
                k, step = F(ZERO), 1
                while step <= STEPS and u > chance:
                    u = u - chance
                    k = F(step)
                    chance = chance * (ratio / F(step) + shift)
                    step += 1
                out[i] = T(end(k, p, q))
            else:
                out[i] = T(drawn(first + U(i), retry, stream, key, p, q))
            i += cuda.gridsize(1)

    return searched


def _element(x, i):
    return x[i]


def _number(x, i):
    return x


# ---------------------------------------------------------------------- launching


@functools.lru_cache(1024)
def _kernel(factory, *parameters):
    kind, dtype = factory.__name__, parameters[1] if factory is not between else parameters[0]
    more = {"pairs": "f8 f8", "fours": "f8 f8", "whole": "u8 u8 u8", "between": "*u8 *u8"}.get(kind)
    if more is None:
        more = " ".join(["*f8" if several else "f8" for several in parameters[2]])
    return Kernel(factory, parameters, f"*{code_of(dtype)} i8 {_STATE} {more}", _BLOCK)


def _run(kernel, out, threads, key, counter, *parameters):
    kernel.launch(
        out.driver, min(-(-threads // _BLOCK), _MANY), _BLOCK, out.address, out.size, key, counter & _MASK64, counter >> 64 & _MASK32,
        counter >> 96, *parameters,
    )  # fmt: skip
    return out


def _target(driver, shape, dtype, out):
    return empty(driver, shape, dtype) if out is None else out


class Engine:
    """The functions of the CPU's engine of random numbers (`_kernels.cpu.random`), for one device: Tensors instead of ndarrays.

    `out` must be contiguous, as the arrays of parameters, which have all elements of the result and the dtype that a kernel reads.
    """

    def __init__(self, driver):
        self.driver = driver

    def dense(self, name, key, counter, shape, dtype, loc=0.0, scale=1.0, out=None):
        """loc + scale * z of a dense distribution."""
        out = _target(self.driver, shape, dtype, out)
        per = random_core.DENSE[name]
        if out.size:
            _run(_kernel(pairs if per == 2 else fours, name, dtype), out, -(-out.size // per), key, counter, loc, scale)
        return out

    def integers(self, key, counter, shape, dtype, low, span):
        """Integers of [low, low + span)."""
        bits = cpu.integer_bits(span)
        out = empty(self.driver, shape, dtype)
        if out.size:
            kernel, bytes_ = _integer_kernel(whole, out, bits)
            _run(kernel, bytes_, -(-out.size * bits // 128), key, counter, low & _MASK64, span & _MASK64, (1 << bits) % span)
        return out

    def integers_between(self, key, counter, shape, dtype, low, span):
        """Integers of [low[i], low[i] + span[i]) for uint64 Tensors of so many elements; a span of 0: 2**64."""
        out = empty(self.driver, shape, dtype)
        if out.size:
            kernel, bytes_ = _integer_kernel(between, out)
            _run(kernel, bytes_, out.size, key, counter, low.address, span.address)
        return out

    def attempts(self, name, key, counter, shape, dtype, a, b, out=None):
        """A distribution with parameters: floats, or float64 Tensors of so many elements."""
        out = _target(self.driver, shape, dtype, out)
        if out.size:
            many = tuple([not isinstance(p, float) for p in (a, b)])
            given = [p.address if several else p for p, several in zip((a, b), many)]
            _run(_kernel(attempted, name, dtype, many), out, out.size, key, counter, *given)
        return out

    def words(self, key, counter, n):
        """n raw 32-bit words as uint32, four of each block."""
        return self.integers(key, counter, (n,), np.dtype(np.uint32), 0, 1 << 32)

    def permutation(self, key, counter, n):
        """A random permutation of range(n), int64."""
        from . import random_shuffle

        return random_shuffle.permutation(self.driver, key, counter, n)


def _integer_kernel(factory, out, *parameters):
    """(kernel, what it fills): truth values are bytes of 0 and 1."""
    if out.dtype.kind == "b":
        out = out.viewed(np.dtype(np.uint8))
    return _kernel(factory, *parameters, out.dtype), out


INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")


def every():
    """All kernels of this module."""
    for name, per in random_core.DENSE.items():
        for code in ("f4", "f8"):
            yield _kernel(pairs if per == 2 else fours, name, np.dtype(code))
    for code in INTEGERS:
        for bits in (32, 64):
            yield _kernel(whole, bits, np.dtype(code))
        yield _kernel(between, np.dtype(code))
    for name in random_core.ATTEMPTS:
        for code in ("f4", "f8") if name in ("gamma", "beta") else ("i8",):
            for many in ((False, False), (False, True), (True, False), (True, True)):
                yield _kernel(attempted, name, np.dtype(code), many)
