"""Inverses, solutions, determinants, factors and eigenvalues of matrices; powers."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from .._array import Array
from .._config import is_strict
from .._dtypes import COMPLEX
from .._strides import broadcast_shape
from ..creation import broadcast_to, eye, zeros
from ..elementwise import add, conj
from ..manipulation import matrix_transpose
from . import _engine
from ._operands import factor, floating, matrices, pair
from .products import matmul


class EigResult(NamedTuple):
    """Eigenvalues (..., n) and eigenvectors (..., n, n), in columns."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """Eigenvalues (..., n) and eigenvectors (..., n, n), in columns."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """Q with orthonormal columns and the upper triangular R."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """Sign (of modulus 1; 0 if singular) and logarithm of the absolute value of the determinant."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """U (..., m, k), the singular values S (..., k) and Vh (..., k, n)."""

    U: Array
    S: Array
    Vh: Array


def inv(x: Any, /) -> Array:
    """Inverses of square matrices (..., n, n). LinAlgError where one is singular.

    >>> import mtarray as xp
    >>> xp.linalg.inv(xp.asarray([[2.0, 0.0], [0.0, 4.0]]))
    Array([[0.5 , 0.  ],
           [0.  , 0.25]], shape=(2, 2), dtype=float64, device='cpu')
    """
    return factor("inv", _engine.inverse, matrices(x, "inv", square=True))


def solve(x1: Any, x2: Any, /) -> Array:
    """X of x1 @ X = x2. x1: (..., n, n); x2: (n,), or (..., n, k); the stacks broadcast. LinAlgError where x1 is singular.

    >>> import mtarray as xp
    >>> xp.linalg.solve(xp.asarray([[2.0, 0.0], [0.0, 4.0]]), xp.asarray([2.0, 2.0]))
    Array([1. , 0.5], shape=(2,), dtype=float64, device='cpu')
    """
    x1, x2 = pair(matrices(x1, "solve", square=True), floating(x2, "solve"), "solve")
    vector = x2.ndim == 1
    right = x2[:, None] if vector else x2
    if right.ndim < 2 or right.shape[-2] != x1.shape[-1]:
        raise ValueError(f"solve: x2 needs as many rows as x1: shapes {x1.shape} and {x2.shape}")
    try:
        broadcast_shape(x1.shape[:-2], right.shape[:-2])
    except ValueError:
        raise ValueError(f"solve: the stacks do not broadcast: shapes {x1.shape} and {x2.shape}") from None
    out = factor("solve", _engine.solution, x1, right)
    return out[..., 0] if vector else out


def det(x: Any, /) -> Array:
    """Determinants of square matrices (..., n, n): (...).

    >>> import mtarray as xp
    >>> round(float(xp.linalg.det(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))), 12)
    -2.0
    """
    return factor("det", _engine.determinant, matrices(x, "det", square=True))


def slogdet(x: Any, /) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinants of square matrices (..., n, n): two of shape (...).

    >>> import mtarray as xp
    >>> sign, logabsdet = xp.linalg.slogdet(-1e-200 * xp.eye(3))
    >>> float(sign), round(float(logabsdet), 3)
    (-1.0, -1381.551)
    """
    return SlogdetResult(*factor("slogdet", _engine.sign_and_logdet, matrices(x, "slogdet", square=True)))


def cholesky(x: Any, /, *, upper: bool = False) -> Array:
    """Triangular factors of positive definite matrices (..., n, n): lower L with x = L @ L^H, or `upper` U with x = U^H @ U.

    Only that triangle of x is read; the derivative is that of the function of (x + x^H) / 2. LinAlgError where a matrix is not positive
    definite.

    >>> import mtarray as xp
    >>> xp.linalg.cholesky(xp.asarray([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 0.],
           [1., 1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    x = matrices(x, "cholesky", square=True)
    if not upper:
        return factor("cholesky", _engine.cholesky_factor, x)
    return adjoint(factor("cholesky", _engine.cholesky_factor, adjoint(x)))


def adjoint(x: Array) -> Array:
    x = matrix_transpose(x)
    return conj(x) if x.dtype in COMPLEX else x


def qr(x: Any, /, *, mode: str = "reduced") -> QRResult:
    """x = Q @ R for x (..., m, n): Q (..., m, k) with orthonormal columns, R (..., k, n) upper triangular.

    k = min(m, n) if mode is "reduced", m if it is "complete"; of the last columns of Q then only the space that they span has a
    derivative.

    >>> import mtarray as xp
    >>> q, r = xp.linalg.qr(xp.ones((3, 2)))
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', got {mode!r}")
    return QRResult(*factor("qr", _engine.qr_factors, matrices(x, "qr"), mode=mode))


