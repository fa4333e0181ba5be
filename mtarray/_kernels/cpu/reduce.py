"""Reductions over any axes of an array of any layout: sums, products, extrema, any, all, counts, and combines of the user's."""

from functools import lru_cache

import numpy as np

from .. import build
from . import launch, strips
from .combine import as_combine
from .nest import plan, pointer
from .templates import REASSOCIATE, choose_types, columns_kernel, lanes_kernel, rows_kernel


@lru_cache(maxsize=4096)
def _kernel(combine, types, layout, unit, width):
    """Address of the compiled kernel."""
    name = f"reduce_{types.kind or 'user'}_{types.x.char}{types.strip.char}{types.out.char}_{layout}".replace("?", "b")
    if layout == "lanes":
        prelude, body = lanes_kernel(types, width)
        return build.kernel(f"{name}{width}", body, prelude)
    source = "" if combine.kind else combine.source(types.strip)
    prelude, body = (rows_kernel if layout == "rows" else columns_kernel)(types, unit, source)
    # Only the strips of a known combine may be regrouped: there its rows add short runs of lanes.
    return build.kernel(name, body, prelude, fastmath=REASSOCIATE if types.kind and layout == "rows" else False)


def reduce(combine, x, axes, acc_dtype, out_dtype, identity=None):
    """Combine the elements of `x` along `axes`; the result has the other axes and dtype `out_dtype`.

    x: ndarray of any layout. axes: sorted tuple of non-negative ints. combine: "add", "mul", "max", "min", "and", "or", the
    source of a two-argument scalar function, or a `Scalar`; associative and commutative. Elements are cast to `acc_dtype`
    before they are combined. An empty reduction gives `identity`, or raises ValueError when that is None. Sums of floats
    accumulate in float64, those of float64 with compensation, along every axis; max and min give NaN where there is one.
    Scratch: one element of 8 or 16 bytes per output and leaf, less than 1/256 of `x`.
    """
    return prepare(combine, x, axes, acc_dtype, out_dtype, identity)(x)


@lru_cache(maxsize=4096)
def _prepare(combine, types, shape, strides, axes, identity):
    """What reduces an ndarray of this shape and these strides: a function of it."""
    if 0 in shape:
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        if identity is None and 0 not in kept:
            raise ValueError(f"reduction of an empty array (shape {shape}, axes {axes}) has no identity")
        return lambda x: launch.filled(kept, types.out, 0 if identity is None else identity)
    once = types.kind in ("max", "min", "and", "or")  # of these a repeated element need be seen once
    repeated = tuple(i for i, s in enumerate(strides) if s == 0 and shape[i] != 1 and (once or i not in axes))
    if repeated:
        return launch.repeating(shape, axes, repeated, lambda x: _reduce(combine, types, x, axes, identity))
    vectors = types.kind == "add" and strips.supports("add", pointer(types.x), pointer(types.strip))
    nest = plan(shape, strides, axes, types.x.itemsize, widen=True, lanes=64 // types.strip.itemsize if vectors else 0)
    return launch.Launch(_kernel(combine, types, nest.layout, nest.unit, nest.width), nest, shape, types.out, types.total.itemsize)


def _reduce(combine, types, x, axes, identity):
    return _prepare(combine, types, x.shape, x.strides, axes, identity)(x)


def prepare(combine, x, axes, acc_dtype, out_dtype, identity=None):
    """`reduce`, planned for ndarrays with the dtype, shape and strides of `x`: a function that takes such an array and no thought."""
    combine = as_combine(combine)
    types = choose_types(combine.kind, x.dtype, acc_dtype, out_dtype)
    return _prepare(combine, types, x.shape, x.strides, axes, identity)


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
        return _prepare(combine, choose_types(combine.kind, x.dtype, acc_dtype, out_dtype), x.shape, x.strides, axes, identity)(x)
    rows = x.transpose(kept + tuple(axes))
    result = np.empty(shape, out_dtype)
    for index in np.ndindex(shape):
        total = None
        for element in rows[index].flat if len(axes) else [rows[index]]:
            total = acc(element) if total is None else acc(function(total, acc(element)))
        result[index] = total
    return result
