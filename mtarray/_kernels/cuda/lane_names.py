"""Numba's `cuda` for the lanes of the simulator: indices, barriers, warp operations, atomics, arrays. Each is told mask and place."""

import functools
import linecache
import math
import os

import numpy as np

from . import lanes
from .lane_memory import Memory, Shadow, wrapped
from .lane_rewriting import SITES

ALL = 0xFFFFFFFF
STATIC, DYNAMIC = 48 << 10, 227 << 10  # bytes of shared memory of a block: of arrays of fixed shape, and of all


class Dim:
    __slots__ = ("x", "y", "z")

    def __init__(self, x=1, y=1, z=1):
        self.x, self.y, self.z = x, y, z


class Geometry:
    """What the lanes of so many blocks of one shape have in common, whatever the launch."""

    def __init__(self, shape, blocks):
        x, y, z = shape
        self.threads = x * y * z
        self.n = self.threads * blocks
        self.block = np.repeat(np.arange(blocks), self.threads)  # of each lane, among the blocks that run together
        self.thread = np.tile(np.arange(self.threads), blocks)
        self.threadIdx = Dim(
            self.thread % x if y * z > 1 else self.thread,
            self.thread // x % y if y > 1 else 0,
            self.thread // (x * y) if z > 1 else 0,
        )
        self.lane = self.thread % 32
        self.first = np.arange(self.n) - self.lane  # lane of the first thread of the warp
        self.warps = -(-self.threads // 32)  # of a block
        self.warp = self.block * self.warps + self.thread // 32
        self.starts = np.flatnonzero(self.lane == 0)
        self.bit = np.left_shift(1, self.lane)
        self.present = np.add.reduceat(self.bit, self.starts)[self.warp]  # the lanes of the warp, as bits


@functools.lru_cache(64)
def geometry(shape, blocks):
    return Geometry(shape, blocks)


class State:
    """The lanes of some blocks of a launch, which run together; as `cuda`, what their kernel calls."""

    warpsize = 32

    def __init__(self, kernel, grid, block, first, blocks, dynamic, thorough):
        g = self.geometry = geometry(block, blocks)
        self.kernel, self.n, self.count, self.threads, self.first_block = kernel, g.n, blocks, g.threads, first
        self.blockDim, self.gridDim, self.threadIdx = Dim(*block), Dim(*grid), g.threadIdx
        if blocks == 1:
            self.blockIdx = Dim(first % grid[0], first // grid[0] % grid[1], first // (grid[0] * grid[1]))
        else:
            number = g.block + first
            flat = grid[1] * grid[2] == 1
            self.blockIdx = Dim(
                number if flat else number % grid[0],
                0 if flat else number // grid[0] % grid[1],
                0 if flat else number // (grid[0] * grid[1]),
            )
        self.everyone = slice(None)
        self.dynamic, self.bytes, self.arrays, self.statics = dynamic, None, {}, 0
        self.thorough = thorough
        if thorough:
            self.clock = 1
            self.ids = np.arange(g.n) + first * g.threads  # of the threads of the whole launch
            self.blocks, self.warps = g.block + first, g.warp + first * g.warps
            self.block_time, self.warp_time = np.zeros(g.n, np.int64), np.zeros(g.n, np.int64)
        self.shared, self.local, self.const, self.atomic = Shared(self), Local(self), Constant(self), Atomic(self)

    # --- faults

    def one_of(self, wrong):
        return 0 if wrong is True else int(np.flatnonzero(wrong)[0])

    def value_at(self, v, lane):
        return v[lane] if type(v) is np.ndarray else v

    def name_of(self, thread):
        """A thread by its number in the launch."""
        number, t = divmod(thread, self.threads)
        x, y, _ = self.blockDim.x, self.blockDim.y, 0
        gx, gy = self.gridDim.x, self.gridDim.y
        block = number % gx, number // gx % gy, number // (gx * gy)
        return f"thread {(t % x, t // x % y, t // (x * y))} of block {block}"

    def source(self, site):
        file, line, _ = SITES[site]
        return f"line {line} of {os.path.basename(file)}: {linecache.getline(file, line).strip()}"

    def fault(self, kind, site, lane, text):
        """Raise: the kernel, the thread, what it did, where."""
        if type(lane) is not int:
            lane = self.one_of(lane)
        who = self.name_of(self.first_block * self.threads + lane)
        raise kind(f"{self.kernel.name}, {who}: {text} ({self.source(site)})")

    # --- elements

    def get(self, m, site, x, i):
        if type(x) is Memory:
            return x.get(self, m, site, i)
        if type(i) is not np.ndarray and not (type(i) is tuple and any(type(k) is np.ndarray for k in i)):
            return x[i]
        x = np.asarray(x)  # a table
        return Memory("a table", np.ascontiguousarray(x).reshape(-1), x.shape, x.size).get(self, m, site, i)

    # --- indices

    @property
    def laneid(self):
        return self.geometry.lane

    @staticmethod
    def _along(axis, d, b, t):
        return getattr(b, axis) * getattr(d, axis) + getattr(t, axis)

    def grid(self, m, site, n):
        place = tuple([self._along(axis, self.blockDim, self.blockIdx, self.threadIdx) for axis in "xyz"[:n]])
        return place[0] if n == 1 else place

    def gridsize(self, m, site, n):
        size = tuple([getattr(self.blockDim, axis) * getattr(self.gridDim, axis) for axis in "xyz"[:n]])
        return size[0] if n == 1 else size

    # --- barriers

    def _barrier(self, m, site):
        if m is not True:
            here = np.count_nonzero(m.reshape(self.count, self.threads), axis=1)
            parted = (here > 0) & (here < self.threads)
            if np.count_nonzero(parted):
                b = int(np.flatnonzero(parted)[0])
                missing = int(np.flatnonzero(~m[b * self.threads : (b + 1) * self.threads])[0]) + b * self.threads
                self.fault(
                    RuntimeError,
                    site,
                    missing,
                    f"does not reach the barrier that {here[b]} of the {self.threads} threads of the block reach",
                )
        if self.thorough:
            self.clock += 1
            self.block_time[self.everyone if m is True else m] = self.clock

    def syncthreads(self, m, site):
        self._barrier(m, site)

    def _votes(self, m, site, given):
        self._barrier(m, site)
        votes = np.broadcast_to(lanes.truth(given), self.n).reshape(self.count, self.threads)
        return np.repeat(np.count_nonzero(votes, axis=1), self.threads)

    def syncthreads_count(self, m, site, given):
        return self._votes(m, site, given)

    def syncthreads_and(self, m, site, given):
        return (self._votes(m, site, given) == self.threads).astype(np.int64)

    def syncthreads_or(self, m, site, given):
        return (self._votes(m, site, given) > 0).astype(np.int64)

    def threadfence(self, m, site):
        pass

    threadfence_block = threadfence_system = threadfence

    # --- warps

    def _bits(self, given):
        """Of each lane the lanes of its warp for which something holds, as bits."""
        g = self.geometry
        if given is True:
            return g.present
        return np.add.reduceat(np.where(given, g.bit, 0), g.starts)[g.warp]

    def _meet(self, m, site, named):
        """Check that the lanes which the masks of a warp operation name all reach it."""
        g = self.geometry
        if type(named) is not np.ndarray:
            named = int(named) & ALL
            if m is True and named == ALL:
                return named
        else:
            named = named.astype(np.int64) & ALL
        here = self._bits(m)
        missing = named & g.present & ~here
        wrong = (missing != 0) | (named & g.bit == 0)
        if m is not True:
            wrong = wrong & m
        if np.count_nonzero(wrong):
            lane = self.one_of(wrong)
            mask, gone = int(self.value_at(named, lane)), int(missing[lane])
            if gone:
                other = int(g.first[lane]) + (gone & -gone).bit_length() - 1
                where = self.name_of(self.first_block * self.threads + other)
                self.fault(RuntimeError, site, lane, f"the mask {mask:#x} of this warp operation names {where}, which does not reach it")
            self.fault(RuntimeError, site, lane, f"the mask {mask:#x} of this warp operation does not name the thread itself")
        return named

    def syncwarp(self, m, site, named=ALL):
        self._meet(m, site, named)
        if self.thorough:
            self.clock += 1
            self.warp_time[self.everyone if m is True else m] = self.clock

    def _shuffled(self, m, site, named, value, source):
        """value of lane `source` of the warp; its own where there is no such lane."""
        g = self.geometry
        named = self._meet(m, site, named)
        if type(value) is not np.ndarray:
            return value
        valid = (source >= 0) & (source < 32)
        bit = np.where(valid, source, 0)
        there = (g.present >> bit) & 1 == 1
        valid = valid & there
        unnamed = valid & (named >> bit & 1 == 0)
        if m is not True:
            unnamed = unnamed & m
        if np.count_nonzero(unnamed):
            self.fault(RuntimeError, site, unnamed, "takes a value from a lane that the mask of this warp operation does not name")
        return value[np.where(valid, g.first + bit, np.arange(self.n))]

    def shfl_sync(self, m, site, named, value, source):
        return self._shuffled(m, site, named, value, (source + np.zeros(self.n, np.int64)) % 32)

    def shfl_up_sync(self, m, site, named, value, d):
        return self._shuffled(m, site, named, value, self.geometry.lane - d)

    def shfl_down_sync(self, m, site, named, value, d):
        return self._shuffled(m, site, named, value, self.geometry.lane + d)

    def shfl_xor_sync(self, m, site, named, value, d):
        return self._shuffled(m, site, named, value, self.geometry.lane ^ d)

    def _ballot(self, m, site, named, given):
        named = self._meet(m, site, named)
        given = lanes.both(m, given)
        return (0 * self.geometry.bit if given is False else self._bits(given)) & named, named & self.geometry.present

    def ballot_sync(self, m, site, named, given):
        return self._ballot(m, site, named, given)[0]

    def all_sync(self, m, site, named, given):
        found, asked = self._ballot(m, site, named, given)
        return found == asked

    def any_sync(self, m, site, named, given):
        return self._ballot(m, site, named, given)[0] != 0

    def eq_sync(self, m, site, named, given):
        found, asked = self._ballot(m, site, named, given)
        return (found == asked) | (found == 0)

    def match_any_sync(self, m, site, named, value):
        g = self.geometry
        named = self._meet(m, site, named)
        value = np.broadcast_to(value, self.n)
        out = np.zeros(self.n, np.int64)
        for s in range(32):
            there = (g.present >> s) & 1 == 1
            other = np.where(there, g.first + s, 0)
            out |= np.where(there & (value == value[other]), 1 << s, 0)
        return out & named & self._bits(m)

    def match_all_sync(self, m, site, named, value):
        found = self.match_any_sync(m, site, named, value)
        every = found == (named & self.geometry.present)
        return np.where(every, found, 0), every

    def activemask(self, m, site):
        return self._bits(m)

    def lanemask_lt(self, m, site):
        return self.geometry.bit - 1

    # --- numbers

    def popc(self, m, site, x):
        if type(x) is int:
            return (x & (1 << 64) - 1 if x < 0 else x).bit_count()
        return np.bitwise_count(_unsigned(x)).astype(np.int64)

    def clz(self, m, site, x):
        x = _unsigned(np.int64(x) if type(x) is int else x)
        bits = 8 * x.dtype.itemsize
        for s in (1, 2, 4, 8, 16, 32):
            if s < bits:
                x = x | (x >> s)
        return bits - np.bitwise_count(x).astype(np.int64)

    def ffs(self, m, site, x):
        x = _unsigned(np.int64(x) if type(x) is int else x)
        return np.where(x == 0, 0, np.bitwise_count(x ^ (x - x.dtype.type(1))).astype(np.int64))

    def brev(self, m, site, x):
        x = np.int64(x) if type(x) is int else x
        u = _unsigned(x)
        bits = 8 * u.dtype.itemsize
        out = u & u.dtype.type(0)
        for s in range(bits):
            out = out | ((u >> s & u.dtype.type(1)) << (bits - 1 - s))
        return out.view(x.dtype)

    def selp(self, m, site, condition, a, b):
        return lanes.conditional(m, condition, lambda _: a, lambda _: b)

    def fma(self, m, site, a, b, c):
        return fused(a, b, c)

    def cbrt(self, m, site, x):
        return np.cbrt(x)


def _unsigned(x):
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))


