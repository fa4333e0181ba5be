"""What the singular values tell: pseudo-inverses, ranks, least squares."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import real_of
from .._operands import lift
from ..creation import asarray, astype, zeros
from ..data_type import finfo
from ..elementwise import abs as absolute
from ..elementwise import greater, multiply, square, subtract
from ..statistical import max as maximum
from ..statistical import sum as total
from . import _engine
from ._operands import LinAlgError, factor, floating, matrices, pair
from .decompositions import svdvals
from .products import matmul


def pinv(x: Any, /, *, rtol: Any = None) -> Array:
    """Moore-Penrose inverses (..., n, m) of matrices (..., m, n). Singular values up to rtol times the largest count as zero.

    rtol: a number or (...); by default max(m, n) times the dtype's epsilon.

    >>> import mtarray as xp
    >>> xp.linalg.pinv(xp.asarray([[2.0], [0.0]]))
    Array([[0.5, 0. ]], shape=(1, 2), dtype=float64, device='cpu')
    """
    x = matrices(x, "pinv")
    if x.size == 0:
        return zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), dtype=x.dtype, device=x.device)
    return factor("pinv", _engine.pseudo_inverse, x, _tolerance(x, rtol))


def _tolerance(x: Array, rtol: Any) -> Array:
    """Below which part of the largest a singular value of x counts as zero."""
    if rtol is None:
        rtol = builtins.max(x.shape[-2:]) * float(finfo(x.dtype).eps)
    return asarray(float(rtol), dtype=real_of(x.dtype), device=x.device) if isinstance(rtol, (int, float)) else lift(rtol, "rtol")


def _counted(x: Array, s: Array, rtol: Array) -> Array:
    """How many of the singular values s of x do not count as zero."""
    if not s.shape[-1]:
        return zeros(s.shape[:-1], dtype=np.int64, device=x.device)
    return total(astype(greater(s, multiply(maximum(s, axis=-1, keepdims=True), rtol[..., None])), np.int64), axis=-1)


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Array:
    """Ranks (...) of matrices (..., m, n), as int64: the number of singular values above rtol times the largest.

    rtol: a number or (...); by default max(m, n) times the dtype's epsilon.

    >>> import mtarray as xp
    >>> int(xp.linalg.matrix_rank(xp.ones((3, 3))))
    1
    """
    x = matrices(x, "matrix_rank")
    if x.size == 0:
        return zeros(x.shape[:-2], dtype=np.int64, device=x.device)
    return _counted(x, svdvals(x), _tolerance(x, rtol))


def lstsq(a: Any, b: Any, /, rcond: Any = None) -> tuple[Array, Array, Array, Array]:
    """Least squares: x that minimises the 2-norm of b - a @ x, with NumPy's four results (x, residuals, rank, singular values).

    a: (m, n); b: (m,) or (m, k). Singular values up to rcond times the largest (default: max(m, n) epsilon) count as zero; among several x
    it is the one of smallest norm. residuals: the squared norms, empty unless the rank is n < m.

    >>> import mtarray as xp
    >>> x, *_ = xp.linalg.lstsq(xp.asarray([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), xp.asarray([1.0, 3.0, 5.0]))
    >>> [round(float(v), 12) for v in x]
    [1.0, 2.0]
    """
    a, b = pair(matrices(a, "lstsq"), floating(b, "lstsq"), "lstsq")
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise LinAlgError(f"lstsq: expected a of shape (m, n) and b of shape (m,) or (m, k); got {a.shape} and {b.shape}")
    right = b[:, None] if b.ndim == 1 else b
    rtol = _tolerance(a, rcond)
    x, s = factor("lstsq", _engine.least_squares, a, right, rtol)
    rank = _counted(a, s, rtol)
    if int(rank) == a.shape[1] < a.shape[0]:
        residuals = total(square(absolute(subtract(right, matmul(a, x)))), axis=0)
    else:
        residuals = zeros((0,), dtype=s.dtype, device=a.device)
    return (x[:, 0] if b.ndim == 1 else x), residuals, rank, s
