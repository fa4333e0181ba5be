"""Losses as modules: thin over `mtarray.nn.functional`."""

from __future__ import annotations

from typing import Any

from .. import Array
from . import functional as F
from .module import Module


class _Loss(Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"{type(self).__name__}: reduction={reduction!r} must be 'mean', 'sum' or 'none'")
        self.reduction = reduction


class MSELoss(_Loss):
    """(input - target)^2: the mean over all elements, their sum, or each."""

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.mse_loss(input, target, self.reduction)


class BCELoss(_Loss):
    """-(target log(input) + (1 - target) log(1 - input)) of probabilities."""

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.binary_cross_entropy(input, target, None, self.reduction)


class CrossEntropyLoss(_Loss):
    """-log softmax(input)[target]."""

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.cross_entropy(input, target, reduction=self.reduction)
