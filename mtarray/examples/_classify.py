"""What the trainers of classifiers share: an epoch of cross-entropy, the test, and the picture of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import Array, data, nn

from ._trainer import Measures, Run, Task


def epoch(model: nn.Module, optimizer: nn.optim.Optimizer, batches: Any, step: Callable[[], None] = lambda: None) -> tuple[float, float]:
    """Go once through batches (inputs, classes): the mean loss, and the fraction that was right while it was learnt."""
    model.train()
    total, correct, count = 0.0, 0, 0
    for x, y in batches:
        optimizer.zero_grad()
        out = model(x)
        loss = nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        total += float(loss) * len(y)
        correct += int(xp.count_nonzero(xp.argmax(out.detach(), axis=1) == y))
        count += len(y)
        step()
    return total / count, correct / count


def predict(model: nn.Module, x: Array, batch_size: int = 512) -> Array:
    """The class of each input, in evaluation mode and without a record."""
    model.eval()
    with xp.autodiff.no_grad():
        parts = [xp.argmax(model(x[i : i + batch_size]), axis=1) for i in range(0, len(x), batch_size)]
    return xp.concat(parts)


def task(run: Run, model: nn.Module, optimizer: nn.optim.Optimizer, train: Any, test: Any, schedule: Any = None) -> Task:
    """Training on (inputs, classes), tested on others after every epoch."""
    loader = data.DataLoader(train, run.batch_size, shuffle=True, seed=run.seed)
    x, y = test

    def once(step: Callable[[], None]) -> Measures:
        loss, accuracy = epoch(model, optimizer, loader, step)
        right = int(xp.count_nonzero(predict(model, x) == y))
        return {"loss": loss, "accuracy": accuracy, "test accuracy": right / len(y)}

    return Task(model, optimizer, once, len(loader), schedule, loader)


# ---------------------------------------------------------------------------------------------------------------- the picture


def draw(figure: Any, run: Run, images: Array, truth: Array, predicted: Array, names: list[str]) -> None:
    """The curves, test images with what was seen in them (those that were got wrong first, framed), and the confusion matrix."""
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1, 1.25, 1.1))
    images, truth, predicted = (a.to_device("cpu") for a in (images, truth, predicted))
    draw_curves(left, run)
    draw_images(middle, np.asarray(images), np.asarray(truth), np.asarray(predicted), names)
    draw_confusion(right, np.asarray(truth), np.asarray(predicted), names)


def draw_curves(figure: Any, run: Run) -> None:
    """Loss above, accuracies below."""
    above, below = figure.subplots(2, 1, sharex=True)
    epochs = range(1, len(run.history) + 1)
    above.plot(epochs, run.column("loss"), color="tab:purple")
    above.set(title="loss", ylim=(0, None))
    below.plot(epochs, [100 * a for a in run.column("accuracy")], color="tab:gray", label="while learnt")
    below.plot(epochs, [100 * a for a in run.column("test accuracy")], color="tab:green", label="test")
    worst = min(run.column("accuracy")[len(run.history) // 4 :] + run.column("test accuracy")[len(run.history) // 4 :])
    below.set(
        title=f"accuracy, %: {100 * run.column('test accuracy')[-1]:.2f} in the test",
        xlabel="epoch",
        ylim=(max(0.0, 100 * worst - 2), 100.3),
    )
    below.legend(loc="lower right", fontsize="small")


def draw_images(figure: Any, images: Any, truth: Any, predicted: Any, names: list[str], rows: int = 5, columns: int = 6) -> None:
    """A grid of test images, each under its prediction; the wrong ones come first, in red, with the truth beside."""
    wrong = np.flatnonzero(predicted != truth)
    right = np.flatnonzero(predicted == truth)
    chosen = [*wrong[: rows * columns // 2], *right][: rows * columns]
    figure.suptitle(f"{len(wrong)} of {len(truth)} test images seen wrongly (red: seen as, and what it is)", fontsize="medium")
    for axes, i in zip(figure.subplots(rows, columns).flat, [*chosen, *[None] * (rows * columns - len(chosen))]):
        if i is None:
            axes.set_axis_off()
            continue
        bad = predicted[i] != truth[i]
        axes.imshow(images[i, 0], cmap="gray_r", interpolation="nearest")
        seen = names[predicted[i]]
        axes.set_title(f"{seen}, is {names[truth[i]]}" if bad else seen, fontsize="small", color="tab:red" if bad else "black", pad=2)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color="tab:red" if bad else "0.8", linewidth=2 if bad else 0.8)


def draw_confusion(figure: Any, truth: Any, predicted: Any, names: list[str]) -> None:
    """How often each class was seen as each; the diagonal is right."""
    n = len(names)
    counts = np.zeros((n, n), int)
    np.add.at(counts, (truth, predicted), 1)
    axes = figure.subplots()
    # Colour by share of the row's class, on a square root: single errors are to be seen beside the diagonal's dozens.
    axes.imshow(np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)), cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts > 0):
        axes.text(j, i, counts[i, j], ha="center", va="center", fontsize="small", color="white" if i == j else "tab:red")
    axes.set_xticks(range(n), names)
    axes.set_yticks(range(n), names)
    axes.set(title="confusion", xlabel="seen as", ylabel="is")
