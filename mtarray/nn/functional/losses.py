"""Losses: how far a prediction is from its target, as one number for training."""

from __future__ import annotations

from typing import Any

from ... import Array, asarray, maximum, special, take_along_axis
from ... import log as _log
from ... import log1p as _log1p
from ... import mean as _mean
from ... import sum as _sum
from .activations import log_softmax


def reduced(losses: Array, reduction: str, where: str) -> Array:
    """The mean, the sum or all of the elements' losses."""
    if reduction == "mean":
        return _mean(losses)
    if reduction == "sum":
        return _sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"{where}: reduction={reduction!r} must be 'mean', 'sum' or 'none'")


def mse_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    """(input - target)^2."""
    d = input - target
    return reduced(d * d, reduction, "mse_loss")


def binary_cross_entropy(input: Array, target: Array, weight: Any = None, reduction: str = "mean") -> Array:
    """-(target log(input) + (1 - target) log(1 - input)) of probabilities; logarithms are at least -100."""
    losses = (target - 1) * maximum(_log1p(-input), -100.0) - target * maximum(_log(input), -100.0)
    return reduced(losses if weight is None else losses * weight, reduction, "binary_cross_entropy")


def cross_entropy(input: Array, target: Array, reduction: str = "mean") -> Array:
    """-log softmax(input)[target] along axis 1."""
    axis = 0 if input.ndim == 1 else 1
    picked = take_along_axis(log_softmax(input, axis), asarray(target).reshape(target.shape[:1] + (1,) + target.shape[1:]), axis=axis)
    return reduced(-picked, reduction, "cross_entropy")


_ = special
