"""Losses as modules: thin over `mtarray.nn.functional`. reduction: the "mean" of the elements' losses, their "sum", or "none": each."""

from __future__ import annotations

from typing import Any

from .. import Array
from . import functional as F
from .module import Module


class _Loss(Module):
    _reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in self._reductions:
            raise ValueError(f"{type(self).__name__}: reduction={reduction!r} must be one of {', '.join(map(repr, self._reductions))}")
        self.reduction = reduction


class MSELoss(_Loss):
    """(input - target)^2.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> float(nn.MSELoss()(xp.asarray([1.0, 2.0]), xp.asarray([1.0, 4.0])))
    2.0
    """

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """|input - target|."""

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.l1_loss(input, target, self.reduction)


class HuberLoss(_Loss):
    """d^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond, of d = input - target (Huber 1964)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """d^2 / (2 beta) for |d| < beta, |d| - beta / 2 beyond, of d = input - target."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class BCELoss(_Loss):
    """-(target log(input) + (1 - target) log(1 - input)) of probabilities; logarithms are at least -100. weight: of each element."""

    def __init__(self, weight: Array | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`BCELoss` of sigmoid(input), without overflow. weight: of each element; pos_weight: of positive targets, by class."""

    def __init__(self, weight: Array | None = None, reduction: str = "mean", pos_weight: Array | None = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class NLLLoss(_Loss):
    """-input[target] of logarithms of probabilities (n, classes, ...) and integers (n, ...); arguments as for `CrossEntropyLoss`."""

    def __init__(self, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(_Loss):
    """-log(softmax(input))[target] of scores (n, classes, ...), and integers (n, ...) or probabilities of the input's shape.

    weight: of each class; ignore_index: an integer target that does not count; label_smoothing: the part of the target that is spread
    over all classes.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> round(float(nn.CrossEntropyLoss()(xp.zeros((5, 10)), xp.arange(5))), 6)  # log(10)
    2.302585
    """

    def __init__(
        self, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(reduction)
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"CrossEntropyLoss: label_smoothing={label_smoothing} must be in [0, 1]")
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class KLDivLoss(_Loss):
    """target (log(target) - input), where the input is a logarithm; log_target: the target is one too. reduction "batchmean" as well."""

    _reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Array:
        """The loss."""
        return F.kl_div(input, target, self.reduction, self.log_target)


class CosineSimilarity(Module):
    """The cosine of the angle of vectors along the axis `dim`; norms count as at least eps."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Array:
        """The cosines."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, eps={self.eps}"


class CosineEmbeddingLoss(_Loss):
    """1 - cos of pairs of vectors (n, d) whose target is 1, max(0, cos - margin) of those whose target is -1."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Array:
        """The loss."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)
