"""Linear algebra: the `linalg` extension of the standard, and NumPy's other names for it.

Matrices are the last two axes, the axes before them a stack. Integer arrays are taken as float64 where the result is not one of integers
(`strict` refuses them). What is not a factorisation is composed from public functions.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from math import inf, prod
from operator import index
from typing import Any, NamedTuple

import numpy as np

from . import _linalg_engine as _engine
from ._array import Array, window
from ._config import is_strict
from ._dtypes import COMPLEX, FLOATING, NUMERIC, float64, promote, real_of, standard_promotion
from ._operands import lift, names
from ._selection import assign
from ._strides import axes_of, axis_of, broadcast_shape
from .creation import astype, broadcast_to, eye, zeros
from .data_type import finfo
from .elementwise import abs as absolute
from .elementwise import add, conj, divide, equal, greater, multiply, not_equal, pow, sqrt, square, subtract
from .manipulation import matrix_transpose, moveaxis, permute_dims, reshape, stack
from .searching import where
from .statistical import max as maximum
from .statistical import min as minimum
from .statistical import sum as total

_BOOL = np.dtype(bool)

LinAlgError = np.linalg.LinAlgError


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


# ---------------------------------------------------------------------- operands


def _numeric(x: Any, where: str) -> Array:
    x = lift(x, where)
    if is_strict() and x.dtype not in NUMERIC:
        raise TypeError(f"{where}: the standard does not define it for {x.dtype}, only for {names(NUMERIC)} (strict mode)")
    return x


def _pair(x1: Any, x2: Any, where: str) -> tuple[Array, Array]:
    """Both operands in their common dtype."""
    x1, x2 = _numeric(x1, where), _numeric(x2, where)
    if x1.dtype is x2.dtype:
        return x1, x2
    if is_strict() and not standard_promotion(x1.dtype, x2.dtype):
        raise TypeError(f"{where}: the standard does not define the promotion of {x1.dtype} and {x2.dtype}; cast one of them (strict mode)")
    d = promote(x1.dtype, x2.dtype)
    return astype(x1, d, copy=False), astype(x2, d, copy=False)


def _floating(x: Any, where: str) -> Array:
    x = lift(x, where)
    if x.dtype in FLOATING:
        return x
    if is_strict():
        raise TypeError(f"{where}: the standard does not define it for {x.dtype}, only for {names(FLOATING)} (strict mode)")
    return astype(x, float64)


def _matrices(x: Any, where: str, square: bool = False, floating: bool = True) -> Array:
    x = _floating(x, where) if floating else _numeric(x, where)
    if x.ndim < 2:
        raise LinAlgError(f"{where}: x must be a matrix or a stack of them; it has shape {x.shape}")
    if square and x.shape[-1] != x.shape[-2]:
        raise LinAlgError(f"{where}: the matrices must be square; x has shape {x.shape}")
    return x


def _factor(where: str, function: Callable[..., Any], *arrays: Array, **static: Any) -> Any:
    """Apply an engine op; its failure names the function and the shape."""
    try:
        return function(*arrays, **static)
    except LinAlgError as error:
        shape = arrays[0].shape
        which = "the matrix" if len(shape) == 2 else "a matrix of the stack"
        reason = str(error).rstrip(".")
        reason = reason if reason[:2].isupper() else reason[:1].lower() + reason[1:]  # "SVD did not converge"
        raise LinAlgError(f"{where}: {reason} ({which} x of shape {shape})") from None


# ---------------------------------------------------------------------- products


def matmul(x1: Any, x2: Any, /) -> Array:
    """Matrix product of the last two axes; a 1-D operand is a row on the left and a column on the right, and its axis is dropped.

    x1: (..., m, k) or (k,); x2: (..., k, n) or (k,); the axes before broadcast. Integers wrap. ValueError for shapes that do not fit.

    >>> import mtarray as xp
    >>> xp.linalg.matmul(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], shape=(2,), dtype=int64, device='cpu')
    """
    if x1.__class__ is Array and x2.__class__ is Array and x1._dtype is x2._dtype and x1._dtype is not _BOOL:
        s1, s2 = x1._shape, x2._shape
        if len(s1) == 2 and 1 <= len(s2) <= 2 and s1[1] == s2[0]:
            quick = _engine.small_product(x1, x2)
            return _engine.product(x1, x2) if quick is None else quick
    x1, x2 = _pair(x1, x2, "matmul")
    s1, s2 = x1.shape, x2.shape
    if not s1 or not s2:
        raise ValueError(f"matmul: both operands need a dimension; shapes {s1} and {s2} (multiply takes 0-d arrays)")
    if s1[-1] != s2[0 if len(s2) == 1 else -2]:
        axis = "first" if len(s2) == 1 else "last but one"
        raise ValueError(f"matmul: the last dimension of x1, {s1[-1]}, is not the {axis} of x2: shapes {s1} and {s2}")
    try:
        broadcast_shape(s1[:-2], s2[:-2])
    except ValueError:
        raise ValueError(f"matmul: the stacks do not broadcast: shapes {s1} and {s2}") from None
    return _engine.product(x1, x2)


def _forward(self: Array, other: Any, /) -> Any:
    if other.__class__ is Array or isinstance(other, (np.ndarray, np.generic)):
        return matmul(self, other)
    return NotImplemented


def _reflected(self: Array, other: Any, /) -> Any:
    return matmul(other, self) if isinstance(other, (np.ndarray, np.generic)) else NotImplemented


def _inplace(self: Array, other: Any, /) -> Any:
    if other.__class__ is not Array and not isinstance(other, (np.ndarray, np.generic)):
        return NotImplemented
    result = matmul(self, other)
    if result.shape != self.shape:
        raise ValueError(f"matmul in place: the result has shape {result.shape}, the array {self.shape}")
    if not np.can_cast(result.dtype, self.dtype, "same_kind"):
        raise TypeError(f"matmul in place: the result has dtype {result.dtype}, which cannot be written into an array of {self.dtype}")
    assign(self, result, None)
    return self


for _name, _method in (("__matmul__", _forward), ("__rmatmul__", _reflected), ("__imatmul__", _inplace)):
    _method.__name__ = _name
    _method.__qualname__ = f"Array.{_name}"
    setattr(Array, _name, _method)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """Dot products of vectors along `axis` (counted from the end, or the same axis of both), the first conjugated.

    >>> import mtarray as xp
    >>> xp.linalg.vecdot(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], shape=(2,), dtype=int64, device='cpu')
    """
    x1, x2 = _pair(x1, x2, "vecdot")
    x1, x2 = _last(x1, x2, axis, "vecdot")
    return _engine.dots(x1, x2)


def _last(x1: Array, x2: Array, axis: Any, where: str) -> tuple[Array, Array]:
    """Both with the axis last, of the same length."""
    if x1.ndim == 0 or x2.ndim == 0:
        raise ValueError(f"{where}: both operands need a dimension; shapes {x1.shape} and {x2.shape}")
    a1, a2 = axis_of(axis, x1.ndim), axis_of(axis, x2.ndim)
    if x1.shape[a1] != x2.shape[a2]:
        raise ValueError(f"{where}: lengths {x1.shape[a1]} and {x2.shape[a2]} along axis {axis} differ: shapes {x1.shape} and {x2.shape}")
    x1, x2 = moveaxis(x1, a1, -1), moveaxis(x2, a2, -1)
    try:
        broadcast_shape(x1.shape[:-1], x2.shape[:-1])
    except ValueError:
        raise ValueError(f"{where}: the other axes do not broadcast: shapes {x1.shape} and {x2.shape}, vectors last") from None
    return x1, x2


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    """Sum of products over pairs of axes: the last `axes` of x1 and the first of x2, or the axes of a pair of sequences.

    >>> import mtarray as xp
    >>> xp.linalg.tensordot(xp.ones((2, 3, 4)), xp.ones((4, 3, 5)), axes=((1, 2), (1, 0))).shape
    (2, 5)
    """
    x1, x2 = _pair(x1, x2, "tensordot")
    if isinstance(axes, (tuple, list)):
        first, second = ([a] if isinstance(a, (int, np.integer)) else list(a) for a in axes)
        if len(first) != len(second):
            raise ValueError(f"tensordot: axes name {len(first)} axes of x1 and {len(second)} of x2")
        # Axes pair in the order given, so each is normalised by itself.
        first, second = [axis_of(a, x1.ndim) for a in first], [axis_of(a, x2.ndim) for a in second]
        if len({*first}) != len(first) or len({*second}) != len(second):
            raise ValueError(f"tensordot: an axis is named twice in {axes}")
    else:
        n = index(axes)
        if not 0 <= n <= builtins.min(x1.ndim, x2.ndim):
            raise ValueError(f"tensordot: axes={n} with arrays of {x1.ndim} and {x2.ndim} dimensions")
        first, second = list(range(x1.ndim - n, x1.ndim)), list(range(n))
    lengths = [x1.shape[a] for a in first]
    if lengths != [x2.shape[a] for a in second]:
        raise ValueError(f"tensordot: lengths along axes {first} and {second} differ: shapes {x1.shape} and {x2.shape}")
    rest1 = [a for a in range(x1.ndim) if a not in first]
    rest2 = [a for a in range(x2.ndim) if a not in second]
    shape1, shape2 = [x1.shape[a] for a in rest1], [x2.shape[a] for a in rest2]
    k = prod(lengths)
    a = reshape(permute_dims(x1, tuple(rest1 + first)), (prod(shape1), k))
    b = reshape(permute_dims(x2, tuple(second + rest2)), (k, prod(shape2)))
    return reshape(matmul(a, b), (*shape1, *shape2))


def outer(x1: Any, x2: Any, /) -> Array:
    """All products of an element of x1 (n,) and one of x2 (m,): (n, m).

    >>> import mtarray as xp
    >>> xp.linalg.outer(xp.asarray([1, 2]), xp.asarray([3, 4, 5]))
    Array([[ 3,  4,  5],
           [ 6,  8, 10]], shape=(2, 3), dtype=int64, device='cpu')
    """
    x1, x2 = _pair(x1, x2, "outer")
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: both operands must be 1-D; shapes {x1.shape} and {x2.shape}")
    return multiply(x1[:, None], x2[None, :])


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """Cross products of vectors of three elements along `axis`; the other axes broadcast.

    >>> import mtarray as xp
    >>> xp.linalg.cross(xp.asarray([1, 0, 0]), xp.asarray([0, 1, 0]))
    Array([0, 0, 1], shape=(3,), dtype=int64, device='cpu')
    """
    x1, x2 = _pair(x1, x2, "cross")
    a = axis_of(axis, builtins.max(x1.ndim, x2.ndim)) if x1.ndim == x2.ndim else axis
    x1, x2 = _last(x1, x2, axis, "cross")
    if x1.shape[-1] != 3:
        raise ValueError(f"cross: vectors must have 3 elements along axis {axis}, they have {x1.shape[-1]}")
    return moveaxis(cross_of_last(x1, x2), -1, a)


def cross_of_last(x1: Array, x2: Array) -> Array:
    """Cross products of vectors of three elements of one dtype along the last axis, which stays the last; the others broadcast."""
    (a0, a1, a2), (b0, b1, b2) = ([x[..., i] for i in range(3)] for x in (x1, x2))
    parts = ((a1, b2, a2, b1), (a2, b0, a0, b2), (a0, b1, a1, b0))
    return stack([subtract(multiply(p, q), multiply(r, s)) for p, q, r, s in parts], axis=-1)


def multi_dot(arrays: Any, /) -> Array:
    """Product of two or more matrices (the first and last may be 1-D), multiplied in the order that costs least.

    >>> import mtarray as xp
    >>> xp.linalg.multi_dot([xp.ones((10, 2)), xp.ones((2, 30)), xp.ones((30, 4))]).shape
    (10, 4)
    """
    xs = [_numeric(x, "multi_dot") for x in arrays]
    if len(xs) < 2:
        raise ValueError(f"multi_dot: expected at least two arrays, got {len(xs)}")
    for i, x in enumerate(xs):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(xs) - 1)):
            raise LinAlgError(f"multi_dot: array {i} must be 2-D; it has shape {x.shape}")
    sizes = [xs[0].shape[0] if xs[0].ndim == 2 else 1] + [x.shape[-1] if x.ndim == 2 else 1 for x in xs]
    if xs[0].ndim == 1:
        sizes[1] = xs[0].shape[0]
    n = len(xs)
    cost = [[0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], cut[i][j] = builtins.min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def multiply_out(i: int, j: int) -> Array:
        return xs[i] if i == j else matmul(multiply_out(i, cut[i][j]), multiply_out(cut[i][j] + 1, j))

    return multiply_out(0, n - 1)


# ---------------------------------------------------------------------- diagonals, powers


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The diagonals of matrices (..., m, n), `offset` above (or below, if negative) the main one, as a view.

    >>> import mtarray as xp
    >>> xp.linalg.diagonal(xp.asarray([[1, 2], [3, 4]]))
    Array([1, 4], shape=(2,), dtype=int64, device='cpu')
    """
    x = lift(x, "diagonal")
    if x.ndim < 2:
        raise ValueError(f"diagonal: x must be a matrix or a stack of them; it has shape {x.shape}")
    return diagonal_window(x, offset, -2, -1)


