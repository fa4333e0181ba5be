"""Elementwise kernels made from scalar functions, for any layouts and dtypes.

Two kernels serve. `flat`: every operand lies side by side in the order of the result, or is one element, or a number; a thread takes up to
16 bytes of each at once. `strided`: everything else; each thread takes four elements a block's width apart, whose coordinates come from
the linear index by multiplications (`texts.divider`), in 32 bits where they hold. Both read all that they need before they write, so that a
result may be written over an operand, and walk on by the size of the grid.
"""

import numpy as np

from mtarray import _strides
from mtarray._kernels.source import Scalar

from . import texts
from .kernel import Kernel, pointers
from .tensor import Tensor

BLOCK = 256
UNROLL = 4  # elements that a thread reads before it writes the first, so that enough of them are under way
_WAVES = 16  # blocks for each multiprocessor, at most; threads walk on from there
_PREPARED = 4096  # launches remembered by `into`
_COMPLEX = (np.complex64, np.complex128)
_CHEAP = frozenset(
    "fabs maximum minimum fmax fmin copysign floor ceil trunc rint isnan isinf isfinite signbit sign sqrt fma square".split()
)


# --- kernels ---------------------------------------------------------------------------------------------------------------
# kinds: a letter for each operand: "a" an array, "1" an array of one element, "n" a number. ins: dtypes of the arrays (of numbers: that
# computed in), computed: dtypes computed in, results: those of the function, outs: those stored.


def _operands(kinds, ins, computed):
    """(names of the arguments, lines that come first, expression of operand k's value from what is read of it)"""
    names, first, values = [], [], []
    for k, (kind, d, c) in enumerate(zip(kinds, ins, computed)):
        if kind == "n":
            names += [f"x{k}", f"x{k}i"] if c.kind == "c" else [f"x{k}"]
            text = f"complex(x{k}, x{k}i)" if c.kind == "c" else f"x{k}"
            first.append(f"c{k} = {texts.name_of(c)}({text})")
            values.append(lambda read, k=k: f"c{k}")
        elif kind == "1":
            names.append(f"x{k}")
            first += [f"v{k} = x{k}[0]", f"c{k} = {texts.cast(f'v{k}', d, c)}"]
            values.append(lambda read, k=k: f"c{k}")
        else:
            names.append(f"x{k}")
            values.append(lambda read, d=d, c=c: texts.cast(read, d, c))
    return names, first, values


def _call(values, reads, results, outs, tag):
    """(lines that compute one element, expressions of its results as stored)"""
    names = [f"z{tag}_{i}" for i in range(len(outs))]
    lines = [f"{', '.join(names)} = f({', '.join([v(r) for v, r in zip(values, reads)])})"]
    stored = []
    for name, r, o in zip(names, results, outs):
        lines.append(f"{name}s = {_result(name, r)}")
        stored.append(f"{name}s" if r == o else texts.cast(f"{name}s", r, o))
    return lines, stored


def _result(name, dtype):
    # Whatever the function returns, it counts as its declared dtype first.
    return f"({name} != 0)" if dtype.kind == "b" else f"{texts.name_of(dtype)}({name})"


def flat(target, scalar, kinds, ins, computed, results, outs, width):
    """One run of n elements, `width` of them at once where it is more than 1."""
    names, first, values = _operands(kinds, ins, computed)
    arrays = [k for k, kind in enumerate(kinds) if kind == "a"]
    body = []
    for k in arrays:
        body.append(f"a{k} = load(x{k}, i * {width})" if width > 1 else f"a{k}_0 = x{k}[i]")
        body += [f"a{k}_{j} = a{k}[{j}]" for j in range(width)] if width > 1 else []
    stored = []
    for j in range(width):
        lines, out = _call(values, [f"a{k}_{j}" for k in range(len(kinds))], results, outs, j)
        body += lines
        stored.append(out)
    for o in range(len(outs)):
        parts = [s[o] for s in stored]
        body.append(f"store(y{o}, i * {width}, ({', '.join(parts)}))" if width > 1 else f"y{o}[i] = {parts[0]}")
    lines = [
        *first,
        "start = t_i8(cuda.grid(1))",
        "step = t_i8(cuda.gridsize(1))",
        f"whole = n // {width}" if width > 1 else "whole = n",
        "i = start",
        "while i < whole:",
        *["    " + b for b in body],
        "    i += step",
    ]
    if width > 1:
        tail = [f"a{k}_t = x{k}[i]" for k in arrays]
        call, out = _call(values, [f"a{k}_t" for k in range(len(kinds))], results, outs, "t")
        tail += call + [f"y{o}[i] = {s}" for o, s in enumerate(out)]
        lines += [f"i = whole * {width} + start", "if i < n:", *["    " + t for t in tail]]
    return _define(target, "flat", [*[f"y{o}" for o in range(len(outs))], *names, "n"], lines, scalar, computed, width)


