"""How the engine ops of linear algebra carry cotangents back.

A cotangent g of a result is df/dx + i df/dy, so df = Re(sum(conj(g) * d)) for a change d of the result: a rule is the adjoint of the
change of the result by that of the operand. Rules are array code and are differentiated like any other. `H` is the adjoint (conjugate
transpose), and factors that share their names with an operand belong to it.

Ops that read one triangle of a symmetric or Hermitian matrix count as functions of (x + H(x)) / 2. Vectors of eigenvalues and singular
values are determined up to a factor of modulus 1; derivatives are right for functions that do not depend on it, and not finite where values
coincide, since no vector is determined there.
"""

from __future__ import annotations

from math import prod
from typing import Any

from .. import _array
from .._array import Array
from .._dtypes import COMPLEX, real_of
from ..creation import arange, eye, tril, triu
from ..data_type import finfo
from ..elementwise import abs, conj, equal, imag, real
from ..manipulation import concat, moveaxis, reshape
from ..searching import where
from ..statistical import max, sum
from ..statistical import prod as prod_of
from ..utility import any


def H(x: Array) -> Array:
    return conj(x.mT) if x.dtype.kind == "c" else x.mT


def _conj(x: Array) -> Array:
    return conj(x) if x.dtype.kind == "c" else x


def _solve(x1: Array, x2: Array) -> Array:
    return _array.xp.linalg.solve(x1, x2)


def _hermitian(x: Array) -> Array:
    return 0.5 * (x + H(x))


def _diagonal(x: Array) -> Array:
    return _array.xp.linalg.diagonal(x)


def _unit(x: Array) -> Array:
    """The unit matrix that belongs to the square matrices x, real."""
    return eye(x.shape[-1], dtype=real_of(x.dtype), device=x.device)


# ---------------------------------------------------------------------- products


def _rows(x: Array) -> Array:
    """A stack of matrices as one, its rows one below the other."""
    return reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _side_by_side(x: Array) -> Array:
    """A stack of matrices as one, side by side."""
    return reshape(moveaxis(x, -2, 0), (x.shape[-2], prod(x.shape[:-2]) * x.shape[-1]))


def product_by_x1(g: Array, x2: Array, shape: tuple[int, ...]) -> Array:
    if len(shape) == 1:
        return g * _conj(x2) if x2.ndim == 1 else (_conj(x2) @ g[..., None])[..., 0]
    if x2.ndim == 1:
        return g[..., None] * _conj(x2)
    if len(shape) == 2 and x2.ndim > 2:  # one matrix met a stack: the sum over the stack is part of the product
        return _side_by_side(g) @ H(_side_by_side(x2))
    return g @ H(x2)


def product_by_x2(g: Array, x1: Array, shape: tuple[int, ...]) -> Array:
    if x1.ndim == 1:
        return _conj(x1) * g if len(shape) == 1 else _conj(x1)[:, None] * g[..., None, :]
    if len(shape) == 1:
        return H(_rows(x1)) @ reshape(g, (-1,))
    if len(shape) == 2 and x1.ndim > 2:
        return H(_rows(x1)) @ _rows(g)
    return H(x1) @ g


def dots_by_x1(g: Array, x2: Array) -> Array:
    return _conj(g)[..., None] * x2


def dots_by_x2(g: Array, x1: Array) -> Array:
    return g[..., None] * x1


# ---------------------------------------------------------------------- inverses, determinants


def inverse(g: Array, y: Array) -> Array:
    return -(H(y) @ g @ H(y))


def solution_by_x1(by_x2: Array, y: Array) -> Array:
    return -(by_x2 @ H(y))


def solution_by_x2(g: Array, x1: Array) -> Array:
    return _solve(H(x1), g)


def determinant(g: Array, x: Array) -> Array:
    from ._engine import adjugate

    return g[..., None, None] * H(adjugate(x))


def adjugate(g: Array, x: Array, y: Array) -> Array:
    determinants = _array.xp.linalg.det(x)
    with _array.xp.autodiff.no_grad():
        size = _array.xp.linalg.matrix_norm(x) * _array.xp.linalg.matrix_norm(y) * float(finfo(x.dtype).eps) ** 0.5
        near_singular = bool(any(size >= abs(determinants)))
    yh = H(y)
    if not near_singular:
        # d y = (tr(y dx) y - y dx y) / det(x)
        return (sum(_conj(y) * g, axis=(-2, -1), keepdims=True) * yh - yh @ g @ yh) / _conj(determinants)[..., None, None]
    # In the bases of the singular vectors x is diagonal, and by e changes: entry i, j of y by -e[i, j] times the product of the singular
    # values but for those two, and entry i, i by the sum over k of e[k, k] times that for i and k.
    u, s, vh = _array.xp.linalg.svd(x)
    unit = (_array.xp.linalg.det(u) * _array.xp.linalg.det(vh))[..., None, None]
    products = _products_but_two(s)
    e = _conj(unit) * (vh @ g @ u)
    diagonal = products @ _diagonal(e)[..., None]
    return u @ (diagonal * _unit(x) - products * e) @ vh


