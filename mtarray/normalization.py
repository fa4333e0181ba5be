"""Normalisation to mean 0 and variance 1: of rows, of groups of channels, of channels over a batch; by the root mean square.

Each is one op with one pass over memory forward and one back, which also gives the derivatives by scales and shifts.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, value
from ._config import config
from ._dtypes import REAL_FLOATING
from ._kernels import cuda
from ._operands import common, lift, run_quietly
from ._ops import engine
from .creation import astype

# Elements from which the kernel serves. It is the faster one for any number; so few should not wait for it to be compiled.
_FEW = 1 << 9


def _view(form: tuple[str, int], shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...], Any]:
    """(shape in which what is normalised together are whole axes, these axes, the shape in which scales broadcast against it)."""
    name, k = form
    if name == "layer":
        return (-1, k), (1,), (1, k)
    batch, channels = shape[:2]
    length = prod(shape[2:])
    if name == "group":
        return (batch, k, channels // k, length), (2, 3), (1, k, channels // k, 1)
    return (batch, channels, length), (0, 2), (1, channels, 1)


def _parts(xp: Any, x: Any, eps: float, centred: bool, axes: tuple[int, ...]) -> tuple[Any, Any, Any, Any]:
    """Means, variances, and what makes the result: distances from the means and the scale for them. Array code of NumPy or mtarray."""
    mean = xp.mean(x, axis=axes, keepdims=True)
    apart = x - mean if centred else x
    variance = xp.mean(apart * apart, axis=axes, keepdims=True)
    return mean, variance, apart, 1.0 / xp.sqrt(variance + eps)


def _forward(xp: Any, arrays: Any, form: tuple[str, int], eps: float, centred: bool) -> tuple[Any, Any, Any]:
    """The result, means and variances, composed."""
    x, *affine = arrays
    shape, axes, scales = _view(form, x.shape)
    mean, variance, apart, scale = _parts(xp, xp.reshape(x, shape), eps, centred, axes)
    y = apart * scale
    if affine:
        y = y * xp.reshape(affine[0], scales)
    if len(affine) > 1:
        y = y + xp.reshape(affine[1], scales)
    return xp.reshape(y, x.shape), xp.reshape(mean, (-1,)), xp.reshape(variance, (-1,))


def _back(xp: Any, gs: Any, arrays: Any, form: tuple[str, int], eps: float, centred: bool) -> list[Any]:
    """The cotangents of the operands from those of the result, means and variances (or None), composed."""
    x, *affine = arrays
    shape, axes, scales = _view(form, x.shape)
    mean, _, apart, scale = _parts(xp, xp.reshape(x, shape), eps, centred, axes)
    g, by_mean, by_variance = gs
    others = tuple([i for i, n in enumerate(scales) if n == 1])
    by_x: Any = None
    by_affine: list[Any] = [None] * len(affine)
    if g is not None:
        g = xp.reshape(g, shape)
        normal = apart * scale
        by_affine = [xp.reshape(xp.sum(v, axis=others), a.shape) for v, a in zip((g * normal, g), affine)]
        if affine:
            g = g * xp.reshape(affine[0], scales)
        by_x = g - normal * xp.mean(g * normal, axis=axes, keepdims=True)
        by_x = scale * (by_x - xp.mean(g, axis=axes, keepdims=True) if centred else by_x)
    size = prod([apart.shape[a] for a in axes])
    if by_mean is not None:
        more = xp.reshape(by_mean, mean.shape) / size
        by_x = xp.broadcast_to(more, apart.shape) if by_x is None else by_x + more
    if by_variance is not None:
        more = apart * (xp.reshape(by_variance, mean.shape) * (2.0 / size))
        by_x = more if by_x is None else by_x + more
    return [None if by_x is None else xp.reshape(by_x, x.shape), *by_affine]


def _rule(g: Any, operands: list[Array], form: tuple[str, int], eps: float, centred: bool, statistics: bool) -> list[Any]:
    """Cotangents of the operands: by the kernel, or composed where they are differentiated themselves."""
    gs = g if statistics else (g, None, None)
    alone = gs[0] is not None and gs[1] is None and gs[2] is None
    if not alone or any(a._storage.node is not None for a in (gs[0], *operands)):
        return _back(_array.xp, gs, operands, form, eps, centred)
    arrays = [value(a) for a in operands]
    found = run_quietly(_backward, value(gs[0]), arrays, form, eps, centred)
    return [fresh(a) for a in found[: len(arrays)]]


_module: Any = None  # of the kernels, once they are wanted


def _kernels(x: Any) -> Any:
    """The kernels, if they serve."""
    global _module
    mode = config._values["kernels"]
    if mode == "python" or (mode == "auto" and x.size < _FEW):
        return None
    if _module is None:
        from ._kernels.cpu import normalise as _module
    return _module


def _backward(g: Any, arrays: list[Any], form: tuple[str, int], eps: float, centred: bool) -> Any:
    if arrays[0].__class__ is not np.ndarray:
        x, *affine = arrays
        return cuda.part("normalise").back(form, g, x, affine[0] if affine else None, eps, centred, bool(affine))
    kernels = _kernels(arrays[0])
    if kernels is None:
        return _back(np, (g, None, None), arrays, form, eps, centred)
    x, *affine = arrays
    return kernels.back(form, g, x, _row(affine[0]) if affine else None, eps, centred, bool(affine))


def _row(x: Any) -> Any:
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


@engine(vjp=_rule)
def normalised(*arrays: Any, form: tuple[str, int], eps: float, centred: bool, statistics: bool) -> Any:
    """An array normalised, scaled and shifted (arrays: it, perhaps scales, perhaps shifts); with `statistics` also means and variances.

    form: ("layer", n): every n elements, with n scales; ("group", k): k groups of the channels of (batch, channels, ...); ("batch", 1):
    each channel over the batch; these with a scale for each channel. Not centred: by the root mean square.
    """
    kernels = _kernels(arrays[0])
    if kernels is None:
        y, *found = _forward(np, arrays, form, eps, centred)
        return (y, *found) if statistics else y
    count = len(arrays)
    weight = _row(arrays[1]) if count > 1 else None
    return kernels.forward(form, arrays[0], weight, _row(arrays[2]) if count > 2 else None, eps, centred, statistics)


# ---------------------------------------------------------------------- the functions


def _operands(where: str, x: Any, weight: Any, bias: Any) -> list[Array]:
    """Operands as arrays of one real floating dtype; a shift without a scale gets scales of 1."""
    arrays = [lift(a, where) for a in (x, weight, bias) if a is not None]
    d = arrays[0]._dtype if len(arrays) == 1 else common(tuple([a._dtype for a in arrays]))
    if d not in REAL_FLOATING:
        raise TypeError(
            f"{where} is defined for {' and '.join(map(str, REAL_FLOATING))}; the operands have {', '.join(str(a._dtype) for a in arrays)}"
        )
    arrays = [a if a._dtype is d else astype(a, d) for a in arrays]
    if weight is None and bias is not None:
        arrays.insert(1, _array.xp.ones(arrays[1]._shape, dtype=d, device=arrays[1].device))
    return arrays


def _fit(where: str, arrays: list[Array], shape: tuple[int, ...]) -> None:
    for name, a in zip(("weight", "bias"), arrays[1:]):
        if a._shape != shape:
            raise ValueError(f"{where}: {name} has shape {a._shape}; expected {shape} for x of shape {arrays[0]._shape}")


def _channels(where: str, x: Array) -> int:
    if len(x._shape) < 2:
        raise ValueError(f"{where}: x has shape {x._shape}; expected (batch, channels, ...)")
    return x._shape[1]


def _trailing(where: str, x: Array, shape: Any) -> tuple[int, ...]:
    shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple([int(n) for n in shape])
    if not shape or x._shape[-len(shape) :] != shape:
        raise ValueError(f"{where}: the last axes of x, of shape {x._shape}, are not the normalised shape {shape}")
    return shape


def _apply(arrays: list[Array], form: tuple[str, int], eps: float, centred: bool, statistics: bool = False) -> Any:
    if 0 in arrays[0]._shape:
        found = _forward(_array.xp, arrays, form, eps, centred) if form[1] else (arrays[0], None, None)
        return found if statistics else found[0]
    return normalised(*arrays, form=form, eps=float(eps), centred=centred, statistics=statistics)


def layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    """(x - mean) / sqrt(variance + eps) over the last axes, which have the shape `normalized_shape`, times weight, plus bias.

    x: real floating array (..., *normalized_shape), as the result; weight, bias: of shape `normalized_shape`, or None. ValueError for
    shapes that do not fit. Ba, Kiros, Hinton, "Layer Normalization" (2016).

    >>> import mtarray as xp
    >>> xp.normalization.layer_norm(xp.asarray([[1.0, 3.0], [0.0, 10.0]]), 2, eps=0.0)
    Array([[-1.,  1.],
           [-1.,  1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    if x.__class__ is Array and weight.__class__ is Array and bias.__class__ is Array and normalized_shape.__class__ is tuple:
        # the usual case, which needs no look at each thing apart
        d, shape = x._dtype, weight._shape
        fits = len(shape) == 1 and shape == normalized_shape and shape == bias._shape and x._shape[-1:] == shape and 0 not in x._shape
        if fits and d is weight._dtype and d is bias._dtype and d in REAL_FLOATING:
            y: Array = normalised(x, weight, bias, form=("layer", shape[0]), eps=eps, centred=True, statistics=False)
            return y
    arrays = _operands("layer_norm", x, weight, bias)
    shape = _trailing("layer_norm", arrays[0], normalized_shape)
    _fit("layer_norm", arrays, shape)
    return _apply([arrays[0], *[_flat(a) for a in arrays[1:]]], ("layer", prod(shape)), eps, True)


def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Array:
    """x / sqrt(mean(x**2) + eps) over the last axes, which have the shape `normalized_shape`, times weight.

    x: real floating array (..., *normalized_shape), as the result; weight: of shape `normalized_shape`, or None. eps: by default that of
    the dtype. Zhang, Sennrich, "Root Mean Square Layer Normalization" (2019).

    >>> import mtarray as xp
    >>> xp.normalization.rms_norm(xp.asarray([3.0, 3.0]), 2, eps=0.0)
    Array([1., 1.], shape=(2,), dtype=float64, device='cpu')
    """
    arrays = _operands("rms_norm", x, weight, None)
    shape = _trailing("rms_norm", arrays[0], normalized_shape)
    _fit("rms_norm", arrays, shape)
    eps = float(np.finfo(arrays[0]._dtype).eps) if eps is None else eps
    return _apply([arrays[0], *[_flat(a) for a in arrays[1:]]], ("layer", prod(shape)), eps, False)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    """(x - mean) / sqrt(variance + eps) over groups of channels and all axes after them, times weight, plus bias.

    x: real floating array (batch, channels, ...), as the result, its channels a multiple of `num_groups`; weight, bias: (channels,), or
    None. ValueError for shapes that do not fit. Wu, He, "Group Normalization" (2018).

    >>> import mtarray as xp
    >>> xp.normalization.group_norm(xp.asarray([[1.0, 3.0, 0.0, 10.0]]), 2, eps=0.0)
    Array([[-1.,  1., -1.,  1.]], shape=(1, 4), dtype=float64, device='cpu')
    """
    arrays = _operands("group_norm", x, weight, bias)
    channels = _channels("group_norm", arrays[0])
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"group_norm: {channels} channels do not divide into {num_groups} groups (x has shape {arrays[0]._shape})")
    _fit("group_norm", arrays, (channels,))
    return _apply(arrays, ("group", int(num_groups)), eps, True)


def batch_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(variance + eps) of each channel over the batch and all axes after the channels, times weight, plus bias.

    x: real floating array (batch, channels, ...); weight, bias: (channels,), or None. Returns the result, of the shape of x, and the means
    and (uncorrected) variances of the channels, (channels,). ValueError for shapes that do not fit. Ioffe, Szegedy, "Batch Normalization"
    (2015).

    >>> import mtarray as xp
    >>> y, mean, variance = xp.normalization.batch_norm(xp.asarray([[1.0], [3.0]]), eps=0.0)
    >>> y[:, 0].tolist(), float(mean[0]), float(variance[0])
    ([-1.0, 1.0], 2.0, 1.0)
    """
    arrays = _operands("batch_norm", x, weight, bias)
    _fit("batch_norm", arrays, (_channels("batch_norm", arrays[0]),))
    found: tuple[Array, Array, Array] = _apply(arrays, ("batch", 1), eps, True, True)
    return found


def _flat(x: Array) -> Array:
    return x if len(x._shape) == 1 else _array.xp.reshape(x, (-1,))


__all__ = ["batch_norm", "group_norm", "layer_norm", "rms_norm"]
