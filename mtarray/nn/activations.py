"""Activations as modules: thin over `mtarray.nn.functional`."""

from __future__ import annotations

from typing import Any

from .. import Array
from . import functional as F
from . import init
from .module import Module
from .parameter import empty


class ReLU(Module):
    """max(x, 0) of each element.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.ReLU()(xp.asarray([-1.0, 2.0]))
    Array([0., 2.], shape=(2,), dtype=float64, device='cpu')
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.relu(x)


class ReLU6(Module):
    """min(max(x, 0), 6) of each element."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.relu6(x)


class LeakyReLU(Module):
    """x of each element x > 0, negative_slope * x of the others."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """`LeakyReLU` whose slope is learnt: `weight`, one number for all channels or one for each (axis 1) (He et al. 2015)."""

    weight: Array

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = empty((num_parameters,), dtype, device, "PReLU")
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to `init` again."""
        init.constant_(self.weight, self.init)

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """x of each element x > 0, alpha * (exp(x) - 1) of the others (Clevert et al. 2016)."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x times the probability that a standard normal number is below x (Hendrycks and Gimpel 2016). approximate: "none" or "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x) of each element (Elfwing et al. 2018)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.silu(x)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta of each element; x where beta x is above the threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Tanh(Module):
    """The hyperbolic tangent of each element."""

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.tanh(x)


class Hardtanh(Module):
    """Each element, brought into [min_val, max_val]."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: min_val={min_val} must be below max_val={max_val}")
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Sigmoid(Module):
    """1 / (1 + exp(-x)) of each element."""

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.sigmoid(x)


class LogSigmoid(Module):
    """log(1 / (1 + exp(-x))) of each element."""

    def forward(self, x: Any) -> Array:
        """The activation of each element."""
        return F.logsigmoid(x)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along the axis `dim`, by default the last.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Softmax()(xp.zeros((1, 4)))
    Array([[0.25, 0.25, 0.25, 0.25]], shape=(1, 4), dtype=float64, device='cpu')
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Array:
        """The softmax along `dim`."""
        return F.softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """log(softmax(x)) along the axis `dim`, by default the last."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Array:
        """The logarithm of the softmax along `dim`."""
        return F.log_softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