def _products_but_two(s: Array) -> Array:
    """The products of all singular values but i and j; 0 for i = j. Only the last two may be 0, else all products are."""
    n = s.shape[-1]
    i = arange(n, device=s.device)
    zero = equal(s, 0)
    inverse_head = where((i >= n - 2) | zero, 1.0, 1 / where(zero, 1.0, s))
    out = prod_of(s[..., : n - 2], axis=-1)[..., None, None] * inverse_head[..., None] * inverse_head[..., None, :]
    for k in range(n)[-2:]:
        out = out * where((i == k)[:, None] | (i == k), 1.0, s[..., k, None, None])
    return out * (1 - eye(n, dtype=s.dtype, device=s.device))


def sign_and_logdet(g: Any, x: Array, y: Any) -> Array | None:
    by_sign, by_log = g
    sign = y[0]
    factor = by_log
    if by_sign is not None and sign.dtype in COMPLEX:  # a real sign is constant
        turned = -1j * imag(_conj(by_sign) * sign)
        factor = turned if factor is None else factor + turned
    return None if factor is None else factor[..., None, None] * H(_array.xp.linalg.inv(x))


def pseudo_inverse(g: Array, x: Array, y: Array) -> Array:
    """Golub and Pereyra, The differentiation of pseudo-inverses (1973): it needs no singular vectors, so equal values do no harm."""
    yh, gh = H(y), H(g)
    # d y = -y dx y + y H(y) H(dx) (1 - x y) + (1 - y x) H(dx) H(y) y
    left, right = gh - (x @ y) @ gh, gh - gh @ (y @ x)
    return left @ (y @ yh) + (yh @ y) @ right - yh @ g @ yh


def least_squares_by_x1(g: Any, x1: Array, x2: Array, rtol: Array) -> Array | None:
    by_x, by_s = g
    out = None if by_s is None else singular_values(by_s, x1)
    if by_x is None:
        return out
    by_inverse = pseudo_inverse(by_x @ H(x2), x1, _array.xp.linalg.pinv(x1, rtol=rtol))
    return by_inverse if out is None else out + by_inverse


def least_squares_by_x2(g: Any, x1: Array, rtol: Array) -> Array | None:
    return None if g[0] is None else H(_array.xp.linalg.pinv(x1, rtol=rtol)) @ g[0]


# ---------------------------------------------------------------------- triangular factors


def _of_determined(g: Array, x: Array, k: int, where: str, instead: str) -> Array:
    """From the cotangent of a unitary x of which the matrix determines the first k columns, that of these columns.

    The others are any basis of the rest of the space. What depends on the choice has no derivative; what depends on the space alone changes
    with the first columns, to which the others stay orthogonal.
    """
    first, rest, by_rest = x[..., :k], x[..., k:], g[..., k:]
    turning = (H(rest) @ by_rest).detach()
    scale = float(max(abs(by_rest.detach()))) if by_rest.size else 0.0
    if scale and float(max(abs(turning - H(turning)))) > 1e4 * finfo(x.dtype).eps * scale * x.shape[-1]:
        raise _array.xp.autodiff.NoDerivativeError(
            f"{where}: of a matrix {x.shape[-2:]} only the first {k} columns are determined, and the function depends on which others were "
            f"chosen, not only on the space that they span; pass {instead}"
        )
    return g[..., :k] - rest @ (H(by_rest) @ first)


def cholesky_factor(g: Array, y: Array) -> Array:
    s = tril(H(y) @ tril(g)) * (1 - 0.5 * _unit(y))
    inverse_of_y = _array.xp.linalg.inv(y)
    return _hermitian(H(inverse_of_y) @ s @ inverse_of_y)


def qr_factors(g: Any, y: Any, mode: str) -> Array:
    by_q, by_r = g
    q, r = y
    m, n = q.shape[-2], r.shape[-1]
    if m >= n:
        if m > n and mode == "complete":
            by_q = None if by_q is None else _of_determined(by_q, q, n, "qr", "mode='reduced'")
            q, r, by_r = q[..., :n], r[..., :n, :], None if by_r is None else by_r[..., :n, :]
        return _tall_qr(by_q, by_r, q, r)
    # The first m columns of x determine Q, the others are Q times the rest of R.
    if by_r is None:
        first, rest = None, 0 * r[..., m:]
    else:
        first, rest = by_r[..., :m], by_r[..., m:]
    turned = (q @ r[..., m:]) @ H(rest)
    return concat([_tall_qr(turned if by_q is None else by_q + turned, first, q, r[..., :m]), q @ rest], axis=-1)


