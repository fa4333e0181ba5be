"""Elementwise kernels made from scalar functions, for any strides and dtypes.

A kernel is made for (scalar, compute dtypes, array dtypes, inner classes, way to store); which one a call takes depends on dtypes,
shapes, strides and sizes only. Chunks depend on sizes only, so results are the same bit by bit for any number of threads.
"""

import functools
import hashlib
import math

import numpy as np

from mtarray._kernels import build
from mtarray._kernels.source import Scalar

from . import driver, layout, pool
from .driver import address
from .loops import WORDS, Loop, converted
from .machine import last_level_cache

# Bytes that a chunk touches at least, for cheap functions and for those with mathematics: 2 to 10 us of work.
_CHEAP, _DEAR = 1 << 17, 1 << 16
_CHEAP_MATH = frozenset("fabs maximum minimum fmax fmin copysign floor ceil trunc rint isnan isinf isfinite signbit sign sqrt fma".split())
_CHUNKS = 64
PREPARED = 4096  # launches remembered, by dtypes, shape and strides


class Launch:
    """A kernel for operands laid out in one way; called with their addresses, results first."""

    __slots__ = ("fn", "items", "chunk", "offsets", "table", "places", "spare")

    def __init__(self, fn, items, chunk, offsets, table, places):
        self.fn, self.items, self.chunk, self.offsets, self.table, self.places = fn, items, chunk, offsets, table, places
        self.spare = []  # copies of the table that no call is using, with their addresses

    def __call__(self, addresses):
        if self.offsets is not None:
            addresses = [a + o for a, o in zip(addresses, self.offsets, strict=True)]
        if self.table is None:
            driver.run(self.fn, self.items, self.chunk, *addresses)
        else:
            try:
                words, at = self.spare.pop()
            except IndexError:
                table = self.table.copy()
                words, at = memoryview(table), address(table)
            for place, a in zip(self.places, addresses, strict=True):
                words[place] = a
            driver.run(self.fn, self.items, self.chunk, at)
            self.spare.append((words, at))


class Fresh:
    """A Launch that makes its results: called with the (buffer, offset in bytes) of each operand, it returns a tuple of ndarrays."""

    __slots__ = ("launch", "outs", "shape", "back")

    def __init__(self, launch, dtypes, shape, back):
        self.launch, self.shape, self.back = launch, shape, back
        self.outs = tuple([(pool.size_class(math.prod(shape) * d.itemsize), d) for d in dtypes])

    def __call__(self, ins):
        outs = [pool.take(size, self.shape, d) for size, d in self.outs]
        addresses = [address(x) for x in outs]
        for buffer, offset in ins:
            addresses.append(address(buffer) + offset)
        self.launch(addresses)
        return outs if self.back is None else [x.transpose(self.back) for x in outs]

    def pair(self, buffer1, offset1, buffer2, offset2):
        """The only result for two operands that begin at these bytes of their buffers."""
        size, dtype = self.outs[0]
        out = pool.take(size, self.shape, dtype)
        self.launch((address(out), address(buffer1) + offset1, address(buffer2) + offset2))
        return out if self.back is None else out.transpose(self.back)

    def whole(self, *buffers):
        """The only result for operands that are contiguous ndarrays of one shape."""
        size, dtype = self.outs[0]
        out = pool.take(size, self.shape, dtype)
        launch = self.launch
        driver.run(launch.fn, launch.items, launch.chunk, address(out), *map(address, buffers))
        return out


class Over:
    """A Launch for C-contiguous results and operands, and numbers: called with lists of them."""

    __slots__ = ("launch", "types")

    def __init__(self, launch, types):
        self.launch, self.types = launch, types

    def __call__(self, outs, ins):
        # What is made of numbers must live until the kernel has run.
        ins = [x if t is None else np.array(x, t) for x, t in zip(ins, self.types)]
        self.launch([address(x) for x in outs] + [address(x) for x in ins])


