"""Sums of exponentials in logarithms: compositions of the array functions."""

from __future__ import annotations

from math import inf
from typing import Any

from .._array import Array
from .._dtypes import COMPLEX, FLOATING, float_of
from .._operands import lift
from ..creation import astype, broadcast_arrays
from ..elementwise import abs as _abs
from ..elementwise import exp, isfinite, log, log1p, real, sign
from ..manipulation import squeeze
from ..searching import where
from ..statistical import max as _max
from ..statistical import sum as _sum

Axis = int | tuple[int, ...] | None


def _floating(x: Any, where: str) -> Array:
    x = lift(x, where)
    return x if x.dtype in FLOATING else astype(x, float_of(x.dtype))


def _shift(x: Array, axis: Axis) -> Array:
    """The largest (real part of an) element along `axis`, kept as an axis of length 1; 0 where it is not finite."""
    top = _max(real(x) if x.dtype in COMPLEX else x, axis=axis, keepdims=True)
    return where(isfinite(top), top, 0.0)


def softmax(x: Any, axis: Axis = None) -> Array:
    """exp(x) / sum(exp(x)) along `axis` (all axes by default), shifted so that nothing overflows: positive numbers that sum to 1.

    Arrays of any shape and floating dtype (integers convert); the result has the shape of `x`.

    >>> import mtarray as xp
    >>> xp.special.softmax(xp.asarray([1000.0, 1000.0, -xp.inf]))
    Array([0.5, 0.5, 0. ], shape=(3,), dtype=float64, device='cpu')
    """
    x = _floating(x, "softmax")
    e = exp(x - _max(real(x) if x.dtype in COMPLEX else x, axis=axis, keepdims=True))
    return e / _sum(e, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Axis = None) -> Array:
    """log(softmax(x)) along `axis` (all axes by default), also where `softmax` is 0.

    Arrays of any shape and floating dtype (integers convert); the result has the shape of `x`.

    >>> import mtarray as xp
    >>> xp.special.log_softmax(xp.asarray([1000.0, 0.0]))
    Array([    0., -1000.], shape=(2,), dtype=float64, device='cpu')
    """
    x = _floating(x, "log_softmax")
    shifted = x - _shift(x, axis)
    return shifted - log(_sum(exp(shifted), axis=axis, keepdims=True))


def logsumexp(a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log(sum(b exp(a))) along `axis` (all axes by default), computed so that nothing overflows; -inf for no elements.

    a: array of any shape and floating dtype (integers convert). b: weights that broadcast with `a`, 1 by default; where one is 0, the
    element of `a` does not count, whatever it is. Real sums below 0 give NaN, unless `return_sign`: then the result is a pair, the
    logarithm of the sum's magnitude and its sign (of a complex sum, its direction).

    >>> import mtarray as xp
    >>> xp.special.logsumexp(xp.asarray([1000.0, 1000.0]))
    Array(1000.69314718, shape=(), dtype=float64, device='cpu')
    >>> xp.special.logsumexp(xp.asarray([1.0, 2.0]), b=xp.asarray([1.0, -1.0]), return_sign=True)
    (Array(1.54132485, shape=(), dtype=float64, device='cpu'), Array(-1., shape=(), dtype=float64, device='cpu'))
    """
    a = _floating(a, "logsumexp")
    if b is not None:
        a, b = broadcast_arrays(a, _floating(b, "logsumexp"))
        a = where(b == 0, -inf, a)
    if a.size == 0 and b is None:
        shape = _sum(a, axis=axis, keepdims=keepdims)
        out = log(shape)
        return (out, shape) if return_sign else out
    top = _shift(a, axis)
    terms = exp(a - top)
    if b is not None:
        terms = b * terms
    # The largest term apart: what the others add is kept by log1p where it is small.
    total = _sum(terms, axis=axis, keepdims=True)
    if b is None and a.dtype not in COMPLEX:
        count = _sum(astype(a == top, a.dtype), axis=axis, keepdims=True)
        rest = _sum(where(a == top, 0.0, terms), axis=axis, keepdims=True)
        out = where(count > 0, log1p(rest / where(count > 0, count, 1.0)) + log(where(count > 0, count, 1.0)), log(total)) + top
        direction = sign(total)
    else:
        direction = sign(total)
        if return_sign:
            out = log(_abs(total)) + top
        else:
            out = log(total) + top
    if not keepdims:
        axes = tuple(range(a.ndim)) if axis is None else axis
        out, direction = squeeze(out, axis=axes), squeeze(direction, axis=axes)
    return (out, direction) if return_sign else out
