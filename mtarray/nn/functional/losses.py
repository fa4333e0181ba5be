"""Losses: how far predictions are from their targets. reduction: the "mean" of the elements' losses, their "sum", or "none": each."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from ... import (
    Array,
    arange,
    asarray,
    clip,
    elementwise,
    exp,
    linalg,
    log,
    log1p,
    maximum,
    moveaxis,
    special,
    take,
    take_along_axis,
    where,
)
from ... import abs as _abs
from ... import max as _max
from ... import mean as _mean
from ... import min as _min
from ... import sum as _sum
from ..._neural import class_losses
from .activations import log_softmax, logsigmoid, relu, sigmoid

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


def reduced(losses: Array, reduction: str, where: str) -> Array:
    """The mean, the sum or all of the elements' losses."""
    if reduction == "mean":
        return _mean(losses)
    if reduction == "sum":
        return _sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"{where}: reduction={reduction!r} must be 'mean', 'sum' or 'none'")


def _alike(input: Any, target: Any, where: str) -> None:
    """ValueError unless both have one shape: that (n, 1) and (n,) broadcast to (n, n) is meant by nobody. Numbers fit all."""
    shape = getattr(target, "shape", ())
    if shape != input.shape and shape:
        raise ValueError(f"{where}: the input has shape {input.shape}, the target {shape}; they must have one shape")


# ---------------------------------------------------------------------- differences


@elementwise(
    numpy=lambda c, s, t: 2 * c * (s - t),
    derivative=(lambda g, s, t: twice(g, s, t), lambda g, c: 2 * g * c, lambda g, c: -2 * g * c),
)
def twice(c, s, t):
    return 2.0 * c * (s - t)


@elementwise(
    numpy=lambda x1, x2: np.square(x1 - x2),
    derivative=(lambda g, x1, x2: twice(g, x1, x2), lambda g, x1, x2: twice(g, x2, x1)),
)
def squared_difference(x1, x2):
    return (x1 - x2) * (x1 - x2)


def mse_loss(input: Array, target: Any, reduction: str = "mean") -> Array:
    """(input - target)^2. ValueError if the shapes differ.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> float(nn.functional.mse_loss(xp.asarray([1.0, 2.0]), xp.asarray([1.0, 4.0])))
    2.0
    """
    _alike(input, target, "mse_loss")
    return reduced(squared_difference(input, target), reduction, "mse_loss")


def l1_loss(input: Array, target: Any, reduction: str = "mean") -> Array:
    """|input - target|. ValueError if the shapes differ."""
    _alike(input, target, "l1_loss")
    return reduced(_abs(input - target), reduction, "l1_loss")


@elementwise(
    derivative=(lambda x, delta: clip(x, -delta, delta), lambda x, delta: where(_abs(x) <= delta, 0.0, _abs(x) - delta)),
)
def huber(x, delta):
    a = abs(x)
    return 0.5 * x * x if a <= delta else delta * (a - 0.5 * delta)


def huber_loss(input: Array, target: Any, reduction: str = "mean", delta: float = 1.0) -> Array:
    """d^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond, of d = input - target (Huber 1964). ValueError if the shapes differ.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> float(nn.functional.huber_loss(xp.asarray([1.0, 3.0]), xp.asarray([0.0, 0.0]), reduction="sum"))
    3.0
    """
    if delta <= 0:
        raise ValueError(f"huber_loss: delta={delta} must be positive")
    _alike(input, target, "huber_loss")
    return reduced(huber(input - target, delta), reduction, "huber_loss")


def smooth_l1_loss(input: Array, target: Any, reduction: str = "mean", beta: float = 1.0) -> Array:
    """d^2 / (2 beta) for |d| < beta, |d| - beta / 2 beyond, of d = input - target. ValueError if the shapes differ."""
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta={beta} must not be negative")
    _alike(input, target, "smooth_l1_loss")
    d = input - target
    return reduced(_abs(d) if beta == 0 else huber(d, beta) / beta, reduction, "smooth_l1_loss")


