"""What layers compute, as functions of arrays: names, arguments and defaults are PyTorch's."""

from .activations import (
    elu,
    gelu,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    prelu,
    relu,
    relu6,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from .linear import linear
from .losses import binary_cross_entropy, cross_entropy, mse_loss

__all__ = [
    "binary_cross_entropy", "cross_entropy", "elu", "gelu", "hardtanh", "leaky_relu", "linear", "log_softmax", "logsigmoid", "mse_loss",
    "prelu", "relu", "relu6", "sigmoid", "silu", "softmax", "softplus", "tanh",
]  # fmt: skip
