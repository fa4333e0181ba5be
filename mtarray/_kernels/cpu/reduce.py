"""Reductions over any axes of an array of any layout: sums, products, extrema, any, all, counts, and combines of the user's."""

from functools import lru_cache
from math import prod as prod_

import numpy as np

from .. import build
from . import pool
from .combine import as_combine
from .driver import address, run
from .nest import plan
from .templates import REASSOCIATE, UFUNCS, choose_types, columns_kernel, rows_kernel


@lru_cache(maxsize=4096)
def _kernel(combine, types, layout, unit):
    """Address of the compiled kernel."""
    source = "" if combine.kind else combine.source(types.strip)
    prelude, body = (rows_kernel if layout == "rows" else columns_kernel)(types, unit, source)
    name = f"reduce_{types.kind or 'user'}_{types.x.char}{types.strip.char}{types.out.char}_{layout}"
    # Only the strips of a known combine may be regrouped: there its rows add short runs of lanes.
    return build.kernel(name.replace("?", "b"), body, prelude, fastmath=REASSOCIATE if types.kind and layout == "rows" else False)


def reduce(combine, x, axes, acc_dtype, out_dtype, identity=None):
    """Combine the elements of `x` along `axes`; the result has the other axes and dtype `out_dtype`.

    x: ndarray of any layout. axes: sorted tuple of non-negative ints. combine: "add", "mul", "max", "min", "and", "or", the
    source of a two-argument scalar function, or a `Scalar`; associative and commutative. Elements are cast to `acc_dtype`
    before they are combined. An empty reduction gives `identity`, or raises ValueError when that is None. Sums of floats
    accumulate in float64, those of float64 with compensation, along every axis; max and min give NaN where there is one.
    Scratch: one element of 8 or 16 bytes per output and leaf, less than 1/256 of `x`.
    """
    combine = as_combine(combine)
    return _reduce(combine, choose_types(combine.kind, x.dtype, acc_dtype, out_dtype), x, axes, identity)


@lru_cache(maxsize=4096)
def _prepare(combine, types, shape, strides, axes):
    """(axes of which one position is enough, columns to fold, nest, kernel): everything about a call that its data does not decide."""
    once = types.kind in ("max", "min", "and", "or")  # of these a repeated element need be seen once
    repeated = tuple(i for i, s in enumerate(strides) if s == 0 and shape[i] != 1 and (once or i not in axes))
    if repeated:
        return repeated, 0, None, None
    times = _fold_times(shape, strides, axes, types.x.itemsize)
    if times:
        return (), times, None, None
    nest = plan(shape, strides, axes, types.x.itemsize)
    return (), 0, nest, _kernel(combine, types, nest.layout, nest.unit)


