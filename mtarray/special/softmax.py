"""Softmax and sums of exponentials in logarithms.

Softmax of real numbers is an op with a kernel by rows, since everybody's networks end in one; the rest is composed of array functions.
"""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np

from .._array import Array
from .._config import config
from .._dtypes import COMPLEX, FLOATING, float_of
from .._operands import lift
from .._ops import engine
from .._strides import axes_of, inverse_permutation
from ..creation import astype, broadcast_arrays
from ..elementwise import abs as _abs
from ..elementwise import exp, isfinite, log, log1p, real, sign
from ..manipulation import permute_dims, reshape, squeeze
from ..searching import where
from ..statistical import max as _max
from ..statistical import sum as _sum

Axis = int | tuple[int, ...] | None

# Elements from which the kernel serves. It is the faster one for any number; so few should not wait for it to be compiled.
_FEW = 1 << 9
# A row is one thread's: so long ones, where there are not several, are better off with the ops that share them out.
_LONG, _SEVERAL = 1 << 16, 8


# ---------------------------------------------------------------------- the ops: along rows of `n` elements


_kernels: Any = None  # the module, once it is wanted


def _rows(name: str, n: int, x: Any, y: Any = None) -> Any:
    global _kernels
    if _kernels is None:
        from .._kernels.cpu import softmax as _kernels
    if not x.flags.c_contiguous:
        x = np.ascontiguousarray(x)
    if y is not None and not y.flags.c_contiguous:
        y = np.ascontiguousarray(y)
    mode = config._values["kernels"]
    if mode == "python" or (mode == "auto" and x.size < _FEW):
        return _kernels.rows_numpy(name, n, x, y)
    return _kernels.rows(name, n, x, y)


@engine(vjp=lambda g, y, n: softmax_back(g, y, n=n))
def softmax_rows(x: Any, *, n: int) -> Any:
    """Softmax of every n elements."""
    return _rows("softmax", n, x)


@engine(vjp=(lambda g, y_, n: softmax_back(g, y_, n=n), lambda g, x, y_, n: _softmax_back_by_y(g, x, y_, n)))
def softmax_back(x: Any, y: Any, *, n: int) -> Any:
    """y * (x - the sum of x y): the cotangent of softmax's operand from that of its result y."""
    return _rows("softmax_back", n, x, y)


def _softmax_back_by_y(g: Array, x: Array, y: Array, n: int) -> Array:
    shape = x.shape
    g, x, y = (reshape(a, (-1, n)) for a in (g, x, y))
    return reshape(g * (x - _sum(x * y, axis=1, keepdims=True)) - x * _sum(g * y, axis=1, keepdims=True), shape)


@engine(vjp=lambda g, y, n: log_softmax_back(g, y, n=n))
def log_softmax_rows(x: Any, *, n: int) -> Any:
    """Logarithm of the softmax of every n elements."""
    return _rows("log_softmax", n, x)


@engine(vjp=(lambda g, y_, n: _log_softmax_back_by_x(g, y_, n), lambda g, x, y_, n: _log_softmax_back_by_y(g, x, y_, n)))
def log_softmax_back(x: Any, y: Any, *, n: int) -> Any:
    """x - exp(y) * the sum of x: the cotangent of log_softmax's operand from that of its result y."""
    return _rows("log_softmax_back", n, x, y)


def _log_softmax_back_by_x(g: Array, y: Array, n: int) -> Array:
    shape = g.shape
    g, y = (reshape(a, (-1, n)) for a in (g, y))
    return reshape(g - _sum(g * exp(y), axis=1, keepdims=True), shape)


def _log_softmax_back_by_y(g: Array, x: Array, y: Array, n: int) -> Array:
    shape = g.shape
    g, x, y = (reshape(a, (-1, n)) for a in (g, x, y))
    return reshape(-g * exp(y) * _sum(x, axis=1, keepdims=True), shape)


def _by_rows(op: Any, x: Array, axis: Axis) -> Array | None:
    """The op along `axis`, brought to the end where it is not there; None where the composition serves."""
    shape = x._shape
    ndim = len(shape)
    if 0 in shape:
        axes_of(axis, ndim)  # which refuses those that are none
        return x.copy()
    if x._dtype.kind != "f" or not shape:
        return None
    if axis == -1 or axis == ndim - 1:
        n, order = shape[-1], None
    else:
        axes = sorted(axes_of(axis, ndim))
        if not axes:
            return None
        n = prod([shape[a] for a in axes])
        order = None if axes == list(range(ndim - len(axes), ndim)) else [a for a in range(ndim) if a not in axes] + axes
    if n > _LONG and prod(shape) < n * _SEVERAL:
        return None
    if order is None:
        y: Array = op(x, n=n)
        return y
    return permute_dims(op(permute_dims(x, tuple(order)), n=n), inverse_permutation(tuple(order)))


# ---------------------------------------------------------------------- the functions


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
    y = _by_rows(softmax_rows, x, axis)
    if y is not None:
        return y
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
    y = _by_rows(log_softmax_rows, x, axis)
    if y is not None:
        return y
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
    if a.size == 0:
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