def strided(target, scalar, kinds, ins, computed, results, outs, sizes, wide, dense):
    """n elements of a shape of `sizes` dimensions. dense: the results lie side by side in this order."""
    names, first, values = _operands(kinds, ins, computed)
    arrays = [k for k, kind in enumerate(kinds) if kind == "a"]
    walked = [f"x{k}" for k in arrays] + ([] if dense else [f"y{o}" for o in range(len(outs))])

    def read(j):
        lines = texts.indices(sizes, wide, "j")
        lines += [f"a{k}_{j} = x{k}[{texts.offset(f'x{k}', sizes)}]" for k in arrays]
        lines += [f"o{o}_{j} = " + ("j" if dense else texts.offset(f"y{o}", sizes)) for o in range(len(outs))]
        return lines

    def write(j):
        lines, stored = _call(values, [f"a{k}_{j}" for k in range(len(kinds))], results, outs, j)
        return lines + [f"y{o}[o{o}_{j}] = {s}" for o, s in enumerate(stored)]

    several = []
    for j in range(UNROLL):
        several += [f"j = i + I({j}) * width" if j else "j = i", *read(j)]
    for j in range(UNROLL):
        several += write(j)
    lines = [
        *first,
        *[f"{s} = I({s})" for name in walked for s in _steps(name, sizes)],
        "m = I(n)",
        "width = I(cuda.blockDim.x)",
        f"i = I(cuda.blockIdx.x) * width * I({UNROLL}) + I(cuda.threadIdx.x)",
        f"step = I(cuda.gridDim.x) * width * I({UNROLL})",
        "while i < m:",
        f"    if i + I({UNROLL - 1}) * width < m:",
        *["        " + t for t in several],
        "    else:",
        "        j = i",
        "        while j < m:",
        *["            " + t for t in [*read(0), *write(0)]],
        "            j += width",
        "    i += step",
    ]
    parameters = [*[f"y{o}" for o in range(len(outs))], *names, "n", *texts.index_arguments(sizes)]
    parameters += [s for name in walked for s in _steps(name, sizes)]
    return _define(target, "strided", parameters, lines, scalar, computed, 0, "t_i8" if wide else "t_i4")


def _steps(name, sizes):
    return [f"s{name}_{d}" for d in range(sizes)]


def _define(target, name, parameters, lines, scalar, computed, width, index="t_i8"):
    space = {"cuda": target.cuda, "f": target.function(scalar, computed), **texts.types_of(target)}
    space["I"] = space[index]
    if width > 1:
        space.update(load=target.loads(width), store=target.stores(width))
    return target.define(name, f"def {name}({', '.join(parameters)}):\n" + "\n".join(["    " + line for line in lines]) + "\n", space)


def _number_codes(kinds, computed):
    """The signature's codes of the operands that are numbers, else of None."""
    codes = []
    for kind, c in zip(kinds, computed):
        code = c.str[1:]
        codes.append(None if kind != "n" else {"c8": "f4 f4", "c16": "f8 f8"}.get(code, code))
    return codes


def _signature(kinds, ins, computed, outs):
    numbers = _number_codes(kinds, computed)
    return " ".join([pointers(*outs), *[n or pointers(d) for n, d in zip(numbers, ins)], "i8"])


def flat_kernel(scalar, kinds, ins, computed, results, outs, width):
    return Kernel(flat, (scalar, kinds, ins, computed, results, outs, width), _signature(kinds, ins, computed, outs), BLOCK)


def strided_kernel(scalar, kinds, ins, computed, results, outs, sizes, wide, dense):
    walked = kinds.count("a") + (0 if dense else len(outs))
    signature = _signature(kinds, ins, computed, outs) + " i8" * (3 * (sizes - 1) + walked * sizes)
    return Kernel(strided, (scalar, kinds, ins, computed, results, outs, sizes, wide, dense), signature, BLOCK)