def _reduce(combine, types, x, axes, identity):
    if x.size == 0:
        return _empty(x, axes, tuple(n for i, n in enumerate(x.shape) if i not in axes), types.out, identity)
    repeated, times, nest, fn = _prepare(combine, types, x.shape, x.strides, axes)
    if repeated:
        # Equal outputs are computed once.
        once = x[tuple(slice(0, 1) if i in repeated else slice(None) for i in range(x.ndim))]
        result = pool.empty(tuple(n for i, n in enumerate(x.shape) if i not in axes), types.out)
        result[...] = _reduce(combine, types, once, axes, identity)
        return result
    if times:
        return _folded(combine, types, x, times)
    out = pool.empty(tuple([x.shape[i] for i in nest.order]), types.out)
    partials = None
    if nest.leaves > 1:
        partials = np.empty(nest.leaves * nest.outputs + 1, types.total)
        partials[-1] = types.kind == "and"  # not yet decided
    words = nest.arguments(address(x), address(out), address(partials) if partials is not None else 0)
    run(fn, nest.items, nest.chunk, address(words))
    if partials is not None and nest.outputs == 1 and types.kind:
        total = UFUNCS[types.kind].reduce(partials[:-1])  # NumPy adds a contiguous run pairwise
        out[()] = total / x.size if types.divide else total
    elif partials is not None:
        out.reshape(-1)[...] = _finish(combine, types, partials[:-1].reshape(nest.leaves, nest.outputs), x.size // out.size)
    if out.ndim > 1:
        out = out.transpose(nest.restore)
    return out


def _empty(x, axes, shape, dtype, identity):
    if identity is None and 0 not in shape:
        raise ValueError(f"reduction of an empty array (shape {x.shape}, axes {axes}) has no identity")
    result = pool.empty(shape, dtype)
    result[...] = 0 if identity is None else identity
    return result


def _fold_times(shape, strides, axes, itemsize):
    """How many rows of few long contiguous columns join to one: a (rows, 4) sum along axis 0 runs as (rows / 128, 512)."""
    width = prod_(shape[1:])
    packed = all(n == 1 or s == itemsize * prod_(shape[i + 1 :]) for i, (n, s) in enumerate(zip(shape, strides, strict=True)))
    if axes != (0,) or not packed:
        return 0
    times = 512 // width
    return times if times >= 4 and width > 1 and shape[0] >= 64 * times else 0


def _folded(combine, types, x, times):
    width, rows = x.size // x.shape[0], x.shape[0] // times
    inner = _partial(types)
    upper = _reduce(combine, inner, x[: rows * times].reshape(rows, times * width), (0,), None).reshape(times, width)
    if rows * times < x.shape[0]:
        lower = _reduce(combine, inner, x[rows * times :].reshape(-1, width), (0,), None)
        upper = np.concatenate([upper, lower.reshape(1, width)])
    result = pool.empty(x.shape[1:], types.out)
    result.reshape(-1)[...] = _finish(combine, types, upper, x.shape[0])
    return result


def _partial(types):
    """The same reduction, left in the type of its totals."""
    return type(types)(types.kind, types.x, types.strip, types.total, types.total, types.nonzero)


def _finish(combine, types, parts, count):
    """One value per output (of the totals' type, or divided) from `parts` (leaves, outputs), by a tree that their number fixes."""
    ufunc = UFUNCS.get(types.kind)
    if ufunc is None:
        settled = type(types)(types.kind, types.total, types.total, types.total, types.total)
        return _reduce(combine, settled, parts, (0,), None)
    if parts.shape[1] == 1:
        parts = ufunc.reduce(parts.reshape(-1), keepdims=True)
        return parts / count if types.divide else parts
    while len(parts) > 1:
        half = len(parts) // 2
        pairs = ufunc(parts[0 : 2 * half : 2], parts[1 : 2 * half : 2])
        parts = np.concatenate([pairs, parts[2 * half :]]) if len(parts) % 2 else pairs
    return parts[0] / count if types.divide else parts[0]


def _named(kind, x, axes, acc, out, identity, nonzero=False, divide=False):
    return _reduce(as_combine(kind), choose_types(kind, x.dtype, np.dtype(acc), np.dtype(out), nonzero, divide), x, axes, identity)


def sum_(x, axes, dtype):
    """Sum along `axes` in `dtype`: integers wrap, bools count, floats as `reduce` says."""
    return _named("add", x, axes, dtype, dtype, 0)


def prod(x, axes, dtype):
    """Product along `axes` in `dtype`; floats multiply in float64."""
    return _named("mul", x, axes, dtype, dtype, 1)


def max_(x, axes):
    """Largest element along `axes`, NaN where there is one. Real dtypes and bool; ValueError when there is none."""
    return _named("max", x, axes, x.dtype, x.dtype, None)


def min_(x, axes):
    """Smallest element along `axes`, NaN where there is one. Real dtypes and bool; ValueError when there is none."""
    return _named("min", x, axes, x.dtype, x.dtype, None)


def any_(x, axes):
    """Whether any element along `axes` is nonzero (NaN is); stops early."""
    return _named("or", x, axes, np.bool_, np.bool_, False)


def all_(x, axes):
    """Whether all elements along `axes` are nonzero (NaN is); stops early."""
    return _named("and", x, axes, np.bool_, np.bool_, True)


def count_nonzero(x, axes):
    """Number of nonzero elements along `axes`, int64."""
    return _named("add", x, axes, np.int64, np.int64, 0, nonzero=True)


def mean(x, axes, out_dtype):
    """Arithmetic mean along `axes`, rounded once to `out_dtype` (floating); an empty one is NaN."""
    acc = out_dtype if x.dtype.kind in "fc" else np.float64
    return _named("add", x, axes, acc, out_dtype, np.nan, divide=True)


def reduce_python(combine, x, axes, acc_dtype, out_dtype, identity=None):
    """`reduce` as a plain Python loop over elements, with the function uncompiled."""
    combine = as_combine(combine)
    function, acc = combine.python(), np.dtype(acc_dtype).type
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(x.shape[i] for i in kept)
    if x.size == 0:
        return _empty(x, axes, shape, np.dtype(out_dtype), identity)
    rows = x.transpose(kept + tuple(axes))
    result = np.empty(shape, out_dtype)
    for index in np.ndindex(shape):
        total = None
        for element in rows[index].flat if len(axes) else [rows[index]]:
            total = acc(element) if total is None else acc(function(total, acc(element)))
        result[index] = total
    return result