def diagonal_window(x: Array, offset: int, axis1: int, axis2: int, readonly: bool = False) -> Array:
    """The diagonals of the matrices in two axes as a window on the memory of `x`, with the diagonal as its last axis."""
    if x.ndim < 2:
        raise ValueError(f"diagonal: needs at least 2 dimensions, got shape {x.shape}")
    i, j = axis_of(axis1, x.ndim, "axis1"), axis_of(axis2, x.ndim, "axis2")
    if i == j:
        raise ValueError(f"diagonal: axis1={axis1} and axis2={axis2} must be different")
    down, right = builtins.max(-offset, 0), builtins.max(offset, 0)
    length = builtins.max(0, builtins.min(x._shape[i] - down, x._shape[j] - right))
    start = x._offset + (down * x._strides[i] + right * x._strides[j] if length else 0)
    keep = [k for k in range(x.ndim) if k not in (i, j)]
    shape = (*[x._shape[k] for k in keep], length)
    return window(x, shape, (*[x._strides[k] for k in keep], x._strides[i] + x._strides[j]), start, readonly=readonly)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Sums along the diagonals of matrices (..., m, n); `dtype` as for `sum`.

    >>> import mtarray as xp
    >>> int(xp.linalg.trace(xp.asarray([[1, 2], [3, 4]])))
    5
    """
    x = _numeric(x, "trace")
    return total(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def matrix_power(x: Any, n: int, /) -> Array:
    """Square matrices to an integer power, by squaring; a negative one inverts first.

    >>> import mtarray as xp
    >>> xp.linalg.matrix_power(xp.asarray([[1, 1], [0, 1]]), 5)
    Array([[1, 5],
           [0, 1]], shape=(2, 2), dtype=int64, device='cpu')
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"matrix_power: n must be an integer, got {n!r}")
    x = _matrices(x, "matrix_power", square=True, floating=n < 0 or is_strict())
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


