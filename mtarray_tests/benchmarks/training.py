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


# --- epochs of the trainers: the call is an epoch, the result the loss of the very first batch ------------------------------------


def points_epoch(library: str, *arrays: np.ndarray) -> Callable[[], Callable[[], Any]]:
    """An epoch of the trainer `points`: batches of ten made of lists, three layers in float64, binary cross-entropy, SGD, counting.

    arrays: weight and bias of each layer, the points, their classes.
    """
    *weights, x, y = arrays
    points, classes, order = x.tolist(), y.tolist(), list(range(len(x)))
    first: list[float] = []
    if library == "PyTorch":
        import torch

        sizes = [w.shape for w in weights[::2]]
        layers: list[Any] = [torch.nn.Linear(i, o, dtype=torch.float64) for o, i in sizes]
        model: Any = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2], torch.nn.Sigmoid())
        model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in zip(model.state_dict(), weights)})
        optimizer: Any = torch.optim.SGD(model.parameters(), lr=0.05)

        def epoch(order: list[int]) -> tuple[float, int]:
            total, correct = 0.0, 0
            with torch.enable_grad():
                for start in range(0, len(order), 10):
                    chosen = order[start : start + 10]
                    xs = torch.tensor([points[i] for i in chosen], dtype=torch.float64)
                    ys = torch.tensor([classes[i] for i in chosen], dtype=torch.float64)
                    optimizer.zero_grad()
                    out = model(xs)
                    loss = torch.nn.functional.binary_cross_entropy(out, ys)
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(chosen)
                    correct += int(torch.count_nonzero((out.detach() > 0.5) == (ys > 0.5)))
            return total / len(order), correct
    else:
        from mtarray.examples import points as trainer

        model = trainer.network(weights[0].shape[0])
        model.load_state_dict(dict(zip(model.state_dict(), weights)))
        optimizer = trainer.optimizer(model, "sgd", 0.05)

        def epoch(order: list[int]) -> tuple[float, int]:
            return trainer.epoch(model, optimizer, points, classes, 10, order)

    first.append(epoch(order[:10])[0])

    def call() -> Callable[[], Any]:
        epoch(order)
        return lambda: first[0]

    return call


def points_loss(xp: Any, *arrays: np.ndarray) -> Any:
    """The loss of the first ten points."""
    w1, b1, w2, b2, w3, b3, x, y = arrays
    h = np.maximum(x[:10] @ w1.T + b1, 0)
    h = np.maximum(h @ w2.T + b2, 0)
    p = 1 / (1 + np.exp(-(h @ w3.T + b3)))
    return -np.mean(np.where(y[:10] > 0.5, np.log(p), np.log(1 - p)))


def lenet_epoch(library: str, *arrays: np.ndarray) -> Callable[[], Callable[[], Any]]:
    """An epoch of LeNet in batches of 64 with Adam; arrays: weight and bias of each layer, the images, their classes."""
    *weights, x, y = arrays
    batches = [slice(i, i + 64) for i in range(0, len(x), 64)]
    first: list[float] = []
    if library == "PyTorch":
        import torch
        from torch import nn as layers

        F: Any = torch.nn.functional
        model: Any = layers.Sequential(
            *(layers.Conv2d(1, 6, 5, padding=2), layers.ReLU(), layers.MaxPool2d(2)),
            *(layers.Conv2d(6, 16, 5), layers.ReLU(), layers.MaxPool2d(2), layers.Flatten()),
            *(layers.Linear(400, 120), layers.ReLU(), layers.Linear(120, 84), layers.ReLU(), layers.Linear(84, 10)),
        )
        model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in zip(model.state_dict(), weights)})
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=1e-3)
        images: Any = torch.from_numpy(x)
        classes: Any = torch.from_numpy(y)
        recording: Any = torch.enable_grad
    else:
        import contextlib

        import mtarray
        from mtarray import nn
        from mtarray.examples.mnist import lenet

        F = nn.functional
        model = lenet()
        model.load_state_dict(dict(zip(model.state_dict(), weights)))
        optimizer = nn.optim.Adam(model.parameters(), lr=1e-3)
        images, classes = mtarray.asarray(x, copy=True), mtarray.asarray(y, copy=True)
        recording = contextlib.nullcontext

    def epoch() -> None:
        with recording():
            for batch in batches:
                optimizer.zero_grad()
                loss = F.cross_entropy(model(images[batch]), classes[batch])
                loss.backward()
                optimizer.step()
                first.append(float(loss.detach()))
                del first[1:]

    def call() -> Callable[[], Any]:
        epoch()
        return lambda: np.float32(first[0])

    return call


def lenet_loss(xp: Any, *arrays: np.ndarray) -> Any:
    """The loss of the first 64 images, in float32."""
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5, x, y = arrays

    def convolved(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
        h = np.maximum(np.einsum("nchwij,ocij->nohw", windows, w, optimize=True) + b[:, None, None], 0)
        return h.reshape(*h.shape[:2], h.shape[2] // 2, 2, h.shape[3] // 2, 2).max(axis=(3, 5))

    h = convolved(np.pad(x[:64], ((0, 0), (0, 0), (2, 2), (2, 2))), w1, b1)
    h = convolved(h, w2, b2).reshape(64, -1)
    h = np.maximum(h @ w3.T + b3, 0)
    h = np.maximum(h @ w4.T + b4, 0)
    s = h @ w5.T + b5
    s = s - s.max(axis=1, keepdims=True)
    return np.float32(-np.mean((s - np.log(np.exp(s).sum(axis=1, keepdims=True)))[np.arange(64), y[:64]]))
