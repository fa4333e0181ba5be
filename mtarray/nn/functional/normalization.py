"""Normalisation, with PyTorch's arguments; `mtarray.normalization` computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import Array, asarray, autodiff, elementwise, normalization, reshape, sqrt


@elementwise(derivative=(lambda g, scale: g * scale, lambda g, x: g * x, 1))
def scaled(x, scale, shift):
    return x * scale + shift


def layer_norm(input: Array, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    """(x - mean) / sqrt(variance + eps) over the last axes, which have the shape `normalized_shape`, times weight, plus bias.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.layer_norm(xp.asarray([[1.0, 3.0], [0.0, 10.0]]), (2,), eps=0.0)
    Array([[-1.,  1.],
           [-1.,  1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    return normalization.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(input: Array, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> Array:
    """x / sqrt(mean(x**2) + eps) over the last axes, which have the shape `normalized_shape`, times weight. eps: by default the dtype's.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.rms_norm(xp.asarray([3.0, 3.0]), (2,), eps=0.0)
    Array([1., 1.], shape=(2,), dtype=float64, device='cpu')
    """
    return normalization.rms_norm(input, normalized_shape, weight, eps)


def group_norm(input: Array, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    """(x - mean) / sqrt(variance + eps) over groups of the channels of (batch, channels, ...), times weight, plus bias."""
    return normalization.group_norm(input, num_groups, weight, bias, eps)


def batch_norm(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """(x - mean) / sqrt(variance + eps) for each channel of (batch, channels, ...), times weight, plus bias.

    In training mean and variance are those of the batch, and the running ones are moved towards them, in place, by `momentum` (the variance
    that enters is the unbiased one); otherwise they are the running ones. ValueError for shapes that do not fit, or a batch of one value
    per channel in training.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> mean, variance = xp.zeros(1), xp.ones(1)
    >>> nn.functional.batch_norm(xp.asarray([[1.0], [3.0]]), mean, variance, training=True, eps=0.0)[:, 0]
    Array([-1.,  1.], shape=(2,), dtype=float64, device='cpu')
    >>> float(mean[0]), float(variance[0])
    (0.2, 1.1)
    """
    input = asarray(input)
    if training:
        count = input.size // (input.shape[1] or 1) if input.ndim > 1 else input.size
        if count == 1:
            raise ValueError(f"batch_norm: in training more than one value per channel is needed; x has shape {input.shape}")
        y, mean, variance = normalization.batch_norm(input, weight, bias, eps)
        if count:
            with autodiff.no_grad():
                for running, found, factor in ((running_mean, mean, 1.0), (running_var, variance, count / (count - 1))):
                    if running is not None:
                        running *= 1.0 - momentum
                        running += found.detach() * (momentum * factor)
        return y
    if running_mean is None or running_var is None:
        raise ValueError("batch_norm: outside of training running_mean and running_var are needed")
    if input.ndim < 2 or running_mean.shape != (input.shape[1],):
        raise ValueError(
            f"batch_norm: x has shape {input.shape}, running_mean {running_mean.shape}; expected (batch, channels, ...), (channels,)"
        )
    scale = 1.0 / sqrt(running_var + eps)
    if weight is not None:
        scale = scale * weight
    shift = -running_mean * scale
    if bias is not None:
        shift = shift + bias
    shape = (1, -1, *[1] * (input.ndim - 2))
    return scaled(input, reshape(scale, shape), reshape(shift, shape))
