"""Random permutations: every one equally likely, in parallel, and the same for any number of threads.

Up to `LEAF` elements this is the Fisher-Yates shuffle. Above, each element first goes to one of a power of two of buckets, by bits
of its own, and each bucket, which fits the cache, is shuffled by Fisher-Yates (Sanders, "Random permutations on distributed,
external and hierarchical memory", 1998). Both draw from the sub-stream of an element's index, so no order of work can be seen.
"""

import numpy as np

from . import pool, random
from .random import _draw_integers, _signed

LEAF = 1 << 15
_CHUNK = 1 << 16
_MASK64 = (1 << 64) - 1
_addresses = {}

# Words: 0 output, 1 elements, 2 key, 3 first block, 4 retry | stream << 32, 5 counts or positions, 6 shift, 7 chunk.
# A strip of 64 blocks of Philox is computed at a time, which vectorises; what consumes the words does not.
_STRIP = """
        for i in range({blocks}):
            w[4 * i], w[4 * i + 1], w[4 * i + 2], w[4 * i + 3] = philox(first + np.uint64({at} + i), retry, stream, key)
"""
_ARGUMENTS = """    n = ld64(args + 8)
    key = np.uint64(ld64(args + 16))
    first = np.uint64(ld64(args + 24))
    retry = np.uint64(ld64(args + 32)) & LOW32
    stream = np.uint64(ld64(args + 32)) >> U32
    table = i8(ld64(args + 40))
    shift = np.uint64(ld64(args + 48))
    out = i8(ld64(args))
    w = u8(frame_value())
"""


def _bucket_pass(consume):
    """[lo, hi) are chunks; each has its own row of the table, with an entry per bucket."""
    return (
        f"{_ARGUMENTS}    chunk = ld64(args + 56)\n    for c in range(lo, hi):\n"
        "        row = i8(ld64(args + 40) + 8 * c * (types.int64(1) << (types.int64(32) - types.int64(shift))))\n"
        "        for s in range(c * chunk, min(n, (c + 1) * chunk), 256):\n            m = min(256, n - s)\n"
        + _STRIP.format(blocks="(m + 3) // 4", at="s // 4").replace("\n    ", "\n        ")
        + f"            for i in range(m):\n                b = w[i] >> shift\n{consume}"
    )


_COUNT = _bucket_pass("                row[b] += 1\n")
_SCATTER = _bucket_pass("                out[row[b]] = s + i\n                row[b] += 1\n")
_SHUFFLE = (
    f"{_ARGUMENTS}    for c in range(lo, hi):\n        start = table[c]\n        end = table[c + 1]\n"
    "        for s in range(start - start % 4, end, 256):\n            m = min(256, end - s)\n"
    + _STRIP.format(blocks="(m + 3) // 4", at="s // 4").replace("\n    ", "\n        ")
    + """            for i in range(max(s, start) - s, m):
                span = np.uint64(s + i - start + 1)
                p = w[i] * span
                if (p & LOW32) < span:
                    threshold = np.uint64(1 << 32) % span
                    r = retry
                    while (p & LOW32) < threshold:
                        r += U1
                        w0, w1, w2, w3 = philox(first + np.uint64((s + i) // 4), r, stream, key)
                        lane = (s + i) % 4
                        p = (w0 if lane == 0 else (w1 if lane == 1 else (w2 if lane == 2 else w3))) * span
                j = start + types.int64(p >> U32)
                t = out[j]
                out[j] = out[s + i]
                out[s + i] = t
"""
)
_BODIES = {"count": _COUNT, "scatter": _SCATTER, "shuffle": _SHUFFLE}


def _address(name):
    fn = _addresses.get(name)
    if fn is None:
        from .. import build
        from . import random_kernels

        fn = _addresses[name] = build.kernel(f"random_{name}", _BODIES[name], random_kernels.prelude())
    return fn


def blocks(n):
    """Blocks that a permutation of n uses."""
    return (n + 3) // 4 * (1 if n <= LEAF else 2)


def permutation(key, counter, n):
    """A random permutation of range(n), int64 of shape (n,). Scratch: up to n / 8 bytes."""
    if n <= random.SMALL and (random.SMALL > 1 << 62 or "shuffle" not in _addresses):
        return _fisher_yates(key, counter, n)
    from . import driver

    at = driver.address
    out = pool.empty((n,), np.int64)
    retry_stream = _signed((counter >> 64) & _MASK64)
    if n <= LEAF:
        out[:] = np.arange(n)
        starts = np.array([0, n])
    else:
        width = max(1, (2 * n // LEAF - 1).bit_length())
        chunk = max(_CHUNK, 64 << width)
        chunks = (n + chunk - 1) // chunk
        table = np.zeros((chunks, 1 << width), np.int64)
        words = (at(out), n, _signed(key), _signed(counter), retry_stream, at(table), 32 - width, chunk)
        driver.run(_address("count"), chunks, 1, *words)
        ends = np.cumsum(table.T.reshape(-1)).reshape(1 << width, chunks)
        table = np.ascontiguousarray(ends.T - table)
        words = (at(out), n, _signed(key), _signed(counter), retry_stream, at(table), 32 - width, chunk)
        driver.run(_address("scatter"), chunks, 1, *words)
        starts = np.concatenate([[0], ends[:, -1]])
        counter = (counter & ~_MASK64) | ((counter + (n + 3) // 4) & _MASK64)
    driver.run(_address("shuffle"), starts.size - 1, 1, at(out), n, _signed(key), _signed(counter), retry_stream, at(starts))
    return out


def _fisher_yates(key, counter, n):
    """The same permutation without a kernel."""
    result = list(range(n))
    if n:
        target = _draw_integers(32, key, counter, 0, n, np.arange(1, n + 1, dtype=np.uint64)).tolist()
        for i, j in enumerate(target):
            result[i], result[j] = result[j], result[i]
    return np.array(result, np.int64)
