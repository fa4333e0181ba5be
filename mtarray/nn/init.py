"""Initial values: each function writes into an array in place, unrecorded, and returns it. Names and formulas are PyTorch's.

generator: a `mtarray.random.Generator`; by default that of all layers, which `nn.manual_seed` starts anew.
"""

from __future__ import annotations

import math
from typing import Any

import mtarray as xp

from .. import Array, autodiff
from ..random import Generator
from ._random import default_generator


def _write(x: Array, values: Any) -> Array:
    with autodiff.no_grad():
        x[...] = values
    return x


def _float(x: Array) -> Any:
    """The dtype to draw in: that of the array where it is one of numbers that can be drawn."""
    return x.dtype if x.dtype == xp.float32 else xp.float64


def _generator(generator: Generator | None, x: Array) -> Generator:
    """The generator to draw from, on the array's device."""
    return (generator or default_generator()).to_device(x.device)


def uniform_(x: Array, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Array:
    """Uniform numbers in [a, b).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> x = nn.init.uniform_(xp.empty((3, 5)), -0.1, 0.1)
    >>> bool(xp.all(xp.abs(x) <= 0.1))
    True
    """
    return _write(x, _generator(generator, x).uniform(a, b, x.shape, dtype=_float(x)))


def normal_(x: Array, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Array:
    """Normal numbers of a mean and a standard deviation."""
    return _write(x, _generator(generator, x).normal(mean, std, x.shape, dtype=_float(x)))


def trunc_normal_(
    x: Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Array:
    """Normal numbers, those outside [a, b] left out: by inversion of the distribution function."""
    low, high = (xp.special.ndtr(xp.asarray((end - mean) / std)) for end in (a, b))
    u = _generator(generator, x).uniform(float(low), float(high), x.shape)
    return _write(x, xp.clip(xp.special.ndtri(xp.asarray(u)) * std + mean, a, b))


def constant_(x: Array, val: complex) -> Array:
    """One number everywhere."""
    return _write(x, val)


def ones_(x: Array) -> Array:
    """1 everywhere."""
    return _write(x, 1)


def zeros_(x: Array) -> Array:
    """0 everywhere."""
    return _write(x, 0)


def eye_(x: Array) -> Array:
    """The identity as far as it fits a matrix of any shape. ValueError for other than 2 dimensions."""
    if x.ndim != 2:
        raise ValueError(f"eye_: needs 2 dimensions, the array has shape {x.shape}")
    return _write(x, xp.eye(*x.shape, dtype=x.dtype, device=x.device))


def dirac_(x: Array, groups: int = 1) -> Array:
    """Weights of a convolution (out, in, *kernel) that passes its channels through unchanged, as many as there are on both sides."""
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"dirac_: needs the weight of a convolution, of 3 to 5 dimensions; the array has shape {x.shape}")
    if groups < 1 or x.shape[0] % groups:
        raise ValueError(f"dirac_: {x.shape[0]} output channels do not divide into groups={groups}")
    out = xp.zeros(x.shape, dtype=x.dtype, device=x.device)
    each = x.shape[0] // groups
    centre = tuple([n // 2 for n in x.shape[2:]])
    for g in range(groups):
        for i in range(min(each, x.shape[1])):
            out[(g * each + i, i, *centre)] = 1
    return _write(x, out)


def orthogonal_(x: Array, gain: float = 1.0, generator: Generator | None = None) -> Array:
    """A matrix (first axis by all others) with orthonormal rows or columns, uniformly distributed (Saxe et al. 2014), times `gain`."""
    if x.ndim < 2:
        raise ValueError(f"orthogonal_: needs at least 2 dimensions, the array has shape {x.shape}")
    if x.size == 0:
        return x
    rows, columns = x.shape[0], x.size // x.shape[0]
    z = _generator(generator, x).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = xp.linalg.qr(z)
    q = q * xp.sign(xp.linalg.diagonal(r))  # without it the distribution is not uniform
    return _write(x, xp.reshape(gain * (q if rows >= columns else q.T), x.shape))


def xavier_uniform_(x: Array, gain: float = 1.0, generator: Generator | None = None) -> Array:
    """Uniform numbers within gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6.0 / sum(fans(x)))
    return uniform_(x, -bound, bound, generator)


def xavier_normal_(x: Array, gain: float = 1.0, generator: Generator | None = None) -> Array:
    """Normal numbers of the standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(x, 0.0, gain * math.sqrt(2.0 / sum(fans(x))), generator)


def kaiming_uniform_(
    x: Array, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Array:
    """Uniform numbers within gain * sqrt(3 / fan) (He et al. 2015). mode: "fan_in" or "fan_out"; a: slope of a leaky ReLU."""
    if x.size == 0:
        return x
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(x, mode))
    return uniform_(x, -bound, bound, generator)


def kaiming_normal_(
    x: Array, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Array:
    """Normal numbers of the standard deviation gain / sqrt(fan) (He et al. 2015). mode, a: as in `kaiming_uniform_`."""
    if x.size == 0:
        return x
    return normal_(x, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(x, mode)), generator)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which an activation's input should be larger to keep the variance. param: slope of a leaky ReLU, 0.01 by default.

    >>> from mtarray import nn
    >>> nn.init.calculate_gain("relu") ** 2
    2.0000000000000004
    """
    gains = {"sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}
    gains.update(dict.fromkeys("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d".split(), 1.0))
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise ValueError(f"nonlinearity={nonlinearity!r} is unknown; known are {', '.join(sorted([*gains, 'leaky_relu']))}")
    return gains[nonlinearity]


def fans(x: Array) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel). ValueError for fewer than 2 dimensions."""
    if x.ndim < 2:
        raise ValueError(f"fan in and fan out need a weight of at least 2 dimensions, the array has shape {x.shape}")
    field = math.prod(x.shape[2:])
    return x.shape[1] * field, x.shape[0] * field


def _fan(x: Array, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode={mode!r} must be 'fan_in' or 'fan_out'")
    return fans(x)[mode == "fan_out"]


def default_(weight: Array, bias: Array | None, generator: Generator | None = None) -> None:
    """What linear layers and convolutions begin with: both uniform within 1 / sqrt(fan_in)."""
    kaiming_uniform_(weight, math.sqrt(5.0), generator=generator)
    if bias is not None and weight.size:
        bound = 1.0 / math.sqrt(fans(weight)[0])
        uniform_(bias, -bound, bound, generator)


__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip
