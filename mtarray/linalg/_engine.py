"""The engine ops of linear algebra: the products and factorisations that are not composed from other ops.

Their callers in `linalg` have checked shapes and dtypes: matrices are the last two axes, of one floating dtype.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np

from .._config import config
from .._ops import engine
from .._products import BLAS, SMALL
from . import _derivatives as rules

# Elements of a stack of matrices, and of one matrix that is factored, above which it is worth more than one thread.
_STACK, _MATRIX = 1 << 11, 1 << 14


def _threads() -> Any:
    """Where results may not depend on the number of threads: one thread for BLAS and LAPACK."""
    if not config.deterministic:
        return contextlib.nullcontext()
    from .._kernels.cpu.blas import blas_threads

    return blas_threads(1)


def _large(x: Any) -> bool:
    return x.ndim > 2 and x.size >= _STACK and config.kernels != "python"


def _factored(x: Any) -> bool:
    return x.size >= (_MATRIX if x.ndim == 2 else _STACK) and config.kernels != "python"


@functools.cache
def _products() -> Any:
    """The products of the kernels: an import at each call would cost as much as a small product."""
    from .._kernels.cpu.matmul import matmul

    return matmul


@engine(vjp=(rules.product_by_x1, rules.product_by_x2), linear="each")
def product(x1: Any, x2: Any) -> Any:
    """`x1 @ x2` of arrays of one dtype and of shapes that fit."""
    mode = config._values["kernels"]
    if mode == "auto" and x1.size * x2.size < SMALL:
        return np.matmul(x1, x2)
    if mode == "prange":
        from .._kernels.cpu import readable

        return readable.product(x1, x2)
    matrices = x1.ndim <= 2 and x2.ndim <= 2
    rows = 1 if x1.ndim == 1 else x1.shape[-2]
    columns = 1 if x2.ndim == 1 else x2.shape[-1]
    work = max(x1.size * columns, x2.size * rows)
    blas = matrices and x1.dtype.kind in "fc" and (work < BLAS or min(rows, columns) == 1) and _dense(x1) and _dense(x2)
    if mode != "numba" and (mode == "python" or work < SMALL or blas):
        from .._kernels.cpu import pool

        with _threads():
            if matrices and rows * columns > SMALL:
                return np.matmul(x1, x2, out=pool.empty((*x1.shape[:-1], *x2.shape[1:]), x1.dtype))
            return np.matmul(x1, x2)
    with _threads():
        return _products()(x1, x2, x1.dtype, mode == "numba")


@engine(vjp=(rules.dots_by_x1, rules.dots_by_x2), linear="each")
def dots(x1: Any, x2: Any) -> Any:
    """Sums of `conj(x1) * x2` along the last axis, of one length; the others broadcast."""
    with _threads():
        return np.asarray(np.vecdot(x1, x2))


def _dense(x: Any) -> bool:
    return bool(x.flags.c_contiguous or x.flags.f_contiguous or 1 in x.shape)


@engine(vjp=rules.inverse)
def inverse(x: Any) -> Any:
    """Inverses of square matrices."""
    with _threads():
        if _factored(x):
            from .._kernels.cpu import lapack

            return lapack.inv(x)
        return np.linalg.inv(x)


@engine(vjp=rules.determinant)
def determinant(x: Any) -> Any:
    """Determinants of square matrices."""
    with _threads():
        if _large(x):
            from .._kernels.cpu import lapack

            return lapack.det(x)
        return np.linalg.det(x)


@engine(vjp=rules.adjugate)
def adjugate(x: Any) -> Any:
    """Determinants times inverses of square matrices: finite for singular ones too, whose determinants have a derivative as well."""
    with _threads():
        try:
            d = determinant.op.implementation(x)
            if np.all(d):
                return d[..., None, None] * inverse.op.implementation(x)
        except np.linalg.LinAlgError:  # singular after all, in a way that rounding hid from the determinant
            pass
        return _by_singular_values(x)


def _by_singular_values(x: Any) -> Any:
    u, s, vh = np.linalg.svd(x)
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    unit = np.linalg.det(u) * np.linalg.det(vh)
    return unit[..., None, None] * np.matmul(_adjoint(vh) * (before * after)[..., None, :], _adjoint(u))


@engine(vjp=(rules.solution_by_x1, rules.solution_by_x2))
def solution(x1: Any, x2: Any) -> Any:
    """X of x1 @ X = x2 for stacks of matrices."""
    with _threads():
        if _factored(x1):
            from .._kernels.cpu import lapack

            return lapack.solve(x1, x2)
        return np.linalg.solve(x1, x2)


@engine(vjp=rules.cholesky_factor)
def cholesky_factor(x: Any) -> Any:
    """Lower triangular L with x = L @ L^H, from the lower triangle of x."""
    with _threads():
        if _factored(x):
            from .._kernels.cpu import lapack

            return lapack.cholesky(x)
        return np.linalg.cholesky(x)


def _each(function: Any, x: Any) -> Any:
    """A function of `np.linalg`, applied to a stack on all threads where that is worth it."""
    with _threads():
        if _large(x):
            from .._kernels.cpu import lapack

            return lapack.stacked(function, x)
        return function(x)


@engine(vjp=rules.sign_and_logdet)
def sign_and_logdet(x: Any) -> Any:
    """Signs and logarithms of the absolute values of determinants."""
    return tuple(_each(_slogdet, x))


def _slogdet(x: Any) -> Any:
    sign, logabsdet = np.linalg.slogdet(x)
    return np.asarray(sign), np.asarray(logabsdet)


@engine(vjp=rules.qr_factors)
def qr_factors(x: Any, *, mode: str) -> Any:
    """Q and R."""
    return tuple(_each(_complete_qr if mode == "complete" else np.linalg.qr, x))


def _complete_qr(x: Any) -> Any:
    return np.linalg.qr(x, "complete")


@engine(vjp=rules.svd_factors)
def svd_factors(x: Any, *, full_matrices: bool) -> Any:
    """U, S and V^H."""
    return tuple(_each(np.linalg.svd if full_matrices else _reduced_svd, x))


def _reduced_svd(x: Any) -> Any:
    return np.linalg.svd(x, full_matrices=False)


@engine(vjp=(rules.pseudo_inverse, lambda: None))
def pseudo_inverse(x: Any, rtol: Any) -> Any:
    """Moore-Penrose inverses: singular values up to rtol times the largest count as zero. rtol: of the shape of the stack, or 0-d."""
    u, s, vh = _each(_reduced_svd, x)
    with _threads():
        return np.matmul(_adjoint(vh) * _reciprocals(s, rtol)[..., None, :], _adjoint(u))


@engine(vjp=(rules.least_squares_by_x1, rules.least_squares_by_x2, lambda: None))
def least_squares(x1: Any, x2: Any, rtol: Any) -> Any:
    """The X of smallest norm that minimise the norms of the columns of x1 @ X - x2, and the singular values of x1. rtol: as above, 0-d."""
    u, s, vh = _each(_reduced_svd, x1)
    with _threads():
        return np.matmul(_adjoint(vh), _reciprocals(s, rtol)[..., None] * np.matmul(_adjoint(u), x2)), s


def _adjoint(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -2, -1))


def _reciprocals(s: Any, rtol: Any) -> Any:
    keep = s > rtol[..., None] * np.max(s, axis=-1, keepdims=True, initial=0)
    return np.where(keep, 1 / np.where(keep, s, 1), 0)


@engine(vjp=rules.singular_values)
def singular_values(x: Any) -> Any:
    """Singular values, largest first."""
    return _each(np.linalg.svdvals, x)


@engine(vjp=rules.eigh_pairs)
def eigh_pairs(x: Any) -> Any:
    """Eigenvalues, ascending, and eigenvectors of symmetric or Hermitian matrices, from their lower triangles."""
    return tuple(_each(np.linalg.eigh, x))


@engine(vjp=rules.eigh_values)
def eigh_values(x: Any) -> Any:
    """Eigenvalues, ascending, of symmetric or Hermitian matrices, from their lower triangles."""
    return _each(np.linalg.eigvalsh, x)


@engine(vjp=rules.eig_pairs)
def eig_pairs(x: Any) -> Any:
    """Eigenvalues and eigenvectors of general matrices, complex."""
    # NumPy gives real ones where all happen to be real: not a matter of the values in the standard.
    with _threads():
        values, vectors = np.linalg.eig(x)
    d = np.result_type(x.dtype, np.complex64)
    return values.astype(d, copy=False), vectors.astype(d, copy=False)


@engine(vjp=rules.eig_values)
def eig_values(x: Any) -> Any:
    """Eigenvalues of general matrices, complex."""
    with _threads():
        return np.asarray(np.linalg.eigvals(x)).astype(np.result_type(x.dtype, np.complex64), copy=False)