def width_of(scalar, dtypes):
    """Elements that a thread takes at once from operands of these dtypes, side by side: 16 bytes of the widest, where the function is cheap
    enough to be written out so often."""
    widest = max(d.itemsize for d in dtypes)
    dear = len(scalar.names_used - _CHEAP)
    if dear > 1 or (dear and widest > 4):
        return 1
    return min(UNROLL, max(1, 16 // widest))


# --- launches --------------------------------------------------------------------------------------------------------------


class Launch:
    """Kernels for operands laid out in one way: `run` takes addresses and numbers in the order of their arguments, the results' first, and
    all addresses or-ed together."""

    __slots__ = ("driver", "block", "rest", "code", "grid", "fast", "fast_grid", "plain", "shifts")

    def __init__(self, driver, scalar, walk, kinds, ins, computed, results, outs, dense):
        n, total, block, blocks = len(outs), walk.total, _block, _blocks
        arrays = [k for k, kind in enumerate(kinds) if kind == "a"]
        self.driver, self.code, self.fast = driver, None, None
        # In bytes, of the operands that are arrays, where the walk begins elsewhere than at their first element.
        shifts = [o * d.itemsize for o, d in zip(walk.offsets, (*outs, *ins))]
        self.shifts = tuple(shifts) if any(shifts) else None
        if all(walk.is_flat(k) for k in range(n)) and all(walk.is_flat(n + k) or walk.is_single(n + k) for k in arrays):
            kinds = "".join(["1" if kind == "a" and not walk.is_flat(n + k) else kind for k, kind in enumerate(kinds)])
            width = width_of(scalar, (*outs, *[ins[k] for k in arrays]))
            self.rest = (total,)
            self.plain = lambda: flat_kernel(scalar, kinds, ins, computed, results, outs, 1)
            self.block = block(-(-total // width))
            if width > 1:
                self.fast = flat_kernel(scalar, kinds, ins, computed, results, outs, width).code(driver)
                self.fast_grid = blocks(driver, self.block, -(-total // width))
            self.grid = blocks(driver, self.block, total)
        else:
            sizes, wide = walk.sizes, walk.is_wide
            self.plain = lambda: strided_kernel(scalar, kinds, ins, computed, results, outs, len(sizes), wide, dense)
            walked = [n + k for k in arrays] + ([] if dense else list(range(n)))
            self.rest = (total, *texts.index_values(sizes), *[s for k in walked for s in walk.strides[k]])
            self.block = block(-(-total // UNROLL))
            self.grid = blocks(driver, self.block, -(-total // UNROLL))
        if self.fast is None:
            self.code = self.plain().code(driver)

    def run(self, args, ored):
        if self.fast is not None and not ored & 15:
            self.driver.launch(self.fast, self.fast_grid, self.block, (*args, *self.rest))
            return
        if self.code is None:
            self.code = self.plain().code(self.driver)
        self.driver.launch(self.code, self.grid, self.block, (*args, *self.rest))


def _block(threads):
    """Threads of a block, where so many have something to do."""
    return BLOCK if threads >= BLOCK else max(32, 1 << (threads - 1).bit_length())


def _blocks(driver, block, threads):
    return min(-(-threads // block), driver.multiprocessors * _WAVES)


class Fresh:
    """A Launch that makes its results: called with an operand each, the (buffer, offset in bytes) of an array or a number of the dtype
    computed in, it returns a list of Tensors."""

    __slots__ = ("driver", "launch", "outs", "shape", "strides")

    def __init__(self, launch, shape, strides, outs):
        total = 1
        for n in shape:
            total *= n
        self.driver, self.launch, self.shape, self.strides = launch.driver, launch, shape, strides
        self.outs = [(d, total * d.itemsize) for d in outs]

    def __call__(self, ins):
        allocate, launch = self.driver.allocate, self.launch
        results, args, ored = [], [], 0
        for d, nbytes in self.outs:
            buffer = allocate(nbytes)
            results.append(Tensor(buffer, self.shape, self.strides, 0, d))
            args.append(buffer.ptr)
            ored |= buffer.ptr
        if launch.shifts is None:
            for x in ins:
                if x.__class__ is tuple:
                    at = x[0].ptr + x[1]
                    args.append(at)
                    ored |= at
                elif x.__class__ in _COMPLEX:
                    args += (x.real, x.imag)
                else:
                    args.append(x)
        else:
            ored = _arguments(args, ins, launch.shifts[len(results) :], ored)
        launch.run(args, ored)
        return results


def _arguments(args, ins, shifts, ored):
    """Add the arguments of operands to `args`; all addresses or-ed together."""
    for x, shift in zip(ins, shifts):
        if x.__class__ is tuple:
            at = x[0].ptr + x[1] + shift
            args.append(at)
            ored |= at
        elif x.__class__ in _COMPLEX:
            args += (x.real, x.imag)
        else:
            args.append(x)
    return ored


def prepare(driver, scalar, shape, order, dtypes, strides, computed, results):
    """The Fresh of a scalar function for operands of `dtypes` that broadcast to `shape` (not empty).

    order: axes in the order in which the results lie in memory; None: C order. strides: in elements, on `shape`; None for a number.
    computed, results: the dtypes that the function computes in and returns.
    """
    axes = tuple(range(len(shape))) if order is None else order
    own, step = [0] * len(shape), 1
    for i in reversed(axes):
        own[i] = step
        step *= shape[i]
    own, zero = tuple(own), (0,) * len(shape)
    walk = texts.walk(tuple(shape), (*[own] * len(results), *[zero if s is None else tuple(s) for s in strides]))
    kinds = "".join(["n" if s is None else "a" for s in strides])
    launch = Launch(driver, scalar, walk, kinds, tuple(dtypes), tuple(computed), tuple(results), tuple(results), True)
    return Fresh(launch, tuple(shape), own, results)


_into = {}


def into(scalar, targets, ins, computed, results):
    """Write the results into tensors of one shape (not empty; any strides but 0; other dtypes are converted to).

    ins: tensors of that shape, or numbers of the dtypes computed in. One may be a target as it is, and must not overlap one otherwise.
    """
    first = targets[0]
    key = (
        scalar, first.buffer.driver, first.shape, tuple(computed), tuple(results),
        tuple([(t.dtype, t.strides) for t in targets]), tuple([(x.dtype, x.strides) if x.__class__ is Tensor else None for x in ins]),
    )  # fmt: skip
    launch = _into.get(key)
    if launch is None:
        outs = tuple([t.dtype for t in targets])
        dtypes = tuple([x.dtype if x.__class__ is Tensor else c for x, c in zip(ins, computed)])
        zero = (0,) * len(first.shape)
        walk = texts.walk(first.shape, tuple([t.strides for t in targets] + [x.strides if x.__class__ is Tensor else zero for x in ins]))
        dense = all(_strides.is_contiguous(walk.sizes, walk.strides[k]) for k in range(len(outs)))
        kinds = "".join(["a" if x.__class__ is Tensor else "n" for x in ins])
        launch = Launch(first.buffer.driver, scalar, walk, kinds, dtypes, tuple(computed), tuple(results), outs, dense)
        if len(_into) >= _PREPARED:
            _into.clear()
        _into[key] = launch
    given = [(x.buffer, x.offset * x.dtype.itemsize) if x.__class__ is Tensor else x for x in (*targets, *ins)]
    args = []
    launch.run(args, _arguments(args, given, launch.shifts or (0,) * len(given), 0))


def kernels_of(scalar, computed, results):
    """The kernel of a scalar function for arrays side by side, of the dtypes that it computes in."""
    kinds, width = "a" * len(computed), width_of(scalar, (*results, *computed))
    yield flat_kernel(scalar, kinds, computed, computed, results, results, width)


def _first(x):
    return x


def _total(x1, x2):
    return x1 + x2


def every():
    """The kernels of all kinds for one function, and of conversions; those of ops follow from the registry by `kernels_of`."""
    total, same = Scalar(_total), Scalar(_first)
    for d in texts.DTYPES:
        width = width_of(total, (d,))
        for kinds in ("aa", "an", "na", "a1"):
            yield flat_kernel(total, kinds, (d, d), (d, d), (d,), (d,), width)
        for sizes, wide, dense in ((1, False, True), (2, False, False), (3, False, True), (5, False, True), (2, True, False)):
            yield strided_kernel(total, "aa", (d, d), (d, d), (d,), (d,), sizes, wide, dense)
        for e in texts.DTYPES:
            if e.kind == "c" or d.kind != "c":
                yield flat_kernel(same, "a", (d,), (e,), (e,), (e,), width_of(same, (d, e)))
