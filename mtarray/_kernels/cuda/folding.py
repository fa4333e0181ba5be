"""The kernels under every fold of axes: how threads share one out, and how what they found becomes one.

A fold is outputs x elements: what each output folds is walked by flat index, by `lanes` threads together, each 8 or 16 elements at a time,
whose loads are under way at once: that many bytes in flight it takes to keep the memory busy. Two layouts exist. In `rows` the elements
that neighbouring threads take are those of one output; in `columns`, where a kept axis lies closer in memory, neighbouring threads have
neighbouring outputs. Few outputs of many elements are cut into leaves, a few for each multiprocessor: a second kernel joins what the leaves
found. Which elements a thread takes, and who joins with whom, follow from shape, strides and device alone, so a device gives the same bits
in every run.

What a fold finds is a *state* of one to three numbers; a kind of fold is a `Functions` of such states.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mtarray import _strides

from .kernel import Kernel, code_of
from .tensor import Tensor, like

_BYTE = np.dtype(np.uint8)
BLOCK = 256  # threads
LEAF = 1 << 13  # the fewest elements of a leaf
WAVE = 6  # blocks for each multiprocessor, which runs three of them at once
ALL = 0xFFFFFFFF  # the lanes of a warp
ENDLESS = 1 << 62  # the length of an axis that is never left

# Names of the arguments of the kernels.
_KEPT = "m0 k0 o0 m1 k1 o1 k2 o2".split()  # of three kept axes, the innermost first: lengths (0: the outermost), strides, the result's
_FOLDED = "n0 s0 n1 s1 s2 q0 q1 jump b0 b1".split()  # of three folded axes: lengths, strides; what one step of a thread adds to them


class Functions(NamedTuple):
    """What one kind of fold does. All but the first three are functions of a thread.

    r: an element's flat index. origin: an element of the output, the same for all its threads (elements may count from it).
    """

    load: Any  # the dtype that elements are read as
    parts: tuple  # dtypes of a state: of the number itself where it is one
    none: Any  # what `grow` begins with
    one: Any  # (element, r, origin) -> state
    strip: Any  # (8 or 16 elements, r of the first, their distance, origin) -> state
    join: Any  # (state, state) -> state
    grow: Any  # (state, error, state of a strip) -> (state, error)
    settle: Any  # (state, error) -> state
    finish: Any  # (result, place, state, times, given, origin): write the result


def plainly(target, join):
    """`grow` and `settle` of states that carry no error."""

    def grow(s, e, t):
        return join(s, t), e

    def settle(s, e):
        return s

    return target.device(grow), target.device(settle)


# ---------------------------------------------------------------------- states


_CARRIER = {"b": "i4", "i1": "i4", "i2": "i4", "u1": "i4", "u2": "i4", "u4": "i4", "u8": "i8"}


def shuffles(target, dtype):
    """(down, up): (value, d) -> the value of the thread d lanes further on, or back. Hardware shuffles words of 4 and 8 bytes."""
    cuda, T = target.cuda, target.type(dtype)
    if dtype.kind == "c":

        def down(v, d):
            re = cuda.shfl_down_sync(ALL, v.real, d)
            im = cuda.shfl_down_sync(ALL, v.imag, d)
            return T(complex(re, im))

        def up(v, d):
            re = cuda.shfl_up_sync(ALL, v.real, d)
            im = cuda.shfl_up_sync(ALL, v.imag, d)
            return T(complex(re, im))
    else:
        S = target.type(np.dtype(_CARRIER.get(dtype.str[1:], dtype.str[1:])))

        def down(v, d):
            return T(cuda.shfl_down_sync(ALL, S(v), d))

        def up(v, d):
            return T(cuda.shfl_up_sync(ALL, S(v), d))

    return target.device(down), target.device(up)


class States(NamedTuple):
    """Functions that move states of these dtypes: from lane to lane; into three arrays (or addresses) and out of them."""

    down: Any
    put: Any
    get: Any


def states(target, dtypes):
    """`States` of one to three numbers."""
    downs = [shuffles(target, d)[0] for d in dtypes]
    if len(dtypes) == 1:

        def put(a, b, c, i, s):
            a[i] = s

        def get(a, b, c, i):
            return a[i]

        return States(downs[0], target.device(put), target.device(get))
    down0, down1 = downs[:2]
    if len(dtypes) == 2:

        def down(s, d):
            first = down0(s[0], d)
            second = down1(s[1], d)
            return first, second

        def put(a, b, c, i, s):
            a[i] = s[0]
            b[i] = s[1]

        def get(a, b, c, i):
            return a[i], b[i]
    else:
        down2 = downs[2]

        def down(s, d):
            first = down0(s[0], d)
            second = down1(s[1], d)
            third = down2(s[2], d)
            return first, second, third

        def put(a, b, c, i, s):
            a[i] = s[0]
            b[i] = s[1]
            c[i] = s[2]

        def get(a, b, c, i):
            return a[i], b[i], c[i]

    return States(target.device(down), target.device(put), target.device(get))


def three(dtypes, n=1):
    """The dtypes of three arrays for states: those beyond its numbers are of no use."""
    return (*dtypes, *dtypes[:1] * 2)[:3]


def _sizes(dtypes, n):
    return [n if i < len(dtypes) else 1 for i in range(3)]


# ---------------------------------------------------------------------- inside kernels


def placing(target):
    """Where output number t of up to three kept axes begins in the operand and lies in the result."""

    def place(t, m0, k0, o0, m1, k1, o1, k2, o2):
        if m0 == 0:
            return t * k0, t * o0
        w = t // m0
        d = t - w * m0
        a, z = d * k0, d * o0
        if m1 == 0:
            return a + w * k1, z + w * o1
        u = w // m1
        d = w - u * m1
        return a + d * k1 + u * k2, z + d * o1 + u * o2

    return target.device(place)


def walker(target, F, step, walk, deep):
    """(x, where the output begins, r, r1, the folded axes) -> the state of the elements r, r + step, ... below r1.

    A thread without an element gets the state of the last one, which nobody asks it for. walk: there are several folded axes ("axes"), one
    ("line"), one without gaps ("unit"). deep: elements of a strip.
    """
    cuda, X = target.cuda, target.type(F.load)
    none, one, strip, join, grow, settle = F.none, F.one, F.strip, F.join, F.grow, F.settle
    AXES, UNIT = walk == "axes", walk == "unit"

    def ahead(p, d0, d1, n0, n1, q0, q1, jump, b0, b1):
        """The next position of a thread, and its place along the axes, of which one step may carry into the next."""
        p += step if UNIT else jump
        if AXES:
            d0 += q0
            if d0 >= n0:
                d0 -= n0
                d1 += 1
                p += b0
            d1 += q1
            if d1 >= n1:
                d1 -= n1
                p += b1
        return p, d0, d1

    ahead = target.device(ahead)

    def walk_(x, a, r, r1, n0, s0, n1, s1, s2, q0, q1, jump, b0, b1):
        i = r if r < r1 else r1 - 1
        count = (r1 - 1 - i) // step + 1
        m = (count - 1) % deep + 1  # what does not make up strips comes first
        d0 = i
        d1 = i
        p = a + i
        if not UNIT:
            p = a + i * s0
        if AXES:
            t = i // n0
            d0 = i - t * n0
            u = t // n1
            d1 = t - u * n1
            p = a + d0 * s0 + d1 * s1 + u * s2
        origin = x[a]
        v = cuda.local.array(deep, X)
        for k in range(deep):
            v[k] = x[p]
            if k + 1 < m:
                p, d0, d1 = ahead(p, d0, d1, n0, n1, q0, q1, jump, b0, b1)
        s = one(v[0], i, origin)
        for k in range(1, deep):
            if k < m:
                s = join(s, one(v[k], i + k * step, origin))
        e = none
        i += m * step
        for _ in range((count - m) // deep):
            for k in range(deep):
                p, d0, d1 = ahead(p, d0, d1, n0, n1, q0, q1, jump, b0, b1)
                v[k] = x[p]
            s, e = grow(s, e, strip(v, i, step, origin))
            i += deep * step
        return settle(s, e)

    return target.device(walk_)


def rows(target, F, lanes, walk, deep):
    """The kernel of the layout "rows": `lanes` threads, of a warp or a block of BLOCK, take one leaf of one output."""
    cuda = target.cuda
    A, B, C = [target.type(d) for d in three(F.parts)]
    N0, N1, N2 = _sizes(F.parts, 8)
    found, place, (down, put, get) = walker(target, F, lanes, walk, deep), placing(target), states(target, F.parts)
    join, finish = F.join, F.finish
    WIDE, WARP = lanes > 32, min(lanes, 32)

    def fold_rows(
        x, out, p0, p1, p2, outputs, leaves, size, total, m0, k0, o0, m1, k1, o1, k2, o2,
        n0, s0, n1, s1, s2, q0, q1, jump, b0, b1, times, given,
    ):  # fmt: skip
        t = cuda.threadIdx.x
        if WIDE:
            a0 = cuda.shared.array(N0, A)
            a1 = cuda.shared.array(N1, B)
            a2 = cuda.shared.array(N2, C)
        lane, in_warp = t % lanes, t % WARP
        groups, items = cuda.blockDim.x // lanes, outputs * leaves
        first = cuda.blockIdx.x * groups
        while first < items:
            item = first + t // lanes
            mine = item < items
            item = item if mine else items - 1
            leaf = 0
            o = item
            if leaves > 1:
                o = item // leaves
                leaf = item - o * leaves
            a, z = place(o, m0, k0, o0, m1, k1, o1, k2, o2)
            r0 = leaf * size
            r1 = r0 + size if r0 + size < total else total
            s = found(x, a, r0 + lane, r1, n0, s0, n1, s1, s2, q0, q1, jump, b0, b1)
            active = r1 - r0 - (lane - in_warp)  # of this warp
            d = WARP // 2
            while d > 0:
                other = down(s, d)
                if in_warp + d < active:
                    s = join(s, other)
                d //= 2
            if WIDE:
                if in_warp == 0:
                    put(a0, a1, a2, t // 32, s)
                cuda.syncthreads()
                if t < 32:
                    s = get(a0, a1, a2, t % 8)
                    d = 4
                    while d > 0:
                        other = down(s, d)
                        if t + d < 8 and (t + d) * 32 < r1 - r0:
                            s = join(s, other)
                        d //= 2
                cuda.syncthreads()
            if lane == 0 and mine:
                if leaves > 1:
                    put(p0, p1, p2, leaf * outputs + o, s)
                else:
                    finish(out, z, s, times, given, x[a])
            first += cuda.gridDim.x * groups

    return fold_rows


def columns(target, F, across, lanes, walk, deep):
    """The kernel of the layout "columns": a block takes `across` neighbouring outputs, `lanes` threads one leaf of each."""
    cuda = target.cuda
    A, B, C = [target.type(d) for d in three(F.parts)]
    N0, N1, N2 = _sizes(F.parts, across * lanes)
    found, place, (_, put, get) = walker(target, F, lanes, walk, deep), placing(target), states(target, F.parts)
    join, finish = F.join, F.finish

    def fold_columns(
        x, out, p0, p1, p2, outputs, leaves, size, total, m0, k0, o0, m1, k1, o1, k2, o2,
        n0, s0, n1, s1, s2, q0, q1, jump, b0, b1, times, given,
    ):  # fmt: skip
        t = cuda.threadIdx.x
        if lanes > 1:
            a0 = cuda.shared.array(N0, A)
            a1 = cuda.shared.array(N1, B)
            a2 = cuda.shared.array(N2, C)
        tx, ty = t % across, t // across
        tiles = (m0 + across - 1) // across
        outer = outputs // m0
        item = cuda.blockIdx.x + 0
        while item < tiles * outer * leaves:
            w = item // tiles
            c = (item - w * tiles) * across + tx
            mine = c < m0
            c = c if mine else m0 - 1
            leaf = 0
            if leaves > 1:
                leaf = w // outer
                w -= leaf * outer
            a, z = place(w, m1, k1, o1, 0, k2, o2, 0, 0)
            r0 = leaf * size
            r1 = r0 + size if r0 + size < total else total
            s = found(x, a + c * k0, r0 + ty, r1, n0, s0, n1, s1, s2, q0, q1, jump, b0, b1)
            if lanes > 1:
                put(a0, a1, a2, t, s)
                cuda.syncthreads()
                d = lanes // 2
                while d > 0:
                    if ty < d and ty + d < r1 - r0:
                        s = join(s, get(a0, a1, a2, t + d * across))
                        put(a0, a1, a2, t, s)
                    cuda.syncthreads()
                    d //= 2
            if ty == 0 and mine:
                if leaves > 1:
                    put(p0, p1, p2, leaf * outputs + w * m0 + c, s)
                else:
                    finish(out, z + c * o0, s, times, given, x[a + c * k0])
            item += cuda.gridDim.x

    return fold_columns


def leaves(target, F, across, lanes):
    """The second kernel: a block joins the leaves of `across` outputs, `lanes` threads those of one."""
    cuda = target.cuda
    A, B, C = [target.type(d) for d in three(F.parts)]
    N0, N1, N2 = _sizes(F.parts, across * lanes)
    place, (_, put, get), join, finish = placing(target), states(target, F.parts), F.join, F.finish

    def fold_leaves(p0, p1, p2, out, x, outputs, leaves, m0, k0, o0, m1, k1, o1, k2, o2, times, given):
        t = cuda.threadIdx.x
        a0 = cuda.shared.array(N0, A)
        a1 = cuda.shared.array(N1, B)
        a2 = cuda.shared.array(N2, C)
        tx, ty = t % across, t // across
        o = cuda.blockIdx.x * across + tx
        mine = o < outputs
        o = o if mine else outputs - 1
        last = leaves - 1
        leaf = ty if ty < last else last
        s = get(p0, p1, p2, leaf * outputs + o)
        leaf += lanes
        while leaf < leaves:  # four at a time, so that they are read at once
            second, third, fourth = leaf + lanes, leaf + 2 * lanes, leaf + 3 * lanes
            v1 = get(p0, p1, p2, leaf * outputs + o)
            v2 = get(p0, p1, p2, (second if second < last else last) * outputs + o)
            v3 = get(p0, p1, p2, (third if third < last else last) * outputs + o)
            v4 = get(p0, p1, p2, (fourth if fourth < last else last) * outputs + o)
            s = join(s, v1)
            if second < leaves:
                s = join(s, v2)
            if third < leaves:
                s = join(s, v3)
            if fourth < leaves:
                s = join(s, v4)
            leaf += 4 * lanes
        put(a0, a1, a2, t, s)
        cuda.syncthreads()
        d = lanes // 2
        while d > 0:
            if ty < d and ty + d < leaves:
                s = join(s, get(a0, a1, a2, t + d * across))
                put(a0, a1, a2, t, s)
            cuda.syncthreads()
            d //= 2
        if ty == 0 and mine:
            a, z = place(o, m0, k0, o0, m1, k1, o1, k2, o2)
            finish(out, z, s, times, given, x[a])

    return fold_leaves


# ---------------------------------------------------------------------- planning


@dataclass(frozen=True)
class Nest:
    """A planned fold of a tensor: what its kernels are told of it."""

    layout: str  # "rows" or "columns"
    shape: tuple  # of the result
    kept: tuple  # (length, stride, stride of the result) of at most three axes, the innermost first
    folded: tuple  # (length, stride) of at most three axes, the innermost first
    offset: int  # elements from the operand's first one to where the loops start
    times: int  # how often each element is folded: along axes that repeat it
    outputs: int
    total: int  # elements that each output folds


def collapsed(dims):
    """Axes (length, stride...), the innermost first, with those joined that are walked as one."""
    out = []
    for n, *steps in dims:
        if out and all(s == out[-1][0] * inner for s, inner in zip(steps, out[-1][1:])):
            out[-1] = (out[-1][0] * n, *out[-1][1:])
        else:
            out.append((n, *steps))
    return tuple(out)


@lru_cache(maxsize=4096)
def plan(shape, strides, axes, ordered=False):
    """The Nest of a fold over `axes` (shape without 0), None where it has too many axes that do not join.

    ordered: flat indices count the elements in C order, as they do for results that are positions.
    """
    result = tuple([n for i, n in enumerate(shape) if i not in axes])
    places = iter(_strides.contiguous(result))
    kept = [(n, strides[i], next(places)) for i, n in enumerate(shape) if i not in axes]
    kept = [d for d in kept if d[0] != 1]
    folded = [(shape[i], strides[i]) for i in axes if shape[i] != 1]
    offset, times = 0, 1
    if not ordered:
        offset = sum([(n - 1) * s for n, s in folded if s < 0])
        times = prod([n for n, s in folded if s == 0])
        folded = sorted([(n, abs(s)) for n, s in folded if s], key=lambda d: -d[1])
    # A repeated element moves outwards: innermost it would hide the axis that lies contiguous.
    kept.sort(key=lambda d: -abs(d[1]) if d[1] else -ENDLESS)
    kept, folded = collapsed(kept[::-1]), collapsed(folded[::-1])
    if len(kept) > 3 or len(folded) > 3:
        return None
    layout = "columns" if kept and folded and 0 < abs(kept[0][1]) < abs(folded[0][1]) else "rows"
    return Nest(layout, result, kept, folded, offset, times, prod([d[0] for d in kept]), prod([d[0] for d in folded]))


def kept_words(kept):
    dims = [*kept, *[(0, 0, 0)] * (3 - len(kept))]
    lengths = [d[0] if i + 1 < len(kept) else 0 for i, d in enumerate(dims)]
    (_, k0, o0), (_, k1, o1), (_, k2, o2) = dims
    return lengths[0], k0, o0, lengths[1], k1, o1, k2, o2


def _folded_words(folded, step):
    """What the walker is told: see _FOLDED."""
    dims = [*folded, *[(1, 0)] * (3 - len(folded))]
    (n0, s0), (n1, s1), (_n2, s2) = dims
    n0, n1 = (n0 if len(folded) > 1 else ENDLESS), (n1 if len(folded) > 2 else ENDLESS)
    q0, q1, q2 = step % n0, step // n0 % n1, step // n0 // n1
    # Where a step carries into the next axis; an axis that is never left carries nowhere, and its product would be beyond 64 bits.
    b0, b1 = (s1 - n0 * s0 if len(folded) > 1 else 0), (s2 - n1 * s1 if len(folded) > 2 else 0)
    return n0, s0, n1, s1, s2, q0, q1, q0 * s0 + q1 * s1 + q2 * s2, b0, b1


def _power(n, most):
    """The least power of two that is not below n, `most` at most."""
    return min(most, 1 << max(0, n - 1).bit_length())


class Kind(NamedTuple):
    """A fold of elements of one dtype: what its kernels are made from.

    factories: of (rows, columns, leaves); parameters: theirs, before those that the layout adds; parts: dtypes of a state.
    """

    factories: tuple
    parameters: tuple
    parts: tuple
    dtype: Any
    result: Any

    @property
    def bound(self):
        """The threads that kernels are compiled for, which limits their registers: so that three blocks run at once, or two."""
        return 768 if self.dtype.kind == "f" and len(self.parts) == 1 and self.parts[0].kind == "f" else 512

    def rows(self, lanes, walk, deep):
        return Kernel(self.factories[0], (*self.parameters, lanes, walk, deep), self._signature(), self.bound)

    def columns(self, across, lanes, walk, deep):
        return Kernel(self.factories[1], (*self.parameters, across, lanes, walk, deep), self._signature(), self.bound)

    def leaves(self, across):
        codes = [*three(self.parts), self.result, self.dtype]
        signature = " ".join([f"*{_code(d)}" for d in codes]) + " i8" * (3 + len(_KEPT)) + " f8"
        return Kernel(self.factories[2], (*self.parameters, across, BLOCK // across), signature, self.bound)

    def _signature(self):
        codes = [self.dtype, self.result, *three(self.parts)]
        return " ".join([f"*{_code(d)}" for d in codes]) + " i8" * (5 + len(_KEPT) + len(_FOLDED)) + " f8"

    def every(self, full=False):
        """Its kernels for contiguous tensors, of one form of each layout; full: all that there are."""
        deeps = (8, 16) if self.dtype.itemsize <= 4 else (8,)
        if not full:
            yield self.rows(8, "unit", 8)
            yield self.rows(BLOCK, "unit", deeps[-1])
            yield self.columns(*_BLOCKS[1], "line", deeps[-1])
            yield self.leaves(_JOINED[1])
            return
        for lanes, walk in product(_LANES, ("unit", "line", "axes")):
            yield from [self.rows(lanes, walk, deep) for deep in deeps if deep == 8 or lanes > 1]
        for (across, lanes), walk in product(_BLOCKS, ("line", "axes")):
            yield from [self.columns(across, lanes, walk, deep) for deep in deeps if deep == 8 or lanes > 1]
        yield from map(self.leaves, _JOINED)


# Threads of an output in rows; neighbouring outputs and threads of each in columns; neighbouring outputs where leaves are joined.
_LANES, _BLOCKS, _JOINED = (1, 8, 32, BLOCK), ((128, 2), (32, 8), (4, 64), (32, 1)), (4, 32)


class Launch:
    """A fold ready to run on any tensor with the dtype, shape and strides that it was made for: call it with one."""

    __slots__ = ("kind", "nest", "first", "second", "offset", "words", "tail", "grid", "block", "cut", "second_words", "shape")

    def __init__(self, kind, nest, driver, given=0.0, leaf=None, wide=None):
        """given: of `finish`. leaf: in the place of LEAF. wide: how many numbers an output has, on an axis more."""
        self.kind, self.nest = kind, nest
        self.shape = nest.shape if wide is None else (*nest.shape, wide)
        leaf = LEAF if leaf is None else leaf
        outputs, total, wave = nest.outputs, nest.total, WAVE * driver.multiprocessors
        walk = "axes" if len(nest.folded) > 1 else "unit" if nest.folded and nest.folded[0][1] == 1 else "line"
        kept = kept_words(nest.kept)
        if nest.layout == "rows":
            lanes = 1 if total <= 8 else 8 if total <= 64 else 32 if total < 1024 or outputs >= 4 * wave else BLOCK
            across, busy = 1, -(-outputs * lanes // BLOCK)
        else:
            width = nest.kept[0][0]
            across, lanes = _BLOCKS[0 if width > 96 and outputs >= 8 * wave else 1 if width > 12 else 2]
            if total <= 16:
                across, lanes = _BLOCKS[3]
            busy = -(-width // across) * (outputs // width)
            kept = (width, *kept[1:])
        cut = max(1, min(-(-total * across // leaf), -(-wave // busy), total)) if busy < wave else 1
        size = -(-total // cut)
        self.cut = cut = -(-total // size)
        deep = 16 if kind.dtype.itemsize <= 4 and size >= 32 * lanes and lanes > 1 else 8
        if nest.layout == "rows":
            self.block = BLOCK if lanes == BLOCK else _power(max(32, outputs * cut * lanes), BLOCK)
            self.first = kind.rows(lanes, walk, deep)
            self.grid = min(-(-outputs * cut // (self.block // lanes)), 2 * wave)
        else:
            self.block = across * lanes
            self.first = kind.columns(across, lanes, walk, deep)
            self.grid = min(busy * cut, 4 * wave)
        self.offset = nest.offset * kind.dtype.itemsize
        self.words = (outputs, cut, size, total, *kept, *_folded_words(nest.folded, lanes))
        self.tail = nest.times, given
        self.second = None
        if cut > 1:
            across = _JOINED[outputs > 16]
            self.second = kind.leaves(across)
            self.second_words = -(-outputs // across), (outputs, cut, *kept_words(nest.kept))

    def __call__(self, x):
        driver, result = x.driver, self.kind.result
        out = driver.allocate(prod(self.shape) * result.itemsize)
        if self.second is None:
            self.first.launch(
                driver, self.grid, self.block, x.address + self.offset, out.ptr, out.ptr, out.ptr, out.ptr, *self.words, *self.tail
            )
        else:
            parts, count = self.kind.parts, self.nest.outputs * self.cut
            starts = [0]
            for d in parts:
                starts.append(starts[-1] + (count * d.itemsize + 255 & ~255))
            scratch = driver.allocate(starts[-1])
            p = [scratch.ptr + at for at in (*starts[:-1], 0, 0)[:3]]
            at = x.address + self.offset
            self.first.launch(driver, self.grid, self.block, at, out.ptr, *p, *self.words, *self.tail)
            grid, words = self.second_words
            self.second.launch(driver, grid, BLOCK, *p, out.ptr, at, *words, *self.tail)
        return Tensor(out, self.shape, _strides.contiguous(self.shape), 0, result)


def stored(dtype):
    """The dtype as which kernels read and write elements of this one: truth values are bytes."""
    return _BYTE if dtype.kind == "b" else dtype


def _code(dtype):
    return code_of(stored(dtype))


def contiguous(x):
    """A tensor, or a copy of it, whose elements lie side by side."""
    from .copying import contiguous

    return contiguous(x)


def at_end(x, axes):
    """A contiguous copy of a tensor with these axes last, where they are one."""
    return contiguous(x.transpose((*[i for i in range(x.ndim) if i not in axes], *axes)))


def filled(x, shape, dtype, value):
    """A new tensor full of a value, on the device of `x`."""
    from .copying import fill

    out = like(x, shape, dtype)
    if out.size:
        fill(out, value)
    return out


def repeating(x, repeated, kept, fold):
    """The fold of a tensor that repeats its elements along the axes `repeated`: of one position of them, at every output."""
    for i in repeated:
        x = x.narrowed(i, 0, 1)
    found = fold(x)
    return contiguous(found.broadcast_to(kept))