# ---------------------------------------------------------------------- solving


def inv(x: Any, /) -> Array:
    """Inverses of square matrices (..., n, n). LinAlgError where one is singular.

    >>> import mtarray as xp
    >>> xp.linalg.inv(xp.asarray([[2.0, 0.0], [0.0, 4.0]]))
    Array([[0.5 , 0.  ],
           [0.  , 0.25]], shape=(2, 2), dtype=float64, device='cpu')
    """
    return _factor("inv", _engine.inverse, _matrices(x, "inv", square=True))


def solve(x1: Any, x2: Any, /) -> Array:
    """X of x1 @ X = x2. x1: (..., n, n); x2: (n,), or (..., n, k); the stacks broadcast. LinAlgError where x1 is singular.

    >>> import mtarray as xp
    >>> xp.linalg.solve(xp.asarray([[2.0, 0.0], [0.0, 4.0]]), xp.asarray([2.0, 2.0]))
    Array([1. , 0.5], shape=(2,), dtype=float64, device='cpu')
    """
    x1, x2 = _pair(_matrices(x1, "solve", square=True), _floating(x2, "solve"), "solve")
    vector = x2.ndim == 1
    right = x2[:, None] if vector else x2
    if right.ndim < 2 or right.shape[-2] != x1.shape[-1]:
        raise ValueError(f"solve: x2 needs as many rows as x1: shapes {x1.shape} and {x2.shape}")
    try:
        broadcast_shape(x1.shape[:-2], right.shape[:-2])
    except ValueError:
        raise ValueError(f"solve: the stacks do not broadcast: shapes {x1.shape} and {x2.shape}") from None
    out = _factor("solve", _engine.solution, x1, right)
    return out[..., 0] if vector else out


