"""Optimisers and schedules of their rates. Names, arguments, defaults and state are PyTorch's.

>>> import mtarray as xp
>>> from mtarray import nn
>>> model = nn.Linear(2, 1)
>>> optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
>>> loss = xp.mean(model(xp.ones((4, 2))) ** 2)
>>> optimizer.zero_grad()
>>> loss.backward()
>>> optimizer.step()
"""

from . import lr_scheduler
from .adam import Adam, AdamW, Lion
from .descent import SGD, Adagrad, RMSprop
from .optimizer import Optimizer

__all__ = ["Adagrad", "Adam", "AdamW", "Lion", "Optimizer", "RMSprop", "SGD", "lr_scheduler"]
