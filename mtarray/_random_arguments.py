"""Arguments and results of the random distributions: parameters, sizes, probabilities."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, from_numpy, leave
from ._devices import CPU, Device
from ._dtypes import REAL_FLOATING, DType, dtype_of

Size = int | tuple[int, ...] | None


def lift(x: Any, device: Device = CPU, where: str = "random") -> Array:
    """An array on the generator's device; ValueError for one of ours elsewhere, which is not copied unsaid."""
    if isinstance(x, Array):
        if x.device is not device:
            raise ValueError(
                f"{where}: the generator is on device {device.name!r}, an array of shape {x.shape} on {x.device.name!r}; move one of them "
                "with to_device"
            )
        return x
    if device is not CPU:
        return _array.xp.asarray(lift(x), device=device)
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
    device: Device = CPU,
) -> Any:
    """A distribution's parameter: a float, or an Array of real numbers on `device`. ValueError if an element is NaN or out of range."""
    if isinstance(x, (float, int, np.floating, np.integer, np.bool_)):
        x = float(x)
        low = high = v = x
    else:
        x = lift(x, device, f"{method}: {name}")
        if x.dtype.kind not in "biuf":
            raise TypeError(f"{method}: {name} must be real, its dtype is {x.dtype}")
        v = leave(x, "random")
        if v.size == 0:
            return x
        if device is not CPU:  # two numbers come to the host, to be checked
            x, v = x.detach(), _array.xp.astype(x.detach(), np.float64)
            low, high = float(_array.xp.min(v)), float(_array.xp.max(v))
        else:
            low, high = v.min(), v.max()  # a NaN is both
    bounded = at_least is not None or above is not None or at_most is not None
    if bounded and low != low:
        raise ValueError(f"{method}: {name} is not a number")
    if at_least is not None and low < at_least:
        raise ValueError(f"{method}: {name} < {at_least:g} (it is {low}{' in an element' if isinstance(x, Array) else ''})")
    if above is not None and low <= above:
        raise ValueError(f"{method}: {name} <= {above:g} (it is {low}{' in an element' if isinstance(x, Array) else ''})")
    if at_most is not None and high > at_most:
        raise ValueError(f"{method}: {name} > {at_most:g} (it is {high}{' in an element' if isinstance(x, Array) else ''})")
    if whole:
        if isinstance(x, float):
            fraction = x != math.floor(x)
        elif device is not CPU:
            fraction = x.dtype.kind == "f" and bool(_array.xp.any(v != _array.xp.floor(v)))
        else:
            fraction = x.dtype.kind == "f" and bool(np.any(v != np.floor(v)))
        if fraction:
            raise ValueError(f"{method}: {name} must be whole numbers")
    return x


def bound(name: str, x: Any, device: Device = CPU) -> Any:
    """A bound of `integers`: an int, or an Array of integers."""
    if isinstance(x, (int, np.integer, np.bool_)):
        return int(x)
    if isinstance(x, (float, np.floating)):
        if not float(x).is_integer():
            raise ValueError(f"integers: {name}={x} is not an integer")
        return int(x)
    x = lift(x, device, f"integers: {name}")
    if x.dtype.kind not in "biu":
        raise TypeError(f"integers: {name} must be integers, its dtype is {x.dtype}")
    leave(x, "random")
    return x if x.dtype.kind != "b" else _array.xp.astype(x.detach(), np.int64)


def result_shape(size: Size, *parameters: Any) -> tuple[tuple[int, ...], bool]:
    """Shape of the result, and whether it is a scalar. ValueError if the parameters do not broadcast to `size`."""
    shapes = [p.shape for p in parameters if getattr(p, "shape", ())]
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
    shape, scalar = result_shape(size, *parameters)
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
    return array.item() if scalar else array if isinstance(array, Array) else fresh(array)


def exponential_of(x: Any) -> Any:
    if isinstance(x, float):
        return float(np.exp(np.float64(x)))
    return _array.xp.exp(x)


def probabilities(p: Any, population: int, device: Device = CPU) -> Any:
    """The weights of `choice` in float64: an ndarray, or an Array where p is one on another device than the CPU."""
    there = device is not CPU and isinstance(p, Array) and p.device is not CPU
    w = parameter("choice", "p", p, at_least=0.0, device=device if there else CPU)
    w = _array.xp.astype(w, np.float64) if there else np.asarray(values(w), np.float64)
    if w.shape != (population,):
        raise ValueError(f"choice: p has shape {w.shape}, the population {population}")
    total = float(w.sum())
    if abs(total - 1.0) > 1.5e-8:
        raise ValueError(f"choice: the probabilities p add up to {total}, not to 1")
    return w


def factor(xp: Any, c: Any, check_valid: str, tol: float, method: str) -> Any:
    """A matrix F with F @ F.T = c, in array code of NumPy or mtarray."""
    if method == "cholesky":
        return xp.linalg.cholesky(c)
    if method == "eigh":
        s, u = xp.linalg.eigh(c)
        valid = bool(xp.all(s >= -tol))
        root = u * xp.sqrt(xp.maximum(s, 0.0))
    else:
        u, s, v = xp.linalg.svd(c)
        valid = _close(xp, (v.T * s) @ v, c, tol)
        root = v.T * xp.sqrt(s)
    valid = valid and _close(xp, c, c.T, tol)
    if not valid and check_valid != "ignore":
        message = "multivariate_normal: the covariance is not symmetric positive semidefinite"
        if check_valid == "raise":
            raise ValueError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return root


def _close(xp: Any, a: Any, b: Any, tol: float) -> bool:
    return bool(xp.all(xp.abs(a - b) <= tol + tol * xp.abs(b)))
