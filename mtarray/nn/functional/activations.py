"""Activations: functions of each element, and the softmax.

Those that networks use most are declared with their derivatives as one scalar function each, so that a pass forward or back is one.
Such a derivative is that of the activation at a second operand, times the cotangent `c`.
"""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from ... import Array, asarray, elementwise, exp, special, where
from ... import tanh as _tanh

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_RSQRT2 = _math.sqrt(0.5)
_RSQRT_2PI = 1 / _math.sqrt(2 * _math.pi)
_STEEP = 2 * _math.sqrt(2 / _math.pi)
_CUBIC = 0.044715

# ---------------------------------------------------------------------- rectifiers


@elementwise(numpy=lambda c, s: np.where(s <= 0, 0, c), derivative=(lambda g, s: relu_pull(g, s), 0))
def relu_pull(c, s):
    return 0.0 if s <= 0.0 else c


@elementwise(numpy=lambda x: np.maximum(x, 0), derivative=lambda g, y: relu_pull(g, y))
def relu(x):
    """max(x, 0) of each element; its derivative at 0 is 0.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.relu(xp.asarray([-1.0, 2.0]))
    Array([0., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    return 0.0 if x <= 0.0 else x


@elementwise(
    numpy=lambda x, slope: np.where(x > 0, x, x * slope),
    derivative=(lambda g, x, slope: leaky_pull(g, x, slope), lambda x: where(x > 0, 0.0, x)),
)
def leaky(x, slope):
    return x if x > 0.0 else x * slope


@elementwise(
    numpy=lambda c, s, slope: np.where(s > 0, c, c * slope),
    derivative=(lambda g, s, slope: leaky_pull(g, s, slope), 0, lambda c, s: where(s > 0, 0.0, c)),
)
def leaky_pull(c, s, slope):
    return c if s > 0.0 else c * slope


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Array:
    """x of each element x > 0, negative_slope * x of the others.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.leaky_relu(xp.asarray([-1.0, 2.0]))
    Array([-0.01,  2.  ], shape=(2,), dtype=float64, device='cpu')
    """
    return leaky(input, negative_slope)


def prelu(input: Any, weight: Any) -> Array:
    """`leaky_relu` with slopes that are learnt: one for all, or one for each channel (axis 1). ValueError for another number."""
    weight = asarray(weight)
    if weight.size != 1:
        channels = input.shape[1] if input.ndim > 1 else input.size
        if weight.shape != (channels,):
            raise ValueError(f"prelu: weight has shape {weight.shape}; it must have one element, or one for each of {channels} channels")
        if input.ndim > 1:
            weight = weight.reshape((channels,) + (1,) * (input.ndim - 2))
    return leaky(input, weight)


@elementwise(
    numpy=lambda x, low, high: np.minimum(np.maximum(x, low), high),
    derivative=(lambda x, low, high: where((x > low) & (x < high), 1.0, 0.0), lambda x, low: x < low, lambda x, high: x > high),
)
def bounded(x, low, high):
    return low if x < low else high if x > high else x


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Each element, brought into [min_val, max_val]; at the bounds the derivative is 0.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.hardtanh(xp.asarray([-3.0, 0.5]))
    Array([-1. ,  0.5], shape=(2,), dtype=float64, device='cpu')
    """
    return bounded(input, min_val, max_val)


def relu6(input: Any) -> Array:
    """min(max(x, 0), 6) of each element."""
    return bounded(input, 0.0, 6.0)


@elementwise(
    numpy=lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
    derivative=(lambda x, alpha: where(x > 0, 1.0, alpha * exp(x)), lambda x: where(x > 0, 0.0, exp(x) - 1.0)),
)
def exponential_unit(x, alpha):
    return x if x > 0.0 else alpha * math.expm1(x)


def elu(input: Any, alpha: float = 1.0) -> Array:
    """x of each element x > 0, alpha * (exp(x) - 1) of the others (Clevert et al. 2016).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.elu(xp.asarray([-xp.inf, 2.0]))
    Array([-1.,  2.], shape=(2,), dtype=float64, device='cpu')
    """
    return exponential_unit(input, alpha)


# ---------------------------------------------------------------------- logistic


@elementwise(numpy=lambda c, s: c * (s * (1 - s)), derivative=(lambda g, s: logistic_pull(g, s), lambda g, c, s: g * c * (1 - 2 * s)))
def logistic_pull(c, s):
    return c * (s * (1.0 - s))


@elementwise(numpy=lambda x: 1 / (1 + np.exp(-x)), derivative=lambda g, y: logistic_pull(g, y))
def sigmoid(x):
    """1 / (1 + exp(-x)) of each element.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.sigmoid(xp.asarray([-1000.0, 0.0]))
    Array([0. , 0.5], shape=(2,), dtype=float64, device='cpu')
    """
    return math.expit(x)


def logsigmoid(input: Any) -> Array:
    """log(sigmoid(x)) of each element, also where the sigmoid rounds to 0 or 1."""
    return special.log_expit(input)


def tanh(input: Any) -> Array:
    """The hyperbolic tangent of each element."""
    return _tanh(input)


def _numpy_silu_pull(c: Any, s: Any) -> Any:
    p = 1 / (1 + np.exp(-s))
    return c * (p * (1 + s * (1 - p)))


