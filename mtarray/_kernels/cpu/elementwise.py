"""Elementwise kernels made from scalar functions, for any strides and dtypes.

A kernel is made for (scalar, compute dtypes, array dtypes, inner classes, way to store); which one a call takes depends on dtypes,
shapes, strides and sizes only. Chunks depend on sizes only, so results are the same bit by bit for any number of threads.
"""

import functools
import hashlib
import threading

import numpy as np

from mtarray._kernels import build
from mtarray._kernels.source import Scalar

from . import driver, layout
from .loops import Loop, converted
from .machine import last_level_cache

# Bytes that a chunk touches at least: below, starting another thread costs more than it saves.
_CHUNK_BYTES = 1 << 16
_CHUNKS = 64
_lock = threading.Lock()


class Kernels:
    """The kernels of one loop body for every layout; `run` chooses, builds and launches.

    `name`: for the generated files. `prelude`: source before the kernel. `make(ins, outs)`: the Loop for arrays of these dtypes.
    `blocks`: whether results must go through a block in cache (functions whose results are looked at again).
    """

    def __init__(self, name, prelude, make, blocks=False):
        self.name, self.prelude, self.make, self.blocks = name, prelude, make, blocks
        self._built = {}
        self._loops = {}

    def address(self, ins, outs, walk, store):
        """Address of the kernel for arrays of these dtypes, laid out as `walk`, storing as `store`."""
        key = (ins, outs, walk.kind, walk.classes, store)
        hit = self._built.get(key)
        if hit is None:
            with _lock:
                loop = self._loops.setdefault((ins, outs), self.make(ins, outs))
            body = getattr(loop, walk.kind)(walk.classes, store)
            types = "".join(d.char for d in (*outs, *ins)).replace("?", "b")
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
        first = outs[0]
        if first.size == 0:
            return
        itemsizes = tuple([x.itemsize for x in operands])
        walk = layout.plan(first.shape, tuple([x.strides for x in operands]), itemsizes, len(outs))
        addresses = [driver.address(x) + o for x, o in zip(operands, walk.offsets, strict=True)]
        store = self._store(outs, walk, addresses)
        in_types, out_types = tuple([x.dtype for x in ins]), tuple([x.dtype for x in outs])
        fn, loop = self.address(in_types, out_types, walk, store)
        if walk.kind == "flat":
            _launch_flat(fn, loop, walk, addresses, itemsizes)
        elif walk.kind == "rows":
            _launch_rows(fn, loop, walk, addresses, itemsizes)
        else:
            _launch_tiles(fn, loop, walk, addresses, itemsizes)

    def _store(self, outs, walk, addresses):
        n = len(outs)
        if n == 1 and walk.classes[0] == "u" and _touched(walk) > 1.5 * last_level_cache() and addresses[0] % outs[0].itemsize == 0:
            # Rows that do not begin at a cache line are stored past the caches only where they are long.
            if walk.kind == "flat" or all(s % 64 == 0 for s in walk.strides[0][:-1]):
                return "stream"
        if self.blocks or not set(addresses[:n]).isdisjoint(addresses[n:]):
            return "scratch"
        return "direct"


def _touched(walk):
    """Bytes of memory that a call touches; what is read again counts once."""
    total = 0
    for steps in walk.strides:
        size = abs(steps[-1]) or 8
        for length, step in zip(walk.sizes, steps, strict=True):
            size *= length if step else 1
        total += size
    return total


def _chunk(total, unit, bytes_each):
    """Items of `unit` elements that make a chunk: about 1/64 of the whole, and enough to be worth a thread."""
    return max(1, -(-total // (_CHUNKS * unit)), _CHUNK_BYTES // (unit * bytes_each))


def _launch_flat(fn, loop, walk, addresses, itemsizes):
    n = walk.total
    block = loop.block
    chunk = _chunk(n, block, sum(itemsizes)) * block
    if len(addresses) > 8:
        raise TypeError(f"an elementwise kernel takes at most 8 operands and results, got {len(addresses)}")
    driver.run(fn, n, chunk, *addresses)


def _launch_rows(fn, loop, walk, addresses, itemsizes):
    *outer, inner = walk.sizes
    block = loop.block
    blocks = -(-inner // block)
    words = [inner, blocks, block, len(outer), *outer]
    for address, steps, itemsize in zip(addresses, walk.strides, itemsizes, strict=True):
        words += [address, steps[-1], steps[-1] // itemsize, *steps[:-1]]
    table = np.array(words, np.int64)
    items = walk.total // inner * blocks
    driver.run(fn, items, _chunk(walk.total, min(inner, block), sum(itemsizes)), driver.address(table))


def _launch_tiles(fn, loop, walk, addresses, itemsizes):
    height, length = loop.tile
    across, last = walk.across, len(walk.sizes) - 1
    outer = [d for d in range(last) if d != across]
    rows, columns = walk.sizes[across], walk.sizes[last]
    down, along = -(-rows // height), -(-columns // length)
    words = [rows, columns, down, along, len(outer), *[walk.sizes[d] for d in outer]]
    for address, steps, itemsize in zip(addresses, walk.strides, itemsizes, strict=True):
        words += [address, steps[across], steps[last], steps[last] // itemsize, *[steps[d] for d in outer]]
    table = np.array(words, np.int64)
    items = down * along * (walk.total // (rows * columns))
    unit = min(rows, height) * min(columns, length)
    driver.run(fn, items, _chunk(walk.total, unit, sum(itemsizes)), driver.address(table))


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
        kernels = self._kernels or self._make()
        for x in (*outs, *ins):
            if not x.dtype.isnative:
                raise TypeError("elementwise kernels take arrays in native byte order")
        kernels.run(outs, ins)

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
        self._kernels = Kernels(f"{name}_{kinds}", prelude, make, blocks=rare)
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
