"""Arguments and results of the random distributions: parameters, sizes, probabilities."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, from_numpy, leave
from ._dtypes import REAL_FLOATING, DType, dtype_of

Size = int | tuple[int, ...] | None


def lift(x: Any) -> Array:
    if isinstance(x, Array):
        return x
    if isinstance(x, np.ndarray):
        return from_numpy(x)
    if isinstance(x, (list, tuple)):
        return from_numpy(np.asarray([leave(v, "random") if isinstance(v, Array) else v for v in x]))
    return _array.xp.asarray(x)


def values(x: Any) -> Any:
    return leave(x, "random") if isinstance(x, Array) else np.asarray(x)


def parameter(
    method: str,
    name: str,
    x: Any,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    whole: bool = False,
) -> Any:
    """A distribution's parameter: a float, or an Array of real numbers. ValueError if an element is NaN or out of range."""
    if isinstance(x, (float, int, np.floating, np.integer, np.bool_)):
        x = float(x)
        low = high = v = x
    else:
        x = lift(x)
        if x.dtype.kind not in "biuf":
            raise TypeError(f"{method}: {name} must be real, its dtype is {x.dtype}")
        v = leave(x, "random")
        low, high = (v.min(), v.max()) if v.size else (1.0, 1.0)  # a NaN is both
        if v.size == 0:
            return x
    bounded = at_least is not None or above is not None or at_most is not None
    if bounded and low != low:
        raise ValueError(f"{method}: {name} is not a number")
    if at_least is not None and low < at_least:
        raise ValueError(f"{method}: {name} < {at_least:g} (it is {low}{' in an element' if isinstance(x, Array) else ''})")
    if above is not None and low <= above:
        raise ValueError(f"{method}: {name} <= {above:g} (it is {low}{' in an element' if isinstance(x, Array) else ''})")
    if at_most is not None and high > at_most:
        raise ValueError(f"{method}: {name} > {at_most:g} (it is {high}{' in an element' if isinstance(x, Array) else ''})")
    fraction = x != math.floor(x) if isinstance(x, float) else x.dtype.kind == "f" and np.any(v != np.floor(v))
    if whole and fraction:
        raise ValueError(f"{method}: {name} must be whole numbers")
    return x


def bound(name: str, x: Any) -> Any:
    """A bound of `integers`: an int, or an Array of integers."""
    if isinstance(x, (int, np.integer, np.bool_)):
        return int(x)
    if isinstance(x, (float, np.floating)):
        if not float(x).is_integer():
            raise ValueError(f"integers: {name}={x} is not an integer")
        return int(x)
    x = lift(x)
    if x.dtype.kind not in "biu":
        raise TypeError(f"integers: {name} must be integers, its dtype is {x.dtype}")
    return x if x.dtype.kind != "b" else from_numpy(leave(x, "random").astype(np.int64))


def result_shape(size: Size, *parameters: Any) -> tuple[tuple[int, ...], bool]:
    """Shape of the result, and whether it is a scalar. ValueError if the parameters do not broadcast to `size`."""
    shapes = [p.shape for p in parameters if p.shape]
    if size is None:
        if not shapes:
            return (), True
        try:
            return np.broadcast_shapes(*shapes), False
        except ValueError:
            raise ValueError(f"parameters of shapes {', '.join(map(str, shapes))} do not broadcast") from None
    try:
        shape = tuple([operator.index(k) for k in size]) if isinstance(size, (tuple, list)) else (operator.index(size),)
    except TypeError:
        raise TypeError(f"size={size!r:.80} must be an integer, a tuple of integers or None") from None
    if any(k < 0 for k in shape):
        raise ValueError(f"size={size} must not be negative")
    for s in shapes:
        if len(s) > len(shape) or any(a not in (1, b) for a, b in zip(s[::-1], shape[::-1], strict=False)):
            raise ValueError(f"a parameter of shape {s} does not broadcast to size={shape}")
    return shape, False


def broadcast_size(size: Size, *parameters: Any) -> Size:
    """`size`, or the shape of the parameters together."""
    shape, scalar = result_shape(size, *[values(p) for p in parameters])
    return None if scalar and not any(isinstance(p, Array) for p in parameters) else shape


def out_shape(out: Array, d: DType, size: Size, *parameters: Any) -> tuple[tuple[int, ...], bool]:
    if not isinstance(out, Array):
        raise TypeError(f"out must be an Array, it is a {type(out).__name__}")
    if out.dtype is not d:
        raise TypeError(f"out has dtype {out.dtype}, the result {d}; pass dtype={out.dtype.name!r}")
    shape, _ = result_shape(out.shape if size is None else size, *parameters)
    if shape != out.shape:
        raise ValueError(f"out has shape {out.shape}, size={shape}")
    return shape, False


def real_floating(dtype: Any) -> DType:
    d = dtype_of(dtype)
    if d not in REAL_FLOATING:
        raise TypeError(f"dtype={d} must be float32 or float64")
    return d


def axis_of(method: str, axis: int, x: Any) -> int:
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{method}: axis {axis} is out of bounds for an array of shape {x.shape}")
    return axis % x.ndim


def to_dtype(x: Any, d: DType) -> Any:
    return x.astype(d) if isinstance(x, Array) and x.dtype is not d else x


def result(array: Any, scalar: bool) -> Any:
    return array.item() if scalar else fresh(array)


def exponential_of(x: Any) -> Any:
    if isinstance(x, float):
        return float(np.exp(np.float64(x)))
    return _array.xp.exp(x)


def probabilities(p: Any, population: int) -> Any:
    w = np.asarray(values(parameter("choice", "p", p, at_least=0.0)), np.float64)
    if w.shape != (population,):
        raise ValueError(f"choice: p has shape {w.shape}, the population {population}")
    if abs(w.sum() - 1.0) > 1.5e-8:
        raise ValueError(f"choice: the probabilities p add up to {w.sum()}, not to 1")
    return w


def factor(c: Any, check_valid: str, tol: float, method: str) -> Any:
    """A matrix F with F @ F.T = c."""
    if method == "cholesky":
        return np.linalg.cholesky(c)
    if method == "eigh":
        s, u = np.linalg.eigh(c)
        valid = bool(np.all(s >= -tol))
        root = u * np.sqrt(np.maximum(s, 0.0))
    else:
        u, s, v = np.linalg.svd(c)
        valid = bool(np.allclose((v.T * s) @ v, c, rtol=tol, atol=tol))
        root = v.T * np.sqrt(s)
    valid = valid and bool(np.allclose(c, c.T, rtol=tol, atol=tol))
    if not valid and check_valid != "ignore":
        message = "multivariate_normal: the covariance is not symmetric positive semidefinite"
        if check_valid == "raise":
            raise ValueError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return root
