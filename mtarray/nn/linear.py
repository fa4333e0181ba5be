"""Linear layers."""

from __future__ import annotations

from typing import Any

from .. import Array
from . import functional as F
from . import init
from .module import Module
from .parameter import empty


class Linear(Module):
    """x @ weight.T + bias along the last axis: (..., in_features) -> (..., out_features).

    weight: (out_features, in_features); bias: (out_features,), or None with bias=False. Both begin uniform within 1 / sqrt(in_features).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> layer = nn.Linear(2, 3)
    >>> layer(xp.ones((5, 2), dtype=xp.float32)).shape, layer.weight.shape
    ((5, 3), (3, 2))
    """

    weight: Array
    bias: Array | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = empty((out_features, in_features), dtype, device, "Linear")
        self.bias = empty((out_features,), dtype, device, "Linear") if bias else None
        if not bias:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.default_(self.weight, self.bias)

    def forward(self, x: Any) -> Array:
        """x @ weight.T + bias."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
