"""The simulator: a kernel's threads as Python generators, stepped in turn from barrier to barrier. It checks what hardware does not.

The source of a kernel is rewritten so that each barrier, shuffle and vote becomes a `yield`; a block's threads then run one after the other
up to the next one. So it is deterministic, needs no compiler, and finds accesses out of bounds and barriers that not all threads reach.
"""

import ast
import inspect
import linecache
import math
import textwrap

import numpy as np

_YIELDS = frozenset(
    "syncthreads syncthreads_count syncthreads_and syncthreads_or syncwarp shfl_sync shfl_down_sync shfl_up_sync shfl_xor_sync ballot_sync "
    "all_sync any_sync".split()
)


class _Rewrite(ast.NodeTransformer):
    def __init__(self, scope):
        self.scope, self.yields = scope, False

    def visit_Call(self, node):
        self.generic_visit(node)
        f = node.func
        if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id == "cuda" and f.attr in _YIELDS:
            self.yields = True
            return ast.Yield(ast.Tuple([ast.Constant(f.attr), *node.args], ast.Load()))
        if isinstance(f, ast.Name) and getattr(self.scope.get(f.id), "yields", False):
            self.yields = True
            return ast.YieldFrom(node)
        return node


def transformed(function):
    """The function with its barriers as `yield`s; its attribute `yields` says whether it has any."""
    scope = dict(function.__globals__)
    if function.__closure__:
        scope.update(zip(function.__code__.co_freevars, [c.cell_contents for c in function.__closure__]))
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    node = tree.body[0]
    node.decorator_list = []
    rewrite = _Rewrite(scope)
    rewrite.visit(node)
    ast.increment_lineno(ast.fix_missing_locations(tree), function.__code__.co_firstlineno - node.lineno)
    exec(compile(tree, function.__code__.co_filename, "exec"), scope)
    out = scope[function.__name__]
    out.yields = rewrite.yields
    return out


class Target:
    """What kernel factories get when the simulator is to run them."""

    simulated = True

    def __init__(self):
        self.cuda = NAMES

    def type(self, dtype):
        return np.dtype(dtype).type

    def function(self, scalar, dtypes):
        return scalar.python

    def device(self, function):
        return transformed(function)

    def loads(self, n):
        return lambda p, i: p.several(i, n)

    def stores(self, n):
        return lambda p, i, values: p.replace(i, values)

    def define(self, name, text, space):
        file = f"<kernel {name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        space = dict(space)
        exec(compile(text, file, "exec"), space)
        return space[name]


class Dim:
    __slots__ = ("x", "y", "z")

    def __init__(self, x=1, y=1, z=1):
        self.x, self.y, self.z = x, y, z


