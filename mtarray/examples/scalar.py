"""The first lesson: one neuron on numbers, every derivative printed, and a few steps of descent.

    python -m mtarray.examples.scalar

The neuron is p = sigmoid(w1 x1 + w2 x2 + b), all of them 0-d arrays, and learns "and" (or "or") from its four cases.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

import mtarray as xp
from mtarray import Array, nn

from .._cli.output import console, table
from ._trainer import Measures, Run, Task, trainer

CASES = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
RULES = {"and": (0.0, 0.0, 0.0, 1.0), "or": (0.0, 1.0, 1.0, 1.0)}


class Neuron(nn.Module):
    """sigmoid(w1 x1 + w2 x2 + b)."""

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__()
        draw = nn.default_generator()
        self.w1 = nn.Parameter(draw.uniform(-1, 1), dtype=xp.float64, device=device)
        self.w2 = nn.Parameter(draw.uniform(-1, 1), dtype=xp.float64, device=device)
        self.b = nn.Parameter(0.0, dtype=xp.float64, device=device)

    def forward(self, x1: Any, x2: Any) -> Any:
        """The probability of class 1."""
        return probability(weighted(self.w1, self.w2, self.b, x1, x2))


def weighted(w1: Any, w2: Any, b: Any, x1: Any, x2: Any) -> Any:
    """What the neuron adds up."""
    return w1 * x1 + w2 * x2 + b


def probability(s: Any) -> Any:
    """The sigmoid of the sum."""
    return 1 / (1 + xp.exp(-s))


def cross_entropy(p: Any, y: float) -> Any:
    """How surprising the class y is, in nats."""
    return -xp.log(p) if y else -xp.log(1 - p)


def derivatives(neuron: Neuron, x: tuple[float, float], y: float) -> list[tuple[str, float, float, float]]:
    """(quantity, its value, the loss' derivative by it, the same by a central difference), from the parameters to the loss."""
    device = neuron.b.device
    w1, w2, b = (p.detach() for p in (neuron.w1, neuron.w2, neuron.b))
    x1, x2 = (xp.asarray(v, dtype=xp.float64, device=device) for v in x)
    s = weighted(w1, w2, b, x1, x2)
    p = probability(s)

    def loss(*quantities: Any) -> Any:
        return cross_entropy(probability(weighted(*quantities)), y)

    inputs = [("w1", w1), ("w2", w2), ("b", b), ("x1", x1), ("x2", x2)]
    functions: list[tuple[str, Array, Callable[[Any], Any]]] = []
    for i, (name, v) in enumerate(inputs):
        before, after = ([u for _, u in part] for part in (inputs[:i], inputs[i + 1 :]))
        functions.append((name, v, functools.partial(lambda before, after, z: loss(*before, z, *after), before, after)))
    functions.append(("s", s, lambda z: cross_entropy(probability(z), y)))
    functions.append(("p", p, lambda z: cross_entropy(z, y)))
    step = 1e-5
    return [(name, float(v), float(xp.grad(f)(v)), float(f(v + step) - f(v - step)) / (2 * step)) for name, v, f in functions]


def print_derivatives(neuron: Neuron, x: tuple[float, float], y: float) -> None:
    """The table of `derivatives`."""
    rows = table("quantity", "> value", "> derivative of the loss", "> central difference", title=f"case ({x[0]:g}, {x[1]:g}), class {y:g}")
    for name, v, d, c in derivatives(neuron, x, y):
        rows.add_row(name, f"{v:.6f}", f"{d:.8f}", f"{c:.8f}")
    console().print(rows)


@trainer(epochs=40, batch_size=1, rate=1.0)
@click.option("--rule", type=click.Choice(list(RULES)), default="and", help="What the neuron learns.")
def main(run: Run, rule: str) -> None:
    """One neuron on numbers: every derivative, then descent."""
    nn.manual_seed(run.seed)
    neuron = Neuron(run.device)
    optimizer = nn.optim.SGD(neuron.parameters(), lr=run.rate)
    pairs = list(zip(CASES, RULES[rule]))

    def once(step: Callable[[], None]) -> Measures:
        total, correct = 0.0, 0
        for start in range(0, len(pairs), run.batch_size):
            optimizer.zero_grad()
            batch = pairs[start : start + run.batch_size]
            for x, y in batch:
                p = neuron(*x)
                loss = cross_entropy(p, y) / len(batch)
                loss.backward()
                total += float(loss) * len(batch)
                correct += (float(p) > 0.5) == (y > 0.5)
            optimizer.step()
            step()
        return {"loss": total / len(pairs), "correct": correct}

    if not run.quiet:
        run.say(f'"{rule}" by one neuron: s = w1 x1 + w2 x2 + b, p = sigmoid(s), loss = -log p for class 1, -log(1 - p) for class 0\n')
        for x, y in pairs:
            print_derivatives(neuron, x, y)
    run.train(Task(neuron, optimizer, once, -(-len(pairs) // run.batch_size)))
    learnt = ", ".join(f"{name} = {float(p):.4f}" for name, p in neuron.named_parameters())
    seen = ", ".join(f"({x[0]:g}, {x[1]:g}): {float(neuron(*x)):.3f}" for x in CASES)
    run.summary(parameters=learnt, probabilities=seen)

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        left.plot(range(1, len(run.history) + 1), run.column("loss"), color="tab:purple")
        left.set(title="loss", xlabel="epoch", ylabel="mean cross-entropy", ylim=(0, None))
        axis = xp.linspace(-0.4, 1.4, 80, dtype=xp.float64)
        x1, x2 = xp.meshgrid(axis, axis)
        with xp.autodiff.no_grad():
            values = neuron(x1.to_device(run.device), x2.to_device(run.device)).to_device("cpu")
        drawn = right.contourf(axis, axis, values, levels=[i / 10 for i in range(11)], cmap="RdBu_r", alpha=0.8)
        right.contour(axis, axis, values, levels=[0.5], colors="0.2")
        for x, y in pairs:
            right.scatter(*x, s=90, c="tab:red" if y else "tab:blue", marker="X" if y else "o", edgecolors="white", zorder=3)
        right.set(title=f'p for "{rule}"', xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        figure.colorbar(drawn, ax=right)

    run.picture(draw, (9, 4))


if __name__ == "__main__":
    main()
