"""Products of vectors and matrices beyond the standard."""

from __future__ import annotations

from typing import Any

from .._array import Array
from .._dtypes import COMPLEX, promote
from .._strides import axis_of
from ..elementwise import conj, multiply
from ..linalg import matmul, tensordot, vecdot
from ..linalg.products import cross_of_last
from ..manipulation import moveaxis, reshape
from ._operands import operands


def _two(a: Any, b: Any, where: str) -> tuple[Array, Array]:
    one, other = operands((a, b), where)
    return one, other


def dot(a: Any, b: Any) -> Array:
    """Sum of products over the last axis of `a` and the last but one of `b` (its only one if it is a vector); a plain product for numbers.

    ValueError if these axes differ in length.

    >>> import mtarray as xp
    >>> xp.dot(xp.asarray([[1, 2], [3, 4]]), xp.asarray([1, 1]))
    Array([3, 7], shape=(2,), dtype=int64, device='cpu')
    """
    a, b = _two(a, b, "dot")
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=((-1,), (-1 if b.ndim == 1 else -2,)))


def inner(a: Any, b: Any) -> Array:
    """Sum of products over the last axes of both; a plain product for numbers.

    >>> import mtarray as xp
    >>> int(xp.inner(xp.asarray([1, 2]), xp.asarray([3, 4])))
    11
    """
    a, b = _two(a, b, "inner")
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    return tensordot(a, b, axes=((-1,), (-1,)))


def outer(a: Any, b: Any) -> Array:
    """All products of an element of `a` and one of `b`, both flattened. Shape (a.size, b.size).

    >>> import mtarray as xp
    >>> xp.outer(xp.asarray([1, 2]), xp.asarray([3, 4]))
    Array([[3, 4],
           [6, 8]], shape=(2, 2), dtype=int64, device='cpu')
    """
    a, b = _two(a, b, "outer")
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


def vdot(a: Any, b: Any) -> Array:
    """Sum of products of the conjugated elements of `a` and the elements of `b`, both flattened.

    >>> import mtarray as xp
    >>> complex(xp.vdot(xp.asarray([1j]), xp.asarray([1j])))
    (1+0j)
    """
    a, b = _two(a, b, "vdot")
    if a.size != b.size:
        raise ValueError(f"vdot: {a.size} and {b.size} elements: shapes {a.shape} and {b.shape}")
    return vecdot(reshape(a, (-1,)), reshape(b, (-1,)))


def matvec(x1: Any, x2: Any) -> Array:
    """Products of matrices (..., m, k) and vectors (..., k): (..., m).

    >>> import mtarray as xp
    >>> xp.matvec(xp.asarray([[1, 2], [3, 4]]), xp.asarray([1, 1]))
    Array([3, 7], shape=(2,), dtype=int64, device='cpu')
    """
    x1, x2 = _two(x1, x2, "matvec")
    if x1.ndim < 2 or x2.ndim < 1:
        raise ValueError(f"matvec: needs matrices and vectors; shapes {x1.shape} and {x2.shape}")
    return matmul(x1, x2[..., None])[..., 0]


def vecmat(x1: Any, x2: Any) -> Array:
    """Products of conjugated vectors (..., k) and matrices (..., k, n): (..., n).

    >>> import mtarray as xp
    >>> xp.vecmat(xp.asarray([1, 1]), xp.asarray([[1, 2], [3, 4]]))
    Array([4, 6], shape=(2,), dtype=int64, device='cpu')
    """
    x1, x2 = _two(x1, x2, "vecmat")
    if x1.ndim < 1 or x2.ndim < 2:
        raise ValueError(f"vecmat: needs vectors and matrices; shapes {x1.shape} and {x2.shape}")
    x1 = conj(x1) if x1.dtype in COMPLEX else x1
    return matmul(x1[..., None, :], x2)[..., 0, :]


def kron(a: Any, b: Any) -> Array:
    """Kronecker product: each element of `a` replaced by its product with all of `b`. Missing axes count as length 1 in front.

    >>> import mtarray as xp
    >>> xp.kron(xp.asarray([1, 10]), xp.asarray([1, 2]))
    Array([ 1,  2, 10, 20], shape=(4,), dtype=int64, device='cpu')
    """
    a, b = _two(a, b, "kron")
    n = max(a.ndim, b.ndim)
    s = (1,) * (n - a.ndim) + a.shape
    t = (1,) * (n - b.ndim) + b.shape
    apart = multiply(reshape(a, tuple([k for d in s for k in (d, 1)])), reshape(b, tuple([k for d in t for k in (1, d)])))
    return reshape(apart, tuple([d * e for d, e in zip(s, t)]))


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """Cross products of vectors of three elements, which lie along `axisa` and `axisb`, and along `axisc` of the result; `axis` names all.

    The other axes broadcast. ValueError for vectors of another length.

    >>> import mtarray as xp
    >>> xp.cross(xp.asarray([1, 0, 0]), xp.asarray([0, 1, 0]))
    Array([0, 0, 1], shape=(3,), dtype=int64, device='cpu')
    """
    a, b = _two(a, b, "cross")
    if axis is not None:
        axisa = axisb = axisc = axis
    a = moveaxis(a, axis_of(axisa, a.ndim, "axisa"), -1)
    b = moveaxis(b, axis_of(axisb, b.ndim, "axisb"), -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(f"cross: vectors have {a.shape[-1]} and {b.shape[-1]} elements; both must have 3")
    d = promote(a.dtype, b.dtype)
    a, b = a.astype(d, copy=False), b.astype(d, copy=False)
    out = cross_of_last(a, b)
    return moveaxis(out, -1, axis_of(axisc, out.ndim, "axisc"))


__all__ = ["cross", "dot", "inner", "kron", "matvec", "outer", "vdot", "vecmat"]