# ---------------------------------------------------------------------- probabilities of two classes


@elementwise(
    numpy=lambda c, p, t: c * (p - t) / np.maximum(p * (1 - p), 1e-12),
    derivative=(
        lambda g, p, t: entropy_slope(g, p, t),
        lambda g, c, p, t: g * c * where(p * (1 - p) > 1e-12, t / (p * p) + (1 - t) / ((1 - p) * (1 - p)), 1e12),
        lambda g, c, p: -g * c / maximum(p * (1 - p), 1e-12),
    ),
)
def entropy_slope(c, p, t):
    """c times the derivative of `entropy` by p, as of p where logarithms are above -28."""
    return c * (p - t) / max(p * (1.0 - p), 1e-12)


@elementwise(
    numpy=lambda p, t: (t - 1) * np.maximum(np.log1p(-p), -100) - t * np.maximum(np.log(p), -100),
    derivative=(lambda g, p, t: entropy_slope(g, p, t), lambda g, p: g * (maximum(log1p(-p), -100.0) - maximum(log(p), -100.0))),
)
def entropy(p, t):
    a = math.log1p(-p)
    b = math.log(p)
    a = -100.0 if a < -100.0 else a
    b = -100.0 if b < -100.0 else b
    return (t - 1.0) * a - t * b


def binary_cross_entropy(input: Array, target: Any, weight: Any = None, reduction: str = "mean") -> Array:
    """-(target log(input) + (1 - target) log(1 - input)) of probabilities; logarithms are at least -100. weight: of each element.

    Better, where there are logits: `binary_cross_entropy_with_logits`. ValueError if the shapes differ; NaN outside [0, 1].

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> float(nn.functional.binary_cross_entropy(xp.asarray([0.0, 1.0]), xp.asarray([0.0, 0.0])))
    50.0
    """
    _alike(input, target, "binary_cross_entropy")
    losses = entropy(input, target)
    return reduced(losses if weight is None else losses * weight, reduction, "binary_cross_entropy")


@elementwise(
    numpy=lambda c, x, t: c * (1 / (1 + np.exp(-x)) - t),
    derivative=(lambda g, x, t: logit_slope(g, x, t), lambda g, c, x: g * c * _bell(x), lambda g, c: -g * c),
)
def logit_slope(c, x, t):
    return c * (math.expit(x) - t)


def _bell(x: Any) -> Any:
    p = sigmoid(x)
    return p * (1 - p)


@elementwise(
    numpy=lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
    derivative=(lambda g, x, t: logit_slope(g, x, t), lambda g, x: -g * x),
)
def logit_entropy(x, t):
    return (x if x > 0.0 else 0.0) - x * t + math.log1p(math.exp(-abs(x)))


