"""Variance in one pass over memory: strips of elements give mean and squared distances, which merge without loss.

The merge is Chan, Golub and LeVeque's ("Updating formulae and a pairwise algorithm for computing sample variances", 1979), in float64, of
means that count from an element of the output: so they keep their digits where the elements are far from 0.
"""

from functools import lru_cache

import numpy as np

from . import folding
from .folding import Functions, Kind, Launch, plainly

FLOAT64, COMPLEX128 = np.dtype(np.float64), np.dtype(np.complex128)


def parts_of(dtype):
    """Dtypes of the state (count, mean less the origin, sum of squared distances from the mean) of elements of a dtype."""
    return FLOAT64, COMPLEX128 if dtype.kind == "c" else FLOAT64, FLOAT64


def functions(target, x, result, deep=8, finish=None):
    """`Functions` of the variance. `given`: the divisor for all the elements of an output. finish: what writes the result, if not that."""
    cuda, F = target.cuda, target.type(FLOAT64)
    M, R = target.type(parts_of(x)[1]), target.type(result)
    # float32 is differenced as it is, around a mean of the strip; all else in float64.
    narrow = x if x == np.float32 else parts_of(x)[1]
    N = target.type(narrow)
    zero, count, share = F(0), F(deep), F(1 / deep)

    if x.kind == "c":

        def square(d):
            return F(d.real * d.real + d.imag * d.imag)
    else:

        def square(d):
            return F(d) * F(d)

    square = target.device(square)

    def one(v, r, origin):
        return F(1), M(M(v) - M(origin)), square(M(M(v) - M(v)))  # 0, or NaN of what is not finite

    def strip(v, r, step, origin):
        w = cuda.local.array(deep, N)
        for k in range(deep):
            w[k] = N(v[k])
        for k in range(deep // 2):
            w[k] = N(w[k] + w[k + deep // 2])
        s = N(w[0] + w[4])
        for k in range(1, 4):
            s = N(s + N(w[k] + w[k + 4]))
        if deep == 8:
            s = N(N(w[0] + w[1]) + N(w[2] + w[3]))
        near = N(M(s) * share)
        off, squares = M(0), zero
        for k in range(deep):
            d = N(N(v[k]) - near)
            off = M(off + M(d))
            squares = F(squares + square(d))
        off = M(off * share)
        return count, M(M(M(near) - M(origin)) + off), F(squares - square(off) * count)

    def join(s, t):
        n = F(s[0] + t[0])
        share = F(t[0] / n)
        d = M(t[1] - s[1])
        return n, M(s[1] + M(d * share)), F(F(s[2] + t[2]) + F(square(d) * F(s[0] * share)))

    if finish is None:

        def finish(out, z, s, times, given, origin):
            out[z] = R(F(s[2] * F(times)) / given)

    join = target.device(join)
    device = target.device
    return Functions(x, parts_of(x), zero, device(one), device(strip), join, *plainly(target, join), device(finish))


def variance_rows(target, x, result, lanes, walk, deep):
    return folding.rows(target, functions(target, x, result, deep), lanes, walk, deep)


def variance_columns(target, x, result, across, lanes, walk, deep):
    return folding.columns(target, functions(target, x, result, deep), across, lanes, walk, deep)


def variance_leaves(target, x, result, across, lanes):
    return folding.leaves(target, functions(target, x, result), across, lanes)


_VARIANCE = variance_rows, variance_columns, variance_leaves


def variance(x, *, axes, correction, leaf=None):
    """Variance over axes (sorted, non-negative), which the result does not have: sum |x - mean|^2 / (count - correction), a real number.

    A divisor of 0 or less counts as 0; no elements give NaN. Integers and booleans give float64. leaf: see `reduce.fold`.
    """
    return _prepare(x.dtype, x.shape, x.strides, tuple(axes), float(correction), x.driver, leaf)(x)


@lru_cache(maxsize=4096)
def _prepare(dtype, shape, strides, axes, correction, driver, leaf):
    kept = tuple([n for i, n in enumerate(shape) if i not in axes])
    if 0 in shape:
        return lambda x: folding.filled(x, kept, _result(dtype), np.nan)
    repeated = [i for i, s in enumerate(strides) if s == 0 and shape[i] != 1 and i not in axes]
    if repeated:
        return lambda x: folding.repeating(x, repeated, kept, lambda x: variance(x, axes=axes, correction=correction, leaf=leaf))
    nest = folding.plan(shape, strides, axes)
    if nest is None:
        return lambda x: variance(folding.at_end(x, axes), axes=tuple(range(len(kept), len(shape))), correction=correction, leaf=leaf)
    return Launch(_kind(folding.stored(dtype)), nest, driver, max(0.0, nest.total * nest.times - correction), leaf)


def _kind(dtype):
    result = _result(dtype)
    return Kind(_VARIANCE, (dtype, result), parts_of(dtype), dtype, result)


def _result(dtype):
    return np.dtype(np.float32) if dtype in (np.float32, np.complex64) else FLOAT64


def every():
    """The kernels of the variance of every dtype."""
    for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "c8", "c16"):
        yield from _kind(np.dtype(name)).every()
