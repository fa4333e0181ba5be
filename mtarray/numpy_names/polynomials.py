"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import Array
from ..creation import zeros_like
from ..elementwise import add, divide, equal, multiply, real, sqrt
from ..linalg import matmul, pinv
from ..manipulation import reshape
from ..searching import where
from ..statistical import sum as _sum
from ._operands import floating, operand, operands
from .ranges import vander


def polyval(p: Any, x: Any) -> Array:
    """The values at `x` of the polynomial with coefficients `p`, the highest power first (Horner's scheme).

    >>> import mtarray as xp
    >>> xp.polyval(xp.asarray([3, 0, 1]), xp.asarray([1, 5]))
    Array([ 4, 76], shape=(2,), dtype=int64, device='cpu')
    """
    p, x = operands((p, x), "polyval")
    if p.ndim == 0:
        raise TypeError(f"polyval: p must be a sequence of coefficients, it has shape {p.shape}")
    out = zeros_like(x)
    for i in range(p.shape[0]):
        out = add(multiply(out, x), p[i])
    return out


def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, *, w: Any = None) -> Array:
    """Coefficients, the highest power first, of the polynomial of degree `deg` through the points (x, y) with least squared error.

    y: (M,) or (M, K) for K polynomials. w: weights of the distances, not of their squares. rcond: singular values below this part
    of the largest count as 0. ValueError for a negative degree, TypeError for arrays that do not fit.

    >>> import mtarray as xp
    >>> x = xp.asarray([0.0, 1.0, 2.0])
    >>> xp.allclose(xp.polyfit(x, 2 * x + 1, 1), xp.asarray([2.0, 1.0]))
    True
    """
    x, y = map(floating, operands((x, y), "polyfit"))
    if deg < 0:
        raise ValueError(f"polyfit: deg={deg} must not be negative")
    if x.ndim != 1 or x.size == 0:
        raise TypeError(f"polyfit: x must be one-dimensional and not empty, it has shape {x.shape}")
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise TypeError(f"polyfit: y has shape {y.shape} for x of shape {x.shape}")
    powers, values = vander(x, deg + 1), y
    if w is not None:
        w = floating(operand(w, "polyfit"))
        if w.shape != x.shape:
            raise TypeError(f"polyfit: w has shape {w.shape}, x has {x.shape}")
        column = reshape(w, (-1, 1))
        powers, values = multiply(powers, column), multiply(values, column if y.ndim == 2 else w)
    if rcond is None:
        rcond = x.size * float(np.finfo(x.dtype).eps)
    # Columns of one length make the singular values comparable.
    scale = sqrt(_sum(real(multiply(powers, powers.conj())), axis=0))
    scale = where(equal(scale, 0), 1.0, scale)
    out = matmul(pinv(divide(powers, scale), rtol=rcond), values)
    return divide(out, scale if y.ndim == 1 else reshape(scale, (-1, 1)))


__all__ = ["polyfit", "polyval"]
