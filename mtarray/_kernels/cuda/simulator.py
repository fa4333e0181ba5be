"""The simulator: kernels run as NumPy code over all threads of some blocks at once, and what hardware leaves undefined raises.

The threads of a block are in step (see `lanes`): each statement runs for all that reach it, so a launch is deterministic and needs no
compiler. Checked are bounds, alignment, barriers and warp operations that not all threads reach, elements read before they are written,
arguments and limits of the launch; in a driver's `thorough` mode also races, and buffers read before they are written.
"""

import ast
import inspect
import linecache
import math
import operator

import numpy as np

from mtarray._kernels.scalarlib import reference
from mtarray._kernels.source import _PYTHON_OPERATORS, _Operators
from mtarray._kernels.source_math import Reference
from mtarray._kernels.source_reading import clone

from . import lanes
from .lane_memory import Memory, Shadow
from .lane_names import DYNAMIC, State
from .lane_rewriting import compiled

LANES = 1 << 14  # threads that run together, of one block or more
GRID = (1 << 31) - 1, 65535, 65535  # the most blocks along each axis
BLOCK = 1024, 1024, 64


class Target:
    """What kernel factories get when the simulator is to run them."""

    simulated = True

    def __init__(self):
        self.cuda = lanes.Name()
        self._functions = {}

    def type(self, dtype):
        return np.dtype(dtype).type

    def function(self, scalar, dtypes):
        made = self._functions.get(scalar)
        if made is None:
            made = self._functions[scalar] = _of_scalar(scalar)
        return made

    def device(self, function):
        return function if isinstance(function, lanes.Device) else lanes.device(function)

    def loads(self, n):
        return lanes.Placed(lambda L, m, site, p, i: p.several(L, m, site, i, n))

    def stores(self, n):
        return lanes.Placed(lambda L, m, site, p, i, values: p.replace(L, m, site, i, values))

    def define(self, name, text, space):
        file = f"<kernel {name} {len(text)} {hash(text) & 0xFFFFFFFF:x}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        space = {"cuda": self.cuda, "__name__": __name__, **space}
        exec(compile(text, file, "exec"), space)
        return space[name]


TARGET = Target()


def _of_scalar(scalar):
    """A Scalar as a function of lanes: its source rewritten, or, where it has what lanes cannot run, called for each lane."""
    space = {"math": Reference(), "np": np}
    try:
        for unit in scalar._units:
            node = _Operators(_PYTHON_OPERATORS).visit(clone(unit.node))
            node.name = unit.name
            ast.fix_missing_locations(node)
            code = compiled(node, unit.function.__code__.co_filename)
            made = lanes.instance(code, unit.name, dict(space))
            space[unit.name] = lanes.Device(unit.function, made)
    except TypeError:
        return lanes.Device(scalar.python, lambda L, m, *args: lanes.one_by_one(scalar.python, m, args))
    return lanes.Device(scalar.python, made)


# ---------------------------------------------------------------------- mathematical functions


def _of_reference():
    """Functions of `scalarlib.reference` for lanes: NumPy's where they are NumPy's, else called for each lane."""
    table = {}
    for name, function in vars(reference).items():
        if not inspect.isfunction(function) or function.__module__ != reference.__name__ or name.startswith("_"):
            continue
        ufunc = getattr(function, "ufunc", None)
        single = _each(function)
        table[function] = single if ufunc is None else _numpys(ufunc, function.floating, single if function.has_parts else None)
    return table


def _each(function):
    def of_lanes(*args):
        return lanes.one_by_one(function, True, args)

    return of_lanes


def _numpys(ufunc, floating, single):
    def of_lanes(*args):
        if single is not None and getattr(args[0], "dtype", np.dtype(float)).kind == "c":
            return single(*args)
        if floating:
            typed = any(isinstance(a, (np.ndarray, np.generic)) and a.dtype.kind in "fc" for a in args)
            args = [a if typed and type(a) in (int, float, complex) else _floating(a) for a in args]
        return ufunc(*args)

    return of_lanes


def _floating(x):
    return x if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc" else np.float64(x)


def _divide(x, y):
    kind = np.result_type(x, y)
    if kind.kind == "c":
        return lanes.one_by_one(reference.divide, True, (x, y))
    return np.true_divide(x, y)


def _pow(x, y):
    if np.result_type(x, y).kind == "c" or not any(type(v) is np.ndarray for v in (x, y)):
        return lanes.one_by_one(reference.pow, True, (x, y))
    return np.power(*[v if type(v) is not bool else float(v) for v in (x, y)])


def _power_of(x, y):
    if type(y) is int and y == 2:
        return x * x
    kind = np.result_type(x, y)
    if kind.kind == "f":
        return _pow(lanes.cast(kind.type, x), lanes.cast(kind.type, y))
    return lanes.one_by_one(reference.power_of, True, (x, y))


def _sign(x):
    return np.sign(x) if getattr(x, "dtype", np.dtype(float)).kind != "c" else lanes.one_by_one(reference.sign, True, (x,))


def _rint(x):
    return x if np.asarray(x).dtype.kind in "iu" else np.rint(x)


