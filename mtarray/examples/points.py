"""Points of the plane in two classes: the network of the ancestors on the six sets.

    python -m mtarray.examples.points --dataset spiral --plot out/spiral.png

Linear(2, H), ReLU, Linear(H, H), ReLU, Linear(H, 1), sigmoid in float64, learnt from 50 points in batches of ten.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import click

import mtarray as xp
from mtarray import data, nn

from ._trainer import Measures, Run, Task, duration, trainer


class Default(NamedTuple):
    """What a set is trained with unless told otherwise."""

    optimizer: str
    rate: float
    epochs: int


DEFAULTS = {
    "simple": Default("sgd", 0.5, 300),
    "diag": Default("sgd", 0.5, 300),
    "split": Default("adam", 0.01, 200),
    "xor": Default("adam", 0.01, 200),
    "circle": Default("adam", 0.01, 200),
    "spiral": Default("adam", 0.005, 800),
}
PUBLISHED = Default("sgd", 0.05, 500)


def network(hidden: int, device: Any = "cpu", as_published: bool = False) -> nn.Sequential:
    """The network; `as_published` with their first values: weights uniform in (-0.5, 0.5), biases 0.1."""
    sizes = ((2, hidden), (hidden, hidden), (hidden, 1))
    first, second, third = (nn.Linear(*size, device=device, dtype=xp.float64) for size in sizes)
    if as_published:
        for layer in (first, second, third):
            nn.init.uniform_(layer.weight, -0.5, 0.5)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, 0.1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third, nn.Sigmoid())


def optimizer(model: nn.Module, name: str, rate: float) -> nn.optim.Optimizer:
    """ "sgd" or "adam" for this model."""
    kind = {"sgd": nn.optim.SGD, "adam": nn.optim.Adam}[name]
    return kind(model.parameters(), lr=rate)


def epoch(
    model: nn.Module,
    optimizer: nn.optim.Optimizer,
    points: list[list[float]],
    classes: list[list[float]],
    batch_size: int = 10,
    order: list[int] | None = None,
    device: Any = "cpu",
) -> tuple[float, int]:
    """Go once through points that are lists of numbers, in batches: the mean loss, and how many were on the right side beforehand."""
    loss_of = nn.functional.binary_cross_entropy
    if order is None:
        order = list(range(len(points)))
    total, correct = 0.0, 0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        x = xp.asarray([points[i] for i in chosen], dtype=xp.float64, device=device)
        y = xp.asarray([classes[i] for i in chosen], dtype=xp.float64, device=device)
        optimizer.zero_grad()
        out = model(x)
        loss = loss_of(out, y)
        loss.backward()
        optimizer.step()
        total += float(loss) * len(chosen)
        correct += int(xp.count_nonzero((out.detach() > 0.5) == (y > 0.5)))
    return total / len(order), correct


def surface(model: nn.Module, points: list[list[float]], side: int = 120) -> tuple[xp.Array, xp.Array]:
    """The network over the square around the points: coordinates along one side, and its values (side, side), row by row upwards."""
    low, high = (pick(pick(p) for p in points) for pick in (min, max))
    axis = xp.linspace(min(low, 0.0) - 0.05, max(high, 1.0) + 0.05, side, dtype=xp.float64)
    x1, x2 = xp.meshgrid(axis, axis)
    device = next(model.parameters()).device
    with xp.autodiff.no_grad():
        values = model(xp.stack([x1.reshape(-1), x2.reshape(-1)], axis=1).to_device(device))
    return axis, values.reshape(side, side).to_device("cpu")


def draw_surface(axes: Any, model: nn.Module, points: list[list[float]], classes: list[list[float]]) -> None:
    """The decision surface and the points, on axes of matplotlib."""
    axis, values = surface(model, points)
    # Strengths at which both colours stay light enough for the points to be read on them.
    axes.contourf(axis, axis, values, levels=[i / 20 for i in range(21)], cmap="RdBu_r", alpha=0.75, extend="both")
    axes.contour(axis, axis, values, levels=[0.5], colors="0.25", linewidths=1)
    for kind, colour, mark in ((0, "tab:blue", "o"), (1, "tab:red", "X")):
        mine = [p for p, c in zip(points, classes) if c[0] == kind]
        axes.scatter([p[0] for p in mine], [p[1] for p in mine], s=44, c=colour, marker=mark, edgecolors="white", linewidths=0.8, zorder=3)
    axes.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")


@trainer(epochs=None, batch_size=10, rate=None)
@click.option("--dataset", type=click.Choice(data.POINT_SETS), default="simple", help="The point set.")
@click.option("--points", "count", type=click.IntRange(1), default=50, help="How many points.")
@click.option("--hidden", type=click.IntRange(1), default=100, help="Width of the two hidden layers.")
@click.option("--optimizer", "kind", type=click.Choice(["sgd", "adam"]), help="By default the set's own, as rate and epochs are.")
@click.option("--as-published", is_flag=True, help="Their first values, SGD at 0.05 and 500 epochs, as MiniTorch has them.")
def main(run: Run, dataset: str, count: int, hidden: int, kind: str | None, as_published: bool) -> None:
    """Points of the plane in two classes, learnt by a network of three layers."""
    default = PUBLISHED if as_published else DEFAULTS[dataset]
    kind = run.settings["kind"] = kind or default.optimizer
    run.epochs, run.rate = run.epochs or default.epochs, run.rate or default.rate
    nn.manual_seed(run.seed)
    x, y = data.points(dataset, count, seed=run.seed, dtype=xp.float64)
    points, classes = x.tolist(), y.tolist()
    model = network(hidden, run.device, as_published)
    steps = optimizer(model, kind, run.rate)

    def once(step: Any) -> Measures:
        order = random.Random(f"{run.seed} {len(run.history)}").sample(range(count), count)
        loss, correct = epoch(model, steps, points, classes, run.batch_size, order, run.device)
        step()
        return {"loss": loss, "correct": correct}

    run.say(f"{dataset}: {count} points, {hidden} hidden, {kind} at {run.rate:g}, batches of {run.batch_size}, {run.device}")
    run.train(Task(model, steps, once), every=10)
    with xp.autodiff.no_grad():
        right = int(xp.count_nonzero((model(x.to_device(run.device)) > 0.5) == (y.to_device(run.device) > 0.5)))
    run.summary(correct=f"{right} of {count}")

    def draw(figure: Any) -> None:
        left, middle = figure.subplots(1, 2, width_ratios=(1.1, 1))
        left.plot(range(1, len(run.history) + 1), run.column("loss"), color="tab:purple")
        left.set(title=f"loss, {duration(run.median)} an epoch", xlabel="epoch", ylabel="binary cross-entropy", ylim=(0, None))
        draw_surface(middle, model, points, classes)
        middle.set_title(f"{dataset}: {right} of {count} right after {len(run.history)} epochs")

    run.picture(draw, (10, 4.6))


if __name__ == "__main__":
    main()
