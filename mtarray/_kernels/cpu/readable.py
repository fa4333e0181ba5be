"""Kernels to read: map, zip, reduce and matrix product as plain loops over `prange`, which Numba makes parallel.

Kernel mode "prange" runs these in the place of the generated kernels: the same scalar functions, one loop nest each, any strides. Nothing
is blocked, tiled or vectorised by hand, so they are slower; what they do can be seen at a glance, and Numba reports on them (`report`).
Each is one generated module (see `build`). Where Numba has no thread layer that survives `fork` and concurrent callers, they run on one
thread.

An operand is a window on storage, as every array here: a 1-D array of the memory that it spans, the index of its first element in it, and
strides in elements, 0 along axes that it is broadcast over. Results are in C order. Each element of a result is computed by one thread, in
an order that the shapes decide: results do not depend on the number of threads. (Numba counts `prange` without a sign, and makes floats of
signed and unsigned integers together: hence `np.int64(number)`.)
"""

import functools
import hashlib
import types

import numpy as np
from numpy.lib.stride_tricks import as_strided

from mtarray._kernels import build

from . import driver
from .combine import as_combine
from .loops import converted, stored
from .reduce import reduce
from .templates import choose_types

_HEAD = '''import numpy as np
from numba import njit, prange, types
{imports}
{pasted}
def reads(dtype):
    """The type of the memory behind an operand: it is not written."""
    return types.Array(dtype, 1, "C", readonly=True)


@njit(error_model="numpy")
def position(i, shape, strides):
    """Where the element that is number i in C order lies: the sum of index times stride over the axes."""
    at = 0
    for axis in range(len(shape) - 1, -1, -1):
        at += i % shape[axis] * strides[axis]
        i //= shape[axis]
    return at


@njit(
    types.void({signature}),
    parallel=True, nogil=True, error_model="numpy", cache=True,
)
'''

_MAP = '''def {name}({outs}, shape, aligned, {windows}):
    """{outs} = f of {names}, element by element. `aligned`: the operands lie as the result does, one element after the other."""
    if aligned:
        for i in prange({first}.size):
            {results} = {straight}
    else:
        for number in prange({first}.size):
            i = np.int64(number)
            {results} = {strided}
'''

_FOLD = '''def {name}(out, shape, strides, x, x_start, folded_shape, folded_strides, count):
    """Each element of `out` (of `shape`; `strides` are those of the axes of x that stay) folds `count` elements of x with `combine`."""
    for number in prange(out.size):
        i = np.int64(number)
        first = x_start + position(i, shape, strides)
        total = {element_first}
        for k in range(1, count):
            element = {element}
            total = {combined}
        out[i] = {total}
'''

_PRODUCT = '''def {name}(out, stack, a, a_start, a_stack, a_row, a_column, b, b_start, b_stack, b_row, b_column, m, k, n):
    """out[s, i, :] = sum over p of a[s, i, p] * b[s, p, :], for every matrix s of a stack of shape `stack`; all rows in parallel."""
    for number in prange(out.size // n):
        row = np.int64(number)
        s = row // m
        at_a = a_start + position(s, stack, a_stack) + row % m * a_row
        at_b = b_start + position(s, stack, b_stack)
        for j in range(n):
            out[row * n + j] = 0
        for p in range(k):
            x = a[at_a + p * a_column]
            for j in range(n):
                out[row * n + j] {add}
'''


def _type(dtype):
    """The name of a dtype among Numba's types."""
    return "types.boolean" if dtype.kind == "b" else f"types.{dtype.name}"


def _written(dtype):
    return f"{_type(dtype)}[::1]"


_SIZES = "types.int64[::1]"


def _module(name, body, pasted, signature):
    """(name, source) of a module; its name tells it from all others, in Numba's cache too."""
    conversions = [c for c in ("float_to_u4", "float_to_u8", "into_u4", "into_u8") if f"{c}(" in body]
    imports = f"from mtarray._kernels.cpu.intrinsics import {', '.join(conversions)}\n" if conversions else ""
    source = _HEAD.format(imports=imports, pasted=pasted, signature=", ".join(signature)) + body
    unique = f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:6]}"
    return unique, source.replace(f"def {name}(", f"def {unique}(")