def fused(a, b, c):
    """a * b + c with one rounding."""
    kind = np.result_type(a, b, c)
    if kind.char == "f":
        # The product is exact in float64; the sum, rounded to odd there, rounds to float32 as the exact one does.
        p, c = np.float64(a) * np.float64(b), np.float64(c)
        return _to_odd(p, c).astype(np.float32)
    if kind.char != "d":
        return a * b + c
    a, b, c = np.float64(a), np.float64(b), np.float64(c)
    p = a * b
    sizes = np.abs(a), np.abs(b), np.abs(c), np.abs(p)
    easy = (np.maximum(np.maximum(sizes[0], sizes[1]), np.maximum(sizes[2], sizes[3])) < 1e290) & (sizes[3] > 1e-250)
    ha, hb = a * 134217729.0, b * 134217729.0
    ha, hb = ha - (ha - a), hb - (hb - b)
    la, lb = a - ha, b - hb
    e = ((ha * hb - p) + ha * lb + la * hb) + la * lb  # p + e is the product
    t, u = _two_sum(c, e)
    v, w = _two_sum(p, t)
    out = v + _to_odd(w, u)
    if np.all(easy):
        return out
    plain = p + c
    hard = ~easy & np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)
    out = np.where(easy, out, plain)
    if np.count_nonzero(hard):
        from mtarray._kernels.scalarlib import reference

        out = np.where(hard, lanes.one_by_one(reference.fma, hard if type(hard) is np.ndarray else True, (a, b, c)), out)
    return out[()]


def _two_sum(a, b):
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _to_odd(a, b):
    """a + b in float64; if that is no float64, the neighbour whose last bit is 1."""
    s, e = _two_sum(a, b)
    bits = s.view(np.int64)
    fix = (e != 0) & np.isfinite(s) & np.isfinite(e) & (bits & 1 == 0)
    toward = np.where((e > 0) == (s > 0), 1, -1)  # away from zero, or to it
    return np.where(fix, bits + toward, bits).view(np.float64)


# ---------------------------------------------------------------------- arrays


def _shape(shape):
    return tuple(int(n) for n in shape) if isinstance(shape, tuple) else (int(shape),)


class Shared:
    def __init__(self, state):
        self.state = state

    def array(self, m, site, shape, dtype):
        """The array of this place in the source, one a block. shape 0: the dynamic shared memory, from its beginning."""
        L = self.state
        found = L.arrays.get(site)
        if found is None:
            found = L.arrays[site] = self._dynamic(site, dtype) if shape == 0 else self._static(site, _shape(shape), np.dtype(dtype))
        return found

    def _static(self, site, shape, dtype):
        L = self.state
        size = math.prod(shape)
        L.statics += size * dtype.itemsize
        if L.statics > STATIC:
            L.fault(RuntimeError, site, 0, f"shared arrays of {L.statics} bytes; a block may have {STATIC}")
        flat = np.empty(size * L.count, dtype)
        base = L.geometry.block * size if L.count > 1 else 0
        shadow = Shadow(flat.size) if L.thorough else None
        return Memory(SITES[site][2] or "a shared array", flat, shape, size, base, known=np.zeros(flat.size, bool), shadow=shadow)

    def _dynamic(self, site, dtype):
        L, dtype = self.state, np.dtype(dtype)
        pitch = -(-L.dynamic // 16) * 16
        if L.bytes is None:
            L.bytes = np.empty(pitch * L.count, np.uint8), np.zeros(pitch * L.count, bool), Shadow(pitch * L.count) if L.thorough else None
        memory, known, shadow = L.bytes
        size = L.dynamic // dtype.itemsize
        base = L.geometry.block * (pitch // dtype.itemsize) if L.count > 1 else 0
        return Memory(
            SITES[site][2] or "the dynamic shared array", memory.view(dtype), (size,), size, base,
            known=known.reshape(-1, dtype.itemsize), shadow=shadow, granules=dtype.itemsize,
        )  # fmt: skip


class Local:
    def __init__(self, state):
        self.state = state

    def array(self, m, site, shape, dtype):
        L = self.state
        shape = _shape(shape)
        size = math.prod(shape)
        flat = np.empty(size * L.n, dtype)
        base = np.arange(L.n) if L.n > 1 else 0
        name = SITES[site][2] or "a local array"
        return Memory(name, flat, shape, size, base, L.n, known=np.zeros(flat.size, bool))


class Constant:
    def __init__(self, state):
        self.state = state

    def array_like(self, m, site, x):
        return np.asarray(x)


# ---------------------------------------------------------------------- atomics


def _increment(old, value):
    return old.dtype.type(0) if old >= value else old + old.dtype.type(1)


def _decrement(old, value):
    return value if old == 0 or old > value else old - old.dtype.type(1)


class Atomic:
    def __init__(self, state):
        self.state = state

    def _each(self, m, site, memory, i, value, step, ufunc=None, wanted=True):
        """Lane by lane: the element becomes step(element, value); what it was. ufunc: the same for arrays of them."""
        L = self.state
        j = memory.place(L, m, site, i, "atomic change")
        j, who = memory.flats(L, m, j)
        flat = memory.flat
        self._watch(memory, m, site, i, j, who)
        if type(value) is np.ndarray:
            value = value[who].astype(flat.dtype)
        else:
            value = np.full(j.size, wrapped(value, flat.dtype) if type(value) is int else value, flat.dtype)
        if not wanted and ufunc is not None:
            ufunc.at(flat, j, value)
            return None
        if ufunc is np.add and flat.dtype.kind in "iu":
            old = _sums_before(flat, j, value)
            np.add.at(flat, j, value)
        else:
            old = np.empty(j.size, flat.dtype)
            for k, g in enumerate(j.tolist()):
                old[k] = flat[g]
                flat[g] = step(flat[g], value[k])
        if m is True:
            return old
        out = np.zeros(L.n, flat.dtype)
        out[who] = old
        return out

    def _watch(self, memory, m, site, i, j, who):
        L = self.state
        if memory.known is not None:
            known = memory.known[j]
            if not known.all():
                lane = int(np.arange(L.n)[who][~(known if known.ndim == 1 else known.all(1))][0])
                L.fault(RuntimeError, site, lane, f"atomic change of {memory.at(L, i, lane)}, which nobody has written")
        if memory.shadow is not None:
            memory.shadow.changed(memory, L, who, site, i, j)

    def add(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.add, np.add, wanted)

    def sub(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.subtract, np.subtract, wanted)

    def max(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.maximum, np.maximum, wanted)

    def min(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.minimum, np.minimum, wanted)

    def nanmax(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.fmax, np.fmax, wanted)

    def nanmin(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.fmin, np.fmin, wanted)

    def and_(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.bitwise_and, np.bitwise_and, wanted)

    def or_(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.bitwise_or, np.bitwise_or, wanted)

    def xor(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, np.bitwise_xor, np.bitwise_xor, wanted)

    def inc(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, _increment)

    def dec(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, _decrement)

    def exch(self, m, site, x, i, value, wanted=True):
        return self._each(m, site, x, i, value, lambda old, new: new)

    def cas(self, m, site, x, i, old, value, wanted=True):
        L = self.state
        j = x.place(L, m, site, i, "atomic change")
        j, who = x.flats(L, m, j)
        self._watch(x, m, site, i, j, who)
        expected = np.broadcast_to(np.asarray(old, x.dtype), L.n)[who]
        value = np.broadcast_to(np.asarray(value, x.dtype), L.n)[who]
        out = np.zeros(L.n, x.dtype)
        lanes_ = np.arange(L.n)[who]
        for k, g in enumerate(j.tolist()):
            out[lanes_[k]] = x.flat[g]
            if x.flat[g] == expected[k]:
                x.flat[g] = value[k]
        return out

    def compare_and_swap(self, m, site, x, old, value, wanted=True):
        return self.cas(m, site, x, (0,) * len(x.shape) if len(x.shape) > 1 else 0, old, value)


def _sums_before(flat, j, value):
    """What each of the additions to integers finds, in the order of the lanes."""
    order = np.argsort(j, kind="stable")
    j, value = j[order], value[order]
    upto = np.cumsum(value, dtype=flat.dtype)
    begins = np.flatnonzero(np.concatenate([[True], j[1:] != j[:-1]]))
    before = upto - value
    lengths = np.diff(np.append(begins, j.size))
    out = np.empty(j.size, flat.dtype)
    out[order] = flat[j] + (before - np.repeat(before[begins], lengths))
    return out