def binary_cross_entropy_with_logits(
    input: Array, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Array:
    """`binary_cross_entropy` of sigmoid(input), without overflow. weight: of each element; pos_weight: of positive targets, by class.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> float(nn.functional.binary_cross_entropy_with_logits(xp.asarray([-1000.0, 1000.0]), xp.asarray([0.0, 0.0])))
    500.0
    """
    _alike(input, target, "binary_cross_entropy_with_logits")
    if pos_weight is None:
        losses = logit_entropy(input, target)
    else:
        losses = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    return reduced(losses if weight is None else losses * weight, reduction, "binary_cross_entropy_with_logits")


# ---------------------------------------------------------------------- classes


class _Classes:
    """Predictions of classes as rows, and their targets: (n, classes, ...) and (n, ...) -> (m, classes) and (m,).

    target: the class of each row, and -1 where it is ignored; weights: of each row, or None where all are 1 and none is ignored.
    """

    def __init__(self, input: Array, target: Any, weight: Any, ignore: int, where_: str) -> None:
        self.axis = 0 if input.ndim == 1 else 1
        if not input.ndim:
            raise ValueError(f"{where_}: the input needs an axis of classes: (classes,), (n, classes) or (n, classes, ...)")
        classes = input.shape[self.axis]
        self.shape = input.shape[: self.axis] + input.shape[self.axis + 1 :]
        if target.shape != self.shape:
            raise ValueError(
                f"{where_}: a target of shape {target.shape} does not fit an input of shape {input.shape}: "
                f"classes need {self.shape}, probabilities {input.shape}"
            )
        if target.dtype.kind not in "iu":
            raise TypeError(f"{where_}: the target has dtype {target.dtype}; classes are integers (probabilities have the input's shape)")
        if weight is not None and weight.shape != (classes,):
            raise ValueError(f"{where_}: weight has shape {weight.shape}; there are {classes} classes")
        rows = moveaxis(input, self.axis, -1) if input.ndim > 2 else input
        self.rows = rows if rows.ndim == 2 else rows.reshape((target.size, classes))
        t = target.reshape((target.size,))
        ignored = t == ignore
        self.weights: Array | None = None
        low, high = (int(_min(t)), int(_max(t))) if t.size and t.device == "cpu" else (0, -1)
        if t.device != "cpu":
            # To ask for the classes would be to wait for the device. A loss of NaN tells of what is none.
            none = (t < 0) | (t >= classes)
            self.weights = where(ignored, 0.0, where(none, math.nan, 1.0)).astype(input.dtype)
            t = where(ignored | none, -1, t.astype("int64"))
        elif low < 0 or high >= classes or 0 <= ignore < classes:
            t = where(ignored, -1, t.astype("int64"))  # of unsigned integers too
            if t.size and (int(_min(t)) < -1 or int(_max(t)) >= classes or bool(((t < 0) & ~ignored).any())):
                wrong = low if low < 0 and low != ignore else high
                raise IndexError(f"{where_}: target {wrong} is no class of 0 ... {classes - 1}, nor ignore_index={ignore}")
            self.weights = where(ignored, 0.0, 1.0).astype(input.dtype)
        self.target = t
        self.chosen = t if self.weights is None else maximum(t, 0)
        if weight is not None:
            weights = take(weight, self.chosen, axis=0) if t.device == "cpu" else self.picked(weight[None, :])
            self.weights = weights if self.weights is None else weights * self.weights

    def picked(self, rows: Array) -> Array:
        """Of each row the element of the target's class."""
        if self.chosen.device != "cpu":  # an index is looked at on the host, before it is used
            mine = self.chosen[:, None] == arange(rows.shape[1], device=rows.device)
            return _sum(where(mine, rows, 0.0), axis=1)
        return take_along_axis(rows, self.chosen[:, None], axis=1)[:, 0]

    def reduce(self, losses: Array, reduction: str, where_: str) -> Array:
        """Of losses that are weighted already: the mean is by the weights, as PyTorch has it."""
        if reduction == "mean" and self.weights is not None:
            return _sum(losses) / _sum(self.weights)
        return reduced(losses.reshape(self.shape) if reduction == "none" else losses, reduction, where_)


def nll_loss(input: Array, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Array:
    """-input[target] of logarithms of probabilities: (classes,), (n, classes) or (n, classes, ...), and integers of () or (n, ...).

    weight: of each class; ignore_index: a target that does not count. "mean" is weighted. IndexError for targets that are no class
    (on another device than the CPU: NaN).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> float(nn.functional.nll_loss(xp.asarray([[-1.0, -2.0], [-3.0, -4.0]]), xp.asarray([0, 1])))
    2.5
    """
    c = _Classes(input, asarray(target), weight, ignore_index, "nll_loss")
    losses = -c.picked(c.rows)
    return c.reduce(losses if c.weights is None else where(c.weights == 0, 0.0, losses * c.weights), reduction, "nll_loss")


def cross_entropy(
    input: Array, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Array:
    """-log(softmax(input))[target] of scores of classes: (classes,), (n, classes) or (n, classes, ...).

    target: integers of () or (n, ...), or probabilities of the input's shape. weight: of each class; ignore_index: an integer target that
    does not count; label_smoothing: the part of the target that is spread over all classes. "mean" of integer targets is weighted.
    IndexError for a target that is no class; on another device than the CPU, which nobody waits for, a loss of NaN.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> round(float(nn.functional.cross_entropy(xp.asarray([[0.0, 0.0], [1000.0, 0.0]]), xp.asarray([0, 0]))), 6)
    0.346574
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing={label_smoothing} must be in [0, 1]")
    target = asarray(target)
    if target.dtype.kind == "f" and target.shape == input.shape:
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    c = _Classes(input, target, weight, ignore_index, "cross_entropy")
    if not label_smoothing:
        losses = class_losses(c.rows, c.target)
        return c.reduce(losses if c.weights is None else losses * c.weights, reduction, "cross_entropy")
    logs = log_softmax(c.rows, 1)
    hard = -c.picked(logs)
    spread = -(_sum(logs, axis=1) if weight is None else logs @ weight)
    if c.weights is not None:
        hard = hard * c.weights
        spread = spread * (c.target >= 0)
    losses = (1 - label_smoothing) * hard + label_smoothing / c.rows.shape[1] * spread
    return c.reduce(losses, reduction, "cross_entropy")


def _soft_cross_entropy(input: Array, target: Array, weight: Any, reduction: str, smoothing: float) -> Array:
    axis = 0 if input.ndim == 1 else 1
    classes = input.shape[axis]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    if weight is not None:
        target = target * weight.reshape((classes,) + (1,) * (input.ndim - axis - 1))
    losses = -_sum(log_softmax(input, axis) * target, axis=axis)
    return reduced(losses, reduction, "cross_entropy")


def kl_div(input: Array, target: Array, reduction: str = "mean", log_target: bool = False) -> Array:
    """target (log(target) - input), where the input is a logarithm; log_target: the target is one too.

    reduction: "batchmean" as well, the sum divided by the length of the first axis, which is the divergence of Kullback and Leibler (1951).
    """
    _alike(input, target, "kl_div")
    losses = exp(target) * (target - input) if log_target else special.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return _sum(losses) / (input.shape[0] if input.ndim else 1)
    return reduced(losses, reduction, "kl_div")


# ---------------------------------------------------------------------- directions


def cosine_similarity(x1: Array, x2: Array, dim: int = 1, eps: float = 1e-8) -> Array:
    """The cosine of the angle of vectors along the axis `dim`; norms count as at least eps. The other axes broadcast.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.cosine_similarity(xp.asarray([[1.0, 0.0]]), xp.asarray([[2.0, 0.0]]))
    Array([1.], shape=(1,), dtype=float64, device='cpu')
    """
    norms = [maximum(linalg.vector_norm(x, axis=dim), eps) for x in (x1, x2)]
    return _sum(x1 * x2, axis=dim) / (norms[0] * norms[1])


def cosine_embedding_loss(input1: Array, input2: Array, target: Array, margin: float = 0.0, reduction: str = "mean") -> Array:
    """1 - cos of pairs of vectors whose target is 1, max(0, cos - margin) of those whose target is -1: (n, d), (n, d), (n,)."""
    if input1.shape != input2.shape or target.shape != input1.shape[:-1]:
        raise ValueError(
            f"cosine_embedding_loss: inputs of shapes {input1.shape} and {input2.shape} need one shape (n, d) and a target (n,), "
            f"not {target.shape}"
        )
    cos = cosine_similarity(input1, input2, -1)
    losses = where(target == 1, 1 - cos, where(target == -1, relu(cos - margin), 0.0))
    return reduced(losses, reduction, "cosine_embedding_loss")