def _tall_qr(by_q: Any, by_r: Any, q: Array, r: Array) -> Array:
    """For Q with at least as many rows as columns. The diagonal of R is real, as LAPACK makes it."""
    s: Any = None
    if by_r is not None:
        s = triu(by_r) @ H(r)
    if by_q is not None:
        t = H(q) @ by_q
        s = -t if s is None else s - t
    s = triu(s)
    s = q @ ((s + H(s)) * (1 - 0.5 * _unit(s)))
    if by_q is not None:
        s = s + by_q
    return H(_solve(r, H(s)))  # s @ inverse of H(r)


# ---------------------------------------------------------------------- singular values


def svd_factors(g: Any, y: Any, full_matrices: bool) -> Array | None:
    by_u, by_s, by_vh = g
    u, s, vh = y
    m, n, k = u.shape[-2], vh.shape[-1], s.shape[-1]
    if full_matrices:
        if by_u is not None and m > k:
            by_u = _of_determined(by_u, u, k, "svd", "full_matrices=False")
        if by_vh is not None and n > k:
            by_vh = H(_of_determined(H(by_vh), H(vh), k, "svd", "full_matrices=False"))
        u, vh = u[..., :k], vh[..., :k, :]
    if by_u is None and by_vh is None:
        return (u * by_s[..., None, :]) @ vh
    one = _unit(s[..., None] * s[..., None, :])
    both: Any = 0.0
    other: Any = 0.0
    if by_u is not None:
        a = H(u) @ by_u
        both, other = a - H(a), a - H(a)
    if by_vh is not None:
        b = vh @ H(by_vh)
        both, other = both + (b - H(b)), other - (b - H(b))
    differences = s[..., None, :] - s[..., None] + one
    # The diagonal of `both` is 0 for what does not depend on the phases of the vectors; `other` has, for complex ones, an imaginary one.
    inner = 0.5 * (both * (1 - one)) / differences
    diagonal = 0.0 if u.dtype in COMPLEX else one
    inner = inner + 0.5 * (other * (1 - diagonal)) / (s[..., None, :] + s[..., None] + diagonal)
    if by_s is not None:
        inner = inner + by_s[..., None, :] * one
    out = u @ inner @ vh
    if by_u is not None and m > k:
        t = by_u / s[..., None, :]
        out = out + (t - u @ (H(u) @ t)) @ vh
    if by_vh is not None and n > k:
        t = by_vh / s[..., None]
        out = out + u @ (t - (t @ H(vh)) @ vh)
    return out


def singular_values(g: Array, x: Array) -> Array:
    u, _, vh = _array.xp.linalg.svd(x, full_matrices=False)
    return (u * g[..., None, :]) @ vh


# ---------------------------------------------------------------------- eigenvalues


def eigh_pairs(g: Any, y: Any) -> Array | None:
    by_values, by_vectors = g
    values, vectors = y
    if by_vectors is None:
        return _hermitian((vectors * by_values[..., None, :]) @ H(vectors))
    one = _unit(vectors)
    inner = (H(vectors) @ by_vectors) * (1 - one) / (values[..., None, :] - values[..., None] + one)
    if by_values is not None:
        inner = inner + by_values[..., None, :] * one
    return _hermitian(vectors @ inner @ H(vectors))


def eigh_values(g: Array, x: Array) -> Array:
    vectors = _array.xp.linalg.eigh(x).eigenvectors
    return _hermitian((vectors * g[..., None, :]) @ H(vectors))


def eig_pairs(g: Any, y: Any) -> Array:
    by_values, by_vectors = g
    values, vectors = y
    vh = H(vectors)
    if by_vectors is None:
        return _solve(vh, by_values[..., None] * vh)
    one = _unit(vectors)
    inner = vh @ by_vectors
    inner = inner - (vh @ vectors) * real(_diagonal(inner))[..., None, :]  # the vectors keep their length
    inner = inner * (1 - one) / (conj(values[..., None, :] - values[..., None]) + one)
    if by_values is not None:
        inner = inner + by_values[..., None, :] * one
    return _solve(vh, inner @ vh)


def eig_values(g: Array, x: Array) -> Array:
    vh = H(_array.xp.linalg.eig(x).eigenvectors)
    return _solve(vh, g[..., None] * vh)
