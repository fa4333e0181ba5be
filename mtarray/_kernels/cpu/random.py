"""Random numbers as ndarrays: pure functions of (key, counter), the same for every size of machine and every tier.

`key` is an int below 2**64, `counter` one below 2**128: its low 64 bits count blocks of Philox, the next 32 are the number of the
retry (0 between calls), the top 32 name the stream. Element i of a call uses block i // per (per = elements in a block, `per_block`)
from the counter's on, so a call of n elements uses `blocks(...)` of them and two calls with whole blocks equal one call.

Up to `SMALL` elements NumPy evaluates the formulas, unless the kernel is already in memory: the bits are the same, and nothing is
compiled for a handful of numbers. Parameters must be valid (the public functions check); scratch is at most a few MiB.
"""

import sys

import numpy as np

from .. import settings
from . import pool, random_core

SMALL = 2048  # set to -1 (kernels only) or a huge number (NumPy only) by `set_mode`
PIECE = 1 << 17  # elements whose parameters are broadcast at a time: 2 MiB of scratch
_MASK64 = (1 << 64) - 1
_MASK32 = (1 << 32) - 1


def _signed(word):
    word &= _MASK64
    return word - (1 << 64) if word >> 63 else word


def _count(shape):
    n = 1
    for extent in shape:
        n *= extent
    return n


def _words(key, counter, lo, hi, retry=0):
    """Philox words, as four uint64 arrays, of the blocks lo <= i < hi after the counter's."""
    return _words_at(key, counter, np.arange(hi - lo, dtype=np.uint64) + np.uint64((counter + lo) & _MASK64), retry)


_MULTIPLIERS = np.array([[random_core.MULTIPLIER0], [random_core.MULTIPLIER1]])
_WEYL = np.arange(10, dtype=np.uint64)[:, None, None] * np.array([[random_core.WEYL1], [random_core.WEYL0]])


def _words_at(key, counter, block, retry):
    """`random_core.philox` of many blocks, with the two halves of a round as the rows of one array: a third of the calls."""
    keys = (np.array([[key >> 32], [key & _MASK32]], np.uint64) + _WEYL) & random_core.LOW32
    even = np.empty((2, block.size), np.uint64)  # c0, c2
    odd = np.empty((2, block.size), np.uint64)  # c3, c1
    even[0] = block & random_core.LOW32
    even[1] = ((counter >> 64) + retry) & _MASK32
    odd[0] = counter >> 96
    odd[1] = block >> random_core.U32
    for k in keys:
        product = even * _MULTIPLIERS
        odd ^= product >> random_core.U32
        odd ^= k
        even, odd = odd[::-1], product & random_core.LOW32
    return even[0], odd[1], even[1], odd[0]


def set_mode(mode):
    """Tiers: "auto", "numba" (kernels at every size), "prange" (as "auto") or "python" (nothing compiled). The numbers are the same."""
    global SMALL
    SMALL = {"auto": 2048, "numba": -1, "prange": 2048, "python": 1 << 63}[mode]


def _kernel(kind, name, dtype, n):
    """The compiled kernel's module, or None where NumPy serves."""
    kernels = sys.modules.get(__package__ + ".random_kernels")
    if n <= SMALL and (SMALL > 1 << 62 or not kernels or not kernels.loaded(kind, name, dtype)):
        return None
    from . import random_kernels

    return random_kernels


def _output(shape, dtype, out):
    """(result, contiguous array to fill): `out` itself when it is contiguous."""
    if out is None:
        out = pool.empty(shape, dtype)
        return out, out
    return out, out if out.flags.c_contiguous and out.flags.aligned else pool.empty(shape, dtype)


def _finish(out, target):
    if out is not target:
        out[...] = target
    return out


def per_block(name):
    """Elements that one block gives: 2 or 4 for a dense distribution, 4 or 2 for integers by 32 or 64 bits, else 1."""
    if isinstance(name, int):
        return 128 // name
    return random_core.DENSE.get(name, 1)


def blocks(name, n):
    """Blocks that n elements use."""
    per = per_block(name)
    return (n + per - 1) // per


def dense(name, key, counter, shape, dtype, loc=0.0, scale=1.0, out=None):
    """`loc + scale * z` with z of the dense distribution `name` (a key of `random_core.DENSE`), rounded to dtype at the end.

    shape: tuple of ints; dtype: np.float32 or np.float64; loc, scale: floats. Returns `out`, or a new C-contiguous ndarray.
    """
    dtype = np.dtype(dtype)
    n = _count(shape)
    out, target = _output(shape, dtype, out)
    if n == 0:
        return out
    kernels = _kernel("dense", name, dtype, n)
    if kernels is None:
        with np.errstate(all="ignore"):
            z = getattr(random_core, name)(*_words(key, counter, 0, blocks(name, n)))
            z = np.stack(z, axis=1).reshape(-1)[:n]
            target[...] = (z * scale + loc).reshape(shape)
    else:
        parameters = np.array([loc, scale], np.float64)
        fn = kernels.address("dense", name, dtype)
        _run(kernels, fn, blocks(name, n), kernels.CHUNK_BLOCKS, key, counter, target, n, parameters)
    return _finish(out, target)


def _run(kernels, fn, extent, chunk, key, counter, target, n, parameters):
    retry_stream = _signed((counter >> 64) & _MASK64)
    at = kernels.driver.address
    kernels.run(fn, extent, chunk, at(target), n, _signed(key), _signed(counter), retry_stream, at(parameters))


def integer_bits(span):
    """Bits that an integer of [0, span) is drawn from; 32 only where a rejection is rare (below 2**-12) or impossible."""
    return 32 if span <= 1 << 20 or (span <= 1 << 32 and span & (span - 1) == 0) else 64


def _lemire(bits, words, span):
    """(value, rejected) for uint64 words of `bits` bits and uint64 spans (0: 2**64)."""
    with np.errstate(all="ignore"):
        if bits == 32:
            product = words * span
            return product >> np.uint64(32), (product & random_core.LOW32) < (np.uint64(1 << 32) - span) % span
        a, b = words & random_core.LOW32, words >> random_core.U32
        c, d = span & random_core.LOW32, span >> random_core.U32
        low = a * c
        mid = b * c + (low >> random_core.U32)
        cross = a * d + (mid & random_core.LOW32)
        high = b * d + (mid >> random_core.U32) + (cross >> random_core.U32)
        whole = span == 0
        return np.where(whole, words, high), ~whole & (words * span < (np.uint64(0) - span) % np.where(whole, np.uint64(1), span))