class Kernels:
    """The kernels of one loop body for every layout; `run` chooses, builds and launches.

    `name`: for the generated files. `prelude`: source before the kernel. `make(ins, outs)`: the Loop for arrays of these dtypes.
    `blocks`: whether results must go through a block in cache (functions whose results are looked at again). `grain`: bytes that a
    chunk touches at least.
    """

    def __init__(self, name, prelude, make, blocks=False, grain=_CHEAP):
        self.name, self.prelude, self.make, self.blocks, self.grain = name, prelude, make, blocks, grain
        self._built = {}
        self._loops = {}
        self._prepared = {}

    def _kernel(self, ins, outs, walk, store):
        """(address of the kernel for arrays of these dtypes, laid out as `walk`, storing as `store`; its Loop)"""
        key = (ins, outs, walk.kind, walk.classes, store)
        hit = self._built.get(key)
        if hit is None:
            with build.lock:
                loop = self._loops.get((ins, outs)) or self._loops.setdefault((ins, outs), self.make(ins, outs))
            body = getattr(loop, walk.kind)(walk.classes, store)
            types = "".join([d.char for d in (*outs, *ins)]).replace("?", "b")
            name = f"{self.name}_{types}_{walk.kind}_{walk.classes}_{store}"
            # Names of code objects must differ where the code does (see build.py).
            name += "_" + hashlib.sha256((self.prelude + body).encode()).hexdigest()[:6]
            hit = self._built[key] = build.kernel(name, body, self.prelude), loop
        return hit

    def run(self, outs, ins):
        """Fill `outs` from `ins`: all of one shape, any strides (outputs without zero strides), native byte order.

        An output may be exactly the same window as an input, and must not overlap one otherwise.
        """
        operands = (*outs, *ins)
        addresses = [address(x) for x in operands]
        n = len(outs)
        inplace = addresses[0] in addresses[n:] if n == 1 else not set(addresses[:n]).isdisjoint(addresses[n:])
        key = (outs[0].shape, inplace, tuple([(x.dtype, x.strides) for x in operands]))
        launch = self._prepared.get(key)
        if launch is None:
            if outs[0].size == 0:
                return
            launch = self.prepare(outs[0].shape, [x.dtype for x in operands], [x.strides for x in operands], n, inplace)
            if len(self._prepared) >= PREPARED:
                self._prepared.clear()
            self._prepared[key] = launch
        launch(addresses)

    def prepare(self, shape, dtypes, strides, n, inplace=False):
        """The Launch for operands of this shape (not empty), the first `n` of them results, with these dtypes and strides in bytes."""
        for d in dtypes:
            if not d.isnative:
                raise TypeError(f"kernels take arrays in native byte order, got dtype {d.str}")
        itemsizes = tuple([d.itemsize for d in dtypes])
        walk = layout.plan(shape, tuple(strides), itemsizes, n)
        store = self._store(walk, n, inplace)
        fn, loop = self._kernel(tuple(dtypes[n:]), tuple(dtypes[:n]), walk, store)
        table = places = None
        if walk.kind == "flat":
            unit, items = loop.block, walk.total
            if len(dtypes) > WORDS:
                table, places = np.zeros(len(dtypes), np.int64), range(len(dtypes))
        elif walk.kind == "rows":
            unit, items, table, places = _rows(loop, walk, itemsizes)
        else:
            unit, items, table, places = _tiles(loop, walk, itemsizes)
        # A power of two of chunks, since threads share them evenly, each enough to be worth a thread. Sizes decide, never the threads.
        count = min(_CHUNKS, 1 << max(0, (walk.total * sum(itemsizes) // self.grain).bit_length() - 1))
        chunk = max(1, -(-walk.total // (count * unit)))
        if walk.kind == "flat":
            chunk *= unit
        return Launch(fn, items, chunk, walk.offsets if any(walk.offsets) else None, table, places)

    def _store(self, walk, n, inplace):
        # Rows that do not begin at a cache line would be stored past the caches in part only.
        lines = walk.kind == "flat" or not any(s % 64 for s in walk.strides[0][:-1])
        if n == 1 and walk.classes[0] == "u" and lines and not inplace and _touched(walk) > 1.5 * last_level_cache():
            return "stream"
        return "scratch" if self.blocks or inplace else "direct"


def _touched(walk):
    """Bytes of memory that a call touches; what is read again counts once."""
    total = 0
    for steps in walk.strides:
        size = abs(steps[-1]) or 8
        for length, step in zip(walk.sizes, steps, strict=True):
            size *= length if step else 1
        total += size
    return total


def _rows(loop, walk, itemsizes):
    """(elements of an item, items, table, places of the addresses in it) of a rows kernel."""
    *outer, inner = walk.sizes
    blocks = -(-inner // loop.block)
    words, places = [inner, blocks, loop.block, len(outer), *outer], []
    for steps, itemsize in zip(walk.strides, itemsizes, strict=True):
        places.append(len(words))
        words += [0, steps[-1], steps[-1] // itemsize, *steps[:-1]]
    return min(inner, loop.block), walk.total // inner * blocks, np.array(words, np.int64), places


def _tiles(loop, walk, itemsizes):
    """(elements of an item, items, table, places of the addresses in it) of a tiles kernel."""
    height, length = loop.tile
    across, last = walk.across, len(walk.sizes) - 1
    outer = [d for d in range(last) if d != across]
    rows, columns = walk.sizes[across], walk.sizes[last]
    down, along = -(-rows // height), -(-columns // length)
    words, places = [rows, columns, down, along, len(outer), *[walk.sizes[d] for d in outer]], []
    for steps, itemsize in zip(walk.strides, itemsizes, strict=True):
        places.append(len(words))
        words += [0, steps[across], steps[last], steps[last] // itemsize, *[steps[d] for d in outer]]
    items = down * along * (walk.total // (rows * columns))
    return min(rows, height) * min(columns, length), items, np.array(words, np.int64), places


class Elementwise:
    """A scalar function over whole arrays, computing in `in_dtypes` and giving `out_dtypes`."""

    def __init__(self, scalar, in_dtypes, out_dtypes):
        self.scalar = scalar
        self.in_dtypes = tuple(np.dtype(d) for d in in_dtypes)
        self.out_dtypes = tuple(np.dtype(d) for d in out_dtypes)
        if len(self.in_dtypes) != scalar.nin or len(self.out_dtypes) != scalar.nout:
            given = f"got dtypes for {len(in_dtypes)} and {len(out_dtypes)}"
            raise TypeError(f"{scalar!r} has {scalar.nin} operands and {scalar.nout} results, {given}")
        self._kernels = None

    def run(self, outs, ins):
        """Fill the ndarrays `outs` from the ndarrays `ins`, all of one shape (inputs broadcast by zero strides).

        Inputs of other dtypes than the compute dtypes are converted as they are read. An output may be exactly the same window as an
        input, and must not overlap one otherwise. Scratch: 8 KiB for each output and thread, 32 KiB for a transposed input.
        """
        (self._kernels or self._make()).run(outs, ins)

    def fresh(self, shape, order, dtypes, strides):
        """The Fresh for inputs of these dtypes with these strides in bytes, broadcast to `shape` (not empty).

        order: axes in the order in which the results lie in memory; None: C order.
        """
        axes = tuple(range(len(shape))) if order is None else order
        dense = tuple([shape[i] for i in axes])
        steps = []
        for d in self.out_dtypes:
            step, by_axis = d.itemsize, [0] * len(shape)
            for i in reversed(axes):
                by_axis[i] = step
                step *= shape[i]
            steps.append(tuple(by_axis))
        kernels = self._kernels or self._make()
        launch = kernels.prepare(shape, [*self.out_dtypes, *dtypes], [*steps, *strides], len(steps))
        back = None if order is None else tuple(sorted(axes, key=axes.__getitem__))
        return Fresh(launch, self.out_dtypes, dense, back)

    def over(self, outs, ins, inplace):
        """The Over for C-contiguous ndarrays of one shape (not empty), and numbers among the operands. inplace: if some are results."""
        types = [None if isinstance(x, np.ndarray) else d for x, d in zip(ins, self.in_dtypes, strict=True)]
        steps = [x.strides for x in outs] + [x.strides if t is None else (0,) * outs[0].ndim for x, t in zip(ins, types, strict=True)]
        kernels = self._kernels or self._make()
        return Over(kernels.prepare(outs[0].shape, [*self.out_dtypes, *self.in_dtypes], steps, len(outs), inplace), types)

    def _make(self):
        name = self.scalar.function.__name__.strip("<>")
        rare = _is_rare(self.scalar, self.in_dtypes)
        prelude = self.scalar.paste("_fast" if rare else "_f", self.in_dtypes, complete=not rare)
        if rare:
            prelude += self.scalar.paste("_f", self.in_dtypes)
        dtypes = self.in_dtypes
        kinds = "".join(d.char for d in dtypes).replace("?", "b")

        def make(ins, outs):
            def call(function):
                def lines(names):
                    count = len(outs)
                    operands = ", ".join(names)
                    if count == 1:
                        return [f"q0 = {function}({operands})"], ["q0"]
                    results = [f"q{i}" for i in range(count)]
                    return [f"{', '.join(results)} = {function}({operands})"], results

                return lines

            return Loop(
                ins,
                outs,
                lambda k, text: converted(text, ins[k], dtypes[k]),
                call("_fast" if rare else "_f"),
                call("_f") if rare else None,
            )

        # With a rare path, elements of the block are computed again from their operands: those must not be overwritten yet.
        grain = _DEAR if self.scalar.names_used - _CHEAP_MATH else _CHEAP
        self._kernels = Kernels(f"{name}_{kinds}", prelude, make, blocks=rare, grain=grain)
        return self._kernels


def _is_rare(scalar, dtypes):
    """Whether all that the function does is one of those whose fast core holds in a range only and says NaN outside."""
    return scalar.single_call is not None and all(d.kind == "f" for d in dtypes) and scalar.single_call in scalar.rare


@functools.lru_cache(maxsize=4096)
def kernel_for(scalar, in_dtypes, out_dtypes):
    """The Elementwise of a Scalar that computes in `in_dtypes` (tuple, one per operand) and gives `out_dtypes` (tuple)."""
    return Elementwise(scalar, in_dtypes, out_dtypes)


def run_python(scalar, outs, ins, in_dtypes=None):
    """The same in Python, element after element, with the uncompiled scalar function: to read and to debug.

    `in_dtypes`: compute dtypes; None takes the elements as they are.
    """
    function = scalar.python if isinstance(scalar, Scalar) else scalar
    types = [x.dtype.type for x in ins] if in_dtypes is None else [np.dtype(d).type for d in in_dtypes]
    with np.errstate(all="ignore"):
        for index in np.ndindex(outs[0].shape):
            result = function(*[t(x[index]) for t, x in zip(types, ins, strict=True)])
            for out, value in zip(outs, result if len(outs) > 1 else (result,), strict=True):
                value = np.asarray(value)
                if value.dtype.kind == "c" and out.dtype.kind not in "cb":
                    value = value.real
                out[index] = value.astype(out.dtype)
