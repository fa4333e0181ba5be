"""Where elements are: the positions of extrema."""

from functools import lru_cache

import numpy as np

from . import folding
from .folding import Functions, Kind, Launch, plainly
from .kernel import Kernel
from .tensor import like

INT64 = np.dtype(np.int64)

# ---------------------------------------------------------------------- arg_extreme


def _functions(target, x, largest, deep=8):
    """`Functions` of the first largest or smallest element and its flat index; the first NaN counts as both."""
    X, I = target.type(x), target.type(INT64)

    if largest:

        def beats(w, v):
            return w > v or (w != w and v == v)
    else:

        def beats(w, v):
            return w < v or (w != w and v == v)

    beats = target.device(beats)

    def one(v, r, origin):
        return X(v), I(r)

    def strip(v, r, step, origin):
        best, at = v[0], 0
        for k in range(1, deep):
            if beats(v[k], best):
                best, at = v[k], k
        return X(best), I(r + at * step)

    def join(s, t):
        if beats(t[0], s[0]):
            return t
        if beats(s[0], t[0]) or s[1] <= t[1]:
            return s
        return t

    def finish(out, z, s, times, given, origin):
        out[z] = s[1]

    join = target.device(join)
    device = target.device
    return Functions(x, (x, INT64), 0, device(one), device(strip), join, *plainly(target, join), device(finish))


def extreme_rows(target, x, largest, lanes, walk, deep):
    return folding.rows(target, _functions(target, x, largest, deep), lanes, walk, deep)


def extreme_columns(target, x, largest, across, lanes, walk, deep):
    return folding.columns(target, _functions(target, x, largest, deep), across, lanes, walk, deep)


def extreme_leaves(target, x, largest, across, lanes):
    return folding.leaves(target, _functions(target, x, largest), across, lanes)


_EXTREME = extreme_rows, extreme_columns, extreme_leaves


def arg_extreme(x, *, axis, largest, leaf=None):
    """int64 positions of the first largest (or smallest) element along `axis`, or in C order of all when it is None.

    Real dtypes and bool, any layout; the result has the other axes. The first NaN counts as both. leaf: see `reduce.fold`.
    """
    return _prepare_extreme(x.dtype, x.shape, x.strides, axis, largest, x.driver, leaf)(x)


@lru_cache(maxsize=4096)
def _prepare_extreme(dtype, shape, strides, axis, largest, driver, leaf):
    axes = tuple(range(len(shape))) if axis is None else (axis,)
    kept = tuple([n for i, n in enumerate(shape) if i not in axes])
    if 0 in shape:
        if 0 in kept and all(shape[i] for i in axes):
            return lambda x: like(x, kept, INT64)
        raise ValueError(f"{'argmax' if largest else 'argmin'} of no elements: shape {shape}, axis {axis}")
    repeated = [i for i, s in enumerate(strides) if s == 0 and shape[i] != 1]
    if repeated and axis is not None:
        return lambda x: folding.repeating(x, repeated, kept, lambda x: arg_extreme(x, axis=axis, largest=largest, leaf=leaf))
    if repeated:
        return lambda x: _first_of_repeated(x, repeated, largest, leaf)
    nest = folding.plan(shape, strides, axes, ordered=True)
    if nest is None:
        return lambda x: arg_extreme(folding.contiguous(x), axis=axis, largest=largest, leaf=leaf)
    return Launch(_extreme(folding.stored(dtype), largest), nest, driver, leaf=leaf)


def _extreme(dtype, largest):
    return Kind(_EXTREME, (dtype, largest), (dtype, INT64), dtype, INT64)


def _first_of_repeated(x, repeated, largest, leaf):
    """The position in C order of all, of a tensor that repeats its elements: each counts where it comes first."""
    shape = x.shape
    for i in repeated:
        x = x.narrowed(i, 0, 1)
    at = arg_extreme(x, axis=None, largest=largest, leaf=leaf)
    inner = 1
    for i in range(len(shape) - 1, -1, -1):
        if i in repeated:
            Kernel(spread, (), "*i8 i8 i8", 32).launch(x.driver, 1, 32, at.address, inner, shape[i])
        inner *= shape[i]
    return at


def spread(target):
    """A position, where an axis of length 1 with `inner` elements inside becomes n long."""
    cuda = target.cuda

    def spread(at, inner, n):
        if cuda.grid(1) == 0:
            outer = at[0] // inner
            at[0] += outer * inner * (n - 1)

    return spread


def every():
    """The kernels of arg_extreme for every dtype."""
    yield Kernel(spread, (), "*i8 i8 i8", 32)
    for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"):
        for largest in (True, False):
            yield from _extreme(np.dtype(name), largest).every()