def _draw_integers(bits, key, counter, lo, n, span):
    """uint64 values in [0, span) of the elements lo <= i < lo + n (lo a multiple of the elements per block), by NumPy."""
    per = 128 // bits
    w = _words(key, counter, lo // per, (lo + n + per - 1) // per)
    lanes = w if bits == 32 else (random_core.join(w[0], w[1]), random_core.join(w[2], w[3]))
    value, rejected = _lemire(bits, np.stack(lanes, axis=1).reshape(-1)[:n], span)
    retry = 0
    while rejected.any():
        retry += 1
        at = np.flatnonzero(rejected)
        block = (at // per).astype(np.uint64) + np.uint64((counter + lo // per) & _MASK64)
        w = _words_at(key, counter, block, retry)
        lanes = w if bits == 32 else (random_core.join(w[0], w[1]), random_core.join(w[2], w[3]))
        words = np.stack(lanes, axis=1)[np.arange(at.size), at % per]
        value[at], rejected[at] = _lemire(bits, words, span[at] if span.size > 1 else span)
    return value


def integers(key, counter, shape, dtype, low, span, out=None):
    """Integers of [low, low + span), 1 <= span <= 2**64, each equally likely (Lemire 2019); they must fit dtype (integer or bool)."""
    dtype = np.dtype(dtype)
    n = _count(shape)
    bits = integer_bits(span)
    out, target = _output(shape, dtype, out)
    if n == 0:
        return out
    kernels = _kernel("integers", bits, dtype, n)
    if kernels is None:
        value = _draw_integers(bits, key, counter, 0, n, np.full(1, span & _MASK64, np.uint64))
        target[...] = (value + np.uint64(low & _MASK64)).astype(dtype).reshape(shape)
    else:
        parameters = np.array([low & _MASK64, span & _MASK64, (1 << bits) % span], np.uint64)
        fn = kernels.address("integers", bits, dtype)
        _run(kernels, fn, blocks(bits, n), kernels.CHUNK_BLOCKS, key, counter, target, n, parameters)
    return _finish(out, target)


def integers_between(key, counter, shape, dtype, low, span, out=None):
    """As `integers` with 64 bits, with uint64 arrays low (modulo 2**64) and span (0: 2**64) that broadcast to shape."""
    dtype = np.dtype(dtype)
    n = _count(shape)
    out, target = _output(shape, dtype, out)
    low, span = np.broadcast_to(low, shape), np.broadcast_to(span, shape)
    flat = target.reshape(-1)
    for lo in range(0, n, PIECE):
        hi = min(n, lo + PIECE)
        value = _draw_integers(64, key, counter, lo, hi - lo, _piece(span, lo, hi))
        flat[lo:hi] = (value + _piece(low, lo, hi)).astype(dtype)
    return _finish(out, target)


def _piece(x, lo, hi):
    """Elements lo <= i < hi, in C order, of an array of any strides; one element where they are all the same."""
    if all(s == 0 or extent == 1 for s, extent in zip(x.strides, x.shape, strict=True)):
        return x[(slice(0, 1),) * x.ndim].reshape(1) if x.ndim else x.reshape(1)
    if x.flags.c_contiguous:
        return x.reshape(-1)[lo:hi]
    return x.flat[lo:hi]


def attempts(name, key, counter, shape, dtype, a, b=0.0, out=None):
    """The distribution `name` (a key of `random_core.ATTEMPTS`) with parameters a and b: numbers or arrays that broadcast to shape.

    dtype: float32 or float64 for gamma and beta, int64 for poisson, binomial and geometric. Element i uses block i and its retries.
    """
    dtype = np.dtype(dtype)
    n = _count(shape)
    out, target = _output(shape, dtype, out)
    if n == 0:
        return out
    a, b = np.broadcast_to(np.asarray(a), shape), np.broadcast_to(np.asarray(b), shape)
    kernels = _kernel("attempts", name, dtype, n)
    flat = target.reshape(-1)
    whole = a.size == 0 or (_piece(a, 0, n).size == 1 and _piece(b, 0, n).size == 1)
    step = n if whole and kernels else PIECE
    for lo in range(0, n, step):
        hi = min(n, lo + step)
        pa, pb = (np.ascontiguousarray(_piece(p, lo, hi), np.float64) for p in (a, b))
        if kernels is None:
            flat[lo:hi] = _attempt(name, key, counter, lo, hi, pa, pb)
        else:
            at = kernels.driver.address
            parameters = np.array([at(pa), pa.size > 1, at(pb), pb.size > 1], np.int64)
            moved = (counter & ~_MASK64) | ((counter + lo) & _MASK64)
            fn = kernels.address("attempts", name, dtype)
            _run(kernels, fn, hi - lo, kernels.CHUNK_ELEMENTS, key, moved, flat[lo:hi], hi - lo, parameters)
    return _finish(out, target)


def _attempt(name, key, counter, lo, hi, a, b):
    """float64 results of the elements lo <= i < hi by NumPy."""
    formula = getattr(random_core, name)
    steps = random_core.ATTEMPTS[name]
    block = np.arange(hi - lo, dtype=np.uint64) + np.uint64((counter + lo) & _MASK64)
    result = np.empty(hi - lo)
    at = np.arange(hi - lo)
    with np.errstate(all="ignore"):
        if name in random_core.SEARCHED:
            small = np.broadcast_to(getattr(random_core, name + "_is_small")(a, b), at.shape)
            found = at[small]
            pa, pb = (p[found] if p.size > 1 else p for p in (a, b))
            start = getattr(random_core, name + "_start")(*_words_at(key, counter, block[found], 0), pa, pb)
            result[found] = getattr(random_core, name + "_end")(_search(*start), pa, pb)
            at = at[~small]
        for attempt in range(random_core.MOST_ATTEMPTS if at.size else 0):
            words = [_words_at(key, counter, block[at], steps * attempt + j) for j in range(steps)]
            words += [words[0]] * (3 - steps)
            pa, pb = (p[at] if p.size > 1 else p for p in (a, b))
            value, accepted = formula(*words[0], *words[1], *words[2], pa, pb)
            accepted = np.broadcast_to(accepted, value.shape)
            result[at] = value
            at = at[~accepted]
            if at.size == 0:
                break
    return result


def _search(u, p, ratio, shift):
    """First k at which the sum of P(0) = p, P(k) = P(k - 1) * (ratio / k + shift) reaches u, at most `MOST_STEPS`."""
    k = np.zeros(u.shape)
    for step in range(1, random_core.MOST_STEPS + 1):
        more = u > p
        if not more.any():
            break
        u = np.where(more, u - p, u)
        k = np.where(more, k + 1.0, k)
        p = np.where(more, p * (ratio / step + shift), p)
    return k


def words(key, counter, n):
    """n raw 32-bit words as uint32, four of each block."""
    return integers(key, counter, (n,), np.uint32, 0, 1 << 32)


settings.follow("kernels", set_mode)