def _compiled(name, source):
    """The function for `driver.run_loops`, which says whether Numba may run it on several threads."""

    def compiled(parallel):
        return build.load(name, source if parallel else source.replace("parallel=True", "parallel=False"))[0]

    compiled.__name__ = name
    return compiled


def _letters(dtypes):
    return "".join([d.char for d in dtypes]).replace("?", "b")


@functools.lru_cache(maxsize=1024)
def map_source(scalar, ins, outs):
    """(name, source) of the map (one operand) or zip (several) of a Scalar that computes in the dtypes `ins` and gives `outs`."""
    names = ["x"] if len(ins) == 1 else [f"x{k + 1}" for k in range(len(ins))]
    results = ["out"] if len(outs) == 1 else [f"out{i + 1}" for i in range(len(outs))]
    own = scalar.function.__name__.strip("<>")
    name = f"{'map' if len(ins) == 1 else 'zip'}_{own}_{_letters((*outs, *ins))}"
    # Of wide unsigned results assignment would make something else than NumPy where they are negative.
    into = f"into_u{outs[0].itemsize}" if len(outs) == 1 and outs[0].kind == "u" and outs[0].itemsize >= 4 else ""
    call = f"{into}(f({{}}))" if into else "f({})"
    body = _MAP.format(
        name=name,
        outs=", ".join(results),
        first=results[0],
        names=", ".join(names),
        windows=", ".join(f"{x}, {x}_start, {x}_strides" for x in names),
        results=", ".join(f"{r}[i]" for r in results),
        straight=call.format(", ".join(f"{x}[i]" for x in names)),
        strided=call.format(", ".join(f"{x}[{x}_start + position(i, shape, {x}_strides)]" for x in names)),
    )
    signature = [*map(_written, outs), _SIZES, "types.boolean"]
    for d in ins:
        signature += [f"reads({_type(d)})", "types.int64", _SIZES]
    return _module(name, body, scalar.paste("f", ins), signature)


@functools.lru_cache(maxsize=1024)
def fold_source(scalar, x, accumulator, out):
    """(name, source) of the fold of an array of dtype `x` with a Scalar of two values, in the dtype `accumulator`."""
    name = f"reduce_{scalar.function.__name__.strip('<>')}_{_letters((x, accumulator, out))}"
    body = _FOLD.format(
        name=name,
        element_first=converted("x[first]", x, accumulator),
        element=converted("x[first + position(k, folded_shape, folded_strides)]", x, accumulator),
        combined=converted("combine(total, element)", accumulator, np.dtype(bool))
        if accumulator.kind == "b"
        else f"np.{accumulator.name}(combine(total, element))",
        total="total" if out == accumulator else stored("total", out),
    )
    signature = [_written(out), _SIZES, _SIZES, f"reads({_type(x)})", "types.int64", _SIZES, _SIZES, "types.int64"]
    return _module(name, body, scalar.paste("combine", (accumulator, accumulator)), signature)


@functools.lru_cache(maxsize=64)
def product_source(dtype):
    """(name, source) of the matrix product of stacks of matrices of a dtype."""
    name = f"matmul_{_letters((dtype,))}"
    element = "b[at_b + p * b_row + j * b_column]"
    body = _PRODUCT.format(name=name, add=f"|= x & {element}" if dtype.kind == "b" else f"+= x * {element}")
    one = [f"reads({_type(dtype)})", "types.int64", _SIZES, "types.int64", "types.int64"]
    return _module(name, body, "", [_written(dtype), _SIZES, *one, *one, *["types.int64"] * 3])


def _sizes(values):
    return np.array(values, np.int64)