class _Shared:
    def __init__(self, names):
        self.names = names

    def array(self, shape, dtype):
        names = self.names
        k = names.allocated[names.thread]  # the k-th allocation of each thread of a block is one array
        names.allocated[names.thread] += 1
        if k == len(names.arrays):
            dtype = np.dtype(dtype)
            made = np.empty(names.dynamic // dtype.itemsize if shape == 0 else shape, dtype)
            made.view(np.uint8).fill(0xAB)
            names.arrays.append(made)
        return names.arrays[k]


class _Local:
    @staticmethod
    def array(shape, dtype):
        return np.empty(shape, dtype)


class _Atomic:
    @staticmethod
    def add(array, i, value):
        old = array[i]
        array[i] = old + value
        return old

    @staticmethod
    def max(array, i, value):
        old = array[i]
        array[i] = max(old, value)
        return old

    @staticmethod
    def min(array, i, value):
        old = array[i]
        array[i] = min(old, value)
        return old

    @staticmethod
    def exch(array, i, value):
        old = array[i]
        array[i] = value
        return old

    @staticmethod
    def cas(array, i, old, value):
        found = array[i]
        if found == old:
            array[i] = value
        return found


class _Names:
    """Numba's `cuda`, as kernels use it."""

    warpsize = 32

    def __init__(self):
        self.threadIdx, self.blockIdx, self.blockDim, self.gridDim = Dim(0, 0, 0), Dim(0, 0, 0), Dim(), Dim()
        self.shared, self.local, self.atomic = _Shared(self), _Local, _Atomic
        self.thread = self.dynamic = 0
        self.arrays, self.allocated = [], []

    @property
    def laneid(self):
        return self.thread % 32

    def grid(self, n):
        t, b, d = self.threadIdx, self.blockIdx, self.blockDim
        place = (b.x * d.x + t.x, b.y * d.y + t.y, b.z * d.z + t.z)
        return place[0] if n == 1 else place[:n]

    def gridsize(self, n):
        d, g = self.blockDim, self.gridDim
        size = (d.x * g.x, d.y * g.y, d.z * g.z)
        return size[0] if n == 1 else size[:n]

    def threadfence(self):
        pass

    @staticmethod
    def fma(a, b, c):
        return type(a)(math.fma(a, b, c)) if hasattr(math, "fma") else type(a)(np.longdouble(a) * np.longdouble(b) + np.longdouble(c))

    @staticmethod
    def popc(x):
        return int(x).bit_count()

    @staticmethod
    def clz(x):
        return np.dtype(type(x)).itemsize * 8 - (int(x) & ((1 << np.dtype(type(x)).itemsize * 8) - 1)).bit_length()

    @staticmethod
    def ffs(x):
        return (int(x) & -int(x)).bit_length()


NAMES = _Names()


class Pointer:
    """The elements at an address: reading or writing beyond the buffer raises."""

    __slots__ = ("elements", "offset")

    def __init__(self, elements, offset=0):
        self.elements, self.offset = elements, offset

    def __getitem__(self, i):
        j = self.offset + int(i)
        if not 0 <= j < self.elements.size:
            raise IndexError(f"read out of bounds: element {j} of {self.elements.size}")
        return self.elements[j]

    def __setitem__(self, i, value):
        j = self.offset + int(i)
        if not 0 <= j < self.elements.size:
            raise IndexError(f"write out of bounds: element {j} of {self.elements.size}")
        self.elements[j] = value

    def several(self, i, n):
        """The elements i, ..., i + n - 1, which hardware reads at once where their address is a multiple of their size."""
        if (self.offset + int(i)) % n:
            raise IndexError(f"{n} elements that do not begin at a multiple of their size")
        return tuple([self[i + k] for k in range(n)])

    def replace(self, i, values):
        """The same written."""
        if (self.offset + int(i)) % len(values):
            raise IndexError(f"{len(values)} elements that do not begin at a multiple of their size")
        for k, v in enumerate(values):
            self[i + k] = v


class Code:
    """A kernel as the simulator runs it."""

    __slots__ = ("kernel", "run")

    def __init__(self, kernel):
        self.kernel = kernel
        self.run = transformed(kernel.factory(TARGET, *kernel.parameters))


TARGET = Target()


def load(kernel):
    return Code(kernel)


def _argument(driver, kind, given):
    if kind[0] != "*":
        return given
    dtype = np.dtype(kind[1:])
    memory, at = driver.at(given)
    if at % dtype.itemsize:
        raise IndexError(f"an address of {dtype} must be a multiple of {dtype.itemsize}")
    return Pointer(memory[: memory.size // dtype.itemsize * dtype.itemsize].view(dtype), at // dtype.itemsize)


def launch(driver, code, grid, block, args, shared=0):
    """Run all blocks of a kernel, one after the other."""
    names, signature = NAMES, code.kernel.signature
    if len(args) != len(signature):
        raise TypeError(f"{code.kernel} takes {len(signature)} arguments, got {len(args)}")
    args = [_argument(driver, kind, a) for kind, a in zip(signature, args)]
    grid, block = _three(grid), _three(block)
    if 0 in grid or math.prod(block) > code.kernel.block:
        raise ValueError(f"{code.kernel}: a grid of {grid} blocks of {block} threads")
    names.gridDim, names.blockDim, names.dynamic = Dim(*grid), Dim(*block), shared
    places = [(x, y, z) for z in range(block[2]) for y in range(block[1]) for x in range(block[0])]
    with np.errstate(all="ignore"):
        for bz in range(grid[2]):
            for by in range(grid[1]):
                for bx in range(grid[0]):
                    names.blockIdx = Dim(bx, by, bz)
                    names.arrays, names.allocated = [], [0] * len(places)
                    _block(code, names, places, args)


def _three(n):
    return (*n, 1, 1)[:3] if isinstance(n, tuple) else (n, 1, 1)


def _block(code, names, places, args):
    index = names.threadIdx
    if not code.run.yields:
        for t, (index.x, index.y, index.z) in enumerate(places):
            names.thread = t
            code.run(*args)
        return
    count = len(places)
    threads, waiting, sent = [code.run(*args) for _ in places], {}, [None] * count
    live, ready = set(range(count)), list(range(count))
    while live:
        for t in ready:
            index.x, index.y, index.z = places[t]
            names.thread = t
            try:
                waiting[t] = threads[t].send(sent[t])
            except StopIteration:
                live.discard(t)
            sent[t] = None
        ready = []
        if not live:
            return
        for first in range(0, count, 32):
            asked = {
                t: waiting[t] for t in range(first, min(first + 32, count)) if t in waiting and not waiting[t][0].startswith("syncthreads")
            }
            if not asked:
                continue
            alive = [t for t in range(first, min(first + 32, count)) if t in live]
            if len({r[0] for r in asked.values()}) > 1 or len(asked) != len(alive):
                raise RuntimeError(f"{code.kernel}: threads of a warp meet different warp operations: {asked}")
            for t, got in _exchanged(asked).items():
                sent[t] = got
                del waiting[t]
                ready.append(t)
        if ready:
            continue
        kinds = {r[0] for r in waiting.values()}
        if len(live) != count or len(kinds) != 1:
            raise RuntimeError(f"{code.kernel}: {count - len(live)} of {count} threads did not reach the barrier {sorted(kinds)}")
        kind = kinds.pop()
        if kind != "syncthreads":
            votes = [bool(r[1]) for r in waiting.values()]
            sent = [{"syncthreads_count": sum(votes), "syncthreads_and": int(all(votes)), "syncthreads_or": int(any(votes))}[kind]] * count
        waiting.clear()
        ready = list(range(count))


def _exchanged(asked):
    """What each thread of a warp gets from a warp operation."""
    name = next(iter(asked.values()))[0]
    lanes = {t % 32: t for t in asked}
    if name == "ballot_sync":
        return dict.fromkeys(asked, sum(1 << t % 32 for t, r in asked.items() if r[2]))
    if name == "all_sync":
        return dict.fromkeys(asked, all(r[2] for r in asked.values()))
    if name == "any_sync":
        return dict.fromkeys(asked, any(r[2] for r in asked.values()))
    if name == "syncwarp":
        return dict.fromkeys(asked)
    out = {}
    for t, r in asked.items():
        lane, d = t % 32, int(r[3])
        source = {"shfl_sync": d, "shfl_down_sync": lane + d, "shfl_up_sync": lane - d, "shfl_xor_sync": lane ^ d}[name]
        out[t] = asked[lanes[source]][2] if source in lanes else r[2]
    return out
