"""Reductions over any axes of a tensor of any layout: sums, products, extrema, any, all, and combines of the user's."""

from functools import lru_cache

import numpy as np

from . import folding
from .folding import Functions, Kind, Launch, plainly


def functions(target, kind, x, strip, total, result, deep=8):
    """The `Functions` of one reduction.

    kind: "add", "mul", "max", "min", "and", "or", or the Scalar that combines. `deep` elements (8 or 16) are combined in the dtype `strip`,
    all else in `total`.
    """
    cuda = target.cuda
    logical, decides = kind in ("and", "or") or total.kind == "b", result.kind == "b"
    strip, total = folding.stored(strip), folding.stored(total)
    S, T, R = [target.type(folding.stored(d)) for d in (strip, total, result)]
    join_narrow, join = combining(target, kind, strip, S, logical), combining(target, kind, total, T, logical)

    def element(v):
        if logical:
            return S(1) if v != 0 else S(0)
        return S(v)

    element = target.device(element)

    def one(v, r, origin):
        return T(element(v))

    def strip_(v, r, step, origin):
        # in pairs: a sum of 16 loses no more than four roundings
        w = cuda.local.array(8, S)
        for k in range(8):
            w[k] = element(v[k])
            if deep == 16:
                w[k] = join_narrow(w[k], element(v[k + 8]))
        for k in range(4):
            w[k] = join_narrow(w[k], w[k + 4])
        for k in range(2):
            w[k] = join_narrow(w[k], w[k + 2])
        return T(join_narrow(w[0], w[1]))

    def finish(out, z, s, times, given, origin):
        if times > 1:  # by doubling: s joined with itself so often
            p = s
            times -= 1
            while times > 0:
                if times % 2 == 1:
                    s = join(s, p)
                p = join(p, p)
                times //= 2
        if decides:
            out[z] = R(1) if s != 0 else R(0)
        else:
            out[z] = R(s)

    grow, settle = plainly(target, join)
    if kind == "add" and strip == total and total.kind in "fc":

        def grow(s, e, t):
            """The sum, and in e what it lost by rounding (Knuth)."""
            r = T(s + t)
            w = T(r - s)
            return r, T(e + T(T(s - T(r - w)) + T(t - w)))

        def settle(s, e):
            r = T(s + e)
            return s if e == T(0) or r != r else r

        grow, settle = target.device(grow), target.device(settle)
    device = target.device
    return Functions(folding.stored(x), (total,), T(0), device(one), device(strip_), join, grow, settle, device(finish))


def combining(target, kind, dtype, T, logical):
    """The function of two values of a dtype."""
    if kind == "add":

        def join(a, b):
            return T(a + b)
    elif kind == "mul":

        def join(a, b):
            return T(a * b)
    elif kind == "max":

        def join(a, b):
            return a if a >= b or a != a else b
    elif kind == "min":

        def join(a, b):
            return a if a <= b or a != a else b
    elif kind == "and":

        def join(a, b):
            return T(a & b)
    elif kind == "or":

        def join(a, b):
            return T(a | b)
    else:
        combine = target.function(kind, (np.dtype(bool) if logical else dtype,) * 2)
        if logical:

            def join(a, b):
                return T(1) if combine(a != 0, b != 0) else T(0)
        else:

            def join(a, b):
                return T(combine(a, b))

    return target.device(join)


def reduce_rows(target, kind, x, strip, total, result, lanes, walk, deep):
    return folding.rows(target, functions(target, kind, x, strip, total, result, deep), lanes, walk, deep)


def reduce_columns(target, kind, x, strip, total, result, across, lanes, walk, deep):
    return folding.columns(target, functions(target, kind, x, strip, total, result, deep), across, lanes, walk, deep)


def reduce_leaves(target, kind, x, strip, total, result, across, lanes):
    return folding.leaves(target, functions(target, kind, x, strip, total, result), across, lanes)


_FACTORIES = reduce_rows, reduce_columns, reduce_leaves


def fold(scalar, x, axes, accumulate, result, identity, leaf=None):
    """Combine the elements of a tensor along `axes`; the result has the other axes and the dtype `result`.

    scalar: the two-argument `Scalar` (or one of the CPU's names), associative and commutative. axes: sorted, non-negative. Elements are
    cast to `accumulate` before they are combined. No elements give `identity`, or a ValueError where that is None. Sums of floats
    accumulate in float64, those of float64 with compensation; max and min give NaN where there is one. leaf: the fewest elements that a
    block takes of an output that several share. Scratch: at most a few numbers for each output and block.
    """
    return prepare(scalar, x, axes, accumulate, result, identity, leaf)(x)


def prepare(scalar, x, axes, accumulate, result, identity, leaf=None):
    """`fold`, planned for tensors with the dtype, shape, strides and device of `x`: a function of such a tensor."""
    return _prepare(scalar, x.dtype, x.shape, x.strides, tuple(axes), accumulate, result, identity, x.driver, leaf)


@lru_cache(maxsize=4096)
def _prepare(scalar, dtype, shape, strides, axes, accumulate, result, identity, driver, leaf):
    from mtarray._kernels.cpu.combine import as_combine
    from mtarray._kernels.cpu.templates import choose_types

    combine = as_combine(scalar)
    types = choose_types(combine.kind, dtype, accumulate, result)
    kept = tuple([n for i, n in enumerate(shape) if i not in axes])
    if 0 in shape:
        if identity is None and 0 not in kept:
            raise ValueError(f"reduction of an empty array (shape {shape}, axes {axes}) has no identity")
        return lambda x: folding.filled(x, kept, result, 0 if identity is None else identity)
    repeated = [i for i, s in enumerate(strides) if s == 0 and shape[i] != 1 and i not in axes]
    if repeated:
        return lambda x: folding.repeating(x, repeated, kept, lambda x: fold(scalar, x, axes, accumulate, result, identity, leaf))
    nest = folding.plan(shape, strides, axes)
    if nest is None:
        last = tuple(range(len(kept), len(shape)))
        return lambda x: fold(scalar, folding.at_end(x, axes), last, accumulate, result, identity, leaf)
    return Launch(_kind(types.kind or combine.origin, types), nest, driver, leaf=leaf)


def _kind(combine, types):
    """The fold of these `choose_types`."""
    return Kind(_FACTORIES, (combine, types.x, types.strip, types.total, types.out), (folding.stored(types.total),), types.x, types.out)


def every():
    """The kernels of sums, products, extrema, any and all of every dtype over contiguous tensors; all those of float32 sums."""
    from mtarray._kernels.cpu.templates import choose_types

    for name in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"):
        x, truth = np.dtype(name), np.dtype(bool)
        wide = np.dtype({"b": "i8", "i": "i8", "u": "u8"}.get(x.kind, name))
        asked = [("add", wide, wide), ("mul", wide, wide), ("and", x, truth), ("or", x, truth)]
        asked += [] if x.kind == "c" else [("max", x, x), ("min", x, x)]
        for kind, accumulate, result in asked:
            types = choose_types(kind, x, accumulate, result)
            yield from _kind(types.kind, types).every(full=kind == "add" and name == "f4")
