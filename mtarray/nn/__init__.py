"""Neural networks: modules, layers, losses, initial values. Names, arguments, defaults and state are PyTorch's.

>>> import mtarray as xp
>>> from mtarray import nn
>>> model = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 1), nn.Sigmoid())
>>> loss = nn.BCELoss()(model(xp.ones((4, 2))), xp.zeros((4, 1)))
>>> loss.backward()
>>> model[0].weight.grad.shape
(100, 2)
"""

from . import functional, init
from ._random import default_generator, manual_seed
from .activations import (
    ELU,
    GELU,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .linear import Linear
from .losses import BCELoss, CrossEntropyLoss, MSELoss
from .module import Module
from .parameter import Parameter

__all__ = [
    "BCELoss", "CrossEntropyLoss", "ELU", "GELU", "Hardtanh", "LeakyReLU", "Linear", "LogSigmoid", "LogSoftmax", "MSELoss", "Module",
    "ModuleDict", "ModuleList", "PReLU", "Parameter", "ParameterDict", "ParameterList", "ReLU", "ReLU6", "Sequential", "SiLU", "Sigmoid",
    "Softmax", "Softplus", "Tanh", "default_generator", "functional", "init", "manual_seed",
]  # fmt: skip
