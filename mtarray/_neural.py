"""Engine ops of neural networks: what is worth one step of the tape, and one pass, instead of several. `nn.functional` is their caller."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._array import Array
from ._ops import engine
from ._products import SMALL
from .linalg._engine import product
from .special.softmax import softmax
from .statistical import sum as _sum

_product = product.op.implementation


def _affine_by_w(g: Array, x: Array) -> Array:
    if x.ndim == 2:
        return g.T @ x
    rows = prod(x.shape[:-1])
    return g.reshape((rows, g.shape[-1])).T @ x.reshape((rows, x.shape[-1]))


def _affine_by_b(g: Array) -> Array:
    return _sum(g, axis=0 if g.ndim == 2 else tuple(range(g.ndim - 1)))


@engine(vjp=(lambda g, w: g @ w, _affine_by_w, _affine_by_b))
def affine(x: Any, w: Any, b: Any) -> Any:
    """x @ w.T + b of arrays of one dtype: (..., k), (n, k), (n,) -> (..., n)."""
    if x.ndim == 2 and w.size * len(x) < SMALL:
        y = x.dot(w.T)
    else:
        rows = x.reshape(-1, x.shape[-1]) if x.ndim > 2 and w.shape[1] else x  # one product of matrices, not a stack of them
        y = _product(rows, w.T)
        if y.ndim != x.ndim:
            y = y.reshape(*x.shape[:-1], len(w))
    y += b
    return y


def _class_losses_by_x(g: Array, x: Array, target: Array) -> Array:
    return class_slopes(x, target, g)


@engine(vjp=(_class_losses_by_x, None))
def class_losses(x: Any, target: Any) -> Any:
    """-log(softmax(x))[i, target[i]] of each row: (m, classes) floats, (m,) integers, negative where there is no loss -> (m,)."""
    rows = np.arange(len(x))
    top = x.max(axis=1, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0)
    shifted = x - shift[:, None]
    picked = shifted[rows, np.maximum(target, 0)]
    np.exp(shifted, out=shifted)
    y = np.log(shifted.sum(axis=1)) - picked
    y[target < 0] = 0
    return y


def _class_slopes_by_x(g: Array, x: Array, target: Array, c: Array) -> Array:
    """The derivative of `class_slopes`: that of the softmax, of rows that have a loss."""
    p = softmax(x, axis=1)
    k = g * (c * (target >= 0))[:, None]
    return p * (k - _sum(p * k, axis=1, keepdims=True))


def _class_slopes_by_c(g: Array, x: Array, target: Array) -> Array:
    from ._array import xp

    return _sum(g * class_slopes(x, target, xp.ones_like(x[:, 0])), axis=1)


@engine(vjp=(_class_slopes_by_x, None, _class_slopes_by_c))
def class_slopes(x: Any, target: Any, c: Any) -> Any:
    """c times the derivative of `class_losses` by x: softmax less one at the target, and 0 in rows without a loss."""
    top = x.max(axis=1, keepdims=True, initial=-np.inf)
    p = np.exp(x - top)
    p *= (np.where(target >= 0, c, 0) / p.sum(axis=1))[:, None]
    rows = np.flatnonzero(target >= 0)
    p[rows, target[rows]] -= c[rows]
    return p