def _expit(x):
    x = _floating(x)
    w = np.asarray(x, np.float64)
    return np.where(w < 0, np.exp(w) / (1.0 + np.exp(w)), 1.0 / (1.0 + np.exp(-w))).astype(x.dtype)[()]


def _fma(a, b, c):
    from .lane_names import fused

    return fused(*[_floating(v) if not isinstance(v, float) else v for v in (a, b, c)])


lanes.TABLE.update(_of_reference())
lanes.TABLE.update(
    {reference.divide: _divide, reference.pow: _pow, reference.power_of: _power_of, reference.sign: _sign, reference.rint: _rint}
    | {reference.expit: _expit, reference.fma: _fma}
)


# ---------------------------------------------------------------------- launching


class Code:
    """A kernel as the simulator runs it."""

    __slots__ = ("kernel", "run", "names", "kinds")

    def __init__(self, kernel):
        self.kernel = kernel
        function = kernel.factory(TARGET, *kernel.parameters)
        code = function.__code__
        self.names = code.co_varnames[: code.co_argcount]
        self.kinds = [(kind, kind[0] == "*", np.dtype(kind.lstrip("*"))) for kind in kernel.signature]
        if len(self.names) != len(self.kinds):
            raise TypeError(f"{kernel} takes the arguments {', '.join(self.names)}, its signature has {len(self.kinds)}")
        self.run = lanes.rewritten(function)


def load(kernel):
    return Code(kernel)


def launch(driver, code, grid, block, args, shared=0):
    """Run all blocks of a kernel, as many together as make LANES threads."""
    kernel = code.kernel
    grid, block = _three(kernel, "grid", grid, GRID), _three(kernel, "block", block, BLOCK)
    threads = math.prod(block)
    if threads > min(kernel.block, 1024):
        raise ValueError(f"{kernel}: a block of {threads} threads {block}; it was made for at most {kernel.block}")
    if not 0 <= shared <= DYNAMIC:
        raise ValueError(f"{kernel}: {shared} bytes of dynamic shared memory; a block may have {DYNAMIC}")
    given = _arguments(driver, code, args)
    blocks = math.prod(grid)
    together = max(1, LANES // threads)
    thorough, clock = driver.thorough, 1
    run = code.run
    with np.errstate(all="ignore"):
        for first in range(0, blocks, together):
            state = State(kernel, grid, block, first, min(together, blocks - first), shared, thorough)
            if thorough:
                state.clock = clock
            run(state, True, *given)
            if thorough:
                clock = state.clock + 1


def _three(kernel, what, n, limits):
    n = (*n, 1, 1)[:3] if isinstance(n, tuple) else (n, 1, 1)
    if not all(type(k) is int or isinstance(k, np.integer) for k in n):
        raise TypeError(f"{kernel}: a {what} of {n}")
    if not all(0 < k <= limit for k, limit in zip(n, limits)):
        raise ValueError(f"{kernel}: a {what} of {n}; each must be positive, and at most {limits}")
    return tuple(map(int, n))


def _arguments(driver, code, args):
    kinds = code.kinds
    if len(args) != len(kinds):
        raise TypeError(f"{code.kernel} takes {len(kinds)} arguments, got {len(args)}")
    out, places = list(args), {}
    for k, ((kind, is_address, dtype), given) in enumerate(zip(kinds, args)):
        if not is_address:
            if kind == "i8":
                try:
                    value = out[k] = operator.index(given)
                except TypeError:
                    raise _wrong(code, k, given) from None
                if not -(1 << 63) <= value < 1 << 63:
                    raise _wrong(code, k, given)
            elif getattr(given, "dtype", None) != dtype:
                raise _wrong(code, k, given)
            continue
        if not isinstance(given, (int, np.integer)) or isinstance(given, bool):
            raise _wrong(code, k, given)
        given = int(given)
        if given % min(dtype.itemsize, dtype.alignment if dtype.kind != "c" else dtype.itemsize):
            raise ValueError(
                f"{code.kernel}: the address {given:#x} of {code.names[k]} is not a multiple of the {dtype.itemsize} bytes of {dtype}"
            )
        start, memory, known = driver.found(given, code.names[k])
        places.setdefault(start, []).append((k, dtype, given - start, memory, known))
    for found in places.values():
        grain = min(dtype.itemsize for _, dtype, _, _, _ in found)
        shadow = Shadow(found[0][3].size // grain + 1) if driver.thorough else None
        for k, dtype, at, memory, known in found:
            size = dtype.itemsize
            whole = memory.size // size * size
            flat = memory[:whole].view(dtype)
            if known is not None:
                known = known[:whole].reshape(-1, size)
            out[k] = Memory(code.names[k], flat, (flat.size,), flat.size, None, 1, at // size, known, shadow, size // grain)
    return out


def _wrong(code, k, given):
    kind = code.kernel.signature[k]
    wanted = "an address, as an int," if kind[0] == "*" else f"of the type {kind}"
    return TypeError(f"{code.kernel}: {code.names[k]} must be {wanted}, got {given!r} ({type(given).__name__})")
