"""Programs of the family "training": what libraries of networks do beside derivatives, each as its users write it.

A program takes the library's name ("mtarray" or "PyTorch") and the inputs as ndarrays, and gives the call that is measured; what that
returns gives, when it is called, the result that is checked.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Program = Callable[..., Callable[[], Callable[[], Any]]]
LIBRARIES = ("mtarray", "PyTorch")


def adam(library: str, p: np.ndarray, g: np.ndarray) -> Callable[[], Callable[[], Any]]:
    """A step of Adam; the result is the parameter after the first."""
    if library == "PyTorch":
        import torch

        theirs = torch.nn.Parameter(torch.from_numpy(p.copy()))
        theirs.grad = torch.from_numpy(g.copy())
        optimizer: Any = torch.optim.Adam([theirs], lr=0.5)
        read: Callable[[], Any] = lambda: theirs.detach().numpy()  # noqa: E731
    else:
        import mtarray
        from mtarray import nn

        ours = nn.Parameter(p)
        ours.grad = mtarray.asarray(g)
        optimizer = nn.optim.Adam([ours], lr=0.5)
        read = lambda: np.array(ours.detach())  # noqa: E731

    def call() -> Callable[[], Any]:
        optimizer.step()
        return read

    return call


def first_adam_step(xp: Any, p: np.ndarray, g: np.ndarray) -> np.ndarray:
    """What it leads to: without bias the means are g and g²."""
    return p - np.float32(0.5) * g / (np.abs(g) + np.float32(1e-8))


def loader(library: str, x: np.ndarray, labels: np.ndarray) -> Callable[[], Callable[[], Any]]:
    """An epoch of shuffled batches of 64 rows; the result is the sum of an epoch's rows by column."""
    if library == "PyTorch":
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        batches: Any = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(labels)), batch_size=64, shuffle=True)
    else:
        import mtarray
        from mtarray import data

        batches = data.DataLoader((mtarray.asarray(x), mtarray.asarray(labels)), batch_size=64, shuffle=True)

    def read() -> np.ndarray:
        return sum(np.asarray(rows, np.float64).sum(0) for rows, _ in batches)

    def call() -> Callable[[], Any]:
        for _rows, _labels in batches:
            pass
        return read

    return call


def sum_of_rows(xp: Any, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What an epoch's rows sum up to."""
    return x.astype(np.float64).sum(0)
