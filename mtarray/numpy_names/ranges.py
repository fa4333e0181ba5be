"""Evenly spaced numbers in logarithm, and small constant matrices."""

from __future__ import annotations

from typing import Any

from .._array import Array
from .._dtypes import DType, dtype_of, float64, int64, promote
from ..creation import arange, eye, full, linspace
from ..elementwise import divide, equal, greater_equal, log10, logical_or, multiply, pow, sign
from ..manipulation import flip, moveaxis, reshape, stack
from ..utility import any as _any
from ._operands import operand, operands, refuse_if_strict


def line(start: Array, stop: Array, num: int, endpoint: bool = True, dtype: DType | None = None) -> Array:
    """`num` evenly spaced values between arrays that broadcast, along a new first axis, float64 or complex unless `dtype` is given."""
    return linspace(start, stop, num, endpoint=endpoint, dtype=dtype)


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0) -> Array:
    """`num` numbers from base**start to base**stop whose logarithms are evenly spaced; arrays of ends give a new axis.

    >>> import mtarray as xp
    >>> xp.logspace(0, 2, 3)
    Array([  1.,  10., 100.], shape=(3,), dtype=float64, device='cpu')
    """
    x, y, base = operands((start, stop, base), "logspace")
    _count(num, "logspace")
    out = pow(base, line(x, y, num, endpoint))
    return moveaxis(out if dtype is None else out.astype(dtype), 0, axis)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Array:
    """`num` numbers from `start` to `stop` with a constant quotient of neighbours. ValueError if an end is 0.

    >>> import mtarray as xp
    >>> xp.geomspace(1, 8, 4)
    Array([1., 2., 4., 8.], shape=(4,), dtype=float64, device='cpu')
    """
    _count(num, "geomspace")
    x, y = operands((start, stop), "geomspace")
    d = promote(x.dtype, y.dtype, float64)
    if bool(_any(logical_or(equal(x, 0), equal(y, 0)))):
        raise ValueError("geomspace: neither end may be 0")
    x, y = x.astype(d, copy=False), y.astype(d, copy=False)
    turn = sign(x)  # complex ends spiral; real ones are made positive
    low, high = divide(x, turn), divide(y, turn)
    out = pow(10.0, line(log10(low), log10(high), num, endpoint))
    if num > 0:
        out[0, ...] = low
        if num > 1 and endpoint:
            out[-1, ...] = high
    out = multiply(out, turn)
    return moveaxis(out if dtype is None else out.astype(dtype), 0, axis)


def _count(num: int, where: str) -> None:
    if num < 0:
        raise ValueError(f"{where}: num={num} must not be negative")


def identity(n: int, dtype: Any = None) -> Array:
    """The square matrix with ones on its diagonal. dtype: float64 by default.

    >>> import mtarray as xp
    >>> xp.identity(2)
    Array([[1., 0.],
           [0., 1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    refuse_if_strict("identity")
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float64) -> Array:
    """A matrix of shape (N, M) with ones at and below diagonal `k`, zeros above. dtype: float64 by default.

    >>> import mtarray as xp
    >>> xp.tri(2, 3)
    Array([[1., 0., 0.],
           [1., 1., 0.]], shape=(2, 3), dtype=float64, device='cpu')
    """
    refuse_if_strict("tri")
    rows, columns = reshape(arange(N), (-1, 1)), arange(-k, (N if M is None else M) - k)
    return greater_equal(rows, columns).astype(dtype_of(dtype))


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """The Vandermonde matrix: powers of `x` as columns, the highest first unless `increasing`. Shape (len(x), N).

    >>> import mtarray as xp
    >>> xp.vander(xp.asarray([1, 2, 3]), 3)
    Array([[1, 1, 1],
           [4, 2, 1],
           [9, 3, 1]], shape=(3, 3), dtype=int64, device='cpu')
    """
    x = operand(x, "vander")
    if x.ndim != 1:
        raise ValueError(f"vander: x must be one-dimensional, it has shape {x.shape}")
    n = x.shape[0] if N is None else N
    d = promote(x.dtype, int64)
    columns = [full(x.shape, 1, dtype=d, device=x.device)]
    for _ in range(1, n):
        columns.append(multiply(columns[-1], x))
    out = stack(columns, axis=1)[:, :n]
    return out if increasing else flip(out, axis=1)


__all__ = ["geomspace", "identity", "logspace", "tri", "vander"]