@elementwise(numpy=_numpy_silu_pull, derivative=(lambda g, s: silu_pull(g, s), lambda g, c, s: g * c * _silu_bend(s)))
def silu_pull(c, s):
    p = math.expit(s)
    return c * (p * (1.0 + s * (1.0 - p)))


def _silu_bend(x: Any) -> Any:
    """The second derivative of silu."""
    p = sigmoid(x)
    d = p * (1 - p)
    return d * (2 + x * (1 - 2 * p))


@elementwise(numpy=lambda x: x / (1 + np.exp(-x)), derivative=lambda g, x: silu_pull(g, x))
def silu(x):
    """x * sigmoid(x) of each element (Elfwing et al. 2018), also known as swish.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.silu(xp.asarray([0.0, 1.0]))
    Array([0.        , 0.73105858], shape=(2,), dtype=float64, device='cpu')
    """
    return x * math.expit(x)


@elementwise(
    numpy=lambda x, beta, threshold: np.where(x * beta > threshold, x, np.log1p(np.exp(x * beta)) / beta),
    derivative=(
        lambda x, beta, threshold: where(x * beta > threshold, 1.0, sigmoid(x * beta)),
        lambda x, y, beta, threshold: where(x * beta > threshold, 0.0, (x * sigmoid(x * beta) - y) / beta),
        0,
    ),
)
def smooth_rectifier(x, beta, threshold):
    z = x * beta
    return x if z > threshold else math.log1p(math.exp(z)) / beta


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """log(1 + exp(beta x)) / beta of each element; x where beta x is above the threshold, which it equals there to working precision.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.softplus(xp.asarray([0.0, 1000.0]))
    Array([6.93147181e-01, 1.00000000e+03], shape=(2,), dtype=float64, device='cpu')
    """
    return smooth_rectifier(input, beta, threshold)


# ---------------------------------------------------------------------- Gaussian error linear units


@elementwise(
    derivative=(lambda g, s: gelu_pull(g, s), lambda g, c, s: g * c * (2 - s * s) * (_RSQRT_2PI * exp(s * s * -0.5))),
)
def gelu_pull(c, s):
    return c * (0.5 * math.erfc(-s * _RSQRT2) + s * (_RSQRT_2PI * math.exp(-0.5 * s * s)))


@elementwise(derivative=lambda g, x: gelu_pull(g, x))
def gelu_exact(x):
    return 0.5 * x * math.erfc(-x * _RSQRT2)


def _steepness(x: Any) -> Any:
    """2 sqrt(2 / pi) (x + 0.044715 x^3) of arrays, and its first and second derivative."""
    return _STEEP * (x + _CUBIC * x * x * x), _STEEP * (1 + 3 * _CUBIC * x * x), _STEEP * (6 * _CUBIC) * x


def _tanh_bend(x: Any) -> Any:
    """The second derivative of the approximation by tanh."""
    v, dv, ddv = _steepness(x)
    p = sigmoid(v)
    d = p * (1 - p)
    return 2 * d * dv + x * (d * (1 - 2 * p) * dv * dv + d * ddv)


@elementwise(derivative=(lambda g, s: gelu_tanh_pull(g, s), lambda g, c, s: g * c * _tanh_bend(s)))
def gelu_tanh_pull(c, s):
    p = math.expit(_STEEP * (s + _CUBIC * s * s * s))
    return c * (p + s * p * (1.0 - p) * (_STEEP * (1.0 + 3.0 * _CUBIC * s * s)))


@elementwise(derivative=lambda g, x: gelu_tanh_pull(g, x))
def gelu_tanh(x):
    return x * math.expit(_STEEP * (x + _CUBIC * x * x * x))


def gelu(input: Any, approximate: str = "none") -> Array:
    """x times the probability that a standard normal number is below x (Hendrycks and Gimpel 2016), of each element.

    approximate: "none", or "tanh" for 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). ValueError for others.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.gelu(xp.asarray([-1.0, 0.0, 1.0]))
    Array([-0.15865525,  0.        ,  0.84134475], shape=(3,), dtype=float64, device='cpu')
    """
    if approximate == "none":
        return gelu_exact(input)
    if approximate == "tanh":
        return gelu_tanh(input)
    raise ValueError(f"gelu: approximate={approximate!r} must be 'none' or 'tanh'")


# ---------------------------------------------------------------------- softmax


def softmax(input: Any, dim: int = -1, dtype: Any = None) -> Array:
    """exp(x) / sum(exp(x)) along the axis `dim`: positive numbers that sum to 1. dtype: to compute in, by default that of the array.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.softmax(xp.asarray([[0.0, 0.0], [1000.0, 0.0]]))
    Array([[0.5, 0.5],
           [1. , 0. ]], shape=(2, 2), dtype=float64, device='cpu')
    """
    return special.softmax(input if dtype is None else asarray(input).astype(dtype), axis=dim)


def log_softmax(input: Any, dim: int = -1, dtype: Any = None) -> Array:
    """log(softmax(x)) along the axis `dim`, also where the softmax rounds to 0. dtype: to compute in, by default that of the array.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.log_softmax(xp.asarray([1000.0, 0.0]))
    Array([    0., -1000.], shape=(2,), dtype=float64, device='cpu')
    """
    return special.log_softmax(input if dtype is None else asarray(input).astype(dtype), axis=dim)
