"""Random permutations on the device: the CPU's (see `_kernels.cpu.random_shuffle`), without its order of work.

Fisher and Yates exchange element i with an element j(i) <= i, for one i after the other. Read backwards this says where each element of
the result comes from: at place p lies the last i > p with j(i) = p; if there is none, what was put there in step p, which lay at place j(p)
before: the last i < p with j(i) = j(p), or what was put there in step j(p), and so on. These chains are short (a logarithm of the length in
the mean), as are the lists of the i with one j, so each place follows its own.
"""

from functools import lru_cache

import numpy as np

from . import atomics
from .kernel import Kernel, code_of
from .random import _MASK32, _MASK64, UINT64, _core
from .tensor import empty

INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)
LEAF = 1 << 15  # as on the CPU: above, elements go to buckets first
_BLOCK = 128
_MANY = 1 << 20
_STATE = "u8 u8 u8 u8"  # key, first block, retry, stream


def bucketed(target):
    """The bucket of each element: the highest bits of a word of its own."""
    cuda, I, U = target.cuda, target.type(INT32), target.type(UINT64)
    philox = _core(target)["philox"]

    def bucketed(out, n, key, first, retry, stream, shift):
        i = cuda.grid(1)
        while 4 * i < n:
            w0, w1, w2, w3 = philox(first + U(i), retry, stream, key)
            for lane in range(4):
                if 4 * i + lane < n:
                    w = w0 if lane == 0 else (w1 if lane == 1 else (w2 if lane == 2 else w3))
                    out[4 * i + lane] = I(w >> shift)
            i += cuda.gridsize(1)

    return bucketed


def started(target):
    """Where each bucket starts, of the elements in the order of their buckets."""
    cuda = target.cuda

    def started(starts, buckets, order, n, count):
        i = cuda.grid(1)
        while i <= n:
            low = buckets[order[i - 1]] + 1 if i > 0 else 0
            high = buckets[order[i]] if i < n else count
            for b in range(low, high + 1):
                starts[b] = i
            i += cuda.gridsize(1)

    return started


def aimed(target, dtype):
    """With which place each place of a bucket exchanges; and each place's list of those that exchange with it, still empty."""
    cuda, I, U = target.cuda, target.type(dtype), target.type(UINT64)
    core = _core(target)
    lemire, retried, philox = core["lemire32"], core["retry32"], core["philox"]
    ZERO, ONE, WHOLE = np.uint64(0), np.uint64(1), np.uint64(1 << 32)

    def aimed(aims, heads, starts, buckets, order, n, key, first, retry, stream, several):
        i = cuda.grid(1)
        while i < n:
            start = 0
            if several:
                start = starts[buckets[order[i]]]
            w0, w1, w2, w3 = philox(first + U(i // 4), retry, stream, key)
            lane = i % 4
            w = w0 if lane == 0 else (w1 if lane == 1 else (w2 if lane == 2 else w3))
            span = U(i - start + 1)
            threshold = (U(WHOLE) - span) % span
            v, bad = lemire(w, span, threshold)
            if bad != U(ZERO):
                v = retried(first + U(i // 4), lane, retry + U(ONE), stream, key, span, threshold)
            aims[i] = I(start + I(v))
            heads[i] = I(-1)
            i += cuda.gridsize(1)

    return aimed


def listed(target, dtype):
    """Hang each place into the list of the one that it exchanges with. The order of a list is by chance, and nobody asks for it."""
    cuda, I = target.cuda, target.type(dtype)
    exchange = atomics.exchange(target)

    def listed(heads, following, aims, n):
        i = cuda.grid(1)
        while i < n:
            j = aims[i]
            if j != i:
                following[i] = exchange(heads, j, I(i))
            i += cuda.gridsize(1)

    return listed


def drawn(target, dtype):
    """The permutation: what lies at each place in the end."""
    cuda, I = target.cuda, target.type(dtype)

    def drawn(out, heads, following, aims, order, n, several):
        i = cuda.grid(1)
        while i < n:
            # The last that exchanged with this place.
            found = I(-1)
            j = heads[i]
            while j >= 0:
                if j > found:
                    found = j
                j = following[j]
            place = I(i)
            while found < 0:
                to = aims[place]
                if to == place:
                    found = place
                else:  # what lay there before: put by the last that exchanged with it earlier
                    j = heads[to]
                    while j >= 0:
                        if j < place and j > found:
                            found = j
                        j = following[j]
                    place = to
            v = order[found] if several else found
            out[i] = v
            i += cuda.gridsize(1)

    return drawn


@lru_cache(16)
def _kernel(factory, *parameters):
    p = code_of(parameters[0]) if parameters else ""
    words = {
        bucketed: f"*i4 i8 {_STATE} u8",
        started: "*i8 *i4 *i8 i8 i8",
        aimed: f"*{p} *{p} *i8 *i4 *i8 i8 {_STATE} i8",
        listed: f"*{p} *{p} *{p} i8",
        drawn: f"*i8 *{p} *{p} *{p} *i8 i8 i8",
    }
    return Kernel(factory, parameters, words[factory], _BLOCK)


def _grid(threads):
    return min(-(-threads // _BLOCK), _MANY)


def permutation(driver, key, counter, n):
    """A random permutation of range(n), int64 of shape (n,). Scratch: 12 or 24 bytes for each element, and more above `LEAF`."""
    out = empty(driver, (n,), INT64)
    if not n:
        return out
    state = (key, counter & _MASK64, counter >> 64 & _MASK32, counter >> 96)
    several = int(n > LEAF)
    starts = buckets = order = out  # not read
    if several:
        from . import sorting

        width = max(1, (2 * n // LEAF - 1).bit_length())
        buckets = empty(driver, (n,), INT32)
        _kernel(bucketed).launch(driver, _grid(-(-n // 4)), _BLOCK, buckets.address, n, *state, 32 - width)
        order = sorting.order_along(buckets, axis=0, descending=False, stable=True)
        starts = empty(driver, ((1 << width) + 1,), INT64)
        _kernel(started).launch(driver, _grid(n + 1), _BLOCK, starts.address, buckets.address, order.address, n, 1 << width)
        state = (key, counter + (n + 3) // 4 & _MASK64, *state[2:])
    places = INT32 if n < 1 << 31 else INT64
    aims, heads, following = [empty(driver, (n,), places) for _ in range(3)]
    _kernel(aimed, places).launch(
        driver, _grid(n), _BLOCK, aims.address, heads.address, starts.address, buckets.address, order.address, n, *state, several
    )
    _kernel(listed, places).launch(driver, _grid(n), _BLOCK, heads.address, following.address, aims.address, n)
    _kernel(drawn, places).launch(
        driver, _grid(n), _BLOCK, out.address, heads.address, following.address, aims.address, order.address, n, several
    )
    return out


def every():
    """All kernels of this module."""
    yield _kernel(bucketed)
    yield _kernel(started)
    for places in (INT32, INT64):
        for factory in (aimed, listed, drawn):
            yield _kernel(factory, places)