def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """x = U @ diag(S) @ Vh for x (..., m, n): U (..., m, m), S (..., k) descending, Vh (..., n, n), k = min(m, n).

    full_matrices=False: U (..., m, k) and Vh (..., k, n). Derivatives of U and Vh are right for what does not depend on the phases of their
    vectors, and not finite where singular values coincide.

    >>> import mtarray as xp
    >>> xp.linalg.svd(xp.asarray([[3.0, 0.0], [0.0, 4.0]])).S
    Array([4., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return SVDResult(*factor("svd", _engine.svd_factors, matrices(x, "svd"), full_matrices=builtins.bool(full_matrices)))


def svdvals(x: Any, /) -> Array:
    """Singular values (..., min(m, n)) of matrices (..., m, n), largest first.

    >>> import mtarray as xp
    >>> xp.linalg.svdvals(xp.asarray([[3.0, 0.0], [0.0, 4.0]]))
    Array([4., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return factor("svdvals", _engine.singular_values, matrices(x, "svdvals"))


def eigh(x: Any, /) -> EighResult:
    """Eigenvalues, ascending, and orthonormal eigenvectors (columns) of symmetric or Hermitian matrices (..., n, n).

    Only the lower triangle is read; derivatives are those of the function of (x + x^H) / 2. Those of the vectors are right for what does
    not depend on their phases, and not finite where eigenvalues coincide.

    >>> import mtarray as xp
    >>> xp.linalg.eigh(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Array([1., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    return EighResult(*factor("eigh", _engine.eigh_pairs, matrices(x, "eigh", square=True)))


def eigvalsh(x: Any, /) -> Array:
    """Eigenvalues (..., n), ascending, of symmetric or Hermitian matrices (..., n, n).

    Only the lower triangle is read; the derivative is that of the function of (x + x^H) / 2.

    >>> import mtarray as xp
    >>> xp.linalg.eigvalsh(xp.asarray([[2.0, 0.0], [0.0, 1.0]]))
    Array([1., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    return factor("eigvalsh", _engine.eigh_values, matrices(x, "eigvalsh", square=True))


def eig(x: Any, /) -> EigResult:
    """Eigenvalues and eigenvectors (columns of length 1) of square matrices (..., n, n), always complex.

    Derivatives of the vectors are right for what does not depend on their phases. Where eigenvalues coincide, none need exist.

    >>> import mtarray as xp
    >>> xp.linalg.eig(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Array([2.+0.j, 1.+0.j], shape=(2,), dtype=complex128, device='cpu')
    """
    return EigResult(*factor("eig", _engine.eig_pairs, matrices(x, "eig", square=True)))


def eigvals(x: Any, /) -> Array:
    """Eigenvalues (..., n) of square matrices (..., n, n), always complex.

    >>> import mtarray as xp
    >>> xp.linalg.eigvals(xp.asarray([[0.0, 1.0], [-1.0, 0.0]])).dtype
    dtype('complex128')
    """
    return factor("eigvals", _engine.eig_values, matrices(x, "eigvals", square=True))


def matrix_power(x: Any, n: int, /) -> Array:
    """Square matrices to an integer power, by squaring; a negative one inverts first.

    >>> import mtarray as xp
    >>> xp.linalg.matrix_power(xp.asarray([[1, 1], [0, 1]]), 5)
    Array([[1, 5],
           [0, 1]], shape=(2, 2), dtype=int64, device='cpu')
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"matrix_power: n must be an integer, got {n!r}")
    x = matrices(x, "matrix_power", square=True, keep_integers=n >= 0 and not is_strict())
    if n == 0:
        return add(broadcast_to(eye(x.shape[-1], dtype=x.dtype, device=x.device), x.shape), zeros((), dtype=x.dtype, device=x.device))
    if n < 0:
        x, n = inv(x), -n
    given = x
    out = None
    while True:
        if n & 1:
            out = x if out is None else matmul(out, x)
        n >>= 1
        if not n:
            break
        x = matmul(x, x)
    assert out is not None
    return add(out, zeros((), dtype=x.dtype, device=x.device)) if out is given else out