def det(x: Any, /) -> Array:
    """Determinants of square matrices (..., n, n): (...).

    >>> import mtarray as xp
    >>> round(float(xp.linalg.det(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))), 12)
    -2.0
    """
    return _factor("det", _engine.determinant, _matrices(x, "det", square=True))


def slogdet(x: Any, /) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinants of square matrices (..., n, n): two of shape (...).

    >>> import mtarray as xp
    >>> sign, logabsdet = xp.linalg.slogdet(-1e-200 * xp.eye(3))
    >>> float(sign), round(float(logabsdet), 3)
    (-1.0, -1381.551)
    """
    return SlogdetResult(*_factor("slogdet", _engine.sign_and_logdet, _matrices(x, "slogdet", square=True)))


def cholesky(x: Any, /, *, upper: bool = False) -> Array:
    """Triangular factors of positive definite matrices (..., n, n): lower L with x = L @ L^H, or `upper` U with x = U^H @ U.

    Only that triangle of x is read. LinAlgError where a matrix is not positive definite.

    >>> import mtarray as xp
    >>> xp.linalg.cholesky(xp.asarray([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 0.],
           [1., 1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    x = _matrices(x, "cholesky", square=True)
    if not upper:
        return _factor("cholesky", _engine.cholesky_factor, x)
    return _adjoint(_factor("cholesky", _engine.cholesky_factor, _adjoint(x)))


def _adjoint(x: Array) -> Array:
    x = matrix_transpose(x)
    return conj(x) if x.dtype in COMPLEX else x


def qr(x: Any, /, *, mode: str = "reduced") -> QRResult:
    """x = Q @ R for x (..., m, n): Q (..., m, k) with orthonormal columns, R (..., k, n) upper triangular.

    k = min(m, n) if mode is "reduced", m if it is "complete".

    >>> import mtarray as xp
    >>> q, r = xp.linalg.qr(xp.ones((3, 2)))
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', got {mode!r}")
    return QRResult(*_factor("qr", _engine.qr_factors, _matrices(x, "qr"), mode=mode))


def svd(x: Any, /, *, full_matrices: bool = True) -> SVDResult:
    """x = U @ diag(S) @ Vh for x (..., m, n): U (..., m, m), S (..., k) descending, Vh (..., n, n), k = min(m, n).

    full_matrices=False: U (..., m, k) and Vh (..., k, n).

    >>> import mtarray as xp
    >>> xp.linalg.svd(xp.asarray([[3.0, 0.0], [0.0, 4.0]])).S
    Array([4., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return SVDResult(*_factor("svd", _engine.svd_factors, _matrices(x, "svd"), full_matrices=builtins.bool(full_matrices)))


def svdvals(x: Any, /) -> Array:
    """Singular values (..., min(m, n)) of matrices (..., m, n), largest first.

    >>> import mtarray as xp
    >>> xp.linalg.svdvals(xp.asarray([[3.0, 0.0], [0.0, 4.0]]))
    Array([4., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return _factor("svdvals", _engine.singular_values, _matrices(x, "svdvals"))


def eigh(x: Any, /) -> EighResult:
    """Eigenvalues, ascending, and orthonormal eigenvectors (columns) of symmetric or Hermitian matrices (..., n, n).

    Only the lower triangle is read.

    >>> import mtarray as xp
    >>> xp.linalg.eigh(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Array([1., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    return EighResult(*_factor("eigh", _engine.eigh_pairs, _matrices(x, "eigh", square=True)))


def eigvalsh(x: Any, /) -> Array:
    """Eigenvalues (..., n), ascending, of symmetric or Hermitian matrices (..., n, n). Only the lower triangle is read.

    >>> import mtarray as xp
    >>> xp.linalg.eigvalsh(xp.asarray([[2.0, 0.0], [0.0, 1.0]]))
    Array([1., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    return _factor("eigvalsh", _engine.eigh_values, _matrices(x, "eigvalsh", square=True))


def eig(x: Any, /) -> EigResult:
    """Eigenvalues and eigenvectors (columns) of square matrices (..., n, n), always complex.

    >>> import mtarray as xp
    >>> xp.linalg.eig(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Array([2.+0.j, 1.+0.j], shape=(2,), dtype=complex128, device='cpu')
    """
    return EigResult(*_factor("eig", _engine.eig_pairs, _matrices(x, "eig", square=True)))


def eigvals(x: Any, /) -> Array:
    """Eigenvalues (..., n) of square matrices (..., n, n), always complex.

    >>> import mtarray as xp
    >>> xp.linalg.eigvals(xp.asarray([[0.0, 1.0], [-1.0, 0.0]])).dtype
    dtype('complex128')
    """
    return _factor("eigvals", _engine.eig_values, _matrices(x, "eigvals", square=True))


def pinv(x: Any, /, *, rtol: Any = None) -> Array:
    """Moore-Penrose inverses (..., n, m) of matrices (..., m, n). Singular values up to rtol times the largest count as zero.

    rtol: a number or (...); by default max(m, n) times the dtype's epsilon.

    >>> import mtarray as xp
    >>> xp.linalg.pinv(xp.asarray([[2.0], [0.0]]))
    Array([[0.5, 0. ]], shape=(1, 2), dtype=float64, device='cpu')
    """
    x = _matrices(x, "pinv")
    if x.size == 0:
        return zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), dtype=x.dtype, device=x.device)
    u, s, vh = svd(x, full_matrices=False)
    keep = greater(s, _cutoff(x, s, rtol))
    reciprocal = where(keep, divide(1.0, where(keep, s, 1.0)), 0.0)
    return matmul(multiply(_adjoint(vh), reciprocal[..., None, :]), _adjoint(u))


def _cutoff(x: Array, s: Array, rtol: Any) -> Array:
    largest = maximum(s, axis=-1, keepdims=True)
    if rtol is None:
        return multiply(largest, builtins.max(x.shape[-2:]) * float(finfo(x.dtype).eps))
    if isinstance(rtol, (int, float)):
        return multiply(largest, float(rtol))
    return multiply(largest, lift(rtol, "rtol")[..., None])


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Array:
    """Ranks (...) of matrices (..., m, n), as int64: the number of singular values above rtol times the largest.

    rtol: a number or (...); by default max(m, n) times the dtype's epsilon.

    >>> import mtarray as xp
    >>> int(xp.linalg.matrix_rank(xp.ones((3, 3))))
    1
    """
    x = _matrices(x, "matrix_rank")
    if x.size == 0:
        return zeros(x.shape[:-2], dtype=np.int64, device=x.device)
    s = svdvals(x)
    return total(astype(greater(s, _cutoff(x, s, rtol)), np.int64), axis=-1)


def lstsq(a: Any, b: Any, /, rcond: Any = None) -> tuple[Array, Array, Array, Array]:
    """Least squares: x that minimises the 2-norm of b - a @ x, with NumPy's four results (x, residuals, rank, singular values).

    a: (m, n); b: (m,) or (m, k). Singular values up to rcond times the largest (default: max(m, n) epsilon) count as zero; among several x
    it is the one of smallest norm. residuals: the squared norms, empty unless the rank is n < m.

    >>> import mtarray as xp
    >>> x, *_ = xp.linalg.lstsq(xp.asarray([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), xp.asarray([1.0, 3.0, 5.0]))
    >>> [round(float(v), 12) for v in x]
    [1.0, 2.0]
    """
    a, b = _pair(_matrices(a, "lstsq"), _floating(b, "lstsq"), "lstsq")
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise LinAlgError(f"lstsq: expected a of shape (m, n) and b of shape (m,) or (m, k); got {a.shape} and {b.shape}")
    right = b[:, None] if b.ndim == 1 else b
    u, s, vh = svd(a, full_matrices=False)
    keep = greater(s, _cutoff(a, s, rcond)) if s.size else not_equal(s, s)
    rank = total(astype(keep, np.int64))
    weighted = multiply(matmul(_adjoint(u), right), where(keep, divide(1.0, where(keep, s, 1.0)), 0.0)[:, None])
    x = matmul(_adjoint(vh), weighted)
    if int(rank) == a.shape[1] < a.shape[0]:
        residuals = total(square(absolute(subtract(right, matmul(a, x)))), axis=0)
    else:
        residuals = zeros((0,), dtype=s.dtype, device=a.device)
    return (x[:, 0] if b.ndim == 1 else x), residuals, rank, s


# ---------------------------------------------------------------------- norms


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Norms of vectors along `axis` (an int; a tuple, or None for all: the axes as one vector). Real.

    ord: any p: (sum of |x|**p)**(1/p); inf and -inf: largest and smallest |x|; 0: the number of elements that are not 0.

    >>> import mtarray as xp
    >>> float(xp.linalg.vector_norm(xp.asarray([3.0, 4.0])))
    5.0
    """
    x = _floating(x, "vector_norm")
    axes = tuple(axes_of(axis, x.ndim))
    options: dict[str, Any] = {"axis": axes, "keepdims": keepdims}
    magnitude = absolute(x)
    if ord == inf:
        return _largest(magnitude, **options)
    if ord == -inf:
        return minimum(magnitude, **options)
    if ord == 0:
        return total(astype(not_equal(x, 0), magnitude.dtype), **options)
    if ord == 1:
        return total(magnitude, **options)
    if ord == 2:
        return sqrt(total(square(magnitude), **options))
    if isinstance(ord, str):
        raise ValueError(f"vector_norm: ord must be a number, got {ord!r}")
    return pow(total(pow(magnitude, ord), **options), 1 / ord)


def _largest(magnitude: Array, **options: Any) -> Array:
    """Largest of numbers that are not negative; 0 of none."""
    if magnitude.size:
        return maximum(magnitude, **options)
    return total(magnitude, **options)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Norms of matrices (..., m, n): (...), or (..., 1, 1) with keepdims. Real.

    ord: "fro" the root of the sum of squares, "nuc" the sum of the singular values; 2, -2 the largest, smallest of these;
    1, -1 the largest, smallest column sum of absolute values; inf, -inf the same of rows.

    >>> import mtarray as xp
    >>> float(xp.linalg.matrix_norm(xp.asarray([[3.0, 0.0], [4.0, 0.0]])))
    5.0
    """
    x = _matrices(x, "matrix_norm")
    if ord == "fro" or ord is None:
        out = sqrt(total(square(absolute(x)), axis=(-2, -1)))
    elif ord == "nuc":
        out = total(svdvals(x), axis=-1)
    elif ord in (2, -2):
        out = (_largest if ord == 2 else minimum)(svdvals(x), axis=-1)
    elif ord in (1, -1):
        out = (_largest if ord == 1 else minimum)(total(absolute(x), axis=-2), axis=-1)
    elif ord in (inf, -inf):
        out = (_largest if ord == inf else minimum)(total(absolute(x), axis=-1), axis=-1)
    else:
        raise ValueError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    return out[..., None, None] if keepdims else out


def norm(x: Any, /, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """NumPy's `norm`: of vectors for an int axis, of matrices for a pair; without an axis, of the whole array.

    ord None is the 2-norm of vectors and the Frobenius norm of matrices; the others as for `vector_norm` and `matrix_norm`.

    >>> import mtarray as xp
    >>> float(xp.linalg.norm(xp.asarray([[3.0, 0.0], [4.0, 0.0]])))
    5.0
    """
    x = _floating(x, "norm")
    if axis is None and (ord is None or x.ndim == 1):
        return vector_norm(x, keepdims=keepdims, ord=2 if ord is None else ord)
    if axis is None:
        axis = tuple(range(x.ndim))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"norm: expected one axis or two, got {axes} for an array of shape {x.shape}; vector_norm takes any number")
    first, second = (axis_of(a, x.ndim) for a in axes)
    out = matrix_norm(moveaxis(x, (first, second), (-2, -1)), ord=ord)
    if keepdims:
        out = reshape(out, tuple([1 if a in (first, second) else n for a, n in enumerate(x.shape)]))
    return out


def cond(x: Any, /, p: Any = None) -> Array:
    """Condition numbers (...) of matrices (..., m, n): the norm `p` (as `ord` of `matrix_norm`) times that of the inverse.

    p None or 2: the ratio of the largest and smallest singular value, for any shape; inf for singular matrices.

    >>> import mtarray as xp
    >>> float(xp.linalg.cond(xp.asarray([[2.0, 0.0], [0.0, 1.0]])))
    2.0
    """
    x = _matrices(x, "cond", square=p not in (None, 2, -2))
    if x.size == 0:
        raise LinAlgError(f"cond: not defined for empty matrices; x has shape {x.shape}")
    if p in (None, 2, -2):
        s = svdvals(x)
        largest, smallest = s[..., 0], s[..., -1]
        return divide(smallest, largest) if p == -2 else where(equal(smallest, 0), inf, divide(largest, smallest))
    try:
        inverse = inv(x)
    except LinAlgError:
        if x.ndim > 2:
            raise
        return add(zeros((), dtype=real_of(x.dtype), device=x.device), inf)
    return multiply(matrix_norm(x, ord=p), matrix_norm(inverse, ord=p))


__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd",
    "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip
