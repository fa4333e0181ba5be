"""Linear layers."""

from __future__ import annotations

import math
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
        if bias:
            self.bias = empty((out_features,), dtype, device, "Linear")
        else:
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


class Bilinear(Module):
    """Sums of x1[i] weight[o, i, j] x2[j], and bias: (..., in1_features), (..., in2_features) -> (..., out_features).

    weight: (out_features, in1_features, in2_features), bias: (out_features,); both begin uniform within 1 / sqrt(in1_features).
    """

    weight: Array
    bias: Array | None

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = empty((out_features, in1_features, in2_features), dtype, device, "Bilinear")
        if bias:
            self.bias = empty((out_features,), dtype, device, "Bilinear")
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.in1_features) if self.in1_features else 0.0
        for x in self.parameters():
            init.uniform_(x, -bound, bound)

    def forward(self, x1: Any, x2: Any) -> Array:
        """The bilinear map of both."""
        return F.bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
