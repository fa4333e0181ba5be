"""Operands of linear algebra: dtypes, shapes, and the error of a matrix that has no factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array
from .._config import is_strict
from .._dtypes import FLOATING, NUMERIC, float64, promote, standard_promotion
from .._operands import lift, names
from ..creation import astype

LinAlgError = np.linalg.LinAlgError


def numeric(x: Any, where: str) -> Array:
    x = lift(x, where)
    if is_strict() and x.dtype not in NUMERIC:
        raise TypeError(f"{where}: the standard does not define it for {x.dtype}, only for {names(NUMERIC)} (strict mode)")
    return x


def pair(x1: Any, x2: Any, where: str) -> tuple[Array, Array]:
    """Both operands in their common dtype."""
    x1, x2 = numeric(x1, where), numeric(x2, where)
    if x1.dtype is x2.dtype:
        return x1, x2
    if is_strict() and not standard_promotion(x1.dtype, x2.dtype):
        raise TypeError(f"{where}: the standard does not define the promotion of {x1.dtype} and {x2.dtype}; cast one of them (strict mode)")
    d = promote(x1.dtype, x2.dtype)
    return astype(x1, d, copy=False), astype(x2, d, copy=False)


def floating(x: Any, where: str) -> Array:
    x = lift(x, where)
    if x.dtype in FLOATING:
        return x
    if is_strict():
        raise TypeError(f"{where}: the standard does not define it for {x.dtype}, only for {names(FLOATING)} (strict mode)")
    return astype(x, float64)


def matrices(x: Any, where: str, square: bool = False, keep_integers: bool = False) -> Array:
    x = numeric(x, where) if keep_integers else floating(x, where)
    if x.ndim < 2:
        raise LinAlgError(f"{where}: x must be a matrix or a stack of them; it has shape {x.shape}")
    if square and x.shape[-1] != x.shape[-2]:
        raise LinAlgError(f"{where}: the matrices must be square; x has shape {x.shape}")
    return x


def factor(where: str, function: Callable[..., Any], *arrays: Array, **static: Any) -> Any:
    """Apply an engine op; its failure names the function and the shape."""
    try:
        return function(*arrays, **static)
    except LinAlgError as error:
        shape = arrays[0].shape
        which = "the matrix" if len(shape) == 2 else "a matrix of the stack"
        reason = str(error).rstrip(".")
        reason = reason if reason[:2].isupper() else reason[:1].lower() + reason[1:]  # "SVD did not converge"
        raise LinAlgError(f"{where}: {reason} ({which} x of shape {shape})") from None