def _storage(x):
    """(memory that the window `x` spans, index of its first element, strides in elements): what the loops take of an operand."""
    size = x.itemsize
    if not x.flags.aligned or any(s % size for s in x.strides):
        x = x.copy()
    upwards = x[tuple([slice(None, None, -1) if s < 0 else slice(None) for s in x.strides])]
    steps = [s // size for s in x.strides]
    span = [s * (n - 1) for s, n in zip(steps, x.shape, strict=True)]
    memory = as_strided(upwards, (sum(map(abs, span)) + 1,), (size,), writeable=False)
    return memory, -sum(s for s in span if s < 0), steps


def run_map(scalar, outs, ins):
    """Fill the C-contiguous `outs` from `ins`, all of one shape (inputs broadcast by zero strides) and of the dtypes to compute in."""
    if outs[0].size == 0:
        return
    shape = outs[0].shape
    name, source = map_source(scalar, tuple([x.dtype for x in ins]), tuple([x.dtype for x in outs]))
    windows = []
    for x in ins:
        memory, start, steps = _storage(x)
        windows += [memory, start, _sizes(steps)]
    aligned = all(x.flags.c_contiguous for x in ins)
    driver.run_loops(_compiled(name, source), *[out.reshape(-1) for out in outs], _sizes(shape), aligned, *windows)


def accumulator_of(scalar, x, acc, out):
    """The dtype in which a fold keeps its total: wide for sums and products of floats, since it adds one after the other."""
    kind = as_combine(scalar).kind
    return choose_types(kind, x, acc, out).total if kind in ("add", "mul") and acc.kind in "fc" else acc


def fold(scalar, x, axes, acc_dtype, out_dtype, identity=None):
    """`reduce.reduce` with a Scalar, by the loops of this module."""
    if x.size == 0:
        return reduce(scalar, x, axes, acc_dtype, out_dtype, identity)
    acc, out_dtype = np.dtype(acc_dtype), np.dtype(out_dtype)
    kept = [i for i in range(x.ndim) if i not in axes]
    memory, start, steps = _storage(x)
    shape, folded = [x.shape[i] for i in kept], [x.shape[i] for i in axes]
    out = np.empty(shape, out_dtype)
    name, source = fold_source(scalar, x.dtype, accumulator_of(scalar, x.dtype, acc, out_dtype), out_dtype)
    strides, folded_strides = _sizes([steps[i] for i in kept]), _sizes([steps[i] for i in axes])
    count = x.size // out.size
    driver.run_loops(_compiled(name, source), out.reshape(-1), _sizes(shape), strides, memory, start, _sizes(folded), folded_strides, count)
    return out


def product(a, b):
    """`a @ b` as `np.matmul` defines it, of arrays of one dtype and of shapes that fit."""
    return _product(a, b, lambda name, source, *operands: driver.run_loops(_compiled(name, source), *operands))


def product_in_python(a, b):
    """The same loops, uncompiled, over lists: element by element they are faster than arrays."""

    class Elements(list):
        @property
        def size(self):
            return len(self)

    def run(name, source, *operands):
        function, module = build.load(name, source)
        compiled = vars(module)
        plain = types.FunctionType(function.py_func.__code__, {"np": np, "prange": range, "position": compiled["position"].py_func})
        lists = [Elements(x.tolist()) if isinstance(x, np.ndarray) else x for x in operands]
        plain(*lists)
        operands[0][...] = lists[0]

    return _product(a, b, run)


def _product(a, b, run):
    vector_a, vector_b = a.ndim == 1, b.ndim == 1
    a = a[np.newaxis, :] if vector_a else a
    b = b[:, np.newaxis] if vector_b else b
    (m, k), n = a.shape[-2:], b.shape[-1]
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*stack, m, n), a.dtype)
    if out.size:
        operands = []
        for x in (a, b):
            memory, start, steps = _storage(np.broadcast_to(x, (*stack, *x.shape[-2:])) if x.size else np.zeros((*stack, 1, 1), x.dtype))
            operands += [memory, start, _sizes(steps[:-2]), *steps[-2:]]
        run(*product_source(a.dtype), out.reshape(-1), _sizes(stack), *operands, m, k, n)
    if vector_a:
        out = out[..., 0, :]
    return out[..., 0] if vector_b else out
